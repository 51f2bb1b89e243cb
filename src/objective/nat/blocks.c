/* The blocks of one step, from rows to answers, as state machines.
 *
 * A lane whose rows are there sends them to its block's coordinator (hiss/dist.h), either all scores, which the
 * configured solver gets, or by lists (hiss/assign.h):
 *     lane                                  coordinator
 *     maxima of its columns        ->       mean over the lanes: prices
 *     lists under these prices     ->       optimum of the lists, and what it may miss
 *     columns                      <-       when that is at most ENOUGH of the total; else new prices
 * After TRIES lists the coordinator asks for all scores. What it decides depends on the block alone, so all ranks do
 * the same for every number of them.
 *
 * Messages are moved by the main thread (progress). Work - cutting lists, solving - is put into a queue, from which
 * every thread takes it that has reached the end of an operation or has nothing else to do; with assign.async, the
 * thread made for it. A block of one lane is solved by the thread that brought it: nothing travels, nobody waits.
 *
 * A failed block answers "as before", so that nobody hangs; finish makes the error common. */
#include <math.h>
#include <sched.h>
#include <string.h>

#include "hiss/clock.h"
#include "objective/nat/nat.h"

enum { TRIES = 4 };
static const double ENOUGH = 1e-4;

typedef enum upward { SCORES, MAXIMA, LISTS } upward;     /* what a lane sends */
typedef enum downward { COLUMNS, PRICES, MORE } downward; /* what it gets: its answer; prices for lists; send SCORES */
typedef enum lane_state { RUNNING, SENDING, WAITING, ANSWERED } lane_state;

typedef struct message { /* to a lane: the columns [m] are followed by prices [block] */
    int32_t kind;
    int32_t columns[];
} message;

typedef struct lane_at {
    _Atomic int state; /* lane_state */
    upward sends;
    void *packed; /* maxima or lists */
    double *sum;  /* [block] scratch of maxima */
} lane_at;

typedef struct block_at { /* one that this rank coordinates */
    _Atomic bool solved;  /* there is something to send down */
    upward got;
    downward reply;
    int tries;
    float *packed;   /* [block] the prices that lists were made under */
    double *price;   /* [block] */
    int32_t *column; /* [block] */
} block_at;

typedef struct work_item {
    bool is_block;
    int64_t index;
} work_item;

struct nat_blocks {
    nat *n;
    hiss_coordinator *coordinator;
    nat_solver_thread *thread;    /* async only */
    bool alone;                   /* blocks of one lane, solved at once */
    lane_at *lanes;               /* [local lanes] */
    block_at *blocks;             /* [most] */
    int64_t most, up;             /* up: words of the longest message of a lane */
    int64_t unanswered, unsolved; /* lanes; blocks of this rank */
    _Atomic int64_t news;         /* lanes and blocks that the main thread has to look at */
    int threads;                  /* scratch: of each, and one of the own thread */
    void **scratch;
    pthread_mutex_t lock; /* guards the queue and the error */
    work_item *queue;     /* a ring of local lanes + most */
    int64_t first, capacity;
    _Atomic int64_t waiting;
    hiss_status status; /* of the lowest failing block, and which that is */
    int64_t failed;
    hiss_error error;
};

/* ---- life ---- */

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

