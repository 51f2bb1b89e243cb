/* What `probe` asks for while a run trains: the network as it is, copied into one in evaluation mode of its own, embeds
 * the same few samples each time, and their features are judged. What trains is read and not written: parameters,
 * BatchNorm's statistics, the method's state and every random stream stay as they are. */
#include <math.h>
#include <string.h>

#include "cli/cli.h"
#include "hiss/log.h"

enum { NEIGHBORS = 5, NUMBERS = 5, KEY = 80 }; /* numbers of a layer */

struct prober {
    hiss_experiment *experiment;
    hiss_eval_env env;
    hiss_sample_range train, test;
    hiss_frozen *network;
    hiss_layer_size layer[HISS_MAX_TAPS];
    int layers;
    bool labelled, left_out; /* left_out: it was said that a network with numbers that are not finite is */
    bool *named;             /* [layers] it was said that it has collapsed */
    hiss_probed_number *number;
    int count;
};

static void add(prober *p, const char *layer, const char *what, double value) {
    hiss_probed_number *n = &p->number[p->count++];
    snprintf(n->name, sizeof n->name, "probe/%s%s%s", layer, *layer ? "/" : "", what);
    n->value = value;
}

static void name_collapse(prober *p, int k, const hiss_spectrum *s) {
    if (s->collapse != HISS_SPREAD && !p->named[k] && hiss_comm_rank(p->env.comm) == 0) {
        hiss_warn("layer %s has collapsed: %s (effective rank %.2f of %lld, deviation %.2g, spread %.2g)",
                  p->layer[k].name,
                  s->collapse == HISS_ALL_ALIKE ? "all samples have nearly the same features"
                                                : "features vary in one direction only",
                  s->rank, (long long)p->layer[k].D, s->deviation, 1.0 / sqrt((double)p->layer[k].D));
    }
    p->named[k] = p->named[k] || s->collapse != HISS_SPREAD;
}

static void judge(prober *p, hiss_features *const *train, hiss_features *const *test) {
    int collapsed = 0;
    for (int k = 0; k < p->layers; k++) {
        const char *layer = p->layer[k].name;
        const hiss_spectrum s = hiss_spectrum_of(&p->env, test[k]);
        if (p->labelled) {
            add(p, layer, "knn", hiss_knn_percent(&p->env, train[k], test[k], HISS_COSINE, NEIGHBORS));
            add(p, layer, "ridge", hiss_ridge_percent(&p->env, train[k], test[k]));
        }
        add(p, layer, "rank", s.rank);
        add(p, layer, "deviation", s.deviation);
        add(p, layer, "least_deviation", s.least);
        name_collapse(p, k, &s);
        collapsed += s.collapse != HISS_SPREAD;
    }
    add(p, "", "collapsed", (double)collapsed);
}

/* A hiss_train_probe's. */
static hiss_status look(void *user, const hiss_model *model, const float *vector, const hiss_probed_number **number,
                        int *count, hiss_error *err) {
    prober *p = user;
    hiss_features *train[HISS_MAX_TAPS] = {NULL}, *test[HISS_MAX_TAPS] = {NULL};
    hiss_error why;
    p->count = 0;
    hiss_status s = hiss_comm_agree(p->env.comm, hiss_frozen_take(p->network, model, vector, err), err);
    if (s == HISS_OK) {
        s = hiss_features_extract(&p->env, &p->train, p->layers, p->layer, HISS_FROZEN_BATCH, hiss_frozen_embed,
                                  p->network, train, &why);
        s = s == HISS_OK ? hiss_features_extract(&p->env, &p->test, p->layers, p->layer, HISS_FROZEN_BATCH,
                                                 hiss_frozen_embed, p->network, test, &why)
                         : s;
        if (s == HISS_EUSER) { /* a probe does not end a run that would go on */
            if (!p->left_out && hiss_comm_rank(p->env.comm) == 0) {
                hiss_warn("probe left out: %s", why.text);
            }
            p->left_out = true;
            s = HISS_OK;
        } else if (s == HISS_OK) {
            judge(p, train, test);
        } else {
            *err = why;
        }
    }
    for (int k = 0; k < p->layers; k++) {
        hiss_features_destroy(train[k]);
        hiss_features_destroy(test[k]);
    }
    *number = p->number;
    *count = p->count;
    return s;
}

/* ---- what it looks at ---- */

static hiss_status choose(prober *p, hiss_error *err) {
    const hiss_taps *taps = hiss_encoder_taps(hiss_frozen_encoder(p->network));
    const char *asked = p->experiment->probe.layers;
    const hiss_status s = cli_choose_layers(p->network, "--set probe.layers=NAME,...",
                                            asked ? asked : taps->tap[taps->count - 1].name, &p->layers, p->layer, err);
    hiss_error_under_key(err, s, "probe.layers");
    p->named = hiss_new(bool, p->layers);
    p->number = hiss_new(hiss_probed_number, p->layers * NUMBERS + 1);
    return s;
}

