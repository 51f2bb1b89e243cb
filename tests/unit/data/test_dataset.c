/* Opening data sets: what is accepted, what is refused and how; rows by position in both orders. */
#include "../data_support.h"

#include "hiss/hash.h"

enum { N = 200, ROW = 3 * 4 * 2 };

static char folder[] = "/tmp/hiss-dataset-XXXXXX";
static char path[128];
static uint8_t pixels[N][ROW];

static int setup(void **state) {
    (void)state;
    hiss_log_setup(HISS_LOG_ERROR, 0);
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < ROW; k++) {
            pixels[i][k] = (uint8_t)(i * 7 + k * 3);
        }
        pixels[i][0] = (uint8_t)i;
    }
    if (!mkdtemp(folder)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/a.h5", folder);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    return end_folder(folder, path);
}

static void put(hiss_h5 *file, const char *name, hiss_h5_info info, const void *rows) {
    hiss_error err = {0};
    must(hiss_h5_define(file, name, &info, 16, 1, &err), &err);
    must(hiss_h5_write(file, name, info.dtype, 0, info.dim[0], rows, &err), &err);
}

/* A file with images and labels 0, 1, ... modulo 10 of the dtype. */
static hiss_h5 *begin_file(void) {
    hiss_error err = {0};
    hiss_h5 *file;
    must(hiss_h5_create(path, &file, &err), &err);
    put(file, "/images", (hiss_h5_info){HISS_U8, 4, {N, 3, 4, 2}}, pixels);
    return file;
}

static void put_labels(hiss_h5 *file, hiss_dtype dtype, int64_t bad_row, int64_t bad) {
    int64_t wide[N];
    int32_t i32[N];
    int16_t i16[N];
    uint8_t u8[N];
    for (int i = 0; i < N; i++) {
        wide[i] = i == bad_row ? bad : i % 10;
        i32[i] = (int32_t)wide[i];
        i16[i] = (int16_t)wide[i];
        u8[i] = (uint8_t)wide[i];
    }
    const void *rows = dtype == HISS_I64   ? (void *)wide
                       : dtype == HISS_I32 ? (void *)i32
                       : dtype == HISS_I16 ? (void *)i16
                                           : (void *)u8;
    put(file, "/labels", (hiss_h5_info){dtype, 1, {N}}, rows);
}

static hiss_data_options standard(void) {
    return options_of(path, "/labels");
}

static void reads_in_both_orders(void **state) {
    (void)state;
    hiss_h5 *file = begin_file();
    put_labels(file, HISS_I32, -1, 0);
    hiss_h5_close(file, NULL);
    for (int order = 0; order < 2; order++) {
        hiss_data_options options = standard();
        options.order = order;
        options.limit = order ? 150 : 0;
        hiss_dataset *set = open_set(options);
        int64_t n = hiss_dataset_count(set), H, W, C;
        hiss_dataset_shape(set, &H, &W, &C);
        assert_true(n == (order ? 150 : N) && H == 3 && W == 4 && C == 2 && hiss_dataset_classes(set) == 10);
        uint8_t all[N][ROW], part[40][ROW];
        int32_t label[N];
        int seen[N] = {0}, in_place = 0;
        hiss_error err = {0};
        must(hiss_dataset_read(set, 0, n, all[0], label, &err), &err);
        for (int64_t i = 0; i < n; i++) {
            int row = all[i][0];
            assert_memory_equal(all[i], pixels[row], ROW);
            assert_int_equal(label[i], row % 10);
            assert_int_equal(seen[row]++, 0);
            in_place += row == i;
        }
        assert_true(order ? in_place < 20 : in_place == N);
        must(hiss_dataset_read(set, 77, 40, part[0], NULL, &err), &err);
        assert_memory_equal(part, all[77], sizeof part);
        hiss_dataset_close(set);
    }
}

/* More pixels than fit the staging buffer, all neighbours. */
static void reads_much_in_permuted_order(void **state) {
    (void)state;
    enum { ROWS = 100, SIDE = 256 };
    uint8_t *all = hiss_alloc(ROWS * SIDE * SIDE), *back = hiss_alloc(ROWS * SIDE * SIDE);
    for (int64_t i = 0; i < ROWS; i++) {
        memset(all + i * SIDE * SIDE, (int)i, SIDE * SIDE);
    }
    hiss_error err = {0};
    hiss_h5 *file;
    must(hiss_h5_create(path, &file, &err), &err);
    put(file, "/images", (hiss_h5_info){HISS_U8, 3, {ROWS, SIDE, SIDE}}, all);
    hiss_h5_close(file, NULL);
    hiss_data_options options = standard();
    options.order = 1;
    hiss_dataset *set = open_set(options);
    must(hiss_dataset_read(set, 0, ROWS, back, NULL, &err), &err);
    int seen[ROWS] = {0};
    for (int64_t i = 0; i < ROWS; i++) {
        int row = back[i * SIDE * SIDE];
        assert_int_equal(seen[row]++, 0);
        assert_memory_equal(back + i * SIDE * SIDE, all + row * SIDE * SIDE, SIDE * SIDE);
    }
    hiss_dataset_close(set);
    hiss_free(back);
    hiss_free(all);
}