hiss_status nat_blocks_create(nat *n, nat_blocks **out, hiss_error *err) {
    const hiss_world *w = n->world;
    const int64_t m = w->m, N = n->block, blocks = w->lanes / n->block_lanes;
    const bool lists = n->lists.k > 0;
    nat_blocks *b = hiss_new(nat_blocks, 1);
    *out = b;
    b->n = n;
    b->alone = n->block_lanes == 1 && !n->options->async;
    pthread_mutex_init(&b->lock, NULL);
    b->most = b->alone ? 0 : blocks < n->local_lanes ? blocks : n->local_lanes;
    b->lanes = hiss_new(lane_at, n->local_lanes);
    b->blocks = hiss_new(block_at, b->most);
    b->capacity = n->local_lanes + b->most;
    b->queue = hiss_new(work_item, b->capacity);
    const int64_t packed = lists ? larger(N, hiss_lists_words(&n->lists)) : 0;
    b->up = larger(m * N, packed);
    for (int64_t l = 0; lists && l < n->local_lanes; l++) {
        b->lanes[l].packed = hiss_new(int32_t, packed);
        b->lanes[l].sum = hiss_new(double, N);
    }
    for (int64_t s = 0; s < b->most; s++) {
        b->blocks[s].column = hiss_new(int32_t, N);
        b->blocks[s].packed = lists ? hiss_new(float, N) : NULL;
        b->blocks[s].price = lists ? hiss_new(double, N) : NULL;
    }
    if (b->alone) {
        return HISS_OK;
    }
    hiss_status s = hiss_coordinator_create(w->comm, w->lanes, w->lane_offsets, n->block_lanes, b->up,
                                            (int64_t)(sizeof(message) / 4) + m + (lists ? N : 0), &b->coordinator, err);
    return s == HISS_OK && n->options->async ? nat_thread_create(b, &b->thread, err) : s;
}

void nat_blocks_destroy(nat_blocks *b) {
    if (!b) {
        return;
    }
    nat_thread_destroy(b->thread);
    hiss_coordinator_destroy(b->coordinator);
    for (int64_t l = 0; l < b->n->local_lanes; l++) {
        hiss_free(b->lanes[l].packed);
        hiss_free(b->lanes[l].sum);
    }
    for (int64_t s = 0; s < b->most; s++) {
        hiss_free(b->blocks[s].column);
        hiss_free(b->blocks[s].packed);
        hiss_free(b->blocks[s].price);
    }
    for (int k = 0; b->scratch && k <= b->threads; k++) {
        hiss_free(b->scratch[k]);
    }
    hiss_free(b->scratch);
    hiss_free(b->queue);
    hiss_free(b->blocks);
    hiss_free(b->lanes);
    pthread_mutex_destroy(&b->lock);
    hiss_free(b);
}

void nat_blocks_reserve(nat_blocks *b, int threads) {
    const nat *n = b->n;
    if (!b->scratch && threads > 0) {
        int64_t bytes = n->solver->work_bytes(n->block);
        if (n->lists.k > 0) {
            bytes = larger(bytes, larger(hiss_lists_pack_bytes(&n->lists), hiss_lists_solve_bytes(&n->lists)));
        }
        b->threads = threads;
        b->scratch = hiss_new(void *, threads + 1);
        for (int k = b->thread ? threads : 0; k < threads + (b->thread != NULL); k++) {
            b->scratch[k] = hiss_alloc((size_t)bytes);
        }
    }
}

void nat_blocks_start(nat_blocks *b, int threads) {
    const nat *n = b->n;
    nat_blocks_reserve(b, threads);
    b->status = HISS_OK;
    b->unanswered = b->alone ? 0 : n->local_lanes;
    for (int64_t l = 0; l < n->local_lanes; l++) {
        b->lanes[l].sends = n->lists.k > 0 ? MAXIMA : SCORES;
        atomic_store(&b->lanes[l].state, RUNNING);
    }
    if (!b->alone) {
        hiss_coordinator_start(b->coordinator, n->order);
        b->unsolved = hiss_coordinator_slots(b->coordinator);
    }
    for (int64_t s = 0; s < b->unsolved; s++) {
        b->blocks[s].got = n->lists.k > 0 ? MAXIMA : SCORES;
        b->blocks[s].tries = 0;
        atomic_store(&b->blocks[s].solved, false);
        for (int64_t i = 0; i < n->block; i++) {
            b->blocks[s].column[i] = (int32_t)i;
        }
    }
}

/* ---- work ---- */

