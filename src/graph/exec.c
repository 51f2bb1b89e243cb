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
    exec->plan = hiss_plan_create(graph, kernels);
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

int64_t hiss_exec_bytes(const hiss_exec *exec) {
    return exec->plan.total * (int64_t)sizeof(float);
}

float *hiss_exec_data(hiss_exec *exec, hiss_value value) {
    assert(value >= 0 && value < exec->graph->count);
    const int64_t offset = exec->plan.nodes[exec->plan.nodes[value].root].data;
    assert(offset >= 0);
    return exec->memory + offset;
}

static const float *data_of(const hiss_exec *exec, const hiss_run *run, int value) {
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

static float *gradient_of(const hiss_exec *exec, const hiss_run *run, int value) {
    const int root = exec->plan.nodes[value].root;
    const node *n = &exec->graph->nodes[root];
    if (!exec->plan.nodes[value].active) {
        return NULL;
    }
    return n->op->home == HOME_MODEL ? run->lane_vector + exec->slot_offset[n->slot]
                                     : exec->memory + exec->plan.nodes[root].gradient;
}

static op_call make_call(hiss_exec *exec, const hiss_run *run, int i, bool backward) {
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

void hiss_exec_forward(hiss_exec *exec, const hiss_run *run, int begin, int end, hiss_after_node after, void *user) {
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

void hiss_exec_record(hiss_exec *exec, const hiss_run *run) {
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

void hiss_exec_backward(hiss_exec *exec, const hiss_run *run, hiss_after_node after, void *user) {
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

int hiss_graph_final_node(const hiss_graph *graph, int slot) {
    bool *active = hiss_new(bool, graph->count + 1);
    hiss_plan_active(graph, active);
    int final = -1;
    for (int i = graph->count - 1; i >= 0; i--) {
        for (int k = 0; active[i] && k < graph->nodes[i].inputs; k++) {
            int x = graph->nodes[i].input[k];
            while (x >= 0 && graph->nodes[x].op->view) {
                x = graph->nodes[x].input[0];
            }
            if (x >= 0 && graph->nodes[x].op->home == HOME_MODEL && graph->nodes[x].slot == slot && active[x]) {
                final = i;
            }
        }
    }
    hiss_free(active);
    return final;
}

/* State that forward leaves for backward. */
static double saved_bytes(const node *n) {
    return n->op->save ? 4.0 * (double)n->op->save(n) : 0.0;
}

/* Forward reads every input and writes the output; backward reads the output's gradient and what it needs of the
 * forward pass, and writes the gradients of inputs. */
static void count_bytes(const node *n, const bool *active, bool differentiates, hiss_node_info *info) {
    const op *o = n->op;
    if (o->view || !o->forward) {
        return;
    }
    const double output = 4.0 * (double)hiss_shape_count(&n->shape);
    info->forward_bytes = output + (differentiates ? saved_bytes(n) : 0.0);
    info->backward_bytes = output * (o->needs_output ? 2.0 : 1.0) + saved_bytes(n);
    for (int k = 0; k < n->inputs; k++) {
        if (n->input[k] >= 0) {
            const double input = 4.0 * (double)hiss_shape_count(&n->in[k]);
            info->forward_bytes += input;
            info->backward_bytes += (o->needs_input >> k & 1 ? input : 0.0) + (active[n->input[k]] ? input : 0.0);
        }
    }
    info->backward_bytes = differentiates && o->backward ? info->backward_bytes : 0.0;
}

hiss_node_info hiss_graph_node(const hiss_graph *graph, int i) {
    assert(i >= 0 && i < graph->count);
    const node *n = &graph->nodes[i];
    const op *o = n->op;
    bool *active = hiss_new(bool, graph->count + 1);
    hiss_plan_active(graph, active);
    hiss_node_info info = {.op = o->name,
                           .scope = n->scope,
                           .shape = n->shape,
                           .forward_flops = o->flops ? o->flops(n) : 0.0,
                           .differentiates = active[i],
                           .product = o->product ? o->product(n) : (hiss_conv){0}};
    for (int k = 0; k < n->inputs && k < 2; k++) {
        if (active[i] && n->input[k] >= 0 && active[n->input[k]]) {
            info.backward_flops += info.forward_flops;
        }
    }
    count_bytes(n, active, active[i], &info);
    hiss_free(active);
    return info;
}
