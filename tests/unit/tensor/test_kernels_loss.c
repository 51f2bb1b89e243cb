/* Losses and activations: the fast table against the reference, gradients against differences in double, extremes. */
#include "kernel_support.h"

#include <math.h>

static const hiss_kernels *table(int i) {
    return i % 2 ? hiss_kernels_ref() : hiss_kernels_blas();
}

static const hiss_activation kinds[] = {HISS_RELU, HISS_LEAKY_RELU, HISS_SIGMOID,
                                        HISS_TANH, HISS_EXP,        HISS_SOFT_THRESHOLD};
enum { KINDS = 6 };

static double activation(hiss_activation kind, double slope, double x) {
    switch (kind) {
    case HISS_RELU:
        return x > 0 ? x : 0;
    case HISS_LEAKY_RELU:
        return x > 0 ? x : slope * x;
    case HISS_SIGMOID:
        return 1 / (1 + exp(-x));
    case HISS_TANH:
        return tanh(x);
    case HISS_EXP:
        return exp(x > 87.3f ? 87.3f : x);
    case HISS_SOFT_THRESHOLD:
        return fabs(x) > slope ? x - copysign(slope, x) : 0;
    }
    return NAN;
}

static void test_activation_values(void **unused) {
    (void)unused;
    uint64_t state = 1;
    enum { COUNT = 5001 };
    float *x = new_filled(&state, COUNT), *y = hiss_new(float, COUNT), *expected = hiss_new(float, COUNT);
    for (int64_t i = 0; i < COUNT; i++) { /* all magnitudes from 1e-8 to 100 */
        x[i] = copysignf((float)pow(10, 5 * (double)x[i] - 3), (float)(i % 2) - 0.5f);
    }
    x[0] = 0, x[1] = 0.625f, x[2] = -0.625f, x[3] = 85, x[4] = -85;
    for (int i = 0; i < 2 * KINDS; i++) {
        hiss_activation kind = kinds[i / 2];
        table(i)->activation_forward(kind, COUNT, 0.2f, x, y);
        for (int64_t j = 0; j < COUNT; j++) {
            expected[j] = (float)activation(kind, 0.2f, x[j]);
        }
        assert_near("activation", COUNT, y, expected, 1e-30, 4e-7);
        float *in_place = new_copy(COUNT, x);
        table(i)->activation_forward(kind, COUNT, 0.2f, in_place, in_place);
        assert_same_bits("in place", COUNT, in_place, y);
        hiss_free(in_place);
    }
    hiss_free(x);
    hiss_free(y);
    hiss_free(expected);
}

static void test_activation_extremes(void **unused) {
    (void)unused;
    const float x[] = {-INFINITY, -3e38f, -200, -88, 88, 200, 3e38f, INFINITY, NAN};
    for (int i = 0; i < 2 * KINDS; i++) {
        float y[9], slope = 0.5f;
        table(i)->activation_forward(kinds[i / 2], 9, slope, x, y);
        for (int j = 0; j < 8; j++) {
            float expected = (float)activation(kinds[i / 2], slope, x[j]);
            assert_true(y[j] == expected || fabsf(y[j] - expected) <= 1e-6f * fmaxf(1, expected));
        }
        assert_true(isnan(y[8]));
    }
}

