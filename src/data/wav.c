/* WAV files: RIFF, a tree of chunks of which two matter here, `fmt ` and `data` (Microsoft and IBM, "Multimedia
 * Programming Interface and Data Specifications 1.0", 1991; WAVE_FORMAT_EXTENSIBLE: Microsoft's page "Multiple channel
 * audio data and WAVE files"). Numbers are little-endian; a chunk of odd size is followed by a byte of padding.
 *
 * Sizes in a header are believed as far as the file goes. The size of RIFF itself is not looked at: many programs leave it
 * 0 or wrong. A data chunk of the largest size, which writers into pipes leave, is what is there. Any other that goes
 * beyond the end of the file is an error: the file was cut.
 *
 * Values become integers of 32 bits, exactly but for floats, whose nearest is taken. The mean over channels is rounded to
 * 16 bits once, halves up. So all machines get the same. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "hiss/alloc.h"
#include "wav_impl.h"

enum { PCM = 1, FLOATS = 3, EXTENSIBLE = 0xFFFE, MOST_CHANNELS = 64, PATH_TEXT = 300 };
enum { HEAD = 12, CHUNK = 8, FORMAT = 16, EXTENDED = 40, PIECE_BYTES = 1 << 16 };
static const int64_t streamed = 0xFFFFF000; /* sizes from here on stand for none */

struct data_wav {
    FILE *file;
    char path[PATH_TEXT + 1];
    int64_t size; /* of the file */
    int format, channels, bytes;
    int64_t rate, count, left; /* values of a channel: all, not yet read */
    uint8_t piece[PIECE_BYTES];
};

static int64_t number(const uint8_t *at, int bytes) {
    int64_t value = 0;
    for (int k = bytes - 1; k >= 0; k--) {
        value = value << 8 | at[k];
    }
    return value;
}

static hiss_status fail_to_read(const data_wav *w, hiss_error *err) {
    return hiss_fail(err, ferror(w->file) ? HISS_ESYSTEM : HISS_EUSER, "%s: %s", w->path,
                     ferror(w->file) ? strerror(errno) : "the file ends early; it was cut");
}

static hiss_status read_bytes(data_wav *w, void *out, int64_t count, hiss_error *err) {
    return fread(out, 1, (size_t)count, w->file) == (size_t)count ? HISS_OK : fail_to_read(w, err);
}

static hiss_status check_format(const data_wav *w, int bits, int align, hiss_error *err) {
    const bool integers = w->format == PCM && (bits == 8 || bits == 16 || bits == 24 || bits == 32);
    if (!integers && !(w->format == FLOATS && (bits == 32 || bits == 64))) {
        return hiss_fail(
            err, HISS_EUSER,
            "%s: holds format %d of %d bits; expected PCM (1) of 8, 16, 24 or 32 bits, or floats (3) of 32 "
            "or 64: convert it",
            w->path, w->format, bits);
    }
    if (w->channels < 1 || w->channels > MOST_CHANNELS || w->rate < 1 || align != w->channels * bits / 8) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: the format chunk says %d channels, %lld Hz, %d bytes for one value of each of them; "
                         "expected 1 to %d channels of %d bytes each: the file is damaged",
                         w->path, w->channels, (long long)w->rate, align, MOST_CHANNELS, bits / 8);
    }
    return HISS_OK;
}

/* The chunk `fmt `, of so many bytes, which are left behind. */
static hiss_status read_format(data_wav *w, int64_t size, hiss_error *err) {
    static const uint8_t rest_of_guid[] = {0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71};
    uint8_t text[EXTENDED] = {0};
    const int64_t used = size < EXTENDED ? size : EXTENDED;
    if (size < FORMAT) {
        return hiss_fail(err, HISS_EUSER, "%s: its format chunk has %lld bytes; expected 16 or more: damaged", w->path,
                         (long long)size);
    }
    const hiss_status status = read_bytes(w, text, used, err);
    if (status) {
        return status;
    }
    w->format = (int)number(text, 2);
    w->channels = (int)number(text + 2, 2);
    w->rate = number(text + 4, 4);
    const int bits = (int)number(text + 14, 2), align = (int)number(text + 12, 2);
    if (w->format == EXTENSIBLE && used == EXTENDED && memcmp(text + 26, rest_of_guid, sizeof rest_of_guid) == 0) {
        w->format = (int)number(text + 24, 2);
    }
    w->bytes = bits / 8;
    return check_format(w, bits, align, err);
}

static hiss_status read_data(data_wav *w, int64_t size, hiss_error *err) {
    const int64_t there = w->size - ftello(w->file);
    if (!w->channels) {
        return hiss_fail(err, HISS_EUSER, "%s: the data come before their format; the file is damaged", w->path);
    }
    if (size > there && size < streamed) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: announces %lld bytes of sound, but %lld are there: the file was cut; get it whole, or "
                         "leave it out",
                         w->path, (long long)size, (long long)there);
    }
    w->count = w->left = (size < there ? size : there) / (w->channels * w->bytes);
    return HISS_OK;
}

