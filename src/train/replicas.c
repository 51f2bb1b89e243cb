/* Whether all ranks hold the same parameters, and keep them. Each parameter and statistic is hashed, and the hashes
 * are. A rank has two sums: of its copy as it arrived by the all-gather before the step, and as it was when the last
 * lane had used it. 16 bytes per rank tell whether all is well. Only when it is not, hashes of all slots and the ranks'
 * hosts are gathered, to name those whose copy changed in place (their own two sums differ), or else the ranks at which
 * something else arrived than at most others, and the first slot that shows it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hiss/hash.h"
#include "train/guard_impl.h"

enum { HOST_TEXT = 64, NAMED = 4 };

void train_replicas_hash(trainer *t, replica_time when) {
    guard *g = t->guard;
    const int slots = hiss_model_count(t->model);
    uint64_t *hash = g->slot_hash[when];
    for (int s = 0; s < slots; s++) {
        const hiss_slot *slot = hiss_model_at(t->model, s);
        if (slot->kind != HISS_SLOT_METRIC) {
            hash[s] = hiss_hash64(t->vector + slot->offset, sizeof(float) * (size_t)slot->count, 0);
        }
    }
    g->hash[when] = hiss_hash64(hash, sizeof(uint64_t) * (size_t)slots, 0);
}

/* Equal shares of every rank, in rank order. To be freed. */
static void *all_of(trainer *t, const void *mine, int64_t bytes) {
    const int P = hiss_comm_size(t->comm);
    int64_t *offsets = hiss_new(int64_t, P + 1);
    for (int r = 0; r <= P; r++) {
        offsets[r] = r * bytes;
    }
    void *all = hiss_alloc((size_t)(P * bytes));
    hiss_comm_allgather(t->comm, mine, offsets, all);
    hiss_free(offsets);
    return all;
}

/* A rank at which arrived what arrived at most ranks, and how many these are. */
static int most_common(const sums *sum, int P, int *count) {
    int best = 0;
    *count = 0;
    for (int r = 0; r < P; r++) {
        int n = 0;
        for (int q = 0; q < P; q++) {
            n += sum[q][REPLICA_ARRIVED] == sum[r][REPLICA_ARRIVED];
        }
        if (n > *count) {
            *count = n;
            best = r;
        }
    }
    return best;
}

/* "rank 1 (host a), rank 3 (host b)" of the ranks marked odd; returns the lowest. */
static int name_ranks(const bool *odd, int P, const char *hosts, char line[GUARD_TEXT]) {
    int first = -1, named = 0, used = 0;
    for (int r = 0; r < P && named <= NAMED; r++) {
        if (odd[r] && named++ == NAMED) {
            snprintf(line + used, GUARD_TEXT - (size_t)used, " and more");
        } else if (odd[r]) {
            first = first < 0 ? r : first;
            used += snprintf(line + used, GUARD_TEXT - (size_t)used, "%srank %d (host %s)", used ? ", " : "", r,
                             hosts + r * HOST_TEXT);
        }
    }
    return first;
}

static const char *first_difference(const trainer *t, const uint64_t *a, const uint64_t *b) {
    int s = 0;
    while (s < hiss_model_count(t->model) - 1 && a[s] == b[s]) {
        s++;
    }
    return hiss_model_at(t->model, s)->name;
}

static void describe(trainer *t, const sums *sum, char line[GUARD_TEXT]) {
    const int P = hiss_comm_size(t->comm), slots = hiss_model_count(t->model);
    const int64_t slot_bytes = slots * (int64_t)sizeof(uint64_t);
    char host[HOST_TEXT] = "";
    gethostname(host, sizeof host - 1);
    char *hosts = all_of(t, host, HOST_TEXT);
    uint64_t *arrived = all_of(t, t->guard->slot_hash[REPLICA_ARRIVED], slot_bytes);
    uint64_t *used = all_of(t, t->guard->slot_hash[REPLICA_USED], slot_bytes);
    bool *odd = hiss_new(bool, P);
    int agree, changed = 0;
    for (int r = 0; r < P; r++) {
        odd[r] = sum[r][REPLICA_ARRIVED] != sum[r][REPLICA_USED];
        changed += odd[r];
    }
    const int good = most_common(sum, P, &agree);
    const bool majority = 2 * agree > P;
    for (int r = 0; r < P && changed == 0; r++) {
        odd[r] = !majority || sum[r][REPLICA_ARRIVED] != sum[good][REPLICA_ARRIVED];
    }
    const int first = name_ranks(odd, P, hosts, line);
    const size_t length = strlen(line), room = GUARD_TEXT - length;
    const uint64_t *mine = arrived + first * slots;
    if (changed) {
        snprintf(line + length, room,
                 ": parameters changed while the rank computed with them, first in %s: its memory or processor fails",
                 first_difference(t, mine, used + first * slots));
    } else if (majority) {
        snprintf(
            line + length, room,
            ": parameters are not those of the other %d ranks, first in %s: its memory, processor or network fails",
            agree, first_difference(t, mine, arrived + good * slots));
    } else {
        int other = 0;
        while (sum[other][REPLICA_ARRIVED] == sum[first][REPLICA_ARRIVED]) {
            other++;
        }
        snprintf(line + length, room,
                 ": parameters differ, first in %s, and no majority tells which are right: memory, processor or "
                 "network of one fails",
                 first_difference(t, mine, arrived + other * slots));
    }
    hiss_free(odd);
    hiss_free(used);
    hiss_free(arrived);
    hiss_free(hosts);
}

bool train_replicas_differ(trainer *t, char line[GUARD_TEXT]) {
    const int P = hiss_comm_size(t->comm);
    sums *sum = t->guard->all_hashes;
    bool differ = false;
    hiss_comm_allgather(t->comm, t->guard->hash, t->guard->hash_offsets, sum);
    for (int r = 0; r < P; r++) {
        differ = differ || memcmp(sum[r], sum[0], sizeof(sums)) != 0 || sum[r][REPLICA_ARRIVED] != sum[r][REPLICA_USED];
    }
    if (differ) {
        hiss_alloc_seal(false); /* the loop seals the next step again */
        describe(t, (const sums *)sum, line);
    }
    return differ;
}
