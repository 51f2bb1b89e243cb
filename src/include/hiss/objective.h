/* Objectives: the methods as plug-ins.
 *
 * A method is one const hiss_objective_ops, with tables of what it can beyond the core, and the private state behind
 * it. Per step and phase, the training loop does, for every lane (on any thread, lanes in any order):
 *     sample   each of the m samples into the graph's inputs          (default: one augmented view into "image",
 *                                                                      the label into "label" when there is one)
 *     fill     whole-lane inputs                                       (optional)
 *     forward up to the cut
 *     supply   inputs that depend on an exchange                       (optional)
 *     forward past the cut, backward
 *     gradient of what does not come from backward                     (optional)
 *     reduction, optimiser.
 *
 * A method with several phases runs them one after another in each step, each with a graph and groups of its own; with
 * span() a phase is a stage of the run, as in training layer by layer, then all of them.
 *
 * In steps for which exchanges() is true the lanes exchange something at the cut, and go on one by one:
 *     begin    once, before the lanes run                              (Collective)
 *     arrive   a lane has reached the cut: here are its exported values
 *     ready    whether a lane has arrived and may go on; asked until it may
 *     progress between operations: move messages, on the main thread
 *     assist   between operations, or instead of waiting: do a piece of what there is to do, on any thread
 *     finish   once, after the step                                    (Collective)
 * Nothing between begin and finish is collective: what a lane waits for is the method's affair, and while it waits
 * others run.
 *
 * A lane's forward up to the cut may run twice (when memory holds fewer lanes than the rank has), so sample and fill
 * must give the same values each time: draw only from streams keyed by seed, purpose, epoch or step, and sample.
 *
 * A GAN has phases 2 (discriminator, generator), groups {"generator", "discriminator"} and trains() = one bit each;
 * a siamese or recurrent method calls the same layers several times on one builder, which shares their slots; methods
 * with their own views of the data (tiles, clips, colour channels, audio) bring a table `input` with a sample hook.
 *
 * The simplest method, src/objective/reconstruct/autoencoder.c, is the annotated template: copy that one into the
 * folder of its family, and add a line to src/objective/list.h. */
#ifndef HISS_OBJECTIVE_H
#define HISS_OBJECTIVE_H

#include "hiss/comm.h"
#include "hiss/data.h"
#include "hiss/nn.h"

typedef struct hiss_task { /* what is computed: all that encode() needs; outlives the method; not owned */
    uint64_t seed;
    const hiss_field *field; /* [fields] of the samples, of training and evaluation alike; the first is the image */
    int fields;
    int64_t stored_H, stored_W; /* of the data */
    int64_t H, W, C;            /* of the network's input */
    int64_t classes;            /* 0 without labels */
    const hiss_kernels *kernels;
    const hiss_augment_options *augment;
    const hiss_network *network;
} hiss_task;

typedef struct hiss_placement { /* the training set in lanes, the lanes on ranks; outlives the method; not owned */
    int64_t samples;            /* n of the training set */
    int64_t lanes, m;           /* L, samples of a lane at a step */
    int64_t steps_per_epoch;
    const int64_t *shards;        /* [L+1] a lane's samples */
    const int64_t *lane_offsets;  /* [P+1] a rank's lanes */
    int64_t first_lane, end_lane; /* this rank's */
    int threads;                  /* that run this rank's lanes, at least 1; thread 0 is the main thread */
    hiss_comm *comm;
} hiss_placement;

typedef struct hiss_lane hiss_lane;
enum { HISS_VIEW_TRAINING = -1, HISS_VIEW_CENTER = -2 }; /* augmented by epoch; not augmented, for evaluation */

/* What a method needs of a sample, and where it goes. */
typedef struct hiss_input {
    const char *field; /* "image", or one the user names in data.fields */
    int ndim;
    unsigned dtypes;  /* bits 1u << HISS_F32 and so on; 0: any */
    const char *what; /* for messages: "images [H,W,C]" */
    const char *view; /* of src/objective/views/list.h; NULL: the method's own sample hook reads the field */
    const char *name; /* of the graph's input [m, ...] that the view fills */
} hiss_input;

