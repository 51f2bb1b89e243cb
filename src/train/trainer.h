/* Private to train: the state of a run on one rank. */
#ifndef HISS_TRAIN_TRAINER_H
#define HISS_TRAIN_TRAINER_H

#include "hiss/alloc.h"
#include "hiss/encoder.h"
#include "hiss/reducer.h"
#include "hiss/trace.h"
#include "hiss/train.h"
#include "train/guard.h"
#include "train/pool.h"

typedef enum slot_role { ROLE_NONE, ROLE_PARAMETER, ROLE_STATISTIC, ROLE_METRIC } slot_role;

typedef struct node_clock {
    double forward, backward; /* seconds */
} node_clock;

/* One graph per step (a GAN has two), with everything needed to run it over the rank's lanes. */
typedef struct phase {
    hiss_graph *graph;
    hiss_inputs inputs;
    int nodes, cut;
    hiss_exec **execs;
    int nexecs;
    bool exec_per_lane; /* as many as lanes; else as threads: lanes compute forward again after an exchange */
    float *kept;        /* execs in two parts: [lanes][parts.kept]; else NULL */
    float **passing;    /* and [threads][parts.passing] */
    int64_t exec_bytes; /* of all execs */
    slot_role *role;    /* [slots]: what the update does with each slot in this phase */
    bool *bucket_used;  /* [buckets] */
    hiss_span span;     /* epochs in which it runs, within those of the run */
    bool labelled;      /* its samples are the labelled ones */
    int *node_bucket;   /* buckets by the node after which they are final: node i's are [first[i], first[i+1]) */
    int *node_first;    /* [nodes + 3]; entry `nodes`: final before backward starts; nodes + 1: after hook gradient */
    int *own, nown;     /* slots whose gradient the method makes; the first nzero of them backward does not write */
    int nzero;
    int nexports;
    hiss_value export_value[HISS_MAX_EXPORTS];
    int64_t *order;            /* [local lanes] in a step with exchange: how they go to the cut, */
    bool *started;             /* [local lanes] and which have passed it */
    int *exec_of, *free_execs; /* [local lanes] the execs they have; [nexecs] a stack of those nobody has */
    int16_t *traced;           /* [2][nodes] names of forward and backward in the trace; -1: nothing is computed */
    node_clock *clock;         /* [local lanes][nodes]: of the last pass; NULL when nobody wants them */
} phase;

/* Seconds of this rank since the last log line, averaged over its threads: while one of them alone loads, exchanges or
 * finishes the reduction the others wait for it; what is missing to the time that passed is idle. */
typedef struct trainer_times {
    double data, augment, forward, exchange, supply, backward, reduce, update, epoch;
    /* Of reductions, parts of reduce: first message to last; blocked after backward; additions. */
    double transfer, wait, sum;
} trainer_times;

typedef struct thread_times { /* of one thread in one pass over the lanes */
    double augment, forward, exchange, supply, backward, reduce;
    double exchanged; /* when it last saw to the exchange between operations */
    double unused[1]; /* keeps threads off each other's cache lines */
} thread_times;

enum { KERNELS_TEXT = HISS_KERNELS_IDENTITY + 32, MIXED_TEXT = 1024 };

typedef struct origin { /* of the checkpoint this process goes on from; empty texts: it began at step 0 */
    char kernels[KERNELS_TEXT], core[64], choices[HISS_HASH_TEXT];
    char mixed[MIXED_TEXT]; /* the kernels of all steps before, when not all are those that compute now; else empty */
} origin;

typedef struct norms {                        /* that updates need; pointers NULL: none */
    hiss_optim_norms wanted[HISS_MAX_GROUPS]; /* by groups */
    hiss_norm_rounds rounds[HISS_MAX_GROUPS];
    int *segment_of, *slot_of; /* [slots] the reducer's segments, or -1; [segments] */
    hiss_range *segment;       /* [segments] */
    int *set;                  /* [buckets] */
} norms;

