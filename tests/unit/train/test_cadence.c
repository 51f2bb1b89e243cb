/* When checkpoints are due, which stay, and when a run has to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "experiment/interval.h"
#include "train/cadence.h"

static hiss_checkpoint_options options(const char *every, const char *keep_every) {
    hiss_checkpoint_options o = {
        .every_text = every, .keep_every_text = keep_every, .mtbf_text = "24 h", .margin_text = "30 s", .keep = 2};
    hiss_error err = {0};
    if (experiment_interval_parse(&o, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    return o;
}

static void intervals_are_read(void **unused) {
    (void)unused;
    static const struct {
        const char *text;
        hiss_interval expected;
    } cases[] = {{"1 epoch", {HISS_EVERY_EPOCHS, 1}},    {"3 epochs", {HISS_EVERY_EPOCHS, 3}},
                 {"500 steps", {HISS_EVERY_STEPS, 500}}, {"1 step", {HISS_EVERY_STEPS, 1}},
                 {"10 min", {HISS_EVERY_SECONDS, 600}},  {"1.5 h", {HISS_EVERY_SECONDS, 5400}},
                 {"0.5 s", {HISS_EVERY_SECONDS, 0.5}},   {"20min", {HISS_EVERY_SECONDS, 1200}},
                 {"auto", {HISS_EVERY_AUTO, 0}},         {"never", {HISS_EVERY_NEVER, 0}}};
    for (int k = 0; k < HISS_COUNT(cases); k++) {
        const hiss_checkpoint_options o = options(cases[k].text, "never");
        assert_int_equal(o.every.unit, cases[k].expected.unit);
        assert_true(o.every.count == cases[k].expected.count);
    }
    assert_true(options("auto", "never").mtbf == 86400.0 && options("auto", "never").margin == 30.0);
}

static void expect_refused(const hiss_checkpoint_options *o, const char *start) {
    hiss_checkpoint_options copy = *o;
    hiss_error err = {0};
    assert_int_equal(experiment_interval_parse(&copy, &err), HISS_EUSER);
    if (strncmp(err.text, start, strlen(start)) != 0) {
        fail_msg("expected \"%s...\", found \"%s\"", start, err.text);
    }
}

static void wrong_intervals_are_refused(void **unused) {
    (void)unused;
    static const char *const wrong[] = {"",      "5",         "0 steps", "-1 epoch",  "1.5 epochs",  "2 fortnights",
                                        "epoch", "inf steps", "nan s",   "1 epoch x", "1e300 steps", "sometimes"};
    for (int k = 0; k < HISS_COUNT(wrong); k++) {
        hiss_checkpoint_options o = options("never", "never");
        char start[64];
        o.every_text = wrong[k];
        snprintf(start, sizeof start, "checkpoint.every: '%s'; expected", wrong[k]);
        expect_refused(&o, start);
    }
    hiss_checkpoint_options o = options("never", "never");
    o.keep_every_text = "10 min";
    expect_refused(&o, "checkpoint.keep_every: '10 min'");
    o.keep_every_text = "auto";
    expect_refused(&o, "checkpoint.keep_every: 'auto'");
    o = options("never", "never");
    o.mtbf_text = "never";
    expect_refused(&o, "checkpoint.mtbf: 'never'");
    o.mtbf_text = "24 h";
    o.margin_text = "30 steps";
    expect_refused(&o, "checkpoint.margin: '30 steps'");
}

/* A simple account of every step: what lies there while one is written. */
static int64_t count_most(const hiss_checkpoint_options *o, int64_t steps_per_epoch, int64_t steps) {
    int64_t there[64], count = 0, most = 0;
    for (int64_t step = 1; step <= steps; step++) {
        const cadence_state state = {.step = step, .steps_per_epoch = steps_per_epoch};
        if (step < steps && train_cadence_at(o, &state) == CADENCE_NOT) {
            continue;
        }
        memmove(there + 1, there, sizeof *there * (size_t)count);
        there[0] = step;
        count++;
        most = count > most ? count : most;
        int64_t kept[64], n = 0;
        for (int64_t k = 0; k < count; k++) {
            if (train_cadence_keeps(o, steps_per_epoch, step, there, (int)count, there[k])) {
                kept[n++] = there[k];
            }
        }
        memcpy(there, kept, sizeof kept);
        count = n;
    }
    return most;
}

