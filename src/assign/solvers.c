/* The register of solvers. */
#include <string.h>

#include "lap_impl.h"

const hiss_lap_solver *const *hiss_lap_solvers(void) {
    static const hiss_lap_solver *const solvers[] = {&assign_lapjv,  &assign_sparse, &assign_auction,
                                                     &assign_greedy, &assign_auto,   NULL};
    return solvers;
}

const char *hiss_lap_solver_names(void) {
    return "lapjv, sparse, auction, greedy, auto";
}

const hiss_lap_solver *hiss_lap_solver_named(const char *name) {
    for (const hiss_lap_solver *const *solver = hiss_lap_solvers(); *solver; solver++) {
        if (strcmp((*solver)->name, name) == 0) {
            return *solver;
        }
    }
    return NULL;
}
