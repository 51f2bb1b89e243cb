/* Targets of blocks in buffers that threads share: as many buffers as threads, since each uses one block at a time. A
 * block's targets are made in chunks by all threads that want them, and stay until their buffer is needed. */
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "hiss/alloc.h"
#include "objective/nat/nat.h"

enum { CHUNK = 16 };

typedef struct buffer {
    int64_t block, users; /* block -1: none */
    _Atomic int64_t next, made;
    float *vectors; /* [block, d] */
} buffer;

struct nat_targets {
    const nat *n;
    pthread_mutex_t lock;
    buffer *buffers;
    int count;
};

void nat_unit(int64_t d, float *v) {
    double sum = 0.0;
    for (int64_t j = 0; j < d; j++) {
        sum += (double)v[j] * (double)v[j];
    }
    const float scale = (float)(1.0 / sqrt(sum > 0.0 ? sum : 1.0));
    for (int64_t j = 0; j < d; j++) {
        v[j] *= scale;
    }
}

void nat_target(const nat *n, int64_t k, float *out) {
    hiss_rng rng = hiss_rng_keyed(n->task->seed, HISS_FOR_TARGETS, 0, k);
    hiss_rng_normals(&rng, n->options->dim, out);
    nat_unit(n->options->dim, out);
}

nat_targets *nat_targets_create(const nat *n) {
    nat_targets *t = hiss_new(nat_targets, 1);
    t->n = n;
    t->count = n->placement->threads;
    t->buffers = hiss_new(buffer, t->count);
    for (int i = 0; i < t->count; i++) {
        t->buffers[i].vectors = hiss_new(float, n->block * n->options->dim);
    }
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void nat_targets_destroy(nat_targets *t) {
    if (t) {
        for (int i = 0; i < t->count; i++) {
            hiss_free(t->buffers[i].vectors);
        }
        hiss_free(t->buffers);
        pthread_mutex_destroy(&t->lock);
        hiss_free(t);
    }
}

void nat_targets_start(nat_targets *t) {
    for (int i = 0; i < t->count; i++) {
        t->buffers[i].block = -1;
    }
}

static buffer *find(nat_targets *t, int64_t block) {
    buffer *unused = NULL;
    for (int i = 0; i < t->count; i++) {
        if (t->buffers[i].block == block) {
            return &t->buffers[i];
        }
        unused = t->buffers[i].users == 0 ? &t->buffers[i] : unused;
    }
    unused->block = block;
    atomic_store(&unused->next, 0);
    atomic_store(&unused->made, 0);
    return unused;
}

const float *nat_targets_take(nat_targets *t, int64_t block) {
    const nat *n = t->n;
    const int64_t d = n->options->dim;
    pthread_mutex_lock(&t->lock);
    buffer *b = find(t, block);
    b->users++;
    pthread_mutex_unlock(&t->lock);
    for (int64_t first; (first = atomic_fetch_add(&b->next, CHUNK)) < n->block;) {
        const int64_t end = first + CHUNK < n->block ? first + CHUNK : n->block;
        for (int64_t i = first; i < end; i++) {
            nat_target(n, hiss_match_number(n->match, block, i), b->vectors + i * d);
        }
        atomic_fetch_add(&b->made, end - first);
    }
    while (atomic_load(&b->made) < n->block) {
        sched_yield();
    }
    return b->vectors;
}

void nat_targets_release(nat_targets *t, int64_t block) {
    pthread_mutex_lock(&t->lock);
    find(t, block)->users--;
    pthread_mutex_unlock(&t->lock);
}
