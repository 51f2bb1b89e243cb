/* Egomotion: of two views of one scene, how has the viewer moved from the first to the second? To tell, the network has to
 * find the same parts of things in both. (Agrawal, Carreira & Malik, "Learning to see by moving", ICCV 2015: a network
 * that sees both views one by one, a classifier on both codes, and one softmax for each axis of the motion.) The motion
 * is a translation along y and along x by whole pixels, one class each, and a rotation in bins:
 *     p2 = R(rotation) p1 + (y, x)
 * where p1 and p2 are places of one point in the two views, from their centres. The loss is the sum of the three
 * cross-entropies. Each image gives one pair at a step, drawn anew each time.
 *
 * What would tell the motion without knowing anything is closed:
 *   borders        a view is a window on a canvas, a torus (parts/patches.c): nothing ends where a picture ends
 *   place, angle   those of the first view are uniformly random, so those of the second are, whatever the motion: what
 *                  one view shows has the same distribution for all motions, exactly
 *   interpolation  so both views are resampled at random angles and fractions of pixels
 *   the ground     the noise is drawn for each view by itself after it was resampled, and does not move with the scene
 *
 * sees is the control: the second view alone, or two views of the ground, tell nothing. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "objective/parts/judge.h"
#include "objective/pretext/siamese.h"

enum { FIRST, SECOND, VIEWS };
enum { ALONG_Y, ALONG_X, ROTATION, AXES };
enum { SEES_BOTH, SEES_SECOND, SEES_GROUND };
enum { DRAW_OF_MOTION = 2072 }; /* when, of evaluation's streams */
static const char picture[] = "egomotion.png";
static const char *const axis_names[AXES] = {"y", "x", "rotation"};

typedef struct options {
    int64_t view, shift, bins;
    int sees;
    double rotate;
    bool turned;
    objective_scene_options scene;
    siamese_options siamese;
} options;

