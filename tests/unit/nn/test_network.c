/* Networks: the shapes of the presets, layers from YAML and the errors that name their place, names, taps, sharing. */
#include <stdlib.h>

#include "../graph_support.h"
#include "graph/ops/ops.h"
#include "nn/network_impl.h"

typedef struct place { /* a tap and its shape per sample */
    const char *name;
    hiss_shape shape;
} place;

static bool same_per_sample(hiss_shape found, hiss_shape expected) {
    bool same = found.ndim == expected.ndim + 1;
    for (int k = 0; same && k < expected.ndim; k++) {
        same = found.dim[k + 1] == expected.dim[k];
    }
    return same;
}

static void check_taps(rig *r, const hiss_taps *taps, const place *expected, int count) {
    char text[HISS_SHAPE_TEXT];
    assert_int_equal(taps->count, count);
    for (int k = 0; k < count; k++) {
        assert_string_equal(taps->tap[k].name, expected[k].name);
        const hiss_shape found = hiss_graph_shape(r->graph, taps->tap[k].value);
        if (!same_per_sample(found, expected[k].shape)) {
            fail_msg("%s: found %s", taps->tap[k].name, hiss_shape_text(&found, text));
        }
    }
}

/* Shapes of the outputs of one operation, in order. */
static void check_outputs(const hiss_graph *g, const char *named, const hiss_shape *expected, int count) {
    char text[HISS_SHAPE_TEXT];
    int found = 0;
    for (int i = 0; i < hiss_graph_nodes(g); i++) {
        const hiss_node_info info = hiss_graph_node(g, i);
        if (strcmp(info.op, named) == 0) {
            if (found == count || !same_per_sample(info.shape, expected[found])) {
                fail_msg("%s %d: found %s", named, found + 1, hiss_shape_text(&info.shape, text));
            }
            found++;
        }
    }
    assert_int_equal(found, count);
}

static void check_order(const hiss_graph *g, const char *expected) {
    char found[1024] = "";
    for (int i = 0; i < hiss_graph_nodes(g); i++) {
        const hiss_node_info info = hiss_graph_node(g, i);
        if (info.forward_bytes > 0.0 || strcmp(info.op, "reshape") == 0) {
            strcat(strcat(found, *found ? " " : ""), info.op);
        }
    }
    assert_string_equal(found, expected);
}

static void test_lenet(void **state) {
    (void)state;
    for (int64_t width = 16; width <= 32; width *= 2) {
        const hiss_network network = {.preset = "lenet-bn", .width = width};
        const place expected[] = {{"conv1", HISS_SHAPE(14, 14, width)},
                                  {"conv2", HISS_SHAPE(7, 7, 2 * width)},
                                  {"conv3", HISS_SHAPE(3, 3, 4 * width)},
                                  {"fc1", HISS_SHAPE(256)}};
        rig r = rig_open();
        hiss_value out;
        hiss_taps taps = {0};
        hiss_value image = hiss_graph_input(r.graph, "image", HISS_SHAPE(3, 28, 28, 1));
        assert_int_equal(hiss_network_build(&network, &r.b, image, &out, &taps, NULL), HISS_OK);
        check_taps(&r, &taps, expected, HISS_COUNT(expected));
        assert_int_equal(taps.tap[3].value, out);
        const hiss_shape pooled[] = {HISS_SHAPE(14, 14, width), HISS_SHAPE(7, 7, 2 * width),
                                     HISS_SHAPE(3, 3, 4 * width)};
        check_outputs(r.graph, "conv2d_pool", pooled, 3);
        check_order(r.graph, "conv2d_pool batch_norm relu conv2d_pool batch_norm relu conv2d_pool "
                             "batch_norm relu reshape linear batch_norm relu");
        /* no biases: each convolution and the linear layer stand before a BatchNorm */
        const int64_t convolutions = 9 * width + 9 * width * 2 * width + 9 * 2 * width * 4 * width;
        const int64_t norms = 2 * (width + 2 * width + 4 * width + 256);
        assert_int_equal(hiss_model_parameters(r.model), convolutions + 9 * 4 * width * 256 + norms);
        rig_close(&r);
    }
}

/* Layer sizes of the trunk of Bojanowski & Joulin 2017, with their head of 2048 dimensions. */
static void test_alexnet(void **state) {
    (void)state;
    const hiss_network network = {.preset = "alexnet-bn", .width = 16};
    const place expected[] = {{"conv1", HISS_SHAPE(27, 27, 96)},  {"conv2", HISS_SHAPE(13, 13, 256)},
                              {"conv3", HISS_SHAPE(13, 13, 384)}, {"conv4", HISS_SHAPE(13, 13, 384)},
                              {"conv5", HISS_SHAPE(6, 6, 256)},   {"fc6", HISS_SHAPE(4096)},
                              {"fc7", HISS_SHAPE(4096)}};
    rig r = rig_open();
    hiss_value out;
    hiss_taps taps = {0};
    hiss_value image = hiss_graph_input(r.graph, "image", HISS_SHAPE(2, 224, 224, 3));
    assert_int_equal(hiss_network_build(&network, &r.b, image, &out, &taps, NULL), HISS_OK);
    hiss_graph_l2_normalize(r.graph, hiss_layer_linear(&r.b, "out", out, 2048, true));
    assert_int_equal(hiss_graph_status(r.graph, NULL), HISS_OK);
    check_taps(&r, &taps, expected, HISS_COUNT(expected));
    const hiss_shape conv[] = {HISS_SHAPE(224, 224, 2), /* Sobel */
                               HISS_SHAPE(55, 55, 96),  HISS_SHAPE(27, 27, 256), HISS_SHAPE(13, 13, 384),
                               HISS_SHAPE(13, 13, 384), HISS_SHAPE(13, 13, 256)};
    check_outputs(r.graph, "conv2d", conv, 6);
    const hiss_shape pool[] = {HISS_SHAPE(27, 27, 96), HISS_SHAPE(13, 13, 256), HISS_SHAPE(6, 6, 256)};
    check_outputs(r.graph, "max_pool", pool, 3);
    const hiss_shape flat[] = {HISS_SHAPE(9216)};
    check_outputs(r.graph, "reshape", flat, 1);
    const hiss_shape linear[] = {HISS_SHAPE(4096), HISS_SHAPE(4096), HISS_SHAPE(2048)};
    check_outputs(r.graph, "linear", linear, 3);
    check_order(r.graph, "conv2d conv2d batch_norm max_pool relu conv2d batch_norm max_pool relu conv2d "
                         "batch_norm relu conv2d batch_norm relu conv2d batch_norm max_pool relu "
                         "reshape linear batch_norm relu dropout linear batch_norm relu linear "
                         "l2_normalize");
    static const int64_t C[] = {2, 96, 256, 384, 384, 256}, kernel[] = {11, 5, 3, 3, 3};
    int64_t count = 9216 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 2048 + 2048 + 4 * 4096;
    for (int k = 0; k < 5; k++) {
        count += kernel[k] * kernel[k] * C[k] * C[k + 1] + C[k + 1] + 2 * C[k + 1];
    }
    assert_int_equal(hiss_model_parameters(r.model), count);
    assert_true(llabs(count - 66700000) < 50000);
    /* 1.10 G multiply-adds forward per image */
    double flops = 0.0;
    for (int i = 0; i < hiss_graph_nodes(r.graph); i++) {
        flops += hiss_graph_node(r.graph, i).forward_flops;
    }
    assert_true(fabs(flops / 2 / 2 / 1.10e9 - 1.0) < 0.02);
    rig_close(&r);
}

