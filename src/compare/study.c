/* The study file. Keys come from tables of rows; lists, and sections whose names the user chooses, are read here with
 * the same kind of message. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "compare/compare_impl.h"
#include "hiss/number.h"

enum { MOST_ROWS = 64, MOST_TRANSFERS = 8, MOST_COLUMNS = 32, MOST_CURVES = 16, MOST_SEEDS = 64, MOST_SETTINGS = 100 };

typedef struct form {
    hiss_comparison study;
    const hiss_yaml *seeds, *base, *launch, *sbatch, *modules;
    const char *control;
    int quick;
} form;

#define TOP(field) offsetof(form, field)
static const hiss_row top_rows[] = {
    {"name", HISS_STRING, TOP(study.name), "comparison", 1, 0, NULL, "title of the table"},
    {"seeds", HISS_NODE, TOP(seeds), NULL, 0, 0, NULL, "each row is trained once with each: [1, 2, 3] (default: [1])"},
    {"base", HISS_NODE, TOP(base), NULL, 0, 0, NULL,
     "changes to every config, before those of its row: [train.epochs=3, data.limit=6000]"},
    {"control", HISS_STRING, TOP(control), NULL, 1, 0, NULL,
     "a row, such as that of random features: numbers of trained rows that are not better are marked"},
    {"form", HISS_CHOICE, TOP(quick), "full", 0, 0, "full|quick", "quick: as section quick changes it (--quick)"},
    {"ranks", HISS_INT, TOP(study.ranks), "1", 1, 999999, NULL, "ranks of each run; they do not change the readings"},
    {"threads", HISS_INT, TOP(study.threads), "1", 1, 1024, NULL, "threads of each rank"},
    {"limit", HISS_INT, TOP(study.limit), "0", 0, 1e9, NULL,
     "seconds after which a training or an evaluation counts as failed; 0: none"},
    {"keep", HISS_BOOL, TOP(study.keep), "true", 0, 0, NULL,
     "keep the checkpoints of finished runs; without them nothing can be judged anew"},
    {"launch", HISS_NODE, TOP(launch), NULL, 0, 0, NULL,
     "words before hiss train and hiss eval; RANKS, THREADS stand for numbers, HOSTS for the nodes (default: none for "
     "one "
     "rank, else mpirun, each thread on a core of its own where there are enough)"},
};

static const hiss_row slurm_rows[] = {
    {"options", HISS_NODE, TOP(sbatch), NULL, 0, 0, NULL,
     "of every job of --submit: [--time=00:30:00, --partition=NAME]"},
    {"modules", HISS_NODE, TOP(modules), NULL, 0, 0, NULL, "loaded first in every job: [OpenMPI, OpenBLAS]"},
};

typedef struct quick_form {
    const hiss_yaml *seeds, *rows, *transfers;
} quick_form;
static const hiss_row quick_rows[] = {
    {"seeds", HISS_NODE, offsetof(quick_form, seeds), NULL, 0, 0, NULL, "in place of those above"},
    {"rows", HISS_NODE, offsetof(quick_form, rows), NULL, 0, 0, NULL,
     "changes to every row, after its own: [train.epochs=1]"},
    {"transfers", HISS_NODE, offsetof(quick_form, transfers), NULL, 0, 0, NULL, "the same to every transfer"},
};

typedef struct row_form {
    hiss_compare_row row;
    const char *of;
    const hiss_yaml *set, *transfer_set;
} row_form;
static const hiss_row row_rows[] = {
    {"config", HISS_PATH, offsetof(row_form, row.config), NULL, 0, 0, NULL, "config of hiss train"},
    {"set", HISS_NODE, offsetof(row_form, set), NULL, 0, 0, NULL, "changes to it: [optim.lr=0.1]"},
    {"transfer_set", HISS_NODE, offsetof(row_form, transfer_set), NULL, 0, 0, NULL,
     "changes to all transfers of this row, where its network needs them: [classify.sees=lightness]"},
    {"of", HISS_STRING, offsetof(row_form, of), NULL, 1, 0, NULL,
     "in place of config: a row whose runs are read for other features than the trained ones"},
    {"features", HISS_CHOICE, offsetof(row_form, row.features), "trained", 0, 0, "trained|random|raw",
     "with of: those of the network before training, or pixels"},
};

typedef struct transfer_form {
    hiss_compare_transfer transfer;
    const hiss_yaml *set;
} transfer_form;
static const hiss_row transfer_rows[] = {
    {"config", HISS_PATH, offsetof(transfer_form, transfer.config), NULL, 0, 0, NULL,
     "config of a training that begins from the end of each row (train.init), and of random values for its controls"},
    {"set", HISS_NODE, offsetof(transfer_form, set), NULL, 0, 0, NULL,
     "changes to it, in place of base: [\"train.freeze=[conv1, conv2]\"]"},
};

typedef struct source_form { /* what columns and curves share */
    const char *reading, *transfer;
} source_form;

