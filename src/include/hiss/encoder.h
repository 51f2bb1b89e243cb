/* Encoders: from samples to the named places of a method's encode(). Training's feature passes and evaluation use the
 * same one.
 *
 * A hiss_encoder is a graph and the memory to run it; its parameters belong to a model of the caller's. A hiss_frozen
 * is the network of a run, with parameters of its own, in evaluation mode. */
#ifndef HISS_ENCODER_H
#define HISS_ENCODER_H

#include "hiss/experiment.h"

typedef struct hiss_encoder hiss_encoder;

typedef struct hiss_encoder_options {
    const hiss_task *task;               /* outlives the encoder, as do those below */
    const hiss_objective_ops *objective; /* whose encode() it is, */
    void *method;                        /* of this state */
    hiss_model *model;                   /* not laid out yet; gets the slots that it lacks */
    int64_t m;                           /* samples of a batch */
    bool output_only;                    /* keep the values of the last place alone; default: of all */
    bool rebuilds; /* append reconstruct(), which there must be, in place of encode(); the places are image, rebuilt */
    bool corrupts; /* run the method's hook of that name on each sample, too */
    bool training; /* BatchNorm uses, and records, the batch's statistics; default: running ones, nothing dropped */
} hiss_encoder_options;

/* Not collective. *out must be destroyed also after an error. Errors: those of encode() or reconstruct(). */
hiss_status hiss_encoder_create(const hiss_encoder_options *options, hiss_encoder **out, hiss_error *err);
void hiss_encoder_destroy(hiss_encoder *e); /* NULL is allowed */
/* Memory for so many threads, once the model is laid out; later calls do nothing. Not collective. */
void hiss_encoder_prepare(hiss_encoder *e, int threads);

const hiss_graph *hiss_encoder_graph(const hiss_encoder *e);
const hiss_taps *hiss_encoder_taps(const hiss_encoder *e);  /* the last one is the output */
int64_t hiss_encoder_width(const hiss_encoder *e, int tap); /* floats of it per sample */

/* Encode a batch. Not collective; threads run at the same time.
 *   run    what hiss_exec_forward gets; with a lane_vector, statistics are recorded there
 *   batch  m samples
 *   epoch  of the augmentation's stream
 *   view   as in hiss_lane */
void hiss_encoder_run(hiss_encoder *e, int thread, const hiss_exec_context *run, const hiss_batch *batch, int64_t epoch,
                      int64_t view);
/* The same of a part of each image: box[m]. */
void hiss_encoder_run_boxes(hiss_encoder *e, int thread, const hiss_exec_context *run, const hiss_batch *batch,
                            const hiss_box *box);
/* From now on run no further than these places need: tap[count]; none: the whole graph again. Not collective. */
void hiss_encoder_stop_at(hiss_encoder *e, int count, const int *tap);
/* [m, width] of the batch that thread has encoded last; of a place that is kept. */
const float *hiss_encoder_value(const hiss_encoder *e, int thread, int tap);
/* [m] of the centre views that thread has encoded last: how their values stand for pixels. */
const hiss_pixel_scale *hiss_encoder_scales(const hiss_encoder *e, int thread);

/* ---- the network of a run ---- */

typedef struct hiss_frozen hiss_frozen;
enum { HISS_FROZEN_BATCH = 50 };

/* The network of e's objective for samples like those of set; no parameters yet. e outlives it. Not collective. *out
 * must be destroyed also after an error. */
hiss_status hiss_frozen_create(hiss_experiment *e, const hiss_dataset *set, hiss_frozen **out, hiss_error *err);
void hiss_frozen_destroy(hiss_frozen *f); /* NULL is allowed */
/* Parameters and running statistics of a checkpoint. Not collective. Errors: those of hiss_checkpoint_model. */
hiss_status hiss_frozen_load(hiss_frozen *f, const char *checkpoint, hiss_error *err);
/* The same of a model that is being trained, which stays as it is. Not collective. Errors (HISS_EUSER): it lacks some, or
 * has them in another shape. */
hiss_status hiss_frozen_take(hiss_frozen *f, const hiss_model *model, const float *vector, hiss_error *err);
/* Initial values of the same seed, with BatchNorm statistics estimated on samples of the range, alike on every rank.
 * Not collective. Errors (HISS_EUSER): fewer samples than a batch. */
hiss_status hiss_frozen_randomize(hiss_frozen *f, const hiss_sample_range *range, hiss_error *err);
/* Buffers of a network before training, into vector: `mean` where batches in training mode, of graph, record them, else
 * those of the trained one, which were measured before training. Not collective. */
void hiss_buffers_of_untrained(const hiss_model *model, const hiss_graph *graph, const float *trained,
                               const double *mean, float *vector);

const hiss_encoder *hiss_frozen_encoder(const hiss_frozen *f);
const hiss_task *hiss_frozen_task(const hiss_frozen *f);
void *hiss_frozen_method(const hiss_frozen *f); /* the state of the objective */
const hiss_model *hiss_frozen_model(const hiss_frozen *f);
const float *hiss_frozen_vector(const hiss_frozen *f); /* its values */

/* Which places hiss_frozen_embed gives, and how far it runs: tap[count] of the encoder's. Not collective. */
void hiss_frozen_select(hiss_frozen *f, int count, const int *tap);
/* Whether hiss_frozen_embed gives means over ten crops (hiss_augment_crop) in place of the centre view. Not collective.
 * Errors (HISS_EUSER): the corners are the centre. */
hiss_status hiss_frozen_crop(hiss_frozen *f, bool ten, hiss_error *err);
/* The centre view of the first `count` samples of a batch of HISS_FROZEN_BATCH; out [selected places] pointers to
 * [count, width]. frozen: a hiss_frozen. Not collective. */
hiss_status hiss_frozen_embed(void *frozen, int64_t count, const hiss_batch *batch, float *const *out, hiss_error *err);

/* A hiss_window_scorer's: scores[HISS_FROZEN_BATCH, classes], the last place of a network that classifies, of a part of
 * each of HISS_FROZEN_BATCH images. frozen: a hiss_frozen. Not collective. */
void hiss_frozen_score(void *frozen, const hiss_batch *batch, const hiss_box *box, float *scores);

#endif
