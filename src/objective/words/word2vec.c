/* word2vec: vectors of words that tell what stands beside a word from noise (Mikolov, Sutskever, Chen, Corrado & Dean,
 * "Distributed representations of words and phrases and their compositionality", NIPS 2013).
 *
 * Each word has two vectors, v as a center and u as a context. For a center c, a word o beside it and k words n of noise
 * the loss is
 *     -log sigmoid(v_c . u_o) - sum over n of log sigmoid(-v_c . u_n)      (equation 4),
 * the skip-gram. CBOW puts the mean of v over the words beside c in place of v_c, and c in place of o (Mikolov, Chen,
 * Corrado & Dean, "Efficient estimation of word representations in vector space", 2013, section 3.1).
 *
 * A sample is a row of T words. Of all its words at once the graph computes the logits v . u, [T, T + K], against the row
 * itself and the row's K words of noise (draw.c), and a weight says what each of them counts: most nothing, some as a
 * context, some as noise. So the many small products of pairs become one of matrices for each row, which reads each
 * vector once.
 *
 * Gradients of both tables are dense: they go through the tree as those of any layer. What that costs, and from which
 * vocabulary on it is the wrong choice, is in docs/systems/word2vec.md.
 *
 * The loss of a step is the mean over words of text, left out ones among them, for how many pairs there are is drawn. */
#include "objective/words/word2vec.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "objective/parts/encoder.h"

static const double nat = 0.69314718055994531; /* log 2 */

static const hiss_row rows[] = {
    {"model", HISS_CHOICE, offsetof(word2vec_options, model), "skipgram", 0, 0, "skipgram|cbow|ranking",
     "tell the words beside a center from noise, or the center given the mean of those; or score windows of text above "
     "windows with another word in the middle"},
    {"dim", HISS_INT, offsetof(word2vec_options, dim), "64", 1, 1 << 14, NULL, "numbers of a vector"},
    {"window", HISS_INT, offsetof(word2vec_options, window), "5", 1, 1 << 10, NULL,
     "words on each side, at most; how many is drawn for each center, but in ranking"},
    {"hidden", HISS_INT, offsetof(word2vec_options, hidden), "64", 1, 1 << 14, NULL, "ranking: hidden units"},
    {"negatives", HISS_INT, offsetof(word2vec_options, negatives), "5", 1, 1 << 10, NULL,
     "words of noise that a pair weighs against"},
    {"shared", HISS_INT, offsetof(word2vec_options, shared), "32", 1, 1 << 14, NULL,
     "words of noise drawn for a row of text, which all its pairs share"},
    {"power", HISS_FLOAT, offsetof(word2vec_options, power), "0.75", 0, 4, NULL,
     "noise is drawn by counts to this power"},
    {"subsample", HISS_FLOAT, offsetof(word2vec_options, subsample), "1e-4", 0, 1, NULL,
     "words more frequent than this are left out by chance; 0: none is"},
    {"text", HISS_CHOICE, offsetof(word2vec_options, text), "real", 0, 0, "real|drawn",
     "drawn is a control: each word is drawn anew from the counts"},
    {"synonyms", HISS_PATH, offsetof(word2vec_options, synonyms), NULL, 0, 0, NULL,
     HISS_OF_EVALUATION "file of pairs of words that mean the same, a pair a line"},
    {"analogies", HISS_PATH, offsetof(word2vec_options, analogies), NULL, 0, 0, NULL,
     HISS_OF_EVALUATION "file of lines A B C D, A is to B as C is to D"},
    {"neighbors", HISS_STRING, offsetof(word2vec_options, neighbors), NULL, 0, 0, NULL,
     HISS_OF_EVALUATION "words whose neighbours are shown, with commas; default: some of all frequencies"},
};
static const int nrows = HISS_COUNT(rows);

/* ---- creation ---- */

