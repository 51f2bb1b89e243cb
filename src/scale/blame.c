/* Whose fault it is: what a point's config complains of by "--set KEY" was set by the study, at a place of its file. */
#include <string.h>

#include "scale/scale_impl.h"

static const char option[] = "--set ";

/* Whether text, behind "--set ", speaks of the key of an assignment; of the whole of it, where that has none. */
static bool speaks_of(const char *text, const char *assignment) {
    const size_t length = strcspn(assignment, "=");
    return length > 0 && strncmp(text, assignment, length) == 0 && !strchr("=._", text[length]);
}

/* The study's own key behind a setting that the study makes of it; NULL: it makes none. */
static const char *own_key(const hiss_study *study, const char *text) {
    const bool weak = study->kind != HISS_SCALE_STRONG;
    return speaks_of(text, "train.log_every")                                     ? "window"
           : speaks_of(text, "train.epochs")                                      ? study->epochs > 0  ? "epochs"
                                                                                    : study->steps > 0 ? "steps"
                                                                                                       : NULL
           : speaks_of(text, "train.steps") && study->steps + study->epochs > 0   ? "steps"
           : speaks_of(text, "train.lanes") && weak                               ? "ranks"
           : speaks_of(text, "data.limit") && study->kind == HISS_SCALE_WEAK_DATA ? "ranks"
                                                                                  : NULL;
}

const char *hiss_study_blame(const hiss_study *study, int point, hiss_arena *arena, const char *text) {
    if (strncmp(text, option, strlen(option)) != 0) {
        return text;
    }
    char key[128], where[HISS_WHERE] = "";
    const hiss_scale_config *config = &study->configs[study->points[point].config];
    const char *rest = text + strlen(option), *own = own_key(study, rest);
    snprintf(key, sizeof key, "configs.%.60s.set", config->name);
    const hiss_yaml *set = hiss_config_node(study->text, key), *found = NULL;
    for (const hiss_yaml *item = set && set->kind == HISS_YAML_LIST ? set->first : set; item && !own;
         item = item == set ? NULL : item->next) {
        found = item->text && speaks_of(rest, item->text) ? item : found;
    }
    if (found && found->line > 0) {
        snprintf(where, sizeof where, "%.250s:%d:%d: %s", found->file, found->line, found->column, key);
    } else if (found || own) {
        hiss_config_where(study->text, own ? own : key, where);
    } else {
        return text;
    }
    const size_t length = strcspn(rest, ": ");
    const char *says = rest + length + strspn(rest + length, ": ");
    return strncmp(says, rest, length) == 0 ? hiss_arena_format(arena, "%s: %s", where, says)
                                            : hiss_arena_format(arena, "%s: %s", where, rest);
}
