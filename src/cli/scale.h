/* Private to the scale command. */
#ifndef HISS_CLI_SCALE_H
#define HISS_CLI_SCALE_H

#include "cli/cli.h"
#include "hiss/scale.h"

/* ---- processes ---- */

/* From here on the ends of children are noticed at once. stoppable: SIGINT, SIGTERM, SIGHUP and SIGUSR1 are caught,
 * too, and scale_child_run passes them on as SIGTERM; else they end this process and with it its child. */
void scale_child_setup(bool stoppable);
/* Run argv (found in PATH) in its own process group, with the environment cleaned of what makes this process a rank of
 * some job; standard input empty, output and errors to log. Waits for its end.
 *   limit  seconds, then it is ended; 0: none
 *   end    how: "exit N", "signal N", "time limit", or "not started: why"
 * Returns false when a signal asked this process to stop; the child has ended then, too. */
bool scale_child_run(const char *const *argv, const char *log, int64_t limit, char end[128]);
/* The same, but standard output into out[size]. What it says to its errors is in the text of the error, or, where the
 * child ends with 0, in a warning. */
enum { CHILD_ERRORS = 512 };
hiss_status scale_child_read(const char *const *argv, char *out, size_t size, hiss_error *err);

/* ---- where and with what ---- */

/* This host's cores and the hosts of the allocation, in arena. After scale_child_setup. */
hiss_status scale_place(hiss_arena *arena, hiss_scale_place *out, hiss_error *err);
/* What a point.yaml says about this machine, program and job: lines of YAML. */
void scale_write_facts(FILE *out);

/* ---- actions ---- */

typedef struct scale_request {
    const char *path, *out;
    const char *const *sets;
    int nsets;
    int64_t nodes; /* only points on so many; 0: all */
    bool dry;
    bool elsewhere; /* the points will run on other machines: their data need not be seen from here */
} scale_request;
/* The study in DIR/study.yaml, which is written when it is not there; another one there is an error. Reads every config
 * with the settings of every point. */
hiss_status scale_open(const scale_request *r, hiss_study *study, hiss_error *err);
hiss_status scale_run(const scale_request *r, hiss_error *err);
hiss_status scale_submit(const scale_request *r, hiss_error *err);

#endif
