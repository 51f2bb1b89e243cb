/* Evaluation of frozen features: k-NN, linear probes, few-label probes, retrieval, pictures, charts.
 *
 * All arithmetic on features runs in tiles of HISS_TILE samples, a size that no rank count touches, and sums over
 * ranks go through hiss_tree_sum over tiles; every result is bitwise the same for every number of ranks.
 * The test set judges only: nothing here is fitted or chosen on it. */
#ifndef HISS_EVAL_H
#define HISS_EVAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "hiss/comm.h"
#include "hiss/config.h"
#include "hiss/data.h"
#include "hiss/hash.h"
#include "hiss/kernels.h"
#include "hiss/picture.h"
#include "hiss/status.h"

/* Where an evaluation runs. Open struct, filled by the caller, logically collective. */
typedef struct hiss_eval_env {
    hiss_comm *comm;             /* not owned */
    const hiss_kernels *kernels; /* only gemm is used */
    uint64_t seed;               /* of the few-label draws */
} hiss_eval_env;

/* ---- options: section "eval" ---- */

typedef struct hiss_eval_options {
    const char *train, *test;                                            /* HDF5 files */
    const char *train_images, *train_labels, *test_images, *test_labels; /* data sets in them; NULL: as data has it */
    const char *layers; /* comma-separated names; NULL: what the caller finds sensible */
    bool pixels, random;
    int crops;     /* views of a sample that its features are the mean of: 0 the centre, 1 ten */
    bool permuted; /* training samples have the labels and targets of each other */
    /* judgements: see hiss/judge.h */
    bool knn, linear, mlp, few_labels, average_precision, classification, statistics, neighbors, units, filters,
        reconstruction, denoising, likelihood, measures, generation, detection, futures, actions, planning, spread;
    const char *classifier;             /* run or checkpoint that judges made images; NULL: none */
    int64_t train_limit, test_limit;    /* samples; 0: all */
    int64_t iterations;                 /* of a linear probe, at most */
    int64_t mlp_hidden;                 /* units of the hidden layer of an MLP probe */
    int64_t draws;                      /* of a few-label probe */
    int64_t latent_draws;               /* of the latent, for each image */
    int64_t generated;                  /* images made, at most */
    int64_t future_clips, future_draws; /* clips, and futures of each */
    int64_t future_frames;              /* of a future; 0: as many as in training */
    int64_t plans;                      /* sequences of actions that a planner chooses from */
    int ssim;                           /* 0: uniform window, 1: Gaussian */
    int64_t detection_limit;            /* test images whose boxes are looked for, at most */
} hiss_eval_options;
/* The keys that are of no judgement; those of judgements are in their register. */
extern const hiss_row hiss_eval_rows[];
extern const int hiss_eval_nrows;

/* Whether a file of test samples is one of training, too, with the same data set of images: which, as a sentence. Not
 * collective. */
enum { HISS_EVAL_SHARED = 1024 };
bool hiss_eval_shares(const hiss_eval_options *options, const hiss_data_options *data, char out[HISS_EVAL_SHARED]);

/* Open the training and the test set. train: options->train, else data->file. test: options->test, else, where
 * options->test_images is set, that data set of the training file; without either, a sixth of the training samples is
 * held out, at most 10,000, drawn by seed in proportion from each class (of all samples where there are no labels); a
 * class of one sample stays in training, others have samples in both. The two share one hiss_dataset then. train_limit
 * and test_limit draw so many in the same way. The order of samples in a file does not matter therefore, and the draws
 * are the same on every rank.
 *   samples  out  how they were drawn, as sentences for people
 * Classes of test samples are those of training that are called alike; it warns of those that no training sample has.
 * Samples without a label are left out, unless data->label_use is HISS_LABELS_OPTIONAL.
 * Errors (HISS_EUSER): those of hiss_dataset_open; shapes differ; labels in one only; nothing left. Not collective. */
enum { HISS_EVAL_SAMPLES = 2048 };
hiss_status hiss_eval_open(const hiss_eval_options *options, const hiss_data_options *data, uint64_t seed,
                           hiss_sample_range *train, hiss_sample_range *test, char samples[HISS_EVAL_SAMPLES],
                           hiss_error *err);
void hiss_eval_close(hiss_sample_range *train, hiss_sample_range *test);

