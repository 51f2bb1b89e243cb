/* What a run has left: its config, what it has logged, how it ended, what it was judged to be. Runs of other versions have
 * fewer keys or more, and runs can be damaged; neither keeps others from being listed.
 *
 * A run has ended when summary.yaml is there, for one that goes on removes it. Else it runs as long as a process holds
 * its lock. The lock is tried as a reader for an instant; a training that begins in this instant waits for it. */
#include "cli/runs.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "hiss/export.h"
#include "hiss/file.h"
#include "hiss/metrics.h"
#include "hiss/run_directory.h"
#include "hiss/snapshot.h"

enum { LIST = 1 << 16 };

bool runs_is(const char *path) {
    return hiss_run_directory_has(path, "config.yaml") &&
           (hiss_run_directory_has(path, ".lock") || hiss_run_directory_has(path, "ckpt") ||
            hiss_run_directory_has(path, "summary.yaml"));
}

/* ---- reading ---- */

/* The first thing that is wrong with it is what is said. */
static void complain(hiss_arena *arena, runs_run *run, const hiss_error *err) {
    run->why = run->why ? run->why : hiss_arena_text(arena, err->text);
}

static const hiss_yaml *read_tree(hiss_arena *arena, runs_run *run, const char *name) {
    hiss_yaml *root = NULL;
    hiss_error err = {0};
    if (hiss_yaml_read(arena, hiss_arena_format(arena, "%s/%s", run->path, name), &root, &err) != HISS_OK) {
        complain(arena, run, &err);
        return NULL;
    }
    return root;
}

static void read_metrics(hiss_arena *arena, runs_run *run) {
    hiss_error err = {0};
    hiss_metrics m = {0};
    if (hiss_metrics_read(arena, hiss_arena_format(arena, "%s/metrics.jsonl", run->path), &m, &err) != HISS_OK) {
        complain(arena, run, &err);
        return;
    }
    const double *step = hiss_metrics_column(&m, "step"), *epoch = hiss_metrics_column(&m, "epoch"),
                 *loss = hiss_metrics_column(&m, "loss");
    run->metrics = m;
    for (int64_t i = 0; i < m.lines; i++) {
        run->step = step && isfinite(step[i]) ? (int64_t)step[i] : run->step;
        run->epochs = epoch && isfinite(epoch[i]) ? (int64_t)epoch[i] : run->epochs;
        run->loss = loss && isfinite(loss[i]) ? loss[i] : run->loss;
    }
}

static void read_evaluation(hiss_arena *arena, runs_run *run) {
    hiss_error err = {0};
    if (hiss_evaluation_read(hiss_arena_format(arena, "%s/eval.json", run->path), &run->evaluation, &err) != HISS_OK) {
        complain(arena, run, &err);
        run->evaluation = NULL;
    }
}

static int64_t whole(const hiss_yaml *map, const char *key) {
    int64_t value = -1;
    return hiss_integer_parse(hiss_yaml_text(map, key), &value) ? value : -1;
}

/* ---- what has become of it ---- */

static void settle_done(hiss_arena *arena, runs_run *run) {
    const char *result = hiss_yaml_text(run->summary, "result");
    run->state = RUNS_DONE;
    run->step = whole(run->summary, "steps");
    run->epochs = whole(run->summary, "epochs");
    run->parameters = hiss_yaml_text(run->summary, "parameters_sha256");
    run->where = "done";
    if (strcmp(result, "VALID") != 0) {
        run->where = hiss_arena_format(arena, "done (%.7s)", *result ? result : "no word");
        run->why = run->why ? run->why : hiss_arena_format(arena, "%s/summary.yaml: result: %s", run->path, result);
    }
}

