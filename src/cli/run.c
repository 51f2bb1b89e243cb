/* What commands share that open a config or a finished run: its config, its checkpoint, its curves. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "hiss/file.h"
#include "hiss/metrics.h"
#include "hiss/snapshot.h"

int cli_eval_sections(hiss_eval_options *eval, hiss_extra_section out[CLI_EVAL_SECTIONS]) {
    int count = 0;
    out[count++] = (hiss_extra_section){"eval", hiss_eval_rows, hiss_eval_nrows, eval};
    for (const hiss_judgement *const *j = hiss_judgements(); *j; j++) {
        assert(count < CLI_EVAL_SECTIONS);
        out[count++] = (hiss_extra_section){"eval", (*j)->rows, (*j)->nrows, eval};
    }
    return count;
}

void cli_eval_help(FILE *stream) {
    hiss_eval_options none;
    hiss_extra_section section[CLI_EVAL_SECTIONS];
    const int sections = cli_eval_sections(&none, section);
    int count = 0;
    for (int k = 0; k < sections; k++) {
        count += section[k].nrows;
    }
    hiss_row *rows = hiss_new(hiss_row, count), *at = rows;
    for (int k = 0; k < sections; at += section[k++].nrows) {
        memcpy(at, section[k].rows, sizeof *rows * (size_t)section[k].nrows);
    }
    hiss_rows_help(stream, "eval", rows, count);
    hiss_free(rows);
}

hiss_status cli_expect_config(const char *path, hiss_error *err) {
    char config[CLI_PATH + 16];
    snprintf(config, sizeof config, "%s/config.yaml", path);
    return hiss_file_exists(config)
               ? hiss_fail(err, HISS_EUSER,
                           "the config %.300s is the directory of a run; give %.300s, or the file it "
                           "was made from",
                           path, config)
               : hiss_file_expect_text(path, "the config", "give the path of a YAML file, or write one", err);
}

hiss_status cli_read_experiment(hiss_comm *comm, const char *config, const char *const *sets, int nsets,
                                hiss_experiment *e, hiss_eval_options *eval, hiss_error *err) {
    hiss_extra_section extra[CLI_EVAL_SECTIONS];
    const int nextra = cli_eval_sections(eval, extra);
    hiss_status s = cli_expect_config(config, err);
    s = s == HISS_OK ? hiss_experiment_read(config, sets, nsets, extra, nextra, e, err) : s;
    return hiss_comm_agree(comm, s, err);
}

hiss_status cli_find_run(const char *path, const char *what, const char *advice, char run[CLI_PATH], bool *given,
                         hiss_error *err) {
    struct stat info;
    hiss_status s = hiss_file_expect(path, what, advice, err);
    snprintf(run, CLI_PATH, "%s", path);
    *given = s == HISS_OK && stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
    char *name = *given ? strrchr(run, '/') : NULL;
    if (name) {
        *name = 0;
    }
    char *folder = name ? strrchr(run, '/') : NULL;
    if (folder && strcmp(folder, "/ckpt") == 0) {
        *folder = 0;
    } else if (*given) {
        s = hiss_fail(err, HISS_EUSER, "%s is neither a run nor one of its checkpoints (RUN/ckpt/step-N.h5); %s", path,
                      advice);
    }
    return s;
}

static hiss_status blame_checkpoint(bool given, hiss_status s, hiss_error *err) {
    return given ? hiss_error_prefix(err, s, "--checkpoint") : s;
}

hiss_status cli_load_checkpoint(hiss_comm *comm, hiss_frozen *m, const char *path, bool given, hiss_error *err) {
    return hiss_comm_agree(comm, blame_checkpoint(given, hiss_frozen_load(m, path, err), err), err);
}

hiss_status cli_load_reconstructor(hiss_comm *comm, const hiss_objective_ops *objective, const hiss_frozen *m,
                                   const char *path, bool given, reconstructor **out, hiss_error *err) {
    return hiss_comm_agree(comm, blame_checkpoint(given, reconstructor_create(objective, m, path, out, err), err), err);
}

hiss_status cli_load_estimator(hiss_comm *comm, const hiss_objective_ops *objective, const hiss_frozen *m,
                               const char *path, bool given, int64_t draws, estimator **out, hiss_error *err) {
    return hiss_comm_agree(comm, blame_checkpoint(given, estimator_create(objective, m, path, draws, out, err), err),
                           err);
}

hiss_status cli_load_forecaster(hiss_comm *comm, const hiss_objective_ops *objective, const hiss_frozen *m,
                                const char *path, bool given, int64_t draws, int64_t frames, bool acts,
                                forecaster **out, hiss_error *err) {
    return hiss_comm_agree(
        comm, blame_checkpoint(given, forecaster_create(objective, m, path, draws, frames, acts, out, err), err), err);
}

hiss_status cli_load_measurer(hiss_comm *comm, const hiss_objective_ops *objective, const hiss_frozen *m,
                              const char *path, bool given, measurer **out, hiss_error *err) {
    return hiss_comm_agree(comm, blame_checkpoint(given, measurer_create(objective, m, path, out, err), err), err);
}

hiss_status cli_load_maker(hiss_comm *comm, const hiss_objective_ops *objective, const hiss_frozen *m, const char *path,
                           bool given, maker **out, hiss_error *err) {
    return hiss_comm_agree(comm, blame_checkpoint(given, maker_create(objective, m, path, out, err), err), err);
}

/* option: by which the checkpoint was given, or NULL. */
static hiss_status open_run(hiss_comm *comm, const char *run, const char *const *sets, int nsets,
                            const char *checkpoint, const char *option, hiss_experiment *e, hiss_eval_options *eval,
                            char path[CLI_PATH], hiss_error *err) {
    char config[CLI_PATH];
    snprintf(config, sizeof config, "%s/config.yaml", run);
    hiss_status s = HISS_OK;
    *path = 0;
    char above[CLI_PATH], there[CLI_PATH];
    snprintf(above, sizeof above, "%s", run);
    char *slash = strrchr(above, '/');
    if (slash) {
        *slash = 0;
    }
    snprintf(there, sizeof there, "%.*s/config.yaml", CLI_PATH - 16, above);
    struct stat info;
    if (!hiss_file_exists(config) && slash && hiss_file_exists(there)) {
        s = hiss_fail(err, HISS_EUSER, "%s is not a run, but %s is; give that", run, above);
    } else if (stat(run, &info) == 0 && S_ISREG(info.st_mode)) {
        s = hiss_fail(err, HISS_EUSER,
                      "%s is a file; give the directory of a run, and a checkpoint of it by --checkpoint", run);
    } else if (!hiss_file_exists(config)) {
        s = hiss_fail(err, HISS_EUSER,
                      "%s is not a run: it has no config.yaml; train first: hiss train CONFIG --run %s", run, run);
    }
    s = s == HISS_OK ? hiss_experiment_expect_trained(run, sets, nsets, err) : s;
    s = hiss_comm_agree(comm, s, err);
    s = s == HISS_OK ? cli_read_experiment(comm, config, sets, nsets, e, eval, err) : s;
    if (s == HISS_OK && checkpoint) {
        snprintf(path, CLI_PATH, "%s", checkpoint);
        s = hiss_file_expect_text(path, "the checkpoint", "those of a run are in RUN/ckpt", err);
        s = s == HISS_OK && hiss_comm_rank(comm) == 0 ? hiss_snapshot_verify(path, err) : s;
        s = option ? hiss_error_prefix(err, s, option) : s;
    } else if (s == HISS_OK && hiss_comm_rank(comm) == 0) {
        s = hiss_checkpoint_newest(run, false, path, CLI_PATH, err);
        if (s == HISS_OK && !*path) {
            s = hiss_fail(err, HISS_EUSER, "%s/ckpt holds no complete checkpoint; train first", run);
        }
    }
    s = hiss_comm_agree(comm, s, err);
    hiss_comm_broadcast(comm, path, CLI_PATH, 0);
    if (s == HISS_OK && hiss_objective_needs_labels(e->objective, e->objective_options)) {
        e->classes = hiss_checkpoint_classes(path);
    }
    return s;
}

