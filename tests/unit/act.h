/* A method on stage with all its phases: a rig for the graph of each, one model for all, and the encoder beside them. */
#ifndef HISS_TEST_ACT_H
#define HISS_TEST_ACT_H

#include "graph_support.h"

#include "graph/graph_impl.h"
#include "serial_comm.h"
#include "stage.h"

enum { PHASES = 8 };

typedef struct act { /* a method on stage with all its phases */
    hiss_comm comm;
    stage s;
    rig r[PHASES];
    int phases;
    hiss_value image;
    hiss_taps taps;
    hiss_graph *encoder;
    hiss_exec *encode;
} act;

static const char small_net[] = "network: {width: 2}\n"; /* pixels of 0..1, which not every method can do without */

/* Channels of the images of a method: some need colours. */
static inline int64_t channels_of(const char *name) {
    return strcmp(name, "colorization") == 0 || strcmp(name, "split_brain") == 0 ? 3 : 1;
}

/* What the training loop puts into a lane's inputs. Lane 0. */
static inline void fill_lane(rig *r) {
    stage *s = r->user;
    const hiss_lane lane = stage_lane(s, 0, r->graph, r->exec);
    stage_sample(s, &lane);
    stage_supply(s, &lane);
}

static inline void build_encoder(act *a, int64_t N) {
    hiss_builder b = {.graph = a->encoder = hiss_graph_create(), .model = a->r[0].model};
    hiss_error err = {0};
    const hiss_task *t = &a->s.task;
    a->image = hiss_graph_input(b.graph, "image", HISS_SHAPE(N, t->H, t->W, t->C));
    if (a->s.ops->encode(a->s.method, &b, a->image, &a->taps, &err) != HISS_OK) {
        fail_msg("%s: %s", a->s.ops->name, err.text);
    }
    for (int k = 0; k < a->taps.count; k++) {
        hiss_graph_keep(b.graph, a->taps.tap[k].value);
    }
}

/* What a graph uses both as a parameter that it trains and as a constant gets a slot of its own as a constant, of the
 * same values, and nodes no twins: differences then see what backward does. Bidirectional networks use the discriminator
 * so. */
static const char constant_name[] = "constant:";

static inline void part_constants(rig *r) {
    for (int i = 0; i < r->graph->count; i++) {
        node *n = &r->graph->nodes[i];
        n->twin = i;
        if (n->op->home == HOME_MODEL && !n->wants_gradient && hiss_graph_trains(r->graph, n->slot)) {
            char name[128];
            snprintf(name, sizeof name, "%s%s", constant_name, hiss_model_at(r->model, n->slot)->name);
            n->slot =
                hiss_model_slot(r->model, &(hiss_slot){.name = name, .kind = HISS_SLOT_BUFFER, .shape = n->shape});
            assert_true(n->slot >= 0);
        }
    }
}

static inline void fill_constants(rig *r) {
    for (int s = 0; s < hiss_model_count(r->model); s++) {
        const hiss_slot *slot = hiss_model_at(r->model, s);
        if (strncmp(slot->name, constant_name, sizeof constant_name - 1) == 0) {
            memcpy(r->vector + slot->offset, rig_of(r, r->vector, slot->name + sizeof constant_name - 1),
                   sizeof(float) * (size_t)slot->count);
        }
    }
}

static inline void open_act(act *a, const char *name, const char *text, int64_t lanes, int64_t m, int64_t samples) {
    memset(a, 0, sizeof *a);
    hiss_error err = {0};
    stage_given given = {.seed = 9,
                         .samples = samples,
                         .stored_H = 28,
                         .stored_W = 28,
                         .C = channels_of(name),
                         .classes = 10,
                         .labelled = 1,
                         .lanes = lanes,
                         .m = m,
                         .comm = &a->comm,
                         .kernels = hiss_kernels_blas()};
    stage_suit(name, &given);
    if (stage_open(&a->s, name, text, given, NULL, &err) != HISS_OK) {
        fail_msg("%s: %s", name, err.text);
    }
    stage_batches(&a->s, 0, 0);
    const hiss_objective_ops *ops = a->s.ops;
    a->phases = ops->phase && ops->phase->count ? ops->phase->count(a->s.method) : ops->phases ? ops->phases : 1;
    assert_true(a->phases <= PHASES);
    for (int p = 0; p < a->phases; p++) {
        a->r[p] = rig_open();
        if (p > 0) { /* one model for all */
            hiss_model_destroy(a->r[p].model);
            a->r[p].model = a->r[p].b.model = a->r[0].model;
        }
        a->r[p].b.trained_groups = ops->phase && ops->phase->trains ? ops->phase->trains(a->s.method, p) : ~0u;
        if (ops->build(a->s.method, p, &a->r[p].b, &err) != HISS_OK ||
            hiss_graph_status(a->r[p].graph, &err) != HISS_OK) {
            fail_msg("%s: %s", name, err.text);
        }
        part_constants(&a->r[p]);
        a->r[p].loss = a->r[p].graph->loss;
        a->r[p].fill = fill_lane;
        a->r[p].user = &a->s;
        a->r[p].run = (hiss_exec_context){.seed = given.seed, .step = 0, .lane = 0, .lanes = lanes};
        assert_true(a->r[p].loss >= 0);
    }
    const int slots = hiss_model_count(a->r[0].model);
    build_encoder(a, 3);
    assert_int_equal(hiss_model_count(a->r[0].model), slots); /* evaluation needs nothing that training lacks */
    rig_ready(&a->r[0], given.kernels);
    fill_constants(&a->r[0]);
    for (int p = 1; p < a->phases; p++) {
        a->r[p].vector = a->r[0].vector;
        a->r[p].lane = a->r[0].lane;
        a->r[p].run = a->r[0].run;
        a->r[p].exec = hiss_exec_create(a->r[p].graph, given.kernels, hiss_model_offsets(a->r[0].model));
    }
    a->encode = hiss_exec_create(a->encoder, given.kernels, hiss_model_offsets(a->r[0].model));
}

/* Numbers for an encoder of words, the same each time; others have none. */
static inline void fill_words(const hiss_graph *graph, hiss_exec *exec) {
    const hiss_value words = hiss_graph_input_named(graph, "words"), sound = hiss_graph_input_named(graph, "sound");
    if (sound >= 0) {
        const hiss_shape shape = hiss_graph_shape(graph, sound);
        fill_normals(78, 0, hiss_shape_count(&shape), hiss_exec_data(exec, sound));
    }
    for (int32_t k = 0; words >= 0 && k < 36; k++) {
        ((int32_t *)hiss_exec_data(exec, words))[k] = k % 7;
    }
}

static inline void close_act(act *a) {
    hiss_exec_destroy(a->encode);
    hiss_graph_destroy(a->encoder);
    for (int p = 1; p < a->phases; p++) {
        hiss_exec_destroy(a->r[p].exec);
        hiss_graph_destroy(a->r[p].graph);
    }
    rig_close(&a->r[0]);
    stage_close(&a->s);
}

#endif
