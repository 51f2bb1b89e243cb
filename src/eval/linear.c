/* The linear probe with its lambda chosen.
 *
 * Lambda: candidates side by side, and on beyond the end at which the best one lies, each of those started at the
 * solution of its neighbour (the solutions form a path, so a warm start saves iterations). They are fitted on
 * all training samples but the held-out ones, because the best lambda falls with the number of samples: a choice made
 * on a third of them is too large, which costs raw pixels of Fashion-MNIST half a point. The held-out ones are drawn by
 * key from every class, since files may be sorted. The final fit starts where the chosen lambda ended. The test set
 * takes no part. */
#include "eval/eval_impl.h"
#include "hiss/alloc.h"

enum { FIRST = 4, LAST = 6 };

const double hiss_lambdas[HISS_LAMBDAS] = {1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 1e1, 1e2};

typedef struct choice {
    const hiss_eval_env *env;
    const hiss_features *train;
    const probe_base *base;
    bool *use, *judge; /* [n] */
    int64_t iterations;
    hiss_probe *fitted[HISS_LAMBDAS];
    hiss_linear_result *result;
} choice;

/* A lambda_trial. */
static void try_lambdas(void *user, int low, int high, int start) {
    choice *c = user;
    probe_fit fits[HISS_LAMBDAS];
    for (int i = low; i <= high; i++) {
        fits[i - low] = (probe_fit){.use = c->use,
                                    .lambda = hiss_lambdas[i],
                                    .tolerance = HISS_ROUGH_TOLERANCE,
                                    .iterations = c->iterations,
                                    .start = start < 0 ? NULL : c->fitted[start]};
    }
    eval_probe_fit(c->env, c->base, high - low + 1, fits);
    for (int i = low; i <= high; i++) {
        c->fitted[i] = fits[i - low].probe;
        c->result->unconverged += !c->fitted[i]->minimum.converged;
    }
    eval_probe_percents(c->env, high - low + 1, c->fitted + low, c->train, c->judge, c->result->heldout + low);
}

static int best_of(const double heldout[HISS_LAMBDAS]) {
    int best = HISS_LAMBDAS - 1;
    for (int i = HISS_LAMBDAS - 1; i >= 0; i--) {
        best = heldout[i] > heldout[best] ? i : best;
    }
    return best;
}

int eval_search_lambdas(const double heldout[HISS_LAMBDAS], lambda_trial *try_some, void *user, bool *at_edge) {
    int low = FIRST, high = LAST, best;
    try_some(user, low, high, -1);
    while ((best = best_of(heldout)) == low && low > 0) {
        low--;
        try_some(user, low, low, low + 1);
    }
    while ((best = best_of(heldout)) == high && high < HISS_LAMBDAS - 1) {
        high++;
        try_some(user, high, high, high - 1);
    }
    *at_edge = best == 0 || best == HISS_LAMBDAS - 1;
    return best;
}

int64_t eval_hold_out(const hiss_eval_env *env, const hiss_features *f, bool by_class, bool *held) {
    const int64_t share = f->n / LAMBDA_SHARE, most = share < LAMBDA_MOST ? share : LAMBDA_MOST;
    int32_t *label = hiss_new(int32_t, f->n);
    hiss_features_labels(env, f, label);
    const int64_t count = eval_draw_by_class(env->seed, DRAW_FOR_LAMBDA, f->n, by_class ? label : NULL,
                                             by_class ? f->classes : 1, most, true, held);
    hiss_free(label);
    return count;
}

static int64_t hold_out(choice *c) {
    const int64_t held = eval_hold_out(c->env, c->train, true, c->judge);
    for (int64_t i = 0; i < c->train->n; i++) {
        c->use[i] = !c->judge[i];
    }
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
        const int best = eval_search_lambdas(result.heldout, try_lambdas, &c, &result.at_edge);
        result.lambda = hiss_lambdas[best];
        start = c.fitted[best];
    }
    probe_fit fit = {
        .lambda = result.lambda, .tolerance = HISS_PROBE_TOLERANCE, .iterations = iterations, .start = start};
    eval_probe_fit(env, &base, 1, &fit);
    hiss_probe *probe = fit.probe;
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
