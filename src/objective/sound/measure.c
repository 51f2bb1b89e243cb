/* What ambient sound measures of itself: how often the network names the cluster of a test image's sound, beside the
 * share of the largest cluster, which is what always naming that one gives; and what clusters say of classes, their
 * purity: the share of images whose class is the most frequent one of their cluster, beside that of clusters whose labels
 * were dealt anew. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "objective/sound/ambient_sound.h"

enum { FOUND, COUNTS, TILES = 2, DRAW_OF_LABELS = 2160 };
static const char picture[] = "sounds.png";

/* Whether the image's cluster is found; [clusters, classes + 1] where it is: its cluster, and its class or, last, none. */
static int64_t columns_of(const ambient *a) {
    return a->task->classes + 1;
}

static int64_t width(void *self) {
    const ambient *a = self;
    return COUNTS + a->options->clusters * columns_of(a);
}

static hiss_status build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    ambient *a = self;
    const hiss_status s = sound_graph(a, b, m, &a->measured, err);
    if (s != HISS_OK) {
        return s;
    }
    hiss_graph_keep(b->graph, a->measured.image);
    hiss_graph_keep(b->graph, a->measured.near);
    hiss_graph_keep(b->graph, a->measured.scores);
    return hiss_graph_status(b->graph, err);
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const ambient *a = self;
    hiss_lane_default_sample(lane, i);
    sound_hear(a, lane, i, &a->measured);
}

static int64_t largest(int64_t n, const float *x) {
    int64_t best = 0;
    for (int64_t k = 1; k < n; k++) {
        best = x[k] > x[best] ? k : best;
    }
    return best;
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const ambient *a = self;
    const int64_t K = a->options->clusters, C = a->task->classes;
    const int64_t cluster = largest(K, hiss_lane_values(lane, a->measured.near, i)),
                  said = largest(K, hiss_lane_values(lane, a->measured.scores, i));
    const int64_t class = C > 0 && lane->batch->label && lane->batch->label[i] >= 0 ? lane->batch->label[i] : C;
    memset(out, 0, sizeof *out * (size_t)width(self));
    out[FOUND] = said == cluster ? 1.0f : 0.0f;
    out[COUNTS + cluster * columns_of(a) + class] = 1.0f;
}

/* ---- of all images ---- */

/* Per cent of `all` whose class is the most frequent one of their cluster. */
static double purity(int64_t K, int64_t C, const int64_t *count, int64_t all) {
    int64_t sum = 0;
    for (int64_t k = 0; k < K; k++) {
        int64_t most = 0;
        for (int64_t c = 0; c < C; c++) {
            most = count[k * C + c] > most ? count[k * C + c] : most;
        }
        sum += most;
    }
    return 100.0 * (double)sum / (double)all;
}

/* The purity when the same labels are dealt to the same clusters at random. */
static double shuffled_purity(uint64_t seed, int64_t K, int64_t C, const int64_t *count, int64_t all) {
    int64_t *label = hiss_new(int64_t, all), *dealt = hiss_new(int64_t, K * C), filled = 0, next = 0;
    for (int64_t c = 0; c < C; c++) {
        for (int64_t k = 0; k < K; k++) {
            for (int64_t i = 0; i < count[k * C + c]; i++) {
                label[filled++] = c;
            }
        }
    }
    const hiss_permutation order = hiss_permutation_keyed(seed, HISS_FOR_EVALUATION, DRAW_OF_LABELS, 0, all);
    for (int64_t k = 0; k < K; k++) {
        for (int64_t c = 0; c < C; c++) {
            for (int64_t i = 0; i < count[k * C + c]; i++) {
                dealt[k * C + label[hiss_permutation_at(&order, next++)]]++;
            }
        }
    }
    const double share = purity(K, C, dealt, all);
    hiss_free(label);
    hiss_free(dealt);
    return share;
}

