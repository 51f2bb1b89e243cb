/* Lists of "key=value" that stand in one file and override the keys of another: whose fault a wrong value is. */
#include <string.h>

#include "hiss/config.h"

static const char option[] = "--set ";

bool hiss_override_speaks_of(const char *text, const char *assignment) {
    const size_t length = strcspn(assignment, "="), begin = strlen(option);
    return length > 0 && strncmp(text, option, begin) == 0 && strncmp(text + begin, assignment, length) == 0 &&
           !strchr("=._", text[begin + length]);
}

const hiss_yaml *hiss_override_find(const hiss_yaml *list, const char *text) {
    const hiss_yaml *found = NULL;
    for (const hiss_yaml *item = list && list->kind == HISS_YAML_LIST ? list->first : list; item;
         item = item == list ? NULL : item->next) {
        found = item->text && hiss_override_speaks_of(text, item->text) ? item : found;
    }
    return found;
}

const char *hiss_override_blame(hiss_arena *arena, const char *where, const char *text) {
    const char *rest = text + strlen(option);
    const size_t length = strcspn(rest, ": ");
    const char *says = rest + length + strspn(rest + length, ": ");
    return hiss_arena_format(arena, "%s: %s", where, strncmp(says, rest, length) == 0 ? says : rest);
}

bool hiss_override_named(const hiss_config *config, const char *text, char key[HISS_ERROR_KEY]) {
    static const char word[] = "abcdefghijklmnopqrstuvwxyz0123456789_.";
    for (size_t length; *text; text += length + (text[length] != '\0')) {
        length = strspn(text, word);
        const size_t end = length > 0 && text[length - 1] == '.' ? length - 1 : length;
        if (end == 0 || end >= HISS_ERROR_KEY || !memchr(text, '.', end)) {
            continue;
        }
        memcpy(key, text, end);
        key[end] = '\0';
        const hiss_yaml *node = hiss_config_has(config, key) ? hiss_config_node(config, key) : NULL;
        if (node && node->line == 0 && strncmp(node->file, option, strlen(option)) == 0) {
            return true;
        }
    }
    return false;
}
