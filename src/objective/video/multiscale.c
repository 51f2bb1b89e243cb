/* Multi-scale video prediction: the next frame Y of a clip, given the frames X before it, made coarsely first and then finer.
 * At scale k, each half as fine as the next, X_k and Y_k are averages over squares, and the frame made there is
 *     made_k = up(made_k-1) + G_k(X_k, up(made_k-1))
 * with up the enlargement that repeats pixels. (Mathieu, Couprie & LeCun, "Deep multi-scale video prediction beyond mean square
 * error", ICLR 2016, section 2.) Training minimises, added up over scales,
 *     |Y - made|^2 + gdl GDL(Y, made) - adversarial log D(X, made),
 * where the first is a mean over pixels. The square alone is least for the mean of all that may come, which is blurred. The
 * gradient difference loss asks for edges as strong as the true ones,
 *     GDL = sum over pixels of ||Y_ij - Y_i-1,j| - |made_ij - made_i-1,j|| and the same of j, over the number of pixels
 * (section 3.3, alpha 1). The adversary asks for a frame that could follow X (section 3.2). Each step has two phases then:
 *     discriminator   minimise, over scales,  -log D_k(X_k, Y_k) - log(1 - D_k(X_k, made_k))
 *     generator       the loss above
 * D sees the given frames: without them it could ask for a sharp frame, but not for one that goes on from these.
 * `mismatched` adds -log(1 - D_k(X'_k, Y_k)) with X' of another clip (their published code), so that D must look at them.
 *
 * There is no noise: one future, which is sharp by choosing one of those that may come.
 *
 * A sample of a step is past + 1 frames that follow each other, from anywhere in a clip, drawn anew in each phase. Later
 * frames are made of made ones. The features of an image are those of a clip in which nothing moves.
 *
 * Variants: pixels are 0..1 and made_k may leave that; only the frame that is shown is cut. The paper's are -1..1, and tanh of the sum
 * keeps them there: on black ground it is flat where most pixels must go, and frames became black for good. A weight of the paper's is
 * half as large here for GDL, and a quarter for the adversary, beside a squared error that is a quarter. */
#include "objective/video/multiscale.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "hiss/alloc.h"
#include "hiss/rng.h"
#include "objective/parts/adversary.h"
#include "objective/parts/encoder.h"
#include "objective/parts/pixels.h"

enum { DISCRIMINATOR_STEP, GENERATOR_STEP, PHASES };
enum { GENERATOR, DISCRIMINATOR }; /* groups */
enum { FINEST = MULTISCALE_SCALES - 1, SIDES = 1 << FINEST, SQUARE = 4 };

static const hiss_row rows[] = {
    {"past", HISS_INT, offsetof(multiscale_options, past), "4", 1, HISS_MAX_INPUTS, NULL,
     "frames of a clip that are given"},
    {"future", HISS_INT, offsetof(multiscale_options, future), "10", 1, VIDEO_MOST_FRAMES - HISS_MAX_INPUTS, NULL,
     "frames after them that are foretold in evaluation; training foretells one"},
    {"width", HISS_INT, offsetof(multiscale_options, width), "16", 1, 1 << 12, NULL,
     "filters of the outermost layers of the generators; all other layers are multiples of it"},
    {"gdl", HISS_FLOAT, offsetof(multiscale_options, gdl), "0.5", 0, 1e4, NULL,
     "weight of the gradient difference loss beside the mean squared error of a pixel"},
    {"adversarial", HISS_FLOAT, offsetof(multiscale_options, adversarial), "0.0025", 0, 1e4, NULL,
     "weight of the adversary's loss beside them; 0: there is none"},
    {"mismatched", HISS_BOOL, offsetof(multiscale_options, mismatched), "false", 0, 0, NULL,
     "the adversary learns, too, that true frames do not follow those of another clip"},
};
static const int nrows = HISS_COUNT(rows);

/* ---- create ---- */

static hiss_status check(const multiscale *v, hiss_error *err) {
    const hiss_task *t = v->task;
    const multiscale_options *o = v->options;
    if (objective_expect_no_layers(t, "multiscale", "multiscale.width", err) != HISS_OK) {
        return HISS_EUSER;
    }
    const hiss_status s = objective_video_expect_clips("multiscale", t, o->past + o->future,
                                                       "multiscale.past and multiscale.future together", err);
    if (s == HISS_OK && (t->H % SIDES || t->W % SIDES)) {
        return hiss_fail_key(
            err, HISS_EUSER, "data.fields",
            "multiscale halves frames three times, and needs sides that are multiples of %d, found %lldx%lld; "
            "prepare clips of such a size",
            SIDES, (long long)t->H, (long long)t->W);
    }
    if (s == HISS_OK && o->mismatched && v->placement && v->placement->m < 2) {
        return hiss_fail_key(err, HISS_EUSER, "multiscale.mismatched",
                             "true takes frames of another clip of the lane, and train.lane_samples is 1; set that "
                             "higher, or multiscale.mismatched false");
    }
    return s;
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    multiscale *v = hiss_new(multiscale, 1);
    v->task = task;
    v->placement = placement;
    v->options = opts;
    *self = v;
    return check(v, err);
}

