/* A damaged or forged checkpoint: found, verified, and read into a model whatever its checksum says. */
#include "fuzz.h"

#include <sys/stat.h>

#include "hiss/alloc.h"
#include "hiss/experiment.h"
#include "hiss/nn.h"

int fuzz_read;
static char run[] = "/dev/shm/hiss-fuzz-XXXXXX", folder[64], path[80];

static void leave_nothing(void) {
    unlink(path);
    rmdir(folder);
    rmdir(run);
}

static void make_run(void) {
    hiss_log_setup(HISS_LOG_ERROR, 0);
    if (!mkdtemp(run)) {
        abort();
    }
    snprintf(folder, sizeof folder, "%s/ckpt", run);
    snprintf(path, sizeof path, "%s/step-1.h5", folder);
    if (mkdir(folder, 0700) != 0) {
        abort();
    }
    atexit(leave_nothing);
}

static hiss_model *make_model(void) {
    hiss_model *model = hiss_model_create();
    hiss_model_slot(model, &(hiss_slot){.name = "conv1/weight", .shape = {.ndim = 2, .dim = {9, 2}}});
    hiss_model_slot(model, &(hiss_slot){.name = "fc1/weight", .shape = {.ndim = 2, .dim = {32, 8}}});
    hiss_model_slot(model, &(hiss_slot){.name = "fc1/bias", .shape = {.ndim = 1, .dim = {8}}});
    hiss_model_layout(model);
    return model;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!*path) {
        make_run();
    }
    fuzz_write(path, data, size);
    char newest[128];
    hiss_error err;
    (void)hiss_checkpoint_newest(run, false, newest, sizeof newest, &err);
    hiss_model *model = make_model();
    float *vector = hiss_new(float, hiss_model_floats(model));
    fuzz_read += hiss_checkpoint_model(path, model, vector, &err) == HISS_OK;
    hiss_free(vector);
    hiss_model_destroy(model);
    return 0;
}
