/* Matrix product, elementwise sums, the tables, and BLAS held to one thread. */
#include "kernel_support.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct product {
    bool ta, tb;
    int64_t M, N, K, lda, ldb, ldc;
    float alpha, beta;
} product;

static product random_product(uint64_t *state) {
    product p = {.ta = next_below(state, 2), .tb = next_below(state, 2)};
    p.M = 1 + next_below(state, 40);
    p.N = 1 + next_below(state, 40);
    p.K = 1 + next_below(state, 60);
    p.lda = (p.ta ? p.M : p.K) + next_below(state, 4);
    p.ldb = (p.tb ? p.K : p.N) + next_below(state, 4);
    p.ldc = p.N + next_below(state, 4);
    p.alpha = (float)next_among(state, 3, (int64_t[]){1, -2, 3});
    p.beta = (float)next_among(state, 3, (int64_t[]){0, 1, -1});
    return p;
}

static void test_against_reference(void **unused) {
    (void)unused;
    uint64_t state = 1;
    for (int i = 0; i < 200; i++) {
        product p = random_product(&state);
        float *A = new_filled(&state, p.lda * (p.ta ? p.K : p.M)), *B = new_filled(&state, p.ldb * (p.tb ? p.N : p.K));
        float *C = new_filled(&state, p.ldc * p.M), *D = new_copy(p.ldc * p.M, C);
        hiss_kernels_ref()->gemm(p.ta, p.tb, p.M, p.N, p.K, p.alpha, A, p.lda, B, p.ldb, p.beta, C, p.ldc);
        hiss_kernels_blas()->gemm(p.ta, p.tb, p.M, p.N, p.K, p.alpha, A, p.lda, B, p.ldb, p.beta, D, p.ldc);
        assert_near("C", p.ldc * p.M, D, C, sqrt((double)p.K), 1e-5); /* gaps between rows stay as they were */
        hiss_free(A);
        hiss_free(B);
        hiss_free(C);
        hiss_free(D);
    }
}

static void test_by_hand(void **unused) {
    (void)unused;
    const hiss_kernels *tables[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    const float A[] = {1, 2, 3, 4, 5, 6}, B[] = {1, 0, 2, -1, 1, 1};
    for (int i = 0; i < 2; i++) {
        float C[4] = {NAN, NAN, NAN, NAN}; /* beta = 0 ignores what was there */
        tables[i]->gemm(false, false, 2, 2, 3, 1, A, 3, B, 2, 0, C, 2);
        assert_near("A B", 4, C, (const float[]){8, 1, 20, 1}, 1, 1e-6);
        tables[i]->gemm(true, true, 2, 2, 3, 1, A, 2, B, 3, 1, C, 2);
        assert_near("A B + At Bt", 4, C, (const float[]){8 + 11, 1 + 7, 20 + 14, 1 + 8}, 1, 1e-6);
    }
}

/* Shapes around the limits of the own product and of its pieces. */
static void test_linear(void **unused) {
    (void)unused;
    static const int64_t shapes[][3] = {
        /* M D F */ {1, 16, 16}, {32, 1152, 256}, {33, 48, 80},  {31, 1040, 16},
        {128, 32, 48},           {129, 32, 48},   {32, 17, 16},  {32, 16, 15},
        {5, 16, 1040},           {7, 528, 528},   {64, 2064, 32}};
    const hiss_kernels *fast = hiss_kernels_blas(), *ref = hiss_kernels_ref();
    uint64_t state = 5;
    for (size_t s = 0; s < 2 * sizeof shapes / sizeof shapes[0]; s++) {
        const int64_t M = shapes[s / 2][0], D = shapes[s / 2][1], F = shapes[s / 2][2];
        const bool accumulate = s % 2;
        const int64_t scratch = (int64_t)fast->linear_scratch(M, D, F);
        float *x = new_filled(&state, M * D), *w = new_filled(&state, D * F), *bias = new_filled(&state, F);
        float *dy = new_filled(&state, M * F), *y[2], *dx[2], *dw[2], *space = new_filled(&state, scratch + 1);
        space[scratch] = 2;
        for (int t = 0; t < 2; t++) {
            y[t] = new_filled(&state, M * F);
            dx[t] = t ? new_copy(M * D, dx[0]) : new_filled(&state, M * D);
            dw[t] = t ? new_copy(D * F, dw[0]) : new_filled(&state, D * F);
        }
        for (int t = 0; t < 2; t++) {
            const hiss_kernels *kernels = t ? fast : ref;
            kernels->linear_forward(M, D, F, x, w, accumulate ? bias : NULL, y[t], space);
            kernels->linear_backward_data(M, D, F, dy, w, dx[t], accumulate, space);
            kernels->linear_backward_weight(M, D, F, x, dy, dw[t], accumulate, space);
        }
        assert_near("y", M * F, y[1], y[0], sqrt((double)D), 1e-5);
        assert_near("dx", M * D, dx[1], dx[0], sqrt((double)F), 1e-5);
        assert_near("dw", D * F, dw[1], dw[0], sqrt((double)M), 1e-5);
        assert_true(space[scratch] == 2);
        float *all[] = {x, w, bias, dy, space, y[0], y[1], dx[0], dx[1], dw[0], dw[1]};
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
            hiss_free(all[i]);
        }
    }
}

