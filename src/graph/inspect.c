/* Looking at a graph: what its nodes are and cost, which slots it trains and records. */
#include <assert.h>

#include "graph/plan.h"

int hiss_graph_nodes(const hiss_graph *graph) {
    return graph->count;
}

int hiss_graph_cut_at(const hiss_graph *graph) {
    return graph->cut >= 0 ? graph->cut : graph->count;
}

int hiss_graph_final_node(const hiss_graph *graph, int slot) {
    bool *active = hiss_new(bool, graph->count + 1);
    graph_plan_active(graph, active);
    bool trains = false;
    int final = -1;
    for (int i = graph->count - 1; i >= 0; i--) {
        for (int k = 0; active[i] && k < graph->nodes[i].inputs; k++) {
            int x = graph->nodes[i].input[k];
            while (x >= 0 && graph->nodes[x].op->view) {
                x = graph->nodes[x].input[0];
            }
            if (x >= 0 && graph->nodes[x].op->home == HOME_MODEL && graph->nodes[x].slot == slot) {
                final = i; /* also where the slot is a constant: backward reads it, so it may not change before */
                trains |= active[x];
            }
        }
    }
    hiss_free(active);
    return trains ? final : -1;
}

bool hiss_graph_trains(const hiss_graph *graph, int slot) {
    return hiss_graph_owns(graph, slot) || hiss_graph_final_node(graph, slot) >= 0;
}

bool hiss_graph_owns(const hiss_graph *graph, int slot) {
    bool found = false;
    for (int k = 0; k < graph->own_count; k++) {
        found |= graph->own[k] == slot;
    }
    return found;
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

/* State that forward leaves for backward. */
static double saved_bytes(const node *n) {
    return n->op->save ? 4.0 * (double)n->op->save(n) : 0.0;
}

/* Forward reads every input and writes the output; backward reads the output's gradient and what it needs of the
 * forward pass, and writes the gradients of inputs. */
static void count_bytes(const node *n, const bool *active, bool differentiates, bool runs, hiss_node_info *info) {
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
    info->forward_bytes = runs ? info->forward_bytes : 0.0;
    info->backward_bytes = differentiates && o->backward ? info->backward_bytes : 0.0;
}

hiss_node_info hiss_graph_node(const hiss_graph *graph, int i) {
    assert(i >= 0 && i < graph->count);
    const node *n = &graph->nodes[i];
    const op *o = n->op;
    bool *active = hiss_new(bool, graph->count + 1);
    graph_plan_active(graph, active);
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
    info.forward_flops = n->twin == i ? info.forward_flops : 0.0;
    count_bytes(n, active, active[i], n->twin == i, &info);
    hiss_free(active);
    return info;
}

hiss_node_form hiss_graph_form(const hiss_graph *graph, int i) {
    assert(i >= 0 && i < graph->count);
    const node *n = &graph->nodes[i];
    hiss_node_form form = {.op = n->op->name,
                           .scope = n->scope,
                           .name = n->name,
                           .inputs = n->inputs,
                           .shape = n->shape,
                           .slot = n->slot,
                           .constant = n->constant,
                           .kept = n->keep,
                           .mean_slot = HISS_NO_SLOT,
                           .variance_slot = HISS_NO_SLOT};
    for (int k = 0; k < n->inputs; k++) {
        form.input[k] = n->input[k];
    }
    if (n->op->form) {
        n->op->form(n, &form);
    }
    return form;
}
