/* Text: which words there are, their numbers and counts, and every cut of their sequence into rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/text_impl.h"
#include "hiss/alloc.h"
#include "hiss/data.h"
#include "hiss/log.h"

static char path[] = "/tmp/hiss-text-XXXXXX";
static char other[64], output[64], second[64];

static void put(const char *name, const char *text, size_t bytes) {
    FILE *file = fopen(name, "wb");
    assert_non_null(file);
    assert_true(fwrite(text, 1, bytes, file) == bytes && fclose(file) == 0);
}

/* Words joined by |, + behind one that is too long. */
static void expect_words(const char *text, size_t bytes, const char *expected) {
    char found[1 << 12] = "", word[TEXT_WORD];
    size_t used = 0;
    int count = 0;
    data_text *file = NULL;
    hiss_error err = {0};
    put(path, text, bytes);
    assert_int_equal(data_text_open(path, &file, &err), HISS_OK);
    while (data_text_word(file, word, &count, &err) == HISS_OK && count > 0) {
        const int fits = count < TEXT_WORD ? count : TEXT_WORD;
        used += (size_t)snprintf(found + used, sizeof found - used, "%s%.*s%s", used ? "|" : "", fits, word,
                                 count > TEXT_WORD ? "+" : "");
    }
    assert_string_equal(err.text, "");
    data_text_close(file);
    assert_string_equal(found, expected);
}

static void test_words(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"Hello, World", "hello|world"},
        {"don't 'quoted' rock''n'roll' '", "don't|quoted|rock|n'roll"},
        {"a1 2b_c-d\te\r\nf", "a1|2b|c|d|e|f"},
        {"ÀB naïve 語", "Àb|naïve|語"},
        {"\xEF\xBB\xBFone \xEF\xBB\xBFtwo", "one|\xEF\xBB\xBFtwo"},
        {"'", ""},
        {" ", ""},
        {"x'", "x"},
        {"<unknown> <padding>", "unknown|padding"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        expect_words(cases[k][0], strlen(cases[k][0]), cases[k][1]);
    }
    char text[TEXT_WORD + 8],
        expected[TEXT_WORD + 8]; /* as long as words are stored, one more, two more by the apostrophe */
    memset(text, 'q', sizeof text);
    memset(expected, 'q', sizeof expected);
    expected[TEXT_WORD] = '\0';
    expect_words(text, TEXT_WORD, expected);
    strcpy(expected + TEXT_WORD, "+");
    expect_words(text, TEXT_WORD + 1, expected);
    expect_words(text, TEXT_WORD + 8, expected);
    text[TEXT_WORD] = '\'';
    expect_words(text, TEXT_WORD + 2, expected);
}

/* A word lies across the end of the buffer, wherever that is. */
static void test_pieces(void **state) {
    (void)state;
    enum { BUFFER = 1 << 16, AROUND = 8 };
    static char text[BUFFER + 64];
    const char *const words = "it's é ok";
    for (int at = BUFFER - AROUND - 4; at < BUFFER + AROUND; at++) {
        memset(text, ' ', sizeof text);
        memcpy(text + at, words, strlen(words));
        expect_words(text, sizeof text, "it's|é|ok");
    }
}

static void refuse(const char *text, size_t bytes, const char *expected) {
    char word[TEXT_WORD];
    int count = 1;
    data_text *file = NULL;
    hiss_error err = {0};
    put(path, text, bytes);
    hiss_status status = data_text_open(path, &file, &err);
    while (!status && count > 0) {
        status = data_text_word(file, word, &count, &err);
    }
    data_text_close(file);
    assert_int_equal(status, HISS_EUSER);
    assert_non_null(strstr(err.text, expected));
    assert_memory_equal(err.text, path, strlen(path));
}

