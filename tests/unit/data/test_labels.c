/* Labels: every kind that is taken, which classes come of it and how they are called, by which other sets are matched;
 * samples without a label; what is refused, and where. */
#include "../data_support.h"

#include <hdf5.h>
#include <math.h>

enum { N = 2400, K = 12, IMAGE = 4 };

static char folder[] = "/tmp/hiss-labels-XXXXXX";
static char path[128], other[128];
static const char *const name_of[K] = {"ant", "bee", "cat",  "dog", "eel", "fox",
                                       "gnu", "hen", "ibis", "jay", "koi", "z\xc3\xa9or"};

static int class_at(int i) {
    return (i * 5 + i / K) % K;
}

/* ---- files ---- */

static hid_t begin_file(const char *file_path) {
    static unsigned char pixels[N * IMAGE];
    const hsize_t dim[3] = {N, 2, 2};
    for (int i = 0; i < N; i++) {
        pixels[IMAGE * i] = (unsigned char)i;
        pixels[IMAGE * i + 1] = (unsigned char)(i >> 8);
    }
    const hid_t file = H5Fcreate(file_path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(3, dim, NULL);
    const hid_t set = H5Dcreate2(file, "images", H5T_NATIVE_UINT8, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, pixels) >= 0);
    H5Dclose(set);
    H5Sclose(space);
    return file;
}

