/* Private to the sv2p method: its state, and its networks in parts. Not collective. */
#ifndef VIDEO_SV2P_H
#define VIDEO_SV2P_H

#include "hiss/objective.h"
#include "objective/parts/clip.h"

enum { SV2P_RANDOM, SV2P_FREE, SV2P_PAID, SV2P_PHASES }; /* what the latent is in a phase: see sv2p.c */

typedef struct sv2p_options {
    int64_t past, future, features, kernels, window, latent, random_epochs, free_epochs, sampling;
    double beta, rise_epochs;
} sv2p_options;

typedef struct sv2p {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: no training */
    const sv2p_options *options;
    int64_t frames;                                                      /* of a clip */
    struct sv2p_measured {                                               /* the graph of evaluation */
        hiss_value frame[VIDEO_MOST_FRAMES], mean, log_variance;         /* [m,H,W,C] of 0..1; [m,K] of the posterior */
        hiss_value expected[VIDEO_MOST_FRAMES], told[VIDEO_MOST_FRAMES]; /* made with the mean of prior and posterior */
    } measured;
} sv2p;

typedef struct sv2p_state { /* [m,H/4,W/4,2 features] of the convolutional memory */
    hiss_value hidden, cell;
} sv2p_state;

typedef struct sv2p_gaussian {
    hiss_value mean, log_variance; /* [m,K] */
} sv2p_gaussian;

/* What the maps of an image [m,H,W,C] say: [m,H/2,W/2,features] and [m,H/4,W/4,2 features]. */
void video_sv2p_encode(const sv2p *v, hiss_builder *b, hiss_value image, hiss_value map[2]);
sv2p_state video_sv2p_start(const sv2p *v, hiss_builder *b, int64_t m); /* zeros */
hiss_shape video_sv2p_memory(const sv2p *v, int64_t m);                 /* of either value of a state */
/* The next frame [m,H,W,C] after frame `seen`, with latent [m,K]. */
hiss_value video_sv2p_step(const sv2p *v, hiss_builder *b, hiss_value seen, hiss_value latent, sv2p_state *state);
/* Of all frames of clips. */
sv2p_gaussian video_sv2p_posterior(const sv2p *v, hiss_builder *b, const hiss_value *frame);

extern const hiss_measure_ops video_sv2p_measure;
extern const hiss_forecast_ops video_sv2p_forecast;

#endif
