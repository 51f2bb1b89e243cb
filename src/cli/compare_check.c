/* What can be known of a comparison before its first training: whether every config reads, its data open and its network
 * builds, whether runs that are there were made by the same config, and whether there can be such readings. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/compare.h"
#include "hiss/file.h"
#include "hiss/log.h"

/* A row's config, opened as hiss eval opens it. */
typedef struct opened {
    hiss_experiment e;
    hiss_eval_options eval;
    hiss_sample_range train, test;
    hiss_frozen *network;
} opened;

/* ---- configs ---- */

static const char *config_key(const hiss_comparison *study, int run, hiss_arena *arena) {
    return hiss_arena_format(arena, "%s.config", hiss_comparison_key(study, run, arena));
}

static hiss_status read_config(const char *dir, const hiss_comparison *study, int run, opened *o, hiss_error *err) {
    const char *set[HISS_COMPARE_SETTINGS];
    hiss_arena *arena = hiss_arena_create();
    hiss_extra_section extra[CLI_EVAL_SECTIONS];
    const int nextra = cli_eval_sections(&o->eval, extra);
    const int n = hiss_comparison_settings(study, dir, run, arena, set, HISS_COMPARE_SETTINGS);
    char where[HISS_WHERE];
    const char *config = hiss_comparison_config(study, run);
    hiss_status s = cli_expect_config(config, err);
    if (s != HISS_OK) {
        hiss_error_prefix(err, s, hiss_config_where(study->text, config_key(study, run, arena), where));
    } else {
        s = hiss_experiment_read(config, set, n, extra, nextra, &o->e, err);
    }
    hiss_arena_destroy(arena);
    return s;
}

static hiss_status open_data(opened *o, hiss_error *err) {
    char samples[HISS_EVAL_SAMPLES];
    hiss_status s = hiss_judgements_expect(&o->eval, err);
    s = s == HISS_OK ? hiss_eval_open(&o->eval, &o->e.data, (uint64_t)o->e.seed, &o->train, &o->test, samples, err) : s;
    s = s == HISS_OK ? hiss_frozen_create(&o->e, o->train.set, &o->network, err) : s;
    if (s == HISS_OK) {
        hiss_layer_size layer[HISS_MAX_TAPS];
        int layers = 0;
        s = cli_choose_layers(o->network, "eval.layers", o->eval.layers, &layers, layer, err);
        hiss_error_under_key(err, s, "eval.layers");
    }
    return hiss_config_blame(o->e.config, s, err);
}

/* Of a method that classifies, the network that is judged is all that is trained, so that what train.freeze names is known;
 * other methods may have more, and say so when they begin. */
static hiss_status check_frozen(const opened *o, hiss_error *err) {
    const hiss_yaml *list = o->e.train.freeze;
    const hiss_model *model = hiss_frozen_model(o->network);
    const hiss_yaml *name = list && list->kind == HISS_YAML_LIST ? list->first : list;
    for (; name && o->e.objective->scores; name = name == list ? NULL : name->next) {
        bool found = name->kind != HISS_YAML_SCALAR; /* which is refused elsewhere */
        for (int k = 0; k < hiss_model_count(model) && !found; k++) {
            found = hiss_slot_within(hiss_model_at(model, k), name->text);
        }
        if (!found) {
            char where[HISS_PLACE] = "--set train.freeze";
            const bool placed = name->line > 0;
            return hiss_fail(err, HISS_EUSER,
                             "%s%s: '%.80s' has no parameters, nor has anything that begins with it and '/'",
                             placed ? hiss_yaml_place(name, where) : where, placed ? ": train.freeze" : "", name->text);
        }
    }
    return HISS_OK;
}

static void close_row(opened *o) {
    hiss_frozen_destroy(o->network);
    hiss_eval_close(&o->train, &o->test);
    hiss_experiment_destroy(&o->e);
}

/* A resolved config without train.init, in arena: that of a transfer is the run of its row, however it is written. */
static const char *without_init(const char *text, hiss_arena *arena) {
    static const char init[] = "  init:";
    char *out = hiss_arena_text(arena, text), *line = out;
    bool train = false;
    while (*line) {
        char *next = line + strcspn(line, "\n") + (strchr(line, '\n') != NULL);
        train = *line == ' ' ? train : strncmp(line, "train:", 6) == 0;
        if (train && strncmp(line, init, sizeof init - 1) == 0) {
            memmove(line, next, strlen(next) + 1);
        } else {
            line = next;
        }
    }
    return out;
}

