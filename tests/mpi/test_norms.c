/* Norms before updates: sums of squares against the canonical tree over blocks written out recursively, for random
 * segments, sets, rounds, buckets, lanes, groups, ranks. Terms of the second round are functions of the first round's
 * squares, and updates check that they find all of them: on every rank, with the same bits. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/reducer.h"
#include "mpi_test.h"
#include "nodes.h"

enum { MOST_BUCKETS = 6, MOST_SEGMENTS = 12, SETS = 2, LONGEST = 9000 };

typedef struct trial {
    hiss_comm *comm;
    hiss_reducer *reducer;
    hiss_reduce reduce;
    uint64_t key;
    int64_t lanes, first, end, count;
    int buckets, segments;
    int64_t offsets[MOST_BUCKETS + 1];
    int set[MOST_BUCKETS], bucket_of[MOST_SEGMENTS];
    hiss_range segment[MOST_SEGMENTS];
    hiss_norm_rounds rounds[SETS];
    bool used[MOST_BUCKETS];
    float *model, *sum; /* [count] */
    int *updates;       /* [count] */
    double expected[HISS_NORM_ROUNDS][MOST_SEGMENTS][HISS_NORM_TERMS], whole[HISS_NORM_ROUNDS][SETS][HISS_NORM_TERMS];
} trial;

static float lane_sum(uint64_t key, int64_t lanes, int level, int64_t index, uint64_t element) {
    const int64_t first = index << level;
    if (level == 0) {
        return (float)value_of(key, (uint64_t)first, element);
    }
    const float left = lane_sum(key, lanes, level - 1, 2 * index, element);
    const bool alone = first + ((int64_t)1 << (level - 1)) >= lanes;
    return alone ? left : left + lane_sum(key, lanes, level - 1, 2 * index + 1, element);
}

/* Term 0 of round 0 is the sum, term 1 the model. Those of round 1 are the sum, scaled by what round 0 found. */
static float term_of(const trial *t, int s, int round, int term, int64_t at, float sum, double squares, double whole) {
    if (round == 0) {
        return term == 0 ? sum : 0.5f * (float)(at % 7);
    }
    const bool all = t->rounds[t->set[t->bucket_of[s]]].round[0].whole;
    return sum * (float)sqrt((all ? whole : squares) + term);
}

static void measure(void *user, int segment, int round, int64_t begin, int64_t end, const float *sum,
                    float *const term[HISS_NORM_TERMS]) {
    const trial *t = user;
    hiss_comm *comm = t->comm;
    const int set = t->set[t->bucket_of[segment]];
    CHECK(begin < end && end - begin <= HISS_NORM_STRIP && begin >= t->segment[segment].begin &&
          end <= t->segment[segment].end && t->used[t->bucket_of[segment]]);
    const double squares = round ? hiss_reducer_squares(t->reducer, segment, 0, 0) : 0;
    const double whole = round && t->rounds[set].round[0].whole ? hiss_reducer_set_squares(t->reducer, set, 0, 0) : 0;
    for (int k = 0; k < t->rounds[set].round[round].terms; k++) {
        for (int64_t i = begin; i < end; i++) {
            term[k][i - begin] = term_of(t, segment, round, k, i, sum[i - begin], squares, whole);
        }
    }
}

/* Node (level, index) of the blocks of a segment. */
static double block_tree(const trial *t, int s, int round, int term, int level, int64_t index) {
    const int64_t length = t->segment[s].end - t->segment[s].begin, first = (index << level) * HISS_NORM_BLOCK;
    if (level == 0) {
        double q[HISS_NORM_BLOCK] = {0};
        for (int64_t i = first; i < length && i < first + HISS_NORM_BLOCK; i++) {
            const int64_t at = t->segment[s].begin + i;
            const int set = t->set[t->bucket_of[s]];
            const double x =
                (double)term_of(t, s, round, term, at, t->sum[at], t->expected[0][s][0], t->whole[0][set][0]);
            q[i - first] = x * x;
        }
        for (int width = HISS_NORM_BLOCK / 2; width > 0; width /= 2) {
            for (int i = 0; i < width; i++) {
                q[i] += q[i + width];
            }
        }
        return q[0];
    }
    const double left = block_tree(t, s, round, term, level - 1, 2 * index);
    const bool alone = ((2 * index + 1) << (level - 1)) * HISS_NORM_BLOCK >= length;
    return alone ? left : left + block_tree(t, s, round, term, level - 1, 2 * index + 1);
}

