/* Shared inside src/eval only. */
#ifndef EVAL_IMPL_H
#define EVAL_IMPL_H

#include <stdint.h>

#include "hiss/comm.h"
#include "hiss/eval.h"
#include "hiss/kernels.h"
#include "hiss/objective.h"

/* Rows of tile t of f, which this rank owns. */
static inline const float *tile_rows(const hiss_features *f, int64_t t) {
    return f->rows + (t - f->first) * HISS_TILE * f->D;
}

static inline const int32_t *tile_labels(const hiss_features *f, int64_t t) {
    return f->label + (t - f->first) * HISS_TILE;
}

/* Samples in tile t: HISS_TILE but for the last one. */
static inline int64_t tile_count(const hiss_features *f, int64_t t) {
    return t < f->tiles - 1 ? HISS_TILE : f->n - t * HISS_TILE;
}

/* Room for K targets of each sample, none judged. Not collective. */
void eval_features_hold_targets(hiss_features *f, int64_t K);
/* What ranks hold of their samples, width bytes each, on every rank: all [n, width]. Collective. */
void eval_features_allgather(const hiss_eval_env *env, const hiss_features *f, const void *local, int64_t width,
                             void *all);

/* The rank that owns tile t. */
int eval_tile_owner(const hiss_features *f, int64_t t);

/* The same as hiss_features_subset, all of it on rank `owner`, as features of `alone`, its communicator of one; NULL on
 * the others. Collective on env. */
hiss_features *eval_features_collect(const hiss_eval_env *env, const hiss_features *f, const int64_t *index,
                                     int64_t count, const hiss_eval_env *alone, int owner);

/* Sum over tiles of vectors of doubles, in the order of hiss_tree_sum, over the tiles marked by use (NULL: all). */
typedef struct tile_sum {
    hiss_comm *comm;
    int64_t count;         /* doubles per vector */
    int64_t tiles;         /* marked, of all ranks */
    int64_t *offsets;      /* [P+1] marked tiles before each rank's */
    int64_t local;         /* marked tiles of this rank */
    int64_t *tile;         /* [local] their numbers */
    const double **values; /* [local] -> vector of that tile */
    double *storage;
} tile_sum;

tile_sum *eval_tile_sum_create(const hiss_eval_env *env, const hiss_features *f, const bool *use, int64_t count);
double *eval_tile_sum_vector(tile_sum *sum, int64_t local); /* zero at first; [count] */
void eval_tile_sum_run(tile_sum *sum, double *out);         /* Collective */
void eval_tile_sum_destroy(tile_sum *sum);

/* Which bank rows may be near enough to a query; see screen.c. Not collective. */
typedef struct screen screen;
enum { EVAL_SCREEN_COLUMNS = (HISS_TILE + HISS_BYTE_PANEL - 1) / HISS_BYTE_PANEL * HISS_BYTE_PANEL };
bool eval_screen_pays(const hiss_eval_env *env, const hiss_features *bank);
screen *eval_screen_create(const hiss_eval_env *env, const hiss_features *bank);
void eval_screen_destroy(screen *s);
void eval_screen_query(screen *s, const float *rows, int64_t count); /* rows [count, D], at most HISS_TILE */
void eval_screen_multiply(screen *s, int64_t tile, int64_t count);   /* the queries by that tile of the bank */
/* Bit m of marks[i] is set unless bank row i of the tile is further from query q than closeness[m]: q.b / |b| for
 * HISS_COSINE, -|q - b|^2 for HISS_L2. */
void eval_screen_mark(const screen *s, int64_t q, const double closeness[HISS_METRICS],
                      uint8_t marks[EVAL_SCREEN_COLUMNS]);
/* The same nearness as the products have it: the larger the nearer. For an order, not a proof. */
void eval_screen_estimate(const screen *s, int64_t q, hiss_distance metric, float estimate[EVAL_SCREEN_COLUMNS]);

