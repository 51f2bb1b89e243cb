/* A model of ONNX, operator set 17 (onnx.proto of the ONNX project, whose field numbers are those below). Parameters keep
 * their names; what a node gives is called "/N", N its place in the graph, or by its layer where it is an output. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "export/export_impl.h"
#include "export/program_impl.h"
#include "export/protobuf.h"

enum { IR_VERSION = 8, OPERATOR_SET = 17 };
enum { MODEL_IR = 1, MODEL_PRODUCER = 2, MODEL_GRAPH = 7, MODEL_OPERATORS = 8, MODEL_NOTE = 14 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_TYPE = 4, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_FLOAT = 2, ATTRIBUTE_INT = 3, ATTRIBUTE_INTS = 8, ATTRIBUTE_TYPE = 20 };
enum { TYPE_FLOAT = 1, TYPE_INT = 2, TYPE_INTS = 7 }; /* of attributes */
enum { TENSOR_DIM = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_BYTES = 9, FLOAT32 = 1, INT64 = 7 };

typedef struct writer {
    const hiss_program *p;
    export_message graph, node;
    bool *written; /* [slots]: it is among the initializers */
} writer;

/* ---- nodes ---- */

static void begin(writer *w, const char *type) {
    export_message_begin(&w->node);
    export_put_text(&w->node, NODE_TYPE, type);
}

static void input(writer *w, const char *name) {
    export_put_text(&w->node, NODE_INPUT, name);
}

static void output(writer *w, const char *name) {
    export_put_text(&w->node, NODE_OUTPUT, name);
    export_put_text(&w->node, NODE_NAME, name);
    export_put_message(&w->graph, GRAPH_NODE, &w->node);
}

static void put_int(writer *w, const char *name, int64_t value) {
    export_message a;
    export_message_begin(&a);
    export_put_text(&a, ATTRIBUTE_NAME, name);
    export_put_int(&a, ATTRIBUTE_INT, value);
    export_put_int(&a, ATTRIBUTE_TYPE, TYPE_INT);
    export_put_message(&w->node, NODE_ATTRIBUTE, &a);
}

static void put_float(writer *w, const char *name, double value) {
    export_message a;
    export_message_begin(&a);
    export_put_text(&a, ATTRIBUTE_NAME, name);
    export_put_float(&a, ATTRIBUTE_FLOAT, (float)value);
    export_put_int(&a, ATTRIBUTE_TYPE, TYPE_FLOAT);
    export_put_message(&w->node, NODE_ATTRIBUTE, &a);
}

static void put_ints(writer *w, const char *name, int count, const int64_t *values) {
    export_message a;
    export_message_begin(&a);
    export_put_text(&a, ATTRIBUTE_NAME, name);
    for (int k = 0; k < count; k++) {
        export_put_int(&a, ATTRIBUTE_INTS, values[k]);
    }
    export_put_int(&a, ATTRIBUTE_TYPE, TYPE_INTS);
    export_put_message(&w->node, NODE_ATTRIBUTE, &a);
}

/* ---- initializers ---- */

static void begin_tensor(export_message *t, const char *name, int type, const hiss_shape *shape) {
    export_message_begin(t);
    for (int d = 0; d < shape->ndim; d++) {
        export_put_int(t, TENSOR_DIM, shape->dim[d]);
    }
    export_put_int(t, TENSOR_TYPE, type);
    export_put_text(t, TENSOR_NAME, name);
}

static void put_tensor(writer *w, const char *name, int type, const hiss_shape *shape, export_message *bytes) {
    export_message t;
    begin_tensor(&t, name, type, shape);
    export_message_end(bytes);
    export_put_bytes(&t, TENSOR_BYTES, bytes->bytes, bytes->count);
    free(bytes->bytes);
    export_put_message(&w->graph, GRAPH_INITIALIZER, &t);
}

static void put_floats(writer *w, const char *name, const hiss_shape *shape, const float *values) {
    export_message bytes;
    export_message_begin(&bytes);
    export_floats(bytes.stream, hiss_shape_count(shape), values);
    put_tensor(w, name, FLOAT32, shape, &bytes);
}

