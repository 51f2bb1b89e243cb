/* What the files of word2vec share. */
#ifndef HISS_WORDS_WORD2VEC_H
#define HISS_WORDS_WORD2VEC_H

#include "hiss/objective.h"
#include "hiss/rng.h"

enum { WORDS_SKIPGRAM, WORDS_CBOW, WORDS_RANKING };
enum { WORDS_REAL, WORDS_DRAWN };

typedef struct word2vec_options {
    int model, text;
    int64_t dim, window, negatives, shared, hidden;
    double power, subsample;
    const char *synonyms, *analogies, *neighbors; /* NULL: none */
} word2vec_options;

/* ---- draw.c: from a row of text to what a graph learns ---- */

typedef struct words_tables { /* of the vocabulary */
    int64_t V;
    double *noise;   /* [V] running sums of count^power */
    double *unigram; /* [V] running sums of counts */
    float *keep;     /* [V] probability that a word is kept; 0 of words that are skipped */
    double *logit;   /* [V] of a context word, which predicts best what knows nothing of the center */
} words_tables;
void words_tables_create(const hiss_vocabulary *vocabulary, const word2vec_options *options, words_tables *out);
void words_tables_destroy(words_tables *tables); /* all zero is allowed */

typedef struct words_row { /* where one row of T words goes; S = T + shared; ranking: n = T - 2 window windows */
    int32_t *center;       /* out [T] the words that are kept, then 0 */
    int32_t *output;       /* out [S] the same, then words of noise; ranking: [n] what stands in the middle instead */
    float *mix;            /* out [T,T] CBOW: what each center's context is the mean of; NULL: skip-gram */
    float *weight;         /* out [T,S] positive: to be told from noise; negative: noise; ranking: [n] 1: a window */
    float *pairs;          /* out: how many are to be told from noise */
} words_row;
/* text [T]. Takes its numbers from rng alone. Not collective; thread-safe. */
void words_draw(const words_tables *tables, const word2vec_options *options, int64_t T, const int32_t *text,
                hiss_rng rng, const words_row *row);

/* ---- lists.c: files of words ---- */

typedef struct words_list { /* lines of words by their numbers, those alone whose words all have one */
    int64_t lines, missing; /* of the file, without comments; of them, those with a word that has no number */
    int64_t count;
    int32_t *word; /* [count, width] */
} words_list;
/* Lines of `width` words each; those that begin with # or : say something else. key: of the config, for messages. Errors
 * (HISS_EUSER) name file and line. Not collective. *out must be freed also after an error. */
hiss_status words_list_read(const hiss_vocabulary *vocabulary, const char *key, const char *path, int width,
                            words_list *out, hiss_error *err);
/* The same of a text of words with commas, each of which must have a number. */
hiss_status words_list_parse(const hiss_vocabulary *vocabulary, const char *key, const char *text, words_list *out,
                             hiss_error *err);
void words_list_free(words_list *list); /* all zero is allowed */

/* ---- near.c: what vectors say of words ---- */

/* Rows of vector [V,D] divided by their lengths, hiss_free them. */
float *words_unit(int64_t V, int64_t D, const float *vector);
double words_cosine(int64_t D, const float *a, const float *b); /* of rows of unit length */
/* The probability that one of p[count] is above one of n[count], equal ones as halves. Sorts both. */
double words_auc(int64_t count, double *p, double *n);
/* Rank correlation of a[count] and b[count] (Spearman), equal values with the mean of their ranks; NAN below 3. */
double words_spearman(int64_t count, const double *a, const double *b);
/* The `count` words of the highest cosine to query [D], out of numbers 1 .. V - 1 but for those of left_out; similarity
 * [V] is scratch. */
void words_nearest(int64_t V, int64_t D, const float *unit, const float *query, int left, const int32_t *left_out,
                   int64_t count, int32_t *out, float *similarity);

/* ---- the method ---- */

enum { WORDS_PMI_PAIRS = 1000 };

typedef struct word2vec {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: no training */
    const word2vec_options *options;
    const hiss_vocabulary *vocabulary;
    int64_t T, V;
    words_tables tables;
    struct words_inputs { /* of the graph that build() has made last; of evaluation's */
        hiss_value center, output, mix, weight, pairs, logits; /* logits of ranking: how far replaced ones are above */
    } graph, measured;
    struct words_judged { /* what evaluation looks at */
        words_list synonyms, analogies, neighbors;
        int32_t *slot;        /* [V] place among frequent words; -1: none */
        int32_t *pair_number; /* [frequent, frequent] number of a pair, -1: none */
        int32_t *pair;        /* [2 * pairs] */
        int64_t frequent, pairs;
    } judged;
} word2vec;

/* ranking.c: how far the score of each window with its middle replaced is above its own, [m,n]; vectors [V,D] of all words.
 * Not collective, as is the next. */
hiss_value words_ranking_append(const word2vec *w, hiss_builder *b, int64_t m, hiss_value vectors,
                                struct words_inputs *in);
hiss_value words_ranking_loss(hiss_graph *g, hiss_value excess, hiss_value weight, double each);

hiss_value words_append(const word2vec *w, hiss_builder *b, int64_t m, struct words_inputs *inputs);
words_row words_row_of(const hiss_lane *lane, const struct words_inputs *inputs, int64_t i);
const int32_t *words_text(const word2vec *w, const hiss_lane *lane, int64_t i);
/* Not collective. Errors: those of the lists. */
hiss_status words_judged_read(word2vec *w, hiss_error *err);
void words_judged_free(struct words_judged *judged);

extern const hiss_measure_ops words_measure;

#endif
