/* hiss scale */
#include <stdlib.h>
#include <string.h>

#include "cli/scale.h"
#include "hiss/file.h"
#include "hiss/log.h"

typedef struct options {
    const char *out;
    int64_t nodes;
    int log;
    bool dry, help;
} options;

static const hiss_row rows[] = {
    {"set*", HISS_STRING, 0, NULL, 0, 0, NULL, "change a key of the study: --set repeats=5 (repeatable)"},
    {"out", HISS_PATH, offsetof(options, out), NULL, 0, 0, NULL, "run, submit: directory of the study's results"},
    {"nodes", HISS_INT, offsetof(options, nodes), "0", 0, 1e6, NULL,
     "run: only points on so many nodes; 0: all points"},
    {"dry-run", HISS_BOOL, offsetof(options, dry), "false", 0, 0, NULL, "submit: only write the job scripts"},
    {"log", HISS_CHOICE, offsetof(options, log), "warning", 0, 0, HISS_LOG_CHOICES, "how much to say"},
    {"help", HISS_BOOL, offsetof(options, help), "false", 0, 0, NULL, "this text"},
};

static void help(void) {
    printf("usage: hiss scale run STUDY.yaml --out DIR [OPTIONS]\n"
           "       hiss scale submit STUDY.yaml --out DIR [--dry-run] [OPTIONS]\n"
           "       hiss scale report DIR\n\n"
           "Run a scaling study: every point several times, in a random order.\n\n"
           "  run     run the points here, or inside a job: started once, without mpirun or srun, it starts the ranks\n"
           "          itself. The same command goes on with a study that was interrupted or has got more points\n"
           "          or repeats; finished runs are kept.\n"
           "  submit  write and submit a SLURM job for each number of nodes, and one for the report\n"
           "  report  tables, plots and fitted laws of what is there: DIR/report.html, report.txt, scaling.csv,\n"
           "          runs.csv, scaling.json, extrap-CONFIG.txt (for Extra-P), and the plots. Exit code 2 unless the "
           "study is\n"
           "          VALID: every run has finished, where it should, and runs of the same computation ended with the\n"
           "          same parameters.\n\n");
    hiss_rows_help(stdout, NULL, rows, HISS_COUNT(rows));
    printf("\nKeys of the study:\n");
    hiss_study_help(stdout);
}

static hiss_status report(const char *dir, hiss_error *err) {
    char path[CLI_PATH];
    hiss_study study = {0};
    snprintf(path, sizeof path, "%s/study.yaml", dir);
    hiss_status s =
        hiss_file_exists(path)
            ? hiss_study_read(path, NULL, 0, &study, err)
            : hiss_fail(err, HISS_EUSER,
                        "%s holds no study: it has no study.yaml; give the --out of hiss scale run STUDY.yaml --out "
                        "DIR",
                        dir);
    if (s == HISS_OK) {
        hiss_results *results = hiss_results_gather(&study, dir);
        s = hiss_results_write(results, err);
        if (s == HISS_OK) {
            hiss_results_print(stdout, results);
            printf("\n%s/report.html\n", dir);
            fflush(stdout);
        }
        if (s == HISS_OK && !results->valid) {
            s = hiss_fail(err, HISS_EUSER, "%s: %s", dir, results->verdict);
        }
        hiss_results_destroy(results);
    }
    hiss_study_destroy(&study);
    return s;
}

static hiss_status act(const options *o, const hiss_arguments *rest, hiss_error *err) {
    const char *action = rest->npositional > 0 ? rest->positional[0] : "";
    const bool reports = strcmp(action, "report") == 0, runs = strcmp(action, "run") == 0;
    if (!reports && !runs && strcmp(action, "submit") != 0) {
        return hiss_fail(err, HISS_EUSER, "scale '%.100s': expected run STUDY.yaml, submit STUDY.yaml or report DIR",
                         action);
    }
    if (cli_launcher_size() > 1) {
        return hiss_fail(err, HISS_EUSER, "hiss scale starts the ranks itself: start it once, without mpirun");
    }
    if (rest->npositional < 2) {
        return hiss_fail(err, HISS_EUSER,
                         reports ? "scale report needs the directory of a study: hiss scale report DIR"
                                 : "scale %s needs a study: hiss scale %s configs/scale-strong.yaml --out DIR",
                         action, action);
    }
    char form[64];
    snprintf(form, sizeof form, "on hiss scale %s", action);
    const char *used = reports ? "" : runs ? "set out nodes" : "set out dry-run";
    const hiss_status s = hiss_options_expect(rows, HISS_COUNT(rows), rest, used, form, err);
    if (s != HISS_OK) {
        return s;
    }
    if (reports) {
        return report(rest->positional[1], err);
    }
    if (!o->out) {
        return hiss_fail(err, HISS_EUSER, "scale %s needs --out DIR, where the results go", action);
    }
    const scale_request r = {rest->positional[1], o->out, rest->repeated, rest->nrepeated, o->nodes, o->dry, !runs};
    return runs ? scale_run(&r, err) : scale_submit(&r, err);
}

int cmd_scale(int argc, char **argv) {
    options o = {0};
    hiss_error err = {0};
    const char *words[2], *sets[CLI_MAX_SETS];
    hiss_arguments rest = {.positional = words, .max_positional = 2, .repeated = sets, .max_repeated = CLI_MAX_SETS};
    hiss_status s = hiss_options_parse(rows, HISS_COUNT(rows), argc, argv, &o, &rest, &err);
    if (s == HISS_OK && o.help) {
        help();
        return 0;
    }
    hiss_log_setup((hiss_log_level)o.log, 0);
    s = s == HISS_OK ? act(&o, &rest, &err) : s;
    return s == HISS_OK ? 0 : cli_fail(NULL, &err);
}
