/* Multi-scale prediction: its scales, both losses and what is foretold against plain loops; the adversary sees the given frames, and
 * leaves the generators alone; frames of a sample follow each other in a clip. */
#include "../act.h"

#include "objective/video/multiscale.h"

enum { PAST = 2, FUTURE = 3, WIDTH = 2, M = 3 };

static const char settings[] =
    "multiscale: {past: 2, future: 3, width: 2, gdl: 0.7, adversarial: 0.3, mismatched: true}\n";

typedef struct map { /* [side,side,channels] */
    int64_t side, channels;
    double *x;
} map;

static map map_of(int64_t side, int64_t channels) {
    return (map){side, channels, hiss_new(double, side *side *channels)};
}

/* ---- networks by hand ---- */

static double *values_of(rig *r, const char *name, const char *part) {
    char text[64];
    snprintf(text, sizeof text, "%s/%s", name, part);
    const int64_t count = hiss_model_at(r->model, hiss_model_find(r->model, text))->count;
    const float *from = rig_of(r, r->vector, text);
    double *out = hiss_new(double, count);
    for (int64_t k = 0; k < count; k++) {
        out[k] = (double)from[k];
    }
    return out;
}

static map convolved(rig *r, const char *name, map in, int64_t F, int64_t window, int64_t pad, bool relu) {
    const map out = map_of(in.side + 2 * pad - window + 1, F);
    double *w = values_of(r, name, "weight"), *bias = values_of(r, name, "bias");
    for (int64_t o = 0; o < out.side * out.side * F; o++) {
        const int64_t f = o % F, x = o / F % out.side, y = o / F / out.side;
        double sum = bias[f];
        for (int64_t k = 0; k < window * window; k++) {
            const int64_t row = y + k / window - pad, column = x + k % window - pad;
            for (int64_t c = 0; c < in.channels; c++) {
                if (row >= 0 && row < in.side && column >= 0 && column < in.side) {
                    sum += w[(f * window * window + k) * in.channels + c] *
                           in.x[(row * in.side + column) * in.channels + c];
                }
            }
        }
        out.x[o] = relu ? fmax(sum, 0.0) : sum;
    }
    hiss_free(w);
    hiss_free(bias);
    hiss_free(in.x);
    return out;
}

static map linear(rig *r, const char *name, map in, int64_t F, bool relu) {
    const map out = map_of(1, F);
    const int64_t D = in.side * in.side * in.channels;
    double *w = values_of(r, name, "weight"), *bias = values_of(r, name, "bias");
    for (int64_t f = 0; f < F; f++) {
        out.x[f] = bias[f];
        for (int64_t k = 0; k < D; k++) {
            out.x[f] += w[f * D + k] * in.x[k];
        }
        out.x[f] = relu ? fmax(out.x[f], 0.0) : out.x[f];
    }
    hiss_free(w);
    hiss_free(bias);
    hiss_free(in.x);
    return out;
}

/* Averages over squares, as fine as scale k. */
static map averaged(map in, int k) {
    const int64_t step = 1 << (MULTISCALE_SCALES - 1 - k), C = in.channels;
    const map out = map_of(in.side / step, C);
    for (int64_t i = 0; i < in.side * in.side * C; i++) {
        const int64_t x = i / C % in.side / step, y = i / C / in.side / step;
        out.x[(y * out.side + x) * C + i % C] += in.x[i] / (double)(step * step);
    }
    return out;
}

static map beside(map a, map b) {
    const map out = map_of(a.side, a.channels + b.channels);
    for (int64_t i = 0; i < a.side * a.side; i++) {
        memcpy(out.x + i * out.channels, a.x + i * a.channels, sizeof(double) * (size_t)a.channels);
        memcpy(out.x + i * out.channels + a.channels, b.x + i * b.channels, sizeof(double) * (size_t)b.channels);
    }
    return out;
}

