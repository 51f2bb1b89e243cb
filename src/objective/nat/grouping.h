/* Private to NAT: an order of all samples in which near features stand in one block. */
#ifndef HISS_OBJECTIVE_NAT_GROUPING_H
#define HISS_OBJECTIVE_NAT_GROUPING_H

#include "objective/nat/nat.h"

typedef struct grouping grouping;

grouping *objective_grouping_create(nat *n);
void objective_grouping_destroy(grouping *g); /* NULL is allowed */
/* Draw the order of (epoch, round). Collective.
 *   features       in  [local samples, d]
 *   place_offsets  in  [blocks + 1]: places of the blocks */
void objective_grouping_draw(grouping *g, const float *features, int64_t epoch, int64_t round, int64_t blocks,
                             const int64_t *place_offsets);
int64_t objective_grouping_sample(const grouping *g, int64_t place);
int64_t objective_grouping_place(const grouping *g, int64_t sample);

#endif
