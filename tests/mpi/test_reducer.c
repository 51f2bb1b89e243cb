/* The gradient reducer against the canonical tree written out recursively: random lanes, partitions, groups, nodes, buckets,
 * threads, subsets of buckets; many steps in a row. Lanes' vectors are functions of (key, lane, element), so that every
 * rank can compute the whole sum. */
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hiss/reducer.h"
#include "mpi_test.h"
#include "nodes.h"

enum { MOST_BUCKETS = 7, MOST_THREADS = 4 };
enum {
    HOLD = 5000000,
    LONG_HOLD = 500000000
}; /* nanoseconds: longer than a step of others, and than any turn of a core */

typedef struct trial {
    hiss_comm *comm;
    hiss_reducer *reducer;
    int64_t lanes, first, end, count;
    int buckets, threads, group_size;
    hiss_node node;
    int node_ranks; /* pretended, of a node; 0: as it is */
    int late;       /* the rank so many from the end is held up within each step; 0: none */
    long hold;      /* nanoseconds */
    double busy;    /* seconds in which finish had the core */
    hiss_reduce reduce;
    hiss_wire wire[MOST_BUCKETS];
    int64_t offsets[MOST_BUCKETS + 1];
    bool used[MOST_BUCKETS];
    uint64_t key;           /* of the step's lane vectors */
    int64_t room, bytes;    /* for what arrives; what the reducer takes */
    int64_t ahead;          /* lanes that may start before an earlier one */
    int64_t order[32];      /* of local lanes */
    hiss_reducer_lent lent; /* memory NULL: none. Lanes use their pieces from the start of a step to their end */
    _Atomic int64_t next;
    float *model, *before; /* [count] and as it was at the step's start */
    int *updates;          /* [count] calls of update per element */
} trial;

/* The nearest number with 8 bits of precision, ties to even; the test draws none near the ends of float32's range. */
static float to_bf16(float value) {
    int exponent;
    const double part = frexp((double)value, &exponent); /* 8 bits before the point, below */
    return (float)ldexp(nearbyint(ldexp(part, 8)), exponent - 8);
}

static float node(uint64_t key, int64_t lanes, hiss_wire wire, int level, int64_t index, uint64_t element) {
    int64_t first = index << level;
    if (level == 0) {
        const float value = (float)value_of(key, (uint64_t)first, element);
        return wire == HISS_WIRE_BF16 ? to_bf16(value) : value;
    }
    float left = node(key, lanes, wire, level - 1, 2 * index, element);
    if (first + ((int64_t)1 << (level - 1)) >= lanes) {
        return left;
    }
    const float sum = left + node(key, lanes, wire, level - 1, 2 * index + 1, element);
    return wire == HISS_WIRE_BF16 ? to_bf16(sum) : sum;
}

static void update(void *user, int64_t begin, int64_t end, const float *sum) {
    trial *t = user;
    for (int64_t i = begin; i < end; i++) {
        t->model[i] = 0.25f * t->model[i] + sum[i - begin];
        t->updates[i]++;
    }
}

/* What a lane has in its piece of lent memory. */
static float *piece_of(const trial *t, int64_t local) {
    return local < t->lent.pieces ? t->lent.memory + t->lent.own + local * t->lent.piece : NULL;
}

static void fill_pieces(const trial *t) {
    for (int64_t local = 0; local < t->end - t->first; local++) {
        for (int64_t i = 0; piece_of(t, local) && i < t->lent.piece; i++) {
            piece_of(t, local)[i] = (float)value_of(t->key + 1, (uint64_t)local, (uint64_t)i);
        }
    }
}

static void check_piece(const trial *t, int64_t local) {
    hiss_comm *comm = t->comm;
    for (int64_t i = 0; piece_of(t, local) && i < t->lent.piece; i++) {
        CHECK(piece_of(t, local)[i] == (float)value_of(t->key + 1, (uint64_t)local, (uint64_t)i));
    }
}