/* Take the next name of a comma-separated list: copies it without blanks into name and returns the rest of the list;
 * NULL when there is none left. Not collective. */
const char *hiss_names_next(const char *list, char name[64]);

/* ---- features ---- */

enum { HISS_TILE = 250 };

/* n samples of D features, cut into T = ceil(n / HISS_TILE) tiles; a rank owns tiles [tile_offsets[rank],
 * tile_offsets[rank+1]) of hiss_partition. */
typedef struct hiss_features {
    int64_t n, D;
    int64_t classes;       /* labels are 0 .. classes-1, or -1: of none; 0 without labels */
    int64_t tiles;         /* T */
    int64_t *tile_offsets; /* [P+1] */
    int64_t first, end;    /* this rank's tiles */
    float *rows;           /* [(end - first) * HISS_TILE, D]; rows past n are zero */
    int32_t *label;        /* [(end - first) * HISS_TILE]; -1 past n, and everywhere without labels */
    int64_t targets;       /* K, classes of which a sample may have several; 0: it has none */
    uint8_t *target; /* [(end - first) * HISS_TILE, K] 1 present, 0 absent, HISS_NOT_JUDGED, also past n; or NULL */
} hiss_features;

/* Zero rows, labels -1. Not collective, but equal on all ranks. n >= 1, D >= 1, n < 2^31. */
hiss_features *hiss_features_create(const hiss_eval_env *env, int64_t n, int64_t D, int64_t classes);
void hiss_features_destroy(hiss_features *f);

/* Compute several layers of the first `count` samples of a batch, whose others only fill it up.
 *   out  out  [layers] pointers to [count, D of the layer] */
typedef hiss_status (*hiss_embed)(void *user, int64_t count, const hiss_batch *batch, float *const *out,
                                  hiss_error *err);

typedef struct hiss_layer_size {
    const char *name; /* for messages */
    int64_t D;
} hiss_layer_size;

/* Features of range by embed, each tile of HISS_TILE samples in pieces of `batch` (the last one filled up by
 * hiss_samples_read). Collective.
 *   batch  in   1 .. HISS_TILE
 *   out    out  [layers]; destroy with hiss_features_destroy; all NULL on failure
 * Errors, common to all ranks: those of reading and of embed; a feature that is not finite (layer and sample named). */
hiss_status hiss_features_extract(const hiss_eval_env *env, const hiss_sample_range *range, int layers,
                                  const hiss_layer_size *layer, int64_t batch, hiss_embed embed, void *user,
                                  hiss_features **out, hiss_error *err);

/* A file of features: HDF5 (.h5, .hdf5), npy or csv, as its name ends.
 *
 * HDF5: /LAYER float32 [n, D] for each layer, with the attributes layer and sha256, of its values; /labels int32 [n] and
 * /targets uint8 [n, K] where the samples have them; on / hiss_format, classes, as hiss prepare writes them, and the notes.
 * npy: format 1.0, of float32, in C order. csv: a line of names, LAYER_0, LAYER_1, ..., and label where there are labels;
 * then a line a sample. These two hold one layer. */
typedef struct hiss_note {
    const char *name, *text;
} hiss_note;
typedef struct hiss_feature_output {
    const char *path;
    const hiss_note *note; /* [notes] what made the features */
    int notes;
} hiss_feature_output;
/* Whether a file of that name can hold so many layers. Errors (HISS_EUSER) name the ending. Not collective. */
hiss_status hiss_feature_output_expect(const char *path, int layers, hiss_error *err);
/* Write the features that hiss_features_extract gives, in the order of range, durably: rank 0 collects and writes them, a
 * tile of each rank at a time, and reads them back. The bytes of the file are the same on any number of ranks.
 * Collective. Memory: a tile of all layers per rank, and one more on rank 0. Errors, common to all ranks: as
 * hiss_features_extract; of hiss_feature_output_expect; a layer that is called as what else is in the file; those of writing;
 * a file of range that has changed meanwhile. */
hiss_status hiss_features_write(const hiss_eval_env *env, const hiss_sample_range *range, int layers,
                                const hiss_layer_size *layer, int64_t batch, hiss_embed embed, void *user,
                                const hiss_feature_output *output, hiss_error *err);

