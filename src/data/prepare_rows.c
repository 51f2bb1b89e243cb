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

enum { MOST_NAMED = 1000 };                          /* broken pictures with a warning each */
static const int64_t most_pixels = (int64_t)1 << 27; /* of a scaled picture */

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
    int64_t bytes = data_prepare_bytes(rows->dtype);
    for (int k = 1; k < rows->ndim; k++) {
        bytes *= rows->shape[k];
    }
    return (size_t)bytes;
}

static hiss_status fail_to_keep(const data_rows *rows, hiss_error *err) {
    const int why = errno;
    return hiss_fail(err, HISS_ESYSTEM, "cannot keep images beside '%s', where they wait until all are read: %s; %s",
                     rows->options->output, strerror(why), hiss_file_remedy(why));
}

hiss_status data_rows_begin_as(data_rows *rows, const hiss_h5_info *images, hiss_error *err) {
    assert(!rows->file && images->ndim > 1);
    data_rows begun = *rows;
    begun.dtype = images->dtype;
    begun.ndim = images->ndim;
    memcpy(begun.shape + 1, images->dim + 1, sizeof *begun.shape * (size_t)(images->ndim - 1));
    const hiss_status status = data_prepare_check_options(rows->options, (int64_t)row_bytes(&begun), err);
    if (status) {
        return status;
    }
    char name[PREPARE_PATH];
    hiss_file_temporary(rows->options->output, name, sizeof name);
    begun.file = fopen(name, "w+e");
    const int why = errno;
    hiss_file_discard(name);
    errno = why;
    if (!begun.file) {
        return fail_to_keep(rows, err);
    }
    begun.pixels = hiss_alloc(row_bytes(&begun));
    *rows = begun;
    return HISS_OK;
}

hiss_status data_rows_begin(data_rows *rows, int64_t H, int64_t W, int64_t C, hiss_error *err) {
    return data_rows_begin_as(rows, &(hiss_h5_info){HISS_U8, 4, {0, H, W, C}}, err);
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

/* The picture scaled to a short side of `tiles`, cut from the top left into as many rows as fit. */
static hiss_status add_tiles(data_rows *rows, const data_image *image, int32_t label, hiss_error *err) {
    const int64_t side = rows->options->tiles, least = image->H < image->W ? image->H : image->W;
    const int64_t H = (image->H * side + least / 2) / least, W = (image->W * side + least / 2) / least;
    const int64_t height = rows->shape[1], width = rows->shape[2], C = rows->shape[3];
    if (H > most_pixels / W) {
        return hiss_fail(
            err, HISS_EUSER,
            "a picture of %lld x %lld, scaled to a short side of %lld, has more than 2^27 pixels; leave it "
            "out, or use fewer --tiles",
            (long long)image->H, (long long)image->W, (long long)side);
    }
    uint8_t *scaled = hiss_alloc((size_t)(H * W * C));
    hiss_status s = HISS_OK;
    data_image_fit(image, H, W, C, scaled);
    for (int64_t y = 0; y + height <= H; y += height) {
        for (int64_t x = 0; x + width <= W && s == HISS_OK; x += width) {
            for (int64_t line = 0; line < height; line++) {
                memcpy(rows->pixels + line * width * C, scaled + ((y + line) * W + x) * C, (size_t)(width * C));
            }
            s = data_rows_add(rows, label, err);
        }
    }
    hiss_free(scaled);
    return s;
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
    hiss_status s = HISS_OK;
    if (rows->options->tiles) {
        s = add_tiles(rows, image, label, err);
    } else {
        data_image_fit(image, rows->shape[1], rows->shape[2], rows->shape[3], rows->pixels);
        s = data_rows_add(rows, label, err);
    }
    data_image_free(image);
    return s;
}

void data_rows_progress(data_rows *rows, double share) {
    if (hiss_seconds() - rows->told > PREPARE_SECONDS) {
        rows->told = hiss_seconds();
        hiss_info("prepare: %lld image%s read, %.0f %%", (long long)rows->shape[0], rows->shape[0] == 1 ? "" : "s",
                  100 * share);
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

/* Those of a part, whose row i is row from[i] here. Names of columns stand beside those of labels, where there are some. */
static hiss_status write_objects(const data_rows *rows, const int64_t *from, int64_t n, bool labelled, hiss_h5 *file,
                                 hiss_error *err) {
    data_objects part;
    data_objects_create(n, rows->objects->classes, rows->objects->most, &part);
    part.most = rows->objects->most;
    for (int64_t i = 0; i < n; i++) {
        data_objects_copy(&part, i, rows->objects, from[i]);
    }
    hiss_status status = data_objects_write(&part, file, err);
    data_objects_free(&part);
    return status || !labelled || !rows->target_names
               ? status
               : hiss_h5_set_text(file, "/targets", "classes", rows->target_names, err);
}

static hiss_status write_part(const data_rows *rows, const hiss_prepare_options *options, const data_part *part,
                              const int32_t *labels, const char *source, const char *classes, data_writer *w,
                              hiss_error *err) {
    hiss_h5_info images = {rows->dtype, rows->ndim, {0}};
    memcpy(images.dim, rows->shape, sizeof images.dim);
    images.dim[0] = part->row ? part->count : rows->shape[0];
    hiss_status status = data_writer_begin_as(w, options, &images, labels != NULL, err);
    int64_t *order = hiss_new(int64_t, images.dim[0]);
    for (int64_t i = 0; i < images.dim[0] && !status; i++) {
        const int64_t at = data_writer_next(w), from = part->row ? part->row[at] : at;
        order[i] = from;
        status = fetch(rows, from, data_writer_pixels(w), err);
        status = status ? status : data_writer_add(w, labels ? labels[from] : 0, err);
    }
    if (!status && rows->objects) {
        status = write_objects(rows, order, images.dim[0], labels != NULL, w->file, err);
    }
    hiss_free(order);
    return data_writer_complete(w, status, source, labels || !rows->objects ? classes : rows->target_names, err);
}

hiss_status data_rows_write_parts(data_rows *rows, const data_part *parts, int nparts, const int32_t *labels,
                                  const char *source, const char *classes, hiss_error *err) {
    assert(nparts <= DATA_PARTS);
    hiss_prepare_options options[DATA_PARTS];
    data_writer w[DATA_PARTS];
    hiss_status status = check_broken(rows, source, err);
    if (!status && fflush(rows->file) != 0) {
        status = fail_to_keep(rows, err);
    }
    int complete = 0, published = 0;
    for (int k = 0; k < nparts && !status; k++, complete += !status) {
        options[k] = *rows->options;
        options[k].output = parts[k].output;
        status = write_part(rows, &options[k], &parts[k], labels, source, classes, &w[k], err);
    }
    for (int k = 0; k < complete && !status; k++, published += !status) {
        status = data_writer_publish(&w[k], err);
    }
    for (int k = 0; k < complete && status; k++) { /* none of them without the others */
        if (k < published) {
            hiss_file_remove(parts[k].output, NULL);
        } else {
            hiss_file_discard(w[k].temporary);
        }
    }
    return status;
}

hiss_status data_rows_write(data_rows *rows, const int32_t *labels, const char *source, const char *classes,
                            hiss_error *err) {
    return data_rows_write_parts(rows, &(data_part){.output = rows->options->output}, 1, labels, source, classes, err);
}
