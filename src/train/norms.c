/* Norms that optimisers want before they update, for the reducer (hiss_reducer_norms).
 *
 * Each parameter slot of a group whose optimiser wants norms is a segment; a group is a set, so that the norm that
 * clips is over all parameters that the group's optimiser updates in the phase. Buckets hold slots of one group only.
 * Slots that the phase does not train have terms of zeros. */
#include <math.h>
#include <string.h>

#include "train/trainer.h"

static float mean_of(const trainer *t) {
    return 1.0f / (float)t->world.lanes;
}

hiss_optim_step norms_step(const trainer *t, int s, int rounds) {
    const hiss_slot *slot = hiss_model_at(t->model, s);
    const int group = slot->group;
    const hiss_optim_options *optim = &t->experiment->optim[group];
    const hiss_optim_norms *wanted = &t->norms.wanted[group];
    hiss_optim_step step = {.rate = hiss_optim_rate(optim, t->step, t->world.steps_per_epoch, t->scheduled_steps),
                            .update = t->updates[group],
                            .decay = slot->decay,
                            .gradient_scale = mean_of(t)};
    if (rounds > 0 && wanted->round[0].whole) {
        const double clip = hiss_optim_clip(optim, sqrt(hiss_reducer_set_squares(t->reducer, group, 0, 0)));
        step.gradient_scale = (float)((double)step.gradient_scale * clip);
    }
    return step;
}

/* A hiss_reducer_measure. */
static void measure(void *user, int segment, int round, int64_t begin, int64_t end, const float *sum,
                    float *const term[HISS_NORM_TERMS]) {
    const trainer *t = user;
    const int s = t->norms.slot_of[segment];
    const hiss_optim_round *r = &t->norms.wanted[hiss_model_at(t->model, s)->group].round[round];
    const int64_t count = end - begin;
    for (int k = 0; k < r->terms; k++) {
        if (t->current->role[s] != ROLE_PARAMETER) {
            memset(term[k], 0, sizeof(float) * (size_t)count);
        } else if (r->term[k] == HISS_TERM_PARAMETER) {
            memcpy(term[k], t->vector + begin, sizeof(float) * (size_t)count);
        } else {
            const float mean = mean_of(t);
            for (int64_t i = 0; i < count; i++) {
                term[k][i] = mean * sum[i];
            }
        }
    }
}

static int list_segments(const trainer *t) {
    const int slots = hiss_model_count(t->model);
    int n = 0;
    for (int k = 0; k < slots; k++) {
        const int s = t->slot_order[k];
        const hiss_slot *slot = hiss_model_at(t->model, s);
        t->norms.segment_of[s] = -1;
        if (slot->kind == HISS_SLOT_PARAMETER && t->norms.wanted[slot->group].rounds > 0) {
            t->norms.segment_of[s] = n;
            t->norms.slot_of[n] = s;
            t->norms.segment[n++] = (hiss_range){slot->offset, slot->offset + slot->count};
        }
    }
    return n;
}

/* The group of each bucket that wants norms. */
static void list_sets(const trainer *t) {
    for (int b = 0, k = 0; b < t->buckets; b++) {
        while (hiss_model_at(t->model, t->slot_order[k])->offset < t->bucket_offsets[b]) {
            k++;
        }
        const hiss_slot *slot = hiss_model_at(t->model, t->slot_order[k]);
        t->norms.set[b] =
            slot->kind == HISS_SLOT_PARAMETER && t->norms.wanted[slot->group].rounds > 0 ? slot->group : -1;
    }
}

bool norms_plan(trainer *t, hiss_reducer_norms *out) {
    const int slots = hiss_model_count(t->model);
    norms *n = &t->norms;
    bool any = false;
    for (int g = 0; g < t->experiment->groups; g++) {
        const hiss_optim_norms *wanted = &n->wanted[g];
        n->wanted[g] = hiss_optim_wanted(&t->experiment->optim[g]);
        n->rounds[g].count = wanted->rounds;
        for (int k = 0; k < wanted->rounds; k++) {
            n->rounds[g].round[k].terms = wanted->round[k].terms;
            n->rounds[g].round[k].whole = wanted->round[k].whole;
        }
        any |= wanted->rounds > 0;
    }
    if (!any) {
        return false;
    }
    n->segment_of = hiss_new(int, slots);
    n->slot_of = hiss_new(int, slots);
    n->segment = hiss_new(hiss_range, slots);
    n->set = hiss_new(int, t->buckets);
    list_sets(t);
    *out = (hiss_reducer_norms){.segments = list_segments(t),
                                .segment = n->segment,
                                .sets = t->experiment->groups,
                                .rounds = n->rounds,
                                .set = n->set,
                                .measure = measure};
    return true;
}

void norms_free(trainer *t) {
    hiss_free(t->norms.set);
    hiss_free(t->norms.segment);
    hiss_free(t->norms.slot_of);
    hiss_free(t->norms.segment_of);
}
