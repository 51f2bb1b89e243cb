/* Exact nearest neighbours, and k-NN classification.
 *
 * The bank stays where it is; query tiles are broadcast. A rank multiplies each query tile with each of its bank tiles
 * (one gemm, HISS_TILE x HISS_TILE x D). A float32 product p of a query q and a bank row b is off by at most
 * g |q| |b|, g = D 2^-24 (any order of summation: Higham, Accuracy and Stability, section 3.1), so it bounds the true
 * closeness from above:
 *   cosine:   q.b / |b|          <=  p / |b| + g |q|
 *   L2:       q.b - |b|^2 / 2    <=  p - |b|^2 / 2 + g |q| |b|
 * that is scale[b] p + shift[b] + |q| slack[b]. Only rows whose bound reaches the query's k-th best so far are looked
 * at again, in float64 and for L2 as sum (q - b)^2: near copies of a picture would else be told apart by rounding. A
 * first loop over the row, which the compiler vectorises, counts those, and nearly always finds none: of n bank rows
 * about k ln(n / k) ever enter the list. Lists of the ranks are merged in rank order at the end of each query tile.
 *
 * The first tile of a list would pass as a whole, so where many rows pass, those that seem nearest by the product are
 * looked at first, and the bounds are held against what the list has become.
 *
 * Order among equals: lists are sorted by score, then by index, on one rank and across ranks, in whatever order rows
 * come. The answer does not depend on who computed the product.
 *
 * Where the processor multiplies bytes, a screen of bytes (screen.c) takes the place of p and its bounds.
 *
 * Cost: 2 n_query n_bank D / P flops; the rest is below a tenth of that for D above 100, unless most of the bank lies
 * within the bound of the k-th neighbour. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"

enum { MOST = 64, ROW = EVAL_SCREEN_COLUMNS + 8, SEEMING = 8 };

const int64_t hiss_knn_ks[HISS_KNN_KS] = {1, 5, HISS_KNN_MAX};

typedef struct candidate {
    double score; /* cosine: q.b / |b|; L2: -|q - b|^2; the larger the closer */
    int64_t index;
} candidate;

typedef struct search {
    const hiss_eval_env *env;
    const hiss_features *bank;
    int64_t k;
    float *scale[HISS_METRICS], *shift[HISS_METRICS], *slack[HISS_METRICS]; /* [local bank rows] */
    double *norm;                                                           /* [local bank rows] |b| */
    screen *screen;                                                         /* NULL: products in float32 */
    float *query;                                                           /* [HISS_TILE, D] the tile at hand */
    float *product;                                                         /* [HISS_TILE, HISS_TILE] */
    double *square;                                                         /* [HISS_TILE] |q|^2 */
    candidate *list[HISS_METRICS]; /* [HISS_TILE, k] of this rank; NULL: metric not wanted */
    candidate *lists;              /* [P, HISS_TILE, k] of all ranks */
    candidate *best;               /* [HISS_TILE, k] merged */
    int64_t *bytes;                /* [P+1] */
} search;

enum { SUMS = 32 }; /* side by side, for the compiler's vectors; their number decides the order of summation */

static double total(double sum[SUMS]) {
    for (int64_t apart = SUMS / 2; apart > 0; apart /= 2) {
        for (int64_t j = 0; j < apart; j++) {
            sum[j] += sum[j + apart];
        }
    }
    return sum[0];
}

/* In float64, in an order that D alone decides. */
static double dot(const float *restrict x, const float *restrict y, int64_t D) {
    double sum[SUMS] = {0};
    const int64_t whole = D - D % SUMS;
    for (int64_t i = 0; i < whole; i += SUMS) {
        for (int64_t j = 0; j < SUMS; j++) {
            sum[j] += (double)x[i + j] * (double)y[i + j];
        }
    }
    for (int64_t i = whole; i < D; i++) {
        sum[i - whole] += (double)x[i] * (double)y[i];
    }
    return total(sum);
}

static double squared_distance(const float *restrict x, const float *restrict y, int64_t D) {
    double sum[SUMS] = {0};
    const int64_t whole = D - D % SUMS;
    for (int64_t i = 0; i < whole; i += SUMS) {
        for (int64_t j = 0; j < SUMS; j++) {
            const double difference = (double)x[i + j] - (double)y[i + j];
            sum[j] += difference * difference;
        }
    }
    for (int64_t i = whole; i < D; i++) {
        const double difference = (double)x[i] - (double)y[i];
        sum[i - whole] += difference * difference;
    }
    return total(sum);
}

