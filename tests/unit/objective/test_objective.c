/* Every registered method: its graphs build in training and for evaluation from the same slots, its loss is finite, its
 * gradients pass the check against differences, it describes itself in one line. And the first three learn. */
#include "../act.h"
#include "hiss/optim.h"

/* A small network, and a loss that may fall to nothing. Codes that are normalised over 6 images are too steep a function
 * of several layers for differences. */
static const char small_wavenet[] =
    "wavenet: {first: 5, residual: 3, gates: 4, skip: 5, output: 6, blocks: 2, layers: 8}\n";

static const char small_svg[] = "svg: {past: 2, future: 3, features: 2, code: 5, hidden: 4, latent: 3}\n";
static const char small_multiscale[] = "multiscale: {past: 2, future: 3, width: 2}\n";

static const char small_sv2p[] = "sv2p: {past: 2, future: 4, features: 2, kernels: 2, window: 3, latent: 3}\n";

static const char small_movers[] = "network: {width: 2}\nmoving_objects: {features: 3, least: 0, most: 1, cell: 4}\n";

static const char *net_of(const char *name) {
    return strcmp(name, "denoising") == 0        ? "network: {width: 2}\ndenoising: {loss: squared}\n"
           : strcmp(name, "word2vec") == 0       ? "word2vec: {dim: 5, subsample: 0, shared: 9}\n"
           : strcmp(name, "wavenet") == 0        ? small_wavenet
           : strcmp(name, "svg") == 0            ? small_svg
           : strcmp(name, "multiscale") == 0     ? small_multiscale
           : strcmp(name, "sv2p") == 0           ? small_sv2p
           : strcmp(name, "temporal_order") == 0 ? "network: {width: 2}\ntemporal_order: {code: 5, hidden: 6}\n"
           : strcmp(name, "moving_objects") == 0 ? small_movers
           : strcmp(name, "bigan") == 0          ? "network: {layers: [flatten, {linear: 9}, tanh]}\n"
           : strcmp(name, "ride") == 0           ? "augment: {height: 10, width: 9}\n" /* states grow along the scan */
                                                 : small_net;
}

/* Every method has the core, and a table that is there can do what it is for. */
static void test_tables_are_whole(void **state) {
    (void)state;
    const char *choices = hiss_objective_choices;
    for (const hiss_objective_ops *const *o = hiss_objectives(); *o; o++) {
        assert_true(choices[0] == '|' && strncmp(choices + 1, (*o)->name, strlen((*o)->name)) == 0);
        choices += 1 + strlen((*o)->name);
        assert_true((*o)->name && (*o)->summary && (*o)->options_bytes > 0);
        assert_true((*o)->create && (*o)->destroy && (*o)->build && (*o)->encode);
        const hiss_exchange_ops *x = (*o)->exchange;
        assert_true(!x || (x->exports && x->exchanges && x->begin && x->arrive && x->ready));
        assert_true(!x || (x->progress && x->assist && x->finish));
        assert_true(!(*o)->epoch || (*o)->epoch->begin);
        assert_true(!(*o)->state || (*o)->state->list);
        assert_ptr_equal(hiss_objective_named((*o)->name), *o);
    }
    assert_string_equal(choices, "|supervised"); /* an alias */
    assert_ptr_equal(hiss_objective_named("supervised"), hiss_objective_named("classify"));
    assert_null(hiss_objective_named("nobody"));
}

/* What rows are checked for while they are read is what a method refuses when it is created: pixels other than 0..1. */
static void test_methods_that_need_unit_pixels_say_so(void **state) {
    static const char *const texts[] = {"augment: {mean: 0.5}\n",
                                        "augment: {mean: 0.5}\nautoencoder: {loss: bernoulli}\n"};
    (void)state;
    int needing = 0;
    for (const hiss_objective_ops *const *o = hiss_objectives(); *o; o++) {
        for (int k = 0; k < 1 + (strcmp((*o)->name, "autoencoder") == 0); k++) {
            act a = {0};
            hiss_error err = {0};
            stage_given given = {.seed = 9,
                                 .stored_H = 28,
                                 .stored_W = 28,
                                 .C = channels_of((*o)->name),
                                 .classes = 10,
                                 .kernels = hiss_kernels_ref()};
            stage_suit((*o)->name, &given);
            const bool refuses = stage_open(&a.s, (*o)->name, texts[k], given, NULL, &err) == HISS_EUSER &&
                                 strncmp(err.text, "augment.mean: ", 14) == 0;
            const bool says = (*o)->unit_pixels && (*o)->unit_pixels(a.s.options);
            if (refuses != says || refuses != (strstr(err.text, " needs pixels of 0..1") != NULL)) {
                fail_msg("%s %s that it needs pixels of 0..1: %s", (*o)->name, says ? "says" : "does not say",
                         err.text);
            }
            needing += says;
            stage_close(&a.s);
        }
    }
    assert_true(needing >= 9);
}

