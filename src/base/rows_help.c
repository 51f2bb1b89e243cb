/* Help texts: a table of four columns, as wide as their cells need up to a limit; cells that are wider continue on the
 * next line of their own column. With HISS_HELP=tabs, a line for each row, its cells whole and separated by tabs. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "rows_impl.h"

enum { COLUMNS = 4, GAP = 2, PAGE = 100, WIDEST_TYPE = 30, WIDEST_DEFAULT = 16, NARROWEST_HELP = 24 };

typedef struct line {
    const char *cell[COLUMNS];
} line;

static const char *name_cell(hiss_arena *arena, const char *section, const hiss_row *row) {
    if (section) {
        return hiss_arena_format(arena, "%s%s%s", section, section[0] ? "." : "", row->key);
    }
    bool on = row->type == HISS_BOOL && row->standard && strcmp(row->standard, "true") == 0;
    return hiss_arena_format(arena, "--%s%.*s", on ? "[no-]" : "", (int)strcspn(row->key, "*"), row->key);
}

static const char *type_cell(hiss_arena *arena, bool option, const hiss_row *row) {
    char text[512];
    switch (row->type) {
    case HISS_CHOICE:
    case HISS_NAME:
        return base_row_choices(row);
    case HISS_BOOL:
        return option ? "flag" : "true|false";
    case HISS_STRING:
        return strchr(row->key, '*') ? "text, repeatable" : "text";
    case HISS_PATH:
        return strchr(row->key, '*') ? "path, repeatable" : "path";
    case HISS_PATHS:
        return "path or list";
    case HISS_NODE:
        return "YAML";
    case HISS_INT:
    case HISS_FLOAT:
        break;
    }
    base_row_expected(row, text, sizeof text);
    return hiss_arena_text(arena, strchr(text, ' ') + 1); /* without its article */
}

static const char *default_cell(bool option, const hiss_row *row) {
    if (row->standard && !(option && row->type == HISS_BOOL)) {
        return row->standard[0] ? row->standard : "''";
    }
    bool required =
        row->type == HISS_INT || row->type == HISS_FLOAT || row->type == HISS_CHOICE || row->type == HISS_NAME;
    return required ? "required" : !option && row->type == HISS_BOOL ? "false" : "-";
}

/* Bytes of text for a line of this width: up to a space, or after a bar, if it has to be broken. */
static int piece(const char *text, int width) {
    if ((int)strlen(text) <= width) {
        return (int)strlen(text);
    }
    for (int i = width; i > 0; i--) {
        if (text[i] == ' ' || text[i - 1] == '|') {
            return i;
        }
    }
    return width;
}

static void print_line(FILE *stream, line l, const int width[COLUMNS]) {
    bool more = true;
    while (more) {
        int pending = GAP; /* blanks owed: none are printed at the end of a line */
        more = false;
        for (int c = 0; c < COLUMNS; c++) {
            int length = piece(l.cell[c], width[c]);
            if (length > 0) {
                fprintf(stream, "%*s%.*s", pending, "", length, l.cell[c]);
                pending = 0;
            }
            pending += width[c] - length + GAP;
            l.cell[c] += length;
            l.cell[c] += strspn(l.cell[c], " ");
            more = more || l.cell[c][0];
        }
        fputc('\n', stream);
    }
}

/* For programs: what man pages and the completion of shells are made of. */
static void print_tabs(FILE *stream, const line *lines, int count) {
    for (int i = 0; i < count; i++) {
        for (int c = 0; c < COLUMNS; c++) {
            fprintf(stream, "%s%s", c ? "\t" : "", lines[i].cell[c]);
        }
        fputc('\n', stream);
    }
}

void hiss_rows_help(FILE *stream, const char *section, const hiss_row *rows, int count) {
    static const int widest[COLUMNS] = {PAGE, WIDEST_TYPE, WIDEST_DEFAULT, 0};
    hiss_arena *arena = hiss_arena_create();
    line *lines = hiss_arena_alloc(arena, sizeof(line) * (size_t)count);
    int width[COLUMNS] = {0}, used = GAP;
    for (int i = 0; i < count; i++) {
        lines[i] = (line){{name_cell(arena, section, &rows[i]), type_cell(arena, !section, &rows[i]),
                           default_cell(!section, &rows[i]), rows[i].help ? rows[i].help : ""}};
        for (int c = 0; c < COLUMNS; c++) {
            int length = (int)strlen(lines[i].cell[c]);
            length = length < widest[c] ? length : widest[c];
            width[c] = width[c] > length ? width[c] : length;
        }
    }
    for (int c = 0; c < COLUMNS - 1; c++) {
        used += width[c] + GAP;
    }
    width[COLUMNS - 1] = PAGE - used > NARROWEST_HELP ? PAGE - used : NARROWEST_HELP;
    const char *form = getenv("HISS_HELP");
    const bool tabs = form && strcmp(form, "tabs") == 0;
    for (int i = 0; i < count && !tabs; i++) {
        print_line(stream, lines[i], width);
    }
    if (tabs) {
        print_tabs(stream, lines, count);
    }
    hiss_arena_destroy(arena);
}
