/* The memory planner against an interpreter that plans nothing: every array has its own memory, every gradient starts
 * at 0 and is added to. On random graphs (branches, values used twice, views, shared weights, stopped gradients, groups
 * that are not trained) both must give equal losses, gradients, statistics, metrics and kept values: an array that is
 * overwritten too early, or a gradient that overwrites where it should add, shows. */
#include "../graph_support.h"

#include "graph/ops/ops.h"

/* ---- the interpreter ---- */

typedef struct naive {
    const hiss_graph *graph;
    float **data, **gradient, **save; /* by node */
    float *lane;
} naive;

static const float *naive_data(const naive *n, const rig *r, int value) {
    const node *at = &n->graph->nodes[value];
    return at->op->home == HOME_MODEL   ? r->vector + hiss_model_at(r->model, at->slot)->offset
           : at->op->home == HOME_GRAPH ? at->constant
                                        : n->data[value];
}

/* A view has the gradient of what it views, so that sums have one order. */
static float *naive_gradient(const naive *n, const rig *r, int value) {
    const node *at = &n->graph->nodes[value];
    return !at->wants_gradient          ? NULL
           : at->op->view               ? naive_gradient(n, r, at->input[0])
           : at->op->home == HOME_MODEL ? n->lane + hiss_model_at(r->model, at->slot)->offset
                                        : n->gradient[value];
}

static void naive_node(naive *n, const rig *r, int i, bool backward) {
    const node *at = &n->graph->nodes[i];
    const op *o = at->op;
    if (o->view && !backward) {
        memcpy(n->data[i], naive_data(n, r, at->input[0]), sizeof(float) * (size_t)hiss_shape_count(&at->shape));
    }
    if (!(backward ? o->backward : o->forward)) {
        return;
    }
    const int64_t scratch = o->scratch ? o->scratch(at, hiss_kernels_ref()) : 0;
    op_call call = {.kernels = hiss_kernels_ref(),
                    .node = at,
                    .run = &r->run,
                    .y = n->data[i],
                    .dy = backward ? n->gradient[i] : NULL,
                    .save = n->save[i],
                    .scratch = hiss_new(float, scratch),
                    .slot_offset = hiss_model_offsets(r->model)};
    for (int k = 0; k < at->inputs; k++) {
        if (at->input[k] >= 0) {
            call.x[k] = naive_data(n, r, at->input[k]);
            call.dx[k] = backward ? naive_gradient(n, r, at->input[k]) : NULL;
            call.accumulate[k] = true;
        }
    }
    backward ? o->backward(&call) : o->forward(&call);
    hiss_free(call.scratch);
}

/* Adds the mean or variance [C] of a BatchNorm, which keeps mean, inverse, variance: the mean over all that write it.
 */
static void naive_statistic(const naive *n, const rig *r, int i, int slot) {
    const node *at = &n->graph->nodes[i];
    const hiss_slot *to = hiss_model_at(r->model, slot);
    int uses = 0;
    for (int k = 0; k < n->graph->count; k++) {
        const node *other = &n->graph->nodes[k];
        uses += other->op->records && other->op->records(other, slot);
    }
    for (int64_t c = 0; at->op->records(at, slot) && c < to->count; c++) {
        const float *from = n->save[i] + (strstr(to->name, "/mean") ? 0 : 2 * to->count);
        n->lane[to->offset + c] += 1.0f / (float)uses * from[c];
    }
}

static naive naive_step(const rig *r) {
    const int nodes = hiss_graph_nodes(r->graph);
    naive n = {.graph = r->graph,
               .data = hiss_new(float *, nodes),
               .gradient = hiss_new(float *, nodes),
               .save = hiss_new(float *, nodes),
               .lane = hiss_new(float, hiss_model_floats(r->model))};
    for (int i = 0; i < nodes; i++) {
        const node *at = &n.graph->nodes[i];
        n.data[i] = hiss_new(float, hiss_shape_count(&at->shape));
        n.gradient[i] = hiss_new(float, hiss_shape_count(&at->shape));
        n.save[i] = hiss_new(float, at->op->save ? at->op->save(at) : 0);
        if (at->op->leaf && at->op->home == HOME_EXEC) {
            memcpy(n.data[i], hiss_exec_data(r->exec, i), sizeof(float) * (size_t)hiss_shape_count(&at->shape));
        }
    }
    for (int i = 0; i < nodes; i++) {
        naive_node(&n, r, i, false);
        const node *at = &n.graph->nodes[i];
        for (int slot = 0; at->op->records && slot < hiss_model_count(r->model); slot++) {
            naive_statistic(&n, r, i, slot);
        }
    }
    for (int k = 0; k < n.graph->metric_count; k++) {
        n.lane[hiss_model_at(r->model, n.graph->metrics[k].slot)->offset] = n.data[n.graph->metrics[k].value][0];
    }
    n.gradient[n.graph->loss][0] = 1.0f;
    for (int i = nodes - 1; i >= 0; i--) {
        if (n.graph->nodes[i].wants_gradient) {
            naive_node(&n, r, i, true);
        }
    }
    return n;
}

