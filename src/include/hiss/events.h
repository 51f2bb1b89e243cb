/* What a run has logged, as files that other programs read. Not collective. The same lines give the same bytes. */
#ifndef HISS_EVENTS_H
#define HISS_EVENTS_H

#include <stdbool.h>
#include <stdio.h>

#include "hiss/metrics.h"

/* An event file, as TensorBoard reads it: a scalar for each finite number of each line, under its own name, at its step.
 * Numbers of lists, and step itself, are left out. Times are `seconds` of the lines, those of runs that went on one
 * after another. */
void hiss_events_write(const hiss_metrics *metrics, FILE *stream);

/* What MLPerf logging says of a run beside its lines. Texts may be NULL, numbers negative: not known. */
typedef struct hiss_mllog_run {
    const char *benchmark; /* submission_benchmark */
    const char *file;      /* of the lines, for the metadata */
    const char *optimizer; /* opt_name */
    double rate;           /* opt_base_learning_rate */
    double seed, batch;    /* seed; global_batch_size */
    bool ended;            /* else there is no run_stop */
} hiss_mllog_run;
/* Lines of MLPerf logging: ":::MLLOG " and an object of JSON with namespace, time_ms, event_type, key, value and metadata.
 * The head: submission_benchmark, seed, global_batch_size, opt_name, opt_base_learning_rate, as far as they are known; then
 * run_start, epoch_start and epoch_stop, tracked_stats (all numbers of a line, and its rate as throughput), eval_accuracy (the
 * highest of probe/.../knn and probe/.../ridge of a line, 0..1), and run_stop. */
void hiss_mllog_write(const hiss_metrics *metrics, const hiss_mllog_run *run, FILE *stream);

#endif
