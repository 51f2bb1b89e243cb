/* Lists of words, and what to say where something else stands. */
#include <string.h>

#include "hiss/yaml.h"

const char *hiss_yaml_place(const hiss_yaml *node, char out[HISS_PLACE]) {
    if (node->line > 0) {
        snprintf(out, HISS_PLACE, "%.250s:%d:%d", node->file, node->line, node->column);
    } else {
        snprintf(out, HISS_PLACE, "%.250s", node->file);
    }
    return out;
}

hiss_status hiss_yaml_refuse(const hiss_yaml *node, const char *key, const char *expected, hiss_error *err) {
    char where[HISS_PLACE];
    return hiss_fail(err, HISS_EUSER, "%s: %s: expected %s, found %s%.80s%s", hiss_yaml_place(node, where), key,
                     expected, node->text ? "'" : "",
                     node->text                     ? node->text
                     : node->kind == HISS_YAML_LIST ? "a list"
                                                    : "a section",
                     node->text ? "'" : "");
}

hiss_status hiss_yaml_words(hiss_arena *arena, const hiss_yaml *node, const char *key, const char *expected,
                            const char ***out, int *count, hiss_error *err) {
    *count = 0;
    const hiss_yaml *first = node && node->kind == HISS_YAML_LIST ? node->first : node;
    int n = 0;
    for (const hiss_yaml *item = first; item; item = node == item ? NULL : item->next) {
        if (item->kind != HISS_YAML_SCALAR) {
            return hiss_yaml_refuse(item, key, expected, err);
        }
        n++;
    }
    *out = hiss_arena_alloc(arena, sizeof(char *) * (size_t)(n + 1));
    for (const hiss_yaml *item = first; item; item = node == item ? NULL : item->next) {
        if (strchr(item->text, '\n')) {
            return hiss_yaml_refuse(item, key, "one line", err);
        }
        (*out)[(*count)++] = item->text;
    }
    return HISS_OK;
}
