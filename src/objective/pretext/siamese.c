/* A network for parts of an image, and a classifier over what it says of all of them.
 *
 * The patches [m, n, side, side, C] of m samples are n m small images to the layers of section `network` up to the
 * first flatten, and to one fully connected layer `code` of their own, as in both papers (fc6). The n codes of a
 * sample lie side by side in memory, so what the classifier sees is a view of them: [n m, code] as [m, n code]. Then
 * follow a fully connected layer `hidden` (fc7) and the scores. BatchNorm is over all patches of a lane.
 *
 * The encoder that evaluation looks at is what patches and whole images share: the layers up to flatten. Its features
 * are their maps; fully connected layers would not fit. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "objective/pretext/siamese.h"

hiss_status pretext_siamese_encode(const siamese *s, hiss_builder *b, hiss_value image, hiss_taps *taps,
                                   hiss_error *err) {
    hiss_value x = -1;
    const hiss_status status = hiss_network_build(&s->maps, b, image, &x, taps, err);
    return status == HISS_OK ? hiss_graph_status(b->graph, err) : status;
}

/* Whether images [1,H,W,C] get through; how many named places the layers have. */
static hiss_status try_size(const siamese *s, int64_t H, int64_t W, int *places, hiss_error *err) {
    hiss_builder b = {.graph = hiss_graph_create(), .model = hiss_model_create()};
    hiss_taps *taps = hiss_new(hiss_taps, 1);
    const hiss_value image = hiss_graph_input(b.graph, "image", HISS_SHAPE(1, H, W, s->task->C));
    const hiss_status status = pretext_siamese_encode(s, &b, image, taps, err);
    *places = taps->count;
    hiss_free(taps);
    hiss_model_destroy(b.model);
    hiss_graph_destroy(b.graph);
    return status;
}

bool pretext_siamese_takes(siamese *s, int64_t side) {
    int places = 0;
    hiss_error why = {0};
    s->maps = *s->task->network;
    s->maps.maps = true;
    return try_size(s, side, side, &places, &why) == HISS_OK;
}

void pretext_siamese_advise(char *text, size_t size, const char *what, const char *sets) {
    const size_t used = strlen(text);
    if (*sets) {
        snprintf(text + used, size - used, "%s%s (%s)", used ? " or " : "; ", what, sets);
    }
}

static hiss_status fail_side(siamese *s, hiss_error *err) {
    enum { MOST = 1024 };
    char sets[160] = "", advice[256] = "";
    int64_t side = s->side + 1;
    while (side < MOST && !pretext_siamese_takes(s, side)) {
        side++;
    }
    const int used = side < MOST ? snprintf(sets, sizeof sets, "--set %s=%lld", s->side_key, (long long)side) : 0;
    if (used > 0 && s->room_key && side > s->room) {
        snprintf(sets + used, sizeof sets - (size_t)used, " --set %s=%lld", s->room_key, (long long)side);
    }
    pretext_siamese_advise(advice, sizeof advice, "make them larger", sets);
    return hiss_fail_key(err, HISS_EUSER, s->side_key,
                         "patches of %lld x %lld are too small for the layers before flatten%s, or choose a network "
                         "that shrinks images less",
                         (long long)s->side, (long long)s->side, advice);
}

hiss_status pretext_siamese_open(siamese *s, hiss_error *err) {
    int places = 0;
    s->maps = *s->task->network;
    s->maps.maps = true;
    const hiss_status status = try_size(s, s->task->H, s->task->W, &places, err);
    if (status != HISS_OK) {
        return status;
    }
    if (places == 0) {
        return hiss_fail_key(err, HISS_EUSER, "network.layers",
                             "%s trains the layers before flatten%s, and found none with a name; put convolutions "
                             "there, or leave network.layers out, as with --set network.layers=null",
                             s->method, s->side ? ", which patches and whole images share" : "");
    }
    return s->side == 0 || pretext_siamese_takes(s, s->side) ? HISS_OK : fail_side(s, err);
}

void pretext_siamese_close(siamese *s) {
    hiss_free(s->picture);
}

/* ---- the graph ---- */

hiss_value pretext_siamese_connected(hiss_builder *b, const char *name, hiss_value x, int64_t units) {
    char norm[32];
    snprintf(norm, sizeof norm, "%s/norm", name);
    x = hiss_layer_linear(b, name, x, units, false);
    return hiss_graph_relu(b->graph, hiss_layer_batch_norm(b, norm, x));
}