static void test_activation_gradient(void **unused) {
    (void)unused;
    uint64_t state = 2;
    for (int i = 0; i < 2 * KINDS; i++) {
        for (int64_t count = 1; count < 900; count += 299) {
            hiss_activation kind = kinds[i / 2];
            float *x = new_filled(&state, count), *y = new_filled(&state, count), *dy = new_filled(&state, count);
            float *start = new_filled(&state, count), *dx = new_copy(count, start);
            table(i)->activation_forward(kind, count, 0.2f, x, y);
            table(i)->activation_backward(kind, count, 0.2f, y, dy, dx, true);
            for (int64_t j = 0; j < count; j++) {
                double h = 1e-6, up = activation(kind, 0.2f, x[j] + h), down = activation(kind, 0.2f, x[j] - h);
                double expected = start[j] + dy[j] * (up - down) / (2 * h);
                assert_true(fabsf(x[j]) < 1e-5f || fabs(dx[j] - expected) < 2e-6);
            }
            table(i)->activation_backward(kind, count, 0.2f, y, dy, dx, false);
            float *in_place = new_copy(count, dy);
            table(i)->activation_backward(kind, count, 0.2f, y, in_place, in_place, false);
            assert_same_bits("in place", count, in_place, dx);
            float *all[] = {x, y, dy, start, dx, in_place};
            for (size_t k = 0; k < sizeof all / sizeof all[0]; k++) {
                hiss_free(all[k]);
            }
        }
        float y = 0, dy = 1, dx = 5; /* the kink counts as the negative side */
        table(i)->activation_backward(HISS_RELU, 1, 0, &y, &dy, &dx, false);
        assert_true(dx == 0);
        table(i)->activation_backward(HISS_LEAKY_RELU, 1, 0.2f, &y, &dy, &dx, false);
        assert_true(dx == 0.2f);
    }
}

static double gated(double a, double b) {
    return tanh(a) / (1 + exp(-b));
}

static void test_gated(void **unused) {
    (void)unused;
    enum { M = 7, WIDEST = 70 };
    uint64_t state = 6;
    const double h = 1e-6;
    for (int i = 0; i < 4; i++) {
        for (int64_t F = 1; F <= WIDEST; F += 23) {
            float *x = new_filled(&state, 2 * M * F), *dy = new_filled(&state, M * F),
                  *gates = new_filled(&state, 2 * M * F);
            float *start = new_filled(&state, 2 * M * F), *dx = new_copy(2 * M * F, start),
                  *y = new_filled(&state, M * F);
            const bool adds = i / 2;
            table(i)->gated_forward(M, F, x, gates, y);
            table(i)->gated_backward(M, F, gates, dy, dx, adds);
            for (int64_t k = 0; k < M * F; k++) {
                const int64_t at = k / F * 2 * F + k % F;
                const double a = x[at], b = x[at + F], before[] = {adds ? start[at] : 0, adds ? start[at + F] : 0};
                assert_true(fabs(y[k] - gated(a, b)) < 1e-6);
                const double da = (gated(a + h, b) - gated(a - h, b)) / (2 * h);
                const double db = (gated(a, b + h) - gated(a, b - h)) / (2 * h);
                assert_true(fabs(dx[at] - before[0] - dy[k] * da) < 2e-6);
                assert_true(fabs(dx[at + F] - before[1] - dy[k] * db) < 2e-6);
            }
            float *all[] = {x, dy, gates, start, dx, y};
            for (size_t k = 0; k < sizeof all / sizeof all[0]; k++) {
                hiss_free(all[k]);
            }
        }
    }
}

static double cross_entropy(int64_t M, int64_t D, const double *x, const int32_t *label) {
    double total = 0;
    for (int64_t r = 0; r < M; r++) {
        double sum = 0;
        for (int64_t j = 0; j < D; j++) {
            sum += exp(x[r * D + j] - x[r * D + label[r]]);
        }
        total += log(sum);
    }
    return total / (double)M;
}

