/* A model of ONNX, operator set 17 (onnx.proto of the ONNX project, whose field numbers are those below). Parameters keep
 * their names; what a node gives is called "/N", N its place in the graph, or by its layer where it is an output. */
#include <string.h>

#include "export/onnx_impl.h"

enum { IR_VERSION = 8, OPERATOR_SET = 17 };
enum { MODEL_IR = 1, MODEL_PRODUCER = 2, MODEL_GRAPH = 7, MODEL_OPERATORS = 8, MODEL_NOTE = 14 };
enum { GRAPH_NAME = 2, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12, FLOAT32 = 1 };

static bool is_leaf(const export_node *n) {
    return n->form.inputs == 0;
}

/* per: rows for each image, where they depend on N; else 0. */
static void put_value(export_onnx *w, int field, const char *name, const hiss_shape *shape, int64_t per) {
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

static void put_output(export_onnx *w, int k) {
    const hiss_program_options *o = &w->p->options;
    const hiss_tap *tap = &o->taps->tap[o->output[k]];
    const export_node *n = &w->p->node[tap->value];
    if (is_leaf(n) || strcmp(export_onnx_layer_of(w, tap->value), tap->name) != 0) {
        const char *from = export_onnx_value_of(w, tap->value);
        export_onnx_begin(w, "Identity");
        export_onnx_input(w, from);
        export_onnx_output(w, tap->name);
    }
    const hiss_shape shape = export_channels_second_shape(&n->form.shape);
    put_value(w, GRAPH_OUTPUT, tap->name, &shape, n->batched ? shape.dim[0] / o->m : 0);
}

static void put_graph(export_onnx *w) {
    const hiss_program *p = w->p;
    const hiss_center *c = p->options.preprocesses ? p->options.center : NULL;
    const hiss_value image = hiss_graph_input_named(p->options.graph, "image");
    hiss_shape shape = export_channels_second_shape(&p->node[image].form.shape);
    if (c) {
        shape = HISS_SHAPE(p->options.m, c->C, c->H, c->W);
        export_onnx_preprocess(w, c);
    }
    export_put_text(&w->graph, GRAPH_NAME, "encoder");
    put_value(w, GRAPH_INPUT, export_onnx_image_name(w), &shape, 1);
    for (int i = 0; i < p->count; i++) {
        const export_node *n = &p->node[i];
        const int x = n->form.inputs > 0 ? n->form.input[0] : -1;
        if (n->live && !(x >= 0 && p->node[x].folded == i)) {
            export_onnx_node(w, i);
        }
    }
    for (int k = 0; k < p->options.outputs; k++) {
        put_output(w, k);
    }
}

static void put_model(export_onnx *w, FILE *stream) {
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
        if (n->live && !export_onnx_has(n->form.op) && !slot && !n->form.constant && !n->form.name) {
            return export_refuse(p, i, "ONNX has no counterpart that is known here", err);
        }
    }
    if (floats > INT64_C(0x1f000000)) {
        return hiss_fail(err, HISS_EUSER,
                         "the encoder has %lld parameters, and a file of ONNX holds 2 GiB; export to torch",
                         (long long)floats);
    }
    export_onnx w = {.p = p, .written = hiss_new(bool, hiss_model_count(p->options.model) + 1)};
    export_message_begin(&w.graph);
    put_graph(&w);
    put_model(&w, stream);
    hiss_free(w.written);
    return HISS_OK;
}
