/* Futures of a clip by stochastic video generation, a frame after the other, several futures at once.
 *
 * The given frames go through all networks, with the posterior's latent; after them the made frame is what is seen next, and
 * the latent is drawn from the prior (Denton & Fergus 2018, section 3; their code). Prior and predictor remember from frame to frame
 * in inputs of the graph, into which what they say is copied. BatchNorm uses its running statistics. */
#include <math.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/rng.h"
#include "objective/parts/lasting.h"
#include "objective/video/svg.h"

enum { DRAW_OF_FUTURES = 1 << 20 }; /* when, of evaluation's streams; that of future k is k more */

typedef struct memory { /* of a recurrent network: inputs, and what will be put into them */
    svg_state before, after;
    int64_t layers;
} memory;

typedef struct forecaster {
    const svg *v;
    int64_t futures, frames; /* of a future */
    hiss_model *model;
    struct posterior_graph { /* of one clip, whose futures have one past */
        hiss_graph *graph;
        hiss_exec *exec;
        hiss_value frame;
        memory memory;
        svg_gaussian latent;
    } posterior;
    struct future_graph {
        hiss_graph *graph;
        hiss_exec *exec;
        hiss_value frame, latent, action, made;
        hiss_value seen[SVG_MOST_LEVELS], skip[SVG_MOST_LEVELS]; /* what the encoder says, and the decoder sees */
        memory prior, predictor;
        svg_gaussian may;
        int foretell, decode; /* nodes that these begin with */
    } future;
    float *mean, *log_variance; /* [futures,K] of the latent that is drawn */
    hiss_rng *rng;              /* [futures] */
} forecaster;

static void destroy(void *self) {
    forecaster *f = self;
    if (f) {
        hiss_exec_destroy(f->posterior.exec);
        hiss_exec_destroy(f->future.exec);
        hiss_graph_destroy(f->posterior.graph);
        hiss_graph_destroy(f->future.graph);
        hiss_model_destroy(f->model);
        hiss_free(f->mean);
        hiss_free(f->log_variance);
        hiss_free(f->rng);
        hiss_free(f);
    }
}

/* ---- the graphs ---- */

static memory remembered(const svg *v, hiss_graph *g, int64_t rows, int64_t layers) {
    memory m = {.layers = layers};
    for (int64_t l = 0; l < layers; l++) {
        m.before.hidden[l] = objective_lasting_input(g, "hidden", HISS_SHAPE(rows, v->options->hidden));
        m.before.cell[l] = objective_lasting_input(g, "cell", HISS_SHAPE(rows, v->options->hidden));
    }
    m.after = m.before;
    return m;
}

static void keep_memory(hiss_graph *g, const memory *m) {
    for (int64_t l = 0; l < m->layers; l++) {
        hiss_graph_keep(g, m->after.hidden[l]);
        hiss_graph_keep(g, m->after.cell[l]);
    }
}

static void keep_gaussian(hiss_graph *g, svg_gaussian of) {
    hiss_graph_keep(g, of.mean);
    hiss_graph_keep(g, of.log_variance);
}

static hiss_status build_posterior(const svg *v, forecaster *f, hiss_error *err) {
    struct posterior_graph *p = &f->posterior;
    hiss_graph *g = p->graph = hiss_graph_create();
    hiss_builder b = {.graph = g, .model = f->model, .trained_groups = ~0u};
    hiss_value skip[SVG_MOST_LEVELS];
    p->frame = hiss_graph_input(g, "frame", HISS_SHAPE(1, v->task->H, v->task->W, v->task->C));
    p->memory = remembered(v, g, 1, 1);
    p->latent = video_svg_gaussian(v, &b, "posterior", video_svg_encode(v, &b, p->frame, skip), &p->memory.after);
    const hiss_status s = hiss_graph_status(g, err);
    if (s == HISS_OK) {
        keep_memory(g, &p->memory);
        keep_gaussian(g, p->latent);
    }
    return s;
}

