/* A method with states of every kind, all of which decide the bits: features of a sample are to come near the mean of
 * what they were (per sample), of what their lane's are (per lane), and of what those of all lanes are (of the run). */
#include "methods.h"

enum { UNITS = 5 };

typedef struct means {
    const hiss_task *task;
    const hiss_placement *place;
    const hiss_batch *batches;
    float *sample, *lane, run[UNITS]; /* [local samples][UNITS], [local lanes][UNITS] */
    int64_t *visits, *seen, steps;    /* [local samples], [local lanes] */
    atomic_bool *arrived;             /* [local lanes] */
    float *all;                       /* [lanes][UNITS] */
    int64_t *offsets;                 /* [P+1] */
    hiss_value z;
} means;

static hiss_status means_create(const hiss_task *task, const hiss_placement *w, const void *options, void **self,
                                hiss_error *err) {
    (void)options;
    (void)err;
    const int P = hiss_comm_size(w->comm);
    const int64_t lanes = w->end_lane - w->first_lane;
    const int64_t samples = w->shards[w->end_lane] - w->shards[w->first_lane];
    means *s = *self = hiss_new(means, 1);
    s->task = task;
    s->place = w;
    s->sample = hiss_new(float, samples *UNITS);
    s->lane = hiss_new(float, lanes *UNITS);
    s->visits = hiss_new(int64_t, samples);
    s->seen = hiss_new(int64_t, lanes);
    s->arrived = hiss_new(atomic_bool, lanes);
    s->all = hiss_new(float, w->lanes *UNITS);
    s->offsets = hiss_new(int64_t, P + 1);
    for (int r = 0; r <= P; r++) {
        s->offsets[r] = w->lane_offsets[r] * (int64_t)sizeof s->run;
    }
    for (int64_t k = 0; k < lanes * UNITS; k++) {
        s->lane[k] = 0.01f * (float)(w->first_lane * UNITS + k);
    }
    return HISS_OK;
}

static void means_destroy(void *self) {
    means *s = self;
    if (s) {
        hiss_free(s->sample);
        hiss_free(s->lane);
        hiss_free(s->visits);
        hiss_free(s->seen);
        hiss_free(s->arrived);
        hiss_free(s->all);
        hiss_free(s->offsets);
        hiss_free(s);
    }
}

static hiss_status means_encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    (void)self;
    return method_encode("fc", b, image, UNITS, taps, err);
}

static hiss_status means_build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    means *s = self;
    const int64_t m = s->place->m;
    const hiss_value z = s->z = method_features(b, "fc", method_image(s->task, m, b), UNITS);
    hiss_graph_keep(b->graph, z);
    hiss_graph_cut(b->graph);
    const hiss_value to = hiss_graph_input(b->graph, "to", HISS_SHAPE(m, UNITS));
    const hiss_value loss = hiss_graph_squared_loss(b->graph, z, to, 1.0 / (double)m);
    hiss_graph_loss(b->graph, loss);
    hiss_layer_metric(b, "loss", loss);
    return hiss_graph_status(b->graph, err);
}

static int means_exports(void *self, int phase, hiss_value out[HISS_MAX_EXPORTS]) {
    (void)phase;
    out[0] = ((const means *)self)->z;
    return 1;
}

static bool means_exchanges(void *self, int phase, int64_t epoch, int64_t step) {
    (void)self;
    (void)phase;
    (void)epoch;
    (void)step;
    return true;
}

static hiss_status means_begin(void *self, int phase, const hiss_exchange *x, hiss_error *err) {
    (void)phase;
    (void)err;
    means *s = self;
    s->batches = x->batches;
    for (int64_t l = 0; l < s->place->end_lane - s->place->first_lane; l++) {
        atomic_store(&s->arrived[l], false);
    }
    return HISS_OK;
}

static void blend(float *state, const float *x) {
    for (int k = 0; k < UNITS; k++) {
        state[k] = 0.75f * state[k] + 0.25f * x[k];
    }
}

static int64_t place_of(const means *s, int64_t sample) {
    return sample - s->place->shards[s->place->first_lane];
}

static void means_arrive(void *self, int thread, int64_t local, const float *const *exports) {
    (void)thread;
    means *s = self;
    const hiss_batch *batch = &s->batches[local];
    for (int64_t i = 0; i < batch->m; i++) {
        const int64_t at = place_of(s, batch->sample[i]);
        blend(s->sample + at * UNITS, exports[0] + i * UNITS);
        blend(s->lane + local * UNITS, exports[0] + i * UNITS);
        s->visits[at]++;
        s->seen[local]++;
    }
    atomic_store(&s->arrived[local], true);
}

static bool means_ready(void *self, int64_t local) {
    return atomic_load(&((means *)self)->arrived[local]);
}

static bool means_progress(void *self) {
    (void)self;
    return false;
}

static bool means_assist(void *self, int thread) {
    (void)self;
    (void)thread;
    return false;
}

static hiss_status means_finish(void *self, hiss_error *err) {
    (void)err;
    means *s = self;
    hiss_comm_allgather(s->place->comm, s->lane, s->offsets, s->all);
    for (int64_t l = 0; l < s->place->lanes; l++) {
        blend(s->run, s->all + l * UNITS);
    }
    s->steps++;
    return HISS_OK;
}

static void means_supply(void *self, const hiss_lane *lane) {
    const means *s = self;
    const float *of_lane = s->lane + (lane->lane - s->place->first_lane) * UNITS;
    float *to = hiss_exec_data(lane->exec, hiss_graph_input_named(lane->graph, "to"));
    for (int64_t i = 0; i < lane->batch->m; i++) {
        const int64_t at = place_of(s, lane->batch->sample[i]);
        for (int k = 0; k < UNITS; k++) {
            to[i * UNITS + k] = s->sample[at * UNITS + k] + 0.5f * of_lane[k] + 0.25f * s->run[k] +
                                0.01f * (float)(s->visits[at] % 3 + s->seen[lane->lane - s->place->first_lane] % 5) +
                                0.1f * (float)(s->steps % 2);
        }
    }
}

static int means_states(void *self, hiss_state out[HISS_MAX_STATES]) {
    means *s = self;
    out[0] = (hiss_state){"samples", HISS_PER_SAMPLE, HISS_F32, UNITS, s->sample};
    out[1] = (hiss_state){"visits", HISS_PER_SAMPLE, HISS_I64, 1, s->visits};
    out[2] = (hiss_state){"lanes", HISS_PER_LANE, HISS_F32, UNITS, s->lane};
    out[3] = (hiss_state){"seen", HISS_PER_LANE, HISS_I64, 1, s->seen};
    out[4] = (hiss_state){"mean", HISS_PER_RUN, HISS_F32, UNITS, s->run};
    out[5] = (hiss_state){"steps", HISS_PER_RUN, HISS_I64, 1, &s->steps};
    return 6;
}

static const hiss_exchange_ops means_exchange = {.exports = means_exports,
                                                 .exchanges = means_exchanges,
                                                 .begin = means_begin,
                                                 .arrive = means_arrive,
                                                 .ready = means_ready,
                                                 .progress = means_progress,
                                                 .assist = means_assist,
                                                 .finish = means_finish,
                                                 .supply = means_supply};
static const hiss_state_ops means_state = {.list = means_states};

static const hiss_objective_ops method_states = {.name = "states",
                                                 .summary = "states of every kind",
                                                 .options_bytes = 1,
                                                 .create = means_create,
                                                 .destroy = means_destroy,
                                                 .build = means_build,
                                                 .encode = means_encode,
                                                 .exchange = &means_exchange,
                                                 .state = &means_state};
