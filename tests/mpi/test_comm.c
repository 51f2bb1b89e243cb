/* The communicator's blocking collectives. */
#include <stdlib.h>
#include <string.h>

#include "mpi_test.h"

static void check_agree(hiss_comm *comm) {
    int rank = hiss_comm_rank(comm), size = hiss_comm_size(comm);
    hiss_error err = {0};
    CHECK(hiss_comm_agree(comm, HISS_OK, &err) == HISS_OK);
    CHECK(hiss_comm_agree(comm, HISS_OK, NULL) == HISS_OK);
    for (int failing = 0; failing < size; failing++) {
        hiss_status mine = HISS_OK;
        memset(&err, 0, sizeof err);
        if (rank >= failing) {
            mine = hiss_fail(&err, rank == failing ? HISS_EUSER : HISS_ESYSTEM, "rank %d is unhappy", rank);
        }
        char expected[64];
        snprintf(expected, sizeof expected, "rank %d is unhappy", failing);
        CHECK(hiss_comm_agree(comm, mine, &err) == HISS_EUSER);
        CHECK(err.code == HISS_EUSER && strcmp(err.text, expected) == 0);
    }
    CHECK(hiss_comm_agree(comm, rank == size - 1 ? HISS_EREQUEUE : HISS_OK, NULL) == HISS_EREQUEUE);
}

static void check_equal(hiss_comm *comm) {
    int rank = hiss_comm_rank(comm), size = hiss_comm_size(comm);
    static char bytes[10000];
    for (int i = 0; i < (int)sizeof bytes; i++) {
        bytes[i] = (char)i;
    }
    CHECK(hiss_comm_equal(comm, bytes, sizeof bytes));
    CHECK(hiss_comm_equal(comm, NULL, 0));
    bytes[9999] = (char)(bytes[9999] + (rank == size - 1));
    CHECK(hiss_comm_equal(comm, bytes, sizeof bytes) == (size == 1));
    CHECK(hiss_comm_equal(comm, bytes, rank == 0 ? 100 : 101) == (size == 1));
    CHECK(hiss_comm_equal(comm, bytes, 9999));
}

static void check_gather(hiss_comm *comm) {
    int rank = hiss_comm_rank(comm), size = hiss_comm_size(comm);
    int64_t offsets[65] = {0};
    for (int r = 0; r < size; r++) {
        offsets[r + 1] = offsets[r] + (r * 37) % 101; /* rank 0 contributes nothing */
    }
    int64_t count = offsets[rank + 1] - offsets[rank];
    char mine[128], all[8192];
    for (int64_t i = 0; i < count; i++) {
        mine[i] = (char)(hash2(5, (uint64_t)(offsets[rank] + i)) & 127);
    }
    for (int root = 0; root <= size; root++) {
        memset(all, 0, sizeof all);
        if (root < size) {
            hiss_comm_gather(comm, mine, offsets, rank == root ? all : NULL, root);
        } else {
            hiss_comm_allgather(comm, mine, offsets, all);
        }
        for (int64_t i = 0; i < offsets[size] && (rank == root || root == size); i++) {
            CHECK(all[i] == (char)(hash2(5, (uint64_t)i) & 127));
        }
    }
}

static void check_numbers(hiss_comm *comm) {
    int rank = hiss_comm_rank(comm), size = hiss_comm_size(comm);
    int64_t word = rank == size - 1 ? 4711 : 0;
    double before = hiss_comm_bytes_sent(comm);
    hiss_comm_broadcast(comm, &word, sizeof word, size - 1);
    CHECK(word == 4711);
    CHECK(size == 1 ? hiss_comm_bytes_sent(comm) == before : hiss_comm_bytes_sent(comm) > before);
    CHECK(hiss_comm_max_i64(comm, (int64_t)3000000000 * (rank - size)) == -(int64_t)3000000000);
    double spread[3];
    hiss_comm_min_median_max(comm, size - rank, spread);
    CHECK(spread[0] == 1 && spread[1] == (1 + size) / 2.0 && spread[2] == size);
}

/* A rank by itself uses collectives as often as it likes, whatever the others do. */
static void check_alone(hiss_comm *comm) {
    hiss_comm *alone = hiss_comm_alone_create();
    CHECK(hiss_comm_rank(alone) == 0 && hiss_comm_size(alone) == 1);
    for (int i = 0; i < hiss_comm_rank(comm); i++) {
        const int64_t mine = 10 * hiss_comm_rank(comm) + i, offsets[2] = {0, sizeof mine};
        int64_t all = -1;
        hiss_comm_allgather(alone, &mine, offsets, &all);
        CHECK(all == mine && hiss_comm_max_i64(alone, mine) == mine && hiss_comm_sum(alone, 0.5) == 0.5);
    }
    CHECK(hiss_comm_bytes_sent(alone) == 0.0);
    hiss_comm_alone_destroy(alone);
    hiss_comm_alone_destroy(NULL);
    CHECK(hiss_comm_max_i64(comm, hiss_comm_rank(comm)) == hiss_comm_size(comm) - 1);
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    hiss_error err;
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) {
        return 1;
    }
    check_agree(comm);
    check_equal(comm);
    check_gather(comm);
    check_numbers(comm);
    check_alone(comm);
    return finish_test(comm);
}
