/* What settings make of a method: other graphs, whose gradients pass the check against differences; noise, views and
 * seeds as they say; networks of odd shapes. */
#include "../act.h"

/* Settings that make another graph of a method. */
static void test_variants(void **state) {
    (void)state;
    static const struct {
        const char *name, *text;
    } variants[] = {
        {"classify", "network: {width: 2}\nclassify: {loss: logistic}\n"},
        {"vae", "network: {width: 2}\nvae: {decoder: convolutional, hidden: 5, latent: 3}\n"},
        {"vae", "network: {width: 2}\nvae: {likelihood: gaussian, deviation: 0.7, hidden: 5}\n"},
        {"autoencoder", "network: {layers: [flatten, {linear: 9}, tanh]}\n"
                        "autoencoder: {decoder: dense, hidden: 5, loss: bernoulli}\n"},
        {"denoising", "network: {layers: [flatten]}\ndenoising: {decoder: tied, code: 7}\n"},
        {"denoising", "network: {width: 2}\ndenoising: {loss: squared, hidden: 5, code: 3}\n"
                      "corruption: {kind: gaussian}\n"},
        {"vae", "network: {width: 2}\nvae: {source: prior, binarize: false, hidden: 5}\n"},
        {"rbm", "rbm: {layers: '7, 5', finetune: autoencoder}\n"},
        {"rbm", "rbm: {layers: '7, 5', finetune: classifier, code: binary}\n"},
        {"dbm", "dbm: {hidden1: 7, hidden2: 5, updates: 2, gibbs: 2}\n"},
        {"dbm", "dbm: {hidden1: 7, hidden2: 5, chains: data}\n"},
        {"dbm", "dbm: {hidden1: 7, hidden2: 5, chains: random}\n"},
        {"sparse", "sparse: {size: 5, atoms: 9, steps: 100, patches: 2, lambda: 0.2}\n"},
        {"sparse", "sparse: {form: convolutional, size: 4, atoms: 3, steps: 100, lambda: 0.2}\n"},
        {"sparse", "sparse: {algorithm: ista, size: 4, atoms: 3, lambda: 0}\nwhiten: {on: false}\n"},
        {"context_prediction", "network: {width: 2}\ncontext_prediction: {canvas: 0, patch: 9, gap: 1, "
                               "jitter: 1, code: 5, hidden: 6}\n"},
        {"context_prediction", "network: {preset: resnet18-small, width: 1}\n"
                               "context_prediction: {patch: 8, gap: 0, jitter: 1, second_only: true}\n"},
        {"ambient_sound", "network: {width: 2}\nambient_sound: {clusters: 3, bands: 5, shuffled: true}\n"},
        {"jigsaw", "network: {width: 2}\njigsaw: {canvas: 0, tile: 8, cell: 9, permutations: 5, code: 4, "
                   "hidden: 6}\n"},
        {"egomotion", "network: {width: 2}\negomotion: {view: 9, shift: 2, bins: 5, canvas: 20, code: 4, hidden: 6}\n"},
        {"egomotion", "network: {preset: resnet18-small, width: 1}\n"
                      "egomotion: {view: 8, shift: 1, bins: 3, canvas: 20, sees: second, turned: false}\n"},
        {"stacked", "stacked: {units: 5, layers: 1}\ncorruption: {kind: gaussian}\n"},
        {"stacked", "stacked: {units: 5, layers: 2}\ncorruption: {kind: salt_and_pepper}\n"},
        {"stacked", "stacked: {units: 5, layers: 4, pretrain: false}\n"},
        {"ladder", "ladder: {layers: '7, 5', lambda: '20, 3, 0.5'}\n"},
        {"ladder", "ladder: {layers: '7, 5, 4', lambda: '0, 3, 0, 2, 0'}\n"},
        {"ladder", "ladder: {layers: '7', model: gamma, lambda: 2}\n"},
        {"ladder", "ladder: {layers: '7, 5', model: noise}\n"},
        {"gan", "gan: {latent: 5, width: 2, conditional: true}\n"},
        {"gan", "gan: {latent: 5, width: 3, deviation: 0}\n"},
        {"exemplar", "network: {layers: [flatten, {linear: 9}, tanh]}\nexemplar: {transform: none}\n"},
        {"exemplar", "network: {width: 2}\naugment: {shift: 3, rotate: 20}\n"},
        {"colorization", "network: {width: 2}\ncolorization: {loss: l2}\n"},
        {"colorization", "network: {layers: [{conv: 3, kernel: 4, stride: 2, pad: 1}, tanh]}\n"
                         "colorization: {rebalance: false, neighbors: 5}\n"},
        {"split_brain", "network: {layers: [{conv: 3, kernel: 4, stride: 2, pad: 1}, batch_norm, tanh]}\n"
                        "split_brain: {light_bins: 7}\n"},
        {"bigan", "network: {layers: [flatten, {linear: 9}, batch_norm, {leaky_relu: 0.2}]}\n"
                  "bigan: {latent: 3, hidden: 7}\n"},
        {"bigan", "network: {width: 2}\nbigan: {latent: 3, hidden: 7, joint: false, prior: normal}\n"},
        {"word2vec", "word2vec: {model: ranking, dim: 5, window: 2, hidden: 6, subsample: 0}\n"},
        {"pixelcnn", "pixelcnn: {features: 4, layers: 2, output: 6, levels: 5, kernel: 5}\n"},
        {"pixelcnn", "pixelcnn: {features: 16, layers: 1, output: 6, conditional: true}\n"},
        {"wavenet", "wavenet: {first: 1, residual: 4, gates: 3, skip: 5, output: 6, blocks: 1, layers: 9, "
                    "conditional: true}\n"},
        {"svg", "svg: {past: 3, future: 2, prior: fixed, features: 2, code: 5, hidden: 4, latent: 3, beta: 0.1}\n"},
        {"svg", "svg: {past: 2, future: 2, prior: none, features: 2, code: 5, hidden: 4, layers: 1}\n"},
        {"svg", "svg: {past: 2, future: 3, features: 2, code: 5, hidden: 4, latent: 3, beta: 0.1}\n"},
        {"svg", "svg: {past: 2, future: 3, prior: none, actions: given, features: 2, code: 5, hidden: 4}\n"},
        {"svg", "svg: {past: 2, future: 2, actions: given, features: 2, code: 5, hidden: 4, latent: 3, beta: 0.1}\n"},
        {"multiscale", "multiscale: {past: 2, future: 3, width: 2, adversarial: 0, gdl: 0}\n"},
        {"multiscale", "multiscale: {past: 2, future: 2, width: 2, gdl: 0, adversarial: 2}\n"},
        {"moving_objects",
         "network: {width: 2}\nmoving_objects: {head: local, features: 3, least: 0, most: 1, shuffled: true}\n"},
        {"multiscale", "multiscale: {past: 1, future: 1, width: 2, gdl: 3, mismatched: true}\n"},
        {"sv2p", "sv2p: {past: 2, future: 2, features: 2, kernels: 1, window: 3, latent: 2, sampling: 0}\n"},
        {"sv2p", "sv2p: {past: 2, future: 3, features: 1, kernels: 3, window: 5, latent: 2, sampling: 2, beta: 0.5}\n"},
        {"temporal_order", "network: {width: 2}\ntemporal_order: {code: 4, hidden: 6}\n"},
        {"temporal_order",
         "network: {layers: [{conv: 3, kernel: 3, stride: 2}, tanh]}\n"
         "temporal_order: {window: 9, gap: 1, code: 4, hidden: 6, motion: false, avoid_hits: false}\n"},
        {"context_encoder", "network: {layers: [flatten, {linear: 9}]}\n"
                            "context_encoder: {code: 3, width: 2, adversarial_weight: 0.5}\n"},
        {"context_encoder", "network: {width: 2}\ncontext_encoder: {code: 3, width: 2, adversarial: only, "
                            "mask: random}\n"},
        {"context_encoder", "network: {width: 2}\ncontext_encoder: {code: 3, width: 2, adversarial: none, "
                            "mask: random, share: 0.5}\n"}};
    for (int k = 0; k < HISS_COUNT(variants); k++) {
        act a;
        open_act(&a, variants[k].name, variants[k].text, 2, 6, 61);
        rig *r = &a.r[a.phases - 1];
        assert_true(isfinite(rig_step(r)));
        rig_check_gradients(r, variants[k].text, 4e-3, 0.03, 0.1); /* of losses of some 500 */
        close_act(&a);
    }
}

