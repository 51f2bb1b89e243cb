/* Every registered method: its graphs build in training and for evaluation from the same slots, its loss is finite, its
 * gradients pass the check against differences, it describes itself in one line. And the first three learn. */
#include "../graph_support.h"

#include "../serial_comm.h"
#include "../stage.h"
#include "graph/graph_impl.h"
#include "hiss/optim.h"

enum { PHASES = 8 };

typedef struct act { /* a method on stage with all its phases */
    hiss_comm comm;
    stage s;
    rig r[PHASES];
    int phases;
    hiss_value image;
    hiss_taps taps;
    hiss_graph *encoder;
    hiss_exec *encode;
} act;

static const char small_net[] = "network: {width: 2}\n"; /* pixels of 0..1, which not every method can do without */

/* The same, and a loss that may fall to nothing. */
static const char *net_of(const char *name) {
    return strcmp(name, "denoising") == 0 ? "network: {width: 2}\ndenoising: {loss: squared}\n" : small_net;
}

/* Channels of the images of a method: some need colours. */
static int64_t channels_of(const char *name) {
    return strcmp(name, "colorization") == 0 || strcmp(name, "split_brain") == 0 ? 3 : 1;
}

/* What the training loop puts into a lane's inputs. Lane 0. */
static void fill_lane(rig *r) {
    stage *s = r->user;
    const hiss_lane lane = stage_lane(s, 0, r->graph, r->exec);
    stage_sample(s, &lane);
    stage_supply(s, &lane);
}

static void build_encoder(act *a, int64_t N) {
    hiss_builder b = {.graph = a->encoder = hiss_graph_create(), .model = a->r[0].model};
    hiss_error err = {0};
    const hiss_task *t = &a->s.task;
    a->image = hiss_graph_input(b.graph, "image", HISS_SHAPE(N, t->H, t->W, t->C));
    if (a->s.ops->encode(a->s.method, &b, a->image, &a->taps, &err) != HISS_OK) {
        fail_msg("%s: %s", a->s.ops->name, err.text);
    }
    for (int k = 0; k < a->taps.count; k++) {
        hiss_graph_keep(b.graph, a->taps.tap[k].value);
    }
}

/* What a graph uses both as a parameter that it trains and as a constant gets a slot of its own as a constant, of the
 * same values: differences then see what backward does. Bidirectional networks use the discriminator so. */
static const char constant_name[] = "constant:";

static void part_constants(rig *r) {
    for (int i = 0; i < r->graph->count; i++) {
        node *n = &r->graph->nodes[i];
        if (n->op->home == HOME_MODEL && !n->wants_gradient && hiss_graph_trains(r->graph, n->slot)) {
            char name[128];
            snprintf(name, sizeof name, "%s%s", constant_name, hiss_model_at(r->model, n->slot)->name);
            n->slot =
                hiss_model_slot(r->model, &(hiss_slot){.name = name, .kind = HISS_SLOT_BUFFER, .shape = n->shape});
            assert_true(n->slot >= 0);
        }
    }
}

static void fill_constants(rig *r) {
    for (int s = 0; s < hiss_model_count(r->model); s++) {
        const hiss_slot *slot = hiss_model_at(r->model, s);
        if (strncmp(slot->name, constant_name, sizeof constant_name - 1) == 0) {
            memcpy(r->vector + slot->offset, rig_of(r, r->vector, slot->name + sizeof constant_name - 1),
                   sizeof(float) * (size_t)slot->count);
        }
    }
}

