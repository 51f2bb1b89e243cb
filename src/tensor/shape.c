#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "hiss/tensor.h"

int64_t hiss_shape_count(const hiss_shape *shape) {
    int64_t count = 1;
    for (int i = 0; i < shape->ndim; i++) {
        count *= shape->dim[i];
    }
    return count;
}

bool hiss_shape_equal(const hiss_shape *a, const hiss_shape *b) {
    if (a->ndim != b->ndim) {
        return false;
    }
    for (int i = 0; i < a->ndim; i++) {
        if (a->dim[i] != b->dim[i]) {
            return false;
        }
    }
    return true;
}

const char *hiss_shape_text(const hiss_shape *shape, char out[HISS_SHAPE_TEXT]) {
    assert(shape->ndim >= 0 && shape->ndim <= HISS_MAX_NDIM);
    /* Five numbers of at most 15 digits fit; longer ones are cut, never overrun. */
    size_t used = 0;
    out[used++] = '[';
    for (int i = 0; i < shape->ndim && used < HISS_SHAPE_TEXT - 1; i++) {
        int wrote = snprintf(out + used, HISS_SHAPE_TEXT - 1 - used, "%s%" PRId64, i ? ", " : "", shape->dim[i]);
        used += (size_t)wrote;
    }
    if (used > HISS_SHAPE_TEXT - 2) {
        used = HISS_SHAPE_TEXT - 2;
    }
    out[used] = ']';
    out[used + 1] = '\0';
    return out;
}
