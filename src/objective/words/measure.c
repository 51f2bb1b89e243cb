/* What word2vec measures of itself.
 *
 * The loss of a pair on text that it was not trained on, beside that of the best guess that knows nothing of the center:
 * logits log(p(o) / (k q(o))) of a context word o, with p its share of contexts and q that of noise. Windows, left out
 * words and noise are drawn once for each row.
 *
 * Synonyms: the probability that two words of the list are nearer (by cosine) than the first and another word of about
 * the frequency of the second, for frequent words are near many. By chance it is a half.
 *
 * Pointwise mutual information: skip-gram's v_a . u_b tends to log(p(a,b) / (p(a) k q(b))), which is the information
 * log(p(a,b) / (p(a) p(b))) plus the logit above (Levy & Goldberg, "Neural word embedding as implicit matrix
 * factorization", NIPS 2014, section 3.1). That logit, which favours some words whatever is beside them, is taken off. Pairs
 * of frequent words are drawn by seed, their co-occurrences counted in the rows at hand, and both are compared by rank.
 *
 * Analogies: the word nearest to b - a + c, without the three (Mikolov, Yih & Zweig, "Linguistic regularities in
 * continuous space word representations", NAACL 2013). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "objective/words/word2vec.h"

/* Numbers of a row: UNIGRAM of pairs, in its place WRONG of ranking; then those of pairs of frequent words. */
enum { LOSS, UNIGRAM, WRONG = UNIGRAM, PAIRS, BESIDE, COUNTS };
enum { DRAW_OF_ROWS = 2101, DRAW_OF_PMI = 2102, DRAW_OF_MATCHES = 2103 }; /* when, of evaluation's streams */
enum { FIRST_FREQUENT = 20, FREQUENT = 200, LEAST_TOGETHER = 5, NEIGHBORS = 8, ASKED = 12, LINE = 1024 };

/* ---- what is looked at ---- */

void words_judged_free(struct words_judged *j) {
    words_list_free(&j->synonyms);
    words_list_free(&j->analogies);
    words_list_free(&j->neighbors);
    hiss_free(j->slot);
    hiss_free(j->pair_number);
    hiss_free(j->pair);
    *j = (struct words_judged){0};
}

/* Words have the numbers 1 .. end - 1. */
static int64_t end_of(const word2vec *w) {
    return w->vocabulary->padding ? w->vocabulary->padding : w->V;
}

/* Pairs of frequent words, but for the most frequent ones, each pair once. */
static void draw_pairs(word2vec *w) {
    struct words_judged *j = &w->judged;
    const int64_t first = end_of(w) > FIRST_FREQUENT + FREQUENT ? FIRST_FREQUENT : 1, words = end_of(w) - first;
    const int64_t F = j->frequent = words < FREQUENT ? words : FREQUENT, all = F * (F - 1) / 2;
    j->slot = hiss_new(int32_t, w->V);
    j->pair_number = hiss_new(int32_t, F * F);
    j->pair = hiss_new(int32_t, 2 * WORDS_PMI_PAIRS);
    for (int64_t k = 0; k < w->V; k++) {
        j->slot[k] = k >= first && k < first + F ? (int32_t)(k - first) : -1;
    }
    memset(j->pair_number, -1, sizeof *j->pair_number * (size_t)(F * F));
    if (all < 1) {
        return;
    }
    const hiss_permutation order = hiss_permutation_keyed(w->task->seed, HISS_FOR_EVALUATION, DRAW_OF_PMI, 0, all);
    for (j->pairs = 0; j->pairs < all && j->pairs < WORDS_PMI_PAIRS; j->pairs++) {
        int64_t rest = hiss_permutation_at(&order, j->pairs), a = 0;
        for (; rest >= F - 1 - a; a++) {
            rest -= F - 1 - a;
        }
        const int64_t b = a + 1 + rest;
        j->pair[2 * j->pairs] = (int32_t)(a + first);
        j->pair[2 * j->pairs + 1] = (int32_t)(b + first);
        j->pair_number[a * F + b] = j->pair_number[b * F + a] = (int32_t)j->pairs;
    }
}

/* Those that are shown when nobody asks for others: of all frequencies. */
static void choose_neighbors(const word2vec *w, words_list *out) {
    out->word = hiss_new(int32_t, ASKED);
    for (int64_t k = w->V > 1000 ? 100 : 1; out->count < ASKED && k < end_of(w); k += k / 2 + 1) {
        out->word[out->count++] = (int32_t)k;
    }
}

