/* Column sums and batch norm, vectorised with channels innermost.
 *
 * A strip is what one vector loop sees: up to WIDTH neighbouring columns, or, when there are fewer columns than that,
 * several rows side by side, for rows lie without gaps (so C = 1 is as fast as C = 64). Sums run in float over blocks
 * of BLOCK strip rows, four rows at a time, and from block to block in double: the rounding error does not grow with M.
 *
 * The variance is taken block by block about the block's own mean while the block is in cache, and blocks are merged by
 * Chan, Golub, LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979; so x is
 * read twice in all. Association depends on M and C alone. */
#include <math.h>
#include <string.h>

#include "tensor/kern_impl.h"

enum { WIDTH = 64, BLOCK = 128 };

typedef struct strip {
    int64_t columns; /* channels it covers */
    int64_t width;   /* floats of one strip row: columns times the rows side by side */
    int64_t stride;  /* floats between strip rows */
    int64_t rows;
    int64_t tail; /* floats in one more, incomplete strip row; 0 when columns < C */
} strip;

/* The strip from channel first on. */
static strip strip_at(int64_t M, int64_t C, int64_t first) {
    if (C <= WIDTH / 2) {
        int64_t fold = WIDTH / C;
        return (strip){C, fold * C, fold * C, M / fold, M % fold * C};
    }
    int64_t columns = C - first < WIDTH ? C - first : WIDTH;
    return (strip){columns, columns, C, M, 0};
}

/* Sum the values side by side that belong to one channel: out[columns] += sum over i of lane[i*columns + k]. */
static void fold(const strip *s, const float *lane, double *out) {
    for (int64_t i = 0; i < s->width; i += s->columns) {
        for (int64_t k = 0; k < s->columns; k++) {
            out[k] += lane[i + k];
        }
    }
}

/* Repeat per[columns] over the strip. */
static void spread(const strip *s, const float *per, float *lane) {
    for (int64_t i = 0; i < s->width; i++) {
        lane[i] = per[i % s->columns];
    }
}

static int64_t block_rows(const strip *s, int64_t row) {
    return s->rows - row < BLOCK ? s->rows - row : BLOCK;
}

/* lane[width] = sums of `rows` strip rows. */
static void sum_rows(const strip *s, int64_t rows, const float *restrict x, float *restrict lane) {
    int64_t i = 0, step = s->stride;
    memset(lane, 0, sizeof(float) * WIDTH);
    for (; i + 4 <= rows; i += 4, x += 4 * step) {
        for (int64_t j = 0; j < s->width; j++) {
            lane[j] += (x[j] + x[step + j]) + (x[2 * step + j] + x[3 * step + j]);
        }
    }
    for (; i < rows; i++, x += step) {
        for (int64_t j = 0; j < s->width; j++) {
            lane[j] += x[j];
        }
    }
}

void hiss_fast_column_sum(int64_t M, int64_t N, const float *x, float *out, bool accumulate) {
    for (int64_t first = 0; first < N;) {
        strip s = strip_at(M, N, first);
        const float *at = x + first;
        float lane[WIDTH];
        double sum[WIDTH] = {0};
        for (int64_t row = 0; row < s.rows; row += BLOCK) {
            sum_rows(&s, block_rows(&s, row), at + row * s.stride, lane);
            fold(&s, lane, sum);
        }
        for (int64_t i = 0; i < s.tail; i++) {
            sum[i % s.columns] += at[s.rows * s.stride + i];
        }
        for (int64_t k = 0; k < s.columns; k++) {
            out[first + k] = (float)((accumulate ? out[first + k] : 0) + sum[k]);
        }
        first += s.columns;
    }
}

/* About centre[width]: lane sums of d = x - centre and of d^2. */
static void centred_rows(const strip *s, int64_t rows, const float *restrict x, const float *restrict centre,
                         float *restrict sum, float *restrict squares) {
    memset(sum, 0, sizeof(float) * WIDTH);
    memset(squares, 0, sizeof(float) * WIDTH);
    int64_t i = 0, step = s->stride;
    for (; i + 2 <= rows; i += 2, x += 2 * step) {
        for (int64_t j = 0; j < s->width; j++) {
            float a = x[j] - centre[j], b = x[step + j] - centre[j];
            sum[j] += a + b;
            squares[j] += a * a + b * b;
        }
    }
    for (; i < rows; i++, x += step) {
        for (int64_t j = 0; j < s->width; j++) {
            float a = x[j] - centre[j];
            sum[j] += a;
            squares[j] += a * a;
        }
    }
}

