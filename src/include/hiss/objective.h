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
 *     remember what the next step needs of this one                    (optional)
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
    int64_t stored_H, stored_W;        /* of the data */
    int64_t H, W, C;                   /* of the network's input */
    int64_t classes;                   /* 0 without labels */
    const hiss_vocabulary *vocabulary; /* of samples that are rows of words; NULL: they are not */
    const hiss_sound *sound;           /* of samples that are sound; NULL: they are not, or nothing is known of it */
    int64_t labelled;                  /* samples of each class that may be learnt from with their labels; 0: none */
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
    const hiss_batch *labelled; /* all samples of task->labelled, the same on every rank; NULL: none */
    const char *data;           /* for messages: the file that the samples are from */
    hiss_trace *trace;          /* for what the method does by itself; NULL: nobody records */
} hiss_placement;

typedef struct hiss_lane hiss_lane;
/* Augmented by epoch; not augmented, for evaluation; from here to HISS_VIEW_CENTER - 1 the HISS_CROPS of data.h. */
enum { HISS_VIEW_TRAINING = -1, HISS_VIEW_CENTER = -2, HISS_VIEW_CROPS = HISS_VIEW_CENTER - HISS_CROPS };

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
    int phase; /* whose graph this is; -1: that of encode() */
    int64_t lane, epoch,
        step;     /* step counts from the start of the run; in phases on labelled samples epoch is it, too */
    int64_t view; /* in a feature pass the number of the augmented view, below 64; or one of those above */
    const hiss_batch *batch;
    const hiss_graph *graph;
    hiss_exec *exec;           /* inputs by hiss_exec_data */
    const hiss_inputs *inputs; /* of the graph */
    float *scratch;            /* of the thread that makes views: hiss_task_scratch floats; NULL where these are 0 */
    hiss_pixel_scale *scale;   /* [m] gets those of centre views; NULL: nobody asks */
    const hiss_box *box;       /* [m] parts that centre views are of; NULL: the image */
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
    /* Values passed to arrive(); must be kept and precede the cut. How many. */
    int (*exports)(void *self, int phase, hiss_value out[HISS_MAX_EXPORTS]);
    bool (*exchanges)(void *self, int phase, int64_t epoch, int64_t step);                /* logically collective */
    hiss_status (*begin)(void *self, int phase, const hiss_exchange *x, hiss_error *err); /* Collective */
    /* exports [exports()]: the lane's exported values, which stay for this call only */
    void (*arrive)(void *self, int thread, int64_t local, const float *const *exports);
    bool (*ready)(void *self, int64_t local);
    bool (*together)(void *self);           /* whether a step's lanes become ready at one time, all of them. NULL: no */
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
    const hiss_model *model;
    float *vector; /* of the model. begin() may set parameters, and buffers that no graph records, alike on all ranks */
    /* A feature pass: `value` of the graph of phase p, which is kept and precedes the cut, for all samples of this
     * rank's shards, by forward up to the cut in the lanes' own shape and training mode, view `view` of each
     * sample; out [local samples, floats of the value per sample]. Statistics of BatchNorm are those of each lane and
     * leave no trace. Not collective. Errors are those of reading. */
    hiss_status (*features)(void *trainer, int phase, hiss_value value, int64_t view, float *out, hiss_error *err);
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
    bool labelled;                                                /* can learn from data.labelled */
    const hiss_input *inputs;                                     /* ended by field NULL. NULL: an image */
    void (*sample)(void *self, const hiss_lane *lane, int64_t i); /* NULL: hiss_lane_default_sample; thread-safe */
    void (*fill)(void *self, const hiss_lane *lane);              /* NULL: nothing; thread-safe */
} hiss_input_ops;

