/* Pictures: JPEG by libjpeg, PNG by libpng's simplified interface, binary PGM and PPM by hand; scaling; writing PNG.
 *
 * The kind is told by the first bytes, not by the name: collections from the web hold PNG files named .JPEG. JPEG in
 * CMYK becomes RGB by the plain product (Adobe's files store it inverted); a JPEG that ends early is an error, other
 * warnings of the decoder are not. PNG of 16 bits is taken as sRGB, transparency lies on black. Pictures are turned as
 * their Exif orientation says (src/data/exif.c).
 *
 * Scaling is separable with a triangle filter whose half width is one source pixel when enlarging and one target pixel
 * when shrinking, so that every source pixel counts: bilinear, or an area mean with soft edges (Heckbert's "zoom",
 * Graphics Gems III, 1992). Only the centre that is kept is computed. Cost: 2 s H width + 2 s height width operations
 * per channel with s source pixels per target pixel. */
#include <stdio.h> /* jpeglib.h needs it */

#include <errno.h>
#include <jerror.h>
#include <jpeglib.h>
#include <math.h>
#include <png.h>
#include <setjmp.h>
#include <string.h>
#include <strings.h>

#include "hiss/alloc.h"
#include "hiss/file.h"
#include "hiss/picture.h"
#include "image_impl.h"

enum { REASON_SIZE = JMSG_LENGTH_MAX, EXIF_HEAD = 6 };
static const int64_t max_pixels = (int64_t)1 << 27;

bool data_image_named(const char *name) {
    static const char *const ends[] = {".jpg", ".jpeg", ".png", ".ppm", ".pgm"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof ends / sizeof ends[0]; i++) {
        if (!strcasecmp(dot, ends[i])) {
            return true;
        }
    }
    return false;
}

void data_image_free(data_image *image) {
    hiss_free(image->pixels);
    image->pixels = NULL;
}

/* Set the size and get room; false with a reason when the size is out of bounds. */
static bool shape(data_image *image, int64_t H, int64_t W, int64_t C, char *why) {
    if (H < 1 || W < 1 || H > max_pixels / W) {
        snprintf(why, REASON_SIZE, "a size of %lld x %lld; expected 1 to 2^27 pixels", (long long)H, (long long)W);
        return false;
    }
    *image = (data_image){H, W, C, hiss_alloc((size_t)(H * W * C))};
    return true;
}

/* ---- JPEG ---- */

typedef struct trouble {
    struct jpeg_error_mgr manager;
    jmp_buf back;
    char *why;
} trouble;

static void jpeg_fails(j_common_ptr info) {
    trouble *t = (trouble *)info->err;
    info->err->format_message(info, t->why);
    longjmp(t->back, 1);
}

static void jpeg_warns(j_common_ptr info, int level) {
    if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF) {
        jpeg_fails(info);
    }
}

static void rgb_of_cmyk(const uint8_t *cmyk, int64_t count, bool inverted, uint8_t *rgb) {
    for (int64_t i = 0; i < count; i++, cmyk += 4, rgb += 3) {
        for (int c = 0; c < 3; c++) {
            int ink = inverted ? cmyk[c] : 255 - cmyk[c], black = inverted ? cmyk[3] : 255 - cmyk[3];
            rgb[c] = (uint8_t)((ink * black + 127) / 255);
        }
    }
}

/* Of the first Exif segment. */
static int jpeg_orientation(const struct jpeg_decompress_struct *info) {
    for (jpeg_saved_marker_ptr marker = info->marker_list; marker; marker = marker->next) {
        if (marker->data_length >= EXIF_HEAD && memcmp(marker->data, "Exif\0\0", EXIF_HEAD) == 0) {
            return data_exif_orientation(marker->data + EXIF_HEAD, marker->data_length - EXIF_HEAD);
        }
    }
    return 1;
}

