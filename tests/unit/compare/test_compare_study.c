/* The study of a comparison: what it says, what is wrong with it and where; settings, names and readings that follow. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hiss/compare.h"

#define assert_near(value, expected) assert_true(fabs((value) - (expected)) <= 1e-12)

static const char plain[] = "name: methods\n"
                            "seeds: [3, 1]\n"
                            "base: [train.epochs=2, optim.lr=0.1]\n"
                            "rows:\n"
                            "  nat: {config: nat.yaml}\n"
                            "  ae: {config: ae.yaml, set: [optim.lr=0.2, train.lanes=4]}\n"
                            "  random: {of: nat, features: random}\n"
                            "  pixels: {of: nat, features: raw}\n"
                            "columns:\n"
                            "  linear conv3: {reading: trained/conv3/linear.percent}\n"
                            "  5-NN %: {reading: trained/z/knn.cosine.5, best: none}\n"
                            "  error: {reading: trained/reconstruction.mse, best: lowest}\n"
                            "published:\n"
                            "  name: VOC\n"
                            "  values: {ae: 20, random: 1.5e1}\n";

static const char moved[] = "seeds: [3, 1]\n"
                            "base: [train.epochs=2]\n"
                            "rows:\n"
                            "  nat: {config: nat.yaml}\n"
                            "  random: {of: nat, features: random}\n"
                            "  pixels: {of: nat, features: raw}\n"
                            "transfers:\n"
                            "  fc6-8: {config: fc.yaml, set: [optim.lr=0.2]}\n"
                            "  all: {config: all.yaml}\n"
                            "columns:\n"
                            "  own: {reading: trained/z/linear.percent}\n"
                            "  all: {reading: trained/scores/linear.percent, transfer: all}\n"
                            "curves:\n"
                            "  few: {reading: trained/z/few_labels.*.linear, transfer: fc6-8, x: labels}\n"
                            "  over: {reading: trained/z/linear.percent, transfer: fc6-*}\n";

static hiss_comparison parse(const char *text) {
    hiss_comparison study;
    hiss_error err = {0};
    if (hiss_comparison_parse("s.yaml", text, &study, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    return study;
}

static void test_study(void **state) {
    (void)state;
    hiss_comparison s = parse(plain);
    assert_int_equal(s.nseeds, 2);
    assert_int_equal(s.seeds[0], 3);
    assert_int_equal(s.nrows, 4);
    assert_int_equal(s.rows[1].nset, 2);
    assert_int_equal(s.rows[1].of, 1);
    assert_int_equal(s.rows[3].of, 0);
    assert_int_equal(s.rows[3].features, HISS_COMPARE_RAW);
    assert_int_equal(s.ncolumns, 3);
    assert_string_equal(s.columns[1].name, "5-NN %");
    assert_string_equal(s.columns[1].reading.subject, "trained/z");
    assert_string_equal(s.columns[1].reading.judgement, "knn");
    assert_string_equal(s.columns[1].reading.number, "cosine.5");
    assert_int_equal(s.columns[1].best, HISS_BEST_NONE);
    assert_int_equal(s.columns[2].best, HISS_BEST_LOWEST);
    assert_string_equal(s.columns[2].reading.subject, "trained");
    assert_string_equal(s.published_name, "VOC");
    assert_true(isnan(s.published[0]));
    assert_near(s.published[2], 15);
    assert_int_equal(s.nlaunch, -1);
    /* Written out and read again it is the same. */
    hiss_comparison again = parse(hiss_config_resolved(s.text));
    assert_string_equal(hiss_config_resolved(again.text), hiss_config_resolved(s.text));
    assert_string_equal(again.columns[1].name, "5-NN %");
    hiss_comparison_destroy(&again);
    hiss_comparison_destroy(&s);
}

static void test_defaults(void **state) {
    (void)state;
    hiss_comparison s = parse("rows: {a: {config: a.yaml}}\ncolumns: {x: {reading: trained/z/knn.cosine.5}}\n");
    assert_int_equal(s.nseeds, 1);
    assert_int_equal(s.seeds[0], 1);
    assert_null(s.published_name);
    assert_true(s.keep);
    hiss_comparison_destroy(&s);
}

