/* Projections: what a training step would take on machines that are not here.
 *
 * Costs of one rank are measured once and kept in a file. A replay runs the trainer's own communication - the exchange
 * of src/match, reducer, coordinators and collectives of src/comm - and sleeps where the trainer would compute. Built
 * against the simulator's MPI (build/hiss-smpi), sleep and messages are virtual time on a platform that may have
 * thousands of hosts; built against the real MPI, the same replay shows how far the simulator is off.
 * docs/simulation.md */
#ifndef HISS_SIMULATE_H
#define HISS_SIMULATE_H

#include <stdio.h>

#include "hiss/alloc.h"
#include "hiss/comm.h"
#include "hiss/config.h"
#include "hiss/reducer.h"

/* ---- costs ---- */

typedef struct hiss_node_cost {
    const char *name;
    double forward, backward; /* seconds for one lane */
} hiss_node_cost;

typedef struct hiss_phase_cost {
    int nnodes, cut; /* cut: nodes before it run before the exchange */
    hiss_node_cost *nodes;
    int *final; /* [buckets] the node after whose backward a bucket is final; nnodes: before backward; -1: not used */
} hiss_phase_cost;

typedef struct hiss_solve_cost {
    int64_t block; /* samples */
    double seconds;
    int64_t times; /* by lists: how often lanes send some until they do */
} hiss_solve_cost;

typedef struct hiss_permutation_cost { /* of all samples, before an epoch; share 0: there is none */
    double share;                      /* of the epochs, those that begin with it */
    int64_t samples, block;            /* of the data set; of a block */
    int64_t wide;                      /* blocks of so many are solved by all ranks together, which is not replayed */
    int64_t views, rounds, bound_rows;
    bool grouped;         /* two of three rounds sort the samples by a tree */
    double feature;       /* seconds for a view of a sample */
    double project, copy; /* per float of a feature */
    double sort;          /* n log2 n times */
    double bound;         /* per target and sample looked at by the bound */
} hiss_permutation_cost;

enum { HISS_MAX_SOLVES = 16, HISS_MAX_PHASES = 8 };

typedef struct hiss_costs {
    const char *config, *processor, *measured; /* where they come from; for people. measured: when, under which load */
    int64_t samples, threads;                  /* of a lane; of a rank */
    double load;                               /* seconds per step */
    double augment, supply;                    /* seconds per lane */
    double add, update;                        /* seconds per float: of an addition, of the optimiser */
    double exchange_share;                     /* of the steps, those that exchange; 0: none do */
    double repeat;        /* 1: a lane's forward to the cut is computed again after the exchange; else 0 */
    int64_t dim, block;   /* of targets; samples of a block, 0: the whole batch */
    int rows;             /* hiss_match_rows: how rows travel */
    int64_t k;            /* columns of a row in lists */
    int64_t ahead;        /* lanes that may pass the cut before earlier ones */
    double target, score; /* seconds to make a target; per sample and target */
    double maxima, list;  /* seconds per sample and target: of columns' highest scores, of cutting lists */
    hiss_permutation_cost permutation;
    int nsolves;
    hiss_solve_cost solves[HISS_MAX_SOLVES]; /* by block, ascending */
    int nlists;
    hiss_solve_cost lists[HISS_MAX_SOLVES]; /* the same by lists; none: those of all scores count */
    int nphases;
    hiss_phase_cost phases[HISS_MAX_PHASES];
    int buckets;
    int64_t *bucket_offsets; /* [buckets+1] floats */
    hiss_arena *arena;       /* owns all texts and arrays */
} hiss_costs;