static void note_failure(nat_blocks *b, int64_t block, hiss_status status, const hiss_error *err) {
    pthread_mutex_lock(&b->lock);
    if (b->status == HISS_OK || block < b->failed) {
        b->status = status;
        b->failed = block;
        b->error = *err;
    }
    pthread_mutex_unlock(&b->lock);
}

static void note_solve(nat *n, double seconds, const hiss_lap_report *report) {
    const double gap = hiss_lap_share(report->dual - report->total, report->total, report->size);
    pthread_mutex_lock(&n->lock);
    n->costs.solve += seconds;
    n->costs.gap = gap > n->costs.gap ? gap : n->costs.gap;
    pthread_mutex_unlock(&n->lock);
}

static hiss_status solve_scores(nat_blocks *b, int thread, const float *scores, int32_t *column,
                                hiss_lap_report *report, hiss_error *err) {
    const nat *n = b->n;
    const hiss_lap lap = {n->block, scores, n->block};
    return n->solver->solve(&lap, column, NULL, NULL, b->scratch[thread], report, err);
}

/* The prices that lists are made under: the mean of the lanes' maxima. */
static hiss_status mean_maxima(const nat_blocks *b, int64_t slot, float *price, hiss_error *err) {
    const nat *n = b->n;
    const double groups = (double)(n->block_lanes * hiss_lap_groups(n->world->m));
    for (int64_t i = 0; i < n->block; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < n->block_lanes; j++) {
            const float maximum = ((const float *)hiss_coordinator_up(b->coordinator, slot, j))[i];
            if (!isfinite(maximum)) {
                return hiss_fail(err, HISS_EUSER,
                                 "a score of rows %lld to %lld is not a finite number; have the features diverged?",
                                 (long long)(j * n->world->m), (long long)((j + 1) * n->world->m - 1));
            }
            sum += (double)maximum;
        }
        price[i] = (float)(sum / groups);
    }
    return HISS_OK;
}

/* Optimum of the lists; then the answer, or other prices, or all scores. */
static hiss_status solve_lists(nat_blocks *b, int thread, int64_t slot, hiss_lap_report *report, hiss_error *err) {
    block_at *at = &b->blocks[slot];
    const nat *n = b->n;
    const hiss_status s = hiss_lists_solve(&n->lists, hiss_coordinator_up(b->coordinator, slot, 0), b->up, at->packed,
                                           at->column, at->price, b->scratch[thread], report, err);
    if (s != HISS_OK || report->dual - report->total <= ENOUGH * hiss_lap_scale(report->total, report->size)) {
        at->reply = COLUMNS;
        return s;
    }
    at->reply = ++at->tries < TRIES ? PRICES : MORE;
    for (int64_t i = 0; i < n->block; i++) {
        at->packed[i] = (float)at->price[i];
    }
    return HISS_OK;
}

static void work_on_block(nat_blocks *b, int thread, int64_t slot) {
    nat *n = b->n;
    block_at *at = &b->blocks[slot];
    const int64_t m = n->world->m;
    const double start = hiss_seconds();
    hiss_lap_report report = {0};
    hiss_error err = {0};
    hiss_status s = HISS_OK;
    at->reply = COLUMNS;
    if (at->got == SCORES) {
        s = solve_scores(b, thread, hiss_coordinator_up(b->coordinator, slot, 0), at->column, &report, &err);
    } else if (at->got == MAXIMA) {
        s = mean_maxima(b, slot, at->packed, &err);
        at->reply = s == HISS_OK ? PRICES : COLUMNS;
    } else {
        s = solve_lists(b, thread, slot, &report, &err);
    }
    if (s != HISS_OK) {
        note_failure(b, hiss_coordinator_block(b->coordinator, slot), s, &err);
    }
    for (int64_t j = 0; j < n->block_lanes; j++) {
        message *to = hiss_coordinator_down(b->coordinator, slot, j);
        to->kind = (int32_t)at->reply;
        memcpy(to->columns, at->column + j * m, sizeof(int32_t) * (size_t)m);
        if (at->reply == PRICES) {
            memcpy(to->columns + m, at->packed, sizeof(float) * (size_t)n->block);
        }
    }
    if (at->reply != COLUMNS) { /* a gap counts when it is final */
        report = (hiss_lap_report){0};
    }
    note_solve(n, hiss_seconds() - start, &report);
    atomic_store(&at->solved, true);
    atomic_fetch_add(&b->news, 1);
}

