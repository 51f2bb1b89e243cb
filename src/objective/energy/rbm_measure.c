/* What a stack of restricted Boltzmann machines measures of its first machine: the mean free energy of images that it
 * was trained on and of others, whose difference grows as it learns its training set by heart (Hinton, "A practical
 * guide to training restricted Boltzmann machines", 2010, section 6), and the probability of test images,
 *     log p(v) = -F(v) - log Z,
 * with log Z by annealed importance sampling. That is a probability of binary images, so each image is made binary once,
 * a pixel being 1 with its grey value as probability (Salakhutdinov & Murray, ICML 2008). The base rate of the sampling
 * has the pixels' means over training images, or the machine's own biases where images are large. Ranks share out the chains, and what comes of them is summed in their
 * order. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/rng.h"
#include "objective/energy/judge.h"
#include "objective/energy/rbm.h"

enum { FREE_ENERGY, FREE_ENERGY_OF_BINARY, MISTAKE, PIXELS }; /* numbers of an image; from PIXELS on: grey values */
enum { DRAW_OF_PIXELS = 2020, DRAW_OF_CHAINS = 2031 };        /* when, of evaluation's streams */
enum { MOST_PIXELS = 3072 };                                  /* whose means are kept, as those of PCA */
enum { SHOWN_ROWS = 4, SHOWN_COLUMNS = 10, SHOWN_FILTERS = 100 };

static const char filters_file[] = "rbm-filters.png", fantasies_file[] = "rbm-fantasies.png";

static bool keeps_pixels(const rbm *r) {
    return r->units[0] <= MOST_PIXELS;
}

static int64_t width(void *self) {
    const rbm *r = self;
    return PIXELS + (keeps_pixels(r) ? r->units[0] : 0);
}

static hiss_status build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    rbm *r = self;
    hiss_graph *g = b->graph;
    const hiss_task *t = r->task;
    const rbm_machine z = energy_rbm_machine(r, b, 0);
    r->measured.image = hiss_graph_input(g, "image", HISS_SHAPE(m, t->H, t->W, t->C));
    r->measured.binary = hiss_graph_input(g, "binary", HISS_SHAPE(m, r->units[0]));
    const hiss_value grey = hiss_graph_flatten(g, r->measured.image);
    r->measured.hidden_input = hiss_graph_linear(g, grey, z.weight, z.hidden);
    r->measured.binary_input = hiss_graph_linear(g, r->measured.binary, z.weight, z.hidden);
    r->measured.visible_part = energy_rbm_visible_part(g, &z, grey);
    r->measured.binary_part = energy_rbm_visible_part(g, &z, r->measured.binary);
    r->measured.scores = -1;
    hiss_status s = hiss_graph_status(g, err);
    if (s == HISS_OK && r->options->finetune == RBM_CLASSIFIER) {
        hiss_taps taps = {0};
        s = energy_rbm_encode(r, b, r->measured.image, &taps, err);
        if (s == HISS_OK) {
            r->measured.scores = energy_rbm_scores(r, b, hiss_taps_last(&taps));
            hiss_graph_keep(g, r->measured.scores);
        }
    }
    const hiss_value kept[] = {r->measured.image,        r->measured.hidden_input, r->measured.binary_input,
                               r->measured.visible_part, r->measured.binary_part,  r->measured.binary};
    for (int k = 0; k < HISS_COUNT(kept) && s == HISS_OK; k++) {
        hiss_graph_keep(g, kept[k]);
    }
    return s == HISS_OK ? hiss_graph_status(g, err) : s;
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const rbm *r = self;
    const int64_t D = r->units[0];
    hiss_lane_default_sample(lane, i);
    hiss_rng rng = hiss_rng_keyed(r->task->seed, HISS_FOR_EVALUATION, DRAW_OF_PIXELS, lane->batch->sample[i]);
    const float *image = hiss_exec_data(lane->exec, r->measured.image) + i * D;
    float *binary = hiss_exec_data(lane->exec, r->measured.binary) + i * D;
    for (int64_t k = 0; k < D; k++) {
        binary[k] = hiss_rng_uniform(&rng) < image[k] ? 1.0f : 0.0f;
    }
}

