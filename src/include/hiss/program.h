/* An encoder in evaluation mode as a program of others: a module of PyTorch, or a graph of ONNX. What is written is the
 * graph itself, node by node, so that whatever a method's encode() builds is written, as long as each operation has a
 * counterpart there. Not collective.
 *
 * Maps are [N,C,H,W] there, and [N,H,W,C] here. Where a map becomes a row it is turned back first, so that rows have the
 * order of hiss. N may be anything. */
#ifndef HISS_PROGRAM_H
#define HISS_PROGRAM_H

#include <stdio.h>

#include "hiss/data.h"
#include "hiss/nn.h"
#include "hiss/weights.h"

typedef struct hiss_program_options { /* not owned; outlives the program */
    const hiss_graph *graph;
    const hiss_model *model;
    const float *vector;         /* its values */
    int64_t m;                   /* samples of a batch of the graph */
    const hiss_taps *taps;       /* the named places, */
    int outputs;                 /* and which of them are outputs */
    const int *output;           /* [outputs] */
    const hiss_center *center;   /* how stored images become what the network gets; NULL: not as other programs can */
    bool preprocesses;           /* the program begins with that; center must be there */
    bool folds;                  /* ONNX: BatchNorm goes into the convolution or linear layer before it, where it can */
    const hiss_weights *weights; /* of the checkpoint, with its notes */
} hiss_program_options;

typedef struct hiss_program hiss_program;
/* What the outputs need of the graph. Errors (HISS_EUSER) name an input other than the image. *out must be destroyed
 * also after an error. */
hiss_status hiss_program_create(const hiss_program_options *options, hiss_program **out, hiss_error *err);
void hiss_program_destroy(hiss_program *p); /* NULL is allowed */

/* Source text of a module of PyTorch, which reads weights.safetensors beside it, and a model in ONNX of operator set
 * 17. Errors (HISS_EUSER) name an operation that has no counterpart, and its layer. */
hiss_status hiss_torch_write(const hiss_program *p, FILE *stream, hiss_error *err);
hiss_status hiss_onnx_write(const hiss_program *p, FILE *stream, hiss_error *err);

#endif
