/* The watchdog: one thread per rank that sees when the job no longer moves, says who waits for whom, and ends it.
 *
 * The rule. A rank waits while its main thread is in one of the waits of src/comm; else it works. What is silent:
 *
 *   dead     the system of a rank's host says that nobody holds its port any more: at once
 *   stopped  nothing has been heard of a rank for `limit` seconds
 *   idle     a rank that works has done nothing for `limit` seconds: no new entry in its ring, its threads take less
 *            than half a percent of a core, and it reads and writes no files
 *   circle   all ranks wait, each in the same wait, for `limit` seconds
 *   unheard  this rank has waited for `limit` seconds for ranks of which nothing was ever heard (UDP is blocked)
 *
 * Anything else is legal, however long: the others may wait for hours for a rank that computes an assignment.
 *
 * Who judges. Every rank tells one rank, the guard, how it is, once a second (less often beyond 1000 ranks, more often
 * when the limit is below 4 s), and the guard answers. The guard is rank 0; when it is silent itself, the next rank
 * judges it. So one rank knows of all, and one line tells it. A rank that misses beats is asked: when it has died, the
 * answer is a refusal, so that death is noticed after about three seconds. A launcher notices first, as a rule, and
 * sends SIGTERM, with SIGKILL a second behind it: therefore all are asked when this process got a signal.
 *
 * Time is what this thread has seen pass, at most two seconds per look: when the whole job is suspended and goes on,
 * nothing has been silent.
 *
 * The end of a rank that knows why it ends (no memory, MPI failed) is told to all before it says so, and nobody else
 * speaks of it: the launcher may take a second to end the others.
 *
 * The end by the watchdog. The guard tells all others, prints, and leaves with _exit(70): MPI_Abort is not ours to call
 * on this thread. mpirun, and srun with -K, end the job when one rank ends like this; the others go by themselves two
 * seconds later, unless they are stopped.
 *
 * Cost: a look ten times a second at some words of memory; one datagram a second; rank 0 gets at most 1000 a second. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "comm/comm_impl.h"
#include "comm/heartbeat_impl.h"
#include "hiss/alloc.h"
#include "hiss/clock.h"
#include "hiss/log.h"

enum { LOOK_MILLISECONDS = 100, RANKS_PER_SECOND = 1000, BEATS_OF_LIMIT = 4, SHOWN_RANKS = 16, NAME = 96, LINE = 1024 };
enum { ENDING_LOOKS = 100, ENDING_MILLISECONDS = 10 };
static const double longest_look = 2.0, answer_seconds = 0.5, end_seconds = 2.0, settle_seconds = 10.0;
static const double succession_seconds = 2.0, missed_beats = 1.5, least_share = 0.005;

typedef enum verdict { DEAD, STOPPED, IDLE, CIRCLE, UNHEARD, UNANSWERED } verdict;

/* What became of this rank's wish to end the job. */
typedef enum told { WAITING, TOLD, OTHERS_TOLD } told;

typedef struct peer {
    comm_beat last; /* what it said of itself */
    double heard;   /* when */
    bool left, answered;
} peer;

struct comm_watchdog {
    hiss_comm *comm;
    comm_heartbeat heartbeat;
    peer *peers; /* [P], this rank too */
    double limit, period;
    bool (*asked_to_stop)(void);
    pthread_t thread;
    bool started;
    atomic_bool quit;
    _Atomic told told;
    int guard;
    double clock, real, next_tick;
    bool warned, quiet;
    double end_at; /* > 0: leave then */
    int exit_code;
    /* this rank */
    uint64_t wait;       /* the wait that began at `begun` */
    double begun, moved; /* moved: when it last did something */
    double cpu, ticked;  /* processor seconds at the last tick */
    uint64_t written, file_bytes;
    /* after a signal */
    bool signalled, asking;
    double asked;
    uint64_t asked_wait;
};

static void name_of(const comm_watchdog *d, int rank, char out[NAME]) {
    snprintf(out, NAME, "rank %d (%s)", rank, d->heartbeat.address[rank].host);
}

