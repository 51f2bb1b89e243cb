/* The reducer's schedule for many numbers of ranks and group sizes: every float has one owner, every group one keeper
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
    assert_true(g.first == index * s->group_size && g.end > g.first && g.end <= s->size);
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
                assert_true(s->slices[slice].bucket == b && (owner / s->group_size != index || owner == keeper));
            }
        }
        assert_int_equal(slice, s->slice_offsets[b + 1]);
    }
    comm_group_free(&g);
}

static void every_float_has_an_owner_and_keepers(void **state) {
    (void)state;
    for (int size = 1; size <= 70; size += size < 20 ? 1 : 7) {
        for (int group = 0; group <= size + 1; group += group < 6 ? 1 : 9) {
            comm_plan s;
            int64_t *lanes = hiss_new(int64_t, size + 1), at = 0;
            hiss_partition(2 * size + 1, size, lanes);
            comm_plan_make(&s, size, group, 2 * size + 1, lanes, BUCKETS, bucket_offsets, true, 4096);
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
    }
    assert_int_equal(hiss_alloc_live(), 0);
}

static int chosen(int size) {
    comm_plan s;
    int64_t *lanes = hiss_new(int64_t, size + 1);
    hiss_partition(size, size, lanes);
    comm_plan_make(&s, size, 0, size, lanes, BUCKETS, bucket_offsets, true, 4096);
    const int group = s.group_size;
    comm_plan_free(&s);
    hiss_free(lanes);
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
        cmocka_unit_test(few_ranks_have_no_groups_and_many_have_about_their_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
