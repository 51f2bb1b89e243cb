/* Data sets in chunks, decoded by hiss itself.
 *
 * The HDF5 library decodes chunks one at a time, under its lock, and copies what is asked for value by value when chunks
 * split the rows, as those that h5py chooses do (3750 rows of 4 x 4 values of 28 x 28). So the bytes of a chunk are
 * fetched as they are stored, under the lock, and decoded and scattered into rows by as many threads as there are cores,
 * outside. Every chunk that does not come out right is left to HDF5, which then gives the answer or the reason.
 *
 * What a file says about a chunk's size is believed only up to what the filters could have made of its values.
 *
 * Cost: the fetch (some 10 us a chunk and the transfer), inflate (250 MB/s a core), and one copy, of the length of what
 * a chunk holds of a row along its last axes. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "h5_chunk.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/fault.h"

enum { MOST_WORKERS = 8, PARALLEL_BYTES = 1 << 18 };

/* ---- one chunk ---- */

typedef struct buffer {
    uint8_t *bytes;
    int64_t room;
} buffer;

static uint8_t *grown(buffer *b, int64_t bytes) {
    if (b->room < bytes) {
        hiss_free(b->bytes);
        *b = (buffer){hiss_alloc((size_t)bytes), bytes};
    }
    return b->bytes;
}

typedef struct walk {
    hiss_h5 *file;
    const char *dataset;
    const data_h5_chunks *c;
    int64_t begin, count; /* rows */
    uint8_t *out;
    int64_t stride;     /* from row to row of out */
    int64_t first, end; /* chunks, counted along the grid */
    _Atomic int64_t next;
    atomic_bool failed;
} walk;

/* The most that the filters could have made of a chunk: deflate adds 5 bytes for 16 KiB, and no more. */
static int64_t most_stored(const data_h5_chunks *c) {
    return c->chunk_bytes + c->chunk_bytes / 1024 + 4096;
}

/* The chunk as it is stored: its bytes; 0 when it was never written, negative when it cannot be had. */
static int64_t fetch(const walk *w, const hsize_t *at, buffer *stored, unsigned *skipped) {
    haddr_t address = HADDR_UNDEF;
    hsize_t size = 0;
    int64_t found = -1;
    uint32_t mask = 0;
    data_h5_enter();
    if (data_h5_use(w->file, w->dataset, NULL) == HISS_OK && !hiss_fault("h5.chunk") &&
        H5Dget_chunk_info_by_coord(w->file->dataset, at, skipped, &address, &size) >= 0) {
        if (address == HADDR_UNDEF) {
            found = 0;
        } else if (size > 0 && size <= (hsize_t)most_stored(w->c)) {
            uint8_t *bytes = grown(stored, (int64_t)size);
            found = H5Dread_chunk(w->file->dataset, H5P_DEFAULT, at, &mask, bytes) >= 0 ? (int64_t)size : -1;
        }
    }
    data_h5_leave(HISS_OK);
    return found;
}

/* A box of values in a chunk and in the rows: runs of bytes that are neighbours in both, and how many there are along each
 * axis, how far apart. */
typedef struct box {
    int axes;
    int64_t run, count[HISS_H5_NDIM], from_stride[HISS_H5_NDIM], to_stride[HISS_H5_NDIM];
} box;

static void scatter(const box *b, int axis, const uint8_t *from, uint8_t *to) {
    if (axis == b->axes) {
        memcpy(to, from, (size_t)b->run);
        return;
    }
    const int64_t count = b->count[axis], across = b->from_stride[axis], along = b->to_stride[axis];
    if (axis == b->axes - 1 && b->run == 1) {
        for (int64_t i = 0; i < count; i++) {
            to[i * along] = from[i * across];
        }
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        scatter(b, axis + 1, from + i * across, to + i * along);
    }
}

static void place(const walk *w, const hsize_t *at, const uint8_t *chunk) {
    const data_h5_chunks *c = w->c;
    box b = {.axes = c->ndim, .run = c->value_bytes};
    int64_t from = 0, to = 0, inside = c->value_bytes, across = c->value_bytes;
    for (int d = c->ndim - 1; d >= 0; d--) {
        const int64_t start = (int64_t)at[d], lowest = d ? 0 : w->begin, highest = d ? c->dim[d] : w->begin + w->count;
        const int64_t low = start > lowest ? start : lowest;
        const int64_t high = start + c->chunk[d] < highest ? start + c->chunk[d] : highest;
        b.count[d] = high - low;
        b.from_stride[d] = inside;
        b.to_stride[d] = d ? across : w->stride;
        from += (low - start) * inside;
        to += (low - lowest) * b.to_stride[d];
        inside *= c->chunk[d];
        across *= c->dim[d];
    }
    for (; b.axes > 0 && b.from_stride[b.axes - 1] == b.run && b.to_stride[b.axes - 1] == b.run; b.axes--) {
        b.run *= b.count[b.axes - 1];
    }
    scatter(&b, 0, chunk + from, w->out + to);
}

