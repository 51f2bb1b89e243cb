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
 * Order among equals: bank rows are visited by ascending index and only a strictly larger score enters, before the
 * first smaller one; so equal scores stay in index order, on one rank and across ranks. The answer does not depend on
 * who computed the product. Cost: 2 n_query n_bank D / P flops; the rest is below a tenth of that for D above 100,
 * unless most of the bank lies within the bound of the k-th neighbour. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"

enum { MOST = 64 };

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
    float *query;                                                           /* [HISS_TILE, D] the tile at hand */
    float *product;                                                         /* [HISS_TILE, HISS_TILE] */
    double *square;                                                         /* [HISS_TILE] |q|^2 */
    candidate *list[HISS_METRICS]; /* [HISS_TILE, k] of this rank; NULL: metric not wanted */
    candidate *lists;              /* [P, HISS_TILE, k] of all ranks */
    candidate *best;               /* [HISS_TILE, k] merged */
    int64_t *bytes;                /* [P+1] */
} search;

enum { SUMS = 8 }; /* side by side, for the compiler's vectors; their number decides the order of summation */

static double total(const double sum[SUMS]) {
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
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

static void enter(candidate *list, int64_t k, candidate fresh) {
    int64_t place = k - 1;
    for (; place > 0 && list[place - 1].score < fresh.score; place--) {
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

/* The k-th best score of a list as a bound must reach it, rounded down. */
static float threshold_of(const candidate *list, int64_t k, hiss_distance metric, double query_square) {
    const double score = list[k - 1].score;
    return nextafterf((float)(metric == HISS_L2 ? 0.5 * (query_square + score) : score), -INFINITY);
}

/* One row of products, of query q of the tile with the HISS_TILE bank rows from `local` on, into the list of q. */
static void select_row(search *s, hiss_distance metric, int64_t q, int64_t local) {
    const int64_t D = s->bank->D, k = s->k;
    const float *query = s->query + q * D, *product = s->product + q * HISS_TILE;
    const float *scale = s->scale[metric] + local, *shift = s->shift[metric] + local, *slack = s->slack[metric] + local;
    candidate *list = s->list[metric] + q * k;
    const double square = s->square[q];
    const float norm = (float)sqrt(square);
    float threshold = threshold_of(list, k, metric, square);
    float bound[HISS_TILE];
    int reaching = 0;
    for (int i = 0; i < HISS_TILE; i++) {
        bound[i] = product[i] * scale[i] + shift[i] + norm * slack[i];
        reaching += bound[i] >= threshold;
    }
    for (int i = 0; reaching > 0 && i < HISS_TILE; i++) {
        if (bound[i] < threshold || bound[i] == -INFINITY) {
            continue;
        }
        const double score = score_of(s, metric, query, local + i);
        if (score > list[k - 1].score) {
            enter(list, k, (candidate){score, s->bank->first * HISS_TILE + local + i});
            threshold = threshold_of(list, k, metric, square);
        }
    }
}

static void merge(search *s, int64_t count) {
    const int64_t k = s->k;
    clear(s->best, count * k);
    for (int r = 0; r < hiss_comm_size(s->env->comm); r++) {
        for (int64_t i = 0; i < count * k; i++) {
            candidate *list = s->best + i / k * k, fresh = s->lists[r * HISS_TILE * k + i];
            if (fresh.score > list[k - 1].score) {
                enter(list, k, fresh);
            }
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
    for (int64_t t = bank->first; t < bank->end; t++) {
        s->env->kernels->gemm(false, true, HISS_TILE, HISS_TILE, D, 1.0f, s->query, D, tile_rows(bank, t), D, 0.0f,
                              s->product, HISS_TILE);
        for (int m = 0; m < HISS_METRICS; m++) {
            for (int64_t q = 0; s->list[m] && q < count; q++) {
                select_row(s, (hiss_distance)m, q, (t - bank->first) * HISS_TILE);
            }
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

hiss_knn_result hiss_knn(const hiss_eval_env *env, const hiss_features *bank, const hiss_features *query) {
    hiss_knn_result result = {0};
    int32_t *bank_label = hiss_new(int32_t, bank->n), *query_label = hiss_new(int32_t, query->n);
    int32_t *votes = hiss_new(int32_t, bank->classes);
    hiss_neighbor *best[HISS_METRICS];
    for (int m = 0; m < HISS_METRICS; m++) {
        best[m] = hiss_new(hiss_neighbor, query->n * HISS_KNN_MAX);
    }
    hiss_features_labels(env, bank, bank_label);
    hiss_features_labels(env, query, query_label);
    hiss_neighbors(env, bank, query, HISS_KNN_MAX, best);
    for (int m = 0; m < HISS_METRICS; m++) {
        for (int j = 0; j < HISS_KNN_KS; j++) {
            int64_t right = 0;
            for (int64_t q = 0; q < query->n; q++) {
                right += hiss_neighbors_vote(best[m] + q * HISS_KNN_MAX, hiss_knn_ks[j], bank_label, votes) ==
                         query_label[q];
            }
            result.percent[m][j] = 100.0 * (double)right / (double)query->n;
        }
        hiss_free(best[m]);
    }
    hiss_free(bank_label);
    hiss_free(query_label);
    hiss_free(votes);
    return result;
}
