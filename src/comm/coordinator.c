/* Messages of blocks of lanes to and from their coordinators, as state machines: nothing here waits.
 *
 * Every lane has two requests, the message up that it sends and the message down that it gets; every place of a block
 * coordinated here has the two counterparts. Receives from lanes are posted when the use begins and again with every
 * message down that asks for more; the receive of a lane's answer is posted with its message up. So a message never
 * arrives unexpected but by those of ranks that are ahead, and MPI keeps these.
 *
 * Matching: lanes have tags of their own, in a communicator of their own, and a lane's messages alternate, so ranks may
 * send in any order. Messages between a lane and a coordinator on the same rank are copied (up, because blocks are to
 * stand as one matrix) or looked at where they are (down).
 *
 * Memory: a rank may coordinate min(blocks, own lanes) blocks, so that many times g messages up are allocated: together
 * never more than what all lanes can send. */
#include <assert.h>
#include <limits.h>
#include <sched.h>
#include <string.h>

#include "comm/comm_impl.h"
#include "hiss/alloc.h"
#include "hiss/coordinator.h"

enum { UP, DOWN }; /* of a tag, and of a request */

struct hiss_coordinator {
    hiss_comm *comm;
    MPI_Comm mpi;
    int64_t lanes, first, own; /* L, own lanes */
    int *owner;                /* [L] rank */
    int64_t group, most;       /* g, blocks this rank coordinates at most */
    int64_t up, down;          /* words */
    int32_t *arrived;          /* [most, g, up] */
    int32_t *outgoing;         /* [most, g, down] */
    int32_t *incoming;         /* [own, down] */
    MPI_Request *requests;     /* [own][2], [most * g][2] */
    comm_source *sources;      /* of each: the other rank, and the block */
    int *finished;             /* scratch: as many */
    MPI_Status *statuses;      /* and of each */
    int request_count, active;
    hiss_block_event *events; /* [own + most] a ring: each lane and each block has one at most */
    int64_t event_first, event_count;
    int64_t messages; /* sent, and their payload */
    double bytes;
    int idle; /* polls without progress since a message arrived; from HISS_IDLE_LOOKS on the watch knows for whom */
    /* of one use */
    const int64_t *lane_order;
    int64_t slots;
    int64_t *block;          /* [most] */
    int64_t *missing;        /* [most] messages up that have not arrived */
    int64_t *place;          /* [own] of each own lane in lane_order */
    const int32_t **answers; /* [own] */
    int64_t *answer_words;   /* [own] */
    bool *seen;              /* [L] scratch */
};

static bool equal_on_all(hiss_comm *comm, const int64_t *shape, int64_t count, const int64_t *lane_offsets) {
    return hiss_comm_equal(comm, shape, count * (int64_t)sizeof *shape) &&
           hiss_comm_equal(comm, lane_offsets, (comm->size + 1) * (int64_t)sizeof *lane_offsets);
}

