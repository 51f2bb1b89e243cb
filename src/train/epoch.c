/* The start of an epoch: what the loop offers to a method that looks at all samples before it goes on.
 *
 * A feature pass cuts each lane's shard into chunks of m samples, the lane's own shape, so that features do not depend
 * on ranks or threads; the last chunk of a shard is filled up as hiss_samples_read does. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "hiss/clock.h"
#include "hiss/watch.h"
#include "train/trainer.h"

typedef struct feature_pass {
    trainer *t;
    const phase *ph; /* whose graph runs to the cut, for this value; NULL: the encoder runs */
    hiss_value value;
    int threads;
    int64_t view, row;    /* row: floats of it per sample */
    int64_t *first_chunk; /* [local lanes + 1] */
    float *out;
    hiss_samples **samples; /* [threads] */
    hiss_status *status;    /* [threads] */
    hiss_error *errors;     /* [threads] */
} feature_pass;

/* The chunk's rows, [m, row]. */
static const float *encode(const feature_pass *f, int thread, const hiss_batch *batch) {
    const trainer *t = f->t;
    const hiss_exec_context run = {.model = t->vector, .lanes = t->placement.lanes};
    hiss_encoder_run(t->encoder, thread, &run, batch, t->epoch, f->view);
    return hiss_encoder_value(t->encoder, thread, hiss_encoder_taps(t->encoder)->count - 1);
}

static const float *run_to_cut(const feature_pass *f, int thread, int64_t lane, const hiss_batch *batch) {
    trainer *t = f->t;
    const phase *ph = f->ph;
    const hiss_lane place = {.task = &t->task,
                             .phase = (int)(ph - t->phases),
                             .lane = lane,
                             .epoch = t->epoch,
                             .step = t->step,
                             .view = f->view,
                             .batch = batch,
                             .graph = ph->graph,
                             .exec = train_phase_exec(ph, thread, thread),
                             .inputs = &ph->inputs,
                             .scratch = t->scratch[thread]};
    const hiss_exec_context run = {
        .model = t->vector, .seed = t->task.seed, .step = t->step, .lane = lane, .lanes = t->placement.lanes};
    train_phase_fill(t, &place);
    hiss_exec_forward(place.exec, &run, 0, ph->cut, NULL, NULL);
    return hiss_exec_data(place.exec, f->value);
}

static void run_chunk(void *user, int thread, int64_t item) {
    feature_pass *f = user;
    trainer *t = f->t;
    const hiss_placement *p = &t->placement;
    int64_t local = 0;
    while (item >= f->first_chunk[local + 1]) {
        local++;
    }
    const int64_t lane = p->first_lane + local, begin = (item - f->first_chunk[local]) * p->m;
    const hiss_sample_range shard = {
        .set = t->set, .begin = p->shards[lane], .count = p->shards[lane + 1] - p->shards[lane]};
    const int64_t left = shard.count - begin;
    hiss_watch_note(t->comm, "features of lane", lane);
    hiss_alloc_seal(false); /* this is between steps, and reading permuted rows takes room */
    if (f->status[thread] == HISS_OK) {
        f->status[thread] = hiss_samples_read(f->samples[thread], &shard, begin, p->m, &f->errors[thread]);
    }
    hiss_alloc_seal(thread > 0); /* as pool.c has it */
    if (f->status[thread] != HISS_OK) {
        return;
    }
    const hiss_batch batch = hiss_samples_batch(f->samples[thread], 0, p->m);
    const double start = hiss_seconds();
    const float *rows = f->ph ? run_to_cut(f, thread, lane, &batch) : encode(f, thread, &batch);
    train_trace_span(t, thread, TRACED_FEATURES, start, lane);
    float *out = f->out + (shard.begin + begin - p->shards[p->first_lane]) * f->row;
    memcpy(out, rows, sizeof(float) * (size_t)((left < p->m ? left : p->m) * f->row));
}

static hiss_status run_pass(feature_pass f, hiss_error *err) {
    trainer *t = f.t;
    const hiss_placement *p = &t->placement;
    const int64_t lanes = p->end_lane - p->first_lane;
    f.first_chunk = hiss_new(int64_t, lanes + 1);
    for (int64_t l = 0; l < lanes; l++) {
        const int64_t size = p->shards[p->first_lane + l + 1] - p->shards[p->first_lane + l];
        f.first_chunk[l + 1] = f.first_chunk[l] + (size + p->m - 1) / p->m;
    }
    f.samples = hiss_new(hiss_samples *, f.threads);
    f.status = hiss_new(hiss_status, f.threads);
    f.errors = hiss_new(hiss_error, f.threads);
    for (int i = 0; i < f.threads; i++) {
        f.samples[i] = hiss_samples_create(t->set, p->m);
    }
    train_pool_run(t->pool, f.first_chunk[lanes], run_chunk, NULL, &f);
    hiss_status s = HISS_OK;
    for (int i = 0; i < f.threads; i++) {
        if (s == HISS_OK && f.status[i] != HISS_OK) {
            s = f.status[i];
            *err = f.errors[i];
        }
        hiss_samples_destroy(f.samples[i]);
    }
    hiss_free(f.samples);
    hiss_free(f.status);
    hiss_free(f.errors);
    hiss_free(f.first_chunk);
    return s;
}

/* ---- the offers of hiss_epoch ---- */

static hiss_status features(void *trainer_, int p, hiss_value value, int64_t view, float *out, hiss_error *err) {
    trainer *t = trainer_;
    const phase *ph = &t->phases[p];
    assert(value < ph->cut);
    const hiss_shape shape = hiss_graph_shape(ph->graph, value);
    return run_pass(
        (feature_pass){.t = t,
                       .ph = ph,
                       .value = value,
                       .threads = train_pool_threads(t->pool) < ph->nexecs ? train_pool_threads(t->pool) : ph->nexecs,
                       .view = view,
                       .row = hiss_shape_count(&shape) / t->placement.m,
                       .out = out},
        err);
}

static hiss_status embed(void *trainer_, int64_t view, float *out, hiss_error *err) {
    trainer *t = trainer_;
    const int threads = train_pool_threads(t->pool), output = hiss_encoder_taps(t->encoder)->count - 1;
    hiss_encoder_prepare(t->encoder, threads);
    return run_pass(
        (feature_pass){
            .t = t, .threads = threads, .view = view, .row = hiss_encoder_width(t->encoder, output), .out = out},
        err);
}

static void parallel(void *trainer_, int64_t count, void (*task)(void *user, int thread, int64_t item), void *user) {
    trainer *t = trainer_;
    hiss_watch_note(t->comm, "tasks of the method", count);
    train_pool_run(t->pool, count, task, NULL, user);
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

hiss_status train_epoch(trainer *t, hiss_error *err) {
    const hiss_epoch_ops *ops = t->experiment->objective->epoch;
    if (!ops) {
        return HISS_OK;
    }
    const double start = hiss_seconds();
    hiss_watch_step(t->comm, t->step);
    hiss_watch_note(t->comm, "begin epoch", t->epoch);
    const hiss_epoch e = {.epoch = t->epoch,
                          .step = t->step,
                          .trainer = t,
                          .threads = train_pool_threads(t->pool),
                          .model = t->model,
                          .vector = t->vector,
                          .features = features,
                          .embed = embed,
                          .parallel = parallel,
                          .stop = stop,
                          .progress = progress};
    const hiss_status s = ops->begin(t->method, &e, err);
    t->times.epoch += hiss_seconds() - start;
    train_trace_span(t, 0, TRACED_EPOCH, start, t->epoch);
    return hiss_config_blame(t->experiment->config, s, err);
}