hiss_status cli_open_run(hiss_comm *comm, const char *run, const char *const *sets, int nsets, const char *checkpoint,
                         hiss_experiment *e, hiss_eval_options *eval, char path[CLI_PATH], hiss_error *err) {
    return open_run(comm, run, sets, nsets, checkpoint, "--checkpoint", e, eval, path, err);
}

hiss_status cli_open_named(hiss_comm *comm, const char *name, const char *what, const char *advice,
                           const char *const *sets, int nsets, const char *checkpoint, hiss_experiment *e,
                           hiss_eval_options *eval, char path[CLI_PATH], hiss_error *err) {
    char run[CLI_PATH];
    bool given = false;
    hiss_status s = cli_find_run(name, what, advice, run, &given, err);
    if (s == HISS_OK && given && checkpoint) {
        s = hiss_fail(err, HISS_EUSER, "%s is a checkpoint, and --checkpoint names another; leave one of them out",
                      name);
    }
    s = hiss_comm_agree(comm, s, err);
    return s == HISS_OK ? open_run(comm, run, sets, nsets, given ? name : checkpoint, given ? NULL : "--checkpoint", e,
                                   eval, path, err)
                        : s;
}

hiss_status cli_expect_writable(hiss_comm *comm, const char *directory, const char *const *files, int count,
                                hiss_error *err) {
    hiss_status s = HISS_OK;
    for (int k = 0; k < count && s == HISS_OK && hiss_comm_rank(comm) == 0; k++) {
        char path[CLI_PATH];
        snprintf(path, sizeof path, "%s%s%s", directory ? directory : "", directory ? "/" : "",
                 files[k] ? files[k] : "");
        s = files[k] ? hiss_file_expect_writable(path, err) : s;
    }
    return hiss_comm_agree(comm, s, err);
}