hiss_status pretext_siamese_codes(siamese *s, hiss_builder *b, int64_t m, hiss_value *codes, hiss_error *err) {
    hiss_graph *g = b->graph;
    const int64_t n = s->parts, C = s->task->C;
    const int64_t H = s->side ? s->side : s->task->H, W = s->side ? s->side : s->task->W;
    hiss_taps taps = {0};
    if (s->side) {
        objective_scene_inputs(&s->scene, b, m);
    }
    s->patches = hiss_graph_input(g, "patches", HISS_SHAPE(m, n, H, W, C));
    hiss_value x = hiss_graph_reshape(g, s->patches, HISS_SHAPE(m * n, H, W, C));
    const hiss_status status = hiss_network_build(&s->maps, b, x, &x, &taps, err);
    if (status != HISS_OK) {
        return status;
    }
    if (hiss_graph_shape(g, x).ndim != 2) {
        x = hiss_graph_flatten(g, x);
    }
    x = pretext_siamese_connected(b, "code", x, s->options->code);
    *codes = hiss_graph_reshape(g, x, HISS_SHAPE(m, n * s->options->code));
    return hiss_graph_status(g, err);
}

hiss_status pretext_siamese_scores(siamese *s, hiss_builder *b, int64_t m, hiss_error *err) {
    hiss_value x = -1;
    const hiss_status status = pretext_siamese_codes(s, b, m, &x, err);
    if (status != HISS_OK) {
        return status;
    }
    s->answer = hiss_graph_input_labels(b->graph, "answer", m);
    x = pretext_siamese_connected(b, "hidden", x, s->options->hidden);
    s->scores = hiss_layer_linear(b, "scores", x, s->answers, true);
    return hiss_graph_status(b->graph, err);
}

hiss_status pretext_siamese_build(siamese *s, hiss_builder *b, int64_t m, hiss_error *err) {
    const hiss_status status = pretext_siamese_scores(s, b, m, err);
    if (status != HISS_OK) {
        return status;
    }
    const hiss_value loss = hiss_graph_softmax_cross_entropy(b->graph, s->scores, s->answer);
    hiss_graph_loss(b->graph, loss);
    hiss_layer_metric(b, "loss", loss);
    return hiss_graph_status(b->graph, err);
}

float *pretext_siamese_patch(const siamese *s, const hiss_lane *lane, int64_t i, int64_t part) {
    const int64_t pixels = s->side ? s->side * s->side : s->task->H * s->task->W;
    return hiss_lane_values(lane, s->patches, i) + part * pixels * s->task->C;
}

static int32_t *answer_of(const siamese *s, const hiss_lane *lane, int64_t i) {
    return (int32_t *)hiss_exec_data(lane->exec, s->answer) + i;
}

void pretext_siamese_answer(const siamese *s, const hiss_lane *lane, int64_t i, int64_t answer) {
    *answer_of(s, lane, i) = (int32_t)answer;
}

hiss_rng pretext_siamese_draws(const siamese *s, const hiss_lane *lane, int64_t i, int64_t evaluation) {
    const int64_t sample = lane->batch->sample[i];
    return lane->phase < 0 ? hiss_rng_keyed(s->task->seed, HISS_FOR_EVALUATION, evaluation, sample)
                           : hiss_rng_keyed(s->task->seed, HISS_FOR_NOISE, lane->step, sample);
}

/* Scores that do not look at the patches lose ln of the answers. */
int pretext_siamese_below_chance(const siamese *s, const hiss_named *metrics, int nmetrics, char *line, size_t size) {
    const double loss = hiss_named_value(metrics, nmetrics, "loss"), chance = log((double)s->answers);
    snprintf(line, size, "the mean loss was %.4f, where guessing gives %.4f", loss, chance);
    return !(loss < chance);
}

/* ---- what evaluation measures ---- */

void pretext_siamese_picture(siamese *s) {
    s->picture = hiss_new(float, SIAMESE_SHOWN * 2 * s->shown_side * s->shown_side * s->task->C);
    s->shown = 0;
}

hiss_status pretext_siamese_measure_build(siamese *s, hiss_builder *b, int64_t m, hiss_error *err) {
    const hiss_status status = pretext_siamese_scores(s, b, m, err);
    if (status == HISS_OK) {
        hiss_graph_keep(b->graph, s->patches);
        hiss_graph_keep(b->graph, s->answer);
        hiss_graph_keep(b->graph, s->scores);
        if (s->side) {
            pretext_siamese_picture(s);
        }
    }
    return status;
}

