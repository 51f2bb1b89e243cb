/* Blocks of lanes and their coordinators: messages up and down within a step. */
#ifndef HISS_COORDINATOR_H
#define HISS_COORDINATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "hiss/comm.h"

/* Messages between lanes and the coordinators of their blocks. With g lanes per block (g divides L), block b holds
 * lanes lane_order[b*g .. b*g+g-1]; its coordinator is the owner of lane_order[b*g].
 *
 * A use begins with start. Then each block goes through rounds of its own: every one of its lanes sends a message up;
 * when all have arrived the coordinator is told (HISS_BLOCK_COMPLETE) and sends a message down to each of them
 * before it asks for the next event; the lane is told in turn (HISS_LANE_ANSWERED); `more` says that the lane will send
 * again. No block and no rank waits for another one that it has no lanes in common with. finish ends the use.
 *
 * All calls are for the main thread, none but create, destroy and finish is collective, none but these blocks. Buffers
 * may be read and written by any thread. Lanes are named by their number on this rank, messages are made of words of
 * four bytes. */
typedef struct hiss_coordinator hiss_coordinator;

typedef struct hiss_block_event {
    enum { HISS_BLOCK_NOTHING, HISS_BLOCK_COMPLETE, HISS_LANE_ANSWERED } kind;
    int64_t index; /* COMPLETE: slot; ANSWERED: local lane */
    int64_t last;  /* COMPLETE: the lane, of all, whose message came last */
} hiss_block_event;

/* Collective. Allocates everything.
 *   up, down  words of the longest message to a coordinator and from one */
hiss_status hiss_coordinator_create(hiss_comm *comm, int64_t lanes, const int64_t *lane_offsets,
                                    int64_t lanes_per_block, int64_t up, int64_t down, hiss_coordinator **out,
                                    hiss_error *err);
void hiss_coordinator_destroy(hiss_coordinator *c); /* Collective; NULL is allowed */

/* Begin a use.  lane_order [L]: a permutation of the lanes, equal on all ranks; must stay until finish */
void hiss_coordinator_start(hiss_coordinator *c, const int64_t *lane_order);
/* The blocks this rank coordinates, in ascending order: how many there are, and which. */
int64_t hiss_coordinator_slots(const hiss_coordinator *c);
int64_t hiss_coordinator_block(const hiss_coordinator *c, int64_t slot);
/* Send words[count], which must stay until the lane is answered. */
void hiss_coordinator_send_up(hiss_coordinator *c, int64_t lane, const void *words, int64_t count);
/* Where the message of the block's j-th lane stands, `up` words before that of the next lane. */
void *hiss_coordinator_up(const hiss_coordinator *c, int64_t slot, int64_t j);
/* Write words[count] into the message to the block's j-th lane, from its word `at` on, by copy or where it stands; and
 * send the first `count` words of it. */
void hiss_coordinator_write(hiss_coordinator *c, int64_t slot, int64_t j, int64_t at, const void *words, int64_t count);
void *hiss_coordinator_down(const hiss_coordinator *c, int64_t slot, int64_t j);
void hiss_coordinator_send_down(hiss_coordinator *c, int64_t slot, int64_t j, int64_t count, bool more);
/* What a lane was answered, and how many words of it; stays until the lane sends again or the next start. */
const void *hiss_coordinator_answer(const hiss_coordinator *c, int64_t lane);
int64_t hiss_coordinator_answer_words(const hiss_coordinator *c, int64_t lane);
/* The next thing that has happened. */
hiss_block_event hiss_coordinator_next(hiss_coordinator *c);
/* The same, waiting until something has happened or nothing is under way. */
hiss_block_event hiss_coordinator_wait(hiss_coordinator *c);
/* Wait until what was sent is on its way. All events must have been taken. Collective. */
void hiss_coordinator_finish(hiss_coordinator *c);

/* Messages that this rank has sent to others so far, in all uses, and the bytes in them. */
int64_t hiss_coordinator_messages(const hiss_coordinator *c);
double hiss_coordinator_bytes(const hiss_coordinator *c);

#endif
