/* Blocks of lanes solved by coordinators.
 *
 * Gather: every rank posts all its receives of rows, then all its sends, and waits for both. Receives are posted before
 * anyone waits, so this cannot hang, and when it ends no rank's rows depend on this rank any more.
 * Solve: the rank's own blocks in ascending order, without MPI. Coordinators of several blocks solve at the same time.
 * Scatter: receives of answers, then sends, then a wait for both.
 *
 * Matching: rows and answers have one tag each. Both ends post in the order of lane_order, and MPI keeps the order of
 * messages between two ranks. Rows and answers of a rank's own lanes are copied.
 *
 * A failed block sends its answers as they are, so that nobody hangs; the ranks then agree on the lowest failing block.
 *
 * Memory: a rank may coordinate min(blocks, own lanes) blocks, so that many matrices are allocated; all together never
 * more than the scores of the global batch. Traffic: every row that is not its coordinator's travels once. */
#include <assert.h>
#include <limits.h>
#include <string.h>

#include "dist/dist_impl.h"
#include "hiss/alloc.h"
#include "hiss/clock.h"

struct hiss_coordinator {
    hiss_comm *comm;
    int64_t lanes, first, end; /* L, own lanes */
    int *owner;                /* [L] rank */
    int64_t samples, group;    /* m, g */
    int64_t most;              /* blocks this rank coordinates at most */
    float *matrices;           /* [most, g m, g m] */
    int32_t *answers;          /* [most, g m] */
    MPI_Request *requests;     /* sends and receives under way */
    int request_count;
    bool *seen; /* [L] scratch */
    /* from gather to scatter */
    const int64_t *lane_order;
    hiss_status status; /* of the lowest failing block of this rank, and which that is */
    int64_t failed;
    hiss_error error;
};

hiss_status hiss_coordinator_create(hiss_comm *comm, int64_t lanes, const int64_t *lane_offsets, int64_t lane_samples,
                                    int64_t lanes_per_block, hiss_coordinator **out, hiss_error *err) {
    int64_t shape[3] = {lanes, lane_samples, lanes_per_block};
    *out = NULL;
    if (!hiss_comm_equal(comm, shape, sizeof shape) ||
        !hiss_comm_equal(comm, lane_offsets, (comm->size + 1) * (int64_t)sizeof(int64_t))) {
        return hiss_fail(err, HISS_EINTERNAL,
                         "coordinator: lanes, lane offsets, samples or lanes per block differ between ranks; "
                         "please report this with the config");
    }
    assert(lanes_per_block > 0 && lanes % lanes_per_block == 0 && lane_samples > 0 &&
           lane_offsets[comm->size] == lanes);
    int64_t n = lanes_per_block * lane_samples;
    if (n > INT_MAX / lane_samples) {
        return hiss_fail(
            err, HISS_EUSER,
            "block of %lld samples with %lld samples per lane: the rows of a lane are %lld scores, at most "
            "%d can travel in one message; use smaller blocks",
            (long long)n, (long long)lane_samples, (long long)(n * lane_samples), INT_MAX);
    }
    hiss_coordinator *c = hiss_new(hiss_coordinator, 1);
    int64_t blocks = lanes / lanes_per_block;
    c->comm = comm;
    c->lanes = lanes;
    c->first = lane_offsets[comm->rank];
    c->end = lane_offsets[comm->rank + 1];
    c->samples = lane_samples;
    c->group = lanes_per_block;
    c->owner = hiss_new(int, lanes);
    for (int r = 0; r < comm->size; r++) {
        for (int64_t lane = lane_offsets[r]; lane < lane_offsets[r + 1]; lane++) {
            c->owner[lane] = r;
        }
    }
    int64_t own = c->end - c->first;
    c->most = blocks < own ? blocks : own;
    c->matrices = hiss_new_floats(c->most * n * n);
    c->answers = hiss_new(int32_t, c->most * n);
    c->requests = hiss_new(MPI_Request, own + c->most * lanes_per_block);
    c->seen = hiss_new(bool, lanes);
    *out = c;
    return HISS_OK;
}

void hiss_coordinator_destroy(hiss_coordinator *c) {
    if (!c) {
        return;
    }
    hiss_free(c->seen);
    hiss_free(c->requests);
    hiss_free(c->answers);
    hiss_free_floats(c->matrices);
    hiss_free(c->owner);
    hiss_free(c);
}

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

static int coordinator_of(const hiss_coordinator *c, int64_t place) {
    return c->owner[c->lane_order[place / c->group * c->group]];
}

static MPI_Request *next_request(hiss_coordinator *c) {
    return &c->requests[c->request_count++];
}

