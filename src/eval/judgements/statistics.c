/* Statistics of features that need no labels: whether a representation has collapsed.
 *
 *   participation_ratio  (sum l)^2 / sum l^2 of the eigenvalues l of the features' covariance: D when all directions vary
 *                   alike, 1 when there is one. Of the Gram matrix G = X X^T of centred rows, which has the same
 *                   eigenvalues, it is (trace G)^2 / |G|^2, without any being computed. At most so many as there are
 *                   samples in it, which are at most RANK_SAMPLES, drawn by key.
 *   mean_cosine     between two different samples: 1 when all features are alike. With unit rows u it is
 *                   (|sum u|^2 - n) / (n (n - 1)). Rows of zeros have no direction and are left out.
 *   deviation       mean over features of their standard deviation; dead: features that vary a 10,000th of it, or less.
 *
 * Gram blocks are gemms of one shape per pair of tiles, and sums run over tiles by the canonical tree: the same on any
 * number of ranks. Cost: 2 RANK_SAMPLES^2 D / P flops, and each of these rows travels to every rank once. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "eval/judgements/judgements.h"
#include "hiss/alloc.h"
#include "hiss/rng.h"

enum { RANK_SAMPLES = 2000, DRAW_FOR_RANK = 2020 };
static const double dead_share = 1e-4;

static const hiss_row rows[] = {
    JUDGEMENT_ROW("statistics", HISS_BOOL, statistics, "true", 0, 0, NULL,
                  "statistics of features that need no labels: participation ratio, dead features, mean cosine"),
};

/* Sum over samples of a function of their rows. */
static void sum_rows(const hiss_eval_env *env, const hiss_features *f, int64_t count,
                     void (*add)(const void *user, int64_t D, const float *row, double *sum), const void *user,
                     double *out) {
    tile_sum *sum = eval_tile_sum_create(env, f, NULL, count);
    for (int64_t i = 0; i < sum->local; i++) {
        const float *tile = tile_rows(f, sum->tile[i]);
        for (int64_t row = 0; row < tile_count(f, sum->tile[i]); row++) {
            add(user, f->D, tile + row * f->D, eval_tile_sum_vector(sum, i));
        }
    }
    eval_tile_sum_run(sum, out);
    eval_tile_sum_destroy(sum);
}

/* sum[0 .. D-1] += row, sum[D .. 2D-1] += row / |row|, sum[2D] += 1 when |row| is 0 */
static void add_row(const void *user, int64_t D, const float *row, double *sum) {
    (void)user;
    double square = 0.0;
    for (int64_t d = 0; d < D; d++) {
        square += (double)row[d] * (double)row[d];
    }
    const double scale = square > 0.0 ? 1.0 / sqrt(square) : 0.0;
    for (int64_t d = 0; d < D; d++) {
        sum[d] += (double)row[d];
        sum[D + d] += (double)row[d] * scale;
    }
    sum[2 * D] += square > 0.0 ? 0.0 : 1.0;
}

/* user: means [D]; sum[D] += (row - mean)^2 */
static void add_square(const void *user, int64_t D, const float *row, double *sum) {
    const double *mean = user;
    for (int64_t d = 0; d < D; d++) {
        const double x = (double)row[d] - mean[d];
        sum[d] += x * x;
    }
}

typedef struct moments {
    double deviation, dead, cosine;
    int64_t zeros; /* rows */
} moments;

static moments measure(const hiss_eval_env *env, const hiss_features *f) {
    const int64_t D = f->D;
    const double n = (double)f->n;
    double *sum = hiss_new(double, 2 * D + 1), *square = hiss_new(double, D), direction = 0.0;
    moments m = {0};
    sum_rows(env, f, 2 * D + 1, add_row, NULL, sum);
    for (int64_t d = 0; d < D; d++) {
        direction += sum[D + d] * sum[D + d];
        sum[d] /= n;
    }
    sum_rows(env, f, D, add_square, sum, square);
    for (int64_t d = 0; d < D; d++) {
        square[d] = sqrt(square[d] / n);
        m.deviation += square[d] / (double)D;
    }
    int64_t dead = 0;
    for (int64_t d = 0; d < D; d++) {
        dead += square[d] <= dead_share * m.deviation;
    }
    m.dead = 100.0 * (double)dead / (double)D;
    m.zeros = (int64_t)sum[2 * D];
    const double directions = (double)(f->n - m.zeros);
    m.cosine = directions > 1.0 ? (direction - directions) / (directions * (directions - 1.0)) : (double)NAN;
    hiss_free(sum);
    hiss_free(square);
    return m;
}

