/* Layouts: which axis of a data set is which, and samples with their axes in order, whatever the file has.
 *
 * A layout is a word of letters, one for each axis of the data set: N counts samples, T is time, D depth, H height, W
 * width, C channels. In memory a sample's axes are in this order. A file by MATLAB has the axes of its arrays in reverse:
 * an array (H, W, C, N) is NCWH. Without an N each file is one sample: then the first axis, which the word leaves out,
 * counts files.
 *
 * A small t or d makes time or depth part of the channels, for networks of images: a volume NdHWC is an image of D x C
 * channels, those of the first slice first.
 *
 * Rows of data sets whose axes are in order are read where they belong. Others come in pieces of PIECE_BYTES into a
 * buffer, with the file's order, and are copied from there value by value, about 1 ns each. */
#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "dataset_impl.h"
#include "hiss/alloc.h"

static const char order[] = "NTDHWtdC";
enum { PIECE_BYTES = 1 << 24 };

/* Whether a word is one letter for each of some axes; t and d stand beside no T and D. */
static bool is_layout(const char *word) {
    bool fine = *word != '\0';
    for (size_t i = 0; word[i]; i++) {
        const char twin[] = {word[i], (char)(word[i] == 't' || word[i] == 'd' ? toupper(word[i]) : word[i]), 0};
        fine = fine && strchr(order, word[i]) && !strpbrk(word + i + 1, twin) &&
               (twin[0] == twin[1] || !strchr(word, twin[1]));
    }
    return fine;
}

static hiss_status fail_word(const char *word, hiss_error *err) {
    char capitals[HISS_H5_NDIM + 2] = "";
    for (size_t i = 0; i < sizeof capitals - 1 && word[i]; i++) {
        capitals[i] = (char)toupper((unsigned char)word[i]);
    }
    const bool small = strlen(word) < sizeof capitals && is_layout(capitals);
    return hiss_fail(err, HISS_EUSER,
                     "'%.40s' is no layout; expected one letter for each axis of the data set, as in %s: N samples, T "
                     "time, D depth, H height, W width, C channels; t, d: time, depth as part of the channels",
                     word, small ? capitals : "NHWC");
}

int data_layout_axis(const char *word) {
    const char *at = word ? strchr(word, 'N') : NULL;
    return !word ? 0 : at ? (int)(at - word) : DATA_APART;
}

hiss_status data_layout_parse(const char *given, const hiss_h5_info *info, data_layout *out, hiss_error *err) {
    char found[HISS_H5_INFO_TEXT], word[HISS_H5_NDIM + 3];
    const bool apart = data_layout_axis(given) == DATA_APART;
    snprintf(word, sizeof word, "%s%s", apart ? "N" : "", given);
    const size_t length = strlen(word);
    if (!*given || length > HISS_H5_NDIM + 1 || !is_layout(word)) {
        return fail_word(given, err);
    }
    if ((int)length != info->ndim) {
        hiss_h5_info shown = *info;
        if (apart) { /* as it is in a file */
            memmove(shown.dim, info->dim + 1, sizeof *shown.dim * (HISS_H5_NDIM - 1));
            shown.ndim--;
        }
        return hiss_fail(err, HISS_EUSER, "%s names %d axes, but the data set holds %s%s; name each of its axes%s",
                         given, (int)strlen(given), hiss_h5_info_text(&shown, found), apart ? " in each file" : "",
                         apart ? ", N for samples if there are several in a file" : "");
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

bool data_layout_has_channels(const data_layout *layout) {
    bool has = false;
    for (int k = 0; k < layout->ndim; k++) {
        has = has || layout->letter[k] == 'C' || islower((unsigned char)layout->letter[k]);
    }
    return has;
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
        const int64_t run = data_joined_run(source->joined, begin + done);
        some = layout->rows > 0 && run < some ? run : some;
        const hiss_status status = data_packing_read(source, field, begin + done, some, 0, piece, err);
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
