/* A pool of threads with one job at a time. Items are handed out by an atomic counter; the job ends when the caller has
 * found none left and all workers have left it. Which thread gets which item is left to chance: nothing may depend on
 * it. */
#include "train/pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/fault.h"
#include "hiss/kernels.h"
#include "hiss/subnormal.h"

typedef struct worker {
    pool *pool;
    pthread_t thread;
    int number;
} worker;

struct pool {
    int threads;
    worker *workers;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int64_t generation;
    bool quit;
    /* the job */
    pool_task task;
    void *user;
    int64_t count;
    _Atomic int64_t next;
    _Atomic int busy; /* workers that have not yet left the job */
};

static void work(pool *p, int number) {
    for (int64_t item; (item = atomic_fetch_add(&p->next, 1)) < p->count;) {
        hiss_subnormals_to_zero();
        p->task(p->user, number, item);
    }
}

static void *worker_main(void *argument) {
    worker *w = argument;
    pool *p = w->pool;
    hiss_kernels_enter_thread();
    hiss_alloc_seal(true);
    for (int64_t seen = 0;;) {
        pthread_mutex_lock(&p->lock);
        while (p->generation == seen && !p->quit) {
            pthread_cond_wait(&p->wake, &p->lock);
        }
        seen = p->generation;
        const bool quit = p->quit;
        pthread_mutex_unlock(&p->lock);
        if (quit) {
            return NULL;
        }
        work(p, w->number);
        atomic_fetch_sub(&p->busy, 1);
    }
}

hiss_status train_pool_create(int threads, pool **out, hiss_error *err) {
    pool *p = hiss_new(pool, 1);
    p->workers = hiss_new(worker, threads);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    *out = p;
    for (p->threads = 1; p->threads < threads; p->threads++) {
        worker *w = &p->workers[p->threads];
        *w = (worker){.pool = p, .number = p->threads};
        hiss_alloc_expect_thread();
        const int failure = hiss_fault("thread.create") ? EAGAIN : pthread_create(&w->thread, NULL, worker_main, w);
        if (failure) {
            return hiss_fail(err, HISS_ESYSTEM,
                             "cannot start thread %d of %d: %s; lower dist.threads, or raise the limit of processes",
                             p->threads + 1, threads, strerror(failure));
        }
    }
    return HISS_OK;
}

void train_pool_destroy(pool *p) {
    if (!p) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->quit = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int t = 1; t < p->threads; t++) {
        pthread_join(p->workers[t].thread, NULL);
    }
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->wake);
    hiss_free(p->workers);
    hiss_free(p);
}

int train_pool_threads(const pool *p) {
    return p->threads;
}

void train_pool_run(pool *p, int64_t count, pool_task task, void (*idle)(void *user), void *user) {
    p->task = task;
    p->user = user;
    p->count = count;
    atomic_store(&p->next, 0);
    if (p->threads > 1) {
        atomic_store(&p->busy, p->threads - 1);
        pthread_mutex_lock(&p->lock);
        p->generation++;
        pthread_cond_broadcast(&p->wake);
        pthread_mutex_unlock(&p->lock);
    }
    work(p, 0);
    while (atomic_load(&p->busy) > 0) {
        if (idle) {
            idle(user);
        }
        sched_yield();
    }
}
