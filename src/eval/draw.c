/* Samples drawn by key within each class, in proportion to its size: stratified, so that the order of a file does not
 * matter, and the same on every rank. O(n). */
#include <stdlib.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"
#include "hiss/rng.h"

typedef struct quota {
    int64_t size, marked, remainder;
    int64_t class_index;
} quota;

static int by_remainder(const void *a, const void *b) {
    const quota *x = a, *y = b;
    if (x->remainder != y->remainder) {
        return x->remainder > y->remainder ? -1 : 1;
    }
    return (x->class_index > y->class_index) - (x->class_index < y->class_index);
}

static int by_class(const void *a, const void *b) {
    const quota *x = a, *y = b;
    return (x->class_index > y->class_index) - (x->class_index < y->class_index);
}

/* Shares of `wanted` by largest remainders. */
static void apportion(int64_t n, int64_t wanted, int64_t classes, bool keep_both, quota *q) {
    int64_t left = wanted;
    for (int64_t c = 0; c < classes; c++) {
        q[c].marked = q[c].size * wanted / n;
        q[c].remainder = q[c].size * wanted % n;
        left -= q[c].marked;
    }
    qsort(q, (size_t)classes, sizeof *q, by_remainder);
    for (int64_t c = 0; c < left; c++) {
        q[c].marked++;
    }
    qsort(q, (size_t)classes, sizeof *q, by_class);
    for (int64_t c = 0; keep_both && c < classes; c++) {
        q[c].marked = q[c].marked < 1 ? 1 : q[c].marked;
        q[c].marked = q[c].marked < q[c].size ? q[c].marked : q[c].size - 1;
        q[c].marked = q[c].marked < 0 ? 0 : q[c].marked;
    }
}

int64_t eval_draw_by_class(uint64_t seed, int64_t when, int64_t n, const int32_t *label, int64_t classes,
                           int64_t wanted, bool keep_both, bool *marked) {
    quota *q = hiss_new(quota, classes + 1);
    int64_t *member = hiss_new(int64_t, n), *start = hiss_new(int64_t, classes + 2), count = 0;
    for (int64_t i = 0; i < n; i++) {
        marked[i] = false;
        q[label && label[i] >= 0 && label[i] < classes ? label[i] : classes].size++;
    }
    for (int64_t c = 0; c <= classes; c++) {
        q[c].class_index = c;
        start[c + 1] = start[c] + q[c].size;
    }
    for (int64_t i = 0; i < n; i++) {
        member[start[label && label[i] >= 0 && label[i] < classes ? label[i] : classes]++] = i;
    }
    apportion(n, wanted, classes + 1, keep_both, q);
    for (int64_t c = 0; c <= classes; c++) { /* start[c] is now the end of class c */
        if (q[c].marked == 0) {
            continue;
        }
        const hiss_permutation order = hiss_permutation_keyed(seed, HISS_FOR_EVALUATION, when, c, q[c].size);
        for (int64_t i = 0; i < q[c].marked; i++, count++) {
            marked[member[start[c] - q[c].size + hiss_permutation_at(&order, i)]] = true;
        }
    }
    hiss_free(q);
    hiss_free(member);
    hiss_free(start);
    return count;
}