/* What advice to make a network smaller names are keys of the method; those whose layers are all their own have some. */
static void test_sizes_are_keys(void **state) {
    (void)state;
    for (const hiss_objective_ops *const *o = hiss_objectives(); *o; o++) {
        const char *rest = (*o)->sizes;
        assert_true(rest || !(*o)->own_layers);
        while (rest && *rest) {
            const hiss_section *c = &(*o)->sections[0];
            const size_t length = strcspn(rest, ","), before = strlen(c->name) + 1;
            bool known = false;
            assert_true(strncmp(rest, c->name, before - 1) == 0 && rest[before - 1] == '.');
            for (const hiss_row *row = c->rows; row < c->rows + *c->nrows; row++) {
                known = known ||
                        (strlen(row->key) == length - before && strncmp(rest + before, row->key, length - before) == 0);
            }
            assert_true(known);
            rest += length + strspn(rest + length, ", ");
        }
    }
}

/* Advice for want of memory names every key that says how wide a layer of the method is. */
static void test_widths_are_sizes(void **state) {
    (void)state;
    static const char *const widths[] = {"hidden", "code", "latent", "atoms", "dim", "units", "width"};
    for (const hiss_objective_ops *const *o = hiss_objectives(); *o; o++) {
        const hiss_section *c = &(*o)->sections[0];
        for (int k = 0; c->name && k < *c->nrows * HISS_COUNT(widths); k++) {
            char key[128];
            const char *word = c->rows[k / HISS_COUNT(widths)].key;
            snprintf(key, sizeof key, "%s.%s", c->name, word);
            if (c->rows[k / HISS_COUNT(widths)].type == HISS_INT && strcmp(word, widths[k % HISS_COUNT(widths)]) == 0 &&
                !((*o)->sizes && strstr((*o)->sizes, key))) {
                fail_msg("%s is not among the sizes of %s", key, (*o)->name);
            }
        }
    }
}

/* Status of encode() of a method on a network of so many named layers; taps->count -1: it has layers of its own. */
static hiss_status encode_layers(const char *name, int layers, hiss_taps *taps, hiss_error *err) {
    char text[HISS_MAX_TAPS * 16 + 128];
    int used = snprintf(text, sizeof text, "network: {layers: [flatten");
    for (int k = 0; k < layers; k++) {
        used += snprintf(text + used, sizeof text - (size_t)used, ", {linear: 2}");
    }
    snprintf(text + used, sizeof text - (size_t)used, "]}\n");
    act a = {0};
    stage_given given = {.seed = 9,
                         .samples = 8,
                         .stored_H = 8,
                         .stored_W = 8,
                         .C = 1,
                         .classes = 10,
                         .lanes = 1,
                         .m = 4,
                         .comm = &a.comm,
                         .kernels = hiss_kernels_ref()};
    stage_suit(name, &given);
    const hiss_status opened = stage_open(&a.s, name, text, given, NULL, err);
    if (opened != HISS_OK && strncmp(err->text, "network.layers: ", 16) == 0) {
        taps->count = -1;
        stage_close(&a.s);
        return opened;
    }
    if (opened != HISS_OK) {
        fail_msg("%s: %s", name, err->text);
    }
    rig r = rig_open();
    const hiss_value image = hiss_graph_input(r.graph, "image", HISS_SHAPE(4, 8, 8, 1));
    const hiss_status s = a.s.ops->encode(a.s.method, &r.b, image, taps, err);
    rig_close(&r);
    stage_close(&a.s);
    return s;
}

