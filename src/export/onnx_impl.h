/* Private to src/export: a graph of ONNX that is being written. */
#ifndef HISS_ONNX_IMPL_H
#define HISS_ONNX_IMPL_H

#include "export/export_impl.h"
#include "export/program_impl.h"
#include "export/protobuf.h"

typedef struct export_onnx {
    const hiss_program *p;
    export_message graph, node;
    bool *written; /* [slots]: it is among the initializers */
} export_onnx;

/* ---- onnx_nodes.c ---- */

/* A node: begin, then its inputs and attributes, then its one output, whose name is the node's, too. */
void export_onnx_begin(export_onnx *w, const char *type);
void export_onnx_input(export_onnx *w, const char *name);
void export_onnx_output(export_onnx *w, const char *name);
void export_onnx_put_int(export_onnx *w, const char *name, int64_t value);
void export_onnx_put_float(export_onnx *w, const char *name, double value);
void export_onnx_put_ints(export_onnx *w, const char *name, int count, const int64_t *values);
/* Whole nodes: of two inputs, of one and a number. */
void export_onnx_two(export_onnx *w, const char *type, const char *a, const char *b, const char *out);
void export_onnx_with_scalar(export_onnx *w, const char *type, const char *x, const char *out, double value);

/* Initializers: values as they are, whole numbers, and values of [N,H,W,C] as [N,C,H,W]. */
void export_onnx_floats(export_onnx *w, const char *name, const hiss_shape *shape, const float *values);
const char *export_onnx_whole(export_onnx *w, const char *name, int count, const int64_t *values);
void export_onnx_array(export_onnx *w, const char *name, const hiss_shape *shape, const float *values);
/* The name of a slot, which is written at its first use. */
const char *export_onnx_slot_of(export_onnx *w, int number);

/* Names: "/N" and a part of it; the first output that a value is, or NULL; of the model's input; of a value; and input k
 * of the node, where it is not absent. */
const char *export_onnx_numbered(const export_onnx *w, int value, const char *part);
const char *export_onnx_layer_of(const export_onnx *w, int value);
const char *export_onnx_image_name(const export_onnx *w);
const char *export_onnx_value_of(export_onnx *w, int value);
void export_onnx_input_of(export_onnx *w, const export_node *n, int k);

/* ---- onnx_operations.c, onnx_preprocess.c ---- */

bool export_onnx_has(const char *op);
void export_onnx_node(export_onnx *w, int i);
/* From the model's input to "/image". */
void export_onnx_preprocess(export_onnx *w, const hiss_center *c);

#endif
