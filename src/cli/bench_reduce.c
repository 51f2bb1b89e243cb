/* The canonical tree reduction by messages, the same in memory that ranks of a node share, and MPI_Iallreduce, in one run
 * and in turns.
 *
 * Timed is what a step waits for when nothing overlaps: from the lanes' last gradient to a complete model on every
 * rank, the update being a copy. One lane a rank; two where there is only one rank, so that there is something to add.
 *
 * The bound is memory: lanes are read, the model is written, and what is received to be added is written and read. A
 * reduction's share is that traffic at the bandwidth of as many bytes, over its time. */
#include <string.h>

#include "cli/bench.h"
#include "hiss/clock.h"
#include "hiss/reducer.h"

enum { REPEATS = 11, MAX_SIZES = 16, TREE = 0, NODE, MPI, MODES };
static const int64_t largest = (int64_t)1 << 34;

typedef struct bucketed {
    int64_t lanes, count; /* L, floats */
    int64_t *lane_offsets, *bucket_offsets;
    int buckets;
    float *model;
} bucketed;

static void copy_sum(void *user, int64_t begin, int64_t end, const float *sum) {
    const bucketed *v = user;
    memcpy(v->model + begin, sum, sizeof(float) * (size_t)(end - begin));
}

static bucketed bucketed_create(const bench *b, int64_t bytes, int64_t bucket) {
    const int64_t size = hiss_comm_size(b->comm);
    bucketed v = {.lanes = size > 1 ? size : 2, .count = bytes / (int64_t)sizeof(float)};
    const int64_t floats = bucket / (int64_t)sizeof(float);
    v.lane_offsets = hiss_new(int64_t, size + 1);
    hiss_partition(v.lanes, size, v.lane_offsets);
    v.buckets = (int)((v.count + floats - 1) / floats);
    v.bucket_offsets = hiss_new(int64_t, v.buckets + 1);
    for (int k = 0; k <= v.buckets; k++) {
        v.bucket_offsets[k] = k < v.buckets ? k * floats : v.count;
    }
    v.model = hiss_new(float, v.count);
    return v;
}

static void bucketed_destroy(bucketed *v) {
    hiss_free(v->lane_offsets);
    hiss_free(v->bucket_offsets);
    hiss_free(v->model);
}

static int64_t local_lanes(const bench *b, const bucketed *v) {
    return v->lanes / hiss_comm_size(b->comm);
}

/* One reduction: seconds from the last gradient to the complete model. */
static double time_once(const bench *b, bucketed *v, hiss_reducer *r) {
    const int64_t first = v->lane_offsets[hiss_comm_rank(b->comm)], local = local_lanes(b, v);
    hiss_reducer_start(r, NULL, v->model, copy_sum, v);
    for (int64_t l = first; l < first + local; l++) {
        float *lane = hiss_reducer_lane(r, l);
        for (int64_t i = 0; i < v->count; i++) {
            lane[i] = 1.0f;
        }
    }
    hiss_comm_barrier(b->comm);
    hiss_alloc_seal(true);
    const double start = hiss_seconds();
    for (int k = v->buckets - 1; k >= 0; k--) { /* as in backward: the last first */
        for (int64_t l = first; l < first + local; l++) {
            hiss_reducer_done(r, l, k);
        }
        hiss_reducer_progress(r);
    }
    hiss_reducer_finish(r);
    const double seconds = hiss_seconds() - start;
    hiss_alloc_seal(false);
    return seconds;
}

