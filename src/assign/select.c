/* The k best columns of a row.
 *
 * Reduced scores x = score - price become integers of the same order, so that everything is integer comparisons, which
 * vectorise and have no rounding. Then, per row:
 *   1. While the integers are made, G >= 2k interleaved groups of columns keep their maxima. At least k columns reach
 *      the k-th highest maximum, and few more than k do: the row is cut down to some 1.5 k candidates in one pass.
 *   2. The k-th highest candidate is found by bisection on its value, which ties cannot slow down.
 *   3. What remains is ordered by counting, for each entry, the entries before it.
 *
 * About 4 n + k^2 operations per row, in vectors of 16 where there are such.
 *
 * Reduced scores are taken in float. Where prices are so much larger than what scores differ by that this loses the
 * differences, assign_select_fine takes them in double, relative to the highest of the row, which it is given. */
#include <assert.h>
#include <string.h>

#include "lap_impl.h"

enum { HITS = 64 }; /* columns that are looked through at a time */

typedef struct selection {
    int64_t n, k, groups; /* groups: a multiple of 16 */
    float *price;         /* [n] */
    int32_t *key;         /* [n up to whole multiples of groups] */
    int32_t *top;         /* [groups] */
    uint8_t *hit;         /* [n + HITS] */
    int32_t *candidate;   /* [n] columns, ascending */
    int32_t *value;       /* [n] their keys */
    float *reduced;       /* [n] fine reduced scores */
} selection;

static int64_t lay_out(selection *s, int64_t n, int64_t k, void *work) {
    assign_slicer slicer = {work, 0};
    s->n = n;
    s->k = k;
    s->groups = (2 * k + 15) / 16 * 16;
    const int64_t padded = (n + s->groups - 1) / s->groups * s->groups;
    s->price = assign_slice(&slicer, n, sizeof *s->price);
    s->key = assign_slice(&slicer, padded, sizeof *s->key);
    s->top = assign_slice(&slicer, s->groups, sizeof *s->top);
    s->hit = assign_slice(&slicer, n + HITS, sizeof *s->hit);
    s->candidate = assign_slice(&slicer, n, sizeof *s->candidate);
    s->value = assign_slice(&slicer, n, sizeof *s->value);
    s->reduced = assign_slice(&slicer, n, sizeof *s->reduced);
    return slicer.used;
}

int64_t hiss_lap_select_work_bytes(int64_t n, int64_t k) {
    return lay_out(&(selection){0}, n, k, NULL);
}

static void make_keys(selection *s, const float *restrict score) {
    const float *restrict price = s->price;
    int32_t *restrict key = s->key, *restrict top = s->top;
    const int64_t whole = s->n / s->groups * s->groups;
    for (int64_t g = 0; g < s->groups; g++) {
        top[g] = INT32_MIN;
    }
    for (int64_t j = 0; j < whole; j += s->groups) {
        for (int64_t g = 0; g < s->groups; g++) {
            const int32_t x = hiss_lap_order_key(score[j + g] - price[j + g]);
            key[j + g] = x;
            top[g] = x > top[g] ? x : top[g];
        }
    }
    for (int64_t g = 0; whole < s->n && g < s->groups; g++) {
        const int64_t j = whole + g;
        const int32_t x = j < s->n ? hiss_lap_order_key(score[j] - price[j]) : INT32_MIN;
        key[j] = x;
        top[g] = x > top[g] ? x : top[g];
    }
}

static int64_t count_reaching(const int32_t *key, int64_t n, int32_t bar) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += 4096) {
        const int64_t end = n - i < 4096 ? n : i + 4096;
        int32_t part = 0;
        for (int64_t j = i; j < end; j++) {
            part += key[j] >= bar;
        }
        count += part;
    }
    return count;
}

