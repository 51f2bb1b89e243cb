/* What a log says: why a run failed, and what it was warned of.
 *
 * The reason is the first error of hiss; else the first line that speaks of one, for what launchers say afterwards is
 * only that something has ended; else the last line. What a launcher says between two lines of dashes is one
 * message. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "scale/scale_impl.h"

static const char error_mark[] = "hiss: error: ", warning_mark[] = "hiss: warning: ";

static bool speaks_of_error(const char *line) {
    static const char *const words[] = {"error",     "fatal",        "assert",    "segmentation", "illegal instruction",
                                        "bus error", "killed",       "cannot",    "can't",        "could not",
                                        "not found", "no such file", "denied",    "not enough",   "out of memory",
                                        "oom",       "refused",      "unable to", "failed",       "terminate called",
                                        "signal",    "not allowed"};
    char lower[512];
    size_t n = 0;
    for (; line[n] && n < sizeof lower - 1; n++) {
        lower[n] = (char)tolower((unsigned char)line[n]);
    }
    lower[n] = 0;
    for (int k = 0; k < HISS_COUNT(words); k++) {
        if (strstr(lower, words[k])) {
            return true;
        }
    }
    return false;
}

/* What launchers say when something else has failed before. */
static bool is_aftermath(const char *line) {
    static const char *const words[] = {"Primary job",
                                        "mpirun detected that one or more",
                                        "prterun detected that one or more",
                                        "the job has been aborted",
                                        "Exited with exit code",
                                        "launch failed",
                                        "Job step aborted",
                                        "STEP "};
    for (int k = 0; k < HISS_COUNT(words); k++) {
        if (strstr(line, words[k])) {
            return true;
        }
    }
    return false;
}

/* Append a line to a message: without what surrounds it, control characters as blanks. */
static void append(char *out, size_t size, const char *line) {
    size_t used = strlen(out), length = strcspn(line, "\r\n");
    while (length > 0 && isspace((unsigned char)line[length - 1])) {
        length--;
    }
    if (used > 0 && length > 0 && used + 2 < size) {
        out[used++] = ' ';
    }
    for (size_t k = 0; k < length && used + 1 < size; k++) {
        out[used++] = (unsigned char)line[k] < ' ' ? ' ' : line[k];
    }
    out[used] = 0;
}

static bool is_dashes(const char *line) {
    return strlen(line) > 20 && line[strspn(line, "-=\r\n")] == 0;
}

typedef struct search {
    char first[HISS_REASON], last[HISS_REASON], box[HISS_REASON]; /* of an error, of all lines, between dashes */
    bool inside;
} search;

static void weigh(search *s, const char *message) {
    if (*message && !strstr(message, warning_mark)) {
        snprintf(s->last, sizeof s->last, "%s", message);
        if (!*s->first && speaks_of_error(message) && !is_aftermath(message)) {
            snprintf(s->first, sizeof s->first, "%s", message);
        }
    }
}

static void take_line(search *s, const char *line) {
    char message[HISS_REASON] = "";
    if (is_dashes(line)) {
        weigh(s, s->box);
        s->box[0] = 0;
        s->inside = !s->inside;
    } else if (s->inside && !strstr(line, "hiss: ")) {
        append(s->box, sizeof s->box, line);
    } else {
        append(message, sizeof message, line);
        weigh(s, message);
    }
}

void hiss_log_reason(const char *path, char out[HISS_REASON]) {
    char *line = NULL;
    size_t capacity = 0;
    search s = {.inside = false};
    FILE *in = fopen(path, "r");
    *out = 0;
    while (in && !*out && getline(&line, &capacity, in) > 0) {
        const char *error = strstr(line, error_mark);
        const char *start = line + strspn(line, " \t\r\n");
        if (error) {
            append(out, HISS_REASON, error + strlen(error_mark));
        } else {
            take_line(&s, start);
        }
    }
    weigh(&s, s.box); /* dashes that do not end */
    if (!*out) {
        snprintf(out, HISS_REASON, "%s", *s.first ? s.first : s.last);
    }
    free(line);
    if (in) {
        fclose(in);
    }
}

int scale_find_warnings(const char *path, hiss_arena *arena, const char *out[MOST_WARNINGS]) {
    char *line = NULL;
    size_t capacity = 0;
    int n = 0;
    FILE *in = fopen(path, "r");
    while (in && n < MOST_WARNINGS && getline(&line, &capacity, in) > 0) {
        const char *warning = strstr(line, warning_mark);
        char text[HISS_REASON] = "";
        bool known = !warning;
        append(text, sizeof text, warning ? warning + strlen(warning_mark) : "");
        for (int k = 0; k < n && !known; k++) {
            known = strcmp(out[k], text) == 0;
        }
        if (!known) {
            out[n++] = hiss_arena_text(arena, text);
        }
    }
    free(line);
    if (in) {
        fclose(in);
    }
    return n;
}

const char *hiss_end_explain(const char *end) {
    const bool illegal = strcmp(end, "exit 132") == 0 || strcmp(end, "signal 4") == 0;
    const bool killed = strcmp(end, "exit 137") == 0 || strcmp(end, "signal 9") == 0;
    return illegal  ? " (an illegal instruction, or no such program)"
           : killed ? " (killed, often for want of memory)"
                    : "";
}