static bool read_jpeg(const uint8_t *bytes, size_t size, bool upright, data_image *out, char *why) {
    struct jpeg_decompress_struct info;
    trouble t = {.why = why};
    info.err = jpeg_std_error(&t.manager);
    t.manager.error_exit = jpeg_fails;
    t.manager.emit_message = jpeg_warns;
    if (setjmp(t.back)) {
        jpeg_destroy_decompress(&info);
        return false;
    }
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, bytes, (unsigned long)size);
    jpeg_save_markers(&info, JPEG_APP0 + 1, UINT16_MAX);
    jpeg_read_header(&info, TRUE);
    const int orientation = jpeg_orientation(&info);
    bool cmyk = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
    bool grey = info.jpeg_color_space == JCS_GRAYSCALE;
    info.out_color_space = cmyk ? JCS_CMYK : grey ? JCS_GRAYSCALE : JCS_RGB;
    if (!shape(out, info.image_height, info.image_width, grey ? 1 : 3, why)) {
        jpeg_destroy_decompress(&info);
        return false;
    }
    jpeg_start_decompress(&info);
    JSAMPARRAY wide = info.mem->alloc_sarray((j_common_ptr)&info, JPOOL_IMAGE, 4 * info.image_width, 1);
    while (info.output_scanline < info.output_height) {
        uint8_t *row = out->pixels + (int64_t)info.output_scanline * out->W * out->C;
        jpeg_read_scanlines(&info, cmyk ? wide : &row, 1);
        if (cmyk) {
            rgb_of_cmyk(wide[0], out->W, info.saw_Adobe_marker, row);
        }
    }
    jpeg_finish_decompress(&info);
    jpeg_destroy_decompress(&info);
    data_image_orient(out, upright ? orientation : 1);
    return true;
}

/* ---- PNG ---- */

/* alpha: red, green, blue and alpha, of a picture that has it. */
static bool read_png(const uint8_t *bytes, size_t size, bool alpha, bool upright, data_image *out, char *why) {
    png_image image = {.version = PNG_IMAGE_VERSION};
    bool fine = png_image_begin_read_from_memory(&image, bytes, size) != 0;
    if (fine) {
        bool colour = image.format & PNG_FORMAT_FLAG_COLOR;
        if (alpha && !(image.format & PNG_FORMAT_FLAG_ALPHA)) {
            snprintf(why, REASON_SIZE, "it has no alpha channel, which says where the object is");
            png_image_free(&image);
            return false;
        }
        image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
        image.format = alpha ? PNG_FORMAT_RGBA : colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
        if (!shape(out, image.height, image.width, alpha ? 4 : colour ? 3 : 1, why)) {
            png_image_free(&image);
            return false;
        }
        fine = png_image_finish_read(&image, NULL, out->pixels, 0, NULL) != 0;
    }
    if (!fine) {
        snprintf(why, REASON_SIZE, "%s", image.message);
    }
    png_image_free(&image);
    if (fine && upright) {
        data_image_orient(out, data_png_orientation(bytes, size));
    }
    return fine;
}

hiss_status hiss_png_write(const char *path, int64_t H, int64_t W, int64_t C, const uint8_t *pixels, hiss_error *err) {
    if ((C != 1 && C != 3) || H < 1 || W < 1 || H > max_pixels / W) {
        return hiss_fail(err, HISS_EUSER, "%s: cannot write a PNG of %lld x %lld x %lld; expected 1 or 3 channels",
                         path, (long long)H, (long long)W, (long long)C);
    }
    char temporary[4096];
    hiss_file_temporary(path, temporary, sizeof temporary);
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)W,
                       .height = (png_uint_32)H,
                       .format = C == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY};
    FILE *out = fopen(temporary, "we");
    bool fine = out && png_image_write_to_stdio(&image, out, 0, pixels, 0, NULL);
    int why = errno;
    if (out && fclose(out) != 0) {
        why = fine ? errno : why;
        fine = false;
    }
    if (!fine) {
        hiss_file_discard(temporary);
        return hiss_fail(err, HISS_ESYSTEM, "cannot write '%s': %s; %s", path, strerror(why), hiss_file_remedy(why));
    }
    return hiss_file_publish(temporary, path, err);
}

/* ---- PGM and PPM ---- */

