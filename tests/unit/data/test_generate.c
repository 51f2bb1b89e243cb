/* Generators: rows that depend on their number and the options alone, for all that are registered; and what the rules of
 * each say of its rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hiss/alloc.h"
#include "hiss/generate.h"
#include "hiss/log.h"

enum { ITEMS = 30, SIDE = 6, ROWS = 40 };

static char folder[] = "/tmp/hiss-generate-XXXXXX";
static char items[128];

static void must(hiss_status status, const hiss_error *err) {
    if (status) {
        fail_msg("%s", err->text);
    }
}

/* Items of one grey level each, 8 times their number, of three classes. */
static void write_items(void) {
    uint8_t pixels[ITEMS][SIDE][SIDE];
    int32_t label[ITEMS];
    hiss_h5 *file;
    hiss_error err;
    const hiss_h5_info images = {HISS_U8, 3, {ITEMS, SIDE, SIDE}}, labels = {HISS_I32, 1, {ITEMS}};
    for (int i = 0; i < ITEMS; i++) {
        memset(pixels[i], 8 * (i + 1), sizeof pixels[i]);
        label[i] = i % 3;
    }
    must(hiss_h5_create(items, &file, &err), &err);
    must(hiss_h5_define(file, "/images", &images, 0, 0, &err), &err);
    must(hiss_h5_define(file, "/labels", &labels, 0, 0, &err), &err);
    must(hiss_h5_write(file, "/images", HISS_U8, 0, ITEMS, pixels, &err), &err);
    must(hiss_h5_write(file, "/labels", HISS_I32, 0, ITEMS, label, &err), &err);
    must(hiss_h5_close(file, &err), &err);
}

/* The options of a generator, from the text of a section, with the items' file where it takes one. */
typedef struct maker {
    const hiss_generator *generator;
    hiss_config *config;
    void *options;
} maker;

static maker maker_of(const hiss_generator *g, const char *keys) {
    maker m = {.generator = g, .options = hiss_alloc(g->options_bytes)};
    bool takes_items = false;
    char text[512];
    hiss_error err;
    for (int k = 0; k < g->nrows; k++) {
        takes_items = takes_items || strcmp(g->rows[k].key, "items") == 0;
    }
    snprintf(text, sizeof text, "generate: {%s%s%s%s}", takes_items ? "items: " : "", takes_items ? items : "",
             takes_items ? ", " : "", keys);
    must(hiss_config_parse("test", text, &m.config, &err), &err);
    must(hiss_config_section(m.config, "generate", g->rows, g->nrows, m.options, &err), &err);
    must(hiss_config_finish(m.config, &err), &err);
    return m;
}

static void maker_free(maker *m) {
    hiss_free(m->options);
    hiss_config_destroy(m->config);
}

static hiss_dataset *set_of(const maker *m) {
    hiss_dataset *set = NULL;
    hiss_error err;
    must(hiss_dataset_generate(m->generator, m->options, true, &set, &err), &err);
    return set;
}

/* All rows of a generator with these keys; free them. */
static uint8_t *rows_of(const hiss_generator *g, const char *keys, char **identity) {
    maker m = maker_of(g, keys);
    hiss_dataset *set = set_of(&m);
    hiss_error err;
    uint8_t *rows = hiss_alloc((size_t)(ROWS * hiss_dataset_row(set)));
    must(hiss_dataset_read(set, 0, ROWS, rows, NULL, &err), &err);
    *identity = strdup(hiss_dataset_identity(set));
    hiss_dataset_close(set);
    maker_free(&m);
    return rows;
}