/* Whatever a method adds to the named layers of a network, it does not get past the bound: it fails, and says why. */
static void test_named_places_of_every_method_are_bounded(void **state) {
    (void)state;
    for (const hiss_objective_ops *const *o = hiss_objectives(); *o; o++) {
        int added = 0;
        for (int layers = 1; layers <= HISS_MAX_TAPS; layers += layers == 1 ? HISS_MAX_TAPS - 5 : 1) {
            hiss_taps taps;
            hiss_error err = {0};
            const hiss_status s = encode_layers((*o)->name, layers, &taps, &err);
            if (taps.count < 0) {
                break;
            }
            added = layers == 1 ? taps.count - 1 : added;
            assert_int_equal(s, layers + added <= HISS_MAX_TAPS ? HISS_OK : HISS_EUSER);
            assert_true(s == HISS_OK || strstr(err.text, "one named place of the network too many: 128 at most"));
            assert_int_equal(taps.count, s == HISS_OK ? layers + added : HISS_MAX_TAPS);
        }
    }
}

/* A method that is created without a placement encodes with the same parameters to the same bits. */
static void test_every_method_encodes_without_a_placement(void **state) {
    (void)state;
    for (const hiss_objective_ops *const *o = hiss_objectives(); *o; o++) {
        act a;
        stage alone;
        hiss_error err = {0};
        open_act(&a, (*o)->name, small_net, 2, 4, 16);
        const int64_t C = channels_of((*o)->name);
        stage_given given = {
            .seed = 9, .stored_H = 28, .stored_W = 28, .C = C, .classes = 10, .kernels = hiss_kernels_blas()};
        stage_suit((*o)->name, &given);
        assert_int_equal(stage_open(&alone, (*o)->name, small_net, given, NULL, &err), HISS_OK);
        hiss_builder b = {.graph = hiss_graph_create(), .model = a.r[0].model};
        hiss_taps taps = {0};
        const hiss_value image = hiss_graph_input(b.graph, "image", HISS_SHAPE(3, alone.task.H, alone.task.W, C));
        assert_int_equal(alone.ops->encode(alone.method, &b, image, &taps, &err), HISS_OK);
        assert_int_equal(taps.count, a.taps.count);
        const hiss_value last = hiss_taps_last(&taps);
        hiss_graph_keep(b.graph, last);
        hiss_exec *exec = hiss_exec_create(b.graph, given.kernels, hiss_model_offsets(a.r[0].model));
        const int64_t pixels = 3 * alone.task.H * alone.task.W * C;
        fill_normals(77, 0, pixels, hiss_exec_data(exec, image));
        memcpy(hiss_exec_data(a.encode, a.image), hiss_exec_data(exec, image), sizeof(float) * (size_t)pixels);
        const hiss_exec_context run = {.model = a.r[0].vector, .lanes = 1};
        fill_words(b.graph, exec);
        fill_words(a.encoder, a.encode);
        hiss_exec_forward(exec, &run, 0, hiss_graph_nodes(b.graph), NULL, NULL);
        hiss_exec_forward(a.encode, &run, 0, hiss_graph_nodes(a.encoder), NULL, NULL);
        const hiss_shape shape = hiss_graph_shape(b.graph, last);
        assert_memory_equal(hiss_exec_data(exec, last), hiss_exec_data(a.encode, hiss_taps_last(&a.taps)),
                            sizeof(float) * (size_t)hiss_shape_count(&shape));
        hiss_exec_destroy(exec);
        hiss_graph_destroy(b.graph);
        stage_close(&alone);
        close_act(&a);
    }
}

/* Exchange as the loop does: all lanes to the cut, their exported values, until all may go on. */
static void exchange(act *a, int phase) {
    const hiss_objective_ops *ops = a->s.ops;
    rig *r = &a->r[phase];
    if (!ops->exchange || !ops->exchange->exchanges(a->s.method, phase, a->s.epoch, a->s.step)) {
        return;
    }
    hiss_value value[HISS_MAX_EXPORTS];
    hiss_exec *exec = r->exec;
    const int n = ops->exchange->exports(a->s.method, phase, value);
    const int64_t lanes = a->s.placement.lanes;
    int64_t order[16] = {0};
    const hiss_exchange x = {.epoch = a->s.epoch, .step = a->s.step, .batches = a->s.batches, .order = order};
    for (int64_t l = 0; l < lanes; l++) {
        order[l] = l;
    }
    hiss_error err = {0};
    if (ops->exchange->begin(a->s.method, phase, &x, &err) != HISS_OK) {
        fail_msg("%s: %s", ops->name, err.text);
    }
    for (int64_t k = 0; k < lanes; k++) {
        const hiss_lane lane = stage_lane(&a->s, order[k], r->graph, exec);
        const float *exported[HISS_MAX_EXPORTS] = {NULL};
        hiss_exec_context run = r->run;
        run.lane = order[k];
        stage_sample(&a->s, &lane);
        hiss_exec_forward(exec, &run, 0, hiss_graph_cut_at(r->graph), NULL, NULL);
        for (int e = 0; e < n; e++) {
            exported[e] = hiss_exec_data(exec, value[e]);
        }
        ops->exchange->arrive(a->s.method, 0, order[k], exported);
    }
    while (ops->exchange->progress(a->s.method)) {
        ops->exchange->assist(a->s.method, 0);
    }
    for (int64_t l = 0; l < lanes; l++) {
        assert_true(ops->exchange->ready(a->s.method, l));
    }
    if (ops->exchange->finish(a->s.method, &err) != HISS_OK) {
        fail_msg("%s: %s", ops->name, err.text);
    }
}