static void expect(trial *t) {
    memset(t->expected, 0, sizeof t->expected);
    memset(t->whole, 0, sizeof t->whole);
    for (int64_t i = 0; i < t->count; i++) {
        t->sum[i] = lane_sum(t->key, t->lanes, 5, 0, (uint64_t)i);
    }
    for (int round = 0; round < HISS_NORM_ROUNDS; round++) {
        for (int s = 0; s < t->segments; s++) {
            const int set = t->set[t->bucket_of[s]];
            const bool has = t->used[t->bucket_of[s]] && round < t->rounds[set].count;
            for (int k = 0; has && k < t->rounds[set].round[round].terms; k++) {
                t->expected[round][s][k] = block_tree(t, s, round, k, 10, 0);
                t->whole[round][set][k] += t->rounds[set].round[round].whole ? t->expected[round][s][k] : 0;
            }
        }
    }
}

static void same(const trial *t, double expected, double found) {
    hiss_comm *comm = t->comm;
    if (t->reduce == HISS_REDUCE_TREE) {
        CHECK(memcmp(&expected, &found, sizeof found) == 0);
    } else {
        CHECK(fabs(expected - found) <= 1e-3 * fabs(expected));
    }
}

/* Updates of a bucket find the norms of all its rounds. */
static void update(void *user, int64_t begin, int64_t end, const float *sum) {
    trial *t = user;
    hiss_comm *comm = t->comm;
    for (int s = 0; s < t->segments; s++) {
        const int set = t->set[t->bucket_of[s]];
        for (int round = 0; t->segment[s].begin < end && begin < t->segment[s].end && round < t->rounds[set].count;
             round++) {
            for (int k = 0; k < t->rounds[set].round[round].terms; k++) {
                same(t, t->expected[round][s][k], hiss_reducer_squares(t->reducer, s, round, k));
                if (t->rounds[set].round[round].whole) {
                    same(t, t->whole[round][set][k], hiss_reducer_set_squares(t->reducer, set, round, k));
                }
            }
        }
    }
    for (int64_t i = begin; i < end; i++) {
        CHECK(t->reduce == HISS_REDUCE_MPI || memcmp(&sum[i - begin], &t->sum[i], sizeof *sum) == 0);
        t->model[i] += 1;
        t->updates[i]++;
    }
}

/* Buckets begin on blocks and hold segments with gaps between them, some of a few floats; some buckets have none. */
static void draw_vector(trial *t, uint64_t *key) {
    t->buckets = 1 + (int)draw(key, MOST_BUCKETS);
    t->segments = 0;
    int64_t at = 0;
    for (int b = 0; b < t->buckets; b++) {
        t->offsets[b] = at;
        t->set[b] = (int)draw(key, SETS + 1) - 1;
        for (int64_t n = t->set[b] < 0 ? 0 : draw(key, 3); n > 0; n--) {
            const int64_t length = 1 + draw(key, draw(key, 2) ? 40 : LONGEST);
            t->bucket_of[t->segments] = b;
            t->segment[t->segments++] = (hiss_range){at, at + length};
            at += (length + HISS_NORM_BLOCK - 1 + draw(key, 2) * 20) / HISS_NORM_BLOCK * HISS_NORM_BLOCK;
        }
        at += t->offsets[b] == at ? HISS_NORM_BLOCK * (1 + draw(key, 8)) : 0;
    }
    t->offsets[t->buckets] = t->count = at;
    for (int s = 0; s < SETS; s++) {
        t->rounds[s] = (hiss_norm_rounds){.count = (int)draw(key, HISS_NORM_ROUNDS + 1)};
        for (int round = 0; round < HISS_NORM_ROUNDS; round++) {
            t->rounds[s].round[round].terms = 1 + (int)draw(key, HISS_NORM_TERMS);
            t->rounds[s].round[round].whole = draw(key, 2);
        }
    }
}