static void test_elementwise(void **unused) {
    (void)unused;
    const hiss_kernels *fast = hiss_kernels_blas(), *ref = hiss_kernels_ref();
    uint64_t state = 2;
    for (int64_t count = 1; count < 700; count += 37) {
        float *a = new_filled(&state, count), *b = new_filled(&state, count), *c = new_copy(count, b);
        fast->axpby(count, 2, a, -3, b);
        ref->axpby(count, 2, a, -3, c);
        assert_near("axpby", count, b, c, 1, 1e-6);
        fast->multiply(count, a, a, b, true);
        ref->multiply(count, a, a, c, true);
        assert_near("multiply, accumulate", count, b, c, 1, 1e-6);
        b[0] = c[0] = NAN;
        fast->axpby(count, 2, a, 0, b);
        ref->axpby(count, 2, a, 0, c);
        assert_near("axpby, b = 0", count, b, c, 1, 1e-6);
        b[0] = c[0] = NAN;
        fast->multiply(count, a, a, b, false);
        ref->multiply(count, a, a, c, false);
        assert_near("multiply", count, b, c, 1, 1e-6);
        assert_near("multiply", 1, b, (const float[]){a[0] * a[0]}, 1, 1e-6);
        hiss_free(a);
        hiss_free(b);
        hiss_free(c);
    }
}

