/* Config rows: values, defaults, messages, the resolved config, help, command line options. */
#include "hiss/config.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hiss/alloc.h"

typedef struct train {
    int64_t lanes, cache;
    double rate;
    bool overlap, check;
    const char *name, *note;
    int kind;
    const hiss_yaml *model;
} train;

enum { SGD, ADAM, LARS };

static const hiss_row train_rows[] = {
    {"lanes", HISS_INT, offsetof(train, lanes), "4", 1, 65536, NULL, "logical workers per step"},
    {"cache", HISS_INT, offsetof(train, cache), "1GiB", 0, (double)INT64_MAX, NULL, "bytes of data kept in memory"},
    {"rate", HISS_FLOAT, offsetof(train, rate), "0.01", 0, 10, NULL, "learning rate for the mean over the batch"},
    {"overlap", HISS_BOOL, offsetof(train, overlap), "true", 0, 0, NULL, "reduce while backward goes on"},
    {"check", HISS_BOOL, offsetof(train, check), NULL, 0, 0, NULL, "verify every step"},
    {"name", HISS_STRING, offsetof(train, name), "run", 0, 0, NULL, "name of the run"},
    {"note", HISS_STRING, offsetof(train, note), NULL, 0, 0, NULL, "anything"},
    {"kind", HISS_CHOICE, offsetof(train, kind), "adam", 0, 0, "sgd|adam|lars", "optimiser"},
    {"model", HISS_NODE, offsetof(train, model), NULL, 0, 0, NULL, "layers"},
};

typedef struct plain {
    int64_t count;
    double real, free;
    int kind;
} plain;

static const hiss_row plain_rows[] = {
    {"count", HISS_INT, offsetof(plain, count), NULL, 0, 0, NULL, "any integer"},
    {"real", HISS_FLOAT, offsetof(plain, real), NULL, 0, INFINITY, NULL, "any positive number"},
    {"free", HISS_FLOAT, offsetof(plain, free), "0", 0, 0, NULL, "any number"},
    {"kind", HISS_CHOICE, offsetof(plain, kind), NULL, 0, 0, "a|b", "one of two"},
};

static hiss_config *parse(const char *text, const char *set) {
    hiss_config *config = NULL;
    hiss_error err = {0};
    hiss_status status = hiss_config_parse("x.yaml", text, &config, &err);
    if (status == HISS_OK && set) {
        status = hiss_config_set(config, set, &err);
    }
    if (status != HISS_OK) {
        fail_msg("%s", err.text);
    }
    return config;
}

/* The error text of reading text as section "train" (and finishing); "" when it is fine. */
static const char *message(const char *text, const char *set) {
    static hiss_error err;
    train t;
    hiss_config *config = NULL;
    err = (hiss_error){0};
    hiss_status status = hiss_config_parse("x.yaml", text, &config, &err);
    if (status == HISS_OK && set) {
        status = hiss_config_set(config, set, &err);
    }
    if (status == HISS_OK) {
        status = hiss_config_section(config, "train", train_rows, HISS_COUNT(train_rows), &t, &err);
    }
    if (status == HISS_OK) {
        status = hiss_config_finish(config, &err);
    }
    assert_int_equal(status, err.code);
    hiss_config_destroy(config);
    return err.text;
}

static void read_train(hiss_config *config, train *t) {
    hiss_error err = {0};
    *t = (train){.lanes = -1, .name = "?", .note = "?", .kind = -1, .check = true};
    hiss_status status = hiss_config_section(config, "train", train_rows, HISS_COUNT(train_rows), t, &err);
    if (status != HISS_OK || hiss_config_finish(config, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
}

static void test_defaults(void **state) {
    (void)state;
    const char *nothing[] = {"", "train:\n", "train: {}\n", "train: null\n", "train: {note: null, model: ~}"};
    for (int i = 0; i < HISS_COUNT(nothing); i++) {
        train t;
        hiss_config *config = parse(nothing[i], NULL);
        read_train(config, &t);
        assert_int_equal(t.lanes, 4);
        assert_int_equal(t.cache, 1 << 30);
        assert_true(t.rate == 0.01);
        assert_true(t.overlap && !t.check);
        assert_string_equal(t.name, "run");
        assert_null(t.note);
        assert_int_equal(t.kind, ADAM);
        assert_null(t.model);
        assert_int_equal(hiss_config_has(config, "train"), i == 4);
        hiss_config_destroy(config);
    }
}

static void test_values(void **state) {
    (void)state;
    train t;
    hiss_config *config = parse("train:\n"
                                "  lanes: 8\n"
                                "  cache: 3MiB\n"
                                "  rate: 1e-4\n"
                                "  overlap: false\n"
                                "  check: true\n"
                                "  name: 12\n"
                                "  note: 'null'\n"
                                "  kind: \"lars\"\n"
                                "  model: [conv, {relu: {}}]\n",
                                NULL);
    read_train(config, &t);
    assert_int_equal(t.lanes, 8);
    assert_int_equal(t.cache, 3 << 20);
    assert_true(t.rate == 1e-4);
    assert_true(!t.overlap && t.check);
    assert_string_equal(t.name, "12");
    assert_string_equal(t.note, "null");
    assert_int_equal(t.kind, LARS);
    assert_int_equal(t.model->kind, HISS_YAML_LIST);
    assert_non_null(hiss_yaml_get(t.model->first->next, "relu"));
    hiss_config_destroy(config);
}

static void test_integers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},
                {"-5", -5},
                {"+7", 7},
                {"007", 7},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN},
                {"4KiB", 4096},
                {"2GiB", (int64_t)2 << 30},
                {"-1MiB", -(1 << 20)}};
    static const char *const bad[] = {"1.5",
                                      "1e3",
                                      "0x10",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "9223372036854775807KiB",
                                      "4KB",
                                      "4kib",
                                      "KiB",
                                      "4 KiB",
                                      "4KiB4",
                                      "1_000",
                                      "--1",
                                      "+",
                                      "-",
                                      "many",
                                      "!!int",
                                      "'12'",
                                      "\"12\"",
                                      "[1]",
                                      "{a: 1}",
                                      "",
                                      "null",
                                      "8589934592GiB"};
    const hiss_row *row = &plain_rows[0];
    plain p;
    hiss_error err;
    for (int i = 0; i < HISS_COUNT(good); i++) {
        char text[64];
        snprintf(text, sizeof text, "count: %s", good[i].text);
        hiss_config *config = parse(text, NULL);
        assert_int_equal(hiss_config_section(config, "", row, 1, &p, &err), HISS_OK);
        assert_int_equal(p.count, good[i].value);
        hiss_config_destroy(config);
    }
    for (int i = 0; i < HISS_COUNT(bad); i++) {
        char text[64];
        hiss_config *config = NULL;
        snprintf(text, sizeof text, "count: %s", bad[i]);
        hiss_status status = hiss_config_parse("x.yaml", text, &config, &err);
        if (status == HISS_OK) {
            p.count = 42;
            status = hiss_config_section(config, "", row, 1, &p, &err);
            assert_int_equal(p.count, 42);
        }
        assert_int_equal(status, HISS_EUSER);
        assert_non_null(strstr(err.text, "x.yaml:1:"));
        hiss_config_destroy(config);
    }
}