static void test_rows(void **state) {
    (void)state;
    for (const hiss_generator *const *g = hiss_generators(); *g; g++) {
        maker m = maker_of(*g, "rows: 40");
        hiss_dataset *set = set_of(&m);
        hiss_error err;
        const int64_t row = hiss_dataset_row(set);
        uint8_t *all = hiss_alloc((size_t)(ROWS * row)), *some = hiss_alloc((size_t)(3 * row));
        assert_int_equal(hiss_dataset_count(set), ROWS);
        must(hiss_dataset_read(set, 0, ROWS, all, NULL, &err), &err);
        const int64_t position[] = {2, 17, 39};
        memset(some, 0x55, (size_t)(3 * row)); /* a row is made whole, whatever was there */
        must(hiss_dataset_read_list(set, 3, position, some, NULL, &err), &err);
        const hiss_field *field;
        const int fields = hiss_dataset_fields(set, &field);
        for (int k = 0; k < fields; k++) {
            for (int i = 0; i < 3; i++) {
                assert_memory_equal(some + i * row + field[k].offset, all + position[i] * row + field[k].offset,
                                    (size_t)field[k].bytes);
            }
        }
        int changes = 0; /* rows of few possible ones may follow on their like */
        for (int i = 0; i < ROWS; i++) {
            changes += memcmp(all + i * row, all + (i + 1) % ROWS * row, (size_t)row) != 0;
        }
        assert_true(changes > ROWS / 2);
        hiss_free(some);
        hiss_free(all);
        hiss_dataset_close(set);
        maker_free(&m);
    }
}

/* Seed and part make other rows; more rows begin with the same ones; the identity says which. */
static void test_options(void **state) {
    (void)state;
    static const char *const keys[] = {"rows: 40, seed: 2", "rows: 40, part: test", "rows: 41"};
    for (const hiss_generator *const *g = hiss_generators(); *g; g++) {
        char *identity, *other;
        uint8_t *base = rows_of(*g, "rows: 40", &identity), *again = rows_of(*g, "rows: 40", &other);
        maker m = maker_of(*g, "rows: 40");
        hiss_dataset *set = set_of(&m);
        const size_t bytes = (size_t)(ROWS * hiss_dataset_row(set));
        assert_memory_equal(base, again, bytes);
        assert_string_equal(identity, other);
        assert_true(strncmp(identity, (*g)->name, strlen((*g)->name)) == 0);
        hiss_free(again);
        free(other);
        for (int k = 0; k < 3; k++) {
            again = rows_of(*g, keys[k], &other);
            assert_int_equal(memcmp(base, again, bytes) == 0, k == 2);
            assert_false(hiss_dataset_identities_agree(identity, other));
            hiss_free(again);
            free(other);
        }
        hiss_dataset_close(set);
        maker_free(&m);
        hiss_free(base);
        free(identity);
    }
}

static void test_labels(void **state) {
    (void)state;
    for (const hiss_generator *const *g = hiss_generators(); *g; g++) {
        maker m = maker_of(*g, "rows: 40");
        hiss_dataset *set = set_of(&m);
        hiss_error err;
        int32_t label[ROWS];
        if (hiss_dataset_labelled(set)) {
            must(hiss_dataset_read(set, 0, ROWS, NULL, label, &err), &err);
            for (int i = 0; i < ROWS; i++) {
                assert_true(-1 <= label[i] && label[i] < hiss_dataset_classes(set));
            }
        }
        hiss_dataset_close(set);
        must(hiss_dataset_generate(*g, m.options, false, &set, &err), &err);
        assert_false(hiss_dataset_labelled(set));
        hiss_dataset_close(set);
        maker_free(&m);
    }
}

/* ---- moving ---- */

enum { S = 64, D = 32, T = 15, V = 4 };

typedef struct clip {
    const uint8_t *image, *frames, *hit;
    int32_t item_label;
} clip;

static clip clip_of(const hiss_dataset *set, const uint8_t *row) {
    clip c;
    c.image = row + hiss_dataset_field(set, "image")->offset;
    c.frames = row + hiss_dataset_field(set, "clip")->offset;
    c.hit = row + hiss_dataset_field(set, "hit")->offset;
    memcpy(&c.item_label, row + hiss_dataset_field(set, "item_label")->offset, sizeof c.item_label);
    return c;
}