/* How phases differ, and what they do beside backward. */
typedef struct hiss_phase_ops {
    int (*count)(void *self);                  /* how many this config has, 1 .. phases of the method. NULL: all */
    unsigned (*trains)(void *self, int phase); /* bits of groups. NULL: all */
    /* Epochs in which a phase runs; INT64_MAX as end means to the end of the run. The learning rate's schedule is over
     * the span, or what of it the run has. In every epoch of the run some phase must run; it ends when none is left. A
     * span without epochs: this config has no such phase. NULL: all. */
    hiss_span (*span)(void *self, int phase);
    /* What a phase trains, for people: "layer 2"; for methods with span(). NULL: its number will do. This, span() and
     * count() are asked in evaluation, too, where there is no placement. Not collective. */
    void (*name)(void *self, int phase, char *line, size_t size);
    /* Whether the samples of a phase are the labelled ones (of which there must be some), by hiss_labelled_turn, in
     * place of those of the lane's shard. NULL: no phase's. */
    bool (*labelled)(void *self, int phase);
    /* After a lane's backward, in phases with slots of hiss_layer_own_gradient: add to their gradients in
     * run->lane_vector, at the offsets of the model that build() got; they hold what backward gave, or zeros. Kept
     * values of the graph are readable. NULL: there are no such slots; thread-safe. */
    void (*gradient)(void *self, const hiss_lane *lane, const hiss_exec_context *run);
    /* After that: copy what a later step needs of kept values of the graph into the lane's state. NULL: nothing;
     * thread-safe. */
    void (*remember)(void *self, const hiss_lane *lane);
} hiss_phase_ops;

typedef struct hiss_epoch_ops {
    /* Collective; before the first step of each epoch. When it breaks off because of stop(), it must leave the state as
     * it was: the run then ends before the epoch, and the resumed run calls it again. Nothing of a new run is written
     * before the first; errors are common. */
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
    /* Whether the user of a run that ends with these numbers must be told something of what it has made, in line[size]:
     * a warning. NULL: never. */
    bool (*concern)(void *self, const hiss_named *metrics, int nmetrics, char *line, size_t size);
    void (*describe)(void *self, char *line, size_t size); /* one line for the log at start. NULL: the name */
} hiss_report_ops;

/* One draw of the noise for one sample, in nats. */
typedef struct hiss_draw {
    double likelihood; /* log p(x | z) */
    double weight;     /* log p(x | z) + log p(z) - log q(z | x), whose exponential has the mean p(x) */
} hiss_draw;

/* A method with a latent z of the prior N(0, 1) and an estimate q(z | x) of it, which says how probable images are:
 * evidence lower bound and importance weights (Kingma & Welling 2014, eq. 3; Burda, Grosse & Salakhutdinov 2016, eq.
 * 8). Evaluation runs what stands before the cut of its graph once for a batch, and what follows once for each draw.
 * There is one such graph of a method at a time. In evaluation mode; not collective. */
typedef struct hiss_likelihood_ops {
    int64_t (*latent)(void *self); /* K, dimensions of z */
    /* Append the graph; its image is called "image", as in training. */
    hiss_status (*build)(void *self, hiss_builder *b, int64_t m, hiss_error *err);
    /* Put sample i into the inputs: before all draws, and then what draw lane->step draws. */
    void (*image)(void *self, const hiss_lane *lane, int64_t i);
    void (*noise)(void *self, const hiss_lane *lane, int64_t i);
    hiss_draw (*draw)(void *self, const hiss_lane *lane, int64_t i); /* what came of it */
    /* Of q(z | x) of sample i, dimension by dimension: its divergence from the prior, and its mean. [K] each */
    void (*posterior)(void *self, const hiss_lane *lane, int64_t i, double *divergence, double *mean);
    /* -log of the density of a pixel x whose mean and variance over the training set are these, by itself: what
     * independent pixels reach. */
    double (*independent)(void *self, double x, double mean, double variance);
    void (*describe)(void *self, char *line, size_t size); /* whose probability it is, for the readers of the numbers */
    /* Append the image [N,H,W,C], in pixels of 0..1, that latent [N,K] stands for. */
    hiss_status (*decode)(void *self, hiss_builder *b, hiss_value latent, hiss_value *image, hiss_error *err);
} hiss_likelihood_ops;

/* Means over the draws of a corruption that makes keep x + add of each number x of an image, by draws of its own which
 * know nothing of x. That of keep add is 0. */
typedef struct hiss_corruption_moments {
    double keep, keep2, add, add2; /* of keep, keep^2, add, add^2 */
} hiss_corruption_moments;

/* A method whose reconstruct() takes a corruption out of images of pixels in 0..1. */
typedef struct hiss_corruption_ops {
    /* Corrupt sample i in the input "image", where it is, by draws keyed by HISS_FOR_EVALUATION and the sample.
     * Thread-safe; not collective, as is the next. */
    void (*corrupt)(void *self, const hiss_lane *lane, int64_t i);
    hiss_corruption_moments (*moments)(void *self);
} hiss_corruption_ops;