/* What one lane's hooks put into the input of that name at a step, for that view. */
static void fill_input(act *a, const char *name, int64_t step, int64_t view, int64_t count, float *out) {
    const hiss_graph *graph = a->r[0].graph;
    hiss_lane lane = stage_lane(&a->s, 0, graph, a->r[0].exec);
    lane.step = step;
    lane.view = view;
    stage_sample(&a->s, &lane);
    memcpy(out, hiss_exec_data(a->r[0].exec, hiss_graph_input_named(graph, name)), sizeof(float) * (size_t)count);
}

/* Noise of denoising: drawn anew at each step, the same again at the same step; the target stays clean, and so is what a
 * feature pass sees. */
static void test_noise_is_fresh(void **state) {
    (void)state;
    static const char *const kinds[] = {"masking", "salt_and_pepper", "gaussian"};
    for (int kind = 0; kind < HISS_COUNT(kinds); kind++) {
        enum { COUNT = 6 * 784 };
        static float clean[COUNT], first[COUNT], again[COUNT], later[COUNT], target[COUNT];
        char text[128];
        act a;
        snprintf(text, sizeof text, "network: {width: 2}\ncorruption: {level: 0.3, kind: %s}\n", kinds[kind]);
        open_act(&a, "denoising", text, 1, 6, 12);
        fill_input(&a, "image", 3, HISS_VIEW_TRAINING, COUNT, clean);
        fill_input(&a, "corrupted", 3, HISS_VIEW_TRAINING, COUNT, first);
        fill_input(&a, "corrupted", 3, HISS_VIEW_TRAINING, COUNT, again);
        fill_input(&a, "corrupted", 4, HISS_VIEW_TRAINING, COUNT, later);
        fill_input(&a, "image", 4, HISS_VIEW_TRAINING, COUNT, target);
        assert_memory_equal(first, again, sizeof first);
        assert_memory_equal(clean, target, sizeof clean);
        for (int i = 0; i < 6; i++) { /* of every sample */
            assert_memory_not_equal(first + i * 784, later + i * 784, 784 * sizeof(float));
            assert_memory_not_equal(first + i * 784, clean + i * 784, 784 * sizeof(float));
        }
        fill_input(&a, "corrupted", 3, 0, COUNT, again);
        fill_input(&a, "image", 3, 0, COUNT, target);
        assert_memory_equal(again, target, sizeof again);
        close_act(&a);
    }
}

