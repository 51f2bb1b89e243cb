/* Ambient sound: an image is told the cluster of the sound that belongs to it (Owens, Wu, McDermott, Freeman & Torralba,
 * "Ambient sound provides supervision for visual learning", ECCV 2016). To tell what would be heard, one has to know
 * what is seen; and a sound's label costs nobody anything.
 *
 * Before the first step, statistics of each training sound are taken (parts/cochleagram.c). Each has its mean taken off and is
 * divided by its deviation over the training set, then by the root of how many its group has, so that groups count alike;
 * k-means of these (parts/kmeans.c) gives each sample a cluster, and the loss is the cross-entropy of the cluster. The nearest
 * centre is where a linear function of the statistics is largest, x c - c^2 / 2: its weights are buffers of the model, by which
 * evaluation finds the clusters of test sounds.
 *
 * shuffled is the control: each image has the cluster of another sample of its lane, and nothing is left to be learnt. A
 * network can then reach the share of the largest cluster, by always naming that.
 *
 * Cost, once: one pass over the data, a transform or two of each sound, and the rounds of k-means. Memory: 8 n / P bytes. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/log.h"
#include "objective/parts/encoder.h"
#include "objective/parts/kmeans.h"
#include "objective/parts/measured.h"
#include "objective/sound/ambient_sound.h"

static const char layer[] = "sound", weight_name[] = "sound/weight", bias_name[] = "sound/bias";

#define ROW(key_, type_, ...)                                                                                          \
    { #key_, type_, offsetof(ambient_options, key_), __VA_ARGS__ }
static const hiss_row rows[] = {
    ROW(clusters, HISS_INT, "16", 2, 4096, NULL, "clusters of sounds, which are the classes"),
    ROW(bands, HISS_INT, "16", 2, COCHLEAGRAM_MOST_BANDS, NULL, "bands of hearing that sounds are taken apart into"),
    ROW(rate, HISS_INT, "8000", 1000, 384000, NULL, "values of a second of field sound"),
    ROW(shuffled, HISS_BOOL, "false", 0, 0, NULL,
        "a control: each image has the sound of the next one in its lane, so nothing can be learnt"),
};
#undef ROW
static const int nrows = HISS_COUNT(rows);

static hiss_status find_sound(ambient *a, hiss_error *err) {
    char text[HISS_FIELD_TEXT];
    a->sound = hiss_task_field(a->task, AMBIENT_FIELD);
    if (!a->sound) {
        return hiss_fail_key(err, HISS_EUSER, "data.fields",
                             "there is no field sound; name the data set of sounds, as in `data: {fields: {sound: "
                             "/sound}}`");
    }
    if (a->sound->dtype != HISS_I16 || hiss_field_count(a->sound) < COCHLEAGRAM_LEAST) {
        return hiss_fail_key(err, HISS_EUSER, "data.fields.sound",
                             "sounds are int16 [n, length] of at least %d values, found %s of each sample",
                             COCHLEAGRAM_LEAST, hiss_field_text(a->sound, text));
    }
    return HISS_OK;
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    ambient *a = hiss_new(ambient, 1);
    *a = (ambient){.task = task, .placement = placement, .options = opts};
    *self = a;
    if (hiss_task_field(task, AMBIENT_FIELD) || placement) {
        const hiss_status s = find_sound(a, err);
        if (s != HISS_OK) {
            return s;
        }
        a->hearing = objective_cochleagram_open(a->options->bands, a->options->rate, hiss_field_count(a->sound));
    }
    if (!placement) {
        return HISS_OK;
    }
    if (a->options->shuffled && placement->m < 2) {
        return hiss_fail_key(err, HISS_EUSER, "ambient_sound.shuffled",
                             "samples have the sounds of each other in a lane; set train.lane_samples to 2 or more");
    }
    a->first = placement->shards[placement->first_lane];
    a->local = placement->shards[placement->end_lane] - a->first;
    a->cluster = hiss_new(int64_t, a->local + 1);
    return HISS_OK;
}

static void destroy(void *self) {
    ambient *a = self;
    if (a) {
        objective_cochleagram_close(&a->hearing);
        hiss_free(a->cluster);
        hiss_free(a);
    }
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    const ambient *a = self;
    hiss_value x = -1;
    const hiss_status s =
        objective_encoder_head(a->task, b, image, "clusters", a->options->clusters, true, taps, &x, err);
    return s == HISS_OK ? hiss_network_end(a->task->network, b, "clusters", x, taps, err) : s;
}

hiss_status sound_graph(ambient *a, hiss_builder *b, int64_t m, ambient_graph *g, hiss_error *err) {
    const int64_t K = a->options->clusters, S = objective_cochleagram_count(&a->hearing);
    g->statistics = hiss_graph_input(b->graph, "statistics", HISS_SHAPE(m, S));
    g->workspace = hiss_graph_input(b->graph, "workspace", /* of doubles */
                                    HISS_SHAPE(1, 2 * objective_cochleagram_scratch(&a->hearing)));
    hiss_graph_keep(b->graph, g->statistics);
    hiss_graph_keep(b->graph, g->workspace);
    const hiss_value weight = hiss_layer_buffer(b, layer, "weight", HISS_SHAPE(K, S)),
                     bias = hiss_layer_buffer(b, layer, "bias", HISS_SHAPE(K));
    g->near = hiss_graph_linear(b->graph, g->statistics, weight, bias);
    return objective_encoder_on_samples(encode, a, a->task, m, b, &g->image, &g->scores, err);
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    ambient *a = self;
    const int64_t m = a->placement->m;
    const hiss_status s = sound_graph(a, b, m, &a->training, err);
    if (s != HISS_OK) {
        return s;
    }
    const hiss_value loss =
        hiss_graph_softmax_cross_entropy(b->graph, a->training.scores, hiss_graph_input_labels(b->graph, "cluster", m));
    hiss_graph_loss(b->graph, loss);
    hiss_layer_metric(b, "loss", loss);
    return hiss_graph_status(b->graph, err);
}

