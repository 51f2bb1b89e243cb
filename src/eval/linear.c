/* The linear probe with its lambda chosen, and few-label probes.
 *
 * Lambda: candidates from the largest to the smallest, each started at the solution of the one before (the solutions
 * form a path, so a warm start saves iterations), and on beyond the end at which the best one lies. They are fitted on
 * all training samples but the held-out ones, because the best lambda falls with the number of samples: a choice made
 * on a third of them is too large, which costs raw pixels of Fashion-MNIST half a point. The held-out ones are drawn by
 * key from every class, since files may be sorted. The final fit starts where the chosen lambda ended. The test set
 * takes no part.
 *
 * Few labels: the draw of each class is a keyed permutation of the class's samples in order of index, so draws are
 * nested (the first 10 of a draw are among its first 100) and the same for every network and layer. */
#include <math.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"
#include "hiss/rng.h"

enum { HELDOUT_SHARE = 5, HELDOUT_MOST = 5000, FIRST = 4, LAST = 6 };

const double hiss_lambdas[HISS_LAMBDAS] = {1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 1e1, 1e2};

const int64_t hiss_few_sizes[HISS_FEW_SIZES] = {10, 100, 1000};

typedef struct choice {
    const hiss_eval_env *env;
    const hiss_features *train;
    const probe_base *base;
    bool *use, *judge; /* [n] */
    int64_t iterations;
    hiss_probe *fitted[HISS_LAMBDAS];
    hiss_linear_result *result;
} choice;

static void try_lambda(choice *c, int i, const hiss_probe *start) {
    c->fitted[i] =
        eval_probe_fit(c->env, c->train, c->base, c->use, hiss_lambdas[i], c->iterations, HISS_ROUGH_TOLERANCE, start);
    c->result->heldout[i] = hiss_probe_percent(c->env, c->fitted[i], c->train, c->judge);
    c->result->unconverged += !c->fitted[i]->minimum.converged;
}

static int best_of(const double heldout[HISS_LAMBDAS]) {
    int best = HISS_LAMBDAS - 1;
    for (int i = HISS_LAMBDAS - 1; i >= 0; i--) {
        best = heldout[i] > heldout[best] ? i : best;
    }
    return best;
}

/* Returns the place of the best lambda, whose fit is in c->fitted. */
static int search_lambdas(choice *c) {
    int low = FIRST, high = LAST, best;
    for (int i = LAST; i >= FIRST; i--) {
        try_lambda(c, i, i < LAST ? c->fitted[i + 1] : NULL);
    }
    while ((best = best_of(c->result->heldout)) == low && low > 0) {
        low--;
        try_lambda(c, low, c->fitted[low + 1]);
    }
    while ((best = best_of(c->result->heldout)) == high && high < HISS_LAMBDAS - 1) {
        high++;
        try_lambda(c, high, c->fitted[high - 1]);
    }
    c->result->at_edge = best == 0 || best == HISS_LAMBDAS - 1;
    return best;
}

static int64_t hold_out(choice *c) {
    const int64_t n = c->train->n, most = n / HELDOUT_SHARE;
    int32_t *label = hiss_new(int32_t, n);
    hiss_features_labels(c->env, c->train, label);
    const int64_t held = eval_draw_by_class(c->env->seed, DRAW_FOR_LAMBDA, n, label, c->train->classes,
                                            most < HELDOUT_MOST ? most : HELDOUT_MOST, true, c->judge);
    for (int64_t i = 0; i < n; i++) {
        c->use[i] = !c->judge[i];
    }
    hiss_free(label);
    return held;
}

