/* Named places of a network: a bounded list, so that no method can write past its end. */
#include <string.h>

#include "hiss/nn.h"

hiss_status hiss_taps_add(hiss_taps *taps, const char *name, hiss_value value, hiss_error *err) {
    if (taps->count == HISS_MAX_TAPS) {
        return hiss_fail(err, HISS_EUSER, "'%.48s' is one named place of the network too many: %d at most", name,
                         HISS_MAX_TAPS);
    }
    if (strlen(name) >= HISS_TAP_NAME) {
        return hiss_fail(err, HISS_EUSER, "the name '%.64s' is too long: at most %d characters", name,
                         HISS_TAP_NAME - 1);
    }
    if (hiss_taps_find(taps, name) >= 0) {
        return hiss_fail(err, HISS_EUSER, "two places of the network have the name '%s': give the layer another one",
                         name);
    }
    hiss_tap *tap = &taps->tap[taps->count++];
    strcpy(tap->name, name);
    tap->value = value;
    return HISS_OK;
}

int hiss_taps_find(const hiss_taps *taps, const char *name) {
    int k = taps->count - 1;
    while (k >= 0 && strcmp(taps->tap[k].name, name) != 0) {
        k--;
    }
    return k;
}

hiss_value hiss_taps_last(const hiss_taps *taps) {
    return taps->count > 0 ? taps->tap[taps->count - 1].value : -1;
}