void sound_hear(const ambient *a, const hiss_lane *lane, int64_t i, const ambient_graph *g) {
    double *scratch = (void *)hiss_exec_data(lane->exec, g->workspace);
    objective_cochleagram_statistics(&a->hearing, hiss_batch_values(lane->batch, i, a->sound), scratch,
                                     hiss_lane_values(lane, g->statistics, i));
}

/* Sounds are listened to in feature passes alone: after these, their clusters are known. */
static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const ambient *a = self;
    hiss_lane_default_sample(lane, i);
    if (lane->phase < 0) {
        return;
    }
    const int64_t from = a->options->shuffled ? (i + 1) % lane->batch->m : i;
    int32_t *cluster = (int32_t *)hiss_exec_data(lane->exec, hiss_graph_input_named(lane->graph, "cluster"));
    if (lane->view == HISS_VIEW_TRAINING) {
        cluster[i] = (int32_t)a->cluster[lane->batch->sample[from] - a->first];
    } else {
        cluster[i] = 0;
        sound_hear(a, lane, i, &a->training);
    }
}

/* ---- clusters ---- */

typedef struct moments {
    const ambient *a;
    const float *rows;
    int64_t S;
    double **sum; /* [local lanes][2 S]: of values and of squares */
} moments;

static void sum_lane(void *user, int thread, int64_t local) {
    (void)thread;
    const moments *m = user;
    const hiss_placement *p = m->a->placement;
    const int64_t lane = p->first_lane + local, S = m->S;
    for (int64_t i = p->shards[lane] - m->a->first; i < p->shards[lane + 1] - m->a->first; i++) {
        for (int64_t d = 0; d < S; d++) {
            const double x = (double)m->rows[i * S + d];
            m->sum[local][d] += x;
            m->sum[local][S + d] += x * x;
        }
    }
}

/* mean [S] of the statistics, and scale [S] by which each is multiplied: 0 of those that do not vary. */
static void find_scale(const ambient *a, const hiss_epoch *e, int64_t S, const float *row, double *mean,
                       double *scale) {
    const hiss_placement *p = a->placement;
    const int64_t lanes = p->end_lane - p->first_lane;
    double *total = hiss_new(double, 2 * S);
    moments m = {a, row, S, hiss_new(double *, lanes + 1)};
    for (int64_t l = 0; l < lanes; l++) {
        m.sum[l] = hiss_new(double, 2 * S);
    }
    e->parallel(e->trainer, lanes, sum_lane, &m);
    hiss_tree_sum(p->comm, p->lanes, p->lane_offsets, 2 * S, (const double *const *)m.sum, total);
    for (int g = 0; g < COCHLEAGRAM_GROUPS; g++) {
        const int64_t first = objective_cochleagram_group(&a->hearing, g),
                      end = objective_cochleagram_group(&a->hearing, g + 1);
        for (int64_t d = first; d < end; d++) {
            mean[d] = total[d] / (double)p->samples;
            const double variance = total[S + d] / (double)p->samples - mean[d] * mean[d];
            scale[d] = variance > 1e-9 ? 1.0 / sqrt(variance * (double)(end - first)) : 0.0;
        }
    }
    for (int64_t l = 0; l < lanes; l++) {
        hiss_free(m.sum[l]);
    }
    hiss_free(m.sum);
    hiss_free(total);
}

/* The linear function whose largest value is of the nearest centre. */
static void write_buffers(const hiss_epoch *e, int64_t K, int64_t S, const double *mean, const double *scale,
                          const double *centre) {
    float *weight = e->vector + hiss_model_offset(e->model, weight_name);
    float *bias = e->vector + hiss_model_offset(e->model, bias_name);
    for (int64_t k = 0; k < K; k++) {
        double sum = 0.0;
        for (int64_t d = 0; d < S; d++) {
            const double c = centre[k * S + d], w = c * scale[d];
            weight[k * S + d] = (float)w;
            sum -= mean[d] * w + 0.5 * c * c;
        }
        bias[k] = (float)sum;
    }
}

