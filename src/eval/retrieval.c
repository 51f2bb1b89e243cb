/* Retrieval: the neighbours of chosen samples. The queries become a small feature set of their own (ascending, without
 * repetition), and answers are copied back in the order asked for. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/eval.h"

static int ascending(const void *a, const void *b) {
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Copy list[k + 1] without the entry `self`, or without the last one. */
static void copy_without(const hiss_neighbor *list, int64_t k, int64_t self, hiss_neighbor *out) {
    int64_t place = 0;
    for (int64_t i = 0; i <= k && place < k; i++) {
        if (list[i].index != self) {
            out[place++] = list[i];
        }
    }
}

void hiss_features_retrieve(const hiss_eval_env *env, const hiss_features *bank, const hiss_features *query, bool same,
                            int64_t count, const int64_t *index, int64_t k, hiss_distance metric, hiss_neighbor *out) {
    int64_t *sorted = hiss_new(int64_t, count), distinct = 0;
    memcpy(sorted, index, sizeof(int64_t) * (size_t)count);
    qsort(sorted, (size_t)count, sizeof(int64_t), ascending);
    for (int64_t i = 0; i < count; i++) {
        if (i == 0 || sorted[i] != sorted[distinct - 1]) {
            sorted[distinct++] = sorted[i];
        }
    }
    assert(count >= 1 && sorted[0] >= 0 && sorted[distinct - 1] < query->n);
    hiss_features *chosen = hiss_features_subset(env, query, sorted, distinct);
    hiss_neighbor *best[HISS_METRICS] = {NULL};
    best[metric] = hiss_new(hiss_neighbor, distinct * (k + 1));
    hiss_neighbors(env, bank, chosen, k + 1, best);
    for (int64_t i = 0; i < count; i++) {
        const int64_t *place = bsearch(&index[i], sorted, (size_t)distinct, sizeof(int64_t), ascending);
        copy_without(best[metric] + (place - sorted) * (k + 1), k, same ? index[i] : -2, out + i * k);
    }
    hiss_features_destroy(chosen);
    hiss_free(best[metric]);
    hiss_free(sorted);
}
