/* Triples of temporal order, by clips whose frames are known by their light: which frames they are, how often they are in
 * order, reversed and far apart, and what lies between them. */
#include "../act.h"

enum { SIDE = 16, FRAMES = 15, M = 6, SAMPLES = 24, STEPS = 4000 };

/* Of frame t; it moves by 1 a frame, and by 60 after frame 7. */
static int light(int64_t t) {
    return (int)(10 + t + (t > 7 ? 59 : 0));
}

typedef struct triple {
    int64_t b, middle, d, sample;
    bool ordered, reversed, alike;
} triple;

static void open_clips(act *a, const char *options) {
    char text[256];
    snprintf(text, sizeof text, "network: {width: 2}\ntemporal_order: {code: 3, hidden: 4, %s}\n", options);
    open_act(a, "temporal_order", text, 1, M, SAMPLES);
    const int64_t bytes = stage_bytes(&a->s.task), clip = a->s.field[1].offset;
    for (int64_t i = 0; i < SAMPLES; i++) {
        for (int64_t t = 0; t < FRAMES; t++) {
            memset(a->s.pixels + i * bytes + clip + t * SIDE * SIDE, light(t), SIDE * SIDE);
        }
    }
}

static int64_t frame_of(const float *patch) {
    const int found = (int)lrintf(255.0f * patch[0]);
    for (int64_t t = 0; t < FRAMES; t++) {
        if (light(t) == found) {
            return t;
        }
    }
    fail_msg("a light of %d", found);
    return -1;
}

/* The triples of the batch at that step of training. */
static void draw(act *a, int64_t step, triple out[M]) {
    rig *r = &a->r[0];
    hiss_lane lane = stage_lane(&a->s, 0, r->graph, r->exec);
    lane.step = step;
    stage_sample(&a->s, &lane);
    const float *patch = hiss_exec_data(r->exec, hiss_graph_input_named(r->graph, "patches"));
    const int32_t *answer = (const int32_t *)hiss_exec_data(r->exec, hiss_graph_input_named(r->graph, "answer"));
    for (int64_t i = 0; i < M; i++) {
        int64_t t[3];
        for (int64_t k = 0; k < 3; k++) {
            t[k] = frame_of(patch + (3 * i + k) * SIDE * SIDE);
        }
        const bool reversed = t[0] > t[2];
        out[i] = (triple){.b = reversed ? t[2] : t[0],
                          .middle = t[1],
                          .d = reversed ? t[0] : t[2],
                          .sample = lane.batch->sample[i],
                          .ordered = answer[i] == 1,
                          .reversed = reversed,
                          .alike = t[0] == t[1] && t[1] == t[2]};
    }
}

static bool same(const triple *x, const triple *y) {
    for (int i = 0; i < M; i++) {
        if (x[i].b != y[i].b || x[i].middle != y[i].middle || x[i].d != y[i].d || x[i].reversed != y[i].reversed) {
            return false;
        }
    }
    return true;
}

static void expect_share(const char *what, int64_t found, double share) {
    const double all = (double)STEPS * M, spread = sqrt(all * share * (1.0 - share));
    if (fabs((double)found - all * share) > 4.5 * spread + 1e-9) {
        fail_msg("%s: %lld of %.0f, where %.1f were expected", what, (long long)found, all, all * share);
    }
}

