/* Faults on demand: a short list of the points that were reached, each with its number of calls, and one point from
 * the environment that fails at a given call. The rank is what the launcher put into the environment, so that points
 * before MPI starts can be addressed, too. */
#include "hiss/fault.h"

#ifdef HISS_FAULTS

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_POINTS = 256 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct {
    const char *point;
    long calls;
} reached[MAX_POINTS];
static int points;
static char wanted[64];
static long wanted_call;
static bool wanted_onwards;

static const char *launched_rank(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (getenv(names[i])) {
            return getenv(names[i]);
        }
    }
    return "0";
}

static void trace(void) {
    FILE *stream = fopen(getenv("HISS_FAULT_TRACE"), "a");
    for (int i = 0; stream && i < points; i++) {
        fprintf(stream, "%s %ld\n", reached[i].point, reached[i].calls);
    }
    if (stream) {
        fclose(stream);
    }
}

static void read_environment(void) {
    const char *text = getenv("HISS_FAULT");
    if (getenv("HISS_FAULT_TRACE")) {
        atexit(trace);
    }
    if (!text) {
        return;
    }
    char rest[64] = "1";
    if (sscanf(text, "%63[^:@]:%63s", wanted, rest) < 2 && strchr(text, '@')) {
        snprintf(rest, sizeof rest, "1%.61s", strchr(text, '@'));
    }
    char *end;
    wanted_call = strtol(rest, &end, 10);
    wanted_onwards = *end == '+';
    const char *rank = strchr(rest, '@');
    if (rank && strcmp(rank + 1, launched_rank()) != 0) {
        wanted_call = 0;
    }
}

bool hiss_fault(const char *point) {
    pthread_once(&once, read_environment);
    pthread_mutex_lock(&lock);
    int i = 0;
    while (i < points && strcmp(reached[i].point, point) != 0) {
        i++;
    }
    if (i == points && points < MAX_POINTS) {
        reached[points++].point = point;
    }
    const long call = i < points ? ++reached[i].calls : 0;
    pthread_mutex_unlock(&lock);
    return wanted_call > 0 && strcmp(point, wanted) == 0 &&
           (call == wanted_call || (wanted_onwards && call > wanted_call));
}

#endif