typedef struct moments {
    double count, mean[WIDTH], squares[WIDTH]; /* squares: sum of squared distances from the mean */
} moments;

/* Merge what `count` values with sums and squares about centre add to channel k. */
static void merge(moments *m, int64_t k, double count, double centre, double sum, double squares) {
    double shift = sum / count, mean = centre + shift, apart = mean - m->mean[k];
    double total = m->count + count;
    m->squares[k] += squares - sum * shift + apart * apart * m->count * count / total;
    m->mean[k] += apart * count / total;
}

static void merge_block(const strip *s, int64_t rows, const float *x, moments *m) {
    float lane[WIDTH], squares_lane[WIDTH], centre[WIDTH], centres[WIDTH];
    double sum[WIDTH] = {0}, squares[WIDTH] = {0};
    double count = (double)(rows * (s->width / s->columns));
    sum_rows(s, rows, x, lane);
    fold(s, lane, sum);
    for (int64_t k = 0; k < s->columns; k++) {
        centre[k] = (float)(sum[k] / count);
        sum[k] = 0;
    }
    spread(s, centre, centres);
    centred_rows(s, rows, x, centres, lane, squares_lane);
    fold(s, lane, sum);
    fold(s, squares_lane, squares);
    for (int64_t k = 0; k < s->columns; k++) {
        merge(m, k, count, centre[k], sum[k], squares[k]);
    }
    m->count += count;
}

static void moments_of(const strip *s, const float *x, moments *m) {
    memset(m, 0, sizeof *m);
    for (int64_t row = 0; row < s->rows; row += BLOCK) {
        merge_block(s, block_rows(s, row), x + row * s->stride, m);
    }
    for (int64_t i = 0; i < s->tail; i += s->columns) {
        for (int64_t k = 0; k < s->columns; k++) {
            merge(m, k, 1, x[s->rows * s->stride + i + k], 0, 0);
        }
        m->count += 1;
    }
}

/* y = (x - mean) * scale + shift over a strip, all per channel; y may be x. */
static void scale_strip(const strip *s, const float *x, const float *mean, const float *scale, const float *shift,
                        float *y) {
    float means[WIDTH], scales[WIDTH], shifts[WIDTH], row[WIDTH];
    spread(s, mean, means);
    spread(s, scale, scales);
    spread(s, shift, shifts);
    for (int64_t i = 0; i < s->rows + (s->tail > 0); i++) {
        int64_t width = i < s->rows ? s->width : s->tail;
        for (int64_t j = 0; j < width; j++) {
            row[j] = (x[i * s->stride + j] - means[j]) * scales[j] + shifts[j];
        }
        memcpy(y + i * s->stride, row, sizeof(float) * (size_t)width);
    }
}

void hiss_fast_batch_norm_train(int64_t M, int64_t C, const float *x, const float *gamma, const float *beta, float eps,
                                float *y, float *mean, float *inverse, float *variance) {
    for (int64_t first = 0; first < C;) {
        strip s = strip_at(M, C, first);
        moments m;
        float scale[WIDTH], shift[WIDTH];
        moments_of(&s, x + first, &m);
        for (int64_t k = 0; k < s.columns; k++) {
            int64_t at = first + k;
            double over_root = 1 / sqrt(m.squares[k] / (double)M + eps);
            mean[at] = (float)m.mean[k];
            inverse[at] = (float)over_root;
            variance[at] = (float)(m.squares[k] / (double)(M > 1 ? M - 1 : 1));
            scale[k] = (float)over_root * (gamma ? gamma[at] : 1);
            shift[k] = beta ? beta[at] : 0;
        }
        scale_strip(&s, x + first, mean + first, scale, shift, y + first);
        first += s.columns;
    }
}

void hiss_fast_batch_norm_eval(int64_t M, int64_t C, const float *x, const float *gamma, const float *beta, float eps,
                               const float *mean, const float *variance, float *y) {
    for (int64_t first = 0; first < C;) {
        strip s = strip_at(M, C, first);
        float scale[WIDTH], shift[WIDTH];
        for (int64_t k = 0; k < s.columns; k++) {
            int64_t at = first + k;
            scale[k] = (float)((gamma ? gamma[at] : 1) / sqrt((double)variance[at] + eps));
            shift[k] = beta ? beta[at] : 0;
        }
        scale_strip(&s, x + first, mean + first, scale, shift, y + first);
        first += s.columns;
    }
}