static void test_mistakes(void **state) {
    (void)state;
    static const char *const wrong[] = {"\xFF",
                                        "\xC3",
                                        "\x80",
                                        "\xC3x",
                                        "\xC0\xAF",
                                        "\xE0\x80\x80",
                                        "\xED\xA0\x80",
                                        "\xF0\x80\x80\x80",
                                        "\xF4\x90\x80\x80",
                                        "\xF5\x80\x80\x80",
                                        "caf\xE9",
                                        "\xC3\xA9\xA9"};
    char text[32];
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        const int bytes = snprintf(text, sizeof text, "ab %s cd", wrong[k]);
        refuse(text, (size_t)bytes, "is not UTF-8; convert the file");
    }
    refuse("caf\xE9 x", 6, "ends before byte 4 is not");
    refuse("caf\xE9", 4, "ends before byte 4 is not");
    refuse("ab\0c", 4, "byte 2 is 0, so this is a binary file or UTF-16");
    refuse("", 0, "is empty");
    data_text *file = NULL;
    hiss_error err = {0};
    assert_int_equal(data_text_open("/tmp", &file, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "/tmp: is a folder"));
    assert_int_equal(data_text_open("/dev/null", &file, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "is no plain file"));
    assert_int_equal(data_text_open("/nonexistent", &file, &err), HISS_EUSER);
}

/* ---- vocabularies ---- */

static bool join(void *user, const char *text, size_t bytes) {
    char *to = user;
    snprintf(to + strlen(to), 256 - strlen(to), "%.*s ", (int)bytes, text);
    return true;
}

static void expect_vocabulary(const char *name, const char *expected, const int64_t *counts, int64_t n) {
    char found[256] = "";
    int64_t count[16];
    hiss_h5 *file;
    hiss_error err = {0};
    assert_int_equal(hiss_h5_open(name, &file, &err), HISS_OK);
    assert_int_equal(hiss_h5_read_texts(file, "/vocabulary", join, found, &err), HISS_OK);
    assert_int_equal(hiss_h5_read(file, "/count", HISS_I64, 0, n, count, &err), HISS_OK);
    hiss_h5_close(file, NULL);
    assert_string_equal(found, expected);
    assert_memory_equal(count, counts, sizeof *count * (size_t)n);
}

/* All rows one after the other. */
static void expect_tokens(const char *name, int64_t n, const int32_t *tokens) {
    int32_t found[32];
    hiss_h5_info info;
    hiss_h5 *file;
    hiss_error err = {0};
    assert_int_equal(hiss_h5_open(name, &file, &err), HISS_OK);
    assert_int_equal(hiss_h5_look(file, "/tokens", &info, &err), HISS_OK);
    assert_true(info.dtype == HISS_I32 && info.ndim == 2 && info.dim[0] * info.dim[1] == n);
    assert_int_equal(hiss_h5_read(file, "/tokens", HISS_I32, 0, info.dim[0], found, &err), HISS_OK);
    hiss_h5_close(file, NULL);
    assert_memory_equal(found, tokens, sizeof *found * (size_t)n);
}

static void prepare(const char *to, const hiss_cut *cut, const hiss_tokens *tokens, const char *file) {
    const hiss_prepare_options options = {.output = to};
    hiss_error err = {0};
    if (hiss_prepare_text(&options, cut, tokens, &file, 1, &err)) {
        fail_msg("%s", err.text);
    }
}

static void test_vocabulary(void **state) {
    (void)state;
    const char *const train = "b a c b é a B ab A' d", *const test = "zz b ab b c";
    const hiss_cut cut = {.length = 5}, padded = {.length = 4, .pad = true};
    put(path, train, strlen(train)); /* a 3, b 3, ab 1, c 1, d 1, é 1 */
    put(other, test, strlen(test));
    prepare(output, &cut, &(hiss_tokens){.min_count = 1}, path);
    expect_vocabulary(output, "<unknown> a b ab c d é ", (const int64_t[]){0, 3, 3, 1, 1, 1, 1}, 7);
    expect_tokens(output, 10, (const int32_t[]){2, 1, 4, 2, 6, 1, 2, 3, 1, 5});
    prepare(output, &cut, &(hiss_tokens){.min_count = 2}, path);
    expect_vocabulary(output, "<unknown> a b ", (const int64_t[]){4, 3, 3}, 3);
    expect_tokens(output, 10, (const int32_t[]){2, 1, 0, 2, 0, 1, 2, 0, 1, 0});
    prepare(second, &cut, &(hiss_tokens){.min_count = 9, .vocabulary = output}, other);
    expect_vocabulary(second, "<unknown> a b ", (const int64_t[]){3, 0, 2}, 3);
    expect_tokens(second, 5, (const int32_t[]){0, 2, 0, 2, 0});
    prepare(output, &padded, &(hiss_tokens){.min_count = 3}, path);
    expect_vocabulary(output, "<unknown> a b <padding> ", (const int64_t[]){4, 3, 3, 0}, 4);
    expect_tokens(output, 12, (const int32_t[]){2, 1, 0, 2, 0, 1, 2, 0, 1, 0, 3, 3});
    prepare(second, &padded, &(hiss_tokens){.vocabulary = output}, other);
    expect_vocabulary(second, "<unknown> a b <padding> ", (const int64_t[]){3, 0, 2, 0}, 4);
    expect_tokens(second, 8, (const int32_t[]){0, 2, 0, 2, 0, 3, 3, 3});
}

