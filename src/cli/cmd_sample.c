/* hiss sample */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "cli/cli.h"
#include "hiss/alloc.h"
#include "hiss/log.h"

enum { UNKNOWN_RATE = 8000 }; /* of sound, where the data do not say */

typedef struct options {
    const char *checkpoint, *output;
    int64_t rows, columns, class, seed;
    double seconds;
    bool help;
} options;

static const hiss_row rows[] = {
    {"set*", HISS_STRING, 0, NULL, 0, 0, NULL, "change a key of the run's config (repeatable)"},
    {"rows", HISS_INT, offsetof(options, rows), "6", 1, 1000, NULL, "rows of images; sounds, one after another"},
    {"columns", HISS_INT, offsetof(options, columns), "12", 1, 1000, NULL, "images in a row"},
    {"seconds", HISS_FLOAT, offsetof(options, seconds), "2", 0.001, 3600, NULL, "of each sound"},
    {"class", HISS_INT, offsetof(options, class), "-1", -1, 9e15, NULL,
     "of all images or sounds, for methods that can be asked for one; -1: classes in turn"},
    {"seed", HISS_INT, offsetof(options, seed), "-1", -1, 9e15, NULL, "of what is drawn; -1: that of the run"},
    {"output", HISS_PATH, offsetof(options, output), NULL, 0, 0, NULL,
     "PNG or WAV file to write (default: RUN/samples.png, RUN/samples.wav)"},
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

/* Rank 0: the sounds one after another, in one file. */
static hiss_status draw_sounds(const options *o, const hiss_experiment *e, const hiss_frozen *m,
                               const hiss_measured *network, int64_t classes, const char *output, hiss_error *err) {
    const hiss_sound *sound = hiss_frozen_task(m)->sound;
    const uint64_t seed = (uint64_t)(o->seed >= 0 ? o->seed : e->seed);
    const int64_t rate = sound ? sound->rate : UNKNOWN_RATE, count = (int64_t)ceil(o->seconds * (double)rate);
    float *values = hiss_new(float, o->rows *count);
    int64_t *wanted = hiss_new(int64_t, o->rows);
    for (int64_t i = 0; i < o->rows && classes > 0; i++) {
        wanted[i] = o->class >= 0 ? o->class : i % classes;
    }
    hiss_status s = e->objective->sound->make(hiss_frozen_method(m), network->model, network->vector, seed, 0, o->rows,
                                              count, classes > 0 ? wanted : NULL, values, err);
    s = s == HISS_OK ? hiss_wav_write(output, rate, o->rows, count, values, err) : s;
    hiss_free(values);
    hiss_free(wanted);
    if (s == HISS_OK) {
        printf("%s: %lld sounds of %g s drawn by seed %lld, at %lld Hz\n", output, (long long)o->rows, o->seconds,
               (long long)seed, (long long)rate);
    }
    return s;
}

static hiss_status make_sounds(hiss_comm *comm, const options *o, const hiss_experiment *e, const hiss_frozen *m,
                               const char *checkpoint, const char *output, hiss_error *err) {
    const hiss_sound_ops *ops = e->objective->sound;
    measurer *by = NULL;
    const int64_t classes = ops->classes ? ops->classes(hiss_frozen_method(m)) : 0;
    hiss_status s = check_class(o, e, classes, err);
    s = s == HISS_OK ? cli_load_measurer(comm, e->objective, m, checkpoint, o->checkpoint != NULL, &by, err) : s;
    s = s == HISS_OK && hiss_comm_rank(comm) == 0
            ? draw_sounds(o, e, m, &measurer_of(by)->network, classes, output, err)
            : s;
    measurer_destroy(by);
    return s;
}

static hiss_status make_images(hiss_comm *comm, const options *o, const hiss_experiment *e, const hiss_frozen *m,
                               const char *checkpoint, const char *output, hiss_error *err) {
    maker *by = NULL;
    hiss_status s = cli_load_maker(comm, e->objective, m, checkpoint, o->checkpoint != NULL, &by, err);
    s = s == HISS_OK ? check_class(o, e, maker_of(by)->classes, err) : s;
    s = s == HISS_OK && hiss_comm_rank(comm) == 0 ? draw(o, e, maker_of(by), output, err) : s;
    maker_destroy(by);
    return s;
}

/* A file is named as what is in it. */
static hiss_status check_name(const hiss_objective_ops *objective, const char *output, hiss_error *err) {
    const char *const right = objective->sound ? ".wav" : ".png";
    const size_t length = output ? strlen(output) : 0;
    return !output || (length > 4 && strcasecmp(output + length - 4, right) == 0)
               ? HISS_OK
               : hiss_fail(err, HISS_EUSER, "--output %s: %s makes %s; expected a name that ends with %s", output,
                           objective->name, objective->sound ? "sound" : "images", right);
}

/* What is asked for is of what the method makes. */
static hiss_status check_options(const hiss_objective_ops *objective, const hiss_arguments *rest, hiss_error *err) {
    if (!objective->generation && !objective->sound) {
        return hiss_fail_key(err, HISS_EUSER, "objective",
                             "%s makes no images and no sound; sample the run of a method that does", objective->name);
    }
    return hiss_options_expect(rows, HISS_COUNT(rows), rest,
                               objective->sound ? "set rows seconds class seed output checkpoint"
                                                : "set rows columns class seed output checkpoint",
                               objective->sound ? "on sound" : "on images", err);
}

static hiss_status make(hiss_comm *comm, const options *o, hiss_experiment *e, const hiss_dataset *set,
                        const char *checkpoint, const char *output, hiss_error *err) {
    hiss_frozen *m = NULL;
    hiss_status s = hiss_frozen_create(e, set, &m, err);
    s = s == HISS_OK ? cli_load_checkpoint(comm, m, checkpoint, o->checkpoint != NULL, err) : s;
    if (s == HISS_OK) {
        s = e->objective->sound ? make_sounds(comm, o, e, m, checkpoint, output, err)
                                : make_images(comm, o, e, m, checkpoint, output, err);
    }
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
    hiss_alloc_for("images or sounds", "draw fewer (--rows, --columns, --seconds)");
    hiss_status s = cli_open_run(comm, run, rest->repeated, rest->nrepeated, o->checkpoint, &e, &eval, checkpoint, err);
    s = s == HISS_OK ? check_options(e.objective, rest, err) : s;
    s = s == HISS_OK ? check_name(e.objective, o->output, err) : s;
    snprintf(output, sizeof output, "%s/samples.%s", run, s == HISS_OK && e.objective->sound ? "wav" : "png");
    const char *const outputs[] = {o->output ? o->output : output};
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
    printf("usage: hiss sample RUN [OPTIONS]\n\nDraw images or sounds that a run has learnt to make.\n"
           "Methods that make images:");
    for (const hiss_objective_ops *const *k = hiss_objectives(); *k; k++) {
        if ((*k)->generation) {
            printf(" %s", (*k)->name);
        }
    }
    printf("\nMethods that make sound:");
    for (const hiss_objective_ops *const *k = hiss_objectives(); *k; k++) {
        if ((*k)->sound) {
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
