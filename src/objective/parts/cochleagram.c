/* A cochleagram: the envelopes of a sound in bands that are as wide as the ear's, and statistics of them.
 *
 * Band b has the gain cos(pi/2 (e - e_b) / w) where |e - e_b| < w, e the place of a frequency on the ERB scale,
 * e(f) = 9.265 ln(1 + f / (24.7 * 9.265)), and e_b evenly spaced by w: the squares of the gains of two neighbours add up to 1
 * (McDermott & Simoncelli, "Sound texture perception via statistics of the auditory periphery: evidence from sound
 * synthesis", Neuron 71, 2011). The envelope is the modulus of the band's analytic signal, to the power 0.3, averaged
 * over frames of at most 1/256 s. Of each envelope: its mean; its deviation over its mean; the shares of its
 * variance that octaves of modulation have, 2 .. 4, .. 64 .. 128 Hz; of each two, their correlation.
 *
 * The sound is divided by the root of its mean square first, so that how loud it was recorded says nothing.
 *
 * A band's spectrum is moved down to 0 before it is transformed back, which its modulus does not see: so a band of K
 * frequencies takes a transform of 2^j >= K points, whose values are exactly those of the full one at these times. The
 * whole takes little more than one transform of the sound. */
#include "objective/parts/cochleagram.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "hiss/alloc.h"

static const double pi = 3.14159265358979323846, q = 9.265, least_width = 24.7, power = 0.3;
enum { FRAMES_A_SECOND = 256, SLOWEST = 2 };

static double place_of(double hertz) {
    return q * log(1.0 + hertz / (least_width * q));
}

static double hertz_of(double place) {
    return (exp(place / q) - 1.0) * least_width * q;
}

cochleagram objective_cochleagram_open(int64_t bands, int64_t rate, int64_t values) {
    assert(values >= COCHLEAGRAM_LEAST && bands >= 2 && bands <= COCHLEAGRAM_MOST_BANDS);
    cochleagram c = {.bands = bands, .rate = rate, .length = 1, .frames = 1, .lowest = 50.0};
    while (2 * c.length <= values) {
        c.length *= 2;
    }
    while (c.frames * rate < FRAMES_A_SECOND * c.length && 2 * c.frames <= c.length / 2) {
        c.frames *= 2;
    }
    c.highest = 0.45 * (double)rate;
    c.turn = hiss_new(double, c.length);
    for (int64_t k = 0; k < c.length / 2; k++) {
        c.turn[2 * k] = cos(2.0 * pi * (double)k / (double)c.length);
        c.turn[2 * k + 1] = sin(2.0 * pi * (double)k / (double)c.length);
    }
    return c;
}

void objective_cochleagram_close(cochleagram *c) {
    hiss_free(c->turn);
    c->turn = NULL;
}

/* Between neighbours, on the ERB scale. */
static double width_of(const cochleagram *c) {
    return (place_of(c->highest) - place_of(c->lowest)) / (double)(c->bands + 1);
}

static double place_of_band(const cochleagram *c, int64_t band) {
    return place_of(c->lowest) + width_of(c) * (double)(band + 1);
}

double objective_cochleagram_middle(const cochleagram *c, int64_t band) {
    return hertz_of(place_of_band(c, band));
}

int64_t objective_cochleagram_group(const cochleagram *c, int g) {
    const int64_t B = c->bands, size[COCHLEAGRAM_GROUPS] = {B, B, B * COCHLEAGRAM_MODULATIONS, B * (B - 1) / 2};
    int64_t first = 0;
    for (int k = 0; k < g; k++) {
        first += size[k];
    }
    return first;
}

int64_t objective_cochleagram_count(const cochleagram *c) {
    return objective_cochleagram_group(c, COCHLEAGRAM_GROUPS);
}

int64_t objective_cochleagram_scratch(const cochleagram *c) {
    return 4 * c->length + c->bands * c->frames;
}

/* z [n][2] = sum over t of z_t e^(-+ 2 pi i k t / n), sign -1 or 1; n a power of 2, at most c->length. */
static void transform(const cochleagram *c, int64_t n, int sign, double *z) {
    for (int64_t i = 1, j = 0; i < n; i++) {
        int64_t bit = n >> 1;
        for (; j & bit; bit >>= 1) {
            j ^= bit;
        }
        j ^= bit;
        if (i < j) {
            for (int k = 0; k < 2; k++) {
                const double swap = z[2 * i + k];
                z[2 * i + k] = z[2 * j + k];
                z[2 * j + k] = swap;
            }
        }
    }
    for (int64_t half = 1; half < n; half *= 2) {
        const int64_t stride = c->length / (2 * half);
        for (int64_t first = 0; first < n; first += 2 * half) {
            for (int64_t k = 0; k < half; k++) {
                const double re = c->turn[2 * k * stride], im = sign * c->turn[2 * k * stride + 1];
                double *a = z + 2 * (first + k), *b = a + 2 * half;
                const double x = re * b[0] - im * b[1], y = re * b[1] + im * b[0];
                b[0] = a[0] - x;
                b[1] = a[1] - y;
                a[0] += x;
                a[1] += y;
            }
        }
    }
}