typedef struct labelled { /* the samples of data.labelled; samples NULL: there are none */
    hiss_samples *samples;
    hiss_batch all;
    hiss_batch *batches; /* [local lanes] of a step, which is dealt out into the next: */
    int64_t *sample;     /* [local lanes * m] each */
    const uint8_t **row;
    int32_t *label;
} labelled;

enum { MAX_METRICS = 64 };
typedef struct log_window {       /* what the next log line is the mean of */
    double sum[MAX_METRICS];      /* of metric slots, in slot order, since the last line */
    int64_t counted[MAX_METRICS]; /* steps in each sum: those in which a phase that has the metric ran */
} log_window;

typedef struct probing { /* what section probe has come to: state of the run, in checkpoints with the window */
    double best;         /* the best number so far, */
    int64_t best_step;   /* of that step; -1: there is none */
    int64_t since;       /* probes since then */
    bool keep;           /* the checkpoint to come is of the best: no state, a wish */
    const hiss_probed_number *number; /* [count] of the last probe, until they are logged */
    int count;
    int64_t looks;  /* of this process, */
    double seconds; /* and what they took */
} probing;
enum { PROBING_VALUES = 3 + 2 * MAX_METRICS };

typedef struct layer_norms layer_norms; /* layer_norms.c */
typedef struct saver saver;
typedef struct tracing tracing;               /* tracing.c */
typedef struct train_rescaler train_rescaler; /* rescale.c */
typedef struct journal journal;
typedef struct trainer trainer;
struct trainer {
    const hiss_experiment *experiment;
    const hiss_train_request *request;
    hiss_comm *comm;
    hiss_dataset *set;
    hiss_task task;
    hiss_placement placement;
    void *method; /* the objective's state */
    hiss_model *model;
    float *vector;                 /* the model vector */
    int *slot_order;               /* slots by offset */
    char sizes[160], smaller[256]; /* keys that make the network smaller, and advice to do so */
    char choices[HISS_HASH_TEXT];  /* hash of which implementations compute the graphs' products */
    char init[HISS_HASH_TEXT];     /* checksum of the checkpoint that train.init named; empty: none */
    bool *took;                    /* [slots] that came from there; NULL: none, or not rank 0 */
    const char **frozen;           /* [nfrozen] the names of train.freeze */
    double *lr_factor;             /* [slots] of the learning rate, 1 where train.lr_factors says nothing */
    int nfrozen;
    origin origin;           /* who computed the steps before the first of this process */
    phase *phases, *current; /* current: the one whose sums train_update receives */
    const phase *first;      /* that runs in this step */
    int nphases;
    hiss_encoder *encoder;   /* for methods with an epoch hook; else NULL */
    train_rescaler *rescale; /* for train.init_rescale; else NULL */
    hiss_loader *loader;
    float **scratch;     /* [threads]: hiss_lane.scratch */
    hiss_batch *batches; /* [local lanes] */
    labelled labelled;
    int64_t epochs; /* of the run: train.epochs, or as many as phases have */
    pool *pool;
    hiss_reducer *reducer;
    bool exchanges;         /* in some steps */
    int64_t ahead;          /* how many lanes may pass the cut before an earlier one */
    bool lends;             /* lane l keeps its activations in exec l, so that the reducer knows when they are over, */
    hiss_reducer_lent lent; /* and may use their memory; NULL: it does not pay */
    int64_t *bucket_offsets;
    hiss_wire *wire; /* [buckets] dist.wire where parameters are */
    int buckets;
    int64_t *state_offsets; /* [P+1] room for train_states_gather */
    norms norms;
    int states;                          /* optimiser states, the most over groups */
    int64_t owned_floats, *owned_start;  /* owned ranges, one after another: where each starts */
    float *state[HISS_OPTIM_MAX_STATES]; /* [owned_floats] */
    int64_t updates[HISS_MAX_GROUPS];
    int64_t step, epoch, total_steps;
    bool resumed;                     /* from a checkpoint */
    bool begun;                       /* the epoch that starts at this step */
    int64_t skipped[2];               /* steps left out (train.nonfinite: skip): in all, and in a row until now */
    int64_t scheduled_steps;          /* those of all epochs: train.steps ends a run early, on the same schedule */
    int64_t control_offset;           /* of the metric with the stop and save requests and the non-finite flag */
    bool stop, save;                  /* before a step: this rank wants to; after it: any rank wanted to */
    bool (*asked_to_stop)(trainer *); /* whether this process should end: a signal, or the time; NULL: never */
    bool scaled;                      /* scales of channels that are `auto` came with the checkpoint */
    double deadline, longest_step;    /* when the time is over, by hiss_seconds(); rank 0 */
    struct saver *saver;              /* of checkpoints; NULL: there are none */
    probing probing;
    hiss_trace *trace; /* NULL: there is none */
    tracing *tracing;
    layer_norms *layer_norms; /* NULL: not wanted */
    log_window window;
    guard *guard;
    verdict verdict; /* on the last step */
    trainer_times times;
    thread_times *thread_times; /* [threads] */
};

