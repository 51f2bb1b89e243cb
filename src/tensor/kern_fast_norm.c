/* Column sums and batch norm, vectorised with channels innermost.
 *
 * A strip is what one vector loop sees: up to WIDTH neighbouring columns, or, when there are fewer columns than that,
 * several rows side by side, for rows lie without gaps (so C = 1 is as fast as C = 64). Sums run in float over blocks
 * of BLOCK strip rows, four rows at a time, and from block to block in double: the rounding error does not grow with M.
 *
 * The variance is taken block by block about the block's own mean while the block is in cache, and blocks are merged by
 * Chan, Golub, LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979; so x is
 * read twice in all. Association depends on M and C alone.
 *
 * Loops over rows come twice: with sums in registers for strips of WIDTH or half of it, the usual ones, and for any
 * width; element by element they do the same. */
#include <math.h>
#include <string.h>

#include "tensor/kern_impl.h"
#include "tensor/kern_vec.h"

enum { WIDTH = 64, BLOCK = 128, VECS = WIDTH / LANES };

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
    for (int64_t i = 0; i < s->width; i += s->columns) {
        memcpy(lane + i, per, sizeof(float) * (size_t)s->columns);
    }
}

static int64_t block_rows(const strip *s, int64_t row) {
    return s->rows - row < BLOCK ? s->rows - row : BLOCK;
}

/* Vectors of a strip that is WIDTH or half of it wide, else 0. */
static int whole_vecs(const strip *s) {
    return s->width == WIDTH ? VECS : s->width == WIDTH / 2 ? VECS / 2 : 0;
}

static ALWAYS_INLINE void load_all(int vecs, const float *from, vec *v) {
    for (int k = 0; k < vecs; k++) {
        v[k] = load(from + k * LANES);
    }
}

static ALWAYS_INLINE void store_all(int vecs, const vec *v, float *to) {
    for (int k = 0; k < vecs; k++) {
        store(to + k * LANES, v[k]);
    }
}

static ALWAYS_INLINE void sum_vecs(int vecs, int64_t rows, int64_t step, const float *x, float *lane) {
    vec sum[VECS] = {{0}};
    int64_t i = 0;
    for (; i + 4 <= rows; i += 4, x += 4 * step) {
        for (int k = 0; k < vecs; k++) {
            const float *at = x + k * LANES;
            sum[k] += (load(at) + load(at + step)) + (load(at + 2 * step) + load(at + 3 * step));
        }
    }
    for (; i < rows; i++, x += step) {
        for (int k = 0; k < vecs; k++) {
            sum[k] += load(x + k * LANES);
        }
    }
    store_all(vecs, sum, lane);
}

