/* Private to the simulate command. */
#ifndef HISS_CLI_SIMULATE_H
#define HISS_CLI_SIMULATE_H

#include "cli/bench.h"
#include "hiss/simulate.h"

/* Measure the costs of a config on this machine, on one rank. */
hiss_status simulate_measure(bench *b, bench_source *source, const char *config, hiss_costs *out, hiss_error *err);

/* A place for files, and the environment of what is started. */
typedef struct simulate_place {
    char directory[CLI_PATH];
    char *const *environment;
} simulate_place;
hiss_status simulate_place_create(simulate_place *place, hiss_error *err);
void simulate_place_destroy(simulate_place *place);

typedef struct simulate_run {
    const char *costs;
    int64_t ranks;
    hiss_replay replay;
} simulate_run;
typedef struct simulate_result {
    hiss_replay_times times;
    double wall, bytes; /* of the simulation itself: seconds, largest resident set */
} simulate_result;

/* In the simulator, on a platform. */
hiss_status simulate_virtual(simulate_place *place, const simulate_run *run, const hiss_platform *platform,
                             simulate_result *out, hiss_error *err);
/* Under mpirun, on this machine. */
hiss_status simulate_real(simulate_place *place, const simulate_run *run, simulate_result *out, hiss_error *err);
/* Latency and bandwidth between two ranks under mpirun. */
hiss_status simulate_link(simulate_place *place, double *latency, double *bandwidth, hiss_error *err);

#endif
