/* Judging images that a method makes, by a method and a classifier of which everything is known: images are of one grey
 * in the upper half and of another in the lower one; the first tells the class. The same on every rank. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/judge.h"
#include "hiss/log.h"
#include "hiss/rng.h"
#include "mpi_test.h"

enum { N = 606, H = 4, W = 3, SIZE = H * W, CLASSES = 3, BATCH = 50, MOST = 200 };

/* What the method under test does. */
typedef struct making {
    int64_t classes;
    int64_t collapsed;    /* the class of all images; negative: none */
    int64_t broken;       /* the number of an image that is not finite; negative: none */
    int64_t wanted[MOST]; /* what the last grid asked for */
} making;

static float grey_of(int64_t class) {
    return 0.25f * (float)(class + 1);
}

static void paint(int64_t class, float lower, float *image) {
    for (int64_t k = 0; k < SIZE; k++) {
        image[k] = k < SIZE / 2 ? grey_of(class) : lower;
    }
}

static float lower_of(uint64_t seed, int64_t number) {
    hiss_rng rng = hiss_rng_keyed(seed, HISS_FOR_TESTS, 1, number);
    return hiss_rng_uniform(&rng);
}

static hiss_status make(void *user, bool untrained, uint64_t seed, int64_t first, int64_t count, const int64_t *wanted,
                        float *image, hiss_error *err) {
    making *m = user;
    for (int64_t i = 0; i < count; i++) {
        const int64_t number = first + i, class = m->collapsed >= 0 ? m->collapsed : wanted[i];
        if (number == m->broken) {
            return hiss_fail(err, HISS_EUSER, "image %lld is broken", (long long)number);
        }
        if (number < MOST && m->classes > 0) {
            m->wanted[number] = wanted[i];
        }
        paint(untrained ? 0 : class, untrained ? 0.0f : lower_of(seed, number), image + i * SIZE);
    }
    return HISS_OK;
}

static hiss_status image(void *user, int64_t count, const hiss_batch *batch, float *const *out, hiss_error *err) {
    (void)user;
    (void)err;
    for (int64_t k = 0; k < count * SIZE; k++) {
        out[0][k] = (float)batch->row[k / SIZE][k % SIZE] / 255.0f;
    }
    return HISS_OK;
}

/* Hidden: means of the halves. */
static void judge(void *user, int64_t count, const float *pixel, float *hidden, float *scores) {
    (void)user;
    for (int64_t i = 0; i < count; i++) {
        hidden[2 * i] = hidden[2 * i + 1] = 0.0f;
        for (int64_t k = 0; k < SIZE; k++) {
            hidden[2 * i + k / (SIZE / 2)] += pixel[i * SIZE + k] / (SIZE / 2);
        }
        for (int64_t c = 0; c < CLASSES; c++) {
            scores[i * CLASSES + c] = -fabsf(hidden[2 * i] - grey_of(c));
        }
    }
}

/* Classes in turn. */
static void write_images(hiss_comm *comm) {
    const hiss_h5_info images = {HISS_U8, 3, {N, H, W}}, labels = {HISS_I32, 1, {N}};
    uint8_t *pixels = hiss_alloc(N * SIZE);
    int32_t label[N];
    hiss_h5 *file;
    hiss_error err;
    for (int64_t i = 0; i < N; i++) {
        float painted[SIZE];
        paint(i % CLASSES, lower_of(99, i), painted);
        label[i] = (int32_t)(i % CLASSES);
        for (int64_t k = 0; k < SIZE; k++) {
            pixels[i * SIZE + k] = (uint8_t)lrintf(255.0f * painted[k]);
        }
    }
    CHECK(!hiss_h5_create("images.h5", &file, &err) && !hiss_h5_define(file, "/images", &images, 0, 0, &err) &&
          !hiss_h5_define(file, "/labels", &labels, 0, 0, &err) &&
          !hiss_h5_write(file, "/images", HISS_U8, 0, N, pixels, &err) &&
          !hiss_h5_write(file, "/labels", HISS_I32, 0, N, label, &err) && !hiss_h5_close(file, &err));
    hiss_free(pixels);
}

typedef struct said {
    double entropy, right, right_test, frechet, untrained, independent, training, nearest, nearest_test;
} said;

static hiss_status evaluate(const hiss_eval_env *env, const hiss_sample_range *range, const making *m,
                            const hiss_classifier *classifier, said *out, hiss_error *err) {
    const hiss_eval_options options = {.generation = true, .generated = 10000};
    const hiss_maker maker = {.make = make,
                              .image = image,
                              .user = (void *)(uintptr_t)m,
                              .H = H,
                              .W = W,
                              .C = 1,
                              .batch = BATCH,
                              .classes = m->classes};
    hiss_model *model = hiss_model_create();
    hiss_evaluation *e = hiss_evaluation_create("");
    const hiss_subject subject = {
        .name = "trained", .bank = range, .queries = range, .model = model, .maker = &maker, .classifier = classifier};
    const hiss_status s = hiss_evaluation_judge(e, env, &options, &subject, err);
    const char *const names[] = {
        "entropy",          "right",   "right_test",  "frechet", "frechet_untrained", "frechet_independent",
        "frechet_training", "nearest", "nearest_test"};
    double *const value = (double *)out;
    for (int k = 0; k < HISS_COUNT(names); k++) {
        value[k] = hiss_evaluation_value(e, "trained", "generation", names[k]);
    }
    hiss_evaluation_destroy(e);
    hiss_model_destroy(model);
    return s;
}