typedef struct column_form {
    source_form source;
    int best;
} column_form;
static const hiss_row column_rows[] = {
    {"reading", HISS_STRING, offsetof(column_form, source.reading), NULL, 1, 0, NULL,
     "a number of eval.json: trained/LAYER/JUDGEMENT.NUMBER, such as trained/conv3/linear.percent"},
    {"transfer", HISS_STRING, offsetof(column_form, source.transfer), NULL, 1, 0, NULL,
     "a transfer, whose eval.json is read in place of that of the row"},
    {"best", HISS_CHOICE, offsetof(column_form, best), "highest", 0, 0, "highest|lowest|none",
     "which of its numbers is marked"},
};

typedef struct curve_form {
    source_form source;
    const char *x;
} curve_form;
static const hiss_row curve_rows[] = {
    {"reading", HISS_STRING, offsetof(curve_form, source.reading), NULL, 1, 0, NULL,
     "numbers of eval.json over the number at *, such as trained/conv3/few_labels.*.linear"},
    {"transfer", HISS_STRING, offsetof(curve_form, source.transfer), NULL, 1, 0, NULL,
     "as of columns; or with * for a number, such as few-*: one number of each of these transfers, over the number at "
     "*"},
    {"x", HISS_STRING, offsetof(curve_form, x), NULL, 1, 0, NULL,
     "what the number at * is (default: what the judgement says)"},
};

typedef struct published_form {
    const char *name;
    const hiss_yaml *values;
} published_form;
static const hiss_row published_rows[] = {
    {"name", HISS_STRING, offsetof(published_form, name), "published", 1, 0, NULL, "heading of the published column"},
    {"values", HISS_NODE, offsetof(published_form, values), NULL, 0, 0, NULL,
     "its numbers by row: {nat: 36.0}; each column then says its rank correlation with them"},
};

void hiss_comparison_help(FILE *stream) {
    hiss_rows_help(stream, "", top_rows, HISS_COUNT(top_rows));
    hiss_rows_help(stream, "rows.NAME", row_rows, HISS_COUNT(row_rows));
    hiss_rows_help(stream, "transfers.NAME", transfer_rows, HISS_COUNT(transfer_rows));
    hiss_rows_help(stream, "columns.NAME", column_rows, HISS_COUNT(column_rows));
    hiss_rows_help(stream, "curves.NAME", curve_rows, HISS_COUNT(curve_rows));
    hiss_rows_help(stream, "published", published_rows, HISS_COUNT(published_rows));
    hiss_rows_help(stream, "quick", quick_rows, HISS_COUNT(quick_rows));
    hiss_rows_help(stream, "slurm", slurm_rows, HISS_COUNT(slurm_rows));
}

/* ---- rows ---- */

static int find_row(const hiss_comparison *study, const char *name) {
    int k = 0;
    while (k < study->nrows && strcmp(study->rows[k].name, name) != 0) {
        k++;
    }
    return k < study->nrows ? k : -1;
}

/* The nearest name of a row, or all of them, in arena. */
static const char *suggest_row(const hiss_comparison *study, const char *name) {
    const char *list = "there is no row yet";
    int nearest = 0;
    for (int k = 0; k < study->nrows; k++) {
        list = hiss_arena_format(study->arena, "%s%s", k ? list : "there are ", k ? ", " : "");
        list = hiss_arena_format(study->arena, "%s%s", list, study->rows[k].name);
        nearest = hiss_edit_distance(name, study->rows[k].name) < hiss_edit_distance(name, study->rows[nearest].name)
                      ? k
                      : nearest;
    }
    return study->nrows > 0 && hiss_edit_distance(name, study->rows[nearest].name) <= 2
               ? hiss_arena_format(study->arena, "did you mean '%s'?", study->rows[nearest].name)
               : list;
}