/* Parameters and multiply-adds forward of one image with a linear layer for `classes`, as published. */
static void check_resnet18(const char *preset, int64_t width, int64_t side, const int64_t sides[5], int64_t classes,
                           int64_t parameters, double multiply_adds) {
    const hiss_network network = {.preset = preset, .width = width};
    rig r = rig_open();
    hiss_value out;
    hiss_taps taps = {0};
    hiss_value image = hiss_graph_input(r.graph, "image", HISS_SHAPE(2, side, side, 3));
    assert_int_equal(hiss_network_build(&network, &r.b, image, &out, &taps, NULL), HISS_OK);
    static const struct {
        const char *name;
        int size, filters;
    } expected[] = {{"conv1", 0, 4},   {"block1", 1, 4},  {"block2", 1, 4},  {"block3", 2, 8}, {"block4", 2, 8},
                    {"block5", 3, 16}, {"block6", 3, 16}, {"block7", 4, 32}, {"block8", 4, 32}};
    for (int k = 0; k < HISS_COUNT(expected); k++) {
        const hiss_value x = taps.tap[hiss_taps_find(&taps, expected[k].name)].value;
        const int64_t at = sides[expected[k].size];
        assert_true(same_per_sample(hiss_graph_shape(r.graph, x), HISS_SHAPE(at, at, expected[k].filters * width)));
    }
    assert_true(same_per_sample(hiss_graph_shape(r.graph, out), HISS_SHAPE(32 * width)));
    assert_string_equal(taps.tap[taps.count - 1].name, "pool");
    hiss_layer_linear(&r.b, "out", out, classes, true);
    assert_int_equal(hiss_graph_status(r.graph, NULL), HISS_OK);
    if (parameters) {
        assert_int_equal(hiss_model_parameters(r.model), parameters);
    }
    double flops = 0.0;
    for (int i = 0; i < hiss_graph_nodes(r.graph); i++) {
        const hiss_node_info info = hiss_graph_node(r.graph, i);
        flops += strcmp(info.op, "conv2d") == 0 || strcmp(info.op, "linear") == 0 ? info.forward_flops : 0.0;
    }
    assert_true(!parameters || fabs(flops / 2 / 2 / multiply_adds - 1.0) < 0.005);
    rig_close(&r);
}

/* Of He et al. 2016 for 1000 classes, and with the stem for images of 32 x 32 and 10 classes. */
static void test_resnet18(void **state) {
    (void)state;
    static const int64_t large[] = {56, 56, 28, 14, 7}, small[] = {32, 32, 16, 8, 4};
    check_resnet18("resnet18", 16, 224, large, 1000, 11689512, 1.814e9);
    check_resnet18("resnet18-small", 16, 32, small, 10, 11173962, 0.5557e9);
    check_resnet18("resnet18", 1, 224, large, 1000, 0, 0);
    check_resnet18("resnet18-small", 3, 32, small, 10, 0, 0);
}

/* ---- layers from YAML ---- */

static hiss_status build_text(rig *r, const char *text, hiss_shape image, bool training, hiss_value *out,
                              hiss_taps *taps, hiss_error *err) {
    hiss_arena *arena = hiss_arena_create();
    hiss_yaml *list = NULL;
    assert_int_equal(hiss_yaml_parse(arena, "net.yaml", text, &list, err), HISS_OK);
    const hiss_network network = {.preset = "lenet-bn", .width = 16, .layers = list};
    r->b.training = training;
    hiss_status s = hiss_network_build(&network, &r->b, hiss_graph_input(r->graph, "image", image), out, taps, err);
    hiss_arena_destroy(arena); /* nothing may point into it */
    return s;
}

static void expect_error(const char *text, const char *message) {
    rig r = rig_open();
    hiss_value out;
    hiss_taps taps = {0};
    hiss_error err = {0};
    assert_int_equal(build_text(&r, text, HISS_SHAPE(2, 8, 8, 3), true, &out, &taps, &err), HISS_EUSER);
    assert_string_equal(err.text, message);
    rig_close(&r);
}