/* The same with the method by its first name, in arena. */
static const char *with_method(const char *text, hiss_arena *arena) {
    static const char key[] = "\nobjective: ";
    char name[64];
    const char *at = strstr(text, key);
    const size_t length = at ? strcspn(at + sizeof key - 1, "\n") : sizeof name;
    snprintf(name, sizeof name, "%.*s", length < sizeof name ? (int)length : 0, at ? at + sizeof key - 1 : "");
    const hiss_objective_ops *ops = hiss_objective_named(name);
    return ops ? hiss_arena_format(arena, "%.*s%s%s%s", (int)(at - text), text, key, ops->name,
                                   at + sizeof key - 1 + length)
               : text;
}

/* A run that is there must be of this config, but for how it is run and judged. */
static hiss_status check_made(const compare_request *r, const hiss_comparison *study, int run, opened *o,
                              hiss_error *err) {
    static const char *const free_keys[] = {"checkpoint", "dist", "eval"};
    char place[CLI_PATH - 64], path[CLI_PATH];
    hiss_comparison_place(study, r->out, run, place, sizeof place);
    snprintf(path, sizeof path, "%s/config.yaml", place);
    if (!hiss_file_exists(path)) {
        return HISS_OK;
    }
    hiss_error why = {0};
    size_t size = 0;
    hiss_arena *arena = hiss_arena_create();
    char *then = (char *)hiss_file_bytes(path, &size);
    const char *now = hiss_config_resolved(o->e.config), *old = then;
    if (then && hiss_comparison_source(study, run) >= 0) {
        old = without_init(then, arena);
        now = without_init(now, arena);
    }
    old = old ? with_method(old, arena) : old;
    now = with_method(now, arena);
    hiss_status s = then ? HISS_OK : hiss_fail(err, HISS_ESYSTEM, "%s cannot be read", path);
    if (s == HISS_OK && hiss_resolved_compare(old, now, free_keys, HISS_COUNT(free_keys), &why) != HISS_OK) {
        char where[HISS_WHERE];
        s = hiss_fail(err, HISS_EUSER,
                      "%s: %s was made by another config (%.500s): choose another --out, or another name of the %s, or "
                      "remove %s",
                      hiss_config_where(study->text, config_key(study, run, arena), where), place, why.text,
                      hiss_comparison_transfer(study, run) > 0 ? "transfer" : "row", place);
    }
    hiss_free(then);
    hiss_arena_destroy(arena);
    return s;
}

/* ---- readings ---- */

static const hiss_judgement *find_judgement(const char *name, const char **nearest) {
    *nearest = NULL;
    for (const hiss_judgement *const *j = hiss_judgements(); *j; j++) {
        if (strcmp((*j)->name, name) == 0) {
            return *j;
        }
        if (hiss_edit_distance(name, (*j)->name) <= 2) {
            *nearest = (*j)->name;
        }
    }
    return NULL;
}

static const char *list_layers(const opened *o, hiss_arena *arena) {
    const hiss_taps *taps = hiss_encoder_taps(hiss_frozen_encoder(o->network));
    const char *list = o->eval.layers ? o->eval.layers : "";
    for (int k = 0; k < taps->count && !o->eval.layers; k++) {
        list = hiss_arena_format(arena, "%s%s%s", list, k ? ", " : "", taps->tap[k].name);
    }
    return list;
}

static bool has_layer(const opened *o, const char *layer, hiss_arena *arena) {
    char name[64];
    for (const char *rest = hiss_names_next(list_layers(o, arena), name); rest; rest = hiss_names_next(rest, name)) {
        if (strcmp(name, layer) == 0) {
            return true;
        }
    }
    return false;
}

/* What a method cannot do, of what a judgement needs; NULL: nothing. */
static const char *find_lack(const hiss_objective_ops *method, unsigned needs) {
    const struct {
        unsigned need;
        bool has;
        const char *what;
    } lacks[] = {{HISS_NEEDS_CORRUPTION, method->corruption, "clean corrupted images"},
                 {HISS_NEEDS_REBUILDER, method->reconstruct, "rebuild images"},
                 {HISS_NEEDS_ESTIMATOR, method->likelihood, "say how probable images are"},
                 {HISS_NEEDS_MEASURER, method->measure, "measure itself"},
                 {HISS_NEEDS_MAKER, method->generation, "make images"}};
    for (int k = 0; k < HISS_COUNT(lacks); k++) {
        if (needs & lacks[k].need && !lacks[k].has) {
            return lacks[k].what;
        }
    }
    return NULL;
}