/* A row with a config, or a control of an earlier one. */
static hiss_status settle_row(hiss_comparison *study, const hiss_yaml *node, const char *section, const row_form *f,
                              hiss_error *err) {
    hiss_compare_row *row = &study->rows[study->nrows];
    char where[HISS_PLACE], key[COMPARE_NAME + 32];
    if (f->of) {
        snprintf(key, sizeof key, "%s.of", section);
        char at[HISS_WHERE];
        row->of = find_row(study, f->of);
        if (row->config || f->set || f->transfer_set) {
            return hiss_fail(err, HISS_EUSER,
                             "%s: a row has config, set and transfer_set, or of and features; leave one pair out",
                             hiss_config_where(study->text, key, at));
        }
        if (row->of < 0 || study->rows[row->of].of != row->of) {
            return hiss_fail(err, HISS_EUSER, "%s: expected an earlier row that has a config, found '%.60s'; %s",
                             hiss_config_where(study->text, key, at), f->of, suggest_row(study, f->of));
        }
        if (row->features == HISS_COMPARE_TRAINED) {
            return hiss_fail(err, HISS_EUSER,
                             "%s: the trained features are row %s itself; give features: random or raw",
                             hiss_config_where(study->text, key, at), f->of);
        }
        return HISS_OK;
    }
    row->of = study->nrows;
    if (!row->config) {
        return hiss_fail(err, HISS_EUSER, "%s: %s.config is missing; it must be a config of hiss train",
                         hiss_yaml_place(node, where), section);
    }
    return row->features == HISS_COMPARE_TRAINED
               ? HISS_OK
               : hiss_fail(err, HISS_EUSER,
                           "%s: %s.features is of rows that read the runs of another one; give of: ROW in place of "
                           "config",
                           hiss_yaml_place(node, where), section);
}

/* Why an assignment is not the user's to make; NULL: it is, or it cannot be read, which whoever reads the config says. */
static const char *find_owned(const char *assignment, bool transfer) {
    static const char *const owned[][2] = {{"seed", "seeds says which seeds there are"},
                                           {"dist.threads", "threads says how many threads a rank has"},
                                           {"train.init", "a transfer begins from the run of its row"}};
    hiss_config *config = NULL;
    hiss_error unused;
    const char *why = NULL;
    if (hiss_config_read(NULL, &config, &unused) == HISS_OK &&
        hiss_config_set(config, assignment, &unused) == HISS_OK) {
        for (int k = 0; k < HISS_COUNT(owned) - !transfer && !why; k++) {
            why = hiss_config_has(config, owned[k][0]) ? owned[k][1] : NULL;
        }
    }
    hiss_config_destroy(config);
    return why;
}

/* A list of "key=value"; transfer: of a transfer. */
static hiss_status read_set(hiss_comparison *study, const hiss_yaml *node, const char *key, bool transfer,
                            const char ***out, int *count, hiss_error *err) {
    char where[HISS_PLACE];
    hiss_status s = hiss_yaml_words(study->arena, node, key, "a list of key=value", out, count, err);
    if (s == HISS_OK && *count > MOST_SETTINGS) {
        return hiss_yaml_refuse(node, key, "at most 100 of key=value", err);
    }
    const hiss_yaml *item = node && node->kind == HISS_YAML_LIST ? node->first : node;
    for (int k = 0; k < *count && s == HISS_OK; k++, item = item->next) {
        const char *why = find_owned((*out)[k], transfer);
        s = why ? hiss_fail(err, HISS_EUSER, "%s: %s: %s; leave %.80s out", hiss_yaml_place(item, where), key, why,
                            (*out)[k])
                : s;
    }
    return s;
}

