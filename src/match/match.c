/* The blocks of one step, from rows to answers, as state machines.
 *
 *   1. all ranks learn the numbers of all columns of the step (an all-gather of 8 L m bytes), and cut the lanes into
 *      blocks by a keyed permutation;
 *   2. a lane that arrives gets its rows of scores and sends them to its block's coordinator (hiss/coordinator.h),
 *   whole, or
 *         lane                                  coordinator
 *         maxima of its columns        ->       prices
 *         lists under these prices     ->       optimum of the lists, and what it may miss
 *         columns                      <-       when that is little; else new prices, or all scores are asked for
 *   3. each lane is told its columns.
 *
 * Messages are moved by the main thread (progress). Work - cutting lists, solving - is put into a queue, from which
 * every thread takes it that has reached the end of an operation or has nothing else to do; with `beside`, the thread
 * made for it. A block of one lane is solved by the thread that brought it: nothing travels, nobody waits.
 *
 * What a message down is follows from its length: N + m words are columns and prices, m words columns, and none ask for
 * scores. So nothing here depends on what messages hold, and the simulator need not carry it.
 *
 * A failed block answers "as before", so that nobody hangs; finish makes the error common. */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/clock.h"
#include "hiss/coordinator.h"
#include "hiss/rng.h"
#include "match/match_impl.h"

typedef enum lane_state { RUNNING, SENDING, WAITING, ANSWERED } lane_state;

typedef struct lane_at {
    _Atomic int state; /* lane_state */
    hiss_match_sent sends;
    void *words;
    int32_t *columns; /* [m] the answer */
    double sent;      /* when it sent last */
} lane_at;

typedef struct block_at { /* one that this rank coordinates */
    _Atomic bool solved;  /* there is something to send down */
    hiss_match_sent sent;
    hiss_match_reply reply;
    int lists;
    float *price;     /* [N] */
    int32_t *columns; /* [N] */
    double complete;  /* when all had arrived, and which lane was the last */
    int64_t last;
} block_at;

typedef struct work_item {
    bool is_block;
    int64_t index;
} work_item;

typedef struct traced { /* names and a row of the recorder */
    int score, list, solve, message[HISS_MATCH_LISTS + 1], block, row;
} traced;

struct hiss_match {
    hiss_match_options o;
    traced traced;
    int64_t N, first, own; /* rows of a block; own lanes */
    int64_t *byte_offsets; /* [P+1] of the all-gather */
    int64_t *numbers;      /* [L * m] lane by lane */
    int64_t *order;        /* [L] lanes, block by block */
    int64_t *place;        /* [own] where they stand there */
    hiss_coordinator *coordinator;
    match_thread *thread;         /* beside only */
    bool alone;                   /* blocks of one lane, solved at once */
    lane_at *lanes;               /* [own] */
    block_at *blocks;             /* [most] */
    int64_t most, up;             /* up: words of the longest message of a lane */
    int64_t unanswered, unsolved; /* lanes; blocks of this rank */
    _Atomic int64_t news;         /* lanes and blocks that the main thread has to look at */
    int64_t messages;             /* sent up to the end of the last step, and their payload */
    double bytes;
    int threads;
    pthread_mutex_t lock; /* guards what follows */
    work_item *queue;     /* a ring of own + most */
    int64_t begin, capacity;
    _Atomic int64_t waiting;
    hiss_match_costs costs;
    hiss_status status; /* of the lowest failing block, and which that is */
    int64_t failed;
    hiss_error error;
};

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

hiss_lists hiss_match_lists(hiss_match_rows rows, int64_t N, int64_t m, int64_t k) {
    const hiss_lists lists = {.n = N, .m = m, .k = k < N ? k : N - 1};
    if (N == m || lists.k < 2 || rows == HISS_MATCH_DENSE) {
        return (hiss_lists){0};
    }
    const int64_t sent = 2 * N + m + hiss_lists_words(&lists); /* maxima and prices, too */
    return rows == HISS_MATCH_TOPK || 2 * sent < m * N ? lists : (hiss_lists){0};
}

/* ---- life ---- */

