/* The core of OpenBLAS is chosen within the process: what the user asks for runs, a narrow one of the library's own
 * choice is exchanged for the processor's widest with the bits of a process that began with it, and the environment
 * stays what it was. OpenBLAS reads it when it is loaded, so each case is a process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "hiss/config.h"
#include "hiss/hash.h"
#include "hiss/kernels.h"

enum { SIZE = 61, REPORT = 1024 };
static const char variable[] = "OPENBLAS_CORETYPE";

static void hash_of_products(char text[HISS_HASH_TEXT]) {
    static float A[SIZE * SIZE], B[SIZE * SIZE], C[SIZE * SIZE];
    hiss_hash *hash = hiss_hash_begin();
    for (int i = 0; i < SIZE * SIZE; i++) {
        A[i] = 1.0f / (float)(1 + i % 89);
        B[i] = 1.0f / (float)(3 + i % 97);
    }
    for (int64_t M = SIZE - 9; M <= SIZE; M++) {
        hiss_kernels_blas()->gemm(false, true, M, SIZE - 3, SIZE, 1, A, SIZE, B, SIZE, 0, C, SIZE);
        hiss_hash_add(hash, C, sizeof C);
    }
    hiss_hash_end(hash, text);
}

/* In a process of its own: forget what the library was loaded with, if wanted; choose; tell. */
static int report(bool forget) {
    char text[HISS_CORE_TEXT], hash[HISS_HASH_TEXT] = "none";
    if (forget) {
        unsetenv(variable);
    }
    hiss_kernels_choose_core();
    const hiss_core_verdict verdict = hiss_kernels_judge_core(text);
    if (verdict != HISS_CORE_IMPOSSIBLE) {
        hiss_kernels_enter_thread();
        hash_of_products(hash);
    }
    const char *left = getenv(variable);
    printf("%s|%d|%s|%s|%s", hiss_kernels_core(), (int)verdict, left ? left : "", hash, text);
    return 0;
}

typedef struct told {
    char all[REPORT], *core, *left, *hash, *text;
    hiss_core_verdict verdict;
} told;

static void ask(const char *setting, const char *mode, told *out) {
    char self[1024], command[1200];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(length > 0);
    self[length] = '\0';
    snprintf(command, sizeof command, "env %s '%s' %s", setting, self, mode);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    out->all[fread(out->all, 1, REPORT - 1, pipe)] = '\0';
    assert_int_equal(pclose(pipe), 0);
    char *fields[5] = {out->all};
    for (int k = 1; k < 5; k++) {
        fields[k] = strchr(fields[k - 1], '|');
        assert_non_null(fields[k]);
        *fields[k]++ = '\0';
    }
    out->core = fields[0];
    out->verdict = (hiss_core_verdict)atoi(fields[1]);
    out->left = fields[2];
    out->hash = fields[3];
    out->text = fields[4];
}

static void with(const char *core, const char *mode, told *out) {
    char setting[64];
    snprintf(setting, sizeof setting, "%s=%s", variable, core);
    ask(setting, mode, out);
}

static void need_choice(void) {
    told t;
    with("Prescott", "keep", &t);
    if (strcmp(t.core, "Prescott") != 0) {
        print_message("this OpenBLAS has one core alone\n");
        skip();
    }
}

static const struct {
    const char *core;
    int width;
} cores_of_width[] = {{"Prescott", 0}, {"Nehalem", 0}, {"Sandybridge", 1}, {"haswell", 2},
                      {"Haswell", 2},  {"Zen", 2},     {"SkylakeX", 3}};

static int widest(void) {
    int width = 0;
    for (int i = 0; i < HISS_COUNT(cores_of_width); i++) {
        if (hiss_kernels_can_run(cores_of_width[i].core) && cores_of_width[i].width > width) {
            width = cores_of_width[i].width;
        }
    }
    return width;
}

static void what_is_asked_for_runs(void **unused) {
    (void)unused;
    need_choice();
    for (int i = 0; i < HISS_COUNT(cores_of_width); i++) {
        const char *core = cores_of_width[i].core;
        if (hiss_kernels_can_run(core)) {
            told t;
            with(core, "keep", &t);
            assert_int_equal(strcasecmp(t.core, core), 0);
            assert_string_equal(t.left, core);
            assert_int_equal(t.verdict, cores_of_width[i].width < widest() ? HISS_CORE_NARROW : HISS_CORE_GOOD);
        }
    }
}

static void a_narrow_choice_of_the_library_is_widened(void **unused) {
    (void)unused;
    need_choice();
    told widened, started;
    with("Prescott", "forget", &widened);
    assert_string_equal(widened.left, "");
    static const char *const by_width[] = {"Prescott", "Sandybridge", "Haswell", "SkylakeX"};
    with(by_width[widest()], "keep", &started);
    assert_string_equal(widened.core, started.core);
    assert_string_equal(widened.hash, started.hash);
    assert_int_equal(widened.verdict, HISS_CORE_GOOD);
}

static void an_empty_name_is_none(void **unused) {
    (void)unused;
    told empty, unset;
    with("", "keep", &empty);
    ask("-u OPENBLAS_CORETYPE", "keep", &unset);
    assert_string_equal(empty.core, unset.core);
    assert_string_equal(empty.hash, unset.hash);
    assert_string_equal(empty.left, "");
    assert_int_equal(empty.verdict, HISS_CORE_GOOD);
    assert_int_equal(unset.verdict, HISS_CORE_GOOD);
}

static void a_name_that_is_none_is_told(void **unused) {
    (void)unused;
    static const char *const names[] = {"Foo", "Haswel", "x86-64"};
    for (int i = 0; i < HISS_COUNT(names); i++) {
        told t;
        with(names[i], "keep", &t);
        assert_int_equal(t.verdict, HISS_CORE_UNASKED);
        assert_non_null(strstr(t.text, names[i]));
        assert_non_null(strstr(t.text, t.core));
        assert_string_equal(t.left, names[i]);
    }
}

static void a_core_beyond_the_processor_is_refused(void **unused) {
    (void)unused;
    need_choice();
    static const char *const cores[] = {"Sandybridge", "Haswell", "Zen", "Bulldozer", "SkylakeX"};
    for (int i = 0; i < HISS_COUNT(cores); i++) {
        told t;
        with(cores[i], "keep", &t);
        assert_int_equal(t.verdict == HISS_CORE_IMPOSSIBLE, !hiss_kernels_can_run(cores[i]));
    }
}

int main(int count, char **arguments) {
    if (count > 1) {
        return report(strcmp(arguments[1], "forget") == 0);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_asked_for_runs),
        cmocka_unit_test(a_narrow_choice_of_the_library_is_widened),
        cmocka_unit_test(an_empty_name_is_none),
        cmocka_unit_test(a_name_that_is_none_is_told),
        cmocka_unit_test(a_core_beyond_the_processor_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
