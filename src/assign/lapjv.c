/* Exact assignment by shortest augmenting paths.
 *
 * Source: R. Jonker, A. Volgenant, "A shortest augmenting path algorithm for dense and sparse linear assignment
 * problems", Computing 38 (1987), in the language of auctions (D. Bertsekas, "Auction algorithms", 1988). Column j has
 * a price, row i the profit score[i,j] - price[j]; a matching is optimal when every row sits on a column of its highest
 * profit. Prices and highest profits are the duals.
 *
 *   1. Prices start at means of group maxima (rows.c). Like column centring, but without writing the matrix, this makes
 *      constants added to columns irrelevant, so features that have collapsed onto one direction cost no more than
 *      random ones.
 *   2. Bidding (the paper's augmenting row reduction): a free row takes its best column and raises the price until
 *      its second best is as good; a row that loses its column bids next. At most BIDS_PER_ROW * n bids: where prices
 *      rise by less than they can represent, bidding would go on for ever.
 *   3. Column reduction: no row wants the columns that are still free, so their prices fall until one row does. Then
 *      step 2 once more.
 *   4. Each row that is still free: Dijkstra over reduced costs to the nearest free column; the matching is flipped
 *      along the path, and prices rise so that it stays optimal. At most n row scans, whatever rounding does.
 *
 * Scores are floats, prices doubles, so that rounding stays far below what two scores can differ by. Ties go to free
 * columns, then to the lower index. At the end each row's highest profit is computed afresh: the duals are feasible by
 * construction, and how far they are from the matching tells whether rounding did harm. It can where means and second
 * bests are far larger than the scores that matter, as with -1e30 for forbidden pairs. Then step 4 is run alone, from
 * the column maxima: it takes longer, but prices stay of the size they must have. A gap beyond rounding after that
 * would be a bug, and is reported instead of a wrong result.
 *
 * O(n^3) at worst; 10 to 35 row scans per row at n = 256 to 4096. Memory O(n): scores are read where they are. */
#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "lanes_impl.h"
#include "lap_impl.h"

enum { BIDS_PER_ROW = 4, FREE = -1 };

static const double ROUNDING = 1e-12; /* gap that n sums of doubles may leave, relative to their size */

typedef struct search {
    const hiss_lap *lap;
    int64_t n, padded;
    double *price;           /* [padded] +inf beyond n, which makes padding the worst choice everywhere */
    double *open_price;      /* [padded] price of the columns Dijkstra has not closed, else +inf */
    double *distance;        /* [padded] of the columns Dijkstra has not closed, else +inf */
    int64_t *came_from;      /* [padded] the row before the column on its shortest path; as wide as the distance */
    int32_t *closed;         /* [n] columns in the order Dijkstra closed them */
    double *closed_distance; /* [n] their distances */
    int32_t *row_of;         /* [n] the matching by column, FREE where there is none */
    int32_t *column_of;      /* [n] the matching by row, alike */
    int32_t *waiting;        /* [nwaiting] free rows */
    int64_t nwaiting;
    int64_t scans;
} search;

static int64_t lay_out(search *s, int64_t n, void *work) {
    assign_slicer slicer = {work, 0};
    s->n = n;
    s->padded = padded_to_groups(n);
    s->price = assign_slice(&slicer, s->padded, sizeof *s->price);
    s->open_price = assign_slice(&slicer, s->padded, sizeof *s->open_price);
    s->distance = assign_slice(&slicer, s->padded, sizeof *s->distance);
    s->came_from = assign_slice(&slicer, s->padded, sizeof *s->came_from);
    s->closed = assign_slice(&slicer, n, sizeof *s->closed);
    s->closed_distance = assign_slice(&slicer, n, sizeof *s->closed_distance);
    s->row_of = assign_slice(&slicer, n, sizeof *s->row_of);
    s->column_of = assign_slice(&slicer, n, sizeof *s->column_of);
    s->waiting = assign_slice(&slicer, n, sizeof *s->waiting);
    return slicer.used;
}

static int64_t work_bytes(int64_t n) {
    return lay_out(&(search){0}, n, NULL);
}

static void match(search *s, int32_t row, int64_t column) {
    s->row_of[column] = row;
    s->column_of[row] = (int32_t)column;
}

static assign_choice best_two(search *s, int64_t row) {
    s->scans++;
    return assign_best_two(s->n, hiss_lap_row(s->lap, row), s->price);
}

/* The first free column with this profit, else the first one; profit is the row's best. */
static int64_t column_with_profit(const search *s, int64_t row, double profit) {
    const float *score = hiss_lap_row(s->lap, row);
    float tail[GROUP];
    int64_t first = -1;
    for (int64_t j = 0; j < s->n; j += GROUP) {
        const float *group = group_of(score, s->n, j, tail);
        int hit = 0;
        for (int k = 0; k < GROUP; k++) {
            hit |= (double)group[k] - s->price[j + k] == profit;
        }
        for (int k = 0; hit && k < GROUP; k++) {
            if ((double)group[k] - s->price[j + k] == profit) {
                if (s->row_of[j + k] == FREE) {
                    return j + k;
                }
                first = first < 0 ? j + k : first;
            }
        }
    }
    return first;
}

