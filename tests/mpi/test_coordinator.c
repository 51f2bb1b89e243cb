/* The block protocol: every score arrives where it belongs, every answer returns, a failing block fails everywhere.
 * A score encodes (lane, sample, column). */
#include <stdbool.h>
#include <string.h>

#include "mpi_test.h"

typedef struct trial {
    hiss_comm *comm;
    int64_t samples, group;
    int64_t order[32];
    uint64_t key;
    bool failing[32]; /* by block */
    int solved;
} trial;

static float score(uint64_t key, int64_t lane, int64_t sample, int64_t column) {
    return (float)value_of(key, (uint64_t)(lane * 100 + sample), (uint64_t)column);
}

static int32_t column_of(uint64_t key, int64_t lane, int64_t sample, int64_t n) {
    return (int32_t)(hash2(hash2(key, (uint64_t)lane), (uint64_t)sample) % (uint64_t)n);
}

static hiss_status solve(void *user, int64_t block, int64_t n, float *matrix, int32_t *answer, hiss_error *err) {
    trial *t = user;
    hiss_comm *comm = t->comm;
    CHECK(n == t->group * t->samples);
    t->solved++;
    for (int64_t i = 0; i < n; i++) {
        int64_t lane = t->order[block * t->group + i / t->samples];
        CHECK(answer[i] == i);
        answer[i] = column_of(t->key, lane, i % t->samples, n);
        for (int64_t j = 0; j < n; j++) {
            CHECK(matrix[i * n + j] == score(t->key, lane, i % t->samples, j));
            matrix[i * n + j] = -1;
        }
    }
    return t->failing[block] ? hiss_fail(err, block % 2 ? HISS_EUSER : HISS_ESYSTEM, "block %d", (int)block) : HISS_OK;
}

static void run(trial *t, hiss_coordinator *c, uint64_t *key, int64_t lanes, const int64_t *offsets, bool fail) {
    hiss_comm *comm = t->comm;
    int64_t first = offsets[hiss_comm_rank(comm)], own = offsets[hiss_comm_rank(comm) + 1] - first;
    int64_t n = t->group * t->samples, blocks = lanes / t->group, lowest = -1;
    t->key = ++*key;
    t->solved = 0;
    for (int64_t i = 0; i < lanes; i++) {
        int64_t place = draw(key, i + 1);
        t->order[i] = t->order[place];
        t->order[place] = i;
    }
    for (int64_t b = blocks - 1; b >= 0; b--) {
        t->failing[b] = fail && draw(key, 3) == 0;
        lowest = t->failing[b] ? b : lowest;
    }
    float *scores = hiss_new(float, own * t->samples * n);
    int32_t *columns = hiss_new(int32_t, own * t->samples);
    const float **rows = hiss_new(const float *, own);
    int32_t **answer = hiss_new(int32_t *, own);
    for (int64_t i = 0; i < own * t->samples; i++) {
        rows[i / t->samples] = scores + i / t->samples * t->samples * n;
        answer[i / t->samples] = columns + i / t->samples * t->samples;
        for (int64_t j = 0; j < n; j++) {
            scores[i * n + j] = score(t->key, first + i / t->samples, i % t->samples, j);
        }
    }
    double seconds[3] = {-1, -1, -1};
    hiss_error err = {0};
    hiss_alloc_seal(true);
    hiss_status status = hiss_coordinator_run(c, t->order, rows, solve, t, answer, seconds, &err);
    hiss_alloc_seal(false);
    CHECK(seconds[0] >= 0 && seconds[1] >= 0 && seconds[2] >= 0);
    if (lowest >= 0) {
        char text[32];
        snprintf(text, sizeof text, "block %d", (int)lowest);
        CHECK(status == (lowest % 2 ? HISS_EUSER : HISS_ESYSTEM) && err.code == status && strcmp(err.text, text) == 0);
    } else {
        CHECK(status == HISS_OK && err.text[0] == 0);
        for (int64_t i = 0; i < own * t->samples; i++) {
            CHECK(columns[i] == column_of(t->key, first + i / t->samples, i % t->samples, n));
            CHECK(scores[i * n] == score(t->key, first + i / t->samples, i % t->samples, 0));
        }
    }
    hiss_free(answer);
    hiss_free(rows);
    hiss_free(columns);
    hiss_free(scores);
}

/* Several blocks are solved on several ranks: the first lane's owner, and nobody else. */
static void check_spread(trial *t, int64_t lanes, const int64_t *offsets) {
    hiss_comm *comm = t->comm;
    int expected = 0;
    for (int64_t b = 0; b < lanes / t->group; b++) {
        int64_t lane = t->order[b * t->group];
        expected += lane >= offsets[hiss_comm_rank(comm)] && lane < offsets[hiss_comm_rank(comm) + 1];
    }
    CHECK(t->solved == expected);
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    hiss_error err = {0};
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) {
        return 1;
    }
    int size = hiss_comm_size(comm);
    uint64_t key = 1;
    for (int64_t lanes = size; lanes <= 16; lanes++) {
        for (int64_t group = 1; group <= lanes; group++) {
            if (lanes % group) {
                continue;
            }
            trial t = {.comm = comm, .samples = 1 + draw(&key, 6), .group = group};
            int64_t offsets[65];
            draw_offsets(&key, lanes, size, offsets);
            hiss_coordinator *c;
            CHECK(hiss_coordinator_create(comm, lanes, offsets, t.samples, group, &c, &err) == HISS_OK);
            for (int step = 0; step < 4; step++) {
                run(&t, c, &key, lanes, offsets, step % 2);
                if (step % 2 == 0) {
                    check_spread(&t, lanes, offsets);
                }
            }
            hiss_coordinator_destroy(c);
        }
    }
    int64_t offsets[65];
    hiss_coordinator *c;
    hiss_partition(size, size, offsets);
    CHECK(hiss_coordinator_create(comm, size, offsets, 100000, size, &c, &err) == HISS_EUSER && err.text[0]);
    CHECK(hiss_coordinator_create(comm, size, offsets, 1 + (hiss_comm_rank(comm) == 1), 1, &c, &err) ==
          (size == 1 ? HISS_OK : HISS_EINTERNAL));
    hiss_coordinator_destroy(c);
    return finish_test(comm);
}
