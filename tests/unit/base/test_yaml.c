/* YAML: trees with positions, what is refused and with which words, and writing that reads back. */
#include "hiss/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static hiss_arena *arena;

static int open_arena(void **state) {
    (void)state;
    arena = hiss_arena_create();
    return 0;
}

static int close_arena(void **state) {
    (void)state;
    hiss_arena_destroy(arena);
    return hiss_alloc_live() == 0 ? 0 : -1;
}

static hiss_yaml *parse(const char *text) {
    hiss_yaml *root = NULL;
    hiss_error err = {0};
    if (hiss_yaml_parse(arena, "t.yaml", text, &root, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    return root;
}

static void refuse(const char *text, const char *message) {
    hiss_yaml *root = NULL;
    hiss_error err = {0};
    assert_int_equal(hiss_yaml_parse(arena, "t.yaml", text, &root, &err), HISS_EUSER);
    assert_int_equal(err.code, HISS_EUSER);
    if (strncmp(err.text, message, strlen(message)) != 0) {
        fail_msg("'%s' is not '%s'", err.text, message);
    }
}

static void assert_place(const hiss_yaml *node, int line, int column) {
    assert_int_equal(node->line, line);
    assert_int_equal(node->column, column);
}

static void test_tree_and_places(void **state) {
    (void)state;
    const hiss_yaml *root = parse("# a comment\n"
                                  "seed: 7\n"
                                  "optim:\n"
                                  "  kind: 'adam'\n"
                                  "  betas: [0.9, \"0.999\"]\n"
                                  "layers:\n"
                                  "  - conv\n"
                                  "  - {relu: , size: 3}\n");
    assert_int_equal(root->kind, HISS_YAML_MAP);
    assert_null(root->key);
    assert_null(root->next);
    const hiss_yaml *seed = hiss_yaml_get(root, "seed"), *optim = hiss_yaml_get(root, "optim");
    assert_ptr_equal(root->first, seed);
    assert_ptr_equal(seed->next, optim);
    assert_string_equal(seed->text, "7");
    assert_string_equal(seed->file, "t.yaml");
    assert_string_equal(seed->key, "seed");
    assert_false(seed->quoted);
    assert_place(seed, 2, 7);
    assert_int_equal(seed->key_line, 2);
    assert_int_equal(seed->key_column, 1);
    assert_int_equal(optim->kind, HISS_YAML_MAP);
    assert_null(optim->text);
    assert_place(optim, 4, 3);
    assert_int_equal(optim->key_line, 3);
    const hiss_yaml *kind = hiss_yaml_get(optim, "kind"), *betas = hiss_yaml_get(optim, "betas");
    assert_string_equal(kind->text, "adam");
    assert_true(kind->quoted);
    assert_int_equal(betas->kind, HISS_YAML_LIST);
    assert_string_equal(betas->first->text, "0.9");
    assert_null(betas->first->key);
    assert_true(betas->first->next->quoted);
    assert_place(betas->first->next, 5, 16);
    assert_null(betas->first->next->next);
    const hiss_yaml *relu = hiss_yaml_get(root, "layers")->first->next->first;
    assert_string_equal(relu->key, "relu");
    assert_string_equal(relu->text, "");
    assert_string_equal(relu->next->text, "3");
}

static void test_get(void **state) {
    (void)state;
    const hiss_yaml *root = parse("{a: [1], b: x}");
    assert_null(hiss_yaml_get(NULL, "a"));
    assert_null(hiss_yaml_get(root, "c"));
    assert_null(hiss_yaml_get(root, ""));
    assert_null(hiss_yaml_get(hiss_yaml_get(root, "a"), "1"));
    assert_null(hiss_yaml_get(hiss_yaml_get(root, "b"), "x"));
    assert_non_null(hiss_yaml_get(root, "b"));
}

static void test_empty_documents(void **state) {
    (void)state;
    const char *empty[] = {"", "\n\n", "# only a comment\n", "---\n", "---\n...\n", "{}"};
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        const hiss_yaml *root = parse(empty[i]);
        assert_int_equal(root->kind, HISS_YAML_MAP);
        assert_null(root->first);
        assert_null(root->text);
    }
    assert_int_equal(parse("word")->kind, HISS_YAML_SCALAR);
    assert_int_equal(parse("''")->kind, HISS_YAML_SCALAR);
}

static void test_refusals(void **state) {
    (void)state;
    refuse("a: 1\nb:\n  c: 2\n  d: 3\n  c: 4\n",
           "t.yaml:5:3: key 'c' is given twice, first in line 3; remove one of them");
    refuse("a: &x 1\n", "t.yaml:1:4: anchors (&) and tags (!) are not supported");
    refuse("a: &x [1]\n", "t.yaml:1:4: anchors (&) and tags (!) are not supported");
    refuse("a: !!str 1\n", "t.yaml:1:4: anchors (&) and tags (!) are not supported");
    refuse("a: ! 1\n", "t.yaml:1:4: anchors (&) and tags (!) are not supported");
    refuse("a: !!map {b: 1}\n", "t.yaml:1:4: anchors (&) and tags (!) are not supported");
    refuse("a: 1\nb: *a\n", "t.yaml:2:4: aliases (*) are not supported");
    refuse("a: 1\n---\nb: 2\n", "t.yaml:2:1: a second document starts here");
    refuse("[a]: 1\n", "t.yaml:1:1: a key must be one word, found a list");
    refuse("? {a: 1}\n: 1\n", "t.yaml:1:3: a key must be one word, found a map");
    refuse("a: \"x\\0y\"\n", "t.yaml:1:4: the text holds a zero byte");
}

static void test_broken_yaml(void **state) {
    (void)state;
    refuse("a: [1, 2\nb: 3\n",
           "t.yaml:2:2: not valid YAML: did not find expected ',' or ']' while parsing a flow sequence");
    refuse("a: 1\n  b: 2\n", "t.yaml:2:4: not valid YAML: mapping values are not allowed in this context");
    refuse("a:\n\tb: 1\n", "t.yaml:2:1: not valid YAML: found character that cannot start any token while scanning for "
                           "the next token; indent with spaces, not with tabs");
    refuse("a: \"x\n", "t.yaml:2:1: not valid YAML: found unexpected end of stream");
    refuse("a: 1\nb: \xff\n", "t.yaml:2:4: not a text file in UTF-8: ");
    refuse("a: 1\nb: \x01\n", "t.yaml:2:4: not a text file in UTF-8: control characters are not allowed");
    refuse("a: @b\n", "t.yaml:1:4: not valid YAML: ");
}

static void test_depth(void **state) {
    (void)state;
    char text[400] = "";
    memset(text, '[', 60);
    memset(text + 60, ']', 60);
    assert_int_equal(parse(text)->kind, HISS_YAML_LIST);
    memset(text, '[', 200);
    refuse(text, "t.yaml:1:65: nested more than 64 levels deep");
}

static void test_read_file(void **state) {
    (void)state;
    hiss_yaml *root = NULL;
    hiss_error err = {0};
    char path[] = "/tmp/hiss-test-yaml-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    FILE *file = fdopen(descriptor, "w");
    enum { LINES = 5000 };
    fputs("key:\n", file);
    for (int i = 0; i < LINES; i++) {
        fprintf(file, "  - item %d\n", i);
    }
    fclose(file);
    hiss_status status = hiss_yaml_read(arena, path, &root, &err);
    unlink(path);
    assert_int_equal(status, HISS_OK);
    int items = 0;
    for (const hiss_yaml *item = hiss_yaml_get(root, "key")->first; item; item = item->next) {
        assert_string_equal(item->text, hiss_arena_format(arena, "item %d", items++));
        assert_string_equal(item->file, path);
    }
    assert_int_equal(items, LINES);

    assert_int_equal(hiss_yaml_read(arena, "/nowhere/x.yaml", &root, &err), HISS_ESYSTEM);
    assert_string_equal(err.text, "cannot read '/nowhere/x.yaml': No such file or directory");
    assert_int_equal(hiss_yaml_read(arena, "/tmp", &root, &err), HISS_ESYSTEM);
    assert_string_equal(err.text, "cannot read '/tmp': Is a directory");
}

static const char *flow_of(const hiss_yaml *node) {
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    hiss_yaml_write(stream, node);
    fclose(stream);
    const char *copy = hiss_arena_text(arena, text);
    free(text);
    return copy;
}

static void assert_same(const hiss_yaml *a, const hiss_yaml *b) {
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->quoted, b->quoted);
    assert_int_equal(a->key != NULL, b->key != NULL);
    if (a->key) {
        assert_string_equal(a->key, b->key);
    }
    if (a->text) {
        assert_string_equal(a->text, b->text);
    }
    for (a = a->first, b = b->first; a && b; a = a->next, b = b->next) {
        assert_same(a, b);
    }
    assert_ptr_equal(a, b);
}

