/* Private to src/graph: the functions behind the rows of layers in op_table.c. */
#ifndef HISS_GRAPH_OP_LAYERS_H
#define HISS_GRAPH_OP_LAYERS_H

#include "graph/graph_impl.h"

const char *hiss_conv2d_shape(hiss_graph *graph, node *n);
void hiss_conv2d_forward(const op_call *call);
void hiss_conv2d_backward(const op_call *call);
int64_t hiss_conv2d_scratch_floats(const node *n, const hiss_kernels *kernels);
double hiss_conv2d_flops(const node *n);
const char *hiss_conv2d_transposed_shape(hiss_graph *graph, node *n);
void hiss_conv2d_transposed_forward(const op_call *call);
void hiss_conv2d_transposed_backward(const op_call *call);
int64_t hiss_conv2d_transposed_scratch(const node *n, const hiss_kernels *kernels);
hiss_conv hiss_conv2d_product(const node *n);
hiss_conv hiss_linear_product(const node *n);
void hiss_batch_norm_record(const op_call *call);
bool hiss_batch_norm_records(const node *n, int slot);
const char *hiss_linear_shape(hiss_graph *graph, node *n);
int64_t hiss_linear_scratch_floats(const node *n, const hiss_kernels *kernels);
void hiss_linear_forward(const op_call *call);
void hiss_linear_backward(const op_call *call);
double hiss_linear_flops(const node *n);
const char *hiss_batch_norm_shape(hiss_graph *graph, node *n);
int64_t hiss_batch_norm_save(const node *n);
int64_t hiss_batch_norm_scratch(const node *n, const hiss_kernels *kernels);
void hiss_batch_norm_train_forward(const op_call *call);
void hiss_batch_norm_train_backward(const op_call *call);
void hiss_batch_norm_eval_forward(const op_call *call);
const char *hiss_pool_shape(hiss_graph *graph, node *n);
int64_t hiss_max_pool_save(const node *n);
void hiss_max_pool_forward(const op_call *call);
void hiss_max_pool_backward(const op_call *call);
void hiss_average_pool_forward(const op_call *call);
void hiss_average_pool_backward(const op_call *call);

#endif