/* A number that a method says of itself; texts are copied. */
typedef struct hiss_measure {
    const char *name, *group, *heading, *unit; /* as in hiss_number of hiss/judge.h; group is the table's title */
    double value;
    double spread, baseline; /* NAN: none */
    int64_t samples;         /* that it is taken over; 0: of none */
    bool digits;             /* significant digits in place of two decimals */
} hiss_measure;

/* A line of a chart, and charts one under the other. */
typedef struct hiss_line {
    const char *name; /* in the legend; NULL: not listed */
    int64_t count;
    const double *x, *y; /* [count]; points that are not finite interrupt the line */
    bool dashed;
    int colour; /* 0: by its place among the lines; else 1 + a place */
} hiss_line;
typedef struct hiss_panel {
    const char *title, *x_label, *y_label; /* each may be NULL */
    int lines;
    const hiss_line *line; /* [lines] */
} hiss_panel;
enum { HISS_MAX_PANELS = 8, HISS_MAX_LINES = 40 };

/* What conclude() gets: means over images of what measure() gave, and where to say what follows. Calls of say are
 * equal on all ranks. */
typedef struct hiss_measured {
    const hiss_task *task;
    hiss_comm *comm;
    const hiss_model *model; /* of the graph that build() made, */
    const float *vector;     /* and its trained parameters */
    int64_t test, train;     /* images: of training at most so many as are wanted, drawn by seed */
    const double *test_mean, *test_deviation, *train_mean; /* [width()] */
    int64_t shown;     /* test images, drawn by seed, of which show() has said something; 0 where pictures go nowhere */
    const float *show; /* [shown, shown()] what it was, on rank 0; NULL on others */
    void *say;         /* for the calls below */
    void (*number)(void *say, const hiss_measure *measure);
    void (*remark)(void *say, const char *text); /* a sentence that a reader of the numbers must know */
    /* Images [rows, columns, H, W, C] of pixels in 0..1 as a PNG; file is one of the table's pictures. Collective, as
     * are the next three. */
    hiss_status (*grid)(void *say, const char *file, const char *title, const char *caption, int64_t rows,
                        int64_t columns, int64_t H, int64_t W, int64_t C, const float *pixels, hiss_error *err);
    /* At most HISS_MAX_PANELS charts of at most HISS_MAX_LINES lines each, as an SVG; file is one of the table's pictures. What
     * lines hold is looked at on rank 0 alone. */
    hiss_status (*lines)(void *say, const char *file, const char *title, const char *caption, int panels,
                         const hiss_panel *panel, hiss_error *err);
    /* Sounds [sounds, count] of -1 .. 1 as a WAV file (hiss_wav_write); file is one of the table's pictures. */
    hiss_status (*sound)(void *say, const char *file, const char *title, const char *caption, int64_t rate,
                         int64_t sounds, int64_t count, const float *values, hiss_error *err);
    /* Weights w[F,R,S,C] as a PNG, each stretched from its own minimum to its own maximum. */
    hiss_status (*filters)(void *say, const char *file, const char *title, const char *caption, int64_t F, int64_t R,
                           int64_t S, int64_t C, const float *w, hiss_error *err);
} hiss_measured;

/* A method that measures itself in evaluation: numbers of single images, whose means are the same on any number of ranks,
 * and what follows from these and from the parameters. In evaluation mode. */
typedef struct hiss_measure_ops {
    const char *baseline;         /* what the baseline of its numbers is; NULL: they have none */
    const char *const *pictures;  /* files that conclude() may write, ended by NULL. NULL: none */
    int64_t training;             /* training images that are measured, at most; 0: 10,000 */
    int64_t (*width)(void *self); /* numbers of an image */
    /* Append a graph of m images, whose values measure() reads are kept; it has all slots that conclude() needs. Not
     * collective, as are the next two. */
    hiss_status (*build)(void *self, hiss_builder *b, int64_t m, hiss_error *err);
    /* Put sample i into the inputs. What is drawn is keyed by HISS_FOR_EVALUATION and the sample. NULL:
     * hiss_lane_default_sample */
    void (*sample)(void *self, const hiss_lane *lane, int64_t i);
    void (*measure)(void *self, const hiss_lane *lane, int64_t i, float *out); /* out [width()], after forward */
    int64_t (*shown)(void *self);                                              /* floats of show(). NULL: none */
    /* What pictures of some test images need of sample i, after forward: out [shown()]. Not collective. */
    void (*show)(void *self, const hiss_lane *lane, int64_t i, float *out);
    hiss_status (*conclude)(void *self, const hiss_measured *measured, hiss_error *err); /* Collective */
} hiss_measure_ops;

