/* Probes of few samples in coordinates of their own: where a fit ends there the fit of the features has converged, and
 * the other way round, for fewer samples than dimensions, as many, more, and samples that do not differ in all they
 * could; the covariance of the coordinates is tridiagonal, and its inverse the preconditioner's; the same bits on any
 * layout of tiles. */
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "features.h"
#include "mpi_test.h"

enum kind { FULL, TWINS, CONSTANT, ALIKE, KINDS };

/* TWINS: a sample is the same as the one before, for every second one; CONSTANT: two of three features are; ALIKE: all
 * samples are the same. */
static hiss_features *few_samples(const hiss_eval_env *env, int64_t n, int64_t D, int kind, int owner) {
    hiss_features *f = made_features(env, 1, n, D, false, owner);
    for (int64_t i = 0; i < (f->end - f->first) * HISS_TILE; i++) {
        const int64_t sample = f->first * HISS_TILE + i;
        if (sample >= n) {
            break;
        }
        if (kind == TWINS || kind == ALIKE) {
            made_row(1, kind == TWINS ? sample / 2 * 2 : 0, D, false, f->rows + i * D);
        }
        for (int64_t d = 0; d < D && kind == CONSTANT; d++) {
            f->rows[i * D + d] = d % 3 ? 0.5f : f->rows[i * D + d];
        }
    }
    return f;
}

/* The base of f in coordinates of samples, whether that pays or not; shares what it can with direct. */
static probe_base enter(const hiss_eval_env *env, const hiss_features *f, const probe_base *direct) {
    probe_base base = {.zero = direct->zero, .inner = hiss_new(hiss_features, 1)};
    *base.inner = *f;
    base.space = eval_row_space_create(env, f, direct->x, direct->stride);
    base.inner->D = eval_row_space_rank(base.space);
    base.stride = (base.inner->D + 15) / 16 * 16;
    base.x = hiss_new(float, (f->end - f->first) * HISS_TILE * base.stride);
    eval_row_space_rows(base.space, base.stride, base.x);
    return base;
}

static void destroy(probe_base *base) {
    eval_row_space_destroy(base->space);
    hiss_free(base->inner);
    hiss_free(base->x);
}

/* The base of f by its features, whether that pays or not. */
static probe_base direct_base(const hiss_eval_env *env, const hiss_features *f) {
    probe_base base = eval_probe_base_create(env, f);
    if (base.space) {
        base.inner->D = f->D;
        base.stride = (f->D + 15) / 16 * 16;
        hiss_free(base.x);
        base.x = base.standardised;
        base.standardised = NULL;
        eval_row_space_destroy(base.space);
        base.space = NULL;
    }
    return base;
}

static hiss_probe *fit(const hiss_eval_env *env, const probe_base *base, const bool *use, double lambda,
                       double tolerance, const hiss_probe *start) {
    probe_fit task = {.use = use, .lambda = lambda, .tolerance = tolerance, .iterations = 2000, .start = start};
    eval_probe_fit(env, base, 1, &task);
    return task.probe;
}

static void check_same(hiss_comm *comm, const hiss_probe *a, const hiss_probe *b, double least) {
    double far = 0.0, size = 0.0;
    for (int64_t j = 0; j < a->D * a->classes; j++) {
        far += pow(a->w[j] - b->w[j], 2.0);
        size += pow(b->w[j], 2.0);
    }
    CHECK(sqrt(far) <= least * sqrt(size) + 1e-9);
    CHECK(fabs(a->minimum.value - b->minimum.value) <= least * fmax(b->minimum.value, 1e-3));
}

/* Where one ends, the other has converged. */
static void check_optimum(const hiss_eval_env *env, int64_t n, int64_t D, int kind, double lambda) {
    hiss_comm *comm = env->comm;
    hiss_features *f = few_samples(env, n, D, kind, -1);
    bool *use = hiss_new(bool, n);
    for (int64_t i = 0; i < n; i++) {
        use[i] = i % 5 != 2;
    }
    probe_base direct = direct_base(env, f), coordinates = enter(env, f, &direct);
    hiss_probe *there = fit(env, &coordinates, use, lambda, HISS_PROBE_TOLERANCE, NULL);
    hiss_probe *here = fit(env, &direct, use, lambda, HISS_PROBE_TOLERANCE, NULL);
    hiss_probe *back = fit(env, &direct, use, lambda, 4.0 * HISS_PROBE_TOLERANCE, there);
    hiss_probe *forth = fit(env, &coordinates, use, lambda, 4.0 * HISS_PROBE_TOLERANCE, here);
    CHECK(there->minimum.converged && here->minimum.converged);
    CHECK(back->minimum.converged && back->minimum.evaluations == 1);
    CHECK(forth->minimum.converged && forth->minimum.evaluations == 1);
    CHECK(n > D || there->minimum.iterations <= 2 * here->minimum.iterations);
    check_same(comm, there, here,
               lambda > 1e-3 ? 1e-3 : 0.1); /* small lambda: the tolerance says less of the weights */
    check_same(comm, forth, here, 1e-4);
    hiss_probe *const all[] = {there, here, back, forth};
    for (int i = 0; i < 4; i++) {
        hiss_probe_destroy(all[i]);
    }
    destroy(&coordinates);
    eval_probe_base_destroy(&direct);
    hiss_features_destroy(f);
    hiss_free(use);
}

