/* Animated pictures: PNG with the chunks of APNG, which browsers play as they show any picture (W3C, "Portable Network
 * Graphics (PNG) Specification, Third Edition", 2025, section 11.3.6). What knows no APNG shows the first frame.
 *
 * acTL says how many frames there are and that they run for ever. Each frame has an fcTL, with its place and how long it
 * stays, and its pixels: the first in IDAT, the others in fdAT, which begin with a number that goes on from chunk to chunk
 * of both kinds. A frame replaces the one before as a whole. Rows are not filtered: of sheets of enlarged tiles deflate
 * finds the repetitions by itself, and filters make them larger by a tenth. */
#include <assert.h>
#include <string.h>
#include <zlib.h>

#include "hiss/alloc.h"
#include "hiss/file.h"
#include "hiss/picture.h"

enum { HEADER = 13, CONTROL = 8, FRAME = 26, NUMBER = 4 }; /* bytes of IHDR, acTL, fcTL; of the number of an fdAT */
enum { DEPTH = 8, RGB = 2, NO_FILTER = 0 };
static const int64_t max_pixels = (int64_t)1 << 27;

typedef struct player {
    const hiss_animation *animation;
    uint8_t *pixels; /* [H, W, 3] */
    uint8_t *packed; /* [NUMBER + room] */
    uint32_t room, number;
    z_stream deflate;
} player;

/* Big-endian; returns where the next one goes. */
static uint8_t *put(uint8_t *at, int64_t value, int bytes) {
    for (int k = bytes - 1; k >= 0; k--) {
        *at++ = (uint8_t)((uint64_t)value >> 8 * k & 255u);
    }
    return at;
}

static void write_chunk(FILE *stream, const char *type, const uint8_t *bytes, size_t count) {
    uint8_t length[4], sum[4];
    uLong crc = crc32(crc32(0, NULL, 0), (const uint8_t *)type, 4);
    put(length, (int64_t)count, 4);
    put(sum, (int64_t)(count ? crc32(crc, bytes, (uInt)count) : crc), 4);
    fwrite(length, 1, 4, stream);
    fwrite(type, 1, 4, stream);
    fwrite(bytes, 1, count, stream);
    fwrite(sum, 1, 4, stream);
}

static void write_head(FILE *stream, const hiss_animation *a) {
    uint8_t header[HEADER] = {0}, control[CONTROL] = {0};
    uint8_t *at = put(put(header, a->W, 4), a->H, 4);
    put(put(at, DEPTH, 1), RGB, 1);
    put(control, a->frames, 4); /* then: played 0 times, which is for ever */
    fwrite("\x89PNG\r\n\x1a\n", 1, 8, stream);
    write_chunk(stream, "IHDR", header, HEADER);
    write_chunk(stream, "acTL", control, CONTROL);
}

/* The frame's rows into packed, behind the number; returns their bytes. */
static size_t pack(player *p) {
    const int64_t row = p->animation->W * 3;
    int status = deflateReset(&p->deflate);
    p->deflate.next_out = p->packed + NUMBER;
    p->deflate.avail_out = p->room;
    for (int64_t y = 0; y < p->animation->H; y++) {
        uint8_t filter = NO_FILTER;
        p->deflate.next_in = &filter;
        p->deflate.avail_in = 1;
        status = deflate(&p->deflate, Z_NO_FLUSH);
        assert(status == Z_OK && p->deflate.avail_in == 0);
        p->deflate.next_in = p->pixels + y * row;
        p->deflate.avail_in = (uInt)row;
        status = deflate(&p->deflate, Z_NO_FLUSH);
        assert(status == Z_OK && p->deflate.avail_in == 0);
    }
    status = deflate(&p->deflate, Z_FINISH);
    assert(status == Z_STREAM_END);
    (void)status;
    return p->room - p->deflate.avail_out;
}

static void write_frame(FILE *stream, player *p, bool first) {
    const hiss_animation *a = p->animation;
    uint8_t frame[FRAME] = {0};
    uint8_t *at = put(put(put(frame, p->number++, 4), a->W, 4), a->H, 4);
    put(put(at + 8, a->milliseconds, 2), 1000, 2); /* at y = 0, x = 0; then: it stays, and replaces what was there */
    write_chunk(stream, "fcTL", frame, FRAME);
    const size_t count = pack(p);
    if (first) {
        write_chunk(stream, "IDAT", p->packed + NUMBER, count);
    } else {
        put(p->packed, p->number++, NUMBER);
        write_chunk(stream, "fdAT", p->packed, NUMBER + count);
    }
}

static void write_animation(FILE *stream, const void *user) {
    player *p = *(player *const *)user;
    const hiss_animation *a = p->animation;
    write_head(stream, a);
    for (int64_t t = 0; t < a->frames; t++) {
        a->paint(a->user, t, p->pixels);
        write_frame(stream, p, t == 0);
    }
    write_chunk(stream, "IEND", (const uint8_t *)"", 0);
}

static void *take(void *user, unsigned count, unsigned size) {
    (void)user;
    return hiss_alloc((size_t)count * size);
}

static void give(void *user, void *memory) {
    (void)user;
    hiss_free(memory);
}

hiss_status hiss_animation_write(const char *path, const hiss_animation *a, hiss_error *err) {
    assert(a->frames > 0 && a->frames <= INT32_MAX && a->milliseconds > 0 && a->milliseconds <= UINT16_MAX);
    if (a->H < 1 || a->W < 1 || a->H > max_pixels / a->W) {
        return hiss_fail(err, HISS_EUSER, "%s: cannot write frames of %lld x %lld pixels; expected 1 to 2^27", path,
                         (long long)a->H, (long long)a->W);
    }
    player p = {.animation = a, .deflate = {.zalloc = take, .zfree = give}};
    player *of = &p;
    const int status = deflateInit(&p.deflate, Z_DEFAULT_COMPRESSION);
    assert(status == Z_OK);
    (void)status;
    p.room = (uint32_t)deflateBound(&p.deflate, (uLong)(a->H * (1 + a->W * 3)));
    p.packed = hiss_alloc(NUMBER + p.room);
    p.pixels = hiss_alloc((size_t)(a->H * a->W * 3));
    const hiss_status s = hiss_file_write_by(path, write_animation, &of, err);
    deflateEnd(&p.deflate);
    hiss_free(p.packed);
    hiss_free(p.pixels);
    return s;
}
