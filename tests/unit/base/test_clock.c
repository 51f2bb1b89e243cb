/* When processes began, and what they are called. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "hiss/clock.h"

static void a_process_keeps_its_start_whatever_its_name(void **state) {
    (void)state;
    char name[HISS_PROCESS_NAME];
    const uint64_t began = hiss_process_began(getpid(), name);
    assert_true(began > 0);
    assert_string_equal(name, "test_clock");
    static const char *const names[] = {"a b", "(", ")", ") R 1 (2", ""};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        assert_int_equal(prctl(PR_SET_NAME, names[k]), 0);
        assert_true(hiss_process_began(getpid(), name) == began);
        assert_string_equal(name, names[k]);
        assert_true(hiss_process_began(getpid(), NULL) == began);
    }
}

static void a_process_that_is_gone_has_none(void **state) {
    (void)state;
    char name[HISS_PROCESS_NAME] = "before";
    const pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    assert_true(child > 0 && hiss_process_began(child, NULL) >= hiss_process_began(getpid(), NULL));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_true(hiss_process_began(child, name) == 0);
    assert_string_equal(name, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_process_keeps_its_start_whatever_its_name),
                                       cmocka_unit_test(a_process_that_is_gone_has_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