static void allocate(hiss_match *x) {
    const hiss_match_options *o = &x->o;
    const int P = hiss_comm_size(o->comm);
    const int64_t blocks = o->lanes / o->block_lanes;
    x->byte_offsets = hiss_new(int64_t, P + 1);
    for (int r = 0; r <= P; r++) {
        x->byte_offsets[r] = o->lane_offsets[r] * o->m * (int64_t)sizeof(int64_t);
    }
    x->numbers = hiss_new(int64_t, o->lanes * o->m);
    x->order = hiss_new(int64_t, o->lanes);
    x->place = hiss_new(int64_t, x->own);
    x->lanes = hiss_new(lane_at, x->own);
    for (int64_t l = 0; l < x->own; l++) {
        x->lanes[l].columns = hiss_new(int32_t, o->m);
    }
    x->most = x->alone ? 0 : blocks < x->own ? blocks : x->own;
    x->blocks = hiss_new(block_at, x->most);
    for (int64_t s = 0; s < x->most; s++) {
        x->blocks[s].columns = hiss_new(int32_t, x->N);
        x->blocks[s].price = o->lists.k > 0 ? hiss_new(float, x->N) : NULL;
    }
    x->capacity = x->own + x->most;
    x->queue = hiss_new(work_item, x->capacity);
}

static traced names(const hiss_match_options *o) {
    hiss_trace *t = o->trace;
    return (traced){
        .score = hiss_trace_add_name(t, HISS_TRACE_ASSIGN, "score", "lane", "block"),
        .list = hiss_trace_add_name(t, HISS_TRACE_ASSIGN, "list", "lane", "block"),
        .solve = hiss_trace_add_name(t, HISS_TRACE_ASSIGN, "solve", "block", "lists"),
        .message = {[HISS_MATCH_SCORES] = hiss_trace_add_name(t, HISS_TRACE_MESSAGE, "scores", "lane", "block"),
                    [HISS_MATCH_MAXIMA] = hiss_trace_add_name(t, HISS_TRACE_MESSAGE, "maxima", "lane", "block"),
                    [HISS_MATCH_LISTS] = hiss_trace_add_name(t, HISS_TRACE_MESSAGE, "lists", "lane", "block")},
        .block = hiss_trace_add_name(t, HISS_TRACE_BLOCK, "block", "block", "last"),
        .row = o->beside ? hiss_trace_add_row(t, "matching thread", -1) : 0};
}

hiss_status hiss_match_create(const hiss_match_options *options, hiss_match **out, hiss_error *err) {
    const hiss_match_options *o = options;
    const int rank = hiss_comm_rank(o->comm);
    hiss_match *x = hiss_new(hiss_match, 1);
    *out = x;
    assert(o->block_lanes > 0 && o->lanes % o->block_lanes == 0);
    x->o = *o;
    x->N = o->block_lanes * o->m;
    x->first = o->lane_offsets[rank];
    x->own = o->lane_offsets[rank + 1] - x->first;
    x->alone = o->block_lanes == 1 && !o->beside;
    x->traced = names(o);
    pthread_mutex_init(&x->lock, NULL);
    allocate(x);
    const bool lists = o->lists.k > 0;
    x->up = larger(o->m * x->N, lists ? larger(x->N, hiss_lists_words(&o->lists)) : 0);
    if (x->alone) {
        return HISS_OK;
    }
    const hiss_status s = hiss_coordinator_create(o->comm, o->lanes, o->lane_offsets, o->block_lanes, x->up,
                                                  o->m + (lists ? x->N : 0), &x->coordinator, err);
    return s == HISS_OK && o->beside ? match_thread_create(x, &x->thread, err) : s;
}

void hiss_match_destroy(hiss_match *x) {
    if (!x) {
        return;
    }
    match_thread_destroy(x->thread);
    hiss_coordinator_destroy(x->coordinator);
    for (int64_t l = 0; l < x->own; l++) {
        hiss_free(x->lanes[l].columns);
    }
    for (int64_t s = 0; s < x->most; s++) {
        hiss_free(x->blocks[s].columns);
        hiss_free(x->blocks[s].price);
    }
    hiss_free(x->queue);
    hiss_free(x->blocks);
    hiss_free(x->lanes);
    hiss_free(x->place);
    hiss_free(x->order);
    hiss_free(x->numbers);
    hiss_free(x->byte_offsets);
    pthread_mutex_destroy(&x->lock);
    hiss_free(x);
}

/* ---- the beginning of a step ---- */

/* The numbers of others are for blocks of several lanes. */
static void share_numbers(hiss_match *x, const int64_t *number) {
    const double sent = hiss_comm_bytes_sent(x->o.comm);
    if (x->o.block_lanes > 1) {
        hiss_comm_allgather(x->o.comm, number, x->byte_offsets, x->numbers);
    } else {
        memcpy(x->numbers + x->first * x->o.m, number, sizeof(int64_t) * (size_t)(x->own * x->o.m));
    }
    x->costs.shared += hiss_comm_bytes_sent(x->o.comm) - sent;
}

/* Which lanes stand together this step. Lanes of a block arrive one after another, the same block first on all ranks.
 */
