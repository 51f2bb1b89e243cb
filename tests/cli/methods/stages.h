/* A method in stages: epochs 1 and 2 train a first layer, epoch 2 and all others a second one on top of it, each
 * towards values that name the phase. "gap" is the same with an epoch in which nothing runs. */
#include "methods.h"

enum { WIDTH = 6 };

typedef struct stages {
    const hiss_task *task;
    const hiss_placement *place;
} stages;

static hiss_status stages_create(const hiss_task *task, const hiss_placement *place, const void *options, void **self,
                                 hiss_error *err) {
    (void)options;
    (void)err;
    stages *s = *self = hiss_new(stages, 1);
    *s = (stages){task, place};
    return HISS_OK;
}

static hiss_status stages_encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    (void)self;
    return method_encode("first", b, image, WIDTH, taps, err);
}

static hiss_status stages_build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    const stages *s = self;
    const int64_t m = s->place->m;
    hiss_value x = method_features(b, "first", method_image(s->task, m, b), WIDTH);
    if (phase == 1) {
        b->group = 1;
        x = hiss_layer_linear(b, "second", hiss_graph_tanh(b->graph, hiss_graph_stop_gradient(b->graph, x)), WIDTH,
                              true);
    }
    const hiss_value to = hiss_graph_input(b->graph, "to", HISS_SHAPE(m, WIDTH));
    const hiss_value loss = hiss_graph_squared_loss(b->graph, x, to, 1.0 / (double)m);
    hiss_graph_loss(b->graph, loss);
    hiss_layer_metric(b, phase == 0 ? "first" : "second", loss);
    return hiss_graph_status(b->graph, err);
}

static void stages_fill(void *self, const hiss_lane *lane) {
    const int64_t count = ((const stages *)self)->place->m * WIDTH;
    float *to = hiss_exec_data(lane->exec, hiss_graph_input_named(lane->graph, "to"));
    hiss_rng rng = hiss_rng_keyed(lane->task->seed, HISS_FOR_TESTS, lane->step, lane->lane * 2 + lane->phase);
    hiss_rng_normals(&rng, count, to);
}

static hiss_span stages_span(void *self, int phase) {
    (void)self;
    return phase == 0 ? (hiss_span){0, 2} : (hiss_span){1, INT64_MAX};
}

static hiss_span gap_span(void *self, int phase) {
    (void)self;
    return phase == 0 ? (hiss_span){0, 2} : (hiss_span){3, INT64_MAX};
}

static unsigned stages_trains(void *self, int phase) {
    (void)self;
    return 1u << phase;
}

static const char *const stages_groups[] = {"first", "second", NULL};

static const hiss_input_ops stages_input = {.fill = stages_fill};
static const hiss_phase_ops stages_phase = {.trains = stages_trains, .span = stages_span},
                            gap_phase = {.trains = stages_trains, .span = gap_span};

#define STAGES(name_, phase_)                                                                                          \
    {                                                                                                                  \
        .name = (name_), .summary = "two phases with spans", .options_bytes = 1, .phases = 2, .groups = stages_groups, \
        .create = stages_create, .destroy = hiss_free, .build = stages_build, .encode = stages_encode,                 \
        .input = &stages_input, .phase = (phase_)                                                                      \
    }
static const hiss_objective_ops method_stages = STAGES("stages", &stages_phase);
static const hiss_objective_ops method_gap = STAGES("gap", &gap_phase);
