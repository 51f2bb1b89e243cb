/* Configuration: the user's tree, and beside it the tree of what the program knows, which grows with every section that
 * is read. Unknown keys are what the first tree has and the second has not; the resolved config is the second, printed.
 * Look-ups are linear: a config has some tens of keys. */
#include "hiss/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "rows_impl.h"

typedef struct known known;
struct known {
    const char *name, *path;
    const char *text;      /* a value as YAML, or ... */
    const hiss_yaml *node; /* ... a subtree that its owner reads; else a section */
    known *first, *next;
};

struct hiss_config {
    hiss_arena *arena;
    const char *name;
    bool unnamed; /* no file: name is for those who ask */
    hiss_yaml *root;
    known *known;
};

enum { PLACE = 300, EXPECTED = 512, FOUND = 160, LONGEST_PATH = 200 };

static const char *place(const char *file, int line, int column, char out[PLACE]) {
    if (line > 0) {
        snprintf(out, PLACE, "%.260s:%d:%d", file, line, column);
    } else {
        snprintf(out, PLACE, "%.260s", file);
    }
    return out;
}

static bool is_null(const hiss_yaml *node) {
    static const char *const word[] = {"null", "~", "Null", "NULL"};
    for (int i = 0; i < HISS_COUNT(word); i++) {
        if (node->kind == HISS_YAML_SCALAR && !node->quoted && strcmp(node->text, word[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_empty(const hiss_yaml *node) {
    return node->kind == HISS_YAML_SCALAR && !node->quoted && node->text[0] == '\0';
}

static void describe(const hiss_yaml *node, bool wants_plain, char *out, size_t size) {
    if (node->kind != HISS_YAML_SCALAR) {
        snprintf(out, size, "a %s", node->kind == HISS_YAML_LIST ? "list" : "section");
    } else if (is_empty(node)) {
        snprintf(out, size, "nothing");
    } else if (node->quoted && wants_plain) {
        snprintf(out, size, "the quoted text \"%.80s\"; remove the quotes", node->text);
    } else if (is_null(node)) {
        snprintf(out, size, "null");
    } else {
        snprintf(out, size, "'%.80s'%s", node->text, strlen(node->text) > 80 ? "..." : "");
    }
}

static hiss_status start(const char *name, hiss_config **out) {
    hiss_config *config = hiss_new(hiss_config, 1);
    config->arena = hiss_arena_create();
    config->name = hiss_arena_text(config->arena, name);
    config->known = hiss_arena_alloc(config->arena, sizeof(known));
    config->known->path = "";
    *out = config;
    return HISS_OK;
}

static bool has_number(const hiss_yaml *node) {
    double value;
    return node->kind == HISS_YAML_SCALAR && !node->quoted && hiss_real_parse(node->text, &value);
}

static bool is_fraction(const char *key) { /* what stands behind a decimal comma */
    const size_t digits = strspn(key, "0123456789");
    double value;
    return digits > 0 && (key[digits] == '\0' || strchr("eE", key[digits])) && hiss_real_parse(key, &value);
}

/* In braces a comma ends a value, so that {lr: 0,05} has a key 05 without a value: nobody means that. */
static hiss_status find_decimal_comma(const hiss_yaml *node, hiss_error *err) {
    for (const hiss_yaml *child = node->first; child; child = child->next) {
        const hiss_yaml *next = child->next;
        if (node->kind == HISS_YAML_MAP && next && has_number(child) && is_fraction(next->key) &&
            (is_empty(next) || is_null(next))) {
            char where[PLACE];
            return hiss_fail(err, HISS_EUSER, "%s: %s is '%.40s,%.40s'; write a decimal point: %.40s.%.40s",
                             place(child->file, child->line, child->column, where), child->key, child->text, next->key,
                             child->text, next->key);
        }
        const hiss_status s = find_decimal_comma(child, err);
        if (s != HISS_OK) {
            return s;
        }
    }
    return HISS_OK;
}

static hiss_status check_root(hiss_config **config, hiss_status status, hiss_error *err) {
    const hiss_yaml *root = (*config)->root;
    if (status == HISS_OK && root->kind != HISS_YAML_MAP) {
        char found[FOUND], where[PLACE];
        describe(root, false, found, sizeof found);
        status = hiss_fail(err, HISS_EUSER, "%s: expected lines of 'key: value', found %s",
                           place(root->file, root->line, root->column, where), found);
    }
    status = status == HISS_OK ? find_decimal_comma(root, err) : status;
    if (status != HISS_OK) {
        hiss_config_destroy(*config);
        *config = NULL;
    }
    return status;
}

hiss_status hiss_config_read(const char *path, hiss_config **out, hiss_error *err) {
    start(path ? path : "config", out);
    (*out)->unnamed = !path;
    hiss_arena *arena = (*out)->arena;
    return check_root(out,
                      path ? hiss_yaml_read(arena, path, &(*out)->root, err)
                           : hiss_yaml_parse(arena, "config", "", &(*out)->root, err),
                      err);
}

hiss_status hiss_config_parse(const char *name, const char *text, hiss_config **out, hiss_error *err) {
    start(name, out);
    return check_root(out, hiss_yaml_parse((*out)->arena, name, text, &(*out)->root, err), err);
}

void hiss_config_destroy(hiss_config *config) {
    if (config) {
        hiss_arena_destroy(config->arena);
        hiss_free(config);
    }
}

const char *hiss_config_name(const hiss_config *config) {
    return config->name;
}

/* Length of the first component of a dotted path. */
static size_t component_length(const char *path) {
    return strcspn(path, ".");
}

static void mark_as_set(hiss_yaml *node, const char *option) {
    node->file = option;
    node->line = node->column = node->key_line = node->key_column = 0;
    for (hiss_yaml *child = node->first; child; child = child->next) {
        mark_as_set(child, option);
    }
}

static hiss_yaml *entry_of(hiss_config *config, hiss_yaml *map, const char *path, size_t length, const char *option) {
    hiss_yaml **link = &map->first;
    while (*link && (strlen((*link)->key) != length || strncmp((*link)->key, path, length) != 0)) {
        link = &(*link)->next;
    }
    if (!*link) {
        *link = hiss_arena_alloc(config->arena, sizeof(hiss_yaml));
        **link = (hiss_yaml){.kind = HISS_YAML_MAP, .file = option};
        (*link)->key = hiss_arena_format(config->arena, "%.*s", (int)length, path);
    }
    return *link;
}

hiss_status hiss_config_set(hiss_config *config, const char *assignment, hiss_error *err) {
    size_t length = strcspn(assignment, "=");
    const char *path = hiss_arena_format(config->arena, "%.*s", (int)length, assignment);
    const char *option = hiss_arena_format(config->arena, "--set %s", path);
    bool dots = path[0] == '.' || strstr(path, "..") || (length > 0 && path[length - 1] == '.');
    if (length == 0 || length > LONGEST_PATH || assignment[length] == '\0' || dots || strchr(path, ' ')) {
        return hiss_fail(err, HISS_EUSER, "--set %.200s: expected section.key=value", assignment);
    }
    hiss_yaml *value;
    hiss_error inner;
    const char *text = assignment + length + 1;
    hiss_status status = hiss_yaml_parse(config->arena, option, text, &value, &inner);
    if (status != HISS_OK) {
        const char *what = inner.text + strlen(option);
        return hiss_fail(err, status, "%s: %s", option, what + strspn(what, ":0123456789 ")); /* without line, column */
    }
    if (value->kind == HISS_YAML_MAP && !value->first && !strchr(text, '{')) {
        *value = (hiss_yaml){.kind = HISS_YAML_SCALAR, .text = ""}; /* the empty document, here an empty value */
    }
    mark_as_set(value, option);
    status = find_decimal_comma(value, err);
    if (status != HISS_OK) {
        return status;
    }

    hiss_yaml *entry = config->root;
    for (const char *rest = path; rest; rest = strchr(rest, '.') ? strchr(rest, '.') + 1 : NULL) {
        if (is_null(entry) || is_empty(entry)) {
            entry->kind = HISS_YAML_MAP;
            entry->text = NULL;
        } else if (entry->kind != HISS_YAML_MAP) {
            char where[PLACE], found[FOUND];
            describe(entry, false, found, sizeof found);
            return hiss_fail(err, HISS_EUSER, "%s: '%.*s' is not a section but %s (%s)", option, (int)(rest - path) - 1,
                             path, found, place(entry->file, entry->line, entry->column, where));
        }
        entry = entry_of(config, entry, rest, component_length(rest), option);
    }
    value->key = entry->key;
    value->next = entry->next;
    *entry = *value;
    return HISS_OK;
}

/* The known thing at path, made if it is new. */
static known *note(hiss_config *config, const char *path) {
    known *here = config->known;
    for (const char *rest = path; *rest;) {
        size_t length = component_length(rest);
        known **link = &here->first;
        while (*link && (strlen((*link)->name) != length || strncmp((*link)->name, rest, length) != 0)) {
            link = &(*link)->next;
        }
        if (!*link) {
            *link = hiss_arena_alloc(config->arena, sizeof(known));
            (*link)->name = hiss_arena_format(config->arena, "%.*s", (int)length, rest);
            (*link)->path = hiss_arena_format(config->arena, "%.*s", (int)(rest - path + (ptrdiff_t)length), path);
        }
        here = *link;
        rest += length + (rest[length] == '.');
    }
    return here;
}

/* The entry of map that the first component of *path names; *path moves on to the next component. */
static const hiss_yaml *step(const hiss_yaml *map, const char **path) {
    char name[128];
    size_t length = component_length(*path);
    assert(length < sizeof name);
    snprintf(name, sizeof name, "%.*s", (int)length, *path);
    *path += length + ((*path)[length] == '.');
    return hiss_yaml_get(map, name);
}

/* What to write in place of what is no section: `lr 0.1` is the key lr; else the keys there are. */
static const char *section_hint(const hiss_yaml *node, const hiss_row *rows, int count, char out[EXPECTED]) {
    const char *text = node->kind == HISS_YAML_SCALAR ? node->text : "";
    const size_t length = strcspn(text, " :=");
    const char *value = text + length + strspn(text + length, " :=");
    for (int i = 0; i < count; i++) {
        if (*value && length == strlen(rows[i].key) && strncmp(text, rows[i].key, length) == 0) {
            snprintf(out, EXPECTED, "; write '%s: %.80s', with a blank behind the ':'", rows[i].key, value);
            return out;
        }
    }
    int used = snprintf(out, EXPECTED, "; its keys are ");
    for (int i = 0; i < count && used < EXPECTED - 100; i++) {
        used += snprintf(out + used, EXPECTED - (size_t)used, "%s%.60s", i > 0 ? ", " : "", rows[i].key);
    }
    return out;
}

/* The section at path as the user wrote it; NULL if he did not. An empty value is an empty section. */
static hiss_status find_section(const hiss_config *config, const char *path, const hiss_row *rows, int count,
                                const hiss_yaml **out, hiss_error *err) {
    const char *rest = path;
    *out = config->root;
    while (*rest && *out) {
        *out = step(*out, &rest);
        if (*out && (is_null(*out) || is_empty(*out))) {
            *out = NULL;
        } else if (*out && (*out)->kind != HISS_YAML_MAP) {
            char where[PLACE], found[FOUND], hint[EXPECTED];
            describe(*out, false, found, sizeof found);
            return hiss_fail(err, HISS_EUSER, "%s: '%.*s' must be a section of 'key: value' lines, found %s%s",
                             place((*out)->file, (*out)->line, (*out)->column, where),
                             (int)(rest - path) - (*rest != '\0'), path, found,
                             *rest ? "" : section_hint(*out, rows, count, hint));
        }
    }
    return HISS_OK;
}

/* What to write in place of what is no text. */
static void hint_text(const hiss_row *row, const char *path, const hiss_yaml *node, char hint[HISS_HINT]) {
    const bool nothing = node->kind == HISS_YAML_SCALAR && !node->text[0];
    if (nothing && base_row_wants_text(row)) {
        const char *standard = row->standard ? row->standard : "";
        snprintf(hint, HISS_HINT, "; give one, or %s%s", *standard ? "the default: " : "null to leave it out",
                 standard);
    } else if (nothing) {
        snprintf(hint, HISS_HINT,
                 node->line > 0 ? "; an empty one is written %s: \"\"" : "; an empty one is --set '%s=\"\"'",
                 node->line > 0 ? row->key : path);
    }
    const bool list = node->kind == HISS_YAML_LIST && row->type == HISS_STRING;
    size_t used = 0;
    for (const hiss_yaml *child = list ? node->first : NULL; child; child = child->next) {
        if (child->kind != HISS_YAML_SCALAR || used + strlen(child->text) + 40 > HISS_HINT) {
            hint[0] = '\0';
            return;
        }
        used += (size_t)snprintf(hint + used, HISS_HINT - used, "%s%s",
                                 used ? "," : "; write it without brackets: ", child->text);
    }
}

static hiss_status read_value(hiss_config *config, const hiss_row *row, const char *path, const hiss_yaml *node,
                              void *fields, hiss_error *err) {
    bool text = row->type == HISS_STRING || row->type == HISS_PATH || row->type == HISS_PATHS;
    bool optional = row->type == HISS_NODE || (text && !row->standard);
    bool wants_plain = row->type == HISS_INT || row->type == HISS_FLOAT || row->type == HISS_BOOL;
    if (optional && is_null(node)) {
        return base_row_default(row, fields) ? HISS_OK : HISS_EINTERNAL;
    }
    if (row->type == HISS_NODE && !is_empty(node)) {
        *(const hiss_yaml **)(void *)((char *)fields + row->offset) = node;
        return HISS_OK;
    }
    bool scalar = node->kind == HISS_YAML_SCALAR && !is_empty(node) && !(node->quoted && wants_plain);
    bool null_text = text && is_null(node), missing = base_row_wants_text(row) && scalar && !node->text[0];
    char where[PLACE], expected[EXPECTED], found[FOUND], hint[HISS_HINT] = "";
    place(node->file, node->line, node->column, where);
    const bool paths = row->type == HISS_PATHS && node->kind == HISS_YAML_LIST;
    if (paths || (scalar && !null_text && !missing && (row->type == HISS_PATH || row->type == HISS_PATHS))) {
        const char **field = (const char **)(void *)((char *)fields + row->offset);
        const char *key = hiss_arena_format(config->arena, "%s: %s", where, path);
        return paths ? base_row_read_paths(config->arena, key, node, field, err)
                     : base_row_read_path(config->arena, key, row, node, field, err);
    }
    if (scalar && !null_text && !missing && base_row_accept(row, node->text, fields)) {
        return HISS_OK;
    }
    base_row_expected(row, expected, sizeof expected);
    describe(node, wants_plain, found, sizeof found);
    if (row->type == HISS_NODE) {
        snprintf(hint, sizeof hint, "; indent the lines that belong to it, or write it behind the ':'");
    } else if (text) {
        hint_text(row, path, node, hint);
    } else if (scalar) {
        base_row_hint(row, node->text, hint);
    }
    return hiss_fail(err, HISS_EUSER, "%s: %s must be %s, found %s%s", where, path, expected, found, hint);
}

/* The key of map that no row has and that is misspelt key, most likely; NULL if there is none. */
static const hiss_yaml *find_misspelt(const hiss_yaml *map, const hiss_row *rows, int count, const char *key) {
    for (const hiss_yaml *node = map ? map->first : NULL; node; node = node->next) {
        bool is_row = false;
        for (int i = 0; i < count; i++) {
            is_row = is_row || strcmp(rows[i].key, node->key) == 0;
        }
        if (!is_row && hiss_edit_distance(node->key, key) <= 2) {
            return node;
        }
    }
    return NULL;
}

static hiss_status fail_missing(const hiss_config *config, const char *section, const hiss_yaml *map,
                                const hiss_row *rows, int count, const hiss_row *row, hiss_error *err) {
    const char *dot = section[0] ? "." : "";
    const hiss_yaml *node = find_misspelt(map, rows, count, row->key);
    if (node) {
        char where[PLACE];
        return hiss_fail(err, HISS_EUSER, "%s: unknown key '%s%s%.100s'; did you mean '%s%s%s'?",
                         place(node->file, node->key_line, node->key_column, where), section, dot, node->key, section,
                         dot, row->key);
    }
    char expected[EXPECTED];
    base_row_expected(row, expected, sizeof expected);
    return hiss_fail(err, HISS_EUSER, "%s%s%s%s%s is missing; it must be %s", config->unnamed ? "" : config->name,
                     config->unnamed ? "" : ": ", section, dot, row->key, expected);
}

static char *written(hiss_config *config, const hiss_row *row, const void *fields) {
    char *text = NULL;
    size_t size;
    FILE *stream = hiss_text_open(&text, &size);
    base_row_write(stream, row, fields);
    fclose(stream);
    char *copy = hiss_arena_text(config->arena, text);
    free(text);
    return copy;
}

static void inherit(const hiss_row *row, const void *from, void *fields) {
    static const size_t sizes[] = {
        [HISS_INT] = sizeof(int64_t),   [HISS_FLOAT] = sizeof(double), [HISS_BOOL] = sizeof(bool),
        [HISS_STRING] = sizeof(char *), [HISS_PATH] = sizeof(char *),  [HISS_CHOICE] = sizeof(int),
        [HISS_NAME] = sizeof(char *),   [HISS_NODE] = sizeof(void *),  [HISS_PATHS] = sizeof(char *)};
    memmove((char *)fields + row->offset, (const char *)from + row->offset, sizes[row->type]);
}

/* from NULL: what is left out takes its default. */
static hiss_status read_section(hiss_config *config, const char *section, const hiss_row *rows, int count,
                                const void *from, void *fields, hiss_error *err) {
    const hiss_yaml *map;
    hiss_status status = find_section(config, section, rows, count, &map, err);
    note(config, section);
    for (int i = 0; i < count && status == HISS_OK; i++) {
        const char *path = hiss_arena_format(config->arena, "%s%s%s", section, section[0] ? "." : "", rows[i].key);
        const hiss_yaml *node = hiss_yaml_get(map, rows[i].key);
        known *entry = note(config, path);
        assert(!entry->first && "a key cannot be a section, too");
        if (node) {
            status = read_value(config, &rows[i], path, node, fields, err);
        } else if (from) {
            inherit(&rows[i], from, fields);
        } else if (!base_row_default(&rows[i], fields)) {
            status = fail_missing(config, section, map, rows, count, &rows[i], err);
        }
        if (status == HISS_OK && rows[i].type == HISS_NODE) {
            entry->node = *(const hiss_yaml **)(void *)((char *)fields + rows[i].offset);
            entry->text = entry->node ? NULL : "null";
        } else if (status == HISS_OK) {
            entry->text = written(config, &rows[i], fields);
        }
    }
    return status;
}

hiss_status hiss_config_section(hiss_config *config, const char *section, const hiss_row *rows, int count, void *fields,
                                hiss_error *err) {
    return read_section(config, section, rows, count, NULL, fields, err);
}

hiss_status hiss_config_inherit(hiss_config *config, const char *section, const hiss_row *rows, int count,
                                const void *from, void *fields, hiss_error *err) {
    return read_section(config, section, rows, count, from, fields, err);
}

const hiss_yaml *hiss_config_node(const hiss_config *config, const char *section) {
    const hiss_yaml *node = config->root;
    for (const char *rest = section; *rest && node;) {
        node = step(node, &rest);
    }
    return node;
}

bool hiss_config_has(const hiss_config *config, const char *section) {
    const hiss_yaml *node = hiss_config_node(config, section);
    return node && !is_null(node) && !is_empty(node) && (node->kind != HISS_YAML_MAP || node->first);
}

const char *hiss_config_where(const hiss_config *config, const char *key, char out[HISS_WHERE]) {
    const hiss_yaml *node = config && hiss_config_has(config, key) ? hiss_config_node(config, key) : NULL;
    char where[PLACE];
    if (!node) {
        snprintf(out, HISS_WHERE, "%.90s", key);
    } else if (node->line == 0 && strlen(node->file) > strlen("--set ") &&
               strcmp(node->file + strlen("--set "), key) == 0) {
        snprintf(out, HISS_WHERE, "%.300s", node->file);
    } else {
        snprintf(out, HISS_WHERE, "%s: %.90s", place(node->file, node->line, node->column, where), key);
    }
    return out;
}

hiss_status hiss_config_blame(const hiss_config *config, hiss_status status, hiss_error *err) {
    if (status != HISS_OK && err && err->key[0]) {
        char where[HISS_WHERE], other[HISS_ERROR_KEY];
        const hiss_error why = *err;
        const bool written = strcmp(hiss_config_where(config, why.key, where), why.key) != 0;
        if (!written && config && hiss_override_named(config, why.text, other)) {
            return hiss_fail(err, status, "%s: %s", hiss_config_where(config, other, where), why.text);
        }
        const bool name = !written && config && !config->unnamed;
        hiss_fail(err, status, "%.260s%s%s%s", name ? config->name : "", name ? ": " : "", where,
                  why.text + strlen(why.key));
    }
    return status;
}

static const char *last_component(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

/* A key of the same name in another section is nearer than any misspelling but one letter's. */
static void find_nearest(const known *parent, const char *path, const known **best, int *least) {
    for (const known *k = parent->first; k; k = k->next) {
        const bool same = strcmp(last_component(k->path), last_component(path)) == 0;
        int distance = same ? 1 : hiss_edit_distance(k->path, path);
        if (distance > 2 && strlen(k->path) > 2 && strncmp(k->path, path, strlen(k->path)) == 0 &&
            path[strlen(k->path)] != '.') { /* optimizer: optim */
            distance = 2;
        }
        if (distance < *least) {
            *least = distance;
            *best = k;
        }
        find_nearest(k, path, best, least);
    }
}

static hiss_status fail_unknown(const hiss_config *config, const known *section, const hiss_yaml *node,
                                const char *path, hiss_error *err) {
    const known *best = NULL;
    int least = 1 << 20;
    char where[PLACE];
    place(node->file, node->key_line, node->key_column, where);
    find_nearest(config->known, path, &best, &least);
    if (strchr(node->key, '.')) {
        return hiss_fail(err, HISS_EUSER, "%s: unknown key '%.200s'; in a file, sections are nested, not dotted", where,
                         path);
    }
    if (!best) {
        return hiss_fail(err, HISS_EUSER, "%s: unknown key '%.200s'", where, path);
    }
    if (least <= 2 || least <= (int)strlen(path) / 3) {
        return hiss_fail(err, HISS_EUSER, "%s: unknown key '%.200s'; did you mean '%s'?", where, path, best->path);
    }
    char keys[EXPECTED] = "";
    size_t used = 0;
    for (const known *k = section->first; k && used < sizeof keys - 100; k = k->next) {
        used += (size_t)snprintf(keys + used, sizeof keys - used, "%s%.60s", used ? ", " : "", k->name);
    }
    return hiss_fail(err, HISS_EUSER, "%s: unknown key '%.200s'; expected one of %s", where, path, keys);
}

static hiss_status check_known(hiss_config *config, const known *section, const hiss_yaml *map, hiss_error *err) {
    for (const hiss_yaml *node = map->kind == HISS_YAML_MAP ? map->first : NULL; node; node = node->next) {
        const known *k = section->first;
        while (k && strcmp(k->name, node->key) != 0) {
            k = k->next;
        }
        if (!k) {
            const char *dot = section->path[0] ? "." : "";
            return fail_unknown(config, section, node,
                                hiss_arena_format(config->arena, "%s%s%s", section->path, dot, node->key), err);
        }
        hiss_status status = k->text || k->node ? HISS_OK : check_known(config, k, node, err);
        if (status != HISS_OK) {
            return status;
        }
    }
    return HISS_OK;
}

hiss_status hiss_config_finish(hiss_config *config, hiss_error *err) {
    return check_known(config, config->known, config->root, err);
}

/* What follows "key:", down to the end of its last line: maps and lists of more than scalars get lines of their own. */
static void write_node(FILE *stream, const hiss_yaml *node, int depth) {
    bool deep = false;
    for (const hiss_yaml *child = node->first; child; child = child->next) {
        deep = deep || node->kind == HISS_YAML_MAP || child->kind != HISS_YAML_SCALAR;
    }
    fputc(deep ? '\n' : ' ', stream);
    if (!deep) {
        hiss_yaml_write(stream, node);
        fputc('\n', stream);
        return;
    }
    for (const hiss_yaml *child = node->first; child; child = child->next) {
        fprintf(stream, "%*s", 2 * depth, "");
        if (node->kind == HISS_YAML_MAP) {
            hiss_yaml_write_text(stream, child->key);
            fputc(':', stream);
            write_node(stream, child, depth + 1);
        } else {
            fputs("- ", stream);
            hiss_yaml_write(stream, child);
            fputc('\n', stream);
        }
    }
}

static void write_known(FILE *stream, const known *section, int depth) {
    for (const known *k = section->first; k; k = k->next) {
        fprintf(stream, "%*s%s:", 2 * depth, "", k->name);
        if (k->text) {
            fprintf(stream, " %s\n", k->text);
        } else if (k->node) {
            write_node(stream, k->node, depth + 1);
        } else {
            fputs(k->first ? "\n" : " {}\n", stream);
            write_known(stream, k, depth + 1);
        }
    }
}

const char *hiss_config_resolved(hiss_config *config) {
    char *text = NULL;
    size_t size;
    FILE *stream = hiss_text_open(&text, &size);
    write_known(stream, config->known, 0);
    fclose(stream);
    const char *copy = hiss_arena_text(config->arena, text);
    free(text);
    return copy;
}
