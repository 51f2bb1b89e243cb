/* Items that sound: each image has a sound of a family, and which family is by the item's class, class modulo `families`.
 * So classes may share a family, and nothing but the image says which family is to be heard. Within a family pitch, phase,
 * loudness and noise are drawn for each row:
 *
 *     0  a tone of four harmonics, 200 .. 300 Hz       4  chirps that rise over two octaves, 8 each second
 *     1  noise whose loudness swells 6 times a second  5  clicks, at random, some 30 a second
 *     2  noise whose loudness swells 24 times          6  noise without its high frequencies
 *     3  a pure tone, 1500 .. 1900 Hz                  7  a tone of 600 .. 800 Hz that is on and off 12 times a second
 *
 * Everything is in integers: a phase is 32 bits of a turn, and its sine two parabolas and their correction, whose
 * harmonics are below 0.1 %, each. */
#include <stddef.h>

#include "data/generate/items.h"
#include "hiss/alloc.h"
#include "hiss/generate.h"

enum { IMAGE, SOUND, FIELDS };
enum { HARMONIES, SLOW, FAST, PURE, CHIRPS, CLICKS, LOW, PULSES, MOST_FAMILIES };
enum { FULL = 1 << 15, HARMONICS = 4 };

typedef struct options {
    hiss_generate_options common;
    const char *items;
    int64_t size, families, rate, length;
} options;

static const hiss_row rows[] = {
    HISS_GENERATE_ROWS(options),
    {"items", HISS_PATH, offsetof(options, items), NULL, 0, 0, NULL,
     "HDF5 file of what sounds: /images uint8 [n,H,W] or [n,H,W,1], /labels; a sixth of them is for part test"},
    {"size", HISS_INT, offsetof(options, size), "28", 1, GENERATE_MOST_SIDE, NULL, "rows and columns of an image"},
    {"families", HISS_INT, offsetof(options, families), "8", 1, MOST_FAMILIES, NULL,
     "kinds of sound; an item's is its class modulo that"},
    {"rate", HISS_INT, offsetof(options, rate), "8000", 4000, 96000, NULL, "values of a second of sound"},
    {"length", HISS_INT, offsetof(options, length), "4096", 256, 1 << 20, NULL, "values of a sound"},
};

typedef struct sounds {
    const options *options;
    generate_items items;
} sounds;

static void destroy(void *self) {
    sounds *s = self;
    generate_items_free(&s->items);
    hiss_free(s);
}

static hiss_status create(const void *opts, void **self, hiss_error *err) {
    const options *o = opts;
    sounds *s = hiss_new(sounds, 1);
    s->options = o;
    hiss_status status = generate_items_read(o->items, o->common.part, o->size, &s->items, err);
    if (!status && !s->items.label) {
        status = hiss_fail_key(err, HISS_EUSER, "generate.items",
                               "%s has no data set /labels, and an item's sound is by its class; name a file with "
                               "labels, such as hiss prepare fashion-mnist writes",
                               o->items);
    }
    if (status) {
        destroy(s);
        return status;
    }
    *self = s;
    return HISS_OK;
}

static int fields(const void *self, hiss_field *out) {
    const options *o = ((const sounds *)self)->options;
    out[IMAGE] = (hiss_field){.name = HISS_FIELD_IMAGE, .dtype = HISS_U8, .ndim = 3, .dim = {o->size, o->size, 1}};
    out[SOUND] = (hiss_field){.name = "sound", .dtype = HISS_I16, .ndim = 1, .dim = {o->length}};
    return FIELDS;
}

/* ---- sounds: values of -FULL .. FULL ---- */

/* Sine of a phase in 2^-32 turns. */
static int64_t sine(uint32_t phase) {
    const int64_t x =
        (int64_t)(phase >> 15) - 65536; /* -65536 .. 65535: half turns before and after 0, shifted by one */
    const int64_t absolute = x < 0 ? -x : x, y = -4 * x * (65536 - absolute) / (65536 * 2);
    const int64_t square = (y < 0 ? -y : y) * y / FULL;
    return y + 225 * (square - y) / 1000;
}

/* The step of a phase at so many thousandths of a Hz. */
static uint32_t step_of(const options *o, int64_t millihertz) {
    return (uint32_t)((millihertz << 32) / (1000 * o->rate));
}

static uint32_t phase_of(hiss_rng *rng) {
    return (uint32_t)hiss_rng_below(rng, (int64_t)1 << 32);
}

static int64_t noise(hiss_rng *rng) {
    return hiss_rng_below(rng, 2 * FULL) - FULL;
}