static hiss_status read_rows(hiss_comparison *study, hiss_error *err) {
    const hiss_yaml *first = compare_entries(study, "rows", "config: CONFIG, set: [key=value]", MOST_ROWS, err);
    hiss_status s = first ? HISS_OK : HISS_EUSER;
    study->rows = hiss_arena_alloc(study->arena, sizeof *study->rows * MOST_ROWS);
    for (const hiss_yaml *c = first; c && s == HISS_OK; c = c->next) {
        char section[COMPARE_SECTION];
        row_form f = {.set = NULL};
        s = compare_read_entry(study, c, "rows", "_-", "letters, digits, _ and -", row_rows, HISS_COUNT(row_rows),
                               section, &f, err);
        f.row.name = c->key;
        s = s == HISS_OK ? read_set(study, f.set, hiss_arena_format(study->arena, "rows.%s.set", c->key), false,
                                    &f.row.set, &f.row.nset, err)
                         : s;
        s = s == HISS_OK
                ? read_set(study, f.transfer_set, hiss_arena_format(study->arena, "rows.%s.transfer_set", c->key), true,
                           &f.row.transfer_set, &f.row.ntransfer_set, err)
                : s;
        if (s == HISS_OK) {
            study->rows[study->nrows] = f.row;
            s = settle_row(study, c, section, &f, err);
            study->nrows++;
        }
    }
    return s;
}

/* Runs are named ROW-sSEED-TRANSFER: no piece of a transfer's name may look like a seed, or two runs had one name. */
static bool has_seed(const char *name) {
    bool begins = true;
    for (const char *c = name; *c; begins = *c == '-', c++) {
        const size_t digits = begins && *c == 's' ? strspn(c + 1, "0123456789") : 0;
        if (digits > 0 && (c[1 + digits] == 0 || c[1 + digits] == '-')) {
            return true;
        }
    }
    return false;
}

static hiss_status settle_transfer(hiss_comparison *study, const hiss_yaml *node, transfer_form *f, hiss_error *err) {
    char where[HISS_PLACE];
    hiss_compare_transfer *t = &f->transfer;
    t->name = node->key;
    if (has_seed(t->name)) {
        return hiss_fail(err, HISS_EUSER, "%s: transfers: '%s' could be taken for a seed; choose another name",
                         hiss_yaml_place(node, where), t->name);
    }
    if (!t->config) {
        return hiss_fail(err, HISS_EUSER, "%s: transfers.%s.config is missing; it must be a config of hiss train",
                         hiss_yaml_place(node, where), t->name);
    }
    return read_set(study, f->set, hiss_arena_format(study->arena, "transfers.%s.set", t->name), true, &t->set,
                    &t->nset, err);
}

static hiss_status read_transfers(hiss_comparison *study, hiss_error *err) {
    if (!compare_has_section(study, "transfers")) {
        return HISS_OK;
    }
    const hiss_yaml *first =
        compare_entries(study, "transfers", "config: CONFIG, set: [key=value]", MOST_TRANSFERS, err);
    hiss_status s = first ? HISS_OK : HISS_EUSER;
    study->transfers = hiss_arena_alloc(study->arena, sizeof *study->transfers * MOST_TRANSFERS);
    for (const hiss_yaml *c = first; c && s == HISS_OK; c = c->next) {
        char section[COMPARE_SECTION];
        transfer_form f = {.set = NULL};
        s = compare_read_entry(study, c, "transfers", "_-", "letters, digits, _ and -", transfer_rows,
                               HISS_COUNT(transfer_rows), section, &f, err);
        s = s == HISS_OK ? settle_transfer(study, c, &f, err) : s;
        study->transfers[study->ntransfers] = f.transfer;
        study->ntransfers += s == HISS_OK;
    }
    return s;
}

/* ---- columns and curves ---- */

/* A transfer, or of a curve over transfers (several) those whose names have a number at *. */
static hiss_status find_transfer(const hiss_comparison *study, const char *section, const char *name, bool several,
                                 hiss_reading *out, hiss_error *err) {
    char key[COMPARE_NAME + 32], where[HISS_WHERE];
    const char *list = "";
    out->transfers = several && !strchr(strchr(name, '*') + 1, '*') ? name : NULL;
    for (int k = 0; k < study->ntransfers; k++) {
        list = hiss_arena_format(study->arena, "%s%s%s", list, k ? ", " : "", study->transfers[k].name);
        if (out->transfers ? hiss_comparison_is_of(study, out, k + 1, NULL)
                           : strcmp(study->transfers[k].name, name) == 0) {
            out->transfer = k + 1;
            return HISS_OK;
        }
    }
    snprintf(key, sizeof key, "%s.transfer", section);
    return hiss_fail(err, HISS_EUSER, "%s: expected %s of section transfers, which has %s; found '%.60s'",
                     hiss_config_where(study->text, key, where),
                     several ? "names with * for a number, such as few-*," : "a name", *list ? list : "none", name);
}

