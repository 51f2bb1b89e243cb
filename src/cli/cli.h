/* Private to cli: the commands. Each gets the words after its name and returns the process's exit code. */
#ifndef HISS_CLI_H
#define HISS_CLI_H

#include "hiss/encoder.h"
#include "hiss/judge.h"
#include "hiss/train.h"

int cmd_prepare(int argc, char **argv);
int cmd_train(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_query(int argc, char **argv);
int cmd_features(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_watch(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_sample(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_scale(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_reproduce(int argc, char **argv);
int cmd_simulate(int argc, char **argv);

enum { CLI_MAX_SETS = 64, CLI_PATH = 4096 };

/* Print an error line on rank 0 only (or where there are no ranks yet) and return its exit code. comm may be NULL. */
int cli_fail(const hiss_comm *comm, const hiss_error *err);
/* Rank by the launcher's environment, before MPI is up: 0 when there is none. */
int cli_launcher_rank(void);
/* Whether the launcher has set a variable: MPI sets some itself when it starts alone. Not collective. */
enum { CLI_VARIABLE = 1024 };
bool cli_launcher_says(const char *name, char value[CLI_VARIABLE]);
/* Ranks by the environment of mpirun, or of srun with PMI: 0 when there is none. */
int cli_launcher_size(void);
/* Whether the MPI library is Open MPI, which knows its ranks by PMIx alone; the others (MPICH and those made of it, Intel
 * MPI) know PMI, and their mpirun is Hydra. Not collective. */
bool cli_is_open_mpi(void);
/* Whether this is the only rank of an mpirun. */
bool cli_launched_alone(void);
/* Before MPI is up: whether srun has started several tasks of which MPI cannot know. */
hiss_status cli_check_launcher(hiss_error *err);
/* Warn of one process where the job has several tasks. */
void cli_warn_alone(const hiss_comm *comm);
/* Expand ~ and ~/ at the beginning of words and of values behind "=", into arena. What cannot be expanded stays: the
 * option that takes a path refuses it by its own name. Not collective. */
void cli_expand_words(hiss_arena *arena, int argc, char **argv);
/* Spell HDF5_USE_FILE_LOCKING as HDF5 reads it, before its first use. An error for what it has no word for. Not
 * collective, while there is one thread. */
hiss_status cli_settle_locking(hiss_error *err);
/* Open the communicator, set up the log at a level named error, warning, info or debug. */
hiss_status cli_open(int level, hiss_comm **comm, hiss_error *err);

/* Let this thread compute; rank 0 warns when OpenBLAS runs another core than was asked for. Not collective. */
void cli_enter_kernels(const hiss_comm *comm);

/* A command that takes options, --set, at most one word, and runs on all ranks. */
typedef struct cli_task {
    const hiss_row *rows;
    int nrows;
    void *options;
    const bool *help; /* of options */
    const int *log;   /* hiss_log_level of options */
    void (*print_help)(void);
    const char *missing; /* what to say when the word is not there; NULL: it may be left out, and --set with it */
    hiss_status (*run)(hiss_comm *comm, const void *options, const char *word, const hiss_arguments *rest,
                       hiss_error *err);
} cli_task;

/* A command of one process, without MPI, on one path. */
typedef struct cli_look {
    const hiss_row *rows;
    int nrows;
    void *options;    /* of rows */
    const bool *help; /* in options */
    void (*print_help)(void);
    const char *missing; /* what to say without a path */
    hiss_status (*run)(const void *options, const char *path, hiss_error *err);
} cli_look;
/* Read the command line, run, and return the exit code. */
int cli_look_at(const cli_look *look, int argc, char **argv);
/* The whole command: parse, help, open the communicator, run, close; returns the exit code. */
int cli_run(const cli_task *task, int argc, char **argv);

/* An error when an option and a --set speak of one key, so that one of them would have no effect. Not collective. */
hiss_status cli_expect_once(const hiss_row *rows, int nrows, const hiss_arguments *rest, const char *option,
                            const char *key, hiss_error *err);
/* An error where a study or tables would go into the directory of a run. Not collective. */
hiss_status cli_expect_no_run(const char *dir, hiss_error *err);
/* Whether a config can be read there: an error says what to give instead. Not collective. */
hiss_status cli_expect_config(const char *path, hiss_error *err);
/* A config file with overrides, and its section "eval". Collective. */
hiss_status cli_read_experiment(hiss_comm *comm, const char *config, const char *const *sets, int nsets,
                                hiss_experiment *e, hiss_eval_options *eval, hiss_error *err);
/* The config a run was made with (RUN/config.yaml) with overrides, and a checkpoint whose bytes are sound: the one given,
 * else (NULL) the newest. Collective. */
hiss_status cli_open_run(hiss_comm *comm, const char *run, const char *const *sets, int nsets, const char *checkpoint,
                         hiss_experiment *e, hiss_eval_options *eval, char path[CLI_PATH], hiss_error *err);

/* The same of a name that is a run, or one of its checkpoints (RUN/ckpt/step-N.h5), which is the one then.
 *   what, advice  as hiss_file_expect has them
 *   checkpoint    of the option --checkpoint; NULL: not given */
hiss_status cli_open_named(hiss_comm *comm, const char *name, const char *what, const char *advice,
                           const char *const *sets, int nsets, const char *checkpoint, hiss_experiment *e,
                           hiss_eval_options *eval, char path[CLI_PATH], hiss_error *err);

/* The run that a path names, or whose checkpoint, RUN/ckpt/NAME, it names; *given: it is a checkpoint. what, advice: of the
 * error, "WHAT PATH does not exist; ADVICE". Not collective. */
hiss_status cli_find_run(const char *path, const char *what, const char *advice, char run[CLI_PATH], bool *given,
                         hiss_error *err);

/* The parameters of a checkpoint that cli_open_run found.
 *   given  by --checkpoint, which an error names
 * Collective. Errors: those of hiss_frozen_load. */
hiss_status cli_load_checkpoint(hiss_comm *comm, hiss_frozen *m, const char *path, bool given, hiss_error *err);

/* The keys of section eval: the general ones, then those of each judgement. Returns how many sections. Not
 * collective. */
enum { CLI_EVAL_SECTIONS = 32 };
int cli_eval_sections(hiss_eval_options *eval, hiss_extra_section out[CLI_EVAL_SECTIONS]);
void cli_eval_help(FILE *stream);

/* The file of the program that runs. Not collective. */
hiss_status cli_program(char out[CLI_PATH], hiss_error *err);
/* The file that execvp would run, in arena; NULL: none. Not collective. */
const char *cli_find_in_path(const char *name, hiss_arena *arena);

/* Where a run goes that names no directory: runs/NAME of its config, without the ending. Not collective. */
void cli_default_run(const char *config, char out[CLI_PATH]);

/* Model of this processor as the system names it. */
void cli_processor_name(char *out, size_t size);

/* Select places of the network for hiss_frozen_embed; layers: comma-separated choice of them, NULL all. *count of them,
 * at most HISS_MAX_TAPS, in chosen. option: how the user chooses, for the error. Not collective. */
hiss_status cli_choose_layers(hiss_frozen *f, const char *option, const char *layers, int *count,
                              hiss_layer_size *chosen, hiss_error *err);
/* Channels of a layer's maps, or numbers of its rows, last in what hiss_frozen_embed gives. Not collective. */
int64_t cli_units(const hiss_frozen *f, const char *layer);

/* The encoder and decoder of a method that can rebuild images. */
typedef struct reconstructor reconstructor;
/* *out NULL: the method of m cannot. It needs m as long as it lives. Not collective. */
hiss_status reconstructor_create(const hiss_objective_ops *objective, const hiss_frozen *m, const char *checkpoint,
                                 reconstructor **out, hiss_error *err);
/* The same as cli_load_checkpoint does. Collective. */
hiss_status cli_load_reconstructor(hiss_comm *comm, const hiss_objective_ops *objective, const hiss_frozen *m,
                                   const char *path, bool given, reconstructor **out, hiss_error *err);
void reconstructor_destroy(reconstructor *r);
const hiss_rebuilder *reconstructor_rebuilder(const reconstructor *r); /* NULL of NULL */

/* Looks at the network that a run trains, as section probe says; see prober.c. */
typedef struct prober prober;
/* NULL where the section is absent or says never. e outlives it. Collective. *out must be destroyed also after an error.
 * Errors (HISS_EUSER): those of hiss_eval_open; layers or a number that there are none of. */
hiss_status prober_create(hiss_comm *comm, hiss_experiment *e, const hiss_eval_options *eval, prober **out,
                          hiss_error *err);
hiss_train_probe prober_probe(prober *p); /* for the request; NULL is allowed. Not collective */
void prober_destroy(prober *p);           /* NULL is allowed. Not collective */

/* The likelihood of a method that has one, of so many draws of the latent for each image. */
typedef struct estimator estimator;
/* As those above. */
hiss_status estimator_create(const hiss_objective_ops *objective, const hiss_frozen *m, const char *checkpoint,
                             int64_t draws, estimator **out, hiss_error *err);
hiss_status cli_load_estimator(hiss_comm *comm, const hiss_objective_ops *objective, const hiss_frozen *m,
                               const char *path, bool given, int64_t draws, estimator **out, hiss_error *err);
void estimator_destroy(estimator *e);
const hiss_estimator *estimator_of(const estimator *e); /* NULL of NULL */

/* How clips go on, by a method that foretells them; at least so many draws will be asked for. frames: that each makes; 0: as many as in training. acts: HISS_ACTED futures at a time, of a
 * method that sees actions. */
typedef struct forecaster forecaster;
/* As those above. */
hiss_status forecaster_create(const hiss_objective_ops *objective, const hiss_frozen *m, const char *checkpoint,
                              int64_t draws, int64_t frames, bool acts, forecaster **out, hiss_error *err);
hiss_status cli_load_forecaster(hiss_comm *comm, const hiss_objective_ops *objective, const hiss_frozen *m,
                                const char *path, bool given, int64_t draws, int64_t frames, bool acts,
                                forecaster **out, hiss_error *err);
void forecaster_destroy(forecaster *f);
const hiss_forecaster *forecaster_of(const forecaster *f); /* NULL of NULL */

/* What a method that can measures of itself. */
typedef struct measurer measurer;
/* As those above. */
hiss_status measurer_create(const hiss_objective_ops *objective, const hiss_frozen *m, const char *checkpoint,
                            measurer **out, hiss_error *err);
hiss_status cli_load_measurer(hiss_comm *comm, const hiss_objective_ops *objective, const hiss_frozen *m,
                              const char *path, bool given, measurer **out, hiss_error *err);
void measurer_destroy(measurer *e);
const hiss_measurer *measurer_of(const measurer *e); /* NULL of NULL */

/* The generator of a method that makes images, and the same before training. */
typedef struct maker maker;
/* As those above. */
hiss_status maker_create(const hiss_objective_ops *objective, const hiss_frozen *m, const char *checkpoint, maker **out,
                         hiss_error *err);
hiss_status cli_load_maker(hiss_comm *comm, const hiss_objective_ops *objective, const hiss_frozen *m, const char *path,
                           bool given, maker **out, hiss_error *err);
void maker_destroy(maker *e);
const hiss_maker *maker_of(const maker *e); /* NULL of NULL */

/* A run of objective classify as the judge of made images, path a run or one of its checkpoints; for samples like those
 * of set. */
typedef struct classifier classifier;
/* Collective. Errors, of key eval.classifier: it is no such run, or judges other images than `by` makes. *out must be
 * destroyed also after an error. */
hiss_status cli_load_classifier(hiss_comm *comm, const char *path, const hiss_dataset *set, const hiss_maker *by,
                                classifier **out, hiss_error *err);
void classifier_destroy(classifier *c);
const hiss_classifier *classifier_of(const classifier *c); /* NULL of NULL */

/* Whether a checkpoint is of a stage of training after which others come, which is what the method's phases with span()
 * are; line[size] says so in a sentence. Not collective. */
bool cli_untrained_stages(const hiss_experiment *e, const hiss_frozen *m, const char *checkpoint, char *line,
                          size_t size);

/* Write RUN/report.html from what the run has left so far. Not collective. */
hiss_status cli_write_report(const char *run, hiss_error *err);
/* Whether these files can be written, which rank 0 will do at the end: before work begins. directory: NULL, or where
 * they are; a file may be NULL. Collective. */
hiss_status cli_expect_writable(hiss_comm *comm, const char *directory, const char *const *files, int count,
                                hiss_error *err);
/* The path is that of a run that has logged something, or may soon. Not collective. */
hiss_status cli_expect_metrics(const char *run, hiss_error *err);
/* Every metric that a run has logged, over its epochs, in arena. Not collective. */
hiss_status cli_read_curves(const char *run, hiss_arena *arena, hiss_curves *out, hiss_error *err);
/* Draw RUN/curves.svg from RUN/metrics.jsonl. Not collective. */
hiss_status cli_draw_curves(const char *run, hiss_error *err);

#endif
