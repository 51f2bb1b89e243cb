#include "hiss/clock.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double hiss_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double hiss_median(double *values, int64_t count) {
    assert(count >= 1);
    qsort(values, (size_t)count, sizeof *values, ascending);
    return values[(count - 1) / 2];
}

uint64_t hiss_process_began(long pid, char name[HISS_PROCESS_NAME]) {
    enum { FIELDS = 20 }; /* from the name to the time: field 22 of /proc/PID/stat */
    char path[64], line[1024] = "";
    uint64_t ticks = 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *in = fopen(path, "re");
    const bool there = in && fgets(line, sizeof line, in);
    const char *first = there ? strchr(line, '(') : NULL,
               *at = there ? strrchr(line, ')') : NULL; /* the name has both */
    if (name) {
        snprintf(name, HISS_PROCESS_NAME, "%.*s", first && at ? (int)(at - first - 1) : 0, first ? first + 1 : "");
    }
    for (int k = 0; at && k < FIELDS; k++) {
        at = strchr(at + 1, ' ');
    }
    if (at) {
        ticks = strtoull(at, NULL, 10);
    }
    if (in) {
        fclose(in);
    }
    return ticks;
}

uint64_t hiss_process_file_bytes(void) {
    char line[128];
    uint64_t sum = 0;
    unsigned long long value;
    FILE *in = fopen("/proc/self/io", "re");
    while (in && fgets(line, sizeof line, in)) {
        if (sscanf(line, "read_bytes: %llu", &value) == 1 || sscanf(line, "write_bytes: %llu", &value) == 1) {
            sum += value;
        }
    }
    if (in) {
        fclose(in);
    }
    return sum;
}
