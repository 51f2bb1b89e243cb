/* An evaluation as HTML: bars of each layer beside its controls, a table for each group of columns, small enough for a
 * phone, and the details of the fits. Tables and bars stand in a grid (class "cards") that has as many columns as the
 * page has room for. */
#include <math.h>
#include <string.h>

#include "eval/evaluation.h"
#include "hiss/alloc.h"
#include "hiss/file.h"

enum { NOTE = 1024, PICTURE_PATH = 4096 };

const char hiss_page_style[] =
    "*{box-sizing:border-box}"
    "body{font:16px/1.45 system-ui,'DejaVu Sans',sans-serif;max-width:76rem;margin:0 auto;padding:1rem;color:#222}"
    "h1{font-size:1.5rem;margin:.5rem 0;overflow-wrap:anywhere}"
    "h2{font-size:1.15rem;margin:2rem 0 .6rem;border-bottom:1px solid #ccc}"
    "h3{font-size:1rem;margin:0}"
    ".cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,20.5rem),1fr));gap:1.2rem 1.8rem;"
    "align-items:start}"
    ".cards>*{margin:0;min-width:0}"
    "p,ul{margin:.3rem 0 .8rem}ul{padding-left:1.2rem}.note{color:#555;font-size:.82rem;margin:.1rem 0 .3rem}"
    "table{border-collapse:collapse;width:100%;font-size:.85rem;font-variant-numeric:tabular-nums}"
    "th,td{padding:.15rem .3rem;border-bottom:1px solid #e4e4e4;text-align:right;vertical-align:baseline}"
    "thead th{border-bottom:1px solid #999;font-weight:600}"
    "th:first-child,.text "
    "td{text-align:left;overflow-wrap:anywhere}th:first-child{min-width:6.1rem}.card{overflow-x:auto}"
    "tbody th{font-weight:400}small{color:#555}"
    "figure{margin:0}figcaption{font-size:.85rem;color:#555;margin-top:.3rem}"
    ".pictures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,29rem),1fr));gap:1.2rem 1.8rem;"
    "align-items:start}.text{table-layout:fixed}.text th:first-child{width:15rem}"
    "img{max-width:100%;height:auto}svg{width:100%;height:auto;display:block}"
    ".bar{display:grid;grid-template-columns:4.2rem 1fr 6.6rem;gap:.4rem;align-items:center;font-size:.82rem;"
    "line-height:1.35;font-variant-numeric:tabular-nums}"
    ".bar .track{position:relative;height:.72rem;background:#eef0f2}"
    ".bar .track i{display:block;height:100%;background:#8a9099}.bar .track "
    "b{position:absolute;top:-.1rem;bottom:-.1rem;"
    "border-left:2px solid #222}.bar i.trained{background:#0072b2!important}.bar i.random{background:#e69f00!important}"
    ".layer{margin:.35rem 0 0;font-size:.82rem;font-weight:600;overflow-wrap:anywhere}"
    ".key{display:inline-block;width:.8rem;height:.8rem;background:#8a9099;margin-right:.3rem}"
    ".key.trained{background:#0072b2}.key.random{background:#e69f00}.key.line{background:none;width:0;"
    "border-left:2px solid #222}"
    "pre{background:#f6f7f8;padding:.8rem;font-size:.8rem;line-height:1.35;white-space:pre-wrap;overflow-wrap:anywhere;"
    "margin:.4rem 0}summary{cursor:pointer;margin:.6rem 0}"
    "@media(max-width:30rem){body{padding:.7rem}th,td{padding:.15rem .2rem}.text th:first-child{width:8.5rem}}"
    "@media print{@page{margin:14mm}body{max-width:none;padding:0;font-size:10.5pt}"
    ".cards{grid-template-columns:repeat(2,minmax(0,1fr));gap:1rem 1.4rem}"
    "h2,h3{break-after:avoid}.card,figure,tr{break-inside:avoid}.pictures{display:block}img{max-height:21cm}"
    "pre{font-size:7.5pt}"
    "details::details-content{content-visibility:visible;height:auto;display:block}"
    "*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}";

static void write_number(FILE *out, const column *c, double value) {
    char text[NUMBER_TEXT];
    if (isnan(value)) {
        fputs("-", out);
        return;
    }
    eval_number_text(c, value, (double)NAN, text);
    fputs("<data value=\"", out);
    eval_evaluation_number(out, c->form, value);
    fprintf(out, "\">%s</data>", text);
}

static void write_with_spread(FILE *out, const column *c, double value, double spread) {
    write_number(out, c, value);
    if (!isnan(value) && !isnan(spread)) {
        fputs(" <small>± ", out);
        write_number(out, c, spread);
        fputs("</small>", out);
    }
}

