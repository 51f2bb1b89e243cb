/* Graphs: static computations with reverse-mode differentiation.
 *
 * A graph is built once per (model, objective, phase) by calling the functions below, each of which appends one node
 * and checks shapes. Building computes nothing. hiss_exec_create plans all memory (values, gradients, saved state,
 * scratch) by lifetime; running allocates nothing. One exec runs one lane at a time, on one thread.
 *
 * Parameters, their gradients and BatchNorm statistics are not in the exec: they are slots of two flat vectors of
 * equal layout, the model vector (values) and the lane vector (this lane's contributions), addressed by slot number.
 * Nothing here is collective. */
#ifndef HISS_GRAPH_H
#define HISS_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "hiss/kernels.h"
#include "hiss/status.h"
#include "hiss/tensor.h"

typedef struct hiss_graph hiss_graph;
typedef int hiss_value; /* a node's output; -1 after an error */
enum { HISS_MAX_INPUTS = 16, HISS_NO_SLOT = -1 };

hiss_graph *hiss_graph_create(void);
void hiss_graph_destroy(hiss_graph *graph);

/* Errors stick: the first failing node records its text, later calls return -1 at once. */
hiss_status hiss_graph_status(const hiss_graph *graph, hiss_error *err);
void hiss_graph_fail(hiss_graph *graph, const char *text); /* record an error from outside, e.g. a layer's own check */
/* Name for the nodes that follow, in messages and tables (copied): "conv1". */
void hiss_graph_scope(hiss_graph *graph, const char *name);

/* ---- leaves ---- */

/* An array the caller fills before forward, found again by name. numbers: int32; labels: int32 [M]. */
hiss_value hiss_graph_input(hiss_graph *graph, const char *name, hiss_shape shape);
hiss_value hiss_graph_input_numbers(hiss_graph *graph, const char *name, hiss_shape shape);
hiss_value hiss_graph_input_labels(hiss_graph *graph, const char *name, int64_t M);
hiss_value hiss_graph_input_named(const hiss_graph *graph, const char *name); /* -1 when there is none */
/* The value of a slot. trainable: its gradient is computed into the lane vector. Using one slot several times sums. */
hiss_value hiss_graph_parameter(hiss_graph *graph, int slot, hiss_shape shape, bool trainable);
/* Fixed values, copied into the graph. */
hiss_value hiss_graph_constant(hiss_graph *graph, hiss_shape shape, const float *values);
hiss_value hiss_graph_filled(hiss_graph *graph, hiss_shape shape, float value); /* the same, all of one value */

/* ---- operations (shapes: see hiss/kernels.h) ---- */

hiss_value hiss_graph_conv2d(hiss_graph *graph, hiss_value x, hiss_value w, hiss_value bias /* or -1 */, int64_t stride,
                             int64_t pad);
/* Transposed convolution (the adjoint of conv2d with the same w): x[N,P,Q,F], w[F,R,S,C] -> y[N,H,W,C] with
 * H = (P - 1) stride - 2 pad + R + extra, 0 <= extra < stride. bias[C] or -1. */
hiss_value hiss_graph_conv2d_transposed(hiss_graph *graph, hiss_value x, hiss_value w, hiss_value bias, int64_t stride,
                                        int64_t pad, int64_t extra);
/* y[M,F] = x[M,D] w[F,D]^T + bias[F]. */
hiss_value hiss_graph_linear(hiss_graph *graph, hiss_value x, hiss_value w, hiss_value bias /* or -1 */);
/* y[M,D] = x[M,F] w[F,D] + bias[D]: back through the weights of a linear layer. */
hiss_value hiss_graph_linear_transposed(hiss_graph *graph, hiss_value x, hiss_value w, hiss_value bias /* or -1 */);
/* y[B,M,N] = a[B,M,K] b[B,K,N], pair by pair; transposed: of b[B,N,K]^T. */
hiss_value hiss_graph_batched_product(hiss_graph *graph, hiss_value a, hiss_value b, bool transposed);
/* Rows of table[V,D] by their numbers, int32 [...] of 0 .. V - 1 (asserted): y[..., D]. The gradient of a row that is
 * taken several times is summed in the order of y. */
