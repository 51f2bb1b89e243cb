/* The canonical tree, against its definition by (level, index) nodes written out recursively. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "comm/tree_impl.h"

enum { MOST_LANES = 21, TEXT = 4096 };

/* The association as text, "((0+1)+2)", of the node (level, index): equal texts mean equal bits. */
static void write_node(int64_t lanes, int level, int64_t index, char *text) {
    int64_t first = index << level;
    if (level == 0) {
        snprintf(text, TEXT, "%d", (int)first);
        return;
    }
    if (first + ((int64_t)1 << (level - 1)) >= lanes) {
        write_node(lanes, level - 1, 2 * index, text);
        return;
    }
    char *left = malloc(TEXT), *right = malloc(TEXT);
    write_node(lanes, level - 1, 2 * index, left);
    write_node(lanes, level - 1, 2 * index + 1, right);
    assert_true(snprintf(text, TEXT, "(%s+%s)", left, right) < TEXT);
    free(left);
    free(right);
}

static void add_text(char *into, const char *from) {
    char *both = malloc(TEXT);
    assert_true(snprintf(both, TEXT, "(%s+%s)", into, from) < TEXT);
    strcpy(into, both);
    free(both);
}

/* Do all additions that fit into [first, end), then compact to the range's roots. */
static int64_t reduce_range(int64_t lanes, int64_t first, int64_t end, char (*texts)[TEXT], int64_t *roots) {
    for (int level = 0; level < comm_tree_height(lanes); level++) {
        for (int64_t lane = first; lane < end; lane++) {
            if (lane > 0 && comm_tree_level(lane) == level && comm_tree_within(lanes, lane, first, end)) {
                add_text(texts[comm_tree_parent(lane)], texts[lane]);
            }
        }
    }
    return comm_tree_roots(lanes, first, end, roots);
}

static void any_cut_gives_the_same_association(void **state) {
    (void)state;
    static char texts[MOST_LANES][TEXT], packed[MOST_LANES][TEXT], expected[TEXT];
    srand(7);
    for (int64_t lanes = 1; lanes <= MOST_LANES; lanes++) {
        write_node(lanes, comm_tree_height(lanes), 0, expected);
        for (int trial = 0; trial < 60; trial++) {
            int64_t roots[MOST_LANES], into[MOST_LANES], from[MOST_LANES], n = 0;
            for (int64_t lane = 0; lane < lanes; lane++) {
                snprintf(texts[lane], TEXT, "%d", (int)lane);
            }
            for (int64_t first = 0, end; first < lanes; first = end) {
                end = first + 1 + rand() % (lanes - first);
                n += reduce_range(lanes, first, end, texts, roots + n);
            }
            for (int64_t i = 0; i < n; i++) {
                strcpy(packed[i], texts[roots[i]]);
            }
            assert_int_equal(comm_tree_additions(lanes, 0, lanes, n, roots, into, from), n - 1);
            for (int64_t i = 0; i < n - 1; i++) {
                add_text(packed[into[i]], packed[from[i]]);
            }
            assert_string_equal(packed[0], expected);
        }
    }
}

static void roots_are_the_lanes_whose_addition_leaves_the_range(void **state) {
    (void)state;
    for (int64_t lanes = 1; lanes <= 40; lanes++) {
        for (int64_t first = 0; first <= lanes; first++) {
            for (int64_t end = first; end <= lanes; end++) {
                int64_t roots[100], n = comm_tree_roots(lanes, first, end, roots), at = 0;
                for (int64_t lane = first; lane < end; lane++) {
                    if (lane == 0 || !comm_tree_within(lanes, lane, first, end)) {
                        assert_true(at < n);
                        assert_int_equal(roots[at++], lane);
                    }
                }
                assert_int_equal(at, n);
                assert_true(n <= 2 * comm_tree_height(lanes) + 1);
            }
        }
    }
}

static void even_powers_of_two_send_one_subtree(void **state) {
    (void)state;
    for (int64_t first = 0; first < 64; first += 8) {
        assert_int_equal(comm_tree_roots(64, first, first + 8, NULL), 1);
    }
    assert_int_equal(comm_tree_roots(13, 0, 13, NULL), 1);
    assert_int_equal(comm_tree_roots(13, 12, 13, NULL), 1);
    assert_int_equal(comm_tree_roots(13, 3, 8, NULL), 2);
}

