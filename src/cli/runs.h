/* Private to cli: what runs have left, for tables of them. None of these is collective. */
#ifndef HISS_CLI_RUNS_H
#define HISS_CLI_RUNS_H

#include "cli/cli.h"
#include "hiss/metrics.h"
#include "hiss/number.h"
#include "hiss/report.h"

typedef enum runs_state { RUNS_DONE, RUNS_RUNNING, RUNS_INTERRUPTED, RUNS_BROKEN } runs_state;

typedef struct runs_run {
    const char *name; /* as tables have it */
    const char *path; /* of its directory */
    runs_state state;
    const char *where;                 /* "done", "running, step 100", "interrupted at step 96", "broken" */
    const char *why;                   /* broken, or what cannot be read of a run that is not: one line; else NULL */
    const hiss_yaml *config, *summary; /* NULL: none */
    hiss_metrics metrics;
    hiss_evaluation *evaluation; /* NULL: none */
    int64_t step;                /* newest that is known of; -1: none */
    int64_t epochs;              /* that are over; -1: not known */
    double loss;                 /* the last that was logged; NAN: none */
    const char *parameters;      /* parameters_sha256; "": none */
    char when[32];               /* UTC: when its last file of results was written */
} runs_run;

/* Whether a path is the directory of a run. A folder of configs is none. */
bool runs_is(const char *path);
/* All that can be read of the run there; nothing of it is an error. Texts, trees and numbers in arena, name and path by
 * reference. Close it after use. */
void runs_read(hiss_arena *arena, const char *name, const char *path, runs_run *out);
void runs_close(runs_run *run);
/* "sgd", "[1, 2]": a scalar or a list; a key that holds more keys has none. In arena. */
const char *runs_text(hiss_arena *arena, const hiss_yaml *node);
/* "a, b, c" of hiss_evaluation_list cut into words, in arena. Returns their number. */
int runs_names(hiss_arena *arena, const hiss_evaluation *e, const char *subject, const char *judgement,
               const char ***out);
/* "3 / 8": epochs that are over of those that its config wants, in arena. */
const char *runs_epochs(hiss_arena *arena, const runs_run *run);
/* A number as tables have it, with so many significant digits; "-" for NAN. In arena. */
const char *runs_number(hiss_arena *arena, int digits, double value);
/* A table as CSV: its head and its rows. */
void runs_csv(FILE *out, const hiss_report_table *table);

#endif