static bool is_known(const comm_watchdog *d, int rank) {
    return rank == d->comm->rank || d->heartbeat.at[rank].sin_port != 0;
}

static bool waits_for(const comm_beat *b, int rank) {
    bool found = b->peers == 0 || b->peers > HISS_WATCH_PEERS;
    for (int k = 0; k < b->peers && k < HISS_WATCH_PEERS; k++) {
        found |= b->peer[k] == rank;
    }
    return b->waiting && b->rank != rank && found;
}

/* ---- this rank ---- */

static double cpu_seconds(clockid_t clock) {
    struct timespec t;
    return clock_gettime(clock, &t) == 0 ? (double)t.tv_sec + 1e-9 * (double)t.tv_nsec : 0.0;
}

/* Whether this rank has done something since the last tick. */
static bool has_moved(comm_watchdog *d) {
    const double cpu = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
    const uint64_t written = atomic_load_explicit(&d->comm->watch.written, memory_order_relaxed),
                   bytes = hiss_process_file_bytes();
    const bool moved =
        written != d->written || bytes != d->file_bytes || cpu - d->cpu > least_share * (d->clock - d->ticked);
    d->cpu = cpu;
    d->ticked = d->clock;
    d->written = written;
    d->file_bytes = bytes;
    return moved;
}

static void look_at_self(comm_watchdog *d, bool tick) {
    const comm_watch *w = &d->comm->watch;
    const comm_wait wait = comm_watch_wait(w);
    peer *self = &d->peers[d->comm->rank];
    comm_beat *b = &self->last;
    if (wait.waiting && wait.number_of_wait != d->wait) {
        d->wait = wait.number_of_wait;
        d->begun = d->clock;
    }
    if ((tick && has_moved(d)) || wait.waiting) {
        d->moved = d->clock;
    }
    self->heard = d->clock;
    b->kind = HISS_BEAT_STATE;
    b->rank = d->comm->rank;
    b->step = atomic_load_explicit(&w->step, memory_order_relaxed);
    b->waiting = wait.waiting;
    b->seconds = (int32_t)(d->clock - (wait.waiting ? d->begun : d->moved));
    b->peers = wait.waiting ? wait.peers : 0;
    for (int k = 0; k < HISS_WATCH_PEERS; k++) {
        b->peer[k] = wait.peer[k];
    }
    if (!wait.waiting) {
        comm_watch_last(w, b->what);
    } else if (wait.number < 0) {
        snprintf(b->what, sizeof b->what, "%s", wait.what);
    } else {
        snprintf(b->what, sizeof b->what, "%s %lld", wait.what, (long long)wait.number);
    }
}

/* ---- the verdict ---- */

static void describe_wait(const comm_watchdog *d, int rank, const char *whom, char *out, size_t size) {
    char own[NAME];
    const comm_beat *b = &d->peers[rank].last;
    name_of(d, rank, own);
    snprintf(out, size, "%s has waited %d s in step %lld for %s: %s", own, b->seconds, (long long)b->step, whom,
             b->what);
}

/* Who a rank waits for, by its own account. */
static void describe_peers(const comm_watchdog *d, const comm_beat *b, char *out, size_t size) {
    size_t used = (size_t)snprintf(out, size, "%s", b->peers == 0 ? "all others" : "");
    for (int k = 0; k < b->peers && k < HISS_WATCH_PEERS && used < size; k++) {
        char name[NAME];
        name_of(d, b->peer[k], name);
        used += (size_t)snprintf(out + used, size - used, "%s%s", k ? ", " : "", name);
    }
    if (b->peers > HISS_WATCH_PEERS && used < size) {
        snprintf(out + used, size - used, " and %d more", b->peers - HISS_WATCH_PEERS);
    }
}

