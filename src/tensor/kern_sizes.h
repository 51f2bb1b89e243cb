/* Private to src/tensor: sizes of tiles and pieces. */
#ifndef HISS_TENSOR_KERN_SIZES_H
#define HISS_TENSOR_KERN_SIZES_H

#include <stdint.h>

static inline int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static inline int64_t most(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static inline int64_t round_up(int64_t count, int64_t step) {
    return (count + step - 1) / step * step;
}

#endif
