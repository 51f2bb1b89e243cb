/* Experiments: the config as a whole, what it means for a data set and for ranks, and what a run stores of its model.
 *
 * RUN/config.yaml resolved config, RUN/metrics.jsonl one object per log step, RUN/ckpt/step-N.h5, RUN/summary.yaml;
 * RUN/nonfinite-step-N.yaml when the numbers of step N were not finite. */
#ifndef HISS_EXPERIMENT_H
#define HISS_EXPERIMENT_H

#include "hiss/objective.h"
#include "hiss/optim.h"

typedef enum hiss_nonfinite { HISS_NONFINITE_STOP, HISS_NONFINITE_SKIP, HISS_NONFINITE_ROLLBACK } hiss_nonfinite;

typedef enum hiss_rescale { HISS_RESCALE_NONE, HISS_RESCALE_WITHIN, HISS_RESCALE_BETWEEN } hiss_rescale;

typedef struct hiss_train_options { /* section "train" */
    int64_t epochs, steps;          /* steps > 0: stop after so many */
    int64_t lanes, lane_samples;    /* L, m */
    double statistics_momentum;     /* weight of a step in BatchNorm's running statistics */
    int64_t log_every;              /* steps between lines of metrics.jsonl */
    int64_t activation_memory;      /* bytes of activations a rank may hold between forward and backward */
    int nonfinite;                  /* hiss_nonfinite: what to do when numbers are not finite */
    int64_t nonfinite_limit;        /* SKIP: end when more steps than this in a row would be skipped */
    int64_t verify_replicas;        /* steps between comparisons of the ranks' parameters; 0: never */
    const char *init;               /* run directory or checkpoint whose arrays replace initial values; NULL: none */
    const char *init_prefix;        /* of the names of its arrays there, before those of this network; "": none */
    const hiss_yaml *init_layers;   /* names of layers that are taken from there; NULL: all */
    int init_rescale;               /* hiss_rescale */
    const hiss_yaml *freeze;        /* names of slots or the layers they belong to, which are left as they are */
    const hiss_yaml *lr_factors;    /* of such names: the factor of their learning rate */
} hiss_train_options;

