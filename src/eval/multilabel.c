/* Linear probes of samples that may have several classes: for each class one that tells those which have it from those
 * that have not (one against the rest).
 *
 * Each is a probe of two classes (fits.c), whose margin ranks the samples; samples whose target of that class is not
 * judged are not fitted. A class that no fitted sample has, or all have, has no probe, and its margin is 0: nothing is
 * known. Classes share lambda, because what is wanted is the mean of their average precisions. */
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"

enum { CLASSES_AT_ONCE = 4 }; /* a fit holds a factor of [D, D] */

typedef struct multilabel {
    const hiss_eval_env *env;
    const hiss_features *f; /* of the training samples, as of two classes */
    int64_t K, iterations;
    probe_base base;
    uint8_t *target;     /* [n, K] of all training samples */
    bool *held;          /* [n] to choose lambda, not fitted then */
    bool *use;           /* [K, n] */
    int32_t *label;      /* [K, local rows] */
    bool *known;         /* [K] has a probe */
    hiss_probe **fitted; /* [HISS_LAMBDAS, K] */
    hiss_multilabel_result *result;
} multilabel;

void hiss_precisions_destroy(hiss_precisions *p) {
    hiss_free(p->each);
    p->each = NULL;
}

hiss_precisions eval_precisions(int64_t n, int64_t K, const float *score, const uint8_t *target) {
    hiss_precisions p = {.classes = K, .each = hiss_new(hiss_average_precision, K)};
    for (int64_t k = 0; k < K; k++) {
        int64_t relevant = 0, judged = 0;
        for (int64_t i = 0; i < n; i++) {
            relevant += target[i * K + k] == 1;
            judged += target[i * K + k] <= 1;
        }
        p.each[k] = hiss_average_precision_of(n, score + k, target + k, K, -1);
        if (relevant > 0) {
            p.judged++;
            p.mean.area += p.each[k].area;
            p.mean.eleven += p.each[k].eleven;
            p.prior += (double)relevant / (double)judged;
        }
    }
    const double by = p.judged > 0 ? 1.0 / (double)p.judged : (double)NAN;
    p.mean.area *= by;
    p.mean.eleven *= by;
    p.prior *= by;
    return p;
}

hiss_precisions hiss_precisions_of(const hiss_eval_env *env, const hiss_features *f) {
    uint8_t *target = hiss_new(uint8_t, f->n * f->targets);
    float *score = hiss_new(float, f->n * f->D);
    hiss_features_targets(env, f, target);
    eval_features_allgather(env, f, f->rows, (int64_t)sizeof(float) * f->D, score);
    const hiss_precisions p = eval_precisions(f->n, f->targets, score, target);
    hiss_free(target);
    hiss_free(score);
    return p;
}

/* What is fitted of each class; held: without those held out. */
static void choose(multilabel *m, bool without_held) {
    for (int64_t k = 0; k < m->K; k++) {
        bool has[2] = {false, false};
        for (int64_t i = 0; i < m->f->n; i++) {
            const uint8_t target = m->target[i * m->K + k];
            const bool fits = target <= 1 && !(without_held && m->held[i]);
            m->use[k * m->f->n + i] = fits;
            if (fits) {
                has[target] = true;
            }
        }
        m->known[k] = has[0] && has[1];
    }
}

static void label_classes(multilabel *m) {
    const int64_t rows = (m->f->end - m->f->first) * HISS_TILE;
    for (int64_t k = 0; k < m->K; k++) {
        for (int64_t i = 0; i < rows; i++) {
            const uint8_t target = m->f->target[i * m->K + k];
            m->label[k * rows + i] = target <= 1 ? target : -1;
        }
    }
}

/* A probe that knows nothing. */
static hiss_probe *ignorant(const multilabel *m) {
    const hiss_probe *zero = m->base.zero;
    hiss_probe *probe = eval_probe_create(zero->D, zero->classes);
    memcpy(probe->mean, zero->mean, sizeof(float) * (size_t)zero->D);
    memcpy(probe->inverse, zero->inverse, sizeof(float) * (size_t)zero->D);
    return probe;
}

