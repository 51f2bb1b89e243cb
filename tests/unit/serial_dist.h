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

struct hiss_coordinator {
    hiss_comm *comm;
    int64_t lanes, samples, group;
    float *matrix, *scores;
    int32_t *answer;
};

hiss_status hiss_coordinator_create(hiss_comm *comm, int64_t lanes, const int64_t *lane_offsets, int64_t lane_samples,
                                    int64_t lanes_per_block, hiss_coordinator **out, hiss_error *err) {
    (void)lane_offsets;
    (void)err;
    const int64_t n = lanes_per_block * lane_samples;
    hiss_coordinator *c = hiss_new(hiss_coordinator, 1);
    *c = (hiss_coordinator){
        comm, lanes, lane_samples, lanes_per_block, hiss_new(float, n *n), hiss_new(float, n *n), hiss_new(int32_t, n)};
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

hiss_status hiss_coordinator_run(hiss_coordinator *c, const int64_t *lane_order, const float *const *rows,
                                 hiss_block_solve solve, void *user, int32_t *const *answer, double seconds[3],
                                 hiss_error *err) {
    const int64_t m = c->samples, n = c->group * m;
    hiss_status status = HISS_OK;
    for (int64_t b = 0; b < c->lanes / c->group && status == HISS_OK; b++) {
        const int64_t *lane = lane_order + b * c->group;
        for (int64_t i = 0; i < n; i++) {
            memcpy(c->matrix + i * n, rows[lane[i / m]] + i % m * n, sizeof(float) * (size_t)n);
            c->answer[i] = (int32_t)i;
        }
        memcpy(c->scores, c->matrix, sizeof(float) * (size_t)(n * n));
        status = solve(user, b, n, c->matrix, c->answer, err);
        if (c->comm->observe) {
            c->comm->observe(c->comm->user, b, n, c->scores, c->answer);
        }
        for (int64_t i = 0; i < n; i++) {
            answer[lane[i / m]][i % m] = c->answer[i];
        }
    }
    seconds[0] = seconds[1] = seconds[2] = 0.0;
    return status;
}

#endif
