/* Chains of annealed importance sampling, shared out among ranks. */
#include "objective/energy/judge.h"

#include "hiss/alloc.h"

static void in_bytes(const int64_t *chain, int P, int64_t bytes, int64_t *byte) {
    for (int p = 0; p <= P; p++) {
        byte[p] = chain[p] * bytes;
    }
}

void energy_run_chains(const hiss_measured *m, const energy_machine *machine, int64_t when, int64_t steps,
                       int64_t chains, double *log_weight, float *visible) {
    const int P = hiss_comm_size(m->comm), rank = hiss_comm_rank(m->comm);
    int64_t *chain = hiss_new(int64_t, P + 1), *byte = hiss_new(int64_t, P + 1);
    hiss_partition(chains, P, chain);
    const int64_t first = chain[rank], end = chain[rank + 1];
    double *mine = hiss_new(double, end - first + 1);
    float *seen = hiss_new(float, (end - first) * machine->D + 1);
    energy_ais_chains(machine, m->task->seed, when, steps, first, end, mine, seen);
    in_bytes(chain, P, (int64_t)sizeof *mine, byte);
    hiss_comm_allgather(m->comm, mine, byte, log_weight);
    in_bytes(chain, P, (int64_t)sizeof *seen * machine->D, byte);
    hiss_comm_allgather(m->comm, seen, byte, visible);
    hiss_free(mine);
    hiss_free(seen);
    hiss_free(chain);
    hiss_free(byte);
}
