/* Durable files and directories, in a scratch directory under $TMPDIR or /tmp. */
#include "hiss/file.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "hiss/alloc.h"

static char start[PATH_MAX], scratch[PATH_MAX];

static int enter_scratch(void **state) {
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(scratch, sizeof scratch, "%s/hiss-test-file-XXXXXX", base ? base : "/tmp");
    return getcwd(start, sizeof start) && mkdtemp(scratch) && chdir(scratch) == 0 ? 0 : -1;
}

static int leave_scratch(void **state) {
    (void)state;
    char command[PATH_MAX + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", scratch);
    return chdir(start) == 0 && system(command) == 0 ? 0 : -1;
}

static void put(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void assert_content(const char *path, const char *expected) {
    size_t length = strlen(expected);
    char *text = hiss_new(char, length + 2);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, length + 1, file), length);
    fclose(file);
    assert_memory_equal(text, expected, length);
    hiss_free(text);
}

static int entries(const char *path) {
    int count = 0;
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(directory);
    return count;
}

static void assert_mentions(const hiss_error *err, const char *part) {
    if (!strstr(err->text, part)) {
        fail_msg("'%s' does not mention '%s'", err->text, part);
    }
}

static void test_exists(void **state) {
    (void)state;
    put("here", "");
    assert_true(hiss_file_exists("here"));
    assert_true(hiss_file_exists("."));
    assert_false(hiss_file_exists("nowhere"));
    assert_false(hiss_file_exists("here/below"));
    assert_false(hiss_file_exists(""));
}

static void test_make_directories(void **state) {
    (void)state;
    hiss_error err = {0};
    char absolute[PATH_MAX + 8];
    snprintf(absolute, sizeof absolute, "%s/x/y", scratch);
    const char *good[] = {"a", "a", "a/b/c", "a/b/c/", "d//e///f", "./g/../h", ".", "/", absolute};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(hiss_directories_make(good[i], &err), HISS_OK);
        assert_true(hiss_file_exists(good[i]));
    }
    assert_string_equal(err.text, "");
}

/* All that is inside goes; what links lead to stays. */
static void test_remove_tree(void **state) {
    (void)state;
    hiss_error err = {0};
    assert_int_equal(hiss_directories_make("tree/a/b/c", &err), HISS_OK);
    assert_int_equal(hiss_directories_make("kept", &err), HISS_OK);
    assert_int_equal(hiss_file_write_text("kept/file", "x", &err), HISS_OK);
    assert_int_equal(hiss_file_write_text("tree/a/.hidden", "x", &err), HISS_OK);
    assert_int_equal(symlink("../../kept", "tree/a/link"), 0);
    hiss_directory_remove("tree");
    assert_false(hiss_file_exists("tree"));
    assert_true(hiss_file_exists("kept/file"));
    assert_int_equal(symlink("kept", "link"), 0);
    hiss_directory_remove("link");
    assert_true(hiss_file_exists("kept/file"));
    hiss_directory_remove("kept/file");
    hiss_directory_remove("kept");
    hiss_directory_remove("absent");
    assert_false(hiss_file_exists("kept"));
}

static void test_make_directories_over_a_file(void **state) {
    (void)state;
    hiss_error err = {0};
    put("plain", "text");
    assert_int_equal(hiss_directories_make("plain", &err), HISS_ESYSTEM);
    assert_string_equal(err.text,
                        "cannot make directory 'plain': 'plain' exists and is not a directory; choose another name");
    assert_int_equal(hiss_directories_make("plain/below/it", &err), HISS_ESYSTEM);
    assert_int_equal(err.code, HISS_ESYSTEM);
    assert_string_equal(
        err.text, "cannot make directory 'plain/below/it': 'plain' exists and is not a directory; choose another name");
    assert_int_equal(hiss_directories_make("", &err), HISS_ESYSTEM);
    assert_mentions(&err, "empty");
    assert_int_equal(hiss_directories_make("/proc/nothing/here", &err), HISS_ESYSTEM);
    assert_mentions(&err, "mkdir '/proc/nothing'");
    assert_content("plain", "text");
}