/* A lane's forward and backward: model must be untouched in every bucket the lane is not done with. */
static void run_lane(trial *t, int64_t lane) {
    hiss_comm *comm = t->comm;
    float *g = hiss_reducer_lane(t->reducer, lane);
    uint64_t local = hash2(t->key, (uint64_t)lane);
    int shift = (int)draw(&local, t->buckets), last = -1;
    for (int k = 0; k < t->buckets; k++) {
        last = t->used[(k + shift) % t->buckets] ? k : last;
    }
    for (int k = 0; k < t->buckets; k++) {
        int b = (k + shift) % t->buckets;
        for (int64_t i = t->offsets[b]; t->used[b] && i < t->offsets[b + 1]; i++) {
            g[i] = (float)value_of(t->key, (uint64_t)lane, (uint64_t)i);
            CHECK(memcmp(&t->model[i], &t->before[i], sizeof(float)) == 0);
        }
        if (draw(&local, 3) == 0) {
            sched_yield();
        }
        if (k == last) {
            check_piece(t, lane - t->first);
        }
        if (t->used[b]) {
            hiss_reducer_done(t->reducer, lane, b);
        }
    }
}

static void *work(void *user) {
    trial *t = user;
    for (int64_t i = atomic_fetch_add(&t->next, 1); i < t->end - t->first; i = atomic_fetch_add(&t->next, 1)) {
        run_lane(t, t->first + t->order[i]);
    }
    return NULL;
}

/* Any order in which a lane comes before at most `ahead` earlier ones. */
static void draw_order(trial *t) {
    uint64_t key = hash2(t->key, (uint64_t)t->first);
    bool taken[32] = {false};
    for (int64_t i = 0, first = 0; i < t->end - t->first; i++) {
        const int64_t left = t->end - t->first - first;
        int64_t lane;
        do {
            lane = first + draw(&key, t->ahead + 1 < left ? t->ahead + 1 : left);
        } while (taken[lane]);
        taken[lane] = true;
        t->order[i] = lane;
        while (taken[first] && first < 31) {
            first++;
        }
    }
}

static void check_model(trial *t) {
    hiss_comm *comm = t->comm;
    for (int b = 0; b < t->buckets; b++) {
        for (int64_t i = t->offsets[b]; i < t->offsets[b + 1]; i++) {
            float expected = t->before[i];
            if (t->used[b]) {
                expected = 0.25f * expected + node(t->key, t->lanes, t->wire[b], 5, 0, (uint64_t)i);
            }
            if (t->used[b] && t->wire[b] == HISS_WIRE_BF16) {
                expected = t->before[i] + to_bf16(expected - t->before[i]);
            }
            if (t->reduce == HISS_REDUCE_TREE) {
                CHECK(memcmp(&expected, &t->model[i], sizeof expected) == 0);
            } else {
                CHECK(fabsf(expected - t->model[i]) <= 1e-5f * (float)t->lanes);
            }
        }
    }
}

static void check_updates(trial *t) {
    hiss_comm *comm = t->comm;
    const hiss_range *owned;
    int n = hiss_reducer_owned(t->reducer, &owned), at = 0;
    for (int b = 0; b < t->buckets; b++) {
        for (int64_t i = t->offsets[b]; i < t->offsets[b + 1]; i++) {
            while (at < n && i >= owned[at].end) {
                at++;
            }
            bool mine = at < n && i >= owned[at].begin;
            CHECK(t->updates[i] == (mine && t->used[b]));
        }
    }
}

static double core_seconds(void) {
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (double)used.tv_sec + 1e-9 * (double)used.tv_nsec;
}

