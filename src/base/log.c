#include "hiss/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

static struct {
    hiss_log_level level;
    int rank;
    pthread_mutex_t lock;
} state = {HISS_LOG_INFO, 0, PTHREAD_MUTEX_INITIALIZER};

void hiss_log_setup(hiss_log_level level, int rank) {
    state.level = level;
    state.rank = rank;
}

int hiss_log_rank(void) {
    return state.rank;
}

void hiss_log(hiss_log_level level, const char *format, ...) {
    static const char *const prefix[] = {"hiss: error: ", "hiss: warning: ", "hiss: ", "hiss: debug: "};
    if (level > state.level || (state.rank != 0 && level > HISS_LOG_WARNING)) {
        return;
    }
    char line[2048];
    int used = snprintf(line, sizeof line, "%s", prefix[level]);
    if (state.rank != 0) {
        used += snprintf(line + used, sizeof line - (size_t)used, "[rank %d] ", state.rank);
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + used, sizeof line - (size_t)used, format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&state.lock);
    fprintf(stderr, "%s\n", line); /* one write: lines of several ranks must not mix */
    pthread_mutex_unlock(&state.lock);
}
