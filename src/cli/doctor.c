/* Checks of how and where the ranks of a job were started.
 *
 * Every rank tells where it is (host, processor, the cores it may use); rank 0 compares. A core counts once per host,
 * however many ranks may use it. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "cli/doctor.h"

#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NAME = 64, IDENTITY = 128, TEXT = 1024 };

void doctor_tell(const doctor *d, finding f, const char *format, ...) {
    char text[TEXT];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (hiss_comm_rank(d->comm) == 0) {
        d->say(d->user, f, text);
    }
}

/* ---- what every rank tells ---- */

typedef struct place {
    char host[NAME], processor[NAME], kernels[IDENTITY];
    cpu_set_t cores;
    double clock; /* seconds of the day's clock, after a barrier */
} place;

/* [size] places of all ranks, the caller frees. Collective. */
static place *all_places(hiss_comm *comm) {
    const int size = hiss_comm_size(comm);
    place mine = {.clock = 0}, *all = hiss_new(place, size);
    struct timespec now;
    gethostname(mine.host, NAME - 1);
    cli_processor_name(mine.processor, sizeof mine.processor);
    snprintf(mine.kernels, sizeof mine.kernels, "%s", hiss_kernels_identity());
    if (sched_getaffinity(0, sizeof mine.cores, &mine.cores) != 0) {
        CPU_ZERO(&mine.cores);
    }
    hiss_comm_barrier(comm);
    clock_gettime(CLOCK_REALTIME, &now);
    mine.clock = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    int64_t *offsets = hiss_new(int64_t, size + 1);
    for (int r = 0; r <= size; r++) {
        offsets[r] = r * (int64_t)sizeof mine;
    }
    hiss_comm_allgather(comm, &mine, offsets, all);
    hiss_free(offsets);
    return all;
}

/* ---- the launcher ---- */

/* A singleton start is the trap: a program built with one MPI and launched by another becomes many jobs of one rank. */
static void check_launcher(const doctor *d) {
    static const char *const names[] = {"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE"};
    const int size = hiss_comm_size(d->comm);
    for (int k = 0; k < HISS_COUNT(names); k++) {
        const char *text = getenv(names[k]);
        const int promised = text ? atoi(text) : 0;
        if (promised > 1 && size == 1) {
            doctor_tell(d, FINDING_FAIL,
                        "%s is %d, but this process is alone: every task trains by itself, or hiss was started without "
                        "srun or mpirun; start it with srun --mpi=pmix or with the mpirun of the MPI it was built with",
                        names[k], promised);
            return;
        }
        if (promised > 0 && promised != size) {
            doctor_tell(d, FINDING_WARN, "%s is %d, but there are %d ranks; start as many as you asked for", names[k],
                        promised, size);
            return;
        }
        if (promised > 0) {
            doctor_tell(d, FINDING_OK, "%d rank%s, as %s says", size, size > 1 ? "s" : "", names[k]);
            return;
        }
    }
    doctor_tell(d, FINDING_OK, "%d rank%s%s", size, size > 1 ? "s" : "",
                size > 1 ? "" : " (no launcher; mpirun or srun start several)");
}

/* ---- cores ---- */

static const char binding_advice[] =
    "mpirun --map-by slot:PE=THREADS, or srun --cpus-per-task=THREADS --cpu-bind=cores";

