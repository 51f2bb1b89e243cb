/* Who computes which product: the candidates in order of preference, the rule on shapes, the table that ships with the
 * program (kernel_choices.h) and tables that users measure. The first row that names a candidate able to compute the
 * shape counts; without one, the first candidate whose rule applies. The choice is a function of table and shape, so
 * speed at run time never affects the bits.
 *
 * Cost: a walk over the rows, once per product of a graph (hiss_kernels_for). */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "tensor/kern_impl.h"

/* ---- candidates ---- */

typedef void (*any_function)(void);

typedef struct candidate {
    const char *name;
    bool (*can)(const hiss_conv *shape);
    bool (*applies)(const hiss_conv *shape); /* implies can */
    any_function function;
    hiss_precision precision;
} candidate;

static bool always(const hiss_conv *shape) {
    (void)shape;
    return true;
}

#define FLOAT32(f) (any_function)(f), HISS_FLOAT32
#define BF16(f)    (any_function)(f), HISS_BF16
static const candidate candidates[HISS_PRODUCTS][HISS_MAX_IMPLEMENTATIONS + 1] = {
    [HISS_CONV2D_FORWARD] =
        {
            {"winograd", tensor_winograd_applies, tensor_winograd_applies, FLOAT32(tensor_winograd_conv2d_forward)},
            {"planar", tensor_planar_applies, tensor_planar_applies, FLOAT32(tensor_planar_conv2d_forward)},
            {"direct", tensor_direct_can, tensor_direct_applies_to_forward, FLOAT32(tensor_direct_conv2d_forward)},
            {"mirror", tensor_mirror_can, tensor_mirror_applies, FLOAT32(tensor_mirror_conv2d_forward)},
            {"tiled", tensor_tiled_can_own, tensor_tiled_can_own, FLOAT32(tensor_tiled_conv2d_forward)},
            {"tiled-blas", always, always, FLOAT32(tensor_tiled_conv2d_forward_blas)},
            {"bf16-winograd", tensor_bf16_winograd_applies, tensor_bf16_winograd_applies,
             BF16(tensor_bf16_winograd_conv2d_forward)},
            {"bf16-tiled", always, always, BF16(tensor_bf16_tiled_conv2d_forward)},
        },
    [HISS_CONV2D_BACKWARD_DATA] =
        {
            {"winograd", tensor_winograd_applies, tensor_winograd_applies,
             FLOAT32(tensor_winograd_conv2d_backward_data)},
            {"direct", tensor_direct_can, tensor_direct_applies_to_data, FLOAT32(tensor_direct_conv2d_backward_data)},
            {"mirror", tensor_mirror_can, tensor_mirror_applies, FLOAT32(tensor_mirror_conv2d_backward_data)},
            {"tiled", tensor_tiled_can_own_backward, tensor_tiled_own_backward_applies,
             FLOAT32(tensor_tiled_conv2d_backward_data)},
            {"tiled-blas", always, always, FLOAT32(tensor_tiled_conv2d_backward_data_blas)},
            {"bf16-winograd", tensor_bf16_winograd_applies, tensor_bf16_winograd_applies,
             BF16(tensor_bf16_winograd_conv2d_backward_data)},
            {"bf16-tiled", always, always, BF16(tensor_bf16_tiled_conv2d_backward_data)},
        },
    [HISS_CONV2D_BACKWARD_WEIGHT] =
        {
            {"winograd", tensor_winograd_applies, tensor_winograd_applies,
             FLOAT32(tensor_winograd_conv2d_backward_weight)},
            {"direct", tensor_direct_can, tensor_direct_applies_to_weight,
             FLOAT32(tensor_direct_conv2d_backward_weight)},
            {"mirror", tensor_mirror_can, tensor_mirror_applies, FLOAT32(tensor_mirror_conv2d_backward_weight)},
            {"tiled", tensor_tiled_can_own_backward, tensor_tiled_own_backward_applies,
             FLOAT32(tensor_tiled_conv2d_backward_weight)},
            {"tiled-blas", always, always, FLOAT32(tensor_tiled_conv2d_backward_weight_blas)},
            {"bf16-winograd", tensor_bf16_winograd_applies, tensor_bf16_winograd_applies,
             BF16(tensor_bf16_winograd_conv2d_backward_weight)},
            {"bf16-tiled", always, always, BF16(tensor_bf16_tiled_conv2d_backward_weight)},
        },
    [HISS_LINEAR_FORWARD] =
        {
            {"own", tensor_linear_can_own, tensor_linear_own_applies, FLOAT32(tensor_linear_forward_own)},
            {"blas", always, always, FLOAT32(tensor_linear_forward_blas)},
            {"bf16", always, always, BF16(tensor_bf16_linear_forward)},
        },
    [HISS_LINEAR_BACKWARD_DATA] =
        {
            {"own", tensor_linear_can_own, tensor_linear_own_applies, FLOAT32(tensor_linear_backward_data_own)},
            {"blas", always, always, FLOAT32(tensor_linear_backward_data_blas)},
            {"bf16", always, always, BF16(tensor_bf16_linear_backward_data)},
        },
    [HISS_LINEAR_BACKWARD_WEIGHT] =
        {
            {"own", tensor_linear_can_own, tensor_linear_own_applies, FLOAT32(tensor_linear_backward_weight_own)},
            {"blas", always, always, FLOAT32(tensor_linear_backward_weight_blas)},
            {"bf16", always, always, BF16(tensor_bf16_linear_backward_weight)},
        },
};
#undef FLOAT32
#undef BF16

