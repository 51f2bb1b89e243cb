/* The minimiser on a function with a known minimum; the probe at a true optimum, as Newton's method finds it; the same
 * bits on any layout of tiles and side by side;
 * few labels fitted on a rank each and on all together; probes that judge side by side;
 * lambda chosen, within and beyond the first candidates, and few labels drawn alike on all ranks; samples sorted by
 * class; what has not converged says so. */
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "features.h"
#include "mpi_test.h"

/* Rosenbrock's valley in 10 variables: minimum 0 at (1, .., 1). */
static double valley(void *user, const double *x, double *gradient) {
    double f = 0.0;
    memset(gradient, 0, sizeof(double) * 10);
    for (int i = 0; i < 9; i++) {
        double a = x[i + 1] - x[i] * x[i], b = 1.0 - x[i];
        f += 100.0 * a * a + b * b;
        gradient[i] -= 400.0 * a * x[i] + 2.0 * b;
        gradient[i + 1] += 200.0 * a;
    }
    ++*(int64_t *)user;
    return f;
}

static void check_minimize(hiss_comm *comm) {
    double x[10] = {-1.2, 1.0, -1.2, 1.0};
    int64_t calls = 0;
    hiss_minimum minimum;
    const hiss_smooth f = {.value = valley, .user = &calls, .count = 10};
    hiss_minimize(&f, x, 500, 1e-9, &minimum);
    CHECK(minimum.converged && minimum.gradient <= 1e-9 && minimum.evaluations == calls && minimum.iterations < 300);
    CHECK(calls < 2 * minimum.iterations);
    for (int i = 0; i < 10; i++) {
        CHECK(fabs(x[i] - 1.0) < 1e-8);
    }
    double start[10] = {0};
    hiss_minimize(&f, start, 3, 1e-9, &minimum);
    CHECK(!minimum.converged && minimum.iterations == 3 && minimum.value < 9.0);
}

/* Loss and |gradient| of the contract, in double, from the rows themselves. */
static double reference(const hiss_probe *probe, int64_t salt, int64_t n, double lambda, double *norm, double *right) {
    int64_t D = probe->D, C = probe->classes;
    double *mean = hiss_new(double, D), *deviation = hiss_new(double, D), *gradient = hiss_new(double, (D + 1) * C);
    float *rows = hiss_new(float, n *D);
    double loss = 0.0, logit[CLASSES];
    *right = 0.0;
    for (int64_t i = 0; i < n; i++) {
        made_row(salt, i, D, false, rows + i * D);
        for (int64_t d = 0; d < D; d++) {
            mean[d] += (double)rows[i * D + d] / (double)n;
        }
    }
    for (int64_t i = 0; i < n * D; i++) {
        deviation[i % D] += pow((double)rows[i] - mean[i % D], 2.0) / (double)(n - 1);
    }
    for (int64_t i = 0; i < n; i++) {
        int32_t label = made_label(salt, i);
        double sum = 0.0;
        int best = 0;
        for (int64_t c = 0; c < C; c++) {
            logit[c] = probe->w[C * D + c];
            for (int64_t d = 0; d < D; d++) {
                logit[c] += probe->w[c * D + d] * ((double)rows[i * D + d] - mean[d]) / sqrt(deviation[d]);
            }
            best = logit[c] > logit[best] ? (int)c : best;
            sum += exp(logit[c]);
        }
        *right += 100.0 * (best == label) / (double)n;
        loss += (log(sum) - logit[label]) / (double)n;
        for (int64_t c = 0; c < C; c++) {
            double r = (exp(logit[c]) / sum - (c == label)) / (double)n;
            gradient[C * D + c] += r;
            for (int64_t d = 0; d < D; d++) {
                gradient[c * D + d] += r * ((double)rows[i * D + d] - mean[d]) / sqrt(deviation[d]);
            }
        }
    }
    double square = 0.0;
    for (int64_t j = 0; j < (D + 1) * C; j++) {
        double regular = j < C * D ? lambda * probe->w[j] : 0.0;
        loss += 0.5 * regular * probe->w[j];
        square += pow(gradient[j] + regular, 2.0);
    }
    *norm = sqrt(square);
    hiss_free(mean);
    hiss_free(deviation);
    hiss_free(gradient);
    hiss_free(rows);
    return loss;
}