/* probe.best, where it begins with "probe/", is one of the numbers that look() gives. Others are known when training
 * logs them. */
static hiss_status expect_best(prober *p, hiss_error *err) {
    static const char *const whats[] = {"knn", "ridge", "rank", "deviation", "least_deviation"};
    const char *best = p->experiment->probe.best;
    if (!best || strncmp(best, "probe/", 6) != 0) {
        return HISS_OK;
    }
    char example[KEY] = "";
    for (int k = 0; k < p->layers; k++) {
        for (int w = p->labelled ? 0 : 2; w < HISS_COUNT(whats); w++) {
            char name[KEY];
            snprintf(name, sizeof name, "probe/%s/%s", p->layer[k].name, whats[w]);
            if (strcmp(name, best) == 0) {
                return HISS_OK;
            }
            if (!*example) {
                snprintf(example, sizeof example, "%s", name);
            }
        }
    }
    return hiss_fail_key(err, HISS_EUSER, "probe.best",
                         "'%.80s' is no number of these probes; expected probe/LAYER/WHAT of a layer in probe.layers, "
                         "WHAT one of %srank, deviation, least_deviation, as in %s",
                         best, p->labelled ? "knn, ridge, " : "", example);
}

/* A line each of what text says, but for the limits, which are probe.samples here. */
static void tell_lines(const char *text) {
    for (size_t length; *text; text += length + (text[length] == '\n')) {
        length = strcspn(text, "\n");
        if (strncmp(text, "eval.", 5) != 0) {
            hiss_info("probe: %.*s", (int)length, text);
        }
    }
}

static void introduce(const prober *p, const char *samples) {
    char shown[400] = "";
    for (int k = 0; k < p->layers; k++) {
        const size_t used = strlen(shown);
        snprintf(shown + used, sizeof shown - used, "%s%s", k ? ", " : "", p->layer[k].name);
    }
    hiss_info("probe: %s on %lld training and %lld test samples, a share of each class, every %s", shown,
              (long long)p->train.count, (long long)p->test.count, p->experiment->probe.every_text);
    tell_lines(samples);
    if (!p->labelled) {
        hiss_info("probe: there are no labels, so that there is no accuracy, but effective rank and deviation");
    }
}

static hiss_status open_all(prober *p, const hiss_eval_options *eval, char samples[HISS_EVAL_SAMPLES],
                            hiss_error *err) {
    hiss_experiment *e = p->experiment;
    hiss_eval_options options = *eval;
    hiss_data_options data = e->data;
    data.verify = false; /* of the training file the run does it; of the test samples the judgement that counts */
    const int64_t most = e->probe.samples;
    options.train_limit = eval->train_limit > 0 && eval->train_limit < most ? eval->train_limit : most;
    options.test_limit = eval->test_limit > 0 && eval->test_limit < most ? eval->test_limit : most;
    hiss_status s = hiss_eval_open(&options, &data, (uint64_t)e->seed, &p->train, &p->test, samples, err);
    s = s == HISS_OK ? hiss_frozen_create(e, p->train.set, &p->network, err) : s;
    if (s == HISS_OK) {
        p->labelled = hiss_dataset_labelled(p->train.set) && hiss_dataset_labelled(p->test.set);
        s = choose(p, err);
        s = s == HISS_OK ? expect_best(p, err) : s;
    }
    return hiss_config_blame(e->config, s, err);
}

hiss_status prober_create(hiss_comm *comm, hiss_experiment *e, const hiss_eval_options *eval, prober **out,
                          hiss_error *err) {
    *out = NULL;
    if (e->probe.every.unit == HISS_EVERY_NEVER) {
        return HISS_OK;
    }
    char samples[HISS_EVAL_SAMPLES] = "";
    prober *p = *out = hiss_new(prober, 1);
    p->experiment = e;
    p->env = (hiss_eval_env){.comm = comm, .kernels = &e->kernels, .seed = (uint64_t)e->seed};
    const hiss_status s = hiss_comm_agree(comm, open_all(p, eval, samples, err), err);
    if (s == HISS_OK) {
        introduce(p, samples);
    }
    return s;
}

hiss_train_probe prober_probe(prober *p) {
    return p ? (hiss_train_probe){.look = look, .user = p} : (hiss_train_probe){.look = NULL};
}

void prober_destroy(prober *p) {
    if (p) {
        hiss_frozen_destroy(p->network);
        hiss_eval_close(&p->train, &p->test);
        hiss_free(p->named);
        hiss_free(p->number);
        hiss_free(p);
    }
}