/* Returns name. */
static const char *put_whole(writer *w, const char *name, int count, const int64_t *values) {
    export_message bytes;
    export_message_begin(&bytes);
    for (int k = 0; k < count; k++) {
        export_number(bytes.stream, (uint64_t)values[k], 8);
    }
    put_tensor(w, name, INT64, &HISS_SHAPE(count), &bytes);
    return name;
}

static void put_array(writer *w, const char *name, const hiss_shape *shape, const float *values) {
    const hiss_shape turned = export_channels_second_shape(shape);
    float *copy = hiss_new(float, hiss_shape_count(shape));
    export_channels_second(shape, values, copy);
    put_floats(w, name, &turned, copy);
    hiss_free(copy);
}

/* The name of a slot, which is written at its first use. */
static const char *slot_of(writer *w, int number) {
    const hiss_slot *slot = hiss_model_at(w->p->options.model, number);
    if (!w->written[number]) {
        put_array(w, slot->name, &slot->shape, export_slot_values(w->p, number));
        w->written[number] = true;
    }
    return slot->name;
}

/* ---- values ---- */

static const char *numbered(const writer *w, int value, const char *part) {
    return hiss_arena_format(w->p->arena, "/%d%s", value, part);
}

/* The layer of which the value is an output; NULL: none, or more is to be done with it. */
static const char *layer_of(const writer *w, int value) {
    const hiss_program_options *o = &w->p->options;
    for (int k = 0; k < o->outputs; k++) {
        if (o->taps->tap[o->output[k]].value == value) {
            return o->taps->tap[o->output[k]].name;
        }
    }
    return NULL;
}

static bool is_leaf(const export_node *n) {
    return n->form.inputs == 0;
}

/* Of the input of the model: "image", unless a layer has that name. */
static const char *image_name(const writer *w) {
    return hiss_taps_find(w->p->options.taps, "image") < 0 ? "image" : "input";
}

static const char *value_of(writer *w, int value) {
    const export_node *n = &w->p->node[value];
    const char *layer = layer_of(w, value);
    return export_slot(w->p, value) ? slot_of(w, n->form.slot)
           : n->form.name           ? (w->p->options.preprocesses ? "/image" : image_name(w))
           : n->form.constant       ? numbered(w, value, "")
           : layer                  ? layer
                                    : numbered(w, value, "");
}

/* Input k of the node; where it is absent, nothing. */
static void input_of(writer *w, const export_node *n, int k) {
    if (k < n->form.inputs && n->form.input[k] >= 0) {
        input(w, value_of(w, n->form.input[k]));
    }
}

/* ---- layers with weights ---- */

/* Weights and bias of a layer together with the BatchNorm behind it: w s and (b - mean) s + beta, s = gamma / deviation. */
static void put_folded(writer *w, const export_node *n, const char *weight, const char *bias) {
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
    put_array(w, weight, &slot->shape, weights);
    put_floats(w, bias, &HISS_SHAPE(F), biases);
    hiss_free(weights);
    hiss_free(biases);
}

/* Begin a node of a layer, with x, weights and bias. */
static void begin_layer(writer *w, const export_node *n, const char *type) {
    if (n->folded < 0) {
        begin(w, type);
        input_of(w, n, 0);
        input_of(w, n, 1);
        input_of(w, n, 2);
        return;
    }
    const char *weight = numbered(w, n->folded, "/folded_weight"), *bias = numbered(w, n->folded, "/folded_bias");
    put_folded(w, n, weight, bias);
    begin(w, type);
    input_of(w, n, 0);
    input(w, weight);
    input(w, bias);
}

static void put_conv(writer *w, const hiss_conv *c) {
    put_ints(w, "kernel_shape", 2, (const int64_t[]){c->R, c->S});
    put_ints(w, "strides", 2, (const int64_t[]){c->stride, c->stride});
    put_ints(w, "pads", 4, (const int64_t[]){c->pad, c->pad, c->pad, c->pad});
}