static void check_optimum(const hiss_eval_env *env) {
    hiss_comm *comm = env->comm;
    const int64_t n = 610, D = 12;
    hiss_features *f = made_features(env, 1, n, D, false, -1);
    double norm, first, right;
    hiss_probe *strong = hiss_probe_fit(env, f, NULL, 1e-2, 200, NULL);
    hiss_probe zero = *strong;
    zero.w = hiss_new(double, (D + 1) * CLASSES);
    reference(&zero, 1, n, 1e-2, &first, &right);
    hiss_free(zero.w);
    const double loss = reference(strong, 1, n, 1e-2, &norm, &right);
    CHECK(strong->minimum.converged && strong->minimum.gradient <= HISS_PROBE_TOLERANCE);
    CHECK(strong->minimum.iterations < 30);
    CHECK(norm < 2.0 * HISS_PROBE_TOLERANCE * first && fabs(loss - strong->minimum.value) < 1e-6);
    CHECK(fabs(hiss_probe_percent(env, strong, f, NULL) - right) < 1e-9);
    hiss_probe *from_strong = hiss_probe_fit(env, f, NULL, 1e-3, 200, strong);
    hiss_probe *from_zero = hiss_probe_fit(env, f, NULL, 1e-3, 200, NULL);
    CHECK(from_strong->minimum.iterations < from_zero->minimum.iterations);
    CHECK(fabs(from_strong->minimum.value - from_zero->minimum.value) < 1e-6);
    CHECK(from_zero->minimum.value < strong->minimum.value);
    hiss_probe_destroy(strong);
    hiss_probe_destroy(from_strong);
    hiss_probe_destroy(from_zero);
    hiss_features_destroy(f);
}

/* The same samples by Newton's method in float64, with the whole Hessian: the optimum that fits are held to. */
static void newton(int64_t n, int64_t D, const double *x, const int32_t *label, double lambda, double *w) {
    const int64_t C = CLASSES, N = (D + 1) * C; /* w [C, D], then biases */
    double *H = hiss_new(double, N *N), *g = hiss_new(double, N);
    for (int round = 0; round < 12; round++) {
        memset(H, 0, sizeof(double) * (size_t)(N * N));
        memset(g, 0, sizeof(double) * (size_t)N);
        for (int64_t i = 0; i < n; i++) {
            double p[CLASSES], sum = 0.0;
            for (int64_t c = 0; c < C; c++) {
                p[c] = w[C * D + c];
                for (int64_t d = 0; d < D; d++) {
                    p[c] += w[c * D + d] * x[i * D + d];
                }
                sum += p[c] = exp(p[c]);
            }
            for (int64_t j = 0; j < N; j++) {
                const int64_t a = j < C * D ? j / D : j - C * D;
                const double xa = j < C * D ? x[i * D + j % D] : 1.0, pa = p[a] / sum;
                g[j] += xa * (pa - (a == label[i])) / (double)n;
                for (int64_t k = 0; k <= j; k++) {
                    const int64_t b = k < C * D ? k / D : k - C * D;
                    const double xb = k < C * D ? x[i * D + k % D] : 1.0;
                    H[j * N + k] += xa * xb * pa * ((a == b) - p[b] / sum) / (double)n;
                }
            }
        }
        for (int64_t j = 0; j < N; j++) {
            g[j] += j < C * D ? lambda * w[j] : 0.0;
            H[j * N + j] += j < C * D ? lambda : 1e-9;
        }
        for (int64_t j = 0; j < N; j++) { /* Cholesky, and both solutions */
            for (int64_t i = j; i < N; i++) {
                for (int64_t k = 0; k < j; k++) {
                    H[i * N + j] -= H[i * N + k] * H[j * N + k];
                }
                H[i * N + j] = i == j ? sqrt(H[i * N + j]) : H[i * N + j] / H[j * N + j];
            }
            for (int64_t k = 0; k < j; k++) {
                g[j] -= H[j * N + k] * g[k];
            }
            g[j] /= H[j * N + j];
        }
        for (int64_t j = N - 1; j >= 0; j--) {
            for (int64_t k = j + 1; k < N; k++) {
                g[j] -= H[k * N + j] * g[k];
            }
            g[j] /= H[j * N + j];
            w[j] -= g[j];
        }
    }
    hiss_free(H);
    hiss_free(g);
}