/* One number at *, between the dots of its name. */
static bool is_pattern(const char *number) {
    const char *star = strchr(number, '*');
    return star && !strchr(star + 1, '*') && (star == number || star[-1] == '.') && (!star[1] || star[1] == '.');
}

static hiss_status settle_reading(const hiss_comparison *study, const hiss_yaml *node, const char *section, bool curve,
                                  const source_form *f, hiss_reading *out, hiss_error *err) {
    char key[COMPARE_NAME + 32], where[HISS_WHERE], place[HISS_PLACE];
    if (!f->reading) {
        return hiss_fail(err, HISS_EUSER, "%s: %s.reading is missing; it must be %s of eval.json",
                         hiss_yaml_place(node, place), section, curve ? "numbers" : "a number");
    }
    const bool reads = hiss_reading_parse(study->arena, f->reading, out),
               several = f->transfer && strchr(f->transfer, '*');
    const bool numbers = curve && !several; /* in one evaluation */
    if (!reads || (numbers ? !is_pattern(out->number) : strchr(f->reading, '*') != NULL)) {
        snprintf(key, sizeof key, "%s.reading", section);
        return hiss_fail(err, HISS_EUSER, "%s: expected SUBJECT/JUDGEMENT.NUMBER of eval.json, %s, found '%.80s'",
                         hiss_config_where(study->text, key, where),
                         numbers ? "with * for a number, such as trained/conv3/few_labels.*.linear"
                         : reads ? several ? "of one number, for * is in the names of the transfers"
                                           : "of one number; section curves takes *"
                                 : "such as trained/conv3/linear.percent",
                         f->reading);
    }
    return f->transfer ? find_transfer(study, section, f->transfer, several && curve, out, err) : HISS_OK;
}

static hiss_status read_columns(hiss_comparison *study, hiss_error *err) {
    const hiss_yaml *first =
        compare_entries(study, "columns", "reading: trained/conv3/linear.percent", MOST_COLUMNS, err);
    hiss_status s = first ? HISS_OK : HISS_EUSER;
    study->columns = hiss_arena_alloc(study->arena, sizeof *study->columns * MOST_COLUMNS);
    for (const hiss_yaml *c = first; c && s == HISS_OK; c = c->next) {
        char section[COMPARE_SECTION];
        column_form f = {.best = 0};
        hiss_compare_column *column = &study->columns[study->ncolumns];
        s = compare_read_entry(study, c, "columns", " _-+/%@", "letters, digits, blanks and _-+/%@", column_rows,
                               HISS_COUNT(column_rows), section, &f, err);
        s = s == HISS_OK ? compare_check_column(study, c, err) : s;
        column->name = c->key;
        column->best = f.best;
        s = s == HISS_OK ? settle_reading(study, c, section, false, &f.source, &column->reading, err) : s;
        study->ncolumns += s == HISS_OK;
    }
    return s;
}

/* A curve's name is that of its file. */
static hiss_status read_curves(hiss_comparison *study, hiss_error *err) {
    if (!compare_has_section(study, "curves")) {
        return HISS_OK;
    }
    const hiss_yaml *first =
        compare_entries(study, "curves", "reading: trained/conv3/few_labels.*.linear", MOST_CURVES, err);
    hiss_status s = first ? HISS_OK : HISS_EUSER;
    study->curves = hiss_arena_alloc(study->arena, sizeof *study->curves * MOST_CURVES);
    for (const hiss_yaml *c = first; c && s == HISS_OK; c = c->next) {
        char section[COMPARE_SECTION];
        curve_form f = {.x = NULL};
        hiss_compare_curve *curve = &study->curves[study->ncurves];
        s = compare_read_entry(study, c, "curves", "_-", "letters, digits, _ and -", curve_rows, HISS_COUNT(curve_rows),
                               section, &f, err);
        curve->name = c->key;
        curve->x = f.x;
        s = s == HISS_OK ? settle_reading(study, c, section, true, &f.source, &curve->reading, err) : s;
        study->ncurves += s == HISS_OK;
    }
    return s;
}

