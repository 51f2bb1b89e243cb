/* What the MPI tests share: a check that ends all ranks, and values every rank can regenerate. */
#ifndef HISS_MPI_TEST_H
#define HISS_MPI_TEST_H

#include <stdint.h>
#include <stdio.h>

#include "hiss/alloc.h"
#include "hiss/comm.h"

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "rank %d: %s:%d: failed: %s\n", hiss_comm_rank(comm), __FILE__, __LINE__, #condition);     \
            hiss_comm_abort(comm, 1);                                                                                  \
        }                                                                                                              \
    } while (0)

static inline uint64_t hash2(uint64_t a, uint64_t b) {
    uint64_t x = a * 0x9E3779B97F4A7C15u + b + 0x632BE59BD9B4E019u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

/* A value in (-1, 1) whose sums depend on their association. */
static inline double value_of(uint64_t key, uint64_t lane, uint64_t index) {
    return (double)(int64_t)hash2(hash2(key, lane), index) / 9223372036854775808.0;
}

/* A number in [0, below), the same on all ranks for the same key. */
static inline int64_t draw(uint64_t *key, int64_t below) {
    return (int64_t)(hash2(++*key, 12345) % (uint64_t)below);
}

/* Random lane offsets, every rank at least one lane. */
static inline void draw_offsets(uint64_t *key, int64_t lanes, int size, int64_t *offsets) {
    hiss_partition(lanes, size, offsets);
    for (int trial = 0; trial < 2 * size && size > 1; trial++) {
        int64_t at = 1 + draw(key, size - 1);
        int64_t room = offsets[at + 1] - offsets[at - 1] - 1;
        offsets[at] = offsets[at - 1] + 1 + draw(key, room);
    }
}

/* Random lane offsets, any rank may have none. */
static inline void draw_any_offsets(uint64_t *key, int64_t lanes, int size, int64_t *offsets) {
    offsets[0] = 0;
    offsets[size] = lanes;
    for (int r = 1; r < size; r++) {
        int at = r;
        const int64_t drawn = draw(key, lanes + 1);
        for (; at > 1 && offsets[at - 1] > drawn; at--) {
            offsets[at] = offsets[at - 1];
        }
        offsets[at] = drawn;
    }
}

/* Close, check for leaks, and say ok: the end of every MPI test. */
static inline int finish_test(hiss_comm *comm) {
    int rank = hiss_comm_rank(comm);
    hiss_comm_barrier(comm);
    hiss_comm_close(comm);
    if (hiss_alloc_live() != 0) {
        fprintf(stderr, "rank %d: %d blocks were not freed\n", rank, (int)hiss_alloc_live());
        return 1;
    }
    if (rank == 0) {
        printf("ok\n");
    }
    return 0;
}

#endif
