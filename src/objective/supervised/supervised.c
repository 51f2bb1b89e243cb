/* Supervised classification: cross-entropy on labels. Not what hiss is for, but what its features are measured
 * against. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "objective/parts/encoder.h"

typedef struct supervised {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: only encode() will be called */
} supervised;

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *options, void **self,
                          hiss_error *err) {
    (void)options;
    if (placement && task->classes < 2) {
        return hiss_fail_key(err, HISS_EUSER, "objective",
                             "supervised needs labels of at least 2 classes, found %lld; set data.labels, or choose "
                             "another objective",
                             (long long)task->classes);
    }
    supervised *sup = hiss_new(supervised, 1);
    sup->task = task;
    sup->placement = placement;
    *self = sup;
    return HISS_OK;
}

static void destroy(void *self) {
    hiss_free(self);
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    const supervised *sup = self;
    hiss_value x = -1;
    const hiss_status s =
        objective_encoder_head(sup->task, b, image, "scores", sup->task->classes, true, taps, &x, err);
    return s == HISS_OK ? hiss_network_end(sup->task->network, b, "scores", x, taps, err) : s;
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    const supervised *sup = self;
    const int64_t m = sup->placement->m;
    hiss_value image = -1, scores = -1;
    hiss_status s = objective_encoder_on_samples(encode, self, sup->task, m, b, &image, &scores, err);
    if (s != HISS_OK) {
        return s;
    }
    hiss_value loss = hiss_graph_softmax_cross_entropy(b->graph, scores, hiss_graph_input_labels(b->graph, "label", m));
    hiss_graph_loss(b->graph, loss);
    hiss_layer_metric(b, "loss", loss);
    return hiss_graph_status(b->graph, err);
}

/* Scores that do not look at the image lose ln C. */
static int below_chance(void *self, const hiss_named *metrics, int nmetrics, char *line, size_t size) {
    const double loss = hiss_named_value(metrics, nmetrics, "loss");
    const double chance = log((double)((const supervised *)self)->task->classes);
    snprintf(line, size, "the mean loss was %.4f, where guessing gives %.4f", loss, chance);
    return !(loss <= chance);
}

static const hiss_input_ops input = {.labels = true};
static const hiss_report_ops report = {.below_chance = below_chance};

const hiss_objective_ops objective_supervised = {
    .name = "supervised",
    .summary = "cross-entropy on labels, for comparison",
    .options_bytes = 1,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .report = &report,
};
