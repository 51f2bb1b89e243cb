/* The ring and the wait of a rank.
 *
 * Ring: a writer takes the next number and fills the entry of that place. Nobody waits for anybody: an entry that is
 * read while it is written mixes two operations, which harms a text and nothing else, and 64 entries are far more than
 * are written while the last 16 are shown.
 *
 * Wait: one writer, the main thread, and a version number that is odd while it writes; a reader takes another copy when
 * the version was odd or has changed. */
#include "comm/watch_impl.h"

#include <stdio.h>
#include <string.h>

#include "comm/comm_impl.h"
#include "hiss/clock.h"

#define PUT(place, value) atomic_store_explicit(&(place), (value), memory_order_relaxed)
#define GET(place)        atomic_load_explicit(&(place), memory_order_relaxed)

/* ---- the ring ---- */

void hiss_watch_step(hiss_comm *comm, int64_t step) {
    PUT(comm->watch.step, step);
}

void hiss_watch_note(hiss_comm *comm, const char *what, int64_t number) {
    comm_watch *w = &comm->watch;
    const uint64_t n = atomic_fetch_add_explicit(&w->written, 1, memory_order_relaxed);
    comm_watch_entry *e = &w->ring[n % HISS_WATCH_RING];
    PUT(e->what, what);
    PUT(e->number, number);
    PUT(e->step, GET(w->step));
    PUT(e->since, hiss_seconds());
}

static void text_of(const char *what, int64_t number, char out[HISS_WATCH_TEXT]) {
    if (number < 0) {
        snprintf(out, HISS_WATCH_TEXT, "%s", what);
    } else {
        snprintf(out, HISS_WATCH_TEXT, "%s %lld", what, (long long)number);
    }
}

void comm_watch_last(const comm_watch *w, char out[HISS_WATCH_TEXT]) {
    const uint64_t written = GET(w->written);
    const comm_watch_entry *e = &w->ring[(written - 1) % HISS_WATCH_RING];
    const char *what = written > 0 ? GET(e->what) : NULL;
    text_of(what ? what : "start", what ? GET(e->number) : -1, out);
}

void comm_watch_show(const comm_watch *w, const char *own) {
    const uint64_t written = GET(w->written);
    const double now = hiss_seconds();
    fprintf(stderr, "hiss: %s, its last operations:\n", own);
    for (uint64_t n = written > HISS_WATCH_SHOWN ? written - HISS_WATCH_SHOWN : 0; n < written; n++) {
        const comm_watch_entry *e = &w->ring[n % HISS_WATCH_RING];
        const char *what = GET(e->what);
        char text[HISS_WATCH_TEXT];
        text_of(what ? what : "?", GET(e->number), text);
        fprintf(stderr, "hiss:   %10.3f s ago  step %lld  %s\n", now - GET(e->since), (long long)GET(e->step), text);
    }
}

/* ---- the wait ---- */

static void change(comm_watch *w) {
    PUT(w->version, GET(w->version) + 1);
    atomic_thread_fence(memory_order_release);
}

static void changed(comm_watch *w) {
    atomic_store_explicit(&w->version, GET(w->version) + 1, memory_order_release);
}

void comm_wait_begin(hiss_comm *comm, const char *what, int64_t number) {
    comm_watch *w = &comm->watch;
    hiss_watch_note(comm, what, number);
    change(w);
    PUT(w->waiting, true);
    PUT(w->waits, GET(w->waits) + 1);
    PUT(w->what, what);
    PUT(w->number, number);
    PUT(w->peers, 0);
    changed(w);
}

void comm_wait_end(hiss_comm *comm) {
    comm_watch *w = &comm->watch;
    change(w);
    PUT(w->waiting, false);
    changed(w);
}

void comm_wait_forget(hiss_comm *comm) {
    memset(comm->watch.seen, 0, sizeof(int) * (size_t)comm->size);
}

void comm_wait_add(hiss_comm *comm, int rank) {
    comm->watch.seen[rank] = 1;
}

void comm_wait_publish(hiss_comm *comm, const char *what, int64_t number) {
    comm_watch *w = &comm->watch;
    int peers = 0;
    change(w);
    for (int r = 0; r < comm->size; r++) {
        if (w->seen[r]) {
            if (peers < HISS_WATCH_PEERS) {
                PUT(w->peer[peers], r);
            }
            peers++;
        }
    }
    PUT(w->peers, peers);
    PUT(w->what, what);
    PUT(w->number, number);
    changed(w);
}

comm_wait comm_watch_wait(const comm_watch *w) {
    comm_wait copy;
    uint64_t before, after;
    do {
        before = atomic_load_explicit(&w->version, memory_order_acquire);
        copy = (comm_wait){.waiting = GET(w->waiting),
                           .number_of_wait = GET(w->waits),
                           .what = GET(w->what),
                           .number = GET(w->number),
                           .peers = GET(w->peers)};
        for (int k = 0; k < HISS_WATCH_PEERS; k++) {
            copy.peer[k] = GET(w->peer[k]);
        }
        atomic_thread_fence(memory_order_acquire);
        after = GET(w->version);
    } while (before != after || before % 2);
    return copy;
}

void hiss_watch_at_end(hiss_comm *comm, void (*act)(void *user), void *user) {
    comm->watch.user = user;
    comm->watch.at_end = act;
}

void comm_watch_act(const hiss_comm *comm) {
    if (comm->watch.at_end) {
        comm->watch.at_end(comm->watch.user);
    }
}
