/* Private to src/objective: scenes that patches are cut out of, and what is done to a patch. Not collective. */
#ifndef HISS_OBJECTIVE_PARTS_PATCHES_H
#define HISS_OBJECTIVE_PARTS_PATCHES_H

#include <stddef.h>

#include "hiss/objective.h"
#include "hiss/rng.h"

typedef struct objective_scene_options {
    int64_t canvas;
    double scale, texture;
} objective_scene_options;

enum { OBJECTIVE_SCENE_MOST = 4096 }; /* the largest canvas */

/* Rows of options with member `member` of this type. */
#define OBJECTIVE_SCENE_ROWS(options, member)                                                                          \
    {"canvas",                                                                                                         \
     HISS_INT,                                                                                                         \
     offsetof(options, member.canvas),                                                                                 \
     "48",                                                                                                             \
     0,                                                                                                                \
     OBJECTIVE_SCENE_MOST,                                                                                             \
     NULL,                                                                                                             \
     "images smaller than this are put at random on a textured canvas of this side; 0: never"},                        \
        {"scale",                                                                                                      \
         HISS_FLOAT,                                                                                                   \
         offsetof(options, member.scale),                                                                              \
         "0.55",                                                                                                       \
         0.1,                                                                                                          \
         1,                                                                                                            \
         NULL,                                                                                                         \
         "unless canvas is 0: height and width of a thing become this share of the canvas's, or any up to the whole"}, \
    {                                                                                                                  \
        "texture", HISS_FLOAT, offsetof(options, member.texture), "0.02", 0, 1, NULL,                                  \
            "unless canvas is 0: strength of the noise where an image is darkest, as a share of its range"             \
    }

/* What patches are cut out of: the network's input as it is, or a canvas with it somewhere. Set by objective_scene_of,
 * the values by objective_scene_inputs. */
typedef struct objective_scene {
    const objective_scene_options *options;
    int64_t image_H, image_W; /* of the network's input */
    int64_t H, W, C;
    bool canvas;
    hiss_value image, painted;
} objective_scene;

objective_scene objective_scene_of(const objective_scene_options *options, const hiss_task *task);
/* Add the graph's inputs that hold the scenes of m samples. */
void objective_scene_inputs(objective_scene *scene, hiss_builder *b, int64_t m);
/* Sample i's view by the default hook, put on its canvas by draws of rng; the scene's pixels [H,W,C]. Thread-safe. */
const float *objective_scene_paint(const objective_scene *scene, const hiss_lane *lane, int64_t i, hiss_rng *rng);
/* The same pixels, once painted. */
const float *objective_scene_pixels(const objective_scene *scene, const hiss_lane *lane, int64_t i);

/* out [side, side, C]: the square whose corner is y, x. On a canvas, a torus, these are any numbers, and the square goes
 * on at the opposite edge; else it lies within the scene. */
void objective_patch_cut(const objective_scene *scene, const float *pixels, int64_t y, int64_t x, int64_t side,
                         float *out);
/* Mean 0 and mean square 1, over all its pixels, or channel by channel; a patch of one grey becomes zeros. */
void objective_patch_normalize(int64_t pixels, int64_t C, float *patch);
void objective_patch_normalize_channels(int64_t pixels, int64_t C, float *patch);
/* Colour dropping: one channel stays, drawn by rng, and has mean 0; the others become noise of a hundredth of its
 * deviation. Then the mean square over all channels is made 1. */
void objective_patch_drop_colors(int64_t pixels, int64_t C, float *patch, hiss_rng *rng);

#endif
