/* What to run, with which settings, and what each row reads. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "compare/compare_impl.h"

static int variants(const hiss_comparison *study) {
    return study->ntransfers + 1;
}

int hiss_comparison_runs(const hiss_comparison *study) {
    return study->nrows * study->nseeds * variants(study);
}

int hiss_comparison_run(const hiss_comparison *study, int row, int seed, int transfer) {
    return transfer + variants(study) * (row + study->nrows * seed);
}

int hiss_comparison_row(const hiss_comparison *study, int run) {
    return run / variants(study) % study->nrows;
}

int hiss_comparison_seed(const hiss_comparison *study, int run) {
    return run / variants(study) / study->nrows;
}

int hiss_comparison_transfer(const hiss_comparison *study, int run) {
    return run % variants(study);
}

bool hiss_comparison_has_run(const hiss_comparison *study, int run) {
    const hiss_compare_row *row = &study->rows[hiss_comparison_row(study, run)];
    return row->features == HISS_COMPARE_TRAINED ||
           (row->features == HISS_COMPARE_RANDOM && hiss_comparison_transfer(study, run) > 0);
}

int hiss_comparison_source(const hiss_comparison *study, int run) {
    const int row = hiss_comparison_row(study, run);
    return hiss_comparison_transfer(study, run) > 0 && study->rows[row].features == HISS_COMPARE_TRAINED
               ? hiss_comparison_run(study, row, hiss_comparison_seed(study, run), 0)
               : -1;
}

static const hiss_compare_transfer *transfer_of(const hiss_comparison *study, int run) {
    const int transfer = hiss_comparison_transfer(study, run);
    return transfer > 0 ? &study->transfers[transfer - 1] : NULL;
}

const char *hiss_comparison_run_name(const hiss_comparison *study, int run, hiss_arena *arena) {
    const hiss_compare_transfer *t = transfer_of(study, run);
    return hiss_arena_format(arena, "%s-s%" PRId64 "%s%s", study->rows[hiss_comparison_row(study, run)].name,
                             study->seeds[hiss_comparison_seed(study, run)], t ? "-" : "", t ? t->name : "");
}

void hiss_comparison_place(const hiss_comparison *study, const char *dir, int run, char *path, size_t size) {
    hiss_arena *arena = hiss_arena_create();
    snprintf(path, size, "%s/runs/%s", dir, hiss_comparison_run_name(study, run, arena));
    hiss_arena_destroy(arena);
}

const char *hiss_comparison_config(const hiss_comparison *study, int run) {
    const hiss_compare_transfer *t = transfer_of(study, run);
    return t ? t->config : study->rows[hiss_comparison_row(study, run)].config;
}

const char *hiss_comparison_key(const hiss_comparison *study, int run, hiss_arena *arena) {
    const hiss_compare_transfer *t = transfer_of(study, run);
    return hiss_arena_format(arena, "%s.%s", t ? "transfers" : "rows",
                             t ? t->name : study->rows[hiss_comparison_row(study, run)].name);
}

/* The seed of the study wins over what the user sets. */
int hiss_comparison_settings(const hiss_comparison *study, const char *dir, int run, hiss_arena *arena,
                             const char **set, int max) {
    const hiss_compare_row *row = &study->rows[hiss_comparison_row(study, run)];
    const hiss_compare_transfer *t = transfer_of(study, run);
    const char *const *own = t ? t->set : row->set;
    const int nown = t ? t->nset : row->nset, source = hiss_comparison_source(study, run);
    int n = 0;
    for (int k = 0; k < study->nbase && n < max && !t; k++) {
        set[n++] = study->base[k];
    }
    for (int k = 0; k < nown && n < max; k++) {
        set[n++] = own[k];
    }
    for (int k = 0; k < row->ntransfer_set && n < max && t; k++) {
        set[n++] = row->transfer_set[k];
    }
    const char *const *quick = t ? study->quick_transfers : study->quick_rows;
    const int nquick = !study->quick ? 0 : t ? study->nquick_transfers : study->nquick_rows;
    for (int k = 0; k < nquick && n < max; k++) {
        set[n++] = quick[k];
    }
    if (source >= 0 && n < max) {
        set[n++] =
            hiss_arena_format(arena, "train.init=%s/runs/%s", dir, hiss_comparison_run_name(study, source, arena));
    }
    if (n < max) {
        set[n++] = hiss_arena_format(arena, "seed=%" PRId64, study->seeds[hiss_comparison_seed(study, run)]);
    }
    return n;
}

