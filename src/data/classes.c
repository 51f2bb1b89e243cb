/* Classes: the distinct values of labels, in order of value, and how they are called.
 *
 * Values get a number as they come, through a table of slots with linear probing; a value is kept as bytes, an integer
 * as its eight. When all are known they are sorted, integers by value and texts by their bytes, and the class of a value
 * is its place. Labels that are 0 .. K-1 are thus their own classes.
 *
 * A class is called by its text, by the name that the file has for its number (a member of an enumeration, a folder that
 * hiss prepare found), or by its number. Two sets of classes are matched by these names; where only one of them has
 * names for its numbers, by the numbers.
 *
 * Cost: O(n) look-ups of some 10 ns, O(K log K); memory for K values. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "classes.h"
#include "hiss/alloc.h"

enum { FIRST_ROOM = 64 };

typedef struct value {
    const char *bytes;
    size_t length;
} value;

struct data_values {
    data_kind kind;
    int64_t most, count, room;
    value *at;     /* [room] */
    int64_t *slot; /* [2 * room]: 1 + index in at, or 0 */
    hiss_arena *arena;
    int64_t last; /* index of the value added last */
};

data_values *data_values_create(data_kind kind, int64_t most) {
    data_values *v = hiss_new(data_values, 1);
    *v = (data_values){.kind = kind, .most = most, .arena = hiss_arena_create(), .last = -1};
    return v;
}

void data_values_destroy(data_values *v) {
    if (v) {
        hiss_free(v->at);
        hiss_free(v->slot);
        hiss_arena_destroy(v->arena);
        hiss_free(v);
    }
}

int64_t data_values_count(const data_values *v) {
    return v->count;
}

static bool same(const value *a, const char *bytes, size_t length) {
    return a->length == length && memcmp(a->bytes, bytes, length) == 0;
}

/* The slot that holds the value, or the empty one where it belongs. FNV-1a, mixed once more for its low bits. */
static int64_t slot_of(const data_values *v, const char *bytes, size_t length) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    }
    const uint64_t mask = 2 * (uint64_t)v->room - 1;
    uint64_t s = (hash ^ hash >> 29) & mask;
    while (v->slot[s] && !same(&v->at[v->slot[s] - 1], bytes, length)) {
        s = (s + 1) & mask;
    }
    return (int64_t)s;
}

static void grow(data_values *v) {
    const int64_t room = v->room ? 2 * v->room : FIRST_ROOM;
    value *at = hiss_new(value, room);
    if (v->count) {
        memcpy(at, v->at, sizeof *at * (size_t)v->count);
    }
    hiss_free(v->at);
    hiss_free(v->slot);
    v->at = at;
    v->slot = hiss_new(int64_t, 2 * room);
    v->room = room;
    for (int64_t i = 0; i < v->count; i++) {
        v->slot[slot_of(v, at[i].bytes, at[i].length)] = i + 1;
    }
}

static int64_t add(data_values *v, const char *bytes, size_t length) {
    if (v->last >= 0 && same(&v->at[v->last], bytes, length)) {
        return v->last;
    }
    if (v->count == v->room) {
        grow(v);
    }
    const int64_t s = slot_of(v, bytes, length);
    if (!v->slot[s]) {
        if (v->count == v->most) {
            return -1;
        }
        char *copy = hiss_arena_alloc(v->arena, length ? length : 1);
        memcpy(copy, bytes, length);
        v->at[v->count++] = (value){copy, length};
        v->slot[s] = v->count;
    }
    return v->last = v->slot[s] - 1;
}

int64_t data_values_number(data_values *v, int64_t number) {
    assert(v->kind != DATA_TEXT);
    char bytes[sizeof number];
    memcpy(bytes, &number, sizeof number);
    return add(v, bytes, sizeof bytes);
}

int64_t data_values_text(data_values *v, const char *text, size_t length) {
    assert(v->kind == DATA_TEXT);
    return add(v, text, length);
}

static int64_t number_of(const value *v) {
    int64_t number;
    memcpy(&number, v->bytes, sizeof number);
    return number;
}

/* ---- names ---- */

