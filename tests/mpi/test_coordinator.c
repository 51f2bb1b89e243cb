/* Messages between lanes and coordinators: rounds of messages up and down whose words name (use, round, lane, word), in
 * blocks of all sizes over all cuts of the lanes; lanes send in random order and blocks take different numbers of
 * rounds, so that ranks and blocks get ahead of each other. */
#include <stdbool.h>
#include <string.h>

#include "hiss/coordinator.h"
#include "mpi_test.h"

enum { UP = 37, DOWN = 11, MOST_ROUNDS = 4 };

typedef struct trial {
    hiss_comm *comm;
    int64_t lanes, group, first, own;
    int64_t order[32];
    uint64_t key; /* of this use */
    hiss_coordinator *c;
    int32_t *words; /* [own, UP] */
    int sent[32];   /* rounds, by local lane */
    int got[32];    /* by slot */
} trial;

static int32_t word(uint64_t key, int direction, int64_t lane, int round, int64_t i) {
    return (int32_t)hash2(hash2(key, (uint64_t)(4 * lane + 2 * round + direction)), (uint64_t)(100 * round + i));
}

static int64_t length(uint64_t key, int direction, int64_t lane, int round) {
    return 1 + (int64_t)(hash2(key + 7, (uint64_t)(lane * 8 + round * 2 + direction)) %
                         (uint64_t)(direction == 0 ? UP : DOWN));
}

static int rounds_of(const trial *t, int64_t block) {
    return 1 + (int)(hash2(t->key + 3, (uint64_t)block) % MOST_ROUNDS);
}

static void send_up(trial *t, int64_t local) {
    const int64_t lane = t->first + local;
    const int64_t count = length(t->key, 0, lane, t->sent[local]);
    for (int64_t i = 0; i < count; i++) {
        t->words[local * UP + i] = word(t->key, 0, lane, t->sent[local], i);
    }
    hiss_coordinator_send_up(t->c, local, t->words + local * UP, count);
    t->sent[local]++;
}

/* All messages of a round are there; answer them. */
static void answer_block(trial *t, int64_t slot) {
    hiss_comm *comm = t->comm;
    const int64_t block = hiss_coordinator_block(t->c, slot);
    const int round = t->got[slot]++;
    for (int64_t j = 0; j < t->group; j++) {
        const int64_t lane = t->order[block * t->group + j];
        const int32_t *up = hiss_coordinator_up(t->c, slot, j);
        for (int64_t i = 0; i < length(t->key, 0, lane, round); i++) {
            CHECK(up[i] == word(t->key, 0, lane, round, i));
        }
        CHECK(up == (int32_t *)hiss_coordinator_up(t->c, slot, 0) + j * UP);
        int32_t down[DOWN];
        const int64_t count = length(t->key, 1, lane, round), half = count / 2;
        for (int64_t i = 0; i < count; i++) {
            down[i] = word(t->key, 1, lane, round, i);
        }
        hiss_coordinator_write(t->c, slot, j, half, down + half, count - half);
        memcpy(hiss_coordinator_down(t->c, slot, j), down, sizeof(int32_t) * (size_t)half);
    }
    for (int64_t j = 0; j < t->group; j++) {
        const int64_t lane = t->order[block * t->group + j];
        hiss_coordinator_send_down(t->c, slot, j, length(t->key, 1, lane, round), round + 1 < rounds_of(t, block));
    }
}

static int64_t place_of(const trial *t, int64_t lane) {
    int64_t place = 0;
    while (t->order[place] != lane) {
        place++;
    }
    return place;
}

/* Whether the lane is through. */
static bool take_answer(trial *t, int64_t local) {
    hiss_comm *comm = t->comm;
    const int64_t lane = t->first + local;
    const int round = t->sent[local] - 1;
    const int32_t *down = hiss_coordinator_answer(t->c, local);
    CHECK(hiss_coordinator_answer_words(t->c, local) == length(t->key, 1, lane, round));
    for (int64_t i = 0; i < length(t->key, 1, lane, round); i++) {
        CHECK(down[i] == word(t->key, 1, lane, round, i));
    }
    return t->sent[local] == rounds_of(t, place_of(t, lane) / t->group);
}

/* The blocks of this rank are those whose first lane it owns, in ascending order. */
static void check_slots(const trial *t) {
    hiss_comm *comm = t->comm;
    int64_t slot = 0;
    for (int64_t b = 0; b < t->lanes / t->group; b++) {
        const int64_t local = t->order[b * t->group] - t->first;
        if (local >= 0 && local < t->own) {
            CHECK(slot < hiss_coordinator_slots(t->c) && hiss_coordinator_block(t->c, slot) == b);
            slot++;
        }
    }
    CHECK(slot == hiss_coordinator_slots(t->c));
}

