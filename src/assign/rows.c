/* What can be done to rows wherever they are: start prices, highest profits, the finite check on the way.
 *
 * Start prices. Subtracting column means ("column centring") moves no optimum and makes features that have collapsed
 * onto one direction as easy as random ones. The optimal price of a column, though, is what the rows that want it
 * most would pay, which depends on the upper tail of its scores. The mean of group maxima estimates that tail in the
 * same single pass over memory: after subtracting it the optimum of 4096 rows uses columns of rank 39 at most in 99
 * rows of 100 (features of a trained network, d = 32), where after column means it is 280. Groups of 32 to 64 do best;
 * 32 is what one lane may hold. Shifts of a column move its price and nothing else, as with means.
 *
 * O(m n) each; scores are read once, in blocks of columns that stay in the first-level cache. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "lanes_impl.h"
#include "lap_impl.h"

enum { BLOCK = 1024 };

int64_t hiss_lap_groups(int64_t m) {
    return (m + HISS_LAP_GROUP - 1) / HISS_LAP_GROUP;
}

static hiss_status fail_at(int64_t row, int64_t column, double score, hiss_error *err) {
    return hiss_fail(err, HISS_EUSER,
                     "score of row %lld, column %lld is %g: expected finite numbers; have the features diverged?",
                     (long long)row, (long long)column, score);
}

hiss_status assign_check_lists(const hiss_lap_rows *rows, hiss_error *err) {
    for (int64_t i = 0; i < rows->m; i++) {
        for (int64_t e = 0; e < rows->width; e++) {
            const int64_t column = rows->column[i * rows->ld + e];
            const double x = (double)rows->score[i * rows->ld + e];
            if (column < 0 || column >= rows->n) {
                return hiss_fail(err, HISS_EUSER, "entry %lld of row %lld names column %lld: expected 0 to %lld",
                                 (long long)e, (long long)(rows->first + i), (long long)column,
                                 (long long)(rows->n - 1));
            }
            if (!isfinite(x)) {
                return fail_at(rows->first + i, column, x, err);
            }
        }
    }
    return HISS_OK;
}

static hiss_status fail_at_first_bad_score(const hiss_lap_rows *rows, hiss_error *err) {
    for (int64_t i = 0; i < rows->m; i++) {
        for (int64_t j = 0; j < rows->n; j++) {
            double x = (double)rows->score[i * rows->ld + j];
            if (!isfinite(x)) {
                return fail_at(rows->first + i, j, x, err);
            }
        }
    }
    assert(0 && "one score was not finite");
    return HISS_EINTERNAL;
}

/* Bits of |x| grow with |x| and are largest for what is not finite. */
static int32_t magnitude_bits(float x) {
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & INT32_MAX;
}

hiss_status hiss_lap_add_maxima(const hiss_lap_rows *rows, double *sum, hiss_error *err) {
    assert(!rows->column && rows->width == rows->n && rows->ld >= rows->n);
    const int32_t infinity = magnitude_bits(INFINITY);
    float top[BLOCK];
    for (int64_t i = 0; i < rows->m; i += HISS_LAP_GROUP) {
        const int64_t end = i + HISS_LAP_GROUP < rows->m ? i + HISS_LAP_GROUP : rows->m;
        for (int64_t j = 0; j < rows->n; j += BLOCK) {
            const int64_t count = rows->n - j < BLOCK ? rows->n - j : BLOCK;
            int32_t largest = 0;
            memcpy(top, rows->score + i * rows->ld + j, (size_t)count * sizeof *top);
            for (int64_t r = i; r < end; r++) {
                const float *score = rows->score + r * rows->ld + j;
                for (int64_t c = 0; c < count; c++) {
                    const int32_t bits = magnitude_bits(score[c]);
                    largest = bits > largest ? bits : largest;
                    top[c] = score[c] > top[c] ? score[c] : top[c];
                }
            }
            if (largest >= infinity) {
                return fail_at_first_bad_score(rows, err);
            }
            for (int64_t c = 0; c < count; c++) {
                sum[j + c] += (double)top[c];
            }
        }
    }
    return HISS_OK;
}

hiss_status assign_start_prices(const hiss_lap *lap, double *price, hiss_error *err) {
    const hiss_lap_rows rows = hiss_lap_all_rows(lap);
    memset(price, 0, (size_t)lap->n * sizeof *price);
    hiss_status status = hiss_lap_add_maxima(&rows, price, err);
    for (int64_t j = 0; j < lap->n && status == HISS_OK; j++) {
        price[j] /= (double)hiss_lap_groups(lap->n);
    }
    return status;
}

typedef struct two {
    lanes best[WAYS], second[WAYS];
} two;

static inline void offer_group(two *t, const float *score, const double *price) {
    for (int w = 0; w < WAYS; w++) {
        lanes p;
        memcpy(&p, price + w * LANES, sizeof p);
        const lanes profit = load_scores(score + w * LANES) - p;
        const lanes loser = select_lanes(profit > t->best[w], t->best[w], profit);
        t->best[w] = select_lanes(profit > t->best[w], profit, t->best[w]);
        t->second[w] = select_lanes(loser > t->second[w], loser, t->second[w]);
    }
}

static assign_choice offer(assign_choice c, double profit) {
    const double loser = profit > c.best ? c.best : profit;
    return (assign_choice){profit > c.best ? profit : c.best, loser > c.second ? loser : c.second};
}

assign_choice assign_best_two(int64_t n, const float *score, const double *price) {
    two t;
    assign_choice c = {-INFINITY, -INFINITY};
    int64_t j = 0;
    if (n >= GROUP) {
        for (int w = 0; w < WAYS; w++) {
            t.best[w] = t.second[w] = lanes_of(-INFINITY);
        }
        for (; j + GROUP <= n; j += GROUP) {
            offer_group(&t, score + j, price + j);
        }
        for (int k = 0; k < GROUP; k++) {
            c = offer(c, t.best[k / LANES][k % LANES]);
            c = offer(c, t.second[k / LANES][k % LANES]);
        }
    }
    for (; j < n; j++) {
        c = offer(c, (double)score[j] - price[j]);
    }
    return c;
}

void hiss_lap_price_out(const hiss_lap_rows *rows, const double *price, double *profit) {
    for (int64_t i = 0; i < rows->m; i++) {
        const float *score = rows->score + i * rows->ld;
        const int32_t *column = rows->column ? rows->column + i * rows->ld : NULL;
        if (!column) {
            profit[i] = assign_best_two(rows->n, score, price).best;
            continue;
        }
        profit[i] = -INFINITY;
        for (int64_t e = 0; e < rows->width; e++) {
            const double x = (double)score[e] - price[column[e]];
            profit[i] = x > profit[i] ? x : profit[i];
        }
    }
}
