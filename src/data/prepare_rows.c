/* hiss prepare: rows of a source that come in its own order, and whose number shows at its end: pictures of which some may
 * be broken, members of archives.
 *
 * They are kept in a file beside the output, which has no name from the moment it is open, so that nothing stays of it
 * whatever happens. Then the output is written in its own order, row by row from there. So memory holds one row and the
 * labels, the disk holds the rows twice while prepare works. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hiss/alloc.h"
#include "hiss/clock.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "prepare_impl.h"

enum { MOST_NAMED = 1000 }; /* broken pictures with a warning each */

void data_rows_create(const hiss_prepare_options *options, data_rows *out) {
    *out = (data_rows){.options = options, .told = hiss_seconds()};
}

void data_rows_destroy(data_rows *rows) {
    if (rows->file) {
        fclose(rows->file);
    }
    hiss_free(rows->pixels);
    hiss_free(rows->label);
}

static size_t row_bytes(const data_rows *rows) {
    return (size_t)(rows->shape[1] * rows->shape[2] * rows->shape[3]);
}

static hiss_status fail_to_keep(const data_rows *rows, hiss_error *err) {
    const int why = errno;
    return hiss_fail(err, HISS_ESYSTEM, "cannot keep images beside '%s', where they wait until all are read: %s; %s",
                     rows->options->output, strerror(why), hiss_file_remedy(why));
}

hiss_status data_rows_begin(data_rows *rows, int64_t H, int64_t W, int64_t C, hiss_error *err) {
    assert(!rows->file);
    const hiss_status status = data_prepare_check_options(rows->options, H * W * C, err);
    if (status) {
        return status;
    }
    char name[PREPARE_PATH];
    hiss_file_temporary(rows->options->output, name, sizeof name);
    rows->file = fopen(name, "w+e");
    const int why = errno;
    hiss_file_discard(name);
    errno = why;
    if (!rows->file) {
        return fail_to_keep(rows, err);
    }
    rows->shape[1] = H;
    rows->shape[2] = W;
    rows->shape[3] = C;
    rows->pixels = hiss_alloc(row_bytes(rows));
    return HISS_OK;
}

static void keep_label(data_rows *rows, int32_t label) {
    if (rows->shape[0] == rows->room) {
        rows->room = rows->room ? 2 * rows->room : 1024;
        int32_t *more = hiss_new(int32_t, rows->room);
        if (rows->shape[0]) {
            memcpy(more, rows->label, sizeof *more * (size_t)rows->shape[0]);
        }
        hiss_free(rows->label);
        rows->label = more;
    }
    rows->label[rows->shape[0]] = label;
}

hiss_status data_rows_add(data_rows *rows, int32_t label, hiss_error *err) {
    if (fwrite(rows->pixels, row_bytes(rows), 1, rows->file) != 1) {
        return fail_to_keep(rows, err);
    }
    keep_label(rows, label);
    rows->shape[0]++;
    return HISS_OK;
}

hiss_status data_rows_add_picture(data_rows *rows, data_image *image, const hiss_error *unreadable, int32_t label,
                                  hiss_error *err) {
    if (unreadable) {
        rows->why = rows->broken ? rows->why : *unreadable;
        if (rows->broken++ < MOST_NAMED) {
            hiss_warn("%s", unreadable->text);
        }
        return HISS_OK;
    }
    data_image_fit(image, rows->shape[1], rows->shape[2], rows->shape[3], rows->pixels);
    data_image_free(image);
    return data_rows_add(rows, label, err);
}

void data_rows_progress(data_rows *rows, double share) {
    if (hiss_seconds() - rows->told > PREPARE_SECONDS) {
        rows->told = hiss_seconds();
        hiss_info("prepare: %lld images read, %.0f %%", (long long)rows->shape[0], 100 * share);
    }
}

static hiss_status check_broken(const data_rows *rows, const char *source, hiss_error *err) {
    const long long broken = rows->broken, all = broken + rows->shape[0];
    if (broken > MOST_NAMED) {
        hiss_warn("%lld more unreadable pictures are not named", broken - MOST_NAMED);
    }
    if (broken && !rows->shape[0]) {
        return hiss_fail(err, HISS_EUSER, "%.200s: none of %lld pictures can be read; the first: %.400s", source, all,
                         rows->why.text);
    }
    if (broken && !rows->options->skip_broken) {
        return hiss_fail(
            err, HISS_EUSER,
            "%.200s: %lld of %lld pictures cannot be read, which are named above; repair or remove them, or "
            "leave them out with --skip-broken; the first: %.400s",
            source, broken, all, rows->why.text);
    }
    if (broken) {
        hiss_warn("prepare: %lld of %lld pictures cannot be read and are left out", broken, all);
    }
    return HISS_OK;
}

/* Pixels of one row, from where they are kept. */
static hiss_status fetch(const data_rows *rows, int64_t i, uint8_t *out, hiss_error *err) {
    const size_t bytes = row_bytes(rows);
    for (size_t got = 0; got < bytes;) {
        const ssize_t now = pread(fileno(rows->file), out + got, bytes - got, (off_t)((size_t)i * bytes + got));
        if (now == 0 || (now < 0 && errno != EINTR)) {
            errno = now ? errno : EIO;
            return fail_to_keep(rows, err);
        }
        got += now > 0 ? (size_t)now : 0;
    }
    return HISS_OK;
}

hiss_status data_rows_write(data_rows *rows, const int32_t *labels, const char *source, const char *classes,
                            hiss_error *err) {
    hiss_status status = check_broken(rows, source, err);
    if (!status && fflush(rows->file) != 0) {
        status = fail_to_keep(rows, err);
    }
    if (status) {
        return status;
    }
    data_writer w;
    status = data_writer_begin(&w, rows->options, rows->shape, labels != NULL, err);
    for (int64_t i = 0; i < rows->shape[0] && !status; i++) {
        const int64_t from = data_writer_next(&w);
        status = fetch(rows, from, data_writer_pixels(&w), err);
        status = status ? status : data_writer_add(&w, labels ? labels[from] : 0, err);
    }
    return data_writer_end(&w, status, source, classes, err);
}