static void naive_free(naive *n) {
    for (int i = 0; i < hiss_graph_nodes(n->graph); i++) {
        hiss_free(n->data[i]);
        hiss_free(n->gradient[i]);
        hiss_free(n->save[i]);
    }
    hiss_free(n->data);
    hiss_free(n->gradient);
    hiss_free(n->save);
    hiss_free(n->lane);
}

/* ---- random graphs ---- */

enum { MOST = 128 };

typedef struct growth {
    rig *r;
    hiss_rng rng;
    hiss_value value[MOST], term[MOST]; /* tensors; losses of shape [1] */
    int values, terms, labels;
} growth;

static int below(growth *g, int n) {
    return (int)hiss_rng_below(&g->rng, n);
}

/* A value of this number of dimensions (0: any), mostly a late one; -1: none. */
static hiss_value pick(growth *g, int ndim) {
    for (int trial = 0; trial < 20; trial++) {
        const int back = below(g, below(g, 3) ? 4 : MOST);
        const hiss_value v = back < g->values ? g->value[g->values - 1 - back] : g->value[below(g, g->values)];
        if (ndim == 0 || hiss_graph_shape(g->r->graph, v).ndim == ndim) {
            return v;
        }
    }
    return -1;
}

/* Another value of the same shape, or the value itself. */
static hiss_value partner(growth *g, hiss_value v) {
    const hiss_shape shape = hiss_graph_shape(g->r->graph, v);
    for (int trial = 0; trial < 20; trial++) {
        const hiss_value other = g->value[below(g, g->values)];
        const hiss_shape s = hiss_graph_shape(g->r->graph, other);
        if (hiss_shape_equal(&shape, &s) && (other != v || trial > 10)) {
            return other;
        }
    }
    return v;
}

/* Layers of which some may overwrite what they read. */
static hiss_value layers(growth *g, const char *name, hiss_value rows, int64_t units, int kind) {
    char norm[80];
    snprintf(norm, sizeof norm, "%s/norm", name);
    hiss_graph *graph = g->r->graph;
    hiss_value y = hiss_layer_linear(&g->r->b, name, rows, units, units > 3);
    y = kind & 1 ? hiss_graph_leaky_relu(graph, y, 0.2) : y;
    y = kind & 2 ? hiss_layer_batch_norm(&g->r->b, norm, y) : y;
    y = kind & 4 ? hiss_graph_relu(graph, y) : hiss_graph_scale(graph, hiss_graph_tanh(graph, y), 0.5);
    return kind & 8 ? hiss_graph_sigmoid(graph, y) : hiss_graph_multiply(graph, y, hiss_graph_add(graph, y, y));
}

/* Layers that pass gradients on as a constant, then are trained, as a discriminator in a joint step: of other values, or
 * of the same, with the gradient stopped or not, and what lies between used once more or not. */
static hiss_value twice(growth *g, const char *name, hiss_value rows, int64_t units) {
    hiss_builder *b = &g->r->b;
    const unsigned trained = b->trained_groups;
    const int kind = below(g, 16);
    const hiss_value other = below(g, 3) == 0   ? partner(g, rows)
                             : below(g, 2) == 0 ? hiss_graph_stop_gradient(b->graph, rows)
                                                : rows;
    b->trained_groups = 0;
    const hiss_value constant = layers(g, name, rows, units, kind);
    b->trained_groups = trained;
    const hiss_value y = layers(g, name, other, units, below(g, 4) ? kind : below(g, 16));
    if (below(g, 3) == 0) {
        g->value[g->values++] = below(g, 2) ? constant : y;
    }
    return hiss_graph_add(b->graph, constant, y);
}