static void conv(writer *w, const export_node *n, const char *out) {
    begin_layer(w, n, "Conv");
    put_conv(w, &n->form.conv);
    output(w, out);
}

static void put_pool(writer *w, const hiss_pooling *p) {
    put_ints(w, "kernel_shape", 2, (const int64_t[]){p->size, p->size});
    put_ints(w, "strides", 2, (const int64_t[]){p->stride, p->stride});
    put_ints(w, "pads", 4, (const int64_t[]){p->pad, p->pad, p->pad, p->pad});
}

static void conv_pool(writer *w, const export_node *n, const char *out) {
    const char *map = hiss_arena_format(w->p->arena, "/%s/map", out);
    conv(w, n, map);
    begin(w, "MaxPool");
    input(w, map);
    put_pool(w, &n->form.pooling);
    output(w, out);
}

static void conv_transposed(writer *w, const export_node *n, const char *out) {
    begin_layer(w, n, "ConvTranspose");
    put_conv(w, &n->form.conv);
    put_ints(w, "output_padding", 2, (const int64_t[]){n->form.extra, n->form.extra});
    output(w, out);
}

static void linear(writer *w, const export_node *n, const char *out) {
    begin_layer(w, n, "Gemm");
    put_int(w, "transB", 1);
    output(w, out);
}

static void linear_transposed(writer *w, const export_node *n, const char *out) {
    begin_layer(w, n, "Gemm");
    output(w, out);
}

static void batch_norm(writer *w, const export_node *n, const char *out) {
    const hiss_shape C = hiss_model_at(w->p->options.model, n->form.mean_slot)->shape;
    const char *names[2] = {0}; /* gamma and beta */
    for (int k = 0; k < 2; k++) {
        if (n->form.input[1 + k] >= 0) {
            names[k] = value_of(w, n->form.input[1 + k]);
            continue;
        }
        float *values = hiss_new(float, C.dim[0]);
        for (int64_t c = 0; c < C.dim[0]; c++) {
            values[c] = k == 0 ? 1.0f : 0.0f;
        }
        names[k] = hiss_arena_format(w->p->arena, "/%s/%s", out, k == 0 ? "gain" : "shift");
        put_floats(w, names[k], &C, values);
        hiss_free(values);
    }
    const char *mean = slot_of(w, n->form.mean_slot), *variance = slot_of(w, n->form.variance_slot);
    begin(w, "BatchNormalization");
    input_of(w, n, 0);
    input(w, names[0]);
    input(w, names[1]);
    input(w, mean);
    input(w, variance);
    put_float(w, "epsilon", n->form.number);
    output(w, out);
}

/* ---- others ---- */

static void max_pool(writer *w, const export_node *n, const char *out) {
    begin(w, "MaxPool");
    input_of(w, n, 0);
    put_pool(w, &n->form.pooling);
    output(w, out);
}

static void average_pool(writer *w, const export_node *n, const char *out) {
    begin(w, "AveragePool");
    input_of(w, n, 0);
    put_pool(w, &n->form.pooling);
    put_int(w, "count_include_pad", 1);
    output(w, out);
}

static void global_average_pool(writer *w, const export_node *n, const char *out) {
    begin(w, "ReduceMean");
    input_of(w, n, 0);
    put_ints(w, "axes", 2, (const int64_t[]){2, 3});
    put_int(w, "keepdims", 0);
    output(w, out);
}

static void transpose(writer *w, const char *from, const char *to, const int64_t order[4]) {
    begin(w, "Transpose");
    input(w, from);
    put_ints(w, "perm", 4, order);
    output(w, to);
}