static void draw_blocks(hiss_match *x, int64_t step, int64_t *order) {
    const int64_t lanes = x->o.lanes;
    const hiss_permutation p = hiss_permutation_keyed(x->o.seed, HISS_FOR_BLOCKS, step, 0, lanes);
    const bool several = x->o.block_lanes > 1 && x->o.block_lanes < lanes;
    for (int64_t at = 0, count = 0; at < lanes; at++) {
        x->order[at] = hiss_permutation_at(&p, at);
        const int64_t local = x->order[at] - x->first;
        if (local >= 0 && local < x->own) {
            x->place[local] = at;
            if (several) {
                order[count++] = local;
            }
        }
    }
}

static void start_blocks(hiss_match *x) {
    const hiss_match_sent first = x->o.lists.k > 0 ? HISS_MATCH_MAXIMA : HISS_MATCH_SCORES;
    x->status = HISS_OK;
    x->unanswered = x->alone ? 0 : x->own;
    for (int64_t l = 0; l < x->own; l++) {
        x->lanes[l].sends = first;
        atomic_store(&x->lanes[l].state, RUNNING);
    }
    if (!x->alone) {
        hiss_coordinator_start(x->coordinator, x->order);
        x->unsolved = hiss_coordinator_slots(x->coordinator);
    }
    for (int64_t s = 0; s < x->unsolved; s++) {
        x->blocks[s].sent = first;
        x->blocks[s].lists = 0;
        atomic_store(&x->blocks[s].solved, false);
        for (int64_t i = 0; i < x->N; i++) {
            x->blocks[s].columns[i] = (int32_t)i;
        }
    }
}

void hiss_match_start(hiss_match *x, int64_t step, int threads, const int64_t *number, int64_t *order) {
    x->threads = threads;
    x->costs.steps++;
    share_numbers(x, number);
    draw_blocks(x, step, order);
    start_blocks(x);
}

int64_t hiss_match_place(const hiss_match *x, int64_t local) {
    return x->place[local];
}

int64_t hiss_match_number(const hiss_match *x, int64_t block, int64_t column) {
    const int64_t m = x->o.m, lane = x->order[block * x->o.block_lanes + column / m];
    return x->numbers[lane * m + column % m];
}

/* ---- work ---- */

static void note_failure(hiss_match *x, int64_t block, hiss_status status, const hiss_error *err) {
    pthread_mutex_lock(&x->lock);
    if (x->status == HISS_OK || block < x->failed) {
        x->status = status;
        x->failed = block;
        x->error = *err;
    }
    pthread_mutex_unlock(&x->lock);
}

/* value, second: of the span. */
static void note_work(hiss_match *x, int thread, double *sum, double start, int name, int64_t value, int64_t second) {
    const double end = hiss_seconds();
    pthread_mutex_lock(&x->lock);
    *sum += end - start;
    pthread_mutex_unlock(&x->lock);
    hiss_trace_add(x->o.trace, thread < x->threads ? thread : x->traced.row, name, start, end, value, second);
}

/* Its failure is noted; a gap counts when it is final. */
static void solve(hiss_match *x, int thread, int64_t number, const hiss_match_block *block, hiss_match_reply *reply) {
    const double start = hiss_seconds();
    double gap = 0.0;
    hiss_error err = {0};
    *reply = HISS_MATCH_COLUMNS;
    const hiss_status s = x->o.work.solve(x->o.work.user, thread, block, reply, &gap, &err);
    if (s != HISS_OK) {
        note_failure(x, number, s, &err);
        *reply = HISS_MATCH_COLUMNS;
    }
    note_work(x, thread, &x->costs.solve, start, x->traced.solve, number, block->lists);
    if (s == HISS_OK && *reply == HISS_MATCH_COLUMNS) {
        pthread_mutex_lock(&x->lock);
        x->costs.gap = gap > x->costs.gap ? gap : x->costs.gap;
        pthread_mutex_unlock(&x->lock);
    }
}

static void work_on_block(hiss_match *x, int thread, int64_t slot) {
    block_at *at = &x->blocks[slot];
    const int64_t m = x->o.m;
    at->lists += at->sent == HISS_MATCH_LISTS;
    const hiss_match_block block = {.sent = at->sent,
                                    .lanes = x->o.block_lanes,
                                    .lists = at->lists,
                                    .words = hiss_coordinator_up(x->coordinator, slot, 0),
                                    .stride = x->up,
                                    .columns = at->columns,
                                    .price = at->price};
    solve(x, thread, hiss_coordinator_block(x->coordinator, slot), &block, &at->reply);
    for (int64_t j = 0; j < x->o.block_lanes && at->reply != HISS_MATCH_MORE; j++) {
        hiss_coordinator_write(x->coordinator, slot, j, 0, at->columns + j * m, m);
        if (at->reply == HISS_MATCH_PRICES) {
            hiss_coordinator_write(x->coordinator, slot, j, m, at->price, x->N);
        }
    }
    atomic_store(&at->solved, true);
    atomic_fetch_add(&x->news, 1);
}

