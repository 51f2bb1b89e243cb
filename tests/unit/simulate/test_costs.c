/* The costs file of hiss simulate: what is written reads back, mistakes are named with their place, and the platforms
 * that are written hold at least the hosts that were asked for. */
#include "hiss/file.h"
#include "hiss/simulate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char file[] = "costs.yaml";
static const char good[] = "config: a.yaml\n"
                           "processor: some\n"
                           "lane: {samples: 4, threads: 2, load: 1, augment: 2, supply: 3}\n"
                           "reduce: {add: 1e-9, update: 2e-9}\n"
                           "exchange: {share: 0.5, repeat: 0, dim: 8, block: 16, target: 1e-6, score: 1e-8}\n"
                           "solves: [[16, 0.001], [64, 0.016]]\n"
                           "buckets: [100, 50]\n"
                           "phases:\n"
                           "  - cut: 1\n"
                           "    final: [0, 2]\n"
                           "    nodes: [[one, 0.5, 0.25], [two words, 0.125, 4]]\n";

static void put(const char *text) {
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

/* The error of reading `good` with one text replaced by another; "" when there is none. */
static const char *message(const char *old, const char *fresh) {
    static char text[4096];
    static hiss_error err;
    const char *at = strstr(good, old);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, fresh, at + strlen(old));
    put(text);
    hiss_costs costs;
    err = (hiss_error){0};
    const hiss_status s = hiss_costs_read(file, &costs, &err);
    assert_int_equal(s, err.text[0] ? HISS_EUSER : HISS_OK);
    hiss_costs_destroy(&costs);
    return err.text;
}

static void check_good(const hiss_costs *c) {
    assert_string_equal(c->config, "a.yaml");
    assert_int_equal(c->samples, 4);
    assert_int_equal(c->threads, 2);
    assert_true(c->load == 1.0 && c->augment == 2.0 && c->supply == 3.0 && c->add == 1e-9 && c->update == 2e-9);
    assert_true(c->exchange_share == 0.5 && c->target == 1e-6 && c->score == 1e-8);
    assert_int_equal(c->dim, 8);
    assert_int_equal(c->block, 16);
    assert_int_equal(c->nsolves, 2);
    assert_int_equal(c->buckets, 2);
    assert_int_equal(c->bucket_offsets[1], 100);
    assert_int_equal(c->bucket_offsets[2], 150);
    assert_int_equal(c->nphases, 1);
    const hiss_phase_cost *p = &c->phases[0];
    assert_int_equal(p->nnodes, 2);
    assert_int_equal(p->cut, 1);
    assert_int_equal(p->final[0], 0);
    assert_int_equal(p->final[1], 2);
    assert_string_equal(p->nodes[1].name, "two words");
    assert_true(p->nodes[0].forward == 0.5 && p->nodes[1].backward == 4.0);
}

static void what_is_written_reads_back(void **state) {
    (void)state;
    hiss_costs costs;
    hiss_error err = {0};
    put(good);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(hiss_costs_read(file, &costs, &err), HISS_OK);
        check_good(&costs);
        assert_int_equal(hiss_costs_write(file, &costs, &err), HISS_OK);
        hiss_costs_destroy(&costs);
    }
    assert_int_equal(hiss_alloc_live(), 0);
}

/* The permutation of all samples, and when costs were measured; both may be left out. */
static void permutation_reads_back(void **state) {
    (void)state;
    hiss_costs c;
    assert_string_equal(
        message("processor: some",
                "processor: some\nmeasured: 'then: there'\n"
                "permutation: {share: 0.375, samples: 60000, block: 512, wide: 4096, views: 3, rounds: 7, "
                "bound_rows: 9, grouped: false, feature: 1, project: 2, copy: 3, sort: 4, bound: 5}"),
        "");
    for (int k = 0; k < 2; k++) {
        hiss_error err = {0};
        assert_int_equal(hiss_costs_read(file, &c, &err), HISS_OK);
        const hiss_permutation_cost *p = &c.permutation;
        check_good(&c);
        assert_string_equal(c.measured, "then: there");
        assert_true(p->share == 0.375 && p->samples == 60000 && p->block == 512 && p->wide == 4096 && p->views == 3);
        assert_true(p->rounds == 7 && p->bound_rows == 9 && !p->grouped);
        assert_true(p->feature == 1.0 && p->project == 2.0 && p->copy == 3.0 && p->sort == 4.0 && p->bound == 5.0);
        assert_int_equal(hiss_costs_write(file, &c, &err), HISS_OK);
        hiss_costs_destroy(&c);
    }
    assert_non_null(strstr(message("processor: some", "processor: some\npermutation: {share: 2}"), "share"));
    assert_int_equal(hiss_alloc_live(), 0);
}

