/* Exact assignment within short lists of columns, by shortest augmenting paths.
 *
 * Sources: A. Volgenant, "Linear and semi-assignment problems: a core oriented approach", Computers & Operations
 * Research 23 (1996), for the idea; the words and steps are those of lapjv.c. What differs:
 *
 *   - A row is read best entry first, and hardly ever to its end. Prices never fall, so what an entry promised when its
 *     list was set, score - price, bounds its profit for ever; with the maximum over the entries behind it as `bound`,
 *     bidding stops where no entry can be among the two best, and Dijkstra where none can lead to a free column nearer
 *     than the one found. That reads 5 to 30 entries of a list of 64 or 128, whose length therefore costs memory only.
 *     Lists in another order are slower, not wrong.
 *   - Bids are so cheap that bidding goes on until it settles (BIDS_PER_ROW is for ties that never would), which leaves
 *     Dijkstra few rows. There is no column reduction: it would lower prices.
 *   - Dijkstra keeps reached columns in a binary heap, ordered by distance, then column.
 *
 * A row that has the highest profit it can have when solving starts keeps its column: a warm start with the prices and
 * the answer of an earlier solve only works on what has changed.
 *
 * 40 to 100 scans per row, O(n k) memory and time for setting up, O(n^2 k log n) at worst. */
#include "sparse_impl.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { BIDS_PER_ROW = 64, MAX_SPARSE_N = 1 << 24 };
enum { FREE = -1, UNREACHED = -1, CLOSED = -2 };

static const double ROUNDING = 1e-12; /* as in lapjv.c */

typedef hiss_sparse_search search;
typedef hiss_sparse_edge edge;

int64_t hiss_sparse_lay_out(search *s, int64_t n, int64_t k, void *work) {
    hiss_lap_slicer slicer = {work, 0};
    s->n = n;
    s->k = k;
    s->edges = hiss_lap_slice(&slicer, n * k, sizeof *s->edges);
    s->held = hiss_lap_slice(&slicer, n, sizeof *s->held);
    s->distance = hiss_lap_slice(&slicer, n, sizeof *s->distance);
    s->came_from = hiss_lap_slice(&slicer, n, sizeof *s->came_from);
    s->row_of = hiss_lap_slice(&slicer, n, sizeof *s->row_of);
    s->column_of = hiss_lap_slice(&slicer, n, sizeof *s->column_of);
    s->waiting = hiss_lap_slice(&slicer, n, sizeof *s->waiting);
    s->heap = hiss_lap_slice(&slicer, n, sizeof *s->heap);
    s->place = hiss_lap_slice(&slicer, n, sizeof *s->place);
    s->reached = hiss_lap_slice(&slicer, n, sizeof *s->reached);
    return slicer.used;
}

int64_t hiss_sparse_work_bytes(int64_t n, int64_t k) {
    return hiss_sparse_lay_out(&(search){0}, n, k, NULL);
}

void hiss_sparse_begin(search *s, double *price) {
    s->price = price;
    s->nwaiting = s->scans = 0;
    for (int64_t i = 0; i < s->n; i++) {
        s->row_of[i] = s->column_of[i] = FREE;
        s->distance[i] = INFINITY;
        s->place[i] = UNREACHED;
    }
}

static float rounded_up(double x) {
    const float f = (float)x;
    return (double)f < x ? nextafterf(f, INFINITY) : f;
}

void hiss_sparse_set_row(search *s, int64_t row, const int32_t *column, const float *score) {
    float bound = -INFINITY;
    for (int64_t e = s->k - 1; e >= 0; e--) {
        const float promise = rounded_up((double)score[e] - s->price[column[e]]);
        bound = promise > bound ? promise : bound;
        s->edges[row * s->k + e] = (edge){column[e], score[e], bound};
    }
}

static void match(search *s, int64_t row, const edge *e) {
    s->row_of[e->column] = (int32_t)row;
    s->column_of[row] = e->column;
    s->held[row] = (double)e->score;
}

void hiss_sparse_release(search *s, int32_t row) {
    if (s->column_of[row] != FREE) {
        s->row_of[s->column_of[row]] = FREE;
        s->column_of[row] = FREE;
    }
    s->waiting[s->nwaiting++] = row;
}

typedef struct choice {
    double best, second; /* the two highest profits; second = -inf when k is 1 */
    const edge *edge;    /* one of the highest, a free column's before others, the earlier of equals */
} choice;