static hiss_status build_future(const svg *v, forecaster *f, hiss_error *err) {
    const int64_t rows = f->futures;
    const int prior = v->options->prior;
    struct future_graph *x = &f->future;
    hiss_graph *g = x->graph = hiss_graph_create();
    hiss_builder b = {.graph = g, .model = f->model, .trained_groups = ~0u};
    x->frame = hiss_graph_input(g, "frame", HISS_SHAPE(rows, v->task->H, v->task->W, v->task->C));
    x->prior = remembered(v, g, rows, prior == SVG_PRIOR_LEARNED ? 1 : 0);
    x->predictor = remembered(v, g, rows, v->options->layers);
    const hiss_value code = video_svg_encode(v, &b, x->frame, x->seen);
    if (prior == SVG_PRIOR_LEARNED) {
        x->may = video_svg_gaussian(v, &b, "prior", code, &x->prior.after);
    }
    x->foretell = hiss_graph_nodes(g);
    x->latent =
        prior == SVG_PRIOR_NONE ? -1 : objective_lasting_input(g, "latent", HISS_SHAPE(rows, v->options->latent));
    x->action = v->action ? objective_lasting_input(g, "action", HISS_SHAPE(rows, video_svg_actions(v))) : -1;
    const hiss_value next = video_svg_foretell(v, &b, code, x->latent, x->action, &x->predictor.after);
    x->decode = hiss_graph_nodes(g);
    for (int64_t l = 0; l < v->levels && hiss_graph_status(g, err) == HISS_OK; l++) {
        x->skip[l] = objective_lasting_input(g, "skip", hiss_graph_shape(g, x->seen[l]));
    }
    x->made = video_svg_decode(v, &b, next, x->skip);
    const hiss_status s = hiss_graph_status(g, err);
    if (s == HISS_OK) {
        keep_memory(g, &x->prior);
        keep_memory(g, &x->predictor);
        hiss_graph_keep(g, code);
        hiss_graph_keep(g, next);
        hiss_graph_keep(g, x->made);
        for (int64_t l = 0; l < v->levels; l++) {
            hiss_graph_keep(g, x->seen[l]);
        }
    }
    if (s == HISS_OK && prior == SVG_PRIOR_LEARNED) {
        keep_gaussian(g, x->may);
    }
    return s;
}

static hiss_status create(void *self, int64_t futures, int64_t frames, void **out, hiss_error *err) {
    const svg *v = self;
    forecaster *f = hiss_new(forecaster, 1);
    *out = f;
    f->v = v;
    f->futures = futures;
    f->frames = frames;
    f->model = hiss_model_create();
    hiss_status s = build_future(v, f, err);
    s = s == HISS_OK && v->options->prior != SVG_PRIOR_NONE ? build_posterior(v, f, err) : s;
    if (s == HISS_OK) {
        hiss_model_layout(f->model);
        f->future.exec = hiss_exec_create(f->future.graph, v->task->kernels, hiss_model_offsets(f->model));
        f->mean = hiss_new(float, futures * v->options->latent);
        f->log_variance = hiss_new(float, futures * v->options->latent);
        f->rng = hiss_new(hiss_rng, futures);
    }
    if (s == HISS_OK && f->posterior.graph) {
        f->posterior.exec = hiss_exec_create(f->posterior.graph, v->task->kernels, hiss_model_offsets(f->model));
    }
    return s;
}

static const hiss_model *model(const void *self) {
    return ((const forecaster *)self)->model;
}

/* ---- futures ---- */

static int64_t floats_of(const hiss_graph *g, hiss_value value) {
    const hiss_shape shape = hiss_graph_shape(g, value);
    return hiss_shape_count(&shape);
}

static void copy(hiss_exec *exec, const hiss_graph *g, hiss_value from, hiss_value to) {
    memcpy(hiss_exec_data(exec, to), hiss_exec_data(exec, from), sizeof(float) * (size_t)floats_of(g, to));
}

static void clear(hiss_exec *exec, const hiss_graph *g, const memory *m) {
    for (int64_t l = 0; l < m->layers; l++) {
        const size_t bytes = sizeof(float) * (size_t)floats_of(g, m->before.cell[l]);
        memset(hiss_exec_data(exec, m->before.hidden[l]), 0, bytes);
        memset(hiss_exec_data(exec, m->before.cell[l]), 0, bytes);
    }
}

static void advance(hiss_exec *exec, const hiss_graph *g, const memory *m) {
    for (int64_t l = 0; l < m->layers; l++) {
        copy(exec, g, m->after.hidden[l], m->before.hidden[l]);
        copy(exec, g, m->after.cell[l], m->before.cell[l]);
    }
}

/* x [rows,D] by row, of which there is one for all. */
static void spread(int64_t rows, int64_t D, const float *row, float *x) {
    for (int64_t i = 0; i < rows; i++) {
        memcpy(x + i * D, row, sizeof *x * (size_t)D);
    }
}

/* What the latent of given frame t was, for all futures. */
static void look_back(forecaster *f, const hiss_exec_context *run, const hiss_lane *lane, int64_t i, int64_t t) {
    struct posterior_graph *p = &f->posterior;
    const int64_t K = f->v->options->latent;
    objective_video_frame(lane, i, t, hiss_exec_data(p->exec, p->frame));
    hiss_exec_forward(p->exec, run, 0, hiss_graph_nodes(p->graph), NULL, NULL);
    spread(f->futures, K, hiss_exec_data(p->exec, p->latent.mean), f->mean);
    spread(f->futures, K, hiss_exec_data(p->exec, p->latent.log_variance), f->log_variance);
    advance(p->exec, p->graph, &p->memory);
}

