/* Nearest neighbours: equal to brute force, ties included, with a screen of bytes and without; the same bits however the tiles lie on ranks; votes. */
#include <math.h>
#include <string.h>

#include "features.h"
#include "mpi_test.h"

enum { BANK = 1130, QUERIES = 260, K = 20 };

/* The contract by sorting: larger score first, then lower index. */
static void brute_force(const double *score, int64_t n, int64_t k, int32_t *index) {
    bool *taken = hiss_new(bool, n);
    for (int64_t j = 0; j < k; j++) {
        index[j] = -1;
        for (int64_t i = 0; i < n; i++) {
            if (!taken[i] && (index[j] < 0 || score[i] > score[index[j]])) {
                index[j] = (int32_t)i;
            }
        }
        if (index[j] >= 0) {
            taken[index[j]] = true;
        }
    }
    hiss_free(taken);
}

/* On coarse rows sums are exact in any order, so scores must agree to the bit, and ties abound. */
static void check_exact(const hiss_eval_env *env, int64_t n, int64_t D, int owner) {
    hiss_comm *comm = env->comm;
    hiss_features *bank = made_features(env, 1, n, D, true, owner),
                  *query = made_features(env, 2, QUERIES, D, true, -1);
    hiss_neighbor *best[HISS_METRICS] = {hiss_new(hiss_neighbor, QUERIES * K), hiss_new(hiss_neighbor, QUERIES * K)};
    hiss_neighbors(env, bank, query, K, best);
    float *rows = hiss_new(float, n *D), *q = hiss_new(float, D);
    double *score = hiss_new(double, n);
    for (int64_t i = 0; i < n; i++) {
        made_row(1, i, D, true, rows + i * D);
    }
    int64_t ties = 0;
    for (int64_t i = 0; i < QUERIES; i++) {
        made_row(2, i, D, true, q);
        for (int m = 0; m < HISS_METRICS; m++) {
            double query_square = 0.0;
            for (int64_t j = 0; j < n; j++) {
                double dot = 0.0, square = 0.0;
                query_square = 0.0;
                for (int64_t d = 0; d < D; d++) {
                    dot += (double)(rows[j * D + d] * q[d]);
                    square += (double)(rows[j * D + d] * rows[j * D + d]);
                    query_square += (double)(q[d] * q[d]);
                }
                score[j] = m == HISS_L2 ? dot - 0.5 * square : square > 0.0 ? dot / sqrt(square) : 0.0;
            }
            int32_t index[K];
            brute_force(score, n, K, index);
            for (int64_t j = 0; j < K; j++) {
                hiss_neighbor found = best[m][i * K + j];
                CHECK(found.index == index[j]);
                if (index[j] >= 0) {
                    double s = score[index[j]];
                    double value = m == HISS_COSINE ? s / sqrt(query_square) : sqrt(query_square - 2.0 * s);
                    CHECK(query_square == 0.0 || fabs((double)found.value - value) < 1e-5);
                    ties += j > 0 && score[index[j]] == score[index[j - 1]];
                }
            }
        }
    }
    CHECK(ties > QUERIES);
    for (int m = 0; m < HISS_METRICS; m++) {
        hiss_free(best[m]);
    }
    hiss_free(rows);
    hiss_free(q);
    hiss_free(score);
    hiss_features_destroy(bank);
    hiss_features_destroy(query);
}

/* All tiles on one rank is the computation of a single process: equal bits are demanded of it and of any other
 * layout. */
