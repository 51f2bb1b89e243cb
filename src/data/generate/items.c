/* Items of generators: the images of a file, scaled to D x D by the triangle filter (as PIL and torchvision do, bilinear
 * where it enlarges), in integers: weights are exact, sums are rounded once. Every sixth item, by a permutation that depends
 * on their number alone, is for tests, the others are for training.
 *
 * Cost: memory for all items at D x D. */
#include "data/generate/items.h"

#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/file.h"
#include "hiss/generate.h"

enum { TEST_SHARE = 6, SPLIT = 2, PIECE_BYTES = 1 << 22 };

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
static hiss_status look(const char *path, hiss_h5 *file, hiss_h5_info *images, bool *labelled, hiss_error *err) {
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
        dim[2] < 1 || dim[1] > GENERATE_MOST_SIDE || dim[2] > GENERATE_MOST_SIDE) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: data set /images holds %s; expected grey images, uint8 [n,H,W] or [n,H,W,1], of at most "
                         "%d x %d",
                         path, hiss_h5_info_text(images, text), GENERATE_MOST_SIDE, GENERATE_MOST_SIDE);
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
static int64_t *list_items(int part, int64_t all, int64_t *count) {
    const int64_t tests = all / TEST_SHARE, first = part == HISS_GENERATE_TEST ? 0 : tests;
    const hiss_permutation order = hiss_permutation_keyed(0, HISS_FOR_GENERATION, SPLIT, 0, all);
    *count = part == HISS_GENERATE_TEST ? tests : all - tests;
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
static hiss_status read_labels(const char *path, generate_items *m, hiss_h5 *file, int64_t all, const int64_t *list,
                               hiss_error *err) {
    int64_t *value = hiss_new(int64_t, all);
    data_values *values = data_values_create(DATA_SIGNED, hiss_dataset_most_classes(all));
    data_names names = {0};
    hiss_status status = hiss_h5_read(file, "/labels", HISS_I64, 0, all, value, err);
    for (int64_t i = 0; i < all && !status; i++) {
        value[i] = data_values_number(values, value[i]);
        if (value[i] < 0) {
            status = hiss_fail(err, HISS_EUSER, "%s: data set /labels has more than %lld values; expected classes",
                               path, (long long)hiss_dataset_most_classes(all));
        }
    }
    if (!status) {
        int32_t *class_of = hiss_new(int32_t, data_values_count(values) + 1);
        read_names(file, &names);
        data_classes_of(values, &names, "-1", &m->classes, class_of);
        m->label = hiss_new(int32_t, m->count);
        for (int64_t i = 0; i < m->count; i++) {
            m->label[i] = class_of[value[list[i]]];
        }
        hiss_free(class_of);
    }
    data_names_free(&names);
    data_values_destroy(values);
    hiss_free(value);
    return status;
}

static hiss_status read_pixels(generate_items *m, hiss_h5 *file, const hiss_h5_info *images, const int64_t *list,
                               hiss_error *err) {
    const int64_t H = images->dim[1], W = images->dim[2], D = m->side;
    int64_t *place = hiss_new(int64_t, images->dim[0]); /* 1 + where an image of the file goes, or 0 */
    for (int64_t i = 0; i < m->count; i++) {
        place[list[i]] = 1 + i;
    }
    const int64_t most = PIECE_BYTES / (H * W) + 1;
    uint8_t *piece = hiss_alloc((size_t)(most * H * W));
    m->pixels = hiss_alloc((size_t)(m->count * D * D));
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

hiss_status generate_items_read(const char *path, int part, int64_t side, generate_items *m, hiss_error *err) {
    *m = (generate_items){.side = side};
    hiss_h5 *file = NULL;
    hiss_h5_info images;
    bool labelled = false;
    if (!path) {
        return hiss_fail_key(err, HISS_EUSER, "generate.items",
                             "is not set; name an HDF5 file of grey images, such as hiss prepare fashion-mnist writes");
    }
    hiss_status status = hiss_file_expect(path, "the file of items", "hiss prepare writes one", err);
    status = status ? status : hiss_h5_open(path, &file, err);
    status = status ? status : look(path, file, &images, &labelled, err);
    if (!status) {
        int64_t *list = list_items(part, images.dim[0], &m->count);
        status = read_pixels(m, file, &images, list, err);
        status = status || !labelled ? status : read_labels(path, m, file, images.dim[0], list, err);
        hiss_free(list);
    }
    hiss_h5_close(file, NULL);
    hiss_hash *hash = hiss_hash_begin();
    hiss_hash_add(hash, m->pixels, (size_t)(m->count * side * side));
    hiss_hash_add(hash, m->label, m->label ? sizeof *m->label * (size_t)m->count : 0);
    hiss_hash_end(hash, m->hash);
    return status ? hiss_error_under_key(err, status, "generate.items") : HISS_OK;
}

void generate_items_free(generate_items *m) {
    data_classes_free(&m->classes);
    hiss_free(m->label);
    hiss_free(m->pixels);
    *m = (generate_items){0};
}
