/* Where the runs of a study are run, and what is to be said about it beside each of them. */
#define _GNU_SOURCE /* sched_getaffinity */
#include <ctype.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/study.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "hiss_build.h"

enum { MOST_HOSTS = 65536, HOST_NAME = 256 };

/* ---- cores ---- */

/* The lowest processor that shares its core with this one; the processor itself when the system does not tell. */
static int first_of_core(int processor) {
    char path[128];
    int first = processor;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", processor);
    FILE *in = fopen(path, "r");
    if (in) {
        first = fscanf(in, "%d", &first) == 1 ? first : processor;
        fclose(in);
    }
    return first;
}

/* Cores that this process may use; 0: unknown. */
static int64_t count_cores(void) {
    cpu_set_t may, cores;
    CPU_ZERO(&cores);
    if (sched_getaffinity(0, sizeof may, &may) != 0) {
        return 0;
    }
    for (size_t k = 0; k < CPU_SETSIZE; k++) {
        if (CPU_ISSET(k, &may)) {
            CPU_SET((size_t)first_of_core((int)k), &cores);
        }
    }
    return CPU_COUNT(&cores);
}

/* ---- hosts ---- */

static int count_words(const char *text) {
    int n = 0;
    for (const char *c = text; *c; c++) {
        n += !isspace((unsigned char)*c) && (c[1] == 0 || isspace((unsigned char)c[1]));
    }
    return n;
}

/* PBS and LSF name a file with a line for each slot: each host once, in its order. */
static void read_hosts(hiss_arena *arena, const char *path, hiss_scale_place *out) {
    size_t size = 0;
    char *text = (char *)hiss_file_bytes(path, &size);
    const char **host = hiss_arena_alloc(arena, sizeof(char *) * (size_t)(text ? count_words(text) + 1 : 1));
    for (char *rest, *name = text ? strtok_r(text, " \n", &rest) : NULL; name; name = strtok_r(NULL, " \n", &rest)) {
        int k = 0;
        while (k < out->hosts && strcmp(host[k], name) != 0) {
            k++;
        }
        if (k == out->hosts) {
            host[out->hosts++] = hiss_arena_text(arena, name);
        }
    }
    out->host = host;
    hiss_free(text);
}

static hiss_status find_hosts(hiss_arena *arena, hiss_scale_place *out, hiss_error *err) {
    const char *nodes = getenv("SLURM_JOB_NODELIST"), *pbs = getenv("PBS_NODEFILE"), *lsf = getenv("LSB_DJOB_HOSTFILE");
    if (!nodes || !*nodes || !cli_find_in_path("scontrol", arena)) {
        if (pbs || lsf) {
            read_hosts(arena, pbs ? pbs : lsf, out);
        }
        return HISS_OK; /* without, the launcher places the ranks, and the report compares */
    }
    char *answer = hiss_arena_alloc(arena, MOST_HOSTS * 16);
    const char *const word[] = {"scontrol", "show", "hostnames", nodes, NULL};
    const hiss_status s = child_read(word, answer, MOST_HOSTS * 16, err);
    if (s != HISS_OK) {
        return s;
    }
    const char **host = hiss_arena_alloc(arena, sizeof(char *) * (size_t)(count_words(answer) + 1));
    for (char *name = strtok(answer, " \n"); name; name = strtok(NULL, " \n")) {
        host[out->hosts++] = name;
    }
    out->host = host;
    return HISS_OK;
}

hiss_status study_place(hiss_arena *arena, hiss_scale_place *out, hiss_error *err) {
    *out = (hiss_scale_place){.cores = count_cores(), .hydra = !cli_is_open_mpi()};
    return find_hosts(arena, out, err);
}

/* ---- facts ---- */

#ifdef __clang__
static const char compiler[] = __VERSION__;
#else
static const char compiler[] = "gcc " __VERSION__;
#endif

static void fact(FILE *out, const char *key, const char *value) {
    if (value && *value) {
        fprintf(out, "%s: ", key);
        hiss_yaml_write_text(out, value);
        fputc('\n', out);
    }
}

static void write_facts(FILE *out) {
    char processor[256] = "", memory[64], running[HISS_LIBRARY_TEXT], built[HISS_LIBRARY_TEXT], job[128] = "";
    static const char *const ids[] = {"SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "FLUX_ENCLOSING_ID"};
    const char *id = NULL, *array = getenv("SLURM_ARRAY_JOB_ID"), *task = getenv("SLURM_ARRAY_TASK_ID");
    for (int k = 0; k < HISS_COUNT(ids); k++) {
        id = id ? id : getenv(ids[k]);
    }
    const double bytes = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    cli_processor_name(processor, sizeof processor);
    snprintf(memory, sizeof memory, "%.1f GiB", bytes / 0x1p30);
    hiss_comm_library(running, built);
    if (array && task) {
        snprintf(job, sizeof job, "%s_%s", array, task);
    } else if (id) {
        snprintf(job, sizeof job, "%s", id);
    }
    fact(out, "processor", processor);
    fact(out, "memory", memory);
    fact(out, "mpi", running);
    fact(out, "compiler", compiler);
    fact(out, "commit", HISS_COMMIT);
    fact(out, "job", job);
    fact(out, "nodes", getenv("SLURM_JOB_NODELIST"));
}

void study_write_end(FILE *out, const char *end, double seconds, const char *const *word) {
    char host[64] = "", when[32] = "";
    const time_t now = time(NULL);
    struct tm utc;
    gethostname(host, sizeof host - 1);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    fputs("end: ", out);
    hiss_yaml_write_text(out, end);
    fprintf(out, "\nended: \"%s\"\nseconds: %.3f\nstarted_on: ", when, seconds);
    hiss_yaml_write_text(out, host);
    fputc('\n', out);
    write_facts(out);
    fputs("command:\n", out);
    for (; *word; word++) {
        fputs("  - ", out);
        hiss_yaml_write_text(out, *word);
        fputc('\n', out);
    }
}