/* Where the item, of one grey level, is; returns the level. */
static int find_item(const uint8_t *frame, int *x, int *y) {
    int at = 0;
    while (at < S * S && frame[at] == 0) {
        at++;
    }
    assert_true(at < S * S);
    *x = at % S;
    *y = at / S;
    for (int i = 0; i < S * S; i++) {
        const bool inside = i % S >= *x && i % S < *x + D && i / S >= *y && i / S < *y + D;
        assert_int_equal(frame[i], inside ? frame[at] : 0);
    }
    return frame[at];
}

/* Along one axis: what the rules say of places a, b, c of three frames that follow one another, and of the hit at b. */
static void check_step(int a, int b, int c, bool hit_here, bool hit_other, bool deterministic) {
    const int last = S - D - 1, expected = b + (b - a), v = c - b;
    assert_true(0 <= c && c <= last && (v <= V || c == 0 || c == last));
    if (hit_here) {
        assert_true(b == 0 || b == last);
    } else if (!hit_other || deterministic) { /* as before, up to the edge */
        const int next = expected < 0 ? 0 : expected > last ? last : expected;
        assert_true(c == next || a == b || a == 0 || a == last || b == 0 || b == last);
    }
}

static void test_moving_rules(void **state) {
    (void)state;
    for (int deterministic = 0; deterministic < 2; deterministic++) {
        enum { CLIPS = 1500 };
        char keys[128];
        snprintf(keys, sizeof keys, "rows: %d, count: 1, deterministic: %s", CLIPS, deterministic ? "true" : "false");
        maker m = maker_of(hiss_generator_named("moving"), keys);
        hiss_dataset *set = set_of(&m);
        hiss_error err;
        uint8_t *row = hiss_alloc((size_t)hiss_dataset_row(set));
        int hits = 0, still = 0, with_hit = 0, away = 0;
        for (int i = 0; i < CLIPS; i++) {
            int x[T], y[T], level = 0, late = 0;
            int32_t label;
            must(hiss_dataset_read(set, i, 1, row, &label, &err), &err);
            const clip c = clip_of(set, row);
            assert_memory_equal(c.image, c.frames, S * S);
            for (int t = 0; t < T; t++) {
                const int found = find_item(c.frames + t * S * S, &x[t], &y[t]);
                assert_true(t == 0 || found == level);
                level = found;
                hits += c.hit[t] != 0;
                late += t >= 5 && c.hit[t] != 0;
                assert_true(t > 0 || c.hit[t] == 0); /* it begins inside */
                assert_true(!(c.hit[t] & 1) || y[t] == 0 || y[t] == S - D - 1);
                assert_true(!(c.hit[t] & 2) || x[t] == 0 || x[t] == S - D - 1);
            }
            assert_int_equal(label, (level / 8 - 1) % 3);
            assert_int_equal(label, c.item_label);
            for (int t = 1; t + 1 < T; t++) {
                check_step(x[t - 1], x[t], x[t + 1], c.hit[t] & 2, c.hit[t] & 1, deterministic);
                check_step(y[t - 1], y[t], y[t + 1], c.hit[t] & 1, c.hit[t] & 2, deterministic);
                if (c.hit[t] == 0 && c.hit[t - 1] == 0 && c.hit[t + 1] == 0) { /* straight on */
                    assert_int_equal(x[t + 1] - x[t], x[t] - x[t - 1]);
                    assert_int_equal(y[t + 1] - y[t], y[t] - y[t - 1]);
                }
                if (c.hit[t] == 1 && c.hit[t + 1] == 0) { /* off the edge at once */
                    away += y[t + 1] != y[t];
                    assert_true(y[t] == 0 ? y[t + 1] > 0 : y[t + 1] < y[t]);
                }
            }
            still += x[0] == x[T - 1] && y[0] == y[T - 1] && x[0] == x[1] && y[0] == y[1];
            with_hit += late > 0;
        }
        if (!deterministic) { /* 0.13 a frame, 1/81 never move, 83 % hit in frames 5 .. 14 */
            assert_true(hits > 0.115 * CLIPS * T && hits < 0.145 * CLIPS * T);
            assert_true(still > 4 && still < 45);
            assert_true(with_hit > 0.79 * CLIPS && with_hit < 0.87 * CLIPS);
        }
        assert_true(away > 100);
        hiss_free(row);
        hiss_dataset_close(set);
        maker_free(&m);
    }
}

