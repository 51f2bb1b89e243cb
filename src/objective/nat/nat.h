/* Private to NAT. */
#ifndef HISS_OBJECTIVE_NAT_H
#define HISS_OBJECTIVE_NAT_H

#include "hiss/match.h"
#include "hiss/objective.h"

typedef enum nat_grouping { NAT_TREE, NAT_RANDOM } nat_grouping;
typedef enum nat_statistics { NAT_RUNNING, NAT_LANE } nat_statistics;
typedef enum nat_scope { NAT_BATCH, NAT_DATASET } nat_scope;

typedef struct nat_options {
    int64_t dim, targets; /* section nat */
    int scope;            /* section assign: nat_scope */
    int64_t every, views, rounds, wide, bound_rows;
    double tolerance, gap;
    int grouping; /* nat_grouping */
    bool async;
    int statistics; /* nat_statistics */
    int rows;       /* hiss_match_rows */
    int64_t k;
    const char *block, *solver, *first;
} nat_options;

typedef struct nat_targets nat_targets;

typedef struct nat {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: only encode() will be called */
    const nat_options *options;
    const hiss_lap_solver *solver;
    int64_t targets;            /* K */
    int64_t block, block_lanes; /* scope batch: samples, lanes of a block */
    int64_t dataset_block;      /* scope dataset: samples of a block at most */
    int64_t local_lanes, first_sample, local_samples;
    int64_t *assign; /* [local_samples]: the owned part of the assignment */
    /* scope batch: of this step */
    hiss_lists lists;        /* how rows are cut; k 0: not */
    int64_t *numbers;        /* [local lanes * m] target numbers of this rank's samples of the step */
    int64_t *samples;        /* [local lanes * m] these samples */
    float **rows;            /* [local lanes] -> [m, block] */
    float *before, *changed; /* [local lanes]: mean cosine before matching, share of samples with a new target */
    hiss_match *match;
    hiss_match_solver *matcher;
    nat_targets *vectors;
    bool pending;       /* begun, answers not yet agreed on */
    double permuted[4]; /* scope dataset, last time: mean score before and after, seconds of features and rounds */
    double bound[2];    /* of the mean score over all permutations, and its standard error; NaN: not known */
    double chance;
    int trace_features, trace_round, trace_solve; /* scope dataset: names of the recorder */
    double matched;       /* mean cosine right after the last matching, of features that were trained; NaN: not known */
    hiss_value first;     /* what the first permutation matches, where it is not z */
    int64_t first_floats; /* of it per sample */
    hiss_value z, target, before_value, changed_value, zero_value;
} nat;

/* Scale v[d] to unit length. */
void nat_unit(int64_t d, float *v);
/* Target k: a standard normal vector of the stream (seed, HISS_FOR_TARGETS, 0, k), scaled to unit length. */
void nat_target(const nat *n, int64_t k, float *out);
/* ---- scores of rows as they are needed; score.c. Pure; not collective ---- */

/* Targets are packed in panels of columns; NAT_CHUNK is a multiple of what a panel holds, and the panels of columns
 * first .. begin at panels + first * d where NAT_CHUNK divides first. */
enum { NAT_CHUNK = 512 };
int64_t nat_padded(int64_t n); /* n rounded up to whole panels; panels hold nat_padded(n) * d floats, zero at first */
void nat_pack(int64_t d, int64_t j, const float *vector, float *panels); /* vector[d] becomes column j */
/* out [count, ld]: the scores of `count` rows, [d] each, with columns 0 .. padded - 1; padded: of nat_padded. */
void nat_score(int64_t count, int64_t d, const float *const *row, int64_t padded, const float *panels, float *out,
               int64_t ld);
float nat_score_at(int64_t d, const float *row, int64_t j, const float *panels); /* the same bits for one column */

/* ---- one block over all ranks; wide.c ---- */

typedef struct nat_wide {
    hiss_comm *comm;
    const hiss_epoch *e; /* whose threads, stop and progress are used */
    int64_t n, d;        /* 1 <= n <= 2^24 */
    const float *row;    /* [n, d], equal on all ranks */
    const float *panels; /* of n columns, equal on all ranks */
    int64_t width;       /* columns that a row keeps in its list; affects speed, not the result */
} nat_wide;

typedef struct nat_wide_report {
    hiss_lap_report lap; /* dual - total is the proven gap; iterations: bids */
    int64_t phases, rounds;
    int64_t refreshed;         /* rows of scores that this rank computed */
    double start, sweep, wait; /* seconds of start prices, of refreshing rows, and of exchanging bids */
} nat_wide_report;

/* Solve by hiss_auction_solve's rounds (jacobi) from hiss_lap_add_maxima's prices: the same answer for every number of
 * ranks and threads. Collective.
 *   options        NULL: all zero; jacobi is understood
 *   column_of_row  [n] in/out on every rank, as in hiss_lap_solver
 *   price [n]      out  column duals, or NULL
 *   stopped        out  e->stop said so: column_of_row is unchanged
 * Errors as those of hiss_auction_solve. */
