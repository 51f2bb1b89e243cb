/* hiss prepare of files that hold one array each: the images, and the labels. Each is held in memory, for rows are copied
 * in the order of the file that is written. */
#include <assert.h>
#include <string.h>

#include "prepare_impl.h"

static const char *const format_names[] = {
#define FORMAT(name) #name,
#include "data/list.h"
#undef FORMAT
    NULL};

typedef hiss_status array_reader(const char *path, data_array *out, hiss_error *err);
static array_reader *const format_readers[] = {
#define FORMAT(name) data_##name##_read,
#include "data/list.h"
#undef FORMAT
};

const char *const *hiss_prepare_formats(void) {
    return format_names;
}

static hiss_status check_arrays(const char *images, const data_array *x, const char *labels, const data_array *y,
                                hiss_error *err) {
    if (x->type != 8 || x->ndim < 3) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: holds values of type %02x in %d dimensions; expected images: type 08 (uint8) [n,H,W] or "
                         "[n,H,W,C]; are images and labels swapped?",
                         images, (unsigned)x->type, x->ndim);
    }
    if (!labels) {
        return HISS_OK;
    }
    if (y->ndim != 1) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: has %d dimensions; expected labels in one dimension; are images and labels swapped?",
                         labels, y->ndim);
    }
    if (x->dim[0] != y->dim[0]) {
        return hiss_fail(err, HISS_EUSER, "%s holds %lld images, %s %lld labels; they must be as many: pair the files",
                         images, (long long)x->dim[0], labels, (long long)y->dim[0]);
    }
    return HISS_OK;
}

static hiss_status write_arrays(const hiss_prepare_options *options, const char *images, const data_array *x,
                                const char *labels, const data_array *y, hiss_error *err) {
    int64_t shape[4] = {x->dim[0], x->dim[1], x->dim[2], x->ndim == 4 ? x->dim[3] : 1};
    char source[PREPARE_SOURCE];
    snprintf(source, sizeof source, "%s%s%s", images, labels ? ", " : "", labels ? labels : "");
    data_writer w;
    hiss_status status = data_writer_begin(&w, options, shape, labels != NULL, err);
    for (int64_t i = 0; i < shape[0] && !status; i++) {
        int64_t from = data_writer_next(&w);
        memcpy(data_writer_pixels(&w), x->bytes + from * w.row, (size_t)w.row);
        status = data_writer_add(&w, labels ? (int32_t)data_array_at(y, from) : 0, err);
    }
    return data_writer_end(&w, status, source, NULL, err);
}

hiss_status hiss_prepare_arrays(const hiss_prepare_options *options, const char *format, const char *images,
                                const char *labels, hiss_error *err) {
    data_array x = {0}, y = {0};
    int k = 0;
    while (format_names[k] && strcmp(format_names[k], format) != 0) {
        k++;
    }
    assert(format_names[k]);
    hiss_status status = data_prepare_check_output(options, err);
    status = status ? status : data_prepare_expect_other(options, images, err);
    status = status ? status : data_prepare_expect_other(options, labels, err);
    status = status ? status : format_readers[k](images, &x, err);
    if (!status && labels) {
        status = format_readers[k](labels, &y, err);
    }
    status = status ? status : check_arrays(images, &x, labels, &y, err);
    status = status ? status : write_arrays(options, images, &x, labels, &y, err);
    data_array_free(&y);
    data_array_free(&x);
    return status;
}
