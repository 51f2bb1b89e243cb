/* What an HDF5 file is: a checkpoint, features, a data set by hiss prepare, or another one. Readers are those of training
 * and evaluation, so that what they refuse is refused here in the same words. */
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/inspect.h"
#include "cli/runs.h"
#include "hiss/file.h"
#include "hiss/run_directory.h"
#include "hiss/snapshot.h"

static const char known[] =
    "hiss inspect knows run directories, checkpoints, and HDF5 files such as data sets and features";

typedef struct inspected {
    const char *path;
    const inspect_options *options;
    facts *facts;
    hiss_h5 *file;
    int64_t bytes, arrays;
    char modified[32]; /* UTC */
} inspected;

static void look_at(inspected *i) {
    struct stat what = {0};
    struct tm when;
    stat(i->path, &what);
    i->bytes = (int64_t)what.st_size;
    strftime(i->modified, sizeof i->modified, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&what.st_mtime, &when));
}

/* The text of an attribute of /; NULL: there is none. hiss_free it. */
static char *text_of(const inspected *i, const char *name) {
    char *text = NULL;
    hiss_error none;
    return hiss_h5_get_text(i->file, "/", name, &text, &none) == HISS_OK ? text : NULL;
}

static void say_text(const inspected *i, const char *key, const char *attribute) {
    char *text = text_of(i, attribute);
    facts_text(i->facts, key, text);
    hiss_free(text);
}

static void say_integer(const inspected *i, const char *key) {
    int64_t value;
    hiss_error none;
    if (hiss_h5_get_i64(i->file, "/", key, &value, &none) == HISS_OK) {
        facts_integer(i->facts, key, value);
    }
}

static void say_names(const inspected *i, const char *key) {
    char *lines = text_of(i, key);
    facts_names(i->facts, key, lines);
    hiss_free(lines);
}

static void say_config(const inspected *i) {
    char *text = text_of(i, "config");
    facts_config(i->facts, i->path, text, i->options->config);
    hiss_free(text);
}

static void say_kind(const inspected *i, const char *kind) {
    facts_text(i->facts, "kind", kind);
    facts_integer(i->facts, "bytes", i->bytes);
    facts_text(i->facts, "modified", i->modified);
}

static hiss_status say_array(void *user, const char *name, const hiss_h5_info *info, hiss_error *err) {
    inspected *i = user;
    if (strncmp(name, "/sha256/", strlen("/sha256/")) != 0) { /* the checksums of a checkpoint */
        facts_array(i->facts, name, info, err->text);
        i->arrays++;
    }
    return HISS_OK;
}

static hiss_status say_arrays(inspected *i, hiss_error *err) {
    facts_begin(i->facts, "data_sets");
    const hiss_status s = hiss_h5_list(i->file, say_array, i, err);
    facts_end(i->facts);
    return s;
}

/* ---- checkpoints ---- */

static int64_t integer_at(const hiss_yaml *root, const char *section, const char *key) {
    long long value = 0;
    sscanf(hiss_yaml_text(hiss_yaml_get(root, section), key), "%lld", &value);
    return value;
}

/* Which epoch it is of how many, from the config that it holds. */
static void say_place(const inspected *i, int64_t step) {
    hiss_arena *arena = hiss_arena_create();
    char *config = text_of(i, "config"), *samples = text_of(i, "samples");
    hiss_yaml *root = NULL;
    hiss_error none;
    long long n = 0;
    int64_t each = 0;
    facts_integer(i->facts, "step", step);
    if (config && samples && sscanf(samples, "%lld", &n) == 1 && n > 0 &&
        hiss_yaml_parse(arena, i->path, config, &root, &none) == HISS_OK) {
        const int64_t lanes = integer_at(root, "train", "lanes"), m = integer_at(root, "train", "lane_samples");
        facts_text(i->facts, "objective", hiss_yaml_text(root, "objective"));
        facts_integer(i->facts, "samples", n);
        if (lanes > 0 && m > 0 && hiss_epoch_steps(i->path, n, lanes, m, &each, &none) == HISS_OK && each > 0) {
            facts_integer(i->facts, "steps_per_epoch", each);
            facts_integer(i->facts, "epoch", step / each);
            facts_integer(i->facts, "epochs", integer_at(root, "train", "epochs"));
        }
    }
    hiss_free(config);
    hiss_free(samples);
    hiss_arena_destroy(arena);
}

static hiss_status count_parameters(void *user, const char *name, const hiss_h5_info *info, hiss_error *err) {
    (void)err;
    int64_t floats = strncmp(name, "/model/", strlen("/model/")) == 0;
    for (int k = 0; k < info->ndim; k++) {
        floats *= info->dim[k];
    }
    *(int64_t *)user += floats;
    return HISS_OK;
}

static hiss_status inspect_checkpoint(inspected *i, hiss_error *err) {
    char sum[HISS_HASH_TEXT];
    int64_t step = 0, floats = 0;
    hiss_status s = hiss_snapshot_verify(i->path, err);
    s = s == HISS_OK ? hiss_snapshot_sum(i->path, sum, err) : s;
    s = s == HISS_OK ? hiss_snapshot_expect(i->file, i->path, "/step", HISS_I64, 1, err) : s;
    s = s == HISS_OK ? hiss_snapshot_read(i->file, i->path, "/step", HISS_I64, 0, 1, &step, err) : s;
    s = s == HISS_OK ? hiss_h5_each(i->file, count_parameters, &floats, err) : s;
    if (s != HISS_OK) {
        return s;
    }
    say_kind(i, "checkpoint");
    facts_text(i->facts, "sha256", sum);
    facts_flag(i->facts, "verified", true);
    say_place(i, step);
    facts_integer(i->facts, "model_floats", floats);
    say_text(i, "data", "data");
    say_text(i, "kernels", "kernels");
    say_text(i, "core", "core");
    say_text(i, "choices_sha256", "choices");
    say_text(i, "scaling", "scaling");
    say_text(i, "init", "init");
    say_text(i, "mixed", "mixed");
    say_names(i, "classes");
    say_names(i, "targets");
    say_config(i);
    return say_arrays(i, err);
}

