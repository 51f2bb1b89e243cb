/* What the tests of graphs share: a model with one training graph, filled with random values, run on one lane, and
 * checked against differences. */
#ifndef HISS_TESTS_GRAPH_SUPPORT_H
#define HISS_TESTS_GRAPH_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/nn.h"
#include "hiss/rng.h"

typedef struct rig rig;
struct rig {
    hiss_model *model;
    hiss_graph *graph;
    hiss_builder b; /* of both */
    hiss_value loss;
    hiss_exec *exec;
    float *vector, *lane;
    hiss_exec_context run;
    int64_t key;          /* of the inputs' values */
    int classes;          /* labels are below */
    void (*fill)(rig *r); /* fills the inputs; NULL: fill_inputs */
    void *user;           /* of fill */
    float **held;         /* [nodes]: what rig_hold() gives to nodes; NULL: nothing is held */
};

static inline void fill_normals(int64_t key, int64_t id, int64_t count, float *out) {
    hiss_rng rng = hiss_rng_keyed(77, HISS_FOR_TESTS, key, id);
    hiss_rng_normals(&rng, count, out);
}

/* Normal values into every input of a graph, labels below `classes`: they depend on key and the place of the input. */
static inline void fill_inputs(const hiss_graph *graph, hiss_exec *exec, int64_t key, int classes) {
    for (int i = 0; i < hiss_graph_nodes(graph); i++) {
        const hiss_node_info info = hiss_graph_node(graph, i);
        const int64_t count = hiss_shape_count(&info.shape);
        if (strcmp(info.op, "input") == 0) {
            fill_normals(key, i, count, hiss_exec_data(exec, i));
        } else if (strcmp(info.op, "labels") == 0) {
            for (int64_t k = 0; k < count; k++) {
                ((int32_t *)hiss_exec_data(exec, i))[k] = (int32_t)((3 * k + key) % classes);
            }
        }
    }
}

/* An empty model and graph, to build with r->b. */
static inline rig rig_open(void) {
    rig r = {.model = hiss_model_create(), .graph = hiss_graph_create(), .loss = -1, .key = 1, .classes = 10};
    r.b = (hiss_builder){.graph = r.graph, .model = r.model, .training = true, .trained_groups = ~0u};
    r.run = (hiss_exec_context){.seed = 5, .step = 3, .lane = 1, .lanes = 2};
    return r;
}

