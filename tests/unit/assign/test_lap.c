/* Assignment solvers: exhaustive optima, dual certificates, invariances, ties, bad input. */
#include <stdbool.h>
#include <stdio.h>

#include "lap_support.h"

static const char *const exact[] = {"lapjv", "sparse"};

static void exact_solvers_find_the_exhaustive_optimum(void **unused) {
    (void)unused;
    uint64_t state = 1;
    for (int trial = 0; trial < 3000; trial++) {
        int64_t n = 1 + trial % 9, ld = n + (int64_t)(next_word(&state) % 4);
        hiss_lap lap = make(trial / 9 % KINDS, n, ld, &state);
        int32_t answer[9], start[9];
        double u[9], v[9];
        shuffle(n, start, &state);
        memcpy(answer, start, sizeof answer);
        hiss_lap_report report = solve(exact[trial % 2], &lap, answer, u, v);
        double optimum = exhaustive(&lap), tolerance = 1e-14 * (double)n * magnitude(&lap);
        if (!(fabs(report.total - optimum) <= tolerance)) {
            fail_msg("%s, n = %d: total %.17g, optimum %.17g", kind_name[trial / 9 % KINDS], (int)n, report.total,
                     optimum);
        }
        assert_true(report.total >= report.before);
        assert_true(fabs(report.dual - optimum) <= 10 * tolerance);
        assert_certified(&lap, answer, u, v, kind_name[trial / 9 % KINDS]);
        if (report.total == report.before) {
            assert_memory_equal(answer, start, (size_t)n * sizeof *answer);
        }
        hiss_free((void *)(uintptr_t)lap.score);
    }
}

static void exact_solvers_are_certified_and_repeatable(void **unused) {
    (void)unused;
    static const int64_t sizes[] = {31, 32, 33, 64, 100, 257, 500};
    uint64_t state = 2;
    for (int run = 0; run < 2 * KINDS; run++) {
        const int kind = run / 2;
        const char *name = exact[run % 2];
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            int64_t n = sizes[k];
            hiss_lap lap = make(kind, n, n + 5, &state);
            int32_t *answer = hiss_new(int32_t, 3 * n), *again = answer + n, *start = answer + 2 * n;
            double *u = hiss_new(double, n), *v = hiss_new(double, n);
            shuffle(n, start, &state);
            memcpy(answer, start, (size_t)n * sizeof *answer);
            memcpy(again, start, (size_t)n * sizeof *answer);
            hiss_lap_report report = solve(name, &lap, answer, u, v);
            assert_certified(&lap, answer, u, v, kind_name[kind]);
            assert_true(report.total == hiss_lap_certify(&lap, answer, u, v).total);
            assert_true(report.before == hiss_lap_certify(&lap, start, u, v).total);
            assert_true(report.total >= report.before);
            hiss_lap_report second = solve(name, &lap, again, NULL, NULL);
            assert_memory_equal(answer, again, (size_t)n * sizeof *answer);
            assert_memory_equal(&report, &second, sizeof report);
            hiss_free((void *)(uintptr_t)lap.score);
            hiss_free(answer);
            hiss_free(u);
            hiss_free(v);
        }
    }
}

