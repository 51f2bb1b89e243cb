/* Private to src/graph: where everything of one exec lives. All offsets count floats from the exec's memory. */
#ifndef HISS_GRAPH_PLAN_H
#define HISS_GRAPH_PLAN_H

#include "graph/graph_impl.h"

typedef struct node_plan {
    int root;                         /* node whose memory holds this node's gradient */
    int data_root;                    /* node whose memory holds this node's output */
    bool active;                      /* takes part in backward */
    int in_place;                     /* the input whose dx overwrites dy; -1: none */
    bool accumulate[HISS_MAX_INPUTS]; /* a later node has written this gradient already */
    int64_t data, gradient, save;     /* offsets; -1: none */
    int64_t scratch[2];               /* of forward, of backward */
} node_plan;

typedef struct plan {
    node_plan *nodes; /* one per node of the graph */
    int64_t kept;     /* floats, from 0: what lives on both sides of the cut; 0 when not split */
    int64_t total;    /* floats in all */
} plan;

plan graph_plan_create(const hiss_graph *graph, const hiss_kernels *kernels, bool split);
/* Which nodes backward visits: they want a gradient and lead to the loss. active[count]. */
void graph_plan_active(const hiss_graph *graph, bool *active);

#endif