static void test_errors_name_the_place(void **state) {
    (void)state;
    expect_error("- {conv: 4, kernel: 3}\n- rellu\n", "net.yaml:2:3: unknown layer 'rellu'; did you mean 'relu'?");
    expect_error("- relu\n- {conv: 4}\n", "net.yaml:2:3: layer conv needs kernel: {conv: ..., kernel: NUMBER}");
    expect_error("- dropout\n", "net.yaml:1:3: layer dropout needs probability: {dropout: NUMBER}");
    expect_error("-  {conv: 4, kernel: 3, width: 2}\n",
                 "net.yaml:1:25: layer conv has no argument 'width'; it takes: filters; kernel, stride 1, pad 0, bias "
                 "true; name, from");
    expect_error("- {conv: 4, kernel_size: 3}\n",
                 "net.yaml:1:13: layer conv has no argument 'kernel_size'; did you mean 'kernel'? it takes: filters; "
                 "kernel, stride 1, pad 0, bias true; name, from");
    expect_error("- {relu: 1}\n",
                 "net.yaml:1:10: layer relu takes no value, found '1'; write relu alone, or {relu, from: "
                 "NAME, name: NAME}");
    expect_error("- {conv: 4, kernel: big}\n", "net.yaml:1:21: expected a number for kernel, found 'big'");
    expect_error("- {conv: 4, kernel: 2.5}\n", "net.yaml:1:21: kernel must be an integer in 1..1000000, found 2.5");
    expect_error("- {conv: 0, kernel: 3}\n", "net.yaml:1:10: filters must be an integer in 1..1000000, found 0");
    expect_error("- {dropout: 1}\n", "net.yaml:1:13: probability must be a number in 0..0.999, found 1");
    expect_error(
        "- relu\n- {conv: 4, kernel: 11, pad: 1}\n",
        "net.yaml:2:3: conv2: conv2d: a kernel of 11 x 11 does not fit an input of [2, 8, 8, 3] with pad 1; "
        "the layers need images of at least 9 x 9, found 8 x 8: set augment.height and augment.width, or choose "
        "another network");
    expect_error(
        "- {max_pool: 9}\n",
        "net.yaml:1:3: max_pool: a window of 9 x 9 does not fit an input of [2, 8, 8, 3] with pad 0; the layers "
        "need images of at least 9 x 9, found 8 x 8: set augment.height and augment.width, or choose another "
        "network");
    expect_error("- {linear: 4}\n", "net.yaml:1:3: linear1: needs rows [N,D] as input: add flatten, got [2, 8, 8, 3]");
    expect_error("- flatten\n- {conv: 4, kernel: 1}\n",
                 "net.yaml:2:3: conv2: needs images [N,H,W,C] as input, got [2, 192]: put it before flatten");
    expect_error("- {conv: 4, kernel: 3, name: a}\n- relu\n- {conv: 5, kernel: 3, name: a}\n",
                 "net.yaml:3:3: two places of the network have the name 'a': give the layer another one");
    expect_error("- {conv: 4, kernel: 3, name: a/b}\n",
                 "net.yaml:1:30: a layer's name must be a word without '/', ',' and blanks, found 'a/b'");
    expect_error("- {linear: 4, name: 0123456789012345678901234567890123456789012345678}\n",
                 "net.yaml:1:3: the name '0123456789012345678901234567890123456789012345678' is too long: at most 47 "
                 "characters");
    expect_error("{conv: 4}\n",
                 "net.yaml:1:1: network.layers must be a list of layers, found a section; begin each layer with '- '");
    expect_error(
        "lenet-bn\n",
        "net.yaml:1:1: network.layers must be a list of layers, found 'lenet-bn'; did you mean network.preset?");
    expect_error("[]\n",
                 "net.yaml:1:1: network.layers has no layers; expected one or more (flatten alone leaves the pixels "
                 "as they are), or leave network.layers out to use network.preset, as with --set network.layers=null");
}

/* Each argument of each layer, wrong alone: the message names it, and not another one. */
static void test_errors_blame_the_argument(void **state) {
    (void)state;
    static const char *const pools[] = {"max_pool", "average_pool"};
    for (int k = 0; k < HISS_COUNT(pools); k++) {
        char text[64], message[320];
        snprintf(text, sizeof text, "- {%s: 2, pad: 2}\n", pools[k]);
        snprintf(message, sizeof message,
                 "net.yaml:1:3: %s: pad 2 is more than half of the window of 2 x 2, which could lie in the padding "
                 "alone; use pad 0 to 1",
                 pools[k]);
        expect_error(text, message);
        snprintf(text, sizeof text, "- {%s: 12, pad: 1}\n", pools[k]);
        snprintf(
            message, sizeof message,
            "net.yaml:1:3: %s: a window of 12 x 12 does not fit an input of [2, 8, 8, 3] with pad 1; the layers need "
            "images of at least 10 x 10, found 8 x 8: set augment.height and augment.width, or choose another network",
            pools[k]);
        expect_error(text, message);
        snprintf(text, sizeof text, "- flatten\n- {%s: 2}\n", pools[k]);
        snprintf(message, sizeof message,
                 "net.yaml:2:3: %s: needs images [N,H,W,C] as input, got [2, 192]: put it before flatten", pools[k]);
        expect_error(text, message);
    }
    expect_error("- {conv_transposed: 4, kernel: 3, extra: 1}\n",
                 "net.yaml:1:3: conv_transposed1: conv2d_transposed: extra 1 must be less than stride 1");
    expect_error("- {conv_transposed: 4, kernel: 3, pad: 5}\n",
                 "net.yaml:1:3: conv_transposed1: conv2d_transposed: pad 5 takes all of the output of 10 x 10 away; "
                 "use pad 0 to 4; the layers need images of at least 9 x 9, found 8 x 8: set augment.height and "
                 "augment.width, or choose another network");
    expect_error("- {conv: 4, kernel: 3, stride: 0}\n",
                 "net.yaml:1:32: stride must be an integer in 1..1000000, found 0");
    expect_error("- {conv: 4, kernel: 3, pad: -1}\n", "net.yaml:1:29: pad must be an integer in 0..1000, found -1");
    expect_error("- {max_pool: 2, stride: 2.5}\n", "net.yaml:1:25: stride must be an integer in 0..1000000, found 2.5");
    expect_error("- {conv: 4, kernel: 3, bias: 2}\n", "net.yaml:1:30: expected true or false for bias, found '2'");
    expect_error("- {conv: 4, kernel: true}\n",
                 "net.yaml:1:21: expected a number for kernel, found 'true'; a number is needed, not yes or no");
    expect_error("- {conv: 4, kernel: '3'}\n",
                 "net.yaml:1:21: expected a number for kernel, found '3'; remove the quotes");
    expect_error("- dropout: 0,5\n", "net.yaml:1:12: expected a number for probability, found '0,5'; write a decimal "
                                     "point: 0.5");
    expect_error("- {leaky_relu: 5%}\n", "net.yaml:1:16: expected a number for slope, found '5%'; write 5 % as 0.05");
    expect_error("- {leaky_relu: 0x1p-3}\n",
                 "net.yaml:1:16: expected a number for slope, found '0x1p-3'; write it in decimal digits");
    expect_error("- {dropout: nan}\n",
                 "net.yaml:1:13: expected a number for probability, found 'nan'; it must be finite");
    expect_error("- l2_normalize\n",
                 "net.yaml:1:3: l2_normalize: needs rows [N,D] as input: add flatten; got [2, 8, 8, 3]");
    expect_error("- {conv: 17, kernel: 1}\n- sobel\n",
                 "net.yaml:2:3: sobel: takes images of at most 16 channels, got 17");
}

