/* The elements of the model vector that this rank updates, packed one range after another. */
#include <assert.h>

#include "train/trainer.h"

int64_t train_packed(const trainer *t, int64_t at) {
    const hiss_range *ranges;
    const int n = hiss_reducer_owned(t->reducer, &ranges);
    int low = 0, high = n - 1; /* the last range that begins at or before `at` */
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if (ranges[middle].begin <= at) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    assert(n > 0 && ranges[low].begin <= at && at < ranges[low].end);
    return t->owned_start[low] + at - ranges[low].begin;
}

void train_state(const trainer *t, int64_t at, float *state[HISS_OPTIM_MAX_STATES]) {
    const int64_t packed = t->states ? train_packed(t, at) : 0;
    for (int k = 0; k < HISS_OPTIM_MAX_STATES; k++) {
        state[k] = k < t->states ? t->state[k] + packed : NULL;
    }
}
