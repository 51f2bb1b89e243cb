/* safetensors: 8 bytes, the length of a header; the header in JSON, filled up with blanks so that values begin at a
 * multiple of 8; then the values of all arrays, one behind the other without a gap. */
#include <inttypes.h>
#include <stdlib.h>

#include "export/export_impl.h"
#include "hiss/export.h"

static void write_header(const hiss_weights *w, FILE *stream) {
    int64_t at = 0;
    fputs("{\"__metadata__\": ", stream);
    export_notes(stream, w);
    for (int k = 0; k < w->count; k++) {
        const hiss_weight *a = &w->weight[k];
        fputs(", ", stream);
        hiss_json_text(stream, a->name);
        fputs(": {\"dtype\": \"F32\", \"shape\": [", stream);
        for (int d = 0; d < a->shape.ndim; d++) {
            fprintf(stream, "%s%" PRId64, d ? ", " : "", a->shape.dim[d]);
        }
        fprintf(stream, "], \"data_offsets\": [%" PRId64 ", %" PRId64 "]}", at, at + export_bytes_of(a));
        at += export_bytes_of(a);
    }
    fputc('}', stream);
}

void hiss_safetensors_write(const hiss_weights *w, FILE *stream) {
    char *header = NULL;
    size_t length = 0;
    FILE *text = hiss_text_open(&header, &length);
    write_header(w, text);
    for (long at = ftell(text); at % 8 != 0; at++) {
        fputc(' ', text);
    }
    fclose(text);
    export_number(stream, length, 8);
    fwrite(header, 1, length, stream);
    free(header);
    for (int k = 0; k < w->count; k++) {
        export_floats(stream, hiss_shape_count(&w->weight[k].shape), w->weight[k].values);
    }
}
