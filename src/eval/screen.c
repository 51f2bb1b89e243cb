/* A screen for nearest neighbours: bounds of products from products of bytes, which cost an eighth.
 *
 * Rows lie around a centre m, the mean of this rank's bank rows. Less the centre, a row is its step times bytes, plus
 * an error:  q - m = s i + e,  b - m = t j + f,  with i, j in -127 .. 127. Then (Cauchy-Schwarz on the last two)
 *   (q - m).(b - m) = s t (i.j) + e.(b - m) + s i.f  <=  s t (i.j) + |e| |b - m| + |s i| |f| = u
 * and b can only be as near as the k-th best so far, of closeness c, when
 *   cosine:  q.b / |b| >= c           hence  u + m.b - m.m + m.q - c |b| >= 0
 *   L2:      -|q - b|^2 >= c          hence  u - |b - m|^2 / 2 - (|q - m|^2 + c) / 2 >= 0
 * All terms but i.j, which is exact, are rounded in float32 and widened by `margin` times what may be rounded. What
 * passes is looked at again in float64, so that neither the centre nor the steps affect an answer. What is not a number
 * passes.
 *
 * Cost: 2 n_query n_bank D byte operations and about 10 float operations per pair, by ranks. Memory: D bytes per bank
 * row. */
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"

enum { COLUMNS = EVAL_SCREEN_COLUMNS, MOST_BYTE = 127, ZERO = 128, SUMS = 8 };

static const double margin = 64 * 0x1p-24;

/* What is known of a row, in float64. */
typedef struct row_terms {
    double step, error, coded; /* s, |e|, |s i| */
    double centred, middle;    /* |q - m|, m.q */
    double norm;               /* |q| */
} row_terms;

struct screen {
    const hiss_eval_env *env;
    const hiss_features *bank;
    int64_t K;                   /* bytes of a row: D, rounded up */
    double centre_square;        /* m.m */
    float *centre;               /* [K] m */
    int8_t *bank_bytes;          /* [local tiles, COLUMNS, K] as byte products want it */
    int32_t *shift;              /* [local tiles, COLUMNS] ZERO times the sum of the row's bytes */
    float *step, *size, *error;  /* [local tiles, COLUMNS] t, |b - m|, |f| */
    float *middle, *norm, *half; /* [local tiles, COLUMNS] m.b - m.m, |b|, |b - m|^2 / 2 */
    uint8_t *query_bytes;        /* [HISS_TILE, K] */
    row_terms *query;            /* [HISS_TILE] */
    int8_t *code;                /* [K] */
    int32_t *product;            /* [HISS_TILE, COLUMNS] */
    int64_t tile;                /* of the bank, that product is of */
};

bool eval_screen_pays(const hiss_eval_env *env, const hiss_features *bank) {
    return env->kernels->byte_product && bank->D >= 16 && bank->D <= HISS_BYTE_MOST - 4;
}

