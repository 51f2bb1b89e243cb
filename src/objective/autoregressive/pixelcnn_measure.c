/* What a PixelCNN measures of itself: the probability of test images, which is exact, and lower halves that it draws for
 * upper halves of test images. */
#include "objective/autoregressive/completions.h"
#include "objective/autoregressive/pixelcnn.h"
#include "objective/autoregressive/pixels.h"

static const char sheet_file[] = "pixelcnn-completed.png";

static int64_t pixel_count(const pixelcnn *p) {
    return p->task->H * p->task->W;
}

static int64_t width(void *self) {
    const pixelcnn *p = self;
    return autoregressive_width(p->options->levels, pixel_count(p));
}

static hiss_status build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    pixelcnn *p = self;
    const hiss_task *t = p->task;
    hiss_value link[PIXELCNN_MOST_LAYERS];
    const hiss_value image = hiss_graph_input(b->graph, "image", HISS_SHAPE(m, t->H, t->W, t->C));
    const hiss_value class = autoregressive_pixelcnn_class(p, b->graph, m);
    autoregressive_pixelcnn_vertical(p, b, image, class, link);
    hiss_status s = hiss_graph_status(b->graph, err);
    s = s == HISS_OK ? autoregressive_pixelcnn_horizontal(p, b, image, class, link, NULL, &p->measured, err) : s;
    if (s == HISS_OK) {
        hiss_graph_keep(b->graph, image);
        hiss_graph_keep(b->graph, p->measured);
    }
    return s;
}

static int64_t class_of(const hiss_lane *lane, int64_t i) {
    return lane->batch->label ? lane->batch->label[i] : -1;
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const pixelcnn *p = self;
    autoregressive_sample(p->task, p->options->levels, lane, i);
    autoregressive_pixelcnn_set_class(p, lane, i, class_of(lane, i));
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const pixelcnn *p = self;
    autoregressive_measure(p->options->levels, pixel_count(p), hiss_lane_values(lane, p->measured, i),
                           hiss_lane_values(lane, lane->inputs->image, i), out);
}

/* ---- completions ---- */

static int64_t shown(void *self) {
    return autoregressive_shown(((const pixelcnn *)self)->task);
}

static void show(void *self, const hiss_lane *lane, int64_t i, float *out) {
    autoregressive_show(((const pixelcnn *)self)->task, lane, i, out);
}

static bool advance(void *self, const hiss_lane *lane, int64_t pass, uint64_t seed, int64_t first, int *begin,
                    int *end) {
    return autoregressive_pixelcnn_advance(self, lane, pass, seed, first, begin, end);
}

static hiss_status conclude(void *self, const hiss_measured *x, hiss_error *err) {
    const pixelcnn *p = self;
    const completions how = {p->task, &autoregressive_pixelcnn_generation, advance, sheet_file};
    autoregressive_say(x, p->options->levels, pixel_count(p));
    return autoregressive_complete(&how, self, x, err);
}

static const char *const pictures[] = {sheet_file, NULL};

const hiss_measure_ops autoregressive_pixelcnn_measure = {
    .baseline = "independent pixels",
    .pictures = pictures,
    .width = width,
    .build = build,
    .sample = sample,
    .measure = measure,
    .shown = shown,
    .show = show,
    .conclude = conclude,
};
