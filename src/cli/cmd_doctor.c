/* hiss doctor: what would go wrong, or slowly, if one trained here and now. */
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "hiss/clock.h"
#include "hiss/file.h"
#include "hiss/log.h"

typedef struct options {
    const char *run;
    int64_t threads;
    bool help;
} options;

static const hiss_row rows[] = {
    {"set*", HISS_STRING, 0, NULL, 0, 0, NULL, "change a key of the config: --set train.lanes=8 (repeatable)"},
    {"run", HISS_STRING, offsetof(options, run), "runs/doctor", 0, 0, NULL, "run directory that train would write"},
    {"threads", HISS_INT, offsetof(options, threads), "0", 0, 1024, NULL,
     "lanes in flight on each rank; 0: dist.threads of the config, else 1"},
    {"help", HISS_BOOL, offsetof(options, help), "false", 0, 0, NULL, "this text"},
};

static void help(void) {
    printf(
        "usage: [mpirun -n RANKS] hiss doctor [CONFIG] [OPTIONS]\n\nCheck where and how hiss was started, and with "
        "CONFIG its data, for what would fail or be slow.\nStart it exactly as you would start hiss train. Exit code: "
        "0, or 2 when a line says FAIL.\n\n");
    hiss_rows_help(stdout, NULL, rows, HISS_COUNT(rows));
}

static void print(void *user, finding f, const char *text) {
    static const char *const name[] = {"OK  ", "WARN", "FAIL"};
    *(finding *)user = f > *(finding *)user ? f : *(finding *)user;
    printf("%s  %s\n", name[f], text);
}

/* ---- files ---- */

/* The directory above path that exists. */
static void existing_parent(const char *path, char out[CLI_PATH]) {
    snprintf(out, CLI_PATH, "%s", path);
    do {
        char *slash = strrchr(out, '/');
        if (!slash) {
            snprintf(out, CLI_PATH, ".");
            return;
        }
        slash[slash == out] = 0;
    } while (!hiss_file_exists(out));
}

static void check_writing(const doctor *d, const char *run) {
    enum { SLOW_SECONDS = 1, LEAST_MIB = 1024 };
    if (hiss_comm_rank(d->comm) != 0) {
        return;
    }
    char parent[CLI_PATH], path[CLI_PATH + 32];
    hiss_error err = {0};
    struct statvfs disk;
    existing_parent(run, parent);
    snprintf(path, sizeof path, "%s/.hiss-doctor-%ld", parent, (long)getpid());
    const double start = hiss_seconds();
    const hiss_status s = hiss_file_write_text(path, "hiss doctor\n", &err);
    const double seconds = hiss_seconds() - start;
    unlink(path);
    const double free_mib =
        statvfs(parent, &disk) == 0 ? (double)disk.f_bavail * (double)disk.f_frsize / 0x1p20 : LEAST_MIB;
    if (s != HISS_OK) {
        doctor_tell(d, FINDING_FAIL, "%s; choose another --run", err.text);
    } else if (free_mib < LEAST_MIB) {
        doctor_tell(d, FINDING_WARN, "%s: %.0f MiB are free; checkpoints may not fit", parent, free_mib);
    } else if (seconds > SLOW_SECONDS) {
        doctor_tell(d, FINDING_WARN, "%s: writing a small file durably takes %.1f s; checkpoints will stall training",
                    parent, seconds);
    } else {
        doctor_tell(d, FINDING_OK, "%s: writable, a small file is safe after %.1f ms, %.1f GiB free", parent,
                    1e3 * seconds, free_mib / 1024.0);
    }
}

/* Labels look sorted when neighbours share one far more often than draws at random would. */
static bool look_sorted(int64_t n, const int32_t *label, int64_t classes) {
    enum { LEAST = 64, TIMES = 3 };
    int64_t equal = 0, *count = hiss_new(int64_t, classes);
    double chance = 0.0;
    for (int64_t i = 0; i < n; i++) {
        count[label[i]]++;
        equal += i > 0 && label[i] == label[i - 1];
    }
    for (int64_t k = 0; k < classes; k++) {
        const double share = (double)count[k] / (double)n;
        chance += share * share;
    }
    hiss_free(count);
    const double share = (double)equal / (double)(n > 1 ? n - 1 : 1);
    return n >= LEAST && chance < 0.9 && share > chance + 0.5 * (1.0 - chance) && share > TIMES * chance;
}

