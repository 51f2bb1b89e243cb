/* What a PixelCNN measures of itself: the probability of test images, which is exact, and lower halves that it draws for
 * upper halves of test images. */
#include <string.h>

#include "hiss/alloc.h"
#include "objective/autoregressive/pixelcnn.h"
#include "objective/autoregressive/pixels.h"
#include "objective/parts/parameters.h"

enum { COMPLETIONS = 4, SHEET_ROWS = COMPLETIONS + 2 };

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
    return pixel_count(self) + 1;
}

/* The image, and its class. */
static void show(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const int64_t D = pixel_count(self);
    memcpy(out, hiss_lane_values(lane, lane->inputs->image, i), sizeof(float) * (size_t)D);
    out[D] = (float)class_of(lane, i);
}

/* sheet [SHEET_ROWS, images, D]: test images, what of them is given, and completions. */
static void complete(const pixelcnn *p, const hiss_measured *x, const hiss_graph *g, hiss_exec *exec,
                     const float *vector, float *sheet) {
    const int64_t D = pixel_count(p), images = x->shown, m = COMPLETIONS * images, first = p->task->H / 2;
    const int64_t given = first * p->task->W;
    const hiss_exec_context context = {.model = vector, .lanes = 1};
    int64_t *number = hiss_new(int64_t, m);
    const hiss_batch batch = {.m = m, .sample = number};
    const hiss_lane lane = {
        .task = p->task, .phase = -1, .view = HISS_VIEW_CENTER, .batch = &batch, .graph = g, .exec = exec};
    for (int64_t i = 0; i < m; i++) {
        const float *image = x->show + i % images * (D + 1);
        float *out = hiss_lane_values(&lane, p->made.image, i);
        number[i] = i;
        memset(out, 0, sizeof(float) * (size_t)D);
        memcpy(out, image, sizeof(float) * (size_t)given);
        autoregressive_pixelcnn_set_class(p, &lane, i, (int64_t)image[D]);
        if (i < images) {
            memcpy(sheet + i * D, image, sizeof(float) * (size_t)D);
            memcpy(sheet + (images + i) * D, out, sizeof(float) * (size_t)D);
        }
    }
    int begin, end;
    for (int64_t pass = 0; autoregressive_pixelcnn_advance(p, &lane, pass, p->task->seed, first, &begin, &end);
         pass++) {
        hiss_exec_forward(exec, &context, begin, end, NULL, NULL);
    }
    memcpy(sheet + 2 * images * D, hiss_exec_data(exec, p->made.image), sizeof(float) * (size_t)(m * D));
    hiss_free(number);
}

static hiss_status draw_sheet(pixelcnn *p, const hiss_measured *x, float *sheet, hiss_error *err) {
    hiss_model *model = hiss_model_create();
    hiss_graph *g = hiss_graph_create();
    hiss_builder b = {.graph = g, .model = model, .trained_groups = ~0u};
    const hiss_status s = autoregressive_pixelcnn_make(p, &b, COMPLETIONS * x->shown, err);
    if (s == HISS_OK) {
        hiss_model_layout(model);
        float *vector = objective_parameters(x->model, x->vector, model);
        hiss_exec *exec = hiss_exec_create(g, p->task->kernels, hiss_model_offsets(model));
        complete(p, x, g, exec, vector, sheet);
        hiss_exec_destroy(exec);
        hiss_free(vector);
    }
    hiss_graph_destroy(g);
    hiss_model_destroy(model);
    return s;
}

/* Rank 0 draws. */
static hiss_status conclude(void *self, const hiss_measured *x, hiss_error *err) {
    pixelcnn *p = self;
    const hiss_task *t = p->task;
    autoregressive_say(x, p->options->levels, pixel_count(p));
    if (x->shown == 0) {
        return HISS_OK;
    }
    float *sheet = hiss_new(float, SHEET_ROWS * x->shown * pixel_count(p));
    hiss_status s = x->show ? draw_sheet(p, x, sheet, err) : HISS_OK;
    s = hiss_comm_agree(x->comm, s, err);
    s = s == HISS_OK ? x->grid(x->say, sheet_file, "Completed images",
                               "Test images, their upper halves, and lower halves that are drawn for these.",
                               SHEET_ROWS, x->shown, t->H, t->W, t->C, sheet, err)
                     : s;
    hiss_free(sheet);
    return s;
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
