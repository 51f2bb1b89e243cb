/* One job at a time on a thread of its own, which sleeps in between. */
#include "train/background.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/fault.h"

struct background {
    background_job job;
    void *user;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t change;
    bool busy, ended, quit;
    hiss_status status;
    hiss_error error;
};

static void *work(void *argument) {
    background *b = argument;
    pthread_mutex_lock(&b->lock);
    while (b->busy || !b->quit) {
        if (!b->busy) {
            pthread_cond_wait(&b->change, &b->lock);
            continue;
        }
        hiss_error error = {0};
        pthread_mutex_unlock(&b->lock);
        const hiss_status status = b->job(b->user, &error);
        pthread_mutex_lock(&b->lock);
        b->status = status;
        b->error = error;
        b->busy = false;
        b->ended = true;
        pthread_cond_broadcast(&b->change);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

hiss_status train_background_create(background_job job, void *user, background **out, hiss_error *err) {
    background *b = hiss_new(background, 1);
    b->job = job;
    b->user = user;
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->change, NULL);
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* inherited by the thread */
    hiss_alloc_expect_thread();
    const int failure = hiss_fault("thread.create") ? EAGAIN : pthread_create(&b->thread, NULL, work, b);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failure) {
        hiss_free(b);
        return hiss_fail(err, HISS_ESYSTEM,
                         "cannot start the thread that writes checkpoints: %s; raise the limit of processes",
                         strerror(failure));
    }
    *out = b;
    return HISS_OK;
}

void train_background_destroy(background *b) {
    if (!b) {
        return;
    }
    pthread_mutex_lock(&b->lock);
    b->quit = true;
    pthread_cond_broadcast(&b->change);
    pthread_mutex_unlock(&b->lock);
    pthread_join(b->thread, NULL);
    pthread_mutex_destroy(&b->lock);
    pthread_cond_destroy(&b->change);
    hiss_free(b);
}

void train_background_start(background *b) {
    pthread_mutex_lock(&b->lock);
    assert(!b->busy);
    b->busy = true;
    pthread_cond_broadcast(&b->change);
    pthread_mutex_unlock(&b->lock);
}

bool train_background_busy(background *b) {
    pthread_mutex_lock(&b->lock);
    const bool busy = b->busy;
    pthread_mutex_unlock(&b->lock);
    return busy;
}

bool train_background_ended(background *b, hiss_status *status, hiss_error *err) {
    pthread_mutex_lock(&b->lock);
    const bool ended = b->ended && !b->busy;
    if (ended) {
        *status = b->status;
        *err = b->error;
        b->ended = false;
    }
    pthread_mutex_unlock(&b->lock);
    return ended;
}

void train_background_wait(background *b) {
    pthread_mutex_lock(&b->lock);
    while (b->busy) {
        pthread_cond_wait(&b->change, &b->lock);
    }
    pthread_mutex_unlock(&b->lock);
}