/* One value per channel is normalised to 0: refused in training, wherever it arises; evaluation does not mind. */
static void test_batch_norm_needs_values(void **state) {
    (void)state;
    static const char why[] =
        "batch_norm has 1 value per channel to normalise (1 sample of 1 position), and makes it 0 "
        "whatever it is; set train.lane_samples to 2 or more (8 or more to learn well)";
    static const struct {
        const char *text, *place; /* place NULL: there are more positions than one */
    } rows[] = {{"- flatten\n- {linear: 4}\n- batch_norm\n", "net.yaml:3:3: linear2/norm: "},
                {"- {conv: 4, kernel: 8}\n- relu\n- batch_norm\n", "net.yaml:3:3: conv1/norm: "},
                {"- {average_pool: 8}\n- batch_norm\n", "net.yaml:2:3: input/norm: "},
                {"- {conv: 4, kernel: 7}\n- batch_norm\n", NULL}};
    for (int k = 0; k < HISS_COUNT(rows); k++) {
        for (int64_t m = 1; m <= 2; m++) {
            for (int training = 0; training < 2; training++) {
                rig r = rig_open();
                hiss_value out;
                hiss_taps taps = {0};
                char expected[512] = "";
                hiss_error err = {0};
                if (m == 1 && training && rows[k].place) {
                    snprintf(expected, sizeof expected, "%s%s", rows[k].place, why);
                }
                const hiss_status s = build_text(&r, rows[k].text, HISS_SHAPE(m, 8, 8, 3), training, &out, &taps, &err);
                assert_string_equal(err.text, expected);
                assert_int_equal(s, *expected ? HISS_EUSER : HISS_OK);
                rig_close(&r);
            }
        }
    }
}

static void test_unknown_preset(void **state) {
    (void)state;
    hiss_config *config;
    hiss_network network = {0};
    hiss_error err = {0};
    assert_int_equal(hiss_config_parse("net.yaml", "network: {preset: resnet}\n", &config, NULL), HISS_OK);
    assert_int_equal(hiss_config_section(config, "network", hiss_network_rows, hiss_network_nrows, &network, &err),
                     HISS_EUSER);
    assert_string_equal(err.text, "net.yaml:1:19: network.preset must be one of lenet-bn, alexnet-bn, resnet18, "
                                  "resnet18-small, found 'resnet'; did you mean 'resnet18'?");
    hiss_config_destroy(config);
}

/* A preset that does not fit: the key that names it is blamed, and the least size, which is computed, does fit. */
static void test_presets_on_small_images(void **state) {
    (void)state;
    static const struct {
        const char *text, *where;
        int64_t least;
    } rows[] = {{"network:\n  preset: alexnet-bn\n", "net.yaml:2:11: network.preset alexnet-bn: conv", 63},
                {"network: {preset: lenet-bn}\n", "net.yaml:1:19: network.preset lenet-bn: conv3: max_pool: ", 8},
                {"", "network.preset (not set) lenet-bn: conv3: max_pool: ", 8}};
    for (int k = 0; k < HISS_COUNT(rows); k++) {
        hiss_config *config;
        hiss_network network = {0};
        assert_int_equal(hiss_config_parse("net.yaml", rows[k].text, &config, NULL), HISS_OK);
        assert_int_equal(hiss_config_section(config, "network", hiss_network_rows, hiss_network_nrows, &network, NULL),
                         HISS_OK);
        network.config = config;
        for (int64_t side = rows[k].least - 2; side <= rows[k].least; side++) {
            rig r = rig_open();
            hiss_value out;
            hiss_taps taps = {0};
            hiss_error err = {0};
            char expected[160];
            snprintf(
                expected, sizeof expected,
                "; the layers need images of at least %d x %d, found %d x 300: set augment.height and augment.width",
                (int)rows[k].least, (int)rows[k].least, (int)side);
            const hiss_value x = hiss_graph_input(r.graph, "image", HISS_SHAPE(2, side, 300, 1));
            const hiss_status s = hiss_network_build(&network, &r.b, x, &out, &taps, &err);
            assert_int_equal(s, side < rows[k].least ? HISS_EUSER : HISS_OK);
            if (s != HISS_OK &&
                (strncmp(err.text, rows[k].where, strlen(rows[k].where)) != 0 || !strstr(err.text, expected))) {
                fail_msg("%s", err.text);
            }
            rig_close(&r);
        }
        hiss_config_destroy(config);
    }
}