/* -1e30 and less for pairs that must not be: the rest is solved as exactly as without them. */
static void forbidden_pairs_cost_no_precision(void **unused) {
    (void)unused;
    uint64_t state = 10;
    for (int trial = 0; trial < 400; trial++) {
        int64_t n = trial < 380 ? 2 + trial % 8 : 300;
        const float forbidden = trial % 2 ? -1e30f : -3e38f;
        hiss_lap lap = make(0, n, n, &state);
        float *score = (float *)(uintptr_t)lap.score;
        int32_t *answer = hiss_new(int32_t, n), *feasible = hiss_new(int32_t, n);
        double *u = hiss_new(double, n), *v = hiss_new(double, n);
        shuffle(n, feasible, &state);
        for (int64_t i = 0; i < n; i++) {
            for (int64_t j = 0; j < n; j++) {
                if (feasible[i] != j && uniform(&state) < (n < 10 ? 0.5 : 0.95)) {
                    score[i * n + j] = forbidden;
                }
            }
        }
        shuffle(n, answer, &state);
        hiss_lap_report report = solve(exact[trial / 2 % 2], &lap, answer, u, v);
        hiss_lap_certificate c = hiss_lap_certify(&lap, answer, u, v);
        if (!(c.total > -1e6 && fabs(c.gap) <= 1e-9 && c.worst_violation <= 1e-9)) {
            fail_msg("trial %d, n = %d: total %g, gap %g, violation %g", trial, (int)n, c.total, c.gap,
                     c.worst_violation);
        }
        if (n < 10) {
            assert_true(fabs(report.total - exhaustive(&lap)) <= 1e-9);
        }
        hiss_free(score);
        hiss_free(answer);
        hiss_free(feasible);
        hiss_free(u);
        hiss_free(v);
    }
}

static void large_problems_are_certified(void **unused) {
    (void)unused;
    static const int kinds[] = {0, 1, 2, 4, 5};
    uint64_t state = 3;
    for (int run = 0; run < 10; run++) {
        const int k = run / 2;
        int64_t n = 2048;
        hiss_lap lap = make(kinds[k], n, n, &state);
        int32_t *answer = hiss_new(int32_t, n);
        double *u = hiss_new(double, n), *v = hiss_new(double, n);
        shuffle(n, answer, &state);
        hiss_lap_report report = solve(exact[run % 2], &lap, answer, u, v);
        assert_certified(&lap, answer, u, v, kind_name[kinds[k]]);
        assert_true(report.iterations < 100 * n);
        hiss_free((void *)(uintptr_t)lap.score);
        hiss_free(answer);
        hiss_free(u);
        hiss_free(v);
    }
}

/* Mean cosine of a best match of independent random features: figures measured with another solver. */
static void chance_level_is_as_published(void **unused) {
    (void)unused;
    static const struct {
        int64_t n, d;
        double cosine;
    } known[] = {{256, 32, 0.450}, {1024, 32, 0.522}, {64, 2048, 0.0475}, {256, 2048, 0.0583}};
    uint64_t state = 4;
    for (int k = 0; k < 4; k++) {
        int64_t n = known[k].n;
        float *score = hiss_new(float, n *n);
        int32_t *answer = hiss_new(int32_t, n);
        fill_cosines(n, n, known[k].d, 0, 1, score, &state);
        shuffle(n, answer, &state);
        hiss_lap_report report = solve("lapjv", &(hiss_lap){n, score, n}, answer, NULL, NULL);
        double cosine = report.total / (double)n;
        if (!(fabs(cosine - known[k].cosine) <= 0.03 * known[k].cosine)) {
            fail_msg("n = %d, d = %d: mean cosine %g, expected %g", (int)n, (int)known[k].d, cosine, known[k].cosine);
        }
        hiss_free(score);
        hiss_free(answer);
    }
}

/* Shifts that are exact in float move every total alike. */
static void shifts_keep_the_optimum(void **unused) {
    (void)unused;
    enum { N = 120 };
    uint64_t state = 5;
    float *score = hiss_new(float, N *N), *shifted = hiss_new(float, N *N);
    double sum = 0;
    int32_t answer[N], other[N];
    float row[N], column[N];
    for (int i = 0; i < N; i++) {
        row[i] = (float)(next_word(&state) % 1000);
        column[i] = (float)(next_word(&state) % 1000);
        sum += (double)row[i] + (double)column[i];
    }
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            score[i * N + j] = (float)(next_word(&state) % 8192) / 4096;
            shifted[i * N + j] = score[i * N + j] + row[i] + column[j];
        }
    }
    shuffle(N, answer, &state);
    memcpy(other, answer, sizeof answer);
    hiss_lap plain = {N, score, N}, moved = {N, shifted, N};
    double u[N], v[N];
    hiss_lap_report a = solve("lapjv", &plain, answer, u, v), b = solve("lapjv", &moved, other, NULL, NULL);
    assert_true(a.total + sum == b.total);
    assert_certified(&plain, other, u, v, "shifted");
    hiss_free(score);
    hiss_free(shifted);
}

