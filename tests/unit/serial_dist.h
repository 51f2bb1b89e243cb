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

struct hiss_coordinator {
    hiss_comm *comm;
    int64_t lanes, samples, group;
    const int64_t *order;
    float *matrices, *scores; /* [blocks, n, n]; scores: as gathered */
    int32_t *answers;         /* [blocks, n] */
    hiss_status status;
    hiss_error error;
};

hiss_status hiss_coordinator_create(hiss_comm *comm, int64_t lanes, const int64_t *lane_offsets, int64_t lane_samples,
                                    int64_t lanes_per_block, hiss_coordinator **out, hiss_error *err) {
    (void)lane_offsets;
    (void)err;
    const int64_t floats = lanes * lane_samples * lanes_per_block * lane_samples;
    hiss_coordinator *c = hiss_new(hiss_coordinator, 1);
    *c = (hiss_coordinator){.comm = comm, .lanes = lanes, .samples = lane_samples, .group = lanes_per_block};
    c->matrices = hiss_new(float, floats);
    c->scores = hiss_new(float, floats);
    c->answers = hiss_new(int32_t, lanes * lane_samples);
    *out = c;
    return HISS_OK;
}

void hiss_coordinator_destroy(hiss_coordinator *c) {
    if (c) {
        hiss_free(c->matrices);
        hiss_free(c->scores);
        hiss_free(c->answers);
        hiss_free(c);
    }
}

void hiss_coordinator_gather(hiss_coordinator *c, const int64_t *lane_order, const float *const *rows) {
    const int64_t m = c->samples, n = c->group * m;
    c->order = lane_order;
    for (int64_t i = 0; i < c->lanes * m; i++) {
        memcpy(c->matrices + i * n, rows[lane_order[i / m]] + i % m * n, sizeof(float) * (size_t)n);
        c->answers[i] = (int32_t)(i % n);
    }
    memcpy(c->scores, c->matrices, sizeof(float) * (size_t)(c->lanes * m * n));
}

void hiss_coordinator_solve(hiss_coordinator *c, hiss_block_solve solve, void *user) {
    const int64_t n = c->group * c->samples;
    c->status = HISS_OK;
    for (int64_t b = 0; b < c->lanes / c->group && c->status == HISS_OK; b++) {
        c->status = solve(user, b, n, c->matrices + b * n * n, c->answers + b * n, &c->error);
        if (c->comm->observe) {
            c->comm->observe(c->comm->user, b, n, c->scores + b * n * n, c->answers + b * n);
        }
    }
}

hiss_status hiss_coordinator_scatter(hiss_coordinator *c, int32_t *const *answer, hiss_error *err) {
    const int64_t m = c->samples;
    for (int64_t i = 0; i < c->lanes * m; i++) {
        answer[c->order[i / m]][i % m] = c->answers[i];
    }
    if (c->status != HISS_OK && err) {
        *err = c->error;
    }
    return c->status;
}

hiss_status hiss_coordinator_run(hiss_coordinator *c, const int64_t *lane_order, const float *const *rows,
                                 hiss_block_solve solve, void *user, int32_t *const *answer, double seconds[3],
                                 hiss_error *err) {
    seconds[0] = seconds[1] = seconds[2] = 0.0;
    hiss_coordinator_gather(c, lane_order, rows);
    hiss_coordinator_solve(c, solve, user);
    return hiss_coordinator_scatter(c, answer, err);
}

#endif
