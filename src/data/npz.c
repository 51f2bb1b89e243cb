/* Headers of npy files, which are the members of npz files: the bytes 93 "NUMPY", two of the version, the length of the
 * text (16 bits in version 1, else 32), and the text, a Python literal such as
 * {'descr': '|u1', 'fortran_order': False, 'shape': (600, 28, 28), }. Then the values follow (NEP 1, "A simple file format
 * for NumPy arrays"). */
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "npz_impl.h"

enum { START = 8, HEADER_BYTES = 1 << 16, WORD = 32 };

typedef struct scanner {
    const char *at;
} scanner;

static bool take(scanner *s, const char *text) {
    s->at += strspn(s->at, " \n\t");
    const size_t length = strlen(text);
    const bool there = strncmp(s->at, text, length) == 0;
    s->at += there ? length : 0;
    return there;
}

static bool take_quoted(scanner *s, char out[WORD]) {
    if (!take(s, "'")) {
        return false;
    }
    const size_t length = strcspn(s->at, "'\\");
    if (s->at[length] != '\'' || length >= WORD) {
        return false;
    }
    memcpy(out, s->at, length);
    out[length] = '\0';
    s->at += length + 1;
    return true;
}

static bool take_shape(scanner *s, data_npz_header *out) {
    out->ndim = 0;
    if (!take(s, "(")) {
        return false;
    }
    while (!take(s, ")")) {
        char *end;
        if (out->ndim == DATA_NPZ_NDIM || *s->at < '0' || *s->at > '9') {
            return false;
        }
        const long long size = strtoll(s->at, &end, 10);
        if (size > INT64_C(1) << 46) {
            return false;
        }
        out->dim[out->ndim++] = size;
        s->at = end;
        take(s, "L"); /* of Python 2 */
        take(s, ",");
    }
    return true;
}

/* '<i4': byte order, kind, bytes. */
static bool take_type(scanner *s, data_npz_header *out) {
    char word[WORD];
    if (!take_quoted(s, word)) {
        return false;
    }
    const char *at = word + (word[0] && strchr("<>|=", word[0]) ? 1 : 0);
    out->big = word[0] == '>';
    out->kind = *at;
    const long size = *at ? strtol(at + 1, NULL, 10) : 0;
    out->size = size > 0 && size <= 8 ? (int)size : 0;
    memcpy(out->type, word, WORD);
    return true;
}

static bool parse(const char *text, data_npz_header *out) {
    scanner s = {text};
    bool type = false, shape = false, order = false;
    if (!take(&s, "{")) {
        return false;
    }
    while (!take(&s, "}")) {
        char key[WORD];
        if (!take_quoted(&s, key) || !take(&s, ":")) {
            return false;
        }
        if (strcmp(key, "descr") == 0) {
            type = take_type(&s, out);
        } else if (strcmp(key, "shape") == 0) {
            shape = take_shape(&s, out);
        } else if (strcmp(key, "fortran_order") == 0) {
            out->fortran = take(&s, "True");
            order = out->fortran || take(&s, "False");
        } else {
            return false;
        }
        if (!take(&s, ",") && *s.at != '}') {
            return false;
        }
    }
    return type && shape && order;
}

hiss_status data_npz_read_header(data_archive *archive, const char *place, data_npz_header *out, hiss_error *err) {
    uint8_t head[START + 4] = {0};
    int64_t got = 0, more = 0;
    *out = (data_npz_header){0};
    hiss_status status = data_archive_read(archive, head, START, &got, err);
    if (status) {
        return status;
    }
    if (got < START || memcmp(head, "\x93NUMPY", 6) != 0 || head[6] < 1 || head[6] > 3) {
        return hiss_fail(err, HISS_EUSER, "%s: does not begin as an npy file of version 1, 2 or 3", place);
    }
    const int64_t width = head[6] == 1 ? 2 : 4;
    if ((status = data_archive_read(archive, head + START, width, &got, err))) {
        return status;
    }
    const uint32_t length =
        (uint32_t)head[8] | (uint32_t)head[9] << 8 | (uint32_t)head[10] << 16 | (uint32_t)head[11] << 24;
    if (got < width || length > HEADER_BYTES) {
        return hiss_fail(err, HISS_EUSER, "%s: an npy header of %u bytes; expected at most %d: damaged", place, length,
                         HEADER_BYTES);
    }
    char *text = hiss_alloc(length + 1);
    status = data_archive_read(archive, text, length, &more, err);
    if (!status && (more < length || !parse(text, out))) {
        status = hiss_fail(err, HISS_EUSER,
                           "%s: the npy header is not that of an array of numbers of at most %d dimensions: %.200s",
                           place, DATA_NPZ_NDIM, text);
    }
    hiss_free(text);
    return status;
}

bool data_npz_is_integer(const data_npz_header *header) {
    const int size = header->size;
    return (header->kind == 'b' && size == 1) ||
           ((header->kind == 'i' || header->kind == 'u') && (size == 1 || size == 2 || size == 4 || size == 8));
}

int64_t data_npz_value(const data_npz_header *header, const uint8_t *bytes) {
    uint64_t value = 0;
    for (int i = 0; i < header->size; i++) {
        value = value << 8 | bytes[header->big ? i : header->size - 1 - i];
    }
    const int unused = 64 - 8 * header->size;
    return header->kind == 'i' ? (int64_t)(value << unused) >> unused : value > INT64_MAX ? INT64_MAX : (int64_t)value;
}
