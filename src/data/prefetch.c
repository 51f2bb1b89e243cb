/* Reading ahead: one thread, one ring of steps.
 *
 * Steps carry serial numbers 0, 1, ...; step s lives in slot s mod depth. The consumer holds one step, `held`; the
 * thread has finished all before `made`; it may write steps up to held + depth - 1. A seek makes the thread forget the
 * steps made and not yet entered: `made` goes back to held + 1 and `generation` advances, so that work in progress,
 * which only touched slots behind held, is dropped when it ends.
 *
 * Without a window the thread fills `burst` steps at a time, because rows are read in file order within a burst, and
 * neighbours in one read. With a window every lane keeps its current group, read as one piece; entering a group costs
 * that read in all lanes at about the same step, so the ring is made deep enough to last through a whole group where
 * the budget allows.
 *
 * The thread allocates nothing; it takes no signals. An error stops it until the next seek, and reaches the consumer
 * when the steps made before are used up. Destroying waits for at most one group or burst.
 *
 * Cost: each byte is read once and, with a window, copied once. */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/clock.h"
#include "hiss/fault.h"
#include "hiss/trace.h"
#include "loader_impl.h"

enum { BURST = 4 };

typedef struct group { /* of the lane whose place it has */
    int64_t begin;     /* -1: none yet */
    uint8_t *rows;
} group;

struct data_prefetch {
    const hiss_loader *loader;
    int64_t local, burst, depth;
    int64_t bytes;         /* of rows and groups */
    data_ring_entry *ring; /* [depth] */
    uint8_t *rows;         /* [depth][local * m][row] */
    data_order *order;     /* [local], of epoch order_epoch */
    int64_t order_epoch;
    group *groups;      /* [local] with a window */
    data_gather gather; /* without one */
    int trace_row, trace_read;
    pthread_t thread;
    bool started;
    atomic_bool stop;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    bool running, failed;
    int64_t held, made, generation;
    int64_t epoch, step; /* of step `made` */
    hiss_error error;
};

static void order_epoch(data_prefetch *p, int64_t epoch) {
    const hiss_loader *loader = p->loader;
    for (int64_t i = 0; i < p->local && p->order_epoch != epoch; i++) {
        p->order[i] =
            data_order_of(loader->seed, epoch, loader->first + i, loader->lanes, loader->shards, loader->window);
    }
    p->order_epoch = epoch;
}

static hiss_status enter_group(data_prefetch *p, group *g, int64_t begin, int64_t count, hiss_error *err) {
    if (g->begin == begin) {
        return HISS_OK;
    }
    g->begin = -1;
    hiss_status status = HISS_OK;
    if (data_set_in_file_order(p->loader->set)) {
        status = hiss_dataset_read(p->loader->set, begin, count, g->rows, NULL, err);
    } else {
        for (int64_t k = 0; k < count; k++) {
            data_gather_add(p->loader->set, &p->gather, begin + k, g->rows + k * p->loader->row);
        }
        status = data_gather_run(p->loader->set, &p->gather, err);
    }
    if (!status) {
        g->begin = begin;
    }
    return status;
}

/* Name the samples of step (epoch, step) in a slot; with a window also bring their rows, else add them to the
 * list. */
static hiss_status fill_slot(data_prefetch *p, data_ring_entry *slot, int64_t epoch, int64_t step, hiss_error *err) {
    const hiss_loader *loader = p->loader;
    order_epoch(p, epoch);
    slot->epoch = epoch;
    slot->step = step;
    for (int64_t i = 0; i < p->local * loader->m && !atomic_load(&p->stop); i++) {
        int64_t lane = i / loader->m, begin, count;
        int64_t sample = data_order_at(&p->order[lane], step * loader->m + i % loader->m, &begin, &count);
        uint8_t *to = p->rows + ((slot - p->ring) * p->local * loader->m + i) * loader->row;
        slot->sample[i] = sample;
        if (slot->label) {
            slot->label[i] = data_set_label(loader->set, sample);
        }
        if (!p->groups) {
            data_gather_add(loader->set, &p->gather, sample, to);
            continue;
        }
        hiss_status status = enter_group(p, &p->groups[lane], begin, count, err);
        if (status) {
            return status;
        }
        memcpy(to, p->groups[lane].rows + (sample - begin) * loader->row, (size_t)loader->row);
    }
    return HISS_OK;
}