static double free_energy(const rbm *r, const float *visible_part, const float *input) {
    double part = 0.0;
    for (int64_t j = 0; j < r->units[1]; j++) {
        const double x = (double)input[j];
        part += energy_rbm_is_gaussian(r, 0) ? 0.5 * x * x : energy_softplus(x);
    }
    return -(double)*visible_part - part;
}

/* 1 where another class scores higher than the label's, -1 without a label. */
static float mistake(const rbm *r, const hiss_lane *lane, int64_t i) {
    if (r->measured.scores < 0 || !lane->batch->label) {
        return -1.0f;
    }
    const int64_t C = r->task->classes, label = lane->batch->label[i];
    const float *score = hiss_exec_data(lane->exec, r->measured.scores) + i * C;
    int64_t best = 0;
    for (int64_t c = 1; c < C; c++) {
        best = score[c] > score[best] ? c : best;
    }
    return best == label ? 0.0f : 1.0f;
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const rbm *r = self;
    const int64_t D = r->units[0], H = r->units[1];
    hiss_exec *e = lane->exec;
    out[FREE_ENERGY] = (float)free_energy(r, hiss_exec_data(e, r->measured.visible_part) + i,
                                          hiss_exec_data(e, r->measured.hidden_input) + i * H);
    out[FREE_ENERGY_OF_BINARY] = (float)free_energy(r, hiss_exec_data(e, r->measured.binary_part) + i,
                                                    hiss_exec_data(e, r->measured.binary_input) + i * H);
    out[MISTAKE] = mistake(r, lane, i);
    if (keeps_pixels(r)) {
        memcpy(out + PIXELS, hiss_exec_data(e, r->measured.image) + i * D, sizeof(float) * (size_t)D);
    }
}

/* ---- what follows ---- */

static double *doubles(int64_t count, const float *from) {
    double *out = hiss_new(double, count);
    for (int64_t k = 0; k < count; k++) {
        out[k] = (double)from[k];
    }
    return out;
}

static void say_free_energy(const rbm *r, const hiss_measured *x) {
    static const char group[] = "free energy of the first machine";
    const double nan = (double)NAN;
    const int which = r->options->binarize ? FREE_ENERGY_OF_BINARY : FREE_ENERGY;
    objective_say(x, group, "free_energy", "test images", "nats", x->test_mean[which], x->test_deviation[which], nan,
                  x->test);
    objective_say(x, group, "free_energy_training", "training images", "nats", x->train_mean[which], nan, nan,
                  x->train);
    objective_say(x, group, "free_energy_gap", "difference", "nats", x->test_mean[which] - x->train_mean[which], nan,
                  nan, x->test);
}

/* log Z by enumeration. Collective. */
static double enumerate(const hiss_measured *x, const energy_machine *z) {
    const int P = hiss_comm_size(x->comm), rank = hiss_comm_rank(x->comm);
    const int64_t parts = energy_exact_parts(z->H);
    int64_t *offset = hiss_new(int64_t, P + 1), *byte = hiss_new(int64_t, P + 1);
    double *all = hiss_new(double, parts), *mine = hiss_new(double, parts);
    hiss_partition(parts, P, offset);
    for (int p = 0; p <= P; p++) {
        byte[p] = offset[p] * (int64_t)sizeof *mine;
    }
    energy_exact_sums(z, offset[rank], offset[rank + 1], mine);
    hiss_comm_allgather(x->comm, mine, byte, all);
    const double log_z = energy_log_sum_exp(parts, all);
    hiss_free(all);
    hiss_free(mine);
    hiss_free(offset);
    hiss_free(byte);
    return log_z;
}

static hiss_status draw_fantasies(const rbm *r, const hiss_measured *x, const float *visible, hiss_error *err) {
    const hiss_task *t = r->task;
    const int64_t rows = r->options->chains / SHOWN_COLUMNS;
    return rows == 0 ? HISS_OK
                     : x->grid(x->say, fantasies_file, "Fantasies of the first machine",
                               "Means of the pixels at the end of chains of annealed importance sampling.",
                               rows < SHOWN_ROWS ? rows : SHOWN_ROWS, SHOWN_COLUMNS, t->H, t->W, t->C, visible, err);
}

