/* Shortest augmenting paths over short lists of columns: what the solvers on lists and on all scores share.
 *
 * Sources: A. Volgenant, "Linear and semi-assignment problems: a core oriented approach", Computers & Operations
 * Research 23 (1996), for lists ("core"); D. Bertsekas, "Auction algorithms" (1988), for epsilon scaling; L. Bus and
 * P. Tvrdik, "Look-back auction algorithm" (2002), for lists that tell themselves when they are out of date. Otherwise
 * the words and steps are those of lapjv.c.
 *
 *   1. Rows that hold a column of their highest profit keep it, so that solving again after a small change is cheap.
 *   2. If that leaves more than 1 / COLD of the rows free, an auction: bids as in lapjv.c, raised by epsilon, in two
 *      phases, the second with a smaller epsilon and for the rows that are not within it of their best. The first
 *      epsilon is a small share of what free rows are missing on average. Where that does not settle within
 *      BIDS_PER_ROW, because rows rank the columns alike and outbid each other in tiny steps, epsilon rises until it
 *      does, and then falls again phase by phase. All this only brings prices near the optimal ones; it is no part of
 *      the proof.
 *   3. Bids without epsilon, from rows that hold a column of their highest profit or none.
 *   4. Dijkstra for the few rows that are left.
 *
 * Lists make all this cheap. A list is read best entry first, and hardly ever to its end: prices never fall, so what an
 * entry promised when the list was made, score - price, bounds its profit for ever. With the maximum over the entries
 * behind it as `bound`, bidding stops where no entry can be among the two best, and Dijkstra where none can lead to a
 * free column nearer than one already found. That reads 5 to 30 entries. Lists in another order are slower, not wrong.
 *
 * With all scores at hand the list also knows that every other column has at most the profit `limit`. A row whose
 * second best is below it renews its list under the current prices; Dijkstra treats what lies beyond a list as one
 * more node, at the distance that limit allows, and opens it (a new list, and if that is not enough all columns) when
 * it is the nearest. So the result is exact for all columns although few rows ever look beyond their lists.
 *
 * New lists are selected by differences taken in float, which cannot tell scores apart that differ by less than prices
 * can express in float: rows or columns that are nearly equal. The first list that does not answer for this reason
 * makes all later ones fine, with differences in double. What is left are rows with more equal profits than a list has
 * entries. When Dijkstra has looked at all columns BEYOND_PER_ROW times per row, lists are given up: lapjv, which reads
 * whole rows in vectors, goes on from the prices reached, which leaves it little to do.
 *
 * 15 to 30 scans of lists per row, 0 to 2 new lists per row (12 where all rows rank the columns alike); O(n^3 log n) at
 * worst. Memory O(n k). Bids end by their number where prices cannot represent a rise, Dijkstra after n rows. */
#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "sparse_impl.h"

enum { COLD = 4, MAX_PHASES = 32, BIDS_PER_ROW = 16, LAST_BIDS_PER_ROW = 64, BEYOND_PER_ROW = 1 };
enum { FREE = -1, UNREACHED = -1, CLOSED = -2 };

static const double FIRST_EPSILON = 1.0 / 128, RISE = 8, FALL = 0.2;
static const double SELECTION_ERROR = 0x1p-22; /* of reduced scores taken in float, relative to their parts, and more */

typedef assign_sparse_search search;
typedef assign_sparse_edge edge;

