/* Scaling studies: what to run, and what the runs say.
 *
 * A study is a list of points (config, ranks, threads, nodes), each run several times in a random order that mixes the
 * repeats. DIR holds study.yaml (resolved), points/POINT-rREPEAT/ (a run directory each, with point.yaml and log.txt),
 * and what the report makes of them. Nothing here starts a process or uses MPI. Not collective. */
#ifndef HISS_SCALE_H
#define HISS_SCALE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "hiss/alloc.h"
#include "hiss/config.h"
#include "hiss/hash.h"
#include "hiss/status.h"

/* ---- the study ---- */

typedef enum hiss_scale_kind {
    HISS_SCALE_STRONG,     /* the same lanes on more workers: the same computation */
    HISS_SCALE_WEAK_BATCH, /* lanes, and so the batch, grow with the workers; the data do not */
    HISS_SCALE_WEAK_DATA   /* lanes and data.limit grow with the workers */
} hiss_scale_kind;
const char *hiss_scale_kind_name(hiss_scale_kind kind);

typedef struct hiss_scale_config { /* a curve */
    const char *name, *file;
    const char **set; /* [nset] "key=value" */
    int nset;
    int64_t lanes, limit; /* of the smallest point (weak kinds); filled by the caller, who can read configs */
} hiss_scale_config;

typedef struct hiss_scale_point {
    int config;
    int64_t ranks, threads, nodes; /* nodes 0: wherever the launcher puts them */
    int64_t workers;               /* ranks x threads */
    int64_t factor;                /* workers over those of the smallest point; weak kinds */
    char name[96];                 /* CONFIG-RANKSxTHREADS[-nNODES] */
} hiss_scale_point;

typedef struct hiss_scale_quality {
    const char *metric; /* of metrics.jsonl; NULL: no target */
    int above;          /* 0: reached at or below value, 1: at or above */
    double value;
} hiss_scale_quality;

typedef struct hiss_study {
    hiss_config *text; /* owns every string */
    hiss_arena *arena; /* owns the arrays */
    const char *name;
    int kind; /* hiss_scale_kind */
    int64_t repeats, steps, epochs, warmup, window, seed, limit;
    bool keep;
    hiss_scale_quality quality;
    hiss_scale_config *configs;
    int nconfigs;
    hiss_scale_point *points; /* those of config 0, then of config 1, ... */
    int npoints;
    const char **launch;  /* [nlaunch] words; -1: those of mpirun, see hiss_study_launcher */
    const char **sbatch;  /* [nsbatch] options of every job */
    const char **modules; /* [nmodules] */
    int nlaunch, nsbatch, nmodules;
} hiss_study;

/* Read and check a study file with overrides ("key=value"). Errors (HISS_EUSER) name file:line:column. Destroy also
 * after an error. */
hiss_status hiss_study_read(const char *path, const char *const *overrides, int noverrides, hiss_study *out,
                            hiss_error *err);
hiss_status hiss_study_parse(const char *name, const char *text, hiss_study *out, hiss_error *err);
void hiss_study_destroy(hiss_study *study);
void hiss_study_help(FILE *stream); /* every key */

/* Every run of the study in the order to run them: order[npoints * repeats] of point + npoints * repeat. Repeat 0 of
 * all points comes before repeat 1 of any; within a repeat the order is a permutation keyed by (seed, repeat). */
void hiss_study_order(const hiss_study *study, int64_t *order);
/* DIR/points/POINT-rREPEAT (repeats count from 1) into path[size]. */
void hiss_study_place(const hiss_study *study, const char *dir, int64_t run, char *path, size_t size);
/* The --set assignments of a point in order, in arena. Returns their number, at most max. */
int hiss_study_settings(const hiss_study *study, int point, hiss_arena *arena, const char **set, int max);
/* What hiss said of a point's config: where text begins with "--set KEY" and the study has set KEY, the place in the
 * study takes that one's place. Returns text, or a new one in arena. */
const char *hiss_study_blame(const hiss_study *study, int point, hiss_arena *arena, const char *text);
/* Where points are run. */
typedef struct hiss_scale_place {
    int64_t cores;           /* of this host that may be used; 0: unknown */
    const char *const *host; /* [hosts] of the allocation; none outside of one */
    int hosts;
    bool hydra; /* mpirun is that of MPICH or Intel MPI */
} hiss_scale_place;
/* The launcher's words for a point, in arena: those of the study (nlaunch -1: it has none), in which RANKS, THREADS, NODES and RANKS_PER_NODE
 * stand for numbers and HOSTS for "a:2,b:2", the first nodes of the allocation with the ranks of each ("localhost:4"
 * outside of one); or mpirun on these nodes, with each thread on a core of its own where there are enough. Returns
 * their number, at most max. */
