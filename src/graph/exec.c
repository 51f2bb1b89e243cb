/* Running a graph on one lane: a walk over the nodes, forward or backward, with pointers taken from the plan. */
#include <assert.h>
#include <string.h>

#include "graph/plan.h"

struct hiss_exec {
    const hiss_graph *graph;
    const hiss_kernels *kernels;
    hiss_kernels *own; /* [nodes]: nodes with a product have their own, chosen by its shape */
    const int64_t *slot_offset;
    plan plan;
    float *memory;
};

hiss_exec *hiss_exec_create(const hiss_graph *graph, const hiss_kernels *kernels, const int64_t *slot_offset) {
    assert(graph->error.code == HISS_OK);
    hiss_exec *exec = hiss_new(hiss_exec, 1);
    exec->graph = graph;
    exec->kernels = kernels;
    exec->own = hiss_new(hiss_kernels, graph->count);
    for (int i = 0; i < graph->count; i++) {
        const op *o = graph->nodes[i].op;
        const hiss_conv product = o->product ? o->product(&graph->nodes[i]) : (hiss_conv){0};
        exec->own[i] = o->product ? hiss_kernels_for(kernels, o->product_is_linear, &product) : *kernels;
    }
    exec->slot_offset = slot_offset;
    exec->plan = graph_plan_create(graph, kernels);
    exec->memory = hiss_new(float, exec->plan.total);
    return exec;
}

void hiss_exec_destroy(hiss_exec *exec) {
    if (exec) {
        hiss_free(exec->plan.nodes);
        hiss_free(exec->memory);
        hiss_free(exec->own);
        hiss_free(exec);
    }
}

int64_t hiss_graph_bytes(const hiss_graph *graph, const hiss_kernels *kernels) {
    const plan p = graph_plan_create(graph, kernels);
    hiss_free(p.nodes);
    return p.total * (int64_t)sizeof(float);
}

int64_t hiss_exec_bytes(const hiss_exec *exec) {
    return exec->plan.total * (int64_t)sizeof(float);
}

float *hiss_exec_data(hiss_exec *exec, hiss_value value) {
    assert(value >= 0 && value < exec->graph->count);
    const int64_t offset = exec->plan.nodes[exec->plan.nodes[value].root].data;
    assert(offset >= 0);
    return exec->memory + offset;
}

static const float *data_of(const hiss_exec *exec, const hiss_exec_context *run, int value) {
    const int root = exec->plan.nodes[value].root;
    const node *n = &exec->graph->nodes[root];
    switch (n->op->home) {
    case HOME_MODEL:
        return run->model + exec->slot_offset[n->slot];
    case HOME_GRAPH:
        return n->constant;
    default:
        return exec->memory + exec->plan.nodes[root].data;
    }
}

static float *gradient_of(const hiss_exec *exec, const hiss_exec_context *run, int value) {
    const int root = exec->plan.nodes[value].root;
    const node *n = &exec->graph->nodes[root];
    if (!exec->plan.nodes[value].active) {
        return NULL;
    }
    return n->op->home == HOME_MODEL ? run->lane_vector + exec->slot_offset[n->slot]
                                     : exec->memory + exec->plan.nodes[root].gradient;
}

static op_call make_call(hiss_exec *exec, const hiss_exec_context *run, int i, bool backward) {
    const node *n = &exec->graph->nodes[i];
    const node_plan *np = &exec->plan.nodes[i];
    op_call call = {.kernels = &exec->own[i], .node = n, .run = run, .slot_offset = exec->slot_offset};
    for (int k = 0; k < n->inputs; k++) {
        if (n->input[k] >= 0) {
            call.x[k] = data_of(exec, run, n->input[k]);
            call.dx[k] = backward ? gradient_of(exec, run, n->input[k]) : NULL;
            call.accumulate[k] = np->accumulate[k];
        }
    }
    call.y = exec->memory + exec->plan.nodes[np->root].data;
    call.dy = backward ? gradient_of(exec, run, i) : NULL;
    call.save = np->save >= 0 ? exec->memory + np->save : NULL;
    call.scratch = exec->plan.scratch >= 0 ? exec->memory + exec->plan.scratch : NULL;
    return call;
}

void hiss_exec_forward(hiss_exec *exec, const hiss_exec_context *run, int begin, int end, hiss_after_node after,
                       void *user) {
    for (int i = begin; i < end; i++) {
        const op *o = exec->graph->nodes[i].op;
        if (o->forward) {
            op_call call = make_call(exec, run, i, false);
            o->forward(&call);
        }
        if (after) {
            after(user, i);
        }
    }
}

void hiss_exec_record(hiss_exec *exec, const hiss_exec_context *run) {
    const hiss_graph *graph = exec->graph;
    for (int i = 0; i < graph->count; i++) {
        const op *o = graph->nodes[i].op;
        if (o->record) {
            const op_call call = make_call(exec, run, i, false);
            o->record(&call);
        }
    }
    for (int i = 0; i < graph->metric_count; i++) {
        run->lane_vector[exec->slot_offset[graph->metrics[i].slot]] = *hiss_exec_data(exec, graph->metrics[i].value);
    }
}

void hiss_exec_backward(hiss_exec *exec, const hiss_exec_context *run, hiss_after_node after, void *user) {
    const hiss_graph *graph = exec->graph;
    if (graph->loss >= 0 && exec->plan.nodes[graph->loss].active) {
        *gradient_of(exec, run, graph->loss) = 1.0f;
    }
    for (int i = graph->count - 1; i >= 0; i--) {
        const op *o = graph->nodes[i].op;
        if (exec->plan.nodes[i].active && o->backward) {
            op_call call = make_call(exec, run, i, true);
            o->backward(&call);
        }
        if (after) {
            after(user, i);
        }
    }
}