int64_t pretext_siamese_judge(const float *score, int64_t answers, int64_t right, float *out) {
    int64_t said = 0;
    double sum = 0.0;
    for (int64_t k = 1; k < answers; k++) {
        said = score[k] > score[said] ? k : said;
    }
    for (int64_t k = 0; k < answers; k++) {
        sum += exp((double)score[k] - (double)score[said]);
    }
    out[SIAMESE_HIT] = said == right ? 1.0f : 0.0f;
    out[SIAMESE_LOSS] = (float)(log(sum) + (double)score[said] - (double)score[right]);
    return said;
}

int64_t pretext_siamese_measure(const siamese *s, const hiss_lane *lane, int64_t i, float *out) {
    const int64_t right = *answer_of(s, lane, i);
    pretext_siamese_judge(hiss_lane_values(lane, s->scores, i), s->answers, right, out);
    return right;
}

/* Test images are measured first, and rank 0 has the first of them and draws: so the picture is that of the first
 * samples that a process measures, and the same on any number of ranks. */
float *pretext_siamese_show(siamese *s, const hiss_lane *lane, int64_t i) {
    const int64_t side = s->shown_side, C = s->task->C, values = side * side * C;
    if (!s->picture || s->shown == SIAMESE_SHOWN) {
        return NULL;
    }
    float *out = s->picture + s->shown++ * 2 * values, least = INFINITY, most = -INFINITY;
    const float *pixels = objective_scene_pixels(&s->scene, lane, i);
    const int64_t H = s->scene.H < side ? s->scene.H : side, W = s->scene.W < side ? s->scene.W : side;
    for (int64_t k = 0; k < s->scene.H * s->scene.W * C; k++) {
        least = pixels[k] < least ? pixels[k] : least;
        most = pixels[k] > most ? pixels[k] : most;
    }
    for (int64_t k = 0; k < 2 * values; k++) {
        out[k] = 0.5f;
    }
    for (int64_t y = 0; y < H; y++) {
        for (int64_t x = 0; x < W * C; x++) {
            const float v = pixels[y * s->scene.W * C + x];
            out[y * side * C + x] = most > least ? (v - least) / (most - least) : 0.5f;
        }
    }
    return out + values;
}

void pretext_siamese_show_patch(const siamese *s, const hiss_lane *lane, int64_t i, int64_t part, int64_t y, int64_t x,
                                float *square) {
    static const float deviations = 5.0f; /* from black to white */
    const int64_t C = s->task->C;
    const float *patch = pretext_siamese_patch(s, lane, i, part);
    for (int64_t r = 0; r < s->side; r++) {
        for (int64_t q = 0; q < s->side * C; q++) {
            square[((y + r) * s->shown_side + x) * C + q] = 0.5f + patch[r * s->side * C + q] / deviations;
        }
    }
}

static void say(const hiss_measured *m, const char *name, const char *group, const char *heading, const char *unit,
                double value, double baseline, int64_t samples) {
    m->number(m->say, &(hiss_measure){.name = name,
                                      .group = group,
                                      .heading = heading,
                                      .unit = unit,
                                      .value = value,
                                      .spread = NAN,
                                      .baseline = baseline,
                                      .samples = samples});
}

hiss_status pretext_siamese_conclude(const siamese *s, const hiss_measured *m, const char *group, const char *file,
                                     const char *caption, hiss_error *err) {
    static const char nats[] = "cross-entropy";
    const double chance = 1.0 / (double)s->answers;
    enum { COLUMNS = 4 };
    say(m, "accuracy", group, "test images", "%", 100.0 * m->test_mean[SIAMESE_HIT], 100.0 * chance, m->test);
    say(m, "train_accuracy", group, "training images", "%", 100.0 * m->train_mean[SIAMESE_HIT], 100.0 * chance,
        m->train);
    say(m, "cross_entropy", nats, "test images", "nats", m->test_mean[SIAMESE_LOSS], -log(chance), m->test);
    say(m, "train_cross_entropy", nats, "training images", "nats", m->train_mean[SIAMESE_LOSS], -log(chance), m->train);
    return m->grid(m->say, file, "What the network sees", caption, SIAMESE_SHOWN / COLUMNS, 2 * COLUMNS, s->shown_side,
                   s->shown_side, s->task->C, s->picture, err);
}
