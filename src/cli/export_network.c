/* The encoder of a run as a program of others. It is the graph that evaluation runs, built for samples like those of the
 * run's data, which must be there. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/export.h"
#include "hiss/file.h"
#include "hiss/program.h"

/* Whether the image of a method is the view that hiss_augment_center makes. */
static bool sees_pixels(const hiss_objective_ops *objective) {
    const hiss_input *in = objective->input ? objective->input->inputs : NULL;
    for (; in && in->field; in++) {
        if (in->name && strcmp(in->name, "image") == 0) {
            return in->view && strcmp(in->view, "image") == 0;
        }
    }
    return true;
}

static hiss_status write_onnx(const hiss_program *p, const char *path, hiss_error *err) {
    char *bytes = NULL;
    size_t count = 0;
    FILE *stream = hiss_text_open(&bytes, &count);
    hiss_status s = hiss_onnx_write(p, stream, err);
    fclose(stream);
    s = s == HISS_OK ? hiss_file_write_verified(path, bytes, count, err) : s;
    free(bytes);
    return s;
}

/* model.py last: it takes no weights but those of its checkpoint. Nothing is written before all can be. */
static hiss_status write_folder(const hiss_program *p, const hiss_weights *w, const char *folder, hiss_error *err) {
    const bool there = hiss_file_exists(folder);
    char model[CLI_PATH + 32], weights[CLI_PATH + 32];
    snprintf(model, sizeof model, "%s/model.py", folder);
    snprintf(weights, sizeof weights, "%s/weights.safetensors", folder);
    char *text = NULL;
    size_t count = 0;
    FILE *stream = hiss_text_open(&text, &count);
    hiss_status s = hiss_torch_write(p, stream, err);
    fclose(stream);
    s = s == HISS_OK ? hiss_directories_make(folder, err) : s;
    s = s == HISS_OK ? hiss_file_expect_writable(weights, err) : s;
    s = s == HISS_OK ? hiss_file_expect_writable(model, err) : s;
    s = s == HISS_OK ? export_write_arrays(w, false, weights, err) : s;
    s = s == HISS_OK ? hiss_file_write_verified(model, text, count, err) : s;
    free(text);
    if (s != HISS_OK && !there) {
        unlink(weights);
        rmdir(folder); /* when nothing else is in it */
    }
    return s;
}

static hiss_status write_program(const export_options *o, const hiss_experiment *e, const hiss_frozen *m, int count,
                                 const hiss_layer_size *layers, const hiss_weights *w, hiss_error *err) {
    const hiss_encoder *encoder = hiss_frozen_encoder(m);
    const hiss_center center = hiss_augment_center_of(&e->augment, &hiss_frozen_task(m)->field[0]);
    int output[HISS_MAX_TAPS];
    for (int k = 0; k < count; k++) {
        output[k] = hiss_taps_find(hiss_encoder_taps(encoder), layers[k].name);
    }
    const hiss_program_options options = {.graph = hiss_encoder_graph(encoder),
                                          .model = hiss_frozen_model(m),
                                          .vector = hiss_frozen_vector(m),
                                          .m = HISS_FROZEN_BATCH,
                                          .taps = hiss_encoder_taps(encoder),
                                          .outputs = count,
                                          .output = output,
                                          .center = sees_pixels(e->objective) ? &center : NULL,
                                          .preprocesses = o->preprocess,
                                          .folds = o->fold,
                                          .weights = w};
    if (o->preprocess && !options.center) {
        return hiss_fail(
            err, HISS_EUSER,
            "--preprocess: %s makes what it sees of images in a way that cannot be exported; leave it out, "
            "and give the program what the method sees",
            e->objective->name);
    }
    hiss_program *p = NULL;
    hiss_status s = hiss_program_create(&options, &p, err);
    if (s == HISS_OK) {
        s = o->format == EXPORT_TORCH ? write_folder(p, w, o->output, err) : write_onnx(p, o->output, err);
    }
    hiss_program_destroy(p);
    return s;
}

static hiss_status make(hiss_comm *comm, const export_options *o, hiss_experiment *e, const hiss_dataset *set,
                        const char *checkpoint, const hiss_weights *w, hiss_error *err) {
    hiss_layer_size layers[HISS_MAX_TAPS];
    hiss_frozen *m = NULL;
    int count = 0;
    hiss_status s = hiss_frozen_create(e, set, &m, err);
    s = s == HISS_OK ? cli_load_checkpoint(comm, m, checkpoint, false, err) : s;
    s = s == HISS_OK ? cli_choose_layers(m, "--layers NAME", o->layers, &count, layers, err) : s;
    if (s == HISS_OK && hiss_comm_rank(comm) == 0) {
        s = write_program(o, e, m, count, layers, w, err);
    }
    if (s == HISS_OK && hiss_comm_rank(comm) == 0) {
        char names[1024] = "";
        for (int k = 0; k < count; k++) {
            hiss_list_add(names, sizeof names, layers[k].name);
        }
        printf("%s: the encoder of %s, with outputs %s\n", o->output, checkpoint, names);
    }
    hiss_frozen_destroy(m);
    return hiss_comm_agree(comm, s, err);
}

hiss_status export_write_network(hiss_comm *comm, const export_options *o, const char *run, const char *checkpoint,
                                 const hiss_arguments *rest, const hiss_weights *w, hiss_error *err) {
    char path[CLI_PATH];
    hiss_experiment e = {0};
    hiss_eval_options eval = {0};
    hiss_dataset *set = NULL;
    hiss_status s = cli_open_run(comm, run, rest->repeated, rest->nrepeated, checkpoint, &e, &eval, path, err);
    if (s == HISS_OK) {
        hiss_data_options data = e.data;
        data.label_use = HISS_LABELS_OPTIONAL;
        s = hiss_comm_agree(comm, hiss_dataset_open(&data, (uint64_t)e.seed, &set, err), err);
        s = s == HISS_OK ? make(comm, o, &e, set, checkpoint, w, err) : s;
        hiss_dataset_close(set);
        hiss_config_blame(e.config, s, err);
        s = hiss_comm_agree(comm, s, err);
    }
    hiss_experiment_destroy(&e);
    return s;
}