hiss_status hiss_coordinator_create(hiss_comm *comm, int64_t lanes, const int64_t *lane_offsets,
                                    int64_t lanes_per_block, int64_t up, int64_t down, hiss_coordinator **out,
                                    hiss_error *err) {
    const int64_t shape[4] = {lanes, lanes_per_block, up, down};
    *out = NULL;
    if (!equal_on_all(comm, shape, 4, lane_offsets)) {
        return hiss_fail(err, HISS_EINTERNAL,
                         "coordinator: lanes, lane offsets, lanes per block or lengths of messages differ between "
                         "ranks; please report this with the config");
    }
    assert(lanes_per_block > 0 && lanes % lanes_per_block == 0 && lane_offsets[comm->size] == lanes && down > 0);
    int *tags, found;
    HISS_MPI(MPI_Comm_get_attr(comm->mpi, MPI_TAG_UB, &tags, &found));
    if (up > INT_MAX || down > INT_MAX || (found && lanes > *tags / 2)) {
        return hiss_fail(err, HISS_EUSER,
                         "blocks of %lld lanes: the rows of a lane are %lld scores, at most %d can travel in one "
                         "message; use smaller blocks",
                         (long long)lanes_per_block, (long long)up, INT_MAX);
    }
    hiss_coordinator *c = hiss_new(hiss_coordinator, 1);
    c->comm = comm;
    HISS_MPI(MPI_Comm_dup(comm->mpi, &c->mpi));
    HISS_MPI(MPI_Comm_set_name(c->mpi, "hiss blocks"));
    c->lanes = lanes;
    c->first = lane_offsets[comm->rank];
    c->own = lane_offsets[comm->rank + 1] - c->first;
    c->owner = hiss_new(int, lanes);
    for (int r = 0; r < comm->size; r++) {
        for (int64_t lane = lane_offsets[r]; lane < lane_offsets[r + 1]; lane++) {
            c->owner[lane] = r;
        }
    }
    c->group = lanes_per_block;
    c->most = lanes / lanes_per_block < c->own ? lanes / lanes_per_block : c->own;
    c->up = up;
    c->down = down;
    const int64_t places = c->most * c->group;
    c->arrived = (void *)hiss_new_floats(places * up);
    c->outgoing = (void *)hiss_new_floats(places * down);
    c->incoming = (void *)hiss_new_floats(c->own * down);
    c->request_count = comm_int(2 * (c->own + places));
    c->requests = hiss_new(MPI_Request, c->request_count);
    c->sources = hiss_new(comm_source, c->request_count);
    for (int i = 0; i < c->request_count; i++) {
        c->requests[i] = MPI_REQUEST_NULL;
    }
    c->finished = hiss_new(int, c->request_count);
    c->statuses = hiss_new(MPI_Status, c->request_count);
    c->events = hiss_new(hiss_block_event, c->own + c->most);
    c->block = hiss_new(int64_t, c->most);
    c->missing = hiss_new(int64_t, c->most);
    c->place = hiss_new(int64_t, c->own);
    c->answers = hiss_new(const int32_t *, c->own);
    c->answer_words = hiss_new(int64_t, c->own);
    c->seen = hiss_new(bool, lanes);
    *out = c;
    return HISS_OK;
}

void hiss_coordinator_destroy(hiss_coordinator *c) {
    if (!c) {
        return;
    }
    HISS_MPI(MPI_Comm_free(&c->mpi));
    hiss_free(c->seen);
    hiss_free(c->answer_words);
    hiss_free(c->answers);
    hiss_free(c->place);
    hiss_free(c->missing);
    hiss_free(c->block);
    hiss_free(c->events);
    hiss_free(c->statuses);
    hiss_free(c->finished);
    hiss_free(c->sources);
    hiss_free(c->requests);
    hiss_free_floats((void *)c->incoming);
    hiss_free_floats((void *)c->outgoing);
    hiss_free_floats((void *)c->arrived);
    hiss_free(c->owner);
    hiss_free(c);
}

/* ---- requests and events ---- */

static int coordinator_of(const hiss_coordinator *c, int64_t place) {
    return c->owner[c->lane_order[place / c->group * c->group]];
}

static int tag_of(int64_t lane, int direction) {
    return (int)(2 * lane + direction);
}

static int64_t lane_request(int64_t lane, int direction) {
    return 2 * lane + direction;
}

static int64_t place_request(const hiss_coordinator *c, int64_t slot, int64_t j, int direction) {
    return 2 * (c->own + slot * c->group + j) + direction;
}

/* A request to be used. When its last message was answered, it is complete even if nobody has looked. */
static MPI_Request *request(hiss_coordinator *c, int64_t at) {
    if (c->requests[at] != MPI_REQUEST_NULL) {
        HISS_MPI(MPI_Wait(&c->requests[at], MPI_STATUS_IGNORE));
        c->active--;
    }
    c->active++;
    return &c->requests[at];
}

static void set_source(hiss_coordinator *c, int64_t at, int rank, int64_t place) {
    c->sources[at] = c->sources[at + 1] = (comm_source){rank, place / c->group};
}

/* A rank that looks again and again has nothing else to do: let the watch know whom it waits for. */
static void note_idle(hiss_coordinator *c, bool idle) {
    if (c->idle >= HISS_IDLE_LOOKS && !idle) {
        comm_wait_end(c->comm);
    }
    c->idle = idle && c->active > 0 ? c->idle + (c->idle < HISS_IDLE_LOOKS) : 0;
    if (c->idle == HISS_IDLE_LOOKS - 1) {
        comm_wait_begin(c->comm, "block", -1);
        comm_wait_tell(c->comm, c->request_count, c->requests, c->sources, "block");
        c->idle = HISS_IDLE_LOOKS;
    }
}

