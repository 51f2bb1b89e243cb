/* Fields: every type of number, in either byte order, in its place in a sample's row; what is refused, and where. */
#include "../data_support.h"

#include <hdf5.h>

enum { N = 120, H = 5, W = 6, CLIP = 2 * 3 * 4, SOUND = 7 };

static char folder[] = "/tmp/hiss-fields-XXXXXX";
static char path[128];

/* A data set of rows x dims whose value k of row i is value(i, k), stored as `stored`. */
static void put(hid_t file, const char *name, hid_t stored, int ndim, const hsize_t *dim, int (*value)(int i, int k)) {
    hsize_t count = 1;
    for (int i = 1; i < ndim; i++) {
        count *= dim[i];
    }
    int *values = hiss_new(int, (int64_t)(dim[0] * count));
    for (hsize_t i = 0; i < dim[0] * count; i++) {
        values[i] = value((int)(i / count), (int)(i % count));
    }
    const hid_t space = H5Screate_simple(ndim, dim, NULL);
    const hid_t set = H5Dcreate2(file, name, stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(set >= 0);
    if (H5Tget_class(stored) == H5T_ENUM) {
        signed char bytes[N];
        for (int i = 0; i < N; i++) {
            bytes[i] = (signed char)values[i];
        }
        assert_true(H5Dwrite(set, stored, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) >= 0);
    } else {
        assert_true(H5Dwrite(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    }
    H5Dclose(set);
    H5Sclose(space);
    hiss_free(values);
}

static int pixel(int i, int k) {
    return k == 0 ? i : (i * 7 + k * 3) % 256;
}

static int small(int i, int k) {
    return (i * 5 + k * 11) % 100;
}

static int either_sign(int i, int k) {
    return (i * 5 + k * 11) % 201 - 100;
}

static int truth(int i, int k) {
    return (i + k) % 3 == 0;
}

static hid_t half(bool big) {
    const hid_t type = H5Tcopy(big ? H5T_IEEE_F32BE : H5T_IEEE_F32LE);
    H5Tset_fields(type, 15, 10, 5, 0, 10);
    H5Tset_size(type, 2);
    H5Tset_ebias(type, 15);
    return type;
}

static hid_t boolean(void) { /* as h5py has it */
    const hid_t type = H5Tenum_create(H5T_NATIVE_INT8);
    signed char value = 0;
    H5Tenum_insert(type, "FALSE", &value);
    value = 1;
    H5Tenum_insert(type, "TRUE", &value);
    return type;
}

static const hsize_t image_dim[] = {N, H, W}, clip_dim[] = {N, 2, 3, 4, 1}, sound_dim[] = {N, SOUND}, one_dim[] = {N};

static void write_file(void) {
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t bool_type = boolean(), half_type = half(false), half_big = half(true);
    put(file, "/images", H5T_STD_U8LE, 3, image_dim, pixel);
    put(file, "/clips", H5T_STD_I16BE, 5, clip_dim, either_sign);
    put(file, "/sound", H5T_IEEE_F64BE, 2, sound_dim, either_sign);
    put(file, "/mask", bool_type, 1, one_dim, truth);
    put(file, "/half", half_type, 2, sound_dim, either_sign);
    put(file, "/half_big", half_big, 2, sound_dim, either_sign);
    put(file, "/i8", H5T_STD_I8LE, 2, sound_dim, either_sign);
    put(file, "/u16", H5T_STD_U16BE, 2, sound_dim, small);
    put(file, "/u32", H5T_STD_U32LE, 2, sound_dim, small);
    put(file, "/i32", H5T_STD_I32BE, 2, sound_dim, either_sign);
    put(file, "/i64", H5T_STD_I64BE, 2, sound_dim, either_sign);
    put(file, "/u64", H5T_STD_U64LE, 2, sound_dim, small);
    put(file, "/f32", H5T_IEEE_F32BE, 2, sound_dim, either_sign);
    const hsize_t short_dim[] = {N - 1, 2};
    put(file, "/short", H5T_STD_U8LE, 2, short_dim, small);
    const hid_t space = H5Screate_simple(1, one_dim, NULL), text = H5Tcopy(H5T_C_S1);
    H5Dclose(H5Dcreate2(file, "/text", text, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Tclose(text);
    H5Sclose(space);
    H5Tclose(bool_type);
    H5Tclose(half_type);
    H5Tclose(half_big);
    H5Fclose(file);
}

static int setup(void **state) {
    (void)state;
    if (begin_folder(folder, path, sizeof path)) {
        return -1;
    }
    write_file();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    return end_folder(folder, path);
}

typedef struct opened {
    hiss_config *config;
    hiss_data_options data;
    hiss_dataset *set;
    hiss_status status;
    hiss_error err;
} opened;

static opened open_fields(const char *keys, const char *assignment) {
    opened o = {0};
    char text[1024];
    snprintf(text, sizeof text, "data: {file: %s, %s}", path, keys);
    must(hiss_config_parse("test", text, &o.config, &o.err), &o.err);
    if (assignment) {
        must(hiss_config_set(o.config, assignment, &o.err), &o.err);
    }
    must(hiss_config_section(o.config, "data", hiss_data_rows, hiss_data_nrows, &o.data, &o.err), &o.err);
    must(hiss_config_finish(o.config, &o.err), &o.err);
    o.data.keys.config = o.config;
    o.status = hiss_dataset_open(&o.data, 3, &o.set, &o.err);
    return o;
}

static void close_fields(opened *o) {
    if (o->status == HISS_OK) {
        hiss_dataset_close(o->set);
    }
    hiss_config_destroy(o->config);
}

/* A half-precision number: normal numbers and zero only. */
static double half_value(uint16_t bits) {
    const int exponent = bits >> 10 & 31;
    double value = exponent ? 1.0 + (bits & 1023) / 1024.0 : 0.0;
    for (int e = exponent; e > 15; e--) {
        value *= 2;
    }
    for (int e = exponent; e && e < 15; e++) {
        value /= 2;
    }
    return bits >> 15 ? -value : value;
}

static double value_at(hiss_dtype dtype, const void *values, int64_t k) {
    switch (dtype) {
    case HISS_U8:
        return ((const uint8_t *)values)[k];
    case HISS_I8:
        return ((const int8_t *)values)[k];
    case HISS_U16:
        return ((const uint16_t *)values)[k];
    case HISS_I16:
        return ((const int16_t *)values)[k];
    case HISS_U32:
        return ((const uint32_t *)values)[k];
    case HISS_I32:
        return ((const int32_t *)values)[k];
    case HISS_U64:
        return (double)((const uint64_t *)values)[k];
    case HISS_I64:
        return (double)((const int64_t *)values)[k];
    case HISS_F16:
        return half_value(((const uint16_t *)values)[k]);
    default:
        assert_int_equal(dtype, HISS_F32);
        return ((const float *)values)[k];
    }
}

static const struct {
    const char *name;
    hiss_dtype dtype;
    int ndim;
    int64_t count;
    int (*value)(int i, int k);
} expected[] = {{"image", HISS_U8, 3, H *W, pixel},        {"mask", HISS_I8, 0, 1, truth},
                {"clip", HISS_I16, 4, CLIP, either_sign},  {"sound", HISS_F32, 1, SOUND, either_sign},
                {"half", HISS_F16, 1, SOUND, either_sign}, {"half_big", HISS_F16, 1, SOUND, either_sign},
                {"i8", HISS_I8, 1, SOUND, either_sign},    {"u16", HISS_U16, 1, SOUND, small},
                {"u32", HISS_U32, 1, SOUND, small},        {"i32", HISS_I32, 1, SOUND, either_sign},
                {"i64", HISS_I64, 1, SOUND, either_sign},  {"u64", HISS_U64, 1, SOUND, small},
                {"f32", HISS_F32, 1, SOUND, either_sign}};
static const char *const some[] = {"mask: /mask, clip: /clips, sound: /sound, half: half, half_big: /half_big, i8: /i8",
                                   "u16: /u16, u32: /u32, i32: /i32, i64: /i64, u64: /u64, f32: /f32"};

/* All fields of a sample against what was written; its image says which row it is. */
static void check_sample(const hiss_dataset *set, const uint8_t *bytes) {
    const hiss_field *fields;
    const int count = hiss_dataset_fields(set, &fields);
    for (int f = 0; f < count; f++) {
        const void *values = bytes + fields[f].offset;
        size_t e = 0;
        while (strcmp(expected[e].name, fields[f].name) != 0) {
            e++;
        }
        for (int k = 0; k < expected[e].count; k++) {
            assert_true(value_at(fields[f].dtype, values, k) == expected[e].value(bytes[0], k));
        }
    }
}

static void fields_have_their_places(void **state) {
    (void)state;
    for (int part = 0; part < 2; part++) {
        char keys[512];
        snprintf(keys, sizeof keys, "images: /images, fields: {%s}", some[part]);
        opened o = open_fields(keys, NULL);
        must(o.status, &o.err);
        const hiss_field *fields;
        const int count = hiss_dataset_fields(o.set, &fields);
        int64_t end = 0, most = 1;
        assert_int_equal(count, 7);
        for (int f = 0; f < count; f++) {
            const int e = f == 0 ? 0 : f + 6 * part;
            const int64_t size = hiss_dtype_bytes(fields[f].dtype);
            assert_string_equal(fields[f].name, expected[e].name);
            assert_ptr_equal(hiss_dataset_field(o.set, expected[e].name), &fields[f]);
            assert_true(fields[f].dtype == expected[e].dtype && fields[f].ndim == expected[e].ndim);
            assert_true(fields[f].bytes == expected[e].count * size && fields[f].offset % size == 0);
            assert_true(fields[f].offset >= end && fields[f].offset < end + size);
            end = fields[f].offset + fields[f].bytes;
            most = size > most ? size : most;
        }
        assert_null(hiss_dataset_field(o.set, "other"));
        assert_true(hiss_dataset_row(o.set) % most == 0 && hiss_dataset_row(o.set) < end + most);
        close_fields(&o);
    }
}

static void rows_hold_every_type(void **state) {
    (void)state;
    for (int k = 0; k < 4; k++) {
        char keys[512];
        snprintf(keys, sizeof keys, "order: %s, images: /images, fields: {%s}", k % 2 ? "permuted" : "file",
                 some[k / 2]);
        opened o = open_fields(keys, NULL);
        must(o.status, &o.err);
        const int64_t row = hiss_dataset_row(o.set);
        uint8_t *rows = hiss_alloc((size_t)(N * row));
        must(hiss_dataset_read(o.set, 0, N, rows, NULL, &o.err), &o.err);
        bool seen[N] = {false};
        for (int i = 0; i < N; i++) {
            assert_false(seen[rows[i * row]]);
            seen[rows[i * row]] = true;
            check_sample(o.set, rows + i * row);
        }
        hiss_free(rows);
        close_fields(&o);
    }
}

static void loaders_move_whole_rows(void **state) {
    (void)state;
    for (int k = 0; k < 4; k++) {
        char keys[512];
        snprintf(keys, sizeof keys, "mode: %s, window: %d, memory: 1MiB, fields: {%s}", k % 2 ? "stream" : "memory",
                 k / 2 * 10, some[0]);
        opened o = open_fields(keys, NULL);
        must(o.status, &o.err);
        hiss_loader *loader;
        const hiss_loader_options options = {o.set, &o.data, 3, 3, 0, 3, 8, NULL};
        must(hiss_loader_create(&options, &loader, &o.err), &o.err);
        hiss_samples *samples = hiss_samples_create(o.set, 1);
        for (int64_t t = 0; t < 2 * hiss_loader_steps(loader); t++) {
            int64_t epoch, step;
            must(hiss_loader_next(loader, &epoch, &step, &o.err), &o.err);
            for (int64_t lane = 0; lane < 3; lane++) {
                const hiss_batch batch = hiss_loader_batch(loader, lane);
                for (int64_t i = 0; i < batch.m; i++) {
                    assert_int_equal(batch.row[i][0], batch.sample[i]);
                    check_sample(o.set, batch.row[i]);
                    assert_ptr_equal(hiss_batch_values(&batch, i, hiss_dataset_field(o.set, "clip")),
                                     batch.row[i] + hiss_dataset_field(o.set, "clip")->offset);
                }
            }
        }
        const hiss_sample_range range = {.set = o.set, .begin = 5, .count = 50};
        must(hiss_samples_read(samples, &range, 7, 1, &o.err), &o.err);
        const hiss_batch one = hiss_samples_batch(samples, 0, 1);
        assert_int_equal(one.row[0][0], 12);
        check_sample(o.set, one.row[0]);
        hiss_samples_destroy(samples);
        hiss_loader_destroy(loader);
        close_fields(&o);
    }
}

/* What tells one data set from another tells all fields. */
static void identity_covers_all_fields(void **state) {
    (void)state;
    opened a = open_fields("images: /images", NULL);
    opened b = open_fields("images: /images, fields: {clip: /clips}", "data.fields.sound=/sound");
    must(a.status, &a.err);
    must(b.status, &b.err);
    assert_non_null(strstr(hiss_dataset_identity(a.set), "uint8 [120,5,6,1], pixels "));
    assert_non_null(strstr(hiss_dataset_identity(b.set),
                           "uint8 [120,5,6,1], clip int16 [120,2,3,4,1], sound float32 [120,7], pixels "));
    close_fields(&a);
    close_fields(&b);
}

static void refusals_name_the_key(void **state) {
    (void)state;
    const struct {
        const char *keys, *set, *text;
    } cases[] = {
        {"fields: {clip: /none}", NULL, "data.fields.clip: %s: has no data set /none; it has: "},
        {"images: /images", "data.fields.clip=/short",
         "--set data.fields.clip: %s: data set /short holds uint8 [119,2], 119 rows; expected 120, one for each row of "
         "/images"},
        {"fields: {words: /text}", NULL,
         "data.fields.words: %s: data set /text holds strings [120]; expected integers"},
        {"fields: {image: /clips}", NULL, "'image' cannot be the name of a field"},
        {"fields: {'a b': /clips}", NULL, "'a b' cannot be the name of a field"},
        {"fields: {clip: [/clips]}", NULL, "data.fields.clip must be the name of a data set"},
        {"fields: [/clips]", NULL, "data.fields: must be a section of lines NAME: DATASET"},
        {"fields: {a: /i8, b: /i8, c: /i8, d: /i8, e: /i8, f: /i8, g: /i8, h: /i8}", NULL, "more than 7 fields"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char text[512];
        snprintf(text, sizeof text, cases[k].text, path);
        opened o = open_fields(cases[k].keys, cases[k].set);
        assert_int_equal(o.status, HISS_EUSER);
        if (!strstr(o.err.text, text)) {
            fail_msg("expected \"%s\" in \"%s\"", text, o.err.text);
        }
        close_fields(&o);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_have_their_places), cmocka_unit_test(rows_hold_every_type),
        cmocka_unit_test(loaders_move_whole_rows),  cmocka_unit_test(identity_covers_all_fields),
        cmocka_unit_test(refusals_name_the_key),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