static void check_description(const act *a) {
    char line[512] = "";
    if (a->s.ops->report && a->s.ops->report->describe) {
        a->s.ops->report->describe(a->s.method, line, sizeof line);
        assert_true(strncmp(line, a->s.ops->name, strlen(a->s.ops->name)) == 0);
        assert_true(strlen(line) < sizeof line - 1 && !strchr(line, '\n'));
    }
    assert_true(a->s.ops->summary && *a->s.ops->summary && !strchr(a->s.ops->summary, '\n'));
}

/* Features of 3 images, finite, the same twice; names of taps are unique. */
static void check_encoder(act *a) {
    const hiss_exec_context run = {.model = a->r[0].vector, .lanes = 1};
    assert_true(a->taps.count >= 1);
    for (int k = 0; k < a->taps.count; k++) {
        assert_int_equal(hiss_graph_shape(a->encoder, a->taps.tap[k].value).dim[0], 3);
        for (int j = 0; j < k; j++) {
            assert_string_not_equal(a->taps.tap[j].name, a->taps.tap[k].name);
        }
    }
    double sum[2] = {0.0, 0.0};
    for (int pass = 0; pass < 2; pass++) {
        const int64_t C = a->s.task.C, values = 784 * C, seen = a->s.task.H * a->s.task.W * C;
        fill_words(a->encoder, a->encode);
        for (int i = 0; i < 3 && !a->s.task.vocabulary && !a->s.task.sound; i++) {
            hiss_augment_center(&a->s.augment, &(hiss_stored_image){28, 28, C, a->s.pixels + values * i, NULL, 255},
                                hiss_exec_data(a->encode, a->image) + seen * i);
        }
        hiss_exec_forward(a->encode, &run, 0, hiss_graph_nodes(a->encoder), NULL, NULL);
        for (int k = 0; k < a->taps.count; k++) {
            const hiss_shape shape = hiss_graph_shape(a->encoder, a->taps.tap[k].value);
            double squares = 0.0;
            for (int64_t i = 0; i < hiss_shape_count(&shape); i++) {
                const double v = (double)hiss_exec_data(a->encode, a->taps.tap[k].value)[i];
                squares += v * v;
                sum[pass] += v * (double)(k + 1);
            }
            assert_true(isfinite(squares) && squares > 0.0);
        }
    }
    assert_true(sum[0] == sum[1]);
}

/* The default hook: augmented views and the samples' labels. */
static void check_inputs(act *a, rig *r) {
    rig_fill(r);
    const hiss_value image = hiss_graph_input_named(r->graph, "image"),
                     label = hiss_graph_input_named(r->graph, "label");
    const hiss_input_ops *input = a->s.ops->input;
    const bool usual = !input || !input->sample;
    if (usual && image >= 0) {
        float view[784];
        for (int64_t i = 0; i < a->s.placement.m; i++) {
            const int64_t sample = a->s.batches[0].sample[i];
            hiss_rng rng = hiss_rng_keyed(a->s.task.seed, HISS_FOR_AUGMENTATION, a->s.epoch, sample);
            hiss_augment_sample(&a->s.augment, &(hiss_stored_image){28, 28, 1, a->s.pixels + 784 * sample, NULL, 255},
                                &rng, view);
            assert_memory_equal(view, hiss_exec_data(r->exec, image) + 784 * i, sizeof view);
        }
    }
    for (int64_t i = 0; usual && label >= 0 && i < a->s.placement.m; i++) {
        assert_int_equal(((int32_t *)hiss_exec_data(r->exec, label))[i], a->s.batches[0].sample[i] % 10);
    }
    assert_true(!hiss_objective_needs_labels(a->s.ops, a->s.options) || label >= 0);
}

