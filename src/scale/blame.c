/* Whose fault it is: what a point's config complains of by "--set KEY" was set by the study, at a place of its file. */
#include "scale/scale_impl.h"

/* The study's own key behind a setting that the study makes of it; NULL: it makes none. */
static const char *own_key(const hiss_study *study, const char *text) {
    const bool weak = study->kind != HISS_SCALE_STRONG;
    return hiss_override_speaks_of(text, "train.log_every") ? "window"
           : hiss_override_speaks_of(text, "train.epochs")  ? study->epochs > 0  ? "epochs"
                                                              : study->steps > 0 ? "steps"
                                                                                 : NULL
           : hiss_override_speaks_of(text, "train.steps") && study->steps + study->epochs > 0   ? "steps"
           : hiss_override_speaks_of(text, "train.lanes") && weak                               ? "ranks"
           : hiss_override_speaks_of(text, "data.limit") && study->kind == HISS_SCALE_WEAK_DATA ? "ranks"
                                                                                                : NULL;
}

const char *hiss_study_blame(const hiss_study *study, int point, hiss_arena *arena, const char *text) {
    char key[128], where[HISS_WHERE] = "", at[HISS_PLACE];
    const char *own = own_key(study, text);
    snprintf(key, sizeof key, "configs.%.60s.set", study->configs[study->points[point].config].name);
    const hiss_yaml *found = own ? NULL : hiss_override_find(hiss_config_node(study->text, key), text);
    if (found && found->line > 0) {
        snprintf(where, sizeof where, "%s: %s", hiss_yaml_place(found, at), key);
    } else if (found || own) {
        hiss_config_where(study->text, own ? own : key, where);
    } else {
        return text;
    }
    return hiss_override_blame(arena, where, text);
}
