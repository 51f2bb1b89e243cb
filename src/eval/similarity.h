/* Private to src/eval: how alike two frames are.
 *
 * Frames a, b, truth and made are [H,W,C] float32 of 0..1, finite; arithmetic is double. Not collective; thread-safe. */
#ifndef EVAL_SIMILARITY_H
#define EVAL_SIMILARITY_H

#include <stdint.h>

/* Peak signal-to-noise ratio, dB: 10 log10(1 / mean square difference), over all pixels and channels at once. At most
 * EVAL_PSNR_MOST (judgements.h), so that means over frames are finite where frames are equal. */
double eval_frame_psnr(int64_t H, int64_t W, int64_t C, const float *a, const float *b);

/* What SSIM takes its moments over; the value is the side in pixels. */
typedef enum eval_ssim_window {
    /* The same weight everywhere, and the covariance of a sample (by N - 1): what structural_similarity of scikit-image
     * does unless told otherwise, and with it the published code of Denton & Fergus 2018. */
    EVAL_SSIM_UNIFORM = 7,
    /* A Gaussian of deviation 1.5, and the covariance of a population: Wang et al. 2004, section III-C, and the video
     * prediction of Finn, Goodfellow & Levine 2016 and of Babaeizadeh et al. 2018. */
    EVAL_SSIM_GAUSSIAN = 11,
} eval_ssim_window;
/* Structural similarity (Wang, Bovik, Sheikh & Simoncelli 2004, eq. 13, K1 0.01, K2 0.03): -1..1, 1 of equal frames; the mean
 * over all places where the whole window lies in the frame, of each channel by itself, then over channels.
 *   range  L of the paper, what black and white are apart: 1; or 2, which scikit-image before version 0.20 took of floats, for
 *          they may be -1..1, and with it what was published by way of it
 *   H, W   at least the window's side */
double eval_ssim(eval_ssim_window window, double range, int64_t H, int64_t W, int64_t C, const float *a,
                 const float *b);

/* Sharpness difference, dB (Mathieu, Couprie & LeCun 2016, section 4.2): 10 log10(1 / mean |g(truth) - g(made)|), where g is
 * the absolute difference to the pixel above plus that to the pixel on the left, of every pixel and channel that has both.
 * At most EVAL_PSNR_MOST. H, W at least 2. */
double eval_sharpness_difference(int64_t H, int64_t W, int64_t C, const float *truth, const float *made);

#endif