/* ---- curves ---- */

/* Steps per epoch, from the summary of the run. */
static int64_t steps_per_epoch(const char *run) {
    char path[CLI_PATH], line[256];
    int64_t steps = 0;
    snprintf(path, sizeof path, "%s/summary.yaml", run);
    FILE *in = fopen(path, "r");
    while (in && fgets(line, sizeof line, in)) {
        steps = strncmp(line, "steps_per_epoch: ", 17) == 0 ? strtoll(line + 17, NULL, 10) : steps;
    }
    if (in) {
        fclose(in);
    }
    return steps;
}

hiss_status cli_expect_metrics(const char *run, hiss_error *err) {
    char path[CLI_PATH];
    hiss_status s = hiss_file_expect(run, "the run", "give the directory of a run", err);
    snprintf(path, sizeof path, "%s/metrics.jsonl", run);
    if (s == HISS_OK && !hiss_file_exists(path)) {
        s = hiss_fail(err, HISS_EUSER, "%s has no metrics.jsonl: it is not a run, or has not begun its first step",
                      run);
    }
    return s;
}

/* Counters of the run, which are its x axis, and lists of times are no curves. */
static bool is_curve(const char *name) {
    static const char *const counters[] = {"step", "epoch", "seconds"};
    bool counts = strchr(name, '.') != NULL;
    for (int k = 0; k < HISS_COUNT(counters); k++) {
        counts = counts || strcmp(name, counters[k]) == 0;
    }
    return !counts;
}

/* What some lines have and others have not: a curve through its points, where gaps mean nothing. */
static hiss_curve curve_of(hiss_arena *arena, const hiss_metric_column *column, int64_t lines, const double *x) {
    static const char *const some[] = {"probe/", "gradient/", "update/"};
    hiss_curve curve = {.name = column->name, .y = column->value};
    for (int k = 0; k < HISS_COUNT(some); k++) {
        if (strncmp(column->name, some[k], strlen(some[k])) == 0) {
            double *own_x = hiss_arena_alloc(arena, sizeof *own_x * (size_t)lines);
            double *own_y = hiss_arena_alloc(arena, sizeof *own_y * (size_t)lines);
            for (int64_t i = 0; i < lines; i++) {
                if (isfinite(column->value[i])) {
                    own_x[curve.count] = x[i];
                    own_y[curve.count++] = column->value[i];
                }
            }
            curve.x = own_x;
            curve.y = own_y;
        }
    }
    return curve;
}

hiss_status cli_read_curves(const char *run, hiss_arena *arena, hiss_curves *out, hiss_error *err) {
    char path[CLI_PATH];
    hiss_metrics metrics;
    *out = (hiss_curves){.title = hiss_arena_text(arena, run), .x_label = "epoch"};
    snprintf(path, sizeof path, "%s/metrics.jsonl", run);
    const hiss_status s = hiss_metrics_read(arena, path, &metrics, err);
    const double *step = s == HISS_OK ? hiss_metrics_column(&metrics, "step") : NULL;
    if (!step) {
        return s;
    }
    double *x = hiss_arena_alloc(arena, sizeof *x * (size_t)metrics.lines);
    hiss_curve *curve = hiss_arena_alloc(arena, sizeof *curve * (size_t)metrics.columns);
    const int64_t whole = steps_per_epoch(run);
    const double per_epoch = whole > 0 ? (double)whole : 1.0;
    out->x_label = whole > 0 ? "epoch" : "step"; /* while it goes on */
    for (int64_t i = 0; i < metrics.lines; i++) {
        x[i] = step[i] / per_epoch;
    }
    for (int k = 0; k < metrics.columns; k++) {
        if (is_curve(metrics.column[k].name)) {
            curve[out->curves++] = curve_of(arena, &metrics.column[k], metrics.lines, x);
        }
    }
    out->count = metrics.lines;
    out->x = x;
    out->curve = curve;
    return s;
}

hiss_status cli_draw_curves(const char *run, hiss_error *err) {
    char path[CLI_PATH];
    hiss_arena *arena = hiss_arena_create();
    hiss_curves curves;
    hiss_status s = cli_read_curves(run, arena, &curves, err);
    snprintf(path, sizeof path, "%s/curves.svg", run);
    s = s == HISS_OK ? hiss_curves_write(path, &curves, err) : s;
    hiss_arena_destroy(arena);
    return s;
}
