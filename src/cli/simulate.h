/* Private to the simulate command. */
#ifndef HISS_CLI_SIMULATE_H
#define HISS_CLI_SIMULATE_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "cli/bench.h"
#include "hiss/simulate.h"

/* Measure the costs of a config on this machine, on one rank. */
hiss_status simulate_measure(bench *b, bench_source *source, const char *config, hiss_costs *out, hiss_error *err);

/* The part of it that is the permutation of all samples: nat's assign.scope dataset, by the resolved config. Does
 * nothing when no epoch begins with one. */
void simulate_measure_permutation(const bench_source *source, const hiss_yaml *config, const hiss_measurement *m,
                                  hiss_costs *out);

/* A place for files, which goes with the command however that ends, and the environment of what is started. */
typedef struct simulate_place {
    char directory[CLI_PATH];
    char **environment;       /* as it was when the place was made: MPI adds to that of the process */
    sigset_t signals, before; /* that end the command; the mask it began with */
    pthread_t watcher;
    bool watched;
    atomic_bool ending;
    _Atomic pid_t child; /* process group that runs; 0: none */
} simulate_place;
/* From here on SIGINT, SIGTERM and SIGHUP are blocked in this thread and those it starts, and end the command
 * tidily. */
hiss_status simulate_place_create(simulate_place *place, hiss_error *err);
void simulate_place_destroy(simulate_place *place);
/* Start words[0], a path, as a group of its own; returns its id, -1 when fork fails. Then wait for it: as wait4. */
pid_t simulate_start(simulate_place *place, char *const *words, char *const *environment, int output, int errors);
int simulate_wait(simulate_place *place, pid_t child, struct rusage *usage);

typedef struct simulate_run {
    const char *costs;
    int64_t ranks;
    hiss_replay replay;
} simulate_run;
typedef struct simulate_result {
    hiss_replay_times times;
    double wall, bytes; /* of the simulation itself: seconds, largest resident set */
} simulate_result;

/* Whether all of them can be replayed: lanes for every rank, blocks that divide them, samples to permute. */
hiss_status simulate_check(const hiss_costs *costs, const simulate_run *runs, int count, hiss_error *err);

/* In the simulator, on a platform. */
hiss_status simulate_virtual(simulate_place *place, const simulate_run *run, const hiss_platform *platform,
                             simulate_result *out, hiss_error *err);
/* Under mpirun, on this machine. */
hiss_status simulate_real(simulate_place *place, const simulate_run *run, simulate_result *out, hiss_error *err);
/* Latency and bandwidth between two ranks under mpirun. */
hiss_status simulate_link(simulate_place *place, double *latency, double *bandwidth, hiss_error *err);

#endif