static void grow_parameters(growth *g, hiss_value map, hiss_value rows) {
    hiss_builder *b = &g->r->b;
    hiss_graph *graph = g->r->graph;
    char name[64];
    hiss_value y = -1;
    b->group = below(g, 2);
    const hiss_value any = below(g, 2) && map >= 0 ? map : rows;
    const int64_t F = 1 + below(g, 3);
    /* names carry all that decides a shape: equal layers share their weights */
    switch (below(g, 4)) {
    case 0:
        if (map >= 0) {
            const int64_t kernel = 1 + 2 * below(g, 2), C = hiss_graph_shape(graph, map).dim[3];
            snprintf(name, sizeof name, "conv%d_%d_%d", (int)kernel, (int)C, (int)F);
            y = hiss_layer_conv(b, name, map, F, kernel, 1, kernel / 2, F > 1);
            if (F == 2 && hiss_graph_shape(graph, y).dim[1] >= 2 && hiss_graph_shape(graph, y).dim[2] >= 2) {
                y = hiss_graph_join(graph, hiss_graph_max_pool(graph, y, 2, 2, 0));
            }
        }
        break;
    case 1:
        if (map >= 0 && hiss_graph_shape(graph, map).dim[1] <= 3) {
            snprintf(name, sizeof name, "up%d_%d", (int)hiss_graph_shape(graph, map).dim[3], (int)F);
            y = hiss_layer_conv_transposed(b, name, map, F, 2, 1 + below(g, 2), 0, 0, F > 1);
        }
        break;
    case 2:
        if (rows >= 0) {
            snprintf(name, sizeof name, "fc%d_%d", (int)hiss_graph_shape(graph, rows).dim[1], (int)F + 2);
            y = below(g, 2) ? hiss_layer_linear(b, name, rows, F + 2, F > 1) : twice(g, name, rows, F + 2);
        }
        break;
    default:
        if (any >= 0) {
            const hiss_shape s = hiss_graph_shape(graph, any);
            snprintf(name, sizeof name, "%s/norm%d", below(g, 3) ? "moving" : "frozen", (int)s.dim[s.ndim - 1]);
            y = hiss_layer_batch_norm(b, name, any);
        }
    }
    if (y >= 0) {
        g->value[g->values++] = y;
    }
}

/* Some operation that a network may call by a word, on x and others of its shape; x where that does not fit. */
static hiss_value grow_word(growth *g, hiss_value x) {
    hiss_graph *graph = g->r->graph, *trial = hiss_graph_create();
    const hiss_shape shape = hiss_graph_shape(graph, x);
    const hiss_word *word = NULL;
    while (!word) {
        word = hiss_op_word(below(g, hiss_op_count()));
    }
    hiss_value in[HISS_MAX_INPUTS] = {x}, tried[HISS_MAX_INPUTS];
    double a[HISS_WORD_ARGUMENTS] = {0};
    const int count = 1 + (word->places ? 1 + below(g, word->places) : 0);
    for (int k = 0; k < count; k++) {
        in[k] = k ? partner(g, x) : x;
        tried[k] = hiss_graph_input(trial, "x", shape);
    }
    for (int k = 0; k < HISS_WORD_ARGUMENTS && word->argument[k].key; k++) {
        const hiss_word_argument *w = &word->argument[k];
        a[k] = w->whole ? fmax(w->min, 1 + below(g, 2)) : w->min + 0.2 * (w->max - w->min);
    }
    const bool fits = word->build(trial, count, tried, a) >= 0;
    hiss_graph_destroy(trial);
    return fits ? word->build(graph, count, in, a) : -1;
}

