/* Layers: operations together with their parameters. */
#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "hiss/nn.h"

enum { NAME_TEXT = 128, FILTERS = 16 };

/* Layers of the user and of the method have different names, so that they share no parameters, and a name means one of
 * them: a slot of such a layer; NULL: there is none. */
static const hiss_slot *find_foreign(const hiss_builder *b, const char *name) {
    for (int s = 0; s < hiss_model_count(b->model); s++) {
        const hiss_slot *slot = hiss_model_at(b->model, s);
        if (slot->kind != HISS_SLOT_METRIC && !slot->origin != !b->origin && hiss_slot_within(slot, name)) {
            return slot;
        }
    }
    return NULL;
}

static void fail_foreign(hiss_builder *b, const char *name, const char *origin) {
    char text[NAME_TEXT + 512];
    snprintf(text, sizeof text,
             "%.300s%slayer '%s' has the name of a layer that the objective adds; give it another name",
             origin ? origin : "", origin ? ": " : "", name);
    hiss_graph_scope(b->graph, "");
    hiss_graph_fail(b->graph, text);
}

/* The slot NAME/part; -1 and a failed graph when the name is taken by another shape, or by another's layer. */
static int slot_of(hiss_builder *b, const char *name, const char *part, hiss_slot slot) {
    char whole[NAME_TEXT], full[2 * NAME_TEXT];
    snprintf(whole, sizeof whole, "%s%s", b->prefix ? b->prefix : "", name);
    snprintf(full, sizeof full, "%s/%s", whole, part);
    slot.name = full;
    slot.origin = b->origin;
    const hiss_slot *foreign = find_foreign(b, whole);
    if (foreign) {
        fail_foreign(b, name, foreign->origin);
        return -1;
    }
    const int number = hiss_model_slot(b->model, &slot);
    if (number < 0) {
        hiss_graph_fail(b->graph, "another layer of this name has parameters of another shape; give it another name");
    }
    return number;
}

/* Whether this graph may change the slot: its group is trained, and it is not frozen. */
static bool trains(const hiss_builder *b, int slot) {
    const hiss_slot *at = hiss_model_at(b->model, slot);
    return b->training && !at->frozen && (b->trained_groups >> at->group & 1u);
}

static hiss_value parameter(hiss_builder *b, const char *name, const char *part, hiss_slot slot) {
    slot.kind = HISS_SLOT_PARAMETER;
    slot.group = b->group;
    const int number = slot_of(b, name, part, slot);
    return number < 0 ? -1 : hiss_graph_parameter(b->graph, number, slot.shape, trains(b, number));
}

static hiss_value weight(hiss_builder *b, const char *name, hiss_shape shape, int64_t fan_in) {
    const double deviation = b->deviation ? *b->deviation : sqrt(2.0 / (double)fan_in);
    return parameter(b, name, "weight", (hiss_slot){.shape = shape, .decay = true, .deviation = deviation});
}

static hiss_value bias_of(hiss_builder *b, const char *name, bool wanted, int64_t count) {
    return wanted ? parameter(b, name, "bias", (hiss_slot){.shape = HISS_SHAPE(count)}) : -1;
}

static bool has_ndim(hiss_builder *b, hiss_value x, int ndim) {
    if (x < 0 || hiss_graph_shape(b->graph, x).ndim == ndim) {
        return x >= 0;
    }
    char got[HISS_SHAPE_TEXT], text[HISS_SHAPE_TEXT + 96];
    const hiss_shape shape = hiss_graph_shape(b->graph, x);
    snprintf(text, sizeof text, "needs %s as input%s, got %s%s", ndim == 4 ? "images [N,H,W,C]" : "rows [N,D]",
             ndim == 4 ? "" : ": add flatten", hiss_shape_text(&shape, got),
             ndim == 4 && shape.ndim == 2 ? ": put it before flatten" : "");
    hiss_graph_fail(b->graph, text);
    return false;
}

hiss_value hiss_layer_conv(hiss_builder *b, const char *name, hiss_value x, int64_t F, int64_t kernel, int64_t stride,
                           int64_t pad, bool bias) {
    hiss_graph_scope(b->graph, name);
    if (!has_ndim(b, x, 4)) {
        return -1;
    }
    const int64_t C = hiss_graph_shape(b->graph, x).dim[3];
    hiss_value w = weight(b, name, HISS_SHAPE(F, kernel, kernel, C), kernel * kernel * C);
    return hiss_graph_conv2d(b->graph, x, w, bias_of(b, name, bias, F), stride, pad);
}

