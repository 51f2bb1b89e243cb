/* hiss/dist.h for one rank without MPI, for unit tests of what uses it: linked before the library, whose own objects
 * are then left out. The coordinator tells an observer what it solved. */
#ifndef HISS_TESTS_SERIAL_DIST_H
#define HISS_TESTS_SERIAL_DIST_H

#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/dist.h"

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
void hiss_comm_spread(hiss_comm *comm, double value, double out[3]) {
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

void hiss_comm_exchange(hiss_comm *comm, const void *send, const int64_t *send_offsets, void *receive,
                        const int64_t *receive_offsets) {
    (void)comm;
    (void)receive_offsets;
    memcpy(receive, send, (size_t)(send_offsets[1] - send_offsets[0]));
}

struct hiss_coordinator {
    hiss_comm *comm;
    int64_t lanes, samples, group;
    float *matrix, *scores; /* scores: all blocks, as they were gathered */
    int32_t *answer;        /* all blocks */
    const int64_t *lane_order;
    hiss_status status;
    hiss_error error;
};

hiss_status hiss_coordinator_create(hiss_comm *comm, int64_t lanes, const int64_t *lane_offsets, int64_t lane_samples,
                                    int64_t lanes_per_block, hiss_coordinator **out, hiss_error *err) {
    (void)lane_offsets;
    (void)err;
    const int64_t n = lanes_per_block * lane_samples;
    hiss_coordinator *c = hiss_new(hiss_coordinator, 1);
    *c = (hiss_coordinator){.comm = comm,
                            .lanes = lanes,
                            .samples = lane_samples,
                            .group = lanes_per_block,
                            .matrix = hiss_new(float, n *n),
                            .scores = hiss_new(float, lanes *lane_samples *n),
                            .answer = hiss_new(int32_t, lanes * lane_samples)};
    *out = c;
    return HISS_OK;
}

void hiss_coordinator_destroy(hiss_coordinator *c) {
    if (c) {
        hiss_free(c->matrix);
        hiss_free(c->scores);
        hiss_free(c->answer);
        hiss_free(c);
    }
}

void hiss_coordinator_gather(hiss_coordinator *c, const int64_t *lane_order, const float *const *rows) {
    const int64_t m = c->samples, n = c->group * m;
    c->lane_order = lane_order;
    for (int64_t place = 0; place < c->lanes; place++) {
        memcpy(c->scores + place * m * n, rows[lane_order[place]], sizeof(float) * (size_t)(m * n));
    }
}

void hiss_coordinator_solve(hiss_coordinator *c, hiss_block_solve solve, void *user) {
    const int64_t n = c->group * c->samples;
    c->status = HISS_OK;
    for (int64_t b = 0; b < c->lanes / c->group && c->status == HISS_OK; b++) {
        int32_t *answer = c->answer + b * n;
        for (int64_t i = 0; i < n; i++) {
            answer[i] = (int32_t)i;
        }
        memcpy(c->matrix, c->scores + b * n * n, sizeof(float) * (size_t)(n * n));
        c->status = solve(user, b, n, c->matrix, answer, &c->error);
        if (c->comm->observe) {
            c->comm->observe(c->comm->user, b, n, c->scores + b * n * n, answer);
        }
    }
}

hiss_status hiss_coordinator_scatter(hiss_coordinator *c, int32_t *const *answer, hiss_error *err) {
    for (int64_t place = 0; place < c->lanes; place++) {
        memcpy(answer[c->lane_order[place]], c->answer + place * c->samples, sizeof(int32_t) * (size_t)c->samples);
    }
    if (c->status != HISS_OK && err) {
        *err = c->error;
    }
    return c->status;
}

void hiss_tree_sum(hiss_comm *comm, int64_t lanes, const int64_t *lane_offsets, int64_t count,
                   const double *const *values, double *out) {
    (void)comm;
    (void)lane_offsets;
    for (int64_t i = 0; i < count; i++) {
        out[i] = 0.0;
        for (int64_t l = 0; l < lanes; l++) {
            out[i] += values[l][i];
        }
    }
}

#endif