static void test_columns(void **unused) {
    (void)unused;
    const hiss_kernels *tables[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    uint64_t state = 3;
    static const int64_t shapes[][2] = {{1, 1},  {7, 1},   {1000, 1}, {129, 3},  {513, 16}, {300, 33},
                                        {5, 64}, {3, 200}, {1, 700},  {777, 31}, {260, 96}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        int64_t M = shapes[s][0], N = shapes[s][1];
        float *x = new_filled(&state, M * N), *bias = new_filled(&state, N), *start = new_filled(&state, N);
        for (int i = 0; i < 2; i++) {
            float *out = new_copy(N, start), *y = new_filled(&state, M * N), *in_place = new_copy(M * N, x);
            tables[i]->column_sum(M, N, x, out, true);
            for (int64_t k = 0; k < N; k++) {
                double sum = start[k];
                for (int64_t r = 0; r < M; r++) {
                    sum += x[r * N + k];
                }
                assert_true(fabs(out[k] - sum) < 1e-6 * (1 + sqrt((double)M)));
            }
            out[0] = NAN;
            tables[i]->column_sum(M, N, x, out, false);
            tables[i]->axpby(N, 1, start, 1, out);
            tables[i]->add_bias(M, N, x, bias, y);
            tables[i]->add_bias(M, N, in_place, bias, in_place);
            assert_same_bits("add_bias in place", M * N, in_place, y);
            for (int64_t r = 0; r < M * N; r++) {
                assert_true(y[r] == x[r] + bias[r % N]);
            }
            hiss_free(out);
            hiss_free(y);
            hiss_free(in_place);
        }
        hiss_free(x);
        hiss_free(bias);
        hiss_free(start);
    }
}

static void test_tables(void **unused) {
    (void)unused;
    assert_ptr_equal(hiss_kernels_named("ref"), hiss_kernels_ref());
    assert_ptr_equal(hiss_kernels_named("blas"), hiss_kernels_blas());
    assert_string_equal(hiss_kernels_choices, "|blas|ref");
    assert_null(hiss_kernels_named("bla"));
    assert_null(hiss_kernels_named(""));
    assert_string_equal(hiss_kernels_ref()->name, "ref");
    assert_string_equal(hiss_kernels_blas()->name, "blas");
    assert_true(strlen(hiss_kernels_identity()) > 0);
    assert_ptr_equal(hiss_kernels_identity(), hiss_kernels_identity());
}

enum { SIZE = 256 };

/* A product large enough for BLAS to split over threads if it may; the splits show in the bits. */
static void *hash_product(void *out) {
    hiss_kernels_enter_thread();
    uint64_t state = 4, *hash = out;
    float *A = new_filled(&state, SIZE * SIZE), *B = new_filled(&state, SIZE * SIZE), *C = new_copy(SIZE * SIZE, A);
    *hash = 14695981039346656037ULL;
    for (int64_t M = SIZE - 13; M <= SIZE; M++) {
        hiss_kernels_blas()->gemm(false, true, M, SIZE - 3, SIZE, 1, A, SIZE, B, SIZE, 0, C, SIZE);
        for (size_t i = 0; i < sizeof(float) * SIZE * (size_t)M; i++) {
            *hash = (*hash ^ ((const unsigned char *)C)[i]) * 1099511628211ULL;
        }
    }
    hiss_free(A);
    hiss_free(B);
    hiss_free(C);
    return NULL;
}

static int print_hashes(void) {
    pthread_t threads[2];
    uint64_t hash[2];
    for (int i = 0; i < 2; i++) {
        if (pthread_create(&threads[i], NULL, hash_product, &hash[i]) != 0) {
            return 1;
        }
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        printf("%016llx\n", (unsigned long long)hash[i]);
    }
    return 0;
}

/* The hashes of two threads of a fresh process, for the environment is read when BLAS is loaded. */
static void hashes_with(const char *threads, char out[64]) {
    char self[1024], command[1100];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(length > 0);
    self[length] = '\0';
    snprintf(command, sizeof command, "OPENBLAS_NUM_THREADS=%s OMP_NUM_THREADS=%s '%s' hashes", threads, threads, self);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t got = fread(out, 1, 63, pipe);
    out[got] = '\0';
    assert_int_equal(pclose(pipe), 0);
}

static void test_one_thread_whatever_the_environment(void **unused) {
    (void)unused;
    char one[64], many[64];
    hashes_with("1", one);
    hashes_with("8", many);
    assert_int_equal(strlen(one), 34);
    assert_memory_equal(one, one + 17, 17); /* both threads alike */
    assert_string_equal(many, one);
}

/* Few columns: as the reference, whatever the rows are cut into. */
static void test_narrow(void **unused) {
    (void)unused;
    uint64_t state = 6;
    for (int i = 0; i < 60; i++) {
        const bool transpose = next_below(&state, 2);
        const int64_t M = 1 + next_below(&state, 60), N = 16 * (1 + next_below(&state, 5));
        const int64_t K = 1 + next_below(&state, 80), lda = (transpose ? M : K) + next_below(&state, 4);
        float *A = new_filled(&state, lda * (transpose ? K : M)), *B = new_filled(&state, K * N);
        float *C = hiss_new(float, M *N), *D = hiss_new(float, M *N);
        hiss_kernels_ref()->narrow_product(transpose, M, N, K, A, lda, B, C);
        hiss_kernels_blas()->narrow_product(transpose, M, N, K, A, lda, B, D);
        assert_near("C", M * N, D, C, sqrt((double)K), 1e-5);
        hiss_free(A);
        hiss_free(B);
        hiss_free(C);
        hiss_free(D);
    }
}

/* Bytes, the largest included: exact, by sums written down anew. */
static void test_bytes(void **unused) {
    (void)unused;
    uint64_t state = 7;
    for (int i = 0; i < 40; i++) {
        const int64_t M = 1 + next_below(&state, 40), N = HISS_BYTE_PANEL * (1 + next_below(&state, 3));
        const int64_t K = 4 * (1 + next_below(&state, 50));
        uint8_t *A = hiss_new(uint8_t, M * K);
        int8_t *rows = hiss_new(int8_t, N * K), *B = hiss_new(int8_t, N * K);
        int32_t *C = hiss_new(int32_t, M * N);
        for (int64_t k = 0; k < M * K; k++) {
            A[k] = i % 2 ? 255 : (uint8_t)next_below(&state, 256);
        }
        for (int64_t k = 0; k < N * K; k++) {
            rows[k] = i % 2 ? -128 : (int8_t)(next_below(&state, 256) - 128);
            B[hiss_byte_place(K, k / K, k % K)] = rows[k];
        }
        hiss_kernel_byte_product *const products[] = {hiss_kernels_ref()->byte_product,
                                                      hiss_kernels_blas()->byte_product};
        for (int p = 0; p < 2 && products[p]; p++) {
            products[p](M, N, K, A, B, C);
            for (int64_t j = 0; j < M * N; j++) {
                int64_t sum = 0;
                for (int64_t k = 0; k < K; k++) {
                    sum += (int64_t)A[j / N * K + k] * rows[j % N * K + k];
                }
                assert_int_equal(sum, C[j]);
            }
        }
        hiss_free(A);
        hiss_free(rows);
        hiss_free(B);
        hiss_free(C);
    }
}

static int check_leaks(void **unused) {
    (void)unused;
    return hiss_alloc_live() == 0 ? 0 : -1;
}

int main(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "hashes") == 0) {
        return print_hashes();
    }
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_reference),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_narrow),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_elementwise),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_one_thread_whatever_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, check_leaks);
}
