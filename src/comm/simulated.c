/* The parts of dist that the simulator's library replaces; compiled for it alone.
 *
 * Ranks of SimGrid are threads of one process, so a thousand of them cannot have vectors of their own, and moving and
 * adding bytes that nobody looks at would take hours. Vectors are reserved addresses. Messages have their true length
 * but all carry one shared buffer, which SMPI knows and does not copy. Additions only count; the time they owe passes
 * before the next message is posted, which is when a real rank would be done with them. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "comm/comm_impl.h"
#include "comm/lane_sums_impl.h"
#include "comm/wire_impl.h"
#include "hiss/alloc.h"

enum { TAG_ALLREDUCE = 1, TAG_DONE }; /* nothing else of hiss is under way on a bucket's communicator */
static const int64_t payload_bytes = INT64_C(1) << 30;

/* One of each per rank: SMPI gives every rank its own static variables. */
static void *payload;
static double seconds_per_addition, owed;

typedef struct reserved { /* in front of the floats of hiss_new_floats */
    size_t bytes;
    char padding[4096 - sizeof(size_t)];
} reserved;

float *hiss_new_floats(int64_t count) {
    const size_t bytes = sizeof(reserved) + sizeof(float) * (size_t)count;
    reserved *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        fprintf(stderr, "hiss-smpi: could not reserve %zu bytes of addresses; simulate fewer ranks\n", bytes);
        exit(hiss_exit_code(HISS_ESYSTEM));
    }
    memory->bytes = bytes;
    return (float *)(memory + 1);
}

void hiss_free_floats(float *floats) {
    if (floats) {
        reserved *memory = (reserved *)(void *)floats - 1;
        munmap(memory, memory->bytes);
    }
}

static void sleep_for(double seconds) {
    if (seconds > 0.0) {
        const time_t whole = (time_t)seconds;
        const struct timespec pause = {.tv_sec = whole, .tv_nsec = (long)(1e9 * (seconds - (double)whole))};
        nanosleep(&pause, NULL);
    }
}

void *hiss_simulated_payload(void) {
    const double debt = owed;
    owed = 0.0;
    sleep_for(debt);
    if (!payload) {
        payload = SMPI_SHARED_MALLOC((size_t)payload_bytes);
    }
    return payload;
}

void hiss_simulated_additions(double seconds) {
    seconds_per_addition = seconds;
}

void comm_add_floats(float *restrict into, const float *restrict from, int64_t count) {
    (void)into;
    (void)from;
    owed += (double)count * seconds_per_addition;
}

/* Packing passes over what additions have just touched, or are about to: its time is theirs. */
void comm_wire_add(float *restrict into, const float *restrict from, int64_t count) {
    comm_add_floats(into, from, count);
}

void comm_wire_round(float *values, int64_t count) {
    (void)values;
    (void)count;
}

void comm_wire_pack(float *values, int64_t count) {
    (void)values;
    (void)count;
}

void comm_wire_unpack(float *row, int64_t count, int64_t at, int64_t n) {
    (void)row;
    (void)count;
    (void)at;
    (void)n;
}

void comm_wire_change(const float *restrict before, float *restrict values, uint16_t *restrict change, int64_t count) {
    (void)before;
    (void)values;
    (void)change;
    (void)count;
}

void comm_wire_apply(const uint16_t *restrict change, float *restrict values, int64_t count) {
    (void)change;
    (void)values;
    (void)count;
}

/* ---- the all-reduce of a good MPI library ---- */

static void swap(MPI_Comm comm, int64_t floats, int other) {
    void *buffer = hiss_simulated_payload();
    HISS_MPI(MPI_Sendrecv(buffer, comm_int(floats), MPI_FLOAT, other, TAG_ALLREDUCE, buffer, comm_int(floats),
                          MPI_FLOAT, other, TAG_ALLREDUCE, comm, MPI_STATUS_IGNORE));
}

/* Recursive halving, then recursive doubling; ranks beyond the largest power of two first hand their vector over. */
int hiss_iallreduce(float *sum, int64_t floats, MPI_Comm comm, MPI_Request *request) {
    int rank, size, power = 1;
    (void)sum;
    HISS_MPI(MPI_Comm_rank(comm, &rank));
    HISS_MPI(MPI_Comm_size(comm, &size));
    assert(floats * (int64_t)sizeof(float) <= payload_bytes);
    while (2 * power <= size) {
        power *= 2;
    }
    if (rank >= power || rank + power < size) {
        swap(comm, floats, rank >= power ? rank - power : rank + power);
        owed += rank >= power ? 0.0 : (double)floats * seconds_per_addition;
    }
    int64_t part = floats;
    for (int step = power / 2; step > 0 && rank < power; step /= 2) {
        part = (part + 1) / 2;
        swap(comm, part, rank ^ step);
        owed += (double)part * seconds_per_addition;
    }
    for (int step = 1; step < power && rank < power; step *= 2, part *= 2) {
        swap(comm, part, rank ^ step);
    }
    if (rank >= power || rank + power < size) {
        swap(comm, floats, rank >= power ? rank - power : rank + power);
    }
    HISS_MPI(MPI_Irecv(NULL, 0, MPI_FLOAT, rank, TAG_DONE, comm, request)); /* something for the caller to wait for */
    return MPI_Send(NULL, 0, MPI_FLOAT, rank, TAG_DONE, comm);
}
