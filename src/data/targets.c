/* Targets: of each sample, which of several classes it has (field targets, uint8 [n,K]).
 *
 * What column k means stands in the file, in the attribute `classes`: a name a line. Files that name their columns must
 * name them alike, or what was learnt of one class would be judged by another. Files that do not are told by columns. */
#include <stdlib.h>
#include <string.h>

#include "dataset_impl.h"
#include "hiss/alloc.h"
#include "hiss/log.h"

enum { SHOWN = DATA_LINE_SHOWN };

/* A name out of lines; NULL: there are fewer. */
static const char *line_at(const char *lines, int64_t number, int *length) {
    for (; number > 0 && lines; number--) {
        lines = strchr(lines, '\n');
        lines = lines ? lines + 1 : NULL;
    }
    *length = lines ? (int)strcspn(lines, "\n") : 0;
    return lines && *lines ? lines : NULL;
}

int64_t data_lines_count(const char *lines) {
    int64_t count = 0;
    for (int length; line_at(lines, count, &length);) {
        count++;
    }
    return count;
}

/* "'bird'", or "no class" behind the last. */
const char *data_line_show(const char *lines, int64_t number, char out[DATA_LINE_SHOWN + 3]) {
    int length;
    const char *name = line_at(lines, number, &length);
    snprintf(out, SHOWN + 3, name ? "'%.*s'" : "no class", length < SHOWN ? length : SHOWN, name);
    return out;
}

/* The first line that differs; -1: none. */
static int64_t find_difference(const char *a, const char *b) {
    for (int64_t k = 0;; k++) {
        int la, lb;
        const char *x = line_at(a, k, &la), *y = line_at(b, k, &lb);
        if (!x && !y) {
            return -1;
        }
        if (!x || !y || la != lb || memcmp(x, y, (size_t)la) != 0) {
            return k;
        }
    }
}

bool hiss_names_differ(const char *expected, const char *found, char out[HISS_NAMES_TEXT]) {
    char a[SHOWN + 3], b[SHOWN + 3];
    const int64_t k = expected && found ? find_difference(expected, found) : -1;
    if (k >= 0) {
        snprintf(out, HISS_NAMES_TEXT, "number %lld (from 0) was expected to be %s, and is %s", (long long)k,
                 data_line_show(expected, k, a), data_line_show(found, k, b));
    }
    return k >= 0;
}

/* ---- names ---- */

/* Those of one file, hiss_free them; NULL: it has none. *at: of what they are an attribute. The attribute of / is that of
 * the labels where there are some. */
static char *read_names(hiss_h5 *file, const char *dataset, const char **at) {
    char *names = NULL;
    *at = dataset;
    if (hiss_h5_get_text(file, dataset, "classes", &names, NULL) != HISS_OK && !hiss_h5_has(file, "/labels")) {
        *at = "/";
        hiss_h5_get_text(file, "/", "classes", &names, NULL);
    }
    return names;
}

/* The names of one more file, which are those of the set, too, when it has none so far. */
static hiss_status take_names(hiss_dataset *set, int k, int64_t number, hiss_h5 *file, hiss_error *err) {
    const char *at, *dataset = set->source[k].dataset, *path = data_files_path(set->files, number);
    char difference[HISS_NAMES_TEXT];
    char *names = read_names(file, dataset, &at);
    hiss_status status = HISS_OK;
    if (!names || data_lines_count(names) != hiss_field_count(&set->field[k])) {
        if (names && hiss_log_rank() == 0) {
            hiss_warn(
                "%s: attribute classes of %s names %lld classes, but %s has %lld columns: they are told by number",
                path, at, (long long)data_lines_count(names), dataset, (long long)hiss_field_count(&set->field[k]));
        }
        hiss_free(names);
        return HISS_OK;
    }
    if (!set->target_names) {
        set->target_names = names;
        set->target_names_of = path;
        set->target_names_at = at;
        return HISS_OK;
    }
    if (hiss_names_differ(set->target_names, names, difference)) {
        status = hiss_fail(err, HISS_EUSER,
                           "%s: data set %s has other classes than in %s: %s, by attribute classes of %s; prepare both "
                           "files together, or put the columns in one order",
                           path, dataset, set->target_names_of, difference, at);
    }
    hiss_free(names);
    return status;
}

static int find_targets(const hiss_dataset *set) {
    int k = set->fields - 1;
    while (k >= 0 && strcmp(set->field[k].name, HISS_FIELD_TARGETS) != 0) {
        k--;
    }
    return k;
}

hiss_status data_targets_read(hiss_dataset *set, const hiss_dataset *known, hiss_error *err) {
    const int k = find_targets(set);
    hiss_status status = HISS_OK;
    for (int64_t i = 0; k >= 0 && i < data_files_count(set->files) && !status; i++) {
        hiss_h5 *file;
        if (!(status = data_files_hold(set->files, i, &file, err))) {
            status = take_names(set, k, i, file, err);
            data_files_release(set->files, file);
        }
    }
    return status || !known || !known->target_names
               ? status
               : hiss_dataset_expect_targets(set, known->target_names, known->path,
                                             "prepare both files together, or put the columns in one order", err);
}

const char *hiss_dataset_target_names(const hiss_dataset *set) {
    return set->target_names;
}

hiss_status hiss_dataset_expect_targets(const hiss_dataset *set, const char *names, const char *whose,
                                        const char *advice, hiss_error *err) {
    char difference[HISS_NAMES_TEXT];
    return !hiss_names_differ(names, set->target_names, difference)
               ? HISS_OK
               : hiss_fail(err, HISS_EUSER,
                           "%s: data set %s has other classes than %s: %s, by attribute classes of %s; %s",
                           set->target_names_of, set->source[find_targets(set)].dataset, whose, difference,
                           set->target_names_at, advice);
}
