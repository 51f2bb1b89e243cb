/* hiss export */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "hiss/weights.h"
#include "hiss_build.h"

enum { SAFETENSORS, NPZ };

typedef struct options {
    int format;
    const char *output, *checkpoint;
    bool help;
} options;

static const hiss_row rows[] = {
    {"format", HISS_CHOICE, offsetof(options, format), NULL, 0, 0, "safetensors|npz", "what to write"},
    {"output", HISS_PATH, offsetof(options, output), NULL, 0, 0, NULL, "file to write; one that exists is replaced"},
    {"checkpoint", HISS_PATH, offsetof(options, checkpoint), NULL, 0, 0, NULL, "default: the newest of the run"},
    {"help", HISS_BOOL, offsetof(options, help), "false", 0, 0, NULL, "this text"},
};

static const char advice[] = "name a run, or one of its checkpoints: hiss export runs/nat-fashion";

/* The checkpoint that is asked for. */
static hiss_status find_checkpoint(const options *o, const char *path, char out[CLI_PATH], hiss_error *err) {
    char run[CLI_PATH];
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

/* A file of arrays alone. */
static hiss_status write_arrays(const hiss_weights *w, int format, const char *path, hiss_error *err) {
    char *bytes = NULL;
    size_t count = 0;
    FILE *stream = hiss_text_open(&bytes, &count);
    hiss_status s = HISS_OK;
    if (format == NPZ) {
        s = hiss_npz_write(w, stream, err);
    } else {
        hiss_safetensors_write(w, stream);
    }
    fclose(stream);
    s = s == HISS_OK ? hiss_file_write_verified(path, bytes, count, err) : s;
    free(bytes);
    return s;
}

static hiss_status write_all(const options *o, const char *path, hiss_error *err) {
    char checkpoint[CLI_PATH];
    hiss_weights *w = NULL;
    hiss_status s = hiss_file_expect_writable(o->output, err);
    s = s == HISS_OK ? find_checkpoint(o, path, checkpoint, err) : s;
    s = s == HISS_OK ? hiss_weights_read(checkpoint, "hiss " HISS_VERSION " (" HISS_COMMIT ")", &w, err) : s;
    s = s == HISS_OK ? write_arrays(w, o->format, o->output, err) : s;
    if (s == HISS_OK) {
        int64_t values = 0;
        for (int k = 0; k < w->count; k++) {
            values += hiss_shape_count(&w->weight[k].shape);
        }
        printf("%s: %d arrays of %lld values, of %s\n", o->output, w->count, (long long)values, checkpoint);
    }
    hiss_weights_destroy(w);
    return s;
}

static hiss_status export_run(hiss_comm *comm, const void *options_, const char *path, const hiss_arguments *rest,
                              hiss_error *err) {
    const options *o = options_;
    (void)rest;
    cli_warn_alone(comm);
    hiss_alloc_for("the arrays", "start it on a node with more memory");
    hiss_status s = HISS_OK;
    if (!o->output) {
        s = hiss_fail(err, HISS_EUSER, "--output is missing; name the file to write");
    } else if (hiss_comm_rank(comm) == 0) {
        s = write_all(o, path, err);
    }
    return hiss_comm_agree(comm, s, err);
}

static void help(void) {
    printf("usage: hiss export RUN|CHECKPOINT --format FORMAT --output FILE [OPTIONS]\n\n"
           "Write the network of a run for other programs. See docs/export.md.\n\n"
           "  safetensors  all parameters and running statistics by their names in the checkpoint, float32\n"
           "  npz          the same for numpy.load\n\n");
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
