/* Batches: the order is what the header says, the same in both modes, from any step; every epoch uses each sample at
 * most once; reading errors and early ends come out. */
#include "../data_support.h"

enum { N = 1003, ROW = 5 * 3, MEMORY = 1, STREAM = 2 };

static char folder[] = "/tmp/hiss-loader-XXXXXX";
static char path[128];

/* Row i holds i in its first two bytes; its label is i mod 17. */
static void write_file(int64_t chunk, int deflate) {
    static uint8_t pixels[N][ROW];
    int32_t label[N];
    uint32_t x = 3;
    for (int i = 0; i < N; i++) {
        for (int k = 2; k < ROW; k++) {
            x = x * 1664525 + 1013904223;
            pixels[i][k] = (uint8_t)(x >> 30);
        }
        pixels[i][0] = (uint8_t)i;
        pixels[i][1] = (uint8_t)(i >> 8);
        label[i] = i % 17;
    }
    hiss_error err = {0};
    hiss_h5 *file;
    must(hiss_h5_create(path, &file, &err), &err);
    must(hiss_h5_define(file, "/images", &(hiss_h5_info){HISS_U8, 4, {N, 5, 3, 1}}, chunk, deflate, &err), &err);
    must(hiss_h5_write(file, "/images", HISS_U8, 0, N, pixels, &err), &err);
    must(hiss_h5_define(file, "/labels", &(hiss_h5_info){HISS_I32, 1, {N}}, 0, 0, &err), &err);
    must(hiss_h5_write(file, "/labels", HISS_I32, 0, N, label, &err), &err);
    must(hiss_h5_close(file, &err), &err);
}

static int setup(void **state) {
    (void)state;
    return begin_folder(folder, path, sizeof path);
}

static int teardown(void **state) {
    (void)state;
    return end_folder(folder, path);
}

typedef struct loading {
    hiss_data_options data;
    hiss_dataset *set;
    hiss_loader *loader;
    int64_t first, end, m;
} loading;

static loading load(int mode, int order, int64_t window, int64_t memory, int64_t lanes, int64_t first, int64_t end,
                    int64_t m) {
    loading l = {.data = {.file = path,
                          .images = "/images",
                          .labels = "/labels",
                          .order = order,
                          .mode = mode,
                          .memory = memory,
                          .window = window},
                 .first = first,
                 .end = end,
                 .m = m};
    hiss_error err = {0};
    must(hiss_dataset_open(&l.data, 9, &l.set, &err), &err);
    hiss_loader_options options = {l.set, &l.data, 42, lanes, first, end, m, NULL};
    must(hiss_loader_create(&options, &l.loader, &err), &err);
    return l;
}

static void unload(loading *l) {
    hiss_loader_destroy(l->loader);
    hiss_dataset_close(l->set);
}

static void next(loading *l, int64_t epoch, int64_t step) {
    int64_t e, s;
    hiss_error err = {0};
    must(hiss_loader_next(l->loader, &e, &s, &err), &err);
    assert_true(e == epoch && s == step);
}

/* In file order the pixels of sample i are row i. */
static void check_pixels(const hiss_batch *batch, bool file_order) {
    for (int64_t j = 0; j < batch->m; j++) {
        int row = batch->row[j][0] | batch->row[j][1] << 8;
        assert_int_equal(batch->label[j], row % 17);
        if (file_order) {
            assert_int_equal(row, batch->sample[j]);
        }
    }
}

static void compare(loading *a, loading *b) {
    for (int64_t lane = b->first; lane < b->end; lane++) {
        hiss_batch x = hiss_loader_batch(a->loader, lane), y = hiss_loader_batch(b->loader, lane);
        assert_true(x.m == y.m);
        assert_memory_equal(x.sample, y.sample, sizeof *x.sample * (size_t)x.m);
        assert_memory_equal(x.label, y.label, sizeof *x.label * (size_t)x.m);
        for (int64_t j = 0; j < x.m; j++) {
            assert_memory_equal(x.row[j], y.row[j], ROW);
        }
    }
}

