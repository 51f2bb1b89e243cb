/* The best linear filter beside the normal equations of the same moments, solved in double; that nothing near it is better
 * on corrupted samples; and the ends of the scale. The
 * same on every rank. */
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/rng.h"
#include "mpi_test.h"

enum { N = 700, D = 23, STILL = 5 }; /* value STILL never changes */
static const double same = 0.4;

/* Values of 0..1 that hang together, of very different deviations. */
static void make_images(float *clean) {
    hiss_rng rng = hiss_rng_keyed(3, HISS_FOR_TESTS, 0, 0);
    for (int64_t i = 0; i < N; i++) {
        float common[3];
        for (int k = 0; k < 3; k++) {
            common[k] = hiss_rng_uniform(&rng);
        }
        for (int64_t d = 0; d < D; d++) {
            const float x = 0.7f * common[d % 3] + 0.3f * hiss_rng_uniform(&rng);
            clean[i * D + d] = d == STILL ? (float)same : x / (float)(1 + d * d * d % 50);
        }
    }
}

static wiener *fit(const hiss_eval_env *env, const float *clean, const hiss_corruption_moments *m) {
    hiss_features *f = hiss_features_create(env, N, D, 0);
    for (int64_t t = f->first; t < f->end; t++) {
        memcpy(f->rows + (t - f->first) * HISS_TILE * D, clean + t * HISS_TILE * D,
               sizeof(float) * (size_t)(tile_count(f, t) * D));
    }
    wiener *w = eval_wiener_fit(env, f, m);
    hiss_features_destroy(f);
    return w;
}

/* x [D] = a [D, D]^-1 b, by elimination; a and b are lost. A row of zeros gives 0. */
static void solve(double *a, double *b, double *x) {
    for (int64_t k = 0; k < D; k++) {
        for (int64_t i = k + 1; i < D && a[k * D + k] > 0.0; i++) {
            const double by = a[i * D + k] / a[k * D + k];
            for (int64_t j = k; j < D; j++) {
                a[i * D + j] -= by * a[k * D + j];
            }
            b[i] -= by * b[k];
        }
    }
    for (int64_t k = D - 1; k >= 0; k--) {
        x[k] = b[k];
        for (int64_t j = k + 1; j < D; j++) {
            x[k] -= a[k * D + j] * x[j];
        }
        x[k] = a[k * D + k] > 0.0 ? x[k] / a[k * D + k] : 0.0;
    }
}

/* What the filter should make of `row`. */
static void expect(const float *clean, const hiss_corruption_moments *m, const float *row, double *cleaned) {
    double mean[D] = {0}, C[D * D] = {0}, S[D * D], b[D], y[D];
    for (int64_t i = 0; i < N; i++) {
        for (int64_t d = 0; d < D; d++) {
            mean[d] += (double)clean[i * D + d] / N;
        }
    }
    for (int64_t i = 0; i < N; i++) {
        for (int64_t k = 0; k < D * D; k++) {
            C[k] += ((double)clean[i * D + k / D] - mean[k / D]) * ((double)clean[i * D + k % D] - mean[k % D]) / N;
        }
    }
    for (int64_t k = 0; k < D * D; k++) {
        S[k] = m->keep * m->keep * C[k];
    }
    for (int64_t d = 0; d < D; d++) {
        const double shifted = m->keep * mean[d] + m->add;
        S[d * D + d] = m->keep2 * (C[d * D + d] + mean[d] * mean[d]) + m->add2 - shifted * shifted;
        S[d * D + d] = S[d * D + d] > 1e-12 ? S[d * D + d] : 0.0;
        b[d] = (double)row[d] - shifted;
    }
    solve(S, b, y);
    for (int64_t d = 0; d < D; d++) {
        cleaned[d] = mean[d];
        for (int64_t k = 0; k < D; k++) {
            cleaned[d] += m->keep * C[d * D + k] * y[k];
        }
    }
}

static const hiss_corruption_moments corruptions[] = {
    {.keep = 0.75, .keep2 = 0.75},                          /* masking */
    {.keep = 0.5, .keep2 = 0.5, .add = 0.25, .add2 = 0.25}, /* salt and pepper */
    {.keep = 1.0, .keep2 = 1.0, .add2 = 0.04},              /* Gaussian */
    {.keep = 1.0, .keep2 = 1.0, .add2 = 1e-6},              /* hardly any */
    {.keep = 0.0, .keep2 = 0.0},                            /* nothing is left */
};

static void check_normal_equations(const hiss_eval_env *env, const float *clean) {
    hiss_comm *comm = env->comm;
    float row[D], given[D], cleaned[D];
    for (int c = 0; c < HISS_COUNT(corruptions); c++) {
        wiener *w = fit(env, clean, &corruptions[c]);
        hiss_rng rng = hiss_rng_keyed(4, HISS_FOR_TESTS, c, 0);
        for (int trial = 0; trial < 20; trial++) {
            double expected[D];
            for (int64_t d = 0; d < D; d++) {
                const float keep = hiss_rng_uniform(&rng) < 0.75f ? 1.0f : 0.0f;
                row[d] = given[d] = clean[trial * D + d] * (d == STILL ? 1.0f : keep);
            }
            expect(clean, &corruptions[c], row, expected);
            eval_wiener_clean(w, 1, given, cleaned);
            for (int64_t d = 0; d < D; d++) {
                CHECK(fabs((double)cleaned[d] - expected[d]) < 2e-4);
            }
        }
        eval_wiener_destroy(w);
    }
}

static void corrupt(hiss_rng *rng, const float *clean, float *out) {
    for (int64_t d = 0; d < D; d++) {
        const float u = hiss_rng_uniform(rng);
        out[d] = u < 0.15f ? 1.0f : u < 0.3f ? 0.0f : clean[d];
    }
}

/* Mean squared error of the samples' corruptions, of a filter that is off by amount times the error of another value. */
static double error_of(const wiener *w, const float *clean, int from, double amount) {
    hiss_rng rng = hiss_rng_keyed(5, HISS_FOR_TESTS, 0, 0);
    double sum = 0.0;
    for (int64_t trial = 0; trial < 40 * N; trial++) {
        float row[D], given[D], cleaned[D];
        const float *x = clean + trial % N * D;
        corrupt(&rng, x, row);
        memcpy(given, row, sizeof row);
        eval_wiener_clean(w, 1, given, cleaned);
        const double miss = (double)cleaned[0] + amount * ((double)row[from] - 0.5) - (double)x[0];
        sum += miss * miss / (40.0 * N);
    }
    return sum;
}

static void check_nothing_near_is_better(const hiss_eval_env *env, const float *clean) {
    hiss_comm *comm = env->comm;
    const hiss_corruption_moments m = {.keep = 0.7, .keep2 = 0.7, .add = 0.15, .add2 = 0.15};
    wiener *w = fit(env, clean, &m);
    const double least = error_of(w, clean, 0, 0.0);
    for (int from = 0; from < D; from += 7) {
        CHECK(error_of(w, clean, from, 0.03) > least && error_of(w, clean, from, -0.03) > least);
    }
    eval_wiener_destroy(w);
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    hiss_error err = {0};
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) {
        return 1;
    }
    hiss_kernels_enter_thread();
    const hiss_eval_env env = {comm, hiss_kernels_blas(), 1};
    float *clean = hiss_new(float, N *D);
    make_images(clean);
    check_normal_equations(&env, clean);
    check_nothing_near_is_better(&env, clean);
    hiss_free(clean);
    return finish_test(comm);
}
