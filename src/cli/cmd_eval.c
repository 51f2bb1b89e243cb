/* hiss eval */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "hiss/clock.h"
#include "hiss/file.h"
#include "hiss/log.h"

typedef struct options {
    const char *checkpoint;
    int log;
    bool help;
} options;

static const hiss_row rows[] = {
    {"set*", HISS_STRING, 0, NULL, 0, 0, NULL,
     "change a key of the run's config: --set eval.layers=conv3 (repeatable)"},
    {"checkpoint", HISS_PATH, offsetof(options, checkpoint), NULL, 0, 0, NULL,
     "checkpoint to judge (default: the newest of the run)"},
    {"log", HISS_CHOICE, offsetof(options, log), "info", 0, 0, HISS_LOG_CHOICES, "how much to say"},
    {"help", HISS_BOOL, offsetof(options, help), "false", 0, 0, NULL, "this text"},
};

typedef struct judging {
    hiss_eval_env env;
    const hiss_eval_options *options;
    const char *run;
    char *checkpoint; /* [CLI_PATH] */
    bool given;       /* the checkpoint, by --checkpoint */
    bool features;    /* anything judges them */
    bool random;      /* the random network is judged */
    bool scores;      /* the output are scores of classes, */
    bool others;      /* which are not those of the labels at hand */
    bool targets;     /* they are of targets */
    hiss_sample_range train, test;
    char samples[HISS_EVAL_SAMPLES];
    hiss_evaluation *evaluation;
    int sets, judged;  /* feature sets */
    double work, done; /* of all sets and of those judged; see work_of */
    double start;
} judging;

/* What a feature set costs, about, in units of its features. */
static double work_of(const hiss_layer_size *layer) {
    return 100.0 + (double)layer->D;
}

static void tell_progress(judging *g, const hiss_layer_size *layer) {
    g->judged++;
    g->done += work_of(layer);
    const double spent = hiss_seconds() - g->start;
    if (g->judged < g->sets) {
        hiss_info("%d of %d feature sets judged in %.0f s, about %.0f s left", g->judged, g->sets, spent,
                  spent * (g->work / g->done - 1.0));
    }
}

/* Whether anything judges features, which take a pass over all training samples. */
static bool wants_features(const judging *g) {
    const bool targets = hiss_dataset_field(g->train.set, HISS_FIELD_TARGETS) != NULL;
    return hiss_judgements_want(g->options, HISS_NEEDS_LAYER | HISS_NEEDS_OUTPUT,
                                (g->scores ? 0 : HISS_NEEDS_SCORES) | (targets ? 0 : HISS_NEEDS_TARGETS));
}

/* Extract the layers of one network from both ranges and judge them one by one. Collective.
 *   output  this is the trained network, which user is then, and the last layer its output */
static hiss_status judge(judging *g, const char *who, bool output, int layers, const hiss_layer_size *layer,
                         hiss_embed embed, void *user, hiss_error *err) {
    hiss_features *train[HISS_MAX_TAPS] = {NULL}, *test[HISS_MAX_TAPS] = {NULL};
    hiss_status s =
        hiss_features_extract(&g->env, &g->train, layers, layer, HISS_FROZEN_BATCH, embed, user, train, err);
    s = s == HISS_OK
            ? hiss_features_extract(&g->env, &g->test, layers, layer, HISS_FROZEN_BATCH, embed, user, test, err)
            : s;
    for (int k = 0; k < layers; k++) {
        if (s == HISS_OK && g->options->permuted) {
            hiss_features_permute(&g->env, train[k]);
        }
        if (s == HISS_OK) {
            char name[96];
            snprintf(name, sizeof name, "%s/%s", who, layer[k].name);
            const hiss_subject subject = {.name = name,
                                          .train = train[k],
                                          .test = test[k],
                                          .units = output ? cli_units(user, layer[k].name) : 0,
                                          .output = output && k == layers - 1,
                                          .scores = output && g->scores && strcmp(layer[k].name, "scores") == 0,
                                          .others = g->others,
                                          .bank = &g->train,
                                          .queries = &g->test,
                                          .directory = g->run};
            s = hiss_evaluation_judge(g->evaluation, &g->env, g->options, &subject, err);
            tell_progress(g, &layer[k]);
        }
        hiss_features_destroy(train[k]);
        hiss_features_destroy(test[k]);
    }
    return s;
}

