/* hiss train */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "hiss/number.h"

typedef struct options {
    const char *run, *resume;
    int64_t threads, wait;
    double time_limit;
    const char *trace, *trace_steps;
    int64_t trace_spans;
    int progress, log;
    bool other_kernels, help;
} options;

enum { PROGRESS_AUTO, PROGRESS_BAR, PROGRESS_LINES };

static const hiss_row rows[] = {
    {"set*", HISS_STRING, 0, NULL, 0, 0, NULL, "change a key of the config: --set train.epochs=3 (repeatable)"},
    {"run", HISS_PATH, offsetof(options, run), NULL, 0, 0, NULL, "run directory (default: runs/NAME of the config)"},
    {"resume", HISS_PATH, offsetof(options, resume), "auto", 0, 0, NULL,
     "auto: newest checkpoint of the run, if any; never; or the path of a checkpoint"},
    {"allow-other-kernels", HISS_BOOL, offsetof(options, other_kernels), "false", 0, 0, NULL,
     "go on from a checkpoint of another kernel backend or BLAS core; the summary then says INVALID"},
    {"threads", HISS_INT, offsetof(options, threads), "0", 0, 1024, NULL,
     "lanes in flight on each rank (dist.threads)"},
    {"wait", HISS_INT, offsetof(options, wait), "10", 0, 86400, NULL,
     "seconds to wait for a process that still holds the run, e.g. of a killed job"},
    {"time-limit", HISS_FLOAT, offsetof(options, time_limit), "0", 0, 1e9, NULL,
     "seconds this run may take: it ends before, with a checkpoint and exit code 85; SLURM's own limit is known"},
    {"progress", HISS_CHOICE, offsetof(options, progress), "auto", 0, 0, "auto|bar|lines",
     "progress bar, or a plain line per epoch; auto: a bar on a terminal"},
    {"trace", HISS_PATH, offsetof(options, trace), NULL, 0, 0, NULL,
     "write what all ranks and threads did when, for ui.perfetto.dev, and who waits for whom (docs/traces.md)"},
    {"trace-steps", HISS_STRING, offsetof(options, trace_steps), NULL, 0, 0, NULL,
     "steps to trace, FIRST:LAST, of which the first of a run is 1 (default: all, as far as there is room)"},
    {"trace-spans", HISS_INT, offsetof(options, trace_spans), "100000", 1000, 1e8, NULL,
     "room for the trace on each rank, in spans of 32 bytes; what comes later is counted and dropped"},
    {"log", HISS_CHOICE, offsetof(options, log), "info", 0, 0, HISS_LOG_CHOICES, "how much to say"},
    {"help", HISS_BOOL, offsetof(options, help), "false", 0, 0, NULL, "this text"},
};

static void help(void) {
    printf(
        "usage: mpirun -n RANKS hiss train CONFIG [OPTIONS]\n\n"
        "Train as CONFIG says. Results do not depend on the number of ranks or threads.\n"
        "SIGUSR1 to mpirun or srun, or SIGTERM or SIGINT to a rank: write a checkpoint and exit with 85; the same\n"
        "command continues. A second SIGINT ends at once. (mpirun kills its ranks a second after a SIGTERM or SIGINT\n"
        "of its own: docs/checkpoints.md.)\n\n");
    hiss_rows_help(stdout, NULL, rows, HISS_COUNT(rows));
    printf("\nKeys of the config:\n");
    hiss_experiment_help(stdout);
    cli_eval_help(stdout);
}

/* Whether what the user sees is a terminal: a launcher may give its ranks pseudo-terminals, so ask for its stdout. */
static bool on_terminal(void) {
    if (!isatty(STDOUT_FILENO)) {
        return false;
    }
    if (!getenv("OMPI_COMM_WORLD_RANK")) {
        return true;
    }
    char link[64], target[256] = "";
    snprintf(link, sizeof link, "/proc/%ld/fd/1", (long)getppid());
    const ssize_t length = readlink(link, target, sizeof target - 1);
    return length > 0 && (strncmp(target, "/dev/pts/", 9) == 0 || strncmp(target, "/dev/tty", 8) == 0);
}

static void warn(void *user, doctor_finding f, const char *text) {
    (void)user;
    if (f != FINDING_OK) {
        hiss_warn("%s", text);
    }
}

