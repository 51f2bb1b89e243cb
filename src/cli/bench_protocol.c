/* The exchange that brings blocks to their coordinators (hiss/match.h), in parts: rows of scores, lists, solving, and
 * what a rank waits for messages. Either all scores travel, or lists of each row's best columns; finding columns'
 * maxima counts as making rows, and their mean, the prices, as solving. The slowest rank's parts need not add up to
 * all: that is another one for each. */
#include <math.h>
#include <sched.h>
#include <string.h>

#include "cli/bench.h"
#include "hiss/clock.h"
#include "hiss/match.h"

enum { REPEATS = 5 };
enum { ROWS, CUT, SOLVE, WAIT, ALL, PHASES, LISTED = 48 };
static const char *const phase_name[PHASES] = {"rows", "lists", "solve", "wait", "all"};

typedef struct protocol {
    hiss_match *match;
    hiss_match_solver *solver;
    hiss_lists lists; /* k 0: all scores travel */
    int64_t n, m, d;
    int64_t local;           /* lanes of this rank, each of another block unless all are of one */
    int64_t *number, *order; /* [local * m], [local] */
    float *z, *c;            /* [m, d] the features of a lane; [n, d] targets */
    float **rows;            /* [local] -> [m, n] */
    double gap;
} protocol;

static void *score(void *user, int thread, const hiss_match_lane *lane) {
    protocol *p = user;
    float *rows = p->rows[lane->local];
    if (lane->features) {
        hiss_kernels_blas()->gemm(false, true, p->m, p->n, p->d, 1.0f, lane->features, p->d, p->c, p->d, 0.0f, rows,
                                  p->n);
    }
    return hiss_match_pack(p->solver, thread, lane, rows);
}

static hiss_status solve(void *user, int thread, const hiss_match_block *block, hiss_match_reply *reply, double *gap,
                         hiss_error *err) {
    return hiss_match_solve(((protocol *)user)->solver, thread, block, reply, gap, err);
}

/* Blocks of n samples in `size` lanes each, as many lanes on every rank as there are blocks. */
static hiss_status protocol_create(bench *b, int64_t blocks, int64_t n, int64_t dim, bool lists, protocol *p,
                                   hiss_error *err) {
    const int64_t size = hiss_comm_size(b->comm), m = n / size, rank = hiss_comm_rank(b->comm);
    *p = (protocol){.n = n, .m = m, .d = dim, .local = blocks};
    p->lists = hiss_match_lists(lists ? HISS_MATCH_TOPK : HISS_MATCH_DENSE, n, m, LISTED);
    p->solver = hiss_match_solver_create(hiss_lap_solver_named("auto"), &p->lists, n, m, blocks);
    hiss_match_solver_reserve(p->solver, 1, false);
    p->number = hiss_new(int64_t, blocks * m);
    p->order = hiss_new(int64_t, blocks);
    float *z = hiss_new(float, n *dim);
    p->c = hiss_new(float, n *dim);
    bench_collapsed_features(n, dim, z, p->c);
    p->z = hiss_new(float, m *dim);
    memcpy(p->z, z + rank * m * dim, sizeof(float) * (size_t)(m * dim));
    hiss_free(z);
    p->rows = hiss_new(float *, blocks);
    for (int64_t l = 0; l < blocks; l++) {
        p->rows[l] = hiss_new(float, m *n);
    }
    int64_t *lane_offsets = hiss_new(int64_t, size + 1);
    hiss_partition(size * blocks, size, lane_offsets);
    const hiss_match_options options = {.comm = b->comm,
                                        .lanes = size * blocks,
                                        .m = m,
                                        .block_lanes = size,
                                        .lane_offsets = lane_offsets,
                                        .lists = p->lists,
                                        .work = {.user = p, .score = score, .solve = solve}};
    const hiss_status s = hiss_match_create(&options, &p->match, err);
    hiss_free(lane_offsets);
    return s;
}

static void protocol_destroy(protocol *p) {
    hiss_match_destroy(p->match);
    hiss_match_solver_destroy(p->solver);
    for (int64_t l = 0; l < p->local; l++) {
        hiss_free(p->rows[l]);
    }
    hiss_free(p->rows);
    hiss_free(p->number);
    hiss_free(p->order);
    hiss_free(p->z);
    hiss_free(p->c);
}

static double largest_over_ranks(bench *b, double value) {
    double spread[3];
    hiss_comm_min_median_max(b->comm, value, spread);
    return spread[2];
}