hiss_value hiss_layer_conv_window(hiss_builder *b, const char *name, hiss_value x, int64_t F, int64_t R, int64_t S) {
    hiss_graph_scope(b->graph, name);
    if (!has_ndim(b, x, 4)) {
        return -1;
    }
    const int64_t C = hiss_graph_shape(b->graph, x).dim[3], missing = (FILTERS - F % FILTERS) % FILTERS;
    const int64_t none[4] = {0}, more[4] = {missing}, less[4] = {0, 0, 0, -missing};
    hiss_value w = weight(b, name, HISS_SHAPE(F, R, S, C), R * S * C), bias = bias_of(b, name, true, F);
    if (missing == 0) {
        return hiss_graph_conv2d(b->graph, x, w, bias, 1, 0);
    }
    w = hiss_graph_pad(b->graph, w, none, more);
    bias = hiss_graph_pad(b->graph, bias, none, more);
    return hiss_graph_pad(b->graph, hiss_graph_conv2d(b->graph, x, w, bias, 1, 0), none, less);
}

hiss_value hiss_layer_conv_transposed(hiss_builder *b, const char *name, hiss_value x, int64_t C, int64_t kernel,
                                      int64_t stride, int64_t pad, int64_t extra, bool bias) {
    hiss_graph_scope(b->graph, name);
    if (!has_ndim(b, x, 4)) {
        return -1;
    }
    const int64_t F = hiss_graph_shape(b->graph, x).dim[3];
    /* each output pixel sees about kernel^2 / stride^2 inputs */
    const int64_t taps = (kernel * kernel + stride * stride - 1) / (stride * stride);
    hiss_value w = weight(b, name, HISS_SHAPE(F, kernel, kernel, C), taps * F);
    return hiss_graph_conv2d_transposed(b->graph, x, w, bias_of(b, name, bias, C), stride, pad, extra);
}

hiss_value hiss_layer_linear(hiss_builder *b, const char *name, hiss_value x, int64_t F, bool bias) {
    hiss_graph_scope(b->graph, name);
    if (!has_ndim(b, x, 2)) {
        return -1;
    }
    const int64_t D = hiss_graph_shape(b->graph, x).dim[1];
    hiss_value w = weight(b, name, HISS_SHAPE(F, D), D);
    return hiss_graph_linear(b->graph, x, w, bias_of(b, name, bias, F));
}

hiss_value hiss_layer_linear_tied(hiss_builder *b, const char *name, const char *tied_to, hiss_value x, bool bias) {
    char text[NAME_TEXT + 64];
    hiss_graph_scope(b->graph, name);
    snprintf(text, sizeof text, "%s/weight", tied_to);
    const int number = hiss_model_find(b->model, text);
    if (number < 0) {
        snprintf(text, sizeof text, "there is no linear layer '%s' to be tied to", tied_to);
        hiss_graph_fail(b->graph, text);
    }
    if (number < 0 || !has_ndim(b, x, 2)) {
        return -1;
    }
    const hiss_shape shape = hiss_model_at(b->model, number)->shape;
    const hiss_value w = hiss_graph_parameter(b->graph, number, shape, trains(b, number));
    return hiss_graph_linear_transposed(b->graph, x, w, bias_of(b, name, bias, shape.dim[1]));
}

hiss_value hiss_layer_nade(hiss_builder *b, const char *name, hiss_value x, int64_t H, hiss_value *hidden) {
    hiss_graph_scope(b->graph, name);
    if (!has_ndim(b, x, 2)) {
        return -1;
    }
    const int64_t D = hiss_graph_shape(b->graph, x).dim[1];
    const hiss_slot matrix = {.shape = HISS_SHAPE(D, H), .decay = true, .deviation = 0.01};
    char text[NAME_TEXT];
    snprintf(text, sizeof text, "%s/in", name);
    const hiss_value in = parameter(b, text, "weight", matrix);
    snprintf(text, sizeof text, "%s/out", name);
    const hiss_value out = parameter(b, text, "weight", matrix);
    const hiss_value unit = parameter(b, name, "hidden", (hiss_slot){.shape = HISS_SHAPE(H)});
    const hiss_value visible = parameter(b, name, "visible", (hiss_slot){.shape = HISS_SHAPE(D)});
    if (hidden) {
        *hidden = hiss_graph_sigmoid(b->graph, hiss_graph_linear_transposed(b->graph, x, in, unit));
    }
    return hiss_graph_nade(b->graph, x, in, out, unit, visible);
}

