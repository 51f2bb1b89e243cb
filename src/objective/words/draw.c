/* From a row of text to what a graph learns of it.
 *
 * Words that are not in the vocabulary are skipped, then frequent ones left out by chance, and what is left moves together
 * (Mikolov, Sutskever, Chen, Corrado & Dean, "Distributed representations of words and phrases and their compositionality",
 * NIPS 2013, section 2.3; the probability to keep a word of frequency f is that of their program, sqrt(t / f) + t / f, and
 * not the 1 - sqrt(t / f) of the text). The window of a center is drawn from 1 to `window` on each side. Pairs do not
 * leave the row.
 *
 * Negatives. Section 2.2 has k words of noise for each pair, drawn from count^0.75, without those that are the pair's
 * context. Here a row of text draws `shared` of them, K, and each stands in every pair of the row with the weight k / K:
 * the loss has the same mean, and its products become those of matrices.
 *
 * The text control draws each word anew from the counts: nothing is left of what stands beside what. */
#include <math.h>
#include <string.h>

#include "hiss/alloc.h"
#include "objective/words/word2vec.h"

/* ---- tables ---- */

static bool is_word(const hiss_vocabulary *v, int64_t k) {
    return k > 0 && (v->padding == 0 || k != v->padding);
}

void words_tables_create(const hiss_vocabulary *v, const word2vec_options *o, words_tables *out) {
    const int64_t V = v->count;
    *out = (words_tables){.V = V,
                          .noise = hiss_new(double, V),
                          .unigram = hiss_new(double, V),
                          .keep = hiss_new(float, V),
                          .logit = hiss_new(double, V)};
    double words = 0, noise = 0, kept = 0;
    for (int64_t k = 0; k < V; k++) {
        words += is_word(v, k) ? (double)v->times[k] : 0;
    }
    for (int64_t k = 0; k < V; k++) {
        const double count = is_word(v, k) ? (double)v->times[k] : 0, share = o->subsample * words;
        const double keep = count > 0 && share > 0 ? fmin(1, sqrt(share / count) + share / count) : 1;
        noise += count > 0 ? pow(count, o->power) : 0;
        out->noise[k] = noise;
        out->unigram[k] = (k > 0 ? out->unigram[k - 1] : 0) + count;
        out->keep[k] = is_word(v, k) ? (float)keep : 0;
        kept += count * keep;
    }
    for (int64_t k = 1; k < V; k++) {
        const double context = (out->unigram[k] - out->unigram[k - 1]) * (double)out->keep[k] / kept;
        const double drawn = (out->noise[k] - out->noise[k - 1]) / noise;
        out->logit[k] = context > 0 ? log(context / ((double)o->negatives * drawn)) : 0;
    }
}

void words_tables_destroy(words_tables *t) {
    hiss_free(t->noise);
    hiss_free(t->unigram);
    hiss_free(t->keep);
    hiss_free(t->logit);
}

/* A number whose share of the running sums is its probability. */
static int32_t draw_of(const double *sum, int64_t V, hiss_rng *rng) {
    const double at = sum[V - 1] * ((double)hiss_rng_word(rng) + 0.5) / 4294967296.0;
    int64_t low = 0, high = V - 1;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (sum[middle] > at) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return (int32_t)low;
}

/* ---- a row ---- */

/* How many are kept. */
static int64_t keep_words(const words_tables *t, const word2vec_options *o, int64_t T, const int32_t *text,
                          hiss_rng *rng, int32_t *out) {
    int64_t kept = 0;
    for (int64_t i = 0; i < T; i++) {
        const float chance = hiss_rng_uniform(rng);
        const int32_t word =
            o->text == WORDS_REAL || t->keep[text[i]] == 0.0f ? text[i] : draw_of(t->unigram, t->V, rng);
        if (chance < t->keep[word]) {
            out[kept++] = word;
        }
    }
    memset(out + kept, 0, sizeof *out * (size_t)(T - kept));
    return kept;
}

/* The words beside center i in [begin, end), each of which is told from noise given the center. */
static void pair_up(const word2vec_options *o, int64_t T, int64_t i, int64_t begin, int64_t end, const words_row *row) {
    const int64_t K = o->shared;
    const float each = (float)((double)o->negatives / (double)K);
    float *positive = row->weight + i * (T + K), *negative = positive + T;
    for (int64_t j = begin; j < end; j++) {
        positive[j] = j != i ? 1.0f : 0.0f;
    }
    for (int64_t q = 0; q < K; q++) {
        int64_t others = end - begin - 1;
        for (int64_t j = begin; j < end; j++) {
            others -= j != i && row->output[j] == row->output[T + q];
        }
        negative[q] = -each * (float)others;
    }
    *row->pairs += (float)(end - begin - 1);
}

/* Center i, which is told from noise given the mean of the words beside it. */
static void guess_center(const word2vec_options *o, int64_t T, int64_t i, int64_t begin, int64_t end,
                         const words_row *row) {
    const int64_t K = o->shared;
    const float each = (float)((double)o->negatives / (double)K);
    for (int64_t j = begin; j < end; j++) {
        row->mix[i * T + j] = j != i ? 1.0f / (float)(end - begin - 1) : 0.0f;
    }
    row->weight[i * (T + K) + i] = 1.0f;
    for (int64_t q = 0; q < K; q++) {
        row->weight[i * (T + K) + T + q] = row->output[T + q] == row->center[i] ? 0.0f : -each;
    }
    *row->pairs += 1.0f;
}

/* Windows of words that are kept, each with what is in its middle instead. */
static void draw_windows(const words_tables *t, const word2vec_options *o, int64_t T, int64_t kept, hiss_rng *rng,
                         const words_row *row) {
    const int64_t n = T - 2 * o->window;
    for (int64_t i = 0; i < n; i++) {
        const bool whole = i + 2 * o->window < kept;
        row->output[i] = whole ? draw_of(t->noise, t->V, rng) : 0;
        row->weight[i] = whole && row->output[i] != row->center[i + o->window] ? 1.0f : 0.0f;
        *row->pairs += row->weight[i];
    }
}

void words_draw(const words_tables *t, const word2vec_options *o, int64_t T, const int32_t *text, hiss_rng rng,
                const words_row *row) {
    const int64_t S = T + o->shared, kept = keep_words(t, o, T, text, &rng, row->center);
    *row->pairs = 0.0f;
    if (o->model == WORDS_RANKING) {
        draw_windows(t, o, T, kept, &rng, row);
        return;
    }
    memcpy(row->output, row->center, sizeof *row->output * (size_t)T);
    for (int64_t q = T; q < S; q++) {
        row->output[q] = draw_of(t->noise, t->V, &rng);
    }
    memset(row->weight, 0, sizeof *row->weight * (size_t)(T * S));
    if (row->mix) {
        memset(row->mix, 0, sizeof *row->mix * (size_t)(T * T));
    }
    for (int64_t i = 0; i < kept; i++) {
        const int64_t reach = 1 + hiss_rng_below(&rng, o->window);
        const int64_t begin = i > reach ? i - reach : 0, end = i + reach + 1 < kept ? i + reach + 1 : kept;
        if (end - begin < 2) {
            continue;
        }
        if (row->mix) {
            guess_center(o, T, i, begin, end, row);
        } else {
            pair_up(o, T, i, begin, end, row);
        }
    }
}
