/* Optimisers and schedules: double references, values of PyTorch, ranges cut anywhere, closed forms of schedules. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nn/optim/optim_impl.h"

enum { N = 1003, STEPS = 6 };

static float *fill(float *out, unsigned seed, float size) {
    for (int k = 0; k < N; k++) {
        seed = seed * 1664525u + 1013904223u;
        out[k] = size * ((float)(seed >> 8) / 8388608.0f - 1);
    }
    return out;
}

static const hiss_optim_options kinds[] = {
    {.method = HISS_SGD},
    {.method = HISS_SGD, .weight_decay = 0.01},
    {.method = HISS_SGD, .weight_decay = 0.01, .momentum = 0.9},
    {.method = HISS_SGD, .weight_decay = 0.01, .momentum = 0.9, .nesterov = true},
    {.method = HISS_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8},
    {.method = HISS_ADAM, .beta1 = 0.5, .beta2 = 0.99, .epsilon = 1e-3, .weight_decay = 0.05},
    {.method = HISS_ADAMW, .beta1 = 0.5, .beta2 = 0.99, .epsilon = 1e-3, .weight_decay = 0.05},
    {.method = HISS_LARS, .weight_decay = 0.01},
    {.method = HISS_LARS, .weight_decay = 0.01, .momentum = 0.9, .trust = 0.02},
    {.method = HISS_LAMB, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-6, .weight_decay = 0.05},
    {.method = HISS_ADAGRAD, .epsilon = 1e-8, .weight_decay = 0.05},
};
enum { KINDS = sizeof kinds / sizeof *kinds };
static const double kind_rate[KINDS] = {0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.1, 0.1, 0.01, 0.1};
static const double TRUST = 0.75; /* a ratio as good as any */

static void run(const hiss_optim_options *o, double rate, int t, bool decay, int64_t count, const float *sum,
                float scale, float *p, float *const state[]) {
    const hiss_optim_step step = {.rate = rate, .update = t, .decay = decay, .gradient_scale = scale, .trust = TRUST};
    hiss_optim_update(o, &step, count, sum, p, state);
}

/* One element, one update, in double and from the textbook. */
static void reference(const hiss_optim_options *o, double rate, int t, bool decay, double g, double *p, double *a,
                      double *b) {
    const double shrink = decay ? o->weight_decay * *p : 0;
    const bool coupled = o->method != HISS_ADAMW && o->method != HISS_LAMB;
    g += coupled ? shrink : 0;
    if (o->method == HISS_LARS) {
        *a = o->momentum * *a + rate * TRUST * g;
        *p -= *a;
        return;
    }
    if (o->method == HISS_SGD) {
        *a = o->momentum * *a + g;
        *p -= rate * (o->nesterov ? g + o->momentum * *a : *a);
        return;
    }
    if (o->method == HISS_ADAGRAD) {
        *a += g * g;
        *p -= rate * g / (sqrt(*a) + o->epsilon);
        return;
    }
    *a = o->beta1 * *a + (1 - o->beta1) * g;
    *b = o->beta2 * *b + (1 - o->beta2) * g * g;
    double first = *a / (1 - pow(o->beta1, t)), second = *b / (1 - pow(o->beta2, t));
    const double direction = first / (sqrt(second) + o->epsilon) + (coupled ? 0 : shrink);
    *p -= rate * (o->method == HISS_LAMB ? TRUST : 1) * direction;
}

static void updates_follow_the_double_reference(void **unused) {
    (void)unused;
    static float p[N], start[N], g[N], a[N], b[N];
    fill(start, 1, 2);
    for (int kind = 0; kind < KINDS; kind++) {
        for (int decay = 0; decay < 2; decay++) {
            static double q[N], qa[N], qb[N];
            memcpy(p, start, sizeof p);
            memset(a, 0, sizeof a);
            memset(b, 0, sizeof b);
            for (int k = 0; k < N; k++) {
                q[k] = (double)start[k];
                qa[k] = qb[k] = 0;
            }
            for (int t = 1; t <= STEPS; t++) {
                double rate = kind_rate[kind] / t;
                fill(g, 100 + (unsigned)t, 8);
                run(&kinds[kind], rate, t, decay, N, g, 0.125f, p, (float *const[]){a, b});
                for (int k = 0; k < N; k++) {
                    reference(&kinds[kind], rate, t, decay, 0.125 * (double)g[k], &q[k], &qa[k], &qb[k]);
                }
            }
            int states = hiss_optim_states(&kinds[kind]);
            for (int k = 0; k < N; k++) {
                assert_true(fabs((double)p[k] - q[k]) <= 2e-6 * fmax(1, fabs(q[k])));
                assert_true(states < 1 || fabs((double)a[k] - qa[k]) <= 2e-6);
                assert_true(states < 2 || fabs((double)b[k] - qb[k]) <= 2e-6);
            }
        }
    }
}

