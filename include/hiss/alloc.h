/* Memory: counted allocation and arenas. */
#ifndef HISS_ALLOC_H
#define HISS_ALLOC_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Allocate zeroed memory aligned to 64 bytes. Never returns NULL: when the system refuses, one error line names
 * the size, what it was for and what to lower, and the process ends with 2; so it does when too little would be left
 * for libraries. bytes may be 0. Thread-safe. Not collective. */
void *hiss_alloc(size_t bytes);
#define hiss_new(type, count) ((type *)hiss_alloc(sizeof(type) * (size_t)(count)))

/* What this thread allocates from now on and what to do when it does not fit, for that line. Texts are kept by
 * reference; NULL, NULL: nothing in particular. Not collective. */
void hiss_alloc_for(const char *what, const char *advice);
/* A stream into memory as open_memstream makes one; text is freed by free(). Never NULL: ends as hiss_alloc does. */
FILE *hiss_text_open(char **text, size_t *size);

/* Whether the system would give so many bytes now. Thread-safe. Not collective. */
bool hiss_alloc_room(size_t bytes);
/* End as hiss_alloc does unless it would: before a library takes them that crashes or hangs without. Texts as above;
 * advice may be NULL. Thread-safe. Not collective. */
void hiss_alloc_expect(size_t bytes, const char *what, const char *advice);
/* The same for what a new thread needs. */
void hiss_alloc_expect_thread(void);

/* Call act(user) before the process ends for want of memory, in whatever thread that shows. One at a time; NULL: none.
 * Not collective. */
void hiss_alloc_at_end(void (*act)(void *), void *user);

/* Release memory from hiss_alloc; NULL is allowed. */
void hiss_free(void *memory);

/* Number of blocks from hiss_alloc that are not yet freed, over all threads: 0 after a clean shutdown. */
int64_t hiss_alloc_live(void);

/* While sealed, hiss_alloc on this thread is a bug (asserts unless NDEBUG). The training loop seals itself after
 * its first step. Per thread. */
void hiss_alloc_seal(bool sealed);

/* An arena: many allocations, one release. Memory is zeroed, aligned to 64 bytes. Not thread-safe. */
typedef struct hiss_arena hiss_arena;
hiss_arena *hiss_arena_create(void);
void *hiss_arena_alloc(hiss_arena *arena, size_t bytes);
char *hiss_arena_text(hiss_arena *arena, const char *text); /* copy of a string; NULL gives NULL */
char *hiss_arena_format(hiss_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *hiss_arena_vformat(hiss_arena *arena, const char *format, va_list arguments);
void hiss_arena_destroy(hiss_arena *arena); /* NULL is allowed */

#endif
