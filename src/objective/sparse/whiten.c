/* Whitening of patches: y = x W + shift, such that y has the covariance 1, as far as the floor lets it.
 *
 * The mean of each patch's own values is taken off first, then the mean patch. With C the covariance of what is left, E
 * its eigenvectors (rows) and l their eigenvalues, W = E^T diag(1 / sqrt(l + floor v)) E, v the mean of l: of all that
 * whiten, the one that changes patches least, so that whitened patches still look like pictures ("ZCA": Bell &
 * Sejnowski, "The independent components of natural scenes are edge filters", Vision Research 1997). Directions of
 * variance far below floor v, in photographs the finest grain, are not blown up.
 *
 * C is measured over one view of each training sample, drawn by key, when the run starts (parts/covariance.c). All ranks
 * find the same eigenvectors. W - 1 and the shift are buffers of the model: they are in checkpoints and hashes, where
 * evaluation finds them, and a model without them, all zeros, leaves patches as they are.
 *
 * Cost, once: that of the covariance, and 60 D^3 of float64. Memory: n D / P floats beside. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/log.h"
#include "objective/parts/covariance.h"
#include "objective/parts/measured.h"
#include "objective/sparse/whiten.h"

static const char layer[] = "whiten", matrix_name[] = "whiten/matrix", shift_name[] = "whiten/shift";

const hiss_row sparse_whiten_rows[] = {
    {"on", HISS_BOOL, offsetof(sparse_whiten_options, on), "true", 0, 0, NULL,
     "take off each patch's mean, and make the covariance of patches that of noise"},
    {"floor", HISS_FLOAT, offsetof(sparse_whiten_options, floor), "0.01", 1e-9, 1e9, NULL,
     "on true: added to variances, as a share of their mean: what varies less is not blown up"},
};
const int sparse_whiten_nrows = HISS_COUNT(sparse_whiten_rows);

hiss_value sparse_whiten(const sparse_whiten_options *o, hiss_builder *b, hiss_value x) {
    const int64_t D = hiss_graph_shape(b->graph, x).dim[1];
    if (!o->on) {
        return x;
    }
    hiss_graph_scope(b->graph, layer);
    hiss_graph_keep(b->graph, x); /* to be measured */
    const hiss_value change = hiss_layer_buffer(b, layer, "matrix", HISS_SHAPE(D, D)),
                     shift = hiss_layer_buffer(b, layer, "shift", HISS_SHAPE(D));
    return hiss_graph_add(b->graph, x, hiss_graph_linear(b->graph, x, change, shift));
}

/* ---- measuring ---- */

static void take_off_mean(int64_t D, float *patch) {
    double mean = 0.0;
    for (int64_t d = 0; d < D; d++) {
        mean += (double)patch[d];
    }
    mean /= (double)D;
    for (int64_t d = 0; d < D; d++) {
        patch[d] = (float)((double)patch[d] - mean);
    }
}

/* The inverse square root of the covariance [D,D] and the floor, in its place; false when nothing varies. */
static bool invert(int64_t D, double floor, double *covariance) {
    double *vector = hiss_new(double, D *D), *gain = hiss_new(double, D);
    double mean = 0.0;
    for (int64_t d = 0; d < D; d++) {
        mean += covariance[d * D + d] / (double)D;
    }
    if (mean > 0.0) {
        hiss_diagonalize(D, covariance, vector);
        for (int64_t d = 0; d < D; d++) {
            gain[d] = 1.0 / sqrt(fmax(covariance[d * D + d], 0.0) + floor * mean);
        }
        memset(covariance, 0, sizeof(double) * (size_t)(D * D));
        for (int64_t k = 0; k < D; k++) {
            const double *row = vector + k * D;
            for (int64_t i = 0; i < D; i++) {
                for (int64_t j = 0; j < D; j++) {
                    covariance[i * D + j] += gain[k] * row[i] * row[j];
                }
            }
        }
    }
    hiss_free(vector);
    hiss_free(gain);
    return mean > 0.0;
}

/* P W P, P what takes off the mean: rows and columns lose theirs. */
static void centre(int64_t D, double *w) {
    for (int turn = 0; turn < 2; turn++) {
        const int64_t row = turn ? 1 : D, along = turn ? D : 1;
        for (int64_t i = 0; i < D; i++) {
            double mean = 0.0;
            for (int64_t j = 0; j < D; j++) {
                mean += w[i * row + j * along] / (double)D;
            }
            for (int64_t j = 0; j < D; j++) {
                w[i * row + j * along] -= mean;
            }
        }
    }
}

static void write_buffers(const hiss_epoch *e, int64_t D, const double *mean, const double *w) {
    float *matrix = e->vector + hiss_model_offset(e->model, matrix_name);
    float *shift = e->vector + hiss_model_offset(e->model, shift_name);
    for (int64_t i = 0; i < D; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < D; j++) {
            sum += mean[j] * w[j * D + i];
            matrix[i * D + j] = (float)(w[i * D + j] - (i == j ? 1.0 : 0.0));
        }
        shift[i] = (float)-sum;
    }
}

hiss_status sparse_whiten_measure(const sparse_whiten_options *o, const hiss_task *task, const hiss_placement *p,
                                  const hiss_epoch *e, int phase, hiss_value value, int64_t floats_of_sample, int64_t D,
                                  hiss_error *err) {
    bool measures = true;
    if (!o->on || e->step > 0) {
        return HISS_OK;
    }
    hiss_status s = objective_measures(e, matrix_name, "what whitens patches", &measures, err);
    if (s != HISS_OK || !measures) {
        return s;
    }
    const int64_t samples = p->shards[p->end_lane] - p->shards[p->first_lane];
    float *rows = hiss_new(float, samples *floats_of_sample);
    s = hiss_comm_agree(p->comm, e->features(e->trainer, phase, value, 0, rows, err), err);
    if (s == HISS_OK) {
        const int64_t each = floats_of_sample / D;
        double *mean = hiss_new(double, D), *covariance = hiss_new(double, D *D);
        for (int64_t i = 0; i < samples * each; i++) {
            take_off_mean(D, rows + i * D);
        }
        objective_covariance(task, p, e, each, D, rows, mean, covariance);
        if (invert(D, o->floor, covariance)) {
            centre(D, covariance);
            write_buffers(e, D, mean, covariance);
            hiss_info("whitening: measured over %lld patches of %lld values", (long long)(p->samples * each),
                      (long long)D);
        } else {
            s = hiss_fail_key(err, HISS_EUSER, "whiten.on",
                              "every training patch is of one grey, which cannot be whitened; check the images, or set "
                              "whiten.on false");
        }
        hiss_free(mean);
        hiss_free(covariance);
    }
    hiss_free(rows);
    return s;
}
