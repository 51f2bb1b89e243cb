/* HDF5 files as named arrays: what is written reads back; every failure is one line that names file and data set. */
#include "../data_support.h"

#include <sys/file.h>

static char folder[] = "/tmp/hiss-h5-XXXXXX";
static char path[128];

static int setup(void **state) {
    (void)state;
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

static hiss_h5 *open_file(void) {
    hiss_h5 *file;
    hiss_error err = {0};
    if (hiss_h5_open(path, &file, &err)) {
        fail_msg("%s", err.text);
    }
    return file;
}

static hiss_h5 *create_file(void) {
    hiss_h5 *file;
    hiss_error err = {0};
    if (hiss_h5_create(path, &file, &err)) {
        fail_msg("%s", err.text);
    }
    return file;
}

static void put(hiss_h5 *file, const char *name, hiss_h5_info info, int64_t chunk, int deflate, const void *rows) {
    hiss_error err = {0};
    if (hiss_h5_define(file, name, &info, chunk, deflate, &err) ||
        hiss_h5_write(file, name, info.dtype, 0, info.dim[0], rows, &err)) {
        fail_msg("%s", err.text);
    }
}

static void round_trip(void **state) {
    (void)state;
    uint8_t u8[7 * 6];
    int16_t i16[5] = {-3, 0, 7, 32767, -32768};
    int32_t i32[2] = {-1, 1 << 30};
    int64_t i64[2] = {INT64_MIN, INT64_MAX};
    float f32[2 * 3 * 1 * 2 * 1] = {1.5f, -0.f, 3e38f};
    for (size_t i = 0; i < sizeof u8; i++) {
        u8[i] = (uint8_t)(i * 7);
    }
    hiss_h5 *file = create_file();
    put(file, "/images", (hiss_h5_info){HISS_U8, 3, {7, 2, 3}}, 4, 3, u8);
    put(file, "/a/b/i16", (hiss_h5_info){HISS_I16, 1, {5}}, 0, 0, i16);
    put(file, "i32", (hiss_h5_info){HISS_I32, 1, {2}}, 1, 0, i32);
    put(file, "i64", (hiss_h5_info){HISS_I64, 1, {2}}, 0, 0, i64);
    put(file, "f32", (hiss_h5_info){HISS_F32, 5, {2, 3, 1, 2, 1}}, 100, 9, f32);
    put(file, "none", (hiss_h5_info){HISS_F32, 2, {0, 3}}, 5, 1, f32);
    assert_int_equal(hiss_h5_close(file, NULL), HISS_OK);

    file = open_file();
    hiss_h5_info info;
    assert_int_equal(hiss_h5_look(file, "/f32", &info, NULL), HISS_OK);
    assert_true(info.dtype == HISS_F32 && info.ndim == 5 && info.dim[0] == 2 && info.dim[1] == 3 && info.dim[3] == 2);
    uint8_t rows[3 * 6];
    assert_int_equal(hiss_h5_read(file, "/images", HISS_U8, 2, 3, rows, NULL), HISS_OK);
    assert_memory_equal(rows, u8 + 2 * 6, sizeof rows);
    int16_t back16[5];
    assert_int_equal(hiss_h5_read(file, "a/b/i16", HISS_I16, 0, 5, back16, NULL), HISS_OK);
    assert_memory_equal(back16, i16, sizeof i16);
    int32_t back32[2];
    assert_int_equal(hiss_h5_read(file, "i32", HISS_I32, 0, 2, back32, NULL), HISS_OK);
    assert_memory_equal(back32, i32, sizeof i32);
    int64_t back64;
    assert_int_equal(hiss_h5_read(file, "i64", HISS_I64, 1, 1, &back64, NULL), HISS_OK);
    assert_true(back64 == INT64_MAX);
    float backf[12];
    assert_int_equal(hiss_h5_read(file, "f32", HISS_F32, 0, 2, backf, NULL), HISS_OK);
    assert_memory_equal(backf, f32, sizeof f32);
    assert_int_equal(hiss_h5_read(file, "none", HISS_F32, 0, 0, backf, NULL), HISS_OK);
    assert_true(hiss_h5_has(file, "/a/b/i16"));
    assert_true(hiss_h5_has(file, "/a/b"));
    assert_false(hiss_h5_has(file, "/x/y"));
    assert_int_equal(hiss_h5_close(file, NULL), HISS_OK);
    assert_int_equal(hiss_h5_close(NULL, NULL), HISS_OK);
}

static void attributes(void **state) {
    (void)state;
    size_t size = 200000; /* more than an object header holds */
    char *big = hiss_alloc(size + 1), *text;
    memset(big, 'x', size);
    hiss_h5 *file = create_file();
    int32_t one = 1;
    put(file, "d", (hiss_h5_info){HISS_I32, 1, {1}}, 0, 0, &one);
    assert_int_equal(hiss_h5_set_text(file, "/", "big", big, NULL), HISS_OK);
    assert_int_equal(hiss_h5_set_text(file, "/d", "note", "first", NULL), HISS_OK);
    assert_int_equal(hiss_h5_set_text(file, "/d", "note", "", NULL), HISS_OK);
    assert_int_equal(hiss_h5_set_i64(file, "/", "seed", -5000000000, NULL), HISS_OK);
    assert_int_equal(hiss_h5_close(file, NULL), HISS_OK);

    file = open_file();
    assert_int_equal(hiss_h5_get_text(file, "/", "big", &text, NULL), HISS_OK);
    assert_string_equal(text, big);
    hiss_free(text);
    assert_int_equal(hiss_h5_get_text(file, "/d", "note", &text, NULL), HISS_OK);
    assert_string_equal(text, "");
    hiss_free(text);
    int64_t seed;
    assert_int_equal(hiss_h5_get_i64(file, "/", "seed", &seed, NULL), HISS_OK);
    assert_true(seed == -5000000000);
    hiss_error err;
    assert_int_equal(hiss_h5_get_i64(file, "/", "big", &seed, &err), HISS_EUSER);
    expect_text(&err, "big of / is not one integer");
    assert_int_equal(hiss_h5_get_text(file, "/", "absent", &text, &err), HISS_EUSER);
    expect_text(&err, "has no attribute absent");
    assert_int_equal(hiss_h5_get_text(file, "/e", "note", &text, &err), HISS_EUSER);
    expect_text(&err, "has no data set /e; it has: /d");
    hiss_h5_close(file, NULL);
    hiss_free(big);
}

typedef struct visits {
    char seen[64];
    int stop_after;
} visits;

static hiss_status note(void *user, const char *dataset, const hiss_h5_info *info, hiss_error *err) {
    visits *v = user;
    strcat(v->seen, dataset);
    strcat(v->seen, info->dtype == HISS_I32 ? " " : "? ");
    return --v->stop_after ? HISS_OK : hiss_fail(err, HISS_EUSER, "enough");
}

static void visits_in_name_order(void **state) {
    (void)state;
    int32_t one = 1;
    hiss_h5 *file = create_file();
    const char *made[] = {"/c", "/b/z", "/b/a", "/a"};
    for (int i = 0; i < 4; i++) {
        put(file, made[i], (hiss_h5_info){HISS_I32, 1, {1}}, 0, 0, &one);
    }
    visits all = {"", 0}, two = {"", 2};
    hiss_error err;
    assert_int_equal(hiss_h5_each(file, note, &all, &err), HISS_OK);
    assert_string_equal(all.seen, "/a /b/a /b/z /c ");
    assert_int_equal(hiss_h5_each(file, note, &two, &err), HISS_EUSER);
    assert_string_equal(two.seen, "/a /b/a ");
    hiss_h5_close(file, NULL);
}

static hiss_status name_all(void *user, const char *dataset, const hiss_h5_info *info, hiss_error *err) {
    char *seen = user, text[HISS_H5_INFO_TEXT];
    (void)err;
    sprintf(seen + strlen(seen), "%s %s; ", dataset, info ? hiss_h5_info_text(info, text) : "unreadable");
    return HISS_OK;
}

/* hiss_h5_each has those alone that a run can use as they are. */
static void lists_every_type(void **state) {
    (void)state;
    const int32_t one = 1;
    char seen[256] = "", few[256] = "";
    hiss_error err;
    hiss_h5 *file = create_file();
    put(file, "/b", (hiss_h5_info){HISS_I32, 1, {1}}, 0, 0, &one);
    assert_int_equal(hiss_h5_write_texts(file, "/a", 2, 2, "hiho", &err), HISS_OK);
    assert_int_equal(hiss_h5_list(file, name_all, seen, &err), HISS_OK);
    assert_int_equal(hiss_h5_each(file, name_all, few, &err), HISS_OK);
    hiss_h5_close(file, NULL);
    assert_string_equal(seen, "/a strings [2]; /b int32 [1]; ");
    assert_string_equal(few, "/b int32 [1]; ");
}

static hiss_status count_it(void *user, const char *dataset, const hiss_h5_info *info, hiss_error *err) {
    (void)dataset, (void)info, (void)err;
    ++*(int64_t *)user;
    return HISS_OK;
}

static void wrong_use_is_explained(void **state) {
    (void)state;
    hiss_h5 *file = create_file();
    float f[6] = {0};
    put(file, "/x", (hiss_h5_info){HISS_F32, 2, {3, 2}}, 0, 0, f);
    hiss_error err;
    assert_int_equal(hiss_h5_read(file, "/x", HISS_U8, 0, 1, f, &err), HISS_EUSER);
    expect_text(&err, path);
    expect_text(&err, "data set /x holds float32; expected uint8");
    assert_int_equal(hiss_h5_read(file, "/x", HISS_F32, 2, 2, f, &err), HISS_EUSER);
    expect_text(&err, "has 3 rows; rows 2 to 3 were asked for");
    assert_int_equal(hiss_h5_read(file, "/y", HISS_F32, 0, 1, f, &err), HISS_EUSER);
    expect_text(&err, "has no data set /y; it has: /x");
    put(file, "/a/b/c", (hiss_h5_info){HISS_F32, 2, {3, 2}}, 0, 0, f);
    assert_int_equal(hiss_h5_read(file, "/a/b", HISS_F32, 0, 1, f, &err), HISS_EUSER);
    expect_text(&err, "/a/b is a group; expected a data set; it has: /a/b/c, /x");
    assert_int_equal(hiss_h5_read(file, "a/b/c/d", HISS_F32, 0, 1, f, &err), HISS_EUSER);
    expect_text(&err, "data set a/b/c/d cannot be found: /a/b/c is not a group");
    assert_int_equal(hiss_h5_read(file, "/./a/.//b/d", HISS_F32, 0, 1, f, &err), HISS_EUSER);
    expect_text(&err, "has no data set /./a/.//b/d; it has: /a/b/c, /x");
    hiss_h5_close(file, NULL);
}

/* More objects than the first table of the walk has room for, and names too long to be asked for. */
static void many_and_deep(void **state) {
    (void)state;
    enum { MANY = 1000, DEEP = 140, NAMED = 126 };
    const int32_t one = 1;
    char name[8 * DEEP] = "";
    hiss_h5 *file = create_file();
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "/many/%04d", i);
        put(file, name, (hiss_h5_info){HISS_I32, 1, {1}}, 0, 0, &one);
    }
    *name = 0;
    for (int i = 0; i < DEEP; i++) {
        strcat(name, "/d");
        hiss_error err;
        const hiss_h5_info info = {HISS_I32, 1, {1}};
        char leaf[sizeof name + 2];
        snprintf(leaf, sizeof leaf, "%s/x", name);
        assert_int_equal(hiss_h5_define(file, leaf, &info, 0, 0, &err), HISS_OK);
    }
    hiss_h5_close(file, NULL);
    file = open_file();
    int64_t seen = 0;
    assert_int_equal(hiss_h5_each(file, count_it, &seen, NULL), HISS_OK);
    hiss_h5_close(file, NULL);
    assert_int_equal(seen, MANY + NAMED); /* 2 characters a group, 2 of the leaf, at most 255 */
}

