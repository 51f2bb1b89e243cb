/* The reducer's inside, shared by reducer.c (life, queries) and reducer_step.c (one step). */
#ifndef HISS_DIST_REDUCER_IMPL_H
#define HISS_DIST_REDUCER_IMPL_H

#include "dist/dist_impl.h"
#include "dist/pool_impl.h"
#include "dist/tree_impl.h"

typedef enum hiss_event { HISS_GOT_ROOT, HISS_GOT_MODEL, HISS_GOT_SUM, HISS_SENT } hiss_event;

typedef struct hiss_pending { /* what a request is for */
    int64_t slice;
    hiss_event event;
    int peer; /* rank it depends on; HISS_EVERYONE: all */
} hiss_pending;

struct hiss_reducer {
    hiss_comm *comm;
    int64_t count;
    int buckets;
    int64_t *bucket_offsets; /* [buckets+1] */
    hiss_reduce reduce;
    bool overlap;
    hiss_pool *pool;
    hiss_schedule schedule;
    MPI_Comm *bucket_comms; /* [buckets], MPI mode only */
    hiss_range *owned;
    int owned_count;

    float *received;       /* other ranks' roots of owned slices */
    int64_t *received_at;  /* [slices] of owned slices: where in received; one row of received_row floats per root */
    float **sources;       /* [all ranks' roots] scratch */
    int64_t *missing;      /* [slices] of owned slices: roots to come, plus one until the own lanes are done */
    MPI_Request *requests; /* [capacity] */
    hiss_pending *pending; /* [capacity] */
    int *finished;         /* [capacity] scratch */
    int active, capacity;  /* requests in use */

    bool running, finishing;
    bool *used, *opened; /* [buckets] */
    int unopened;        /* used buckets whose messages have not been posted */
    float *model;
    hiss_reducer_update update;
    void *user;
    double opened_first, closed_last; /* clock */
    hiss_reducer_times times;
};

/* Floats between two received roots of a slice. */
int64_t hiss_received_row(const hiss_slice *slice);

#endif
