/* Counted allocation, and arenas as chains of blocks that double in size.
 *
 * Libraries crash, hang or blame something else when memory runs out. So it never runs out in them first: what hiss
 * takes leaves RESERVE bytes, and what a library is known to take at once is asked for before it does. Asking costs two
 * system calls; smaller blocks than ASK_FROM do without. */
#include "hiss/alloc.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "hiss/fault.h"
#include "hiss/interrupt.h"
#include "hiss/log.h"
#include "hiss/status.h"

enum { ALIGNMENT = 64, FIRST_BLOCK = 1 << 14, HUGE_PAGE = 2 << 20, HUGE_FROM = 2 << 20 };
enum { RESERVE = 32 << 20, ASK_FROM = 1 << 16 };

static _Atomic int64_t live;
static _Thread_local bool sealed;
static _Thread_local struct { const char *what, *advice; } purpose;
static struct {
    void (*act)(void *);
    void *user;
} at_end;

void hiss_alloc_for(const char *what, const char *advice) {
    purpose.what = what;
    purpose.advice = advice;
}

/* Ranks mostly run out of memory together: when rank 0 ends, the launcher ends the others, and one line is enough. */
static void let_rank_0_speak(void) {
    struct timespec left = {.tv_sec = hiss_log_rank() > 0 ? 3 : 0};
    while (nanosleep(&left, &left) != 0) {
    }
}

void hiss_alloc_at_end(void (*act)(void *), void *user) {
    at_end.user = user;
    at_end.act = act;
}

static _Noreturn void out_of_memory(size_t bytes, const char *what, const char *advice) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)bytes;
    int unit = 0;
    for (; size >= 1024.0 && unit + 1 < (int)(sizeof units / sizeof *units); unit++) {
        size /= 1024.0;
    }
    let_rank_0_speak();
    if (at_end.act) {
        at_end.act(at_end.user);
    }
    hiss_interrupt_clear();
    const int code = hiss_exit_code(HISS_ESYSTEM);
    hiss_end_line(code, "out of memory: could not get %.*f %s%s%s; %s", unit ? 1 : 0, size, units[unit],
                  what ? " for " : "", what ? what : "",
                  advice ? advice : "start fewer ranks on a node, or ask for more memory");
    _exit(code); /* other threads run on until here: no handlers */
}

bool hiss_alloc_room(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory != MAP_FAILED && munmap(memory, bytes) == 0;
}

void hiss_alloc_expect(size_t bytes, const char *what, const char *advice) {
    if (!hiss_alloc_room(bytes + RESERVE)) {
        out_of_memory(bytes, what, advice);
    }
}

void hiss_alloc_expect_thread(void) {
    pthread_attr_t attributes;
    size_t stack = 0;
    pthread_attr_init(&attributes);
    pthread_attr_getstacksize(&attributes, &stack);
    pthread_attr_destroy(&attributes);
    hiss_alloc_expect(stack, "the stack of a thread", "lower dist.threads, or the limit of stacks (ulimit -s)");
}

FILE *hiss_text_open(char **text, size_t *size) {
    FILE *stream = hiss_fault("memory.text") ? NULL : open_memstream(text, size);
    if (!stream) {
        out_of_memory(BUFSIZ, purpose.what, purpose.advice);
    }
    return stream;
}

void *hiss_alloc(size_t bytes) {
    assert(!sealed && "allocation inside the training loop");
    const size_t alignment = bytes >= HUGE_FROM ? HUGE_PAGE : ALIGNMENT;
    size_t rounded = bytes > SIZE_MAX - alignment ? SIZE_MAX : (bytes + alignment) / alignment * alignment;
    void *memory = rounded == SIZE_MAX || hiss_fault("memory.alloc") ? NULL : aligned_alloc(alignment, rounded);
    if (!memory || (bytes >= ASK_FROM && !hiss_alloc_room(RESERVE))) {
        out_of_memory(bytes, purpose.what, purpose.advice);
    }
    if (alignment == HUGE_PAGE) {
        (void)madvise(memory, rounded, MADV_HUGEPAGE); /* a wish: where the system has none, small pages do */
    }
    memset(memory, 0, rounded);
    atomic_fetch_add(&live, 1);
    return memory;
}

void hiss_free(void *memory) {
    if (memory) {
        atomic_fetch_sub(&live, 1);
        free(memory);
    }
}

int64_t hiss_alloc_live(void) {
    return atomic_load(&live);
}

void hiss_alloc_seal(bool seal) {
    sealed = seal;
}

typedef struct block {
    struct block *next;
    size_t size, used;
    char padding[ALIGNMENT - sizeof(void *) - 2 * sizeof(size_t)];
    char bytes[];
} block;

struct hiss_arena {
    block *head;
};

hiss_arena *hiss_arena_create(void) {
    return hiss_new(hiss_arena, 1);
}

void *hiss_arena_alloc(hiss_arena *arena, size_t bytes) {
    if (bytes > SIZE_MAX / 4) {
        return hiss_alloc(bytes); /* refused; the sums below would overflow */
    }
    size_t need = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!arena->head || arena->head->size - arena->head->used < need) {
        size_t size = arena->head ? 2 * arena->head->size : FIRST_BLOCK;
        while (size < need) {
            size *= 2;
        }
        block *fresh = hiss_alloc(sizeof(block) + size);
        fresh->size = size;
        fresh->next = arena->head;
        arena->head = fresh;
    }
    void *memory = arena->head->bytes + arena->head->used;
    arena->head->used += need;
    return memory;
}

char *hiss_arena_text(hiss_arena *arena, const char *text) {
    return text ? strcpy(hiss_arena_alloc(arena, strlen(text) + 1), text) : NULL;
}

char *hiss_arena_vformat(hiss_arena *arena, const char *format, va_list arguments) {
    assert(format);
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = hiss_arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

char *hiss_arena_format(hiss_arena *arena, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = hiss_arena_vformat(arena, format, arguments);
    va_end(arguments);
    return text;
}

void hiss_arena_destroy(hiss_arena *arena) {
    for (block *b = arena ? arena->head : NULL; b;) {
        block *next = b->next;
        hiss_free(b);
        b = next;
    }
    hiss_free(arena);
}
