/* The counterparts of operations in ONNX. */
#include <math.h>
#include <string.h>

#include "export/onnx_impl.h"

/* ---- layers with weights ---- */

/* Weights and bias of a layer together with the BatchNorm behind it: w s and (b - mean) s + beta, s = gamma / deviation. */
static void put_folded(export_onnx *w, const export_node *n, const char *weight, const char *bias) {
    const hiss_program *p = w->p;
    const hiss_node_form *norm = &p->node[n->folded].form;
    const hiss_slot *slot = export_slot(p, n->form.input[1]), *own = export_slot(p, n->form.input[2]),
                    *gamma = export_slot(p, norm->input[1]), *beta = export_slot(p, norm->input[2]);
    const float *vector = p->options.vector, *from = vector + slot->offset;
    const float *mean = export_slot_values(p, norm->mean_slot), *variance = export_slot_values(p, norm->variance_slot);
    const int64_t F = slot->shape.dim[0], row = slot->count / F;
    float *weights = hiss_new(float, slot->count), *biases = hiss_new(float, F);
    for (int64_t f = 0; f < F; f++) {
        const double s = (gamma ? (double)vector[gamma->offset + f] : 1.0) / sqrt((double)variance[f] + norm->number);
        const double b = own ? (double)vector[own->offset + f] : 0.0;
        biases[f] = (float)((b - (double)mean[f]) * s + (beta ? (double)vector[beta->offset + f] : 0.0));
        for (int64_t k = 0; k < row; k++) {
            weights[f * row + k] = (float)((double)from[f * row + k] * s);
        }
    }
    export_onnx_array(w, weight, &slot->shape, weights);
    export_onnx_floats(w, bias, &HISS_SHAPE(F), biases);
    hiss_free(weights);
    hiss_free(biases);
}

/* Begin a node of a layer, with x, weights and bias. */
static void begin_layer(export_onnx *w, const export_node *n, const char *type) {
    if (n->folded < 0) {
        export_onnx_begin(w, type);
        export_onnx_input_of(w, n, 0);
        export_onnx_input_of(w, n, 1);
        export_onnx_input_of(w, n, 2);
        return;
    }
    const char *weight = export_onnx_numbered(w, n->folded, "/folded_weight"),
               *bias = export_onnx_numbered(w, n->folded, "/folded_bias");
    put_folded(w, n, weight, bias);
    export_onnx_begin(w, type);
    export_onnx_input_of(w, n, 0);
    export_onnx_input(w, weight);
    export_onnx_input(w, bias);
}

static void put_conv(export_onnx *w, const hiss_conv *c) {
    export_onnx_put_ints(w, "kernel_shape", 2, (const int64_t[]){c->R, c->S});
    export_onnx_put_ints(w, "strides", 2, (const int64_t[]){c->stride, c->stride});
    export_onnx_put_ints(w, "pads", 4, (const int64_t[]){c->pad, c->pad, c->pad, c->pad});
}

static void conv(export_onnx *w, const export_node *n, const char *out) {
    begin_layer(w, n, "Conv");
    put_conv(w, &n->form.conv);
    export_onnx_output(w, out);
}

static void put_pool(export_onnx *w, const hiss_pooling *p) {
    export_onnx_put_ints(w, "kernel_shape", 2, (const int64_t[]){p->size, p->size});
    export_onnx_put_ints(w, "strides", 2, (const int64_t[]){p->stride, p->stride});
    export_onnx_put_ints(w, "pads", 4, (const int64_t[]){p->pad, p->pad, p->pad, p->pad});
}

static void conv_pool(export_onnx *w, const export_node *n, const char *out) {
    const char *map = hiss_arena_format(w->p->arena, "/%s/map", out);
    conv(w, n, map);
    export_onnx_begin(w, "MaxPool");
    export_onnx_input(w, map);
    put_pool(w, &n->form.pooling);
    export_onnx_output(w, out);
}

static void conv_transposed(export_onnx *w, const export_node *n, const char *out) {
    begin_layer(w, n, "ConvTranspose");
    put_conv(w, &n->form.conv);
    export_onnx_put_ints(w, "output_padding", 2, (const int64_t[]){n->form.extra, n->form.extra});
    export_onnx_output(w, out);
}

