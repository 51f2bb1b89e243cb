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
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum { TEXT = 1024 };

void doctor_tell(const doctor *d, doctor_finding f, const char *format, ...) {
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

void *doctor_gather(const doctor *d, const void *mine, int64_t count) {
    const int size = hiss_comm_size(d->comm);
    char *all = hiss_alloc((size_t)(size * count));
    int64_t *offsets = hiss_new(int64_t, size + 1);
    for (int r = 0; r <= size; r++) {
        offsets[r] = r * count;
    }
    hiss_comm_allgather(d->comm, mine, offsets, all);
    hiss_free(offsets);
    return all;
}

doctor_name *doctor_hosts(const doctor *d) {
    doctor_name mine = "";
    gethostname(mine, sizeof mine - 1);
    return doctor_gather(d, mine, sizeof mine);
}

int doctor_ranks_of(const doctor *d, const doctor_name *host, int rank, bool *lowest) {
    int ranks = 0;
    *lowest = true;
    for (int r = 0; r < hiss_comm_size(d->comm); r++) {
        const bool here = strcmp(host[r], host[rank]) == 0;
        ranks += here;
        *lowest &= !here || r >= rank;
    }
    return ranks;
}

typedef struct place {
    char host[DOCTOR_NAME], processor[DOCTOR_NAME], kernels[HISS_KERNELS_IDENTITY];
    cpu_set_t cores;
    double clock; /* seconds of the day's clock, after a barrier */
} place;

/* [size] places of all ranks, the caller frees. Collective. */
static place *all_places(const doctor *d) {
    place mine = {.clock = 0};
    struct timespec now;
    gethostname(mine.host, sizeof mine.host - 1);
    cli_processor_name(mine.processor, sizeof mine.processor);
    snprintf(mine.kernels, sizeof mine.kernels, "%s", hiss_kernels_identity());
    if (sched_getaffinity(0, sizeof mine.cores, &mine.cores) != 0) {
        CPU_ZERO(&mine.cores);
    }
    hiss_comm_barrier(d->comm);
    clock_gettime(CLOCK_REALTIME, &now);
    mine.clock = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    return doctor_gather(d, &mine, sizeof mine);
}

/* ---- the launcher ---- */

/* A singleton start is the trap: a program built with one MPI and launched by another becomes many jobs of one rank. */
static void check_launcher(const doctor *d) {
    static const char *const names[] = {"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE",
                                        "FLUX_JOB_SIZE"};
    const int size = hiss_comm_size(d->comm);
    for (int k = 0; k < HISS_COUNT(names); k++) {
        const char *text = getenv(names[k]);
        const int promised = text ? atoi(text) : 0;
        if (promised > 1 && size == 1 && !cli_launched_alone()) {
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

/* Open MPI wants PMIx from its launcher. With another one, or none, srun starts many jobs of one rank. Other libraries are
 * content with PMI. */
static void check_pmix(const doctor *d) {
    char text[CLI_VARIABLE] = "";
    const char *tasks = getenv("SLURM_NTASKS");
    if (cli_launcher_says("PMIX_NAMESPACE", text)) {
        const bool known = cli_launcher_says("PMIX_VERSION", text);
        doctor_tell(d, FINDING_OK, "PMIx %.64s from the launcher", known ? text : "of unknown version");
    } else if (!cli_is_open_mpi() && (cli_launcher_says("PMI_RANK", text) || cli_launcher_says("PMI_FD", text))) {
        doctor_tell(d, FINDING_OK, "PMI from the launcher");
    } else if (cli_launcher_says("PMI_RANK", text) && !getenv("FLUX_JOB_SIZE")) { /* Open MPI 4 knows that of Flux */
        doctor_tell(d, FINDING_FAIL,
                    "the launcher speaks PMI, not PMIx, and Open MPI does not understand it; start with srun "
                    "--mpi=pmix, or with mpirun");
    } else if (tasks && atoi(tasks) > 1) {
        doctor_tell(d, FINDING_FAIL,
                    "SLURM_NTASKS is %s, but there is no PMIx; start with srun --mpi=pmix, or with mpirun", tasks);
    } else if (hiss_comm_size(d->comm) == 1) {
        doctor_tell(d, FINDING_OK, "no PMIx: not needed for one rank");
    } else {
        doctor_tell(d, FINDING_OK, "no PMIx, and %d ranks nevertheless", hiss_comm_size(d->comm));
    }
}

/* "Intel MPI 2021.18": 2021 and 18; 0 where there are none. */
static void version_of(const char *library, int version[2]) {
    const char *last = strrchr(library, ' ');
    version[0] = version[1] = 0;
    sscanf(last ? last : "", " %d.%d", &version[0], &version[1]);
}

/* Of Open MPI, each major version has a binary interface of its own. MPICH, Intel MPI and others of that family share one. */
static void check_library(const doctor *d) {
    static const char open_mpi[] = "Open MPI";
    char running[HISS_LIBRARY_TEXT], built[HISS_LIBRARY_TEXT];
    int now[2], then[2];
    hiss_comm_library(running, built);
    version_of(running, now);
    version_of(built, then);
    const bool open[2] = {strncmp(running, open_mpi, strlen(open_mpi)) == 0,
                          strncmp(built, open_mpi, strlen(open_mpi)) == 0};
    const bool other_name = strcspn(running, "0123456789") != strcspn(built, "0123456789") ||
                            strncmp(running, built, strcspn(built, "0123456789")) != 0;
    if (then[0] && (open[0] != open[1] || (open[0] && now[0] != then[0]))) {
        doctor_tell(
            d, FINDING_FAIL,
            "hiss was built for %s, but runs with %s: these do not fit; load the module hiss was built with, or "
            "build again",
            built, *running ? running : "an unknown MPI");
    } else if (then[0] && (other_name || now[0] != then[0] || now[1] != then[1])) {
        doctor_tell(d, FINDING_WARN, "hiss was built for %s, and runs with %s; build again when in doubt", built,
                    running);
    } else {
        doctor_tell(d, FINDING_OK, "MPI: %s", running);
    }
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
    place *all = all_places(d);
    check_launcher(d);
    check_pmix(d);
    check_library(d);
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

static void check_processors(const doctor *d, const place *all) {
    const int other = first_other(d, all, offsetof(place, processor));
    if (other) {
        doctor_tell(d, FINDING_WARN, "rank 0 has %s, rank %d (%s) has %s: every step waits for the slowest",
                    all[0].processor, other, all[other].host, all[other].processor);
    } else {
        doctor_tell(d, FINDING_OK, "processor: %s%s", all[0].processor,
                    hiss_comm_size(d->comm) > 1 ? ", on all ranks" : "");
    }
}

static void check_clocks(const doctor *d, const place *all) {
    enum { SKEW_SECONDS = 1 };
    int first = 0, last = 0;
    for (int r = 1; r < hiss_comm_size(d->comm); r++) {
        first = all[r].clock < all[first].clock ? r : first;
        last = all[r].clock > all[last].clock ? r : last;
    }
    const double skew = all[last].clock - all[first].clock;
    if (skew > SKEW_SECONDS) {
        doctor_tell(d, FINDING_WARN,
                    "clocks differ: that of rank %d (%s) is %.3f s ahead of that of rank %d (%s): logs will not line "
                    "up, and files may seem to be from the future; ask for NTP",
                    last, all[last].host, skew, first, all[first].host);
    } else if (hiss_comm_size(d->comm) > 1) {
        doctor_tell(d, FINDING_OK, "clocks of the ranks agree to %.3f s", skew);
    }
}

/* Each rank of Open MPI makes a segment in shared memory; when the room ends, ranks die of SIGBUS later on. */
static void check_shared_memory(const doctor *d) {
    static const char place_of[] = "/dev/shm";
    static const char *const names[] = {"OMPI_MCA_btl_vader_segment_size", "OMPI_MCA_btl_sm_segment_size"};
    enum { SEGMENT = 4 << 20 }; /* Open MPI 4.1 */
    double segment = SEGMENT;
    for (int k = 0; k < HISS_COUNT(names); k++) {
        segment = getenv(names[k]) ? atof(getenv(names[k])) : segment;
    }
    struct statvfs disk;
    double mine = statvfs(place_of, &disk) == 0 ? (double)disk.f_bavail * (double)disk.f_frsize : -1.0;
    double *room = doctor_gather(d, &mine, sizeof mine);
    doctor_name *host = doctor_hosts(d);
    for (int r = 0; r < hiss_comm_size(d->comm); r++) {
        bool lowest;
        const int ranks = doctor_ranks_of(d, (const doctor_name *)host, r, &lowest);
        const double need = ranks * segment;
        if (!lowest || ranks == 1) {
            continue;
        }
        if (room[r] < 0.0) {
            doctor_tell(d, FINDING_WARN, "%s: no %s: ranks of a host will exchange data slowly", host[r], place_of);
        } else if (room[r] < 2.0 * need) {
            doctor_tell(
                d, room[r] < need ? FINDING_FAIL : FINDING_WARN,
                "%s: %.1f MiB are free in %s, and MPI may fill %.1f MiB for %d ranks; remove what old jobs left "
                "there, start the container with a larger one (--shm-size), or use fewer ranks",
                host[r], room[r] / 0x1p20, place_of, need / 0x1p20, ranks);
        } else {
            doctor_tell(d, FINDING_OK, "%s: %.1f MiB are free in %s, MPI needs %.1f MiB for %d ranks", host[r],
                        room[r] / 0x1p20, place_of, need / 0x1p20, ranks);
        }
    }
    hiss_free(host);
    hiss_free(room);
}

void doctor_machines(const doctor *d) {
    place *all = all_places(d);
    check_processors(d, all);
    check_clocks(d, all);
    check_shared_memory(d);
    hiss_free(all);
}

void doctor_kernels(const doctor *d) {
    place *all = all_places(d);
    const int other = first_other(d, all, offsetof(place, kernels));
    char text[HISS_CORE_TEXT];
    if (other) {
        doctor_tell(d, FINDING_FAIL,
                    "rank 0 computes with %s, rank %d (%s) with %s, and train refuses that; set OPENBLAS_CORETYPE on "
                    "all to what the oldest processor has, e.g. Haswell",
                    all[0].kernels, other, all[other].host, all[other].kernels);
    } else if (hiss_kernels_judge_core(text) != HISS_CORE_GOOD) {
        doctor_tell(d, FINDING_WARN, "%s", text);
    } else {
        doctor_tell(d, FINDING_OK, "kernels: %s, one BLAS thread per lane", all[0].kernels);
    }
    hiss_free(all);
}
