/* Means, deviations and covariances of features, samples drawn by seed, pixels as bytes: what judgements share. */
#include <math.h>

#include "eval/eval_impl.h"
#include "eval/judgements/judgements.h"
#include "hiss/alloc.h"

enum { ROWS = 64 };

void eval_features_moments(const hiss_eval_env *env, const hiss_features *f, double *mean, double *deviation) {
    const int64_t D = f->D;
    for (int pass = 0; pass < 2; pass++) {
        tile_sum *sum = eval_tile_sum_create(env, f, NULL, D);
        for (int64_t i = 0; i < sum->local; i++) {
            const float *tile = tile_rows(f, sum->tile[i]);
            double *out = eval_tile_sum_vector(sum, i);
            for (int64_t k = 0; k < tile_count(f, sum->tile[i]) * D; k++) {
                const double x = (double)tile[k] - (pass ? mean[k % D] : 0.0);
                out[k % D] += pass ? x * x : x;
            }
        }
        eval_tile_sum_run(sum, pass ? deviation : mean);
        eval_tile_sum_destroy(sum);
        for (int64_t e = 0; e < D; e++) {
            if (pass) {
                deviation[e] = f->n > 1 ? sqrt(deviation[e] / (double)(f->n - 1)) : 0.0;
            } else {
                mean[e] /= (double)f->n;
            }
        }
    }
}

void eval_features_centre(hiss_features *f, const float *mean) {
    for (int64_t t = f->first; t < f->end; t++) {
        float *rows = f->rows + (t - f->first) * HISS_TILE * f->D;
        for (int64_t i = 0; i < tile_count(f, t) * f->D; i++) {
            rows[i] -= mean[i % f->D];
        }
    }
}

/* Upper triangle by blocks of rows, then all of it. */
void eval_features_covariance(const hiss_eval_env *env, const hiss_features *f, const bool *use, const float *x,
                              int64_t stride, float *covariance) {
    const int64_t D = f->D;
    float *product = hiss_new(float, ROWS *D);
    double *total = hiss_new(double, ROWS *D), samples = 0.0;
    for (int64_t t = 0; t < f->tiles; t++) {
        samples += !use || use[t] ? (double)tile_count(f, t) : 0.0;
    }
    for (int64_t row = 0; row < D; row += ROWS) {
        const int64_t rows = D - row < ROWS ? D - row : ROWS, columns = D - row;
        tile_adder *sum = eval_tile_adder_create(env, f, use, rows * columns);
        for (int64_t i = 0; i < sum->local; i++) {
            const float *tile = x + (sum->tile[i] - f->first) * HISS_TILE * stride + row;
            env->kernels->gemm(true, false, rows, columns, HISS_TILE, 1.0f, tile, stride, tile, stride, 0.0f, product,
                               columns);
            hiss_tree_adder_add(sum->adder, rows * columns, product, NULL);
        }
        hiss_tree_adder_finish(sum->adder, total);
        for (int64_t i = 0; i < rows * columns; i++) {
            const int64_t r = row + i / columns, d = row + i % columns;
            covariance[r * D + d] = covariance[d * D + r] = (float)(total[i] / samples);
        }
        eval_tile_adder_destroy(sum);
    }
    hiss_free(product);
    hiss_free(total);
}

hiss_sample_range eval_draw_samples(uint64_t seed, const hiss_sample_range *range, int64_t most) {
    const int64_t count = range->count < most ? range->count : most;
    int64_t *index = hiss_new(int64_t, count);
    hiss_draw_shown(seed, range->count, count, index);
    for (int64_t i = 0; i < count; i++) {
        index[i] = hiss_sample_at(range, index[i]);
    }
    return (hiss_sample_range){.set = range->set, .count = count, .index = index};
}

hiss_status eval_embed_drawn(uint64_t seed, const hiss_sample_range *range, int64_t count, int layers, const int64_t *D,
                             int64_t batch, hiss_embed embed, void *user, float *const *out, hiss_error *err) {
    const hiss_sample_range drawn = eval_draw_samples(seed, range, count);
    hiss_samples *samples = hiss_samples_create(range->set, batch);
    float **place = hiss_new(float *, layers);
    hiss_status s = HISS_OK;
    for (int64_t first = 0; first < drawn.count && s == HISS_OK; first += batch) {
        const int64_t left = drawn.count - first;
        for (int k = 0; k < layers; k++) {
            place[k] = out[k] + first * D[k];
        }
        s = hiss_samples_read(samples, &drawn, first, batch, err);
        const hiss_batch read = hiss_samples_batch(samples, 0, batch);
        s = s == HISS_OK ? embed(user, left < batch ? left : batch, &read, place, err) : s;
    }
    hiss_samples_destroy(samples);
    hiss_free(place);
    hiss_free(drawn.index);
    return s;
}

double eval_psnr(double square) {
    return square > 0.0 ? fmin(-10.0 * log10(square), EVAL_PSNR_MOST) : EVAL_PSNR_MOST;
}

void eval_compare_images(int64_t size, const float *image, const float *made, float *error) {
    double square = 0.0;
    for (int64_t i = 0; i < size; i++) {
        const double miss = (double)image[i] - fmin(fmax((double)made[i], 0.0), 1.0);
        square += miss * miss;
    }
    square /= (double)size;
    error[0] = (float)square;
    error[1] = (float)eval_psnr(square);
}

uint8_t eval_byte_of(float pixel) {
    return (uint8_t)lrint(255.0 * fmin(fmax((double)pixel, 0.0), 1.0));
}
