/* Facts for people and for programs. */
#include <math.h>
#include <string.h>

#include "cli/inspect.h"
#include "hiss/export.h"
#include "hiss/number.h"

enum { KEY_WIDTH = 19, ARRAY_WIDTH = 40, LIST_WIDTH = 96 };

/* What a stranger's file says cannot steer the terminal. */
static void put_plain(FILE *out, const char *text, size_t length) {
    for (size_t k = 0; k < length && text[k]; k++) {
        const bool plain = (unsigned char)text[k] >= ' ' && text[k] != 0x7f;
        fputc(plain ? text[k] : '?', out);
    }
}

/* A key as words. */
static void put_key(FILE *out, int width, const char *key) {
    char words[64];
    snprintf(words, sizeof words, "%s", key);
    for (char *at = words; (at = strchr(at, '_'));) {
        *at = ' ';
    }
    fprintf(out, "  %-*s", width, words);
}

/* What stands before a fact. */
static void start(facts *f, const char *key) {
    if (f->json) {
        fprintf(f->out, "%s", f->count ? ", " : "");
        hiss_json_text(f->out, key);
        fprintf(f->out, ": ");
    } else {
        put_key(f->out, KEY_WIDTH, key);
    }
    f->count++;
}

void facts_begin(facts *f, const char *key) {
    if (f->json) {
        fprintf(f->out, "%s", key && f->count ? ", " : "");
        if (key) {
            hiss_json_text(f->out, key);
            fprintf(f->out, ": ");
        }
        fputc('{', f->out);
    } else if (key) {
        put_key(f->out, 0, key);
        fputs(":\n", f->out);
    }
    f->count = 0;
}

void facts_end(facts *f) {
    if (f->json) {
        fputc('}', f->out);
    }
    f->count = 1;
}

void facts_text(facts *f, const char *key, const char *text) {
    if (!text || !*text) {
        return;
    }
    start(f, key);
    if (f->json) {
        hiss_json_text(f->out, text);
        return;
    }
    put_plain(f->out, text, strlen(text));
    fputc('\n', f->out);
}

void facts_integer(facts *f, const char *key, int64_t value) {
    start(f, key);
    fprintf(f->out, "%lld%s", (long long)value, f->json ? "" : "\n");
}

void facts_flag(facts *f, const char *key, bool value) {
    start(f, key);
    fprintf(f->out, "%s", f->json ? (value ? "true" : "false") : value ? "yes\n" : "no\n");
}

void facts_names(facts *f, const char *key, const char *lines) {
    int64_t count = 0, shown = 0;
    for (const char *at = lines; at && *at; at++) {
        count += *at == '\n' || !at[1];
    }
    if (!lines) {
        return;
    }
    start(f, key);
    fprintf(f->out, f->json ? "[" : "%lld: ", (long long)count);
    size_t used = 0;
    for (const char *at = lines; *at && (f->json || used < LIST_WIDTH); shown++) {
        const size_t length = strcspn(at, "\n");
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1), at);
        fprintf(f->out, "%s", shown ? ", " : "");
        if (f->json) {
            hiss_json_text(f->out, name);
        } else {
            put_plain(f->out, name, sizeof name);
        }
        used += length + 2;
        at += length + (at[length] == '\n');
    }
    if (f->json) {
        fputc(']', f->out);
    } else {
        fprintf(f->out, "%s\n", shown < count ? ", ..." : "");
    }
}

/* Whether JSON writes a number so: YAML has more ways. */
static bool is_json_number(const char *text) {
    text += *text == '-';
    const size_t whole = strspn(text, "0123456789");
    if (whole == 0 || (*text == '0' && whole > 1)) {
        return false;
    }
    text += whole;
    if (*text == '.') {
        const size_t digits = strspn(++text, "0123456789");
        text = digits ? text + digits : ".";
    }
    if (*text == 'e' || *text == 'E') {
        text += 1 + (text[1] == '-' || text[1] == '+');
        const size_t digits = strspn(text, "0123456789");
        text = digits ? text + digits : ".";
    }
    return !*text;
}

static void write_tree(FILE *out, const hiss_yaml *node) {
    double number;
    if (node->kind != HISS_YAML_SCALAR) {
        const bool map = node->kind == HISS_YAML_MAP;
        fputc(map ? '{' : '[', out);
        for (const hiss_yaml *at = node->first; at; at = at->next) {
            if (map) {
                hiss_json_text(out, at->key);
                fputs(": ", out);
            }
            write_tree(out, at);
            fputs(at->next ? ", " : "", out);
        }
        fputc(map ? '}' : ']', out);
    } else if (!node->quoted && (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0)) {
        fputs(node->text, out);
    } else if (!node->quoted && (strcmp(node->text, "null") == 0 || !*node->text)) {
        fputs("null", out);
    } else if (!node->quoted && is_json_number(node->text)) {
        fputs(node->text, out);
    } else if (!node->quoted && hiss_real_parse(node->text, &number) && isfinite(number)) {
        fprintf(out, "%.17g", number);
    } else {
        hiss_json_text(out, node->text);
    }
}

void facts_tree(facts *f, const char *key, const hiss_yaml *tree) {
    if (tree && f->json) {
        start(f, key);
        write_tree(f->out, tree);
    }
}

void facts_config(facts *f, const char *name, const char *text, bool whole) {
    hiss_arena *arena = hiss_arena_create();
    hiss_yaml *root = NULL;
    hiss_error none;
    if (text && f->json && hiss_yaml_parse(arena, name, text, &root, &none) == HISS_OK) {
        facts_tree(f, "config", root);
    } else if (text && !f->json && whole) {
        fprintf(f->out, "  config:\n");
        while (*text) {
            const size_t length = strcspn(text, "\n");
            fputs("    ", f->out);
            put_plain(f->out, text, length);
            fputc('\n', f->out);
            text += length + (text[length] == '\n');
        }
    }
    hiss_arena_destroy(arena);
}

void facts_array(facts *f, const char *name, const hiss_h5_info *info, const char *why) {
    if (!f->json) {
        char text[HISS_H5_INFO_TEXT];
        const char *said = info ? hiss_h5_info_text(info, text) : why;
        const size_t length = strlen(name);
        fputs("    ", f->out);
        put_plain(f->out, name, length);
        fprintf(f->out, "%*s ", length < ARRAY_WIDTH ? (int)(ARRAY_WIDTH - length) : 0, "");
        put_plain(f->out, said, strlen(said));
        fputc('\n', f->out);
        f->count++;
        return;
    }
    start(f, name);
    if (!info) {
        fprintf(f->out, "{\"error\": ");
        hiss_json_text(f->out, why);
    } else {
        fprintf(f->out, "{\"dtype\": ");
        hiss_json_text(f->out, hiss_dtype_name(info->dtype));
        fprintf(f->out, ", \"shape\": [");
        for (int k = 0; k < info->ndim; k++) {
            fprintf(f->out, "%s%lld", k ? ", " : "", (long long)info->dim[k]);
        }
        fputc(']', f->out);
    }
    fputc('}', f->out);
}