/* Ways to make floats of a field: a view kind is one file of src/objective/views and one line in its list.h. */
typedef struct hiss_view_kind {
    const char *name;
    /* Floats of one sample. */
    int64_t (*floats)(const hiss_task *task, const hiss_field *field);
    /* View number view of views of sample i. Thread-safe. */
    void (*make)(const hiss_lane *lane, int64_t i, const hiss_field *field, int64_t view, int64_t views, float *out);
} hiss_view_kind;
const hiss_view_kind *hiss_view_kind_named(const char *name); /* NULL when unknown */

/* The inputs of a graph, looked up when it has been built. */
typedef struct hiss_inputs {
    int count;
    struct hiss_bound_input {
        const hiss_view_kind *kind;
        const hiss_field *field;
        hiss_value value;
        int64_t floats; /* of a sample */
    } input[HISS_MAX_FIELDS];
    hiss_value image, label; /* inputs of these names; negative: none */
} hiss_inputs;

struct hiss_lane { /* one lane at one step */
    const hiss_task *task;
    int phase;                 /* whose graph this is; -1: that of encode() */
    int64_t lane, epoch, step; /* step counts from the start of the run */
    int64_t view;              /* in a feature pass the number of the augmented view, below 64; or one of those above */
    const hiss_batch *batch;
    const hiss_graph *graph;
    hiss_exec *exec;           /* inputs by hiss_exec_data */
    const hiss_inputs *inputs; /* of the graph */
    float *scratch;            /* of the thread that makes views: hiss_task_scratch floats; NULL where these are 0 */
    hiss_pixel_scale *scale;   /* [m] gets those of centre views; NULL: nobody asks */
};

enum { HISS_MAX_EXPORTS = 4, HISS_MAX_STATES = 8, HISS_MAX_SECTIONS = 3, HISS_MAX_DERIVED = 16 };

typedef struct hiss_section { /* a part of the config that belongs to the method */
    const char *name;
    const hiss_row *rows;
    const int *nrows;
    size_t offset; /* of its struct in the method's options */
} hiss_section;

typedef struct hiss_named { /* a logged number */
    char name[32];
    double value;
} hiss_named;

typedef struct hiss_span { /* epochs [first, end) */
    int64_t first, end;
} hiss_span;

typedef enum hiss_state_per { HISS_PER_SAMPLE, HISS_PER_LANE, HISS_PER_RUN } hiss_state_per;

/* An array that belongs to the method: in checkpoints, in the hashes of the summary, and put back when a run goes back.
 * What a step that is left out (train.nonfinite: skip) has changed in it stays. */
typedef struct hiss_state {
    const char *name; /* unique among the method's */
    hiss_state_per per;
    hiss_dtype dtype; /* HISS_I64 or HISS_F32 */
    int64_t count;    /* values of each sample, of each lane, or of the run */
    /* [count] each of the samples [shards[first_lane], shards[end_lane]), of the lanes [first_lane, end_lane), or of
     * the run, where it is equal on all ranks. Owned by the method; stays where it is. */
    void *local;
} hiss_state;

typedef struct hiss_exchange {
    int64_t epoch, step;
    const hiss_batch *batches; /* [local lanes]; until finish */
    int64_t *order;            /* [local lanes] out, preset to 0, 1, ...: suggested order of the lanes */
} hiss_exchange;

/* How a method exchanges at the cut. arrive, ready and assist are called on any thread, for different lanes at the same
 * time. */
