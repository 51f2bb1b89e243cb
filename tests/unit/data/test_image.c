/* Pictures: every format decodes, damage is named, scaling keeps what it must, PNG is written whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <jpeglib.h>
#include <zlib.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/image_impl.h"
#include "hiss/alloc.h"
#include "hiss/file.h"
#include "hiss/picture.h"

static char folder[] = "/tmp/hiss-image-XXXXXX";
static char path[128];

static int setup(void **state) {
    (void)state;
    if (!mkdtemp(folder)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/a", folder);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder) || hiss_alloc_live() != 0;
}

static void write_bytes(const void *bytes, size_t count) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, count, f), count);
    fclose(f);
}

static data_image read_back(void) {
    data_image image;
    hiss_error err = {0};
    if (data_image_read(path, &image, &err)) {
        fail_msg("%s", err.text);
    }
    return image;
}

static void refused(const char *part) {
    data_image image;
    hiss_error err = {0};
    assert_int_equal(data_image_read(path, &image, &err), HISS_EUSER);
    if (!strstr(err.text, part) || !strstr(err.text, path) || strchr(err.text, '\n')) {
        fail_msg("expected \"%s\" in \"%s\"", part, err.text);
    }
}

/* A smooth picture that JPEG keeps well. */
static void gradient(uint8_t *pixels, int64_t H, int64_t W, int64_t C) {
    for (int64_t k = 0; k < H * W * C; k++) {
        int64_t c = k % C, x = k / C % W, y = k / C / W;
        pixels[k] = (uint8_t)(20 + (c == 1 ? 200 - 2 * y : 3 * x + y) / (c + 1));
    }
}

/* Encode as JPEG of `components` in the given colour space, with a segment APP1 when there is one. */
static void write_marked_jpeg(const uint8_t *pixels, int H, int W, int components, J_COLOR_SPACE space,
                              const uint8_t *marker, unsigned size) {
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr manager;
    info.err = jpeg_std_error(&manager);
    jpeg_create_compress(&info);
    FILE *f = fopen(path, "wb");
    jpeg_stdio_dest(&info, f);
    info.image_width = (JDIMENSION)W;
    info.image_height = (JDIMENSION)H;
    info.input_components = components;
    info.in_color_space = space;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, 98, TRUE);
    info.write_Adobe_marker = FALSE;
    jpeg_start_compress(&info, TRUE);
    if (marker) {
        jpeg_write_marker(&info, JPEG_APP0 + 1, marker, size);
    }
    for (int y = 0; y < H; y++) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(pixels + y * W * components);
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    fclose(f);
}

static void write_jpeg(const uint8_t *pixels, int H, int W, int components, J_COLOR_SPACE space) {
    write_marked_jpeg(pixels, H, W, components, space, NULL, 0);
}

static void reads_jpeg(void **state) {
    (void)state;
    enum { H = 30, W = 41 };
    uint8_t pixels[H * W * 4], ink[H * W * 4];
    for (int C = 1; C <= 3; C += 2) {
        gradient(pixels, H, W, C);
        write_jpeg(pixels, H, W, C, C == 1 ? JCS_GRAYSCALE : JCS_RGB);
        data_image image = read_back();
        assert_true(image.H == H && image.W == W && image.C == C);
        double sum = 0;
        for (int k = 0; k < H * W * C; k++) {
            sum += abs(image.pixels[k] - pixels[k]);
        }
        assert_true(sum / (H * W * C) < 3);
        data_image_free(&image);
    }
    for (int k = 0; k < H * W; k++) { /* the same colours as ink without black */
        for (int c = 0; c < 3; c++) {
            ink[4 * k + c] = (uint8_t)(255 - pixels[3 * k + c]);
        }
        ink[4 * k + 3] = 0;
    }
    write_jpeg(ink, H, W, 4, JCS_CMYK);
    data_image image = read_back();
    assert_int_equal(image.C, 3);
    double sum = 0;
    for (int k = 0; k < H * W * 3; k++) {
        sum += abs(image.pixels[k] - pixels[k]);
    }
    assert_true(sum / (H * W * 3) < 3);
    data_image_free(&image);
}

