/* Private to src/objective: CIE L*a*b* of sRGB pixels, and bins of colour in its plane of a and b. Not collective. */
#ifndef HISS_OBJECTIVE_PARTS_LAB_H
#define HISS_OBJECTIVE_PARTS_LAB_H

#include "hiss/nn.h"

/* sRGB of 0..1 to L of 0..100, a and b; of count pixels, out may be in. */
void objective_lab_of_srgb(int64_t count, const float *rgb, float *lab);
/* And back; colours that sRGB cannot show leave 0..1. */
void objective_srgb_of_lab(int64_t count, const float *lab, float *rgb);

/* sRGB of 0..1, as it comes in, to what networks see: (L - 50) / 50, a / 50 and b / 50; of count pixels, in place. */
void objective_lab_view(int64_t count, float *pixels);
/* Append channels [first, first + count) of image [N,H,W,3]: [N,H,W,count]. */
hiss_value objective_lab_channels(hiss_builder *b, hiss_value image, int64_t first, int64_t count);

/* Bins of side 10 around the points of a grid in the plane of a and b: those in which some colour of sRGB lies, by a, then
 * by b. */
enum { OBJECTIVE_AB_GRID = 10, OBJECTIVE_AB_REACH = 12, OBJECTIVE_AB_SIDE = 2 * OBJECTIVE_AB_REACH + 1 };
enum { OBJECTIVE_AB_MOST = OBJECTIVE_AB_SIDE * OBJECTIVE_AB_SIDE, OBJECTIVE_AB_NEIGHBORS = 32 };
typedef struct objective_ab_bins {
    int64_t count;
    float center[OBJECTIVE_AB_MOST][2];
    int16_t at[OBJECTIVE_AB_SIDE][OBJECTIVE_AB_SIDE]; /* the bin of grid point (a, b); -1: none */
} objective_ab_bins;
void objective_ab_bins_make(objective_ab_bins *bins);
/* The bin whose centre is nearest; of two, the first. */
int64_t objective_ab_nearest(const objective_ab_bins *bins, float a, float b);
/* target [count]: the neighbors bins nearest to (a, b), 1 to OBJECTIVE_AB_NEIGHBORS and at most count, share 1 in
 * proportion to exp(-d^2 / (2 sigma^2)), d their distance; 0 elsewhere. Returns the nearest. */
int64_t objective_ab_encode(const objective_ab_bins *bins, int64_t neighbors, double sigma, float a, float b,
                            float *target);

#endif
