/* Private to src/dist: the communicator's inside, message tags, and the check around every MPI call. */
#ifndef HISS_DIST_IMPL_H
#define HISS_DIST_IMPL_H

#include <mpi.h>
#include <stdint.h>

#include "dist/payload_impl.h"
#include "hiss/dist.h"

struct hiss_comm {
    MPI_Comm mpi;
    int rank, size;
    double bytes_sent;
    double *spread;     /* [P] scratch */
    int *counts, *jump; /* [P] scratch */
};

/* Every message tag of hiss. Tags from HISS_TAG_SLICE on belong to the reducer: HISS_TAG_KINDS per slice of an owner.
 */
enum hiss_tag { HISS_TAG_GATHER, HISS_TAG_ROWS, HISS_TAG_ANSWER, HISS_TAG_EXCHANGE, HISS_TAG_SLICE };
enum { HISS_TAG_KINDS = 4 };

enum { HISS_PIECE_BYTES = 1 << 30 }; /* the longest message of the blocking collectives */

/* Run an MPI call; when it fails, say where and what MPI says, and end the job. */
#define HISS_MPI(call)                                                                                                 \
    do {                                                                                                               \
        int hiss_mpi_code_ = (call);                                                                                   \
        if (hiss_mpi_code_ != MPI_SUCCESS) {                                                                           \
            hiss_mpi_failed(hiss_mpi_code_, #call, __FILE__, __LINE__);                                                \
        }                                                                                                              \
    } while (0)

_Noreturn void hiss_mpi_failed(int code, const char *call, const char *file, int line);

int hiss_int(int64_t value); /* checked narrowing to MPI's counts */

/* As hiss_comm_agree, but the lowest `place` decides whose code and text hold, whatever its rank. Collective.
 *   place  in  where this rank failed (< 2^31); ignored when mine is HISS_OK */
hiss_status hiss_comm_agree_at(hiss_comm *comm, hiss_status mine, int64_t place, hiss_error *err);

/* Count payload of a collective as the ring algorithm would send it; MPI does not tell. */
void hiss_comm_count_ring(hiss_comm *comm, double bytes);

#endif
