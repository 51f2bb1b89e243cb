/* Private to src/objective/color: networks that end in a map, and bins of colour as what they are to say. */
#ifndef HISS_OBJECTIVE_COLOR_AB_H
#define HISS_OBJECTIVE_COLOR_AB_H

#include "hiss/objective.h"
#include "objective/parts/lab.h"

enum { COLOR_L, COLOR_A, COLOR_B, COLOR_CHANNELS };
static const float COLOR_UNIT = 50.0f; /* of the view lab: channels are (L - 50) / 50, a / 50, b / 50 */

/* Inputs of methods: the view lab of a colour image. */
extern const hiss_input color_inputs[];

/* ---- networks that end in a map ---- */

/* Append channels [first, first + count) of image [N,H,W,3], and on them the network up to its first flatten, with names
 * of slots and places below prefix ("" or as in "left/"): map [N,h,w,C].
 *   taps  out  its places; emptied first
 * Errors (HISS_EUSER) name the key to change, among them those of a network that ends in no map. Not collective. */
hiss_status color_map(const hiss_task *task, const char *method, hiss_builder *b, const char *prefix, hiss_value image,
                      int64_t first, int64_t count, hiss_taps *taps, hiss_value *map, hiss_error *err);
/* Rows and columns h, w of the map. Errors (HISS_EUSER) are those of color_map, and images without three channels, or
 * with other pixels than those of 0..1. Not collective. */
hiss_status color_map_size(const hiss_task *task, const char *method, int64_t count, int64_t *h, int64_t *w,
                           hiss_error *err);
/* [N,h,w,C] -> [N h w, F], one linear layer `name` on each place. */
hiss_value color_head(hiss_builder *b, const char *name, hiss_value map, int64_t F);
/* The pixel that stands for place k of a map of h x w: the first of its cell. */
int64_t color_pixel_of(const hiss_task *task, int64_t h, int64_t w, int64_t k);

/* ---- bins of colour ---- */

typedef struct color_options { /* in the section of each method */
    bool rebalance;
    double uniform, sigma;
    int64_t neighbors;
} color_options;
#define COLOR_ROWS(type, field, when)                                                                                  \
    {"rebalance",                                                                                                      \
     HISS_BOOL,                                                                                                        \
     offsetof(type, field.rebalance),                                                                                  \
     "true",                                                                                                           \
     0,                                                                                                                \
     0,                                                                                                                \
     NULL,                                                                                                             \
     when "weigh places, so that rare colours count as much as frequent ones"},                                        \
        {"uniform",                                                                                                    \
         HISS_FLOAT,                                                                                                   \
         offsetof(type, field.uniform),                                                                                \
         "0.5",                                                                                                        \
         1e-6,                                                                                                         \
         1,                                                                                                            \
         NULL,                                                                                                         \
         "rebalance true: share of the uniform distribution in that of colours, by whose inverse places are weighed"}, \
        {"neighbors",                                                                                                  \
         HISS_INT,                                                                                                     \
         offsetof(type, field.neighbors),                                                                              \
         "10",                                                                                                         \
         1,                                                                                                            \
         OBJECTIVE_AB_NEIGHBORS,                                                                                       \
         NULL,                                                                                                         \
         "nearest bins that share a colour; 1: its own bin alone"},                                                    \
    {                                                                                                                  \
        "sigma", HISS_FLOAT, offsetof(type, field.sigma), "5", 0.01, 1000, NULL,                                       \
            "unless neighbors is 1: deviation of the Gaussian by which they share it, in units of a and b"             \
    }

typedef struct color_ab {
    const hiss_task *task;
    const color_options *options;
    objective_ab_bins bins;
    int64_t h, w;   /* places */
    float *weight;  /* [Q] of a place by its bin: a state of the run */
    hiss_value bin; /* of the training graph */
} color_ab;
void color_ab_open(color_ab *c, const hiss_task *task, const color_options *options, int64_t h, int64_t w);
void color_ab_close(color_ab *c);
/* Append the inputs of m samples; they stand before the cut, whose place is the caller's. */
void color_ab_inputs(color_ab *c, hiss_builder *b, int64_t m);
/* The weighted cross-entropy of bins [N h w, Q], the mean over places; metrics PREFIXunweighted, the same without weights,
 * and colorful, the share of places in images that have a colour. */
hiss_value color_ab_loss(const color_ab *c, hiss_builder *b, hiss_value bins, const char *prefix);
/* Sample i's bins, targets and weights, of its image in the input "image". Thread-safe. */
void color_ab_fill(const color_ab *c, const hiss_lane *lane, int64_t i);
/* At the begin of the run's first epoch: measure how frequent colours are, and derive the weights. Errors are those of
 * reading, and images that are all grey. Collective. */
hiss_status color_ab_begin(color_ab *c, const hiss_placement *p, const hiss_epoch *e, hiss_error *err);
int color_ab_states(color_ab *c, hiss_state *out); /* how many it has written */
/* Shares of bins over the training set [Q], which color_ab_inputs made a buffer of the model. */
const float *color_ab_prior(const hiss_model *model, const float *vector);
/* Whether an image [H,W,3] of the view has a colour: a or b above 5 somewhere. */
bool color_is_colorful(const hiss_task *task, const float *image);

#endif
