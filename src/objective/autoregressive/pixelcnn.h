/* Private to the pixelcnn method: its state, and its network in two parts. */
#ifndef AUTOREGRESSIVE_PIXELCNN_H
#define AUTOREGRESSIVE_PIXELCNN_H

#include "hiss/objective.h"

enum { PIXELCNN_MOST_LAYERS = 32, PIXELCNN_NAME = 40 };

typedef struct pixelcnn_options {
    int64_t levels, features, layers, first, kernel, output;
    bool place, conditional;
} pixelcnn_options;

typedef struct pixelcnn_made { /* values of a graph that makes images: alike in all that one method builds */
    hiss_value image, row, class, logits;
    hiss_value link[PIXELCNN_MOST_LAYERS], above[PIXELCNN_MOST_LAYERS];
} pixelcnn_made;

typedef struct pixelcnn {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: no training */
    const pixelcnn_options *options;
    hiss_value measured; /* logits of the graph of measure */
    pixelcnn_made made;
} pixelcnn;

int64_t autoregressive_pixelcnn_logits(const pixelcnn *p); /* of a pixel */

/* The vertical stack on image [N,H,W,1]: link[l] [N,H,W,2F] is what it tells layer l of the horizontal stack of a row,
 * knowing the rows above alone. class: [N, classes] or -1. Not collective, as is the next. */
void autoregressive_pixelcnn_vertical(const pixelcnn *p, hiss_builder *b, hiss_value image, hiss_value class,
                                      hiss_value *link);
/* The horizontal stack and the output on rows [N,R,W,1] with what the vertical one tells them: logits [N,R,W,K]. The
 * layers' maps, as means over squares, become places of taps, unless that is NULL. */
hiss_status autoregressive_pixelcnn_horizontal(const pixelcnn *p, hiss_builder *b, hiss_value rows, hiss_value class,
                                               const hiss_value *link, hiss_taps *taps, hiss_value *logits,
                                               hiss_error *err);
/* Input "class", ones at the class of each image; -1 without classes. */
hiss_value autoregressive_pixelcnn_class(const pixelcnn *p, hiss_graph *graph, int64_t m);
void autoregressive_pixelcnn_set_class(const pixelcnn *p, const hiss_lane *lane, int64_t i, int64_t class);

/* The next pass of making images, of which the rows above `first` are given: see hiss_generation_ops.advance. */
bool autoregressive_pixelcnn_advance(const pixelcnn *p, const hiss_lane *lane, int64_t pass, uint64_t seed,
                                     int64_t first, int *begin, int *end);
hiss_status autoregressive_pixelcnn_make(pixelcnn *p, hiss_builder *b, int64_t m, hiss_error *err);

extern const hiss_measure_ops autoregressive_pixelcnn_measure;
extern const hiss_generation_ops autoregressive_pixelcnn_generation;

#endif
