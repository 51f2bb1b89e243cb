/* Vocabularies: words by number.
 *
 * While words are counted all different ones are kept, each with its bytes, in a table with open addressing. Then those that
 * occur often enough get numbers, by falling count and, where counts are equal, by bytes, so that the order of files does
 * not matter. Number 0 is <unknown>, all others; with padding, the last one is <padding>. Both hold characters that no word
 * has.
 *
 * Memory: at most 256 bytes for each different word. Cost: about 0.2 us a word that is counted or looked up. */
#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/hash.h"
#include "text_impl.h"

#define UNKNOWN "<unknown>"
#define PADDING "<padding>"

typedef struct word {
    int64_t count;
    int32_t number; /* 0: none */
    int32_t bytes;
    char text[TEXT_WORD];
} word;

struct data_words {
    word *at;
    int64_t count, room;
    int32_t *slot; /* [slots] number of a word in at, + 1; 0: free */
    int64_t slots; /* a power of two, twice room */
    int64_t numbered, unknown;
    int32_t padding;
    bool was_read;
};

enum { ROOM = 1 << 10 };

data_words *data_words_create(void) {
    data_words *words = hiss_new(data_words, 1);
    *words = (data_words){.room = ROOM, .slots = 2 * ROOM, .numbered = 1};
    words->at = hiss_new(word, words->room);
    words->slot = hiss_new(int32_t, words->slots);
    return words;
}

void data_words_destroy(data_words *words) {
    if (words) {
        hiss_free(words->at);
        hiss_free(words->slot);
        hiss_free(words);
    }
}

/* Where the word is, or would be. */
static int32_t *slot_of(const data_words *words, const char *text, int bytes) {
    const int64_t mask = words->slots - 1;
    int64_t k = (int64_t)(hiss_hash64(text, (size_t)bytes, 0) & (uint64_t)mask);
    for (; words->slot[k]; k = (k + 1) & mask) {
        const word *w = &words->at[words->slot[k] - 1];
        if (w->bytes == bytes && memcmp(w->text, text, (size_t)bytes) == 0) {
            break;
        }
    }
    return &words->slot[k];
}

static void find_slots(data_words *words) {
    for (int64_t i = 0; i < words->count; i++) {
        *slot_of(words, words->at[i].text, words->at[i].bytes) = (int32_t)(i + 1);
    }
}

static void grow(data_words *words) {
    words->room *= 2;
    assert(words->room <= TEXT_WORDS);
    word *more = hiss_new(word, words->room);
    memcpy(more, words->at, sizeof *more * (size_t)words->count);
    hiss_free(words->at);
    hiss_free(words->slot);
    words->at = more;
    words->slots = 2 * words->room;
    words->slot = hiss_new(int32_t, words->slots);
    find_slots(words);
}

/* False when it is there already. */
static bool add(data_words *words, const char *text, int bytes) {
    if (words->count == words->room) {
        grow(words);
    }
    int32_t *slot = slot_of(words, text, bytes);
    if (*slot) {
        return false;
    }
    word *w = &words->at[words->count++];
    *w = (word){.bytes = bytes};
    memcpy(w->text, text, (size_t)bytes);
    *slot = (int32_t)words->count;
    return true;
}

void data_words_count(data_words *words, const char *text, int bytes) {
    const bool fits = bytes <= TEXT_WORD;
    if (fits && !words->was_read) {
        add(words, text, bytes);
    }
    const int32_t *slot = fits ? slot_of(words, text, bytes) : NULL;
    *(slot && *slot ? &words->at[*slot - 1].count : &words->unknown) += 1;
}

static int compare(const void *a, const void *b) {
    const word *v = a, *w = b;
    const int order = memcmp(v->text, w->text, (size_t)(v->bytes < w->bytes ? v->bytes : w->bytes));
    return v->count != w->count ? (v->count < w->count) - (v->count > w->count) : order ? order : v->bytes - w->bytes;
}

void data_words_choose(data_words *words, int64_t min_count, bool padding) {
    if (words->was_read) {
        return;
    }
    qsort(words->at, (size_t)words->count, sizeof *words->at, compare);
    memset(words->slot, 0, sizeof *words->slot * (size_t)words->slots);
    find_slots(words);
    for (int64_t i = 0; i < words->count; i++) {
        const bool often = words->at[i].count >= min_count;
        words->at[i].number = often ? (int32_t)words->numbered++ : 0;
        words->unknown += often ? 0 : words->at[i].count;
    }
    words->padding = padding ? (int32_t)words->numbered++ : 0;
}

