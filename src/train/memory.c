/* What a rank holds in memory while it trains, by part. */
#include "train/trainer.h"

static const double MiB = 0x1p20;

hiss_memory train_memory(const trainer *t) {
    const int64_t each = (int64_t)sizeof(float);
    hiss_memory m = {.parameters = each * hiss_model_floats(t->model),
                     .gradients = hiss_reducer_bytes(t->reducer),
                     .optimizer = each * t->states * t->owned_floats,
                     .samples = hiss_loader_bytes(t->loader)};
    for (int p = 0; p < t->nphases; p++) {
        m.activations += t->phases[p].exec_bytes;
    }
    return m;
}

int64_t hiss_memory_list(const hiss_memory *m, char text[HISS_MEMORY_TEXT]) {
    const struct {
        const char *name;
        int64_t bytes;
    } part[] = {{"parameters", m->parameters}, {"gradients", m->gradients}, {"activations", m->activations},
                {"optimizer", m->optimizer},   {"samples", m->samples},     {"checkpoint", m->checkpoint}};
    int64_t sum = 0;
    size_t used = 0;
    for (size_t k = 0; k < sizeof part / sizeof *part; k++) {
        sum += part[k].bytes;
        if (part[k].bytes > 0 && used < HISS_MEMORY_TEXT) {
            used += (size_t)snprintf(text + used, HISS_MEMORY_TEXT - used, "%s%s %.1f", used ? ", " : "", part[k].name,
                                     (double)part[k].bytes / MiB);
        }
    }
    return sum;
}