static void put_work(hiss_match *x, work_item item) {
    pthread_mutex_lock(&x->lock);
    x->queue[(x->begin + atomic_load(&x->waiting)) % x->capacity] = item;
    atomic_fetch_add(&x->waiting, 1);
    pthread_mutex_unlock(&x->lock);
    if (x->thread) {
        match_thread_wake(x->thread);
    }
}

/* ---- lanes ---- */

static void make_words(hiss_match *x, int thread, int64_t local, const float *features) {
    lane_at *at = &x->lanes[local];
    const bool lists = at->sends == HISS_MATCH_LISTS;
    const int32_t *answer = lists ? hiss_coordinator_answer(x->coordinator, local) : NULL;
    const hiss_match_lane lane = {.local = local,
                                  .block = x->place[local] / x->o.block_lanes,
                                  .sends = at->sends,
                                  .features = features,
                                  .columns = answer,
                                  .price = lists ? (const float *)(answer + x->o.m) : NULL};
    const double start = hiss_seconds();
    at->words = x->o.work.score(x->o.work.user, thread, &lane);
    note_work(x, thread, features ? &x->costs.score : &x->costs.list, start,
              features ? x->traced.score : x->traced.list, x->first + local, lane.block);
}

static void solve_alone(hiss_match *x, int thread, int64_t local) {
    lane_at *at = &x->lanes[local];
    hiss_match_reply reply;
    const hiss_match_block block = {
        .sent = HISS_MATCH_SCORES, .lanes = 1, .words = at->words, .stride = x->up, .columns = at->columns};
    for (int64_t i = 0; i < x->N; i++) {
        at->columns[i] = (int32_t)i;
    }
    solve(x, thread, x->place[local], &block, &reply);
    if (x->o.work.answered) {
        x->o.work.answered(x->o.work.user, local, at->columns);
    }
    atomic_store(&at->state, ANSWERED);
}

void hiss_match_arrive(hiss_match *x, int thread, int64_t local, const float *features) {
    make_words(x, thread, local, features);
    if (x->alone) {
        solve_alone(x, thread, local);
        return;
    }
    atomic_store(&x->lanes[local].state, SENDING);
    atomic_fetch_add(&x->news, 1);
}

static void work_on_lane(hiss_match *x, int thread, int64_t local) {
    make_words(x, thread, local, NULL);
    atomic_store(&x->lanes[local].state, SENDING);
    atomic_fetch_add(&x->news, 1);
}

bool hiss_match_assist(hiss_match *x, int thread) {
    if (atomic_load(&x->waiting) == 0 || (x->thread && thread != HISS_MATCH_OWN_THREAD)) {
        return false;
    }
    pthread_mutex_lock(&x->lock);
    const bool found = atomic_load(&x->waiting) > 0;
    const work_item item = x->queue[x->begin];
    if (found) {
        x->begin = (x->begin + 1) % x->capacity;
        atomic_fetch_sub(&x->waiting, 1);
    }
    pthread_mutex_unlock(&x->lock);
    const int number = thread == HISS_MATCH_OWN_THREAD ? x->threads : thread;
    if (found && item.is_block) {
        work_on_block(x, number, item.index);
    } else if (found) {
        work_on_lane(x, number, item.index);
    }
    return found;
}

bool hiss_match_ready(const hiss_match *x, int64_t local) {
    const int state = atomic_load(&x->lanes[local].state);
    return state == ANSWERED || (x->thread && state != RUNNING);
}

/* ---- messages ---- */

static void send_up(hiss_match *x, int64_t local) {
    lane_at *at = &x->lanes[local];
    const int64_t words = at->sends == HISS_MATCH_SCORES   ? x->o.m * x->N
                          : at->sends == HISS_MATCH_MAXIMA ? x->N
                                                           : hiss_lists_words(&x->o.lists);
    atomic_store(&at->state, WAITING);
    at->sent = hiss_seconds();
    hiss_coordinator_send_up(x->coordinator, local, at->words, words);
}

