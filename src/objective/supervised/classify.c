/* Classification: what features are measured against, and what they are good for.
 *
 * By labels, each sample has one class. classify.loss softmax is the cross-entropy of the label; logistic tells each class
 * from all others by itself, and the loss is the sum over classes. By targets (classify.targets), a sample may have
 * several classes, as pictures of PASCAL VOC have: field targets says of each class whether it is there, and the loss is
 * that of logistic. Targets that are not judged take no part: their scores are replaced by one so low that neither loss nor
 * gradient is left. */
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "objective/parts/encoder.h"
#include "objective/parts/lab.h"
#include "objective/parts/pixels.h"

enum { SOFTMAX, LOGISTIC };
enum { IMAGE, LIGHTNESS };             /* classify.sees */
static const float no_score = -100.0f; /* e^-100 is 0 in float32 */

typedef struct options {
    int loss;
    bool targets, permuted;
    int sees;
} options;

static const hiss_row rows[] = {
    {"loss", HISS_CHOICE, offsetof(options, loss), "softmax", 0, 0, "softmax|logistic",
     "targets false: softmax, one class of all; logistic, each class against the others"},
    {"targets", HISS_BOOL, offsetof(options, targets), "false", 0, 0, NULL,
     "learn field targets, of several classes a sample, in place of labels"},
    {"permuted", HISS_BOOL, offsetof(options, permuted), "false", 0, 0, NULL,
     "a control: each sample has the label or targets of the next one in its lane, so nothing can be learnt"},
    {"sees", HISS_CHOICE, offsetof(options, sees), "image", 0, 0, "image|lightness",
     "what the network sees; lightness: L of a colour image, as colorization and the first half of split_brain"},
};
static const int nrows = HISS_COUNT(rows);

typedef struct classify {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: only encode() will be called */
    const options *options;
    const hiss_field *targets;          /* NULL: labels count */
    hiss_value target, judged, instead; /* inputs [m, classes]: 1 present, 1 judged, the score of one that is not */
} classify;

static const char *needs_labels(const void *options_) {
    return ((const options *)options_)->targets ? NULL : "objective";
}

static bool learns_targets(const void *options_) {
    return ((const options *)options_)->targets;
}

static hiss_status find_targets(classify *c, hiss_error *err) {
    char text[HISS_FIELD_TEXT];
    c->targets = hiss_task_field(c->task, HISS_FIELD_TARGETS);
    if (!c->targets) {
        return hiss_fail_key(err, HISS_EUSER, "classify.targets",
                             "there is no field targets; name the data set of targets, as in `data: {fields: {targets: "
                             "/targets}}`, or set it false to learn labels");
    }
    if (c->targets->dtype != HISS_U8 || c->targets->ndim != 1 || hiss_field_count(c->targets) < 1) {
        return hiss_fail_key(err, HISS_EUSER, "data.fields.targets",
                             "targets are uint8 [n, classes], 1 present, 0 absent, %d not judged; found %s of each "
                             "sample",
                             HISS_NOT_JUDGED, hiss_field_text(c->targets, text));
    }
    return HISS_OK;
}

static bool needs_unit_pixels(const void *options_) {
    return ((const options *)options_)->sees == LIGHTNESS;
}

static hiss_status expect_colors(const hiss_task *task, hiss_error *err) {
    if (task->C != 3) {
        return hiss_fail_key(
            err, HISS_EUSER, "classify.sees",
            "lightness is that of images of 3 channels (red, green, blue), found %lld; set it to image",
            (long long)task->C);
    }
    return objective_expect_unit_pixels("classify", task, false, "or classify.sees image", err);
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *options_, void **self,
                          hiss_error *err) {
    classify *c = hiss_new(classify, 1);
    *c = (classify){task, placement, options_, NULL, -1, -1, -1};
    *self = c;
    if (needs_unit_pixels(options_)) {
        const hiss_status s = expect_colors(task, err);
        if (s != HISS_OK) {
            return s;
        }
    }
    if (placement && c->options->permuted && placement->m < 2) {
        return hiss_fail_key(err, HISS_EUSER, "classify.permuted",
                             "samples have the labels of each other in a lane; set train.lane_samples to 2 or more");
    }
    if (c->options->targets) {
        return find_targets(c, err);
    }
    if (placement && task->classes < 2) {
        return hiss_fail_key(err, HISS_EUSER, "objective",
                             "classify needs labels of at least 2 classes, found %lld; set data.labels, or choose "
                             "another objective",
                             (long long)task->classes);
    }
    return HISS_OK;
}

static int64_t classes_of(const classify *c) {
    return c->targets ? hiss_field_count(c->targets) : c->task->classes;
}