hiss_status nat_wide_solve(const nat_wide *problem, const hiss_auction_options *options, int32_t *column_of_row,
                           double *price, nat_wide_report *report, bool *stopped, hiss_error *err);

/* ---- the global permutation step; permute.c ---- */

/* The hooks of hiss_exchange_ops. */
hiss_status nat_begin(void *self, int phase, const hiss_exchange *x, hiss_error *err);
void nat_arrive(void *self, int thread, int64_t local, const float *const *exports);
bool nat_ready(void *self, int64_t local);
bool nat_together(void *self);
bool nat_progress(void *self);
bool nat_assist(void *self, int thread);
hiss_status nat_finish(void *self, hiss_error *err);
hiss_status nat_match_create(nat *n, hiss_error *err); /* match, matcher and vectors of n. Collective. */
/* Take over answers that are pending. Collective. */
hiss_status nat_settle(void *self, hiss_error *err);

/* ---- what the first permutation matches; first.c ---- */

bool nat_starts_from_z(const nat *n); /* so that what follows is not needed */
/* For build(): find what assign.first names, before the cut. */
hiss_status nat_first_build(nat *n, hiss_builder *b, hiss_value image, const hiss_taps *taps, hiss_error *err);
/* features [local samples, d] out: its principal components. Collective. */
hiss_status nat_first_features(const nat *n, const hiss_epoch *e, float *features, hiss_error *err);

/* ---- targets of blocks, shared by threads; targets.c ---- */

nat_targets *nat_targets_create(const nat *n);
void nat_targets_destroy(nat_targets *t); /* NULL is allowed */
/* A step begins: blocks are new. */
void nat_targets_start(nat_targets *t);
/* The targets [block, d] of a block, made once while anyone uses them; release when done. Any thread, which may hold
 * one at a time; threads that want the same make them together. */
const float *nat_targets_take(nat_targets *t, int64_t block);
void nat_targets_release(nat_targets *t, int64_t block);

/* Whether this epoch reassigns. */
static inline bool nat_reassigns(const nat *n, int64_t epoch) {
    return n->options->every > 0 && epoch % n->options->every == 0;
}

/* Columns with their prices, of which every rank holds a part. */
typedef struct nat_prices {
    int64_t count;
    int64_t *number; /* [count] targets */
    double *price;   /* [count] aligned over blocks: each block's mean is 0 */
} nat_prices;
/* price[n] minus its mean. */
void nat_align(int64_t n, double *price);

/* The order of all samples that a round cuts into blocks. */
struct grouping;
typedef struct nat_order {
    hiss_permutation random;
    struct grouping *near; /* or, when grouped, this */
    bool grouped;
} nat_order;
int64_t nat_sample_at(const nat_order *order, int64_t place);
int64_t nat_place_of(const nat_order *order, int64_t sample);

/* One round with blocks solved over all ranks.  features [local samples, d]
 *   mean [3]  out  score before and after; the proven bound when there is one block, else NaN
 *   prices    out  this rank's part of the block duals; room for n / P + blocks
 *   stopped   out  e->stop said so: some blocks are not re-matched
 * Collective. */
hiss_status nat_wide_round(nat *n, const hiss_epoch *e, const nat_order *order, const float *features, double mean[3],
                           nat_prices *prices, bool *stopped, hiss_error *err);
/* Whether its blocks are. */
static inline bool nat_is_wide(const nat *n) {
    return n->options->scope == NAT_DATASET && n->dataset_block >= n->options->wide;
}

/* By how much the mean score of another permutation can exceed the present one: at most by the mean over samples of
 * what they miss to their highest score - price. Estimated by min(bound_rows, samples) samples, drawn anew each epoch;
 * see bound.c. Collective.
 *   features [local samples, d]; prices: all ranks' together name every target that a sample owns, once
 *   out [2]  the mean and its standard error, which is 0 when all samples were looked at: then it is a bound;
 *            NaN when the solver has no prices */
void nat_slack(const nat *n, const hiss_epoch *e, const float *features, const nat_prices *prices, double out[2]);

/* The rank that owns a sample. */
int nat_rank_of_sample(const nat *n, int64_t sample);
/* out [count, size]: the records, of size bytes each, of the samples at places begin .. of an order, on all ranks.
 *   local [local samples, size]
 * Collective. */
void nat_gather_places(const nat *n, const nat_order *order, int64_t begin, int64_t count, int64_t size,
                       const void *local, void *out);
/* out [local samples, floats]: the mean over assign.views views of a kept value of the graph, as e->features gives it, or
 * of z with running statistics. Not scaled to unit length, which the optimum does not need. Not collective. */
enum { NAT_EMBEDDED = -2 };
hiss_status nat_mean_views(const nat *n, const hiss_epoch *e, hiss_value value, int64_t floats, float *out,
                           hiss_error *err);
/* The permutation over the whole data set; see dataset.c. Collective. */
hiss_status nat_epoch(void *self, const hiss_epoch *e, hiss_error *err);
/* assign is injective and within 0..K-1 over all ranks. Collective. */
hiss_status nat_verify(void *self, hiss_error *err);

#endif