/* What a process computed beyond its newest checkpoint is lost when it ends. */
static void settle_unfinished(hiss_arena *arena, runs_run *run) {
    int64_t *steps = NULL;
    const int n = hiss_snapshot_list(run->path, &steps);
    if (hiss_run_directory_busy(run->path)) {
        run->state = RUNS_RUNNING;
        run->where = run->step < 0 ? "running" : hiss_arena_format(arena, "running, step %" PRId64, run->step);
    } else {
        run->state = RUNS_INTERRUPTED;
        run->step = n > 0 ? steps[0] : -1;
        run->where = n > 0 ? hiss_arena_format(arena, "interrupted at step %" PRId64, steps[0])
                           : "interrupted before a checkpoint";
    }
    hiss_free(steps);
}

static void read_time(hiss_arena *arena, runs_run *run) {
    static const char *const files[] = {"config.yaml", "metrics.jsonl", "summary.yaml"};
    struct tm when;
    time_t last = 0;
    for (int k = 0; k < HISS_COUNT(files); k++) {
        struct stat what;
        if (stat(hiss_arena_format(arena, "%s/%s", run->path, files[k]), &what) == 0 && what.st_mtime > last) {
            last = what.st_mtime;
        }
    }
    strftime(run->when, sizeof run->when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&last, &when));
}

void runs_read(hiss_arena *arena, const char *name, const char *path, runs_run *run) {
    *run = (runs_run){
        .name = name, .path = path, .step = -1, .epochs = -1, .loss = (double)NAN, .parameters = "", .where = "broken"};
    read_time(arena, run);
    run->config = read_tree(arena, run, "config.yaml");
    run->summary = hiss_run_directory_has(path, "summary.yaml") ? read_tree(arena, run, "summary.yaml") : NULL;
    run->state = RUNS_BROKEN;
    if (run->why) {
        return;
    }
    if (hiss_run_directory_has(path, "metrics.jsonl")) {
        read_metrics(arena, run);
    }
    if (hiss_run_directory_has(path, "eval.json")) {
        read_evaluation(arena, run);
    }
    if (run->summary) {
        settle_done(arena, run);
    } else {
        settle_unfinished(arena, run);
    }
}

void runs_close(runs_run *run) {
    hiss_evaluation_destroy(run->evaluation);
    run->evaluation = NULL;
}

/* ---- texts ---- */

const char *runs_text(hiss_arena *arena, const hiss_yaml *node) {
    if (node->kind == HISS_YAML_SCALAR) {
        return node->text;
    }
    char *text = NULL;
    size_t size = 0;
    FILE *stream = hiss_text_open(&text, &size);
    hiss_yaml_write(stream, node);
    fclose(stream);
    const char *copy = hiss_arena_text(arena, text);
    free(text);
    return copy;
}

int runs_names(hiss_arena *arena, const hiss_evaluation *e, const char *subject, const char *judgement,
               const char ***out) {
    char *list = hiss_arena_alloc(arena, LIST);
    int n = 0;
    hiss_evaluation_list(e, subject, judgement, list, LIST);
    *out = hiss_arena_alloc(arena, sizeof **out * (strlen(list) / 2 + 1));
    for (char *rest, *name = strtok_r(list, ", ", &rest); name; name = strtok_r(NULL, ", ", &rest)) {
        (*out)[n++] = name;
    }
    return n;
}

const char *runs_epochs(hiss_arena *arena, const runs_run *run) {
    const char *wanted = hiss_yaml_text(hiss_yaml_get(run->config, "train"), "epochs");
    return run->epochs < 0 ? "-"
           : *wanted       ? hiss_arena_format(arena, "%" PRId64 " / %s", run->epochs, wanted)
                           : hiss_arena_format(arena, "%" PRId64, run->epochs);
}

const char *runs_number(hiss_arena *arena, int digits, double value) {
    return isnan(value) ? "-" : hiss_arena_format(arena, "%.*g", digits, value);
}

void runs_csv(FILE *out, const hiss_report_table *t) {
    for (int r = -1; r < t->rows; r++) {
        for (int c = 0; c < t->columns; c++) {
            const char *text = r < 0 ? t->head[c] : t->cell[r * t->columns + c];
            fputs(c ? "," : "", out);
            if (r < 0 || strcmp(text, "-") != 0) { /* what is not there is empty */
                hiss_csv_text(out, text);
            }
        }
        fputc('\n', out);
    }
}
