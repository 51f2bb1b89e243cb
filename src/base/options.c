/* Command line options by rows. */
#include <assert.h>
#include <string.h>

#include "hiss/alloc.h"
#include "rows_impl.h"

enum { NAME = 200, EXPECTED = 512 };

static bool is_repeated(const hiss_row *row) {
    return strchr(row->key, '*') != NULL;
}

static bool is_called(const hiss_row *row, const char *name) {
    size_t length = strcspn(row->key, "*");
    return strlen(name) == length && strncmp(row->key, name, length) == 0;
}

/* The row of option name, or of its negation "no-name" (*negated). */
static const hiss_row *find_row(const hiss_row *rows, int count, const char *name, bool *negated) {
    *negated = false;
    for (int i = 0; i < count; i++) {
        if (is_called(&rows[i], name)) {
            return &rows[i];
        }
    }
    *negated = strncmp(name, "no-", 3) == 0;
    for (int i = 0; i < count && *negated; i++) {
        if (rows[i].type == HISS_BOOL && is_called(&rows[i], name + 3)) {
            return &rows[i];
        }
    }
    return NULL;
}

static hiss_status fail_unknown(const hiss_row *rows, int count, const char *word, const char *name, hiss_error *err) {
    char best[NAME] = "";
    bool no = strncmp(name, "no-", 3) == 0;
    int least = 1 << 20;
    const hiss_row *assignments = NULL;
    for (int i = 0; i < count; i++) {
        assignments = is_repeated(&rows[i]) ? &rows[i] : assignments;
        for (int negated = 0; negated <= (no && rows[i].type == HISS_BOOL); negated++) {
            char candidate[NAME];
            snprintf(candidate, sizeof candidate, "%s%.*s", negated ? "no-" : "", (int)strcspn(rows[i].key, "*"),
                     rows[i].key);
            int distance = hiss_edit_distance(candidate, name);
            if (distance < least) {
                least = distance;
                memcpy(best, candidate, sizeof best);
            }
        }
    }
    if (strchr(name, '.') && assignments) {
        const char *equals = strchr(word, '=');
        return hiss_fail(err, HISS_EUSER, "unknown option '%.200s'; keys of the config are set by --%.*s %.100s=%.80s",
                         word, (int)strcspn(assignments->key, "*"), assignments->key, name,
                         equals ? equals + 1 : "VALUE");
    }
    if (!best[0]) {
        return hiss_fail(err, HISS_EUSER, "unknown option '%.200s'; there are none", word);
    }
    if (word[1] != '-' && strlen(word) <= strlen("-np")) {
        return hiss_fail(err, HISS_EUSER,
                         "unknown option '%.200s'; options have two dashes, as --%s (the number of ranks is mpirun's: "
                         "mpirun -n RANKS hiss)",
                         word, best);
    }
    bool near = least <= 2 || least <= (int)strlen(name) / 3;
    return hiss_fail(err, HISS_EUSER, "unknown option '%.200s'; %s '--%s'%s", word,
                     near ? "did you mean" : "the nearest option is", best, near ? "?" : "");
}

static hiss_status take_value(const hiss_row *row, const char *name, const char *value, void *fields,
                              hiss_arguments *rest, hiss_error *err) {
    char expected[EXPECTED];
    base_row_expected(row, expected, sizeof expected);
    const bool may_be_empty = row->type == HISS_STRING && row->choices;
    if (!*value && !may_be_empty && (row->type == HISS_STRING || row->type == HISS_PATH || row->type == HISS_PATHS)) {
        return hiss_fail(err, HISS_EUSER, "--%s is empty; give %s, or leave it out", name,
                         is_repeated(row) ? "KEY=VALUE" : expected);
    }
    if (is_repeated(row)) {
        if (!rest || rest->nrepeated >= rest->max_repeated) {
            return hiss_fail(err, HISS_EUSER, "--%s may be given at most %d times", name,
                             rest ? rest->max_repeated : 0);
        }
        if (!strchr(value, '=')) {
            return hiss_fail(err, HISS_EUSER, "--%s expects KEY=VALUE, found '%.80s'; write --%s %.80s=VALUE", name,
                             value, name, value);
        }
        rest->repeated[rest->nrepeated++] = value;
        return HISS_OK;
    }
    if (!base_row_accept(row, value, fields)) {
        char hint[HISS_HINT];
        return hiss_fail(err, HISS_EUSER, "--%s must be %s, found '%.80s'%s", name, expected, value,
                         base_row_hint(row, value, hint));
    }
    char option[NAME];
    snprintf(option, sizeof option, "--%.190s", name);
    return row->type == HISS_PATH || row->type == HISS_PATHS ? hiss_path_check(option, value, err) : HISS_OK;
}