static const int64_t filters[2][5] = {{1, 2, 1}, {1, 2, 4, 2, 1}}, layers[] = {3, 3, 5, 5},
                     windows[4][6] = {{3, 3, 3, 3}, {5, 3, 3, 5}, {5, 3, 3, 3, 3, 5}, {7, 5, 5, 5, 5, 7}};

/* Of frames of 0..1 beside each other, what each scale makes. */
static void generate(rig *r, map given, map made[MULTISCALE_SCALES]) {
    for (int k = 0; k < MULTISCALE_SCALES; k++) {
        char name[64];
        const map context = averaged(given, k), below = map_of(context.side, 1);
        for (int64_t i = 0; k > 0 && i < below.side * below.side; i++) {
            below.x[i] = made[k - 1].x[i / below.side / 2 * (below.side / 2) + i % below.side / 2];
        }
        map x = beside(context, below);
        if (k == 0) {
            hiss_free(x.x);
            x = averaged(given, k);
        }
        for (int64_t l = 0; l <= layers[k]; l++) {
            const bool last = l == layers[k];
            snprintf(name, sizeof name, "generator%d/conv%d", k + 1, (int)l + 1);
            x = convolved(r, name, x, last ? 1 : WIDTH * filters[k / 2][l], windows[k][l], windows[k][l] / 2, !last);
        }
        for (int64_t i = 0; k > 0 && i < below.side * below.side; i++) {
            x.x[i] += below.x[i];
        }
        made[k] = x;
        hiss_free(context.x);
        hiss_free(below.x);
    }
}

static double judged(rig *r, int k, map given, map frame) {
    static const int64_t count[] = {1, 3, 3, 4}, times[] = {2, 2, 4, 8},
                         window[4][4] = {{3}, {3, 3, 3}, {5, 5, 5}, {7, 7, 5, 5}};
    char name[64];
    map x = beside(given, frame);
    for (int64_t l = 0; l < count[k]; l++) {
        const int64_t side = window[k][l] < x.side ? window[k][l] : x.side;
        snprintf(name, sizeof name, "discriminator%d/conv%d", k + 1, (int)l + 1);
        x = convolved(r, name, x, WIDTH * times[l], side, 0, true);
    }
    assert_int_equal(x.side, 1); /* nothing is left to be pooled */
    for (int l = 0; l < 2; l++) {
        snprintf(name, sizeof name, "discriminator%d/linear%d", k + 1, l + 1);
        x = linear(r, name, x, 16 * WIDTH >> l, true);
    }
    snprintf(name, sizeof name, "discriminator%d/logit", k + 1);
    x = linear(r, name, x, 1, false);
    const double logit = x.x[0];
    hiss_free(x.x);
    return logit;
}

static double step_of(map m, int64_t i, int64_t back) {
    return fabs(m.x[i] - m.x[i - back]);
}

static double difference(map truth, map made) {
    double sum = 0.0;
    for (int64_t i = 0; i < truth.side * truth.side; i++) {
        sum += i >= truth.side ? fabs(step_of(truth, i, truth.side) - step_of(made, i, truth.side)) : 0.0;
        sum += i % truth.side ? fabs(step_of(truth, i, 1) - step_of(made, i, 1)) : 0.0;
    }
    return sum / (double)(truth.side * truth.side);
}

/* -log of the probability that logits give to "true", or to "made" with -logit. */
static double surprise(double logit) {
    return log1p(exp(-logit));
}

/* ---- both phases ---- */

/* Last layers of generators start nearly at 0, where nothing that the others do would show. */
static void open_small(act *a, const char *text) {
    open_act(a, "multiscale", text, 2, M, 24);
    for (int k = 0; k < MULTISCALE_SCALES; k++) {
        char name[64];
        snprintf(name, sizeof name, "generator%d/conv%d/weight", k + 1, (int)layers[k] + 1);
        const hiss_slot *slot = hiss_model_at(a->r[0].model, hiss_model_find(a->r[0].model, name));
        for (int64_t i = 0; i < slot->count; i++) {
            a->r[0].vector[slot->offset + i] *= 20.0f;
        }
    }
}

