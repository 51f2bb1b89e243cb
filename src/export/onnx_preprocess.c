/* The first nodes of a graph that takes images as they are stored: see hiss_center. */
#include "export/onnx_impl.h"

/* Of stored images, as hiss_augment_center makes the network's: see hiss_center. */
static void put_sampled(export_onnx *w, const hiss_center *c, const char *from, const char *to) {
    float *rows = hiss_new(float, c->height * c->H), *columns = hiss_new(float, c->W * c->width),
          *turned = hiss_new(float, c->W * c->width);
    export_sampling(c->H, c->height, rows);
    export_sampling(c->W, c->width, columns);
    for (int64_t k = 0; k < c->W * c->width; k++) {
        turned[k % c->W * c->width + k / c->W] = columns[k];
    }
    export_onnx_floats(w, "/image/rows", &HISS_SHAPE(c->height, c->H), rows);
    export_onnx_floats(w, "/image/columns", &HISS_SHAPE(c->W, c->width), turned);
    export_onnx_two(w, "MatMul", "/image/rows", from, "/image/sampled_rows");
    export_onnx_two(w, "MatMul", "/image/sampled_rows", "/image/columns", to);
    hiss_free(rows);
    hiss_free(columns);
    hiss_free(turned);
}

static void put_cut(export_onnx *w, const hiss_center *c, const char *from, const char *to) {
    export_onnx_whole(w, "/image/begin", 2, (const int64_t[]){c->top, c->left});
    export_onnx_whole(w, "/image/end", 2, (const int64_t[]){c->top + c->height, c->left + c->width});
    export_onnx_whole(w, "/image/axes", 2, (const int64_t[]){2, 3});
    export_onnx_begin(w, "Slice");
    export_onnx_input(w, from);
    export_onnx_input(w, "/image/begin");
    export_onnx_input(w, "/image/end");
    export_onnx_input(w, "/image/axes");
    export_onnx_output(w, to);
}

static void put_mean(export_onnx *w, const char *from, const char *to) {
    export_onnx_begin(w, "ReduceMean");
    export_onnx_input(w, from);
    export_onnx_put_ints(w, "axes", 3, (const int64_t[]){1, 2, 3});
    export_onnx_output(w, to);
}

static void put_own(export_onnx *w, const hiss_center *c, const char *from) {
    put_mean(w, from, "/image/mean");
    export_onnx_two(w, "Sub", from, "/image/mean", "/image/centred");
    export_onnx_two(w, "Mul", "/image/centred", "/image/centred", "/image/squares");
    put_mean(w, "/image/squares", "/image/variance");
    export_onnx_begin(w, "Sqrt");
    export_onnx_input(w, "/image/variance");
    export_onnx_output(w, "/image/root");
    export_onnx_with_scalar(w, "Max", "/image/root", "/image/deviation", c->span / 255.0);
    export_onnx_two(w, "Div", "/image/centred", "/image/deviation", "/image");
}

static void put_fixed(export_onnx *w, const hiss_center *c, const char *from) {
    float factor[HISS_MAX_CHANNELS], offset[HISS_MAX_CHANNELS];
    const int C = c->scaling->count;
    for (int k = 0; k < C; k++) {
        factor[k] = (float)(1.0 / c->span / c->scaling->std[k]);
        offset[k] = (float)(-c->scaling->mean[k] / c->scaling->std[k]);
    }
    export_onnx_floats(w, "/image/factor", &HISS_SHAPE(1, C, 1, 1), factor);
    export_onnx_floats(w, "/image/offset", &HISS_SHAPE(1, C, 1, 1), offset);
    export_onnx_two(w, "Mul", from, "/image/factor", "/image/scaled");
    export_onnx_two(w, "Add", "/image/scaled", "/image/offset", "/image");
}

void export_onnx_preprocess(export_onnx *w, const hiss_center *c) {
    const char *x = export_onnx_image_name(w);
    if (c->low != 0) {
        export_onnx_with_scalar(w, "Sub", x, "/image/from_low", c->low);
        x = "/image/from_low";
    }
    if (c->samples || c->height != c->H || c->width != c->W) {
        (c->samples ? put_sampled : put_cut)(w, c, x, "/image/view");
        x = "/image/view";
    }
    (c->own ? put_own : put_fixed)(w, c, x);
}