static void png_round_trip(void **state) {
    (void)state;
    uint8_t pixels[17 * 9 * 3];
    hiss_error err = {0};
    for (int64_t C = 1; C <= 3; C += 2) {
        gradient(pixels, 9, 17, C);
        assert_int_equal(hiss_png_write(path, 9, 17, C, pixels, &err), HISS_OK);
        data_image image = read_back();
        assert_true(image.H == 9 && image.W == 17 && image.C == C);
        assert_memory_equal(image.pixels, pixels, 9 * 17 * (size_t)C);
        data_image_free(&image);
    }
    data_image image;
    assert_int_equal(data_image_read_alpha(path, &image, &err), HISS_EUSER);
    assert_non_null(
        strstr(err.text, "it has no alpha channel, which says where the object is; expected a PNG with alpha"));
    assert_null(image.pixels);
    assert_int_equal(hiss_png_write("/nonexistent/a.png", 9, 17, 1, pixels, &err), HISS_ESYSTEM);
    assert_non_null(strstr(err.text, "/nonexistent/a.png"));
    assert_int_equal(hiss_png_write(path, 9, 17, 2, pixels, &err), HISS_EUSER);
}

/* An Exif block of one directory: another entry, then the orientation. Returns its size. */
enum { EXIF_SIZE = 8 + 2 + 2 * 12 + 4 };
static void exif_block(uint8_t out[EXIF_SIZE], bool big, int orientation) {
    const struct {
        int at, bytes, value;
    } field[] = {{2, 2, 42}, {4, 4, 8},       {8, 2, 2},  {10, 2, 0x0100}, {12, 2, 4},          {14, 4, 1},
                 {18, 4, 9}, {22, 2, 0x0112}, {24, 2, 3}, {26, 4, 1},      {30, 2, orientation}};
    memset(out, 0, EXIF_SIZE);
    memset(out, big ? 'M' : 'I', 2);
    for (size_t k = 0; k < sizeof field / sizeof field[0]; k++) {
        for (int i = 0; i < field[k].bytes; i++) {
            out[field[k].at + (big ? field[k].bytes - 1 - i : i)] = (uint8_t)(field[k].value >> 8 * i);
        }
    }
}

/* Add a chunk eXIf to the PNG file, behind its head. */
static void add_exif_to_png(const uint8_t *block, size_t size) {
    enum { HEAD = 8 + 25, ROOM = 4096 };
    uint8_t file[ROOM], chunk[ROOM] = {0, 0, 0, (uint8_t)size, 'e', 'X', 'I', 'f'};
    FILE *f = fopen(path, "rb");
    const size_t count = fread(file, 1, ROOM, f);
    fclose(f);
    memcpy(chunk + 8, block, size);
    const uint32_t sum = (uint32_t)crc32(0, chunk + 4, (unsigned)size + 4);
    for (size_t i = 0; i < 4; i++) {
        chunk[8 + size + i] = (uint8_t)(sum >> (24 - 8 * i));
    }
    f = fopen(path, "wb");
    fwrite(file, 1, HEAD, f);
    fwrite(chunk, 1, size + 12, f);
    fwrite(file + HEAD, 1, count - HEAD, f);
    fclose(f);
}

static void pictures_are_turned_upright(void **state) {
    (void)state;
    const uint8_t stored[] = "abcdef"; /* 2 rows of 3 */
    static const char *const upright[] = {"abcdef", "cbafed", "fedcba", "defabc",
                                          "adbecf", "daebfc", "fcebda", "cfbead"};
    hiss_error err = {0};
    for (int k = 0; k < 16; k++) {
        const int orientation = 1 + k / 2;
        uint8_t block[EXIF_SIZE];
        exif_block(block, k % 2, orientation);
        assert_int_equal(data_exif_orientation(block, sizeof block), orientation);
        assert_int_equal(hiss_png_write(path, 2, 3, 1, stored, &err), HISS_OK);
        add_exif_to_png(block, sizeof block);
        data_image image = read_back();
        assert_int_equal(image.H, orientation < 5 ? 2 : 3);
        assert_int_equal(image.W, orientation < 5 ? 3 : 2);
        assert_memory_equal(image.pixels, upright[orientation - 1], 6);
        data_image as_is;
        assert_int_equal(data_image_read_stored(path, &as_is, NULL), HISS_OK);
        assert_true(as_is.H == 2 && as_is.W == 3 && memcmp(as_is.pixels, upright[0], 6) == 0);
        data_image_free(&as_is);
        data_image_free(&image);
    }
}