static hiss_status expect_words(const word2vec *w, hiss_error *err) {
    const hiss_task *t = w->task;
    if (t->stored_H != 1 || t->C != 1 || !w->vocabulary) {
        return hiss_fail_key(err, HISS_EUSER, "data.file",
                             "word2vec needs rows of words with the /vocabulary that hiss prepare text --by words "
                             "writes, found %s; prepare the text so, and set data.images: /tokens and data.layout: NW",
                             w->vocabulary ? "samples of several rows" : "no /vocabulary");
    }
    if (w->T < 2) {
        return hiss_fail_key(err, HISS_EUSER, "data.images",
                             "word2vec learns from the words beside a word, found rows of %lld; prepare the text with "
                             "a greater --length, such as 64",
                             (long long)w->T);
    }
    if (w->options->model == WORDS_RANKING && w->T <= 2 * w->options->window) {
        return hiss_fail_key(
            err, HISS_EUSER, "word2vec.window",
            "%lld words on each side of one do not fit into rows of %lld; lower it, or prepare the text "
            "with a greater --length",
            (long long)w->options->window, (long long)w->T);
    }
    if (objective_expect_no_layers(t, "word2vec", "word2vec.dim", err) != HISS_OK) {
        return HISS_EUSER;
    }
    if (w->tables.noise[w->V - 1] <= 0) {
        return hiss_fail_key(err, HISS_EUSER, "data.file",
                             "/count says that no word of /vocabulary occurs; prepare the text anew");
    }
    return HISS_OK;
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    word2vec *w = hiss_new(word2vec, 1);
    *self = w;
    w->task = task;
    w->placement = placement;
    w->options = opts;
    w->vocabulary = task->vocabulary;
    w->T = task->stored_W;
    if (w->vocabulary) {
        w->V = w->vocabulary->count;
        words_tables_create(w->vocabulary, w->options, &w->tables);
    }
    const hiss_status s = expect_words(w, err);
    return s == HISS_OK ? words_judged_read(w, err) : s;
}

static void destroy(void *self) {
    word2vec *w = self;
    if (w) {
        words_tables_destroy(&w->tables);
        words_judged_free(&w->judged);
        hiss_free(w);
    }
}

/* ---- the graphs ---- */

/* Vectors of all words; those of centers begin as in their program, those of contexts at 0. */
static hiss_value table(const word2vec *w, hiss_builder *b, const char *name, double deviation) {
    const hiss_shape shape = HISS_SHAPE(w->V, w->options->dim);
    const int slot = hiss_model_slot(b->model, &(hiss_slot){.name = name,
                                                            .kind = HISS_SLOT_PARAMETER,
                                                            .shape = shape,
                                                            .group = b->group,
                                                            .decay = true,
                                                            .deviation = deviation});
    const hiss_slot *at = hiss_model_at(b->model, slot);
    return hiss_graph_parameter(b->graph, slot, shape,
                                b->training && !at->frozen && (b->trained_groups >> at->group & 1u));
}

static hiss_value centers(const word2vec *w, hiss_builder *b) {
    const bool ranks = w->options->model == WORDS_RANKING; /* by sums of products, which need some size to begin with */
    return table(w, b, "words/vector", ranks ? 0.1 : 1.0 / (sqrt(12.0) * (double)w->options->dim));
}

hiss_value words_append(const word2vec *w, hiss_builder *b, int64_t m, struct words_inputs *in) {
    const int64_t T = w->T, S = T + w->options->shared;
    hiss_graph *g = b->graph;
    hiss_graph_scope(g, "words");
    in->center = hiss_graph_input_numbers(g, "center", HISS_SHAPE(m, T));
    in->pairs = hiss_graph_input(g, "pairs", HISS_SHAPE(m));
    if (w->options->model == WORDS_RANKING) {
        return in->logits = words_ranking_append(w, b, m, centers(w, b), in);
    }
    in->output = hiss_graph_input_numbers(g, "output", HISS_SHAPE(m, S));
    in->weight = hiss_graph_input(g, "weight", HISS_SHAPE(m, T, S));
    hiss_value v = hiss_graph_gather(g, centers(w, b), in->center);
    in->mix = -1;
    if (w->options->model == WORDS_CBOW) {
        in->mix = hiss_graph_input(g, "mix", HISS_SHAPE(m, T, T));
        v = hiss_graph_batched_product(g, in->mix, v, false);
    }
    const hiss_value u = hiss_graph_gather(g, table(w, b, "contexts/vector", 0.0), in->output);
    return in->logits = hiss_graph_batched_product(g, v, u, true);
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    word2vec *w = self;
    hiss_graph *g = b->graph;
    const int64_t m = w->placement->m;
    const double each = 1.0 / (double)(m * w->T);
    const hiss_value logits = words_append(w, b, m, &w->graph);
    const hiss_value loss = w->options->model == WORDS_RANKING
                                ? words_ranking_loss(g, logits, w->graph.weight, each)
                                : hiss_graph_logistic_loss(g, logits, w->graph.weight, each);
    hiss_graph_loss(g, loss);
    hiss_layer_metric(b, "loss", loss);
    hiss_layer_metric(b, "pairs", hiss_graph_dot(g, w->graph.pairs, hiss_graph_filled(g, HISS_SHAPE(m), 1.0f), each));
    return hiss_graph_status(g, err);
}