/* Build everything from the experiment. Collective. */
hiss_status train_create(const hiss_train_request *request, trainer *t, hiss_error *err);
void train_destroy(trainer *t);                /* Collective */
int64_t train_steps_planned(const trainer *t); /* by train.epochs, phases and train.steps. Not collective */
hiss_memory train_memory(const trainer *t);    /* Not collective */
hiss_reducer_options train_reducer_options(const trainer *t); /* without norms and lent memory */

/* Graph and roles of phase p; before the model is laid out. Not collective. */
hiss_status train_phase_build(trainer *t, int p, hiss_error *err);
/* Memory, roles and buckets; after the model is laid out and buckets are cut. */
void train_phase_prepare(trainer *t, int p);
void train_phase_destroy(phase *ph, int threads);
hiss_exec *train_phase_exec(const phase *ph, int exec, int thread); /* for use by that thread */
/* Whole steps (src/train/train.c); what became of it is in t->verdict. Collective. */
hiss_status train_step(trainer *t, hiss_error *err);
/* One pass of phase p over all lanes: forward, exchange, backward, reduction, update. Collective. */
hiss_status train_phase_run(trainer *t, int p, hiss_error *err);

/* labelled.c: read what data.labelled names, before the method is created; memory for batches. Not collective, as are
 * the others. Errors (HISS_EUSER): the method takes none; those of hiss_labelled_read. */
hiss_status train_labelled_read(trainer *t, hiss_error *err);
void train_labelled_prepare(trainer *t);
void train_labelled_free(trainer *t);
void train_labelled_write(FILE *out, const trainer *t); /* for the summary: which samples they are */
/* [local lanes] what a phase is trained on at this step. */
const hiss_batch *train_batches(trainer *t, const phase *ph);

/* The epochs of all phases, and of the run; an error when there are some without any. Not collective. */
hiss_status train_phase_spans(trainer *t, hiss_error *err);
int64_t train_steps_planned(const trainer *t); /* of all of them, or train.steps. Not collective */
bool train_phase_runs(const trainer *t, int p, int64_t epoch);
/* The learning rate of a group in phase ph after `step` steps of the run. */
double train_phase_rate(const trainer *t, const phase *ph, int group, int64_t step);

/* Bits of the parameter groups that the phase trains. Not collective. */
unsigned train_phase_groups(const trainer *t, int p);
/* Let the method finish what is pending; let it check its state. Collective. */
hiss_status train_settle(trainer *t, hiss_error *err);
hiss_status train_verify(trainer *t, hiss_error *err);

