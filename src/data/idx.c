/* idx files, the format of MNIST and its kin: two zero bytes, a type, the number of dimensions, that many big-endian
 * 32-bit sizes, the values (Y. LeCun's page on MNIST). zlib reads plain and gzip files alike.
 *
 * The values are read in growing pieces, so a header that announces too much is found out before memory is. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "hiss/alloc.h"
#include "image_impl.h"

enum { U8 = 8, I8 = 9, I16 = 11, I32 = 12, FIRST_PIECE = 1 << 24, SMALL = 1 << 20 };
enum { DENSEST = 1100 }; /* deflate gains 1032 : 1 at most (zlib's technical details) */

static int64_t value_bytes(int type) {
    return type == U8 || type == I8 ? 1 : type == I16 ? 2 : type == I32 ? 4 : 0;
}

static int64_t big_endian(const uint8_t *bytes) {
    return (int64_t)bytes[0] << 24 | (int64_t)bytes[1] << 16 | (int64_t)bytes[2] << 8 | bytes[3];
}

/* Read up to count bytes; returns how many came, and why no more did. */
static int64_t read_some(gzFile file, uint8_t *out, int64_t count, const char **why) {
    int64_t got = 0;
    *why = "the file ends";
    while (got < count) {
        int64_t rest = count - got;
        int now = gzread(file, out + got, rest < FIRST_PIECE ? (unsigned)rest : FIRST_PIECE);
        if (now <= 0) {
            int code;
            const char *text = gzerror(file, &code);
            if (code == Z_ERRNO) {
                *why = strerror(errno);
            } else if (code != Z_OK) {
                *why = text;
            }
            break;
        }
        got += now;
    }
    return got;
}

static hiss_status read_header(const char *path, gzFile file, data_array *idx, int64_t *total, hiss_error *err) {
    uint8_t head[4 + 4 * HISS_ARRAY_NDIM] = {0};
    const char *why;
    if (read_some(file, head, 4, &why) < 4) {
        return hiss_fail(err, HISS_EUSER, "%s: too short for an idx file: %s", path, why);
    }
    if (memcmp(head, "\x89HDF", 4) == 0) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: is an HDF5 file; expected an idx file: hiss trains on HDF5 files as they are (data.file)",
                         path);
    }
    idx->type = head[2];
    idx->ndim = head[3];
    if (head[0] || head[1] || !value_bytes(idx->type) || idx->ndim < 1 || idx->ndim > HISS_ARRAY_NDIM) {
        return hiss_fail(
            err, HISS_EUSER,
            "%s: begins with bytes %02x %02x %02x %02x; expected the idx magic 00 00, a type 08, 09, 0b or "
            "0c, and 1 to 4 dimensions: not an idx file",
            path, head[0], head[1], head[2], head[3]);
    }
    if (read_some(file, head + 4, 4 * idx->ndim, &why) < 4 * idx->ndim) {
        return hiss_fail(err, HISS_EUSER, "%s: the idx header is incomplete: %s", path, why);
    }
    *total = value_bytes(idx->type);
    for (int i = 0; i < idx->ndim; i++) {
        idx->dim[i] = big_endian(head + 4 + 4 * i);
        if (idx->dim[i] < 1 || idx->dim[i] > INT32_MAX || *total > ((int64_t)1 << 46) / idx->dim[i]) {
            return hiss_fail(err, HISS_EUSER, "%s: dimension %d of the idx header is %lld; the file is damaged", path,
                             i, (long long)idx->dim[i]);
        }
        *total *= idx->dim[i];
    }
    struct stat info;
    if (stat(path, &info) == 0 && (*total - SMALL) / DENSEST > info.st_size) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: the idx header announces %lld bytes, more than a file of %lld bytes can hold; the file "
                         "is damaged",
                         path, (long long)*total, (long long)info.st_size);
    }
    return HISS_OK;
}

static hiss_status read_values(const char *path, gzFile file, data_array *idx, int64_t total, hiss_error *err) {
    const char *why;
    int64_t got = 0, room = total < FIRST_PIECE ? total : FIRST_PIECE;
    idx->bytes = hiss_alloc((size_t)room);
    for (;;) {
        got += read_some(file, idx->bytes + got, room - got, &why);
        if (got < room) {
            return hiss_fail(err, HISS_EUSER, "%s: truncated: the idx header announces %lld bytes, %lld are there: %s",
                             path, (long long)total, (long long)got, why);
        }
        if (got == total) {
            break;
        }
        room = total / 2 < room ? total : 2 * room;
        uint8_t *more = hiss_alloc((size_t)room);
        memcpy(more, idx->bytes, (size_t)got);
        hiss_free(idx->bytes);
        idx->bytes = more;
    }
    uint8_t extra;
    return read_some(file, &extra, 1, &why)
               ? hiss_fail(err, HISS_EUSER, "%s: goes on after the %lld bytes that the idx header announces: damaged",
                           path, (long long)total)
               : HISS_OK;
}

hiss_status data_idx_read(const char *path, data_array *out, hiss_error *err) {
    gzFile file = gzopen(path, "rb");
    if (!file) {
        return hiss_fail(err, HISS_EUSER, "%s: cannot be opened: %s", path, strerror(errno));
    }
    *out = (data_array){0};
    int64_t total = 0;
    hiss_status status = read_header(path, file, out, &total, err);
    if (!status) {
        status = read_values(path, file, out, total, err);
    }
    gzclose(file);
    if (status) {
        data_array_free(out);
    }
    return status;
}

void data_array_free(data_array *idx) {
    hiss_free(idx->bytes);
    idx->bytes = NULL;
}

int64_t data_array_at(const data_array *idx, int64_t i) {
    const uint8_t *b = idx->bytes + i * value_bytes(idx->type);
    switch (idx->type) {
    case U8:
        return b[0];
    case I8:
        return (int8_t)b[0];
    case I16:
        return (int16_t)(b[0] << 8 | b[1]);
    default:
        assert(idx->type == I32);
        return (int32_t)(uint32_t)big_endian(b);
    }
}
