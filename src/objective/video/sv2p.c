/* Stochastic variational video prediction: a clip has one latent z, of prior N(0, 1), which stands for all that cannot be foretold in
 * it. A posterior q(z | x_1..x_T) sees the whole clip at once. Training minimises, over all frames of a clip but the first,
 *     sum over t of |x_t - made_t|^2 + beta KL(q(z | x_1..x_T) || N(0, 1)),
 * where the first is a mean over pixels, and the second a sum over the latent's dimensions, in nats. (Babaeizadeh, Finn, Erhan,
 * Campbell & Levine, "Stochastic variational video prediction", ICLR 2018.) When frames are made, z is drawn from the prior.
 *
 * Trained so from the start, frames are made without the latent, which costs and says nothing yet. So there are three phases, one after the other:
 *     random   z is noise of the prior, of which the predictor learns to make frames: there is no posterior
 *     free     z is drawn from the posterior, whose divergence costs nothing
 *     paid     the divergence's weight rises from 0 to beta
 * Skipping the first two is the control.
 *
 * A prior that is the same for each clip and each frame says that all of it is uncertain alike: svg's learned prior does not.
 *
 * Scheduled sampling (Bengio, Vinyals, Jaitly & Shazeer, NIPS 2015): after the given frames the predictor sees the true frame before with
 * probability k / (k + e^(step / k)), and else the one it made, so that it learns to go on from its own. Each clip and frame is drawn by
 * itself.
 *
 * The features of an image are the maps of the predictor's encoder. */
#include "objective/video/sv2p.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/rng.h"
#include "objective/parts/encoder.h"
#include "objective/parts/gaussian.h"
#include "objective/parts/pixels.h"

enum { SIDES = 4 };

static const hiss_row rows[] = {
    {"past", HISS_INT, offsetof(sv2p_options, past), "5", 2, VIDEO_MOST_FRAMES, NULL,
     "frames of a clip that are given"},
    {"future", HISS_INT, offsetof(sv2p_options, future), "10", 1, VIDEO_MOST_FRAMES, NULL,
     "frames after them that are to be foretold"},
    {"features", HISS_INT, offsetof(sv2p_options, features), "8", 1, 1 << 12, NULL,
     "channels of the outermost maps; the memory has twice as many"},
    {"kernels", HISS_INT, offsetof(sv2p_options, kernels), "5", 1, 1 << 8, NULL,
     "that move the frame, each in a way of its own"},
    {"window", HISS_INT, offsetof(sv2p_options, window), "5", 1, 31, NULL,
     "side of a kernel, odd: half of it is how far a pixel moves"},
    {"latent", HISS_INT, offsetof(sv2p_options, latent), "8", 1, 1 << 16, NULL, "dimensions of a clip's latent"},
    {"beta", HISS_FLOAT, offsetof(sv2p_options, beta), "1e-3", 0, 1e4, NULL,
     "weight of the latent's divergence, in nats of a clip, beside the mean squared error of a pixel"},
    {"random_epochs", HISS_INT, offsetof(sv2p_options, random_epochs), "1", 0, 1 << 30, NULL,
     "first phase: the latent is noise, and there is no posterior"},
    {"free_epochs", HISS_INT, offsetof(sv2p_options, free_epochs), "1", 0, 1 << 30, NULL,
     "second phase: the latent is the posterior's, and its divergence costs nothing"},
    {"rise_epochs", HISS_FLOAT, offsetof(sv2p_options, rise_epochs), "0.5", 0, 1e9, NULL,
     "in which the divergence's weight rises to beta, at the start of the third phase"},
    {"sampling", HISS_INT, offsetof(sv2p_options, sampling), "900", 0, 1 << 30, NULL,
     "steps k of scheduled sampling: the predictor sees a true frame with probability k / (k + e^(step / k)), else the "
     "one it made; "
     "0: always true ones"},
};
static const int nrows = HISS_COUNT(rows);

/* ---- create ---- */

static hiss_status check(const sv2p *v, hiss_error *err) {
    const hiss_task *t = v->task;
    if (objective_expect_no_layers(t, "sv2p", "sv2p.features", err) != HISS_OK) {
        return HISS_EUSER;
    }
    const hiss_status s = objective_video_expect_clips("sv2p", t, v->frames, "sv2p.past and sv2p.future together", err);
    if (s == HISS_OK && (t->H % SIDES || t->W % SIDES)) {
        return hiss_fail_key(
            err, HISS_EUSER, "data.fields",
            "sv2p halves frames twice, and needs sides that are multiples of %d, found %lldx%lld; prepare "
            "clips of such a size",
            SIDES, (long long)t->H, (long long)t->W);
    }
    if (s == HISS_OK && v->options->window % 2 == 0) {
        return hiss_fail_key(err, HISS_EUSER, "sv2p.window",
                             "needs an odd number, so that a kernel has a middle, found %lld; set it to %lld",
                             (long long)v->options->window, (long long)v->options->window + 1);
    }
    return s;
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    sv2p *v = hiss_new(sv2p, 1);
    v->task = task;
    v->placement = placement;
    v->options = opts;
    v->frames = v->options->past + v->options->future;
    *self = v;
    return check(v, err);
}

