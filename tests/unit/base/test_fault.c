/* Fault points, compiled in for this test alone; the environment is read once, hence a process per case. */
#undef HISS_FAULTS
#define HISS_FAULTS
#include "base/fault.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* What 5 calls of point give in a process with this HISS_FAULT, as bits; -1 when it dies by SIGKILL. */
static int calls(const char *fault, const char *rank, const char *point) {
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int bits = 0;
        setenv("HISS_FAULT", fault, 1);
        setenv("OMPI_COMM_WORLD_RANK", rank, 1);
        unsetenv("HISS_FAULT_TRACE");
        for (int k = 0; k < 5; k++) {
            errno = 0;
            const bool fails = hiss_fault(point);
            bits |= (fails && errno == EIO) << k;
        }
        _exit(bits);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return -1;
    }
    return WEXITSTATUS(status);
}

static void test_which_call_fails(void **state) {
    (void)state;
    assert_int_equal(calls("file.fsync", "0", "file.fsync"), 1);
    assert_int_equal(calls("file.fsync:3", "0", "file.fsync"), 4);
    assert_int_equal(calls("file.fsync:3+", "0", "file.fsync"), 4 + 8 + 16);
    assert_int_equal(calls("file.fsync:6", "0", "file.fsync"), 0);
    assert_int_equal(calls("file.fsync:5!", "0", "file.fsync"), -1);
}

static void test_which_point(void **state) {
    (void)state;
    assert_int_equal(calls("file.fsync", "0", "file.fsyn"), 0);
    assert_int_equal(calls("file.fsyn", "0", "file.fsync"), 0);
    assert_int_equal(calls("MPI_Bcast:2", "0", "MPI_Bcast(bytes, 3)"), 2);
}

static void test_which_rank(void **state) {
    (void)state;
    assert_int_equal(calls("file.fsync@1", "1", "file.fsync"), 1);
    assert_int_equal(calls("file.fsync@1", "0", "file.fsync"), 0);
    assert_int_equal(calls("file.fsync:2+@10", "10", "file.fsync"), 2 + 4 + 8 + 16);
    assert_int_equal(calls("file.fsync:2!@1", "0", "file.fsync"), 0);
}

static void test_trace(void **state) {
    (void)state;
    char path[] = "/tmp/hiss-test-fault-XXXXXX", text[200] = "";
    const int file = mkstemp(path);
    assert_true(file >= 0);
    const pid_t child = fork();
    if (child == 0) {
        setenv("HISS_FAULT", "b.two", 1);
        setenv("OMPI_COMM_WORLD_RANK", "7", 1);
        setenv("HISS_FAULT_TRACE", path, 1);
        (void)hiss_fault("a.one");
        (void)hiss_fault("a.one");
        (void)hiss_fault("b.two");
        trace_all();
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(read(file, text, sizeof text - 1) > 0);
    assert_string_equal(text, "7 b.two fired 1\n7 a.one 2\n7 b.two 1\n");
    close(file);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_call_fails),
        cmocka_unit_test(test_which_point),
        cmocka_unit_test(test_which_rank),
        cmocka_unit_test(test_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
