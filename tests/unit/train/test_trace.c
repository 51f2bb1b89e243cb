/* What a trace says, of three ranks whose steps are made up, and the file of awkward names. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hiss/alloc.h"
#include "hiss/file.h"
#include "train/trace_impl.h"

enum { STEP, FORWARD, BACKWARD, SOLVE, WAIT, BUCKET, LOAD, BLOCK, UPDATE, NAMES };
static const hiss_trace_name name[NAMES] = {
    [STEP] = {"step", "step", "", HISS_TRACE_STEP},
    [FORWARD] = {"conv1 conv2d", "lane", "", HISS_TRACE_FORWARD},
    [BACKWARD] = {"conv1 conv2d", "lane", "", HISS_TRACE_BACKWARD},
    [SOLVE] = {"solve \"x\\y\"", "block", "", HISS_TRACE_ASSIGN},
    [WAIT] = {"finish reduction", "", "", HISS_TRACE_REDUCE_WAIT},
    [BUCKET] = {"bucket", "bucket", "", HISS_TRACE_BUCKET},
    [LOAD] = {"load", "", "", HISS_TRACE_LOAD},
    [BLOCK] = {"block", "block", "last", HISS_TRACE_BLOCK},
    [UPDATE] = {"update", "", "", HISS_TRACE_UPDATE},
};
static const hiss_trace_row row[1] = {{"main thread"}};
enum { RANKS = 3, STEPS = 4, MOST = 64 };
static hiss_trace_span span[RANKS][MOST];

/* A step of 100 ms: 10 to load, 20 forward, backward 40 ms, or 30 longer on rank 1, then the reduction. Buckets 0 and 1 are
 * ready in the middle and at the end of backward; the last message lands at 95 ms. Inside of forward 5 ms are solved. */
static int64_t make_step(hiss_trace_span *out, int rank, double t, int step) {
    const double backward = t + 0.03, ready = backward + (rank == 1 ? 0.05 : 0.02), end = t + 0.095;
    int64_t n = 0;
    out[n++] = (hiss_trace_span){t, t + 0.01, 0, 0, LOAD, 0};
    out[n++] = (hiss_trace_span){t + 0.015, t + 0.02, 0, 0, SOLVE, 0};
    out[n++] = (hiss_trace_span){t + 0.01, t + 0.03, 0, 0, FORWARD, 0};
    out[n++] = (hiss_trace_span){backward, ready, 0, 0, BACKWARD, 0};
    out[n++] = (hiss_trace_span){end - 0.005, end, 0, 0, UPDATE, 0};
    out[n++] = (hiss_trace_span){ready, end, 0, 0, WAIT, 0};
    out[n++] = (hiss_trace_span){backward + 0.01, end - 0.01, 0, 0, BUCKET, 0};
    out[n++] = (hiss_trace_span){ready, end, 1, 0, BUCKET, 0};
    out[n++] = (hiss_trace_span){t + 0.015, t + 0.02, 0, rank == 0 ? 5 : 0, BLOCK, 0};
    out[n++] = (hiss_trace_span){t, t + 0.1, step, 0, STEP, 0};
    return n;
}

static traced_rank make_rank(int rank, int steps) {
    int64_t n = 0;
    for (int k = 0; k < steps; k++) {
        n += make_step(span[rank] + n, rank, 10.0 + 0.1 * k, k + 1);
    }
    traced_rank r = {.rank = rank,
                     .threads = 1,
                     .record = {.spans = n, .names = NAMES, .rows = 1, .span = span[rank], .name = name, .row = row}};
    snprintf(r.host, sizeof r.host, "node%d", rank);
    return r;
}

static char *account_of(const int steps[RANKS], int64_t dropped, double *hidden) {
    static const int64_t lane_offsets[RANKS + 1] = {0, 2, 4, 6};
    char *text = NULL;
    size_t size = 0;
    account *a = train_trace_account_create(RANKS, lane_offsets);
    for (int r = 0; r < RANKS; r++) {
        const traced_rank rank = make_rank(r, steps[r]);
        train_trace_account_add(a, &rank);
    }
    const traced_whole whole = {.ranks = RANKS, .first = 1, .last = STEPS, .dropped = dropped, .error = 2e-6};
    FILE *out = hiss_text_open(&text, &size);
    train_trace_account_print(a, out, &whole);
    fclose(out);
    *hidden = train_trace_account_hidden(a);
    train_trace_account_destroy(a);
    return text;
}

