/* Why a run failed, by logs as launchers and programs leave them; and what it was warned of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "scale/scale_impl.h"

#define DASHES "--------------------------------------------------------------------------\n"
#define AFTERMATH                                                                                                      \
    DASHES "Primary job  terminated normally, but 1 process returned\na non-zero exit code. Per user-direction, the "  \
           "job has been aborted.\n" DASHES
#define FIRST_PROCESS                                                                                                  \
    DASHES "mpirun detected that one or more processes exited with non-zero status, thus causing\nthe job to be "      \
           "terminated. The first process to do so was:\n\n"                                                           \
           "  Process name: [[1,1],0]\n  Exit code:    1\n" DASHES

static const char file[] = "log.txt";

static void put(const char *text) {
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void test_reasons(void **state) {
    (void)state;
    static const struct {
        const char *log, *reason;
    } cases[] = {
        {"", ""},
        {"epoch 1\nepoch 2\n\n", "epoch 2"},
        /* The first error of hiss, whatever stands around it. */
        {"hiss: warning: a: error-prone\nsome error\nhiss: error: data.h5 is short\nhiss: error: second\n" AFTERMATH
             FIRST_PROCESS,
         "data.h5 is short"},
        {"hiss: error: a b\r\n", "a b"},
        /* No error of hiss: the first that there is, not the launcher's last word. */
        {"epoch 1\nhiss: t.c:7: f: Assertion `x' failed.\n[vm:1] *** Process received signal ***\n" AFTERMATH
             FIRST_PROCESS,
         "hiss: t.c:7: f: Assertion `x' failed."},
        {"./hiss: error while loading shared libraries: libx.so: cannot open\nsrun: error: n1: task 0: Exited with "
         "exit code 127\n",
         "./hiss: error while loading shared libraries: libx.so: cannot open"},
        {"slurmstepd: error: Detected 1 oom_kill event\nsrun: error: n1: task 0: Out Of Memory\n",
         "slurmstepd: error: Detected 1 oom_kill event"},
        {"srun: error: n1: task 0: Exited with exit code 7\n", "srun: error: n1: task 0: Exited with exit code 7"},
        /* What stands between dashes is one message. */
        {DASHES "mpirun was unable to launch the specified application as it could not access\nor execute an "
                "executable:\n\nExecutable: /no/such\n"
                "Node: vm\n\nwhile attempting to start process rank 0.\n" DASHES,
         "mpirun was unable to launch the specified application as it could not access or execute an executable: "
         "Executable: "
         "/no/such Node: vm while attempting to start process rank 0."},
        {AFTERMATH DASHES "mpirun noticed that process rank 1 on node vm exited on signal 9 (Killed).\n" DASHES,
         "mpirun noticed that process rank 1 on node vm exited on signal 9 (Killed)."},
        {DASHES "There are not enough slots available\n", "There are not enough slots available"},
        {"tab\there\x01\n", "tab here "},
    };
    for (int k = 0; k < HISS_COUNT(cases); k++) {
        char reason[HISS_REASON];
        put(cases[k].log);
        hiss_log_reason(file, reason);
        assert_string_equal(reason, cases[k].reason);
    }
    char reason[HISS_REASON];
    hiss_log_reason("no-such-log", reason);
    assert_string_equal(reason, "");
}

/* Lines longer than a reason are cut, not overrun. */
static void test_long(void **state) {
    (void)state;
    char text[5000], reason[HISS_REASON];
    memset(text, 'x', sizeof text);
    memcpy(text, "error ", 6);
    text[sizeof text - 1] = 0;
    put(text);
    hiss_log_reason(file, reason);
    assert_int_equal(strlen(reason), HISS_REASON - 1);
}

static void test_warnings(void **state) {
    (void)state;
    const char *warning[MOST_WARNINGS];
    hiss_arena *arena = hiss_arena_create();
    put("hiss: warning: one\nhiss: data\nhiss: warning: [rank 3] two\nhiss: warning: one\nhiss: error: three\n");
    assert_int_equal(scale_find_warnings(file, arena, warning), 2);
    assert_string_equal(warning[0], "one");
    assert_string_equal(warning[1], "[rank 3] two");
    FILE *out = fopen(file, "w");
    for (int k = 0; k < 3 * MOST_WARNINGS; k++) {
        fprintf(out, "hiss: warning: %d\n", k);
    }
    fclose(out);
    assert_int_equal(scale_find_warnings(file, arena, warning), MOST_WARNINGS);
    assert_int_equal(scale_find_warnings("no-such-log", arena, warning), 0);
    hiss_arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reasons), cmocka_unit_test(test_long),
                                       cmocka_unit_test(test_warnings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
