/* Private to the compare command. */
#ifndef HISS_CLI_COMPARE_H
#define HISS_CLI_COMPARE_H

#include "cli/study.h"
#include "hiss/compare.h"

typedef struct compare_request {
    const char *path, *out;
    const char *const *sets;
    int nsets;
    int64_t task; /* only this run, counted from 1, and no table; 0: all */
    bool dry;     /* of compare_submit: write the scripts only */
} compare_request;

typedef struct compare_plan {
    hiss_comparison study;
    const char **eval; /* [nrows] section eval of the row's config on one line; NULL: the row has no run of its own */
} compare_plan;

/* Read the study and every config with every seed, open their data and build their networks: what is wrong with one of
 * them, or with a reading that no row can have, is found here, and so is a run in DIR that was made by another config.
 * Then DIR is there, with the study in it. Destroy the study also after an error. */
hiss_status compare_open(const compare_request *r, compare_plan *plan, hiss_error *err);
/* Train and judge what is not done yet, and write the table after each. */
hiss_status compare_run(const compare_request *r, hiss_error *err);
/* Submit a job array of the runs that are not done, and a job for the table. */
hiss_status compare_submit(const compare_request *r, hiss_error *err);
/* Whether a run is done, and was judged as the study has it now. */
bool compare_is_done(const compare_plan *plan, const char *dir, int run);
/* An error where a reading is in no evaluation, and will be in none. */
hiss_status compare_expect_readings(const hiss_compare_results *results, hiss_error *err);

#endif