static void report(bench *b, const bucketed *v, double seconds[MODES][REPEATS]) {
    static const char *const names[MODES] = {"tree", "node", "mpi"};
    const double size = hiss_comm_size(b->comm), bytes = (double)v->count * sizeof(float);
    const double traffic = bytes * ((double)local_lanes(b, v) + 1.0 + 2.0 * (size - 1.0) / size);
    const double bound = traffic / bench_bandwidth(&b->machine, traffic);
    double spread[MODES][3];
    bench_print(b, "%s", HISS_NUMBER(10, 3, bytes / 0x1p20));
    json_begin(&b->json, NULL, '{');
    json_number(&b->json, "bytes", bytes);
    json_number(&b->json, "buckets", v->buckets);
    for (int mode = 0; mode < MODES; mode++) {
        hiss_comm_min_median_max(b->comm, hiss_median(seconds[mode], REPEATS), spread[mode]);
        const double slowest = spread[mode][2];
        bench_print(b, "  %s %s %s", HISS_NUMBER(10, 3, 1e3 * slowest), HISS_NUMBER(7, 2, 1e-9 * bytes / slowest),
                    HISS_NUMBER(7, 1, 100.0 * bound / slowest));
        json_begin(&b->json, names[mode], '{');
        json_spread(&b->json, "seconds", spread[mode]);
        json_number(&b->json, "bytes_per_second", bytes / slowest);
        json_number(&b->json, "share", bound / slowest);
        json_end(&b->json, '}');
    }
    const double node = spread[TREE][2] / spread[NODE][2], mpi = spread[MPI][2] / spread[TREE][2];
    bench_print(b, "  %s %s\n", HISS_NUMBER(9, 2, node), HISS_NUMBER(8, 2, mpi));
    json_number(&b->json, "tree_over_node", node);
    json_number(&b->json, "mpi_over_tree", mpi);
    json_end(&b->json, '}');
}

static hiss_status measure_size(bench *b, int64_t bytes, int64_t bucket, hiss_error *err) {
    bucketed v = bucketed_create(b, bytes, bucket);
    hiss_reducer *reducer[MODES] = {NULL};
    static double seconds[MODES][REPEATS];
    hiss_status s = HISS_OK;
    for (int mode = 0; mode < MODES && s == HISS_OK; mode++) {
        const hiss_reducer_options options = {.comm = b->comm,
                                              .lanes = v.lanes,
                                              .lane_offsets = v.lane_offsets,
                                              .count = v.count,
                                              .buckets = v.buckets,
                                              .bucket_offsets = v.bucket_offsets,
                                              .threads = (int)local_lanes(b, &v),
                                              .reduce = mode == MPI ? HISS_REDUCE_MPI : HISS_REDUCE_TREE,
                                              .node = mode == NODE ? HISS_NODE_AUTO : HISS_NODE_OFF,
                                              .overlap = true};
        s = hiss_reducer_create(&options, &reducer[mode], err);
    }
    for (int k = -1; k < REPEATS && s == HISS_OK; k++) { /* -1: warm-up */
        for (int mode = 0; mode < MODES; mode++) {
            seconds[mode][k < 0 ? 0 : k] = time_once(b, &v, reducer[mode]);
        }
    }
    if (s == HISS_OK) {
        report(b, &v, seconds);
    }
    for (int mode = 0; mode < MODES; mode++) {
        if (reducer[mode]) {
            hiss_reducer_destroy(reducer[mode]);
        }
    }
    bucketed_destroy(&v);
    return s;
}

hiss_status bench_reduce(bench *b, const char *sizes, int64_t bucket, hiss_error *err) {
    int64_t size[MAX_SIZES];
    int count = 0;
    hiss_status s = bench_list(sizes, "sizes", largest, MAX_SIZES, size, &count, err);
    if (s != HISS_OK) {
        return s;
    }
    bench_measure_machine(b);
    const int ranks = hiss_comm_size(b->comm);
    bench_print(b, "\nreduction of gradients to a complete model, %d rank%s, %s, buckets of %.2f MiB, slowest rank\n",
                ranks, ranks > 1 ? "s of one lane" : " of two lanes", "no overlap", (double)bucket / 0x1p20);
    bench_print(b, "%10s  %10s %7s %7s  %10s %7s %7s  %10s %7s %7s  %9s %8s\n", "vector MiB", "tree ms", "GB/s",
                "share %", "node ms", "GB/s", "share %", "mpi ms", "GB/s", "share %", "tree/node", "mpi/tree");
    json_begin(&b->json, "reduce", '[');
    for (int k = 0; k < count && s == HISS_OK; k++) {
        s = measure_size(b, size[k] < (int64_t)sizeof(float) ? (int64_t)sizeof(float) : size[k], bucket, err);
    }
    json_end(&b->json, ']');
    return s;
}
