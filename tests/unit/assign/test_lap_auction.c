/* The auction: proven gaps, epsilon, warm prices, lists, and rounds that do not depend on who makes them. */
#include "lap_support.h"

static hiss_lap_rows whole(const hiss_lap *lap) {
    return (hiss_lap_rows){0, lap->n, lap->n, lap->n, lap->ld, lap->score, NULL};
}

static hiss_lap_report run(const hiss_lap_rows *rows, const hiss_auction_options *options, int32_t *answer,
                           double *price, double *row_dual) {
    const size_t bytes = (size_t)hiss_auction_work_bytes(rows->n);
    unsigned char *work = hiss_alloc(bytes + CANARY);
    memset(work, 0xA5, bytes + CANARY);
    hiss_lap_report report;
    hiss_error err = {0};
    if (hiss_auction_solve(rows, options, answer, price, row_dual, work, &report, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    for (int c = 0; c < CANARY; c++) {
        assert_int_equal(work[bytes + (size_t)c], 0xA5);
    }
    hiss_free(work);
    return report;
}

static void start_prices(const hiss_lap *lap, double *price) {
    const hiss_lap_rows rows = whole(lap);
    memset(price, 0, (size_t)lap->n * sizeof *price);
    assert_int_equal(hiss_lap_add_maxima(&rows, price, NULL), HISS_OK);
    for (int64_t j = 0; j < lap->n; j++) {
        price[j] /= (double)hiss_lap_groups(lap->n);
    }
}

static void the_gap_is_proved_and_small(void **unused) {
    (void)unused;
    static const int64_t centres[] = {0, 50, 1}, sizes[] = {1, 2, 33, 257, 1024};
    static const float spread[] = {1, 0.5f, 0.3f};
    uint64_t state = 1;
    for (int t = 0; t < 15; t++) {
        const int64_t n = sizes[t / 3];
        float *score = hiss_new(float, n *n);
        int32_t *answer = hiss_new(int32_t, 2 * n), *best = answer + n;
        double *u = hiss_new(double, n), *v = hiss_new(double, n);
        fill_cosines(n, n, 32, centres[t % 3], spread[t % 3], score, &state);
        const hiss_lap lap = {n, score, n};
        shuffle(n, answer, &state);
        memcpy(best, answer, (size_t)n * sizeof *answer);
        const double optimum = solve("lapjv", &lap, best, NULL, NULL).total;
        const hiss_lap_report report = solve("auction", &lap, answer, u, v);
        const hiss_lap_certificate c = hiss_lap_certify(&lap, answer, u, v);
        assert_true(c.is_permutation && c.worst_violation <= 1e-14);
        assert_true(report.total <= optimum + 1e-12 * (double)n);
        assert_true(fabs(c.gap - (report.dual - report.total)) <= 1e-12 * (double)n);
        assert_true(c.gap <= 5e-4 * fabs(optimum) + 1e-14);
        hiss_free(score);
        hiss_free(answer);
        hiss_free(u);
        hiss_free(v);
    }
}

/* Every kind of problem: a permutation, feasible duals, the stated gap, the same again. */
static void any_problem_is_solved_to_its_gap(void **unused) {
    (void)unused;
    uint64_t state = 2;
    for (int trial = 0; trial < 300; trial++) {
        const int kind = trial % KINDS;
        const int64_t n = trial < 280 ? 1 + trial % 30 : 200;
        hiss_lap lap = make(kind, n, n + 1, &state);
        int32_t *answer = hiss_new(int32_t, 2 * n), *again = answer + n;
        double *u = hiss_new(double, n), *v = hiss_new(double, n), size = 0;
        shuffle(n, answer, &state);
        memcpy(again, answer, (size_t)n * sizeof *answer);
        const hiss_lap_report report = solve("auction", &lap, answer, u, v),
                              second = solve("auction", &lap, again, u, v);
        const hiss_lap_certificate c = hiss_lap_certify(&lap, answer, u, v);
        for (int64_t i = 0; i < n; i++) {
            size += fabs((double)lap.score[i * lap.ld + answer[i]]);
        }
        assert_memory_equal(&report, &second, sizeof report);
        assert_memory_equal(answer, again, (size_t)n * sizeof *answer);
        assert_true(c.is_permutation && report.total >= report.before);
        if (!(c.worst_violation <= 1e-12 * magnitude(&lap) &&
              c.gap <= 5e-4 * fmax(fabs(c.total), size / 8) + 1e-12 * (double)n * magnitude(&lap))) {
            fail_msg("%s, n = %d: violation %g, gap %g of %g", kind_name[kind], (int)n, c.worst_violation, c.gap, size);
        }
        hiss_free((void *)(uintptr_t)lap.score);
        hiss_free(answer);
        hiss_free(u);
        hiss_free(v);
    }
}

/* The stopping rule to the letter: gap * max(|total|, sum of absolute scores / 8). */
static void a_total_that_cancels_is_measured_by_its_parts(void **unused) {
    (void)unused;
    enum { N = 4 };
    static const double held[][N] = {
        {1, 1, 1, 1}, {1, -1, 1, -1}, {1, -1, 1, -1 + 1e-9}, {-3, 1, 1, 0.5}, {2, 1, -1, -1}};
    static const double scale[] = {4, 0.5, 0.5, 5.5 / 8, 1};
    const double price[N] = {0};
    for (size_t k = 0; k < sizeof scale / sizeof *scale; k++) {
        for (int above = 0; above < 2; above++) {
            const double gap = 1e-2 * scale[k] * (above ? 1.001 : 0.999);
            int32_t row_of[N] = {0, 1, 2, 3}, column_of[N] = {0, 1, 2, 3};
            double profit[N];
            hiss_lap_report report;
            memcpy(profit, held[k], sizeof profit);
            profit[0] += gap;
            const double next = hiss_auction_phase(N, &(hiss_auction_options){.gap = 1e-2}, 0, profit, held[k], price,
                                                   row_of, column_of, &report);
            assert_true(above ? next > 0 : next == 0);
        }
    }
}

/* Constants added to rows move every total alike; where the best one comes to nothing, the auction ends all the
 * same. */
static void a_best_total_of_zero_is_reached(void **unused) {
    (void)unused;
    enum { N = 300 };
    uint64_t state = 12;
    hiss_lap lap = make(4, N, N, &state);
    float *score = (float *)(uintptr_t)lap.score;
    int32_t answer[N];
    double u[N], v[N], size = 0;
    shuffle(N, answer, &state);
    const double mean = solve("lapjv", &lap, answer, NULL, NULL).total / N;
    for (int64_t p = 0; p < N * N; p++) {
        score[p] -= (float)mean;
    }
    const double optimum = solve("lapjv", &lap, answer, u, v).total;
    shuffle(N, answer, &state);
    const hiss_lap_report report = solve("auction", &lap, answer, u, v);
    for (int64_t i = 0; i < N; i++) {
        size += fabs((double)score[i * N + answer[i]]);
    }
    assert_true(fabs(optimum) < 1e-3 && size > 1);
    assert_true(report.iterations < 50 * N && report.dual >= optimum - 1e-9);
    assert_true(report.dual - report.total <= 5e-4 * size / 8);
    hiss_free(score);
}

/* Integer scores and n epsilon < 1: the optimum itself. */
static void epsilon_bounds_what_is_lost(void **unused) {
    (void)unused;
    uint64_t state = 3;
    for (int trial = 0; trial < 60; trial++) {
        const int64_t n = 1 + trial % 50;
        float *score = hiss_new(float, n *n);
        int32_t answer[50], best[50];
        double price[50] = {0}, u[50];
        for (int64_t p = 0; p < n * n; p++) {
            score[p] = (float)(next_word(&state) % 40);
        }
        const hiss_lap lap = {n, score, n};
        const hiss_lap_rows rows = whole(&lap);
        shuffle(n, answer, &state);
        memcpy(best, answer, sizeof best);
        const double optimum = solve("lapjv", &lap, best, NULL, NULL).total;
        const hiss_auction_options exact = {.epsilon = 0.9 / (double)n, .jacobi = trial % 2}, coarse = {.epsilon = 0.3};
        const hiss_lap_report report = run(&rows, &exact, answer, price, u);
        assert_true(report.total == optimum);
        assert_true(report.dual - report.total <= 0.9 + 1e-9);
        shuffle(n, answer, &state);
        memset(price, 0, sizeof price);
        const hiss_lap_report other = run(&rows, &coarse, answer, price, u);
        assert_true(other.total >= optimum - 0.3 * (double)n && other.dual - other.total <= 0.3 * (double)n + 1e-9);
        hiss_free(score);
    }
}

static void warm_prices_save_bids(void **unused) {
    (void)unused;
    enum { N = 400 };
    uint64_t state = 4;
    hiss_lap lap = make(4, N, N, &state);
    const hiss_lap_rows rows = whole(&lap);
    int32_t answer[N];
    double price[N] = {0}, started[N];
    start_prices(&lap, started);
    shuffle(N, answer, &state);
    const int64_t from_zero = run(&rows, NULL, answer, price, NULL).iterations;
    shuffle(N, answer, &state);
    const int64_t from_start = run(&rows, NULL, answer, started, NULL).iterations;
    assert_true(from_start < from_zero);
    shuffle(N, answer, &state);
    assert_true(run(&rows, NULL, answer, price, NULL).iterations < from_zero);
    assert_int_equal(run(&rows, NULL, answer, price, NULL).iterations, 0);
    hiss_free((void *)(uintptr_t)lap.score);
}

static void lists_of_all_columns_bid_like_dense_rows(void **unused) {
    (void)unused;
    enum { N = 120 };
    uint64_t state = 5;
    for (int kind = 0; kind < KINDS; kind++) {
        hiss_lap lap = make(kind, N, N + 4, &state);
        int32_t *column = hiss_new(int32_t, N * N), dense[N], lists[N];
        float *score = hiss_new(float, N *N);
        double a[N] = {0}, b[N] = {0}, u[N];
        for (int i = 0; i < N; i++) {
            shuffle(N, column + i * N, &state);
            for (int e = 0; e < N; e++) {
                score[i * N + e] = lap.score[i * lap.ld + column[i * N + e]];
            }
        }
        const hiss_lap_rows rows = whole(&lap), listed = {0, N, N, N, N, score, column};
        shuffle(N, dense, &state);
        memcpy(lists, dense, sizeof dense);
        const hiss_auction_options options = {.jacobi = kind % 2};
        const hiss_lap_report first = run(&rows, &options, dense, a, u);
        const hiss_lap_report second = run(&listed, &options, lists, b, u);
        assert_memory_equal(dense, lists, sizeof dense);
        assert_memory_equal(a, b, sizeof a);
        assert_memory_equal(&first, &second, sizeof first);
        hiss_free((void *)(uintptr_t)lap.score);
        hiss_free(column);
        hiss_free(score);
    }
}

/* Lists of 10 in which the column passed in is the only way out for many rows. */
static void short_lists_are_solved_to_their_gap(void **unused) {
    (void)unused;
    enum { N = 300, K = 10 };
    uint64_t state = 6;
    for (int kind = 3; kind < 6; kind++) {
        hiss_lap lap = make(kind, N, N, &state);
        int32_t column[N * K], answer[N], best[N];
        float score[N * K];
        double price[N], u[N], v[N];
        void *work = hiss_alloc((size_t)hiss_lap_select_work_bytes(N, K));
        void *search = hiss_alloc((size_t)hiss_sparse_work_bytes(N, K));
        const hiss_lap_rows rows = whole(&lap);
        shuffle(N, answer, &state);
        memcpy(best, answer, sizeof best);
        start_prices(&lap, price);
        memcpy(v, price, sizeof v);
        hiss_lap_select(&rows, price, answer, K, column, score, work);
        hiss_lap_report optimal;
        const hiss_sparse_lap sparse = {N, K, column, score};
        assert_int_equal(hiss_sparse_solve(&sparse, best, v, NULL, search, &optimal, NULL), HISS_OK);
        const hiss_lap_rows lists = {0, N, N, K, K, score, column};
        const hiss_lap_report report = run(&lists, NULL, answer, price, u);
        assert_true(report.total <= optimal.total + 1e-9 && report.dual >= optimal.total - 1e-9);
        assert_true(report.dual - report.total <= 5e-4 * fabs(report.total) + 1e-9);
        hiss_free(work);
        hiss_free(search);
        hiss_free((void *)(uintptr_t)lap.score);
    }
}

/* The auction as `parts` ranks would run it: each makes bids of its rows, all are awarded in a shuffled order. */
static void run_in_parts(const hiss_lap *lap, int parts, int32_t *column_of, double *price, hiss_lap_report *report,
                         uint64_t *state) {
    const int64_t n = lap->n;
    int32_t *row_of = hiss_new(int32_t, n), *order = hiss_new(int32_t, n);
    double *profit = hiss_new(double, n), *held = hiss_new(double, n), epsilon = 0;
    hiss_bid *bids = hiss_new(hiss_bid, n), *mixed = hiss_new(hiss_bid, n);
    for (int32_t i = 0; i < n; i++) {
        row_of[column_of[i]] = i;
    }
    for (;;) {
        for (int64_t i = 0; i < n; i++) {
            held[i] = (double)lap->score[i * lap->ld + column_of[i]];
        }
        for (int p = 0; p < parts; p++) {
            const int64_t first = n * p / parts, m = n * (p + 1) / parts - first;
            const hiss_lap_rows rows = {first, m, n, n, lap->ld, lap->score + first * lap->ld, NULL};
            hiss_lap_price_out(&rows, price, profit + first);
        }
        epsilon = hiss_auction_phase(n, NULL, epsilon, profit, held, price, row_of, column_of, report);
        if (epsilon == 0) {
            break;
        }
        for (int64_t count = 1; count > 0;) {
            count = 0;
            for (int p = 0; p < parts; p++) {
                const int64_t first = n * p / parts, m = n * (p + 1) / parts - first;
                const hiss_lap_rows rows = {first, m, n, n, lap->ld, lap->score + first * lap->ld, NULL};
                count += hiss_auction_bids(&rows, price, epsilon, column_of, bids + count);
            }
            shuffle(count, order, state);
            for (int64_t b = 0; b < count; b++) {
                mixed[order[b]] = bids[b];
            }
            hiss_auction_award(count / 2, mixed, price, row_of, column_of);
            hiss_auction_award(count - count / 2, mixed + count / 2, price, row_of, column_of);
        }
    }
    hiss_free(row_of);
    hiss_free(order);
    hiss_free(profit);
    hiss_free(held);
    hiss_free(bids);
    hiss_free(mixed);
}

static void rounds_do_not_depend_on_the_partition(void **unused) {
    (void)unused;
    uint64_t state = 7;
    for (int kind = 0; kind < 6; kind++) {
        const int64_t n = 150;
        hiss_lap lap = make(kind, n, n + 2, &state);
        const hiss_lap_rows rows = whole(&lap);
        const hiss_auction_options jacobi = {.jacobi = 1};
        int32_t start[150], serial[150], parted[150];
        double price[150], shared[150];
        shuffle(n, start, &state);
        memcpy(serial, start, sizeof start);
        start_prices(&lap, price);
        const hiss_lap_report report = run(&rows, &jacobi, serial, price, NULL);
        for (int parts = 1; parts <= 7; parts++) {
            hiss_lap_report other;
            memcpy(parted, start, sizeof start);
            start_prices(&lap, shared);
            run_in_parts(&lap, parts, parted, shared, &other, &state);
            assert_memory_equal(shared, price, sizeof price);
            assert_true(other.dual == report.dual);
            if (other.total > report.before) {
                assert_true(other.total == report.total);
                assert_memory_equal(parted, serial, sizeof serial);
            }
        }
        hiss_free((void *)(uintptr_t)lap.score);
    }
}

/* Wide rounds of two phases, then lists under their prices: exact where start prices alone are of little use. */
static void wide_rounds_prepare_lists(void **unused) {
    (void)unused;
    enum { N = 1024, K = 128 };
    uint64_t state = 9;
    float *score = hiss_new(float, N *N), *listed = hiss_new(float, N *K);
    int32_t *column = hiss_new(int32_t, N * K), *column_of = hiss_new(int32_t, N), *row_of = hiss_new(int32_t, N);
    double *price = hiss_new(double, N), *profit = hiss_new(double, N), *held = hiss_new(double, N), epsilon = 0;
    hiss_bid *bids = hiss_new(hiss_bid, N);
    fill_cosines(N, N, 3, 1, 0.3f, score, &state);
    const hiss_lap lap = {N, score, N};
    const hiss_lap_rows rows = whole(&lap);
    hiss_lap_report report;
    start_prices(&lap, price);
    shuffle(N, column_of, &state);
    for (int32_t i = 0; i < N; i++) {
        row_of[column_of[i]] = i;
    }
    for (int phase = 0; phase < 2; phase++) {
        hiss_lap_price_out(&rows, price, profit);
        for (int i = 0; i < N; i++) {
            held[i] = (double)score[i * N + column_of[i]];
        }
        epsilon = hiss_auction_phase(N, NULL, epsilon, profit, held, price, row_of, column_of, &report);
        assert_true(epsilon > 0);
        for (int64_t count = N; count >= N / 64;) {
            count = hiss_auction_bids(&rows, price, epsilon, column_of, bids);
            hiss_auction_award(count, bids, price, row_of, column_of);
        }
        hiss_auction_fill(N, row_of, column_of);
        for (int32_t i = 0; i < N; i++) {
            assert_int_equal(row_of[column_of[i]], i);
        }
    }
    void *work = hiss_alloc((size_t)hiss_lap_select_work_bytes(N, K));
    void *search = hiss_alloc((size_t)hiss_sparse_work_bytes(N, K));
    hiss_lap_select(&rows, price, column_of, K, column, listed, work);
    const hiss_sparse_lap lists = {N, K, column, listed};
    assert_int_equal(hiss_sparse_solve(&lists, column_of, price, NULL, search, &report, NULL), HISS_OK);
    hiss_lap_price_out(&rows, price, profit);
    assert_certified(&lap, column_of, profit, price, "wide rounds, then lists");
    hiss_free(work);
    hiss_free(search);
    hiss_free(score);
    hiss_free(listed);
    hiss_free(column);
    hiss_free(column_of);
    hiss_free(row_of);
    hiss_free(price);
    hiss_free(profit);
    hiss_free(held);
    hiss_free(bids);
}

static void the_best_bid_wins_and_of_equals_the_lower_row(void **unused) {
    (void)unused;
    static const hiss_bid bids[] = {{2, 4, 1}, {3, 5, 1}, {3, 2, 1}, {3, 3, 1}, {1, 0, 0}};
    static const int orders[][5] = {{0, 1, 2, 3, 4}, {4, 3, 2, 1, 0}, {2, 0, 4, 3, 1}, {3, 1, 4, 0, 2}};
    for (int o = 0; o < 4; o++) {
        double price[3] = {0.5, 1, 7};
        int32_t row_of[3] = {-1, 1, 6}, column_of[7] = {-1, 1, -1, -1, -1, -1, 2};
        for (int b = 0; b < 5; b++) {
            hiss_auction_award(1, &bids[orders[o][b]], price, row_of, column_of);
        }
        assert_true(price[0] == 1 && price[1] == 3 && price[2] == 7);
        assert_true(row_of[0] == 0 && row_of[1] == 2 && row_of[2] == 6);
        static const int32_t expected[7] = {0, -1, 1, -1, -1, -1, 2};
        assert_memory_equal(column_of, expected, sizeof expected);
    }
}

static void bad_input_and_too_many_bids_are_errors(void **unused) {
    (void)unused;
    enum { N = 30 };
    uint64_t state = 8;
    hiss_lap lap = make(0, N, N, &state);
    const hiss_lap_rows rows = whole(&lap);
    int32_t answer[N], start[N];
    double price[N] = {0};
    hiss_error err = {0};
    void *work = hiss_alloc((size_t)hiss_auction_work_bytes(N));
    shuffle(N, start, &state);
    memcpy(answer, start, sizeof start);
    for (int jacobi = 0; jacobi < 2; jacobi++) {
        const hiss_auction_options few = {.max_bids = 40, .epsilon = 1e-9, .jacobi = jacobi};
        assert_int_equal(hiss_auction_solve(&rows, &few, answer, price, NULL, work, NULL, &err), HISS_EUSER);
        assert_non_null(strstr(err.text, "rows are still free after"));
        assert_non_null(strstr(err.text, "sparse or lapjv"));
        assert_memory_equal(answer, start, sizeof start);
    }
    answer[3] = answer[4];
    assert_int_equal(hiss_auction_solve(&rows, NULL, answer, price, NULL, work, NULL, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "expected a permutation"));
    memcpy(answer, start, sizeof start);
    ((float *)(uintptr_t)lap.score)[5 * N + 6] = INFINITY;
    assert_int_equal(hiss_auction_solve(&rows, NULL, answer, price, NULL, work, NULL, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "row 5, column 6"));
    assert_memory_equal(answer, start, sizeof start);
    const int32_t column[2] = {0, 0}, identity[2] = {0, 1};
    const float score[2] = {1, 2};
    const hiss_lap_rows lists = {0, 2, 2, 1, 1, score, column};
    int32_t two[2];
    memcpy(two, identity, sizeof identity);
    assert_int_equal(hiss_auction_solve(&lists, NULL, two, price, NULL, work, NULL, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "list does not contain"));
    hiss_free(work);
    hiss_free((void *)(uintptr_t)lap.score);
}

static int no_leaks(void **unused) {
    (void)unused;
    return hiss_alloc_live() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gap_is_proved_and_small),
        cmocka_unit_test(any_problem_is_solved_to_its_gap),
        cmocka_unit_test(a_total_that_cancels_is_measured_by_its_parts),
        cmocka_unit_test(a_best_total_of_zero_is_reached),
        cmocka_unit_test(epsilon_bounds_what_is_lost),
        cmocka_unit_test(warm_prices_save_bids),
        cmocka_unit_test(lists_of_all_columns_bid_like_dense_rows),
        cmocka_unit_test(short_lists_are_solved_to_their_gap),
        cmocka_unit_test(rounds_do_not_depend_on_the_partition),
        cmocka_unit_test(wide_rounds_prepare_lists),
        cmocka_unit_test(the_best_bid_wins_and_of_equals_the_lower_row),
        cmocka_unit_test(bad_input_and_too_many_bids_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, no_leaks);
}
