/* Matching within a step: rows of scores go from lanes to the coordinators of their blocks, columns come back.
 *
 * There are L lanes of m rows each. A step cuts them into blocks of g lanes, drawn anew each time, N = g m rows with as
 * many columns: column i of a block comes with its row i, and is known by a number that travels with it. Every row gets
 * a column. Lanes arrive one by one; whole rows travel, or lists of each row's best columns (hiss/assign.h).
 *
 * This is the order of things and the messages alone: whoever trains, measures or simulates brings two functions,
 * which compute (hiss_match_solver helps) or let the time pass that computing would take. */
#ifndef HISS_MATCH_H
#define HISS_MATCH_H

#include "hiss/assign.h"
#include "hiss/comm.h"
#include "hiss/trace.h"

/* What a lane sends: its scores [m, N]; the highest scores [N] of its columns (hiss_lap_add_maxima); lists. */
typedef enum hiss_match_sent { HISS_MATCH_SCORES, HISS_MATCH_MAXIMA, HISS_MATCH_LISTS } hiss_match_sent;
/* What a block answers: the columns; prices [N] for lists, and columns to keep in them; that scores are wanted. */
typedef enum hiss_match_reply { HISS_MATCH_COLUMNS, HISS_MATCH_PRICES, HISS_MATCH_MORE } hiss_match_reply;

typedef struct hiss_match_lane { /* a lane that is to send something */
    int64_t local, block;        /* its number on this rank; of this step */
    hiss_match_sent sends;
    const float *features;  /* what arrive() got, the first time in a step; NULL later */
    const int32_t *columns; /* LISTS: [m] columns to keep */
    const float *price;     /* LISTS: [N] */
} hiss_match_lane;

typedef struct hiss_match_block { /* a block all of whose lanes have sent something */
    hiss_match_sent sent;
    int64_t lanes; /* g */
    int lists;     /* how many times they have sent lists, this time included */
    void *words;   /* what they sent, `stride` words of four bytes apart; may be overwritten */
    int64_t stride;
    int32_t *columns; /* [N] in: feasible, at first 0, 1, ...; out: what is answered */
    float *price;     /* [N] in: under which the lists were made; out: with PRICES. Not for blocks of one lane */
} hiss_match_block;

/* Called on any thread, for different lanes and blocks at the same time. */
typedef struct hiss_match_work {
    void *user;
    /* Make what the lane sends; returns where it is, which must stay until the lane is answered. */
    void *(*score)(void *user, int thread, const hiss_match_lane *lane);
    /* Answer a block. gap: how far its total may be below the best, as a share; 0 where that is not known.
     * A block that fails leaves the columns as they are, which is its answer, and finish() returns its error on all
     * ranks. */
    hiss_status (*solve)(void *user, int thread, const hiss_match_block *block, hiss_match_reply *reply, double *gap,
                         hiss_error *err);
    /* columns [m] are those of a lane. Main thread, but for blocks of one lane. With `beside` after finish alone; NULL:
     * nobody wants to know. */
    void (*answered)(void *user, int64_t local, const int32_t *columns);
} hiss_match_work;

enum { HISS_MATCH_TRIES = 4 }; /* lists of a block at most; then all scores are asked for */

typedef enum hiss_match_rows { HISS_MATCH_AUTO, HISS_MATCH_DENSE, HISS_MATCH_TOPK } hiss_match_rows;
#define HISS_MATCH_ROWS_CHOICES "auto|dense|topk" /* the same, as choices of a row */
/* How rows of blocks of N travel: k columns of each, or whole (k 0 in the result). AUTO: as lists where these at least
 * halve what is sent. */
hiss_lists hiss_match_lists(hiss_match_rows rows, int64_t N, int64_t m, int64_t k);

typedef struct hiss_match_options {
    hiss_comm *comm;
    uint64_t seed;
    int64_t lanes, m, block_lanes; /* L; rows of each; g, which divides L */
    const int64_t *lane_offsets;   /* [P+1], copied */
    hiss_lists lists;              /* of hiss_match_lists */
    bool beside;                   /* blocks are solved on a thread of their own while lanes go on unanswered */
    hiss_match_work work;
    hiss_trace *trace; /* of work and messages; its rows 0, 1, ... are those of the threads. NULL: none */
} hiss_match_options;

typedef struct hiss_match hiss_match;

/* Collective. Allocates everything. Destroy also after an error. */
hiss_status hiss_match_create(const hiss_match_options *options, hiss_match **out, hiss_error *err);
void hiss_match_destroy(hiss_match *x); /* Collective; NULL is allowed */

/* Begin a step. Collective.
 *   threads  that will call; the functions get numbers below it, and with `beside` this one for the thread of its own
 *   number   [local lanes * m] those of the columns that this rank's rows bring along
 *   order    [local lanes] in: 0, 1, ...; out: in which order they had best arrive */
void hiss_match_start(hiss_match *x, int64_t step, int threads, const int64_t *number, int64_t *order);
/* Where a lane stands this step: its block is place / g. Not collective. */
int64_t hiss_match_place(const hiss_match *x, int64_t local);
/* The number of a column of a block in which this rank has a lane. Not collective. */
int64_t hiss_match_number(const hiss_match *x, int64_t block, int64_t column);
/* A lane is there. Any thread. */
void hiss_match_arrive(hiss_match *x, int thread, int64_t local, const float *features);
bool hiss_match_ready(const hiss_match *x, int64_t local); /* arrived, and answered or beside. Any thread. */
bool hiss_match_progress(hiss_match *x); /* main thread; moves messages; false: nothing is under way on this rank */
/* The same, waiting for a message where one is under way: for ranks with nothing to assist with. */
bool hiss_match_wait(hiss_match *x);
bool hiss_match_assist(hiss_match *x, int thread); /* any thread; false: there was nothing to do */
/* Wait for all of this rank's, and agree on errors. Collective. */
hiss_status hiss_match_finish(hiss_match *x, hiss_error *err);
const int32_t *hiss_match_columns(const hiss_match *x, int64_t local); /* [m] of the last step, after finish */

typedef struct hiss_match_costs {
    int64_t steps;
    double score, list, solve; /* seconds of work, all threads of this rank: of features, of lists, of blocks */
    double gap;                /* largest */
    int64_t messages;          /* of lanes and coordinators, sent by this rank to others in steps that have ended */
    double bytes, shared;      /* of these messages; of sharing the numbers */
} hiss_match_costs;
hiss_match_costs hiss_match_take_costs(hiss_match *x); /* since the last call. Not collective. */

/* ---- what computes ---- */

/* Maxima, lists and solutions for the functions above. */
typedef struct hiss_match_solver hiss_match_solver;

/* Not collective. lists: as in the options; local_lanes: of this rank. */
hiss_match_solver *hiss_match_solver_create(const hiss_lap_solver *solver, const hiss_lists *lists, int64_t N,
                                            int64_t m, int64_t local_lanes);
void hiss_match_solver_destroy(hiss_match_solver *s); /* NULL is allowed */
/* Memory for so many threads, at least 1; once. beside: as in the options. */
void hiss_match_solver_reserve(hiss_match_solver *s, int threads, bool beside);
/* What a lane sends, from its rows [m, N], which are returned where they travel whole. */
void *hiss_match_pack(hiss_match_solver *s, int thread, const hiss_match_lane *lane, float *rows);
/* As hiss_match_work.solve. */
hiss_status hiss_match_solve(hiss_match_solver *s, int thread, const hiss_match_block *block, hiss_match_reply *reply,
                             double *gap, hiss_error *err);

#endif