static void wait_all(hiss_coordinator *c) {
    HISS_MPI(MPI_Waitall(c->request_count, c->requests, MPI_STATUSES_IGNORE));
    c->request_count = 0;
}

void hiss_coordinator_gather(hiss_coordinator *c, const int64_t *lane_order, const float *const *rows) {
    assert(is_permutation(c, lane_order));
    const int rank = c->comm->rank;
    const int64_t row_block = c->samples * c->group * c->samples; /* scores of one lane */
    c->lane_order = lane_order;
    c->status = HISS_OK;
    for (int64_t place = 0, slot = 0; place < c->lanes; place++) { /* slot: lanes placed in this rank's matrices */
        const int owner = c->owner[lane_order[place]];
        if (coordinator_of(c, place) == rank) {
            if (owner != rank) {
                HISS_MPI(MPI_Irecv(HISS_PAYLOAD(c->matrices + slot * row_block), (int)row_block, MPI_FLOAT, owner,
                                   HISS_TAG_ROWS, c->comm->mpi, next_request(c)));
            } else {
                memcpy(c->matrices + slot * row_block, rows[lane_order[place] - c->first],
                       (size_t)row_block * sizeof(float));
            }
            slot++;
        }
    }
    for (int64_t place = 0; place < c->lanes; place++) {
        const int coordinator = coordinator_of(c, place);
        if (c->owner[lane_order[place]] == rank && coordinator != rank) {
            HISS_MPI(MPI_Isend(HISS_PAYLOAD(rows[lane_order[place] - c->first]), (int)row_block, MPI_FLOAT, coordinator,
                               HISS_TAG_ROWS, c->comm->mpi, next_request(c)));
            c->comm->bytes_sent += (double)row_block * sizeof(float);
        }
    }
    wait_all(c);
}

void hiss_coordinator_solve(hiss_coordinator *c, hiss_block_solve solve, void *user) {
    const int64_t n = c->group * c->samples;
    int64_t slot = 0;
    for (int64_t block = 0; block < c->lanes / c->group; block++) {
        if (coordinator_of(c, block * c->group) != c->comm->rank) {
            continue;
        }
        int32_t *columns = c->answers + slot * n;
        for (int64_t i = 0; i < n; i++) {
            columns[i] = (int32_t)i;
        }
        if (c->status == HISS_OK) {
            c->status = solve(user, block, n, c->matrices + slot * n * n, columns, &c->error);
            c->failed = block;
        }
        slot++;
    }
}

hiss_status hiss_coordinator_scatter(hiss_coordinator *c, int32_t *const *answer, hiss_error *err) {
    const int rank = c->comm->rank;
    for (int64_t place = 0; place < c->lanes; place++) {
        const int64_t lane = c->lane_order[place];
        const int coordinator = coordinator_of(c, place);
        if (c->owner[lane] == rank && coordinator != rank) {
            HISS_MPI(MPI_Irecv(answer[lane - c->first], (int)c->samples, MPI_INT32_T, coordinator, HISS_TAG_ANSWER,
                               c->comm->mpi, next_request(c)));
        }
    }
    for (int64_t place = 0, slot = 0; place < c->lanes; place++) {
        const int64_t lane = c->lane_order[place];
        if (coordinator_of(c, place) != rank) {
            continue;
        }
        const int32_t *from = c->answers + slot++ * c->samples;
        if (c->owner[lane] == rank) {
            memcpy(answer[lane - c->first], from, (size_t)c->samples * sizeof(int32_t));
        } else {
            HISS_MPI(MPI_Isend(from, (int)c->samples, MPI_INT32_T, c->owner[lane], HISS_TAG_ANSWER, c->comm->mpi,
                               next_request(c)));
            c->comm->bytes_sent += (double)c->samples * sizeof(int32_t);
        }
    }
    wait_all(c);
    const hiss_status status = hiss_comm_agree_at(c->comm, c->status, c->failed, &c->error);
    if (status != HISS_OK && err) {
        *err = c->error;
    }
    return status;
}

hiss_status hiss_coordinator_run(hiss_coordinator *c, const int64_t *lane_order, const float *const *rows,
                                 hiss_block_solve solve, void *user, int32_t *const *answer, double seconds[3],
                                 hiss_error *err) {
    const double start = hiss_seconds();
    hiss_coordinator_gather(c, lane_order, rows);
    const double gathered = hiss_seconds();
    hiss_coordinator_solve(c, solve, user);
    const double solved = hiss_seconds();
    const hiss_status status = hiss_coordinator_scatter(c, answer, err);
    seconds[0] = gathered - start;
    seconds[1] = solved - gathered;
    seconds[2] = hiss_seconds() - solved;
    return status;
}
