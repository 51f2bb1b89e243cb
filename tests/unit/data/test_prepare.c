/* hiss prepare: sources come through whole, in the recorded order, with checksum; wrong sources are explained and leave
 * no file behind. */
#include "../data_support.h"

#include <dirent.h>
#include <sys/stat.h>
#include <zlib.h>

#include "hiss/file.h"

enum { N = 100, H = 5, W = 4, ROW = H * W };

static char folder[] = "/tmp/hiss-prepare-XXXXXX";
static char images[128], labels[128], output[128], pictures[128];

static int setup(void **state) {
    (void)state;
    hiss_log_setup(HISS_LOG_ERROR, 0);
    if (!mkdtemp(folder)) {
        return -1;
    }
    snprintf(images, sizeof images, "%s/images.idx", folder);
    snprintf(labels, sizeof labels, "%s/labels.idx", folder);
    snprintf(output, sizeof output, "%s/out.h5", folder);
    snprintf(pictures, sizeof pictures, "%s/pictures", folder);
    return 0;
}

static int remove_tree(const char *path) {
    DIR *dir = opendir(path);
    int failures = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char inner[512];
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) {
            failures += remove_tree(inner);
        }
    }
    if (dir) {
        closedir(dir);
    }
    return failures + (remove(path) != 0);
}

static int teardown(void **state) {
    (void)state;
    return remove_tree(folder) || hiss_alloc_live() != 0;
}

/* Nothing but the sources is in the folder: neither output nor temporary. */
static void nothing_left(void) {
    DIR *dir = opendir(folder);
    for (struct dirent *entry; (entry = readdir(dir));) {
        assert_null(strstr(entry->d_name, "out.h5"));
    }
    closedir(dir);
}

/* An idx file of `count` values; the header announces dims, mode is fopen's or gzopen's. */
static void write_idx(const char *path, bool gzip, int type, const int *dim, int ndim, const uint8_t *bytes,
                      size_t count) {
    gzFile f = gzopen(path, gzip ? "wb" : "wbT");
    uint8_t head[4] = {0, 0, (uint8_t)type, (uint8_t)ndim};
    gzwrite(f, head, 4);
    for (int i = 0; i < ndim; i++) {
        uint32_t d = (uint32_t)dim[i];
        uint8_t big[4] = {(uint8_t)(d >> 24), (uint8_t)(d >> 16), (uint8_t)(d >> 8), (uint8_t)d};
        gzwrite(f, big, 4);
    }
    gzwrite(f, bytes, (unsigned)count);
    gzclose(f);
}

static uint8_t pixel[N][ROW], label[N];

static void write_sources(bool gzip) {
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < ROW; k++) {
            pixel[i][k] = (uint8_t)(i + 100 * (k % 3) * (k > 0));
        }
        label[i] = (uint8_t)(i / 10);
    }
    write_idx(images, gzip, 8, (int[]){N, H, W}, 3, pixel[0], sizeof pixel);
    write_idx(labels, gzip, 8, (int[]){N}, 1, label, sizeof label);
}

static void check_output(const hiss_prepare_options *o, bool labelled) {
    hiss_error err = {0};
    hiss_data_options options = {.file = output, .images = "/images", .labels = "/labels", .verify = true};
    hiss_dataset *set;
    must(hiss_dataset_open(&options, 0, &set, &err), &err);
    int64_t h, w, c;
    hiss_dataset_shape(set, &h, &w, &c);
    assert_true(hiss_dataset_count(set) == N && h == H && w == W && c == 1);
    assert_true(hiss_dataset_labelled(set) == labelled);
    assert_non_null(strstr(hiss_dataset_identity(set), ", sha256 "));
    uint8_t rows[N][ROW];
    int32_t read_label[N];
    must(hiss_dataset_read(set, 0, N, rows[0], labelled ? read_label : NULL, &err), &err);
    hiss_permutation p = hiss_permutation_keyed((uint64_t)o->seed, HISS_FOR_PREPARE, 0, 0, N);
    for (int64_t i = 0; i < N; i++) {
        int64_t from = o->shuffle ? hiss_permutation_at(&p, i) : i;
        assert_memory_equal(rows[i], pixel[from], ROW);
        assert_true(!labelled || read_label[i] == label[from]);
    }
    hiss_dataset_close(set);
    hiss_h5 *file;
    int64_t value;
    char *text;
    must(hiss_h5_open(output, &file, &err), &err);
    must(hiss_h5_get_i64(file, "/", "seed", &value, &err), &err);
    assert_true(value == o->seed);
    must(hiss_h5_get_i64(file, "/", "shuffled", &value, &err), &err);
    assert_true(value == o->shuffle);
    must(hiss_h5_get_text(file, "/", "hiss_format", &text, &err), &err);
    assert_string_equal(text, "hiss images 1");
    hiss_free(text);
    must(hiss_h5_get_text(file, "/", "source", &text, &err), &err);
    assert_non_null(strstr(text, images));
    hiss_free(text);
    hiss_h5_close(file, NULL);
}

