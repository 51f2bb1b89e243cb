/* Private to src/graph: the functions behind the rows of simple operations in op_table.c. */
#ifndef HISS_GRAPH_OP_SIMPLE_H
#define HISS_GRAPH_OP_SIMPLE_H

#include "graph/graph_impl.h"

void hiss_activation_forward(const op_call *call);
void hiss_activation_backward(const op_call *call);
const char *hiss_dropout_shape(hiss_graph *graph, node *n);
int64_t hiss_dropout_save(const node *n);
void hiss_dropout_forward(const op_call *call);
void hiss_dropout_backward(const op_call *call);
const char *hiss_reshape_shape(hiss_graph *graph, node *n);
const char *hiss_l2_normalize_shape(hiss_graph *graph, node *n);
int64_t hiss_l2_normalize_save(const node *n);
void hiss_l2_normalize_forward(const op_call *call);
void hiss_l2_normalize_backward(const op_call *call);
void hiss_multiply_forward(const op_call *call);
void hiss_multiply_backward(const op_call *call);
const char *hiss_softmax_cross_entropy_shape(hiss_graph *graph, node *n);
int64_t hiss_softmax_cross_entropy_save(const node *n);
void hiss_softmax_cross_entropy_forward(const op_call *call);
void hiss_softmax_cross_entropy_backward(const op_call *call);
const char *hiss_squared_loss_shape(hiss_graph *graph, node *n);
void hiss_squared_loss_forward(const op_call *call);
void hiss_squared_loss_backward(const op_call *call);

#endif
