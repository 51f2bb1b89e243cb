/* The generator against published vectors; streams, normals and permutations against their statistics. Every test is
 * deterministic: a bound, once met, stays met. Chi-square bounds are mean + 5 standard deviations (df + 5 sqrt(2
 * df)). */
#include "hiss/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hiss/alloc.h"
#include "hiss/hash.h"

static void assert_at_most(double value, double bound) {
    if (!(value <= bound)) {
        fail_msg("%g is above %g", value, bound);
    }
}

static void assert_chi_square(const int64_t *count, int cells, double expected) {
    double sum = 0;
    for (int i = 0; i < cells; i++) {
        sum += ((double)count[i] - expected) * ((double)count[i] - expected) / expected;
    }
    assert_at_most(sum, cells - 1 + 5 * sqrt(2.0 * (cells - 1)));
}

/* Random123, examples/kat_vectors, philox4x32 10. */
static void test_known_answers(void **state) {
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], expected[4];
    } vector[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof vector / sizeof vector[0]; i++) {
        uint32_t out[4];
        hiss_philox4x32(vector[i].counter, vector[i].key, out);
        assert_memory_equal(out, vector[i].expected, sizeof out);
    }
}

static void test_stream_layout(void **state) {
    (void)state;
    const uint64_t seed = 0x0123456789abcdefu;
    const int64_t when = 0xfedcba98, id = 0x123456789abc;
    hiss_rng rng = hiss_rng_keyed(seed, HISS_FOR_DROPOUT, when, id);
    for (uint32_t block = 0; block < 3; block++) {
        uint32_t key[2] = {0x89abcdef, 0x01234567}, out[4];
        uint32_t counter[4] = {block, 0xfedcba98, 0x56789abc, 6u << 16 | 0x1234};
        hiss_philox4x32(counter, key, out);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(hiss_rng_word(&rng), out[i]);
        }
    }
}

static void test_streams_differ(void **state) {
    (void)state;
    hiss_rng stream[] = {
        hiss_rng_keyed(1, HISS_FOR_TESTS, 0, 0),
        hiss_rng_keyed(2, HISS_FOR_TESTS, 0, 0),
        hiss_rng_keyed(1 + ((uint64_t)1 << 32), HISS_FOR_TESTS, 0, 0),
        hiss_rng_keyed(1, HISS_FOR_NOISE, 0, 0),
        hiss_rng_keyed(1, HISS_FOR_TESTS, 1, 0),
        hiss_rng_keyed(1, HISS_FOR_TESTS, 0, 1),
        hiss_rng_keyed(1, HISS_FOR_TESTS, 0, (int64_t)1 << 32),
        hiss_rng_keyed(1, HISS_FOR_TESTS, 0, ((int64_t)1 << 48) - 1),
        hiss_rng_keyed(1, HISS_FOR_TESTS, ((int64_t)1 << 32) - 1, 0),
    };
    enum { STREAMS = sizeof stream / sizeof stream[0], WORDS = 64 };
    uint32_t word[STREAMS * WORDS];
    for (int i = 0; i < STREAMS * WORDS; i++) {
        word[i] = hiss_rng_word(&stream[i / WORDS]);
        for (int j = 0; j < i; j++) {
            assert_int_not_equal(word[i], word[j]);
        }
    }
}

static void test_uniform(void **state) {
    (void)state;
    enum { CELLS = 64, DRAWS = 640000 };
    int64_t count[CELLS] = {0};
    hiss_rng rng = hiss_rng_keyed(3, HISS_FOR_TESTS, 0, 0);
    for (int i = 0; i < DRAWS; i++) {
        float u = hiss_rng_uniform(&rng);
        assert_true(0 <= u && u < 1 && u * 0x1p24f == floorf(u * 0x1p24f));
        count[(int)(u * CELLS)]++;
    }
    assert_chi_square(count, CELLS, DRAWS / (double)CELLS);
    for (int i = 0; i < 1000; i++) {
        float x = hiss_rng_between(&rng, -3, 5);
        assert_true(-3 <= x && x < 5);
    }
}

/* Many at once are those that come one by one, wherever in a block the stream stands, and it goes on alike. */
static void test_uniforms_at_once(void **state) {
    (void)state;
    enum { MOST = 300 };
    for (int before = 0; before < 6; before++) {
        for (int n = 0; n < MOST; n += n < 80 ? 1 : 13) {
            float out[MOST];
            hiss_rng one = hiss_rng_keyed(8, HISS_FOR_TESTS, before, n), all = one;
            for (int i = 0; i < before; i++) {
                assert_int_equal(hiss_rng_word(&one), hiss_rng_word(&all));
            }
            hiss_rng_uniforms(&all, n, out);
            for (int i = 0; i < n; i++) {
                assert_true(out[i] == hiss_rng_uniform(&one));
            }
            assert_int_equal(hiss_rng_word(&one), hiss_rng_word(&all));
        }
    }
}

