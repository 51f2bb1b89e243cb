#include "objective/parts/parameters.h"

#include <string.h>

#include "hiss/alloc.h"

float *objective_parameters(const hiss_model *from, const float *vector, const hiss_model *to) {
    float *out = hiss_new(float, hiss_model_floats(to));
    for (int s = 0; s < hiss_model_count(to); s++) {
        const hiss_slot *slot = hiss_model_at(to, s);
        memcpy(out + slot->offset, vector + hiss_model_offset(from, slot->name), sizeof(float) * (size_t)slot->count);
    }
    return out;
}
