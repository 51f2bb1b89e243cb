/* How good made images are, by numbers that look at many of them: as many as there are test samples, at most
 * eval.generated, numbers 0, 1, ... of the row by the run's seed, classes in turn where they can be asked for. A fixed
 * classifier, a run of objective classify (eval.classifier), is shown them as it is shown photographs:
 *   entropy   of the histogram of its decisions, in nats: log(classes) where all are as frequent; low where the method
 *             makes the images of a few classes only
 *   frechet   Frechet distance (frechet.c) between its last hidden layer on made and on test images. The same of as many
 *             training images is the least that can be expected, that of the network before training and of images whose
 *             pixels are drawn by themselves, each from those of training images, is what is no merit
 *   right     per cent of made images whose decision is the class that was asked for
 * Without a classifier there is the distance of an image to the nearest training image, in pixels of 0..1: far below that
 * of test images, the method has learnt its images by heart.
 *
 * Images are made by tiles, each by the rank that owns it, so that reading, tiles and sums over ranks are those of every
 * other judgement. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "eval/judgements/judgements.h"
#include "hiss/alloc.h"
#include "hiss/rng.h"

enum { MOST_DIMENSIONS = 512, MOST_QUERIES = 1000, NEIGHBORS = 3, SHOWN = 12 };
enum { GRID_ROWS = 6, GRID_COLUMNS = 12, MOST_COLUMNS = 20, DRAW_OF_PIXELS = 2042 };
enum { MADE, UNTRAINED, INDEPENDENT, TRAINING, TEST, KINDS };

static const hiss_row rows[] = {
    JUDGEMENT_ROW("generation", HISS_BOOL, generation, "true", 0, 0, NULL,
                  "how good and how diverse the images are that a method makes, and pictures of them"),
    JUDGEMENT_ROW("classifier", HISS_PATH, classifier, NULL, 1, 0, NULL,
                  "run of objective classify, or one of its checkpoints, that judges made images"),
    JUDGEMENT_ROW("generated", HISS_INT, generated, "10000", 2, 1 << 24, NULL,
                  "images made to be judged; as many as there are test samples if these are fewer"),
};

typedef struct generation {
    const hiss_eval_env *env;
    const hiss_subject *subject;
    const hiss_maker *maker;
    const hiss_classifier *classifier; /* NULL: none is named */
    int64_t size, count;               /* pixels of an image; images of each kind */
    float *image;                      /* [batch, size] */
    uint8_t *bank;                     /* [banked, size] training images, of which INDEPENDENT takes pixels */
    int64_t banked;
    int kind; /* that is made */
} generation;

/* What the classifier says of images of one kind. */
typedef struct verdict {
    double entropy, right; /* right: per cent; NAN: nobody knows their classes */
    gaussian *hidden;      /* NULL: of too many dimensions */
} verdict;

/* ---- images ---- */

static int64_t class_asked(const generation *g, int64_t number) {
    return g->maker->classes > 0 ? number % g->maker->classes : 0;
}

/* Each pixel that of a training image drawn for it alone. */
static void draw_pixels(const generation *g, int64_t first, int64_t count, float *image) {
    for (int64_t i = 0; i < count; i++) {
        hiss_rng rng = hiss_rng_keyed(g->env->seed, HISS_FOR_EVALUATION, DRAW_OF_PIXELS, first + i);
        for (int64_t k = 0; k < g->size; k++) {
            const int64_t from = hiss_rng_below(&rng, g->banked);
            image[i * g->size + k] = (float)g->bank[from * g->size + k] / 255.0f;
        }
    }
}

/* Images first, first + 1, ... of the kind that is made; at most a batch. */
static hiss_status make(const generation *g, int64_t first, int64_t count, float *image, hiss_error *err) {
    if (g->kind == INDEPENDENT) {
        draw_pixels(g, first, count, image);
        return HISS_OK;
    }
    int64_t *wanted = hiss_new(int64_t, count);
    for (int64_t i = 0; i < count; i++) {
        wanted[i] = class_asked(g, first + i);
    }
    const hiss_status s =
        g->maker->make(g->maker->user, g->kind == UNTRAINED, g->env->seed, first, count, wanted, image, err);
    hiss_free(wanted);
    return s;
}