static void shards_differ_by_at_most_one(void **state) {
    (void)state;
    int64_t shards[32];
    for (int64_t n = 0; n < 40; n++) {
        for (int64_t lanes = 1; lanes < 31; lanes++) {
            hiss_shards_partition(n, lanes, shards);
            assert_true(shards[0] == 0 && shards[lanes] == n);
            for (int64_t l = 0; l < lanes; l++) {
                assert_in_range(shards[l + 1] - shards[l], n / lanes, n / lanes + 1);
            }
        }
    }
}

/* The order stated in the header, without a window. */
static void order_is_the_keyed_permutation(void **state) {
    (void)state;
    write_file(32, 0);
    loading l = load(MEMORY, 0, 0, 1 << 20, 7, 2, 5, 10);
    int64_t shards[8];
    hiss_shards_partition(N, 7, shards);
    assert_int_equal(hiss_loader_steps(l.loader), N / 7 / 10);
    for (int64_t epoch = 0; epoch < 2; epoch++) {
        for (int64_t step = 0; step < N / 7 / 10; step++) {
            next(&l, epoch, step);
            for (int64_t lane = 2; lane < 5; lane++) {
                hiss_permutation p =
                    hiss_permutation_keyed(42, HISS_FOR_SHUFFLE, epoch, lane, shards[lane + 1] - shards[lane]);
                hiss_batch batch = hiss_loader_batch(l.loader, lane);
                check_pixels(&batch, true);
                for (int64_t j = 0; j < 10; j++) {
                    assert_int_equal(batch.sample[j], shards[lane] + hiss_permutation_at(&p, step * 10 + j));
                }
            }
        }
    }
    unload(&l);
}

/* With a window: the groups in permuted order, laid end to end. */
static void windowed_order_is_groups_end_to_end(void **state) {
    (void)state;
    write_file(32, 0);
    const int64_t windows[] = {1, 7, 20, 64, 143, 144};
    for (int w = 0; w < 6; w++) {
        loading l = load(MEMORY, 0, windows[w], 1 << 20, 7, 0, 7, 10);
        int64_t shards[8], steps = hiss_loader_steps(l.loader), expected[7][N];
        hiss_shards_partition(N, 7, shards);
        for (int64_t epoch = 0; epoch < 3; epoch++) {
            for (int64_t lane = 0; lane < 7; lane++) {
                int64_t count = shards[lane + 1] - shards[lane], groups = (count + windows[w] - 1) / windows[w], n = 0;
                hiss_permutation among = hiss_permutation_keyed(42, HISS_FOR_SHUFFLE, epoch, lane, groups);
                for (int64_t g = 0; g < groups; g++) {
                    int64_t begin = shards[lane] + hiss_permutation_at(&among, g) * windows[w];
                    int64_t rest = shards[lane + 1] - begin, size = rest < windows[w] ? rest : windows[w];
                    hiss_permutation inside =
                        hiss_permutation_keyed(42, HISS_FOR_SHUFFLE, epoch, groups == 1 ? lane : 7 + begin, size);
                    for (int64_t k = 0; k < size; k++) {
                        expected[lane][n++] = begin + hiss_permutation_at(&inside, k);
                    }
                }
                assert_true(n == count);
            }
            for (int64_t step = 0; step < steps; step++) {
                next(&l, epoch, step);
                for (int64_t lane = 0; lane < 7; lane++) {
                    hiss_batch batch = hiss_loader_batch(l.loader, lane);
                    assert_memory_equal(batch.sample, expected[lane] + step * 10, 10 * sizeof(int64_t));
                }
            }
        }
        unload(&l);
    }
}

/* Over an epoch a lane uses steps * m samples of its shard, none twice; within an epoch a windowed order works through
 * one group after the other; epochs differ. */