static void permuting_rows_and_columns_permutes_the_answer(void **unused) {
    (void)unused;
    enum { N = 150 };
    uint64_t state = 6;
    for (int kind = 0; kind < 6; kind += 5) {
        hiss_lap lap = make(kind, N, N, &state);
        float *permuted = hiss_new(float, N *N);
        int32_t p[N], q[N], answer[N], other[N];
        shuffle(N, p, &state);
        shuffle(N, q, &state);
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < N; j++) {
                permuted[p[i] * N + q[j]] = lap.score[i * N + j];
            }
        }
        shuffle(N, answer, &state);
        shuffle(N, other, &state);
        solve("lapjv", &lap, answer, NULL, NULL);
        solve("lapjv", &(hiss_lap){N, permuted, N}, other, NULL, NULL);
        for (int i = 0; i < N; i++) {
            assert_int_equal(other[p[i]], q[answer[i]]);
        }
        hiss_free((void *)(uintptr_t)lap.score);
        hiss_free(permuted);
    }
}

static void ties_keep_the_assignment_passed_in(void **unused) {
    (void)unused;
    enum { N = 90 };
    uint64_t state = 7;
    int32_t start[N], answer[N], reversed[N];
    for (int s = 0; hiss_lap_solvers()[s]; s++) {
        hiss_lap constant = make(2, N, N, &state);
        shuffle(N, start, &state);
        memcpy(answer, start, sizeof answer);
        hiss_lap_report report = solve(hiss_lap_solvers()[s]->name, &constant, answer, NULL, NULL);
        assert_memory_equal(answer, start, sizeof answer);
        assert_true(report.total == report.before);
        hiss_free((void *)(uintptr_t)constant.score);
    }
    /* Two different optima of one tied problem, the second by solving it upside down: each is kept. */
    hiss_lap tied = make(1, N, N, &state);
    float *upside_down = hiss_new(float, N *N);
    for (int i = 0; i < N; i++) {
        memcpy(upside_down + i * N, tied.score + (N - 1 - i) * N, N * sizeof *upside_down);
    }
    shuffle(N, start, &state);
    memcpy(answer, start, sizeof answer);
    memcpy(reversed, start, sizeof answer);
    solve("lapjv", &tied, answer, NULL, NULL);
    solve("lapjv", &(hiss_lap){N, upside_down, N}, reversed, NULL, NULL);
    for (int i = 0; i < N; i++) {
        start[i] = reversed[N - 1 - i];
    }
    assert_memory_not_equal(start, answer, sizeof answer);
    memcpy(reversed, answer, sizeof answer);
    solve("lapjv", &tied, reversed, NULL, NULL);
    assert_memory_equal(reversed, answer, sizeof answer);
    memcpy(reversed, start, sizeof answer);
    solve("lapjv", &tied, reversed, NULL, NULL);
    assert_memory_equal(reversed, start, sizeof answer);
    hiss_free((void *)(uintptr_t)tied.score);
    hiss_free(upside_down);
}

/* The definition, read literally. */
static void naive_greedy(const hiss_lap *lap, int32_t *column_of_row) {
    bool taken[64] = {false};
    for (int64_t i = 0; i < lap->n; i++) {
        column_of_row[i] = -1;
    }
    for (int64_t step = 0; step < lap->n; step++) {
        int64_t row = -1, column = -1;
        for (int64_t i = 0; i < lap->n; i++) {
            for (int64_t j = 0; j < lap->n && column_of_row[i] < 0; j++) {
                if (!taken[j] && (row < 0 || lap->score[i * lap->ld + j] > lap->score[row * lap->ld + column])) {
                    row = i;
                    column = j;
                }
            }
        }
        column_of_row[row] = (int32_t)column;
        taken[column] = true;
    }
}