/* A method that makes images: out of noise alone, or out of noise and the class that is asked for. In evaluation mode; not
 * collective. */
typedef struct hiss_generation_ops {
    int64_t (*classes)(void *self); /* that can be asked for; 0: none. NULL: none */
    /* Append what makes *image [m,H,W,C], in pixels of 0..1 (which it may leave), of noise inputs. */
    hiss_status (*build)(void *self, hiss_builder *b, int64_t m, hiss_value *image, hiss_error *err);
    /* Draw image i of the graph into its inputs, as number lane->batch->sample[i] of an endless row of images: keyed by
     * HISS_FOR_EVALUATION, seed and that number. wanted: the class, where classes() are. Thread-safe. */
    void (*noise)(void *self, const hiss_lane *lane, int64_t i, uint64_t seed, int64_t wanted);
    /* For images that are made one part after another. Called before pass 0, 1, ... when noise() has been for all images
     * of the graph: fill inputs from kept values of the passes before; false: the images are complete, else the pass runs
     * nodes [*begin, *end). Not thread-safe. NULL: one pass of all nodes makes them. */
    bool (*advance)(void *self, const hiss_lane *lane, int64_t pass, uint64_t seed, int *begin, int *end);
} hiss_generation_ops;

/* A method that makes sound, value by value. In evaluation mode; not collective. */
typedef struct hiss_sound_ops {
    int64_t (*classes)(void *self); /* that can be asked for; 0: none. NULL: none */
    /* Draw `count` values of each of so many sounds, as numbers first, first + 1, ... of an endless row of sounds: keyed by
     * HISS_FOR_EVALUATION, seed and that number.
     *   model, vector  that of the graph of table `measure`, which the method must have, and its trained parameters
     *   wanted  [sounds] their classes; NULL where there are none
     *   out     [sounds, count] -1 .. 1 */
    hiss_status (*make)(void *self, const hiss_model *model, const float *vector, uint64_t seed, int64_t first,
                        int64_t sounds, int64_t count, const int64_t *wanted, float *out, hiss_error *err);
} hiss_sound_ops;

/* A method that foretells how clips go on. In evaluation mode; not collective. */
typedef struct hiss_forecast_ops {
    int64_t (*given)(void *self);    /* frames of a clip that it is shown, */
    int64_t (*foretold)(void *self); /* and those after them that it was trained to make */
    bool (*draws)(void *self);       /* whether futures of a clip differ; NULL: they do not */
    /* Numbers A of what is done between a frame and the next one, field `action` float32 [T,A], which it sees; 0: it does not.
     * NULL: 0. */
    int64_t (*actions)(void *self);
    /* What makes `futures` of one clip at a time, of so many frames each, which may be more or fewer than foretold(); *forecaster is
     * owned by the caller, who destroys it, also after an error. */
    hiss_status (*create)(void *self, int64_t futures, int64_t frames, void **forecaster, hiss_error *err);
    void (*destroy)(void *forecaster);                  /* NULL is allowed */
    const hiss_model *(*model)(const void *forecaster); /* laid out; it lives as long */
    /* Frame t of sample i, in pixels of 0..1: out [H,W,C]. */
    void (*frame)(const hiss_lane *lane, int64_t i, int64_t t, float *out);
    /* Futures first, first + 1, ... of sample i of the lane's batch, of an endless row of them: keyed by HISS_FOR_EVALUATION,
     * seed, the sample and the future's number. The lane has no graph.
     *   vector   of the forecaster's model
     *   actions  [futures, given() + frames, A] of which the first leads from the first frame to the second; NULL: those of the
     *            sample
     *   out      [futures, frames, H, W, C] in pixels of 0..1 */
    void (*run)(void *forecaster, const float *vector, const hiss_lane *lane, int64_t i, uint64_t seed, int64_t first,
                const float *actions, float *out);
} hiss_forecast_ops;

