/* What src/eval/detection.c says of scores and boxes on standard input, for tools/oracle_detection: H W n K most boxes, then
 * n * HISS_WINDOWS * K scores, then n * boxes boxes. Out: reachable, then area and eleven of each class. */
#include <stdio.h>
#include <stdlib.h>

#include "hiss/alloc.h"
#include "hiss/eval.h"

static int64_t count(void) {
    long long value = 0;
    return scanf("%lld", &value) == 1 ? (int64_t)value : (exit(2), 0);
}

static float *numbers(int64_t n) {
    float *out = hiss_new(float, n);
    for (int64_t i = 0; i < n; i++) {
        if (scanf("%f", &out[i]) != 1) {
            exit(2);
        }
    }
    return out;
}

int main(void) {
    const int64_t H = count(), W = count(), n = count(), K = count(), most = count(), boxes = count();
    float *score = numbers(n * HISS_WINDOWS * K), *box = numbers(n * boxes * HISS_BOX_VALUES);
    hiss_found *found = hiss_new(hiss_found, n * K * most);
    hiss_box window[HISS_WINDOWS];
    hiss_windows(H, W, window);
    for (int64_t i = 0; i < n * K; i++) {
        hiss_suppress(window, score + i / K * HISS_WINDOWS * K + i % K, K, most, found + i * most);
    }
    hiss_precisions p = hiss_box_precisions(n, K, most, found, window, boxes, box, NULL);
    printf("%.9g\n", hiss_box_reachable(window, n, boxes, box));
    for (int64_t k = 0; k < K; k++) {
        printf("%.9g %.9g\n", p.each[k].area, p.each[k].eleven);
    }
    hiss_precisions_destroy(&p);
    hiss_free(score);
    hiss_free(box);
    hiss_free(found);
    return 0;
}