/* Terms of the bounds per local bank row; padding rows get a bound of minus infinity, which never enters. */
static void prepare_bank(search *s) {
    const hiss_features *bank = s->bank;
    const int64_t rows = (bank->end - bank->first) * HISS_TILE;
    const double unit = 0x1p-24, g = 1.01 * unit * (double)(bank->D + 8); /* 8: roundings of the bound itself */
    for (int m = 0; m < HISS_METRICS; m++) {
        s->scale[m] = hiss_new(float, rows);
        s->shift[m] = hiss_new(float, rows);
        s->slack[m] = hiss_new(float, rows);
    }
    s->norm = hiss_new(double, rows);
    for (int64_t i = 0; i < rows; i++) {
        const float *row = bank->rows + i * bank->D;
        const double square = dot(row, row, bank->D);
        const bool real = bank->first * HISS_TILE + i < bank->n;
        s->norm[i] = sqrt(square);
        s->scale[HISS_COSINE][i] = square > 0.0 ? (float)(1.0 / s->norm[i]) : 0.0f;
        s->shift[HISS_COSINE][i] = real ? 0.0f : -INFINITY;
        s->slack[HISS_COSINE][i] = (float)g;
        s->scale[HISS_L2][i] = 1.0f;
        s->shift[HISS_L2][i] = real ? (float)(-0.5 * square * (1.0 - 8.0 * unit)) : -INFINITY;
        s->slack[HISS_L2][i] = (float)(g * s->norm[i]);
    }
}

static void clear(candidate *list, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        list[i] = (candidate){-INFINITY, -1};
    }
}

static bool is_nearer(candidate a, candidate b) {
    return a.score > b.score || (a.score == b.score && a.index < b.index);
}

/* Into a list that is sorted, if fresh is nearer than its last. */
static void enter(candidate *list, int64_t k, candidate fresh) {
    int64_t place = k - 1;
    if (!is_nearer(fresh, list[place])) {
        return;
    }
    for (; place > 0 && is_nearer(fresh, list[place - 1]); place--) {
        list[place] = list[place - 1];
    }
    list[place] = fresh;
}

static double score_of(const search *s, hiss_distance metric, const float *query, int64_t local) {
    const int64_t D = s->bank->D;
    const float *row = s->bank->rows + local * D;
    if (metric == HISS_L2) {
        return -squared_distance(query, row, D);
    }
    return s->norm[local] > 0.0 ? dot(query, row, D) / s->norm[local] : 0.0;
}

/* A score as a bound must reach it, rounded down. */
static float threshold_of(double score, hiss_distance metric, double query_square) {
    return nextafterf((float)(metric == HISS_L2 ? 0.5 * (query_square + score) : score), -INFINITY);
}

/* Marks of query q for the HISS_TILE bank rows from `local` on, from their products in float32; see screen.c. */
static void mark_row(const search *s, int64_t q, int64_t local, const double closeness[HISS_METRICS],
                     uint8_t marks[ROW]) {
    const float *product = s->product + q * HISS_TILE;
    const double square = s->square[q];
    const float norm = (float)sqrt(square);
    memset(marks, 0, HISS_TILE);
    for (int m = 0; m < HISS_METRICS; m++) {
        const float *scale = s->scale[m] + local, *shift = s->shift[m] + local, *slack = s->slack[m] + local;
        const float threshold = threshold_of(closeness[m], (hiss_distance)m, square);
        for (int i = 0; i < HISS_TILE; i++) {
            const float bound = product[i] * scale[i] + shift[i] + norm * slack[i];
            marks[i] |= (uint8_t)(!(bound < threshold) << m);
        }
    }
}

/* The first place from i on that is not 0, or count. */
static int next_marked(const uint8_t marks[ROW], int i, int count) {
    while (i < count && !marks[i]) {
        uint64_t eight;
        memcpy(&eight, marks + i, sizeof eight);
        i += eight ? 1 : 8;
    }
    return i < count ? i : count;
}

static void mark(const search *s, int64_t q, int64_t local, uint8_t marks[ROW]) {
    double closeness[HISS_METRICS];
    uint8_t wanted = 0;
    for (int m = 0; m < HISS_METRICS; m++) {
        closeness[m] = s->list[m] ? s->list[m][q * s->k + s->k - 1].score : 0.0;
        wanted |= (uint8_t)((s->list[m] != NULL) << m);
    }
    if (s->screen) {
        eval_screen_mark(s->screen, q, closeness, marks);
    } else {
        mark_row(s, q, local, closeness, marks);
    }
    for (int i = 0; i < HISS_TILE; i++) {
        marks[i] &= wanted;
    }
}

/* Bank row `local` into the list of query q, in float64. */
static void look_at(search *s, int64_t q, int m, int64_t local) {
    const double score = score_of(s, (hiss_distance)m, s->query + q * s->bank->D, local);
    enter(s->list[m] + q * s->k, s->k, (candidate){score, s->bank->first * HISS_TILE + local});
}