hiss_value hiss_graph_gather(hiss_graph *graph, hiss_value table, hiss_value row);
/* BatchNorm over all but the last dimension. mean_slot, variance_slot: running statistics in the model vector; in
 * training this lane's own go to the lane vector (the mean over uses, when slots are shared; nowhere when both are
 * HISS_NO_SLOT), in evaluation the running ones are used. gamma, beta may be -1. */
hiss_value hiss_graph_batch_norm(hiss_graph *graph, hiss_value x, hiss_value gamma, hiss_value beta, int mean_slot,
                                 int variance_slot, double epsilon, bool training);
/* x[M,C] by mean and variance of the columns of reference[N,C], in training and evaluation alike. */
hiss_value hiss_graph_normalize_by(hiss_graph *graph, hiss_value x, hiss_value reference, double epsilon);
hiss_value hiss_graph_relu(hiss_graph *graph, hiss_value x);
hiss_value hiss_graph_sigmoid(hiss_graph *graph, hiss_value x);
hiss_value hiss_graph_tanh(hiss_graph *graph, hiss_value x);
hiss_value hiss_graph_exp(hiss_graph *graph, hiss_value x);
hiss_value hiss_graph_leaky_relu(hiss_graph *graph, hiss_value x, double slope);
/* x moved towards 0 by threshold, at least 0, and 0 where it would pass it. */
hiss_value hiss_graph_soft_threshold(hiss_graph *graph, hiss_value x, double threshold);
hiss_value hiss_graph_max_pool(hiss_graph *graph, hiss_value x, int64_t size, int64_t stride, int64_t pad);
hiss_value hiss_graph_average_pool(hiss_graph *graph, hiss_value x, int64_t size, int64_t stride, int64_t pad);
hiss_value hiss_graph_global_average_pool(hiss_graph *graph, hiss_value x); /* [N,H,W,C] -> [N,C] */
hiss_value hiss_graph_dropout(hiss_graph *graph, hiss_value x, double probability);
hiss_value hiss_graph_reshape(hiss_graph *graph, hiss_value x, hiss_shape shape); /* a view */
hiss_value hiss_graph_flatten(hiss_graph *graph, hiss_value x);                   /* [N, ...] -> [N, D], a view */
hiss_value hiss_graph_l2_normalize(hiss_graph *graph, hiss_value x);              /* rows of [M,D] */
hiss_value hiss_graph_add(hiss_graph *graph, hiss_value a, hiss_value b);
/* x_k[..., C_k] -> [..., sum of C_k], for 1 <= count <= HISS_MAX_INPUTS. */
hiss_value hiss_graph_concat(hiss_graph *graph, int count, const hiss_value *x);
/* Zeros before and after each dimension of x, before[ndim] and after[ndim]; negative numbers cut off so much. */
hiss_value hiss_graph_pad(hiss_graph *graph, hiss_value x, const int64_t *before, const int64_t *after);
/* Windows of x[N,H,W,C], side x side with zeros outside: [N,H*W*C,side*side]; side is odd. */
hiss_value hiss_graph_unfold(hiss_graph *graph, hiss_value x, int64_t side);
/* x[..., 2F] -> tanh(first F channels) sigmoid(the others), [..., F]. */
hiss_value hiss_graph_gated(hiss_graph *graph, hiss_value x);
/* a[N,H,W,C] + b[N,C], the same at every place of an image. */
hiss_value hiss_graph_add_to_maps(hiss_graph *graph, hiss_value a, hiss_value b);
hiss_value hiss_graph_multiply(hiss_graph *graph, hiss_value a, hiss_value b); /* elementwise */
hiss_value hiss_graph_scale(hiss_graph *graph, hiss_value x, double factor);
hiss_value hiss_graph_stop_gradient(hiss_graph *graph, hiss_value x); /* a view */
/* 1 where a < b, else 0, of equal shapes; no gradient passes. With uniform a it draws 1 with probability b. */
hiss_value hiss_graph_less(hiss_graph *graph, hiss_value a, hiss_value b);
hiss_value hiss_graph_softmax(hiss_graph *graph, hiss_value x); /* of the rows of [M,D] */
/* y = (z - m) v + m of z[M,D], with m = a0 sigmoid(s0 u + a1) + a2 u + a3 and v = a4 sigmoid(s1 u + a5) + a6 u + a7 of
 * u[M,D]: weights a[8,D], slopes s[2,D]. */