/* Threads of the ranks on the host of rank `first` against its cores. */
static void check_host(const doctor *d, const place *all, int first) {
    const int size = hiss_comm_size(d->comm);
    const char *host = all[first].host;
    cpu_set_t cores, shared;
    int ranks = 0, narrow = 0, overlapping = -1;
    CPU_ZERO(&cores);
    for (int r = first; r < size; r++) {
        if (strcmp(all[r].host, host) == 0) {
            CPU_AND(&shared, &cores, &all[r].cores);
            overlapping = overlapping < 0 && CPU_COUNT(&shared) > 0 ? r : overlapping;
            CPU_OR(&cores, &cores, &all[r].cores);
            narrow += CPU_COUNT(&all[r].cores) < d->threads;
            ranks++;
        }
    }
    const int there = CPU_COUNT(&cores);
    const int64_t wanted = ranks * d->threads;
    const bool bound = CPU_COUNT(&all[first].cores) < there;
    if (there == 0) {
        doctor_tell(d, FINDING_WARN, "%s: the system does not tell which cores may be used", host);
    } else if (wanted > there) {
        doctor_tell(d, FINDING_WARN,
                    "%s: %d rank%s x %lld thread%s on %d core%s: oversubscribed, every step waits for the slowest; use "
                    "fewer ranks or threads, or more nodes",
                    host, ranks, ranks > 1 ? "s" : "", (long long)d->threads, d->threads > 1 ? "s" : "", there,
                    there > 1 ? "s" : "");
    } else if (narrow) {
        doctor_tell(d, FINDING_WARN,
                    "%s: %d rank%s may use fewer cores than %lld threads, though the host has more; %s", host, narrow,
                    narrow > 1 ? "s" : "", (long long)d->threads, binding_advice);
    } else if (bound && overlapping >= 0) {
        doctor_tell(d, FINDING_WARN, "%s: rank %d is bound to cores that another rank uses too; %s", host, overlapping,
                    binding_advice);
    } else {
        doctor_tell(d, FINDING_OK, "%s: %d rank%s x %lld thread%s on %d core%s, %s", host, ranks, ranks > 1 ? "s" : "",
                    (long long)d->threads, d->threads > 1 ? "s" : "", there, there > 1 ? "s" : "",
                    ranks == 1 ? "alone"
                    : bound    ? "each bound to its own"
                               : "not bound to them");
    }
}

static void check_hosts(const doctor *d, const place *all) {
    for (int r = 0; r < hiss_comm_size(d->comm); r++) {
        bool seen = false;
        for (int q = 0; q < r && !seen; q++) {
            seen = strcmp(all[q].host, all[r].host) == 0;
        }
        if (!seen) {
            check_host(d, all, r);
        }
    }
}

void doctor_launch(const doctor *d) {
    place *all = all_places(d->comm);
    check_launcher(d);
    check_hosts(d, all);
    hiss_free(all);
}

/* ---- machines ---- */

/* First rank whose text at `offset` differs from rank 0's; 0: none. */
static int first_other(const doctor *d, const place *all, size_t offset) {
    for (int r = 1; r < hiss_comm_size(d->comm); r++) {
        if (strcmp((const char *)&all[r] + offset, (const char *)&all[0] + offset) != 0) {
            return r;
        }
    }
    return 0;
}

void doctor_machines(const doctor *d) {
    enum { SKEW_SECONDS = 1 };
    place *all = all_places(d->comm);
    const int size = hiss_comm_size(d->comm);
    int other = first_other(d, all, offsetof(place, processor));
    if (other) {
        doctor_tell(d, FINDING_WARN, "rank 0 has %s, rank %d has %s: every step waits for the slowest",
                    all[0].processor, other, all[other].processor);
    } else {
        doctor_tell(d, FINDING_OK, "processor: %s%s", all[0].processor, size > 1 ? ", on all ranks" : "");
    }
    other = first_other(d, all, offsetof(place, kernels));
    if (other) {
        doctor_tell(d, FINDING_FAIL,
                    "rank 0 computes with %s, rank %d with %s, and train refuses that; set OPENBLAS_CORETYPE on all "
                    "to what the oldest processor has, e.g. Haswell",
                    all[0].kernels, other, all[other].kernels);
    } else if (hiss_kernels_wider_core()) {
        doctor_tell(d, FINDING_WARN,
                    "OPENBLAS_CORETYPE holds OpenBLAS to a narrow core (%s); unset it to let hiss choose %s",
                    all[0].kernels, hiss_kernels_wider_core());
    } else {
        doctor_tell(d, FINDING_OK, "kernels: %s, one BLAS thread per lane", all[0].kernels);
    }
    double first = all[0].clock, last = all[0].clock;
    for (int r = 1; r < size; r++) {
        first = all[r].clock < first ? all[r].clock : first;
        last = all[r].clock > last ? all[r].clock : last;
    }
    if (size > 1) {
        const bool skewed = last - first > SKEW_SECONDS;
        doctor_tell(d, skewed ? FINDING_WARN : FINDING_OK, "clocks of the ranks agree to %.3f s%s", last - first,
                    skewed ? ": logs will not line up, and files may seem to be from the future; ask for NTP" : "");
    }
    hiss_free(all);
}
