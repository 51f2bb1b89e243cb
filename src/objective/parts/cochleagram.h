/* Private to src/objective: statistics of sound textures, as far as they do not depend on when something is heard. */
#ifndef HISS_OBJECTIVE_PARTS_COCHLEAGRAM_H
#define HISS_OBJECTIVE_PARTS_COCHLEAGRAM_H

#include <stdint.h>

enum {
    COCHLEAGRAM_MOST_BANDS = 64,
    COCHLEAGRAM_LEAST = 256,     /* values of a sound */
    COCHLEAGRAM_MODULATIONS = 6, /* octaves from 2 Hz */
    COCHLEAGRAM_GROUPS = 4       /* means, deviations, modulations, correlations */
};

typedef struct cochleagram {
    int64_t bands, rate;
    int64_t length;         /* values of a sound that count: a power of 2 */
    int64_t frames;         /* of an envelope: a power of 2 */
    double lowest, highest; /* Hz: the middles of the outermost bands are within */
    double *turn;           /* [length / 2][2] cosine and sine of turns */
} cochleagram;

/* For sounds of `values` values, at least COCHLEAGRAM_LEAST; of them the first 2^k count. bands: 2 ..
 * COCHLEAGRAM_MOST_BANDS. Closed by objective_cochleagram_close. Not collective, as are the others. */
cochleagram objective_cochleagram_open(int64_t bands, int64_t rate, int64_t values);
void objective_cochleagram_close(cochleagram *c); /* also of zeros */
/* The middle of a band, in Hz. */
double objective_cochleagram_middle(const cochleagram *c, int64_t band);
/* Numbers of a sound: [bands] means of envelopes, [bands] deviations / mean, [bands][MODULATIONS] shares of their
 * variance, [bands (bands - 1) / 2] correlations of two bands, row by row. */
int64_t objective_cochleagram_count(const cochleagram *c);
/* Of them those of group g are [objective_cochleagram_group(c, g), objective_cochleagram_group(c, g + 1)). */
int64_t objective_cochleagram_group(const cochleagram *c, int g);
/* Doubles that the next two need as scratch. */
int64_t objective_cochleagram_scratch(const cochleagram *c);
/* Compressed envelopes [bands, frames] of a sound [values], whose loudness as a whole does not matter; zeros of silence.
 * Thread-safe, as is the next. */
void objective_cochleagram_envelopes(const cochleagram *c, const int16_t *sound, double *scratch, double *envelope);
/* out [count] */
void objective_cochleagram_statistics(const cochleagram *c, const int16_t *sound, double *scratch, float *out);

#endif