static double total(const double sum[SUMS]) {
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

static float largest(int64_t D, const float *row, const float *centre) {
    float most = 0.0f;
    for (int64_t d = 0; d < D; d++) {
        const float x = fabsf(row[d] - centre[d]);
        most = x > most ? x : most;
    }
    return most;
}

typedef struct sums {
    double error[SUMS], coded[SUMS], centred[SUMS], middle[SUMS], square[SUMS];
} sums;

/* The next `some` of a row, at most SUMS. Inlined for SUMS, the compiler takes a vector each. */
static inline void encode_some(int64_t some, float step, float inverse, const float *restrict row,
                               const float *restrict centre, int8_t *restrict code, sums *restrict all) {
    static const float whole = 0x1.8p23f; /* x + whole - whole is x rounded to a whole number */
    for (int64_t j = 0; j < some; j++) {
        const float level = ((row[j] - centre[j]) * inverse + whole) - whole;
        const float byte = level < -MOST_BYTE ? -MOST_BYTE : level > MOST_BYTE ? MOST_BYTE : level;
        const double x = (double)row[j], m = (double)centre[j];
        const double near = (double)step * (double)byte, rest = x - m - near;
        code[j] = (int8_t)byte;
        all->error[j] += rest * rest;
        all->coded[j] += near * near;
        all->centred[j] += (x - m) * (x - m);
        all->middle[j] += m * x;
        all->square[j] += x * x;
    }
}

/* row to bytes code[K], zero past D. */
static row_terms encode(const screen *s, const float *row, int8_t *code) {
    const int64_t D = s->bank->D;
    const float *centre = s->centre, most = largest(D, row, centre);
    const float step = most / MOST_BYTE, inverse = step > 0.0f ? 1.0f / step : 0.0f;
    sums all = {0};
    memset(code, 0, (size_t)s->K);
    const int64_t whole = D - D % SUMS;
    for (int64_t first = 0; first < whole; first += SUMS) {
        encode_some(SUMS, step, inverse, row + first, centre + first, code + first, &all);
    }
    encode_some(D - whole, step, inverse, row + whole, centre + whole, code + whole, &all);
    return (row_terms){.step = (double)step,
                       .error = sqrt(total(all.error)),
                       .coded = sqrt(total(all.coded)),
                       .centred = sqrt(total(all.centred)),
                       .middle = total(all.middle),
                       .norm = sqrt(total(all.square))};
}

static void find_centre(screen *s) {
    const hiss_features *bank = s->bank;
    const int64_t D = bank->D;
    double *sum = hiss_new(double, D);
    int64_t rows = 0;
    for (int64_t t = bank->first; t < bank->end; t++) {
        const float *tile = tile_rows(bank, t);
        for (int64_t i = 0; i < tile_count(bank, t); i++, rows++) {
            for (int64_t d = 0; d < D; d++) {
                sum[d] += (double)tile[i * D + d];
            }
        }
    }
    for (int64_t d = 0; d < D && rows > 0; d++) {
        s->centre[d] = (float)(sum[d] / (double)rows);
        s->centre_square += (double)s->centre[d] * (double)s->centre[d];
    }
    hiss_free(sum);
}

static void encode_bank_row(screen *s, int64_t tile, int64_t row) {
    const int64_t place = tile * COLUMNS + row, K = s->K;
    const row_terms r = encode(s, s->bank->rows + (tile * HISS_TILE + row) * s->bank->D, s->code);
    const double centre = sqrt(s->centre_square);
    int8_t *bytes = s->bank_bytes + tile * COLUMNS * K + hiss_byte_place(K, row, 0);
    int32_t sum = 0;
    for (int64_t k = 0; k < K; k += 4) {
        memcpy(bytes + k * HISS_BYTE_PANEL, s->code + k, 4);
        sum += s->code[k] + s->code[k + 1] + s->code[k + 2] + s->code[k + 3];
    }
    s->shift[place] = ZERO * sum;
    s->step[place] = (float)r.step;
    s->size[place] = (float)(r.centred * (1.0 + margin));
    s->error[place] = (float)(r.error * (1.0 + margin) + margin * r.centred);
    s->middle[place] = (float)(r.middle - s->centre_square + margin * centre * (r.norm + centre));
    s->norm[place] = (float)r.norm;
    s->half[place] = (float)((0.5 - margin) * r.centred * r.centred);
}

screen *eval_screen_create(const hiss_eval_env *env, const hiss_features *bank) {
    screen *s = hiss_new(screen, 1);
    const int64_t tiles = bank->end - bank->first, places = tiles * COLUMNS;
    s->env = env;
    s->bank = bank;
    s->K = (bank->D + 3) / 4 * 4;
    s->centre = hiss_new(float, s->K);
    s->bank_bytes = hiss_new(int8_t, places * s->K);
    s->shift = hiss_new(int32_t, places);
    float **const terms[] = {&s->step, &s->size, &s->error, &s->middle, &s->norm, &s->half};
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++) {
        *terms[i] = hiss_new(float, places);
    }
    s->query_bytes = hiss_new(uint8_t, HISS_TILE * s->K);
    s->query = hiss_new(row_terms, HISS_TILE);
    s->code = hiss_new(int8_t, s->K);
    s->product = hiss_new(int32_t, HISS_TILE * COLUMNS);
    find_centre(s);
    for (int64_t t = 0; t < tiles; t++) {
        for (int64_t row = 0; row < tile_count(bank, bank->first + t); row++) {
            encode_bank_row(s, t, row);
        }
    }
    return s;
}

