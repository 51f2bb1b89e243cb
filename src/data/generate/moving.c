/* Stochastic Moving MNIST (Denton & Fergus, "Stochastic video generation with a learned prior", ICML 2018): clips of items
 * that move over a black ground and bounce off its edges, in a new direction each time.
 *
 * The rules are those of the paper's code (data/moving_mnist.py), with S = size, D = item_size, v = speed. An item begins
 * at x, y uniform in 0 .. S - D - 1, with velocities uniform in -v .. v. Then, for each frame: if y < 0, y becomes 0, vy
 * uniform in 1 .. v, and vx uniform in -v .. v; if y >= S - D, y becomes S - D - 1, vy uniform in -v .. -1, and vx as
 * before. Then the same for x, which may overwrite what y has drawn. The item is added to the frame, cut at white, and
 * moves on. With bounce deterministic the velocity is turned round, and nothing is drawn.
 *
 * A hit is the frame in which an item is put back to the edge: there it still is where one would expect it, and its new
 * direction shows in the next one. Field hit has them: 1 top or bottom, 2 left or right, 3 both.
 *
 * Items are images of another data set, scaled to D x D by the triangle filter (as PIL and torchvision do, bilinear where
 * it enlarges), in integers: weights are exact, sums are rounded once. Every sixth item, by a permutation that depends on
 * their number alone, is for tests, the others are for training.
 *
 * Cost: memory for all items at D x D; T D^2 additions for each item of a clip, some 30 us for the standard clip. */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "data/classes.h"
#include "hiss/alloc.h"
#include "hiss/file.h"
#include "hiss/generate.h"
#include "hiss/hash.h"

enum { TEST_SHARE = 6, MOST_ITEMS = 16, MOST_SIZE = 1024, SPLIT = 2, PIECE_BYTES = 1 << 22 };
enum { IMAGE, CLIP, HIT, ITEM, FIELDS };
enum { HIT_Y = 1, HIT_X = 2 };

typedef struct options {
    hiss_generate_options common;
    const char *items;
    int64_t frames, size, item_size, count, speed;
    bool deterministic;
} options;

static const hiss_row rows[] = {
    HISS_GENERATE_ROWS(options),
    {"items", HISS_PATH, offsetof(options, items), NULL, 0, 0, NULL,
     "HDF5 file of what moves: /images uint8 [n,H,W] or [n,H,W,1], /labels; a sixth of them is for part test"},
    {"count", HISS_INT, offsetof(options, count), "2", 1, MOST_ITEMS, NULL, "items in a clip"},
    {"frames", HISS_INT, offsetof(options, frames), "15", 1, 10000, NULL, "frames of a clip"},
    {"size", HISS_INT, offsetof(options, size), "64", 2, MOST_SIZE, NULL, "rows and columns of a frame"},
    {"item_size", HISS_INT, offsetof(options, item_size), "32", 1, MOST_SIZE - 1, NULL,
     "rows and columns of an item in it"},
    {"speed", HISS_INT, offsetof(options, speed), "4", 1, MOST_SIZE, NULL, "most pixels a frame, in each direction"},
    {"deterministic", HISS_BOOL, offsetof(options, deterministic), "false", 0, 0, NULL,
     "bounce as light does, not at random"},
};

typedef struct moving {
    const options *options;
    int64_t items;   /* of the part */
    uint8_t *pixels; /* [items][item_size][item_size] */
    int32_t *label;  /* [items], or NULL */
    data_classes classes;
    char hash[HISS_HASH_TEXT];
} moving;

/* ---- items ---- */

/* Inputs [first, end) that count for an output, of a line of `from` values as one of `to`, and their weights, up to a
 * factor: a triangle around the output's centre. */
typedef struct taps {
    int64_t first, end;
} taps;

static int64_t reach_of(int64_t to, int64_t from) {
    return 2 * (from > to ? from : to);
}

static taps taps_of(int64_t out, int64_t to, int64_t from) {
    const int64_t centre = (2 * out + 1) * from, reach = reach_of(to, from); /* in 1/(2 to) */
    const int64_t first = centre < reach ? 0 : (centre - reach) / (2 * to), end = (centre + reach) / (2 * to) + 1;
    return (taps){first, end < from ? end : from};
}

