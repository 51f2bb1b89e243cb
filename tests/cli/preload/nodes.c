/* Loaded before the MPI library: every NODE_RANKS ranks are a node. */
#include <stdlib.h>

#include "../../mpi/nodes.h"

__attribute__((constructor)) static void read_environment(void) {
    const char *text = getenv("NODE_RANKS");
    ranks_of_a_node = text ? atoi(text) : 0;
}
