#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"
#include "hiss/generate.h"
#include "hiss/log.h"

enum { HELDOUT_SHARE = 6, HELDOUT_MOST = 10000 };

#define ROW(key_, type_, field_, ...)                                                                                  \
    { key_, type_, offsetof(hiss_eval_options, field_), __VA_ARGS__ }
const hiss_row hiss_eval_rows[] = {
    ROW("train", HISS_PATHS, train, NULL, 0, 0, NULL,
        "HDF5 file, or files as in data.file, that probes are trained on; absent: data.file"),
    ROW("test", HISS_PATHS, test, NULL, 0, 0, NULL,
        "HDF5 file, or files, they are tested on; absent: samples of section eval.generate, if there is one "
        "(docs/generators.md), or a sixth of each class of the training samples, at most 10000, held out"),
    ROW("train_images", HISS_STRING, train_images, NULL, 1, 0, NULL,
        "data set of pixels the probes are trained on; absent: data.images"),
    ROW("train_labels", HISS_STRING, train_labels, NULL, 0, 0, NULL, "data set of their labels; absent: data.labels"),
    ROW("test_images", HISS_STRING, test_images, NULL, 1, 0, NULL,
        "data set of pixels they are tested on, in test or, when that is absent, in the training file; absent: "
        "data.images"),
    ROW("test_labels", HISS_STRING, test_labels, NULL, 0, 0, NULL, "data set of their labels; absent: data.labels"),
    ROW("layers", HISS_STRING, layers, NULL, 1, 0, NULL,
        "layers to judge, e.g. conv2,fc1; absent: all that have features"),
    ROW("pixels", HISS_BOOL, pixels, "true", 0, 0, NULL, "judge raw pixels too"),
    ROW("random", HISS_BOOL, random, "true", 0, 0, NULL, "judge the untrained network too"),
    ROW("crops", HISS_CHOICE, crops, "center", 0, 0, "center|ten",
        "ten: features are means over the centre, four corners, and these mirrored; takes ten times as long"),
    ROW("permuted", HISS_BOOL, permuted, "false", 0, 0, NULL,
        "a control: probes learn the labels and targets of other training samples, and so end at chance"),
    ROW("train_limit", HISS_INT, train_limit, "0", 0, 0x1p31, NULL,
        "fit on so many samples, drawn from each class; 0: all"),
    ROW("test_limit", HISS_INT, test_limit, "0", 0, 0x1p31, NULL,
        "judge on so many samples, drawn from each class; 0: all"),
};
#undef ROW
const int hiss_eval_nrows = HISS_COUNT(hiss_eval_rows);

/* Labels of a range; NULL where there are none. */
static int32_t *labels_of(const hiss_sample_range *range) {
    if (!hiss_dataset_labelled(range->set)) {
        return NULL;
    }
    int32_t *label = hiss_new(int32_t, range->count);
    hiss_error none;
    const hiss_status status = hiss_sample_read(range, 0, range->count, NULL, label, &none);
    assert(status == HISS_OK && "labels are in memory");
    (void)status;
    return label;
}

/* The samples of a range that are marked, or those that are not. */
static hiss_sample_range part(const hiss_sample_range *range, const bool *marked, bool which) {
    hiss_sample_range result = {.set = range->set, .index = hiss_new(int64_t, range->count)};
    for (int64_t i = 0; i < range->count; i++) {
        if (marked[i] == which) {
            result.index[result.count++] = hiss_sample_at(range, i);
        }
    }
    return result;
}

/* Mark `wanted` of a range. */
static bool *draw(const hiss_sample_range *range, uint64_t seed, int64_t when, int64_t wanted, bool keep_both) {
    int32_t *label = labels_of(range);
    bool *marked = hiss_new(bool, range->count);
    eval_draw_by_class(seed, when, range->count, label, hiss_dataset_classes(range->set), wanted, keep_both, marked);
    hiss_free(label);
    return marked;
}

