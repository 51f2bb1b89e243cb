/* Stochastic video generation: what the next frame x_t of a clip is depends on the frames before it and on a latent z_t, which
 * stands for what cannot be foretold. A posterior q(z_t | x_1..x_t), which sees the frame, says in training what the latent
 * was; a prior p(z_t | x_1..x_t-1), which does not, learns what it may be, and is what the latent is drawn from when frames
 * are made. Training minimises, over all frames of a clip but the first,
 *     sum over t of |x_t - made_t|^2 + beta KL(q(z_t | x_1..x_t) || p(z_t)),
 * where the first is a mean over pixels, and the second a sum over the latent's dimensions, in nats. (Denton & Fergus,
 * "Stochastic video generation with a learned prior", ICML 2018, eq. 1 and 3; their code.)
 *
 * prior: learned is SVG-LP. fixed is SVG-FP, whose prior is N(0, 1) in every frame. none has no latent: it is deterministic,
 * the network of Srivastava, Mansimov & Salakhutdinov, "Unsupervised learning of video representations using LSTMs", ICML 2015
 * in kind, and the control of the others.
 *
 * beta is for a mean over pixels: per pixel it is beta times so many pixels that one nat of the latent costs, 0.41 with the
 * paper's 1e-4 at 64 x 64, which is 4e-4 at 32 x 32.
 *
 * actions: given. What is done between two frames is known too, when frames are made as in training: x_t depends on the action after
 * frame t - 1. Prior and posterior do not see it. See svg_net.c.
 *
 * In training every step sees the true frame before it. The features of an image are the encoder's code.
 *
 * Cost of a step, in clips: an encoder for each frame, a decoder for each but the first. */
#include "objective/video/svg.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "hiss/alloc.h"
#include "hiss/rng.h"
#include "objective/parts/encoder.h"
#include "objective/parts/gaussian.h"
#include "objective/parts/pixels.h"

enum { LEAST_SIDE = 4 };

static const hiss_row rows[] = {
    {"prior", HISS_CHOICE, offsetof(svg_options, prior), "learned", 0, 0, "learned|fixed|none",
     "of a frame's latent, given the frames before it; fixed: N(0, 1); none: no latent, all is certain"},
    {"actions", HISS_CHOICE, offsetof(svg_options, actions), "none", 0, 0, "none|given",
     "given: the predictor knows what is done between frames, a field `action` float32 [T,A] of the data"},
    {"past", HISS_INT, offsetof(svg_options, past), "5", 2, VIDEO_MOST_FRAMES, NULL, "frames of a clip that are given"},
    {"future", HISS_INT, offsetof(svg_options, future), "10", 1, VIDEO_MOST_FRAMES, NULL,
     "frames after them that are to be foretold"},
    {"features", HISS_INT, offsetof(svg_options, features), "8", 1, 1 << 12, NULL,
     "channels of the encoder's first level, twice as many at each that follows"},
    {"code", HISS_INT, offsetof(svg_options, code), "64", 1, 1 << 16, NULL, "numbers that a frame becomes"},
    {"hidden", HISS_INT, offsetof(svg_options, hidden), "64", 1, 1 << 16, NULL,
     "units of a layer of long short-term memory"},
    {"layers", HISS_INT, offsetof(svg_options, layers), "2", 1, SVG_MOST_LAYERS, NULL,
     "of it in the predictor; prior and posterior have one"},
    {"latent", HISS_INT, offsetof(svg_options, latent), "10", 1, 1 << 16, NULL, "dimensions of a frame's latent"},
    {"beta", HISS_FLOAT, offsetof(svg_options, beta), "4e-4", 0, 1e4, NULL,
     "weight of the latent's divergence, in nats, beside the mean squared error of a pixel"},
};
static const int nrows = HISS_COUNT(rows);

/* ---- create ---- */

static int64_t levels_of(int64_t side) {
    int64_t levels = 0;
    while (side > LEAST_SIDE && side % 2 == 0) {
        side /= 2;
        levels++;
    }
    return side == LEAST_SIDE ? levels : 0;
}