/* A method: what every one has, and tables of what some can. A table that is NULL: it cannot, or the default will
 * do. */
typedef struct hiss_objective_ops {
    const char *name;                         /* in the config: objective: NAME */
    const char *summary;                      /* one line for --help */
    hiss_section sections[HISS_MAX_SECTIONS]; /* ended by name NULL */
    const char *others_when; /* "KEY VALUE: ", of the first section, where others have an effect. NULL: always */
    size_t options_bytes;
    int phases;                              /* graphs per step; 0 means 1 */
    bool (*own_layers)(const void *options); /* whether section network has no say. NULL: it has. Not collective. */
    const char *sizes; /* keys of its own that make its layers smaller, "gan.width, gan.latent". NULL: none */
    /* The key by which it learns from labels, as it is set, "objective" or one of its own; NULL: from none. NULL: never.
     * Not collective. */
    const char *(*needs_labels)(const void *options);
    bool (*learns_targets)(const void *options); /* it learns field targets. NULL: never. Not collective */
    bool (*unit_pixels)(const void *options);    /* whether the loss takes pixels as 0..1. NULL: no. Not collective */
    bool scores;               /* the last named place of encode() are scores of the classes, or of targets */
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
    const hiss_likelihood_ops *likelihood; /* NULL: it has none */
    const hiss_corruption_ops *corruption; /* NULL: it has none */
    const hiss_measure_ops *measure;       /* NULL: it has none */
    const hiss_generation_ops *generation; /* NULL: it makes none */
    const hiss_sound_ops *sound;           /* NULL: it makes none */
    const hiss_forecast_ops *forecast;     /* NULL: it foretells none */
} hiss_objective_ops;

/* The registered methods, ended by NULL (src/objective/list.h). Not collective. */
const hiss_objective_ops *const *hiss_objectives(void);
extern const char hiss_objective_choices[]; /* their names and aliases, "|nat|..." */
/* The key by which a method needs labels, as its options are; NULL: it needs none. Not collective. */
const char *hiss_objective_needs_labels(const hiss_objective_ops *objective, const void *options);
/* Whether a method learns field targets, as its options are. Not collective. */
bool hiss_objective_learns_targets(const hiss_objective_ops *objective, const void *options);
const hiss_objective_ops *hiss_objective_named(const char *name); /* NULL when unknown */
/* Whether both are names of one method, which may have several; NULL is none. Not collective. */
bool hiss_objective_names_one(const char *a, const char *b);

/* Whether the data set has what a method needs. Errors (HISS_EUSER) name key, file, data set, what is expected and
 * found. */
hiss_status hiss_objective_expect(const hiss_objective_ops *objective, const hiss_dataset *set, hiss_error *err);

/* Inputs of a graph that build() or encode() made: those of the method's list that the graph has. */
hiss_inputs hiss_inputs_bind(const hiss_objective_ops *objective, const hiss_task *task, const hiss_graph *graph);
/* The field of that name; NULL: there is none. Not collective. */
const hiss_field *hiss_task_field(const hiss_task *task, const char *name);
int64_t hiss_task_scratch(const hiss_task *task);

/* What belongs to sample i of value [m, ...] of the lane's graph. */
float *hiss_lane_values(const hiss_lane *lane, hiss_value value, int64_t i);
/* The default sample hook, for methods that extend it: the views of sample i into their inputs, its label into
 * "label". */
void hiss_lane_default_sample(const hiss_lane *lane, int64_t i);
/* View `view` of `views` of the image of sample i. */
void hiss_lane_sample_view(const hiss_lane *lane, int64_t i, int64_t view, int64_t views, float *out);
/* The place in placement->labelled of the sample that is number i of a lane at a step, where they are taken in turn: all
 * of them, then all again, in an order that is drawn anew each time. A pure function of step and lane. Not
 * collective. */
int64_t hiss_labelled_turn(const hiss_task *task, const hiss_placement *placement, int64_t step, int64_t lane,
                           int64_t i);
/* The value of a named metric; 0 when it is not there. */
double hiss_named_value(const hiss_named *metrics, int nmetrics, const char *name);

#endif
