/* Vocabularies beside rows of words: read with the set, of several files, and of two sets that must number words alike; rows
 * with numbers that no word has, and files with half of a vocabulary, are refused. */
#include "../data_support.h"

enum { ROWS = 4, LENGTH = 5, WORD = 12 };

static char folder[] = "/tmp/hiss-vocabulary-XXXXXX", path[64], other[64], pair[64];

static const char *const usual[] = {"<unknown>", "the", "cat", "<padding>", NULL};
static const char *const longer[] = {"<unknown>", "the", "cat", "dog", NULL};

/* A file of rows, whose last number is `last`, with these words; counts NULL: 10, 11, ... */
static void put(const char *file, const char *const *words, const int64_t *counts, int64_t ncounts, int32_t last) {
    hiss_error err = {0};
    hiss_h5 *h5 = NULL;
    int32_t rows[ROWS * LENGTH] = {0};
    int64_t count = 0, times[8] = {10, 11, 12, 13, 14, 15, 16, 17};
    char text[8][WORD] = {{0}};
    rows[ROWS * LENGTH - 1] = last;
    unlink(file); /* a set may still have it open */
    must(hiss_h5_create(file, &h5, &err), &err);
    const hiss_h5_info tokens = {HISS_I32, 2, {ROWS, LENGTH}};
    must(hiss_h5_define(h5, "/tokens", &tokens, 0, 0, &err), &err);
    must(hiss_h5_write(h5, "/tokens", HISS_I32, 0, ROWS, rows, &err), &err);
    for (; words && words[count]; count++) {
        strcpy(text[count], words[count]);
    }
    if (words) {
        must(hiss_h5_write_texts(h5, "/vocabulary", count, WORD, text[0], &err), &err);
    }
    ncounts = ncounts < 0 ? count : ncounts;
    const hiss_h5_info numbers = {HISS_I64, 1, {ncounts}};
    if (ncounts > 0) {
        must(hiss_h5_define(h5, "/count", &numbers, 0, 0, &err), &err);
        must(hiss_h5_write(h5, "/count", HISS_I64, 0, ncounts, counts ? counts : times, &err), &err);
    }
    must(hiss_h5_close(h5, &err), &err);
}

static hiss_data_options words_of(const char *file) {
    static hiss_yaml layout = {.kind = HISS_YAML_SCALAR, .text = "NW"};
    hiss_data_options options = options_of(file, "");
    options.images = "/tokens";
    options.layout = &layout;
    return options;
}

static void test_read(void **unused) {
    (void)unused;
    put(path, usual, NULL, -1, 3);
    hiss_dataset *set = open_set(words_of(path));
    const hiss_vocabulary *v = hiss_dataset_vocabulary(set);
    assert_non_null(v);
    assert_int_equal(v->count, 4);
    assert_int_equal(v->padding, 3);
    for (int k = 0; k < 4; k++) {
        assert_string_equal(v->word[k], usual[k]);
        assert_int_equal(v->times[k], 10 + k);
    }
    hiss_dataset_close(set);
    put(path, longer, NULL, -1, 3);
    set = open_set(words_of(path));
    assert_int_equal(hiss_dataset_vocabulary(set)->padding, 0);
    hiss_dataset_close(set);
    put(path, NULL, NULL, 0, 3);
    set = open_set(words_of(path));
    assert_null(hiss_dataset_vocabulary(set));
    hiss_dataset_close(set);
}

static void test_files(void **unused) {
    (void)unused;
    put(path, usual, NULL, -1, 3);
    put(other, usual, NULL, -1, 2);
    hiss_dataset *set = open_set(words_of(pair)), *one;
    assert_int_equal(hiss_dataset_vocabulary(set)->times[2], 24);
    put(other, longer, NULL, -1, 2);
    one = open_set(words_of(other));
    hiss_error err = {0};
    assert_int_equal(hiss_dataset_expect_vocabulary(set, set, &err), HISS_OK);
    assert_int_equal(hiss_dataset_expect_vocabulary(one, set, &err), HISS_EUSER);
    expect_text(&err, "b.h5: has another vocabulary than ");
    expect_text(&err, "word 3 is '<padding>' there and 'dog' here; prepare it with --vocabulary ");
    hiss_dataset_close(set);
    hiss_dataset_close(one);
    refused(words_of(pair), "b.h5: has another vocabulary than ");
    put(other, NULL, NULL, 0, 2);
    refused(words_of(pair), "b.h5: has no /vocabulary, but ");
    unlink(other);
}

static void test_refused(void **unused) {
    (void)unused;
    static const char *const single[] = {"<unknown>", NULL};
    static const int64_t negative[] = {1, -2, 3, 4};
    put(path, usual, NULL, 0, 0);
    refused(words_of(path), "has no data set /count");
    put(path, usual, NULL, 3, 0);
    refused(words_of(path), "expected 2 or more strings [V], and integers [V]");
    put(path, single, NULL, -1, 0);
    refused(words_of(path), "expected 2 or more strings [V]");
    put(path, usual, negative, 4, 0);
    refused(words_of(path), "entry 1 of /count is -2; expected how often a word occurs");
    const int32_t beyond[] = {4, -1};
    for (int k = 0; k < 2; k++) {
        hiss_error err = {0};
        hiss_dataset *set = NULL;
        int32_t row[LENGTH];
        put(path, usual, NULL, -1, beyond[k]);
        const hiss_data_options options = words_of(path);
        hiss_status status = hiss_dataset_open(&options, 1, &set, &err);
        status = status ? status : hiss_dataset_read(set, ROWS - 1, 1, (uint8_t *)row, NULL, &err);
        assert_int_equal(status, HISS_EUSER);
        expect_text(&err, "row 3 of data set /tokens has values from ");
        expect_text(&err, "expected 0..3, the numbers of words in /vocabulary");
        hiss_dataset_close(set);
    }
}

static int begin(void **unused) {
    (void)unused;
    const int failed = begin_folder(folder, path, sizeof path);
    snprintf(other, sizeof other, "%s/b.h5", folder);
    snprintf(pair, sizeof pair, "%s/?.h5", folder);
    return failed;
}

static int end(void **unused) {
    (void)unused;
    return end_folder(folder, path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
