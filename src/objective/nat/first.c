/* What the first permutation matches (assign.first), when it is not z.
 *
 * The features of a network that has learnt nothing come out of layers of random weights, each of which has lost some of
 * what tells images apart, and the first permutation fixes their neighbourhoods: targets are learnt from then on, and
 * later permutations follow what was learnt. docs/systems/nat.md has what that costs. Principal components of the images, or
 * of a layer near them, are a better start, and cost little.
 *
 * The k-th component is divided by l_k^(1/4), l_k its variance, which takes half of its advantage in deviation over the
 * later ones away: a permutation of what is not scaled sees the first few alone, one of what is whitened sees noise.
 * Images are the view that evaluation sees, in squares of so many pixels that a sample has AREAS values at most, and,
 * where views are mirrored, the mean with their mirror image. Layers are those of training mode, the mean over
 * assign.views views.
 *
 * Cost, once: one pass of features over the data, or one for each view, and 2 n D^2 / P flops of the covariance. Memory:
 * n D / P floats, and what the covariance takes. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "hiss/log.h"
#include "objective/nat/nat.h"
#include "objective/parts/covariance.h"

enum { AREAS = 1024, MOST = 2048, DRAW_OF_SUBSPACE = 1 };
static const char last[] = "z", image_name[] = "image";

bool nat_starts_from_z(const nat *n) {
    return n->options->scope != NAT_DATASET || n->options->every == 0 || strcmp(n->options->first, last) == 0;
}

static hiss_status fail_name(const nat *n, const hiss_taps *taps, hiss_error *err) {
    char names[512] = "";
    size_t used = 0;
    for (int k = 0; k < taps->count && used < sizeof names - HISS_TAP_NAME; k++) {
        used += (size_t)snprintf(names + used, sizeof names - used, ", %s", taps->tap[k].name);
    }
    return hiss_fail_key(err, HISS_EUSER, "assign.first", "'%.80s' is none of %s%s", n->options->first, image_name,
                         names);
}

/* Of the squares that images are cut into. */
static int64_t side_of(const hiss_task *task) {
    int64_t side = 1;
    while ((task->H / side) * (task->W / side) * task->C > AREAS) {
        side++;
    }
    return side;
}

static hiss_value squares(const hiss_task *task, hiss_builder *b, hiss_value image) {
    const int64_t side = side_of(task);
    return side > 1 ? hiss_graph_average_pool(b->graph, image, side, side, 0) : image;
}

hiss_status nat_first_build(nat *n, hiss_builder *b, hiss_value image, const hiss_taps *taps, hiss_error *err) {
    if (strcmp(n->options->first, last) == 0) {
        return HISS_OK;
    }
    const bool layer = strcmp(n->options->first, image_name) != 0;
    const int at = layer ? hiss_taps_find(taps, n->options->first) : -1;
    if (layer && at < 0) {
        return fail_name(n, taps, err);
    }
    if (nat_starts_from_z(n)) {
        return HISS_OK;
    }
    n->first = layer ? taps->tap[at].value : squares(n->task, b, image);
    hiss_graph_keep(b->graph, n->first);
    const hiss_shape shape = hiss_graph_shape(b->graph, n->first);
    n->first_floats = hiss_shape_count(&shape) / n->placement->m;
    return n->first_floats <= MOST
               ? HISS_OK
               : hiss_fail_key(err, HISS_EUSER, "assign.first",
                               "%s has %lld values a sample, but components are found of %d at most; name a later "
                               "layer, or %s",
                               n->options->first, (long long)n->first_floats, MOST, image_name);
}

/* image [H,W,C] becomes its mean with its mirror image. */
static void add_mirror(int64_t H, int64_t W, int64_t C, float *image) {
    for (int64_t y = 0; y < H; y++) {
        for (int64_t x = 0; x < (W + 1) / 2; x++) {
            for (int64_t c = 0; c < C; c++) {
                float *a = image + (y * W + x) * C + c, *b = image + (y * W + W - 1 - x) * C + c;
                *a = *b = 0.5f * (*a + *b);
            }
        }
    }
}