/* Names count layers from 1; BatchNorm is named after the block it stands in; a tap is the end of its block. */
static void test_names_and_taps(void **state) {
    (void)state;
    rig r = rig_open();
    hiss_value out;
    hiss_taps taps = {0};
    hiss_error err = {0};
    const char *text = "- batch_norm\n- {conv: 4, kernel: 3, pad: 1}\n- batch_norm\n- relu\n- batch_norm\n"
                       "- {conv_transposed: 6, kernel: 4, stride: 2, pad: 1, name: up}\n- batch_norm\n- tanh\n"
                       "- {average_pool: 4}\n- flatten\n- {linear: 5, bias: false}\n- {leaky_relu: 0.1}\n";
    assert_int_equal(build_text(&r, text, HISS_SHAPE(2, 8, 8, 3), true, &out, &taps, &err), HISS_OK);
    const place expected[] = {{"conv2", HISS_SHAPE(8, 8, 4)}, {"up", HISS_SHAPE(4, 4, 6)}, {"linear11", HISS_SHAPE(5)}};
    check_taps(&r, &taps, expected, 3);
    assert_string_equal(hiss_graph_node(r.graph, taps.tap[0].value).op, "batch_norm");
    assert_string_equal(hiss_graph_node(r.graph, taps.tap[1].value).op, "average_pool");
    assert_int_equal(taps.tap[2].value, out);
    static const char *const names[] = {
        "input/norm/gamma",  "input/norm/beta",  "input/norm/mean",  "input/norm/variance",  "conv2/weight",
        "conv2/bias",        "conv2/norm/gamma", "conv2/norm/beta",  "conv2/norm/mean",      "conv2/norm/variance",
        "conv2/norm2/gamma", "conv2/norm2/beta", "conv2/norm2/mean", "conv2/norm2/variance", "up/weight",
        "up/bias",           "up/norm/gamma",    "up/norm/beta",     "up/norm/mean",         "up/norm/variance",
        "linear11/weight"};
    assert_int_equal(hiss_model_count(r.model), HISS_COUNT(names));
    for (int k = 0; k < HISS_COUNT(names); k++) {
        assert_string_equal(hiss_model_at(r.model, k)->name, names[k]);
    }
    const hiss_slot *w = hiss_model_at(r.model, hiss_model_find(r.model, "conv2/weight"));
    assert_true(w->decay && fabs(w->deviation - sqrt(2.0 / 27.0)) < 1e-12);
    const hiss_slot *bias = hiss_model_at(r.model, hiss_model_find(r.model, "conv2/bias"));
    assert_true(!bias->decay && bias->deviation == 0.0 && bias->constant == 0.0);
    const hiss_slot *gamma = hiss_model_at(r.model, hiss_model_find(r.model, "up/norm/gamma"));
    assert_true(!gamma->decay && gamma->constant == 1.0);
    rig_close(&r);
}

static void test_too_many_named_layers(void **state) {
    (void)state;
    char text[4096] = "- flatten\n";
    for (int k = 0; k <= HISS_MAX_TAPS; k++) {
        strcat(text, "- {linear: 2}\n");
    }
    expect_error(text, "net.yaml:130:3: 'linear130' is one named place of the network too many: 128 at most");
}

/* A shortcut starts from the end of an earlier block, and joins the end of another. */
static void test_branches(void **state) {
    (void)state;
    rig r = rig_open();
    hiss_value out = -1;
    hiss_taps taps;
    hiss_error err = {0};
    const char *text = "- {conv: 4, kernel: 3, pad: 1, name: a}\n- relu\n"
                       "- {conv: 6, kernel: 3, pad: 1, stride: 2, name: b}\n- batch_norm\n"
                       "- {conv: 6, kernel: 1, stride: 2, from: a, name: c}\n- {add: b}\n- relu\n";
    assert_int_equal(build_text(&r, text, HISS_SHAPE(2, 8, 8, 3), true, &out, &taps, &err), HISS_OK);
    const place expected[] = {{"a", HISS_SHAPE(8, 8, 4)}, {"b", HISS_SHAPE(4, 4, 6)}, {"c", HISS_SHAPE(4, 4, 6)}};
    check_taps(&r, &taps, expected, 3);
    check_order(r.graph, "conv2d relu conv2d batch_norm conv2d add relu");
    const node *n = r.graph->nodes;
    const int add = r.graph->count - 2, shortcut = add - 1;
    assert_true(n[shortcut].op == &graph_op_conv2d && n[shortcut].input[0] == taps.tap[0].value);
    assert_true(n[add].op == &graph_op_add && n[add].input[0] == shortcut && n[add].input[1] == taps.tap[1].value);
    rig_close(&r);
}

/* Every layer without required argument: as a word, and as a map of each form, with name and from in any order. All
 * forms are one network. */
static void test_every_layer_takes_name_and_from(void **state) {
    (void)state;
    static const char *const forms[] = {"{%s, from: a, name: r}", "{%s: , name: r, from: a}",
                                        "{from: a, name: r, %s: null}", "{name: r, %s: ~, from: a}",
                                        "\n  from: a\n  %s:\n  name: r"};
    int words = 0;
    for (int i = 0; i < nn_layer_places(); i++) {
        const layer l = nn_layer_at(i);
        if (!l.word.word || l.word.places || l.word.argument[0].key) {
            continue;
        }
        words++;
        for (int k = 0; k < HISS_COUNT(forms); k++) {
            char text[256] = "- {conv: 4, kernel: 1, name: a}\n- {conv: 5, kernel: 1, name: b}\n- ";
            const bool rows = strcmp(l.word.word, "l2_normalize") == 0;
            if (rows) {
                strcpy(text, "- flatten\n- {linear: 4, name: a}\n- {linear: 5, name: b}\n- ");
            }
            snprintf(text + strlen(text), 100, forms[k], l.word.word);
            rig r = rig_open();
            hiss_value out;
            hiss_taps taps = {0};
            hiss_error err = {0};
            if (build_text(&r, text, HISS_SHAPE(2, 8, 8, 3), true, &out, &taps, &err) != HISS_OK) {
                fail_msg("%s: %s", text, err.text);
            }
            assert_int_equal(taps.count, 3);
            assert_string_equal(taps.tap[2].name, "r");
            assert_int_equal(taps.tap[2].value, out);
            if (strcmp(l.word.word, "sobel") != 0) { /* a convolution with a constant */
                assert_int_equal(r.graph->nodes[out].input[0], taps.tap[0].value);
            }
            rig_close(&r);
        }
    }
    assert_true(words >= 7);
}