static void check_labels(const doctor *d, const hiss_experiment *e, hiss_dataset *set) {
    enum { MOST = 1 << 20 };
    if (hiss_comm_rank(d->comm) != 0 || !hiss_dataset_labelled(set)) {
        return;
    }
    const int64_t n = hiss_dataset_count(set) < MOST ? hiss_dataset_count(set) : MOST;
    int32_t *label = hiss_new(int32_t, n);
    hiss_error err = {0};
    if (hiss_dataset_read(set, 0, n, NULL, label, &err) != HISS_OK) {
        doctor_tell(d, FINDING_FAIL, "%s", err.text);
    } else if (look_sorted(n, label, hiss_dataset_classes(set))) {
        doctor_tell(d, FINDING_WARN,
                    "%s: labels look sorted, so that lanes would see few classes each; set data.order to permuted, or "
                    "write a shuffled file with hiss prepare",
                    e->data.file);
    } else {
        doctor_tell(d, FINDING_OK, "%s: labels do not look sorted", e->data.file);
    }
    hiss_free(label);
}

static hiss_status open_set(const doctor *d, const hiss_experiment *e, hiss_dataset **set, hiss_error *err) {
    hiss_data_options data = e->data;
    data.verify = false; /* it would read the whole file */
    return hiss_comm_agree(d->comm, hiss_dataset_open(&data, (uint64_t)e->seed, set, err), err);
}

static void check_data(const doctor *d, const hiss_experiment *e) {
    hiss_dataset *set = NULL;
    hiss_world world = {0};
    hiss_error err = {0};
    hiss_status s = open_set(d, e, &set, &err);
    if (s == HISS_OK) {
        int64_t H, W, C;
        hiss_dataset_shape(set, &H, &W, &C);
        doctor_tell(d, FINDING_OK, "%s: readable by all ranks, %lld images of %lld x %lld x %lld", e->data.file,
                    (long long)hiss_dataset_count(set), (long long)H, (long long)W, (long long)C);
        check_labels(d, e, set);
        s = hiss_comm_agree(d->comm, hiss_world_create(e, set, d->comm, &world, &err), &err);
    }
    if (s != HISS_OK) {
        doctor_tell(d, FINDING_FAIL, "%s", err.text);
    } else if (world.lanes % (hiss_comm_size(d->comm) * d->threads) != 0) {
        doctor_tell(d, FINDING_WARN,
                    "%lld lanes on %d x %lld threads: some threads wait for others; let ranks x threads divide "
                    "train.lanes",
                    (long long)world.lanes, hiss_comm_size(d->comm), (long long)d->threads);
    } else {
        doctor_tell(d, FINDING_OK, "%lld lanes, as many on every thread", (long long)world.lanes);
    }
    hiss_world_destroy(&world);
    hiss_dataset_close(set);
}

/* ---- the command ---- */

static finding examine(hiss_comm *comm, const options *o, const char *config, const hiss_arguments *rest) {
    finding worst = FINDING_OK;
    hiss_experiment e = {0};
    hiss_eval_options eval = {0};
    hiss_error err = {0};
    const hiss_extra_section extra = {"eval", hiss_eval_rows, hiss_eval_nrows, &eval};
    doctor d = {.comm = comm, .threads = o->threads ? o->threads : 1, .say = print, .user = &worst};
    hiss_status s = HISS_OK;
    if (config) {
        s = hiss_file_expect(config, "the config", "give the path of a YAML file, or write one", &err);
        s = s == HISS_OK ? hiss_experiment_read(config, rest->repeated, rest->nrepeated, &extra, 1, &e, &err) : s;
        s = hiss_comm_agree(comm, s, &err);
        d.threads = s == HISS_OK && !o->threads ? e.dist.threads : d.threads;
    }
    doctor_launch(&d);
    doctor_machines(&d);
    check_writing(&d, o->run);
    if (s != HISS_OK) {
        doctor_tell(&d, FINDING_FAIL, "%s", err.text);
    } else if (config) {
        check_data(&d, &e);
    }
    if (e.config) {
        hiss_experiment_destroy(&e);
    }
    return (finding)hiss_comm_max_i64(comm, worst);
}

int cmd_doctor(int argc, char **argv) {
    options o = {0};
    hiss_error err = {0};
    const char *words[1], *sets[CLI_MAX_SETS];
    hiss_arguments rest = {.positional = words, .max_positional = 1, .repeated = sets, .max_repeated = CLI_MAX_SETS};
    hiss_status s = hiss_options_parse(rows, HISS_COUNT(rows), argc, argv, &o, &rest, &err);
    if (s == HISS_OK && o.help) {
        help();
        return 0;
    }
    hiss_comm *comm = NULL;
    s = s == HISS_OK ? cli_open(HISS_LOG_WARNING, &comm, &err) : s;
    if (s != HISS_OK) {
        return cli_fail(NULL, &err);
    }
    const finding worst = examine(comm, &o, rest.npositional ? words[0] : NULL, &rest);
    hiss_comm_close(comm);
    return worst == FINDING_FAIL ? hiss_exit_code(HISS_EUSER) : 0;
}
