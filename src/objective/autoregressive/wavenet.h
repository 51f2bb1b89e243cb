/* Private to the wavenet method: its state, and its network in parts. */
#ifndef AUTOREGRESSIVE_WAVENET_H
#define AUTOREGRESSIVE_WAVENET_H

#include "hiss/objective.h"
#include "objective/parts/mu_law.h"

enum { WAVENET_MOST_BLOCKS = 16, WAVENET_MOST_LAYERS = 16, WAVENET_NAME = 40 };

typedef struct wavenet_options {
    int64_t first, residual, gates, skip, output, blocks, layers;
    bool conditional;
    double seconds;
} wavenet_options;

typedef struct wavenet {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: no training */
    const wavenet_options *options;
    int64_t T;           /* values of a row */
    hiss_value measured; /* logits of the graph of measure */
} wavenet;

/* Values before one that its probability depends on. Not collective, as are the others. */
int64_t autoregressive_wavenet_reach(const wavenet_options *o);
int64_t autoregressive_wavenet_margin(const wavenet *w); /* of a row: values that are not predicted */
int64_t autoregressive_wavenet_dilation(const wavenet_options *o,
                                        int64_t layer); /* of layers 0 .. blocks x layers - 1 */

/* Logits [m,1,T - margin,256] of the values from margin on of sound [m,1,T,1]. class: [m, classes] or -1. What layers say,
 * as means over time, becomes places of taps, unless that is NULL. */
hiss_status autoregressive_wavenet_rows(const wavenet *w, hiss_builder *b, hiss_value sound, hiss_value class,
                                        hiss_taps *taps, hiss_value *logits, hiss_error *err);

typedef struct wavenet_step { /* values of a graph that makes one value of each of m sounds */
    hiss_value before;        /* input [m,1,first,1], the values before it */
    hiss_value class;         /* input; -1: none */
    hiss_value past[WAVENET_MOST_BLOCKS * WAVENET_MOST_LAYERS]; /* inputs [m,1,1,R]: of a layer, a dilation ago */
    hiss_value now[WAVENET_MOST_BLOCKS * WAVENET_MOST_LAYERS];  /* what will be that */
    hiss_value logits;                                          /* [m,1,1,256] */
} wavenet_step;
hiss_status autoregressive_wavenet_step(const wavenet *w, hiss_builder *b, int64_t m, wavenet_step *out,
                                        hiss_error *err);

/* Input "class", ones at the class of each sound; -1 without classes. */
hiss_value autoregressive_wavenet_class(const wavenet *w, hiss_graph *graph, int64_t m);
void autoregressive_wavenet_set_class(const wavenet *w, const hiss_lane *lane, int64_t i, int64_t class);
/* See hiss_sound_ops. logits [sounds, count, 256]: those by which values are drawn, none of which is then left out at the
 * beginning; NULL: not wanted. */
hiss_status autoregressive_wavenet_make(const wavenet *w, const hiss_model *model, const float *vector, uint64_t seed,
                                        int64_t first, int64_t sounds, int64_t count, const int64_t *wanted, float *out,
                                        float *logits, hiss_error *err);

extern const hiss_measure_ops autoregressive_wavenet_measure;
extern const hiss_sound_ops autoregressive_wavenet_sound;

#endif
