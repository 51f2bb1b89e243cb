/* The config behind a measurement, and images to run it on where its data is not at hand. */
#include <string.h>

#include "cli/bench.h"
#include "hiss/file.h"
#include "hiss/number.h"

enum { SYNTHETIC_CLASSES = 10, SYNTHETIC_STEPS = 4, SYNTHETIC_BYTES = 1 << 28 };

static bool parse_size(const char *text, int64_t size[3]) {
    static const int64_t most[3] = {65536, 65536, 1024};
    for (int k = 0; k < 3; k++) {
        char digits[16];
        const size_t length = strcspn(text, "x");
        snprintf(digits, sizeof digits, "%.*s", (int)length, text);
        if (!hiss_integer_parse(digits, &size[k]) || size[k] < 1 || size[k] > most[k] ||
            (text[length] == 'x') != (k < 2)) {
            return false;
        }
        text += length + 1;
    }
    return true;
}

hiss_status bench_check_size(const char *text, hiss_error *err) {
    int64_t size[3];
    return !text || parse_size(text, size)
               ? HISS_OK
               : hiss_fail(
                     err, HISS_EUSER,
                     "--size: expected HEIGHTxWIDTHxCHANNELS as in 224x224x3 (at most 65536x65536x1024), found '%s'",
                     text);
}

/* H, W, C of stored images: as the option says, else what the preset is made for at the size of the network's input. */
static void image_size(const hiss_experiment *e, const char *option, int64_t size[3]) {
    const char *made_for = hiss_network_image(&e->network);
    parse_size(made_for ? made_for : "32x32x3", size);
    size[0] = e->augment.height ? e->augment.height : size[0];
    size[1] = e->augment.width ? e->augment.width : size[1];
    if (option) {
        parse_size(option, size);
    }
}

static void make_images(bench *b, const char *size_option, bench_source *out) {
    const hiss_experiment *e = &out->experiment;
    int64_t size[3];
    image_size(e, size_option, size);
    const int64_t batch = e->train.lanes * e->train.lane_samples;
    int64_t steps = SYNTHETIC_BYTES / (batch * size[0] * size[1] * size[2]);
    steps = steps < 1 ? 1 : steps > SYNTHETIC_STEPS ? SYNTHETIC_STEPS : steps;
    out->set = hiss_dataset_synthetic(batch * steps, size[0], size[1], size[2], SYNTHETIC_CLASSES, (uint64_t)e->seed);
    bench_print(b, "data: synthetic images of %lld x %lld x %lld\n", (long long)size[0], (long long)size[1],
                (long long)size[2]);
}

hiss_status bench_source_open(bench *b, const char *config, const hiss_arguments *sets, bool synthetic,
                              const char *size, bench_source *out, hiss_error *err) {
    *out = (bench_source){0};
    hiss_status s =
        cli_read_experiment(b->comm, config, sets->repeated, sets->nrepeated, &out->experiment, &out->eval, err);
    if (s != HISS_OK) {
        return s;
    }
    hiss_error none;
    const hiss_data_options *data = &out->experiment.data;
    const bool generated = data->generated != NULL;
    const char *file = generated ? data->generate : data->file;
    const int64_t missing = hiss_comm_max_i64(b->comm, !generated && (!file || hiss_data_expect(file, &none)));
    if (size && !missing && !synthetic) {
        return hiss_fail(err, HISS_EUSER, "--size has no effect on images of %.300s; add --synthetic, or leave it out",
                         file);
    }
    bench_print(b, "\nconfig: %s", config);
    for (int k = 0; k < sets->nrepeated; k++) {
        bench_print(b, " --set %s", sets->repeated[k]);
    }
    bench_print(b, "\n");
    if (missing && !synthetic) {
        bench_print(b, "note: %s is not there\n", file ? file : "data.file");
    }
    if (missing || synthetic) {
        make_images(b, size, out);
        return HISS_OK;
    }
    bench_print(b, "data: %s\n", file);
    return HISS_OK;
}

void bench_source_close(bench_source *s) {
    hiss_dataset_close(s->set);
    if (s->experiment.config) {
        hiss_experiment_destroy(&s->experiment);
    }
}
