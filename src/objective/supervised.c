/* Supervised classification: cross-entropy on labels. Not what hiss is for, but what its features are measured
 * against. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "objective/register.h"

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
    hiss_status s = hiss_network_build(sup->task->network, b, image, &x, taps, err);
    if (s != HISS_OK) {
        return s;
    }
    if (hiss_graph_shape(b->graph, x).ndim != 2) {
        x = hiss_flatten(b->graph, x);
    }
    x = hiss_layer_linear(b, "scores", x, sup->task->classes, true);
    return hiss_network_end(sup->task->network, b, "scores", x, taps, err);
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    const supervised *sup = self;
    const hiss_task *t = sup->task;
    const int64_t m = sup->placement->m;
    hiss_taps taps = {0};
    hiss_status s = encode(self, b, hiss_input(b->graph, "image", HISS_SHAPE(m, t->H, t->W, t->C)), &taps, err);
    if (s != HISS_OK) {
        return s;
    }
    hiss_value loss =
        hiss_softmax_cross_entropy(b->graph, hiss_taps_last(&taps), hiss_input_labels(b->graph, "label", m));
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

const hiss_objective_ops hiss_supervised = {
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
