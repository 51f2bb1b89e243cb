/* What stochastic variational video prediction measures of itself, with the true frames before each: how wrong the next frame is when the
 * latent is the prior's mean, 0, which knows nothing of the clip, and when it is the posterior's, which has seen the whole of it. What
 * lies between them is what the latent tells, and its divergence in nats is what that takes.
 *
 * Where the data say when something hits the edge (field hit, see svg_measure.c), frames after a hit and all others are told apart, but
 * for a clip's second, before which nothing was seen to move. */
#include <math.h>
#include <string.h>

#include "objective/parts/judge.h"
#include "objective/video/sv2p.h"

enum { DIVERGENCE, NUMBERS };
enum { ALL, AFTER, REST, TIMES };
enum { FRAMES, EXPECTED, TOLD, COPY, SUMS }; /* how many; squared errors, and that of the frame before */
enum { TRAINING = 100 };

static const hiss_field *hit_field(const sv2p *v) {
    return objective_video_hits(v->task, v->frames);
}

static int64_t width(void *self) {
    return NUMBERS + (hit_field(self) ? TIMES : 1) * SUMS;
}

static hiss_status build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    sv2p *v = self;
    hiss_graph *g = b->graph;
    struct sv2p_measured *x = &v->measured;
    sv2p_state expected = video_sv2p_start(v, b, m), told = expected;
    objective_video_frame_inputs(v->task, g, "frame", m, v->frames, x->frame);
    const sv2p_gaussian q = video_sv2p_posterior(v, b, x->frame);
    const hiss_value zeros = hiss_graph_filled(g, HISS_SHAPE(m, v->options->latent), 0.0f);
    for (int64_t t = 1; t < v->frames && hiss_graph_status(g, err) == HISS_OK; t++) {
        x->expected[t] = video_sv2p_step(v, b, x->frame[t - 1], zeros, &expected);
        x->told[t] = video_sv2p_step(v, b, x->frame[t - 1], q.mean, &told);
    }
    const hiss_status s = hiss_graph_status(g, err);
    if (s == HISS_OK) {
        x->mean = q.mean;
        x->log_variance = q.log_variance;
        hiss_graph_keep(g, q.mean);
        hiss_graph_keep(g, q.log_variance);
        for (int64_t t = 0; t < v->frames; t++) {
            hiss_graph_keep(g, x->frame[t]);
        }
        for (int64_t t = 1; t < v->frames; t++) {
            hiss_graph_keep(g, x->expected[t]);
            hiss_graph_keep(g, x->told[t]);
        }
    }
    return s;
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const sv2p *v = self;
    objective_video_put_frames(lane, i, v->frames, v->measured.frame);
}

/* ---- one clip ---- */

static float divergence(const sv2p *v, const hiss_lane *lane, int64_t i) {
    const float *mean = hiss_lane_values(lane, v->measured.mean, i),
                *log_variance = hiss_lane_values(lane, v->measured.log_variance, i);
    double nats = 0.0;
    for (int64_t k = 0; k < v->options->latent; k++) {
        const double l = (double)log_variance[k];
        nats += 0.5 * ((double)mean[k] * (double)mean[k] + expm1(l) - l);
    }
    return (float)nats;
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const sv2p *v = self;
    const struct sv2p_measured *x = &v->measured;
    const hiss_field *hit = hit_field(v);
    memset(out, 0, sizeof *out * (size_t)width(self));
    out[DIVERGENCE] = divergence(v, lane, i);
    for (int64_t t = 1; t < v->frames; t++) {
        const float *frame = hiss_lane_values(lane, x->frame[t], i);
        const float sums[SUMS] = {
            1.0f, (float)objective_video_squared(v->task, frame, hiss_lane_values(lane, x->expected[t], i)),
            (float)objective_video_squared(v->task, frame, hiss_lane_values(lane, x->told[t], i)),
            (float)objective_video_squared(v->task, frame, hiss_lane_values(lane, x->frame[t - 1], i))};
        const int time = hit && objective_video_hit(lane, i, hit, t - 1) ? AFTER : REST;
        for (int k = 0; k < SUMS; k++) {
            out[NUMBERS + ALL * SUMS + k] += sums[k];
            if (hit && t > 1) {
                out[NUMBERS + time * SUMS + k] += sums[k];
            }
        }
    }
}

/* ---- what is said ---- */

static const double nan_ = (double)NAN;

static void say(const hiss_measured *m, int time) {
    static const char *const group[TIMES] = {"the next frame, of true ones", "the next frame after a hit",
                                             "the next frame elsewhere"},
                             *const expected[TIMES] = {"next_psnr", "next_psnr_after_hit", "next_psnr_elsewhere"},
                             *const told[TIMES] = {"told_psnr", "told_psnr_after_hit", "told_psnr_elsewhere"};
    const double *sum = m->test_mean + NUMBERS + time * SUMS, frames = sum[FRAMES];
    if (frames <= 0.0) {
        return;
    }
    const int64_t n = (int64_t)llround(frames * (double)m->test);
    objective_say(m, group[time], expected[time], "PSNR", "dB", objective_video_decibels(sum[EXPECTED] / frames), nan_,
                  objective_video_decibels(sum[COPY] / frames), n);
    objective_say(m, group[time], told[time], "PSNR with the clip's latent", "dB",
                  objective_video_decibels(sum[TOLD] / frames), nan_, nan_, n);
    if (time == ALL) {
        objective_say(m, group[time], "divergence", "the latent tells", "nats a clip", m->test_mean[DIVERGENCE],
                      m->test_deviation[DIVERGENCE], nan_, m->test);
    }
}

static hiss_status conclude(void *self, const hiss_measured *m, hiss_error *err) {
    (void)err;
    for (int time = 0; time < (hit_field(self) ? TIMES : 1); time++) {
        say(m, time);
    }
    m->remark(
        m->say,
        "PSNR of the mean squared error, where the latent is the prior's mean, 0, and where it is the mean of the "
        "posterior, which has seen the frames to come.");
    return HISS_OK;
}

const hiss_measure_ops video_sv2p_measure = {
    .baseline = "the frame before",
    .training = TRAINING,
    .width = width,
    .build = build,
    .sample = sample,
    .measure = measure,
    .conclude = conclude,
};