/* Go through the chunks up to the data. */
static hiss_status read_chunks(data_wav *w, hiss_error *err) {
    for (;;) {
        uint8_t head[CHUNK];
        const int64_t begin = ftello(w->file) + CHUNK;
        if (begin > w->size) {
            return hiss_fail(err, HISS_EUSER, "%s: has no sound (no chunk `data`)", w->path);
        }
        hiss_status status = read_bytes(w, head, CHUNK, err);
        const int64_t size = number(head + 4, 4);
        if (!status && memcmp(head, "data", 4) == 0) {
            return read_data(w, size, err);
        }
        if (!status && begin + size > w->size) {
            return hiss_fail(err, HISS_EUSER,
                             "%s: a chunk at byte %lld announces %lld bytes, beyond the end of the file: damaged",
                             w->path, (long long)(begin - CHUNK), (long long)size);
        }
        if (!status && memcmp(head, "fmt ", 4) == 0) {
            status = read_format(w, size, err);
        }
        if (!status && fseeko(w->file, (off_t)(begin + size + size % 2), SEEK_SET) != 0) {
            status = fail_to_read(w, err);
        }
        if (status) {
            return status;
        }
    }
}

static hiss_status read_head(data_wav *w, hiss_error *err) {
    uint8_t head[HEAD] = {0};
    if (w->size < HEAD || fread(head, 1, HEAD, w->file) < HEAD || memcmp(head, "RIFF", 4) != 0 ||
        memcmp(head + 8, "WAVE", 4) != 0) {
        return hiss_fail(err, HISS_EUSER, "%s: is no WAV file: expected RIFF, a size and WAVE at its beginning%s",
                         w->path, memcmp(head, "RF64", 4) == 0 ? ", found RF64, for more than 4 GiB: split it" : "");
    }
    return read_chunks(w, err);
}

hiss_status data_wav_open(const char *path, data_wav **out, hiss_error *err) {
    struct stat info;
    FILE *file = fopen(path, "rbe");
    if (!file || fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode)) {
        const hiss_status status = hiss_fail(err, HISS_EUSER, "%.300s: cannot be opened: %s", path,
                                             file ? "it is no regular file" : strerror(errno));
        if (file) {
            fclose(file);
        }
        return status;
    }
    data_wav *w = hiss_new(data_wav, 1);
    w->file = file;
    w->size = info.st_size;
    snprintf(w->path, sizeof w->path, "%.*s", PATH_TEXT, path);
    const hiss_status status = read_head(w, err);
    if (status) {
        data_wav_close(w);
        return status;
    }
    *out = w;
    return HISS_OK;
}

void data_wav_close(data_wav *wav) {
    if (wav) {
        fclose(wav->file);
        hiss_free(wav);
    }
}

int64_t data_wav_rate(const data_wav *wav) {
    return wav->rate;
}

int64_t data_wav_channels(const data_wav *wav) {
    return wav->channels;
}

int64_t data_wav_count(const data_wav *wav) {
    return wav->count;
}

/* ---- values ---- */

/* A float in -1 .. 1 as an integer of 32 bits. */
static int64_t of_real(double value) {
    const double scaled = value * 0x1p31;
    return scaled >= INT32_MAX ? INT32_MAX : scaled <= INT32_MIN ? INT32_MIN : (int64_t)floor(scaled + 0.5);
}

/* A value as an integer of 32 bits; false: it is no number. */
static bool value_at(const data_wav *w, const uint8_t *at, int64_t *out) {
    const uint64_t bits = (uint64_t)number(at, w->bytes < 8 ? w->bytes : 4);
    if (w->format == FLOATS && w->bytes == 8) {
        const uint64_t all = bits | (uint64_t)number(at + 4, 4) << 32;
        double real;
        memcpy(&real, &all, sizeof real);
        *out = isfinite(real) ? of_real(real) : 0;
        return isfinite(real);
    }
    if (w->format == FLOATS) {
        const uint32_t low = (uint32_t)bits;
        float real;
        memcpy(&real, &low, sizeof real);
        *out = isfinite(real) ? of_real((double)real) : 0;
        return isfinite(real);
    }
    const uint32_t high = (uint32_t)bits << (32 - 8 * w->bytes);
    *out = w->bytes == 1 ? ((int64_t)bits - 128) * (1 << 24) : (int64_t)high - (high >> 31 ? 1ll << 32 : 0);
    return true;
}

/* sum / (channels * 2^16), halves up, as int16. */
static int16_t round_mean(int64_t sum, int64_t channels) {
    const int64_t unit = channels << 16, above = sum + unit / 2;
    const int64_t mean = above >= 0 ? above / unit : -((-above + unit - 1) / unit);
    return (int16_t)(mean > INT16_MAX ? INT16_MAX : mean);
}

hiss_status data_wav_read(data_wav *w, int64_t count, int16_t *out, hiss_error *err) {
    const int64_t frame = w->channels * w->bytes, most = PIECE_BYTES / frame;
    for (int64_t done = 0, some; done < count; done += some) {
        some = count - done < most ? count - done : most;
        const hiss_status status = read_bytes(w, w->piece, some * frame, err);
        if (status) {
            return status;
        }
        for (int64_t i = 0; i < some; i++) {
            int64_t sum = 0;
            for (int c = 0; c < w->channels; c++) {
                int64_t value;
                if (!value_at(w, w->piece + i * frame + c * w->bytes, &value)) {
                    return hiss_fail(err, HISS_EUSER, "%s: value %lld is not finite (NaN or infinity); repair the file",
                                     w->path, (long long)(w->count - w->left + i));
                }
                sum += value;
            }
            out[done + i] = round_mean(sum, w->channels);
        }
        w->left -= some;
    }
    return HISS_OK;
}
