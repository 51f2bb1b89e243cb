/* Private to src/export: messages of protocol buffers, as bytes. A field is its number and kind, then its value; whole
 * numbers are written seven bits at a time, the least first. */
#ifndef HISS_PROTOBUF_H
#define HISS_PROTOBUF_H

#include <stdint.h>
#include <stdio.h>

typedef struct export_message { /* one being written */
    char *bytes;
    size_t count;
    FILE *stream;
} export_message;

void export_message_begin(export_message *m);
void export_put_int(export_message *m, int field, int64_t value);
void export_put_float(export_message *m, int field, float value);
void export_put_double(export_message *m, int field, double value);
void export_put_bytes(export_message *m, int field, const void *bytes, size_t count);
void export_put_text(export_message *m, int field, const char *text);
/* As a field of `whole`; the part is gone then. */
void export_put_message(export_message *whole, int field, export_message *part);
/* What has been put so far; its bytes are freed by free(). */
void export_message_end(export_message *m);

#endif
