/* Chains of annealed importance sampling, shared out among ranks: for rbm_measure.c and dbm_measure.c. */
#ifndef ENERGY_JUDGE_H
#define ENERGY_JUDGE_H

#include "hiss/objective.h"
#include "objective/energy/ais.h"
#include "objective/parts/judge.h"

/* Chains of annealed importance sampling, each rank some of them: energy_ais_chains.
 *   log_weight  out  [chains]
 *   visible     out  [chains, machine->D]
 * Collective. */
void energy_run_chains(const hiss_measured *m, const energy_machine *machine, int64_t when, int64_t steps,
                       int64_t chains, double *log_weight, float *visible);

#endif