static void check_layouts(const hiss_eval_env *env) {
    hiss_comm *comm = env->comm;
    const int64_t D = 61;
    hiss_neighbor *best[3][HISS_METRICS];
    hiss_knn_result result[3];
    int owner[3] = {-1, 0, hiss_comm_size(comm) - 1};
    for (int layout = 0; layout < 3; layout++) {
        hiss_features *bank = made_features(env, 3, BANK, D, false, owner[layout]);
        hiss_features *query = made_features(env, 4, QUERIES, D, false, owner[2 - layout]);
        for (int m = 0; m < HISS_METRICS; m++) {
            best[layout][m] = hiss_new(hiss_neighbor, QUERIES * K);
        }
        hiss_neighbors(env, bank, query, K, best[layout]);
        result[layout] = hiss_knn(env, bank, query);
        for (int m = 0; m < HISS_METRICS; m++) {
            CHECK(memcmp(best[layout][m], best[0][m], sizeof(hiss_neighbor) * QUERIES * K) == 0);
            CHECK(hiss_comm_equal(comm, best[layout][m], (int64_t)sizeof(hiss_neighbor) * QUERIES * K));
            for (int j = 0; j < HISS_KNN_KS; j++) {
                CHECK(result[layout].percent[m][j] == result[0].percent[m][j]);
                CHECK(result[layout].percent[m][j] > 30.0 && result[layout].percent[m][j] < 100.0);
            }
        }
        hiss_features_destroy(bank);
        hiss_features_destroy(query);
    }
    for (int i = 0; i < 3 * HISS_METRICS; i++) {
        hiss_free(best[i / HISS_METRICS][i % HISS_METRICS]);
    }
}

/* Pictures of grey levels from 1 to 254, of which the bank has two near copies: one that differs by 1 in four pixels,
 * and behind all of those one that differs by 1 in a single pixel. */
static void fill_pictures(hiss_features *f, int64_t copies) {
    for (int64_t i = f->first * HISS_TILE; i < f->end * HISS_TILE && i < f->n; i++) {
        float *row = f->rows + (i - f->first * HISS_TILE) * f->D;
        hiss_rng rng = hiss_rng_keyed(80, HISS_FOR_TESTS, 0, i % QUERIES);
        for (int64_t d = 0; d < f->D; d++) {
            const int64_t changed = copies == 0 ? 0 : i < QUERIES ? d < 4 : d == 4;
            row[d] = (float)(1 + hiss_rng_below(&rng, 254) + changed);
        }
    }
}

/* Squares of norms are near 2^24, where float32 has whole numbers only and sums of them less. */
static void check_near_copies(const hiss_eval_env *env) {
    hiss_comm *comm = env->comm;
    const int64_t D = 784;
    hiss_features *bank = hiss_features_create(env, 2 * (int64_t)QUERIES, D, CLASSES);
    hiss_features *query = hiss_features_create(env, QUERIES, D, CLASSES);
    fill_pictures(bank, 2);
    fill_pictures(query, 0);
    hiss_neighbor *best[HISS_METRICS] = {hiss_new(hiss_neighbor, QUERIES * 2), hiss_new(hiss_neighbor, QUERIES * 2)};
    hiss_neighbors(env, bank, query, 2, best);
    for (int32_t i = 0; i < QUERIES; i++) {
        const hiss_neighbor *l2 = best[HISS_L2] + 2 * i, *cosine = best[HISS_COSINE] + 2 * i;
        CHECK(l2[0].index == QUERIES + i && l2[0].value == 1.0f);
        CHECK(l2[1].index == i && l2[1].value == 2.0f);
        CHECK(cosine[0].index == QUERIES + i && cosine[1].index == i);
    }
    for (int m = 0; m < HISS_METRICS; m++) {
        hiss_free(best[m]);
    }
    hiss_features_destroy(bank);
    hiss_features_destroy(query);
}

/* Rows that are hard to tell apart by a screen of bytes: kind 0 far from zero and near each other, 1 one feature of
 * thousands beside small ones, 2 some rows of zeros and some twice, 3 nearly all alike, 4 huge, 5 tiny. */
enum { KINDS = 6 };
static void fill_hard(hiss_features *f, int64_t salt, int kind) {
    for (int64_t i = f->first * HISS_TILE; i < f->end * HISS_TILE && i < f->n; i++) {
        float *row = f->rows + (i - f->first * HISS_TILE) * f->D;
        hiss_rng rng = hiss_rng_keyed(81, HISS_FOR_TESTS, salt, kind == 2 ? i / 2 : i);
        hiss_rng_normals(&rng, f->D, row);
        for (int64_t d = 0; d < f->D; d++) {
            const float x = row[d];
            const float hard[KINDS] = {
                1000.0f + x, d == 3 ? 5000.0f * x : 0.1f * x, i % 7 == 0 ? 0.0f : x, 1.0f + 1e-6f * x, 1e15f * x,
                1e-15f * x};
            row[d] = hard[kind];
        }
    }
}

