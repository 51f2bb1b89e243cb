/* Features of a data set: each rank reads the samples of its tiles and embeds them, no communication but the final
 * agreement on errors. Pieces of a tile have sizes that depend on the batch alone. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"

hiss_status hiss_embed_pixels(void *user, int64_t count, const hiss_batch *batch, float *const *out, hiss_error *err) {
    (void)err;
    const hiss_field *image = user;
    const int64_t values = hiss_field_count(image);
    const float span = (float)(image->high - image->low);
    for (int64_t i = 0; i < count; i++) {
        float *pixel = out[0] + i * values;
        hiss_field_floats(image, hiss_batch_values(batch, i, image), image->low, pixel);
        for (int64_t k = 0; k < values; k++) {
            pixel[k] /= span;
        }
    }
    return HISS_OK;
}

/* rows [count, D]: features of the samples first .. of range */
static hiss_status check_finite(const float *rows, int64_t count, int64_t D, const char *layer,
                                const hiss_sample_range *range, int64_t first, hiss_error *err) {
    for (int64_t i = 0; i < count * D; i++) {
        if (!isfinite(rows[i])) {
            return hiss_fail(
                err, HISS_EUSER,
                "feature %lld of layer %s is %g for sample %lld; the network has diverged: take an earlier "
                "checkpoint, or train with a lower learning rate",
                (long long)(i % D), layer, (double)rows[i], (long long)hiss_sample_at(range, first + i / D));
        }
    }
    return HISS_OK;
}

/* target [count, K] of the batch. */
static void copy_targets(const hiss_batch *batch, const hiss_field *field, uint8_t *target) {
    const int64_t K = hiss_field_count(field);
    for (int64_t i = 0; i < batch->m; i++) {
        memcpy(target + i * K, hiss_batch_values(batch, i, field), (size_t)K);
    }
}

const hiss_field *eval_targets_of(const hiss_dataset *set) {
    const hiss_field *field = hiss_dataset_field(set, HISS_FIELD_TARGETS);
    return field && field->dtype == HISS_U8 && field->ndim == 1 ? field : NULL;
}

/* So many samples in whole batches. */
static int64_t filled(int64_t count, int64_t batch) {
    return (count + batch - 1) / batch * batch;
}

/* begin: the sample of range that is the first one of f. */
static hiss_status extract_tile(const hiss_sample_range *range, int64_t begin, int64_t t, int layers,
                                const hiss_layer_size *layer, int64_t batch, hiss_embed embed, void *user,
                                hiss_samples *samples, hiss_features **f, float **out, hiss_error *err) {
    int64_t local = (t - f[0]->first) * HISS_TILE, count = tile_count(f[0], t), first = begin + t * HISS_TILE;
    hiss_status status = hiss_samples_read(samples, range, first, filled(count, batch), err);
    for (int64_t i = 0; i < count && status == HISS_OK; i += batch) {
        for (int l = 0; l < layers; l++) {
            out[l] = f[l]->rows + (local + i) * layer[l].D;
        }
        const hiss_batch piece = hiss_samples_batch(samples, i, batch);
        status = embed(user, count - i < batch ? count - i : batch, &piece, out, err);
    }
    for (int l = 0; l < layers && status == HISS_OK; l++) {
        const hiss_batch tile = hiss_samples_batch(samples, 0, count);
        if (tile.label) {
            memcpy(f[l]->label + local, tile.label, sizeof(int32_t) * (size_t)count);
        }
        if (f[l]->target) {
            copy_targets(&tile, eval_targets_of(range->set), f[l]->target + local * f[l]->targets);
        }
        status = check_finite(tile_rows(f[l], t), count, layer[l].D, layer[l].name, range, first, err);
    }
    return status;
}

hiss_status hiss_features_extract(const hiss_eval_env *env, const hiss_sample_range *range, int layers,
                                  const hiss_layer_size *layer, int64_t batch, hiss_embed embed, void *user,
                                  hiss_features **out, hiss_error *err) {
    return eval_features_extract_part(env, range, 0, range->count, layers, layer, batch, embed, user, out, err);
}

hiss_status eval_features_extract_part(const hiss_eval_env *env, const hiss_sample_range *range, int64_t begin,
                                       int64_t count, int layers, const hiss_layer_size *layer, int64_t batch,
                                       hiss_embed embed, void *user, hiss_features **out, hiss_error *err) {
    assert(layers >= 1 && batch >= 1 && batch <= HISS_TILE && begin % HISS_TILE == 0);
    int64_t classes = hiss_dataset_classes(range->set);
    const hiss_field *targets = eval_targets_of(range->set);
    hiss_samples *samples = hiss_samples_create(range->set, filled(HISS_TILE, batch));
    float **pointers = hiss_new(float *, layers);
    for (int l = 0; l < layers; l++) {
        out[l] = hiss_features_create(env, count, layer[l].D, classes);
        if (targets) {
            eval_features_hold_targets(out[l], hiss_field_count(targets));
        }
    }
    hiss_status status = HISS_OK;
    for (int64_t t = out[0]->first; t < out[0]->end && status == HISS_OK; t++) {
        status = extract_tile(range, begin, t, layers, layer, batch, embed, user, samples, out, pointers, err);
    }
    hiss_samples_destroy(samples);
    hiss_free(pointers);
    status = hiss_comm_agree(env->comm, status, err);
    for (int l = 0; l < layers && status != HISS_OK; l++) {
        hiss_features_destroy(out[l]);
        out[l] = NULL;
    }
    return status;
}