/* Probes of all classes for the lambdas [low, high] into m->fitted; of a class without one, one that knows nothing. */
static void fit(multilabel *m, int low, int high, int start, double tolerance) {
    const int64_t n = m->f->n, rows = (m->f->end - m->f->first) * HISS_TILE;
    probe_fit fits[CLASSES_AT_ONCE * HISS_LAMBDAS];
    for (int64_t first = 0; first < m->K; first += CLASSES_AT_ONCE) {
        const int64_t end = first + CLASSES_AT_ONCE < m->K ? first + CLASSES_AT_ONCE : m->K;
        int count = 0;
        for (int64_t k = first; k < end; k++) {
            for (int i = low; i <= high && m->known[k]; i++) {
                fits[count++] = (probe_fit){.use = m->use + k * n,
                                            .lambda = hiss_lambdas[i],
                                            .tolerance = tolerance,
                                            .iterations = m->iterations,
                                            .start = start < 0 ? NULL : m->fitted[start * m->K + k],
                                            .label = m->label + k * rows};
            }
        }
        if (count > 0) {
            eval_probe_fit(m->env, &m->base, count, fits);
        }
        for (int64_t k = end - 1; k >= first; k--) {
            for (int i = high; i >= low; i--) {
                hiss_probe **to = &m->fitted[i * m->K + k];
                hiss_probe_destroy(*to);
                *to = m->known[k] ? fits[--count].probe : ignorant(m);
                m->result->unconverged += m->known[k] && !(*to)->minimum.converged;
            }
        }
    }
}

/* Mean area of probes [K] on samples of f whose targets are these. */
static hiss_precisions judge(const hiss_eval_env *env, int64_t K, hiss_probe *const *probes, const hiss_features *f,
                             const uint8_t *target) {
    float *margin = hiss_new(float, f->n *K);
    eval_probe_margins(env, K, probes, f, margin);
    const hiss_precisions p = eval_precisions(f->n, K, margin, target);
    hiss_free(margin);
    return p;
}

/* A lambda_trial. */
static void try_lambdas(void *user, int low, int high, int start) {
    multilabel *m = user;
    uint8_t *target = hiss_new(uint8_t, m->f->n * m->K);
    for (int64_t i = 0; i < m->f->n * m->K; i++) {
        target[i] = m->held[i / m->K] ? m->target[i] : HISS_NOT_JUDGED;
    }
    fit(m, low, high, start, HISS_ROUGH_TOLERANCE);
    for (int i = low; i <= high; i++) {
        hiss_precisions p = judge(m->env, m->K, m->fitted + i * m->K, m->f, target);
        m->result->heldout[i] = p.judged > 0 ? p.mean.area : 0.0;
        hiss_precisions_destroy(&p);
    }
    hiss_free(target);
}

static multilabel multilabel_create(const hiss_eval_env *env, const hiss_features *two, int64_t iterations,
                                    hiss_multilabel_result *result) {
    const int64_t n = two->n, K = two->targets, rows = (two->end - two->first) * HISS_TILE;
    multilabel m = {.env = env,
                    .f = two,
                    .K = K,
                    .iterations = iterations,
                    .base = eval_probe_base_create(env, two),
                    .target = hiss_new(uint8_t, n * K),
                    .held = hiss_new(bool, n),
                    .use = hiss_new(bool, n *K),
                    .label = hiss_new(int32_t, rows * K),
                    .known = hiss_new(bool, K),
                    .fitted = hiss_new(hiss_probe *, HISS_LAMBDAS * K),
                    .result = result};
    hiss_features_targets(env, two, m.target);
    label_classes(&m);
    return m;
}

static void multilabel_destroy(multilabel *m) {
    for (int64_t i = 0; i < HISS_LAMBDAS * m->K; i++) {
        hiss_probe_destroy(m->fitted[i]);
    }
    eval_probe_base_destroy(&m->base);
    void *const all[] = {m->target, m->held, m->use, m->label, m->known, m->fitted};
    for (int i = 0; i < HISS_COUNT(all); i++) {
        hiss_free(all[i]);
    }
}

hiss_multilabel_result hiss_multilabel_probe(const hiss_eval_env *env, const hiss_features *train,
                                             const hiss_features *test, int64_t iterations) {
    enum { FALLBACK = 6 };
    hiss_features two = *train;
    hiss_multilabel_result result = {.lambda = hiss_lambdas[FALLBACK]};
    two.classes = 2;
    multilabel m = multilabel_create(env, &two, iterations, &result);
    int best = FALLBACK, start = -1;
    for (int i = 0; i < HISS_LAMBDAS; i++) {
        result.heldout[i] = -1.0;
    }
    if (train->n > HISS_TILE) {
        eval_hold_out(env, train, false, m.held);
        choose(&m, true);
        best = start = eval_search_lambdas(result.heldout, try_lambdas, &m, &result.at_edge);
        result.lambda = hiss_lambdas[best];
    }
    choose(&m, false);
    fit(&m, best, best, start, HISS_PROBE_TOLERANCE);
    uint8_t *target = hiss_new(uint8_t, test->n * m.K);
    hiss_features_targets(env, test, target);
    result.test = judge(env, m.K, m.fitted + best * m.K, test, target);
    for (int64_t k = m.K - 1; k >= 0; k--) {
        const bool counts = !m.known[k] && !isnan(result.test.each[k].area);
        result.unknown += counts;
        result.unknown_first = counts ? k : result.unknown_first;
    }
    hiss_free(target);
    multilabel_destroy(&m);
    return result;
}