static void test_numbers(void **state) {
    (void)state;
    const char *good[] = {"1e-4", "0.5", ".5", "5.", "-3", "+2", "1E5", "1e308", "4.9e-324"};
    const char *bad[] = {"nan", "NaN", ".nan", "inf", ".inf", "-inf", "1e999", "0x1p3", "1e", "1.2.3",
                         "--1", "1 2", "'1'",  "1f",  "e5",   "many", "",      "null",  "1,5"};
    plain p;
    hiss_error err;
    for (int i = 0; i < HISS_COUNT(good) + HISS_COUNT(bad); i++) {
        char text[64];
        bool expected = i < HISS_COUNT(good);
        const char *value = expected ? good[i] : bad[i - HISS_COUNT(good)];
        snprintf(text, sizeof text, "free: %s", value);
        hiss_config *config = parse(text, NULL);
        hiss_status status = hiss_config_section(config, "", &plain_rows[2], 1, &p, &err);
        if (expected) {
            assert_int_equal(status, HISS_OK);
            assert_true(p.free == strtod(value, NULL));
        } else {
            assert_int_equal(status, HISS_EUSER);
            assert_non_null(strstr(err.text, "x.yaml:1:"));
            assert_non_null(strstr(err.text, ": free must be a number, found "));
        }
        hiss_config_destroy(config);
    }
}

