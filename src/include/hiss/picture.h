/* Pictures as files: stills, and pictures that move. */
#ifndef HISS_PICTURE_H
#define HISS_PICTURE_H

#include <stdint.h>

#include "hiss/status.h"

/* Write pixels[H,W,C] (C 1 or 3) as PNG, durably (libpng, in src/data/image.c). Errors: HISS_EUSER, other channels or more than
 * 2^27 pixels; those of writing. Not collective. */
hiss_status hiss_png_write(const char *path, int64_t H, int64_t W, int64_t C, const uint8_t *pixels, hiss_error *err);

/* A picture that moves. Open struct; owns nothing. */
typedef struct hiss_animation {
    int64_t frames, H, W; /* frames: 1 .. INT32_MAX */
    int milliseconds;     /* that a frame stays, 1 .. 65535 */
    /* Frames 0, 1, ... in turn: pixels [H,W,3], which are those of the frame before, and zeros at first. */
    void (*paint)(void *user, int64_t frame, uint8_t *pixels);
    void *user;
} hiss_animation;
/* Write it as an animated PNG that starts again at its end, durably; programs that do not know these show the first frame.
 * Memory: two frames. Errors: HISS_EUSER, more than 2^27 pixels; those of writing. Not collective. */
hiss_status hiss_animation_write(const char *path, const hiss_animation *animation, hiss_error *err);

/* Clips that are to be seen side by side. Open struct; owns nothing. */
typedef enum hiss_clip_border {
    HISS_BORDER_NONE,
    HISS_BORDER_GIVEN, /* green: the frame is what was given */
    HISS_BORDER_MADE,  /* red: it is what was made of that */
} hiss_clip_border;
typedef struct hiss_clips {
    int64_t rows, columns, T, H, W, C;
    const float *pixels;   /* [rows, columns, T, H, W, C] of 0..1, cut there */
    const uint8_t *border; /* [rows, columns, T] of hiss_clip_border; NULL: none, and no room for any */
    int milliseconds;      /* that a frame stays, 1 .. 65535 */
} hiss_clips;

#endif
