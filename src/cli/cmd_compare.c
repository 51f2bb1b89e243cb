/* hiss compare */
#include <stdlib.h>
#include <string.h>

#include "cli/compare.h"
#include "cli/compare_runs.h"
#include "cli/runs.h"
#include "hiss/file.h"
#include "hiss/log.h"

typedef struct options {
    const char *out;
    int64_t task;
    int log;
    bool quick, table, submit, dry, requeue, help;
} options;

static const hiss_row rows[] = {
    {"set*", HISS_STRING, 0, NULL, 0, 0, NULL, "change a key of the study: --set seeds=[1,2,3] (repeatable)"},
    {"quick", HISS_BOOL, offsetof(options, quick), "false", 0, 0, NULL,
     "the form of few images and seeds that section quick of the study describes"},
    {"out", HISS_PATH, offsetof(options, out), NULL, 0, 0, NULL,
     "directory of runs and table (default: runs/NAME of the study); of RUN ...: of the table alone (default: only "
     "print)"},
    {"table", HISS_BOOL, offsetof(options, table), "false", 0, 0, NULL,
     "train nothing: only write the table of what is there"},
    {"submit", HISS_BOOL, offsetof(options, submit), "false", 0, 0, NULL,
     "train nothing here: submit a SLURM job array, a task for each row and seed that is not done, and a job for "
     "the table"},
    {"dry-run", HISS_BOOL, offsetof(options, dry), "false", 0, 0, NULL, "with --submit: only write the job scripts"},
    {"task", HISS_INT, offsetof(options, task), "0", 0, 4096, NULL,
     "only row and seed number so many of the study, with its transfers, and no table, as tasks of --submit do; 0: "
     "all"},
    {"requeue", HISS_BOOL, offsetof(options, requeue), "false", 0, 0, NULL,
     "with --task: stopped before its end, put the task of the job array back into SLURM's queue, as those of --submit "
     "do"},
    {"log", HISS_CHOICE, offsetof(options, log), "warning", 0, 0, HISS_LOG_CHOICES, "how much to say"},
    {"help", HISS_BOOL, offsetof(options, help), "false", 0, 0, NULL, "this text"},
};

static void help(void) {
    printf(
        "usage: hiss compare STUDY.yaml [OPTIONS]\n"
        "       hiss compare RUN ... [--out DIR]\n\n"
        "Train several methods, each with several seeds, judge them alike, and write one table.\n\n"
        "Rows are configs of hiss train, columns are numbers of eval.json. Started once, without mpirun or srun, it\n"
        "starts the ranks itself. The same command goes on with a study that was interrupted, or has got more rows,\n"
        "seeds, transfers or columns; finished runs are kept. Writes OUT/table.md, table.csv, table.json, table.html,\n"
        "table.txt and runs.csv after each run, with curves also curves.csv and CURVE.svg. Exit code 2 when a run\n"
        "failed; the others are done nevertheless.\n\n"
        "RUN ...: set runs that have ended beside each other, whatever began them: the keys in which their configs "
        "differ,\n"
        "last metrics, evaluations and hashes. --out writes DIR/table.md, table.csv, and table.html with their curves "
        "over\n"
        "each other. Runs that have not ended or are damaged are a line each.\n\n");
    hiss_rows_help(stdout, NULL, rows, HISS_COUNT(rows));
    printf("\nKeys of the study:\n");
    hiss_comparison_help(stdout);
}

/* The table of what is there. */
static hiss_status table(const compare_request *r, hiss_error *err) {
    hiss_comparison study;
    hiss_status s = compare_read(r, &study, err);
    if (s == HISS_OK && !hiss_file_exists(r->out)) {
        s = hiss_fail(err, HISS_EUSER, "%s does not exist: there is nothing to make a table of; leave --table out",
                      r->out);
    }
    if (s == HISS_OK) {
        hiss_compare_results *results = hiss_compare_gather(&study, r->out);
        s = hiss_compare_write(results, err);
        if (s == HISS_OK) {
            hiss_compare_print(stdout, results);
            printf("\n%s/table.html\n", r->out);
        }
        hiss_compare_results_destroy(results);
    }
    hiss_comparison_destroy(&study);
    return s;
}

