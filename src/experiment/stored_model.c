/* What a run stores of a model, and which checkpoint is its newest. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/experiment.h"
#include "hiss/snapshot.h"

enum { WHOSE = 400 };

hiss_h5_info hiss_checkpoint_info(const hiss_slot *slot) {
    hiss_h5_info info = {.dtype = HISS_F32, .ndim = slot->shape.ndim};
    memcpy(info.dim, slot->shape.dim, sizeof(int64_t) * (size_t)slot->shape.ndim);
    return info;
}

bool hiss_checkpoint_stores(const hiss_slot *slot) {
    return slot->kind != HISS_SLOT_METRIC;
}

hiss_status hiss_checkpoint_slot(hiss_h5 *file, const char *path, const char *name, const hiss_slot *slot,
                                 float *values, hiss_error *err) {
    const hiss_h5_info expected = hiss_checkpoint_info(slot);
    hiss_h5_info info;
    hiss_status s = hiss_h5_look(file, name, &info, err);
    if (s == HISS_OK && (info.dtype != HISS_F32 || info.ndim != expected.ndim ||
                         memcmp(info.dim, expected.dim, sizeof(int64_t) * (size_t)info.ndim) != 0)) {
        char want[HISS_SHAPE_TEXT], have[HISS_H5_INFO_TEXT];
        s = hiss_fail(err, HISS_EUSER, "%s: data set %s holds %s, but this config's network needs float32 %s", path,
                      name, hiss_h5_info_text(&info, have), hiss_shape_text(&slot->shape, want));
    }
    return s == HISS_OK ? hiss_snapshot_read(file, path, name, HISS_F32, 0, info.dim[0], values, err) : s;
}

hiss_status hiss_checkpoint_read(hiss_h5 *file, const char *path, const hiss_model *model, float *vector,
                                 hiss_error *err) {
    hiss_status s = HISS_OK;
    for (int k = 0; k < hiss_model_count(model) && s == HISS_OK; k++) {
        const hiss_slot *slot = hiss_model_at(model, k);
        char name[HISS_SNAPSHOT_NAME];
        snprintf(name, sizeof name, "/model/%s", slot->name);
        s = hiss_checkpoint_stores(slot) ? hiss_checkpoint_slot(file, path, name, slot, vector + slot->offset, err) : s;
    }
    return s;
}

/* An attribute: the names of the run's classes, or of the columns of its targets, a line each; hiss_free it. NULL: none are
 * noted. */
static char *class_lines(const char *path, const char *attribute) {
    hiss_h5 *file = NULL;
    char *lines = NULL;
    hiss_error none;
    if (hiss_h5_open(path, &file, &none) == HISS_OK) {
        hiss_h5_get_text(file, "/", attribute, &lines, &none);
    }
    hiss_h5_close(file, NULL);
    return lines;
}

int64_t hiss_checkpoint_classes(const char *path) {
    char *lines = class_lines(path, "classes");
    int64_t count = 0;
    for (const char *at = lines; at && *at; at++) {
        count += *at == '\n';
    }
    hiss_free(lines);
    return count;
}

bool hiss_checkpoint_learnt(const char *path, const hiss_dataset *set) {
    char *then = class_lines(path, "classes"), *now = hiss_dataset_class_lines(set);
    const bool same = !then || strcmp(then, now) == 0;
    hiss_free(then);
    free(now);
    return same;
}

/* Whether these are the numbers 0, 1, ... */
static bool are_numbers(const char *lines) {
    bool numbers = true;
    for (int64_t k = 0; *lines && numbers; k++) {
        char number[32];
        const size_t length = strcspn(lines, "\n");
        snprintf(number, sizeof number, "%lld", (long long)k);
        numbers = strlen(number) == length && strncmp(lines, number, length) == 0;
        lines += length + (lines[length] == '\n');
    }
    return numbers;
}

hiss_status hiss_checkpoint_expect_classes(const char *path, const hiss_dataset *set, hiss_error *err) {
    char difference[HISS_NAMES_TEXT];
    char *then = class_lines(path, "classes"), *now = hiss_dataset_class_lines(set);
    const bool differ = then && hiss_dataset_labelled(set) && !are_numbers(then) && !are_numbers(now) &&
                        hiss_names_differ(then, now, difference);
    hiss_free(then);
    free(now);
    return differ ? hiss_fail(err, HISS_EUSER, "%s has learnt other classes than those of %s, or in another order: %s",
                              path, hiss_dataset_file(set), difference)
                  : HISS_OK;
}

hiss_status hiss_checkpoint_expect_targets(const char *path, const hiss_dataset *set, hiss_error *err) {
    char whose[WHOSE];
    char *then = class_lines(path, "targets");
    snprintf(whose, sizeof whose, "%.300s has learnt", path);
    const hiss_status s = hiss_dataset_expect_targets(
        set, then, whose,
        "name a file with those columns in eval.train, or set eval.classification: false to judge features alone", err);
    hiss_free(then);
    return s;
}

hiss_status hiss_checkpoint_model(const char *path, const hiss_model *model, float *vector, hiss_error *err) {
    hiss_h5 *file = NULL;
    hiss_status s = hiss_h5_open(path, &file, err);
    s = s == HISS_OK ? hiss_checkpoint_read(file, path, model, vector, err) : s;
    hiss_h5_close(file, NULL);
    return s;
}

hiss_status hiss_checkpoint_newest(const char *run, bool set_aside, char *path, size_t size, hiss_error *err) {
    int rejected = 0;
    hiss_snapshot_newest(run, set_aside, path, size, &rejected);
    if (rejected < 0) {
        return hiss_fail(err, HISS_ESYSTEM, "%s/ckpt: cannot be listed; check its permissions and the file system",
                         run);
    }
    return *path || rejected == 0
               ? HISS_OK
               : hiss_fail(err, HISS_EUSER,
                           "%s/ckpt: none of its %d checkpoints can be used (see the warnings); to start anew, use "
                           "another run directory",
                           run, rejected);
}
