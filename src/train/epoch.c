/* The start of an epoch: what the loop offers to a method that looks at all samples before it goes on.
 *
 * A feature pass cuts each lane's shard into chunks of m samples, the lane's own shape, so that features do not depend
 * on ranks or threads; the last chunk of a shard is filled up with samples from its beginning. */
#include <stdio.h>
#include <string.h>

#include "hiss/clock.h"
#include "hiss/watch.h"
#include "train/trainer.h"

typedef struct chunk_buffers { /* of one thread */
    uint8_t *pixels;
    int32_t *label;
    int64_t *sample;
    const uint8_t **pointer;
} chunk_buffers;

typedef struct feature_pass {
    trainer *t;
    const hiss_graph *graph;
    hiss_exec *const *execs; /* [threads] */
    int nodes;               /* run this many */
    hiss_value value;        /* what is wanted */
    int64_t view, row;       /* row: floats of it per sample */
    int64_t *first_chunk;    /* [local lanes + 1] */
    float *out;
    chunk_buffers *buffers; /* [threads] */
    hiss_status *status;    /* [threads] */
    hiss_error *errors;     /* [threads] */
} feature_pass;

/* Samples begin .. begin+m-1 of the lane's shard, wrapping around at its end. */
static hiss_status read_chunk(const feature_pass *f, chunk_buffers *b, int64_t lane, int64_t begin, hiss_error *err) {
    const hiss_world *w = &f->t->world;
    const int64_t shard = w->shards[lane], size = w->shards[lane + 1] - shard;
    const int64_t bytes = w->stored_H * w->stored_W * w->C;
    hiss_status s = HISS_OK;
    for (int64_t i = 0; i < w->m && s == HISS_OK;) {
        const int64_t at = (begin + i) % size;
        const int64_t count = size - at < w->m - i ? size - at : w->m - i;
        s = hiss_dataset_read(f->t->set, shard + at, count, b->pixels + i * bytes,
                              hiss_dataset_labelled(f->t->set) ? b->label + i : NULL, err);
        for (int64_t j = 0; j < count; j++) {
            b->sample[i + j] = shard + at + j;
            b->pointer[i + j] = b->pixels + (i + j) * bytes;
        }
        i += count;
    }
    return s;
}

static void run_chunk(void *user, int thread, int64_t item) {
    feature_pass *f = user;
    trainer *t = f->t;
    const hiss_world *w = &t->world;
    int64_t local = 0;
    while (item >= f->first_chunk[local + 1]) {
        local++;
    }
    const int64_t lane = w->first_lane + local, begin = (item - f->first_chunk[local]) * w->m;
    const int64_t left = w->shards[lane + 1] - w->shards[lane] - begin;
    chunk_buffers *b = &f->buffers[thread];
    hiss_watch_note(t->comm, "features of lane", lane);
    hiss_alloc_seal(false); /* this is between steps, and reading permuted rows takes room */
    if (f->status[thread] == HISS_OK) {
        f->status[thread] = read_chunk(f, b, lane, begin, &f->errors[thread]);
    }
    hiss_alloc_seal(thread > 0); /* as pool.c has it */
    if (f->status[thread] != HISS_OK) {
        return;
    }
    const hiss_batch batch = {
        .m = w->m, .sample = b->sample, .pixels = b->pointer, .label = hiss_dataset_labelled(t->set) ? b->label : NULL};
    const hiss_lane place = {.world = w,
                             .lane = lane,
                             .epoch = t->epoch,
                             .step = t->step,
                             .view = f->view,
                             .batch = &batch,
                             .graph = f->graph,
                             .exec = f->execs[thread]};
    const hiss_run run = {.model = t->vector, .seed = w->seed, .step = t->step, .lane = lane, .lanes = w->lanes};
    phase_fill(t, &place);
    hiss_exec_forward(place.exec, &run, 0, f->nodes, NULL, NULL);
    float *out = f->out + (w->shards[lane] + begin - w->shards[w->first_lane]) * f->row;
    memcpy(out, hiss_exec_data(place.exec, f->value), sizeof(float) * (size_t)((left < w->m ? left : w->m) * f->row));
}

