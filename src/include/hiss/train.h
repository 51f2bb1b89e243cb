/* Experiments, training runs, and the files a run leaves.
 *
 * RUN/config.yaml resolved config, RUN/metrics.jsonl one object per log step, RUN/ckpt/step-N.h5, RUN/summary.yaml;
 * RUN/nonfinite-step-N.yaml when the numbers of step N were not finite. */
#ifndef HISS_TRAIN_H
#define HISS_TRAIN_H

#include "hiss/alloc.h"
#include "hiss/objective.h"
#include "hiss/optim.h"

typedef enum hiss_nonfinite { HISS_NONFINITE_STOP, HISS_NONFINITE_SKIP, HISS_NONFINITE_ROLLBACK } hiss_nonfinite;

typedef struct hiss_train_options { /* section "train" */
    int64_t epochs, steps;          /* steps > 0: stop after so many */
    int64_t lanes, lane_samples;    /* L, m */
    double statistics_momentum;     /* weight of a step in BatchNorm's running statistics */
    int64_t log_every;              /* steps between lines of metrics.jsonl */
    int64_t activation_memory;      /* bytes of activations a rank may hold between forward and backward */
    int nonfinite;                  /* hiss_nonfinite: what to do when numbers are not finite */
    int64_t nonfinite_limit;        /* SKIP: end when more steps than this in a row would be skipped */
    int64_t verify_replicas;        /* steps between comparisons of the ranks' parameters; 0: never */
} hiss_train_options;

typedef struct hiss_dist_options { /* section "dist": how to run, never what comes out */
    int64_t threads;
    int reduce;     /* hiss_reduce */
    int64_t bucket; /* bytes */
    int64_t group;  /* hiss_reducer_options.group_size */
    bool overlap;
    int64_t watchdog; /* seconds of silence that end the job; 0: never */
} hiss_dist_options;

typedef enum hiss_interval_unit {
    HISS_EVERY_NEVER,
    HISS_EVERY_EPOCHS,
    HISS_EVERY_STEPS,
    HISS_EVERY_SECONDS,
    HISS_EVERY_AUTO
} hiss_interval_unit;

typedef struct hiss_interval {
    hiss_interval_unit unit;
    double count; /* in its unit */
} hiss_interval;

typedef struct hiss_checkpoint_options { /* section "checkpoint": when and how many, never what comes out */
    const char *every_text, *keep_every_text, *mtbf_text, *margin_text;
    int64_t keep;                    /* how many stay */
    hiss_interval every, keep_every; /* between checkpoints; between those that stay for good */
    double mtbf;                     /* seconds between failures of the job, for every: auto */
    double margin;                   /* seconds that stay free before the time limit */
} hiss_checkpoint_options;

enum { HISS_MAX_GROUPS = 8 };

typedef struct hiss_experiment { /* a config, parsed; everything in it is owned by config */
    hiss_config *config;
    int64_t seed;
    const char *objective_name, *kernels_name, *kernel_table;
    hiss_kernels kernels; /* the backend of that name, with the table of that file */
    hiss_data_options data;
    hiss_augment_options augment;
    hiss_network network;
    hiss_train_options train;
    hiss_dist_options dist;
    hiss_checkpoint_options checkpoint;
    const hiss_objective_ops *objective;
    void *objective_options;
    int groups;
    hiss_optim_options optim[HISS_MAX_GROUPS];
} hiss_experiment;

/* A place for options of a command that share the config file, e.g. section "eval" of hiss eval. */
typedef struct hiss_extra_section {
    const char *name;
    const hiss_row *rows;
    int nrows;
    void *fields;
} hiss_extra_section;

/* Read and validate a config with overrides ("key=value"). Not collective. */
hiss_status hiss_experiment_read(const char *path, const char *const *overrides, int noverrides,
                                 const hiss_extra_section *extra, int nextra, hiss_experiment *out, hiss_error *err);
void hiss_experiment_destroy(hiss_experiment *e);
void hiss_experiment_help(FILE *stream); /* every key of the config */

/* What the method may know (see hiss/objective.h), for `lanes` lanes over the ranks of comm. Not collective.
 * The arrays inside are owned by the world: hiss_world_destroy. */
hiss_status hiss_world_create(const hiss_experiment *e, const hiss_dataset *set, hiss_comm *comm, hiss_world *out,
                              hiss_error *err);
void hiss_world_destroy(hiss_world *world);
/* Whether ranks have no lane, for there are too few; text [size] says so in any case. Not collective. */
bool hiss_world_idles(const hiss_world *world, char *text, size_t size);

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
} hiss_train_request;

/* Train. Collective. HISS_EREQUEUE after SIGUSR1, SIGTERM or SIGINT, or before the time limit: checkpointed, start
 * again. Handles these signals while it runs. */
hiss_status hiss_train(const hiss_train_request *request, hiss_error *err);

/* ---- measuring ---- */

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
    int64_t ahead;             /* lanes whose gradients a quarter of the activation memory holds: so many may pass the
                                  cut before earlier ones */
    int64_t execs, exec_bytes; /* graphs in memory on this rank, bytes of their activations in all */
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

/* ---- checkpoints ---- */

/* Newest complete checkpoint of a run (verified by its checksum; a warning for each that is broken): its path into
 * path[size], empty when there is no file at all; an error when there are some, all of them broken. Not collective. */
hiss_status hiss_checkpoint_newest(const char *run, char *path, size_t size, hiss_error *err);
/* Fill the parameters and buffers of a laid-out model. Errors name the slot. Not collective. */
hiss_status hiss_checkpoint_model(const char *path, const hiss_model *model, float *vector, hiss_error *err);

#endif
