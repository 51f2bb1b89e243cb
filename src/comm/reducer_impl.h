/* The reducer's inside, shared by reducer.c (life, queries) and reducer_step.c (one step). */
#ifndef HISS_COMM_REDUCER_IMPL_H
#define HISS_COMM_REDUCER_IMPL_H

#include "comm/comm_impl.h"
#include "comm/pool_impl.h"
#include "comm/tree_impl.h"
#include "hiss/reducer.h"

typedef enum hiss_event {
    HISS_GOT_MEMBER, /* a member's root of a chunk kept here */
    HISS_GOT_GROUP,  /* another group's root of a slice owned here */
    HISS_GOT_VALUE,  /* new values of a slice in a chunk kept here */
    HISS_GOT_VALUES, /* new values of a chunk that another member keeps */
    HISS_GOT_SUM,    /* MPI mode: the sum of a slice */
    HISS_GOT_NORMS,  /* all ranks' squares of a bucket */
    HISS_SENT
} hiss_event;

typedef struct hiss_pending { /* what a request is for */
    int64_t at;               /* the chunk, slice or bucket; -1: done with */
    hiss_event event;
    int peer; /* rank it depends on; HISS_EVERYONE: all */
} hiss_pending;

/* What is added up here, by number: chunks kept, or slices owned. */
typedef struct hiss_kept {
    int64_t count;
    int64_t *received_at;    /* where other ranks' roots stand in received: one row of hiss_row_floats per root */
    int64_t *missing;        /* remote roots outstanding, plus 1 until the local ones are in */
    int64_t *missing_values; /* chunks: slices whose new values are to come */
} hiss_kept;

typedef struct hiss_norms hiss_norms;

struct hiss_reducer {
    hiss_comm *comm;
    int64_t count;
    int buckets;
    int64_t *bucket_offsets; /* [buckets+1] */
    hiss_reduce reduce;
    bool overlap;
    hiss_pool *pool;
    hiss_norms *norms; /* NULL: none */
    hiss_schedule schedule;
    hiss_group group;       /* this rank's; not in MPI mode */
    MPI_Comm *bucket_comms; /* [buckets], MPI mode only */
    hiss_range *owned;
    int owned_count;

    float *received; /* other ranks' roots */
    hiss_kept chunks, slices;
    float **sources;       /* [roots of the group or of all groups] scratch */
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

/* Floats between two received roots of `floats` floats. */
int64_t hiss_row_floats(int64_t floats);
/* Floats of a chunk of r's group. */
int64_t hiss_chunk_floats(const hiss_reducer *r, const hiss_chunk *chunk);
/* Whether this rank updates the slice. */
bool hiss_reducer_owns(const hiss_reducer *r, const hiss_slice *slice);
/* A request for event `at`, which depends on rank peer. */
MPI_Request *hiss_reducer_request(hiss_reducer *r, int64_t at, hiss_event event, int peer);
/* The sum of an owned slice, and the norms it needs, are there: update it and send it on. */
void hiss_reducer_release(hiss_reducer *r, int64_t slice, const float *sum);

/* ---- norms; reducer_norms.c ---- */

/* After the schedule is there. Collective. */
hiss_norms *hiss_norms_create(hiss_reducer *r, const hiss_reducer_norms *norms);
void hiss_norms_destroy(hiss_reducer *r);           /* Collective */
int64_t hiss_norms_requests(const hiss_reducer *r); /* at most, in a step */
void hiss_norms_start(hiss_reducer *r);             /* of a step */
/* The sum of an owned slice is complete, and stays until the step's end: it is released now or later. */
void hiss_norms_slice(hiss_reducer *r, int64_t slice, const float *sum);
/* Begin the exchanges whose turn has come. Returns whether there were any. */
bool hiss_norms_advance(hiss_reducer *r);
void hiss_norms_arrived(hiss_reducer *r, int bucket); /* HISS_GOT_NORMS */

#endif