static void destroy(void *self) {
    hiss_free(self);
}

/* ---- phases ---- */

static int phases(void *self) {
    return ((const multiscale *)self)->options->adversarial > 0.0 ? PHASES : 1;
}

static bool is_discriminator_step(const multiscale *v, int phase) {
    return v->options->adversarial > 0.0 && phase == DISCRIMINATOR_STEP;
}

static unsigned trains(void *self, int phase) {
    return 1u << (is_discriminator_step(self, phase) ? DISCRIMINATOR : GENERATOR);
}

/* ---- the graphs ---- */

static void build_discriminator_step(const multiscale *v, hiss_builder *b, const multiscale_pyramid *given,
                                     const multiscale_pyramid *truth) {
    hiss_graph *g = b->graph;
    const multiscale_pyramid made = video_multiscale_generate(v, b, given, NULL);
    multiscale_pyramid other = {{0}};
    hiss_value loss = -1, of_data = -1, of_made = -1;
    if (v->options->mismatched) {
        hiss_value frame[HISS_MAX_INPUTS];
        objective_video_frame_inputs(v->task, g, "mismatched", v->placement->m, v->options->past, frame);
        other = video_multiscale_pyramid(g, v->options->past, frame);
    }
    for (int k = 0; k < MULTISCALE_SCALES; k++) {
        of_data = video_multiscale_judge(v, b, k, given->scale[k], truth->scale[k]);
        of_made = video_multiscale_judge(v, b, k, given->scale[k], hiss_graph_stop_gradient(g, made.scale[k]));
        loss = objective_video_sum(g, loss, objective_adversary_loss(g, of_data, true));
        loss = objective_video_sum(g, loss, objective_adversary_loss(g, of_made, false));
        if (v->options->mismatched) {
            const hiss_value of_other = video_multiscale_judge(v, b, k, other.scale[k], truth->scale[k]);
            loss = objective_video_sum(g, loss, objective_adversary_loss(g, of_other, false));
        }
    }
    hiss_graph_loss(g, loss);
    hiss_layer_metric(b, "discriminator_loss", loss);
    hiss_layer_metric(b, "score_of_data", objective_adversary_score(g, of_data));
    hiss_layer_metric(b, "score_of_made", objective_adversary_score(g, of_made));
}

static void build_generator_step(const multiscale *v, hiss_builder *b, const multiscale_pyramid *given,
                                 const multiscale_pyramid *truth) {
    hiss_graph *g = b->graph;
    const multiscale_options *o = v->options;
    const multiscale_pyramid made = video_multiscale_generate(v, b, given, NULL);
    hiss_value loss = -1, error = -1, difference = -1, fools = -1;
    for (int k = 0; k < MULTISCALE_SCALES; k++) {
        const double pixels = (double)((v->task->H >> (FINEST - k)) * (v->task->W >> (FINEST - k)) * v->task->C);
        const double each = 1.0 / ((double)v->placement->m * pixels);
        error = hiss_graph_squared_loss(g, made.scale[k], truth->scale[k], each);
        loss = objective_video_sum(g, loss, error);
        if (o->gdl > 0.0) {
            difference = video_multiscale_gradient_difference(g, truth->scale[k], made.scale[k], each);
            loss = objective_video_sum(g, loss, hiss_graph_scale(g, difference, o->gdl));
        }
        if (o->adversarial > 0.0) {
            const hiss_value logits = video_multiscale_judge(v, b, k, given->scale[k], made.scale[k]);
            fools = objective_video_sum(g, fools, objective_adversary_loss(g, logits, true));
        }
    }
    loss = fools < 0 ? loss : objective_video_sum(g, loss, hiss_graph_scale(g, fools, o->adversarial));
    hiss_graph_loss(g, loss);
    hiss_layer_metric(b, "loss", loss);
    hiss_layer_metric(b, "error", error);
    if (difference >= 0) {
        hiss_layer_metric(b, "gradient_difference", difference);
    }
    if (fools >= 0) {
        hiss_layer_metric(b, "generator_loss", fools);
    }
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    const multiscale *v = self;
    const int64_t past = v->options->past;
    hiss_value frame[HISS_MAX_INPUTS + 1];
    objective_video_frame_inputs(v->task, b->graph, "frame", v->placement->m, past + 1, frame);
    const multiscale_pyramid given = video_multiscale_pyramid(b->graph, past, frame),
                             truth = video_multiscale_pyramid(b->graph, 1, frame + past);
    if (is_discriminator_step(v, phase)) {
        build_discriminator_step(v, b, &given, &truth);
    } else {
        build_generator_step(v, b, &given, &truth);
    }
    return hiss_graph_status(b->graph, err);
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    const multiscale *v = self;
    hiss_value middle[MULTISCALE_SCALES], still[HISS_MAX_INPUTS];
    hiss_status s = HISS_OK;
    for (int64_t t = 0; t < v->options->past; t++) {
        still[t] = image;
    }
    const multiscale_pyramid given = video_multiscale_pyramid(b->graph, v->options->past, still);
    video_multiscale_generate(v, b, &given, middle);
    taps->count = 0;
    for (int k = 0; k < MULTISCALE_SCALES && s == HISS_OK; k++) {
        char name[HISS_TAP_NAME];
        snprintf(name, sizeof name, "generator%d", k + 1);
        s = hiss_taps_add(taps, name, middle[k], err);
    }
    const hiss_value means = hiss_graph_average_pool(b->graph, middle[FINEST], SQUARE, SQUARE, 0);
    s = s == HISS_OK ? hiss_taps_add(taps, "hidden", means, err) : s;
    return s == HISS_OK ? hiss_graph_status(b->graph, err) : s;
}

