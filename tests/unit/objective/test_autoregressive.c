/* Density models of pixels in order: an output knows nothing of its own pixel and those behind it, for every pair of
 * pixels and to the last bit; probabilities of all images sum to 1; the logits that an image is drawn by are those of the
 * whole image; levels, draws and the loss by hand. */
#include "pixel_net.h"

#include "objective/autoregressive/pixelcnn.h"
#include "objective/autoregressive/pixels.h"

static const struct {
    const char *name, *text;
    int64_t H, W, of_pixel;
} nets[] = {
    {"pixelcnn", "pixelcnn: {features: 16, layers: 4, output: 16}\n", 9, 8, 1},
    {"pixelcnn", "pixelcnn: {features: 32, layers: 3, output: 48, levels: 16, kernel: 5}\n", 7, 11, 16},
    {"pixelcnn", "pixelcnn: {features: 5, layers: 3, output: 7, first: 3, conditional: true}\n", 6, 7, 1},
    {"pixelcnn", "pixelcnn: {features: 16, layers: 2, output: 32, levels: 256}\n", 5, 6, 256},
    {"nade", "nade: {hidden: 16}\n", 5, 6, 1},
};

/* ---- who knows what ---- */

/* All images of a batch but the first are that one with another pixel, each in turn. */
static void test_no_pixel_knows_itself(void **state) {
    (void)state;
    const hiss_kernels *const kernels[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    for (int k = 0; k < 2 * HISS_COUNT(nets); k++) {
        net n;
        const int64_t D = nets[k / 2].H * nets[k / 2].W, each = nets[k / 2].of_pixel;
        open_net(&n, nets[k / 2].name, nets[k / 2].text, nets[k / 2].H, nets[k / 2].W, 3, each, kernels[k % 2]);
        fill_inputs(n.r.graph, n.r.exec, 5, 3);
        float *image = hiss_exec_data(n.r.exec, n.image), *before = hiss_new(float, 3 * D * each);
        memcpy(before, run_net(&n), sizeof(float) * (size_t)(3 * D * each));
        int64_t known = 0;
        for (int64_t j = 0; j < D; j++) {
            const float old = image[D + j];
            image[D + j] = old + 1.0f;
            const float *after = run_net(&n);
            for (int64_t i = 0; i < 3 * D; i++) {
                const bool moved = memcmp(after + i * each, before + i * each, sizeof(float) * (size_t)each) != 0;
                if (moved && (i <= D + j || i >= 2 * D)) {
                    fail_msg("%s, %s: pixel %d of image 1 moves the logits of pixel %d", nets[k / 2].text,
                             kernels[k % 2]->name, (int)j, (int)i);
                }
                known += moved;
            }
            image[D + j] = old;
        }
        assert_true(known > D * (D - 1) / 4); /* windows do not reach everywhere */
        hiss_free(before);
        close_net(&n);
    }
}

/* The window of the lower layers and what layers add to it: every pixel within reach is seen, there is no blind spot. */
static void test_there_is_no_blind_spot(void **state) {
    (void)state;
    enum { SIZE = 9, AT = 7 * SIZE + 4 };
    net n;
    open_net(&n, "pixelcnn", "pixelcnn: {features: 16, layers: 4, first: 3, output: 16}\n", SIZE, SIZE, 1, 1,
             hiss_kernels_ref());
    fill_inputs(n.r.graph, n.r.exec, 5, 3);
    float *image = hiss_exec_data(n.r.exec, n.image);
    const float before = run_net(&n)[AT];
    for (int64_t j = 0; j < AT; j++) {
        const int64_t up = 7 - j / SIZE, aside = llabs(j % SIZE - 4);
        image[j] += 1.0f;
        const bool moved = run_net(&n)[AT] != before;
        image[j] -= 1.0f;
        if (moved != (up <= 5 && (up > 0 || aside <= 4) && aside <= 4)) {
            fail_msg("%d rows up, %d aside: %s", (int)up, (int)aside, moved ? "seen" : "not seen");
        }
    }
    close_net(&n);
}

/* ---- probabilities ---- */

static void expect_sum_of_all(const char *name, const char *text, int64_t H, int64_t W, int64_t levels,
                              const hiss_kernels *kernels) {
    enum { BATCH = 64 };
    net n;
    const int64_t D = H * W, of_pixel = levels == 2 ? 1 : levels;
    int64_t states = 1;
    double sum = 0.0, least = 1.0;
    for (int64_t k = 0; k < D; k++) {
        states *= levels;
    }
    open_net(&n, name, text, H, W, BATCH, of_pixel, kernels);
    fill_inputs(n.r.graph, n.r.exec, 5, 3);
    float *image = hiss_exec_data(n.r.exec, n.image);
    for (int64_t first = 0; first < states; first += BATCH) {
        for (int64_t i = 0; i < BATCH * D; i++) {
            int64_t state_ = first + i / D;
            for (int64_t k = 0; k < i % D; k++) {
                state_ /= levels;
            }
            image[i] = (float)(state_ % levels) / (float)(levels - 1);
        }
        const float *logits = run_net(&n);
        for (int64_t i = 0; i < BATCH; i++) {
            double nats = 0.0;
            for (int64_t k = 0; k < D; k++) {
                nats += autoregressive_nats(levels, logits + (i * D + k) * of_pixel, image[i * D + k]);
            }
            least = fmin(least, exp(-nats));
            sum += exp(-nats);
        }
    }
    if (fabs(sum - 1.0) > 1e-9) {
        fail_msg("%s: probabilities of all images sum to %.12f", text, sum);
    }
    assert_true(least < 0.9 / (double)states); /* and are not all the same */
    close_net(&n);
}

static void test_all_images_sum_to_one(void **state) {
    (void)state;
    const hiss_kernels *const kernels[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    for (int k = 0; k < HISS_COUNT(kernels); k++) {
        expect_sum_of_all("nade", "nade: {hidden: 16}\n", 3, 4, 2, kernels[k]);
        expect_sum_of_all("pixelcnn", "pixelcnn: {features: 16, layers: 3, output: 16}\n", 3, 4, 2, kernels[k]);
        expect_sum_of_all("pixelcnn", "pixelcnn: {features: 16, layers: 2, output: 16, levels: 4, first: 3}\n", 2, 3, 4,
                          kernels[k]);
    }
}

static void test_levels_by_hand(void **state) {
    (void)state;
    float pixel[5] = {0.0f, 15.0f / 255.0f, 16.0f / 255.0f, 254.0f / 255.0f, 1.0f};
    int32_t level[5];
    autoregressive_quantize(16, hiss_rng_keyed(1, HISS_FOR_TESTS, 0, 0), 5, pixel, level);
    const int32_t expected[5] = {0, 0, 1, 15, 15};
    assert_memory_equal(level, expected, sizeof level);
    assert_true(pixel[2] == 1.0f / 15.0f && pixel[4] == 1.0f);
    for (int b = 0; b < 256; b++) { /* each byte is its own level */
        float grey = (float)b / 255.0f;
        autoregressive_quantize(256, hiss_rng_keyed(1, HISS_FOR_TESTS, 0, 0), 1, &grey, level);
        assert_int_equal(level[0], b);
    }
    const float logits[3] = {0.0f, (float)log(2.0), (float)log(5.0)};
    assert_true(fabs(autoregressive_nats(3, logits, 0.5f) - log(4.0)) < 1e-6);
    assert_true(fabs(autoregressive_nats(2, logits + 1, 1.0f) - log(1.5)) < 1e-6);
    int count[3] = {0}, ones = 0;
    for (int i = 0; i < 8000; i++) {
        count[lroundf(2.0f * autoregressive_draw(3, logits, 4, i, 7, 9))]++;
        ones += autoregressive_draw(2, logits + 1, 4, i, 7, 9) == 1.0f;
    }
    assert_true(abs(count[0] - 1000) < 120 && abs(count[1] - 2000) < 160 && abs(ones - 5333) < 170);
}

/* The loss of the graph is the mean of the nats of its images. */
static void test_loss_is_the_probability(void **state) {
    (void)state;
    for (int k = 0; k < HISS_COUNT(nets); k++) {
        net n;
        const int64_t each = nets[k].of_pixel, levels = each == 1 ? 2 : each;
        open_net(&n, nets[k].name, nets[k].text, nets[k].H, nets[k].W, 4, each, hiss_kernels_blas());
        stage_batches(&n.s, 0, 1);
        const hiss_lane lane = stage_lane(&n.s, 0, n.r.graph, n.r.exec);
        stage_sample(&n.s, &lane);
        const float *logits = run_net(&n), *image = hiss_exec_data(n.r.exec, n.image);
        const double loss = *hiss_exec_data(n.r.exec, hiss_graph_nodes(n.r.graph) - 1);
        double nats = 0.0, grey = 0.0;
        for (int64_t i = 0; i < 4 * n.D; i++) {
            nats += 0.25 * autoregressive_nats(levels, logits + i * each, image[i]);
            grey += (double)image[i];
        }
        if (fabs(nats - loss) > 1e-4 * nats || grey <= 0.0) {
            fail_msg("%s: the loss is %g, by hand %g", nets[k].text, loss, nats);
        }
        close_net(&n);
    }
}

/* ---- drawn images ---- */

enum { DRAWN = 5 }; /* images */

/* Draw what is below the rows that are given, in inputs of the lane; said: the logits of each pixel. */
static void draw_images(pixelcnn *p, const hiss_lane *lane, const hiss_exec_context *run, int64_t first, float *said) {
    const int64_t W = p->task->W, D = p->task->H * W, of_pixel = autoregressive_pixelcnn_logits(p);
    int begin, end;
    for (int64_t pass = 0; autoregressive_pixelcnn_advance(p, lane, pass, 3, first, &begin, &end); pass++) {
        hiss_exec_forward(lane->exec, run, begin, end, NULL, NULL);
        const int64_t r = first + pass / (W + 1), c = pass % (W + 1) - 1;
        for (int64_t i = 0; i < DRAWN && c >= 0; i++) {
            memcpy(said + (i * D + r * W + c) * of_pixel, hiss_lane_values(lane, p->made.logits, i) + c * of_pixel,
                   sizeof(float) * (size_t)of_pixel);
        }
    }
}

/* Logits by which pixels are drawn are those of the whole image, given the same parameters; what is given stays, and each
 * image is one of its own. */
static void expect_drawn_as_said(const char *text, int64_t H, int64_t W, int64_t of_pixel, int64_t first,
                                 const hiss_kernels *kernels) {
    net n;
    hiss_error err = {0};
    hiss_value image = -1;
    const int64_t D = H * W, given = first * W;
    open_net(&n, "pixelcnn", text, H, W, DRAWN, of_pixel, kernels);
    pixelcnn *p = n.s.method;
    hiss_graph *g = hiss_graph_create();
    hiss_builder b = {.graph = g, .model = n.r.model, .trained_groups = ~0u};
    assert_int_equal(n.s.ops->generation->build(p, &b, DRAWN, &image, &err), HISS_OK);
    hiss_exec *exec = hiss_exec_create(g, kernels, hiss_model_offsets(n.r.model));
    const int64_t number[DRAWN] = {0, 1, 2, 3, 4};
    const hiss_batch batch = {.m = DRAWN, .sample = number};
    const hiss_lane lane = {.task = &n.s.task, .phase = -1, .batch = &batch, .graph = g, .exec = exec};
    for (int64_t i = 0; i < DRAWN; i++) {
        n.s.ops->generation->noise(p, &lane, i, 3, 1);
        for (int64_t k = 0; k < given; k++) {
            hiss_lane_values(&lane, image, i)[k] = 1.0f;
        }
    }
    float *said = hiss_new(float, DRAWN *D *of_pixel);
    const float *drawn = hiss_exec_data(exec, image);
    draw_images(p, &lane, &n.r.run, first, said);
    fill_inputs(n.r.graph, n.r.exec, 5, 3);
    memcpy(hiss_exec_data(n.r.exec, n.image), drawn, sizeof(float) * (size_t)(DRAWN * D));
    const hiss_lane whole = {.task = &n.s.task, .phase = -1, .batch = &batch, .graph = n.r.graph, .exec = n.r.exec};
    for (int64_t i = 0; i < DRAWN; i++) {
        autoregressive_pixelcnn_set_class(p, &whole, i, 1);
    }
    const float *logits = run_net(&n);
    for (int64_t k = 0; k < DRAWN * D; k++) {
        if (k % D < given ? drawn[k] != 1.0f
                          : memcmp(said + k * of_pixel, logits + k * of_pixel, sizeof(float) * (size_t)of_pixel) != 0) {
            fail_msg("%s, %s, %d rows given: pixel %d of image %d is not as said", text, kernels->name, (int)first,
                     (int)(k % D), (int)(k / D));
        }
    }
    assert_true(memcmp(drawn, drawn + D, sizeof(float) * (size_t)D) != 0);
    hiss_free(said);
    hiss_exec_destroy(exec);
    hiss_graph_destroy(g);
    close_net(&n);
}

static void test_images_are_drawn_as_said(void **state) {
    (void)state;
    const hiss_kernels *const kernels[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    for (int k = 0; k < 2 * 4; k++) {
        expect_drawn_as_said(nets[k / 2].text, nets[k / 2].H, nets[k / 2].W, nets[k / 2].of_pixel, 0, kernels[k % 2]);
        expect_drawn_as_said(nets[k / 2].text, nets[k / 2].H, nets[k / 2].W, nets[k / 2].of_pixel, 3, kernels[k % 2]);
    }
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_pixel_knows_itself),   cmocka_unit_test(test_there_is_no_blind_spot),
        cmocka_unit_test(test_all_images_sum_to_one),   cmocka_unit_test(test_levels_by_hand),
        cmocka_unit_test(test_loss_is_the_probability), cmocka_unit_test(test_images_are_drawn_as_said)};
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
