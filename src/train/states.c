/* States of the method: named arrays per sample, per lane or of the run.
 *
 * Ranks hold those of their own samples and lanes, in order; a whole one is the ranks' parts in rank order, so that it
 * does not depend on the number of ranks. What belongs to the run is equal on all ranks. */
#include <float.h>
#include <stdio.h>
#include <string.h>

#include "hiss/hash.h"
#include "train/states.h"

int train_states_of(const trainer *t, hiss_state out[HISS_MAX_STATES]) {
    const hiss_state_ops *ops = t->experiment->objective->state;
    return ops ? ops->list(t->method, out) : 0;
}

hiss_status train_verify(trainer *t, hiss_error *err) {
    const hiss_state_ops *ops = t->experiment->objective->state;
    return ops && ops->verify ? ops->verify(t->method, err) : HISS_OK;
}

hiss_status train_settle(trainer *t, hiss_error *err) {
    const hiss_exchange_ops *ops = t->experiment->objective->exchange;
    return ops && ops->settle ? ops->settle(t->method, err) : HISS_OK;
}

static int64_t row_bytes(const hiss_state *state) {
    return state->count * (int64_t)(state->dtype == HISS_I64 ? sizeof(int64_t) : sizeof(float));
}

states_range train_states_own(const trainer *t, const hiss_state *state) {
    const hiss_placement *w = &t->placement;
    switch (state->per) {
    case HISS_PER_SAMPLE:
        return (states_range){w->samples, w->shards[w->first_lane], w->shards[w->end_lane]};
    case HISS_PER_LANE:
        return (states_range){w->lanes, w->first_lane, w->end_lane};
    default:
        return (states_range){1, 0, 1};
    }
}

int64_t train_states_bytes(const trainer *t, const hiss_state *state) {
    const states_range own = train_states_own(t, state);
    return (own.end - own.begin) * row_bytes(state);
}

hiss_h5_info train_states_info(const trainer *t, const hiss_state *state) {
    hiss_h5_info info = {.dtype = state->dtype, .ndim = 1, .dim = {train_states_own(t, state).rows}};
    if (state->per == HISS_PER_RUN) {
        info.dim[0] = state->count;
    } else if (state->count > 1) {
        info.dim[info.ndim++] = state->count;
    }
    return info;
}

void train_states_name(const hiss_state *state, char out[HISS_SNAPSHOT_NAME]) {
    static const char *const folder[] = {
        [HISS_PER_SAMPLE] = "samples", [HISS_PER_LANE] = "lanes", [HISS_PER_RUN] = "run"};
    snprintf(out, HISS_SNAPSHOT_NAME, "/%s/%s", folder[state->per], state->name);
}

void train_states_gather(trainer *t, const hiss_state *state, void *all) {
    const hiss_placement *w = &t->placement;
    if (state->per == HISS_PER_RUN) {
        if (all) {
            memcpy(all, state->local, (size_t)row_bytes(state));
        }
        return;
    }
    for (int r = 0; r <= hiss_comm_size(t->comm); r++) {
        const int64_t lane = w->lane_offsets[r];
        t->state_offsets[r] = (state->per == HISS_PER_LANE ? lane : w->shards[lane]) * row_bytes(state);
    }
    hiss_comm_gather(t->comm, state->local, t->state_offsets, all, 0);
}

void train_states_hash(trainer *t, const hiss_state *state, char text[HISS_HASH_TEXT]) {
    const bool root = hiss_comm_rank(t->comm) == 0;
    const int64_t bytes = train_states_own(t, state).rows * row_bytes(state);
    char *all = root ? hiss_alloc((size_t)bytes) : NULL;
    train_states_gather(t, state, all);
    hiss_hash *hash = hiss_hash_begin();
    hiss_hash_add(hash, all, root ? (size_t)bytes : 0);
    hiss_hash_end(hash, text);
    hiss_free(all);
}

bool train_states_are_finite(const trainer *t) {
    hiss_state states[HISS_MAX_STATES];
    const int n = train_states_of(t, states);
    bool finite = true;
    for (int k = 0; k < n; k++) {
        finite = finite && (states[k].dtype != HISS_F32 ||
                            hiss_floats_within(train_states_bytes(t, &states[k]) / (int64_t)sizeof(float),
                                               states[k].local, FLT_MAX));
    }
    return finite;
}

const char *train_states_differ(trainer *t, char name[HISS_SNAPSHOT_NAME]) {
    hiss_state states[HISS_MAX_STATES];
    const int n = train_states_of(t, states);
    for (int k = 0; k < n; k++) {
        if (states[k].per != HISS_PER_RUN) {
            continue;
        }
        const int64_t hash = (int64_t)(hiss_hash64(states[k].local, (size_t)row_bytes(&states[k]), 0) >> 1);
        if (hiss_comm_max_i64(t->comm, hash) != -hiss_comm_max_i64(t->comm, -hash)) {
            snprintf(name, HISS_SNAPSHOT_NAME, "%s", states[k].name);
            return name;
        }
    }
    return NULL;
}
