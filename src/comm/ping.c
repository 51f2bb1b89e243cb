/* The time of a message there and back. */
#include "comm/comm_impl.h"
#include "hiss/alloc.h"
#include "hiss/clock.h"

static void one_way(hiss_comm *comm, char *bytes, int count, int other, bool sends) {
    MPI_Request request;
    if (sends) {
        HISS_MPI(MPI_Isend(bytes, count, MPI_BYTE, other, HISS_TAG_PING, comm->mpi, &request));
    } else {
        HISS_MPI(MPI_Irecv(bytes, count, MPI_BYTE, other, HISS_TAG_PING, comm->mpi, &request));
    }
    comm_wait_one(comm, request, other, "ping");
}

double hiss_comm_ping(hiss_comm *comm, int a, int b, int64_t count, int rounds) {
    double seconds = 0.0;
    if (comm->rank == a || comm->rank == b) {
        const int other = comm->rank == a ? b : a;
        char *bytes = hiss_alloc((size_t)count);
        double *times = hiss_new(double, rounds);
        for (int k = -1; k < rounds; k++) { /* -1: connect */
            const double start = hiss_seconds();
            one_way(comm, bytes, comm_int(count), other, comm->rank == a);
            one_way(comm, bytes, comm_int(count), other, comm->rank == b);
            times[k < 0 ? 0 : k] = (hiss_seconds() - start) / 2.0;
        }
        seconds = hiss_median(times, rounds);
        hiss_free(times);
        hiss_free(bytes);
    }
    hiss_comm_broadcast(comm, &seconds, sizeof seconds, a);
    return seconds;
}
