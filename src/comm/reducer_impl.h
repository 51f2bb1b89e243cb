/* The reducer's inside, shared by reducer.c (life, queries), reducer_layout.c (sizes, owners), reducer_step.c
 * (one step), and other files of that name. */
#ifndef HISS_COMM_REDUCER_IMPL_H
#define HISS_COMM_REDUCER_IMPL_H

#include "comm/comm_impl.h"
#include "comm/lane_sums_impl.h"
#include "comm/tree_impl.h"
#include "hiss/reducer.h"

typedef enum comm_event {
    HISS_GOT_MEMBER, /* a member's root of a chunk kept here */
    HISS_GOT_GROUP,  /* another group's root of a slice owned here */
    HISS_GOT_VALUE,  /* new values of a slice in a chunk kept here */
    HISS_GOT_VALUES, /* new values of a chunk that another member keeps */
    HISS_GOT_SUM,    /* MPI mode: the sum of a slice */
    HISS_GOT_NORMS,  /* all ranks' squares of a bucket */
    HISS_SENT
} comm_event;

typedef struct comm_pending { /* what a request is for */
    int64_t at;               /* the chunk, slice or, for norms and what is sent, bucket; -1: done with */
    comm_event event;
    int peer; /* rank it depends on; HISS_EVERYONE: all */
} comm_pending;

/* What is added up here, by number: chunks kept, or slices owned. */
typedef struct comm_kept {
    int64_t count;
    int64_t *received_at;    /* where other ranks' roots stand in received: one row of comm_row_floats per root */
    int64_t *missing;        /* remote roots outstanding, plus 1 until the local ones are in */
    int64_t *missing_values; /* chunks: slices whose new values are to come, plus 1 in shared memory until it is kept */
} comm_kept;

/* Where slices owned here find what arrives for them, when not each has a place of its own. */
typedef struct comm_places {
    int64_t count;    /* 0: each has its own */
    int64_t nfree;    /* of them */
    int64_t *free;    /* [count] floats in received */
    int64_t *waiting; /* [slices owned] open ones without a place: first .. end-1, in the order in which they came */
    int64_t first, end;
} comm_places;

typedef struct comm_norms comm_norms;
typedef struct comm_node comm_node;

struct hiss_reducer {
    hiss_comm *comm;
    int64_t count;
    int buckets;
    int64_t *bucket_offsets; /* [buckets+1] */
    hiss_reduce reduce;
    bool overlap;
    bool *narrow; /* [buckets] what travels is bfloat16 */
    comm_lane_sums *sums;
    comm_norms *norms; /* NULL: none */
    bool by_nodes;     /* groups are ranks that share memory, */
    comm_node *node;   /* this one's; NULL: they do not, or it has one rank */
    comm_plan schedule;
    comm_group group;       /* this rank's; not in MPI mode */
    MPI_Comm *bucket_comms; /* [buckets], MPI mode only */
    hiss_range *owned;
    int owned_count;

    float *received; /* other ranks' roots */
    int64_t received_floats;
    comm_kept chunks, slices;
    comm_places places;
    float **sources;       /* [roots of the group or of all groups] scratch */
    bool *packed;          /* of these, those that have come in bfloat16 */
    uint16_t *changes;     /* [count] of new values, in narrow buckets; NULL: there are none */
    float *before;         /* [longest slice] with changes: scratch */
    int64_t change_floats; /* memory of these two */
    MPI_Request *requests; /* [capacity] */
    comm_pending *pending; /* [capacity] */
    int *finished;         /* [capacity] scratch */
    int active, capacity;  /* requests in use */

    bool running, finishing;
    bool *used, *opened;         /* [buckets] */
    hiss_reducer_flight *flight; /* [buckets] */
    int unopened;                /* used buckets whose messages have not been posted */
    float *model;
    hiss_reducer_update update;
    void *user;
    double opened_first, closed_last; /* clock */
    hiss_reducer_times times;
};

/* Floats between two received roots of `floats` floats. */
int64_t comm_row_floats(int64_t floats);
/* Floats of a chunk of r's group. */
int64_t comm_chunk_floats(const hiss_reducer *r, const comm_chunk *chunk);
/* Whether this rank updates the slice. */
bool comm_reducer_owns(const hiss_reducer *r, const comm_slice *slice);

/* ---- messages; reducer_messages.c ---- */

typedef enum comm_message { HISS_MEMBER_ROOTS, HISS_GROUP_ROOTS, HISS_SLICE_VALUES, HISS_CHUNK_VALUES } comm_message;