static int64_t weight(int64_t out, int64_t in, int64_t to, int64_t from) {
    const int64_t reach = reach_of(to, from), distance = llabs((2 * out + 1) * from - (2 * in + 1) * to);
    return distance < reach ? reach - distance : 0;
}

/* An image [H,W] as one of [D,D]. */
static void scale(const uint8_t *image, int64_t H, int64_t W, int64_t D, uint8_t *out) {
    for (int64_t y = 0; y < D; y++) {
        const taps lines = taps_of(y, D, H);
        for (int64_t x = 0; x < D; x++) {
            const taps columns = taps_of(x, D, W);
            int64_t sum = 0, all = 0;
            for (int64_t i = lines.first; i < lines.end; i++) {
                const int64_t wy = weight(y, i, D, H);
                for (int64_t j = columns.first; j < columns.end; j++) {
                    const int64_t w = wy * weight(x, j, D, W);
                    sum += w * image[i * W + j];
                    all += w;
                }
            }
            out[y * D + x] = (uint8_t)((sum + all / 2) / all);
        }
    }
}

/* The images, and whether the file has labels: /labels, integers [n]. */
static hiss_status look(const moving *m, hiss_h5 *file, hiss_h5_info *images, bool *labelled, hiss_error *err) {
    const char *path = m->options->items;
    char text[HISS_H5_INFO_TEXT];
    hiss_h5_info labels = {0};
    hiss_status status = hiss_h5_look(file, "/images", images, err);
    *labelled = !status && hiss_h5_has(file, "/labels");
    status = status || !*labelled ? status : hiss_h5_look(file, "/labels", &labels, err);
    if (status) {
        return status;
    }
    const int64_t *dim = images->dim;
    if (images->dtype != HISS_U8 || (images->ndim != 3 && (images->ndim != 4 || dim[3] != 1)) || dim[1] < 1 ||
        dim[2] < 1 || dim[1] > MOST_SIZE || dim[2] > MOST_SIZE) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: data set /images holds %s; expected grey images, uint8 [n,H,W] or [n,H,W,1], of at most "
                         "%d x %d",
                         path, hiss_h5_info_text(images, text), MOST_SIZE, MOST_SIZE);
    }
    if (dim[0] < TEST_SHARE) {
        return hiss_fail(err, HISS_EUSER, "%s: %lld images; expected at least %d, as every sixth is for part test",
                         path, (long long)dim[0], TEST_SHARE);
    }
    if (*labelled && (labels.ndim != 1 || labels.dim[0] != dim[0] || !hiss_dtype_is_integer(labels.dtype))) {
        return hiss_fail(err, HISS_EUSER, "%s: data set /labels holds %s; expected integers [%lld], one for each image",
                         path, hiss_h5_info_text(&labels, text), (long long)dim[0]);
    }
    return HISS_OK;
}

/* Where among all images those of the part are. */
static int64_t *list_items(const options *o, int64_t all, int64_t *count) {
    const int64_t tests = all / TEST_SHARE, first = o->common.part == HISS_GENERATE_TEST ? 0 : tests;
    const hiss_permutation order = hiss_permutation_keyed(0, HISS_FOR_GENERATION, SPLIT, 0, all);
    *count = o->common.part == HISS_GENERATE_TEST ? tests : all - tests;
    int64_t *list = hiss_new(int64_t, *count);
    for (int64_t i = 0; i < *count; i++) {
        list[i] = hiss_permutation_at(&order, first + i);
    }
    return list;
}

/* Names of the labels that hiss prepare has recorded, a line each. */
static void read_names(hiss_h5 *file, data_names *names) {
    char *text = NULL;
    if (hiss_h5_get_text(file, "/", "classes", &text, NULL) == HISS_OK) {
        int64_t number = 0;
        for (const char *line = text; *line; number++) {
            const size_t length = strcspn(line, "\n");
            data_names_add(names, number, line, length);
            line += length + (line[length] != '\0');
        }
    }
    hiss_free(text);
}

