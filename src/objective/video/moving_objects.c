/* Objects that move: in ONE frame, mark the pixels of what moves in the clip it is from. (Pathak, Girshick, Dollar, Darrell &
 * Hariharan, "Learning features by watching objects move", CVPR 2017.)
 *
 * The teacher is a mask that was made from the clip without learning (movers_motion.c), and errs. The network never sees a
 * second frame, so it cannot copy the errors of a mask, which depend on the motion; it learns what masks have in common. What it can know of motion in a single frame is what tends to move.
 *
 * The network is the section's, up to its first flatten; on its map, a 1 x 1 convolution of `features` with ReLU, and a linear
 * layer to the logits of all cells of the mask (the published code has these two, and enlarges the mask by bilinear
 * interpolation; here the teacher's is pooled to cells of `cell` x `cell` pixels instead). head: local, a linear layer at each
 * place for the cells below it, is not the paper's; it has far fewer weights, and learns from far fewer clips.
 *
 * The loss is logistic. Cells whose motion is between `still` and `moves` are ignored, as the paper ignores uncertain pixels; so
 * are clips in which less than `least` or more than `most` of the cells move. Sums are divided by the number of all cells of a
 * lane, those among them: each counted cell weighs the same in every lane and step, with no sum over lanes first.
 *
 * shuffled: the control, in which the mask is that of the next clip of the lane. All that is left to learn is where things are. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "hiss/alloc.h"
#include "objective/parts/pixels.h"
#include "objective/video/movers.h"

static const char method[] = MOVERS_NAME;
#define OPTION(name) offsetof(movers_options, name)
static const hiss_row rows[] = {
    {"cell", HISS_INT, OPTION(cell), "2", 1, MOVERS_MOST_SIDE, NULL, "pixels of a cell of the mask, in each direction"},
    {"features", HISS_INT, OPTION(features), "16", 1, 1 << 16, NULL,
     "outputs of the 1 x 1 convolution before the mask"},
    {"head", HISS_CHOICE, OPTION(head), "linear", 0, 0, "linear|local",
     "linear: the mask from the whole map, as in the paper; local: at each place of the map the cells below it"},
    {"low", HISS_FLOAT, OPTION(low), "0.05", 0, 1, NULL,
     "a pixel, of 0..1, that differs from its temporal median by no more does not move"},
    {"high", HISS_FLOAT, OPTION(high), "0.1", 0, 1, NULL, "one that differs by so much does; more than low"},
    {"still", HISS_FLOAT, OPTION(still), "0.1", 0, 1, NULL, "cells with at most this motion, of 0..1, stand still"},
    {"moves", HISS_FLOAT, OPTION(moves), "0.3", 0, 1, NULL,
     "cells with more than this motion move; those between still and this are ignored"},
    {"least", HISS_FLOAT, OPTION(least), "0.01", 0, 1, NULL,
     "clips are left out when a smaller share of their cells moves"},
    {"most", HISS_FLOAT, OPTION(most), "0.4", 0, 1, NULL, "clips are left out when a larger share does"},
    {"shuffled", HISS_BOOL, OPTION(shuffled), "false", 0, 0, NULL,
     "a control: the mask is that of another clip, so nothing in the image tells it"},
};
static const int nrows = HISS_COUNT(rows);

/* ---- creation ---- */

static hiss_status expect(const movers *v, hiss_error *err) {
    const movers_options *o = v->options;
    const hiss_task *t = v->task;
    if (t->H % o->cell != 0 || t->W % o->cell != 0 || t->W > MOVERS_MOST_SIDE) {
        return hiss_fail_key(err, HISS_EUSER, "moving_objects.cell",
                             "%lld, but images are %lldx%lld; expected a divisor of both, and at most %d columns",
                             (long long)o->cell, (long long)t->H, (long long)t->W, MOVERS_MOST_SIDE);
    }
    if (v->frames > VIDEO_MOST_FRAMES) {
        return hiss_fail_key(err, HISS_EUSER, "data.fields",
                             "%s takes clips of at most %d frames, found %lld; cut them", method, VIDEO_MOST_FRAMES,
                             (long long)v->frames);
    }
    if (!(o->low < o->high)) {
        return hiss_fail_key(err, HISS_EUSER, "moving_objects.high", "%g; expected more than moving_objects.low, %g",
                             o->high, o->low);
    }
    if (o->still > o->moves) {
        return hiss_fail_key(err, HISS_EUSER, "moving_objects.moves", "%g; expected at least moving_objects.still, %g",
                             o->moves, o->still);
    }
    if (o->least > o->most) {
        return hiss_fail_key(err, HISS_EUSER, "moving_objects.most", "%g; expected at least moving_objects.least, %g",
                             o->most, o->least);
    }
    if (o->shuffled && v->placement && v->placement->m < 2) {
        return hiss_fail_key(
            err, HISS_EUSER, "moving_objects.shuffled",
            "takes the mask of another clip of the lane, found train.lane_samples 1; set it to 2 or more");
    }
    return HISS_OK;
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    movers *v = hiss_new(movers, 1);
    v->task = task;
    v->placement = placement;
    v->options = opts;
    *self = v;
    hiss_status s = objective_video_expect_clips(method, task, 3, "for a median over time", err);
    v->frames = hiss_task_field(task, VIDEO_FIELD_CLIP)->dim[0];
    v->middle = v->frames / 2;
    s = s == HISS_OK ? expect(v, err) : s;
    s = s == HISS_OK ? video_movers_map_size(v, err) : s;
    v->rows = task->H / v->options->cell;
    v->columns = task->W / v->options->cell;
    if (s == HISS_OK && v->options->head == MOVERS_LOCAL && (v->rows % v->h != 0 || v->columns % v->w != 0)) {
        return hiss_fail_key(
            err, HISS_EUSER, "moving_objects.head",
            "local needs as many cells below each place of the map, found masks of %lldx%lld and a map of "
            "%lldx%lld; change moving_objects.cell or the network, or set it to linear",
            (long long)v->rows, (long long)v->columns, (long long)v->h, (long long)v->w);
    }
    return s;
}

