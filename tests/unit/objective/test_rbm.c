/* Restricted Boltzmann machines: the gradient is contrastive divergence's, by sums taken by hand; the partition function
 * by annealed importance sampling and by enumeration is that of all states. */
#include "../graph_support.h"

#include "../serial_comm.h"
#include "../stage.h"
#include "objective/energy/ais.h"

/* ---- contrastive divergence ---- */

enum { SIDE = 8, D = SIDE * SIDE, M = 6, MOST = 16 };

static double sigma(double x) {
    return 1.0 / (1.0 + exp(-x));
}

typedef struct parameters { /* of a machine of D visible and H hidden units */
    int64_t D, H;
    const float *W, *b, *c;
} parameters;

static void inputs_up(const parameters *p, const double *v, double *out) {
    for (int64_t j = 0; j < p->H; j++) {
        out[j] = (double)p->c[j];
        for (int64_t i = 0; i < p->D; i++) {
            out[j] += (double)p->W[j * p->D + i] * v[i];
        }
    }
}

static parameters machine_of(rig *r, int k, int64_t visible, int64_t hidden) {
    char W[32], b[32], c[32];
    snprintf(W, sizeof W, "rbm%d/weight", k);
    snprintf(b, sizeof b, "rbm%d/visible", k);
    snprintf(c, sizeof c, "rbm%d/hidden", k);
    return (parameters){visible, hidden, rig_of(r, r->vector, W), rig_of(r, r->vector, b), rig_of(r, r->vector, c)};
}

/* Sums over one sample, added to the gradients of W, b and c: -(<h v>_0 - <h v>_1) / M. */
static void add_divergence(const parameters *p, const double *v0, const float *noise, bool gaussian, double *W,
                           double *b, double *c) {
    double up0[MOST], up1[MOST], h[MOST], v1[D];
    inputs_up(p, v0, up0);
    for (int64_t j = 0; j < p->H; j++) {
        h[j] = gaussian ? up0[j] + (double)noise[j] : (double)noise[j] < sigma(up0[j]);
    }
    for (int64_t i = 0; i < p->D; i++) {
        v1[i] = (double)p->b[i];
        for (int64_t j = 0; j < p->H; j++) {
            v1[i] += h[j] * (double)p->W[j * p->D + i];
        }
        v1[i] = sigma(v1[i]);
        b[i] -= (v0[i] - v1[i]) / M;
    }
    inputs_up(p, v1, up1);
    for (int64_t j = 0; j < p->H; j++) {
        const double h0 = gaussian ? up0[j] : sigma(up0[j]), h1 = gaussian ? up1[j] : sigma(up1[j]);
        c[j] -= (h0 - h1) / M;
        for (int64_t i = 0; i < p->D; i++) {
            W[j * p->D + i] -= (h0 * v0[i] - h1 * v1[i]) / M;
        }
    }
}

static void expect_near(const char *what, int64_t count, const double *expected, const float *found) {
    double most = 0.0, off = 0.0;
    for (int64_t k = 0; k < count; k++) {
        most = fmax(most, fabs(expected[k]));
        off = fmax(off, fabs(expected[k] - (double)found[k]));
    }
    if (!(most > 1e-3) || !(off <= 2e-5 * most)) {
        fail_msg("%s: off by %g of %g", what, off, most);
    }
}

static const float *input_of(rig *r, const char *name) {
    const hiss_value value = hiss_graph_input_named(r->graph, name);
    return value < 0 ? NULL : hiss_exec_data(r->exec, value);
}

static void fill_lane(rig *r) {
    stage *s = r->user;
    const hiss_lane lane = stage_lane(s, 0, r->graph, r->exec);
    stage_sample(s, &lane);
}

