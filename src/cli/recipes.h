/* Private to the reproduce command: a file of recipes. Not collective. */
#ifndef HISS_CLI_RECIPES_H
#define HISS_CLI_RECIPES_H

#include "hiss/config.h"
#include "hiss/report.h"

enum { RECIPES_MOST = 256, RECIPE_READINGS = 32 };

typedef struct recipe {
    const char *name, *config, *data;
    const hiss_yaml *set, *expect;
    int64_t seed;
    const char *parameters, *kernels, *data_sum, *processor; /* of the recorded run; "": none */
    double seconds;
} recipe;

typedef struct bound { /* of a reading */
    const char *reading;
    double value, within; /* value NAN: not recorded yet */
} bound;

typedef struct reproduction {
    hiss_config *text;
    hiss_arena *arena;
    recipe recipe;
    bound bound[RECIPE_READINGS];
    int bounds;
} reproduction;

/* Read every recipe of the file, so that a mistake in it is found whatever recipe is asked for; the one of that name stays in
 * r. r->arena is there.
 *   name  NULL: none is asked for
 *   list  NULL, or gets a row for each reading of each recipe: recipe, reading, recorded, within, seconds, parameters
 * Errors (HISS_EUSER) name file:line:column. Destroy r->text also after an error. */
hiss_status recipes_read(reproduction *r, const char *file, const char *name, hiss_report_table *list, hiss_error *err);
/* A number as the tables show it, in arena. */
const char *recipes_number(const reproduction *r, double value);
void recipes_help(FILE *stream);

#endif