/* No item is in clips of both parts, and all are in one. */
static void test_moving_parts(void **state) {
    (void)state;
    int seen[2][ITEMS] = {{0}};
    for (int part = 0; part < 2; part++) {
        maker m = maker_of(hiss_generator_named("moving"),
                           part ? "rows: 400, count: 1, part: test" : "rows: 400, count: 1, seed: 7");
        hiss_dataset *set = set_of(&m);
        hiss_error err;
        uint8_t *row = hiss_alloc((size_t)hiss_dataset_row(set));
        for (int i = 0; i < 400; i++) {
            int x, y;
            must(hiss_dataset_read(set, i, 1, row, NULL, &err), &err);
            seen[part][find_item(clip_of(set, row).frames, &x, &y) / 8 - 1]++;
        }
        hiss_free(row);
        hiss_dataset_close(set);
        maker_free(&m);
    }
    int tests = 0;
    for (int i = 0; i < ITEMS; i++) {
        assert_true((seen[0][i] > 0) != (seen[1][i] > 0));
        tests += seen[1][i] > 0;
    }
    assert_int_equal(tests, ITEMS / 6);
}

/* Two items overlap by sum, cut at white; the clip goes on alike when it is longer. */
static void test_moving_overlap(void **state) {
    (void)state;
    maker two = maker_of(hiss_generator_named("moving"), "rows: 60, item_size: 60, speed: 1");
    hiss_dataset *set = set_of(&two);
    hiss_error err;
    uint8_t *row = hiss_alloc((size_t)hiss_dataset_row(set));
    int cut = 0;
    for (int i = 0; i < 60; i++) {
        must(hiss_dataset_read(set, i, 1, row, NULL, &err), &err);
        const uint8_t *frame = clip_of(set, row).frames;
        int level[3] = {0};
        for (int k = 0; k < S * S; k++) {
            level[2] = frame[k] > level[2] ? frame[k] : level[2];
        }
        level[0] = frame[S / 2 * S + S / 2]; /* in both */
        assert_int_equal(level[0], level[2]);
        cut += level[0] == 255;
    }
    assert_true(cut > 0 && cut < 60);
    hiss_free(row);
    hiss_dataset_close(set);
    maker_free(&two);
    char *identity;
    maker longer = maker_of(hiss_generator_named("moving"), "rows: 40, count: 1, frames: 30");
    hiss_dataset *more = set_of(&longer);
    uint8_t *base = rows_of(hiss_generator_named("moving"), "rows: 40, count: 1", &identity);
    maker same = maker_of(hiss_generator_named("moving"), "rows: 40, count: 1");
    set = set_of(&same);
    row = hiss_alloc((size_t)hiss_dataset_row(more));
    for (int i = 0; i < ROWS; i++) {
        must(hiss_dataset_read(more, i, 1, row, NULL, &err), &err);
        assert_memory_equal(clip_of(more, row).frames, clip_of(set, base + i * hiss_dataset_row(set)).frames,
                            T * S * S);
    }
    hiss_dataset_close(set);
    hiss_dataset_close(more);
    maker_free(&same);
    maker_free(&longer);
    hiss_free(row);
    hiss_free(base);
    free(identity);
}

/* ---- push ---- */

