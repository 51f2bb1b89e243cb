/* The bits of a float without its sign, read as an integer, grow with its magnitude; infinities and NaNs come last. So
 * one integer maximum, which vectorises, answers whether a range of floats holds anything large or not a number. */
#include <string.h>

#include "hiss/tensor.h"

static int32_t magnitude(const float *x) {
    int32_t bits;
    memcpy(&bits, x, sizeof bits);
    return bits & INT32_MAX;
}

bool hiss_floats_within(int64_t count, const float *x, float limit) {
    int32_t most = 0;
    for (int64_t i = 0; i < count; i++) {
        const int32_t m = magnitude(x + i);
        most = m > most ? m : most;
    }
    return most <= magnitude(&limit);
}

int64_t hiss_floats_first_beyond(int64_t count, const float *x, float limit) {
    int64_t i = 0;
    while (i < count && magnitude(x + i) <= magnitude(&limit)) {
        i++;
    }
    return i;
}