static void idx_comes_through(void **state) {
    (void)state;
    for (int bits = 0; bits < 16; bits++) {
        hiss_error err = {0};
        hiss_prepare_options o = {.output = output,
                                  .seed = bits * 1000,
                                  .shuffle = bits & 1,
                                  .chunk = bits & 2 ? 16 : 0,
                                  .deflate = bits & 2 ? 2 : 0};
        write_sources(bits & 4);
        must(hiss_prepare_arrays(&o, "idx", images, bits & 8 ? labels : NULL, &err), &err);
        check_output(&o, bits & 8);
        unlink(output);
    }
}

/* Labels of wider types are big-endian; images may have channels. */
static void other_idx_types(void **state) {
    (void)state;
    hiss_error err = {0};
    hiss_prepare_options o = {.output = output};
    const uint8_t i32[] = {0, 1, 0, 0, 0, 0, 0, 2}, i16[] = {1, 0, 0, 3};
    write_idx(images, false, 8, (int[]){2, 2, 2, 3}, 4, pixel[0], 24);
    const uint8_t without[] = {0, 255};
    write_idx(labels, false, 9, (int[]){2}, 1, without, 2); /* -1: no label */
    must(hiss_prepare_arrays(&o, "idx", images, labels, &err), &err);
    for (int wide = 0; wide < 2; wide++) {
        write_idx(labels, false, wide ? 12 : 11, (int[]){2}, 1, wide ? i32 : i16, wide ? 8 : 4);
        must(hiss_prepare_arrays(&o, "idx", images, labels, &err), &err);
        hiss_data_options options = {.file = output, .images = "/images", .labels = "/labels", .verify = true};
        hiss_dataset *set;
        must(hiss_dataset_open(&options, 0, &set, &err), &err);
        int64_t h, w, c;
        hiss_dataset_shape(set, &h, &w, &c);
        assert_true(h == 2 && w == 2 && c == 3);
        assert_int_equal(hiss_dataset_classes(set), 2);
        assert_string_equal(hiss_dataset_class(set, 1), wide ? "65536" : "256");
        hiss_dataset_close(set);
    }
    unlink(output);
}

static void bad_idx_is_explained(void **state) {
    (void)state;
    hiss_error err;
    hiss_prepare_options o = {.output = output};
    write_sources(false);
    assert_int_equal(truncate(images, 1000), 0);
    assert_int_equal(hiss_prepare_arrays(&o, "idx", images, labels, &err), HISS_EUSER);
    expect_text(&err, "truncated: the idx header announces 2000 bytes, 984 are there");
    write_sources(true);
    struct stat what;
    stat(images, &what);
    assert_int_equal(truncate(images, what.st_size / 2), 0);
    assert_int_equal(hiss_prepare_arrays(&o, "idx", images, labels, &err), HISS_EUSER);
    expect_text(&err, "truncated");
    write_sources(false);
    assert_int_equal(hiss_prepare_arrays(&o, "idx", labels, images, &err), HISS_EUSER);
    expect_text(&err, "are images and labels swapped?");
    write_sources(false);
    write_idx(labels, false, 8, (int[]){N - 1}, 1, label, N - 1);
    assert_int_equal(hiss_prepare_arrays(&o, "idx", images, labels, &err), HISS_EUSER);
    expect_text(&err, "holds 100 images");
    expect_text(&err, "99 labels");
    write_idx(labels, false, 8, (int[]){N - 1}, 1, label, N);
    assert_int_equal(hiss_prepare_arrays(&o, "idx", images, labels, &err), HISS_EUSER);
    expect_text(&err, "goes on after the 99 bytes");
    write_idx(images, false, 8, (int[]){-1, H, W}, 3, pixel[0], ROW);
    assert_int_equal(hiss_prepare_arrays(&o, "idx", images, NULL, &err), HISS_EUSER);
    expect_text(&err, "dimension 0 of the idx header is 4294967295");
    write_idx(images, false, 8, (int[]){1 << 30, H, W}, 3, pixel[0], ROW); /* must not ask for 20 GB of memory */
    assert_int_equal(hiss_prepare_arrays(&o, "idx", images, NULL, &err), HISS_EUSER);
    expect_text(&err, "announces 21474836480 bytes, more than a file of 36 bytes can hold");
    write_idx(images, false, 13, (int[]){N, H, W}, 3, pixel[0], sizeof pixel);
    assert_int_equal(hiss_prepare_arrays(&o, "idx", images, NULL, &err), HISS_EUSER);
    expect_text(&err, "begins with bytes 00 00 0d 03");
    unlink(images);
    assert_int_equal(hiss_prepare_arrays(&o, "idx", images, NULL, &err), HISS_EUSER);
    expect_text(&err, "No such file");
    nothing_left();
}

