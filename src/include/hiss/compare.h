/* Comparisons: one table of several methods, each trained with several seeds on the same data and judged alike.
 *
 * A comparison has rows (configs of hiss train, or the controls of such a row), seeds, transfers (a further training from
 * the end of each row), and columns and curves (readings: numbers of eval.json). DIR holds study.yaml (resolved),
 * runs/ROW-sSEED/ and runs/ROW-sSEED-TRANSFER/ (a run directory each, with compare.yaml and log.txt), and the table.
 * Nothing here starts a process or uses MPI. Not collective. */
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
    const char *number;    /* percent, mse; cosine.5; of a curve *.linear, where * is a number */
    const char *transfers; /* of a curve over transfers: few-*, where * is a number; else NULL */
    int transfer;          /* without: 0: of the row's own run; else 1 + the place of a transfer */
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
    const char **transfer_set; /* [ntransfer_set] the same for each of its transfers, after those of the transfer */
    int ntransfer_set;
    int of;       /* the row whose runs it reads: itself, or that which it is a control of */
    int features; /* hiss_compare_features; trained of a row that has runs of its own */
} hiss_compare_row;

typedef struct hiss_compare_transfer { /* trained from the end of each row, or of a control from random values */
    const char *name, *config;
    const char **set; /* [nset] "key=value" */
    int nset;
} hiss_compare_transfer;

typedef enum hiss_compare_best { HISS_BEST_HIGHEST, HISS_BEST_LOWEST, HISS_BEST_NONE } hiss_compare_best;

typedef struct hiss_compare_column {
    const char *name;
    hiss_reading reading;
    int best; /* hiss_compare_best */
} hiss_compare_column;

typedef struct
    hiss_compare_curve {  /* readings of each row over the numbers that * stands for, in one run or in several */
    const char *name, *x; /* x: what they are; NULL: as the judgement has it */
    hiss_reading reading;
} hiss_compare_curve;

typedef struct hiss_comparison {
    hiss_config *text; /* owns every string */
    hiss_arena *arena; /* owns the arrays */
    const char *name;
    int64_t ranks, threads, limit;
    bool keep;
    const char **base; /* [nbase] "key=value", before those of a row */
    int nbase;
    bool quick;                                 /* the form of few images and seeds that section quick describes */
    const char **quick_rows, **quick_transfers; /* [nquick_rows], [nquick_transfers] "key=value", after all others */
    int nquick_rows, nquick_transfers;
    const char **launch;  /* [nlaunch] words; -1: see hiss_launcher_words, and none for one rank */
    const char **sbatch;  /* [nsbatch] options of every job */
    const char **modules; /* [nmodules] */
    int nlaunch, nsbatch, nmodules;
    int64_t *seeds; /* [nseeds] */
    int nseeds;
    hiss_compare_row *rows;
    int nrows;
    int control; /* the row that trained ones must be better than; -1: none */
    hiss_compare_transfer *transfers;
    int ntransfers;
    hiss_compare_column *columns;
    int ncolumns;
    hiss_compare_curve *curves;
    int ncurves;
    const char *published_name; /* NULL: there is no published column */
    double *published;          /* [nrows]; NAN: none */
    const char **eval;          /* [hiss_comparison_runs] section eval of each run on one line, by whoever has read the
                                   configs: evaluations of another one do not count; NULL: each counts */
} hiss_comparison;

/* Read and check a study with overrides ("key=value"). Errors (HISS_EUSER) name file:line:column. Destroy also after an
 * error. */
hiss_status hiss_comparison_read(const char *path, const char *const *overrides, int noverrides, hiss_comparison *out,
                                 hiss_error *err);
hiss_status hiss_comparison_parse(const char *name, const char *text, hiss_comparison *out, hiss_error *err);
void hiss_comparison_destroy(hiss_comparison *study);
void hiss_comparison_help(FILE *stream); /* every key */

/* Runs are numbered transfer + (transfers + 1) * (row + nrows * seed), where transfer 0 is the row's own run: all rows
 * with the first seed come first, each followed by its transfers. Own runs of controls do not exist, nor any of pixels. */
int hiss_comparison_runs(const hiss_comparison *study);
int hiss_comparison_run(const hiss_comparison *study, int row, int seed, int transfer); /* its number */
int hiss_comparison_row(const hiss_comparison *study, int run);
int hiss_comparison_seed(const hiss_comparison *study, int run); /* its place among the seeds */
int hiss_comparison_transfer(const hiss_comparison *study, int run);
bool hiss_comparison_has_run(const hiss_comparison *study, int run);
/* The run that a transfer begins from; -1: none, for this is no transfer, or that of a control. */
int hiss_comparison_source(const hiss_comparison *study, int run);
/* "ROW-sSEED" or "ROW-sSEED-TRANSFER", in arena; DIR/runs/ROW-sSEED... into path[size]. */
const char *hiss_comparison_run_name(const hiss_comparison *study, int run, hiss_arena *arena);
void hiss_comparison_place(const hiss_comparison *study, const char *dir, int run, char *path, size_t size);
const char *hiss_comparison_config(const hiss_comparison *study, int run);
/* The key of the study that has it: rows.NAME or transfers.NAME, in arena. */
const char *hiss_comparison_key(const hiss_comparison *study, int run, hiss_arena *arena);
enum { HISS_COMPARE_SETTINGS = 304 }; /* of a run, at most */
/* The --set assignments of a run in order, in arena; of a transfer with the run of its row in DIR as train.init. Returns
 * their number, at most max. */