static void grow_simple(growth *g, hiss_value v, hiss_value map, hiss_value rows) {
    hiss_graph *graph = g->r->graph;
    const hiss_shape s = hiss_graph_shape(graph, v);
    const hiss_sparse_inference how = {0.1, 3, true};
    hiss_value y = -1;
    switch (below(g, 17)) {
    case 0:
    case 1:
    case 2:
        y = grow_word(g, v);
        break;
    case 3:
        y = hiss_layer_dropout(&g->r->b, v, 0.3);
        break;
    case 4:
        y = hiss_graph_scale(graph, v, 0.7);
        break;
    case 5:
        y = hiss_graph_add(graph, v, partner(g, v));
        break;
    case 6:
        y = hiss_graph_tanh(graph, hiss_graph_multiply(graph, v, partner(g, v)));
        break;
    case 7:
        y = hiss_graph_stop_gradient(graph, v);
        break;
    case 8:
        if (map >= 0 && hiss_graph_shape(graph, map).dim[1] >= 2) {
            y = below(g, 2) ? hiss_graph_max_pool(graph, map, 2, 1 + below(g, 2), below(g, 2))
                            : hiss_graph_average_pool(graph, map, 2, 1 + below(g, 2), below(g, 2));
        }
        break;
    case 9:
        y = s.ndim == 4 ? hiss_graph_flatten(graph, v)
                        : hiss_graph_reshape(graph, v, HISS_SHAPE(s.dim[0], 1, s.dim[1], 1));
        break;
    case 10:
        y = rows >= 0 ? hiss_graph_l2_normalize(graph, rows) : -1;
        break;
    case 11:
        y = rows >= 0 ? hiss_graph_linear(graph, rows, rows, -1) : -1;
        break;
    case 12:
        y = rows >= 0 ? hiss_graph_linear_transposed(graph, hiss_graph_linear(graph, rows, rows, -1), rows, -1) : -1;
        y = y >= 0 ? hiss_graph_tanh(graph, y) : -1; /* cubes of cubes would not be finite */
        break;
    case 14:
        y = rows >= 0 ? hiss_graph_sparse_code(graph, rows, rows, &how) : -1;
        break;
    case 15:
        y = map >= 0 ? hiss_graph_sparse_code_conv2d(graph, map, map, 0, &how) : -1;
        break;
    case 13:
        y = hiss_graph_multiply(graph, v, hiss_graph_less(graph, v, partner(g, v)));
        break;
    default: { /* a weight as a value, as it is or seen through a view */
        const bool view = below(g, 2);
        const hiss_slot slot = {.name = view ? "viewed" : "free",
                                .kind = HISS_SLOT_PARAMETER,
                                .shape = view ? HISS_SHAPE(2, 6) : HISS_SHAPE(4, 3),
                                .group = 1,
                                .deviation = 1.0};
        y = hiss_graph_parameter(graph, hiss_model_slot(g->r->model, &slot), slot.shape,
                                 g->r->b.trained_groups >> 1 & 1u);
        y = view ? hiss_graph_reshape(graph, y, HISS_SHAPE(4, 3)) : y;
    }
    }
    if (y >= 0) {
        g->value[g->values++] = y;
    }
}

static void grow_term(growth *g, hiss_value v, hiss_value rows) {
    hiss_graph *graph = g->r->graph;
    char name[32];
    snprintf(name, sizeof name, "given%d", ++g->labels);
    if (rows >= 0 && below(g, 2) && hiss_graph_shape(graph, rows).dim[1] > 1) {
        hiss_value label = hiss_graph_input_labels(graph, name, hiss_graph_shape(graph, rows).dim[0]);
        g->term[g->terms++] = hiss_graph_softmax_cross_entropy(graph, rows, label);
    } else {
        const hiss_value other =
            below(g, 2) ? partner(g, v) : hiss_graph_input(graph, name, hiss_graph_shape(graph, v));
        hiss_value (*const losses[])(hiss_graph *, hiss_value, hiss_value,
                                     double) = {hiss_graph_squared_loss, hiss_graph_absolute_loss,
                                                hiss_graph_sigmoid_cross_entropy, hiss_graph_gaussian_kl};
        g->term[g->terms++] = losses[below(g, 4)](graph, v, other, 0.1);
    }
}

#include "grow_terms.h"

/* Parameters and constants are no values of an exec. */
static void keep(hiss_graph *graph, hiss_value v) {
    if (graph->nodes[v].op->home == HOME_EXEC) {
        hiss_graph_keep(graph, v);
    }
}

