/* Long vectors: where they live, what a message carries, who adds them.
 *
 * The library for the simulator (HISS_SIMULATED; docs/simulation.md) is built from the same sources as the real one,
 * but for these few names: there vectors are addresses without memory, messages carry one buffer that all ranks share,
 * and an addition is virtual time. */
#ifndef HISS_COMM_PAYLOAD_IMPL_H
#define HISS_COMM_PAYLOAD_IMPL_H

#ifdef HISS_SIMULATED
#include "comm/simulated_impl.h"
#else
#include "hiss/alloc.h"

#define hiss_new_floats(count)   hiss_new(float, count)
#define hiss_free_floats(floats) hiss_free(floats)
#define HISS_PAYLOAD(floats)     (floats) /* the buffer of a message that sends or receives these floats */
#define HISS_COPY                memcpy   /* of bytes that stay on the rank */
#define HISS_THREAD_LEVEL        MPI_THREAD_FUNNELED

/* Longest slice of the tree: long enough to reach full bandwidth, short enough to overlap adding with sending. */
enum { HISS_SLICE_FLOATS = 1 << 18 };
/* What a rank takes of other ranks' sums at a time: many slices, since it only looks between operations. */
enum { HISS_ROOM_FLOATS = 1 << 21 };

/* What to ask MPI which requests are done, when there is nothing to do but wait, and else. */
#define HISS_SOME(waiting)       ((void)(waiting), MPI_Testsome)
enum { HISS_WAITS_BLOCK = 0 }; /* whether to wait inside MPI */

/* A collective call that waits for other ranks, as `what`. Inside of one, MPICH keeps its core whoever else wants it, which
 * takes three times as long with five ranks on two cores; our own waits give it away. */
#define HISS_MPI_COLLECTIVE(comm, what, blocking, started, ...)                                                        \
    do {                                                                                                               \
        MPI_Request hiss_started_;                                                                                     \
        HISS_MPI(started(__VA_ARGS__, &hiss_started_));                                                                \
        comm_wait_all((comm), 1, &hiss_started_, NULL, (what));                                                        \
    } while (0)

/* Sum in place over the ranks of comm. */
#define hiss_iallreduce(sum, count, comm, request)                                                                     \
    MPI_Iallreduce(MPI_IN_PLACE, sum, comm_int(count), MPI_FLOAT, MPI_SUM, comm, request)
#endif

#endif
