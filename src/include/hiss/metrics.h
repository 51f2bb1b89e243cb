/* What a training run logged: RUN/metrics.jsonl, one object of numbers per line. The one reader of it. */
#ifndef HISS_METRICS_H
#define HISS_METRICS_H

#include <stdint.h>

#include "hiss/alloc.h"
#include "hiss/status.h"

typedef struct hiss_metric_column {
    const char *name;    /* its key; number k of a list at key: "key.k" */
    const double *value; /* [lines]; NAN where a line has none, or null */
} hiss_metric_column;

typedef struct hiss_metrics {
    int64_t lines;
    int columns;
    const hiss_metric_column *column; /* [columns], in the order in which names first appear */
} hiss_metrics;

/* Read the file into arena. A last line without its end is left out: it is being written, or its run was killed.
 * Errors (HISS_EUSER, file:line: ...): a line is no object. HISS_ESYSTEM: the file cannot be read. Not collective. */
hiss_status hiss_metrics_read(hiss_arena *arena, const char *path, hiss_metrics *out, hiss_error *err);
/* A column; NULL when no line has it. Not collective. */
const double *hiss_metrics_column(const hiss_metrics *metrics, const char *name);
/* The step of one line, of the form that runs write; -1 when it has none. Not collective. */
int64_t hiss_metrics_step(const char *line);

#endif
