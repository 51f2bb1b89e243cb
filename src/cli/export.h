/* Private to hiss export. */
#ifndef HISS_CLI_EXPORT_H
#define HISS_CLI_EXPORT_H

#include "cli/cli.h"
#include "hiss/weights.h"

typedef enum export_format {
    EXPORT_SAFETENSORS,
    EXPORT_NPZ,
    EXPORT_TORCH,
    EXPORT_ONNX,
    EXPORT_TENSORBOARD,
    EXPORT_MLLOG,
    EXPORT_WORD2VEC
} export_format;

typedef struct export_options {
    int format; /* export_format */
    const char *output, *checkpoint, *layers;
    bool preprocess, fold, help;
} export_options;

/* Arrays alone into a file: safetensors or npz. Not collective. */
hiss_status export_write_arrays(const hiss_weights *w, bool npz, const char *path, hiss_error *err);
/* The encoder of a checkpoint of the run, with its arrays: a folder for PyTorch, a file of ONNX. Rank 0 writes, and has
 * the arrays. Collective. */
hiss_status export_write_network(hiss_comm *comm, const export_options *o, const char *run, const char *checkpoint,
                                 const hiss_arguments *rest, const hiss_weights *w, hiss_error *err);
/* The vectors of words that a run has learnt, as text. Rank 0 writes, and has the arrays. Collective. */
hiss_status export_write_words(hiss_comm *comm, const export_options *o, const char *run, const char *checkpoint,
                               const hiss_arguments *rest, const hiss_weights *w, hiss_error *err);
/* What the run has logged: a folder for TensorBoard, or lines of MLPerf logging. Not collective. */
hiss_status export_write_log(const export_options *o, const char *run, hiss_error *err);

#endif
