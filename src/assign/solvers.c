/* The register of solvers. */
#include <string.h>

#include "lap_impl.h"

const hiss_lap_solver *const *hiss_lap_solvers(void) {
#define SOLVER(name) &assign_##name,
    static const hiss_lap_solver *const solvers[] = {ASSIGN_SOLVERS(SOLVER) NULL};
#undef SOLVER
    return solvers;
}

#define NAME(name) "|" #name
const char hiss_lap_solver_choices[] = ASSIGN_SOLVERS(NAME);

const hiss_lap_solver *hiss_lap_solver_named(const char *name) {
    for (const hiss_lap_solver *const *solver = hiss_lap_solvers(); *solver; solver++) {
        if (strcmp((*solver)->name, name) == 0) {
            return *solver;
        }
    }
    return NULL;
}
