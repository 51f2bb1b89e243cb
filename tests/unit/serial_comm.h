/* hiss/comm.h and hiss/coordinator.h for one rank without MPI, for unit tests of what uses it: linked before the
 * library, whose own objects are then left out. The coordinator tells an observer what it solved. */
#ifndef HISS_TESTS_SERIAL_DIST_H
#define HISS_TESTS_SERIAL_DIST_H

#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/comm.h"
#include "hiss/coordinator.h"

struct hiss_comm {
    /* called after each block: scores as they were, and the answer; NULL: nobody looks */
    void (*observe)(void *user, int64_t block, int64_t n, const float *matrix, const int32_t *answer);
    void *user;
};

int hiss_comm_rank(const hiss_comm *comm) {
    (void)comm;
    return 0;
}
int hiss_comm_size(const hiss_comm *comm) {
    (void)comm;
    return 1;
}
double hiss_comm_bytes_sent(const hiss_comm *comm) {
    (void)comm;
    return 0.0;
}
_Noreturn void hiss_comm_abort(hiss_comm *comm, int exit_code) {
    (void)comm;
    exit(exit_code);
}
hiss_status hiss_comm_agree(hiss_comm *comm, hiss_status mine, hiss_error *err) {
    (void)comm;
    (void)err;
    return mine;
}
bool hiss_comm_equal(hiss_comm *comm, const void *bytes, int64_t count) {
    (void)comm;
    (void)bytes;
    return count >= 0;
}
void hiss_comm_barrier(hiss_comm *comm) {
    (void)comm;
}
void hiss_comm_broadcast(hiss_comm *comm, void *bytes, int64_t count, int root) {
    (void)comm;
    (void)bytes;
    (void)count;
    (void)root;
}
int64_t hiss_comm_max_i64(hiss_comm *comm, int64_t value) {
    (void)comm;
    return value;
}
double hiss_comm_sum(hiss_comm *comm, double value) {
    (void)comm;
    return value;
}
void hiss_comm_min_median_max(hiss_comm *comm, double value, double out[3]) {
    (void)comm;
    out[0] = out[1] = out[2] = value;
}
void hiss_comm_allgather(hiss_comm *comm, const void *mine, const int64_t *offsets, void *all) {
    (void)comm;
    memcpy(all, mine, (size_t)(offsets[1] - offsets[0]));
}
void hiss_comm_gather(hiss_comm *comm, const void *mine, const int64_t *offsets, void *all, int root) {
    (void)root;
    hiss_comm_allgather(comm, mine, offsets, all);
}

void hiss_comm_alltoallv(hiss_comm *comm, const void *send, const int64_t *send_offsets, void *receive,
                         const int64_t *receive_offsets) {
    (void)receive_offsets;
    hiss_comm_allgather(comm, send, send_offsets, receive);
}
/* In plain order: exact only where the sums are. */
void hiss_tree_sum(hiss_comm *comm, int64_t lanes, const int64_t *lane_offsets, int64_t count,
                   const double *const *values, double *out) {
    (void)comm;
    (void)lane_offsets;
    for (int64_t k = 0; k < count; k++) {
        out[k] = 0.0;
        for (int64_t l = 0; l < lanes; l++) {
            out[k] += values[l][k];
        }
    }
}

hiss_status hiss_comm_agree_at(hiss_comm *comm, hiss_status mine, int64_t place, hiss_error *err) {
    (void)place;
    return hiss_comm_agree(comm, mine, err);
}

/* Everybody is on this rank: messages are copied. */
struct hiss_coordinator {
    hiss_comm *comm;
    int64_t lanes, group, up, down;
    const int64_t *order;
    int32_t *above, *first, *below; /* [lanes] messages up, the same as they came, messages down */
    int32_t *columns;               /* [lanes, down] scratch */
    int64_t *missing, *words;       /* [blocks]; [lanes] of the answer */
    hiss_block_event *events;
    int64_t taken, told;
};

hiss_status hiss_coordinator_create(hiss_comm *comm, int64_t lanes, const int64_t *lane_offsets,
                                    int64_t lanes_per_block, int64_t up, int64_t down, hiss_coordinator **out,
                                    hiss_error *err) {
    (void)lane_offsets;
    (void)err;
    hiss_coordinator *c = hiss_new(hiss_coordinator, 1);
    *c = (hiss_coordinator){.comm = comm, .lanes = lanes, .group = lanes_per_block, .up = up, .down = down};
    c->above = hiss_new(int32_t, lanes * up);
    c->first = hiss_new(int32_t, lanes * up);
    c->below = hiss_new(int32_t, lanes * down);
    c->columns = hiss_new(int32_t, lanes * down);
    c->missing = hiss_new(int64_t, lanes);
    c->words = hiss_new(int64_t, lanes);
    c->events = hiss_new(hiss_block_event, 2 * lanes);
    *out = c;
    return HISS_OK;
}