/* By name from the first directory that has it, by path; an unknown name is answered with those there are. */
static void platforms_are_found(void **state) {
    (void)state;
    static const char *const directories[] = {"none", "first", "second"};
    hiss_platform p;
    hiss_error err = {0};
    assert_int_equal(hiss_directories_make("first", &err), HISS_OK);
    assert_int_equal(hiss_directories_make("second", &err), HISS_OK);
    assert_int_equal(hiss_file_write_text("first/a.yaml", "{topology: bus, bandwidth: 1, latency: 0}", &err), HISS_OK);
    assert_int_equal(hiss_file_write_text("second/a.yaml", "{topology: bus, bandwidth: 2, latency: 0}", &err), HISS_OK);
    assert_int_equal(hiss_file_write_text("second/b.yaml", "{topology: bus, bandwidth: 3, latency: 0}", &err), HISS_OK);
    static const struct {
        const char *name;
        double bandwidth;
    } known[] = {{"a", 1}, {"b", 3}, {"second/a.yaml", 2}};
    for (int k = 0; k < HISS_COUNT(known); k++) {
        assert_int_equal(hiss_platform_read(known[k].name, directories, 3, &p, &err), HISS_OK);
        assert_true(p.bandwidth == known[k].bandwidth);
        hiss_platform_destroy(&p);
    }
    assert_int_equal(hiss_platform_read("c", directories, 3, &p, &err), HISS_EUSER);
    assert_string_equal(
        err.text, "platform 'c' is not known (looked in none, first, second); --platform takes a path, or one of a");
    hiss_platform_destroy(&p);
    assert_int_equal(hiss_platform_read("no/c.yaml", directories, 3, &p, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "no/c.yaml does not exist"));
    hiss_platform_destroy(&p);
    assert_int_equal(hiss_alloc_live(), 0);
}

static void questions_are_answered(void **state) {
    (void)state;
    hiss_costs c;
    hiss_error err = {0};
    put(good);
    assert_int_equal(hiss_costs_read(file, &c, &err), HISS_OK);
    assert_true(hiss_costs_solve(&c, 64) == 0.016);
    assert_true(fabs(hiss_costs_solve(&c, 32) - 0.004) < 1e-9);      /* between: power 2 */
    assert_true(fabs(hiss_costs_solve(&c, 128) - 8 * 0.016) < 1e-9); /* beyond: cube */
    assert_true(fabs(hiss_costs_solve(&c, 8) - 0.001 / 8.0) < 1e-9);
    assert_true(fabs(hiss_costs_compute(&c, 2) - (1 + 2 + 3 + 4.875)) < 1e-9);
    assert_true(fabs(hiss_costs_compute(&c, 3) - (1 + 2 * (2 + 3 + 4.875))) < 1e-9);
    assert_true(hiss_costs_solve_lists(&c, 64) == 0.016 && hiss_costs_list_times(&c, 64) == 1);
    hiss_costs_destroy(&c);
    assert_string_equal(message("buckets:", "lists: [[32, 0.5, 2], [64, 0.25, 1]]\nbuckets:"), "");
    for (int again = 0; again < 2; again++) {
        assert_int_equal(hiss_costs_read(file, &c, &err), HISS_OK);
        assert_true(hiss_costs_solve_lists(&c, 64) == 0.25 && hiss_costs_solve(&c, 64) == 0.016);
        assert_true(hiss_costs_list_times(&c, 16) == 2 && hiss_costs_list_times(&c, 63) == 2);
        assert_true(hiss_costs_list_times(&c, 64) == 1 && hiss_costs_list_times(&c, 4096) == 1);
        assert_int_equal(hiss_costs_write(file, &c, &err), HISS_OK);
        hiss_costs_destroy(&c);
    }
}