static void run(trial *t, uint64_t *key, uint64_t *own_key) {
    hiss_comm *comm = t->comm;
    t->key = ++*key;
    for (int64_t i = 0; i < t->lanes; i++) {
        const int64_t place = draw(key, i + 1);
        t->order[i] = t->order[place];
        t->order[place] = i;
    }
    memset(t->sent, 0, sizeof t->sent);
    memset(t->got, 0, sizeof t->got);
    hiss_alloc_seal(true);
    hiss_coordinator_start(t->c, t->order);
    check_slots(t);
    int64_t unsent = t->own, lanes = t->own, slots = hiss_coordinator_slots(t->c);
    while (lanes > 0 || slots > 0) {
        if (unsent > 0 && draw(own_key, 3) == 0) { /* some lane that has not begun */
            int64_t local = draw(own_key, t->own);
            while (t->sent[local] > 0) {
                local = (local + 1) % t->own;
            }
            send_up(t, local);
            unsent--;
        }
        const hiss_block_event e = hiss_coordinator_next(t->c);
        if (e.kind == HISS_BLOCK_COMPLETE) {
            answer_block(t, e.index);
            slots -= t->got[e.index] == rounds_of(t, hiss_coordinator_block(t->c, e.index));
        } else if (e.kind == HISS_LANE_ANSWERED) {
            if (take_answer(t, e.index)) {
                lanes--;
            } else {
                send_up(t, e.index);
            }
        }
    }
    CHECK(hiss_coordinator_next(t->c).kind == HISS_BLOCK_NOTHING);
    hiss_coordinator_finish(t->c);
    hiss_alloc_seal(false);
}

/* What ranks fail with where: the lowest place decides, for all. */
static void check_agreement(hiss_comm *comm) {
    hiss_error err = {0};
    const int rank = hiss_comm_rank(comm), size = hiss_comm_size(comm);
    CHECK(hiss_comm_agree_at(comm, HISS_OK, 0, &err) == HISS_OK);
    const hiss_status mine = hiss_fail(&err, rank % 2 ? HISS_EUSER : HISS_ESYSTEM, "rank %d", rank);
    const int lowest = size - 1;
    char text[32];
    snprintf(text, sizeof text, "rank %d", lowest);
    CHECK(hiss_comm_agree_at(comm, mine, size - rank, &err) == (lowest % 2 ? HISS_EUSER : HISS_ESYSTEM));
    CHECK(strcmp(err.text, text) == 0);
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    hiss_error err = {0};
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) {
        return 1;
    }
    const int size = hiss_comm_size(comm), rank = hiss_comm_rank(comm);
    uint64_t key = 1, own_key = 1000 + (uint64_t)rank;
    double bytes = 0.0;
    for (int64_t lanes = 1; lanes <= 16; lanes++) {
        for (int64_t group = 1; group <= lanes; group++) {
            if (lanes % group) {
                continue;
            }
            int64_t offsets[65];
            draw_any_offsets(&key, lanes, size, offsets);
            trial t = {.comm = comm,
                       .lanes = lanes,
                       .group = group,
                       .first = offsets[rank],
                       .own = offsets[rank + 1] - offsets[rank]};
            t.words = hiss_new(int32_t, t.own * UP);
            CHECK(hiss_coordinator_create(comm, lanes, offsets, group, UP, DOWN, &t.c, &err) == HISS_OK);
            for (int use = 0; use < 4; use++) {
                run(&t, &key, &own_key);
            }
            bytes += hiss_coordinator_bytes(t.c);
            hiss_coordinator_destroy(t.c);
            hiss_free(t.words);
        }
    }
    CHECK(size > 1 ? bytes > 0.0 && bytes <= hiss_comm_bytes_sent(comm) : bytes == 0.0);
    check_agreement(comm);
    int64_t offsets[65];
    hiss_coordinator *c;
    hiss_partition(size, size, offsets);
    CHECK(hiss_coordinator_create(comm, size, offsets, size, (int64_t)1 << 31, 1, &c, &err) == HISS_EUSER &&
          err.text[0]);
    CHECK(hiss_coordinator_create(comm, size, offsets, 1, 1 + (rank == 1), 1, &c, &err) ==
          (size == 1 ? HISS_OK : HISS_EINTERNAL));
    hiss_coordinator_destroy(c);
    return finish_test(comm);
}