static void bad_options_are_explained(void **state) {
    (void)state;
    hiss_error err;
    write_sources(false);
    hiss_prepare_options o = {0};
    assert_int_equal(hiss_prepare_arrays(&o, "idx", images, labels, &err), HISS_EUSER);
    expect_text(&err, "no output file");
    o = (hiss_prepare_options){.output = output, .deflate = 3};
    assert_int_equal(hiss_prepare_arrays(&o, "idx", images, labels, &err), HISS_EUSER);
    expect_text(&err, "chunks of at least 1 row where deflate is on");
    o = (hiss_prepare_options){.output = output, .chunk = 1 << 30};
    assert_int_equal(hiss_prepare_arrays(&o, "idx", images, labels, &err), HISS_EUSER);
    expect_text(&err, "less than 4 GiB");
    o = (hiss_prepare_options){.output = output};
    assert_int_equal(hiss_prepare_folder(&o, folder, &err), HISS_EUSER);
    expect_text(&err, "give height and width");
    o.output = "/nonexistent/out.h5";
    assert_int_equal(hiss_prepare_arrays(&o, "idx", images, labels, &err), HISS_ESYSTEM);
    expect_text(&err, "/nonexistent/");
    nothing_left();
}

/* A grey 2 x 2 picture of one value, as pictures/NAME. */
static void write_picture(const char *name, uint8_t value) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", pictures, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fprintf(f, "P5 2 2 255 ");
    for (int i = 0; i < 4; i++) {
        fputc(value, f);
    }
    fclose(f);
}

static void make_folder(const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", pictures, name);
    assert_int_equal(mkdir(path, 0777), 0);
}

static void clear_pictures(void) {
    remove_tree(pictures);
    assert_int_equal(mkdir(pictures, 0777), 0);
}

static void classes_of_folders(void **state) {
    (void)state;
    clear_pictures();
    make_folder("dog");
    make_folder("cat");
    make_folder(".hidden");
    write_picture("dog/b.pgm", 21);
    write_picture("dog/a.PGM", 20);
    write_picture("cat/z.pgm", 10);
    write_picture("cat/notes.txt", 0);
    write_picture("readme", 0);
    hiss_prepare_options o = {.output = output, .height = 3, .width = 2, .channels = 3};
    hiss_error err = {0};
    must(hiss_prepare_folder(&o, pictures, &err), &err);
    hiss_data_options options = {.file = output, .images = "/images", .labels = "/labels", .verify = true};
    hiss_dataset *set;
    must(hiss_dataset_open(&options, 0, &set, &err), &err);
    assert_true(hiss_dataset_count(set) == 3 && hiss_dataset_classes(set) == 2);
    uint8_t rows[3][3 * 2 * 3];
    int32_t classes[3];
    must(hiss_dataset_read(set, 0, 3, rows[0], classes, &err), &err);
    assert_true(classes[0] == 0 && classes[1] == 1 && classes[2] == 1);
    const uint8_t values[] = {10, 20, 21};
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 18; k++) {
            assert_int_equal(rows[i][k], values[i]);
        }
    }
    hiss_h5 *file;
    char *text;
    must(hiss_h5_open(output, &file, &err), &err);
    must(hiss_h5_get_text(file, "/", "classes", &text, &err), &err);
    assert_string_equal(text, "cat\ndog");
    hiss_free(text);
    hiss_h5_close(file, NULL);
    assert_string_equal(hiss_dataset_class(set, 1), "dog");
    /* Other folders give other numbers; the names are the same. */
    clear_pictures();
    make_folder("dog");
    make_folder("emu");
    write_picture("dog/c.pgm", 22);
    write_picture("emu/d.pgm", 30);
    unlink(output);
    must(hiss_prepare_folder(&o, pictures, &err), &err);
    hiss_dataset *second;
    options.classes_of = set;
    must(hiss_dataset_open(&options, 0, &second, &err), &err);
    must(hiss_dataset_read(second, 0, 2, NULL, classes, &err), &err);
    assert_true(classes[0] == 1 && classes[1] == 2 && hiss_dataset_classes(second) == 3);
    assert_string_equal(hiss_dataset_class(second, 2), "emu");
    hiss_dataset_close(second);
    hiss_dataset_close(set);
    unlink(output);
}

