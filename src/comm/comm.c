/* The communicator: MPI's world under our error rule, and the blocking collectives of set-up, metrics and checkpoints.
 *
 * Every MPI call is checked; a failure ends the job with rank, file, line and MPI's own text, because after a failed
 * call MPI promises nothing. Payload of point-to-point messages is counted exactly. Payload of MPI's collectives is
 * counted as a ring would send it: (P-1)/P of the result for a gather or broadcast, twice that for an all-reduce. */
#include "comm/comm_impl.h"

#include <assert.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/log.h"

_Noreturn void comm_mpi_failed(int code, const char *call, const char *file, int line) {
    char text[MPI_MAX_ERROR_STRING] = "no text";
    int length = 0, rank = -1;
    MPI_Error_string(code, text, &length);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    hiss_end_line(hiss_exit_code(HISS_EINTERNAL), "MPI failed on rank %d at %s:%d: %s: %s", rank, file, line, call,
                  text);
    MPI_Abort(MPI_COMM_WORLD, hiss_exit_code(HISS_EINTERNAL));
    abort();
}

int comm_int(int64_t value) {
    assert(value >= 0 && value <= INT_MAX);
    return (int)value;
}

void comm_count_ring(hiss_comm *comm, double bytes) {
    comm->bytes_sent += bytes * (comm->size - 1) / comm->size;
}

static void measure(hiss_comm *comm) {
    HISS_MPI(MPI_Comm_rank(comm->mpi, &comm->rank));
    HISS_MPI(MPI_Comm_size(comm->mpi, &comm->size));
    comm->spread = hiss_new(double, comm->size);
    comm->counts = hiss_new(int, comm->size);
    comm->jump = hiss_new(int, comm->size);
    comm->watch.seen = hiss_new(int, comm->size);
}

hiss_status hiss_comm_open(int *argc, char ***argv, hiss_comm **out, hiss_error *err) {
    int provided = MPI_THREAD_SINGLE;
    *out = NULL;
    const int set = comm_singleton_begin();
    int code =
        hiss_fault("MPI_Init_thread") ? MPI_ERR_OTHER : MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided);
    comm_singleton_end(set);
    hiss_subnormals_to_zero();
    if (code != MPI_SUCCESS) {
        return hiss_fail(err, HISS_ESYSTEM, "MPI_Init_thread failed with code %d; start with srun or mpirun", code);
    }
    if (provided < HISS_THREAD_LEVEL) {
        MPI_Finalize();
        return hiss_fail(err, HISS_ESYSTEM,
                         "this MPI library offers thread level %d, expected at least MPI_THREAD_FUNNELED (%d); "
                         "use an MPI built with thread support",
                         provided, MPI_THREAD_FUNNELED);
    }
    hiss_comm *comm = hiss_new(hiss_comm, 1);
    HISS_MPI(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    HISS_MPI(MPI_Comm_dup(MPI_COMM_WORLD, &comm->mpi));
    HISS_MPI(MPI_Comm_set_name(comm->mpi, "hiss"));
    HISS_MPI(MPI_Comm_set_errhandler(comm->mpi, MPI_ERRORS_RETURN));
    measure(comm);
    *out = comm;
    return HISS_OK;
}

static void discard(hiss_comm *comm) {
    hiss_free(comm->spread);
    hiss_free(comm->counts);
    hiss_free(comm->jump);
    hiss_free(comm->watch.seen);
    hiss_free(comm);
}

hiss_comm *hiss_comm_alone_create(void) {
    hiss_comm *comm = hiss_new(hiss_comm, 1);
    HISS_MPI(MPI_Comm_dup(MPI_COMM_SELF, &comm->mpi));
    HISS_MPI(MPI_Comm_set_errhandler(comm->mpi, MPI_ERRORS_RETURN));
    measure(comm);
    return comm;
}

void hiss_comm_alone_destroy(hiss_comm *comm) {
    if (comm) {
        HISS_MPI(MPI_Comm_free(&comm->mpi));
        discard(comm);
    }
}

void hiss_comm_close(hiss_comm *comm) {
    if (!comm) {
        return;
    }
    HISS_MPI(MPI_Comm_free(&comm->mpi));
    const int code = hiss_fault("MPI_Finalize") ? MPI_ERR_OTHER : MPI_Finalize();
    if (code != MPI_SUCCESS) {
        comm_finalize_failed(comm, code);
    }
    discard(comm);
}

