/* Shared inside src/match only. */
#ifndef HISS_MATCH_IMPL_H
#define HISS_MATCH_IMPL_H

#include "hiss/match.h"

enum { HISS_MATCH_OWN_THREAD = -1 };

/* The thread of `beside`; thread.c. Not collective. */
typedef struct match_thread match_thread;
hiss_status match_thread_create(hiss_match *x, match_thread **out, hiss_error *err);
void match_thread_destroy(match_thread *t); /* NULL is allowed */
void match_thread_wake(match_thread *t);    /* there is something to assist with */

#endif