int hiss_comparison_settings(const hiss_comparison *study, const char *dir, int run, hiss_arena *arena,
                             const char **set, int max);
/* What hiss said of a run's config: where text begins with "--set KEY" and the study has set KEY, the place in the study
 * takes that one's place. Returns text, or a new one in arena. */
const char *hiss_comparison_blame(const hiss_comparison *study, int run, hiss_arena *arena, const char *text);
/* What is read of each row: number k of the columns, and behind them of the curves. */
int hiss_comparison_readings(const hiss_comparison *study);
const hiss_reading *hiss_comparison_wanted(const hiss_comparison *study, int k);
/* Whether one of them is read of the runs of this transfer, 0 for the rows' own. x: NULL, or of a curve over transfers
 * the number in its name. */
bool hiss_comparison_is_of(const hiss_comparison *study, const hiss_reading *wanted, int transfer, double *x);
/* What a row reads for one of them, in arena: controls read random/conv3 or raw/pixels in place of trained/conv3, but
 * for transfers, which they have of their own. False: there is no such reading, for it is of the trained network as a
 * whole, or of a transfer of pixels. */
bool hiss_comparison_reading(const hiss_comparison *study, int row, const hiss_reading *wanted, hiss_arena *arena,
                             hiss_reading *out);

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

typedef struct hiss_compare_point { /* of a curve */
    double x, y;
} hiss_compare_point;

typedef struct hiss_compare_run {
    hiss_compare_state state;
    char why[400];                   /* failed: what the log says; missing: what has to be done again, or "" */
    double *value;                   /* [ncolumns] NAN: none */
    hiss_compare_point **point;      /* [ncurves][npoints[.]] */
    int *npoints;                    /* [ncurves] */
    int64_t images;                  /* seen in training */
    double seconds;                  /* of training steps, without start and interruptions */
    char parameters[HISS_HASH_TEXT]; /* parameters_sha256 */
    const char *identity;            /* version, kernels, data */
    const char *kernels, *data;      /* of it */
} hiss_compare_run;

typedef struct hiss_compare_cell { /* of a row and a column, over the seeds */
    int64_t count;
    double mean, spread; /* spread: standard deviation; NAN: fewer than two values */
    bool best;
    bool fails; /* of a trained row, not better than the control */
} hiss_compare_cell;

typedef struct hiss_compare_line { /* a curve, of all rows */
    int count;
    double *x;                /* [count] ascending */
    hiss_compare_cell *cells; /* [nrows][count] */
    const char *x_label, *y_label;
    hiss_form form;
} hiss_compare_line;

typedef struct hiss_compare_pictures { /* of one run of a row, by its evaluation */
    const char *directory;
    const hiss_picture *picture; /* [count] */
    int count;
} hiss_compare_pictures;

typedef struct hiss_compare_results {
    const hiss_comparison *study;
    const char *dir;
    hiss_arena *arena;
    hiss_compare_run *runs;          /* by number; a control's own are those of its row, with its values */
    hiss_compare_cell *cells;        /* [nrows][ncolumns] */
    double *images, *seconds;        /* [nrows] means; NAN: no run is done */
    hiss_form *form;                 /* [ncolumns] how its numbers are written */
    const char **unit;               /* [ncolumns] NULL: no run has had the reading */
    hiss_compare_line *lines;        /* [ncurves] */
    double *correlation;             /* [ncolumns] with the published column; NAN: none */
    int64_t *pairs;                  /* [ncolumns] rows it is taken over */
    hiss_compare_pictures *pictures; /* [nrows] of the first seed that is done */
    int64_t done, failed, missing;   /* runs */
    const char *budget, *alike;      /* sentences: who saw how many images; what runs differ in, or NULL */
} hiss_compare_results;

/* One run. value[], points and text in arena. */
void hiss_compare_run_read(const hiss_comparison *study, const char *dir, int run, hiss_arena *arena,
                           hiss_compare_run *out);
/* parameters_sha256 of the run that a transfer begins from, as it is now, and as it was when the transfer began
 * (source.yaml); "" where there is none. */
void hiss_compare_source_read(const hiss_comparison *study, const char *dir, int run, char now[HISS_HASH_TEXT],
                              char then[HISS_HASH_TEXT]);
/* All that is in DIR/runs. Destroy after use. */
hiss_compare_results *hiss_compare_gather(const hiss_comparison *study, const char *dir);
void hiss_compare_results_destroy(hiss_compare_results *results);
/* Cells, means and correlations of runs that are filled in. */
void hiss_compare_analyse(hiss_compare_results *results);

void hiss_compare_print(FILE *stream, const hiss_compare_results *results); /* tables for people */
void hiss_compare_markdown(FILE *stream, const hiss_compare_results *results);
void hiss_compare_csv(FILE *stream, const hiss_compare_results *results); /* a row per row */
void hiss_compare_runs_csv(FILE *stream, const hiss_compare_results *results);
void hiss_compare_curves_csv(FILE *stream, const hiss_compare_results *results); /* a row per point */
void hiss_compare_json(FILE *stream, const hiss_compare_results *results);
void hiss_compare_page(FILE *stream, const hiss_compare_results *results);
/* The pictures of all rows, those of one kind side by side; a page that needs no other files. */
void hiss_compare_gallery(FILE *stream, const hiss_compare_results *results);
/* All of them, durably: DIR/table.{txt,md,csv,json,html}, runs.csv, pictures.html; with curves, curves.csv and CURVE.svg.
 * The same runs give the same bytes. */
hiss_status hiss_compare_write(const hiss_compare_results *results, hiss_error *err);

#endif
