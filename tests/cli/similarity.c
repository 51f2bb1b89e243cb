/* What src/eval/similarity.c says of pairs of frames on standard input, for tools/similarity_peers: H W C range,
 * then a and b, each H * W * C pixels; and so on. Out, of each pair: PSNR, SSIM of the uniform and of the Gaussian window,
 * sharpness difference. */
#include <stdio.h>
#include <stdlib.h>

#include "eval/similarity.h"
#include "hiss/alloc.h"

static float *frame(int64_t count) {
    float *out = hiss_new(float, count);
    for (int64_t k = 0; k < count; k++) {
        if (scanf("%f", &out[k]) != 1) {
            exit(2);
        }
    }
    return out;
}

int main(void) {
    long long H, W, C;
    double range;
    while (scanf("%lld %lld %lld %lf", &H, &W, &C, &range) == 4) {
        float *a = frame(H * W * C), *b = frame(H * W * C);
        printf("%.17g %.17g %.17g %.17g\n", eval_frame_psnr(H, W, C, a, b),
               eval_ssim(EVAL_SSIM_UNIFORM, range, H, W, C, a, b), eval_ssim(EVAL_SSIM_GAUSSIAN, range, H, W, C, a, b),
               eval_sharpness_difference(H, W, C, a, b));
        hiss_free(a);
        hiss_free(b);
    }
    return 0;
}
