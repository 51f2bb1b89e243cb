/* Parameters, layers, networks.
 *
 * A model is a list of slots in one flat vector: parameters (sorted by group), then buffers (BatchNorm's running
 * statistics), then metrics (loss and other scalars of a step). Gradients, optimiser state, reduction, checkpoint and
 * hash are loops over this vector. Nothing here is collective. */
#ifndef HISS_NN_H
#define HISS_NN_H

#include "hiss/config.h"
#include "hiss/graph.h"
#include "hiss/hash.h"

/* ---- the model: named slots ---- */

typedef enum hiss_slot_kind { HISS_SLOT_PARAMETER, HISS_SLOT_BUFFER, HISS_SLOT_METRIC } hiss_slot_kind;

typedef struct hiss_slot {
    const char *name; /* "conv1/weight"; unique */
    hiss_slot_kind kind;
    hiss_shape shape;
    int group;        /* parameters and buffers: index of the objective's parameter group */
    bool decay;       /* parameters: weight decay applies */
    double deviation; /* initial values: normal with this standard deviation; 0: all equal to `constant` */
    double constant;
    const char *origin;    /* "FILE:LINE:COLUMN" of the user's layer whose it is; NULL: the method's. Copied */
    bool frozen;           /* takes neither gradients nor statistics: set by hiss_model_slot, see hiss_model_freeze */
    int64_t offset, count; /* set by hiss_model_layout */
} hiss_slot;

typedef struct hiss_model hiss_model;
hiss_model *hiss_model_create(void);
void hiss_model_destroy(hiss_model *model);
/* The slot of that name: a new one, or the existing one when kind and shape agree (shared weights; the same layer in
 * another phase); -1 when they do not. */
int hiss_model_slot(hiss_model *model, const hiss_slot *slot);
int hiss_model_count(const hiss_model *model);
const hiss_slot *hiss_model_at(const hiss_model *model, int slot);
int hiss_model_find(const hiss_model *model, const char *name); /* -1 when unknown */
/* Where the values of the slot of that name begin in the vector. There must be one, laid out. */
int64_t hiss_model_offset(const hiss_model *model, const char *name);
/* Slots that are added from here on are frozen when they lie within one of names[count], which stay the caller's and
 * outlive the model. */
void hiss_model_freeze(hiss_model *model, int count, const char *const *names);
/* Whether the slot has this name, or one that begins with it and '/': the slots of a layer, and of all layers of a
 * part. */
bool hiss_slot_within(const hiss_slot *slot, const char *name);
/* Fix the offsets: no slot may be added afterwards. Slots start at multiples of 16 floats. */
void hiss_model_layout(hiss_model *model);
const int64_t *hiss_model_offsets(const hiss_model *model); /* [count], for hiss_exec_create */
int64_t hiss_model_floats(const hiss_model *model);         /* length of the vector */
int64_t hiss_model_parameters(const hiss_model *model);     /* trainable values, without padding */
/* Initial values: slot s draws from (seed, HISS_FOR_PARAMETERS, 0, s). vector[floats] is zeroed first. */
void hiss_model_initialize(const hiss_model *model, uint64_t seed, float *vector);
/* SHA-256 over names and values of parameters and buffers in slot order. */
void hiss_model_hash(const hiss_model *model, const float *vector, char text[HISS_HASH_TEXT]);

/* ---- named places of a network ---- */

enum { HISS_MAX_TAPS = 128, HISS_TAP_NAME = 48 };
typedef struct hiss_tap {
    char name[HISS_TAP_NAME];
    hiss_value value;
} hiss_tap;
typedef struct hiss_taps { /* in the order of the network; start it with count 0 */
    int count;
    hiss_tap tap[HISS_MAX_TAPS];
} hiss_taps;

/* Append a place (the name is copied). An error, which says so, and nothing added, when there are HISS_MAX_TAPS, when
 * one has this name, or when it has HISS_TAP_NAME characters or more. Not collective, as are the next two. */
