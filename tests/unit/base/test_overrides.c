/* Resolved configs side by side, overrides that stand in a file, and lists of words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hiss/config.h"

static const char then[] = "seed: 1\noptim:\n  lr: 0.1\n  groups:\n    - a\ndist:\n  threads: 1\ntail: 4\n";

static void test_compare(void **state) {
    (void)state;
    static const char *const keys[] = {"dist", "opt"};
    static const struct {
        const char *now, *says; /* says NULL: the same */
    } cases[] = {
        {then, NULL},
        {"seed: 1\noptim:\n  lr: 0.1\n  groups:\n    - a\ndist:\n  threads: 9\n  more: x\ntail: 4\n", NULL},
        {"seed: 1\noptim:\n  lr: 0.1\n  groups:\n    - a\ntail: 4\n", NULL},
        {"seed: 2\noptim:\n  lr: 0.1\n", "'seed: 1', now 'seed: 2'"},
        {"seed: 1\noptim:\n  lr: 0.2\n", "in section optim, 'lr: 0.1', now 'lr: 0.2'"},
        {"seed: 1\noptim:\n  lr: 0.1\n  groups:\n    - b\n", "in section optim, '- a', now '- b'"},
        {"seed: 1\noptim:\n  lr: 0.1\n  groups:\n    - a\n", "'tail: 4', now ''"},
        {"seed: 1\noptim:\n  lr: 0.1\n  groups:\n    - a\ntail: 4\nnew: 5\n", "'', now 'new: 5'"},
    };
    for (int k = 0; k < HISS_COUNT(cases); k++) {
        hiss_error err = {0};
        const hiss_status s = hiss_resolved_compare(then, cases[k].now, keys, HISS_COUNT(keys), &err);
        assert_int_equal(s, cases[k].says ? HISS_EUSER : HISS_OK);
        assert_string_equal(err.text, cases[k].says ? cases[k].says : "");
    }
}

static void test_overrides(void **state) {
    (void)state;
    hiss_arena *arena = hiss_arena_create();
    hiss_yaml *root;
    assert_true(hiss_override_speaks_of("--set optim.lr: no", "optim.lr=3"));
    assert_true(hiss_override_speaks_of("--set optim.lr: no", "optim.lr"));
    assert_false(hiss_override_speaks_of("--set optim.lr_end: no", "optim.lr=3"));
    assert_false(hiss_override_speaks_of("--set optim.lr.x: no", "optim.lr=3"));
    assert_false(hiss_override_speaks_of("optim.lr: no", "optim.lr=3"));
    assert_int_equal(hiss_yaml_parse(arena, "s.yaml", "x: [a=1, b=2, a=3]\ny: a=4\n", &root, NULL), HISS_OK);
    const hiss_yaml *found = hiss_override_find(hiss_yaml_get(root, "x"), "--set a: no");
    assert_non_null(found);
    assert_string_equal(found->text, "a=3"); /* the last one counts */
    assert_non_null(hiss_override_find(hiss_yaml_get(root, "y"), "--set a: no"));
    assert_null(hiss_override_find(hiss_yaml_get(root, "x"), "--set c: no"));
    assert_null(hiss_override_find(NULL, "--set a: no"));
    assert_string_equal(hiss_override_blame(arena, "s.yaml:1:2: x", "--set a: a must be 5"),
                        "s.yaml:1:2: x: a must be 5");
    assert_string_equal(hiss_override_blame(arena, "s.yaml:1:2: x", "--set a: no such key"),
                        "s.yaml:1:2: x: a: no such key");
    hiss_arena_destroy(arena);
}

static void test_words(void **state) {
    (void)state;
    hiss_arena *arena = hiss_arena_create();
    hiss_yaml *root;
    hiss_error err = {0};
    const char **word = NULL;
    int n = -1;
    assert_int_equal(hiss_yaml_parse(arena, "s.yaml", "x: [a, b]\ny: c\nz: [a, [b]]\n", &root, NULL), HISS_OK);
    assert_int_equal(hiss_yaml_words(arena, hiss_yaml_get(root, "x"), "x", "words", &word, &n, &err), HISS_OK);
    assert_int_equal(n, 2);
    assert_string_equal(word[1], "b");
    assert_int_equal(hiss_yaml_words(arena, hiss_yaml_get(root, "y"), "y", "words", &word, &n, &err), HISS_OK);
    assert_int_equal(n, 1);
    assert_string_equal(word[0], "c");
    assert_int_equal(hiss_yaml_words(arena, NULL, "w", "words", &word, &n, &err), HISS_OK);
    assert_int_equal(n, 0);
    assert_int_equal(hiss_yaml_words(arena, hiss_yaml_get(root, "z"), "z", "words", &word, &n, &err), HISS_EUSER);
    assert_string_equal(err.text, "s.yaml:3:8: z: expected words, found a list");
    hiss_arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_compare), cmocka_unit_test(test_overrides),
                                       cmocka_unit_test(test_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