/* More words than the table has room for at first keep their numbers; so they do when they are read. */
static void test_many(void **state) {
    (void)state;
    enum { MANY = 5000 };
    data_words *words = data_words_create();
    char word[TEXT_WORD];
    for (int round = 0; round < 2; round++) {
        for (int k = 0; k < MANY; k++) {
            data_words_count(words, word, snprintf(word, sizeof word, "w%05d", (k * 7919 + round) % MANY));
        }
    }
    data_words_choose(words, 2, false);
    assert_true(data_words_different(words) == MANY && data_words_numbered(words) == MANY + 1);
    for (int written = 0; written < 2; written++) {
        for (int k = 0; k < MANY; k++) {
            assert_int_equal(data_words_number(words, word, snprintf(word, sizeof word, "w%05d", k)), k + 1);
        }
        assert_int_equal(data_words_number(words, "w", 1), 0);
        hiss_h5 *file;
        hiss_error err = {0};
        assert_int_equal(hiss_h5_create(output, &file, &err), HISS_OK);
        assert_int_equal(data_words_write(words, file, &err), HISS_OK);
        assert_int_equal(hiss_h5_close(file, &err), HISS_OK);
        data_words_destroy(words);
        assert_int_equal(data_words_read(output, &words, &err), HISS_OK);
    }
    data_words_destroy(words);
}

