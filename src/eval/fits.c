/* Fits of linear probes, side by side.
 *
 * A fit is a minimisation by L-BFGS (minimize.c), preconditioned where that pays (curvature.c), of features or of fewer
 * coordinates that say the same (row_space.c). Several fits on one feature set, for several lambdas say, want their
 * loss and gradient at a point each; all are computed in one pass over the features, by two products per tile of as many columns as there are fits times classes:
 *   logits[HISS_TILE, columns] = X W^T,    dW[columns, D] = R^T X,   R = softmax(logits) - onehot(label)
 * So the features are read once for all, and products of 10 columns, which wait for memory, become products of 30. A
 * column is one sum in order of its index, whatever stands beside it: the bits of a fit are those of the fit alone.
 *
 * Small things are doubles (W, b, the sums over tiles, the L-BFGS vectors, equal on all ranks); the products are
 * float32. Tile gradients are added by the canonical tree, so every rank count takes the same path. Samples that are
 * not to be fitted stay in their tiles, with a label of -1, like the padding of the last one. A fit that has converged
 * leaves the pass.
 *
 * The gradient is measured by its norm, relative to that at W = 0, b = 0. The preconditioner is made anew, at the
 * weights reached, each time the gradient has fallen to `stage` of what it was then, until it was made at a gradient
 * below `near`: probabilities hardly change from there on.
 *
 * Cost per pass: 4 n D classes flops per fit by ranks, one tree sum of (D + 1) classes doubles per fit. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"

enum { COLUMNS = 16 }; /* products have a multiple of them */

static const double stage = 0.05, near = 2e-3;

typedef struct fit {
    probe_fit *task;
    int64_t samples; /* marked */
    int32_t *label;  /* of this rank's rows; -1 where not marked */
    minimizer *minimizer;
    curvature_factor *factor; /* or NULL */
    row_factor *inverse;      /* or NULL */
    const double *point;
    double *gradient;    /* [(D + 1) classes] */
    double value, kappa; /* loss and mean of p (1 - p) at the point */
    double first;        /* |gradient| at zero weights */
    double size, staged; /* |gradient| by first: of the iterate, and when the factor was made */
    bool done;
} fit;

typedef struct pass {
    const hiss_eval_env *env;
    const hiss_features *f;
    const probe_base *base;
    int most;              /* fits at once */
    float *weight, *logit; /* [D, N], [HISS_TILE, N] for N columns */
    float *gradient;       /* [fits classes, stride] */
    double *tail;          /* [most, classes + 2]: db, loss, sum of p (1 - p) */
    double *total;
    tile_adder *sum; /* for `fits` fits */
    int fits;
} pass;

static int64_t columns_of(const pass *p, int fits) {
    return (fits * p->f->classes + COLUMNS - 1) / COLUMNS * COLUMNS;
}

/* exp of count numbers of at most 0, to 2 units in the last place; below -80 as at -80. In plain arithmetic, which the
 * compiler does on whole vectors: as for powf in the Cephes library (Moshier). */
static void exponentials(int64_t count, float *x) {
    for (int64_t i = 0; i < count; i++) {
        const float most = x[i] > -80.0f ? x[i] : -80.0f;
        const float whole = (most * 1.44269504f + 0x1.8p23f) - 0x1.8p23f;
        const float r = (most - whole * 0.693359375f) + whole * 2.12194440e-4f;
        float y = 1.9875691500e-4f;
        y = y * r + 1.3981999507e-3f;
        y = y * r + 8.3334519073e-3f;
        y = y * r + 4.1665795894e-2f;
        y = y * r + 1.6666665459e-1f;
        y = y * r + 5.0000001201e-1f;
        y = (y * r) * r + r + 1.0f;
        const union {
            int32_t bits;
            float power;
        } two = {((int32_t)whole + 127) << 23};
        x[i] = y * two.power;
    }
}

/* A row of logits r[classes] without b to probabilities; returns -log of that of label. */
static double softmax(int64_t classes, const float *bias, int32_t label, float *r) {
    float most = -INFINITY, sum = 0.0f;
    for (int64_t c = 0; c < classes; c++) {
        r[c] += bias[c];
        most = r[c] > most ? r[c] : most;
    }
    for (int64_t c = 0; c < classes; c++) {
        r[c] -= most;
    }
    const float own = r[label];
    exponentials(classes, r);
    for (int64_t c = 0; c < classes; c++) {
        sum += r[c];
    }
    const float inverse = 1.0f / sum;
    for (int64_t c = 0; c < classes; c++) {
        r[c] *= inverse;
    }
    return log((double)sum) - (double)own;
}

