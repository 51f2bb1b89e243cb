/* What is set for MPI_Init where nobody has launched the process: taken back, and nothing of the user's changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "comm/comm_impl.h"

extern char **environ;

static int open_mpi_settings(void) {
    int count = 0;
    for (char **entry = environ; *entry; entry++) {
        count += strncmp(*entry, "OMPI_MCA_", strlen("OMPI_MCA_")) == 0;
    }
    return count;
}

static int nobody(void **state) {
    (void)state;
    for (char **entry = environ; *entry;) {
        char name[256] = "";
        strncat(name, *entry, sizeof name - 1);
        *strchr(name, '=') = '\0';
        if (strstr(name, "OMPI_") || strstr(name, "PMI") || strstr(name, "SLURM_")) {
            unsetenv(name);
            entry = environ;
        } else {
            entry++;
        }
    }
    return 0;
}

static void is_taken_back(void **state) {
    (void)state;
    const int set = comm_singleton_begin();
    assert_int_equal(open_mpi_settings(), 3);
    comm_singleton_end(set);
    assert_int_equal(open_mpi_settings(), 0);
}

static void leaves_what_the_user_has_set(void **state) {
    (void)state;
    setenv("OMPI_MCA_pml", "ucx", 1);
    const int set = comm_singleton_begin();
    assert_string_equal(getenv("OMPI_MCA_pml"), "ucx");
    comm_singleton_end(set);
    assert_string_equal(getenv("OMPI_MCA_pml"), "ucx");
    assert_int_equal(open_mpi_settings(), 1);
}

static void is_not_for_ranks_of_a_job(void **state) {
    static const char *const launchers[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"};
    for (int k = 0; k < 4; k++) {
        nobody(state);
        setenv(launchers[k], "1", 1);
        const int set = comm_singleton_begin();
        assert_int_equal(open_mpi_settings(), 0);
        comm_singleton_end(set);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(is_taken_back, nobody),
        cmocka_unit_test_setup(leaves_what_the_user_has_set, nobody),
        cmocka_unit_test_setup(is_not_for_ranks_of_a_job, nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
