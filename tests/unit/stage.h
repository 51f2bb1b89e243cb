/* A stage for one method: options from YAML, made-up images, a hand-built placement on one or more ranks, batches in
 * the loader's order, and steps as the training loop does them. Shared by unit and MPI tests. */
#ifndef HISS_TESTS_STAGE_H
#define HISS_TESTS_STAGE_H

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/objective.h"

typedef struct stage_given { /* of task and placement, what a test chooses */
    uint64_t seed;
    int64_t samples, stored_H, stored_W, C, classes, labelled;
    int64_t lanes, m; /* lanes 0: no placement, only encode() */
    int threads;      /* 0: one */
    hiss_comm *comm;
    const hiss_kernels *kernels;
    const hiss_vocabulary *vocabulary; /* then samples are rows of words; NULL: images */
    const hiss_sound *sound;           /* then samples are rows of sound */
    int64_t frames; /* then they have fields clip, whose first frame is the image, action, and hit; 0: they have not */
    int64_t heard;  /* values of a field sound; 0: there is none */
} stage_given;

typedef struct stage {
    const hiss_objective_ops *ops;
    hiss_config *config;
    void *options, *method;
    hiss_augment_options augment;
    hiss_field field[4]; /* the image, a clip, actions, and hits */
    hiss_inputs inputs;  /* of the lane used last */
    hiss_network network;
    hiss_task task;
    hiss_placement placement;
    int64_t *shards, *lane_offsets;
    uint8_t *pixels; /* [samples, H, W, C] */
    int64_t *sample; /* [local lanes * m] */
    const uint8_t **pixel;
    int32_t *label;
    hiss_batch *batches;
    int64_t *few_sample; /* of placement.labelled: the first classes * labelled samples */
    const uint8_t **few_pixel;
    int32_t *few_label;
    hiss_batch few;
    int64_t epoch, step; /* of the batches */
} stage;

/* One bright blob per image; its place depends on the label, its size, brightness and colour on the sample. */
static inline void draw_blob(int64_t H, int64_t W, int64_t C, int64_t sample, int64_t label, uint8_t *out) {
    hiss_rng rng = hiss_rng_keyed(5, HISS_FOR_TESTS, 1, sample);
    const double x = (double)W * (0.25 + 0.1 * (double)(label % 5)) + (double)hiss_rng_between(&rng, -1.5f, 1.5f);
    const double y = (double)H * (0.3 + 0.4 * (double)(label / 5 % 2)) + (double)hiss_rng_between(&rng, -1.5f, 1.5f);
    const double size = (double)H * (double)hiss_rng_between(&rng, 0.08f, 0.16f);
    const double light = (double)hiss_rng_between(&rng, 120.0f, 250.0f);
    for (int64_t k = 0; k < H * W * C; k++) {
        const double dx = ((double)(k / C % W) - x) / size, dy = ((double)(k / C / W) - y) / size;
        const double share = C == 1 ? 1.0 : 1.0 - 0.35 * (double)((sample + k % C) % 3); /* of the channel */
        out[k] = (uint8_t)(share * light * exp(-0.5 * (dx * dx + dy * dy)));
    }
}

/* Rows of words or of sound for the methods that learn from them. */
static inline void stage_suit(const char *objective, stage_given *given) {
    static const char *const word[] = {"<unknown>", "a", "b", "c", "d", "e", "f"};
    static const int64_t times[] = {0, 9, 8, 7, 5, 3, 2};
    static const hiss_vocabulary vocabulary = {.count = 7, .word = word, .times = times};
    if (strcmp(objective, "word2vec") == 0) {
        given->stored_H = given->C = 1;
        given->stored_W = 12;
        given->vocabulary = &vocabulary;
    }
    static const hiss_sound sound = {.rate = 8000, .overlap = 2};
    if (strcmp(objective, "wavenet") == 0) {
        given->stored_H = given->C = 1;
        given->stored_W = 560;
        given->sound = &sound;
    }
    if (strcmp(objective, "svg") == 0 || strcmp(objective, "multiscale") == 0 || strcmp(objective, "sv2p") == 0 ||
        strcmp(objective, "temporal_order") == 0 || strcmp(objective, "moving_objects") == 0) {
        given->stored_H = given->stored_W = 16;
        given->frames = 15;
    }
    if (strcmp(objective, "ambient_sound") == 0) {
        given->heard = 300;
    }
}

