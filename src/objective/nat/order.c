/* Orders of all samples that are cut into blocks: who stands where, who owns whom, and records by place. */
#include <string.h>

#include "hiss/alloc.h"
#include "objective/nat/grouping.h"
#include "objective/nat/nat.h"

int nat_rank_of_sample(const nat *n, int64_t sample) {
    const hiss_placement *p = n->placement;
    int low = 0, high = hiss_comm_size(p->comm) - 1;
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if (p->shards[p->lane_offsets[middle]] <= sample) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

int64_t nat_place_of(const nat_order *order, int64_t sample) {
    return order->grouped ? objective_grouping_place(order->near, sample)
                          : hiss_permutation_find(&order->random, sample);
}

int64_t nat_sample_at(const nat_order *order, int64_t place) {
    return order->grouped ? objective_grouping_sample(order->near, place) : hiss_permutation_at(&order->random, place);
}

void nat_align(int64_t n, double *price) {
    double mean = 0.0;
    for (int64_t j = 0; j < n; j++) {
        mean += price[j] / (double)n;
    }
    for (int64_t j = 0; j < n; j++) {
        price[j] -= mean;
    }
}

void nat_gather_places(const nat *n, const nat_order *order, int64_t begin, int64_t count, int64_t size,
                       const void *local, void *out) {
    const int P = hiss_comm_size(n->placement->comm), me = hiss_comm_rank(n->placement->comm);
    int64_t *offsets = hiss_new(int64_t, P + 1), *cursor = hiss_new(int64_t, P + 1);
    for (int64_t t = 0; t < count; t++) {
        offsets[nat_rank_of_sample(n, nat_sample_at(order, begin + t)) + 1] += size;
    }
    for (int r = 0; r < P; r++) {
        offsets[r + 1] += offsets[r];
        cursor[r] = offsets[r];
    }
    char *mine = hiss_alloc((size_t)(offsets[me + 1] - offsets[me])), *all = hiss_alloc((size_t)(count * size));
    char *at = mine;
    for (int64_t t = 0; t < count; t++) {
        const int64_t i = nat_sample_at(order, begin + t) - n->first_sample;
        if (i >= 0 && i < n->local_samples) {
            memcpy(at, (const char *)local + i * size, (size_t)size);
            at += size;
        }
    }
    hiss_comm_allgather(n->placement->comm, mine, offsets, all);
    for (int64_t t = 0; t < count; t++) {
        const int rank = nat_rank_of_sample(n, nat_sample_at(order, begin + t));
        memcpy((char *)out + t * size, all + cursor[rank], (size_t)size);
        cursor[rank] += size;
    }
    hiss_free(mine);
    hiss_free(all);
    hiss_free(offsets);
    hiss_free(cursor);
}
