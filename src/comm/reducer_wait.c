/* How finish waits, and for whom: roots come from a rank's own lanes and tell who is late; new values come late from every
 * owner that lacks a root itself.
 *
 * It looks again and again, and gives the core away between two looks, for that may be what it waits for. MPI moves
 * messages only while it is looked at. Where there are none, but only memory of other members, a long wait sleeps, a
 * microsecond longer each time, so that it ends late by a small part of itself. */
#include <sched.h>
#include <time.h>

#include "comm/reducer_impl.h"

enum { LONGEST_REST = 200 }; /* microseconds; a look takes about one */

int comm_reducer_bucket(const hiss_reducer *r, comm_pending p) {
    const comm_slice *slices = r->schedule.slices;
    const bool of_slice = p.event == HISS_GOT_GROUP || p.event == HISS_GOT_SUM;
    if (p.event == HISS_GOT_NORMS || p.event == HISS_SENT) {
        return (int)p.at;
    }
    return slices[of_slice ? p.at : r->group.chunks[p.at].first_slice].bucket;
}

/* Add the peers of one event; the first of them says which bucket. */
static bool tell_event(hiss_reducer *r, comm_event event, int n, const comm_pending *waits, int *bucket) {
    bool found = false;
    for (int i = n - 1; i >= 0; i--) {
        if (waits[i].event == event) {
            found = true;
            *bucket = comm_reducer_bucket(r, waits[i]);
            if (waits[i].peer != HISS_EVERYONE) {
                comm_wait_add(r->comm, waits[i].peer);
            }
        }
    }
    return found;
}

void comm_reducer_tell(hiss_reducer *r) {
    static const comm_event order[] = {HISS_GOT_MEMBER, HISS_GOT_GROUP,  HISS_GOT_SUM, HISS_GOT_NORMS,
                                       HISS_GOT_VALUE,  HISS_GOT_VALUES, HISS_SENT};
    bool found = false;
    int bucket = -1, n;
    const comm_pending *waits = comm_node_waits(r, &n);
    comm_wait_forget(r->comm);
    for (size_t k = 0; k < sizeof order / sizeof *order && !found; k++) {
        found = tell_event(r, order[k], r->active, r->pending, &bucket);
        found |= tell_event(r, order[k], n, waits, &bucket);
    }
    comm_wait_publish(r->comm, "reduce bucket", bucket);
}

void comm_reducer_rest(const hiss_reducer *r, int64_t looks) {
    const int64_t beyond = looks - HISS_IDLE_LOOKS;
    if (!r->node || r->active > 0 || beyond <= 0) {
        sched_yield();
        return;
    }
    const int64_t rest = beyond < LONGEST_REST ? beyond : LONGEST_REST;
    nanosleep(&(struct timespec){.tv_nsec = 1000 * (long)rest}, NULL);
}
