/* hiss features */
#include <string.h>

#include "cli/cli.h"
#include "hiss/clock.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "hiss/snapshot.h"
#include "hiss_build.h"

typedef struct options {
    const char *checkpoint, *data, *layer, *output;
    bool help;
} options;

static const hiss_row rows[] = {
    {"data", HISS_PATH, offsetof(options, data), NULL, 0, 0, NULL,
     "HDF5 file of the samples, or a pattern of files, as data.file (default: the data of the run)"},
    {"layer", HISS_STRING, offsetof(options, layer), NULL, 0, 0, NULL,
     "named layers, with commas between them; npy and csv take one (default: the last one)"},
    {"output", HISS_PATH, offsetof(options, output), NULL, 0, 0, NULL,
     "file to write; it ends with .h5 or .hdf5, .npy, or .csv"},
    {"checkpoint", HISS_PATH, offsetof(options, checkpoint), NULL, 0, 0, NULL, "default: the newest of the run"},
    {"set*", HISS_STRING, 0, NULL, 0, 0, NULL,
     "change a key of the run's config: --set data.images=/photos (repeatable)"},
    {"help", HISS_BOOL, offsetof(options, help), "false", 0, 0, NULL, "this text"},
};

typedef struct job {
    hiss_experiment experiment;
    hiss_eval_options eval; /* of its config, of no use */
    char checkpoint[CLI_PATH];
    hiss_dataset *set;
    hiss_frozen *network;
} job;

/* Before anything is read. */
static hiss_status check_output(hiss_comm *comm, const options *o, hiss_error *err) {
    hiss_status s = HISS_OK;
    if (!o->output || !*o->output) {
        s = hiss_fail(err, HISS_EUSER, "features needs a file to write: --output features.h5");
    } else if ((s = hiss_feature_output_expect(o->output, 1, err)) != HISS_OK) {
        s = hiss_error_prefix(err, s, "--output");
    } else if (hiss_comm_rank(comm) == 0) {
        hiss_file_clear_rests("features", o->output);
        s = hiss_file_expect_writable(o->output, err);
    }
    return hiss_comm_agree(comm, s, err);
}

/* Writing replaces what is there: never what is read. */
static hiss_status expect_other(const options *o, const char *file, const char *checkpoint, hiss_error *err) {
    const char *const inputs[] = {file, checkpoint};
    hiss_status s = HISS_OK;
    for (int k = 0; k < HISS_COUNT(inputs) && s == HISS_OK; k++) {
        char *a = NULL, *b = NULL;
        if (inputs[k] && hiss_data_common(o->output, inputs[k], &a, &b)) {
            s = hiss_fail(err, HISS_EUSER, "--output %s is the file that is read; choose another name", a);
        }
        hiss_free(a);
        hiss_free(b);
    }
    return s;
}

/* The rows of the file, all of them, in its order. */
static hiss_data_options data_of(const hiss_experiment *e, const options *o, const hiss_comm *comm) {
    hiss_data_options data = e->data;
    data.label_use = HISS_LABELS_OPTIONAL; /* they are only copied */
    data.order = 0;
    data.verify = data.verify && hiss_comm_rank(comm) == 0;
    if (o->data) {
        data.file = o->data;
        data.keys.file = "--data";
        data.generate = NULL;
        data.limit = 0;
    }
    return data;
}

/* A sound checkpoint that does not fit is of a network for other images. */
static hiss_status load(hiss_comm *comm, const options *o, job *j, hiss_error *err) {
    hiss_status s = cli_load_checkpoint(comm, j->network, j->checkpoint, o->checkpoint != NULL, err);
    if (s == HISS_EUSER && o->data) {
        char found[HISS_FIELD_TEXT];
        const hiss_error why = *err;
        hiss_field_text(hiss_dataset_field(j->set, HISS_FIELD_IMAGE), found);
        s = hiss_fail(err, s, "--data: images of %s are %s, unlike those that were trained on; give such (%.300s)",
                      hiss_dataset_file(j->set), found, why.text);
    }
    return s;
}

static hiss_status choose(hiss_frozen *m, const options *o, int *count, hiss_layer_size layer[HISS_MAX_TAPS],
                          hiss_error *err) {
    hiss_status s = cli_choose_layers(m, "--layer NAME,...", o->layer, count, layer, err);
    if (s == HISS_OK && !o->layer) {
        s = cli_choose_layers(m, "--layer NAME,...", layer[*count - 1].name, count, layer, err);
    }
    if (s == HISS_OK && *count == 0) {
        s = hiss_fail(err, HISS_EUSER, "'%s' names no layer; leave it out for the last one", o->layer);
    }
    for (int k = 0; k < *count && s == HISS_OK; k++) {
        for (int i = 0; i < k && s == HISS_OK; i++) {
            s = strcmp(layer[k].name, layer[i].name) == 0
                    ? hiss_fail(err, HISS_EUSER, "names %s twice; name each layer once", layer[k].name)
                    : HISS_OK;
        }
    }
    s = hiss_error_prefix(err, s, "--layer");
    return s == HISS_OK ? hiss_error_prefix(err, hiss_feature_output_expect(o->output, *count, err), "--output") : s;
}