static void test_value_messages(void **state) {
    (void)state;
    static const struct {
        const char *text, *expected;
    } c[] = {
        {"train:\n  lanes: many\n", "x.yaml:2:10: train.lanes must be an integer in 1..65536, found 'many'"},
        {"train:\n  lanes: 0\n", "x.yaml:2:10: train.lanes must be an integer in 1..65536, found '0'"},
        {"train:\n  lanes: 65537\n", "x.yaml:2:10: train.lanes must be an integer in 1..65536, found '65537'"},
        {"train:\n  lanes: 1.5\n", "x.yaml:2:10: train.lanes must be an integer in 1..65536, found '1.5'"},
        {"train:\n  lanes: '4'\n",
         "x.yaml:2:10: train.lanes must be an integer in 1..65536, found the quoted text \"4\"; remove the quotes"},
        {"train:\n  lanes: [1, 2]\n", "x.yaml:2:10: train.lanes must be an integer in 1..65536, found a list"},
        {"train:\n  lanes: {a: 1}\n", "x.yaml:2:10: train.lanes must be an integer in 1..65536, found a section"},
        {"train:\n  lanes:\n  rate: 1\n", "x.yaml:2:9: train.lanes must be an integer in 1..65536, found nothing"},
        {"train:\n  lanes: ~\n", "x.yaml:2:10: train.lanes must be an integer in 1..65536, found null"},
        {"train:\n  cache: -1\n", "x.yaml:2:10: train.cache must be an integer >= 0, found '-1'"},
        {"train:\n  rate: 11\n", "x.yaml:2:9: train.rate must be a number in 0..10, found '11'"},
        {"train:\n  rate: nan\n", "x.yaml:2:9: train.rate must be a number in 0..10, found 'nan'; it must be finite"},
        {"train:\n  rate: 0,05\n",
         "x.yaml:2:9: train.rate must be a number in 0..10, found '0,05'; write a decimal point: 0.05"},
        {"train: {rate: 0,05}\n", "x.yaml:1:15: rate is '0,05'; write a decimal point: 0.05"},
        {"train: {lanes: 4, rate: 1,5e-3, cache: 0}\n", "x.yaml:1:25: rate is '1,5e-3'; write a decimal point: 1.5e-3"},
        {"train: {model: [{dropout: 0,5}]}\n", "x.yaml:1:27: dropout is '0,5'; write a decimal point: 0.5"},
        {"train:\n  lanes: 1e3\n", "x.yaml:2:10: train.lanes must be an integer in 1..65536, found '1e3'; write 1000"},
        {"train:\n  cache: 64MB\n",
         "x.yaml:2:10: train.cache must be an integer >= 0, found '64MB'; units are KiB, MiB "
         "and GiB, right behind the digits"},
        {"train:\n  cache: 99999999999999999999\n",
         "x.yaml:2:10: train.cache must be an integer >= 0, found '99999999999999999999'; it is too large"},
        {"train:\n  cache: 9999999999GiB\n",
         "x.yaml:2:10: train.cache must be an integer >= 0, found '9999999999GiB'; it is too large"},
        {"train:\n  overlap: yes\n", "x.yaml:2:12: train.overlap must be true or false, found 'yes'"},
        {"train:\n  overlap: on\n", "x.yaml:2:12: train.overlap must be true or false, found 'on'"},
        {"train:\n  overlap: True\n", "x.yaml:2:12: train.overlap must be true or false, found 'True'"},
        {"train:\n  overlap: 'true'\n",
         "x.yaml:2:12: train.overlap must be true or false, found the quoted text \"true\"; remove the quotes"},
        {"train:\n  kind: adm\n",
         "x.yaml:2:9: train.kind must be one of sgd, adam, lars, found 'adm'; did you mean 'adam'?"},
        {"train:\n  kind: sgd|adam\n", "x.yaml:2:9: train.kind must be one of sgd, adam, lars, found 'sgd|adam'"},
        {"train:\n  kind:\n", "x.yaml:2:8: train.kind must be one of sgd, adam, lars, found nothing"},
        {"train:\n  name: [a]\n", "x.yaml:2:9: train.name must be a text, found a list; write it without brackets: a"},
        {"train:\n  name:\n",
         "x.yaml:2:8: train.name must be a text, found nothing; an empty one is written name: \"\""},
        {"train:\n  name: null\n", "x.yaml:2:9: train.name must be a text, found null"},
        {"train:\n  model:\n", "x.yaml:2:9: train.model must be a value, a list or a section, found nothing; indent "
                               "the lines that belong to it, or write it behind the ':'"},
        {"train: 3\n", "x.yaml:1:8: 'train' must be a section of 'key: value' lines, found '3'; its keys are lanes, "
                       "cache, rate, overlap, check, name, note, kind, model"},
        {"train: [lanes]\n", "x.yaml:1:8: 'train' must be a section of 'key: value' lines, found a list; its keys are "
                             "lanes, cache, rate, overlap, check, name, note, kind, model"},
        {"train: rate 3\n",
         "x.yaml:1:8: 'train' must be a section of 'key: value' lines, found 'rate 3'; write 'rate: 3', "
         "with a blank behind the ':'"},
        {"train:\n  rate:3\n", "x.yaml:2:3: 'train' must be a section of 'key: value' lines, found 'rate:3'; write "
                               "'rate: 3', with a blank behind the ':'"},
        {"- train\n", "x.yaml:1:1: expected lines of 'key: value', found a list"},
        {"train\n", "x.yaml:1:1: expected lines of 'key: value', found 'train'"},
        {"train:\n  lanes: 4\n   rate: 1\n", "x.yaml:3:8: not valid YAML: mapping values are not allowed in this "
                                             "context; indent it like the lines before it, or quote a text with ': '"},
    };
    for (int i = 0; i < HISS_COUNT(c); i++) {
        assert_string_equal(message(c[i].text, NULL), c[i].expected);
    }
}

static char *help_of(const char *section, const hiss_row *rows, int count) {
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    hiss_rows_help(stream, section, rows, count);
    fclose(stream);
    return text;
}

/* A list as macros make it, "|one|two": the bar in front is no choice; help, messages and the file name the same ones. */
static void test_names(void **state) {
    (void)state;
    typedef struct named {
        const char *name;
    } named;
    static const hiss_row rows[] = {{"name", HISS_NAME, offsetof(named, name), "two", 0, 0, "|one|two|fake", "a name"}};
    static const struct {
        const char *text, *value, *expected;
    } c[] = {{"", "two", NULL},
             {"name: fake\n", "fake", NULL},
             {"name: fak\n", NULL, "x.yaml:1:7: name must be one of one, two, fake, found 'fak'; did you mean 'fake'?"},
             {"name: ''\n", NULL, "x.yaml:1:7: name must be one of one, two, fake, found ''"},
             {"name: null\n", NULL, "x.yaml:1:7: name must be one of one, two, fake, found null"},
             {"name: one|two\n", NULL, "x.yaml:1:7: name must be one of one, two, fake, found 'one|two'"}};
    for (int i = 0; i < HISS_COUNT(c); i++) {
        named n = {NULL};
        hiss_error err = {0};
        hiss_config *config = parse(c[i].text, NULL);
        assert_int_equal(hiss_config_section(config, "", rows, 1, &n, &err), c[i].value ? HISS_OK : HISS_EUSER);
        if (c[i].value) {
            char line[32];
            snprintf(line, sizeof line, "name: %s\n", c[i].value);
            assert_string_equal(n.name, c[i].value);
            assert_string_equal(hiss_config_resolved(config), line);
        } else {
            assert_string_equal(err.text, c[i].expected);
        }
        hiss_config_destroy(config);
    }
    char *text = help_of("", rows, 1);
    assert_string_equal(text, "  name  one|two|fake  two  a name\n");
    free(text);
}

