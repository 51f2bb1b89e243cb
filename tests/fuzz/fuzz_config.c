/* A config file from a stranger: read, validated, resolved, and its network laid out. */
#include "fuzz.h"

#include "hiss/experiment.h"

int fuzz_read;

static void lay_out(const hiss_experiment *e) {
    hiss_graph *graph = hiss_graph_create();
    hiss_model *model = hiss_model_create();
    hiss_builder b = {.graph = graph, .model = model, .training = true, .trained_groups = ~0u};
    hiss_taps taps;
    hiss_value out;
    hiss_error err;
    const hiss_value image = hiss_graph_input(graph, "image", HISS_SHAPE(4, 28, 28, 1));
    if (hiss_network_build(&e->network, &b, image, &out, &taps, &err) == HISS_OK) {
        hiss_model_layout(model);
    }
    hiss_graph_destroy(graph);
    hiss_model_destroy(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[32];
    const int file = fuzz_file(data, size, path);
    hiss_experiment e;
    hiss_error err;
    if (hiss_experiment_read(path, NULL, 0, NULL, 0, &e, &err) == HISS_OK) {
        fuzz_read++;
        hiss_config_resolved(e.config);
        lay_out(&e);
    }
    hiss_experiment_destroy(&e);
    close(file);
    return 0;
}