static void test_runs(void **state) {
    (void)state;
    char path[128];
    const char *set[16];
    hiss_comparison s = parse(plain);
    assert_int_equal(hiss_comparison_runs(&s), 8);
    assert_true(hiss_comparison_has_run(&s, 5));
    assert_false(hiss_comparison_has_run(&s, 6));
    hiss_comparison_place(&s, "out", 5, path, sizeof path);
    assert_string_equal(path, "out/runs/ae-s1"); /* row 1 with the second seed */
    const int n = hiss_comparison_settings(&s, "out", 5, s.arena, set, 16);
    assert_int_equal(n, 5);
    assert_string_equal(set[1], "optim.lr=0.1");
    assert_string_equal(set[2], "optim.lr=0.2"); /* a row's come after those of base, */
    assert_string_equal(set[4], "seed=1");       /* and the seed last */
    hiss_comparison_destroy(&s);
}

static void test_readings(void **state) {
    (void)state;
    hiss_reading r;
    hiss_comparison s = parse(plain);
    assert_true(hiss_comparison_reading(&s, 1, hiss_comparison_wanted(&s, 0), s.arena, &r));
    assert_string_equal(r.text, "trained/conv3/linear.percent");
    assert_true(hiss_comparison_reading(&s, 2, hiss_comparison_wanted(&s, 0), s.arena, &r));
    assert_string_equal(r.text, "random/conv3/linear.percent");
    assert_true(hiss_comparison_reading(&s, 3, hiss_comparison_wanted(&s, 1), s.arena, &r));
    assert_string_equal(r.subject, "raw/pixels");
    assert_string_equal(r.number, "cosine.5");
    assert_false(
        hiss_comparison_reading(&s, 3, hiss_comparison_wanted(&s, 2), s.arena, &r)); /* of a network as a whole */
    static const char *const wrong[] = {"",       "x",          "trained/z",    "trained/z/knn",
                                        "/knn.x", "trained/.x", "trained/knn.", "trained/z/k nn.x"};
    for (int k = 0; k < HISS_COUNT(wrong); k++) {
        assert_false(hiss_reading_parse(s.arena, wrong[k], &r));
    }
    hiss_comparison_destroy(&s);
}

/* Each row is followed by its transfers; a control has none of its own run, pixels have none at all. */
static void test_transfers(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int source;
        bool has;
    } runs[] = {{"nat-s3", -1, true},     {"nat-s3-fc6-8", 0, true},      {"nat-s3-all", 0, true},
                {"random-s3", -1, false}, {"random-s3-fc6-8", -1, true},  {"random-s3-all", -1, true},
                {"pixels-s3", -1, false}, {"pixels-s3-fc6-8", -1, false}, {"pixels-s3-all", -1, false},
                {"nat-s1", -1, true},     {"nat-s1-fc6-8", 9, true}};
    hiss_comparison s = parse(moved);
    assert_int_equal(hiss_comparison_runs(&s), 18);
    for (int k = 0; k < HISS_COUNT(runs); k++) {
        assert_string_equal(hiss_comparison_run_name(&s, k, s.arena), runs[k].name);
        assert_int_equal(hiss_comparison_has_run(&s, k), runs[k].has);
        assert_int_equal(hiss_comparison_source(&s, k), runs[k].has ? runs[k].source : hiss_comparison_source(&s, k));
        assert_int_equal(hiss_comparison_run(&s, hiss_comparison_row(&s, k), hiss_comparison_seed(&s, k),
                                             hiss_comparison_transfer(&s, k)),
                         k);
    }
    const char *set[16];
    assert_int_equal(hiss_comparison_settings(&s, "out", 10, s.arena, set, 16), 3); /* base is of rows alone */
    assert_string_equal(set[0], "optim.lr=0.2");
    assert_string_equal(set[1], "train.init=out/runs/nat-s1");
    assert_string_equal(set[2], "seed=1");
    assert_int_equal(hiss_comparison_settings(&s, "out", 4, s.arena, set, 16), 2); /* of random values */
    assert_string_equal(set[1], "seed=3");
    assert_string_equal(hiss_comparison_config(&s, 10), "fc.yaml");
    assert_string_equal(hiss_comparison_key(&s, 10, s.arena), "transfers.fc6-8");
    assert_string_equal(hiss_comparison_blame(&s, 10, s.arena, "--set optim.lr: optim.lr must be x"),
                        "s.yaml:8:34: transfers.fc6-8.set: optim.lr must be x");
    assert_string_equal(hiss_comparison_blame(&s, 10, s.arena, "--set train.epochs: no"), "--set train.epochs: no");
    hiss_comparison_destroy(&s);
}