/* x = P g: (kappa S + lambda I) x = g for S by the coordinates themselves. */
static void check_inverse(const hiss_eval_env *env) {
    enum { N = 90, D = 130 };
    hiss_comm *comm = env->comm;
    hiss_features *f = few_samples(env, N, D, FULL, -1);
    probe_base base = eval_probe_base_create(env, f);
    const int R = (int)base.inner->D; /* centred samples span one dimension less, up to the rounding of the mean */
    CHECK(base.space != NULL && R >= N - 1 && R <= N && !base.curvature);
    float *z = hiss_new(float, N *base.stride);
    eval_features_allgather(env, f, base.x, (int64_t)sizeof(float) * base.stride, z);
    double S[N][N], g[N + 1], x[N + 1], worst = 0.0, outside = 0.0, largest = 0.0;
    for (int j = 0; j < R; j++) {
        for (int k = 0; k < R; k++) {
            S[j][k] = 0.0;
            for (int64_t i = 0; i < N; i++) {
                S[j][k] += (double)z[i * base.stride + j] * (double)z[i * base.stride + k] / N;
            }
            outside = fmax(outside, j - k > 1 || k - j > 1 ? fabs(S[j][k]) : 0.0);
            largest = fmax(largest, fabs(S[j][k]));
        }
        g[j] = sin((double)j);
    }
    g[R] = 0.3;
    row_factor *k = eval_row_factor_create(base.space, 1);
    eval_row_factor(k, 0.2, 1e-2);
    eval_row_factor_apply(k, g, x);
    for (int j = 0; j < R; j++) {
        double sum = 1e-2 * x[j];
        for (int i = 0; i < R; i++) {
            sum += 0.2 * S[j][i] * x[i];
        }
        worst = fmax(worst, fabs(sum - g[j]));
    }
    CHECK(outside < 1e-6 * largest && worst < 1e-4 && fabs(x[R] - 0.3 / 0.2) < 1e-12);
    eval_row_factor_destroy(k);
    eval_probe_base_destroy(&base);
    hiss_features_destroy(f);
    hiss_free(z);
}

static void check_layouts(const hiss_eval_env *env) {
    hiss_comm *comm = env->comm;
    const int64_t n = 505, D = 520, numbers = (D + 1) * CLASSES;
    const int owner[3] = {-1, 0, hiss_comm_size(comm) - 1};
    hiss_probe *probe[3];
    for (int layout = 0; layout < 3; layout++) {
        hiss_features *f = few_samples(env, n, D, FULL, owner[layout]);
        hiss_probe *first = hiss_probe_fit(env, f, NULL, 1e-1, 500, NULL);
        probe[layout] = hiss_probe_fit(env, f, NULL, 1e-2, 500, first);
        CHECK(probe[layout]->minimum.converged);
        CHECK(memcmp(probe[layout]->w, probe[0]->w, sizeof(double) * (size_t)numbers) == 0);
        CHECK(hiss_comm_equal(comm, probe[layout]->w, (int64_t)sizeof(double) * numbers));
        hiss_probe_destroy(first);
        hiss_features_destroy(f);
    }
    for (int layout = 0; layout < 3; layout++) {
        hiss_probe_destroy(probe[layout]);
    }
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    hiss_error err;
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) {
        return 1;
    }
    hiss_kernels_enter_thread();
    hiss_eval_env env = {comm, hiss_kernels_blas(), 1};
    const struct { int64_t n, D; } sizes[] = {{60, 300}, {270, 270}, {270, 40}};
    for (int s = 0; s < HISS_COUNT(sizes); s++) {
        for (int kind = 0; kind < (sizes[s].n > sizes[s].D ? CONSTANT : KINDS); kind++) {
            check_optimum(&env, sizes[s].n, sizes[s].D, kind, 1e-2);
        }
    }
    check_optimum(&env, 260, 300, FULL, 1e-5);
    check_inverse(&env);
    check_layouts(&env);
    return finish_test(comm);
}