static hiss_status write_features(hiss_comm *comm, const options *o, job *j, hiss_error *err) {
    hiss_experiment *e = &j->experiment;
    hiss_layer_size layer[HISS_MAX_TAPS];
    char sum[HISS_HASH_TEXT] = "", list[HISS_MAX_TAPS * (HISS_TAP_NAME + 32)] = "";
    int layers = 0;
    const double start = hiss_seconds();
    hiss_status s = choose(j->network, o, &layers, layer, err);
    s = s == HISS_OK && hiss_comm_rank(comm) == 0 ? hiss_snapshot_sum(j->checkpoint, sum, err) : s;
    if ((s = hiss_comm_agree(comm, s, err)) != HISS_OK) {
        return s;
    }
    const hiss_note notes[] = {{"hiss_version", HISS_VERSION " (" HISS_COMMIT ")"},
                               {"checkpoint", j->checkpoint},
                               {"checkpoint_sha256", sum},
                               {"config", hiss_config_resolved(e->config)},
                               {"source", hiss_dataset_file(j->set)},
                               {"data", hiss_dataset_identity(j->set)}};
    const hiss_feature_output output = {o->output, notes, HISS_COUNT(notes)};
    const hiss_eval_env env = {.comm = comm, .kernels = &e->kernels, .seed = (uint64_t)e->seed};
    const hiss_sample_range all = {.set = j->set, .count = hiss_dataset_count(j->set)};
    hiss_info("features of %lld samples of %s by %s", (long long)all.count, hiss_dataset_file(j->set), j->checkpoint);
    s = hiss_features_write(&env, &all, layers, layer, HISS_FROZEN_BATCH, hiss_frozen_embed, j->network, &output, err);
    for (int k = 0; k < layers; k++) {
        const size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s %lld", k ? ", " : "", layer[k].name, (long long)layer[k].D);
    }
    if (s == HISS_OK && hiss_comm_rank(comm) == 0) {
        printf("%s: %lld samples, floats of each by layer: %s; %.1f s\n", o->output, (long long)all.count, list,
               hiss_seconds() - start);
    }
    return s;
}

static hiss_status features(hiss_comm *comm, const void *options_, const char *name, const hiss_arguments *rest,
                            hiss_error *err) {
    const options *o = options_;
    job *j = hiss_new(job, 1);
    hiss_experiment *e = &j->experiment;
    cli_enter_kernels(comm);
    cli_warn_alone(comm);
    hiss_alloc_for("features", "write layers of fewer dimensions, or fewer of them (--layer)");
    hiss_status s = o->data ? cli_expect_once(rows, HISS_COUNT(rows), rest, "data", "data.file", err) : HISS_OK;
    s = s == HISS_OK ? check_output(comm, o, err) : s;
    s = s == HISS_OK ? cli_open_named(comm, name, "the run", "name a run, or one of its checkpoints", rest->repeated,
                                      rest->nrepeated, o->checkpoint, e, &j->eval, j->checkpoint, err)
                     : s;
    if (s == HISS_OK) {
        const hiss_data_options data = data_of(e, o, comm);
        s = expect_other(o, data.file, j->checkpoint, err);
        s = s == HISS_OK ? hiss_dataset_open(&data, (uint64_t)e->seed, &j->set, err) : s;
        s = hiss_comm_agree(comm, s, err);
        s = s == HISS_OK ? hiss_frozen_create(e, j->set, &j->network, err) : s;
        s = s == HISS_OK ? load(comm, o, j, err) : s;
        s = s == HISS_OK ? write_features(comm, o, j, err) : s;
        hiss_config_blame(e->config, s, err);
        s = hiss_comm_agree(comm, s, err);
    }
    hiss_frozen_destroy(j->network);
    hiss_dataset_close(j->set);
    hiss_experiment_destroy(e);
    hiss_free(j);
    return s;
}

static void help(void) {
    printf(
        "usage: [mpirun -n RANKS] hiss features RUN|CHECKPOINT [--data FILE.h5] [--layer NAME,...] --output FILE\n\n"
        "Write the features of every sample, in the order of the file, by the network of a run as it is evaluated.\n"
        "HDF5: /LAYER float32 [n,D] for each layer, /labels, and what made them as attributes. npy: one array. csv: a\n"
        "line of names, then a line a sample. The bytes are the same on any number of ranks.\n\n");
    hiss_rows_help(stdout, NULL, rows, HISS_COUNT(rows));
}

int cmd_features(int argc, char **argv) {
    options o = {0};
    const int log = HISS_LOG_INFO;
    const cli_task task = {.rows = rows,
                           .nrows = HISS_COUNT(rows),
                           .options = &o,
                           .help = &o.help,
                           .log = &log,
                           .print_help = help,
                           .missing = "features needs a run directory or a checkpoint: hiss features runs/nat-fashion "
                                      "--output features.h5",
                           .run = features};
    return cli_run(&task, argc, argv);
}