/* Sample and fill the inputs of one lane. Not collective. */
void train_phase_fill(trainer *t, const hiss_lane *lane);
void train_phase_supply(trainer *t, const hiss_lane *lane); /* the inputs that depend on an exchange. Not collective */
/* Whether ranks compute differently, each by its own words; text: the first two that do. Collective. */
enum { RANKS_DIFFER = 640 };
bool train_ranks_differ(hiss_comm *comm, const char *mine, char text[RANKS_DIFFER]);
/* Note who computes the products of all graphs, and that ranks agree. Collective. */
hiss_status train_choices(trainer *t, hiss_error *err);
/* Backend and identity, e.g. "blas, OpenBLAS 0.3.21 Zen, own kernels 2 with FMA, subnormals as zero". */
void train_kernels(const trainer *t, char text[KERNELS_TEXT]);
/* Note in t->origin who computed the checkpoint `path` of step t->step. Not collective. */
hiss_status train_read_origin(trainer *t, hiss_h5 *file, hiss_error *err);
/* Whether those kernels are also the ones of this process; an error that says what to do when not. Not collective. */
hiss_status train_same_origin(const trainer *t, const char *path, hiss_error *err);
/* Let the method prepare an epoch. Collective. */
hiss_status train_epoch(trainer *t, hiss_error *err);

/* The sum of lane vectors over [begin, end) becomes new values of the model vector (a hiss_reducer_update). */
void train_update(void *user, int64_t begin, int64_t end, const float *sum);
/* Find out which norms updates need, for the reducer; false: none. Release with train_norms_free. Not collective.
 * norms.c */
bool train_norms_plan(trainer *t, hiss_reducer_norms *out);
void train_norms_free(trainer *t);
/* The numbers of an update of slot s, as far as the norms of `rounds` rounds say. */
hiss_optim_step train_norms_step(const trainer *t, int s, int rounds);
/* Place in the packed owned arrays of element `at` of the model vector, which this rank owns. */
int64_t train_packed(const trainer *t, int64_t at);
/* The optimiser states of that element and its neighbours; NULL beyond t->states. */
void train_state(const trainer *t, int64_t at, float *state[HISS_OPTIM_MAX_STATES]);

/* ---- checkpoints; checkpoint.c ---- */

/* Memory and the thread of rank 0; allocates all that saving needs. Collective. */
hiss_status train_checkpoint_open(trainer *t, hiss_error *err);
void train_checkpoint_close(trainer *t); /* waits for a write; Not collective */
/* Take the present state and begin to write it; waits for the write before. Errors are the method's. Collective. */
hiss_status train_checkpoint_save(trainer *t, hiss_error *err);
/* Until the last save is written; how it ended. Collective. */
hiss_status train_checkpoint_wait(trainer *t, hiss_error *err);
/* The step of the last checkpoint that this run of the program has written, after a write under way; -1: there is
 * none. Collective. */
int64_t train_checkpoint_last_good(trainer *t);
int64_t train_checkpoint_good_here(trainer *t); /* what this rank knows of it: all on rank 0. Not collective. */
void train_checkpoint_poll(trainer *t);         /* warn when a write has failed. Not collective */
/* Whether the state after the coming step is to be saved; true on rank 0 only. Not collective. */
bool train_checkpoint_due(trainer *t);
double train_checkpoint_seconds(const trainer *t); /* what one takes, taking and writing; rank 0 */
int64_t train_checkpoint_bytes(const trainer *t);  /* of one; 0 on other ranks than 0 */
/* How many of this run lie there at once, at most; advice: what to do where there is no room for them. Not
 * collective. */
int64_t train_checkpoint_most(const trainer *t, char *advice, size_t size);
void train_checkpoint_introduce(const trainer *t);
void train_checkpoint_report(const trainer *t, FILE *out); /* a section of the summary */
/* The newest checkpoint of the run that verifies, after a write under way; empty: there is none. path[size] is equal on
 * all ranks. Broken ones are renamed. The run is locked. Collective. */
hiss_status train_checkpoint_newest(trainer *t, char *path, int64_t size, hiss_error *err);
/* Go back, or on, to the state of a file. Collective. restore.c */
hiss_status train_checkpoint_load(trainer *t, const char *path, hiss_error *err);

/* ---- probes; probe.c ---- */

bool train_probe_due(const trainer *t, int64_t step); /* after so many steps. Not collective */
/* Look, when one is due: its numbers wait to be logged. Collective. */
hiss_status train_probe_look(trainer *t, hiss_error *err);
/* After the line of a probe, logged[count] what it has of the method: whether it is the best (t->probing.keep), and whether the run ends here (t->total_steps).
 * Not collective: alike on all ranks. Errors (HISS_EUSER): probe.best names nothing that was logged. */