static void expect(const char *text, const char *part) {
    if (!strstr(text, part)) {
        fail_msg("no '%s' in\n%s", part, text);
    }
}

static void it_names_the_straggler_and_where_time_went(void **state) {
    (void)state;
    double hidden = 0.0;
    char *text = account_of((const int[]){STEPS, STEPS, STEPS}, 0, &hidden);
    expect(text, "trace: 4 steps from step 1 on, 3 ranks, 120 spans, 0 dropped for want of room\n");
    expect(text, "clocks: aligned to 2.0 us\n");
    /* compute 20 + backward + 5; messages: from rank 1's being ready to the end, but for the update */
    expect(text, "    0 node0              45.000   10.000   30.000   10.000    5.000  100.000  rank 1 (30.000)\n");
    expect(text, "    1 node1              75.000   10.000    0.000   10.000    5.000  100.000\n");
    expect(text, "straggler: rank 1 on node1; each other rank waits 30.000 ms of a step for it (100 % of all waiting); "
                 "it computes 75.000 ms and loads 10.000 ms, the median rank 45.000 and 10.000\n");
    /* ranks 0 and 2: 55 ms in flight, 45 of them blocked */
    assert_true(fabs(hidden - (1.0 - 45.0 / 55.0)) < 1e-6);
    expect(text, "reduction: 18.2 % of the time from its first message to its last is hidden behind computing\n");
    expect(text, "assignment: 12 times a block was complete, 8 of them with a lane of rank 0 as the last\n");
    expect(text, "backward       conv1 conv2d                           30.000       30.0  rank 1 (50.000)\n");
    expect(text, "forward        conv1 conv2d                           15.000       15.0  rank ");
    expect(text, "update         update                                  5.000        5.0  rank ");
    free(text);
}

static void only_what_all_ranks_have_is_compared(void **state) {
    (void)state;
    double hidden = 0.0;
    char *text = account_of((const int[]){STEPS, 2, 3}, 17, &hidden);
    expect(text, "trace: 2 steps from step 1 on, 3 ranks, 90 spans, 17 dropped for want of room\n");
    expect(text, "it ends before step 4: choose fewer with --trace-steps, or raise --trace-spans\n");
    expect(text, "    0 node0              45.000   10.000   30.000   10.000    5.000  100.000  rank 1 (30.000)\n");
    free(text);
    text = account_of((const int[]){STEPS, 0, 3}, 17, &hidden);
    expect(text, "trace: 0 steps from step 1 on, 3 ranks, 70 spans, 17 dropped for want of room\n");
    assert_true(isnan(hidden));
    free(text);
}

static void the_file_is_json_whatever_the_names(void **state) {
    (void)state;
    char path[] = "trace-XXXXXX";
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    FILE *out = fdopen(descriptor, "w");
    const traced_rank rank = make_rank(1, 1);
    train_trace_file_begin(out, &(traced_whole){.ranks = 3, .first = 1, .last = 1});
    train_trace_file_rank(out, &rank, 10.0);
    train_trace_file_end(out);
    fclose(out);
    assert_true(train_trace_file_is_one(path));
    size_t size = 0;
    char *text = (char *)hiss_file_bytes(path, &size);
    expect(text, "{\"ph\":\"X\",\"pid\":2,\"tid\":8192,\"ts\":15000.000,\"cat\":\"assign\",\"name\":\"solve "
                 "\\\"x\\\\y\\\"\",\"dur\":5000.000,\"args\":{\"block\":0}}");
    expect(text,
           "{\"ph\":\"b\",\"pid\":2,\"tid\":8192,\"ts\":80000.000,\"cat\":\"bucket\",\"name\":\"bucket\",\"id2\":{"
           "\"local\":\"0x1\"},\"args\":{\"bucket\":1}}");
    expect(text, "{\"name\":\"rank 1 on node1\"}");
    hiss_free(text);
    out = fopen(path, "w");
    fputs("{\"otherData\":{\"program\":\"his", out);
    fclose(out);
    assert_false(train_trace_file_is_one(path));
    unlink(path);
    assert_false(train_trace_file_is_one(path));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_names_the_straggler_and_where_time_went),
                                       cmocka_unit_test(only_what_all_ranks_have_is_compared),
                                       cmocka_unit_test(the_file_is_json_whatever_the_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