/* What is no vocabulary: NULL texts stand for integers. */
static void test_no_vocabulary(void **state) {
    (void)state;
    enum { BYTES = 80, MOST = 3 };
    static const struct {
        int64_t count;
        const char *text[MOST], *expected;
    } cases[] = {
        {3, {"a", "b", "c"}, "entry 0 of /vocabulary is not <unknown>"},
        {3, {"<unknown>", "b", "<unknown>"}, "entry 2 of /vocabulary is <unknown> again"},
        {3, {"<unknown>", "b", "b"}, "entry 2 of /vocabulary is there twice"},
        {3, {"<unknown>", "", "b"}, "entry 1 of /vocabulary is no word of 1 to 64 bytes"},
        {2,
         {"<unknown>", "12345678901234567890123456789012345678901234567890123456789012345"},
         "entry 1 of /vocabulary is no word of 1 to 64 bytes"},
        {1, {"<unknown>"}, "expected 2 or more strings [n]"},
        {2, {NULL}, "/vocabulary is int64 [2]; expected 2 or more strings [n]"},
        {0, {NULL}, "has no data set /vocabulary"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const int64_t n = cases[k].count, numbers[MOST] = {0};
        const hiss_h5_info info = {HISS_I64, 1, {n}};
        char texts[MOST][BYTES] = {{0}};
        data_words *words = NULL;
        hiss_h5 *file;
        hiss_error err = {0};
        assert_int_equal(hiss_h5_create(output, &file, &err), HISS_OK);
        if (cases[k].text[0]) {
            for (int64_t i = 0; i < n; i++) {
                snprintf(texts[i], BYTES, "%s", cases[k].text[i]);
            }
            assert_int_equal(hiss_h5_write_texts(file, "/vocabulary", n, BYTES, texts[0], &err), HISS_OK);
        } else if (n > 0) {
            assert_int_equal(hiss_h5_define(file, "/vocabulary", &info, 0, 0, &err), HISS_OK);
            assert_int_equal(hiss_h5_write(file, "/vocabulary", HISS_I64, 0, n, numbers, &err), HISS_OK);
        }
        assert_int_equal(hiss_h5_close(file, &err), HISS_OK);
        assert_int_equal(data_words_read(output, &words, &err), HISS_EUSER);
        assert_non_null(strstr(err.text, cases[k].expected));
        assert_memory_equal(err.text, output, strlen(output));
        assert_null(words);
    }
}

/* ---- rows ---- */

enum { LONGEST = 12 };

/* The rows of text by bytes, cut by the definition: one after the other from each begin. */
static void check_cut(const char *text, int count, const hiss_cut *cut, bool shuffle) {
    const hiss_prepare_options options = {.output = output, .shuffle = shuffle, .seed = 5};
    const int L = (int)cut->length, hop = L - (int)cut->overlap;
    const char *const files[] = {path, other};
    int rows[2] = {0, 0}, seen = 0;
    uint8_t expected[2 * LONGEST + 2][LONGEST], found[2 * LONGEST + 2][LONGEST], *flat = &found[0][0];
    int32_t from[2 * LONGEST + 2];
    hiss_error err = {0};
    put(path, text, (size_t)count);
    put(other, text, (size_t)LONGEST);
    for (int f = 0, n = 0; f < 2; f++) {
        const int end = f ? LONGEST : count;
        for (int at = 0, covered = 0; covered < end && (at + L <= end || cut->pad); at += hop, rows[f]++, n++) {
            for (int j = 0; j < L; j++) {
                expected[n][j] = at + j < end ? (uint8_t)text[at + j] : 0;
            }
            covered = at + L;
        }
    }
    assert_int_equal(hiss_prepare_text(&options, cut, &(hiss_tokens){.by = HISS_BY_BYTES}, files, 2, &err), HISS_OK);
    const int n = rows[0] + rows[1];
    hiss_h5 *file;
    hiss_h5_info info;
    int64_t overlap = -1, padding = -1;
    assert_int_equal(hiss_h5_open(output, &file, &err), HISS_OK);
    assert_int_equal(hiss_h5_look(file, "/tokens", &info, &err), HISS_OK);
    assert_true(info.dtype == HISS_U8 && info.ndim == 2 && info.dim[0] == n && info.dim[1] == L);
    assert_int_equal(hiss_h5_read(file, "/tokens", HISS_U8, 0, n, flat, &err), HISS_OK);
    assert_int_equal(hiss_h5_read(file, "/file", HISS_I32, 0, n, from, &err), HISS_OK);
    assert_int_equal(hiss_h5_get_i64(file, "/tokens", "overlap", &overlap, &err), HISS_OK);
    assert_int_equal(hiss_h5_get_i64(file, "/tokens", "padding", &padding, &err) == HISS_OK, cut->pad);
    assert_true(overlap == cut->overlap && !hiss_h5_has(file, "/vocabulary"));
    hiss_h5_close(file, NULL);
    for (int k = 0; k < n; k++) { /* each expected row is there once, of its file */
        for (int i = shuffle ? 0 : k, end = shuffle ? n : k + 1; i < end; i++) {
            if (from[i] == (k >= rows[0]) && memcmp(flat + (ptrdiff_t)i * L, expected[k], (size_t)L) == 0) {
                seen++;
                break;
            }
        }
    }
    assert_int_equal(seen, n);
}

static void test_every_cut(void **state) {
    (void)state;
    const char *const text = "abcdefghijkl";
    for (int L = 1; L <= 4; L++) {
        for (int M = 0; M < L; M++) {
            for (int count = 1; count <= 8; count++) {
                for (int pad = 0; pad < 2; pad++) {
                    const hiss_cut cut = {.length = L, .overlap = M, .pad = pad};
                    check_cut(text, count, &cut, (L + M + count / 2) % 2);
                }
            }
        }
    }
}

static int begin(void **state) {
    (void)state;
    hiss_log_setup(HISS_LOG_ERROR, 0);
    const int file = mkstemp(path);
    snprintf(other, sizeof other, "%s.b", path);
    snprintf(output, sizeof output, "%s.h5", path);
    snprintf(second, sizeof second, "%s.2.h5", path);
    return file < 0 || close(file);
}

static int end(void **state) {
    (void)state;
    return unlink(path) || unlink(other) || unlink(output) || unlink(second) || hiss_alloc_live() != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),      cmocka_unit_test(test_pieces), cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_vocabulary), cmocka_unit_test(test_many),   cmocka_unit_test(test_no_vocabulary),
        cmocka_unit_test(test_every_cut),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
