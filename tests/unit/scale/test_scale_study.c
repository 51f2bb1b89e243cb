/* The study file: what it says, what is wrong with it and where; the plan that follows; settings and launchers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hiss/scale.h"

static const char plain[] = "kind: strong\n"
                            "configs:\n"
                            "  nat: {file: a.yaml, set: [train.lanes=8, optim.lr=0.1]}\n"
                            "  off: {file: a.yaml}\n"
                            "ranks: [1, 2, 4]\n"
                            "threads: [2, 2, 1]\n"
                            "nodes: [1, 1, 2]\n"
                            "repeats: 4\n"
                            "steps: 120\n"
                            "warmup: 20\n";

static hiss_study parse(const char *text) {
    hiss_study study;
    hiss_error err = {0};
    if (hiss_study_parse("s.yaml", text, &study, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    return study;
}

static void test_points(void **state) {
    (void)state;
    hiss_study s = parse(plain);
    assert_int_equal(s.nconfigs, 2);
    assert_int_equal(s.npoints, 6);
    assert_string_equal(s.points[0].name, "nat-1x2-n1");
    assert_string_equal(s.points[5].name, "off-4x1-n2");
    assert_int_equal(s.points[2].workers, 4);
    assert_int_equal(s.configs[0].nset, 2);
    assert_string_equal(s.configs[0].set[1], "optim.lr=0.1");
    hiss_study_destroy(&s);
    s = parse("configs: {x: {file: a.yaml}}\nranks: 3\n");
    assert_int_equal(s.npoints, 1);
    assert_string_equal(s.points[0].name, "x-3x1");
    assert_int_equal(s.points[0].nodes, 0);
    hiss_study_destroy(&s);
}

/* A study written out is the same study. */
static void test_resolved(void **state) {
    (void)state;
    hiss_study s = parse(plain);
    const char *text = hiss_config_resolved(s.text);
    hiss_study again = parse(text);
    assert_string_equal(hiss_config_resolved(again.text), text);
    assert_int_equal(again.npoints, s.npoints);
    assert_string_equal(again.configs[0].set[0], "train.lanes=8");
    hiss_study_destroy(&again);
    hiss_study_destroy(&s);
}

static void test_order(void **state) {
    (void)state;
    hiss_study s = parse(plain);
    int64_t order[24], again[24], other[24];
    hiss_study_order(&s, order);
    hiss_study_order(&s, again);
    assert_memory_equal(order, again, sizeof order);
    bool seen[24] = {false}, shuffled = false;
    for (int k = 0; k < 24; k++) {
        assert_true(order[k] / 6 == k / 6); /* a whole repeat before the next */
        assert_false(seen[order[k]]);
        seen[order[k]] = true;
        shuffled = shuffled || order[k] % 6 != order[k % 6] % 6; /* repeats are not all in one order */
    }
    assert_true(shuffled);
    s.seed = 2;
    hiss_study_order(&s, other);
    assert_memory_not_equal(order, other, sizeof order);
    char path[128];
    hiss_study_place(&s, "out", 7, path, sizeof path);
    assert_string_equal(path, "out/points/nat-2x2-n1-r2");
    hiss_study_destroy(&s);
}

static bool has(const char **words, int n, const char *word) {
    bool found = false;
    for (int k = 0; k < n; k++) {
        found = found || strcmp(words[k], word) == 0;
    }
    return found;
}

static void test_settings(void **state) {
    (void)state;
    const char *set[32];
    hiss_study s = parse(plain);
    int n = hiss_study_settings(&s, 1, s.arena, set, 32);
    assert_string_equal(set[0], "checkpoint.every=never"); /* first: what the user says comes later, and wins */
    assert_string_equal(set[1], "train.lanes=8");
    assert_true(has(set, n, "train.log_every=5"));
    assert_true(has(set, n, "train.steps=120"));
    assert_true(has(set, n, "train.epochs=120"));
    hiss_study_destroy(&s);

    s = parse("kind: weak-data\nconfigs: {x: {file: a.yaml, set: [train.lanes=99]}}\nranks: [2, 4, 6]\nthreads: "
              "2\nepochs: 2\n");
    s.configs[0].lanes = 4;
    s.configs[0].limit = 1000;
    n = hiss_study_settings(&s, 2, s.arena, set, 32);
    assert_string_equal(set[n - 2], "train.lanes=12"); /* after the user's */
    assert_string_equal(set[n - 1], "data.limit=3000");
    assert_true(has(set, n, "train.epochs=2"));
    assert_true(has(set, n, "train.steps=0"));
    hiss_study_destroy(&s);
}