/* Weights as those of Newton's method, with a preconditioner and without. */
static void check_solver(const hiss_eval_env *env) {
    hiss_comm *comm = env->comm;
    const int64_t D = 6;
    for (int64_t n = 100; n <= 610; n += 510) {
        hiss_features *f = made_features(env, 1, n, D, false, -1);
        hiss_probe *probe = hiss_probe_fit(env, f, NULL, 1e-3, 500, NULL);
        float *rows = hiss_new(float, D);
        double *x = hiss_new(double, n *D), *w = hiss_new(double, (D + 1) * CLASSES), far = 0.0, size = 0.0;
        int32_t *label = hiss_new(int32_t, n);
        for (int64_t i = 0; i < n; i++) {
            made_row(1, i, D, false, rows);
            label[i] = made_label(1, i);
            for (int64_t d = 0; d < D; d++) {
                x[i * D + d] = ((double)rows[d] - (double)probe->mean[d]) * (double)probe->inverse[d];
            }
        }
        newton(n, D, x, label, 1e-3, w);
        for (int64_t j = 0; j < CLASSES * D; j++) {
            far = fmax(far, fabs(w[j] - probe->w[j]));
            size = fmax(size, fabs(w[j]));
        }
        CHECK(probe->minimum.converged && size > 0.05 && far < 1e-3 * size);
        hiss_free(rows);
        hiss_free(x);
        hiss_free(w);
        hiss_free(label);
        hiss_probe_destroy(probe);
        hiss_features_destroy(f);
    }
}

/* More features than directions of the curvature: the optimum by the gradient in double, in few steps; and the bits of
 * fits side by side, on any layout of tiles, are those of each alone. */
static void check_side_by_side(const hiss_eval_env *env) {
    hiss_comm *comm = env->comm;
    const int64_t n = 3010, D = 140, count = (D + 1) * CLASSES;
    const double lambdas[3] = {1e-2, 1e-3, 1e-1};
    bool *use = hiss_new(bool, n);
    for (int64_t i = 0; i < n; i++) {
        use[i] = i % 3 > 0;
    }
    hiss_features *f = made_features(env, 1, n, D, false, hiss_comm_size(comm) - 1);
    probe_base base = eval_probe_base_create(env, f);
    probe_fit fits[3];
    for (int k = 0; k < 3; k++) {
        fits[k] = (probe_fit){k == 1 ? NULL : use, lambdas[k], HISS_PROBE_TOLERANCE, 300, NULL, NULL, NULL};
    }
    eval_probe_fit(env, &base, 3, fits);
    hiss_features *g = made_features(env, 1, n, D, false, -1);
    for (int k = 0; k < 3; k++) {
        hiss_probe *alone = hiss_probe_fit(env, g, fits[k].use, lambdas[k], 300, NULL);
        CHECK(alone->minimum.converged && alone->minimum.iterations < 60);
        CHECK(memcmp(alone->w, fits[k].probe->w, sizeof(double) * (size_t)count) == 0);
        CHECK(memcmp(&alone->minimum.value, &fits[k].probe->minimum.value, sizeof(double)) == 0);
        CHECK(alone->minimum.evaluations == fits[k].probe->minimum.evaluations);
        hiss_probe_destroy(alone);
    }
    double norm, first, right;
    reference(fits[1].probe, 1, n, lambdas[1], &norm, &right);
    memset(fits[1].probe->w, 0, sizeof(double) * (size_t)count);
    reference(fits[1].probe, 1, n, lambdas[1], &first, &right);
    CHECK(norm < 2.0 * HISS_PROBE_TOLERANCE * first);
    for (int k = 0; k < 3; k++) {
        hiss_probe_destroy(fits[k].probe);
    }
    eval_probe_base_destroy(&base);
    hiss_features_destroy(f);
    hiss_features_destroy(g);
    hiss_free(use);
}

