/* The recorder: what is kept, what is dropped, from several threads, and that it allocates nothing while it records. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hiss/alloc.h"
#include "hiss/clock.h"
#include "hiss/trace.h"

static void nothing_is_recorded_without_one(void **state) {
    (void)state;
    assert_int_equal(hiss_trace_add_row(NULL, "main", -1), 0);
    assert_int_equal(hiss_trace_add_name(NULL, HISS_TRACE_STEP, "step", "step", NULL), 0);
    assert_false(hiss_trace_on(NULL));
    hiss_trace_switch(NULL, true);
    hiss_trace_add(NULL, 0, 0, 1.0, 2.0, 3, 4);
    hiss_trace_destroy(NULL);
}

static void names_and_rows_keep_their_order(void **state) {
    (void)state;
    hiss_trace *t = hiss_trace_create(1);
    char text[HISS_TRACE_TEXT * 2];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    for (int k = 0; k < 100; k++) {
        assert_int_equal(hiss_trace_add_row(t, "thread", k), k);
        assert_int_equal(hiss_trace_add_name(t, HISS_TRACE_BUCKET, k ? text : "bucket", "bucket", NULL), k);
    }
    const hiss_trace_record r = hiss_trace_recorded(t);
    assert_true(r.names == 100 && r.rows == 100 && r.spans == 0 && r.dropped == 0);
    assert_string_equal(r.row[99].text, "thread 99");
    assert_string_equal(r.name[0].text, "bucket");
    assert_string_equal(r.name[0].value, "bucket");
    assert_string_equal(r.name[0].second, "");
    assert_int_equal(r.name[0].kind, HISS_TRACE_BUCKET);
    assert_int_equal(strlen(r.name[99].text), HISS_TRACE_TEXT - 1);
    hiss_trace_destroy(t);
}

/* What begins while it is on is kept, whenever it ends. */
static void it_is_switched_on_and_off(void **state) {
    (void)state;
    hiss_trace *t = hiss_trace_create(10);
    const double early = hiss_seconds();
    hiss_trace_add(t, 0, 0, early, early, 1, 0);
    hiss_trace_switch(t, true);
    assert_true(hiss_trace_on(t));
    const double inside = hiss_seconds();
    hiss_trace_add(t, 0, 0, inside, inside, 2, 0);
    while (hiss_seconds() <= inside) {
    }
    hiss_trace_switch(t, false);
    assert_false(hiss_trace_on(t));
    while (hiss_seconds() <= inside + 1e-3) {
    }
    const double late = hiss_seconds();
    hiss_trace_add(t, 0, 0, inside, late, 3, 0); /* a background thread ends its work */
    hiss_trace_add(t, 0, 0, late, late, 4, 0);
    const hiss_trace_record r = hiss_trace_recorded(t);
    assert_true(r.spans == 2 && r.span[0].value == 2 && r.span[1].value == 3 && r.dropped == 0);
    hiss_trace_destroy(t);
}

enum { THREADS = 4, EACH = 1000, ROOM = 2500 };

static void *record(void *user) {
    hiss_trace *t = user;
    hiss_alloc_seal(true);
    for (int k = 0; k < EACH; k++) {
        hiss_trace_add(t, 1, 2, k, k + 0.5, k, EACH - k);
    }
    hiss_alloc_seal(false);
    return NULL;
}

static void threads_share_it_and_what_finds_no_room_is_counted(void **state) {
    (void)state;
    const int64_t before = hiss_alloc_live();
    hiss_trace *t = hiss_trace_create(ROOM);
    pthread_t thread[THREADS];
    hiss_trace_switch(t, true);
    for (int k = 0; k < THREADS; k++) {
        assert_int_equal(pthread_create(&thread[k], NULL, record, t), 0);
    }
    for (int k = 0; k < THREADS; k++) {
        pthread_join(thread[k], NULL);
    }
    hiss_trace_switch(t, false);
    const hiss_trace_record r = hiss_trace_recorded(t);
    assert_true(r.spans == ROOM && r.dropped == THREADS * EACH - ROOM);
    for (int64_t i = 0; i < ROOM; i++) {
        const hiss_trace_span *s = &r.span[i];
        assert_true(s->row == 1 && s->name == 2 && s->value + s->second == EACH);
        assert_true(s->begin == s->value && s->end == s->begin + 0.5);
    }
    hiss_trace_destroy(t);
    assert_true(hiss_alloc_live() == before);
}

static void every_kind_has_a_category(void **state) {
    (void)state;
    for (hiss_trace_kind k = 0; k < HISS_TRACE_KINDS; k++) {
        for (hiss_trace_kind other = 0; other < k; other++) {
            assert_string_not_equal(hiss_trace_category(k), hiss_trace_category(other));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_recorded_without_one),
                                       cmocka_unit_test(names_and_rows_keep_their_order),
                                       cmocka_unit_test(it_is_switched_on_and_off),
                                       cmocka_unit_test(threads_share_it_and_what_finds_no_room_is_counted),
                                       cmocka_unit_test(every_kind_has_a_category)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