hiss_status hiss_taps_add(hiss_taps *taps, const char *name, hiss_value value, hiss_error *err);
int hiss_taps_find(const hiss_taps *taps, const char *name); /* index of the one of this name; -1: none has it */
hiss_value hiss_taps_last(const hiss_taps *taps);            /* value of the last; -1 when there is none */

/* ---- layers ---- */

typedef struct hiss_builder { /* where layers are appended */
    hiss_graph *graph;
    hiss_model *model;
    bool training;           /* BatchNorm uses lane statistics, dropout drops */
    int group;               /* group of the parameters made from here on */
    const char *prefix;      /* of the names of slots made from here on, as in "left/"; NULL: none */
    const char *origin;      /* of the slots made from here on: see hiss_slot; hiss_network_build sets it meanwhile */
    unsigned trained_groups; /* bit g: this graph makes gradients of group g, and records its BatchNorm statistics */
    const double *deviation; /* of weights made from here on; 0: they start at 0. NULL: by their fan-in, see below */
    bool apart;              /* each layer of a network is a node of its own: hiss_graph_join joins none */
} hiss_builder;

/* Each returns the layer's output, -1 once the graph has failed; parameters are named NAME/weight, NAME/bias ...
 * Weights start normal with deviation sqrt(gain / fan_in), gain 2 (He et al. 2015, eq. 10), or the builder's; biases at
 * 0. */
hiss_value hiss_layer_conv(hiss_builder *b, const char *name, hiss_value x, int64_t F, int64_t kernel, int64_t stride,
                           int64_t pad, bool bias);
/* A convolution by windows of R x S with biases, stride 1, no padding: [N,H,W,C] -> [N,H-R+1,W-S+1,F]. Filters are
 * computed by sixteens, with zeros for those that are missing: kernels that add up each output in the order of its window
 * (all of blas but OpenBLAS's own, and ref) give it the same bits wherever it lies. */
hiss_value hiss_layer_conv_window(hiss_builder *b, const char *name, hiss_value x, int64_t F, int64_t R, int64_t S);
hiss_value hiss_layer_conv_transposed(hiss_builder *b, const char *name, hiss_value x, int64_t C, int64_t kernel,
                                      int64_t stride, int64_t pad, int64_t extra, bool bias);
hiss_value hiss_layer_linear(hiss_builder *b, const char *name, hiss_value x, int64_t F, bool bias);
/* NADE on rows x[M,D] with H hidden units: logits [M,D] (hiss_graph_nade). hidden: NULL, or out [M,H]: the units that have
 * seen the whole row. Weights start normal with deviation 0.01, NAME/in/weight and NAME/out/weight, both [D,H]; biases at 0. */
hiss_value hiss_layer_nade(hiss_builder *b, const char *name, hiss_value x, int64_t H, hiss_value *hidden);
/* A spatial LSTM of U units, [N,H,W,C] -> [N,H,W,U] (hiss_graph_spatial_lstm). Weights start normal with deviation
 * sqrt(1 / (C + 2U)), biases at 0. */
hiss_value hiss_layer_spatial_lstm(hiss_builder *b, const char *name, hiss_value x, int64_t U);
/* A step of long short-term memory on rows x [M,D], with hidden and cell [M,U]: what it said, and what it keeps, before and, when
 * it returns, after the step; returns hidden. NAME/weight [4U,D+U] starts normal with deviation sqrt(1 / (3U)), NAME/bias [4U] at
 * 0 (hiss_graph_lstm_cell has the order of the gates). */