static void test_temporary_name(void **state) {
    (void)state;
    char name[PATH_MAX], expected[PATH_MAX];
    hiss_file_temporary("run/ckpt/step-1.h5", name, sizeof name);
    snprintf(expected, sizeof expected, "run/ckpt/.step-1.h5.tmp-%ld", (long)getpid());
    assert_string_equal(name, expected);
    hiss_file_temporary("plain", name, sizeof name);
    snprintf(expected, sizeof expected, ".plain.tmp-%ld", (long)getpid());
    assert_string_equal(name, expected);
    hiss_file_temporary("/rooted", name, sizeof name);
    snprintf(expected, sizeof expected, "/.rooted.tmp-%ld", (long)getpid());
    assert_string_equal(name, expected);
}

static void test_write_is_whole_and_replaces(void **state) {
    (void)state;
    hiss_error err = {0};
    enum { LONG = 3000000 };
    char *text = hiss_new(char, LONG + 1);
    for (int i = 0; i < LONG; i++) {
        text[i] = (char)('a' + i % 23);
    }
    mkdir("w", 0777);
    assert_int_equal(hiss_file_write_text("w/file", text, &err), HISS_OK);
    assert_content("w/file", text);
    assert_int_equal(hiss_file_write_text("w/file", "short", &err), HISS_OK);
    assert_content("w/file", "short");
    assert_int_equal(hiss_file_write_text("w/empty", "", &err), HISS_OK);
    assert_content("w/empty", "");
    assert_int_equal(entries("w"), 2);
    assert_int_equal(hiss_file_write_text("in-place", "no directory part", &err), HISS_OK);
    assert_content("in-place", "no directory part");
    hiss_free(text);
}

static void test_failed_publish_removes_the_temporary(void **state) {
    (void)state;
    hiss_error err = {0};
    char temporary[PATH_MAX];
    mkdir("p", 0777);
    mkdir("p/taken", 0777);
    hiss_file_temporary("p/taken", temporary, sizeof temporary);
    put(temporary, "new");
    assert_int_equal(hiss_file_publish(temporary, "p/taken", &err), HISS_ESYSTEM);
    assert_mentions(&err, "cannot write 'p/taken': rename of");
    assert_false(hiss_file_exists(temporary));
    assert_int_equal(hiss_file_write_text("p/taken", "new", &err), HISS_ESYSTEM);
    assert_int_equal(entries("p"), 1);

    assert_int_equal(hiss_file_publish("p/.none.tmp-1", "p/none", &err), HISS_ESYSTEM);
    assert_mentions(&err, "open of 'p/.none.tmp-1': No such file");
    assert_int_equal(hiss_file_write_text("nowhere/file", "new", &err), HISS_ESYSTEM);
    assert_mentions(&err, "cannot write 'nowhere/file': open of");
}

/* A full disk, played by a limit on file size: the old content stays, nothing is left beside it. */
static void test_failed_write_keeps_the_old_file(void **state) {
    (void)state;
    enum { LONG = 200000 };
    hiss_error err = {0};
    char *text = hiss_new(char, LONG + 1);
    memset(text, 'x', LONG);
    mkdir("f", 0777);
    assert_int_equal(hiss_file_write_text("f/file", "old", &err), HISS_OK);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {10000, 10000};
        signal(SIGXFSZ, SIG_IGN);
        bool good = setrlimit(RLIMIT_FSIZE, &limit) == 0;
        good = good && hiss_file_write_text("f/file", text, &err) == HISS_ESYSTEM;
        good = good && strstr(err.text, "cannot write 'f/file': write of") && strstr(err.text, "File too large");
        _exit(good ? 0 : 1);
    }
    int outcome = -1;
    assert_int_equal(waitpid(child, &outcome, 0), child);
    assert_int_equal(outcome, 0);
    assert_content("f/file", "old");
    assert_int_equal(entries("f"), 1);
    hiss_free(text);
}

