/* Private to NAT. */
#ifndef HISS_OBJECTIVE_NAT_H
#define HISS_OBJECTIVE_NAT_H

#include "hiss/assign.h"
#include "hiss/objective.h"

typedef enum nat_grouping { NAT_TREE, NAT_RANDOM } nat_grouping;
typedef enum nat_statistics { NAT_RUNNING, NAT_LANE } nat_statistics;
typedef enum nat_scope { NAT_BATCH, NAT_DATASET } nat_scope;

typedef struct nat_options {
    int64_t dim, targets; /* section nat */
    int scope;            /* section assign: nat_scope */
    int64_t every, views, rounds;
    double tolerance;
    int grouping; /* nat_grouping */
    bool async;
    int statistics; /* nat_statistics */
    const char *block, *solver;
} nat_options;

typedef struct nat_solver_thread nat_solver_thread;

typedef struct nat {
    const hiss_world *world;
    const nat_options *options;
    const hiss_lap_solver *solver;
    hiss_coordinator *coordinator;
    int64_t targets;            /* K */
    int64_t block, block_lanes; /* scope batch: samples, lanes of a block */
    int64_t dataset_block;      /* scope dataset: samples of a block at most */
    int64_t local_lanes, first_sample, local_samples;
    int64_t *assign;           /* [local_samples]: the owned part of the assignment */
    int64_t *numbers;          /* [L*m]: target numbers of this step's samples, lane by lane */
    int64_t *mine;             /* [local lanes * m]: this rank's part of numbers */
    int64_t *samples;          /* [local lanes * m]: the samples they belong to */
    int64_t *byte_offsets;     /* [P+1]: of the all-gather */
    int64_t *order;            /* [L]: lanes, block by block */
    float *vectors;            /* [block, d]: the targets of one block */
    void *work;                /* of the solver */
    float **rows;              /* [local lanes] -> [m, block] */
    int32_t **answers;         /* [local lanes] -> [m] */
    float *before, *changed;   /* [local lanes]: mean cosine before matching, share of samples with a new target */
    double seconds[4];         /* score, gather, solve, scatter since the last log line */
    nat_solver_thread *thread; /* async only */
    double solved;             /* seconds of the last solve */
    bool pending;              /* gathered, not yet scattered */
    double permuted[4]; /* scope dataset, last time: mean score before and after, seconds of features and rounds */
    double chance;
    hiss_value z, target, before_value, changed_value;
} nat;

/* Scale v[d] to unit length. */
void nat_unit(int64_t d, float *v);
/* Target k: a standard normal vector of the stream (seed, HISS_FOR_TARGETS, 0, k), scaled to unit length. */
void nat_target(const nat *n, int64_t k, float *out);
/* The global permutation step; see nat.c. Collective. */
hiss_status nat_exchange(void *self, int phase, const hiss_exchange *x, hiss_error *err);
/* Solve this rank's blocks of the step (step 3). Not collective. */
void nat_solve(nat *n);
/* Take over answers that are pending. Collective. */
hiss_status nat_settle(void *self, hiss_error *err);
/* The thread of assign.async; not collective. wait returns when it is idle. */
hiss_status nat_thread_create(nat *n, nat_solver_thread **out, hiss_error *err);
void nat_thread_destroy(nat_solver_thread *s); /* NULL is allowed */
void nat_thread_start(nat_solver_thread *s);
void nat_thread_wait(nat_solver_thread *s);
/* Whether this epoch reassigns. */
bool nat_reassigns(const nat *n, int64_t epoch);
/* The permutation over the whole data set; see dataset.c. Collective. */
hiss_status nat_epoch(void *self, const hiss_epoch *e, hiss_error *err);
/* assign is injective and within 0..K-1 over all ranks. Collective. */
hiss_status nat_verify(void *self, hiss_error *err);

#endif
