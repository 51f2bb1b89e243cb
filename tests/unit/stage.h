/* A stage for one method: options from YAML, made-up images, a hand-built world of one or more ranks, batches in the
 * loader's order, and steps as the training loop does them. Shared by unit and MPI tests. */
#ifndef HISS_TESTS_STAGE_H
#define HISS_TESTS_STAGE_H

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/objective.h"

typedef struct stage {
    const hiss_objective_ops *ops;
    hiss_config *config;
    void *options, *method;
    hiss_augment_options augment;
    hiss_network network;
    hiss_world world;
    int64_t *shards, *lane_offsets;
    uint8_t *pixels; /* [samples, H, W, C] */
    int64_t *sample; /* [local lanes * m] */
    const uint8_t **pixel;
    int32_t *label;
    hiss_batch *batches;
    int64_t epoch, step; /* of the batches */
} stage;

/* One bright blob per image; its place depends on the label, its size and brightness on the sample. */
static inline void draw_blob(int64_t H, int64_t W, int64_t C, int64_t sample, int64_t label, uint8_t *out) {
    hiss_rng rng = hiss_rng_keyed(5, HISS_FOR_TESTS, 1, sample);
    const double x = (double)W * (0.25 + 0.1 * (double)(label % 5)) + (double)hiss_rng_between(&rng, -1.5f, 1.5f);
    const double y = (double)H * (0.3 + 0.4 * (double)(label / 5 % 2)) + (double)hiss_rng_between(&rng, -1.5f, 1.5f);
    const double size = (double)H * (double)hiss_rng_between(&rng, 0.08f, 0.16f);
    const double light = (double)hiss_rng_between(&rng, 120.0f, 250.0f);
    for (int64_t k = 0; k < H * W * C; k++) {
        const double dx = ((double)(k / C % W) - x) / size, dy = ((double)(k / C / W) - y) / size;
        out[k] = (uint8_t)(light * exp(-0.5 * (dx * dx + dy * dy)));
    }
}

/* Read options and build the world; *s must stay where it is; s->world needs: seed, samples, stored_H, stored_W, C,
 * classes, lanes, m, comm, kernels. lane_offsets NULL: as even as may be. Then create the method. */
static inline hiss_status stage_open(stage *s, const char *objective, const char *text, hiss_world given,
                                     const int64_t *lane_offsets, hiss_error *err) {
    *s = (stage){.ops = hiss_objective_named(objective), .world = given};
    hiss_world *w = &s->world;
    const int rank = hiss_comm_rank(w->comm), size = hiss_comm_size(w->comm);
    s->options = hiss_alloc(s->ops->options_bytes);
    hiss_status status = hiss_config_parse("stage.yaml", text, &s->config, err);
    for (const hiss_section *c = s->ops->sections; c < s->ops->sections + HISS_MAX_SECTIONS && c->name; c++) {
        void *fields = (char *)s->options + c->offset;
        status = status == HISS_OK ? hiss_config_section(s->config, c->name, c->rows, *c->nrows, fields, err) : status;
    }
    if (status == HISS_OK) {
        status = hiss_config_section(s->config, "augment", hiss_augment_rows, hiss_augment_nrows, &s->augment, err);
    }
    if (status == HISS_OK) {
        status = hiss_config_section(s->config, "network", hiss_network_rows, hiss_network_nrows, &s->network, err);
    }
    status = status == HISS_OK ? hiss_config_finish(s->config, err) : status;
    status = status == HISS_OK ? hiss_augment_check(&s->augment, w->stored_H, w->stored_W, err) : status;
    s->shards = hiss_new(int64_t, w->lanes + 1);
    s->lane_offsets = hiss_new(int64_t, size + 1);
    hiss_shards(w->samples, w->lanes, s->shards);
    hiss_partition(w->lanes, size, s->lane_offsets);
    if (lane_offsets) {
        memcpy(s->lane_offsets, lane_offsets, sizeof(int64_t) * (size_t)(size + 1));
    }
    w->H = s->augment.height;
    w->W = s->augment.width;
    w->steps_per_epoch = w->samples / w->lanes / w->m;
    w->shards = s->shards;
    w->lane_offsets = s->lane_offsets;
    w->first_lane = s->lane_offsets[rank];
    w->end_lane = s->lane_offsets[rank + 1];
    w->augment = &s->augment;
    w->network = &s->network;
    return status == HISS_OK ? s->ops->create(w, s->options, &s->method, err) : status;
}

static inline void stage_close(stage *s) {
    s->ops->destroy(s->method);
    hiss_config_destroy(s->config);
    hiss_free(s->options);
    hiss_free(s->shards);
    hiss_free(s->lane_offsets);
    hiss_free(s->pixels);
    hiss_free(s->sample);
    hiss_free((void *)s->pixel);
    hiss_free(s->label);
    hiss_free(s->batches);
}

