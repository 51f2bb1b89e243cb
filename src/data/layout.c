/* Layouts: which axis of a data set is which, and samples with their axes in order, whatever the file has.
 *
 * A layout is a word of letters, one for each axis of the data set: N counts samples, T is time, D depth, H height, W
 * width, C channels. In memory a sample's axes are in this order. A file by MATLAB has the axes of its arrays in reverse:
 * an array (H, W, C, N) is NCWH.
 *
 * Rows of data sets whose axes are in order are read where they belong. Others come in pieces of PIECE_BYTES into a
 * buffer, with the file's order, and are copied from there value by value, about 1 ns each. */
#include <assert.h>
#include <string.h>

#include "dataset_impl.h"
#include "hiss/alloc.h"

static const char order[] = "NTDHWC";
enum { PIECE_BYTES = 1 << 24 };

hiss_status data_layout_parse(const char *word, const hiss_h5_info *info, data_layout *out, hiss_error *err) {
    char found[HISS_H5_INFO_TEXT];
    const size_t length = strlen(word);
    bool fine = strchr(word, 'N') && length >= 1;
    for (size_t i = 0; i < length; i++) {
        fine = fine && strchr(order, word[i]) && !strchr(word + i + 1, word[i]);
    }
    if (!fine) {
        return hiss_fail(
            err, HISS_EUSER,
            "'%.40s' is no layout; expected one letter for each axis of the data set, as in NHWC: N samples, "
            "T time, D depth, H height, W width, C channels",
            word);
    }
    if ((int)length != info->ndim) {
        return hiss_fail(err, HISS_EUSER, "%s names %d axes, but the data set holds %s; name each of its axes", word,
                         (int)length, hiss_h5_info_text(info, found));
    }
    *out = (data_layout){.ndim = 0};
    for (const char *letter = order; *letter; letter++) {
        const char *at = strchr(word, *letter);
        if (at && *letter == 'N') {
            out->rows = (int)(at - word);
        } else if (at) {
            out->letter[out->ndim] = *letter;
            out->axis[out->ndim++] = (int)(at - word);
        }
    }
    return HISS_OK;
}

bool data_layout_in_order(const data_layout *layout) {
    bool in_order = layout->rows == 0;
    for (int k = 0; k < layout->ndim; k++) {
        in_order = in_order && layout->axis[k] == k + 1;
    }
    return in_order;
}

int64_t data_layout_piece(int64_t field_bytes) {
    return PIECE_BYTES > field_bytes ? PIECE_BYTES : field_bytes;
}

#define COPY(type_)                                                                                                    \
    for (int64_t k = 0; k < n; k++) {                                                                                  \
        ((type_ *)to)[k] = ((const type_ *)from)[k * step];                                                            \
    }                                                                                                                  \
    break

static void copy_line(int64_t size, int64_t n, const void *from, int64_t step, void *to) {
    switch (size) {
    case 1:
        COPY(uint8_t);
    case 2:
        COPY(uint16_t);
    case 4:
        COPY(uint32_t);
    default:
        assert(size == 8);
        COPY(uint64_t);
    }
}

/* One sample: its axes have these sizes, and these steps in the piece. */
static void permute(int ndim, const int64_t *dim, const int64_t *step, int64_t size, const char *from, char *to) {
    int64_t lines = 1;
    for (int k = 0; k < ndim - 1; k++) {
        lines *= dim[k];
    }
    for (int64_t line = 0; line < lines; line++) {
        int64_t rest = line, at = 0;
        for (int k = ndim - 2; k >= 0; k--) {
            at += rest % dim[k] * step[k];
            rest /= dim[k];
        }
        copy_line(size, dim[ndim - 1], from + at * size, step[ndim - 1], to);
        to += dim[ndim - 1] * size;
    }
}

hiss_status data_layout_read(const data_source *source, const hiss_field *field, int64_t begin, int64_t count,
                             int64_t stride, void *piece, uint8_t *out, hiss_error *err) {
    const data_layout *layout = &source->layout;
    const int ndim = layout->ndim;
    const int64_t size = hiss_dtype_bytes(field->dtype), most = data_layout_piece(field->bytes) / field->bytes;
    int64_t dim[HISS_H5_NDIM], by_axis[HISS_H5_NDIM] = {0}, step[HISS_H5_NDIM];
    for (int64_t done = 0, some; done < count; done += some) {
        some = count - done < most ? count - done : most;
        const hiss_status status = hiss_h5_read_rows(source->file, source->dataset, field->dtype, layout->rows,
                                                     begin + done, some, 0, piece, err);
        if (status) {
            return status;
        }
        by_axis[layout->rows] = some; /* sizes in the piece, then steps */
        for (int k = 0; k < ndim; k++) {
            dim[k] = by_axis[layout->axis[k]] = source->dim[k];
        }
        for (int64_t a = ndim, next = 1; a >= 0; a--) {
            const int64_t length = by_axis[a];
            by_axis[a] = next;
            next *= length;
        }
        for (int k = 0; k < ndim; k++) {
            step[k] = by_axis[layout->axis[k]];
        }
        for (int64_t i = 0; i < some; i++) {
            const char *from = (const char *)piece + i * by_axis[layout->rows] * size;
            char *to = (char *)out + (done + i) * stride;
            if (ndim == 0) {
                memcpy(to, from, (size_t)size);
            } else {
                permute(ndim, dim, step, size, from, to);
            }
        }
    }
    return HISS_OK;
}