/* count frames of sample i in the inputs NAMEfirst, ... of a phase, beside each other. */
static map frames_in(rig *r, const char *name, int64_t first, int64_t count, int64_t i, int64_t side) {
    const map out = map_of(side, count);
    for (int64_t t = 0; t < count; t++) {
        char text[32];
        snprintf(text, sizeof text, "%s%d", name, (int)(first + t));
        const float *frame = hiss_exec_data(r->exec, hiss_graph_input_named(r->graph, text)) + i * side * side;
        for (int64_t k = 0; k < side * side; k++) {
            out.x[k * count + t] = (double)frame[k];
        }
    }
    return out;
}

/* The share of sample i in the loss of a phase: 0, of the discriminator, 1, of the generator. */
static double loss_by_hand(rig *r, int phase, int64_t i, int64_t side) {
    const map given = frames_in(r, "frame", 0, PAST, i, side), next = frames_in(r, "frame", PAST, 1, i, side),
              other = phase == 0 ? frames_in(r, "mismatched", 0, PAST, i, side) : map_of(side, PAST);
    map made[MULTISCALE_SCALES];
    double loss = 0.0;
    generate(r, given, made);
    for (int k = 0; k < MULTISCALE_SCALES; k++) {
        const map seen = averaged(given, k), truth = averaged(next, k), mismatched = averaged(other, k);
        const double of_made = judged(r, k, seen, made[k]);
        if (phase == 0) {
            loss +=
                surprise(judged(r, k, seen, truth)) + surprise(-of_made) + surprise(-judged(r, k, mismatched, truth));
        } else {
            double square = 0.0;
            for (int64_t p = 0; p < truth.side * truth.side; p++) {
                square += (truth.x[p] - made[k].x[p]) * (truth.x[p] - made[k].x[p]);
            }
            loss +=
                square / (double)(truth.side * truth.side) + 0.7 * difference(truth, made[k]) + 0.3 * surprise(of_made);
        }
        hiss_free(seen.x);
        hiss_free(truth.x);
        hiss_free(mismatched.x);
        hiss_free(made[k].x);
    }
    hiss_free(given.x);
    hiss_free(next.x);
    hiss_free(other.x);
    return loss / M;
}

static void test_losses_are_their_sums(void **state) {
    (void)state;
    act a;
    open_small(&a, settings);
    assert_int_equal(a.phases, 2);
    for (int p = 0; p < 2; p++) {
        const double found = rig_step(&a.r[p]);
        double expected = 0.0;
        fill_lane(&a.r[p]);
        for (int64_t i = 0; i < M; i++) {
            expected += loss_by_hand(&a.r[p], p, i, a.s.task.H);
        }
        if (!(fabs(found - expected) < 1e-5 * expected)) {
            fail_msg("loss of phase %d is %.8g, by hand %.8g", p, found, expected);
        }
    }
    close_act(&a);
}

/* ---- the adversary ---- */

