/* Blocks of lanes solved by coordinators.
 *
 * Three phases, so that several coordinators solve at the same time and nobody waits for a rank that is solving:
 *   gather   every rank posts all its receives (rows of its blocks, answers of its lanes), then all its sends, and
 * waits for rows only. All receives are posted before anyone waits, so this cannot hang, and when it ends no rank's
 * rows depend on this rank any more. solve    the rank's own blocks in ascending order; each block's answers leave at
 * once. scatter  wait for the answers. Matching: rows and answers have one tag each. Both ends post in the order of
 * lane_order, blocks ascending, and MPI keeps the order of messages between two ranks. Rows of a rank's own lanes are
 * copied.
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
    MPI_Request *rows;         /* sends and receives */
    MPI_Request *columns;
    int row_count, column_count; /* requests in use */
    bool *seen;                  /* [L] scratch */
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
    c->matrices = hiss_new(float, c->most *n *n);
    c->answers = hiss_new(int32_t, c->most * n);
    c->rows = hiss_new(MPI_Request, own + c->most * lanes_per_block);
    c->columns = hiss_new(MPI_Request, own + c->most * lanes_per_block);
    c->seen = hiss_new(bool, lanes);
    *out = c;
    return HISS_OK;
}

void hiss_coordinator_destroy(hiss_coordinator *c) {
    if (!c) {
        return;
    }
    hiss_free(c->seen);
    hiss_free(c->columns);
    hiss_free(c->rows);
    hiss_free(c->answers);
    hiss_free(c->matrices);
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

static int coordinator_of(const hiss_coordinator *c, const int64_t *lane_order, int64_t place) {
    return c->owner[lane_order[place / c->group * c->group]];
}

static void post_receives(hiss_coordinator *c, const int64_t *lane_order, int32_t *const *answer) {
    int rank = c->comm->rank;
    int64_t row_block = c->samples * c->group * c->samples; /* scores of one lane */
    int64_t slot = 0; /* lanes placed in this rank's matrices, which stand one behind the other */
    for (int64_t place = 0; place < c->lanes; place++) {
        int64_t lane = lane_order[place];
        int owner = c->owner[lane], coordinator = coordinator_of(c, lane_order, place);
        if (coordinator == rank && owner != rank) {
            HISS_MPI(MPI_Irecv(c->matrices + slot * row_block, (int)row_block, MPI_FLOAT, owner, HISS_TAG_ROWS,
                               c->comm->mpi, &c->rows[c->row_count++]));
        }
        if (owner == rank && coordinator != rank) {
            HISS_MPI(MPI_Irecv(answer[lane - c->first], (int)c->samples, MPI_INT32_T, coordinator, HISS_TAG_ANSWER,
                               c->comm->mpi, &c->columns[c->column_count++]));
        }
        slot += coordinator == rank;
    }
}

static void send_rows(hiss_coordinator *c, const int64_t *lane_order, const float *const *rows) {
    int rank = c->comm->rank;
    int64_t row_block = c->samples * c->group * c->samples;
    int64_t slot = 0;
    for (int64_t place = 0; place < c->lanes; place++) {
        int64_t lane = lane_order[place];
        int owner = c->owner[lane], coordinator = coordinator_of(c, lane_order, place);
        if (owner == rank && coordinator == rank) {
            memcpy(c->matrices + slot * row_block, rows[lane - c->first], (size_t)row_block * sizeof(float));
        } else if (owner == rank) {
            HISS_MPI(MPI_Isend(rows[lane - c->first], (int)row_block, MPI_FLOAT, coordinator, HISS_TAG_ROWS,
                               c->comm->mpi, &c->rows[c->row_count++]));
            c->comm->bytes_sent += (double)row_block * sizeof(float);
        }
        slot += coordinator == rank;
    }
}

static void send_answers(hiss_coordinator *c, const int64_t *lanes, const int32_t *columns, int32_t *const *answer) {
    for (int64_t i = 0; i < c->group; i++) {
        const int32_t *from = columns + i * c->samples;
        int owner = c->owner[lanes[i]];
        if (owner == c->comm->rank) {
            memcpy(answer[lanes[i] - c->first], from, (size_t)c->samples * sizeof(int32_t));
        } else {
            HISS_MPI(MPI_Isend(from, (int)c->samples, MPI_INT32_T, owner, HISS_TAG_ANSWER, c->comm->mpi,
                               &c->columns[c->column_count++]));
            c->comm->bytes_sent += (double)c->samples * sizeof(int32_t);
        }
    }
}

/* Solve this rank's blocks. Returns the status of the lowest failing one, and which that is. */
static hiss_status solve_blocks(hiss_coordinator *c, const int64_t *lane_order, hiss_block_solve solve, void *user,
                                int32_t *const *answer, int64_t *failed, hiss_error *err) {
    int64_t n = c->group * c->samples, slot = 0;
    hiss_status status = HISS_OK;
    for (int64_t block = 0; block < c->lanes / c->group; block++) {
        if (coordinator_of(c, lane_order, block * c->group) != c->comm->rank) {
            continue;
        }
        int32_t *columns = c->answers + slot * n;
        for (int64_t i = 0; i < n; i++) {
            columns[i] = (int32_t)i;
        }
        if (status == HISS_OK) {
            status = solve(user, block, n, c->matrices + slot * n * n, columns, err);
            *failed = block;
        }
        send_answers(c, lane_order + block * c->group, columns, answer);
        slot++;
    }
    return status;
}

hiss_status hiss_coordinator_run(hiss_coordinator *c, const int64_t *lane_order, const float *const *rows,
                                 hiss_block_solve solve, void *user, int32_t *const *answer, double seconds[3],
                                 hiss_error *err) {
    assert(is_permutation(c, lane_order));
    hiss_error own = {0};
    int64_t failed = 0;
    double start = hiss_seconds();
    c->row_count = c->column_count = 0;
    post_receives(c, lane_order, answer);
    send_rows(c, lane_order, rows);
    HISS_MPI(MPI_Waitall(c->row_count, c->rows, MPI_STATUSES_IGNORE));
    double gathered = hiss_seconds();
    hiss_status status = solve_blocks(c, lane_order, solve, user, answer, &failed, &own);
    double solved = hiss_seconds();
    HISS_MPI(MPI_Waitall(c->column_count, c->columns, MPI_STATUSES_IGNORE));
    status = hiss_comm_agree_at(c->comm, status, failed, &own);
    if (status != HISS_OK && err) {
        *err = own;
    }
    seconds[0] = gathered - start;
    seconds[1] = solved - gathered;
    seconds[2] = hiss_seconds() - solved;
    return status;
}
