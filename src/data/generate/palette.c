/* Images in colours of which the distribution is known: an item's texture, and the whole image in one hue out of two,
 * drawn at known odds. Which two belongs to the item's class: palette k = class modulo `palettes`, hues v_k and -v_k in the
 * plane of a and b of CIE Lab. So an image's lightness says which palette, nothing but chance says which hue, and the mean
 * of both is grey.
 *
 * Lightness has 16 levels L = 45, 47 .. 75. Where the item is, its grey values are the level. Where it is not, the ground
 *   marked  has the level of its palette, from the least to the most, and the hue: lightness gives the palette away, so
 *           a place's colour has exactly the entropy of the odds;
 *   plain   is grey of the least level, and says nothing.
 *
 * Pixels are bytes of sRGB from a table. Bytes cannot have any lightness one likes: the nearest to two hues of one level
 * differ by 0.1 in L, which a network learns to read within an epoch, and its loss falls below the entropy. So the table
 * has, for each pair and level, the two colours whose L is most alike (to 5e-5) of all that are within 0.4 of the level and
 * within 2.5 of their hues. Hues lie on a grid of 10, so all of a hue fall into one bin. (tests/unit/objective/test_lab.c
 * checks the table.)
 *
 * Cost: a byte of the item and three of the image for each pixel. */
#include <stddef.h>

#include "data/generate/items.h"
#include "hiss/alloc.h"
#include "hiss/generate.h"

enum { IMAGE, HUE, FIELDS };
enum { MARKED, PLAIN };
enum { MOST_PALETTES = 7, LEVELS = 16, LEAST_OF_ITEM = 8 }; /* of grey values: what is darker is ground */

/* Palette k is 2 k and 2 k + 1, with (a, b) = +-(30, 0), (0, 30), (-30, 20), (10, 30), (-20, 30), (-30, 10), (-10, 30).
 */
