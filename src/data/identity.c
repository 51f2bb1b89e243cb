/* What tells one data set from another of the same shape, at a bounded cost: a hash of some rows and one of all labels.
 *
 * The rows are drawn by a fixed key, one from each of equally long stretches of the file, so their numbers depend on the
 * shape alone: a file that was moved, packed in another way or cut into other chunks is the same data. Other data differ
 * in some of these rows, unless they differ in few rows only; then a recorded checksum notices (hiss prepare).
 *
 * Cost: MOST_ROWS rows or MOST_BYTES, whichever is less, and a SHA-256 of 4 bytes a sample. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "data/identity.h"
#include "hiss/alloc.h"
#include "hiss/hash.h"
#include "hiss/rng.h"

enum { MOST_ROWS = 64, MOST_BYTES = 1 << 24, SHA256_DIGITS = 64 };

static int64_t rows_wanted(int64_t n, int64_t row_bytes) {
    const int64_t room = MOST_BYTES / row_bytes + 1, most = room < MOST_ROWS ? room : MOST_ROWS;
    return n < most ? n : most;
}

/* Begin of stretch k of count, without n * k, which may be too large. */
static int64_t stretch(int64_t n, int64_t count, int64_t k) {
    return n / count * k + n % count * k / count;
}

static void draw_rows(int64_t n, int64_t count, int64_t *row) {
    for (int64_t k = 0; k < count; k++) {
        hiss_rng rng = hiss_rng_keyed(0, HISS_FOR_ORDER, 1, k);
        const int64_t begin = stretch(n, count, k);
        row[k] = begin + hiss_rng_below(&rng, stretch(n, count, k + 1) - begin);
    }
}

static void hash_of(const void *bytes, size_t count, char out[IDENTITY_DIGITS + 1]) {
    char text[HISS_HASH_TEXT];
    hiss_hash *hash = hiss_hash_begin();
    hiss_hash_add(hash, bytes, count);
    hiss_hash_end(hash, text);
    snprintf(out, IDENTITY_DIGITS + 1, "%.*s", IDENTITY_DIGITS, text);
}

hiss_status data_identity_rows(int64_t n, int64_t row_bytes, data_read_rows read, void *user,
                               char out[IDENTITY_DIGITS + 1], hiss_error *err) {
    assert(n >= 1 && row_bytes >= 1);
    const int64_t count = rows_wanted(n, row_bytes);
    int64_t row[MOST_ROWS];
    draw_rows(n, count, row);
    uint8_t *values = hiss_alloc((size_t)(count * row_bytes));
    const hiss_status status = read(user, count, row, values, err);
    hash_of(values, (size_t)(count * row_bytes), out);
    hiss_free(values);
    return status;
}

void data_identity_labels(int64_t n, const int32_t *label, const char *classes, char out[IDENTITY_DIGITS + 1]) {
    char text[HISS_HASH_TEXT];
    hiss_hash *hash = hiss_hash_begin();
    hiss_hash_add(hash, label, sizeof *label * (size_t)n);
    hiss_hash_add(hash, classes, strlen(classes));
    hiss_hash_end(hash, text);
    snprintf(out, IDENTITY_DIGITS + 1, "%.*s", IDENTITY_DIGITS, text);
}

/* ---- comparing ---- */

/* Digits of a part, such as "labels "; NULL: the identity has none. */
static const char *part(const char *identity, const char *name) {
    const char *at = strstr(identity, name);
    return at ? at + strlen(name) : NULL;
}

static bool differ(const char *a, const char *b, const char *name, size_t digits) {
    const char *left = part(a, name), *right = part(b, name);
    return left && right && strncmp(left, right, digits) != 0;
}

bool hiss_dataset_identities_agree(const char *a, const char *b) {
    const char *end = part(a, IDENTITY_PIXELS);
    const size_t always = end ? (size_t)(end - a) + IDENTITY_DIGITS : strlen(a);
    return strncmp(a, b, always) == 0 && (end || a[always] == b[always]) &&
           !differ(a, b, IDENTITY_LABELS, IDENTITY_DIGITS) && !differ(a, b, IDENTITY_SHA256, SHA256_DIGITS) &&
           !differ(a, b, IDENTITY_OBJECTS, SHA256_DIGITS);
}