/* ---- seeds, published numbers ---- */

static hiss_status find_control(hiss_comparison *study, const char *name, hiss_error *err) {
    char where[HISS_WHERE];
    study->control = name ? find_row(study, name) : -1;
    return !name || study->control >= 0
               ? HISS_OK
               : hiss_fail(err, HISS_EUSER, "%s: expected the name of a row, found '%.60s'; %s",
                           hiss_config_where(study->text, "control", where), name, suggest_row(study, name));
}

static hiss_status read_seeds(hiss_comparison *study, const hiss_yaml *node, const char *key, hiss_error *err) {
    static const char expected[] = "different integers from 0, as in [1, 2, 3]";
    const char **word = NULL;
    int n = 0;
    if (node && node->kind == HISS_YAML_SCALAR) { /* 3 might be the number of seeds */
        return hiss_yaml_refuse(node, key, "a list: [3] is seed 3 alone, [1, 2, 3] are three seeds", err);
    }
    hiss_status s = hiss_yaml_words(study->arena, node, key, expected, &word, &n, err);
    study->seeds = hiss_arena_alloc(study->arena, sizeof *study->seeds * MOST_SEEDS);
    if (s == HISS_OK && node && (n == 0 || n > MOST_SEEDS)) {
        return hiss_yaml_refuse(node, key, "1 to 64 numbers", err);
    }
    for (int k = 0; k < n && s == HISS_OK; k++) {
        const hiss_yaml *item = node->first;
        for (int skip = 0; skip < k; skip++) {
            item = item->next;
        }
        bool fits = hiss_integer_parse(word[k], &study->seeds[k]) && study->seeds[k] >= 0;
        for (int i = 0; i < k; i++) {
            fits = fits && study->seeds[i] != study->seeds[k];
        }
        s = fits ? s : hiss_yaml_refuse(item, key, expected, err);
    }
    study->seeds[0] = node ? study->seeds[0] : 1;
    study->nseeds = node ? n : 1;
    return s;
}

static hiss_status read_published(hiss_comparison *study, hiss_error *err) {
    published_form f = {.values = NULL};
    char where[HISS_PLACE], hint[HISS_HINT];
    hiss_status s = hiss_config_section(study->text, "published", published_rows, HISS_COUNT(published_rows), &f, err);
    study->published = hiss_arena_alloc(study->arena, sizeof *study->published * MOST_ROWS);
    for (int k = 0; k < MOST_ROWS; k++) {
        study->published[k] = (double)NAN;
    }
    if (s != HISS_OK || !f.values) {
        return s;
    }
    if (f.values->kind != HISS_YAML_MAP) {
        return hiss_yaml_refuse(f.values, "published.values", "numbers by row, as in {nat: 36.0}", err);
    }
    study->published_name = f.name;
    for (const hiss_yaml *c = f.values->first; c; c = c->next) {
        const int row = find_row(study, c->key);
        if (row < 0) {
            return hiss_fail(err, HISS_EUSER, "%s: published.values: expected the name of a row, found '%.60s'; %s",
                             hiss_yaml_place(c, where), c->key, suggest_row(study, c->key));
        }
        if (!c->text || !hiss_real_parse(c->text, &study->published[row])) {
            return c->text
                       ? hiss_fail(err, HISS_EUSER, "%s: published.values.%s: expected a number, found '%.80s'%s",
                                   hiss_yaml_place(c, where), c->key, c->text, hiss_number_hint(c->text, false, hint))
                       : hiss_yaml_refuse(c, "published.values", "a number", err);
        }
    }
    return HISS_OK;
}

/* Seeds of the command line win over those of section quick in the file. */
static hiss_status prefer_seeds(hiss_comparison *study, hiss_error *err) {
    const hiss_yaml *seeds = hiss_config_node(study->text, "seeds"),
                    *quick = hiss_config_node(study->text, "quick.seeds");
    return seeds && seeds->line == 0 && quick && quick->line > 0 ? hiss_config_set(study->text, "quick.seeds=null", err)
                                                                 : HISS_OK;
}

