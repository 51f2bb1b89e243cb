/* Assignment solvers. bench_protocol.c times what brings blocks to their coordinators.
 *
 * Features z and targets c are unit vectors; the solver sees z c^T. Four kinds of features, from easy to what a fresh
 * network gives:
 *   random     independent of each other
 *   clustered  50 directions, noise of the same length
 *   collapsed  one direction, noise of 0.3 of its length
 *   aligned    each near its own target, at a cosine of about 0.5
 * A solver must at least read the scores once: its share is that time over the time it takes. */
#include <math.h>
#include <string.h>

#include "cli/bench.h"
#include "hiss/assign.h"
#include "hiss/clock.h"

enum { KINDS = 4, CLUSTERS = 50, REPEATS = 5, MAX_SIZES = 16, MAX_SOLVERS = 16, LARGEST = 32768 };
static const char *const kind_name[KINDS] = {"random", "clustered", "collapsed", "aligned"};
enum { RANDOM, CLUSTERED, COLLAPSED, ALIGNED };

/* ---- features ---- */

static void unit_normals(uint64_t seed, int64_t id, int64_t d, float *out) {
    hiss_rng rng = hiss_rng_keyed(seed, HISS_FOR_TESTS, 1, id);
    hiss_rng_normals(&rng, d, out);
    double sum = 0.0;
    for (int64_t j = 0; j < d; j++) {
        sum += (double)out[j] * (double)out[j];
    }
    for (int64_t j = 0; j < d; j++) {
        out[j] *= (float)(1.0 / sqrt(sum));
    }
}

/* z = unit(direction + weight * noise) */
static void mix(int64_t d, const float *direction, float weight, float *z) {
    double sum = 0.0;
    for (int64_t j = 0; j < d; j++) {
        z[j] = direction[j] + weight * z[j];
        sum += (double)z[j] * (double)z[j];
    }
    for (int64_t j = 0; j < d; j++) {
        z[j] *= (float)(1.0 / sqrt(sum));
    }
}

/* z, c [n,d]: features of a kind, and targets. */
static void make_features(int kind, int64_t n, int64_t d, float *z, float *c) {
    static const float aligned_noise = 1.73f; /* cosine 1/2 */
    float *direction = hiss_new(float, d);
    for (int64_t i = 0; i < n; i++) {
        unit_normals(1, i, d, z + i * d);
        unit_normals(2, i, d, c + i * d);
        if (kind == CLUSTERED) {
            unit_normals(3, i % CLUSTERS, d, direction);
            mix(d, direction, 1.0f, z + i * d);
        } else if (kind == COLLAPSED) {
            unit_normals(3, 0, d, direction);
            mix(d, direction, 0.3f, z + i * d);
        } else if (kind == ALIGNED) {
            mix(d, c + i * d, aligned_noise, z + i * d);
        }
    }
    if (kind == ALIGNED) { /* the targets' owners must not stand on the diagonal, where the solver starts */
        const hiss_permutation p = hiss_permutation_keyed(4, HISS_FOR_TESTS, 0, 0, n);
        float *moved = hiss_new(float, n *d);
        for (int64_t i = 0; i < n; i++) {
            memcpy(moved + i * d, z + hiss_permutation_at(&p, i) * d, sizeof(float) * (size_t)d);
        }
        memcpy(z, moved, sizeof(float) * (size_t)(n * d));
        hiss_free(moved);
    }
    hiss_free(direction);
}

void bench_collapsed_features(int64_t n, int64_t d, float *z, float *c) {
    make_features(COLLAPSED, n, d, z, c);
}

static void make_scores(int kind, int64_t n, int64_t d, float *scores) {
    float *z = hiss_new(float, n *d), *c = hiss_new(float, n *d);
    make_features(kind, n, d, z, c);
    hiss_kernels_blas()->gemm(false, true, n, n, d, 1.0f, z, d, c, d, 0.0f, scores, n);
    hiss_free(z);
    hiss_free(c);
}

void bench_collapsed_scores(int64_t n, int64_t d, float *scores) {
    make_scores(COLLAPSED, n, d, scores);
}

/* ---- solvers ---- */

typedef struct solved {
    double seconds, total, size, gap; /* gap: hiss_lap_share of what the duals leave open; NaN without duals */
} solved;

