/* hiss export */
#include <stdlib.h>
#include <string.h>

#include "cli/export.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "hiss_build.h"

typedef export_options options;

static const hiss_row rows[] = {
    {"format", HISS_CHOICE, offsetof(options, format), NULL, 0, 0,
     "safetensors|npz|torch|onnx|tensorboard|mllog|word2vec", "what to write"},
    {"output", HISS_PATH, offsetof(options, output), NULL, 0, 0, NULL,
     "file to write, of torch and tensorboard the folder; what exists is replaced"},
    {"checkpoint", HISS_PATH, offsetof(options, checkpoint), NULL, 0, 0, NULL, "default: the newest of the run"},
    {"layers", HISS_STRING, offsetof(options, layers), NULL, 0, 0, NULL,
     "torch, onnx: named layers that are outputs, with commas (default: all)"},
    {"preprocess", HISS_BOOL, offsetof(options, preprocess), "false", 0, 0, NULL,
     "torch, onnx: images go in as they are stored, instead of cut and normalised"},
    {"fold", HISS_BOOL, offsetof(options, fold), "false", 0, 0, NULL,
     "onnx: BatchNorm goes into the weights of the layer before it, where it can"},
    {"set*", HISS_STRING, 0, NULL, 0, 0, NULL, "torch, onnx, word2vec: change a key of the run's config (repeatable)"},
    {"help", HISS_BOOL, offsetof(options, help), "false", 0, 0, NULL, "this text"},
};

static const char advice[] = "name a run, or one of its checkpoints: hiss export runs/nat-fashion";

/* An option that the format has no use for. */
static hiss_status check_options(const options *o, const hiss_arguments *rest, hiss_error *err) {
    const bool log = o->format == EXPORT_TENSORBOARD || o->format == EXPORT_MLLOG;
    const bool arrays = o->format == EXPORT_SAFETENSORS || o->format == EXPORT_NPZ || log;
    const bool words = o->format == EXPORT_WORD2VEC, network = !arrays && !words;
    const char *idle = network && o->fold && o->format != EXPORT_ONNX ? "fold"
                       : network                                      ? NULL
                       : o->layers                                    ? "layers"
                       : o->preprocess                                ? "preprocess"
                       : o->fold                                      ? "fold"
                       : rest->nrepeated > 0 && !words                ? "set"
                                                                      : NULL;
    if (log && o->checkpoint) {
        return hiss_fail(err, HISS_EUSER,
                         "--checkpoint has no effect with this --format, which writes what the run has "
                         "logged; leave it out");
    }
    if (!o->output) {
        return hiss_fail(err, HISS_EUSER, "--output is missing; name the file to write");
    }
    return idle ? hiss_fail(err, HISS_EUSER, "--%s has no effect with this --format; leave it out, or write %s", idle,
                            strcmp(idle, "fold") == 0 ? "onnx" : "torch or onnx")
                : HISS_OK;
}

/* The run and the checkpoint that are asked for. */
static hiss_status find_checkpoint(const options *o, const char *path, char run[CLI_PATH], char out[CLI_PATH],
                                   hiss_error *err) {
    bool given = false;
    hiss_status s = cli_find_run(path, "the run", advice, run, &given, err);
    if (s != HISS_OK) {
        return s;
    }
    if (given && o->checkpoint) {
        return hiss_fail(err, HISS_EUSER, "%s is a checkpoint, and --checkpoint names another; leave it out", path);
    }
    snprintf(out, CLI_PATH, "%s", given ? path : o->checkpoint ? o->checkpoint : "");
    if (!given && o->checkpoint) {
        s = hiss_file_expect_text(out, "the checkpoint", "those of a run are in RUN/ckpt", err);
        return hiss_error_prefix(err, s, "--checkpoint");
    }
    s = *out ? HISS_OK : hiss_checkpoint_newest(run, false, out, CLI_PATH, err);
    return s == HISS_OK && !*out ? hiss_fail(err, HISS_EUSER, "%s/ckpt holds no complete checkpoint; train first", run)
                                 : s;
}

hiss_status export_write_arrays(const hiss_weights *w, bool npz, const char *path, hiss_error *err) {
    char *bytes = NULL;
    size_t count = 0;
    FILE *stream = hiss_text_open(&bytes, &count);
    hiss_status s = HISS_OK;
    if (npz) {
        s = hiss_npz_write(w, stream, err);
    } else {
        hiss_safetensors_write(w, stream);
    }
    fclose(stream);
    s = s == HISS_OK ? hiss_file_write_verified(path, bytes, count, err) : s;
    free(bytes);
    return s;
}