/* The compressed envelope [frames] of a band of the sound's spectrum. */
static void band_envelope(const cochleagram *c, int64_t band, const double *spectrum, double *work, double *envelope) {
    const double middle = place_of_band(c, band), w = width_of(c), unit = (double)c->rate / (double)c->length;
    const int64_t first = (int64_t)ceil(hertz_of(middle - w) / unit), end = (int64_t)ceil(hertz_of(middle + w) / unit);
    int64_t points = c->frames;
    while (points < end - first) {
        points *= 2;
    }
    memset(work, 0, sizeof *work * (size_t)(2 * points));
    for (int64_t k = first; k < end; k++) {
        const double gain = 2.0 / (double)c->length * cos(0.5 * pi * (place_of((double)k * unit) - middle) / w);
        work[2 * (k - first)] = gain * spectrum[2 * k];
        work[2 * (k - first) + 1] = gain * spectrum[2 * k + 1];
    }
    transform(c, points, 1, work);
    const int64_t each = points / c->frames;
    for (int64_t t = 0; t < c->frames; t++) {
        double sum = 0.0;
        for (int64_t i = t * each; i < (t + 1) * each; i++) {
            sum += pow(hypot(work[2 * i], work[2 * i + 1]), power);
        }
        envelope[t] = sum / (double)each;
    }
}

void objective_cochleagram_envelopes(const cochleagram *c, const int16_t *sound, double *scratch, double *envelope) {
    double *spectrum = scratch, *work = scratch + 2 * c->length, squares = 0.0;
    for (int64_t t = 0; t < c->length; t++) {
        squares += (double)sound[t] * (double)sound[t];
    }
    const double scale = squares > 0.0 ? sqrt((double)c->length / squares) : 0.0;
    for (int64_t t = 0; t < c->length; t++) {
        spectrum[2 * t] = scale * (double)sound[t];
        spectrum[2 * t + 1] = 0.0;
    }
    transform(c, c->length, -1, spectrum);
    for (int64_t b = 0; b < c->bands; b++) {
        band_envelope(c, b, spectrum, work, envelope + b * c->frames);
    }
}

/* Shares of the variance of x [frames], whose mean is 0. */
static void modulations(const cochleagram *c, const double *x, double variance, double *work, float *out) {
    const double unit = (double)c->rate / (double)c->length, n = (double)c->frames;
    for (int64_t t = 0; t < c->frames; t++) {
        work[2 * t] = x[t];
        work[2 * t + 1] = 0.0;
    }
    transform(c, c->frames, -1, work);
    for (int m = 0; m < COCHLEAGRAM_MODULATIONS; m++) {
        const double low = (double)(SLOWEST << m) / unit;
        double sum = 0.0;
        for (int64_t k = 1; k < c->frames / 2; k++) {
            const bool within = (double)k >= low && (double)k < 2.0 * low;
            sum += within ? 2.0 * (work[2 * k] * work[2 * k] + work[2 * k + 1] * work[2 * k + 1]) : 0.0;
        }
        out[m] = variance > 0.0 ? (float)(sum / (n * n * variance)) : 0.0f;
    }
}

void objective_cochleagram_statistics(const cochleagram *c, const int16_t *sound, double *scratch, float *out) {
    const int64_t B = c->bands, T = c->frames;
    double *envelope = scratch + 4 * c->length, variance[COCHLEAGRAM_MOST_BANDS];
    objective_cochleagram_envelopes(c, sound, scratch, envelope);
    for (int64_t b = 0; b < B; b++) {
        double *x = envelope + b * T, mean = 0.0, squares = 0.0;
        for (int64_t t = 0; t < T; t++) {
            mean += x[t] / (double)T;
        }
        for (int64_t t = 0; t < T; t++) {
            x[t] -= mean;
            squares += x[t] * x[t];
        }
        variance[b] = squares / (double)T > 1e-12 * mean * mean ? squares / (double)T : 0.0;
        out[b] = (float)mean;
        out[objective_cochleagram_group(c, 1) + b] = mean > 0.0 ? (float)(sqrt(variance[b]) / mean) : 0.0f;
        modulations(c, x, variance[b], scratch, out + objective_cochleagram_group(c, 2) + b * COCHLEAGRAM_MODULATIONS);
    }
    float *correlation = out + objective_cochleagram_group(c, 3);
    for (int64_t a = 0; a < B; a++) {
        for (int64_t b = a + 1; b < B; b++) {
            double sum = 0.0;
            for (int64_t t = 0; t < T; t++) {
                sum += envelope[a * T + t] * envelope[b * T + t];
            }
            const double product = variance[a] * variance[b];
            *correlation++ = product > 0.0 ? (float)(sum / ((double)T * sqrt(product))) : 0.0f;
        }
    }
}