static void test_cross_entropy(void **unused) {
    (void)unused;
    uint64_t state = 3;
    enum { M = 5, WIDEST = 40 };
    for (int i = 0; i < 2; i++) {
        for (int64_t D = 1; D <= WIDEST; D += 13) {
            float x[M * WIDEST], probability[M * WIDEST], dx[M * WIDEST], start[M * WIDEST], loss;
            double exact[M * WIDEST], h = 1e-5;
            int32_t label[M];
            fill(&state, M * D, x);
            fill(&state, M * D, start);
            memcpy(dx, start, sizeof start);
            for (int64_t r = 0; r < M; r++) {
                label[r] = (int32_t)next_below(&state, D);
            }
            for (int64_t j = 0; j < M * D; j++) {
                x[j] *= 5;
                exact[j] = x[j];
            }
            table(i)->softmax_cross_entropy_forward(M, D, x, label, probability, &loss);
            assert_true(fabs(loss - cross_entropy(M, D, exact, label)) < 2e-6);
            table(i)->softmax_cross_entropy_backward(M, D, probability, label, 3, dx, true);
            for (int64_t r = 0; r < M; r++) {
                double sum = 0;
                for (int64_t j = 0; j < D; j++) {
                    sum += probability[r * D + j];
                }
                assert_true(fabs(sum - 1) < 1e-6);
            }
            for (int64_t j = 0; j < M * D; j++) {
                exact[j] += h;
                double up = cross_entropy(M, D, exact, label);
                exact[j] -= 2 * h;
                double down = cross_entropy(M, D, exact, label);
                exact[j] += h;
                assert_true(fabs(dx[j] - start[j] - 3 * (up - down) / (2 * h)) < 2e-6);
            }
            float fresh[M * WIDEST];
            table(i)->softmax_cross_entropy_backward(M, D, probability, label, 3, fresh, false);
            for (int64_t j = 0; j < M * D; j++) {
                assert_true(fabsf(start[j] + fresh[j] - dx[j]) < 1e-6f);
            }
        }
    }
}

static void test_cross_entropy_of_large_logits(void **unused) {
    (void)unused;
    const float x[] = {1e4f, -1e4f, 0, 3e38f, 0, -3e38f};
    const int32_t label[] = {1, 0};
    for (int i = 0; i < 2; i++) {
        float probability[6], loss, dx[6];
        table(i)->softmax_cross_entropy_forward(2, 3, x, label, probability, &loss);
        assert_true(fabsf(loss - 1e4f) < 1e-2f);
        assert_near("probability", 6, probability, (const float[]){1, 0, 0, 1, 0, 0}, 1, 1e-6);
        table(i)->softmax_cross_entropy_backward(2, 3, probability, label, 2, dx, false);
        assert_near("dx", 6, dx, (const float[]){1, -1, 0, 0, 0, 0}, 1, 1e-6);
        float many[1000], uniform[1000];
        for (int j = 0; j < 1000; j++) {
            many[j] = -50;
        }
        table(i)->softmax_cross_entropy_forward(1, 1000, many, label, uniform, &loss);
        assert_true(fabs(loss - log(1000)) < 1e-5);
    }
}

/* The sum of weighted rows. */
static double soft_cross_entropy(int64_t M, int64_t D, const double *x, const float *target, const float *weight) {
    double total = 0;
    for (int64_t r = 0; r < M; r++) {
        double sum = 0;
        for (int64_t j = 0; j < D; j++) {
            sum += exp(x[r * D + j]);
        }
        for (int64_t j = 0; j < D; j++) {
            total += (double)weight[r] * (double)target[r * D + j] * (log(sum) - x[r * D + j]);
        }
    }
    return total;
}

static void test_soft_cross_entropy(void **unused) {
    (void)unused;
    uint64_t state = 13;
    enum { M = 5, WIDEST = 40 };
    for (int i = 0; i < 2; i++) {
        for (int64_t D = 1; D <= WIDEST; D += 13) {
            float x[M * WIDEST], target[M * WIDEST], probability[M * WIDEST], dx[M * WIDEST],
                start[M * WIDEST] = {0}, fresh[M * WIDEST], loss[M];
            const float weight[M] = {1, 0, 0.25f, 3, 1e-3f};
            double exact[M * WIDEST], h = 1e-5;
            fill(&state, M * D, x);
            fill(&state, M * D, target);
            fill(&state, M * D, start);
            memcpy(dx, start, sizeof start);
            for (int64_t j = 0; j < M * D; j++) {
                x[j] *= 5;
                exact[j] = x[j];
                target[j] = target[j] > 0 ? target[j] : 0; /* rows of any sum */
            }
            table(i)->soft_cross_entropy_forward(M, D, x, target, probability, loss);
            for (int64_t r = 0; r < M; r++) {
                const float one[1] = {1};
                const double expected = soft_cross_entropy(1, D, exact + r * D, target + r * D, one);
                assert_true(fabs(loss[r] - expected) < 2e-6 * (1 + expected));
            }
            table(i)->soft_cross_entropy_backward(M, D, probability, target, weight, dx, true);
            table(i)->soft_cross_entropy_backward(M, D, probability, target, weight, fresh, false);
            for (int64_t j = 0; j < M * D; j++) {
                exact[j] += h;
                const double up = soft_cross_entropy(M, D, exact, target, weight);
                exact[j] -= 2 * h;
                const double down = soft_cross_entropy(M, D, exact, target, weight);
                exact[j] += h;
                assert_true(fabs(fresh[j] - (up - down) / (2 * h)) < 2e-5);
                assert_true(fabsf(start[j] + fresh[j] - dx[j]) < 1e-6f * (1 + fabsf(fresh[j])));
            }
        }
    }
}