/* SHA-256 of the values of a layer in such a file, as its attribute sha256 has it. Not collective. Errors: of reading. */
hiss_status hiss_feature_layer_sum(hiss_h5 *file, const char *name, int64_t n, int64_t D, char sum[HISS_HASH_TEXT],
                                   hiss_error *err);

/* The trivial embedding: one layer, pixels in 0..1. user: hiss_field *, the image. */
hiss_status hiss_embed_pixels(void *user, int64_t count, const hiss_batch *batch, float *const *out, hiss_error *err);

/* Give the samples the labels and targets of each other, in an order drawn by env->seed. Collective. */
void hiss_features_permute(const hiss_eval_env *env, hiss_features *f);

/* Labels of all samples on every rank: all[n]. Collective. */
void hiss_features_labels(const hiss_eval_env *env, const hiss_features *f, int32_t *all);

/* Targets of all samples on every rank: all[n, K]. Collective. */
void hiss_features_targets(const hiss_eval_env *env, const hiss_features *f, uint8_t *all);

/* The samples index[count], equal on all ranks, as features of their own, without targets. Within each HISS_TILE of them
 * index is strictly ascending. Collective. */
hiss_features *hiss_features_subset(const hiss_eval_env *env, const hiss_features *f, const int64_t *index,
                                    int64_t count);

/* ---- neighbours ---- */

typedef enum hiss_distance { HISS_COSINE, HISS_L2, HISS_METRICS } hiss_distance;

typedef struct hiss_neighbor {
    int32_t index; /* into the bank; -1: the bank has fewer than k samples */
    float value;   /* cosine: the cosine (0 for a zero row); L2: the distance */
} hiss_neighbor;

/* The k nearest samples of the bank for each query, nearest first; equally near ones by lower index. Collective.
 * Nearness is computed in float64 wherever it decides: near copies are told apart, and the answer does not depend on
 * env->kernels.
 *   k     1 .. 64
 *   best  out  [HISS_METRICS] pointers to [query->n, k], on every rank; NULL: not wanted. One pass serves both.
 * Cost: 2 n_query n_bank D / P flops, and every query travels to every rank once. Memory: D bytes per local bank row
 * where the processor multiplies bytes. */
void hiss_neighbors(const hiss_eval_env *env, const hiss_features *bank, const hiss_features *query, int64_t k,
                    hiss_neighbor *const best[HISS_METRICS]);

/* The class most frequent among the first k neighbours; among equally frequent ones that of the nearest neighbour.
 * Not collective.  label: of the bank.  votes: [classes], zeroed before and after.  Slots of index -1 do not vote. */
int32_t hiss_neighbors_vote(const hiss_neighbor *nearest, int64_t k, const int32_t *label, int32_t *votes);

enum { HISS_KNN_KS = 3, HISS_KNN_MAX = 20 };
extern const int64_t hiss_knn_ks[HISS_KNN_KS]; /* 1, 5, 20 */

/* Share of right votes, per cent, per metric and k. Collective. Both sets labelled. */
typedef struct hiss_knn_result {
    double percent[HISS_METRICS][HISS_KNN_KS];
} hiss_knn_result;
hiss_knn_result hiss_knn(const hiss_eval_env *env, const hiss_features *bank, const hiss_features *query);

/* The same of one metric and one k, 1 .. 64. Collective. */
double hiss_knn_percent(const hiss_eval_env *env, const hiss_features *bank, const hiss_features *query,
                        hiss_distance metric, int64_t k);

/* ---- what is cheap enough to be looked at while training goes on ---- */

/* Share of samples of test whose class ridge regression on the samples of train finds, per cent; see ridge.c. Both
 * labelled. Collective; one rank computes. Memory per rank: all rows of both. */
#define HISS_RIDGE 0.1 /* the penalty, by the mean eigenvalue */
double hiss_ridge_percent(const hiss_eval_env *env, const hiss_features *train, const hiss_features *test);

/* How far features are spread (Roy & Vetterli 2007; Chen & He 2021); see spectrum.c. */
typedef enum hiss_collapse {
    HISS_SPREAD,        /* none */
    HISS_ALL_ALIKE,     /* deviation sqrt(D) is below 0.03: the mean cosine of two samples is above 0.999 */
    HISS_ONE_DIRECTION, /* rank is below 1.5, of at least 8 dimensions */
} hiss_collapse;
typedef struct hiss_spectrum {
    double rank;      /* effective: exp of the entropy of the centred rows' singular values; 0: all rows are alike */
    double deviation; /* of x / |x|: mean over dimensions, about 1 / sqrt(D) when directions are spread, */
    double least;     /* and the least of them */
    hiss_collapse collapse;
} hiss_spectrum;
/* Of more than 512 dimensions and samples, rank is that of the first 512 samples. Collective; one rank computes. Memory
 * per rank: all rows. */