hiss_value hiss_layer_spatial_lstm(hiss_builder *b, const char *name, hiss_value x, int64_t U) {
    hiss_graph_scope(b->graph, name);
    if (!has_ndim(b, x, 4)) {
        return -1;
    }
    const int64_t fan_in = hiss_graph_shape(b->graph, x).dim[3] + 2 * U;
    const double deviation = sqrt(1.0 / (double)fan_in);
    const hiss_slot slot = {.shape = HISS_SHAPE(5 * U, fan_in), .decay = true, .deviation = deviation};
    const hiss_value w = parameter(b, name, "weight", slot);
    return hiss_graph_spatial_lstm(b->graph, x, w, bias_of(b, name, true, 5 * U));
}

hiss_value hiss_layer_lstm(hiss_builder *b, const char *name, hiss_value x, hiss_value *hidden, hiss_value *cell) {
    hiss_graph_scope(b->graph, name);
    if (!has_ndim(b, x, 2) || !has_ndim(b, *hidden, 2)) {
        return -1;
    }
    const int64_t D = hiss_graph_shape(b->graph, x).dim[1], U = hiss_graph_shape(b->graph, *hidden).dim[1];
    const double deviation = sqrt(1.0 / (double)(3 * U));
    const hiss_slot slot = {.shape = HISS_SHAPE(4 * U, D + U), .decay = true, .deviation = deviation};
    const hiss_value w = parameter(b, name, "weight", slot), bias = bias_of(b, name, true, 4 * U);
    const hiss_value both = hiss_graph_concat(b->graph, 2, (const hiss_value[]){x, *hidden});
    const hiss_value gates = hiss_graph_linear(b->graph, both, w, bias);
    *cell = hiss_graph_lstm_cell(b->graph, gates, *cell);
    *hidden = hiss_graph_lstm_output(b->graph, gates, *cell);
    return *hidden;
}

hiss_value hiss_layer_unit_rows(hiss_builder *b, const char *name, int64_t K, int64_t D) {
    hiss_graph_scope(b->graph, name);
    const hiss_slot slot = {.shape = HISS_SHAPE(K, D), .deviation = sqrt(1.0 / (double)D)};
    return hiss_graph_l2_normalize(b->graph, parameter(b, name, "weight", slot));
}

/* A row [F] of parameters as [M,F], for x [M,F]. */
static hiss_value repeated(hiss_builder *b, hiss_value x, hiss_value row) {
    const hiss_shape shape = hiss_graph_shape(b->graph, x);
    const hiss_value column = hiss_graph_filled(b->graph, HISS_SHAPE(shape.dim[0], 1), 1.0f);
    return hiss_graph_linear(b->graph, column, row, -1);
}

hiss_value hiss_layer_gain(hiss_builder *b, const char *name, hiss_value x) {
    hiss_graph_scope(b->graph, name);
    if (!has_ndim(b, x, 2)) {
        return -1;
    }
    const int64_t F = hiss_graph_shape(b->graph, x).dim[1];
    const hiss_value gain = parameter(b, name, "gain", (hiss_slot){.shape = HISS_SHAPE(F, 1), .constant = 1.0});
    return hiss_graph_multiply(b->graph, x, repeated(b, x, gain));
}

hiss_value hiss_layer_shift(hiss_builder *b, const char *name, hiss_value x) {
    hiss_graph_scope(b->graph, name);
    if (!has_ndim(b, x, 2)) {
        return -1;
    }
    const int64_t F = hiss_graph_shape(b->graph, x).dim[1];
    const hiss_value bias = bias_of(b, name, true, F);
    return bias < 0 ? -1
                    : hiss_graph_add(b->graph, x, repeated(b, x, hiss_graph_reshape(b->graph, bias, HISS_SHAPE(F, 1))));
}

hiss_value hiss_layer_parameter(hiss_builder *b, const char *name, const char *part, hiss_shape shape, double start) {
    return parameter(b, name, part, (hiss_slot){.shape = shape, .constant = start});
}

hiss_value hiss_layer_buffer(hiss_builder *b, const char *name, const char *part, hiss_shape shape) {
    const int slot = slot_of(b, name, part, (hiss_slot){.kind = HISS_SLOT_BUFFER, .shape = shape, .group = b->group});
    return slot < 0 ? -1 : hiss_graph_parameter(b->graph, slot, shape, false);
}