hiss_status train_probe_judge(trainer *t, const hiss_named *logged, int count, hiss_error *err);
bool train_probe_keeps(const trainer *t); /* whether checkpoints have the state */
void train_probe_pack(const trainer *t, int64_t out[PROBING_VALUES]);
void train_probe_unpack(trainer *t, const int64_t in[PROBING_VALUES]); /* and set t->total_steps by it */
void train_probe_write(const trainer *t, FILE *out);                   /* for the summary */

/* ---- the trace; tracing.c. Without one nothing is done. Not collective, but for begin and write ---- */

/* Names of spans whatever the method, in this order from 0 on. */
typedef enum traced {
    TRACED_STEP,
    TRACED_LOAD,
    TRACED_VIEW,
    TRACED_SUPPLY,
    TRACED_BEGIN,    /* of an exchange */
    TRACED_ARRIVE,   /* at the cut */
    TRACED_MESSAGES, /* of an exchange */
    TRACED_WAIT,     /* for a lane */
    TRACED_DRAIN,    /* exchange of others */
    TRACED_FINISH,   /* of an exchange */
    TRACED_REDUCE,
    TRACED_REDUCE_WAIT,
    TRACED_UPDATE,
    TRACED_BUCKET,
    TRACED_EPOCH,
    TRACED_FEATURES,
    TRACED_PROBE,
    TRACED_LOG,
    TRACED_SAVE,
    TRACED_WRITE,
    TRACED_NAMES
} traced;

void train_trace_create(trainer *t); /* after the placement, before the method */
void train_trace_name_nodes(trainer *t, phase *ph);
void train_trace_destroy(trainer *t);
/* Errors (HISS_EUSER): the run has no such steps left. */
hiss_status train_trace_expect(const trainer *t, hiss_error *err);
void train_trace_begin(trainer *t);  /* before the first step. Collective */
void train_trace_switch(trainer *t); /* before a step, and what comes with it */
/* From begin to now, or to end; what takes under two microseconds is left out of moves. */
void train_trace_span(const trainer *t, int thread, traced what, double begin, int64_t value);
void train_trace_move(const trainer *t, int thread, traced what, double begin, double end);
void train_trace_node(const trainer *t, const phase *ph, int thread, int name, double begin, double end, int64_t lane);
void train_trace_buckets(const trainer *t); /* of the reduction that has ended */
int train_trace_writer(const trainer *t);   /* row of the thread that writes checkpoints */
/* The file, and what it says. Collective. */
hiss_status train_trace_write(trainer *t, hiss_error *err);

/* ---- norms of gradients and updates; layer_norms.c. Not collective, but for the end ---- */

void train_layer_norms_create(trainer *t); /* where probe.norms wants them; after the reducer */
void train_layer_norms_destroy(layer_norms *n);
void train_layer_norms_begin(trainer *t, bool line); /* before a step, which has a line */
void train_layer_norms_keep(const trainer *t, int64_t begin, int64_t count, const float *sum); /* as it is updated */
int train_layer_norms_end(trainer *t); /* for the line: how many numbers, on rank 0; 0 elsewhere. Collective */
hiss_probed_number train_layer_norms_number(const layer_norms *n, int k);

/* ---- what is taken from another run, and what is left as it is; transfer.c ---- */

/* Tell the model what train.freeze names; before its first slot. Not collective. */
hiss_status train_transfer_freeze(trainer *t, hiss_error *err);
/* Each of these names is that of some slot, and each phase trains something; phases are built. Not collective. */
hiss_status train_transfer_check(const trainer *t, hiss_error *err);
int64_t train_transfer_frozen(const trainer *t); /* parameters that are frozen */
/* What train.lr_factors says, into t->lr_factor; after the last slot. Errors (HISS_EUSER) say where. Not collective.
 * factors.c */