enum { PYTORCH = 7 }; /* the first kinds */

/* Made with PyTorch: p = tensor(start); per step p.grad = tensor(gradient[t]); optimiser.step(), printed with
 * %.9g. SGD(lr=0.1), SGD(lr=0.1, weight_decay=0.01), the same with momentum=0.9, the same with nesterov=True,
 * Adam(lr=0.01), Adam(lr=0.01, betas=(0.5, 0.99), eps=1e-3, weight_decay=0.05), AdamW of the same. */
static void updates_give_the_values_of_pytorch(void **unused) {
    (void)unused;
    static const float start[4] = {0.5f, -1.25f, 3.0f, 0.001f};
    static const float gradient[4][4] = {
        {1.0f, -0.5f, 0.25f, 2.0f}, {-0.3f, 0.7f, 0.1f, -1.0f}, {0.05f, 0.9f, -2.0f, 0.4f}, {0.6f, -0.1f, 0.0f, 1e-3f}};
    static const float parameter[PYTORCH][4] = {
        {0.36500001f, -1.35000014f, 3.16499996f, -0.1391f},
        {0.363247752f, -1.34492755f, 3.15291262f, -0.138664499f},
        {0.164175898f, -1.4175514f, 3.23988295f, -0.490444094f},
        {0.0618027188f, -1.49571157f, 3.36879349f, -0.579530239f},
        {0.476652682f, -1.2521863f, 2.99084711f, -0.0174006503f},
        {0.479859918f, -1.25542128f, 2.99311757f, -0.0116830245f},
        {0.479811311f, -1.25530815f, 2.99038744f, -0.0116781387f},
    };
    static const float state[PYTORCH][2][4] = {
        {{0}},
        {{0}},
        {{1.14371419f, 0.869378567f, -1.43343699f, 1.00098276f}},
        {{1.14195275f, 0.868584216f, -1.43248415f, 0.997883797f}},
        {{0.1131f, 0.0912499949f, -0.153675005f, 0.100899987f},
         {0.00144932081f, 0.00155746122f, 0.00406829314f, 0.00514585385f}},
        {{0.360376447f, 0.172734961f, -0.331813335f, 0.100066036f},
         {0.0148904631f, 0.0142728873f, 0.0363034755f, 0.0502041727f}},
        {{0.337500006f, 0.231250018f, -0.471875012f, 0.100500003f},
         {0.0142098311f, 0.0153472368f, 0.0403044485f, 0.0501969717f}},
    };
    for (int kind = 0; kind < PYTORCH; kind++) {
        float p[4], s[2][4] = {{0}};
        memcpy(p, start, sizeof p);
        for (int t = 0; t < 4; t++) {
            run(&kinds[kind], kind_rate[kind], t + 1, true, 4, gradient[t], 1, p, (float *const[]){s[0], s[1]});
        }
        for (int k = 0; k < 4; k++) {
            assert_true(fabsf(p[k] - parameter[kind][k]) <= 2.5e-7f * fmaxf(1, fabsf(p[k])));
            for (int j = 0; j < 2; j++) {
                assert_true(fabsf(s[j][k] - state[kind][j][k]) <= 2.5e-7f * fabsf(s[j][k]));
            }
        }
    }
}

/* LARS and LAMB with the ratio of the whole range, as lars() and lamb() of tools/oracle give it in PyTorch, in single
 * precision, without clipping and clipped to 1.5 (clip_grad_norm_). */
static double norm_of(const float *x, int n) {
    double s = 0;
    for (int k = 0; k < n; k++) {
        s += (double)x[k] * (double)x[k];
    }
    return sqrt(s);
}

