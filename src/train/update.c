/* The update that follows each reduction: parameters by their optimiser, statistics as running averages, metrics as
 * averages. Element by element, so that the borders of buckets do not enter the results. */
#include "hiss/clock.h"
#include "train/trainer.h"

static void update_slot(trainer *t, int s, int64_t begin, int64_t end, const float *sum) {
    const hiss_slot *slot = hiss_model_at(t->model, s);
    const float mean = 1.0f / (float)t->placement.lanes;
    const float weight = (float)t->experiment->train.statistics_momentum;
    switch (t->current->role[s]) {
    case ROLE_NONE:
        break;
    case ROLE_PARAMETER: {
        const hiss_optim_options *optim = &t->experiment->optim[slot->group];
        float *state[HISS_OPTIM_MAX_STATES];
        train_state(t, begin, state);
        train_layer_norms_keep(t, begin, end - begin, sum);
        const hiss_optim_step step = train_norms_step(t, s, t->norms.wanted[slot->group].rounds);
        hiss_optim_update(optim, &step, end - begin, sum, t->vector + begin, state);
        break;
    }
    case ROLE_STATISTIC:
        for (int64_t i = begin; i < end; i++) {
            t->vector[i] = (1.0f - weight) * t->vector[i] + weight * (mean * sum[i - begin]);
        }
        break;
    case ROLE_METRIC:
        for (int64_t i = begin; i < end; i++) {
            t->vector[i] = mean * sum[i - begin];
        }
        break;
    }
}

void train_update(void *user, int64_t begin, int64_t end, const float *sum) {
    trainer *t = user;
    const double start = hiss_seconds();
    const int slots = hiss_model_count(t->model);
    train_guard_keep(t, begin, end);
    int low = 0, high = slots; /* first slot in order that ends after begin */
    while (low < high) {
        const int middle = (low + high) / 2;
        const hiss_slot *slot = hiss_model_at(t->model, t->slot_order[middle]);
        if (slot->offset + slot->count > begin) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    for (int k = low; k < slots; k++) {
        const hiss_slot *slot = hiss_model_at(t->model, t->slot_order[k]);
        if (slot->offset >= end) {
            break;
        }
        const int64_t from = slot->offset > begin ? slot->offset : begin;
        const int64_t to = slot->offset + slot->count < end ? slot->offset + slot->count : end;
        update_slot(t, t->slot_order[k], from, to, sum + (from - begin));
    }
    const double now = hiss_seconds();
    t->times.update += now - start;
    train_trace_move(t, 0, TRACED_UPDATE, start, now);
}