static void destroy(void *self) {
    hiss_free(self);
}

/* ---- phases ---- */

static hiss_span span(void *self, int phase) {
    const sv2p_options *o = ((const sv2p *)self)->options;
    const int64_t free_from = o->random_epochs, paid_from = free_from + o->free_epochs;
    return phase == SV2P_RANDOM ? (hiss_span){0, free_from}
           : phase == SV2P_FREE ? (hiss_span){free_from, paid_from}
                                : (hiss_span){paid_from, INT64_MAX};
}

static void phase_name(void *self, int phase, char *line, size_t size) {
    static const char *const name[SV2P_PHASES] = {"latents of noise", "a posterior that costs nothing",
                                                  "a posterior whose divergence costs"};
    (void)self;
    snprintf(line, size, "%s", name[phase]);
}

/* Of the divergence, at a step of the last phase. */
static double weight_at(const sv2p *v, int64_t step) {
    const double from = (double)((v->options->random_epochs + v->options->free_epochs) * v->placement->steps_per_epoch),
                 steps = v->options->rise_epochs * (double)v->placement->steps_per_epoch;
    const double risen = steps > 0.0 ? ((double)step + 1.0 - from) / steps : 1.0;
    return v->options->beta * fmin(risen, 1.0);
}

static double probability_of_truth(const sv2p *v, int64_t step) {
    const double k = (double)v->options->sampling;
    return k > 0.0 ? k / (k + exp((double)step / k)) : 1.0;
}

/* ---- the graph ---- */

static const char *numbered(char text[32], const char *name, int64_t t) {
    snprintf(text, 32, "%s%lld", name, (long long)t);
    return text;
}

/* The frame that is seen after frame t was made, which may be the true one: input truth [m,H,W,C] is 1 then, else 0. */
static hiss_value chosen(hiss_graph *g, int64_t t, hiss_value truth, hiss_value made) {
    char name[32];
    if (made < 0) {
        return -1;
    }
    const hiss_value takes = hiss_graph_input(g, numbered(name, "truth", t), hiss_graph_shape(g, made)),
                     off = hiss_graph_add(g, truth, hiss_graph_scale(g, made, -1.0));
    return hiss_graph_add(g, made, hiss_graph_multiply(g, takes, off));
}

static bool may_be_made(const sv2p *v, int64_t t) {
    return v->options->sampling > 0 && t >= v->options->past && t + 1 < v->frames;
}

/* The clip's latent, and what its divergence costs, -1 where there is none. */
static hiss_value draw(const sv2p *v, hiss_builder *b, int64_t m, int phase, const hiss_value *frame,
                       hiss_value *divergence) {
    hiss_graph *g = b->graph;
    *divergence = -1;
    const hiss_value noise = hiss_graph_input(g, "noise", HISS_SHAPE(m, v->options->latent));
    if (phase == SV2P_RANDOM) {
        return noise;
    }
    const sv2p_gaussian q = video_sv2p_posterior(v, b, frame);
    *divergence = hiss_graph_gaussian_kl(g, q.mean, q.log_variance, 1.0 / (double)m);
    return objective_gaussian_draw(g, q.mean, q.log_variance, noise);
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    const sv2p *v = self;
    hiss_graph *g = b->graph;
    const int64_t m = v->placement->m;
    const double pixels = (double)(v->task->H * v->task->W * v->task->C), each = 1.0 / ((double)m * pixels);
    sv2p_state state = video_sv2p_start(v, b, m);
    hiss_value frame[VIDEO_MOST_FRAMES], miss = -1, divergence;
    objective_video_frame_inputs(v->task, g, "frame", m, v->frames, frame);
    const hiss_value latent = draw(v, b, m, phase, frame, &divergence);
    hiss_value seen = frame[0];
    for (int64_t t = 1; t < v->frames && hiss_graph_status(g, err) == HISS_OK; t++) {
        const hiss_value made = video_sv2p_step(v, b, seen, latent, &state);
        miss = objective_video_sum(g, miss, hiss_graph_squared_loss(g, made, frame[t], each));
        seen = may_be_made(v, t) ? chosen(g, t, frame[t], made) : frame[t];
    }
    hiss_value loss = miss;
    if (phase == SV2P_PAID) {
        const hiss_value weight = hiss_graph_input(g, "weight", HISS_SHAPE(1));
        loss = hiss_graph_add(g, miss, hiss_graph_multiply(g, divergence, weight));
    }
    hiss_graph_loss(g, loss);
    hiss_layer_metric(b, "loss", loss);
    hiss_layer_metric(b, "reconstruction", hiss_graph_scale(g, miss, 1.0 / (double)(v->frames - 1)));
    if (divergence >= 0) {
        hiss_layer_metric(b, "divergence", divergence);
    }
    return hiss_graph_status(g, err);
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    const sv2p *v = self;
    hiss_value map[2];
    video_sv2p_encode(v, b, image, map);
    taps->count = 0;
    hiss_status s = hiss_taps_add(taps, "encoder1", map[0], err);
    s = s == HISS_OK ? hiss_taps_add(taps, "encoder2", map[1], err) : s;
    return s == HISS_OK ? hiss_graph_status(b->graph, err) : s;
}