static void ratios_give_the_values_of_pytorch(void **unused) {
    (void)unused;
    static const float gradient[4][4] = {
        {1.0f, -0.5f, 0.25f, 2.0f}, {-0.3f, 0.7f, 0.1f, -1.0f}, {0.05f, 0.9f, -2.0f, 0.4f}, {0.6f, -0.1f, 0.0f, 1e-3f}};
    static const struct {
        int kind;
        double clip;
        float parameter[4], state[4];
    } cases[] = {{8,
                  0,
                  {0.487824678f, -1.25824928f, 3.00606441f, -0.0067971535f},
                  {0.00720178429f, 0.00294241915f, -0.00373211503f, 0.00104141119f}},
                 {8,
                  1.5,
                  {0.487860918f, -1.25815415f, 3.00577378f, -0.00663678255f},
                  {0.00719674025f, 0.00290455623f, -0.00362959481f, 0.00100334326f}},
                 {9,
                  0,
                  {0.432614833f, -1.27337229f, 2.98112178f, -0.045019336f},
                  {0.113099992f, 0.0912499949f, -0.153675005f, 0.100899987f}},
                 {9,
                  1.5,
                  {0.439121991f, -1.28389692f, 2.98064876f, -0.0292283203f},
                  {0.0861696973f, 0.0774651319f, -0.10112039f, 0.0382015593f}}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        hiss_optim_options o = kinds[cases[c].kind];
        o.clip_norm = cases[c].clip;
        const hiss_optim_norms wanted = hiss_optim_wanted(&o);
        float p[4] = {0.5f, -1.25f, 3.0f, 0.001f}, s[2][4] = {{0}}, direction[4];
        for (int t = 0; t < 4; t++) {
            const float *g = gradient[t];
            const double clip = hiss_optim_clip(&o, norm_of(g, 4));
            hiss_optim_step step = {.rate = kind_rate[cases[c].kind],
                                    .update = t + 1,
                                    .decay = true,
                                    .gradient_scale = (float)clip,
                                    .trust = 1};
            double norm = clip * norm_of(g, 4);
            if (wanted.round[wanted.rounds - 1].term[0] == HISS_TERM_DIRECTION) {
                hiss_optim_direction(&o, &step, 4, g, p, (float *const[]){s[0], s[1]}, direction);
                norm = norm_of(direction, 4);
            }
            step.trust = hiss_optim_trust(&o, &step, norm, norm_of(p, 4));
            hiss_optim_update(&o, &step, 4, g, p, (float *const[]){s[0], s[1]});
        }
        for (int k = 0; k < 4; k++) {
            assert_true(fabsf(p[k] - cases[c].parameter[k]) <= 1e-6f * fmaxf(1, fabsf(p[k])));
            assert_true(fabsf(s[0][k] - cases[c].state[k]) <= 1e-6f * fmaxf(1, fabsf(s[0][k])));
        }
    }
}

/* What the direction promises is what the update takes. */
static void the_direction_is_what_the_update_takes(void **unused) {
    (void)unused;
    const hiss_optim_options *o = &kinds[9];
    static float p[N], before[N], g[N], s[2][N], direction[N];
    fill(p, 3, 1);
    for (int t = 1; t <= STEPS; t++) {
        const hiss_optim_step step = {.rate = 1, .update = t, .decay = true, .gradient_scale = 0.5f, .trust = 0.125};
        fill(g, 70 + (unsigned)t, 1);
        memcpy(before, p, sizeof p);
        hiss_optim_direction(o, &step, N, g, p, (float *const[]){s[0], s[1]}, direction);
        hiss_optim_update(o, &step, N, g, p, (float *const[]){s[0], s[1]});
        for (int k = 0; k < N; k++) {
            assert_true(p[k] == before[k] - 0.125f * direction[k]);
        }
    }
}

/* A ratio of 1 where there is nothing to compare: gradients or parameters all zero, biases and gains. */
static void a_norm_of_zero_has_ratio_one(void **unused) {
    (void)unused;
    for (int kind = 7; kind < 10; kind++) {
        hiss_optim_options o = kinds[kind];
        o.trust = 0.02;
        hiss_optim_step weight = {.decay = true}, bias = {.decay = false};
        assert_true(hiss_optim_trust(&o, &weight, 0, 3) == 1 && hiss_optim_trust(&o, &weight, 3, 0) == 1);
        assert_true(hiss_optim_trust(&o, &weight, 0, 0) == 1 && hiss_optim_trust(&o, &bias, 2, 3) == 1);
        const double ratio = o.method == HISS_LARS ? 0.02 * 3 / (2 + 0.01 * 3) : 3.0 / 2.0;
        assert_true(fabs(hiss_optim_trust(&o, &weight, 2, 3) - ratio) < 1e-15);
        assert_true(hiss_optim_trust(&o, &weight, (double)INFINITY, 3) == 0);
        o.include_biases = true;
        assert_true(hiss_optim_trust(&o, &bias, 2, 3) == hiss_optim_trust(&o, &weight, 2, 3));
    }
}