/* Features of count images that are made: of pixels, or of the classifier. Collective. */
static hiss_status extract_made(const generation *g, int64_t count, int layers, const int64_t *D, hiss_features **out,
                                hiss_error *err) {
    const int64_t batch = g->maker->batch;
    hiss_status s = HISS_OK;
    for (int k = 0; k < layers; k++) {
        out[k] = hiss_features_create(g->env, count, D[k], 0);
    }
    for (int64_t i = out[0]->first * HISS_TILE; i < out[0]->end * HISS_TILE && i < count && s == HISS_OK; i += batch) {
        const int64_t some = count - i < batch ? count - i : batch, local = i - out[0]->first * HISS_TILE;
        float *image = layers == 1 ? out[0]->rows + local * D[0] : g->image;
        s = make(g, i, some, image, err);
        if (s == HISS_OK && layers == 2) {
            g->classifier->judge(g->classifier->user, some, image, out[0]->rows + local * D[0],
                                 out[1]->rows + local * D[1]);
        }
    }
    return hiss_comm_agree(g->env->comm, s, err);
}

/* A hiss_embed: the classifier's layers of samples. */
static hiss_status embed_judged(void *user, int64_t count, const hiss_batch *batch, float *const *out,
                                hiss_error *err) {
    const generation *g = user;
    const hiss_status s = g->maker->image(g->maker->user, count, batch, (float *const[]){g->image}, err);
    if (s == HISS_OK) {
        g->classifier->judge(g->classifier->user, count, g->image, out[0], out[1]);
    }
    return s;
}

/* The training images that pixels are taken of, the same on every rank. */
static hiss_status read_bank(generation *g, hiss_error *err) {
    const hiss_sample_range drawn = eval_draw_samples(g->env->seed, g->subject->bank, EVAL_BASELINE_IMAGES);
    hiss_samples *samples = hiss_samples_create(drawn.set, g->maker->batch);
    hiss_status s = HISS_OK;
    g->banked = drawn.count;
    g->bank = hiss_alloc((size_t)(g->banked * g->size));
    for (int64_t first = 0; first < drawn.count && s == HISS_OK; first += g->maker->batch) {
        const int64_t left = drawn.count - first, some = left < g->maker->batch ? left : g->maker->batch;
        s = hiss_samples_read(samples, &drawn, first, some, err);
        const hiss_batch batch = hiss_samples_batch(samples, 0, some);
        s = s == HISS_OK ? g->maker->image(g->maker->user, some, &batch, (float *const[]){g->image}, err) : s;
        for (int64_t k = 0; k < some * g->size && s == HISS_OK; k++) {
            g->bank[first * g->size + k] = eval_byte_of(g->image[k]);
        }
    }
    hiss_samples_destroy(samples);
    hiss_free(drawn.index);
    return hiss_comm_agree(g->env->comm, s, err);
}

/* ---- what the classifier says ---- */

static int64_t decision(int64_t classes, const float *score) {
    int64_t best = 0;
    for (int64_t c = 1; c < classes; c++) {
        best = score[c] > score[best] ? c : best;
    }
    return best;
}

/* The class of image i of scores; negative: nobody knows. */
static int64_t class_of(const generation *g, const hiss_features *scores, int64_t i) {
    return g->kind >= TRAINING                        ? scores->label[i - scores->first * HISS_TILE]
           : g->maker->classes > 0 && g->kind == MADE ? class_asked(g, i)
                                                      : -1;
}

