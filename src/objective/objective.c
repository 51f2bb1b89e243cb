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
    ;

const hiss_objective_ops *hiss_objective_named(const char *name) {
    for (const hiss_objective_ops *const *o = hiss_objectives(); *o; o++) {
        if (strcmp((*o)->name, name) == 0) {
            return *o;
        }
    }
    return NULL;
}
