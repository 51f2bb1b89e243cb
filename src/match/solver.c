/* What lanes and coordinators compute: maxima, prices, lists, and the optimum of a block by lists or by the solver that
 * gets all scores. What it decides depends on the block alone, so all ranks do the same for every number of them. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/match.h"

static const double ENOUGH = 1e-4; /* of hiss_lap_scale may be missed by lists */

struct hiss_match_solver {
    const hiss_lap_solver *solver;
    hiss_lists lists; /* k 0: rows travel whole */
    int64_t N, m, own;
    void **packed; /* [own] maxima or lists */
    int threads;
    void **work;  /* [threads] */
    double **sum; /* [threads] -> [N] */
};

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

hiss_match_solver *hiss_match_solver_create(const hiss_lap_solver *solver, const hiss_lists *lists, int64_t N,
                                            int64_t m, int64_t local_lanes) {
    hiss_match_solver *s = hiss_new(hiss_match_solver, 1);
    *s = (hiss_match_solver){.solver = solver, .lists = *lists, .N = N, .m = m, .own = local_lanes};
    s->packed = hiss_new(void *, local_lanes);
    for (int64_t l = 0; lists->k > 0 && l < local_lanes; l++) {
        s->packed[l] = hiss_new(int32_t, larger(N, hiss_lists_words(lists)));
    }
    return s;
}

void hiss_match_solver_destroy(hiss_match_solver *s) {
    if (s) {
        for (int64_t l = 0; l < s->own; l++) {
            hiss_free(s->packed[l]);
        }
        for (int t = 0; t < s->threads; t++) {
            hiss_free(s->work[t]);
            hiss_free(s->sum[t]);
        }
        hiss_free(s->packed);
        hiss_free(s->work);
        hiss_free(s->sum);
        hiss_free(s);
    }
}

void hiss_match_solver_reserve(hiss_match_solver *s, int threads, bool beside) {
    assert(s->threads == 0 && threads > 0);
    int64_t bytes = s->solver->work_bytes(s->N);
    if (s->lists.k > 0) {
        bytes = larger(bytes, larger(hiss_lists_pack_bytes(&s->lists), hiss_lists_solve_bytes(&s->lists)));
    }
    s->threads = threads + beside;
    s->work = hiss_new(void *, s->threads);
    s->sum = hiss_new(double *, s->threads);
    for (int t = 0; t < s->threads; t++) { /* beside: the last one alone solves and cuts lists */
        s->work[t] = beside && t < threads ? NULL : hiss_alloc((size_t)bytes);
        s->sum[t] = s->lists.k > 0 ? hiss_new(double, s->N) : NULL;
    }
}

/* ---- lanes ---- */

static float *find_maxima(const hiss_match_solver *s, const float *rows, float *maxima, double *sum) {
    const hiss_lap_rows part = {.m = s->m, .n = s->N, .width = s->N, .ld = s->N, .score = rows};
    memset(sum, 0, sizeof(double) * (size_t)s->N);
    const bool good = hiss_lap_add_maxima(&part, sum, NULL) == HISS_OK;
    for (int64_t i = 0; i < s->N; i++) {
        maxima[i] = good ? (float)sum[i] : NAN;
    }
    return maxima;
}

void *hiss_match_pack(hiss_match_solver *s, int thread, const hiss_match_lane *lane, float *rows) {
    if (lane->sends == HISS_MATCH_MAXIMA) {
        return find_maxima(s, rows, s->packed[lane->local], s->sum[thread]);
    }
    if (lane->sends == HISS_MATCH_LISTS) {
        hiss_lists_pack(&s->lists, rows, lane->price, lane->columns, s->packed[lane->local], s->work[thread]);
        return s->packed[lane->local];
    }
    return rows;
}

/* ---- blocks ---- */

static double gap_of(const hiss_lap_report *report) {
    return hiss_lap_share(report->dual - report->total, report->total, report->size);
}

/* The prices that lists are made under: the mean of the lanes' maxima. */
static hiss_status mean_maxima(const hiss_match_solver *s, const hiss_match_block *b, hiss_error *err) {
    const double groups = (double)(b->lanes * hiss_lap_groups(s->m));
    for (int64_t i = 0; i < s->N; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < b->lanes; j++) {
            const float maximum = ((const float *)b->words)[j * b->stride + i];
            if (!isfinite(maximum)) {
                return hiss_fail(err, HISS_EUSER,
                                 "a score of rows %lld to %lld is not a finite number; have the features diverged?",
                                 (long long)(j * s->m), (long long)((j + 1) * s->m - 1));
            }
            sum += (double)maximum;
        }
        b->price[i] = (float)(sum / groups);
    }
    return HISS_OK;
}

/* Optimum of the lists; then the answer, or other prices, or all scores. */
static hiss_status solve_lists(hiss_match_solver *s, int thread, const hiss_match_block *b, hiss_match_reply *reply,
                               double *gap, hiss_error *err) {
    hiss_lap_report report = {0};
    double *price = s->sum[thread];
    const hiss_status status =
        hiss_lists_solve(&s->lists, b->words, b->stride, b->price, b->columns, price, s->work[thread], &report, err);
    *gap = gap_of(&report);
    if (status != HISS_OK || report.dual - report.total <= ENOUGH * hiss_lap_scale(report.total, report.size)) {
        return status;
    }
    *reply = b->lists < HISS_MATCH_TRIES ? HISS_MATCH_PRICES : HISS_MATCH_MORE;
    for (int64_t i = 0; i < s->N; i++) {
        b->price[i] = (float)price[i];
    }
    return HISS_OK;
}

/* Lists may be longer than rows: then lanes' rows have gaps between them, which are closed. */
static const float *as_one_matrix(const hiss_match_solver *s, const hiss_match_block *b) {
    float *scores = b->words;
    for (int64_t j = 1; j < b->lanes && b->stride > s->m * s->N; j++) {
        memmove(scores + j * s->m * s->N, scores + j * b->stride, sizeof(float) * (size_t)(s->m * s->N));
    }
    return scores;
}

hiss_status hiss_match_solve(hiss_match_solver *s, int thread, const hiss_match_block *block, hiss_match_reply *reply,
                             double *gap, hiss_error *err) {
    if (block->sent == HISS_MATCH_MAXIMA) {
        *reply = HISS_MATCH_PRICES;
        return mean_maxima(s, block, err);
    }
    *reply = HISS_MATCH_COLUMNS;
    if (block->sent == HISS_MATCH_LISTS) {
        return solve_lists(s, thread, block, reply, gap, err);
    }
    hiss_lap_report report = {0};
    const hiss_lap lap = {s->N, as_one_matrix(s, block), s->N};
    const hiss_status status = s->solver->solve(&lap, block->columns, NULL, NULL, s->work[thread], &report, err);
    *gap = gap_of(&report);
    return status;
}
