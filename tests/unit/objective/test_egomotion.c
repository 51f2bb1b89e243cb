/* Egomotion: two views of a plane whose colours are its coordinates lie to one another as their answers say; one view by itself says
 * nothing of the motion, by statistics that find it in an upright one; what the controls see. */
#include "../act.h"

enum { AXES = 3, M = 4, SIDE = 9, SHIFT = 2, MOTIONS = 2 * SHIFT + 1, BINS = 12, IMAGE = 28, MIDDLE = SIDE / 2 };
enum { CHANNELS = 3, VALUES = SIDE * SIDE * CHANNELS };
static const double rotate = 60.0, slope = 9.0 / 255.0;
static const char base[] =
    "network: {width: 2}\negomotion: {view: 9, shift: 2, rotate: 60, bins: 12, code: 2, hidden: 2, ";

typedef struct pair { /* a method with its graph, and where it puts a pair */
    hiss_comm comm;
    stage s;
    rig r;
    hiss_lane lane;
    const float *views; /* [M, 2, SIDE, SIDE, CHANNELS] */
    const int32_t *answer[AXES];
} pair;

/* rest: further keys of the section. Images have their row as red and their column as green, in steps of slope. */
static void open_pair(pair *p, const char *rest) {
    static const char *const names[AXES] = {"answer_y", "answer_x", "answer_rotation"};
    char text[256];
    hiss_error err = {0};
    memset(p, 0, sizeof *p);
    snprintf(text, sizeof text, "%s%s}\n", base, rest);
    const stage_given given = {.seed = 9,
                               .samples = M,
                               .stored_H = IMAGE,
                               .stored_W = IMAGE,
                               .C = CHANNELS,
                               .lanes = 1,
                               .m = M,
                               .comm = &p->comm,
                               .kernels = hiss_kernels_blas()};
    if (stage_open(&p->s, "egomotion", text, given, NULL, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    stage_batches(&p->s, 0, 0);
    for (int k = 0; k < M * IMAGE * IMAGE; k++) {
        uint8_t *pixel = p->s.pixels + CHANNELS * k;
        pixel[0] = (uint8_t)(9 * (k / IMAGE % IMAGE));
        pixel[1] = (uint8_t)(9 * (k % IMAGE));
        pixel[2] = 255;
    }
    p->r = rig_open();
    assert_int_equal(p->s.ops->build(p->s.method, 0, &p->r.b, &err), HISS_OK);
    rig_ready(&p->r, given.kernels);
    p->lane = stage_lane(&p->s, 0, p->r.graph, p->r.exec);
    p->lane.view = HISS_VIEW_CENTER;
    p->views = hiss_exec_data(p->r.exec, hiss_graph_input_named(p->r.graph, "patches"));
    for (int axis = 0; axis < AXES; axis++) {
        p->answer[axis] = (const int32_t *)hiss_exec_data(p->r.exec, hiss_graph_input_named(p->r.graph, names[axis]));
    }
}

static void close_pair(pair *p) {
    rig_close(&p->r);
    stage_close(&p->s);
}

static void draw(pair *p, int64_t step) {
    p->lane.step = step;
    for (int64_t i = 0; i < M; i++) {
        p->s.ops->input->sample(p->s.method, &p->lane, i);
    }
}

/* ---- geometry ---- */

/* Of a view, by its colours: where its centre is, and how far one pixel down and one to the right lead, as (y, x). */
typedef struct window {
    double at[2], down[2], right[2];
} window;

static window window_of(const float *view) {
    window w;
    for (int c = 0; c < 2; c++) {
        const float *middle = view + (MIDDLE * SIDE + MIDDLE) * CHANNELS + c;
        w.at[c] = (double)middle[0] / slope;
        w.down[c] = (double)middle[SIDE * CHANNELS] / slope - w.at[c];
        w.right[c] = (double)middle[CHANNELS] / slope - w.at[c];
    }
    return w;
}

/* Any pixel is where the centre and the two steps say: views are rigid, of one scale, and not mirrored. */
static void expect_rigid(const float *view, const window *w) {
    const double scale = hypot(w->down[0], w->down[1]), turn = w->down[0] * w->right[1] - w->down[1] * w->right[0];
    assert_true(fabs(scale - 1.0) < 1e-3 && fabs(turn - 1.0) < 1e-3);
    for (int k = 0; k < SIDE * SIDE; k++) {
        for (int c = 0; c < 2; c++) {
            const double wanted = w->at[c] + (k / SIDE - MIDDLE) * w->down[c] + (k % SIDE - MIDDLE) * w->right[c],
                         found = (double)view[k * CHANNELS + c] / slope;
            assert_true(fabs(found - wanted) < 2e-3 && found > -1e-3 && found < IMAGE - 1 + 1e-3);
        }
    }
}

/* The point at p1 is at p2 = R p1 + t: for the centre, p1 = 0; and R takes the steps of the first view to the second's. */
static void expect_motion(const pair *p, int64_t i, const window *first, const window *second) {
    const double t[2] = {p->answer[0][i] - SHIFT, p->answer[1][i] - SHIFT};
    for (int c = 0; c < 2; c++) {
        const double there = second->at[c] + t[0] * second->down[c] + t[1] * second->right[c];
        assert_true(fabs(there - first->at[c]) < 2e-3);
    }
    const double cosine = first->down[0] * second->down[0] + first->down[1] * second->down[1],
                 sine = first->down[0] * second->right[0] + first->down[1] * second->right[1];
    const double within = (atan2(sine, cosine) * 180.0 / 3.14159265358979324 / rotate + 1.0) / 2.0 * BINS;
    assert_true(within > p->answer[2][i] - 1e-3 && within < p->answer[2][i] + 1 + 1e-3);
}

static void test_motion_between_views(void **state) {
    (void)state;
    enum { STEPS = 250 };
    pair p;
    int times[AXES][BINS] = {{0}}, quarters[4] = {0};
    open_pair(&p, "canvas: 0");
    for (int64_t step = 0; step < STEPS; step++) {
        draw(&p, step);
        for (int64_t i = 0; i < M; i++) {
            const float *views = p.views + 2 * i * VALUES;
            const window first = window_of(views), second = window_of(views + VALUES);
            expect_rigid(views, &first);
            expect_rigid(views + VALUES, &second);
            expect_motion(&p, i, &first, &second);
            quarters[2 * (first.down[0] > 0) + (first.down[1] > 0)]++;
            for (int axis = 0; axis < AXES; axis++) {
                times[axis][p.answer[axis][i]]++;
            }
        }
    }
    for (int k = 0; k < 4; k++) { /* binomial: 250 +- 14 */
        assert_true(abs(quarters[k] - STEPS * M / 4) < 60);
    }
    for (int axis = 0; axis < AXES; axis++) {
        const int classes = axis < 2 ? MOTIONS : BINS;
        for (int k = 0; k < classes; k++) {
            assert_true(fabs(times[axis][k] - 1000.0 / classes) < 60.0);
        }
    }
    close_pair(&p);
    open_pair(&p, "canvas: 0, turned: false");
    draw(&p, 0);
    for (int64_t i = 0; i < M; i++) {
        const window first = window_of(p.views + 2 * i * VALUES);
        assert_true(fabs(first.down[0] - 1.0) < 1e-3 && fabs(first.right[1] - 1.0) < 1e-3);
    }
    close_pair(&p);
}

/* ---- what one view says ---- */

/* Numbers of a view: its light, how much lighter it is below and on the right, and products of these: on a torus, the middle of all
 * slopes is flat. */
enum { KINDS = 5 };

static void look_at(const float *view, double *x) {
    memset(x, 0, sizeof *x * KINDS);
    for (int k = 0; k < SIDE * SIDE; k++) {
        const double light = (double)view[k * CHANNELS];
        x[0] += light;
        x[1] += light * (k / SIDE - MIDDLE);
        x[2] += light * (k % SIDE - MIDDLE);
    }
    x[3] = x[1] * x[2];
    x[4] = x[1] * x[1];
}

/* most: of each axis, the largest deviation of the mean of a number within a class, in standard errors, in one of both views. */
static void told(const char *rest, int of, double *most) {
    enum { STEPS = 5000 };
    double sum[AXES][BINS][KINDS] = {{{0}}}, all[KINDS] = {0}, squares[KINDS] = {0};
    int times[AXES][BINS] = {{0}};
    pair p;
    open_pair(&p, rest);
    for (int64_t step = 0; step < STEPS; step++) {
        draw(&p, step);
        for (int64_t i = 0; i < M; i++) {
            double x[KINDS];
            look_at(p.views + (2 * i + of) * VALUES, x);
            for (int k = 0; k < KINDS; k++) {
                all[k] += x[k] / (STEPS * M);
                squares[k] += x[k] * x[k] / (STEPS * M);
            }
            for (int axis = 0; axis < AXES; axis++) {
                const int answer = p.answer[axis][i];
                times[axis][answer]++;
                for (int k = 0; k < KINDS; k++) {
                    sum[axis][answer][k] += x[k];
                }
            }
        }
    }
    for (int axis = 0; axis < AXES; axis++) {
        most[axis] = 0.0;
        for (int k = 0; k < KINDS * (axis < 2 ? MOTIONS : BINS); k++) {
            const int a = k / KINDS, n = k % KINDS;
            const double error = sqrt((squares[n] - all[n] * all[n]) / times[axis][a]);
            most[axis] = fmax(most[axis], fabs(sum[axis][a][n] / times[axis][a] - all[n]) / error);
        }
    }
    close_pair(&p);
}

static void test_one_view_says_nothing(void **state) {
    (void)state;
    double most[AXES];
    for (int of = 0; of < 2; of++) {
        told("canvas: 30", of, most);
        for (int axis = 0; axis < AXES; axis++) {
            if (most[axis] > 4.5) {
                fail_msg("view %d deviates by %g standard errors with axis %d", of, most[axis], axis);
            }
        }
    }
    told("canvas: 30, turned: false", 1, most);
    if (most[2] < 10.0 || most[0] > 4.5 || most[1] > 4.5) {
        fail_msg("beside an upright view, another deviates by %g, %g, %g", most[0], most[1], most[2]);
    }
}

/* ---- controls, and noise ---- */

static void test_controls(void **state) {
    (void)state;
    pair p;
    open_pair(&p, "canvas: 30, sees: second");
    draw(&p, 0);
    for (int64_t i = 0; i < M; i++) {
        float most = 0.0f;
        for (int k = 0; k < VALUES; k++) {
            assert_true(p.views[2 * i * VALUES + k] == 0.0f);
            most = fmaxf(most, p.views[(2 * i + 1) * VALUES + k]);
        }
        assert_true(most > 0.5f);
    }
    close_pair(&p);
    open_pair(&p, "canvas: 30, texture: 0.1, sees: ground");
    draw(&p, 0);
    for (int64_t k = 0; k < 2 * M * VALUES; k++) {
        assert_true(p.views[k] >= 0.0f && p.views[k] < 0.1f);
    }
    for (int64_t i = 0; i < M; i++) { /* of uniform noise, between two draws of it: sqrt(1 / 6) */
        double apart = 0.0;
        for (int k = 0; k < VALUES; k++) {
            const double d = (double)p.views[2 * i * VALUES + k] - (double)p.views[(2 * i + 1) * VALUES + k];
            apart += d * d / VALUES;
        }
        assert_true(fabs(sqrt(apart) - 0.1 * sqrt(1.0 / 6.0)) < 0.01);
    }
    close_pair(&p);
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_motion_between_views),
                                       cmocka_unit_test(test_one_view_says_nothing), cmocka_unit_test(test_controls)};
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
