/* What the tests of methods that foretell clips share: a method, clips of a stage, a forecaster and the graph of its measures, of
 * parameters that depend on their names alone; and what holds of every forecaster. */
#ifndef HISS_TESTS_FILM_H
#define HISS_TESTS_FILM_H

#include "../act.h"

enum { SIDE = 16, SIZE = SIDE * SIDE, PAST = 2, FUTURE = 3, FRAMES = PAST + FUTURE };
enum { FILM_MADE = 3 }; /* futures at once of film_expect_row() */

static inline void expect_near(const char *what, double found, double wanted, double tolerance) {
    if (!(fabs(found - wanted) <= tolerance * (1.0 + fabs(wanted)))) {
        fail_msg("%s is %.9g, by hand %.9g", what, found, wanted);
    }
}

typedef struct film { /* a method that foretells, and clips to be foretold */
    hiss_comm comm;
    stage s;
    void *forecaster;
    float *vector;
    hiss_lane lane;
} film;

/* Parameters depend on the names of slots alone, so that any number of futures has the same. */
static inline void film_fill(const hiss_model *model, float *vector) {
    for (int k = 0; k < hiss_model_count(model); k++) {
        const hiss_slot *slot = hiss_model_at(model, k);
        int64_t key = 7;
        for (const char *c = slot->name; *c; c++) {
            key = (31 * key + *c) % 1000003;
        }
        fill_normals(key, 0, slot->count, vector + slot->offset);
        for (int64_t i = 0; i < slot->count; i++) {
            float *at = vector + slot->offset + i;
            *at = slot->kind == HISS_SLOT_BUFFER ? 0.5f + 0.3f * fabsf(*at) : 0.3f * *at;
        }
    }
}

static inline void film_open(film *f, const char *objective, const char *text, int64_t futures) {
    memset(f, 0, sizeof *f);
    hiss_error err = {0};
    stage_given given = {.seed = 9,
                         .samples = 4,
                         .stored_H = SIDE,
                         .stored_W = SIDE,
                         .C = 1,
                         .lanes = 1,
                         .m = 4,
                         .frames = FRAMES,
                         .comm = &f->comm,
                         .kernels = hiss_kernels_blas()};
    if (stage_open(&f->s, objective, text, given, NULL, &err) != HISS_OK ||
        f->s.ops->forecast->create(f->s.method, futures, FUTURE, &f->forecaster, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    stage_batches(&f->s, 0, 0);
    const hiss_model *model = f->s.ops->forecast->model(f->forecaster);
    f->vector = hiss_new(float, hiss_model_floats(model));
    film_fill(model, f->vector);
    f->lane = (hiss_lane){.task = &f->s.task, .phase = -1, .view = HISS_VIEW_CENTER, .batch = &f->s.batches[0]};
}

static inline void film_close(film *f) {
    f->s.ops->forecast->destroy(f->forecaster);
    hiss_free(f->vector);
    stage_close(&f->s);
}

static inline void film_make(film *f, int64_t i, int64_t first, float *out) {
    f->s.ops->forecast->run(f->forecaster, f->vector, &f->lane, i, 3, first, NULL, out);
}

/* Frame t of sample i, as bytes. */
static inline uint8_t *film_bytes(film *f, int64_t i, int64_t t) {
    return f->s.pixels + f->lane.batch->sample[i] * stage_bytes(&f->s.task) + (1 + t) * SIZE;
}

/* The measures' graph of the same parameters, on all samples. */
typedef struct film_measured {
    rig r;
    float *out; /* [m,width] */
    int64_t width;
} film_measured;

static inline void film_measure(film *f, film_measured *m) {
    hiss_error err = {0};
    const hiss_measure_ops *ops = f->s.ops->measure;
    m->r = rig_open();
    m->r.b.training = false;
    if (ops->build(f->s.method, &m->r.b, 4, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    rig_ready(&m->r, hiss_kernels_blas());
    film_fill(m->r.model, m->r.vector);
    hiss_lane lane = f->lane;
    lane.graph = m->r.graph;
    lane.exec = m->r.exec;
    m->width = ops->width(f->s.method);
    m->out = hiss_new(float, 4 * m->width);
    for (int64_t i = 0; i < 4; i++) {
        ops->sample(f->s.method, &lane, i);
    }
    hiss_exec_forward(m->r.exec, &m->r.run, 0, hiss_graph_nodes(m->r.graph), NULL, NULL);
    for (int64_t i = 0; i < 4; i++) {
        ops->measure(f->s.method, &lane, i, m->out + i * m->width);
    }
}

static inline void film_measured_close(film_measured *m) {
    hiss_free(m->out);
    rig_close(&m->r);
}

/* Futures are numbers of an endless row, however many are made at once; whether they differ. */
static inline void film_expect_row(film *many, film *one, bool differ) {
    float *row = hiss_new(float, 2 * FILM_MADE * FUTURE * SIZE), *alone = hiss_new(float, FUTURE *SIZE);
    film_make(many, 1, 0, row);
    film_make(many, 1, FILM_MADE, row + FILM_MADE * FUTURE * SIZE);
    for (int64_t k = 0; k < 2 * FILM_MADE; k++) {
        film_make(one, 1, k, alone);
        double apart = 0.0, from_first = 0.0;
        for (int64_t x = 0; x < FUTURE * SIZE; x++) {
            apart = fmax(apart, fabs((double)alone[x] - (double)row[k * FUTURE * SIZE + x]));
            from_first = fmax(from_first, fabs((double)alone[x] - (double)row[x]));
        }
        if (apart > 0.0 || (k > 0 && (from_first > 0.0) != differ)) {
            fail_msg("future %d differs by %g alone, by %g from the first", (int)k, apart, from_first);
        }
    }
    hiss_free(row);
    hiss_free(alone);
}

/* A frame that is given changes all futures of a film of two, one that follows none, to the last bit. */
static inline void film_expect_given_alone(film *f) {
    enum { FLOATS = 2 * FUTURE * SIZE };
    float *before = hiss_new(float, FLOATS), *after = hiss_new(float, FLOATS);
    film_make(f, 2, 0, before);
    for (int64_t t = 0; t < FRAMES; t++) {
        for (int k = 0; k < SIZE; k++) {
            film_bytes(f, 2, t)[k] ^= 255;
        }
        film_make(f, 2, 0, after);
        if ((memcmp(before, after, sizeof *before * FLOATS) != 0) != (t < PAST)) {
            fail_msg("frame %d %s the future", (int)t, t < PAST ? "does not change" : "changes");
        }
        for (int k = 0; k < SIZE; k++) {
            film_bytes(f, 2, t)[k] ^= 255;
        }
    }
    hiss_free(before);
    hiss_free(after);
}

#endif