/* The same sum for vectors that come tile after tile; see hiss_tree_adder. */
typedef struct tile_adder {
    int64_t local; /* marked tiles of this rank */
    int64_t *tile; /* [local] their numbers, ascending */
    int64_t *offsets;
    hiss_tree_adder *adder;
} tile_adder;
tile_adder *eval_tile_adder_create(const hiss_eval_env *env, const hiss_features *f, const bool *use, int64_t count);
void eval_tile_adder_destroy(tile_adder *sum);

/* Sum of a[i] b[i], in an order of its own. */
double eval_dot(int64_t count, const double *a, const double *b);

/* ---- minimisation ---- */

/* L-BFGS, one point at a time; see minimize.c. Not collective. */
typedef struct minimizer minimizer;
typedef void minimizer_precondition(void *user, const double *x, double *out); /* positive; [count] */
minimizer *eval_minimizer_create(int64_t count, double *x);                    /* x [count] in/out, not owned */
void eval_minimizer_destroy(minimizer *z);
void eval_minimizer_precondition(minimizer *z, minimizer_precondition *by, void *user); /* from now on */
/* Where the function is wanted next. To be asked whether it is stuck before the function is computed: no step improves
 * x. */
const double *eval_minimizer_point(minimizer *z);
bool eval_minimizer_stuck(const minimizer *z);
/* Told the function there; true when x is that point now. */
bool eval_minimizer_take(minimizer *z, double value, const double *gradient);
hiss_minimum eval_minimizer_report(const minimizer *z, double size, double tolerance); /* size of the gradient */

/* ---- features of a part, and as a file ---- */

/* The field of targets that features take along; NULL: there is none of that kind. Not collective. */
const hiss_field *eval_targets_of(const hiss_dataset *set);
/* hiss_features_extract of the samples begin .. begin + count - 1 of range, begin a multiple of HISS_TILE: the rows are
 * those that the whole range has there. Collective. */
hiss_status eval_features_extract_part(const hiss_eval_env *env, const hiss_sample_range *range, int64_t begin,
                                       int64_t count, int layers, const hiss_layer_size *layer, int64_t batch,
                                       hiss_embed embed, void *user, hiss_features **out, hiss_error *err);

/* A file of features that is being written, by one rank; see feature_file.c. None of these is collective. */
typedef struct feature_file feature_file;
/* Under a temporary name. n samples of set, with K targets each. It keeps its arguments. */
hiss_status eval_feature_file_create(const hiss_feature_output *output, hiss_dataset *set, int64_t n, int64_t K,
                                     int layers, const hiss_layer_size *layer, feature_file **out, hiss_error *err);
/* Rows [count, D] of a layer, or targets [count, K], of the samples from first on; each in ascending order. */
hiss_status eval_feature_file_rows(feature_file *f, int layer, int64_t first, int64_t count, const float *rows,
                                   hiss_error *err);
hiss_status eval_feature_file_targets(feature_file *f, int64_t first, int64_t count, const uint8_t *targets,
                                      hiss_error *err);
/* Complete it, read it back, and let it have its name; or, where status or one of these says so, remove it. NULL is
 * allowed. Returns status, or what went wrong. */
hiss_status eval_feature_file_end(feature_file *f, hiss_status status, hiss_error *err);

/* ---- fits ---- */

/* x [N, N] = L^-1 for a = L L^T, of which the lower triangle counts and which is lost; see factor.c. Not collective. */
void eval_inverse_factor(const hiss_eval_env *env, int64_t N, float *a, float *x);

/* [D, D] mean of x x^T over the samples of the tiles that use marks (NULL: all); x: this rank's rows, stride floats
 * apart, zero past n, which are read once. Collective. */
void eval_features_covariance(const hiss_eval_env *env, const hiss_features *f, const bool *use, const float *x,
                              int64_t stride, float *covariance);

/* Take mean [D] from every row of this rank. Not collective. */
void eval_features_centre(hiss_features *f, const float *mean);

/* Principal components; see pca.c. */
typedef struct pca pca;
/* Fitted on f, whose rows are centred by that; 1 <= components <= D; to rebuild at most batch rows at once. Collective. */
pca *eval_pca_fit(const hiss_eval_env *env, hiss_features *f, int64_t components, int64_t batch);
void eval_pca_destroy(pca *p); /* NULL is allowed */
/* rebuilt [count, D]: what the components say of rows [count, D]. Not collective. */
void eval_pca_rebuild(const pca *p, int64_t count, const float *rows, float *rebuilt);