static void expect_settings(const hiss_comparison *s, int run, const char *expected) {
    const char *set[HISS_COMPARE_SETTINGS];
    const int n = hiss_comparison_settings(s, "out", run, s->arena, set, HISS_COMPARE_SETTINGS);
    char all[512] = "";
    for (int k = 0; k < n; k++) {
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", k ? " " : "", set[k]);
    }
    assert_string_equal(all, expected);
}

/* Changes to the transfers of one row, and those of the quick form, come after the others. */
static void test_quick(void **state) {
    (void)state;
    char text[2048];
    for (int quick = 0; quick < 2; quick++) {
        snprintf(text, sizeof text, "form: %s\nquick: {seeds: [8], rows: [a=3], transfers: [b=4]}\n%s",
                 quick ? "quick" : "full", moved);
        char *nat = strstr(text, "{config: nat.yaml}");
        const char *more = "{config: nat.yaml, set: [a=1], transfer_set: [b=2]}";
        memmove(nat + strlen(more), nat + strlen("{config: nat.yaml}"), strlen(nat + strlen("{config: nat.yaml}")) + 1);
        memcpy(nat, more, strlen(more));
        hiss_comparison s = parse(text);
        assert_int_equal(s.nseeds, quick ? 1 : 2);
        assert_string_equal(s.name, quick ? "comparison (quick form)" : "comparison");
        expect_settings(&s, 0, quick ? "train.epochs=2 a=1 a=3 seed=8" : "train.epochs=2 a=1 seed=3");
        expect_settings(&s, 1,
                        quick ? "optim.lr=0.2 b=2 b=4 train.init=out/runs/nat-s8 seed=8"
                              : "optim.lr=0.2 b=2 train.init=out/runs/nat-s3 seed=3");
        expect_settings(&s, 4, quick ? "optim.lr=0.2 b=4 seed=8" : "optim.lr=0.2 seed=3");
        assert_string_equal(hiss_comparison_blame(&s, 0, s.arena, "--set a: a is x"),
                            quick ? "s.yaml:2:28: quick.rows: a is x" : "s.yaml:6:33: rows.nat.set: a is x");
        assert_string_equal(hiss_comparison_blame(&s, 1, s.arena, "--set b: b is x"),
                            quick ? "s.yaml:2:46: quick.transfers: b is x"
                                  : "s.yaml:6:54: rows.nat.transfer_set: b is x");
        hiss_comparison_destroy(&s);
    }
}

/* Readings of a transfer are those of its own network, also where it is a control's. */
static void test_transfer_readings(void **state) {
    (void)state;
    hiss_reading r;
    hiss_comparison s = parse(moved);
    assert_int_equal(hiss_comparison_readings(&s), 4);
    assert_int_equal(hiss_comparison_wanted(&s, 0)->transfer, 0);
    assert_int_equal(hiss_comparison_wanted(&s, 1)->transfer, 2);
    assert_int_equal(hiss_comparison_wanted(&s, 2)->transfer, 1);
    assert_true(hiss_comparison_reading(&s, 1, hiss_comparison_wanted(&s, 1), s.arena, &r));
    assert_string_equal(r.text, "trained/scores/linear.percent");
    assert_true(hiss_comparison_reading(&s, 1, hiss_comparison_wanted(&s, 0), s.arena, &r));
    assert_string_equal(r.text, "random/z/linear.percent");
    assert_false(hiss_comparison_reading(&s, 2, hiss_comparison_wanted(&s, 1), s.arena, &r));
    assert_string_equal(s.curves[0].reading.number, "*.linear");
    assert_string_equal(s.curves[0].x, "labels");
    hiss_comparison_destroy(&s);
}

typedef struct mistake {
    const char *from, *to, *error;
} mistake;

static void expect_mistakes(const char *study, const mistake *cases, int count) {
    for (int k = 0; k < count; k++) {
        char text[1024];
        hiss_comparison s;
        hiss_error err = {0};
        const char *at = strstr(study, cases[k].from);
        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - study), study, cases[k].to, at + strlen(cases[k].from));
        assert_int_equal(hiss_comparison_parse("s.yaml", text, &s, &err), HISS_EUSER);
        if (!strstr(err.text, cases[k].error)) {
            fail_msg("'%s' is not in '%s'", cases[k].error, err.text);
        }
        hiss_comparison_destroy(&s);
    }
}

