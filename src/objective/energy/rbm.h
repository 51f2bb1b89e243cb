/* Private to src/objective/energy: a stack of restricted Boltzmann machines, its training (rbm.c) and what it measures
 * of itself (energy_rbm_measure.c). */
#ifndef HISS_OBJECTIVE_ENERGY_RBM_H
#define HISS_OBJECTIVE_ENERGY_RBM_H

#include "hiss/objective.h"

enum { RBM_MOST = 4, RBM_NAME = 24 }; /* machines of a stack; a layer's name */
enum { RBM_AUTOENCODER, RBM_CLASSIFIER, RBM_NONE };
enum { RBM_GAUSSIAN, RBM_BINARY };

typedef struct rbm_options {
    const char *layers;
    int64_t epochs, chains, temperatures;
    int code, finetune;
    bool pretrain, binarize;
    double deviation;
} rbm_options;

typedef struct rbm {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: no training */
    const rbm_options *options;
    int64_t units[RBM_MOST + 1]; /* of the image, and of each hidden layer */
    int count;                   /* machines */
    struct {
        hiss_value image, binary, hidden_input, binary_input, visible_part, binary_part, scores;
    } measured; /* of the graph of measures; scores -1: none */
} rbm;

/* One machine in a graph: weight [H, D], visible [D], hidden [H]. */
typedef struct rbm_machine {
    hiss_value weight, visible, hidden;
} rbm_machine;

/* Machine k = 0, 1, ... Its slots are rbm1/weight and so on. Not collective, as are the others. */
rbm_machine energy_rbm_machine(const rbm *r, hiss_builder *b, int k);
/* sum_i b_i v_i of each row of v [M, D]: [M, 1]. */
hiss_value energy_rbm_visible_part(hiss_graph *graph, const rbm_machine *machine, hiss_value v);
/* Whether the hidden units of machine k are Gaussian. */
bool energy_rbm_is_gaussian(const rbm *r, int k);
hiss_status energy_rbm_encode(const rbm *r, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err);
/* Scores of the classes on a code. */
hiss_value energy_rbm_scores(const rbm *r, hiss_builder *b, hiss_value code);

extern const hiss_measure_ops energy_rbm_measure;

#endif
