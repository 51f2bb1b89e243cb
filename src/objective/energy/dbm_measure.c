/* How probable images are under a deep Boltzmann machine. Whatever the means mu of the hidden units,
 *     log p(v) >= -E(v, mu) + H(mu) - log Z,
 * H being the entropy of independent units; mean field makes it large (Salakhutdinov & Hinton 2009, eq. 6). Test images
 * are binary, drawn once. log Z is that of all images, by annealed importance sampling (ais.h): pixels and second layer
 * are one side of the machine, the first layer, which is summed out, is the other. The chains' starting point has the mean
 * of each pixel over training images. Chains are shared out over ranks.
 *
 * The estimate of Z has no bias, that of log Z is too small on average, which makes images seem more probable than they
 * are: so the standard error and twice the steps are to be looked at. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "objective/energy/dbm.h"
#include "objective/energy/judge.h"

enum { DRAW_OF_PIXELS = 2020, DRAW_OF_TEMPERATURES = 2030 };
enum { GRID_ROWS = 6, GRID_COLUMNS = 12 };

/* ---- numbers of an image: the bound without log Z, and its grey pixels ---- */

static int64_t width(void *self) {
    return 1 + energy_dbm_pixels(self);
}

static hiss_status build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    dbm *d = self;
    hiss_graph *g = b->graph;
    const hiss_task *t = d->task;
    struct dbm_measured *x = &d->measured;
    x->image = hiss_graph_input(g, "image", HISS_SHAPE(m, t->H, t->W, t->C));
    x->binary = hiss_graph_input(g, "binary", HISS_SHAPE(m, energy_dbm_pixels(d)));
    dbm_units at = {.visible = x->binary};
    const dbm_parameters p = energy_dbm_machine(d, b);
    energy_dbm_mean_field(d, g, &p, &at, &x->in1);
    x->mu1 = at.hidden1;
    x->mu2 = at.hidden2;
    x->in2 = hiss_graph_linear(g, x->mu1, p.W2, p.c2);
    x->bias = hiss_graph_linear(g, x->binary, hiss_graph_reshape(g, p.b, HISS_SHAPE(1, energy_dbm_pixels(d))), -1);
    const hiss_status s = hiss_graph_status(g, err);
    const hiss_value read[] = {x->image, x->binary, x->in1, x->mu1, x->mu2, x->in2, x->bias};
    for (int k = 0; k < HISS_COUNT(read) && s == HISS_OK; k++) {
        hiss_graph_keep(g, read[k]);
    }
    return s;
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const dbm *d = self;
    const int64_t D = energy_dbm_pixels(d);
    float *binary = hiss_lane_values(lane, d->measured.binary, i);
    hiss_lane_default_sample(lane, i);
    memcpy(binary, hiss_lane_values(lane, d->measured.image, i), sizeof(float) * (size_t)D);
    energy_dbm_draw_pixels(hiss_rng_keyed(d->task->seed, HISS_FOR_EVALUATION, DRAW_OF_PIXELS, lane->batch->sample[i]),
                           D, binary);
}

static double term(double p) {
    return p > 0.0 ? -p * log(p) : 0.0;
}

/* mu . in + H(mu) */
static double layer(int64_t count, const float *mu, const float *in) {
    double sum = 0.0;
    for (int64_t k = 0; k < count; k++) {
        const double p = (double)mu[k];
        sum += p * (double)in[k] + term(p) + term(1.0 - p);
    }
    return sum;
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const dbm *d = self;
    const struct dbm_measured *x = &d->measured;
    out[0] = (float)((double)*hiss_lane_values(lane, x->bias, i) +
                     layer(d->options->hidden1, hiss_lane_values(lane, x->mu1, i), hiss_lane_values(lane, x->in1, i)) +
                     layer(d->options->hidden2, hiss_lane_values(lane, x->mu2, i), hiss_lane_values(lane, x->in2, i)));
    memcpy(out + 1, hiss_lane_values(lane, x->image, i), sizeof(float) * (size_t)energy_dbm_pixels(d));
}

/* ---- log Z ---- */

static const float *trained(const hiss_measured *m, const char *name) {
    return m->vector + hiss_model_offset(m->model, name);
}

/* In memory[] of machine_floats(). */
static int64_t machine_floats(const dbm *d) {
    const int64_t sides = energy_dbm_pixels(d) + d->options->hidden2;
    return (d->options->hidden1 + 2) * sides + d->options->hidden1;
}

