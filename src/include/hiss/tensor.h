/* Shapes. A tensor is float32, contiguous, channels last; its data is a plain pointer beside its shape.
 *
 * Legend of dimension letters, used in every contract of hiss:
 *   N batch   H W C image height, width, channels   R S kernel height, width   F filters (output channels)
 *   P Q output height, width   D features   K targets   M rows   L lanes   m samples of a lane   B = L*m */
#ifndef HISS_TENSOR_H
#define HISS_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HISS_MAX_NDIM = 5, HISS_SHAPE_TEXT = 96 };

typedef struct hiss_shape {
    int ndim;
    int64_t dim[HISS_MAX_NDIM];
} hiss_shape;

#define HISS_SHAPE(...) ((hiss_shape){(int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}})

int64_t hiss_shape_count(const hiss_shape *shape); /* product of dim; 1 when ndim is 0 */
bool hiss_shape_equal(const hiss_shape *a, const hiss_shape *b);
const char *hiss_shape_text(const hiss_shape *shape, char out[HISS_SHAPE_TEXT]); /* "[32, 28, 28, 1]"; returns out */

/* How far two arrays are apart; it measures, the caller judges. */
typedef struct hiss_difference {
    double max_absolute, max_relative; /* relative to max(|a|, |b|, floor) */
    double rms;
    int64_t worst; /* index of max_absolute */
    bool has_nan;
} hiss_difference;
hiss_difference hiss_floats_compare(int64_t count, const float *a, const float *b, double floor);

/* Whether all |x[i]| <= limit, 0 <= limit finite; false for NaNs and infinities. At the speed of memory. */
bool hiss_floats_within(int64_t count, const float *x, float limit);
int64_t hiss_floats_first_beyond(int64_t count, const float *x,
                                 float limit); /* the first i of which that is not so; count */

/* The symmetric matrix a [n, n] becomes its eigenvalues, on the diagonal and in no order; vector [n, n] out: their
 * eigenvectors of length 1, as rows. */
void hiss_diagonalize(int64_t n, double *a, double *vector);

#endif
