/* Shared inside src/match only. */
#ifndef HISS_MATCH_IMPL_H
#define HISS_MATCH_IMPL_H

#include "hiss/match.h"

enum { HISS_MATCH_OWN_THREAD = -1 };

/* The thread of `beside`; thread.c. Not collective. */
typedef struct hiss_match_thread hiss_match_thread;
hiss_status hiss_match_thread_create(hiss_match *x, hiss_match_thread **out, hiss_error *err);
void hiss_match_thread_destroy(hiss_match_thread *t); /* NULL is allowed */
void hiss_match_thread_wake(hiss_match_thread *t);    /* there is something to assist with */

#endif