static void test_remove(void **state) {
    (void)state;
    hiss_error err = {0};
    put("old", "");
    assert_int_equal(hiss_file_remove("old", &err), HISS_OK);
    assert_false(hiss_file_exists("old"));
    assert_int_equal(hiss_file_remove("old", &err), HISS_OK);
    assert_int_equal(hiss_file_remove(".", &err), HISS_ESYSTEM);
    assert_non_null(strstr(err.text, "cannot remove '.'"));
}

static void test_verified_write(void **state) {
    (void)state;
    enum { LONG = 300000 };
    hiss_error err = {0};
    char *bytes = hiss_new(char, LONG + 1);
    memset(bytes, 'x', LONG);
    mkdir("v", 0777);
    for (size_t size = 0; size <= LONG; size += LONG / 3) {
        assert_int_equal(hiss_file_write_verified("v/file", bytes, size, &err), HISS_OK);
        FILE *in = fopen("v/file", "r");
        char *found = hiss_new(char, LONG + 1);
        assert_int_equal(fread(found, 1, LONG + 1, in), size);
        assert_memory_equal(found, bytes, size);
        fclose(in);
        hiss_free(found);
    }
    assert_int_equal(entries("v"), 1);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {10000, 10000};
        signal(SIGXFSZ, SIG_IGN);
        bool good = setrlimit(RLIMIT_FSIZE, &limit) == 0;
        good = good && hiss_file_write_verified("v/file", bytes, LONG, &err) == HISS_ESYSTEM;
        good = good && strstr(err.text, "cannot write 'v/file': write of") && strstr(err.text, "File too large");
        _exit(good ? 0 : 1);
    }
    int outcome = -1;
    assert_int_equal(waitpid(child, &outcome, 0), child);
    assert_int_equal(outcome, 0);
    assert_int_equal(entries("v"), 1);
    hiss_free(bytes);
}

static void test_owner_of_a_temporary(void **state) {
    (void)state;
    char temporary[PATH_MAX];
    hiss_file_temporary("step-1.h5", temporary, sizeof temporary);
    assert_int_equal(hiss_file_temporary_owner(temporary), getpid());
    assert_int_equal(hiss_file_temporary_owner(".a.tmp-1.tmp-23"), 23);
    static const char *const others[] = {"",          "step-1.h5", "a.tmp-1",   ".tmp-1",  ".a.tmp-",
                                         ".a.tmp-1x", ".lock",     ".a.tmp--1", ".a.tmp-0"};
    for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
        assert_int_equal(hiss_file_temporary_owner(others[k]), 0);
    }
}

/* Also one that has ended and still has its entry, whatever it is called. */
static void test_gone_owners(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        char byte;
        prctl(PR_SET_NAME, ") Z (");
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 1 ? 0 : 1);
    }
    close(ends[0]);
    assert_false(hiss_file_owner_gone(child));
    assert_false(hiss_file_owner_gone(getpid()));
    close(ends[1]);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    assert_true(hiss_file_owner_gone(child));
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(hiss_file_owner_gone(child));
    assert_true(hiss_file_owner_gone(999999999));
}

/* A file that is too large is so for the process, or for the file system. */
static void test_remedy_of_size(void **state) {
    (void)state;
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = before.rlim_max == RLIM_INFINITY ? 1 << 20 : before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_non_null(strstr(hiss_file_remedy(EFBIG), "ulimit -f"));
    limit.rlim_cur = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    const bool unlimited = before.rlim_max == RLIM_INFINITY;
    assert_true(unlimited == (strstr(hiss_file_remedy(EFBIG), "the file system holds no file") != NULL));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exists),
        cmocka_unit_test(test_make_directories),
        cmocka_unit_test(test_remove_tree),
        cmocka_unit_test(test_make_directories_over_a_file),
        cmocka_unit_test(test_temporary_name),
        cmocka_unit_test(test_write_is_whole_and_replaces),
        cmocka_unit_test(test_failed_publish_removes_the_temporary),
        cmocka_unit_test(test_failed_write_keeps_the_old_file),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_verified_write),
        cmocka_unit_test(test_gone_owners),
        cmocka_unit_test(test_remedy_of_size),
        cmocka_unit_test(test_owner_of_a_temporary),
    };
    return cmocka_run_group_tests(tests, enter_scratch, leave_scratch);
}
