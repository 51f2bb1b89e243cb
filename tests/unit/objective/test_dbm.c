/* A deep Boltzmann machine so small that all its states can be summed: log Z by annealed importance sampling, the bound on
 * log p(v), and where the chains of training go. */
#include "../graph_support.h"

#include "../serial_comm.h"
#include "../stage.h"

enum { H = 3, W = 4, D = H * W, F1 = 6, F2 = 5, M = 40 };

static const char setting[] = "dbm: {hidden1: 6, hidden2: 5, ais_chains: 200, ais_steps: 1000}\n";

typedef struct machine { /* a method with one of its graphs, of random weights */
    hiss_comm comm;
    stage s;
    rig r;
    double W1[F1][D], W2[F2][F1], b[D], c1[F1], c2[F2];
} machine;

/* measures: the graph of evaluation, else that of training. */
static void open_machine(machine *m, bool measures) {
    memset(m, 0, sizeof *m);
    hiss_error err = {0};
    const stage_given given = {.seed = 4,
                               .samples = 2 * M,
                               .stored_H = H,
                               .stored_W = W,
                               .C = 1,
                               .classes = 10,
                               .lanes = 2,
                               .m = M,
                               .comm = &m->comm,
                               .kernels = hiss_kernels_ref()};
    assert_int_equal(stage_open(&m->s, "dbm", setting, given, NULL, &err), HISS_OK);
    stage_batches(&m->s, 0, 0);
    m->r = rig_open();
    m->r.b.training = !measures;
    assert_int_equal(measures ? m->s.ops->measure->build(m->s.method, &m->r.b, M, &err)
                              : m->s.ops->build(m->s.method, 0, &m->r.b, &err),
                     HISS_OK);
    rig_ready(&m->r, given.kernels);
    for (int s = 0; s < hiss_model_count(m->r.model); s++) {
        const hiss_slot *slot = hiss_model_at(m->r.model, s);
        if (slot->kind == HISS_SLOT_PARAMETER) {
            fill_normals(60, s, slot->count, m->r.vector + slot->offset);
        }
    }
    struct {
        const char *name;
        double *to;
        int count;
    } const slots[] = {{"hidden1/weight", m->W1[0], F1 * D},
                       {"hidden2/weight", m->W2[0], F2 * F1},
                       {"visible/bias", m->b, D},
                       {"hidden1/bias", m->c1, F1},
                       {"hidden2/bias", m->c2, F2}};
    for (int s = 0; s < HISS_COUNT(slots); s++) {
        float *value = rig_of(&m->r, m->r.vector, slots[s].name);
        for (int i = 0; i < slots[s].count; i++) {
            value[i] *= 0.7f;
            slots[s].to[i] = (double)value[i];
        }
    }
}

static void close_machine(machine *m) {
    rig_close(&m->r);
    stage_close(&m->s);
}

static double bit(int64_t state, int unit) {
    return (double)(state >> unit & 1);
}

/* The logarithm of the sum of e^-E over pixels, of one state of the hidden layers; or for one image v. */
static double log_hidden(const machine *m, int64_t h1, int64_t h2, const float *v) {
    double sum = 0.0;
    for (int j = 0; j < F1; j++) {
        sum += m->c1[j] * bit(h1, j);
        for (int k = 0; k < F2; k++) {
            sum += m->W2[k][j] * bit(h1, j) * bit(h2, k);
        }
    }
    for (int k = 0; k < F2; k++) {
        sum += m->c2[k] * bit(h2, k);
    }
    for (int i = 0; i < D; i++) {
        double on = m->b[i];
        for (int j = 0; j < F1; j++) {
            on += m->W1[j][i] * bit(h1, j);
        }
        sum += v ? (v[i] > 0.5f ? on : 0.0) : log1p(exp(on));
    }
    return sum;
}

/* The same of all hidden states. */
static double log_all(const machine *m, const float *v) {
    double sum = 0.0;
    for (int64_t h1 = 0; h1 < 1 << F1; h1++) {
        for (int64_t h2 = 0; h2 < 1 << F2; h2++) {
            sum += exp(log_hidden(m, h1, h2, v));
        }
    }
    return log(sum);
}

/* ---- what evaluation says ---- */

typedef struct said {
    double log_z, deviation, bound;
    int pictures;
} said;

static void take_number(void *say, const hiss_measure *measure) {
    said *to = say;
    if (strcmp(measure->name, "log_z") == 0) {
        to->log_z = measure->value;
        to->deviation = measure->spread;
    } else if (strcmp(measure->name, "bound") == 0) {
        to->bound = measure->value;
        assert_true(measure->baseline > 0.0);
    }
}

static void take_remark(void *say, const char *text) {
    (void)say;
    assert_non_null(strstr(text, "200 chains of 1000 steps"));
}

static hiss_status take_grid(void *say, const char *file, const char *title, const char *caption, int64_t rows,
                             int64_t columns, int64_t height, int64_t width, int64_t C, const float *pixels,
                             hiss_error *err) {
    (void)title;
    (void)caption;
    (void)err;
    assert_string_equal(file, "chains.png");
    for (int64_t k = 0; k < rows * columns * height * width * C; k++) {
        assert_true(0.0f <= pixels[k] && pixels[k] <= 1.0f);
    }
    ((said *)say)->pictures++;
    return HISS_OK;
}