/* Why an evaluation of this row will not have the reading, in arena; NULL: it may. */
static const char *judge_reading(const opened *o, const hiss_reading *reading, hiss_arena *arena) {
    const char *nearest, *slash = strchr(reading->subject, '/'), *layer = slash ? slash + 1 : NULL;
    const int length = slash ? (int)(slash - reading->subject) : (int)strlen(reading->subject);
    const hiss_judgement *j = find_judgement(reading->judgement, &nearest);
    const bool trained = length == 7 && strncmp(reading->subject, "trained", 7) == 0;
    const bool random = length == 6 && strncmp(reading->subject, "random", 6) == 0;
    const bool raw = strcmp(reading->subject, "raw/pixels") == 0;
    if (!j) {
        return nearest
                   ? hiss_arena_format(arena, "there is no judgement %s; did you mean %s?", reading->judgement, nearest)
                   : hiss_arena_format(arena, "there is no judgement %s; hiss eval --help lists them",
                                       reading->judgement);
    }
    if (!(trained || (random && (layer || j->needs & HISS_NEEDS_SCORER)) || raw)) {
        return hiss_arena_format(arena,
                                 "%s is judged by nothing; expected trained/LAYER, random/LAYER, raw/pixels or "
                                 "trained",
                                 reading->subject);
    }
    if (!*(const bool *)(const void *)((const char *)&o->eval + j->rows[0].offset)) {
        return hiss_arena_format(arena, "eval.%s is false", j->rows[0].key);
    }
    if (layer && (j->needs & HISS_NEEDS_NETWORK)) {
        return hiss_arena_format(arena, "%s judges the network as a whole: write trained/%s.%s", j->name, j->name,
                                 reading->number);
    }
    if (!layer && !(j->needs & HISS_NEEDS_NETWORK)) {
        return hiss_arena_format(arena, "%s judges layers: write trained/LAYER/%s.%s", j->name, j->name,
                                 reading->number);
    }
    if ((raw && !o->eval.pixels) || (random && !o->eval.random)) {
        return raw ? "eval.pixels is false" : "eval.random is false";
    }
    if (layer && !raw && !has_layer(o, layer, arena)) {
        return hiss_arena_format(arena, "there is no layer %s among those that are judged: %s", layer,
                                 list_layers(o, arena));
    }
    if (j->needs & HISS_NEEDS_SCORES && !(trained && layer && strcmp(layer, "scores") == 0 && o->e.objective->scores)) {
        return hiss_arena_format(arena, "%s judges the output of methods that classify", j->name);
    }
    if (j->needs & HISS_NEEDS_SCORER && !hiss_objective_learns_targets(o->e.objective, o->e.objective_options)) {
        return hiss_arena_format(arena, "%s judges methods that have learnt targets (classify.targets)", j->name);
    }
    const char *lack = find_lack(o->e.objective, j->needs);
    if (lack) {
        return hiss_arena_format(arena, "%s cannot %s", o->e.objective->name, lack);
    }
    if (j->needs & HISS_NEEDS_TARGETS && !hiss_dataset_field(o->train.set, HISS_FIELD_TARGETS)) {
        return "the data have no field targets";
    }
    return (j->needs & HISS_NEEDS_LABELS) &&
                   !(hiss_dataset_labelled(o->train.set) && hiss_dataset_labelled(o->test.set))
               ? "the data have no labels"
               : NULL;
}

typedef struct checks { /* of all readings */
    hiss_arena *arena;
    const char **why; /* what a row lacks; NULL: nothing was found so far */
    bool *can;        /* whether one of the rows may have it */
} checks;

static void note_reading(const checks *c, int k, const char *why) {
    c->can[k] = c->can[k] || !why;
    c->why[k] = c->why[k] ? c->why[k] : why;
}

/* What the row and its controls lack, and may have. Pixels, which stand in for every layer, vouch for none. */
static void judge_readings(const hiss_comparison *study, int row, const opened *o, const checks *c) {
    for (int control = row; control < study->nrows; control++) {
        for (int k = 0; k < hiss_comparison_readings(study) && study->rows[control].of == row; k++) {
            const hiss_reading *wanted = hiss_comparison_wanted(study, k);
            const bool stands_in = study->rows[control].features == HISS_COMPARE_RAW;
            hiss_reading reading;
            if (hiss_comparison_is_of(study, wanted, 0, NULL) &&
                hiss_comparison_reading(study, control, wanted, c->arena, &reading) &&
                !(stands_in && strcmp(reading.text, wanted->text) != 0)) {
                note_reading(c, k, judge_reading(o, &reading, c->arena));
            }
        }
    }
}