static void test_transfer_mistakes(void **state) {
    (void)state;
    static const mistake cases[] = {
        {"fc6-8: {", "s2: {", "s.yaml:8:7: transfers: 's2' could be taken for a seed; choose another name"},
        {"fc6-8: {", "a-s10-b: {", "'a-s10-b' could be taken for a seed"},
        {"fc6-8: {", "f/c: {", "transfers: expected a name of letters, digits, _ and -, at most 40, found 'f/c'"},
        {"config: fc.yaml, ", "", "transfers.fc6-8.config is missing"},
        {"optim.lr=0.2", "seed=2", "seeds says which seeds there are"},
        {"{config: nat.yaml}", "{config: nat.yaml, transfer_set: [train.init=x]}",
         "transfer_set: a transfer begins from the run of its row; leave train.init=x out"},
        {"{config: nat.yaml}", "{config: nat.yaml, transfer_set: [seed=2]}", "seeds says which seeds there are"},
        {"{of: nat, features: raw}", "{of: nat, features: raw, transfer_set: [a=1]}", "leave one pair out"},
        {"seeds: [3, 1]", "seeds: [3, 1]\nform: quick",
         "s.yaml has no section quick, which says how the quick form is less"},
        {"seeds: [3, 1]", "seeds: [3, 1]\nquick: {seeds: [x]}", "quick.seeds: expected different integers from 0"},
        {"seeds: [3, 1]", "seeds: [3, 1]\nquick: {transfers: [train.init=x]}",
         "quick.transfers: a transfer begins from"},
        {"optim.lr=0.2", "train.init=x", "a transfer begins from the run of its row; leave train.init=x out"},
        {"config: all.yaml", "config: all.yaml, st: [a=1]",
         "unknown key 'transfers.all.st'; did you mean 'transfers.all.set'?"},
        {"transfer: all}", "transfer: al}",
         "s.yaml:12:59: columns.all.transfer: expected a name of section transfers, which has fc6-8, all; found 'al'"},
        {"linear.percent}", "linear.*}", "of one number; section curves takes *, found 'trained/z/linear.*'"},
        {"few_labels.*.linear", "few_labels.10.linear", "with * for a number"},
        {"few_labels.*.linear", "few_labels.1*.linear", "with * for a number"},
        {"few_labels.*.linear", "few_labels.*.*", "with * for a number"},
        {"few: {", "a b: {", "curves: expected a name of letters, digits, _ and -"},
        {"  few: {reading: trained/z/few_labels.*.linear, transfer: fc6-8, x: labels}", "  few: {x: labels}",
         "curves.few.reading is missing; it must be numbers of eval.json"},
    };
    expect_mistakes(moved, cases, HISS_COUNT(cases));
}

static void test_curves_over_transfers(void **state) {
    (void)state;
    static const mistake cases[] = {
        {"fc6-*", "few-*",
         "curves.over.transfer: expected names with * for a number, such as few-*, of section transfers, which has "
         "fc6-8, all; found 'few-*'"},
        {"fc6-*", "fc*-*", "expected names with * for a number"},
        {"fc6-*", "al*", "expected names with * for a number"}, /* l is none */
        {"linear.percent, transfer: fc6-*", "few_labels.*.linear, transfer: fc6-*",
         "of one number, for * is in the names of the transfers, found 'trained/z/few_labels.*.linear'"},
        {"transfer: all}", "transfer: a*}", "columns.all.transfer: expected a name of section transfers"},
    };
    hiss_comparison s = parse(moved);
    double x = 0;
    const hiss_reading *over = &s.curves[1].reading;
    assert_true(hiss_comparison_is_of(&s, over, 1, &x));
    assert_true(x == 8);
    assert_false(hiss_comparison_is_of(&s, over, 0, NULL));
    assert_false(hiss_comparison_is_of(&s, over, 2, NULL));
    assert_true(hiss_comparison_is_of(&s, &s.curves[0].reading, 1, NULL));
    assert_false(hiss_comparison_is_of(&s, &s.curves[0].reading, 2, NULL));
    hiss_comparison_destroy(&s);
    expect_mistakes(moved, cases, HISS_COUNT(cases));
}