static void describe_reason(const comm_watchdog *d, verdict v, int rank, char *out, size_t size) {
    const peer *p = &d->peers[rank];
    const int silence = (int)(d->clock - p->heard);
    switch (v) {
    case DEAD:
        snprintf(out, size, "rank %d is dead, last seen in step %lld: %s", rank, (long long)p->last.step, p->last.what);
        break;
    case STOPPED:
        snprintf(out, size,
                 "rank %d has given no sign of life for %d s (stopped, or its node or the network), last seen in step "
                 "%lld: %s",
                 rank, silence, (long long)p->last.step, p->last.what);
        break;
    case IDLE:
        snprintf(out, size,
                 "rank %d has done nothing for %d s in step %lld: %s; raise dist.watchdog if that may take so long",
                 rank, p->last.seconds, (long long)p->last.step, p->last.what);
        break;
    case CIRCLE:
        snprintf(out, size, "all ranks wait, and nobody works: a message was lost, or this is a bug of hiss");
        break;
    case UNHEARD:
        snprintf(out, size,
                 "its watchdog was never heard (is UDP blocked?); raise dist.watchdog if others may compute so long");
        break;
    case UNANSWERED:
        snprintf(out, size, "this process was asked to end, and rank %d does not answer", rank);
        break;
    }
}

/* The one line. culprit: the lowest of `count` ranks. */
static void tell(const comm_watchdog *d, verdict v, int culprit, int count) {
    char whom[NAME + 32], reason[LINE / 2], wait[LINE / 2];
    int witness = -1;
    for (int k = 0; k < d->comm->size && witness < 0; k++) { /* this rank is the best witness */
        const int r = (d->comm->rank + k) % d->comm->size;
        witness = waits_for(&d->peers[r].last, culprit) ? r : -1;
    }
    name_of(d, culprit, whom);
    if (count > 1) {
        snprintf(whom + strlen(whom), sizeof whom - strlen(whom), " and %d more", count - 1);
    }
    describe_reason(d, v, culprit, reason, sizeof reason);
    if (witness >= 0) {
        describe_wait(d, witness, whom, wait, sizeof wait);
        hiss_error_line("%s; %s", wait, reason);
    } else {
        hiss_error_line("%s: %s", whom, reason);
    }
}

static void show(const comm_watchdog *d) {
    char name[NAME], whom[LINE / 2], text[LINE];
    for (int r = 0, shown = 0; r < d->comm->size && shown < SHOWN_RANKS; r++) {
        const comm_beat *b = &d->peers[r].last;
        if (!is_known(d, r)) {
            continue;
        }
        shown++;
        if (b->waiting) {
            describe_peers(d, b, whom, sizeof whom);
            describe_wait(d, r, whom, text, sizeof text);
        } else {
            name_of(d, r, name);
            snprintf(text, sizeof text, "%s worked in step %lld: %s", name, (long long)b->step, b->what);
        }
        fprintf(stderr, "hiss:   %s\n", text);
    }
    name_of(d, d->comm->rank, name);
    comm_watch_show(&d->comm->watch, name);
}

static void send_end(comm_watchdog *d, int exit_code) {
    comm_beat end = {.kind = HISS_BEAT_END, .number = exit_code};
    for (int r = 0; r < d->comm->size; r++) {
        comm_heartbeat_send(&d->heartbeat, r, &end);
    }
}

_Noreturn static void end_job(comm_watchdog *d, verdict v, int culprit, int count) {
    const int code = hiss_exit_code(HISS_EINTERNAL);
    send_end(d, code);
    tell(d, v, culprit, count);
    show(d);
    nanosleep(&(struct timespec){.tv_nsec = LOOK_MILLISECONDS * 1000000L}, NULL); /* others hear it first */
    _exit(code);
}

/* ---- judging ---- */

typedef struct suspects {
    int first, count;
} suspects;

static void suspect(suspects *s, int rank) {
    s->first = s->count++ == 0 ? rank : s->first;
}

