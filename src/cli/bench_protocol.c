/* The protocol that brings blocks to their coordinators, phase by phase: rows of scores, gathering, solving, answers.
 * Either all scores travel, or lists of each row's best columns, in which case the cutting counts as making rows, and
 * the exchange of maxima for prices as gathering. Phases of different blocks overlap, so a rank's waiting is counted as
 * gathering until its own block is solved and as scattering from then on. */
#include <math.h>
#include <string.h>

#include "cli/bench.h"
#include "hiss/assign.h"
#include "hiss/clock.h"

enum { REPEATS = 5 };
enum { ROWS, GATHER, SOLVE, SCATTER, ALL, PHASES, LISTED = 48 };
static const char *const phase_name[PHASES] = {"rows", "gather", "solve", "scatter", "all"};
enum { WHOLE, MAXIMA, LISTS }; /* what a lane sends: all scores, or the other two one after the other */

typedef struct protocol {
    hiss_coordinator *coordinator;
    const hiss_lap_solver *solver;
    hiss_lists lists; /* k 0: all scores travel */
    int64_t n, m, d, up;
    int64_t *order;
    int64_t lanes, local; /* of all ranks, of this one */
    float *z, *c;         /* [m, d] the features of a lane; [n, d] targets */
    float **rows;         /* [local] -> [m, n] */
    void **packed;        /* [local] maxima or lists */
    float *price;         /* [n] */
    double *sum;          /* [n] */
    int32_t *column;      /* [n] */
    int32_t *current;     /* [m] */
    bool *listed;         /* [local] whether a lane has sent its list */
    void *list_work;
    void *work;
    double gap;
} protocol;

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* Blocks of n samples in `size` lanes each, one on every rank when there are `size` blocks. */
static hiss_status protocol_create(bench *b, int64_t blocks, int64_t n, int64_t dim, bool lists, protocol *p,
                                   hiss_error *err) {
    const int64_t size = hiss_comm_size(b->comm), m = n / size, rank = hiss_comm_rank(b->comm);
    *p = (protocol){.n = n, .m = m, .d = dim, .up = m * n, .lanes = size * blocks, .local = blocks};
    p->solver = hiss_lap_solver_named("auto");
    int64_t work = p->solver->work_bytes(n);
    if (lists) {
        p->lists = (hiss_lists){.n = n, .m = m, .k = LISTED};
        p->up = larger(p->up, larger(n, hiss_lists_words(&p->lists)));
        work = larger(work, hiss_lists_solve_bytes(&p->lists));
    }
    p->work = hiss_alloc((size_t)work);
    int64_t *lane_offsets = hiss_new(int64_t, size + 1);
    hiss_partition(p->lanes, size, lane_offsets);
    hiss_status s = hiss_coordinator_create(b->comm, p->lanes, lane_offsets, size, p->up, m + n, &p->coordinator, err);
    hiss_free(lane_offsets);
    p->order = hiss_new(int64_t, p->lanes);
    for (int64_t l = 0; l < p->lanes; l++) { /* block k: lane k of rank k, of rank k+1, ..., so that rank k solves it */
        const int64_t block = l / size, owner = (block + l) % size;
        p->order[l] = owner * blocks + block;
    }
    float *z = hiss_new(float, n *dim);
    p->c = hiss_new(float, n *dim);
    bench_collapsed_features(n, dim, z, p->c);
    p->z = hiss_new(float, m *dim);
    memcpy(p->z, z + rank * m * dim, sizeof(float) * (size_t)(m * dim));
    hiss_free(z);
    p->rows = hiss_new(float *, p->local);
    p->packed = hiss_new(void *, p->local);
    for (int64_t l = 0; l < p->local; l++) {
        p->rows[l] = hiss_new(float, m *n);
        p->packed[l] = lists ? hiss_new(int32_t, p->up) : NULL;
    }
    p->price = hiss_new(float, n);
    p->sum = hiss_new(double, n);
    p->column = hiss_new(int32_t, n);
    p->current = hiss_new(int32_t, m);
    p->listed = hiss_new(bool, p->local);
    p->list_work = lists ? hiss_alloc((size_t)hiss_lists_pack_bytes(&p->lists)) : NULL;
    return s;
}

