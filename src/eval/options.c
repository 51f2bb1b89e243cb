#include <stddef.h>
#include <string.h>

#include "hiss/eval.h"
#include "hiss/log.h"

enum { HELDOUT_SHARE = 6, HELDOUT_MOST = 10000 };

#define ROW(key_, type_, field_, ...)                                                                                  \
    { key_, type_, offsetof(hiss_eval_options, field_), __VA_ARGS__ }
const hiss_row hiss_eval_rows[] = {
    ROW("train", HISS_PATH, train, NULL, 0, 0, NULL, "HDF5 file the probes are fitted on; absent: data.file"),
    ROW("test", HISS_PATH, test, NULL, 0, 0, NULL,
        "HDF5 file they are judged on; absent: the last sixth of the training samples, at most 10000, held out"),
    ROW("layers", HISS_STRING, layers, NULL, 0, 0, NULL,
        "layers to judge, e.g. conv2,fc1; absent: all that have features"),
    ROW("pixels", HISS_BOOL, pixels, "true", 0, 0, NULL, "judge raw pixels too"),
    ROW("random", HISS_BOOL, random, "true", 0, 0, NULL, "judge the untrained network too"),
    ROW("knn", HISS_BOOL, knn, "true", 0, 0, NULL, "k-NN by cosine and L2, k = 1, 5, 20"),
    ROW("linear", HISS_BOOL, linear, "true", 0, 0, NULL, "linear probe, lambda chosen on held-out training samples"),
    ROW("few_labels", HISS_BOOL, few_labels, "true", 0, 0, NULL,
        "linear probe and 5-NN from 10, 100, 1000 labels per class"),
    ROW("draws", HISS_INT, draws, "5", 1, 1000, NULL, "random draws of few labels (at most 3 of 1000)"),
    ROW("iterations", HISS_INT, iterations, "100", 1, 100000, NULL, "L-BFGS steps of a linear probe, at most"),
    ROW("train_limit", HISS_INT, train_limit, "0", 0, 0x1p31, NULL, "fit on the first so many samples; 0: all"),
    ROW("test_limit", HISS_INT, test_limit, "0", 0, 0x1p31, NULL, "judge on the first so many samples; 0: all"),
};
#undef ROW
const int hiss_eval_nrows = HISS_COUNT(hiss_eval_rows);

static void cut(hiss_sample_range *range, int64_t limit) {
    range->count = limit > 0 && limit < range->count ? limit : range->count;
}

static hiss_status hold_out(hiss_sample_range *train, hiss_sample_range *test, const char *file, hiss_error *err) {
    int64_t held = train->count / HELDOUT_SHARE;
    held = held > HELDOUT_MOST ? HELDOUT_MOST : held;
    if (held < 1) {
        return hiss_fail(err, HISS_EUSER, "%s: %lld samples are too few to hold some out; name a file in eval.test",
                         file, (long long)train->count);
    }
    train->count -= held;
    *test = (hiss_sample_range){train->set, train->count, held};
    return HISS_OK;
}

static hiss_status check_alike(const hiss_sample_range *train, const hiss_sample_range *test, const char *train_file,
                               const char *test_file, hiss_error *err) {
    int64_t a[3], b[3];
    hiss_dataset_shape(train->set, &a[0], &a[1], &a[2]);
    hiss_dataset_shape(test->set, &b[0], &b[1], &b[2]);
    if (memcmp(a, b, sizeof a) != 0) {
        return hiss_fail(
            err, HISS_EUSER,
            "%s: images are [%lld,%lld,%lld], expected [%lld,%lld,%lld] as in %s; prepare both files alike", test_file,
            (long long)b[0], (long long)b[1], (long long)b[2], (long long)a[0], (long long)a[1], (long long)a[2],
            train_file);
    }
    bool labelled = hiss_dataset_labelled(train->set);
    if (labelled != hiss_dataset_labelled(test->set)) {
        return hiss_fail(err, HISS_EUSER, "%s has labels, %s has none; expected labels in both or in neither",
                         labelled ? train_file : test_file, labelled ? test_file : train_file);
    }
    return HISS_OK;
}

hiss_status hiss_eval_open(const hiss_eval_options *options, const hiss_data_options *data, uint64_t seed,
                           hiss_sample_range *train, hiss_sample_range *test, hiss_error *err) {
    hiss_data_options from = *data;
    *train = *test = (hiss_sample_range){NULL, 0, 0};
    if (options->train) {
        from.file = options->train;
        from.limit = 0;
    }
    const char *train_file = from.file;
    hiss_status status = hiss_dataset_open(&from, seed, &train->set, err);
    if (status == HISS_OK) {
        train->count = hiss_dataset_count(train->set);
    }
    if (status == HISS_OK && !options->test) {
        status = hold_out(train, test, train_file, err);
    } else if (status == HISS_OK) {
        from.file = options->test;
        from.limit = 0;
        if (strcmp(options->test, train_file) == 0) {
            hiss_warn("eval.test is the training file %s: the figures will be those of the training samples",
                      train_file);
        }
        status = hiss_dataset_open(&from, seed, &test->set, err);
        if (status == HISS_OK) {
            test->count = hiss_dataset_count(test->set);
            status = check_alike(train, test, train_file, options->test, err);
        }
    }
    if (status != HISS_OK) {
        hiss_eval_close(train, test);
        return status;
    }
    cut(train, options->train_limit);
    cut(test, options->test_limit);
    return HISS_OK;
}

void hiss_eval_close(hiss_sample_range *train, hiss_sample_range *test) {
    if (test->set && test->set != train->set) {
        hiss_dataset_close(test->set);
    }
    if (train->set) {
        hiss_dataset_close(train->set);
    }
    *train = *test = (hiss_sample_range){NULL, 0, 0};
}

const char *hiss_next_name(const char *list, char name[64]) {
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
