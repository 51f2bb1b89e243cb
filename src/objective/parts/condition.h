/* Private to src/objective: the class that a conditional model is given, as ones and zeros. */
#ifndef HISS_OBJECTIVE_PARTS_CONDITION_H
#define HISS_OBJECTIVE_PARTS_CONDITION_H

#include "hiss/objective.h"

/* Input "class" [m, classes]; -1 where the model is not conditional. Not collective, as is the next. */
hiss_value objective_condition(const hiss_task *task, bool conditional, hiss_graph *graph, int64_t m);
/* Into that input of sample i: 1 at its class, which may be none, -1. */
void objective_set_condition(const hiss_task *task, const hiss_lane *lane, int64_t i, int64_t class);

#endif
