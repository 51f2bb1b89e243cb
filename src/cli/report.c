/* RUN/report.html: what a run has left so far on one page that needs no network and no scripts. Every part comes from
 * files of the run; those that are not there yet are left out, and the commands that make them write the page again. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "hiss/file.h"
#include "hiss/log.h"

static void heading(FILE *out, const char *title) {
    fputs("<h2>", out);
    hiss_text_write_escaped(out, title);
    fputs("</h2>\n", out);
}

/* A part whose file is there and cannot be read: the page says so, and so does the log. */
static void write_lacking(FILE *out, const char *run, const char *title, const hiss_error *err) {
    heading(out, title);
    fputs("<p>", out);
    hiss_text_write_escaped(out, err->text);
    fputs("</p>\n", out);
    hiss_warn("%s/report.html lacks a part: %s", run, err->text);
}

static void write_training(FILE *out, const char *run) {
    char path[CLI_PATH];
    hiss_arena *arena = hiss_arena_create();
    hiss_curves curves = {0};
    hiss_error err;
    snprintf(path, sizeof path, "%s/metrics.jsonl", run);
    if (hiss_file_exists(path) && cli_read_curves(run, arena, &curves, &err) != HISS_OK) {
        write_lacking(out, run, "Training", &err);
    } else if (curves.curves > 0) {
        heading(out, "Training");
        hiss_curves_html(out, &curves);
    }
    hiss_arena_destroy(arena);
}

static void write_evaluation(FILE *out, const char *run) {
    static const hiss_picture query = {"query.png", "Nearest neighbours asked for",
                                       "Of hiss query: test images at the left of their nearest training images. Green "
                                       "frames: the same label."};
    char path[CLI_PATH];
    hiss_evaluation *e = NULL;
    hiss_picture picture;
    hiss_error err = {0};
    snprintf(path, sizeof path, "%s/eval.json", run);
    if (hiss_file_exists(path) && hiss_evaluation_read(path, &e, &err) != HISS_OK) {
        write_lacking(out, run, "Evaluation", &err);
    }
    if (e) {
        heading(out, "Evaluation");
        hiss_evaluation_html(out, e);
    }
    if (e) {
        heading(out, "Pictures");
    }
    fputs("<div class=\"pictures\">\n", out);
    for (int k = 0; e && hiss_evaluation_picture(e, k, &picture); k++) {
        hiss_picture_html(out, run, picture.title, &picture);
    }
    hiss_picture_html(out, run, query.title, &query);
    fputs("</div>\n", out);
    if (e) {
        heading(out, "Details");
        hiss_evaluation_details_html(out, e);
    }
    hiss_evaluation_destroy(e);
}

/* A row for each scalar and list, named by its path. */
static void write_rows(FILE *out, hiss_arena *arena, const hiss_yaml *map, const char *prefix) {
    for (const hiss_yaml *node = map->first; node; node = node->next) {
        const char *name = hiss_arena_format(arena, "%s%s%s", prefix, *prefix ? "." : "", node->key);
        if (node->kind == HISS_YAML_MAP) {
            write_rows(out, arena, node, name);
            continue;
        }
        fputs("<tr><th scope=\"row\">", out);
        hiss_text_write_escaped(out, name);
        fputs("</th><td>", out);
        if (node->kind == HISS_YAML_SCALAR) {
            hiss_text_write_escaped(out, node->text);
        }
        for (const hiss_yaml *item = node->kind == HISS_YAML_LIST ? node->first : NULL; item; item = item->next) {
            char *text = NULL;
            size_t size = 0;
            FILE *stream = hiss_text_open(&text, &size);
            hiss_yaml_write(stream, item);
            fclose(stream);
            fputs(item == node->first ? "" : "<br>", out);
            hiss_text_write_escaped(out, text);
            free(text);
        }
        fputs("</td></tr>\n", out);
    }
}

static void write_summary(FILE *out, const char *run) {
    char path[CLI_PATH];
    hiss_arena *arena = hiss_arena_create();
    hiss_yaml *root = NULL;
    hiss_error err;
    snprintf(path, sizeof path, "%s/summary.yaml", run);
    if (hiss_file_exists(path) && hiss_yaml_read(arena, path, &root, &err) != HISS_OK) {
        write_lacking(out, run, "Summary", &err);
    } else if (root && root->kind == HISS_YAML_MAP) {
        heading(out, "Summary");
        fputs("<table class=\"text\"><tbody>\n", out);
        write_rows(out, arena, root, "");
        fputs("</tbody></table>\n", out);
    }
    hiss_arena_destroy(arena);
}

static void write_config(FILE *out, const char *run) {
    char path[CLI_PATH];
    size_t size = 0;
    snprintf(path, sizeof path, "%s/config.yaml", run);
    unsigned char *text = hiss_file_bytes(path, &size);
    if (text) {
        heading(out, "Config");
        fputs("<pre>", out);
        hiss_text_write_escaped(out, (const char *)text);
        fputs("</pre>\n", out);
    }
    hiss_free(text);
}

static void write_page(FILE *out, const void *user) {
    const char *run = user;
    hiss_page_begin(out, "hiss", run);
    write_training(out, run);
    write_evaluation(out, run);
    write_summary(out, run);
    write_config(out, run);
    fputs("</body></html>\n", out);
}

hiss_status cli_write_report(const char *run, hiss_error *err) {
    char path[CLI_PATH];
    snprintf(path, sizeof path, "%s/report.html", run);
    return hiss_file_write_by(path, write_page, run, err);
}