static void greedy_is_greedy_and_between_input_and_optimum(void **unused) {
    (void)unused;
    uint64_t state = 8;
    for (int trial = 0; trial < 400; trial++) {
        int64_t n = 1 + trial % 40;
        hiss_lap lap = make(trial % KINDS, n, n + 1, &state);
        int32_t start[64], answer[64], best[64], naive[64];
        double u[64], v[64];
        shuffle(n, start, &state);
        memcpy(answer, start, sizeof answer);
        memcpy(best, start, sizeof best);
        hiss_lap_report greedy = solve("greedy", &lap, answer, u, v);
        assert_true(isnan(greedy.dual) && isnan(u[n - 1]) && isnan(v[n - 1]));
        hiss_lap_report optimal = solve("lapjv", &lap, best, u, v);
        assert_true(greedy.total >= greedy.before);
        assert_true(greedy.total <= optimal.total + 1e-14 * (double)n * magnitude(&lap));
        assert_true(hiss_lap_certify(&lap, answer, u, v).is_permutation);
        naive_greedy(&lap, naive);
        assert_memory_equal(answer, greedy.total > greedy.before ? naive : start, (size_t)n * sizeof *answer);
        hiss_free((void *)(uintptr_t)lap.score);
    }
}

static void certificate_refuses_what_is_wrong(void **unused) {
    (void)unused;
    const float score[4] = {3, 1, 1, 3};
    hiss_lap lap = {2, score, 2};
    const double u[2] = {3, 3}, v[2] = {0, 0}, low[2] = {2.5, 3};
    const int32_t best[2] = {0, 1}, worse[2] = {1, 0}, twice[2] = {1, 1}, outside[2] = {0, 2};
    hiss_lap_certificate c = hiss_lap_certify(&lap, best, u, v);
    assert_true(c.is_permutation && c.gap == 0 && c.worst_violation == 0 && c.total == 6 && c.dual == 6);
    assert_true(hiss_lap_certify(&lap, worse, u, v).gap == 4);
    assert_true(hiss_lap_certify(&lap, best, low, v).worst_violation == 0.5);
    assert_false(hiss_lap_certify(&lap, twice, u, v).is_permutation);
    assert_false(hiss_lap_certify(&lap, outside, u, v).is_permutation);
    assert_true(isnan(hiss_lap_certify(&lap, twice, u, v).gap));
}

/* A total near 0, one that is 0, and one without scores: a share stays a number from 0 to 1. */
static void a_share_is_of_the_scores_where_their_total_cancels(void **unused) {
    (void)unused;
    static const struct {
        double gap, total, size, share;
    } cases[] = {{1e-2, 4, 4, 2.5e-3},    {1e-2, -4, 4, 2.5e-3}, {1e-2, 0, 8, 1e-2},          {1e-2, 1e-12, 8, 1e-2},
                 {1e-2, -1e-12, 8, 1e-2}, {0, 0, 0, 0},          {-1e-17, 0, 0, 0},           {-1e-17, 3, 3, 0},
                 {1e-17, 0, 0, 1},        {5, 1, 1, 1},          {5e-324, 5e-324, 5e-324, 1}, {INFINITY, 1, 1, 1}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const double share = hiss_lap_share(cases[k].gap, cases[k].total, cases[k].size);
        if (!(fabs(share - cases[k].share) <= 1e-15)) {
            fail_msg("case %d: a share of %.17g, expected %.17g", (int)k, share, cases[k].share);
        }
    }
    assert_true(isnan(hiss_lap_share(NAN, 1, 1)) && isnan(hiss_lap_share(1, NAN, NAN)));
}

