/* Private to train: the state of a run on one rank. */
#ifndef HISS_TRAIN_TRAINER_H
#define HISS_TRAIN_TRAINER_H

#include "hiss/alloc.h"
#include "hiss/train.h"
#include "train/pool.h"

typedef enum slot_role { ROLE_NONE, ROLE_PARAMETER, ROLE_STATISTIC, ROLE_METRIC } slot_role;

typedef struct node_clock {
    double forward, backward; /* seconds */
} node_clock;

/* One graph per step (a GAN has two), with everything needed to run it over the rank's lanes. */
typedef struct phase {
    hiss_graph *graph;
    int nodes, cut;
    hiss_exec **execs;
    int nexecs;
    bool exec_per_lane; /* else per thread: lanes compute forward again after an exchange */
    slot_role *role;    /* [slots]: what the update does with each slot in this phase */
    bool *bucket_used;  /* [buckets] */
    int *node_bucket;   /* buckets by the node after which they are final: node i's are [first[i], first[i+1]) */
    int *node_first;    /* [nodes + 2]; entry `nodes`: final before backward starts */
    int nexports;
    hiss_value export_value[HISS_MAX_EXPORTS];
    int64_t export_floats[HISS_MAX_EXPORTS];
    float **exported[HISS_MAX_EXPORTS]; /* [local lanes] */
    node_clock *clock;                  /* [local lanes][nodes]: of the last pass; NULL when nobody wants them */
} phase;

/* Seconds of this rank since the last log line, averaged over its threads: while one of them alone loads, exchanges or
 * finishes the reduction the others wait for it; what is missing to the time that passed is idle. */
typedef struct trainer_times {
    double data, augment, forward, exchange, supply, backward, reduce, update, epoch;
    /* Of reductions, parts of reduce: first message to last; blocked after backward; additions. */
    double transfer, wait, sum;
} trainer_times;

typedef struct thread_times { /* of one thread in one pass over the lanes */
    double augment, forward, supply, backward, reduce;
    double unused[3]; /* keeps threads off each other's cache lines */
} thread_times;

typedef struct trainer {
    const hiss_experiment *experiment;
    const hiss_train_request *request;
    hiss_comm *comm;
    hiss_dataset *set;
    hiss_world world;
    void *method; /* the objective's state */
    hiss_model *model;
    float *vector;                /* the model vector */
    int *slot_order;              /* slots by offset */
    char choices[HISS_HASH_TEXT]; /* hash of which implementations compute the graphs' products */
    phase *phases, *current;      /* current: the one whose sums trainer_update receives */
    int nphases;
    hiss_graph *encoder; /* in evaluation mode, for methods with an epoch hook */
    hiss_value encoded;
    hiss_exec **encoder_execs; /* [threads] */
    hiss_loader *loader;
    hiss_batch *batches; /* [local lanes] */
    pool *pool;
    hiss_reducer *reducer;
    int64_t *bucket_offsets;
    int buckets;
    int states;                          /* optimiser states, the most over groups */
    int64_t owned_floats, *owned_start;  /* owned ranges, one after another: where each starts */
    float *state[HISS_OPTIM_MAX_STATES]; /* [owned_floats] */
    int64_t updates[HISS_MAX_GROUPS];
    int64_t step, epoch, total_steps;
    int64_t scheduled_steps;     /* those of all epochs: train.steps ends a run early, on the same schedule */
    int64_t stop_offset;         /* of the metric that carries the wish to stop */
    bool (*asked_to_stop)(void); /* whether this process got a signal */
    bool stop;                   /* this rank was asked to stop; after a step: any rank was */
    trainer_times times;
    thread_times *thread_times; /* [threads] */
} trainer;

/* Build everything from the experiment. Collective. */
hiss_status trainer_create(const hiss_train_request *request, trainer *t, hiss_error *err);
void trainer_destroy(trainer *t); /* Collective */

/* Graph and roles of phase p; before the model is laid out. Not collective. */
hiss_status phase_build(trainer *t, int p, hiss_error *err);
/* Memory, roles and buckets; after the model is laid out and buckets are cut. */
void phase_prepare(trainer *t, int p);
void phase_destroy(phase *ph, int64_t local_lanes);
/* Whole steps (src/train/train.c). Collective. */
hiss_status trainer_step(trainer *t, hiss_error *err);
/* One pass of phase p over all lanes: forward, exchange, backward, reduction, update. Collective. */
hiss_status phase_run(trainer *t, int p, hiss_error *err);

/* Sample and fill the inputs of one lane. Not collective. */
void phase_fill(trainer *t, const hiss_lane *lane);
/* The encoder in evaluation mode; before the model is laid out. Not collective. */
hiss_status encoder_build(trainer *t, hiss_error *err);
/* Note who computes the products of all graphs, and that ranks agree. Collective. */
hiss_status trainer_choices(trainer *t, hiss_error *err);
/* Let the method prepare an epoch. Collective. */
hiss_status trainer_epoch(trainer *t, hiss_error *err);

/* The sum of lane vectors over [begin, end) becomes new values of the model vector (a hiss_reducer_update). */
void trainer_update(void *user, int64_t begin, int64_t end, const float *sum);
/* Place in the packed owned arrays of element `at` of the model vector, which this rank owns. */
int64_t trainer_packed(const trainer *t, int64_t at);

/* Checkpoints. Collective. */
hiss_status checkpoint_save(trainer *t, hiss_error *err);
hiss_status checkpoint_load(trainer *t, const char *path, hiss_error *err);
/* SHA-256 of a per-sample state over all samples, on rank 0. Collective. */
void checkpoint_state_hash(trainer *t, const hiss_sample_state *state, char text[HISS_HASH_TEXT]);

/* Where a rank's time went, for summary.yaml. */
typedef struct rank_account {
    char host[64];
    double compute, exchange, data, wait, transfer, other; /* seconds; they add up to what passed */
    double sum, span; /* additions of the reduction (in compute); its first message to its last (mostly overlapped) */
} rank_account;
/* Add the times of a window of seconds; blocked: the least reduction wait of any rank in it. Not collective. */
void rank_account_add(rank_account *a, const trainer_times *times, double blocked, double seconds);
/* The list "ranks:" in rank order, written on rank 0 only; sets a->host. Collective. */
void rank_account_write(FILE *out, hiss_comm *comm, rank_account *a);

/* metrics.jsonl and the display of progress; rank 0 writes. */
typedef struct journal journal;
/* began: when the run did (hiss_seconds). Collective; drops lines after t->step. */
hiss_status journal_open(trainer *t, double began, journal **out, hiss_error *err);
void journal_close(journal *j);
void journal_step(journal *j);                        /* after every step; Not collective */
hiss_status journal_log(journal *j, hiss_error *err); /* a line of averages since the last one. Collective. */
/* RUN/summary.yaml. Collective. */
hiss_status journal_summary(journal *j, double seconds, hiss_error *err);

#endif