static void step(trial *t, uint64_t *key) {
    pthread_t threads[MOST_THREADS];
    bool any = false;
    bool all = draw(key, 2);
    for (int b = 0; b < t->buckets; b++) {
        t->used[b] = all || draw(key, 2);
        any = any || t->used[b];
    }
    t->used[0] = t->used[0] || !any;
    t->key = ++*key;
    t->next = 0;
    draw_order(t);
    fill_pieces(t);
    memcpy(t->before, t->model, (size_t)t->count * sizeof(float));
    memset(t->updates, 0, (size_t)t->count * sizeof(int));

    hiss_alloc_seal(true);
    hiss_reducer_start(t->reducer, all ? NULL : t->used, t->model, update, t);
    bool main_works = draw(key, 2);
    for (int i = main_works; i < t->threads; i++) {
        pthread_create(&threads[i], NULL, work, t);
    }
    if (main_works) {
        work(t);
    }
    for (int64_t i = draw(key, 20); i > 0; i--) {
        hiss_reducer_progress(t->reducer);
    }
    if (hiss_comm_rank(t->comm) == hiss_comm_size(t->comm) - t->late) {
        nanosleep(&(struct timespec){.tv_nsec = t->hold}, NULL);
    }
    const double before = core_seconds();
    hiss_reducer_finish(t->reducer);
    t->busy = core_seconds() - before;
    for (int i = main_works; i < t->threads; i++) {
        pthread_join(threads[i], NULL);
    }
    hiss_alloc_seal(false);
    check_model(t);
    check_updates(t);
}

/* What the reducer owns covers the vector once, and gather puts it together. */
static void check_owned(trial *t) {
    hiss_comm *comm = t->comm;
    const hiss_range *owned;
    int n = hiss_reducer_owned(t->reducer, &owned);
    float *packed = hiss_new(float, t->count), *full = hiss_new(float, t->count);
    int64_t floats = 0, previous = 0;
    for (int k = 0; k < n; k++) {
        CHECK(owned[k].begin >= previous && owned[k].begin < owned[k].end && owned[k].end <= t->count);
        previous = owned[k].end;
        for (int64_t i = owned[k].begin; i < owned[k].end; i++) {
            packed[floats++] = (float)i;
        }
    }
    double mine = (double)floats, total;
    const double *pointer = &mine;
    int64_t ranks[65];
    hiss_partition(hiss_comm_size(comm), hiss_comm_size(comm), ranks);
    hiss_tree_sum(comm, hiss_comm_size(comm), ranks, 1, &pointer, &total);
    CHECK(total == (double)t->count * (t->reduce == HISS_REDUCE_TREE ? 1 : hiss_comm_size(comm)));
    hiss_reducer_gather(t->reducer, packed, hiss_comm_rank(comm) == 0 ? full : NULL);
    for (int64_t i = 0; i < t->count && hiss_comm_rank(comm) == 0; i++) {
        CHECK(full[i] == (float)i);
    }
    hiss_free(full);
    hiss_free(packed);
}

/* A step with all buckets sends what the printed schedule says, rank by rank. */
static void check_print(trial *t, double bytes) {
    hiss_comm *comm = t->comm;
    FILE *file = tmpfile();
    hiss_reducer_print(t->reducer, file);
    rewind(file);
    char line[256];
    double sent = 0;
    while (fgets(line, sizeof line, file)) {
        int bucket, from, to;
        long long count;
        CHECK(line[0] == '#' || sscanf(line, "%d %d %d %lld", &bucket, &from, &to, &count) == 4);
        if (line[0] != '#' && from == hiss_comm_rank(comm)) {
            CHECK(to != from && to >= 0 && to < hiss_comm_size(comm) && bucket >= 0 && bucket < t->buckets);
            sent += (double)count * (t->wire[bucket] == HISS_WIRE_BF16 ? 2 : 4);
        }
    }
    CHECK(fabs(bytes - sent) < 1); /* the counter also holds fractions, from collectives */
    fclose(file);
}

static double flown, transferred; /* over all steps, since a rank may be held up between two looks at the clock */

/* When buckets were in flight: together as long as the transfer. */
static void check_flights(const trial *t, double transfer) {
    hiss_comm *comm = t->comm;
    double first = 0.0, last = 0.0;
    for (int b = 0; b < t->buckets; b++) {
        const hiss_reducer_flight flight = hiss_reducer_bucket(t->reducer, b);
        CHECK((flight.begin > 0.0) == t->used[b] && flight.end >= flight.begin);
        if (t->used[b]) {
            first = first == 0.0 || flight.begin < first ? flight.begin : first;
            last = flight.end > last ? flight.end : last;
        }
    }
    CHECK(last - first <= transfer + 1e-9);
    flown += last - first;
    transferred += transfer;
}