/* Columns of one fit: logits to softmax minus one-hot, zero in rows that are not marked. sums: db [classes], loss, sum
 * of p (1 - p). */
static void residuals(int64_t classes, int64_t N, const float *bias, const int32_t *label, float *logit, double *sums) {
    memset(sums, 0, sizeof(double) * (size_t)(classes + 2));
    for (int64_t row = 0; row < HISS_TILE; row++) {
        float *r = logit + row * N;
        if (label[row] < 0) {
            memset(r, 0, sizeof(float) * (size_t)classes);
            continue;
        }
        sums[classes] += softmax(classes, bias, label[row], r);
        float square = 0.0f;
        for (int64_t c = 0; c < classes; c++) {
            square += r[c] * r[c];
        }
        sums[classes + 1] += 1.0 - (double)square;
        r[label[row]] -= 1.0f;
        for (int64_t c = 0; c < classes; c++) {
            sums[c] += (double)r[c];
        }
    }
}

/* The points of the fits to weights [D, N] and biases [fits, classes]; other columns are zero. */
static void lay_out(const pass *p, int count, fit *const *fits, float *bias) {
    const int64_t D = p->f->D, classes = p->f->classes, N = columns_of(p, count);
    memset(p->weight, 0, sizeof(float) * (size_t)(D * N));
    for (int k = 0; k < count; k++) {
        for (int64_t c = 0; c < classes; c++) {
            const double *w = fits[k]->point + c * D;
            float *to = p->weight + k * classes + c;
            for (int64_t d = 0; d < D; d++) {
                to[d * N] = (float)w[d];
            }
            bias[k * classes + c] = (float)fits[k]->point[classes * D + c];
        }
    }
}

static void prepare_sum(pass *p, int count) {
    if (p->fits != count) {
        eval_tile_adder_destroy(p->sum);
        const int64_t length = count * (p->f->classes * p->base->stride + p->f->classes + 2);
        p->sum = eval_tile_adder_create(p->env, p->f, NULL, length);
        p->fits = count;
    }
}

/* From the sums over samples. */
static void finish(const pass *p, int k, int count, fit *z) {
    const int64_t D = p->f->D, classes = p->f->classes, stride = p->base->stride;
    const double *tail = p->total + count * classes * stride + k * (classes + 2), samples = (double)z->samples;
    double square = 0.0;
    for (int64_t c = 0; c < classes; c++) {
        const double *w = z->point + c * D, *from = p->total + (k * classes + c) * stride;
        for (int64_t d = 0; d < D; d++) {
            z->gradient[c * D + d] = from[d] / samples + z->task->lambda * w[d];
            square += w[d] * w[d];
        }
        z->gradient[classes * D + c] = tail[c] / samples;
    }
    z->value = tail[classes] / samples + 0.5 * z->task->lambda * square;
    z->kappa = tail[classes + 1] / (samples * (double)classes);
}

/* Loss and gradient of each fit at its point. */
static void evaluate(pass *p, int count, fit *const *fits) {
    const int64_t D = p->f->D, classes = p->f->classes, N = columns_of(p, count), first = p->f->first;
    const int64_t stride = p->base->stride;
    const hiss_kernels *kernels = p->env->kernels;
    float *bias = hiss_new(float, count *classes);
    prepare_sum(p, count);
    lay_out(p, count, fits, bias);
    for (int64_t t = first; t < p->f->end; t++) {
        const float *x = p->base->x + (t - first) * HISS_TILE * stride;
        kernels->narrow_product(false, HISS_TILE, N, D, x, stride, p->weight, p->logit);
        for (int k = 0; k < count; k++) {
            residuals(classes, N, bias + k * classes, fits[k]->label + (t - first) * HISS_TILE, p->logit + k * classes,
                      p->tail + k * (classes + 2));
        }
        kernels->narrow_product(true, count * classes, stride, HISS_TILE, p->logit, N, x, p->gradient);
        hiss_tree_adder_add(p->sum->adder, count * classes * stride, p->gradient, p->tail);
    }
    hiss_tree_adder_finish(p->sum->adder, p->total);
    for (int k = 0; k < count; k++) {
        finish(p, k, count, fits[k]);
    }
    hiss_free(bias);
}

