/* A study file of hiss compare from a stranger: read, and what follows from it for each run. */
#include "fuzz.h"

#include "hiss/compare.h"

int fuzz_read;

static void plan(const hiss_comparison *study) {
    const char *set[256];
    char place[4096];
    hiss_reading reading;
    for (int run = 0; run < hiss_comparison_runs(study) && run < 64; run++) {
        hiss_comparison_place(study, "out", run, place, sizeof place);
        hiss_comparison_settings(study, "out", run, study->arena, set, HISS_COUNT(set));
        hiss_comparison_blame(study, run, study->arena, "--set seed: no");
        for (int k = 0; k < hiss_comparison_readings(study); k++) {
            hiss_comparison_reading(study, hiss_comparison_row(study, run), hiss_comparison_wanted(study, k),
                                    study->arena, &reading);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[32];
    const int file = fuzz_file(data, size, path);
    hiss_comparison study;
    hiss_error err;
    if (hiss_comparison_read(path, NULL, 0, &study, &err) == HISS_OK) {
        fuzz_read++;
        hiss_config_resolved(study.text);
        plan(&study);
    }
    hiss_comparison_destroy(&study);
    close(file);
    return 0;
}