static void count_message(hiss_coordinator *c, int64_t words) {
    c->comm->bytes_sent += 4.0 * (double)words;
    c->bytes += 4.0 * (double)words;
    c->messages++;
}

static void tell(hiss_coordinator *c, hiss_block_event event) {
    const int64_t capacity = c->own + c->most;
    assert(c->event_count < capacity);
    c->events[(c->event_first + c->event_count++) % capacity] = event;
}

static void note_arrival(hiss_coordinator *c, int64_t slot, int64_t j) {
    if (--c->missing[slot] == 0) {
        tell(c, (hiss_block_event){HISS_BLOCK_COMPLETE, slot, c->lane_order[c->block[slot] * c->group + j]});
    }
}

static void receive_up(hiss_coordinator *c, int64_t slot, int64_t j) {
    const int64_t lane = c->lane_order[c->block[slot] * c->group + j];
    c->missing[slot]++;
    if (c->owner[lane] != c->comm->rank) {
        HISS_MPI(MPI_Irecv(HISS_PAYLOAD(hiss_coordinator_up(c, slot, j)), (int)c->up, MPI_INT32_T, c->owner[lane],
                           tag_of(lane, UP), c->mpi, request(c, place_request(c, slot, j, UP))));
    }
}

/* ---- a use ---- */

static bool is_permutation(hiss_coordinator *c, const int64_t *lane_order) {
    memset(c->seen, 0, (size_t)c->lanes * sizeof(bool));
    for (int64_t i = 0; i < c->lanes; i++) {
        if (lane_order[i] < 0 || lane_order[i] >= c->lanes || c->seen[lane_order[i]]) {
            return false;
        }
        c->seen[lane_order[i]] = true;
    }
    return true;
}

void hiss_coordinator_start(hiss_coordinator *c, const int64_t *lane_order) {
    assert(is_permutation(c, lane_order) && c->event_count == 0 && c->active == 0);
    c->lane_order = lane_order;
    c->slots = 0;
    for (int64_t place = 0; place < c->lanes; place++) {
        const int64_t lane = lane_order[place] - c->first;
        if (lane >= 0 && lane < c->own) {
            c->place[lane] = place;
            set_source(c, lane_request(lane, UP), coordinator_of(c, place), place);
        }
        if (place % c->group == 0 && coordinator_of(c, place) == c->comm->rank) {
            c->block[c->slots] = place / c->group;
            c->missing[c->slots] = 0;
            for (int64_t j = 0; j < c->group; j++) {
                set_source(c, place_request(c, c->slots, j, UP), c->owner[lane_order[place + j]], place);
                receive_up(c, c->slots, j);
            }
            c->slots++;
        }
    }
}

int64_t hiss_coordinator_slots(const hiss_coordinator *c) {
    return c->slots;
}

int64_t hiss_coordinator_block(const hiss_coordinator *c, int64_t slot) {
    return c->block[slot];
}

void *hiss_coordinator_up(const hiss_coordinator *c, int64_t slot, int64_t j) {
    return c->arrived + (slot * c->group + j) * c->up;
}

void *hiss_coordinator_down(const hiss_coordinator *c, int64_t slot, int64_t j) {
    return c->outgoing + (slot * c->group + j) * c->down;
}

void hiss_coordinator_write(hiss_coordinator *c, int64_t slot, int64_t j, int64_t at, const void *words,
                            int64_t count) {
    assert(at + count <= c->down);
    HISS_COPY((int32_t *)hiss_coordinator_down(c, slot, j) + at, words, (size_t)count * sizeof(int32_t));
}

const void *hiss_coordinator_answer(const hiss_coordinator *c, int64_t lane) {
    return c->answers[lane];
}

int64_t hiss_coordinator_answer_words(const hiss_coordinator *c, int64_t lane) {
    return c->answer_words[lane];
}

static int64_t slot_of(const hiss_coordinator *c, int64_t block) {
    int64_t slot = 0;
    while (c->block[slot] != block) {
        slot++;
    }
    return slot;
}