static void grow(rig *r, int64_t key) {
    growth g = {.r = r, .rng = hiss_rng_keyed(1, HISS_FOR_TESTS, 9, key)};
    static const char *const frozen[] = {"frozen"};
    hiss_model_freeze(r->model, 1, frozen);
    r->b.trained_groups = below(&g, 3) ? ~0u : 1u + (unsigned)below(&g, 2);
    r->classes = 2;
    g.value[g.values++] = hiss_graph_input(r->graph, "map", HISS_SHAPE(2, 3, 4, 2));
    g.value[g.values++] = hiss_graph_input(r->graph, "rows", HISS_SHAPE(4, 3));
    const int operations = 4 + below(&g, 30);
    for (int k = 0; k < operations; k++) {
        const hiss_value map = pick(&g, 4), rows = pick(&g, 2), v = pick(&g, 0);
        if (below(&g, 10) < 4) {
            grow_parameters(&g, map, rows);
        } else {
            grow_simple(&g, v, map, rows);
        }
        if (below(&g, 8) == 0) {
            grow_term(&g, v, rows);
        }
        if (below(&g, 8) == 0) {
            keep(r->graph, pick(&g, 0));
        }
    }
    grow_term(&g, g.value[g.values - 1], pick(&g, 2));
    r->loss = g.term[0];
    for (int k = 1; k < g.terms; k++) {
        r->loss = below(&g, 4) ? hiss_graph_add(r->graph, r->loss, g.term[k]) : r->loss;
    }
    r->loss = key % 3 ? r->loss : hiss_graph_add(r->graph, r->loss, grow_soft_term(&g));
    r->loss = key % 3 == 1 ? hiss_graph_add(r->graph, r->loss, grow_ladder_term(&g)) : r->loss;
    r->loss = key % 3 == 1 ? hiss_graph_add(r->graph, r->loss, grow_density_term(&g)) : r->loss;
    r->loss = key % 3 ? r->loss : hiss_graph_add(r->graph, r->loss, grow_viewed_term(&g, key % 2));
    r->loss = key % 3 == 2 ? hiss_graph_add(r->graph, r->loss, grow_recurrent_term(&g)) : r->loss;
    r->loss = key % 3 == 2 ? hiss_graph_add(r->graph, r->loss, grow_words_term(&g)) : r->loss;
    r->loss = key % 3 == 2 ? hiss_graph_add(r->graph, r->loss, grow_ordered_term(&g)) : r->loss;
    hiss_layer_metric(&r->b, "first", g.term[0]);
    hiss_layer_metric(&r->b, "last", g.term[g.terms - 1]);
    hiss_graph_loss(r->graph, r->loss);
}

/* ---- the property ---- */

static void check_equal(int64_t key, const char *what, const char *where, const float *found, const float *expected,
                        int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        if (found[i] != expected[i] && memcmp(&found[i], &expected[i], sizeof *found) != 0) {
            fail_msg("graph %d: %s %s: found %g, expected %g", (int)key, what, where, (double)found[i],
                     (double)expected[i]);
        }
    }
}

/* After which node of backward each slot's gradient is final: reducers start then, and optimisers change the slot, which
 * no node may read any more. */
typedef struct watch {
    const rig *r;
    float *final;
} watch;

static void copy_final(void *user, int at) {
    const watch *w = user;
    for (int s = 0; s < hiss_model_count(w->r->model); s++) {
        const hiss_slot *slot = hiss_model_at(w->r->model, s);
        if (hiss_graph_final_node(w->r->graph, s) == at) {
            memcpy(w->final + slot->offset, w->r->lane + slot->offset, sizeof(float) * (size_t)slot->count);
            memset(w->r->vector + slot->offset, 0xff, sizeof(float) * (size_t)slot->count);
        }
    }
}

/* Forward to the cut, all of `passing` overwritten there by others, and on. */
static void run_in_turn(rig *r, watch *w, float *passing, int64_t floats) {
    const int nodes = hiss_graph_nodes(r->graph), cut = hiss_graph_cut_at(r->graph);
    hiss_exec_forward(r->exec, &r->run, 0, cut, NULL, NULL);
    if (passing) {
        float *elsewhere = hiss_new(float, floats);
        memset(passing, 0xff, sizeof(float) * (size_t)floats);
        hiss_exec_use(r->exec, elsewhere);
        hiss_exec_forward(r->exec, &r->run, cut, nodes, NULL, NULL);
        hiss_exec_record(r->exec, &r->run);
        hiss_exec_backward(r->exec, &r->run, copy_final, w);
        memcpy(passing, elsewhere, sizeof(float) * (size_t)floats);
        hiss_exec_use(r->exec, passing);
        hiss_free(elsewhere);
        return;
    }
    hiss_exec_forward(r->exec, &r->run, cut, nodes, NULL, NULL);
    hiss_exec_record(r->exec, &r->run);
    hiss_exec_backward(r->exec, &r->run, copy_final, w);
}