static void warn_unheard(comm_watchdog *d) {
    suspects unheard = {0};
    for (int r = 0; r < d->comm->size; r++) {
        if (!is_known(d, r) && !d->peers[r].left) {
            suspect(&unheard, r);
        }
    }
    if (unheard.count) {
        char name[NAME];
        name_of(d, unheard.first, name);
        hiss_warn("watchdog: nothing is heard of %d of %d ranks, the first is %s: UDP seems to be blocked between "
                  "nodes; a wait for them of more than %.0f s ends the job, however busy they are (dist.watchdog)",
                  unheard.count, d->comm->size, name, d->limit);
    }
}

/* What a rank without an ear for the others can say: it has waited too long for some of which it never heard. */
static void judge_own_wait(comm_watchdog *d) {
    const comm_beat *self = &d->peers[d->comm->rank].last;
    suspects unheard = {0};
    for (int r = 0; r < d->comm->size; r++) {
        if (!is_known(d, r) && waits_for(self, r)) {
            suspect(&unheard, r);
        }
    }
    if (unheard.count && self->seconds > d->limit) {
        end_job(d, UNHEARD, unheard.first, unheard.count);
    }
}

static void judge_all(comm_watchdog *d) {
    suspects found[IDLE + 1] = {{0}};
    bool circle = true;
    for (int r = 0; r < d->comm->size; r++) {
        const peer *p = &d->peers[r];
        if (p->left) {
            circle = false;
        } else if (d->heartbeat.refused[r]) {
            suspect(&found[DEAD], r);
        } else if (is_known(d, r)) {
            const bool stopped = d->clock - p->heard > d->limit;
            const bool late = p->last.seconds > d->limit;
            if (stopped) {
                suspect(&found[STOPPED], r);
            } else if (!p->last.waiting && late) {
                suspect(&found[IDLE], r);
            }
            circle = circle && p->last.waiting && late;
        } else {
            circle = false;
        }
    }
    for (int v = DEAD; v <= IDLE; v++) {
        if (found[v].count) {
            end_job(d, (verdict)v, found[v].first, found[v].count);
        }
    }
    if (circle) {
        const comm_beat *self = &d->peers[d->comm->rank].last;
        const int other = d->comm->rank == 0 ? 1 : 0;
        end_job(d, CIRCLE, self->peers ? self->peer[0] : other, self->peers ? self->peers : d->comm->size - 1);
    }
    judge_own_wait(d);
}

/* A rank other than the guard judges the guard alone; its successor tells. */
static void judge_guard(comm_watchdog *d) {
    const int guard = d->guard;
    const bool dead = d->heartbeat.refused[guard];
    if (d->peers[guard].left) {
        return;
    }
    if (!is_known(d, guard)) {
        judge_own_wait(d);
    } else if (dead || d->clock - d->peers[guard].heard > d->limit + succession_seconds) {
        d->guard = guard + 1;
        d->peers[d->guard].heard = d->clock;
        if (d->guard == d->comm->rank) {
            end_job(d, dead ? DEAD : STOPPED, guard, 1);
        }
    }
}

static void judge(comm_watchdog *d) {
    if (d->guard == d->comm->rank) {
        judge_all(d);
    } else {
        judge_guard(d);
    }
}

/* ---- a signal ---- */

static void ask(comm_watchdog *d, int rank) {
    comm_beat question = {.kind = HISS_BEAT_ASK};
    comm_heartbeat_send(&d->heartbeat, rank, &question);
}

static void ask_all(comm_watchdog *d) {
    d->asking = true;
    d->asked = d->clock;
    d->asked_wait = d->wait;
    for (int r = 0; r < d->comm->size; r++) {
        d->peers[r].answered = false;
        if (d->guard == d->comm->rank || r == d->guard) {
            ask(d, r);
        }
    }
}