static void each_sample_at_most_once(void **state) {
    (void)state;
    write_file(32, 0);
    const int64_t windows[] = {0, 1, 7, 20, 64, 143, 100000};
    for (int w = 0; w < 7; w++) {
        loading l = load(MEMORY, 0, windows[w], 1 << 20, 7, 0, 7, 10);
        int64_t shards[8], steps = hiss_loader_steps(l.loader), before[N] = {0}, moved = 0;
        hiss_shards_partition(N, 7, shards);
        for (int64_t epoch = 0; epoch < 3; epoch++) {
            int8_t used[N] = {0};
            int64_t last_group[7], changes[7] = {0};
            memset(last_group, -1, sizeof last_group);
            for (int64_t step = 0; step < steps; step++) {
                next(&l, epoch, step);
                for (int64_t lane = 0; lane < 7; lane++) {
                    hiss_batch batch = hiss_loader_batch(l.loader, lane);
                    for (int64_t j = 0; j < 10; j++) {
                        int64_t sample = batch.sample[j], k = lane * 140 + step * 10 + j;
                        assert_in_range(sample, shards[lane], shards[lane + 1] - 1);
                        assert_int_equal(used[sample]++, 0);
                        moved += before[k] != sample;
                        before[k] = sample;
                        int64_t group = windows[w] ? (sample - shards[lane]) / windows[w] : 0;
                        changes[lane] += group != last_group[lane];
                        last_group[lane] = group;
                    }
                }
            }
            for (int64_t lane = 0; lane < 7 && windows[w]; lane++) {
                assert_true(changes[lane] <= (shards[lane + 1] - shards[lane] + windows[w] - 1) / windows[w]);
            }
        }
        assert_true(moved > 7 * 140 * 2);
        unload(&l);
    }
}

/* Memory and stream modes, over all lanes and over a rank's part of them, give the same batches. */
static void check_modes(bool dear) {
    write_file(16, dear);
    const struct {
        int64_t lanes, first, end, m, window, memory;
        int order;
    } cases[] = {
        {4, 1, 3, 9, 0, 1 << 20, 0},   {4, 1, 3, 9, 0, 2 * 2 * 9 * ROW, 0}, {4, 0, 4, 9, 0, 1 << 20, 1},
        {3, 0, 3, 50, 64, 1 << 20, 0}, {3, 2, 3, 50, 64, 1 << 20, 1},       {7, 3, 7, 8, 5, 1 << 20, 0},
        {7, 3, 4, 8, 33, 800, 0},      {1, 0, 1, 1003, 10, 1 << 20, 0},     {5, 0, 2, 20, 100000, 1 << 20, 0},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        loading a =
            load(MEMORY, cases[c].order, cases[c].window, 1 << 20, cases[c].lanes, 0, cases[c].lanes, cases[c].m);
        loading b = load(STREAM, cases[c].order, cases[c].window, cases[c].memory, cases[c].lanes, cases[c].first,
                         cases[c].end, cases[c].m);
        int64_t shards[8];
        hiss_shards_partition(N, cases[c].lanes, shards);
        const bool fits = (shards[cases[c].end] - shards[cases[c].first]) * ROW <= cases[c].memory;
        assert_true(!hiss_loader_streams(a.loader) && hiss_loader_streams(b.loader) == !(dear && fits));
        int64_t steps = hiss_loader_steps(a.loader);
        for (int64_t t = 0; t < 3 * steps; t++) {
            next(&a, t / steps, t % steps);
            next(&b, t / steps, t % steps);
            compare(&a, &b);
            hiss_batch batch = hiss_loader_batch(b.loader, cases[c].first);
            check_pixels(&batch, cases[c].order == 0);
        }
        unload(&a);
        unload(&b);
    }
}