static hiss_status say_probability(const rbm *r, const hiss_measured *x, hiss_error *err) {
    static const char group[] = "probability of binary test images by the first machine";
    const double nan = (double)NAN;
    const int64_t D = r->units[0], H = r->units[1], chains = r->options->chains;
    double *W = doubles(H * D, x->vector + hiss_model_offset(x->model, "rbm1/weight")),
           *b = doubles(D, x->vector + hiss_model_offset(x->model, "rbm1/visible"));
    double *c = doubles(H, x->vector + hiss_model_offset(x->model, "rbm1/hidden")), *base = hiss_new(double, D);
    double *log_weight = hiss_new(double, chains);
    float *visible = hiss_new(float, chains *D);
    for (int64_t i = 0; i < D; i++) {
        base[i] = keeps_pixels(r) ? log(objective_pixel_mean(x, PIXELS, i)) - log1p(-objective_pixel_mean(x, PIXELS, i))
                                  : b[i];
    }
    const energy_machine z = {.D = D, .H = H, .weight = W, .visible_bias = b, .hidden_bias = c, .base_bias = base};
    energy_run_chains(x, &z, DRAW_OF_CHAINS, r->options->temperatures, chains, log_weight, visible);
    const energy_log_z found = energy_ais_estimate(&z, chains, log_weight);
    double log_z = found.value;
    objective_say(x, group, "log_z", "log Z by AIS", "nats", found.value, found.deviation, nan, 0);
    if (H <= ENERGY_EXACT_MOST && keeps_pixels(r)) {
        log_z = enumerate(x, &z);
        objective_say(x, group, "log_z_exact", "log Z, all states", "nats", log_z, nan, nan, 0);
    }
    objective_say(x, group, "nats", "-log p", "nats", x->test_mean[FREE_ENERGY_OF_BINARY] + log_z,
                  x->test_deviation[FREE_ENERGY_OF_BINARY],
                  keeps_pixels(r) ? objective_independent_pixels(x, PIXELS, D) : nan, x->test);
    char line[300];
    snprintf(
        line, sizeof line,
        "log Z: %lld chains of %lld temperatures, with the standard error of Z by its value; pixels are each drawn "
        "once as 0 or 1 with their grey value as probability",
        (long long)chains, (long long)r->options->temperatures);
    x->remark(x->say, line);
    if (!keeps_pixels(r)) {
        snprintf(line, sizeof line,
                 "left out: independent pixels, and sums over all states: for images of at most %d values",
                 MOST_PIXELS);
        x->remark(x->say, line);
    }
    const hiss_status s = draw_fantasies(r, x, visible, err);
    hiss_free(W);
    hiss_free(b);
    hiss_free(c);
    hiss_free(base);
    hiss_free(log_weight);
    hiss_free(visible);
    return s;
}

static hiss_status conclude(void *self, const hiss_measured *x, hiss_error *err) {
    const rbm *r = self;
    const hiss_task *t = r->task;
    const double nan = (double)NAN;
    hiss_status s = HISS_OK;
    if (x->test_mean[MISTAKE] >= 0.0) {
        objective_say(x, "test images classified", "test_error", "wrong", "%", 100.0 * x->test_mean[MISTAKE], nan, nan,
                      x->test);
    }
    if (!r->options->pretrain) {
        x->remark(x->say, "left out: energies: the machines were not trained (rbm.pretrain false)");
        return HISS_OK;
    }
    say_free_energy(r, x);
    if (energy_rbm_is_gaussian(r, 0)) {
        x->remark(x->say, "left out: log Z: it is computed for hidden units of 0 and 1 (rbm.code binary)");
    } else {
        s = say_probability(r, x, err);
    }
    const int64_t F = r->units[1] < SHOWN_FILTERS ? r->units[1] : SHOWN_FILTERS;
    return s == HISS_OK
               ? x->filters(x->say, filters_file, "Weights of the first machine",
                            "What hidden units of the first machine look for; each stretched from its least to its "
                            "largest weight.",
                            F, t->H, t->W, t->C, x->vector + hiss_model_offset(x->model, "rbm1/weight"), err)
               : s;
}

static const char *const pictures[] = {filters_file, fantasies_file, NULL};

const hiss_measure_ops energy_rbm_measure = {
    .baseline = "independent pixels",
    .pictures = pictures,
    .width = width,
    .build = build,
    .sample = sample,
    .measure = measure,
    .conclude = conclude,
};