const char *hiss_comparison_blame(const hiss_comparison *study, int run, hiss_arena *arena, const char *text) {
    char where[HISS_WHERE] = "", at[HISS_PLACE];
    const bool transfer = hiss_comparison_transfer(study, run) > 0;
    const char *its = study->rows[hiss_comparison_row(study, run)].name;
    /* The later setting wins; base is of rows alone. */
    const char *const own = hiss_arena_format(arena, "%s.set", hiss_comparison_key(study, run, arena));
    const char *const keys[] = {!study->quick ? ""
                                : transfer    ? "quick.transfers"
                                              : "quick.rows",
                                transfer ? hiss_arena_format(arena, "rows.%s.transfer_set", its) : own,
                                transfer ? own : "base"};
    if (hiss_override_speaks_of(text, "seed")) {
        return hiss_override_blame(arena, hiss_config_where(study->text, "seeds", where), text);
    }
    for (int k = 0; k < HISS_COUNT(keys); k++) {
        const hiss_yaml *found = *keys[k] ? hiss_override_find(hiss_config_node(study->text, keys[k]), text) : NULL;
        if (found && found->line > 0) {
            snprintf(where, sizeof where, "%s: %s", hiss_yaml_place(found, at), keys[k]);
        } else if (found) {
            hiss_config_where(study->text, keys[k], where);
        }
        if (found) {
            return hiss_override_blame(arena, where, text);
        }
    }
    return text;
}

/* ---- readings ---- */

bool hiss_reading_parse(hiss_arena *arena, const char *text, hiss_reading *out) {
    const char *slash = strrchr(text, '/'), *dot = slash ? strchr(slash, '.') : NULL;
    bool plain = slash && dot && slash > text && dot > slash + 1 && text[strlen(text) - 1] != '.';
    for (const char *c = text; *c; c++) {
        plain = plain && !isspace((unsigned char)*c);
    }
    if (plain) {
        *out = (hiss_reading){.text = hiss_arena_text(arena, text),
                              .subject = hiss_arena_format(arena, "%.*s", (int)(slash - text), text),
                              .judgement = hiss_arena_format(arena, "%.*s", (int)(dot - slash) - 1, slash + 1),
                              .number = hiss_arena_text(arena, dot + 1)};
    }
    return plain;
}

int hiss_comparison_readings(const hiss_comparison *study) {
    return study->ncolumns + study->ncurves;
}

const hiss_reading *hiss_comparison_wanted(const hiss_comparison *study, int k) {
    return k < study->ncolumns ? &study->columns[k].reading : &study->curves[k - study->ncolumns].reading;
}

bool compare_number_at(const char *pattern, const char *name, double *out) {
    const size_t before = strcspn(pattern, "*"), after = strlen(pattern) - before - 1, length = strlen(name);
    char number[64];
    const size_t digits = length > before + after ? length - before - after : 0;
    if (digits == 0 || digits >= sizeof number || strncmp(name, pattern, before) != 0 ||
        strcmp(name + length - after, pattern + before + 1) != 0) {
        return false;
    }
    memcpy(number, name + before, digits);
    number[digits] = '\0';
    return hiss_real_parse(number, out);
}

bool hiss_comparison_is_of(const hiss_comparison *study, const hiss_reading *wanted, int transfer, double *x) {
    double number;
    return !wanted->transfers ? wanted->transfer == transfer
                              : transfer > 0 && compare_number_at(wanted->transfers,
                                                                  study->transfers[transfer - 1].name, x ? x : &number);
}

bool hiss_comparison_reading(const hiss_comparison *study, int row, const hiss_reading *wanted, hiss_arena *arena,
                             hiss_reading *out) {
    static const char trained[] = "trained";
    const hiss_compare_row *r = &study->rows[row];
    const size_t length = strlen(trained);
    *out = *wanted;
    if (!hiss_comparison_is_of(study, wanted, 0, NULL)) {
        return r->features != HISS_COMPARE_RAW;
    }
    if (r->features == HISS_COMPARE_TRAINED || strncmp(out->subject, trained, length) != 0) {
        return true;
    }
    const char *layer = out->subject + length; /* "/conv3" */
    if (*layer != '/') {
        return false;
    }
    const char *subject = r->features == HISS_COMPARE_RAW ? "raw/pixels" : hiss_arena_format(arena, "random%s", layer);
    return hiss_reading_parse(arena, hiss_arena_format(arena, "%s/%s.%s", subject, out->judgement, out->number), out);
}