hiss_linear_result hiss_linear_probe(const hiss_eval_env *env, const hiss_features *train, const hiss_features *test,
                                     int64_t iterations) {
    hiss_linear_result result = {.lambda = hiss_lambdas[LAST]};
    probe_base base = eval_probe_base_create(env, train);
    choice c = {env, train, &base, hiss_new(bool, train->n), hiss_new(bool, train->n), iterations, {NULL}, &result};
    const hiss_probe *start = NULL;
    for (int i = 0; i < HISS_LAMBDAS; i++) {
        result.heldout[i] = -1.0;
    }
    if (train->n > HISS_TILE && hold_out(&c) > 0) {
        const int best = search_lambdas(&c);
        result.lambda = hiss_lambdas[best];
        start = c.fitted[best];
    }
    hiss_probe *probe = eval_probe_fit(env, train, &base, NULL, result.lambda, iterations, HISS_PROBE_TOLERANCE, start);
    result.minimum = probe->minimum;
    result.train_percent = hiss_probe_percent(env, probe, train, NULL);
    result.percent = hiss_probe_percent(env, probe, test, NULL);
    hiss_probe_destroy(probe);
    for (int i = 0; i < HISS_LAMBDAS; i++) {
        hiss_probe_destroy(c.fitted[i]);
    }
    hiss_free(c.use);
    hiss_free(c.judge);
    eval_probe_base_destroy(&base);
    return result;
}

/* Mark the drawn samples; returns their number. */
static int64_t draw_samples(const hiss_eval_env *env, int64_t n, const int32_t *label, int64_t classes, int64_t labels,
                            int64_t draw, int64_t *member, bool *drawn) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) {
        drawn[i] = false;
    }
    for (int64_t c = 0; c < classes; c++) {
        int64_t members = 0;
        for (int64_t i = 0; i < n; i++) {
            if (label[i] == c) {
                member[members++] = i;
            }
        }
        if (members == 0) {
            continue;
        }
        hiss_permutation order = hiss_permutation_keyed(env->seed, HISS_FOR_EVALUATION, draw, c, members);
        for (int64_t i = 0; i < labels && i < members; i++, count++) {
            drawn[member[hiss_permutation_at(&order, i)]] = true;
        }
    }
    return count;
}

static void mean_and_spread(int64_t count, const double *x, double *mean, double *spread) {
    double sum = 0.0, square = 0.0;
    for (int64_t i = 0; i < count; i++) {
        sum += x[i];
    }
    *mean = sum / (double)count;
    for (int64_t i = 0; i < count; i++) {
        square += (x[i] - *mean) * (x[i] - *mean);
    }
    *spread = count > 1 ? sqrt(square / (double)(count - 1)) : 0.0;
}

hiss_few_result hiss_few_labels(const hiss_eval_env *env, const hiss_features *train, const hiss_features *test,
                                int64_t labels, int64_t draws, int64_t iterations) {
    hiss_few_result result = {0};
    int64_t n = train->n;
    if (labels * train->classes > n) {
        return result;
    }
    int32_t *label = hiss_new(int32_t, n);
    int64_t *index = hiss_new(int64_t, n);
    bool *drawn = hiss_new(bool, n);
    double *linear = hiss_new(double, draws), *knn = hiss_new(double, draws);
    hiss_features_labels(env, train, label);
    for (int64_t d = 0; d < draws; d++) {
        int64_t count = draw_samples(env, n, label, train->classes, labels, d, index, drawn), place = 0;
        for (int64_t i = 0; i < n; i++) {
            if (drawn[i]) {
                index[place++] = i;
            }
        }
        hiss_features *few = hiss_features_subset(env, train, index, count);
        probe_base base = eval_probe_base_create(env, few);
        hiss_probe *probe = eval_probe_fit(env, few, &base, NULL, 1e-2, iterations, HISS_ROUGH_TOLERANCE, NULL);
        linear[d] = hiss_probe_percent(env, probe, test, NULL);
        result.unconverged += !probe->minimum.converged;
        knn[d] = hiss_knn(env, few, test).percent[HISS_COSINE][1];
        hiss_probe_destroy(probe);
        eval_probe_base_destroy(&base);
        hiss_features_destroy(few);
    }
    result.draws = draws;
    mean_and_spread(draws, linear, &result.linear, &result.linear_spread);
    mean_and_spread(draws, knn, &result.knn, &result.knn_spread);
    hiss_free(label);
    hiss_free(index);
    hiss_free(drawn);
    hiss_free(linear);
    hiss_free(knn);
    return result;
}
