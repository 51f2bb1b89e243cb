/* The MLP probe: the same bits on any layout of tiles; classes that no plane tells apart, one or several a sample; labels
 * that have nothing to do with the features end at chance; too few samples to choose lambda. */
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "features.h"
#include "mpi_test.h"

enum { HIDDEN = 24 };

/* Labels anew, by the features of a sample, and targets [2] beside them. Class 0 and target 0: within a circle; target 1:
 * the signs of both features agree; of every seventh sample it is not judged. */
static hiss_features *circles(const hiss_eval_env *env, int64_t salt, int64_t n) {
    hiss_features *f = made_features(env, salt, n, 2, false, -1);
    f->classes = 2;
    eval_features_hold_targets(f, 2);
    for (int64_t i = 0; i < (f->end - f->first) * HISS_TILE; i++) {
        const int64_t sample = f->first * HISS_TILE + i;
        hiss_rng rng = hiss_rng_keyed(80, HISS_FOR_TESTS, salt, sample);
        float *x = f->rows + i * 2;
        if (sample < n) {
            hiss_rng_normals(&rng, 2, x);
            f->label[i] = x[0] * x[0] + x[1] * x[1] > 1.4f;
            f->target[i * 2] = f->label[i] == 0;
            f->target[i * 2 + 1] = sample % 7 == 0 ? HISS_NOT_JUDGED : (x[0] > 0.0f) == (x[1] > 0.0f);
        }
    }
    return f;
}

/* Of one class, or of the targets that its thirds are. */
static void check_layouts(const hiss_eval_env *env, bool several) {
    hiss_comm *comm = env->comm;
    enum { K = 3 };
    const bool alone = hiss_comm_size(comm) == 1;
    const int64_t epochs = alone ? 60 : 6; /* each step waits for all ranks */
    const int64_t n = 1680, D = 19,
                  bytes = (int64_t)sizeof(float) * eval_mlp_parameters(D, HIDDEN, several ? K : CLASSES);
    const int owner[3] = {-1, 0, hiss_comm_size(comm) - 1};
    bool use[1680];
    mlp *net[3];
    double percent[3];
    uint8_t target[1680 * K];
    for (int64_t i = 0; i < n; i++) {
        use[i] = i % 7 != 1 && i % 250 != 4;
        for (int64_t k = 0; k < K; k++) {
            target[i * K + k] = (uint8_t)((i + k) % 9 == 0 ? HISS_NOT_JUDGED : made_label(1, i) / 4 == k);
        }
    }
    for (int layout = 0; layout < 3; layout++) {
        hiss_features *f = made_features(env, 1, n, D, false, owner[layout]);
        hiss_features *test = made_features(env, 2, 600, D, false, owner[2 - layout]);
        f->targets = several ? K : 0;
        hiss_probe *statistics = eval_probe_statistics(env, f);
        mlp_samples samples = eval_mlp_samples_create(env, f, statistics, use, several ? target : NULL);
        net[layout] = eval_mlp_fit_epochs(env, &samples, HIDDEN, 1e-2, epochs);
        percent[layout] = several ? 0.0 : eval_mlp_percent(env, net[layout], test, NULL);
        CHECK(samples.f->n < n && net[layout]->steps == epochs * 2);
        CHECK(hiss_comm_equal(comm, net[layout]->w, bytes));
        CHECK(memcmp(net[layout]->w, net[0]->w, (size_t)bytes) == 0 && net[layout]->loss == net[0]->loss);
        CHECK(percent[layout] == percent[0]);
        eval_mlp_samples_destroy(&samples);
        hiss_probe_destroy(statistics);
        hiss_features_destroy(f);
        hiss_features_destroy(test);
    }
    CHECK(several || !alone || percent[0] > 35.0);
    CHECK(net[0]->loss > 0.0 && (!alone || net[0]->loss < 2.0));
    for (int layout = 0; layout < 3; layout++) {
        eval_mlp_destroy(net[layout]);
    }
}

static void check_circles(const hiss_eval_env *env) {
    hiss_comm *comm = env->comm;
    hiss_features *train = circles(env, 1, 1100), *test = circles(env, 2, 600);
    const hiss_linear_result linear = hiss_linear_probe(env, train, test, 100);
    const hiss_mlp_result one = hiss_mlp_probe(env, train, test, HIDDEN, false);
    CHECK(linear.percent < 65.0 && one.percent > 95.0 && one.train_percent > 95.0);
    CHECK(one.lambda < 1e-2 && one.heldout[4] > 90.0);

    hiss_multilabel_result plane = hiss_multilabel_probe(env, train, test, 100);
    hiss_mlp_result several = hiss_mlp_probe(env, train, test, HIDDEN, true);
    CHECK(several.test.classes == 2 && several.test.judged == 2);
    CHECK(plane.test.mean.area < 0.7 && several.test.mean.area > 0.97 && several.test.each[1].area > 0.97);
    hiss_precisions_destroy(&plane.test);
    hiss_precisions_destroy(&several.test);
    hiss_features_destroy(train);
    hiss_features_destroy(test);
}

static void check_chance(const hiss_eval_env *env) {
    hiss_comm *comm = env->comm;
    hiss_features *train = made_features(env, 1, 900, 12, false, -1),
                  *test = made_features(env, 2, 1000, 12, false, -1);
    hiss_features_permute(env, train);
    const hiss_mlp_result r = hiss_mlp_probe(env, train, test, HIDDEN, false);
    CHECK(r.percent > 4.0 && r.percent < 16.0);
    hiss_features_destroy(train);
    hiss_features_destroy(test);
}

static void check_few(const hiss_eval_env *env) {
    hiss_comm *comm = env->comm;
    hiss_features *train = made_features(env, 1, 120, 12, false, -1), *test = made_features(env, 2, 300, 12, false, -1);
    const hiss_mlp_result r = hiss_mlp_probe(env, train, test, HIDDEN, false);
    CHECK(r.lambda == 1e-2 && r.heldout[6] < 0.0 && r.steps == 500 && r.percent > 25.0);
    hiss_features_destroy(train);
    hiss_features_destroy(test);
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    hiss_error err;
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) {
        return 1;
    }
    hiss_kernels_enter_thread();
    hiss_eval_env env = {comm, hiss_kernels_blas(), 1};
    check_layouts(&env, false);
    check_layouts(&env, true);
    if (hiss_comm_size(comm) == 1) { /* on more, the same by what is above */
        check_circles(&env);
        check_chance(&env);
        check_few(&env);
    }
    return finish_test(comm);
}
