/* The graph of a method's encode() or reconstruct(), and the memory to run it on several threads. Samples get to its
 * input as they do in training: by hiss_lane_default_sample. */
#include "hiss/encoder.h"

#include "hiss/alloc.h"

struct hiss_encoder {
    hiss_encoder_options options;
    hiss_graph *graph;
    hiss_value image;
    hiss_inputs inputs;
    hiss_taps taps;
    hiss_exec **execs;       /* [threads] */
    hiss_pixel_scale *scale; /* [threads][m] */
    float *scratch;          /* [threads][hiss_task_scratch], or NULL */
    int threads;
    int end; /* nodes that run; 0: all */
};

/* Append what the options ask for. */
static hiss_status append(hiss_encoder *e, hiss_builder *b, hiss_error *err) {
    const hiss_encoder_options *o = &e->options;
    if (!o->rebuilds) {
        return o->objective->encode(o->method, b, e->image, &e->taps, err);
    }
    hiss_value rebuilt = -1;
    hiss_status s = o->objective->reconstruct(o->method, b, e->image, &rebuilt, err);
    s = s == HISS_OK ? hiss_taps_add(&e->taps, "image", e->image, err) : s;
    return s == HISS_OK ? hiss_taps_add(&e->taps, "rebuilt", rebuilt, err) : s;
}

hiss_status hiss_encoder_create(const hiss_encoder_options *options, hiss_encoder **out, hiss_error *err) {
    const hiss_task *t = options->task;
    hiss_encoder *e = *out = hiss_new(hiss_encoder, 1);
    e->options = *options;
    e->graph = hiss_graph_create();
    hiss_builder b = {.graph = e->graph, .model = options->model, .training = options->training, .trained_groups = ~0u};
    e->image = hiss_graph_input(e->graph, "image", HISS_SHAPE(options->m, t->H, t->W, t->C));
    const hiss_status s = append(e, &b, err);
    e->inputs = hiss_inputs_bind(options->objective, t, e->graph);
    for (int k = options->output_only ? e->taps.count - 1 : 0; k < e->taps.count && s == HISS_OK; k++) {
        hiss_graph_keep(e->graph, e->taps.tap[k].value);
    }
    return s;
}

void hiss_encoder_destroy(hiss_encoder *e) {
    if (e) {
        for (int i = 0; i < e->threads; i++) {
            hiss_exec_destroy(e->execs[i]);
        }
        hiss_free(e->execs);
        hiss_free(e->scale);
        hiss_free(e->scratch);
        hiss_graph_destroy(e->graph);
        hiss_free(e);
    }
}

void hiss_encoder_prepare(hiss_encoder *e, int threads) {
    if (e->threads == 0) {
        e->execs = hiss_new(hiss_exec *, threads);
        const int64_t scratch = hiss_task_scratch(e->options.task);
        e->scale = hiss_new(hiss_pixel_scale, threads * e->options.m);
        e->scratch = scratch > 0 ? hiss_new(float, threads *scratch) : NULL;
        for (; e->threads < threads; e->threads++) {
            e->execs[e->threads] =
                hiss_exec_create(e->graph, e->options.task->kernels, hiss_model_offsets(e->options.model));
        }
    }
}

const hiss_graph *hiss_encoder_graph(const hiss_encoder *e) {
    return e->graph;
}

const hiss_taps *hiss_encoder_taps(const hiss_encoder *e) {
    return &e->taps;
}

int64_t hiss_encoder_width(const hiss_encoder *e, int tap) {
    const hiss_shape shape = hiss_graph_shape(e->graph, e->taps.tap[tap].value);
    return hiss_shape_count(&shape) / e->options.m;
}

static void run_lane(hiss_encoder *e, int thread, const hiss_exec_context *run, const hiss_batch *batch, int64_t epoch,
                     int64_t view, const hiss_box *box) {
    const hiss_lane lane = {.task = e->options.task,
                            .phase = -1,
                            .lane = run->lane,
                            .epoch = epoch,
                            .step = run->step,
                            .view = view,
                            .batch = batch,
                            .graph = e->graph,
                            .exec = e->execs[thread],
                            .scale = e->scale + thread * e->options.m,
                            .inputs = &e->inputs,
                            .scratch = e->scratch ? e->scratch + thread * hiss_task_scratch(e->options.task) : NULL,
                            .box = box};
    for (int64_t i = 0; i < batch->m; i++) {
        hiss_lane_default_sample(&lane, i);
        if (e->options.corrupts) {
            e->options.objective->corruption->corrupt(e->options.method, &lane, i);
        }
    }
    hiss_exec_forward(lane.exec, run, 0, e->end ? e->end : hiss_graph_nodes(e->graph), NULL, NULL);
    if (run->lane_vector) {
        hiss_exec_record(lane.exec, run);
    }
}

void hiss_encoder_run(hiss_encoder *e, int thread, const hiss_exec_context *run, const hiss_batch *batch, int64_t epoch,
                      int64_t view) {
    run_lane(e, thread, run, batch, epoch, view, NULL);
}

void hiss_encoder_run_boxes(hiss_encoder *e, int thread, const hiss_exec_context *run, const hiss_batch *batch,
                            const hiss_box *box) {
    run_lane(e, thread, run, batch, 0, HISS_VIEW_CENTER, box);
}

void hiss_encoder_stop_at(hiss_encoder *e, int count, const int *tap) {
    e->end = 0;
    for (int k = 0; k < count; k++) {
        const int past = e->taps.tap[tap[k]].value + 1; /* a node's inputs come before it */
        e->end = past > e->end ? past : e->end;
    }
}

const float *hiss_encoder_value(const hiss_encoder *e, int thread, int tap) {
    return hiss_exec_data(e->execs[thread], e->taps.tap[tap].value);
}

const hiss_pixel_scale *hiss_encoder_scales(const hiss_encoder *e, int thread) {
    return e->scale + thread * e->options.m;
}
