/* SIGINT, SIGTERM and SIGHUP while a command works: its temporary files go, one line is said, and the process ends by
 * the signal, so that a shell sees 128 + its number. Not collective. The state is of the process: a signal handler has
 * nowhere else to read. */
#ifndef HISS_INTERRUPT_H
#define HISS_INTERRUPT_H

#include <stdbool.h>

/* From now on the three signals end this process so. One that is ignored (nohup) stays ignored. Children that exec get
 * the system's handling; those that do not, end without a word.
 *   speak  whether this process says the line */
void hiss_interrupt_catch(bool speak);

/* The file goes with the process, if a signal ends it before the file is forgotten. Longer paths than PATH_MAX, and
 * more than 16 files at a time, stay. path is copied. Thread-safe; allocates nothing. */
void hiss_interrupt_remove(const char *path);
void hiss_interrupt_forget(const char *path);

/* Remove these files now: for what ends the process by itself. Async-signal-safe. */
void hiss_interrupt_clear(void);

#endif
