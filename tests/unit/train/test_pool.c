/* The pool: every item once, in ascending order, on every number of threads; the idle callback; no allocation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "hiss/alloc.h"
#include "train/pool.h"

enum { MOST = 100, THREADS = 4 };

static pool *new_pool(int threads) {
    pool *p = NULL;
    hiss_error err = {0};
    if (train_pool_create(threads, &p, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    return p;
}

typedef struct round_of_items {
    pool *p;
    pthread_t caller;
    _Atomic int done[MOST];
    _Atomic int64_t last[THREADS]; /* last item of each thread */
    _Atomic bool wrong;
    int idles;
} round_of_items;

static void mark(void *user, int thread, int64_t item) {
    round_of_items *r = user;
    const bool caller = pthread_equal(pthread_self(), r->caller) != 0;
    if (thread < 0 || thread >= train_pool_threads(r->p) || caller != (thread == 0) ||
        item <= atomic_load(&r->last[thread])) {
        atomic_store(&r->wrong, true);
        return;
    }
    atomic_store(&r->last[thread], item);
    atomic_fetch_add(&r->done[item], 1);
}

static void count_idle(void *user) {
    round_of_items *r = user;
    if (!pthread_equal(pthread_self(), r->caller)) {
        atomic_store(&r->wrong, true);
    }
    r->idles++;
}

static void test_every_item_once(void **state) {
    (void)state;
    static const int64_t counts[] = {1, 2, 3, 4, 5, 7, 16, MOST, 0};
    for (int threads = 1; threads <= THREADS; threads++) {
        pool *p = new_pool(threads);
        assert_int_equal(train_pool_threads(p), threads);
        const int64_t blocks = hiss_alloc_live();
        hiss_alloc_seal(true);
        for (int round = 0; round < 900; round++) {
            const int64_t count = counts[round % 9];
            round_of_items r = {.p = p, .caller = pthread_self()};
            for (int t = 0; t < THREADS; t++) {
                atomic_store(&r.last[t], -1);
            }
            train_pool_run(p, count, mark, round % 2 ? count_idle : NULL, &r);
            assert_false(atomic_load(&r.wrong));
            for (int64_t i = 0; i < MOST; i++) { /* all done when it returns: r may go out of scope */
                assert_int_equal(atomic_load(&r.done[i]), i < count);
            }
        }
        hiss_alloc_seal(false);
        assert_int_equal(hiss_alloc_live(), blocks);
        train_pool_destroy(p);
    }
    train_pool_destroy(NULL);
    assert_int_equal(hiss_alloc_live(), 0);
}

typedef struct wait_for_idle {
    _Atomic int others, idled;
    _Atomic bool together;
} wait_for_idle;

/* Items of other threads end only when the caller has been idle; the caller's end only when all others hold one. */
static void hold(void *user, int thread, int64_t item) {
    (void)item;
    wait_for_idle *w = user;
    if (thread > 0) {
        atomic_fetch_add(&w->others, 1);
        while (!atomic_load(&w->idled)) {
            sched_yield();
        }
    } else {
        while (atomic_load(&w->others) < THREADS - 1) {
            sched_yield();
        }
        atomic_store(&w->together, true);
    }
}

static void release(void *user) {
    wait_for_idle *w = user;
    atomic_fetch_add(&w->idled, 1);
}

static void test_idle_while_others_work(void **state) {
    (void)state;
    pool *p = new_pool(THREADS);
    for (int round = 0; round < 50; round++) {
        wait_for_idle w = {0};
        train_pool_run(p, THREADS, hold, release, &w);
        assert_true(atomic_load(&w.together)); /* all threads worked at once */
        assert_true(atomic_load(&w.idled) >= 1);
        assert_int_equal(atomic_load(&w.others), THREADS - 1);
    }
    train_pool_destroy(p);
}

/* Results written by items are seen by the caller: plain memory, no atomics. */
static void write_square(void *user, int thread, int64_t item) {
    (void)thread;
    ((int64_t *)user)[item] += item * item;
}

static void test_results_are_visible(void **state) {
    (void)state;
    pool *p = new_pool(3);
    int64_t squares[MOST] = {0};
    for (int64_t round = 1; round <= 200; round++) {
        train_pool_run(p, MOST, write_square, NULL, squares);
        for (int64_t i = 0; i < MOST; i++) {
            assert_int_equal(squares[i], round * i * i);
        }
    }
    train_pool_destroy(p);
}

static void test_unused_pool(void **state) {
    (void)state;
    for (int k = 0; k < 20; k++) {
        train_pool_destroy(new_pool(1 + k % THREADS));
    }
    assert_int_equal(hiss_alloc_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_item_once),
                                       cmocka_unit_test(test_idle_while_others_work),
                                       cmocka_unit_test(test_results_are_visible), cmocka_unit_test(test_unused_pool)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
