/* Building graphs: nodes are appended in the order of execution, so a node's inputs always precede it. */
#include "hiss/graph.h"

#include <assert.h>
#include <string.h>

#include "graph/graph_impl.h"

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
        hiss_free(graph->own);
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

/* The node that computes already what the draft would, or the draft's own place. */
static int find_twin(const hiss_graph *graph, const node *draft) {
    if (draft->op->stops_gradient && draft->op->view) {
        return graph->nodes[draft->input[0]].twin;
    }
    for (int j = 0; j < graph->count && draft->op->equal; j++) {
        const node *n = &graph->nodes[j];
        bool same = n->op == draft->op && n->twin == j;
        for (int k = 0; k < draft->inputs && same; k++) {
            const int a = n->input[k], b = draft->input[k];
            same = a < 0 || b < 0 ? a == b : graph->nodes[a].twin == graph->nodes[b].twin;
        }
        if (same && draft->op->equal(n, draft)) {
            return j;
        }
    }
    return graph->count;
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
    draft.twin = find_twin(graph, &draft);
    graph->nodes = grown(graph->nodes, graph->count, &graph->capacity, sizeof(node));
    graph->nodes[graph->count] = draft;
    return graph->count++;
}

hiss_value hiss_graph_join(hiss_graph *graph, hiss_value value) {
    const int last = graph->count - 1;
    if (value < 1 || value != last || graph->nodes[last].input[0] != last - 1 || !graph->nodes[last].op->join ||
        graph->nodes[last - 1].keep) {
        return value;
    }
    const node before = graph->nodes[last - 1], n = graph->nodes[last];
    const hiss_value joined = n.op->join(graph, &before, &n);
    return joined >= 0 ? joined : value;
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

void hiss_graph_own_gradient(hiss_graph *graph, int slot) {
    graph->own = grown(graph->own, graph->own_count, &graph->own_capacity, sizeof(int));
    graph->own[graph->own_count++] = slot;
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

hiss_shape hiss_graph_shape(const hiss_graph *graph, hiss_value value) {
    assert(value >= 0 && value < graph->count);
    return graph->nodes[value].shape;
}
