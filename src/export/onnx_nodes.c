/* Nodes and initializers of a graph of ONNX; the numbers of fields are those of its onnx.proto. */
#include <stdlib.h>

#include "export/onnx_impl.h"

enum { GRAPH_NODE = 1, GRAPH_INITIALIZER = 5 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_TYPE = 4, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_FLOAT = 2, ATTRIBUTE_INT = 3, ATTRIBUTE_INTS = 8, ATTRIBUTE_TYPE = 20 };
enum { TYPE_FLOAT = 1, TYPE_INT = 2, TYPE_INTS = 7 }; /* of attributes */
enum { TENSOR_DIM = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_BYTES = 9, FLOAT32 = 1, INT64 = 7 };

/* ---- nodes ---- */

void export_onnx_begin(export_onnx *w, const char *type) {
    export_message_begin(&w->node);
    export_put_text(&w->node, NODE_TYPE, type);
}

void export_onnx_input(export_onnx *w, const char *name) {
    export_put_text(&w->node, NODE_INPUT, name);
}

void export_onnx_output(export_onnx *w, const char *name) {
    export_put_text(&w->node, NODE_OUTPUT, name);
    export_put_text(&w->node, NODE_NAME, name);
    export_put_message(&w->graph, GRAPH_NODE, &w->node);
}

void export_onnx_put_int(export_onnx *w, const char *name, int64_t value) {
    export_message a;
    export_message_begin(&a);
    export_put_text(&a, ATTRIBUTE_NAME, name);
    export_put_int(&a, ATTRIBUTE_INT, value);
    export_put_int(&a, ATTRIBUTE_TYPE, TYPE_INT);
    export_put_message(&w->node, NODE_ATTRIBUTE, &a);
}

void export_onnx_put_float(export_onnx *w, const char *name, double value) {
    export_message a;
    export_message_begin(&a);
    export_put_text(&a, ATTRIBUTE_NAME, name);
    export_put_float(&a, ATTRIBUTE_FLOAT, (float)value);
    export_put_int(&a, ATTRIBUTE_TYPE, TYPE_FLOAT);
    export_put_message(&w->node, NODE_ATTRIBUTE, &a);
}

void export_onnx_put_ints(export_onnx *w, const char *name, int count, const int64_t *values) {
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

static void put_tensor(export_onnx *w, const char *name, int type, const hiss_shape *shape, export_message *bytes) {
    export_message t;
    begin_tensor(&t, name, type, shape);
    export_message_end(bytes);
    export_put_bytes(&t, TENSOR_BYTES, bytes->bytes, bytes->count);
    free(bytes->bytes);
    export_put_message(&w->graph, GRAPH_INITIALIZER, &t);
}

void export_onnx_floats(export_onnx *w, const char *name, const hiss_shape *shape, const float *values) {
    export_message bytes;
    export_message_begin(&bytes);
    export_floats(bytes.stream, hiss_shape_count(shape), values);
    put_tensor(w, name, FLOAT32, shape, &bytes);
}

/* Returns name. */
const char *export_onnx_whole(export_onnx *w, const char *name, int count, const int64_t *values) {
    export_message bytes;
    export_message_begin(&bytes);
    for (int k = 0; k < count; k++) {
        export_number(bytes.stream, (uint64_t)values[k], 8);
    }
    put_tensor(w, name, INT64, &HISS_SHAPE(count), &bytes);
    return name;
}

void export_onnx_array(export_onnx *w, const char *name, const hiss_shape *shape, const float *values) {
    const hiss_shape turned = export_channels_second_shape(shape);
    float *copy = hiss_new(float, hiss_shape_count(shape));
    export_channels_second(shape, values, copy);
    export_onnx_floats(w, name, &turned, copy);
    hiss_free(copy);
}

const char *export_onnx_slot_of(export_onnx *w, int number) {
    const hiss_slot *slot = hiss_model_at(w->p->options.model, number);
    if (!w->written[number]) {
        export_onnx_array(w, slot->name, &slot->shape, export_slot_values(w->p, number));
        w->written[number] = true;
    }
    return slot->name;
}

static void put_scalar(export_onnx *w, const char *name, double value) {
    export_onnx_floats(w, name, &(hiss_shape){0}, &(float){(float)value});
}

void export_onnx_with_scalar(export_onnx *w, const char *type, const char *x, const char *out, double value) {
    const char *number = hiss_arena_format(w->p->arena, "/%s/number", out);
    put_scalar(w, number, value);
    export_onnx_begin(w, type);
    export_onnx_input(w, x);
    export_onnx_input(w, number);
    export_onnx_output(w, out);
}

void export_onnx_two(export_onnx *w, const char *type, const char *a, const char *b, const char *out) {
    export_onnx_begin(w, type);
    export_onnx_input(w, a);
    export_onnx_input(w, b);
    export_onnx_output(w, out);
}

/* ---- values ---- */

const char *export_onnx_numbered(const export_onnx *w, int value, const char *part) {
    return hiss_arena_format(w->p->arena, "/%d%s", value, part);
}

/* The layer of which the value is an output; NULL: none, or more is to be done with it. */
const char *export_onnx_layer_of(const export_onnx *w, int value) {
    const hiss_program_options *o = &w->p->options;
    for (int k = 0; k < o->outputs; k++) {
        if (o->taps->tap[o->output[k]].value == value) {
            return o->taps->tap[o->output[k]].name;
        }
    }
    return NULL;
}

/* Of the input of the model: "image", unless a layer has that name. */
const char *export_onnx_image_name(const export_onnx *w) {
    return hiss_taps_find(w->p->options.taps, "image") < 0 ? "image" : "input";
}

const char *export_onnx_value_of(export_onnx *w, int value) {
    const export_node *n = &w->p->node[value];
    const char *layer = export_onnx_layer_of(w, value);
    return export_slot(w->p, value) ? export_onnx_slot_of(w, n->form.slot)
           : n->form.name           ? (w->p->options.preprocesses ? "/image" : export_onnx_image_name(w))
           : n->form.constant       ? export_onnx_numbered(w, value, "")
           : layer                  ? layer
                                    : export_onnx_numbered(w, value, "");
}

/* Input k of the node; where it is absent, nothing. */
void export_onnx_input_of(export_onnx *w, const export_node *n, int k) {
    if (k < n->form.inputs && n->form.input[k] >= 0) {
        export_onnx_input(w, export_onnx_value_of(w, n->form.input[k]));
    }
}
