/* Building graphs: nodes are appended in the order of execution, so a node's inputs always precede it. */
#include "hiss/graph.h"

#include <assert.h>
#include <string.h>

#include "graph/ops/ops.h"

hiss_graph *hiss_graph_create(void) {
    hiss_graph *graph = hiss_new(hiss_graph, 1);
    graph->arena = hiss_arena_create();
    graph->scope = "";
    graph->loss = -1;
    graph->cut = -1;
    return graph;
}

void hiss_graph_destroy(hiss_graph *graph) {
    if (graph) {
        hiss_free(graph->nodes);
        hiss_free(graph->metrics);
        hiss_arena_destroy(graph->arena);
        hiss_free(graph);
    }
}

hiss_status hiss_graph_status(const hiss_graph *graph, hiss_error *err) {
    if (graph->error.code != HISS_OK && err) {
        *err = graph->error;
    }
    return graph->error.code;
}

void hiss_graph_fail(hiss_graph *graph, const char *text) {
    if (graph->error.code == HISS_OK) {
        hiss_fail(&graph->error, HISS_EUSER, "%s%s%s", graph->scope, *graph->scope ? ": " : "", text);
    }
}

void hiss_graph_scope(hiss_graph *graph, const char *name) {
    graph->scope = hiss_arena_text(graph->arena, name);
}

static void *grown(void *old, int count, int *capacity, size_t size) {
    if (count < *capacity) {
        return old;
    }
    *capacity = *capacity ? 2 * *capacity : 32;
    void *fresh = hiss_alloc((size_t)*capacity * size);
    if (old) {
        memcpy(fresh, old, (size_t)count * size);
    }
    hiss_free(old);
    return fresh;
}

hiss_value graph_append(hiss_graph *graph, node draft) {
    if (graph->error.code != HISS_OK) {
        return -1;
    }
    draft.scope = graph->scope;
    for (int i = 0; i < draft.inputs; i++) {
        hiss_value v = draft.input[i];
        assert(v >= -1 && v < graph->count);
        if (v >= 0) {
            draft.in[i] = graph->nodes[v].shape;
            draft.wants_gradient |= graph->nodes[v].wants_gradient;
        }
    }
    const op *o = draft.op;
    draft.wants_gradient = draft.wants_gradient && !o->stops_gradient;
    if (o->attributes) {
        draft.attributes = memcpy(hiss_arena_alloc(graph->arena, o->attributes), draft.attributes, o->attributes);
    }
    const char *problem = o->shape ? o->shape(graph, &draft) : NULL;
    if (problem) {
        hiss_graph_fail(graph, hiss_arena_format(graph->arena, "%s: %s", o->name, problem));
        return -1;
    }
    graph->nodes = grown(graph->nodes, graph->count, &graph->capacity, sizeof(node));
    graph->nodes[graph->count] = draft;
    return graph->count++;
}

hiss_value hiss_conv2d(hiss_graph *graph, hiss_value x, hiss_value w, hiss_value bias, int64_t stride, int64_t pad) {
    return graph_append(graph, (node){.op = &graph_op_conv2d, .input = {x, w, bias}, .inputs = 3, .i = {stride, pad}});
}

hiss_value hiss_conv2d_transposed(hiss_graph *graph, hiss_value x, hiss_value w, hiss_value bias, int64_t stride,
                                  int64_t pad, int64_t extra) {
    return graph_append(
        graph,
        (node){.op = &graph_op_conv2d_transposed, .input = {x, w, bias}, .inputs = 3, .i = {stride, pad, extra}});
}

hiss_value hiss_linear(hiss_graph *graph, hiss_value x, hiss_value w, hiss_value bias) {
    return graph_append(graph, (node){.op = &graph_op_linear, .input = {x, w, bias}, .inputs = 3});
}

hiss_value hiss_batch_norm(hiss_graph *graph, hiss_value x, hiss_value gamma, hiss_value beta, int mean_slot,
                           int variance_slot, double epsilon, bool training) {
    assert(training || (mean_slot >= 0 && variance_slot >= 0));
    int uses = 1;
    bool first = true;
    for (int i = 0; i < graph->count; i++) {
        if (graph->nodes[i].op == &graph_op_batch_norm && graph->nodes[i].slot == mean_slot) {
            first = false;
            uses++;
        }
    }
    hiss_value v = graph_append(graph, (node){.op = training ? &graph_op_batch_norm : &graph_op_batch_norm_eval,
                                              .input = {x, gamma, beta},
                                              .inputs = 3,
                                              .slot = mean_slot,
                                              .slot2 = variance_slot,
                                              .f = {(float)epsilon},
                                              .first_use = first});
    for (int i = 0; v >= 0 && training && i <= v; i++) {
        if (graph->nodes[i].op == &graph_op_batch_norm && graph->nodes[i].slot == mean_slot) {
            graph->nodes[i].share = 1.0f / (float)uses;
        }
    }
    return v;
}

hiss_value hiss_max_pool(hiss_graph *graph, hiss_value x, int64_t size, int64_t stride, int64_t pad) {
    return graph_append(graph, (node){.op = &graph_op_max_pool, .input = {x}, .inputs = 1, .i = {stride, pad, size}});
}

hiss_value hiss_average_pool(hiss_graph *graph, hiss_value x, int64_t size, int64_t stride, int64_t pad) {
    return graph_append(graph,
                        (node){.op = &graph_op_average_pool, .input = {x}, .inputs = 1, .i = {stride, pad, size}});
}

void hiss_graph_loss(hiss_graph *graph, hiss_value loss) {
    if (loss >= 0) {
        assert(graph->loss < 0 && hiss_shape_count(&graph->nodes[loss].shape) == 1);
        graph->loss = loss;
        hiss_graph_keep(graph, loss);
    }
}

void hiss_graph_metric(hiss_graph *graph, int slot, hiss_value value) {
    if (value >= 0) {
        assert(hiss_shape_count(&graph->nodes[value].shape) == 1);
        graph->metrics = grown(graph->metrics, graph->metric_count, &graph->metric_capacity, sizeof(metric));
        graph->metrics[graph->metric_count++] = (metric){slot, value};
        hiss_graph_keep(graph, value);
    }
}

void hiss_graph_keep(hiss_graph *graph, hiss_value value) {
    if (value >= 0) {
        graph->nodes[value].keep = true;
    }
}

void hiss_graph_cut(hiss_graph *graph) {
    assert(graph->cut < 0);
    graph->cut = graph->count;
}

int hiss_graph_nodes(const hiss_graph *graph) {
    return graph->count;
}

int hiss_graph_cut_at(const hiss_graph *graph) {
    return graph->cut >= 0 ? graph->cut : graph->count;
}

hiss_shape hiss_graph_shape(const hiss_graph *graph, hiss_value value) {
    assert(value >= 0 && value < graph->count);
    return graph->nodes[value].shape;
}

bool hiss_graph_trains(const hiss_graph *graph, int slot) {
    return hiss_graph_final_node(graph, slot) >= 0;
}

bool hiss_graph_records(const hiss_graph *graph, int slot) {
    for (int i = 0; i < graph->metric_count; i++) {
        if (graph->metrics[i].slot == slot) {
            return true;
        }
    }
    for (int i = 0; i < graph->count; i++) {
        const node *n = &graph->nodes[i];
        if (n->op->records && n->op->records(n, slot)) {
            return true;
        }
    }
    return false;
}