hiss_status words_judged_read(word2vec *w, hiss_error *err) {
    const word2vec_options *o = w->options;
    struct words_judged *j = &w->judged;
    hiss_status s = HISS_OK;
    if (o->synonyms) {
        s = words_list_read(w->vocabulary, "word2vec.synonyms", o->synonyms, 2, &j->synonyms, err);
    }
    if (o->analogies && s == HISS_OK) {
        s = words_list_read(w->vocabulary, "word2vec.analogies", o->analogies, 4, &j->analogies, err);
    }
    if (o->neighbors && s == HISS_OK) {
        s = words_list_parse(w->vocabulary, "word2vec.neighbors", o->neighbors, &j->neighbors, err);
    } else {
        choose_neighbors(w, &j->neighbors);
    }
    draw_pairs(w);
    return s;
}

/* ---- rows ---- */

static int64_t width(void *self) {
    const word2vec *w = self;
    return COUNTS + w->judged.pairs;
}

static hiss_status build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    word2vec *w = self;
    words_append(w, b, m, &w->measured);
    const hiss_value kept[] = {w->measured.output, w->measured.weight, w->measured.pairs, w->measured.logits};
    for (int k = 0; k < HISS_COUNT(kept); k++) {
        hiss_graph_keep(b->graph, kept[k]);
    }
    return hiss_graph_status(b->graph, err);
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const word2vec *w = self;
    const words_row row = words_row_of(lane, &w->measured, i);
    words_draw(&w->tables, w->options, w->T, words_text(w, lane, i),
               hiss_rng_keyed(w->task->seed, HISS_FOR_EVALUATION, DRAW_OF_ROWS, lane->batch->sample[i]), &row);
}

/* What a logit costs as an example of that weight. */
static double loss_of(double logit, double weight) {
    const double z = weight < 0 ? logit : -logit;
    return fabs(weight) * (fmax(z, 0) + log1p(exp(-fabs(z))));
}

/* How often drawn pairs stand in one window of a row, both ways, and how many pairs there are. */
static void count_together(const word2vec *w, const int32_t *text, float *out) {
    const struct words_judged *j = &w->judged;
    memset(out + COUNTS, 0, sizeof *out * (size_t)j->pairs);
    out[BESIDE] = 0;
    for (int64_t i = 0; i < w->T; i++) {
        const int64_t end = i + w->options->window + 1 < w->T ? i + w->options->window + 1 : w->T;
        for (int64_t k = i + 1; k < end && w->tables.keep[text[i]] > 0; k++) {
            const int32_t a = j->slot[text[i]], b = j->slot[text[k]];
            out[BESIDE] += w->tables.keep[text[k]] > 0 ? 2 : 0;
            if (a >= 0 && b >= 0 && j->pair_number[a * j->frequent + b] >= 0) {
                out[COUNTS + j->pair_number[a * j->frequent + b]] += 2;
            }
        }
    }
}

/* Windows that score too low, and of them those below themselves with another word in the middle; equal ones are half. */
static void measure_ranking(const word2vec *w, const words_row *row, const float *excess, float *out) {
    double loss = 0, wrong = 0;
    for (int64_t k = 0; k < w->T - 2 * w->options->window; k++) {
        const double above = (double)excess[k], weight = (double)row->weight[k];
        loss += weight * fmax(0, 1 + above);
        wrong += weight * (above > 0 ? 1 : above < 0 ? 0 : 0.5);
    }
    out[LOSS] = (float)loss;
    out[WRONG] = (float)wrong;
}

static void measure_pairs(const word2vec *w, const words_row *row, const float *logit, float *out) {
    const int64_t S = w->T + w->options->shared;
    double loss = 0, unigram = 0;
    for (int64_t k = 0; k < w->T * S; k++) {
        const double weight = (double)row->weight[k];
        if (weight != 0.0) {
            loss += loss_of((double)logit[k], weight);
            unigram += loss_of(w->tables.logit[row->output[k % S]], weight);
        }
    }
    out[LOSS] = (float)loss;
    out[UNIGRAM] = (float)unigram;
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const word2vec *w = self;
    const words_row row = words_row_of(lane, &w->measured, i);
    const float *logit = hiss_lane_values(lane, w->measured.logits, i);
    if (w->options->model == WORDS_RANKING) {
        measure_ranking(w, &row, logit, out);
    } else {
        measure_pairs(w, &row, logit, out);
    }
    out[PAIRS] = *row.pairs;
    count_together(w, words_text(w, lane, i), out);
}

