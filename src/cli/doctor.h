/* Private to the doctor command, and to train, which runs its cheap part. */
#ifndef HISS_CLI_DOCTOR_H
#define HISS_CLI_DOCTOR_H

#include "cli/cli.h"

typedef enum doctor_finding { FINDING_OK, FINDING_WARN, FINDING_FAIL } doctor_finding;

/* What a check found, on rank 0; the text says what to do. */
typedef void (*doctor_say)(void *user, doctor_finding f, const char *text);
typedef struct doctor {
    hiss_comm *comm;
    int64_t threads; /* of each rank */
    doctor_say say;
    void *user;
} doctor;

void doctor_tell(const doctor *d, doctor_finding f, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* One value per rank: bytes [size * count], equal on all ranks, the caller frees. Collective. */
void *doctor_gather(const doctor *d, const void *mine, int64_t count);
/* Host names of all ranks: [size][DOCTOR_NAME], the caller frees. Collective. */
enum { DOCTOR_NAME = 64 };
typedef char doctor_name[DOCTOR_NAME];
doctor_name *doctor_hosts(const doctor *d);
/* How many ranks are on the host of `rank`, and whether it is the lowest of them. */
int doctor_ranks_of(const doctor *d, const doctor_name *host, int rank, bool *lowest);

/* ---- cheap: train runs these, too. Collective ---- */

/* Ranks against what the launcher promised, PMIx, the MPI library, threads against cores, bindings. */
void doctor_launch(const doctor *d);
/* Processors of all ranks, their clocks, and shared memory of their hosts. */
void doctor_machines(const doctor *d);

/* ---- the rest. Collective ---- */

void doctor_kernels(const doctor *d);
/* What SLURM's srun is and offers, huge pages. */
void doctor_system(const doctor *d);
/* Memory of the hosts against what this process has needed at most. */
void doctor_memory(const doctor *d);
/* Write into the directory of a run, and lock there. mib: how much to write. */
void doctor_files(const doctor *d, const char *run, int64_t mib);
/* Latency and bandwidth between ranks; least_rate, most_latency: 0, or what to expect in MB/s and microseconds. */
void doctor_network(const doctor *d, double least_rate, double most_latency);

#endif