static hiss_status read_images(const nat *n, const hiss_epoch *e, float *rows, hiss_error *err) {
    const hiss_task *task = n->task;
    const hiss_status s = e->features(e->trainer, 0, n->first, HISS_VIEW_CENTER, rows, err);
    if (s == HISS_OK && task->augment->flip) {
        const int64_t side = side_of(task);
        for (int64_t i = 0; i < n->local_samples; i++) {
            add_mirror(task->H / side, task->W / side, task->C, rows + i * n->first_floats);
        }
    }
    return s;
}

typedef struct projection {
    const nat *n;
    int64_t k;       /* components; those of d that are missing stay 0 */
    double *mean;    /* [D] */
    float *vector;   /* [k, D], scaled */
    float *rows;     /* [local samples, D] */
    float *features; /* [local samples, d] */
} projection;

/* Products have shapes that depend on the lane alone. */
static void project_lane(void *user, int thread, int64_t local) {
    (void)thread;
    const projection *p = user;
    const hiss_placement *at = p->n->placement;
    const int64_t D = p->n->first_floats, d = p->n->options->dim, lane = at->first_lane + local;
    const int64_t begin = at->shards[lane] - p->n->first_sample, count = at->shards[lane + 1] - at->shards[lane];
    float *rows = p->rows + begin * D;
    for (int64_t i = 0; i < count * D; i++) {
        rows[i] = (float)((double)rows[i] - p->mean[i % D]);
    }
    p->n->task->kernels->gemm(false, true, count, p->k, D, 1.0f, rows, D, p->vector, D, 0.0f, p->features + begin * d,
                              d);
}

/* The directions of the components, each divided by the fourth root of its variance; what does not vary becomes 0. */
static void find_components(const nat *n, const hiss_epoch *e, projection *p) {
    const int64_t D = n->first_floats;
    double *covariance = hiss_new(double, D *D), *variance = hiss_new(double, p->k);
    float *matrix = hiss_new(float, D *D);
    objective_covariance(n->task, n->placement, e, 1, D, p->rows, p->mean, covariance);
    for (int64_t i = 0; i < D * D; i++) {
        matrix[i] = (float)covariance[i];
    }
    hiss_leading_eigenvectors(n->task->kernels, hiss_rng_keyed(n->task->seed, HISS_FOR_ASSIGNMENT, 0, DRAW_OF_SUBSPACE),
                              D, matrix, p->k, variance, p->vector);
    double trace = 0.0, kept = 0.0;
    for (int64_t i = 0; i < D; i++) {
        trace += covariance[i * D + i];
    }
    for (int64_t k = 0; k < p->k; k++) {
        const bool varies = variance[k] > 1e-6 * variance[0] && variance[0] > 0.0;
        const double scale = varies ? pow(variance[k], -0.25) : 0.0;
        kept += fmax(variance[k], 0.0);
        for (int64_t i = 0; i < D; i++) {
            p->vector[k * D + i] = (float)(scale * (double)p->vector[k * D + i]);
        }
    }
    hiss_info("nat: first permutation: %lld principal components of %s hold %.1f %% of the variance", (long long)p->k,
              n->options->first, trace > 0.0 ? 100.0 * kept / trace : 0.0);
    hiss_free(covariance);
    hiss_free(variance);
    hiss_free(matrix);
}

hiss_status nat_first_features(const nat *n, const hiss_epoch *e, float *features, hiss_error *err) {
    const int64_t D = n->first_floats, d = n->options->dim;
    projection p = {.n = n,
                    .k = d < D ? d : D,
                    .mean = hiss_new(double, D),
                    .rows = hiss_new(float, n->local_samples *D),
                    .features = features};
    p.vector = hiss_new(float, p.k *D);
    const bool images = strcmp(n->options->first, image_name) == 0;
    hiss_status s = images ? read_images(n, e, p.rows, err) : nat_mean_views(n, e, n->first, D, p.rows, err);
    s = hiss_comm_agree(n->placement->comm, s, err);
    if (s == HISS_OK) {
        find_components(n, e, &p);
        memset(features, 0, sizeof(float) * (size_t)(n->local_samples * d));
        e->parallel(e->trainer, n->placement->end_lane - n->placement->first_lane, project_lane, &p);
    }
    hiss_free(p.mean);
    hiss_free(p.vector);
    hiss_free(p.rows);
    return s;
}
