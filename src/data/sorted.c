/* Whether samples lie sorted by class: neighbours share a label far more often than draws at random would. Each lane
 * reads a piece of the rows, and would see few classes. */
#include "hiss/alloc.h"
#include "hiss/data.h"

enum { LEAST_SAMPLES = 64, MOST_SAMPLES = 1 << 20, TIMES_CHANCE = 3 };

bool hiss_dataset_looks_sorted(hiss_dataset *set) {
    if (!hiss_dataset_labelled(set)) {
        return false;
    }
    const int64_t all = hiss_dataset_count(set), n = all < MOST_SAMPLES ? all : MOST_SAMPLES;
    int32_t *label = hiss_new(int32_t, n);
    int64_t equal = 0, *count = hiss_new(int64_t, hiss_dataset_classes(set));
    double chance = 0.0;
    hiss_dataset_read(set, 0, n, NULL, label, NULL); /* labels are in memory: cannot fail */
    for (int64_t i = 0; i < n; i++) {
        if (label[i] >= 0) {
            count[label[i]]++;
            equal += i > 0 && label[i] == label[i - 1];
        }
    }
    for (int64_t k = 0; k < hiss_dataset_classes(set); k++) {
        const double share = (double)count[k] / (double)n;
        chance += share * share;
    }
    hiss_free(count);
    hiss_free(label);
    const double share = (double)equal / (double)(n > 1 ? n - 1 : 1);
    return n >= LEAST_SAMPLES && chance < 0.9 && share > chance + 0.5 * (1.0 - chance) && share > TIMES_CHANCE * chance;
}