typedef struct hiss_exchange_ops {
    /* Values passed to arrive(), and to be had from hiss_epoch.features; must be kept and precede the cut. How many. */
    int (*exports)(void *self, int phase, hiss_value out[HISS_MAX_EXPORTS]);
    bool (*exchanges)(void *self, int phase, int64_t epoch, int64_t step);                /* logically collective */
    hiss_status (*begin)(void *self, int phase, const hiss_exchange *x, hiss_error *err); /* Collective */
    /* exports [exports()]: the lane's exported values, which stay for this call only */
    void (*arrive)(void *self, int thread, int64_t local, const float *const *exports);
    bool (*ready)(void *self, int64_t local);
    bool (*progress)(void *self);           /* main thread, does not wait; false: this rank has nothing left to move */
    bool (*assist)(void *self, int thread); /* false: there was nothing to do */
    /* After the step; errors are common. Collective. */
    hiss_status (*finish)(void *self, hiss_error *err);
    void (*supply)(void *self, const hiss_lane *lane); /* in every step. NULL: nothing; thread-safe */
    /* Finish what is pending; before a checkpoint and at each epoch's end. NULL: nothing. Collective. */
    hiss_status (*settle)(void *self, hiss_error *err);
} hiss_exchange_ops;

/* What the training loop offers at the start of an epoch. */
typedef struct hiss_epoch {
    int64_t epoch, step;
    void *trainer; /* for the calls below */
    int threads;
    /* A feature pass: export k of phase p for all samples of this rank's shards, by forward up to the cut in the lanes'
     * own shape and training mode, view `view` of each sample; out [local samples, floats of the export per sample].
     * Statistics of BatchNorm are those of each lane and leave no trace. Not collective. Errors are those of
     * reading. */
    hiss_status (*features)(void *trainer, int phase, int k, int64_t view, float *out, hiss_error *err);
    /* The same for the last named place of encode(), in evaluation mode: running statistics, nothing dropped. */
    hiss_status (*embed)(void *trainer, int64_t view, float *out, hiss_error *err);
    /* Run items 0..count-1 on the rank's threads. Not collective. */
    void (*parallel)(void *trainer, int64_t count, void (*task)(void *user, int thread, int64_t item), void *user);
    /* Whether any rank was asked to stop. Collective. */
    bool (*stop)(void *trainer);
    /* Tell the user how far a long phase is, 0..1; rank 0 shows it. Not collective. */
    void (*progress)(void *trainer, const char *what, double done);
} hiss_epoch;

/* What goes into a lane's graph. */
typedef struct hiss_input_ops {
    bool labels;                                                  /* needs labels */
    const hiss_input *inputs;                                     /* ended by field NULL. NULL: an image */
    void (*sample)(void *self, const hiss_lane *lane, int64_t i); /* NULL: hiss_lane_default_sample; thread-safe */
    void (*fill)(void *self, const hiss_lane *lane);              /* NULL: nothing; thread-safe */
} hiss_input_ops;

/* How phases differ, and what they do beside backward. */
typedef struct hiss_phase_ops {
    unsigned (*trains)(void *self, int phase); /* bits of groups. NULL: all */
    /* Epochs in which a phase runs; INT64_MAX as end means to the end of the run. The learning rate's schedule is over
     * the span, or what of it the run has. In every epoch of the run some phase must run. NULL: all. */
    hiss_span (*span)(void *self, int phase);
    /* After a lane's backward, in phases with slots of hiss_layer_own_gradient: add to their gradients in
     * run->lane_vector, at the offsets of the model that build() got; they hold what backward gave, or zeros. Kept
     * values of the graph are readable. NULL: there are no such slots; thread-safe. */
    void (*gradient)(void *self, const hiss_lane *lane, const hiss_exec_context *run);
} hiss_phase_ops;

typedef struct hiss_epoch_ops {
    /* Collective; before the first step of each epoch. When it breaks off because of stop(), it must leave the state as
     * it was: the run then ends before the epoch, and the resumed run calls it again. */
    hiss_status (*begin)(void *self, const hiss_epoch *e, hiss_error *err);
} hiss_epoch_ops;

typedef struct hiss_state_ops {
    int (*list)(void *self, hiss_state out[HISS_MAX_STATES]); /* how many; between steps. Not collective */
    /* At each epoch's end and after resume. NULL: nothing. Collective. */
    hiss_status (*verify)(void *self, hiss_error *err);
} hiss_state_ops;