hiss_spectrum hiss_spectrum_of(const hiss_eval_env *env, const hiss_features *f);

/* ---- minimisation ---- */

/* A smooth function of count variables. Its functions are called with equal arguments on all ranks, and collective when
 * they say so themselves. */
typedef struct hiss_smooth {
    double (*value)(void *user, const double *x, double *gradient); /* f(x); writes the gradient [count] */
    void *user;
    int64_t count;
} hiss_smooth;
typedef struct hiss_minimum {
    double value, gradient; /* f, and the size of its gradient, at x: hiss_minimize has max |gradient|, a probe its norm
                               by that at W = 0, b = 0 */
    int64_t iterations, evaluations;
    bool converged; /* the size is at most the tolerance */
} hiss_minimum;

/* Minimise by L-BFGS (history of 20 steps). Deterministic.
 *   x       in/out  [count]
 * Stops after `iterations` steps, when max |gradient| is at most tolerance, or when no step improves f. */
void hiss_minimize(const hiss_smooth *f, double *x, int64_t iterations, double tolerance, hiss_minimum *report);

/* ---- linear probe ---- */

/* Multinomial logistic regression on standardised features: minimises
 *   mean over samples of -log softmax(W x + b)[label]  +  lambda/2 |W|^2. */
typedef struct hiss_probe {
    int64_t D, classes;
    float *mean, *inverse; /* [D] of the training samples; inverse = 1 / max(standard deviation, 1e-5) */
    double *w;             /* [classes * D] W row-major, then [classes] b */
    hiss_minimum minimum;
} hiss_probe;

/* Where a fit stops: the norm of the gradient of the loss above, over W and b, by that at W = 0, b = 0. */
#define HISS_PROBE_TOLERANCE 1e-6
#define HISS_ROUGH_TOLERANCE 1e-4 /* of the fits that choose lambda */

/* Fit on the samples of f that use[n] marks (NULL: all) until HISS_PROBE_TOLERANCE is met, in at most `iterations`
 * steps; minimum says whether it got there. Statistics are those of all samples of f. Collective.
 *   start  in  a probe of the same f to start from; NULL: zeros
 * Memory per rank: the local features once more and 8 (D + 1) classes bytes 70 times. Beside that, 32 n^2 bytes where n
 * is at most D and at most 3000; else 24 D^2 bytes where there are at least D / 2 samples and D is at most 2048. */
hiss_probe *hiss_probe_fit(const hiss_eval_env *env, const hiss_features *f, const bool *use, double lambda,
                           int64_t iterations, const hiss_probe *start);
void hiss_probe_destroy(hiss_probe *probe);
/* Share of samples whose largest logit is the label's (ties to the lower class), per cent, over the samples of f
 * that use[n] marks (NULL: all). Collective. */
double hiss_probe_percent(const hiss_eval_env *env, const hiss_probe *probe, const hiss_features *f, const bool *use);

/* Choose lambda on held-out training samples, then fit on all. Collective. Candidates are the powers of ten from 1e-4
 * to 1e-2, and further ones as long as the best is at an end, down to 1e-8 and up to 1e2. Held out: a fifth of each
 * class, drawn by key, 5000 in all at most. With fewer than HISS_TILE samples lambda is 1e-2. Ties go to the larger
 * lambda. */
enum { HISS_LAMBDAS = 11 };
extern const double hiss_lambdas[HISS_LAMBDAS]; /* ascending: 1e-8 .. 1e2 */
typedef struct hiss_linear_result {
    double percent, train_percent; /* of the test and of the training samples */
    double lambda;
    double heldout[HISS_LAMBDAS]; /* per cent on the held-out training samples; negative where not tried */
    bool at_edge;                 /* lambda is the first or last of hiss_lambdas, so a better one may lie beyond */
    int64_t unconverged;          /* fits of the choice that did not converge */
    hiss_minimum minimum;
} hiss_linear_result;
hiss_linear_result hiss_linear_probe(const hiss_eval_env *env, const hiss_features *train, const hiss_features *test,
                                     int64_t iterations);