/* The best affine filter of a corruption; see wiener.c. */
typedef struct wiener wiener;
/* For images like those of f, whose rows are centred by that. Collective. */
wiener *eval_wiener_fit(const hiss_eval_env *env, hiss_features *f, const hiss_corruption_moments *corruption);
void eval_wiener_destroy(wiener *w); /* NULL is allowed */
/* cleaned [count, D] of corrupted rows [count, D], which are lost. Not collective. */
void eval_wiener_clean(const wiener *w, int64_t count, float *rows, float *cleaned);

/* A Gaussian fitted to features, and the Frechet distance of two; see frechet.c. */
typedef struct gaussian {
    int64_t D;
    double *mean, *covariance; /* [D], [D, D] */
} gaussian;
gaussian *eval_gaussian_create(int64_t D); /* all zero. Not collective, as is all below but the fit */
gaussian *eval_gaussian_fit(const hiss_eval_env *env, const hiss_features *f); /* Collective */
void eval_gaussian_destroy(gaussian *g);                                       /* NULL is allowed */
typedef struct frechet frechet;
frechet *eval_frechet_create(const gaussian *from); /* from outlives it */
void eval_frechet_destroy(frechet *f);              /* NULL is allowed */
double eval_frechet_distance(frechet *f, const gaussian *to);

/* An approximate second derivative; see curvature.c. */
typedef struct curvature curvature;
typedef struct curvature_factor curvature_factor;
bool eval_curvature_pays(const hiss_features *f);
/* x: the standardised rows of this rank, stride floats apart, which are read once. Collective. */
curvature *eval_curvature_create(const hiss_eval_env *env, const hiss_features *f, const float *x, int64_t stride);
void eval_curvature_destroy(curvature *c);
const bool *eval_curvature_tiles(const curvature *c); /* those it is taken from */
curvature_factor *eval_curvature_factor_create(const curvature *c);
void eval_curvature_factor_destroy(curvature_factor *k);
/* Made anew for weights, by probability [local tiles of eval_curvature_tiles, HISS_TILE, classes], which is 0 for
 * samples that are not fitted, or NULL for zero weights; samples: how many are fitted, in these tiles; kappa: mean of p (1 - p). Collective. */
void eval_curvature_factor(curvature_factor *k, const float *probability, double samples, double kappa, double lambda);
/* A minimizer_precondition; factor: a curvature_factor. */
void eval_curvature_apply(void *factor, const double *gradient, double *out);

/* a [n, n] = U T U^T: T has diagonal [n] and, on both sides of it, beside [n], the last of which is left alone; u [n, n].
 * Of a the upper triangle counts, and is lost; see tridiagonal.c. Not collective. */
void eval_tridiagonalize(int64_t n, double *a, double *diagonal, double *beside, double *u);

/* The eigenvalues of a symmetric matrix [n, n], which is lost, in no order; see spectrum.c. Not collective, as is the
 * effective rank of rows [n, D]. */
void eval_eigenvalues(int64_t n, double *a, double *value);
double eval_effective_rank(int64_t n, int64_t D, const float *rows);

/* Features of few samples by as many coordinates: the same problem for a probe; see row_space.c. */
typedef struct row_space row_space;
typedef struct row_factor row_factor;
bool eval_row_space_pays(const hiss_features *f);
/* x: the standardised rows of this rank, stride floats apart. They and f outlive it. Collective. */
row_space *eval_row_space_create(const hiss_eval_env *env, const hiss_features *f, const float *x, int64_t stride);
void eval_row_space_destroy(row_space *r);       /* NULL is allowed */
int64_t eval_row_space_rank(const row_space *r); /* coordinates: 1 .. n */
/* z: this rank's rows in coordinates, stride floats apart; what is past them is left alone. Not collective. */
void eval_row_space_rows(const row_space *r, int64_t stride, float *z);
/* Weights in coordinates, inner [classes, rank], and biases, to those of features, outer [classes, D], and back: what of
 * outer no sample sees is lost. Collective. */