typedef struct hiss_dist_options { /* section "dist": how to run, never what comes out */
    int64_t threads;
    int reduce;     /* hiss_reduce */
    int64_t bucket; /* bytes */
    int64_t group;  /* hiss_reducer_options.group_size */
    int node;       /* hiss_node */
    int wire;       /* hiss_wire, of parameters */
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

typedef enum hiss_better { HISS_BETTER_AUTO, HISS_BETTER_HIGHEST, HISS_BETTER_LOWEST } hiss_better;

typedef struct
    hiss_probe_options {    /* section "probe": how a run is looked at while it goes on, and when that ends it */
    const char *every_text; /* NULL: the config has no such section */
    const char *layers;     /* comma-separated names of places; NULL: the output */
    int64_t samples;        /* of training and of test, at most */
    hiss_interval every;
    const char *best;   /* name of the number in metrics.jsonl by which ckpt/best.h5 is kept; NULL: none is */
    int best_is;        /* hiss_better */
    bool norms;         /* of gradients and updates, by layers, in log lines */
    int64_t stop_after; /* probes without a better one after which the run ends; 0: never */
} hiss_probe_options;

enum { HISS_MAX_GROUPS = 8 };

typedef struct hiss_experiment { /* a config, parsed; everything in it is owned by config */
    hiss_config *config;
    int64_t seed;
    const char *objective_name, *kernels_name, *kernel_table;
    int precision;        /* a hiss_precision */
    hiss_kernels kernels; /* the backend of that name in that precision, with the table of that file */
    hiss_data_options data;
    void *generate_options,
        *generate_test; /* sections generate and eval.generate of the generator that data names, or NULL */
    hiss_augment_options augment;
    hiss_network network;
    hiss_train_options train;
    hiss_dist_options dist;
    hiss_checkpoint_options checkpoint;
    hiss_probe_options probe;
    const hiss_objective_ops *objective;
    void *objective_options;
    int groups;
    hiss_optim_options optim[HISS_MAX_GROUPS];
    int64_t classes; /* of the run whose checkpoint is looked at (hiss_checkpoint_classes); 0: those of the data */
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
/* Warn of keys that are set and have no effect. trained: bits of the objective's groups that some step trains. Not
 * collective; on one rank. */
void hiss_experiment_tell_idle(const hiss_experiment *e, unsigned trained);
void hiss_experiment_help(FILE *stream); /* every key of the config */

/* Whether overrides of a run's config leave what was trained as it was: RUN/config.yaml holds it. Not collective. Errors
 * (HISS_EUSER) name the key, its value then, and what to do; other faults of overrides or config are none here. */
hiss_status hiss_experiment_expect_trained(const char *run, const char *const *sets, int nsets, hiss_error *err);
/* Where the training samples are, and what labels are to the objective. Not collective. */
hiss_data_options hiss_experiment_data(const hiss_experiment *e);
/* What is computed with the samples of set (see hiss/objective.h); refers to e, which must outlive it. Fills height and
 * width of e->augment when 0. Not collective. Errors (HISS_EUSER): those of hiss_augment_check. */
hiss_status hiss_experiment_task(hiss_experiment *e, const hiss_dataset *set, hiss_task *out, hiss_error *err);
/* The samples of set in the config's lanes, these on the ranks of comm, dist.threads clamped to the lanes of this one.
 * Not collective. Errors (HISS_EUSER): a shard is smaller than a lane. */
hiss_status hiss_experiment_place(const hiss_experiment *e, const hiss_dataset *set, hiss_comm *comm,
                                  hiss_placement *out, hiss_error *err);
void hiss_placement_destroy(hiss_placement *placement); /* all zero is allowed */
/* Whether ranks have no lane, for there are too few; text [size] says so in any case. Not collective. */
bool hiss_placement_idles(const hiss_placement *placement, char *text, size_t size);

/* ---- checkpoints of a run (hiss/snapshot.h); not collective ---- */

/* Newest complete checkpoint of a run (verified by its checksum; a warning for each that is broken): its path into
 * path[size], empty when there is no file at all; an error when there are some, all of them broken.
 *   set_aside  as in hiss_snapshot_newest */
hiss_status hiss_checkpoint_newest(const char *run, bool set_aside, char *path, size_t size, hiss_error *err);
/* The number of classes that a run had labels of, as a checkpoint tells; 0: it does not. */
int64_t hiss_checkpoint_classes(const char *path);
/* Whether classes of the set are those of the run of a checkpoint, in their order; true where it has not noted any. Not
 * collective. */
bool hiss_checkpoint_learnt(const char *path, const hiss_dataset *set);
/* An error (HISS_EUSER) where classes of the set have other names than those of the run of a checkpoint, in their order, as
 * far as both have names and not only numbers. Not collective. */
hiss_status hiss_checkpoint_expect_classes(const char *path, const hiss_dataset *set, hiss_error *err);
/* An error (HISS_EUSER) where the columns of the set's targets have other names than those that the run of a checkpoint has
 * learnt, as far as both say so. Not collective. */
hiss_status hiss_checkpoint_expect_targets(const char *path, const hiss_dataset *set, hiss_error *err);
/* Fill the parameters and buffers of a laid-out model. Errors name the slot. */
hiss_status hiss_checkpoint_model(const char *path, const hiss_model *model, float *vector, hiss_error *err);
/* Scales of channels that were measured (augment.mean, augment.std: auto), as checkpoints hold them. The text must be
 * freed with free. Not collective. Errors (HISS_EUSER): the checkpoint has none. */
bool hiss_scaling_measured(const hiss_scaling *scaling);
char *hiss_scaling_text(const hiss_scaling *scaling);
hiss_status hiss_checkpoint_scaling(const char *path, hiss_scaling *scaling, hiss_error *err);
/* The same, and the parameters and buffers, from an open file, of that path. */
hiss_status hiss_scaling_read(hiss_h5 *file, const char *path, hiss_scaling *scaling, hiss_error *err);
hiss_status hiss_checkpoint_read(hiss_h5 *file, const char *path, const hiss_model *model, float *vector,
                                 hiss_error *err);
/* The values of one data set, of the slot's shape. */
hiss_status hiss_checkpoint_slot(hiss_h5 *file, const char *path, const char *name, const hiss_slot *slot,
                                 float *values, hiss_error *err);
bool hiss_checkpoint_stores(const hiss_slot *slot);       /* whether it is stored */
hiss_h5_info hiss_checkpoint_info(const hiss_slot *slot); /* as what */

#endif