/* How many ranks exchange with this one in memory. */
static int expected_shares(const trial *t) {
    const int size = hiss_comm_size(t->comm), rank = hiss_comm_rank(t->comm);
    const int each = t->node_ranks ? t->node_ranks : size, first = rank / each * each;
    const bool by_nodes = t->node != HISS_NODE_OFF && t->group_size == 0 && t->reduce == HISS_REDUCE_TREE;
    return !by_nodes ? 1 : first + each < size ? each : size - first;
}

static void run(trial *t, uint64_t *key, int steps, bool overlap, const int64_t *lane_offsets) {
    hiss_comm *comm = t->comm;
    hiss_error err = {0};
    hiss_reducer_options options = {.comm = comm,
                                    .lanes = t->lanes,
                                    .lane_offsets = lane_offsets,
                                    .count = t->count,
                                    .buckets = t->buckets,
                                    .bucket_offsets = t->offsets,
                                    .threads = t->threads,
                                    .ahead = t->ahead,
                                    .reduce = t->reduce,
                                    .wire = t->wire,
                                    .overlap = overlap,
                                    .group_size = t->group_size,
                                    .node = t->node,
                                    .room = t->room};
    t->first = lane_offsets[hiss_comm_rank(comm)];
    t->end = lane_offsets[hiss_comm_rank(comm) + 1];
    if (t->lent.piece > 0) {
        t->lent.pieces = t->lent.pieces < t->end - t->first ? t->lent.pieces : t->end - t->first;
        options.lent = &t->lent;
        t->lent.own = hiss_reducer_own(&options);
        CHECK(t->lent.own % 16 == 0 && (t->end == t->first || t->lent.own >= t->count));
        t->lent.memory = hiss_new(float, t->lent.own + t->lent.pieces * t->lent.piece);
    }
    ranks_of_a_node = t->node_ranks;
    CHECK(hiss_reducer_create(&options, &t->reducer, &err) == HISS_OK);
    CHECK(hiss_reducer_shares(t->reducer) == expected_shares(t));
    t->bytes = hiss_reducer_bytes(t->reducer);
    t->model = hiss_new(float, t->count);
    t->before = hiss_new(float, t->count);
    t->updates = hiss_new(int, t->count);
    for (int s = 0; s < steps; s++) {
        double sent = hiss_comm_bytes_sent(comm);
        step(t, key);
        bool all = true;
        for (int b = 0; b < t->buckets; b++) {
            all = all && t->used[b];
        }
        if (all && t->reduce == HISS_REDUCE_TREE) {
            check_print(t, hiss_comm_bytes_sent(comm) - sent);
        }
        hiss_reducer_times times = hiss_reducer_last(t->reducer);
        CHECK(times.wait >= 0 && times.transfer >= 0 && times.sum >= 0);
        check_flights(t, times.transfer);
    }
    check_owned(t);
    hiss_reducer_destroy(t->reducer);
    hiss_free(t->lent.memory);
    hiss_free(t->updates);
    hiss_free(t->before);
    hiss_free(t->model);
}

static void draw_buckets(trial *t, uint64_t *key) {
    t->buckets = 1 + (int)draw(key, MOST_BUCKETS);
    t->offsets[0] = 0;
    for (int b = 1; b < t->buckets; b++) {
        int64_t at = draw(key, t->count + 1);
        int place = b;
        while (place > 1 && t->offsets[place - 1] > at) {
            t->offsets[place] = t->offsets[place - 1];
            place--;
        }
        t->offsets[place] = at;
    }
    t->offsets[t->buckets] = t->count;
}

static void draw_wire(trial *t, uint64_t *key) {
    const bool any = draw(key, 2) && t->reduce == HISS_REDUCE_TREE;
    for (int b = 0; b < t->buckets; b++) {
        t->wire[b] = any && draw(key, 3) ? HISS_WIRE_BF16 : HISS_WIRE_FLOAT32;
    }
}