/* One round where one will do: LARS clips with the norms it needs anyway; LAMB's direction needs the clipped gradient.
 */
static void every_method_wants_its_norms(void **unused) {
    (void)unused;
    static const struct {
        int method, rounds[2]; /* without clipping and with it */
    } cases[] = {{HISS_SGD, {0, 1}},  {HISS_ADAM, {0, 1}}, {HISS_ADAMW, {0, 1}},
                 {HISS_LARS, {1, 1}}, {HISS_LAMB, {1, 2}}, {HISS_ADAGRAD, {0, 1}}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        for (int clips = 0; clips < 2; clips++) {
            const hiss_optim_options o = {.method = cases[c].method, .clip_norm = clips};
            const hiss_optim_norms wanted = hiss_optim_wanted(&o);
            assert_int_equal(wanted.rounds, cases[c].rounds[clips]);
            assert_true(wanted.rounds == 0 || wanted.round[0].whole == clips);
            assert_true(!clips || wanted.round[0].term[0] == HISS_TERM_GRADIENT);
            assert_true(wanted.rounds < 2 || !wanted.round[1].whole);
        }
    }
}

/* The keys that a method says it reads are rows. */
static void keys_are_rows(void **unused) {
    (void)unused;
#define OPTIMISER(constant, name) &nn_optim_##name,
    static const nn_optim_ops *const table[] = {HISS_OPTIMISERS(OPTIMISER)};
    for (size_t m = 0; m < sizeof table / sizeof *table; m++) {
        assert_non_null(strstr(hiss_optim_rows[0].choices, table[m]->name));
        for (const char *const *key = table[m]->keys; *key; key++) {
            int found = 0;
            for (int k = 0; k < hiss_optim_nrows; k++) {
                found += strcmp(*key, hiss_optim_rows[k].key) == 0;
            }
            assert_int_equal(found, 1);
        }
    }
}

static void cutting_a_range_keeps_the_bits(void **unused) {
    (void)unused;
    static const int64_t cuts[] = {0, 1, 4, 4, 11, 28, 45, 112, 500, 997, N};
    static float whole[3][N], cut[3][N], g[N];
    for (int kind = 0; kind < KINDS; kind++) {
        fill(whole[0], 7, 1);
        memset(whole[1], 0, sizeof whole[1]);
        memset(whole[2], 0, sizeof whole[2]);
        memcpy(cut, whole, sizeof cut);
        for (int t = 1; t <= STEPS; t++) {
            fill(g, 50 + (unsigned)t, 1);
            run(&kinds[kind], 0.03, t, true, N, g, 0.37f, whole[0], (float *const[]){whole[1], whole[2]});
            for (size_t c = 0; c + 1 < sizeof cuts / sizeof *cuts; c++) {
                int64_t at = cuts[c];
                run(&kinds[kind], 0.03, t, true, cuts[c + 1] - at, g + at, 0.37f, cut[0] + at,
                    (float *const[]){cut[1] + at, cut[2] + at});
            }
        }
        assert_memory_equal(whole, cut, sizeof whole);
    }
}

static void states_are_counted_and_named(void **unused) {
    (void)unused;
    static const int expected[KINDS] = {0, 0, 1, 1, 2, 2, 2, 0, 1, 2, 1};
    for (int kind = 0; kind < KINDS; kind++) {
        assert_int_equal(hiss_optim_states(&kinds[kind]), expected[kind]);
    }
    assert_string_equal(hiss_optim_state_name(&kinds[2], 0), "velocity");
    assert_string_equal(hiss_optim_state_name(&kinds[4], 0), "first_moment");
    assert_string_equal(hiss_optim_state_name(&kinds[4], 1), "second_moment");
    /* Plain SGD is given no state at all. */
    float p = 1, g = 2;
    run(&kinds[0], 0.25, 1, true, 1, &g, 1, &p, NULL);
    assert_true(p == 0.5f);
}

