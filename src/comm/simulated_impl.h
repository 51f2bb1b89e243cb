/* What payload_impl.h names, for the simulator: see simulated.c. */
#ifndef HISS_COMM_SIMULATED_IMPL_H
#define HISS_COMM_SIMULATED_IMPL_H

#include <mpi.h>
#include <stdint.h>

/* Longer than in reality: what messages at the same time cost the simulator grows faster than their number. */
enum { HISS_SLICE_FLOATS = 1 << 24 };
#define HISS_ROOM_FLOATS INT64_MAX /* addresses cost nothing */

float *hiss_new_floats(int64_t count); /* addresses to compute with; reading gives zeros, writing costs memory */
void hiss_free_floats(float *floats);  /* NULL is allowed */
void *hiss_simulated_payload(void);    /* spend the time that additions owe, and return the shared buffer */
#define HISS_PAYLOAD(floats)         ((void)(floats), hiss_simulated_payload())
#define HISS_COPY(into, from, bytes) ((void)(into), (void)(from), (void)(bytes))
#define HISS_THREAD_LEVEL            MPI_THREAD_SINGLE /* all that the simulator reports */
#define HISS_SOME(waiting)           ((waiting) ? MPI_Waitsome : MPI_Testsome)
enum { HISS_WAITS_BLOCK = 1 };
/* The simulator knows the algorithms of MPI's blocking calls best. */
#define HISS_MPI_COLLECTIVE(comm, what, blocking, started, ...) HISS_MPI_WAIT(comm, what, blocking(__VA_ARGS__))

/* Rabenseifner's all-reduce of so many floats in place of MPI_Iallreduce, at once; *request is then done. */
int hiss_iallreduce(float *sum, int64_t floats, MPI_Comm comm, MPI_Request *request);

#endif