static void modes_agree(void **state) {
    (void)state;
    check_modes(false);
    check_modes(true);
    setenv("TMPDIR", "/dev/null", 1); /* no decoded copy */
    check_modes(true);
    unsetenv("TMPDIR");
}

/* Seeking anywhere, while the thread is busy, gives what walking there gives. */
static void seeks(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        const int64_t window = i % 2 ? 30 : 0;
        write_file(16, i / 2);
        loading a = load(MEMORY, 0, window, 1 << 20, 4, 0, 4, 9), b = load(STREAM, 0, window, 8000, 4, 0, 4, 9);
        hiss_rng rng = hiss_rng_keyed(0, HISS_FOR_TESTS, 0, 0);
        int64_t steps = hiss_loader_steps(a.loader);
        for (int k = 0; k < 200; k++) {
            int64_t epoch = hiss_rng_below(&rng, 5), step = hiss_rng_below(&rng, steps);
            hiss_loader_seek(a.loader, epoch, step);
            hiss_loader_seek(b.loader, epoch, step);
            for (int64_t t = epoch * steps + step, end = t + hiss_rng_below(&rng, 4); t < end; t++) {
                next(&a, t / steps, t % steps);
                next(&b, t / steps, t % steps);
                compare(&a, &b);
            }
        }
        unload(&a);
        unload(&b);
    }
}

static void auto_mode_minds_the_budget(void **state) {
    (void)state;
    write_file(16, 0);
    loading a = load(0, 0, 0, 251 * 2 * ROW, 4, 0, 2, 9), b = load(0, 0, 0, 251 * 2 * ROW - 1, 4, 0, 2, 9);
    assert_false(hiss_loader_streams(a.loader));
    assert_true(hiss_loader_streams(b.loader));
    unload(&a);
    unload(&b);
}

/* After the first step nothing is allocated, in either mode. */
static void allocates_nothing(void **state) {
    (void)state;
    write_file(16, 1);
    for (int mode = MEMORY; mode <= STREAM; mode++) {
        for (int order = 0; order < 2; order++) {
            loading l = load(mode, order, 40, 8000, 4, 0, 4, 9);
            next(&l, 0, 0);
            int64_t live = hiss_alloc_live(), steps = hiss_loader_steps(l.loader);
            hiss_alloc_seal(true);
            for (int64_t t = 1; t < 2 * steps; t++) {
                next(&l, t / steps, t % steps);
                hiss_loader_batch(l.loader, 3);
            }
            hiss_alloc_seal(false);
            assert_int_equal(hiss_alloc_live(), live);
            unload(&l);
        }
    }
}

static void destroy_does_not_hang(void **state) {
    (void)state;
    write_file(16, 6);
    for (int i = 0; i < 60; i++) {
        loading l = load(STREAM, i % 2, i % 3 ? 0 : 50, 8000, 4, 0, 4, 9);
        if (i % 4) {
            hiss_loader_seek(l.loader, i, 3);
        }
        if (i % 4 == 2) {
            next(&l, i, 3);
        }
        unload(&l);
    }
}

/* Overwrite some bytes of the file that opening the set does not read: it reads 64 rows. */
static void damage(void) {
    const hiss_data_options data = {.file = path, .images = "/images", .labels = "/labels"};
    enum { BYTES = 60, PLACES = 32 };
    bool opens = false;
    for (long k = PLACES / 4; k < PLACES && !opens; k++) {
        uint8_t junk[BYTES], before[BYTES];
        memset(junk, 0x5A, sizeof junk);
        FILE *f = fopen(path, "r+b");
        fseek(f, 0, SEEK_END);
        const long at = ftell(f) / PLACES * k;
        fseek(f, at, SEEK_SET);
        assert_int_equal(fread(before, 1, BYTES, f), BYTES);
        fseek(f, at, SEEK_SET);
        fwrite(junk, 1, BYTES, f);
        fclose(f);
        hiss_dataset *set;
        hiss_error err;
        opens = hiss_dataset_open(&data, 0, &set, &err) == HISS_OK;
        if (opens) {
            hiss_dataset_close(set);
        } else {
            f = fopen(path, "r+b");
            fseek(f, at, SEEK_SET);
            fwrite(before, 1, BYTES, f);
            fclose(f);
        }
    }
    assert_true(opens);
}