static void write_bytes(const void *bytes, size_t count) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, count, f), count);
    fclose(f);
}

static void bad_files_are_explained(void **state) {
    (void)state;
    hiss_h5 *file;
    hiss_error err;
    unlink(path);
    assert_int_equal(hiss_h5_open(path, &file, &err), HISS_EUSER);
    expect_text(&err, "No such file");
    assert_int_equal(hiss_h5_open(folder, &file, &err), HISS_EUSER);
    expect_text(&err, "is a folder");
    write_bytes("not hdf5", 8);
    assert_int_equal(hiss_h5_open(path, &file, &err), HISS_EUSER);
    expect_text(&err, "not an HDF5 file");
    assert_int_equal(hiss_h5_create("/nonexistent/x.h5", &file, &err), HISS_ESYSTEM);
    expect_text(&err, "/nonexistent/x.h5: cannot be created");

    char *zeros = hiss_alloc(10000);
    file = create_file();
    put(file, "/x", (hiss_h5_info){HISS_U8, 1, {10000}}, 0, 0, zeros);
    hiss_h5_close(file, NULL);
    hiss_free(zeros);
    assert_int_equal(truncate(path, 6000), 0);
    assert_int_equal(hiss_h5_open(path, &file, &err), HISS_EUSER);
    expect_text(&err, "incomplete HDF5 file");
}

