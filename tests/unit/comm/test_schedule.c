/* The reducer's schedule for many numbers of ranks and groups: every float has one owner, every group one keeper
 * of it, the owner keeps its own, and the number of messages falls as it should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "comm/tree_impl.h"
#include "hiss/alloc.h"
#include "hiss/comm.h"

enum { BUCKETS = 3 };
static const int64_t bucket_offsets[BUCKETS + 1] = {0, 7, 100000, 300001};

static void check_group(const comm_plan *s, int index) {
    comm_group g;
    comm_group_make(&g, s, index);
    assert_true(g.first == s->group_offsets[index] && g.end == s->group_offsets[index + 1] && g.end > g.first);
    int64_t slice = 0;
    for (int b = 0; b < BUCKETS; b++) {
        int keeper = -1;
        for (int64_t c = g.chunk_offsets[b]; c < g.chunk_offsets[b + 1]; c++) {
            const comm_chunk *chunk = &g.chunks[c];
            assert_true(chunk->first_slice == slice && chunk->end_slice > slice && chunk->bucket == b);
            assert_true(chunk->keeper >= g.first && chunk->keeper < g.end && chunk->keeper >= keeper);
            keeper = chunk->keeper;
            for (; slice < chunk->end_slice; slice++) {
                const int owner = s->slices[slice].owner;
                assert_int_equal(comm_plan_keeper(s, index, owner), keeper);
                assert_true(s->slices[slice].bucket == b && (s->group_of[owner] != index || owner == keeper));
            }
        }
        assert_int_equal(slice, s->slice_offsets[b + 1]);
    }
    comm_group_free(&g);
}

static void check_plan(int size, int groups, const int *group_offsets) {
    comm_plan s;
    int64_t *lanes = hiss_new(int64_t, size + 1), at = 0;
    hiss_partition(2 * size + 1, size, lanes);
    comm_plan_make(&s, size, groups, group_offsets, 2 * size + 1, lanes, BUCKETS, bucket_offsets, true, 4096);
    for (int64_t i = 0; i < s.slice_offsets[BUCKETS]; i++) {
        assert_true(s.slices[i].begin == at && s.slices[i].end > at && s.slices[i].end <= at + 4096);
        at = s.slices[i].end;
    }
    assert_int_equal(at, bucket_offsets[BUCKETS]);
    for (int index = 0; index < s.groups; index++) {
        check_group(&s, index);
    }
    comm_plan_free(&s);
    hiss_free(lanes);
}

static void every_float_has_an_owner_and_keepers(void **state) {
    (void)state;
    for (int size = 1; size <= 70; size += size < 20 ? 1 : 7) {
        int offsets[71];
        for (int group = 0; group <= size + 1; group += group < 6 ? 1 : 9) {
            const int groups = comm_plan_groups(size, group, offsets);
            assert_true(group == 0 || groups == (size + group - 1) / group || group > size);
            check_plan(size, groups, offsets);
        }
        int node[70]; /* of 3, 1, 5, 3, 1, 5 ... ranks */
        for (int rank = 0; rank < size; rank++) {
            node[rank] = rank / 9 * 3 + (rank % 9 >= 3) + (rank % 9 >= 4);
        }
        check_plan(size, comm_plan_nodes(size, node, offsets), offsets);
    }
    assert_int_equal(hiss_alloc_live(), 0);
}

static void nodes_are_runs_of_ranks_and_pay_where_they_save_messages(void **state) {
    (void)state;
    int offsets[9];
    assert_int_equal(comm_plan_nodes(8, (const int[]){0, 0, 0, 7, 2, 2, 0, 0}, offsets), 4);
    assert_memory_equal(offsets, ((const int[]){0, 3, 4, 6, 8}), 5 * sizeof(int));
    assert_int_equal(comm_plan_nodes(1, (const int[]){5}, offsets), 1);
    assert_int_equal(comm_plan_nodes(4, (const int[]){0, 1, 0, 1}, offsets), 4); /* ranks dealt to nodes in turns */
    assert_false(comm_plan_nodes_pay(1, 1));
    assert_true(comm_plan_nodes_pay(2, 1));
    assert_false(comm_plan_nodes_pay(4, 4));
    assert_true(comm_plan_nodes_pay(5, 4));
    assert_true(comm_plan_nodes_pay(1024, 32));
    assert_true(comm_plan_nodes_pay(1024, 63));
    assert_false(comm_plan_nodes_pay(1024, 512));
}

static int chosen(int size) {
    int *offsets = hiss_new(int, size + 1);
    comm_plan_groups(size, 0, offsets);
    const int group = offsets[1];
    hiss_free(offsets);
    return group;
}

static void few_ranks_have_no_groups_and_many_have_about_their_root(void **state) {
    (void)state;
    assert_int_equal(chosen(1), 1);
    assert_int_equal(chosen(32), 1);
    assert_int_equal(chosen(64), 8);
    assert_int_equal(chosen(100), 8);
    assert_int_equal(chosen(1024), 32);
    assert_int_equal(chosen(4096), 64);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_float_has_an_owner_and_keepers),
        cmocka_unit_test(nodes_are_runs_of_ranks_and_pay_where_they_save_messages),
        cmocka_unit_test(few_ranks_have_no_groups_and_many_have_about_their_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