/* A map has no order: every order of the keys of a layer is the same network. */
static void test_keys_in_any_order(void **state) {
    (void)state;
    static const char *const keys[] = {"conv: 6", "kernel: 3", "from: a", "name: c"};
    for (int first = 0; first < 24; first++) {
        int left[4] = {0, 1, 2, 3}, rest = first;
        char text[256] = "- {conv: 4, kernel: 1, name: a}\n- {conv: 5, kernel: 1, name: b}\n- {";
        for (int n = 4; n > 0; n--) {
            const int k = rest % n;
            strcat(strcat(text, keys[left[k]]), n > 1 ? ", " : "}\n");
            left[k] = left[n - 1];
            rest /= n;
        }
        rig r = rig_open();
        hiss_value out;
        hiss_taps taps = {0};
        hiss_error err = {0};
        if (build_text(&r, text, HISS_SHAPE(2, 8, 8, 3), true, &out, &taps, &err) != HISS_OK) {
            fail_msg("%s: %s", text, err.text);
        }
        const place expected[] = {{"a", HISS_SHAPE(8, 8, 4)}, {"b", HISS_SHAPE(8, 8, 5)}, {"c", HISS_SHAPE(6, 6, 6)}};
        check_taps(&r, &taps, expected, 3);
        assert_int_equal(r.graph->nodes[out].input[0], taps.tap[0].value);
        rig_close(&r);
    }
}

/* The layer's word is found because no argument of any layer has the name of a layer, or of another key. */
static void test_no_argument_is_a_layer(void **state) {
    (void)state;
    assert_null(nn_layer_of("name").word.word);
    assert_null(nn_layer_of("from").word.word);
    for (int i = 0; i < nn_layer_places(); i++) {
        const layer l = nn_layer_at(i);
        assert_int_equal(nn_layer_argument(&l, "name"), -1);
        assert_int_equal(nn_layer_argument(&l, "from"), -1);
        for (int k = 0; k < HISS_WORD_ARGUMENTS && l.word.word && l.word.argument[k].key; k++) {
            assert_null(nn_layer_of(l.word.argument[k].key).word.word);
        }
    }
}

#define LAYERS                                                                                                         \
    "conv, conv_transposed, linear, batch_norm, dropout, sobel, relu, sigmoid, tanh, exp, leaky_relu, "                \
    "soft_threshold, max_pool, "                                                                                       \
    "average_pool, global_average_pool, flatten, l2_normalize, add, concat"

/* One entry, one layer: what people write instead, and what they are told. */
static void test_entries_that_are_no_layer(void **state) {
    (void)state;
    expect_error("- [conv, 4]\n", "net.yaml:1:3: expected a layer, found a list; write {conv: 4}");
    expect_error("- [relu]\n", "net.yaml:1:3: expected a layer, found a list; write relu");
    expect_error("- [[relu]]\n", "net.yaml:1:3: expected a layer, found a list; write {conv: 32, kernel: 3}");
    expect_error("- conv 4\n", "net.yaml:1:3: unknown layer 'conv 4'; write {conv: 4}");
    expect_error("- conv:4\n", "net.yaml:1:3: unknown layer 'conv:4'; write {conv: 4}");
    expect_error("- MaxPool2d(2)\n", "net.yaml:1:3: unknown layer 'MaxPool2d(2)'; write {max_pool: 2}");
    expect_error("- relu()\n", "net.yaml:1:3: unknown layer 'relu()'; write relu");
    expect_error("- {conv 4, kernel: 3}\n", "net.yaml:1:4: unknown layer 'conv 4'; write conv: 4");
    expect_error("- conv\n", "net.yaml:1:3: layer conv needs filters: {conv: NUMBER}");
    expect_error("- {conv, kernel: 3}\n", "net.yaml:1:3: layer conv needs filters: {conv: NUMBER}");
    expect_error("-\n", "net.yaml:1:2: expected a layer, found nothing; write one behind the '-', or remove the '-'");
    expect_error(
        "- {}\n",
        "net.yaml:1:3: no layer here, only an empty section; name one layer in each entry of the list: " LAYERS);
    expect_error("- relu\n- {from: a, kernel: 3}\n",
                 "net.yaml:2:3: no layer here, only from, kernel; name one layer in each entry of the list: " LAYERS);
    expect_error("- {from: a, cnv: 4}\n", "net.yaml:1:13: unknown layer 'cnv'; did you mean 'conv'?");
    expect_error("- {conv: 4, kernel: 1, relu}\n",
                 "net.yaml:1:24: conv and relu in one entry of the list; begin each layer with a '-' of its own");
    expect_error("- relu:\n  conv: 4\n",
                 "net.yaml:2:3: relu and conv in one entry of the list; begin each layer with a '-' of its own");
    expect_error("- conv:\n    kernel: 3\n",
                 "net.yaml:2:5: layer conv: found a section; write its keys beside its word, not "
                 "below: {conv: VALUE, name: NAME}");
    expect_error("- {conv: 4, filters: 5, kernel: 3}\n",
                 "net.yaml:1:13: layer conv has its filters already, as conv: VALUE; remove one of them");
    expect_error("- transformer\n", "net.yaml:1:3: unknown layer 'transformer'; expected one of " LAYERS);
    static const char *const other[][2] = {{"ReLU", "relu"},        {"BatchNorm2d", "batch_norm"},
                                           {"dense", "linear"},     {"Conv2D", "conv"},
                                           {"maxpool", "max_pool"}, {"avg_pool", "average_pool"},
                                           {"Flatten", "flatten"},  {"globalAvgPool", "global_average_pool"}};
    for (int k = 0; k < HISS_COUNT(other); k++) {
        char text[64], message[128];
        snprintf(text, sizeof text, "- %s\n", other[k][0]);
        snprintf(message, sizeof message, "net.yaml:1:3: unknown layer '%s'; did you mean '%s'?", other[k][0],
                 other[k][1]);
        expect_error(text, message);
    }
}