/* Adds a sentence. */
static void say(char samples[HISS_EVAL_SAMPLES], const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(char samples[HISS_EVAL_SAMPLES], const char *format, ...) {
    const size_t used = strlen(samples);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(samples + used, HISS_EVAL_SAMPLES - used, format, arguments);
    va_end(arguments);
}

static const char *drawn_from(const hiss_sample_range *range) {
    return hiss_dataset_labelled(range->set) ? "of each class" : "of all samples";
}

static void cut(hiss_sample_range *range, const char *key, int64_t limit, uint64_t seed, int64_t when,
                char samples[HISS_EVAL_SAMPLES]) {
    if (limit <= 0 || limit >= range->count) {
        return;
    }
    bool *marked = draw(range, seed, when, limit, false);
    const hiss_sample_range kept = part(range, marked, true);
    say(samples, "%s: a share %s, drawn by seed %llu\n", key, drawn_from(range), (unsigned long long)seed);
    hiss_free(range->index);
    *range = kept;
    hiss_free(marked);
}

static hiss_status hold_out(hiss_sample_range *train, hiss_sample_range *test, const hiss_data_options *from,
                            uint64_t seed, char samples[HISS_EVAL_SAMPLES], hiss_error *err) {
    const int64_t share = train->count / HELDOUT_SHARE, wanted = share > HELDOUT_MOST ? HELDOUT_MOST : share;
    bool *marked = draw(train, seed, DRAW_FOR_TEST, wanted, wanted > 0);
    const hiss_sample_range all = *train;
    *train = part(&all, marked, false);
    *test = part(&all, marked, true);
    hiss_free(marked);
    if (test->count < 1 || train->count < 1) {
        const char *key = hiss_dataset_generated(all.set) ? "generate.rows"
                          : from->keys.file               ? from->keys.file
                                                          : "data.file";
        if (wanted > 0) {
            hiss_fail_key(err, HISS_EUSER, key,
                          "%s: each of %lld classes has one sample, which stays in training, so that none can be held "
                          "out; name a file in eval.test, or do without labels: --set 'data.labels=\"\"'",
                          hiss_dataset_file(all.set), (long long)all.count);
        } else {
            hiss_fail_key(err, HISS_EUSER, key,
                          "%s: %lld samples are too few to hold some out; name a file in eval.test",
                          hiss_dataset_file(all.set), (long long)all.count);
        }
        return hiss_config_blame(from->keys.config, HISS_EUSER, err);
    }
    say(samples, "no eval.test: %lld of %lld samples held out for it, a share %s, drawn by seed %llu\n",
        (long long)test->count, (long long)all.count, drawn_from(&all), (unsigned long long)seed);
    return HISS_OK;
}

/* Samples without a label are not judged. */
static hiss_status leave_out_unlabelled(hiss_sample_range *range, const char *what, const hiss_data_options *from,
                                        char samples[HISS_EVAL_SAMPLES], hiss_error *err) {
    int32_t *label = labels_of(range);
    if (!label || from->label_use == HISS_LABELS_OPTIONAL) {
        hiss_free(label);
        return HISS_OK;
    }
    bool *labelled = hiss_new(bool, range->count);
    const int64_t all = range->count;
    int64_t without = 0;
    for (int64_t i = 0; i < all; i++) {
        labelled[i] = label[i] >= 0;
        without += label[i] < 0;
    }
    if (without > 0) {
        *range = part(range, labelled, true);
        say(samples, "%lld of %lld %s samples have no label and are left out\n", (long long)without, (long long)all,
            what);
        hiss_info("eval: %lld of %lld %s samples have no label and are left out", (long long)without, (long long)all,
                  what);
    }
    hiss_free(labelled);
    hiss_free(label);
    return range->count > 0 ? HISS_OK
                            : hiss_fail(err, HISS_EUSER, "%s: none of the %lld %s samples has a label; name others",
                                        hiss_dataset_file(range->set), (long long)all, what);
}

/* Names of the classes, as many as there is room for. */
static void say_classes(const hiss_dataset *set, char samples[HISS_EVAL_SAMPLES]) {
    enum { MOST_NAMES = 20, LINE = 300 };
    if (!hiss_dataset_classes_named(set)) {
        return;
    }
    const int64_t count = hiss_dataset_classes(set);
    size_t used = 0;
    int64_t c = 0;
    say(samples, "classes: ");
    while (c < count && c < MOST_NAMES && used + strlen(hiss_dataset_class(set, c)) < LINE) {
        used += strlen(hiss_dataset_class(set, c)) + 2;
        say(samples, "%s%s", c ? ", " : "", hiss_dataset_class(set, c));
        c++;
    }
    if (c < count) {
        say(samples, "%s%lld more", c ? ", and " : "", (long long)(count - c));
    }
    say(samples, "\n");
}

/* Say which classes of the test samples training has none of; all is a mistake. */
static hiss_status expect_seen(const hiss_eval_options *o, const hiss_sample_range *train,
                               const hiss_sample_range *test, char samples[HISS_EVAL_SAMPLES], hiss_error *err) {
    if (!hiss_dataset_labelled(train->set) || !hiss_dataset_labelled(test->set)) {
        return HISS_OK;
    }
    const int64_t classes = hiss_dataset_classes(train->set);
    int32_t *seen = labels_of(train), *asked = labels_of(test), first = -1;
    bool *known = hiss_new(bool, classes);
    int64_t unseen = 0;
    for (int64_t i = 0; i < train->count; i++) {
        if (seen[i] >= 0) {
            known[seen[i]] = true;
        }
    }
    for (int64_t i = 0; i < test->count; i++) {
        if (asked[i] >= 0 && (asked[i] >= classes || !known[asked[i]])) {
            first = unseen == 0 || asked[i] < first ? asked[i] : first;
            unseen++;
        }
    }
    int64_t theirs = 0;
    while (theirs + 1 < classes && !known[theirs]) {
        theirs++;
    }
    hiss_status status = HISS_OK;
    if (unseen == test->count && unseen > 0 && (o->train_limit > 0 || o->test_limit > 0)) {
        status = hiss_fail_key(err, HISS_EUSER, o->train_limit > 0 ? "eval.train_limit" : "eval.test_limit",
                               "the limits leave %lld training samples and %lld test samples without a class in "
                               "common (training has %s, test %s); raise eval.train_limit and eval.test_limit",
                               (long long)train->count, (long long)test->count, hiss_dataset_class(train->set, theirs),
                               hiss_dataset_class(test->set, first));
    } else if (unseen == test->count && unseen > 0) {
        status = hiss_fail_key(err, HISS_EUSER, "eval.test_labels",
                               "no test sample is of a class that training samples have (%s is one, %s one of theirs); "
                               "write the labels of both alike, or do without: --set 'data.labels=\"\"'",
                               hiss_dataset_class(test->set, first), hiss_dataset_class(train->set, theirs));
    } else if (unseen > 0) {
        hiss_warn("%lld of %lld test samples are of classes that no training sample has (class %s is one) and count as "
                  "wrong",
                  (long long)unseen, (long long)test->count, hiss_dataset_class(test->set, first));
        say(samples, "%lld test samples are of classes that no training sample has\n", (long long)unseen);
    }
    hiss_free(seen);
    hiss_free(asked);
    hiss_free(known);
    return status;
}

/* Whether the fields of two data sets agree in all but where they are. */
static bool alike(const hiss_field *a, const hiss_field *b) {
    return a->dtype == b->dtype && a->ndim == b->ndim && memcmp(a->dim, b->dim, sizeof a->dim) == 0;
}

/* from: the test samples'. */
static hiss_status check_alike(const hiss_sample_range *train, const hiss_sample_range *test,
                               const hiss_data_options *from, const char *key, hiss_error *err) {
    const hiss_field *a, *b;
    const int count = hiss_dataset_fields(train->set, &a), there = hiss_dataset_fields(test->set, &b);
    char where[HISS_WHERE], found[HISS_FIELD_TEXT], expected[HISS_FIELD_TEXT];
    for (int k = 0; k < count; k++) {
        if (k >= there) {
            return hiss_fail(err, HISS_EUSER,
                             "%s: %s has no field %s, which %s has; test on samples of section "
                             "eval.generate",
                             hiss_config_where(from->keys.config, key, where), hiss_dataset_file(test->set), a[k].name,
                             hiss_dataset_file(train->set));
        }
        const bool image = strcmp(a[k].name, HISS_FIELD_IMAGE) == 0;
        if (!alike(&a[k], &b[k])) {
            return hiss_fail(err, HISS_EUSER, "%s: %s%s of %s are %s, expected %s as in %s; %s",
                             hiss_config_where(from->keys.config, key, where), image ? "images" : "values of field ",
                             image ? "" : a[k].name, hiss_dataset_file(test->set), hiss_field_text(&b[k], found),
                             hiss_field_text(&a[k], expected), hiss_dataset_file(train->set),
                             hiss_dataset_generated(test->set) ? "make both alike, by generate and eval.generate"
                                                               : "prepare both alike");
        }
    }
    hiss_status s = hiss_dataset_expect_vocabulary(test->set, train->set, err);
    s = s == HISS_OK ? hiss_dataset_expect_sound(test->set, train->set, err) : s;
    return hiss_error_prefix(err, s, hiss_config_where(from->keys.config, key, where));
}

static bool same_name(const char *a, const char *b) {
    return strcmp(a + (*a == '/'), b + (*b == '/')) == 0;
}

/* Samples of other data than section data names. NULL: as in base. */
static hiss_data_options other_data(const hiss_data_options *base, const char *file, const char *images,
                                    const char *labels) {
    hiss_data_options from = *base;
    from.file = file ? file : base->file;
    from.images = images ? images : base->images;
    from.labels = labels ? labels : base->labels;
    from.limit = file || images ? 0 : base->limit;
    from.generate = file || images ? NULL : base->generate;
    return from;
}

/* Those of section eval.generate. */
static hiss_data_options generated_data(const hiss_data_options *base) {
    const hiss_generate_options *train = base->generated, *test = base->generated_test;
    hiss_data_options from = *base;
    from.generated = test;
    from.limit = 0;
    from.keys.generate = "eval.generate";
    if (train->seed == test->seed && train->part == test->part) {
        hiss_warn("eval.generate has seed and part of section generate: the figures will be those of training samples");
    }
    return from;
}

static bool tests_generated(const hiss_eval_options *options, const hiss_data_options *data) {
    return data->generated_test && !options->test && !options->test_images;
}

static bool shares(const char *key, const hiss_data_options *test, const hiss_data_options *train,
                   char out[HISS_EVAL_SHARED]) {
    char *of_test, *of_train;
    if (!test->file || !train->file || !same_name(test->images, train->images) ||
        !hiss_data_common(test->file, train->file, &of_test, &of_train)) {
        return false;
    }
    const bool once = strcmp(of_test, of_train) == 0;
    snprintf(out, HISS_EVAL_SHARED,
             once ? "%s is the training file %s%.0s: the figures will be those of the training samples"
                  : "%s: %s is also a training file, as %s: the figures will be those of samples that were trained on",
             key, of_test, of_train);
    hiss_free(of_test);
    hiss_free(of_train);
    return true;
}

bool hiss_eval_shares(const hiss_eval_options *options, const hiss_data_options *data, char out[HISS_EVAL_SHARED]) {
    if (!options->test && !options->test_images) {
        return false;
    }
    const hiss_data_options judged = other_data(data, options->train, options->train_images, NULL);
    const hiss_data_options test = other_data(options->test ? data : &judged, options->test,
                                              options->test_images ? options->test_images : data->images, NULL);
    const char *key = options->test ? "eval.test" : "eval.test_images";
    return shares(key, &test, data, out) || shares(key, &test, &judged, out);
}

/* train: where the training samples are from. */
static hiss_status open_test(const hiss_eval_options *options, const hiss_data_options *data,
                             const hiss_data_options *train, uint64_t seed, const hiss_sample_range *train_range,
                             hiss_sample_range *test, char samples[HISS_EVAL_SAMPLES], hiss_error *err) {
    const bool generated = tests_generated(options, data);
    hiss_data_options from =
        generated ? generated_data(data) : other_data(data, options->test, options->test_images, options->test_labels);
    const char *key = generated ? "eval.generate" : options->test ? "eval.test" : "eval.test_images";
    if (options->test) {
        from.keys.file = "eval.test";
    } else if (!generated) {
        from.file = train->file;
        from.keys.file = train->keys.file;
    }
    from.keys.images = "eval.test_images";
    from.keys.labels = "eval.test_labels";
    char shared[HISS_EVAL_SHARED];
    if (hiss_log_rank() == 0 && hiss_eval_shares(options, data, shared)) {
        hiss_warn("%s", shared);
    }
    from.classes_of = train_range->set;
    hiss_status status = hiss_dataset_open(&from, seed, &test->set, err);
    if (status == HISS_OK) {
        test->count = hiss_dataset_count(test->set);
        status = leave_out_unlabelled(test, "test", &from, samples, err);
        status = status ? status : check_alike(train_range, test, &from, key, err);
    }
    return status;
}

hiss_status hiss_eval_open(const hiss_eval_options *options, const hiss_data_options *data, uint64_t seed,
                           hiss_sample_range *train, hiss_sample_range *test, char samples[HISS_EVAL_SAMPLES],
                           hiss_error *err) {
    hiss_data_options from = other_data(data, options->train, options->train_images, options->train_labels);
    *train = *test = (hiss_sample_range){NULL, 0, 0, NULL};
    samples[0] = '\0';
    from.keys.file = options->train ? "eval.train" : NULL;
    from.keys.images = options->train || options->train_images ? "eval.train_images" : NULL;
    from.keys.labels = options->train || options->train_images || options->train_labels ? "eval.train_labels" : NULL;
    if (options->test_labels && !options->test && !options->test_images) {
        return hiss_config_blame(data->keys.config,
                                 hiss_fail_key(err, HISS_EUSER, "eval.test_labels",
                                               "has no effect without eval.test or eval.test_images, which name the "
                                               "test samples; set one of them, or leave it out, as with --set "
                                               "eval.test_labels=null"),
                                 err);
    }
    hiss_status status = hiss_dataset_open(&from, seed, &train->set, err);
    if (status == HISS_OK) {
        train->count = hiss_dataset_count(train->set);
        status = leave_out_unlabelled(train, "training", &from, samples, err);
    }
    if (status == HISS_OK) {
        status = options->test || options->test_images || tests_generated(options, data)
                     ? open_test(options, data, &from, seed, train, test, samples, err)
                     : hold_out(train, test, &from, seed, samples, err);
    }
    if (status != HISS_OK) {
        hiss_eval_close(train, test);
        return status;
    }
    cut(train, "eval.train_limit", options->train_limit, seed, DRAW_OF_TRAIN, samples);
    cut(test, "eval.test_limit", options->test_limit, seed, DRAW_OF_TEST, samples);
    say_classes(train->set, samples);
    if (options->crops) {
        say(samples, "features are means over ten crops (eval.crops)\n");
    }
    if (options->permuted) {
        say(samples, "a control (eval.permuted): training samples have the labels and targets of each other\n");
    }
    status = hiss_config_blame(data->keys.config, expect_seen(options, train, test, samples, err), err);
    if (status != HISS_OK) {
        hiss_eval_close(train, test);
    }
    return status;
}

void hiss_eval_close(hiss_sample_range *train, hiss_sample_range *test) {
    if (test->set && test->set != train->set) {
        hiss_dataset_close(test->set);
    }
    if (train->set) {
        hiss_dataset_close(train->set);
    }
    hiss_free(train->index);
    hiss_free(test->index);
    *train = *test = (hiss_sample_range){NULL, 0, 0, NULL};
}

const char *hiss_names_next(const char *list, char name[64]) {
    if (!list) {
        return NULL;
    }
    list += strspn(list, ", \t");
    if (!*list) {
        return NULL;
    }
    size_t length = strcspn(list, ", \t"), kept = length < 63 ? length : 63;
    memcpy(name, list, kept);
    name[kept] = '\0';
    return list + length;
}