static hiss_status check(svg *v, hiss_error *err) {
    const hiss_task *t = v->task;
    if (objective_expect_no_layers(t, "svg", "svg.features", err) != HISS_OK) {
        return HISS_EUSER;
    }
    const hiss_status s = objective_video_expect_clips("svg", t, v->frames, "svg.past and svg.future together", err);
    if (s == HISS_OK && v->options->actions == SVG_ACTIONS_GIVEN &&
        objective_video_expect_actions(t, v->frames, "svg.actions", &v->action, err) != HISS_OK) {
        return HISS_EUSER;
    }
    v->levels = levels_of(t->H);
    if (s == HISS_OK && (t->H != t->W || v->levels == 0 || v->levels > SVG_MOST_LEVELS)) {
        return hiss_fail_key(err, HISS_EUSER, "data.fields",
                             "svg halves frames until they are 4x4, and needs them of 8x8, 16x16, .. 256x256, found "
                             "%lldx%lld; prepare clips of such a size",
                             (long long)t->H, (long long)t->W);
    }
    return s;
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    svg *v = hiss_new(svg, 1);
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

/* ---- the graph ---- */

typedef struct roll { /* what goes along a clip */
    hiss_value code[VIDEO_MOST_FRAMES], skip[VIDEO_MOST_FRAMES][SVG_MOST_LEVELS];
    svg_state prior, posterior, predictor;
} roll;

/* Of frame t, whose code is there: what it may be, what it was; returns the divergence, -1 without a latent. */
static hiss_value infer(svg *v, hiss_builder *b, int64_t t, double scale, roll *r, svg_values *x) {
    video_svg_infer(v, b, t, r->code, &r->posterior, &r->prior, x);
    return v->options->prior == SVG_PRIOR_FIXED
               ? hiss_graph_gaussian_kl(b->graph, x->mean[t], x->log_variance[t], scale)
               : hiss_graph_gaussians_kl(b->graph, x->mean[t], x->log_variance[t], x->prior_mean[t],
                                         x->prior_log_variance[t], scale);
}

static hiss_value make_frame(svg *v, hiss_builder *b, int64_t m, int64_t t, roll *r, svg_values *x) {
    hiss_value latent = -1;
    if (v->options->prior != SVG_PRIOR_NONE) {
        char name[32];
        snprintf(name, sizeof name, "noise%lld", (long long)t);
        x->noise[t] = hiss_graph_input(b->graph, name, HISS_SHAPE(m, v->options->latent));
        latent = objective_gaussian_draw(b->graph, x->mean[t], x->log_variance[t], x->noise[t]);
    }
    x->action[t - 1] = video_svg_action(v, b, m, t - 1);
    const hiss_value code = video_svg_foretell(v, b, r->code[t - 1], latent, x->action[t - 1], &r->predictor);
    return video_svg_decode(v, b, code, r->skip[video_svg_skipped(v, t)]);
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    svg *v = self;
    hiss_graph *g = b->graph;
    const svg_options *o = v->options;
    const int64_t m = v->placement->m;
    const double pixels = (double)(v->task->H * v->task->W * v->task->C), each = 1.0 / (double)m;
    svg_values *x = &v->training;
    roll r;
    hiss_value miss = -1, divergence = -1;
    r.prior = video_svg_start(v, b, m, 1);
    r.posterior = r.prior;
    r.predictor = video_svg_start(v, b, m, o->layers);
    objective_video_frame_inputs(v->task, g, "frame", m, v->frames, x->frame);
    r.code[0] = video_svg_encode(v, b, x->frame[0], r.skip[0]);
    for (int64_t t = 1; t < v->frames && hiss_graph_status(g, err) == HISS_OK; t++) {
        if (o->prior != SVG_PRIOR_NONE || t + 1 < v->frames) { /* nobody asks for the code of the last one */
            r.code[t] = video_svg_encode(v, b, x->frame[t], r.skip[t]);
        }
        if (o->prior != SVG_PRIOR_NONE) {
            divergence = objective_video_sum(g, divergence, infer(v, b, t, each, &r, x));
        }
        x->made[t] = make_frame(v, b, m, t, &r, x);
        miss = objective_video_sum(g, miss, hiss_graph_squared_loss(g, x->made[t], x->frame[t], each / pixels));
    }
    const hiss_value loss = divergence < 0 ? miss : hiss_graph_add(g, miss, hiss_graph_scale(g, divergence, o->beta));
    hiss_graph_loss(g, loss);
    hiss_layer_metric(b, "loss", loss);
    hiss_layer_metric(b, "reconstruction", hiss_graph_scale(g, miss, 1.0 / (double)(v->frames - 1)));
    if (divergence >= 0) {
        hiss_layer_metric(b, "divergence", hiss_graph_scale(g, divergence, 1.0 / (double)(v->frames - 1)));
    }
    return hiss_graph_status(g, err);
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    const svg *v = self;
    hiss_value skip[SVG_MOST_LEVELS];
    hiss_status s = HISS_OK;
    const hiss_value code = video_svg_encode(v, b, image, skip);
    taps->count = 0;
    for (int64_t l = 0; l < v->levels && s == HISS_OK; l++) {
        char name[HISS_TAP_NAME];
        snprintf(name, sizeof name, "encoder%lld", (long long)l + 1);
        s = hiss_taps_add(taps, name, skip[l], err);
    }
    s = s == HISS_OK ? hiss_taps_add(taps, "code", code, err) : s;
    return s == HISS_OK ? hiss_graph_status(b->graph, err) : s;
}

/* ---- what goes in ---- */

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const svg *v = self;
    if (lane->phase < 0) {
        hiss_lane_default_sample(lane, i);
        return;
    }
    objective_video_put_frames(lane, i, v->frames, v->training.frame);
    video_svg_put_actions(v, lane, i, v->training.action);
    if (v->options->prior == SVG_PRIOR_NONE) {
        return;
    }
    hiss_rng rng = hiss_rng_keyed(v->task->seed, HISS_FOR_NOISE, lane->step, lane->batch->sample[i]);
    for (int64_t t = 1; t < v->frames; t++) {
        hiss_rng_normals(&rng, v->options->latent, hiss_lane_values(lane, v->training.noise[t], i));
    }
}

