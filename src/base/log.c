#include "hiss/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

enum { KNOWN = 64 };

static struct {
    hiss_log_level level;
    int rank;
    pthread_mutex_t lock, end; /* end: taken by the thread that ends the process, and kept */
    hiss_log_end *before_end;
    void *context;
    bool once;
    uint64_t known[KNOWN]; /* hashes of warnings, where once is set */
    int warnings;
} state = {.level = HISS_LOG_INFO, .lock = PTHREAD_MUTEX_INITIALIZER, .end = PTHREAD_MUTEX_INITIALIZER};

void hiss_log_setup(hiss_log_level level, int rank) {
    state.level = level;
    state.rank = rank;
}

void hiss_log_warn_once(void) {
    state.once = true;
}

/* Whether a line was among the last ones, which it is from now on. */
static bool said_before(const char *line) {
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (; *line; line++) {
        hash = (hash ^ (unsigned char)*line) * 1099511628211u;
    }
    for (int k = 0; k < KNOWN && k < state.warnings; k++) {
        if (state.known[k] == hash) {
            return true;
        }
    }
    state.known[state.warnings++ % KNOWN] = hash;
    return false;
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
    if (level != HISS_LOG_WARNING || !state.once || !said_before(line)) {
        fprintf(stderr, "%s\n", line); /* one write: lines of several ranks must not mix */
    }
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