static energy_machine machine_of(const dbm *d, const hiss_measured *m, double *memory) {
    const float *W1 = trained(m, "hidden1/weight"), *W2 = trained(m, "hidden2/weight"), *b = trained(m, "visible/bias"),
                *c1 = trained(m, "hidden1/bias"), *c2 = trained(m, "hidden2/bias");
    const int64_t D = energy_dbm_pixels(d), F1 = d->options->hidden1, F2 = d->options->hidden2, sides = D + F2;
    double *weight = memory, *bias = weight + F1 * sides, *base = bias + sides, *hidden = base + sides;
    for (int64_t i = 0; i < sides; i++) {
        const double mean = i < D ? objective_pixel_mean(m, 1, i) : 0.5;
        bias[i] = (double)(i < D ? b[i] : c2[i - D]);
        base[i] = log(mean) - log1p(-mean);
    }
    for (int64_t j = 0; j < F1; j++) {
        hidden[j] = (double)c1[j];
        for (int64_t i = 0; i < sides; i++) {
            weight[j * sides + i] = (double)(i < D ? W1[j * D + i] : W2[(i - D) * F1 + j]);
        }
    }
    return (energy_machine){
        .D = sides, .H = F1, .weight = weight, .visible_bias = bias, .hidden_bias = hidden, .base_bias = base};
}

/* visible [ais_chains, pixels + hidden2]: the means of the pixels and the second layer at the chains' ends. Collective. */
static energy_log_z log_z(const dbm *d, const hiss_measured *m, float *visible) {
    const int64_t chains = d->options->ais_chains;
    double *memory = hiss_new(double, machine_floats(d)), *log_weight = hiss_new(double, chains);
    const energy_machine machine = machine_of(d, m, memory);
    energy_run_chains(m, &machine, DRAW_OF_TEMPERATURES, d->options->ais_steps, chains, log_weight, visible);
    const energy_log_z z = energy_ais_estimate(&machine, chains, log_weight);
    hiss_free(memory);
    hiss_free(log_weight);
    return z;
}

/* ---- pictures ---- */

static hiss_status draw(const dbm *d, const hiss_measured *m, const float *visible, hiss_error *err) {
    const hiss_task *t = d->task;
    const int64_t D = energy_dbm_pixels(d), chains = d->options->ais_chains, sides = D + d->options->hidden2;
    const int64_t columns = chains < GRID_COLUMNS ? chains : GRID_COLUMNS,
                  rows = chains / columns < GRID_ROWS ? chains / columns : GRID_ROWS;
    float *pixel = hiss_new(float, rows *columns *D);
    for (int64_t i = 0; i < rows * columns; i++) {
        memcpy(pixel + i * D, visible + i * sides, sizeof(float) * (size_t)D);
    }
    const hiss_status s = m->grid(m->say, "chains.png", "What the machine draws",
                                  "Where the chains of annealed importance sampling end: probabilities of pixels.",
                                  rows, columns, t->H, t->W, t->C, pixel, err);
    hiss_free(pixel);
    return s == HISS_OK ? m->filters(m->say, "hidden1.png", "First hidden layer", "The weights of each unit.",
                                     d->options->hidden1, t->H, t->W, t->C, trained(m, "hidden1/weight"), err)
                        : s;
}

/* ---- what follows ---- */

static const char *const group_bound = "-log p(v), at most", *const group_z = "partition function";

static hiss_status conclude(void *self, const hiss_measured *m, hiss_error *err) {
    const dbm *d = self;
    float *visible = hiss_new(float, d->options->ais_chains *(energy_dbm_pixels(d) + d->options->hidden2));
    const energy_log_z z = log_z(d, m, visible);
    const double nan = (double)NAN, base = objective_independent_pixels(m, 1, energy_dbm_pixels(d)),
                 bound = z.value - m->test_mean[0];
    const double bit = (double)energy_dbm_pixels(d) * 0.69314718055994530942;
    char text[256];
    objective_say(m, group_bound, "bound", "bound", "nats", bound, m->test_deviation[0], base, m->test);
    objective_say(m, group_bound, "bits", "per pixel", "bits", bound / bit, nan, base / bit, m->test);
    objective_say(m, group_bound, "bound_training", "training images", "nats", z.value - m->train_mean[0], nan, nan,
                  m->train);
    objective_say(m, group_z, "log_z", "log Z", "nats", z.value, z.deviation, nan, 0);
    snprintf(text, sizeof text,
             "of binary pixels, each drawn once with its grey value as probability; log Z by annealed importance "
             "sampling, %lld chains of %lld steps, whose standard error is %.2f nats",
             (long long)d->options->ais_chains, (long long)d->options->ais_steps, z.deviation);
    m->remark(m->say, text);
    const hiss_status s = draw(d, m, visible, err);
    hiss_free(visible);
    return s;
}

static const char *const pictures[] = {"chains.png", "hidden1.png", NULL};

const hiss_measure_ops energy_dbm_measure = {
    .baseline = "independent pixels",
    .pictures = pictures,
    .width = width,
    .build = build,
    .sample = sample,
    .measure = measure,
    .conclude = conclude,
};
