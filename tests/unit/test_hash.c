/* SHA-256 against the examples of FIPS 180-4, and its independence of how the input is cut. */
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_examples),
        cmocka_unit_test(test_million_in_uneven_pieces),
        cmocka_unit_test(test_two_at_once_and_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