_Noreturn void hiss_comm_abort(hiss_comm *comm, int exit_code) {
    comm_watch_ends(comm, exit_code);
    MPI_Abort(comm->mpi, exit_code);
    abort();
}

int hiss_comm_rank(const hiss_comm *comm) {
    return comm->rank;
}

int hiss_comm_size(const hiss_comm *comm) {
    return comm->size;
}

double hiss_comm_bytes_sent(const hiss_comm *comm) {
    return comm->bytes_sent;
}

/* What a wait is for, as far as it is known: each rank that one of the requests depends on. */
void comm_wait_tell(hiss_comm *comm, int n, const MPI_Request *requests, const comm_source *from, const char *what) {
    int64_t number = -1;
    comm_wait_forget(comm);
    for (int i = n - 1; i >= 0; i--) {
        int done;
        HISS_MPI(MPI_Request_get_status(requests[i], &done, MPI_STATUS_IGNORE));
        if (!done) {
            comm_wait_add(comm, from[i].rank);
            number = from[i].number;
        }
    }
    comm_wait_publish(comm, what, number);
}

void comm_wait_all(hiss_comm *comm, int n, MPI_Request *requests, const comm_source *from, const char *what) {
    int done = n == 0;
    comm_wait_begin(comm, what, -1);
    if (HISS_WAITS_BLOCK && !done) {
        HISS_MPI(MPI_Waitall(n, requests, MPI_STATUSES_IGNORE));
        done = true;
    }
    for (int64_t look = 1; !done; look++) {
        HISS_MPI(MPI_Testall(n, requests, &done, MPI_STATUSES_IGNORE));
        if (!done) {
            sched_yield();
        }
        if (!done && from && look % HISS_IDLE_LOOKS == 0) {
            comm_wait_tell(comm, n, requests, from, what);
        }
    }
    comm_wait_end(comm);
}

static int64_t all_reduce(hiss_comm *comm, const char *what, int64_t value, MPI_Op op) {
    int64_t result;
    HISS_MPI_COLLECTIVE(comm, what, MPI_Allreduce, MPI_Iallreduce, &value, &result, 1, MPI_INT64_T, op, comm->mpi);
    comm_count_ring(comm, 2.0 * sizeof value);
    return result;
}

hiss_status hiss_comm_agree_at(hiss_comm *comm, hiss_status mine, int64_t place, hiss_error *err) {
    int64_t key = mine == HISS_OK ? INT64_MAX : place * comm->size + comm->rank;
    int64_t lowest = all_reduce(comm, "agree", key, MPI_MIN);
    if (lowest == INT64_MAX) {
        return HISS_OK;
    }
    int root = (int)(lowest % comm->size);
    hiss_error common = {.code = mine};
    if (root == comm->rank && err) {
        memcpy(common.key, err->key, sizeof common.key);
        memcpy(common.text, err->text, sizeof common.text);
    }
    hiss_comm_broadcast(comm, &common, sizeof common, root);
    if (err) {
        *err = common;
    }
    return common.code;
}

hiss_status hiss_comm_agree(hiss_comm *comm, hiss_status mine, hiss_error *err) {
    return hiss_comm_agree_at(comm, mine, comm->rank, err);
}

bool hiss_comm_equal(hiss_comm *comm, const void *bytes, int64_t count) {
    char other[4096];
    int64_t longest = all_reduce(comm, "compare", count, MPI_MAX);
    bool same = all_reduce(comm, "compare", count, MPI_MIN) == longest;
    for (int64_t at = 0; same && at < longest; at += (int64_t)sizeof other) {
        size_t piece = longest - at < (int64_t)sizeof other ? (size_t)(longest - at) : sizeof other;
        memcpy(other, (const char *)bytes + at, piece);
        hiss_comm_broadcast(comm, other, (int64_t)piece, 0);
        same = all_reduce(comm, "compare", memcmp(other, (const char *)bytes + at, piece) == 0, MPI_MIN);
    }
    return same;
}

void hiss_comm_barrier(hiss_comm *comm) {
    HISS_MPI_COLLECTIVE(comm, "barrier", MPI_Barrier, MPI_Ibarrier, comm->mpi);
}