/* The mean of a row's vectors; those of words without a number stay where they begin, close to 0. */
static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    const word2vec *w = self;
    hiss_graph *g = b->graph;
    const int64_t N = hiss_graph_shape(g, image).dim[0], T = w->T;
    const hiss_value words =
        hiss_graph_gather(g, centers(w, b), hiss_graph_input_numbers(g, "words", HISS_SHAPE(N, T)));
    const hiss_value each = hiss_graph_filled(g, HISS_SHAPE(N, 1, T), 1.0f / (float)T);
    const hiss_value mean = hiss_graph_batched_product(g, each, words, false);
    taps->count = 0;
    const hiss_status s = hiss_graph_status(g, err);
    return s == HISS_OK ? hiss_taps_add(taps, "mean", hiss_graph_reshape(g, mean, HISS_SHAPE(N, w->options->dim)), err)
                        : s;
}

/* ---- what goes in ---- */

const int32_t *words_text(const word2vec *w, const hiss_lane *lane, int64_t i) {
    return hiss_batch_values(lane->batch, i, &w->task->field[0]);
}

words_row words_row_of(const hiss_lane *lane, const struct words_inputs *in, int64_t i) {
    return (words_row){.center = (int32_t *)hiss_lane_values(lane, in->center, i),
                       .output = (int32_t *)hiss_lane_values(lane, in->output, i),
                       .mix = in->mix >= 0 ? hiss_lane_values(lane, in->mix, i) : NULL,
                       .weight = hiss_lane_values(lane, in->weight, i),
                       .pairs = hiss_lane_values(lane, in->pairs, i)};
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const word2vec *w = self;
    if (lane->phase < 0) {
        hiss_lane_default_sample(lane, i);
        return;
    }
    const words_row row = words_row_of(lane, &w->graph, i);
    words_draw(&w->tables, w->options, w->T, words_text(w, lane, i),
               hiss_rng_keyed(w->task->seed, HISS_FOR_NOISE, lane->step, lane->batch->sample[i]), &row);
}

/* ---- what is said of a run ---- */

static int derive(void *self, const hiss_named *metrics, int nmetrics, hiss_named out[HISS_MAX_DERIVED]) {
    (void)self;
    const double pairs = hiss_named_value(metrics, nmetrics, "pairs");
    out[0] = (hiss_named){.name = "pair_loss",
                          .value = pairs > 0 ? hiss_named_value(metrics, nmetrics, "loss") / pairs : 0.0};
    return 1;
}

static int below_chance(void *self, const hiss_named *metrics, int nmetrics, char *line, size_t size) {
    const word2vec *w = self;
    const double loss = hiss_named_value(metrics, nmetrics, "pair_loss");
    const bool ranks = w->options->model == WORDS_RANKING;
    const double zeros = ranks ? 1.0 : (double)(1 + w->options->negatives) * nat;
    const bool below = loss > 0.999 * zeros;
    if (below) {
        snprintf(line, size, "pair_loss %.3f is that of vectors of zeros, %.3f", loss, zeros);
    }
    return below;
}

static void describe(void *self, char *line, size_t size) {
    const word2vec *w = self;
    const word2vec_options *o = w->options;
    if (o->model == WORDS_RANKING) {
        snprintf(line, size,
                 "word2vec: ranking, %lld words of %lld numbers, %lld on each side of one, %lld hidden units%s",
                 (long long)w->V, (long long)o->dim, (long long)o->window, (long long)o->hidden,
                 o->text == WORDS_DRAWN ? ", on words drawn from the counts" : "");
        return;
    }
    snprintf(line, size, "word2vec: %s, %lld words of %lld numbers, window %lld, %lld negatives%s",
             o->model == WORDS_CBOW ? "CBOW" : "skip-gram", (long long)w->V, (long long)o->dim, (long long)o->window,
             (long long)o->negatives, o->text == WORDS_DRAWN ? ", on words drawn from the counts" : "");
}

static const hiss_input inputs[] = {
    {HISS_FIELD_IMAGE, 3, 1u << HISS_I32, "rows of words' numbers, int32 [1,length,1],", "numbers", "words"}, {0}};
static const hiss_input_ops input = {.inputs = inputs, .sample = sample};
static const hiss_report_ops report = {.derive = derive, .below_chance = below_chance, .describe = describe};

const hiss_objective_ops objective_word2vec = {
    .name = "word2vec",
    .summary = "vectors of words that tell the words beside a word from noise",
    .sections = {{"word2vec", rows, &nrows, 0}},
    .options_bytes = sizeof(word2vec_options),
    .sizes = "word2vec.dim, word2vec.hidden",
    .own_layers = objective_own_layers,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .report = &report,
    .measure = &words_measure,
};
