/* What the files of the deep Boltzmann machine share. */
#ifndef HISS_DBM_H
#define HISS_DBM_H

#include "hiss/objective.h"
#include "hiss/rng.h"

typedef struct dbm_options {
    int64_t hidden1, hidden2; /* units */
    int64_t updates, gibbs;
    int chains;
    int64_t ais_chains, ais_steps; /* of the estimate of log Z */
} dbm_options;

typedef struct dbm {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: no training */
    const dbm_options *options;
    /* Of the training graph. */
    hiss_value start, end;  /* first hidden layer of the chains [m, hidden1]; start -1: they are not persistent */
    hiss_value first_noise; /* of chains that are not persistent [m, hidden1] */
    struct dbm_noise {
        hiss_value visible, hidden1, hidden2;
    } * noise;    /* [gibbs] */
    float *chain; /* [local lanes, m, hidden1]: the first hidden layer of the chains; NULL: none */
    /* Of the graph of the measures. */
    struct dbm_measured {
        hiss_value image, binary, mu1, mu2, in1, in2, bias;
    } measured;
} dbm;

typedef struct dbm_units { /* of all layers, [m, ...] each */
    hiss_value visible, hidden1, hidden2;
} dbm_units;

extern const hiss_measure_ops energy_dbm_measure;

int64_t energy_dbm_pixels(const dbm *d);
void energy_dbm_draw_pixels(hiss_rng rng, int64_t count, float *pixel); /* each 1 with itself as probability, else 0 */

typedef struct dbm_parameters { /* of E */
    hiss_value W1, W2, b, c1, c2;
} dbm_parameters;
dbm_parameters energy_dbm_machine(const dbm *d, hiss_builder *b);

/* Given the pixels at->visible, the means of the hidden layers.
 *   in1  out  what the first layer gets from the pixels, and its bias [m, hidden1] */
void energy_dbm_mean_field(const dbm *d, hiss_graph *g, const dbm_parameters *p, dbm_units *at, hiss_value *in1);

#endif