/* Every solver, whether it improves on what it was given or not. The best scores of kind 4 are made to cancel. */
static void every_solver_reports_the_size_of_its_scores(void **unused) {
    (void)unused;
    enum { N = 200 };
    uint64_t state = 31;
    for (int s = 0; hiss_lap_solvers()[s]; s++) {
        for (int kind = 0; kind < KINDS; kind++) {
            hiss_lap lap = make(kind, N, N, &state);
            float *score = (float *)(uintptr_t)lap.score;
            int32_t answer[N];
            double u[N], v[N];
            shuffle(N, answer, &state);
            const double mean = solve("lapjv", &lap, answer, NULL, NULL).total / N;
            for (int64_t p = 0; kind == 4 && p < (int64_t)N * N; p++) {
                score[p] -= (float)mean;
            }
            for (int again = 0; again < 2; again++) {
                const hiss_lap_report report = solve(hiss_lap_solvers()[s]->name, &lap, answer, u, v);
                double size = 0;
                for (int64_t i = 0; i < N; i++) {
                    size += fabs((double)score[i * N + answer[i]]);
                }
                const double share = hiss_lap_share(report.dual - report.total, report.total, report.size);
                assert_true(fabs(report.size - size) <= 1e-12 * size);
                assert_true(hiss_lap_certify(&lap, answer, u, v).size == size);
                assert_true(isnan(report.dual) ? isnan(share) : share >= 0 && share <= 1e-3);
            }
            hiss_free(score);
        }
    }
}

/* A power of two changes no digit of a score, so it may change no decision either: tolerances are relative. */
static void the_unit_of_scores_does_not_matter(void **unused) {
    (void)unused;
    enum { N = 120, EXPONENT = 60 };
    uint64_t state = 32;
    for (int s = 0; hiss_lap_solvers()[s]; s++) {
        for (int kind = 0; kind < KINDS; kind++) {
            hiss_lap lap = make(kind, N, N, &state);
            float *score = (float *)(uintptr_t)lap.score;
            if (magnitude(&lap) > 1e9) { /* no room for a unit that is larger or smaller */
                hiss_free(score);
                continue;
            }
            int32_t start[N], answer[N], scaled[N];
            shuffle(N, start, &state);
            memcpy(answer, start, sizeof start);
            const double total = solve(hiss_lap_solvers()[s]->name, &lap, answer, NULL, NULL).total;
            for (int exponent = -EXPONENT; exponent <= EXPONENT; exponent += 2 * EXPONENT) {
                for (int64_t p = 0; p < (int64_t)N * N; p++) {
                    score[p] = ldexpf(score[p], exponent);
                }
                memcpy(scaled, start, sizeof start);
                assert_true(solve(hiss_lap_solvers()[s]->name, &lap, scaled, NULL, NULL).total ==
                            ldexp(total, exponent));
                assert_memory_equal(scaled, answer, sizeof answer);
                for (int64_t p = 0; p < (int64_t)N * N; p++) {
                    score[p] = ldexpf(score[p], -exponent);
                }
            }
            hiss_free(score);
        }
    }
}

static void bad_input_is_named_and_changes_nothing(void **unused) {
    (void)unused;
    enum { N = 40 };
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    uint64_t state = 9;
    for (int s = 0; hiss_lap_solvers()[s]; s++) {
        const hiss_lap_solver *solver = hiss_lap_solvers()[s];
        void *work = hiss_alloc((size_t)solver->work_bytes(N));
        int32_t answer[N], start[N];
        hiss_error err;
        shuffle(N, start, &state);
        memcpy(answer, start, sizeof start);
        for (int k = 0; k < 3; k++) {
            hiss_lap lap = make(0, N, N, &state);
            float *score = (float *)(uintptr_t)lap.score;
            score[33 * N + 7] = bad[k];
            score[35 * N + 2] = bad[k];
            assert_int_equal(solver->solve(&lap, answer, NULL, NULL, work, NULL, &err), HISS_EUSER);
            assert_non_null(strstr(err.text, "row 33, column 7"));
            hiss_free(score);
        }
        const float one = 1;
        assert_int_equal(solver->solve(&(hiss_lap){0, &one, 1}, answer, NULL, NULL, work, NULL, &err), HISS_EUSER);
        assert_int_equal(solver->solve(&(hiss_lap){32769, &one, 32769}, answer, NULL, NULL, work, NULL, &err),
                         HISS_EUSER);
        assert_non_null(strstr(err.text, "32769"));
        assert_memory_equal(answer, start, sizeof start);
        hiss_free(work);
    }
}

