/* Preloaded: clocks go ODD_CLOCK times as fast, so that measured times, and the rates made of them, are as long or as
 * short as one wants. Libraries find the system's clock in the vDSO, through the next function of this name. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *t) {
    static int (*real)(clockid_t, struct timespec *);
    static double speed;
    static struct timespec start;
    if (!real) {
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
        speed = getenv("ODD_CLOCK") ? atof(getenv("ODD_CLOCK")) : 1.0;
        real(CLOCK_MONOTONIC, &start);
    }
    const int result = real(clock, t);
    if (clock == CLOCK_MONOTONIC && result == 0) {
        const double passed = (double)(t->tv_sec - start.tv_sec) + 1e-9 * (double)(t->tv_nsec - start.tv_nsec);
        const double shown = passed * speed;
        t->tv_sec = start.tv_sec + (time_t)shown;
        t->tv_nsec = (long)(1e9 * (shown - (double)(time_t)shown));
    }
    return result;
}
