/* The registered methods. */
#include "hiss/objective.h"

#include <string.h>

#define METHOD(name) extern const hiss_objective_ops objective_##name;
#include "objective/list.h"
#undef METHOD

const hiss_objective_ops *const *hiss_objectives(void) {
    static const hiss_objective_ops *const all[] = {
#define METHOD(name) &objective_##name,
#include "objective/list.h"
#undef METHOD
        NULL};
    return all;
}

const char hiss_objective_choices[] =
#define METHOD(name) "|" #name
#include "objective/list.h"
#undef METHOD
    "|supervised";

/* What configs may call a method beside its name. */
static const struct { const char *alias, *name; } aliases[] = {{"supervised", "classify"}};

const hiss_objective_ops *hiss_objective_named(const char *name) {
    for (int k = 0; k < HISS_COUNT(aliases); k++) {
        name = strcmp(aliases[k].alias, name) == 0 ? aliases[k].name : name;
    }
    for (const hiss_objective_ops *const *o = hiss_objectives(); *o; o++) {
        if (strcmp((*o)->name, name) == 0) {
            return *o;
        }
    }
    return NULL;
}

bool hiss_objective_names_one(const char *a, const char *b) {
    const hiss_objective_ops *one = a ? hiss_objective_named(a) : NULL;
    return one && b && hiss_objective_named(b) == one;
}

const char *hiss_objective_needs_labels(const hiss_objective_ops *objective, const void *options) {
    return objective->needs_labels ? objective->needs_labels(options) : NULL;
}

bool hiss_objective_learns_targets(const hiss_objective_ops *objective, const void *options) {
    return objective->learns_targets && objective->learns_targets(options);
}
