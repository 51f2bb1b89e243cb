/* A network as a graph of ONNX, taken apart by a reader of protocol buffers written here, and as a module of PyTorch. That both
 * compute what hiss does is for tools/export_peers, which has those programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/program.h"
#include "hiss/rng.h"

enum { M = 4, MOST = 64, TEXT = 64 };

/* ---- protocol buffers ---- */

typedef struct field {
    int number;
    uint64_t value;    /* of a whole number */
    const char *bytes; /* of anything else */
    size_t count;
} field;

static uint64_t read_varint(const char **at, const char *end) {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        assert_true(*at < end && shift < 64);
        const uint8_t byte = (uint8_t) * (*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
}

static bool next_field(const char **at, const char *end, field *out) {
    if (*at == end) {
        return false;
    }
    const uint64_t tag = read_varint(at, end);
    *out = (field){.number = (int)(tag >> 3)};
    switch (tag & 7) {
    case 0:
        out->value = read_varint(at, end);
        return true;
    case 2:
        out->count = read_varint(at, end);
        break;
    case 5:
        out->count = 4;
        break;
    default:
        fail_msg("kind %d", (int)(tag & 7));
    }
    assert_true(out->count <= (size_t)(end - *at));
    out->bytes = *at;
    *at += out->count;
    return true;
}

/* The k-th field of that number; false: there is none. */
static bool find(const char *bytes, size_t count, int number, int k, field *out) {
    const char *at = bytes;
    while (next_field(&at, bytes + count, out)) {
        if (out->number == number && k-- == 0) {
            return true;
        }
    }
    return false;
}

static void text_of(const field *of, int number, int k, char out[TEXT]) {
    field f;
    *out = 0;
    if (find(of->bytes, of->count, number, k, &f)) {
        assert_true(f.count < TEXT);
        memcpy(out, f.bytes, f.count);
        out[f.count] = 0;
    }
}

/* ---- a network ---- */

typedef struct net {
    hiss_graph *graph;
    hiss_model *model;
    float *vector;
    hiss_taps taps;
    hiss_weights *weights;
    hiss_program_options options;
    int output[MOST];
} net;

static net open_net(void) {
    net n = {.graph = hiss_graph_create(), .model = hiss_model_create(), .weights = hiss_weights_create()};
    return n;
}

static void tap(net *n, const char *name, hiss_value value) {
    hiss_error err = {0};
    assert_int_equal(hiss_taps_add(&n->taps, name, value, &err), HISS_OK);
}

static void ready(net *n) {
    hiss_error err = {0};
    if (hiss_graph_status(n->graph, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    hiss_model_layout(n->model);
    n->vector = hiss_new(float, hiss_model_floats(n->model));
    for (int64_t i = 0; i < hiss_model_floats(n->model); i++) {
        n->vector[i] = 0.25f + (float)(i * 37 % 101) / 64.0f;
    }
    hiss_weights_note(n->weights, "checkpoint_sha256", "0123");
    hiss_weights_note(n->weights, "config", "seed: 1\n");
    for (int k = 0; k < n->taps.count; k++) {
        n->output[k] = k;
    }
}

static void close_net(net *n) {
    hiss_graph_destroy(n->graph);
    hiss_model_destroy(n->model);
    hiss_weights_destroy(n->weights);
    hiss_free(n->vector);
    assert_int_equal(hiss_alloc_live(), 0);
}

static net convolutional(void) {
    net n = open_net();
    hiss_builder b = {.graph = n.graph, .model = n.model};
    hiss_value x = hiss_graph_input(n.graph, "image", HISS_SHAPE(M, 6, 5, 2));
    x = hiss_layer_batch_norm(&b, "conv1/norm", hiss_layer_conv(&b, "conv1", x, 3, 3, 2, 1, true));
    x = hiss_graph_relu(n.graph, x);
    tap(&n, "conv1", x);
    x = hiss_layer_linear(&b, "fc", hiss_graph_flatten(n.graph, x), 7, false);
    tap(&n, "z", hiss_graph_l2_normalize(n.graph, x));
    ready(&n);
    return n;
}

/* The written file, freed by free(); an error where there is one. */
static char *write_as(net *n, bool torch, bool folds, size_t *count, hiss_error *err) {
    char *bytes = NULL;
    n->options = (hiss_program_options){.graph = n->graph,
                                        .model = n->model,
                                        .vector = n->vector,
                                        .m = M,
                                        .taps = &n->taps,
                                        .outputs = n->options.outputs ? n->options.outputs : n->taps.count,
                                        .output = n->output,
                                        .center = n->options.center,
                                        .preprocesses = n->options.center != NULL,
                                        .folds = folds,
                                        .weights = n->weights};
    hiss_program *p = NULL;
    hiss_status s = hiss_program_create(&n->options, &p, err);
    FILE *stream = hiss_text_open(&bytes, count);
    s = s != HISS_OK ? s : torch ? hiss_torch_write(p, stream, err) : hiss_onnx_write(p, stream, err);
    fclose(stream);
    hiss_program_destroy(p);
    if (s != HISS_OK) {
        free(bytes);
        return NULL;
    }
    return bytes;
}

static field graph_of(const char *bytes, size_t count) {
    field graph, f;
    assert_true(find(bytes, count, 1, 0, &f) && f.value == 8);
    assert_true(find(bytes, count, 8, 0, &f)); /* the operator set */
    assert_true(find(f.bytes, f.count, 2, 0, &f) && f.value == 17);
    assert_true(find(bytes, count, 7, 0, &graph));
    return graph;
}

/* "Conv BatchNormalization ..." */
static void kinds_of(const field *graph, char out[512]) {
    field node;
    char kind[TEXT];
    *out = 0;
    for (int k = 0; find(graph->bytes, graph->count, 1, k, &node); k++) {
        text_of(&node, 4, 0, kind);
        strcat(strcat(out, *out ? " " : ""), kind);
    }
}

/* The values of an initializer of so many float32. */
static const float *initializer(const field *graph, const char *name, int64_t count, float *out) {
    field tensor, f;
    char found[TEXT];
    for (int k = 0; find(graph->bytes, graph->count, 5, k, &tensor); k++) {
        text_of(&tensor, 8, 0, found);
        if (strcmp(found, name) == 0) {
            assert_true(find(tensor.bytes, tensor.count, 9, 0, &f));
            assert_int_equal(f.count, sizeof(float) * (size_t)count);
            memcpy(out, f.bytes, f.count);
            return out;
        }
    }
    fail_msg("no initializer %s", name);
    return NULL;
}

static const float *slot_values(const net *n, const char *name) {
    return n->vector + hiss_model_offset(n->model, name);
}

static void test_onnx(void **state) {
    (void)state;
    net n = convolutional();
    hiss_error err = {0};
    size_t count;
    char *bytes = write_as(&n, false, false, &count, &err), kinds[512], name[TEXT];
    assert_non_null(bytes);
    const field graph = graph_of(bytes, count);
    kinds_of(&graph, kinds);
    assert_string_equal(kinds, "Conv BatchNormalization Relu Transpose Reshape Gemm ReduceL2 Max Div");
    field f;
    assert_true(find(graph.bytes, graph.count, 11, 0, &f)); /* the input, [N,2,6,5] */
    text_of(&f, 1, 0, name);
    assert_string_equal(name, "image");
    for (int k = 0; k < 2; k++) {
        assert_true(find(graph.bytes, graph.count, 12, k, &f));
        text_of(&f, 1, 0, name);
        assert_string_equal(name, k == 0 ? "conv1" : "z");
    }
    float got[256];
    initializer(&graph, "conv1/weight", 54, got);
    for (int f3 = 0; f3 < 3; f3++) {
        for (int c = 0; c < 2; c++) {
            for (int r = 0; r < 9; r++) {
                assert_true(got[(f3 * 2 + c) * 9 + r] == slot_values(&n, "conv1/weight")[(f3 * 9 + r) * 2 + c]);
            }
        }
    }
    initializer(&graph, "fc/weight", 189, got);
    assert_memory_equal(got, slot_values(&n, "fc/weight"), 189 * sizeof(float));
    initializer(&graph, "conv1/norm/variance", 3, got);
    assert_memory_equal(got, slot_values(&n, "conv1/norm/variance"), 3 * sizeof(float));
    free(bytes);
    close_net(&n);
}

static void test_fold(void **state) {
    (void)state;
    net n = convolutional();
    hiss_error err = {0};
    size_t count;
    char *bytes = write_as(&n, false, true, &count, &err), kinds[512], name[TEXT], names[2][TEXT];
    assert_non_null(bytes);
    const field graph = graph_of(bytes, count);
    kinds_of(&graph, kinds);
    assert_string_equal(kinds, "Conv Relu Transpose Reshape Gemm ReduceL2 Max Div");
    field node, tensor;
    assert_true(find(graph.bytes, graph.count, 1, 0, &node));
    text_of(&node, 1, 1, names[0]);
    text_of(&node, 1, 2, names[1]);
    float weight[54], bias[3];
    initializer(&graph, names[0], 54, weight);
    initializer(&graph, names[1], 3, bias);
    for (int k = 0; k < 3; k++) {
        const double s = (double)slot_values(&n, "conv1/norm/gamma")[k] /
                         sqrt((double)slot_values(&n, "conv1/norm/variance")[k] + 1e-5);
        const double b =
            ((double)slot_values(&n, "conv1/bias")[k] - (double)slot_values(&n, "conv1/norm/mean")[k]) * s +
            (double)slot_values(&n, "conv1/norm/beta")[k];
        assert_true(fabs((double)bias[k] - b) < 1e-6);
        for (int i = 0; i < 18; i++) { /* [C,R,S] there, [R,S,C] here */
            const double w = (double)slot_values(&n, "conv1/weight")[k * 18 + i % 9 * 2 + i / 9] * s;
            assert_true(fabs((double)weight[k * 18 + i] - w) < 1e-6);
        }
    }
    for (int k = 0; find(graph.bytes, graph.count, 5, k, &tensor); k++) { /* nothing is there twice */
        text_of(&tensor, 8, 0, name);
        assert_true(strcmp(name, "conv1/weight") != 0 && strcmp(name, "conv1/norm/gamma") != 0);
    }
    free(bytes);
    close_net(&n);
}

/* Where the map before BatchNorm is an output, too, it stays as it is. */
static void test_no_fold(void **state) {
    (void)state;
    net n = open_net();
    hiss_builder b = {.graph = n.graph, .model = n.model};
    hiss_value x = hiss_graph_input(n.graph, "image", HISS_SHAPE(M, 6, 5, 2));
    x = hiss_layer_conv(&b, "conv1", x, 3, 1, 1, 0, true);
    tap(&n, "before", x);
    tap(&n, "again", x);
    tap(&n, "after", hiss_layer_batch_norm(&b, "norm", x));
    ready(&n);
    hiss_error err = {0};
    size_t count;
    char *bytes = write_as(&n, false, true, &count, &err), kinds[512];
    const field graph = graph_of(bytes, count);
    kinds_of(&graph, kinds);
    assert_string_equal(kinds, "Conv BatchNormalization Identity");
    free(bytes);
    close_net(&n);
}

static void expect_line(const char *text, const char *line) {
    if (!strstr(text, line)) {
        fail_msg("no '%s' in:\n%s", line, text);
    }
}

static void test_torch(void **state) {
    (void)state;
    net n = convolutional();
    hiss_error err = {0};
    size_t count;
    hiss_scaling scaling = {.count = 2, .mean = {0.5, 0.25}, .std = {1, 2}};
    const hiss_center center = {6, 5, 2, 6, 5, 0, 0, 0, 255, false, false, &scaling};
    char *text = write_as(&n, true, false, &count, &err);
    assert_non_null(text);
    expect_line(text, "\nCHECKPOINT = \"0123\"\nLAYERS = (\"conv1\", \"z\", )\n");
    expect_line(text, "    \"conv1_weight\": (\"conv1/weight\", [3, 3, 3, 2]),\n");
    expect_line(text, "self.conv1_weight = nn.Parameter(torch.zeros(3, 2, 3, 3))\n");
    expect_line(text, "self.register_buffer(\"conv1_norm_mean\", torch.zeros(3))\n");
    expect_line(text, "F.conv2d(image, self.conv1_weight, self.conv1_bias, stride=2, padding=1)");
    expect_line(text, ".permute(0, 2, 3, 1).reshape(-1, 27)");
    assert_null(strstr(text, "def preprocess"));
    free(text);
    n.options.center = &center;
    text = write_as(&n, true, false, &count, &err);
    expect_line(text, "        image = self.preprocess(image)\n");
    expect_line(text, "torch.tensor([0.5, 0.25]");
    free(text);
    close_net(&n);
}

/* Outputs alone decide what is needed: what has no counterpart may stand behind them. */
static void test_refused(void **state) {
    (void)state;
    net n = open_net();
    hiss_value x = hiss_graph_input(n.graph, "image", HISS_SHAPE(M, 6)), y = hiss_graph_relu(n.graph, x);
    tap(&n, "first", y);
    hiss_graph_scope(n.graph, "second");
    tap(&n, "second", hiss_graph_less(n.graph, x, y));
    tap(&n, "noisy", hiss_graph_add(n.graph, y, hiss_graph_input(n.graph, "noise", HISS_SHAPE(M, 6))));
    ready(&n);
    for (int torch = 0; torch < 2; torch++) {
        hiss_error err = {0};
        size_t count;
        n.options.outputs = 2;
        assert_null(write_as(&n, torch, false, &count, &err));
        assert_non_null(strstr(err.text, "operation 'less' of second cannot be exported"));
        assert_null(strchr(err.text, '\n'));
        n.options.outputs = 3;
        assert_null(write_as(&n, torch, false, &count, &err));
        assert_non_null(strstr(err.text, "operation 'input' of noise cannot be exported: it needs more than images"));
        n.options.outputs = 1;
        char *bytes = write_as(&n, torch, false, &count, &err);
        assert_non_null(bytes);
        free(bytes);
    }
    close_net(&n);
}

/* The value of a word's operation on an image, or on its row where it takes no image; all numbers that have no default are
 * 1, or 2 where that is allowed. */
static hiss_value build_word(const hiss_word *word, bool flat, hiss_graph *graph) {
    const hiss_value image = hiss_graph_input(graph, "image", HISS_SHAPE(M, 8, 8, 3));
    const hiss_value x = flat ? hiss_graph_flatten(graph, image) : image;
    double a[HISS_WORD_ARGUMENTS] = {0};
    for (int k = 0; k < HISS_WORD_ARGUMENTS && word->argument[k].key; k++) {
        const hiss_word_argument *argument = &word->argument[k];
        a[k] = argument->standard >= argument->min ? argument->standard : argument->max >= 2 ? 2 : argument->max;
    }
    return word->build(graph, word->places > 0 ? 2 : 1, (const hiss_value[]){x, x}, a);
}

static void expect_written(net *n, const char *word) {
    for (int torch = 0; torch < 2; torch++) {
        hiss_error err = {0};
        size_t count;
        char *bytes = write_as(n, torch, false, &count, &err);
        if (!bytes) {
            fail_msg("%s: %s", word, err.text);
        }
        free(bytes);
    }
}

/* Every word of a network that is an operation has a counterpart, of images or of rows. */
static void test_words(void **state) {
    (void)state;
    int words = 0;
    for (int op = 0; op < hiss_op_count(); op++) {
        const hiss_word *word = hiss_op_word(op);
        if (!word) {
            continue;
        }
        net n = open_net();
        hiss_value y = build_word(word, false, n.graph);
        if (y < 0) {
            hiss_graph_destroy(n.graph);
            n.graph = hiss_graph_create();
            y = build_word(word, true, n.graph);
        }
        assert_true(y >= 0);
        tap(&n, "y", y);
        ready(&n);
        expect_written(&n, word->word);
        close_net(&n);
        words++;
    }
    assert_true(words >= 12);
}

/* So have the layers with parameters, and fixed ones. */
static void test_layers(void **state) {
    (void)state;
    net n = open_net();
    hiss_builder b = {.graph = n.graph, .model = n.model};
    hiss_value x = hiss_layer_sobel(&b, hiss_graph_input(n.graph, "image", HISS_SHAPE(M, 8, 8, 3)));
    x = hiss_layer_conv_transposed(&b, "up", x, 2, 3, 2, 1, 1, true);
    x = hiss_graph_join(n.graph,
                        hiss_graph_max_pool(n.graph, hiss_layer_conv(&b, "down", x, 4, 3, 1, 1, true), 2, 2, 0));
    x = hiss_layer_dropout(&b, hiss_layer_normalize(&b, "norm", hiss_graph_flatten(n.graph, x), true), 0.5);
    x = hiss_layer_gain(&b, "gain", hiss_layer_shift(&b, "shift", x));
    tap(&n, "z", hiss_layer_linear(&b, "z", x, 3, true));
    ready(&n);
    expect_written(&n, "layers");
    close_net(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_onnx),   cmocka_unit_test(test_fold),    cmocka_unit_test(test_no_fold),
        cmocka_unit_test(test_torch),  cmocka_unit_test(test_refused), cmocka_unit_test(test_words),
        cmocka_unit_test(test_layers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