/* ---- what goes in ---- */

/* `count` frames of sample j, from the first on, into inputs NAME0, NAME1, ... of sample i. */
static void put(const hiss_lane *lane, int64_t i, const char *name, int64_t j, int64_t first, int64_t count) {
    for (int64_t t = 0; t < count; t++) {
        char text[32];
        snprintf(text, sizeof text, "%s%lld", name, (long long)t);
        objective_video_frame(lane, j, first + t, hiss_lane_values(lane, hiss_graph_input_named(lane->graph, text), i));
    }
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const multiscale *v = self;
    const int64_t past = v->options->past;
    if (lane->phase < 0) {
        hiss_lane_default_sample(lane, i);
        return;
    }
    hiss_rng rng =
        hiss_rng_keyed(v->task->seed, HISS_FOR_NOISE, lane->step, lane->batch->sample[i] * PHASES + lane->phase);
    const int64_t places = hiss_task_field(v->task, VIDEO_FIELD_CLIP)->dim[0] - past;
    put(lane, i, "frame", i, hiss_rng_below(&rng, places), past + 1);
    if (hiss_graph_input_named(lane->graph, "mismatched0") >= 0) {
        put(lane, i, "mismatched", (i + 1) % lane->batch->m, hiss_rng_below(&rng, places), past);
    }
}

/* ---- reports ---- */

static int derive(void *self, const hiss_named *metrics, int nmetrics, hiss_named out[HISS_MAX_DERIVED]) {
    (void)self;
    const double error = hiss_named_value(metrics, nmetrics, "error");
    out[0] = (hiss_named){"psnr", error > 0 ? -10.0 * log10(error) : 0.0};
    return 1;
}

static void describe(void *self, char *line, size_t size) {
    const multiscale *v = self;
    const multiscale_options *o = v->options;
    snprintf(line, size, "multiscale: the next frame of %lld given ones at %d scales, by squared error%s%s%s",
             (long long)o->past, MULTISCALE_SCALES, o->gdl > 0.0 ? ", gradient difference" : "",
             o->adversarial > 0.0 ? ", an adversary at each" : "",
             o->adversarial > 0.0 && o->mismatched ? " that sees given frames of other clips, too" : "");
}

static const hiss_input inputs[] = {
    {HISS_FIELD_IMAGE, 3, 0, "images [H,W,C]", "image", "image"},
    {VIDEO_FIELD_CLIP, 4, 1u << HISS_U8, "clips, uint8 [T,H,W,C],", NULL, NULL},
    {0},
};
static const char *const groups[] = {"generator", "discriminator", NULL};
static const hiss_input_ops input = {.inputs = inputs, .sample = sample};
static const hiss_phase_ops phase = {.count = phases, .trains = trains};
static const hiss_report_ops report = {.derive = derive, .describe = describe};

const hiss_objective_ops objective_multiscale = {
    .name = "multiscale",
    .summary = "the next frame of a clip, coarse to fine, by squared error, gradients and an adversary",
    .sections = {{"multiscale", rows, &nrows, 0}},
    .options_bytes = sizeof(multiscale_options),
    .own_layers = objective_own_layers,
    .sizes = "multiscale.width",
    .unit_pixels = objective_needs_unit_pixels,
    .phases = PHASES,
    .groups = groups,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .phase = &phase,
    .report = &report,
    .measure = &video_multiscale_measure,
    .forecast = &video_multiscale_forecast,
};