static void random_trials(hiss_comm *comm, uint64_t *key, int trials) {
    int size = hiss_comm_size(comm);
    for (int i = 0; i < trials; i++) {
        trial t = {.comm = comm};
        int64_t lane_offsets[65];
        t.lanes = 1 + draw(key, 17);
        t.count = 1 + draw(key, draw(key, 2) ? 2000 : 60);
        t.threads = 1 + (int)draw(key, MOST_THREADS);
        t.ahead = draw(key, 2) ? draw(key, 6) : 0;
        if (t.ahead == 0) {
            t.lent.piece = 16 * (draw(key, 2) ? draw(key, 2 + t.count / 16) : draw(key, 20));
            t.lent.pieces = draw(key, 19);
        }
        t.reduce = draw(key, 4) ? HISS_REDUCE_TREE : HISS_REDUCE_MPI;
        t.node = (hiss_node)draw(key, 3);
        t.group_size = t.node ? 0 : (int)draw(key, size + 2);
        t.node_ranks = (int)draw(key, size + 1);
        t.room = draw(key, 2) ? 1 + draw(key, t.count) : 0;
        t.late = draw(key, 2) ? 1 + (int)draw(key, size) : 0;
        t.hold = HOLD;
        draw_buckets(&t, key);
        draw_wire(&t, key);
        if (draw(key, 2)) {
            hiss_partition(t.lanes, size, lane_offsets);
        } else {
            draw_any_offsets(key, t.lanes, size, lane_offsets);
        }
        run(&t, key, 4, draw(key, 2), lane_offsets);
    }
}

/* Buckets of several slices and chunks, uneven lanes. */
static void large_trial(hiss_comm *comm, uint64_t *key, int group_size, int node_ranks, hiss_wire wire) {
    int size = hiss_comm_size(comm);
    trial t = {.comm = comm, .lanes = size + 1, .count = 1400003, .buckets = 2, .threads = 2, .group_size = group_size};
    t.node = node_ranks ? HISS_NODE_ON : HISS_NODE_OFF;
    t.node_ranks = node_ranks;
    int64_t lane_offsets[65];
    t.offsets[1] = 1300001;
    t.offsets[2] = t.count;
    t.wire[0] = wire;
    hiss_partition(t.lanes, size, lane_offsets);
    run(&t, key, 1, true, lane_offsets);
}

/* Less room than all buckets need at once: the same sums, and less memory. */
static void room_trial(hiss_comm *comm, uint64_t *key, bool overlap) {
    const int size = hiss_comm_size(comm);
    const int64_t slice = 160;
    int64_t lane_offsets[65], bytes[2];
    hiss_partition(size, size, lane_offsets);
    for (int tight = 0; tight < 2; tight++) {
        trial t = {.comm = comm, .lanes = size, .threads = 1, .group_size = 1, .buckets = MOST_BUCKETS, .room = tight};
        t.count = MOST_BUCKETS * size * slice;
        for (int b = 0; b <= MOST_BUCKETS; b++) {
            t.offsets[b] = b * size * slice;
        }
        run(&t, key, 3, overlap, lane_offsets);
        bytes[tight] = t.bytes;
    }
    const int64_t others = size - 1, places = 4;
    CHECK(bytes[0] - bytes[1] == (MOST_BUCKETS - places) * others * slice * (int64_t)sizeof(float));
}

/* All lanes on the last rank. */
static void empty_ranks_trial(hiss_comm *comm, uint64_t *key, int group_size, int node_ranks) {
    trial t = {.comm = comm, .lanes = 5, .count = 500, .threads = 2, .group_size = group_size};
    t.node = node_ranks ? HISS_NODE_ON : HISS_NODE_OFF;
    t.node_ranks = node_ranks;
    int64_t lane_offsets[65] = {0};
    lane_offsets[hiss_comm_size(comm)] = t.lanes;
    draw_buckets(&t, key);
    draw_wire(&t, key);
    run(&t, key, 3, true, lane_offsets);
}

/* New values come to a node without lanes before its members have looked for them: there, nobody waits for members' sums. A
 * bucket of one slice, which is of another node's. */
