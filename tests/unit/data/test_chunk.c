/* Data sets in chunks read as HDF5 reads them, whatever the shape of the chunks, their filters and the rows asked for;
 * chunks that lie or are damaged end in HDF5's own words. */
#include "../data_support.h"

#include <hdf5.h>
#include <pthread.h>
#include <zlib.h>

#include "data/unfilter.h"
#include "hiss/rng.h"

enum { N = 157, H = 6, W = 5, C = 3, VALUES = N * H * W * C, SHUFFLE = 1, DEFLATE = 2, FLETCHER = 4, FIRST_SUM = 8 };

static char folder[] = "/tmp/hiss-chunk-XXXXXX", path[64];

static int setup(void **state) {
    (void)state;
    return begin_folder(folder, path, sizeof path);
}

static int teardown(void **state) {
    (void)state;
    return end_folder(folder, path);
}

/* Values 0..249, so that they are the same in every type. */
static uint8_t value_at(int64_t i) {
    return (uint8_t)(((uint64_t)i * 2654435761u >> 7) % 250 & (i % 3 ? 255 : 15));
}

/* Rows before `written` are written; the rest has the fill value 9. */
static void write_file(hid_t type, const hsize_t chunk[4], int filters, int64_t written) {
    static int64_t values[VALUES];
    const hsize_t dim[4] = {N, H, W, C}, part[4] = {(hsize_t)written, H, W, C}, zero[4] = {0};
    for (int64_t i = 0; i < VALUES; i++) {
        values[i] = value_at(i);
    }
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t create = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(4, dim, NULL);
    const hid_t here = H5Screate_simple(4, part, NULL);
    const int64_t nine = 9;
    H5Pset_chunk(create, 4, chunk);
    H5Pset_fill_value(create, H5T_NATIVE_INT64, &nine);
    if (filters & FIRST_SUM) {
        H5Pset_fletcher32(create);
    }
    if (filters & SHUFFLE) {
        H5Pset_shuffle(create);
    }
    if (filters & DEFLATE) {
        H5Pset_deflate(create, 4);
    }
    if (filters & FLETCHER) {
        H5Pset_fletcher32(create);
    }
    const hid_t set = H5Dcreate2(file, "/images", type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, zero, NULL, part, NULL);
    assert_true(written == 0 || H5Dwrite(set, H5T_NATIVE_INT64, here, space, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Sclose(here);
    H5Sclose(space);
    H5Pclose(create);
    assert_true(H5Fclose(file) >= 0);
}

static hiss_status read_rows(hiss_h5 *file, const char *dataset, hiss_dtype dtype, int64_t begin, int64_t count,
                             void *out, hiss_error *err) {
    return hiss_h5_read_rows(file, dataset, dtype, 0, begin, count, H * W * C * hiss_dtype_bytes(dtype), out, err);
}

static void check_rows(hiss_dtype dtype, const void *rows, int64_t begin, int64_t count, int64_t written) {
    for (int64_t i = 0; i < count * H * W * C; i++) {
        const int64_t at = begin * H * W * C + i, expected = at < written * H * W * C ? value_at(at) : 9;
        const double found = dtype == HISS_U8    ? ((const uint8_t *)rows)[i]
                             : dtype == HISS_I16 ? ((const int16_t *)rows)[i]
                             : dtype == HISS_I32 ? ((const int32_t *)rows)[i]
                                                 : (double)((const float *)rows)[i];
        if (found != (double)expected) {
            fail_msg("value %lld of rows %lld to %lld is %g, not %lld", (long long)at, (long long)begin,
                     (long long)(begin + count - 1), found, (long long)expected);
        }
    }
}

static void check_file(hiss_dtype dtype, int64_t written) {
    static uint8_t rows[VALUES * 4];
    hiss_error err = {0};
    hiss_h5 *file;
    hiss_rng rng = hiss_rng_keyed(5, HISS_FOR_TESTS, 0, 0);
    must(hiss_h5_open(path, &file, &err), &err);
    for (int i = 0; i < 24; i++) {
        const int64_t begin = i ? hiss_rng_word(&rng) % N : 0;
        const int64_t count = i ? hiss_rng_word(&rng) % (N - begin + 1) : N;
        memset(rows, 77, sizeof rows);
        must(read_rows(file, "/images", dtype, begin, i % 5 == 4 && count ? 1 : count, rows, &err), &err);
        check_rows(dtype, rows, begin, i % 5 == 4 && count ? 1 : count, written);
    }
    must(hiss_h5_close(file, &err), &err);
}

static void every_shape_of_chunk_and_filter_reads_alike(void **state) {
    (void)state;
    static const hsize_t chunks[][4] = {{157, 6, 5, 3}, {16, 6, 5, 3}, {1, 6, 5, 3},  {40, 2, 2, 1},
                                        {40, 6, 5, 1},  {7, 4, 5, 3},  {50, 6, 2, 3}, {157, 1, 1, 1}};
    static const int filters[] = {
        0, DEFLATE, SHUFFLE | DEFLATE, SHUFFLE | DEFLATE | FLETCHER, FIRST_SUM | SHUFFLE | DEFLATE, FLETCHER};
    const struct {
        hid_t type;
        hiss_dtype dtype;
    } types[] = {
        {H5T_STD_U8LE, HISS_U8}, {H5T_STD_I16LE, HISS_I16}, {H5T_STD_I32BE, HISS_I32}, {H5T_IEEE_F32LE, HISS_F32}};
    for (size_t t = 0; t < 4; t++) {
        for (size_t k = 0; k < sizeof chunks / sizeof *chunks; k++) {
            for (size_t f = 0; f < sizeof filters / sizeof *filters; f++) {
                write_file(types[t].type, chunks[k], filters[f], N);
                check_file(types[t].dtype, N);
            }
        }
    }
}

static void rows_never_written_read_as_the_fill_value(void **state) {
    (void)state;
    for (int64_t written = 0; written < N; written += 60) {
        write_file(H5T_STD_U8LE, (const hsize_t[4]){20, 3, 5, 3}, SHUFFLE | DEFLATE, written);
        check_file(HISS_U8, written);
    }
}

/* Chunks that gain nothing are stored without their filter, when it is optional. */
static void skipped_filters_are_not_undone(void **state) {
    (void)state;
    const hsize_t dim[4] = {N, H, W, C}, chunk[4] = {N, H, W, C}, zero[4] = {0};
    static uint8_t noise[VALUES], rows[VALUES];
    hiss_rng rng = hiss_rng_keyed(6, HISS_FOR_TESTS, 0, 0);
    for (int i = 0; i < VALUES; i++) {
        noise[i] = (uint8_t)hiss_rng_word(&rng);
    }
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t create = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(4, dim, NULL);
    H5Pset_chunk(create, 4, chunk);
    H5Pset_deflate(create, 4);
    const hid_t set = H5Dcreate2(file, "/images", H5T_STD_U8LE, space, H5P_DEFAULT, create, H5P_DEFAULT);
    assert_true(H5Dwrite_chunk(set, H5P_DEFAULT, 1, zero, VALUES, noise) >= 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(create);
    H5Fclose(file);
    hiss_error err = {0};
    hiss_h5 *input;
    must(hiss_h5_open(path, &input, &err), &err);
    must(read_rows(input, "/images", HISS_U8, 0, N, rows, &err), &err);
    assert_memory_equal(rows, noise, VALUES);
    hiss_h5_close(input, NULL);
}

/* Rows that have other fields beside them. */
static void rows_come_to_lie_apart(void **state) {
    (void)state;
    enum { GAP = 40, STRIDE = H * W * C * 2 + GAP };
    static const hsize_t chunks[][4] = {{30, 6, 5, 3}, {30, 2, 2, 1}, {157, 6, 5, 3}};
    static uint8_t rows[N * STRIDE];
    static int16_t packed[VALUES];
    hiss_error err = {0};
    for (size_t k = 0; k < sizeof chunks / sizeof *chunks; k++) {
        hiss_h5 *file;
        write_file(H5T_STD_I16LE, chunks[k], DEFLATE | SHUFFLE, N);
        must(hiss_h5_open(path, &file, &err), &err);
        for (int64_t begin = 0; begin < N; begin += 29) {
            memset(rows, 0xee, sizeof rows);
            must(hiss_h5_read_rows(file, "/images", HISS_I16, 0, begin, N - begin, STRIDE, rows, &err), &err);
            for (int64_t i = 0; i < N - begin; i++) {
                memcpy(packed + i * H * W * C, rows + i * STRIDE, H * W * C * 2);
                for (int g = 0; g < GAP; g++) {
                    assert_int_equal(rows[i * STRIDE + H * W * C * 2 + g], 0xee);
                }
            }
            check_rows(HISS_I16, packed, begin, N - begin, N);
        }
        must(hiss_h5_close(file, &err), &err);
    }
}

/* Enough for several threads. */
static void many_chunks_at_once(void **state) {
    (void)state;
    enum { ROWS = 3000, SIDE = 20 };
    const hsize_t dim[3] = {ROWS, SIDE, SIDE}, chunk[3] = {700, 7, 6};
    uint8_t *values = malloc(ROWS * SIDE * SIDE), *rows = malloc(ROWS * SIDE * SIDE);
    for (int64_t i = 0; i < ROWS * SIDE * SIDE; i++) {
        values[i] = value_at(i);
    }
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t create = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(3, dim, NULL);
    H5Pset_chunk(create, 3, chunk);
    H5Pset_deflate(create, 1);
    const hid_t set = H5Dcreate2(file, "/images", H5T_STD_U8LE, space, H5P_DEFAULT, create, H5P_DEFAULT);
    assert_true(H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(create);
    H5Fclose(file);
    hiss_error err = {0};
    hiss_h5 *input;
    must(hiss_h5_open(path, &input, &err), &err);
    must(hiss_h5_read_rows(input, "/images", HISS_U8, 0, 0, ROWS, SIDE * SIDE, rows, &err), &err);
    assert_memory_equal(rows, values, ROWS * SIDE * SIDE);
    must(hiss_h5_read_rows(input, "/images", HISS_U8, 0, 123, 2222, SIDE * SIDE, rows, &err), &err);
    assert_memory_equal(rows, values + 123 * SIDE * SIDE, 2222 * SIDE * SIDE);
    must(hiss_h5_close(input, &err), &err);
    free(values);
    free(rows);
}

/* ---- what the index of chunks tells ---- */

static void rows_never_written_are_counted(void **state) {
    (void)state;
    static const hsize_t chunks[][4] = {{20, 6, 5, 3}, {20, 3, 2, 1}};
    for (int k = 0; k < 4; k++) {
        const int64_t written = k < 2 ? N : 60;
        hiss_error err = {0};
        hiss_h5 *file;
        char found[HISS_H5_INFO_TEXT] = "", expected[HISS_H5_INFO_TEXT];
        write_file(H5T_STD_U8LE, chunks[k % 2], DEFLATE, written);
        must(hiss_h5_open(path, &file, &err), &err);
        snprintf(expected, sizeof expected, "%d of its %d rows were never written, or not whole, from row 60 on",
                 N - 60, N);
        assert_int_equal(hiss_h5_unwritten(file, "/images", found), written < N);
        assert_true(written == N || strncmp(found, expected, strlen(expected)) == 0);
        must(hiss_h5_close(file, &err), &err);
    }
}

/* Two chunks of bytes behind an optional filter that nobody has; the masks say which were written without it. */
static void write_behind(const uint32_t mask[2]) {
    enum { NOBODY_HAS = 511 };
    const hsize_t dim[3] = {2, 4, 4}, chunk[3] = {1, 4, 4};
    const uint8_t bytes[16] = {1};
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t create = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(3, dim, NULL);
    H5Pset_chunk(create, 3, chunk);
    H5Pset_filter(create, NOBODY_HAS, H5Z_FLAG_OPTIONAL, 0, NULL);
    const hid_t set = H5Dcreate2(file, "/images", H5T_STD_U8LE, space, H5P_DEFAULT, create, H5P_DEFAULT);
    for (hsize_t k = 0; k < 2; k++) {
        assert_true(H5Dwrite_chunk(set, H5P_DEFAULT, mask[k], (const hsize_t[3]){k, 0, 0}, 16, bytes) >= 0);
    }
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(create);
    H5Fclose(file);
}

/* Before anything is read, whichever chunk needs it. */
static void missing_filters_are_found_in_any_chunk(void **state) {
    (void)state;
    for (uint32_t k = 0; k < 4; k++) {
        const uint32_t mask[2] = {k & 1, k >> 1};
        hiss_error err = {0};
        hiss_h5 *file;
        hiss_h5_info info;
        write_behind(mask);
        must(hiss_h5_open(path, &file, &err), &err);
        if (k == 3) {
            uint8_t rows[32];
            must(hiss_h5_read_rows(file, "/images", HISS_U8, 0, 0, 2, 16, rows, &err), &err);
            assert_true(rows[0] == 1 && rows[16] == 1 && rows[1] == 0);
        } else {
            assert_int_equal(hiss_h5_look(file, "/images", &info, &err), HISS_EUSER);
            assert_non_null(strstr(err.text, "need filter 511"));
            assert_non_null(strstr(err.text, "HDF5_PLUGIN_PATH"));
        }
        must(hiss_h5_close(file, &err), &err);
    }
}

/* ---- several readers ---- */

typedef struct reader {
    hiss_h5 *file;
    int number;
    bool wrong;
} reader;

static void *read_around(void *user) {
    reader *r = user;
    uint8_t *rows = malloc(VALUES);
    hiss_error err;
    for (int i = 0; i < 60; i++) {
        const int64_t begin = (i * 13 + r->number * 31) % (N - 20);
        r->wrong = r->wrong || read_rows(r->file, "/images", HISS_U8, begin, 20, rows, &err) != HISS_OK;
        for (int64_t k = 0; k < 20 * H * W * C; k++) {
            r->wrong = r->wrong || rows[k] != value_at(begin * H * W * C + k);
        }
    }
    free(rows);
    return NULL;
}

static void threads_may_read_at_once(void **state) {
    (void)state;
    enum { READERS = 4 };
    write_file(H5T_STD_U8LE, (const hsize_t[4]){16, 3, 3, 3}, DEFLATE, N);
    pthread_t thread[READERS];
    reader readers[READERS];
    hiss_error err = {0};
    hiss_h5 *file;
    must(hiss_h5_open(path, &file, &err), &err);
    for (int i = 0; i < READERS; i++) {
        readers[i] = (reader){file, i, false};
        assert_int_equal(pthread_create(&thread[i], NULL, read_around, &readers[i]), 0);
    }
    for (int i = 0; i < READERS; i++) {
        pthread_join(thread[i], NULL);
        assert_false(readers[i].wrong);
    }
    must(hiss_h5_close(file, &err), &err);
}

/* ---- damage ---- */

static void damaged_chunks_are_errors(void **state) {
    (void)state;
    write_file(H5T_STD_U8LE, (const hsize_t[4]){20, 6, 5, 3}, DEFLATE | FLETCHER, N);
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), set = H5Dopen2(file, "/images", H5P_DEFAULT);
    unsigned mask;
    haddr_t address;
    hsize_t size;
    assert_true(H5Dget_chunk_info_by_coord(set, (const hsize_t[4]){60, 0, 0, 0}, &mask, &address, &size) >= 0);
    H5Dclose(set);
    H5Fclose(file);
    FILE *stream = fopen(path, "r+b");
    assert_true(stream && fseek(stream, (long)(address + size / 2), SEEK_SET) == 0);
    assert_int_equal(fputc(0xa5, stream), 0xa5);
    assert_int_equal(fputc(0x5a, stream), 0x5a);
    fclose(stream);
    static uint8_t rows[VALUES];
    hiss_error err = {0};
    hiss_h5 *input;
    must(hiss_h5_open(path, &input, &err), &err);
    must(read_rows(input, "/images", HISS_U8, 0, 60, rows, &err), &err);
    assert_int_equal(read_rows(input, "/images", HISS_U8, 0, N, rows, &err), HISS_ESYSTEM);
    assert_non_null(strstr(err.text, "damaged"));
    assert_int_equal(read_rows(input, "/images", HISS_U8, 61, 1, rows, &err), HISS_ESYSTEM);
    assert_non_null(strstr(err.text, "damaged"));
    must(read_rows(input, "/images", HISS_U8, 80, N - 80, rows, &err), &err);
    must(hiss_h5_close(input, &err), &err);
}

/* Whatever is stored, no byte is written beyond the values' end. */
static void lies_do_not_overflow(void **state) {
    (void)state;
    enum { BYTES = 1000, STORED = 1200, GUARD = 64 };
    static const data_filter all[][3] = {{{DATA_SHUFFLE, 4}, {DATA_DEFLATE, 0}, {DATA_FLETCHER32, 0}},
                                         {{DATA_FLETCHER32, 0}, {DATA_SHUFFLE, 4}, {DATA_DEFLATE, 0}},
                                         {{DATA_DEFLATE, 0}, {DATA_SHUFFLE, 4}, {DATA_DEFLATE, 0}},
                                         {{DATA_FLETCHER32, 0}, {DATA_DEFLATE, 0}, {DATA_SHUFFLE, 8}}};
    uint8_t values[BYTES + 8], stored[STORED], out[BYTES + 16 + GUARD], work[BYTES + 16 + GUARD];
    hiss_rng rng = hiss_rng_keyed(7, HISS_FOR_TESTS, 0, 0);
    int came_out = 0;
    for (int i = 0; i < 20000; i++) {
        memset(values, i, sizeof values);
        const uLong plain = (uLong)(i % 3 ? BYTES : BYTES - 8 + i % 17);
        uLongf length = STORED;
        compress2(stored, &length, values, plain, 1);
        for (uint32_t flips = hiss_rng_word(&rng) % 3; flips > 0; flips--) {
            stored[hiss_rng_word(&rng) % length] ^= (uint8_t)(1u << hiss_rng_word(&rng) % 8);
        }
        const int count = 1 + i % 3, kind = i / 3 % 4;
        const int64_t bytes = i % 5 ? (int64_t)length : hiss_rng_word(&rng) % STORED;
        const int64_t room = data_unfilter_room(all[kind], count, BYTES);
        memset(out, 0xee, sizeof out);
        memset(work, 0xee, sizeof work);
        came_out += data_unfilter(all[kind], count, hiss_rng_word(&rng) % 8, stored, bytes, BYTES, out, work);
        for (int k = 0; k < GUARD; k++) {
            assert_true(out[room + k] == 0xee && work[room + k] == 0xee);
        }
    }
    assert_true(came_out > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape_of_chunk_and_filter_reads_alike),
        cmocka_unit_test(rows_never_written_read_as_the_fill_value),
        cmocka_unit_test(skipped_filters_are_not_undone),
        cmocka_unit_test(rows_come_to_lie_apart),
        cmocka_unit_test(many_chunks_at_once),
        cmocka_unit_test(rows_never_written_are_counted),
        cmocka_unit_test(missing_filters_are_found_in_any_chunk),
        cmocka_unit_test(threads_may_read_at_once),
        cmocka_unit_test(damaged_chunks_are_errors),
        cmocka_unit_test(lies_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
