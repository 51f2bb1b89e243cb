/* Lists that travel: what is packed, that the bound of what they leave out holds, and that repeating ends at the
 * optimum. */
#include <stdbool.h>

#include "lap_support.h"

enum { STRIDE_MORE = 5 };

typedef struct packed {
    hiss_lists l;
    int64_t stride;
    int32_t *words;
    float *price;
    int32_t *column;
    double *dual;
    void *pack_work, *solve_work;
} packed;

static packed open_packed(int64_t n, int64_t m, int64_t k) {
    packed p = {.l = {.n = n, .m = m, .k = k}};
    p.stride = hiss_lists_words(&p.l) + STRIDE_MORE;
    p.words = hiss_new(int32_t, n / m * p.stride);
    p.price = hiss_new(float, n);
    p.column = hiss_new(int32_t, n);
    p.dual = hiss_new(double, n);
    p.pack_work = hiss_alloc((size_t)hiss_lists_pack_bytes(&p.l));
    p.solve_work = hiss_alloc((size_t)hiss_lists_solve_bytes(&p.l));
    return p;
}

static void close_packed(packed *p) {
    hiss_free(p->words);
    hiss_free(p->price);
    hiss_free(p->column);
    hiss_free(p->dual);
    hiss_free(p->pack_work);
    hiss_free(p->solve_work);
}

static void pack_all(packed *p, const float *score) {
    for (int64_t part = 0; part < p->l.n / p->l.m; part++) {
        const int64_t row = part * p->l.m;
        hiss_lists_pack(&p->l, score + row * p->l.n, p->price, p->column + row, p->words + part * p->stride,
                        p->pack_work);
    }
}

static hiss_lap_report solve_all(packed *p) {
    hiss_lap_report report = {0};
    hiss_error err = {0};
    if (hiss_lists_solve(&p->l, p->words, p->stride, p->price, p->column, p->dual, p->solve_work, &report, &err) !=
        HISS_OK) {
        fail_msg("%s", err.text);
    }
    return report;
}

static double best_total(const float *score, int64_t n) {
    const hiss_lap_solver *solver = hiss_lap_solver_named("lapjv");
    int32_t *column = hiss_new(int32_t, n);
    void *work = hiss_alloc((size_t)solver->work_bytes(n));
    hiss_lap_report report;
    hiss_error err = {0};
    for (int64_t i = 0; i < n; i++) {
        column[i] = (int32_t)i;
    }
    assert_int_equal(solver->solve(&(hiss_lap){n, score, n}, column, NULL, NULL, work, &report, &err), HISS_OK);
    hiss_free(column);
    hiss_free(work);
    return report.total;
}

static void begin(packed *p, const float *score) {
    double *sum = hiss_new(double, p->l.n);
    hiss_error err = {0};
    for (int64_t row = 0; row < p->l.n; row += p->l.m) {
        const hiss_lap_rows rows = {
            .m = p->l.m, .n = p->l.n, .width = p->l.n, .ld = p->l.n, .score = score + row * p->l.n};
        assert_int_equal(hiss_lap_add_maxima(&rows, sum, &err), HISS_OK);
    }
    for (int64_t j = 0; j < p->l.n; j++) {
        p->price[j] = (float)(sum[j] / (double)(p->l.n / p->l.m * hiss_lap_groups(p->l.m)));
        p->column[j] = (int32_t)j;
    }
    hiss_free(sum);
}

/* Thresholds: no column outside of a list has a higher profit, and the bound is close to what there is. */
static void check_packed(const packed *p, const float *score) {
    const int64_t n = p->l.n, m = p->l.m, k = p->l.k;
    for (int64_t i = 0; i < n; i++) {
        const float *limit = (const float *)p->words + i / m * p->stride, *listed = limit + m + i % m * k;
        const uint16_t *column = (const uint16_t *)(limit + m + m * k) + i % m * k;
        bool inside[512] = {false}, current = false;
        for (int64_t e = 0; e < k; e++) {
            assert_true(column[e] < n && !inside[column[e]]);
            assert_true(listed[e] == score[i * n + column[e]]);
            inside[column[e]] = true;
            current |= column[e] == p->column[i];
        }
        assert_true(current);
        for (int64_t j = 0; j < n; j++) {
            assert_true(inside[j] || (double)score[i * n + j] - (double)p->price[j] <= (double)limit[i % m]);
        }
    }
}

static void test_bound_holds(void **state) {
    (void)state;
    uint64_t seed = 11;
    for (int kind = 0; kind < KINDS; kind++) {
        if (kind == 7 || kind == 8) { /* scores that floats cannot tell apart from their prices */
            continue;
        }
        for (int trial = 0; trial < 40; trial++) {
            const int64_t m = 1 + (int64_t)(next_word(&seed) % 7), n = m * (int64_t)(1 + next_word(&seed) % 14);
            if (n < 3) {
                continue;
            }
            const int64_t k = 2 + (int64_t)(next_word(&seed) % (uint64_t)(n - 2));
            const hiss_lap lap = make(kind, n, n, &seed);
            const double best = best_total(lap.score, n), close = 1e-5 * (1.0 + fabs(best)) + 1e-5 * (double)n;
            packed p = open_packed(n, m, k);
            begin(&p, lap.score);
            double total = -INFINITY;
            hiss_lap_report report = {0};
            for (int round = 0; round < 6; round++) {
                pack_all(&p, lap.score);
                check_packed(&p, lap.score);
                report = solve_all(&p);
                assert_true(report.total <= best + close); /* kind 9 has scores of 1e7, n of them */
                assert_true(report.dual >= best - close * (kind == 9 ? 1e2 : 1.0));
                assert_true(report.total >= total - close); /* never worse than before */
                total = report.total;
                for (int64_t j = 0; j < n; j++) {
                    p.price[j] = (float)p.dual[j];
                }
            }
            close_packed(&p);
            hiss_free((void *)lap.score);
        }
    }
}

/* Features as networks give them: a second round proves the optimum, from lists that are far too short at first. */
static void test_rounds_end(void **state) {
    (void)state;
    uint64_t seed = 5;
    for (int collapsed = 0; collapsed < 2; collapsed++) {
        const int64_t n = 384, m = 32;
        float *score = hiss_new(float, n *n);
        fill_cosines(n, n, 16, collapsed, 0.3f, score, &seed);
        const double best = best_total(score, n);
        packed p = open_packed(n, m, 16);
        begin(&p, score);
        hiss_lap_report report = {0};
        int rounds = 0;
        do {
            pack_all(&p, score);
            report = solve_all(&p);
            for (int64_t j = 0; j < n; j++) {
                p.price[j] = (float)p.dual[j];
            }
            rounds++;
        } while (rounds < 5 && report.dual - report.total > 1e-4 * report.total);
        assert_true(rounds > 1 && rounds < 5);
        assert_true(report.total > (1.0 - 1e-4) * best && report.total <= best + 1e-6);
        assert_true(report.dual >= best - 1e-4);
        close_packed(&p);
        hiss_free(score);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bound_holds), cmocka_unit_test(test_rounds_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
