/* Private to src/objective/sound: options and state of ambient_sound, which training and measures share. */
#ifndef HISS_OBJECTIVE_SOUND_AMBIENT_SOUND_H
#define HISS_OBJECTIVE_SOUND_AMBIENT_SOUND_H

#include "hiss/objective.h"
#include "objective/parts/cochleagram.h"

#define AMBIENT_FIELD "sound"

typedef struct ambient_options {
    int64_t clusters, bands, rate;
    bool shuffled;
} ambient_options;

typedef struct ambient_graph {
    hiss_value image, statistics; /* inputs [m,H,W,C], [m,S] */
    hiss_value workspace;         /* input: scratch of statistics, for no two threads run one graph's values */
    hiss_value near, scores;      /* [m, clusters]: largest for the nearest centre; what the network says */
} ambient_graph;

typedef struct ambient {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: no training */
    const ambient_options *options;
    const hiss_field *sound; /* NULL: only encode() will be called */
    cochleagram hearing;
    ambient_graph training, measured;
    int64_t first, local; /* samples of this rank */
    int64_t *cluster;     /* [local] */
} ambient;

/* Append the network on m images, and what finds the clusters of their sounds. Not collective, as is the next. */
hiss_status sound_graph(ambient *a, hiss_builder *b, int64_t m, ambient_graph *g, hiss_error *err);
/* Statistics of the sound of sample i, into the graph's input. For one sample of a lane at a time. */
void sound_hear(const ambient *a, const hiss_lane *lane, int64_t i, const ambient_graph *g);

extern const hiss_measure_ops sound_measure;

#endif