/* The same for the runs of a transfer, which are judged alike. */
static void judge_transfer(const hiss_comparison *study, int transfer, const opened *o, const checks *c) {
    for (int k = 0; k < hiss_comparison_readings(study); k++) {
        const hiss_reading *wanted = hiss_comparison_wanted(study, k);
        if (hiss_comparison_is_of(study, wanted, transfer, NULL)) {
            note_reading(c, k, judge_reading(o, wanted, c->arena));
        }
    }
}

/* A control of which nothing can be read would be an empty row. */
static hiss_status expect_controls(const hiss_comparison *study, int row, const opened *o, hiss_arena *arena,
                                   hiss_error *err) {
    for (int control = row + 1; control < study->nrows; control++) {
        const char *why = study->rows[control].of == row ? "all readings are of a network as a whole" : NULL;
        for (int k = 0; k < hiss_comparison_readings(study) && why; k++) {
            const hiss_reading *wanted = hiss_comparison_wanted(study, k);
            hiss_reading reading;
            if (hiss_comparison_reading(study, control, wanted, arena, &reading)) {
                why = !hiss_comparison_is_of(study, wanted, 0, NULL) ? NULL : judge_reading(o, &reading, arena);
            }
        }
        if (why) {
            char key[128], where[HISS_WHERE];
            snprintf(key, sizeof key, "rows.%.60s.of", study->rows[control].name);
            return hiss_fail(err, HISS_EUSER, "%s: row %s will have no reading of row %s: %s",
                             hiss_config_where(study->text, key, where), study->rows[control].name,
                             study->rows[row].name, why);
        }
    }
    return HISS_OK;
}

static hiss_status refuse_reading(const hiss_comparison *study, int k, const char *why, hiss_error *err) {
    const bool curve = k >= study->ncolumns;
    char key[128], where[HISS_WHERE];
    snprintf(key, sizeof key, "%s.%.60s.reading", curve ? "curves" : "columns",
             curve ? study->curves[k - study->ncolumns].name : study->columns[k].name);
    return hiss_fail(err, HISS_EUSER, "%s: no row will have '%.100s': %s", hiss_config_where(study->text, key, where),
                     hiss_comparison_wanted(study, k)->text, why);
}

/* Why a reading that no run has had so far will not come: the numbers that the evaluation of this run has in its place,
 * in arena; NULL: another row may have it. Numbers of layers do not depend on the method. */
static const char *judge_absence(const hiss_compare_results *results, int run, int k, bool last, hiss_arena *arena) {
    const hiss_comparison *study = results->study;
    char place[CLI_PATH - 32], path[CLI_PATH], list[512] = "";
    const char *nearest, *why = NULL;
    hiss_reading reading;
    hiss_evaluation *e = NULL;
    hiss_comparison_place(study, results->dir, run, place, sizeof place);
    snprintf(path, sizeof path, "%s/eval.json", place);
    if (hiss_comparison_reading(study, hiss_comparison_row(study, run), hiss_comparison_wanted(study, k), arena,
                                &reading) &&
        hiss_evaluation_read(path, &e, NULL) == HISS_OK) {
        const hiss_judgement *j = find_judgement(reading.judgement, &nearest);
        hiss_evaluation_list(e, reading.subject, reading.judgement, list, sizeof list);
        if (last || (*list && j && !(j->needs & HISS_NEEDS_NETWORK))) {
            why = hiss_arena_format(arena, "%s has %s at %s/%s", path, *list ? list : "no numbers", reading.subject,
                                    reading.judgement);
        }
    }
    hiss_evaluation_destroy(e);
    return why;
}

/* A run with the first seed that has been judged, of those of which this is read; -1: none so far.
 *   each  out  whether none of them is still to come */
static int find_judged(const hiss_compare_results *results, const hiss_reading *wanted, bool *each) {
    const hiss_comparison *study = results->study;
    int found = -1;
    *each = true;
    for (int k = 0; k < hiss_comparison_runs(study); k++) {
        if (hiss_comparison_seed(study, k) == 0 && hiss_comparison_has_run(study, k) &&
            hiss_comparison_is_of(study, wanted, hiss_comparison_transfer(study, k), NULL)) {
            *each = *each && results->runs[k].state != HISS_COMPARE_MISSING;
            found = found < 0 && results->runs[k].state == HISS_COMPARE_DONE ? k : found;
        }
    }
    return found;
}