static int piece_bytes(int64_t left) {
    return left < HISS_PIECE_BYTES ? (int)left : HISS_PIECE_BYTES;
}

void hiss_comm_broadcast(hiss_comm *comm, void *bytes, int64_t count, int root) {
    for (int64_t at = 0; at < count; at += HISS_PIECE_BYTES) {
        HISS_MPI_COLLECTIVE(comm, "broadcast", MPI_Bcast, MPI_Ibcast, (char *)bytes + at, piece_bytes(count - at),
                            MPI_BYTE, root, comm->mpi);
    }
    comm_count_ring(comm, (double)count);
}

int64_t hiss_comm_max_i64(hiss_comm *comm, int64_t value) {
    return all_reduce(comm, "maximum", value, MPI_MAX);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void gather_value(hiss_comm *comm, const char *what, double value) {
    HISS_MPI_COLLECTIVE(comm, what, MPI_Allgather, MPI_Iallgather, &value, 1, MPI_DOUBLE, comm->spread, 1, MPI_DOUBLE,
                        comm->mpi);
    comm_count_ring(comm, (double)comm->size * sizeof value);
}

double hiss_comm_sum(hiss_comm *comm, double value) {
    double sum = 0.0;
    gather_value(comm, "sum", value);
    for (int r = 0; r < comm->size; r++) {
        sum += comm->spread[r];
    }
    return sum;
}

void hiss_comm_min_median_max(hiss_comm *comm, double value, double out[3]) {
    int size = comm->size;
    gather_value(comm, "spread", value);
    qsort(comm->spread, (size_t)size, sizeof value, by_value);
    out[0] = comm->spread[0];
    out[1] = (comm->spread[(size - 1) / 2] + comm->spread[size / 2]) / 2;
    out[2] = comm->spread[size - 1];
}

void comm_wait_one(hiss_comm *comm, MPI_Request request, int from, const char *what) {
    comm_wait_all(comm, 1, &request, &(comm_source){from, -1}, what);
}

void hiss_comm_gather(hiss_comm *comm, const void *mine, const int64_t *offsets, void *all, int root) {
    int rank = comm->rank;
    MPI_Request request;
    if (rank != root) {
        int64_t count = offsets[rank + 1] - offsets[rank];
        for (int64_t at = 0; at < count; at += HISS_PIECE_BYTES) {
            HISS_MPI(MPI_Isend((const char *)mine + at, piece_bytes(count - at), MPI_BYTE, root, HISS_TAG_GATHER,
                               comm->mpi, &request));
            comm_wait_one(comm, request, root, "gather");
        }
        comm->bytes_sent += (double)count;
        return;
    }
    for (int from = 0; from < comm->size; from++) {
        if (from == rank && offsets[rank + 1] > offsets[rank]) {
            memcpy((char *)all + offsets[rank], mine, (size_t)(offsets[rank + 1] - offsets[rank]));
        }
        for (int64_t at = offsets[from]; from != rank && at < offsets[from + 1]; at += HISS_PIECE_BYTES) {
            HISS_MPI(MPI_Irecv((char *)all + at, piece_bytes(offsets[from + 1] - at), MPI_BYTE, from, HISS_TAG_GATHER,
                               comm->mpi, &request));
            comm_wait_one(comm, request, from, "gather");
        }
    }
}

void hiss_comm_allgather(hiss_comm *comm, const void *mine, const int64_t *offsets, void *all) {
    int64_t total = offsets[comm->size];
    int64_t count = offsets[comm->rank + 1] - offsets[comm->rank];
    if (total <= INT_MAX) {
        for (int r = 0; r < comm->size; r++) {
            comm->jump[r] = (int)offsets[r];
            comm->counts[r] = (int)(offsets[r + 1] - offsets[r]);
        }
        HISS_MPI_COLLECTIVE(comm, "allgather", MPI_Allgatherv, MPI_Iallgatherv, mine, (int)count, MPI_BYTE, all,
                            comm->counts, comm->jump, MPI_BYTE, comm->mpi);
        comm_count_ring(comm, (double)total);
        return;
    }
    memcpy((char *)all + offsets[comm->rank], mine, (size_t)count);
    for (int r = 0; r < comm->size; r++) {
        hiss_comm_broadcast(comm, (char *)all + offsets[r], offsets[r + 1] - offsets[r], r);
    }
}
