/* Files of words: as many on each line as somebody says, with blanks between them. Lines that begin with # or : say
 * something else, as the headings of the question files of word2vec do. ASCII letters become lower case, as those of
 * prepared text have. */
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/file.h"
#include "objective/words/word2vec.h"

#define BLANKS " \t\r\v\f"

/* ---- numbers of words ---- */

typedef struct entry {
    const char *word;
    int32_t number;
} entry;

static int compare(const void *a, const void *b) {
    return strcmp(((const entry *)a)->word, ((const entry *)b)->word);
}

static entry *sorted(const hiss_vocabulary *v) {
    entry *index = hiss_new(entry, v->count);
    for (int64_t k = 0; k < v->count; k++) {
        index[k] = (entry){v->word[k], (int32_t)k};
    }
    qsort(index, (size_t)v->count, sizeof *index, compare);
    return index;
}

/* Number of a word, which becomes lower case; 0: it has none. */
static int32_t number_of(const hiss_vocabulary *v, const entry *index, char *word) {
    for (char *c = word; *c; c++) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    }
    const entry key = {word, 0};
    const entry *found = bsearch(&key, index, (size_t)v->count, sizeof *index, compare);
    return found && !(v->padding && found->number == v->padding) ? found->number : 0;
}

/* ---- lines ---- */

static void add(words_list *list, int width, int64_t *room, const int32_t *number) {
    if (list->count == *room) {
        *room = *room ? 2 * *room : 1024;
        int32_t *more = hiss_new(int32_t, *room * width);
        if (list->count) {
            memcpy(more, list->word, sizeof *more * (size_t)(list->count * width));
        }
        hiss_free(list->word);
        list->word = more;
    }
    memcpy(list->word + list->count++ * width, number, sizeof *number * (size_t)width);
}

enum { WIDEST = 4 };

/* How many words a line has; those up to WIDEST in word. Cuts it up. */
static int cut(char *line, char *word[WIDEST]) {
    int count = 0;
    char *rest = line;
    for (char *at; (at = strtok_r(rest, BLANKS, &rest)); count++) {
        if (count < WIDEST) {
            word[count] = at;
        }
    }
    return count;
}

static hiss_status take_line(const hiss_vocabulary *v, const entry *index, const char *key, const char *path,
                             int64_t line, char *text, int width, int64_t *room, words_list *out, hiss_error *err) {
    char *word[WIDEST];
    int32_t number[WIDEST];
    bool known = true;
    const int count = text[strspn(text, BLANKS)] == '#' || text[strspn(text, BLANKS)] == ':' ? 0 : cut(text, word);
    if (count == 0) {
        return HISS_OK;
    }
    if (count != width) {
        return hiss_fail_key(err, HISS_EUSER, key,
                             "%s:%lld: %d word%s; expected %d with blanks between them on each line: correct the line, "
                             "or begin it with # to leave it out",
                             path, (long long)line, count, count > 1 ? "s" : "", width);
    }
    for (int k = 0; k < width; k++) {
        number[k] = number_of(v, index, word[k]);
        known = known && number[k] > 0;
    }
    out->lines++;
    out->missing += !known;
    if (known) {
        add(out, width, room, number);
    }
    return HISS_OK;
}

hiss_status words_list_read(const hiss_vocabulary *v, const char *key, const char *path, int width, words_list *out,
                            hiss_error *err) {
    size_t size = 0;
    int64_t room = 0, line = 0;
    *out = (words_list){0};
    hiss_status s = hiss_file_expect_text(path, "the list of words", "give the path of a text file", err);
    if (s != HISS_OK) {
        return hiss_error_under_key(err, s, key);
    }
    char *text = (char *)hiss_file_bytes(path, &size);
    if (!text) {
        return hiss_fail_key(err, HISS_EUSER, key, "%s: cannot be read; give the path of a text file", path);
    }
    if (strlen(text) < size) {
        s = hiss_fail_key(err, HISS_EUSER, key, "%s: byte %lld is 0, so this is no text; give the path of a text file",
                          path, (long long)strlen(text));
    }
    entry *index = sorted(v);
    for (char *at = text, *next; s == HISS_OK && *at; at = next) {
        next = at + strcspn(at, "\n");
        next += *next ? (*next = 0, 1) : 0;
        s = take_line(v, index, key, path, ++line, at, width, &room, out, err);
    }
    hiss_free(index);
    hiss_free(text);
    if (s == HISS_OK && out->count == 0) {
        s = hiss_fail_key(err, HISS_EUSER, key,
                          "%s: of %lld lines none has only words of the vocabulary; name a list of words of this text",
                          path, (long long)out->lines);
    }
    return s;
}

hiss_status words_list_parse(const hiss_vocabulary *v, const char *key, const char *text, words_list *out,
                             hiss_error *err) {
    char *copy = strcpy(hiss_alloc(strlen(text) + 1), text), *rest = copy;
    entry *index = sorted(v);
    int64_t room = 0;
    hiss_status s = HISS_OK;
    *out = (words_list){0};
    for (char *at; s == HISS_OK && (at = strtok_r(rest, "," BLANKS, &rest));) {
        const int32_t number = number_of(v, index, at);
        out->lines++;
        if (number > 0) {
            add(out, 1, &room, &number);
        } else {
            s = hiss_fail_key(err, HISS_EUSER, key, "'%.64s' is not in the vocabulary; leave it out", at);
        }
    }
    hiss_free(index);
    hiss_free(copy);
    return s;
}

void words_list_free(words_list *list) {
    hiss_free(list->word);
    *list = (words_list){0};
}