/* A bar that at least k and preferably no more than `enough` keys reach; the highest that k reach if enough is k. */
static int32_t bar_for(const int32_t *key, int64_t n, int64_t k, int64_t enough) {
    int64_t low = INT32_MIN, high = INT32_MAX;
    while (low < high) {
        const int64_t middle = low + (high - low + 1) / 2, count = count_reaching(key, n, (int32_t)middle);
        if (count < k) {
            high = middle - 1;
        } else {
            low = middle;
            if (count <= enough) {
                break;
            }
        }
    }
    return (int32_t)low;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte of a word is its lowest");

/* Bit j: byte j, all of which are 0 or 1. */
static uint64_t bits_of(const uint8_t hit[HITS]) {
    uint64_t bits = 0;
    for (int j = 0; j < HITS; j += 8) {
        uint64_t eight;
        memcpy(&eight, hit + j, sizeof eight);
        bits |= (eight * 0x0102040810204080u >> 56) << j;
    }
    return bits;
}

/* Columns that reach the bar into candidate and value, ascending; returns how many. */
static int64_t collect(selection *s, int32_t bar) {
    const int32_t *restrict key = s->key; /* bytes may alias anything, and then the loop is no vector code */
    uint8_t *restrict hit = s->hit;
    const int64_t n = s->n;
    int64_t count = 0;
    for (int64_t j = 0; j < n; j++) {
        hit[j] = key[j] >= bar;
    }
    memset(hit + n, 0, HITS);
    for (int64_t j = 0; j < n; j += HITS) {
        for (uint64_t hits = bits_of(hit + j); hits; hits &= hits - 1) {
            const int64_t c = j + __builtin_ctzll(hits);
            s->candidate[count] = (int32_t)c;
            s->value[count++] = key[c];
        }
    }
    return count;
}

/* Cut the candidates to the k highest, the lower columns where the last are equal. */
static void cut(selection *s, int64_t count) {
    const int32_t bar = bar_for(s->value, count, s->k, s->k);
    int64_t ties = s->k - (bar < INT32_MAX ? count_reaching(s->value, count, bar + 1) : 0), kept = 0;
    for (int64_t c = 0; c < count; c++) {
        const int32_t x = s->value[c];
        if (x > bar || (x == bar && ties-- > 0)) {
            s->candidate[kept] = s->candidate[c];
            s->value[kept++] = x;
        }
    }
    assert(kept == s->k);
}

static void write_in_order(const selection *s, const float *score, int32_t current, int32_t *column, float *chosen) {
    const int32_t *restrict value = s->value;
    int32_t have_current = current < 0;
    for (int64_t i = 0; i < s->k; i++) {
        const int32_t x = value[i];
        int32_t rank = 0;
        for (int64_t j = 0; j < i; j++) {
            rank += value[j] >= x;
        }
        for (int64_t j = i + 1; j < s->k; j++) {
            rank += value[j] > x;
        }
        column[rank] = s->candidate[i];
        chosen[rank] = score[s->candidate[i]];
        have_current |= s->candidate[i] == current;
    }
    if (!have_current) {
        column[s->k - 1] = current;
        chosen[s->k - 1] = score[current];
    }
}

void hiss_lap_select(const hiss_lap_rows *rows, const double *price, const int32_t *current, int64_t k, int32_t *column,
                     float *score, void *work) {
    selection s = {0};
    assert(!rows->column && k >= 1 && k <= rows->n);
    lay_out(&s, rows->n, k, work);
    for (int64_t j = 0; j < s.n; j++) {
        s.price[j] = (float)price[j];
    }
    for (int64_t i = 0; i < rows->m; i++) {
        const float *row = rows->score + i * rows->ld;
        make_keys(&s, row);
        cut(&s, collect(&s, bar_for(s.top, s.groups, k, k + k / 8)));
        write_in_order(&s, row, current ? current[i] : -1, column + i * k, score + i * k);
    }
}

void assign_select_fine(int64_t n, const float *score, const double *price, double best, int64_t k, int32_t *column,
                        float *chosen, void *work) {
    selection s = {0};
    lay_out(&s, n, k, work);
    memset(s.price, 0, (size_t)n * sizeof *s.price);
    for (int64_t j = 0; j < n; j++) {
        s.reduced[j] = (float)((double)score[j] - price[j] - best);
    }
    make_keys(&s, s.reduced);
    cut(&s, collect(&s, bar_for(s.top, s.groups, k, k + k / 8)));
    write_in_order(&s, score, -1, column, chosen);
}