/* Of one target 1 it is the cross-entropy of labels, and large scores where the target is 0 are nothing to it. */
static void test_soft_cross_entropy_of_labels(void **unused) {
    (void)unused;
    enum { M = 3, D = 11 };
    uint64_t state = 14;
    for (int i = 0; i < 2; i++) {
        float x[M * D], probability[M * D], target[M * D] = {0}, dx[M * D], of_labels[M * D], loss[M], mean, expected;
        const int32_t label[M] = {4, 0, 10};
        const float each[M] = {1.0f / M, 1.0f / M, 1.0f / M};
        fill(&state, M * D, x);
        for (int r = 0; r < M; r++) {
            target[r * D + label[r]] = 1;
        }
        table(i)->softmax_cross_entropy_forward(M, D, x, label, probability, &expected);
        table(i)->softmax_cross_entropy_backward(M, D, probability, label, 1, of_labels, false);
        table(i)->soft_cross_entropy_forward(M, D, x, target, probability, loss);
        table(i)->soft_cross_entropy_backward(M, D, probability, target, each, dx, false);
        mean = (loss[0] + loss[1] + loss[2]) / M;
        assert_near("loss", 1, &mean, &expected, 1, 1e-6);
        assert_near("dx", M * D, dx, of_labels, 1, 1e-6);
        x[1] = -3e38f; /* the target is 0 there */
        table(i)->soft_cross_entropy_forward(M, D, x, target, probability, loss);
        assert_true(isfinite(loss[0]));
    }
}

static void test_squared_loss(void **unused) {
    (void)unused;
    uint64_t state = 4;
    for (int i = 0; i < 2; i++) {
        for (int64_t count = 1; count < 60; count += 19) {
            float a[60], b[60], da[60], db[60], start[60] = {0}, loss;
            double expected = 0;
            fill(&state, count, a);
            fill(&state, count, b);
            fill(&state, count, start);
            memcpy(db, start, sizeof start);
            for (int64_t j = 0; j < count; j++) {
                expected += 0.5 * pow((double)a[j] - b[j], 2);
            }
            table(i)->squared_loss_forward(count, 0.5f, a, b, &loss);
            assert_true(fabs(loss - expected) < 1e-6 * expected);
            table(i)->squared_loss_backward(count, 0.5f, a, b, 3, da, false, db, true);
            for (int64_t j = 0; j < count; j++) {
                assert_true(fabsf(da[j] - 3 * (a[j] - b[j])) < 1e-6f);
                assert_true(fabsf(db[j] - start[j] + 3 * (a[j] - b[j])) < 1e-6f);
            }
            float again[60];
            table(i)->squared_loss_backward(count, 0.5f, a, b, 3, again, false, NULL, false);
            assert_same_bits("da alone", count, again, da);
            table(i)->squared_loss_backward(count, 0.5f, a, b, 3, NULL, false, again, false);
            for (int64_t j = 0; j < count; j++) {
                assert_true(again[j] == -da[j]);
            }
        }
    }
}

static double bernoulli(double x, double target) {
    return log1p(exp(-fabs(x))) + fmax(x, 0) - target * x;
}

static double divergence(double mean, double log_variance) {
    return (expm1(log_variance) - log_variance + mean * mean) / 2;
}