static hiss_status take_filters(void *say, const char *file, const char *title, const char *caption, int64_t F,
                                int64_t R, int64_t S, int64_t C, const float *w, hiss_error *err) {
    (void)file;
    (void)title;
    (void)caption;
    (void)w;
    (void)err;
    assert_true(F == F1 && R * S * C == D);
    ((said *)say)->pictures++;
    return HISS_OK;
}

/* Numbers of the first M samples into value[M, 1 + D]; their images are what the graph saw. */
static void measure_samples(machine *m, float *value) {
    const hiss_measure_ops *ops = m->s.ops->measure;
    hiss_lane lane = stage_lane(&m->s, 0, m->r.graph, m->r.exec);
    lane.view = HISS_VIEW_CENTER;
    for (int64_t i = 0; i < M; i++) {
        ops->sample(m->s.method, &lane, i);
    }
    hiss_exec_forward(m->r.exec, &m->r.run, 0, hiss_graph_nodes(m->r.graph), NULL, NULL);
    for (int64_t i = 0; i < M; i++) {
        ops->measure(m->s.method, &lane, i, value + i * (1 + D));
    }
}

static void test_estimates_are_those_of_all_states(void **state) {
    (void)state;
    machine m;
    said to = {0};
    float value[M * (1 + D)];
    double mean[1 + D] = {0}, gap = 0.0;
    open_machine(&m, true);
    assert_int_equal(m.s.ops->measure->width(m.s.method), 1 + D);
    measure_samples(&m, value);
    const float *binary = hiss_exec_data(m.r.exec, hiss_graph_input_named(m.r.graph, "binary"));
    for (int64_t i = 0; i < M; i++) {
        const double most = log_all(&m, binary + i * D), found = (double)value[i * (1 + D)];
        assert_true(found < most + 1e-4); /* a bound, */
        gap += (most - found) / M;
        for (int d = 0; d <= D; d++) {
            mean[d] += (double)value[i * (1 + D) + d] / M;
        }
    }
    assert_true(gap < 0.6); /* and not far off */
    hiss_measured measured = {.task = &m.s.task,
                              .comm = &m.comm,
                              .model = m.r.model,
                              .vector = m.r.vector,
                              .test = M,
                              .train = M,
                              .test_mean = mean,
                              .test_deviation = mean,
                              .train_mean = mean,
                              .say = &to,
                              .number = take_number,
                              .remark = take_remark,
                              .grid = take_grid,
                              .filters = take_filters};
    assert_int_equal(m.s.ops->measure->conclude(m.s.method, &measured, NULL), HISS_OK);
    const double exact = log_all(&m, NULL);
    if (!(fabs(to.log_z - exact) < 0.1 && to.deviation < 0.05)) {
        fail_msg("log Z %.3f +- %.3f, exact %.3f", to.log_z, to.deviation, exact);
    }
    assert_true(fabs(to.bound - (to.log_z - mean[0])) < 1e-9);
    assert_int_equal(to.pictures, 2);
    close_machine(&m);
}

/* ---- where chains go ---- */

/* Means and products of units of the first layer, over the model. */
static void exact_moments(const machine *m, double moment[F1][F1]) {
    const double log_z = log_all(m, NULL);
    memset(moment, 0, sizeof(double) * F1 * F1);
    for (int64_t h1 = 0; h1 < 1 << F1; h1++) {
        double p = 0.0;
        for (int64_t h2 = 0; h2 < 1 << F2; h2++) {
            p += exp(log_hidden(m, h1, h2, NULL) - log_z);
        }
        for (int i = 0; i < F1; i++) {
            for (int j = 0; j < F1; j++) {
                moment[i][j] += p * bit(h1, i) * bit(h1, j);
            }
        }
    }
}

/* Chains that go on from step to step, of a model that stays, draw from it. */
static void test_chains_draw_from_the_model(void **state) {
    (void)state;
    enum { STEPS = 500, WARM_UP = 20 };
    machine m;
    hiss_state chains[HISS_MAX_STATES];
    double found[F1][F1] = {{0}}, exact[F1][F1];
    open_machine(&m, false);
    assert_int_equal(m.s.ops->state->list(m.s.method, chains), 1);
    assert_true(chains[0].per == HISS_PER_LANE && chains[0].count == M * F1);
    for (int step = 0; step < WARM_UP + STEPS; step++) {
        hiss_lane lane = stage_lane(&m.s, 1, m.r.graph, m.r.exec);
        lane.step = step;
        stage_sample(&m.s, &lane);
        hiss_exec_forward(m.r.exec, &m.r.run, 0, hiss_graph_nodes(m.r.graph), NULL, NULL);
        m.s.ops->phase->remember(m.s.method, &lane);
        const float *h1 = (const float *)chains[0].local + M * F1; /* of lane 1 */
        for (int64_t i = 0; i < M * F1 * F1 && step >= WARM_UP; i++) {
            const int64_t row = i / (F1 * F1), a = i / F1 % F1, b = i % F1;
            found[a][b] += (double)h1[row * F1 + a] * (double)h1[row * F1 + b] / (STEPS * M);
        }
    }
    exact_moments(&m, exact);
    for (int i = 0; i < F1; i++) {
        for (int j = 0; j < F1; j++) {
            if (!(fabs(found[i][j] - exact[i][j]) < 0.03)) {
                fail_msg("units %d and %d are on together in %.3f of all states, the chains say %.3f", i, j,
                         exact[i][j], found[i][j]);
            }
        }
    }
    close_machine(&m);
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_estimates_are_those_of_all_states),
                                       cmocka_unit_test(test_chains_draw_from_the_model)};
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
