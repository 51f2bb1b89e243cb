/* A fixed table of paths, which the signal handler walks. A place is claimed, filled, and only then marked as full, so
 * that the handler, on whatever thread, sees whole paths alone. */
#include "hiss/interrupt.h"

#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PLACES = 16, LINE = 64 };
enum { FREE, CLAIMED, FULL };

typedef struct place {
    atomic_int state;
    char path[PATH_MAX + 32];
} place;

static place places[PLACES];
static pid_t owner;

static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
enum { COUNT = sizeof numbers / sizeof *numbers };
static char lines[COUNT][LINE]; /* empty: this process does not speak */

void hiss_interrupt_remove(const char *path) {
    for (int k = 0; k < PLACES && strlen(path) < sizeof places[k].path; k++) {
        int expected = FREE;
        if (atomic_compare_exchange_strong(&places[k].state, &expected, CLAIMED)) {
            strcpy(places[k].path, path);
            atomic_store(&places[k].state, FULL);
            return;
        }
    }
}

void hiss_interrupt_forget(const char *path) {
    for (int k = 0; k < PLACES; k++) {
        if (atomic_load(&places[k].state) == FULL && strcmp(places[k].path, path) == 0) {
            atomic_store(&places[k].state, FREE);
            return;
        }
    }
}

void hiss_interrupt_clear(void) {
    for (int k = 0; k < PLACES; k++) {
        if (atomic_load(&places[k].state) == FULL) {
            unlink(places[k].path);
        }
    }
}

/* The signal is blocked in here, and ends the process when the handler returns. */
static void on_signal(int number) {
    for (int k = 0; k < COUNT && getpid() == owner; k++) {
        const char *line = lines[k];
        if (numbers[k] == number) {
            hiss_interrupt_clear();
            while (*line) {
                const ssize_t wrote = write(STDERR_FILENO, line, strlen(line));
                line += wrote > 0 ? (size_t)wrote : strlen(line);
            }
        }
    }
    signal(number, SIG_DFL);
    raise(number);
}

void hiss_interrupt_catch(bool speak) {
    static const char *const names[COUNT] = {"SIGINT", "SIGTERM", "SIGHUP"};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;
    owner = getpid();
    sigfillset(&action.sa_mask);
    for (int k = 0; k < COUNT; k++) {
        if (speak) { /* on a terminal behind its ^C */
            snprintf(lines[k], LINE, "%shiss: interrupted (%s)\n", isatty(STDERR_FILENO) ? "\n" : "", names[k]);
        }
        if (sigaction(numbers[k], NULL, &before) == 0 && before.sa_handler != SIG_IGN) {
            sigaction(numbers[k], &action, NULL);
        }
    }
}
