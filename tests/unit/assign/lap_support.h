/* What the tests of assignment solvers share: problems, a checked call, exhaustive optima. */
#ifndef HISS_TESTS_LAP_SUPPORT_H
#define HISS_TESTS_LAP_SUPPORT_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hiss/alloc.h"
#include "hiss/assign.h"

enum { KINDS = 10, CANARY = 64 };

/* SplitMix64: a generator of our own, so that a fault of the library's cannot hide here. */
static inline uint64_t next_word(uint64_t *state) {
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static inline double uniform(uint64_t *state) {
    return (double)(next_word(state) >> 11) * 0x1p-53;
}

static inline float normal(uint64_t *state) {
    double sum = 0;
    for (int k = 0; k < 12; k++) {
        sum += uniform(state);
    }
    return (float)(sum - 6);
}

static inline void shuffle(int64_t n, int32_t *p, uint64_t *state) {
    for (int64_t i = 0; i < n; i++) {
        p[i] = (int32_t)i;
    }
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t k = (int64_t)(next_word(state) % (uint64_t)(i + 1));
        int32_t t = p[i];
        p[i] = p[k];
        p[k] = t;
    }
}

/* rows[n, d]: centre[which] + spread * noise, scaled to unit length. */
static inline void unit_rows(int64_t n, int64_t d, int64_t ncentres, float spread, float *rows, uint64_t *state) {
    float *centre = hiss_new(float, (ncentres ? ncentres : 1) * d);
    for (int64_t k = 0; k < ncentres * d; k++) {
        centre[k] = normal(state) / sqrtf((float)d);
    }
    for (int64_t i = 0; i < n; i++) {
        const float *c = centre + (ncentres ? (int64_t)(next_word(state) % (uint64_t)ncentres) : 0) * d;
        double norm = 0;
        for (int64_t k = 0; k < d; k++) {
            rows[i * d + k] = c[k] + spread * normal(state) / sqrtf((float)d);
            norm += (double)rows[i * d + k] * (double)rows[i * d + k];
        }
        for (int64_t k = 0; k < d; k++) {
            rows[i * d + k] /= (float)sqrt(norm);
        }
    }
    hiss_free(centre);
}

/* Cosines of n features with n random targets: features random (0 centres), clustered or collapsed (1 centre). */
static inline void fill_cosines(int64_t n, int64_t ld, int64_t d, int64_t ncentres, float spread, float *score,
                                uint64_t *state) {
    float *z = hiss_new(float, n *d), *c = hiss_new(float, n *d), *transposed = hiss_new(float, n *d);
    unit_rows(n, d, ncentres, spread, z, state);
    unit_rows(n, d, 0, 1, c, state);
    for (int64_t j = 0; j < n; j++) {
        for (int64_t k = 0; k < d; k++) {
            transposed[k * n + j] = c[j * d + k];
        }
    }
    for (int64_t i = 0; i < n; i++) {
        memset(score + i * ld, 0, (size_t)n * sizeof *score);
        for (int64_t k = 0; k < d; k++) {
            for (int64_t j = 0; j < n; j++) {
                score[i * ld + j] += z[i * d + k] * transposed[k * n + j];
            }
        }
    }
    hiss_free(z);
    hiss_free(c);
    hiss_free(transposed);
}

static const char *const kind_name[KINDS] = {"random",    "tied",     "constant", "rank one", "clustered",
                                             "collapsed", "negative", "huge",     "ragged",   "offset"};

/* A hiss_lap whose score the caller frees; what lies between n and ld must not matter. */
static inline hiss_lap make(int kind, int64_t n, int64_t ld, uint64_t *state) {
    float *score = hiss_new(float, n *ld), *a = hiss_new(float, n), *b = hiss_new(float, n);
    for (int64_t i = 0; i < n; i++) {
        a[i] = normal(state);
        b[i] = normal(state);
    }
    if (kind == 4 || kind == 5) {
        fill_cosines(n, ld, 8, kind == 4 ? 12 : 1, kind == 4 ? 0.5f : 0.3f, score, state);
    }
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++) {
            float *s = score + i * ld + j;
            switch (kind) {
            case 0:
                *s = normal(state);
                break;
            case 1:
                *s = (float)(next_word(state) % 3);
                break;
            case 2:
                *s = 0.7f;
                break;
            case 3:
                *s = a[i] * b[j];
                break;
            case 6:
                *s = -5 - fabsf(normal(state));
                break;
            case 7:
                *s = 1e38f * (float)(uniform(state) * 6 - 3);
                break;
            case 8:
                *s = normal(state) * powf(10, (float)(next_word(state) % 61) - 30);
                break;
            case 9:
                *s = 1e7f * b[j] + 1e6f * a[i] + normal(state);
                break;
            default:
                break;
            }
        }
        for (int64_t j = n; j < ld; j++) {
            score[i * ld + j] = NAN;
        }
    }
    hiss_free(a);
    hiss_free(b);
    return (hiss_lap){n, score, ld};
}

static inline double magnitude(const hiss_lap *lap) {
    double most = 0;
    for (int64_t i = 0; i < lap->n; i++) {
        for (int64_t j = 0; j < lap->n; j++) {
            most = fmax(most, fabs((double)lap->score[i * lap->ld + j]));
        }
    }
    return most;
}

/* Solve in a dirty workspace of exactly the stated size. */
static inline hiss_lap_report solve(const char *name, const hiss_lap *lap, int32_t *column_of_row, double *u,
                                    double *v) {
    const hiss_lap_solver *solver = hiss_lap_solver_named(name);
    size_t bytes = (size_t)solver->work_bytes(lap->n);
    unsigned char *work = hiss_alloc(bytes + CANARY);
    memset(work, 0xA5, bytes + CANARY);
    hiss_lap_report report;
    hiss_error err = {0};
    assert_int_equal(solver->solve(lap, column_of_row, u, v, work, &report, &err), HISS_OK);
    for (int k = 0; k < CANARY; k++) {
        assert_int_equal(work[bytes + (size_t)k], 0xA5);
    }
    hiss_free(work);
    return report;
}

static inline void assert_certified(const hiss_lap *lap, const int32_t *column_of_row, const double *u, const double *v,
                                    const char *what) {
    hiss_lap_certificate c = hiss_lap_certify(lap, column_of_row, u, v);
    double tolerance = 1e-12 * (double)lap->n * magnitude(lap);
    if (!c.is_permutation || !(fabs(c.gap) <= tolerance) || !(c.worst_violation <= tolerance)) {
        fail_msg("%s, n = %d: permutation %d, gap %g, violation %g, tolerance %g", what, (int)lap->n,
                 (int)c.is_permutation, c.gap, c.worst_violation, tolerance);
    }
}

/* Exact optimum over all n! assignments: best[set] = best total of the first |set| rows on the columns of set. */
static inline double exhaustive(const hiss_lap *lap) {
    int64_t n = lap->n, sets = (int64_t)1 << n;
    double *best = hiss_new(double, sets);
    for (int64_t set = 1; set < sets; set++) {
        int64_t row = __builtin_popcountll((unsigned long long)set) - 1;
        best[set] = -INFINITY;
        for (int64_t j = 0; j < n; j++) {
            if (set >> j & 1) {
                best[set] = fmax(best[set], best[set & ~((int64_t)1 << j)] + (double)lap->score[row * lap->ld + j]);
            }
        }
    }
    double result = best[sets - 1];
    hiss_free(best);
    return result;
}

#endif