static inline int64_t stage_image_bytes(const hiss_task *t) {
    const size_t bytes = t->vocabulary ? sizeof(int32_t) : t->sound ? sizeof(int16_t) : 1;
    return t->stored_H * t->stored_W * t->C * (int64_t)bytes;
}

static inline int64_t stage_frames(const hiss_task *t) {
    return t->fields > 2 ? t->field[1].dim[0] : 0;
}

static inline int64_t stage_heard(const hiss_task *t) {
    return t->fields == 2 ? t->field[1].dim[0] : 0;
}

enum { STAGE_ACTIONS = 2 }; /* numbers of an action */

static inline bool stage_hit(int64_t sample, int64_t frame) {
    return (sample + frame) % 4 == 1;
}

static inline int64_t stage_bytes(const hiss_task *t) {
    const int64_t action = STAGE_ACTIONS * (int64_t)sizeof(float), hit = 1, aligned = (int64_t)sizeof(float);
    const int64_t sound = stage_heard(t) * (int64_t)sizeof(int16_t);
    const int64_t bytes = stage_image_bytes(t) + sound + stage_frames(t) * (stage_image_bytes(t) + action + hit);
    return (bytes + aligned - 1) / aligned * aligned;
}

static inline void draw_sample(const hiss_task *t, int64_t sample, uint8_t *out) {
    if (t->vocabulary) {
        for (int64_t k = 0; k < t->stored_W; k++) {
            const int32_t number = (int32_t)((sample + k * k) % t->vocabulary->count);
            memcpy(out + k * (int64_t)sizeof number, &number, sizeof number);
        }
        return;
    }
    if (t->sound) {
        hiss_rng rng = hiss_rng_keyed(5, HISS_FOR_TESTS, 2, sample);
        for (int64_t k = 0; k < t->stored_W; k++) {
            const double tone = sin(0.3 * (double)k + (double)sample),
                         noise = (double)hiss_rng_between(&rng, -0.1f, 0.1f);
            const int16_t value = (int16_t)(9000.0 * (tone + noise));
            memcpy(out + k * (int64_t)sizeof value, &value, sizeof value);
        }
        return;
    }
    const int64_t label = t->classes ? sample % t->classes : sample;
    for (int64_t k = 0; k < stage_heard(t); k++) { /* a tone for each label */
        const int16_t value = (int16_t)(9000.0 * sin(0.1 * (double)((label % 5 + 1) * k + sample)));
        memcpy(out + t->field[1].offset + k * (int64_t)sizeof value, &value, sizeof value);
    }
    draw_blob(t->stored_H, t->stored_W, t->C, sample, label, out);
    for (int64_t k = 0; k < stage_frames(t); k++) { /* it moves about */
        const float action[STAGE_ACTIONS] = {0.4f * (float)((sample + 3 * k) % 5 - 2), 0.3f * (float)(k % 3 - 1)};
        draw_blob(t->stored_H, t->stored_W, t->C, sample, label + k, out + (1 + k) * stage_image_bytes(t));
        memcpy(out + t->field[2].offset + k * (int64_t)sizeof action, action, sizeof action);
        out[t->field[3].offset + k] = stage_hit(sample, k);
    }
}

static inline void stage_place(stage *s, const stage_given *given, const int64_t *lane_offsets) {
    const int rank = hiss_comm_rank(given->comm), size = hiss_comm_size(given->comm);
    s->shards = hiss_new(int64_t, given->lanes + 1);
    s->lane_offsets = hiss_new(int64_t, size + 1);
    hiss_shards_partition(given->samples, given->lanes, s->shards);
    hiss_partition(given->lanes, size, s->lane_offsets);
    if (lane_offsets) {
        memcpy(s->lane_offsets, lane_offsets, sizeof(int64_t) * (size_t)(size + 1));
    }
    s->placement = (hiss_placement){.samples = given->samples,
                                    .lanes = given->lanes,
                                    .m = given->m,
                                    .steps_per_epoch = given->samples / given->lanes / given->m,
                                    .shards = s->shards,
                                    .lane_offsets = s->lane_offsets,
                                    .first_lane = s->lane_offsets[rank],
                                    .end_lane = s->lane_offsets[rank + 1],
                                    .threads = given->threads ? given->threads : 1,
                                    .comm = given->comm};
}