static void protocol_destroy(protocol *p) {
    hiss_coordinator_destroy(p->coordinator);
    for (int64_t l = 0; l < p->local; l++) {
        hiss_free(p->rows[l]);
        hiss_free(p->packed[l]);
    }
    hiss_free(p->rows);
    hiss_free(p->packed);
    hiss_free(p->price);
    hiss_free(p->sum);
    hiss_free(p->column);
    hiss_free(p->current);
    hiss_free(p->listed);
    hiss_free(p->list_work);
    hiss_free(p->order);
    hiss_free(p->work);
    hiss_free(p->z);
    hiss_free(p->c);
}

/* The columns' maxima become prices: words m .. m+n-1 of every message down. */
static void send_prices(protocol *p, int64_t slot, int64_t group) {
    const double groups = (double)(group * hiss_lap_groups(p->m));
    memset(p->sum, 0, sizeof(double) * (size_t)p->n);
    for (int64_t j = 0; j < group; j++) {
        const float *maxima = hiss_coordinator_up(p->coordinator, slot, j);
        for (int64_t i = 0; i < p->n; i++) {
            p->sum[i] += (double)maxima[i];
        }
    }
    for (int64_t j = 0; j < group; j++) {
        int32_t *down = hiss_coordinator_down(p->coordinator, slot, j);
        float *price = (float *)(down + p->m);
        for (int64_t i = 0; i < p->n; i++) {
            price[i] = (float)(p->sum[i] / groups);
        }
    }
    for (int64_t j = 0; j < group; j++) {
        hiss_coordinator_send_down(p->coordinator, slot, j, p->m + p->n, true);
    }
}

/* The block of a slot from what its lanes sent. */
static hiss_status answer_block(protocol *p, int64_t slot, int64_t group, int sent, hiss_error *err) {
    if (sent == MAXIMA) {
        send_prices(p, slot, group);
        return HISS_OK;
    }
    hiss_lap_report report = {0};
    const void *up = hiss_coordinator_up(p->coordinator, slot, 0);
    const float *price = (const float *)((const int32_t *)hiss_coordinator_down(p->coordinator, slot, 0) + p->m);
    for (int64_t i = 0; i < p->n; i++) {
        p->column[i] = (int32_t)i;
    }
    const hiss_status s =
        sent == LISTS ? hiss_lists_solve(&p->lists, up, p->up, price, p->column, p->sum, p->work, &report, err)
                      : p->solver->solve(&(hiss_lap){p->n, up, p->n}, p->column, NULL, NULL, p->work, &report, err);
    p->gap = fmax(p->gap, hiss_lap_share(report.dual - report.total, report.total, report.size));
    for (int64_t j = 0; j < group; j++) {
        memcpy(hiss_coordinator_down(p->coordinator, slot, j), p->column + j * p->m, sizeof(int32_t) * (size_t)p->m);
        hiss_coordinator_send_down(p->coordinator, slot, j, p->m, false);
    }
    return s;
}

static void make_rows(protocol *p, hiss_error *err) {
    const hiss_kernels *k = hiss_kernels_blas();
    for (int64_t l = 0; l < p->local; l++) {
        k->gemm(false, true, p->m, p->n, p->d, 1.0f, p->z, p->d, p->c, p->d, 0.0f, p->rows[l], p->n);
        if (p->lists.k > 0) {
            const hiss_lap_rows rows = {.m = p->m, .n = p->n, .width = p->n, .ld = p->n, .score = p->rows[l]};
            memset(p->sum, 0, sizeof(double) * (size_t)p->n);
            (void)hiss_lap_add_maxima(&rows, p->sum, err);
            for (int64_t i = 0; i < p->n; i++) {
                ((float *)p->packed[l])[i] = (float)p->sum[i];
            }
        }
    }
}

