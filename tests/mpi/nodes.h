/* Nodes that are pretended: every so many ranks share memory, whatever MPI says. For a program that includes it in one of
 * its files. */
#ifndef HISS_NODES_H
#define HISS_NODES_H

#include <mpi.h>

static int ranks_of_a_node; /* 0: as it is */

int MPI_Comm_split_type(MPI_Comm comm, int type, int key, MPI_Info info, MPI_Comm *out) {
    int rank;
    MPI_Comm_rank(comm, &rank);
    return ranks_of_a_node > 0 ? PMPI_Comm_split(comm, rank / ranks_of_a_node, key, out)
                               : PMPI_Comm_split_type(comm, type, key, info, out);
}

#endif