static hiss_layer_size pixels_of(const judging *g) {
    return (hiss_layer_size){"pixels", hiss_field_count(hiss_dataset_field(g->train.set, HISS_FIELD_IMAGE))};
}

static void plan(judging *g, int layers, const hiss_layer_size *layer) {
    const int networks = g->random ? 2 : 1;
    const hiss_layer_size pixels = pixels_of(g);
    g->sets = networks * layers + g->options->pixels;
    g->work = g->options->pixels ? work_of(&pixels) : 0.0;
    for (int k = 0; k < layers; k++) {
        g->work += networks * work_of(&layer[k]);
    }
    g->start = hiss_seconds();
}

static hiss_status judge_pixels(judging *g, hiss_error *err) {
    hiss_field image = *hiss_dataset_field(g->train.set, HISS_FIELD_IMAGE);
    const hiss_layer_size pixels = pixels_of(g);
    return judge(g, "raw", false, 1, &pixels, hiss_embed_pixels, &image, err);
}

/* What judges the trained network as a whole; NULL: not wanted, or the method has none. */
typedef struct judges {
    reconstructor *reconstructor;
    estimator *estimator;
    measurer *measurer;
    maker *maker;
    classifier *classifier;
    forecaster *forecaster, *actor;
} judges;

static hiss_status load_judges(judging *g, const hiss_experiment *e, const hiss_frozen *m, judges *j, hiss_error *err) {
    const hiss_eval_options *o = g->options;
    const hiss_objective_ops *by = e->objective;
    hiss_comm *comm = g->env.comm;
    hiss_status s = cli_load_reconstructor(comm, by, m, g->checkpoint, g->given, &j->reconstructor, err);
    if (s == HISS_OK && o->likelihood) {
        s = cli_load_estimator(comm, by, m, g->checkpoint, g->given, o->latent_draws, &j->estimator, err);
    }
    if (s == HISS_OK && o->measures) {
        s = cli_load_measurer(comm, by, m, g->checkpoint, g->given, &j->measurer, err);
    }
    if (s == HISS_OK && (o->futures || o->spread)) {
        s = cli_load_forecaster(comm, by, m, g->checkpoint, g->given, o->future_draws, o->future_frames, false,
                                &j->forecaster, err);
    }
    if (s == HISS_OK && (o->actions || o->planning)) {
        s = cli_load_forecaster(comm, by, m, g->checkpoint, g->given, 0, o->future_frames, true, &j->actor, err);
    }
    if (s == HISS_OK && o->generation) {
        s = cli_load_maker(comm, by, m, g->checkpoint, g->given, &j->maker, err);
    }
    if (s == HISS_OK && o->classifier && !j->maker) {
        char where[HISS_WHERE];
        hiss_warn("%s: has no effect, since %s", hiss_config_where(e->config, "eval.classifier", where),
                  o->generation ? "the method makes no images" : "eval.generation is false");
    }
    if (s == HISS_OK && j->maker && o->classifier) {
        s = cli_load_classifier(comm, o->classifier, g->train.set, maker_of(j->maker), &j->classifier, err);
    }
    return s;
}

static void destroy_judges(judges *j) {
    reconstructor_destroy(j->reconstructor);
    estimator_destroy(j->estimator);
    measurer_destroy(j->measurer);
    maker_destroy(j->maker);
    classifier_destroy(j->classifier);
    forecaster_destroy(j->forecaster);
    forecaster_destroy(j->actor);
}

/* Of m, which has learnt targets. */
static hiss_window_scorer scorer_of(hiss_frozen *m) {
    const hiss_encoder *e = hiss_frozen_encoder(m);
    return (hiss_window_scorer){.score = hiss_frozen_score,
                                .user = m,
                                .batch = HISS_FROZEN_BATCH,
                                .classes = hiss_encoder_width(e, hiss_encoder_taps(e)->count - 1)};
}

/* The trained network as a whole. */
static hiss_status judge_network(judging *g, hiss_frozen *m, const judges *j, hiss_error *err) {
    const hiss_window_scorer scorer = scorer_of(m);
    const hiss_subject subject = {.name = "trained",
                                  .bank = &g->train,
                                  .queries = &g->test,
                                  .model = hiss_frozen_model(m),
                                  .vector = hiss_frozen_vector(m),
                                  .rebuilder = reconstructor_rebuilder(j->reconstructor),
                                  .estimator = estimator_of(j->estimator),
                                  .measurer = measurer_of(j->measurer),
                                  .maker = maker_of(j->maker),
                                  .classifier = classifier_of(j->classifier),
                                  .forecaster = forecaster_of(j->forecaster),
                                  .actor = forecaster_of(j->actor),
                                  .scorer = g->targets ? &scorer : NULL,
                                  .directory = g->run};
    return hiss_evaluation_judge(g->evaluation, &g->env, g->options, &subject, err);
}