int hiss_launcher_words(const hiss_scale_point *p, const char *const *launch, int nlaunch,
                        const hiss_scale_place *place, hiss_arena *arena, const char **word, int max);
int hiss_study_launcher(const hiss_study *study, int point, const hiss_scale_place *place, hiss_arena *arena,
                        const char **word, int max);
/* Whether `now` goes on with the study `before`: it may have more points and curves, another name, and other repeats,
 * limit, keep and slurm; all else must be the same. HISS_EUSER says what is not. Not collective. */
hiss_status hiss_study_extends(const hiss_study *before, const hiss_study *now, hiss_error *err);

/* Why a run failed, by its log: the first error in it; "" when that says nothing. */
enum { HISS_REASON = 300 };
void hiss_log_reason(const char *path, char out[HISS_REASON]);
/* What only the number of an exit code says ("exit 137": killed), to follow it; else "". */
const char *hiss_end_explain(const char *end);

/* ---- statistics ---- */

double hiss_middle(double *values, int64_t count); /* median, mean of the middle two; sorts; NAN when count is 0 */

/* Repeated measurements with several values each. */
typedef struct hiss_sample {
    int64_t repeats;
    const int64_t *count;        /* [repeats] */
    const double *const *values; /* [repeats][count] */
} hiss_sample;
/* The median over repeats of each repeat's median. Repeats without values do not count; NAN when none is left. */
double hiss_sample_median(const hiss_sample *s);
/* draws replicates of that figure under resampling of repeats, and of values within each (two-level bootstrap), keyed
 * by (seed, stream). out[draws] */
void hiss_sample_bootstrap(const hiss_sample *s, uint64_t seed, int64_t stream, int64_t draws, double *out);
/* The middle 95 % of replicates, which are sorted; low and high NAN when one is not finite. */
void hiss_percentile_interval(double *replicates, int64_t draws, double *low, double *high);

/* ---- laws ---- */

typedef enum hiss_law {
    HISS_LAW_AMDAHL,    /* strong: T(p) = T1 (s + (1 - s) / p) */
    HISS_LAW_GUSTAFSON, /* weak: X(p) = X1 (s + (1 - s) p) */
    HISS_LAW_USL,       /* X(p) = X1 p / (1 + sigma (p - 1) + kappa p (p - 1)) */
    HISS_LAW_MESSAGES,  /* T(p) = c / p (weak: c) + a (p - 1) + b (p - 1) / p */
    HISS_LAWS
} hiss_law;

enum { HISS_LAW_MOST = 3 };
typedef struct hiss_fit {
    hiss_law law;
    bool fitted;
    char why[200]; /* not fitted: because */
    int parameters;
    double value[HISS_LAW_MOST];      /* as named by hiss_law_parameter */
    double error_mean, error_largest; /* relative, of step times predicted from all other points */
    bool weak;                        /* for hiss_fit_seconds */
    double work;                      /* images of a step per worker (weak), of a step (strong) */
} hiss_fit;

const char *hiss_law_name(hiss_law law);
const char *hiss_law_formula(hiss_law law, bool weak);
int hiss_law_parameters(hiss_law law);
const char *hiss_law_parameter(hiss_law law, int k);
/* Fit to n points: p workers, seconds of a step, images of a step. Relative squared errors of what the law states (T or
 * X) are least; no parameter is negative. Refused, with the reason, when there are not more different p than
 * parameters, or the law does not speak of this kind of scaling. */
hiss_fit hiss_fit_law(hiss_law law, bool weak, int n, const double *p, const double *seconds, const double *images);
double hiss_fit_seconds(const hiss_fit *fit, double p); /* of a step; NAN when not fitted */

/* ---- results ---- */

typedef enum hiss_part { /* of a step of one rank */
                         HISS_PART_COMPUTE,
                         HISS_PART_EXCHANGE,
                         HISS_PART_DATA,
                         HISS_PART_WAIT,
                         HISS_PART_TRANSFER,
                         HISS_PART_OTHER,
                         HISS_PARTS
} hiss_part;
extern const char *const hiss_part_names[HISS_PARTS];

typedef struct hiss_rank_time {
    char host[64];
    double part[HISS_PARTS]; /* seconds per step */
    double span;             /* first message of the reduction to its last; per step */
} hiss_rank_time;

