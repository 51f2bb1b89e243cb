/* Few labels: draws of as many samples of each class, nested, by seed and number alone; the samples of a data set as they
 * lie in its file, in every mode of its order; what is refused. */
#include "../data_support.h"

enum { N = 90, ROW = 4, CLASSES = 3 };

static char folder[] = "/tmp/hiss-labelled-XXXXXX";
static char path[128];

/* Class 0 has 59 of the 90 samples, class 1 20, class 2 10; one has no label. */
static int32_t label_of(int64_t i) {
    return i == 44 ? -1 : i % 3 ? 0 : i % 9 ? 1 : 2;
}

static int setup(void **state) {
    (void)state;
    uint8_t pixels[N][ROW];
    int32_t label[N];
    for (int i = 0; i < N; i++) {
        label[i] = label_of(i);
        memset(pixels[i], i, ROW);
    }
    const int status = begin_folder(folder, path, sizeof path);
    hiss_error err = {0};
    hiss_h5 *file;
    must(hiss_h5_create(path, &file, &err), &err);
    must(hiss_h5_define(file, "/images", &(hiss_h5_info){HISS_U8, 4, {N, 2, 2, 1}}, 0, 0, &err), &err);
    must(hiss_h5_write(file, "/images", HISS_U8, 0, N, pixels, &err), &err);
    must(hiss_h5_define(file, "/labels", &(hiss_h5_info){HISS_I32, 1, {N}}, 0, 0, &err), &err);
    must(hiss_h5_write(file, "/labels", HISS_I32, 0, N, label, &err), &err);
    must(hiss_h5_close(file, &err), &err);
    return status;
}

static hiss_dataset *open_labelled(int order, const char *labels) {
    const hiss_data_options options = {
        .file = path, .images = "/images", .labels = labels, .ignore_label = "-1", .label_column = -1, .order = order};
    hiss_dataset *set = NULL;
    hiss_error err = {0};
    must(hiss_dataset_open(&options, 5, &set, &err), &err);
    return set;
}

static void test_draws(void **state) {
    (void)state;
    int32_t label[N];
    for (int i = 0; i < N; i++) {
        label[i] = label_of(i);
    }
    hiss_class_members m = hiss_class_members_of(N, label, CLASSES);
    bool drawn[2][N] = {{0}};
    for (int64_t each = 1; each <= N; each++) {
        bool *now = drawn[each % 2], *before = drawn[(each + 1) % 2];
        int64_t *index, *again, *other, of_class[CLASSES] = {0};
        const int64_t count = hiss_class_members_draw(&m, 7, 2, each, &index);
        assert_int_equal(hiss_class_members_draw(&m, 7, 2, each, &again), count);
        assert_int_equal(hiss_class_members_draw(&m, 7, 3, each, &other), count);
        assert_memory_equal(index, again, sizeof *index * (size_t)count);
        assert_int_equal(memcmp(index, other, sizeof *index * (size_t)count) == 0, each >= 59);
        memset(now, 0, N);
        for (int64_t i = 0; i < count; i++) {
            assert_true(i == 0 || index[i] > index[i - 1]);
            of_class[label[index[i]]]++; /* never that of -1 */
            now[index[i]] = true;
        }
        for (int64_t c = 0; c < CLASSES; c++) {
            const int64_t there = m.start[c + 1] - m.start[c];
            assert_int_equal(of_class[c], each < there ? each : there);
        }
        for (int i = 0; i < N; i++) {
            assert_true(now[i] || !before[i]);
        }
        hiss_free(index);
        hiss_free(again);
        hiss_free(other);
    }
    hiss_class_members_free(&m);
}

static void test_samples_are_those_of_the_file(void **state) {
    (void)state;
    for (int order = 0; order < 2; order++) {
        hiss_dataset *set = open_labelled(order, "/labels");
        hiss_samples *samples;
        hiss_error err = {0};
        int64_t count;
        int32_t label[N];
        uint8_t rows[N * ROW];
        must(hiss_labelled_read(set, 8, 11, &samples, &count, &err), &err);
        must(hiss_dataset_read(set, 0, N, rows, label, &err), &err);
        assert_int_equal(count, 8 * CLASSES);
        hiss_class_members m = hiss_class_members_of(N, label, CLASSES);
        int64_t *index;
        assert_int_equal(hiss_class_members_draw(&m, 11, 0, 8, &index), count);
        const hiss_batch batch = hiss_samples_batch(samples, 0, count);
        for (int64_t i = 0; i < count; i++) {
            assert_int_equal(batch.sample[i], index[i]);
            assert_int_equal(batch.label[i], label[index[i]]);
            assert_memory_equal(batch.row[i], rows + index[i] * ROW, ROW);
            assert_int_equal(label_of(batch.row[i][0]), batch.label[i]);
        }
        hiss_free(index);
        hiss_class_members_free(&m);
        hiss_samples_destroy(samples);
        hiss_dataset_close(set);
    }
}

static void expect_refused(hiss_dataset *set, int64_t each, const char *text) {
    hiss_samples *samples;
    hiss_error err = {0};
    int64_t count;
    assert_int_equal(hiss_labelled_read(set, each, 11, &samples, &count, &err), HISS_EUSER);
    assert_null(samples);
    assert_int_equal(count, 0);
    assert_string_equal(err.key, "data.labelled");
    if (!strstr(err.text, text)) {
        fail_msg("no '%s' in: %s", text, err.text);
    }
    hiss_dataset_close(set);
}

static void test_too_few_are_refused(void **state) {
    (void)state;
    expect_refused(open_labelled(0, "/labels"), 11,
                   "11 samples of each class are wanted, but class '2' has 10 among the ");
    expect_refused(open_labelled(0, "/labels"), 50, "class '2' has 10 among the ");
    expect_refused(open_labelled(0, ""), 1, "has none; name its data set of labels in data.labels");
}

static int teardown(void **state) {
    (void)state;
    return end_folder(folder, path);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_draws),
                                       cmocka_unit_test(test_samples_are_those_of_the_file),
                                       cmocka_unit_test(test_too_few_are_refused)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
