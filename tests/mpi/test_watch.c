/* The ring of operations and the wait of a rank, as another thread sees them while the main thread waits; and the end
 * of a watchdog that saw nothing. */
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "comm/comm_impl.h"
#include "mpi_test.h"

static void sleep_ms(long ms) {
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

typedef struct looker {
    const comm_watch *watch;
    int rank, late;
    comm_wait seen;     /* the last wait with known peers */
    _Atomic bool found; /* the late one was among those of some wait, or they were too many to tell */
    _Atomic bool stop;
} looker;

/* Each rank leaves a file when it has seen the late one. */
static void name_of(int rank, char name[32]) {
    snprintf(name, 32, "seen-%d", rank);
}

static void say_found(looker *l) {
    char name[32];
    name_of(l->rank, name);
    FILE *file = fopen(name, "w");
    l->found = file && fclose(file) == 0;
}

static void *look(void *user) {
    looker *l = user;
    while (!l->stop) {
        const comm_wait wait = comm_watch_wait(l->watch);
        bool found = wait.peers > HISS_WATCH_PEERS;
        for (int k = 0; k < wait.peers && k < HISS_WATCH_PEERS; k++) {
            found |= wait.peer[k] == l->late;
        }
        if (wait.waiting && wait.peers > 0) {
            l->seen = wait;
        }
        if (wait.waiting && found && !l->found) {
            say_found(l);
        }
        sleep_ms(1);
    }
    return NULL;
}

/* Until all others wait for this one, or a minute. */
static void be_late(int late) {
    char name[32];
    int here = 0;
    for (int k = 0; k < 6000 && here < late; k++) {
        name_of(here, name);
        here += access(name, F_OK) == 0;
        sleep_ms(10);
    }
}

/* All ranks but the last two are early for an exchange; the last is late, and only it is waited for. */
static void test_wait(hiss_comm *comm) {
    const int size = hiss_comm_size(comm), rank = hiss_comm_rank(comm), late = size - 1;
    int64_t *offsets = hiss_new(int64_t, size + 1);
    char *out = hiss_new(char, size), *in = hiss_new(char, size);
    looker l = {.watch = &comm->watch, .rank = rank, .late = late};
    pthread_t thread;
    for (int r = 0; r <= size; r++) {
        offsets[r] = r;
    }
    hiss_comm_barrier(comm);
    CHECK(pthread_create(&thread, NULL, look, &l) == 0);
    if (rank == late) {
        be_late(late);
    }
    hiss_comm_alltoallv(comm, out, offsets, in, offsets);
    l.stop = true;
    pthread_join(thread, NULL);
    if (size > 1 && rank != late) {
        CHECK(l.found);
        CHECK(strcmp(l.seen.what, "exchange") == 0);
    }
    CHECK(!comm_watch_wait(&comm->watch).waiting);
    hiss_free(offsets);
    hiss_free(out);
    hiss_free(in);
}

static void test_ring(hiss_comm *comm) {
    char text[HISS_WATCH_TEXT];
    hiss_watch_step(comm, 120);
    for (int k = 0; k < 1000; k++) {
        hiss_watch_note(comm, "forward of lane", k);
    }
    comm_watch_last(&comm->watch, text);
    CHECK(strcmp(text, "forward of lane 999") == 0);
    CHECK(comm->watch.ring[(comm->watch.written - 1) % HISS_WATCH_RING].step == 120);
    hiss_watch_note(comm, "barrier", -1);
    comm_watch_last(&comm->watch, text);
    CHECK(strcmp(text, "barrier") == 0);
}

/* Watched, slower than the limit, and alive. */
static void test_quiet(hiss_comm *comm) {
    hiss_watch_start(comm, 1, NULL);
    for (int k = 0; k < 3 && hiss_comm_rank(comm) == 0 && hiss_comm_size(comm) > 1; k++) {
        sleep_ms(400);
        hiss_watch_note(comm, "nap", k);
    }
    hiss_comm_barrier(comm);
    hiss_watch_stop(comm);
    hiss_watch_stop(comm);
    hiss_watch_start(comm, 0, NULL);
    hiss_watch_stop(comm);
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    hiss_error err;
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    test_ring(comm);
    test_wait(comm);
    test_quiet(comm);
    return finish_test(comm);
}
