/* YAML reading: the event stream of libyaml (https://pyyaml.org/wiki/LibYAML) folded into a tree, by recursion over
 * the nesting. What a config does not need is refused rather than half supported: anchors, aliases, tags, several
 * documents, keys that are not words, duplicate keys. Cost: linear, but quadratic in the entries of one map. */
#include "hiss/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <yaml.h>

#include "hiss/fault.h"

enum { DEEPEST = 64, HINT = 96 };

typedef struct reader {
    yaml_parser_t parser;
    hiss_arena *arena;
    const char *file, *text;
    size_t length;
    hiss_error *err;
} reader;

static hiss_status fail_at(reader *r, yaml_mark_t mark, const char *format, ...) {
    char what[800];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return hiss_fail(r->err, HISS_EUSER, "%s:%d:%d: %s", r->file, (int)mark.line + 1, (int)mark.column + 1, what);
}

/* The mark of a byte that is not text; libyaml gives only its offset. */
static yaml_mark_t mark_of_offset(const reader *r, size_t offset) {
    yaml_mark_t mark = {0};
    for (size_t i = 0; i < offset && i < r->length; i++) {
        mark.line += r->text[i] == '\n';
        mark.column = r->text[i] == '\n' ? 0 : mark.column + 1;
    }
    return mark;
}

static bool indented_by_tab(const reader *r, size_t line) {
    const char *at = r->text, *end = r->text + r->length;
    for (; line > 0 && at; line--) {
        at = memchr(at, '\n', (size_t)(end - at));
        at = at ? at + 1 : NULL;
    }
    while (at && at < end && *at == ' ') {
        at++;
    }
    return at && at < end && *at == '\t';
}

/* What to do when libyaml says this. */
static const char *hint_of(const reader *r, size_t line, char out[HINT]) {
    static const struct {
        const char *says, *hint, *behind; /* behind: what follows the line where the problem began; NULL: no line */
    } hints[] = {
        {"mapping values are not allowed", "; indent it like the lines before it, or quote a text with ': '", NULL},
        {"parsing a flow", "; close the bracket of line ", ", and put commas between its entries"},
        {"scanning a quoted", "; close the quotes of line ", ""},
        {"parsing a block", "; indent it like the lines before it, and close only brackets that are open", NULL}};
    const char *problem = r->parser.problem ? r->parser.problem : "";
    const char *context = r->parser.context ? r->parser.context : "";
    out[0] = '\0';
    if (indented_by_tab(r, line)) {
        snprintf(out, HINT, "; indent with spaces, not with tabs");
        return out;
    }
    for (size_t k = 0; k < sizeof hints / sizeof *hints && !out[0]; k++) {
        char number[24] = "";
        if (strstr(problem, hints[k].says) || strstr(context, hints[k].says)) {
            if (hints[k].behind) {
                snprintf(number, sizeof number, "%d", (int)r->parser.context_mark.line + 1);
            }
            snprintf(out, HINT, "%s%s%s", hints[k].hint, number, hints[k].behind ? hints[k].behind : "");
        }
    }
    return out;
}

static hiss_status next_event(reader *r, yaml_event_t *event) {
    if (yaml_parser_parse(&r->parser, event)) {
        return HISS_OK;
    }
    const char *problem = r->parser.problem ? r->parser.problem : "cannot be parsed";
    if (r->parser.error == YAML_READER_ERROR) {
        return fail_at(r, mark_of_offset(r, r->parser.problem_offset), "not a text file in UTF-8: %s", problem);
    }
    yaml_mark_t mark = r->parser.problem_mark;
    const char *context = r->parser.context;
    char hint[HINT];
    return fail_at(r, mark, "not valid YAML: %s%s%s%s", problem, context ? " " : "", context ? context : "",
                   hint_of(r, mark.line, hint));
}

static hiss_yaml *new_node(reader *r, hiss_yaml_kind kind, yaml_mark_t mark) {
    hiss_yaml *node = hiss_arena_alloc(r->arena, sizeof *node);
    node->kind = kind;
    node->file = r->file;
    node->line = node->key_line = (int)mark.line + 1;
    node->column = node->key_column = (int)mark.column + 1;
    return node;
}

static hiss_status make_scalar(reader *r, const yaml_event_t *event, hiss_yaml **out) {
    const char *text = (const char *)event->data.scalar.value;
    if (event->data.scalar.anchor || event->data.scalar.tag) {
        return fail_at(r, event->start_mark, "anchors (&) and tags (!) are not supported; quote the text if it is one");
    }
    if (strlen(text) != event->data.scalar.length) {
        return fail_at(r, event->start_mark, "the text holds a zero byte");
    }
    *out = new_node(r, HISS_YAML_SCALAR, event->start_mark);
    (*out)->text = hiss_arena_text(r->arena, text);
    (*out)->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return HISS_OK;
}

/* The node that event starts, without its children. */
static hiss_status make_node(reader *r, const yaml_event_t *event, int depth, hiss_yaml **out) {
    bool decorated = false;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return make_scalar(r, event, out);
    case YAML_SEQUENCE_START_EVENT:
        decorated = event->data.sequence_start.anchor || event->data.sequence_start.tag;
        *out = new_node(r, HISS_YAML_LIST, event->start_mark);
        break;
    case YAML_MAPPING_START_EVENT:
        decorated = event->data.mapping_start.anchor || event->data.mapping_start.tag;
        *out = new_node(r, HISS_YAML_MAP, event->start_mark);
        break;
    default: /* the grammar leaves only the alias */
        return fail_at(r, event->start_mark, "aliases (*) are not supported; write the value out");
    }
    if (decorated) {
        return fail_at(r, event->start_mark, "anchors (&) and tags (!) are not supported");
    }
    return depth < DEEPEST ? HISS_OK : fail_at(r, event->start_mark, "nested more than %d levels deep", DEEPEST);
}