hiss_value hiss_graph_combinator(hiss_graph *graph, hiss_value z, hiss_value u, hiss_value weights, hiss_value slopes);
/* Sparse codes by a dictionary w, stopped: z that makes 1/2 |x - D z|^2 + lambda |z|_1 small, after so many steps from 0
 * whose size is safe for any w. x[M,D], w[K,D] -> z[M,K] with D z = z w; x[N,H,W,C], w[K,R,S,C] -> z[N,P,Q,K], the shape
 * of conv2d with stride 1, with D z = conv2d_transposed(z, w). pad is at most (R - 1) / 2, and (S - 1) / 2. */
typedef struct hiss_sparse_inference {
    double lambda;
    int64_t steps;
    bool momentum; /* FISTA; without it ISTA */
} hiss_sparse_inference;
hiss_value hiss_graph_sparse_code(hiss_graph *graph, hiss_value x, hiss_value w, const hiss_sparse_inference *how);
hiss_value hiss_graph_sparse_code_conv2d(hiss_graph *graph, hiss_value x, hiss_value w, int64_t pad,
                                         const hiss_sparse_inference *how);
/* Logits [M,D] of NADE (Larochelle & Murray 2011): y_i = visible_i + v_i . sigmoid(hidden + sum over k < i of
 * x_k w_k) of x[M,D], with w, v [D,H], hidden [H], visible [D]. */
hiss_value hiss_graph_nade(hiss_graph *graph, hiss_value x, hiss_value w, hiss_value v, hiss_value hidden,
                           hiss_value visible);
/* Hidden units [N,H,W,U] of a spatial LSTM on x[N,H,W,C] (Theis & Bethge 2015, section 2.2): states come from the left and
 * from above, and are 0 outside. weights [5U,C+2U] and biases [5U] of content, input, output, and what forgets the left and
 * what is above; columns are those of x, of h to the left, of h above. h at a place knows x there and of the places to the left
 * and above, no others. */
hiss_value hiss_graph_spatial_lstm(hiss_graph *graph, hiss_value x, hiss_value weights, hiss_value biases);
/* A step of long short-term memory, by elements, of gates [..,4H] before their activations, in the order i, f, g, o, and of what
 * the cell keeps [..,H]: what it keeps after the step, sigmoid(f) c + sigmoid(i) tanh(g); and what it then says, of that,
 * sigmoid(o) tanh(c). */
hiss_value hiss_graph_lstm_cell(hiss_graph *graph, hiss_value gates, hiss_value cell);
hiss_value hiss_graph_lstm_output(hiss_graph *graph, hiss_value gates, hiss_value cell);
/* Losses, of shape [1]. Cross-entropy is the mean over rows; squared loss is scale * sum (a - b)^2. */
hiss_value hiss_graph_softmax_cross_entropy(hiss_graph *graph, hiss_value x, hiss_value labels);
/* [M]: of each row the cross-entropy of target[M,D], 0 or more, and softmax(x[M,D]), in nats; targets get no
 * gradient. */
hiss_value hiss_graph_soft_cross_entropy(hiss_graph *graph, hiss_value x, hiss_value target);
hiss_value hiss_graph_dot(hiss_graph *graph, hiss_value a, hiss_value b, double scale); /* scale sum a b */
hiss_value hiss_graph_squared_loss(hiss_graph *graph, hiss_value a, hiss_value b, double scale);
hiss_value hiss_graph_absolute_loss(hiss_graph *graph, hiss_value a, hiss_value b,
                                    double scale); /* scale sum |a - b| */
/* scale * sum of -log p(target) of independent Bernoulli variables, target in 0..1, of any equal shapes. */
hiss_value hiss_graph_sigmoid_cross_entropy(hiss_graph *graph, hiss_value logits, hiss_value target, double scale);
/* scale * sum of |w| log(1 + e^(-sign(w) x)) of logits x and weights w of any equal shapes; weights get no gradient. */
hiss_value hiss_graph_logistic_loss(hiss_graph *graph, hiss_value logits, hiss_value weight, double scale);
/* scale * sum of -log p(x), in nats, of values x[M] by densities of mixtures of K logistic distributions; of each row
 * parameters[M,3K] are logits of the weights, means, and logarithms of the scales, which count as -9 below that. x gets no
 * gradient. */