#define ROW(key_, type_, ...)                                                                                          \
    { #key_, type_, offsetof(options, key_), __VA_ARGS__ }
static const hiss_row rows[] = {
    ROW(view, HISS_INT, "24", 2, 1024, NULL, "side of a view, in pixels"),
    ROW(shift, HISS_INT, "3", 1, 64, NULL,
        "the viewer moves by up to so many pixels along each axis: 2 shift + 1 classes"),
    ROW(rotate, HISS_FLOAT, "30", 0.1, 180, NULL, "and turns by up to so many degrees"),
    ROW(bins, HISS_INT, "20", 2, 360, NULL, "classes of the rotation, of equal width"),
    ROW(turned, HISS_BOOL, "true", 0, 0, NULL,
        "the first view is turned by any angle; false: it is upright, so that the second by itself tells the rotation"),
    ROW(sees, HISS_CHOICE, "both", 0, 0, "both|second|ground",
        "views that the network sees; second: the first is blank, ground: nothing but noise, both of them controls"),
    OBJECTIVE_SCENE_ROWS(options, scene),
    SIAMESE_ROWS(options, siamese, "64", "128"),
};
#undef ROW
static const int nrows = HISS_COUNT(rows);

typedef struct egomotion {
    siamese base;
    const hiss_placement *placement; /* NULL: no training */
    const options *options;
    objective_scene_options still; /* of the scene: its ground has no noise, which each view gets by itself */
    int64_t classes[AXES];
    hiss_value answer[AXES], scores[AXES];
} egomotion;

/* From a view's centre to the farthest place that any view of a pair shows, and one pixel to interpolate with. */
static int64_t reach_of(const options *o, int64_t view) {
    return (int64_t)ceil(0.70710678 * (double)view + 1.41421357 * (double)o->shift) + 1;
}

/* Side of a scene with room for pairs: on a canvas, which is a torus, upright ones; elsewhere those at any angle. */
static int64_t need_of(const egomotion *e, int64_t view) {
    return e->base.scene.canvas ? view + 2 * e->options->shift : 2 * reach_of(e->options, view) + 1;
}

/* Smaller views, where the layers take such; a canvas that is large enough. */
static hiss_status fail_room(egomotion *e, hiss_error *err) {
    const objective_scene *scene = &e->base.scene;
    const int64_t side = scene->H < scene->W ? scene->H : scene->W, larger = scene->H < scene->W ? scene->W : scene->H,
                  need = need_of(e, e->options->view), torus = e->options->view + 2 * e->options->shift;
    const int64_t canvas = torus > larger ? torus : larger + 1;
    int64_t view = e->options->view;
    while (view > 2 && need_of(e, view) > side) {
        view--;
    }
    char sets[64] = "", advice[256] = "";
    if (need_of(e, view) <= side && pretext_siamese_takes(&e->base, view)) {
        snprintf(sets, sizeof sets, "--set egomotion.view=%lld", (long long)view);
    }
    pretext_siamese_advise(advice, sizeof advice, "make the views smaller", sets);
    snprintf(sets, sizeof sets, "--set egomotion.canvas=%lld", (long long)canvas);
    pretext_siamese_advise(advice, sizeof advice,
                           scene->canvas ? "make the canvas larger" : "put the images on a canvas",
                           canvas <= OBJECTIVE_SCENE_MOST ? sets : "");
    return hiss_fail_key(err, HISS_EUSER, scene->canvas ? "egomotion.canvas" : "egomotion.view",
                         "views of %lld that move by up to %lld need %s of at least %lld x %lld, found %lld x %lld%s",
                         (long long)e->options->view, (long long)e->options->shift,
                         scene->canvas ? "a canvas" : "images", (long long)need, (long long)need, (long long)scene->H,
                         (long long)scene->W, advice);
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    egomotion *e = hiss_new(egomotion, 1);
    const options *o = opts;
    e->placement = placement;
    e->options = o;
    e->still = o->scene;
    e->still.texture = 0.0;
    e->classes[ALONG_Y] = e->classes[ALONG_X] = 2 * o->shift + 1;
    e->classes[ROTATION] = o->bins;
    *self = e;
    e->base = (siamese){.task = task,
                        .options = &o->siamese,
                        .method = "egomotion",
                        .side_key = "egomotion.view",
                        .parts = VIEWS,
                        .side = o->view,
                        .scene = objective_scene_of(&e->still, task)};
    e->base.shown_side = VIEWS * o->view > e->base.scene.H ? VIEWS * o->view : e->base.scene.H;
    const int64_t need = need_of(e, o->view);
    return e->base.scene.H >= need && e->base.scene.W >= need ? pretext_siamese_open(&e->base, err) : fail_room(e, err);
}

static void destroy(void *self) {
    if (self) {
        pretext_siamese_close(&((egomotion *)self)->base);
        hiss_free(self);
    }
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    return pretext_siamese_encode(&((const egomotion *)self)->base, b, image, taps, err);
}

static hiss_status build_scores(egomotion *e, hiss_builder *b, int64_t m, hiss_error *err) {
    hiss_value x = -1;
    const hiss_status s = pretext_siamese_codes(&e->base, b, m, &x, err);
    if (s != HISS_OK) {
        return s;
    }
    x = pretext_siamese_connected(b, "hidden", x, e->options->siamese.hidden);
    for (int axis = 0; axis < AXES; axis++) {
        char name[32];
        snprintf(name, sizeof name, "answer_%s", axis_names[axis]);
        e->answer[axis] = hiss_graph_input_labels(b->graph, name, m);
        snprintf(name, sizeof name, "scores_%s", axis_names[axis]);
        e->scores[axis] = hiss_layer_linear(b, name, x, e->classes[axis], true);
    }
    return hiss_graph_status(b->graph, err);
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    egomotion *e = self;
    const hiss_status s = build_scores(e, b, e->placement->m, err);
    if (s != HISS_OK) {
        return s;
    }
    hiss_value loss = -1;
    for (int axis = 0; axis < AXES; axis++) {
        const hiss_value one = hiss_graph_softmax_cross_entropy(b->graph, e->scores[axis], e->answer[axis]);
        loss = axis ? hiss_graph_add(b->graph, loss, one) : one;
    }
    hiss_graph_loss(b->graph, loss);
    hiss_layer_metric(b, "loss", loss);
    return hiss_graph_status(b->graph, err);
}

/* ---- views ---- */

typedef struct pose {
    double y, x, sine, cosine; /* of the centre, on the scene; of the angle */
} pose;

/* Series: libm's last bit depends on the processor. For |angle| <= pi the remainder is below 1e-14. */
static void turn(double angle, double *sine, double *cosine) {
    const double t = angle * angle;
    double s = 1.0, c = 1.0;
    for (int k = 28; k > 0; k -= 2) {
        s = 1.0 - s * t / (k * (k + 1));
        c = 1.0 - c * t / (k * (k - 1));
    }
    *sine = s * angle;
    *cosine = c;
}

static double draw_angle(double most, hiss_rng *rng) {
    return most * (2.0 * (double)hiss_rng_uniform(rng) - 1.0) * (3.14159265358979324 / 180.0);
}

static double draw_center(const egomotion *e, int64_t length, hiss_rng *rng) {
    const double reach = e->base.scene.canvas ? 0.0 : (double)reach_of(e->options, e->options->view);
    return reach + ((double)(e->base.scene.canvas ? length : length - 1) - 2.0 * reach) * (double)hiss_rng_uniform(rng);
}

/* Bilinear, around the edges. */
static void look(const egomotion *e, const float *scene, const pose *p, float *view) {
    const int64_t side = e->options->view, H = e->base.scene.H, W = e->base.scene.W, C = e->base.task->C;
    const double middle = 0.5 * (double)(side - 1);
    for (int64_t r = 0; r < side; r++) {
        for (int64_t q = 0; q < side; q++) {
            const double dy = (double)r - middle, dx = (double)q - middle;
            const double y = p->y + p->cosine * dy + p->sine * dx, x = p->x - p->sine * dy + p->cosine * dx;
            const double top = floor(y), left = floor(x);
            const float fy = (float)(y - top), fx = (float)(x - left);
            const int64_t y0 = ((int64_t)top % H + H) % H, x0 = ((int64_t)left % W + W) % W;
            const float *above = scene + y0 * W * C, *below = scene + (y0 + 1) % H * W * C;
            const int64_t x1 = (x0 + 1) % W;
            for (int64_t c = 0; c < C; c++) {
                const float a = above[x0 * C + c] + fx * (above[x1 * C + c] - above[x0 * C + c]);
                const float b = below[x0 * C + c] + fx * (below[x1 * C + c] - below[x0 * C + c]);
                *view++ = a + fy * (b - a);
            }
        }
    }
}

static void range_of(const egomotion *e, const float *scene, float *least, float *range) {
    float most = scene[0];
    *least = scene[0];
    for (int64_t k = 1; k < e->base.scene.H * e->base.scene.W * e->base.task->C; k++) {
        *least = scene[k] < *least ? scene[k] : *least;
        most = scene[k] > most ? scene[k] : most;
    }
    *range = most - *least;
}

/* p2 = R p1 + t, where R turns by minus the rotation of the window: its centre goes back by t in its own axes. */
static pose moved(const pose *p, double rotation, double ty, double tx) {
    double sine, cosine;
    turn(rotation, &sine, &cosine);
    pose to = {.sine = p->sine * cosine + p->cosine * sine, .cosine = p->cosine * cosine - p->sine * sine};
    to.y = p->y - (to.cosine * ty + to.sine * tx);
    to.x = p->x - (to.cosine * tx - to.sine * ty);
    return to;
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const egomotion *e = self;
    const options *o = e->options;
    const int64_t values = o->view * o->view * e->base.task->C;
    hiss_rng rng = pretext_siamese_draws(&e->base, lane, i, DRAW_OF_MOTION);
    int64_t answer[AXES];
    for (int axis = 0; axis < AXES; axis++) {
        answer[axis] = hiss_rng_below(&rng, e->classes[axis]);
        ((int32_t *)hiss_exec_data(lane->exec, e->answer[axis]))[i] = (int32_t)answer[axis];
    }
    const double within = (double)answer[ROTATION] + (double)hiss_rng_uniform(&rng);
    const double rotation = o->rotate * (2.0 * within / (double)o->bins - 1.0) * (3.14159265358979324 / 180.0);
    const float *scene = objective_scene_paint(&e->base.scene, lane, i, &rng);
    pose at[VIEWS];
    at[FIRST].y = draw_center(e, e->base.scene.H, &rng);
    at[FIRST].x = draw_center(e, e->base.scene.W, &rng);
    turn(draw_angle(o->turned ? 180.0 : 0.0, &rng), &at[FIRST].sine, &at[FIRST].cosine);
    at[SECOND] =
        moved(&at[FIRST], rotation, (double)(answer[ALONG_Y] - o->shift), (double)(answer[ALONG_X] - o->shift));
    float least, range;
    range_of(e, scene, &least, &range);
    const float strength = e->base.scene.canvas ? (float)o->scene.texture * range : 0.0f;
    for (int k = 0; k < VIEWS; k++) {
        float *view = pretext_siamese_patch(&e->base, lane, i, k);
        look(e, scene, &at[k], view);
        for (int64_t v = 0; v < values; v++) {
            view[v] = (o->sees == SEES_GROUND ? least : view[v]) + strength * hiss_rng_uniform(&rng);
        }
    }
    if (o->sees == SEES_SECOND) {
        memset(pretext_siamese_patch(&e->base, lane, i, FIRST), 0, sizeof(float) * (size_t)values);
    }
}

/* ---- what evaluation measures ---- */

static int64_t width(void *self) {
    (void)self;
    return AXES * SIAMESE_WIDTH;
}

static hiss_status measure_build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    egomotion *e = self;
    const hiss_status s = build_scores(e, b, m, err);
    if (s == HISS_OK) {
        hiss_graph_keep(b->graph, e->base.patches);
        for (int axis = 0; axis < AXES; axis++) {
            hiss_graph_keep(b->graph, e->answer[axis]);
            hiss_graph_keep(b->graph, e->scores[axis]);
        }
        pretext_siamese_picture(&e->base);
    }
    return s;
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    egomotion *e = self;
    for (int axis = 0; axis < AXES; axis++) {
        const int64_t right = ((const int32_t *)hiss_exec_data(lane->exec, e->answer[axis]))[i];
        pretext_siamese_judge(hiss_lane_values(lane, e->scores[axis], i), e->classes[axis], right,
                              out + axis * SIAMESE_WIDTH);
    }
    float *shown = pretext_siamese_show(&e->base, lane, i);
    for (int k = 0; shown && k < VIEWS; k++) {
        pretext_siamese_show_patch(&e->base, lane, i, k, k * e->options->view, k * e->options->view, shown);
    }
}

