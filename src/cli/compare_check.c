/* What can be known of a comparison before its first training: whether every config reads, its data open and its network
 * builds, whether runs that are there were made by the same config, and whether there can be such readings. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/compare.h"
#include "hiss/file.h"
#include "hiss/log.h"

enum { MOST_SETTINGS = 256 };

/* A row's config, opened as hiss eval opens it. */
typedef struct opened {
    hiss_experiment e;
    hiss_eval_options eval;
    hiss_sample_range train, test;
    hiss_frozen *network;
} opened;

/* ---- configs ---- */

static hiss_status read_config(const hiss_comparison *study, int run, opened *o, hiss_error *err) {
    const hiss_compare_row *row = &study->rows[run % study->nrows];
    const char *set[MOST_SETTINGS];
    hiss_arena *arena = hiss_arena_create();
    hiss_extra_section extra[CLI_EVAL_SECTIONS];
    const int nextra = cli_eval_sections(&o->eval, extra);
    const int n = hiss_comparison_settings(study, run, arena, set, MOST_SETTINGS);
    char key[128], where[HISS_WHERE];
    snprintf(key, sizeof key, "rows.%.60s.config", row->name);
    hiss_status s = cli_expect_config(row->config, err);
    if (s != HISS_OK) {
        hiss_error_prefix(err, s, hiss_config_where(study->text, key, where));
    } else {
        s = hiss_experiment_read(row->config, set, n, extra, nextra, &o->e, err);
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

static void close_row(opened *o) {
    hiss_frozen_destroy(o->network);
    hiss_eval_close(&o->train, &o->test);
    hiss_experiment_destroy(&o->e);
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
    char *then = (char *)cli_slurp(path, &size);
    hiss_status s = then ? HISS_OK : hiss_fail(err, HISS_ESYSTEM, "%s cannot be read", path);
    if (s == HISS_OK && hiss_resolved_compare(then, hiss_config_resolved(o->e.config), free_keys, HISS_COUNT(free_keys),
                                              &why) != HISS_OK) {
        char key[128], where[HISS_WHERE];
        snprintf(key, sizeof key, "rows.%.60s.config", study->rows[run % study->nrows].name);
        s = hiss_fail(
            err, HISS_EUSER,
            "%s: %s was made by another config (%.500s): choose another --out, or another name of the row, or "
            "remove %s",
            hiss_config_where(study->text, key, where), place, why.text, place);
    }
    hiss_free(then);
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
    if (!(trained || (random && layer) || raw)) {
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
    if (j->needs & HISS_NEEDS_SCORES && !(trained && layer && o->e.objective->scores)) {
        return hiss_arena_format(arena, "%s judges the output of methods that classify", j->name);
    }
    if (j->needs & HISS_NEEDS_TARGETS && !hiss_dataset_field(o->train.set, HISS_FIELD_TARGETS)) {
        return "the data have no field targets";
    }
    return (j->needs & HISS_NEEDS_LABELS) &&
                   !(hiss_dataset_labelled(o->train.set) && hiss_dataset_labelled(o->test.set))
               ? "the data have no labels"
               : NULL;
}

/* Note in why[columns] what the row and its controls lack, and in can[columns] what one of them may have. Pixels, which
 * stand in for every layer, vouch for none. */
static void judge_readings(const hiss_comparison *study, int row, const opened *o, hiss_arena *arena, const char **why,
                           bool *can) {
    for (int k = row; k < study->nrows; k++) {
        for (int c = 0; c < study->ncolumns && study->rows[k].of == row; c++) {
            hiss_reading reading;
            const bool stands_in = study->rows[k].features == HISS_COMPARE_RAW;
            if (hiss_comparison_reading(study, k, c, arena, &reading) &&
                !(stands_in && strcmp(reading.text, study->columns[c].reading.text) != 0)) {
                const char *says = judge_reading(o, &reading, arena);
                can[c] = can[c] || !says;
                why[c] = why[c] ? why[c] : says;
            }
        }
    }
}

/* A control of which no column can be read would be an empty row. */
static hiss_status expect_controls(const hiss_comparison *study, int row, const opened *o, hiss_arena *arena,
                                   hiss_error *err) {
    for (int k = row + 1; k < study->nrows; k++) {
        const char *why = study->rows[k].of == row ? "all columns are of a network as a whole" : NULL;
        for (int c = 0; c < study->ncolumns && why; c++) {
            hiss_reading reading;
            why = hiss_comparison_reading(study, k, c, arena, &reading) ? judge_reading(o, &reading, arena) : why;
        }
        if (why) {
            char key[128], where[HISS_WHERE];
            snprintf(key, sizeof key, "rows.%.60s.of", study->rows[k].name);
            return hiss_fail(err, HISS_EUSER, "%s: row %s will have no reading of row %s: %s",
                             hiss_config_where(study->text, key, where), study->rows[k].name, study->rows[row].name,
                             why);
        }
    }
    return HISS_OK;
}

static hiss_status refuse_reading(const hiss_comparison *study, int c, const char *why, hiss_error *err) {
    char key[128], where[HISS_WHERE];
    snprintf(key, sizeof key, "columns.%.60s.reading", study->columns[c].name);
    return hiss_fail(err, HISS_EUSER, "%s: no row will have '%.100s': %s", hiss_config_where(study->text, key, where),
                     study->columns[c].reading.text, why);
}

/* Why a reading that no run has had so far will not come: the numbers that the evaluation of this run has in its place,
 * in arena; NULL: another row may have it. Numbers of layers do not depend on the method. */
static const char *judge_absence(const hiss_compare_results *results, int run, int column, bool last,
                                 hiss_arena *arena) {
    const hiss_comparison *study = results->study;
    char place[CLI_PATH - 32], path[CLI_PATH], list[512] = "";
    const char *nearest, *why = NULL;
    hiss_reading reading;
    hiss_evaluation *e = NULL;
    hiss_comparison_place(study, results->dir, run, place, sizeof place);
    snprintf(path, sizeof path, "%s/eval.json", place);
    if (hiss_comparison_reading(study, run % study->nrows, column, arena, &reading) &&
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

hiss_status compare_expect_readings(const hiss_compare_results *results, hiss_error *err) {
    const hiss_comparison *study = results->study;
    hiss_arena *arena = hiss_arena_create();
    hiss_status s = HISS_OK;
    bool each = true;
    int done = -1;
    for (int row = 0; row < study->nrows; row++) {
        const hiss_compare_run *run = &results->runs[row]; /* with the first seed */
        each = each && run->state != HISS_COMPARE_MISSING;
        done = done < 0 && run->state == HISS_COMPARE_DONE ? study->rows[row].of : done;
    }
    for (int c = 0; c < study->ncolumns && done >= 0 && s == HISS_OK; c++) {
        const char *why = results->unit[c] ? NULL : judge_absence(results, done, c, each, arena);
        s = why ? refuse_reading(study, c, why, err) : s;
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

/* What is said of a row's config begins with its name, but where it is about a key of the study. */
static void blame(const hiss_comparison *study, int run, hiss_status s, hiss_error *err) {
    hiss_arena *arena = hiss_arena_create();
    const hiss_error why = *err;
    const char *text = hiss_comparison_blame(study, run, arena, why.text);
    const bool ours =
        text != why.text || strncmp(text, hiss_config_name(study->text), strlen(hiss_config_name(study->text))) == 0;
    hiss_fail(err, s, "%s%s%s", ours ? "" : study->rows[run % study->nrows].name, ours ? "" : ": ", text);
    hiss_arena_destroy(arena);
}

static hiss_status check_row(const compare_request *r, compare_plan *plan, int row, hiss_arena *arena, const char **why,
                             bool *can, hiss_error *err) {
    const hiss_comparison *study = &plan->study;
    hiss_status s = HISS_OK;
    for (int seed = 0; seed < study->nseeds && s == HISS_OK; seed++) {
        const int run = row + study->nrows * seed;
        opened o = {.network = NULL};
        s = read_config(study, run, &o, err);
        s = s == HISS_OK ? check_made(r, study, run, &o, err) : s;
        s = s == HISS_OK && seed == 0 ? open_data(&o, err) : s;
        if (s == HISS_OK && seed == 0) {
            judge_readings(study, row, &o, arena, why, can);
            s = expect_controls(study, row, &o, arena, err);
            plan->eval[row] = eval_section(study, &o);
        }
        close_row(&o);
        if (s != HISS_OK) {
            blame(study, run, s, err);
        }
    }
    return s;
}

static hiss_status place_study(const compare_request *r, const hiss_comparison *study, hiss_error *err) {
    char path[CLI_PATH];
    snprintf(path, sizeof path, "%s/config.yaml", r->out);
    if (hiss_file_exists(path)) {
        return hiss_fail(err, HISS_EUSER, "%s is the directory of a run of hiss train; choose another --out", r->out);
    }
    snprintf(path, sizeof path, "%s/runs", r->out);
    const hiss_status s = hiss_directories_make(path, err);
    snprintf(path, sizeof path, "%s/study.yaml", r->out);
    return s == HISS_OK ? hiss_file_write_text(path, hiss_config_resolved(study->text), err) : s;
}

hiss_status compare_open(const compare_request *r, compare_plan *plan, hiss_error *err) {
    hiss_comparison *study = &plan->study;
    *plan = (compare_plan){.eval = NULL};
    hiss_status s = hiss_file_expect_text(r->path, "the study", "configs/compare-quick.yaml is an example", err);
    s = s == HISS_OK ? hiss_comparison_read(r->path, r->sets, r->nsets, study, err) : s;
    if (s != HISS_OK) {
        return s;
    }
    hiss_arena *arena = hiss_arena_create();
    const char **why = hiss_arena_alloc(arena, sizeof(char *) * (size_t)study->ncolumns);
    bool *can = hiss_arena_alloc(arena, sizeof(bool) * (size_t)study->ncolumns);
    plan->eval = hiss_arena_alloc(study->arena, sizeof(char *) * (size_t)study->nrows);
    for (int row = 0; row < study->nrows && s == HISS_OK; row++) {
        s = study->rows[row].of == row ? check_row(r, plan, row, arena, why, can, err) : s;
    }
    for (int c = 0; c < study->ncolumns && s == HISS_OK; c++) {
        s = can[c] ? s
                   : refuse_reading(study, c, why[c] ? why[c] : "controls have no readings of a whole network", err);
    }
    hiss_arena_destroy(arena);
    return s == HISS_OK && r->task == 0 ? place_study(r, study, err) : s; /* tasks were given the study there */
}
