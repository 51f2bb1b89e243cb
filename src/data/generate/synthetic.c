/* Images of random pixels, of which nothing can be learnt: for measurements, and for networks that must not learn. */
#include "synthetic.h"

#include <stddef.h>
#include <string.h>

static const hiss_row rows[] = {
    HISS_GENERATE_ROWS(generate_synthetic_options),
    {"height", HISS_INT, offsetof(generate_synthetic_options, height), "32", 1, 16384, NULL, "rows of an image"},
    {"width", HISS_INT, offsetof(generate_synthetic_options, width), "32", 1, 16384, NULL, "columns of an image"},
    {"channels", HISS_INT, offsetof(generate_synthetic_options, channels), "3", 1, HISS_MAX_CHANNELS, NULL,
     "channels of an image"},
    {"classes", HISS_INT, offsetof(generate_synthetic_options, classes), "10", 0, 1000000, NULL,
     "labels 0 .. classes - 1 in turn; 0: none"},
};

static int fields(const void *self, hiss_field *out) {
    const generate_synthetic_options *o = self;
    out[0] =
        (hiss_field){.name = HISS_FIELD_IMAGE, .dtype = HISS_U8, .ndim = 3, .dim = {o->height, o->width, o->channels}};
    return 1;
}

static void make(const void *self, int64_t row, void *const *out) {
    const generate_synthetic_options *o = self;
    const int64_t bytes = o->height * o->width * o->channels;
    uint8_t *pixels = out[0];
    hiss_rng rng = hiss_rng_keyed((uint64_t)o->common.seed, HISS_FOR_TESTS, o->common.part, row);
    for (int64_t i = 0; i < bytes; i += 4) {
        const uint32_t word = hiss_rng_word(&rng);
        for (int64_t k = 0; k < 4 && i + k < bytes; k++) {
            pixels[i + k] = (uint8_t)(word >> 8 * k);
        }
    }
}

static int64_t classes(const void *self) {
    return ((const generate_synthetic_options *)self)->classes;
}

static int32_t label(const void *self, int64_t row) {
    return (int32_t)(row % ((const generate_synthetic_options *)self)->classes);
}

const hiss_generator generate_synthetic = {
    .name = "synthetic",
    .summary = "images of random pixels, for measurements",
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .options_bytes = sizeof(generate_synthetic_options),
    .fields = fields,
    .make = make,
    .classes = classes,
    .label = label,
};