/* Machine `phase` of a stack, against the sums; below it is a machine of `below` hidden units, or none. */
static void check_machine(const char *text, int phase, int64_t below, int64_t hidden, bool gaussian, bool binary) {
    hiss_comm comm = {0};
    hiss_error err = {0};
    stage s;
    const stage_given given = {.seed = 3,
                               .samples = 16,
                               .stored_H = SIDE,
                               .stored_W = SIDE,
                               .C = 1,
                               .classes = 10,
                               .lanes = 1,
                               .m = M,
                               .comm = &comm,
                               .kernels = hiss_kernels_ref()};
    assert_int_equal(stage_open(&s, "rbm", text, given, NULL, &err), HISS_OK);
    stage_batches(&s, 0, 1);
    rig r = rig_open();
    r.b.trained_groups = s.ops->phase->trains(s.method, phase);
    assert_int_equal(s.ops->build(s.method, phase, &r.b, &err), HISS_OK);
    r.loss = 0; /* not read */
    r.fill = fill_lane;
    r.user = &s;
    rig_ready(&r, given.kernels);
    rig_fill(&r);
    hiss_exec_forward(r.exec, &r.run, 0, hiss_graph_nodes(r.graph), NULL, NULL);
    hiss_exec_backward(r.exec, &r.run, NULL, NULL);
    rig_fill(&r); /* again: inputs last as long as they are needed */

    const int64_t visible = below ? below : D;
    const parameters p = machine_of(&r, phase + 1, visible, hidden);
    double W[MOST * D] = {0}, b[D] = {0}, c[MOST] = {0}, image[D], v0[D], up[MOST];
    for (int i = 0; i < M; i++) {
        const float *uniforms = input_of(&r, "visible_uniforms");
        assert_int_equal(uniforms != NULL, binary);
        for (int k = 0; k < D; k++) {
            image[k] = (double)input_of(&r, "image")[i * D + k];
            v0[k] = binary ? (double)uniforms[i * D + k] < image[k] : image[k];
        }
        if (below) {
            const parameters first = machine_of(&r, 1, D, below);
            inputs_up(&first, image, up);
            for (int64_t k = 0; k < below; k++) {
                v0[k] = sigma(up[k]);
            }
        }
        const float *noise = input_of(&r, gaussian ? "hidden_normals" : "hidden_uniforms");
        add_divergence(&p, v0, noise + i * hidden, gaussian, W, b, c);
    }
    char name[32];
    snprintf(name, sizeof name, "rbm%d/weight", phase + 1);
    expect_near(text, hidden * visible, W, rig_of(&r, r.lane, name));
    snprintf(name, sizeof name, "rbm%d/visible", phase + 1);
    expect_near(text, visible, b, rig_of(&r, r.lane, name));
    snprintf(name, sizeof name, "rbm%d/hidden", phase + 1);
    expect_near(text, hidden, c, rig_of(&r, r.lane, name));
    if (below) { /* the machine below is not trained meanwhile */
        assert_false(hiss_graph_trains(r.graph, hiss_model_find(r.model, "rbm1/weight")));
        assert_false(hiss_graph_trains(r.graph, hiss_model_find(r.model, "rbm1/hidden")));
    }
    rig_close(&r);
    stage_close(&s);
}

static void test_gradient_is_contrastive_divergence(void **state) {
    (void)state;
    check_machine("rbm: {layers: '9, 5', deviation: 0.3}\n", 0, 0, 9, false, false);
    check_machine("rbm: {layers: '9, 5', deviation: 0.3, binarize: true}\n", 0, 0, 9, false, true);
    check_machine("rbm: {layers: '9, 5', deviation: 0.3}\n", 1, 9, 5, true, false);
    check_machine("rbm: {layers: '9, 5', deviation: 0.3, code: binary}\n", 1, 9, 5, false, false);
    check_machine("rbm: {layers: 11, deviation: 0.3, code: gaussian}\n", 0, 0, 11, true, false);
}

/* ---- partition functions ---- */

enum { VISIBLE = 9, CHAINS = 200 };

typedef struct numbers {
    double W[MOST * VISIBLE], b[VISIBLE], c[MOST], base[VISIBLE];
    energy_machine machine;
} numbers;

static void make(numbers *n, int64_t H, double deviation) {
    float x[MOST * VISIBLE + MOST + 2 * VISIBLE];
    int at = 0;
    fill_normals(31, H, HISS_COUNT(x), x);
    for (int k = 0; k < MOST * VISIBLE; k++) {
        n->W[k] = deviation * (double)x[at++];
    }
    for (int k = 0; k < MOST; k++) {
        n->c[k] = (double)x[at++];
    }
    for (int k = 0; k < VISIBLE; k++) {
        n->b[k] = (double)x[at++];
        n->base[k] = 0.5 * (double)x[at++];
    }
    n->machine = (energy_machine){
        .D = VISIBLE, .H = H, .weight = n->W, .visible_bias = n->b, .hidden_bias = n->c, .base_bias = n->base};
}

/* The sum over all states of both sides, as it is defined. */
static double all_states(const numbers *n, int64_t H) {
    double sum = 0.0;
    for (int64_t v = 0; v < 1 << VISIBLE; v++) {
        for (int64_t h = 0; h < (int64_t)1 << H; h++) {
            double energy = 0.0;
            for (int64_t i = 0; i < VISIBLE; i++) {
                energy -= (double)(v >> i & 1) * n->b[i];
            }
            for (int64_t j = 0; j < H; j++) {
                for (int64_t i = 0; i < VISIBLE && (h >> j & 1); i++) {
                    energy -= (double)(v >> i & 1) * n->W[j * VISIBLE + i];
                }
                energy -= (double)(h >> j & 1) * n->c[j];
            }
            sum += exp(-energy);
        }
    }
    return log(sum);
}

