/* The few labelled samples (data.labelled), which every rank holds, and the batches of phases that are trained on them.
 *
 * Which samples a lane gets at a step is a pure function of the two, so ranks and resumed runs need to know nothing
 * more. The loader goes on meanwhile: its order is a function of the step, too. */
#include <inttypes.h>

#include "train/trainer.h"

hiss_status train_labelled_read(trainer *t, hiss_error *err) {
    const hiss_experiment *e = t->experiment;
    const int64_t each = e->data.labelled;
    if (each == 0) {
        return HISS_OK;
    }
    if (!e->objective->input || !e->objective->input->labelled) {
        return hiss_fail_key(err, HISS_EUSER, "data.labelled",
                             "%s does not learn from few labels; set data.labelled to 0, or choose another objective",
                             e->objective->name);
    }
    int64_t count = 0;
    hiss_alloc_for("labelled samples", "lower data.labelled");
    const hiss_status s = hiss_labelled_read(t->set, each, t->task.seed, &t->labelled.samples, &count, err);
    if (s == HISS_OK) {
        t->labelled.all = hiss_samples_batch(t->labelled.samples, 0, count);
        t->placement.labelled = &t->labelled.all;
    }
    return s;
}

void train_labelled_prepare(trainer *t) {
    const int64_t lanes = t->placement.end_lane - t->placement.first_lane, m = t->placement.m;
    labelled *few = &t->labelled;
    if (!t->placement.labelled) {
        return;
    }
    few->batches = hiss_new(hiss_batch, lanes);
    few->sample = hiss_new(int64_t, lanes * m);
    few->row = hiss_new(const uint8_t *, lanes *m);
    few->label = hiss_new(int32_t, lanes * m);
    for (int64_t l = 0; l < lanes; l++) {
        few->batches[l] =
            (hiss_batch){.m = m, .sample = few->sample + l * m, .row = few->row + l * m, .label = few->label + l * m};
    }
}

void train_labelled_free(trainer *t) {
    hiss_samples_destroy(t->labelled.samples);
    hiss_free(t->labelled.batches);
    hiss_free(t->labelled.sample);
    hiss_free((void *)t->labelled.row);
    hiss_free(t->labelled.label);
}

/* The samples whose turn it is. */
static void deal(trainer *t) {
    const int64_t lanes = t->placement.end_lane - t->placement.first_lane, m = t->placement.m;
    const hiss_batch *all = t->placement.labelled;
    labelled *few = &t->labelled;
    for (int64_t k = 0; k < lanes * m; k++) {
        const int64_t at = hiss_labelled_turn(&t->task, &t->placement, t->step, t->placement.first_lane + k / m, k % m);
        few->sample[k] = all->sample[at];
        few->row[k] = all->row[at];
        few->label[k] = all->label[at];
    }
}

const hiss_batch *train_batches(trainer *t, const phase *ph) {
    if (!ph->labelled) {
        return t->batches;
    }
    deal(t);
    return t->labelled.batches;
}

void train_labelled_write(FILE *out, const trainer *t) {
    const hiss_batch *all = t->placement.labelled;
    if (all) {
        fprintf(out, "labelled:\n  count: %" PRId64 "\n  samples: [", all->m);
        for (int64_t i = 0; i < all->m; i++) {
            fprintf(out, "%s%" PRId64, i ? ", " : "", all->sample[i]);
        }
        fprintf(out, "]\n");
    }
}
