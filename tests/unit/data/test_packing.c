/* What the numbers of a data set stand for: packed ones are unpacked in every type, missing ones replaced or refused, each
 * as attributes say; those that say nothing sensible are refused. */
#include "../data_support.h"

#include <float.h>
#include <hdf5.h>
#include <math.h>

#include "hiss/config.h"

enum { N = 6, SIDE = 2, VALUES = N * SIDE * SIDE };

static char folder[] = "/tmp/hiss-packing-XXXXXX";
static char path[128];
static hid_t file;
static const char *layout = "null";

static int setup(void **state) {
    (void)state;
    return begin_folder(folder, path, sizeof path);
}

static int teardown(void **state) {
    (void)state;
    return end_folder(folder, path);
}

/* Numbers 0, 1, ... but for the one at `odd_at`. */
static void put(const char *name, hid_t stored, int64_t odd_at, double odd) {
    const hsize_t dim[3] = {N, SIDE, SIDE};
    double values[VALUES];
    for (int64_t i = 0; i < VALUES; i++) {
        values[i] = i == odd_at ? odd : (double)i;
    }
    const hid_t space = H5Screate_simple(3, dim, NULL);
    const hid_t set = H5Dcreate2(file, name, stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

static void attribute(const char *set, const char *name, hid_t type, hsize_t count, const double *value) {
    const hid_t space = count ? H5Screate_simple(1, &count, NULL) : H5Screate(H5S_SCALAR);
    const hid_t object = H5Oopen(file, set, H5P_DEFAULT);
    const hid_t made = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(made >= 0 && H5Awrite(made, H5T_NATIVE_DOUBLE, value) >= 0);
    H5Aclose(made);
    H5Oclose(object);
    H5Sclose(space);
}

static void one(const char *set, const char *name, hid_t type, double value) {
    attribute(set, name, type, 0, &value);
}

/* With data.missing and a range; out: all values. */
static hiss_status read_all(const char *images, const char *missing, const hiss_field **field, hiss_dataset **out,
                            float values[VALUES], hiss_error *err) {
    static hiss_field image;
    hiss_config *config;
    hiss_data_options options = {0};
    char text[512];
    snprintf(text, sizeof text, "data: {file: %s, images: %s, labels: '', range: [0, 1], missing: %s, layout: %s}",
             path, images, missing, layout);
    must(hiss_config_parse("test", text, &config, err), err);
    must(hiss_config_section(config, "data", hiss_data_rows, hiss_data_nrows, &options, err), err);
    hiss_dataset *set = NULL;
    hiss_status status = hiss_dataset_open(&options, 1, &set, err);
    hiss_config_destroy(config);
    *out = set;
    if (status) {
        return status;
    }
    image = *hiss_dataset_field(set, HISS_FIELD_IMAGE);
    *field = &image;
    uint8_t *rows = hiss_alloc((size_t)(N * hiss_dataset_row(set)));
    status = hiss_dataset_read(set, 0, N, rows, NULL, err);
    for (int64_t i = 0; i < N && !status; i++) {
        hiss_field_floats(&image, rows + i * hiss_dataset_row(set), 0, values + i * SIDE * SIDE);
    }
    hiss_free(rows);
    return status;
}

/* All values are scale * number + offset, but the odd one. */
static void expect(const char *images, const char *missing, hiss_dtype dtype, double scale, double offset,
                   int64_t odd_at, double odd) {
    float values[VALUES];
    const hiss_field *field;
    hiss_dataset *set;
    hiss_error err = {0};
    must(read_all(images, missing, &field, &set, values, &err), &err);
    assert_int_equal(field->dtype, dtype);
    for (int64_t i = 0; i < VALUES; i++) {
        const float wanted = (float)(i == odd_at ? odd : scale * (double)i + offset);
        if (values[i] != wanted) {
            fail_msg("%s: value %lld is %g, expected %g", images, (long long)i, (double)values[i], (double)wanted);
        }
    }
    hiss_dataset_close(set);
}

static void expect_error(const char *images, const char *missing, const char *part) {
    float values[VALUES];
    const hiss_field *field;
    hiss_dataset *set;
    hiss_error err = {0};
    assert_int_equal(read_all(images, missing, &field, &set, values, &err), HISS_EUSER);
    expect_text(&err, part);
    hiss_dataset_close(set);
}

static const struct {
    const char *name;
    hiss_dtype dtype;
    double most; /* above all others */
} types[] = {{"u8", HISS_U8, 255},          {"i8", HISS_I8, 127},         {"u16", HISS_U16, 65535},
             {"i16", HISS_I16, 32767},      {"u32", HISS_U32, 4e9},       {"i32", HISS_I32, 2147483647},
             {"u64", HISS_U64, 1ull << 63}, {"i64", HISS_I64, 1ll << 62}, {"f32", HISS_F32, 1e20},
             {"f64", HISS_F32, 1e300}};
enum { TYPES = sizeof types / sizeof *types, ODD_AT = 13 };

static void begin(void) {
    file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
}

static hid_t stored(int k) {
    const hid_t type[TYPES] = {H5T_STD_U8LE,  H5T_STD_I8LE,  H5T_STD_U16BE, H5T_STD_I16LE,  H5T_STD_U32LE,
                               H5T_STD_I32BE, H5T_STD_U64LE, H5T_STD_I64BE, H5T_IEEE_F32LE, H5T_IEEE_F64BE};
    return type[k];
}

static void packed_numbers_are_values(void **state) {
    (void)state;
    begin();
    for (int k = 0; k < TYPES; k++) {
        char name[32];
        put(types[k].name, stored(k), ODD_AT, types[k].most);
        one(types[k].name, "scale_factor", H5T_IEEE_F64LE, 0.5);
        one(types[k].name, "add_offset", H5T_IEEE_F32BE, -3);
        one(types[k].name, "_FillValue", stored(k), types[k].most);
        snprintf(name, sizeof name, "%s_scaled", types[k].name);
        put(name, stored(k), -1, 0);
        one(name, "scale_factor", H5T_STD_I16LE, -2);
        snprintf(name, sizeof name, "%s_moved", types[k].name);
        put(name, stored(k), -1, 0);
        attribute(name, "add_offset", H5T_IEEE_F64LE, 1, (const double[]){100}); /* as netCDF does */
    }
    H5Fclose(file);
    for (int k = 0; k < TYPES; k++) {
        char name[32];
        expect(types[k].name, "7.25", HISS_F32, 0.5, -3, ODD_AT, 7.25);
        expect_error(types[k].name, "null", "row 3 of data set ");
        snprintf(name, sizeof name, "%s_scaled", types[k].name);
        expect(name, "null", HISS_F32, -2, 0, -1, 0);
        snprintf(name, sizeof name, "%s_moved", types[k].name);
        expect(name, "null", HISS_F32, 1, 100, -1, 0);
    }
}

/* The numbers first, first + 1, ... of the samples, which are the last axis or the first. */
static void put_from(const char *name, hid_t stored, bool last, double first) {
    const hsize_t dim[3] = {last ? SIDE : N, SIDE, last ? N : SIDE};
    double values[VALUES];
    for (int64_t i = 0; i < VALUES; i++) {
        values[last ? i % (SIDE * SIDE) * N + i / (SIDE * SIDE) : i] = first + (double)i;
    }
    const hid_t space = H5Screate_simple(3, dim, NULL);
    const hid_t set = H5Dcreate2(file, name, stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

/* Neighbours are one number as float32; one of them is the fill value. */
static void numbers_of_more_than_24_bits_are_unpacked_exactly(void **state) {
    (void)state;
    static const double first[TYPES] = {[4] = 4294967200, [5] = -2147483646, [6] = 0x1p52, [7] = -0x1p52, [9] = 0x1p52};
    for (int last = 0; last < 2; last++) {
        layout = last ? "HWN" : "null";
        begin();
        for (int k = 0; k < TYPES; k++) {
            put_from(types[k].name, stored(k), last, first[k]);
            one(types[k].name, "scale_factor", H5T_IEEE_F64LE, 0.5);
            one(types[k].name, "add_offset", H5T_IEEE_F64LE, -0.5 * first[k]);
            one(types[k].name, "_FillValue", stored(k), first[k] + ODD_AT);
        }
        H5Fclose(file);
        for (int k = 0; k < TYPES; k++) {
            expect(types[k].name, "7.25", HISS_F32, 0.5, 0, ODD_AT, 7.25);
            expect_error(types[k].name, "null", "row 3 of data set ");
            expect_error(types[k].name, "null", "missing (they are its _FillValue or missing_value)");
        }
    }
    layout = "null";
}

static void missing_numbers_are_replaced_in_their_type(void **state) {
    (void)state;
    begin();
    for (int k = 0; k < TYPES; k++) {
        put(types[k].name, stored(k), ODD_AT, types[k].most);
        one(types[k].name, k % 2 ? "missing_value" : "_FillValue", stored(k), types[k].most);
    }
    put("nan", H5T_IEEE_F32LE, ODD_AT, (double)NAN);
    put("infinite", H5T_IEEE_F64LE, ODD_AT, -HUGE_VAL);
    H5Fclose(file);
    for (int k = 0; k < TYPES; k++) {
        const bool real = types[k].dtype == HISS_F32;
        expect(types[k].name, real ? "7.25" : "7", types[k].dtype, 1, 0, ODD_AT, real ? 7.25 : 7);
        expect_error(types[k].name, real ? "1e39" : "7.25",
                     real ? "are float32: expected a number" : "expected a whole number");
        expect_error(types[k].name, "-1e39", "data.missing: -");
        expect_error(types[k].name, "null", "missing (they are its _FillValue or missing_value)");
    }
    expect("i8", "-128", HISS_I8, 1, 0, ODD_AT, -128);
    expect_error("i8", "-129", "int8: expected a whole number from -128 to 127");
    expect_error("u64", "-1", "uint64: expected a whole number from 0 to 9007199254740992");
    expect("u64", "9007199254740992", HISS_U64, 1, 0, ODD_AT, 0x1p53);
    expect("nan", "5", HISS_F32, 1, 0, ODD_AT, 5);
    expect_error("nan", "null", "not finite");
    expect_error("infinite", "5", "infinite; expected numbers");
    for (int k = 0; k < 3; k++) {
        expect_error("nan", ((const char *[]){"some", "[1]", "nan"})[k], "data.missing: must be a number, or null");
    }
}

static void attributes_that_make_no_sense_are_refused(void **state) {
    (void)state;
    static const double two[2] = {3, 4}, nine[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    begin();
    for (int k = 0; k < 7; k++) {
        put(((const char *[]){"zero", "nan", "pair", "text", "fill", "fills", "many"})[k], H5T_STD_I16LE, -1, 0);
    }
    one("zero", "scale_factor", H5T_IEEE_F64LE, 0);
    one("nan", "add_offset", H5T_IEEE_F64LE, (double)NAN);
    attribute("pair", "scale_factor", H5T_IEEE_F64LE, 2, two);
    one("fill", "_FillValue", H5T_IEEE_F64LE, (double)NAN);
    attribute("fills", "missing_value", H5T_IEEE_F64LE, 2, two);
    attribute("many", "missing_value", H5T_IEEE_F64LE, 9, nine);
    const hid_t text = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR), object = H5Oopen(file, "text", H5P_DEFAULT);
    const hid_t made = H5Acreate2(object, "scale_factor", text, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Awrite(made, text, "2") >= 0);
    H5Aclose(made);
    H5Oclose(object);
    H5Sclose(space);
    H5Tclose(text);
    H5Fclose(file);
    expect("fill", "null", HISS_I16, 1, 0, -1, 0);
    expect_error("zero", "null", "attribute scale_factor of data set zero is 0, which hiss does not apply");
    expect_error("nan", "null", "attribute add_offset of data set nan is nan, which");
    expect_error("pair", "null", "attribute scale_factor of data set pair is 2 numbers, which");
    expect_error("fills", "null", "missing (they are its _FillValue or missing_value)");
    expect_error("many", "null", "attribute missing_value of data set many is 9 numbers, which");
    expect_error("text", "null", "attribute scale_factor of data set text is '2', a text, which hiss does not apply");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(packed_numbers_are_values),
                                       cmocka_unit_test(numbers_of_more_than_24_bits_are_unpacked_exactly),
                                       cmocka_unit_test(missing_numbers_are_replaced_in_their_type),
                                       cmocka_unit_test(attributes_that_make_no_sense_are_refused)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
