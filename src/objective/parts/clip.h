/* Private to src/objective: the frames of clips. Not collective. */
#ifndef HISS_OBJECTIVE_PARTS_CLIP_H
#define HISS_OBJECTIVE_PARTS_CLIP_H

#include "hiss/objective.h"

enum { VIDEO_MOST_FRAMES = 100 };
#define VIDEO_FIELD_CLIP   "clip"
#define VIDEO_FIELD_ACTION "action"

/* Whether clips have `frames` frames of the size of the network's input, and pixels go in as 0..1. Errors (HISS_EUSER). */
hiss_status objective_video_expect_clips(const char *method, const hiss_task *task, int64_t frames, const char *keys,
                                         hiss_error *err);
/* Field hit [T,items], uint8, of which an item is not 0 in the frame in which it hits the edge; NULL: there is none of so many
 * frames. */
const hiss_field *objective_video_hits(const hiss_task *task, int64_t frames);
bool objective_video_hit(const hiss_lane *lane, int64_t i, const hiss_field *hits,
                         int64_t t); /* whether any does in frame t */
/* Field action, float32 [T,A], of at least so many frames: row t is what is done between frames t and t + 1. key: of the setting
 * that asks for it, for messages. Errors (HISS_EUSER). */
hiss_status objective_video_expect_actions(const hiss_task *task, int64_t frames, const char *key,
                                           const hiss_field **out, hiss_error *err);
/* The mean squared error of two frames [H,W,C]. */
double objective_video_squared(const hiss_task *task, const float *a, const float *b);
double objective_video_decibels(double mean); /* of an error of pixels of 0..1; NAN of 0 */
/* [1] added up; sum -1: nothing yet. */
hiss_value objective_video_sum(hiss_graph *graph, hiss_value sum, hiss_value x);
/* Inputs [m,H,W,C] of frames 0 .. frames - 1, NAME0, NAME1, ... */
void objective_video_frame_inputs(const hiss_task *task, hiss_graph *graph, const char *name, int64_t m, int64_t frames,
                                  hiss_value *frame);
/* Frame t of sample i, in pixels of 0..1: out [H,W,C]. */
void objective_video_frame(const hiss_lane *lane, int64_t i, int64_t t, float *out);
/* All frames of sample i into their inputs. */
void objective_video_put_frames(const hiss_lane *lane, int64_t i, int64_t frames, const hiss_value *frame);

#endif