/* At most RANK_SAMPLES of f, less their mean. */
static hiss_features *centred_draw(const hiss_eval_env *env, const hiss_features *f) {
    const int64_t D = f->D, count = f->n < RANK_SAMPLES ? f->n : RANK_SAMPLES;
    const hiss_permutation order = hiss_permutation_keyed(env->seed, HISS_FOR_EVALUATION, DRAW_FOR_RANK, 0, f->n);
    bool *drawn = hiss_new(bool, f->n);
    int64_t *index = hiss_new(int64_t, count), place = 0;
    for (int64_t i = 0; i < count; i++) {
        drawn[hiss_permutation_at(&order, i)] = true;
    }
    for (int64_t i = 0; i < f->n; i++) {
        if (drawn[i]) {
            index[place++] = i;
        }
    }
    hiss_features *draw = hiss_features_subset(env, f, index, count);
    double *sum = hiss_new(double, 2 * D + 1);
    sum_rows(env, draw, 2 * D + 1, add_row, NULL, sum);
    for (int64_t t = draw->first; t < draw->end; t++) {
        float *tile = draw->rows + (t - draw->first) * HISS_TILE * D;
        for (int64_t i = 0; i < tile_count(draw, t) * D; i++) {
            tile[i] = (float)((double)tile[i] - sum[i % D] / (double)count);
        }
    }
    hiss_free(sum);
    hiss_free(drawn);
    hiss_free(index);
    return draw;
}

/* (trace G)^2 / |G|^2; 0 when all rows are alike. */
static double participation_ratio(const hiss_eval_env *env, const hiss_features *f) {
    const int64_t D = f->D, block = (int64_t)HISS_TILE * HISS_TILE;
    float *rows_ = hiss_new(float, HISS_TILE *D), *gram = hiss_new(float, block);
    tile_sum *sum = eval_tile_sum_create(env, f, NULL, 2); /* trace, |G|^2 */
    double total[2];
    for (int64_t t = 0; t < f->tiles; t++) {
        const int owner = eval_tile_owner(f, t);
        if (hiss_comm_rank(env->comm) == owner) {
            memcpy(rows_, tile_rows(f, t), sizeof(float) * (size_t)(HISS_TILE * D));
        }
        hiss_comm_broadcast(env->comm, rows_, (int64_t)sizeof(float) * HISS_TILE * D, owner);
        for (int64_t i = 0; i < sum->local; i++) {
            double *vector = eval_tile_sum_vector(sum, i);
            env->kernels->gemm(false, true, HISS_TILE, HISS_TILE, D, 1.0f, tile_rows(f, sum->tile[i]), D, rows_, D,
                               0.0f, gram, HISS_TILE);
            for (int64_t k = 0; k < block; k++) {
                vector[1] += (double)gram[k] * (double)gram[k];
            }
            for (int64_t k = 0; sum->tile[i] == t && k < HISS_TILE; k++) {
                vector[0] += (double)gram[k * HISS_TILE + k];
            }
        }
    }
    eval_tile_sum_run(sum, total);
    eval_tile_sum_destroy(sum);
    hiss_free(rows_);
    hiss_free(gram);
    return total[1] > 0.0 ? total[0] * total[0] / total[1] : 0.0;
}

static void record_one(hiss_record *record, const char *name, const char *heading, const char *unit, hiss_form form,
                       double value, int64_t samples) {
    hiss_record_number(record, &(hiss_number){.name = name,
                                              .group = "statistics of features",
                                              .heading = heading,
                                              .unit = unit,
                                              .form = form,
                                              .main = strcmp(name, "participation_ratio") == 0,
                                              .value = value,
                                              .spread = (double)NAN,
                                              .baseline = (double)NAN,
                                              .samples = samples});
}

static hiss_status run(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_subject *subject,
                       hiss_record *record, hiss_error *err) {
    (void)options;
    (void)err;
    const hiss_features *f = subject->test;
    const moments m = measure(env, f);
    hiss_features *draw = centred_draw(env, f);
    record_one(record, "participation_ratio", "participation ratio", "dim", HISS_FORM_FIXED,
               participation_ratio(env, draw), draw->n);
    record_one(record, "dead_percent", "dead", "%", HISS_FORM_FIXED, m.dead, f->n);
    record_one(record, "mean_cosine", "mean cosine", "", HISS_FORM_FIXED, m.cosine, f->n);
    record_one(record, "deviation", "std", "", HISS_FORM_GENERAL, m.deviation, f->n);
    hiss_record_remark(
        record, "participation ratio: of the covariance, 1 to D; mean cosine of two different samples: 1 when "
                "all features are alike; dead: features that hardly vary; std: mean standard deviation of a feature");
    if (m.zeros > 0) {
        hiss_record_remark(record,
                           "features of %s: all are 0 for %lld of %lld samples, which have no direction and are left "
                           "out of the mean cosine",
                           subject->name, (long long)m.zeros, (long long)f->n);
    }
    hiss_features_destroy(draw);
    return HISS_OK;
}

const hiss_judgement eval_judgement_statistics = {
    .name = "statistics",
    .title = "Statistics of features, without labels",
    .needs = HISS_NEEDS_LAYER,
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .run = run,
};
