/* What evaluation may change of a run: where data are and how it computes, its own keys, and what a method's rows say is of
 * evaluation. All else decides what was trained, or is of training, which is over: another value would be without effect, make
 * another network than the checkpoint's, or judge another method than was trained. */
#include <stdio.h>
#include <string.h>

#include "experiment/sections.h"
#include "hiss/number.h"

static bool is_free(const char *key) {
    static const char *const free_keys[] = {"data", "eval",    "generate",  "dist",        "corruption",
                                            "seed", "kernels", "precision", "kernel_table"};
    const size_t length = strcspn(key, ".");
    bool free = false;
    for (int k = 0; k < HISS_COUNT(free_keys); k++) {
        free = free || (strlen(free_keys[k]) == length && strncmp(key, free_keys[k], length) == 0);
    }
    return free;
}

/* Whether key is a section, or a row of it that is not of evaluation alone. */
static bool fixes(const char *section, const hiss_row *rows, int nrows, const char *key) {
    const size_t length = strlen(section);
    if (length > 0 && strcmp(key, section) == 0) {
        return true;
    }
    if (length > 0 && (strncmp(key, section, length) != 0 || key[length] != '.')) {
        return false;
    }
    const char *word = length > 0 ? key + length + 1 : key;
    for (const hiss_row *row = rows; row < rows + nrows; row++) {
        if (strcmp(row->key, word) == 0) {
            return strncmp(row->help, HISS_OF_EVALUATION, strlen(HISS_OF_EVALUATION)) != 0;
        }
    }
    return false;
}

/* Whether the key is known, and of training; who reads the config tells of unknown ones. */
static bool is_of_training(const char *key) {
    int count;
    const hiss_section *common = experiment_sections(&count);
    bool fixed = fixes("optim", hiss_optim_rows, hiss_optim_nrows, key);
    for (int k = 0; k < count; k++) {
        fixed = fixed || fixes(common[k].name, common[k].rows, *common[k].nrows, key);
    }
    for (const hiss_objective_ops *const *o = hiss_objectives(); *o; o++) {
        for (const hiss_section *c = (*o)->sections; c < (*o)->sections + HISS_MAX_SECTIONS && c->name; c++) {
            fixed = fixed || fixes(c->name, c->rows, *c->nrows, key);
        }
        for (const char *const *group = (*o)->groups; group && *group; group++) {
            char section[128];
            snprintf(section, sizeof section, "optim.%s", *group);
            fixed = fixed || fixes(section, hiss_optim_rows, hiss_optim_nrows, key);
        }
    }
    return fixed && !is_free(key);
}

static bool same(const hiss_yaml *a, const hiss_yaml *b) {
    double x, y;
    if (!a || !b || a->kind != b->kind) {
        return a == b;
    }
    if (a->kind == HISS_YAML_SCALAR) {
        return strcmp(a->text, b->text) == 0 ||
               (hiss_real_parse(a->text, &x) && hiss_real_parse(b->text, &y) && x == y);
    }
    const hiss_yaml *left = a->first, *right = b->first;
    while (left && right && same(left, right) && (a->kind == HISS_YAML_LIST || strcmp(left->key, right->key) == 0)) {
        left = left->next;
        right = right->next;
    }
    return !left && !right;
}

/* A method may have several names. */
static bool is_one_method(const char *key, const hiss_yaml *a, const hiss_yaml *b) {
    return strcmp(key, "objective") == 0 && a && b && hiss_objective_names_one(a->text, b->text);
}

static const hiss_yaml *value_of(const hiss_config *config, const char *key) {
    return hiss_config_has(config, key) ? hiss_config_node(config, key) : NULL;
}

static hiss_status refuse(const char *run, const char *key, const char *set, const hiss_yaml *trained,
                          hiss_error *err) {
    char with[80] = "";
    if (trained && trained->kind == HISS_YAML_SCALAR) {
        snprintf(with, sizeof with, "%s %.40s", *trained->text ? "with" : "without", trained->text);
    } else {
        snprintf(with, sizeof with, "%s", trained ? "with another value" : "without");
    }
    return hiss_fail(
        err, HISS_EUSER,
        "--set %s: %s was trained %s, which cannot be changed afterwards; leave it out, or train another run "
        "with it (hiss train %s/config.yaml --run NEW --set '%.200s')",
        key, run, with, run, set);
}

hiss_status hiss_experiment_expect_trained(const char *run, const char *const *sets, int nsets, hiss_error *err) {
    char path[4096];
    hiss_config *stored = NULL, *changed = NULL;
    hiss_error unused;
    hiss_status s = HISS_OK;
    snprintf(path, sizeof path, "%s/config.yaml", run);
    const bool read =
        hiss_config_read(path, &stored, &unused) == HISS_OK && hiss_config_read(path, &changed, &unused) == HISS_OK;
    for (int k = 0; k < nsets && read && s == HISS_OK; k++) { /* who reads them all says what else is wrong */
        char key[256];
        snprintf(key, sizeof key, "%.*s", (int)strcspn(sets[k], "="), sets[k]);
        const bool set = is_of_training(key) && hiss_config_set(changed, sets[k], &unused) == HISS_OK;
        const hiss_yaml *trained = value_of(stored, key);
        const hiss_yaml *now = set ? value_of(changed, key) : NULL;
        s = set && !same(trained, now) && !is_one_method(key, trained, now) ? refuse(run, key, sets[k], trained, err)
                                                                            : HISS_OK;
    }
    hiss_config_destroy(stored);
    hiss_config_destroy(changed);
    return s;
}
