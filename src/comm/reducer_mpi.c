/* HISS_REDUCE_MPI: a bucket that opens is the rank's roots, folded from left to right, and the rest is left to
 * MPI_Iallreduce, on one communicator per bucket because the order of opening differs between ranks. */
#include <string.h>

#include "comm/reducer_impl.h"
#include "hiss/clock.h"

float *comm_mpi_root(const hiss_reducer *r) {
    const comm_roots *roots = &r->schedule.roots;
    const int64_t first = roots->offsets[r->comm->rank];
    return first < roots->offsets[r->comm->rank + 1] ? comm_lane_sums_root(r->sums, roots->lane[first]) : r->received;
}

void comm_mpi_open(hiss_reducer *r, int64_t at) {
    const comm_plan *s = &r->schedule;
    const comm_slice *slice = &s->slices[at];
    const int64_t length = slice->end - slice->begin;
    int64_t first = s->roots.offsets[r->comm->rank], n = s->roots.offsets[r->comm->rank + 1] - first;
    float *sum = comm_mpi_root(r) + slice->begin;
    if (n == 0) {
        memset(sum, 0, sizeof(float) * (size_t)length);
    }
    double before = hiss_seconds();
    for (int64_t i = 1; i < n; i++) {
        comm_add_floats(sum, comm_lane_sums_root(r->sums, s->roots.lane[first + i]) + slice->begin, length);
    }
    r->times.sum += hiss_seconds() - before;
    HISS_MPI(hiss_iallreduce(sum, length, r->bucket_comms[slice->bucket],
                             comm_reducer_request(r, at, HISS_GOT_SUM, HISS_EVERYONE)));
    comm_count_ring(r->comm, 2.0 * (double)length * sizeof(float));
}
