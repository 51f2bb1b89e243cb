#include "objective/parts/measured.h"

hiss_status objective_measures(const hiss_epoch *e, const char *name, const char *what, bool *measures,
                               hiss_error *err) {
    const hiss_slot *slot = hiss_model_at(e->model, hiss_model_find(e->model, name));
    *measures = !slot->frozen;
    bool empty = slot->frozen;
    for (int64_t k = 0; k < slot->count && empty; k++) {
        empty = e->vector[slot->offset + k] == 0.0f;
    }
    return !empty ? HISS_OK
                  : hiss_fail_key(err, HISS_EUSER, "train.freeze",
                                  "keeps %s (%s) as it is, but it is all 0, since it was never measured; name a run "
                                  "that has measured it in train.init, or do not freeze it",
                                  name, what);
}