static void flat_folder_has_no_labels(void **state) {
    (void)state;
    enum { PICTURES = 30 };
    clear_pictures();
    for (int i = 0; i < PICTURES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%02d.pgm", i);
        write_picture(name, (uint8_t)i);
    }
    write_picture("other", 0);
    hiss_prepare_options o = {.output = output, .height = 1, .width = 1, .channels = 1, .shuffle = true, .seed = 1};
    hiss_error err = {0};
    must(hiss_prepare_folder(&o, pictures, &err), &err);
    hiss_data_options options = {.file = output, .images = "/images", .labels = "/labels", .verify = true};
    hiss_dataset *set;
    must(hiss_dataset_open(&options, 0, &set, &err), &err);
    assert_true(hiss_dataset_count(set) == PICTURES && !hiss_dataset_labelled(set));
    uint8_t row[PICTURES];
    must(hiss_dataset_read(set, 0, PICTURES, row, NULL, &err), &err);
    hiss_permutation p = hiss_permutation_keyed(1, HISS_FOR_PREPARE, 0, 0, PICTURES);
    for (int i = 0; i < PICTURES; i++) {
        assert_int_equal(row[i], hiss_permutation_at(&p, i));
    }
    hiss_dataset_close(set);
    unlink(output);
}

static void bad_folders_are_explained(void **state) {
    (void)state;
    hiss_error err;
    hiss_prepare_options o = {.output = output, .height = 2, .width = 2, .channels = 1};
    clear_pictures();
    write_picture("other", 0);
    assert_int_equal(hiss_prepare_folder(&o, pictures, &err), HISS_EUSER);
    expect_text(&err, "holds no pictures (1 other files)");
    write_picture("a.pgm", 1);
    make_folder("cat");
    assert_int_equal(hiss_prepare_folder(&o, pictures, &err), HISS_EUSER);
    expect_text(&err, "holds pictures");
    clear_pictures();
    write_picture("a.pgm", 1);
    char path[256];
    snprintf(path, sizeof path, "%s/b.png", pictures);
    FILE *f = fopen(path, "wb");
    fputs("not a picture", f);
    fclose(f);
    assert_int_equal(hiss_prepare_folder(&o, pictures, &err), HISS_EUSER);
    expect_text(&err, path);
    expect_text(&err, "unreadable picture");
    assert_int_equal(hiss_prepare_folder(&o, "/nonexistent", &err), HISS_EUSER);
    expect_text(&err, "/nonexistent: cannot be read as a folder");
    nothing_left();
}

/* ---- HDF5 ---- */

/* images of a type, and labels: row i is i, and of class i % classes, without a label where that is 0. */
static void write_h5(const char *path, hiss_dtype dtype, int n, int classes) {
    hiss_h5 *file;
    hiss_error err;
    const hiss_h5_info rows = {dtype, 3, {n, 1, 2}}, numbers = {HISS_I32, 1, {n}};
    uint8_t bytes[2 * N * 8];
    int32_t label_of[N];
    const int64_t size = hiss_dtype_bytes(dtype);
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < 2; k++) {
            const int64_t whole = i;
            const float real = (float)i;
            const uint16_t half = (uint16_t)(i ? (15 + (i > 1)) << 10 : 0); /* 0, 1, 2, 2, ... */
            const void *from = dtype == HISS_F32   ? (const void *)&real
                               : dtype == HISS_F16 ? &half
                                                   : (const void *)&whole;
            memcpy(bytes + (2 * i + k) * size, from, (size_t)size);
        }
        label_of[i] = i % classes ? i % classes : -1;
    }
    must(hiss_h5_create(path, &file, &err), &err);
    must(hiss_h5_define(file, "/images", &rows, 0, 0, &err), &err);
    must(hiss_h5_define(file, "/labels", &numbers, 0, 0, &err), &err);
    must(hiss_h5_write(file, "/images", dtype, 0, n, bytes, &err), &err);
    must(hiss_h5_write(file, "/labels", HISS_I32, 0, n, label_of, &err), &err);
    must(hiss_h5_close(file, &err), &err);
}

