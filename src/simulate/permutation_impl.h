/* Shared inside src/simulate only. */
#ifndef SIMULATE_PERMUTATION_IMPL_H
#define SIMULATE_PERMUTATION_IMPL_H

#include "hiss/simulate.h"

typedef struct replay_permutation {
    hiss_comm *comm;
    const hiss_costs *costs;
    int64_t samples, block;
    const int64_t *sample_offsets;             /* [P+1] samples by rank */
    void (*spend)(void *user, double seconds); /* let this rank compute so long */
    void *user;
} replay_permutation;

/* Fill permutation and its parts in out. Collective. */
hiss_status simulate_permute(const replay_permutation *p, hiss_replay_times *out, hiss_error *err);

#endif