/* ---- several classes a sample ---- */

/* Average precision, 0..1: area below precision over recall without interpolation, and the mean of 11 interpolated
 * precisions, as PASCAL VOC had it up to 2009; see average_precision.c. NAN where nothing is relevant. Not collective.
 *   score     in  [n], stride apart, finite: the higher the more likely
 *   target    in  [n], stride apart: 1 relevant, 0 not; others are left out
 *   relevant  in  how many there are in all, when some are not listed; negative: those listed */
typedef struct hiss_average_precision {
    double area, eleven;
} hiss_average_precision;
hiss_average_precision hiss_average_precision_of(int64_t n, const float *score, const uint8_t *target, int64_t stride,
                                                 int64_t relevant);

/* For each class an average precision, and their means over the classes that have one. Destroy frees what it holds. */
typedef struct hiss_precisions {
    int64_t classes, judged;      /* K; those with a sample that has the class */
    hiss_average_precision *each; /* [K] */
    hiss_average_precision mean;  /* NAN where no class is judged */
    double prior;                 /* mean share of samples that have a class: the area of scores that know nothing */
} hiss_precisions;
void hiss_precisions_destroy(hiss_precisions *p);
/* Of scores that are the features themselves, f->D = f->targets. Collective. */
hiss_precisions hiss_precisions_of(const hiss_eval_env *env, const hiss_features *f);

/* ---- boxes ---- */

/* Finding boxes by windows that are all looked at; see detection.c. None of these is collective. */
enum { HISS_BOX_VALUES = 5 }; /* of an object, as in field boxes: class (-1: no object), x0, y0, x1, y1 */
typedef struct hiss_found {   /* an object of a class that is thought to be there */
    float score;
    int32_t window; /* where; -1: none */
} hiss_found;
/* The windows of images of H x W, the image first. */
enum { HISS_WINDOWS = 270 };
void hiss_windows(int64_t H, int64_t W, hiss_box out[HISS_WINDOWS]);
/* Area of what two boxes have in common, by that of what either has; 0..1. */
double hiss_box_overlap(const hiss_box *a, const hiss_box *b);
/* Greedy non-maximum suppression: the highest scores, none of which overlaps a higher one by more than HISS_SUPPRESSED.
 * Equal scores in the order of windows.
 *   score  in   [HISS_WINDOWS], stride apart, finite
 *   found  out  [most], the highest first, filled up by those of window -1 */
#define HISS_SUPPRESSED 0.3
void hiss_suppress(const hiss_box window[HISS_WINDOWS], const float *score, int64_t stride, int64_t most,
                   hiss_found *found);
/* Average precision of each class in n images. What is found is right where it overlaps a box of its class by HISS_MATCHED
 * or more, the one that it overlaps most (the first of equals), and no higher score has been right about that box.
 *   found  in  [n, K, most], in each image by falling score
 *   box    in  [n, boxes, HISS_BOX_VALUES]
 *   right  out [n, K, most], or NULL
 * A class without a box has none (NAN); prior is NAN. Release by hiss_precisions_destroy. */
#define HISS_MATCHED 0.5
hiss_precisions hiss_box_precisions(int64_t n, int64_t K, int64_t most, const hiss_found *found,
                                    const hiss_box window[HISS_WINDOWS], int64_t boxes, const float *box, bool *right);
/* Per cent of the boxes that some window overlaps by HISS_MATCHED or more: the recall of a perfect classifier of
 * windows. NAN: there are no boxes. */
double hiss_box_reachable(const hiss_box window[HISS_WINDOWS], int64_t n, int64_t boxes, const float *box);

/* Linear probes, one for each class, that tell samples which have it from those that have not: logistic regression on
 * standardised features (hiss_probe of two classes). One lambda for all, of the highest mean area on held-out training
 * samples, chosen as by hiss_linear_probe. Collective. Both have targets, of the same K. */
typedef struct hiss_multilabel_result {
    hiss_precisions test;
    double lambda;
    double heldout[HISS_LAMBDAS]; /* mean area on the held-out training samples; negative where not tried */
    bool at_edge;                 /* see hiss_linear_result */
    int64_t unconverged;          /* of all fits */
    int64_t unknown;              /* classes in the means whose training samples all have it, or all have it not */
    int64_t unknown_first;        /* the first of them */
} hiss_multilabel_result;
hiss_multilabel_result hiss_multilabel_probe(const hiss_eval_env *env, const hiss_features *train,
                                             const hiss_features *test, int64_t iterations);