/* The launcher's words for point 0, joined by blanks. */
static const char *launched(const hiss_study *s, const hiss_scale_place *place) {
    const char *word[32], *line = "";
    const int n = hiss_study_launcher(s, 0, place, s->arena, word, 32);
    for (int k = 0; k < n; k++) {
        line = hiss_arena_format(s->arena, "%s%s%s", line, k ? " " : "", word[k]);
    }
    return line;
}

static void test_launcher(void **state) {
    (void)state;
    static const char *const hosts[] = {"a", "b", "c"};
    const hiss_scale_place here = {0}, there = {.cores = 8, .host = hosts, .hosts = 3};
    const char *word[16];
    hiss_study s =
        parse("configs: {x: {file: a.yaml}}\nranks: [5]\nthreads: 3\nnodes: 2\n"
              "launch: [srun, -n, RANKS, -N, NODES, 'ppr:RANKS_PER_NODE:node:PE=THREADS', 'a;b $(c)', HOSTS]\n");
    assert_int_equal(hiss_study_launcher(&s, 0, &there, s.arena, word, 16), 8);
    assert_string_equal(word[2], "5");
    assert_string_equal(word[4], "2");
    assert_string_equal(word[5], "ppr:3:node:PE=3");
    assert_string_equal(word[6], "a;b $(c)"); /* a word is a word: there is no shell */
    assert_string_equal(word[7], "a:3,b:2");
    hiss_study_launcher(&s, 0, &here, s.arena, word, 16);
    assert_string_equal(word[7], "localhost:5");
    hiss_study_destroy(&s);
    s = parse("configs: {x: {file: a.yaml}}\nranks: [1]\nlaunch: []\n");
    assert_int_equal(hiss_study_launcher(&s, 0, &here, s.arena, word, 16), 0);
    hiss_study_destroy(&s);
}

/* Without launch: each thread gets a core of its own where there are enough, on the nodes that the point asks for. */
static void test_mpirun(void **state) {
    (void)state;
    static const char *const hosts[] = {"a", "b", "c"};
    static const struct {
        const char *study;
        hiss_scale_place place;
        const char *words;
    } cases[] = {
        {"ranks: [5]", {8, NULL, 0, false}, "mpirun -n 5 --map-by slot:PE=1 --bind-to core"},
        {"ranks: [2]\nthreads: 4", {8, NULL, 0, false}, "mpirun -n 2 --map-by slot:PE=4 --bind-to core"},
        {"ranks: [3]\nthreads: 4", {8, NULL, 0, false}, "mpirun -n 3 --bind-to none"},
        {"ranks: [3]\nthreads: 4", {0, NULL, 0, false}, "mpirun -n 3 --bind-to none"},
        {"ranks: [3]\nthreads: 4", {8, hosts, 3, false}, "mpirun -n 3 --map-by slot:PE=4 --bind-to core"},
        {"ranks: [3]\nthreads: 4\nnodes: 1", {8, hosts, 3, false}, "mpirun -n 3 --host a:3 --bind-to none"},
        {"ranks: [3]\nthreads: 4\nnodes: 2",
         {8, hosts, 3, false},
         "mpirun -n 3 --host a:2,b:1 --map-by slot:PE=4 --bind-to core"},
        {"ranks: [3]\nnodes: 2", {8, NULL, 0, false}, "mpirun -n 3 --map-by slot:PE=1 --bind-to core"},
        {"ranks: [5]\nranks_per_node: 2",
         {8, hosts, 3, false},
         "mpirun -n 5 --host a:2,b:2,c:1 --map-by slot:PE=1 --bind-to core"},
        {"ranks: [2]\nranks_per_node: 2",
         {8, hosts, 3, false},
         "mpirun -n 2 --host a:2 --map-by slot:PE=1 --bind-to core"},
        {"ranks: [2]\nranks_per_node: 2\nnodes: 2",
         {8, hosts, 3, false},
         "mpirun -n 2 --host a:1,b:1 --map-by slot:PE=1 --bind-to core"},
        {"ranks: [2]\nthreads: 4", {8, NULL, 0, true}, "mpirun -n 2 -bind-to core:4"},
        {"ranks: [3]\nthreads: 4", {8, NULL, 0, true}, "mpirun -n 3 -bind-to none"},
        {"ranks: [5]\nranks_per_node: 2", {8, hosts, 3, true}, "mpirun -n 5 -hosts a,b,c -ppn 2 -bind-to core:1"},
        {"ranks: [2]\nranks_per_node: 2\nnodes: 2",
         {8, hosts, 3, true},
         "mpirun -n 2 -hosts a,b -ppn 1 -bind-to core:1"},
    };
    for (int k = 0; k < HISS_COUNT(cases); k++) {
        char text[256];
        snprintf(text, sizeof text, "configs: {x: {file: a.yaml}}\n%s\n", cases[k].study);
        hiss_study s = parse(text);
        assert_string_equal(launched(&s, &cases[k].place), cases[k].words);
        hiss_study_destroy(&s);
    }
}

