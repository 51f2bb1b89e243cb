/* Private to the scale command. */
#ifndef HISS_CLI_SCALE_H
#define HISS_CLI_SCALE_H

#include "cli/study.h"

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
