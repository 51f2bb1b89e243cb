/* The file of recipes: a config each, and what is known of what it reaches. */
#include "cli/recipes.h"

#include <math.h>
#include <string.h>

#include "hiss/compare.h"
#include "hiss/file.h"
#include "hiss/number.h"

static const hiss_row recipe_rows[] = {
    {"config", HISS_PATH, offsetof(recipe, config), NULL, 0, 0, NULL, "config of hiss train"},
    {"set", HISS_NODE, offsetof(recipe, set), NULL, 0, 0, NULL, "changes to it: [optim.lr=0.1]"},
    {"seed", HISS_INT, offsetof(recipe, seed), "1", 0, 0x1p53 - 1, NULL, "seed of the run"},
    {"data", HISS_STRING, offsetof(recipe, data), "", 0, 0, NULL, "the command that makes its data"},
    {"expect", HISS_NODE, offsetof(recipe, expect), NULL, 0, 0, NULL,
     "readings of eval.json: trained/fc1/linear.percent: {value: 85.1, within: 0.6}"},
};
static const hiss_row recorded_rows[] = {
    {"parameters_sha256", HISS_STRING, offsetof(recipe, parameters), "", 0, 0, NULL, "of the run that was recorded"},
    {"kernels", HISS_STRING, offsetof(recipe, kernels), "", 0, 0, NULL, "that it was computed with"},
    {"data", HISS_STRING, offsetof(recipe, data_sum), "", 0, 0, NULL, "that it learnt"},
    {"seconds", HISS_FLOAT, offsetof(recipe, seconds), "0", 0, 1e9, NULL, "of its training steps"},
    {"processor", HISS_STRING, offsetof(recipe, processor), "", 0, 0, NULL, "that took them"},
};

void recipes_help(FILE *stream) {
    hiss_rows_help(stream, "NAME", recipe_rows, HISS_COUNT(recipe_rows));
    hiss_rows_help(stream, "NAME.recorded", recorded_rows, HISS_COUNT(recorded_rows));
}

const char *recipes_number(const reproduction *r, double value) {
    return isnan(value) ? "-" : hiss_arena_format(r->arena, "%.5g", value);
}

static hiss_status read_bound(const hiss_yaml *node, bound *out, hiss_error *err) {
    const hiss_yaml *value = hiss_yaml_get(node, "value"), *within = hiss_yaml_get(node, "within");
    char where[HISS_PLACE];
    *out = (bound){.reading = node->key, .value = (double)NAN};
    const bool good = node->kind == HISS_YAML_MAP && within && within->kind == HISS_YAML_SCALAR &&
                      hiss_real_parse(within->text, &out->within) && out->within >= 0 &&
                      (!value || (value->kind == HISS_YAML_SCALAR && hiss_real_parse(value->text, &out->value)));
    return good ? HISS_OK
                : hiss_fail(err, HISS_EUSER, "%s: %.80s: expected {value: NUMBER, within: NUMBER}",
                            hiss_yaml_place(node, where), node->key);
}

static hiss_status read_expect(reproduction *r, hiss_error *err) {
    const hiss_yaml *map = r->recipe.expect;
    char where[HISS_WHERE], key[128];
    hiss_status s = HISS_OK;
    for (const hiss_yaml *e = map && map->kind == HISS_YAML_MAP ? map->first : NULL; e && s == HISS_OK; e = e->next) {
        hiss_reading reading;
        char place[HISS_PLACE];
        if (r->bounds == RECIPE_READINGS) {
            return hiss_yaml_refuse(map, "expect", "at most 32 readings", err);
        }
        s = hiss_reading_parse(r->arena, e->key, &reading)
                ? read_bound(e, &r->bound[r->bounds++], err)
                : hiss_fail(err, HISS_EUSER,
                            "%s: expect: expected SUBJECT/JUDGEMENT.NUMBER of eval.json, found '%.80s'",
                            hiss_yaml_place(e, place), e->key);
    }
    if (s == HISS_OK && r->bounds == 0) {
        snprintf(key, sizeof key, "%.80s.expect", r->recipe.name);
        s = hiss_fail(err, HISS_EUSER,
                      "%s: expected readings with their bounds, as in trained/fc1/linear.percent: {value: "
                      "85.1, within: 0.6}",
                      hiss_config_where(r->text, key, where));
    }
    return s;
}

static hiss_status read_recipe(reproduction *r, const hiss_yaml *node, hiss_error *err) {
    char section[128];
    r->bounds = 0;
    r->recipe = (recipe){.name = node->key};
    hiss_status s = hiss_config_section(r->text, node->key, recipe_rows, HISS_COUNT(recipe_rows), &r->recipe, err);
    snprintf(section, sizeof section, "%.80s.recorded", node->key);
    s = s == HISS_OK ? hiss_config_section(r->text, section, recorded_rows, HISS_COUNT(recorded_rows), &r->recipe, err)
                     : s;
    return s == HISS_OK ? read_expect(r, err) : s;
}

static hiss_status expect_configs(const hiss_config *text, const hiss_yaml *root, hiss_error *err) {
    char where[HISS_PLACE], key[128];
    for (const hiss_yaml *e = root->first; e; e = e->next) {
        snprintf(key, sizeof key, "%.80s.config", e->key);
        if (!hiss_config_has(text, key)) {
            return hiss_fail(err, HISS_EUSER, "%s: %s is missing; it must be a config of hiss train",
                             hiss_yaml_place(e, where), key);
        }
    }
    return HISS_OK;
}

hiss_status recipes_read(reproduction *r, const char *file, const char *name, hiss_report_table *list,
                         hiss_error *err) {
    hiss_status s = hiss_file_expect_text(file, "the file of recipes", "configs/recipes.yaml is the shipped one", err);
    s = s == HISS_OK ? hiss_config_read(file, &r->text, err) : s;
    const hiss_yaml *root = s == HISS_OK ? hiss_config_node(r->text, "") : NULL, *found = NULL;
    const char *names = "";
    for (const hiss_yaml *e = root && root->kind == HISS_YAML_MAP ? root->first : NULL; e && s == HISS_OK;
         e = e->next) {
        s = read_recipe(r, e, err);
        names = hiss_arena_format(r->arena, "%s%s%s", names, *names ? ", " : "", e->key);
        found = name && strcmp(e->key, name) == 0 ? e : found;
        for (int k = 0; k < r->bounds && s == HISS_OK && list; k++) {
            const bound *b = &r->bound[k];
            hiss_report_put(list, k ? "" : e->key);
            hiss_report_put(list, b->reading);
            hiss_report_put(list, recipes_number(r, b->value));
            hiss_report_put(list, hiss_arena_format(r->arena, "%g", b->within));
            hiss_report_put(list,
                            k || r->recipe.seconds <= 0 ? "" : hiss_arena_format(r->arena, "%.0f", r->recipe.seconds));
            hiss_report_put(
                list, k || !*r->recipe.parameters ? "" : hiss_arena_format(r->arena, "%.8s", r->recipe.parameters));
        }
    }
    s = s == HISS_OK ? hiss_config_finish(r->text, err) : s;
    s = s == HISS_OK ? expect_configs(r->text, root, err) : s;
    if (s == HISS_OK && name && !found) {
        s = hiss_fail(err, HISS_EUSER, "%s has no recipe %.80s; it has %s", file, name, names);
    }
    return s == HISS_OK && found ? read_recipe(r, found, err) : s;
}
