/* Private to train: changing the scale of a layer's outputs without changing what the network computes. */
#ifndef HISS_TRAIN_SPREAD_H
#define HISS_TRAIN_SPREAD_H

#include "hiss/nn.h"

typedef struct spread { /* not owned */
    const hiss_model *model;
    int graphs; /* all that read the model */
    const hiss_graph *const *graph;
    double
        *inherited; /* [slots] adds up, for weights that undid a scale, the mean logarithm of the factors taken out */
    bool *undoes;   /* [slots] out, by each call: weights that undo the scale. Empty where it returns false */
} spread;

/* Scale the outputs of the layer of a weight slot [F, ...], and of its bias (HISS_NO_SLOT: it has none), by by[F], all
 * above 0. What reads them is changed so that it computes what it did. false, and nothing changed: some reader cannot
 * undo the scale, or the method itself uses the values. Not collective.
 *   vector  of the model; NULL: only find out */
bool train_spread(spread *s, int weight, int bias, const double *by, float *vector);

/* The slot whose value this is; HISS_NO_SLOT: it is no parameter. Not collective. */
int train_spread_slot(const hiss_graph *graph, hiss_value value);
/* Whether operation f is a convolution or a linear layer: input 0 times a weight [F, ..., C], and a bias or not. */
bool train_spread_is_layer(const hiss_node_form *f);

#endif