static void solvers_are_found_by_name(void **unused) {
    (void)unused;
    char names[256] = "";
    for (int s = 0; hiss_lap_solvers()[s]; s++) {
        const hiss_lap_solver *solver = hiss_lap_solvers()[s];
        assert_ptr_equal(hiss_lap_solver_named(solver->name), solver);
        snprintf(names + strlen(names), sizeof names - strlen(names), "|%s", solver->name);
    }
    assert_string_equal(names, hiss_lap_solver_choices);
    assert_null(hiss_lap_solver_named("simplex"));
}

/* auto answers like one of the exact solvers, for every size, and needs no more than it says. */
static void auto_answers_like_the_solver_it_picks(void **unused) {
    (void)unused;
    static const int64_t sizes[] = {1, 2, 40, 63, 64, 511, 512, 600};
    uint64_t state = 11;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const int64_t n = sizes[k];
        hiss_lap lap = make(4, n, n, &state);
        int32_t *answer = hiss_new(int32_t, 3 * n), *dense = answer + n, *lists = answer + 2 * n;
        shuffle(n, answer, &state);
        memcpy(dense, answer, (size_t)n * sizeof *answer);
        memcpy(lists, answer, (size_t)n * sizeof *answer);
        double *u = hiss_new(double, n), *v = hiss_new(double, n);
        solve("auto", &lap, answer, u, v);
        assert_certified(&lap, answer, u, v, "auto");
        solve("lapjv", &lap, dense, NULL, NULL);
        solve("sparse", &lap, lists, NULL, NULL);
        assert_true(memcmp(answer, dense, (size_t)n * sizeof *answer) == 0 ||
                    memcmp(answer, lists, (size_t)n * sizeof *answer) == 0);
        hiss_free((void *)(uintptr_t)lap.score);
        hiss_free(answer);
        hiss_free(u);
        hiss_free(v);
    }
}

static int no_leaks(void **unused) {
    (void)unused;
    return hiss_alloc_live() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_solvers_find_the_exhaustive_optimum),
        cmocka_unit_test(exact_solvers_are_certified_and_repeatable),
        cmocka_unit_test(forbidden_pairs_cost_no_precision),
        cmocka_unit_test(large_problems_are_certified),
        cmocka_unit_test(chance_level_is_as_published),
        cmocka_unit_test(shifts_keep_the_optimum),
        cmocka_unit_test(permuting_rows_and_columns_permutes_the_answer),
        cmocka_unit_test(ties_keep_the_assignment_passed_in),
        cmocka_unit_test(greedy_is_greedy_and_between_input_and_optimum),
        cmocka_unit_test(certificate_refuses_what_is_wrong),
        cmocka_unit_test(a_share_is_of_the_scores_where_their_total_cancels),
        cmocka_unit_test(every_solver_reports_the_size_of_its_scores),
        cmocka_unit_test(the_unit_of_scores_does_not_matter),
        cmocka_unit_test(bad_input_is_named_and_changes_nothing),
        cmocka_unit_test(solvers_are_found_by_name),
        cmocka_unit_test(auto_answers_like_the_solver_it_picks),
    };
    return cmocka_run_group_tests(tests, NULL, no_leaks);
}
