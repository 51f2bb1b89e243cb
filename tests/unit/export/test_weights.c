/* safetensors and npz, read back by readers written here, byte by byte, and npz by that of hiss prepare. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/npz_impl.h"
#include "hiss/rng.h"
#include "hiss/weights.h"

typedef struct file {
    char *bytes;
    size_t count;
} file;

static hiss_weights *some_weights(void) {
    static const hiss_shape shapes[] = {{4, {3, 5, 5, 2}}, {1, {7}}, {2, {1, 9}}, {5, {1, 2, 3, 1, 2}}};
    static const char *const names[] = {"conv1/weight", "conv1/bias", "a\"b\\c/gain", "view/x/weight"};
    hiss_weights *w = hiss_weights_create();
    for (int k = 0; k < HISS_COUNT(shapes); k++) {
        hiss_rng rng = hiss_rng_keyed(5, HISS_FOR_TESTS, 0, k);
        hiss_rng_normals(&rng, hiss_shape_count(&shapes[k]), hiss_weights_add(w, names[k], &shapes[k]));
    }
    hiss_weights_note(w, "config", "seed: 3\n# \"f\xc3\xbcr\"\ttab \xf0\x9f\x98\x80\n");
    hiss_weights_note(w, "none", NULL);
    hiss_weights_note(w, "classes", "M\xfcller\n\xc3(\xed\xa0\x80");
    return w;
}

static file write_as(const hiss_weights *w, bool npz) {
    file f;
    hiss_error err = {0};
    FILE *stream = hiss_text_open(&f.bytes, &f.count);
    if (npz) {
        assert_int_equal(hiss_npz_write(w, stream, &err), HISS_OK);
    } else {
        hiss_safetensors_write(w, stream);
    }
    fclose(stream);
    return f;
}

static uint64_t number_at(const file *f, size_t place, int bytes) {
    uint64_t number = 0;
    assert_true(place + (size_t)bytes <= f->count);
    for (int k = bytes; k-- > 0;) {
        number = number << 8 | (uint8_t)f->bytes[place + (size_t)k];
    }
    return number;
}

static void test_safetensors(void **state) {
    (void)state;
    hiss_weights *w = some_weights();
    file f = write_as(w, false);
    const uint64_t length = number_at(&f, 0, 8);
    assert_int_equal(length % 8, 0);
    char *header = calloc(length + 1, 1);
    memcpy(header, f.bytes + 8, length);
    assert_int_equal(
        strncmp(header, "{\"__metadata__\": {\"config\": \"seed: 3\\u000a# \\\"f\xc3\xbcr\\\"\\u0009tab ", 59), 0);
    assert_non_null(strstr(header, "\"classes\": \"M?ller\\u000a?(???\"}, \"conv1/weight\": "));
    assert_null(strstr(header, "none"));
    assert_non_null(
        strstr(header, "\"a\\\"b\\\\c/gain\": {\"dtype\": \"F32\", \"shape\": [1, 9], \"data_offsets\": [628, 664]}"));
    size_t at = 0;
    const char *entry = header;
    for (int k = 0; k < w->count; k++) {
        long begin, end;
        entry = strstr(entry + 1, "\"data_offsets\": [");
        assert_non_null(entry);
        assert_int_equal(sscanf(entry, "\"data_offsets\": [%ld, %ld]}", &begin, &end), 2);
        const size_t bytes = sizeof(float) * (size_t)hiss_shape_count(&w->weight[k].shape);
        assert_int_equal(begin, at);
        assert_int_equal(end, at + bytes);
        assert_true(8 + length + (size_t)end <= f.count);
        assert_memory_equal(f.bytes + 8 + length + begin, w->weight[k].values, bytes);
        at += bytes;
    }
    assert_int_equal(8 + length + at, f.count);
    free(header);
    free(f.bytes);
    hiss_weights_destroy(w);
}

/* The CRC of zip, one bit after another. */
static uint32_t crc_of(const char *bytes, size_t count) {
    uint32_t sum = 0xffffffffu;
    for (size_t i = 0; i < 8 * count; i++) {
        const uint32_t bit = (uint32_t)(uint8_t)bytes[i / 8] >> i % 8 & 1;
        sum = sum >> 1 ^ ((sum ^ bit) & 1 ? 0xedb88320u : 0);
    }
    return ~sum;
}

/* The bytes of the member whose entry of the directory is at *at, which moves to the next; its name must be this. */
static const char *member_at(const file *f, size_t *at, const char *name, size_t *count) {
    assert_int_equal(number_at(f, *at, 4), 0x02014b50);
    const size_t place = number_at(f, *at + 42, 4), length = strlen(name);
    assert_int_equal(number_at(f, *at + 28, 2), length);
    assert_memory_equal(f->bytes + *at + 46, name, length);
    assert_int_equal(number_at(f, place, 4), 0x04034b50);
    assert_memory_equal(f->bytes + place + 30, name, length);
    assert_memory_equal(f->bytes + *at + 6, f->bytes + place + 4, 26); /* version to lengths are equal in both */
    assert_int_equal(number_at(f, place + 10, 4), 0x00210000);         /* 1980-01-01, midnight */
    *count = number_at(f, place + 22, 4);
    assert_true(place + 30 + length + *count <= f->count);
    const char *bytes = f->bytes + place + 30 + length;
    assert_int_equal(crc_of(bytes, *count), number_at(f, place + 14, 4));
    *at += 46 + length;
    return bytes;
}