static void test_below(void **state) {
    (void)state;
    hiss_rng rng = hiss_rng_keyed(4, HISS_FOR_TESTS, 0, 0);
    for (int n = 1; n <= 40; n += 3) {
        int64_t count[40] = {0};
        for (int i = 0; i < 2000 * n; i++) {
            int64_t value = hiss_rng_below(&rng, n);
            assert_in_range(value, 0, n - 1);
            count[value]++;
        }
        assert_chi_square(count, n, 2000);
    }
    const int64_t large[] = {(int64_t)1 << 32, ((int64_t)1 << 32) + 1, (int64_t)3 << 40, INT64_MAX};
    for (int l = 0; l < 4; l++) {
        int64_t count[16] = {0};
        for (int i = 0; i < 32000; i++) {
            int64_t value = hiss_rng_below(&rng, large[l]);
            assert_true(0 <= value && value < large[l]);
            count[(int)((double)value / (double)large[l] * 16)]++;
        }
        assert_chi_square(count, 16, 2000);
    }
}

static void test_normal_moments(void **state) {
    (void)state;
    enum { N = 1 << 20 };
    float *x = hiss_new(float, N);
    hiss_rng rng = hiss_rng_keyed(5, HISS_FOR_TESTS, 0, 0);
    hiss_rng_normals(&rng, N, x);
    double moment[5] = {0}, neighbours = 0;
    int64_t tail = 0;
    for (int i = 0; i < N; i++) {
        double power = 1;
        for (int k = 0; k <= 4; k++) {
            moment[k] += power / N;
            power *= x[i];
        }
        neighbours += (double)x[i] * x[i ^ 1] / N;
        tail += fabsf(x[i]) > 3;
        assert_at_most(fabsf(x[i]), 6.7);
    }
    double sigma = 1 / sqrt((double)N); /* standard errors of the moments: 1, sqrt 2, sqrt 15, sqrt 96 sigma */
    assert_at_most(fabs(moment[1]), 4 * sigma);
    assert_at_most(fabs(moment[2] - 1), 4 * sqrt(2) * sigma);
    assert_at_most(fabs(moment[3]), 4 * sqrt(15) * sigma);
    assert_at_most(fabs(moment[4] - 3), 4 * sqrt(96) * sigma);
    assert_at_most(fabs(neighbours), 4 * sigma);
    assert_at_most(fabs((double)tail / N - 0.0026998), 4 * sqrt(0.0027) * sigma);
    hiss_free(x);
}

static int cell_of(double x, int cells) {
    return (int)(0.5 * erfc(-x / sqrt(2)) * cells);
}

static void test_normal_distribution(void **state) {
    (void)state;
    enum { CELLS = 20, N = 400000 };
    int64_t pair[CELLS * CELLS] = {0};
    float x[2];
    hiss_rng rng = hiss_rng_keyed(6, HISS_FOR_TESTS, 0, 0);
    for (int i = 0; i < N; i++) {
        hiss_rng_normals(&rng, 2, x);
        pair[cell_of(x[0], CELLS) * CELLS + cell_of(x[1], CELLS)]++;
    }
    assert_chi_square(pair, CELLS * CELLS, (double)N / (CELLS * CELLS));
}

/* Against the C library: radius and angle recomputed from the same words. */
static void test_normals_by_libm(void **state) {
    (void)state;
    const double pi = acos(-1);
    for (int i = 0; i < 20000; i++) {
        hiss_rng rng = hiss_rng_keyed(7, HISS_FOR_TESTS, 0, i), again = rng;
        float x[2];
        hiss_rng_normals(&rng, 2, x);
        double radius = sqrt(-2 * log((hiss_rng_word(&again) + 1.0) / 4294967296.0));
        double angle = 2 * pi * (hiss_rng_word(&again) / 4294967296.0) - pi / 4;
        assert_at_most(fabs(x[0] - radius * cos(angle)), 1e-9 + 6.0e-8 * fabs(x[0]));
        assert_at_most(fabs(x[1] - radius * sin(angle)), 1e-9 + 6.0e-8 * fabs(x[1]));
    }
}

