/* WAV files: every kind of value, channels, chunks in between; sizes that lie and files that are cut have one line each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/wav_impl.h"
#include "hiss/alloc.h"
#include "hiss/data.h"
#include "hiss/log.h"

static char path[] = "/tmp/hiss-wav-XXXXXX";

/* A file that is put together piece by piece. */
typedef struct bytes {
    uint8_t at[4096];
    size_t count;
} bytes;

static void put(bytes *b, const void *from, size_t count) {
    memcpy(b->at + b->count, from, count);
    b->count += count;
}

static void put_number(bytes *b, uint64_t value, int count) {
    for (int k = 0; k < count; k++) {
        const uint8_t byte = (uint8_t)(value >> 8 * k);
        put(b, &byte, 1);
    }
}

static void begin_file(bytes *b) {
    b->count = 0;
    put(b, "RIFF\0\0\0\0WAVE", 12);
}

static void put_format(bytes *b, int format, int channels, int bits) {
    put(b, "fmt ", 4);
    put_number(b, 16, 4);
    put_number(b, (uint64_t)format, 2);
    put_number(b, (uint64_t)channels, 2);
    put_number(b, 8000, 4);
    put_number(b, (uint64_t)(8000 * channels * bits / 8), 4);
    put_number(b, (uint64_t)(channels * bits / 8), 2);
    put_number(b, (uint64_t)bits, 2);
}

static void put_data(bytes *b, const void *from, size_t count) {
    put(b, "data", 4);
    put_number(b, count, 4);
    put(b, from, count);
}

static hiss_status open_bytes(const bytes *b, data_wav **wav, hiss_error *err) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(fwrite(b->at, 1, b->count, file) == b->count && fclose(file) == 0);
    *wav = NULL;
    return data_wav_open(path, wav, err);
}

static void expect(const bytes *b, int64_t count, const int16_t *value) {
    data_wav *wav;
    hiss_error err = {0};
    int16_t found[64];
    if (open_bytes(b, &wav, &err)) {
        fail_msg("%s", err.text);
    }
    assert_true(data_wav_count(wav) == count && data_wav_rate(wav) == 8000);
    assert_int_equal(data_wav_read(wav, 1, found, &err), HISS_OK); /* in pieces */
    assert_int_equal(data_wav_read(wav, count - 1, found + 1, &err), HISS_OK);
    assert_memory_equal(found, value, sizeof *value * (size_t)count);
    data_wav_close(wav);
}

static void refuse(const bytes *b, const char *text) {
    data_wav *wav;
    hiss_error err = {0};
    assert_int_equal(open_bytes(b, &wav, &err), HISS_EUSER);
    if (!strstr(err.text, text) || strncmp(err.text, path, strlen(path)) != 0) {
        fail_msg("no '%s' in: %s", text, err.text);
    }
    assert_null(strchr(err.text, '\n'));
}

static void test_values(void **state) {
    (void)state;
    bytes b;
    static const uint8_t eight[] = {128, 0, 255, 129},
                         deep[] = {0, 0, 0, 0, 0, 0x80, 0xff, 0xff, 0x7f, 0x80, 0, 0, 0x7f, 0xff, 0xff};
    static const int32_t longer[] = {0, INT32_MIN, INT32_MAX, 65536 + 32768, -32769};
    static const float real[] = {0.0f, -1.0f, 1.0f, 3.0f, -7.0f, 0.5f, 1.5f / 32768};
    static const double twice[] = {0.0, -1.0, 1.0, 0.25};
    static const int16_t both[] = {1, 2, -1, -2, 32767, 32767, -32768, -32768};
    begin_file(&b);
    put_format(&b, 1, 1, 8);
    put_data(&b, eight, sizeof eight);
    expect(&b, 4, (const int16_t[]){0, -32768, 127 * 256, 256});
    begin_file(&b);
    put_format(&b, 1, 1, 24);
    put_data(&b, deep, sizeof deep);
    expect(&b, 5, (const int16_t[]){0, -32768, 32767, 1, -1}); /* 0x80 of 256: halves go up; -129 */
    begin_file(&b);
    put_format(&b, 1, 1, 32);
    put_data(&b, longer, sizeof longer);
    expect(&b, 5, (const int16_t[]){0, -32768, 32767, 2, -1});
    begin_file(&b);
    put_format(&b, 3, 1, 32);
    put_data(&b, real, sizeof real);
    expect(&b, 7, (const int16_t[]){0, -32768, 32767, 32767, -32768, 16384, 2});
    begin_file(&b);
    put_format(&b, 3, 1, 64);
    put_data(&b, twice, sizeof twice);
    expect(&b, 4, (const int16_t[]){0, -32768, 32767, 8192});
    begin_file(&b);
    put_format(&b, 1, 2, 16);
    put_data(&b, both, sizeof both);
    expect(&b, 4, (const int16_t[]){2, -1, 32767, -32768}); /* 1.5, -1.5 */
}

