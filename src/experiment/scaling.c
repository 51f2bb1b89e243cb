/* Measured scales of channels in checkpoints: an attribute "scaling" of /, the count, the means, the deviations. */
#include <stdio.h>
#include <stdlib.h>

#include "hiss/alloc.h"
#include "hiss/experiment.h"

bool hiss_scaling_measured(const hiss_scaling *s) {
    return s->measured_mean || s->measured_std;
}

char *hiss_scaling_text(const hiss_scaling *s) {
    char *text = NULL;
    size_t size;
    FILE *out = hiss_text_open(&text, &size);
    fprintf(out, "%d", s->count);
    for (int k = 0; k < 2 * s->count; k++) {
        fprintf(out, " %.17g", k < s->count ? s->mean[k] : s->std[k - s->count]);
    }
    fclose(out);
    return text;
}

hiss_status hiss_scaling_read(hiss_h5 *file, const char *path, hiss_scaling *s, hiss_error *err) {
    char *text = NULL;
    hiss_status status = hiss_h5_get_text(file, "/", "scaling", &text, err);
    if (status == HISS_OK) {
        char *at = text;
        const long count = strtol(text, &at, 10);
        bool fine = count == s->count || (count >= 1 && count <= HISS_MAX_CHANNELS && s->count == 1);
        for (long k = 0; fine && k < 2 * count; k++) {
            char *end = at;
            *(k < count ? &s->mean[k] : &s->std[k - count]) = strtod(at, &end);
            fine = end != at;
            at = end;
        }
        s->count = fine ? (int)count : s->count;
        status = fine ? HISS_OK : hiss_fail(err, HISS_EUSER, "%s: its attribute scaling is damaged", path);
    }
    hiss_free(text);
    return status;
}

hiss_status hiss_checkpoint_scaling(const char *path, hiss_scaling *s, hiss_error *err) {
    hiss_h5 *file = NULL;
    hiss_status status = hiss_h5_open(path, &file, err);
    status = status == HISS_OK ? hiss_scaling_read(file, path, s, err) : status;
    hiss_h5_close(file, NULL);
    return status;
}
