/* Exact nearest neighbours, and k-NN classification.
 *
 * The bank stays where it is; query tiles are broadcast. A rank multiplies each query tile with each of its bank tiles
 * (one gemm, HISS_TILE x HISS_TILE x D), and both metrics are read off the products: with s = q.b a query ranks
 *   cosine by s / |b|,   L2 by s - |b|^2 / 2   (the larger the closer),
 * that is by scale[b] * s + shift[b]. A query's best k so far give a threshold; a first loop over the row, which the
 * compiler vectorises, only counts the scores above it, and nearly always finds none: of n bank rows about
 * k ln(n / k) ever enter the list. Lists of the ranks are merged in rank order at the end of each query tile.
 *
 * Order among equals: bank rows are visited by ascending index and only a strictly larger score enters, before the
 * first smaller one; so equal scores stay in index order, on one rank and across ranks. Cost: 2 n_query n_bank D / P
 * flops; the selection is below a tenth of that for D above 100. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"

enum { MOST = 64 };

const int64_t hiss_knn_ks[HISS_KNN_KS] = {1, 5, HISS_KNN_MAX};

typedef struct search {
    const hiss_eval_env *env;
    const hiss_features *bank;
    int64_t k;
    float *scale[HISS_METRICS], *shift[HISS_METRICS]; /* [local bank rows] */
    float *query;                                     /* [HISS_TILE, D] the tile at hand */
    float *product;                                   /* [HISS_TILE, HISS_TILE] */
    hiss_neighbor *list[HISS_METRICS];                /* [HISS_TILE, k] of this rank; NULL: metric not wanted */
    hiss_neighbor *lists;                             /* [P, HISS_TILE, k] of all ranks */
    int64_t *bytes;                                   /* [P+1] */
} search;

static double squared_norm(const float *x, int64_t D) {
    double sum = 0.0;
    for (int64_t i = 0; i < D; i++) {
        sum += (double)x[i] * (double)x[i];
    }
    return sum;
}

/* Terms of the scores per local bank row; padding rows get a score of minus infinity, which never enters. */
static void prepare_bank(search *s) {
    const hiss_features *bank = s->bank;
    int64_t rows = (bank->end - bank->first) * HISS_TILE;
    for (int m = 0; m < HISS_METRICS; m++) {
        s->scale[m] = hiss_new(float, rows);
        s->shift[m] = hiss_new(float, rows);
    }
    for (int64_t i = 0; i < rows; i++) {
        double square = squared_norm(bank->rows + i * bank->D, bank->D);
        bool real = bank->first * HISS_TILE + i < bank->n;
        s->scale[HISS_COSINE][i] = square > 0.0 ? (float)(1.0 / sqrt(square)) : 0.0f;
        s->shift[HISS_COSINE][i] = real ? 0.0f : -INFINITY;
        s->scale[HISS_L2][i] = 1.0f;
        s->shift[HISS_L2][i] = real ? (float)(-0.5 * square) : -INFINITY;
    }
}

static void clear(hiss_neighbor *list, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        list[i] = (hiss_neighbor){-1, -INFINITY};
    }
}

static void enter(hiss_neighbor *list, int64_t k, hiss_neighbor fresh) {
    int64_t place = k - 1;
    for (; place > 0 && list[place - 1].value < fresh.value; place--) {
        list[place] = list[place - 1];
    }
    list[place] = fresh;
}

/* Enter one row of products into the list of its query. */
static void select_row(const float *restrict product, const float *restrict scale, const float *restrict shift,
                       int64_t index, int64_t k, hiss_neighbor *list) {
    float score[HISS_TILE];
    float threshold = list[k - 1].value;
    int above = 0;
    for (int i = 0; i < HISS_TILE; i++) {
        score[i] = product[i] * scale[i] + shift[i];
        above += score[i] > threshold;
    }
    for (int i = 0; above > 0 && i < HISS_TILE; i++) {
        if (score[i] > threshold) {
            above--;
        }
        if (score[i] > list[k - 1].value) {
            enter(list, k, (hiss_neighbor){(int32_t)(index + i), score[i]});
        }
    }
}

static void merge(const search *s, int64_t count, hiss_neighbor *best) {
    int64_t k = s->k;
    clear(best, count * k);
    for (int r = 0; r < hiss_comm_size(s->env->comm); r++) {
        for (int64_t i = 0; i < count * k; i++) {
            hiss_neighbor *list = best + i / k * k, fresh = s->lists[r * HISS_TILE * k + i];
            if (fresh.value > list[k - 1].value) {
                enter(list, k, fresh);
            }
        }
    }
}

/* Scores to cosines or distances. */
static void finish(const search *s, hiss_metric metric, int64_t count, hiss_neighbor *best) {
    for (int64_t q = 0; q < count; q++) {
        double square = squared_norm(s->query + q * s->bank->D, s->bank->D);
        for (int64_t i = q * s->k; i < (q + 1) * s->k; i++) {
            double score = (double)best[i].value;
            if (metric == HISS_COSINE) {
                best[i].value = square > 0.0 ? (float)(score / sqrt(square)) : 0.0f;
            } else {
                best[i].value = (float)sqrt(fmax(square - 2.0 * score, 0.0));
            }
        }
    }
}

/* One query tile against the local bank: products once, a list per metric. */
static void scan_bank(search *s, int64_t count) {
    const hiss_features *bank = s->bank;
    int64_t D = bank->D;
    for (int64_t t = bank->first; t < bank->end; t++) {
        int64_t local = (t - bank->first) * HISS_TILE;
        s->env->kernels->gemm(false, true, HISS_TILE, HISS_TILE, D, 1.0f, s->query, D, tile_rows(bank, t), D, 0.0f,
                              s->product, HISS_TILE);
        for (int m = 0; m < HISS_METRICS; m++) {
            for (int64_t q = 0; s->list[m] && q < count; q++) {
                select_row(s->product + q * HISS_TILE, s->scale[m] + local, s->shift[m] + local, t * HISS_TILE, s->k,
                           s->list[m] + q * s->k);
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
    s.lists = hiss_new(hiss_neighbor, size * length);
    s.bytes = hiss_new(int64_t, size + 1);
    for (int r = 0; r <= size; r++) {
        s.bytes[r] = r * length * (int64_t)sizeof(hiss_neighbor);
    }
    for (int m = 0; m < HISS_METRICS; m++) {
        s.list[m] = best[m] ? hiss_new(hiss_neighbor, length) : NULL;
    }
    for (int64_t t = 0; t < query->tiles; t++) {
        int owner = tile_owner(query, t);
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
                merge(&s, count, best[m] + t * length);
                finish(&s, (hiss_metric)m, count, best[m] + t * length);
            }
        }
    }
    for (int m = 0; m < HISS_METRICS; m++) {
        hiss_free(s.scale[m]);
        hiss_free(s.shift[m]);
        hiss_free(s.list[m]);
    }
    hiss_free(s.query);
    hiss_free(s.product);
    hiss_free(s.lists);
    hiss_free(s.bytes);
}

int32_t hiss_vote(const hiss_neighbor *nearest, int64_t k, const int32_t *label, int32_t *votes) {
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
                right += hiss_vote(best[m] + q * HISS_KNN_MAX, hiss_knn_ks[j], bank_label, votes) == query_label[q];
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
