/* RUN/report.html: what a run has left so far on one page that needs no network. Every part is a file of the run; those
 * that are not there yet are left out, and the commands that make them write the page again. */
#include <string.h>

#include "cli/cli.h"
#include "hiss/file.h"

typedef struct part {
    const char *title, *file;
    enum { PART_TEXT, PART_SVG, PART_PNG } kind;
} part;

static const part parts[] = {{"Training", "curves.svg", PART_SVG},
                             {"Features", "eval.txt", PART_TEXT},
                             {"First-layer filters", "filters.png", PART_PNG},
                             {"Nearest neighbours", "query.png", PART_PNG},
                             {"Summary", "summary.yaml", PART_TEXT},
                             {"Config", "config.yaml", PART_TEXT}};

static const char style[] =
    "body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem;border-bottom:1px solid #ddd}"
    "pre{background:#f6f7f8;padding:.8rem;overflow-x:auto;font-size:.82rem;line-height:1.35}"
    "svg,img{max-width:100%;height:auto}";

/* The whole file in memory of its own, or NULL. */
static unsigned char *slurp(const char *path, size_t *size) {
    FILE *in = fopen(path, "rb");
    unsigned char *bytes = NULL;
    if (in && fseek(in, 0, SEEK_END) == 0) {
        const long length = ftell(in);
        rewind(in);
        bytes = hiss_alloc((size_t)(length > 0 ? length : 0) + 1);
        *size = fread(bytes, 1, (size_t)(length > 0 ? length : 0), in);
    }
    if (in) {
        fclose(in);
    }
    return bytes;
}

static void base64(FILE *out, const unsigned char *b, size_t size) {
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        const unsigned word = (unsigned)b[i] << 16 | (i + 1 < size ? (unsigned)b[i + 1] << 8 : 0u) |
                              (i + 2 < size ? (unsigned)b[i + 2] : 0u);
        fputc(digit[word >> 18], out);
        fputc(digit[word >> 12 & 63], out);
        fputc(i + 1 < size ? digit[word >> 6 & 63] : '=', out);
        fputc(i + 2 < size ? digit[word & 63] : '=', out);
    }
}

static void write_part(FILE *out, const part *p, const unsigned char *bytes, size_t size) {
    fprintf(out, "<h2>%s</h2>\n", p->title);
    if (p->kind == PART_TEXT) {
        fputs("<pre>", out);
        hiss_write_escaped(out, (const char *)bytes);
        fputs("</pre>\n", out);
    } else if (p->kind == PART_SVG) {
        const char *svg = strstr((const char *)bytes, "<svg");
        fputs(svg ? svg : "", out);
    } else {
        fprintf(out, "<img alt=\"%s\" src=\"data:image/png;base64,", p->title);
        base64(out, bytes, size);
        fputs("\">\n", out);
    }
}

static void write_page(FILE *out, const void *user) {
    const char *run = user;
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>hiss: ", out);
    hiss_write_escaped(out, run);
    fprintf(out, "</title><style>%s</style></head><body>\n<h1>", style);
    hiss_write_escaped(out, run);
    fputs("</h1>\n", out);
    for (int k = 0; k < HISS_COUNT(parts); k++) {
        char path[CLI_PATH];
        size_t size = 0;
        snprintf(path, sizeof path, "%s/%s", run, parts[k].file);
        unsigned char *bytes = slurp(path, &size);
        if (bytes) {
            write_part(out, &parts[k], bytes, size);
        }
        hiss_free(bytes);
    }
    fputs("</body></html>\n", out);
}

hiss_status cli_write_report(const char *run, hiss_error *err) {
    char path[CLI_PATH];
    snprintf(path, sizeof path, "%s/report.html", run);
    return hiss_file_write_by(path, write_page, run, err);
}
