/* Memory planning by lifetime.
 *
 * Time runs over forward (node i at time i) and backward (node i at time 2n-1-i). Every array (a node's output, its
 * gradient, its saved state, the scratch of one operation) lives over a closed interval of times; arrays whose
 * intervals are disjoint may share memory. In a plan that is split, arrays that live on both sides of the cut lie in a
 * part of their own: each of the lanes that wait at the cut has one, and the rest belongs to the thread that runs them.
 * Placement is first fit, largest first, which is within a few per cent of the lower bound for layered nets.
 *
 * Outputs that share memory form a group with one root: views always, and operations marked in_place whose input
 * nobody else reads. Gradients have groups of their own: with the same views, and with such operations where the input
 * has no other gradient to be added to. The gradient of a group is written by its consumers in the order of backward:
 * the first overwrites, the others accumulate, which spares the zeroing pass.
 *
 * A node that computes what an earlier one did, its twin, does not run forward: it shares output and saved state. Each
 * has its own backward, since another loss may come back through it: so a discriminator runs once for two losses.
 *
 * Cost O(n^2) in the number of nodes, once. */
#include "graph/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

typedef struct interval {
    int64_t floats, from, to;
    int64_t *offset; /* out */
} interval;

enum { FLOATS_PER_LINE = 16, FLOATS_PER_PAGE = 1024, APART = 21 * FLOATS_PER_LINE };

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

/* Who reads a value, and whether it is kept, by twin: twins share one output. Who adds to a gradient, by node. */
static void count_readers(const hiss_graph *graph, int *data_readers, int *gradient_writers, bool *kept) {
    for (int i = 0; i < graph->count; i++) {
        const node *n = &graph->nodes[i];
        kept[n->twin] |= n->keep;
        for (int k = 0; k < n->inputs; k++) {
            if (n->input[k] >= 0) {
                data_readers[graph->nodes[n->input[k]].twin] += n->twin == i || n->op->view;
                gradient_writers[n->input[k]]++;
            }
        }
    }
}

/* The input of node i whose output it overwrites; -1: none. */
static int overwritten(const hiss_graph *graph, const node_plan *np, int i, const int *readers, const bool *kept) {
    const node *n = &graph->nodes[i];
    for (int k = 0; k < n->inputs; k++) {
        const int x = n->input[k], twin = x < 0 ? -1 : graph->nodes[x].twin;
        if (twin >= 0 && (n->op->in_place >> k & 1) && readers[twin] == 1 && !kept[twin] && np[x].data_root == twin &&
            !graph->nodes[x].op->leaf && !graph->nodes[x].op->needs_output) {
            return k;
        }
    }
    return -1;
}

/* The input whose gradient overwrites that of node i; -1: none. */
static int overwriting(const hiss_graph *graph, const node_plan *np, int i, const int *writers) {
    const node *n = &graph->nodes[i];
    for (int k = 0; k < n->inputs; k++) {
        const int x = n->input[k];
        if (x >= 0 && (n->op->in_place >> k & 1) && writers[x] == 1 && np[x].root == x && np[x].active &&
            !graph->nodes[x].op->leaf) {
            return k;
        }
    }
    return -1;
}

static void choose_roots(const hiss_graph *graph, node_plan *np) {
    int *data_readers = hiss_new(int, graph->count), *gradient_writers = hiss_new(int, graph->count);
    bool *kept = hiss_new(bool, graph->count);
    count_readers(graph, data_readers, gradient_writers, kept);
    for (int i = 0; i < graph->count; i++) {
        const node *n = &graph->nodes[i];
        np[i].root = np[i].data_root = i;
        np[i].in_place = -1;
        if (n->op->view) {
            np[i].root = np[n->input[0]].root;
            np[i].data_root = np[n->input[0]].data_root;
            continue;
        }
        const int k = overwritten(graph, np, i, data_readers, kept);
        if (n->twin < i) {
            np[i].data_root = np[n->twin].data_root;
        } else if (k >= 0) {
            np[i].data_root = graph->nodes[n->input[k]].twin;
        }
        np[i].in_place = overwriting(graph, np, i, gradient_writers);
        if (np[i].in_place >= 0) {
            np[i].root = np[n->input[np[i].in_place]].root;
        }
    }
    hiss_free(data_readers);
    hiss_free(gradient_writers);
    hiss_free(kept);
}