static void put(hid_t file, const char *name, hid_t stored, hid_t given, int ndim, const hsize_t *dim,
                const void *values) {
    const hid_t space = H5Screate_simple(ndim, dim, NULL);
    const hid_t set = H5Dcreate2(file, name, stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(set >= 0 && H5Dwrite(set, given, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

/* In one dimension, and as MATLAB has a row vector: [1,N], called NAME_flat. */
static void put_row(hid_t file, const char *name, hid_t stored, hid_t given, const void *values) {
    char flat[64];
    snprintf(flat, sizeof flat, "%s_flat", name);
    put(file, name, stored, given, 1, (const hsize_t[]){N}, values);
    put(file, flat, stored, given, 2, (const hsize_t[]){1, N}, values);
}

/* Integers value(i) of a type that is in the file. */
static void put_integers(hid_t file, const char *name, hid_t stored, int64_t (*value)(int i)) {
    static int64_t values[N];
    for (int i = 0; i < N; i++) {
        values[i] = value(i);
    }
    put_row(file, name, stored, H5T_NATIVE_INT64, values);
}

static int64_t plain(int i) {
    return class_at(i);
}

static int64_t apart(int i) { /* one label of 100,000, and no zero */
    return class_at(i) == K - 1 ? 100000 : class_at(i) + 3;
}

static int64_t some(int i) {
    return i % 10 == 3 ? -1 : class_at(i);
}

static int64_t void_255(int i) {
    return i % 10 == 3 ? 255 : class_at(i);
}

static int64_t number(int i) {
    return i;
}

static int64_t nothing(int i) {
    (void)i;
    return -1;
}

static int64_t huge(int i) {
    return INT64_MIN + class_at(i); /* of uint64: beyond int64 */
}

/* K columns with a 1 in that of the class, or W columns of which the fifth is the class. */
static void put_columns(hid_t file) {
    enum { W = 6 };
    static double hot[N][K], wide[N][W], full[N];
    for (int i = 0; i < N; i++) {
        hot[i][class_at(i)] = 1;
        full[i] = i % 10 == 3 ? (double)NAN : class_at(i);
        for (int k = 0; k < W; k++) {
            wide[i][k] = k == 4 ? class_at(i) : 0.1 * i + k;
        }
    }
    const hsize_t hot_dim[] = {N, K}, hot_deep[] = {N, 1, K, 1}, hot_flat[] = {1, 1, N, K}, wide_dim[] = {N, W},
                  deep[] = {N, 1, 1, 1};
    put(file, "hot_f64", H5T_IEEE_F64BE, H5T_NATIVE_DOUBLE, 2, hot_dim, hot);
    put(file, "hot_under", H5T_STD_U8LE, H5T_NATIVE_DOUBLE, 3, (const hsize_t[]){1, N, K}, hot);
    put(file, "hot_u8", H5T_STD_U8LE, H5T_NATIVE_DOUBLE, 2, hot_dim, hot);
    put(file, "hot_deep", H5T_IEEE_F32LE, H5T_NATIVE_DOUBLE, 4, hot_deep, hot);
    put(file, "hot_flat", H5T_STD_U16LE, H5T_NATIVE_DOUBLE, 4, hot_flat, hot);
    put(file, "wide", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 2, wide_dim, wide);
    put(file, "wide_whole", H5T_STD_I32LE, H5T_NATIVE_DOUBLE, 2, wide_dim, wide);
    put(file, "deep_nan", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 4, deep, full);
    put(file, "f64_nan", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 1, deep, full);
}

/* Names in strings: variable, and of fixed size with each kind of filling. */
static void put_strings(hid_t file) {
    enum { SIZE = 8 };
    static const char *text[N], *few[N];
    static char fixed[N][SIZE], spaced[N][SIZE];
    for (int i = 0; i < N; i++) {
        text[i] = name_of[class_at(i)];
        few[i] = i % 10 == 3 ? "" : text[i];
        memset(fixed[i], 0, SIZE);
        memcpy(fixed[i], text[i], strlen(text[i]));
        memset(spaced[i], ' ', SIZE);
        memcpy(spaced[i], text[i], strlen(text[i]));
    }
    const hid_t variable = H5Tcopy(H5T_C_S1), bytes = H5Tcopy(H5T_C_S1), padded = H5Tcopy(H5T_C_S1),
                fortran = H5Tcopy(H5T_FORTRAN_S1);
    H5Tset_size(variable, H5T_VARIABLE);
    H5Tset_size(bytes, SIZE);
    H5Tset_size(padded, SIZE);
    H5Tset_strpad(padded, H5T_STR_NULLPAD);
    H5Tset_size(fortran, SIZE);
    put_row(file, "variable", variable, variable, text);
    put(file, "variable_deep", variable, variable, 2, (const hsize_t[]){N, 1}, text);
    put_row(file, "few", variable, variable, few);
    put_row(file, "fixed", bytes, bytes, fixed);
    put_row(file, "null_padded", padded, padded, fixed);
    put_row(file, "space_padded", fortran, fortran, spaced);
    H5Tclose(variable);
    H5Tclose(bytes);
    H5Tclose(padded);
    H5Tclose(fortran);
}

/* Enumerations whose numbers are those of the classes, or count from the other end. */
static void put_enumeration(hid_t file, const char *name, bool backwards) {
    static short values[N];
    const hid_t type = H5Tenum_create(H5T_NATIVE_SHORT);
    for (int k = 0; k < K; k++) {
        H5Tenum_insert(type, name_of[k], &(short){(short)(backwards ? K - 1 - k : k)});
    }
    for (int i = 0; i < N; i++) {
        values[i] = (short)(backwards ? K - 1 - class_at(i) : class_at(i));
    }
    put_row(file, name, type, type, values);
    H5Tclose(type);
}

static void put_bools(hid_t file) {
    static signed char values[N];
    const hid_t type = H5Tenum_create(H5T_NATIVE_INT8);
    for (signed char k = 0; k < 2; k++) {
        H5Tenum_insert(type, k ? "TRUE" : "FALSE", &k);
    }
    for (int i = 0; i < N; i++) {
        values[i] = (signed char)(class_at(i) % 2);
    }
    put_row(file, "bools", type, type, values);
    H5Tclose(type);
}

static int setup(void **state) {
    (void)state;
    if (begin_folder(folder, path, sizeof path)) {
        return -1;
    }
    snprintf(other, sizeof other, "%s/labels.h5", folder);
    const hid_t file = begin_file(path), second = H5Fcreate(other, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    put_integers(file, "labels", H5T_STD_I32LE, plain);
    put_integers(file, "u8", H5T_STD_U8LE, plain);
    put_integers(file, "i64be", H5T_STD_I64BE, plain);
    put_integers(file, "f16ish", H5T_IEEE_F32BE, plain);
    put_integers(file, "apart", H5T_STD_I64LE, apart);
    put_integers(file, "some", H5T_STD_I16LE, some);
    put_integers(file, "some_f32", H5T_IEEE_F32LE, some);
    put_integers(file, "void", H5T_STD_U8LE, void_255);
    put_integers(file, "number", H5T_STD_I64LE, number);
    put_integers(file, "nothing", H5T_STD_I8LE, nothing);
    put_columns(file);
    put_strings(file);
    put_enumeration(file, "enumeration", false);
    put_enumeration(file, "backwards", true);
    put_bools(file);
    put_integers(second, "y", H5T_STD_U8LE, plain);
    static int64_t deep[N], large[N];
    for (int i = 0; i < N; i++) {
        deep[i] = class_at(i);
        large[i] = huge(i);
    }
    put(second, "deep", H5T_STD_U8LE, H5T_NATIVE_INT64, 4, (const hsize_t[]){N, 1, 1, 1}, deep);
    put(second, "column", H5T_IEEE_F64LE, H5T_NATIVE_INT64, 2, (const hsize_t[]){1, N}, deep); /* as MATLAB does */
    put(second, "inner", H5T_STD_I16BE, H5T_NATIVE_INT64, 4, (const hsize_t[]){1, 1, N, 1}, deep);
    put_row(second, "huge", H5T_STD_U64LE, H5T_STD_U64LE, large);
    H5Fclose(second);
    H5Fclose(file);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    unlink(path);
    unlink(other);
    return rmdir(folder) || hiss_alloc_live() != 0;
}

static hiss_data_options standard(const char *labels) {
    return options_of(path, labels);
}

static void in_another_file(const char *name, char labels[256]) {
    snprintf(labels, 256, "%s:/%s", other, name);
}

/* ---- what is taken ---- */

/* Every tenth sample from the fourth has none where without. */
static void expect(const hiss_data_options *options, int64_t classes, bool without) {
    static int32_t label[N];
    hiss_dataset *set = open_set(*options);
    assert_true(hiss_dataset_labelled(set) && hiss_dataset_count(set) == N);
    assert_int_equal(hiss_dataset_classes(set), classes);
    assert_int_equal(hiss_dataset_read(set, 0, N, NULL, label, NULL), HISS_OK);
    for (int i = 0; i < N; i++) {
        const int wanted = without && i % 10 == 3 ? -1 : class_at(i) % (int)classes;
        if (label[i] != wanted) {
            fail_msg("%s: label %d is %d instead of %d", options->labels, i, label[i], wanted);
        }
    }
    hiss_dataset_close(set);
}

static void every_kind_gives_the_same_classes(void **state) {
    (void)state;
    static const char *const all[] = {"/labels",         "u8",
                                      "i64be",           "f16ish",
                                      "apart",           "hot_f64",
                                      "hot_u8",          "hot_deep",
                                      "hot_under",       "variable",
                                      "variable_deep",   "fixed",
                                      "null_padded",     "space_padded",
                                      "enumeration",     "u8_flat",
                                      "i64be_flat",      "f16ish_flat",
                                      "hot_flat",        "variable_flat",
                                      "fixed_flat",      "space_padded_flat",
                                      "enumeration_flat"};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        const hiss_data_options options = standard(all[k]);
        expect(&options, K, false);
    }
    static const char *const elsewhere[] = {"y", "deep", "huge", "column", "inner"};
    for (size_t k = 0; k < sizeof elsewhere / sizeof *elsewhere; k++) {
        char labels[256];
        in_another_file(elsewhere[k], labels);
        const hiss_data_options options = standard(labels);
        expect(&options, K, false);
    }
    hiss_data_options options = standard("bools");
    expect(&options, 2, false);
    options = standard("wide");
    options.label_column = 4;
    expect(&options, K, false);
    options.labels = "wide_whole";
    expect(&options, K, false);
}

static void samples_may_have_no_label(void **state) {
    (void)state;
    static const char *const all[] = {"some", "some_f32", "f64_nan", "deep_nan", "few", "some_f32_flat", "few_flat"};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        const hiss_data_options options = standard(all[k]);
        expect(&options, K, true);
    }
    hiss_data_options options = standard("void");
    options.ignore_label = "255";
    expect(&options, K, true);
    options.ignore_label = ""; /* a class like any other */
    hiss_dataset *set = open_set(options);
    assert_int_equal(hiss_dataset_classes(set), K + 1);
    assert_string_equal(hiss_dataset_class(set, K), "255");
    hiss_dataset_close(set);
    options = standard("some");
    options.ignore_label = "";
    set = open_set(options);
    assert_int_equal(hiss_dataset_classes(set), K + 1);
    assert_string_equal(hiss_dataset_class(set, 0), "-1");
    hiss_dataset_close(set);
    options = standard("variable");
    options.ignore_label = "koi";
    set = open_set(options);
    assert_int_equal(hiss_dataset_classes(set), K - 1);
    hiss_dataset_close(set);
}

static void names_are_those_of_the_file(void **state) {
    (void)state;
    static const char *const named[] = {"variable", "fixed", "space_padded", "enumeration"};
    for (size_t k = 0; k < sizeof named / sizeof *named; k++) {
        const hiss_data_options options = standard(named[k]);
        hiss_dataset *set = open_set(options);
        assert_true(hiss_dataset_classes_named(set));
        char *lines = hiss_dataset_class_lines(set);
        const char *at = lines;
        for (int c = 0; c < K; c++) {
            assert_string_equal(hiss_dataset_class(set, c), name_of[c]);
            assert_memory_equal(at, name_of[c], strlen(name_of[c]));
            at += strlen(name_of[c]) + 1;
        }
        assert_true(*at == 0);
        free(lines);
        hiss_dataset_close(set);
    }
    hiss_data_options options = standard("bools");
    hiss_dataset *set = open_set(options);
    assert_string_equal(hiss_dataset_class(set, 1), "TRUE");
    hiss_dataset_close(set);
    options = standard("apart");
    set = open_set(options);
    assert_string_equal(hiss_dataset_class(set, 0), "3");
    assert_string_equal(hiss_dataset_class(set, K - 1), "100000");
    hiss_dataset_close(set);
    options = standard("/labels");
    set = open_set(options);
    assert_false(hiss_dataset_classes_named(set));
    hiss_dataset_close(set);
    char labels[256];
    in_another_file("huge", labels);
    options = standard(labels);
    set = open_set(options);
    assert_string_equal(hiss_dataset_class(set, 1), "9223372036854775809");
    hiss_dataset_close(set);
}

static void a_name_is_one_line(void **state) {
    (void)state;
    static const struct {
        const char *text, *name;
    } odd[] = {{"a\nb", "a\\x0ab"},
               {"\x1b[31m", "\\x1b[31m"},
               {"\xff\xfe", "\\xff\\xfe"},
               {"caf\xe9", "caf\\xe9"},
               {"\xe2\x80", "\\xe2\\x80"},
               {"\xc2\x85", "\\xc2\\x85"},
               {"\xf0\x9f\x90\x9c", "\xf0\x9f\x90\x9c"},
               {"\xed\xa0\x80", "\\xed\\xa0\\x80"}};
    enum { ODD = sizeof odd / sizeof *odd };
    static const char *text[N];
    for (int i = 0; i < N; i++) {
        text[i] = odd[i % ODD].text;
    }
    const hid_t file = H5Fcreate(other, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    put_row(file, "odd", type, type, text);
    H5Tclose(type);
    H5Fclose(file);
    char labels[256];
    in_another_file("odd", labels);
    const hiss_data_options options = standard(labels);
    hiss_dataset *set = open_set(options);
    assert_int_equal(hiss_dataset_classes(set), ODD);
    for (int k = 0; k < ODD; k++) {
        int found = 0;
        for (int c = 0; c < ODD; c++) {
            found += strcmp(hiss_dataset_class(set, c), odd[k].name) == 0;
        }
        if (found != 1) {
            fail_msg("no class %s", odd[k].name);
        }
    }
    hiss_dataset_close(set);
}

/* ---- other sets ---- */

static void other_sets_are_matched_by_name(void **state) {
    (void)state;
    static const struct {
        const char *known, *own;
        int64_t classes;
    } pairs[] = {{"enumeration", "backwards", K}, {"backwards", "enumeration", K}, {"variable", "backwards", K},
                 {"enumeration", "variable", K},  {"/labels", "hot_f64", K},       {"hot_f64", "f16ish", K},
                 {"/labels", "enumeration", K},   {"enumeration", "u8", K},        {"some", "/labels", K},
                 {"apart", "/labels", K + 3}, /* 0, 1 and 2 are not known */
                 {"/labels", "some", K}};
    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
        hiss_data_options options = standard(pairs[k].known);
        hiss_dataset *known = open_set(options);
        options.labels = pairs[k].own;
        options.classes_of = known;
        hiss_dataset *own = open_set(options);
        static int32_t a[N], b[N];
        assert_int_equal(hiss_dataset_read(known, 0, N, NULL, a, NULL), HISS_OK);
        assert_int_equal(hiss_dataset_read(own, 0, N, NULL, b, NULL), HISS_OK);
        assert_int_equal(hiss_dataset_classes(own), pairs[k].classes);
        for (int i = 0; i < N && pairs[k].classes == K; i++) {
            if (a[i] >= 0 && b[i] >= 0 && a[i] != b[i]) {
                fail_msg("%s as %s: label %d is %d and %d", pairs[k].own, pairs[k].known, i, a[i], b[i]);
            }
        }
        for (int i = 0; i < N && pairs[k].classes > K; i++) {
            const int wanted = class_at(i) < 3 ? K + class_at(i) : class_at(i) - 3;
            assert_int_equal(b[i], wanted);
            assert_true(b[i] < K ? atoi(hiss_dataset_class(known, b[i])) == class_at(i) : b[i] < K + 3);
        }
        hiss_dataset_close(own);
        hiss_dataset_close(known);
    }
}

static void who_needs_labels_gets_samples_that_have_one(void **state) {
    (void)state;
    for (int order = 0; order < 2; order++) {
        for (int64_t limit = 0; limit <= 100; limit += 100) {
            hiss_data_options options = standard("some");
            options.label_use = HISS_LABELS_NEEDED;
            options.order = order;
            options.limit = limit;
            hiss_dataset *set = open_set(options);
            const int64_t n = hiss_dataset_count(set);
            assert_int_equal(n, limit ? limit : N - N / 10);
            static int32_t label[N];
            static uint8_t rows[N][IMAGE];
            bool seen[N] = {false};
            assert_int_equal(hiss_dataset_read(set, 0, n, rows[0], label, NULL), HISS_OK);
            for (int64_t k = 0; k < n; k++) {
                const int i = rows[k][0] | rows[k][1] << 8;
                assert_true(i % 10 != 3 && !seen[i] && label[k] == class_at(i));
                seen[i] = true;
            }
            hiss_dataset_close(set);
        }
    }
}

/* ---- what is refused ---- */

static void what_is_no_class_is_explained(void **state) {
    (void)state;
    static const struct {
        const char *labels;
        int64_t column;
        const char *text;
    } bad[] = {
        {"number", -1, "data set number has more than 1200 different values in 2400 rows: identifiers"},
        {"wide", -1, "data set wide holds float64 [2400,6], 6 columns, and row 0 is not one-hot"},
        {"wide", -1, "choose a column, as in data.label_column: 0 (0 to 5)"},
        {"wide", 0, "row 1 of data set wide is 0.1; expected class numbers, which are whole"},
        {"wide", 6, "data.label_column: 6, but data set wide of"},
        {"wide", 6, "holds float64 [2400,6]: its columns are 0 to 5"},
        {"/labels", 1, "holds int32 [2400]: its columns are 0 to 0"},
        {"nothing", -1, "all 2400 labels of data set nothing mean that there is none (they are -1"},
        {"absent", -1, "data.labels: "},
        {"absent", -1, "has no data set absent"},
        {"/tmp/hiss-no-such-file.h5:/y", -1, "the file of labels /tmp/hiss-no-such-file.h5 does not exist"},
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        hiss_data_options options = standard(bad[k].labels);
        options.label_column = bad[k].column;
        refused(options, bad[k].text);
        options.label_use = HISS_LABELS_NEEDED;
        refused(options, bad[k].text);
        options.label_use = HISS_LABELS_OPTIONAL;
        hiss_dataset *set = open_set(options);
        assert_false(hiss_dataset_labelled(set));
        assert_int_equal(hiss_dataset_classes(set), 0);
        hiss_dataset_close(set);
    }
    assert_int_equal(hiss_dataset_most_classes(3), 1000);
    assert_int_equal(hiss_dataset_most_classes(6000000), 3000000);
    assert_int_equal(hiss_dataset_most_classes((int64_t)1 << 40), INT32_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_gives_the_same_classes),
        cmocka_unit_test(samples_may_have_no_label),
        cmocka_unit_test(names_are_those_of_the_file),
        cmocka_unit_test(other_sets_are_matched_by_name),
        cmocka_unit_test(what_is_no_class_is_explained),
        cmocka_unit_test(who_needs_labels_gets_samples_that_have_one),
        cmocka_unit_test(a_name_is_one_line),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