static void room_is_counted_for_all_at_once(void **unused) {
    (void)unused;
    static const char *const every[] = {"never", "1 epoch", "2 epochs", "3 steps", "4 steps", "7 steps"};
    for (int a = 0; a < HISS_COUNT(every); a++) {
        for (int b = 0; b < HISS_COUNT(every); b++) {
            for (int64_t keep = 1; keep < 5; keep++) {
                for (int64_t steps = 1; steps < 40; steps++) {
                    hiss_checkpoint_options o = options(every[a], every[b]);
                    hiss_error err = {0};
                    int64_t milestones;
                    o.keep = keep;
                    assert_int_equal(experiment_interval_parse(&o, &err), HISS_OK);
                    const int64_t most = train_cadence_most(&o, 5, steps, &milestones);
                    if (most != count_most(&o, 5, steps)) {
                        fail_msg("every %s, keep_every %s, keep %d, %d steps: %d, not %d", every[a], every[b],
                                 (int)keep, (int)steps, (int)most, (int)count_most(&o, 5, steps));
                    }
                }
            }
        }
    }
    hiss_checkpoint_options timed = options("10 min", "2 epochs");
    hiss_error err = {0};
    int64_t milestones;
    timed.keep = 2;
    assert_int_equal(experiment_interval_parse(&timed, &err), HISS_OK);
    assert_int_equal(train_cadence_most(&timed, 5, 41, &milestones), 2 + 4 + 1);
    assert_int_equal(milestones, 4);
}

static void young_balances_cost_and_loss(void **unused) {
    (void)unused;
    const double C = 2.0, M = 50000.0, T = train_cadence_young(C, 0.0, M);
    assert_true(fabs(T - sqrt(2.0 * C * M)) < 1e-9);
    for (double other = T / 4; other < 4 * T; other *= 1.1) { /* no interval loses less */
        assert_true(C / other + other / (2.0 * M) >= C / T + T / (2.0 * M) - 1e-12);
    }
    assert_true(train_cadence_young(1e-6, 0.1, M) == 10.0);
    assert_true(train_cadence_young(1e-6, 40.0, M) == 400.0);
}

static cadence_due at(const hiss_checkpoint_options *o, int64_t step, double since) {
    return train_cadence_at(o, &(cadence_state){.step = step, .steps_per_epoch = 12, .since = since, .blocked = 0.5});
}

static void due_by_steps_epochs_and_time(void **unused) {
    (void)unused;
    hiss_checkpoint_options o = options("2 epochs", "never");
    for (int64_t step = 1; step <= 100; step++) {
        assert_int_equal(at(&o, step, 1e9), step % 24 == 0 ? CADENCE_DUE : CADENCE_NOT);
    }
    o = options("7 steps", "21 steps");
    for (int64_t step = 1; step <= 100; step++) {
        assert_int_equal(at(&o, step, 1e9), step % 21 == 0  ? CADENCE_MILESTONE
                                            : step % 7 == 0 ? CADENCE_DUE
                                                            : CADENCE_NOT);
    }
    o = options("10 min", "1 epoch");
    assert_int_equal(at(&o, 11, 599.0), CADENCE_NOT);
    assert_int_equal(at(&o, 11, 600.0), CADENCE_DUE);
    assert_int_equal(at(&o, 12, 0.0), CADENCE_MILESTONE);
    o = options("auto", "never");
    assert_int_equal(at(&o, 12, sqrt(86400.0) - 0.01), CADENCE_NOT);
    assert_int_equal(at(&o, 12, sqrt(86400.0) + 0.01), CADENCE_DUE);
    o = options("never", "never");
    assert_int_equal(at(&o, 12, 1e9), CADENCE_NOT);
}

static void the_newest_and_the_milestones_stay(void **unused) {
    (void)unused;
    const hiss_checkpoint_options o = options("1 epoch", "5 epochs");
    static const int64_t steps[] = {99, 84, 72, 60, 48, 36, 24, 12};
    static const bool stays[] = {true, true, true, true, false, false, false, false};
    for (int k = 0; k < HISS_COUNT(steps); k++) { /* 99: of a past that was given up */
        assert_int_equal(train_cadence_keeps(&o, 12, 84, steps, HISS_COUNT(steps), steps[k]), stays[k]);
    }
}

static void the_reserve_covers_all_that_follows(void **unused) {
    (void)unused;
    assert_true(train_cadence_reserve(3.0, 10.0, 30.0) == 56.0);
    /* A run that looks before each step, and whose steps and checkpoints take no longer than those seen, ends in
     * time. */
    for (double phase = 0.0; phase < 3.0; phase += 0.1) {
        const double end = 1000.0;
        double now = phase;
        bool last = false;
        while (!last) {
            last = end - now < train_cadence_reserve(3.0, 10.0, 30.0);
            now += 3.0;
        }
        assert_true(now + 10.0 + 10.0 + 30.0 <= end);
        assert_true(now + 60.0 > end);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_are_read),
        cmocka_unit_test(wrong_intervals_are_refused),
        cmocka_unit_test(room_is_counted_for_all_at_once),
        cmocka_unit_test(young_balances_cost_and_loss),
        cmocka_unit_test(due_by_steps_epochs_and_time),
        cmocka_unit_test(the_newest_and_the_milestones_stay),
        cmocka_unit_test(the_reserve_covers_all_that_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