static hiss_status fit(ambient *a, const hiss_epoch *e, float *row, hiss_error *err) {
    const int64_t K = a->options->clusters, S = objective_cochleagram_count(&a->hearing);
    double *mean = hiss_new(double, S), *scale = hiss_new(double, S), *centre = hiss_new(double, K *S);
    objective_clusters clusters = {.count = hiss_new(double, K)};
    find_scale(a, e, S, row, mean, scale);
    for (int64_t i = 0; i < a->local * S; i++) {
        row[i] = (float)(((double)row[i] - mean[i % S]) * scale[i % S]);
    }
    objective_kmeans(a->placement, e, a->task->seed, S, row, K, centre, a->cluster, &clusters);
    write_buffers(e, K, S, mean, scale, centre);
    double most = 0.0;
    for (int64_t k = 0; k < K; k++) {
        most = fmax(most, clusters.count[k]);
    }
    hiss_info(
        "ambient_sound: %lld clusters of %lld statistics after %lld rounds; the largest has %.1f %% of the sounds",
        (long long)(K - clusters.empty), (long long)S, (long long)clusters.rounds,
        100.0 * most / (double)a->placement->samples);
    const bool one = most >= (double)a->placement->samples;
    hiss_free(mean);
    hiss_free(scale);
    hiss_free(centre);
    hiss_free(clusters.count);
    return !one ? HISS_OK
                : hiss_fail_key(err, HISS_EUSER, "data.fields.sound",
                                "all training sounds are alike, and fall into one cluster; check the sounds");
}

static hiss_status begin(void *self, const hiss_epoch *e, hiss_error *err) {
    ambient *a = self;
    bool measures = true;
    if (e->step > 0) {
        return HISS_OK;
    }
    if (a->placement->samples < a->options->clusters) {
        return hiss_fail_key(err, HISS_EUSER, "ambient_sound.clusters",
                             "%lld clusters of %lld training sounds; expected no more than there are sounds",
                             (long long)a->options->clusters, (long long)a->placement->samples);
    }
    hiss_status s = objective_measures(e, weight_name, "the clusters of sounds", &measures, err);
    if (s != HISS_OK) {
        return s;
    }
    if (!measures) {
        return hiss_fail_key(err, HISS_EUSER, "train.freeze",
                             "clusters of sounds are found anew in each run; do not freeze %s", layer);
    }
    float *row = hiss_new(float, a->local *objective_cochleagram_count(&a->hearing) + 1);
    s = hiss_comm_agree(a->placement->comm, e->features(e->trainer, 0, a->training.statistics, 0, row, err), err);
    s = s == HISS_OK ? fit(a, e, row, err) : s;
    hiss_free(row);
    return s;
}

static int states(void *self, hiss_state out[HISS_MAX_STATES]) {
    out[0] = (hiss_state){"cluster", HISS_PER_SAMPLE, HISS_I64, 1, ((ambient *)self)->cluster};
    return 1;
}

/* ---- what it says ---- */

/* Scores that say nothing lose ln K; a network that knows the clusters' shares alone is below that. */
static int below_chance(void *self, const hiss_named *metrics, int nmetrics, char *line, size_t size) {
    const ambient *a = self;
    const double loss = hiss_named_value(metrics, nmetrics, "loss"), chance = log((double)a->options->clusters);
    snprintf(line, size, "the mean loss was %.4f, where guessing gives %.4f", loss, chance);
    return a->options->shuffled ? -1 : !(loss <= chance);
}

static void describe(void *self, char *line, size_t size) {
    const ambient *a = self;
    snprintf(line, size, "ambient_sound: %lld clusters of sounds of %.2f s in %lld bands%s",
             (long long)a->options->clusters, (double)a->hearing.length / (double)a->options->rate,
             (long long)a->options->bands, a->options->shuffled ? "; each image has another one's (a control)" : "");
}

static const hiss_input inputs[] = {
    {HISS_FIELD_IMAGE, 3, 0, "images [H,W,C]", "image", "image"},
    {AMBIENT_FIELD, 1, 1u << HISS_I16, "sounds, int16 [length],", NULL, NULL},
    {0},
};
static const hiss_input_ops input = {.inputs = inputs, .sample = sample};
static const hiss_epoch_ops epoch = {.begin = begin};
static const hiss_state_ops state = {.list = states};
static const hiss_report_ops report = {.below_chance = below_chance, .describe = describe};

const hiss_objective_ops objective_ambient_sound = {
    .name = "ambient_sound",
    .summary = "tell of an image the cluster of the sound that belongs to it",
    .sections = {{"ambient_sound", rows, &nrows, 0}},
    .options_bytes = sizeof(ambient_options),
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .epoch = &epoch,
    .state = &state,
    .report = &report,
    .measure = &sound_measure,
};
