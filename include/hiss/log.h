/* The log: the one piece of global state. Lines go to stderr, so that stdout carries results only.
 *
 * Output budget of a clean run, per rank: ERROR none, WARNING none, INFO some tens of lines on rank 0 only,
 * DEBUG a few lines per step. */
#ifndef HISS_LOG_H
#define HISS_LOG_H

#include <stdbool.h>

typedef enum hiss_log_level { HISS_LOG_ERROR, HISS_LOG_WARNING, HISS_LOG_INFO, HISS_LOG_DEBUG } hiss_log_level;
#define HISS_LOG_CHOICES "error|warning|info|debug" /* their names, in order */

/* Set the most verbose level shown, and whose log this is. Ranks other than 0 show only ERROR, and WARNING
 * lines, each prefixed by the rank. Not collective; call once at start, before threads exist. */
void hiss_log_setup(hiss_log_level level, int rank);

/* From now on write no WARNING again whose text is one of the last some dozens. Not collective; as hiss_log_setup. */
void hiss_log_warn_once(void);

int hiss_log_rank(void); /* whose log this is */
/* Write one line (a newline is added). Thread-safe. Not collective. */
void hiss_log(hiss_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Write the ERROR line of a process that ends right after it, by itself and without the other ranks: what was set by
 * hiss_log_before_end is done first. A second thread that calls this waits for the end. Any thread. Not collective. */
void hiss_end_line(int exit_code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What hiss_end_line does first, with context and the exit code; it says whether the line is to be written, for another
 * rank may have said why the job ends. NULL: nothing. context must live until the next call. Not collective. */
typedef bool hiss_log_end(void *context, int exit_code);
void hiss_log_before_end(hiss_log_end *act, void *context);

#define hiss_error_line(...) hiss_log(HISS_LOG_ERROR, __VA_ARGS__)
#define hiss_warn(...)       hiss_log(HISS_LOG_WARNING, __VA_ARGS__)
#define hiss_info(...)       hiss_log(HISS_LOG_INFO, __VA_ARGS__)
#define hiss_debug(...)      hiss_log(HISS_LOG_DEBUG, __VA_ARGS__)

#endif
