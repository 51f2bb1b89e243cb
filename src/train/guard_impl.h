/* Private to guard.c, nonfinite.c and replicas.c. */
#ifndef HISS_TRAIN_GUARD_IMPL_H
#define HISS_TRAIN_GUARD_IMPL_H

#include "train/trainer.h" /* and with it guard.h */

enum { GUARD_TEXT = 512, GUARD_PATH = 4096 };

typedef enum finding_kind { FINDING_NONE, FINDING_FORWARD, FINDING_GRADIENT } finding_kind;

typedef struct finding { /* what is wrong in one lane of a step */
    finding_kind kind;
    const phase *ph;
    int slot;        /* where it showed: a gradient's parameter, a statistic or metric; -1: in the exports */
    int64_t element; /* of the slot */
    float value;
    /* FORWARD, by the same look when the lane runs again: whether it found something, and the first node whose output
     * it was; -1: only a statistic or a metric, or nothing. */
    bool again;
    int node;
} finding;

typedef struct node_look { /* what the second forward looks at */
    bool floating;         /* no labels, which are integers */
    int64_t floats;
    bool rows; /* the first dimension is the lane's samples */
    hiss_node_info info;
} node_look;

typedef enum replica_time { REPLICA_ARRIVED, REPLICA_USED, REPLICA_TIMES } replica_time;
typedef uint64_t sums[REPLICA_TIMES]; /* of one rank */

struct guard {
    float limit;       /* magnitudes beyond it count as not finite: sums over all lanes stay finite within */
    int *bucket_slots; /* [buckets + 1]: a bucket's slots are t->slot_order[of it .. of the next) */
    int nphases;
    node_look **nodes; /* [phases][nodes] */
    int *fault_node;   /* [phases] where a fault on demand strikes */
    finding *findings; /* [local lanes] */
    bool *affected;    /* [local lanes][m]: samples whose row is not finite */
    bool exchange_failed;
    /* policy skip: the owned ranges as they were before this step, as far as it has updated them */
    float *kept, *kept_state[HISS_OPTIM_MAX_STATES]; /* [owned floats] */
    const phase **kept_by;                           /* [buckets] the first phase of the step that updated it */
    int64_t kept_updates[HISS_MAX_GROUPS];
    /* replicas */
    bool checking;                      /* this step */
    uint64_t *slot_hash[REPLICA_TIMES]; /* [slots] of parameters and statistics */
    sums hash, *all_hashes;             /* of these; [P] */
    int64_t *hash_offsets;              /* [P+1] */
    /* going back */
    char resumed[GUARD_PATH]; /* the checkpoint this run began with; empty: none */
    float
        *first_vector; /* the model at the beginning, where train.init gave a part of it; NULL: it can be made again */
    void *first_states[HISS_MAX_STATES];
    int64_t replay_until; /* number of the step that made us go back */
    guard_counts counts;
};

/* Look at the slots of a bucket of a lane's vector that have roles from..to; the first value beyond the limit is what
 * the lane has found. Not collective. */
void train_guard_look(const trainer *t, const phase *ph, int bucket, slot_role from, slot_role to, finding_kind kind,
                      finding *f, const float *lane_vector);

/* The lane's forward found something: run it again, to the cut or to its end, and look at the output of every node.
 * Not collective. */
void train_nonfinite_locate(trainer *t, const hiss_lane *lane, const hiss_exec_context *run, finding *f);
/* Describe the step's findings on all ranks: one line into line[GUARD_TEXT] on every rank, all of it into
 * RUN/nonfinite-step-N.yaml. False: nothing was found again, so a machine erred. Collective. */
bool train_nonfinite_report(trainer *t, char line[GUARD_TEXT]);

/* Hash this rank's parameters and statistics. Not collective, any thread. */
void train_replicas_hash(trainer *t, replica_time when);
/* Whether any of the two hashes of any rank differ; then who differs where, in line on every rank. Collective. */
bool train_replicas_differ(trainer *t, char line[GUARD_TEXT]);

#endif