/* A constant feature and features of tiny and huge scale leave the fit finite. */
static void check_degenerate(const hiss_eval_env *env) {
    hiss_comm *comm = env->comm;
    hiss_features *f = made_features(env, 1, 500, 12, false, -1);
    hiss_probe *plain = hiss_probe_fit(env, f, NULL, 1e-2, 200, NULL);
    for (int64_t i = 0; i < (f->end - f->first) * HISS_TILE; i++) {
        f->rows[i * 12] = 100.0f;
        f->rows[i * 12 + 1] *= 1e6f;
    }
    hiss_probe *odd = hiss_probe_fit(env, f, NULL, 1e-2, 200, NULL);
    CHECK(isfinite(odd->minimum.value) && odd->minimum.converged);
    CHECK(odd->minimum.value > plain->minimum.value && odd->minimum.value < log(10.0));
    CHECK(fabs(odd->w[0]) < 1e-3);
    hiss_probe_destroy(plain);
    hiss_probe_destroy(odd);
    hiss_features_destroy(f);
}

/* Draws on a rank each, and on all ranks together; as many draws as ranks and one more, so that rounds differ. */
static void check_rounds(const hiss_eval_env *env) {
    hiss_comm *comm = env->comm;
    const int64_t D = 19, labels[2] = {10, 100}, draws[2] = {hiss_comm_size(comm) + 1, 2};
    hiss_features *train = made_features(env, 1, 1680, D, false, -1), *test = made_features(env, 2, 600, D, false, -1);
    const int64_t most[3] = {INT64_MAX, 0, 600 * D};
    hiss_few_result result[3][2];
    memset(result, 0, sizeof result);
    for (int k = 0; k < 3; k++) {
        eval_few_labels(env, train, test, 2, labels, draws, 300, most[k], result[k]);
        CHECK(result[k][0].draws == draws[0] && result[k][1].draws == 2 && result[k][1].unconverged == 0);
        CHECK(memcmp(result[k], result[0], sizeof result[0]) == 0);
    }
    hiss_features_destroy(train);
    hiss_features_destroy(test);
}

/* Probes of different statistics judge together as each by itself, but for samples between two classes. */
static void check_percents(const hiss_eval_env *env) {
    hiss_comm *comm = env->comm;
    enum { PROBES = 60 }; /* more than one product takes */
    const int64_t n = 1000, D = 12;
    hiss_features *test = made_features(env, 2, n, D, false, -1);
    hiss_probe *probe[PROBES];
    double together[PROBES];
    for (int k = 0; k < PROBES; k++) {
        hiss_features *f = made_features(env, 1, 300 + 10 * k, D, false, -1);
        for (int64_t i = 0; i < (f->end - f->first) * HISS_TILE * D; i++) {
            f->rows[i] += 0.1f * (float)(k % 3);
        }
        probe[k] = hiss_probe_fit(env, f, NULL, 1e-2, 100, NULL);
        hiss_features_destroy(f);
    }
    eval_probe_percents(env, PROBES, probe, test, NULL, together);
    for (int k = 0; k < PROBES; k++) {
        CHECK(fabs(together[k] - hiss_probe_percent(env, probe[k], test, NULL)) < 150.0 / (double)n);
        CHECK(together[k] > 20.0);
        hiss_probe_destroy(probe[k]);
    }
    hiss_features_destroy(test);
}

static bool is_same(const hiss_linear_result *a, const hiss_linear_result *b) {
    const double x[] = {a->percent, a->train_percent, a->lambda, a->minimum.value, a->minimum.gradient};
    const double y[] = {b->percent, b->train_percent, b->lambda, b->minimum.value, b->minimum.gradient};
    return memcmp(x, y, sizeof x) == 0 && memcmp(a->heldout, b->heldout, sizeof a->heldout) == 0 &&
           a->at_edge == b->at_edge && a->unconverged == b->unconverged &&
           a->minimum.iterations == b->minimum.iterations && a->minimum.evaluations == b->minimum.evaluations;
}

