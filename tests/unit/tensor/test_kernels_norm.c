/* Batch norm and unit rows: statistics, gradients against differences in double, the fast table against the reference,
 * repeatability. */
#include "kernel_support.h"

#include <math.h>
#include <pthread.h>

static const float EPS = 1e-5f;

typedef struct batch {
    int64_t M, C;
    float *x, *dy, *gamma, *beta, *y, *mean, *inverse, *variance, *dx, *dgamma, *dbeta, *scratch;
} batch;

static batch new_batch(int64_t M, int64_t C, uint64_t *state) {
    batch b = {
        .M = M,
        .C = C,
        .x = new_filled(state, M * C),
        .dy = new_filled(state, M * C),
        .gamma = new_filled(state, C),
        .beta = new_filled(state, C),
        .y = new_filled(state, M * C),
        .mean = new_filled(state, C),
        .inverse = new_filled(state, C),
        .variance = new_filled(state, C),
        .dx = new_filled(state, M * C),
        .dgamma = new_filled(state, C),
        .dbeta = new_filled(state, C),
        .scratch = new_filled(state, 4 * C),
    };
    for (int64_t i = 0; i < M * C; i++) { /* every channel its own level and width */
        b.x[i] = b.x[i] * (float)(1 + i % C % 5) + (float)(i % C % 7) - 3;
    }
    return b;
}

static batch new_batch_copy(const batch *b) {
    batch c = *b;
    c.x = new_copy(b->M * b->C, b->x);
    c.dy = new_copy(b->M * b->C, b->dy);
    c.gamma = new_copy(b->C, b->gamma);
    c.beta = new_copy(b->C, b->beta);
    c.y = new_copy(b->M * b->C, b->y);
    c.mean = new_copy(b->C, b->mean);
    c.inverse = new_copy(b->C, b->inverse);
    c.variance = new_copy(b->C, b->variance);
    c.dx = new_copy(b->M * b->C, b->dx);
    c.dgamma = new_copy(b->C, b->dgamma);
    c.dbeta = new_copy(b->C, b->dbeta);
    c.scratch = new_copy(4 * b->C, b->scratch);
    return c;
}

static void free_batch(batch *b) {
    float *all[] = {b->x,       b->dy,       b->gamma, b->beta,   b->y,     b->mean,
                    b->inverse, b->variance, b->dx,    b->dgamma, b->dbeta, b->scratch};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        hiss_free(all[i]);
    }
}

static void train(const hiss_kernels *kernels, batch *b, bool affine) {
    kernels->batch_norm_train(b->M, b->C, b->x, affine ? b->gamma : NULL, affine ? b->beta : NULL, EPS, b->y, b->mean,
                              b->inverse, b->variance);
}

static void backward(const hiss_kernels *kernels, batch *b, bool affine, bool accumulate_dx, bool accumulate) {
    kernels->batch_norm_backward(b->M, b->C, b->x, b->dy, affine ? b->gamma : NULL, b->mean, b->inverse, b->dx,
                                 accumulate_dx, affine ? b->dgamma : NULL, affine ? b->dbeta : NULL, accumulate,
                                 b->scratch);
}

static const int64_t shapes[][2] = {{1, 1},    {1, 5},     {2, 1},    {7, 3},   {129, 2},   {1000, 1}, {130, 16},
                                    {513, 17}, {1568, 32}, {300, 33}, {64, 64}, {257, 100}, {32, 512}, {98, 129}};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static void test_batch_norm_against_reference(void **unused) {
    (void)unused;
    uint64_t state = 1;
    for (int i = 0; i < 2 * SHAPES; i++) {
        bool affine = i < SHAPES, accumulate = i % 2;
        batch a = new_batch(shapes[i % SHAPES][0], shapes[i % SHAPES][1], &state), b = new_batch_copy(&a);
        int64_t count = a.M * a.C;
        train(hiss_kernels_ref(), &a, affine);
        train(hiss_kernels_blas(), &b, affine);
        assert_near("mean", a.C, b.mean, a.mean, 1, 1e-6);
        assert_near("inverse", a.C, b.inverse, a.inverse, 1, 1e-5);
        assert_near("variance", a.C, b.variance, a.variance, 1e-3, 1e-5);
        assert_near("y", count, b.y, a.y, 1, a.M < 3 ? 1e-3 : 2e-5); /* tiny variances magnify the mean's rounding */
        memcpy(b.mean, a.mean, sizeof(float) * (size_t)a.C);
        memcpy(b.inverse, a.inverse, sizeof(float) * (size_t)a.C);
        backward(hiss_kernels_ref(), &a, affine, accumulate, !accumulate);
        backward(hiss_kernels_blas(), &b, affine, accumulate, !accumulate);
        double step = 1;
        for (int64_t k = 0; k < a.C; k++) {
            step = fmax(step, a.inverse[k]);
        }
        assert_near("dx", count, b.dx, a.dx, step, 1e-5);
        assert_near("dgamma", a.C, b.dgamma, a.dgamma, sqrt((double)a.M), 1e-5);
        assert_near("dbeta", a.C, b.dbeta, a.dbeta, sqrt((double)a.M), 1e-5);
        memcpy(b.variance, a.variance, sizeof(float) * (size_t)a.C);
        for (int64_t k = 0; k < a.C; k++) {
            a.variance[k] += 0.1f, b.variance[k] += 0.1f;
        }
        hiss_kernels_ref()->batch_norm_eval(a.M, a.C, a.x, affine ? a.gamma : NULL, affine ? a.beta : NULL, EPS, a.mean,
                                            a.variance, a.y);
        hiss_kernels_blas()->batch_norm_eval(a.M, a.C, b.x, affine ? a.gamma : NULL, affine ? a.beta : NULL, EPS,
                                             a.mean, b.variance, b.x); /* in place */
        assert_near("eval", count, b.x, a.y, 1, 1e-5);
        free_batch(&a);
        free_batch(&b);
    }
}