/* Of several words, none may be a file, and so a study. */
static hiss_status expect_runs(const hiss_arguments *rest, hiss_error *err) {
    hiss_status s = HISS_OK;
    for (int k = 0; k < rest->npositional && s == HISS_OK; k++) {
        const char *path = rest->positional[k];
        s = hiss_file_expect(path, "the run", "hiss list DIR says which runs are there", err);
        FILE *file = s == HISS_OK ? hiss_file_open(path) : NULL; /* no folder */
        if (file) {
            fclose(file);
            s = hiss_fail(err, HISS_EUSER, "%s is a file, not a run: a study is compared alone, and runs without one",
                          path);
        }
    }
    return s;
}

/* Whether the words are runs; one that is neither run nor study is taken for a study, whose errors say more. */
static bool are_runs(const hiss_arguments *rest) {
    bool any = rest->npositional > 1;
    for (int k = 0; k < rest->npositional; k++) {
        any = any || runs_is(rest->positional[k]);
    }
    return any;
}

static hiss_status act_on_runs(const options *o, const hiss_arguments *rest, hiss_error *err) {
    hiss_status s = hiss_options_expect(rows, HISS_COUNT(rows), rest, "out log", "beside runs", err);
    s = s == HISS_OK ? expect_runs(rest, err) : s;
    return s == HISS_OK ? compare_runs(rest->positional, rest->npositional, o->out, err) : s;
}

static hiss_status act(const options *o, const hiss_arguments *rest, hiss_error *err) {
    char out[CLI_PATH];
    const char *sets[CLI_MAX_SETS + 1];
    int nsets = rest->nrepeated;
    memcpy(sets, rest->repeated, sizeof *sets * (size_t)nsets);
    if (rest->npositional == 0) {
        return hiss_fail(err, HISS_EUSER, "compare needs a study: hiss compare configs/compare-quick.yaml");
    }
    if (cli_launcher_size() > 1) {
        return hiss_fail(err, HISS_EUSER, "hiss compare starts the ranks itself: start it once, without mpirun");
    }
    if (are_runs(rest)) {
        return act_on_runs(o, rest, err);
    }
    cli_default_run(rest->positional[0], out);
    if (o->quick) {
        snprintf(out + strlen(out), sizeof out - strlen(out), "-quick");
        sets[nsets++] = "form=quick";
    }
    const compare_request r = {rest->positional[0], o->out ? o->out : out, sets, nsets, o->task, o->dry, o->requeue};
    const char *used = o->table      ? "set quick out table"
                       : o->submit   ? "set quick out submit dry-run"
                       : o->task > 0 ? "set quick out task requeue"
                                     : "set quick out task";
    const hiss_status s = hiss_options_expect(rows, HISS_COUNT(rows), rest, used,
                                              o->table     ? "beside --table"
                                              : o->submit  ? "beside --submit"
                                              : o->requeue ? "without --task"
                                                           : "without --submit",
                                              err);
    return s != HISS_OK ? s : o->table ? table(&r, err) : o->submit ? compare_submit(&r, err) : compare_run(&r, err);
}

int cmd_compare(int argc, char **argv) {
    options o = {0};
    hiss_error err = {0};
    const char **words = hiss_new(const char *, argc + 1), *sets[CLI_MAX_SETS];
    hiss_arguments rest = {
        .positional = words, .max_positional = argc + 1, .repeated = sets, .max_repeated = CLI_MAX_SETS};
    hiss_status s = hiss_options_parse(rows, HISS_COUNT(rows), argc, argv, &o, &rest, &err);
    if (s == HISS_OK && o.help) {
        help();
        hiss_free(words);
        return 0;
    }
    hiss_log_setup((hiss_log_level)o.log, 0);
    s = s == HISS_OK ? act(&o, &rest, &err) : s;
    hiss_free(words);
    return s == HISS_OK ? 0 : cli_fail(NULL, &err);
}