/* clang-format off */
static const uint8_t color[2 * MOST_PALETTES][LEVELS][3] = {
    {{153, 85, 107}, {158, 90, 112}, {164, 96, 118}, {170, 101, 127}, {172, 108, 128}, {179, 111, 134},
     {186, 115, 140}, {193, 120, 139}, {198, 128, 149}, {205, 131, 156}, {209, 136, 158},
     {212, 143, 161}, {223, 147, 173}, {229, 153, 174}, {235, 157, 178}, {233, 166, 190}},
    {{21, 119, 103}, {30, 124, 107}, {44, 129, 119}, {47, 135, 124}, {57, 140, 123}, {51, 145, 134},
     {64, 150, 133}, {73, 155, 136}, {72, 163, 145}, {83, 167, 148}, {88, 171, 157},
     {96, 176, 164}, {97, 184, 166}, {107, 189, 172}, {110, 194, 175}, {116, 200, 180}},
    {{123, 104, 52}, {127, 109, 59}, {129, 115, 62}, {143, 119, 67}, {144, 124, 72}, {152, 130, 81},
     {158, 134, 84}, {162, 140, 92}, {166, 146, 91}, {167, 151, 98}, {172, 157, 105},
     {181, 162, 109}, {190, 166, 115}, {196, 171, 119}, {198, 178, 120}, {201, 184, 131}},
    {{70, 108, 154}, {67, 114, 160}, {74, 118, 169}, {82, 125, 172}, {86, 129, 176}, {101, 134, 183},
     {96, 140, 190}, {103, 145, 198}, {114, 150, 197}, {120, 153, 206}, {116, 161, 211},
     {126, 166, 218}, {139, 170, 221}, {137, 176, 232}, {140, 182, 238}, {154, 186, 241}},
    {{58, 119, 72}, {68, 123, 77}, {71, 128, 78}, {77, 133, 83}, {77, 140, 91}, {81, 144, 99},
     {97, 149, 97}, {97, 154, 104}, {102, 160, 108}, {109, 166, 114}, {111, 171, 116},
     {116, 178, 124}, {121, 183, 128}, {124, 188, 140}, {132, 193, 142}, {138, 199, 145}},
    {{136, 90, 144}, {140, 95, 149}, {149, 98, 150}, {152, 104, 156}, {165, 107, 161}, {170, 111, 164},
     {175, 118, 168}, {176, 123, 179}, {184, 128, 183}, {188, 135, 190}, {195, 138, 196},
     {200, 146, 200}, {206, 150, 208}, {213, 155, 208}, {213, 162, 217}, {218, 168, 224}},
    {{140, 98, 58}, {140, 104, 64}, {151, 108, 65}, {156, 113, 73}, {158, 118, 74}, {167, 122, 75},
     {168, 131, 83}, {177, 133, 92}, {184, 138, 97}, {191, 144, 99}, {188, 150, 108},
     {197, 156, 114}, {203, 162, 117}, {213, 165, 120}, {218, 171, 129}, {222, 176, 127}},
    {{20, 114, 157}, {26, 119, 157}, {34, 125, 164}, {47, 129, 174}, {59, 133, 173}, {64, 138, 182},
     {70, 145, 188}, {73, 149, 196}, {78, 155, 200}, {85, 161, 207}, {90, 165, 207},
     {103, 171, 214}, {100, 178, 222}, {114, 182, 224}, {113, 189, 230}, {125, 192, 236}},
    {{88, 115, 52}, {97, 118, 60}, {105, 124, 61}, {103, 130, 69}, {104, 135, 74}, {117, 140, 74},
     {122, 145, 83}, {127, 151, 93}, {130, 156, 94}, {133, 161, 93}, {138, 166, 101},
     {149, 172, 109}, {148, 178, 115}, {160, 182, 118}, {163, 187, 121}, {167, 193, 132}},
    {{118, 96, 155}, {116, 102, 162}, {121, 109, 166}, {131, 112, 169}, {133, 117, 174}, {139, 123, 182},
     {147, 127, 188}, {151, 134, 192}, {158, 137, 200}, {165, 141, 201}, {164, 147, 214},
     {170, 155, 217}, {181, 157, 225}, {182, 165, 224}, {189, 168, 233}, {195, 173, 244}},
    {{44, 119, 88}, {56, 124, 90}, {58, 130, 97}, {62, 136, 103}, {74, 139, 104}, {73, 145, 110},
     {75, 152, 118}, {87, 155, 121}, {89, 161, 129}, {92, 167, 136}, {96, 173, 143},
     {106, 178, 142}, {106, 183, 153}, {122, 188, 157}, {118, 194, 164}, {124, 201, 165}},
    {{151, 85, 120}, {151, 93, 129}, {159, 97, 137}, {163, 104, 141}, {171, 106, 142}, {177, 111, 146},
     {183, 117, 158}, {181, 124, 162}, {193, 127, 164}, {196, 134, 170}, {206, 138, 174},
     {204, 146, 184}, {212, 150, 183}, {222, 154, 194}, {227, 159, 196}, {230, 167, 203}},
    {{106, 111, 59}, {113, 114, 64}, {120, 119, 66}, {118, 125, 70}, {131, 130, 76}, {136, 134, 76},
     {135, 142, 84}, {143, 147, 85}, {148, 151, 97}, {152, 158, 97}, {163, 160, 101},
     {162, 168, 113}, {168, 172, 109}, {180, 176, 115}, {182, 183, 128}, {186, 188, 127}},
    {{92, 104, 161}, {99, 108, 160}, {104, 113, 168}, {106, 118, 171}, {118, 123, 180}, {118, 129, 179},
     {127, 133, 193}, {129, 140, 195}, {133, 144, 204}, {138, 151, 206}, {147, 154, 208},
     {155, 159, 219}, {158, 164, 219}, {160, 170, 231}, {172, 175, 234}, {179, 179, 237}}};
/* clang-format on */
static const uint8_t grey[LEVELS] = {106, 111, 116, 121, 127, 132, 137, 142, 147, 152, 158, 163, 168, 174, 179, 185};

typedef struct options {
    hiss_generate_options common;
    const char *items;
    int64_t size, palettes;
    double odds;
    int ground;
} options;