int32_t data_words_number(const data_words *words, const char *text, int bytes) {
    const int32_t *slot = bytes <= TEXT_WORD ? slot_of(words, text, bytes) : NULL;
    return slot && *slot ? words->at[*slot - 1].number : 0;
}

int64_t data_words_different(const data_words *words) {
    return words->count;
}

int64_t data_words_numbered(const data_words *words) {
    return words->numbered;
}

int64_t data_words_unknown(const data_words *words) {
    return words->unknown;
}

int32_t data_words_padding(const data_words *words) {
    return words->padding;
}

/* ---- in files ---- */

typedef struct reading {
    data_words *words;
    int64_t seen;
    const char *wrong; /* with entry seen - 1 */
} reading;

static bool take(void *user, const char *text, size_t bytes) {
    reading *r = user;
    const int64_t k = r->seen++;
    const bool is_unknown = text && bytes == strlen(UNKNOWN) && memcmp(text, UNKNOWN, bytes) == 0;
    if ((k == 0) != is_unknown) {
        r->wrong = k == 0 ? "is not " UNKNOWN : "is " UNKNOWN " again";
    } else if (k > 0 && (!text || bytes == 0 || bytes > TEXT_WORD)) {
        r->wrong = "is no word of 1 to 64 bytes";
    } else if (k > 0 && !add(r->words, text, (int)bytes)) {
        r->wrong = "is there twice";
    } else if (k > 0) {
        r->words->at[k - 1].number = (int32_t)r->words->numbered++;
        r->words->padding =
            bytes == strlen(PADDING) && memcmp(text, PADDING, bytes) == 0 ? (int32_t)k : r->words->padding;
    }
    return !r->wrong;
}

hiss_status data_words_read(const char *path, data_words **out, hiss_error *err) {
    hiss_h5 *file = NULL;
    hiss_h5_info info;
    char found[HISS_H5_INFO_TEXT];
    reading r = {.words = NULL};
    hiss_status status = hiss_h5_open(path, &file, err);
    if (!status && !hiss_h5_has(file, "/vocabulary")) {
        status = hiss_fail(err, HISS_EUSER,
                           "%s: has no data set /vocabulary; expected a file by hiss prepare text --by words", path);
    }
    status = status ? status : hiss_h5_look(file, "/vocabulary", &info, err);
    if (!status && (info.dtype != HISS_TEXT || info.ndim != 1 || info.dim[0] < 2 || info.dim[0] > TEXT_WORDS)) {
        status = hiss_fail(err, HISS_EUSER, "%s: /vocabulary is %s; expected 2 or more strings [n]", path,
                           hiss_h5_info_text(&info, found));
    }
    if (!status) {
        r.words = data_words_create();
        status = hiss_h5_read_texts(file, "/vocabulary", take, &r, err);
        r.words->was_read = true;
    }
    if (!status && r.wrong) {
        status =
            hiss_fail(err, HISS_EUSER, "%s: entry %lld of /vocabulary %s; expected a vocabulary by hiss prepare text",
                      path, (long long)(r.seen - 1), r.wrong);
    }
    hiss_h5_close(file, NULL);
    if (status) {
        data_words_destroy(r.words);
        return status;
    }
    *out = r.words;
    return HISS_OK;
}

hiss_status data_words_write(const data_words *words, hiss_h5 *file, hiss_error *err) {
    const int64_t n = words->numbered;
    const hiss_h5_info info = {HISS_I64, 1, {n}};
    char *text = hiss_alloc((size_t)n * TEXT_WORD); /* filled up with zeros */
    int64_t *count = hiss_new(int64_t, n);
    strcpy(text, UNKNOWN);
    if (words->padding) {
        strcpy(text + (int64_t)words->padding * TEXT_WORD, PADDING);
    }
    count[0] = words->unknown;
    for (int64_t i = 0; i < words->count; i++) {
        const word *w = &words->at[i];
        if (w->number) {
            memcpy(text + w->number * (int64_t)TEXT_WORD, w->text, (size_t)w->bytes);
            count[w->number] = w->count;
        }
    }
    hiss_status status = hiss_h5_write_texts(file, "/vocabulary", n, TEXT_WORD, text, err);
    status = status ? status : hiss_h5_define(file, "/count", &info, 0, 0, err);
    status = status ? status : hiss_h5_write(file, "/count", HISS_I64, 0, n, count, err);
    hiss_free(text);
    hiss_free(count);
    return status;
}