/* What a method says of a run; each may be NULL. Not collective. */
typedef struct hiss_report_ops {
    /* Numbers derived from the averages of the graph's metrics (and of what exchange counted since the last call);
     * called on every rank; returns how many were written to out. NULL: none. */
    int (*derive)(void *self, const hiss_named *metrics, int nmetrics, hiss_named out[HISS_MAX_DERIVED]);
    /* Whether a run that ends with these numbers, derived ones among them, is no better than chance: 1 yes, and why in
     * line[size]; 0 no; -1 not known. NULL: not known. */
    int (*below_chance)(void *self, const hiss_named *metrics, int nmetrics, char *line, size_t size);
    void (*describe)(void *self, char *line, size_t size); /* one line for the log at start. NULL: the name */
} hiss_report_ops;

/* A method: what every one has, and tables of what some can. A table that is NULL: it cannot, or the default will
 * do. */
typedef struct hiss_objective_ops {
    const char *name;                         /* in the config: objective: NAME */
    const char *summary;                      /* one line for --help */
    hiss_section sections[HISS_MAX_SECTIONS]; /* ended by name NULL */
    size_t options_bytes;
    int phases;                /* graphs per step; 0 means 1 */
    const char *const *groups; /* parameter groups, ended by NULL, each with its optimiser; NULL: one, "model" */

    /* *self is owned by the caller, who destroys it, also after an error. options outlive self.
     *   placement  NULL: for encode() and destroy() alone; needs nothing of the training set. Not collective then;
     *              else Collective on placement->comm */
    hiss_status (*create)(const hiss_task *task, const hiss_placement *placement, const void *options, void **self,
                          hiss_error *err);
    void (*destroy)(void *self); /* NULL is allowed as self */

    /* Not collective. Append phase's graph: inputs (with [m, ...] shapes), loss, metrics, cut. */
    hiss_status (*build)(void *self, int phase, hiss_builder *b, hiss_error *err);
    /* Not collective. Append the encoder to image [N,H,W,C]; its named places are what evaluation looks at,
     * the last of them the output: add them with hiss_taps_add to what hiss_network_build left. */
    hiss_status (*encode)(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err);

    const hiss_input_ops *input;
    const hiss_phase_ops *phase;
    const hiss_exchange_ops *exchange;
    const hiss_epoch_ops *epoch;
    const hiss_state_ops *state;
    const hiss_report_ops *report;
    /* Append what rebuilds image [N,H,W,C] to *rebuilt, of the same shape, N of any size. NULL: it cannot. Not
     * collective. */
    hiss_status (*reconstruct)(void *self, hiss_builder *b, hiss_value image, hiss_value *rebuilt, hiss_error *err);
} hiss_objective_ops;

/* The registered methods, ended by NULL (src/objective/list.h). Not collective. */
const hiss_objective_ops *const *hiss_objectives(void);
extern const char hiss_objective_choices[];                       /* their names, "|nat|..." */
const hiss_objective_ops *hiss_objective_named(const char *name); /* NULL when unknown */

/* Whether the data set has what a method needs. Errors (HISS_EUSER) name key, file, data set, what is expected and
 * found. */
hiss_status hiss_objective_expect(const hiss_objective_ops *objective, const hiss_dataset *set, hiss_error *err);

/* Inputs of a graph that build() or encode() made: those of the method's list that the graph has. */
hiss_inputs hiss_inputs_bind(const hiss_objective_ops *objective, const hiss_task *task, const hiss_graph *graph);
int64_t hiss_task_scratch(const hiss_task *task);

/* The default sample hook, for methods that extend it: the views of sample i into their inputs, its label into
 * "label". */
void hiss_lane_default_sample(const hiss_lane *lane, int64_t i);
/* View `view` of `views` of the image of sample i. */
void hiss_lane_sample_view(const hiss_lane *lane, int64_t i, int64_t view, int64_t views, float *out);
/* The value of a named metric; 0 when it is not there. */
double hiss_named_value(const hiss_named *metrics, int nmetrics, const char *name);

#endif
