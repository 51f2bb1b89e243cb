/* Slabs that stay decoded: those used last, as many as fit into data_h5_kept_bytes, or one where that is larger.
 *
 * One mutex is held while a slab is searched, decoded and copied from: whoever waits mostly wants the same slab, and it
 * is decoded by several threads anyway. */
#include <pthread.h>
#include <string.h>

#include "h5_chunk.h"
#include "hiss/alloc.h"

enum { MOST_SLABS = 16 };
const int64_t data_h5_kept_bytes = 32 << 20;

struct data_h5_slabs {
    pthread_mutex_t mutex;
    data_h5_slab slab[MOST_SLABS];
    int64_t bytes, clock;
};

data_h5_slabs *data_h5_slabs_create(void) {
    data_h5_slabs *all = hiss_new(data_h5_slabs, 1);
    pthread_mutex_init(&all->mutex, NULL);
    return all;
}

void data_h5_slabs_destroy(data_h5_slabs *all) {
    data_h5_slabs_forget(all);
    pthread_mutex_destroy(&all->mutex);
    hiss_free(all);
}

void data_h5_slabs_hold(data_h5_slabs *all) {
    pthread_mutex_lock(&all->mutex);
}

void data_h5_slabs_release(data_h5_slabs *all) {
    pthread_mutex_unlock(&all->mutex);
}

void data_h5_slab_drop(data_h5_slabs *all, data_h5_slab *s) {
    all->bytes -= s->bytes;
    hiss_free(s->rows);
    *s = (data_h5_slab){.rows = NULL};
}

void data_h5_slabs_forget(data_h5_slabs *all) {
    data_h5_slabs_hold(all);
    for (int i = 0; i < MOST_SLABS; i++) {
        data_h5_slab_drop(all, &all->slab[i]);
    }
    data_h5_slabs_release(all);
}

data_h5_slab *data_h5_slab_find(data_h5_slabs *all, int64_t file, const char *dataset, hiss_dtype dtype,
                                int64_t index) {
    for (int i = 0; i < MOST_SLABS; i++) {
        data_h5_slab *s = &all->slab[i];
        if (s->rows && s->file == file && s->index == index && s->dtype == dtype && strcmp(s->dataset, dataset) == 0) {
            s->used = ++all->clock;
            return s;
        }
    }
    return NULL;
}

data_h5_slab *data_h5_slab_add(data_h5_slabs *all, int64_t file, const char *dataset, hiss_dtype dtype, int64_t index,
                               int64_t bytes) {
    for (;;) {
        data_h5_slab *unused = NULL, *oldest = NULL;
        for (int i = 0; i < MOST_SLABS; i++) {
            data_h5_slab *s = &all->slab[i];
            unused = s->rows ? unused : s;
            oldest = s->rows && (!oldest || s->used < oldest->used) ? s : oldest;
        }
        if (unused && (!oldest || all->bytes + bytes <= data_h5_kept_bytes)) {
            *unused =
                (data_h5_slab){.dtype = dtype, .file = file, .index = index, .bytes = bytes, .used = ++all->clock};
            strcpy(unused->dataset, dataset);
            unused->rows = hiss_alloc((size_t)bytes);
            all->bytes += bytes;
            return unused;
        }
        data_h5_slab_drop(all, oldest);
    }
}

void data_h5_lend(hiss_h5 *file, data_h5_slabs *slabs, int64_t number) {
    data_h5_slabs_destroy(file->slabs);
    file->slabs = slabs;
    file->lent = true;
    file->number = number;
}