static void colours_are_turned_too(void **state) {
    (void)state;
    enum { H = 16, W = 24 };
    uint8_t pixels[H * W * 3], block[6 + EXIF_SIZE] = "Exif";
    for (int i = 0; i < H * W; i++) { /* red above green */
        pixels[3 * i] = i < H * W / 2 ? 220 : 20;
        pixels[3 * i + 1] = (uint8_t)(240 - pixels[3 * i]);
        pixels[3 * i + 2] = 20;
    }
    exif_block(block + 6, true, 6); /* the camera was held upright: red is at the right */
    write_marked_jpeg(pixels, H, W, 3, JCS_RGB, block, sizeof block);
    data_image image = read_back();
    assert_true(image.H == W && image.W == H && image.C == 3);
    for (int i = 0; i < H * W; i++) {
        const bool right = i % H >= H / 2;
        if (i % H >= H / 2 - 2 && i % H < H / 2 + 2) { /* JPEG mixes colours of neighbours */
            continue;
        }
        assert_true(abs(image.pixels[3 * i] - (right ? 220 : 20)) < 40);
        assert_true(abs(image.pixels[3 * i + 1] - (right ? 20 : 220)) < 40);
    }
    data_image_free(&image);
}

/* Whatever a block holds, the answer is an orientation, and nothing behind its end is looked at. */
static void strange_exif_means_upright(void **state) {
    (void)state;
    uint8_t sound[EXIF_SIZE];
    exif_block(sound, false, 6);
    for (size_t size = 0; size < EXIF_SIZE; size++) {
        uint8_t *cut = malloc(size + !size); /* of this size, for the sanitizers */
        assert_non_null(cut);
        memcpy(cut, sound, size);
        assert_int_equal(data_exif_orientation(cut, size), size < EXIF_SIZE - 4 ? 1 : 6);
        free(cut);
    }
    for (size_t at = 0; at < EXIF_SIZE; at++) {
        for (int value = 0; value < 256; value++) {
            uint8_t changed[EXIF_SIZE];
            memcpy(changed, sound, sizeof sound);
            changed[at] = (uint8_t)value;
            const int orientation = data_exif_orientation(changed, sizeof changed);
            assert_in_range(orientation, 1, 8);
        }
    }
    /* Byte order, magic, where the directory is, type, count, value. */
    const struct {
        int at;
        uint8_t value;
    } wrong[] = {{0, 'M'}, {1, 'M'}, {2, 43}, {4, 255}, {7, 255}, {24, 4}, {26, 2}, {29, 1}, {30, 0}, {30, 9}, {31, 1}};
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        uint8_t changed[EXIF_SIZE];
        memcpy(changed, sound, sizeof sound);
        changed[wrong[k].at] = wrong[k].value;
        assert_int_equal(data_exif_orientation(changed, sizeof changed), 1);
    }
    /* Chunks whose lengths lead nowhere. */
    uint8_t png[64] = {0};
    for (int length = 0; length < 256; length++) {
        memcpy(png + 8, (uint8_t[]){(uint8_t)(length % 3 ? 0 : 255), 0, 0, (uint8_t)length, 'e', 'X', 'I', 'f'}, 8);
        memcpy(png + 16, sound, sizeof sound);
        assert_int_equal(data_png_orientation(png, sizeof png),
                         length % 3 && length >= EXIF_SIZE - 4 && length <= 44 ? 6 : 1);
    }
}

static void reads_pnm(void **state) {
    (void)state;
    const char grey[] = "P5 # comment 7 7\n3 2\n255\nabcdef", rgb[] = "P6\n1\n2\n#x\n51 \x00\x01\x33\x10\x20\x33";
    write_bytes(grey, sizeof grey - 1);
    data_image image = read_back();
    assert_true(image.H == 2 && image.W == 3 && image.C == 1);
    assert_memory_equal(image.pixels, "abcdef", 6);
    data_image_free(&image);
    write_bytes(rgb, sizeof rgb - 1);
    image = read_back();
    assert_true(image.H == 2 && image.W == 1 && image.C == 3);
    const uint8_t scaled[] = {0, 5, 255, 80, 160, 255};
    assert_memory_equal(image.pixels, scaled, 6);
    data_image_free(&image);
}

static void damage_is_named(void **state) {
    (void)state;
    write_bytes("hello", 5);
    refused("it is no JPEG, PNG, binary PGM or PPM");
    write_bytes("", 0);
    refused("it is no JPEG");
    write_bytes("P5 3 3 255 abc", 14);
    refused("it ends after 3 of 9 bytes");
    write_bytes("P5 3 3 65535 abc", 16);
    refused("a largest value of 65535");
    write_bytes("P5 0 3 255 abc", 14);
    refused("a size of 3 x 0");
    write_bytes("P5 999999999 999999999 255 abc", 30);
    refused("a size of 999999999 x 999999999");
    write_bytes("P5", 2);
    refused("it is no JPEG");

    enum { H = 64, W = 64 };
    uint8_t pixels[H * W * 3], whole[1 << 16];
    gradient(pixels, H, W, 3);
    for (int png = 0; png < 2; png++) {
        if (png) {
            assert_int_equal(hiss_png_write(path, H, W, 3, pixels, NULL), HISS_OK);
        } else {
            write_jpeg(pixels, H, W, 3, JCS_RGB);
        }
        FILE *f = fopen(path, "rb");
        size_t size = fread(whole, 1, sizeof whole, f);
        fclose(f);
        for (size_t cut = 4; cut < size; cut += size / 7) {
            write_bytes(whole, cut);
            refused("unreadable picture");
        }
    }
    unlink(path);
    refused("No such file");
}

