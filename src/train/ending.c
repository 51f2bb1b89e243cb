/* Signals and the time limit. Job managers repeat SIGUSR1 and SIGTERM while a checkpoint is being written, so only the
 * user's second SIGINT means "now". */
#include "train/ending.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "hiss/clock.h"
#include "hiss/interrupt.h"

static volatile sig_atomic_t asked, speaks; /* a signal handler has nowhere else to read and write */

static const int numbers[] = {SIGUSR1, SIGTERM, SIGINT};
enum { COUNT = sizeof numbers / sizeof *numbers };
static struct sigaction before[COUNT];

static void on_signal(int number) {
    static const char first[] = "\nhiss: stopping after this step with a checkpoint; once more ends it at once\n";
    if (number == SIGINT && asked) {
        hiss_interrupt_clear();
        _exit(128 + SIGINT);
    }
    if (number == SIGINT && speaks && write(STDERR_FILENO, first, sizeof first - 1) < 0) {
        speaks = 0;
    }
    asked = 1;
}

void train_ending_catch(bool speak) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    asked = 0;
    speaks = speak;
    for (int k = 0; k < COUNT; k++) {
        sigaction(numbers[k], &action, &before[k]);
    }
}

void train_ending_release(void) {
    for (int k = 0; k < COUNT; k++) {
        sigaction(numbers[k], &before[k], NULL);
    }
}

bool train_ending_asked(void) {
    return asked != 0;
}

double train_ending_deadline(double limit, const char **source) {
    const double now = hiss_seconds();
    const char *text = getenv("SLURM_JOB_END_TIME");
    char *end = NULL;
    const long long until = text ? strtoll(text, &end, 10) : 0;
    double deadline = limit > 0.0 ? now + limit : (double)INFINITY;
    *source = "--time-limit";
    if (until > 0 && *end == 0 && now + difftime((time_t)until, time(NULL)) < deadline) {
        deadline = now + difftime((time_t)until, time(NULL));
        *source = "SLURM_JOB_END_TIME";
    }
    return deadline;
}
