/* Private to the compare command. */
#ifndef HISS_CLI_COMPARE_H
#define HISS_CLI_COMPARE_H

#include "cli/study.h"
#include "hiss/compare.h"

typedef struct compare_request {
    const char *path, *out;
    const char *const *sets;
    int nsets;
    int64_t task; /* only a row with a seed and its transfers, counted from 1, and no table; 0: all */
    bool dry;     /* of compare_submit: write the scripts only */
    bool requeue; /* of compare_run with a task: put the job back into the queue when it is stopped */
} compare_request;

/* Read the study and every config with every seed, whose sections eval are then known: what is wrong with one of them is
 * found here, and so is a run in DIR that was made by another config. Destroy the study also after an error. */
hiss_status compare_read(const compare_request *r, hiss_comparison *study, hiss_error *err);
/* The same, and open the data and build the networks: a reading that no row can have is found, too. */
hiss_status compare_open(const compare_request *r, hiss_comparison *study, hiss_error *err);
/* Make DIR, with the study in it. */
hiss_status compare_place(const compare_request *r, const hiss_comparison *study, hiss_error *err);
/* Train and judge what is not done yet, and write the table after each. */
hiss_status compare_run(const compare_request *r, hiss_error *err);
/* Submit a job array of the runs that are not done, and a job for the table. */
hiss_status compare_submit(const compare_request *r, hiss_error *err);
/* Put the job of a task back into SLURM's queue. err says that the task was stopped, and in the end what became of it;
 * HISS_OK: the job is in the queue. further: it came further than it was at its start. */
hiss_status compare_requeue(const compare_request *r, bool further, hiss_error *err);
/* Runs of a task: first of them; the end is the first that does not belong to it. Returns false when there is no such
 * task; total: how many there are. */
bool compare_find_task(const hiss_comparison *study, int64_t task, int *first, int *end, int *total);
/* Whether a run is done, and was judged as the study has it now. */
bool compare_is_done(const hiss_comparison *study, const char *dir, int run);
/* An error where a reading is in no evaluation, and will be in none. */
hiss_status compare_expect_readings(const hiss_compare_results *results, hiss_error *err);

#endif