static void late_rank_trial(hiss_comm *comm, uint64_t *key, int node_ranks, int late, hiss_wire wire) {
    trial t = {.comm = comm, .lanes = 2, .count = 16, .buckets = 1, .threads = 1, .node = HISS_NODE_ON};
    t.node_ranks = node_ranks;
    t.late = late;
    t.hold = HOLD;
    t.offsets[1] = t.count;
    t.wire[0] = wire;
    int64_t lane_offsets[65] = {0};
    for (int rank = 1; rank <= hiss_comm_size(comm); rank++) {
        lane_offsets[rank] = t.lanes;
    }
    run(&t, key, 10, true, lane_offsets);
}

/* Who waits long for another member leaves the core alone. */
static void long_wait_trial(hiss_comm *comm, uint64_t *key) {
    const int size = hiss_comm_size(comm);
    trial t = {.comm = comm, .lanes = size, .count = 64, .buckets = 1, .threads = 1, .node = HISS_NODE_ON};
    t.offsets[1] = t.count;
    t.late = 1;
    t.hold = LONG_HOLD;
    int64_t lane_offsets[65];
    hiss_partition(size, size, lane_offsets);
    run(&t, key, 1, false, lane_offsets);
    CHECK(t.busy < 1e-9 * LONG_HOLD / 8);
}

/* One lane is in no addition, and counts as rounded all the same. */
static void single_lane_trial(hiss_comm *comm, uint64_t *key, hiss_node node) {
    trial t = {.comm = comm,
               .lanes = 1,
               .count = 100,
               .buckets = 1,
               .threads = 1,
               .node = node,
               .offsets = {0, 100},
               .wire = {HISS_WIRE_BF16}};
    int64_t lane_offsets[65];
    hiss_partition(1, hiss_comm_size(comm), lane_offsets);
    run(&t, key, 3, true, lane_offsets);
}

static void different_arguments_are_refused(hiss_comm *comm) {
    int size = hiss_comm_size(comm), last = hiss_comm_rank(comm) == size - 1;
    int64_t lane_offsets[65], bucket_offsets[3] = {0, 10 + last, 100};
    hiss_partition(20, size, lane_offsets);
    hiss_reducer_options options = {.comm = comm,
                                    .lanes = 20,
                                    .lane_offsets = lane_offsets,
                                    .count = 100,
                                    .buckets = 2,
                                    .bucket_offsets = bucket_offsets,
                                    .threads = 1};
    hiss_reducer *reducer;
    hiss_error err = {0};
    hiss_status status = hiss_reducer_create(&options, &reducer, &err);
    CHECK(status == (size == 1 ? HISS_OK : HISS_EINTERNAL));
    CHECK((reducer != NULL) == (size == 1) && (err.text[0] != 0) == (size > 1));
    hiss_reducer_destroy(reducer);
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    hiss_error err;
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) {
        return 1;
    }
    uint64_t key = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    random_trials(comm, &key, 25);
    for (int wire = HISS_WIRE_FLOAT32; wire <= HISS_WIRE_BF16; wire++) {
        large_trial(comm, &key, 1, 0, (hiss_wire)wire);
        large_trial(comm, &key, 2, 0, (hiss_wire)wire);
        large_trial(comm, &key, 0, 2, (hiss_wire)wire);
        large_trial(comm, &key, 0, 3, (hiss_wire)wire);
    }
    room_trial(comm, &key, true);
    room_trial(comm, &key, false);
    for (int ranks = 1; ranks <= 3; ranks++) {
        empty_ranks_trial(comm, &key, ranks, 0);
        empty_ranks_trial(comm, &key, 0, ranks);
    }
    for (int late = 1; late <= hiss_comm_size(comm); late++) {
        late_rank_trial(comm, &key, 2, late, HISS_WIRE_FLOAT32);
        late_rank_trial(comm, &key, 4, late, HISS_WIRE_BF16);
    }
    long_wait_trial(comm, &key);
    single_lane_trial(comm, &key, HISS_NODE_OFF);
    single_lane_trial(comm, &key, HISS_NODE_ON);
    different_arguments_are_refused(comm);
    CHECK(flown >= 0.5 * transferred);
    return finish_test(comm);
}