static hiss_status conclude(void *self, const hiss_measured *m, hiss_error *err) {
    const egomotion *e = self;
    enum { COLUMNS = 4 };
    for (int axis = 0; axis < AXES; axis++) {
        const double chance = 1.0 / (double)e->classes[axis];
        const int hit = axis * SIAMESE_WIDTH + SIAMESE_HIT, loss = axis * SIAMESE_WIDTH + SIAMESE_LOSS;
        char group[64], name[64];
        snprintf(group, sizeof group, "motion told right: %s", axis_names[axis]);
        snprintf(name, sizeof name, "accuracy_%s", axis_names[axis]);
        objective_say(m, group, name, "test images", "%", 100.0 * m->test_mean[hit], NAN, 100.0 * chance, m->test);
        snprintf(name, sizeof name, "train_accuracy_%s", axis_names[axis]);
        objective_say(m, group, name, "training images", "%", 100.0 * m->train_mean[hit], NAN, 100.0 * chance,
                      m->train);
        snprintf(group, sizeof group, "cross-entropy: %s", axis_names[axis]);
        snprintf(name, sizeof name, "cross_entropy_%s", axis_names[axis]);
        objective_say(m, group, name, "test images", "nats", m->test_mean[loss], NAN, -log(chance), m->test);
    }
    if (e->options->sees != SEES_BOTH) {
        m->remark(m->say, e->options->sees == SEES_SECOND
                              ? "sees is second: the network sees the second view alone, and should not beat guessing."
                              : "sees is ground: the network sees noise alone, and should not beat guessing.");
    }
    return m->grid(m->say, picture, "What the network sees",
                   "Test images on their canvas, and beside each the two views of it that the network sees: the first "
                   "at the top left, the second at the bottom right.",
                   SIAMESE_SHOWN / COLUMNS, 2 * COLUMNS, e->base.shown_side, e->base.shown_side, e->base.task->C,
                   e->base.picture, err);
}

