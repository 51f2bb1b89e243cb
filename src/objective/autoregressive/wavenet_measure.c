/* What a WaveNet measures of itself: the probability of test sound, which is exact but for the values that open a file, beside
 * that of levels drawn by their shares in training sound; and sound to listen to. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "objective/autoregressive/pixels.h"
#include "objective/autoregressive/wavenet.h"
#include "objective/parts/judge.h"

enum { MADE = 4 }; /* sounds */

static const char made_file[] = "wavenet-made.wav", test_file[] = "wavenet-test.wav";
static const double bit = 0.69314718055994530942; /* nats */

static int64_t predicted(const wavenet *w) {
    return w->T - autoregressive_wavenet_margin(w);
}

/* nats of a value, and shares of levels */
static int64_t width(void *self) {
    (void)self;
    return 1 + MU_LAW_LEVELS;
}

static hiss_status build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    wavenet *w = self;
    hiss_graph *g = b->graph;
    const hiss_value sound = hiss_graph_input(g, "sound", HISS_SHAPE(m, 1, w->T, 1));
    const hiss_value class = autoregressive_wavenet_class(w, g, m);
    const hiss_status s = autoregressive_wavenet_rows(w, b, sound, class, NULL, &w->measured, err);
    if (s == HISS_OK) {
        hiss_graph_keep(g, sound);
        hiss_graph_keep(g, w->measured);
    }
    return s;
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    hiss_lane_default_sample(lane, i);
    autoregressive_wavenet_set_class(self, lane, i, lane->batch->label ? lane->batch->label[i] : -1);
}

static const int16_t *values_of(const wavenet *w, const hiss_lane *lane, int64_t i) {
    const int16_t *x = hiss_batch_values(lane->batch, i, &w->task->field[0]);
    return x + autoregressive_wavenet_margin(w);
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const wavenet *w = self;
    const int64_t count = predicted(w);
    const int16_t *x = values_of(w, lane, i);
    const float *logits = hiss_lane_values(lane, w->measured, i);
    double nats = 0.0;
    memset(out, 0, sizeof *out * (1 + MU_LAW_LEVELS));
    for (int64_t t = 0; t < count; t++) {
        const int32_t level = objective_mu_law_level(x[t]);
        nats +=
            autoregressive_nats(MU_LAW_LEVELS, logits + t * MU_LAW_LEVELS, (float)level / (float)(MU_LAW_LEVELS - 1));
        out[1 + level] += 1.0f;
    }
    out[0] = (float)(nats / (double)count);
    for (int64_t k = 1; k <= MU_LAW_LEVELS; k++) {
        out[k] /= (float)count;
    }
}

static int64_t shown(void *self) {
    return predicted(self);
}

static void show(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const wavenet *w = self;
    const int16_t *x = values_of(w, lane, i);
    for (int64_t t = 0; t < predicted(w); t++) {
        out[t] = objective_mu_law_sound(objective_mu_law_level(x[t]));
    }
}

/* Bits of a test value whose level is drawn by its share in training sound; as if each level had been seen once more. */
static double bits_by_share(const wavenet *w, const hiss_measured *m) {
    const double seen = (double)(m->train * predicted(w));
    double bits = 0.0;
    for (int64_t k = 1; k <= MU_LAW_LEVELS; k++) {
        bits -= m->test_mean[k] * log2((m->train_mean[k] * seen + 1.0) / (seen + MU_LAW_LEVELS));
    }
    return bits;
}

static void say(const wavenet *w, const hiss_measured *m) {
    static const char group[] = "probability of test sound";
    const double nan = (double)NAN;
    char line[320];
    objective_say(m, group, "bits_per_value", "of a value", "bits", m->test_mean[0] / bit, m->test_deviation[0] / bit,
                  bits_by_share(w, m), m->test);
    objective_say(m, group, "bits_training", "training sound", "bits", m->train_mean[0] / bit, nan, nan, m->train);
    snprintf(line, sizeof line,
             "of mu-law's 256 levels, without the first %lld values of each row; pauses are easy to tell, so that "
             "numbers of sound with more of them, or at another rate, are of other data",
             (long long)autoregressive_wavenet_margin(w));
    m->remark(m->say, line);
}

/* Rank 0 makes it. */
static hiss_status make_sound(wavenet *w, const hiss_measured *m, int64_t rate, hiss_error *err) {
    const int64_t values = (int64_t)(w->options->seconds * (double)rate);
    float *made = m->show ? hiss_new(float, MADE *values) : NULL;
    int64_t wanted[MADE];
    for (int64_t i = 0; i < MADE; i++) {
        wanted[i] = w->options->conditional ? i % w->task->classes : 0;
    }
    hiss_status s = made ? autoregressive_wavenet_sound.make(w, m->model, m->vector, w->task->seed, 0, MADE, values,
                                                             wanted, made, err)
                         : HISS_OK;
    s = hiss_comm_agree(m->comm, s, err);
    s = s == HISS_OK ? m->sound(m->say, made_file, "Made sound", "Sounds that the network has drawn, value by value.",
                                rate, MADE, values, made, err)
                     : s;
    hiss_free(made);
    return s;
}

static hiss_status conclude(void *self, const hiss_measured *m, hiss_error *err) {
    wavenet *w = self;
    const int64_t rate = w->task->sound ? w->task->sound->rate : 0;
    say(w, m);
    if (m->shown == 0 || rate == 0) {
        return HISS_OK;
    }
    hiss_status s =
        m->sound(m->say, test_file, "Test sound", "Rows of test sound as the network hears them, in 256 levels.", rate,
                 m->shown, predicted(w), m->show, err);
    return s == HISS_OK && w->options->seconds > 0 ? make_sound(w, m, rate, err) : s;
}

static const char *const sounds[] = {made_file, test_file, NULL};

const hiss_measure_ops autoregressive_wavenet_measure = {
    .baseline = "levels by their shares",
    .pictures = sounds,
    .width = width,
    .build = build,
    .sample = sample,
    .measure = measure,
    .shown = shown,
    .show = show,
    .conclude = conclude,
};