/* Entropy of the decisions, and how many are right. Collective. */
static void count_decisions(const generation *g, const hiss_features *scores, verdict *v) {
    const int64_t classes = scores->D, known = classes, right = classes + 1;
    double *total = hiss_new(double, classes + 2);
    tile_sum *sum = eval_tile_sum_create(g->env, scores, NULL, classes + 2);
    for (int64_t t = 0; t < sum->local; t++) {
        double *out = eval_tile_sum_vector(sum, t);
        for (int64_t i = 0; i < tile_count(scores, sum->tile[t]); i++) {
            const int64_t said = decision(classes, tile_rows(scores, sum->tile[t]) + i * classes);
            const int64_t class = class_of(g, scores, sum->tile[t] * HISS_TILE + i);
            out[said] += 1.0;
            out[known] += class >= 0 ? 1.0 : 0.0;
            out[right] += class == said ? 1.0 : 0.0;
        }
    }
    eval_tile_sum_run(sum, total);
    eval_tile_sum_destroy(sum);
    v->entropy = 0.0;
    for (int64_t c = 0; c < classes; c++) {
        const double share = total[c] / (double)scores->n;
        v->entropy -= share > 0.0 ? share * log(share) : 0.0;
    }
    v->right = total[known] > 0.0 ? 100.0 * total[right] / total[known] : (double)NAN;
    hiss_free(total);
}

/* Collective. */
static hiss_status look_at(generation *g, int kind, verdict *v, hiss_error *err) {
    const hiss_classifier *c = g->classifier;
    const int64_t D[] = {c->D, c->classes};
    const hiss_layer_size layer[] = {{c->layer, c->D}, {"scores", c->classes}};
    hiss_features *f[2] = {NULL, NULL};
    hiss_status s;
    g->kind = kind;
    if (kind == TRAINING || kind == TEST) {
        const hiss_sample_range drawn =
            eval_draw_samples(g->env->seed, kind == TEST ? g->subject->queries : g->subject->bank, g->count);
        s = hiss_features_extract(g->env, &drawn, 2, layer, g->maker->batch, embed_judged, g, f, err);
        hiss_free(drawn.index);
    } else {
        s = extract_made(g, g->count, 2, D, f, err);
    }
    if (s == HISS_OK) {
        count_decisions(g, f[1], v);
        v->hidden = c->D <= MOST_DIMENSIONS ? eval_gaussian_fit(g->env, f[0]) : NULL;
    }
    hiss_features_destroy(f[0]);
    hiss_features_destroy(f[1]);
    return s;
}

static void record_number(hiss_record *record, const char *group, const char *name, const char *heading,
                          const char *unit, double value, double spread, int64_t samples) {
    hiss_record_number(record, &(hiss_number){.name = name,
                                              .group = group,
                                              .heading = heading,
                                              .unit = unit,
                                              .form = HISS_FORM_FIXED,
                                              .main = strcmp(name, "frechet") == 0,
                                              .value = value,
                                              .spread = spread,
                                              .baseline = (double)NAN,
                                              .samples = samples});
}

static void record_decisions(const generation *g, const verdict *v, hiss_record *record) {
    static const char *const group = "decisions on made images";
    const double nan = (double)NAN, most = log((double)g->classifier->classes);
    record_number(record, group, "entropy", "entropy", "nats", v[MADE].entropy, nan, g->count);
    record_number(record, group, "entropy_test", "of test images", "nats", v[TEST].entropy, nan, g->count);
    record_number(record, group, "entropy_most", "log(classes)", "nats", most, nan, g->count);
    if (!isnan(v[MADE].right)) {
        record_number(record, group, "right", "as asked for", "%", v[MADE].right, nan, g->count);
    }
    if (!isnan(v[TEST].right)) {
        record_number(record, group, "right_test", "test images right", "%", v[TEST].right, nan, g->count);
    }
}