static hiss_status write_arrays(const options *o, const char *checkpoint, const hiss_weights *w, hiss_error *err) {
    const hiss_status s = export_write_arrays(w, o->format == EXPORT_NPZ, o->output, err);
    int64_t values = 0;
    for (int k = 0; k < w->count; k++) {
        values += hiss_shape_count(&w->weight[k].shape);
    }
    if (s == HISS_OK) {
        printf("%s: %d arrays of %lld values, of %s\n", o->output, w->count, (long long)values, checkpoint);
    }
    return s;
}

/* On rank 0. */
static hiss_status write_log(const options *o, const char *path, hiss_error *err) {
    char run[CLI_PATH] = "";
    bool given = false;
    hiss_status s = cli_find_run(path, "the run", advice, run, &given, err);
    if (s == HISS_OK && given) {
        s = hiss_fail(err, HISS_EUSER,
                      "%s is a checkpoint, and this --format writes what a run has logged; name the run", path);
    }
    return s == HISS_OK ? export_write_log(o, run, err) : s;
}

/* On rank 0: all that the arrays alone need. */
static hiss_status read_arrays(const options *o, const char *path, char run[CLI_PATH], char checkpoint[CLI_PATH],
                               hiss_weights **w, hiss_error *err) {
    hiss_status s = o->format == EXPORT_TORCH ? HISS_OK : hiss_file_expect_writable(o->output, err);
    s = s == HISS_OK ? find_checkpoint(o, path, run, checkpoint, err) : s;
    return s == HISS_OK ? hiss_weights_read(checkpoint, "hiss " HISS_VERSION " (" HISS_COMMIT ")", w, err) : s;
}

static hiss_status export_run(hiss_comm *comm, const void *options_, const char *path, const hiss_arguments *rest,
                              hiss_error *err) {
    const options *o = options_;
    const bool first = hiss_comm_rank(comm) == 0;
    char run[CLI_PATH] = "", checkpoint[CLI_PATH] = "";
    hiss_weights *w = NULL;
    cli_enter_kernels(comm);
    cli_warn_alone(comm);
    hiss_alloc_for("the arrays", "start it on a node with more memory");
    hiss_status s = check_options(o, rest, err);
    if (s == HISS_OK && (o->format == EXPORT_TENSORBOARD || o->format == EXPORT_MLLOG)) {
        return hiss_comm_agree(comm, first ? write_log(o, path, err) : HISS_OK, err);
    }
    s = s == HISS_OK && first ? read_arrays(o, path, run, checkpoint, &w, err) : s;
    s = hiss_comm_agree(comm, s, err);
    hiss_comm_broadcast(comm, run, CLI_PATH, 0);
    hiss_comm_broadcast(comm, checkpoint, CLI_PATH, 0);
    if (s == HISS_OK && (o->format == EXPORT_TORCH || o->format == EXPORT_ONNX)) {
        s = export_write_network(comm, o, run, checkpoint, rest, w, err);
    } else if (s == HISS_OK && o->format == EXPORT_WORD2VEC) {
        s = export_write_words(comm, o, run, checkpoint, rest, w, err);
    } else if (s == HISS_OK) {
        s = hiss_comm_agree(comm, first ? write_arrays(o, checkpoint, w, err) : HISS_OK, err);
    }
    hiss_weights_destroy(w);
    return s;
}

static void help(void) {
    printf("usage: hiss export RUN|CHECKPOINT --format FORMAT --output PATH [OPTIONS]\n\n"
           "Write the network of a run, or what it has logged, for other programs. See docs/export.md.\n\n"
           "  safetensors  all parameters and running statistics by their names in the checkpoint, float32\n"
           "  npz          the same for numpy.load\n"
           "  torch        the encoder as a module of PyTorch: a folder of model.py and weights.safetensors\n"
           "  onnx         the encoder as a graph of ONNX, operator set 17\n"
           "  tensorboard  metrics.jsonl as an event file, in a folder that TensorBoard reads\n"
           "  mllog        metrics.jsonl as lines of MLPerf logging\n"
           "  word2vec     the vectors of words, as text that word2vec and gensim read\n\n");
    hiss_rows_help(stdout, NULL, rows, HISS_COUNT(rows));
}

int cmd_export(int argc, char **argv) {
    options o = {0};
    const int log = HISS_LOG_INFO;
    const cli_task task = {.rows = rows,
                           .nrows = HISS_COUNT(rows),
                           .options = &o,
                           .help = &o.help,
                           .log = &log,
                           .print_help = help,
                           .missing = "export needs a run or a checkpoint: hiss export runs/nat-fashion --format "
                                      "safetensors --output nat.safetensors",
                           .run = export_run};
    return cli_run(&task, argc, argv);
}