/* lane[width] = sums of `rows` strip rows. */
static void sum_rows(const strip *s, int64_t rows, const float *restrict x, float *restrict lane) {
    int64_t i = 0, step = s->stride;
    switch (whole_vecs(s)) {
    case VECS:
        sum_vecs(VECS, rows, step, x, lane);
        return;
    case VECS / 2:
        sum_vecs(VECS / 2, rows, step, x, lane);
        return;
    default:
        break;
    }
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

void tensor_fast_column_sum(int64_t M, int64_t N, const float *x, float *out, bool accumulate) {
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

static ALWAYS_INLINE void centred_vecs(int vecs, int64_t rows, int64_t step, const float *x, const float *centre,
                                       float *sum, float *squares) {
    vec plain[VECS] = {{0}}, square[VECS] = {{0}}, middle[VECS];
    int64_t i = 0;
    load_all(vecs, centre, middle);
    for (; i + 2 <= rows; i += 2, x += 2 * step) {
        for (int k = 0; k < vecs; k++) {
            const vec a = load(x + k * LANES) - middle[k], b = load(x + step + k * LANES) - middle[k];
            plain[k] += a + b;
            square[k] += a * a + b * b;
        }
    }
    for (; i < rows; i++, x += step) {
        for (int k = 0; k < vecs; k++) {
            const vec a = load(x + k * LANES) - middle[k];
            plain[k] += a;
            square[k] += a * a;
        }
    }
    store_all(vecs, plain, sum);
    store_all(vecs, square, squares);
}

/* About centre[width]: lane sums of d = x - centre and of d^2. */
static void centred_rows(const strip *s, int64_t rows, const float *restrict x, const float *restrict centre,
                         float *restrict sum, float *restrict squares) {
    int64_t i = 0, step = s->stride;
    switch (whole_vecs(s)) {
    case VECS:
        centred_vecs(VECS, rows, step, x, centre, sum, squares);
        return;
    case VECS / 2:
        centred_vecs(VECS / 2, rows, step, x, centre, sum, squares);
        return;
    default:
        break;
    }
    memset(sum, 0, sizeof(float) * WIDTH);
    memset(squares, 0, sizeof(float) * WIDTH);
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

/* Merge what `count` values of each channel, with sums and squares about centre, add. */
static void merge(moments *restrict m, int64_t channels, double count, const float *restrict centre,
                  const double *restrict sum, const double *restrict squares) {
    const double before = m->count, total = before + count;
    for (int64_t k = 0; k < channels; k++) {
        double shift = sum[k] / count, mean = (double)centre[k] + shift, apart = mean - m->mean[k];
        m->squares[k] += squares[k] - sum[k] * shift + apart * apart * before * count / total;
        m->mean[k] += apart * count / total;
    }
    m->count = total;
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
    merge(m, s->columns, count, centre, sum, squares);
}

static void moments_of(const strip *s, const float *x, moments *m) {
    memset(m, 0, sizeof *m);
    for (int64_t row = 0; row < s->rows; row += BLOCK) {
        merge_block(s, block_rows(s, row), x + row * s->stride, m);
    }
    const double none[WIDTH] = {0};
    for (int64_t i = 0; i < s->tail; i += s->columns) {
        merge(m, s->columns, 1, x + s->rows * s->stride + i, none, none);
    }
}

static ALWAYS_INLINE void scale_vecs(int vecs, int64_t rows, int64_t step, const float *x, const float *means,
                                     const float *scales, const float *shifts, float *y) {
    vec mean[VECS], scale[VECS], shift[VECS];
    load_all(vecs, means, mean);
    load_all(vecs, scales, scale);
    load_all(vecs, shifts, shift);
    for (int64_t i = 0; i < rows; i++, x += step, y += step) {
        for (int k = 0; k < vecs; k++) {
            store(y + k * LANES, (load(x + k * LANES) - mean[k]) * scale[k] + shift[k]);
        }
    }
}

/* y = (x - mean) * scale + shift over a strip, all per channel; y may be x. */
static void scale_strip(const strip *s, const float *x, const float *mean, const float *scale, const float *shift,
                        float *y) {
    float means[WIDTH], scales[WIDTH], shifts[WIDTH], row[WIDTH];
    int64_t done = 0;
    spread(s, mean, means);
    spread(s, scale, scales);
    spread(s, shift, shifts);
    switch (whole_vecs(s)) {
    case VECS:
        scale_vecs(VECS, s->rows, s->stride, x, means, scales, shifts, y);
        done = s->rows;
        break;
    case VECS / 2:
        scale_vecs(VECS / 2, s->rows, s->stride, x, means, scales, shifts, y);
        done = s->rows;
        break;
    default:
        break;
    }
    for (int64_t i = done; i < s->rows + (s->tail > 0); i++) {
        int64_t width = i < s->rows ? s->width : s->tail;
        for (int64_t j = 0; j < width; j++) {
            row[j] = (x[i * s->stride + j] - means[j]) * scales[j] + shifts[j];
        }
        memcpy(y + i * s->stride, row, sizeof(float) * (size_t)width);
    }
}

void tensor_fast_batch_norm_train(int64_t M, int64_t C, const float *x, const float *gamma, const float *beta,
                                  float eps, float *y, float *mean, float *inverse, float *variance) {
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

void tensor_fast_batch_norm_eval(int64_t M, int64_t C, const float *x, const float *gamma, const float *beta, float eps,
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

static ALWAYS_INLINE void product_vecs(int vecs, int64_t rows, int64_t step, const float *x, const float *dy,
                                       const float *means, float *plain, float *product) {
    vec sum[VECS] = {{0}}, products[VECS] = {{0}}, mean[VECS];
    load_all(vecs, means, mean);
    for (int64_t i = 0; i < rows; i++, x += step, dy += step) {
        for (int k = 0; k < vecs; k++) {
            const vec g = load(dy + k * LANES);
            sum[k] += g;
            products[k] += g * (load(x + k * LANES) - mean[k]);
        }
    }
    store_all(vecs, sum, plain);
    store_all(vecs, products, product);
}

/* Lane sums of dy, and of dy (x - mean). */
static void product_rows(const strip *s, int64_t rows, const float *restrict x, const float *restrict dy,
                         const float *restrict means, float *restrict plain, float *restrict product) {
    switch (whole_vecs(s)) {
    case VECS:
        product_vecs(VECS, rows, s->stride, x, dy, means, plain, product);
        return;
    case VECS / 2:
        product_vecs(VECS / 2, rows, s->stride, x, dy, means, plain, product);
        return;
    default:
        break;
    }
    memset(plain, 0, sizeof(float) * WIDTH);
    memset(product, 0, sizeof(float) * WIDTH);
    for (int64_t i = 0; i < rows; i++, x += s->stride, dy += s->stride) {
        for (int64_t j = 0; j < s->width; j++) {
            plain[j] += dy[j];
            product[j] += dy[j] * (x[j] - means[j]);
        }
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
        product_rows(s, block_rows(s, row), x + row * s->stride, dy + row * s->stride, means, plain, product);
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

typedef struct gradient_terms { /* per place of a strip row */
    float mean[WIDTH], outer[WIDTH], drift[WIDTH], pull[WIDTH];
} gradient_terms;

static ALWAYS_INLINE void gradient_vecs(int vecs, int64_t rows, int64_t step, const float *x, const float *dy,
                                        const gradient_terms *t, float *dx, bool accumulate) {
    vec mean[VECS], outer[VECS], drift[VECS], pull[VECS];
    load_all(vecs, t->mean, mean);
    load_all(vecs, t->outer, outer);
    load_all(vecs, t->drift, drift);
    load_all(vecs, t->pull, pull);
    for (int64_t i = 0; i < rows; i++, x += step, dy += step, dx += step) {
        for (int k = 0; k < vecs; k++) {
            const vec d = load(x + k * LANES) - mean[k];
            const vec g = outer[k] * (load(dy + k * LANES) - drift[k] - d * pull[k]);
            store(dx + k * LANES, accumulate ? load(dx + k * LANES) + g : g);
        }
    }
}

/* dx (+)= outer * (dy - drift - (x - mean) * pull) */
static void gradient_strip(const strip *s, const float *restrict x, const float *restrict dy, const float *mean,
                           const float *outer, const float *drift, const float *pull, float *restrict dx,
                           bool accumulate) {
    gradient_terms t;
    int64_t done = 0;
    spread(s, mean, t.mean);
    spread(s, outer, t.outer);
    spread(s, drift, t.drift);
    spread(s, pull, t.pull);
    switch (whole_vecs(s)) {
    case VECS:
        gradient_vecs(VECS, s->rows, s->stride, x, dy, &t, dx, accumulate);
        done = s->rows;
        break;
    case VECS / 2:
        gradient_vecs(VECS / 2, s->rows, s->stride, x, dy, &t, dx, accumulate);
        done = s->rows;
        break;
    default:
        break;
    }
    for (int64_t i = done; i < s->rows + (s->tail > 0); i++) {
        int64_t width = i < s->rows ? s->width : s->tail, at = i * s->stride;
        for (int64_t j = 0; j < width; j++) {
            float g = t.outer[j] * (dy[at + j] - t.drift[j] - (x[at + j] - t.mean[j]) * t.pull[j]);
            dx[at + j] = accumulate ? dx[at + j] + g : g;
        }
    }
}

void tensor_fast_batch_norm_backward(int64_t M, int64_t C, const float *x, const float *dy, const float *gamma,
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