static void linear(export_onnx *w, const export_node *n, const char *out) {
    begin_layer(w, n, "Gemm");
    export_onnx_put_int(w, "transB", 1);
    export_onnx_output(w, out);
}

static void linear_transposed(export_onnx *w, const export_node *n, const char *out) {
    begin_layer(w, n, "Gemm");
    export_onnx_output(w, out);
}

static void batch_norm(export_onnx *w, const export_node *n, const char *out) {
    const hiss_shape C = hiss_model_at(w->p->options.model, n->form.mean_slot)->shape;
    const char *names[2] = {0}; /* gamma and beta */
    for (int k = 0; k < 2; k++) {
        if (n->form.input[1 + k] >= 0) {
            names[k] = export_onnx_value_of(w, n->form.input[1 + k]);
            continue;
        }
        float *values = hiss_new(float, C.dim[0]);
        for (int64_t c = 0; c < C.dim[0]; c++) {
            values[c] = k == 0 ? 1.0f : 0.0f;
        }
        names[k] = hiss_arena_format(w->p->arena, "/%s/%s", out, k == 0 ? "gain" : "shift");
        export_onnx_floats(w, names[k], &C, values);
        hiss_free(values);
    }
    const char *mean = export_onnx_slot_of(w, n->form.mean_slot),
               *variance = export_onnx_slot_of(w, n->form.variance_slot);
    export_onnx_begin(w, "BatchNormalization");
    export_onnx_input_of(w, n, 0);
    export_onnx_input(w, names[0]);
    export_onnx_input(w, names[1]);
    export_onnx_input(w, mean);
    export_onnx_input(w, variance);
    export_onnx_put_float(w, "epsilon", n->form.number);
    export_onnx_output(w, out);
}

/* ---- others ---- */

static void max_pool(export_onnx *w, const export_node *n, const char *out) {
    export_onnx_begin(w, "MaxPool");
    export_onnx_input_of(w, n, 0);
    put_pool(w, &n->form.pooling);
    export_onnx_output(w, out);
}

static void average_pool(export_onnx *w, const export_node *n, const char *out) {
    export_onnx_begin(w, "AveragePool");
    export_onnx_input_of(w, n, 0);
    put_pool(w, &n->form.pooling);
    export_onnx_put_int(w, "count_include_pad", 1);
    export_onnx_output(w, out);
}

static void global_average_pool(export_onnx *w, const export_node *n, const char *out) {
    export_onnx_begin(w, "ReduceMean");
    export_onnx_input_of(w, n, 0);
    export_onnx_put_ints(w, "axes", 2, (const int64_t[]){2, 3});
    export_onnx_put_int(w, "keepdims", 0);
    export_onnx_output(w, out);
}

static void transpose(export_onnx *w, const char *from, const char *to, const int64_t order[4]) {
    export_onnx_begin(w, "Transpose");
    export_onnx_input(w, from);
    export_onnx_put_ints(w, "perm", 4, order);
    export_onnx_output(w, to);
}

static void reshape(export_onnx *w, const export_node *n, const char *out) {
    const hiss_shape *to = &n->form.shape;
    const bool from_map = w->p->node[n->form.input[0]].form.shape.ndim == 4, to_map = to->ndim == 4;
    const char *x = export_onnx_value_of(w, n->form.input[0]), *last = hiss_arena_format(w->p->arena, "/%s/last", out);
    const char *shape = hiss_arena_format(w->p->arena, "/%s/shape", out);
    int64_t dim[HISS_MAX_NDIM];
    memcpy(dim, to->dim, sizeof dim);
    dim[0] = export_rows(n);
    export_onnx_whole(w, shape, to->ndim, dim);
    if (from_map) {
        transpose(w, x, last, (const int64_t[]){0, 2, 3, 1});
    }
    const char *reshaped = to_map ? hiss_arena_format(w->p->arena, "/%s/reshaped", out) : out;
    export_onnx_begin(w, "Reshape");
    export_onnx_input(w, from_map ? last : x);
    export_onnx_input(w, shape);
    export_onnx_output(w, reshaped);
    if (to_map) {
        transpose(w, reshaped, out, (const int64_t[]){0, 3, 1, 2});
    }
}