void eval_screen_destroy(screen *s) {
    if (s) {
        void *const all[] = {s->centre, s->bank_bytes, s->shift,       s->step,  s->size, s->error,  s->middle,
                             s->norm,   s->half,       s->query_bytes, s->query, s->code, s->product};
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
            hiss_free(all[i]);
        }
        hiss_free(s);
    }
}

void eval_screen_query(screen *s, const float *rows, int64_t count) {
    for (int64_t q = 0; q < count; q++) {
        s->query[q] = encode(s, rows + q * s->bank->D, s->code);
        for (int64_t k = 0; k < s->K; k++) {
            s->query_bytes[q * s->K + k] = (uint8_t)(s->code[k] + ZERO);
        }
    }
}

void eval_screen_multiply(screen *s, int64_t tile, int64_t count) {
    s->tile = tile - s->bank->first;
    s->env->kernels->byte_product(count, COLUMNS, s->K, s->query_bytes, s->bank_bytes + s->tile * COLUMNS * s->K,
                                  s->product);
}

void eval_screen_mark(const screen *s, int64_t q, const double closeness[HISS_METRICS],
                      uint8_t marks[EVAL_SCREEN_COLUMNS]) {
    const row_terms *r = &s->query[q];
    const int64_t first = s->tile * COLUMNS;
    const int32_t *restrict product = s->product + q * COLUMNS, *restrict shift = s->shift + first;
    const float *restrict step = s->step + first, *restrict size = s->size + first, *restrict error = s->error + first;
    const float *restrict middle = s->middle + first, *restrict norm = s->norm + first,
                          *restrict half = s->half + first;
    const double square = r->centred * r->centred, far = closeness[HISS_L2];
    const float scale = (float)r->step, lost = (float)(r->error * (1.0 + margin)),
                coded = (float)(r->coded * (1.0 + margin));
    const float own = (float)(r->middle + margin * (sqrt(s->centre_square) * r->norm));
    const float cosine = (float)(closeness[HISS_COSINE] - margin * r->norm);
    const float l2 = (float)(0.5 * (square + far) - margin * (square + fabs(far)));
    for (int i = 0; i < COLUMNS; i++) {
        const float u = (float)(product[i] - shift[i]) * (scale * step[i]) + lost * size[i] + coded * error[i];
        const int by_cosine = !(u + middle[i] + own - cosine * norm[i] < 0.0f), by_l2 = !(u - half[i] - l2 < 0.0f);
        marks[i] = (uint8_t)(by_cosine << HISS_COSINE | by_l2 << HISS_L2);
    }
}

void eval_screen_estimate(const screen *s, int64_t q, hiss_distance metric, float estimate[EVAL_SCREEN_COLUMNS]) {
    const row_terms *r = &s->query[q];
    const int64_t first = s->tile * COLUMNS;
    const int32_t *product = s->product + q * COLUMNS, *shift = s->shift + first;
    const float *step = s->step + first, *middle = s->middle + first, *norm = s->norm + first, *half = s->half + first;
    const float scale = (float)r->step, own = (float)r->middle;
    for (int i = 0; i < COLUMNS; i++) {
        const float u = (float)(product[i] - shift[i]) * (scale * step[i]);
        const float cosine = norm[i] > 0.0f ? (u + middle[i] + own) / norm[i] : 0.0f;
        estimate[i] = metric == HISS_COSINE ? cosine : u - half[i];
    }
}