static void say(const hiss_measured *m, const char *name, const char *heading, double value, double baseline) {
    m->number(m->say, &(hiss_measure){.name = name,
                                      .group = "clusters of sounds",
                                      .heading = heading,
                                      .unit = "%",
                                      .value = value,
                                      .spread = NAN,
                                      .baseline = baseline,
                                      .samples = m->test});
}

static void say_purity(const ambient *a, const hiss_measured *m) {
    const int64_t K = a->options->clusters, C = a->task->classes;
    int64_t *count = hiss_new(int64_t, K * C + 1), all = 0;
    for (int64_t k = 0; k < K; k++) {
        for (int64_t c = 0; c < C; c++) {
            count[k * C + c] = llround(m->test_mean[COUNTS + k * columns_of(a) + c] * (double)m->test);
            all += count[k * C + c];
        }
    }
    if (C > 0 && all > 0) {
        say(m, "purity", "purity", purity(K, C, count, all), shuffled_purity(a->task->seed, K, C, count, all));
    }
    hiss_free(count);
}

static hiss_status conclude(void *self, const hiss_measured *m, hiss_error *err) {
    const ambient *a = self;
    const hiss_task *t = a->task;
    double most = 0.0;
    for (int64_t k = 0; k < a->options->clusters; k++) {
        double share = 0.0;
        for (int64_t c = 0; c < columns_of(a); c++) {
            share += m->test_mean[COUNTS + k * columns_of(a) + c];
        }
        most = fmax(most, share);
    }
    say(m, "accuracy", "told from the image", 100.0 * m->test_mean[FOUND], 100.0 * most);
    say_purity(a, m);
    m->remark(m->say, "chance: always the largest cluster; of purity: the same labels, dealt anew to the clusters");
    if (a->options->shuffled) {
        m->remark(m->say, "shuffled is on: images were trained with other images' sounds, and should not beat chance.");
    }
    return m->shown > 0
               ? m->grid(m->say, picture, "Images and their sounds",
                         "Test images, drawn by seed, and the cochleagram of what is heard with each: time from "
                         "left to right, low bands at the bottom; white is loud.",
                         m->shown, TILES, t->H, t->W, t->C, m->show, err)
               : HISS_OK;
}

/* ---- pictures ---- */

static int64_t shown(void *self) {
    const hiss_task *t = ((const ambient *)self)->task;
    return TILES * t->H * t->W * t->C;
}

static void show(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const ambient *a = self;
    const hiss_task *t = a->task;
    const cochleagram *c = &a->hearing;
    const int64_t floats = t->H * t->W * t->C, cells = c->bands * c->frames;
    double *scratch = hiss_new(double, objective_cochleagram_scratch(c)), *envelope = hiss_new(double, cells);
    double top = 0.0;
    objective_cochleagram_envelopes(c, hiss_batch_values(lane->batch, i, a->sound), scratch, envelope);
    for (int64_t k = 0; k < cells; k++) {
        top = fmax(top, envelope[k]);
    }
    const float *image = hiss_lane_values(lane, a->measured.image, i);
    float low = image[0], high = image[0];
    for (int64_t k = 0; k < floats; k++) {
        low = fminf(low, image[k]);
        high = fmaxf(high, image[k]);
    }
    for (int64_t k = 0; k < floats; k++) {
        const int64_t y = k / (t->W * t->C), x = k / t->C % t->W;
        const int64_t band = (t->H - 1 - y) * c->bands / t->H, frame = x * c->frames / t->W;
        out[k] = high > low ? (image[k] - low) / (high - low) : 0.0f;
        out[floats + k] = top > 0.0 ? (float)(envelope[band * c->frames + frame] / top) : 0.0f;
    }
    hiss_free(scratch);
    hiss_free(envelope);
}

static const char *const pictures[] = {picture, NULL};
const hiss_measure_ops sound_measure = {.baseline = "chance",
                                        .pictures = pictures,
                                        .width = width,
                                        .build = build,
                                        .sample = sample,
                                        .measure = measure,
                                        .shown = shown,
                                        .show = show,
                                        .conclude = conclude};