/* Blocks rest where nothing is in contact, never overlap, stay on the table; the arm keeps its pace for 3 to 5 frames. */
static void test_push_rules(void **state) {
    (void)state;
    enum { CLIPS = 400, FRAMES = 20, BLOCKS = 3 };
    const float side = S, half = 5.75f, radius = 6.375f; /* a little below what they are */
    maker m = maker_of(hiss_generator_named("push"), "rows: 400, frames: 20, blocks: 3, speed: 4");
    hiss_dataset *set = set_of(&m);
    hiss_error err;
    uint8_t *row = hiss_alloc((size_t)hiss_dataset_row(set));
    int with_contact = 0, moved = 0, three = 0, still = 0;
    for (int i = 0; i < CLIPS; i++) {
        must(hiss_dataset_read(set, i, 1, row, NULL, &err), &err);
        const uint8_t *contact = row + hiss_dataset_field(set, "contact")->offset;
        const float(*action)[2] = (const void *)(row + hiss_dataset_field(set, "action")->offset);
        const float(*place)[1 + BLOCKS][2] = (const void *)(row + hiss_dataset_field(set, "place")->offset);
        const uint8_t *frames = row + hiss_dataset_field(set, "clip")->offset;
        const int blocks = place[0][BLOCKS][0] >= 0 ? 3 : 2;
        bool any = false;
        int since = 0;
        assert_memory_equal(frames, row + hiss_dataset_field(set, "image")->offset, S * S * 3);
        for (int t = 0; t < FRAMES; t++) {
            for (int k = 1; k <= blocks; k++) {
                const float *p = place[t][k];
                assert_true(p[0] > half && p[1] > half && p[0] < side - half && p[1] < side - half);
                for (int other = 1; other < k; other++) {
                    const float *q = place[t][other];
                    assert_true(p[0] - q[0] > 2 * half || q[0] - p[0] > 2 * half || p[1] - q[1] > 2 * half ||
                                q[1] - p[1] > 2 * half);
                }
                const bool moves = t + 1 < FRAMES && memcmp(p, place[t + 1][k], 2 * sizeof *p) != 0;
                assert_true(!moves || contact[t] != 0);
                moved += moves;
            }
            const float *arm = place[t][0];
            assert_true(arm[0] > radius - 1 && arm[1] > radius - 1 && arm[0] < side - radius + 1);
            for (int c = 0; c < 2; c++) {
                assert_true(action[t][c] >= -4 && action[t][c] <= 4);
                const float way = t + 1 < FRAMES ? place[t + 1][0][c] - arm[c] : 0;
                const float pace = action[t][c] < 0 ? -action[t][c] : action[t][c];
                assert_true(way <= pace && way >= -pace);
            }
            const bool same = t == 0 || ((action[t][0] == action[t - 1][0] || action[t][0] == -action[t - 1][0]) &&
                                         (action[t][1] == action[t - 1][1] || action[t][1] == -action[t - 1][1]));
            since = same ? since + 1 : 1;
            assert_true(same || t >= 3);
            still = since > still ? since : still;
            if (t + 1 < FRAMES &&
                memcmp(place[t], place[t + 1], sizeof place[t]) == 0) { /* nothing moves: one picture */
                assert_memory_equal(frames + t * S * S * 3, frames + (t + 1) * S * S * 3, S * S * 3);
            }
            any = any || contact[t];
        }
        with_contact += any;
        three += blocks == 3;
    }
    assert_true(with_contact > CLIPS / 3 && with_contact < CLIPS * 19 / 20 && moved > CLIPS);
    assert_true(three > CLIPS / 4 && three < CLIPS * 3 / 4);
    assert_true(still >= 5 && still <= 10); /* twice the same pace, now and then */
    hiss_free(row);
    hiss_dataset_close(set);
    maker_free(&m);
}

/* By its own actions a clip goes on as it did, to the last bit; by others up to the frame where they begin. What is done is what is
 * told, in half pixels, no faster than the arm can go; an arm that meets nothing ends where that takes it. */
