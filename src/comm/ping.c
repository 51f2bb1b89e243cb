/* The time of a message there and back, and what it says of clocks (Cristian, "Probabilistic clock synchronization",
 * 1989): the other clock was read somewhere between, so the middle is wrong by half of the time at most. */
#include <math.h>

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

static void move_time(hiss_comm *comm, double *seconds, int other, bool sends) {
    MPI_Request request;
    if (sends) {
        HISS_MPI(MPI_Isend(seconds, 1, MPI_DOUBLE, other, HISS_TAG_PING, comm->mpi, &request));
    } else {
        HISS_MPI(MPI_Irecv(seconds, 1, MPI_DOUBLE, other, HISS_TAG_PING, comm->mpi, &request));
    }
    comm_wait_one(comm, request, other, "clocks");
}

hiss_clock_offset hiss_comm_clock(hiss_comm *comm, int rounds, double (*now)(void *user), void *user) {
    hiss_clock_offset best = {.error = comm->rank == 0 ? 0.0 : (double)INFINITY};
    for (int r = 1; r < comm->size; r++) {
        for (int k = 0; k < rounds && (comm->rank == 0 || comm->rank == r); k++) {
            double theirs = 0.0;
            const double start = now(user);
            if (comm->rank == 0) {
                move_time(comm, &theirs, r, false);
                theirs = now(user);
                move_time(comm, &theirs, r, true);
                continue;
            }
            move_time(comm, &theirs, 0, true);
            move_time(comm, &theirs, 0, false);
            const double end = now(user);
            if ((end - start) / 2.0 < best.error) {
                best = (hiss_clock_offset){.seconds = (start + end) / 2.0 - theirs, .error = (end - start) / 2.0};
            }
        }
    }
    return best;
}
