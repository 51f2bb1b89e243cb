/* Keys without effect. The help of a row says what it hangs on, where it begins with "VALUE: ", a choice of another row of
 * its section, or with "KEY VALUE: ", or has several values, as in "KEY VALUE, VALUE: ". Keys that have their default are
 * passed over: a config that hiss has written has all. */
#include <stdio.h>
#include <string.h>

#include "experiment/sections.h"
#include "hiss/log.h"
#include "hiss/number.h"

enum { WORDS = 4, WORD = 32 };

typedef struct condition {
    const hiss_row *on; /* NULL: none */
    char value[WORDS][WORD];
    int values;
} condition;

static bool has_choice(const hiss_row *row, const char *value) {
    const size_t length = strlen(value);
    for (const char *choice = row->type == HISS_CHOICE ? row->choices : ""; *choice;
         choice += strcspn(choice, "|"), choice += *choice == '|') {
        if (strcspn(choice, "|") == length && strncmp(choice, value, length) == 0) {
            return true;
        }
    }
    return false;
}

/* The words before the first ": "; 0 where they are more or longer than those of a condition. */
static int words_of(const char *help, char word[WORDS][WORD]) {
    const char *end = strstr(help, ": ");
    int n = 0;
    for (const char *at = help; end && at < end; at += strspn(at, ", ")) {
        const size_t length = strcspn(at, ",: ");
        if (n == WORDS || length == 0 || length >= WORD) {
            return 0;
        }
        snprintf(word[n++], WORD, "%.*s", (int)length, at);
        at += length;
        if (at == end) {
            break;
        }
    }
    return n;
}

static condition condition_of(const hiss_row *row, const hiss_row *rows, int count) {
    condition c = {.on = NULL};
    char word[WORDS][WORD];
    const int n = words_of(row->help, word);
    for (const hiss_row *other = rows; other < rows + count && n > 0 && !c.on; other++) {
        const bool named = n > 1 && strcmp(other->key, word[0]) == 0;
        bool fits = other != row;
        for (int k = named; k < n && !named; k++) {
            fits = fits && has_choice(other, word[k]);
        }
        c.on = fits ? other : NULL;
        c.values = n - named;
        memcpy(c.value, word[named], sizeof word[0] * (size_t)c.values);
    }
    return c;
}

static bool holds(const condition *c, const char *text) {
    bool any = !c->on;
    for (int k = 0; k < c->values; k++) {
        any = any || strcmp(text, c->value[k]) == 0;
    }
    return any;
}

/* As the user wrote it; "" where that is no scalar. */
static const char *text_of(const hiss_config *config, const char *path, const hiss_row *row) {
    if (!row) {
        return "";
    }
    const hiss_yaml *node = hiss_config_has(config, path) ? hiss_config_node(config, path) : NULL;
    return !node ? row->standard ? row->standard : "null" : node->kind == HISS_YAML_SCALAR ? node->text : "";
}

static bool is_set(const hiss_config *config, const char *path, const hiss_row *row) {
    const char *text = text_of(config, path, row), *standard = row->standard;
    double value, usual;
    return hiss_config_has(config, path) &&
           (!standard || (strcmp(text, standard) != 0 &&
                          !(hiss_real_parse(text, &value) && hiss_real_parse(standard, &usual) && value == usual)));
}

static void look(const hiss_config *config, const hiss_section *section) {
    for (const hiss_row *row = section->rows; row < section->rows + *section->nrows; row++) {
        const condition c = condition_of(row, section->rows, *section->nrows);
        char path[128], on[128], where[HISS_WHERE];
        snprintf(path, sizeof path, "%s.%s", section->name, row->key);
        snprintf(on, sizeof on, "%s.%s", section->name, c.on ? c.on->key : row->key);
        if (is_set(config, path, row) && !holds(&c, text_of(config, on, c.on))) {
            hiss_warn("%s: has no effect while %s is %s; it is for %s%s%s", hiss_config_where(config, path, where), on,
                      text_of(config, on, c.on), c.value[0], c.values > 1 ? " and " : "",
                      c.values > 1 ? c.value[1] : "");
        }
    }
}

/* Of section network, what its list of layers or the method leaves unused. */
static void look_at_network(const hiss_experiment *e) {
    for (const hiss_row *row = hiss_network_rows; row < hiss_network_rows + hiss_network_nrows; row++) {
        char path[64], where[HISS_WHERE];
        snprintf(path, sizeof path, "network.%s", row->key);
        if (!is_set(e->config, path, row)) {
            continue;
        }
        hiss_config_where(e->config, path, where);
        if (e->objective->own_layers) {
            hiss_warn("%s: has no effect on objective %s, which makes its own layers", where, e->objective->name);
        } else if (e->network.layers && row->type != HISS_NODE) {
            hiss_warn("%s: has no effect beside network.layers, which lists all layers", where);
        }
    }
}

/* Of section optim, or of that of one group, what no optimiser of these groups reads with its schedule. */
static void look_at_optim(const hiss_experiment *e, const char *section, int first, int end) {
    for (const hiss_row *row = hiss_optim_rows; row < hiss_optim_rows + hiss_optim_nrows; row++) {
        char path[128], where[HISS_WHERE];
        snprintf(path, sizeof path, "%s.%s", section, row->key);
        bool read = !is_set(e->config, path, row);
        for (int g = first; g < end && !read; g++) {
            read = hiss_optim_reads(&e->optim[g], row->key);
        }
        if (!read) {
            hiss_warn("%s: has no effect, since neither the method nor the schedule of %s reads it",
                      hiss_config_where(e->config, path, where), section);
        }
    }
}

void hiss_experiment_tell_idle(const hiss_experiment *e) {
    int count;
    const hiss_section *common = experiment_sections(&count);
    for (int k = 0; k < count; k++) {
        look(e->config, &common[k]);
    }
    for (const hiss_section *c = e->objective->sections; c < e->objective->sections + HISS_MAX_SECTIONS && c->name;
         c++) {
        look(e->config, c);
    }
    look_at_network(e);
    look_at_optim(e, "optim", 0, e->groups);
    for (int g = 0; g < e->groups && e->objective->groups; g++) {
        char section[128];
        snprintf(section, sizeof section, "optim.%s", e->objective->groups[g]);
        look_at_optim(e, section, g, g + 1);
    }
}