hiss_status compare_expect_readings(const hiss_compare_results *results, hiss_error *err) {
    const hiss_comparison *study = results->study;
    hiss_arena *arena = hiss_arena_create();
    hiss_status s = HISS_OK;
    for (int k = 0; k < hiss_comparison_readings(study) && s == HISS_OK; k++) {
        bool each;
        const bool had = k < study->ncolumns ? results->unit[k] != NULL : results->lines[k - study->ncolumns].count > 0;
        const int run = find_judged(results, hiss_comparison_wanted(study, k), &each);
        const char *why = had || run < 0 ? NULL : judge_absence(results, run, k, each, arena);
        s = why ? refuse_reading(study, k, why, err) : s;
    }
    hiss_arena_destroy(arena);
    return s;
}

/* ---- all of it ---- */

/* Section eval as hiss eval takes it behind --set. */
static const char *eval_section(const hiss_comparison *study, opened *o) {
    hiss_arena *arena = hiss_arena_create();
    hiss_yaml *root = NULL;
    char *text = NULL;
    size_t size = 0;
    FILE *out = hiss_text_open(&text, &size);
    if (hiss_yaml_parse(arena, "config", hiss_config_resolved(o->e.config), &root, NULL) == HISS_OK) {
        hiss_yaml_write(out, hiss_yaml_get(root, "eval"));
    }
    fclose(out);
    const char *copy = hiss_arena_text(study->arena, text);
    free(text);
    hiss_arena_destroy(arena);
    return copy;
}

/* What is said of a config begins with the name of its row or transfer, but where it is about a key of the study. */
static void blame(const hiss_comparison *study, int run, hiss_status s, hiss_error *err) {
    hiss_arena *arena = hiss_arena_create();
    const hiss_error why = *err;
    const char *text = hiss_comparison_blame(study, run, arena, why.text);
    const bool ours =
        text != why.text || strncmp(text, hiss_config_name(study->text), strlen(hiss_config_name(study->text))) == 0;
    const char *key = hiss_comparison_key(study, run, arena), *name = strchr(key, '.') + 1;
    const bool shared = text != why.text && (strstr(text, ": base: ") || strstr(text, ": quick."));
    hiss_fail(err, s, "%s%s%s%s%s%s", ours ? "" : name, ours ? "" : ": ", text, shared ? " (run " : "",
              shared ? hiss_comparison_run_name(study, run, arena) : "", shared ? ")" : "");
    hiss_arena_destroy(arena);
}

/* Transfers begin with what the row has trained: some array of its network must have the name and shape of one there. */
static hiss_status expect_fit(const hiss_comparison *study, int run, const opened *row, const opened *transfer,
                              hiss_error *err) {
    const hiss_model *here = hiss_frozen_model(transfer->network), *there = hiss_frozen_model(row->network);
    const int name = hiss_comparison_transfer(study, run) - 1;
    char key[128], where[HISS_WHERE], text[512];
    for (int k = 0; k < hiss_model_count(here); k++) {
        const hiss_slot *slot = hiss_model_at(here, k);
        snprintf(text, sizeof text, "%s%s", transfer->e.train.init_prefix, slot->name);
        const int other = slot->kind == HISS_SLOT_PARAMETER ? hiss_model_find(there, text) : -1;
        if (other >= 0 && hiss_shape_equal(&slot->shape, &hiss_model_at(there, other)->shape)) {
            return HISS_OK;
        }
    }
    snprintf(key, sizeof key, "transfers.%.60s.config", study->transfers[name].name);
    return hiss_fail(err, HISS_EUSER,
                     "%s: no array of its network has the name and shape of one of row %s; give both the same section "
                     "network",
                     hiss_config_where(study->text, key, where), study->rows[hiss_comparison_row(study, run)].name);
}

/* A control's transfer begins with random values. */
static hiss_status expect_random(const hiss_comparison *study, int run, const opened *o, hiss_error *err) {
    char where[HISS_WHERE];
    if (hiss_comparison_source(study, run) >= 0 || !o->e.train.init) {
        return HISS_OK;
    }
    hiss_arena *arena = hiss_arena_create();
    hiss_fail(err, HISS_EUSER,
              "%s: it has train.init, so that a control, which begins with random values, could not be told; leave it "
              "out",
              hiss_config_where(study->text, config_key(study, run, arena), where));
    hiss_arena_destroy(arena);
    return HISS_EUSER;
}