static void l2_normalize(export_onnx *w, const export_node *n, const char *out) {
    const char *x = export_onnx_value_of(w, n->form.input[0]), *norm = hiss_arena_format(w->p->arena, "/%s/norm", out);
    const char *length = hiss_arena_format(w->p->arena, "/%s/length", out);
    export_onnx_begin(w, "ReduceL2");
    export_onnx_input(w, x);
    export_onnx_put_ints(w, "axes", 1, (const int64_t[]){1});
    export_onnx_output(w, norm);
    export_onnx_with_scalar(w, "Max", norm, length, 1e-6);
    export_onnx_two(w, "Div", x, length, out);
}

static void concat(export_onnx *w, const export_node *n, const char *out) {
    export_onnx_begin(w, "Concat");
    for (int k = 0; k < n->form.inputs; k++) {
        export_onnx_input_of(w, n, k);
    }
    export_onnx_put_int(w, "axis", 1);
    export_onnx_output(w, out);
}

static void leaky_relu(export_onnx *w, const export_node *n, const char *out) {
    export_onnx_begin(w, "LeakyRelu");
    export_onnx_input_of(w, n, 0);
    export_onnx_put_float(w, "alpha", n->form.number);
    export_onnx_output(w, out);
}

static void soft_threshold(export_onnx *w, const export_node *n, const char *out) {
    export_onnx_begin(w, "Shrink");
    export_onnx_input_of(w, n, 0);
    export_onnx_put_float(w, "lambd", n->form.number);
    export_onnx_put_float(w, "bias", n->form.number);
    export_onnx_output(w, out);
}

static void scale(export_onnx *w, const export_node *n, const char *out) {
    export_onnx_with_scalar(w, "Mul", export_onnx_value_of(w, n->form.input[0]), out, n->form.number);
}

static void softmax(export_onnx *w, const export_node *n, const char *out) {
    export_onnx_begin(w, "Softmax");
    export_onnx_input_of(w, n, 0);
    export_onnx_put_int(w, "axis", 1);
    export_onnx_output(w, out);
}

typedef struct counterpart {
    const char *op, *type; /* type: of a node that takes the inputs and nothing else, where write is NULL */
    void (*write)(export_onnx *w, const export_node *n, const char *out);
} counterpart;

static const counterpart counterparts[] = {
    {"conv2d", NULL, conv},
    {"conv2d_pool", NULL, conv_pool},
    {"conv2d_transposed", NULL, conv_transposed},
    {"linear", NULL, linear},
    {"linear_transposed", NULL, linear_transposed},
    {"batch_norm_eval", NULL, batch_norm},
    {"max_pool", NULL, max_pool},
    {"average_pool", NULL, average_pool},
    {"global_average_pool", NULL, global_average_pool},
    {"reshape", NULL, reshape},
    {"l2_normalize", NULL, l2_normalize},
    {"concat", NULL, concat},
    {"leaky_relu", NULL, leaky_relu},
    {"soft_threshold", NULL, soft_threshold},
    {"scale", NULL, scale},
    {"softmax", NULL, softmax},
    {"relu", "Relu", NULL},
    {"sigmoid", "Sigmoid", NULL},
    {"tanh", "Tanh", NULL},
    {"exp", "Exp", NULL},
    {"stop_gradient", "Identity", NULL},
    {"add", "Add", NULL},
    {"multiply", "Mul", NULL},
};

static const counterpart *counterpart_of(const char *op) {
    for (int k = 0; k < HISS_COUNT(counterparts); k++) {
        if (strcmp(counterparts[k].op, op) == 0) {
            return &counterparts[k];
        }
    }
    return NULL;
}

void export_onnx_node(export_onnx *w, int i) {
    const export_node *n = &w->p->node[i];
    const counterpart *c = counterpart_of(n->form.op);
    if (n->form.constant) {
        export_onnx_array(w, export_onnx_value_of(w, i), &n->form.shape, n->form.constant);
    } else if (c && c->write) {
        c->write(w, n, export_onnx_value_of(w, n->folded >= 0 ? n->folded : i));
    } else if (c) {
        export_onnx_begin(w, c->type);
        for (int k = 0; k < n->form.inputs; k++) {
            export_onnx_input_of(w, n, k);
        }
        export_onnx_output(w, export_onnx_value_of(w, i));
    }
}

bool export_onnx_has(const char *op) {
    return counterpart_of(op) != NULL;
}