hiss_value hiss_graph_mixture_of_logistics(hiss_graph *graph, hiss_value parameters, hiss_value x, double scale);
/* scale * sum of the divergence of N(mean, e^log_variance) from N(0, 1), of any equal shapes. */
hiss_value hiss_graph_gaussian_kl(hiss_graph *graph, hiss_value mean, hiss_value log_variance, double scale);
/* The same from N(prior_mean, e^prior_log_variance). */
hiss_value hiss_graph_gaussians_kl(hiss_graph *graph, hiss_value mean, hiss_value log_variance, hiss_value prior_mean,
                                   hiss_value prior_log_variance, double scale);

/* Let one node do the work of the last one and the one before, where an operation can do both; for the caller who
 * knows that nobody else will use the value between, which is gone then. Returns the value in place of `value`, the
 * last node's; `value` where nothing is joined. */
hiss_value hiss_graph_join(hiss_graph *graph, hiss_value value);

/* ---- roles of values ---- */

void hiss_graph_loss(hiss_graph *graph, hiss_value loss); /* what backward differentiates; shape [1]; at most one */
void hiss_graph_metric(hiss_graph *graph, int slot, hiss_value value); /* shape [1]: copied to the lane vector's slot */
/* The slot's gradient, or a part of it, is added to the lane vector after backward by whoever runs the graph. */
void hiss_graph_own_gradient(hiss_graph *graph, int slot);
void hiss_graph_keep(hiss_graph *graph, hiss_value value); /* stays readable until the exec's next forward */
/* Nodes appended so far can run before what follows: the place where an objective exchanges (see hiss/objective.h). */
void hiss_graph_cut(hiss_graph *graph);

/* ---- looking at a graph ---- */

int hiss_graph_nodes(const hiss_graph *graph);
int hiss_graph_cut_at(const hiss_graph *graph); /* number of nodes before the cut; all when there is none */
hiss_shape hiss_graph_shape(const hiss_graph *graph, hiss_value value);
bool hiss_graph_trains(const hiss_graph *graph, int slot);  /* its gradient is computed in this graph, or added to it */
bool hiss_graph_owns(const hiss_graph *graph, int slot);    /* see hiss_graph_own_gradient */
bool hiss_graph_records(const hiss_graph *graph, int slot); /* a statistic or metric this graph writes */
/* Index of the last node, in the order of backward, that adds to the slot's gradient or reads the slot; -1: none adds. When it
 * has run, the slot may change. */
int hiss_graph_final_node(const hiss_graph *graph, int slot);
typedef struct hiss_node_info {
    const char *op, *scope;
    hiss_shape shape;
    double forward_flops, backward_flops; /* multiply and add counted as 2 */
    double forward_bytes, backward_bytes; /* read and written, at least */
    bool differentiates;
    hiss_conv product; /* the convolution that is computed; linear as one of x[M,1,1,D], w[F,1,1,D]; N is 0 elsewhere */
} hiss_node_info;
hiss_node_info hiss_graph_node(const hiss_graph *graph, int node);

/* A node as another program would write it down: what its row of the table says of it. Pointers live as long as the
 * graph. */
typedef struct hiss_node_form {
    const char *op, *scope, *name; /* name: of an input, else NULL */
    int inputs;
    hiss_value input[HISS_MAX_INPUTS]; /* -1: absent */
    hiss_shape shape;
    int slot;                     /* of a parameter */
    const float *constant;        /* of a constant */
    hiss_conv conv;               /* of a transposed one: that from the output to the input */
    int64_t extra;                /* rows and columns of a transposed convolution */
    hiss_pooling pooling;         /* that of a convolution which pools, too */
    double number;                /* slope, threshold, factor, epsilon */
    int mean_slot, variance_slot; /* of BatchNorm's running statistics; HISS_NO_SLOT: none */
    bool kept;                    /* see hiss_graph_keep */
} hiss_node_form;
hiss_node_form hiss_graph_form(const hiss_graph *graph, int node);