static void test_missing_values(void **state) {
    (void)state;
    plain p;
    hiss_error err;
    hiss_config *config = NULL;
    assert_int_equal(hiss_config_read(NULL, &config, &err), HISS_OK);
    assert_int_equal(hiss_config_section(config, "a.b", plain_rows, 1, &p, &err), HISS_EUSER);
    assert_string_equal(err.text, "a.b.count is missing; it must be an integer");
    assert_int_equal(hiss_config_section(config, "", plain_rows + 1, 1, &p, &err), HISS_EUSER);
    assert_string_equal(err.text, "real is missing; it must be a number >= 0");
    assert_int_equal(hiss_config_section(config, "", plain_rows + 3, 1, &p, &err), HISS_EUSER);
    assert_string_equal(err.text, "kind is missing; it must be one of a, b");
    hiss_config_destroy(config);

    config = parse("train: {real: 1, coutn: 3, kin: 4}", NULL);
    assert_int_equal(hiss_config_section(config, "train", plain_rows, 2, &p, &err), HISS_EUSER);
    assert_string_equal(err.text, "x.yaml:1:18: unknown key 'train.coutn'; did you mean 'train.count'?");
    hiss_config_destroy(config);
}

static void test_unknown_keys(void **state) {
    (void)state;
    static const struct {
        const char *text, *set, *expected;
    } c[] = {
        {"train:\n  lanes: 4\n  lanse: 3\n", NULL,
         "x.yaml:3:3: unknown key 'train.lanse'; did you mean 'train.lanes'?"},
        {"trian:\n  lanes: 4\n", NULL, "x.yaml:1:1: unknown key 'trian'; did you mean 'train'?"},
        {"train.lanes: 4\n", NULL, "x.yaml:1:1: unknown key 'train.lanes'; in a file, sections are nested, not dotted"},
        {"lanes: 4\n", NULL, "x.yaml:1:1: unknown key 'lanes'; did you mean 'train.lanes'?"},
        {"optim: {rate: 4}\n", NULL, "x.yaml:1:1: unknown key 'optim'; expected one of train"},
        {"train:\n  something-else: 4\n", NULL,
         "x.yaml:2:3: unknown key 'train.something-else'; expected one of lanes, cache, rate, overlap, check, name, "
         "note, kind, model"},
        {"", "train.ratee=4", "--set train.ratee: unknown key 'train.ratee'; did you mean 'train.rate'?"},
        {"train: {lanse: 3}", "train.ratee=4", "x.yaml:1:9: unknown key 'train.lanse'; did you mean 'train.lanes'?"},
        {"", "train={ratee: 4}", "--set train: unknown key 'train.ratee'; did you mean 'train.rate'?"},
        {"train: {model: {any: {thing: 1}}}", NULL, ""},
    };
    for (int i = 0; i < HISS_COUNT(c); i++) {
        assert_string_equal(message(c[i].text, c[i].set), c[i].expected);
    }
}

static void test_set_messages(void **state) {
    (void)state;
    static const struct {
        const char *set, *expected;
    } c[] = {
        {"train.lanes=many", "--set train.lanes: train.lanes must be an integer in 1..65536, found 'many'"},
        {"train.lanes=", "--set train.lanes: train.lanes must be an integer in 1..65536, found nothing"},
        {"train.lanes=# 4", "--set train.lanes: train.lanes must be an integer in 1..65536, found nothing"},
        {"train.lanes={}", "--set train.lanes: train.lanes must be an integer in 1..65536, found a section"},
        {"train.lanes", "--set train.lanes: expected section.key=value"},
        {"=4", "--set =4: expected section.key=value"},
        {"train..lanes=4", "--set train..lanes=4: expected section.key=value"},
        {".lanes=4", "--set .lanes=4: expected section.key=value"},
        {"train.=4", "--set train.=4: expected section.key=value"},
        {"train.rate.x=4", "--set train.rate.x: 'train.rate' is not a section but '1' (x.yaml:1:15)"},
        {"train=5", "--set train: 'train' must be a section of 'key: value' lines, found '5'; its keys are lanes, "
                    "cache, rate, overlap, check, name, note, kind, model"},
        {"train.model=[1", "--set train.model: not valid YAML: did not find expected ',' or ']' while parsing a "
                           "flow sequence; close the bracket of line 1, and put commas between its entries"},
    };
    for (int i = 0; i < HISS_COUNT(c); i++) {
        assert_string_equal(message("train: {rate: 1}", c[i].set), c[i].expected);
    }
    char endless[2000];
    memset(endless, 'x', sizeof endless);
    strcpy(endless + sizeof endless - 4, "=[1");
    assert_non_null(strstr(message("", endless), "x: expected section.key=value"));
}