/* That of the chunk or slice of this number at its keeper or owner. */
int comm_reducer_tag(comm_message what, int number);
/* A request for event `at`, which depends on rank peer. */
MPI_Request *comm_reducer_request(hiss_reducer *r, int64_t at, comm_event event, int peer);
/* Numbers of a bucket as they travel. */
void comm_reducer_send(hiss_reducer *r, int bucket, const void *from, int64_t numbers, int to, int tag);
void comm_reducer_receive(hiss_reducer *r, int bucket, void *into, int64_t numbers, int from, int tag, int64_t at,
                          comm_event event);
/* A root, from float32 and, once comm_wire_unpack has been there, into float32. It goes to one rank, and nobody here reads
 * it again: it is packed where it stands. */
void comm_reducer_send_root(hiss_reducer *r, int bucket, float *root, int64_t floats, int to, int tag);
void comm_reducer_receive_root(hiss_reducer *r, int bucket, float *row, int64_t floats, int from, int tag, int64_t at,
                               comm_event event);
/* Where new values of a bucket from element begin are sent from, and come to. */
void *comm_reducer_values(const hiss_reducer *r, int bucket, int64_t begin);
/* Those of floats [begin, end) have come: afterwards they are in the model. */
void comm_reducer_take(const hiss_reducer *r, int bucket, int64_t begin, int64_t end);

/* ---- what is waited for; reducer_wait.c ---- */

int comm_reducer_bucket(const hiss_reducer *r, comm_pending p); /* that it is of */
void comm_reducer_tell(hiss_reducer *r);                        /* for whom the wait is that has begun */
/* Before the next look, when so many in a row have found nothing. */
void comm_reducer_rest(const hiss_reducer *r, int64_t looks);

/* ---- a step; reducer_step.c ---- */

/* The sum of an owned slice, and the norms it needs, are there: update it and send it on. */
void comm_reducer_release(hiss_reducer *r, int64_t slice, const float *sum);

/* ---- members that share memory; reducer_node.c ---- */

/* r->node, after the group is there. When one rank fails, all do, and it is NULL, as in a group of one
 * rank. Collective.
 *   lane_floats  in  room for lane vectors; 0: they are where other members do not see them */
hiss_status comm_node_create(hiss_reducer *r, int64_t lane_floats, hiss_error *err);
void comm_node_destroy(hiss_reducer *r);
float *comm_node_lanes(const hiss_reducer *r);   /* that room, NULL: none */
int64_t comm_node_floats(const hiss_reducer *r); /* memory of this rank, without that room */
void comm_node_start(hiss_reducer *r);           /* of a step */
/* This rank's roots of the bucket are final: others may read them, and change what they keep. */
void comm_node_open(hiss_reducer *r, int bucket);
/* Root i of the group, of a bucket that all members have opened. */
float *comm_node_root(const hiss_reducer *r, int64_t i);
void comm_node_pass_on(hiss_reducer *r, int64_t chunk); /* the new values of a chunk kept here to the other members */
void comm_node_take(hiss_reducer *r, int64_t chunk);    /* those of another member, into the model */
/* Wait for HISS_GOT_MEMBER, here of all members, or HISS_GOT_VALUES of a chunk. */
void comm_node_expect(hiss_reducer *r, int64_t chunk, comm_event event);
const comm_pending *comm_node_ready(hiss_reducer *r,
                                    int *count); /* what has come since: [count], until the next call */
const comm_pending *comm_node_waits(const hiss_reducer *r, int *count); /* what has not */

/* ---- MPI mode; reducer_mpi.c ---- */

void comm_mpi_open(hiss_reducer *r, int64_t slice); /* begin its sum */
/* Where MPI sums up: in the first own root, or, on a rank without lanes, in what is received. */
float *comm_mpi_root(const hiss_reducer *r);

/* ---- norms; reducer_norms.c ---- */

/* After the schedule is there. Collective. */
comm_norms *comm_norms_create(hiss_reducer *r, const hiss_reducer_norms *norms);
void comm_norms_destroy(hiss_reducer *r);           /* Collective */
int64_t comm_norms_requests(const hiss_reducer *r); /* at most, in a step */
void comm_norms_start(hiss_reducer *r);             /* of a step */
/* The sum of an owned slice is complete, and stays until the step's end: it is released now or later. */
void comm_norms_slice(hiss_reducer *r, int64_t slice, const float *sum);
/* Begin the exchanges whose turn has come. Returns whether there were any. */
bool comm_norms_advance(hiss_reducer *r);
void comm_norms_arrived(hiss_reducer *r, int bucket); /* HISS_GOT_NORMS */

#endif