static void write_count(FILE *out, int64_t count) {
    fprintf(out, "<data value=\"%lld\">%lld</data>", (long long)count, (long long)count);
}

/* "trained/conv2" may break after its slash. */
static void write_name(FILE *out, const char *name) {
    const char *slash = strchr(name, '/');
    char who[64];
    if (slash) {
        snprintf(who, sizeof who, "%.*s/", (int)(slash - name), name);
        hiss_text_write_escaped(out, who);
        fputs("<wbr>", out);
    }
    hiss_text_write_escaped(out, slash ? slash + 1 : name);
}

/* ---- bars ---- */

static const char *layer_of(const judged_subject *s) {
    const char *slash = strchr(s->name, '/');
    return slash ? slash + 1 : s->name;
}

static bool is_trained(const judged_subject *s) {
    return strncmp(s->name, "trained", strlen("trained")) == 0;
}

/* What a bar of full width is: 100 of per cent, else the largest value. */
static double full_width(const hiss_evaluation *e, int judgement, int k) {
    const column *c = &e->judged[judgement].column[k];
    double most = isnan(c->baseline) ? 0.0 : c->baseline;
    for (const judged_subject *s = e->subjects; s; s = s->next) {
        most = fmax(most, s->value[judgement][k]);
    }
    return strcmp(c->unit, "%") == 0 ? 100.0 : most > 0.0 ? most : 1.0;
}

static double share(double value, double full) {
    return isfinite(value) ? 100.0 * fmin(fmax(value / full, 0.0), 1.0) : 0.0;
}

static void write_bar(FILE *out, const column *c, const judged_subject *s, double value, double spread, double full) {
    const char *colour = is_trained(s) ? "trained" : strncmp(s->name, "random", 6) == 0 ? "random" : "other";
    const char *slash = strchr(s->name, '/');
    char who[64];
    snprintf(who, sizeof who, "%.*s", slash ? (int)(slash - s->name) : 0, s->name);
    fputs("<div class=\"bar\"><span>", out);
    hiss_text_write_escaped(out, who);
    fprintf(out, "</span><span class=\"track\"><i class=\"%s\" style=\"width:%.2f%%\"></i>", colour,
            share(value, full));
    if (!isnan(c->baseline)) {
        fprintf(out, "<b style=\"left:%.2f%%\"></b>", share(c->baseline, full));
    }
    fputs("</span><span>", out);
    write_with_spread(out, c, value, spread);
    fputs("</span></div>\n", out);
}

/* The bars of one layer: the trained network first. Draws those of the layers that no earlier subject has. */
static void write_layer(FILE *out, const hiss_evaluation *e, int judgement, int k, const judged_subject *first,
                        double full) {
    for (const judged_subject *s = e->subjects; s != first; s = s->next) {
        if (s->has[judgement] && strcmp(layer_of(s), layer_of(first)) == 0) {
            return;
        }
    }
    fputs("<p class=\"layer\">", out);
    hiss_text_write_escaped(out, layer_of(first));
    fputs("</p>\n", out);
    for (int trained = 1; trained >= 0; trained--) {
        for (const judged_subject *s = first; s; s = s->next) {
            if (s->has[judgement] && is_trained(s) == (trained == 1) && strcmp(layer_of(s), layer_of(first)) == 0) {
                write_bar(out, &e->judged[judgement].column[k], s, s->value[judgement][k], s->spread[judgement][k],
                          full);
            }
        }
    }
}

static void write_head(FILE *out, const judged *j, int first, int count, const char *more) {
    char note[NOTE];
    fputs("<h3>", out);
    hiss_text_write_escaped(out, j->column[first].group);
    hiss_text_write_escaped(out, more);
    fputs("</h3>\n<p class=\"note\">", out);
    eval_table_note(j, first, count, note, sizeof note);
    hiss_text_write_escaped(out, note);
    fputs("</p>\n", out);
}

static void write_bars(FILE *out, const hiss_evaluation *e, int judgement, int k) {
    const judged *j = &e->judged[judgement];
    char heading[NUMBER_TEXT], more[NUMBER_TEXT + 8];
    eval_heading_text(&j->column[k], heading);
    snprintf(more, sizeof more, ", %s", heading);
    fputs("<div class=\"card\">\n", out);
    write_head(out, j, k, 1, more);
    for (const judged_subject *s = e->subjects; s; s = s->next) {
        if (s->has[judgement]) {
            write_layer(out, e, judgement, k, s, full_width(e, judgement, k));
        }
    }
    fputs("</div>\n", out);
}

