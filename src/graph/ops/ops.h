/* Private to src/graph: the rows of the operation table, and what several operations share. */
#ifndef HISS_GRAPH_OPS_H
#define HISS_GRAPH_OPS_H

#include "graph/graph_impl.h"

#define OP(name) extern const op graph_op_##name;
#include "graph/ops/list.h"
#undef OP

const op *graph_op_at(int i); /* row i of hiss_op_count() */

/* ---- rules.c: shapes, costs and more ---- */

const char *graph_same_shape(hiss_graph *graph, node *n);
double graph_elementwise_flops(const node *n);
bool graph_equal_attributes(const node *a, const node *b); /* without padding */
/* Of the row's activation. */
typedef struct activation_attributes {
    float slope;
} activation_attributes; /* absent: the activation has none */
void graph_activation_forward(const op_call *call);
void graph_activation_backward(const op_call *call);
void graph_activation_form(const node *n, hiss_node_form *out);
/* Of operations whose attributes begin with a hiss_conv. */
hiss_conv graph_conv_product(const node *n);
void graph_conv_form(const node *n, hiss_node_form *out);
int64_t graph_conv_scratch(const node *n, const hiss_kernels *kernels);
int64_t graph_argmax_floats(const hiss_pooling *p); /* that argmax of max pooling takes */
double graph_conv_flops(const node *n);
/* Sums scale * sum f(a, b) over the elements of two equal shapes. */
typedef struct pair_attributes {
    float scale;
} pair_attributes;
const char *graph_pair_loss_shape(hiss_graph *graph, node *n);
hiss_value graph_append_pair_loss(hiss_graph *graph, const op *loss, hiss_value a, hiss_value b, double scale);
void graph_pair_loss_example(hiss_graph *g, const op *loss, int variant);
const char *graph_lstm_shape(hiss_graph *graph, node *n); /* lstm_cell.c: gates [..,4H], cells [..,H] -> [..,H] */
void graph_pool_form(const node *n, hiss_node_form *out);
const char *graph_pool_shape(hiss_graph *graph, node *n); /* fills in the hiss_pooling that the attributes are */
/* The join of max_pool: a convolution that pools. */
hiss_value graph_join_max_pool(hiss_graph *graph, const node *before, const node *pool);
/* ---- sparse_steps.c ---- */

typedef void graph_gram(const void *user, const float *y, float *product); /* D^T D y */
/* Sparse codes z [count] of signal D^T x by how->steps steps from 0, where bound is no less than the largest eigenvalue
 * of D^T D; y and product [count] are scratch. */
void graph_sparse_steps(const hiss_sparse_inference *how, double bound, int64_t count, const float *signal,
                        graph_gram *gram, const void *user, float *y, float *product, float *z);
double graph_largest_row_sum(int64_t rows, int64_t columns, const float *a); /* of absolute values */

#define GRAPH_LEAF_EXEMPT "a leaf: it has no inputs"

/* ---- example.c: small graphs for the gradient check, with odd shapes that change by variant ---- */

/* Parameters of an example take slots 0, 1, 2 ... in order of use. */
hiss_value graph_example_slot(hiss_graph *g, int number, hiss_shape shape);
/* A loss that weights every element of y differently, so that no gradient is lost by symmetry. */
void graph_example_weigh(hiss_graph *g, hiss_value y);

#endif