hiss_value hiss_layer_lstm(hiss_builder *b, const char *name, hiss_value x, hiss_value *hidden, hiss_value *cell);
/* Back through the weights of the linear layer named tied_to, x[M,F] -> [M,D], with a bias of its own. */
hiss_value hiss_layer_linear_tied(hiss_builder *b, const char *name, const char *tied_to, hiss_value x, bool bias);
/* [K,D]: parameters, each row divided by its length, as the atoms of a dictionary; without weight decay. */
hiss_value hiss_layer_unit_rows(hiss_builder *b, const char *name, int64_t K, int64_t D);
/* Values that no graph changes: zeros, until the method sets them (hiss_epoch of hiss/objective.h). */
hiss_value hiss_layer_buffer(hiss_builder *b, const char *name, const char *part, hiss_shape shape);
/* x [M,F] times a gain for each column, NAME/gain, which starts at 1; without weight decay. */
hiss_value hiss_layer_gain(hiss_builder *b, const char *name, hiss_value x);
/* x [M,F] plus a bias for each column, NAME/bias, which starts at 0; without weight decay. */
hiss_value hiss_layer_shift(hiss_builder *b, const char *name, hiss_value x);
/* A parameter NAME/part whose values all start as one; without weight decay. */
hiss_value hiss_layer_parameter(hiss_builder *b, const char *name, const char *part, hiss_shape shape, double start);
hiss_value hiss_layer_batch_norm(hiss_builder *b, const char *name, hiss_value x); /* epsilon HISS_NORM_EPSILON */
/* The same without gain and bias. keeps: its statistics become the running ones of NAME; in training they need not be
 * kept. */
#define HISS_NORM_EPSILON 1e-5
hiss_value hiss_layer_normalize(hiss_builder *b, const char *name, hiss_value x, bool keeps);
hiss_value hiss_layer_dropout(hiss_builder *b, hiss_value x, double probability);
/* x and y derivatives (Sobel) of the mean over channels: [N,H,W,C] -> [N,H,W,2], pad 1; fixed. */
hiss_value hiss_layer_sobel(hiss_builder *b, hiss_value x);
/* The method adds to the gradient of this parameter in its hook of that name; no effect where this graph does not train
 * it. The slot must be there. */
void hiss_layer_own_gradient(hiss_builder *b, const char *slot);
/* A scalar of the step, averaged over lanes: logged as NAME. */
void hiss_layer_metric(hiss_builder *b, const char *name, hiss_value value);

/* ---- networks ---- */

typedef struct hiss_network {  /* section "network" */
    const char *preset;        /* used when layers is absent */
    int64_t width;             /* filters of the first layer: lenet-bn as many, resnet18 four times as many */
    const hiss_yaml *layers;   /* a list of layers */
    const hiss_config *config; /* where it was written, for messages; NULL: not known */
    bool maps;                 /* the layers before the first flatten alone, which images of any size share */
} hiss_network;
extern const hiss_row hiss_network_rows[];
extern const int hiss_network_nrows;

/* Append the network to x [N,H,W,C]. Layers, as YAML: `relu`, `{relu, from: a}`, `{conv: 32, kernel: 3, name: b}` ...;
 * see hiss_network_help. A tap NAME is the value at the end of the block that starts with the layer named NAME, before
 * the flatten that may end it.
 *   taps  out  emptied first
 * Errors name file:line:column of the layer, or of network.preset, and the least size of images that fits. */
hiss_status hiss_network_build(const hiss_network *network, hiss_builder *b, hiss_value x, hiss_value *out,
                               hiss_taps *taps, hiss_error *err);
/* After the layers a method appends to its network: the graph's status, and x as last tap NAME. Errors name the place
 * of the network in the config, for its names and shapes are what the user can change. */
hiss_status hiss_network_end(const hiss_network *network, hiss_builder *b, const char *name, hiss_value x,
                             hiss_taps *taps, hiss_error *err);
/* Height, width and channels of the images the preset is made for, as in "224x224x3"; NULL: a list of layers. */
const char *hiss_network_image(const hiss_network *network);
void hiss_network_help(FILE *stream); /* the layers and presets, for hiss train --help */

#endif