static hiss_status read_node(reader *r, yaml_event_t *event, int depth, hiss_yaml **out);

/* Read key and value of one entry; event is the key's. */
static hiss_status read_entry(reader *r, const hiss_yaml *map, yaml_event_t *event, int depth, hiss_yaml **out) {
    hiss_yaml *key;
    yaml_mark_t mark = event->start_mark;
    hiss_status status = read_node(r, event, depth, &key);
    if (status != HISS_OK) {
        return status;
    }
    if (key->kind != HISS_YAML_SCALAR) {
        return fail_at(r, mark, "a key must be one word, found a %s", key->kind == HISS_YAML_LIST ? "list" : "map");
    }
    const hiss_yaml *twin = hiss_yaml_get(map, key->text);
    if (twin) {
        return fail_at(r, mark, "key '%s' is given twice, first in line %d; remove one of them", key->text,
                       twin->key_line);
    }
    yaml_event_t value;
    status = next_event(r, &value);
    status = status == HISS_OK ? read_node(r, &value, depth, out) : status;
    if (status == HISS_OK) {
        (*out)->key = key->text;
        (*out)->key_line = key->line;
        (*out)->key_column = key->column;
    }
    return status;
}

/* Read the node that event starts; event is consumed. */
static hiss_status read_node(reader *r, yaml_event_t *event, int depth, hiss_yaml **out) {
    hiss_status status = make_node(r, event, depth, out);
    yaml_event_delete(event);
    if (status != HISS_OK || (*out)->kind == HISS_YAML_SCALAR) {
        return status;
    }
    hiss_yaml *parent = *out;
    for (hiss_yaml **link = &parent->first;; link = &(*link)->next) {
        yaml_event_t child;
        hiss_yaml *node = NULL;
        status = next_event(r, &child);
        if (status != HISS_OK) {
            return status;
        }
        if (child.type == YAML_SEQUENCE_END_EVENT || child.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&child);
            return HISS_OK;
        }
        status = parent->kind == HISS_YAML_MAP ? read_entry(r, parent, &child, depth + 1, &node)
                                               : read_node(r, &child, depth + 1, &node);
        if (status != HISS_OK) {
            return status;
        }
        *link = node;
    }
}

static hiss_status read_document(reader *r, hiss_yaml **root) {
    yaml_event_t event;
    *root = new_node(r, HISS_YAML_MAP, (yaml_mark_t){0});
    for (int documents = 0;;) {
        hiss_status status = next_event(r, &event);
        if (status != HISS_OK) {
            return status;
        }
        switch (event.type) {
        case YAML_STREAM_END_EVENT:
            yaml_event_delete(&event);
            return HISS_OK;
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            yaml_event_delete(&event);
            break;
        case YAML_DOCUMENT_START_EVENT:
            if (documents++ > 0) {
                status = fail_at(r, event.start_mark, "a second document starts here; only one is supported");
            }
            yaml_event_delete(&event);
            if (status != HISS_OK) {
                return status;
            }
            break;
        default:
            status = read_node(r, &event, 0, root);
            if (status != HISS_OK) {
                return status;
            }
            if ((*root)->kind == HISS_YAML_SCALAR && !(*root)->quoted && !(*root)->text[0]) {
                (*root)->kind = HISS_YAML_MAP;
                (*root)->text = NULL;
            }
        }
    }
}

static hiss_status parse(hiss_arena *arena, const char *name, const char *text, size_t length, hiss_yaml **root,
                         hiss_error *err) {
    reader r = {.arena = arena, .file = hiss_arena_text(arena, name), .text = text, .length = length, .err = err};
    if (!yaml_parser_initialize(&r.parser)) {
        return hiss_fail(err, HISS_ESYSTEM, "%s: out of memory in libyaml", name);
    }
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, length);
    hiss_status status = read_document(&r, root);
    yaml_parser_delete(&r.parser);
    return status;
}

hiss_status hiss_yaml_parse(hiss_arena *arena, const char *name, const char *text, hiss_yaml **root, hiss_error *err) {
    return parse(arena, name, text, strlen(text), root, err);
}

hiss_status hiss_yaml_read(hiss_arena *arena, const char *path, hiss_yaml **root, hiss_error *err) {
    FILE *file = hiss_fault("yaml.open") ? NULL : fopen(path, "re");
    size_t length = 0, room = 1 << 14;
    char *text = hiss_new(char, room);
    while (file) {
        length += fread(text + length, 1, room - length, file);
        if (length < room) {
            break;
        }
        char *larger = memcpy(hiss_new(char, 2 * room), text, length);
        hiss_free(text);
        text = larger;
        room *= 2;
    }
    hiss_status status = !file || ferror(file)
                             ? hiss_fail(err, HISS_ESYSTEM, "cannot read '%s': %s", path, strerror(errno))
                             : parse(arena, path, text, length, root, err);
    if (file) {
        fclose(file);
    }
    hiss_free(text);
    return status;
}

const hiss_yaml *hiss_yaml_get(const hiss_yaml *map, const char *key) {
    const hiss_yaml *entry = map && map->kind == HISS_YAML_MAP ? map->first : NULL;
    while (entry && strcmp(entry->key, key) != 0) {
        entry = entry->next;
    }
    return entry;
}

const char *hiss_yaml_text(const hiss_yaml *map, const char *key) {
    const hiss_yaml *node = hiss_yaml_get(map, key);
    return node && node->text ? node->text : "";
}