/* ---- what follows ---- */

typedef struct judging {
    const word2vec *w;
    const hiss_measured *x;
    const float *v, *u; /* [V,D] */
    float *unit;        /* [V,D] */
} judging;

static void say(const judging *g, const char *group, const char *name, const char *heading, const char *unit,
                double value, double baseline, int64_t samples) {
    g->x->number(g->x->say, &(hiss_measure){.name = name,
                                            .group = group,
                                            .heading = heading,
                                            .unit = unit,
                                            .value = value,
                                            .spread = (double)NAN,
                                            .baseline = baseline,
                                            .samples = samples,
                                            .digits = true});
}

static void say_ranking(const judging *g) {
    static const char group[] = "ranking of windows";
    const double *test = g->x->test_mean, *train = g->x->train_mean;
    if (test[PAIRS] > 0) {
        say(g, group, "ranking_loss", "loss", "", test[LOSS] / test[PAIRS], 1.0, g->x->test);
        say(g, group, "ranked_wrong", "wrong", "%", 100 * test[WRONG] / test[PAIRS], 50.0, g->x->test);
    }
    if (train[PAIRS] > 0) {
        say(g, group, "ranked_wrong_training", "of training", "%", 100 * train[WRONG] / train[PAIRS], 50.0,
            g->x->train);
    }
}

static void say_loss(const judging *g) {
    static const char group[] = "loss of a pair";
    const double *test = g->x->test_mean, *train = g->x->train_mean;
    if (test[PAIRS] > 0) {
        say(g, group, "pair_loss", "test", "nats", test[LOSS] / test[PAIRS], test[UNIGRAM] / test[PAIRS], g->x->test);
    }
    if (train[PAIRS] > 0) {
        say(g, group, "pair_loss_training", "training", "nats", train[LOSS] / train[PAIRS],
            train[UNIGRAM] / train[PAIRS], g->x->train);
    }
}

/* A word of about the frequency of b, which is neither a nor b. */
static int32_t match(const word2vec *w, int32_t a, int32_t b, hiss_rng *rng) {
    const int64_t last = end_of(w) - 1, reach = b / 10 > 10 ? b / 10 : 10;
    const int64_t low = b - reach > 1 ? b - reach : 1, high = b + reach < last ? b + reach : last;
    int32_t other = b;
    for (int tries = 0; tries < 100 && (other == a || other == b); tries++) {
        other = (int32_t)(low + hiss_rng_below(rng, high - low + 1));
    }
    return other;
}

static void say_synonyms(const judging *g) {
    const word2vec *w = g->w;
    const words_list *list = &w->judged.synonyms;
    const int64_t D = w->options->dim, n = list->count;
    char line[LINE];
    if (n == 0) {
        return;
    }
    double *same = hiss_new(double, n), *other = hiss_new(double, n);
    for (int64_t k = 0; k < n; k++) {
        hiss_rng rng = hiss_rng_keyed(w->task->seed, HISS_FOR_EVALUATION, DRAW_OF_MATCHES, k);
        const int32_t a = list->word[2 * k], b = list->word[2 * k + 1], c = match(w, a, b, &rng);
        same[k] = words_cosine(D, g->unit + a * D, g->unit + b * D);
        other[k] = words_cosine(D, g->unit + a * D, g->unit + c * D);
    }
    say(g, "synonyms", "synonyms_auc", "AUC of cosine", "", words_auc(n, same, other), 0.5, n);
    snprintf(
        line, sizeof line,
        "synonyms: %lld pairs of %s, against pairs with another word of about the frequency; %lld lines have words "
        "that the vocabulary lacks",
        (long long)n, w->options->synonyms, (long long)list->missing);
    g->x->remark(g->x->say, line);
    hiss_free(same);
    hiss_free(other);
}