static int statistic(hiss_builder *b, const char *name, const char *part, int64_t C, double start) {
    const hiss_slot slot = {.kind = HISS_SLOT_BUFFER, .shape = HISS_SHAPE(C), .constant = start, .group = b->group};
    return slot_of(b, name, part, slot);
}

/* gamma, beta: -1, none. keeps: training records its statistics, unless another phase of the step does. */
static hiss_value normalize(hiss_builder *b, const char *name, hiss_value x, hiss_value gamma, hiss_value beta,
                            bool keeps) {
    const hiss_shape shape = hiss_graph_shape(b->graph, x);
    const int64_t C = shape.dim[shape.ndim - 1], values = hiss_shape_count(&shape) / C;
    int mean = statistic(b, name, "mean", C, 0.0), variance = statistic(b, name, "variance", C, 1.0);
    if (mean < 0 || variance < 0) {
        return -1;
    }
    const bool training = b->training && !hiss_model_at(b->model, mean)->frozen;
    if (training && values < 2) {
        hiss_graph_fail(b->graph,
                        "batch_norm has 1 value per channel to normalise (1 sample of 1 position), and makes it 0 "
                        "whatever it is; set train.lane_samples to 2 or more (8 or more to learn well)");
        return -1;
    }
    if (training && (!keeps || !trains(b, mean))) {
        mean = variance = HISS_NO_SLOT;
    }
    return hiss_graph_batch_norm(b->graph, x, gamma, beta, mean, variance, HISS_NORM_EPSILON, training);
}

hiss_value hiss_layer_batch_norm(hiss_builder *b, const char *name, hiss_value x) {
    hiss_graph_scope(b->graph, name);
    if (x < 0) {
        return -1;
    }
    const hiss_shape shape = hiss_graph_shape(b->graph, x);
    const int64_t C = shape.dim[shape.ndim - 1];
    const hiss_value gamma = parameter(b, name, "gamma", (hiss_slot){.shape = HISS_SHAPE(C), .constant = 1.0});
    const hiss_value beta = parameter(b, name, "beta", (hiss_slot){.shape = HISS_SHAPE(C)});
    return gamma < 0 || beta < 0 ? -1 : normalize(b, name, x, gamma, beta, true);
}

hiss_value hiss_layer_normalize(hiss_builder *b, const char *name, hiss_value x, bool keeps) {
    hiss_graph_scope(b->graph, name);
    return x < 0 ? -1 : normalize(b, name, x, -1, -1, keeps);
}

hiss_value hiss_layer_dropout(hiss_builder *b, hiss_value x, double probability) {
    return b->training ? hiss_graph_dropout(b->graph, x, probability) : x;
}

hiss_value hiss_layer_sobel(hiss_builder *b, hiss_value x) {
    static const float dx[9] = {-1, 0, 1, -2, 0, 2, -1, 0, 1}, dy[9] = {-1, -2, -1, 0, 0, 0, 1, 2, 1};
    enum { MAX_CHANNELS = 16 };
    float w[2 * 9 * MAX_CHANNELS];
    hiss_graph_scope(b->graph, "sobel");
    if (!has_ndim(b, x, 4)) {
        return -1;
    }
    const int64_t C = hiss_graph_shape(b->graph, x).dim[3];
    if (C > MAX_CHANNELS) {
        char text[64];
        snprintf(text, sizeof text, "takes images of at most %d channels, got %lld", MAX_CHANNELS, (long long)C);
        hiss_graph_fail(b->graph, text);
        return -1;
    }
    for (int64_t i = 0; i < 9 * C; i++) {
        w[i] = dx[i / C] / (float)C;
        w[9 * C + i] = dy[i / C] / (float)C;
    }
    return hiss_graph_conv2d(b->graph, x, hiss_graph_constant(b->graph, HISS_SHAPE(2, 3, 3, C), w), -1, 1, 1);
}

void hiss_layer_own_gradient(hiss_builder *b, const char *slot) {
    const int number = hiss_model_find(b->model, slot);
    assert(number >= 0);
    if (trains(b, number)) {
        hiss_graph_own_gradient(b->graph, number);
    }
}

void hiss_layer_metric(hiss_builder *b, const char *name, hiss_value value) {
    const int slot =
        hiss_model_slot(b->model, &(hiss_slot){.name = name, .kind = HISS_SLOT_METRIC, .shape = HISS_SHAPE(1)});
    hiss_graph_metric(b->graph, slot, value);
}