static void labels_of_any_integer_type(void **state) {
    (void)state;
    const hiss_dtype types[] = {HISS_U8, HISS_I16, HISS_I32, HISS_I64};
    for (int t = 0; t < 4; t++) {
        hiss_h5 *file = begin_file();
        put_labels(file, types[t], 5, 100);
        hiss_h5_close(file, NULL);
        hiss_dataset *set = open_set(standard());
        int32_t label[N];
        assert_true(hiss_dataset_labelled(set) && hiss_dataset_classes(set) == 11);
        assert_int_equal(hiss_dataset_read(set, 0, N, NULL, label, NULL), HISS_OK);
        assert_true(label[5] == 10 && label[199] == 9);
        hiss_dataset_close(set);
    }
}

static void labels_may_be_absent(void **state) {
    (void)state;
    hiss_h5_close(begin_file(), NULL);
    hiss_dataset *set = open_set(standard());
    assert_false(hiss_dataset_labelled(set));
    assert_int_equal(hiss_dataset_classes(set), 0);
    hiss_dataset_close(set);
    hiss_data_options options = standard();
    options.labels = "/classes"; /* asked for by name */
    refused(options, "has no data set /classes; it has: /images");
}

static void bad_data_is_explained(void **state) {
    (void)state;
    hiss_data_options options = standard();
    options.file = NULL;
    refused(options, "data.file is not set");

    float f[N] = {[3] = 0.5f};
    hiss_h5 *file = begin_file();
    put(file, "/short", (hiss_h5_info){HISS_U8, 1, {N - 1}}, pixels);
    put(file, "/float", (hiss_h5_info){HISS_F32, 1, {N}}, f);
    put(file, "/flat", (hiss_h5_info){HISS_U8, 2, {N, ROW}}, pixels);
    put(file, "/wide", (hiss_h5_info){HISS_I16, 3, {N / 2, 3, 4}}, pixels);
    put(file, "/grey", (hiss_h5_info){HISS_U8, 3, {N, 4, 6}}, pixels);
    put(file, "/none", (hiss_h5_info){HISS_U8, 3, {0, 4, 6}}, pixels);
    hiss_h5_close(file, NULL);
    options = standard();
    options.labels = "/short";
    refused(options, "/short holds uint8 [199]; expected integers [200]");
    options.labels = "/float";
    refused(options, "row 3 of data set /float is 0.5; expected class numbers");
    options.labels = NULL;
    options.images = "/flat";
    refused(options, "/flat holds uint8 [200,24]; expected [n,H,W,C] or [n,H,W] of integers");
    options.images = "/none";
    refused(options, "expected at least one image");
    options.images = "/absent";
    refused(options, "has no data set /absent; it has: /flat, /float, /grey, /images, /none, /short, /wide");
    options.images = "/grey";
    hiss_dataset *set = open_set(options);
    int64_t H, W, C;
    hiss_dataset_shape(set, &H, &W, &C);
    assert_true(H == 4 && W == 6 && C == 1);
    hiss_dataset_close(set);
}

static void checksum_is_verified(void **state) {
    (void)state;
    int32_t label[N];
    char text[HISS_HASH_TEXT];
    for (int i = 0; i < N; i++) {
        label[i] = i % 10;
    }
    hiss_hash *hash = hiss_hash_begin();
    hiss_hash_add(hash, pixels, sizeof pixels);
    hiss_hash_add(hash, label, sizeof label);
    hiss_hash_end(hash, text);
    for (int damaged = 0; damaged < 2; damaged++) {
        hiss_h5 *file = begin_file();
        put_labels(file, HISS_I32, damaged ? 7 : -1, 8);
        hiss_h5_set_text(file, "/", "hiss_format", "hiss images 1", NULL);
        hiss_h5_set_text(file, "/", "sha256", text, NULL);
        hiss_h5_close(file, NULL);
        hiss_data_options options = standard();
        if (damaged) {
            refused(options, "the file was changed or damaged");
            options.verify = false;
        }
        hiss_dataset *set = open_set(options);
        assert_non_null(strstr(hiss_dataset_identity(set), text));
        hiss_dataset_close(set);
    }
    hiss_h5 *file = begin_file();
    hiss_h5_set_text(file, "/", "sha256", "of something else", NULL); /* not by hiss prepare */
    hiss_h5_close(file, NULL);
    hiss_dataset *set = open_set(standard());
    assert_null(strstr(hiss_dataset_identity(set), "sha256"));
    hiss_dataset_close(set);
}