static bool starts(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

/* Each phase moves its own networks, even where it might move all; without an adversary there is one phase, and no such network. */
static void test_phases_move_their_own(void **state) {
    (void)state;
    act a;
    open_small(&a, settings);
    for (int p = 0; p < 2; p++) {
        int own = 0;
        rig_step(&a.r[p]);
        for (int k = 0; k < hiss_model_count(a.r[p].model); k++) {
            const hiss_slot *slot = hiss_model_at(a.r[p].model, k);
            if (slot->kind == HISS_SLOT_PARAMETER) {
                const bool moves = starts(slot->name, p == 0 ? "discriminator" : "generator");
                assert_true(moves == hiss_graph_trains(a.r[p].graph, k));
                own += moves;
            }
        }
        assert_true(own > 0);
    }
    rig r = rig_open(); /* all groups */
    hiss_error err = {0};
    assert_int_equal(a.s.ops->build(a.s.method, 0, &r.b, &err), HISS_OK);
    for (int k = 0; k < hiss_model_count(r.model); k++) {
        assert_false(starts(hiss_model_at(r.model, k)->name, "generator") && hiss_graph_trains(r.graph, k));
    }
    rig_ready(&r, hiss_kernels_ref());
    rig_close(&r);
    close_act(&a);
    open_small(&a, "multiscale: {past: 2, future: 3, width: 2, adversarial: 0}\n");
    assert_int_equal(a.phases, 1);
    for (int k = 0; k < hiss_model_count(a.r[0].model); k++) {
        assert_false(starts(hiss_model_at(a.r[0].model, k)->name, "discriminator"));
    }
    close_act(&a);
}

/* At each scale the logit of one frame is another after other given frames. */
static void test_adversary_sees_given_frames(void **state) {
    (void)state;
    act a;
    open_small(&a, settings);
    for (int k = 0; k < MULTISCALE_SCALES; k++) {
        const int64_t side = 2 << k, size = side * side;
        rig r = rig_open();
        hiss_graph *g = r.graph;
        const hiss_value given = hiss_graph_input(g, "given", HISS_SHAPE(2, side, side, PAST)),
                         frame = hiss_graph_input(g, "frame", HISS_SHAPE(2, side, side, 1)),
                         logits = video_multiscale_judge(a.s.method, &r.b, k, given, frame);
        hiss_graph_keep(g, logits);
        hiss_graph_loss(g, hiss_graph_dot(g, logits, logits, 1.0));
        rig_ready(&r, hiss_kernels_ref());
        for (int same = 0; same < 2; same++) {
            fill_normals(3, 1, size, hiss_exec_data(r.exec, frame));
            fill_normals(3, 1, size, hiss_exec_data(r.exec, frame) + size);
            fill_normals(3, 2, size * PAST, hiss_exec_data(r.exec, given));
            fill_normals(3, same ? 2 : 3, size * PAST, hiss_exec_data(r.exec, given) + size * PAST);
            hiss_exec_forward(r.exec, &r.run, 0, hiss_graph_nodes(g), NULL, NULL);
            const float *logit = hiss_exec_data(r.exec, logits);
            assert_true(same == (logit[0] == logit[1]));
        }
        rig_close(&r);
    }
    close_act(&a);
}

/* ---- frames ---- */

/* Where in clip j input NAME0 of sample i begins, of count frames that follow each other there; -1: nowhere. */
static int64_t found_in(act *a, rig *r, const char *name, int64_t count, int64_t i, int64_t j) {
    const hiss_field *clip = &a->s.field[1];
    const int64_t side = clip->dim[1], size = side * side;
    const map seen = frames_in(r, name, 0, count, i, side);
    const uint8_t *pixel = hiss_batch_values(&a->s.batches[0], j, clip);
    int64_t found = -1;
    for (int64_t first = 0; first + count <= clip->dim[0] && found < 0; first++) {
        bool equal = true;
        for (int64_t k = 0; k < size * count; k++) {
            const double of_clip = (double)pixel[(first + k % count) * size + k / count] / 255.0;
            equal = equal && fabs(seen.x[k] - of_clip) < 1e-6;
        }
        found = equal ? first : -1;
    }
    hiss_free(seen.x);
    return found;
}

static void sample_at(act *a, int phase, int64_t step) {
    hiss_lane lane = stage_lane(&a->s, 0, a->r[phase].graph, a->r[phase].exec);
    lane.phase = phase;
    lane.step = step;
    stage_sample(&a->s, &lane);
}

static void test_frames_follow_each_other(void **state) {
    (void)state;
    enum { STEPS = 40 };
    act a;
    open_small(&a, settings);
    bool seen[16] = {false};
    int differ = 0;
    for (int64_t step = 0; step < STEPS; step++) {
        sample_at(&a, 0, step);
        sample_at(&a, 1, step);
        for (int64_t i = 0; i < M; i++) {
            const int64_t first = found_in(&a, &a.r[0], "frame", PAST + 1, i, i),
                          later = found_in(&a, &a.r[1], "frame", PAST + 1, i, i);
            assert_true(first >= 0 && later >= 0);
            assert_true(found_in(&a, &a.r[0], "mismatched", PAST, i, (i + 1) % M) >= 0);
            seen[first] = true;
            differ += first != later;
        }
    }
    const int64_t places = a.s.field[1].dim[0] - PAST;
    assert_int_equal(places, 13);
    for (int64_t k = 0; k < 10; k++) { /* blobs are where they were ten frames before */
        assert_true(seen[k]);
    }
    assert_true(differ > STEPS);
    const int64_t before = found_in(&a, &a.r[0], "frame", PAST + 1, 0, 0);
    sample_at(&a, 0, 0);
    sample_at(&a, 0, STEPS - 1);
    assert_int_equal(found_in(&a, &a.r[0], "frame", PAST + 1, 0, 0), before);
    close_act(&a);
}

/* What is foretold is made of the given frames, and then of what was foretold. */
static void test_futures_are_made_of_made_frames(void **state) {
    (void)state;
    act a;
    open_small(&a, settings);
    hiss_error err = {0};
    const hiss_forecast_ops *ops = a.s.ops->forecast;
    void *forecaster = NULL;
    const int64_t side = a.s.task.H, size = side * side;
    float *out = hiss_new(float, FUTURE *size);
    assert_true(!ops->draws);
    assert_int_equal(ops->given(a.s.method), PAST);
    assert_int_equal(ops->foretold(a.s.method), FUTURE);
    assert_int_equal(ops->create(a.s.method, 1, FUTURE, &forecaster, &err), HISS_OK);
    const hiss_model *model = ops->model(forecaster);
    float *vector = hiss_new(float, hiss_model_floats(model));
    for (int k = 0; k < hiss_model_count(model); k++) {
        const hiss_slot *slot = hiss_model_at(model, k);
        memcpy(vector + slot->offset, rig_of(&a.r[0], a.r[0].vector, slot->name), sizeof(float) * (size_t)slot->count);
    }
    const hiss_lane lane = {.task = &a.s.task, .phase = -1, .view = HISS_VIEW_CENTER, .batch = &a.s.batches[0]};
    ops->run(forecaster, vector, &lane, 1, 5, 0, NULL, out);
    map given = map_of(side, PAST);
    for (int64_t t = 0; t < PAST; t++) {
        float *frame = hiss_new(float, size);
        ops->frame(&lane, 1, t, frame);
        for (int64_t k = 0; k < size; k++) {
            given.x[k * PAST + t] = (double)frame[k];
        }
        hiss_free(frame);
    }
    int cut = 0;
    for (int64_t t = 0; t < FUTURE; t++) {
        map made[MULTISCALE_SCALES];
        generate(&a.r[0], given, made);
        for (int64_t k = 0; k < size; k++) {
            const double next = fmin(fmax(made[3].x[k], 0.0), 1.0);
            cut += next != made[3].x[k];
            assert_true(out[t * size + k] >= 0.0f && out[t * size + k] <= 1.0f);
            assert_true(fabs((double)out[t * size + k] - next) < 1e-4);
            given.x[k * PAST] = given.x[k * PAST + 1];
            given.x[k * PAST + 1] = next;
        }
        for (int k = 0; k < MULTISCALE_SCALES; k++) {
            hiss_free(made[k].x);
        }
    }
    assert_true(cut > 0);
    hiss_free(given.x);
    hiss_free(vector);
    hiss_free(out);
    ops->destroy(forecaster);
    close_act(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_losses_are_their_sums),           cmocka_unit_test(test_phases_move_their_own),
        cmocka_unit_test(test_adversary_sees_given_frames),     cmocka_unit_test(test_frames_follow_each_other),
        cmocka_unit_test(test_futures_are_made_of_made_frames),
    };
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