static void write_all_bars(FILE *out, const hiss_evaluation *e) {
    bool any = false;
    for (int j = 0; j < e->judgements; j++) {
        for (int k = 0; k < e->judged[j].columns; k++) {
            if (e->judged[j].column[k].main && e->judged[j].column[k].group) {
                fputs(any ? ""
                          : "<p class=\"note\"><span class=\"key trained\"></span>trained &nbsp; <span class=\"key "
                            "random\"></span>random: the same network before training &nbsp; <span class=\"key\">"
                            "</span>raw: pixels &nbsp; <span class=\"key line\"></span>baseline</p>\n<div "
                            "class=\"cards\">\n",
                      out);
                any = true;
                write_bars(out, e, j, k);
            }
        }
    }
    fputs(any ? "</div>\n" : "", out);
}

/* ---- tables ---- */

static void write_table(FILE *out, const hiss_evaluation *e, int judgement, int first, int count) {
    const judged *j = &e->judged[judgement];
    char heading[NUMBER_TEXT];
    fputs("<div class=\"card\">\n", out);
    write_head(out, j, first, count, "");
    fputs("<table><thead><tr><th scope=\"col\">features</th>", out);
    for (int k = first; k < first + count; k++) {
        fputs("<th scope=\"col\">", out);
        eval_heading_text(&j->column[k], heading);
        hiss_text_write_escaped(out, heading);
        fputs("</th>", out);
    }
    fputs("</tr></thead><tbody>\n", out);
    for (const judged_subject *s = e->subjects; s; s = s->next) {
        if (!s->has[judgement]) {
            continue;
        }
        fputs("<tr><th scope=\"row\">", out);
        write_name(out, s->name);
        fputs("</th>", out);
        for (int k = first; k < first + count; k++) {
            fputs("<td>", out);
            write_with_spread(out, &j->column[k], s->value[judgement][k], s->spread[judgement][k]);
            fputs("</td>", out);
        }
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
}

/* Each layer's size, and the time its judgements took. */
static void write_layers(FILE *out, const hiss_evaluation *e) {
    static const column seconds = {.unit = "s", .form = HISS_FORM_GENERAL};
    fputs(
        "<div class=\"card\">\n<h3>layers</h3>\n<p class=\"note\">D: features per sample</p>\n<table><thead><tr><th "
        "scope=\"col\">features</th><th scope=\"col\">D</th><th scope=\"col\">judged in (s)</th></tr></thead><tbody>\n",
        out);
    for (const judged_subject *s = e->subjects; s; s = s->next) {
        fputs("<tr><th scope=\"row\">", out);
        write_name(out, s->name);
        fputs("</th><td>", out);
        if (s->D > 0) {
            write_count(out, s->D);
        } else {
            fputs("-", out);
        }
        fputs("</td><td>", out);
        write_number(out, &seconds, s->seconds);
        fputs("</td></tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
}

static void write_tables(FILE *out, const hiss_evaluation *e) {
    fputs("<div class=\"cards\">\n", out);
    for (int j = 0; j < e->judgements; j++) {
        for (int k = 0, count; k<e->judged[j].columns; k += count> 0 ? count : 1) {
            count = eval_judged_table(&e->judged[j], k);
            if (count > 0) {
                write_table(out, e, j, k, count);
            }
        }
    }
    write_layers(out, e);
    fputs("</div>\n", out);
}

static void write_item(FILE *out, const char *before, const char *text) {
    fputs("<li>", out);
    hiss_text_write_escaped(out, before);
    hiss_text_write_escaped(out, text);
    fputs("</li>\n", out);
}

static void write_samples(FILE *out, const hiss_evaluation *e) {
    for (const judged_subject *s = e->subjects; s; s = s->next) {
        if (s->D > 0) {
            fputs("<p>Trained on ", out);
            write_count(out, s->train);
            fputs(" samples, tested on ", out);
            write_count(out, s->test);
            fputs(s->classes > 0 ? ", of " : ", without labels", out);
            if (s->classes > 0) {
                write_count(out, s->classes);
                fputs(" classes", out);
            }
            fputs(".</p>\n", out);
            return;
        }
    }
}

void hiss_evaluation_html(FILE *out, const hiss_evaluation *e) {
    write_samples(out, e);
    write_all_bars(out, e);
    fputs("<h2>Tables</h2>\n", out);
    write_tables(out, e);
    fputs("<ul class=\"note\">\n", out);
    for (const char *line = e->samples; *line;) {
        char sentence[512];
        const size_t length = strcspn(line, "\n");
        snprintf(sentence, sizeof sentence, "%.*s", (int)length, line);
        write_item(out, "", sentence);
        line += length + (line[length] == '\n');
    }
    for (int j = 0; j < e->judgements; j++) {
        for (const text_list *r = e->judged[j].remarks; r; r = r->next) {
            write_item(out, "", r->text);
        }
        if (e->judged[j].left_out) {
            char before[128];
            snprintf(before, sizeof before, "left out: %.100s: ", e->judged[j].name);
            write_item(out, before, e->judged[j].left_out);
        }
    }
    fputs("<li>&plusmn;: standard deviation</li>\n</ul>\n", out);
}

/* ---- details ---- */

static void write_detail_card(FILE *out, const judged *j, int judgement, const judged_subject *s) {
    fputs("<div class=\"card\">\n<h3>", out);
    hiss_text_write_escaped(out, s->name);
    fputs("</h3>\n<table><tbody>\n", out);
    for (int k = 0; k < j->columns; k++) {
        const column *c = &j->column[k];
        char heading[NUMBER_TEXT];
        if (!c->group && !isnan(s->value[judgement][k])) {
            fputs("<tr><th scope=\"row\">", out);
            eval_heading_text(c, heading);
            for (char *at = heading; (at = strchr(at, '_')) != NULL;) {
                *at = ' ';
            }
            hiss_text_write_escaped(out, heading);
            if (c->samples > 0) {
                fprintf(out, ", %lld samples", (long long)c->samples);
            }
            fputs("</th><td>", out);
            write_with_spread(out, c, s->value[judgement][k], s->spread[judgement][k]);
            fputs("</td></tr>\n", out);
        }
    }
    fputs("</tbody></table></div>\n", out);
}

void hiss_evaluation_details_html(FILE *out, const hiss_evaluation *e) {
    for (int i = 0; i < e->judgements; i++) {
        const judged *j = &e->judged[i];
        bool any = false;
        for (const judged_subject *s = e->subjects; s; s = s->next) {
            bool has = false;
            for (int k = 0; k < j->columns; k++) {
                has = has || (!j->column[k].group && !isnan(s->value[i][k]));
            }
            if (has && !any) {
                fputs("<details><summary>", out);
                hiss_text_write_escaped(out, j->title);
                fputs(": details</summary>\n<div class=\"cards\">\n", out);
                any = true;
            }
            if (has) {
                write_detail_card(out, j, i, s);
            }
        }
        fputs(any ? "</div></details>\n" : "", out);
    }
}

void hiss_page_begin(FILE *out, const char *kind, const char *title) {
    fprintf(out,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>%s: ",
            kind);
    hiss_text_write_escaped(out, title);
    fprintf(out, "</title><style>%s</style></head><body>\n<h1>", hiss_page_style);
    hiss_text_write_escaped(out, title);
    fputs("</h1>\n", out);
}

/* ---- pictures ---- */

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

static const struct shown {
    const char *begins, *type;
    bool sound;
} kinds[] = {{"\x89PNG", "image/png", false}, {"RIFF", "audio/wav", true}, {"<svg ", "image/svg+xml", false}};

/* The bytes of a file that begins as one of these kinds; NULL: there is none. */
static unsigned char *read_shown(const char *path, size_t *size, const struct shown **kind) {
    unsigned char *bytes = hiss_file_bytes(path, size);
    *kind = NULL;
    for (int k = 0; k < HISS_COUNT(kinds) && bytes; k++) {
        const size_t length = strlen(kinds[k].begins);
        *kind = *size > length && memcmp(bytes, kinds[k].begins, length) == 0 ? &kinds[k] : *kind;
    }
    if (!*kind) {
        hiss_free(bytes);
    }
    return *kind ? bytes : NULL;
}

void hiss_picture_html(FILE *out, const char *directory, const char *heading, const hiss_picture *p) {
    char path[PICTURE_PATH];
    size_t size = 0;
    snprintf(path, sizeof path, "%s/%s", directory, p->file);
    const struct shown *kind;
    unsigned char *bytes = strchr(p->file, '/') ? NULL : read_shown(path, &size, &kind);
    if (bytes) {
        fputs("<figure><h3>", out);
        hiss_text_write_escaped(out, heading);
        fputs(kind->sound ? "</h3><audio controls aria-label=\"" : "</h3><img alt=\"", out);
        hiss_text_write_escaped(out, heading);
        fprintf(out, "\" src=\"data:%s;base64,", kind->type);
        base64(out, bytes, size);
        fputs(kind->sound ? "\"></audio><figcaption>" : "\"><figcaption>", out);
        hiss_text_write_escaped(out, p->caption);
        fputs("</figcaption></figure>\n", out);
    }
    hiss_free(bytes);
}