static const char *const product_names[HISS_PRODUCTS] = {
    [HISS_CONV2D_FORWARD] = "conv2d_forward",
    [HISS_CONV2D_BACKWARD_DATA] = "conv2d_backward_data",
    [HISS_CONV2D_BACKWARD_WEIGHT] = "conv2d_backward_weight",
    [HISS_LINEAR_FORWARD] = "linear_forward",
    [HISS_LINEAR_BACKWARD_DATA] = "linear_backward_data",
    [HISS_LINEAR_BACKWARD_WEIGHT] = "linear_backward_weight",
};

const char *hiss_product_name(hiss_product product) {
    return product_names[product];
}

const char *hiss_implementation_name(hiss_product product, int i) {
    return candidates[product][i].name;
}

static bool is_linear(hiss_product product) {
    return product >= HISS_LINEAR_FORWARD;
}

/* What a product of this shape is multiplied in. */
static hiss_precision precision_of(const hiss_kernels *kernels, hiss_product product, const hiss_conv *shape) {
    return kernels->precision == HISS_BF16 && (is_linear(product) || tensor_bf16_applies(shape)) ? HISS_BF16
                                                                                                 : HISS_FLOAT32;
}

static bool can(const candidate *c, hiss_precision precision, const hiss_conv *shape) {
    return c->precision == precision && c->can(shape);
}

bool hiss_implementation_can(const hiss_kernels *kernels, hiss_product product, int i, const hiss_conv *shape) {
    return can(&candidates[product][i], precision_of(kernels, product, shape), shape);
}