static void biases_decay_when_they_are_included(void **unused) {
    (void)unused;
    for (int kind = 0; kind < KINDS; kind++) {
        hiss_optim_options all = kinds[kind];
        all.include_biases = true;
        float p[2] = {2, 2}, g = 0.5f, s[2][2] = {{0}};
        run(&kinds[kind], 0.1, 1, true, 1, &g, 1, &p[0], (float *const[]){&s[0][0], &s[0][1]});
        run(&all, 0.1, 1, false, 1, &g, 1, &p[1], (float *const[]){&s[1][0], &s[1][1]});
        assert_true(p[0] == p[1]);
    }
}

/* Only above clip_norm, and never up; a norm of zero or one that is not finite is left to the guard. */
static void clipping_scales_down_only(void **unused) {
    (void)unused;
    const hiss_optim_options none = {.method = HISS_SGD}, one = {.method = HISS_ADAM, .clip_norm = 1};
    assert_int_equal(hiss_optim_wanted(&none).rounds, 0);
    assert_int_equal(hiss_optim_wanted(&one).rounds, 1);
    assert_true(hiss_optim_wanted(&one).round[0].whole && hiss_optim_wanted(&one).round[0].terms == 1);
    assert_true(hiss_optim_clip(&none, 1e30) == 1);
    assert_true(hiss_optim_clip(&one, 0) == 1 && hiss_optim_clip(&one, 0.99) == 1);
    assert_true(hiss_optim_clip(&one, 4) == 1 / (4 + 1e-6));
    assert_true(hiss_optim_clip(&one, (double)NAN) == 1);
    assert_true(hiss_optim_clip(&one, (double)INFINITY) == 0);
}

static void assert_rate(const hiss_optim_options *o, int64_t step, double expected) {
    double rate = hiss_optim_rate(o, step, 10, 100);
    if (!(fabs(rate - expected) <= 1e-15)) {
        fail_msg("schedule %d, step %d: rate %.17g, expected %.17g", o->schedule, (int)step, rate, expected);
    }
}

/* 10 epochs of 10 steps. */
static void schedules_follow_their_formulas(void **unused) {
    (void)unused;
    hiss_optim_options constant = {.lr = 0.4, .schedule = HISS_SCHEDULE_CONSTANT};
    assert_rate(&constant, 0, 0.4);
    assert_rate(&constant, 99, 0.4);

    hiss_optim_options steps = {.lr = 0.4, .schedule = HISS_SCHEDULE_STEP, .step_every = 3, .step_factor = 0.5};
    assert_rate(&steps, 29, 0.4);
    assert_rate(&steps, 30, 0.2);
    assert_rate(&steps, 59, 0.2);
    assert_rate(&steps, 99, 0.05);

    hiss_optim_options cosine = {.lr = 0.4, .lr_end = 0.1, .schedule = HISS_SCHEDULE_COSINE};
    assert_rate(&cosine, 0, 0.4);
    assert_rate(&cosine, 50, 0.25);
    assert_rate(&cosine, 25, 0.25 + 0.15 * sqrt(0.5));
    assert_rate(&cosine, 100, 0.1);
    assert_rate(&cosine, 1000, 0.1);

    hiss_optim_options linear = {.lr = 0.4, .lr_end = 0.1, .schedule = HISS_SCHEDULE_LINEAR};
    assert_rate(&linear, 0, 0.4);
    assert_rate(&linear, 60, 0.22);
    assert_rate(&linear, 100, 0.1);

    hiss_optim_options inverse = {
        .lr = 0.4, .schedule = HISS_SCHEDULE_INVERSE, .inverse_after = 2, .inverse_gamma = 0.5};
    assert_rate(&inverse, 29, 0.4);
    assert_rate(&inverse, 30, 0.4 / 1.5);
    assert_rate(&inverse, 39, 0.4 / 1.5);
    assert_rate(&inverse, 45, 0.2);
}

static void warm_up_rises_linearly_and_joins(void **unused) {
    (void)unused;
    hiss_optim_options constant = {.lr = 0.4, .schedule = HISS_SCHEDULE_CONSTANT, .warmup = 2};
    assert_rate(&constant, 0, 0.4 / 20);
    assert_rate(&constant, 9, 0.2);
    assert_rate(&constant, 19, 0.4);
    assert_rate(&constant, 20, 0.4);
    hiss_optim_options cosine = {.lr = 0.4, .schedule = HISS_SCHEDULE_COSINE, .warmup = 2};
    assert_rate(&cosine, 9, 0.2);
    assert_rate(&cosine, 20, 0.4);
    assert_rate(&cosine, 60, 0.2);
    assert_rate(&cosine, 100, 0);
    hiss_optim_options half = {.lr = 1, .schedule = HISS_SCHEDULE_CONSTANT, .warmup = 0.4};
    assert_rate(&half, 0, 0.25);
    hiss_optim_options endless = {.lr = 1, .schedule = HISS_SCHEDULE_LINEAR, .warmup = 50};
    assert_rate(&endless, 99, 0.2);
}