static void destroy(void *self) {
    hiss_free(self);
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    const classify *c = self;
    hiss_value x = -1;
    image = c->options->sees == LIGHTNESS ? objective_lab_channels(b, image, 0, 1) : image;
    const hiss_status s = objective_encoder_head(c->task, b, image, "scores", classes_of(c), true, taps, &x, err);
    return s == HISS_OK ? hiss_network_end(c->task->network, b, "scores", x, taps, err) : s;
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    classify *c = self;
    const int64_t m = c->placement->m;
    hiss_value image = -1, scores = -1;
    const hiss_status s = objective_encoder_on_samples(encode, self, c->task, m, b, &image, &scores, err);
    if (s != HISS_OK) {
        return s;
    }
    const hiss_shape shape = hiss_graph_shape(b->graph, scores);
    const double scale = 1.0 / (double)m;
    hiss_value loss = -1;
    if (c->targets) {
        c->target = hiss_graph_input(b->graph, "target", shape);
        c->judged = hiss_graph_input(b->graph, "judged", shape);
        c->instead = hiss_graph_input(b->graph, "instead", shape);
        scores = hiss_graph_add(b->graph, hiss_graph_multiply(b->graph, scores, c->judged), c->instead);
        loss = hiss_graph_sigmoid_cross_entropy(b->graph, scores, c->target, scale);
    } else if (c->options->loss == LOGISTIC) {
        c->target = hiss_graph_input(b->graph, "target", shape);
        loss = hiss_graph_sigmoid_cross_entropy(b->graph, scores, c->target, scale);
    } else {
        loss = hiss_graph_softmax_cross_entropy(b->graph, scores, hiss_graph_input_labels(b->graph, "label", m));
    }
    hiss_graph_loss(b->graph, loss);
    hiss_layer_metric(b, "loss", loss);
    return hiss_graph_status(b->graph, err);
}

/* The sample of the lane whose label or targets sample i has. */
static int64_t taught(const classify *c, const hiss_lane *lane, int64_t i) {
    return c->options->permuted ? (i + 1) % lane->batch->m : i;
}

static void sample_targets(const classify *c, const hiss_lane *lane, int64_t i) {
    const uint8_t *from = hiss_batch_values(lane->batch, taught(c, lane, i), c->targets);
    float *target = hiss_lane_values(lane, c->target, i), *judged = hiss_lane_values(lane, c->judged, i);
    float *instead = hiss_lane_values(lane, c->instead, i);
    for (int64_t k = 0; k < classes_of(c); k++) {
        const bool is_judged = from[k] != HISS_NOT_JUDGED;
        target[k] = is_judged && from[k] > 0 ? 1.0f : 0.0f;
        judged[k] = is_judged ? 1.0f : 0.0f;
        instead[k] = is_judged ? 0.0f : no_score;
    }
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const classify *c = self;
    hiss_lane_default_sample(lane, i);
    if (c->options->sees == LIGHTNESS) {
        objective_lab_view(c->task->H * c->task->W, hiss_lane_values(lane, lane->inputs->image, i));
    }
    if (c->options->permuted && lane->inputs->label >= 0) {
        ((int32_t *)hiss_exec_data(lane->exec, lane->inputs->label))[i] = lane->batch->label[taught(c, lane, i)];
    }
    if (c->targets && lane->phase >= 0) {
        sample_targets(c, lane, i);
    } else if (c->options->loss == LOGISTIC && lane->phase >= 0) {
        float *target = hiss_lane_values(lane, c->target, i);
        for (int64_t k = 0; k < c->task->classes; k++) {
            target[k] = lane->batch->label[taught(c, lane, i)] == k ? 1.0f : 0.0f;
        }
    }
}

/* Scores that do not look at the image lose ln C, the entropy of one class of C, C times, or ln 2 of each target. */
static int below_chance(void *self, const hiss_named *metrics, int nmetrics, char *line, size_t size) {
    const classify *c = self;
    const double loss = hiss_named_value(metrics, nmetrics, "loss"), C = (double)classes_of(c);
    const double chance = c->targets                     ? C * log(2.0)
                          : c->options->loss == LOGISTIC ? log(C) + (C - 1.0) * log(C / (C - 1.0))
                                                         : log(C);
    snprintf(line, size, "the mean loss was %.4f, where guessing gives %.4f", loss, chance);
    return !(loss <= chance);
}

static void describe(void *self, char *line, size_t size) {
    const classify *c = self;
    snprintf(line, size, "classify: %" PRId64 " classes%s", classes_of(c),
             c->targets                     ? ", of which a sample may have several"
             : c->options->loss == LOGISTIC ? ", each against the others"
                                            : "");
}

static const hiss_input_ops input = {.sample = sample};
static const hiss_report_ops report = {.below_chance = below_chance, .describe = describe};

const hiss_objective_ops objective_classify = {
    .name = "classify",
    .summary = "classes by labels or targets, for comparison",
    .sections = {{"classify", rows, &nrows, 0}},
    .options_bytes = sizeof(options),
    .needs_labels = needs_labels,
    .learns_targets = learns_targets,
    .unit_pixels = needs_unit_pixels,
    .scores = true,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .report = &report,
};