static int candidate_named(hiss_product product, const char *name) {
    for (int i = 0; candidates[product][i].name; i++) {
        if (strcmp(candidates[product][i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

/* ---- tables ---- */

enum { FIELDS = 9, LINEAR_FIELDS = 3, ANY = -1, MAX_LINE = 512 };
static const int linear_field[LINEAR_FIELDS] = {0, 3, 4}; /* M, D, F among N H W C F R S stride pad */

typedef struct table_row {
    int64_t field[FIELDS];
    hiss_product product;
    int candidate;
} table_row;

struct hiss_kernel_table {
    table_row *rows;
    int count;
};

static void fields_of(const hiss_conv *c, int64_t field[FIELDS]) {
    const int64_t values[FIELDS] = {c->N, c->H, c->W, c->C, c->F, c->R, c->S, c->stride, c->pad};
    memcpy(field, values, sizeof values);
}

void hiss_kernel_table_row(hiss_product product, const hiss_conv *shape, int i, char text[HISS_KERNEL_ROW]) {
    int64_t field[FIELDS];
    fields_of(shape, field);
    int used = snprintf(text, HISS_KERNEL_ROW, "%s", product_names[product]);
    for (int k = 0; k < (is_linear(product) ? LINEAR_FIELDS : FIELDS); k++) {
        used += snprintf(text + used, HISS_KERNEL_ROW - (size_t)used, " %" PRId64,
                         field[is_linear(product) ? linear_field[k] : k]);
    }
    snprintf(text + used, HISS_KERNEL_ROW - (size_t)used, " %s\n", candidates[product][i].name);
}

static const char *parse_number(const char *word, int64_t *value) {
    char *end = NULL;
    if (strcmp(word, "*") == 0) {
        *value = ANY;
        return NULL;
    }
    errno = 0;
    const long long number = strtoll(word, &end, 10);
    *value = number;
    return *end || errno || number < 0 || !isdigit((unsigned char)*word) ? word : NULL;
}

/* One row; false with the reason in err. Empty lines and remarks leave row->candidate at -1. */
static hiss_status parse_row(char *line, const char *path, int number, table_row *row, hiss_error *err) {
    char *rest = NULL;
    line[strcspn(line, "#\n")] = 0;
    *row = (table_row){.candidate = -1};
    const char *word = strtok_r(line, " \t\r", &rest);
    if (!word) {
        return HISS_OK;
    }
    int product = 0;
    while (product < HISS_PRODUCTS && strcmp(product_names[product], word) != 0) {
        product++;
    }
    if (product == HISS_PRODUCTS) {
        return hiss_fail(err, HISS_EUSER,
                         "%s:%d: unknown product '%.64s'; expected conv2d_ or linear_ with forward, backward_data or "
                         "backward_weight",
                         path, number, word);
    }
    row->product = (hiss_product)product;
    for (int k = 0; k < FIELDS; k++) {
        row->field[k] = ANY;
    }
    const bool linear = is_linear(row->product);
    const int fields = linear ? LINEAR_FIELDS : FIELDS;
    for (int k = 0; k < fields; k++) {
        word = strtok_r(NULL, " \t\r", &rest);
        if (!word || parse_number(word, &row->field[linear ? linear_field[k] : k])) {
            return hiss_fail(err, HISS_EUSER,
                             "%s:%d: expected %d numbers or * (%s) after %s, found '%.64s'; hiss bench kernels --save "
                             "writes such tables",
                             path, number, fields, linear ? "M D F" : "N H W C F R S stride pad",
                             product_names[product], word ? word : "");
        }
    }
    word = strtok_r(NULL, " \t\r", &rest);
    row->candidate = word ? candidate_named(row->product, word) : -1;
    if (row->candidate < 0 || strtok_r(NULL, " \t\r", &rest)) {
        char names[MAX_LINE] = "";
        for (int i = 0; candidates[product][i].name; i++) {
            const size_t used = strlen(names);
            snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", candidates[product][i].name);
        }
        return hiss_fail(err, HISS_EUSER, "%s:%d: expected one implementation of %s (%s) at the end, found '%.64s'",
                         path, number, product_names[product], names, word ? word : "");
    }
    return HISS_OK;
}

hiss_status hiss_kernel_table_read(const char *path, hiss_kernel_table **out, hiss_error *err) {
    char line[MAX_LINE];
    *out = NULL;
    FILE *in = fopen(path, "r");
    if (!in) {
        return hiss_fail(err, HISS_EUSER, "%s cannot be read: %s; hiss bench kernels CONFIG --save writes such a file",
                         path, strerror(errno));
    }
    hiss_kernel_table *t = hiss_new(hiss_kernel_table, 1);
    int lines = 0;
    while (fgets(line, sizeof line, in)) {
        lines++;
    }
    rewind(in);
    t->rows = hiss_new(table_row, lines);
    hiss_status s = HISS_OK;
    for (int number = 1; s == HISS_OK && fgets(line, sizeof line, in); number++) {
        s = parse_row(line, path, number, &t->rows[t->count], err);
        t->count += t->rows[t->count].candidate >= 0;
    }
    fclose(in);
    if (s == HISS_OK) {
        *out = t;
    } else {
        hiss_kernel_table_destroy(t);
    }
    return s;
}

void hiss_kernel_table_destroy(hiss_kernel_table *table) {
    if (table) {
        hiss_free(table->rows);
        hiss_free(table);
    }
}

/* ---- the table that ships ---- */

typedef struct shipped_row {
    hiss_product product;
    int64_t field[FIELDS];
    const char *candidate;
} shipped_row;

#define CONV2D(product, N, H, W, C, F, R, S, stride, pad, name)                                                        \
    {HISS_CONV2D_##product, {N, H, W, C, F, R, S, stride, pad}, name},
#define LINEAR(product, M, D, F, name) {HISS_LINEAR_##product, {M, ANY, ANY, D, F, ANY, ANY, ANY, ANY}, name},
static const shipped_row shipped[] = {
#include "tensor/kernel_choices.h"
    {HISS_PRODUCTS, {0}, ""}, /* matches nothing: other processors may have no rows */
};
#undef CONV2D
#undef LINEAR

/* ---- the choice ---- */

static bool matches(const int64_t pattern[FIELDS], const int64_t field[FIELDS]) {
    for (int k = 0; k < FIELDS; k++) {
        if (pattern[k] != ANY && pattern[k] != field[k]) {
            return false;
        }
    }
    return true;
}

static int choose(const hiss_kernel_table *table, hiss_precision precision, hiss_product product,
                  const hiss_conv *shape) {
    const candidate *of = candidates[product];
    int64_t field[FIELDS];
    fields_of(shape, field);
    for (int r = 0; table && r < table->count; r++) {
        const table_row *row = &table->rows[r];
        if (row->product == product && matches(row->field, field) && can(&of[row->candidate], precision, shape)) {
            return row->candidate;
        }
    }
    for (size_t r = 0; !table && r < sizeof shipped / sizeof shipped[0]; r++) {
        if (shipped[r].product == product && matches(shipped[r].field, field)) {
            const int i = candidate_named(product, shipped[r].candidate);
            assert(i >= 0);
            if (can(&of[i], precision, shape)) {
                return i;
            }
        }
    }
    int i = 0;
    while (of[i].precision != precision || !of[i].applies(shape)) { /* the last one of each applies to all */
        i++;
    }
    return i;
}

static bool has_choice(const hiss_kernels *kernels) {
    return kernels->gemm == tensor_fast_gemm;
}

int hiss_kernels_choice(const hiss_kernels *kernels, hiss_product product, const hiss_conv *shape) {
    return has_choice(kernels) ? choose(kernels->table, precision_of(kernels, product, shape), product, shape) : -1;
}

typedef void (*conv2d_forward)(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                               float *scratch);
typedef void (*conv2d_backward)(const hiss_conv *c, const float *in, const float *other, float *out, bool accumulate,
                                float *scratch);
typedef void (*linear_forward)(int64_t M, int64_t D, int64_t F, const float *x, const float *w, const float *bias,
                               float *y, float *scratch);
typedef void (*linear_backward)(int64_t M, int64_t D, int64_t F, const float *in, const float *other, float *out,
                                bool accumulate, float *scratch);

hiss_kernels hiss_kernels_with(const hiss_kernels *kernels, hiss_product product, int i) {
    hiss_kernels k = *kernels;
    if (has_choice(kernels)) {
        const any_function f = candidates[product][i].function;
        switch (product) {
        case HISS_CONV2D_FORWARD:
            k.conv2d_forward = (conv2d_forward)f;
            break;
        case HISS_CONV2D_BACKWARD_DATA:
            k.conv2d_backward_data = (conv2d_backward)f;
            break;
        case HISS_CONV2D_BACKWARD_WEIGHT:
            k.conv2d_backward_weight = (conv2d_backward)f;
            break;
        case HISS_LINEAR_FORWARD:
            k.linear_forward = (linear_forward)f;
            break;
        case HISS_LINEAR_BACKWARD_DATA:
            k.linear_backward_data = (linear_backward)f;
            break;
        default:
            k.linear_backward_weight = (linear_backward)f;
            break;
        }
    }
    return k;
}

/* Implementations that can pool what they compute. */
static void choose_pooled(hiss_kernels *k, const hiss_conv *shape) {
    if (!tensor_pool_can(shape->F) || shape->F % 16 != 0 || shape->P * shape->Q > INT32_MAX) {
        return;
    }
    if (k->conv2d_forward == tensor_winograd_conv2d_forward) {
        k->conv2d_pooled_forward = tensor_winograd_conv2d_pooled_forward;
    } else if (k->conv2d_forward == tensor_bf16_winograd_conv2d_forward) {
        k->conv2d_pooled_forward = tensor_bf16_winograd_conv2d_pooled_forward;
    } else if (k->conv2d_forward == tensor_direct_conv2d_forward) {
        k->conv2d_pooled_forward = tensor_direct_conv2d_pooled_forward;
    }
    if (k->conv2d_backward_data == tensor_winograd_conv2d_backward_data) {
        k->conv2d_pooled_backward_data = tensor_winograd_conv2d_pooled_backward_data;
    } else if (k->conv2d_backward_data == tensor_bf16_winograd_conv2d_backward_data) {
        k->conv2d_pooled_backward_data = tensor_bf16_winograd_conv2d_pooled_backward_data;
    }
    if (k->conv2d_backward_weight == tensor_winograd_conv2d_backward_weight) {
        k->conv2d_pooled_backward_weight = tensor_winograd_conv2d_pooled_backward_weight;
    } else if (k->conv2d_backward_weight == tensor_bf16_winograd_conv2d_backward_weight) {
        k->conv2d_pooled_backward_weight = tensor_bf16_winograd_conv2d_pooled_backward_weight;
    } else if (k->conv2d_backward_weight == tensor_direct_conv2d_backward_weight) {
        k->conv2d_pooled_backward_weight = tensor_direct_conv2d_pooled_backward_weight;
    }
}

hiss_kernels hiss_kernels_for(const hiss_kernels *kernels, bool linear, const hiss_conv *shape) {
    hiss_kernels k = *kernels;
    const int first = linear ? HISS_LINEAR_FORWARD : HISS_CONV2D_FORWARD;
    for (int p = first; p < first + 3; p++) {
        const hiss_product product = (hiss_product)p;
        k = hiss_kernels_with(&k, product, hiss_kernels_choice(kernels, product, shape));
    }
    if (!linear) {
        choose_pooled(&k, shape);
    }
    return k;
}

/* ---- the members of the blas table: they choose in every call ---- */

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

size_t tensor_fast_conv2d_scratch(const hiss_conv *c) {
    size_t most = tensor_tiled_conv2d_scratch(c);
    most = larger(most, tensor_winograd_applies(c) ? tensor_winograd_conv2d_scratch(c) : 0);
    most = larger(most, tensor_planar_applies(c) ? tensor_planar_conv2d_scratch(c) : 0);
    most = larger(most, tensor_direct_can(c) ? tensor_direct_conv2d_scratch(c) : 0);
    return larger(most, tensor_mirror_can(c) ? tensor_mirror_conv2d_scratch(c) : 0);
}

void tensor_fast_conv2d_forward(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                                float *scratch) {
    const int i = choose(NULL, HISS_FLOAT32, HISS_CONV2D_FORWARD, c);
    ((conv2d_forward)candidates[HISS_CONV2D_FORWARD][i].function)(c, x, w, bias, y, scratch);
}

void tensor_fast_conv2d_backward_data(const hiss_conv *c, const float *dy, const float *w, float *dx, bool accumulate,
                                      float *scratch) {
    const int i = choose(NULL, HISS_FLOAT32, HISS_CONV2D_BACKWARD_DATA, c);
    ((conv2d_backward)candidates[HISS_CONV2D_BACKWARD_DATA][i].function)(c, dy, w, dx, accumulate, scratch);
}

void tensor_fast_conv2d_backward_weight(const hiss_conv *c, const float *x, const float *dy, float *dw, bool accumulate,
                                        float *scratch) {
    const int i = choose(NULL, HISS_FLOAT32, HISS_CONV2D_BACKWARD_WEIGHT, c);
    ((conv2d_backward)candidates[HISS_CONV2D_BACKWARD_WEIGHT][i].function)(c, x, dy, dw, accumulate, scratch);
}

static hiss_conv linear_shape(int64_t M, int64_t D, int64_t F) {
    return (hiss_conv){.N = M, .H = 1, .W = 1, .C = D, .F = F, .R = 1, .S = 1, .stride = 1, .P = 1, .Q = 1};
}

size_t tensor_fast_linear_scratch(int64_t M, int64_t D, int64_t F) {
    const hiss_conv shape = linear_shape(M, D, F);
    return tensor_linear_can_own(&shape) ? tensor_linear_own_scratch(M, D, F) : 0;
}

void tensor_fast_linear_forward(int64_t M, int64_t D, int64_t F, const float *x, const float *w, const float *bias,
                                float *y, float *scratch) {
    const hiss_conv shape = linear_shape(M, D, F);
    const int i = choose(NULL, HISS_FLOAT32, HISS_LINEAR_FORWARD, &shape);
    ((linear_forward)candidates[HISS_LINEAR_FORWARD][i].function)(M, D, F, x, w, bias, y, scratch);
}

void tensor_fast_linear_backward_data(int64_t M, int64_t D, int64_t F, const float *dy, const float *w, float *dx,
                                      bool accumulate, float *scratch) {
    const hiss_conv shape = linear_shape(M, D, F);
    const int i = choose(NULL, HISS_FLOAT32, HISS_LINEAR_BACKWARD_DATA, &shape);
    ((linear_backward)candidates[HISS_LINEAR_BACKWARD_DATA][i].function)(M, D, F, dy, w, dx, accumulate, scratch);
}

void tensor_fast_linear_backward_weight(int64_t M, int64_t D, int64_t F, const float *x, const float *dy, float *dw,
                                        bool accumulate, float *scratch) {
    const hiss_conv shape = linear_shape(M, D, F);
    const int i = choose(NULL, HISS_FLOAT32, HISS_LINEAR_BACKWARD_WEIGHT, &shape);
    ((linear_backward)candidates[HISS_LINEAR_BACKWARD_WEIGHT][i].function)(M, D, F, x, dy, dw, accumulate, scratch);
}