/* "FIRST:LAST"; NULL: all steps. */
static hiss_status read_steps(const char *text, int64_t *first, int64_t *last, hiss_error *err) {
    char number[32];
    *first = 1;
    *last = INT64_MAX;
    if (!text) {
        return HISS_OK;
    }
    const char *colon = strchr(text, ':');
    snprintf(number, sizeof number, "%.*s", colon ? (int)(colon - text) : 0, text);
    if (!colon || !hiss_integer_parse(number, first) || !hiss_integer_parse(colon + 1, last) || *first < 1 ||
        *last < *first) {
        return hiss_fail(err, HISS_EUSER,
                         "--trace-steps: expected FIRST:LAST, two steps of which the first is at least 1, found "
                         "'%.80s'; for example 101:110",
                         text);
    }
    return HISS_OK;
}

/* Options that would have no effect beside others; of the command line, so the same on all ranks. */
static hiss_status check(const options *o, const hiss_arguments *rest, hiss_error *err) {
    if (o->other_kernels && strcmp(o->resume, "never") == 0) {
        return hiss_fail(err, HISS_EUSER, "--allow-other-kernels has no effect with --resume never; leave it out");
    }
    static const char *const of_traces[] = {"trace-steps", "trace-spans"};
    for (int k = 0; k < HISS_COUNT(of_traces); k++) {
        if (!o->trace && hiss_options_given(rows, HISS_COUNT(rows), rest, of_traces[k])) {
            return hiss_fail(err, HISS_EUSER, "--%s has no effect without --trace FILE; leave it out", of_traces[k]);
        }
    }
    return o->threads ? cli_expect_once(rows, HISS_COUNT(rows), rest, "threads", "dist.threads", err) : HISS_OK;
}

static hiss_status train(hiss_comm *comm, const void *options_, const char *config, const hiss_arguments *rest,
                         hiss_error *err) {
    const options *o = options_;
    hiss_train_trace trace = {.file = o->trace, .room = o->trace_spans};
    hiss_status once = check(o, rest, err);
    once = once == HISS_OK ? read_steps(o->trace_steps, &trace.first, &trace.last, err) : once;
    if (once != HISS_OK) {
        return once;
    }
    char run[CLI_PATH], threads[64];
    const char *sets[CLI_MAX_SETS + 1];
    int nsets = rest->nrepeated;
    memcpy(sets, rest->repeated, sizeof(char *) * (size_t)nsets);
    if (o->threads) {
        snprintf(threads, sizeof threads, "dist.threads=%lld", (long long)o->threads);
        sets[nsets++] = threads;
    }
    cli_default_run(config, run);
    if (o->run) {
        snprintf(run, sizeof run, "%s", o->run);
    }
    hiss_experiment e = {0};
    hiss_eval_options eval = {0};
    hiss_error why;
    hiss_status s = cli_read_experiment(comm, config, sets, nsets, &e, &eval, err);
    if (s == HISS_OK && eval.test && hiss_comm_rank(comm) == 0 && hiss_data_expect(eval.test, &why)) {
        char where[HISS_WHERE];
        hiss_warn("%s: %s is not there; hiss eval will need it", hiss_config_where(e.config, "eval.test", where),
                  eval.test);
    }
    char shared[HISS_EVAL_SHARED];
    if (s == HISS_OK && hiss_comm_rank(comm) == 0 && hiss_eval_shares(&eval, &e.data, shared)) {
        hiss_warn("%s", shared);
    }
    prober *looks = NULL;
    s = s == HISS_OK ? prober_create(comm, &e, &eval, &looks, err) : s;
    if (s == HISS_OK) {
        const doctor d = {.comm = comm, .threads = e.dist.threads, .say = warn};
        doctor_launch(&d);
        doctor_machines(&d);
        const bool bar = o->progress == PROGRESS_BAR || (o->progress == PROGRESS_AUTO && on_terminal());
        const hiss_train_request request = {.comm = comm,
                                            .experiment = &e,
                                            .run = run,
                                            .resume = o->resume,
                                            .other_kernels = o->other_kernels,
                                            .time_limit = o->time_limit,
                                            .bar = bar,
                                            .wait = (double)o->wait,
                                            .probe = prober_probe(looks),
                                            .trace = trace};
        s = hiss_train(&request, err);
        if (s == HISS_OK && hiss_comm_rank(comm) == 0) {
            s = cli_draw_curves(run, err);
            s = s == HISS_OK ? cli_write_report(run, err) : s;
            printf("run: %s\n", run);
        }
        s = hiss_comm_agree(comm, s, err);
    }
    prober_destroy(looks);
    hiss_experiment_destroy(&e);
    return s;
}

int cmd_train(int argc, char **argv) {
    options o = {0};
    const cli_task task = {.rows = rows,
                           .nrows = HISS_COUNT(rows),
                           .options = &o,
                           .help = &o.help,
                           .log = &o.log,
                           .print_help = help,
                           .missing = "train needs a config file: hiss train configs/nat-fashion.yaml",
                           .run = train};
    return cli_run(&task, argc, argv);
}