/* Section quick, which is checked in the full form, too. */
static hiss_status read_quick(hiss_comparison *study, quick_form *f, hiss_error *err) {
    hiss_status s = hiss_config_section(study->text, "quick", quick_rows, HISS_COUNT(quick_rows), f, err);
    s = s == HISS_OK ? read_set(study, f->rows, "quick.rows", false, &study->quick_rows, &study->nquick_rows, err) : s;
    s = s == HISS_OK ? read_set(study, f->transfers, "quick.transfers", true, &study->quick_transfers,
                                &study->nquick_transfers, err)
                     : s;
    s = s == HISS_OK && f->seeds ? read_seeds(study, f->seeds, "quick.seeds", err) : s;
    if (s == HISS_OK && study->quick && !hiss_config_has(study->text, "quick")) {
        s = hiss_fail(err, HISS_EUSER,
                      "%s has no section quick, which says how the quick form is less; write one, or leave --quick out",
                      hiss_config_name(study->text));
    }
    return s;
}

static hiss_status read_study(hiss_comparison *out, hiss_error *err) {
    form f = {.study = *out};
    quick_form quick = {.seeds = NULL};
    hiss_comparison *study = &f.study;
    hiss_status s = prefer_seeds(study, err);
    s = s == HISS_OK ? hiss_config_section(out->text, "", top_rows, HISS_COUNT(top_rows), &f, err) : s;
    s = s == HISS_OK ? hiss_config_section(out->text, "slurm", slurm_rows, HISS_COUNT(slurm_rows), &f, err) : s;
    s = s == HISS_OK ? read_rows(study, err) : s;
    s = s == HISS_OK ? find_control(study, f.control, err) : s;
    s = s == HISS_OK ? read_transfers(study, err) : s;
    s = s == HISS_OK ? read_columns(study, err) : s;
    s = s == HISS_OK ? read_curves(study, err) : s;
    s = s == HISS_OK ? read_published(study, err) : s;
    study->quick = f.quick;
    s = s == HISS_OK ? read_quick(study, &quick, err) : s;
    s = s == HISS_OK ? hiss_config_finish(out->text, err) : s;
    s = s == HISS_OK && !(study->quick && quick.seeds) ? read_seeds(study, f.seeds, "seeds", err) : s;
    s = s == HISS_OK ? read_set(study, f.base, "base", false, &study->base, &study->nbase, err) : s;
    s = s == HISS_OK
            ? hiss_yaml_words(out->arena, f.launch, "launch", "a list of words", &study->launch, &study->nlaunch, err)
            : s;
    s = s == HISS_OK ? hiss_yaml_words(out->arena, f.sbatch, "slurm.options", "a list of options", &study->sbatch,
                                       &study->nsbatch, err)
                     : s;
    s = s == HISS_OK ? hiss_yaml_words(out->arena, f.modules, "slurm.modules", "a list of names", &study->modules,
                                       &study->nmodules, err)
                     : s;
    if (study->quick) {
        study->name = hiss_arena_format(out->arena, "%s (quick form)", study->name);
    }
    study->nlaunch = f.launch ? study->nlaunch : -1;
    *out = *study;
    if (s == HISS_OK && strchr(out->name, '\n')) {
        char where[HISS_WHERE];
        s = hiss_fail(err, HISS_EUSER, "%s must be one line", hiss_config_where(out->text, "name", where));
    }
    return s;
}

hiss_status hiss_comparison_read(const char *path, const char *const *overrides, int noverrides, hiss_comparison *out,
                                 hiss_error *err) {
    *out = (hiss_comparison){.arena = hiss_arena_create()};
    hiss_status s = hiss_config_read(path, &out->text, err);
    for (int i = 0; i < noverrides && s == HISS_OK; i++) {
        s = hiss_config_set(out->text, overrides[i], err);
    }
    return s == HISS_OK ? read_study(out, err) : s;
}

hiss_status hiss_comparison_parse(const char *name, const char *text, hiss_comparison *out, hiss_error *err) {
    *out = (hiss_comparison){.arena = hiss_arena_create()};
    const hiss_status s = hiss_config_parse(name, text, &out->text, err);
    return s == HISS_OK ? read_study(out, err) : s;
}

void hiss_comparison_destroy(hiss_comparison *study) {
    hiss_config_destroy(study->text);
    hiss_arena_destroy(study->arena);
    *study = (hiss_comparison){0};
}