/* Whoever has not answered by now, and is waited for, is probably what the launcher ends the job for. */
static void end_asking(comm_watchdog *d) {
    const comm_beat *self = &d->peers[d->comm->rank].last;
    suspects mute = {0};
    d->asking = false;
    for (int r = 0; r < d->comm->size; r++) {
        const bool asked = d->guard == d->comm->rank || (r == d->guard && d->comm->rank == d->guard + 1);
        if (asked && is_known(d, r) && !d->peers[r].answered && !d->peers[r].left && waits_for(self, r)) {
            suspect(&mute, r);
        }
    }
    if (mute.count && d->wait == d->asked_wait) {
        tell(d, UNANSWERED, mute.first, mute.count);
    }
}

static void mind_signals(comm_watchdog *d) {
    if (d->asked_to_stop && !d->signalled && d->asked_to_stop()) {
        d->signalled = true;
        ask_all(d);
    } else if (d->asking && d->clock - d->asked > answer_seconds) {
        end_asking(d);
    }
}

/* ---- the thread ---- */

static void take(comm_watchdog *d, const comm_beat *b) {
    peer *from = &d->peers[b->rank];
    comm_beat answer = d->peers[d->comm->rank].last;
    if (b->rank == d->comm->rank && b->kind != HISS_BEAT_END) {
        return; /* the main thread wakes this one */
    }
    from->heard = d->clock;
    switch ((comm_beat_kind)b->kind) {
    case HISS_BEAT_STATE:
    case HISS_BEAT_HEARD:
        from->last = *b;
        from->answered = true;
        if (b->kind == HISS_BEAT_STATE) {
            answer.kind = HISS_BEAT_HEARD;
            comm_heartbeat_send(&d->heartbeat, b->rank, &answer);
        }
        break;
    case HISS_BEAT_ASK:
        answer.kind = HISS_BEAT_STATE;
        comm_heartbeat_send(&d->heartbeat, b->rank, &answer);
        break;
    case HISS_BEAT_LEAVE:
        from->left = true;
        break;
    case HISS_BEAT_END:
        if (b->rank != d->comm->rank) {
            d->end_at = d->clock + end_seconds;
            d->exit_code = (int)b->number;
            comm_watch_act(d->comm);
        } else { /* another thread ends the job */
            if (!d->quiet) {
                send_end(d, (int)b->number);
            }
            atomic_store(&d->told, d->quiet ? OTHERS_TOLD : TOLD);
        }
        d->quiet = true;
        break;
    }
}

static void tick(comm_watchdog *d) {
    d->next_tick = d->clock + d->period;
    look_at_self(d, true);
    if (d->guard != d->comm->rank) {
        comm_heartbeat_send(&d->heartbeat, d->guard, &d->peers[d->comm->rank].last);
        return;
    }
    for (int r = 0; r < d->comm->size; r++) {
        if (r != d->comm->rank && !d->peers[r].left &&
            (!is_known(d, r) || d->clock - d->peers[r].heard > missed_beats * d->period)) {
            ask(d, r);
        }
    }
    if (!d->warned && d->clock > settle_seconds) {
        d->warned = true;
        warn_unheard(d);
    }
}

static void *watch(void *argument) {
    comm_watchdog *d = argument;
    d->real = hiss_seconds();
    while (!atomic_load(&d->quit)) {
        const double now = hiss_seconds(), passed = now - d->real;
        comm_beat b;
        d->real = now;
        d->clock += passed < longest_look ? passed : longest_look;
        while (comm_heartbeat_next(&d->heartbeat, &b)) {
            take(d, &b);
        }
        if (d->end_at > 0.0 && d->clock > d->end_at) {
            _exit(d->exit_code);
        }
        const bool due = d->clock >= d->next_tick;
        if (!d->quiet) {
            look_at_self(d, false);
            mind_signals(d);
            if (due) {
                tick(d);
            }
            if (due || d->heartbeat.news) {
                d->heartbeat.news = false;
                judge(d);
            }
        }
        comm_heartbeat_sleep(&d->heartbeat, LOOK_MILLISECONDS);
    }
    comm_beat leave = {.kind = HISS_BEAT_LEAVE};
    for (int r = 0; r < d->comm->size; r++) {
        if (d->guard == d->comm->rank || r == d->guard) {
            comm_heartbeat_send(&d->heartbeat, r, &leave);
        }
    }
    return NULL;
}