static void *work(void *user) {
    data_prefetch *p = user;
    pthread_mutex_lock(&p->mutex);
    while (!atomic_load(&p->stop)) {
        if (!p->running || p->failed || p->held + p->depth - p->made < p->burst) {
            pthread_cond_wait(&p->changed, &p->mutex);
            continue;
        }
        int64_t made = p->made, generation = p->generation, epoch = p->epoch, step = p->step;
        pthread_mutex_unlock(&p->mutex);
        const double begun = hiss_seconds();
        hiss_error error = {0};
        hiss_status status = HISS_OK;
        for (int64_t s = 0; s < p->burst && !status; s++) {
            status = fill_slot(p, &p->ring[(made + s) % p->depth], epoch, step, &error);
            bool last = step + 1 == p->loader->steps;
            epoch += last;
            step = last ? 0 : step + 1;
        }
        if (!p->groups && !status && !atomic_load(&p->stop)) {
            status = data_gather_run(p->loader->set, &p->gather, &error);
        }
        hiss_trace_add(p->loader->trace, p->trace_row, p->trace_read, begun, hiss_seconds(), p->burst, -1);
        pthread_mutex_lock(&p->mutex);
        if (p->generation == generation) {
            p->failed = status != HISS_OK;
            p->error = error;
            p->made += status ? 0 : p->burst;
            p->epoch = epoch;
            p->step = step;
            pthread_cond_broadcast(&p->changed);
        }
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

/* Choose burst and depth within the budget. */
static hiss_status plan(data_prefetch *p, int64_t window, int64_t budget, hiss_error *err) {
    const hiss_loader *loader = p->loader;
    int64_t step_bytes = p->local * loader->m * loader->row, group_bytes = p->local * window * loader->row;
    int64_t wanted = window > 0 ? window / loader->m + 3 : 2 * BURST + 1;
    int64_t depth = (budget - group_bytes) / step_bytes;
    if (depth < 2) {
        char groups[96] = "";
        if (window > 0) {
            snprintf(groups, sizeof groups, "%lld for groups of data.window samples, ", (long long)group_bytes);
        }
        return hiss_fail_key(err, HISS_EUSER, "data.memory",
                             "%lld bytes; streaming %lld lanes needs at least %lld bytes (%s%lld for each of 2 steps): "
                             "raise data.memory%s",
                             (long long)budget, (long long)p->local, (long long)(group_bytes + 2 * step_bytes), groups,
                             (long long)step_bytes, window > 0 ? ", or lower data.window" : "");
    }
    p->depth = depth < wanted ? depth : wanted;
    p->burst = window > 0 ? 1 : p->depth / 2;
    return HISS_OK;
}

static hiss_status start(data_prefetch *p, hiss_error *err) {
    sigset_t all, before;
    hiss_alloc_expect_thread();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = hiss_fault("thread.create") ? EAGAIN : pthread_create(&p->thread, NULL, work, p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    p->started = !failure;
    return failure ? hiss_fail(err, HISS_ESYSTEM, "cannot start the prefetch thread: %s; check the limit of processes",
                               strerror(failure))
                   : HISS_OK;
}

hiss_status data_prefetch_create(const hiss_loader *loader, int64_t budget, data_prefetch **out, hiss_error *err) {
    data_prefetch *p = hiss_new(data_prefetch, 1);
    p->loader = loader;
    p->local = loader->end - loader->first;
    p->held = p->order_epoch = -1;
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->changed, NULL);
    int64_t samples = p->local * loader->m, longest = loader->shards[1];
    int64_t window = loader->window < longest ? loader->window : longest;
    hiss_status status = plan(p, window, budget, err);
    if (status) {
        data_prefetch_destroy(p);
        return status;
    }
    p->ring = hiss_new(data_ring_entry, p->depth);
    p->rows = hiss_alloc((size_t)(p->depth * samples * loader->row));
    p->bytes = (p->depth * samples + p->local * window) * loader->row;
    p->order = hiss_new(data_order, p->local);
    for (int64_t d = 0; d < p->depth; d++) {
        data_ring_entry_create(&p->ring[d], samples, hiss_dataset_labelled(loader->set));
        for (int64_t i = 0; i < samples; i++) {
            p->ring[d].row[i] = p->rows + (d * samples + i) * loader->row;
        }
    }
    p->groups = window > 0 ? hiss_new(group, p->local) : NULL;
    for (int64_t i = 0; p->groups && i < p->local; i++) {
        p->groups[i] = (group){-1, hiss_alloc((size_t)(window * loader->row))};
    }
    data_gather_create(loader->set, window > 0 ? window : p->burst * samples, &p->gather);
    p->trace_row = hiss_trace_add_row(loader->trace, "reading thread", -1);
    p->trace_read = hiss_trace_add_name(loader->trace, HISS_TRACE_READ, "read", "steps", NULL);
    status = start(p, err);
    if (status) {
        data_prefetch_destroy(p);
        return status;
    }
    *out = p;
    return HISS_OK;
}

int64_t data_prefetch_bytes(const data_prefetch *p) {
    return p->bytes;
}

void data_prefetch_destroy(data_prefetch *p) {
    if (!p) {
        return;
    }
    if (p->started) {
        pthread_mutex_lock(&p->mutex);
        atomic_store(&p->stop, true);
        pthread_cond_broadcast(&p->changed);
        pthread_mutex_unlock(&p->mutex);
        pthread_join(p->thread, NULL);
    }
    for (int64_t d = 0; p->ring && d < p->depth; d++) {
        data_ring_entry_destroy(&p->ring[d]);
    }
    for (int64_t i = 0; p->groups && i < p->local; i++) {
        hiss_free(p->groups[i].rows);
    }
    data_gather_destroy(&p->gather);
    hiss_free(p->groups);
    hiss_free(p->order);
    hiss_free(p->rows);
    hiss_free(p->ring);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->mutex);
    hiss_free(p);
}

void data_prefetch_seek(data_prefetch *p, int64_t epoch, int64_t step) {
    pthread_mutex_lock(&p->mutex);
    p->running = true;
    p->failed = false;
    p->generation++;
    p->made = p->held + 1;
    p->epoch = epoch;
    p->step = step;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
}

hiss_status data_prefetch_next(data_prefetch *p, const data_ring_entry **out, double *waited, hiss_error *err) {
    double start_time = hiss_seconds();
    pthread_mutex_lock(&p->mutex);
    p->running = true;
    pthread_cond_broadcast(&p->changed);
    while (p->made == p->held + 1 && !p->failed) {
        pthread_cond_wait(&p->changed, &p->mutex);
    }
    hiss_status status = HISS_OK;
    if (p->made > p->held + 1) {
        p->held++;
        *out = &p->ring[p->held % p->depth];
        pthread_cond_broadcast(&p->changed);
    } else {
        status = hiss_fail(err, p->error.code, "%s", p->error.text);
    }
    pthread_mutex_unlock(&p->mutex);
    *waited += hiss_seconds() - start_time;
    return status;
}