/* One step. */
static hiss_status run(protocol *p, int64_t step, double seconds[PHASES], double *bytes, hiss_error *err) {
    const double start = hiss_seconds();
    for (int64_t l = 0; l < p->local; l++) {
        p->order[l] = l;
    }
    hiss_match_start(p->match, step, 1, p->number, p->order);
    for (int64_t l = 0; l < p->local; l++) {
        hiss_match_arrive(p->match, 0, p->order[l], p->z);
        hiss_match_progress(p->match);
        hiss_match_assist(p->match, 0);
    }
    while (hiss_match_progress(p->match)) {
        if (!hiss_match_assist(p->match, 0)) {
            sched_yield();
        }
    }
    const hiss_status s = hiss_match_finish(p->match, err);
    seconds[ALL] = hiss_seconds() - start;
    const hiss_match_costs costs = hiss_match_take_costs(p->match);
    seconds[ROWS] = costs.score;
    seconds[CUT] = costs.list;
    seconds[SOLVE] = costs.solve;
    seconds[WAIT] = seconds[ALL] - costs.score - costs.list - costs.solve;
    *bytes = costs.bytes;
    p->gap = fmax(p->gap, costs.gap);
    return s;
}

static void report_protocol(bench *b, const protocol *p, double (*seconds)[REPEATS], double bytes) {
    double spread[3], part[PHASES];
    json_begin(&b->json, NULL, '{');
    json_number(&b->json, "n", (double)p->n);
    json_number(&b->json, "blocks", (double)p->local);
    json_text(&b->json, "travels", p->lists.k > 0 ? "lists" : "scores");
    bench_print(b, "%s  %s  %-6s", HISS_NUMBER(6, 0, (double)p->n), HISS_NUMBER(6, 0, (double)p->local),
                p->lists.k > 0 ? "lists" : "scores");
    for (int k = 0; k < PHASES; k++) {
        hiss_comm_min_median_max(b->comm, hiss_median(seconds[k], REPEATS), spread);
        part[k] = spread[2];
        bench_print(b, "  %s", HISS_NUMBER(8, 3, 1e3 * part[k]));
        json_spread(&b->json, phase_name[k], spread);
    }
    const double sent = hiss_comm_sum(b->comm, bytes), gap = largest_over_ranks(b, p->gap);
    bench_print(b, "  %s  %s  %s\n", HISS_NUMBER(10, 0, (double)(p->n * p->local) / part[ALL]),
                HISS_NUMBER(8, 2, 1e-6 * sent), HISS_POWER(8, 1, gap));
    json_number(&b->json, "bytes", sent);
    json_number(&b->json, "certified_gap", gap);
    json_end(&b->json, '}');
}

static hiss_status time_protocol(bench *b, int64_t blocks, int64_t n, int64_t dim, bool lists, hiss_error *err) {
    protocol p;
    double seconds[PHASES][REPEATS] = {{0.0}}, bytes = 0.0;
    hiss_status s = protocol_create(b, blocks, n, dim, lists, &p, err);
    for (int k = -1; k < REPEATS && s == HISS_OK; k++) { /* -1: warm-up */
        double part[PHASES] = {0.0};
        hiss_comm_barrier(b->comm);
        hiss_alloc_seal(true);
        s = run(&p, k + 1, part, &bytes, err);
        hiss_alloc_seal(false);
        for (int i = 0; i < PHASES; i++) {
            seconds[i][k < 0 ? 0 : k] = part[i];
        }
    }
    if (s == HISS_OK) {
        report_protocol(b, &p, seconds, bytes);
    }
    protocol_destroy(&p);
    return s;
}

hiss_status bench_protocol(bench *b, int sizes, const int64_t *size, int64_t dim, hiss_error *err) {
    const int64_t ranks = hiss_comm_size(b->comm);
    hiss_status s = HISS_OK;
    bench_print(b, "\nblocks and coordinators, collapsed features, lists of %d, %lld rank%s; ms, slowest rank\n",
                LISTED, (long long)ranks, ranks > 1 ? "s" : "");
    bench_print(b, "%6s  %6s  %-6s", "n", "blocks", "sent");
    for (int k = 0; k < PHASES; k++) {
        bench_print(b, "  %8s", phase_name[k]);
    }
    bench_print(b, "  %10s  %8s  %8s\n", "samples/s", "MB sent", "gap");
    json_begin(&b->json, "protocol", '[');
    for (int k = 0; k < sizes && s == HISS_OK; k++) {
        const int64_t n = size[k] / ranks * ranks; /* equal lanes */
        for (int64_t blocks = 1; n > 0 && blocks <= ranks && s == HISS_OK; blocks += ranks > 1 ? ranks - 1 : 1) {
            s = time_protocol(b, blocks, n, dim, false, err);
            if (s == HISS_OK && n > LISTED) {
                s = time_protocol(b, blocks, n, dim, true, err);
            }
        }
    }
    json_end(&b->json, ']');
    return s;
}
