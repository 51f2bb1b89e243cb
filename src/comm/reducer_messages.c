/* What the reducer's messages carry: numbers as they are, or, in narrow buckets, in bfloat16 (wire.c). */
#include <assert.h>

#include "comm/reducer_impl.h"
#include "comm/wire_impl.h"

MPI_Request *comm_reducer_request(hiss_reducer *r, int64_t at, comm_event event, int peer) {
    assert(r->active < r->capacity);
    r->pending[r->active] = (comm_pending){at, event, peer};
    return &r->requests[r->active++];
}

int comm_reducer_tag(comm_message what, int number) {
    return HISS_TAG_SLICE + HISS_TAG_KINDS * number + (int)what;
}

static MPI_Datatype type_of(const hiss_reducer *r, int bucket) {
    return r->narrow[bucket] ? MPI_UINT16_T : MPI_FLOAT;
}

void comm_reducer_send(hiss_reducer *r, int bucket, const void *from, int64_t numbers, int to, int tag) {
    HISS_MPI(MPI_Isend(HISS_PAYLOAD(from), comm_int(numbers), type_of(r, bucket), to, tag, r->comm->mpi,
                       comm_reducer_request(r, bucket, HISS_SENT, to)));
    r->comm->bytes_sent += (double)numbers * (r->narrow[bucket] ? sizeof(uint16_t) : sizeof(float));
}

void comm_reducer_receive(hiss_reducer *r, int bucket, void *into, int64_t numbers, int from, int tag, int64_t at,
                          comm_event event) {
    HISS_MPI(MPI_Irecv(HISS_PAYLOAD(into), comm_int(numbers), type_of(r, bucket), from, tag, r->comm->mpi,
                       comm_reducer_request(r, at, event, from)));
}

void comm_reducer_send_root(hiss_reducer *r, int bucket, float *root, int64_t floats, int to, int tag) {
    if (r->narrow[bucket]) {
        comm_wire_pack(root, floats);
    }
    comm_reducer_send(r, bucket, root, floats, to, tag);
}

void comm_reducer_receive_root(hiss_reducer *r, int bucket, float *row, int64_t floats, int from, int tag, int64_t at,
                               comm_event event) {
    void *into = r->narrow[bucket] ? (char *)row + sizeof(uint16_t) * (size_t)floats : (char *)row;
    comm_reducer_receive(r, bucket, into, floats, from, tag, at, event);
}

void *comm_reducer_values(const hiss_reducer *r, int bucket, int64_t begin) {
    return r->narrow[bucket] ? (void *)(r->changes + begin) : (void *)(r->model + begin);
}

void comm_reducer_take(const hiss_reducer *r, int bucket, int64_t begin, int64_t end) {
    if (r->narrow[bucket]) {
        comm_wire_apply(r->changes + begin, r->model + begin, end - begin);
    }
}