static void test_npz(void **state) {
    (void)state;
    hiss_weights *w = some_weights();
    file f = write_as(w, true);
    const size_t end = f.count - 22;
    assert_int_equal(number_at(&f, end, 4), 0x06054b50);
    assert_int_equal(number_at(&f, end + 10, 2), w->count + 1);
    size_t at = number_at(&f, end + 16, 4), count;
    const size_t directory = at;
    const char *notes = member_at(&f, &at, "metadata.npy", &count);
    assert_non_null(strstr(notes + 10, "{'descr': '<U"));
    assert_memory_equal(notes + 128, "{\0\0\0\"\0\0\0c\0\0\0", 12);
    long points;
    assert_int_equal(sscanf(notes + 10, "{'descr': '<U%ld', 'fortran_order': False, 'shape': (), }", &points), 1);
    assert_int_equal(count, 128 + 4 * points);
    bool smiles = false;
    for (size_t i = 128; i < count; i += 4) {
        smiles |= memcmp(notes + i, "\x00\xf6\x01", 4) == 0;
    }
    assert_true(smiles);
    for (int k = 0; k < w->count; k++) {
        char name[64];
        snprintf(name, sizeof name, "%s.npy", w->weight[k].name);
        const char *bytes = member_at(&f, &at, name, &count);
        const size_t values = sizeof(float) * (size_t)hiss_shape_count(&w->weight[k].shape);
        assert_memory_equal(bytes, "\x93NUMPY\x01\x00", 8);
        assert_int_equal(count, 128 + values);
        assert_int_equal(bytes[127], '\n');
        assert_memory_equal(bytes + 128, w->weight[k].values, values);
    }
    assert_int_equal(at, end);
    assert_int_equal(number_at(&f, end + 12, 4), end - directory);
    free(f.bytes);
    hiss_weights_destroy(w);
}

/* By hiss prepare's own reader. */
static void test_npz_read_back(void **state) {
    (void)state;
    char path[] = "/tmp/hiss-test-weights-XXXXXX";
    hiss_weights *w = some_weights();
    file f = write_as(w, true);
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0 && write(descriptor, f.bytes, f.count) == (ssize_t)f.count);
    close(descriptor);
    data_archive *archive = NULL;
    hiss_error err = {0};
    const char *name = NULL;
    if (data_archive_open(path, DATA_ZIP, &archive, &err) == HISS_OK) {
        assert_int_equal(data_archive_next(archive, &name, &err), HISS_OK);
        assert_string_equal(name, "metadata.npy");
        for (int k = 0; k < w->count; k++) {
            data_npz_header header;
            assert_int_equal(data_archive_next(archive, &name, &err), HISS_OK);
            assert_int_equal(strncmp(name, w->weight[k].name, strlen(w->weight[k].name)), 0);
            assert_int_equal(data_npz_read_header(archive, name, &header, &err), HISS_OK);
            const hiss_shape *shape = &w->weight[k].shape;
            assert_true(header.kind == 'f' && header.size == 4 && !header.big && !header.fortran);
            assert_int_equal(header.ndim, shape->ndim);
            assert_memory_equal(header.dim, shape->dim, sizeof(int64_t) * (size_t)shape->ndim);
            float values[256];
            int64_t got;
            const int64_t bytes = 4 * hiss_shape_count(shape);
            assert_int_equal(data_archive_read(archive, values, sizeof values, &got, &err), HISS_OK);
            assert_int_equal(got, bytes);
            assert_memory_equal(values, w->weight[k].values, (size_t)bytes);
        }
        assert_int_equal(data_archive_next(archive, &name, &err), HISS_OK);
        assert_null(name);
    }
    data_archive_close(archive);
    unlink(path);
    free(f.bytes);
    hiss_weights_destroy(w);
}

static void test_same_bytes(void **state) {
    (void)state;
    for (int npz = 0; npz < 2; npz++) {
        hiss_weights *w[] = {some_weights(), some_weights()};
        file a = write_as(w[0], npz), b = write_as(w[1], npz);
        assert_int_equal(a.count, b.count);
        assert_memory_equal(a.bytes, b.bytes, a.count);
        free(a.bytes);
        free(b.bytes);
        hiss_weights_destroy(w[0]);
        hiss_weights_destroy(w[1]);
    }
    assert_int_equal(hiss_alloc_live(), 0);
}

/* Only its shape counts: what does not fit is refused before it is looked at. */
static void test_too_large(void **state) {
    (void)state;
    hiss_weight big = {"big/weight", HISS_SHAPE(1 << 15, 1 << 15), NULL};
    const hiss_weights w = {.weight = &big, .count = 1};
    hiss_error err = {0};
    assert_int_equal(hiss_npz_write(&w, NULL, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "export to safetensors"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safetensors), cmocka_unit_test(test_npz),       cmocka_unit_test(test_npz_read_back),
        cmocka_unit_test(test_same_bytes),  cmocka_unit_test(test_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