static void check_layouts(const hiss_eval_env *env) {
    hiss_comm *comm = env->comm;
    const int64_t n = 1680, D = 19;
    int owner[3] = {-1, 0, hiss_comm_size(comm) - 1};
    hiss_linear_result linear[3];
    hiss_few_result few[3][3];
    hiss_probe *probe[3];
    for (int layout = 0; layout < 3; layout++) {
        hiss_features *train = made_features(env, 1, n, D, false, owner[layout]);
        hiss_features *test = made_features(env, 2, 600, D, false, owner[layout]);
        bool use[1680];
        for (int64_t i = 0; i < n; i++) {
            use[i] = i % 7 != 1 && i % 250 != 4;
        }
        probe[layout] = hiss_probe_fit(env, train, use, 1e-3, 30, NULL);
        linear[layout] = hiss_linear_probe(env, train, test, 30);
        const int64_t labels[3] = {10, 100, 1000}, draws[3] = {3, 2, 3};
        memset(few[layout], 0, sizeof few[layout]);
        hiss_few_labels(env, train, test, 3, labels, draws, 300, few[layout]);
        CHECK(few[layout][1].draws == 2 && few[layout][1].linear > few[layout][0].linear);
        CHECK(few[layout][2].draws == 0);
        CHECK(memcmp(probe[layout]->w, probe[0]->w, sizeof(double) * (size_t)((D + 1) * CLASSES)) == 0);
        CHECK(is_same(&linear[layout], &linear[0]));
        CHECK(memcmp(few[layout], few[0], sizeof few[0]) == 0);
        CHECK(hiss_comm_equal(comm, probe[layout]->w, (int64_t)sizeof(double) * (D + 1) * CLASSES));
        hiss_features_destroy(train);
        hiss_features_destroy(test);
    }
    CHECK(linear[0].percent > 45.0 && linear[0].percent < linear[0].train_percent);
    const hiss_few_result ten = few[0][0];
    CHECK(ten.draws == 3 && ten.linear > 30.0 && ten.linear < linear[0].percent && ten.knn > 20.0);
    CHECK(ten.linear_spread > 0.0 && ten.linear_spread < 10.0);
    for (int layout = 0; layout < 3; layout++) {
        hiss_probe_destroy(probe[layout]);
    }
}

/* Correlated features, lambda small: slow without the curvature. A few steps do not do, and are not called enough. */
static void check_convergence(const hiss_eval_env *env) {
    hiss_comm *comm = env->comm;
    const int64_t n = 1000, D = 30;
    hiss_features *f = made_features(env, 1, n, D, false, -1);
    for (int64_t i = 0; i < (f->end - f->first) * HISS_TILE; i++) {
        for (int64_t d = 1; d < D; d++) {
            f->rows[i * D + d] = f->rows[i * D + d - 1] + 0.1f * f->rows[i * D + d];
        }
    }
    hiss_probe *few = hiss_probe_fit(env, f, NULL, 1e-5, 5, NULL),
               *enough = hiss_probe_fit(env, f, NULL, 1e-5, 500, NULL);
    CHECK(!few->minimum.converged && few->minimum.iterations == 5 && few->minimum.gradient > HISS_PROBE_TOLERANCE);
    CHECK(enough->minimum.converged && enough->minimum.gradient <= HISS_PROBE_TOLERANCE);
    CHECK(enough->minimum.iterations < 300 && enough->minimum.value < few->minimum.value);
    hiss_probe_destroy(few);
    hiss_probe_destroy(enough);
    hiss_linear_result short_of = hiss_linear_probe(env, f, f, 2), linear = hiss_linear_probe(env, f, f, 500);
    CHECK(!short_of.minimum.converged && short_of.unconverged >= 3);
    CHECK(linear.minimum.converged && linear.unconverged == 0);
    const int64_t ten = 10, draws = 2;
    hiss_few_result stopped, done;
    hiss_few_labels(env, f, f, 1, &ten, &draws, 1, &stopped);
    hiss_few_labels(env, f, f, 1, &ten, &draws, 500, &done);
    CHECK(stopped.unconverged == 2 && done.unconverged == 0);
    hiss_features_destroy(f);
}

/* The grid of lambdas goes on where its best is an end: up for labels that have nothing to do with the features, down
 * for features so small a part of which tells classes apart that weights must be large. */
