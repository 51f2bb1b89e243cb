/* hiss prepare generate: the rows of a generator as a file, for other programs, and for runs that read faster than they
 * make. Each field is a data set of its name, the image /images, labels are /labels; rows are those of data.generate, in
 * their order. On / are the attributes of all files by hiss prepare, source being the identity of the generated set. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataset_impl.h"
#include "hiss/alloc.h"
#include "hiss/clock.h"
#include "hiss/file.h"
#include "hiss/generate.h"
#include "hiss/log.h"
#include "prepare_impl.h"

enum { PIECE_BYTES = 1 << 22, DATASET = HISS_FIELD_NAME + 8 };

typedef struct writer {
    const hiss_prepare_options *options;
    hiss_dataset *set;
    const void *generated; /* its options */
    hiss_h5 *file;
    hiss_hash *hash;
    int64_t at_once;
    uint8_t *rows, *values; /* [at_once] rows; of a field */
    double told;
} writer;

static const char *dataset_of(const hiss_field *field, char out[DATASET]) {
    const bool image = strcmp(field->name, HISS_FIELD_IMAGE) == 0;
    snprintf(out, DATASET, "/%s", image ? "images" : field->name);
    return out;
}

static hiss_status define(const writer *w, hiss_error *err) {
    const hiss_field *field;
    const int fields = hiss_dataset_fields(w->set, &field);
    const hiss_h5_info labels = {HISS_I32, 1, {w->set->rows}};
    char name[DATASET];
    hiss_status status = HISS_OK;
    for (int k = 0; k < fields && !status; k++) {
        hiss_h5_info info = {field[k].dtype, 1 + field[k].ndim, {w->set->rows}};
        memcpy(info.dim + 1, field[k].dim, sizeof field[k].dim);
        status = hiss_h5_define(w->file, dataset_of(&field[k], name), &info, w->options->chunk,
                                (int)w->options->deflate, err);
    }
    return status || !w->set->label ? status : hiss_h5_define(w->file, "/labels", &labels, 0, 0, err);
}

static hiss_status write_rows(const writer *w, int64_t begin, int64_t count, hiss_error *err) {
    const hiss_field *field;
    const int fields = hiss_dataset_fields(w->set, &field);
    const int64_t row = hiss_dataset_row(w->set);
    char name[DATASET];
    hiss_status status = hiss_dataset_read(w->set, begin, count, w->rows, NULL, err);
    for (int k = 0; k < fields && !status; k++) {
        for (int64_t i = 0; i < count; i++) {
            memcpy(w->values + i * field[k].bytes, w->rows + i * row + field[k].offset, (size_t)field[k].bytes);
        }
        status = hiss_h5_write(w->file, dataset_of(&field[k], name), field[k].dtype, begin, count, w->values, err);
        if (k == DATA_IMAGE) {
            hiss_hash_add(w->hash, w->values, (size_t)(count * field[k].bytes));
        }
    }
    return status;
}

static hiss_status write_all(writer *w, hiss_error *err) {
    const int64_t n = w->set->rows;
    hiss_status status = HISS_OK;
    for (int64_t begin = 0, count; begin < n && !status; begin += count) {
        count = n - begin < w->at_once ? n - begin : w->at_once;
        status = write_rows(w, begin, count, err);
        if (hiss_seconds() - w->told > PREPARE_SECONDS) {
            w->told = hiss_seconds();
            hiss_info("prepare: %lld of %lld samples made", (long long)(begin + count), (long long)n);
        }
    }
    if (!status && w->set->label) {
        hiss_hash_add(w->hash, w->set->label, sizeof *w->set->label * (size_t)n);
        status = hiss_h5_write(w->file, "/labels", HISS_I32, 0, n, w->set->label, err);
    }
    return status;
}

static hiss_status sign(const writer *w, const char *sum, hiss_error *err) {
    hiss_status status = hiss_h5_set_text(w->file, "/", "hiss_format", HISS_IMAGES_FORMAT, err);
    status = status ? status : hiss_h5_set_text(w->file, "/", "source", hiss_dataset_identity(w->set), err);
    status = status ? status : hiss_h5_set_i64(w->file, "/", "shuffled", 0, err);
    status = status ? status
                    : hiss_h5_set_i64(w->file, "/", "seed", ((const hiss_generate_options *)w->generated)->seed, err);
    status = status ? status : hiss_h5_set_text(w->file, "/", "sha256", sum, err);
    if (!status && w->set->label && hiss_dataset_classes_named(w->set)) {
        char *classes = hiss_dataset_class_lines(w->set);
        classes[strlen(classes) - 1] = '\0'; /* newlines stand between them */
        status = hiss_h5_set_text(w->file, "/", "classes", classes, err);
        free(classes);
    }
    return status;
}

static hiss_status write_file(const hiss_prepare_options *options, hiss_dataset *set, const void *generated,
                              hiss_error *err) {
    const int64_t row = hiss_dataset_row(set), chunk = options->chunk > 0 ? options->chunk : 1;
    writer w = {.options = options, .set = set, .generated = generated, .told = hiss_seconds()};
    char temporary[PREPARE_PATH], sum[HISS_HASH_TEXT];
    hiss_status status = data_prepare_check_options(options, row, err);
    if (status) {
        return status;
    }
    if ((status = data_output_create(options->output, temporary, &w.file, err))) {
        return status;
    }
    w.at_once = chunk * (1 + PIECE_BYTES / row / chunk); /* whole chunks */
    w.rows = hiss_alloc((size_t)(w.at_once * row));
    w.values = hiss_alloc((size_t)(w.at_once * row));
    w.hash = hiss_hash_begin();
    status = define(&w, err);
    status = status ? status : write_all(&w, err);
    hiss_hash_end(w.hash, sum);
    status = status ? status : sign(&w, sum, err);
    hiss_free(w.values);
    hiss_free(w.rows);
    status = data_output_close(w.file, temporary, status, err);
    return status ? status : hiss_file_publish(temporary, options->output, err);
}

hiss_status hiss_prepare_generate(const hiss_prepare_options *options, const hiss_generator *generator,
                                  const void *generated, hiss_error *err) {
    hiss_dataset *set = NULL;
    hiss_status status = data_prepare_check_output(options, err);
    status = status ? status : hiss_dataset_generate(generator, generated, true, &set, err);
    if (!status) {
        status = write_file(options, set, generated, err);
    }
    if (!status) {
        hiss_info("prepare: wrote %s: %lld samples of %lld bytes", options->output, (long long)set->rows,
                  (long long)hiss_dataset_row(set));
    }
    hiss_dataset_close(set);
    return status;
}
