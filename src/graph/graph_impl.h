/* Private to src/graph: nodes and the operation table. */
#ifndef HISS_GRAPH_IMPL_H
#define HISS_GRAPH_IMPL_H

#include "hiss/alloc.h"
#include "hiss/graph.h"

typedef struct node node;

/* Everything one execution of one node may touch. dx[i] is NULL when input i needs no gradient. */
typedef struct op_call {
    const hiss_kernels *kernels;
    const node *node;
    const hiss_exec_context *run;
    const float *x[HISS_MAX_INPUTS]; /* NULL for an absent optional input */
    float *y;
    const float *dy;
    float *dx[HISS_MAX_INPUTS];
    bool accumulate[HISS_MAX_INPUTS];
    float *save, *scratch;
    const int64_t *slot_offset;
} op_call;

/* Where a node's output lies: in the exec's memory, in the model vector at its slot (and its gradient in the lane
 * vector), or in the graph as a constant. */
typedef enum op_home { HOME_EXEC, HOME_MODEL, HOME_GRAPH } op_home;

/* A row of the operation table. What is special about an operation is a field here, and never its name in the code
 * that builds, plans and runs graphs. NULL, 0 and false mean: none, the common case. */
typedef struct op {
    const char *name;
    size_t attributes; /* bytes of its attributes: a struct of its own, which graph_append copies */
    /* Output shape from inputs and attributes; returns a text (static or in the graph's arena) on a mismatch. May
     * write to the attributes what follows from the shapes. */
    const char *(*shape)(hiss_graph *graph, node *n);
    void (*forward)(const op_call *call);
    /* Writes dx[0], dx[1] ... in this order: when two inputs are one value, the second adds to the first. */
    void (*backward)(const op_call *call);
    int64_t (*save)(const node *n);                                 /* floats kept from forward to backward */
    int64_t (*scratch)(const node *n, const hiss_kernels *kernels); /* floats of scratch in either direction */
    double (*flops)(const node *n);                                 /* of forward; backward costs this per gradient */
    unsigned needs_input;                                           /* bit i: backward reads input i */
    bool needs_output;                                              /* backward reads the output */
    bool view;           /* output shares the input's memory, and its gradient */
    unsigned in_place;   /* bit i: output may overwrite input i, and its dx dy, when nobody else needs them */
    bool stops_gradient; /* what comes before gets none through it */
    /* Whether forward computes the same at two nodes of the row whose inputs are equal; NULL: nobody knows. */
    bool (*equal)(const node *a, const node *b);
    bool leaf; /* has no inputs: its output is there before forward, and lives as long as the run */
    op_home home;
    /* Replace the last two nodes, one before this and this, its only reader, by one that does the work of both; -1, and
     * nothing is changed, where there is none. */
    hiss_value (*join)(hiss_graph *graph, const node *before, const node *n);
    /* The convolution or linear layer that it computes: the node gets kernels chosen for that shape. */
    hiss_conv (*product)(const node *n);
    bool product_is_linear;
    hiss_activation activation; /* of those computed by graph_activation_forward and _backward */
    /* Statistics: writes to the lane vector what forward left in `save`, and which slots these are. */
    void (*record)(const op_call *call);
    bool (*records)(const node *n, int slot);
    /* Fills in what hiss_node_form has of the attributes; NULL: there are none that another program must know. */
    void (*form)(const node *n, hiss_node_form *out);
    hiss_word word;                                  /* build NULL: none */
    void (*example)(hiss_graph *graph, int variant); /* for the gradient check */
    const char *exempt;                              /* why there is no gradient check */
} op;

struct node {
    const op *op;
    void *attributes; /* in the graph's arena */
    const char *scope, *name;
    hiss_value input[HISS_MAX_INPUTS];
    int inputs;
    hiss_shape shape;
    hiss_shape in[HISS_MAX_INPUTS]; /* shapes of the inputs; ndim 0 when absent */
    int twin;                       /* the first node whose output is the same, by construction; mostly this one */
    int slot;                       /* of HOME_MODEL */
    const float *constant;          /* of HOME_GRAPH */
    bool wants_gradient, keep;
};

typedef struct metric {
    int slot;
    hiss_value value;
} metric;

struct hiss_graph {
    hiss_arena *arena;
    node *nodes;
    int count, capacity;
    metric *metrics;
    int metric_count, metric_capacity;
    int *own, own_count, own_capacity; /* slots of hiss_graph_own_gradient */
    const char *scope;
    hiss_value loss;
    int cut;
    hiss_error error;
};

/* Append a node: op, inputs (-1: absent) and attributes are set in `draft`; attributes are copied, shapes inferred. */
hiss_value graph_append(hiss_graph *graph, node draft);

#endif