/* Losses of pairs, by their values and differences in double: of both arguments, alone and together, adding and not. */
typedef struct pair_loss {
    double (*value)(double a, double b);
    hiss_kernel_squared_loss_forward *forward[2];
    hiss_kernel_squared_loss_backward *backward[2];
} pair_loss;

static void check_pair_loss(const pair_loss *l) {
    enum { MOST = 700 };
    uint64_t state = 6;
    for (int i = 0; i < 2; i++) {
        for (int64_t count = 1; count < MOST; count += 299) {
            float *a = new_filled(&state, count), *b = new_filled(&state, count), loss;
            float *start = new_filled(&state, count), *da = new_copy(count, start), *db = hiss_new(float, count);
            double expected = 0, h = 1e-5;
            for (int64_t j = 0; j < count; j++) {
                a[j] *= 6;
                b[j] *= j % 3 ? 1 : 1e-3f;
                expected += 0.5 * l->value(a[j], b[j]);
            }
            l->forward[i](count, 0.5f, a, b, &loss);
            assert_true(fabs(loss - expected) < 1e-6 * fabs(expected));
            l->backward[i](count, 0.5f, a, b, 3, da, true, db, false);
            for (int64_t j = 0; j < count; j++) {
                const double along_a = (l->value(a[j] + h, b[j]) - l->value(a[j] - h, b[j])) / (2 * h);
                const double along_b = (l->value(a[j], b[j] + h) - l->value(a[j], b[j] - h)) / (2 * h);
                assert_true(fabs(da[j] - start[j] - 1.5 * along_a) < 4e-6);
                assert_true(fabs(db[j] - 1.5 * along_b) < 4e-6);
            }
            float *again = hiss_new(float, count);
            l->backward[i](count, 0.5f, a, b, 3, NULL, false, again, false);
            assert_same_bits("b alone", count, again, db);
            hiss_free(again);
            float *all[] = {a, b, start, da, db};
            for (size_t k = 0; k < sizeof all / sizeof all[0]; k++) {
                hiss_free(all[k]);
            }
        }
    }
}

static void test_sigmoid_cross_entropy(void **unused) {
    (void)unused;
    const hiss_kernels *k[] = {hiss_kernels_blas(), hiss_kernels_ref()};
    const pair_loss loss = {bernoulli,
                            {k[0]->sigmoid_cross_entropy_forward, k[1]->sigmoid_cross_entropy_forward},
                            {k[0]->sigmoid_cross_entropy_backward, k[1]->sigmoid_cross_entropy_backward}};
    check_pair_loss(&loss);
    for (int i = 0; i < 2; i++) { /* extreme logits neither overflow nor lose the small ones */
        float value, dx[4];
        const float x[] = {200, -200, 3e38f, -88}, target[] = {1, 0, 1, 1};
        k[i]->sigmoid_cross_entropy_forward(4, 1, x, target, &value);
        assert_true(fabsf(value - 88) < 1e-5f);
        k[i]->sigmoid_cross_entropy_backward(4, 1, x, target, 1, dx, false, NULL, false);
        assert_near("dx", 4, dx, (const float[]){0, 0, 0, -1}, 1, 1e-6);
        const float small[] = {-20}, none[] = {0};
        k[i]->sigmoid_cross_entropy_forward(1, 1, small, none, &value);
        assert_true(fabs(value / 2.061153620314381e-9 - 1) < 1e-6);
    }
}

static double logistic(double x, double w) {
    const double z = w < 0 ? x : -x;
    return fabs(w) * (fmax(z, 0) + log1p(exp(-fabs(z))));
}

