/* Memory planning by lifetime.
 *
 * Time runs over forward (node i at time i) and backward (node i at time 2n-1-i). Every array (a node's output, its
 * gradient, its saved state) lives over a closed interval of times; arrays whose intervals are disjoint may share
 * memory. Placement is first fit, largest first, which is within a few per cent of the lower bound for layered nets.
 *
 * Outputs that share memory form a group with one root: views always, and operations marked in_place whose input
 * nobody else reads: then the input's gradient shares the output's gradient as well. The gradient of a group is
 * written by its consumers in the order of backward: the first overwrites, the others accumulate, which spares the
 * zeroing pass. Cost O(n^2) in the number of nodes, once. */
#include "graph/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

typedef struct interval {
    int64_t floats, from, to;
    int64_t *offset; /* out */
} interval;

enum { FLOATS_PER_LINE = 16 };

void graph_plan_active(const hiss_graph *graph, bool *active) {
    memset(active, 0, (size_t)graph->count * sizeof *active);
    if (graph->loss < 0) {
        return;
    }
    active[graph->loss] = graph->nodes[graph->loss].wants_gradient;
    for (int i = graph->count - 1; i >= 0; i--) {
        for (int k = 0; active[i] && k < graph->nodes[i].inputs; k++) {
            int x = graph->nodes[i].input[k];
            if (x >= 0 && graph->nodes[x].wants_gradient) {
                active[x] = true;
            }
        }
    }
}

static void choose_roots(const hiss_graph *graph, node_plan *np) {
    int *consumers = hiss_new(int, graph->count);
    for (int i = 0; i < graph->count; i++) {
        for (int k = 0; k < graph->nodes[i].inputs; k++) {
            if (graph->nodes[i].input[k] >= 0) {
                consumers[graph->nodes[i].input[k]]++;
            }
        }
    }
    for (int i = 0; i < graph->count; i++) {
        const node *n = &graph->nodes[i];
        const op *o = n->op;
        np[i].root = i;
        if (o->view) {
            np[i].root = np[n->input[0]].root;
        } else if (o->in_place) {
            int x = n->input[0];
            const op *producer = graph->nodes[x].op;
            if (consumers[x] == 1 && !producer->leaf && !producer->needs_output && !graph->nodes[x].keep &&
                np[x].root == x) {
                np[i].root = x;
                np[i].in_place = true;
            }
        }
    }
    hiss_free(consumers);
}

static void choose_accumulation(const hiss_graph *graph, node_plan *np) {
    bool *written = hiss_new(bool, graph->count); /* by root; parameters by the first node with their slot */
    for (int i = graph->count - 1; i >= 0; i--) {
        const node *n = &graph->nodes[i];
        for (int k = 0; np[i].active && k < n->inputs; k++) {
            int x = n->input[k];
            if (x < 0 || !np[x].active || n->op->view || (np[i].in_place && k == 0)) {
                continue;
            }
            int target = np[x].root;
            if (graph->nodes[target].op->home == HOME_MODEL) {
                int slot = graph->nodes[target].slot;
                for (target = 0; graph->nodes[target].op->home != HOME_MODEL || graph->nodes[target].slot != slot;) {
                    target++;
                }
            }
            np[i].accumulate[k] = written[target];
            written[target] = true;
        }
    }
    hiss_free(written);
}

static void extend(interval *v, int64_t from, int64_t to) {
    v->from = from < v->from ? from : v->from;
    v->to = to > v->to ? to : v->to;
}