typedef enum hiss_fact { /* what point.yaml says about where and with what a run was made */
                         HISS_FACT_ENDED,
                         HISS_FACT_PROCESSOR,
                         HISS_FACT_MEMORY,
                         HISS_FACT_MPI,
                         HISS_FACT_COMPILER,
                         HISS_FACT_COMMIT,
                         HISS_FACT_JOB,
                         HISS_FACT_NODES,
                         HISS_FACTS
} hiss_fact;
extern const char *const hiss_fact_names[HISS_FACTS];

typedef enum hiss_run_state { HISS_RUN_MISSING, HISS_RUN_FAILED, HISS_RUN_DONE } hiss_run_state;

typedef struct hiss_scale_run { /* one repeat of a point */
    int point;
    int64_t repeat; /* from 0 */
    hiss_run_state state;
    char why[400];                                  /* failed: exit code, and the error in its log */
    char parameters[HISS_HASH_TEXT], identity[512]; /* identity: version, kernels, data, choices, reduce */
    int64_t lanes, images, steps, windows;          /* images of a step; windows after the warm-up */
    double *window;                                 /* [windows] median seconds of a step */
    double seconds, throughput;                     /* after the warm-up; images/s over them */
    double quality_seconds, quality_steps;          /* from the start of the run; NAN: not reached */
    int64_t nranks;
    hiss_rank_time *rank;
    int64_t crowd, processors;    /* most workers on one host; processors of the first rank's; 0: unknown */
    const char *hosts;            /* of its ranks, each once: "a, b" */
    const char *fact[HISS_FACTS]; /* "" where unknown */
    const char **warning;         /* [nwarnings] what hiss warned of in its log, each once */
    int nwarnings;
} hiss_scale_run;

typedef struct hiss_figure {
    double value, low, high; /* low, high: 95 %; NAN: unknown */
} hiss_figure;

typedef struct hiss_scale_figures { /* of a point, over its finished runs */
    int64_t done;
    int64_t images;
    hiss_figure step, speedup, efficiency; /* seconds; over the smallest point of the config; share */
    double throughput, overall;            /* images/s, and efficiency by it: all that follows the warm-up */
    double quality_seconds, quality_steps; /* medians; NAN: not reached in every run */
    double quality_efficiency;
    double part[HISS_PARTS], span; /* seconds per step: mean over ranks, median over runs */
    int64_t slowest;               /* rank with the most compute and data, median over runs; -1: unknown */
    char slowest_host[64];
    double slowest_over_median; /* its compute and data over the median rank's */
} hiss_scale_figures;

typedef struct hiss_results {
    const hiss_study *study;
    const char *dir;
    hiss_arena *arena;
    hiss_scale_run *runs;        /* [npoints * repeats] */
    hiss_scale_figures *figures; /* [npoints] */
    hiss_fit *fits;              /* [nconfigs * HISS_LAWS] */
    int64_t done, failed, missing;
    bool valid;
    char verdict[1024]; /* one line: VALID, INCOMPLETE: runs are still to do, or INVALID because ... */
    char when[32];      /* the report was made */
} hiss_results;

/* Read one run (numbered as in hiss_study_order) from DIR/points; its arrays live in arena. */
void hiss_results_read(const hiss_study *study, const char *dir, int64_t index, hiss_arena *arena, hiss_scale_run *run);
/* Read all that is in DIR/points, and analyse it. A run that cannot be read counts as failed, with the reason. Destroy
 * after use. */
hiss_results *hiss_results_gather(const hiss_study *study, const char *dir);
void hiss_results_destroy(hiss_results *results);
/* Figures, fits and verdict of runs that are filled in. */
void hiss_results_analyse(hiss_results *results);

void hiss_results_print(FILE *stream, const hiss_results *results); /* tables for people */
void hiss_results_csv(FILE *stream, const hiss_results *results);   /* a row per point */
void hiss_results_runs_csv(FILE *stream, const hiss_results *results);
void hiss_results_json(FILE *stream, const hiss_results *results);
/* The text format of Extra-P, for one config: metric time per region (a step, and its parts), all repeats, and for strong
 * scaling metric cost, time x p. Points without finished runs are left out. False, and nothing written, when there is none. */
bool hiss_results_extrap(FILE *stream, const hiss_results *results, int config);
void hiss_results_page(FILE *stream, const hiss_results *results); /* report.html: no network, no scripts */
/* All of them, durably: DIR/report.{txt,html}, scaling.{csv,json}, runs.csv, extrap-CONFIG.txt, and the plots as
 * SVG. */
hiss_status hiss_results_write(const hiss_results *results, hiss_error *err);

#endif