/* Chunks of others in between, an odd one with its padding; the extended format; data of unknown size. */
static void test_chunks(void **state) {
    (void)state;
    static const uint8_t guid[] = {1, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71};
    static const int16_t value[] = {5, -6, 7};
    bytes b;
    begin_file(&b);
    put(&b, "LIST\3\0\0\0abc\0", 12);
    put_format(&b, 1, 1, 16);
    put(&b, "fact\0\0\0\0", 8);
    put_data(&b, value, sizeof value);
    put(&b, "xx", 2); /* less than a chunk behind */
    expect(&b, 3, value);
    begin_file(&b);
    put_format(&b, 0xFFFE, 1, 16);
    b.at[16] = 40;
    put_number(&b, 22, 2);
    put_number(&b, 16, 2);
    put_number(&b, 4, 4);
    put(&b, guid, sizeof guid);
    put_data(&b, value, sizeof value);
    expect(&b, 3, value);
    b.at[44] = 2; /* ADPCM */
    refuse(&b, "holds format 2 of 16 bits; expected PCM");
    begin_file(&b);
    put_format(&b, 1, 1, 16);
    put_data(&b, value, sizeof value);
    memset(b.at + b.count - sizeof value - 4, 0xff, 4);
    expect(&b, 3, value);
}

static void test_lies(void **state) {
    (void)state;
    static const int16_t value[] = {5, -6, 7};
    bytes b;
    data_wav *wav;
    hiss_error err;
    begin_file(&b);
    refuse(&b, "has no sound");
    put_data(&b, value, sizeof value);
    refuse(&b, "the data come before their format");
    begin_file(&b);
    put_format(&b, 1, 1, 16);
    const bytes head = b;
    put_data(&b, value, sizeof value);
    const bytes whole = b;
    b.count -= 2;
    refuse(&b, "announces 6 bytes of sound, but 4 are there: the file was cut");
    for (size_t cut = 0; cut < whole.count; cut++) { /* wherever it is cut */
        b = whole;
        b.count = cut;
        refuse(&b, "");
    }
    for (size_t at = 0; at < whole.count; at++) { /* and whatever a byte becomes: an error or some values */
        for (int with = 0; with < 256; with += 51) {
            b = whole;
            b.at[at] = (uint8_t)with;
            if (open_bytes(&b, &wav, &err) == HISS_OK) {
                int16_t found[8];
                assert_true(data_wav_count(wav) <= 6);
                (void)data_wav_read(wav, data_wav_count(wav), found, &err);
                data_wav_close(wav);
            }
        }
    }
    b = head;
    put(&b, "LIST\xff\xff\0\0", 8);
    refuse(&b, "a chunk at byte 36 announces 65535 bytes, beyond the end of the file");
    b = head;
    b.at[16] = 4;
    refuse(&b, "its format chunk has 4 bytes");
    b = head;
    b.at[32] = 3; /* block alignment */
    refuse(&b, "the file is damaged");
    b = head;
    b.at[22] = 0; /* channels */
    refuse(&b, "0 channels");
    b = head;
    b.at[20] = 7;
    refuse(&b, "holds format 7 of 16 bits; expected PCM (1)");
    b = head;
    memcpy(b.at, "RF64", 4);
    refuse(&b, "found RF64");
    b = head;
    b.at[8] = 'A';
    refuse(&b, "is no WAV file");
    begin_file(&b);
    put_format(&b, 3, 1, 32);
    put_data(&b, (const float[]){1, NAN, INFINITY}, 12);
    assert_int_equal(open_bytes(&b, &wav, &err), HISS_OK);
    int16_t found[4];
    assert_int_equal(data_wav_read(wav, 3, found, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "value 1 is not finite"));
    data_wav_close(wav);
    assert_int_equal(data_wav_open("/nonexistent.wav", &wav, &err), HISS_EUSER);
    assert_int_equal(data_wav_open("/tmp", &wav, &err), HISS_EUSER);
}

