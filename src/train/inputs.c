/* The inputs of one lane. */
#include "train/trainer.h"

void train_phase_supply(trainer *t, const hiss_lane *lane) {
    const hiss_exchange_ops *exchange = t->experiment->objective->exchange;
    if (exchange && exchange->supply) {
        exchange->supply(t->method, lane);
    }
}

void train_phase_fill(trainer *t, const hiss_lane *lane) {
    const hiss_input_ops *ops = t->experiment->objective->input;
    for (int64_t i = 0; i < lane->batch->m; i++) {
        if (ops && ops->sample) {
            ops->sample(t->method, lane, i);
        } else {
            hiss_lane_default_sample(lane, i);
        }
    }
    if (ops && ops->fill) {
        ops->fill(t->method, lane);
    }
}
