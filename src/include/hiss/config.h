/* Configuration as tables of rows.
 *
 * A module that has settings declares a struct, and a table with one row per setting. Parsing, validation, --help,
 * the resolved config and the messages about unknown keys all derive from the table. The same rows describe command
 * line options ("key" is then --key). Not collective. */
#ifndef HISS_CONFIG_H
#define HISS_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "hiss/status.h"
#include "hiss/yaml.h"

typedef enum hiss_row_type {
    HISS_INT,    /* int64_t; also 4KiB, 1MiB, 2GiB */
    HISS_FLOAT,  /* double */
    HISS_BOOL,   /* bool; true or false */
    HISS_STRING, /* const char *, owned by the config; default NULL gives NULL */
    HISS_PATH,   /* as STRING: a path; ~ is expanded, $ refused (hiss/number.h) */
    HISS_PATHS,  /* as PATH, or a list of such: then a YAML list of texts, on one line; no path begins with [ */
    HISS_CHOICE, /* int: index into choices */
    HISS_NAME,   /* const char *, as STRING: one of choices, for owners who look it up in a register */
    HISS_NODE,   /* const hiss_yaml *: a subtree the owner reads itself; absent gives NULL */
} hiss_row_type;

typedef struct hiss_row {
    const char *key; /* within its section */
    hiss_row_type type;
    size_t offset;        /* of the field in the owner's struct */
    const char *standard; /* default as text; for INT, FLOAT, CHOICE: NULL means the user must give it; BOOL: false */
    double min, max;      /* INT and FLOAT, inclusive; both 0: no bound; +-INFINITY: no bound on that side.
                           STRING: min 1 refuses an empty text */
    const char *choices;  /* CHOICE, NAME: "one|two|three"; a bar in front, as lists made by macros have, is no choice.
                            STRING: "" lets an option of a command line be empty, which means something there */
    const char *help;     /* one line */
} hiss_row;

/* What the help of a method's row begins with when evaluation alone reads it: a run goes on with another value, too. */
#define HISS_OF_EVALUATION "evaluation: "

#define HISS_COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

typedef struct hiss_config hiss_config;

/* Read a file, or start empty when path is NULL. Destroy also frees strings and nodes handed out. */
hiss_status hiss_config_read(const char *path, hiss_config **out, hiss_error *err);
hiss_status hiss_config_parse(const char *name, const char *text, hiss_config **out, hiss_error *err);
void hiss_config_destroy(hiss_config *config);
const char *hiss_config_name(const hiss_config *config); /* the file's, for messages */

/* Apply "section.key=value" over the file, as --set does; messages then say "--set section.key". The value is YAML and
 * replaces what stood there, a whole section or list, too. Before any hiss_config_section. */
hiss_status hiss_config_set(hiss_config *config, const char *assignment, hiss_error *err);

/* Fill the struct from section ("" is the top level; "optim.generator" a nested one) and note its keys as known.
 * Errors name file:line:column, what was expected and what was found. May be called before other sections. */
hiss_status hiss_config_section(hiss_config *config, const char *section, const hiss_row *rows, int count, void *fields,
                                hiss_error *err);
/* The same, but keys that the user left out take the values of another struct of these rows. from may be fields. */
hiss_status hiss_config_inherit(hiss_config *config, const char *section, const hiss_row *rows, int count,
                                const void *from, void *fields, hiss_error *err);
/* Whether the user wrote anything under section (or section.key); null and an empty section are nothing. */
bool hiss_config_has(const hiss_config *config, const char *section);
/* Where the user wrote a key, for messages about its value: "FILE:LINE:COLUMN: data.file" or "--set data.file"; the key
 * alone when he did not, and when config is NULL. Returns out. */
enum { HISS_WHERE = 400 };
const char *hiss_config_where(const hiss_config *config, const char *key, char out[HISS_WHERE]);
/* Put the place of err->key, as hiss_config_where says it, in front of the text of an error by hiss_fail_key, once; for
 * a key that is not written, that of one in the text which --set gave, else the name of the config. Other errors stay as they are. Returns status. err may be NULL. */
