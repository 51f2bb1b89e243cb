/* Gaussians of features beside plain sums of the same rows, with a value that never changes; the Frechet distance from
 * itself, and from the same features moved; the same bits on every number of ranks. */
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "features.h"
#include "mpi_test.h"

enum { N = 601, D = 24, STILL = 5 };

static gaussian *fit(const hiss_eval_env *env, int owner, float move) {
    hiss_features *f = made_features(env, 1, N, D, false, owner);
    for (int64_t i = 0; i < (f->end - f->first) * HISS_TILE * D; i++) {
        f->rows[i] = i % D == STILL ? 0.5f : i % D == 2 ? f->rows[i] + move : f->rows[i];
    }
    gaussian *g = eval_gaussian_fit(env, f);
    hiss_features_destroy(f);
    return g;
}

static void check_moments(hiss_comm *comm, const gaussian *g) {
    float *row = hiss_new(float, N *D);
    for (int64_t i = 0; i < N; i++) {
        made_row(1, i, D, false, row + i * D);
        row[i * D + STILL] = 0.5f;
    }
    for (int64_t d = 0; d < D; d++) {
        double mean = 0.0, first = 0.0, product = 0.0;
        for (int64_t i = 0; i < N; i++) {
            mean += (double)row[i * D + d] / N;
            first += (double)row[i * D] / N;
        }
        for (int64_t i = 0; i < N; i++) {
            product += ((double)row[i * D + d] - mean) * ((double)row[i * D] - first) / (N - 1);
        }
        CHECK(fabs(g->mean[d] - mean) < 1e-11);
        CHECK(fabs(g->covariance[d * D] - product) < 1e-11);
        CHECK(g->covariance[d * D] == g->covariance[d]);
    }
    CHECK(g->covariance[STILL * D + STILL] == 0.0);
    hiss_free(row);
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    hiss_error err = {0};
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) {
        return 1;
    }
    hiss_kernels_enter_thread();
    const hiss_eval_env env = {.comm = comm, .kernels = hiss_kernels_blas(), .seed = 1};
    gaussian *g = fit(&env, -1, 0.0f), *alone = fit(&env, 0, 0.0f), *moved = fit(&env, -1, 3.0f);
    check_moments(comm, g);
    CHECK(memcmp(g->mean, alone->mean, sizeof(double) * D) == 0);
    CHECK(memcmp(g->covariance, alone->covariance, sizeof(double) * D * D) == 0);
    frechet *f = eval_frechet_create(g);
    CHECK(eval_frechet_distance(f, alone) < 1e-8);
    CHECK(fabs(eval_frechet_distance(f, moved) - 9.0) < 1e-4);
    eval_frechet_destroy(f);
    eval_gaussian_destroy(g);
    eval_gaussian_destroy(alone);
    eval_gaussian_destroy(moved);
    return finish_test(comm);
}