/* a < b < c < d < e with the gaps asked for, in order or not as the answer says; shares; b and d by motion or by none. */
static void test_frames_and_shares(void **state) {
    (void)state;
    static const struct {
        const char *options;
        int window, gap;
        double negatives;
        bool motion;
    } cases[] = {{"window: 4, gap: 2, avoid_hits: false", 4, 2, 0.75, true},
                 {"window: 3, gap: 1, negatives: 0.4, motion: false, avoid_hits: false", 3, 1, 0.4, false},
                 {"window: 40, gap: 5, avoid_hits: false", FRAMES - 1 - 10, 5, 0.75, true}};
    for (int k = 0; k < HISS_COUNT(cases); k++) {
        static int64_t pairs[FRAMES][FRAMES];
        const int gap = cases[k].gap;
        int64_t shuffled = 0, reversed = 0, earlier = 0;
        act a;
        memset(pairs, 0, sizeof pairs);
        open_clips(&a, cases[k].options);
        for (int64_t step = 0; step < STEPS; step++) {
            triple t[M];
            draw(&a, step, t);
            for (int i = 0; i < M; i++) {
                assert_in_range(t[i].d - t[i].b, 2, cases[k].window);
                assert_true(t[i].b >= gap && t[i].d + gap < FRAMES);
                const bool inside = t[i].middle > t[i].b && t[i].middle < t[i].d;
                assert_int_equal(inside, t[i].ordered);
                assert_true(inside || t[i].middle <= t[i].b - gap || t[i].middle >= t[i].d + gap);
                shuffled += !t[i].ordered;
                reversed += t[i].reversed;
                earlier += t[i].middle < t[i].b;
                pairs[t[i].b][t[i].d]++;
            }
        }
        expect_share("out of order", shuffled, cases[k].negatives);
        expect_share("reversed", reversed, 0.5);
        expect_share("with an earlier frame", earlier, 0.5 * cases[k].negatives);
        double weight[FRAMES][FRAMES] = {{0}}, total = 0.0;
        for (int b = gap; b < FRAMES; b++) {
            for (int d = b + 2; d <= b + cases[k].window && d + gap < FRAMES; d++) {
                const double pixels = SIDE * SIDE, moved = pixels * (light(d) - light(b)) / (d - b);
                total += weight[b][d] = cases[k].motion ? 1.0 + moved : 1.0;
            }
        }
        for (int b = 0; b < FRAMES; b++) {
            for (int d = 0; d < FRAMES; d++) {
                expect_share("a pair", pairs[b][d], weight[b][d] / total);
            }
        }
        close_act(&a);
    }
}

/* Hits are four frames apart: with a gap of 1 there is room between them, and nothing bounces; with a gap of 2 there is none. */
static void test_hits_are_avoided_where_there_is_room(void **state) {
    (void)state;
    static const struct {
        const char *options;
        int gap;
        bool crosses;
    } cases[] = {{"gap: 1", 1, false}, {"gap: 1, avoid_hits: false", 1, true}, {"gap: 2", 2, true}};
    for (int k = 0; k < HISS_COUNT(cases); k++) {
        int64_t crossed = 0;
        act a;
        open_clips(&a, cases[k].options);
        for (int64_t step = 0; step < 200; step++) {
            triple t[M];
            draw(&a, step, t);
            for (int i = 0; i < M; i++) {
                int64_t from = t[i].b - cases[k].gap, to = t[i].d + cases[k].gap;
                from = t[i].middle < from ? t[i].middle : from;
                to = t[i].middle > to ? t[i].middle : to;
                for (int64_t f = from + 1; f < to; f++) {
                    crossed += stage_hit(t[i].sample, f);
                }
            }
        }
        assert_int_equal(crossed > 0, cases[k].crosses);
        close_act(&a);
    }
}

/* The control sees one frame three times, and its answers have the same shares. A step gives the same triples again. */
static void test_identical_and_again(void **state) {
    (void)state;
    act a;
    int64_t shuffled = 0;
    open_clips(&a, "identical: true");
    for (int64_t step = 0; step < STEPS; step++) {
        triple t[M];
        draw(&a, step, t);
        for (int i = 0; i < M; i++) {
            assert_true(t[i].alike);
            shuffled += !t[i].ordered;
        }
    }
    expect_share("out of order", shuffled, 0.75);
    close_act(&a);
    open_clips(&a, "gap: 2");
    triple first[M], later[M], again[M];
    draw(&a, 3, first);
    draw(&a, 4, later);
    draw(&a, 3, again);
    assert_true(same(first, again));
    assert_false(same(first, later));
    close_act(&a);
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_frames_and_shares),
                                       cmocka_unit_test(test_hits_are_avoided_where_there_is_room),
                                       cmocka_unit_test(test_identical_and_again)};
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