hiss_status hiss_config_blame(const hiss_config *config, hiss_status status, hiss_error *err);
/* What the user wrote at section or section.key, for owners of sections whose names the user chooses; NULL: nothing. */
const hiss_yaml *hiss_config_node(const hiss_config *config, const char *section);
/* After all sections: an error for the first key nobody asked for, naming the nearest known key. */
hiss_status hiss_config_finish(hiss_config *config, hiss_error *err);
/* The resolved config: every known key with its value, as YAML that reads back to the same values. Owned by config. */
const char *hiss_config_resolved(hiss_config *config);

/* Compare two resolved configs, but for what belongs to count keys of the top level. An error (HISS_EUSER) is the first
 * difference: "in section optim, 'lr: 0.1', now 'lr: 0.2'". */
hiss_status hiss_resolved_compare(const char *then, const char *now, const char *const *keys, int count,
                                  hiss_error *err);

/* ---- overrides that stand in a file of their own, as a list of "key=value" ---- */

/* Whether a message about a config, "--set KEY...", speaks of the key of an assignment; of the whole of it, where that
 * has none. */
bool hiss_override_speaks_of(const char *text, const char *assignment);
/* The last of a list, or of the one text that stands for it, that a message speaks of; NULL: none. list may be NULL. */
const hiss_yaml *hiss_override_find(const hiss_yaml *list, const char *text);
/* Whether a text names a key whose value --set gave; the first of them. */
bool hiss_override_named(const hiss_config *config, const char *text, char key[HISS_ERROR_KEY]);
/* The message with a place in place of "--set KEY"; in arena. */
const char *hiss_override_blame(hiss_arena *arena, const char *where, const char *text);

/* Insertions, deletions and substitutions that turn a into b: how near a misspelt word is to a known one. */
int hiss_edit_distance(const char *a, const char *b);

/* Print rows as help, at most 100 columns wide: key, type with range or choices, default, help. Where the environment has
 * HISS_HELP=tabs, each row is one line, and a tab stands between the four.
 *   section  in  NULL: the rows are command line options, printed as --key */
void hiss_rows_help(FILE *stream, const char *section, const hiss_row *rows, int count);

/* Parse command line arguments by rows: --key value, --key=value, --flag and --no-flag for BOOL; -- ends the options.
 * "--set" style repeated options are HISS_STRING rows whose key ends in '*': their values are collected into repeated[]
 * instead. A missing option without default is an error, unless a BOOL row "help" was given.
 *   argv        in   argc words, the program's (and the command's) name not among them
 *   positional  out  up to max_positional words; npositional their number; more are an error
 *   repeated    out  up to max_repeated, more are an error; may be NULL when no row is repeated
 *   rest        out  NULL: neither positional words nor repeated options
 * Strings point into argv or rows. A path or a positional word that hiss_path_check refuses is an error;
 * ~ stays, since nothing here could own the longer text: the caller expands the words before (hiss/number.h). */
enum { HISS_MAX_OPTIONS = 64 }; /* rows of a command */
typedef struct hiss_arguments {
    const char **positional;
    int npositional, max_positional;
    const char **repeated;
    int nrepeated, max_repeated;
    bool given[HISS_MAX_OPTIONS];   /* out: whether the option of a row was there */
    bool negated[HISS_MAX_OPTIONS]; /* out: the last time as --no-KEY */
} hiss_arguments;
hiss_status hiss_options_parse(const hiss_row *rows, int count, int argc, char **argv, void *fields,
                               hiss_arguments *rest, hiss_error *err);
/* An error for the first option that was given and is not among `used`, words without dashes ("set out nodes") beside
 * log and help, which always are: "--KEY has no effect FORM; leave it out".
 *   form  e.g. "on hiss scale report" */
hiss_status hiss_options_expect(const hiss_row *rows, int count, const hiss_arguments *rest, const char *used,
                                const char *form, hiss_error *err);
/* Whether the option of a key was there. */
bool hiss_options_given(const hiss_row *rows, int count, const hiss_arguments *rest, const char *key);

#endif
