/* Inside src/data: what the loader and its prefetch thread share. */
#ifndef HISS_LOADER_IMPL_H
#define HISS_LOADER_IMPL_H

#include "dataset_impl.h"

/* The order of one lane's shard in one epoch. */
typedef struct hiss_order {
    uint64_t seed;
    int64_t epoch, lanes;
    int64_t begin, count;             /* the shard */
    int64_t window, groups, short_at; /* samples per group; groups; place of the short last group in the order */
    hiss_permutation among;           /* the groups */
    hiss_permutation inside;          /* the samples of the group looked at last */
    int64_t inside_of;                /* that group, or -1 */
    int64_t lane;
} hiss_order;

hiss_order hiss_order_of(uint64_t seed, int64_t epoch, int64_t lane, int64_t lanes, const int64_t *shards,
                         int64_t window);
/* Sample at a position of the epoch; group_begin and group_count (may be NULL) tell the samples of its group. */
int64_t hiss_order_at(hiss_order *order, int64_t position, int64_t *group_begin, int64_t *group_count);

/* One step of all local lanes; lane l's part starts at (l - first_lane) * m. */
typedef struct hiss_slot {
    int64_t epoch, step;
    int64_t *sample;
    const uint8_t **pixels;
    int32_t *label; /* NULL without labels */
} hiss_slot;
void hiss_slot_create(hiss_slot *slot, int64_t samples, bool labelled);
void hiss_slot_destroy(hiss_slot *slot);

typedef struct hiss_prefetch hiss_prefetch;

struct hiss_loader {
    hiss_dataset *set;
    uint64_t seed;
    int64_t lanes, first, end, m, window, steps, row;
    int64_t *shards;
    int64_t epoch, step; /* the next to enter */
    double waited;
    /* memory mode */
    uint8_t *pixels;   /* of samples [shards[first], shards[end]) */
    hiss_order *order; /* [local lanes] */
    bool *filled;      /* [local lanes]: the slot holds the lane's batch of the step entered */
    hiss_slot slot;
    /* stream mode */
    hiss_prefetch *prefetch;
    const hiss_slot *entered;
};

/* The prefetch thread and its ring. The budget is data.memory. */
hiss_status hiss_prefetch_create(const hiss_loader *loader, int64_t budget, hiss_prefetch **out, hiss_error *err);
void hiss_prefetch_destroy(hiss_prefetch *prefetch);
void hiss_prefetch_seek(hiss_prefetch *prefetch, int64_t epoch, int64_t step);
/* Wait for the next step; it stays valid until the next call. */
hiss_status hiss_prefetch_next(hiss_prefetch *prefetch, const hiss_slot **out, double *waited, hiss_error *err);

#endif