/* Read and verify a costs file. Errors name file:line:column. Destroy also after an error. Not collective. */
hiss_status hiss_costs_read(const char *path, hiss_costs *out, hiss_error *err);
hiss_status hiss_costs_write(const char *path, const hiss_costs *costs, hiss_error *err);
void hiss_costs_destroy(hiss_costs *costs);
/* Seconds to solve a block: between the measured ones by a power law; beyond them the cube of the size. */
double hiss_costs_solve(const hiss_costs *costs, int64_t block);
double hiss_costs_solve_lists(const hiss_costs *costs, int64_t block);
/* How often lists are sent: as of the largest measured block that is not larger, or the smallest; 1 if none is. */
int64_t hiss_costs_list_times(const hiss_costs *costs, int64_t block);
/* Seconds that a rank with so many lanes computes in a step, without what the number of ranks decides. */
double hiss_costs_compute(const hiss_costs *costs, int64_t lanes);

/* ---- platforms ---- */

typedef enum hiss_topology { HISS_FAT_TREE, HISS_DRAGONFLY, HISS_BUS } hiss_topology;

typedef struct hiss_platform {
    int topology;      /* hiss_topology */
    double bandwidth;  /* bytes/s of a link and direction; of a bus: of all together */
    double latency;    /* seconds per link */
    int64_t taper;     /* fat tree: hosts of a leaf switch per link upwards */
    const char *about; /* one line */
    hiss_arena *arena; /* owns about */
} hiss_platform;

/* Read a description. name: a path, or the NAME of DIRECTORY/NAME.yaml in the first of directories[count] that has it.
 * An unknown name is answered with those that are there. Not collective. Destroy also after an error. */
hiss_status hiss_platform_read(const char *name, const char *const *directories, int count, hiss_platform *out,
                               hiss_error *err);
void hiss_platform_destroy(hiss_platform *p);
/* Write SimGrid's XML for at least `hosts` hosts, named n0, n1, ... */
hiss_status hiss_platform_write(const hiss_platform *p, int64_t hosts, const char *path, hiss_error *err);

/* ---- replay ---- */

typedef struct hiss_replay {
    int64_t lanes;   /* L, over all ranks */
    int64_t block;   /* samples of a block; 0: the whole batch, or as the costs say of the permutation */
    int64_t samples; /* of the data set that is permuted; 0: as the costs say */
    int reduce;      /* hiss_reduce */
    int64_t group;   /* hiss_reducer_options.group_size */
    int wire;        /* hiss_wire, of all buckets but the last; of the tree */
    int64_t steps;   /* of each kind, after one that does not count */
    double jitter;   /* each rank's computing takes up to so much longer, anew in each step */
    bool overlap;
    bool communication; /* leave the computing out */
} hiss_replay;

typedef struct hiss_replay_times { /* seconds, slowest rank, means over steps; the same on all ranks */
    double step, exchanging;       /* without and with exchange; the latter NaN when there is none */
    double wait;                   /* blocked in the reduction after backward, in steps without exchange */
    /* Of the exchange: sharing target numbers; work on scores, lists and blocks; waiting for messages with nothing else
     * to do; agreeing on errors. */
    double numbers, score, list, solve, blocked, agree;
    double messages, bytes; /* that all ranks send in a step for it */
    double permutation;     /* of all samples, once; NaN when there is none. Its parts: */
    double features, grouping, move, match, bound;
    double sent; /* bytes, of a step without exchange */
} hiss_replay_times;

/* Replay steps. Collective. */
hiss_status hiss_replay_run(hiss_comm *comm, const hiss_costs *costs, const hiss_replay *replay, hiss_replay_times *out,
                            hiss_error *err);
/* Two ranks, to and fro at the same time: seconds for a message of 8 bytes, bytes/s of long ones in both directions
 * together. Collective, two ranks. */
void hiss_replay_link(hiss_comm *comm, double *latency, double *bandwidth);

/* The replay as command line options and its result as YAML on a line, for those who start it in another process. */
extern const hiss_row hiss_replay_rows[];
extern const int hiss_replay_nrows;
void hiss_replay_print(FILE *stream, const hiss_replay_times *times);
hiss_status hiss_replay_parse(const char *text, hiss_replay_times *out, hiss_error *err);

#endif
