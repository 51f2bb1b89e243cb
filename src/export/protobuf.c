#include "export/protobuf.h"

#include <stdlib.h>
#include <string.h>

#include "export/export_impl.h"

enum { WHOLE = 0, EIGHT_BYTES = 1, LENGTH = 2, FOUR_BYTES = 5 };

static void put_varint(FILE *stream, uint64_t value) {
    for (; value >= 0x80; value >>= 7) {
        fputc((int)(value & 0x7f) | 0x80, stream);
    }
    fputc((int)value, stream);
}

static void put_tag(FILE *stream, int field, int kind) {
    put_varint(stream, (uint64_t)field << 3 | (uint64_t)kind);
}

void export_message_begin(export_message *m) {
    *m = (export_message){0};
    m->stream = hiss_text_open(&m->bytes, &m->count);
}

void export_message_end(export_message *m) {
    fclose(m->stream);
    m->stream = NULL;
}

void export_put_int(export_message *m, int field, int64_t value) {
    put_tag(m->stream, field, WHOLE);
    put_varint(m->stream, (uint64_t)value);
}

void export_put_float(export_message *m, int field, float value) {
    put_tag(m->stream, field, FOUR_BYTES);
    export_floats(m->stream, 1, &value);
}

void export_put_double(export_message *m, int field, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_tag(m->stream, field, EIGHT_BYTES);
    export_number(m->stream, bits, 8);
}

void export_put_bytes(export_message *m, int field, const void *bytes, size_t count) {
    put_tag(m->stream, field, LENGTH);
    put_varint(m->stream, count);
    fwrite(bytes, 1, count, m->stream);
}

void export_put_text(export_message *m, int field, const char *text) {
    export_put_bytes(m, field, text, strlen(text));
}

void export_put_message(export_message *whole, int field, export_message *part) {
    export_message_end(part);
    export_put_bytes(whole, field, part->bytes, part->count);
    free(part->bytes);
}