/* What may be added to a study, and what may not be changed. */
static void test_extends(void **state) {
    (void)state;
    static const char base[] =
        "configs: {x: {file: a.yaml, set: [a=1]}}\nranks: [2, 4]\nsteps: 100\nslurm: {options: [--a]}\n";
    static const struct {
        const char *text, *why; /* why NULL: goes on */
    } cases[] = {
        {base, NULL},
        {"name: other\nrepeats: 7\nlimit: 5\nkeep: true\nconfigs: {x: {file: a.yaml, set: [a=1]}}\nranks: [4, "
         "2]\nsteps: 100\n",
         NULL},
        {"configs: {x: {file: a.yaml, set: [a=1]}, y: {file: b.yaml}}\nranks: [1, 2, 4, 8]\nsteps: 100\n", NULL},
        {"configs: {x: {file: a.yaml, set: [a=1]}}\nranks: [2, 4, 4]\nthreads: [1, 1, 2]\nsteps: 100\n", NULL},
        {"configs: {x: {file: a.yaml, set: [a=1]}}\nranks: [4]\nsteps: 100\n", "point x-2x1, which is not there now"},
        {"configs: {x: {file: a.yaml, set: [a=1]}}\nranks: [2, 4]\nthreads: 2\nsteps: 100\n",
         "point x-2x1, which is not"},
        {"configs: {x: {file: a.yaml, set: [a=1]}}\nranks: [2, 4]\nsteps: 101\n", "'steps: 100', now 'steps: 101'"},
        {"configs: {x: {file: a.yaml, set: [a=1]}}\nranks: [2, 4]\nsteps: 100\nseed: 2\n", "'seed: 1', now 'seed: 2'"},
        {"kind: weak-batch\nconfigs: {x: {file: a.yaml, set: [a=1]}}\nranks: [2, 4]\nsteps: 100\n",
         "'kind: strong', now"},
        {"configs: {x: {file: c.yaml, set: [a=1]}}\nranks: [2, 4]\nsteps: 100\n",
         "configs.x.file 'a.yaml', now 'c.yaml'"},
        {"configs: {x: {file: a.yaml, set: [a=2]}}\nranks: [2, 4]\nsteps: 100\n", "another configs.x.set"},
        {"configs: {x: {file: a.yaml, set: [a=1]}}\nranks: [2, 4]\nsteps: 100\nlaunch: [a]\n", "now 'launch"},
    };
    hiss_study before = parse(base);
    for (int k = 0; k < HISS_COUNT(cases); k++) {
        hiss_error err = {0};
        hiss_study now = parse(cases[k].text);
        assert_int_equal(hiss_study_extends(&before, &now, &err), cases[k].why ? HISS_EUSER : HISS_OK);
        if (cases[k].why && !strstr(err.text, cases[k].why)) {
            fail_msg("no '%s' in '%s'", cases[k].why, err.text);
        }
        hiss_study_destroy(&now);
    }
    hiss_study_destroy(&before);
    /* A smaller point of a weak study would change the lanes of all others. */
    hiss_error err = {0};
    before = parse("kind: weak-batch\nconfigs: {x: {file: a.yaml}}\nranks: [2, 4]\n");
    hiss_study now = parse("kind: weak-batch\nconfigs: {x: {file: a.yaml}}\nranks: [1, 2, 4]\n");
    assert_int_equal(hiss_study_extends(&before, &now, &err), HISS_EUSER);
    hiss_study_destroy(&now);
    hiss_study_destroy(&before);
}