/* The SEEMING + k rows of the tile that seem to be nearest by metric m, which `taken` is told. */
static void take_seeming(search *s, int64_t q, int m, int64_t local, int count, uint8_t taken[ROW]) {
    float estimate[ROW];
    candidate seeming[MOST + SEEMING];
    const int64_t some = s->k + SEEMING;
    if (s->screen) {
        eval_screen_estimate(s->screen, q, (hiss_distance)m, estimate);
    } else {
        for (int i = 0; i < HISS_TILE; i++) {
            estimate[i] = s->product[q * HISS_TILE + i] * s->scale[m][local + i] + s->shift[m][local + i];
        }
    }
    clear(seeming, some);
    for (int i = 0; i < count; i++) {
        enter(seeming, some, (candidate){(double)estimate[i], i});
    }
    for (int64_t i = 0; i < some && seeming[i].index >= 0; i++) {
        look_at(s, q, m, local + seeming[i].index);
        taken[seeming[i].index] |= (uint8_t)(1 << m);
    }
}

/* Query q of the tile with bank tile t into the lists of q. */
static void select_row(search *s, int64_t q, int64_t t) {
    const int64_t local = (t - s->bank->first) * HISS_TILE;
    const int count = (int)tile_count(s->bank, t);
    uint8_t marks[ROW] = {0}, taken[ROW] = {0};
    int64_t marked = 0;
    mark(s, q, local, marks);
    for (int i = 0; i < count; i++) {
        marked += marks[i] != 0;
    }
    if (marked > 2 * (s->k + SEEMING)) {
        for (int m = 0; m < HISS_METRICS; m++) {
            if (s->list[m]) {
                take_seeming(s, q, m, local, count, taken);
            }
        }
        mark(s, q, local, marks);
        for (int i = 0; i < count; i++) {
            marks[i] &= (uint8_t)~taken[i];
        }
    }
    for (int i = next_marked(marks, 0, count); i < count; i = next_marked(marks, i + 1, count)) {
        for (int m = 0; m < HISS_METRICS; m++) {
            if (marks[i] & 1 << m) {
                look_at(s, q, m, local + i);
            }
        }
    }
}

static void merge(search *s, int64_t count) {
    const int64_t k = s->k;
    clear(s->best, count * k);
    for (int r = 0; r < hiss_comm_size(s->env->comm); r++) {
        for (int64_t i = 0; i < count * k; i++) {
            candidate *list = s->best + i / k * k, fresh = s->lists[r * HISS_TILE * k + i];
            enter(list, k, fresh);
        }
    }
}

/* Scores to cosines or distances. */
static void finish(const search *s, hiss_distance metric, int64_t count, hiss_neighbor *out) {
    for (int64_t i = 0; i < count * s->k; i++) {
        const double score = s->best[i].score, square = s->square[i / s->k];
        const double cosine = square > 0.0 ? score / sqrt(square) : 0.0;
        out[i] = (hiss_neighbor){(int32_t)s->best[i].index, (float)(metric == HISS_COSINE ? cosine : sqrt(-score))};
    }
}

/* One query tile against the local bank: products once, a list per metric. */
static void scan_bank(search *s, int64_t count) {
    const hiss_features *bank = s->bank;
    const int64_t D = bank->D;
    for (int64_t q = 0; q < count; q++) {
        s->square[q] = dot(s->query + q * D, s->query + q * D, D);
    }
    if (s->screen) {
        eval_screen_query(s->screen, s->query, count);
    }
    for (int64_t t = bank->first; t < bank->end; t++) {
        if (s->screen) {
            eval_screen_multiply(s->screen, t, count);
        } else {
            s->env->kernels->gemm(false, true, HISS_TILE, HISS_TILE, D, 1.0f, s->query, D, tile_rows(bank, t), D, 0.0f,
                                  s->product, HISS_TILE);
        }
        for (int64_t q = 0; q < count; q++) {
            select_row(s, q, t);
        }
    }
}