hiss_status train_factors_read(trainer *t, hiss_error *err);
/* "WHERE: train.KEY: WHAT" of a value of section train. Not collective. layers.c */
hiss_status train_layers_refuse(const hiss_yaml *at, const char *key, const char *what, hiss_error *err);
/* The same of a value of another kind than expected, which the text says, with what was found. */
hiss_status train_layers_refuse_kind(const hiss_yaml *at, const char *key, const char *expected, hiss_error *err);
enum { TRAIN_LAYERS_TEXT = 600, TRAIN_ALL_GROUPS = -1 };
/* The layers of the model, or of one group of it: its slots' names up to the last '/', each once. */
void train_layers_list(const hiss_model *model, int group, char out[TRAIN_LAYERS_TEXT]);
/* Replace initial values by those of train.init, if it is given. Collective. */
hiss_status train_transfer_init(trainer *t, hiss_error *err);
/* The graphs that train.init_rescale needs, where it is not none; before the model is laid out. Not collective.
 * rescale.c */
hiss_status train_rescale_build(trainer *t, hiss_error *err);
/* Rescale the weights of a run that begins. Errors (HISS_EUSER): the encoder has no layer that can be. Collective. */
hiss_status train_rescale(trainer *t, hiss_error *err);
void train_rescale_free(trainer *t);
/* Checksum of the checkpoint that a value of train.init means. Not collective. */
hiss_status train_transfer_sum(const char *init, char sum[HISS_HASH_TEXT], hiss_error *err);
/* Whether the run whose resolved config is `text` and whose source had the checksum init_sum ("": none) is this one.
 * The number of epochs may differ: epochs is out, of that run. Not collective. same_config.c
 *   path  of the checkpoint, for messages */
hiss_status train_same_config(const trainer *t, const char *path, const char *text, const char *init_sum,
                              int64_t *epochs, hiss_error *err);

/* Where a rank's time went, for summary.yaml. */
typedef struct rank_account {
    char host[64];
    double compute, exchange, data, wait, transfer, other; /* seconds; they add up to what passed */
    double sum, span; /* additions of the reduction (in compute); its first message to its last (mostly overlapped) */
} rank_account;
/* Add the times of a window of seconds; blocked: the least reduction wait of any rank in it. Not collective. */
void train_rank_account_add(rank_account *a, const trainer_times *times, double blocked, double seconds);
/* The list "ranks:" in rank order, written on rank 0 only; sets a->host. Collective. */
void train_rank_account_write(FILE *out, hiss_comm *comm, rank_account *a);

/* The energy of a run; energy.c. Collective, but for _close and _step. */
typedef struct energy energy;
energy *train_energy_open(hiss_comm *comm, const char *tree); /* begin to count; tree: as hiss_energy_create */
void train_energy_close(energy *e);                           /* NULL is allowed */
void train_energy_step(energy *e, double now);                /* after a step */
/* Lines of the summary: joules in all and for a sample, or why they are not known; samples of this process. */
void train_energy_write(FILE *out, hiss_comm *comm, energy *e, int64_t samples);

/* metrics.jsonl and the display of progress; rank 0 writes. */
journal *train_journal_create(trainer *t, double began); /* began: when the run did (hiss_seconds). Not collective */
/* Once, before the first step: open the file, and drop lines after t->step. Collective. */
hiss_status train_journal_open(journal *j, hiss_error *err);
void train_journal_close(journal *j);
/* The run went back to t->step: forget the lines and sums after it. Collective. */
hiss_status train_journal_rewind(journal *j, hiss_error *err);
void train_journal_step(journal *j);                        /* after every step that counted; Not collective */
hiss_status train_journal_log(journal *j, hiss_error *err); /* a line of averages since the last one. Collective. */
/* [count] what the last line has of the method, equal on all ranks. Not collective. */
const hiss_named *train_journal_last(const journal *j, int *count);
/* RUN/summary.yaml. Collective. */
hiss_status train_journal_summary(journal *j, double seconds, hiss_error *err);

/* Measure the scales of channels that are `auto`, unless a checkpoint had them. Collective. */
hiss_status train_scaling(trainer *t, hiss_error *err);

#endif
