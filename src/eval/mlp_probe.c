/* The MLP probe: networks of one hidden layer (mlp.c), one for each lambda tried, and the one of the best lambda on all
 * training samples.
 *
 * Lambda matters more than for a linear probe, because a network of 256 units learns training samples by heart. It is
 * chosen as there, on held-out training samples, but each fit begins anew: a network that starts from another one's end
 * stays near it. The test set takes no part. */
#include "eval/eval_impl.h"
#include "hiss/alloc.h"

enum { FALLBACK = 6 }; /* lambda where samples are too few to choose */

typedef struct choice {
    const hiss_eval_env *env;
    const hiss_features *train;
    const mlp_samples *samples; /* those not held out */
    const bool *held;           /* [n] */
    uint8_t *target;            /* [n, K] those of the held-out samples; NULL: they have one class each */
    int64_t hidden;
    hiss_mlp_result *result;
} choice;

static hiss_precisions judge(const hiss_eval_env *env, const mlp *net, const hiss_features *f, const uint8_t *target) {
    float *score = hiss_new(float, f->n * net->K);
    eval_mlp_scores(env, net, f, score);
    const hiss_precisions p = eval_precisions(f->n, net->K, score, target);
    hiss_free(score);
    return p;
}

/* A lambda_trial. */
static void try_lambdas(void *user, int low, int high, int start) {
    const choice *c = user;
    (void)start;
    for (int i = low; i <= high; i++) {
        mlp *net = eval_mlp_fit(c->env, c->samples, c->hidden, hiss_lambdas[i]);
        if (c->target) {
            hiss_precisions p = judge(c->env, net, c->train, c->target);
            c->result->heldout[i] = p.judged > 0 ? p.mean.area : 0.0;
            hiss_precisions_destroy(&p);
        } else {
            c->result->heldout[i] = eval_mlp_percent(c->env, net, c->train, c->held);
        }
        eval_mlp_destroy(net);
    }
}

/* target [n, K] or NULL; returns the place of the best among hiss_lambdas. */
static int choose(const hiss_eval_env *env, const hiss_features *train, const hiss_probe *statistics,
                  const uint8_t *target, int64_t hidden, hiss_mlp_result *result) {
    const int64_t n = train->n, K = train->targets;
    bool *held = hiss_new(bool, n), *use = hiss_new(bool, n);
    uint8_t *judged = target ? hiss_new(uint8_t, n * K) : NULL;
    int best = FALLBACK;
    if (n > HISS_TILE && eval_hold_out(env, train, !target, held) > 0) {
        for (int64_t i = 0; i < n; i++) {
            use[i] = !held[i];
            for (int64_t k = 0; judged && k < K; k++) {
                judged[i * K + k] = held[i] ? target[i * K + k] : HISS_NOT_JUDGED;
            }
        }
        mlp_samples samples = eval_mlp_samples_create(env, train, statistics, use, target);
        choice c = {env, train, &samples, held, judged, hidden, result};
        best = eval_search_lambdas(result->heldout, try_lambdas, &c, &result->at_edge);
        eval_mlp_samples_destroy(&samples);
    }
    hiss_free(held);
    hiss_free(use);
    hiss_free(judged);
    return best;
}

static uint8_t *targets_of(const hiss_eval_env *env, const hiss_features *f) {
    uint8_t *target = hiss_new(uint8_t, f->n * f->targets);
    hiss_features_targets(env, f, target);
    return target;
}

hiss_mlp_result hiss_mlp_probe(const hiss_eval_env *env, const hiss_features *train, const hiss_features *test,
                               int64_t hidden, bool several) {
    hiss_mlp_result result = {.at_edge = false};
    hiss_probe *statistics = eval_probe_statistics(env, train);
    uint8_t *target = several ? targets_of(env, train) : NULL, *asked = several ? targets_of(env, test) : NULL;
    for (int i = 0; i < HISS_LAMBDAS; i++) {
        result.heldout[i] = -1.0;
    }
    result.lambda = hiss_lambdas[choose(env, train, statistics, target, hidden, &result)];
    mlp_samples samples = eval_mlp_samples_create(env, train, statistics, NULL, target);
    mlp *net = eval_mlp_fit(env, &samples, hidden, result.lambda);
    eval_mlp_samples_destroy(&samples);
    result.loss = net->loss;
    result.steps = net->steps;
    if (several) {
        result.test = judge(env, net, test, asked);
    } else {
        result.percent = eval_mlp_percent(env, net, test, NULL);
        result.train_percent = eval_mlp_percent(env, net, train, NULL);
    }
    eval_mlp_destroy(net);
    hiss_probe_destroy(statistics);
    hiss_free(target);
    hiss_free(asked);
    return result;
}
