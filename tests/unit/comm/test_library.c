/* Names of MPI libraries, as they call themselves (the beginnings of what real ones say), and in one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "comm/comm_impl.h"
#include "hiss/config.h"

static void shortens(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4, repo rev: v4.1.4, May 26, 2022", "Open MPI 4.1.4"},
        {"Open MPI v5.0.11rc1, package: Open MPI", "Open MPI 5.0.11rc1"},
        {"MPICH Version:\t4.0.2\nMPICH Release date:\tThu Apr  7 12:34:45 CDT 2022\n", "MPICH 4.0.2"},
        {"MPICH Version:      5.0.2\nMPICH Release date: 2026\nMPICH ABI:  18:2:6\n", "MPICH 5.0.2"},
        {"Intel(R) MPI Library 2021.18 for Linux* OS\n", "Intel MPI 2021.18"},
        {"MPI VERSION    : CRAY MPICH version 8.1.25.17 (ANL base 3.4a2)\n", "Cray MPICH 8.1.25.17"},
        {"MVAPICH2 Version      :\t2.3.7\nMVAPICH2 Release date :\t2022\n", "MVAPICH 2.3.7"},
        {"MPICH\n2 of them", "MPICH"},
        {"Other MPI 7, of 2030\nmore", "Other MPI 7"},
        {"", ""},
    };
    for (int k = 0; k < HISS_COUNT(cases); k++) {
        char text[HISS_LIBRARY_TEXT];
        comm_library_shorten(cases[k][0], text);
        assert_string_equal(text, cases[k][1]);
    }
}

/* No bound is passed, whatever a library says. */
static void is_bounded(void **state) {
    (void)state;
    char longest[4096], text[HISS_LIBRARY_TEXT];
    memset(longest, '7', sizeof longest);
    memcpy(longest, "MPICH ", 6);
    longest[sizeof longest - 1] = 0;
    comm_library_shorten(longest, text);
    assert_int_equal(strlen(text), HISS_LIBRARY_TEXT - 1);
    memset(longest, 'x', 6);
    comm_library_shorten(longest, text);
    assert_int_equal(strlen(text), HISS_LIBRARY_TEXT - 1);
}

/* The library that runs is the one that hiss was built with here. */
static void is_this_one(void **state) {
    (void)state;
    char running[HISS_LIBRARY_TEXT], built[HISS_LIBRARY_TEXT];
    hiss_comm_library(running, built);
    assert_true(strlen(running) > 0);
    if (*built) {
        assert_memory_equal(running, built, strcspn(built, ".") + 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shortens),
        cmocka_unit_test(is_bounded),
        cmocka_unit_test(is_this_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
