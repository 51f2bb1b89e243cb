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
    float *kept, *passing; /* offsets below plan.kept count from the one, others from behind it in the other */
    float *own_memory;     /* NULL: others gave it */
};

static hiss_exec *create(const hiss_graph *graph, const hiss_kernels *kernels, const int64_t *slot_offset, bool split) {
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
    exec->plan = graph_plan_create(graph, kernels, split);
    return exec;
}

hiss_exec *hiss_exec_create(const hiss_graph *graph, const hiss_kernels *kernels, const int64_t *slot_offset) {
    hiss_exec *exec = create(graph, kernels, slot_offset, false);
    exec->passing = exec->own_memory = hiss_new(float, exec->plan.total);
    return exec;
}

hiss_exec *hiss_exec_create_split(const hiss_graph *graph, const hiss_kernels *kernels, const int64_t *slot_offset,
                                  float *kept) {
    hiss_exec *exec = create(graph, kernels, slot_offset, true);
    exec->kept = kept;
    return exec;
}

void hiss_exec_use(hiss_exec *exec, float *passing) {
    assert(!exec->own_memory);
    exec->passing = passing;
}

void hiss_exec_destroy(hiss_exec *exec) {
    if (exec) {
        hiss_free(exec->plan.nodes);
        hiss_free(exec->own_memory);
        hiss_free(exec->own);
        hiss_free(exec);
    }
}

int64_t hiss_graph_bytes(const hiss_graph *graph, const hiss_kernels *kernels) {
    const plan p = graph_plan_create(graph, kernels, false);
    hiss_free(p.nodes);
    return p.total * (int64_t)sizeof(float);
}

hiss_exec_parts hiss_graph_parts(const hiss_graph *graph, const hiss_kernels *kernels) {
    const plan p = graph_plan_create(graph, kernels, true);
    hiss_free(p.nodes);
    return (hiss_exec_parts){p.kept, p.total - p.kept};
}

int64_t hiss_exec_bytes(const hiss_exec *exec) {
    return exec->plan.total * (int64_t)sizeof(float);
}

static float *place_of(const hiss_exec *exec, int64_t offset) {
    assert(offset >= 0);
    return offset < exec->plan.kept ? exec->kept + offset : exec->passing + (offset - exec->plan.kept);
}

float *hiss_exec_data(hiss_exec *exec, hiss_value value) {
    assert(value >= 0 && value < exec->graph->count);
    return place_of(exec, exec->plan.nodes[exec->plan.nodes[value].data_root].data);
}

bool hiss_exec_holds(const hiss_exec *exec, hiss_value value) {
    return exec->plan.nodes[exec->plan.nodes[value].data_root].data >= 0;
}

static const float *data_of(const hiss_exec *exec, const hiss_exec_context *run, int value) {
    const int root = exec->plan.nodes[value].data_root;
    const node *n = &exec->graph->nodes[root];
    switch (n->op->home) {
    case HOME_MODEL:
        return run->model + exec->slot_offset[n->slot];
    case HOME_GRAPH:
        return n->constant;
    default:
        return place_of(exec, exec->plan.nodes[root].data);
    }
}

static float *gradient_of(const hiss_exec *exec, const hiss_exec_context *run, int value) {
    const int root = exec->plan.nodes[value].root;
    const node *n = &exec->graph->nodes[root];
    if (!exec->plan.nodes[value].active) {
        return NULL;
    }
    return n->op->home == HOME_MODEL ? run->lane_vector + exec->slot_offset[n->slot]
                                     : place_of(exec, exec->plan.nodes[root].gradient);
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
    const int64_t y = exec->plan.nodes[np->data_root].data, scratch = np->scratch[backward];
    call.y = y >= 0 ? place_of(exec, y) : NULL;
    call.dy = backward ? gradient_of(exec, run, i) : NULL;
    call.save = np->save >= 0 ? place_of(exec, np->save) : NULL;
    call.scratch = scratch >= 0 ? place_of(exec, scratch) : NULL;
    return call;
}

void hiss_exec_forward(hiss_exec *exec, const hiss_exec_context *run, int begin, int end, hiss_after_node after,
                       void *user) {
    for (int i = begin; i < end; i++) {
        const op *o = exec->graph->nodes[i].op;
        if (o->forward && exec->graph->nodes[i].twin == i) {
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