/* A layer with a name of its own may start from the block that ends before it: the map before flatten. */
static void test_from_the_block_before(void **state) {
    (void)state;
    rig r = rig_open();
    hiss_value out = -1;
    hiss_taps taps;
    hiss_error err = {0};
    const char *text = "- {conv: 4, kernel: 1, name: a}\n- relu\n- flatten\n- {conv: 6, kernel: 3, from: a}\n"
                       "- {flatten, name: f}\n- {flatten, from: a}\n- {linear: 3, name: l}\n";
    assert_int_equal(build_text(&r, text, HISS_SHAPE(2, 8, 8, 3), true, &out, &taps, &err), HISS_OK);
    const place expected[] = {
        {"a", HISS_SHAPE(8, 8, 4)}, {"conv4", HISS_SHAPE(6, 6, 6)}, {"f", HISS_SHAPE(256)}, {"l", HISS_SHAPE(3)}};
    check_taps(&r, &taps, expected, 4);
    assert_int_equal(r.graph->nodes[taps.tap[1].value].input[0], taps.tap[0].value);
    rig_close(&r);
}

/* A convolution pools its own outputs where nobody else can ask for them. */
static void test_pooling_is_joined(void **state) {
    (void)state;
    static const struct {
        const char *pool, *order;
    } rows[] = {
        {"{max_pool: 2}", "conv2d_pool relu"},
        {"{max_pool: 2, stride: 2, pad: 0}", "conv2d_pool relu"},
        {"{max_pool: 2, name: pool}", "conv2d max_pool relu"}, /* the name conv1 is that of the full map */
        {"{max_pool: 3, stride: 2}", "conv2d max_pool relu"},
        {"{max_pool: 2, stride: 1}", "conv2d max_pool relu"},
        {"{max_pool: 2, pad: 1}", "conv2d max_pool relu"},
        {"{average_pool: 2}", "conv2d average_pool relu"},
    };
    for (int i = 0; i < HISS_COUNT(rows); i++) {
        rig r = rig_open();
        hiss_value out = -1;
        hiss_taps taps;
        hiss_error err = {0};
        char text[160];
        snprintf(text, sizeof text, "- {conv: 4, kernel: 3, pad: 1, name: conv1}\n- %s\n- relu\n", rows[i].pool);
        if (build_text(&r, text, HISS_SHAPE(2, 8, 8, 3), true, &out, &taps, &err) != HISS_OK) {
            fail_msg("%s: %s", rows[i].pool, err.text);
        }
        check_order(r.graph, rows[i].order);
        rig_close(&r);
    }
}

/* Names of other layers, wrong in every way: the message stands at the name. */
static void test_wrong_branches(void **state) {
    (void)state;
    expect_error("- {conv: 3, kernel: 1, name: a}\n- {linear: 4, from: b}\n",
                 "net.yaml:2:21: no layer is named 'b'; did you mean 'a'?; names that can be used here: a");
    expect_error(
        "- {conv: 3, kernel: 1, name: a}\n- relu\n- {add: a}\n",
        "net.yaml:3:9: 'a' stands for the value after its last layer, and this layer is one of them; give this "
        "layer a name, which ends 'a' before it; no name can be used here, for no layer before has one");
    static const char before[] = "- {conv: 3, kernel: 1, name: a}\n- {conv: 3, kernel: 1, name: b}\n";
    static const struct {
        const char *layer, *why;
    } rows[] = {
        {"{relu, from: b}\n",
         "16: 'b' stands for the value after its last layer, and this layer is one of them; give this layer a name, "
         "which ends 'b' before it; names that can be used here: a"},
        {"{linear: 4, from: c, name: c}\n", "21: 'c' is this layer itself; names that can be used here: a, b"},
        {"{linear: 4, from: d, name: c}\n- {relu, name: d}\n",
         "21: 'd' comes later (line 4); only earlier layers can be used; names that can be used here: a, b"},
        {"{linear: 4, from: linear4, name: c}\n- {linear: 4}\n",
         "21: 'linear4' comes later (line 4); only earlier layers can be used; names that can be used here: a, b"},
        {"{linear: 4, from: }\n", "21: expected the name of an earlier layer, found nothing"},
        {"{linear: 4, from: [a]}\n", "21: expected the name of an earlier layer, found a list"},
        {"{linear: 4, from: stem}\n", "21: no layer is named 'stem'; names that can be used here: a, b"}};
    for (int k = 0; k < HISS_COUNT(rows); k++) {
        char text[256], message[512];
        snprintf(text, sizeof text, "%s- %s", before, rows[k].layer);
        snprintf(message, sizeof message, "net.yaml:3:%s", rows[k].why);
        expect_error(text, message);
    }
    expect_error("- {conv: 3, kernel: 1, name: a}\n- {conv: 3, kernel: 1, name: b}\n- {add: [a, a]}\n",
                 "net.yaml:3:13: layer add takes at most 1 name");
    expect_error("- {conv: 3, kernel: 1, name: a}\n- {conv: 3, kernel: 1, name: b}\n- {add: [[a]]}\n",
                 "net.yaml:3:10: expected the name of an earlier layer, found a list");
    expect_error("- {add: []}\n", "net.yaml:1:3: layer add needs the name of an earlier layer: {add: NAME}");
    expect_error("- add\n", "net.yaml:1:3: layer add needs the name of an earlier layer: {add: NAME}");
    expect_error("- {conv: 3, kernel: 1, name: a}\n- {conv: 4, kernel: 1, name: b}\n- {add: a}\n",
                 "net.yaml:3:3: b: add: needs equal shapes, got [2, 8, 8, 4] and [2, 8, 8, 3]");
}