static void settings_that_contradict_are_refused(void **unused) {
    (void)unused;
    static const struct {
        hiss_optim_options options;
        const char *key; /* NULL: accepted */
    } cases[] = {
        {{.method = HISS_SGD, .lr = 1}, NULL},
        {{.method = HISS_SGD, .lr = 1, .nesterov = true, .momentum = 0.9}, NULL},
        {{.method = HISS_SGD, .lr = 1, .nesterov = true}, "gan.optim.nesterov"},
        {{.method = HISS_ADAM, .lr = 1, .nesterov = true}, "gan.optim.nesterov"},
        {{.method = HISS_ADAM, .lr = 1, .momentum = 0.9}, "gan.optim.momentum"},
        {{.method = HISS_ADAMW, .lr = 1, .momentum = 0.9}, "gan.optim.momentum"},
        {{.method = HISS_LAMB, .lr = 1, .momentum = 0.9}, "gan.optim.momentum"},
        {{.method = HISS_LAMB, .lr = 1, .nesterov = true}, "gan.optim.nesterov"},
        {{.method = HISS_LARS, .lr = 1, .momentum = 0.9}, NULL},
        {{.method = HISS_LARS, .lr = 1, .momentum = 0.9, .nesterov = true}, "gan.optim.nesterov"},
        {{.lr = 1, .schedule = HISS_SCHEDULE_COSINE, .lr_end = 2}, "gan.optim.lr_end"},
        {{.lr = 1, .schedule = HISS_SCHEDULE_CONSTANT, .lr_end = 2}, NULL},
        {{.lr = 1, .schedule = HISS_SCHEDULE_INVERSE}, "gan.optim.schedule"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        hiss_error err = {0};
        hiss_status status = hiss_optim_check(&cases[k].options, "gan.optim", &err);
        assert_int_equal(status, cases[k].key ? HISS_EUSER : HISS_OK);
        assert_true(!cases[k].key || strstr(err.text, cases[k].key) == err.text);
        assert_true(!cases[k].key || strcmp(err.key, cases[k].key) == 0);
    }
}

/* Every field has one row, inside the struct; numbers have bounds and choices match the enums. */
static void rows_describe_the_struct(void **unused) {
    (void)unused;
    assert_int_equal(hiss_optim_nrows, 18);
    for (int k = 0; k < hiss_optim_nrows; k++) {
        const hiss_row *row = &hiss_optim_rows[k];
        assert_true(row->offset < sizeof(hiss_optim_options));
        assert_non_null(row->help);
        assert_true((row->type == HISS_INT || row->type == HISS_FLOAT) == (row->max > row->min));
        assert_true((row->type == HISS_CHOICE) == (row->choices != NULL));
        for (int j = 0; j < k; j++) {
            assert_true(row->offset != hiss_optim_rows[j].offset);
            assert_string_not_equal(row->key, hiss_optim_rows[j].key);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(biases_decay_when_they_are_included),
        cmocka_unit_test(clipping_scales_down_only),
        cmocka_unit_test(ratios_give_the_values_of_pytorch),
        cmocka_unit_test(a_norm_of_zero_has_ratio_one),
        cmocka_unit_test(the_direction_is_what_the_update_takes),
        cmocka_unit_test(every_method_wants_its_norms),
        cmocka_unit_test(keys_are_rows),
        cmocka_unit_test(updates_follow_the_double_reference),
        cmocka_unit_test(updates_give_the_values_of_pytorch),
        cmocka_unit_test(cutting_a_range_keeps_the_bits),
        cmocka_unit_test(states_are_counted_and_named),
        cmocka_unit_test(schedules_follow_their_formulas),
        cmocka_unit_test(warm_up_rises_linearly_and_joins),
        cmocka_unit_test(settings_that_contradict_are_refused),
        cmocka_unit_test(rows_describe_the_struct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
