/* Greedy assignment: the best remaining score first. The template for new solvers: check, search, accept, report.
 *
 * Every row has a list of its best columns in order. Rows stand in a heap by the score of the first column of their
 * list that they have not passed. That score is an upper bound of what the row can still get, so when the top row's
 * column is free, it is the best remaining pair; when it has gone meanwhile, the row passes on to its next free column.
 * A list that comes to its end is made anew of the columns that are still free. Ties go to the lower row, then to the
 * lower column. No duals, so no bound on the loss; half of the optimum when scores are not negative.
 *
 * A list has n / LISTS entries, all taken before there is a new one, so a row makes LISTS + 1 lists at most, however
 * much rows agree about the order of the columns. Lists are sorted by radix: O(n^2) in all, and O(n^2 log n) for the
 * heap where all rows agree. Memory n^2 / LISTS integers. */
#include <math.h>
#include <stdbool.h>

#include "lap_impl.h"

enum { LISTS = 16, SHORTEST = 16, RADIX_BITS = 8, RADIX = 1 << RADIX_BITS, KEY_BITS = 32 };

typedef struct item {
    uint32_t key; /* ascending where scores fall */
    int32_t column;
} item;

typedef struct search {
    const hiss_lap *lap;
    int64_t length;      /* of a list */
    double *price;       /* [n] scratch of the check */
    int32_t *list;       /* [n, length] columns, best first */
    int32_t *count;      /* [n] of the list's entries */
    int32_t *at;         /* [n] the first entry the row has not passed */
    float *bound;        /* [n] score of that entry */
    int32_t *heap;       /* [nheap] rows that have no column, the highest bound on top */
    int32_t *column_of;  /* [n] the solution */
    int32_t *open;       /* [nopen] free columns, ascending, and some taken since */
    item *items, *spare; /* [n] */
    bool *taken;         /* [n] by column */
    int64_t nheap, nopen, lists;
} search;

static int64_t lay_out(search *s, int64_t n, void *work) {
    assign_slicer slicer = {work, 0};
    s->length = (n + LISTS - 1) / LISTS;
    s->length = s->length < SHORTEST ? SHORTEST : s->length;
    s->price = assign_slice(&slicer, n, sizeof *s->price);
    s->list = assign_slice(&slicer, n * s->length, sizeof *s->list);
    s->count = assign_slice(&slicer, n, sizeof *s->count);
    s->at = assign_slice(&slicer, n, sizeof *s->at);
    s->bound = assign_slice(&slicer, n, sizeof *s->bound);
    s->heap = assign_slice(&slicer, n, sizeof *s->heap);
    s->column_of = assign_slice(&slicer, n, sizeof *s->column_of);
    s->open = assign_slice(&slicer, n, sizeof *s->open);
    s->items = assign_slice(&slicer, n, sizeof *s->items);
    s->spare = assign_slice(&slicer, n, sizeof *s->spare);
    s->taken = assign_slice(&slicer, n, sizeof *s->taken);
    return slicer.used;
}

static int64_t work_bytes(int64_t n) {
    return lay_out(&(search){0}, n, NULL);
}

/* Stable, so that equal scores stay in the order of columns. */
static void sort(search *s, int64_t count) {
    for (int shift = 0; shift < KEY_BITS; shift += RADIX_BITS) {
        int64_t start[RADIX + 1] = {0};
        for (int64_t i = 0; i < count; i++) {
            start[(s->items[i].key >> shift & (RADIX - 1)) + 1]++;
        }
        for (int digit = 0; digit < RADIX; digit++) {
            start[digit + 1] += start[digit];
        }
        for (int64_t i = 0; i < count; i++) {
            s->spare[start[s->items[i].key >> shift & (RADIX - 1)]++] = s->items[i];
        }
        item *sorted = s->spare;
        s->spare = s->items;
        s->items = sorted;
    }
}

static void make_list(search *s, int32_t row) {
    const float *score = hiss_lap_row(s->lap, row);
    int64_t nopen = 0;
    for (int64_t i = 0; i < s->nopen; i++) {
        const int32_t column = s->open[i];
        if (!s->taken[column]) {
            s->open[nopen] = column;
            s->items[nopen++] = (item){(uint32_t)INT32_MAX - (uint32_t)hiss_lap_order_key(score[column]), column};
        }
    }
    s->nopen = nopen;
    sort(s, nopen);
    s->count[row] = (int32_t)(nopen < s->length ? nopen : s->length);
    for (int64_t e = 0; e < s->count[row]; e++) {
        s->list[row * s->length + e] = s->items[e].column;
    }
    s->at[row] = 0;
    s->lists++;
}

static int32_t first_column(const search *s, int32_t row) {
    return s->list[row * s->length + s->at[row]];
}

/* To the row's best free column. */
static void pass_on(search *s, int32_t row) {
    while (s->at[row] < s->count[row] && s->taken[first_column(s, row)]) {
        s->at[row]++;
    }
    if (s->at[row] == s->count[row]) {
        make_list(s, row);
    }
    s->bound[row] = hiss_lap_row(s->lap, row)[first_column(s, row)];
}

static bool before(const search *s, int32_t a, int32_t b) {
    return s->bound[a] > s->bound[b] || (s->bound[a] == s->bound[b] && a < b);
}

/* Put a row into the hole, and what is before it above it. */
static void sink(search *s, int64_t hole, int32_t row) {
    for (int64_t child; (child = 2 * hole + 1) < s->nheap; hole = child) {
        child += child + 1 < s->nheap && before(s, s->heap[child + 1], s->heap[child]);
        if (before(s, row, s->heap[child])) {
            break;
        }
        s->heap[hole] = s->heap[child];
    }
    s->heap[hole] = row;
}

static void assign(search *s) {
    s->nheap = s->nopen = s->lap->n;
    for (int32_t i = 0; i < s->nheap; i++) {
        s->heap[i] = s->open[i] = i;
        s->taken[i] = false;
        s->at[i] = s->count[i] = 0;
    }
    for (int32_t i = 0; i < s->nheap; i++) {
        pass_on(s, i);
    }
    for (int64_t i = s->nheap / 2; i-- > 0;) {
        sink(s, i, s->heap[i]);
    }
    while (s->nheap > 0) {
        const int32_t row = s->heap[0], column = first_column(s, row);
        if (s->taken[column]) {
            pass_on(s, row);
            sink(s, 0, row);
        } else {
            s->column_of[row] = column;
            s->taken[column] = true;
            s->nheap--;
            sink(s, 0, s->heap[s->nheap]);
        }
    }
}

static hiss_status solve(const hiss_lap *lap, int32_t *column_of_row, double *row_dual, double *column_dual, void *work,
                         hiss_lap_report *report, hiss_error *err) {
    search s = {.lap = lap};
    hiss_status status = assign_check_shape(lap, err);
    if (status) {
        return status;
    }
    lay_out(&s, lap->n, work);
    status = assign_start_prices(lap, s.price, err);
    if (status) {
        return status;
    }
    assign(&s);
    hiss_lap_report result = {.dual = NAN, .iterations = s.lists};
    assign_accept(lap, s.column_of, column_of_row, &result);
    for (int64_t i = 0; i < lap->n; i++) {
        if (row_dual) {
            row_dual[i] = NAN;
        }
        if (column_dual) {
            column_dual[i] = NAN;
        }
    }
    if (report) {
        *report = result;
    }
    return HISS_OK;
}

const hiss_lap_solver assign_greedy = {"greedy", "best remaining score first; fast, not optimal", work_bytes, solve};
