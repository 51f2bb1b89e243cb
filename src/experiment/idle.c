/* Keys without effect. The help of a row says what it hangs on, where it begins with "VALUE: ", a choice of another row of
 * its section, or with "KEY VALUE: ", or has several values, as in "KEY VALUE, VALUE: "; "unless KEY is VALUE: " is for any
 * other. What that row hangs on holds for this one, too. A section of a method may hang on a row of the method's first one.
 * Keys that have their default are passed over: a config that hiss has written has all. */
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
    bool unless;
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

static int named_row(const hiss_section *section, const char *key) {
    int k = 0;
    while (k < *section->nrows && strcmp(section->rows[k].key, key) != 0) {
        k++;
    }
    return k;
}

/* What help says, of a row (NULL: of a section), in terms of the section's rows. */
static condition condition_of(const char *help, const hiss_row *row, const hiss_section *section) {
    condition c = {.on = NULL};
    char word[WORDS][WORD];
    help += strncmp(help, HISS_OF_EVALUATION, strlen(HISS_OF_EVALUATION)) == 0 ? strlen(HISS_OF_EVALUATION) : 0;
    const int n = words_of(help, word);
    c.unless = n == WORDS && strcmp(word[0], "unless") == 0 && strcmp(word[2], "is") == 0;
    const char *key = n > 1 ? word[c.unless] : "";
    const int named = named_row(section, key);
    if (named < *section->nrows) {
        c.on = &section->rows[named];
        c.values = c.unless ? 1 : n - 1;
        memcpy(c.value, word[n - c.values], sizeof word[0] * (size_t)c.values);
        return c;
    }
    for (const hiss_row *other = section->rows; other < section->rows + *section->nrows && n > 0 && !c.on; other++) {
        bool fits = other != row;
        for (int k = 0; k < n; k++) {
            fits = fits && has_choice(other, word[k]);
        }
        c.on = fits ? other : NULL;
        c.values = n;
        memcpy(c.value, word, sizeof word[0] * (size_t)n);
    }
    return c;
}

static bool same_value(const char *a, const char *b) {
    double x, y;
    return strcmp(a, b) == 0 || (hiss_real_parse(a, &x) && hiss_real_parse(b, &y) && x == y);
}

static bool holds(const condition *c, const char *text) {
    bool any = false;
    for (int k = 0; k < c->values; k++) {
        any = any || same_value(text, c->value[k]);
    }
    return !c->on || any != c->unless;
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
    return hiss_config_has(config, path) && (!row->standard || !same_value(text_of(config, path, row), row->standard));
}

/* The condition of a row, or of what it hangs on, that does not hold; on NULL: they all do. */
static condition failing(const hiss_config *config, const char *help, const hiss_row *row, const hiss_section *in) {
    char path[128];
    condition c = condition_of(help, row, in);
    for (int depth = 0; c.on && depth < *in->nrows; depth++) {
        snprintf(path, sizeof path, "%s.%s", in->name, c.on->key);
        if (!holds(&c, text_of(config, path, c.on))) {
            return c;
        }
        c = condition_of(c.on->help, c.on, in);
    }
    return (condition){.on = NULL};
}

/* One line for a key that hangs on a row of section `in`. */
static void tell(const hiss_config *config, const char *path, const condition *c, const hiss_section *in) {
    char on[128], where[HISS_WHERE];
    snprintf(on, sizeof on, "%s.%s", in->name, c->on->key);
    hiss_warn("%s: has no effect while %s is %s; it is for %s%s%s", hiss_config_where(config, path, where), on,
              text_of(config, on, c->on), c->unless ? "other values" : c->value[0], c->values > 1 ? " and " : "",
              c->values > 1 ? c->value[1] : "");
}

/* when: what the section as a whole hangs on, in terms of section first; or NULL. */
static void look(const hiss_config *config, const hiss_section *section, const char *when, const hiss_section *first) {
    for (const hiss_row *row = section->rows; row < section->rows + *section->nrows; row++) {
        char path[128];
        snprintf(path, sizeof path, "%s.%s", section->name, row->key);
        if (!is_set(config, path, row)) {
            continue;
        }
        const condition whole = when ? failing(config, when, NULL, first) : (condition){.on = NULL},
                        own = failing(config, row->help, row, section);
        if (whole.on) {
            tell(config, path, &whole, first);
        } else if (own.on) {
            tell(config, path, &own, section);
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
        if (e->objective->own_layers && e->objective->own_layers(e->objective_options)) {
            hiss_warn("%s: has no effect on objective %s, which makes its own layers", where, e->objective->name);
        } else if (e->network.layers && row->type != HISS_NODE) {
            hiss_warn("%s: has no effect beside network.layers, which lists all layers", where);
        }
    }
}

/* Of section optim, or of that of one group, what no optimiser of these groups reads with its schedule. */
static void look_at_optim(const hiss_experiment *e, const char *section, int first, int end, unsigned trained) {
    for (const hiss_row *row = hiss_optim_rows; row < hiss_optim_rows + hiss_optim_nrows; row++) {
        char path[128], where[HISS_WHERE];
        snprintf(path, sizeof path, "%s.%s", section, row->key);
        bool read = false;
        for (int g = first; g < end; g++) {
            read = read || ((trained >> g & 1u) && hiss_optim_reads(&e->optim[g], row->key));
        }
        if (read || !is_set(e->config, path, row)) {
            continue;
        }
        hiss_config_where(e->config, path, where);
        if (end == first + 1 && !(trained >> first & 1u)) {
            hiss_warn("%s: has no effect, since %s as it is set has no parameters of group %s to train", where,
                      e->objective->name, e->objective->groups[first]);
        } else {
            hiss_warn("%s: has no effect, since neither the method nor the schedule of %s reads it", where, section);
        }
    }
}

void hiss_experiment_tell_idle(const hiss_experiment *e, unsigned trained) {
    int count;
    const hiss_section *common = experiment_sections(&count), *own = e->objective->sections;
    for (int k = 0; k < count; k++) {
        look(e->config, &common[k], NULL, NULL);
    }
    for (const hiss_section *c = own; c < own + HISS_MAX_SECTIONS && c->name; c++) {
        look(e->config, c, c > own ? e->objective->others_when : NULL, own);
    }
    look_at_network(e);
    look_at_optim(e, "optim", 0, e->groups, e->objective->groups ? trained : ~0u);
    for (int g = 0; g < e->groups && e->objective->groups; g++) {
        char section[128];
        snprintf(section, sizeof section, "optim.%s", e->objective->groups[g]);
        look_at_optim(e, section, g, g + 1, trained);
    }
}