static void check_edges(const hiss_eval_env *env) {
    hiss_comm *comm = env->comm;
    const int64_t n = 1250, D = 40;
    hiss_features *f = made_features(env, 1, n, D, false, -1);
    for (int64_t i = 0; i < (f->end - f->first) * HISS_TILE; i++) {
        const int64_t sample = f->first * HISS_TILE + i;
        f->label[i] =
            sample < n ? (int32_t)(hash2(5, (uint64_t)sample) % 100 < 30 ? 0 : 1 + hash2(6, (uint64_t)sample) % 9) : -1;
    }
    const hiss_linear_result up = hiss_linear_probe(env, f, f, 500);
    CHECK(up.lambda > 1e-2 && up.heldout[7] >= 0.0);
    for (int64_t i = 0; i < (f->end - f->first) * HISS_TILE; i++) {
        const int64_t sample = f->first * HISS_TILE + i;
        for (int64_t d = 0; d < D && sample < n; d++) { /* all features nearly one; differences of 1e-3 tell all */
            const float shared = (float)value_of(7, (uint64_t)sample, 0);
            f->rows[i * D + d] = shared + 1e-3f * (float)(sample % CLASSES == d);
        }
        f->label[i] = sample < n ? (int32_t)(sample % CLASSES) : -1;
    }
    const hiss_linear_result down = hiss_linear_probe(env, f, f, 3000);
    CHECK(down.lambda < 1e-4 && down.heldout[3] >= 0.0);
    CHECK(up.at_edge == (up.lambda == hiss_lambdas[HISS_LAMBDAS - 1]));
    CHECK(down.at_edge == (down.lambda == hiss_lambdas[0]));
    hiss_features_destroy(f);
}

/* Samples sorted by class, and the same ones mixed: held-out training samples come from every class. */
static void check_sorted(const hiss_eval_env *env) {
    hiss_comm *comm = env->comm;
    const int64_t n = 2500, D = 12;
    double percent[2], heldout[2];
    for (int sorted = 0; sorted < 2; sorted++) {
        hiss_features *f = hiss_features_create(env, n, D, CLASSES);
        for (int64_t i = 0; i < (f->end - f->first) * HISS_TILE; i++) {
            const int64_t sample = f->first * HISS_TILE + i;
            const int64_t label = sorted ? sample / HISS_TILE : sample % CLASSES;
            f->label[i] = (int32_t)label;
            for (int64_t d = 0; d < D; d++) {
                f->rows[i * D + d] = (float)value_of(8, (uint64_t)sample, (uint64_t)d) + (d == label ? 1.0f : 0.0f);
            }
        }
        const hiss_linear_result linear = hiss_linear_probe(env, f, f, 500);
        percent[sorted] = linear.percent;
        heldout[sorted] = linear.heldout[5];
        hiss_features_destroy(f);
    }
    CHECK(percent[1] > 50.0 && fabs(percent[1] - percent[0]) < 4.0 && fabs(heldout[1] - heldout[0]) < 8.0);
}

static void check_subset(const hiss_eval_env *env) {
    hiss_comm *comm = env->comm;
    const int64_t n = 1130, D = 5;
    hiss_features *f = made_features(env, 1, n, D, false, -1);
    int64_t index[600], count = 0;
    for (int64_t i = 0; i < n && count < 600; i++) {
        if (i % 2 == 0 || i > 1000) {
            index[count++] = i;
        }
    }
    hiss_features *subset = hiss_features_subset(env, f, index, count);
    int32_t *label = hiss_new(int32_t, count);
    hiss_features_labels(env, subset, label);
    float row[5];
    for (int64_t i = 0; i < (subset->end - subset->first) * HISS_TILE; i++) {
        int64_t sample = subset->first * HISS_TILE + i;
        if (sample < count) {
            made_row(1, index[sample], D, false, row);
            CHECK(memcmp(row, subset->rows + i * D, sizeof row) == 0);
            CHECK(subset->label[i] == made_label(1, index[sample]));
        } else {
            CHECK(subset->label[i] == -1 && subset->rows[i * D] == 0.0f);
        }
    }
    for (int64_t i = 0; i < count; i++) {
        CHECK(label[i] == made_label(1, index[i]));
    }
    hiss_free(label);
    hiss_features_destroy(subset);
    hiss_features_destroy(f);
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    hiss_error err;
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) {
        return 1;
    }
    hiss_kernels_enter_thread();
    hiss_eval_env env = {comm, hiss_kernels_blas(), 1};
    check_minimize(comm);
    check_optimum(&env);
    check_solver(&env);
    check_side_by_side(&env);
    check_degenerate(&env);
    check_layouts(&env);
    check_rounds(&env);
    check_percents(&env);
    check_convergence(&env);
    check_edges(&env);
    check_sorted(&env);
    check_subset(&env);
    return finish_test(comm);
}
