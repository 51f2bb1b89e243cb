/* Private to train: threads that run the lanes of a rank. */
#ifndef HISS_TRAIN_POOL_H
#define HISS_TRAIN_POOL_H

#include <stdint.h>

#include "hiss/status.h"

typedef struct pool pool;

/* A task of one lane; thread 0 is the caller of train_pool_run, the only one that may call MPI. */
typedef void (*pool_task)(void *user, int thread, int64_t item);

/* threads >= 1, the caller included. After an error *out has fewer threads, and is destroyed alike. */
hiss_status train_pool_create(int threads, pool **out, hiss_error *err);
void train_pool_destroy(pool *p); /* NULL is allowed */
int train_pool_threads(const pool *p);
/* Run items 0..count-1, handed out in ascending order, on all threads. The caller works too; whenever it has nothing
 * to do but others still work it calls idle(user) (may be NULL). Returns when all are done. Allocates nothing. */
void train_pool_run(pool *p, int64_t count, pool_task task, void (*idle)(void *user), void *user);

#endif