static void test_write_reads_back(void **state) {
    (void)state;
    const char *good[] = {
        "{}",
        "[]",
        "[[], {}, [[1]], {a: {b: []}}]",
        "{lr: 1e-4, n: -3, plus: +1, half: .5, t: true, z: null, tilde: ~, path: ./a/b-c_d.yaml, words: two words}",
        "['1', \"true\", '', ' x ', 'a: b', '#', '{', 'it''s', '-', '- a']",
        "[\"tab\\there\", \"line\\nbreak\", \"q\\\"\\\\\"]",
        "{'': 1, 'a b': 2, '1': 3, 'true': 4, 'x: y': 5, '~': 6}",
        "[\"\\u00e9\\u4e2d\\U0001F600\", \"\\u2028\\u0085\\ufeff\\x7f\\x01\\ufffe\"]",
        "- a\n- b:\n    c: 1\n    d: [x, y]\n- - deep\n  - deeper\n",
        "'---'",
        "'...'",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const hiss_yaml *tree = parse(good[i]);
        const char *text = flow_of(tree);
        assert_null(strchr(text, '\n'));
        const hiss_yaml *again = parse(text);
        assert_same(tree, again);
        assert_string_equal(flow_of(again), text);
    }
    assert_string_equal(flow_of(parse("{b: [1, x], a: {c: 'y'}}")), "{b: [1, x], a: {c: \"y\"}}");
    assert_string_equal(flow_of(parse("a:\nb: http://x/y\n")), "{a: null, b: \"http://x/y\"}");
}

