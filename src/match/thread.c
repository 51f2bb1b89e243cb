/* A thread that solves this rank's blocks beside the step. */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/fault.h"
#include "hiss/subnormal.h"
#include "match/match_impl.h"

struct match_thread {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool wanted, quit;
    hiss_match *match;
};

static void *solver_main(void *argument) {
    match_thread *t = argument;
    for (;;) {
        pthread_mutex_lock(&t->lock);
        while (!t->wanted && !t->quit) {
            pthread_cond_wait(&t->change, &t->lock);
        }
        const bool quit = t->quit;
        t->wanted = false;
        pthread_mutex_unlock(&t->lock);
        if (quit) {
            return NULL;
        }
        hiss_subnormals_to_zero();
        while (hiss_match_assist(t->match, HISS_MATCH_OWN_THREAD)) {
        }
    }
}

hiss_status match_thread_create(hiss_match *x, match_thread **out, hiss_error *err) {
    match_thread *t = hiss_new(match_thread, 1);
    t->match = x;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->change, NULL);
    hiss_alloc_expect_thread();
    const int failure = hiss_fault("thread.create") ? EAGAIN : pthread_create(&t->thread, NULL, solver_main, t);
    if (failure) {
        hiss_free(t);
        return hiss_fail(err, HISS_ESYSTEM,
                         "cannot start the thread of assign.async: %s; raise the limit of processes, or set it false",
                         strerror(failure));
    }
    *out = t;
    return HISS_OK;
}

static void tell(match_thread *t, bool *what) {
    pthread_mutex_lock(&t->lock);
    *what = true;
    pthread_cond_signal(&t->change);
    pthread_mutex_unlock(&t->lock);
}

void match_thread_wake(match_thread *t) {
    tell(t, &t->wanted);
}

void match_thread_destroy(match_thread *t) {
    if (t) {
        tell(t, &t->quit);
        pthread_join(t->thread, NULL);
        pthread_mutex_destroy(&t->lock);
        pthread_cond_destroy(&t->change);
        hiss_free(t);
    }
}