static void send_down(hiss_match *x, int64_t slot) {
    block_at *at = &x->blocks[slot];
    const hiss_match_reply reply = at->reply;
    const bool more = reply != HISS_MATCH_COLUMNS;
    const int64_t words = reply == HISS_MATCH_MORE ? 0 : x->o.m + (reply == HISS_MATCH_PRICES ? x->N : 0);
    atomic_store(&at->solved, false);
    at->sent = reply == HISS_MATCH_MORE ? HISS_MATCH_SCORES : HISS_MATCH_LISTS;
    x->unsolved -= !more;
    for (int64_t j = 0; j < x->o.block_lanes; j++) {
        hiss_coordinator_send_down(x->coordinator, slot, j, words, more);
    }
    hiss_trace_add(x->o.trace, 0, x->traced.block, at->complete, hiss_seconds(),
                   hiss_coordinator_block(x->coordinator, slot), at->last);
}

static void take_answer(hiss_match *x, int64_t local) {
    const int64_t m = x->o.m, words = hiss_coordinator_answer_words(x->coordinator, local);
    lane_at *at = &x->lanes[local];
    hiss_trace_add(x->o.trace, 0, x->traced.message[at->sends], at->sent, hiss_seconds(), x->first + local,
                   x->place[local] / x->o.block_lanes);
    if (words == m) {
        memcpy(at->columns, hiss_coordinator_answer(x->coordinator, local), sizeof(int32_t) * (size_t)m);
        x->unanswered--;
        if (!x->thread && x->o.work.answered) {
            x->o.work.answered(x->o.work.user, local, at->columns);
        }
        atomic_store(&at->state, ANSWERED);
    } else {
        at->sends = words > m ? HISS_MATCH_LISTS : HISS_MATCH_SCORES;
        put_work(x, (work_item){false, local});
    }
}

static void send_news(hiss_match *x) {
    if (atomic_exchange(&x->news, 0) > 0) {
        for (int64_t s = 0; s < hiss_coordinator_slots(x->coordinator); s++) {
            if (atomic_load(&x->blocks[s].solved)) {
                send_down(x, s);
            }
        }
        for (int64_t l = 0; l < x->own; l++) {
            if (atomic_load(&x->lanes[l].state) == SENDING) {
                send_up(x, l);
            }
        }
    }
}

static bool take_events(hiss_match *x, hiss_block_event first) {
    for (hiss_block_event e = first; e.kind != HISS_BLOCK_NOTHING; e = hiss_coordinator_next(x->coordinator)) {
        if (e.kind == HISS_BLOCK_COMPLETE) {
            x->blocks[e.index].complete = hiss_seconds();
            x->blocks[e.index].last = e.last;
            put_work(x, (work_item){true, e.index});
        } else {
            take_answer(x, e.index);
        }
    }
    return x->unanswered > 0 || x->unsolved > 0;
}

bool hiss_match_progress(hiss_match *x) {
    if (x->alone) {
        return false;
    }
    send_news(x);
    return take_events(x, hiss_coordinator_next(x->coordinator));
}

bool hiss_match_wait(hiss_match *x) {
    if (x->alone) {
        return false;
    }
    send_news(x);
    return take_events(x, hiss_coordinator_wait(x->coordinator));
}

/* ---- the end of a step ---- */

static void note_messages(hiss_match *x) {
    const int64_t messages = x->alone ? 0 : hiss_coordinator_messages(x->coordinator);
    const double bytes = x->alone ? 0.0 : hiss_coordinator_bytes(x->coordinator);
    pthread_mutex_lock(&x->lock);
    x->costs.messages += messages - x->messages;
    x->costs.bytes += bytes - x->bytes;
    pthread_mutex_unlock(&x->lock);
    x->messages = messages;
    x->bytes = bytes;
}

hiss_status hiss_match_finish(hiss_match *x, hiss_error *err) {
    while (hiss_match_progress(x)) {
        if (!hiss_match_assist(x, 0)) {
            sched_yield();
        }
    }
    if (!x->alone) {
        hiss_coordinator_finish(x->coordinator);
    }
    note_messages(x);
    const hiss_status s = hiss_comm_agree_at(x->o.comm, x->status, x->failed, &x->error);
    if (s != HISS_OK && err) {
        *err = x->error;
    }
    return s;
}

const int32_t *hiss_match_columns(const hiss_match *x, int64_t local) {
    return x->lanes[local].columns;
}

hiss_match_costs hiss_match_take_costs(hiss_match *x) {
    pthread_mutex_lock(&x->lock);
    const hiss_match_costs costs = x->costs;
    x->costs = (hiss_match_costs){0};
    pthread_mutex_unlock(&x->lock);
    return costs;
}
