/* What multi-scale video prediction measures of itself: the next frame, of true ones before it. How near it is (PSNR), how near
 * its edges are to the true ones in strength and place (sharpness difference: Mathieu, Couprie & LeCun 2016, section 4.2), and how
 * strong they are at all (sharpness: the mean of |g| over that of the true frame, where g is the absolute difference to the pixel
 * above plus that to the pixel on the left). A frame that is blurred has weak edges; one that is sharp in the wrong place has
 * strong ones, and is further from the true one than the blurred one is.
 *
 * Where the data say when something hits the edge (field hit, see svg_measure.c), frames after a hit, which cannot be foretold,
 * and all others are told apart. Decibels are those of means over frames. */
#include <math.h>
#include <string.h>

#include "hiss/alloc.h"
#include "objective/parts/judge.h"
#include "objective/video/multiscale.h"

enum { ALL, AFTER, REST, TIMES };
/* Sums over frames: how many; squared error, and gap of edges, of the made frame and of the one before it; edges of made and
 * true ones. */
enum { FRAMES, ERROR, GAP, COPY_ERROR, COPY_GAP, EDGES, TRUE_EDGES, SUMS };
enum { TRAINING = 100 };

static int64_t frames_of(const multiscale *v) {
    return v->options->past + v->options->future;
}

static const hiss_field *hit_field(const multiscale *v) {
    return objective_video_hits(v->task, frames_of(v));
}

static int64_t width(void *self) {
    return (hit_field(self) ? TIMES : 1) * SUMS;
}

static hiss_status build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    multiscale *v = self;
    hiss_graph *g = b->graph;
    struct multiscale_measured *x = &v->measured;
    const int64_t past = v->options->past;
    objective_video_frame_inputs(v->task, g, "frame", m, frames_of(v), x->frame);
    for (int64_t t = 0; t < frames_of(v) && hiss_graph_status(g, err) == HISS_OK; t++) {
        hiss_graph_keep(g, x->frame[t]);
        if (t >= past) {
            const multiscale_pyramid given = video_multiscale_pyramid(g, past, x->frame + t - past),
                                     made = video_multiscale_generate(v, b, &given, NULL);
            x->made[t] = video_multiscale_frame(g, &made);
        }
    }
    const hiss_status s = hiss_graph_status(g, err);
    for (int64_t t = past; t < frames_of(v) && s == HISS_OK; t++) {
        hiss_graph_keep(g, x->made[t]);
    }
    return s;
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const multiscale *v = self;
    objective_video_put_frames(lane, i, frames_of(v), v->measured.frame);
}

/* ---- one clip ---- */

typedef struct likeness {
    double error, gap, edges, true_edges; /* means over pixels */
} likeness;

static double edge(int64_t stride, int64_t C, const float *pixel) {
    const double here = (double)pixel[0];
    return fabs(here - (double)pixel[-stride]) + fabs(here - (double)pixel[-C]);
}

static likeness compare(const hiss_task *task, const float *truth, const float *made) {
    const int64_t H = task->H, W = task->W, C = task->C, stride = W * C;
    const double pixels = (double)(H * stride), inner = (double)((H - 1) * (W - 1) * C);
    likeness l = {0};
    for (int64_t k = 0; k < H * stride; k++) {
        const double miss = (double)truth[k] - (double)made[k];
        l.error += miss * miss / pixels;
        if (k >= stride && k % stride >= C) {
            const double of_truth = edge(stride, C, truth + k), of_made = edge(stride, C, made + k);
            l.gap += fabs(of_truth - of_made) / inner;
            l.edges += of_made / inner;
            l.true_edges += of_truth / inner;
        }
    }
    return l;
}

static void add(float *sums, const likeness *made, const likeness *copy) {
    sums[FRAMES] += 1.0f;
    sums[ERROR] += (float)made->error;
    sums[GAP] += (float)made->gap;
    sums[COPY_ERROR] += (float)copy->error;
    sums[COPY_GAP] += (float)copy->gap;
    sums[EDGES] += (float)made->edges;
    sums[TRUE_EDGES] += (float)made->true_edges;
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const multiscale *v = self;
    const struct multiscale_measured *x = &v->measured;
    const hiss_field *hit = hit_field(v);
    memset(out, 0, sizeof *out * (size_t)width(self));
    for (int64_t t = v->options->past; t < frames_of(v); t++) {
        const float *truth = hiss_lane_values(lane, x->frame[t], i);
        const likeness made = compare(v->task, truth, hiss_lane_values(lane, x->made[t], i)),
                       copy = compare(v->task, truth, hiss_lane_values(lane, x->frame[t - 1], i));
        add(out + ALL * SUMS, &made, &copy);
        if (hit) {
            add(out + (objective_video_hit(lane, i, hit, t - 1) ? AFTER : REST) * SUMS, &made, &copy);
        }
    }
}

/* ---- what is said ---- */

static const double nan_ = (double)NAN;

static void say(const hiss_measured *m, int time) {
    static const char *const group[] = {"the next frame, of true ones", "the next frame after a hit",
                                        "the next frame elsewhere"},
                             *const psnr[] = {"next_psnr", "next_psnr_after_hit", "next_psnr_elsewhere"},
                             *const gap[] = {"next_sharpness_difference", "next_sharpness_difference_after_hit",
                                             "next_sharpness_difference_elsewhere"},
                             *const sharp[] = {"next_sharpness", "next_sharpness_after_hit",
                                               "next_sharpness_elsewhere"};
    const double *sum = m->test_mean + time * SUMS, frames = sum[FRAMES];
    if (frames <= 0.0) {
        return;
    }
    const int64_t n = (int64_t)llround(frames * (double)m->test);
    objective_say(m, group[time], psnr[time], "PSNR", "dB", objective_video_decibels(sum[ERROR] / frames), nan_,
                  objective_video_decibels(sum[COPY_ERROR] / frames), n);
    objective_say(m, group[time], gap[time], "sharpness difference", "dB", objective_video_decibels(sum[GAP] / frames),
                  nan_, objective_video_decibels(sum[COPY_GAP] / frames), n);
    objective_say(m, group[time], sharp[time], "sharpness", "% of true", 100.0 * sum[EDGES] / sum[TRUE_EDGES], nan_,
                  nan_, n);
}

static hiss_status conclude(void *self, const hiss_measured *m, hiss_error *err) {
    (void)err;
    for (int time = 0; time < (hit_field(self) ? TIMES : 1); time++) {
        say(m, time);
    }
    m->remark(m->say, "PSNR and sharpness difference: of means over frames; both are higher the more alike frames are. "
                      "Sharpness: how strong edges are, wherever they are.");
    return HISS_OK;
}

const hiss_measure_ops video_multiscale_measure = {
    .baseline = "the frame before",
    .training = TRAINING,
    .width = width,
    .build = build,
    .sample = sample,
    .measure = measure,
    .conclude = conclude,
};