/* The random network takes the trained one's place meanwhile. The checkpoint may be gone by then, where training goes on. */
static hiss_status judge_random(judging *g, hiss_frozen *m, int layers, const hiss_layer_size *layer, hiss_error *err) {
    const size_t bytes = sizeof(float) * (size_t)hiss_model_floats(hiss_frozen_model(m));
    float *trained = hiss_alloc(bytes);
    memcpy(trained, hiss_frozen_vector(m), bytes);
    hiss_status s = hiss_frozen_randomize(m, &g->train, err);
    s = s == HISS_OK && g->features ? judge(g, "random", false, layers, layer, hiss_frozen_embed, m, err) : s;
    if (s == HISS_OK && g->targets && g->options->detection) {
        const hiss_window_scorer scorer = scorer_of(m);
        const hiss_subject subject = {.name = "random", .queries = &g->test, .scorer = &scorer};
        s = hiss_evaluation_judge(g->evaluation, &g->env, g->options, &subject, err);
    }
    const hiss_status back = hiss_frozen_take(m, hiss_frozen_model(m), trained, NULL);
    assert(back == HISS_OK && "the values are of this model");
    (void)back;
    hiss_free(trained);
    return s;
}

/* A run that was stopped in one of several stages is judged as it is, which the evaluation says. */
static void tell_stage(judging *g, const hiss_experiment *e, const hiss_frozen *m) {
    char line[256];
    if (cli_untrained_stages(e, m, g->checkpoint, line, sizeof line)) {
        const size_t used = strlen(g->samples);
        hiss_warn("%s", line);
        snprintf(g->samples + used, sizeof g->samples - used, "%s\n", line);
    }
}

static hiss_status expect_sheets(judging *g, int layers, const hiss_layer_size *layer, hiss_error *err) {
    hiss_status s = HISS_OK;
    for (int k = 0; k < layers && s == HISS_OK && g->options->units; k++) {
        char file[HISS_UNITS_FILE];
        hiss_units_file(layer[k].name, file);
        s = cli_expect_writable(g->env.comm, g->run, (const char *[]){file}, 1, err);
    }
    return s;
}

/* Where training goes on, the newest checkpoint may have made room for a newer one since it was found. */
static hiss_status load_newest(judging *g, hiss_frozen *m, hiss_error *err) {
    enum { TIMES = 5 };
    hiss_comm *comm = g->env.comm;
    hiss_status s = cli_load_checkpoint(comm, m, g->checkpoint, g->given, err);
    for (int k = 1; k < TIMES && s != HISS_OK && !g->given; k++) {
        char newest[CLI_PATH] = "";
        if (hiss_comm_rank(comm) == 0 && !hiss_file_exists(g->checkpoint)) {
            hiss_checkpoint_newest(g->run, false, newest, sizeof newest, NULL);
        }
        hiss_comm_broadcast(comm, newest, sizeof newest, 0);
        if (!*newest) {
            break;
        }
        hiss_info("%s is gone; judging %s", g->checkpoint, newest);
        memcpy(g->checkpoint, newest, sizeof newest);
        s = cli_load_checkpoint(comm, m, g->checkpoint, false, err);
    }
    return s;
}

