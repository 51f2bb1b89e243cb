/* Training runs, and measuring their steps. */
#ifndef HISS_TRAIN_H
#define HISS_TRAIN_H

#include "hiss/alloc.h"
#include "hiss/experiment.h"

/* What is logged of the network at probe.every, beside the run's own numbers. */
typedef struct hiss_probed_number {
    char name[96]; /* "probe/z/knn" */
    double value;
} hiss_probed_number;
typedef struct hiss_train_probe {
    /* number[count], equal on all ranks, of the network whose values are vector; valid until the next call. May allocate.
     * Collective. NULL: there are none. */
    hiss_status (*look)(void *user, const hiss_model *model, const float *vector, const hiss_probed_number **number,
                        int *count, hiss_error *err);
    void *user;
} hiss_train_probe;

/* What a trace is to have, and where: the spans of threads in some steps of this process (hiss/trace.h). */
typedef struct hiss_train_trace {
    const char *file;    /* Trace Event Format (JSON); what it says goes to FILE.txt. NULL: no trace */
    int64_t first, last; /* steps, of which the first of a run is 1 */
    int64_t room;        /* spans of a rank at most */
} hiss_train_trace;

typedef struct hiss_train_request {
    hiss_comm *comm;
    hiss_experiment *experiment;
    const char *run;    /* run directory */
    const char *resume; /* "auto", "never", or the path of a checkpoint */
    bool other_kernels; /* go on from one that was computed otherwise; the result is INVALID then */
    double time_limit;  /* seconds from now, before which to checkpoint and end; 0: only SLURM_JOB_END_TIME counts */
    int bar;            /* 1: progress bar, 0: plain lines */
    double wait;        /* seconds to wait for a process that still holds the run */
    hiss_dataset *set;  /* train on this set; NULL: the one that data.file names. Not owned */
    hiss_train_probe probe; /* at probe.every */
    hiss_train_trace trace;
} hiss_train_request;

/* Train. Collective. HISS_EREQUEUE after SIGUSR1, SIGTERM or SIGINT, or before the time limit: checkpointed, start
 * again. Handles these signals while it runs. */
hiss_status hiss_train(const hiss_train_request *request, hiss_error *err);

/* Make all that training makes in memory, with the values that train.init names, and take no step: what it fails at,
 * training would. run, resume and bar of the request are not used. Collective. */
hiss_status hiss_train_check(const hiss_train_request *request, hiss_error *err);

/* ---- measuring ---- */

/* What a rank holds while it trains, in bytes. Gradients: sums over lanes, and what arrives of them; what of them lies
 * where activations were counts among these. */
typedef struct hiss_memory {
    int64_t parameters, gradients, activations, optimizer, samples, checkpoint;
} hiss_memory;
enum { HISS_MEMORY_TEXT = 160 };
/* "parameters 254.4, gradients 368.1, ..." in MiB; returns the sum of all in bytes. */
int64_t hiss_memory_list(const hiss_memory *m, char text[HISS_MEMORY_TEXT]);

typedef struct hiss_node_time { /* a node of the graph of one phase */
    int phase;
    hiss_node_info info;
    double forward, backward; /* seconds for one lane: medians over steps and over the lanes of this rank */
} hiss_node_time;

typedef struct hiss_step_times { /* seconds of a step on this rank: medians over steps */
    int64_t steps;               /* measured; 0: the config has no such steps */
    double wall, fastest;        /* fastest: of one step */
    /* Parts of it, averaged over threads; what is missing to wall is idle. forward twice counts twice. */
    double load, augment, forward, exchange, supply, backward, reduce, update; /* supply: the hook of that name */
    double transfer, wait;              /* of the reduction: first message to last; blocked in it after backward */
    hiss_named parts[HISS_MAX_DERIVED]; /* of exchange, by the objective's own account: means */
    int nparts;
    double messages, bytes; /* that this rank sends for it in a step, where the objective counts them */
} hiss_step_times;

typedef struct hiss_measurement {
    hiss_node_time *nodes;
    int nnodes;
    hiss_step_times plain, exchanging; /* steps without, and with an exchange of the objective */
    double exchanging_share;           /* the share of the config's epochs that have the latter */
    int64_t lanes, m, threads;         /* L, samples of a lane, threads of this rank */
    int64_t samples;                   /* of the data set */
    int64_t parameters;
    int64_t ahead; /* lanes whose gradients a quarter of the activation memory holds: so many may pass the
                                  cut before earlier ones */
    int64_t execs; /* graphs in memory on this rank */
    hiss_memory memory;
    int phases, buckets;
    int64_t *bucket_offsets; /* [buckets+1] floats of the lane vector */
    int *cut;                /* [phases] nodes before the cut */
    int *bucket_final;       /* [phases][buckets] the node after whose backward a bucket is final; the phase's number of
                                nodes: before backward; -1: not used */
    hiss_arena *arena;       /* owns nodes, names, and the arrays above */
} hiss_measurement;

/* Run steps of the training loop, without files, and time them: at least 5 and about `seconds` of each kind, after 2
 * that do not count; seconds < 0: no step, only the nodes. run, resume and bar of the request are not used.
 * Collective. out must be destroyed also after an error. */
hiss_status hiss_train_measure(const hiss_train_request *request, double seconds, hiss_measurement *out,
                               hiss_error *err);
void hiss_measurement_destroy(hiss_measurement *m);

#endif