/* Any number of examples, most of which do not count, against sums in double; extreme logits. */
static void test_logistic_loss(void **unused) {
    (void)unused;
    enum { MOST = 100 };
    const hiss_kernels *k[] = {hiss_kernels_blas(), hiss_kernels_ref()};
    uint64_t state = 11;
    float *x = new_filled(&state, MOST), *w = new_filled(&state, MOST), dx[MOST], value;
    for (int count = 1; count <= MOST; count++) {
        double loss = 0, expected[MOST];
        for (int i = 0; i < MOST; i++) {
            w[i] = i / 16 % 2 || i % 5 == 0 ? 0.0f : i % 3 ? w[i] + 0.1f : -w[i];
        }
        for (int i = 0; i < count; i++) {
            const double z = (double)x[i], v = (double)w[i];
            loss += 0.5 * logistic(z, v);
            expected[i] = v == 0 ? 0 : -0.5 * 3 * v / (1 + exp(v < 0 ? -z : z));
        }
        for (int i = 0; i < 2; i++) {
            k[i]->logistic_loss_forward(count, 0.5f, x, w, &value);
            assert_true(fabs((double)value - loss) <= 1e-6 * fmax(1, loss));
            for (int accumulate = 0; accumulate < 2; accumulate++) {
                for (int j = 0; j < count; j++) {
                    dx[j] = 7;
                }
                k[i]->logistic_loss_backward(count, 0.5f, x, w, 3, dx, accumulate);
                for (int j = 0; j < count; j++) {
                    assert_true(fabs((double)dx[j] - expected[j] - 7 * accumulate) < 2e-6);
                }
            }
        }
    }
    const float far[] = {300, -300, 3e38f, -88}, sign[] = {1, -1, 1, 2};
    for (int i = 0; i < 2; i++) { /* neither overflows, and what counts for nothing may be anything */
        k[i]->logistic_loss_forward(4, 1, far, sign, &value);
        assert_true(fabsf(value - 176) < 1e-4f);
        k[i]->logistic_loss_backward(4, 1, far, sign, 1, dx, false);
        assert_near("dx", 4, dx, (const float[]){0, 0, 0, -2}, 1, 1e-6);
    }
    hiss_free(x);
    hiss_free(w);
}

static void test_gaussian_kl(void **unused) {
    (void)unused;
    const hiss_kernels *k[] = {hiss_kernels_blas(), hiss_kernels_ref()};
    const pair_loss loss = {divergence,
                            {k[0]->gaussian_kl_forward, k[1]->gaussian_kl_forward},
                            {k[0]->gaussian_kl_backward, k[1]->gaussian_kl_backward}};
    check_pair_loss(&loss);
    for (int i = 0; i < 2; i++) { /* at the prior it is 0, and close to it all but its square is lost no more */
        float value;
        const float zero[] = {0}, small[] = {1e-3f};
        k[i]->gaussian_kl_forward(1, 1, zero, zero, &value);
        assert_true(value == 0);
        k[i]->gaussian_kl_forward(1, 1, zero, small, &value);
        assert_true(fabs(value - divergence(0, (double)small[0])) < 1e-10);
    }
}

/* Sums over many terms: the fast table's lanes against the reference's plain order, both in double. */
static void test_long_sums(void **unused) {
    (void)unused;
    uint64_t state = 5;
    enum { COUNT = 100003 };
    float *a = new_filled(&state, COUNT), *b = new_filled(&state, COUNT), fast, ref;
    hiss_kernels_blas()->squared_loss_forward(COUNT, 1, a, b, &fast);
    hiss_kernels_ref()->squared_loss_forward(COUNT, 1, a, b, &ref);
    assert_near("loss", 1, &fast, &ref, 1, 1e-7);
    hiss_free(a);
    hiss_free(b);
}

static int check_leaks(void **unused) {
    (void)unused;
    return hiss_alloc_live() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activation_values),   cmocka_unit_test(test_activation_extremes),
        cmocka_unit_test(test_activation_gradient), cmocka_unit_test(test_gated),
        cmocka_unit_test(test_cross_entropy),       cmocka_unit_test(test_cross_entropy_of_large_logits),
        cmocka_unit_test(test_soft_cross_entropy),  cmocka_unit_test(test_soft_cross_entropy_of_labels),
        cmocka_unit_test(test_squared_loss),        cmocka_unit_test(test_sigmoid_cross_entropy),
        cmocka_unit_test(test_logistic_loss),       cmocka_unit_test(test_gaussian_kl),
        cmocka_unit_test(test_long_sums),
    };
    return cmocka_run_group_tests(tests, NULL, check_leaks);
}