static choice best_two(search *s, int64_t row) {
    choice c = {-INFINITY, -INFINITY, NULL};
    const edge *e = s->edges + row * s->k, *const end = e + s->k;
    for (; e < end && (double)e->bound >= c.second; e++) {
        const double profit = (double)e->score - s->price[e->column];
        if (profit > c.best || !c.edge) {
            c = (choice){profit, c.best, e};
        } else if (profit > c.second) {
            c.second = profit;
            if (profit == c.best && s->row_of[c.edge->column] != FREE && s->row_of[e->column] == FREE) {
                c.edge = e;
            }
        }
    }
    s->scans++;
    return c;
}

double hiss_sparse_profit(search *s, int64_t row) {
    return best_two(s, row).best;
}

/* Bidding for all waiting rows. Rows that are outbid without a rise of the price wait for what comes after. */
static void bid(search *s) {
    int64_t at = 0, left = 0;
    const int64_t last_scan = s->scans + BIDS_PER_ROW * s->n;
    while (at < s->nwaiting && s->scans < last_scan) {
        int32_t row = s->waiting[at++];
        for (bool outbid = true; outbid;) {
            const choice c = best_two(s, row);
            const int32_t column = c.edge->column;
            const double raised = s->k > 1 ? s->price[column] + (c.best - c.second) : s->price[column];
            const bool rises = raised > s->price[column];
            s->price[column] = rises ? raised : s->price[column];
            const int32_t loser = s->row_of[column];
            match(s, row, c.edge);
            outbid = loser != FREE && rises && s->scans < last_scan;
            if (loser != FREE) {
                s->column_of[loser] = FREE;
                if (!outbid) {
                    s->waiting[left++] = loser;
                }
            }
            row = loser;
        }
    }
    memmove(s->waiting + left, s->waiting + at, (size_t)(s->nwaiting - at) * sizeof *s->waiting);
    s->nwaiting += left - at;
}

static bool nearer(const search *s, int32_t a, int32_t b) {
    return s->distance[a] < s->distance[b] || (s->distance[a] == s->distance[b] && a < b);
}

static void put(search *s, int64_t at, int32_t column) {
    s->heap[at] = column;
    s->place[column] = (int32_t)at;
}