static void record_distances(const generation *g, const verdict *v, hiss_record *record) {
    static const char *const group = "Frechet distance from test images";
    static const char *const name[TEST] = {"frechet", "frechet_untrained", "frechet_independent", "frechet_training"};
    static const char *const heading[TEST] = {"made images", "untrained", "independent pixels", "training images"};
    const hiss_classifier *c = g->classifier;
    if (!v[TEST].hidden) {
        hiss_record_remark(record,
                           "left out: the Frechet distance: it is computed for at most %d dimensions, %s of the "
                           "classifier has %lld",
                           MOST_DIMENSIONS, c->layer, (long long)c->D);
        return;
    }
    frechet *from = eval_frechet_create(v[TEST].hidden);
    for (int kind = 0; kind < TEST; kind++) {
        record_number(record, group, name[kind], heading[kind], "", eval_frechet_distance(from, v[kind].hidden),
                      (double)NAN, g->count);
    }
    eval_frechet_destroy(from);
    hiss_record_remark(record,
                       "classifier: %s; Frechet distance (squared, as in FID): of Gaussians of the %lld values of its "
                       "layer %s, over %lld images of each kind%s",
                       c->name, (long long)c->D, c->layer, (long long)g->count,
                       g->count <= c->D ? ", which are too few for so many values: distances come out too large" : "");
    hiss_record_remark(record, "independent pixels: each that of a training image drawn for it alone; untrained: the "
                               "same network before training");
}

/* Collective. */
static hiss_status judge(generation *g, hiss_record *record, hiss_error *err) {
    verdict v[KINDS] = {{0}};
    hiss_status s = read_bank(g, err);
    for (int kind = 0; kind < KINDS && s == HISS_OK; kind++) {
        s = look_at(g, kind, &v[kind], err);
    }
    if (s == HISS_OK) {
        record_decisions(g, v, record);
        record_distances(g, v, record);
    }
    for (int kind = 0; kind < KINDS; kind++) {
        eval_gaussian_destroy(v[kind].hidden);
    }
    return s;
}

/* ---- nearest training images ---- */

/* Mean and deviation over images of the distance to the nearest training image. */
static void nearest_of(const hiss_neighbor *best, int64_t count, double *mean, double *deviation) {
    *mean = *deviation = 0.0;
    for (int pass = 0; pass < 2; pass++) {
        double sum = 0.0;
        for (int64_t i = 0; i < count; i++) {
            const double x = (double)best[i * NEIGHBORS].value;
            sum += pass ? (x - *mean) * (x - *mean) : x;
        }
        *(pass ? deviation : mean) = pass ? (count > 1 ? sqrt(sum / (double)(count - 1)) : 0.0) : sum / (double)count;
    }
}

/* Made images above their nearest training images. Rank 0. */
static hiss_status draw_neighbors(generation *g, const hiss_neighbor *best, const char *path, hiss_error *err) {
    const int64_t shown = g->count < SHOWN ? g->count : SHOWN, size = g->size;
    const hiss_sample_range *bank = g->subject->bank;
    int64_t index[SHOWN];
    uint8_t *bytes = hiss_alloc((size_t)((NEIGHBORS + 1) * shown * size));
    hiss_samples *samples = hiss_samples_create(bank->set, shown);
    hiss_status s = make(g, 0, shown, g->image, err);
    for (int row = 0; row <= NEIGHBORS && s == HISS_OK; row++) {
        if (row > 0) {
            for (int64_t i = 0; i < shown; i++) {
                const int32_t nearest = best[i * NEIGHBORS + row - 1].index;
                index[i] = hiss_sample_at(bank, nearest >= 0 ? nearest : best[i * NEIGHBORS].index);
            }
            const hiss_sample_range range = {.set = bank->set, .count = shown, .index = index};
            s = hiss_samples_read(samples, &range, 0, shown, err);
            const hiss_batch batch = hiss_samples_batch(samples, 0, shown);
            s = s == HISS_OK ? g->maker->image(g->maker->user, shown, &batch, (float *const[]){g->image}, err) : s;
        }
        for (int64_t k = 0; k < shown * size && s == HISS_OK; k++) {
            bytes[row * shown * size + k] = eval_byte_of(g->image[k]);
        }
    }
    if (s == HISS_OK) {
        s = hiss_write_grid(path, NEIGHBORS + 1, shown, g->maker->H, g->maker->W, g->maker->C, bytes, err);
    }
    hiss_samples_destroy(samples);
    hiss_free(bytes);
    return s;
}