static hiss_status time_solver(const hiss_lap_solver *solver, const hiss_lap *lap, solved *out, hiss_error *err) {
    int32_t *column = hiss_new(int32_t, lap->n);
    double *u = hiss_new(double, lap->n), *v = hiss_new(double, lap->n), seconds[REPEATS];
    void *work = hiss_alloc((size_t)solver->work_bytes(lap->n));
    hiss_status s = HISS_OK;
    for (int k = -1; k < REPEATS && s == HISS_OK; k++) { /* -1: warm-up */
        for (int64_t i = 0; i < lap->n; i++) {
            column[i] = (int32_t)i;
        }
        hiss_alloc_seal(true);
        const double start = hiss_seconds();
        s = solver->solve(lap, column, u, v, work, NULL, err);
        seconds[k < 0 ? 0 : k] = hiss_seconds() - start;
        hiss_alloc_seal(false);
    }
    if (s == HISS_OK) {
        const hiss_lap_certificate proof = hiss_lap_certify(lap, column, u, v);
        *out = (solved){hiss_median(seconds, REPEATS), proof.total, proof.size,
                        hiss_lap_share(proof.gap, proof.total, proof.size)};
    }
    hiss_free(column);
    hiss_free(u);
    hiss_free(v);
    hiss_free(work);
    return s;
}

static void report_solver(bench *b, int64_t n, int kind, const char *name, const solved *r, const solved *best) {
    const double bytes = 4.0 * (double)(n * n);
    const double share = bytes / bench_bandwidth(&b->machine, bytes) / r->seconds,
                 below = hiss_lap_share(best->total - r->total, best->total, best->size);
    bench_print(b, "%s  %-10s  %s %s  %s  %s  %s  %s\n", HISS_NUMBER(6, 0, (double)n), kind_name[kind],
                HISS_TEXT(10, name), HISS_NUMBER(12, 3, 1e3 * r->seconds), HISS_NUMBER(8, 4, r->total / (double)n),
                HISS_NUMBER(10, 4, 100.0 * below), HISS_POWER(9, 1, r->gap), HISS_NUMBER(10, 3, 100.0 * share));
    json_begin(&b->json, NULL, '{');
    json_number(&b->json, "n", (double)n);
    json_text(&b->json, "features", kind_name[kind]);
    json_text(&b->json, "solver", name);
    json_number(&b->json, "seconds", r->seconds);
    json_number(&b->json, "mean_score", r->total / (double)n);
    json_number(&b->json, "below_best", below);
    json_number(&b->json, "certified_gap", r->gap);
    json_number(&b->json, "share", share);
    json_end(&b->json, '}');
}

static hiss_status solve_kind(bench *b, int64_t n, int64_t d, int kind, float *scores, hiss_error *err) {
    const hiss_lap_solver *const *solvers = hiss_lap_solvers();
    solved result[MAX_SOLVERS];
    int count = 0, best = 0;
    make_scores(kind, n, d, scores);
    for (; count < MAX_SOLVERS && solvers[count]; count++) {
        hiss_status s = time_solver(solvers[count], &(hiss_lap){n, scores, n}, &result[count], err);
        if (s != HISS_OK) {
            return s;
        }
        best = result[count].total > result[best].total ? count : best;
    }
    for (int k = 0; k < count; k++) {
        report_solver(b, n, kind, solvers[k]->name, &result[k], &result[best]);
    }
    return HISS_OK;
}

/* Rank 0 solves; the others wait, so that nothing disturbs it. */
static hiss_status solvers_part(bench *b, int sizes, const int64_t *size, int64_t dim, hiss_error *err) {
    bench_print(b, "\nassignment, d = %lld\n%6s  %-10s  %-10s %12s  %8s  %10s  %9s  %10s\n", (long long)dim, "n",
                "features", "solver", "ms", "mean z.c", "% below", "certified", "% of one");
    bench_print(b, "%6s  %-10s  %-10s %12s  %8s  %10s  %9s  %10s\n", "", "", "", "", "", "the best", "gap", "reading");
    json_begin(&b->json, "solvers", '[');
    hiss_status s = HISS_OK;
    for (int k = 0; k < sizes && s == HISS_OK && hiss_comm_rank(b->comm) == 0; k++) {
        float *scores = hiss_new(float, size[k] * size[k]);
        for (int kind = 0; kind < KINDS && s == HISS_OK; kind++) {
            s = solve_kind(b, size[k], dim, kind, scores, err);
        }
        hiss_free(scores);
    }
    json_end(&b->json, ']');
    return hiss_comm_agree(b->comm, s, err);
}

hiss_status bench_assign(bench *b, const char *sizes, int64_t dim, hiss_error *err) {
    int64_t size[MAX_SIZES];
    int count = 0;
    hiss_status s = bench_list(sizes, "sizes", LARGEST, MAX_SIZES, size, &count, err);
    if (s == HISS_OK) {
        bench_measure_machine(b);
        json_begin(&b->json, "assign", '{');
        json_number(&b->json, "dim", (double)dim);
        s = solvers_part(b, count, size, dim, err);
        s = s == HISS_OK ? bench_protocol(b, count, size, dim, err) : s;
        json_end(&b->json, '}');
    }
    return s;
}
