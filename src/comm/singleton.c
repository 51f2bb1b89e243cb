/* Starting alone: what the MPI standard calls a singleton (MPI 4.0, section 11.8.2).
 *
 * A process that no launcher has started is a world of its own. Open MPI 4.1 starts a daemon for it all the same, so that
 * it could spawn others, makes folders for its files, and looks through the networks, which together takes six times as
 * long as everything else in MPI_Init (0.40 s, 0.07 without). A singleton of hiss spawns nobody and talks to nobody. Without
 * a daemon, all singletons would share one folder, which one removes while another makes it: so there is none. The
 * variables that say so are taken back after MPI_Init: what this process starts may be a launcher, whose ranks need
 * network and folders. Other MPI libraries and Open MPI 5, which starts no daemon, do not look at them. */
#include <stdlib.h>

#include "comm/comm_impl.h"
#include "hiss/config.h"

static const struct {
    const char *name, *value;
} alone[] = {
    {"OMPI_MCA_ess_singleton_isolated", "1"}, {"OMPI_MCA_orte_create_session_dirs", "0"}, {"OMPI_MCA_pml", "ob1"}};

static bool is_launched(void) {
    static const char *const names[] = {
        "OMPI_COMM_WORLD_SIZE", "PMIX_NAMESPACE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE", "PMI_FD", "SLURM_PROCID"};
    for (int i = 0; i < HISS_COUNT(names); i++) {
        if (getenv(names[i])) {
            return true;
        }
    }
    return false;
}

int comm_singleton_begin(void) {
    int set = 0;
    for (int i = 0; i < HISS_COUNT(alone) && !is_launched(); i++) {
        if (!getenv(alone[i].name) && setenv(alone[i].name, alone[i].value, 0) == 0) {
            set |= 1 << i;
        }
    }
    return set;
}

void comm_singleton_end(int set) {
    for (int i = 0; i < HISS_COUNT(alone); i++) {
        if (set & 1 << i) {
            unsetenv(alone[i].name);
        }
    }
}
