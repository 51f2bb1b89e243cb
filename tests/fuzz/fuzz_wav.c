/* A WAV file from a stranger. */
#include "fuzz.h"

#include "data/wav_impl.h"

int fuzz_read;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[32];
    const int file = fuzz_file(data, size, path);
    data_wav *wav = NULL;
    hiss_error err;
    if (data_wav_open(path, &wav, &err) == HISS_OK) {
        static int16_t value[1 << 16];
        if (data_wav_count(wav) <= 1 << 16 && data_wav_read(wav, data_wav_count(wav), value, &err) == HISS_OK) {
            fuzz_read++;
        }
        data_wav_close(wav);
    }
    close(file);
    return 0;
}