static void look_ahead(forecaster *f) {
    const size_t bytes = sizeof(float) * (size_t)(f->futures * f->v->options->latent);
    if (f->v->options->prior == SVG_PRIOR_FIXED) {
        memset(f->mean, 0, bytes);
        memset(f->log_variance, 0, bytes);
    } else {
        memcpy(f->mean, hiss_exec_data(f->future.exec, f->future.may.mean), bytes);
        memcpy(f->log_variance, hiss_exec_data(f->future.exec, f->future.may.log_variance), bytes);
    }
}

static void draw_latent(forecaster *f) {
    const int64_t K = f->v->options->latent;
    for (int64_t k = 0; k < f->futures; k++) {
        float *z = hiss_exec_data(f->future.exec, f->future.latent) + k * K;
        const float *mean = f->mean + k * K, *log_variance = f->log_variance + k * K;
        hiss_rng_normals(&f->rng[k], K, z);
        for (int64_t d = 0; d < K; d++) {
            z[d] = mean[d] + expf(0.5f * log_variance[d]) * z[d];
        }
    }
}

/* What is done before frame t: actions [futures,frames,A], or for all of them as in sample i. */
static void put_actions(forecaster *f, const hiss_lane *lane, int64_t i, int64_t t, const float *actions) {
    const int64_t A = video_svg_actions(f->v);
    float *to = hiss_exec_data(f->future.exec, f->future.action);
    for (int64_t k = 0; k < f->futures; k++) {
        const float *all = actions ? actions + k * (f->v->options->past + f->frames) * A
                                   : hiss_batch_values(lane->batch, i, f->v->action);
        memcpy(to + k * A, all + (t - 1) * A, sizeof *to * (size_t)A);
    }
}

/* Frame t, of which the frame before has been put in; the given ones are not decoded. */
static void step(forecaster *f, const hiss_exec_context *run, const hiss_lane *lane, int64_t i, int64_t t) {
    const svg *v = f->v;
    struct future_graph *x = &f->future;
    const bool given = t < v->options->past;
    hiss_exec_forward(x->exec, run, 0, x->foretell, NULL, NULL);
    if (v->options->prior != SVG_PRIOR_NONE) {
        if (given) {
            look_back(f, run, lane, i, t);
        } else {
            look_ahead(f);
        }
        draw_latent(f);
    }
    for (int64_t l = 0; l < v->levels && video_svg_skipped(v, t) == t - 1; l++) {
        copy(x->exec, x->graph, x->seen[l], x->skip[l]);
    }
    hiss_exec_forward(x->exec, run, x->foretell, given ? x->decode : hiss_graph_nodes(x->graph), NULL, NULL);
    advance(x->exec, x->graph, &x->prior);
    advance(x->exec, x->graph, &x->predictor);
}

static void run(void *self, const float *vector, const hiss_lane *lane, int64_t i, uint64_t seed, int64_t first,
                const float *actions, float *out) {
    forecaster *f = self;
    const svg *v = f->v;
    const svg_options *o = v->options;
    struct future_graph *x = &f->future;
    const hiss_exec_context context = {.model = vector, .lanes = 1};
    const int64_t size = v->task->H * v->task->W * v->task->C;
    for (int64_t k = 0; k < f->futures; k++) {
        f->rng[k] = hiss_rng_keyed(seed, HISS_FOR_EVALUATION, DRAW_OF_FUTURES + first + k, lane->batch->sample[i]);
    }
    clear(x->exec, x->graph, &x->prior);
    clear(x->exec, x->graph, &x->predictor);
    if (f->posterior.graph) {
        clear(f->posterior.exec, f->posterior.graph, &f->posterior.memory);
    }
    for (int64_t t = 1; t < o->past + f->frames; t++) {
        float *frame = hiss_exec_data(x->exec, x->frame);
        if (t <= o->past) {
            objective_video_frame(lane, i, t - 1, frame);
            spread(f->futures - 1, size, frame, frame + size);
        } else {
            copy(x->exec, x->graph, x->made, x->frame);
        }
        if (v->action) {
            put_actions(f, lane, i, t, actions);
        }
        step(f, &context, lane, i, t);
        const float *made = hiss_exec_data(x->exec, x->made);
        for (int64_t k = 0; k < f->futures && t >= o->past; k++) {
            memcpy(out + (k * f->frames + t - o->past) * size, made + k * size, sizeof *out * (size_t)size);
        }
    }
}

static int64_t given(void *self) {
    return ((const svg *)self)->options->past;
}

static int64_t foretold(void *self) {
    return ((const svg *)self)->options->future;
}

static bool draws(void *self) {
    return ((const svg *)self)->options->prior != SVG_PRIOR_NONE;
}

static int64_t actions_of(void *self) {
    return video_svg_actions(self);
}

const hiss_forecast_ops video_svg_forecast = {.given = given,
                                              .foretold = foretold,
                                              .draws = draws,
                                              .actions = actions_of,
                                              .create = create,
                                              .destroy = destroy,
                                              .model = model,
                                              .frame = objective_video_frame,
                                              .run = run};