/* ---- start and end ---- */

static void open_heartbeat(comm_watchdog *d) {
    const int size = d->comm->size;
    comm_heartbeat *b = &d->heartbeat;
    int64_t *offsets = hiss_new(int64_t, size + 1);
    comm_address own = {.port = 0};
    for (int r = 0; r <= size; r++) {
        offsets[r] = r * (int64_t)sizeof own;
    }
    b->rank = d->comm->rank;
    b->size = size;
    b->address = hiss_new(comm_address, size);
    b->at = hiss_new(struct sockaddr_in, size);
    b->refused = hiss_new(bool, size);
    b->key = (uint64_t)getpid() << 40 ^ (uint64_t)(hiss_seconds() * 1e9);
    hiss_comm_broadcast(d->comm, &b->key, sizeof b->key, 0);
    comm_heartbeat_open(b, &own);
    hiss_comm_allgather(d->comm, &own, offsets, b->address);
    hiss_free(offsets);
}

/* Let all others know that this rank ends, before they miss it. false: one of them ends the job already, and has said
 * why. */
static bool end_quietly(void *watchdog, int exit_code) {
    comm_watchdog *d = watchdog;
    comm_beat end = {.kind = HISS_BEAT_END, .number = exit_code};
    comm_heartbeat_wake(&d->heartbeat, &end);
    for (int look = 0; look < ENDING_LOOKS && atomic_load(&d->told) == WAITING; look++) {
        nanosleep(&(struct timespec){.tv_nsec = ENDING_MILLISECONDS * 1000000L}, NULL);
    }
    return atomic_load(&d->told) != OTHERS_TOLD;
}

void hiss_watch_start(hiss_comm *comm, int64_t seconds, bool (*asked_to_stop)(void)) {
    if (seconds <= 0 || comm->size == 1) {
        return;
    }
    comm_watchdog *d = hiss_new(comm_watchdog, 1);
    d->comm = comm;
    d->limit = (double)seconds;
    d->period = d->limit < BEATS_OF_LIMIT ? d->limit / BEATS_OF_LIMIT : 1.0;
    if (d->period < (double)comm->size / RANKS_PER_SECOND) {
        d->period = (double)comm->size / RANKS_PER_SECOND;
    }
    d->asked_to_stop = asked_to_stop;
    d->peers = hiss_new(peer, comm->size);
    for (int r = 0; r < comm->size; r++) {
        d->peers[r].last.rank = r;
        snprintf(d->peers[r].last.what, HISS_WATCH_TEXT, "start");
    }
    open_heartbeat(d);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failure = pthread_create(&d->thread, NULL, watch, d);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    d->started = failure == 0;
    if (failure) {
        hiss_warn("watchdog: cannot start a thread: %s; a hang will not be noticed", strerror(failure));
    }
    comm->watch.dog = d;
    if (d->started) {
        hiss_log_before_end(end_quietly, d);
    }
}

void hiss_watch_stop(hiss_comm *comm) {
    comm_watchdog *d = comm->watch.dog;
    if (!d) {
        return;
    }
    hiss_comm_barrier(comm); /* until all are here, all are watched */
    hiss_log_before_end(NULL, NULL);
    if (d->started) {
        comm_beat wake = {.kind = HISS_BEAT_HEARD};
        atomic_store(&d->quit, true);
        comm_heartbeat_wake(&d->heartbeat, &wake);
        pthread_join(d->thread, NULL);
    }
    comm->watch.dog = NULL;
    comm_heartbeat_close(&d->heartbeat);
    hiss_free(d->peers);
    hiss_free(d);
}

void comm_watch_ends(hiss_comm *comm, int exit_code) {
    if (comm->watch.dog && comm->watch.dog->started) {
        (void)end_quietly(comm->watch.dog, exit_code);
    }
}