/* Read options, build task and placement, create the method; *s must stay where it is. lane_offsets NULL: as even as
 * may be. */
static inline hiss_status stage_open(stage *s, const char *objective, const char *text, stage_given given,
                                     const int64_t *lane_offsets, hiss_error *err) {
    *s = (stage){
        .ops = hiss_objective_named(objective),
    };
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
    status = status == HISS_OK ? hiss_augment_check(&s->augment, given.stored_H, given.stored_W, given.C, err) : status;
    s->field[0] = (hiss_field){.name = HISS_FIELD_IMAGE,
                               .dtype = given.vocabulary ? HISS_I32
                                        : given.sound    ? HISS_I16
                                                         : HISS_U8,
                               .ndim = 3,
                               .dim = {given.stored_H, given.stored_W, given.C},
                               .high = 255};
    s->field[1] = (hiss_field){.name = "clip",
                               .dtype = HISS_U8,
                               .ndim = 4,
                               .dim = {given.frames, given.stored_H, given.stored_W, given.C},
                               .offset = given.stored_H * given.stored_W * given.C};
    s->field[2] = (hiss_field){.name = "action",
                               .dtype = HISS_F32,
                               .ndim = 2,
                               .dim = {given.frames, STAGE_ACTIONS},
                               .offset = (1 + given.frames) * s->field[1].offset};
    s->field[3] = (hiss_field){.name = "hit",
                               .dtype = HISS_U8,
                               .ndim = 2,
                               .dim = {given.frames, 1},
                               .offset = s->field[2].offset + given.frames * STAGE_ACTIONS * (int64_t)sizeof(float)};
    if (given.heard) {
        s->field[1] = (hiss_field){
            .name = "sound", .dtype = HISS_I16, .ndim = 1, .dim = {given.heard}, .offset = s->field[1].offset};
    }
    s->task = (hiss_task){.seed = given.seed,
                          .field = s->field,
                          .fields = given.frames  ? 4
                                    : given.heard ? 2
                                                  : 1,
                          .stored_H = given.stored_H,
                          .stored_W = given.stored_W,
                          .H = s->augment.height,
                          .W = s->augment.width,
                          .C = given.C,
                          .classes = given.classes,
                          .vocabulary = given.vocabulary,
                          .sound = given.sound,
                          .labelled = given.labelled,
                          .kernels = given.kernels,
                          .augment = &s->augment,
                          .network = &s->network};
    if (given.lanes) {
        stage_place(s, &given, lane_offsets);
    }
    const hiss_placement *placement = given.lanes ? &s->placement : NULL;
    return status == HISS_OK ? s->ops->create(&s->task, placement, s->options, &s->method, err) : status;
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
    hiss_free(s->few_sample);
    hiss_free((void *)s->few_pixel);
    hiss_free(s->few_label);
}

/* The labelled samples, once there are pixels. */
static inline void stage_label(stage *s) {
    const int64_t wanted = s->task.classes * s->task.labelled, all = s->placement.samples;
    const int64_t count = wanted < all ? wanted : all, size = stage_bytes(&s->task);
    s->few_sample = hiss_new(int64_t, count);
    s->few_pixel = hiss_new(const uint8_t *, count);
    s->few_label = hiss_new(int32_t, count);
    for (int64_t i = 0; i < count; i++) {
        s->few_sample[i] = i;
        s->few_pixel[i] = s->pixels + i * size;
        s->few_label[i] = (int32_t)(i % s->task.classes);
    }
    s->few = (hiss_batch){.m = count, .sample = s->few_sample, .row = s->few_pixel, .label = s->few_label};
    s->placement.labelled = &s->few;
}