static void test_every_method(void **state) {
    (void)state;
    int methods = 0;
    for (const hiss_objective_ops *const *o = hiss_objectives(); *o; o++, methods++) {
        assert_ptr_equal(hiss_objective_named((*o)->name), *o);
        act a;
        open_act(&a, (*o)->name, net_of((*o)->name), 2, 6, 61);
        check_description(&a);
        check_encoder(&a);
        for (int p = 0; p < a.phases; p++) {
            exchange(&a, p);
            const double loss = rig_step(&a.r[p]);
            if (!isfinite(loss) || loss == 0.0) { /* a difference of energies has either sign */
                fail_msg("%s: loss %g", (*o)->name, loss);
            }
            assert_true(a.phases > 1 || *rig_of(&a.r[p], a.r[p].lane, "loss") == (float)loss);
            rig_check_gradients(&a.r[p], (*o)->name, 4e-3, 0.03, fmax(1e-3, 2e-5 * fabs(loss))); /* as floats resolve */
            check_inputs(&a, &a.r[p]);
            hiss_alloc_seal(true); /* hooks of a lane do not allocate */
            rig_fill(&a.r[p]);
            hiss_alloc_seal(false);
        }
        if ((*o)->state && (*o)->state->verify) {
            hiss_error err = {0};
            assert_int_equal((*o)->state->verify(a.s.method, &err), HISS_OK);
        }
        if ((*o)->report && (*o)->report->derive) {
            hiss_named out[HISS_MAX_DERIVED];
            const hiss_named loss = {"loss", 0.5};
            const int n = (*o)->report->derive(a.s.method, &loss, 1, out);
            for (int k = 0; k < n; k++) {
                assert_true(isfinite(out[k].value) && *out[k].name);
            }
        }
        close_act(&a);
    }
    assert_true(methods >= 3);
    assert_null(hiss_objective_named("nothing"));
}

/* Steps of Adam on one batch of 64 blobs; returns the last loss. */
static double train(act *a, int steps) {
    const hiss_optim_options adam = {.method = HISS_ADAM, .lr = 2e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
    rig *r = &a->r[0];
    float *state[2];
    for (int k = 0; k < 2; k++) {
        state[k] = hiss_new(float, hiss_model_floats(r->model));
    }
    for (int step = 1; step <= steps; step++) {
        rig_step(r);
        for (int s = 0; s < hiss_model_count(r->model); s++) {
            const hiss_slot *slot = hiss_model_at(r->model, s);
            if (hiss_graph_trains(r->graph, s)) {
                float *part[2] = {state[0] + slot->offset, state[1] + slot->offset};
                const hiss_optim_step now = {
                    .rate = adam.lr, .update = step, .decay = slot->decay, .gradient_scale = 1.0f};
                hiss_optim_update(&adam, &now, slot->count, r->lane + slot->offset, r->vector + slot->offset, part);
            }
        }
    }
    hiss_free(state[0]);
    hiss_free(state[1]);
    return rig_step(r);
}

static void test_methods_learn(void **state) {
    (void)state;
    static const char *const names[] = {"autoencoder", "denoising", "supervised", "nat", "vae"};
    for (int k = 0; k < HISS_COUNT(names); k++) {
        act a;
        open_act(&a, names[k], net_of(names[k]), 1, 64, 64);
        const double before = rig_step(&a.r[0]), after = train(&a, 50);
        if (!(after < 0.5 * before)) {
            fail_msg("%s: loss %g before, %g after 50 steps", names[k], before, after);
        }
        close_act(&a);
    }
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_method),
                                       cmocka_unit_test(test_methods_learn),
                                       cmocka_unit_test(test_every_method_encodes_without_a_placement),
                                       cmocka_unit_test(test_tables_are_whole),
                                       cmocka_unit_test(test_sizes_are_keys),
                                       cmocka_unit_test(test_widths_are_sizes),
                                       cmocka_unit_test(test_methods_that_need_unit_pixels_say_so),
                                       cmocka_unit_test(test_named_places_of_every_method_are_bounded)};
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
