/* Lists that travel: rows cut to their best columns where they are, solved elsewhere, and still proved.
 *
 * A packed row holds a threshold, k scores and k columns. Under the prices it was packed with no column outside of the
 * list has a profit above the threshold. After the solve, column j's price has gone from p_j to q_j, so outside of the
 * list of row i no profit is above threshold_i + max (p_j - q_j), the maximum over the columns outside; where that is
 * above the row's dual, the difference is added to the dual total. What comes out bounds every total, and costs a walk
 * along the columns in the order of p_j - q_j until one is not in the list, for the few rows that need it.
 *
 * Packed: m thresholds, m k scores, m k columns of two bytes. */
#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lap_impl.h"

int64_t hiss_lists_words(const hiss_lists *l) {
    return l->m + l->m * l->k + (l->m * l->k + 1) / 2;
}

/* ---- packing ---- */

typedef struct packing {
    double *price;   /* [n] */
    int32_t *column; /* [m, k] */
    void *select;
} packing;

static int64_t lay_out_packing(packing *p, const hiss_lists *l, void *work) {
    assign_slicer slicer = {work, 0};
    p->price = assign_slice(&slicer, l->n, sizeof *p->price);
    p->column = assign_slice(&slicer, l->m * l->k, sizeof *p->column);
    p->select = assign_slice(&slicer, hiss_lap_select_work_bytes(l->n, l->k), 1);
    return slicer.used;
}

int64_t hiss_lists_pack_bytes(const hiss_lists *l) {
    return lay_out_packing(&(packing){0}, l, NULL);
}

void hiss_lists_pack(const hiss_lists *l, const float *rows, const float *price, const int32_t *current, void *words,
                     void *work) {
    const int64_t m = l->m, k = l->k;
    float *threshold = words, *score = threshold + m;
    uint16_t *column = (uint16_t *)(score + m * k);
    packing p;
    assert(k >= 2 && k < l->n && l->n <= UINT16_MAX + 1);
    lay_out_packing(&p, l, work);
    for (int64_t j = 0; j < l->n; j++) {
        p.price[j] = (double)price[j];
    }
    const hiss_lap_rows all = {.m = m, .n = l->n, .width = l->n, .ld = l->n, .score = rows};
    hiss_lap_select(&all, p.price, current, k, p.column, score, p.select);
    for (int64_t i = 0; i < m; i++) {
        /* the current column may have taken the place of the k-th best: then only the one before it says something */
        const int64_t last = i * k + (p.column[i * k + k - 1] == current[i] ? k - 2 : k - 1);
        threshold[i] = nextafterf(score[last] - price[p.column[last]], INFINITY);
        for (int64_t e = i * k; e < (i + 1) * k; e++) {
            column[e] = (uint16_t)p.column[e];
        }
    }
    if (m * k % 2) {
        column[m * k] = 0;
    }
}

/* ---- solving ---- */

typedef struct fall { /* by how much the price of a column has fallen since the lists were packed */
    double by;
    int32_t column;
} fall;

typedef struct solving {
    int32_t *column;      /* [n, k] */
    float *score, *limit; /* [n, k], [n]: thresholds */
    double *profit;       /* [n] row duals */
    fall *falls;          /* [n] */
    int32_t *listed;      /* [n] 1 + the last row whose list was marked here */
    void *sparse;
} solving;

static int64_t lay_out_solving(solving *s, const hiss_lists *l, void *work) {
    assign_slicer slicer = {work, 0};
    s->column = assign_slice(&slicer, l->n * l->k, sizeof *s->column);
    s->score = assign_slice(&slicer, l->n * l->k, sizeof *s->score);
    s->limit = assign_slice(&slicer, l->n, sizeof *s->limit);
    s->profit = assign_slice(&slicer, l->n, sizeof *s->profit);
    s->falls = assign_slice(&slicer, l->n, sizeof *s->falls);
    s->listed = assign_slice(&slicer, l->n, sizeof *s->listed);
    s->sparse = assign_slice(&slicer, hiss_sparse_work_bytes(l->n, l->k), 1);
    return slicer.used;
}

int64_t hiss_lists_solve_bytes(const hiss_lists *l) {
    return lay_out_solving(&(solving){0}, l, NULL);
}

static void unpack(const solving *s, const hiss_lists *l, const void *parts, int64_t stride) {
    const int64_t m = l->m, k = l->k;
    for (int64_t part = 0; part < l->n / m; part++) {
        const float *limit = (const float *)parts + part * stride, *score = limit + m;
        const uint16_t *column = (const uint16_t *)(score + m * k);
        memcpy(s->limit + part * m, limit, (size_t)m * sizeof *limit);
        memcpy(s->score + part * m * k, score, (size_t)(m * k) * sizeof *score);
        for (int64_t e = 0; e < m * k; e++) {
            s->column[part * m * k + e] = column[e];
        }
    }
}

static int by_fall(const void *a, const void *b) {
    const double x = ((const fall *)a)->by, y = ((const fall *)b)->by;
    return (x < y) - (x > y);
}

/* What columns outside of the lists could add to the total, at most. */
static double outside(const solving *s, const hiss_lists *l, const float *packed, const double *price) {
    double most = -INFINITY, sum = 0.0;
    bool sorted = false;
    for (int64_t j = 0; j < l->n; j++) {
        s->falls[j] = (fall){(double)packed[j] - price[j], (int32_t)j};
        most = fmax(most, s->falls[j].by);
        s->listed[j] = 0;
    }
    for (int64_t i = 0; i < l->n; i++) {
        if ((double)s->limit[i] + most <= s->profit[i]) {
            continue;
        }
        if (!sorted) {
            qsort(s->falls, (size_t)l->n, sizeof *s->falls, by_fall);
            sorted = true;
        }
        for (int64_t e = i * l->k; e < (i + 1) * l->k; e++) {
            s->listed[s->column[e]] = (int32_t)i + 1;
        }
        int64_t at = 0;
        while (s->listed[s->falls[at].column] == (int32_t)i + 1) {
            at++;
        }
        sum += fmax(0.0, (double)s->limit[i] + s->falls[at].by - s->profit[i]);
    }
    return sum;
}

hiss_status hiss_lists_solve(const hiss_lists *l, const void *parts, int64_t stride, const float *packed,
                             int32_t *column_of_row, double *price, void *work, hiss_lap_report *report,
                             hiss_error *err) {
    solving s;
    assert((uintptr_t)work % 64 == 0 && l->n % l->m == 0);
    lay_out_solving(&s, l, work);
    unpack(&s, l, parts, stride);
    for (int64_t j = 0; j < l->n; j++) {
        price[j] = (double)packed[j];
    }
    const hiss_sparse_lap lap = {.n = l->n, .k = l->k, .column = s.column, .score = s.score};
    const hiss_status status = hiss_sparse_solve(&lap, column_of_row, price, s.profit, s.sparse, report, err);
    if (status == HISS_OK) {
        report->dual += outside(&s, l, packed, price);
    }
    return status;
}
