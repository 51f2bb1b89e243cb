/* A reader of animated PNGs that is strict: every chunk where it must be, with a checksum that is counted bit by bit. */
#ifndef HISS_TESTS_APNG_H
#define HISS_TESTS_APNG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "hiss/alloc.h"
#include "hiss/file.h"

typedef struct apng {
    int64_t frames, H, W;
    uint8_t *pixels; /* [frames, H, W, 3]; free by hiss_free */
    int64_t plays, delay, of;
} apng;

typedef struct apng_chunk {
    char type[5];
    const uint8_t *bytes;
    size_t count;
} apng_chunk;

static inline int64_t apng_number(const uint8_t *at, int bytes) {
    int64_t value = 0;
    for (int k = 0; k < bytes; k++) {
        value = value << 8 | at[k];
    }
    return value;
}

static inline int64_t apng_sum(const uint8_t *bytes, size_t count) {
    uint32_t sum = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        sum ^= bytes[i];
        for (int k = 0; k < 8; k++) {
            sum = sum >> 1 ^ (sum & 1 ? 0xEDB88320u : 0);
        }
    }
    return (int64_t)~sum & UINT32_MAX;
}

/* The next chunk, which must be of this type. */
static inline apng_chunk apng_expect(const uint8_t **at, const uint8_t *end, const char *type) {
    apng_chunk chunk = {.bytes = *at + 8};
    assert_true(end - *at >= 12);
    chunk.count = (size_t)apng_number(*at, 4);
    assert_true((size_t)(end - *at) >= 12 + chunk.count);
    memcpy(chunk.type, *at + 4, 4);
    assert_string_equal(chunk.type, type);
    assert_int_equal(apng_number(chunk.bytes + chunk.count, 4), apng_sum(*at + 4, 4 + chunk.count));
    *at = chunk.bytes + chunk.count + 4;
    return chunk;
}

static inline void apng_inflate(const apng *a, const uint8_t *bytes, size_t count, uint8_t *pixels) {
    const size_t row = (size_t)a->W * 3;
    uLongf size = (uLongf)a->H * (1 + row);
    uint8_t *rows = hiss_alloc(size + 1);
    uLongf got = size + 1;
    assert_int_equal(uncompress(rows, &got, bytes, (uLong)count), Z_OK);
    assert_int_equal(got, size);
    for (size_t y = 0; y < (size_t)a->H; y++) {
        assert_int_equal(rows[y * (1 + row)], 0);
        memcpy(pixels + y * row, rows + y * (1 + row) + 1, row);
    }
    hiss_free(rows);
}

static inline apng apng_read(const char *path) {
    static const uint8_t rgb[] = {8, 2, 0, 0, 0}, nothing[10] = {0};
    size_t size = 0;
    uint8_t *file = hiss_file_bytes(path, &size);
    assert_non_null(file);
    const uint8_t *at = file + 8, *end = file + size;
    assert_true(size > 8 && memcmp(file, "\x89PNG\r\n\x1a\n", 8) == 0);
    apng_chunk c = apng_expect(&at, end, "IHDR");
    apng a = {.W = apng_number(c.bytes, 4), .H = apng_number(c.bytes + 4, 4)};
    assert_true(c.count == 13 && memcmp(c.bytes + 8, rgb, 5) == 0);
    c = apng_expect(&at, end, "acTL");
    assert_int_equal(c.count, 8);
    a.frames = apng_number(c.bytes, 4);
    a.plays = apng_number(c.bytes + 4, 4);
    a.pixels = hiss_alloc((size_t)(a.frames * a.H * a.W * 3));
    for (int64_t t = 0, number = 0; t < a.frames; t++) {
        c = apng_expect(&at, end, "fcTL");
        assert_int_equal(c.count, 26);
        assert_int_equal(apng_number(c.bytes, 4), number++);
        assert_true(apng_number(c.bytes + 4, 4) == a.W && apng_number(c.bytes + 8, 4) == a.H);
        assert_memory_equal(c.bytes + 12, nothing, 8);
        assert_memory_equal(c.bytes + 24, nothing, 2);
        a.delay = apng_number(c.bytes + 20, 2);
        a.of = apng_number(c.bytes + 22, 2);
        c = apng_expect(&at, end, t == 0 ? "IDAT" : "fdAT");
        if (t > 0) {
            assert_true(c.count > 4);
            assert_int_equal(apng_number(c.bytes, 4), number++);
        }
        apng_inflate(&a, c.bytes + (t > 0 ? 4 : 0), c.count - (t > 0 ? 4 : 0), a.pixels + t * a.H * a.W * 3);
    }
    c = apng_expect(&at, end, "IEND");
    assert_true(c.count == 0 && at == end);
    hiss_free(file);
    return a;
}

/* ---- a file to write to: path, in a folder that setup makes and teardown expects to be empty ---- */

static char folder[] = "/tmp/hiss-apng-XXXXXX";
static char path[128];

static int setup(void **state) {
    (void)state;
    if (!mkdtemp(folder)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/a.png", folder);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder) || hiss_alloc_live() != 0;
}

#endif
