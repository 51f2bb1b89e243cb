/* The named places of a network that the user chooses. */
#include <string.h>

#include "cli/cli.h"

enum { LAYERS_SHOWN = 800 }; /* of a message */

/* Whether a comma has no name before or behind it. */
static bool has_empty_name(const char *list) {
    bool name = false, comma = false;
    for (const char *at = list; *at; at++) {
        if (*at == ',' && !name) {
            return true;
        }
        comma = *at == ',' || (comma && strchr(" \t", *at));
        name = *at != ',' && (name || !strchr(" \t", *at));
    }
    return comma;
}

hiss_status cli_choose_layers(hiss_frozen *f, const char *option, const char *layers, int *count,
                              hiss_layer_size *chosen, hiss_error *err) {
    const hiss_encoder *e = hiss_frozen_encoder(f);
    const hiss_taps *taps = hiss_encoder_taps(e);
    char name[64], known[HISS_MAX_TAPS * (HISS_TAP_NAME + 2)] = "", shown[LAYERS_SHOWN] = "";
    int selected[HISS_MAX_TAPS], n = 0;
    for (int k = 0; k < taps->count; k++) {
        const size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", taps->tap[k].name);
    }
    if (layers && has_empty_name(layers)) {
        return hiss_fail(err, HISS_EUSER, "'%.200s' has a comma without a name beside it; choose with %s", layers,
                         option);
    }
    for (const char *rest = hiss_names_next(layers ? layers : known, name); rest; rest = hiss_names_next(rest, name)) {
        const int k = hiss_taps_find(taps, name);
        if (k < 0 || n == HISS_MAX_TAPS) {
            hiss_list_add_all(shown, sizeof shown, known);
            return hiss_fail(err, HISS_EUSER, "layer '%s' is not in this network; it has %s; choose with %s", name,
                             shown, option);
        }
        chosen[n] = (hiss_layer_size){taps->tap[k].name, hiss_encoder_width(e, k)};
        selected[n++] = k;
    }
    hiss_frozen_select(f, n, selected);
    *count = n;
    return HISS_OK;
}

int64_t cli_units(const hiss_frozen *f, const char *layer) {
    const hiss_encoder *e = hiss_frozen_encoder(f);
    const hiss_taps *taps = hiss_encoder_taps(e);
    const hiss_shape shape = hiss_graph_shape(hiss_encoder_graph(e), taps->tap[hiss_taps_find(taps, layer)].value);
    return shape.dim[shape.ndim - 1];
}
