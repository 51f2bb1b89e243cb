/* Private to src/objective/sparse: codes of rows by a dictionary of atoms of length 1. */
#ifndef HISS_OBJECTIVE_SPARSE_INFER_H
#define HISS_OBJECTIVE_SPARSE_INFER_H

#include <stddef.h>

#include "hiss/objective.h"

enum { SPARSE_ISTA, SPARSE_FISTA };

typedef struct sparse_inference { /* options: how codes are inferred */
    double lambda;                /* weight of the L1 norm */
    int algorithm;
    int64_t steps;
} sparse_inference;

/* Rows of options with member `member` of this type. */
#define SPARSE_INFERENCE_ROWS(options, member)                                                                         \
    {"lambda",                                                                                                         \
     HISS_FLOAT,                                                                                                       \
     offsetof(options, member.lambda),                                                                                 \
     "0.5",                                                                                                            \
     0,                                                                                                                \
     1e6,                                                                                                              \
     NULL,                                                                                                             \
     "weight of the code's absolute values beside half the squared error; 0: nothing makes it sparse"},                \
        {"algorithm",                                                                                                  \
         HISS_CHOICE,                                                                                                  \
         offsetof(options, member.algorithm),                                                                          \
         "fista",                                                                                                      \
         0,                                                                                                            \
         0,                                                                                                            \
         "ista|fista",                                                                                                 \
         "how codes are inferred: proximal gradient steps, fista with momentum"},                                      \
    {                                                                                                                  \
        "steps", HISS_INT, offsetof(options, member.steps), "50", 1, 100000, NULL, "steps of the inference"            \
    }

/* The atoms [K,D], layer `name`: parameters divided by their lengths, so that codes cannot shrink by growing atoms. */
hiss_value sparse_atoms(hiss_builder *b, const char *name, int64_t K, int64_t D);
/* Codes z [M,K] of x [M,D] that make 1/2 |x - z atoms|^2 + lambda |z|_1 small, stopped: no gradient passes. Atoms may be
 * any [K,D]; with alpha/2 |z - p|^2 beside it, x is [x, sqrt(alpha) p] and the atoms [atoms, sqrt(alpha) 1]. */
hiss_value sparse_infer(hiss_builder *b, hiss_value x, hiss_value atoms, const sparse_inference *how);
/* The same of images x [N,H,W,C] by atoms [K,R,R,C], z [N,P,Q,K]: z atoms is the transposed convolution with `pad`. */
hiss_value sparse_infer_map(hiss_builder *b, hiss_value x, hiss_value atoms, int64_t pad, const sparse_inference *how);
/* The terms of the objective, and how many codes are not 0; sums of shape [1]. */
hiss_value sparse_error(hiss_builder *b, hiss_value x, hiss_value rebuilt, double scale); /* scale/2 |x - rebuilt|^2 */
hiss_value sparse_cost(hiss_builder *b, hiss_value code, double scale);                   /* scale |code|_1 */
hiss_value sparse_active(hiss_builder *b, hiss_value code, double scale);                 /* scale |code|_0 */

#endif