/* Long draws are made in vectors, draws of two are not. */
static void test_normals_in_vectors(void **state) {
    (void)state;
    enum { MOST = 301 };
    for (int64_t id = 0; id < 2000; id++) {
        float all[MOST], two[2];
        const int64_t n = 1 + id % MOST;
        hiss_rng a = hiss_rng_keyed(1000003u * (uint64_t)id, HISS_FOR_TESTS, 0, id), b = a;
        for (int64_t skip = id % 5; skip > 0; skip--) {
            assert_int_equal(hiss_rng_word(&a), hiss_rng_word(&b));
        }
        hiss_rng_normals(&a, n, all);
        for (int64_t i = 0; i < n; i += 2) {
            hiss_rng_normals(&b, 2, two);
            assert_memory_equal(two, all + i, sizeof(float) * (size_t)(n - i < 2 ? n - i : 2));
        }
        assert_int_equal(hiss_rng_word(&a), hiss_rng_word(&b));
    }
}

static void test_normals_any_length(void **state) {
    (void)state;
    float all[11], some[11];
    hiss_rng rng = hiss_rng_keyed(8, HISS_FOR_TESTS, 0, 0);
    hiss_rng_normals(&rng, 11, all);
    for (int n = 0; n <= 10; n++) {
        hiss_rng fresh = hiss_rng_keyed(8, HISS_FOR_TESTS, 0, 0);
        some[n] = 42;
        hiss_rng_normals(&fresh, n, some);
        assert_memory_equal(some, all, sizeof(float) * (size_t)n);
        assert_true(some[n] == 42);
    }
}

/* These bits are part of every result: a change here breaks the identity of recorded runs. They are the same for every
 * compiler, optimisation level and processor. */
static void test_recorded_bits(void **state) {
    (void)state;
    enum { N = 100001 };
    char text[HISS_HASH_TEXT];
    float *x = hiss_new(float, N);
    int64_t image[3000];
    hiss_hash *hash = hiss_hash_begin();
    hiss_rng rng = hiss_rng_keyed(1, HISS_FOR_TARGETS, 0, 0);
    hiss_rng_normals(&rng, N, x);
    hiss_hash_add(hash, x, sizeof(float) * N);
    hiss_hash_end(hash, text);
    assert_string_equal(text, "9bcdc9e1303046b3d7ade09dc4f6f2816225fd5e7ef2015b8ed94c76a4a3bf83");
    hash = hiss_hash_begin();
    for (int64_t n = 1; n <= 3000; n++) {
        hiss_permutation p = hiss_permutation_keyed(1, HISS_FOR_SHUFFLE, 2, 3, n);
        image[n - 1] = hiss_permutation_at(&p, n / 2);
    }
    hiss_hash_add(hash, image, sizeof image);
    hiss_hash_end(hash, text);
    assert_string_equal(text, "4ef0ec22bbc7e845de1ee4d2db55c56b3a0375864ad862d42917ce7432035fac");
    hiss_free(x);
}

static void check_bijection(int64_t n, int64_t id) {
    hiss_permutation p = hiss_permutation_keyed(9, HISS_FOR_TESTS, 0, id, n);
    bool *seen = hiss_new(bool, n);
    for (int64_t i = 0; i < n; i++) {
        int64_t image = hiss_permutation_at(&p, i);
        assert_true(0 <= image && image < n && !seen[image]);
        assert_int_equal(hiss_permutation_find(&p, image), i);
        seen[image] = true;
    }
    hiss_free(seen);
}

static void test_permutation_is_a_bijection(void **state) {
    (void)state;
    for (int64_t n = 1; n <= 200; n++) {
        for (int64_t id = 0; id < 5; id++) {
            check_bijection(n, id);
        }
    }
    const int64_t large[] = {255, 256, 257, 1023, 1024, 1025, 60000, 65536, 65537};
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        check_bijection(large[i], 0);
    }
}

static void test_permutation_of_huge_sets(void **state) {
    (void)state;
    const int64_t huge[] = {((int64_t)1 << 32) + 1, (int64_t)1 << 40, ((int64_t)1 << 62) - 1, (int64_t)1 << 62};
    for (int h = 0; h < 4; h++) {
        hiss_permutation p = hiss_permutation_keyed(10, HISS_FOR_TESTS, 0, 0, huge[h]);
        int64_t count[16] = {0};
        for (int64_t i = 0; i < 3200; i++) {
            int64_t index = i % 2 ? huge[h] - i : i, image = hiss_permutation_at(&p, index);
            assert_true(0 <= image && image < huge[h]);
            assert_int_equal(hiss_permutation_find(&p, image), index);
            count[(int)((double)image / (double)huge[h] * 16) % 16]++;
        }
        assert_chi_square(count, 16, 200);
    }
}