/* The rows of a large layer: channel statistics close to those taken in double, values far from zero. */
static void test_statistics_stay_accurate(void **unused) {
    (void)unused;
    const hiss_kernels *tables[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    uint64_t state = 2;
    for (int i = 0; i < 2; i++) {
        batch b = new_batch(25088, 5, &state);
        for (int64_t j = 0; j < b.M * b.C; j++) {
            b.x[j] += 100;
        }
        train(tables[i], &b, true);
        for (int64_t k = 0; k < b.C; k++) {
            double sum = 0, squares = 0;
            for (int64_t r = 0; r < b.M; r++) {
                sum += b.x[r * b.C + k];
            }
            for (int64_t r = 0; r < b.M; r++) {
                squares += pow(b.x[r * b.C + k] - sum / (double)b.M, 2);
            }
            double variance = squares / (double)(b.M - 1);
            assert_true(fabs(b.mean[k] - sum / (double)b.M) < 1e-7 * 110);
            assert_true(fabs(b.variance[k] - variance) < 1e-6 * variance);
            assert_true(fabs(b.inverse[k] * sqrt(squares / (double)b.M + EPS) - 1) < 1e-6);
        }
        backward(tables[i], &b, true, false, false);
        for (int64_t k = 0; k < b.C; k++) {
            double by_beta = 0, by_gamma = 0, size = 0;
            for (int64_t r = 0; r < b.M; r++) {
                double u = ((double)b.x[r * b.C + k] - b.mean[k]) * b.inverse[k], g = b.dy[r * b.C + k];
                by_beta += g;
                by_gamma += g * u;
                size += fabs(g * u);
            }
            assert_true(fabs(b.dbeta[k] - by_beta) < 1e-5 * fmax(1, fabs(by_beta)));
            assert_true(fabs(b.dgamma[k] - by_gamma) < 1e-7 * size + 1e-6 * fabs(by_gamma));
        }
        free_batch(&b);
    }
}

/* A normalised batch has mean beta and deviation gamma. */
static void test_batch_norm_normalises(void **unused) {
    (void)unused;
    uint64_t state = 3;
    batch b = new_batch(999, 7, &state);
    train(hiss_kernels_blas(), &b, true);
    for (int64_t k = 0; k < b.C; k++) {
        double sum = 0, squares = 0;
        for (int64_t r = 0; r < b.M; r++) {
            sum += b.y[r * b.C + k];
            squares += pow((double)b.y[r * b.C + k] - b.beta[k], 2);
        }
        assert_true(fabs(sum / (double)b.M - b.beta[k]) < 1e-6);
        assert_true(fabs(sqrt(squares / (double)b.M) - fabsf(b.gamma[k])) < 1e-4);
    }
    free_batch(&b);
}

/* sum y dy in double, from the definition. */
static double batch_norm_score(const batch *b, const double *x) {
    double score = 0;
    for (int64_t k = 0; k < b->C; k++) {
        double sum = 0, squares = 0;
        for (int64_t r = 0; r < b->M; r++) {
            sum += x[r * b->C + k];
        }
        for (int64_t r = 0; r < b->M; r++) {
            squares += pow(x[r * b->C + k] - sum / (double)b->M, 2);
        }
        for (int64_t r = 0; r < b->M; r++) {
            double u = (x[r * b->C + k] - sum / (double)b->M) / sqrt(squares / (double)b->M + EPS);
            score += (b->gamma[k] * u + b->beta[k]) * b->dy[r * b->C + k];
        }
    }
    return score;
}

static void test_batch_norm_gradient(void **unused) {
    (void)unused;
    const hiss_kernels *tables[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    uint64_t state = 4;
    for (int i = 0; i < 2; i++) {
        batch b = new_batch(11, 6, &state);
        train(tables[i], &b, true);
        backward(tables[i], &b, true, false, false);
        double x[66], h = 1e-5;
        for (int64_t j = 0; j < 66; j++) {
            x[j] = b.x[j];
        }
        for (int64_t j = 0; j < 66; j++) {
            x[j] += h;
            double up = batch_norm_score(&b, x);
            x[j] -= 2 * h;
            double down = batch_norm_score(&b, x);
            x[j] += h;
            assert_true(fabs((up - down) / (2 * h) - b.dx[j]) < 2e-5);
        }
        free_batch(&b);
    }
}

static void test_batch_norm_outputs_may_be_missing(void **unused) {
    (void)unused;
    const hiss_kernels *tables[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    uint64_t state = 5;
    for (int i = 0; i < 2; i++) {
        batch a = new_batch(40, 9, &state), b = new_batch_copy(&a);
        train(tables[i], &a, true);
        train(tables[i], &b, true);
        backward(tables[i], &a, true, false, false);
        tables[i]->batch_norm_backward(b.M, b.C, b.x, b.dy, b.gamma, b.mean, b.inverse, NULL, false, b.dgamma, NULL,
                                       false, b.scratch);
        tables[i]->batch_norm_backward(b.M, b.C, b.x, b.dy, b.gamma, b.mean, b.inverse, b.dx, false, NULL, b.dbeta,
                                       false, b.scratch);
        assert_same_bits("dx", a.M * a.C, b.dx, a.dx);
        assert_same_bits("dgamma", a.C, b.dgamma, a.dgamma);
        assert_same_bits("dbeta", a.C, b.dbeta, a.dbeta);
        free_batch(&a);
        free_batch(&b);
    }
}

static double squared_length(int64_t D, const double *x, double *unit) {
    double squares = 0;
    for (int64_t j = 0; j < D; j++) {
        squares += x[j] * x[j];
    }
    for (int64_t j = 0; j < D; j++) {
        unit[j] = x[j] / sqrt(squares);
    }
    return squares;
}

static void test_unit_rows(void **unused) {
    (void)unused;
    const hiss_kernels *tables[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    uint64_t state = 6;
    for (int i = 0; i < 2; i++) {
        for (int64_t D = 1; D < 70; D += 17) {
            enum { M = 3 };
            float *x = new_filled(&state, M * D), *dz = new_filled(&state, M * D), *z = new_filled(&state, M * D);
            float *start = new_filled(&state, M * D), *dx = new_copy(M * D, start), norm[M];
            tables[i]->l2_normalize_forward(M, D, 1e-12f, x, z, norm);
            tables[i]->l2_normalize_backward(M, D, 1e-12f, z, norm, dz, dx, true);
            for (int64_t r = 0; r < M; r++) {
                double row[70], unit[70], h = 1e-6;
                assert_true(fabs(dot(D, z + r * D, z + r * D) - 1) < 1e-6);
                for (int64_t j = 0; j < D; j++) {
                    row[j] = x[r * D + j];
                }
                assert_true(fabs(sqrt(squared_length(D, row, unit)) - norm[r]) < 1e-6 * norm[r]);
                for (int64_t j = 0; j < D; j++) {
                    double slope = 0;
                    for (int side = -1; side <= 1; side += 2) {
                        row[j] = x[r * D + j] + side * h;
                        squared_length(D, row, unit);
                        for (int64_t k = 0; k < D; k++) {
                            slope += side * unit[k] * dz[r * D + k] / (2 * h);
                        }
                    }
                    row[j] = x[r * D + j];
                    double got = (double)dx[r * D + j] - start[r * D + j];
                    assert_true(fabs(got - slope) < 1e-5 * (1 + 1 / norm[r]));
                }
            }
            tables[i]->l2_normalize_backward(M, D, 1e-12f, z, norm, dz, dx, false);
            tables[i]->axpby(M * D, 1, start, 1, dx);
            float *again = new_copy(M * D, start);
            tables[i]->l2_normalize_backward(M, D, 1e-12f, z, norm, dz, again, true);
            assert_near("accumulate", M * D, again, dx, 1, 1e-5);
            float *all[] = {x, dz, z, start, dx, again};
            for (size_t k = 0; k < sizeof all / sizeof all[0]; k++) {
                hiss_free(all[k]);
            }
        }
    }
}

static void test_zero_rows(void **unused) {
    (void)unused;
    const hiss_kernels *tables[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    for (int i = 0; i < 2; i++) {
        const float x[6] = {0, 0, 0, 3, 0, 4}, dz[6] = {1, -2, 3, 1, 1, 1};
        float z[6], norm[2], dx[6] = {7, 7, 7, 7, 7, 7};
        tables[i]->l2_normalize_forward(2, 3, 1e-6f, x, z, norm);
        assert_near("z", 6, z, (const float[]){0, 0, 0, 0.6f, 0, 0.8f}, 1, 1e-6);
        assert_near("norm", 2, norm, (const float[]){1e-6f, 5}, 1e-6, 1e-6);
        tables[i]->l2_normalize_backward(2, 3, 1e-6f, z, norm, dz, dx, false);
        assert_near("dx", 6, dx, (const float[]){0, 0, 0, 0.2f * (1 - 0.84f), 0.2f, 0.2f * (1 - 1.12f)}, 1, 1e-6);
    }
}

/* Everything again with arrays moved by 1 to 15 floats, on a thread: the same bits. */
typedef struct job {
    const batch *from;
    int shift;
    float *y, *dx, *dgamma, *z; /* out */
} job;

static void *run(void *argument) {
    job *j = argument;
    const hiss_kernels *kernels = hiss_kernels_blas();
    int64_t M = j->from->M, C = j->from->C, each = M * C + 16;
    hiss_kernels_enter_thread();
    float *block = hiss_new(float, 5 * each + 6 * (C + 16) + M), *at = block + j->shift;
    float *x = at, *dy = at + each, *y = at + 2 * each, *dx = at + 3 * each, *z = at + 4 * each;
    float *mean = at + 5 * each, *inverse = mean + C, *variance = inverse + C, *dgamma = variance + C;
    float *norm = dgamma + C;
    memcpy(x, j->from->x, sizeof(float) * (size_t)(M * C));
    memcpy(dy, j->from->dy, sizeof(float) * (size_t)(M * C));
    float *scratch = hiss_new(float, 4 * C);
    for (int again = 0; again < 2; again++) {
        kernels->batch_norm_train(M, C, x, j->from->gamma, NULL, EPS, y, mean, inverse, variance);
        kernels->batch_norm_backward(M, C, x, dy, NULL, mean, inverse, dx, false, dgamma, NULL, false, scratch);
        kernels->l2_normalize_forward(M, C, 1e-12f, x, z, norm);
    }
    j->y = new_copy(M * C, y);
    j->dx = new_copy(M * C, dx);
    j->dgamma = new_copy(C, dgamma);
    j->z = new_copy(M * C, z);
    hiss_free(block);
    hiss_free(scratch);
    return NULL;
}

static void test_same_bits(void **unused) {
    (void)unused;
    uint64_t state = 7;
    for (int s = 0; s < SHAPES; s++) {
        batch b = new_batch(shapes[s][0], shapes[s][1], &state);
        job jobs[3] = {
            {&b, 0, NULL, NULL, NULL, NULL}, {&b, 5, NULL, NULL, NULL, NULL}, {&b, 1, NULL, NULL, NULL, NULL}};
        run(&jobs[0]);
        pthread_t threads[2];
        for (int i = 0; i < 2; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, run, &jobs[1 + i]), 0);
        }
        for (int i = 0; i < 2; i++) {
            pthread_join(threads[i], NULL);
        }
        for (int i = 0; i < 3; i++) {
            assert_same_bits("y", b.M * b.C, jobs[i].y, jobs[0].y);
            assert_same_bits("dx", b.M * b.C, jobs[i].dx, jobs[0].dx);
            assert_same_bits("dgamma", b.C, jobs[i].dgamma, jobs[0].dgamma);
            assert_same_bits("z", b.M * b.C, jobs[i].z, jobs[0].z);
        }
        for (int i = 0; i < 3; i++) {
            hiss_free(jobs[i].y);
            hiss_free(jobs[i].dx);
            hiss_free(jobs[i].dgamma);
            hiss_free(jobs[i].z);
        }
        free_batch(&b);
    }
}

static int check_leaks(void **unused) {
    (void)unused;
    return hiss_alloc_live() == 0 ? 0 : -1;
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_norm_against_reference),
        cmocka_unit_test(test_statistics_stay_accurate),
        cmocka_unit_test(test_batch_norm_normalises),
        cmocka_unit_test(test_batch_norm_gradient),
        cmocka_unit_test(test_batch_norm_outputs_may_be_missing),
        cmocka_unit_test(test_unit_rows),
        cmocka_unit_test(test_zero_rows),
        cmocka_unit_test(test_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, check_leaks);
}
