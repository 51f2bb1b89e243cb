/* Sizes and owners of what the reducer moves. */
#include "comm/reducer_impl.h"

int64_t comm_row_floats(int64_t floats) {
    return (floats + HISS_ALIGN_FLOATS - 1) / HISS_ALIGN_FLOATS * HISS_ALIGN_FLOATS;
}

int64_t comm_chunk_floats(const hiss_reducer *r, const comm_chunk *chunk) {
    const comm_slice *slices = r->schedule.slices;
    return slices[chunk->end_slice - 1].end - slices[chunk->first_slice].begin;
}

bool comm_reducer_owns(const hiss_reducer *r, const comm_slice *slice) {
    return slice->owner == r->comm->rank || slice->owner == HISS_EVERYONE;
}