/* Lay out, initialise, move every parameter off its special start (0 and 1), plan. */
static inline void rig_ready(rig *r, const hiss_kernels *kernels) {
    hiss_error err = {0};
    if (hiss_graph_status(r->graph, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    hiss_model_layout(r->model);
    r->vector = hiss_new(float, hiss_model_floats(r->model));
    r->lane = hiss_new(float, hiss_model_floats(r->model));
    hiss_model_initialize(r->model, 3, r->vector);
    for (int s = 0; s < hiss_model_count(r->model); s++) {
        const hiss_slot *slot = hiss_model_at(r->model, s);
        if (slot->kind == HISS_SLOT_PARAMETER && slot->deviation == 0.0) {
            float *noise = hiss_new(float, slot->count);
            fill_normals(1000, s, slot->count, noise);
            for (int64_t i = 0; i < slot->count; i++) {
                r->vector[slot->offset + i] += 0.2f * noise[i];
            }
            hiss_free(noise);
        }
    }
    r->run.model = r->vector;
    r->run.lane_vector = r->lane;
    r->exec = hiss_exec_create(r->graph, kernels, hiss_model_offsets(r->model));
}

static inline void rig_close(rig *r) {
    hiss_exec_destroy(r->exec);
    hiss_graph_destroy(r->graph);
    hiss_model_destroy(r->model);
    hiss_free(r->vector);
    hiss_free(r->lane);
}

/* Teardown of a group of tests: nothing is left behind when all passed. */
static inline int nothing_left(void **state) {
    (void)state;
    return hiss_alloc_live() != 0;
}

static inline void rig_fill(rig *r) {
    if (r->fill) {
        r->fill(r);
    } else {
        fill_inputs(r->graph, r->exec, r->key, r->classes);
    }
}

/* What is constant to backward is so to differences: outputs through which no gradient passes stay what they were. */
static inline void rig_hold(void *user, int node) {
    const rig *r = user;
    const hiss_node_info info = hiss_graph_node(r->graph, node);
    if (strcmp(info.op, "stop_gradient") == 0 || strcmp(info.op, "less") == 0) {
        const int64_t count = hiss_shape_count(&info.shape);
        float *now = hiss_exec_data(r->exec, node);
        if (r->held[node]) {
            memcpy(now, r->held[node], sizeof(float) * (size_t)count);
        } else {
            r->held[node] = hiss_new(float, count);
            memcpy(r->held[node], now, sizeof(float) * (size_t)count);
        }
    }
}

static inline double rig_forward(rig *r) {
    rig_fill(r);
    hiss_exec_forward(r->exec, &r->run, 0, hiss_graph_nodes(r->graph), r->held ? rig_hold : NULL, r);
    return *hiss_exec_data(r->exec, r->loss);
}

/* Loss, statistics, metrics and gradients into a lane vector full of old values; what the graph does not write is 0. */
static inline double rig_step(rig *r) {
    for (int s = 0; s < hiss_model_count(r->model); s++) {
        const hiss_slot *slot = hiss_model_at(r->model, s);
        const bool written = hiss_graph_trains(r->graph, s) || hiss_graph_records(r->graph, s);
        for (int64_t i = 0; i < slot->count; i++) {
            r->lane[slot->offset + i] = written ? 1e3f : 0.0f;
        }
    }
    const double loss = rig_forward(r);
    hiss_exec_record(r->exec, &r->run);
    hiss_exec_backward(r->exec, &r->run, NULL, NULL);
    return loss;
}

static inline float *rig_of(rig *r, float *vector, const char *name) {
    const int slot = hiss_model_find(r->model, name);
    if (slot < 0) {
        fail_msg("no slot %s", name);
    }
    return vector + hiss_model_at(r->model, slot)->offset;
}

/* What a gradient check found worst: |difference - expected| / tolerance. */
typedef struct rig_worst {
    double ratio, expected, found;
    const char *slot;
} rig_worst;

/* Three directions of unit length: along random halves of the gradient, where an error in size shows best, and at
 * random, where a gradient that should not be 0 shows. */
static inline void direction_of(const float *gradient, int64_t count, int trial, int64_t key, double *out) {
    float *noise = hiss_new(float, count);
    double length = 0.0;
    fill_normals(2000 + trial, key, count, noise);
    for (int64_t i = 0; i < count; i++) {
        out[i] = trial < 2 ? (noise[i] > 0 ? (double)gradient[i] : 0.0) : (double)noise[i];
        length += out[i] * out[i];
    }
    for (int64_t i = 0; i < count && length > 0.0; i++) {
        out[i] /= sqrt(length);
    }
    hiss_free(noise);
}

typedef struct rig_point { /* how far along the direction, and the loss there less the loss at the start */
    double at, rise;
} rig_point;

static inline rig_point rig_at(rig *r, const hiss_slot *slot, const float *from, const double *direction, double h) {
    rig_point p = {0};
    for (int64_t i = 0; i < slot->count; i++) { /* what float makes of the move */
        const float to = (float)((double)from[i] + h * direction[i]);
        r->vector[slot->offset + i] = to;
        p.at += ((double)to - (double)from[i]) * direction[i];
    }
    p.rise = rig_forward(r);
    return p;
}

/* Slope at 0 of the parabola through 0 and two points: central differences when they lie on either side. */
static inline double slope_of(rig_point a, rig_point b) {
    return (a.rise / a.at * b.at - b.rise / b.at * a.at) / (b.at - a.at);
}

/* An estimate of the slope that is close to `expected`, else the closest, among steps of several lengths to both sides
 * and to one: a loss with kinks (ReLU, max pooling) is smooth for some of them, and a wrong gradient is wrong for all. */
static inline double closest_slope(rig *r, const hiss_slot *slot, const double *direction, double h, double start,
                                   double expected, double close) {
    rig_point right[4], left[4];
    float *from = hiss_new(float, slot->count);
    memcpy(from, r->vector + slot->offset, sizeof(float) * (size_t)slot->count);
    double best = INFINITY;
    for (int k = 0; k < 4 && !(fabs(best - expected) <= close); k++, h /= 4) {
        right[k] = rig_at(r, slot, from, direction, h);
        left[k] = rig_at(r, slot, from, direction, -h);
        right[k].rise -= start;
        left[k].rise -= start;
        for (int side = 0; side < (right[k].at == 0.0 ? 0 : k ? 3 : 1); side++) {
            const double slope = side == 0   ? slope_of(right[k], left[k])
                                 : side == 1 ? slope_of(right[k], right[k - 1])
                                             : slope_of(left[k], left[k - 1]);
            best = fabs(slope - expected) < fabs(best - expected) ? slope : best;
        }
    }
    memcpy(r->vector + slot->offset, from, sizeof(float) * (size_t)slot->count);
    hiss_free(from);
    return best;
}

/* Gradients of all parameters against differences with steps of length h and less. Leaves the gradients in r->lane. */
static inline rig_worst rig_gradients(rig *r, double h, double relative, double absolute) {
    rig_worst worst = {0};
    r->held = hiss_new(float *, hiss_graph_nodes(r->graph));
    const double start = rig_step(r);
    for (int s = 0; s < hiss_model_count(r->model); s++) {
        const hiss_slot *slot = hiss_model_at(r->model, s);
        const float *gradient = r->lane + slot->offset;
        double *direction = hiss_new(double, slot->count);
        for (int trial = 0; trial < 3 && hiss_graph_trains(r->graph, s); trial++) {
            double expected = 0.0;
            direction_of(gradient, slot->count, trial, s, direction);
            for (int64_t i = 0; i < slot->count; i++) {
                expected += direction[i] * (double)gradient[i];
            }
            if (expected == 0.0 && trial < 2) {
                continue; /* no direction: the random one tells whether the gradient is 0 */
            }
            const double tolerance = relative * fabs(expected) + absolute;
            const double found = closest_slope(r, slot, direction, h, start, expected, 0.25 * tolerance);
            const double ratio = fabs(found - expected) / tolerance;
            if (!(ratio <= worst.ratio)) {
                worst = (rig_worst){ratio, expected, found, slot->name};
            }
        }
        hiss_free(direction);
    }
    for (int i = 0; i < hiss_graph_nodes(r->graph); i++) {
        hiss_free(r->held[i]);
    }
    hiss_free(r->held);
    r->held = NULL;
    return worst;
}

static inline void rig_check_gradients(rig *r, const char *what, double h, double relative, double absolute) {
    const rig_worst w = rig_gradients(r, h, relative, absolute);
    if (!(w.ratio <= 1.0)) {
        fail_msg("%s: slot %s: differences give %g, backward %g (%.1f times the tolerance)", what, w.slot, w.found,
                 w.expected, w.ratio);
    }
}

#endif
