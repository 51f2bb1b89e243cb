/* Sound as a WAV file: PCM of 16 bits, one channel. */
#include <assert.h>
#include <math.h>

#include "hiss/data.h"
#include "hiss/file.h"

enum { PCM = 1, FORMAT = 16, HEAD = 36, PAUSES = 4 };         /* so many pauses make a second */
static const int64_t most_values = ((int64_t)1 << 31) - HEAD; /* sizes in a file are of 32 bits */

typedef struct written {
    int64_t rate, sounds, count;
    const float *values;
} written;

static void put(FILE *stream, uint32_t value, int bytes) {
    for (int k = 0; k < bytes; k++) {
        fputc((int)(value >> 8 * k & 255u), stream);
    }
}

static int64_t pause(const written *w) {
    return w->rate / PAUSES;
}

static int64_t all(const written *w) {
    return w->sounds * (w->count + pause(w)) - pause(w);
}

static void write_sound(FILE *stream, const void *user) {
    const written *w = user;
    const uint32_t bytes = (uint32_t)(2 * all(w)), rate = (uint32_t)w->rate;
    fputs("RIFF", stream);
    put(stream, HEAD + bytes, 4);
    fputs("WAVEfmt ", stream);
    put(stream, FORMAT, 4);
    put(stream, PCM, 2);
    put(stream, 1, 2);
    put(stream, rate, 4);
    put(stream, 2 * rate, 4);
    put(stream, 2, 2);
    put(stream, 16, 2);
    fputs("data", stream);
    put(stream, bytes, 4);
    for (int64_t i = 0; i < w->sounds; i++) {
        for (int64_t k = 0; k < w->count; k++) {
            const double value = (double)w->values[i * w->count + k];
            put(stream, (uint32_t)lround(fmin(fmax(value, -1.0), 1.0) * INT16_MAX), 2);
        }
        for (int64_t k = 0; k < pause(w) && i + 1 < w->sounds; k++) {
            put(stream, 0, 2);
        }
    }
}

hiss_status hiss_wav_write(const char *path, int64_t rate, int64_t sounds, int64_t count, const float *values,
                           hiss_error *err) {
    const written w = {rate, sounds, count, values};
    assert(rate > 0 && rate < INT32_MAX && sounds > 0 && count >= 0);
    if (all(&w) > most_values) {
        return hiss_fail(err, HISS_EUSER, "%s: cannot write a WAV file of %lld values; expected at most %lld", path,
                         (long long)all(&w), (long long)most_values);
    }
    return hiss_file_write_by(path, write_sound, &w, err);
}