static void step(trial *t, uint64_t *key, bool ahead_of_lanes) {
    hiss_comm *comm = t->comm;
    const hiss_range *owned;
    bool any = false;
    for (int b = 0; b < t->buckets; b++) {
        t->used[b] = draw(key, 4) > 0;
        any = any || t->used[b];
    }
    t->used[0] = t->used[0] || !any;
    t->key = ++*key;
    expect(t);
    memset(t->updates, 0, sizeof(int) * (size_t)t->count);
    hiss_alloc_seal(true);
    hiss_reducer_start(t->reducer, t->used, t->model, update, t);
    for (int64_t lane = t->first; lane < t->end; lane++) {
        float *g = hiss_reducer_lane(t->reducer, lane);
        for (int k = 0; k < t->buckets; k++) {
            const int b = ahead_of_lanes ? k : t->buckets - 1 - k;
            for (int64_t i = t->offsets[b]; t->used[b] && i < t->offsets[b + 1]; i++) {
                g[i] = (float)value_of(t->key, (uint64_t)lane, (uint64_t)i);
            }
            if (t->used[b]) {
                hiss_reducer_done(t->reducer, lane, b);
                hiss_reducer_progress(t->reducer);
            }
        }
    }
    hiss_reducer_finish(t->reducer);
    hiss_alloc_seal(false);
    const int n = hiss_reducer_owned(t->reducer, &owned);
    int64_t updates = 0, expected = 0;
    for (int b = 0; b < t->buckets; b++) {
        for (int64_t i = t->offsets[b]; i < t->offsets[b + 1]; i++) {
            updates += t->updates[i];
            CHECK(t->updates[i] <= 1);
            CHECK(t->model[i] == t->model[t->offsets[b]]); /* once per used step, on every rank */
            for (int k = 0; t->used[b] && k < n; k++) {
                expected += owned[k].begin <= i && i < owned[k].end;
            }
        }
    }
    CHECK(updates == expected);
}

static void run(trial *t, uint64_t *key, int group_size, hiss_node node, bool overlap, const int64_t *lane_offsets) {
    hiss_comm *comm = t->comm;
    hiss_error err = {0};
    const hiss_reducer_norms norms = {.segments = t->segments,
                                      .segment = t->segment,
                                      .sets = SETS,
                                      .rounds = t->rounds,
                                      .set = t->set,
                                      .measure = measure};
    const hiss_reducer_options options = {.comm = comm,
                                          .lanes = t->lanes,
                                          .lane_offsets = lane_offsets,
                                          .count = t->count,
                                          .buckets = t->buckets,
                                          .bucket_offsets = t->offsets,
                                          .threads = 1,
                                          .reduce = t->reduce,
                                          .overlap = overlap,
                                          .group_size = group_size,
                                          .node = node,
                                          .norms = &norms};
    t->first = lane_offsets[hiss_comm_rank(comm)];
    t->end = lane_offsets[hiss_comm_rank(comm) + 1];
    CHECK(hiss_reducer_create(&options, &t->reducer, &err) == HISS_OK);
    t->model = hiss_new(float, t->count);
    t->sum = hiss_new(float, t->count);
    t->updates = hiss_new(int, t->count);
    for (int s = 0; s < 3; s++) {
        step(t, key, s == 1);
    }
    hiss_reducer_destroy(t->reducer);
    hiss_free(t->updates);
    hiss_free(t->sum);
    hiss_free(t->model);
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    hiss_error err;
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) {
        return 1;
    }
    uint64_t key = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    const int size = hiss_comm_size(comm);
    for (int i = 0; i < 40; i++) {
        int64_t lane_offsets[65];
        trial t = {.comm = comm, .lanes = 1 + draw(&key, 17)};
        t.reduce = draw(&key, 5) ? HISS_REDUCE_TREE : HISS_REDUCE_MPI;
        draw_vector(&t, &key);
        const hiss_node node = draw(&key, 2) ? HISS_NODE_ON : HISS_NODE_OFF;
        const int group_size = node ? 0 : (int)draw(&key, size + 2);
        ranks_of_a_node = (int)draw(&key, size + 1);
        draw_any_offsets(&key, t.lanes, size, lane_offsets);
        run(&t, &key, group_size, node, draw(&key, 2), lane_offsets);
    }
    return finish_test(comm);
}
