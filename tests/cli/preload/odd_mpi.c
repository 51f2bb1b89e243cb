/* Loaded before the MPI library into a rank that is to go wrong: at the ODD_CALLth MPI_Isend, or look for
 * messages while it waits in shared memory, on the communicator of the name ODD_COMM with a tag of at least ODD_TAG, and of its parity when ODD_PARITY is set, it does ODD_DO to this
 * process:
 *   SIGKILL, SIGSTOP, SIGSEGV   that signal
 *   sleep                       nothing, for ODD_SECONDS
 *   work                        count for ODD_SECONDS
 *   lose                        no send: the receiver waits for ever */
#define _GNU_SOURCE
#include <mpi.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long number(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text ? atol(text) : otherwise;
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int is_meant(MPI_Comm comm, int tag) {
    char name[MPI_MAX_OBJECT_NAME];
    int length;
    const char *wanted = getenv("ODD_COMM");
    PMPI_Comm_get_name(comm, name, &length);
    return wanted && strcmp(name, wanted) == 0 && tag >= number("ODD_TAG", 0) &&
           (!getenv("ODD_PARITY") || tag % 2 == number("ODD_TAG", 0) % 2);
}

/* Whether this call is to be lost. */
static int go_wrong(MPI_Comm comm, int tag) {
    static long calls;
    const char *rank = getenv("OMPI_COMM_WORLD_RANK"), *wanted = getenv("ODD_RANK"), *what = getenv("ODD_DO");
    if (!rank || !wanted || !what || strcmp(rank, wanted) != 0 || !is_meant(comm, tag) ||
        ++calls != number("ODD_CALL", 1)) {
        return 0;
    }
    const double end = seconds() + (double)number("ODD_SECONDS", 0);
    if (strcmp(what, "SIGKILL") == 0) {
        raise(SIGKILL);
    } else if (strcmp(what, "SIGSTOP") == 0) {
        raise(SIGSTOP);
    } else if (strcmp(what, "SIGSEGV") == 0) {
        raise(SIGSEGV);
    }
    while (seconds() < end) {
        if (strcmp(what, "sleep") == 0) {
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        }
    }
    return strcmp(what, "lose") == 0;
}

int MPI_Isend(const void *buffer, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request *request) {
    to = go_wrong(comm, tag) ? MPI_PROC_NULL : to;
    return PMPI_Isend(buffer, count, type, to, tag, comm, request);
}

int MPI_Iprobe(int from, int tag, MPI_Comm comm, int *flag, MPI_Status *status) {
    go_wrong(comm, tag);
    return PMPI_Iprobe(from, tag, comm, flag, status);
}
