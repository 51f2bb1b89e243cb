/* What commands share that open a config or a finished run: its config, its checkpoint, its curves. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "hiss/file.h"

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
    const hiss_extra_section extra = {"eval", hiss_eval_rows, hiss_eval_nrows, eval};
    hiss_status s = cli_expect_config(config, err);
    s = s == HISS_OK ? hiss_experiment_read(config, sets, nsets, &extra, 1, e, err) : s;
    return hiss_comm_agree(comm, s, err);
}

hiss_status cli_open_run(hiss_comm *comm, const char *run, const char *const *sets, int nsets, const char *checkpoint,
                         hiss_experiment *e, hiss_eval_options *eval, char path[CLI_PATH], hiss_error *err) {
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
    if (!hiss_file_exists(config) && slash && hiss_file_exists(there)) {
        s = hiss_fail(err, HISS_EUSER, "%s is not a run, but %s is; give that", run, above);
    } else if (!hiss_file_exists(config)) {
        s = hiss_fail(err, HISS_EUSER,
                      "%s is not a run: it has no config.yaml; train first: hiss train CONFIG --run %s", run, run);
    }
    s = hiss_comm_agree(comm, s, err);
    s = s == HISS_OK ? cli_read_experiment(comm, config, sets, nsets, e, eval, err) : s;
    if (s == HISS_OK && checkpoint) {
        snprintf(path, CLI_PATH, "%s", checkpoint);
        s = hiss_file_expect_text(path, "the checkpoint", "those of a run are in RUN/ckpt", err);
    } else if (s == HISS_OK && hiss_comm_rank(comm) == 0) {
        s = hiss_checkpoint_newest(run, false, path, CLI_PATH, err);
        if (s == HISS_OK && !*path) {
            s = hiss_fail(err, HISS_EUSER, "%s/ckpt holds no complete checkpoint; train first", run);
        }
    }
    s = hiss_comm_agree(comm, s, err);
    hiss_comm_broadcast(comm, path, CLI_PATH, 0);
    return s;
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

typedef struct lines {
    int64_t count, capacity;
    double *column[5]; /* epoch, loss, cosine, chance, images per second */
} lines;

static double number_after(const char *line, const char *key) {
    const char *at = strstr(line, key);
    return at ? strtod(at + strlen(key), NULL) : (double)NAN;
}

static void add_line(lines *l, const char *text, int64_t steps_per_epoch) {
    static const char *const keys[] = {
        "\"step\": ", "\"loss\": ", "\"cosine\": ", "\"chance\": ", "\"images_per_second\": "};
    for (int k = 0; k < HISS_COUNT(keys) && l->count < l->capacity; k++) {
        l->column[k][l->count] = number_after(text, keys[k]);
    }
    if (l->count < l->capacity) {
        l->column[0][l->count++] /= (double)(steps_per_epoch > 0 ? steps_per_epoch : 1);
    }
}

/* Steps per epoch, from the summary of the run. */
static int64_t steps_per_epoch(const char *run) {
    char path[CLI_PATH], line[256];
    int64_t steps = 1;
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

hiss_status cli_draw_curves(const char *run, hiss_error *err) {
    char path[CLI_PATH], *line = NULL;
    size_t capacity = 0;
    lines l = {0};
    snprintf(path, sizeof path, "%s/metrics.jsonl", run);
    FILE *in = fopen(path, "r");
    if (!in) {
        return hiss_fail(err, HISS_ESYSTEM, "%s: cannot be read", path);
    }
    while (getline(&line, &capacity, in) > 0) {
        l.capacity++;
    }
    for (int k = 0; k < HISS_COUNT(l.column); k++) {
        l.column[k] = hiss_new(double, l.capacity);
    }
    rewind(in);
    for (const int64_t per_epoch = steps_per_epoch(run); getline(&line, &capacity, in) > 0;) {
        add_line(&l, line, per_epoch);
    }
    fclose(in);
    free(line);
    const hiss_curves curves = {.title = run,
                                .count = l.count,
                                .x = l.column[0],
                                .x_label = "epoch",
                                .loss = l.column[1],
                                .cosine = l.column[2],
                                .rate = l.column[4],
                                .rate_label = "images per second"};
    snprintf(path, sizeof path, "%s/curves.svg", run);
    hiss_status s = hiss_curves_write(path, &curves, err);
    for (int k = 0; k < HISS_COUNT(l.column); k++) {
        hiss_free(l.column[k]);
    }
    return s;
}