static void destroy(void *self) {
    hiss_free(self);
}

/* ---- the graph ---- */

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    hiss_value map = -1;
    const hiss_status s = video_movers_map(((const movers *)self)->task, b, image, taps, &map, err);
    return s == HISS_OK ? hiss_graph_status(b->graph, err) : s;
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    const movers *v = self;
    const hiss_task *t = v->task;
    hiss_graph *g = b->graph;
    const int64_t m = v->placement->m, cells = v->rows * v->columns;
    const hiss_value image = hiss_graph_input(g, "image", HISS_SHAPE(m, t->H, t->W, t->C));
    const hiss_value weight =
        hiss_graph_input(g, "weight", HISS_SHAPE(m, cells)); /* 1 moves, -1 stands still, 0 ignored */
    const hiss_value left_out = hiss_graph_input(g, "left_out", HISS_SHAPE(m));
    hiss_graph_cut(g);
    hiss_value mask = -1;
    const hiss_status s = video_movers_mask(v, b, image, &mask, err);
    if (s != HISS_OK) {
        return s;
    }
    const double each = 1.0 / (double)(m * cells);
    const hiss_value loss = hiss_graph_logistic_loss(g, mask, weight, each);
    hiss_graph_loss(g, loss);
    hiss_layer_metric(b, "loss", loss);
    hiss_layer_metric(b, "counted", hiss_graph_dot(g, weight, weight, each));
    hiss_layer_metric(b, "moving", hiss_graph_dot(g, hiss_graph_relu(g, weight), weight, each));
    hiss_layer_metric(b, "left_out", hiss_graph_dot(g, left_out, left_out, 1.0 / (double)m));
    return hiss_graph_status(g, err);
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const movers *v = self;
    if (lane->phase < 0) { /* of encode(): an image, and no clip */
        hiss_lane_default_sample(lane, i);
        return;
    }
    const int64_t m = v->placement->m, teacher = v->options->shuffled ? (i + 1) % m : i;
    float *weight = hiss_lane_values(lane, hiss_graph_input_named(lane->graph, "weight"), i);
    float *left_out = hiss_lane_values(lane, hiss_graph_input_named(lane->graph, "left_out"), i);
    objective_video_frame(lane, i, v->middle, hiss_lane_values(lane, lane->inputs->image, i));
    video_movers_weights(v, lane, teacher, weight, left_out);
}

/* ---- what it says ---- */

static double entropy(double p) {
    return p > 0.0 && p < 1.0 ? -p * log(p) - (1.0 - p) * log(1.0 - p) : 0.0;
}

static int derive(void *self, const hiss_named *metrics, int nmetrics, hiss_named out[HISS_MAX_DERIVED]) {
    (void)self;
    const double counted = hiss_named_value(metrics, nmetrics, "counted");
    const double loss = hiss_named_value(metrics, nmetrics, "loss");
    out[0] = (hiss_named){"cross_entropy", counted > 0.0 ? loss / counted : 0.0};
    return 1;
}

static int below_chance(void *self, const hiss_named *metrics, int nmetrics, char *line, size_t size) {
    const double counted = hiss_named_value(metrics, nmetrics, "counted");
    const double found = hiss_named_value(metrics, nmetrics, "cross_entropy");
    const double share = counted > 0.0 ? hiss_named_value(metrics, nmetrics, "moving") / counted : 0.0;
    if (((const movers *)self)->options->shuffled) {
        return -1;
    }
    if (share > 0.0 && found < entropy(share)) {
        return 0;
    }
    snprintf(line, size, "a cross-entropy of %.4g nats a cell, where the share of cells that move gives %.4g", found,
             entropy(share));
    return 1;
}

static void describe(void *self, char *line, size_t size) {
    const movers *v = self;
    snprintf(line, size, "moving_objects: a mask of %lld x %lld cells from frame %lld of %lld, %s head%s",
             (long long)v->rows, (long long)v->columns, (long long)v->middle, (long long)v->frames,
             v->options->head == MOVERS_LINEAR ? "linear" : "local",
             v->options->shuffled ? "; masks of other clips (a control)" : "");
}

static const hiss_input inputs[] = {
    {HISS_FIELD_IMAGE, 3, 0, "images [H,W,C]", "image", "image"},
    {VIDEO_FIELD_CLIP, 4, 1u << HISS_U8, "clips, uint8 [T,H,W,C],", NULL, NULL},
    {0},
};
static const hiss_input_ops input = {.inputs = inputs, .sample = sample};
static const hiss_report_ops report = {.derive = derive, .below_chance = below_chance, .describe = describe};

const hiss_objective_ops objective_moving_objects = {
    .name = "moving_objects",
    .summary = "in one frame, what moves in its clip, by masks of motion that nobody taught",
    .sections = {{"moving_objects", rows, &nrows, 0}},
    .options_bytes = sizeof(movers_options),
    .unit_pixels = objective_needs_unit_pixels,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .report = &report,
    .measure = &video_movers_measure,
};
