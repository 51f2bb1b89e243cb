/* Counted allocation and arenas. */
#include "hiss/alloc.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_fresh(const char *memory, size_t bytes) {
    assert_non_null(memory);
    assert_int_equal((uintptr_t)memory % 64, 0);
    for (size_t i = 0; i < bytes; i++) {
        assert_int_equal(memory[i], 0);
    }
}

static void test_zeroed_aligned_counted(void **state) {
    (void)state;
    enum { COUNT = 300 };
    char *memory[COUNT];
    for (int round = 0; round < 2; round++) { /* the second round gets used memory */
        for (int i = 0; i < COUNT; i++) {
            memory[i] = hiss_alloc((size_t)i);
            assert_int_equal(hiss_alloc_live(), i + 1);
            assert_fresh(memory[i], (size_t)i);
            memset(memory[i], 0xff, (size_t)i);
        }
        for (int i = 0; i < COUNT; i++) {
            hiss_free(memory[i]);
        }
        assert_int_equal(hiss_alloc_live(), 0);
    }
    hiss_free(NULL);
    assert_int_equal(hiss_alloc_live(), 0);
    double *x = hiss_new(double, 1000);
    assert_true(x[999] == 0);
    hiss_free(x);
}

static void *churn(void *unused) {
    (void)unused;
    for (int i = 0; i < 2000; i++) {
        hiss_free(hiss_alloc(100));
    }
    return hiss_alloc(1);
}

static void test_threads(void **state) {
    (void)state;
    enum { THREADS = 4 };
    pthread_t thread[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, churn, NULL), 0);
    }
    void *memory[THREADS];
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], &memory[i]);
    }
    assert_int_equal(hiss_alloc_live(), THREADS);
    for (int i = 0; i < THREADS; i++) {
        hiss_free(memory[i]);
    }
    assert_int_equal(hiss_alloc_live(), 0);
}

/* Let a refused allocation come back as NULL under the address sanitizer, as it does without. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}

static void alloc_too_much(void) {
    hiss_alloc(SIZE_MAX);
}

static void alloc_far_too_much(void) {
    hiss_alloc(SIZE_MAX - 200);
}

static hiss_arena *volatile last_arena; /* reachable when the process ends */

static void arena_too_much(void) {
    last_arena = hiss_arena_create();
    hiss_arena_alloc(last_arena, SIZE_MAX);
}

static void arena_far_too_much(void) {
    last_arena = hiss_arena_create();
    hiss_arena_alloc(last_arena, SIZE_MAX / 2 + 2);
}

static void alloc_while_sealed(void) {
    hiss_alloc_seal(true);
    hiss_alloc(1);
}

