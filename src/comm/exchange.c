/* Every rank sends a part of its bytes to every other: pairwise Isend and Irecv, all posted at once, in pieces that fit
 * MPI's counts. Two messages per pair and gigabyte; the parts a rank keeps are copied.
 * Cost (P - 1) a + b (bytes to others), as in the linear all-to-all of MPI libraries for large messages. */
#include <string.h>

#include "comm/comm_impl.h"
#include "hiss/alloc.h"

static int64_t pieces_of(int64_t bytes) {
    return (bytes + HISS_PIECE_BYTES - 1) / HISS_PIECE_BYTES;
}

void hiss_comm_alltoallv(hiss_comm *comm, const void *send, const int64_t *send_offsets, void *receive,
                         const int64_t *receive_offsets) {
    const int me = comm->rank, P = comm->size;
    int64_t messages = 0;
    for (int r = 0; r < P; r++) {
        messages += r == me ? 0 : pieces_of(send_offsets[r + 1] - send_offsets[r]);
        messages += r == me ? 0 : pieces_of(receive_offsets[r + 1] - receive_offsets[r]);
    }
    MPI_Request *request = hiss_new(MPI_Request, messages);
    comm_source *source = hiss_new(comm_source, messages);
    int n = 0;
    for (int step = 1; step < P; step++) { /* first to the next rank, so that nobody is asked by all at once */
        const int from = (me + P - step) % P, to = (me + step) % P;
        for (int64_t at = receive_offsets[from]; at < receive_offsets[from + 1]; at += HISS_PIECE_BYTES) {
            source[n] = (comm_source){from, -1};
            const int64_t left = receive_offsets[from + 1] - at;
            HISS_MPI(MPI_Irecv(HISS_PAYLOAD((char *)receive + at),
                               comm_int(left < HISS_PIECE_BYTES ? left : HISS_PIECE_BYTES), MPI_BYTE, from,
                               HISS_TAG_EXCHANGE, comm->mpi, &request[n++]));
        }
        for (int64_t at = send_offsets[to]; at < send_offsets[to + 1]; at += HISS_PIECE_BYTES) {
            source[n] = (comm_source){to, -1};
            const int64_t left = send_offsets[to + 1] - at;
            const int64_t count = left < HISS_PIECE_BYTES ? left : HISS_PIECE_BYTES;
            HISS_MPI(MPI_Isend(HISS_PAYLOAD((const char *)send + at), comm_int(count), MPI_BYTE, to, HISS_TAG_EXCHANGE,
                               comm->mpi, &request[n++]));
            comm->bytes_sent += (double)count;
        }
    }
    const int64_t own = send_offsets[me + 1] - send_offsets[me];
    if (own > 0) {
        HISS_COPY((char *)receive + receive_offsets[me], (const char *)send + send_offsets[me], (size_t)own);
    }
    comm_wait_all(comm, n, request, source, "exchange");
    hiss_free(source);
    hiss_free(request);
}
