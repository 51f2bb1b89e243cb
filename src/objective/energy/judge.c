/* What machines say of themselves in evaluation. */
#include "objective/energy/judge.h"

#include <math.h>

#include "hiss/alloc.h"

double energy_pixel_mean(const hiss_measured *m, int64_t first, int64_t i) {
    const double mean = fmin(fmax(m->train_mean[first + i], 0.0), 1.0);
    return (mean * (double)m->train + 0.5) / (double)(m->train + 1);
}

double energy_independent_pixels(const hiss_measured *m, int64_t first, int64_t D) {
    double nats = 0.0;
    for (int64_t i = 0; i < D; i++) {
        const double p = energy_pixel_mean(m, first, i), mean = m->test_mean[first + i];
        nats -= mean * log(p) + (1.0 - mean) * log1p(-p);
    }
    return nats;
}

void energy_say(const hiss_measured *m, const char *group, const char *name, const char *heading, const char *unit,
                double value, double spread, double baseline, int64_t samples) {
    m->number(m->say, &(hiss_measure){.name = name,
                                      .group = group,
                                      .heading = heading,
                                      .unit = unit,
                                      .value = value,
                                      .spread = spread,
                                      .baseline = baseline,
                                      .samples = samples});
}

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