/* ---- running ---- */

typedef struct hiss_exec hiss_exec;

/* Plan and allocate. slot_offset[slots]: place of each slot in model and lane vectors (kept by reference). */
hiss_exec *hiss_exec_create(const hiss_graph *graph, const hiss_kernels *kernels, const int64_t *slot_offset);
/* The same in two parts, for lanes that wait at the cut: `kept` is what an exec holds there; only one exec at a time
 * needs `passing`, while it runs to the cut or from there to the end of backward.
 *   kept  [parts.kept floats, aligned to 64 bytes], not owned */
typedef struct hiss_exec_parts {
    int64_t kept, passing; /* floats, multiples of 16 */
} hiss_exec_parts;
hiss_exec_parts hiss_graph_parts(const hiss_graph *graph, const hiss_kernels *kernels);
hiss_exec *hiss_exec_create_split(const hiss_graph *graph, const hiss_kernels *kernels, const int64_t *slot_offset,
                                  float *kept);
void hiss_exec_use(hiss_exec *exec, float *passing); /* not owned; before it runs, at the cut, or when it has run */
void hiss_exec_destroy(hiss_exec *exec);
int64_t hiss_exec_bytes(const hiss_exec *exec);
/* About what hiss_exec_create would allocate, without doing so. */
int64_t hiss_graph_bytes(const hiss_graph *graph, const hiss_kernels *kernels);
float *hiss_exec_data(hiss_exec *exec, hiss_value value); /* of an input, a kept value, or the loss */
/* Whether it has data of the value, kept or not: it has none of parameters, constants, and other shapes of these. */
bool hiss_exec_holds(const hiss_exec *exec, hiss_value value);

typedef struct hiss_exec_context { /* one lane at one step */
    const float *model;
    float *lane_vector; /* NULL for forward alone */
    uint64_t seed;      /* for dropout */
    int64_t step, lane, lanes;
} hiss_exec_context;

/* Called after each node of backward (and, in hiss_exec_forward, of forward when given). */
typedef void (*hiss_after_node)(void *user, int node);

/* Run nodes [begin, end). */
void hiss_exec_forward(hiss_exec *exec, const hiss_exec_context *run, int begin, int end, hiss_after_node after,
                       void *user);
/* Copy BatchNorm statistics and metrics of the last forward into run->lane_vector. */
void hiss_exec_record(hiss_exec *exec, const hiss_exec_context *run);
/* Gradients of all trainable slots into run->lane_vector (overwritten). */
void hiss_exec_backward(hiss_exec *exec, const hiss_exec_context *run, hiss_after_node after, void *user);

/* ---- words: how a network of YAML layers calls an operation (see hiss/nn.h) ---- */

enum { HISS_WORD_ARGUMENTS = 5 };
typedef struct hiss_word_argument {
    const char *key;
    double standard, min, max; /* standard below min: required */
    bool whole;                /* an integer; true or false when min is 0 and max 1 */
} hiss_word_argument;
typedef struct hiss_word {
    const char *word, *help; /* help: its arguments */
    int places;              /* takes up to so many names of earlier layers, as main argument; 0: none */
    hiss_word_argument argument[HISS_WORD_ARGUMENTS]; /* numbers; the first is the main argument when places is 0 */
    /* x[count]: the value before, then those of the places; a: the numbers. */
    hiss_value (*build)(hiss_graph *graph, int count, const hiss_value *x, const double *a);
    bool reshapes; /* changes nothing but the shape: what the layer before it named does not include it */
} hiss_word;
const hiss_word *hiss_op_word(int op); /* of operation 0 .. hiss_op_count() - 1; NULL when it has none */

/* ---- the operation table ---- */

/* Number of operations, their names, and an example graph of each for gradient checks: variant 0, 1, ... gives
 * different (odd) shapes; slots are numbered 0.. in order of use with the shapes found in the graph; loss is set.
 * Returns false when the operation has no gradient by design (leaves), with the reason. */
int hiss_op_count(void);
const char *hiss_op_name(int op);
bool hiss_op_example(int op, int variant, hiss_graph *graph, const char **exempt);

#endif
