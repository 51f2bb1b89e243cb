#include "hiss/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

static struct {
    hiss_log_level level;
    int rank;
    pthread_mutex_t lock, end; /* end: taken by the thread that ends the process, and kept */
    hiss_log_end *before_end;
    void *context;
} state = {HISS_LOG_INFO, 0, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, NULL, NULL};

void hiss_log_setup(hiss_log_level level, int rank) {
    state.level = level;
    state.rank = rank;
}

int hiss_log_rank(void) {
    return state.rank;
}

static void write_line(hiss_log_level level, const char *format, va_list arguments) {
    static const char *const prefix[] = {"hiss: error: ", "hiss: warning: ", "hiss: ", "hiss: debug: "};
    if (level > state.level || (state.rank != 0 && level > HISS_LOG_WARNING)) {
        return;
    }
    char line[2048];
    int used = snprintf(line, sizeof line, "%s", prefix[level]);
    if (state.rank != 0) {
        used += snprintf(line + used, sizeof line - (size_t)used, "[rank %d] ", state.rank);
    }
    vsnprintf(line + used, sizeof line - (size_t)used, format, arguments);
    pthread_mutex_lock(&state.lock);
    fprintf(stderr, "%s\n", line); /* one write: lines of several ranks must not mix */
    pthread_mutex_unlock(&state.lock);
}

void hiss_log(hiss_log_level level, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_line(level, format, arguments);
    va_end(arguments);
}

void hiss_log_before_end(hiss_log_end *act, void *context) {
    pthread_mutex_lock(&state.end);
    state.before_end = act;
    state.context = context;
    pthread_mutex_unlock(&state.end);
}

void hiss_end_line(int exit_code, const char *format, ...) {
    pthread_mutex_lock(&state.end);
    if (!state.before_end || state.before_end(state.context, exit_code)) {
        va_list arguments;
        va_start(arguments, format);
        write_line(HISS_LOG_ERROR, format, arguments);
        va_end(arguments);
    }
}