void hiss_neighbors(const hiss_eval_env *env, const hiss_features *bank, const hiss_features *query, int64_t k,
                    hiss_neighbor *const best[HISS_METRICS]) {
    assert(k >= 1 && k <= MOST && bank->D == query->D);
    int size = hiss_comm_size(env->comm), rank = hiss_comm_rank(env->comm);
    int64_t D = bank->D, length = HISS_TILE * k;
    search s = {.env = env, .bank = bank, .k = k};
    prepare_bank(&s);
    s.screen = eval_screen_pays(env, bank) ? eval_screen_create(env, bank) : NULL;
    s.query = hiss_new(float, HISS_TILE *D);
    s.product = hiss_new(float, HISS_TILE *HISS_TILE);
    s.square = hiss_new(double, HISS_TILE);
    s.lists = hiss_new(candidate, size * length);
    s.best = hiss_new(candidate, length);
    s.bytes = hiss_new(int64_t, size + 1);
    for (int r = 0; r <= size; r++) {
        s.bytes[r] = r * length * (int64_t)sizeof(candidate);
    }
    for (int m = 0; m < HISS_METRICS; m++) {
        s.list[m] = best[m] ? hiss_new(candidate, length) : NULL;
    }
    for (int64_t t = 0; t < query->tiles; t++) {
        int owner = eval_tile_owner(query, t);
        if (rank == owner) {
            memcpy(s.query, tile_rows(query, t), sizeof(float) * (size_t)(HISS_TILE * D));
        }
        hiss_comm_broadcast(env->comm, s.query, (int64_t)sizeof(float) * HISS_TILE * D, owner);
        int64_t count = tile_count(query, t);
        for (int m = 0; m < HISS_METRICS; m++) {
            clear(s.list[m], s.list[m] ? length : 0);
        }
        scan_bank(&s, count);
        for (int m = 0; m < HISS_METRICS; m++) {
            if (best[m]) {
                hiss_comm_allgather(env->comm, s.list[m], s.bytes, s.lists);
                merge(&s, count);
                finish(&s, (hiss_distance)m, count, best[m] + t * length);
            }
        }
    }
    for (int m = 0; m < HISS_METRICS; m++) {
        hiss_free(s.scale[m]);
        hiss_free(s.shift[m]);
        hiss_free(s.slack[m]);
        hiss_free(s.list[m]);
    }
    eval_screen_destroy(s.screen);
    hiss_free(s.query);
    hiss_free(s.product);
    hiss_free(s.norm);
    hiss_free(s.square);
    hiss_free(s.lists);
    hiss_free(s.best);
    hiss_free(s.bytes);
}

int32_t hiss_neighbors_vote(const hiss_neighbor *nearest, int64_t k, const int32_t *label, int32_t *votes) {
    int32_t most = 0, winner = -1;
    for (int64_t i = 0; i < k && nearest[i].index >= 0; i++) {
        int32_t count = ++votes[label[nearest[i].index]];
        most = count > most ? count : most;
    }
    for (int64_t i = 0; i < k && nearest[i].index >= 0; i++) {
        int32_t c = label[nearest[i].index];
        if (winner < 0 && votes[c] == most) {
            winner = c;
        }
    }
    for (int64_t i = 0; i < k && nearest[i].index >= 0; i++) {
        votes[label[nearest[i].index]] = 0;
    }
    return winner;
}

/* Per cent of right votes of the first k neighbours; nearest [query->n, length]. */
static double right_votes(const hiss_eval_env *env, const hiss_features *bank, const hiss_features *query,
                          const hiss_neighbor *nearest, int64_t length, int64_t k) {
    int32_t *bank_label = hiss_new(int32_t, bank->n), *query_label = hiss_new(int32_t, query->n);
    int32_t *votes = hiss_new(int32_t, bank->classes);
    int64_t right = 0;
    hiss_features_labels(env, bank, bank_label);
    hiss_features_labels(env, query, query_label);
    for (int64_t q = 0; q < query->n; q++) {
        right += hiss_neighbors_vote(nearest + q * length, k, bank_label, votes) == query_label[q];
    }
    hiss_free(bank_label);
    hiss_free(query_label);
    hiss_free(votes);
    return 100.0 * (double)right / (double)query->n;
}

hiss_knn_result hiss_knn(const hiss_eval_env *env, const hiss_features *bank, const hiss_features *query) {
    hiss_knn_result result = {0};
    hiss_neighbor *best[HISS_METRICS];
    for (int m = 0; m < HISS_METRICS; m++) {
        best[m] = hiss_new(hiss_neighbor, query->n * HISS_KNN_MAX);
    }
    hiss_neighbors(env, bank, query, HISS_KNN_MAX, best);
    for (int m = 0; m < HISS_METRICS; m++) {
        for (int j = 0; j < HISS_KNN_KS; j++) {
            result.percent[m][j] = right_votes(env, bank, query, best[m], HISS_KNN_MAX, hiss_knn_ks[j]);
        }
        hiss_free(best[m]);
    }
    return result;
}

double hiss_knn_percent(const hiss_eval_env *env, const hiss_features *bank, const hiss_features *query,
                        hiss_distance metric, int64_t k) {
    hiss_neighbor *best[HISS_METRICS] = {NULL};
    best[metric] = hiss_new(hiss_neighbor, query->n * k);
    hiss_neighbors(env, bank, query, k, best);
    const double percent = right_votes(env, bank, query, best[metric], k, k);
    hiss_free(best[metric]);
    return percent;
}
