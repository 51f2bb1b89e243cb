/* A run's network in evaluation mode: the encoder of its objective, with running statistics and nothing dropped. */
#include "cli/cli.h"

#include <string.h>

enum { CALIBRATION_BATCHES = 40, DRAW_OF_CALIBRATION = 2010 };

struct embedder {
    hiss_experiment *experiment;
    hiss_world world;
    void *method;
    hiss_model *model;
    hiss_graph *graph, *training; /* training: for BatchNorm statistics of a random network */
    hiss_exec *exec;
    float *vector;
    hiss_value image;
    hiss_taps taps;
    int chosen[HISS_MAX_TAPS], nchosen;
    int64_t D[HISS_MAX_TAPS];
};

static hiss_status build(embedder *m, bool training, hiss_graph **graph, hiss_error *err) {
    const hiss_world *w = &m->world;
    *graph = hiss_graph_create();
    hiss_builder b = {.graph = *graph, .model = m->model, .training = training, .trained_groups = ~0u};
    m->image = hiss_input(b.graph, "image", HISS_SHAPE(EMBEDDER_BATCH, w->H, w->W, w->C));
    hiss_status s = m->experiment->objective->encode(m->method, &b, m->image, &m->taps, err);
    for (int k = 0; k < m->taps.count && s == HISS_OK; k++) {
        hiss_graph_keep(b.graph, m->taps.tap[k].value);
    }
    return s;
}

hiss_status embedder_create(hiss_comm *comm, hiss_experiment *e, const hiss_dataset *set, embedder **out,
                            hiss_error *err) {
    embedder *m = hiss_new(embedder, 1);
    *out = m;
    m->experiment = e;
    m->model = hiss_model_create();
    hiss_dataset_shape(set, &m->world.stored_H, &m->world.stored_W, &m->world.C);
    hiss_status s = hiss_augment_check(&e->augment, m->world.stored_H, m->world.stored_W, err);
    m->world.seed = (uint64_t)e->seed;
    m->world.H = e->augment.height;
    m->world.W = e->augment.width;
    m->world.classes = hiss_dataset_classes(set);
    m->world.comm = comm;
    m->world.kernels = &e->kernels;
    m->world.augment = &e->augment;
    m->world.network = &e->network;
    s = s == HISS_OK ? e->objective->create(&m->world, e->objective_options, &m->method, err) : s;
    s = s == HISS_OK ? build(m, true, &m->training, err) : s;
    s = s == HISS_OK ? build(m, false, &m->graph, err) : s;
    if (s == HISS_OK) {
        hiss_model_layout(m->model);
        m->vector = hiss_new(float, hiss_model_floats(m->model));
        m->exec = hiss_exec_create(m->graph, m->world.kernels, hiss_model_offsets(m->model));
    }
    return hiss_config_blame(e->config, s, err);
}

void embedder_destroy(embedder *m) {
    if (m) {
        hiss_exec_destroy(m->exec);
        hiss_graph_destroy(m->graph);
        hiss_graph_destroy(m->training);
        m->experiment->objective->destroy(m->method);
        hiss_model_destroy(m->model);
        hiss_free(m->vector);
        hiss_free(m);
    }
}

hiss_status embedder_choose(embedder *m, const char *layers, int *count, hiss_layer_size *chosen, hiss_error *err) {
    char name[64], known[HISS_MAX_TAPS * (HISS_TAP_NAME + 2)] = "";
    m->nchosen = 0;
    for (int k = 0; k < m->taps.count; k++) {
        const size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", m->taps.tap[k].name);
    }
    for (const char *rest = hiss_next_name(layers ? layers : known, name); rest; rest = hiss_next_name(rest, name)) {
        const int k = hiss_taps_find(&m->taps, name);
        if (k < 0 || m->nchosen == HISS_MAX_TAPS) {
            return hiss_fail_key(err, HISS_EUSER, "eval.layers", "layer '%s' is not in this network; it has %s", name,
                                 known);
        }
        const hiss_shape shape = hiss_graph_shape(m->graph, m->taps.tap[k].value);
        m->chosen[m->nchosen] = k;
        m->D[m->nchosen] = hiss_shape_count(&shape) / shape.dim[0];
        chosen[m->nchosen] = (hiss_layer_size){m->taps.tap[k].name, m->D[m->nchosen]};
        m->nchosen++;
    }
    *count = m->nchosen;
    return HISS_OK;
}

