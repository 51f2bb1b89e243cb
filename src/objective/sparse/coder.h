/* Private to src/objective/sparse: the method `sparse`, for its parts. */
#ifndef HISS_OBJECTIVE_SPARSE_CODER_H
#define HISS_OBJECTIVE_SPARSE_CODER_H

#include "objective/sparse/infer.h"
#include "objective/sparse/whiten.h"

enum { SPARSE_PATCHES, SPARSE_CONVOLUTIONAL };

typedef struct sparse_options {
    int form;
    int64_t atoms, size, patches, stride, cells;
    sparse_inference inference;
    int64_t layers, second_atoms, first_epochs; /* of two layers */
    double second_lambda;
    int64_t reference; /* steps that evaluation compares with */
    sparse_whiten_options whiten;
} sparse_options;

typedef struct sparse_coding { /* values of one layer's codes of M inputs */
    hiss_value x, atoms, code, rebuilt;
} sparse_coding;

typedef struct sparse_coder {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: no training */
    const sparse_options *options;
    hiss_value patches[2];  /* of the graph of each phase */
    sparse_coding layer[2]; /* of the graph of the measures, below too */
    hiss_value reference[2], rebuilt_reference[2], through;
} sparse_coder;

/* Windows of a layer's inputs: layer 0 codes patches, layer 1 windows of 2 x 2 patches. */
int64_t sparse_side(const sparse_coder *s, int layer);   /* pixels; of the image in the convolutional form */
int64_t sparse_values(const sparse_coder *s, int layer); /* of one input of the layer's dictionary */
/* Input [m, side, side, C] named "patches", count of each image, filled by sparse_draw; and the image it is from. */
hiss_value sparse_windows(const sparse_coder *s, hiss_builder *b, int64_t m, int64_t count, int64_t side);
void sparse_draw(const sparse_coder *s, const hiss_lane *lane, int64_t i, hiss_rng *rng);
/* Codes of windows [N, side, side, C], or images, by the layer, on those of the layer below; rebuilt by `steps`. */
hiss_value sparse_layer_input(const sparse_coder *s, hiss_builder *b, int layer, hiss_value windows, int64_t stride);
hiss_value sparse_layer_atoms(const sparse_coder *s, hiss_builder *b, int layer);
sparse_coding sparse_layer(const sparse_coder *s, hiss_builder *b, int layer, hiss_value x);
hiss_value sparse_layer_code(const sparse_coder *s, hiss_builder *b, int layer, hiss_value x, hiss_value atoms,
                             int64_t steps);
hiss_value sparse_rebuild(const sparse_coder *s, hiss_builder *b, hiss_value code, hiss_value atoms);
double sparse_lambda(const sparse_coder *s, int layer);

extern const hiss_measure_ops sparse_measure;

#endif