/* ---- reports ---- */

static int derive(void *self, const hiss_named *metrics, int nmetrics, hiss_named out[HISS_MAX_DERIVED]) {
    (void)self;
    const double miss = hiss_named_value(metrics, nmetrics, "reconstruction");
    out[0] = (hiss_named){"psnr", miss > 0 ? -10.0 * log10(miss) : 0.0};
    return 1;
}

static bool concern(void *self, const hiss_named *metrics, int nmetrics, char *line, size_t size) {
    const svg *v = self;
    const double divergence = hiss_named_value(metrics, nmetrics, "divergence");
    const bool unused = v->options->prior != SVG_PRIOR_NONE && divergence < 0.01;
    if (unused) {
        snprintf(line, size,
                 "divergence %.4f nats a frame: the latent says nothing, and all futures of a clip will be alike; set "
                 "svg.beta lower",
                 divergence);
    }
    return unused;
}

static void describe(void *self, char *line, size_t size) {
    static const char *const priors[] = {"learned prior", "prior N(0, 1)", "no latent"};
    const svg *v = self;
    const svg_options *o = v->options;
    const int length = snprintf(line, size, "svg: %s, %lld frames given, %lld foretold%s", priors[o->prior],
                                (long long)o->past, (long long)o->future, v->action ? " by actions" : "");
    if (o->prior != SVG_PRIOR_NONE && length > 0 && (size_t)length < size) {
        snprintf(line + length, size - (size_t)length, ", a nat of the latent costs %.3g in squared error of a frame",
                 o->beta * (double)(v->task->H * v->task->W * v->task->C));
    }
}

static const hiss_input inputs[] = {
    {HISS_FIELD_IMAGE, 3, 0, "images [H,W,C]", "image", "image"},
    {VIDEO_FIELD_CLIP, 4, 1u << HISS_U8, "clips, uint8 [T,H,W,C],", NULL, NULL},
    {0},
};
static const hiss_input_ops input = {.inputs = inputs, .sample = sample};
static const hiss_report_ops report = {.derive = derive, .concern = concern, .describe = describe};

const hiss_objective_ops objective_svg = {
    .name = "svg",
    .summary = "stochastic video generation: futures of a clip, of a learned or fixed prior, or one alone",
    .sections = {{"svg", rows, &nrows, 0}},
    .options_bytes = sizeof(svg_options),
    .own_layers = objective_own_layers,
    .sizes = "svg.features, svg.code, svg.hidden, svg.latent",
    .unit_pixels = objective_needs_unit_pixels,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .report = &report,
    .measure = &video_svg_measure,
    .forecast = &video_svg_forecast,
};