/* Bytes of a character in UTF-8; 0: they are none, or one that could break a line. */
static size_t character(const char *text, size_t length) {
    const unsigned char *c = (const unsigned char *)text;
    const size_t bytes = *c < 0x80                 ? 1
                         : *c >= 0xC2 && *c < 0xE0 ? 2
                         : *c >= 0xE0 && *c < 0xF0 ? 3
                         : *c >= 0xF0 && *c < 0xF5 ? 4
                                                   : 0;
    if (bytes > length || (bytes == 1 && (*c < ' ' || *c == 0x7F)) || (bytes == 2 && *c == 0xC2 && c[1] < 0xA0) ||
        (bytes == 3 && ((*c == 0xE0 && c[1] < 0xA0) || (*c == 0xED && c[1] >= 0xA0))) ||
        (bytes == 4 && ((*c == 0xF0 && c[1] < 0x90) || (*c == 0xF4 && c[1] >= 0x90)))) {
        return 0;
    }
    for (size_t i = 1; i < bytes; i++) {
        if ((c[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return bytes;
}

/* Text that can be shown: what is no character becomes \xHH. */
static char *text_name(const char *text, size_t length) {
    char *name = hiss_alloc(4 * length + 1), *to = name;
    while (length > 0) {
        const size_t bytes = character(text, length);
        if (bytes > 0) {
            memcpy(to, text, bytes);
            to += bytes;
        } else {
            to += snprintf(to, 5, "\\x%02x", (unsigned)(unsigned char)*text);
        }
        text += bytes ? bytes : 1;
        length -= bytes ? bytes : 1;
    }
    return name;
}

static char *number_name(data_kind kind, int64_t number) {
    char text[32];
    snprintf(text, sizeof text, kind == DATA_UNSIGNED ? "%" PRIu64 : "%" PRId64, number);
    return strcpy(hiss_alloc(strlen(text) + 1), text);
}

static int by_number(const void *a, const void *b) {
    const int64_t x = ((const data_class *)a)->value, y = ((const data_class *)b)->value;
    return (x > y) - (x < y);
}

void data_names_add(data_names *names, int64_t number, const char *text, size_t length) {
    if (names->count == names->room) {
        names->room = names->room ? 2 * names->room : FIRST_ROOM;
        data_class *more = hiss_new(data_class, names->room);
        if (names->count) {
            memcpy(more, names->at, sizeof *more * (size_t)names->count);
        }
        hiss_free(names->at);
        names->at = more;
    }
    names->at[names->count++] = (data_class){text_name(text, length), number};
    names->sorted = false;
}

static const char *name_of(data_names *names, int64_t number) {
    const data_class wanted = {NULL, number};
    if (names->count && !names->sorted) {
        qsort(names->at, (size_t)names->count, sizeof *names->at, by_number);
        names->sorted = true;
    }
    const data_class *found =
        names->count ? bsearch(&wanted, names->at, (size_t)names->count, sizeof wanted, by_number) : NULL;
    return found ? found->name : NULL;
}

void data_names_free(data_names *names) {
    for (int64_t i = 0; i < names->count; i++) {
        hiss_free(names->at[i].name);
    }
    hiss_free(names->at);
    *names = (data_names){0};
}

/* ---- classes ---- */

typedef struct ranked {
    const value *value;
    int64_t index, number;
} ranked;

static int by_signed(const void *a, const void *b) {
    const int64_t x = ((const ranked *)a)->number, y = ((const ranked *)b)->number;
    return (x > y) - (x < y);
}

static int by_unsigned(const void *a, const void *b) {
    const uint64_t x = (uint64_t)((const ranked *)a)->number, y = (uint64_t)((const ranked *)b)->number;
    return (x > y) - (x < y);
}

static int by_bytes(const void *a, const void *b) {
    const value *x = ((const ranked *)a)->value, *y = ((const ranked *)b)->value;
    const int order = memcmp(x->bytes, y->bytes, x->length < y->length ? x->length : y->length);
    return order ? order : (x->length > y->length) - (x->length < y->length);
}

void data_classes_of(const data_values *v, data_names *names, const char *ignored, data_classes *out,
                     int32_t *class_of) {
    static int (*const order[])(const void *, const void *) = {by_signed, by_unsigned, by_bytes};
    ranked *all = hiss_new(ranked, v->count);
    for (int64_t i = 0; i < v->count; i++) {
        all[i] = (ranked){&v->at[i], i, v->kind == DATA_TEXT ? 0 : number_of(&v->at[i])};
    }
    if (v->count) {
        qsort(all, (size_t)v->count, sizeof *all, order[v->kind]);
    }
    *out = (data_classes){
        .at = hiss_new(data_class, v->count), .named = v->kind == DATA_TEXT, .numbered = v->kind != DATA_TEXT};
    for (int64_t i = 0; i < v->count; i++) {
        const char *given = v->kind == DATA_TEXT ? NULL : name_of(names, all[i].number);
        char *name = given                  ? strcpy(hiss_alloc(strlen(given) + 1), given)
                     : v->kind == DATA_TEXT ? text_name(all[i].value->bytes, all[i].value->length)
                                            : number_name(v->kind, all[i].number);
        const bool left_out = ignored && *ignored && strcmp(name, ignored) == 0;
        class_of[all[i].index] = left_out ? -1 : (int32_t)out->count;
        if (left_out) {
            hiss_free(name);
            continue;
        }
        out->named = out->named || given;
        out->at[out->count++] = (data_class){name, all[i].number};
    }
    hiss_free(all);
}

data_classes data_classes_numbered(int64_t count) {
    data_classes c = {.count = count, .at = hiss_new(data_class, count), .numbered = true};
    for (int64_t i = 0; i < count; i++) {
        c.at[i] = (data_class){number_name(DATA_SIGNED, i), i};
    }
    return c;
}

void data_classes_free(data_classes *c) {
    for (int64_t i = 0; i < c->count; i++) {
        hiss_free(c->at[i].name);
    }
    hiss_free(c->at);
    *c = (data_classes){0};
}

/* ---- matching ---- */

static int by_name_then_place(const void *a, const void *b) {
    const data_class *x = *(data_class *const *)a, *y = *(data_class *const *)b;
    const int order = strcmp(x->name, y->name);
    return order ? order : (x > y) - (x < y);
}

static int by_value_then_place(const void *a, const void *b) {
    const data_class *x = *(data_class *const *)a, *y = *(data_class *const *)b;
    return x->value != y->value ? (x->value > y->value ? 1 : -1) : (x > y) - (x < y);
}

/* Index among known of the class that is called as c, or has its number; -1: there is none. */
static int64_t find(const data_class *const *sorted, int64_t count, const data_class *c, bool by_name) {
    int64_t low = 0, high = count;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        const data_class *other = sorted[middle];
        const bool before = by_name ? strcmp(other->name, c->name) < 0 : other->value < c->value;
        low = before ? middle + 1 : low;
        high = before ? high : middle;
    }
    const bool found =
        low < count && (by_name ? strcmp(sorted[low]->name, c->name) == 0 : sorted[low]->value == c->value);
    return found ? low : -1;
}

void data_classes_match(data_classes *own, const data_classes *known, int32_t *class_of) {
    const bool by_name = own->named == known->named || !own->numbered || !known->numbered;
    const data_class **sorted = hiss_new(const data_class *, known->count);
    for (int64_t i = 0; i < known->count; i++) {
        sorted[i] = &known->at[i];
    }
    if (known->count) {
        qsort(sorted, (size_t)known->count, sizeof(data_class *), by_name ? by_name_then_place : by_value_then_place);
    }
    data_classes all = {.count = known->count,
                        .at = hiss_new(data_class, known->count + own->count),
                        .named = known->named,
                        .numbered = known->numbered};
    for (int64_t i = 0; i < known->count; i++) {
        all.at[i] =
            (data_class){strcpy(hiss_alloc(strlen(known->at[i].name) + 1), known->at[i].name), known->at[i].value};
    }
    for (int64_t i = 0; i < own->count; i++) {
        const int64_t at = find(sorted, known->count, &own->at[i], by_name);
        class_of[i] = (int32_t)(at >= 0 ? sorted[at] - known->at : all.count);
        if (at >= 0) {
            hiss_free(own->at[i].name);
        } else {
            all.at[all.count++] = own->at[i];
        }
    }
    hiss_free(sorted);
    hiss_free(own->at);
    *own = all;
}
