/* Private to src/objective: sound in 256 levels that lie close where it is quiet (mu-law of ITU-T G.711, mu = 255). */
#ifndef HISS_OBJECTIVE_PARTS_MU_LAW_H
#define HISS_OBJECTIVE_PARTS_MU_LAW_H

#include <stdint.h>

enum { MU_LAW_LEVELS = 256 };

/* Not collective, as are the others. */
int32_t objective_mu_law_level(int16_t x);
/* What networks read: -1, .. 1, linear in the level. */
float objective_mu_law_value(int32_t level);
/* The sound of a level, -1 .. 1. */
float objective_mu_law_sound(int32_t level);

#endif