void hiss_coordinator_destroy(hiss_coordinator *c) {
    if (c) {
        hiss_free(c->above);
        hiss_free(c->first);
        hiss_free(c->below);
        hiss_free(c->columns);
        hiss_free(c->missing);
        hiss_free(c->words);
        hiss_free(c->events);
        hiss_free(c);
    }
}

void hiss_coordinator_start(hiss_coordinator *c, const int64_t *lane_order) {
    c->order = lane_order;
    c->taken = c->told = 0;
    for (int64_t b = 0; b < c->lanes / c->group; b++) {
        c->missing[b] = c->group;
    }
}

int64_t hiss_coordinator_slots(const hiss_coordinator *c) {
    return c->lanes / c->group;
}
int64_t hiss_coordinator_block(const hiss_coordinator *c, int64_t slot) {
    (void)c;
    return slot;
}
int64_t hiss_coordinator_messages(const hiss_coordinator *c) {
    (void)c;
    return 0;
}
double hiss_coordinator_bytes(const hiss_coordinator *c) {
    (void)c;
    return 0.0;
}
void *hiss_coordinator_up(const hiss_coordinator *c, int64_t slot, int64_t j) {
    return c->above + (slot * c->group + j) * c->up;
}
void *hiss_coordinator_down(const hiss_coordinator *c, int64_t slot, int64_t j) {
    return c->below + (slot * c->group + j) * c->down;
}

static int64_t place_of(const hiss_coordinator *c, int64_t lane) {
    int64_t place = 0;
    while (c->order[place] != lane) {
        place++;
    }
    return place;
}

static void tell(hiss_coordinator *c, hiss_block_event event) {
    c->events[c->told++ % (2 * c->lanes)] = event;
}

void hiss_coordinator_send_up(hiss_coordinator *c, int64_t lane, const void *words, int64_t count) {
    const int64_t place = place_of(c, lane), slot = place / c->group;
    memcpy(c->above + place * c->up, words, sizeof(int32_t) * (size_t)count);
    memcpy(c->first + place * c->up, words, sizeof(int32_t) * (size_t)count);
    if (--c->missing[slot] == 0) {
        tell(c, (hiss_block_event){HISS_BLOCK_COMPLETE, slot, -1});
    }
}

/* The last answer of a block's last lane: the observer is shown scores, if those came, and columns. */
void hiss_coordinator_send_down(hiss_coordinator *c, int64_t slot, int64_t j, int64_t count, bool more) {
    const int64_t m = count, n = c->group * m;
    c->missing[slot] += more;
    c->words[c->order[slot * c->group + j]] = count;
    tell(c, (hiss_block_event){HISS_LANE_ANSWERED, c->order[slot * c->group + j], -1});
    if (!more && j == c->group - 1 && c->comm->observe && c->up == m * n) {
        for (int64_t i = 0; i < n; i++) {
            c->columns[i] = ((int32_t *)hiss_coordinator_down(c, slot, i / m))[i % m];
        }
        c->comm->observe(c->comm->user, slot, n, (float *)c->first + slot * c->group * c->up, c->columns);
    }
}

void hiss_coordinator_write(hiss_coordinator *c, int64_t slot, int64_t j, int64_t at, const void *words,
                            int64_t count) {
    memcpy((int32_t *)hiss_coordinator_down(c, slot, j) + at, words, sizeof(int32_t) * (size_t)count);
}

int64_t hiss_coordinator_answer_words(const hiss_coordinator *c, int64_t lane) {
    return c->words[lane];
}

const void *hiss_coordinator_answer(const hiss_coordinator *c, int64_t lane) {
    return c->below + place_of(c, lane) * c->down;
}

hiss_block_event hiss_coordinator_next(hiss_coordinator *c) {
    return c->taken < c->told ? c->events[c->taken++ % (2 * c->lanes)] : (hiss_block_event){HISS_BLOCK_NOTHING, 0, -1};
}

hiss_block_event hiss_coordinator_wait(hiss_coordinator *c) {
    return hiss_coordinator_next(c);
}

void hiss_coordinator_finish(hiss_coordinator *c) {
    (void)c;
}

#endif
