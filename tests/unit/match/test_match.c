/* Parts of the exchange that are no messages: when rows travel as lists, and what a coordinator makes of what came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hiss/alloc.h"
#include "hiss/match.h"
#include "hiss/rng.h"

static int64_t chosen(hiss_match_rows rows, int64_t N, int64_t m, int64_t k) {
    return hiss_match_lists(rows, N, m, k).k;
}

static void lists_travel_where_they_halve_what_is_sent(void **state) {
    (void)state;
    assert_int_equal(chosen(HISS_MATCH_AUTO, 256, 32, 48), 48);
    assert_int_equal(chosen(HISS_MATCH_AUTO, 128, 32, 48), 0);
    assert_int_equal(chosen(HISS_MATCH_TOPK, 128, 32, 48), 48);
    assert_int_equal(chosen(HISS_MATCH_TOPK, 64, 32, 100), 63);
    assert_int_equal(chosen(HISS_MATCH_DENSE, 2048, 32, 48), 0);
    assert_int_equal(chosen(HISS_MATCH_TOPK, 32, 32, 48), 0); /* of one lane: nothing travels */
    for (int64_t N = 64; N <= 4096; N *= 2) {
        const hiss_lists l = hiss_match_lists(HISS_MATCH_TOPK, N, 32, 48);
        assert_int_equal(chosen(HISS_MATCH_AUTO, N, 32, 48) > 0, 2 * (hiss_lists_words(&l) + 2 * N + 32) < 32 * N);
    }
}

/* What lanes sent before may have been longer than their scores: then these stand apart. */
static void scores_with_gaps_are_the_same_scores(void **state) {
    (void)state;
    enum { LANES = 3, M = 4, N = LANES * M, GAP = 7, STRIDE = M * N + GAP };
    const hiss_lists whole = {0};
    hiss_match_solver *s = hiss_match_solver_create(hiss_lap_solver_named("lapjv"), &whole, N, M, 1);
    hiss_match_solver_reserve(s, 1, false);
    float close[N * N], apart[LANES * STRIDE];
    int32_t column[2][N];
    hiss_rng rng = hiss_rng_keyed(1, HISS_FOR_TESTS, 0, 0);
    hiss_rng_normals(&rng, N * N, close);
    hiss_rng_normals(&rng, LANES * STRIDE, apart);
    for (int j = 0; j < LANES; j++) {
        memcpy(apart + j * STRIDE, close + j * M * N, sizeof(float) * M * N);
    }
    for (int k = 0; k < 2; k++) {
        hiss_match_block block = {.sent = HISS_MATCH_SCORES,
                                  .lanes = LANES,
                                  .words = k ? apart : close,
                                  .stride = k ? STRIDE : M * N,
                                  .columns = column[k]};
        hiss_match_reply reply = HISS_MATCH_MORE;
        double gap = 1.0;
        hiss_error err = {0};
        for (int i = 0; i < N; i++) {
            column[k][i] = i;
        }
        assert_int_equal(hiss_match_solve(s, 0, &block, &reply, &gap, &err), HISS_OK);
        assert_int_equal(reply, HISS_MATCH_COLUMNS);
        assert_true(gap < 1e-6);
    }
    assert_memory_equal(column[0], column[1], sizeof column[0]);
    hiss_match_solver_destroy(s);
    assert_int_equal(hiss_alloc_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists_travel_where_they_halve_what_is_sent),
                                       cmocka_unit_test(scores_with_gaps_are_the_same_scores)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