/* by_gamma[columns] = sum dy (x - mean) * inverse, by_beta[columns] = sum dy. */
static void parameter_sums(const strip *s, const float *x, const float *dy, const float *mean, const float *inverse,
                           double *by_gamma, double *by_beta) {
    float means[WIDTH], plain[WIDTH], product[WIDTH];
    spread(s, mean, means);
    memset(by_gamma, 0, sizeof(double) * WIDTH);
    memset(by_beta, 0, sizeof(double) * WIDTH);
    for (int64_t row = 0; row < s->rows; row += BLOCK) {
        int64_t rows = block_rows(s, row);
        memset(plain, 0, sizeof plain);
        memset(product, 0, sizeof product);
        for (int64_t i = row; i < row + rows; i++) {
            const float *u = x + i * s->stride, *g = dy + i * s->stride;
            for (int64_t j = 0; j < s->width; j++) {
                plain[j] += g[j];
                product[j] += g[j] * (u[j] - means[j]);
            }
        }
        fold(s, plain, by_beta);
        fold(s, product, by_gamma);
    }
    for (int64_t i = 0; i < s->tail; i++) {
        float g = dy[s->rows * s->stride + i];
        by_beta[i % s->columns] += g;
        by_gamma[i % s->columns] += g * (x[s->rows * s->stride + i] - means[i]);
    }
    for (int64_t k = 0; k < s->columns; k++) {
        by_gamma[k] *= inverse[k];
    }
}

/* dx (+)= outer * (dy - drift - (x - mean) * pull) */
static void gradient_strip(const strip *s, const float *restrict x, const float *restrict dy, const float *mean,
                           const float *outer, const float *drift, const float *pull, float *restrict dx,
                           bool accumulate) {
    float means[WIDTH], outers[WIDTH], drifts[WIDTH], pulls[WIDTH];
    spread(s, mean, means);
    spread(s, outer, outers);
    spread(s, drift, drifts);
    spread(s, pull, pulls);
    for (int64_t i = 0; i < s->rows + (s->tail > 0); i++, x += s->stride, dy += s->stride, dx += s->stride) {
        int64_t width = i < s->rows ? s->width : s->tail;
        if (accumulate) {
            for (int64_t j = 0; j < width; j++) {
                dx[j] += outers[j] * (dy[j] - drifts[j] - (x[j] - means[j]) * pulls[j]);
            }
        } else {
            for (int64_t j = 0; j < width; j++) {
                dx[j] = outers[j] * (dy[j] - drifts[j] - (x[j] - means[j]) * pulls[j]);
            }
        }
    }
}

void hiss_fast_batch_norm_backward(int64_t M, int64_t C, const float *x, const float *dy, const float *gamma,
                                   const float *mean, const float *inverse, float *dx, bool accumulate_dx,
                                   float *dgamma, float *dbeta, bool accumulate_parameters, float *scratch) {
    (void)scratch; /* strips need none */
    for (int64_t first = 0; first < C;) {
        strip s = strip_at(M, C, first);
        double by_gamma[WIDTH], by_beta[WIDTH];
        float outer[WIDTH], drift[WIDTH], pull[WIDTH];
        parameter_sums(&s, x + first, dy + first, mean + first, inverse + first, by_gamma, by_beta);
        for (int64_t k = 0; k < s.columns; k++) {
            int64_t at = first + k;
            outer[k] = (gamma ? gamma[at] : 1) * inverse[at];
            drift[k] = (float)(by_beta[k] / (double)M);
            pull[k] = (float)(inverse[at] * by_gamma[k] / (double)M);
            if (dgamma) {
                dgamma[at] = (float)((accumulate_parameters ? dgamma[at] : 0) + by_gamma[k]);
            }
            if (dbeta) {
                dbeta[at] = (float)((accumulate_parameters ? dbeta[at] : 0) + by_beta[k]);
            }
        }
        if (dx) {
            gradient_strip(&s, x + first, dy + first, mean + first, outer, drift, pull, dx + first, accumulate_dx);
        }
        first += s.columns;
    }
}