static void test_mistakes(void **state) {
    (void)state;
    static const mistake cases[] = {
        {"[3, 1]", "[3, 3]", "s.yaml:2:12: seeds: expected different integers from 0"},
        {"[3, 1]", "[]", "s.yaml:2:8: seeds: expected 1 to 64 numbers"},
        {"[3, 1]", "3", "s.yaml:2:8: seeds: expected a list: [3] is seed 3 alone, [1, 2, 3] are three seeds"},
        {"linear conv3:", "runs:", "s.yaml:10:9: columns: table.csv and runs.csv have 'runs' already"},
        {"error:", "5-NN %_spread:", "columns: table.csv and runs.csv have '5-NN %_spread' already"},
        {"published:", "curvs:", "s.yaml:13:1: unknown key 'curvs'; did you mean 'curves'?"},
        {"columns:", "colums:", "s.yaml:9:1: unknown key 'colums'; did you mean 'columns'?"},
        {"[3, 1]", "[-1]", "s.yaml:2:9: seeds: expected different integers"},
        {"optim.lr=0.1]", "seed=4]", "s.yaml:3:24: base: seeds says which seeds there are; leave seed=4 out"},
        {"{of: nat, features: random}", "{of: nta, features: random}",
         "s.yaml:7:16: rows.random.of: expected an earlier row that has a config, found 'nta'; did you mean 'nat'?"},
        {"{of: nat, features: random}", "{of: nat}", "the trained features are row nat itself"},
        {"{of: nat, features: raw}", "{of: random, features: raw}", "an earlier row that has a config, found 'random'"},
        {"{of: nat, features: raw}", "{of: nat, features: raw, set: [a=1]}", "leave one pair out"},
        {"{config: nat.yaml}", "{set: [a=1]}", "s.yaml:5:8: rows.nat.config is missing"},
        {"{config: nat.yaml}", "{config: nat.yaml, features: raw}", "give of: ROW in place of config"},
        {"  nat:", "  n/t:", "s.yaml:5:8: rows: expected a name of letters, digits, _ and -, at most 40, found 'n/t'"},
        {"5-NN %", "5-NN, %", "columns: expected a name of letters, digits, blanks"},
        {"trained/z/knn.cosine.5", "knn",
         "s.yaml:11:21: columns.5-NN %.reading: expected SUBJECT/JUDGEMENT.NUMBER of eval.json"},
        {"best: lowest", "best: low", "columns.error.best must be one of highest, lowest, none"},
        {"ae: 20", "aee: 20", "published.values: expected the name of a row, found 'aee'; did you mean 'ae'?"},
        {"ae: 20", "ae: x", "published.values.ae: expected a number, found 'x'"},
        {"base:", "control: nta\nbase:",
         "s.yaml:3:10: control: expected the name of a row, found 'nta'; did you mean 'nat'?"},
        {"base:", "bsae:", "s.yaml:3:1: unknown key 'bsae'; did you mean 'base'?"},
    };
    expect_mistakes(plain, cases, HISS_COUNT(cases));
}

/* What a config complains of is found where it was set. */
static void test_blame(void **state) {
    (void)state;
    hiss_comparison s = parse(plain);
    assert_string_equal(hiss_comparison_blame(&s, 1, s.arena, "--set optim.lr: optim.lr must be x"),
                        "s.yaml:6:31: rows.ae.set: optim.lr must be x");
    assert_string_equal(hiss_comparison_blame(&s, 0, s.arena, "--set optim.lr: optim.lr must be x"),
                        "s.yaml:3:24: base: optim.lr must be x");
    assert_string_equal(hiss_comparison_blame(&s, 0, s.arena, "nat.yaml:3: no"), "nat.yaml:3: no");
    assert_string_equal(hiss_comparison_blame(&s, 4, s.arena, "--set seed: seed must be x"),
                        "s.yaml:2:8: seeds: seed must be x");
    hiss_comparison_destroy(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_study),
                                       cmocka_unit_test(test_curves_over_transfers),
                                       cmocka_unit_test(test_defaults),
                                       cmocka_unit_test(test_runs),
                                       cmocka_unit_test(test_readings),
                                       cmocka_unit_test(test_mistakes),
                                       cmocka_unit_test(test_blame),
                                       cmocka_unit_test(test_transfers),
                                       cmocka_unit_test(test_transfer_readings),
                                       cmocka_unit_test(test_quick),
                                       cmocka_unit_test(test_transfer_mistakes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