static void locked_file_is_explained(void **state) {
    (void)state;
    hiss_h5 *file = create_file();
    hiss_h5_close(file, NULL);
    FILE *holder = fopen(path, "r+");
    assert_int_equal(flock(fileno(holder), LOCK_EX), 0);
    hiss_error err;
    hiss_status status = hiss_h5_open(path, &file, &err);
    fclose(holder);
    if (status == HISS_OK) { /* locking is off in this environment */
        hiss_h5_close(file, NULL);
        skip();
    }
    assert_int_equal(status, HISS_ESYSTEM);
    expect_text(&err, "HDF5_USE_FILE_LOCKING=FALSE");
}

static void damage_is_reported(void **state) {
    (void)state;
    enum { N = 1 << 16 };
    uint8_t *noise = hiss_alloc(N);
    uint32_t x = 1;
    for (int i = 0; i < N; i++) {
        x = x * 1664525 + 1013904223;
        noise[i] = (uint8_t)(x >> 30); /* compresses to a quarter */
    }
    hiss_h5 *file = create_file();
    put(file, "/x", (hiss_h5_info){HISS_U8, 2, {N / 64, 64}}, 256, 6, noise);
    hiss_h5_close(file, NULL);
    FILE *f = fopen(path, "r+b");
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    fseek(f, size / 2, SEEK_SET);
    uint8_t junk[512];
    memset(junk, 0xA5, sizeof junk);
    fwrite(junk, 1, sizeof junk, f);
    fclose(f);
    file = open_file();
    hiss_error err;
    assert_int_equal(hiss_h5_read(file, "/x", HISS_U8, 0, N / 64, noise, &err), HISS_ESYSTEM);
    expect_text(&err, "cannot read rows 0 to 1023 of data set /x");
    hiss_h5_close(file, NULL);
    hiss_free(noise);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(attributes),
        cmocka_unit_test(visits_in_name_order),
        cmocka_unit_test(lists_every_type),
        cmocka_unit_test(many_and_deep),
        cmocka_unit_test(wrong_use_is_explained),
        cmocka_unit_test(bad_files_are_explained),
        cmocka_unit_test(locked_file_is_explained),
        cmocka_unit_test(damage_is_reported),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