/* Sample i of a lane's batch: the loader's permutation of its shard. step counts within the epoch. */
static inline int64_t stage_sample_at(const stage *s, int64_t epoch, int64_t step, int64_t lane, int64_t i) {
    const int64_t begin = s->shards[lane], count = s->shards[lane + 1] - begin;
    const hiss_permutation p = hiss_permutation_keyed(s->world.seed, HISS_FOR_SHUFFLE, epoch, lane, count);
    return begin + hiss_permutation_at(&p, step * s->world.m + i);
}

/* Enter a step: the batches of all local lanes. */
static inline void stage_batches(stage *s, int64_t epoch, int64_t step) {
    const hiss_world *w = &s->world;
    const int64_t lanes = w->end_lane - w->first_lane, size = w->stored_H * w->stored_W * w->C;
    if (!s->batches) {
        s->batches = hiss_new(hiss_batch, lanes);
        s->sample = hiss_new(int64_t, lanes * w->m);
        s->pixel = hiss_new(const uint8_t *, lanes * w->m);
        s->label = hiss_new(int32_t, lanes * w->m);
        s->pixels = hiss_new(uint8_t, w->samples * size);
        for (int64_t i = 0; i < w->samples; i++) {
            draw_blob(w->stored_H, w->stored_W, w->C, i, w->classes ? i % w->classes : i, s->pixels + i * size);
        }
    }
    s->epoch = epoch;
    s->step = epoch * w->steps_per_epoch + step;
    for (int64_t k = 0; k < lanes * w->m; k++) {
        s->sample[k] = stage_sample_at(s, epoch, step, w->first_lane + k / w->m, k % w->m);
        s->pixel[k] = s->pixels + s->sample[k] * size;
        s->label[k] = w->classes ? (int32_t)(s->sample[k] % w->classes) : 0;
    }
    for (int64_t l = 0; l < lanes; l++) {
        s->batches[l] = (hiss_batch){.m = w->m,
                                     .sample = s->sample + l * w->m,
                                     .pixels = s->pixel + l * w->m,
                                     .label = w->classes ? s->label + l * w->m : NULL};
    }
}

static inline hiss_lane stage_lane(const stage *s, int64_t local, const hiss_graph *graph, hiss_exec *exec) {
    return (hiss_lane){.world = &s->world,
                       .lane = s->world.first_lane + local,
                       .epoch = s->epoch,
                       .step = s->step,
                       .view = -1,
                       .batch = &s->batches[local],
                       .graph = graph,
                       .exec = exec};
}

/* Inputs of a lane that do not depend on an exchange. */
static inline void stage_sample(const stage *s, const hiss_lane *lane) {
    for (int64_t i = 0; i < lane->batch->m; i++) {
        if (s->ops->sample) {
            s->ops->sample(s->method, lane, i);
        } else {
            hiss_default_sample(lane, i);
        }
    }
    if (s->ops->fill) {
        s->ops->fill(s->method, lane);
    }
}

static inline void stage_supply(const stage *s, const hiss_lane *lane) {
    if (s->ops->supply) {
        s->ops->supply(s->method, lane);
    }
}

/* Exchange the given features of all local lanes, exports[local lane], as export 0. Collective. */
static inline hiss_status stage_exchange(stage *s, int phase, const float *const *exports, hiss_error *err) {
    enum { MOST = 64 };
    const hiss_exchange_ops *ops = s->ops->exchange;
    const int64_t lanes = s->world.end_lane - s->world.first_lane;
    int64_t order[MOST];
    assert(lanes <= MOST);
    for (int64_t l = 0; l < lanes; l++) {
        order[l] = l;
    }
    const hiss_exchange x = {
        .world = &s->world, .epoch = s->epoch, .step = s->step, .batches = s->batches, .threads = 1, .order = order};
    const hiss_status status = ops->begin(s->method, phase, &x, err);
    if (status != HISS_OK) {
        return status;
    }
    for (int64_t l = 0; l < lanes; l++) {
        const float *lane_exports[HISS_MAX_EXPORTS] = {exports[order[l]]};
        ops->arrive(s->method, 0, order[l], lane_exports);
        ops->progress(s->method);
        ops->assist(s->method, 0);
    }
    for (int64_t l = 0; l < lanes; l++) {
        while (!ops->ready(s->method, l)) {
            ops->progress(s->method);
            ops->assist(s->method, 0);
        }
    }
    while (ops->progress(s->method)) {
        ops->assist(s->method, 0);
    }
    return ops->finish(s->method, err);
}

#endif