/* However many places are added, and by whom: what is beyond the bound is an error, and nothing is written there. */
static void test_named_places_are_bounded(void **state) {
    (void)state;
    struct {
        hiss_taps taps;
        char after[256];
    } s = {0};
    char name[HISS_TAP_NAME + 1] = "";
    memset(s.after, 0x5a, sizeof s.after);
    for (int k = 0; k < HISS_MAX_TAPS + 3; k++) {
        hiss_error err = {0};
        snprintf(name, sizeof name, "place%d", k);
        const bool fits = k < HISS_MAX_TAPS;
        assert_int_equal(hiss_taps_add(&s.taps, name, k, &err), fits ? HISS_OK : HISS_EUSER);
        assert_true(fits || strstr(err.text, name));
        assert_int_equal(s.taps.count, fits ? k + 1 : HISS_MAX_TAPS);
        assert_int_equal(hiss_taps_last(&s.taps), s.taps.count - 1);
        assert_int_equal(hiss_taps_find(&s.taps, name), fits ? k : -1);
    }
    for (size_t i = 0; i < sizeof s.after; i++) {
        assert_int_equal(s.after[i], 0x5a);
    }
    s.taps.count = 0;
    memset(name, 'n', HISS_TAP_NAME);
    assert_int_equal(hiss_taps_add(&s.taps, name, 0, NULL), HISS_EUSER);
    assert_int_equal(hiss_taps_last(&s.taps), -1);
    name[HISS_TAP_NAME - 1] = '\0';
    assert_int_equal(hiss_taps_add(&s.taps, name, 7, NULL), HISS_OK);
    assert_int_equal(hiss_taps_find(&s.taps, name), 0);
    assert_int_equal(hiss_taps_add(&s.taps, name, 8, NULL), HISS_EUSER); /* a method may name places like layers */
    assert_int_equal(s.taps.count, 1);
}

/* An encoder in evaluation uses the training graph's slots, trains nothing, records nothing and drops nothing. */
static void test_evaluation_shares_slots(void **state) {
    (void)state;
    const char *text = "- {conv: 4, kernel: 3}\n- batch_norm\n- relu\n- flatten\n- {dropout: 0.5}\n- {linear: 5}\n";
    rig r = rig_open();
    hiss_value out;
    hiss_taps taps = {0};
    assert_int_equal(build_text(&r, text, HISS_SHAPE(2, 8, 8, 3), true, &out, &taps, NULL), HISS_OK);
    check_order(r.graph, "conv2d batch_norm relu reshape dropout linear");
    hiss_graph_loss(r.graph,
                    hiss_graph_squared_loss(r.graph, out, hiss_graph_input(r.graph, "to", HISS_SHAPE(2, 5)), 1.0));
    const int slots = hiss_model_count(r.model);
    for (int s = 0; s < slots; s++) {
        const bool buffer = hiss_model_at(r.model, s)->kind == HISS_SLOT_BUFFER;
        assert_true(hiss_graph_trains(r.graph, s) == !buffer && hiss_graph_records(r.graph, s) == buffer);
    }
    hiss_graph_destroy(r.graph);
    r.graph = r.b.graph = hiss_graph_create();
    assert_int_equal(build_text(&r, text, HISS_SHAPE(7, 8, 8, 3), false, &out, &taps, NULL), HISS_OK);
    check_order(r.graph, "conv2d batch_norm_eval relu reshape linear");
    hiss_graph_loss(r.graph,
                    hiss_graph_squared_loss(r.graph, out, hiss_graph_input(r.graph, "to", HISS_SHAPE(7, 5)), 1.0));
    assert_int_equal(hiss_model_count(r.model), slots);
    for (int s = 0; s < slots; s++) {
        assert_false(hiss_graph_trains(r.graph, s) || hiss_graph_records(r.graph, s));
    }
    rig_close(&r);
}

/* Sobel: derivatives of the mean over channels; a ramp has the slope 8 inside, a constant image 0. */
static void test_sobel(void **state) {
    (void)state;
    rig r = rig_open();
    hiss_value x = hiss_graph_input(r.graph, "image", HISS_SHAPE(1, 5, 6, 3));
    hiss_value y = hiss_layer_sobel(&r.b, x);
    hiss_graph_keep(r.graph, y);
    rig_ready(&r, hiss_kernels_ref());
    float *image = hiss_exec_data(r.exec, x);
    for (int k = 0; k < 5 * 6 * 3; k++) { /* 3 times the column in channel 0, 6 times the row in channel 1 */
        const int row = k / 18, column = k / 3 % 6;
        image[k] = (float)(k % 3 == 0 ? 3 * column : k % 3 == 1 ? 6 * row : 7);
    }
    hiss_exec_forward(r.exec, &r.run, 0, hiss_graph_nodes(r.graph), NULL, NULL);
    const float *out = hiss_exec_data(r.exec, y);
    for (int k = 0; k < 5 * 6; k++) {
        const int row = k / 6, column = k % 6;
        if (row > 0 && row < 4 && column > 0 && column < 5) {
            assert_true(fabsf(out[2 * k] - 8.0f) < 1e-4f && fabsf(out[2 * k + 1] - 16.0f) < 1e-4f);
        }
    }
    assert_int_equal(hiss_model_count(r.model), 0);
    rig_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lenet),
                                       cmocka_unit_test(test_alexnet),
                                       cmocka_unit_test(test_resnet18),
                                       cmocka_unit_test(test_errors_name_the_place),
                                       cmocka_unit_test(test_errors_blame_the_argument),
                                       cmocka_unit_test(test_batch_norm_needs_values),
                                       cmocka_unit_test(test_unknown_preset),
                                       cmocka_unit_test(test_names_and_taps),
                                       cmocka_unit_test(test_branches),
                                       cmocka_unit_test(test_wrong_branches),
                                       cmocka_unit_test(test_every_layer_takes_name_and_from),
                                       cmocka_unit_test(test_keys_in_any_order),
                                       cmocka_unit_test(test_no_argument_is_a_layer),
                                       cmocka_unit_test(test_entries_that_are_no_layer),
                                       cmocka_unit_test(test_from_the_block_before),
                                       cmocka_unit_test(test_pooling_is_joined),
                                       cmocka_unit_test(test_presets_on_small_images),
                                       cmocka_unit_test(test_named_places_are_bounded),
                                       cmocka_unit_test(test_too_many_named_layers),
                                       cmocka_unit_test(test_evaluation_shares_slots),
                                       cmocka_unit_test(test_sobel)};
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