static void reshape(writer *w, const export_node *n, const char *out) {
    const hiss_shape *to = &n->form.shape;
    const bool from_map = w->p->node[n->form.input[0]].form.shape.ndim == 4, to_map = to->ndim == 4;
    const char *x = value_of(w, n->form.input[0]), *last = hiss_arena_format(w->p->arena, "/%s/last", out);
    const char *shape = hiss_arena_format(w->p->arena, "/%s/shape", out);
    int64_t dim[HISS_MAX_NDIM];
    memcpy(dim, to->dim, sizeof dim);
    dim[0] = export_rows(n);
    put_whole(w, shape, to->ndim, dim);
    if (from_map) {
        transpose(w, x, last, (const int64_t[]){0, 2, 3, 1});
    }
    const char *reshaped = to_map ? hiss_arena_format(w->p->arena, "/%s/reshaped", out) : out;
    begin(w, "Reshape");
    input(w, from_map ? last : x);
    input(w, shape);
    output(w, reshaped);
    if (to_map) {
        transpose(w, reshaped, out, (const int64_t[]){0, 3, 1, 2});
    }
}

static void put_scalar(writer *w, const char *name, double value) {
    put_floats(w, name, &(hiss_shape){0}, &(float){(float)value});
}

static void with_scalar(writer *w, const char *type, const char *x, const char *out, double value) {
    const char *number = hiss_arena_format(w->p->arena, "/%s/number", out);
    put_scalar(w, number, value);
    begin(w, type);
    input(w, x);
    input(w, number);
    output(w, out);
}

static void two(writer *w, const char *type, const char *a, const char *b, const char *out) {
    begin(w, type);
    input(w, a);
    input(w, b);
    output(w, out);
}

static void l2_normalize(writer *w, const export_node *n, const char *out) {
    const char *x = value_of(w, n->form.input[0]), *norm = hiss_arena_format(w->p->arena, "/%s/norm", out);
    const char *length = hiss_arena_format(w->p->arena, "/%s/length", out);
    begin(w, "ReduceL2");
    input(w, x);
    put_ints(w, "axes", 1, (const int64_t[]){1});
    output(w, norm);
    with_scalar(w, "Max", norm, length, 1e-6);
    two(w, "Div", x, length, out);
}

static void concat(writer *w, const export_node *n, const char *out) {
    begin(w, "Concat");
    for (int k = 0; k < n->form.inputs; k++) {
        input_of(w, n, k);
    }
    put_int(w, "axis", 1);
    output(w, out);
}

static void leaky_relu(writer *w, const export_node *n, const char *out) {
    begin(w, "LeakyRelu");
    input_of(w, n, 0);
    put_float(w, "alpha", n->form.number);
    output(w, out);
}

static void soft_threshold(writer *w, const export_node *n, const char *out) {
    begin(w, "Shrink");
    input_of(w, n, 0);
    put_float(w, "lambd", n->form.number);
    put_float(w, "bias", n->form.number);
    output(w, out);
}

static void scale(writer *w, const export_node *n, const char *out) {
    with_scalar(w, "Mul", value_of(w, n->form.input[0]), out, n->form.number);
}

static void softmax(writer *w, const export_node *n, const char *out) {
    begin(w, "Softmax");
    input_of(w, n, 0);
    put_int(w, "axis", 1);
    output(w, out);
}