void eval_row_space_leave(const row_space *r, int64_t classes, const double *inner, double *outer);
void eval_row_space_enter(const row_space *r, int64_t classes, const double *outer, double *inner);
/* The inverse of kappa S + lambda I for each class, S the covariance of the coordinates. Not collective. */
row_factor *eval_row_factor_create(const row_space *r, int64_t classes);
void eval_row_factor_destroy(row_factor *k); /* NULL is allowed */
void eval_row_factor(row_factor *k, double kappa, double lambda);
void eval_row_factor_apply(void *factor, const double *gradient, double *out); /* a minimizer_precondition */

hiss_probe *eval_probe_create(int64_t D, int64_t classes);
/* One of zero weights, with the mean and deviation of the samples of f. Collective. */
hiss_probe *eval_probe_statistics(const hiss_eval_env *env, const hiss_features *f);
/* Rows [count, D] standardised into x [HISS_TILE, stride]; the rest is zero. Not collective. */
void eval_standardise(const hiss_probe *statistics, const float *rows, int64_t count, int64_t stride, float *x);
/* Labels of this rank's rows (label NULL: those of f), -1 where use does not mark them; how many it marks. */
int32_t *eval_marked_labels(const hiss_features *f, const bool *use, const int32_t *label);
int64_t eval_count_marked(const hiss_features *f, const bool *use);

/* hiss_probe_percent of several at once, whose statistics may differ: percent [count]. Collective. */
void eval_probe_percents(const hiss_eval_env *env, int64_t count, hiss_probe *const *probes, const hiss_features *f,
                         const bool *use, double *percent);

/* all [n, count] on every rank: what each probe, of two classes, says for the second rather than the first. The probes
 * share their statistics. Collective. */
void eval_probe_margins(const hiss_eval_env *env, int64_t count, hiss_probe *const *probes, const hiss_features *f,
                        float *all);

/* What fits on one feature set share. */
typedef struct probe_base {
    hiss_probe *zero;     /* statistics, weights zero */
    hiss_features *inner; /* n samples and labels as the fits have them; D: their dimensions. No rows */
    int64_t stride;       /* D of inner rounded up to a multiple of 16 */
    float *x;             /* [local tiles, HISS_TILE, stride] standardised; zero past D and past n */
    curvature *curvature; /* or NULL */
    row_space *space;     /* x is in its coordinates; or NULL: x is the features */
    float *standardised;  /* the features, when x is in coordinates; or NULL */
} probe_base;
probe_base eval_probe_base_create(const hiss_eval_env *env, const hiss_features *f); /* Collective */
void eval_probe_base_destroy(probe_base *base);

typedef struct probe_fit {
    const bool *use; /* [n] or NULL: all */
    double lambda;
    double tolerance;        /* of the norm of the gradient, by that at zero weights */
    int64_t iterations;      /* at most */
    const hiss_probe *start; /* or NULL: zeros */
    hiss_probe *probe;       /* out */
    const int32_t *label;    /* of this rank's rows, in place of those of the features. NULL: those */
} probe_fit;
/* Fit side by side; the bits are those of each fit alone. Collective. */
void eval_probe_fit(const hiss_eval_env *env, const probe_base *base, int count, probe_fit *fits);

/* Of hiss_lambdas the best, and those beyond an end where it lies: the choice of hiss_linear_probe. try_some fits the lambdas low
 * .. high, from the fit of lambda number start (negative: from zeros), and writes heldout[low .. high], which holds
 * negative numbers before. */
typedef void lambda_trial(void *user, int low, int high, int start);
int eval_search_lambdas(const double heldout[HISS_LAMBDAS], lambda_trial *try_some, void *user, bool *at_edge);
enum { LAMBDA_SHARE = 5, LAMBDA_MOST = 5000 }; /* one in so many is held out to choose lambda, and at most so many */
/* Mark them in held [n], drawn within each class or, where classes are none of one sample's, among all. Returns how many.
 * Collective. */
int64_t eval_hold_out(const hiss_eval_env *env, const hiss_features *f, bool by_class, bool *held);