/* Run body in a child, its stderr into text; returns its wait status. */
static int run_child(void (*body)(void), char *text, size_t size) {
    int channel[2], status = -1;
    assert_int_equal(pipe(channel), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(channel[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        body();
        _exit(0);
    }
    close(channel[1]);
    size_t length = 0;
    for (ssize_t got; length < size - 1 && (got = read(channel[0], text + length, size - 1 - length)) > 0;) {
        length += (size_t)got;
    }
    text[length] = '\0';
    close(channel[0]);
    waitpid(child, &status, 0);
    return status;
}

static void test_out_of_memory(void **state) {
    (void)state;
    void (*body[])(void) = {alloc_too_much, alloc_far_too_much, arena_too_much, arena_far_too_much};
    for (int i = 0; i < 4; i++) {
        char text[2000];
        int status = run_child(body[i], text, sizeof text);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 2);
        assert_non_null(strstr(text, "hiss: error: out of memory: could not get "));
    }
}

static void say_farewell(void *user) {
    fputs(user, stderr);
}

static void expect_too_much(void) {
    static char farewell[] = "farewell\n";
    hiss_alloc_for("something else", NULL);
    hiss_alloc_at_end(say_farewell, farewell);
    hiss_alloc_expect((size_t)1 << 60, "a library", "use another");
}

static void expect_little(void) {
    hiss_alloc_expect(1 << 20, "a library", NULL);
    hiss_alloc_expect_thread();
}

static void *take_too_much(void *unused) {
    hiss_alloc((size_t)1 << 60);
    return unused;
}

static void many_threads_too_much(void) {
    pthread_t thread[8];
    for (int i = 0; i < 8; i++) {
        pthread_create(&thread[i], NULL, take_too_much, NULL);
    }
    pthread_join(thread[0], NULL);
}

/* Address space for 60 MiB more: what hiss takes in pieces of 1 MiB ends before libraries lack theirs. */
static void take_all(void) {
    unsigned long pages = 0;
    FILE *in = fopen("/proc/self/statm", "r");
    if (!in || fscanf(in, "%lu", &pages) != 1 || pages > 1ul << 30) { /* sanitizers reserve terabytes */
        fprintf(stderr, "hiss: error: out of memory: no limit here, after 20 pieces\n");
        _exit(2);
    }
    fclose(in);
    const rlim_t limit = pages * (rlim_t)sysconf(_SC_PAGESIZE) + (60 << 20);
    setrlimit(RLIMIT_AS, &(struct rlimit){limit, limit});
    for (int piece = 0; piece < 1000; piece++) {
        if (piece > 35) {
            _exit(7);
        }
        hiss_alloc(1 << 20);
        void *of_library = malloc(16 << 20);
        if (!of_library) {
            _exit(8);
        }
        free(of_library);
        hiss_alloc_for("pieces", NULL);
    }
}

static void test_libraries_never_lack_memory_first(void **state) {
    (void)state;
    const struct {
        void (*body)(void);
        const char *text;
    } cases[] = {{expect_too_much,
                  "farewell\nhiss: error: out of memory: could not get 1048576.0 TiB for a library; use another\n"},
                 {many_threads_too_much, "hiss: error: out of memory: could not get "},
                 {take_all, "hiss: error: out of memory: "}};
    char text[2000];
    for (int i = 0; i < 3; i++) {
        const int status = run_child(cases[i].body, text, sizeof text);
        const char *found = strstr(text, cases[i].text);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 2);
        assert_non_null(found);
        assert_null(strstr(found + strlen(cases[i].text), "out of memory")); /* one line */
    }
    assert_int_equal(run_child(expect_little, text, sizeof text), 0);
    assert_string_equal(text, "");
}

static void test_seal(void **state) {
    (void)state;
    char text[2000];
    int status = run_child(alloc_while_sealed, text, sizeof text);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "allocation inside the training loop"));

    pthread_t thread;
    void *memory;
    hiss_alloc_seal(true); /* of this thread only */
    pthread_create(&thread, NULL, churn, NULL);
    pthread_join(thread, &memory);
    hiss_free(memory);
    hiss_alloc_seal(false);
    hiss_free(hiss_alloc(1));
    assert_int_equal(hiss_alloc_live(), 0);
}

static void test_arena(void **state) {
    (void)state;
    enum { COUNT = 2000 };
    unsigned char *memory[COUNT];
    hiss_arena *arena = hiss_arena_create();
    for (int i = 0; i < COUNT; i++) {
        memory[i] = hiss_arena_alloc(arena, (size_t)i);
        assert_fresh((char *)memory[i], (size_t)i);
        memset(memory[i], i % 251 + 1, (size_t)i);
    }
    for (int i = 0; i < COUNT; i++) { /* nobody wrote into another's memory */
        for (int k = 0; k < i; k++) {
            assert_int_equal(memory[i][k], i % 251 + 1);
        }
    }
    assert_fresh(hiss_arena_alloc(arena, 5000000), 5000000);
    assert_true(hiss_alloc_live() < 16);
    hiss_arena_destroy(arena);
    assert_int_equal(hiss_alloc_live(), 0);
    hiss_arena_destroy(NULL);
    hiss_arena_destroy(hiss_arena_create());
    assert_int_equal(hiss_alloc_live(), 0);
}

static void test_arena_texts(void **state) {
    (void)state;
    hiss_arena *arena = hiss_arena_create();
    char source[] = "some text";
    char *copy = hiss_arena_text(arena, source);
    assert_ptr_not_equal(copy, source);
    source[0] = 'x';
    assert_string_equal(copy, "some text");
    assert_string_equal(hiss_arena_text(arena, ""), "");
    assert_null(hiss_arena_text(arena, NULL));
    assert_string_equal(hiss_arena_format(arena, "%s-%d", "step", 12), "step-12");
    char *wide = hiss_arena_format(arena, "%*d", 40000, 7);
    assert_int_equal(strlen(wide), 40000);
    assert_int_equal(wide[39999], '7');
    hiss_arena_destroy(arena);
    assert_int_equal(hiss_alloc_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zeroed_aligned_counted),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_libraries_never_lack_memory_first),
        cmocka_unit_test(test_seal),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_arena_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
