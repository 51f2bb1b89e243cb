/* Inside src/data: what the loader and its prefetch thread share. */
#ifndef HISS_LOADER_IMPL_H
#define HISS_LOADER_IMPL_H

#include "dataset_impl.h"

/* The order of one lane's shard in one epoch. */
typedef struct data_order {
    uint64_t seed;
    int64_t epoch, lanes;
    int64_t begin, count;             /* the shard */
    int64_t window, groups, short_at; /* samples per group; groups; place of the short last group in the order */
    hiss_permutation among;           /* the groups */
    hiss_permutation inside;          /* the samples of the group looked at last */
    int64_t inside_of;                /* that group, or -1 */
    int64_t lane;
} data_order;

data_order data_order_of(uint64_t seed, int64_t epoch, int64_t lane, int64_t lanes, const int64_t *shards,
                         int64_t window);
/* Sample at a position of the epoch; group_begin and group_count (may be NULL) tell the samples of its group. */
int64_t data_order_at(data_order *order, int64_t position, int64_t *group_begin, int64_t *group_count);

/* One step of all local lanes; lane l's part starts at (l - first_lane) * m. */
typedef struct data_ring_entry {
    int64_t epoch, step;
    int64_t *sample;
    const uint8_t **row;
    int32_t *label; /* NULL without labels */
} data_ring_entry;
void data_ring_entry_create(data_ring_entry *slot, int64_t samples, bool labelled);
void data_ring_entry_destroy(data_ring_entry *slot);

typedef struct data_prefetch data_prefetch;

struct hiss_loader {
    hiss_dataset *set;
    hiss_trace *trace;
    uint64_t seed;
    int64_t lanes, first, end, m, window, steps, row;
    int64_t *shards;
    int64_t epoch, step; /* the next to enter */
    double waited;
    /* memory mode */
    uint8_t *rows;     /* of samples [shards[first], shards[end]) */
    data_order *order; /* [local lanes] */
    bool *filled;      /* [local lanes]: the slot holds the lane's batch of the step entered */
    data_ring_entry slot;
    /* stream mode */
    data_prefetch *prefetch;
    const data_ring_entry *entered;
};

/* The prefetch thread and its ring. The budget is data.memory. */
hiss_status data_prefetch_create(const hiss_loader *loader, int64_t budget, data_prefetch **out, hiss_error *err);
void data_prefetch_destroy(data_prefetch *prefetch);
int64_t data_prefetch_bytes(const data_prefetch *prefetch); /* of its ring and groups */
void data_prefetch_seek(data_prefetch *prefetch, int64_t epoch, int64_t step);
/* Wait for the next step; it stays valid until the next call. */
hiss_status data_prefetch_next(data_prefetch *prefetch, const data_ring_entry **out, double *waited, hiss_error *err);

#endif
