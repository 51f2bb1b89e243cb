/* Private to src/objective: parameters of one graph of a method in another one. */
#ifndef HISS_OBJECTIVE_PARTS_PARAMETERS_H
#define HISS_OBJECTIVE_PARTS_PARAMETERS_H

#include "hiss/nn.h"

/* Values, out of vector of model `from`, of all slots of model `to`, which has no others and is laid out; hiss_free them.
 * Not collective. */
float *objective_parameters(const hiss_model *from, const float *vector, const hiss_model *to);

#endif
