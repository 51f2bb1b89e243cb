/* Status, log and clock. */
#include "hiss/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hiss/clock.h"
#include "hiss/log.h"

static void test_exit_codes(void **state) {
    (void)state;
    assert_int_equal(hiss_exit_code(HISS_OK), 0);
    assert_int_equal(hiss_exit_code(HISS_EUSER), 2);
    assert_int_equal(hiss_exit_code(HISS_ESYSTEM), 2);
    assert_int_equal(hiss_exit_code(HISS_EINTERNAL), 70);
    assert_int_equal(hiss_exit_code(HISS_EREQUEUE), 85);
}

static void test_fail(void **state) {
    (void)state;
    hiss_error err = {0};
    assert_int_equal(hiss_fail(&err, HISS_EUSER, "%s has %d rows", "file.h5", 3), HISS_EUSER);
    assert_int_equal(err.code, HISS_EUSER);
    assert_string_equal(err.text, "file.h5 has 3 rows");
    hiss_fail(&err, HISS_EUSER, "a name like '%s'", "x\ny\tz\033[0m");
    assert_string_equal(err.text, "a name like 'x y z [0m'");
    assert_int_equal(hiss_fail(NULL, HISS_ESYSTEM, "unheard"), HISS_ESYSTEM);
    assert_int_equal(hiss_fail(&err, HISS_EREQUEUE, "later"), HISS_EREQUEUE);
    assert_int_equal(err.code, HISS_EREQUEUE);
    assert_string_equal(err.text, "later");
}

static void test_long_text_is_cut(void **state) {
    (void)state;
    struct {
        hiss_error err;
        char guard[8];
    } box = {.guard = "intact"};
    char text[5000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    hiss_fail(&box.err, HISS_EUSER, "%s", text);
    assert_int_equal(strlen(box.err.text), sizeof box.err.text - 1);
    assert_string_equal(box.guard, "intact");
}

/* What is cut ends with a whole word, and says so. */
static void test_cut_texts_end_with_a_word(void **state) {
    (void)state;
    for (int length = 1; length < 40; length++) {
        hiss_error err;
        char text[4000] = "", list[100] = "", items[4000] = "", item[41];
        for (size_t used = 0; used + 50 < sizeof text; used = strlen(text)) {
            memset(item, 'x', sizeof item);
            item[length] = '\0';
            snprintf(text + used, sizeof text - used, "%s%s", used ? " " : "", item);
            snprintf(items + strlen(items), sizeof items - strlen(items), "%s%s", used ? ", " : "", item);
        }
        hiss_fail(&err, HISS_EUSER, "%s", text);
        const char *end = strstr(err.text, " ...");
        assert_true(end && end[4] == '\0' && strlen(err.text) < sizeof err.text);
        assert_true((end - err.text + 1) % (length + 1) == 0);
        hiss_list_add_all(list, sizeof list, items);
        end = strstr(list, ", ...");
        assert_true(end && end[5] == '\0' && strlen(list) < sizeof list);
        assert_true((end - list + 2) % (length + 2) == 0);
        hiss_list_add(list, sizeof list, "y");
        assert_null(strchr(list, 'y'));
    }
    char list[20] = "";
    hiss_list_add(list, sizeof list, "longer than it all is");
    assert_string_equal(list, "...");
}

/* What four lines of four levels leave on stderr under this setup. */
static void check_log(hiss_log_level level, int rank, const char *expected) {
    char text[1000];
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    assert_non_null(file);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    hiss_log_setup(level, rank);
    hiss_error_line("e %d", 1);
    hiss_warn("w");
    hiss_info("i");
    hiss_debug("d");
    hiss_log_setup(HISS_LOG_INFO, 0);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(text, expected);
}

static void test_log_levels(void **state) {
    (void)state;
    check_log(HISS_LOG_ERROR, 0, "hiss: error: e 1\n");
    check_log(HISS_LOG_WARNING, 0, "hiss: error: e 1\nhiss: warning: w\n");
    check_log(HISS_LOG_INFO, 0, "hiss: error: e 1\nhiss: warning: w\nhiss: i\n");
    check_log(HISS_LOG_DEBUG, 0, "hiss: error: e 1\nhiss: warning: w\nhiss: i\nhiss: debug: d\n");
    check_log(HISS_LOG_DEBUG, 3, "hiss: error: [rank 3] e 1\nhiss: warning: [rank 3] w\n");
    check_log(HISS_LOG_ERROR, 3, "hiss: error: [rank 3] e 1\n");
}

static void test_clock_moves_on(void **state) {
    (void)state;
    double start = hiss_seconds(), last = start;
    usleep(20000);
    for (int i = 0; i < 1000; i++) {
        double now = hiss_seconds();
        assert_true(now >= last);
        last = now;
    }
    assert_true(last - start >= 0.019 && last - start < 60);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_codes),       cmocka_unit_test(test_fail),
        cmocka_unit_test(test_long_text_is_cut), cmocka_unit_test(test_log_levels),
        cmocka_unit_test(test_clock_moves_on),   cmocka_unit_test(test_cut_texts_end_with_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
