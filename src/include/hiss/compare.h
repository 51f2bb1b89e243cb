/* Comparisons: one table of several methods, each trained with several seeds on the same data and judged alike.
 *
 * A comparison has rows (configs of hiss train, or the controls of such a row), seeds, and columns (readings: numbers of
 * eval.json). DIR holds study.yaml (resolved), runs/ROW-sSEED/ (a run directory each, with compare.yaml and log.txt), and
 * the table. Nothing here starts a process or uses MPI. Not collective. */
#ifndef HISS_COMPARE_H
#define HISS_COMPARE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "hiss/alloc.h"
#include "hiss/config.h"
#include "hiss/hash.h"
#include "hiss/judge.h"
#include "hiss/status.h"

/* ---- the study ---- */

typedef struct hiss_reading { /* trained/conv3/linear.percent, trained/reconstruction.mse */
    const char *text;
    const char *subject;   /* trained/conv3, trained */
    const char *judgement; /* linear, reconstruction */
    const char *number;    /* percent, mse; cosine.5 */
} hiss_reading;
/* In arena. False: text is no such path. */
bool hiss_reading_parse(hiss_arena *arena, const char *text, hiss_reading *out);

typedef enum hiss_compare_features {
    HISS_COMPARE_TRAINED,
    HISS_COMPARE_RANDOM, /* those of the network before training */
    HISS_COMPARE_RAW     /* pixels */
} hiss_compare_features;

typedef struct hiss_compare_row {
    const char *name, *config;
    const char **set; /* [nset] "key=value" */
    int nset;
    int of;       /* the row whose runs it reads: itself, or that which it is a control of */
    int features; /* hiss_compare_features; trained of a row that has runs of its own */
} hiss_compare_row;

typedef enum hiss_compare_best { HISS_BEST_HIGHEST, HISS_BEST_LOWEST, HISS_BEST_NONE } hiss_compare_best;

typedef struct hiss_compare_column {
    const char *name;
    hiss_reading reading;
    int best; /* hiss_compare_best */
} hiss_compare_column;

typedef struct hiss_comparison {
    hiss_config *text; /* owns every string */
    hiss_arena *arena; /* owns the arrays */
    const char *name;
    int64_t ranks, threads, limit;
    bool keep;
    const char **base; /* [nbase] "key=value", before those of a row */
    int nbase;
    const char **launch;  /* [nlaunch] words; -1: see hiss_launcher_words, and none for one rank */
    const char **sbatch;  /* [nsbatch] options of every job */
    const char **modules; /* [nmodules] */
    int nlaunch, nsbatch, nmodules;
    int64_t *seeds; /* [nseeds] */
    int nseeds;
    hiss_compare_row *rows;
    int nrows;
    hiss_compare_column *columns;
    int ncolumns;
    const char *published_name; /* NULL: there is no published column */
    double *published;          /* [nrows]; NAN: none */
} hiss_comparison;

/* Read and check a study with overrides ("key=value"). Errors (HISS_EUSER) name file:line:column. Destroy also after an
 * error. */
hiss_status hiss_comparison_read(const char *path, const char *const *overrides, int noverrides, hiss_comparison *out,
                                 hiss_error *err);
hiss_status hiss_comparison_parse(const char *name, const char *text, hiss_comparison *out, hiss_error *err);
void hiss_comparison_destroy(hiss_comparison *study);
void hiss_comparison_help(FILE *stream); /* every key */

/* Runs are numbered row + nrows * seed: all rows with the first seed come first. Those of controls do not exist. */
int hiss_comparison_runs(const hiss_comparison *study);
bool hiss_comparison_has_run(const hiss_comparison *study, int run);
/* "ROW-sSEED", in arena; DIR/runs/ROW-sSEED into path[size]. */
const char *hiss_comparison_run_name(const hiss_comparison *study, int run, hiss_arena *arena);
void hiss_comparison_place(const hiss_comparison *study, const char *dir, int run, char *path, size_t size);
/* The --set assignments of a run in order, in arena. Returns their number, at most max. */
int hiss_comparison_settings(const hiss_comparison *study, int run, hiss_arena *arena, const char **set, int max);
/* What hiss said of a run's config: where text begins with "--set KEY" and the study has set KEY, the place in the study
 * takes that one's place. Returns text, or a new one in arena. */
