/* SHA-256 against the examples of FIPS 180-4, and its independence of how the input is cut; the fast hash against its
 * definition, and that it notices what it promises to. */
#include "hiss/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hiss/alloc.h"

static void check(const char *text, const char *expected) {
    char digest[HISS_HASH_TEXT];
    hiss_hash *hash = hiss_hash_begin();
    hiss_hash_add(hash, text, strlen(text));
    hiss_hash_end(hash, digest);
    assert_string_equal(digest, expected);
}

static void test_published_examples(void **state) {
    (void)state;
    check("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void test_million_in_uneven_pieces(void **state) {
    (void)state;
    enum { TOTAL = 1000000 };
    char piece[1000], digest[HISS_HASH_TEXT];
    memset(piece, 'a', sizeof piece);
    hiss_hash *hash = hiss_hash_begin();
    for (size_t done = 0, size = 1; done < TOTAL; size = size % sizeof piece + 7) {
        size = size > sizeof piece ? sizeof piece : size;
        size = size > TOTAL - done ? TOTAL - done : size;
        hiss_hash_add(hash, piece, size);
        hiss_hash_add(hash, piece, 0);
        done += size;
    }
    hiss_hash_end(hash, digest);
    assert_string_equal(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_two_at_once_and_no_leak(void **state) {
    (void)state;
    char a[HISS_HASH_TEXT], b[HISS_HASH_TEXT];
    hiss_hash *one = hiss_hash_begin(), *two = hiss_hash_begin();
    hiss_hash_add(one, "x", 1);
    hiss_hash_add(two, "y", 1);
    hiss_hash_add(one, "z", 1);
    hiss_hash_add(two, "z", 1);
    hiss_hash_end(one, a);
    hiss_hash_end(two, b);
    check("xz", a);
    check("yz", b);
    assert_string_not_equal(a, b);
    assert_int_equal(hiss_alloc_live(), 0);
}

/* ---- the fast hash ---- */

static uint64_t step(uint64_t state, uint64_t word) {
    const uint64_t x = state ^ word;
    return (x ^ x / (UINT64_C(1) << 32)) * UINT64_C(11400714819323198485);
}

/* The definition, byte by byte. */
static uint64_t slow_hash64(const unsigned char *bytes, size_t count, uint64_t seed) {
    uint64_t chain[32], result = count;
    for (uint64_t k = 0; k < 32; k++) {
        chain[k] = seed + k;
    }
    for (size_t word = 0; word < (count + 255) / 256 * 32; word++) {
        unsigned char text[8];
        uint64_t value;
        for (size_t i = 0; i < 8; i++) {
            text[i] = word * 8 + i < count ? bytes[word * 8 + i] : 0;
        }
        memcpy(&value, text, sizeof value);
        chain[word % 32] = step(chain[word % 32], value);
    }
    for (int k = 0; k < 32; k++) {
        result = step(result, chain[k]);
    }
    result = (result ^ result >> 32) * UINT64_C(11400714819323198485);
    return result ^ result >> 29;
}

static void fill(unsigned char *bytes, size_t count) {
    uint32_t state = 12345;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525 + 1013904223;
        bytes[i] = (unsigned char)(state >> 24);
    }
}

static void test_fast_definition(void **state) {
    (void)state;
    unsigned char bytes[1000];
    fill(bytes, sizeof bytes);
    for (size_t count = 0; count < 600; count++) {
        for (size_t shift = 0; shift < 9; shift += 4) {
            assert_true(hiss_hash64(bytes + shift, count, count * 7) == slow_hash64(bytes + shift, count, count * 7));
        }
    }
    assert_true(hiss_hash64(bytes, sizeof bytes, 1) == slow_hash64(bytes, sizeof bytes, 1));
    assert_true(hiss_hash64(NULL, 0, 0) == slow_hash64(bytes, 0, 0));
    assert_true(hiss_hash64(bytes, 100, 0) != hiss_hash64(bytes, 100, 1));
}

/* Every single flip shows, also at the end of an uneven length; so do flips of two signs, a swap, and zeros more. */
static void test_fast_notices(void **state) {
    (void)state;
    unsigned char bytes[333], zeros[200] = {0};
    fill(bytes, sizeof bytes);
    const uint64_t hash = hiss_hash64(bytes, sizeof bytes, 0);
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_true(hiss_hash64(bytes, sizeof bytes, 0) != hash);
        for (size_t sign = 7; sign < sizeof bytes; sign += 8) { /* the highest bit of each word */
            bytes[sign] ^= 128;
            assert_true(hiss_hash64(bytes, sizeof bytes, 0) != hash || bit == 8 * sign + 7);
            bytes[sign] ^= 128;
        }
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    assert_true(hiss_hash64(bytes, sizeof bytes, 0) == hash);
    unsigned char swapped[333];
    memcpy(swapped, bytes, sizeof bytes);
    memcpy(swapped, bytes + 256, 8); /* words of the same chain */
    memcpy(swapped + 256, bytes, 8);
    assert_true(hiss_hash64(swapped, sizeof swapped, 0) != hash);
    for (size_t a = 0; a < sizeof zeros; a++) {
        for (size_t b = 0; b < a; b++) {
            assert_true(hiss_hash64(zeros, a, 0) != hiss_hash64(zeros, b, 0));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_examples),
        cmocka_unit_test(test_million_in_uneven_pieces),
        cmocka_unit_test(test_two_at_once_and_no_leak),
        cmocka_unit_test(test_fast_definition),
        cmocka_unit_test(test_fast_notices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