static void work_on_lane(nat_blocks *b, int thread, int64_t local) {
    nat *n = b->n;
    lane_at *lane = &b->lanes[local];
    const double start = hiss_seconds();
    const message *from = hiss_coordinator_answer(b->coordinator, local);
    hiss_lists_pack(&n->lists, n->rows[local], (const float *)(from->columns + n->world->m), from->columns,
                    lane->packed, b->scratch[thread]);
    pthread_mutex_lock(&n->lock);
    n->costs.list += hiss_seconds() - start;
    pthread_mutex_unlock(&n->lock);
    atomic_store(&lane->state, SENDING);
    atomic_fetch_add(&b->news, 1);
}

static void put_work(nat_blocks *b, work_item item) {
    pthread_mutex_lock(&b->lock);
    b->queue[(b->first + atomic_load(&b->waiting)) % b->capacity] = item;
    atomic_fetch_add(&b->waiting, 1);
    pthread_mutex_unlock(&b->lock);
    if (b->thread) {
        nat_thread_wake(b->thread);
    }
}

bool nat_blocks_assist(nat_blocks *b, int thread) {
    if (atomic_load(&b->waiting) == 0 || (b->thread && thread != NAT_OWN_THREAD)) {
        return false;
    }
    pthread_mutex_lock(&b->lock);
    const bool found = atomic_load(&b->waiting) > 0;
    const work_item item = b->queue[b->first];
    if (found) {
        b->first = (b->first + 1) % b->capacity;
        atomic_fetch_sub(&b->waiting, 1);
    }
    pthread_mutex_unlock(&b->lock);
    const int scratch = thread == NAT_OWN_THREAD ? b->threads : thread;
    if (found && item.is_block) {
        work_on_block(b, scratch, item.index);
    } else if (found) {
        work_on_lane(b, scratch, item.index);
    }
    return found;
}

/* ---- lanes ---- */

static void solve_alone(nat_blocks *b, int thread, int64_t local) {
    nat *n = b->n;
    const double start = hiss_seconds();
    hiss_lap_report report = {0};
    hiss_error err = {0};
    for (int64_t i = 0; i < n->block; i++) {
        n->answers[local][i] = (int32_t)i;
    }
    const hiss_status s = solve_scores(b, thread, n->rows[local], n->answers[local], &report, &err);
    if (s != HISS_OK) {
        note_failure(b, n->place[local], s, &err);
    }
    note_solve(n, hiss_seconds() - start, &report);
    nat_apply(n, local);
    atomic_store(&b->lanes[local].state, ANSWERED);
}

static void find_maxima(const nat *n, int64_t local, float *maxima, double *sum) {
    const hiss_lap_rows rows = {
        .m = n->world->m, .n = n->block, .width = n->block, .ld = n->block, .score = n->rows[local]};
    memset(sum, 0, sizeof(double) * (size_t)n->block);
    const bool good = hiss_lap_add_maxima(&rows, sum, NULL) == HISS_OK;
    for (int64_t i = 0; i < n->block; i++) {
        maxima[i] = good ? (float)sum[i] : NAN;
    }
}

void nat_blocks_arrive(nat_blocks *b, int thread, int64_t local) {
    if (b->alone) {
        solve_alone(b, thread, local);
        return;
    }
    if (b->lanes[local].sends == MAXIMA) {
        find_maxima(b->n, local, b->lanes[local].packed, b->lanes[local].sum);
    }
    atomic_store(&b->lanes[local].state, SENDING);
    atomic_fetch_add(&b->news, 1);
}

