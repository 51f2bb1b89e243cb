/* Private to src/objective: the methods. */
#ifndef HISS_OBJECTIVE_REGISTER_H
#define HISS_OBJECTIVE_REGISTER_H

#include "hiss/objective.h"

extern const hiss_objective_ops hiss_nat;
extern const hiss_objective_ops hiss_supervised;
extern const hiss_objective_ops hiss_autoencoder;

#endif