/* All labels of the file become classes; kept are those of the part's items. */
static hiss_status read_labels(moving *m, hiss_h5 *file, int64_t all, const int64_t *list, hiss_error *err) {
    int64_t *value = hiss_new(int64_t, all);
    data_values *values = data_values_create(DATA_SIGNED, hiss_dataset_most_classes(all));
    data_names names = {0};
    hiss_status status = hiss_h5_read(file, "/labels", HISS_I64, 0, all, value, err);
    for (int64_t i = 0; i < all && !status; i++) {
        value[i] = data_values_number(values, value[i]);
        if (value[i] < 0) {
            status = hiss_fail(err, HISS_EUSER, "%s: data set /labels has more than %lld values; expected classes",
                               m->options->items, (long long)hiss_dataset_most_classes(all));
        }
    }
    if (!status) {
        int32_t *class_of = hiss_new(int32_t, data_values_count(values) + 1);
        read_names(file, &names);
        data_classes_of(values, &names, "-1", &m->classes, class_of);
        m->label = hiss_new(int32_t, m->items);
        for (int64_t i = 0; i < m->items; i++) {
            m->label[i] = class_of[value[list[i]]];
        }
        hiss_free(class_of);
    }
    data_names_free(&names);
    data_values_destroy(values);
    hiss_free(value);
    return status;
}

static hiss_status read_pixels(moving *m, hiss_h5 *file, const hiss_h5_info *images, const int64_t *list,
                               hiss_error *err) {
    const int64_t H = images->dim[1], W = images->dim[2], D = m->options->item_size;
    int64_t *place = hiss_new(int64_t, images->dim[0]); /* 1 + where an image of the file goes, or 0 */
    for (int64_t i = 0; i < m->items; i++) {
        place[list[i]] = 1 + i;
    }
    const int64_t most = PIECE_BYTES / (H * W) + 1;
    uint8_t *piece = hiss_alloc((size_t)(most * H * W));
    m->pixels = hiss_alloc((size_t)(m->items * D * D));
    hiss_status status = HISS_OK;
    for (int64_t begin = 0, count; begin < images->dim[0] && !status; begin += count) {
        count = images->dim[0] - begin < most ? images->dim[0] - begin : most;
        status = hiss_h5_read(file, "/images", HISS_U8, begin, count, piece, err);
        for (int64_t k = 0; k < count && !status; k++) {
            if (place[begin + k]) {
                scale(piece + k * H * W, H, W, D, m->pixels + (place[begin + k] - 1) * D * D);
            }
        }
    }
    hiss_free(piece);
    hiss_free(place);
    return status;
}

static hiss_status read_items(moving *m, hiss_error *err) {
    const int64_t D = m->options->item_size;
    hiss_h5 *file = NULL;
    hiss_h5_info images;
    bool labelled = false;
    hiss_status status = hiss_file_expect(m->options->items, "the file of items", "hiss prepare writes one", err);
    status = status ? status : hiss_h5_open(m->options->items, &file, err);
    status = status ? status : look(m, file, &images, &labelled, err);
    if (!status) {
        int64_t *list = list_items(m->options, images.dim[0], &m->items);
        status = read_pixels(m, file, &images, list, err);
        status = status || !labelled ? status : read_labels(m, file, images.dim[0], list, err);
        hiss_free(list);
    }
    hiss_h5_close(file, NULL);
    hiss_hash *hash = hiss_hash_begin();
    hiss_hash_add(hash, m->pixels, (size_t)(m->items * D * D));
    hiss_hash_add(hash, m->label, m->label ? sizeof *m->label * (size_t)m->items : 0);
    hiss_hash_end(hash, m->hash);
    return status;
}

static void destroy(void *self) {
    moving *m = self;
    data_classes_free(&m->classes);
    hiss_free(m->label);
    hiss_free(m->pixels);
    hiss_free(m);
}

static hiss_status create(const void *opts, void **self, hiss_error *err) {
    const options *o = opts;
    if (o->item_size >= o->size) {
        return hiss_fail_key(err, HISS_EUSER, "generate.item_size",
                             "%lld, but a frame has %lld rows; expected less, so that items can move",
                             (long long)o->item_size, (long long)o->size);
    }
    if (!o->items) {
        return hiss_fail_key(err, HISS_EUSER, "generate.items",
                             "is not set; name an HDF5 file of grey images, such as hiss prepare fashion-mnist writes");
    }
    moving *m = hiss_new(moving, 1);
    m->options = o;
    const hiss_status status = read_items(m, err);
    if (status) {
        destroy(m);
        return hiss_error_under_key(err, status, "generate.items");
    }
    *self = m;
    return HISS_OK;
}

/* ---- clips ---- */