/* ---- what goes in ---- */

static float *values_of(const hiss_lane *lane, const char *name, int64_t i) {
    return hiss_lane_values(lane, hiss_graph_input_named(lane->graph, name), i);
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const sv2p *v = self;
    const int64_t size = v->task->H * v->task->W * v->task->C;
    char name[32];
    if (lane->phase < 0) {
        hiss_lane_default_sample(lane, i);
        return;
    }
    hiss_rng rng = hiss_rng_keyed(v->task->seed, HISS_FOR_NOISE, lane->step, lane->batch->sample[i]);
    hiss_rng_normals(&rng, v->options->latent, values_of(lane, "noise", i));
    const float odds = (float)probability_of_truth(v, lane->step);
    for (int64_t t = 0; t < v->frames; t++) {
        objective_video_frame(lane, i, t, values_of(lane, numbered(name, "frame", t), i));
        if (may_be_made(v, t)) {
            const float takes = hiss_rng_between(&rng, 0.0f, 1.0f) < odds ? 1.0f : 0.0f;
            float *out = values_of(lane, numbered(name, "truth", t), i);
            for (int64_t k = 0; k < size; k++) {
                out[k] = takes;
            }
        }
    }
}

static void fill(void *self, const hiss_lane *lane) {
    const hiss_value weight = hiss_graph_input_named(lane->graph, "weight");
    if (weight >= 0) {
        *hiss_exec_data(lane->exec, weight) = (float)weight_at(self, lane->step);
    }
}

/* ---- reports ---- */

static int derive(void *self, const hiss_named *metrics, int nmetrics, hiss_named out[HISS_MAX_DERIVED]) {
    (void)self;
    const double miss = hiss_named_value(metrics, nmetrics, "reconstruction");
    out[0] = (hiss_named){"psnr", miss > 0.0 ? objective_video_decibels(miss) : 0.0};
    return 1;
}

/* Of a run that ends in the last phase. */
static bool concern(void *self, const hiss_named *metrics, int nmetrics, char *line, size_t size) {
    (void)self;
    double divergence = (double)INFINITY;
    for (int k = 0; k < nmetrics; k++) {
        divergence = strcmp(metrics[k].name, "divergence") == 0 ? metrics[k].value : divergence;
    }
    const bool unused = divergence < 0.01;
    if (unused) {
        snprintf(line, size,
                 "divergence %.4f nats a clip: the latent says nothing, and all futures of a clip will be alike; set "
                 "sv2p.beta lower, or sv2p.free_epochs higher",
                 divergence);
    }
    return unused;
}

static void describe(void *self, char *line, size_t size) {
    const sv2p *v = self;
    const sv2p_options *o = v->options;
    snprintf(line, size,
             "sv2p: %lld frames given, %lld foretold, by %lld kernels; a latent of %lld a clip, of which a nat costs "
             "%.3g in "
             "squared error of a frame",
             (long long)o->past, (long long)o->future, (long long)o->kernels, (long long)o->latent,
             o->beta * (double)(v->task->H * v->task->W * v->task->C));
}

static const hiss_input inputs[] = {
    {HISS_FIELD_IMAGE, 3, 0, "images [H,W,C]", "image", "image"},
    {VIDEO_FIELD_CLIP, 4, 1u << HISS_U8, "clips, uint8 [T,H,W,C],", NULL, NULL},
    {0},
};
static const hiss_input_ops input = {.inputs = inputs, .sample = sample, .fill = fill};
static const hiss_phase_ops phase = {.span = span, .name = phase_name};
static const hiss_report_ops report = {.derive = derive, .concern = concern, .describe = describe};

const hiss_objective_ops objective_sv2p = {
    .name = "sv2p",
    .summary = "stochastic variational video prediction: one latent a clip, frames by moving pixels",
    .sections = {{"sv2p", rows, &nrows, 0}},
    .options_bytes = sizeof(sv2p_options),
    .own_layers = objective_own_layers,
    .sizes = "sv2p.features, sv2p.kernels, sv2p.latent",
    .unit_pixels = objective_needs_unit_pixels,
    .phases = SV2P_PHASES,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .phase = &phase,
    .report = &report,
    .measure = &video_sv2p_measure,
    .forecast = &video_sv2p_forecast,
};
