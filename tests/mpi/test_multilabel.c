/* Probes of samples with several classes: each is the binary probe of its class alone; the same bits on any layout of
 * tiles; what is not judged has no say; classes that never or always occur; scores that are features. */
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "features.h"
#include "mpi_test.h"

enum { K = 6, NEVER = 4, ALWAYS = 5, DOUBTFUL = 2, D = 14 };

/* Sample i has class k when its label is k or k + 3; of class DOUBTFUL, every fifth sample is not judged. */
static uint8_t made_target(int64_t salt, int64_t i, int64_t k) {
    const int32_t label = made_label(salt, i);
    if (k == NEVER || k == ALWAYS) {
        return k == ALWAYS;
    }
    if (k == DOUBTFUL && i % 5 == 0) {
        return HISS_NOT_JUDGED;
    }
    return label == k || label == k + 3;
}

static hiss_features *several(const hiss_eval_env *env, int64_t salt, int64_t n, int owner) {
    hiss_features *f = made_features(env, salt, n, D, false, owner);
    eval_features_hold_targets(f, K);
    for (int64_t i = 0; i < (f->end - f->first) * HISS_TILE; i++) {
        for (int64_t k = 0; k < K && f->first * HISS_TILE + i < n; k++) {
            f->target[i * K + k] = made_target(salt, f->first * HISS_TILE + i, k);
        }
    }
    return f;
}

/* The binary probe of class k of lambda, from zeros, and how it ranks the test samples. */
static double alone(const hiss_eval_env *env, const hiss_features *train, const hiss_features *test, int64_t k,
                    double lambda) {
    hiss_comm *comm = env->comm;
    hiss_features two = *train;
    bool *use = hiss_new(bool, train->n);
    float *margin = hiss_new(float, test->n);
    uint8_t *target = hiss_new(uint8_t, test->n);
    two.classes = 2;
    two.label = hiss_new(int32_t, (train->end - train->first) * HISS_TILE);
    for (int64_t i = 0; i < train->n; i++) {
        use[i] = made_target(1, i, k) <= 1;
    }
    for (int64_t i = 0; i < (train->end - train->first) * HISS_TILE; i++) {
        two.label[i] = train->target[i * K + k];
    }
    for (int64_t i = 0; i < test->n; i++) {
        target[i] = made_target(2, i, k);
    }
    hiss_probe *probe = hiss_probe_fit(env, &two, use, lambda, 500, NULL), *const one[] = {probe};
    CHECK(probe->minimum.converged);
    eval_probe_margins(env, 1, one, test, margin);
    const double area = hiss_average_precision_of(test->n, margin, target, 1, -1).area;
    hiss_probe_destroy(probe);
    hiss_free(two.label);
    hiss_free(use);
    hiss_free(margin);
    hiss_free(target);
    return area;
}

static void check_probes(const hiss_eval_env *env) {
    hiss_comm *comm = env->comm;
    hiss_features *train = several(env, 1, 2300, -1), *test = several(env, 2, 900, -1);
    hiss_multilabel_result r = hiss_multilabel_probe(env, train, test, 500);
    CHECK(r.test.classes == K && r.test.judged == K - 1 && r.unconverged == 0);
    CHECK(isnan(r.test.each[NEVER].area) && r.test.each[ALWAYS].area == 1.0);
    double mean = 1.0 / (K - 1);
    for (int64_t k = 0; k < NEVER; k++) {
        const double area = alone(env, train, test, k, r.lambda);
        CHECK(fabs(r.test.each[k].area - area) < 1e-3 && area > 0.25);
        mean += r.test.each[k].area / (K - 1);
    }
    CHECK(fabs(mean - r.test.mean.area) < 1e-12 && r.test.mean.area > r.test.prior + 0.1);

    /* on the last rank alone */
    hiss_features *a = several(env, 1, 2300, hiss_comm_size(env->comm) - 1), *b = several(env, 2, 900, 0);
    hiss_multilabel_result same = hiss_multilabel_probe(env, a, b, 500);
    CHECK(memcmp(same.test.each, r.test.each, sizeof(hiss_average_precision) * NEVER) == 0);
    CHECK(memcmp(same.heldout, r.heldout, sizeof r.heldout) == 0 && same.lambda == r.lambda);

    hiss_features *const all[] = {train, test, a, b};
    for (int i = 0; i < 4; i++) {
        hiss_features_destroy(all[i]);
    }
    hiss_precisions_destroy(&r.test);
    hiss_precisions_destroy(&same.test);
}

/* Too few samples to hold some out: lambda is the standard one. */
static void check_few(const hiss_eval_env *env) {
    hiss_comm *comm = env->comm;
    hiss_features *train = several(env, 1, 90, -1), *test = several(env, 2, 60, -1);
    hiss_multilabel_result r = hiss_multilabel_probe(env, train, test, 500);
    CHECK(r.lambda == 1e-2 && r.heldout[5] < 0.0 && r.test.mean.area > 0.2);
    hiss_precisions_destroy(&r.test);
    hiss_features_destroy(train);
    hiss_features_destroy(test);
}

static void check_scores(const hiss_eval_env *env) {
    hiss_comm *comm = env->comm;
    const int64_t n = 700;
    hiss_features *f = hiss_features_create(env, n, K, 0);
    float *score = hiss_new(float, n);
    uint8_t *target = hiss_new(uint8_t, n);
    eval_features_hold_targets(f, K);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < K; k++) {
            const int64_t local = i - f->first * HISS_TILE;
            const float s = (float)((i * 7 + k * 31) % 19) + (made_target(1, i, k) == 1 ? 5.0f : 0.0f);
            if (local >= 0 && i < f->end * HISS_TILE) {
                f->rows[local * K + k] = s;
                f->target[local * K + k] = made_target(1, i, k);
            }
        }
    }
    hiss_precisions p = hiss_precisions_of(env, f);
    for (int64_t k = 0; k < NEVER; k++) {
        for (int64_t i = 0; i < n; i++) {
            score[i] = (float)((i * 7 + k * 31) % 19) + (made_target(1, i, k) == 1 ? 5.0f : 0.0f);
            target[i] = made_target(1, i, k);
        }
        const hiss_average_precision ap = hiss_average_precision_of(n, score, target, 1, -1);
        CHECK(ap.area == p.each[k].area && ap.eleven == p.each[k].eleven && ap.area > p.prior);
    }
    hiss_precisions_destroy(&p);
    hiss_features_destroy(f);
    hiss_free(score);
    hiss_free(target);
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    hiss_error err;
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) {
        return 1;
    }
    hiss_kernels_enter_thread();
    hiss_eval_env env = {comm, hiss_kernels_blas(), 1};
    check_probes(&env);
    check_few(&env);
    check_scores(&env);
    return finish_test(comm);
}