static void tells_names(void **state) {
    (void)state;
    assert_true(data_image_named("a.JPEG") && data_image_named("x/y.jpg") && data_image_named("b.c.png"));
    assert_false(data_image_named("png") || data_image_named("a.png.txt") || data_image_named("a.gif"));
}

/* Same size: the picture itself. Any size: a constant stays; grey to rgb triples; a shrunk half keeps the mean. */
static void fits(void **state) {
    (void)state;
    uint8_t pixels[24 * 30 * 3], out[64 * 64 * 3];
    gradient(pixels, 24, 30, 3);
    data_image image = {24, 30, 3, pixels};
    data_image_fit(&image, 24, 30, 3, out);
    assert_memory_equal(out, pixels, sizeof pixels);

    image.W = 20; /* 24 x 20 to 20 x 20: the middle rows, uncut otherwise */
    data_image_fit(&image, 20, 20, 3, out);
    assert_memory_equal(out, pixels + 2 * 20 * 3, 20 * 20 * 3);

    image = (data_image){24, 30, 1, pixels};
    data_image_fit(&image, 24, 30, 3, out);
    for (int k = 0; k < 24 * 30 * 3; k++) {
        assert_int_equal(out[k], pixels[k / 3]);
    }
    const uint8_t colours[] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255};
    memcpy(pixels, colours, sizeof colours);
    image = (data_image){1, 4, 3, pixels};
    data_image_fit(&image, 1, 4, 1, out);
    assert_true(out[0] == 76 && out[1] == 150 && out[2] == 29 && out[3] == 255);

    memset(pixels, 201, sizeof pixels);
    for (int64_t H = 1; H <= 24; H += 5) {
        for (int64_t W = 1; W <= 30; W += 7) {
            for (int64_t size = 1; size <= 64; size += 9) {
                image = (data_image){H, W, 3, pixels};
                data_image_fit(&image, size, 65 - size, 3, out);
                for (int64_t k = 0; k < size * (65 - size) * 3; k++) {
                    assert_int_equal(out[k], 201);
                }
            }
        }
    }
}

/* Shrinking averages: noise of alternate columns goes away instead of aliasing; a ramp stays a ramp. */
static void shrinks_without_aliasing(void **state) {
    (void)state;
    static uint8_t pixels[128 * 128];
    uint8_t out[16 * 16];
    data_image image = {128, 128, 1, pixels};
    for (int k = 0; k < 128 * 128; k++) {
        pixels[k] = k % 2 ? 255 : 0;
    }
    data_image_fit(&image, 16, 16, 1, out);
    for (int k = 0; k < 256; k++) {
        if (k % 16 > 0 && k % 16 < 15) {
            assert_in_range(out[k], 127, 128);
        }
    }
    for (int k = 0; k < 128 * 128; k++) {
        pixels[k] = (uint8_t)((uint32_t)k * 2654435761u >> 24);
    }
    data_image_fit(&image, 16, 16, 1, out);
    for (int k = 0; k < 256; k++) {
        assert_in_range(out[k], 100, 155); /* noise of deviation 74 keeps about 7 */
    }
    for (int k = 0; k < 128 * 128; k++) {
        pixels[k] = (uint8_t)(2 * (k % 128));
    }
    data_image_fit(&image, 16, 16, 1, out);
    for (int k = 0; k < 256; k++) {
        if (k % 16 > 0 && k % 16 < 15) { /* the mean of its eight columns */
            assert_int_equal(out[k], 16 * (k % 16) + 7);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_jpeg),
        cmocka_unit_test(png_round_trip),
        cmocka_unit_test(reads_pnm),
        cmocka_unit_test(pictures_are_turned_upright),
        cmocka_unit_test(colours_are_turned_too),
        cmocka_unit_test(strange_exif_means_upright),
        cmocka_unit_test(damage_is_named),
        cmocka_unit_test(tells_names),
        cmocka_unit_test(fits),
        cmocka_unit_test(shrinks_without_aliasing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