static double norm(int64_t count, const double *x) {
    double square = 0.0;
    for (int64_t i = 0; i < count; i++) {
        square += x[i] * x[i];
    }
    return sqrt(square);
}

/* ---- the preconditioner ---- */

/* Probabilities of the sampled tiles at the iterate of z; 0 where not marked. */
static float *probabilities(pass *p, const fit *z) {
    const int64_t D = p->f->D, classes = p->f->classes, N = columns_of(p, 1);
    const bool *use = eval_curvature_tiles(p->base->curvature);
    fit at = *z, *const one[] = {&at};
    int64_t local = 0;
    for (int64_t t = p->f->first; t < p->f->end; t++) {
        local += use[t];
    }
    float *all = hiss_new(float, local *HISS_TILE *classes), *to = all, *bias = hiss_new(float, classes);
    at.point = z->task->probe->w;
    lay_out(p, 1, one, bias);
    for (int64_t t = p->f->first; t < p->f->end; t++) {
        if (!use[t]) {
            continue;
        }
        const int64_t row = (t - p->f->first) * HISS_TILE;
        p->env->kernels->narrow_product(false, HISS_TILE, N, D, p->base->x + row * p->base->stride, p->base->stride,
                                        p->weight, p->logit);
        for (int64_t i = 0; i < HISS_TILE; i++, to += classes) {
            const int32_t label = z->label[row + i];
            memcpy(to, p->logit + i * N, sizeof(float) * (size_t)classes);
            if (label >= 0) {
                softmax(classes, bias, label, to);
            } else {
                memset(to, 0, sizeof(float) * (size_t)classes);
            }
        }
    }
    hiss_free(bias);
    return all;
}

/* zero: the weights are zero. */
static void renew_curvature(pass *p, fit *z, bool zero) {
    const bool *use = eval_curvature_tiles(p->base->curvature);
    int64_t samples = 0;
    for (int64_t i = 0; i < p->f->n; i++) {
        samples += use[i / HISS_TILE] && (!z->task->use || z->task->use[i]);
    }
    if (!z->factor) {
        z->factor = eval_curvature_factor_create(p->base->curvature);
    }
    float *probability = zero ? NULL : probabilities(p, z);
    eval_curvature_factor(z->factor, probability, fmax((double)samples, 1.0), z->kappa, z->task->lambda);
    eval_minimizer_precondition(z->minimizer, eval_curvature_apply, z->factor);
    hiss_free(probability);
}

static void renew_inverse(const pass *p, fit *z) {
    if (!z->inverse) {
        z->inverse = eval_row_factor_create(p->base->space, p->f->classes);
        eval_minimizer_precondition(z->minimizer, eval_row_factor_apply, z->inverse);
    }
    eval_row_factor(z->inverse, z->kappa, z->task->lambda);
}

static void renew_factor(pass *p, fit *z, bool zero) {
    if (p->base->space) {
        renew_inverse(p, z);
    } else {
        renew_curvature(p, z, zero);
    }
    z->staged = z->size;
}

/* ---- the fits ---- */

static void begin(pass *p, fit *z, probe_fit *task) {
    const int64_t D = p->f->D, classes = p->f->classes, count = (D + 1) * classes;
    assert(!task->start || (task->start->D == D && task->start->classes == classes));
    task->probe = eval_probe_create(D, classes);
    z->task = task;
    z->samples = eval_count_marked(p->f, task->use);
    z->label = eval_marked_labels(p->f, task->use, task->label);
    z->gradient = hiss_new(double, count);
    z->minimizer = eval_minimizer_create(count, task->probe->w);
    z->point = task->probe->w;
}

static void end(fit *z) {
    z->task->probe->minimum = eval_minimizer_report(z->minimizer, z->size, z->task->tolerance);
    eval_minimizer_destroy(z->minimizer);
    eval_curvature_factor_destroy(z->factor);
    eval_row_factor_destroy(z->inverse);
    hiss_free(z->label);
    hiss_free(z->gradient);
}