static void read_errors_come_out(void **state) {
    (void)state;
    write_file(5, 6);
    damage();
    hiss_data_options data = {.file = path, .images = "/images", .labels = "/labels", .mode = STREAM, .memory = 8000};
    hiss_error err = {0};
    hiss_dataset *set;
    hiss_loader *loader;
    must(hiss_dataset_open(&data, 0, &set, &err), &err);
    assert_int_equal(hiss_loader_create(&(hiss_loader_options){set, &data, 0, 1, 0, 1, 9, NULL}, &loader, &err),
                     HISS_ESYSTEM);
    assert_non_null(strstr(err.text, "of data set /images"));
    hiss_dataset_close(set);
    setenv("TMPDIR", "/dev/null", 1); /* so that it is not decoded before */
    for (int64_t window = 0; window <= 30; window += 30) {
        loading l = load(STREAM, 0, window, 8000, 1, 0, 1, 9);
        int64_t epoch, step;
        hiss_status status = HISS_OK;
        for (int64_t t = 0; t < hiss_loader_steps(l.loader) && !status; t++) {
            status = hiss_loader_next(l.loader, &epoch, &step, &err);
        }
        assert_int_equal(status, HISS_ESYSTEM);
        assert_non_null(strstr(err.text, "of data set /images"));
        assert_non_null(strstr(err.text, path));
        assert_int_equal(hiss_loader_next(l.loader, &epoch, &step, &err), HISS_ESYSTEM);
        unload(&l);
    }
    unsetenv("TMPDIR");
}

static void refusals_are_explained(void **state) {
    (void)state;
    write_file(16, 0);
    hiss_data_options data = {.file = path, .images = "/images", .labels = "/labels", .mode = STREAM, .memory = 1000};
    hiss_error err = {0};
    hiss_dataset *set;
    hiss_loader *loader;
    must(hiss_dataset_open(&data, 0, &set, &err), &err);
    hiss_loader_options options = {set, &data, 0, 10, 0, 10, 101, NULL};
    assert_int_equal(hiss_loader_create(&options, &loader, &err), HISS_EUSER);
    assert_non_null(
        strstr(err.text, "has 1003 samples: 10 lanes get shards of 100, fewer than train.lane_samples = 101"));
    options.m = 5;
    assert_int_equal(hiss_loader_create(&options, &loader, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "raise data.memory"));
    hiss_dataset_close(set);
    write_file(N, 1); /* one chunk */
    must(hiss_dataset_open(&data, 0, &set, &err), &err);
    assert_true(hiss_dataset_amplification(set, 0) == N);
    assert_int_equal(hiss_loader_create(&(hiss_loader_options){set, &data, 0, 1, 0, 1, 9, NULL}, &loader, &err),
                     HISS_EUSER);
    assert_non_null(strstr(err.text, "data set /images of"));
    assert_non_null(strstr(err.text, "can only be decoded as a whole"));
    hiss_dataset_close(set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards_differ_by_at_most_one),
        cmocka_unit_test(order_is_the_keyed_permutation),
        cmocka_unit_test(windowed_order_is_groups_end_to_end),
        cmocka_unit_test(each_sample_at_most_once),
        cmocka_unit_test(modes_agree),
        cmocka_unit_test(seeks),
        cmocka_unit_test(auto_mode_minds_the_budget),
        cmocka_unit_test(allocates_nothing),
        cmocka_unit_test(destroy_does_not_hang),
        cmocka_unit_test(read_errors_come_out),
        cmocka_unit_test(refusals_are_explained),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
