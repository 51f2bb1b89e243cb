/* hiss eval */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "hiss/clock.h"
#include "hiss/file.h"
#include "hiss/log.h"

typedef struct options {
    const char *checkpoint;
    int log;
    bool help;
} options;

static const hiss_row rows[] = {
    {"set*", HISS_STRING, 0, NULL, 0, 0, NULL,
     "change a key of the run's config: --set eval.layers=conv3 (repeatable)"},
    {"checkpoint", HISS_PATH, offsetof(options, checkpoint), NULL, 0, 0, NULL,
     "checkpoint to judge (default: the newest of the run)"},
    {"log", HISS_CHOICE, offsetof(options, log), "info", 0, 0, "error|warning|info|debug", "how much to say"},
    {"help", HISS_BOOL, offsetof(options, help), "false", 0, 0, NULL, "this text"},
};

enum { MAX_RESULTS = 2 * HISS_MAX_TAPS + 1 };

typedef struct evaluation {
    hiss_eval_env env;
    const hiss_eval_options *options;
    hiss_sample_range train, test;
    char samples[HISS_EVAL_SAMPLES];
    hiss_eval_result results[MAX_RESULTS];
    int count;
} evaluation;

/* Extract the layers of one network from both ranges and judge them one by one. Collective. */
static hiss_status judge(evaluation *ev, const char *who, int layers, const hiss_layer_size *layer, hiss_embed embed,
                         void *user, hiss_error *err) {
    hiss_features *train[HISS_MAX_TAPS] = {NULL}, *test[HISS_MAX_TAPS] = {NULL};
    hiss_status s =
        hiss_features_extract(&ev->env, &ev->train, layers, layer, HISS_FROZEN_BATCH, embed, user, train, err);
    s = s == HISS_OK
            ? hiss_features_extract(&ev->env, &ev->test, layers, layer, HISS_FROZEN_BATCH, embed, user, test, err)
            : s;
    for (int k = 0; k < layers; k++) {
        if (s == HISS_OK) {
            char name[96];
            snprintf(name, sizeof name, "%s/%s", who, layer[k].name);
            const hiss_eval_set set = {name, train[k], test[k]};
            s = hiss_eval_run(&ev->env, ev->options, &set, &ev->results[ev->count++], err);
        }
        hiss_features_destroy(train[k]);
        hiss_features_destroy(test[k]);
    }
    return s;
}

static hiss_status judge_pixels(evaluation *ev, hiss_error *err) {
    int64_t H, W, C;
    hiss_dataset_shape(ev->train.set, &H, &W, &C);
    int64_t D = H * W * C;
    return judge(ev, "raw", 1, &(hiss_layer_size){"pixels", D}, hiss_embed_pixels, &D, err);
}

static hiss_status judge_all(evaluation *ev, hiss_experiment *e, const char *checkpoint, const char *run,
                             hiss_error *err) {
    hiss_frozen *m = NULL;
    hiss_layer_size layer[HISS_MAX_TAPS];
    int layers = 0;
    hiss_status s = hiss_frozen_create(e, ev->train.set, &m, err);
    s = s == HISS_OK ? cli_choose_layers(m, ev->options->layers, &layers, layer, err) : s;
    s = s == HISS_OK && ev->options->pixels ? judge_pixels(ev, err) : s;
    if (s == HISS_OK && ev->options->random) {
        s = hiss_frozen_randomize(m, &ev->train, err);
        s = s == HISS_OK ? judge(ev, "random", layers, layer, hiss_frozen_embed, m, err) : s;
    }
    s = s == HISS_OK ? hiss_frozen_load(m, checkpoint, err) : s;
    s = s == HISS_OK ? judge(ev, "trained", layers, layer, hiss_frozen_embed, m, err) : s;
    const int first = s == HISS_OK ? hiss_model_find(hiss_frozen_model(m), "conv1/weight") : -1;
    if (first >= 0 && hiss_comm_rank(ev->env.comm) == 0) {
        char path[CLI_PATH];
        const hiss_slot *slot = hiss_model_at(hiss_frozen_model(m), first);
        const int64_t *d = slot->shape.dim;
        snprintf(path, sizeof path, "%s/filters.png", run);
        s = hiss_write_filters(path, d[0], d[1], d[2], d[3], hiss_frozen_vector(m) + slot->offset, err);
    }
    hiss_frozen_destroy(m);
    return s;
}

