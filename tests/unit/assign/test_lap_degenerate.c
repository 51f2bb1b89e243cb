/* Problems in which rows, columns or scores hardly differ: every solver keeps its promise, and its work is bounded.
 * Work is counted by the solvers' own iterations, not by the clock. */
#include "lap_support.h"

enum { N = 640, DEGENERATE = 20 };

static const char *const name_of[DEGENERATE] = {"equal rows",          "rows + 1e-3",
                                                "rows + 1e-6",         "rows + 1e-7",
                                                "rows + 1e-8",         "equal columns",
                                                "columns + 1e-3",      "columns + 1e-7",
                                                "0, 1 or 2",           "0 or 1",
                                                "all equal",           "constant + 1e-6",
                                                "constant + few ulps", "repeated rows + 1e-6",
                                                "one huge score",      "row + column",
                                                "row + column + 1e-6", "row x column",
                                                "distances",           "agreed order, falling gains"};

static float entry(int kind, int64_t i, int64_t j, const float *a, const float *b, uint64_t *state) {
    const float noise = normal(state);
    switch (kind) {
    case 0:
        return b[j];
    case 1:
        return b[j] + 1e-3f * noise;
    case 2:
        return b[j] + 1e-6f * noise;
    case 3:
        return b[j] + 1e-7f * noise;
    case 4:
        return b[j] + 1e-8f * noise;
    case 5:
        return a[i];
    case 6:
        return a[i] + 1e-3f * noise;
    case 7:
        return a[i] + 1e-7f * noise;
    case 8:
        return (float)(next_word(state) % 3);
    case 9:
        return (float)(next_word(state) % 2);
    case 10:
        return 0.7f;
    case 11:
        return 1 + 1e-6f * noise;
    case 12:
        return 1 + 1e-7f * noise;
    case 13:
        return b[(j + i % 16 * 131) % N] + 1e-6f * noise;
    case 14:
        return i == 3 && j == 5 ? 1e30f : noise;
    case 15:
        return a[i] + b[j];
    case 16:
        return a[i] + b[j] + 1e-6f * noise;
    case 17:
        return (1 + 1e-2f * a[i]) * (1 + 1e-2f * b[j]);
    case 18:
        return -fabsf(a[i] - b[j]);
    default: /* the best pair of all rows is the same column, and so on: greedy passes on at every step */
        return (float)((i + 1) * (N - j)) / N;
    }
}

static hiss_lap make_degenerate(int kind, uint64_t *state) {
    float *score = hiss_new(float, N *N), a[N], b[N];
    for (int64_t i = 0; i < N; i++) {
        a[i] = normal(state);
        b[i] = normal(state);
    }
    for (int64_t i = 0; i < N; i++) {
        for (int64_t j = 0; j < N; j++) {
            score[i * N + j] = entry(kind, i, j, a, b, state);
        }
    }
    return (hiss_lap){N, score, N};
}

/* Iterations per row, at most: whole rows read, lists and rows read, bids, lists made. lapjv is the one whose work
 * grows with n, where all rows rank the columns alike: N / 2 rows read per row. */
static const struct {
    const char *name;
    int64_t most;
} bounds[] = {{"lapjv", N}, {"sparse", 160}, {"auto", 160}, {"auction", 200}, {"greedy", 9}};

static void work_is_bounded_and_answers_are_proved(void **unused) {
    (void)unused;
    uint64_t state = 1;
    int32_t start[N], answer[N];
    double u[N], v[N];
    for (int kind = 0; kind < DEGENERATE; kind++) {
        const hiss_lap lap = make_degenerate(kind, &state);
        double optimum = NAN;
        shuffle(N, start, &state);
        for (size_t s = 0; s < sizeof bounds / sizeof *bounds; s++) {
            memcpy(answer, start, sizeof start);
            const hiss_lap_report report = solve(bounds[s].name, &lap, answer, u, v);
            if (report.iterations > bounds[s].most * N) {
                fail_msg("%s: %s took %.1f iterations per row, expected %d at most", name_of[kind], bounds[s].name,
                         (double)report.iterations / N, (int)bounds[s].most);
            }
            if (s < 3) {
                assert_certified(&lap, answer, u, v, name_of[kind]);
                optimum = s == 0 ? report.total : optimum;
                assert_true(fabs(report.total - optimum) <= 1e-14 * N * magnitude(&lap));
            }
            assert_true(report.total >= report.before);
            assert_true(report.total <= optimum + 1e-14 * N * magnitude(&lap));
        }
        hiss_free((void *)(uintptr_t)lap.score);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(work_is_bounded_and_answers_are_proved)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
