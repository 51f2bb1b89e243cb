/* hiss query */
#include <string.h>

#include "cli/cli.h"
#include "hiss/log.h"

typedef struct options {
    const char *checkpoint, *layer, *output;
    int64_t queries, neighbors;
    bool help;
} options;

static const hiss_row rows[] = {
    {"set*", HISS_STRING, 0, NULL, 0, 0, NULL, "change a key of the run's config (repeatable)"},
    {"queries", HISS_INT, offsetof(options, queries), "12", 1, 1000, NULL, "number of test images"},
    {"neighbors", HISS_INT, offsetof(options, neighbors), "8", 1, 50, NULL, "training images shown for each"},
    {"layer", HISS_STRING, offsetof(options, layer), NULL, 0, 0, NULL, "named layer (default: the last one)"},
    {"output", HISS_PATH, offsetof(options, output), NULL, 0, 0, NULL, "PNG to write (default: RUN/query.png)"},
    {"checkpoint", HISS_PATH, offsetof(options, checkpoint), NULL, 0, 0, NULL, "default: the newest of the run"},
    {"help", HISS_BOOL, offsetof(options, help), "false", 0, 0, NULL, "this text"},
};

static hiss_status retrieve(const hiss_eval_env *env, const options *o, const hiss_sample_range *train,
                            const hiss_sample_range *test, hiss_frozen *m, const char *output, hiss_error *err) {
    hiss_layer_size layers[HISS_MAX_TAPS];
    hiss_features *bank[1] = {NULL}, *query[1] = {NULL};
    int count = 0;
    hiss_status s = cli_choose_layers(m, "--layer NAME", o->layer, &count, layers, err);
    if (s != HISS_OK) {
        return hiss_error_prefix(err, s, "--layer");
    }
    if (!o->layer) {
        s = cli_choose_layers(m, "--layer NAME", layers[count - 1].name, &count, layers, err);
    }
    if (s == HISS_OK && count != 1) {
        s = hiss_fail(err, HISS_EUSER, "--layer takes one layer, got '%s'", o->layer);
    }
    s = s == HISS_OK ? hiss_features_extract(env, train, 1, layers, HISS_FROZEN_BATCH, hiss_frozen_embed, m, bank, err)
                     : s;
    s = s == HISS_OK ? hiss_features_extract(env, test, 1, layers, HISS_FROZEN_BATCH, hiss_frozen_embed, m, query, err)
                     : s;
    if (s == HISS_OK && hiss_comm_rank(env->comm) == 0 && o->queries > test->count) {
        hiss_warn("--queries is %lld, but there are only %lld test samples: all of them are drawn",
                  (long long)o->queries, (long long)test->count);
    }
    if (s == HISS_OK && hiss_comm_rank(env->comm) == 0 && o->neighbors > train->count) {
        hiss_warn("--neighbors is %lld, but there are only %lld training samples: all of them are shown",
                  (long long)o->neighbors, (long long)train->count);
    }
    if (s == HISS_OK) {
        const int64_t n = o->queries < test->count ? o->queries : test->count;
        int64_t *index = hiss_new(int64_t, n);
        const int64_t k = o->neighbors < train->count ? o->neighbors : train->count;
        hiss_neighbor *nearest = hiss_new(hiss_neighbor, n * k);
        hiss_draw_shown(env->seed, test->count, n, index);
        hiss_features_retrieve(env, bank[0], query[0], false, n, index, k, HISS_COSINE, nearest);
        if (hiss_comm_rank(env->comm) == 0) {
            s = hiss_sheet_write(output, test, train, n, index, k, nearest, err);
        }
        if (s == HISS_OK && hiss_comm_rank(env->comm) == 0) {
            printf("%s: %lld test images and their %lld nearest training images by %s\n", output, (long long)n,
                   (long long)k, layers[0].name);
        }
        hiss_free(index);
        hiss_free(nearest);
    }
    hiss_features_destroy(bank[0]);
    hiss_features_destroy(query[0]);
    return s;
}

static hiss_status query(hiss_comm *comm, const void *options_, const char *run, const hiss_arguments *rest,
                         hiss_error *err) {
    const options *o = options_;
    char checkpoint[CLI_PATH], output[CLI_PATH], page[CLI_PATH], samples[HISS_EVAL_SAMPLES];
    hiss_experiment e = {0};
    hiss_eval_options eval = {0};
    hiss_sample_range train = {0}, test = {0};
    hiss_frozen *m = NULL;
    cli_enter_kernels(comm);
    cli_warn_alone(comm);
    hiss_alloc_for("features", "query a layer of fewer dimensions (--layer), or start more ranks");
    snprintf(output, sizeof output, "%s/query.png", run);
    snprintf(page, sizeof page, "%s/report.html", run);
    const bool shown = !o->output || strcmp(o->output, output) == 0; /* on the run's page */
    const char *const outputs[] = {o->output ? o->output : output, shown ? page : NULL};
    hiss_status s = cli_open_run(comm, run, rest->repeated, rest->nrepeated, o->checkpoint, &e, &eval, checkpoint, err);
    s = s == HISS_OK ? cli_expect_writable(comm, NULL, outputs, HISS_COUNT(outputs), err) : s;
    if (s == HISS_OK) {
        hiss_data_options data = e.data;
        data.label_use = HISS_LABELS_OPTIONAL; /* they only colour frames */
        s = hiss_comm_agree(comm, hiss_eval_open(&eval, &data, (uint64_t)e.seed, &train, &test, samples, err), err);
        s = s == HISS_OK ? hiss_frozen_create(&e, train.set, &m, err) : s;
        s = s == HISS_OK ? cli_load_checkpoint(comm, m, checkpoint, o->checkpoint != NULL, err) : s;
        const hiss_eval_env env = {.comm = comm, .kernels = &e.kernels, .seed = (uint64_t)e.seed};
        s = s == HISS_OK ? retrieve(&env, o, &train, &test, m, outputs[0], err) : s;
        hiss_frozen_destroy(m);
        hiss_eval_close(&train, &test);
        s = s == HISS_OK && shown && hiss_comm_rank(comm) == 0 ? cli_write_report(run, err) : s;
        hiss_config_blame(e.config, s, err);
        s = hiss_comm_agree(comm, s, err);
    }
    hiss_experiment_destroy(&e);
    return s;
}

static void help(void) {
    printf("usage: [mpirun -n RANKS] hiss query RUN [OPTIONS]\n\nDraw test images with their nearest training images, "
           "by cosine of a "
           "layer's "
           "features.\nGreen frames: same label.\n\n");
    hiss_rows_help(stdout, NULL, rows, HISS_COUNT(rows));
}

int cmd_query(int argc, char **argv) {
    options o = {0};
    const int log = HISS_LOG_INFO;
    const cli_task task = {.rows = rows,
                           .nrows = HISS_COUNT(rows),
                           .options = &o,
                           .help = &o.help,
                           .log = &log,
                           .print_help = help,
                           .missing = "query needs a run directory: hiss query runs/nat-fashion",
                           .run = query};
    return cli_run(&task, argc, argv);
}
