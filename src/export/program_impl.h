/* Private to src/export: the part of a graph that is written. */
#ifndef HISS_PROGRAM_IMPL_H
#define HISS_PROGRAM_IMPL_H

#include "hiss/program.h"

typedef struct export_node {
    hiss_node_form form;
    bool live;    /* an output needs it */
    bool batched; /* it depends on the image: its first dimension is a multiple of N */
    int readers;  /* live nodes and outputs */
    int folded;   /* the node of BatchNorm whose work this one does, too; -1: none */
} export_node;

struct hiss_program {
    hiss_program_options options;
    hiss_arena *arena;
    export_node *node; /* [count] */
    int count;
};

const hiss_slot *export_slot(const hiss_program *p, int value); /* of a parameter's node; NULL: it is none */
const float *export_slot_values(const hiss_program *p, int slot);
/* Values of a 4-dimensional array with its last dimension put second; of others as they are: in out[count]. */
void export_channels_second(const hiss_shape *shape, const float *values, float *out);
hiss_shape export_channels_second_shape(const hiss_shape *shape);
/* Leading dimension: -1 where it depends on N, else as it is. */
int64_t export_rows(const export_node *n);
/* Weights [to, from] by which a line of `from` pixels becomes one of `to`, as hiss_augment_center samples it. */
void export_sampling(int64_t from, int64_t to, float *weights);
/* Error: this node cannot be written, and why. */
hiss_status export_refuse(const hiss_program *p, int node, const char *why, hiss_error *err);

#endif
