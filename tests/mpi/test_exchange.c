/* hiss_comm_alltoallv: every byte arrives where its sender, receiver and place say, for empty and uneven parts. */
#include <stdint.h>

#include "mpi_test.h"

static int64_t part(int from, int to, int round) {
    return (from * 7 + to * 13 + round * 5) % 9 == 0 ? 0 : 1 + (from * 31 + to * 17 + round * 101) % 1000;
}

static unsigned char content(int from, int to, int64_t at) {
    return (unsigned char)(from * 59 + to * 83 + at * 7);
}

int main(int argc, char **argv) {
    hiss_comm *comm = NULL;
    if (hiss_comm_open(&argc, &argv, &comm, NULL) != HISS_OK) {
        return 1;
    }
    const int me = hiss_comm_rank(comm), P = hiss_comm_size(comm);
    int64_t *send_offsets = hiss_new(int64_t, P + 1), *receive_offsets = hiss_new(int64_t, P + 1);
    for (int round = 0; round < 20; round++) {
        for (int r = 0; r < P; r++) {
            send_offsets[r + 1] = send_offsets[r] + part(me, r, round);
            receive_offsets[r + 1] = receive_offsets[r] + part(r, me, round);
        }
        unsigned char *send = hiss_alloc((size_t)send_offsets[P]), *receive = hiss_alloc((size_t)receive_offsets[P]);
        for (int r = 0; r < P; r++) {
            for (int64_t i = 0; i < send_offsets[r + 1] - send_offsets[r]; i++) {
                send[send_offsets[r] + i] = content(me, r, i);
            }
        }
        hiss_comm_alltoallv(comm, send, send_offsets, receive, receive_offsets);
        for (int r = 0; r < P; r++) {
            for (int64_t i = 0; i < receive_offsets[r + 1] - receive_offsets[r]; i++) {
                CHECK(receive[receive_offsets[r] + i] == content(r, me, i));
            }
        }
        hiss_free(send);
        hiss_free(receive);
    }
    hiss_free(send_offsets);
    hiss_free(receive_offsets);
    return finish_test(comm);
}
