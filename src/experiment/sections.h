/* Private to experiment: the sections that every method has, but for optim. */
#ifndef HISS_EXPERIMENT_SECTIONS_H
#define HISS_EXPERIMENT_SECTIONS_H

#include "hiss/experiment.h"

const hiss_section *experiment_sections(int *count); /* offsets are in hiss_experiment */

#endif
