/* Cochleagrams: a tone lies in the band of its frequency, noise that swells at f in the octave of modulation around f; how
 * loud a sound is changes nothing, and silence is zeros; envelopes are those of a slow transform. k-means: centres of known
 * clusters are found, and the bits do not depend on the order in which lanes run. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../serial_comm.h"
#include "hiss/alloc.h"
#include "hiss/rng.h"
#include "objective/parts/cochleagram.h"
#include "objective/parts/kmeans.h"

enum { BANDS = 16, RATE = 8000, VALUES = 5000, COUNTED = 4096 };
static const double pi = 3.14159265358979323846;

typedef struct heard {
    cochleagram c;
    double *scratch, *envelope;
    float *out;
} heard;

static heard open_heard(void) {
    heard h = {.c = objective_cochleagram_open(BANDS, RATE, VALUES)};
    h.scratch = hiss_new(double, objective_cochleagram_scratch(&h.c));
    h.envelope = hiss_new(double, h.c.bands *h.c.frames);
    h.out = hiss_new(float, objective_cochleagram_count(&h.c));
    return h;
}

static void close_heard(heard *h) {
    objective_cochleagram_close(&h->c);
    hiss_free(h->scratch);
    hiss_free(h->envelope);
    hiss_free(h->out);
}

/* A tone of `hertz`, or, where that is 0, noise; it swells `times` a second. */
static void make(double hertz, double times, double loudness, int16_t *sound) {
    hiss_rng rng = hiss_rng_keyed(1, HISS_FOR_TESTS, 0, 0);
    for (int t = 0; t < VALUES; t++) {
        const double at = 2.0 * pi * t / RATE, noise = 2.0 * (double)hiss_rng_uniform(&rng) - 1.0;
        const double gain = times > 0.0 ? 0.5 + 0.5 * sin(at * times) : 1.0;
        sound[t] = (int16_t)lrint(loudness * gain * (hertz > 0.0 ? sin(at * hertz) : noise));
    }
}

static void test_shape(void **state) {
    (void)state;
    heard h = open_heard();
    assert_int_equal(h.c.length, COUNTED);
    assert_true(h.c.frames * RATE >= 256 * COUNTED && h.c.frames * RATE < 512 * COUNTED);
    assert_int_equal(objective_cochleagram_count(&h.c), 16 + 16 + 16 * 6 + 16 * 15 / 2);
    for (int b = 0; b < BANDS; b++) {
        const double f = objective_cochleagram_middle(&h.c, b);
        assert_true(f > h.c.lowest && f < h.c.highest && (b == 0 || f > objective_cochleagram_middle(&h.c, b - 1)));
    }
    close_heard(&h);
}

static void test_tones(void **state) {
    (void)state;
    int16_t sound[VALUES];
    heard h = open_heard();
    for (int b = 0; b < BANDS; b++) {
        make(objective_cochleagram_middle(&h.c, b), 0.0, 9000.0, sound);
        objective_cochleagram_statistics(&h.c, sound, h.scratch, h.out);
        for (int other = 0; other < BANDS; other++) {
            assert_true(other == b || h.out[other] < h.out[b]);
            assert_true(abs(other - b) < 2 || h.out[other] < 0.4f * h.out[b]);
        }
        /* The modulus of a tone of mean square 1 is sqrt 2. */
        assert_float_equal(h.out[b], pow(2.0, 0.15), 0.03);
    }
    close_heard(&h);
}

static void test_modulation(void **state) {
    (void)state;
    int16_t sound[VALUES];
    heard h = open_heard();
    for (int m = 1; m < COCHLEAGRAM_MODULATIONS - 1; m++) {
        make(1000.0, 2.0 * (1 << m) * 1.5, 9000.0, sound);
        objective_cochleagram_statistics(&h.c, sound, h.scratch, h.out);
        int band = 0;
        for (int b = 1; b < BANDS; b++) {
            band = h.out[b] > h.out[band] ? b : band;
        }
        const float *share = h.out + objective_cochleagram_group(&h.c, 2) + band * COCHLEAGRAM_MODULATIONS;
        for (int other = 0; other < COCHLEAGRAM_MODULATIONS; other++) {
            assert_true(other == m || share[other] < share[m]);
        }
        assert_true(share[m] > 0.5f);
        /* Bands swell together, so they are correlated. */
        assert_true(h.out[objective_cochleagram_group(&h.c, 1) + band] > 0.2f);
    }
    close_heard(&h);
}

static void test_loudness(void **state) {
    (void)state;
    int16_t sound[VALUES];
    heard h = open_heard();
    const int64_t count = objective_cochleagram_count(&h.c);
    float *loud = hiss_new(float, count);
    make(0.0, 6.0, 30000.0, sound);
    objective_cochleagram_statistics(&h.c, sound, h.scratch, loud);
    make(0.0, 6.0, 3000.0, sound);
    objective_cochleagram_statistics(&h.c, sound, h.scratch, h.out);
    for (int64_t k = 0; k < count; k++) {
        assert_float_equal(loud[k], h.out[k], 0.01);
    }
    memset(sound, 0, sizeof sound);
    objective_cochleagram_statistics(&h.c, sound, h.scratch, h.out);
    for (int64_t k = 0; k < count; k++) {
        assert_true(h.out[k] == 0.0f);
    }
    hiss_free(loud);
    close_heard(&h);
}

