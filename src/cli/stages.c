/* Which stage of a method that is trained in stages a checkpoint is of. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "hiss/snapshot.h"

/* Steps that a checkpoint is the result of, and those of an epoch; false: it does not tell. */
static bool read_step(const char *checkpoint, const hiss_train_options *train, int64_t *step, int64_t *per_epoch) {
    hiss_h5 *file = NULL;
    hiss_error none;
    char *samples = NULL;
    hiss_status s = hiss_h5_open(checkpoint, &file, &none);
    s = s == HISS_OK ? hiss_snapshot_read(file, checkpoint, "/step", HISS_I64, 0, 1, step, &none) : s;
    s = s == HISS_OK ? hiss_h5_get_text(file, "/", "samples", &samples, &none) : s;
    s = s == HISS_OK ? hiss_epoch_steps(checkpoint, strtoll(samples, NULL, 10), train->lanes, train->lane_samples,
                                        per_epoch, &none)
                     : s;
    hiss_free(samples);
    hiss_h5_close(file, NULL);
    return s == HISS_OK;
}

bool cli_untrained_stages(const hiss_experiment *e, const hiss_frozen *m, const char *checkpoint, char *line,
                          size_t size) {
    const hiss_phase_ops *ops = e->objective->phase;
    void *const method = hiss_frozen_method(m);
    int64_t step = 0, per_epoch = 1, begin = -1;
    int stages = 0, begun = 0, phase = 0;
    if (!ops || !ops->span || !read_step(checkpoint, &e->train, &step, &per_epoch)) {
        return false;
    }
    const int phases = ops->count ? ops->count(method) : e->objective->phases;
    for (int p = 0; p < phases; p++) {
        const hiss_span span = ops->span(method, p);
        stages += span.first < span.end;
        if (span.first < span.end && span.first * per_epoch < step) {
            begun++;
            phase = span.first > begin ? p : phase;
            begin = span.first > begin ? span.first : begin;
        }
    }
    if (begun == stages) {
        return false;
    }
    char name[64] = "";
    if (ops->name && begun > 0) {
        char of[48];
        ops->name(method, phase, of, sizeof of);
        snprintf(name, sizeof name, " (%s)", of);
    }
    snprintf(line, size, "judged in epoch %lld of %lld, in stage %d of %d%s: later stages are untrained",
             (long long)(step > 0 ? (step - 1) / per_epoch + 1 : 0), (long long)e->train.epochs, begun, stages, name);
    return true;
}