static void mistakes_are_named(void **state) {
    (void)state;
    assert_string_equal(message("config", "config"), "");
    assert_non_null(strstr(message("threads: 2", "threads: 0"), "costs.yaml:3:"));
    assert_non_null(strstr(message("samples: 4, ", ""), "samples"));
    assert_non_null(strstr(message("add: 1e-9", "add: 1e-9, redo: 1"), "redo"));
    assert_non_null(strstr(message("[100, 50]", "[100, -1]"), "costs.yaml:7:16: expected the floats of a bucket"));
    assert_non_null(strstr(message("[0, 2]", "[0]"), "final"));
    assert_non_null(strstr(message("[0, 2]", "[0, 3]"), "expected the node after which"));
    assert_non_null(strstr(message("[0, 2]", "[-1, -1]"), "a bucket that is used"));
    assert_non_null(strstr(message("cut: 1", "cut: 9"), "before the exchange"));
    assert_non_null(strstr(message("0.125, 4]", "0.125]"), "[name, seconds forward, seconds backward]"));
    assert_non_null(strstr(message("[64, 0.016]", "[8, 0.016]"), "ascending"));
    assert_non_null(strstr(message("solves: [[16, 0.001], [64, 0.016]]", "solves: []"), "solves"));
    assert_non_null(strstr(message("buckets:", "lists: [[16, 0.001]]\nbuckets:"), "how often lists are sent"));
    assert_non_null(strstr(message("buckets:", "lists: [[16, 0.001, 0]]\nbuckets:"), "how often lists are sent"));
    assert_non_null(strstr(message("score: 1e-8", "score: 1e-8, rows: some"), "auto, dense"));
    hiss_costs costs;
    hiss_error err = {0};
    assert_int_equal(hiss_costs_read("absent.yaml", &costs, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "absent.yaml"));
    hiss_costs_destroy(&costs);
    assert_int_equal(hiss_alloc_live(), 0);
}

/* Hosts of the description that is written, by its radical. */
static int64_t written_hosts(int topology, int64_t hosts) {
    const hiss_platform p = {.topology = topology, .bandwidth = 1e9, .latency = 1e-6, .taper = 1};
    hiss_error err = {0};
    char text[4096] = "";
    assert_int_equal(hiss_platform_write(&p, hosts, "p.xml", &err), HISS_OK);
    FILE *in = fopen("p.xml", "r");
    assert_non_null(in);
    assert_true(fread(text, 1, sizeof text - 1, in) > 100);
    fclose(in);
    const char *radical = strstr(text, "radical=\"0-"), *shape = strstr(text, "topo_parameters=\"");
    assert_non_null(radical);
    int a, b, c, d;
    const int64_t there = atoll(radical + strlen("radical=\"0-")) + 1;
    if (topology == HISS_FAT_TREE && sscanf(shape, "topo_parameters=\"2;%d,%d;", &a, &b) == 2) {
        assert_int_equal(there, a * b);
    } else if (topology == HISS_FAT_TREE) {
        assert_int_equal(sscanf(shape, "topo_parameters=\"3;%d,%d,%d;", &a, &b, &c), 3);
        assert_int_equal(there, a * b * c);
    } else if (topology == HISS_DRAGONFLY) {
        assert_int_equal(sscanf(shape, "topo_parameters=\"%d,%*d;%d,%*d;%d,%*d;%d", &a, &b, &c, &d), 4);
        assert_int_equal(there, a * b * c * d);
    }
    return there;
}

static void platforms_are_large_enough(void **state) {
    (void)state;
    for (int64_t hosts = 1; hosts <= 4096; hosts += hosts < 70 ? 1 : hosts / 5) {
        for (int topology = HISS_FAT_TREE; topology <= HISS_BUS; topology++) {
            const int64_t there = written_hosts(topology, hosts);
            assert_true(there >= hosts && there <= 2 * hosts + 16);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back), cmocka_unit_test(questions_are_answered),
        cmocka_unit_test(mistakes_are_named),         cmocka_unit_test(platforms_are_large_enough),
        cmocka_unit_test(permutation_reads_back),     cmocka_unit_test(platforms_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