/* The checkpoint is read before anything is judged, so that one that does not fit is told at once. */
static hiss_status judge_all(judging *g, hiss_experiment *e, hiss_error *err) {
    hiss_frozen *m = NULL;
    judges j = {0};
    hiss_layer_size layer[HISS_MAX_TAPS];
    int layers = 0;
    hiss_status s = hiss_frozen_create(e, g->train.set, &m, err);
    if (s == HISS_OK) {
        s = cli_choose_layers(m, "--set eval.layers=NAME,...", g->options->layers, &layers, layer, err);
        hiss_error_under_key(err, s, "eval.layers");
    }
    s = s == HISS_OK ? expect_sheets(g, layers, layer, err) : s;
    if (s == HISS_OK) {
        s = hiss_config_blame(e->config, hiss_frozen_crop(m, g->options->crops, err), err);
    }
    s = s == HISS_OK ? load_newest(g, m, err) : s;
    s = s == HISS_OK ? load_judges(g, e, m, &j, err) : s;
    if (s == HISS_OK) {
        tell_stage(g, e, m);
        g->evaluation = hiss_evaluation_create(g->samples);
        hiss_evaluation_name_classes(g->evaluation, g->train.set);
        plan(g, layers, layer);
    }
    s = s == HISS_OK && g->features && g->options->pixels ? judge_pixels(g, err) : s;
    s = s == HISS_OK && g->random ? judge_random(g, m, layers, layer, err) : s;
    s = s == HISS_OK && g->features ? judge(g, "trained", true, layers, layer, hiss_frozen_embed, m, err) : s;
    s = s == HISS_OK ? judge_network(g, m, &j, err) : s;
    destroy_judges(&j);
    hiss_frozen_destroy(m);
    return s;
}

/* Whether the random network is judged; where it cannot be, the evaluation says why. */
static bool wants_random(judging *g) {
    if (!g->options->random || g->train.count >= HISS_FROZEN_BATCH) {
        return g->options->random;
    }
    const size_t used = strlen(g->samples);
    snprintf(g->samples + used, sizeof g->samples - used,
             "left out: the random network (eval.random): it needs at least %d training samples, found %lld\n",
             HISS_FROZEN_BATCH, (long long)g->train.count);
    return false;
}

/* What the run has learnt of classes are those that its scores are judged by. */
static hiss_status expect_classes(judging *g, const hiss_experiment *e, hiss_error *err) {
    g->targets = hiss_objective_learns_targets(e->objective, e->objective_options);
    g->others = g->scores && !hiss_checkpoint_learnt(g->checkpoint, g->train.set);
    const hiss_status s = g->targets && (g->options->classification || g->options->detection)
                              ? hiss_checkpoint_expect_targets(g->checkpoint, g->train.set, err)
                              : HISS_OK;
    return hiss_error_under_key(err, s, g->options->train ? "eval.train" : "data.file");
}

/* The tables on stdout and in RUN/eval.txt, RUN/eval.json, RUN/report.html. */
static hiss_status report(const judging *g, double seconds, hiss_error *err) {
    char path[CLI_PATH], *text = NULL;
    size_t size = 0;
    FILE *table = hiss_text_open(&text, &size);
    hiss_evaluation_print(table, g->evaluation);
    fclose(table);
    printf("%sevaluated in %.0f s\n", text, seconds);
    snprintf(path, sizeof path, "%s/eval.txt", g->run);
    hiss_status s = hiss_file_write_text(path, text, err);
    free(text);
    snprintf(path, sizeof path, "%s/eval.json", g->run);
    s = s == HISS_OK ? hiss_evaluation_write(path, g->evaluation, err) : s;
    return s == HISS_OK ? cli_write_report(g->run, err) : s;
}

/* The pictures of the method itself. */
static hiss_status expect_pictures(hiss_comm *comm, const char *run, const hiss_measure_ops *measure, hiss_error *err) {
    int count = 0;
    while (measure && measure->pictures && measure->pictures[count]) {
        count++;
    }
    return count ? cli_expect_writable(comm, run, measure->pictures, count, err) : HISS_OK;
}