/* The screen changes no bit of the answer. */
static void check_screen(const hiss_eval_env *env) {
    hiss_comm *comm = env->comm;
    hiss_kernels without = *env->kernels;
    without.byte_product = NULL;
    const hiss_eval_env plain = {comm, &without, env->seed};
    for (int kind = 0; kind < KINDS; kind++) {
        for (int64_t D = 17; D < 70; D += 20) {
            hiss_features *bank = hiss_features_create(env, BANK, D, CLASSES);
            hiss_features *query = hiss_features_create(env, QUERIES, D, CLASSES);
            fill_hard(bank, 1, kind);
            fill_hard(query, 2, kind);
            hiss_neighbor *screened[HISS_METRICS], *all[HISS_METRICS];
            for (int m = 0; m < HISS_METRICS; m++) {
                screened[m] = hiss_new(hiss_neighbor, QUERIES * K);
                all[m] = hiss_new(hiss_neighbor, QUERIES * K);
            }
            hiss_neighbors(env, bank, query, K, screened);
            hiss_neighbors(&plain, bank, query, K, all);
            for (int m = 0; m < HISS_METRICS; m++) {
                CHECK(memcmp(screened[m], all[m], sizeof(hiss_neighbor) * QUERIES * K) == 0);
                hiss_free(screened[m]);
                hiss_free(all[m]);
            }
            hiss_features_destroy(bank);
            hiss_features_destroy(query);
        }
    }
}

static void check_votes(hiss_comm *comm) {
    const int32_t label[] = {0, 1, 2, 3, 2, 1, 1};
    int32_t votes[4] = {0};
    const hiss_neighbor list[] = {{0, 7}, {1, 6}, {2, 5}, {4, 4}, {5, 3}, {6, 2}, {-1, 1}};
    const int32_t expected[] = {0, 0, 0, 2, 1, 1, 1}; /* k = 5 has two 1s and two 2s: 1 is nearer */
    for (int64_t k = 1; k <= 7; k++) {
        CHECK(hiss_neighbors_vote(list, k, label, votes) == expected[k - 1]);
        CHECK(votes[0] == 0 && votes[1] == 0 && votes[2] == 0 && votes[3] == 0);
    }
}

static void check_retrieval(const hiss_eval_env *env) {
    hiss_comm *comm = env->comm;
    hiss_features *f = made_features(env, 5, BANK, 16, false, -1);
    const int64_t index[] = {700, 3, 700, 1129};
    hiss_neighbor found[4 * 7], with_self[4 * 8];
    hiss_features_retrieve(env, f, f, true, 4, index, 7, HISS_COSINE, found);
    hiss_features_retrieve(env, f, f, false, 4, index, 8, HISS_COSINE, with_self);
    for (int64_t i = 0; i < 4; i++) {
        CHECK(with_self[i * 8].index == index[i]);
        CHECK(memcmp(found + i * 7, with_self + i * 8 + 1, sizeof(hiss_neighbor) * 7) == 0);
    }
    hiss_features_destroy(f);
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    hiss_error err;
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) {
        return 1;
    }
    hiss_kernels_enter_thread();
    hiss_eval_env env = {comm, hiss_kernels_blas(), 1};
    check_exact(&env, BANK, 6, -1);
    check_exact(&env, BANK, 40, 0);
    check_exact(&env, 13, 6, -1); /* fewer samples than k */
    check_layouts(&env);
    check_near_copies(&env);
    hiss_eval_env plain = {comm, hiss_kernels_ref(), 1};
    check_near_copies(&plain);
    check_screen(&env);
    plain.kernels = hiss_kernels_ref();
    check_screen(&plain);
    hiss_kernels without = *hiss_kernels_blas();
    without.byte_product = NULL;
    plain.kernels = &without;
    check_exact(&plain, BANK, 40, 0);
    check_near_copies(&plain);
    check_votes(comm);
    check_retrieval(&env);
    return finish_test(comm);
}