static void choose_accumulation(const hiss_graph *graph, node_plan *np) {
    bool *written = hiss_new(bool, graph->count); /* by root; parameters by the first node with their slot */
    for (int i = graph->count - 1; i >= 0; i--) {
        const node *n = &graph->nodes[i];
        for (int k = 0; np[i].active && k < n->inputs; k++) {
            int x = n->input[k];
            if (x < 0 || !np[x].active || n->op->view || np[i].in_place == k) {
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

/* Lifetimes of outputs [0, n), gradients [n, 2n), saved state [2n, 3n), scratch of forward [3n, 4n), of backward [4n,
 * 5n). */
static void find_lifetimes(const hiss_graph *graph, const hiss_kernels *kernels, node_plan *np, interval *v) {
    const int n = graph->count;
    const int64_t end = 2 * (int64_t)n;
    for (int i = 0; i < 3 * n; i++) {
        v[i] = (interval){.from = end, .to = -1};
    }
    for (int i = 0; i < n; i++) {
        const node *m = &graph->nodes[i];
        const op *o = m->op;
        const int64_t backward = end - 1 - i;
        const bool runs = m->twin == i;
        interval *data = &v[np[i].data_root], *gradient = &v[n + np[i].root];
        const int64_t count = hiss_shape_count(&m->shape);
        if (o->home == HOME_EXEC && np[i].data_root == i) {
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
                const node_plan *input = &np[m->input[k]];
                if (runs) {
                    extend(&v[input->data_root], i, i);
                }
                if (np[i].active && (o->needs_input >> k & 1)) {
                    extend(&v[input->data_root], i, backward);
                }
                if (np[i].active && input->active) {
                    extend(&v[n + input->root], backward, backward);
                }
            }
        }
        if (o->save) {
            /* statistics are read by hiss_exec_record, after forward */
            const int64_t last = o->record ? n : i;
            interval *saved = &v[2 * n + m->twin];
            saved->floats = o->save(m);
            saved->offset = &np[m->twin].save;
            extend(saved, m->twin, np[i].active ? backward : last);
        }
        const int64_t need = o->scratch ? o->scratch(m, kernels) : 0;
        v[3 * n + i] = (interval){runs && o->forward ? need : 0, i, i, &np[i].scratch[0]};
        v[4 * n + i] = (interval){np[i].active ? need : 0, backward, backward, &np[i].scratch[1]};
    }
}

static int larger_first(const void *a, const void *b) {
    const interval *x = *(interval *const *)a, *y = *(interval *const *)b;
    if (x->floats != y->floats) {
        return x->floats < y->floats ? 1 : -1;
    }
    return (x > y) - (x < y);
}

/* Whole cache lines. Arrays of whole pages, one behind the other, would begin at the same place of a page: then what is
 * read at an index waits for what was just written there to another array, as if they were one. They lie a third of a
 * page further apart. */
static int64_t room_for(int64_t floats) {
    const int64_t lines = (floats + FLOATS_PER_LINE - 1) / FLOATS_PER_LINE * FLOATS_PER_LINE;
    return lines % FLOATS_PER_PAGE == 0 ? lines + APART : lines;
}

static bool crosses(const interval *v, int64_t cut) {
    return v->from < cut && v->to >= cut;
}

/* The first place from `begin` where nobody is who lives while x does. */
static int64_t first_fit(interval *const *placed, int count, const interval *x, int64_t begin) {
    int64_t at = begin;
    for (bool moved = true; moved;) {
        moved = false;
        for (int j = 0; j < count; j++) {
            const interval *y = placed[j];
            const bool together = x->from <= y->to && y->from <= x->to;
            if (together && at < *y->offset + y->floats && *y->offset < at + x->floats) {
                at = *y->offset + y->floats;
                moved = true;
            }
        }
    }
    return at;
}

/* Those that cross the cut lie in [0, kept), others where they need no more room: behind it, or where those that cross
 * it do not live yet, or no more. Returns the end of all. */
static int64_t place(interval *v, int count, int64_t cut, int64_t *kept) {
    interval **order = hiss_new(interval *, count + 1);
    int crossing = 0, used = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < count; i++) {
            if (v[i].floats > 0 && v[i].offset && crosses(&v[i], cut) == (pass == 0)) {
                v[i].floats = room_for(v[i].floats);
                order[used++] = &v[i];
            }
        }
        crossing = pass == 0 ? used : crossing;
    }
    qsort(order, (size_t)crossing, sizeof *order, larger_first);
    qsort(order + crossing, (size_t)(used - crossing), sizeof *order, larger_first);
    int64_t total = 0;
    *kept = 0;
    for (int k = 0; k < used; k++) {
        interval *x = order[k];
        int64_t at = first_fit(order, k, x, k < crossing ? 0 : *kept);
        if (k >= crossing && at + x->floats > total) {
            const int64_t between = first_fit(order, k, x, 0);
            at = between + x->floats <= *kept ? between : at;
        }
        *x->offset = at;
        total = at + x->floats > total ? at + x->floats : total;
        *kept = k < crossing ? total : *kept;
    }
    hiss_free(order);
    return total;
}

plan graph_plan_create(const hiss_graph *graph, const hiss_kernels *kernels, bool split) {
    const int n = graph->count;
    plan p = {.nodes = hiss_new(node_plan, n + 1)};
    bool *active = hiss_new(bool, n + 1);
    graph_plan_active(graph, active);
    for (int i = 0; i < n; i++) {
        p.nodes[i] = (node_plan){.active = active[i], .data = -1, .gradient = -1, .save = -1, .scratch = {-1, -1}};
    }
    hiss_free(active);
    choose_roots(graph, p.nodes);
    choose_accumulation(graph, p.nodes);
    interval *v = hiss_new(interval, 5 * n + 1);
    find_lifetimes(graph, kernels, p.nodes, v);
    const int64_t cut = split ? hiss_graph_cut_at(graph) : -1;
    p.total = place(v, 5 * n, cut, &p.kept);
    for (int i = 0; i < n; i++) {
        p.nodes[i].save = p.nodes[graph->nodes[i].twin].save;
    }
    hiss_free(v);
    return p;
}