/* Average precisions of score [n, K] and target [n, K] of all samples. Not collective. */
hiss_precisions eval_precisions(int64_t n, int64_t K, const float *score, const uint8_t *target);

/* ---- networks of one hidden layer; see mlp.c ---- */

typedef struct mlp {
    int64_t D, H, K; /* inputs, hidden units, outputs */
    bool several;    /* an output is the logit of one class, present or not; else all are those of a softmax */
    const hiss_probe *statistics; /* standardise what it sees; not owned */
    float *w;                     /* W1 [H, D], b1 [H], W2 [K, H], b2 [K] */
    double loss;                  /* mean over the samples of the last pass, without decay */
    int64_t steps;
} mlp;
int64_t eval_mlp_parameters(int64_t D, int64_t H, int64_t K);

/* Samples to train on, standardised and in an order drawn by env->seed. */
typedef struct mlp_samples {
    hiss_features *f;             /* with labels */
    uint8_t *target;              /* [local rows, K], HISS_NOT_JUDGED past n; or NULL: they have one class each */
    const hiss_probe *statistics; /* not owned */
} mlp_samples;
/* Of those that use [n] marks (NULL: all); target [n, f->targets] of all samples, or NULL. Collective. */
mlp_samples eval_mlp_samples_create(const hiss_eval_env *env, const hiss_features *f, const hiss_probe *statistics,
                                    const bool *use, const uint8_t *target);
void eval_mlp_samples_destroy(mlp_samples *s);

mlp *eval_mlp_fit(const hiss_eval_env *env, const mlp_samples *s, int64_t hidden, double lambda); /* Collective */
/* The same with another end. Collective. */
mlp *eval_mlp_fit_epochs(const hiss_eval_env *env, const mlp_samples *s, int64_t hidden, double lambda, int64_t epochs);
void eval_mlp_destroy(mlp *net); /* NULL is allowed */

/* Room for a tile. */
typedef struct mlp_work {
    float *x, *hidden, *slope, *output; /* [HISS_TILE] times D, H, H, K */
} mlp_work;
mlp_work eval_mlp_work_create(const mlp *net);
void eval_mlp_work_destroy(mlp_work *work);
/* Sum of the losses of a tile of standardised rows x, and its gradient as net->w lies, without decay. label [HISS_TILE],
 * -1: not fitted; or target [HISS_TILE, K]. Not collective. */
double eval_mlp_gradient(const hiss_eval_env *env, const mlp *net, const float *x, const int32_t *label,
                         const uint8_t *target, const mlp_work *work, float *gradient);

/* As hiss_probe_percent; and outputs of all samples on every rank, all [n, K]. Collective. */
double eval_mlp_percent(const hiss_eval_env *env, const mlp *net, const hiss_features *f, const bool *use);
void eval_mlp_scores(const hiss_eval_env *env, const mlp *net, const hiss_features *f, float *all);

/* hiss_few_labels; draws of more numbers than most_alone are fitted by all ranks together. Collective. */
void eval_few_labels(const hiss_eval_env *env, const hiss_features *train, const hiss_features *test, int sizes,
                     const int64_t *labels, const int64_t *draws, int64_t iterations, int64_t most_alone,
                     hiss_few_result *result);

/* Mark `wanted` of n samples, drawn by key within each class in proportion to its size: of class c the first ones in
 * the keyed order (seed, HISS_FOR_EVALUATION, when, c). A label that is not in 0 .. classes - 1 counts as a class of
 * its own. keep_both: what is marked and what is not both get a sample of each class that has two, and classes of one
 * sample are not marked. Returns how many are marked: wanted, but for what keep_both asks. Not collective. label [n]
 * NULL: all of one class */
enum {
    DRAW_FOR_TEST = 2000,
    DRAW_FOR_LAMBDA,
    DRAW_OF_TRAIN,
    DRAW_OF_TEST,
    DRAW_FOR_MLP
}; /* when; few-label draws are below */
int64_t eval_draw_by_class(uint64_t seed, int64_t when, int64_t n, const int32_t *label, int64_t classes,
                           int64_t wanted, bool keep_both, bool *marked);

#endif
