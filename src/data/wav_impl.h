/* Inside src/data: the sound of a WAV file. */
#ifndef HISS_WAV_IMPL_H
#define HISS_WAV_IMPL_H

#include <stdint.h>

#include "hiss/status.h"

typedef struct data_wav data_wav;

/* PCM of 8, 16, 24 or 32 bits, or floats of 32 or 64, of up to 64 channels. Errors (HISS_EUSER) name the file. */
hiss_status data_wav_open(const char *path, data_wav **out, hiss_error *err);
void data_wav_close(data_wav *wav); /* NULL is allowed */
int64_t data_wav_rate(const data_wav *wav);
int64_t data_wav_channels(const data_wav *wav);
int64_t data_wav_count(const data_wav *wav); /* values of a channel */
/* The next count values, no more than there are: the mean of the channels, rounded to 16 bits. */
hiss_status data_wav_read(data_wav *wav, int64_t count, int16_t *out, hiss_error *err);

#endif