static hiss_status draw(generation *g, const hiss_neighbor *best, hiss_record *record, hiss_error *err) {
    const int64_t classes = g->maker->classes,
                  columns = classes > 1 && classes <= MOST_COLUMNS ? classes : GRID_COLUMNS;
    hiss_status s = HISS_OK;
    if (hiss_comm_rank(g->env->comm) == 0) {
        char path[4096];
        snprintf(path, sizeof path, "%s/generated.png", g->subject->directory);
        s = hiss_maker_draw(g->maker, g->env->seed, GRID_ROWS, columns, -1, path, err);
        snprintf(path, sizeof path, "%s/generated_neighbors.png", g->subject->directory);
        s = s == HISS_OK ? draw_neighbors(g, best, path, err) : s;
    }
    hiss_record_picture(record, "generated.png", "Made images",
                        classes > 0 ? "The first that the method makes by the run's seed, classes in turn."
                                    : "The first that the method makes by the run's seed.");
    hiss_record_picture(record, "generated_neighbors.png", "Made images and the nearest training images",
                        "Made images (top row), each above its three nearest training images by the distance of "
                        "pixels.");
    return hiss_comm_agree(g->env->comm, s, err);
}

/* Collective. */
static hiss_status compare(generation *g, hiss_record *record, hiss_error *err) {
    static const char *const group = "distance to the nearest training image";
    const hiss_layer_size image = {"image", g->size};
    const int64_t count = g->count < MOST_QUERIES ? g->count : MOST_QUERIES;
    const hiss_sample_range drawn = eval_draw_samples(g->env->seed, g->subject->queries, count);
    hiss_features *bank = NULL, *made = NULL, *test = NULL;
    hiss_neighbor *best[HISS_METRICS] = {NULL};
    double mean[2], deviation[2];
    best[HISS_L2] = hiss_new(hiss_neighbor, count * NEIGHBORS);
    g->kind = MADE;
    hiss_status s = hiss_features_extract(g->env, g->subject->bank, 1, &image, g->maker->batch, g->maker->image,
                                          g->maker->user, &bank, err);
    s = s == HISS_OK ? hiss_features_extract(g->env, &drawn, 1, &image, g->maker->batch, g->maker->image,
                                             g->maker->user, &test, err)
                     : s;
    s = s == HISS_OK ? extract_made(g, count, 1, &g->size, &made, err) : s;
    if (s == HISS_OK) {
        hiss_neighbors(g->env, bank, test, NEIGHBORS, best);
        nearest_of(best[HISS_L2], count, &mean[1], &deviation[1]);
        hiss_neighbors(g->env, bank, made, NEIGHBORS, best);
        nearest_of(best[HISS_L2], count, &mean[0], &deviation[0]);
        record_number(record, group, "nearest", "of made images", "", mean[0], deviation[0], count);
        record_number(record, group, "nearest_test", "of test images", "", mean[1], deviation[1], count);
    }
    s = s == HISS_OK && g->subject->directory ? draw(g, best[HISS_L2], record, err) : s;
    hiss_features_destroy(bank);
    hiss_features_destroy(made);
    hiss_features_destroy(test);
    hiss_free(best[HISS_L2]);
    hiss_free(drawn.index);
    return s;
}

static hiss_status run(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_subject *subject,
                       hiss_record *record, hiss_error *err) {
    const hiss_maker *maker = subject->maker;
    const int64_t n = subject->queries->count, size = maker->H * maker->W * maker->C;
    generation g = {.env = env,
                    .subject = subject,
                    .maker = maker,
                    .classifier = subject->classifier,
                    .size = size,
                    .count = n < options->generated ? n : options->generated,
                    .image = hiss_new(float, maker->batch *size)};
    hiss_status s = HISS_OK;
    if (g.classifier) {
        s = judge(&g, record, err);
    } else {
        hiss_record_remark(record, "left out: entropy of classes and Frechet distance: they need a classifier; name a "
                                   "run of objective classify in eval.classifier");
    }
    s = s == HISS_OK ? compare(&g, record, err) : s;
    hiss_free(g.image);
    hiss_free(g.bank);
    return s;
}

const hiss_judgement eval_judgement_generation = {
    .name = "generation",
    .title = "Made images",
    .needs = HISS_NEEDS_NETWORK | HISS_NEEDS_MAKER,
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .run = run,
};