/* Samples of a seed carry its number; views differ from it, and are the seed itself in the control. */
static void test_exemplars_are_of_their_seeds(void **state) {
    (void)state;
    enum { M = 6, COUNT = M * 784 };
    static float first[COUNT], view[COUNT], seeds[2][COUNT];
    for (int none = 0; none <= 1; none++) {
        act a;
        open_act(&a, "exemplar",
                 none ? "network: {width: 2}\naugment: {shift: 3}\nexemplar: {transform: none}\n"
                      : "network: {width: 2}\naugment: {shift: 3}\n",
                 2, M, 24);
        const hiss_graph *graph = a.r[0].graph;
        fill_input(&a, "image", 0, HISS_VIEW_CENTER, COUNT, seeds[none]);
        fill_input(&a, "image", 0, HISS_VIEW_TRAINING, COUNT, first);
        fill_input(&a, "image", 0, HISS_VIEW_TRAINING, COUNT, view);
        assert_memory_equal(first, view, sizeof first);
        const int32_t *seed = (const int32_t *)hiss_exec_data(a.r[0].exec, hiss_graph_input_named(graph, "seed"));
        for (int i = 0; i < M; i++) {
            assert_int_equal(seed[i], a.s.batches[0].sample[i]);
            assert_int_equal(none, memcmp(first + i * 784, seeds[none] + i * 784, 784 * sizeof(float)) == 0);
        }
        close_act(&a);
    }
    assert_memory_equal(seeds[0], seeds[1], sizeof seeds[0]);
}