void hiss_coordinator_send_up(hiss_coordinator *c, int64_t lane, const void *words, int64_t count) {
    const int64_t place = c->place[lane];
    const int to = coordinator_of(c, place);
    assert(count <= c->up);
    hiss_watch_note(c->comm, "send rows of lane", c->first + lane);
    if (to == c->comm->rank) {
        const int64_t slot = slot_of(c, place / c->group);
        HISS_COPY(hiss_coordinator_up(c, slot, place % c->group), words, (size_t)count * sizeof(int32_t));
        note_arrival(c, slot, place % c->group);
        return;
    }
    int32_t *answer = c->incoming + lane * c->down;
    c->answers[lane] = answer;
    HISS_MPI(MPI_Irecv(HISS_PAYLOAD(answer), (int)c->down, MPI_INT32_T, to, tag_of(c->first + lane, DOWN), c->mpi,
                       request(c, lane_request(lane, DOWN))));
    HISS_MPI(MPI_Isend(HISS_PAYLOAD(words), (int)count, MPI_INT32_T, to, tag_of(c->first + lane, UP), c->mpi,
                       request(c, lane_request(lane, UP))));
    count_message(c, count);
}

void hiss_coordinator_send_down(hiss_coordinator *c, int64_t slot, int64_t j, int64_t count, bool more) {
    const int64_t lane = c->lane_order[c->block[slot] * c->group + j];
    const int to = c->owner[lane];
    assert(count <= c->down);
    hiss_watch_note(c->comm, "answer lane", lane);
    if (more) {
        receive_up(c, slot, j);
    }
    if (to == c->comm->rank) {
        c->answers[lane - c->first] = hiss_coordinator_down(c, slot, j);
        c->answer_words[lane - c->first] = count;
        tell(c, (hiss_block_event){HISS_LANE_ANSWERED, lane - c->first, -1});
        return;
    }
    HISS_MPI(MPI_Isend(HISS_PAYLOAD(hiss_coordinator_down(c, slot, j)), (int)count, MPI_INT32_T, to, tag_of(lane, DOWN),
                       c->mpi, request(c, place_request(c, slot, j, DOWN))));
    count_message(c, count);
}

static void handle(hiss_coordinator *c, int64_t at, const MPI_Status *status) {
    if (at < 2 * c->own && at % 2 == DOWN) {
        int words;
        HISS_MPI(MPI_Get_count(status, MPI_INT32_T, &words));
        c->answer_words[at / 2] = words;
        tell(c, (hiss_block_event){HISS_LANE_ANSWERED, at / 2, -1});
    } else if (at >= 2 * c->own && at % 2 == UP) {
        note_arrival(c, (at / 2 - c->own) / c->group, (at / 2 - c->own) % c->group);
    }
}

static void look(hiss_coordinator *c, bool waiting) {
    int n = 0;
    HISS_MPI(HISS_SOME(waiting)(c->request_count, c->requests, &n, c->finished, c->statuses));
    c->active -= n > 0 ? n : 0;
    note_idle(c, n <= 0);
    for (int i = 0; i < n; i++) {
        handle(c, c->finished[i], &c->statuses[i]);
    }
}

hiss_block_event hiss_coordinator_next(hiss_coordinator *c) {
    if (c->event_count == 0 && c->active > 0) {
        look(c, false);
    }
    if (c->event_count == 0) {
        return (hiss_block_event){HISS_BLOCK_NOTHING, 0, -1};
    }
    const hiss_block_event event = c->events[c->event_first];
    c->event_first = (c->event_first + 1) % (c->own + c->most);
    c->event_count--;
    return event;
}

hiss_block_event hiss_coordinator_wait(hiss_coordinator *c) {
    while (c->event_count == 0 && c->active > 0) {
        look(c, true);
        if (c->event_count == 0) {
            sched_yield();
        }
    }
    return hiss_coordinator_next(c);
}

void hiss_coordinator_finish(hiss_coordinator *c) {
    assert(c->event_count == 0);
    note_idle(c, false);
    comm_wait_all(c->comm, c->request_count, c->requests, c->sources, "block");
    c->active = 0;
}

int64_t hiss_coordinator_messages(const hiss_coordinator *c) {
    return c->messages;
}

double hiss_coordinator_bytes(const hiss_coordinator *c) {
    return c->bytes;
}
