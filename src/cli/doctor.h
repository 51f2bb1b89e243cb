/* Private to the doctor command, and to train, which runs its cheap part. */
#ifndef HISS_CLI_DOCTOR_H
#define HISS_CLI_DOCTOR_H

#include "cli/cli.h"

typedef enum finding { FINDING_OK, FINDING_WARN, FINDING_FAIL } finding;

/* What a check found, on rank 0; the text says what to do. */
typedef void (*doctor_say)(void *user, finding f, const char *text);
typedef struct doctor {
    hiss_comm *comm;
    int64_t threads; /* of each rank */
    doctor_say say;
    void *user;
} doctor;

void doctor_tell(const doctor *d, finding f, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Ranks against what the launcher promised, threads against cores, bindings. Collective. */
void doctor_launch(const doctor *d);
/* Processors and kernels of all ranks, and their clocks. Collective. */
void doctor_machines(const doctor *d);

#endif
