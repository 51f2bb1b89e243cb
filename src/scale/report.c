/* Tables of texts, and the page around them. */
#include "hiss/report.h"

#include <string.h>

#include "hiss/eval.h"

void hiss_report_begin(hiss_report_table *t, hiss_arena *arena, const char *title, const char *note, int left,
                       int columns, const char *const *head, int rows) {
    *t = (hiss_report_table){.title = title, .note = note, .columns = columns, .left = left, .capacity = rows};
    t->head = hiss_arena_alloc(arena, sizeof(char *) * (size_t)columns);
    memcpy(t->head, head, sizeof(char *) * (size_t)columns);
    t->cell = hiss_arena_alloc(arena, sizeof(char *) * (size_t)(columns * rows + 1));
    t->strong = hiss_arena_alloc(arena, sizeof(bool) * (size_t)(columns * rows + 1));
}

static void put(hiss_report_table *t, const char *text, bool strong) {
    if (t->column == 0 && t->rows < t->capacity) {
        t->rows++;
    }
    const int at = (t->rows - 1) * t->columns + t->column;
    t->cell[at] = text;
    t->strong[at] = strong;
    t->column = (t->column + 1) % t->columns;
}

void hiss_report_put(hiss_report_table *t, const char *text) {
    put(t, text, false);
}

void hiss_report_put_strong(hiss_report_table *t, const char *text) {
    put(t, text, true);
}

/* ---- text ---- */

static int letters(const char *s) {
    int n = 0;
    for (; *s; s++) {
        n += ((unsigned char)*s & 0xC0) != 0x80;
    }
    return n;
}

static void print_row(FILE *out, const hiss_report_table *t, const char *const *cell, const int *width) {
    for (int c = 0; c < t->columns; c++) {
        const int blanks = width[c] - letters(cell[c]);
        if (c < t->left) {
            fprintf(out, "%s%s%*s", c ? "  " : "", cell[c], c + 1 < t->columns ? blanks : 0, "");
        } else {
            fprintf(out, "  %*s%s", blanks, "", cell[c]);
        }
    }
    fputc('\n', out);
}

void hiss_report_text(FILE *out, const hiss_report_table *t) {
    int *width = hiss_new(int, t->columns);
    for (int c = 0; c < t->columns; c++) {
        width[c] = letters(t->head[c]);
        for (int r = 0; r < t->rows; r++) {
            const int w = letters(t->cell[r * t->columns + c]);
            width[c] = w > width[c] ? w : width[c];
        }
    }
    fprintf(out, "\n%s\n", t->title);
    print_row(out, t, t->head, width);
    for (int r = 0; r < t->rows; r++) {
        print_row(out, t, t->cell + r * t->columns, width);
    }
    hiss_free(width);
}

/* ---- Markdown ---- */

/* A bar would end the cell. */
static void write_cell(FILE *out, const char *text, bool strong) {
    fputs(strong ? " **" : " ", out);
    for (; *text; text++) {
        fputs(*text == '|' ? "\\|" : (char[]){*text, 0}, out);
    }
    fputs(strong ? "** |" : " |", out);
}

void hiss_report_markdown(FILE *out, const hiss_report_table *t) {
    for (int r = -1; r < t->rows; r++) {
        fputc('|', out);
        for (int c = 0; c < t->columns; c++) {
            const int at = r * t->columns + c;
            write_cell(out, r < 0 ? t->head[c] : t->cell[at], r >= 0 && t->strong[at]);
        }
        for (int c = 0; c < t->columns && r < 0; c++) {
            fputs(c == 0 ? "\n| --- |" : c < t->left ? " --- |" : " ---: |", out);
        }
        fputc('\n', out);
    }
}

/* ---- pages ---- */

static const char style[] =
    "body{font:16px/1.5 system-ui,'DejaVu Sans',sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin:2rem 0 .4rem;border-bottom:1px solid #ddd}"
    "p{margin:.3rem 0 "
    ".7rem;color:#444;font-size:.92rem;max-width:60rem}table{border-collapse:collapse;font-size:.85rem}"
    "td,th{padding:.2rem .7rem;border-bottom:1px solid #eee;text-align:right;font-variant-numeric:tabular-nums;"
    "white-space:nowrap}.text{text-align:left}.wide{overflow-x:auto}pre{background:#f6f7f8;padding:.8rem;overflow-x:"
    "auto;"
    "font-size:.82rem;line-height:1.35}svg{max-width:100%;height:auto}"
    ".verdict{padding:.6rem .9rem;border-radius:.3rem;color:#111;font-size:1rem;overflow-wrap:anywhere}"
    ".valid{background:#e3f4ea;border-left:6px solid #1a9850}.invalid{background:#fde7e4;border-left:6px solid "
    "#d73027}";

static void html_row(FILE *out, const hiss_report_table *t, const char *const *cell, const bool *strong) {
    const char *tag = strong ? "td" : "th";
    fputs("<tr>", out);
    for (int c = 0; c < t->columns; c++) {
        const bool bold = strong && strong[c];
        fprintf(out, "<%s%s>%s", tag, c < t->left ? " class=\"text\"" : "", bold ? "<b>" : "");
        hiss_text_write_escaped(out, cell[c]);
        fprintf(out, "%s</%s>", bold ? "</b>" : "", tag);
    }
    fputs("</tr>\n", out);
}

void hiss_report_html(FILE *out, const hiss_report_table *t) {
    fputs("<h2>", out);
    hiss_text_write_escaped(out, t->title);
    fputs("</h2>\n", out);
    if (t->note) {
        fputs("<p>", out);
        hiss_text_write_escaped(out, t->note);
        fputs("</p>\n", out);
    }
    fputs("<div class=\"wide\"><table>\n", out);
    html_row(out, t, t->head, NULL);
    for (int r = 0; r < t->rows; r++) {
        html_row(out, t, t->cell + r * t->columns, t->strong + r * t->columns);
    }
    fputs("</table></div>\n", out);
}

void hiss_report_page_begin(FILE *out, const char *kind, const char *title) {
    fprintf(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s: ", kind);
    hiss_text_write_escaped(out, title);
    fprintf(out, "</title><style>%s</style></head><body>\n<h1>", style);
    hiss_text_write_escaped(out, title);
    fputs("</h1>\n", out);
}

void hiss_report_page_end(FILE *out) {
    fputs("</body></html>\n", out);
}
