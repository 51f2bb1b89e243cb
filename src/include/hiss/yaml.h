/* A YAML document as a tree with source positions. libyaml is used in src/base/yaml.c only. Not collective. */
#ifndef HISS_YAML_H
#define HISS_YAML_H

#include <stdbool.h>
#include <stdio.h>

#include "hiss/alloc.h"
#include "hiss/status.h"

typedef enum hiss_yaml_kind { HISS_YAML_SCALAR, HISS_YAML_LIST, HISS_YAML_MAP } hiss_yaml_kind;

typedef struct hiss_yaml hiss_yaml;
struct hiss_yaml {
    hiss_yaml_kind kind;
    const char *file;         /* name for messages */
    int line, column;         /* where the value starts, from 1 */
    const char *key;          /* in a map: this entry's key; else NULL */
    int key_line, key_column; /* in a map: where the key starts, from 1; else as line, column */
    const char *text;         /* scalar: its text; else NULL */
    bool quoted;              /* scalar was quoted: always a string */
    hiss_yaml *first, *next;  /* children of a list or map; next sibling */
};

/* Parse; every node lives in arena. Duplicate keys, anchors, aliases, tags and a second document are errors
 * (file:line:column). An empty document is an empty map. */
hiss_status hiss_yaml_read(hiss_arena *arena, const char *path, hiss_yaml **root, hiss_error *err);
hiss_status hiss_yaml_parse(hiss_arena *arena, const char *name, const char *text, hiss_yaml **root, hiss_error *err);
/* Entry of a map by key; NULL when map is NULL, is not a map, or has no such key. */
const hiss_yaml *hiss_yaml_get(const hiss_yaml *map, const char *key);
/* Its text; "" where there is none. */
const char *hiss_yaml_text(const hiss_yaml *map, const char *key);

/* "FILE:LINE:COLUMN" of a value, "--set KEY" of one that was set. Returns out. */
enum { HISS_PLACE = 300 };
const char *hiss_yaml_place(const hiss_yaml *node, char out[HISS_PLACE]);
/* An error (HISS_EUSER), "PLACE: KEY: expected EXPECTED, found ...", about a value. */
hiss_status hiss_yaml_refuse(const hiss_yaml *node, const char *key, const char *expected, hiss_error *err);
/* The scalars of a list, one line each, or the one scalar that stands for a list of one: out[count] in arena. A node of
 * NULL gives none. Errors: those of hiss_yaml_refuse. */
hiss_status hiss_yaml_words(hiss_arena *arena, const hiss_yaml *node, const char *key, const char *expected,
                            const char ***out, int *count, hiss_error *err);

/* Write a tree in flow style on one line, without newline. It reads back as the same tree, except that a plain scalar
 * which flow style cannot hold comes back quoted, and an empty plain scalar as null. */
void hiss_yaml_write(FILE *stream, const hiss_yaml *node);
/* Write a text as a scalar that every YAML reader takes for this string; NULL writes null. */
void hiss_yaml_write_text(FILE *stream, const char *text);

#endif