static double sum_over_ranks(bench *b, double value) {
    const int64_t size = hiss_comm_size(b->comm);
    int64_t *offsets = hiss_new(int64_t, size + 1);
    double *all = hiss_new(double, size), sum = 0.0;
    for (int64_t r = 0; r <= size; r++) {
        offsets[r] = r * (int64_t)sizeof(double);
    }
    hiss_comm_allgather(b->comm, &value, offsets, all);
    for (int64_t r = 0; r < size; r++) {
        sum += all[r];
    }
    hiss_free(offsets);
    hiss_free(all);
    return sum;
}

static double largest_over_ranks(bench *b, double value) {
    double spread[3];
    hiss_comm_spread(b->comm, value, spread);
    return spread[2];
}

/* One use. A rank coordinates one block at most, and local lane k is of block k. */
static hiss_status run(bench *b, protocol *p, double seconds[PHASES], hiss_error *err) {
    const int64_t group = hiss_comm_size(b->comm), rank = hiss_comm_rank(b->comm), m = p->m;
    const bool lists = p->lists.k > 0;
    int asked = lists ? MAXIMA : WHOLE; /* of the block that this rank coordinates, if any */
    hiss_status s = HISS_OK;
    const double start = hiss_seconds();
    make_rows(p, err);
    double now = hiss_seconds();
    seconds[ROWS] = now - start;
    hiss_coordinator_start(p->coordinator, p->order);
    for (int64_t l = 0; l < p->local; l++) {
        hiss_coordinator_send_up(p->coordinator, l, lists ? p->packed[l] : p->rows[l], lists ? p->n : m * p->n);
    }
    int64_t lanes = p->local, slots = hiss_coordinator_slots(p->coordinator);
    while (lanes > 0 || slots > 0) {
        const int wait = slots > 0 ? GATHER : SCATTER;
        const hiss_block_event e = hiss_coordinator_next(p->coordinator);
        const double event = hiss_seconds();
        seconds[wait] += event - now;
        now = event;
        if (e.kind == HISS_BLOCK_COMPLETE) {
            const hiss_status mine = answer_block(p, e.index, group, asked, err);
            s = mine == HISS_OK ? s : mine;
            slots -= asked != MAXIMA;
            now = hiss_seconds();
            seconds[asked == MAXIMA ? GATHER : SOLVE] += now - event;
            asked = LISTS;
        } else if (e.kind == HISS_LANE_ANSWERED && lists && !p->listed[e.index]) {
            const int32_t *answer = hiss_coordinator_answer(p->coordinator, e.index);
            const int64_t block = e.index, first = (rank - block + group) % group * m; /* as in protocol_create */
            for (int64_t i = 0; i < m; i++) {
                p->current[i] = (int32_t)(first + i);
            }
            hiss_lists_pack(&p->lists, p->rows[e.index], (const float *)(answer + m), p->current, p->packed[e.index],
                            p->list_work);
            p->listed[e.index] = true;
            hiss_coordinator_send_up(p->coordinator, e.index, p->packed[e.index], hiss_lists_words(&p->lists));
            now = hiss_seconds();
            seconds[ROWS] += now - event;
        } else if (e.kind == HISS_LANE_ANSWERED) {
            p->listed[e.index] = false;
            lanes--;
        }
    }
    hiss_coordinator_finish(p->coordinator);
    seconds[ALL] = hiss_seconds() - start;
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
        hiss_comm_spread(b->comm, hiss_median(seconds[k], REPEATS), spread);
        part[k] = spread[2];
        bench_print(b, "  %s", HISS_NUMBER(8, 3, 1e3 * part[k]));
        json_spread(&b->json, phase_name[k], spread);
    }
    const double sent = sum_over_ranks(b, bytes), gap = largest_over_ranks(b, p->gap);
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
        const double sent = hiss_coordinator_bytes(p.coordinator);
        hiss_comm_barrier(b->comm);
        hiss_alloc_seal(true);
        s = run(b, &p, part, err);
        hiss_alloc_seal(false);
        bytes = hiss_coordinator_bytes(p.coordinator) - sent;
        for (int i = 0; i < PHASES; i++) {
            seconds[i][k < 0 ? 0 : k] = part[i];
        }
        s = hiss_comm_agree(b->comm, s, err);
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