/* ---- MLP probe ---- */

/* A network of one hidden layer of ReLUs on standardised features, by Adam from weights drawn by env->seed: minimises
 *   mean over samples of the loss  +  lambda/2 (|W1|^2 + |W2|^2),
 * the loss -log softmax(y)[label], or, with several classes a sample, the sum over its judged classes k of
 * log(1 + exp(-y_k)) where it has the class, log(1 + exp(y_k)) where not. Lambda is chosen as by hiss_linear_probe,
 * with several classes by the mean area. Collective.
 *   hidden   in  units, >= 1
 *   several  in  both have targets, of the same K, and those are learnt; else both have labels
 * The end is stated, not found: 20 passes over the samples, or as many as 500 steps take; see mlp.c.
 * Memory per rank: the local features once more, 24 bytes per weight, and at most 80 more where gradients are summed. */
typedef struct hiss_mlp_result {
    double percent, train_percent; /* of the test and of the training samples; several: 0 */
    hiss_precisions test;          /* several */
    double lambda;
    double
        heldout[HISS_LAMBDAS]; /* per cent, or mean area, on the held-out training samples; negative where not tried */
    bool at_edge;              /* see hiss_linear_result */
    double loss;               /* mean over the last pass, without decay */
    int64_t steps;             /* of a fit */
} hiss_mlp_result;
hiss_mlp_result hiss_mlp_probe(const hiss_eval_env *env, const hiss_features *train, const hiss_features *test,
                               int64_t hidden, bool several);

/* ---- few-label probes ---- */

enum { HISS_FEW_SIZES = 3 };
extern const int64_t hiss_few_sizes[HISS_FEW_SIZES]; /* 10, 100, 1000 labels per class */

/* Means and standard deviations (n - 1) over keyed draws of so many labels per class (a class with fewer gives all). */
typedef struct hiss_few_result {
    int64_t draws;                                 /* 0: the training set is too small for this size */
    double linear, linear_spread, knn, knn_spread; /* linear: lambda 1e-2; knn: 5 neighbours, cosine; per cent */
    int64_t unconverged;                           /* of the fits */
} hiss_few_result;
/* For each of so many sizes, ascending. Collective. Draw d of labels[s] per class takes the first of class c in the keyed
 * order (seed, HISS_FOR_EVALUATION, d, c).
 *   labels, draws  in   [sizes]
 *   result         out  [sizes]
 * Memory: one draw's rows twice per rank, beside those of hiss_probe_fit. */
void hiss_few_labels(const hiss_eval_env *env, const hiss_features *train, const hiss_features *test, int sizes,
                     const int64_t *labels, const int64_t *draws, int64_t iterations, hiss_few_result *result);

/* ---- retrieval and pictures ---- */

/* The k nearest samples of bank for the samples index[count] of query (any order). Collective.
 *   k     1 .. 63
 *   same  bank and query are the same samples: a query does not find itself
 *   out   [count, k] on every rank */
void hiss_features_retrieve(const hiss_eval_env *env, const hiss_features *bank, const hiss_features *query, bool same,
                            int64_t count, const int64_t *index, int64_t k, hiss_distance metric, hiss_neighbor *out);

/* index[count] of n samples to show, drawn by key: the same for every run of one seed. Not collective. */
void hiss_draw_shown(uint64_t seed, int64_t n, int64_t count, int64_t *index);

/* A contact sheet: a row per query, the query at the left, its k neighbours at the right, images enlarged to at least
 * 56 pixels. With labels, neighbours have a green frame (same label) or a red one. Not collective.
 *   queries, bank  where the pixels come from, of one shape; index counts from the begin of its range */
hiss_status hiss_sheet_write(const char *path, const hiss_sample_range *queries, const hiss_sample_range *bank,
                             int64_t count, const int64_t *index, int64_t k, const hiss_neighbor *neighbor,
                             hiss_error *err);

/* Pairs of images in a grid, the first of each pair above the second, enlarged to at least 56 pixels. Not collective.
 *   pixels  [count, 2, H, W, C] */