/* Vectors alive when `missing` (a bit set) of the lanes [first, started) have not arrived and all else is added. */
static int64_t alive(int64_t lanes, int64_t first, int64_t started, unsigned missing) {
    int64_t n = 0;
    for (int64_t lane = first; lane < started; lane++) {
        bool in_flight = missing >> (lane - first) & 1;
        bool merged = false;
        if (lane > 0 && !in_flight && comm_tree_within(lanes, lane, first, started)) {
            int64_t width = (int64_t)1 << comm_tree_level(lane);
            merged = true;
            for (int64_t other = lane - width; other < lane + width && other < started; other++) {
                merged = merged && !(missing >> (other - first) & 1);
            }
        }
        n += !merged;
    }
    return n;
}

/* The most over all moments: the lanes [first, started) have started, at most `threads` of them are in flight, among
 * these the last one that started. */
static int64_t most_alive(int64_t lanes, int64_t first, int64_t end, int threads) {
    int64_t most = 0;
    for (int64_t started = first + 1; started <= end; started++) {
        const unsigned newest = 1u << (started - first - 1);
        for (unsigned missing = newest; missing < 2 * newest; missing++) {
            const int64_t n = __builtin_popcount(missing) <= threads ? alive(lanes, first, started, missing) : 0;
            most = n > most ? n : most;
        }
    }
    return most;
}

static void slots_are_the_most_that_any_pattern_in_flight_needs(void **state) {
    (void)state;
    for (int64_t lanes = 1; lanes <= 13; lanes++) {
        for (int64_t first = 0; first < lanes; first++) {
            for (int64_t end = first + 1; end <= lanes; end++) {
                for (int threads = 1; threads <= 5; threads++) {
                    assert_int_equal(comm_tree_slots(lanes, first, end, threads),
                                     most_alive(lanes, first, end, threads));
                }
            }
        }
    }
    assert_int_equal(comm_tree_slots(8, 0, 8, 1), 4);
    assert_int_equal(comm_tree_slots(1024, 0, 1024, 1), 11);
    assert_int_equal(comm_tree_slots(64, 0, 64, 100), 64);
    assert_int_equal(comm_tree_slots(64, 5, 5, 2), 0); /* a rank without lanes */
}

/* Orders in which a lane starts before at most `ahead` earlier ones, and ends at any time: never more than that many
 * vectors more. */
static void lanes_ahead_take_one_slot_each(void **state) {
    (void)state;
    srand(11);
    for (int trial = 0; trial < 20000; trial++) {
        const int64_t lanes = 1 + rand() % 14, first = rand() % lanes, end = first + 1 + rand() % (lanes - first);
        const int threads = 1 + rand() % 4, ahead = rand() % 5;
        unsigned absent = (1u << (end - first)) - 1, flying = 0; /* absent: not started, or in flight */
        unsigned waiting = absent;
        while (waiting) {
            if (flying && (__builtin_popcount(flying) == threads || rand() % 2)) {
                const unsigned lane = 1u << rand() % (end - first);
                absent &= flying & lane ? ~lane : ~0u;
                flying &= ~lane;
                continue;
            }
            const int lowest = __builtin_ctz(waiting);
            const unsigned lane = 1u << (lowest + rand() % (ahead + 1));
            if (waiting & lane) {
                waiting &= ~lane;
                flying |= lane;
            }
            const int64_t vectors = alive(lanes, first, end, absent) - __builtin_popcount(waiting);
            assert_true(vectors <= comm_tree_slots(lanes, first, end, threads) + ahead);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_cut_gives_the_same_association),
        cmocka_unit_test(roots_are_the_lanes_whose_addition_leaves_the_range),
        cmocka_unit_test(even_powers_of_two_send_one_subtree),
        cmocka_unit_test(slots_are_the_most_that_any_pattern_in_flight_needs),
        cmocka_unit_test(lanes_ahead_take_one_slot_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