/* A mean over pixels: of the order of the images' own mean square, whatever the batch. */
static void test_autoencoder_scale(void **state) {
    (void)state;
    for (int64_t m = 8; m <= 32; m *= 4) {
        act a;
        open_act(&a, "autoencoder", small_net, 1, m, 64);
        const double loss = rig_step(&a.r[0]);
        double square = 0.0;
        rig_fill(&a.r[0]);
        const float *image = hiss_exec_data(a.r[0].exec, hiss_graph_input_named(a.r[0].graph, "image"));
        for (int64_t i = 0; i < m * 784; i++) {
            square += (double)image[i] * (double)image[i] / (double)(m * 784);
        }
        assert_true(0.5 * square < loss && loss < 4.0 * (square + 1.0));
        close_act(&a);
    }
}

/* Convolutions straight into a head: nat and autoencoder flatten by themselves. Sizes an autoencoder cannot rebuild are
 * the user's error. */
static void test_odd_networks(void **state) {
    (void)state;
    static const char text[] =
        "network: {layers: [{conv: 3, kernel: 5, stride: 3}, batch_norm, relu], width: 2}\nautoencoder: {code: 5}\n";
    act a;
    open_act(&a, "autoencoder", text, 1, 4, 8);
    assert_true(isfinite(rig_step(&a.r[0])));
    assert_string_equal(a.taps.tap[a.taps.count - 1].name, "code");
    close_act(&a);
    open_act(&a, "nat", "network: {layers: [{conv: 3, kernel: 5, stride: 3}]}\nnat: {dim: 5}\n", 1, 4, 8);
    assert_true(isfinite(rig_step(&a.r[0])));
    assert_string_equal(a.taps.tap[a.taps.count - 1].name, "z");
    close_act(&a);

    hiss_comm comm = {0};
    stage s;
    hiss_error err = {0};
    stage_given given = {.samples = 8, .stored_H = 20, .stored_W = 24, .C = 1, .lanes = 1, .m = 4, .comm = &comm};
    given.kernels = hiss_kernels_ref();
    assert_int_equal(stage_open(&s, "autoencoder", small_net, given, NULL, &err), HISS_OK);
    rig r = rig_open();
    assert_int_equal(s.ops->build(s.method, 0, &r.b, &err), HISS_EUSER);
    assert_string_equal(err.text, "objective: autoencoder needs square inputs of at least 8 x 8, found 20 x 24; set "
                                  "augment.height and augment.width alike, or choose autoencoder.decoder: dense");
    rig_close(&r);
    stage_close(&s);
    assert_int_equal(stage_open(&s, "supervised", small_net, given, NULL, &err), HISS_EUSER);
    assert_string_equal(err.text,
                        "objective: classify needs labels of at least 2 classes, found 0; set data.labels, or choose "
                        "another objective");
    stage_close(&s);
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_variants), cmocka_unit_test(test_noise_is_fresh),
                                       cmocka_unit_test(test_exemplars_are_of_their_seeds),
                                       cmocka_unit_test(test_autoencoder_scale), cmocka_unit_test(test_odd_networks)};
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