typedef struct counterpart {
    const char *op, *type; /* type: of a node that takes the inputs and nothing else, where write is NULL */
    void (*write)(writer *w, const export_node *n, const char *out);
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

static void write_node(writer *w, int i) {
    const export_node *n = &w->p->node[i];
    const counterpart *c = counterpart_of(n->form.op);
    if (n->form.constant) {
        put_array(w, value_of(w, i), &n->form.shape, n->form.constant);
    } else if (c && c->write) {
        c->write(w, n, value_of(w, n->folded >= 0 ? n->folded : i));
    } else if (c) {
        begin(w, c->type);
        for (int k = 0; k < n->form.inputs; k++) {
            input_of(w, n, k);
        }
        output(w, value_of(w, i));
    }
}

/* ---- the model ---- */

/* per: rows for each image, where they depend on N; else 0. */
static void put_value(writer *w, int field, const char *name, const hiss_shape *shape, int64_t per) {
    export_message value, type, tensor, dims, dim;
    char rows[32];
    export_message_begin(&dims);
    for (int d = 0; d < shape->ndim; d++) {
        export_message_begin(&dim);
        if (d == 0 && per > 0) {
            snprintf(rows, sizeof rows, per == 1 ? "N" : "%lldN", (long long)per);
            export_put_text(&dim, 2, rows);
        } else {
            export_put_int(&dim, 1, shape->dim[d]);
        }
        export_put_message(&dims, 1, &dim);
    }
    export_message_begin(&tensor);
    export_put_int(&tensor, 1, FLOAT32);
    export_put_message(&tensor, 2, &dims);
    export_message_begin(&type);
    export_put_message(&type, 1, &tensor);
    export_message_begin(&value);
    export_put_text(&value, 1, name);
    export_put_message(&value, 2, &type);
    export_put_message(&w->graph, field, &value);
}

static void put_output(writer *w, int k) {
    const hiss_program_options *o = &w->p->options;
    const hiss_tap *tap = &o->taps->tap[o->output[k]];
    const export_node *n = &w->p->node[tap->value];
    if (is_leaf(n) || strcmp(layer_of(w, tap->value), tap->name) != 0) {
        const char *from = value_of(w, tap->value);
        begin(w, "Identity");
        input(w, from);
        output(w, tap->name);
    }
    const hiss_shape shape = export_channels_second_shape(&n->form.shape);
    put_value(w, GRAPH_OUTPUT, tap->name, &shape, n->batched ? shape.dim[0] / o->m : 0);
}

/* Of stored images, as hiss_augment_center makes the network's: see hiss_center. */
static void put_sampled(writer *w, const hiss_center *c, const char *from, const char *to) {
    float *rows = hiss_new(float, c->height * c->H), *columns = hiss_new(float, c->W * c->width),
          *turned = hiss_new(float, c->W * c->width);
    export_sampling(c->H, c->height, rows);
    export_sampling(c->W, c->width, columns);
    for (int64_t k = 0; k < c->W * c->width; k++) {
        turned[k % c->W * c->width + k / c->W] = columns[k];
    }
    put_floats(w, "/image/rows", &HISS_SHAPE(c->height, c->H), rows);
    put_floats(w, "/image/columns", &HISS_SHAPE(c->W, c->width), turned);
    two(w, "MatMul", "/image/rows", from, "/image/sampled_rows");
    two(w, "MatMul", "/image/sampled_rows", "/image/columns", to);
    hiss_free(rows);
    hiss_free(columns);
    hiss_free(turned);
}

static void put_cut(writer *w, const hiss_center *c, const char *from, const char *to) {
    put_whole(w, "/image/begin", 2, (const int64_t[]){c->top, c->left});
    put_whole(w, "/image/end", 2, (const int64_t[]){c->top + c->height, c->left + c->width});
    put_whole(w, "/image/axes", 2, (const int64_t[]){2, 3});
    begin(w, "Slice");
    input(w, from);
    input(w, "/image/begin");
    input(w, "/image/end");
    input(w, "/image/axes");
    output(w, to);
}

static void put_mean(writer *w, const char *from, const char *to) {
    begin(w, "ReduceMean");
    input(w, from);
    put_ints(w, "axes", 3, (const int64_t[]){1, 2, 3});
    output(w, to);
}

static void put_own(writer *w, const hiss_center *c, const char *from) {
    put_mean(w, from, "/image/mean");
    two(w, "Sub", from, "/image/mean", "/image/centred");
    two(w, "Mul", "/image/centred", "/image/centred", "/image/squares");
    put_mean(w, "/image/squares", "/image/variance");
    begin(w, "Sqrt");
    input(w, "/image/variance");
    output(w, "/image/root");
    with_scalar(w, "Max", "/image/root", "/image/deviation", c->span / 255.0);
    two(w, "Div", "/image/centred", "/image/deviation", "/image");
}

static void put_fixed(writer *w, const hiss_center *c, const char *from) {
    float factor[HISS_MAX_CHANNELS], offset[HISS_MAX_CHANNELS];
    const int C = c->scaling->count;
    for (int k = 0; k < C; k++) {
        factor[k] = (float)(1.0 / c->span / c->scaling->std[k]);
        offset[k] = (float)(-c->scaling->mean[k] / c->scaling->std[k]);
    }
    put_floats(w, "/image/factor", &HISS_SHAPE(1, C, 1, 1), factor);
    put_floats(w, "/image/offset", &HISS_SHAPE(1, C, 1, 1), offset);
    two(w, "Mul", from, "/image/factor", "/image/scaled");
    two(w, "Add", "/image/scaled", "/image/offset", "/image");
}

static void put_preprocess(writer *w, const hiss_center *c) {
    const char *x = image_name(w);
    if (c->low != 0) {
        with_scalar(w, "Sub", x, "/image/from_low", c->low);
        x = "/image/from_low";
    }
    if (c->samples || c->height != c->H || c->width != c->W) {
        (c->samples ? put_sampled : put_cut)(w, c, x, "/image/view");
        x = "/image/view";
    }
    (c->own ? put_own : put_fixed)(w, c, x);
}

static void put_graph(writer *w) {
    const hiss_program *p = w->p;
    const hiss_center *c = p->options.preprocesses ? p->options.center : NULL;
    const hiss_value image = hiss_graph_input_named(p->options.graph, "image");
    hiss_shape shape = export_channels_second_shape(&p->node[image].form.shape);
    if (c) {
        shape = HISS_SHAPE(p->options.m, c->C, c->H, c->W);
        put_preprocess(w, c);
    }
    export_put_text(&w->graph, GRAPH_NAME, "encoder");
    put_value(w, GRAPH_INPUT, image_name(w), &shape, 1);
    for (int i = 0; i < p->count; i++) {
        const export_node *n = &p->node[i];
        const int x = n->form.inputs > 0 ? n->form.input[0] : -1;
        if (n->live && !(x >= 0 && p->node[x].folded == i)) {
            write_node(w, i);
        }
    }
    for (int k = 0; k < p->options.outputs; k++) {
        put_output(w, k);
    }
}

static void put_model(writer *w, FILE *stream) {
    const hiss_weights *notes = w->p->options.weights;
    export_message model = {.stream = stream}, part;
    export_put_int(&model, MODEL_IR, IR_VERSION);
    export_put_text(&model, MODEL_PRODUCER, "hiss");
    export_put_message(&model, MODEL_GRAPH, &w->graph);
    export_message_begin(&part);
    export_put_text(&part, 1, "");
    export_put_int(&part, 2, OPERATOR_SET);
    export_put_message(&model, MODEL_OPERATORS, &part);
    for (int k = 0; k < notes->notes; k++) {
        export_message_begin(&part);
        export_put_text(&part, 1, notes->note[k].key);
        export_put_text(&part, 2, notes->note[k].text);
        export_put_message(&model, MODEL_NOTE, &part);
    }
}

hiss_status hiss_onnx_write(const hiss_program *p, FILE *stream, hiss_error *err) {
    int64_t floats = 0;
    for (int i = 0; i < p->count; i++) {
        const export_node *n = &p->node[i];
        const hiss_slot *slot = n->live ? export_slot(p, i) : NULL;
        floats += slot ? slot->count : 0;
        if (n->live && !counterpart_of(n->form.op) && !slot && !n->form.constant && !n->form.name) {
            return export_refuse(p, i, "ONNX has no counterpart that is known here", err);
        }
    }
    if (floats > INT64_C(0x1f000000)) {
        return hiss_fail(err, HISS_EUSER,
                         "the encoder has %lld parameters, and a file of ONNX holds 2 GiB; export to torch",
                         (long long)floats);
    }
    writer w = {.p = p, .written = hiss_new(bool, hiss_model_count(p->options.model) + 1)};
    export_message_begin(&w.graph);
    put_graph(&w);
    put_model(&w, stream);
    hiss_free(w.written);
    return HISS_OK;
}