/* ---- rows ---- */

enum { LENGTH = 10, OVERLAP = 4 };

/* A file of values first, first + 1, ... */
static void write_ramp(const char *name, int first, int count) {
    bytes b;
    int16_t value[100];
    for (int i = 0; i < count; i++) {
        value[i] = (int16_t)(first + i);
    }
    begin_file(&b);
    put_format(&b, 1, 1, 16);
    put_data(&b, value, sizeof *value * (size_t)count);
    FILE *file = fopen(name, "wb");
    assert_non_null(file);
    assert_true(fwrite(b.at, 1, b.count, file) == b.count && fclose(file) == 0);
}

/* Rows of both files, as the shuffle has them: their first values, sorted; each goes on to its end or to silence. */
static void check_rows(const char *output, int rows, const int *first, const int *last) {
    hiss_h5 *file;
    hiss_h5_info info;
    hiss_error err;
    int16_t row[16][LENGTH];
    int32_t from[16];
    int64_t overlap, rate;
    int seen = 0;
    assert_int_equal(hiss_h5_open(output, &file, &err), HISS_OK);
    assert_int_equal(hiss_h5_look(file, "/sound", &info, &err), HISS_OK);
    assert_true(info.dtype == HISS_I16 && info.ndim == 2 && info.dim[0] == rows && info.dim[1] == LENGTH);
    assert_int_equal(hiss_h5_read(file, "/sound", HISS_I16, 0, rows, row, &err), HISS_OK);
    assert_int_equal(hiss_h5_read(file, "/file", HISS_I32, 0, rows, from, &err), HISS_OK);
    assert_int_equal(hiss_h5_get_i64(file, "/sound", "overlap", &overlap, &err), HISS_OK);
    assert_int_equal(hiss_h5_get_i64(file, "/sound", "rate", &rate, &err), HISS_OK);
    assert_true(overlap == OVERLAP && rate == 8000);
    hiss_h5_close(file, NULL);
    for (int k = 0; k < rows; k++) {
        for (int i = 0; i < rows; i++) {
            if (row[i][0] != first[k]) {
                continue;
            }
            seen++;
            assert_int_equal(from[i], first[k] > 1000);
            for (int j = 0; j < LENGTH; j++) {
                assert_int_equal(row[i][j], first[k] + j <= last[first[k] > 1000] ? first[k] + j : 0);
            }
        }
    }
    assert_int_equal(seen, rows);
}

static void test_rows(void **state) {
    (void)state;
    char one[64], two[64], output[64];
    snprintf(one, sizeof one, "%s.a.wav", path);
    snprintf(two, sizeof two, "%s.b.wav", path);
    snprintf(output, sizeof output, "%s.h5", path);
    write_ramp(one, 1, 25);   /* rows 1-10, 7-16, 13-22; 23-25 are left */
    write_ramp(two, 1001, 7); /* less than a row */
    const char *const files[] = {one, two};
    const int last[] = {25, 1007};
    hiss_error err = {0};
    for (int shuffle = 0; shuffle < 2; shuffle++) {
        const hiss_prepare_options options = {.output = output, .shuffle = shuffle, .seed = 3};
        hiss_cut cut = {.length = LENGTH, .overlap = OVERLAP};
        assert_int_equal(hiss_prepare_wav(&options, &cut, files, 2, &err), HISS_OK);
        check_rows(output, 3, (const int[]){1, 7, 13}, last);
        cut.pad = true;
        assert_int_equal(hiss_prepare_wav(&options, &cut, files, 2, &err), HISS_OK);
        check_rows(output, 5, (const int[]){1, 7, 13, 19, 1001}, last);
    }
    unlink(one);
    unlink(two);
    unlink(output);
}

static int begin(void **state) {
    (void)state;
    hiss_log_setup(HISS_LOG_ERROR, 0);
    const int file = mkstemp(path);
    return file < 0 || close(file);
}

static int end(void **state) {
    (void)state;
    return unlink(path) || hiss_alloc_live() != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_lies),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
