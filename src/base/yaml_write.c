/* YAML writing in flow style. A scalar stays plain only when each of its characters is harmless in any context;
 * otherwise it is double-quoted with escapes, the one style that can hold every text. */
#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "hiss/yaml.h"

static bool is_harmless(const char *text) {
    bool space = true; /* not at the start, not at the end, not twice */
    for (const char *c = text; *c; c++) {
        if (!isalnum((unsigned char)*c) && !strchr("_./+-", *c) && (*c != ' ' || space)) {
            return false;
        }
        space = *c == ' ';
    }
    return !space && strcmp(text, "-") != 0 && strncmp(text, "- ", 2) != 0 && strncmp(text, "--", 2) != 0 &&
           strncmp(text, "...", 3) != 0;
}

/* Whether some YAML reader takes this word, or a word that starts so, for something other than a string. */
static bool is_special(const char *text) {
    static const char *const word[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
    for (size_t i = 0; i < sizeof word / sizeof word[0]; i++) {
        if (strcasecmp(text, word[i]) == 0) {
            return true;
        }
    }
    return !isalpha((unsigned char)text[0]) && text[0] != '/' && text[0] != '_';
}

/* Characters that YAML does not print, or takes for line breaks: controls, U+0080..9F, U+2028/9, U+FEFF, U+FFFE/F.
 * Returns the number of bytes that *code was decoded from, 0 for an ordinary character. */
static int decode_unprintable(const unsigned char *c, uint32_t *code) {
    *code = c[0];
    if (c[0] < 0x20 || c[0] == 0x7f) {
        return 1;
    }
    if (c[0] == 0xc2 && c[1] < 0xa0) {
        *code = c[1];
        return 2;
    }
    if ((c[0] & 0xf0) == 0xe0 && c[1] && c[2]) {
        *code = (c[0] & 0xfu) << 12 | (c[1] & 0x3fu) << 6 | (c[2] & 0x3fu);
        return *code == 0x2028 || *code == 0x2029 || *code == 0xfeff || *code >= 0xfffe ? 3 : 0;
    }
    return 0;
}

static void write_quoted(FILE *stream, const char *text) {
    fputc('"', stream);
    for (const unsigned char *c = (const unsigned char *)text; *c;) {
        uint32_t code;
        int bytes = decode_unprintable(c, &code);
        if (bytes > 0) {
            fprintf(stream, "\\u%04X", code);
            c += bytes;
            continue;
        }
        if (*c == '"' || *c == '\\') {
            fputc('\\', stream);
        }
        fputc(*c++, stream);
    }
    fputc('"', stream);
}

void hiss_yaml_write_text(FILE *stream, const char *text) {
    if (!text) {
        fputs("null", stream);
    } else if (is_harmless(text) && !is_special(text)) {
        fputs(text, stream);
    } else {
        write_quoted(stream, text);
    }
}

void hiss_yaml_write(FILE *stream, const hiss_yaml *node) {
    if (node->kind == HISS_YAML_SCALAR) {
        bool plain = !node->quoted && (is_harmless(node->text) || strcmp(node->text, "~") == 0);
        if (plain) {
            fputs(node->text, stream);
        } else if (!node->quoted && !node->text[0]) {
            fputs("null", stream);
        } else {
            write_quoted(stream, node->text);
        }
        return;
    }
    bool map = node->kind == HISS_YAML_MAP;
    fputc(map ? '{' : '[', stream);
    for (const hiss_yaml *child = node->first; child; child = child->next) {
        if (map) {
            hiss_yaml_write_text(stream, child->key);
            fputs(": ", stream);
        }
        hiss_yaml_write(stream, child);
        fputs(child->next ? ", " : "", stream);
    }
    fputc(map ? '}' : ']', stream);
}