/* Identity of a file with these images (and labels, when label >= 0: all that), in chunks. */
static void identity_of(int64_t chunk_rows, int deflate, int label, char out[256]) {
    hiss_error err = {0};
    hiss_h5 *file;
    int16_t labels[N];
    const hiss_h5_info info = {HISS_U8, 4, {N, 3, 4, 2}};
    for (int i = 0; i < N; i++) {
        labels[i] = (int16_t)label;
    }
    must(hiss_h5_create(path, &file, &err), &err);
    must(hiss_h5_define(file, "/images", &info, chunk_rows, deflate, &err), &err);
    must(hiss_h5_write(file, "/images", HISS_U8, 0, N, pixels, &err), &err);
    if (label >= 0) {
        put(file, "/labels", (hiss_h5_info){HISS_I16, 1, {N}}, labels);
    }
    hiss_h5_close(file, NULL);
    hiss_dataset *set = open_set(standard());
    snprintf(out, 256, "%s", hiss_dataset_identity(set));
    hiss_dataset_close(set);
}

static void identity_is_of_the_values(void **state) {
    (void)state;
    static const int chunk[] = {0, 1, 7, N};
    char first[256], other[256];
    identity_of(0, 0, 4, first);
    assert_int_equal(strncmp(first, "uint8 [200,3,4,2], pixels ", 26), 0);
    for (int k = 0; k < 4; k++) {
        identity_of(chunk[k], chunk[k] ? 3 : 0, 4, other);
        assert_string_equal(first, other);
    }
    identity_of(0, 0, 5, other);
    assert_false(hiss_dataset_identities_agree(first, other));
    identity_of(0, 0, -1, other); /* without labels: the same pixels */
    assert_true(hiss_dataset_identities_agree(first, other) && hiss_dataset_identities_agree(other, first));
    for (int i = 0; i < N; i++) {
        pixels[i][ROW - 1] ^= 1;
    }
    identity_of(0, 0, 4, other);
    assert_false(hiss_dataset_identities_agree(first, other) || hiss_dataset_identities_agree(other, first));
    for (int i = 0; i < N; i++) {
        pixels[i][ROW - 1] ^= 1;
    }
    assert_true(hiss_dataset_identities_agree("synthetic x", "synthetic x"));
    assert_false(hiss_dataset_identities_agree("synthetic x", "synthetic xy"));
    assert_false(hiss_dataset_identities_agree("synthetic xy", "synthetic x"));
    assert_false(
        hiss_dataset_identities_agree("a, pixels 0123456789abcdef, sha256 1", "a, pixels 0123456789abcdef, sha256 2"));
}

static void standard_options(void **state) {
    (void)state;
    hiss_config *config;
    hiss_data_options o;
    hiss_error err = {0};
    must(hiss_config_parse("test", "data: {file: x.h5, order: permuted, mode: stream, memory: 2MiB}", &config, &err),
         &err);
    must(hiss_config_section(config, "data", hiss_data_rows, hiss_data_nrows, &o, &err), &err);
    assert_string_equal(o.file, "x.h5");
    assert_true(o.order == 1 && o.mode == 2 && o.memory == 2 << 20);
    hiss_config_destroy(config);
    must(hiss_config_parse("test", "", &config, &err), &err);
    must(hiss_config_section(config, "data", hiss_data_rows, hiss_data_nrows, &o, &err), &err);
    assert_null(o.file);
    assert_string_equal(o.images, "/images");
    assert_string_equal(o.labels, "/labels");
    assert_true(o.order == 0 && o.mode == 0 && o.memory == (int64_t)4 << 30 && !o.window && !o.limit && o.verify);
    hiss_config_destroy(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_in_both_orders),       cmocka_unit_test(reads_much_in_permuted_order),
        cmocka_unit_test(labels_of_any_integer_type), cmocka_unit_test(labels_may_be_absent),
        cmocka_unit_test(bad_data_is_explained),      cmocka_unit_test(checksum_is_verified),
        cmocka_unit_test(standard_options),           cmocka_unit_test(identity_is_of_the_values),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