static void test_set_values(void **state) {
    (void)state;
    train t;
    hiss_error err = {0};
    const char *start[] = {"", "train:\n", "train: null\n", "train: {lanes: 2, rate: 3}\n"};
    for (int i = 0; i < HISS_COUNT(start); i++) {
        hiss_config *config = parse(start[i], NULL);
        const char *sets[] = {"train.lanes=9",   "train.lanes=10",      "train.name=a=b",
                              "train.note=' x'", "train.model.depth=3", "train.model.a={b: [1]}"};
        for (int k = 0; k < HISS_COUNT(sets); k++) {
            assert_int_equal(hiss_config_set(config, sets[k], &err), HISS_OK);
        }
        read_train(config, &t);
        assert_int_equal(t.lanes, 10);
        assert_true(t.rate == (i == 3 ? 3 : 0.01));
        assert_string_equal(t.name, "a=b");
        assert_string_equal(t.note, " x");
        assert_string_equal(hiss_yaml_get(t.model, "depth")->text, "3");
        assert_non_null(hiss_yaml_get(hiss_yaml_get(t.model, "a"), "b"));
        hiss_config_destroy(config);
    }
}

static void test_has(void **state) {
    (void)state;
    hiss_config *config = parse("a: {b: 1, c: {}, d: , e: null, f: 'null'}\ng: x\n", "h.i=2");
    const char *has[] = {"", "a", "a.b", "a.f", "g", "h", "h.i"};
    const char * not [] = {"a.c", "a.d", "a.e", "a.x", "x", "a.b.c", "g.x", "h.j"};
    for (int i = 0; i < HISS_COUNT(has); i++) {
        assert_true(hiss_config_has(config, has[i]));
    }
    for (int i = 0; i < HISS_COUNT(not ); i++) {
        assert_false(hiss_config_has(config, not [i]));
    }
    hiss_config_destroy(config);
}

/* Sections at three depths, in an order that interleaves them. */
static void read_all(hiss_config *config, train t[3], plain *p) {
    hiss_error err = {0};
    hiss_status status = hiss_config_section(config, "optim", train_rows, HISS_COUNT(train_rows), &t[0], &err);
    status = status ? status : hiss_config_section(config, "", plain_rows, HISS_COUNT(plain_rows), p, &err);
    status =
        status ? status : hiss_config_section(config, "optim.gan.d", train_rows, HISS_COUNT(train_rows), &t[1], &err);
    status = status ? status : hiss_config_section(config, "none", NULL, 0, NULL, &err);
    status = status ? status : hiss_config_section(config, "optim.gan", train_rows, 3, &t[2], &err);
    status = status ? status : hiss_config_finish(config, &err);
    if (status != HISS_OK) {
        fail_msg("%s", err.text);
    }
}

static void check_round_trip(const char *text) {
    train t[3] = {{0}}, u[3] = {{0}};
    plain p, q;
    hiss_config *first = parse(text, NULL);
    read_all(first, t, &p);
    const char *resolved = hiss_config_resolved(first);
    hiss_config *second = parse(resolved, NULL);
    read_all(second, u, &q);
    assert_string_equal(hiss_config_resolved(second), resolved);
    assert_string_equal(hiss_config_resolved(second), resolved);
    assert_true(p.count == q.count && p.real == q.real && p.free == q.free && p.kind == q.kind);
    for (int i = 0; i < 3; i++) {
        assert_true(t[i].lanes == u[i].lanes && t[i].cache == u[i].cache && t[i].rate == u[i].rate);
        assert_true(t[i].overlap == u[i].overlap && t[i].check == u[i].check && t[i].kind == u[i].kind);
        assert_int_equal(!t[i].name, !u[i].name);
        assert_int_equal(!t[i].note, !u[i].note);
        assert_int_equal(!t[i].model, !u[i].model);
        assert_true(!t[i].name || strcmp(t[i].name, u[i].name) == 0);
        assert_true(!t[i].note || strcmp(t[i].note, u[i].note) == 0);
    }
    hiss_config_destroy(first);
    hiss_config_destroy(second);
}

static void test_resolved_reads_back(void **state) {
    (void)state;
    check_round_trip("{count: 1, real: 0.1, kind: a}");
    check_round_trip("{count: 9223372036854775807, real: 1.7976931348623157e308, free: -4.9e-324, kind: b}");
    check_round_trip("{count: -9223372036854775808, real: 0.30000000000000004, free: 1e-05, kind: b}");
    check_round_trip("{count: 1, real: 0, kind: a, optim: {name: '', note: 'null', kind: lars, cache: 3KiB}}");
    check_round_trip("{count: 1, real: 0, kind: a, optim: {name: \"a\\nb: #\\t'\\\"\\\\\", note: 'true'}}");
    check_round_trip("{count: 1, real: 0, kind: a, optim: {model: [], gan: {d: {model: {}, lanes: 77}}}}");
    check_round_trip("{count: 1, real: 0, kind: a, optim: {model: '', gan: {rate: 1e-3, d: {model: {a: {b: [[]]}}}}}}");
    check_round_trip("count: 1\nreal: 0\nkind: a\noptim:\n  model:\n  - conv: {size: 3, 'x y': [a, b: c]}\n  - relu\n");

    char text[6000] = "{count: 1, real: 0, kind: a, optim: {name: ";
    memset(text + strlen(text), 'x', 1500);
    strcat(text, ", model: [[");
    for (int i = 0; i < 300; i++) {
        strcat(text, "{a: [1]}, ");
    }
    strcat(text, "]]}}");
    check_round_trip(text);
}