hiss_status hiss_write_pairs(const char *path, int64_t count, int64_t H, int64_t W, int64_t C, const uint8_t *pixels,
                             hiss_error *err);

/* Images in a grid, enlarged to at least 56 pixels. Not collective.
 *   pixels  [rows, columns, H, W, C] */
hiss_status hiss_write_grid(const char *path, int64_t rows, int64_t columns, int64_t H, int64_t W, int64_t C,
                            const uint8_t *pixels, hiss_error *err);

/* Clips, frames enlarged by the least whole factor that makes them 56 pixels: all side by side, as an animated PNG
 * (hiss_animation_write), and as a still, a clip below the other, time going to the right, with more room before the clips of
 * the next row. Errors: HISS_EUSER, more than 2^27 pixels; those of writing. Not collective. */
hiss_status hiss_write_clips(const char *path, const hiss_clips *clips, hiss_error *err);
hiss_status hiss_write_strips(const char *path, const hiss_clips *clips, hiss_error *err);

/* First-layer filters w[F,R,S,C] as a grid, each stretched from its own minimum to its own maximum and enlarged; in
 * colour when C is 3, else the C planes side by side. Not collective. */
hiss_status hiss_filters_write(const char *path, int64_t F, int64_t R, int64_t S, int64_t C, const float *w,
                               hiss_error *err);

/* ---- charts: SVG line charts and bars. Not collective. ---- */

typedef enum hiss_stroke { HISS_SOLID, HISS_DASHED, HISS_DOTTED, HISS_STROKES } hiss_stroke;

typedef struct hiss_series {
    const char *name; /* in the legend; NULL: not listed */
    int64_t count;
    const double *x, *y;      /* [count]; points that are not finite interrupt the line */
    const double *low, *high; /* [count] NULL, or ends of a whisker on each point; not drawn where not finite */
    hiss_stroke stroke;
    bool dots, no_line;
    int colour; /* 0: by its place among the series; else 1 + a place */
} hiss_series;

typedef struct hiss_chart {
    const char *title, *x_label, *y_label; /* each may be NULL */
    int series;
    const hiss_series *serie; /* [series] */
    bool log_x, log_y;        /* points <= 0 are left out */
    bool zero_y;              /* the y axis includes 0 */
    /* Stacked bars in place of lines: every series has a y >= 0 for each of ticks places 0, 1, ...; x is not used. */
    bool stacked;
    int ticks;                /* 0: the x axis chooses its own; else they are */
    const double *tick;       /* [ticks]; NULL: 0, 1, 2, ... */
    const char *const *label; /* [ticks] their texts; NULL: the numbers */
    int width, height;        /* pixels; 0: 720 x 360 */
} hiss_chart;

/* Text with the characters that XML and HTML keep for themselves escaped. */
void hiss_text_write_escaped(FILE *stream, const char *text);

/* Charts, one under the other, as one <svg> element; also valid inside an HTML page. */
void hiss_charts_render(FILE *stream, int count, const hiss_chart *charts);
/* The same as a file, durably. */
hiss_status hiss_charts_write(const char *path, int count, const hiss_chart *charts, hiss_error *err);

/* The curves of a training run, a panel each. */
typedef struct hiss_curve {
    const char *name;
    const double *y; /* [count] */
    const double *x; /* [count] where it has points of its own; NULL: those of all */
    int64_t count;   /* with x */
} hiss_curve;
typedef struct hiss_curves {
    const char *title; /* NULL: none */
    int64_t count;
    const double *x; /* [count] epochs or steps */
    const char *x_label;
    int curves;
    const hiss_curve *curve; /* [curves] */
} hiss_curves;
/* One under the other, as an SVG file, durably. */
hiss_status hiss_curves_write(const char *path, const hiss_curves *curves, hiss_error *err);
/* As part of an HTML page that has hiss_page_style: side by side, as many as there is room for. */
void hiss_curves_html(FILE *stream, const hiss_curves *curves);

/* The style of pages that hiss_curves_html and hiss/judge.h write into: readable from 360 pixels on, and on paper. */
extern const char hiss_page_style[];
/* A page in that style without network or scripts, up to its heading TITLE; the browser says KIND: TITLE. It ends with
 * </body></html>. Not collective. */
void hiss_page_begin(FILE *stream, const char *kind, const char *title);

#endif
