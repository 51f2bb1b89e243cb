/* Private to the svg method: its state, and its networks in parts. Not collective. */
#ifndef VIDEO_SVG_H
#define VIDEO_SVG_H

#include "hiss/objective.h"
#include "objective/parts/clip.h"

enum { SVG_PRIOR_LEARNED, SVG_PRIOR_FIXED, SVG_PRIOR_NONE };
enum { SVG_ACTIONS_NONE, SVG_ACTIONS_GIVEN };
enum { SVG_MOST_LEVELS = 6, SVG_MOST_LAYERS = 8 };

typedef struct svg_options {
    int64_t past, future, features, code, hidden, layers, latent;
    int prior, actions;
    double beta;
} svg_options;

typedef struct svg_values { /* of a graph over all frames of clips */
    hiss_value frame[VIDEO_MOST_FRAMES];
    hiss_value action[VIDEO_MOST_FRAMES]; /* [m,A] between a frame and the next one, where actions are given */
    hiss_value noise[VIDEO_MOST_FRAMES];  /* [m,K] of the latent of a frame; of frame 0 there is none */
    hiss_value mean[VIDEO_MOST_FRAMES], log_variance[VIDEO_MOST_FRAMES];             /* [m,K], of the posterior */
    hiss_value prior_mean[VIDEO_MOST_FRAMES], prior_log_variance[VIDEO_MOST_FRAMES]; /* the same of a learned prior */
    hiss_value made[VIDEO_MOST_FRAMES];                                              /* [m,H,W,C] */
} svg_values;

typedef struct svg {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: no training */
    const svg_options *options;
    const hiss_field *action; /* [T,A]; NULL: none are given */
    int64_t frames, levels;   /* of a clip; of the encoder, each of which halves height and width */
    svg_values training, measured;
} svg;

typedef struct svg_state { /* of a recurrent network: [m,hidden] of each layer */
    hiss_value hidden[SVG_MOST_LAYERS], cell[SVG_MOST_LAYERS];
} svg_state;

typedef struct svg_gaussian {
    hiss_value mean, log_variance; /* [m,K] */
} svg_gaussian;

/* code [m,code] of image [m,H,W,C], and what each level says, [m,H/2,W/2,features], [m,H/4,W/4,2 features], ... */
hiss_value video_svg_encode(const svg *v, hiss_builder *b, hiss_value image, hiss_value skip[SVG_MOST_LEVELS]);
/* Image [m,H,W,C] of 0..1 of a code and what the encoder's levels said. */
hiss_value video_svg_decode(const svg *v, hiss_builder *b, hiss_value code, const hiss_value skip[SVG_MOST_LEVELS]);
svg_state video_svg_start(const svg *v, hiss_builder *b, int64_t m, int64_t layers); /* zeros */
/* A step of prior or posterior, whose name it is, after a frame's code. */
svg_gaussian video_svg_gaussian(const svg *v, hiss_builder *b, const char *name, hiss_value code, svg_state *state);
/* Of frame t, after the codes of all frames up to it: the posterior, and a learned prior, which knows those before, into *out. */
void video_svg_infer(const svg *v, hiss_builder *b, int64_t t, const hiss_value *code, svg_state *posterior,
                     svg_state *prior, svg_values *out);
int64_t video_svg_actions(const svg *v); /* A, 0 where none are given */
/* Input [m,A] of what is done after frame t; -1 where no actions are given. */
hiss_value video_svg_action(const svg *v, hiss_builder *b, int64_t m, int64_t t);
/* Those of sample i of the lane into these inputs. */
void video_svg_put_actions(const svg *v, const hiss_lane *lane, int64_t i, const hiss_value *action);
/* The code of the next frame, after that of a frame, the latent of the next one and what is done between them; latent: -1 without a
 * prior, action: -1 without actions. */
hiss_value video_svg_foretell(const svg *v, hiss_builder *b, hiss_value code, hiss_value latent, hiss_value action,
                              svg_state *state);
int64_t video_svg_skipped(const svg *v, int64_t t); /* the frame whose levels the decoder of frame t sees */

extern const hiss_measure_ops video_svg_measure;
extern const hiss_forecast_ops video_svg_forecast;

#endif