static void test_resolved_text(void **state) {
    (void)state;
    train t[3];
    plain p;
    hiss_config *config = parse("optim:\n  note: a b\n  model: {preset: lenet, layers: [{conv: 3}, relu]}\n"
                                "count: 5\nreal: 1e-5\nkind: b\n",
                                NULL);
    read_all(config, t, &p);
    assert_string_equal(hiss_config_resolved(config), "optim:\n"
                                                      "  lanes: 4\n"
                                                      "  cache: 1073741824\n"
                                                      "  rate: 0.01\n"
                                                      "  overlap: true\n"
                                                      "  check: false\n"
                                                      "  name: run\n"
                                                      "  note: a b\n"
                                                      "  kind: adam\n"
                                                      "  model:\n"
                                                      "    preset: lenet\n"
                                                      "    layers:\n"
                                                      "      - {conv: 3}\n"
                                                      "      - relu\n"
                                                      "  gan:\n"
                                                      "    d:\n"
                                                      "      lanes: 4\n"
                                                      "      cache: 1073741824\n"
                                                      "      rate: 0.01\n"
                                                      "      overlap: true\n"
                                                      "      check: false\n"
                                                      "      name: run\n"
                                                      "      note: null\n"
                                                      "      kind: adam\n"
                                                      "      model: null\n"
                                                      "    lanes: 4\n"
                                                      "    cache: 1073741824\n"
                                                      "    rate: 0.01\n"
                                                      "count: 5\n"
                                                      "real: 1.0e-05\n"
                                                      "free: 0\n"
                                                      "kind: b\n"
                                                      "none: {}\n");
    hiss_config_destroy(config);
}

static void test_help(void **state) {
    (void)state;
    char *text = help_of("optim", train_rows, HISS_COUNT(train_rows));
    assert_string_equal(text, "  optim.lanes    integer in 1..65536  4      logical workers per step\n"
                              "  optim.cache    integer >= 0         1GiB   bytes of data kept in memory\n"
                              "  optim.rate     number in 0..10      0.01   learning rate for the mean over the batch\n"
                              "  optim.overlap  true|false           true   reduce while backward goes on\n"
                              "  optim.check    true|false           false  verify every step\n"
                              "  optim.name     text                 run    name of the run\n"
                              "  optim.note     text                 -      anything\n"
                              "  optim.kind     sgd|adam|lars        adam   optimiser\n"
                              "  optim.model    YAML                 -      layers\n");
    free(text);
    static const hiss_row wide[] = {
        {"set*", HISS_STRING, 0, NULL, 0, 0, NULL,
         "change a value of the config; may be given several times, later ones win, "
         "and the help of it is long enough to be broken twice over the page"},
        {"overlap", HISS_BOOL, 0, "true", 0, 0, NULL, NULL},
        {"solver", HISS_CHOICE, 0, "lapjv", 0, 0, "lapjv|sparse|auction|greedy|hungarian|random", "which solver"},
        {"count", HISS_INT, 0, NULL, 0, 0, NULL, "how many"},
        {"name", HISS_STRING, 0, "", 0, 0, NULL, "what"},
        {"help", HISS_BOOL, 0, NULL, 0, 0, NULL, "print this"},
    };
    text = help_of(NULL, wide, HISS_COUNT(wide));
    assert_string_equal(
        text, "  --set           text, repeatable                -         change a value of the config; may be\n"
              "                                                            given several times, later ones win, and\n"
              "                                                            the help of it is long enough to be\n"
              "                                                            broken twice over the page\n"
              "  --[no-]overlap  flag                            -\n"
              "  --solver        lapjv|sparse|auction|greedy|    lapjv     which solver\n"
              "                  hungarian|random\n"
              "  --count         integer                         required  how many\n"
              "  --name          text                            ''        what\n"
              "  --help          flag                            -         print this\n");
    free(text);
    text = help_of("", plain_rows, 1);
    assert_string_equal(text, "  count  integer  required  any integer\n");
    free(text);
}

typedef struct options {
    int64_t lanes, count;
    double rate;
    bool overlap, help;
    const char *out;
    int kind;
} options;

static const hiss_row option_rows[] = {
    {"lanes", HISS_INT, offsetof(options, lanes), "4", 1, 65536, NULL, "lanes"},
    {"count", HISS_INT, offsetof(options, count), NULL, 0, 0, NULL, "count"},
    {"rate", HISS_FLOAT, offsetof(options, rate), "0.5", 0, 0, NULL, "rate"},
    {"overlap", HISS_BOOL, offsetof(options, overlap), "true", 0, 0, NULL, "overlap"},
    {"help", HISS_BOOL, offsetof(options, help), NULL, 0, 0, NULL, "help"},
    {"out", HISS_STRING, offsetof(options, out), NULL, 0, 0, NULL, "out"},
    {"kind", HISS_CHOICE, offsetof(options, kind), "a", 0, 0, "a|b", "kind"},
    {"set*", HISS_STRING, 0, NULL, 0, 0, NULL, "set"},
};

static hiss_error option_error;
static options parsed;
static const char *words[2], *sets[2];
static hiss_arguments rest;

