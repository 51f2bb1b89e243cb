/* Clocks that differ by minutes and run at different speeds are found out, to what the messages allow. */
#include <math.h>

#include "hiss/clock.h"
#include "mpi_test.h"

typedef struct skewed {
    double ahead, speed, zero;
} skewed;

static double read_skewed(void *user) {
    const skewed *k = user;
    return k->ahead + k->speed * (hiss_seconds() - k->zero);
}

/* The ranks of this test share one machine, and so hiss_seconds(). */
static void check_offset(hiss_comm *comm, int rounds) {
    const int rank = hiss_comm_rank(comm);
    skewed k = {.ahead = 100.0 * rank + 7.0, .speed = 1.0};
    double zero = hiss_seconds();
    hiss_comm_broadcast(comm, &zero, sizeof zero, 0);
    k.zero = zero;
    const hiss_clock_offset offset = hiss_comm_clock(comm, rounds, read_skewed, &k);
    CHECK(rank > 0 || (offset.seconds == 0.0 && offset.error == 0.0));
    CHECK(rank == 0 || (offset.error > 0.0 && offset.error < 10.0));
    CHECK(fabs(offset.seconds - 100.0 * rank) <= offset.error + 1e-7);
}

/* A clock that is faster by a hundredth gains between two readings. */
static void check_drift(hiss_comm *comm) {
    const int rank = hiss_comm_rank(comm);
    skewed k = {.speed = 1.0 + 0.01 * rank};
    double zero = hiss_seconds();
    hiss_comm_broadcast(comm, &zero, sizeof zero, 0);
    k.zero = zero;
    const hiss_clock_offset before = hiss_comm_clock(comm, 20, read_skewed, &k);
    const double start = hiss_seconds();
    while (hiss_seconds() < start + 0.3) {
    }
    hiss_comm_barrier(comm);
    const hiss_clock_offset after = hiss_comm_clock(comm, 20, read_skewed, &k);
    const double gained = after.seconds - before.seconds, passed = hiss_seconds() - start;
    const double error = 1.1 * (before.error + after.error);
    CHECK(gained >= 0.01 * rank * 0.3 - error && gained <= 0.01 * rank * (passed + 1.0) + error);
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    if (hiss_comm_open(&argc, &argv, &comm, NULL) != HISS_OK) {
        return 1;
    }
    check_offset(comm, 1);
    check_offset(comm, 50);
    check_drift(comm);
    return finish_test(comm);
}