static hiss_status evaluate(hiss_comm *comm, const void *options_, const char *run, const hiss_arguments *rest,
                            hiss_error *err) {
    static const char *const outputs[] = {"eval.txt",          "eval.json",          "filters.png",
                                          "neighbors.png",     "reconstruction.png", "denoising.png",
                                          "interpolation.png", "generated.png",      "generated_neighbors.png",
                                          "detections.png",    "report.html"};
    const options *o = options_;
    char checkpoint[CLI_PATH];
    hiss_experiment e = {0};
    hiss_eval_options eval = {0};
    cli_enter_kernels(comm);
    cli_warn_alone(comm);
    hiss_alloc_for("features and what judges them", "name fewer eval.layers, or start more ranks");
    const double start = hiss_seconds();
    hiss_status s = cli_open_run(comm, run, rest->repeated, rest->nrepeated, o->checkpoint, &e, &eval, checkpoint, err);
    judging *g = hiss_new(judging, 1);
    s = s == HISS_OK ? hiss_config_blame(e.config, hiss_judgements_expect(&eval, err), err) : s;
    s = s == HISS_OK ? cli_expect_writable(comm, run, outputs, HISS_COUNT(outputs), err) : s;
    s = s == HISS_OK ? expect_pictures(comm, run, e.objective->measure, err) : s;
    if (s == HISS_OK) {
        *g = (judging){.env = {.comm = comm, .kernels = &e.kernels, .seed = (uint64_t)e.seed},
                       .options = &eval,
                       .run = run,
                       .checkpoint = checkpoint,
                       .given = o->checkpoint != NULL,
                       .scores = e.objective->scores};
        s = hiss_comm_agree(
            comm, hiss_eval_open(&eval, &e.data, (uint64_t)e.seed, &g->train, &g->test, g->samples, err), err);
    }
    if (s == HISS_OK) {
        hiss_info("judging %s on %lld training and %lld test samples", checkpoint, (long long)g->train.count,
                  (long long)g->test.count);
        g->features = wants_features(g);
        g->random = wants_random(g);
        s = hiss_comm_agree(comm, expect_classes(g, &e, err), err);
        s = hiss_config_blame(e.config, s == HISS_OK ? judge_all(g, &e, err) : s, err);
        s = s == HISS_OK ? hiss_dataset_unchanged(g->train.set, err) : s;
        s = s == HISS_OK ? hiss_dataset_unchanged(g->test.set, err) : s;
        s = hiss_comm_agree(comm, s, err);
    }
    if (s == HISS_OK && hiss_comm_rank(comm) == 0) {
        s = report(g, hiss_seconds() - start, err);
    }
    hiss_evaluation_destroy(g->evaluation);
    hiss_eval_close(&g->train, &g->test);
    hiss_free(g);
    hiss_experiment_destroy(&e);
    return hiss_comm_agree(comm, s, err);
}

static void help(void) {
    static const struct {
        unsigned need;
        const char *text;
    } needs[] = {{HISS_NEEDS_LAYER, "each layer"},
                 {HISS_NEEDS_OUTPUT, "the network's output"},
                 {HISS_NEEDS_NETWORK, "the network"},
                 {HISS_NEEDS_LABELS, "labels"},
                 {HISS_NEEDS_CLASSES, "labels or targets"},
                 {HISS_NEEDS_REBUILDER, "a method that rebuilds images"},
                 {HISS_NEEDS_CORRUPTION, "a method that cleans corrupted images"},
                 {HISS_NEEDS_ESTIMATOR, "a method that says how probable images are"},
                 {HISS_NEEDS_MEASURER, "a method that measures itself"},
                 {HISS_NEEDS_MAKER, "a method that makes images"},
                 {HISS_NEEDS_TARGETS, "targets"},
                 {HISS_NEEDS_SCORES, "a method that classifies"},
                 {HISS_NEEDS_FORECASTER, "a method that foretells clips"},
                 {HISS_NEEDS_ACTOR, "a method that sees actions"},
                 {HISS_NEEDS_SCORER, "a method that has learnt targets"}};
    printf(
        "usage: mpirun -n RANKS hiss eval RUN [OPTIONS]\n\nJudge the features of a run beside raw pixels and the same "
        "network at random. What needs labels is left out\nwhere there are none.\nWrites RUN/eval.txt, "
        "RUN/eval.json, RUN/report.html, and the pictures it shows.\n\nJudgements, and what each needs:\n");
    for (const hiss_judgement *const *j = hiss_judgements(); *j; j++) {
        const char *separator = "";
        printf("  %-18s %s (", (*j)->name, (*j)->title);
        for (int k = 0; k < HISS_COUNT(needs); k++) {
            if ((*j)->needs & needs[k].need) {
                printf("%s%s", separator, needs[k].text);
                separator = ", ";
            }
        }
        printf(")\n");
    }
    printf("\n");
    hiss_rows_help(stdout, NULL, rows, HISS_COUNT(rows));
    printf("\nKeys of the config:\n");
    cli_eval_help(stdout);
}

int cmd_eval(int argc, char **argv) {
    options o = {0};
    const cli_task task = {.rows = rows,
                           .nrows = HISS_COUNT(rows),
                           .options = &o,
                           .help = &o.help,
                           .log = &o.log,
                           .print_help = help,
                           .missing = "eval needs a run directory: hiss eval runs/nat-fashion",
                           .run = evaluate};
    return cli_run(&task, argc, argv);
}
