/* Sections of a study whose names the user chooses: rows, transfers, columns, curves. */
#include <ctype.h>
#include <string.h>

#include "compare/compare_impl.h"

/* more: what a name may hold beside letters and digits. */
static hiss_status check_name(const hiss_yaml *node, const char *section, const char *more, const char *expected,
                              hiss_error *err) {
    char where[HISS_PLACE];
    size_t length = strlen(node->key);
    bool plain =
        length > 0 && length <= COMPARE_NAME && isalnum((unsigned char)node->key[0]) && node->key[length - 1] != ' ';
    for (const char *c = node->key; *c; c++) {
        plain = plain && (isalnum((unsigned char)*c) || strchr(more, *c));
    }
    return plain ? HISS_OK
                 : hiss_fail(err, HISS_EUSER, "%s: %s: expected a name of %s, at most %d, found '%.80s'",
                             hiss_yaml_place(node, where), section, expected, COMPARE_NAME, node->key);
}

/* A key of the file's top level that is section misspelt, most likely; NULL: there is none. */
static const hiss_yaml *find_misspelt(const hiss_comparison *study, const char *section) {
    const hiss_yaml *node = hiss_config_node(study->text, "")->first;
    while (node && (node->line == 0 || hiss_edit_distance(node->key, section) > 2)) {
        node = node->next;
    }
    return node;
}

const hiss_yaml *compare_entries(const hiss_comparison *study, const char *section, const char *shape, int most,
                                 hiss_error *err) {
    const hiss_yaml *node = hiss_config_node(study->text, section);
    int n = 0;
    for (const hiss_yaml *c = node && node->kind == HISS_YAML_MAP ? node->first : NULL; c; c = c->next) {
        n++;
    }
    const hiss_yaml *misspelt = node ? NULL : find_misspelt(study, section);
    if (misspelt) {
        hiss_fail(err, HISS_EUSER, "%s:%d:%d: unknown key '%s'; did you mean '%s'?", misspelt->file, misspelt->key_line,
                  misspelt->key_column, misspelt->key, section);
    } else if (n == 0 || n > most) {
        hiss_fail_key(err, HISS_EUSER, section, "must be a section of 1 to %d entries NAME: {%s}", most, shape);
        hiss_config_blame(study->text, HISS_EUSER, err);
    }
    return n == 0 || n > most ? NULL : node->first;
}

bool compare_has_section(const hiss_comparison *study, const char *section) {
    hiss_error unused;
    return hiss_config_section(study->text, section, NULL, 0, NULL, &unused) != HISS_OK ||
           hiss_config_has(study->text, section);
}

hiss_status compare_read_entry(const hiss_comparison *study, const hiss_yaml *node, const char *kind, const char *more,
                               const char *expected, const hiss_row *rows, int nrows, char section[COMPARE_SECTION],
                               void *entry, hiss_error *err) {
    const hiss_status s = check_name(node, kind, more, expected, err);
    if (s != HISS_OK) {
        return s;
    }
    snprintf(section, COMPARE_SECTION, "%s.%s", kind, node->key);
    return hiss_config_section(study->text, section, rows, nrows, entry, err);
}

hiss_status compare_check_column(const hiss_comparison *study, const hiss_yaml *node, hiss_error *err) {
    static const char *const fixed[] = {"row",      "runs",  "seeds", "images_seen", "training_seconds",  "published",
                                        "transfer", "state", "seed",  "why",         "parameters_sha256", NULL};
    static const char spread[] = "_spread";
    const size_t length = strlen(node->key), ending = sizeof spread - 1;
    char where[HISS_PLACE];
    bool taken = false;
    for (const char *const *name = fixed; *name; name++) {
        taken = taken || strcmp(node->key, *name) == 0;
    }
    const bool ends = length > ending && strcmp(node->key + length - ending, spread) == 0;
    for (const hiss_yaml *c = hiss_config_node(study->text, "columns")->first; c && ends; c = c->next) {
        taken = taken || (strlen(c->key) == length - ending && strncmp(c->key, node->key, length - ending) == 0);
    }
    return taken ? hiss_fail(err, HISS_EUSER,
                             "%s: columns: table.csv and runs.csv have '%s' already; choose another name",
                             hiss_yaml_place(node, where), node->key)
                 : HISS_OK;
}