/* Take the option word, and next (NULL at the end) as its value if it needs one: *used is the number of words taken. */
static hiss_status take_option(const hiss_row *rows, int count, const char *word, const char *next, void *fields,
                               hiss_arguments *rest, bool *given, int *used, hiss_error *err) {
    char name[NAME];
    bool negated;
    const char *inside = word + (strncmp(word, "--", 2) == 0 ? 2 : 1), *equals = strchr(inside, '=');
    snprintf(name, sizeof name, "%.*s", equals ? (int)(equals - inside) : NAME, inside);
    const hiss_row *row = word[1] == '-' ? find_row(rows, count, name, &negated) : NULL;
    *used = 1;
    if (!row) {
        return fail_unknown(rows, count, word, name, err);
    }
    given[row - rows] = true;
    if (rest) {
        rest->given[row - rows] = true;
        rest->negated[row - rows] = negated;
    }
    if (row->type == HISS_BOOL && (negated || !equals)) {
        return negated && equals ? hiss_fail(err, HISS_EUSER, "--%s takes no value, found '%.80s'", name, equals + 1)
                                 : take_value(row, name, negated ? "false" : "true", fields, rest, err);
    }
    if (equals) {
        return take_value(row, name, equals + 1, fields, rest, err);
    }
    if (!next || strncmp(next, "--", 2) == 0) {
        char expected[EXPECTED];
        base_row_expected(row, expected, sizeof expected);
        return hiss_fail(err, HISS_EUSER, "--%s needs a value: %s%s%s%s", name, expected,
                         next ? "; one that starts with dashes is written --" : "", next ? name : "",
                         next ? "=VALUE" : "");
    }
    *used = 2;
    return take_value(row, name, next, fields, rest, err);
}

static hiss_status take_positional(const char *word, hiss_arguments *rest, hiss_error *err) {
    if (rest && rest->npositional < rest->max_positional) {
        rest->positional[rest->npositional++] = word;
        return hiss_path_check("the command line", word, err);
    }
    if (!rest || rest->max_positional == 0) {
        return hiss_fail(err, HISS_EUSER, "unexpected argument '%.200s'; only options are taken here", word);
    }
    return hiss_fail(err, HISS_EUSER, "unexpected argument '%.200s' after '%.200s': at most %d besides options", word,
                     rest->positional[rest->npositional - 1], rest->max_positional);
}

static hiss_status take_all(const hiss_row *rows, int count, int argc, char **argv, void *fields, hiss_arguments *rest,
                            bool *given, hiss_error *err) {
    bool options = true;
    for (int i = 0, used = 1; i < argc; i += used) {
        hiss_status status = HISS_OK;
        used = 1;
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && argv[i][0] == '-' && argv[i][1]) {
            const char *next = i + 1 < argc ? argv[i + 1] : NULL;
            status = take_option(rows, count, argv[i], next, fields, rest, given, &used, err);
        } else {
            status = take_positional(argv[i], rest, err);
        }
        if (status != HISS_OK) {
            return status;
        }
    }
    return HISS_OK;
}

static bool asks_for_help(const hiss_row *rows, int count, const void *fields) {
    for (int i = 0; i < count; i++) {
        if (rows[i].type == HISS_BOOL && strcmp(rows[i].key, "help") == 0) {
            return *(const bool *)(const void *)((const char *)fields + rows[i].offset);
        }
    }
    return false;
}

hiss_status hiss_options_parse(const hiss_row *rows, int count, int argc, char **argv, void *fields,
                               hiss_arguments *rest, hiss_error *err) {
    bool *given = hiss_new(bool, count); /* or has a default */
    for (int i = 0; i < count; i++) {
        assert(rows[i].type != HISS_NODE && (rows[i].type == HISS_STRING || !is_repeated(&rows[i])));
        given[i] = is_repeated(&rows[i]) || base_row_default(&rows[i], fields);
    }
    if (rest) {
        assert(count <= HISS_MAX_OPTIONS);
        rest->npositional = rest->nrepeated = 0;
        memset(rest->given, 0, sizeof rest->given);
        memset(rest->negated, 0, sizeof rest->negated);
    }
    hiss_status status = take_all(rows, count, argc, argv, fields, rest, given, err);
    for (int i = 0; i < count && status == HISS_OK && !asks_for_help(rows, count, fields); i++) {
        if (!given[i]) {
            char expected[EXPECTED];
            base_row_expected(&rows[i], expected, sizeof expected);
            status = hiss_fail(err, HISS_EUSER, "--%s is missing; it must be %s", rows[i].key, expected);
        }
    }
    hiss_free(given);
    return status;
}

static bool has_word(const char *words, const char *word, size_t length) {
    for (const char *at = words; *at; at += strcspn(at, " "), at += strspn(at, " ")) {
        if (strcspn(at, " ") == length && strncmp(at, word, length) == 0) {
            return true;
        }
    }
    return false;
}

hiss_status hiss_options_expect(const hiss_row *rows, int count, const hiss_arguments *rest, const char *used,
                                const char *form, hiss_error *err) {
    for (int i = 0; i < count; i++) {
        const int length = (int)strcspn(rows[i].key, "*");
        if (rest->given[i] && !has_word(used, rows[i].key, (size_t)length) &&
            !has_word("log help", rows[i].key, (size_t)length)) {
            return hiss_fail(err, HISS_EUSER, "--%s%.*s has no effect %s; leave it out", rest->negated[i] ? "no-" : "",
                             length, rows[i].key, form);
        }
    }
    return HISS_OK;
}

bool hiss_options_given(const hiss_row *rows, int count, const hiss_arguments *rest, const char *key) {
    int i = 0;
    while (i < count && !is_called(&rows[i], key)) {
        i++;
    }
    assert(i < count && "an option of the rows");
    return rest->given[i];
}
