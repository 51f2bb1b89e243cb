/* What to run, with which settings, and what each row reads. */
#include <inttypes.h>
#include <string.h>

#include "hiss/compare.h"

int hiss_comparison_runs(const hiss_comparison *study) {
    return study->nrows * study->nseeds;
}

bool hiss_comparison_has_run(const hiss_comparison *study, int run) {
    const int row = run % study->nrows;
    return study->rows[row].of == row;
}

const char *hiss_comparison_run_name(const hiss_comparison *study, int run, hiss_arena *arena) {
    return hiss_arena_format(arena, "%s-s%" PRId64, study->rows[run % study->nrows].name,
                             study->seeds[run / study->nrows]);
}

void hiss_comparison_place(const hiss_comparison *study, const char *dir, int run, char *path, size_t size) {
    snprintf(path, size, "%s/runs/%s-s%" PRId64, dir, study->rows[run % study->nrows].name,
             study->seeds[run / study->nrows]);
}

/* The seed of the study wins over what the user sets. */
int hiss_comparison_settings(const hiss_comparison *study, int run, hiss_arena *arena, const char **set, int max) {
    const hiss_compare_row *row = &study->rows[run % study->nrows];
    int n = 0;
    for (int k = 0; k < study->nbase && n < max; k++) {
        set[n++] = study->base[k];
    }
    for (int k = 0; k < row->nset && n < max; k++) {
        set[n++] = row->set[k];
    }
    if (n < max) {
        set[n++] = hiss_arena_format(arena, "seed=%" PRId64, study->seeds[run / study->nrows]);
    }
    return n;
}

const char *hiss_comparison_blame(const hiss_comparison *study, int run, hiss_arena *arena, const char *text) {
    char set[128], where[HISS_WHERE] = "", at[HISS_PLACE];
    snprintf(set, sizeof set, "rows.%s.set", study->rows[run % study->nrows].name);
    const char *const keys[] = {set, "base"};
    if (hiss_override_speaks_of(text, "seed")) {
        return hiss_override_blame(arena, hiss_config_where(study->text, "seeds", where), text);
    }
    for (int k = 0; k < HISS_COUNT(keys); k++) {
        const hiss_yaml *found = hiss_override_find(hiss_config_node(study->text, keys[k]), text);
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

bool hiss_comparison_reading(const hiss_comparison *study, int row, int column, hiss_arena *arena, hiss_reading *out) {
    static const char trained[] = "trained";
    const hiss_compare_row *r = &study->rows[row];
    const size_t length = strlen(trained);
    *out = study->columns[column].reading;
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