/* passing [floats]: of an exec in two parts; NULL: it is whole. */
static void check_graph(rig *r, int64_t key, float *passing, int64_t floats_passing) {
    const int nodes = hiss_graph_nodes(r->graph);
    r->key = key;
    rig_fill(r);
    naive n = naive_step(r);
    const int64_t floats = hiss_model_floats(r->model);
    watch w = {r, hiss_new(float, floats)};
    float *vector = hiss_new(float, floats);
    memcpy(vector, r->vector, sizeof(float) * (size_t)floats);
    for (int pass = 0; pass < 2; pass++) { /* again on used memory */
        rig_step(r);
        rig_fill(r);
        run_in_turn(r, &w, passing, floats_passing);
        memcpy(r->vector, vector, sizeof(float) * (size_t)floats);
        for (int s = 0; s < hiss_model_count(r->model); s++) {
            const hiss_slot *slot = hiss_model_at(r->model, s);
            check_equal(key, "slot", slot->name, r->lane + slot->offset, n.lane + slot->offset, slot->count);
            if (hiss_graph_trains(r->graph, s)) {
                check_equal(key, "final node of", slot->name, w.final + slot->offset, n.lane + slot->offset,
                            slot->count);
            }
        }
        for (int i = 0; i < nodes; i++) {
            const node *at = &r->graph->nodes[i];
            int root = i;
            while (r->graph->nodes[root].op->view) {
                root = r->graph->nodes[root].input[0];
            }
            if (at->keep && r->graph->nodes[root].op->home != HOME_MODEL) {
                check_equal(key, "kept value of", at->op->name, hiss_exec_data(r->exec, i), n.data[i],
                            hiss_shape_count(&at->shape));
            }
        }
    }
    hiss_free(vector);
    hiss_free(w.final);
    naive_free(&n);
}

/* The same with another cut, and an exec in two parts. */
static void check_split(rig *r, int64_t key) {
    r->graph->cut = (int)(key % (hiss_graph_nodes(r->graph) + 1));
    const hiss_exec_parts parts = hiss_graph_parts(r->graph, hiss_kernels_ref());
    float *kept = hiss_new(float, parts.kept), *passing = hiss_new(float, parts.passing);
    hiss_exec_destroy(r->exec);
    r->exec = hiss_exec_create_split(r->graph, hiss_kernels_ref(), hiss_model_offsets(r->model), kept);
    hiss_exec_use(r->exec, passing);
    assert_int_equal(hiss_exec_bytes(r->exec), (int64_t)sizeof(float) * (parts.kept + parts.passing));
    check_graph(r, key, passing, parts.passing);
    hiss_free(passing);
    hiss_free(kept);
}

static int index_of(const op *o) {
    int i = 0;
    while (graph_op_at(i) != o) {
        i++;
    }
    return i;
}

static void test_random_graphs(void **state) {
    (void)state;
    int64_t shared = 0, alone = 0;
    int seen[128] = {0}, repeated[128] = {0};
    assert_true(hiss_op_count() <= 128);
    for (int64_t key = 0; key < 400; key++) {
        for (int all = 0; all < 2; all++) { /* then with every value kept */
            rig r = rig_open();
            grow(&r, key);
            for (int i = 0; i < hiss_graph_nodes(r.graph); i++) {
                const node *at = &r.graph->nodes[i];
                seen[index_of(at->op)] += at->wants_gradient;
                repeated[index_of(at->op)] += at->twin != i;
                if (all) {
                    keep(r.graph, i);
                }
            }
            rig_ready(&r, hiss_kernels_ref());
            *(all ? &alone : &shared) += hiss_exec_bytes(r.exec);
            check_graph(&r, key, NULL, 0);
            check_split(&r, key);
            rig_close(&r);
        }
    }
    assert_true(shared < alone);
    for (int kind = 0; kind < hiss_op_count(); kind++) { /* nothing that differentiates was left out */
        if (graph_op_at(kind)->backward && !seen[kind]) {
            fail_msg("no random graph differentiates %s", hiss_op_name(kind));
        }
        if (graph_op_at(kind)->equal && !repeated[kind]) {
            fail_msg("no random graph computes %s twice", hiss_op_name(kind));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_graphs)};
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
