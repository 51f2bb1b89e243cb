/* Norms that optimisers want before they update, for the reducer (hiss_reducer_norms).
 *
 * Each parameter slot of a group whose optimiser wants norms is a segment; a group is a set, so that the norm that
 * clips is over all parameters that the group's optimiser updates in the phase. Buckets hold slots of one group only,
 * and frozen slots, which are no segments, have buckets of their own. Slots that the phase does not train have terms of
 * zeros. */
#include <math.h>
#include <string.h>

#include "train/trainer.h"

hiss_optim_step train_norms_step(const trainer *t, int s, int rounds) {
    const hiss_slot *slot = hiss_model_at(t->model, s);
    const int group = slot->group;
    const hiss_optim_options *optim = &t->experiment->optim[group];
    hiss_optim_step step = {.rate = train_phase_rate(t, t->current, group, t->step) * t->lr_factor[s],
                            .update = t->updates[group],
                            .decay = slot->decay,
                            .gradient_scale = 1.0f / (float)t->placement.lanes,
                            .trust = 1};
    double clip = 1;
    for (int k = 0; k < rounds; k++) {
        const hiss_optim_round *round = &t->norms.wanted[group].round[k];
        if (round->whole) {
            clip = hiss_optim_clip(optim, sqrt(hiss_reducer_set_squares(t->reducer, group, k, 0)));
            step.gradient_scale = (float)((double)step.gradient_scale * clip);
        }
        if (round->trust) {
            const int segment = t->norms.segment_of[s];
            const double norm = sqrt(hiss_reducer_squares(t->reducer, segment, k, 0));
            step.trust = hiss_optim_trust(optim, &step, round->whole ? clip * norm : norm,
                                          sqrt(hiss_reducer_squares(t->reducer, segment, k, 1)));
        }
    }
    return step;
}

static void write_term(const trainer *t, int s, int round, hiss_optim_term term, int64_t begin, int64_t count,
                       const float *sum, float *out) {
    const hiss_optim_step step = train_norms_step(t, s, round);
    float *state[HISS_OPTIM_MAX_STATES];
    switch (term) {
    case HISS_TERM_GRADIENT:
        for (int64_t i = 0; i < count; i++) {
            out[i] = step.gradient_scale * sum[i];
        }
        break;
    case HISS_TERM_DIRECTION:
        train_state(t, begin, state);
        hiss_optim_direction(&t->experiment->optim[hiss_model_at(t->model, s)->group], &step, count, sum,
                             t->vector + begin, state, out);
        break;
    case HISS_TERM_PARAMETER:
        memcpy(out, t->vector + begin, sizeof(float) * (size_t)count);
        break;
    }
}

/* A hiss_reducer_measure. */
static void measure(void *user, int segment, int round, int64_t begin, int64_t end, const float *sum,
                    float *const term[HISS_NORM_TERMS]) {
    const trainer *t = user;
    const int s = t->norms.slot_of[segment];
    const hiss_optim_round *r = &t->norms.wanted[hiss_model_at(t->model, s)->group].round[round];
    for (int k = 0; k < r->terms; k++) {
        if (t->current->role[s] == ROLE_PARAMETER) {
            write_term(t, s, round, r->term[k], begin, end - begin, sum, term[k]);
        } else {
            memset(term[k], 0, sizeof(float) * (size_t)(end - begin));
        }
    }
}

static bool wants_norm(const trainer *t, const hiss_slot *slot) {
    return slot->kind == HISS_SLOT_PARAMETER && !slot->frozen && t->norms.wanted[slot->group].rounds > 0;
}

static int list_segments(const trainer *t) {
    const int slots = hiss_model_count(t->model);
    int n = 0;
    for (int k = 0; k < slots; k++) {
        const int s = t->slot_order[k];
        const hiss_slot *slot = hiss_model_at(t->model, s);
        t->norms.segment_of[s] = -1;
        if (wants_norm(t, slot)) {
            t->norms.segment_of[s] = n;
            t->norms.slot_of[n] = s;
            t->norms.segment[n++] = (hiss_range){slot->offset, slot->offset + slot->count};
        }
    }
    return n;
}

/* The group of each bucket that wants norms. */
static void list_sets(const trainer *t) {
    for (int b = 0, k = 0; b < t->buckets; b++) {
        while (hiss_model_at(t->model, t->slot_order[k])->offset < t->bucket_offsets[b]) {
            k++;
        }
        const hiss_slot *slot = hiss_model_at(t->model, t->slot_order[k]);
        t->norms.set[b] = wants_norm(t, slot) ? slot->group : -1;
    }
}

bool train_norms_plan(trainer *t, hiss_reducer_norms *out) {
    const int slots = hiss_model_count(t->model);
    norms *n = &t->norms;
    bool any = false;
    for (int g = 0; g < t->experiment->groups; g++) {
        const hiss_optim_norms *wanted = &n->wanted[g];
        n->wanted[g] = hiss_optim_wanted(&t->experiment->optim[g]);
        n->rounds[g].count = wanted->rounds;
        for (int k = 0; k < wanted->rounds; k++) {
            n->rounds[g].round[k].terms = wanted->round[k].terms;
            n->rounds[g].round[k].whole = wanted->round[k].whole;
        }
        any |= wanted->rounds > 0;
    }
    if (!any) {
        return false;
    }
    n->segment_of = hiss_new(int, slots);
    n->slot_of = hiss_new(int, slots);
    n->segment = hiss_new(hiss_range, slots);
    n->set = hiss_new(int, t->buckets);
    list_sets(t);
    *out = (hiss_reducer_norms){.segments = list_segments(t),
                                .segment = n->segment,
                                .sets = t->experiment->groups,
                                .rounds = n->rounds,
                                .set = n->set,
                                .measure = measure};
    return true;
}

void train_norms_free(trainer *t) {
    hiss_free(t->norms.set);
    hiss_free(t->norms.segment);
    hiss_free(t->norms.slot_of);
    hiss_free(t->norms.segment_of);
}
