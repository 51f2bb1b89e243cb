/* npz: a zip archive of npy files, stored and not compressed, as numpy.savez writes it. All members have the date that
 * zip begins with, 1980-01-01, so that the bytes depend on the arrays alone.
 *
 * A member is a local header, its name, its bytes. A directory of all members follows, then where it is (APPNOTE.TXT of
 * PKWARE, 4.3). An npy file of version 1 is "\x93NUMPY", 1, 0, 16 bits of length, a Python literal filled up with blanks so
 * that values begin at a multiple of 64, the values (NEP 1). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "export/export_impl.h"

enum { ALIGNMENT = 64, DATE = 1 << 5 | 1, VERSION = 20, LOCAL_BYTES = 30, CENTRAL_BYTES = 46 };
enum { LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END = 0x06054b50 };

typedef struct member {
    char *name, *bytes;
    size_t count;
    uint32_t sum;
    uint64_t place;
} member;

static uint32_t crc32_of(const char *bytes, size_t count) {
    uint32_t table[256], sum = 0xffffffffu;
    for (uint32_t k = 0; k < 256; k++) {
        table[k] = k;
        for (int bit = 0; bit < 8; bit++) {
            table[k] = table[k] >> 1 ^ (table[k] & 1 ? 0xedb88320u : 0);
        }
    }
    for (size_t i = 0; i < count; i++) {
        sum = table[(sum ^ (uint8_t)bytes[i]) & 0xff] ^ sum >> 8;
    }
    return ~sum;
}

/* ---- npy ---- */

static void write_npy_header(FILE *stream, const char *type, const hiss_shape *shape) {
    char dims[HISS_MAX_NDIM * 24] = "", text[256];
    for (int d = 0; d < shape->ndim; d++) {
        const size_t used = strlen(dims);
        snprintf(dims + used, sizeof dims - used, "%s%" PRId64 "%s", d ? ", " : "", shape->dim[d],
                 shape->ndim == 1 ? "," : "");
    }
    const int length =
        snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", type, dims);
    const int whole = (10 + length + 1 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT - 10;
    fwrite("\x93NUMPY\x01\x00", 1, 8, stream);
    export_number(stream, (uint64_t)whole, 2);
    fprintf(stream, "%-*s\n", whole - 1, text);
}

/* How many code points a text in UTF-8 has. */
static int64_t points_of(const char *text) {
    int64_t count = 0;
    for (; *text; text++) {
        count += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return count;
}

/* As an array without dimensions, of numpy's texts: 4 bytes for each code point. */
static void write_text(FILE *stream, const char *text) {
    char type[32];
    snprintf(type, sizeof type, "<U%" PRId64, points_of(text));
    write_npy_header(stream, type, &(hiss_shape){0});
    for (const unsigned char *c = (const unsigned char *)text; *c;) {
        uint32_t point = *c < 0x80 ? *c : *c < 0xe0 ? *c & 0x1fu : *c < 0xf0 ? *c & 0x0fu : *c & 0x07u;
        for (c++; (*c & 0xc0) == 0x80; c++) {
            point = point << 6 | (*c & 0x3fu);
        }
        export_number(stream, point, 4);
    }
}

/* ---- zip ---- */

static void write_common(FILE *stream, const member *m) {
    export_number(stream, VERSION, 2);
    export_number(stream, 0, 4); /* flags; stored */
    export_number(stream, 0, 2); /* midnight */
    export_number(stream, DATE, 2);
    export_number(stream, m->sum, 4);
    export_number(stream, m->count, 4);
    export_number(stream, m->count, 4);
    export_number(stream, strlen(m->name), 2);
    export_number(stream, 0, 2); /* of extra fields */
}

static void write_member(FILE *stream, const member *m) {
    export_number(stream, LOCAL, 4);
    write_common(stream, m);
    fputs(m->name, stream);
    fwrite(m->bytes, 1, m->count, stream);
}

static void write_directory(FILE *stream, int count, const member *members, uint64_t place) {
    uint64_t bytes = 0;
    for (int k = 0; k < count; k++) {
        const member *m = &members[k];
        export_number(stream, CENTRAL, 4);
        export_number(stream, 3 << 8 | VERSION, 2); /* made by Unix, for the permissions below */
        write_common(stream, m);
        export_number(stream, 0, 6); /* of a comment; disk; kind */
        export_number(stream, (uint64_t)0100644 << 16, 4);
        export_number(stream, m->place, 4);
        fputs(m->name, stream);
        bytes += CENTRAL_BYTES + strlen(m->name);
    }
    export_number(stream, END, 4);
    export_number(stream, 0, 4);
    export_number(stream, (uint64_t)count, 2);
    export_number(stream, (uint64_t)count, 2);
    export_number(stream, bytes, 4);
    export_number(stream, place, 4);
    export_number(stream, 0, 2);
}

/* ---- the archive ---- */

static void fill_member(member *m, const char *name, const hiss_weight *weight, const char *text) {
    FILE *stream = hiss_text_open(&m->bytes, &m->count);
    if (weight) {
        write_npy_header(stream, "<f4", &weight->shape);
        export_floats(stream, hiss_shape_count(&weight->shape), weight->values);
    } else {
        write_text(stream, text);
    }
    fclose(stream);
    m->name = hiss_alloc(strlen(name) + sizeof ".npy");
    strcat(strcpy(m->name, name), ".npy");
    m->sum = crc32_of(m->bytes, m->count);
}

static hiss_status expect_fits(const hiss_weights *w, hiss_error *err) {
    int64_t bytes = 0;
    for (int k = 0; k < w->count; k++) {
        bytes += export_bytes_of(&w->weight[k]) + 1024;
    }
    return bytes < INT64_C(0xf0000000) && w->count < 0xfffe
               ? HISS_OK
               : hiss_fail(err, HISS_EUSER,
                           "the arrays have %" PRId64
                           " bytes in %d members, and npz is written up to 4 GiB and 65,534 of "
                           "them; export to safetensors",
                           bytes, w->count);
}

hiss_status hiss_npz_write(const hiss_weights *w, FILE *stream, hiss_error *err) {
    const hiss_status s = expect_fits(w, err);
    if (s != HISS_OK) {
        return s;
    }
    const int count = w->count + 1;
    member *members = hiss_new(member, count);
    char *notes = NULL;
    size_t length = 0;
    uint64_t place = 0;
    FILE *text = hiss_text_open(&notes, &length);
    export_notes(text, w);
    fclose(text);
    for (int k = 0; k < count; k++) {
        member *m = &members[k];
        fill_member(m, k ? w->weight[k - 1].name : "metadata", k ? &w->weight[k - 1] : NULL, notes);
        m->place = place;
        write_member(stream, m);
        place += LOCAL_BYTES + strlen(m->name) + m->count;
        free(m->bytes);
    }
    write_directory(stream, count, members, place);
    for (int k = 0; k < count; k++) {
        hiss_free(members[k].name);
    }
    hiss_free(members);
    free(notes);
    return HISS_OK;
}
