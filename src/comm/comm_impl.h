/* Private to src/comm: the communicator's inside, message tags, and the check around every MPI call. */
#ifndef HISS_COMM_IMPL_H
#define HISS_COMM_IMPL_H

#include <mpi.h>
#include <stdint.h>

#include "comm/payload_impl.h"
#include "comm/watch_impl.h"
#include "hiss/comm.h"
#include "hiss/fault.h"
#include "hiss/subnormal.h"

struct hiss_comm {
    MPI_Comm mpi;
    int rank, size;
    double bytes_sent;
    double *spread;     /* [P] scratch */
    int *counts, *jump; /* [P] scratch */
    comm_watch watch;
};

/* Around MPI_Init: what a process that nobody launched need not start. Returns what to give to the second; the environment
 * is then as before. Not thread-safe. */
int comm_singleton_begin(void);
void comm_singleton_end(int set);

/* A library's name and version, "MPICH 4.0.2", out of what MPI_Get_library_version says; of an unknown one, the first line up
 * to a comma. Not collective. library.c */
void comm_library_shorten(const char *text, char out[HISS_LIBRARY_TEXT]);

/* Every message tag of hiss. Tags from HISS_TAG_SLICE on belong to the reducer: HISS_TAG_KINDS per slice of an
 * owner. */
enum comm_tag { HISS_TAG_GATHER, HISS_TAG_EXCHANGE, HISS_TAG_PING, HISS_TAG_SLICE };
enum { HISS_TAG_KINDS = 4 };

enum { HISS_PIECE_BYTES = 1 << 30 }; /* the longest message of the blocking collectives */

/* Run an MPI call; when it fails, say where and what MPI says, and end the job. Whatever it did to the thread's
 * arithmetic is undone. */
#define HISS_MPI(call)                                                                                                 \
    do {                                                                                                               \
        int hiss_mpi_code_ = hiss_fault(#call) ? MPI_ERR_OTHER : (call);                                               \
        hiss_subnormals_to_zero();                                                                                     \
        if (hiss_mpi_code_ != MPI_SUCCESS) {                                                                           \
            comm_mpi_failed(hiss_mpi_code_, #call, __FILE__, __LINE__);                                                \
        }                                                                                                              \
    } while (0)

/* The same for a collective call that waits for other ranks, as `what`. */
#define HISS_MPI_WAIT(comm, what, call)                                                                                \
    do {                                                                                                               \
        comm_wait_begin((comm), (what), -1);                                                                           \
        HISS_MPI(call);                                                                                                \
        comm_wait_end(comm);                                                                                           \
    } while (0)

/* Wait until all requests [n] are done.
 *   from  in  [n] the rank each depends on, and the number to say with `what`; NULL: all ranks, no number */
typedef struct comm_source {
    int rank;
    int64_t number;
} comm_source;
void comm_wait_all(hiss_comm *comm, int n, MPI_Request *requests, const comm_source *from, const char *what);
/* Tell the watchdog which ranks the pending requests wait for; between comm_wait_begin and comm_wait_end. */
void comm_wait_tell(hiss_comm *comm, int n, const MPI_Request *requests, const comm_source *from, const char *what);
void comm_wait_one(hiss_comm *comm, MPI_Request request, int from, const char *what);
enum { HISS_IDLE_LOOKS = 1000 }; /* polls without progress, each with a yield, after which a wait says for whom it is */

_Noreturn void comm_mpi_failed(int code, const char *call, const char *file, int line);

/* MPI_Finalize has failed: say so, and end this process. launcher.c */
_Noreturn void comm_finalize_failed(const hiss_comm *comm, int code);
int comm_int(int64_t value); /* checked narrowing to MPI's counts */

/* Count payload of a collective as the ring algorithm would send it; MPI does not tell. */
void comm_count_ring(hiss_comm *comm, double bytes);

#endif
