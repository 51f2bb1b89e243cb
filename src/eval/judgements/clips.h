/* Private to src/eval/judgements: test clips that are judged one by one. */
#ifndef EVAL_JUDGEMENTS_CLIPS_H
#define EVAL_JUDGEMENTS_CLIPS_H

#include "eval/judgements/judgements.h"

/* Numbers of clip i of those that are judged, which is sample 0 of the batch, into out, which is 0. Not collective. */
typedef hiss_status eval_clip_judge(void *user, int64_t i, const hiss_batch *batch, float *out, hiss_error *err);
typedef struct eval_clips {
    const hiss_eval_env *env;
    const char *subject, *what;     /* for messages: "trained", "futures" */
    const hiss_sample_range *drawn; /* the clips */
    int64_t batch, width;           /* samples read at a time; numbers of a clip */
    eval_clip_judge *judge;
    void *user;
} eval_clips;
/* Each clip is judged by one rank, as a whole: all [clips, width] on every rank. Errors are common. Collective. */
hiss_status eval_clips_judge(const eval_clips *c, float *all, hiss_error *err);
/* The first clips alone, here: out [clips, width]. Not collective. */
hiss_status eval_clips_judge_first(const eval_clips *c, int64_t clips, float *out, hiss_error *err);
/* Field place, float32 [T, things, 2], of as many frames as the clips have; NULL: there is none. */
const hiss_field *eval_clips_place(const hiss_forecaster *by, const hiss_dataset *set);
/* Mean and standard deviation (n - 1) of each number, [width] each. Not collective, as are the others. */
void eval_clips_moments(int64_t clips, int64_t width, const float *all, double *mean, double *deviation);
double eval_clips_mean(int64_t count, const double *x);

/* A row of a picture [given + foretold, H, W, C]: the given frames of the clip, and then those of a future [foretold, H, W, C]. */
void eval_clips_put(const hiss_forecaster *by, const float *clip, const float *future, float *out);

enum { EVAL_CLIPS_PATH = 4096 };
/* NAME.png, an animation, and NAME-strips.png in that directory: pixels [rows, columns, given + foretold, H, W, C]. Foretold frames
 * have a red border, but for columns whose bit is set in seen; all others a green one. Errors: those of writing. */
hiss_status eval_clips_write(const hiss_forecaster *by, const char *directory, const char *name, int64_t clip_rows,
                             int64_t columns, unsigned seen, const float *pixels, hiss_error *err);

/* What is done after each frame of the clips, of field `action`: all [clips, frames, A]. Errors: those of reading. */
hiss_status eval_clips_actions(const hiss_forecaster *by, const hiss_sample_range *drawn, float *all, hiss_error *err);
/* Actions [frames, A] of a future that goes on from given frames as `own` says up to the last of them, and then as `then`, of the
 * same frames, says; NULL: nothing is done. */
void eval_clips_join(const hiss_forecaster *by, const float *own, const float *then, float *out);
/* Mean squared error of frames [H, W, C]. */
double eval_clips_error(const hiss_forecaster *by, const float *a, const float *b);

#endif
