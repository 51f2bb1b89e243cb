/* Counters of energy in made-up trees: what adds up, what starts again, what cannot be read. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "hiss/alloc.h"
#include "hiss/energy.h"
#include "hiss/file.h"

static const char tree[] = "powercap";

static void put(const char *zone, const char *file, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", tree, zone);
    mkdir(tree, 0777);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%s", tree, zone, file);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void zone(const char *name, const char *says, const char *range) {
    put(name, "name", says);
    put(name, "max_energy_range_uj", range);
    put(name, "energy_uj", "1000000\n");
}

static int remove_tree(void **state) {
    (void)state;
    hiss_directory_remove(tree);
    return 0;
}

static void sockets_and_their_memory_add_up(void **state) {
    (void)state;
    zone("intel-rapl:0", "package-0\n", "262143328850\n");
    zone("intel-rapl:0:0", "core\n", "262143328850\n");
    zone("intel-rapl:0:1", "dram\n", "65712999613\n");
    zone("intel-rapl:1", "package-1\n", "262143328850\n");
    zone("intel-rapl:2", "psys\n", "262143328850\n");
    zone("intel-rapl-mmio:0", "package-0\n", "262143328850\n");
    put("intel-rapl", "enabled", "1\n"); /* the driver itself has no name */
    hiss_energy *e = hiss_energy_create(tree);
    assert_string_equal(hiss_energy_says(e), "package-0, dram, package-1");
    assert_true(hiss_energy_joules(e) == 0.0);
    static const char *const all[] = {"intel-rapl:0", "intel-rapl:0:0", "intel-rapl:0:1",
                                      "intel-rapl:1", "intel-rapl:2",   "intel-rapl-mmio:0"};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        put(all[k], "energy_uj", "3500000\n");
    }
    assert_true(hiss_energy_joules(e) == 0.0);
    hiss_energy_look(e);
    assert_true(fabs(hiss_energy_joules(e) - 7.5) < 1e-9);
    hiss_energy_look(e);
    assert_true(fabs(hiss_energy_joules(e) - 7.5) < 1e-9);
    hiss_energy_destroy(e);
}

static void a_counter_starts_again(void **state) {
    (void)state;
    zone("intel-rapl:0", "package-0\n", "5000000\n");
    hiss_energy *e = hiss_energy_create(tree);
    put("intel-rapl:0", "energy_uj", "4000000\n"); /* 3 J */
    hiss_energy_look(e);
    put("intel-rapl:0", "energy_uj", "250000\n"); /* 1.25 J */
    hiss_energy_look(e);
    assert_true(fabs(hiss_energy_joules(e) - 4.25) < 1e-9);
    hiss_energy_destroy(e);
}

static void it_says_why_it_does_not_know(void **state) {
    (void)state;
    hiss_energy *e = hiss_energy_create("nowhere");
    hiss_energy_look(e);
    assert_true(isnan(hiss_energy_joules(e)));
    assert_string_equal(hiss_energy_says(e), "nowhere has no counters of processors");
    hiss_energy_destroy(e);

    zone("intel-rapl:0", "package-0\n", "5000000\n");
    zone("intel-rapl:1", "package-1\n", "5000000\n");
    unlink("powercap/intel-rapl:1/energy_uj");
    e = hiss_energy_create(tree);
    assert_true(isnan(hiss_energy_joules(e)));
    assert_string_equal(hiss_energy_says(e),
                        "powercap/intel-rapl:1/energy_uj cannot be read (No such file or directory)");
    hiss_energy_destroy(e);

    put("intel-rapl:1", "energy_uj", "1000000\n");
    e = hiss_energy_create(tree);
    assert_true(hiss_energy_joules(e) == 0.0);
    unlink("powercap/intel-rapl:0/energy_uj");
    hiss_energy_look(e);
    assert_true(isnan(hiss_energy_joules(e)));
    assert_string_equal(hiss_energy_says(e),
                        "powercap/intel-rapl:0/energy_uj cannot be read (No such file or directory)");
    hiss_energy_destroy(e);
    assert_true(hiss_alloc_live() == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(sockets_and_their_memory_add_up, remove_tree),
                                       cmocka_unit_test_teardown(a_counter_starts_again, remove_tree),
                                       cmocka_unit_test_teardown(it_says_why_it_does_not_know, remove_tree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