/* Step 2 for all waiting rows. Rows that are outbid without a rise of the price wait for what comes after. */
static void bid(search *s) {
    int64_t at = 0, left = 0, last_scan = s->scans + BIDS_PER_ROW * s->n;
    while (at < s->nwaiting && s->scans < last_scan) {
        int32_t row = s->waiting[at++];
        for (bool outbid = true; outbid;) {
            assign_choice c = best_two(s, row);
            int64_t column = column_with_profit(s, row, c.best);
            double raised = s->n > 1 ? s->price[column] + (c.best - c.second) : s->price[column];
            bool rises = raised > s->price[column];
            s->price[column] = raised;
            int32_t loser = s->row_of[column];
            match(s, row, column);
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

/* Step 3: free columns fall to the highest price that some row would pay, and go to that row if it is free. */
static void reduce_free_columns(search *s) {
    double *restrict offer = s->distance;
    int64_t *restrict bidder = s->came_from;
    for (int64_t j = 0; j < s->n; j++) {
        offer[j] = -INFINITY;
    }
    for (int64_t i = 0; i < s->n; i++) {
        const float *restrict score = hiss_lap_row(s->lap, i);
        int32_t column = s->column_of[i];
        double profit = column == FREE ? best_two(s, i).best : (double)score[column] - s->price[column];
        for (int64_t j = 0; j < s->n; j++) {
            double x = (double)score[j] - profit;
            bidder[j] = x > offer[j] ? i : bidder[j];
            offer[j] = x > offer[j] ? x : offer[j];
        }
    }
    for (int64_t j = 0; j < s->n; j++) {
        if (s->row_of[j] == FREE) {
            s->price[j] = offer[j];
            if (s->column_of[bidder[j]] == FREE) {
                match(s, (int32_t)bidder[j], j);
            }
        }
    }
    s->nwaiting = 0;
    for (int32_t i = 0; i < s->n; i++) {
        if (s->column_of[i] == FREE) {
            s->waiting[s->nwaiting++] = i;
        }
    }
}

/* Dijkstra's relaxation of all edges of one row: its columns are at open_price - score - base. Returns the least
 * distance of an open column. */
static double relax(search *s, int32_t row, double base) {
    const float *score = hiss_lap_row(s->lap, row);
    const lanes *price = (const lanes *)s->open_price;
    lanes *distance = (lanes *)s->distance;
    lane_mask *came_from = (lane_mask *)s->came_from;
    lane_mask self = (lane_mask){0} + row;
    float tail[GROUP];
    lanes least[WAYS];
    for (int w = 0; w < WAYS; w++) {
        least[w] = lanes_of(INFINITY);
    }
    for (int64_t j = 0; j < s->n; j += GROUP) {
        const float *group = group_of(score, s->n, j, tail);
        for (int w = 0; w < WAYS; w++) {
            int64_t v = j / LANES + w;
            lanes d = price[v] - load_scores(group + w * LANES) - base;
            lane_mask closer = d < distance[v];
            came_from[v] = (self & closer) | (came_from[v] & ~closer);
            d = select_lanes(closer, d, distance[v]);
            distance[v] = d;
            least[w] = select_lanes(d < least[w], d, least[w]);
        }
    }
    double minimum = INFINITY;
    for (int k = 0; k < GROUP; k++) {
        double d = least[k / LANES][k % LANES];
        minimum = d < minimum ? d : minimum;
    }
    s->scans++;
    return minimum;
}

/* The first free column at this distance, else the first one. */
static int64_t column_at_distance(const search *s, double distance) {
    int64_t first = -1;
    for (int64_t j = 0; j < s->n; j += GROUP) {
        int hit = 0;
        for (int k = 0; k < GROUP; k++) {
            hit |= s->distance[j + k] == distance;
        }
        for (int k = 0; hit && k < GROUP; k++) {
            if (s->distance[j + k] == distance) {
                if (s->row_of[j + k] == FREE) {
                    return j + k;
                }
                first = first < 0 ? j + k : first;
            }
        }
    }
    assert(first >= 0);
    return first;
}

/* Step 4 for one row. */
static void augment(search *s, int32_t free_row) {
    int64_t nclosed = 0;
    memcpy(s->open_price, s->price, (size_t)s->padded * sizeof *s->price);
    for (int64_t j = 0; j < s->padded; j++) {
        s->distance[j] = INFINITY;
    }
    double minimum = relax(s, free_row, 0);
    int64_t column = column_at_distance(s, minimum);
    while (s->row_of[column] != FREE) {
        int32_t row = s->row_of[column];
        s->closed[nclosed] = (int32_t)column;
        s->closed_distance[nclosed++] = minimum;
        s->distance[column] = s->open_price[column] = INFINITY;
        minimum = relax(s, row, s->price[column] - (double)hiss_lap_row(s->lap, row)[column] - minimum);
        column = column_at_distance(s, minimum);
    }
    for (int64_t k = 0; k < nclosed; k++) {
        s->price[s->closed[k]] += minimum - s->closed_distance[k];
    }
    for (int32_t row = FREE; row != free_row;) {
        row = (int32_t)s->came_from[column];
        int32_t previous = s->column_of[row];
        match(s, row, column);
        column = previous;
    }
}

static void free_all(search *s) {
    for (int64_t j = s->n; j < s->padded; j++) {
        s->price[j] = INFINITY;
    }
    for (int32_t i = 0; i < s->n; i++) {
        s->row_of[i] = s->column_of[i] = FREE;
        s->waiting[i] = i;
    }
    s->nwaiting = s->n;
}

static void augment_all(search *s) {
    for (int64_t k = 0; k < s->nwaiting; k++) {
        augment(s, s->waiting[k]);
    }
}

/* Steps 2 to 4. */
static void match_by_bids(search *s) {
    free_all(s);
    bid(s);
    if (s->nwaiting) {
        reduce_free_columns(s);
        bid(s);
    }
    augment_all(s);
}

/* Step 4 alone, from prices that leave all profits at or below 0: no price ever rises further than it must. */
static void match_from_maxima(search *s) {
    for (int64_t j = 0; j < s->n; j++) {
        s->price[j] = -INFINITY;
    }
    for (int64_t i = 0; i < s->n; i++) {
        const float *score = hiss_lap_row(s->lap, i);
        for (int64_t j = 0; j < s->n; j++) {
            s->price[j] = (double)score[j] > s->price[j] ? (double)score[j] : s->price[j];
        }
    }
    free_all(s);
    augment_all(s);
}

typedef struct proof {
    double dual;
    double gap;  /* sum over the matching of |row dual + column dual - score| */
    double size; /* sum of the absolute scores of the matching */
} proof;

static proof prove(search *s, double *row_dual, double *column_dual) {
    proof p = {0};
    for (int64_t i = 0; i < s->n; i++) {
        double profit = best_two(s, i).best;
        double score = (double)hiss_lap_row(s->lap, i)[s->column_of[i]];
        p.gap += fabs(profit + s->price[s->column_of[i]] - score);
        p.size += fabs(score);
        p.dual += profit + s->price[i];
        if (row_dual) {
            row_dual[i] = profit;
        }
        if (column_dual) {
            column_dual[i] = s->price[i];
        }
    }
    return p;
}

static double largest_score(const hiss_lap *lap) {
    double largest = 0;
    for (int64_t i = 0; i < lap->n; i++) {
        for (int64_t j = 0; j < lap->n; j++) {
            largest = fmax(largest, fabs((double)hiss_lap_row(lap, i)[j]));
        }
    }
    return largest;
}

/* From the prices that work begins with. */
static hiss_status finish(search *s, int32_t *column_of_row, double *row_dual, double *column_dual,
                          hiss_lap_report *report, hiss_error *err) {
    match_by_bids(s);
    proof p = prove(s, row_dual, column_dual);
    if (p.gap > ROUNDING * p.size) {
        match_from_maxima(s);
        p = prove(s, row_dual, column_dual);
        if (p.gap > ROUNDING * p.size && p.gap > ROUNDING * (double)s->n * largest_score(s->lap)) {
            return hiss_fail(err, HISS_EINTERNAL, "lapjv: a gap of %g remains in an assignment of %lld rows", p.gap,
                             (long long)s->n);
        }
    }
    hiss_lap_report result = {.dual = p.dual, .iterations = s->scans};
    assign_accept(s->lap, s->column_of, column_of_row, &result);
    if (report) {
        *report = result;
    }
    return HISS_OK;
}

hiss_status assign_lapjv_from_prices(const hiss_lap *lap, const double *price, int32_t *column_of_row, double *row_dual,
                                     double *column_dual, void *work, hiss_lap_report *report, hiss_error *err) {
    search s = {.lap = lap};
    lay_out(&s, lap->n, work);
    memmove(s.price, price, (size_t)lap->n * sizeof *price);
    return finish(&s, column_of_row, row_dual, column_dual, report, err);
}

static hiss_status solve(const hiss_lap *lap, int32_t *column_of_row, double *row_dual, double *column_dual, void *work,
                         hiss_lap_report *report, hiss_error *err) {
    search s = {.lap = lap};
    hiss_status status = assign_check_shape(lap, err);
    if (status) {
        return status;
    }
    assert((uintptr_t)work % 64 == 0);
    lay_out(&s, lap->n, work);
    status = assign_start_prices(lap, s.price, err);
    return status ? status : finish(&s, column_of_row, row_dual, column_dual, report, err);
}

const hiss_lap_solver assign_lapjv = {"lapjv", "exact: shortest augmenting paths with duals", work_bytes, solve};
