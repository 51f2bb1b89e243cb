/* Memory that neighbouring ranks of a node share; see shared.c. */
#ifndef HISS_COMM_SHARED_IMPL_H
#define HISS_COMM_SHARED_IMPL_H

#include <stdint.h>

#include "hiss/comm.h"

/* Who shares memory, as MPI says. Collective.
 *   node  out  [P] the lowest rank of each rank's node */
void comm_shared_nodes(hiss_comm *comm, int *node);

/* A segment of each of ranks [first, end), which all of these read and write: zeros at first, from a page's start. */
typedef struct comm_shared {
    int first, end;
    void **segment;  /* [end-first] */
    int64_t *length; /* [end-first] bytes */
} comm_shared;

/* Ranks first to end - 1 call it with the same first and end, and each with the bytes of its own segment; a rank that is
 * alone gets none. When one rank fails, all do: *out is then NULL, and the error is of key dist.node. Collective. */
hiss_status comm_shared_create(hiss_comm *comm, int first, int end, int64_t bytes, comm_shared **out, hiss_error *err);
void comm_shared_destroy(comm_shared *shared); /* NULL is allowed. Not collective */

#endif
