/* Private to cli: what hiss inspect says. */
#ifndef HISS_CLI_INSPECT_H
#define HISS_CLI_INSPECT_H

#include <stdio.h>

#include "cli/cli.h"

/* Facts in order, as lines for people or as members of a JSON object. None of these is collective. */
typedef struct facts {
    FILE *out;
    bool json;
    int count; /* of facts so far in this object */
} facts;
void facts_begin(facts *f, const char *key); /* a group of facts; key NULL: all that is said of one thing */
void facts_end(facts *f);
void facts_text(facts *f, const char *key, const char *text); /* NULL, "": not said */
void facts_integer(facts *f, const char *key, int64_t value);
void facts_flag(facts *f, const char *key, bool value);
/* Names, one a line of text; NULL: not said. For people at most a line of them. */
void facts_names(facts *f, const char *key, const char *lines);
/* A tree of YAML; for people nothing is said of it. */
void facts_tree(facts *f, const char *key, const hiss_yaml *tree);
/* The text of a config; whole: for people, too. */
void facts_config(facts *f, const char *name, const char *text, bool whole);
/* A data set. info NULL: it cannot be read, why says so. */
void facts_array(facts *f, const char *name, const hiss_h5_info *info, const char *why);

typedef struct inspect_options {
    bool json, config, verify, help;
} inspect_options;
/* Write what a path names to out. Errors (HISS_EUSER): it is nothing that is known; it is damaged. */
hiss_status inspect_path(const char *path, const inspect_options *o, FILE *out, hiss_error *err);
/* The same of the directory of a run. */
hiss_status inspect_run(const char *run, const inspect_options *o, facts *f, hiss_error *err);

#endif