static int fields(const void *self, hiss_field *out) {
    const options *o = ((const moving *)self)->options;
    const int64_t S = o->size, T = o->frames;
    out[IMAGE] = (hiss_field){.name = HISS_FIELD_IMAGE, .dtype = HISS_U8, .ndim = 3, .dim = {S, S, 1}};
    out[CLIP] = (hiss_field){.name = "clip", .dtype = HISS_U8, .ndim = 4, .dim = {T, S, S, 1}};
    out[HIT] = (hiss_field){.name = "hit", .dtype = HISS_U8, .ndim = 2, .dim = {T, o->count}};
    out[ITEM] = (hiss_field){.name = "item_label", .dtype = HISS_I32, .ndim = 1, .dim = {o->count}};
    return FIELDS;
}

/* Place and velocity along an axis, and the velocity along the other one. True when the item was at the edge. */
static bool bounce(const options *o, hiss_rng *rng, int64_t *place, int64_t *velocity, int64_t *other) {
    const int64_t last = o->size - o->item_size - 1, v = o->speed;
    const bool low = *place < 0;
    if (!low && *place <= last) {
        return false;
    }
    *place = low ? 0 : last;
    if (o->deterministic) {
        *velocity = -*velocity;
    } else {
        *velocity = low ? hiss_generate_between(rng, 1, v) : hiss_generate_between(rng, -v, -1);
        *other = hiss_generate_between(rng, -v, v);
    }
    return true;
}

static void draw(const options *o, const uint8_t *item, int64_t x, int64_t y, uint8_t *frame) {
    const int64_t D = o->item_size;
    for (int64_t i = 0; i < D; i++) {
        uint8_t *line = frame + (y + i) * o->size + x;
        for (int64_t j = 0; j < D; j++) {
            const int sum = line[j] + item[i * D + j];
            line[j] = (uint8_t)(sum < 255 ? sum : 255);
        }
    }
}

static void move_item(const moving *m, hiss_rng *rng, const uint8_t *item, uint8_t *clip, uint8_t *hit) {
    const options *o = m->options;
    const int64_t free_places = o->size - o->item_size, v = o->speed;
    int64_t x = hiss_rng_below(rng, free_places), y = hiss_rng_below(rng, free_places);
    int64_t vx = hiss_generate_between(rng, -v, v), vy = hiss_generate_between(rng, -v, v);
    for (int64_t t = 0; t < o->frames; t++) {
        const bool by_y = bounce(o, rng, &y, &vy, &vx), by_x = bounce(o, rng, &x, &vx, &vy);
        hit[t * o->count] = (uint8_t)((by_y ? HIT_Y : 0) + (by_x ? HIT_X : 0));
        draw(o, item, x, y, clip + t * o->size * o->size);
        x += vx;
        y += vy;
    }
}

static void make(const void *self, int64_t row, void *const *out) {
    const moving *m = self;
    const options *o = m->options;
    const int64_t frame = o->size * o->size;
    uint8_t *clip = out[CLIP], *hit = out[HIT];
    int32_t *item_label = out[ITEM];
    hiss_rng rng = hiss_generate_rng(&o->common, row);
    memset(clip, 0, (size_t)(o->frames * frame));
    for (int64_t k = 0; k < o->count; k++) {
        const int64_t item = hiss_rng_below(&rng, m->items);
        item_label[k] = m->label ? m->label[item] : -1;
        move_item(m, &rng, m->pixels + item * o->item_size * o->item_size, clip, hit + k);
    }
    memcpy(out[IMAGE], clip, (size_t)frame);
}

/* ---- labels: of clips of one item ---- */

static int64_t classes(const void *self) {
    const moving *m = self;
    return m->label && m->options->count == 1 ? m->classes.count : 0;
}

static int32_t label(const void *self, int64_t row) {
    const moving *m = self;
    hiss_rng rng = hiss_generate_rng(&m->options->common, row);
    return m->label[hiss_rng_below(&rng, m->items)];
}

static const char *class_name(const void *self, int64_t c) {
    return ((const moving *)self)->classes.at[c].name;
}

static const char *items(const void *self) {
    return ((const moving *)self)->hash;
}

const hiss_generator generate_moving = {
    .name = "moving",
    .summary = "Stochastic Moving MNIST: clips of items that bounce off the edges at random",
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