static double enumerated(const energy_machine *z, int64_t pieces) {
    const int64_t parts = energy_exact_parts(z->H);
    double *log_part = hiss_new(double, parts);
    for (int64_t p = 0; p < pieces; p++) {
        const int64_t first = p * parts / pieces;
        energy_exact_sums(z, first, (p + 1) * parts / pieces, log_part + first);
    }
    const double value = energy_log_sum_exp(parts, log_part);
    hiss_free(log_part);
    return value;
}

static void test_enumeration_sums_all_states(void **state) {
    (void)state;
    numbers n;
    for (int64_t H = 1; H <= 9; H++) {
        make(&n, H, 0.8);
        const double expected = all_states(&n, H);
        assert_true(fabs(enumerated(&n.machine, 1) - expected) < 1e-10 * fabs(expected));
        assert_true(enumerated(&n.machine, 1) == enumerated(&n.machine, 3));
    }
    make(&n, 6, 300.0); /* beyond what exp() holds */
    assert_true(isfinite(enumerated(&n.machine, 1)));
}

static void test_sampling_finds_what_enumeration_sums(void **state) {
    (void)state;
    numbers n;
    make(&n, 12, 1.0);
    double log_weight[CHAINS], again[CHAINS];
    float seen[CHAINS * VISIBLE];
    energy_ais_chains(&n.machine, 5, 1, 300, 0, CHAINS, log_weight, seen);
    const energy_log_z found = energy_ais_estimate(&n.machine, CHAINS, log_weight);
    const double exact = enumerated(&n.machine, 1);
    assert_true(found.deviation > 0.0 && found.deviation < 0.1);
    assert_true(fabs(found.value - exact) < 4.0 * found.deviation && fabs(found.value - exact) < 0.01 * exact);

    /* What a chain gives depends on nobody else's. */
    for (int64_t first = 0; first < CHAINS; first += 67) {
        const int64_t end = first + 67 < CHAINS ? first + 67 : CHAINS;
        energy_ais_chains(&n.machine, 5, 1, 300, first, end, again + first, NULL);
    }
    assert_memory_equal(log_weight, again, sizeof again);

    /* Its end is a draw from the machine. */
    double mean[VISIBLE] = {0}, direct[VISIBLE] = {0};
    for (int64_t v = 0; v < 1 << VISIBLE; v++) {
        double log_p = -exact;
        for (int64_t i = 0; i < VISIBLE; i++) {
            log_p += (double)(v >> i & 1) * n.b[i];
        }
        for (int64_t j = 0; j < 12; j++) {
            double input = n.c[j];
            for (int64_t i = 0; i < VISIBLE; i++) {
                input += (double)(v >> i & 1) * n.W[j * VISIBLE + i];
            }
            log_p += energy_softplus(input);
        }
        for (int64_t i = 0; i < VISIBLE; i++) {
            direct[i] += (double)(v >> i & 1) * exp(log_p);
        }
    }
    for (int64_t k = 0; k < CHAINS; k++) {
        for (int64_t i = 0; i < VISIBLE; i++) {
            mean[i] += (double)seen[k * VISIBLE + i] / CHAINS;
        }
    }
    for (int64_t i = 0; i < VISIBLE; i++) {
        assert_true(fabs(mean[i] - direct[i]) < 0.15);
    }
}

/* Two layers of hidden units are a machine of two sides: {v, h2} and h1. */
static void test_deep_machine_has_two_sides(void **state) {
    (void)state;
    numbers n;
    make(&n, 5, 0.7);
    double sum = 0.0; /* units 0..5 of the visible side are v, 6..8 are h2 */
    for (int64_t x = 0; x < 1 << VISIBLE; x++) {
        double term = 1.0;
        for (int64_t i = 0; i < VISIBLE; i++) {
            term *= x >> i & 1 ? exp(n.b[i]) : 1.0;
        }
        for (int64_t j = 0; j < 5; j++) {
            double from_v = 0.0, from_h2 = 0.0;
            for (int64_t i = 0; i < 6; i++) {
                from_v += (double)(x >> i & 1) * n.W[j * VISIBLE + i];
            }
            for (int64_t i = 6; i < VISIBLE; i++) {
                from_h2 += (double)(x >> i & 1) * n.W[j * VISIBLE + i];
            }
            term *= 1.0 + exp(n.c[j] + from_v + from_h2);
        }
        sum += term;
    }
    assert_true(fabs(enumerated(&n.machine, 1) - log(sum)) < 1e-10);
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient_is_contrastive_divergence), cmocka_unit_test(test_enumeration_sums_all_states),
        cmocka_unit_test(test_sampling_finds_what_enumeration_sums), cmocka_unit_test(test_deep_machine_has_two_sides)};
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
