/* Private to the multiscale method: its state, and its networks in parts. Not collective. */
#ifndef VIDEO_MULTISCALE_H
#define VIDEO_MULTISCALE_H

#include "hiss/objective.h"
#include "objective/parts/clip.h"

enum { MULTISCALE_SCALES = 4 };

typedef struct multiscale_options {
    int64_t past, future, width;
    double gdl, adversarial;
    bool mismatched;
} multiscale_options;

typedef struct multiscale {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: no training */
    const multiscale_options *options;
    struct multiscale_measured {             /* the graph of evaluation */
        hiss_value frame[VIDEO_MOST_FRAMES]; /* [m,H,W,C] of 0..1, true ones */
        hiss_value made[VIDEO_MOST_FRAMES];  /* of the true ones before */
    } measured;
} multiscale;

typedef struct multiscale_pyramid { /* [m,H/8,W/8,C], [m,H/4,W/4,C], [m,H/2,W/2,C], [m,H,W,C] */
    hiss_value scale[MULTISCALE_SCALES];
} multiscale_pyramid;

/* Of so many frames, one's channels after the other's. */
multiscale_pyramid video_multiscale_pyramid(hiss_graph *g, int64_t count, const hiss_value *frame);
/* Each pixel as a square of 2 x 2: [m,H,W,C] -> [m,2H,2W,C]. */
hiss_value video_multiscale_enlarge(hiss_graph *g, hiss_value x);
/* The frame after the given ones. middle: NULL, or out: the widest layer of each scale, [m,h,w,F]. */
multiscale_pyramid video_multiscale_generate(const multiscale *v, hiss_builder *b, const multiscale_pyramid *given,
                                             hiss_value middle[MULTISCALE_SCALES]);
/* That of the finest scale, cut to 0..1. */
hiss_value video_multiscale_frame(hiss_graph *g, const multiscale_pyramid *made);
/* Logits [m,1] that `frame` follows the given ones, at scale k. */
hiss_value video_multiscale_judge(const multiscale *v, hiss_builder *b, int k, hiss_value given, hiss_value frame);
/* scale * sum of ||change of truth| - |change of made|| of neighbouring pixels, down and across. */
hiss_value video_multiscale_gradient_difference(hiss_graph *g, hiss_value truth, hiss_value made, double scale);

extern const hiss_measure_ops video_multiscale_measure;
extern const hiss_forecast_ops video_multiscale_forecast;

#endif