static hiss_status run_pass(feature_pass f, int threads, hiss_error *err) {
    trainer *t = f.t;
    const hiss_world *w = &t->world;
    const int64_t lanes = w->end_lane - w->first_lane, bytes = w->stored_H * w->stored_W * w->C;
    const hiss_shape shape = hiss_graph_shape(f.graph, f.value);
    f.row = hiss_shape_count(&shape) / w->m;
    f.first_chunk = hiss_new(int64_t, lanes + 1);
    for (int64_t l = 0; l < lanes; l++) {
        const int64_t size = w->shards[w->first_lane + l + 1] - w->shards[w->first_lane + l];
        f.first_chunk[l + 1] = f.first_chunk[l] + (size + w->m - 1) / w->m;
    }
    f.buffers = hiss_new(chunk_buffers, threads);
    f.status = hiss_new(hiss_status, threads);
    f.errors = hiss_new(hiss_error, threads);
    for (int i = 0; i < threads; i++) {
        f.buffers[i] = (chunk_buffers){hiss_alloc((size_t)(w->m * bytes)), hiss_new(int32_t, w->m),
                                       hiss_new(int64_t, w->m), hiss_new(const uint8_t *, w->m)};
    }
    pool_run(t->pool, f.first_chunk[lanes], run_chunk, NULL, &f);
    hiss_status s = HISS_OK;
    for (int i = 0; i < threads; i++) {
        if (s == HISS_OK && f.status[i] != HISS_OK) {
            s = f.status[i];
            *err = f.errors[i];
        }
        hiss_free(f.buffers[i].pixels);
        hiss_free(f.buffers[i].label);
        hiss_free(f.buffers[i].sample);
        hiss_free(f.buffers[i].pointer);
    }
    hiss_free(f.buffers);
    hiss_free(f.status);
    hiss_free(f.errors);
    hiss_free(f.first_chunk);
    return s;
}

hiss_status encoder_build(trainer *t, hiss_error *err) {
    const hiss_world *w = &t->world;
    hiss_taps taps = {0};
    t->encoder = hiss_graph_create();
    hiss_builder b = {.graph = t->encoder, .model = t->model};
    const hiss_value image = hiss_input(b.graph, "image", HISS_SHAPE(w->m, w->H, w->W, w->C));
    hiss_status s = t->experiment->objective->encode(t->method, &b, image, &taps, err);
    if (s == HISS_OK) {
        t->encoded = hiss_taps_last(&taps);
        hiss_graph_keep(t->encoder, t->encoded);
    }
    return s;
}

/* ---- the offers of hiss_epoch ---- */

static hiss_status features(void *trainer_, int p, int k, int64_t view, float *out, hiss_error *err) {
    trainer *t = trainer_;
    const phase *ph = &t->phases[p];
    const int threads = pool_threads(t->pool) < ph->nexecs ? pool_threads(t->pool) : ph->nexecs;
    return run_pass((feature_pass){.t = t,
                                   .graph = ph->graph,
                                   .execs = ph->execs,
                                   .nodes = ph->cut,
                                   .value = ph->export_value[k],
                                   .view = view,
                                   .out = out},
                    threads, err);
}

static hiss_status embed(void *trainer_, int64_t view, float *out, hiss_error *err) {
    trainer *t = trainer_;
    const int threads = pool_threads(t->pool);
    if (!t->encoder_execs) {
        t->encoder_execs = hiss_new(hiss_exec *, threads);
        for (int i = 0; i < threads; i++) {
            t->encoder_execs[i] = hiss_exec_create(t->encoder, t->world.kernels, hiss_model_offsets(t->model));
        }
    }
    return run_pass((feature_pass){.t = t,
                                   .graph = t->encoder,
                                   .execs = t->encoder_execs,
                                   .nodes = hiss_graph_nodes(t->encoder),
                                   .value = t->encoded,
                                   .view = view,
                                   .out = out},
                    threads, err);
}

static void parallel(void *trainer_, int64_t count, void (*task)(void *user, int thread, int64_t item), void *user) {
    trainer *t = trainer_;
    hiss_watch_note(t->comm, "tasks of the method", count);
    pool_run(t->pool, count, task, NULL, user);
}

static bool stop(void *trainer_) {
    trainer *t = trainer_;
    t->stop = hiss_comm_max_i64(t->comm, t->asked_to_stop && t->asked_to_stop(t)) != 0;
    return t->stop;
}

static void progress(void *trainer_, const char *what, double done) {
    const trainer *t = trainer_;
    if (t->request->bar && hiss_comm_rank(t->comm) == 0) {
        printf("\r%s %3.0f %%%60s", what, 100.0 * done, "");
        fflush(stdout);
    }
}

hiss_status trainer_epoch(trainer *t, hiss_error *err) {
    const hiss_objective_ops *ops = t->experiment->objective;
    if (!ops->epoch) {
        return HISS_OK;
    }
    const double start = hiss_seconds();
    hiss_watch_step(t->comm, t->step);
    hiss_watch_note(t->comm, "begin epoch", t->epoch);
    const hiss_epoch e = {.world = &t->world,
                          .epoch = t->epoch,
                          .step = t->step,
                          .trainer = t,
                          .threads = pool_threads(t->pool),
                          .features = features,
                          .embed = embed,
                          .parallel = parallel,
                          .stop = stop,
                          .progress = progress};
    hiss_status s = ops->epoch(t->method, &e, err);
    t->times.epoch += hiss_seconds() - start;
    return s;
}
