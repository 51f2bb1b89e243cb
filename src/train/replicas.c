/* Whether all ranks hold the same parameters. Each parameter and statistic is hashed, and the hashes are; 8 bytes per
 * rank tell whether all agree. Only when they do not, hashes of all slots and the ranks' hosts are gathered, to name
 * the rank that stands against the majority and the first slot in which it does. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hiss/hash.h"
#include "train/guard_impl.h"

enum { HOST_TEXT = 64, NAMED = 4 };

void replicas_hash(trainer *t) {
    guard *g = t->guard;
    const int slots = hiss_model_count(t->model);
    for (int s = 0; s < slots; s++) {
        const hiss_slot *slot = hiss_model_at(t->model, s);
        if (slot->kind != HISS_SLOT_METRIC) {
            g->slot_hash[s] = hiss_hash64(t->vector + slot->offset, sizeof(float) * (size_t)slot->count, 0);
        }
    }
    g->hash = hiss_hash64(g->slot_hash, sizeof(uint64_t) * (size_t)slots, 0);
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

/* A rank whose hash most ranks have, and how many they are. */
static int most_common(const uint64_t *hash, int P, int *count) {
    int best = 0;
    *count = 0;
    for (int r = 0; r < P; r++) {
        int n = 0;
        for (int q = 0; q < P; q++) {
            n += hash[q] == hash[r];
        }
        if (n > *count) {
            *count = n;
            best = r;
        }
    }
    return best;
}

static void describe(trainer *t, const uint64_t *hash, char line[GUARD_TEXT]) {
    const int P = hiss_comm_size(t->comm), slots = hiss_model_count(t->model);
    char host[HOST_TEXT] = "";
    gethostname(host, sizeof host - 1);
    char *hosts = all_of(t, host, HOST_TEXT);
    uint64_t *slot_hash = all_of(t, t->guard->slot_hash, slots * (int64_t)sizeof(uint64_t));
    int agree, first_odd = 0, named = 0, slot = 0, used = 0;
    const int good = most_common(hash, P, &agree);
    const bool majority = 2 * agree > P;
    while (hash[first_odd] == hash[good]) {
        first_odd++;
    }
    while (slot < slots - 1 && slot_hash[good * slots + slot] == slot_hash[first_odd * slots + slot]) {
        slot++;
    }
    for (int r = 0; r < P && named < NAMED; r++) {
        if (!majority || hash[r] != hash[good]) {
            used += snprintf(line + used, GUARD_TEXT - (size_t)used, "%srank %d (host %s)", named++ ? ", " : "", r,
                             hosts + r * HOST_TEXT);
        }
    }
    const char *name = hiss_model_at(t->model, slot)->name;
    if (majority) {
        snprintf(line + used, GUARD_TEXT - (size_t)used,
                 "%s: parameters are not those of the other %d ranks, first in %s: memory, processor or network fails "
                 "there",
                 P - agree > named ? " and more" : "", agree, name);
    } else {
        snprintf(line + used, GUARD_TEXT - (size_t)used,
                 "%s: parameters differ, first in %s, and no majority tells which are right: memory, processor or "
                 "network fails at one of them",
                 P > named ? " and more" : "", name);
    }
    hiss_free(slot_hash);
    hiss_free(hosts);
}

bool replicas_differ(trainer *t, char line[GUARD_TEXT]) {
    const int P = hiss_comm_size(t->comm);
    uint64_t *hash = all_of(t, &t->guard->hash, sizeof(uint64_t));
    bool differ = false;
    for (int r = 1; r < P; r++) {
        differ = differ || hash[r] != hash[0];
    }
    if (differ) {
        describe(t, hash, line);
    }
    hiss_free(hash);
    return differ;
}