static void fill(const data_h5_chunks *c, uint8_t *chunk) {
    for (int64_t i = 0; i < c->chunk_bytes; i += c->value_bytes) {
        memcpy(chunk + i, c->fill, (size_t)c->value_bytes);
    }
}

/* Where a chunk of whole rows comes to lie as it is, or NULL. */
static uint8_t *destination(const walk *w, const hsize_t *at) {
    const data_h5_chunks *c = w->c;
    const int64_t row = (int64_t)at[0], row_bytes = c->row_values * c->value_bytes;
    const bool fits = row >= w->begin && row + c->chunk[0] <= w->begin + w->count &&
                      c->chunk_bytes == c->chunk[0] * row_bytes && w->stride == row_bytes &&
                      data_unfilter_room(c->filter, c->filters, c->chunk_bytes) == c->chunk_bytes;
    return fits ? w->out + (row - w->begin) * row_bytes : NULL;
}

static bool decode(const walk *w, int64_t index, buffer *stored, buffer *values, buffer *work) {
    const data_h5_chunks *c = w->c;
    hsize_t at[HISS_H5_NDIM];
    for (int d = c->ndim - 1; d >= 0; d--) {
        at[d] = (hsize_t)(index % c->grid[d] * c->chunk[d]);
        index /= c->grid[d];
    }
    unsigned skipped = 0;
    const int64_t bytes = fetch(w, at, stored, &skipped),
                  room = data_unfilter_room(c->filter, c->filters, c->chunk_bytes);
    if (bytes < 0) {
        return false;
    }
    uint8_t *const there = destination(w, at), *const chunk = there ? there : grown(values, room);
    uint8_t *const between = data_unfilter_needs_work(c->filter, c->filters) ? grown(work, room) : NULL;
    if (bytes == 0) {
        fill(c, chunk);
    } else if (!data_unfilter(c->filter, c->filters, skipped, stored->bytes, bytes, c->chunk_bytes, chunk, between)) {
        return false;
    }
    if (!there) {
        place(w, at, chunk);
    }
    return true;
}

/* ---- all of them ---- */

static void *work_on(void *user) {
    walk *w = user;
    buffer stored = {0}, values = {0}, work = {0};
    for (int64_t k; (k = atomic_fetch_add(&w->next, 1)) < w->end && !atomic_load(&w->failed);) {
        if (!decode(w, k, &stored, &values, &work)) {
            atomic_store(&w->failed, true);
        }
    }
    hiss_free(stored.bytes);
    hiss_free(values.bytes);
    hiss_free(work.bytes);
    return NULL;
}

/* As many as the process has cores, the chunks are worth, and the memory allows. */
static int workers(const walk *w) {
    cpu_set_t cores;
    const int64_t chunks = w->end - w->first, bytes = w->c->chunk_bytes;
    int64_t most = sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
    most = most < MOST_WORKERS ? most : MOST_WORKERS;
    most = most < chunks ? most : chunks;
    most = most < w->file->room / (3 * bytes) ? most : w->file->room / (3 * bytes);
    return chunks * bytes < PARALLEL_BYTES || most < 1 ? 1 : (int)most;
}

bool data_h5_decode(hiss_h5 *file, const char *dataset, const data_h5_chunks *c, int64_t begin, int64_t count,
                    int64_t stride, uint8_t *out) {
    int64_t chunks = 1; /* of a slab */
    for (int d = 1; d < c->ndim; d++) {
        chunks *= c->grid[d];
    }
    walk w = {.file = file, .dataset = dataset, .c = c, .begin = begin, .count = count, .out = out, .stride = stride};
    w.first = begin / c->chunk[0] * chunks;
    w.end = ((begin + count - 1) / c->chunk[0] + 1) * chunks;
    atomic_init(&w.next, w.first);
    atomic_init(&w.failed, false);
    pthread_t thread[MOST_WORKERS];
    int started = 0;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (const int others = workers(&w) - 1; started < others; started++) {
        if (hiss_fault("thread.create") || pthread_create(&thread[started], NULL, work_on, &w) != 0) {
            break; /* the others do its part */
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    work_on(&w);
    for (int i = 0; i < started; i++) {
        pthread_join(thread[i], NULL);
    }
    return !atomic_load(&w.failed);
}