/* The table on stdout and in RUN/eval.txt, RUN/eval.json, RUN/report.html. */
static hiss_status report(const evaluation *ev, const char *run, double seconds, hiss_error *err) {
    char path[CLI_PATH], *text = NULL;
    size_t size = 0;
    FILE *table = hiss_text_open(&text, &size);
    hiss_eval_print(table, ev->count, ev->results, ev->samples);
    fclose(table);
    printf("%sevaluated in %.0f s\n", text, seconds);
    snprintf(path, sizeof path, "%s/eval.txt", run);
    hiss_status s = hiss_file_write_text(path, text, err);
    free(text);
    snprintf(path, sizeof path, "%s/eval.json", run);
    s = s == HISS_OK ? hiss_eval_write(path, ev->count, ev->results, ev->samples, err) : s;
    return s == HISS_OK ? cli_write_report(run, err) : s;
}

static hiss_status evaluate(hiss_comm *comm, const void *options_, const char *run, const hiss_arguments *rest,
                            hiss_error *err) {
    static const char *const outputs[] = {"eval.txt", "eval.json", "filters.png", "report.html"};
    const options *o = options_;
    char checkpoint[CLI_PATH];
    hiss_experiment e = {0};
    hiss_eval_options eval = {0};
    cli_enter_kernels(comm);
    cli_warn_alone(comm);
    hiss_alloc_for("features and what judges them", "name fewer eval.layers, or start more ranks");
    const double start = hiss_seconds();
    hiss_status s = cli_open_run(comm, run, rest->repeated, rest->nrepeated, o->checkpoint, &e, &eval, checkpoint, err);
    evaluation *ev = hiss_new(evaluation, 1);
    s = s == HISS_OK ? cli_expect_writable(comm, run, outputs, HISS_COUNT(outputs), err) : s;
    if (s == HISS_OK) {
        ev->env = (hiss_eval_env){comm, &e.kernels, (uint64_t)e.seed};
        ev->options = &eval;
        s = hiss_comm_agree(
            comm, hiss_eval_open(&eval, &e.data, (uint64_t)e.seed, &ev->train, &ev->test, ev->samples, err), err);
    }
    if (s == HISS_OK) {
        hiss_info("judging %s on %lld training and %lld test samples", checkpoint, (long long)ev->train.count,
                  (long long)ev->test.count);
        s = hiss_comm_agree(comm, hiss_config_blame(e.config, judge_all(ev, &e, checkpoint, run, err), err), err);
    }
    if (s == HISS_OK && hiss_comm_rank(comm) == 0) {
        s = report(ev, run, hiss_seconds() - start, err);
    }
    hiss_eval_close(&ev->train, &ev->test);
    hiss_free(ev);
    hiss_experiment_destroy(&e);
    return hiss_comm_agree(comm, s, err);
}

static void help(void) {
    printf("usage: mpirun -n RANKS hiss eval RUN [OPTIONS]\n\nJudge the features of a run by k-NN, linear and "
           "few-label "
           "probes, beside raw pixels and the same network at random.\nWrites RUN/eval.txt, RUN/eval.json, "
           "RUN/filters.png and "
           "RUN/report.html.\n\n");
    hiss_rows_help(stdout, NULL, rows, HISS_COUNT(rows));
    printf("\nKeys of the config:\n");
    hiss_rows_help(stdout, "eval", hiss_eval_rows, hiss_eval_nrows);
}

int cmd_eval(int argc, char **argv) {
    options o = {0};
    const cli_task task = {.rows = rows,
                           .nrows = HISS_COUNT(rows),
                           .options = &o,
                           .help = &o.help,
                           .log = &o.log,
                           .print_help = help,
                           .missing = "eval needs a run directory: hiss eval runs/nat-fashion",
                           .run = evaluate};
    return cli_run(&task, argc, argv);
}