/* Parse a line of arguments separated by single spaces. */
static const char *take(const char *line) {
    static char buffer[512];
    char *argv[32];
    int argc = 0;
    snprintf(buffer, sizeof buffer, "%s", line);
    for (char *word = strtok(buffer, " "); word; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    rest = (hiss_arguments){.positional = words, .max_positional = 2, .repeated = sets, .max_repeated = 2};
    option_error = (hiss_error){0};
    hiss_status status =
        hiss_options_parse(option_rows, HISS_COUNT(option_rows), argc, argv, &parsed, &rest, &option_error);
    assert_int_equal(status, option_error.code);
    return option_error.text;
}

/* Keys of a section that takes what is left out from another one: required ones, too; the resolved config says what was
 * taken, and reads back to the same. */
static void test_inheriting_sections(void **state) {
    (void)state;
    hiss_config *config = parse("top: {count: 3, real: 0.25, kind: b, one: {real: 2}, two: {free: 7}}\n", NULL);
    hiss_error err = {0};
    plain top, one, two, bare, again;
    assert_int_equal(hiss_config_section(config, "top", plain_rows, HISS_COUNT(plain_rows), &top, &err), HISS_OK);
    assert_int_equal(hiss_config_inherit(config, "top.one", plain_rows, HISS_COUNT(plain_rows), &top, &one, &err),
                     HISS_OK);
    assert_int_equal(hiss_config_inherit(config, "top.two", plain_rows, HISS_COUNT(plain_rows), &top, &two, &err),
                     HISS_OK);
    assert_int_equal(hiss_config_inherit(config, "top.bare", plain_rows, HISS_COUNT(plain_rows), &top, &bare, &err),
                     HISS_OK);
    assert_true(one.count == 3 && one.real == 2 && one.free == 0 && one.kind == 1);
    assert_true(two.count == 3 && two.real == 0.25 && two.free == 7 && two.kind == 1);
    assert_true(bare.count == 3 && bare.real == 0.25 && bare.free == 0 && bare.kind == 1);
    assert_int_equal(hiss_config_finish(config, &err), HISS_OK);
    hiss_config *resolved = parse(hiss_config_resolved(config), NULL);
    static const char *const sections[] = {"top.one", "top.two", "top.bare"};
    const plain *const expected[] = {&one, &two, &bare};
    for (int k = 0; k < 3; k++) {
        assert_int_equal(hiss_config_section(resolved, sections[k], plain_rows, HISS_COUNT(plain_rows), &again, &err),
                         HISS_OK);
        assert_true(again.count == expected[k]->count && again.real == expected[k]->real &&
                    again.free == expected[k]->free && again.kind == expected[k]->kind);
    }
    hiss_config_destroy(resolved);
    hiss_config_destroy(config);
}

static void test_options(void **state) {
    (void)state;
    assert_string_equal(take("--count 3"), "");
    assert_int_equal(parsed.lanes, 4);
    assert_int_equal(parsed.count, 3);
    assert_true(parsed.rate == 0.5 && parsed.overlap && !parsed.help && !parsed.out && parsed.kind == 0);
    assert_int_equal(rest.npositional + rest.nrepeated, 0);

    assert_string_equal(
        take("one --count=-3 --lanes 8 --no-overlap --set a.b=1 - --kind=b --set=c=d --out=x --rate -1"), "");
    assert_true(parsed.count == -3 && parsed.lanes == 8 && !parsed.overlap && parsed.kind == 1 && parsed.rate == -1);
    assert_string_equal(parsed.out, "x");
    assert_int_equal(rest.npositional, 2);
    assert_string_equal(words[0], "one");
    assert_string_equal(words[1], "-");
    assert_int_equal(rest.nrepeated, 2);
    assert_string_equal(sets[0], "a.b=1");
    assert_string_equal(sets[1], "c=d");

    assert_string_equal(take("--count 1 --overlap=false --help=true --out=--x -- --lanes"), "");
    assert_true(!parsed.overlap && parsed.help);
    assert_string_equal(parsed.out, "--x");
    assert_string_equal(words[0], "--lanes");
    assert_string_equal(take("--no-overlap --overlap --count 1 --count 2"), "");
    assert_true(parsed.overlap && parsed.count == 2);
    assert_string_equal(take("--count 1 --out="), "--out is empty; give a text, or leave it out");
    assert_string_equal(take("--count 1 --set="), "--set is empty; give KEY=VALUE, or leave it out");
    assert_string_equal(take("--help"), ""); /* although --count is missing */
    assert_true(parsed.help);
}

static void test_option_messages(void **state) {
    (void)state;
    static const struct {
        const char *line, *expected;
    } c[] = {
        {"", "--count is missing; it must be an integer"},
        {"--lanse 3", "unknown option '--lanse'; did you mean '--lanes'?"},
        {"--no-overlp", "unknown option '--no-overlp'; did you mean '--no-overlap'?"},
        {"--something-else=3", "unknown option '--something-else=3'; the nearest option is '--lanes'"},
        {"-lanes", "unknown option '-lanes'; did you mean '--lanes'?"},
        {"--no-lanes", "unknown option '--no-lanes'; the nearest option is '--lanes'"},
        {"--lanes", "--lanes needs a value: an integer in 1..65536"},
        {"--out --count 3", "--out needs a value: a text; one that starts with dashes is written --out=VALUE"},
        {"--lanes many", "--lanes must be an integer in 1..65536, found 'many'"},
        {"--lanes=", "--lanes must be an integer in 1..65536, found ''"},
        {"--rate=nan", "--rate must be a number, found 'nan'; it must be finite"},
        {"--rate=0,5", "--rate must be a number, found '0,5'; write a decimal point: 0.5"},
        {"--rate=5%", "--rate must be a number, found '5%'; write 5 % as 0.05"},
        {"--kind c", "--kind must be one of a, b, found 'c'"},
        {"--overlap=yes", "--overlap must be true or false, found 'yes'"},
        {"--no-overlap=true", "--no-overlap takes no value, found 'true'"},
        {"a b c", "unexpected argument 'c' after 'b': at most 2 besides options"},
        {"--set a 3", "--set expects KEY=VALUE, found 'a'; write --set a=VALUE"},
        {"--a.b=3", "unknown option '--a.b=3'; keys of the config are set by --set a.b=3"},
        {"--set a=1 --set b=1 --set c=1", "--set may be given at most 2 times"},
    };
    for (int i = 0; i < HISS_COUNT(c); i++) {
        assert_string_equal(take(c[i].line), c[i].expected);
    }
    char *argv[] = {"word"};
    assert_int_equal(hiss_options_parse(NULL, 0, 1, argv, NULL, NULL, &option_error), HISS_EUSER);
    assert_string_equal(option_error.text, "unexpected argument 'word'; only options are taken here");
    argv[0] = "--word";
    assert_int_equal(hiss_options_parse(NULL, 0, 1, argv, NULL, NULL, &option_error), HISS_EUSER);
    assert_string_equal(option_error.text, "unknown option '--word'; there are none");
}

static void test_read_file(void **state) {
    (void)state;
    hiss_config *config = NULL;
    hiss_error err = {0};
    assert_int_equal(hiss_config_read("/nowhere/x.yaml", &config, &err), HISS_ESYSTEM);
    assert_null(config);
    assert_string_equal(err.text, "cannot read '/nowhere/x.yaml': No such file or directory");
    hiss_config_destroy(NULL);
}

static int no_leak(void **state) {
    (void)state;
    return hiss_alloc_live() == 0 ? 0 : -1;
}

/* Checks after parsing know a key's name only: the place is where the user wrote it, and the file's name when he did
 * not. It is put there once, and to no other error. */
static void test_blame(void **state) {
    (void)state;
    static const struct {
        const char *key, *expected;
    } c[] = {{"train.rate", "x.yaml:1:15: train.rate: too high"},
             {"train.kind", "--set train.kind: too high"},
             {"train.name", "x.yaml: train.name: too high"}}; /* not written */
    hiss_config *config;
    assert_int_equal(hiss_config_parse("x.yaml", "train: {rate: 3}", &config, NULL), HISS_OK);
    assert_int_equal(hiss_config_set(config, "train.kind=sgd", NULL), HISS_OK);
    for (int i = 0; i < HISS_COUNT(c); i++) {
        hiss_error err = {0};
        assert_int_equal(hiss_fail_key(&err, HISS_EUSER, c[i].key, "too %s", "high"), HISS_EUSER);
        for (int again = 0; again < 2; again++) {
            assert_int_equal(hiss_config_blame(config, HISS_EUSER, &err), HISS_EUSER);
            assert_string_equal(err.text, c[i].expected);
            assert_int_equal(err.code, HISS_EUSER);
        }
    }
    hiss_error err = {0};
    static const char *const texts[] = {"is below train.kind.", "train.rates, train.kind or train.rate",
                                        "(train.kind=3)"};
    for (int i = 0; i < HISS_COUNT(texts); i++) { /* of two keys that do not fit each other, the one that --set gave */
        char expected[128];
        snprintf(expected, sizeof expected, "--set train.kind: train.name: %s", texts[i]);
        hiss_fail_key(&err, HISS_EUSER, "train.name", "%s", texts[i]);
        hiss_config_blame(config, HISS_EUSER, &err);
        assert_string_equal(err.text, expected);
        hiss_config_blame(config, HISS_EUSER, &err);
        assert_string_equal(err.text, expected);
    }
    hiss_fail_key(&err, HISS_EUSER, "train.name", "is below train.rate and train.kinds");
    hiss_config_blame(config, HISS_EUSER, &err);
    assert_string_equal(err.text, "x.yaml: train.name: is below train.rate and train.kinds");
    hiss_fail(&err, HISS_ESYSTEM, "train.rate is read");
    assert_int_equal(hiss_config_blame(config, HISS_ESYSTEM, &err), HISS_ESYSTEM);
    assert_string_equal(err.text, "train.rate is read");
    assert_int_equal(hiss_config_blame(config, HISS_EUSER, NULL), HISS_EUSER);
    assert_int_equal(hiss_config_blame(config, HISS_OK, &err), HISS_OK);
    hiss_config_destroy(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_value_messages),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_missing_values),
        cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_set_messages),
        cmocka_unit_test(test_set_values),
        cmocka_unit_test(test_has),
        cmocka_unit_test(test_blame),
        cmocka_unit_test(test_resolved_reads_back),
        cmocka_unit_test(test_resolved_text),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_inheriting_sections),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_option_messages),
        cmocka_unit_test(test_read_file),
    };
    return cmocka_run_group_tests(tests, NULL, no_leak);
}
