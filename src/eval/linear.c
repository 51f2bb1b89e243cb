/* The linear probe with its lambda chosen, and few-label probes.
 *
 * Lambda: candidates from the largest to the smallest, each started at the solution of the one before (the solutions
 * form a path, so a warm start saves iterations). They are fitted on all training tiles but the held-out ones, because
 * the best lambda falls with the number of samples: a choice made on a third of them is too large, which costs raw
 * pixels of Fashion-MNIST half a point. The test set takes no part.
 *
 * Few labels: the draw of each class is a keyed permutation of the class's samples in order of index, so draws are
 * nested (the first 10 of a draw are among its first 100) and the same for every network and layer. */
#include <math.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"
#include "hiss/rng.h"

enum { HELDOUT = 20, CHOICE_ITERATIONS = 40 };

static const double lambdas[3] = {1e-4, 1e-3, 1e-2};

const int64_t hiss_few_sizes[HISS_FEW_SIZES] = {10, 100, 1000};

static double choose_lambda(const hiss_eval_env *env, const hiss_features *train, int64_t iterations,
                            double heldout[3]) {
    int64_t T = train->tiles, judged = T / 5 < HELDOUT ? (T + 4) / 5 : HELDOUT, others = T - judged;
    if (others < 1) {
        return lambdas[2];
    }
    bool *judge = hiss_new(bool, T), *use = hiss_new(bool, T);
    for (int64_t t = 0; t < T; t++) {
        judge[t] = t >= others;
        use[t] = t < others;
    }
    hiss_probe *probe = NULL;
    int best = 2;
    for (int i = 2; i >= 0; i--) {
        hiss_probe *next = hiss_probe_fit(env, train, use, lambdas[i],
                                          iterations < CHOICE_ITERATIONS ? iterations : CHOICE_ITERATIONS, probe);
        hiss_probe_destroy(probe);
        probe = next;
        heldout[i] = hiss_probe_percent(env, probe, train, judge);
        best = heldout[i] > heldout[best] ? i : best;
    }
    hiss_probe_destroy(probe);
    hiss_free(judge);
    hiss_free(use);
    return lambdas[best];
}

hiss_linear_result hiss_linear_probe(const hiss_eval_env *env, const hiss_features *train, const hiss_features *test,
                                     int64_t iterations) {
    hiss_linear_result result = {0};
    result.lambda = choose_lambda(env, train, iterations, result.heldout);
    hiss_probe *probe = hiss_probe_fit(env, train, NULL, result.lambda, iterations, NULL);
    result.minimum = probe->minimum;
    result.train_percent = hiss_probe_percent(env, probe, train, NULL);
    result.percent = hiss_probe_percent(env, probe, test, NULL);
    hiss_probe_destroy(probe);
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
        hiss_probe *probe = hiss_probe_fit(env, few, NULL, 1e-2, iterations, NULL);
        linear[d] = hiss_probe_percent(env, probe, test, NULL);
        knn[d] = hiss_knn(env, few, test).percent[HISS_COSINE][1];
        hiss_probe_destroy(probe);
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