/* The config of a run, its section eval, and whether a run that is there is of it. */
static hiss_status read_run(const compare_request *r, hiss_comparison *study, int run, opened *o, hiss_error *err) {
    hiss_status s = read_config(r->out, study, run, o, err);
    s = s == HISS_OK && hiss_comparison_transfer(study, run) > 0 ? expect_random(study, run, o, err) : s;
    s = s == HISS_OK ? check_made(r, study, run, o, err) : s;
    if (s == HISS_OK) {
        study->eval[run] = eval_section(study, o);
    } else {
        blame(study, run, s, err);
    }
    return s;
}

/* A run with the first seed is left open, and its network built; other seeds have the same. */
static hiss_status check_run(const compare_request *r, hiss_comparison *study, int run, opened *o, hiss_error *err) {
    hiss_status s = read_config(r->out, study, run, o, err);
    s = s == HISS_OK ? open_data(o, err) : s;
    s = s == HISS_OK ? check_frozen(o, err) : s;
    if (s != HISS_OK) {
        blame(study, run, s, err);
    }
    return s;
}

/* A row, its controls, and its transfers. */
static hiss_status check_row(const compare_request *r, hiss_comparison *study, int row, const checks *c,
                             hiss_error *err) {
    const int first = hiss_comparison_run(study, row, 0, 0);
    const bool own = hiss_comparison_has_run(study, first);
    opened o = {.network = NULL};
    hiss_status s = own ? check_run(r, study, first, &o, err) : HISS_OK;
    if (s == HISS_OK && own) {
        judge_readings(study, row, &o, c);
        s = expect_controls(study, row, &o, c->arena, err);
    }
    for (int t = 1; t <= study->ntransfers && s == HISS_OK; t++) {
        const int run = hiss_comparison_run(study, row, 0, t);
        if (hiss_comparison_has_run(study, run)) {
            opened there = {.network = NULL};
            s = check_run(r, study, run, &there, err);
            s = s == HISS_OK && own ? expect_fit(study, run, &o, &there, err) : s;
            if (s == HISS_OK) {
                judge_transfer(study, t, &there, c);
            }
            close_row(&there);
        }
    }
    close_row(&o);
    return s;
}

hiss_status compare_place(const compare_request *r, const hiss_comparison *study, hiss_error *err) {
    char path[CLI_PATH];
    hiss_status s = cli_expect_no_run(r->out, err);
    snprintf(path, sizeof path, "%s/runs", r->out);
    s = s == HISS_OK ? hiss_directories_make(path, err) : s;
    snprintf(path, sizeof path, "%s/study.yaml", r->out);
    return s == HISS_OK ? hiss_file_write_text(path, hiss_config_resolved(study->text), err) : s;
}

hiss_status compare_read(const compare_request *r, hiss_comparison *study, hiss_error *err) {
    *study = (hiss_comparison){.text = NULL};
    hiss_status s = hiss_file_expect_text(r->path, "the study", "configs/compare-quick.yaml is an example", err);
    s = s == HISS_OK ? hiss_comparison_read(r->path, r->sets, r->nsets, study, err) : s;
    const int runs = s == HISS_OK ? hiss_comparison_runs(study) : 0;
    study->eval = s == HISS_OK ? hiss_arena_alloc(study->arena, sizeof(char *) * (size_t)runs) : NULL;
    for (int run = 0; run < runs && s == HISS_OK; run++) {
        if (hiss_comparison_has_run(study, run)) {
            opened o = {.network = NULL};
            s = read_run(r, study, run, &o, err);
            close_row(&o);
        }
    }
    return s;
}

hiss_status compare_open(const compare_request *r, hiss_comparison *study, hiss_error *err) {
    hiss_status s = compare_read(r, study, err);
    if (s != HISS_OK) {
        return s;
    }
    checks c = {.arena = hiss_arena_create()};
    c.why = hiss_arena_alloc(c.arena, sizeof(char *) * (size_t)hiss_comparison_readings(study));
    c.can = hiss_arena_alloc(c.arena, sizeof(bool) * (size_t)hiss_comparison_readings(study));
    for (int row = 0; row < study->nrows && s == HISS_OK; row++) {
        s = check_row(r, study, row, &c, err);
    }
    for (int k = 0; k < hiss_comparison_readings(study) && s == HISS_OK; k++) {
        s = c.can[k]
                ? s
                : refuse_reading(study, k, c.why[k] ? c.why[k] : "controls have no readings of a whole network", err);
    }
    hiss_arena_destroy(c.arena);
    return s;
}