static hiss_dataset *open_prepared(const char *path) {
    hiss_error err;
    hiss_dataset *set;
    const hiss_data_options options = {.file = path, .images = "/images", .labels = "/labels", .verify = true};
    must(hiss_dataset_open(&options, 0, &set, &err), &err);
    assert_non_null(strstr(hiss_dataset_identity(set), ", sha256 "));
    return set;
}

static void hdf5_keeps_types(void **state) {
    (void)state;
    static const hiss_dtype types[] = {HISS_U8,  HISS_I8,  HISS_U16, HISS_I16, HISS_U32,
                                       HISS_I32, HISS_I64, HISS_U64, HISS_F16, HISS_F32};
    enum { ROWS = 10 };
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        write_h5(images, types[k], ROWS, 3);
        hiss_error err;
        const hiss_prepare_options o = {.output = output, .chunk = k % 2 ? 3 : 0, .deflate = k % 2};
        const hiss_hdf5_source source = {.file = (const char *[]){images}, .nfiles = 1, .label_column = -1};
        must(hiss_prepare_hdf5(&o, &source, &err), &err);
        hiss_dataset *set = open_prepared(output);
        const hiss_field *image = hiss_dataset_field(set, "image");
        assert_int_equal(image->dtype, types[k]);
        uint8_t rows[ROWS * 16];
        int32_t label_of[ROWS];
        must(hiss_dataset_read(set, 0, ROWS, rows, label_of, &err), &err);
        for (int i = 0; i < ROWS; i++) {
            float value[2];
            hiss_field_floats(image, rows + i * image->bytes, 0, value);
            assert_true(value[0] == (float)(types[k] == HISS_F16 && i > 2 ? 2 : i) && value[0] == value[1]);
            assert_int_equal(label_of[i], i % 3 - 1);
        }
        hiss_dataset_close(set);
        unlink(output);
    }
    unlink(images);
}

/* Every row is in one of the two, each class gives its share, and the same ones every time. */
static void hdf5_is_split(void **state) {
    (void)state;
    static const struct {
        double share;
        int n, classes;
    } cases[] = {{0.1, 100, 3}, {0.5, 99, 7}, {0.9, 10, 10}, {0.34, 100, 60}};
    char part[2][160];
    snprintf(part[0], sizeof part[0], "%s/out/train.h5", folder);
    snprintf(part[1], sizeof part[1], "%s/out/test.h5", folder);
    char both[128];
    snprintf(both, sizeof both, "%s/out", folder);
    for (size_t k = 0; k < 2 * sizeof cases / sizeof *cases; k++) {
        const double share = cases[k / 2].share;
        const int n = cases[k / 2].n, classes = cases[k / 2].classes;
        write_h5(images, HISS_U8, n, classes);
        hiss_error err;
        const hiss_prepare_options o = {.output = both, .seed = 3, .shuffle = k % 2};
        const hiss_hdf5_source source = {
            .file = (const char *[]){images}, .nfiles = 1, .label_column = -1, .test_share = share};
        must(hiss_prepare_hdf5(&o, &source, &err), &err);
        int seen[N] = {0}, of_class[N] = {0}, tests = 0;
        for (int p = 0; p < 2; p++) {
            hiss_dataset *set = open_prepared(part[p]);
            uint8_t rows[N][2];
            must(hiss_dataset_read(set, 0, hiss_dataset_count(set), rows[0], NULL, &err), &err);
            for (int64_t i = 0; i < hiss_dataset_count(set); i++) {
                seen[rows[i][0]]++;
                of_class[rows[i][0] % classes] += p;
                tests += p;
                assert_true(o.shuffle || i == 0 || rows[i][0] > rows[i - 1][0]);
            }
            hiss_dataset_close(set);
        }
        for (int i = 0; i < n; i++) {
            assert_int_equal(seen[i], 1);
        }
        assert_true(tests >= share * n - 0.51 && tests <= share * n + 0.51);
        for (int c = 0; c < classes; c++) {
            const double size = n / classes + (c < n % classes);
            assert_true(of_class[c] > share * size - 1 && of_class[c] < share * size + 1);
        }
    }
    unlink(images);
    assert_int_equal(remove_tree(both), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idx_comes_through),
        cmocka_unit_test(other_idx_types),
        cmocka_unit_test(bad_idx_is_explained),
        cmocka_unit_test(bad_options_are_explained),
        cmocka_unit_test(classes_of_folders),
        cmocka_unit_test(flat_folder_has_no_labels),
        cmocka_unit_test(bad_folders_are_explained),
        cmocka_unit_test(hdf5_keeps_types),
        cmocka_unit_test(hdf5_is_split),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