/* ---- data ---- */

/* The values of a data set of features are those that were written. */
static hiss_status verify_layer(void *user, const char *name, const hiss_h5_info *info, hiss_error *err) {
    const inspected *i = user;
    char *expected = NULL, found[HISS_HASH_TEXT];
    hiss_error none;
    if (info->dtype != HISS_F32 || info->ndim != 2 ||
        hiss_h5_get_text(i->file, name, "sha256", &expected, &none) != HISS_OK) {
        return HISS_OK;
    }
    hiss_status s = hiss_feature_layer_sum(i->file, name, info->dim[0], info->dim[1], found, err);
    if (s == HISS_OK && strcmp(expected, found) != 0) {
        s = hiss_fail(err, HISS_EUSER, "%s: damaged: data set %s does not match its checksum; write it again", i->path,
                      name);
    }
    hiss_free(expected);
    return s;
}

static hiss_status inspect_features(inspected *i, hiss_error *err) {
    hiss_status s = i->options->verify ? hiss_h5_each(i->file, verify_layer, i, err) : HISS_OK;
    if (s != HISS_OK) {
        return s;
    }
    say_kind(i, "features");
    facts_flag(i->facts, "verified", i->options->verify);
    say_text(i, "hiss_version", "hiss_version");
    say_text(i, "checkpoint", "checkpoint");
    say_text(i, "checkpoint_sha256", "checkpoint_sha256");
    say_text(i, "source", "source");
    say_text(i, "data", "data");
    say_names(i, "classes");
    say_config(i);
    return say_arrays(i, err);
}

/* The identity of its images, as training knows it; verify: their checksum is right. */
static hiss_status say_identity(const inspected *i, hiss_error *err) {
    const hiss_data_options data = {.file = i->path,
                                    .images = "/images",
                                    .labels = "/labels",
                                    .label_use = HISS_LABELS_OPTIONAL,
                                    .verify = i->options->verify};
    hiss_dataset *set = NULL;
    const hiss_status s = hiss_dataset_open(&data, 0, &set, err);
    if (s == HISS_OK) {
        facts_integer(i->facts, "samples", hiss_dataset_count(set));
        facts_text(i->facts, "data", hiss_dataset_identity(set));
    }
    hiss_dataset_close(set);
    return s;
}

static hiss_status inspect_data(inspected *i, const char *format, hiss_error *err) {
    const bool images = format && strcmp(format, HISS_IMAGES_FORMAT) == 0;
    say_kind(i, format ? "data set" : "HDF5");
    facts_text(i->facts, "hiss_format", format);
    say_text(i, "source", "source");
    if (format) {
        say_integer(i, "shuffled");
        say_integer(i, "seed");
        say_text(i, "sha256", "sha256");
        say_names(i, "classes");
    }
    hiss_status s = HISS_OK;
    if (images) {
        facts_flag(i->facts, "verified", i->options->verify);
        s = say_identity(i, err);
    }
    return s == HISS_OK ? say_arrays(i, err) : s;
}

static hiss_status inspect_hdf5(inspected *i, hiss_error *err) {
    char *format = text_of(i, "hiss_format"), *config = text_of(i, "config"), *sum = text_of(i, "checkpoint_sha256");
    const bool ours = format && strncmp(format, "hiss ", 5) == 0;
    hiss_status s = ours && sum                                        ? inspect_features(i, err)
                    : !ours && config && hiss_h5_has(i->file, "/step") ? inspect_checkpoint(i, err)
                                                                       : inspect_data(i, ours ? format : NULL, err);
    hiss_free(format);
    hiss_free(config);
    hiss_free(sum);
    return s;
}

static hiss_status inspect_file(inspected *i, hiss_error *err) {
    hiss_status s = hiss_h5_open(i->path, &i->file, err);
    if (s == HISS_EUSER) {
        const hiss_error why = *err;
        return hiss_fail(err, s, "%s; %s", why.text, known);
    }
    s = s == HISS_OK ? inspect_hdf5(i, err) : s;
    hiss_h5_close(i->file, NULL);
    return s;
}

hiss_status inspect_path(const char *path, const inspect_options *o, FILE *out, hiss_error *err) {
    struct stat what = {0};
    facts f = {.out = out, .json = o->json};
    inspected i = {.path = path, .options = o, .facts = &f};
    hiss_status s = hiss_file_expect(path, "the file", "give a run directory, a checkpoint, or an HDF5 file", err);
    if (s != HISS_OK) {
        return s;
    }
    look_at(&i);
    facts_begin(&f, NULL);
    if (o->json) {
        facts_text(&f, "file", path);
    } else {
        fprintf(out, "%s\n", path);
    }
    if (stat(path, &what) == 0 && S_ISDIR(what.st_mode)) {
        s = runs_is(path) ? inspect_run(path, o, &f, err)
                          : hiss_fail(err, HISS_EUSER, "%s: is a folder, but no run; %s", path, known);
    } else {
        s = inspect_file(&i, err);
    }
    facts_end(&f);
    fputs(o->json ? "\n" : "", out);
    return s;
}