bool nat_blocks_ready(const nat_blocks *b, int64_t local) {
    const int state = atomic_load(&b->lanes[local].state);
    return state == ANSWERED || (b->thread && state != RUNNING); /* async: as soon as it has arrived */
}

/* ---- messages ---- */

static void send_up(nat_blocks *b, int64_t local) {
    const nat *n = b->n;
    lane_at *lane = &b->lanes[local];
    const int64_t words = lane->sends == SCORES   ? n->world->m * n->block
                          : lane->sends == MAXIMA ? n->block
                                                  : hiss_lists_words(&n->lists);
    atomic_store(&lane->state, WAITING);
    hiss_coordinator_send_up(b->coordinator, local, lane->sends == SCORES ? n->rows[local] : lane->packed, words);
}

static void send_down(nat_blocks *b, int64_t slot) {
    const nat *n = b->n;
    block_at *at = &b->blocks[slot];
    const bool more = at->reply != COLUMNS;
    const int64_t words = (int64_t)(sizeof(message) / 4) + n->world->m + (at->reply == PRICES ? n->block : 0);
    atomic_store(&at->solved, false);
    at->got = at->reply == MORE ? SCORES : LISTS;
    b->unsolved -= !more;
    for (int64_t j = 0; j < n->block_lanes; j++) {
        hiss_coordinator_send_down(b->coordinator, slot, j, words, more);
    }
}

static void take_answer(nat_blocks *b, int64_t local) {
    nat *n = b->n;
    lane_at *lane = &b->lanes[local];
    const message *from = hiss_coordinator_answer(b->coordinator, local);
    if (from->kind == COLUMNS) {
        memcpy(n->answers[local], from->columns, sizeof(int32_t) * (size_t)n->world->m);
        b->unanswered--;
        if (!b->thread) {
            nat_apply(n, local);
        }
        atomic_store(&lane->state, ANSWERED);
    } else if (from->kind == PRICES) {
        lane->sends = LISTS;
        put_work(b, (work_item){false, local});
    } else {
        lane->sends = SCORES;
        send_up(b, local);
    }
}

bool nat_blocks_progress(nat_blocks *b) {
    if (b->alone) {
        return false;
    }
    if (atomic_exchange(&b->news, 0) > 0) {
        for (int64_t s = 0; s < hiss_coordinator_slots(b->coordinator); s++) {
            if (atomic_load(&b->blocks[s].solved)) {
                send_down(b, s);
            }
        }
        for (int64_t l = 0; l < b->n->local_lanes; l++) {
            if (atomic_load(&b->lanes[l].state) == SENDING) {
                send_up(b, l);
            }
        }
    }
    hiss_block_event e;
    while ((e = hiss_coordinator_next(b->coordinator)).kind != HISS_BLOCK_NOTHING) {
        if (e.kind == HISS_BLOCK_COMPLETE) {
            put_work(b, (work_item){true, e.index});
        } else {
            take_answer(b, e.index);
        }
    }
    return b->unanswered > 0 || b->unsolved > 0;
}

hiss_status nat_blocks_finish(nat_blocks *b, hiss_error *err) {
    while (nat_blocks_progress(b)) {
        if (!nat_blocks_assist(b, 0)) {
            sched_yield();
        }
    }
    if (!b->alone) {
        hiss_coordinator_finish(b->coordinator);
    }
    const hiss_status s = hiss_comm_agree_at(b->n->world->comm, b->status, b->failed, &b->error);
    if (s != HISS_OK && err) {
        *err = b->error;
    }
    return s;
}

double nat_blocks_bytes(const nat_blocks *b) {
    return b->alone ? 0.0 : hiss_coordinator_bytes(b->coordinator);
}
