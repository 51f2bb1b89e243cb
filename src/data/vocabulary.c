/* The vocabulary of a set whose samples are rows of numbers of words: what hiss prepare text writes beside them, /vocabulary
 * and /count. Files of one set, and those of a set to evaluate, must number words alike, or what was learnt of one word
 * would be taken for another. */
#include <string.h>

#include "dataset_impl.h"
#include "hiss/alloc.h"

#define WORDS "/vocabulary"
#define TIMES "/count"

struct data_vocabulary {
    hiss_vocabulary listed;
    const char *path; /* of the file that it is from; not owned */
    const char **word;
    int64_t *times;
    char *text; /* of all words, each with its 0 */
    size_t used, room;
    int64_t seen;
};

static bool add_word(void *user, const char *text, size_t bytes) {
    struct data_vocabulary *v = user;
    if (v->used + bytes + 1 > v->room) {
        v->room = 2 * (v->used + bytes + 1);
        char *more = hiss_alloc(v->room);
        if (v->used) {
            memcpy(more, v->text, v->used);
        }
        hiss_free(v->text);
        v->text = more;
    }
    if (bytes) {
        memcpy(v->text + v->used, text, bytes);
    }
    v->text[v->used + bytes] = 0;
    v->used += bytes + 1;
    v->seen++;
    return true;
}

static void destroy(struct data_vocabulary *v) {
    if (v) {
        hiss_free(v->word);
        hiss_free(v->times);
        hiss_free(v->text);
        hiss_free(v);
    }
}

static void list(struct data_vocabulary *v) {
    v->word = hiss_new(const char *, v->seen);
    const char *at = v->text;
    for (int64_t k = 0; k < v->seen; k++, at += strlen(at) + 1) {
        v->word[k] = at;
    }
    v->listed = (hiss_vocabulary){.count = v->seen, .word = v->word, .times = v->times};
    if (v->seen > 1 && strcmp(v->word[v->seen - 1], "<padding>") == 0) {
        v->listed.padding = v->seen - 1;
    }
}

static hiss_status check(hiss_h5 *file, const char *path, hiss_error *err) {
    hiss_h5_info words, times;
    char found[HISS_H5_INFO_TEXT], counted[HISS_H5_INFO_TEXT];
    hiss_status status = hiss_h5_look(file, WORDS, &words, err);
    status = status ? status : hiss_h5_look(file, TIMES, &times, err);
    if (!status && (words.dtype != HISS_TEXT || words.ndim != 1 || words.dim[0] < 2 || times.ndim != 1 ||
                    times.dim[0] != words.dim[0] || !hiss_dtype_is_integer(times.dtype))) {
        status =
            hiss_fail(err, HISS_EUSER,
                      "%s: " WORDS " is %s and " TIMES " is %s; expected 2 or more strings [V], and integers [V], as "
                      "hiss prepare text writes them",
                      path, hiss_h5_info_text(&words, found), hiss_h5_info_text(&times, counted));
    }
    return status;
}

static hiss_status read_one(hiss_h5 *file, const char *path, struct data_vocabulary **out, hiss_error *err) {
    hiss_status status = check(file, path, err);
    if (status) {
        return status;
    }
    struct data_vocabulary *v = hiss_new(struct data_vocabulary, 1);
    v->path = path;
    status = hiss_h5_read_texts(file, WORDS, add_word, v, err);
    if (!status) {
        v->times = hiss_new(int64_t, v->seen);
        status = hiss_h5_read(file, TIMES, HISS_I64, 0, v->seen, v->times, err);
        list(v);
    }
    for (int64_t k = 0; k < v->seen && !status; k++) {
        if (v->times[k] < 0) {
            status = hiss_fail(err, HISS_EUSER, "%s: entry %lld of " TIMES " is %lld; expected how often a word occurs",
                               path, (long long)k, (long long)v->times[k]);
        }
    }
    if (status) {
        destroy(v);
        return status;
    }
    *out = v;
    return HISS_OK;
}

/* Both number words alike. */
static hiss_status expect_same(const struct data_vocabulary *a, const struct data_vocabulary *b, hiss_error *err) {
    const int64_t count = a->seen < b->seen ? a->seen : b->seen;
    int64_t k = 0;
    while (k < count && strcmp(a->word[k], b->word[k]) == 0) {
        k++;
    }
    if (k == a->seen && k == b->seen) {
        return HISS_OK;
    }
    return hiss_fail(err, HISS_EUSER,
                     "%s: has another vocabulary than %s: word %lld is '%.40s' there and '%.40s' here; prepare it "
                     "with --vocabulary %s",
                     b->path, a->path, (long long)k, k < a->seen ? a->word[k] : "no word",
                     k < b->seen ? b->word[k] : "no word", a->path);
}

static hiss_status take(hiss_dataset *set, int64_t number, hiss_error *err) {
    hiss_h5 *file;
    struct data_vocabulary *v = NULL;
    const char *path = data_files_path(set->files, number);
    hiss_status status = data_files_hold(set->files, number, &file, err);
    if (status) {
        return status;
    }
    if (hiss_h5_has(file, WORDS)) {
        status = read_one(file, path, &v, err);
    } else if (set->vocabulary) {
        status = hiss_fail(err, HISS_EUSER, "%s: has no " WORDS ", but %s has; prepare it with --vocabulary %s", path,
                           set->vocabulary->path, set->vocabulary->path);
    }
    data_files_release(set->files, file);
    if (!status && v && !set->vocabulary) {
        set->vocabulary = v;
        return HISS_OK;
    }
    if (!status && v && !(status = expect_same(set->vocabulary, v, err))) {
        for (int64_t k = 0; k < v->seen; k++) {
            set->vocabulary->times[k] += v->times[k];
        }
    }
    destroy(v);
    return status;
}

hiss_status data_vocabulary_read(hiss_dataset *set, hiss_error *err) {
    const hiss_field *first = &set->field[DATA_IMAGE];
    hiss_status status = HISS_OK;
    if (first->dtype != HISS_I32) {
        return HISS_OK;
    }
    for (int64_t i = 0; i < data_files_count(set->files) && !status; i++) {
        if (i == 0 || set->vocabulary) {
            status = take(set, i, err);
        }
    }
    if (!status && set->vocabulary) {
        set->limits.least = 0;
        set->limits.most = (double)(set->vocabulary->seen - 1);
        set->limits.words = true;
    }
    return status;
}

hiss_status hiss_dataset_expect_vocabulary(const hiss_dataset *set, const hiss_dataset *known, hiss_error *err) {
    return set->vocabulary && known->vocabulary ? expect_same(known->vocabulary, set->vocabulary, err) : HISS_OK;
}

void data_vocabulary_destroy(hiss_dataset *set) {
    destroy(set->vocabulary);
}

const hiss_vocabulary *hiss_dataset_vocabulary(const hiss_dataset *set) {
    return set->vocabulary ? &set->vocabulary->listed : NULL;
}