int64_t assign_sparse_lay_out(search *s, int64_t n, int64_t k, bool dense, void *work) {
    assign_slicer slicer = {work, 0};
    s->n = n;
    s->k = k;
    s->edges = assign_slice(&slicer, n * k, sizeof *s->edges);
    s->limit = assign_slice(&slicer, n, sizeof *s->limit);
    s->held = assign_slice(&slicer, n, sizeof *s->held);
    s->row_of = assign_slice(&slicer, n, sizeof *s->row_of);
    s->column_of = assign_slice(&slicer, n, sizeof *s->column_of);
    s->waiting = assign_slice(&slicer, n, sizeof *s->waiting);
    s->distance = assign_slice(&slicer, 2 * n, sizeof *s->distance);
    s->came_from = assign_slice(&slicer, n, sizeof *s->came_from);
    s->came_score = assign_slice(&slicer, n, sizeof *s->came_score);
    s->heap = assign_slice(&slicer, 2 * n, sizeof *s->heap);
    s->place = assign_slice(&slicer, 2 * n, sizeof *s->place);
    s->reached = assign_slice(&slicer, 2 * n, sizeof *s->reached);
    if (dense) {
        s->list_column = assign_slice(&slicer, k, sizeof *s->list_column);
        s->list_score = assign_slice(&slicer, k, sizeof *s->list_score);
        s->selection = assign_slice(&slicer, hiss_lap_select_work_bytes(n, k), 1);
    }
    return slicer.used;
}

void assign_sparse_begin(search *s, double *price, const hiss_lap *dense) {
    s->price = price;
    s->dense = dense;
    s->largest = 0;
    s->nwaiting = s->scans = s->beyond = 0;
    s->fine = false;
    for (int64_t i = 0; i < s->n; i++) {
        s->row_of[i] = s->column_of[i] = FREE;
        s->largest = fmax(s->largest, fabs(price[i]));
    }
    for (int64_t node = 0; node < 2 * s->n; node++) {
        s->distance[node] = INFINITY;
        s->place[node] = UNREACHED;
    }
}

/* ---- lists ---- */

static float rounded_up(double x) {
    const float f = (float)x;
    return (double)f < x ? nextafterf(f, INFINITY) : f;
}

void assign_sparse_set_list(search *s, int64_t row, const int32_t *column, const float *score) {
    float bound = -INFINITY;
    for (int64_t e = s->k - 1; e >= 0; e--) {
        const float promise = rounded_up((double)score[e] - s->price[column[e]]);
        bound = promise > bound ? promise : bound;
        s->edges[row * s->k + e] = (edge){column[e], score[e], bound};
    }
    s->limit[row] = -INFINITY;
}

/* Of the last column of the list just selected. */
static double last_profit(const search *s) {
    return (double)s->list_score[s->k - 1] - s->price[s->list_column[s->k - 1]];
}

/* Returns how far a column left out can be above the last one. */
static double select_coarse(search *s, int64_t row) {
    const hiss_lap *lap = s->dense;
    const hiss_lap_rows one = {row, 1, s->n, s->n, lap->ld, hiss_lap_row(lap, row), NULL};
    hiss_lap_select(&one, s->price, NULL, s->k, s->list_column, s->list_score, s->selection);
    return SELECTION_ERROR * (fabs(last_profit(s)) + s->largest);
}

static double select_fine(search *s, int64_t row) {
    const float *score = hiss_lap_row(s->dense, row);
    const double best = assign_best_two(s->n, score, s->price).best;
    assign_select_fine(s->n, score, s->price, best, s->k, s->list_column, s->list_score, s->selection);
    const double below = best - last_profit(s);
    return below > 0 ? SELECTION_ERROR * below + (double)FLT_MIN : 0;
}

void assign_sparse_renew_list(search *s, int64_t row) {
    s->scans++;
    const double error = s->fine ? select_fine(s, row) : select_coarse(s, row);
    assign_sparse_set_list(s, row, s->list_column, s->list_score);
    if (s->k < s->n) {
        s->limit[row] = last_profit(s) + error;
    }
}

void assign_sparse_match(search *s, int64_t row, int32_t column, double score) {
    s->row_of[column] = (int32_t)row;
    s->column_of[row] = column;
    s->held[row] = score;
}

static void raise_price(search *s, int32_t column, double price) {
    s->price[column] = price;
    s->largest = price > s->largest ? price : s->largest;
}

/* ---- bids ---- */

typedef struct choice {
    double best, second; /* the two highest profits; second = -inf when there is one column */
    int32_t column;      /* one of the highest profit; in the list, a free one before others, the earlier of equals */
    double score;
} choice;

