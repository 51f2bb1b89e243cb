/* Arrays in npz files and shards of WebDataset: what is in them comes through whole, in order; what is wrong with them is
 * one line; no cut and no changed byte leads anywhere else. */
#include "../data_support.h"

#include "data/json_impl.h"
#include "data/npz_impl.h"
#include "data/webdataset_impl.h"

static char folder[] = "/tmp/hiss-archives-XXXXXX";
static char path[128], output[128];

static int setup(void **state) {
    (void)state;
    hiss_log_setup(HISS_LOG_ERROR, 0);
    if (!mkdtemp(folder)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/a", folder);
    snprintf(output, sizeof output, "%s/out.h5", folder);
    return 0;
}

/* rmdir fails when anything else is left. */
static int teardown(void **state) {
    (void)state;
    return end_folder(folder, path);
}

/* ---- JSON ---- */

static void finds_members_of_json(void **state) {
    (void)state;
    static const struct {
        const char *text, *value; /* of "label"; NULL: missing, "broken" */
    } cases[] = {
        {"{\"label\": 7}", "7"},
        {" { \"label\" : \"7\" } ", "7"},
        {"{\"label\":-1.5e3,\"x\":1}", "-1.5e3"},
        {"{\"a\": {\"label\": 9}, \"b\": [\"label\", {\"label\": 3}], \"label\": 4}", "4"},
        {"{\"a\": \"}{\\\"label\\\": 2\", \"label\":\t5\n}", "5"},
        {"{\"label\": [1, 2], \"x\": 0}", "[1, 2]"},
        {"{\"label\": \"\"}", ""},
        {"{}", NULL},
        {"{\"labels\": 1, \"labe\": 2, \"LABEL\": 3}", NULL},
        {"", "broken"},
        {"7", "broken"},
        {"[1]", "broken"},
        {"{", "broken"},
        {"{\"label", "broken"},
        {"{\"label\"", "broken"},
        {"{\"label\":", "broken"},
        {"{\"label\": 7", "broken"},
        {"{\"label\": \"7", "broken"},
        {"{\"label\": [7}", "broken"},
        {"{\"x\": \"\\", "broken"},
        {"{\"x\": 1, 2}", "broken"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        const size_t size = strlen(cases[k].text);
        char *exact = malloc(size + !size); /* without a zero behind it, for the sanitizers */
        assert_non_null(exact);
        memcpy(exact, cases[k].text, size);
        const char *value = NULL, *expected = cases[k].value;
        int64_t length = 0;
        const data_json_finding found = data_json_find(exact, (int64_t)size, "label", &value, &length);
        if (!expected || strcmp(expected, "broken") == 0) {
            assert_int_equal(found, expected ? DATA_JSON_BROKEN : DATA_JSON_MISSING);
        } else {
            assert_int_equal(found, DATA_JSON_FOUND);
            assert_int_equal(length, strlen(expected));
            assert_memory_equal(value, expected, (size_t)length);
        }
        free(exact);
    }
}

/* However deep, without recursion. */
static void deep_json_is_no_danger(void **state) {
    (void)state;
    enum { DEPTH = 1 << 20 };
    char *text = malloc(2 * DEPTH + 64);
    assert_non_null(text);
    int64_t size = sprintf(text, "{\"x\":");
    memset(text + size, '[', DEPTH);
    memset(text + size + DEPTH, ']', DEPTH);
    size += 2 * DEPTH;
    size += sprintf(text + size, ",\"label\":3}");
    const char *value;
    int64_t length;
    assert_int_equal(data_json_find(text, size, "label", &value, &length), DATA_JSON_FOUND);
    assert_true(length == 1 && *value == '3');
    free(text);
}

static hiss_prepare_options picture_options(void) {
    return (hiss_prepare_options){.output = output, .height = 2, .width = 2, .channels = 1};
}

#ifdef HISS_HAS_ARCHIVE

#include <archive.h>
#include <archive_entry.h>

/* ---- archives ---- */

typedef struct member {
    const char *name;
    const void *bytes;
    size_t size;
} member;

static void write_archive(bool zip, const char *option, const member *all, int count) {
    struct archive *a = archive_write_new();
    assert_int_equal(zip ? archive_write_set_format_zip(a) : archive_write_set_format_ustar(a), ARCHIVE_OK);
    if (option && zip) {
        assert_int_equal(archive_write_set_options(a, option), ARCHIVE_OK);
    } else if (option) {
        assert_int_equal(archive_write_add_filter_gzip(a), ARCHIVE_OK);
    }
    assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
    for (int i = 0; i < count; i++) {
        struct archive_entry *e = archive_entry_new();
        archive_entry_set_pathname(e, all[i].name);
        archive_entry_set_size(e, (la_int64_t)all[i].size);
        archive_entry_set_filetype(e, AE_IFREG);
        archive_entry_set_perm(e, 0644);
        assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
        assert_int_equal(archive_write_data(a, all[i].bytes, all[i].size), all[i].size);
        archive_entry_free(e);
    }
    assert_int_equal(archive_write_close(a), ARCHIVE_OK);
    archive_write_free(a);
}

static uint8_t *read_file(size_t *size) {
    FILE *f = fopen(path, "rb");
    uint8_t *bytes = malloc(1 << 20);
    assert_non_null(bytes);
    *size = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    return bytes;
}

static void write_file(const uint8_t *bytes, size_t size) {
    unlink(path); /* a file that is overwritten waits for the disk */
    FILE *f = fopen(path, "wb");
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    fclose(f);
}

/* ---- npz ---- */

enum { N = 5, H = 3, W = 4, C = 3, ROOM = 4096 };

/* An npy file of version 1 with this header and these values. Returns its size. */
static size_t npy(uint8_t out[ROOM], const char *header, const void *values, size_t size) {
    const size_t length = strlen(header);
    memcpy(out, "\x93NUMPY\x01", 8);
    out[8] = (uint8_t)length;
    out[9] = (uint8_t)(length >> 8);
    memcpy(out + 10, header, length);
    memcpy(out + 10 + length, values, size);
    return 10 + length + size;
}

static hiss_status read_npz(const data_npz_source *source, data_rows *rows, int32_t **labels, hiss_error *err) {
    static hiss_prepare_options options;
    options = picture_options();
    data_rows_create(&options, rows);
    *labels = NULL;
    return data_npz_read(source, rows, labels, err);
}

static uint8_t pixel(int n, int h, int w, int c) {
    return (uint8_t)(n * 50 + h * 16 + w * 3 + c);
}

static void check_rows(data_rows *rows, bool colours) {
    assert_true(rows->shape[0] == N && rows->shape[1] == H && rows->shape[2] == W &&
                rows->shape[3] == (colours ? C : 1));
    rewind(rows->file);
    for (int n = 0; n < N; n++) {
        for (int k = 0; k < H * W; k++) {
            for (int c = 0; c < rows->shape[3]; c++) {
                assert_int_equal(fgetc(rows->file), pixel(n, k / W, k % W, c));
            }
        }
    }
}

/* Every order of the axes in memory, with and without compression. */
static void images_of_npz_come_through(void **state) {
    (void)state;
    for (int bits = 0; bits < 16; bits++) {
        const bool fortran = bits & 1, first = bits & 2, colours = bits & 4;
        const int64_t channels = colours ? C : 1;
        uint8_t values[N * H * W * C], file[ROOM];
        for (int k = 0; k < N * H * W * channels; k++) {
            /* Digits of k in the sizes of the axes, the fastest first. */
            const int64_t size[4] = {N, first ? channels : H, first ? H : W, first ? W : channels};
            int64_t digit[4], rest = k;
            for (int i = 0; i < 4; i++) {
                const int axis = fortran ? i : 3 - i;
                digit[axis] = rest % size[axis];
                rest /= size[axis];
            }
            const int64_t *d = digit;
            values[k] = first ? pixel((int)d[0], (int)d[2], (int)d[3], (int)d[1])
                              : pixel((int)d[0], (int)d[1], (int)d[2], (int)d[3]);
        }
        char header[256], axes[64];
        snprintf(axes, sizeof axes, first ? "%d, %d, %d, %d" : "%d, %d, %d, %d", N, first ? C : H, first ? H : W,
                 first ? W : C);
        if (!colours) {
            snprintf(axes, sizeof axes, "%d, %d, %d", N, H, W);
        }
        snprintf(header, sizeof header, "{'descr': '|u1', 'fortran_order': %s, 'shape': (%s), }\n",
                 fortran ? "True" : "False", axes);
        const member all[] = {{"images.npy", file, npy(file, header, values, (size_t)(N * H * W * channels))}};
        write_archive(true, bits & 8 ? "compression=deflate" : "compression=store", all, 1);
        const data_npz_source source = {path, "images", "labels", false, first, false};
        data_rows rows;
        int32_t *labels;
        hiss_error err = {0};
        if (read_npz(&source, &rows, &labels, &err)) {
            fail_msg("%s", err.text);
        }
        assert_null(labels);
        check_rows(&rows, colours);
        data_rows_destroy(&rows);
    }
}

static size_t small_images(uint8_t file[ROOM]) {
    uint8_t values[N * H * W];
    for (int k = 0; k < N * H * W; k++) {
        values[k] = pixel(k / (H * W), k / W % H, k % W, 0);
    }
    return npy(file, "{'descr': '|u1', 'fortran_order': False, 'shape': (5, 3, 4), }\n", values, sizeof values);
}

/* Every integer type, order of bytes, and of the two members. */
static void labels_of_npz_come_through(void **state) {
    (void)state;
    static const char *const types[] = {"u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "b1"};
    for (size_t k = 0; k < 4 * sizeof types / sizeof types[0]; k++) {
        const char *type = types[k / 4];
        const int size = type[1] - '0';
        const bool big = k % 4 / 2, behind = k % 2, narrow = size == 1;
        uint8_t images[ROOM], file[ROOM], values[8 * N] = {0};
        for (int n = 0; n < N; n++) {
            values[n * size + (big ? size - 1 : 0)] = (uint8_t)(n % 2);
            if (!narrow) {
                values[n * size + (big ? size - 2 : 1)] = (uint8_t)n;
            }
        }
        char header[256];
        snprintf(header, sizeof header, "{'shape': (5%s), 'descr': '%c%s', 'fortran_order': False}\n",
                 behind ? ", 1" : ",",
                 narrow ? '|'
                 : big  ? '>'
                        : '<',
                 type);
        const member i = {"images.npy", images, small_images(images)},
                     l = {"labels.npy", file, npy(file, header, values, (size_t)(size * N))};
        write_archive(true, NULL, behind ? (member[]){l, i} : (member[]){i, l}, 2);
        const data_npz_source source = {path, "images", "labels", false, false, false};
        data_rows rows;
        int32_t *labels;
        hiss_error err = {0};
        if (read_npz(&source, &rows, &labels, &err)) {
            fail_msg("%s: %s", type, err.text);
        }
        check_rows(&rows, false);
        for (int n = 0; n < N; n++) {
            assert_int_equal(labels[n], n % 2 + (narrow ? 0 : 256 * n));
        }
        hiss_free(labels);
        data_rows_destroy(&rows);
    }
}

/* images: header of the images; labels: NULL, or of the labels; text: in the error. */
static void refused_npz(const char *images, const char *labels, const char *text) {
    uint8_t a[ROOM], b[ROOM], zeros[512] = {0};
    const size_t count = labels ? 2 : 1;
    const member all[] = {{"images.npy", a, npy(a, images, zeros, N * H * W)},
                          {"labels.npy", b, labels ? npy(b, labels, zeros, 8 * N) : 0}};
    write_archive(true, NULL, all, (int)count);
    const data_npz_source source = {path, "images", "labels", false, false, false};
    data_rows rows;
    int32_t *label;
    hiss_error err = {0};
    assert_int_equal(read_npz(&source, &rows, &label, &err), HISS_EUSER);
    assert_null(label);
    data_rows_destroy(&rows);
    expect_text(&err, text);
    expect_text(&err, path);
}

static void bad_arrays_are_explained(void **state) {
    (void)state;
    const char *sound = "{'descr': '|u1', 'fortran_order': False, 'shape': (5, 3, 4), }\n";
#define IMAGES(type, shape) "{'descr': '" type "', 'fortran_order': False, 'shape': (" shape "), }\n"
    refused_npz(IMAGES("<f4", "5, 3, 4"), NULL, "images: holds values of type <f4 in 3 dimensions");
    refused_npz(IMAGES("|i1", "5, 3, 4"), NULL, "holds values of type |i1");
    refused_npz(IMAGES("|O", "5, 3, 4"), NULL, "holds values of type |O");
    refused_npz(IMAGES("|u1", "5, 12"), NULL, "in 2 dimensions");
    refused_npz(IMAGES("|u1", ""), NULL, "in 0 dimensions");
    refused_npz(IMAGES("|u1", "5, 3, 4, 1, 1"), NULL, "in 5 dimensions");
    refused_npz(IMAGES("|u1", "0, 3, 4"), NULL, "dimension 0 is 0");
    refused_npz(IMAGES("|u1", "5, 3, 5"), NULL, "announces 75 bytes, 60 are there");
    refused_npz(IMAGES("|u1", "5, 3, 3"), NULL, "goes on after what the npy header announces");
    refused_npz(IMAGES("|u1", "1, 3, 4, 5"), NULL, "look like another layout; add --layout NCHW");
    refused_npz(IMAGES("|u1", "2000000, 1000, 1000"), NULL, "announces 2000000000000 bytes, more than a file of");
    refused_npz(IMAGES("|u1", "2000000000, 2000000000, 1000"), NULL, "which is too much beside the others");
    refused_npz(IMAGES("|u1", "99999999999999999999, 3, 4"), NULL, "not that of an array of numbers");
    refused_npz(IMAGES("|u1", "-5, 3, 4"), NULL, "not that of an array of numbers");
    refused_npz("{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (5, 3, 4), }\n", NULL,
                "not that of an array");
    refused_npz("{'descr': '|u1', 'shape': (5, 3, 4), }\n", NULL, "not that of an array");
    refused_npz("", NULL, "not that of an array");
    refused_npz("{'descr': '|u1", NULL, "not that of an array");
    refused_npz(sound, IMAGES("<f8", "5,"), "labels: holds values of type <f8 in 1 dimensions; expected labels");
    refused_npz(sound, IMAGES("<i8", "5, 2"), "expected labels: integers [n] or [n,1]");
    refused_npz(sound, IMAGES("<i8", "4,"), "goes on after");
    refused_npz(sound, IMAGES("<i4", "10,"), "holds 5 images, labels 10 labels");
    refused_npz(sound, IMAGES("<i8", "6,"), "announces 48 bytes, 40 are there");
    refused_npz(sound, IMAGES("<i16", "5,"), "holds values of type <i16");
}

/* ---- WebDataset ---- */

static hiss_status read_shards(int64_t count, const char *images, const char *labels, data_rows *rows, bool *labelled,
                               hiss_error *err) {
    static hiss_prepare_options options;
    options = picture_options();
    const char *const files[] = {path, path, path};
    const data_webdataset_source source = {files, count, images, labels};
    data_rows_create(&options, rows);
    return data_webdataset_read(&source, rows, labelled, err);
}

static void expect_shards(int64_t count, const char *images, const char *labels, const char *rows_text,
                          const char *labels_text) {
    data_rows rows;
    bool labelled = false;
    hiss_error err = {0};
    if (read_shards(count, images, labels, &rows, &labelled, &err)) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(rows.shape[0], strlen(rows_text));
    assert_int_equal(labelled, labels_text != NULL);
    rewind(rows.file);
    for (size_t i = 0; rows_text[i]; i++) {
        for (int k = 0; k < 4; k++) {
            assert_int_equal(fgetc(rows.file), rows_text[i]);
        }
        assert_true(!labels_text || rows.label[i] == labels_text[i] - '0');
    }
    data_rows_destroy(&rows);
}

#define PICTURE(letter) "P5 2 2 255 " letter letter letter letter, 15
#define TEXT(text)      text, sizeof(text) - 1

static void samples_of_shards_come_through(void **state) {
    (void)state;
    const member all[] = {{"./x/a.cls", TEXT("3\n")},
                          {"./x/a.PGM", PICTURE("p")},
                          {"./x/a.txt", TEXT("a caption")},
                          {"./x/._b.pgm", TEXT("Mac")},
                          {"./x/b.left.pgm", PICTURE("l")},
                          {"./x/b.pgm", PICTURE("q")},
                          {"./x/b.cls", TEXT(" 5")},
                          {"./x/b.json", TEXT("{\"label\":9}")},
                          {"readme", TEXT("no sample")},
                          {"__meta__.json", TEXT("?")},
                          {"../../y/c.json", TEXT("{\"label\": \"7\", \"k\": 1}")},
                          {"../../y/c.pgm", PICTURE("r")}};
    for (int gzip = 0; gzip < 2; gzip++) {
        write_archive(false, gzip ? "gzip" : NULL, all, sizeof all / sizeof all[0]);
        expect_shards(1, NULL, NULL, "pqr", "357");
        expect_shards(3, NULL, NULL, "pqrpqrpqr", "357357357");
        expect_shards(1, NULL, "", "pqr", NULL);
    }
    const member fields[] = {
        {"a.left.pgm", PICTURE("l")}, {"a.right.pgm", PICTURE("r")}, {"a.json", TEXT("{\"k\": 4}")}};
    write_archive(false, NULL, fields, 3);
    expect_shards(1, "left.pgm", "k", "l", "4");
    expect_shards(1, "right.pgm", NULL, "r", NULL);
}

static void refused_shard(const member *all, int count, const char *labels, const char *text) {
    write_archive(false, NULL, all, count);
    data_rows rows;
    bool labelled;
    hiss_error err = {0};
    assert_int_equal(read_shards(1, NULL, labels, &rows, &labelled, &err), HISS_EUSER);
    data_rows_destroy(&rows);
    expect_text(&err, text);
    expect_text(&err, path);
}

static void bad_samples_are_explained(void **state) {
    (void)state;
#define A {"a.pgm", PICTURE("p")}, {"a.cls", TEXT("0")}
#define BAD(labels, text, ...)                                                                                         \
    do {                                                                                                               \
        const member all[] = {__VA_ARGS__};                                                                            \
        refused_shard(all, sizeof all / sizeof all[0], labels, text);                                                  \
    } while (0)
    BAD(NULL, "sample 'b' has no label, others have one", A, {"b.pgm", PICTURE("q")});
    BAD(NULL, "sample 'b' has a label, others have none", {"a.pgm", PICTURE("p")}, {"b.pgm", PICTURE("q")},
        {"b.cls", TEXT("1")});
    BAD("kind", "sample 'a' has neither a member 'kind' nor that key in its json", A);
    BAD(NULL, "b.cls: the label is 'dog'; expected a class number", A, {"b.cls", TEXT("dog\n")});
    BAD(NULL, "the label is ''", A, {"b.cls", TEXT("")});
    BAD(NULL, "the label is '-1'", A, {"b.cls", TEXT("-1")});
    BAD(NULL, "the label is '1.5'", A, {"b.cls", TEXT("1.5")});
    BAD(NULL, "the label is '99999999999999999999999'", A, {"b.cls", TEXT("99999999999999999999999")});
    BAD(NULL, "b.json: is no JSON object", A, {"b.json", TEXT("{")});
    BAD(NULL, "sample 'a' has two pictures, pgm and ppm; name the field to take", A, {"a.ppm", PICTURE("q")});
    BAD(NULL, "no samples; expected tar files with members such as", {"readme", TEXT("nothing")});
    BAD(NULL, "no member ends in .jpg, .jpeg, .png, .ppm or .pgm; there are .gif, .cls, .left.pgm: name what",
        {"a.gif", TEXT("g")}, {"a.cls", TEXT("1")}, {"b.left.pgm", PICTURE("q")}, {"b.cls", TEXT("1")});
}

/* Samples without a picture, and with a broken one, are counted; the others are rows with their own labels. */
static void broken_samples_are_counted(void **state) {
    (void)state;
    const member all[] = {{"a.pgm", TEXT("P5 2 2 255 ")}, {"a.cls", TEXT("1")}, {"b.cls", TEXT("2")},
                          {"b.txt", TEXT("t")},           {"c.cls", TEXT("3")}, {"c.pgm", PICTURE("c")}};
    write_archive(false, NULL, all, 6);
    data_rows rows;
    bool labelled;
    hiss_error err = {0};
    assert_int_equal(read_shards(1, NULL, NULL, &rows, &labelled, &err), HISS_OK);
    assert_true(labelled && rows.shape[0] == 1 && rows.label[0] == 3 && rows.broken == 2);
    expect_text(&rows.why, "a.pgm: unreadable picture");
    assert_int_equal(data_rows_write(&rows, rows.label, "x", NULL, &err), HISS_EUSER);
    expect_text(&err, "2 of 3 pictures cannot be read");
    data_rows_destroy(&rows);
}

/* ---- damage ---- */

static hiss_status read_any(bool zip, hiss_error *err) {
    data_rows rows;
    int32_t *labels = NULL;
    bool labelled;
    const data_npz_source source = {path, "images", "labels", false, false, false};
    const hiss_status status =
        zip ? read_npz(&source, &rows, &labels, err) : read_shards(1, NULL, NULL, &rows, &labelled, err);
    hiss_free(labels);
    data_rows_destroy(&rows);
    return status;
}

/* No beginning of an archive passes for the whole, and no changed byte does harm. */
static void damaged_archives_are_refused(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        const bool zip = kind < 2;
        uint8_t images[ROOM], labels[ROOM];
        const member arrays[] = {
            {"images.npy", images, small_images(images)},
            {"labels.npy", labels,
             npy(labels, "{'descr': '|u1', 'fortran_order': False, 'shape': (5,), }\n", "\0\1\2\3\4", N)}};
        const member sample[] = {
            {"a.pgm", PICTURE("p")}, {"a.cls", TEXT("1")}, {"b.pgm", PICTURE("q")}, {"b.cls", TEXT("0")}};
        write_archive(zip,
                      zip         ? (kind ? "compression=deflate" : "compression=store")
                      : kind == 3 ? "gzip"
                                  : NULL,
                      zip ? arrays : sample, zip ? 2 : 4);
        size_t size;
        uint8_t *bytes = read_file(&size);
        hiss_error err = {0};
        assert_int_equal(read_any(zip, &err), HISS_OK);
        /* A tar file is whole with the first block of its end; zeros fill it up. */
        const size_t whole = kind == 2 ? 8 * 512 + 1 : kind == 3 ? size - 8 : size;
        for (size_t cut = 0; cut < whole; cut++) {
            write_file(bytes, cut);
            if (!read_any(zip, &err)) {
                fail_msg("kind %d: %zu of %zu bytes pass for the whole", kind, cut, size);
            }
            expect_text(&err, path);
        }
        for (size_t at = 0; at < size && at < whole; at++) {
            bytes[at] ^= (uint8_t)(1 + at % 255);
            write_file(bytes, size);
            read_any(zip, &err);
            bytes[at] ^= (uint8_t)(1 + at % 255);
        }
        free(bytes);
    }
}

#else

static void says_what_is_missing(void **state) {
    (void)state;
    const hiss_prepare_options options = picture_options();
    const char *files[] = {"a.tar"};
    hiss_error err = {0};
    assert_int_equal(hiss_prepare_npz(&options, "a.npz", NULL, NULL, &err), HISS_ESYSTEM);
    expect_text(&err, "a.npz: this hiss was built without libarchive");
    assert_int_equal(hiss_prepare_webdataset(&options, files, 1, NULL, NULL, &err), HISS_ESYSTEM);
    expect_text(&err, "a.tar: this hiss was built without libarchive");
}

#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_members_of_json),        cmocka_unit_test(deep_json_is_no_danger),
#ifdef HISS_HAS_ARCHIVE
        cmocka_unit_test(images_of_npz_come_through),   cmocka_unit_test(labels_of_npz_come_through),
        cmocka_unit_test(bad_arrays_are_explained),     cmocka_unit_test(samples_of_shards_come_through),
        cmocka_unit_test(bad_samples_are_explained),    cmocka_unit_test(broken_samples_are_counted),
        cmocka_unit_test(damaged_archives_are_refused),
#else
        cmocka_unit_test(says_what_is_missing),
#endif
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