static void say_information(const judging *g) {
    const word2vec *w = g->w;
    const struct words_judged *j = &w->judged;
    const int64_t D = w->options->dim;
    const double test = (double)g->x->test, train = (double)g->x->train;
    const double all = g->x->test_mean[BESIDE] * test + g->x->train_mean[BESIDE] * train;
    const double words = w->tables.unigram[w->V - 1];
    double *score = hiss_new(double, WORDS_PMI_PAIRS), *information = hiss_new(double, WORDS_PMI_PAIRS);
    int64_t n = 0;
    for (int64_t k = 0; k < j->pairs; k++) {
        const int32_t a = j->pair[2 * k], b = j->pair[2 * k + 1];
        const double together = g->x->test_mean[COUNTS + k] * test + g->x->train_mean[COUNTS + k] * train;
        if (together >= 2 * LEAST_TOGETHER - 0.5) {
            const double apart = (double)w->vocabulary->times[a] / words * (double)w->vocabulary->times[b] / words;
            information[n] = log(together / all / (2 * apart));
            score[n++] = words_cosine(D, g->v + a * D, g->u + b * D) - w->tables.logit[b] +
                         words_cosine(D, g->v + b * D, g->u + a * D) - w->tables.logit[a];
        }
    }
    const double correlation = words_spearman(n, score, information);
    if (!isnan(correlation)) {
        say(g, "mutual information of frequent words", "pmi_spearman", "rank correlation", "", correlation, 0.0, n);
    }
    hiss_free(score);
    hiss_free(information);
}

static void say_analogies(const judging *g) {
    const word2vec *w = g->w;
    const words_list *list = &w->judged.analogies;
    const int64_t D = w->options->dim;
    int64_t right = 0;
    char line[LINE];
    if (list->count == 0) {
        return;
    }
    float *query = hiss_new(float, D), *similarity = hiss_new(float, w->V);
    for (int64_t k = 0; k < list->count; k++) {
        const int32_t *q = list->word + 4 * k;
        int32_t found = 0;
        for (int64_t d = 0; d < D; d++) {
            query[d] = g->unit[q[1] * D + d] - g->unit[q[0] * D + d] + g->unit[q[2] * D + d];
        }
        words_nearest(end_of(w), D, g->unit, query, 3, q, 1, &found, similarity);
        right += found == q[3];
    }
    say(g, "analogies", "analogies", "right", "%", 100.0 * (double)right / (double)list->count,
        100.0 / (double)(end_of(w) > 5 ? end_of(w) - 4 : 1), list->count);
    snprintf(line, sizeof line, "analogies: %lld of %s; %lld lines have words that the vocabulary lacks",
             (long long)list->count, w->options->analogies, (long long)list->missing);
    g->x->remark(g->x->say, line);
    hiss_free(query);
    hiss_free(similarity);
}

static void say_neighbors(const judging *g) {
    const word2vec *w = g->w;
    const words_list *list = &w->judged.neighbors;
    const int64_t D = w->options->dim, most = end_of(w) - 2 < NEIGHBORS ? end_of(w) - 2 : NEIGHBORS;
    float *similarity = hiss_new(float, w->V);
    for (int64_t k = 0; k < list->count && most > 0; k++) {
        int32_t found[NEIGHBORS];
        const int32_t word = list->word[k];
        char line[LINE];
        int used = snprintf(line, sizeof line, "near %s:", w->vocabulary->word[word]);
        words_nearest(end_of(w), D, g->unit, g->unit + word * D, 1, &word, most, found, similarity);
        for (int64_t i = 0; i < most; i++) {
            used +=
                snprintf(line + used, sizeof line - (size_t)used, "%s %s", i ? "," : "", w->vocabulary->word[found[i]]);
        }
        g->x->remark(g->x->say, line);
    }
    hiss_free(similarity);
}

static hiss_status conclude(void *self, const hiss_measured *x, hiss_error *err) {
    (void)err;
    const word2vec *w = self;
    judging g = {.w = w, .x = x, .v = x->vector + hiss_model_offset(x->model, "words/vector")};
    g.unit = words_unit(w->V, w->options->dim, g.v);
    if (w->options->model == WORDS_RANKING) {
        say_ranking(&g);
    } else {
        g.u = x->vector + hiss_model_offset(x->model, "contexts/vector");
        say_loss(&g);
        say_information(&g);
    }
    say_synonyms(&g);
    say_analogies(&g);
    say_neighbors(&g);
    hiss_free(g.unit);
    return HISS_OK;
}

const hiss_measure_ops words_measure = {
    .baseline = "what knows nothing of the center, or chance",
    .width = width,
    .build = build,
    .sample = sample,
    .measure = measure,
    .conclude = conclude,
};
