/* hiss sample */
#include <string.h>

#include "cli/cli.h"
#include "hiss/log.h"

typedef struct options {
    const char *checkpoint, *output;
    int64_t rows, columns, class, seed;
    bool help;
} options;

static const hiss_row rows[] = {
    {"set*", HISS_STRING, 0, NULL, 0, 0, NULL, "change a key of the run's config (repeatable)"},
    {"rows", HISS_INT, offsetof(options, rows), "6", 1, 1000, NULL, "rows of images"},
    {"columns", HISS_INT, offsetof(options, columns), "12", 1, 1000, NULL, "images in a row"},
    {"class", HISS_INT, offsetof(options, class), "-1", -1, 9e15, NULL,
     "of all images, for methods that can be asked for one; -1: classes in turn, one a column"},
    {"seed", HISS_INT, offsetof(options, seed), "-1", -1, 9e15, NULL, "of what is drawn; -1: that of the run"},
    {"output", HISS_PATH, offsetof(options, output), NULL, 0, 0, NULL, "PNG to write (default: RUN/samples.png)"},
    {"checkpoint", HISS_PATH, offsetof(options, checkpoint), NULL, 0, 0, NULL, "default: the newest of the run"},
    {"help", HISS_BOOL, offsetof(options, help), "false", 0, 0, NULL, "this text"},
};

static hiss_status check_class(const options *o, const hiss_experiment *e, int64_t classes, hiss_error *err) {
    if (o->class >= 0 && classes == 0) {
        return hiss_fail(err, HISS_EUSER,
                         "--class: %s of this config cannot be asked for a class; leave the option out",
                         e->objective->name);
    }
    return o->class < (classes > 0 ? classes : 1)
               ? HISS_OK
               : hiss_fail(err, HISS_EUSER, "--class %lld: there are %lld classes; give a number of 0..%lld",
                           (long long)o->class, (long long)classes, (long long)classes - 1);
}

/* Rank 0. */
static hiss_status draw(const options *o, const hiss_experiment *e, const hiss_maker *by, const char *output,
                        hiss_error *err) {
    const uint64_t seed = (uint64_t)(o->seed >= 0 ? o->seed : e->seed);
    const hiss_status s = hiss_maker_draw(by, seed, o->rows, o->columns, o->class, output, err);
    if (s == HISS_OK) {
        char of[40] = "";
        if (by->classes > 0) {
            snprintf(of, sizeof of, o->class < 0 ? ", classes in turn" : ", of class %lld", (long long)o->class);
        }
        printf("%s: %lld images drawn by seed %lld%s\n", output, (long long)(o->rows * o->columns), (long long)seed,
               of);
    }
    return s;
}

static hiss_status make(hiss_comm *comm, const options *o, hiss_experiment *e, const hiss_dataset *set,
                        const char *checkpoint, const char *output, hiss_error *err) {
    hiss_frozen *m = NULL;
    maker *by = NULL;
    if (!e->objective->generation) {
        return hiss_fail_key(err, HISS_EUSER, "objective", "%s makes no images; sample the run of a method that does",
                             e->objective->name);
    }
    hiss_status s = hiss_frozen_create(e, set, &m, err);
    s = s == HISS_OK ? cli_load_checkpoint(comm, m, checkpoint, o->checkpoint != NULL, err) : s;
    s = s == HISS_OK ? cli_load_maker(comm, e->objective, m, checkpoint, o->checkpoint != NULL, &by, err) : s;
    s = s == HISS_OK ? check_class(o, e, maker_of(by)->classes, err) : s;
    if (s == HISS_OK && hiss_comm_rank(comm) == 0) {
        s = draw(o, e, maker_of(by), output, err);
    }
    maker_destroy(by);
    hiss_frozen_destroy(m);
    return s;
}

static hiss_status sample(hiss_comm *comm, const void *options_, const char *run, const hiss_arguments *rest,
                          hiss_error *err) {
    const options *o = options_;
    char checkpoint[CLI_PATH], output[CLI_PATH];
    hiss_experiment e = {0};
    hiss_eval_options eval = {0};
    hiss_dataset *set = NULL;
    cli_enter_kernels(comm);
    cli_warn_alone(comm);
    hiss_alloc_for("images", "draw fewer (--rows, --columns)");
    snprintf(output, sizeof output, "%s/samples.png", run);
    const char *const outputs[] = {o->output ? o->output : output};
    hiss_status s = cli_open_run(comm, run, rest->repeated, rest->nrepeated, o->checkpoint, &e, &eval, checkpoint, err);
    s = s == HISS_OK ? cli_expect_writable(comm, NULL, outputs, HISS_COUNT(outputs), err) : s;
    if (s == HISS_OK) {
        hiss_data_options data = e.data;
        data.label_use = HISS_LABELS_OPTIONAL;
        s = hiss_comm_agree(comm, hiss_dataset_open(&data, (uint64_t)e.seed, &set, err), err);
        s = s == HISS_OK ? make(comm, o, &e, set, checkpoint, outputs[0], err) : s;
        hiss_dataset_close(set);
        hiss_config_blame(e.config, s, err);
        s = hiss_comm_agree(comm, s, err);
    }
    hiss_experiment_destroy(&e);
    return s;
}

static void help(void) {
    printf("usage: hiss sample RUN [OPTIONS]\n\nDraw images that a run has learnt to make.\n"
           "Methods that make images:");
    for (const hiss_objective_ops *const *k = hiss_objectives(); *k; k++) {
        if ((*k)->generation) {
            printf(" %s", (*k)->name);
        }
    }
    printf("\n\n");
    hiss_rows_help(stdout, NULL, rows, HISS_COUNT(rows));
}

int cmd_sample(int argc, char **argv) {
    options o = {0};
    const int log = HISS_LOG_INFO;
    const cli_task task = {.rows = rows,
                           .nrows = HISS_COUNT(rows),
                           .options = &o,
                           .help = &o.help,
                           .log = &log,
                           .print_help = help,
                           .missing = "sample needs a run directory: hiss sample runs/vae-fashion",
                           .run = sample};
    return cli_run(&task, argc, argv);
}