/* Told the loss and gradient at its point. */
static void step(pass *p, fit *z) {
    if (!eval_minimizer_take(z->minimizer, z->value, z->gradient)) {
        return;
    }
    const double size = norm((p->f->D + 1) * p->f->classes, z->gradient);
    z->size = z->first > 0.0 ? size / z->first : 0.0;
    const hiss_minimum now = eval_minimizer_report(z->minimizer, z->size, z->task->tolerance);
    z->done = now.converged || now.iterations == z->task->iterations;
    const bool first = !z->factor && !z->inverse, worth = first || (z->staged > near && z->size <= stage * z->staged);
    if (!z->done && (p->base->curvature || p->base->space) && worth) {
        renew_factor(p, z, now.evaluations == 1 && !z->task->start);
    }
}

/* Those not done, with the points they want. */
static int choose(int count, fit *fits, fit **active) {
    int some = 0;
    for (int k = 0; k < count; k++) {
        fit *z = &fits[k];
        if (!z->done) {
            z->point = eval_minimizer_point(z->minimizer);
            z->done = eval_minimizer_stuck(z->minimizer);
        }
        if (!z->done) {
            active[some++] = z;
        }
    }
    return some;
}

/* Of the features that the base has, whose probes are without statistics. */
static void fit_inner(const hiss_eval_env *env, const probe_base *base, int count, probe_fit *tasks) {
    const int64_t D = base->inner->D, classes = base->inner->classes;
    pass p = {.env = env, .f = base->inner, .base = base, .most = count};
    fit *fits = hiss_new(fit, count), **active = hiss_new(fit *, count);
    const int64_t N = columns_of(&p, count);
    p.weight = hiss_new(float, D *N);
    p.logit = hiss_new(float, HISS_TILE *N);
    p.gradient = hiss_new(float, count *classes * base->stride);
    p.tail = hiss_new(double, count *(classes + 2));
    p.total = hiss_new(double, count *(classes * base->stride + classes + 2));
    for (int k = 0; k < count; k++) {
        begin(&p, &fits[k], &tasks[k]);
        active[k] = &fits[k];
    }
    evaluate(&p, count, active); /* at zero weights */
    for (int k = 0; k < count; k++) {
        fits[k].first = norm((D + 1) * classes, fits[k].gradient);
        if (tasks[k].start) {
            memcpy(tasks[k].probe->w, tasks[k].start->w, sizeof(double) * (size_t)((D + 1) * classes));
        } else {
            step(&p, &fits[k]);
        }
    }
    for (int some; (some = choose(count, fits, active)) > 0;) {
        evaluate(&p, some, active);
        for (int k = 0; k < some; k++) {
            step(&p, active[k]);
        }
    }
    for (int k = 0; k < count; k++) {
        end(&fits[k]);
    }
    eval_tile_adder_destroy(p.sum);
    void *const all[] = {p.weight, p.logit, p.gradient, p.tail, p.total, fits, active};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        hiss_free(all[i]);
    }
}

/* A probe in coordinates to one of the features, and back; from is lost. NULL stays. Collective. */
static hiss_probe *leave(const probe_base *base, hiss_probe *from) {
    hiss_probe *to = eval_probe_create(base->zero->D, from->classes);
    eval_row_space_leave(base->space, from->classes, from->w, to->w);
    to->minimum = from->minimum;
    hiss_probe_destroy(from);
    return to;
}

static hiss_probe *enter(const probe_base *base, const hiss_probe *from) {
    hiss_probe *to = eval_probe_create(base->inner->D, from->classes);
    eval_row_space_enter(base->space, from->classes, from->w, to->w);
    return to;
}

void eval_probe_fit(const hiss_eval_env *env, const probe_base *base, int count, probe_fit *tasks) {
    const size_t size = sizeof(float) * (size_t)base->zero->D;
    probe_fit *inner = hiss_new(probe_fit, count);
    hiss_probe **start = hiss_new(hiss_probe *, count);
    for (int k = 0; k < count; k++) {
        inner[k] = tasks[k];
        if (base->space && tasks[k].start) {
            inner[k].start = start[k] = enter(base, tasks[k].start);
        }
    }
    fit_inner(env, base, count, inner);
    for (int k = 0; k < count; k++) {
        hiss_probe *probe = base->space ? leave(base, inner[k].probe) : inner[k].probe;
        memcpy(probe->mean, base->zero->mean, size);
        memcpy(probe->inverse, base->zero->inverse, size);
        tasks[k].probe = probe;
        hiss_probe_destroy(start[k]);
    }
    hiss_free(inner);
    hiss_free(start);
}