/* Lifetimes of outputs [0, n), gradients [n, 2n), saved state [2n, 3n), scratch [3n]. */
static void find_lifetimes(const hiss_graph *graph, const hiss_kernels *kernels, node_plan *np, interval *v,
                           int64_t *scratch) {
    const int n = graph->count;
    const int64_t end = 2 * (int64_t)n;
    for (int i = 0; i < 3 * n; i++) {
        v[i] = (interval){.from = end, .to = -1};
    }
    v[3 * n] = (interval){.from = -1, .to = end, .offset = scratch};
    for (int i = 0; i < n; i++) {
        const node *m = &graph->nodes[i];
        const op *o = m->op;
        const int64_t backward = end - 1 - i;
        interval *data = &v[np[i].root], *gradient = &v[n + np[i].root];
        const int64_t count = hiss_shape_count(&m->shape);
        if (o->home == HOME_EXEC && np[i].root == i) {
            data->floats = count;
            data->offset = &np[i].data;
        }
        extend(data, o->leaf ? -1 : i, m->keep ? end : i);
        if (o->needs_output && np[i].active) {
            extend(data, i, backward);
        }
        if (np[i].active && graph->nodes[np[i].root].op->home != HOME_MODEL) {
            gradient->floats = count;
            gradient->offset = &np[np[i].root].gradient;
            extend(gradient, backward, backward);
        }
        for (int k = 0; k < m->inputs; k++) {
            if (m->input[k] >= 0) {
                const int root = np[m->input[k]].root;
                extend(&v[root], i, i);
                if (np[i].active && (o->needs_input >> k & 1)) {
                    extend(&v[root], i, backward);
                }
                if (np[i].active && np[m->input[k]].active) {
                    extend(&v[n + root], backward, backward);
                }
            }
        }
        if (o->save) {
            /* statistics are read by hiss_exec_record, after forward */
            const int64_t last = o->record ? n : i;
            v[2 * n + i] = (interval){o->save(m), i, np[i].active ? backward : last, &np[i].save};
        }
        const int64_t need = o->scratch ? o->scratch(m, kernels) : 0;
        v[3 * n].floats = need > v[3 * n].floats ? need : v[3 * n].floats;
    }
}

static int larger_first(const void *a, const void *b) {
    const interval *x = *(interval *const *)a, *y = *(interval *const *)b;
    if (x->floats != y->floats) {
        return x->floats < y->floats ? 1 : -1;
    }
    return (x > y) - (x < y);
}

static int64_t place(interval *v, int count) {
    interval **order = hiss_new(interval *, count + 1);
    int placed = 0, used = 0;
    for (int i = 0; i < count; i++) {
        if (v[i].floats > 0 && v[i].offset) {
            v[i].floats = (v[i].floats + FLOATS_PER_LINE - 1) / FLOATS_PER_LINE * FLOATS_PER_LINE;
            order[used++] = &v[i];
        }
    }
    qsort(order, (size_t)used, sizeof *order, larger_first);
    int64_t total = 0;
    for (; placed < used; placed++) {
        interval *x = order[placed];
        int64_t at = 0;
        for (bool moved = true; moved;) {
            moved = false;
            for (int j = 0; j < placed; j++) {
                const interval *y = order[j];
                bool together = x->from <= y->to && y->from <= x->to;
                if (together && at < *y->offset + y->floats && *y->offset < at + x->floats) {
                    at = *y->offset + y->floats;
                    moved = true;
                }
            }
        }
        *x->offset = at;
        total = at + x->floats > total ? at + x->floats : total;
    }
    hiss_free(order);
    return total;
}

plan graph_plan_create(const hiss_graph *graph, const hiss_kernels *kernels) {
    plan p = {.nodes = hiss_new(node_plan, graph->count + 1), .scratch = -1};
    bool *active = hiss_new(bool, graph->count + 1);
    graph_plan_active(graph, active);
    for (int i = 0; i < graph->count; i++) {
        p.nodes[i] = (node_plan){.active = active[i], .data = -1, .gradient = -1, .save = -1};
    }
    hiss_free(active);
    choose_roots(graph, p.nodes);
    choose_accumulation(graph, p.nodes);
    interval *v = hiss_new(interval, 3 * graph->count + 1);
    find_lifetimes(graph, kernels, p.nodes, v, &p.scratch);
    p.total = place(v, 3 * graph->count + 1);
    hiss_free(v);
    return p;
}
