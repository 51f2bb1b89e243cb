/* assign.async: this rank's blocks are solved on a thread of their own while the step goes on with the old targets; the
 * answers take effect at the next step, or before a checkpoint or an epoch's end, whichever comes first: never "when
 * they are ready". No sample is seen twice in between, so the assignment stays injective and a checkpoint needs no
 * memory of what was pending. */
#include <errno.h>
#include <string.h>

#include "hiss/fault.h"
#include "hiss/subnormal.h"
#include "objective/nat/nat.h"

struct nat_solver_thread {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool wanted, quit;
    nat_blocks *blocks;
};

static void *solver_main(void *argument) {
    nat_solver_thread *s = argument;
    hiss_kernels_enter_thread();
    for (;;) {
        pthread_mutex_lock(&s->lock);
        while (!s->wanted && !s->quit) {
            pthread_cond_wait(&s->change, &s->lock);
        }
        const bool quit = s->quit;
        s->wanted = false;
        pthread_mutex_unlock(&s->lock);
        if (quit) {
            return NULL;
        }
        hiss_subnormals_to_zero();
        while (nat_blocks_assist(s->blocks, NAT_OWN_THREAD)) {
        }
    }
}

hiss_status nat_thread_create(nat_blocks *b, nat_solver_thread **out, hiss_error *err) {
    nat_solver_thread *s = hiss_new(nat_solver_thread, 1);
    s->blocks = b;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->change, NULL);
    hiss_alloc_expect_thread();
    const int failure = hiss_fault("thread.create") ? EAGAIN : pthread_create(&s->thread, NULL, solver_main, s);
    if (failure) {
        hiss_free(s);
        return hiss_fail(err, HISS_ESYSTEM,
                         "cannot start the thread of assign.async: %s; raise the limit of processes, or set it false",
                         strerror(failure));
    }
    *out = s;
    return HISS_OK;
}

static void tell(nat_solver_thread *s, bool *what) {
    pthread_mutex_lock(&s->lock);
    *what = true;
    pthread_cond_signal(&s->change);
    pthread_mutex_unlock(&s->lock);
}

void nat_thread_wake(nat_solver_thread *s) {
    tell(s, &s->wanted);
}

void nat_thread_destroy(nat_solver_thread *s) {
    if (s) {
        tell(s, &s->quit);
        pthread_join(s->thread, NULL);
        pthread_mutex_destroy(&s->lock);
        pthread_cond_destroy(&s->change);
        hiss_free(s);
    }
}