/* Put a column into the hole at `at`, or above. */
static void rise(search *s, int64_t at, int32_t column) {
    while (at > 0 && nearer(s, column, s->heap[(at - 1) / 2])) {
        put(s, at, s->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(s, at, column);
}

static int32_t take_nearest(search *s) {
    const int32_t nearest = s->heap[0], last = s->heap[--s->nheap];
    int64_t hole = 0;
    for (int64_t child = 1; child < s->nheap; child = 2 * hole + 1) {
        if (child + 1 < s->nheap && nearer(s, s->heap[child + 1], s->heap[child])) {
            child++;
        }
        if (!nearer(s, s->heap[child], last)) {
            break;
        }
        put(s, hole, s->heap[child]);
        hole = child;
    }
    if (s->nheap) {
        put(s, hole, last);
    }
    s->place[nearest] = CLOSED;
    return nearest;
}

/* The nearest free column so far. */
typedef struct goal {
    double distance;
    int32_t column;
} goal;

/* Dijkstra's relaxation of the edges of one row: its columns are at price - score - base. */
static void relax(search *s, int64_t row, double base, goal *g) {
    const edge *e = s->edges + row * s->k, *const end = e + s->k;
    for (; e < end && -(double)e->bound - base < g->distance; e++) {
        const int32_t column = e->column;
        const double d = s->price[column] - (double)e->score - base;
        if (d >= s->distance[column] || d >= g->distance || s->place[column] == CLOSED) {
            continue;
        }
        if (s->distance[column] == INFINITY) {
            s->reached[s->nreached++] = column;
        }
        s->distance[column] = d;
        s->came_from[column] = e - s->edges;
        if (s->row_of[column] == FREE) {
            *g = (goal){d, column};
        } else {
            rise(s, s->place[column] == UNREACHED ? s->nheap++ : s->place[column], column);
        }
    }
    s->scans++;
}

/* Match one free row along the shortest path to a free column. */
static void augment(search *s, int32_t free_row) {
    goal g = {INFINITY, FREE};
    s->nheap = s->nreached = 0;
    relax(s, free_row, 0, &g);
    while (s->nheap && s->distance[s->heap[0]] < g.distance) {
        const int32_t column = take_nearest(s), row = s->row_of[column];
        relax(s, row, s->price[column] - s->held[row] - s->distance[column], &g);
    }
    assert(g.column != FREE);
    for (int64_t r = 0; r < s->nreached; r++) {
        const int32_t column = s->reached[r];
        if (s->place[column] == CLOSED) {
            s->price[column] += g.distance - s->distance[column];
        }
        s->place[column] = UNREACHED;
        s->distance[column] = INFINITY;
    }
    int32_t column = g.column;
    for (int64_t row = FREE; row != free_row;) {
        const edge *e = s->edges + s->came_from[column];
        row = s->came_from[column] / s->k;
        column = s->column_of[row];
        match(s, row, e);
    }
}

void hiss_sparse_settle(search *s) {
    bid(s);
    for (int64_t w = 0; w < s->nwaiting; w++) {
        augment(s, s->waiting[w]);
    }
    s->nwaiting = 0;
}

static hiss_status check(const hiss_sparse_lap *lap, hiss_error *err) {
    const int64_t n = lap->n, k = lap->k;
    if (k < 1 || k > n || n > MAX_SPARSE_N) {
        return hiss_fail(err, HISS_EUSER,
                         "sparse assignment of %lld rows with %lld columns each: expected 1 <= columns <= rows <= %d",
                         (long long)n, (long long)k, MAX_SPARSE_N);
    }
    const hiss_lap_rows rows = {.m = n, .n = n, .width = k, .ld = k, .score = lap->score, .column = lap->column};
    return hiss_lap_check_lists(&rows, err);
}

/* Set all rows; held becomes the scores of column_of_row, which must be a permutation within the lists. */
static hiss_status set_up(search *s, const hiss_sparse_lap *lap, const int32_t *column_of_row, hiss_error *err) {
    for (int64_t i = 0; i < s->n; i++) {
        const int32_t *column = lap->column + i * s->k, current = column_of_row[i];
        int64_t e = 0;
        hiss_sparse_set_row(s, i, column, lap->score + i * s->k);
        while (e < s->k && column[e] != current) {
            e++;
        }
        if (e == s->k || s->row_of[current] != FREE) {
            return hiss_fail(err, HISS_EUSER,
                             e == s->k ? "row %lld is assigned to column %d, which its list does not contain"
                                       : "row %lld is assigned to column %d like an earlier row",
                             (long long)i, (int)current);
        }
        match(s, i, s->edges + i * s->k + e);
    }
    return HISS_OK;
}

hiss_status hiss_sparse_solve(const hiss_sparse_lap *lap, int32_t *column_of_row, double *price, double *row_dual,
                              void *work, hiss_lap_report *report, hiss_error *err) {
    search s = {0};
    hiss_lap_report result = {0};
    hiss_status status = check(lap, err);
    if (status) {
        return status;
    }
    assert((uintptr_t)work % 64 == 0);
    hiss_sparse_lay_out(&s, lap->n, lap->k, work);
    hiss_sparse_begin(&s, price);
    status = set_up(&s, lap, column_of_row, err);
    if (status) {
        return status;
    }
    double largest = 0, gap = 0;
    for (int32_t i = 0; i < s.n; i++) {
        const double profit = s.held[i] - price[column_of_row[i]];
        result.before += s.held[i];
        if (best_two(&s, i).best > profit) {
            hiss_sparse_release(&s, i);
        }
    }
    hiss_sparse_settle(&s);
    for (int64_t i = 0; i < s.n; i++) {
        const double profit = best_two(&s, i).best;
        gap += fabs(profit + price[s.column_of[i]] - s.held[i]);
        largest = fmax(largest, fabs(s.held[i]));
        result.total += s.held[i];
        result.dual += profit + price[i];
        if (row_dual) {
            row_dual[i] = profit;
        }
    }
    for (int64_t e = 0; gap > ROUNDING * (double)s.n * largest && e < s.n * s.k; e++) {
        largest = fmax(largest, fabs((double)lap->score[e]));
    }
    if (gap > ROUNDING * (double)s.n * largest) {
        return hiss_fail(err, HISS_EINTERNAL, "sparse: a gap of %g remains in an assignment of %lld rows", gap,
                         (long long)s.n);
    }
    result.iterations = s.scans;
    if (result.total > result.before) {
        memcpy(column_of_row, s.column_of, (size_t)s.n * sizeof *column_of_row);
    } else {
        result.total = result.before;
    }
    if (report) {
        *report = result;
    }
    return HISS_OK;
}
