/* Filters of HDF5 chunks, undone: deflate (zlib), shuffle (byte k of all values, for k = 0, 1, ...; what is left of the
 * last value follows as it is) and Fletcher32 (a checksum of 4 bytes behind the values; HDF5 1.10, H5checksum.c).
 *
 * Where a deflated stream ends is known before it is inflated: it yields the chunk's bytes and the checksums that were
 * written before it. One that yields more or less is damaged, and is never written beyond that length.
 *
 * Cost: inflate, some 250 MB/s of pixels a core; the others, some GB/s. */
#define ZLIB_CONST /* input is const */
#include "unfilter.h"

#include <assert.h>
#include <limits.h>
#include <string.h>
#include <zlib.h>

int64_t data_unfilter_room(const data_filter *filter, int count, int64_t bytes) {
    int64_t room = bytes;
    for (int i = 0; i < count; i++) {
        room += filter[i].kind == DATA_FLETCHER32 ? DATA_CHECKSUM_BYTES : 0;
    }
    return room;
}

/* Whether the filter moves bytes, so that its values need another place. */
static bool moves(const data_filter *filter) {
    return filter->kind == DATA_DEFLATE || (filter->kind == DATA_SHUFFLE && filter->value_bytes > 1);
}

bool data_unfilter_needs_work(const data_filter *filter, int count) {
    int moving = 0;
    for (int i = 0; i < count; i++) {
        moving += moves(&filter[i]);
    }
    return moving > 1;
}

static bool undo_deflate(const uint8_t *in, int64_t in_bytes, uint8_t *out, int64_t out_bytes) {
    z_stream stream = {.next_in = in, .avail_in = (uInt)in_bytes, .next_out = out, .avail_out = (uInt)out_bytes};
    if (in_bytes > UINT_MAX || out_bytes > UINT_MAX || inflateInit(&stream) != Z_OK) {
        return false;
    }
    const bool whole = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_out == 0;
    inflateEnd(&stream);
    return whole;
}

static void undo_shuffle(const uint8_t *in, int64_t bytes, int64_t value_bytes, uint8_t *out) {
    const int64_t n = bytes / value_bytes;
    for (int64_t k = 0; k < value_bytes; k++) {
        const uint8_t *from = in + k * n;
        for (int64_t i = 0; i < n; i++) {
            out[i * value_bytes + k] = from[i];
        }
    }
    memcpy(out + n * value_bytes, in + n * value_bytes, (size_t)(bytes - n * value_bytes));
}

static uint32_t fold(uint32_t sum) {
    return (sum & 0xffff) + (sum >> 16);
}

static uint32_t fletcher32(const uint8_t *data, int64_t bytes) {
    enum { WORDS_AT_ONCE = 360 }; /* as many as cannot overflow 32 bits */
    uint32_t low = 0, high = 0;
    for (int64_t left = bytes / 2; left > 0; left -= WORDS_AT_ONCE) {
        for (int64_t i = left < WORDS_AT_ONCE ? left : WORDS_AT_ONCE; i > 0; i--, data += 2) {
            low += (uint32_t)data[0] << 8 | data[1];
            high += low;
        }
        low = fold(low);
        high = fold(high);
    }
    if (bytes % 2) {
        low += (uint32_t)*data << 8;
        high += low;
        low = fold(low);
        high = fold(high);
    }
    return fold(high) << 16 | fold(low);
}

static bool checksum_agrees(const uint8_t *in, int64_t bytes) {
    const uint8_t *end = in + bytes;
    return fletcher32(in, bytes) ==
           ((uint32_t)end[0] | (uint32_t)end[1] << 8 | (uint32_t)end[2] << 16 | (uint32_t)end[3] << 24);
}

bool data_unfilter(const data_filter *filter, int count, unsigned skipped, const uint8_t *stored, int64_t stored_bytes,
                   int64_t bytes, uint8_t *out, uint8_t *work) {
    assert(count <= DATA_MOST_FILTERS);
    const uint8_t *now = stored;
    int64_t have = stored_bytes, sums = 0; /* checksums behind the values before filter i was applied */
    int left = 0;                          /* filters that are still to move bytes; the last one moves them to out */
    for (int i = 0; i < count; i++) {
        left += !(skipped >> i & 1) && moves(&filter[i]);
        sums += !(skipped >> i & 1) && filter[i].kind == DATA_FLETCHER32;
    }
    for (int i = count - 1; i >= 0; i--) {
        if (skipped >> i & 1) {
            continue;
        }
        uint8_t *to = left % 2 ? out : work;
        if (filter[i].kind == DATA_FLETCHER32) {
            have -= DATA_CHECKSUM_BYTES;
            sums--;
            if (have < 0 || !checksum_agrees(now, have)) {
                return false;
            }
        } else if (filter[i].kind == DATA_DEFLATE) {
            const int64_t want = bytes + sums * DATA_CHECKSUM_BYTES;
            if (!undo_deflate(now, have, to, want)) {
                return false;
            }
            have = want;
        } else if (moves(&filter[i])) {
            if (have > bytes + sums * DATA_CHECKSUM_BYTES) {
                return false;
            }
            undo_shuffle(now, have, filter[i].value_bytes, to);
        }
        if (moves(&filter[i])) {
            now = to;
            left--;
        }
    }
    if (have != bytes) {
        return false;
    }
    if (now != out) {
        memcpy(out, now, (size_t)bytes);
    }
    return true;
}