hiss_status embedder_load(embedder *m, const char *checkpoint, hiss_error *err) {
    return hiss_checkpoint_model(checkpoint, m->model, m->vector, err);
}

static void place_images(embedder *m, hiss_exec *exec, int64_t count, const uint8_t *pixels) {
    const hiss_world *w = &m->world;
    const int64_t stored = w->stored_H * w->stored_W * w->C, size = w->H * w->W * w->C;
    float *image = hiss_exec_data(exec, m->image);
    for (int64_t i = 0; i < EMBEDDER_BATCH; i++) {
        if (i < count) {
            hiss_augment_center(w->augment, w->stored_H, w->stored_W, w->C, pixels + i * stored, image + i * size);
        } else {
            memset(image + i * size, 0, sizeof(float) * (size_t)size);
        }
    }
}

/* Statistics are averaged over batches drawn by key from the training samples, whose order may be that of their
 * classes; on every rank alike. */
hiss_status embedder_randomize(embedder *m, const hiss_sample_range *train, hiss_error *err) {
    const int64_t floats = hiss_model_floats(m->model);
    hiss_exec *exec = hiss_exec_create(m->training, m->world.kernels, hiss_model_offsets(m->model));
    float *lane = hiss_new(float, floats);
    double *sum = hiss_new(double, floats);
    uint8_t *pixels = hiss_alloc((size_t)(EMBEDDER_BATCH * m->world.stored_H * m->world.stored_W * m->world.C));
    hiss_model_initialize(m->model, m->world.seed, m->vector);
    int64_t batches = train->count / EMBEDDER_BATCH;
    batches = batches > CALIBRATION_BATCHES ? CALIBRATION_BATCHES : batches;
    hiss_status s = batches > 0
                        ? HISS_OK
                        : hiss_fail_key(err, HISS_EUSER, "eval.random",
                                        "a random network needs at least %d training samples, found %lld; set it false",
                                        EMBEDDER_BATCH, (long long)train->count);
    const hiss_permutation order =
        hiss_permutation_keyed(m->world.seed, HISS_FOR_EVALUATION, DRAW_OF_CALIBRATION, 0, train->count);
    for (int64_t b = 0; b < batches && s == HISS_OK; b++) {
        int64_t position[EMBEDDER_BATCH];
        for (int64_t i = 0; i < EMBEDDER_BATCH; i++) {
            position[i] = hiss_sample_at(train, hiss_permutation_at(&order, b * EMBEDDER_BATCH + i));
        }
        s = hiss_dataset_read_list(train->set, EMBEDDER_BATCH, position, pixels, NULL, err);
        place_images(m, exec, EMBEDDER_BATCH, pixels);
        const hiss_run run = {.model = m->vector, .lane_vector = lane, .seed = m->world.seed, .step = b, .lanes = 1};
        hiss_exec_forward(exec, &run, 0, hiss_graph_nodes(m->training), NULL, NULL);
        hiss_exec_record(exec, &run);
        for (int64_t i = 0; i < floats; i++) {
            sum[i] += (double)lane[i] / (double)batches;
        }
    }
    for (int k = 0; k < hiss_model_count(m->model) && s == HISS_OK; k++) {
        const hiss_slot *slot = hiss_model_at(m->model, k);
        for (int64_t i = 0; slot->kind == HISS_SLOT_BUFFER && i < slot->count; i++) {
            m->vector[slot->offset + i] = (float)sum[slot->offset + i];
        }
    }
    hiss_free(pixels);
    hiss_free(sum);
    hiss_free(lane);
    hiss_exec_destroy(exec);
    return s;
}

hiss_status embedder_embed(void *user, int64_t count, const uint8_t *pixels, float *const *out, hiss_error *err) {
    (void)err;
    embedder *m = user;
    place_images(m, m->exec, count, pixels);
    const hiss_run run = {.model = m->vector, .lanes = 1};
    hiss_exec_forward(m->exec, &run, 0, hiss_graph_nodes(m->graph), NULL, NULL);
    for (int k = 0; k < m->nchosen; k++) {
        memcpy(out[k], hiss_exec_data(m->exec, m->taps.tap[m->chosen[k]].value),
               sizeof(float) * (size_t)(count * m->D[k]));
    }
    return HISS_OK;
}

const hiss_model *embedder_model(const embedder *m) {
    return m->model;
}

const float *embedder_vector(const embedder *m) {
    return m->vector;
}