static void test_push_acts(void **state) {
    (void)state;
    enum { CLIPS = 60, FRAMES = 8, FROM = 3 };
    maker m = maker_of(hiss_generator_named("push"), "rows: 60, frames: 8, blocks: 2, speed: 3, size: 32");
    hiss_dataset *set = set_of(&m);
    hiss_error err;
    const size_t bytes = (size_t)hiss_dataset_row(set);
    uint8_t *row = hiss_new(uint8_t, bytes), *acted = hiss_new(uint8_t, bytes);
    const hiss_field *film = hiss_dataset_field(set, "clip"), *act = hiss_dataset_field(set, "action"),
                     *at = hiss_dataset_field(set, "place");
    const int64_t frame = film->bytes / FRAMES;
    int alone = 0;
    assert_true(hiss_dataset_acts(set));
    for (int i = 0; i < CLIPS; i++) {
        must(hiss_dataset_read(set, i, 1, row, NULL, &err), &err);
        for (int from = 0; from < FRAMES; from++) {
            hiss_dataset_act(set, i, from, (const float *)(row + act->offset), acted);
            assert_memory_equal(row, acted, bytes);
        }
        float given[FRAMES][2] = {
            {NAN, NAN},  {NAN, NAN}, {NAN, NAN}, {1.1f, -0.6f}, {9.0f, -9.0f}, {NAN, 0.0f}, {INFINITY, -INFINITY},
            {0.2f, 0.3f}};
        const float wanted[FRAMES - FROM][2] = {
            {1.0f, -0.5f}, {3.0f, -3.0f}, {0.0f, 0.0f}, {3.0f, -3.0f}, {0.0f, 0.5f}};
        hiss_dataset_act(set, i, FROM, given[0], acted);
        assert_memory_equal(row + film->offset, acted + film->offset, (size_t)((FROM + 1) * frame));
        assert_memory_equal(row + act->offset, acted + act->offset, sizeof given[0] * FROM);
        assert_memory_equal(acted + act->offset + sizeof given[0] * FROM, wanted, sizeof wanted);
        const float(*place)[3][2] = (const void *)(acted + at->offset);
        const float *before = place[FROM][0], *after = place[FROM + 1][0];
        const bool free = before[0] < 26 && before[1] > 6 && !acted[hiss_dataset_field(set, "contact")->offset + FROM];
        alone += free;
        assert_true(!free || (after[0] == before[0] + 1.0f && after[1] == before[1] - 0.5f));
    }
    assert_true(alone > CLIPS / 4);
    hiss_free(row);
    hiss_free(acted);
    hiss_dataset_close(set);
    maker_free(&m);
}

/* The arm is found where it is, in all pictures with it; in one without there is none. */
static void test_push_finds(void **state) {
    (void)state;
    enum { CLIPS = 60, FRAMES = 6, SMALL = 32 };
    maker m = maker_of(hiss_generator_named("push"), "rows: 60, frames: 6, size: 32");
    hiss_dataset *set = set_of(&m);
    hiss_error err;
    uint8_t *row = hiss_alloc((size_t)hiss_dataset_row(set));
    float *picture = hiss_new(float, SMALL *SMALL * 3);
    const hiss_field *film = hiss_dataset_field(set, "clip"), *at = hiss_dataset_field(set, "place");
    float found[2];
    assert_true(hiss_dataset_finds(set));
    for (int i = 0; i < CLIPS * FRAMES; i++) {
        must(hiss_dataset_read(set, i / FRAMES, 1, row, NULL, &err), &err);
        const uint8_t *pixel = row + film->offset + i % FRAMES * (SMALL * SMALL * 3);
        const float(*place)[4][2] = (const void *)(row + at->offset);
        const float *arm = place[i % FRAMES][0];
        for (int k = 0; k < SMALL * SMALL * 3; k++) {
            picture[k] = (float)pixel[k] / 255.0f;
        }
        assert_true(hiss_dataset_find(set, picture, found));
        assert_true(hypotf(found[0] - arm[0], found[1] - arm[1]) < 0.35f);
        for (int k = 0; k < SMALL * SMALL * 3; k++) {
            picture[k] = fminf(picture[k], 0.65f);
        }
        assert_false(hiss_dataset_find(set, picture, found));
    }
    hiss_free(row);
    hiss_free(picture);
    hiss_dataset_close(set);
    maker_free(&m);
}

/* ---- clutter ---- */

/* What moves goes straight on or bounces, what stands stays, classes are as asked for, and field mover is where they are seen in
 * the image, the middle frame. */
