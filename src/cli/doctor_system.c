/* Checks of what surrounds a job: srun, huge pages, memory. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/doctor.h"

enum { LINE = 256, OUTPUT = 1024 };

/* ---- srun ---- */

/* What a command says, one line: newlines become spaces. Empty when it says nothing. */
static void output_of(const char *command, char out[OUTPUT]) {
    FILE *in = popen(command, "r");
    const size_t got = in ? fread(out, 1, OUTPUT - 1, in) : 0;
    out[got] = 0;
    if (in) {
        pclose(in);
    }
    for (char *c = out; *c; c++) {
        *c = *c == '\n' ? ' ' : *c;
    }
    while (*out && out[strlen(out) - 1] == ' ') {
        out[strlen(out) - 1] = 0;
    }
}

static void check_srun(const doctor *d) {
    char version[OUTPUT], offers[OUTPUT];
    int major = 0, minor = -1, patch = 99;
    if (hiss_comm_rank(d->comm) != 0 || !getenv("SLURM_JOB_ID")) {
        return;
    }
    output_of("timeout 5 srun --version 2>/dev/null", version);
    output_of("timeout 5 srun --mpi=list 2>&1", offers);
    sscanf(version, "slurm %d.%d.%d", &major, &minor, &patch);
    if (!*version) {
        doctor_tell(d, FINDING_WARN, "in a SLURM job, but srun does not run here; start with mpirun");
    } else if (major == 20 && minor == 11 && patch <= 2) {
        doctor_tell(
            d, FINDING_FAIL,
            "%s: its steps get one core each unless told otherwise, which breaks mpirun; export SLURM_WHOLE=1 or "
            "ask for 20.11.3 or later",
            version);
    } else if (!strstr(offers, "pmix")) {
        doctor_tell(d, FINDING_WARN, "%s offers no PMIx (%s): start with mpirun, not with srun", version, offers);
    } else {
        doctor_tell(d, FINDING_OK, "%s offers PMIx", version);
    }
}

/* ---- huge pages ---- */

static void check_huge_pages(const doctor *d) {
    char mode[LINE] = "";
    FILE *in = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
    if (in) {
        if (!fgets(mode, sizeof mode, in)) {
            mode[0] = 0;
        }
        fclose(in);
    }
    mode[strcspn(mode, "\n")] = 0;
    bool *never = doctor_gather(d, &(bool){strstr(mode, "[never]") != NULL}, sizeof(bool));
    doctor_name *host = doctor_hosts(d);
    int other = -1;
    for (int r = hiss_comm_size(d->comm) - 1; r >= 0; r--) {
        other = never[r] ? r : other;
    }
    if (other >= 0) {
        doctor_tell(d, FINDING_WARN,
                    "%s: huge pages are off (never), and large arrays are slower to read; ask for madvise in "
                    "/sys/kernel/mm/transparent_hugepage/enabled",
                    host[other]);
    } else {
        doctor_tell(d, FINDING_OK, "huge pages: %s", *mode ? mode : "the system does not tell");
    }
    hiss_free(host);
    hiss_free(never);
}

void doctor_system(const doctor *d) {
    check_srun(d);
    check_huge_pages(d);
}

/* ---- memory ---- */

/* The number behind a key in a file of lines "key number", or -1. key "": the first word is the number. */
static double number_in(const char *path, const char *key) {
    char line[LINE];
    double value = -1.0;
    FILE *in = fopen(path, "r");
    while (in && value < 0.0 && fgets(line, sizeof line, in)) {
        char *end, *at = line + strlen(key);
        if (strncmp(line, key, strlen(key)) == 0) {
            value = strtod(at, &end);
            value = end == at ? -1.0 : value;
        }
    }
    if (in) {
        fclose(in);
    }
    return value;
}

/* Bytes the ranks of this host may still take: what is free, what the job's group and what SLURM allow. */
static double available(void) {
    const double KiB = 1024.0, MiB = 0x1p20;
    const double free_kib = number_in("/proc/meminfo", "MemAvailable:");
    const double allowed = number_in("/sys/fs/cgroup/memory.max", "");
    const double taken = number_in("/sys/fs/cgroup/memory.current", "");
    const char *slurm = getenv("SLURM_MEM_PER_NODE");
    double bytes = free_kib >= 0.0 ? free_kib * KiB : -1.0;
    if (allowed >= 0.0 && taken >= 0.0 && (bytes < 0.0 || allowed - taken < bytes)) {
        bytes = allowed - taken;
    }
    if (slurm && atof(slurm) > 0.0 && (bytes < 0.0 || atof(slurm) * MiB < bytes)) {
        bytes = atof(slurm) * MiB;
    }
    return bytes;
}

void doctor_memory(const doctor *d) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    const double mine[2] = {(double)usage.ru_maxrss * 1024.0, available()};
    double(*all)[2] = doctor_gather(d, mine, sizeof mine);
    doctor_name *host = doctor_hosts(d);
    for (int r = 0; r < hiss_comm_size(d->comm); r++) {
        bool lowest;
        double need = 0.0;
        const int ranks = doctor_ranks_of(d, (const doctor_name *)host, r, &lowest);
        for (int q = r; q < hiss_comm_size(d->comm); q++) {
            need += strcmp(host[q], host[r]) == 0 ? all[q][0] : 0.0;
        }
        const double there = all[r][1]; /* what was needed has been given back by now */
        if (!lowest) {
            continue;
        }
        if (there < 0.0) {
            doctor_tell(d, FINDING_WARN, "%s: the system does not tell how much memory is free", host[r]);
        } else if (need > there) {
            doctor_tell(d, FINDING_FAIL,
                        "%s: training needs %.3f GiB for %d rank%s, and %.3f GiB are there; use more nodes, fewer "
                        "lanes, or data.mode stream",
                        host[r], need / 0x1p30, ranks, ranks > 1 ? "s" : "", there / 0x1p30);
        } else if (need > 0.8 * there) {
            doctor_tell(d, FINDING_WARN,
                        "%s: training needs %.3f of %.3f GiB for %d rank%s: checkpoints and evaluation may not fit",
                        host[r], need / 0x1p30, there / 0x1p30, ranks, ranks > 1 ? "s" : "");
        } else {
            doctor_tell(d, FINDING_OK, "%s: training needs %.3f of %.3f GiB for %d rank%s", host[r], need / 0x1p30,
                        there / 0x1p30, ranks, ranks > 1 ? "s" : "");
        }
    }
    hiss_free(host);
    hiss_free(all);
}
