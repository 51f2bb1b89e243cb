/* Private to train: one job at a time on a thread of its own. */
#ifndef HISS_TRAIN_BACKGROUND_H
#define HISS_TRAIN_BACKGROUND_H

#include <stdbool.h>

#include "hiss/status.h"

typedef struct background background;
typedef hiss_status (*background_job)(void *user, hiss_error *err);

/* The thread takes no signals. Nothing is allocated after creation. All functions must be called by one and the same
 * thread, the owner. */
hiss_status train_background_create(background_job job, void *user, background **out, hiss_error *err);
void train_background_destroy(background *b); /* waits for the job; NULL is allowed */
void train_background_start(background *b);   /* must not be busy */
bool train_background_busy(background *b);
/* Whether a job has ended since this was last true: then its status is in *status, and its error in *err. */
bool train_background_ended(background *b, hiss_status *status, hiss_error *err);
void train_background_wait(background *b); /* until it is not busy */

#endif