static void test_clutter_rules(void **state) {
    (void)state;
    enum { CLIPS = 300, FRAMES = 7, SIZE = 40, THING = 8, COUNT = 3, FASTEST = 3 };
    maker m = maker_of(hiss_generator_named("clutter"), "rows: 300, frames: 7, size: 40, item_size: 8, count: 3, "
                                                        "mover_classes: 1, light: 0, grain: 0");
    hiss_dataset *set = set_of(&m);
    hiss_error err;
    uint8_t *row = hiss_alloc((size_t)hiss_dataset_row(set));
    int bounces = 0, seen = 0, changed = 0;
    for (int i = 0; i < CLIPS; i++) {
        float place[FRAMES][COUNT][2];
        int32_t label, item_label[COUNT];
        must(hiss_dataset_read(set, i, 1, row, &label, &err), &err);
        const uint8_t *image = row + hiss_dataset_field(set, "image")->offset;
        const uint8_t *frames = row + hiss_dataset_field(set, "clip")->offset;
        const uint8_t *mover = row + hiss_dataset_field(set, "mover")->offset;
        memcpy(place, row + hiss_dataset_field(set, "place")->offset, sizeof place);
        memcpy(item_label, row + hiss_dataset_field(set, "item_label")->offset, sizeof item_label);
        assert_memory_equal(image, frames + FRAMES / 2 * SIZE * SIZE, SIZE * SIZE);
        assert_int_equal(label, item_label[0]);
        assert_int_equal(label, 0);
        assert_true(item_label[1] > 0 && item_label[2] > 0);
        for (int t = 1; t < FRAMES; t++) {
            const float dx = place[t][0][0] - place[t - 1][0][0], dy = place[t][0][1] - place[t - 1][0][1];
            assert_true(fabsf(dx) <= FASTEST && fabsf(dy) <= FASTEST);
            assert_memory_equal(place[t] + 1, place[0] + 1, sizeof place[t] - sizeof place[t][0]);
            if (t > 1) { /* as before, unless it has bounced */
                const bool on =
                    dx == place[t - 1][0][0] - place[t - 2][0][0] && dy == place[t - 1][0][1] - place[t - 2][0][1];
                bounces += !on;
            }
        }
        int grey = -1;
        for (int k = 0; k < SIZE * SIZE; k++) {
            for (int thing = 0; thing < COUNT; thing++) {
                const float *at = place[FRAMES / 2][thing];
                const bool inside =
                    fabsf((float)(k % SIZE) - at[0]) < THING / 2 && fabsf((float)(k / SIZE) - at[1]) < THING / 2;
                assert_true(thing > 0 || mover[k] != 1 || inside);
            }
            if (mover[k] == 1) { /* of one level each, by which its class is known */
                assert_true(grey < 0 || image[k] == grey);
                grey = image[k];
                assert_int_equal((grey / 8 - 1) % 3, 0);
                seen++;
            }
            changed += mover[k] == 0 && frames[k] != image[k];
        }
    }
    assert_true(bounces > CLIPS / 10 && bounces < CLIPS * FRAMES / 2);
    assert_true(seen > CLIPS * THING * THING / 2);
    assert_true(changed < CLIPS * THING * THING); /* what an item has left, or was behind */
    hiss_free(row);
    hiss_dataset_close(set);
    maker_free(&m);
}

static int begin(void **state) {
    (void)state;
    hiss_log_setup(HISS_LOG_WARNING, 0);
    if (!mkdtemp(folder)) {
        return -1;
    }
    snprintf(items, sizeof items, "%s/items.h5", folder);
    write_items();
    return 0;
}

static int end(void **state) {
    (void)state;
    unlink(items);
    return rmdir(folder) || hiss_alloc_live() != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),         cmocka_unit_test(test_options),
        cmocka_unit_test(test_labels),       cmocka_unit_test(test_moving_rules),
        cmocka_unit_test(test_moving_parts), cmocka_unit_test(test_moving_overlap),
        cmocka_unit_test(test_push_rules),   cmocka_unit_test(test_push_acts),
        cmocka_unit_test(test_push_finds),   cmocka_unit_test(test_clutter_rules),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
