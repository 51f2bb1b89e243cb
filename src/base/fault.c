/* Faults on demand: a short list of the points that were reached, each with its number of calls, and one point from
 * the environment that fails at a given call. The rank is what the launcher put into the environment, so that points
 * before MPI starts can be addressed, too. */
#include "hiss/fault.h"

#ifdef HISS_FAULTS

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

enum { MAX_POINTS = 256 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct {
    const char *point;
    int length;
    long calls;
} reached[MAX_POINTS];
static int points;
static char wanted[64];
static long wanted_call;
static char how; /* 0: this call fails, '+': all from this one on, '!': the process dies */
static bool marks;

static const char *launched_rank(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (getenv(names[i])) {
            return getenv(names[i]);
        }
    }
    return "0";
}

/* Append one line for each of n points. */
static void trace(int first, int end, const char *word) {
    FILE *stream = getenv("HISS_FAULT_TRACE") ? fopen(getenv("HISS_FAULT_TRACE"), "ae") : NULL;
    for (int i = first; stream && i < end; i++) {
        fprintf(stream, "%s %.*s %s%ld\n", launched_rank(), reached[i].length, reached[i].point, word,
                reached[i].calls);
    }
    if (stream) {
        fclose(stream);
    }
}

static void trace_all(void) {
    pthread_mutex_lock(&lock);
    trace(0, points, "");
    pthread_mutex_unlock(&lock);
}

static void read_environment(void) {
    const char *text = getenv("HISS_FAULT");
    atexit(trace_all);
    marks = getenv("HISS_FAULT_MARK") != NULL;
    if (!text) {
        return;
    }
    char rest[64] = "1";
    if (sscanf(text, "%63[^:@]:%63s", wanted, rest) < 2 && strchr(text, '@')) {
        snprintf(rest, sizeof rest, "1%.61s", strchr(text, '@'));
    }
    char *end;
    wanted_call = strtol(rest, &end, 10);
    how = *end == '+' || *end == '!' ? *end : 0;
    const char *rank = strchr(rest, '@');
    if (rank && strcmp(rank + 1, launched_rank()) != 0) {
        wanted_call = 0;
    }
}

/* Index of the point, entered at its first call. */
static int find(const char *point, int length) {
    int i = 0;
    while (i < points && (reached[i].length != length || strncmp(reached[i].point, point, (size_t)length) != 0)) {
        i++;
    }
    if (i == points) {
        if (points == MAX_POINTS) {
            fprintf(stderr, "hiss: too many fault points\n");
            abort();
        }
        reached[points].point = point;
        reached[points++].length = length;
    }
    return i;
}

bool hiss_fault(const char *point) {
    pthread_once(&once, read_environment);
    pthread_mutex_lock(&lock);
    const int length = (int)strcspn(point, "("), i = find(point, length);
    const long call = ++reached[i].calls;
    const bool fires = wanted_call > 0 && (call == wanted_call || (how == '+' && call > wanted_call)) &&
                       strlen(wanted) == (size_t)length && strncmp(point, wanted, (size_t)length) == 0;
    if (fires && call == wanted_call) {
        trace(i, i + 1, "fired ");
    }
    if (fires && how == '!') {
        raise(SIGKILL);
    }
    pthread_mutex_unlock(&lock);
    errno = fires ? EIO : errno;
    return fires;
}

void hiss_mark(const char *phase) {
    (void)hiss_fault(phase);
    if (marks) {
        prctl(PR_SET_NAME, phase);
    }
}

#endif