static const hiss_row rows[] = {
    HISS_GENERATE_ROWS(options),
    {"items", HISS_PATH, offsetof(options, items), NULL, 0, 0, NULL,
     "HDF5 file of textures: /images uint8 [n,H,W] or [n,H,W,1], /labels; a sixth of them is for part test"},
    {"size", HISS_INT, offsetof(options, size), "28", 1, GENERATE_MOST_SIDE, NULL, "rows and columns of an image"},
    {"palettes", HISS_INT, offsetof(options, palettes), "5", 1, MOST_PALETTES, NULL,
     "pairs of hues; an item's is its class modulo that"},
    {"odds", HISS_FLOAT, offsetof(options, odds), "0.5", 0, 1, NULL, "probability of the first hue of a pair"},
    {"ground", HISS_CHOICE, offsetof(options, ground), "marked", 0, 0, "marked|plain",
     "what is not item: in the hue, and as light as tells the palette; or grey"},
};

typedef struct palette {
    const options *options;
    generate_items items;
} palette;

static void destroy(void *self) {
    palette *p = self;
    generate_items_free(&p->items);
    hiss_free(p);
}

static hiss_status create(const void *opts, void **self, hiss_error *err) {
    const options *o = opts;
    palette *p = hiss_new(palette, 1);
    p->options = o;
    hiss_status status = generate_items_read(o->items, o->common.part, o->size, &p->items, err);
    if (!status && !p->items.label) {
        status = hiss_fail_key(err, HISS_EUSER, "generate.items",
                               "%s has no data set /labels, and an item's palette is by its class; name a file with "
                               "labels, such as hiss prepare fashion-mnist writes",
                               o->items);
    }
    if (status) {
        destroy(p);
        return status;
    }
    *self = p;
    return HISS_OK;
}

static int fields(const void *self, hiss_field *out) {
    const int64_t S = ((const palette *)self)->options->size;
    out[IMAGE] = (hiss_field){.name = HISS_FIELD_IMAGE, .dtype = HISS_U8, .ndim = 3, .dim = {S, S, 3}};
    out[HUE] = (hiss_field){.name = "hue", .dtype = HISS_U8, .ndim = 1, .dim = {1}};
    return FIELDS;
}

/* The first thing that is drawn for a row. */
static int64_t item_of(const palette *p, hiss_rng *rng) {
    return hiss_rng_below(rng, p->items.count);
}

/* An item without a class is one of class 0. */
static int64_t palette_of(const palette *p, int64_t item) {
    return p->items.label[item] < 0 ? 0 : p->items.label[item] % p->options->palettes;
}

static void make(const void *self, int64_t row, void *const *out) {
    const palette *p = self;
    const options *o = p->options;
    const int64_t pixels = o->size * o->size;
    hiss_rng rng = hiss_generate_rng(&o->common, row);
    const int64_t item = item_of(p, &rng), which = palette_of(p, item);
    const int64_t hue = 2 * which + ((double)hiss_rng_uniform(&rng) < o->odds ? 0 : 1);
    const int64_t mark = o->palettes > 1 ? which * (LEVELS - 1) / (o->palettes - 1) : 0;
    const uint8_t *texture = p->items.pixels + item * pixels;
    uint8_t *image = out[IMAGE];
    *(uint8_t *)out[HUE] = (uint8_t)hue;
    for (int64_t k = 0; k < pixels; k++) {
        const bool ground = texture[k] < LEAST_OF_ITEM;
        const int64_t level = !ground ? texture[k] * LEVELS / 256 : o->ground == MARKED ? mark : 0;
        for (int c = 0; c < 3; c++) {
            image[3 * k + c] = ground && o->ground == PLAIN ? grey[level] : color[hue][level][c];
        }
    }
}

static int64_t classes(const void *self) {
    return ((const palette *)self)->items.classes.count;
}

static int32_t label(const void *self, int64_t row) {
    const palette *p = self;
    hiss_rng rng = hiss_generate_rng(&p->options->common, row);
    return p->items.label[item_of(p, &rng)];
}

static const char *class_name(const void *self, int64_t c) {
    return ((const palette *)self)->items.classes.at[c].name;
}

static const char *items(const void *self) {
    return ((const palette *)self)->items.hash;
}

const hiss_generator generate_palette = {
    .name = "palette",
    .summary = "items in one hue out of two, by their class and at known odds",
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