/* Sample i of a lane's batch: the loader's permutation of its shard. step counts within the epoch. */
static inline int64_t stage_sample_at(const stage *s, int64_t epoch, int64_t step, int64_t lane, int64_t i) {
    const int64_t begin = s->shards[lane], count = s->shards[lane + 1] - begin;
    const hiss_permutation p = hiss_permutation_keyed(s->task.seed, HISS_FOR_SHUFFLE, epoch, lane, count);
    return begin + hiss_permutation_at(&p, step * s->placement.m + i);
}

/* Enter a step: the batches of all local lanes. */
static inline void stage_batches(stage *s, int64_t epoch, int64_t step) {
    const hiss_task *t = &s->task;
    const hiss_placement *p = &s->placement;
    const int64_t lanes = p->end_lane - p->first_lane, size = stage_bytes(t);
    if (!s->batches) {
        s->batches = hiss_new(hiss_batch, lanes);
        s->sample = hiss_new(int64_t, lanes * p->m);
        s->pixel = hiss_new(const uint8_t *, lanes * p->m);
        s->label = hiss_new(int32_t, lanes * p->m);
        s->pixels = hiss_new(uint8_t, p->samples * size);
        for (int64_t i = 0; i < p->samples; i++) {
            draw_sample(t, i, s->pixels + i * size);
        }
        if (t->classes && t->labelled) {
            stage_label(s);
        }
    }
    s->epoch = epoch;
    s->step = epoch * p->steps_per_epoch + step;
    for (int64_t k = 0; k < lanes * p->m; k++) {
        s->sample[k] = stage_sample_at(s, epoch, step, p->first_lane + k / p->m, k % p->m);
        s->pixel[k] = s->pixels + s->sample[k] * size;
        s->label[k] = t->classes ? (int32_t)(s->sample[k] % t->classes) : 0;
    }
    for (int64_t l = 0; l < lanes; l++) {
        s->batches[l] = (hiss_batch){.m = p->m,
                                     .sample = s->sample + l * p->m,
                                     .row = s->pixel + l * p->m,
                                     .label = t->classes ? s->label + l * p->m : NULL};
    }
}

static inline hiss_lane stage_lane(stage *s, int64_t local, const hiss_graph *graph, hiss_exec *exec) {
    s->inputs = hiss_inputs_bind(s->ops, &s->task, graph);
    return (hiss_lane){.task = &s->task,
                       .lane = s->placement.first_lane + local,
                       .epoch = s->epoch,
                       .step = s->step,
                       .view = HISS_VIEW_TRAINING,
                       .batch = &s->batches[local],
                       .graph = graph,
                       .exec = exec,
                       .inputs = &s->inputs};
}

/* Inputs of a lane that do not depend on an exchange. */
static inline void stage_sample(const stage *s, const hiss_lane *lane) {
    for (int64_t i = 0; i < lane->batch->m; i++) {
        if (s->ops->input && s->ops->input->sample) {
            s->ops->input->sample(s->method, lane, i);
        } else {
            hiss_lane_default_sample(lane, i);
        }
    }
    if (s->ops->input && s->ops->input->fill) {
        s->ops->input->fill(s->method, lane);
    }
}

static inline void stage_supply(const stage *s, const hiss_lane *lane) {
    if (s->ops->exchange && s->ops->exchange->supply) {
        s->ops->exchange->supply(s->method, lane);
    }
}

/* Exchange the given features of all local lanes, exports[local lane], as export 0. Collective. */
static inline hiss_status stage_exchange(stage *s, int phase, const float *const *exports, hiss_error *err) {
    enum { MOST = 64 };
    const hiss_exchange_ops *ops = s->ops->exchange;
    const int64_t lanes = s->placement.end_lane - s->placement.first_lane;
    int64_t order[MOST];
    assert(lanes <= MOST);
    for (int64_t l = 0; l < lanes; l++) {
        order[l] = l;
    }
    const hiss_exchange x = {.epoch = s->epoch, .step = s->step, .batches = s->batches, .order = order};
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