static void check_numbers(const hiss_eval_env *env, const hiss_sample_range *range) {
    hiss_comm *comm = env->comm;
    hiss_error err = {0};
    const hiss_classifier classifier = {
        .judge = judge, .H = H, .W = W, .C = 1, .batch = BATCH, .D = 2, .classes = CLASSES, .name = "x", .layer = "y"};
    making good = {.classes = CLASSES, .collapsed = -1, .broken = -1};
    making collapsed = {.classes = CLASSES, .collapsed = 1, .broken = -1}, unasked = {.collapsed = 2, .broken = -1};
    making broken = {.classes = CLASSES, .collapsed = -1, .broken = 601};
    said s;
    CHECK(evaluate(env, range, &good, &classifier, &s, &err) == HISS_OK);
    CHECK(fabs(s.entropy - log(CLASSES)) < 1e-12 && s.right == 100.0 && s.right_test == 100.0);
    CHECK(s.training < 1e-6 && s.frechet < 2e-3 && s.frechet > s.training);
    CHECK(s.nearest < 0.01 && s.nearest > 0.0 && s.nearest_test == 0.0);
    /* Before training: one point, (1/4, 0), where the data have the variances of the classes and of a uniform number. */
    CHECK(fabs(s.untrained - (0.0625 + 0.25 + 1.0 / 24.0 + 1.0 / 12.0)) < 0.03);
    /* Of independent pixels half means vary by a sixth, as there are 6 pixels: (sqrt v - sqrt(v / 6))^2. */
    const double shrink = pow(1.0 - sqrt(1.0 / 6.0), 2.0);
    CHECK(fabs(s.independent - shrink * (1.0 / 24.0 + 1.0 / 12.0)) < 0.01);
    CHECK(evaluate(env, range, &collapsed, &classifier, &s, &err) == HISS_OK);
    CHECK(s.entropy == 0.0 && fabs(s.right - 100.0 / CLASSES) < 1e-9 && fabs(s.frechet - 1.0 / 24.0) < 0.005);
    CHECK(evaluate(env, range, &unasked, &classifier, &s, &err) == HISS_OK && s.entropy == 0.0 && isnan(s.right));
    CHECK(evaluate(env, range, &good, NULL, &s, &err) == HISS_OK && isnan(s.frechet) && s.nearest < 0.01);
    CHECK(evaluate(env, range, &broken, &classifier, &s, &err) == HISS_EUSER && strstr(err.text, "image 601"));
}

/* One class a column; one a row, of more classes than columns; in turn, of more than both; all of one. */
static void check_grids(hiss_comm *comm) {
    const struct {
        int64_t classes, rows, columns, wanted, at, class;
    } grid[] = {{3, 4, 5, -1, 9, 1}, {3, 4, 3, -1, 11, 2}, {3, 4, 2, -1, 5, 2},
                {7, 2, 3, -1, 5, 5}, {7, 2, 3, 6, 0, 6},   {10, 6, 12, -1, 23, 1}};
    for (int k = 0; k < HISS_COUNT(grid); k++) {
        making m = {.classes = grid[k].classes, .collapsed = 0, .broken = -1};
        const hiss_maker maker = {
            .make = make, .user = &m, .H = H, .W = W, .C = 1, .batch = BATCH, .classes = m.classes};
        hiss_error err = {0};
        CHECK(!hiss_maker_draw(&maker, 5, grid[k].rows, grid[k].columns, grid[k].wanted, "grid.png", &err));
        CHECK(m.wanted[grid[k].at] == grid[k].class);
    }
    CHECK(remove("grid.png") == 0);
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    hiss_error err = {0};
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) {
        return 1;
    }
    hiss_kernels_enter_thread();
    hiss_log_setup(HISS_LOG_WARNING, hiss_comm_rank(comm));
    const hiss_eval_env env = {.comm = comm, .kernels = hiss_kernels_blas(), .seed = 1};
    const hiss_data_options data = {.file = "images.h5", .images = "/images", .labels = "/labels"};
    hiss_sample_range range = {.count = N};
    if (hiss_comm_rank(comm) == 0) {
        write_images(comm);
    }
    hiss_comm_barrier(comm);
    CHECK(hiss_dataset_open(&data, 1, &range.set, &err) == HISS_OK);
    check_numbers(&env, &range);
    if (hiss_comm_rank(comm) == 0) {
        check_grids(comm);
    }
    hiss_dataset_close(range.set);
    return finish_test(comm);
}