/* The next number of the header at *at, after space and comments; -1 when there is none. */
static int64_t header_number(const uint8_t *bytes, size_t size, size_t *at) {
    while (*at < size && (strchr(" \t\r\n", bytes[*at]) || bytes[*at] == '#')) {
        if (bytes[*at] == '#') {
            while (*at < size && bytes[*at] != '\n') {
                ++*at;
            }
        } else {
            ++*at;
        }
    }
    int64_t value = -1;
    for (; *at < size && bytes[*at] >= '0' && bytes[*at] <= '9' && value < INT32_MAX; ++*at) {
        value = (value < 0 ? 0 : 10 * value) + bytes[*at] - '0';
    }
    return value;
}

static bool read_pnm(const uint8_t *bytes, size_t size, data_image *out, char *why) {
    size_t at = 2;
    int64_t W = header_number(bytes, size, &at), H = header_number(bytes, size, &at);
    int64_t top = header_number(bytes, size, &at), C = bytes[1] == '6' ? 3 : 1;
    if (top < 1 || top > 255) {
        snprintf(why, REASON_SIZE, "a largest value of %lld; expected 1 to 255", (long long)top);
        return false;
    }
    if (!shape(out, H, W, C, why)) {
        return false;
    }
    at++; /* one space */
    int64_t count = H * W * C;
    if (at > size || (int64_t)(size - at) < count) {
        snprintf(why, REASON_SIZE, "it ends after %lld of %lld bytes of pixels", (long long)(at > size ? 0 : size - at),
                 (long long)count);
        return false;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t value = bytes[at + (size_t)i];
        out->pixels[i] = (uint8_t)(value > top ? 255 : (value * 255 + top / 2) / top);
    }
    return true;
}

/* ---- any of them ---- */

static uint8_t *read_whole(const char *path, size_t *size, hiss_error *err) {
    FILE *file = hiss_file_open(path);
    uint8_t *bytes = NULL;
    long end = -1;
    if (file && !fseek(file, 0, SEEK_END) && (end = ftell(file)) >= 0 && !fseek(file, 0, SEEK_SET)) {
        *size = (size_t)end;
        bytes = hiss_alloc(*size);
        if (fread(bytes, 1, *size, file) < *size) {
            hiss_free(bytes);
            bytes = NULL;
        }
    }
    if (!bytes) {
        hiss_fail(err, HISS_EUSER, "%s: cannot be read: %s", path, strerror(errno));
    }
    if (file) {
        fclose(file);
    }
    return bytes;
}

static hiss_status decode(const char *name, const uint8_t *bytes, size_t size, bool upright, data_image *out,
                          hiss_error *err) {
    char why[REASON_SIZE] = "it is no JPEG, PNG, binary PGM or PPM";
    bool fine = false;
    *out = (data_image){0};
    if (size > 3 && bytes[0] == 0xFF && bytes[1] == 0xD8) {
        fine = read_jpeg(bytes, size, upright, out, why);
    } else if (size > 8 && !memcmp(bytes, "\x89PNG", 4)) {
        fine = read_png(bytes, size, false, upright, out, why);
    } else if (size > 3 && bytes[0] == 'P' && (bytes[1] == '5' || bytes[1] == '6')) {
        fine = read_pnm(bytes, size, out, why);
    }
    if (!fine) {
        data_image_free(out);
        return hiss_fail(err, HISS_EUSER, "%s: unreadable picture: %s", name, why);
    }
    return HISS_OK;
}

hiss_status data_image_decode(const char *name, const uint8_t *bytes, size_t size, data_image *out, hiss_error *err) {
    return decode(name, bytes, size, true, out, err);
}

static hiss_status read(const char *path, bool upright, data_image *out, hiss_error *err) {
    size_t size = 0;
    *out = (data_image){0};
    uint8_t *bytes = read_whole(path, &size, err);
    const hiss_status status = bytes ? decode(path, bytes, size, upright, out, err) : HISS_EUSER;
    hiss_free(bytes);
    return status;
}

hiss_status data_image_read(const char *path, data_image *out, hiss_error *err) {
    return read(path, true, out, err);
}

hiss_status data_image_read_stored(const char *path, data_image *out, hiss_error *err) {
    return read(path, false, out, err);
}