static void refuse(const char *text, const char *where, const char *what) {
    hiss_study study;
    hiss_error err = {0};
    assert_int_equal(hiss_study_parse("s.yaml", text, &study, &err), HISS_EUSER);
    if (strncmp(err.text, where, strlen(where)) != 0 || !strstr(err.text, what)) {
        fail_msg("'%s' does not begin with '%s' and have '%s'", err.text, where, what);
    }
    hiss_study_destroy(&study);
}

static void test_mistakes(void **state) {
    (void)state;
    refuse("ranks: [1]\n", "s.yaml: ", "configs: must be a section");
    refuse("configs: {x: {file: a}}\n", "s.yaml: ", "ranks is missing");
    refuse("configs: {x: {file: a}}\nranks: [1, 0]\n", "s.yaml:2:12: ranks", "found '0'");
    refuse("configs: {x: {file: a}}\nranks: [1, two]\n", "s.yaml:2:12: ranks", "found 'two'");
    refuse("configs: {x: {file: a}}\nranks: []\n", "s.yaml:2:8: ranks", "1 to 256");
    refuse("configs: {x: {file: a}}\nranks: [1, 2, 2]\n", "s.yaml:2:8: ranks", "no point twice");
    refuse("configs: {x: {file: a}}\nranks: [1, 2, 4]\nthreads: [1, 2]\n", "s.yaml:3:10: threads has 2",
           "one for each");
    refuse("configs: {x: {file: a}}\nrank: [1]\n", "s.yaml:2:1: unknown key 'rank'", "'ranks'");
    refuse("configs: {x: {files: a}}\nranks: [1]\n", "s.yaml:1:14: configs.x.file is missing", "config of hiss train");
    refuse("configs: {x: {file: a, sets: [a=1]}}\nranks: [1]\n", "s.yaml:1:24: unknown key 'configs.x.sets'",
           "configs.x.set");
    refuse("configs: {x y: {file: a}}\nranks: [1]\n", "s.yaml:1:", "letters, digits");
    refuse("configs: {x: {file: a, set: [{a: 1}]}}\nranks: [1]\n", "s.yaml:1:30: set", "found a section");
    refuse("configs: {x: {file: a}}\nranks: [1]\nkind: weak\n", "s.yaml:3:7: kind must be", "weak-batch");
    refuse("configs: {x: {file: a}}\nranks: [1]\nsteps: 10\nwarmup: 10\n", "s.yaml:4:9: warmup is 10",
           "nothing is left");
    refuse("configs: {x: {file: a}}\nranks: [2, 3]\nkind: weak-batch\n", "s.yaml:2:8: kind weak-batch",
           "not a multiple");
    refuse("configs: {x: {file: a}}\nranks: [1]\nquality: {value: 1}\n", "s.yaml:3:18: quality.value",
           "metric is missing");
    refuse("configs: {x: {file: a}}\nranks: [1]\nslurm: {options: [\"a\\nb\"]}\n", "s.yaml:3:19: slurm.options",
           "one line");
    refuse("configs: {x: {file: a}}\nranks: [1]\nname: \"a\\nb\"\n", "s.yaml:3:7: name", "one line");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_points),   cmocka_unit_test(test_resolved), cmocka_unit_test(test_order),
        cmocka_unit_test(test_settings), cmocka_unit_test(test_launcher), cmocka_unit_test(test_mpirun),
        cmocka_unit_test(test_extends),  cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