/* Every one of the n! permutations equally often. The rank counts, per place, the later images that are smaller. */
static void check_all_permutations(int n, int permutations) {
    int64_t *count = hiss_new(int64_t, permutations);
    for (int64_t key = 0; key < 1000 * permutations; key++) {
        hiss_permutation p = hiss_permutation_keyed((uint64_t)key, HISS_FOR_TESTS, 0, 0, n);
        int rank = 0;
        int64_t image[8];
        for (int i = 0; i < n; i++) {
            image[i] = hiss_permutation_at(&p, i);
        }
        for (int i = 0; i < n; i++) {
            int smaller = 0;
            for (int j = i + 1; j < n; j++) {
                smaller += image[j] < image[i];
            }
            rank = rank * (n - i) + smaller;
        }
        count[rank]++;
    }
    assert_chi_square(count, permutations, 1000);
    hiss_free(count);
}

static void test_small_permutations_are_uniform(void **state) {
    (void)state;
    check_all_permutations(1, 1);
    check_all_permutations(2, 2);
    check_all_permutations(3, 6);
    check_all_permutations(4, 24);
    check_all_permutations(5, 120);
}

/* The images of two neighbours, over keys that vary in one name component (0: id, 1: when, 2: seed). */
static void check_pairs(int n, int component) {
    enum { EACH = 150 };
    int64_t *place = hiss_new(int64_t, n * n), *pair = hiss_new(int64_t, n * (n - 1));
    int64_t keys = (int64_t)EACH * n * (n - 1);
    for (int64_t key = 0; key < keys; key++) {
        int64_t id = component == 0 ? key : 0, when = component == 1 ? key : 0;
        uint64_t seed = component == 2 ? (uint64_t)key : 0;
        hiss_permutation p = hiss_permutation_keyed(seed, HISS_FOR_SHUFFLE, when, id, n);
        int64_t i = key % n, a = hiss_permutation_at(&p, i), b = hiss_permutation_at(&p, (i + 1) % n);
        place[i * n + a]++;
        pair[a * (n - 1) + b - (b > a)]++;
    }
    assert_chi_square(place, n * n, (double)keys / (n * n));
    assert_chi_square(pair, n * (n - 1), EACH);
    hiss_free(place);
    hiss_free(pair);
}

static void test_permutation_pairs_are_uniform(void **state) {
    (void)state;
    const int sizes[] = {10, 16, 17, 20, 33, 64};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        check_pairs(sizes[i], (int)i % 3);
    }
}

/* As many even as odd ones: a bare Feistel network fails this most clearly at n = 64 and 1024. */
static void test_permutation_parity(void **state) {
    (void)state;
    enum { KEYS = 4000 };
    const int sizes[] = {2, 7, 16, 17, 40, 64};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        int n = sizes[s];
        double sum = 0;
        for (int64_t key = 0; key < KEYS; key++) {
            hiss_permutation p = hiss_permutation_keyed(12, HISS_FOR_TESTS, 0, key, n);
            bool seen[64] = {false};
            int sign = n % 2 ? -1 : 1; /* (-1) to the power of n minus the number of cycles */
            for (int i = 0; i < n; i++) {
                sign = seen[i] ? sign : -sign;
                for (int64_t at = i; !seen[at]; at = hiss_permutation_at(&p, at)) {
                    seen[at] = true;
                }
            }
            sum += sign;
        }
        assert_at_most(fabs(sum / KEYS), 4 / sqrt(KEYS));
    }
}

/* Fixed points of a random permutation: Poisson of mean 1. */
static void test_permutation_fixed_points(void **state) {
    (void)state;
    enum { N = 50, KEYS = 4000 };
    double fixed = 0, none = 0;
    for (int64_t key = 0; key < KEYS; key++) {
        hiss_permutation p = hiss_permutation_keyed(11, HISS_FOR_TESTS, key, 0, N);
        int here = 0;
        for (int i = 0; i < N; i++) {
            here += hiss_permutation_at(&p, i) == i;
        }
        fixed += here;
        none += here == 0;
    }
    assert_at_most(fabs(fixed / KEYS - 1), 4 / sqrt(KEYS));
    assert_at_most(fabs(none / KEYS - exp(-1)), 4 * 0.482 / sqrt(KEYS));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_stream_layout),
        cmocka_unit_test(test_streams_differ),
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_uniforms_at_once),
        cmocka_unit_test(test_below),
        cmocka_unit_test(test_normal_moments),
        cmocka_unit_test(test_normal_distribution),
        cmocka_unit_test(test_normals_by_libm),
        cmocka_unit_test(test_normals_any_length),
        cmocka_unit_test(test_normals_in_vectors),
        cmocka_unit_test(test_recorded_bits),
        cmocka_unit_test(test_permutation_is_a_bijection),
        cmocka_unit_test(test_permutation_of_huge_sets),
        cmocka_unit_test(test_small_permutations_are_uniform),
        cmocka_unit_test(test_permutation_pairs_are_uniform),
        cmocka_unit_test(test_permutation_parity),
        cmocka_unit_test(test_permutation_fixed_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