/* Every text of one or two characters from the difficult ones, as value and as key. */
static void test_write_any_text(void **state) {
    (void)state;
    const char *part[] = {"",
                          " ",
                          "-",
                          ":",
                          ",",
                          "#",
                          "[",
                          "]",
                          "{",
                          "}",
                          "&",
                          "*",
                          "!",
                          "|",
                          ">",
                          "'",
                          "\"",
                          "%",
                          "@",
                          "`",
                          "~",
                          "?",
                          "\\",
                          "\n",
                          "\t",
                          "a",
                          "1",
                          ".",
                          "/",
                          "\r",
                          "=",
                          "<<",
                          "no",
                          "\x7f",
                          "\xc2\x85",
                          "\xe2\x80\xa9",
                          "\xef\xbb\xbf",
                          "\xc3\xa9"};
    enum { PARTS = sizeof part / sizeof part[0] };
    for (int i = 0; i < PARTS * PARTS; i++) {
        const char *text = hiss_arena_format(arena, "%s%s", part[i / PARTS], part[i % PARTS]);
        char *line = NULL;
        size_t size;
        FILE *stream = open_memstream(&line, &size);
        hiss_yaml_write_text(stream, text);
        fputs(": ", stream);
        hiss_yaml_write_text(stream, text);
        fclose(stream);
        const hiss_yaml *entry = parse(line)->first;
        assert_string_equal(entry->key, text);
        assert_string_equal(entry->text, text);
        assert_true(entry->quoted || text[0] == '/' || text[0] == 'a' || text[0] == 'n');
        free(line);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tree_and_places, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_get, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_empty_documents, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_refusals, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_broken_yaml, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_depth, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_read_file, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_write_reads_back, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_write_any_text, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
