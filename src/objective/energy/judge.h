/* What machines say of themselves in evaluation: shared by rbm_measure.c and dbm_measure.c. */
#ifndef ENERGY_JUDGE_H
#define ENERGY_JUDGE_H

#include "hiss/objective.h"
#include "objective/energy/ais.h"

/* Pixels are among the numbers of an image, from number `first` on. The mean of pixel i over training images, as if one
 * more image were grey: none is certain. Not collective, as are the next two. */
double energy_pixel_mean(const hiss_measured *m, int64_t first, int64_t i);
/* -log p of test images of D pixels where these are independent, in nats. */
double energy_independent_pixels(const hiss_measured *m, int64_t first, int64_t D);
void energy_say(const hiss_measured *m, const char *group, const char *name, const char *heading, const char *unit,
                double value, double spread, double baseline, int64_t samples);
/* Chains of annealed importance sampling, each rank some of them: energy_ais_chains.
 *   log_weight  out  [chains]
 *   visible     out  [chains, machine->D]
 * Collective. */
void energy_run_chains(const hiss_measured *m, const energy_machine *machine, int64_t when, int64_t steps,
                       int64_t chains, double *log_weight, float *visible);

#endif