static choice best_two_of_list(search *s, int64_t row) {
    choice c = {-INFINITY, -INFINITY, FREE, 0};
    const edge *e = s->edges + row * s->k, *const end = e + s->k;
    for (; e < end && (double)e->bound >= c.second; e++) {
        const double profit = (double)e->score - s->price[e->column];
        if (profit > c.best || c.column == FREE) {
            c = (choice){profit, c.best, e->column, (double)e->score};
        } else if (profit > c.second) {
            c.second = profit;
            if (profit == c.best && s->row_of[c.column] != FREE && s->row_of[e->column] == FREE) {
                c.column = e->column;
                c.score = (double)e->score;
            }
        }
    }
    s->scans++;
    return c;
}

static choice best_two_of_all(search *s, int64_t row) {
    const float *score = hiss_lap_row(s->dense, row);
    const assign_choice two = assign_best_two(s->n, score, s->price);
    int32_t column = 0;
    while ((double)score[column] - s->price[column] != two.best) {
        column++;
    }
    s->scans++;
    return (choice){two.best, two.second, column, (double)score[column]};
}

static choice best_two(search *s, int64_t row) {
    choice c = best_two_of_list(s, row);
    for (bool fine = false; c.second < s->limit[row] && !fine;) {
        fine = s->fine;
        assign_sparse_renew_list(s, row);
        c = best_two_of_list(s, row);
        s->fine |= c.second < s->limit[row];
    }
    return c.second < s->limit[row] ? best_two_of_all(s, row) : c;
}

double assign_sparse_profit(search *s, int64_t row) {
    return best_two(s, row).best;
}

/* Bids of all waiting rows and of those they outbid, bids_per_row * n at most. Rows that are outbid without a rise of
 * the price wait. */