const char *hiss_comparison_blame(const hiss_comparison *study, int run, hiss_arena *arena, const char *text);
/* What a row reads for a column, in arena: controls read random/conv3 or raw/pixels in place of trained/conv3. False:
 * there is no such reading, for it is of the trained network as a whole. */
bool hiss_comparison_reading(const hiss_comparison *study, int row, int column, hiss_arena *arena, hiss_reading *out);

/* ---- statistics ---- */

double hiss_mean_of(const double *values, int64_t count); /* NAN when count is 0 */
/* Standard deviation (n - 1); NAN when count is below 2. */
double hiss_spread_of(const double *values, int64_t count);
/* Ranks from 1, ascending; equal values share the mean of theirs (mid-ranks). */
void hiss_mid_ranks(const double *values, int64_t count, double *ranks);
/* Spearman's rank correlation: Pearson's of the mid-ranks, over the places where both are finite. NAN when these are
 * fewer than 3, or all values of one side are equal.
 *   pairs  out  how many places count */
double hiss_rank_correlation(const double *a, const double *b, int64_t count, int64_t *pairs);

/* ---- results ---- */

typedef enum hiss_compare_state { HISS_COMPARE_MISSING, HISS_COMPARE_FAILED, HISS_COMPARE_DONE } hiss_compare_state;

typedef struct hiss_compare_run {
    hiss_compare_state state;
    char why[400];                   /* failed: what the log says */
    double *value;                   /* [ncolumns] NAN: none */
    int64_t images;                  /* seen in training */
    double seconds;                  /* of training steps, without start and interruptions */
    char parameters[HISS_HASH_TEXT]; /* parameters_sha256 */
    const char *identity;            /* version, kernels, data */
} hiss_compare_run;

typedef struct hiss_compare_cell { /* of a row and a column, over the seeds */
    int64_t count;
    double mean, spread; /* spread: standard deviation; NAN: fewer than two values */
    bool best;
} hiss_compare_cell;

typedef struct hiss_compare_results {
    const hiss_comparison *study;
    const char *dir;
    hiss_arena *arena;
    hiss_compare_run *runs;        /* [nrows * seeds]; a control's are those of its row, with its values */
    hiss_compare_cell *cells;      /* [nrows][ncolumns] */
    double *images, *seconds;      /* [nrows] means; NAN: no run is done */
    hiss_form *form;               /* [ncolumns] how its numbers are written */
    const char **unit;             /* [ncolumns] */
    double *correlation;           /* [ncolumns] with the published column; NAN: none */
    int64_t *pairs;                /* [ncolumns] rows it is taken over */
    int64_t done, failed, missing; /* runs */
    const char *budget, *alike;    /* sentences: who saw how many images; what runs differ in, or NULL */
} hiss_compare_results;

/* One run of a row with a run of its own. value[] and text in arena. */
void hiss_compare_run_read(const hiss_comparison *study, const char *dir, int run, hiss_arena *arena,
                           hiss_compare_run *out);
/* All that is in DIR/runs. Destroy after use. */
hiss_compare_results *hiss_compare_gather(const hiss_comparison *study, const char *dir);
void hiss_compare_results_destroy(hiss_compare_results *results);
/* Cells, means and correlations of runs that are filled in. */
void hiss_compare_analyse(hiss_compare_results *results);

void hiss_compare_print(FILE *stream, const hiss_compare_results *results); /* tables for people */
void hiss_compare_markdown(FILE *stream, const hiss_compare_results *results);
void hiss_compare_csv(FILE *stream, const hiss_compare_results *results); /* a row per row */
void hiss_compare_runs_csv(FILE *stream, const hiss_compare_results *results);
void hiss_compare_json(FILE *stream, const hiss_compare_results *results);
void hiss_compare_page(FILE *stream, const hiss_compare_results *results);
/* All of them, durably: DIR/table.{txt,md,csv,json,html}, runs.csv. The same runs give the same bytes. */
hiss_status hiss_compare_write(const hiss_compare_results *results, hiss_error *err);

#endif