/* Noise or a tone, whose loudness goes up and down. */
static void swell(const options *o, hiss_rng *rng, int family, int16_t *out, int64_t loudness) {
    const int64_t times = family == SLOW ? 6000 : family == FAST ? 24000 : 12000;
    const uint32_t step = step_of(o, times * (90 + hiss_rng_below(rng, 21)) / 100),
                   pitch = step_of(o, hiss_generate_between(rng, 600000, 800000));
    uint32_t phase = phase_of(rng), tone = phase_of(rng);
    for (int64_t t = 0; t < o->length; t++) {
        const int64_t value = family == PULSES ? sine(tone) : noise(rng), wave = sine(phase);
        const int64_t gain = family == PULSES ? (wave > 0 ? FULL : 0) : (FULL + wave) / 2;
        out[t] = (int16_t)(value * gain / FULL * loudness / FULL);
        phase += step;
        tone += pitch;
    }
}

static void tone(const options *o, hiss_rng *rng, int family, int16_t *out, int64_t loudness) {
    const int64_t pitch =
        family == PURE ? hiss_generate_between(rng, 1500000, 1900000) : hiss_generate_between(rng, 200000, 300000);
    const int harmonics = family == PURE ? 1 : HARMONICS;
    const uint32_t step = step_of(o, pitch);
    uint32_t phase = phase_of(rng);
    for (int64_t t = 0; t < o->length; t++, phase += step) {
        int64_t sum = 0;
        for (int k = 1; k <= harmonics; k++) {
            sum += sine(phase * (uint32_t)k) / k;
        }
        out[t] = (int16_t)(sum / harmonics * loudness / FULL);
    }
}

static void chirps(const options *o, hiss_rng *rng, int16_t *out, int64_t loudness) {
    const int64_t period = o->rate / 8, low = hiss_generate_between(rng, 350000, 500000);
    const int64_t start = hiss_rng_below(rng, period);
    uint32_t phase = phase_of(rng);
    for (int64_t t = 0; t < o->length; t++) {
        phase += step_of(o, low + 3 * low * ((start + t) % period) / period);
        out[t] = (int16_t)(sine(phase) * loudness / FULL);
    }
}

static void clicks(const options *o, hiss_rng *rng, int16_t *out, int64_t loudness) {
    int64_t level = 0;
    for (int64_t t = 0; t < o->length; t++) {
        level = hiss_rng_below(rng, o->rate) < 30 ? FULL - 1 : -level * 7 / 8;
        out[t] = (int16_t)(level * loudness / FULL);
    }
}

static void low_noise(const options *o, hiss_rng *rng, int16_t *out, int64_t loudness) {
    int64_t once = 0, twice = 0;
    for (int64_t t = 0; t < o->length; t++) {
        once += (noise(rng) - once) / 4;
        twice += (once - twice) / 4;
        out[t] = (int16_t)(twice * loudness / FULL);
    }
}

/* ---- rows ---- */

/* The first thing that is drawn for a row. */
static int64_t item_of(const sounds *s, hiss_rng *rng) {
    return hiss_rng_below(rng, s->items.count);
}

static void make(const void *self, int64_t row, void *const *out) {
    const sounds *s = self;
    const options *o = s->options;
    const int64_t pixels = o->size * o->size;
    hiss_rng rng = hiss_generate_rng(&o->common, row);
    const int64_t item = item_of(s, &rng), class = s->items.label[item];
    const int family = (int)(class < 0 ? 0 : class % o->families);
    const int64_t loudness = hiss_generate_between(&rng, FULL / 4, FULL - 1);
    const uint8_t *from = s->items.pixels + item * pixels;
    uint8_t *image = out[IMAGE];
    for (int64_t k = 0; k < pixels; k++) {
        image[k] = from[k];
    }
    switch (family) {
    case SLOW:
    case FAST:
    case PULSES:
        swell(o, &rng, family, out[SOUND], loudness);
        break;
    case CHIRPS:
        chirps(o, &rng, out[SOUND], loudness);
        break;
    case CLICKS:
        clicks(o, &rng, out[SOUND], loudness);
        break;
    case LOW:
        low_noise(o, &rng, out[SOUND], loudness);
        break;
    default:
        tone(o, &rng, family, out[SOUND], loudness);
        break;
    }
}

static int64_t classes(const void *self) {
    return ((const sounds *)self)->items.classes.count;
}

static int32_t label(const void *self, int64_t row) {
    const sounds *s = self;
    hiss_rng rng = hiss_generate_rng(&s->options->common, row);
    return s->items.label[item_of(s, &rng)];
}

static const char *class_name(const void *self, int64_t c) {
    return ((const sounds *)self)->items.classes.at[c].name;
}

static const char *items(const void *self) {
    return ((const sounds *)self)->items.hash;
}

const hiss_generator generate_sounds = {
    .name = "sounds",
    .summary = "items, each with a sound of the family that its class has",
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .options_bytes = sizeof(options),
    .create = create,
    .destroy = destroy,
    .fields = fields,
    .make = make,
    .classes = classes,
    .label = label,
    .class_name = class_name,
    .items = items,
};