hiss_status data_image_read_alpha(const char *path, data_image *out, hiss_error *err) {
    char why[REASON_SIZE] = "it is no PNG";
    size_t size = 0;
    *out = (data_image){0};
    uint8_t *bytes = read_whole(path, &size, err);
    if (!bytes) {
        return HISS_EUSER;
    }
    const bool fine = size > 8 && !memcmp(bytes, "\x89PNG", 4) && read_png(bytes, size, true, true, out, why);
    hiss_free(bytes);
    if (!fine) {
        data_image_free(out);
        return hiss_fail(err, HISS_EUSER, "%s: unreadable stamp: %s; expected a PNG with alpha", path, why);
    }
    return HISS_OK;
}

/* ---- scaling ---- */

/* For each of the target pixels along one axis: first source pixel, and weights of `count` from there. */
typedef struct taps {
    int64_t count, *first;
    float *weight; /* [target][count] */
} taps;

static taps make_taps(int64_t source, int64_t target, double ratio) {
    double support = ratio > 1 ? ratio : 1;
    taps t = {.count = (int64_t)ceil(2 * support) + 2};
    t.count = t.count < source ? t.count : source;
    t.first = hiss_new(int64_t, target);
    t.weight = hiss_new(float, target *t.count);
    for (int64_t x = 0; x < target; x++) {
        double centre = ((double)x + 0.5 - 0.5 * (double)target) * ratio + 0.5 * (double)source, sum = 0;
        int64_t first = (int64_t)floor(centre - support), last = source - t.count;
        t.first[x] = first < 0 ? 0 : first > last ? last : first;
        for (int64_t k = 0; k < t.count; k++) {
            double w = 1 - fabs((double)(t.first[x] + k) + 0.5 - centre) / support;
            t.weight[x * t.count + k] = (float)(w > 0 ? w : 0);
            sum += w > 0 ? w : 0;
        }
        for (int64_t k = 0; k < t.count; k++) {
            t.weight[x * t.count + k] /= (float)sum;
        }
    }
    return t;
}

static void free_taps(taps *t) {
    hiss_free(t->first);
    hiss_free(t->weight);
}

static void scale_rows(const data_image *image, const taps *t, int64_t width, float *out) {
    int64_t C = image->C;
    for (int64_t i = 0; i < image->H; i++) {
        for (int64_t x = 0; x < width; x++) {
            const uint8_t *from = image->pixels + (i * image->W + t->first[x]) * C;
            for (int64_t c = 0; c < C; c++) {
                float sum = 0;
                for (int64_t k = 0; k < t->count; k++) {
                    sum += t->weight[x * t->count + k] * (float)from[k * C + c];
                }
                *out++ = sum;
            }
        }
    }
}

static uint8_t byte(float value) {
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value + 0.5f);
}

/* C channels to `channels`; grey is the luma of ITU-R BT.601. */
static void convert(const float *from, int64_t C, int64_t channels, int64_t count, uint8_t *out) {
    for (int64_t i = 0; i < count; i++, from += C) {
        float grey = C == 1 ? from[0] : 0.299f * from[0] + 0.587f * from[1] + 0.114f * from[2];
        for (int64_t c = 0; c < channels; c++) {
            *out++ = byte(channels == 1 || C == 1 ? grey : from[c]);
        }
    }
}

void data_image_fit(const data_image *image, int64_t height, int64_t width, int64_t channels, uint8_t *out) {
    double across = (double)image->W / (double)width, down = (double)image->H / (double)height;
    double ratio = across < down ? across : down;
    taps horizontal = make_taps(image->W, width, ratio), vertical = make_taps(image->H, height, ratio);
    int64_t row = width * image->C;
    float *rows = hiss_new(float, image->H *row), *sum = hiss_new(float, row);
    scale_rows(image, &horizontal, width, rows);
    for (int64_t y = 0; y < height; y++) {
        memset(sum, 0, sizeof(float) * (size_t)row);
        for (int64_t k = 0; k < vertical.count; k++) {
            const float *from = rows + (vertical.first[y] + k) * row, weight = vertical.weight[y * vertical.count + k];
            for (int64_t i = 0; i < row; i++) {
                sum[i] += weight * from[i];
            }
        }
        convert(sum, image->C, channels, width, out + y * width * channels);
    }
    hiss_free(sum);
    hiss_free(rows);
    free_taps(&vertical);
    free_taps(&horizontal);
}
