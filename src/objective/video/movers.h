/* Private to src/objective/video: objects that move. Masks of motion that nobody taught, and the state that training and
 * measures share. Not collective. */
#ifndef HISS_OBJECTIVE_VIDEO_MOVERS_H
#define HISS_OBJECTIVE_VIDEO_MOVERS_H

#include "objective/parts/clip.h"

#define MOVERS_NAME "moving_objects"

enum { MOVERS_LINEAR, MOVERS_LOCAL, MOVERS_MOST_SIDE = 1024 };

typedef struct movers_options {
    int64_t cell, features;
    int head;
    double low, high;    /* differences from the median, pixels of 0..1 */
    double still, moves; /* motion of a cell */
    double least, most;  /* shares of cells that move */
    bool shuffled;
} movers_options;

typedef struct movers {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: no training */
    const movers_options *options;
    int64_t frames, middle; /* of a clip; the one that the network sees */
    int64_t rows, columns;  /* of the mask, in cells */
    int64_t h, w;           /* of the map */
    hiss_value image, mask; /* of the graph of measures */
} movers;

/* Where cell (y, x) lies in the mask of an image. */
int64_t video_movers_cell(const movers *v, int64_t y, int64_t x);
/* Motion of each cell of the middle frame of clip i, 0..1: out [rows * columns], in the order of video_movers_cell. */
void video_movers_motion(const movers *v, const hiss_lane *lane, int64_t i, float *out);
/* Whether as much of it moves as the options ask for. motion [rows * columns] */
bool video_movers_credible(const movers *v, const float *motion);
/* What the loss makes of the motion of sample i: weight [rows * columns] in that order, 1 where it moves, -1
 * where it stands still, 0 where it is ignored, as all of it is where *left_out becomes 1. */
void video_movers_weights(const movers *v, const hiss_lane *lane, int64_t i, float *weight, float *left_out);
/* Append the layers before the first flatten to image [N,H,W,C]: map [N,h,w,F]. Errors (HISS_EUSER) name network.layers or
 * network.preset. */
hiss_status video_movers_map(const hiss_task *task, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_value *map,
                             hiss_error *err);
/* h and w of that map for the task's images. Errors as above. */
hiss_status video_movers_map_size(movers *v, hiss_error *err);
/* Logits of the mask: [N, rows * columns], in the order of video_movers_cell. */
hiss_status video_movers_mask(const movers *v, hiss_builder *b, hiss_value image, hiss_value *mask, hiss_error *err);

extern const hiss_measure_ops video_movers_measure;

#endif
