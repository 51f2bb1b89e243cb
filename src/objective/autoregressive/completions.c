/* Completions: images whose lower halves are drawn by a model of pixels in order, given the upper ones.
 *
 * A model makes images from their first pixel on, pass by pass. Here passes begin at the middle row, of images whose upper
 * halves are there already. */
#include "objective/autoregressive/completions.h"

#include <string.h>

#include "hiss/alloc.h"
#include "objective/parts/parameters.h"

enum { COMPLETIONS = 4, SHEET_ROWS = COMPLETIONS + 2 };

static int64_t pixel_count(const hiss_task *t) {
    return t->H * t->W * t->C;
}

int64_t autoregressive_shown(const hiss_task *task) {
    return pixel_count(task) + 1;
}

void autoregressive_show(const hiss_task *task, const hiss_lane *lane, int64_t i, float *out) {
    const int64_t D = pixel_count(task);
    memcpy(out, hiss_lane_values(lane, lane->inputs->image, i), sizeof(float) * (size_t)D);
    out[D] = lane->batch->label ? (float)lane->batch->label[i] : -1.0f;
}

/* sheet [SHEET_ROWS, images, D]: test images, what of them is given, and completions. */
static void complete(const completions *how, void *self, const hiss_measured *x, const hiss_lane *lane,
                     const float *vector, float *sheet) {
    const hiss_task *t = how->task;
    const int64_t D = pixel_count(t), images = x->shown, m = lane->batch->m, first = t->H / 2;
    const int64_t given = first * t->W * t->C;
    const hiss_exec_context context = {.model = vector, .lanes = 1};
    const hiss_value image = lane->inputs->image;
    for (int64_t i = 0; i < m; i++) {
        const float *shown = x->show + i % images * (D + 1);
        float *out = hiss_lane_values(lane, image, i);
        how->generation->noise(self, lane, i, t->seed, (int64_t)shown[D]);
        memcpy(out, shown, sizeof(float) * (size_t)given);
        if (i < images) {
            memcpy(sheet + i * D, shown, sizeof(float) * (size_t)D);
            memcpy(sheet + (images + i) * D, out, sizeof(float) * (size_t)D);
        }
    }
    int begin, end;
    for (int64_t pass = 0; how->advance(self, lane, pass, t->seed, first, &begin, &end); pass++) {
        hiss_exec_forward(lane->exec, &context, begin, end, NULL, NULL);
    }
    memcpy(sheet + 2 * images * D, hiss_exec_data(lane->exec, image), sizeof(float) * (size_t)(m * D));
}

static hiss_status draw_sheet(const completions *how, void *self, const hiss_measured *x, float *sheet,
                              hiss_error *err) {
    const int64_t m = COMPLETIONS * x->shown;
    hiss_model *model = hiss_model_create();
    hiss_graph *g = hiss_graph_create();
    hiss_builder b = {.graph = g, .model = model, .trained_groups = ~0u};
    hiss_inputs inputs = {.label = -1};
    const hiss_status s = how->generation->build(self, &b, m, &inputs.image, err);
    if (s == HISS_OK) {
        hiss_model_layout(model);
        float *vector = objective_parameters(x->model, x->vector, model);
        int64_t *number = hiss_new(int64_t, m);
        for (int64_t i = 0; i < m; i++) {
            number[i] = i;
        }
        const hiss_batch batch = {.m = m, .sample = number};
        hiss_exec *exec = hiss_exec_create(g, how->task->kernels, hiss_model_offsets(model));
        const hiss_lane lane = {.task = how->task,
                                .phase = -1,
                                .view = HISS_VIEW_CENTER,
                                .batch = &batch,
                                .graph = g,
                                .exec = exec,
                                .inputs = &inputs};
        complete(how, self, x, &lane, vector, sheet);
        hiss_exec_destroy(exec);
        hiss_free(number);
        hiss_free(vector);
    }
    hiss_graph_destroy(g);
    hiss_model_destroy(model);
    return s;
}

hiss_status autoregressive_complete(const completions *how, void *self, const hiss_measured *x, hiss_error *err) {
    const hiss_task *t = how->task;
    if (x->shown == 0) {
        return HISS_OK;
    }
    float *sheet = hiss_new(float, SHEET_ROWS * x->shown * pixel_count(t));
    hiss_status s = x->show ? draw_sheet(how, self, x, sheet, err) : HISS_OK;
    s = hiss_comm_agree(x->comm, s, err);
    s = s == HISS_OK ? x->grid(x->say, how->file, "Completed images",
                               "Test images, their upper halves, and lower halves that are drawn for these.",
                               SHEET_ROWS, x->shown, t->H, t->W, t->C, sheet, err)
                     : s;
    hiss_free(sheet);
    return s;
}