/* The analytic signal of a band at each time, as a sum over frequencies, one time after the other. */
static void test_slow(void **state) {
    (void)state;
    enum { BAND = 5 };
    int16_t sound[VALUES];
    heard h = open_heard();
    make(0.0, 9.0, 20000.0, sound);
    objective_cochleagram_envelopes(&h.c, sound, h.scratch, h.envelope);
    const double q = 9.265, w = 24.7 * 9.265, low = q * log(1.0 + 50.0 / w), high = q * log(1.0 + 0.45 * RATE / w);
    const double width = (high - low) / (BANDS + 1), middle = low + width * (BAND + 1);
    double squares = 0.0, (*spectrum)[2] = hiss_alloc(sizeof(double[2]) * COUNTED / 2);
    int first = COUNTED, end = 0;
    for (int t = 0; t < COUNTED; t++) {
        squares += (double)sound[t] * (double)sound[t] / COUNTED;
    }
    for (int k = 1; k < COUNTED / 2; k++) {
        const double from = (q * log(1.0 + (double)k * RATE / COUNTED / w) - middle) / width;
        if (fabs(from) < 1.0) {
            first = k < first ? k : first;
            end = k + 1;
            spectrum[k][0] = spectrum[k][1] = 0.0;
            for (int t = 0; t < COUNTED; t++) {
                const double x = 2.0 * cos(0.5 * pi * from) * (double)sound[t] / sqrt(squares) / COUNTED;
                spectrum[k][0] += x * cos(2.0 * pi * (double)((int64_t)k * t % COUNTED) / COUNTED);
                spectrum[k][1] -= x * sin(2.0 * pi * (double)((int64_t)k * t % COUNTED) / COUNTED);
            }
        }
    }
    int64_t points = h.c.frames;
    while (points < end - first) {
        points *= 2;
    }
    for (int64_t frame = 0; frame < h.c.frames; frame += 7) {
        const int64_t each = points / h.c.frames;
        double mean = 0.0;
        for (int64_t i = frame * each; i < (frame + 1) * each; i++) {
            double re = 0.0, im = 0.0;
            for (int k = first; k < end; k++) {
                const double turn = 2.0 * pi * (double)k * (double)i / (double)points;
                re += spectrum[k][0] * cos(turn) - spectrum[k][1] * sin(turn);
                im += spectrum[k][0] * sin(turn) + spectrum[k][1] * cos(turn);
            }
            mean += pow(hypot(re, im), 0.3) / (double)each;
        }
        assert_float_equal(h.envelope[BAND * h.c.frames + frame], mean, 1e-9);
    }
    hiss_free(spectrum);
    close_heard(&h);
}

/* ---- k-means ---- */

enum { LANES = 3, SAMPLES = 300, K = 4, D = 2 };

static void backwards(void *user, int64_t count, void (*task)(void *user, int thread, int64_t item), void *arg) {
    (void)user;
    for (int64_t k = count - 1; k >= 0; k--) {
        task(arg, 0, k);
    }
}

static void forwards(void *user, int64_t count, void (*task)(void *user, int thread, int64_t item), void *arg) {
    (void)user;
    for (int64_t k = 0; k < count; k++) {
        task(arg, 0, k);
    }
}

static void test_kmeans(void **state) {
    (void)state;
    static const int64_t shards[] = {0, 90, 210, SAMPLES}, lanes[] = {0, LANES};
    hiss_comm comm = {0};
    const hiss_placement p = {
        .samples = SAMPLES, .lanes = LANES, .shards = shards, .lane_offsets = lanes, .end_lane = LANES, .comm = &comm};
    float rows[SAMPLES * D];
    double centre[K * D], again[K * D], count[K];
    int64_t cluster[SAMPLES];
    hiss_rng rng = hiss_rng_keyed(2, HISS_FOR_TESTS, 0, 0);
    for (int i = 0; i < SAMPLES; i++) {
        for (int d = 0; d < D; d++) {
            rows[i * D + d] = 10.0f * (float)((i % K) >> d & 1) + hiss_rng_uniform(&rng);
        }
    }
    objective_clusters report = {.count = count};
    hiss_epoch e = {.parallel = backwards, .threads = 1};
    objective_kmeans(&p, &e, 7, D, rows, K, centre, cluster, &report);
    assert_int_equal(report.empty, 0);
    assert_true(report.distortion < 0.5 && report.rounds < 10);
    for (int i = 0; i < SAMPLES; i++) {
        assert_int_equal(cluster[i], cluster[i % K]);
        assert_true(i % K == 0 || cluster[i % K] != cluster[0]);
    }
    for (int c = 0; c < K; c++) {
        assert_true(count[c] == SAMPLES / K);
    }
    e.parallel = forwards;
    objective_kmeans(&p, &e, 7, D, rows, K, again, cluster, &report);
    assert_memory_equal(centre, again, sizeof centre);
    memset(rows, 0, sizeof rows); /* all alike: one cluster, the others are empty */
    objective_kmeans(&p, &e, 7, D, rows, K, centre, cluster, &report);
    assert_int_equal(report.empty, K - 1);
    assert_true(report.distortion == 0.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shape),      cmocka_unit_test(test_tones),
                                       cmocka_unit_test(test_modulation), cmocka_unit_test(test_loudness),
                                       cmocka_unit_test(test_slow),       cmocka_unit_test(test_kmeans)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
