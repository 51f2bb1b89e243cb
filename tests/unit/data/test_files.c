/* Several files as one data set: rows wherever they lie, more files than stay open, what belongs together, and the sample
 * that is a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hiss/data.h"
#include "hiss/log.h"

enum { FILES = 70, ROW = 6, MOST = 3, N = 139 }; /* files of 1, 2, 3, 1, 2, 3, ... rows */

static char folder[] = "/tmp/hiss-files-XXXXXX";

static int rows_of(int file) {
    return 1 + file % MOST;
}

static void put(hid_t file, const char *name, int ndim, const hsize_t *dim, const unsigned char *values) {
    const hid_t space = ndim ? H5Screate_simple(ndim, dim, NULL) : H5Screate(H5S_SCALAR);
    const hid_t set = H5Dcreate2(file, name, H5T_NATIVE_UINT8, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

/* `rows` rows from `first` on; 0: one sample, without an axis for samples. Pixel k of row i is 7 i + k, label i % 4. */
static void write_file(const char *name, int first, int rows) {
    unsigned char pixels[N * ROW], label[N];
    char path[256];
    const int count = rows ? rows : 1, skip = rows ? 0 : 1;
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < ROW; k++) {
            pixels[i * ROW + k] = (unsigned char)(7 * (first + i) + k);
        }
        label[i] = (unsigned char)((first + i) % 4);
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hsize_t dim[4] = {(hsize_t)count, 2, 3, 1};
    put(file, "images", 4 - skip, dim + skip, pixels);
    put(file, "labels", 1 - skip, dim, label);
    H5Fclose(file);
}

static int write_all(void **state) {
    (void)state;
    char name[32];
    int first = 0;
    assert_non_null(mkdtemp(folder));
    for (int k = 0; k < FILES && first < N; first += rows_of(k), k++) {
        snprintf(name, sizeof name, "part%03d.h5", k);
        write_file(name, first, rows_of(k) < N - first ? rows_of(k) : N - first);
    }
    write_file("whole.h5", 0, N);
    for (int i = 0; i < 9; i++) {
        snprintf(name, sizeof name, "one%d.h5", i);
        write_file(name, i, 0);
    }
    return 0;
}

static int remove_all(void **state) {
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

/* pattern: below the folder. */
static hiss_status open_files(const char *pattern, const hiss_yaml *layout, hiss_dataset **set, hiss_error *err) {
    static char file[256];
    snprintf(file, sizeof file, "%s/%s", folder, pattern);
    const hiss_data_options options = {.file = file,
                                       .images = "/images",
                                       .labels = "/labels",
                                       .layout = layout,
                                       .label_column = -1,
                                       .memory = 1 << 20,
                                       .verify = true};
    return hiss_dataset_open(&options, 1, set, err);
}

static void expect_row(const uint8_t *row, int64_t i) {
    for (int k = 0; k < ROW; k++) {
        assert_int_equal(row[k], (uint8_t)(7 * i + k));
    }
}

static void rows_are_found_in_any_file(void **state) {
    (void)state;
    hiss_error err = {0};
    hiss_dataset *set, *whole;
    char text[HISS_FILES_TEXT];
    uint8_t rows[N * ROW];
    int32_t labels[N];
    int64_t position[N];
    assert_int_equal(open_files("part*.h5", NULL, &set, &err), HISS_OK);
    assert_int_equal(open_files("whole.h5", NULL, &whole, &err), HISS_OK);
    assert_int_equal(hiss_dataset_count(set), N);
    assert_string_equal(hiss_dataset_identity(set), hiss_dataset_identity(whole));
    assert_null(hiss_dataset_files_text(whole, text));
    assert_non_null(strstr(hiss_dataset_files_text(set, text), "70 files of 139 rows, from "));
    for (int64_t begin = 0; begin < N; begin += 5) { /* across files */
        const int64_t count = N - begin < 23 ? N - begin : 23;
        assert_int_equal(hiss_dataset_read(set, begin, count, rows, labels, &err), HISS_OK);
        for (int64_t i = 0; i < count; i++) {
            expect_row(rows + i * ROW, begin + i);
            assert_int_equal(labels[i], (begin + i) % 4);
        }
    }
    for (int64_t i = 0; i < N; i++) { /* scattered */
        position[i] = i * 37 % N;
    }
    assert_int_equal(hiss_dataset_read_list(set, N, position, rows, labels, &err), HISS_OK);
    for (int64_t i = 0; i < N; i++) {
        expect_row(rows + i * ROW, position[i]);
    }
    hiss_dataset_close(set);
    hiss_dataset_close(whole);
}

static void a_file_may_be_a_sample(void **state) {
    (void)state;
    hiss_error err = {0};
    hiss_dataset *set;
    uint8_t rows[9 * ROW];
    int32_t labels[9];
    const hiss_yaml hwc = {.kind = HISS_YAML_SCALAR, .text = "HWC"};
    assert_int_equal(open_files("one*.h5", &hwc, &set, &err), HISS_OK);
    assert_int_equal(hiss_dataset_count(set), 9);
    assert_int_equal(hiss_dataset_read(set, 0, 9, rows, labels, &err), HISS_OK);
    for (int64_t i = 0; i < 9; i++) {
        expect_row(rows + i * ROW, i);
        assert_int_equal(labels[i], i % 4);
    }
    hiss_dataset_close(set);
}

static void a_file_may_not_change(void **state) {
    (void)state;
    hiss_error err = {0};
    hiss_dataset *set;
    uint8_t rows[N * ROW];
    char path[128], held[128];
    assert_int_equal(open_files("part*.h5", NULL, &set, &err), HISS_OK);
    snprintf(path, sizeof path, "%s/part030.h5", folder); /* no longer open: more files were opened since */
    snprintf(held, sizeof held, "%s/held.h5", folder);
    assert_int_equal(rename(path, held), 0);
    assert_int_equal(hiss_dataset_read(set, 0, N, rows, NULL, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "part030.h5: was removed or renamed while it was in use"));
    write_file("part030.h5", 1, 1);
    assert_int_equal(hiss_dataset_read(set, 0, N, rows, NULL, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "part030.h5: was replaced by another file while it was in use"));
    assert_int_equal(rename(held, path), 0);
    assert_int_equal(hiss_dataset_read(set, 0, N, rows, NULL, &err), HISS_OK);
    hiss_dataset_close(set);
}

/* Number 1 is called one or other. */
static void write_named(const char *name, const char *called) {
    const unsigned char numbers[2] = {0, 1};
    const hsize_t dim[4] = {2, 2, 3, 1};
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t type = H5Tenum_create(H5T_NATIVE_UINT8), space = H5Screate_simple(1, dim, NULL);
    H5Tenum_insert(type, "none", &numbers[0]);
    H5Tenum_insert(type, called, &numbers[1]);
    put(file, "images", 4, dim, (const unsigned char[2 * ROW]){1});
    const hid_t set = H5Dcreate2(file, "labels", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers) >= 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Tclose(type);
    H5Fclose(file);
}

static void classes_have_the_same_names(void **state) {
    (void)state;
    hiss_error err = {0};
    hiss_dataset *set;
    write_named("named0.h5", "one");
    write_named("named1.h5", "one");
    assert_int_equal(open_files("named*.h5", NULL, &set, &err), HISS_OK);
    assert_string_equal(hiss_dataset_class(set, 1), "one");
    hiss_dataset_close(set);
    write_named("named1.h5", "other");
    assert_int_equal(open_files("named*.h5", NULL, &set, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "named1.h5: the classes of data set /labels have other names or numbers than in"));
}

int main(void) {
    hiss_log_setup(HISS_LOG_ERROR, 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_found_in_any_file),
        cmocka_unit_test(a_file_may_be_a_sample),
        cmocka_unit_test(a_file_may_not_change),
        cmocka_unit_test(classes_have_the_same_names),
    };
    return cmocka_run_group_tests(tests, write_all, remove_all);
}