/* The controls are to be no better. Scores that do not look at the views lose ln of the classes on each axis. */
static int below_chance(void *self, const hiss_named *metrics, int nmetrics, char *line, size_t size) {
    const egomotion *e = self;
    const double loss = hiss_named_value(metrics, nmetrics, "loss");
    double chance = 0.0;
    for (int axis = 0; axis < AXES; axis++) {
        chance += log((double)e->classes[axis]);
    }
    snprintf(line, size, "the mean loss was %.4f, where guessing gives %.4f", loss, chance);
    return e->options->sees != SEES_BOTH ? -1 : !(loss < chance);
}

static void describe(void *self, char *line, size_t size) {
    static const char *const seen[] = {"", "; the first view is blank (a control)", "; noise alone (a control)"};
    const egomotion *e = self;
    const options *o = e->options;
    snprintf(
        line, size,
        "egomotion: views of %lld, moved by up to %lld pixels and turned by up to %g degrees in %lld bins, out of %s "
        "of %lld x %lld%s%s",
        (long long)o->view, (long long)o->shift, o->rotate, (long long)o->bins,
        e->base.scene.canvas ? "a canvas" : "images", (long long)e->base.scene.H, (long long)e->base.scene.W,
        seen[o->sees], o->turned ? "" : "; first views are upright: second ones tell the rotation by themselves");
}

static const hiss_input_ops input = {.sample = sample};
static const hiss_report_ops report = {.below_chance = below_chance, .describe = describe};
static const char *const pictures[] = {picture, NULL};
static const hiss_measure_ops measures = {.baseline = "guessing",
                                          .pictures = pictures,
                                          .width = width,
                                          .build = measure_build,
                                          .sample = sample,
                                          .measure = measure,
                                          .conclude = conclude};

const hiss_objective_ops objective_egomotion = {
    .name = "egomotion",
    .summary = "tell how the viewer has moved between two views of an image",
    .sections = {{"egomotion", rows, &nrows, 0}},
    .sizes = "egomotion.hidden, egomotion.code",
    .options_bytes = sizeof(options),
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .report = &report,
    .measure = &measures,
};