static void open_act(act *a, const char *name, const char *text, int64_t lanes, int64_t m, int64_t samples) {
    memset(a, 0, sizeof *a);
    hiss_error err = {0};
    const stage_given given = {.seed = 9,
                               .samples = samples,
                               .stored_H = 28,
                               .stored_W = 28,
                               .C = channels_of(name),
                               .classes = 10,
                               .labelled = 1,
                               .lanes = lanes,
                               .m = m,
                               .comm = &a->comm,
                               .kernels = hiss_kernels_blas()};
    if (stage_open(&a->s, name, text, given, NULL, &err) != HISS_OK) {
        fail_msg("%s: %s", name, err.text);
    }
    stage_batches(&a->s, 0, 0);
    const hiss_objective_ops *ops = a->s.ops;
    a->phases = ops->phase && ops->phase->count ? ops->phase->count(a->s.method) : ops->phases ? ops->phases : 1;
    assert_true(a->phases <= PHASES);
    for (int p = 0; p < a->phases; p++) {
        a->r[p] = rig_open();
        if (p > 0) { /* one model for all */
            hiss_model_destroy(a->r[p].model);
            a->r[p].model = a->r[p].b.model = a->r[0].model;
        }
        a->r[p].b.trained_groups = ops->phase && ops->phase->trains ? ops->phase->trains(a->s.method, p) : ~0u;
        if (ops->build(a->s.method, p, &a->r[p].b, &err) != HISS_OK ||
            hiss_graph_status(a->r[p].graph, &err) != HISS_OK) {
            fail_msg("%s: %s", name, err.text);
        }
        part_constants(&a->r[p]);
        a->r[p].loss = a->r[p].graph->loss;
        a->r[p].fill = fill_lane;
        a->r[p].user = &a->s;
        a->r[p].run = (hiss_exec_context){.seed = given.seed, .step = 0, .lane = 0, .lanes = lanes};
        assert_true(a->r[p].loss >= 0);
    }
    const int slots = hiss_model_count(a->r[0].model);
    build_encoder(a, 3);
    assert_int_equal(hiss_model_count(a->r[0].model), slots); /* evaluation needs nothing that training lacks */
    rig_ready(&a->r[0], given.kernels);
    fill_constants(&a->r[0]);
    for (int p = 1; p < a->phases; p++) {
        a->r[p].vector = a->r[0].vector;
        a->r[p].lane = a->r[0].lane;
        a->r[p].run = a->r[0].run;
        a->r[p].exec = hiss_exec_create(a->r[p].graph, given.kernels, hiss_model_offsets(a->r[0].model));
    }
    a->encode = hiss_exec_create(a->encoder, given.kernels, hiss_model_offsets(a->r[0].model));
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
    assert_string_equal(choices, "");
    assert_null(hiss_objective_named("nobody"));
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
    const stage_given given = {.seed = 9,
                               .samples = 8,
                               .stored_H = 8,
                               .stored_W = 8,
                               .C = 1,
                               .classes = 10,
                               .lanes = 1,
                               .m = 4,
                               .comm = &a.comm,
                               .kernels = hiss_kernels_ref()};
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

static void close_act(act *a) {
    hiss_exec_destroy(a->encode);
    hiss_graph_destroy(a->encoder);
    for (int p = 1; p < a->phases; p++) {
        hiss_exec_destroy(a->r[p].exec);
        hiss_graph_destroy(a->r[p].graph);
    }
    rig_close(&a->r[0]);
    stage_close(&a->s);
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
        const stage_given given = {
            .seed = 9, .stored_H = 28, .stored_W = 28, .C = C, .classes = 10, .kernels = hiss_kernels_blas()};
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
        const int64_t C = a->s.task.C, values = 784 * C;
        for (int i = 0; i < 3; i++) {
            hiss_augment_center(&a->s.augment, &(hiss_stored_image){28, 28, C, a->s.pixels + values * i, NULL, 255},
                                hiss_exec_data(a->encode, a->image) + values * i);
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
    assert_true(!input || !input->labels || label >= 0);
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

/* Settings that make another graph of a method. */
static void test_variants(void **state) {
    (void)state;
    static const struct {
        const char *name, *text;
    } variants[] = {{"vae", "network: {width: 2}\nvae: {decoder: convolutional, hidden: 5, latent: 3}\n"},
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
                                           "context_prediction: {patch: 8, gap: 0, second_only: true}\n"},
                    {"jigsaw", "network: {width: 2}\njigsaw: {canvas: 0, tile: 8, cell: 9, permutations: 5, code: 4, "
                               "hidden: 6}\n"},
                    {"stacked", "stacked: {units: 5, layers: 1}\ncorruption: {kind: gaussian}\n"},
                    {"stacked", "stacked: {units: 5, layers: 2}\ncorruption: {kind: salt_and_pepper}\n"},
                    {"stacked", "stacked: {units: 5, layers: 4, pretrain: false}\n"},
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
                        "objective: supervised needs labels of at least 2 classes, found 0; set data.labels, or choose "
                        "another objective");
    stage_close(&s);
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_method),
                                       cmocka_unit_test(test_variants),
                                       cmocka_unit_test(test_methods_learn),
                                       cmocka_unit_test(test_autoencoder_scale),
                                       cmocka_unit_test(test_odd_networks),
                                       cmocka_unit_test(test_noise_is_fresh),
                                       cmocka_unit_test(test_exemplars_are_of_their_seeds),
                                       cmocka_unit_test(test_every_method_encodes_without_a_placement),
                                       cmocka_unit_test(test_tables_are_whole),
                                       cmocka_unit_test(test_named_places_of_every_method_are_bounded)};
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