static void bid(search *s, double epsilon, int64_t bids_per_row) {
    int64_t at = 0, left = 0;
    const int64_t last_scan = s->scans + bids_per_row * s->n;
    while (at < s->nwaiting && s->scans < last_scan) {
        int32_t row = s->waiting[at++];
        for (bool outbid = true; outbid;) {
            const choice c = best_two(s, row);
            const double raised = s->price[c.column] + (c.second > -INFINITY ? c.best - c.second : 0) + epsilon;
            const bool rises = raised > s->price[c.column];
            const int32_t loser = s->row_of[c.column];
            if (rises) {
                raise_price(s, c.column, raised);
            }
            assign_sparse_match(s, row, c.column, c.score);
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
    while (at < s->nwaiting) {
        s->waiting[left++] = s->waiting[at++];
    }
    s->nwaiting = left;
}

/* Free the rows that are not within epsilon of their highest profit; returns what these are missing. */
static double release(search *s, double epsilon) {
    double missing = 0;
    for (int32_t i = 0; i < s->n; i++) {
        const int32_t column = s->column_of[i];
        if (column == FREE) {
            continue;
        }
        const double profit = s->held[i] - s->price[column], best = best_two(s, i).best;
        if (profit < best - epsilon) {
            s->row_of[column] = s->column_of[i] = FREE;
            s->waiting[s->nwaiting++] = i;
            missing += best - profit;
        }
    }
    return missing;
}

/* ---- Dijkstra ---- */

static bool nearer(const search *s, int32_t a, int32_t b) {
    return s->distance[a] < s->distance[b] || (s->distance[a] == s->distance[b] && a < b);
}

static void put(search *s, int64_t at, int32_t node) {
    s->heap[at] = node;
    s->place[node] = (int32_t)at;
}

/* A node is reached at this distance, or nearer than before. */
static void reach(search *s, int32_t node, double distance) {
    int64_t at = s->place[node];
    if (s->distance[node] == INFINITY) {
        s->reached[s->nreached++] = node;
    }
    if (at == UNREACHED) {
        at = s->nheap++;
    }
    s->distance[node] = distance;
    for (; at > 0 && nearer(s, node, s->heap[(at - 1) / 2]); at = (at - 1) / 2) {
        put(s, at, s->heap[(at - 1) / 2]);
    }
    put(s, at, node);
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

static inline void relax_edge(search *s, int64_t row, int32_t column, float score, double base, goal *g) {
    const double d = s->price[column] - (double)score - base;
    if (d >= s->distance[column] || d >= g->distance || s->place[column] == CLOSED) {
        return;
    }
    s->came_from[column] = (int32_t)row;
    s->came_score[column] = (double)score;
    if (s->row_of[column] != FREE) {
        reach(s, column, d);
        return;
    }
    if (s->distance[column] == INFINITY) {
        s->reached[s->nreached++] = column;
    }
    s->distance[column] = d;
    *g = (goal){d, column};
}

/* The columns of a row are at price - score - base. */
static double base_of(const search *s, int64_t row) {
    const int32_t column = s->column_of[row];
    return column == FREE ? 0 : s->price[column] - s->held[row] - s->distance[column];
}

static void relax_list(search *s, int64_t row, goal *g) {
    const double base = base_of(s, row);
    const edge *e = s->edges + row * s->k, *const end = e + s->k;
    for (; e < end && -(double)e->bound - base < g->distance; e++) {
        relax_edge(s, row, e->column, e->score, base, g);
    }
    s->scans++;
    if (-s->limit[row] - base < g->distance) {
        s->place[s->n + row] = UNREACHED;
        reach(s, (int32_t)(s->n + row), -s->limit[row] - base);
    }
}

/* What lies beyond the list of a row is nearest: look there. */
static void look_beyond(search *s, int64_t row, goal *g) {
    const double limit = s->limit[row], base = base_of(s, row);
    for (bool fine = false; !fine;) {
        fine = s->fine;
        assign_sparse_renew_list(s, row);
        if (s->limit[row] < limit) {
            relax_list(s, row, g);
            return;
        }
        s->fine = true;
    }
    const float *score = hiss_lap_row(s->dense, row);
    s->beyond++;
    for (int32_t j = 0; j < s->n; j++) {
        relax_edge(s, row, j, score[j], base, g);
    }
    s->scans++;
}

/* Match one free row along the shortest path to a free column. */
static void augment(search *s, int32_t free_row) {
    goal g = {INFINITY, FREE};
    s->nheap = s->nreached = 0;
    relax_list(s, free_row, &g);
    while (s->nheap && s->distance[s->heap[0]] < g.distance) {
        const int32_t node = take_nearest(s);
        if (node < s->n) {
            relax_list(s, s->row_of[node], &g);
        } else {
            look_beyond(s, node - s->n, &g);
        }
    }
    assert(g.column != FREE);
    for (int64_t r = 0; r < s->nreached; r++) {
        const int32_t node = s->reached[r];
        if (node < s->n && s->place[node] == CLOSED) {
            raise_price(s, node, s->price[node] + (g.distance - s->distance[node]));
        }
        s->place[node] = UNREACHED;
        s->distance[node] = INFINITY;
    }
    int32_t column = g.column;
    for (int32_t row = FREE; row != free_row;) {
        row = s->came_from[column];
        const int32_t previous = s->column_of[row];
        assign_sparse_match(s, row, column, s->came_score[column]);
        column = previous;
    }
}

/* Step 2. */
static void approach(search *s, double missing) {
    double epsilon = FIRST_EPSILON * missing / (double)s->nwaiting;
    const double last = epsilon * FALL;
    bool settled = false;
    for (int phase = 0; phase < MAX_PHASES; phase++) {
        bid(s, epsilon, BIDS_PER_ROW);
        settled |= s->nwaiting == 0;
        if (!settled) {
            epsilon *= RISE;
        } else if (epsilon > last) {
            epsilon *= FALL;
            release(s, epsilon);
        } else {
            break;
        }
    }
    release(s, 0);
}

bool assign_sparse_optimize(search *s) {
    const double missing = release(s, 0);
    if (s->nwaiting > s->n / COLD) {
        approach(s, missing);
    }
    bid(s, 0, LAST_BIDS_PER_ROW);
    for (int64_t w = 0; w < s->nwaiting; w++) {
        if (s->beyond > BEYOND_PER_ROW * s->n) {
            return false;
        }
        augment(s, s->waiting[w]);
    }
    s->nwaiting = 0;
    return true;
}
