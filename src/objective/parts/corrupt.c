/* Corruption of numbers of 0..1, by level nu: each number by itself
 *   masking          becomes 0 with probability nu;
 *   salt_and_pepper  becomes 0 or 1, by a fair coin, with probability nu;
 *   gaussian         gets normal noise of deviation nu, and may leave 0..1.
 * (Vincent, Larochelle, Lajoie, Bengio & Manzagol, "Stacked denoising autoencoders", JMLR 11, 2010, section 3.2, where
 * masking takes a fixed share of an image's numbers; that each falls by itself is what the authors' later code does.)
 *
 * All three are keep x + add with keep and add independent of x. One uniform number decides over one of x, so that the
 * draws are in the order of the numbers. */
#include <stddef.h>
#include <stdio.h>

#include "objective/parts/corrupt.h"

enum { MASKING, SALT_AND_PEPPER, GAUSSIAN };
enum { CHUNK = 256 }; /* even: normals come in pairs */
static const char *const names[] = {"masking", "salt and pepper", "Gaussian noise"};

#define ROW(key_, type_, ...)                                                                                          \
    { #key_, type_, offsetof(objective_corruption, key_), __VA_ARGS__ }
const hiss_row objective_corruption_rows[] = {
    ROW(kind, HISS_CHOICE, "masking", 0, 0, "masking|salt_and_pepper|gaussian",
        "numbers become 0; 0 or 1; or get normal noise"),
    ROW(level, HISS_FLOAT, "0.25", 0, 1, NULL,
        "share of the numbers that is corrupted, or deviation of gaussian; 0 is a control without noise"),
};
#undef ROW
const int objective_corruption_nrows = HISS_COUNT(objective_corruption_rows);

void objective_corruption_draw(const objective_corruption *c, hiss_rng *rng, int64_t count, float *keep, float *add) {
    const float level = (float)c->level, salt = c->kind == SALT_AND_PEPPER ? 0.5f * level : 0.0f;
    if (c->kind == GAUSSIAN) {
        hiss_rng_normals(rng, count, add);
    }
    for (int64_t k = 0; k < count; k++) {
        if (c->kind == GAUSSIAN) {
            keep[k] = 1.0f;
            add[k] *= level;
        } else {
            const float u = hiss_rng_uniform(rng);
            keep[k] = u < level ? 0.0f : 1.0f;
            add[k] = u < salt ? 1.0f : 0.0f;
        }
    }
}

static void add_noise(float level, hiss_rng *rng, int64_t count, const float *x, float *out) {
    float normal[CHUNK];
    for (int64_t first = 0; first < count; first += CHUNK) {
        const int64_t n = count - first < CHUNK ? count - first : CHUNK;
        hiss_rng_normals(rng, n, normal);
        for (int64_t k = 0; k < n; k++) {
            out[first + k] = x[first + k] + level * normal[k];
        }
    }
}

void objective_corrupt(const objective_corruption *c, hiss_rng *rng, int64_t count, const float *x, float *out) {
    const float level = (float)c->level, salt = c->kind == SALT_AND_PEPPER ? 0.5f * level : 0.0f;
    if (c->kind == GAUSSIAN) {
        add_noise(level, rng, count, x, out);
        return;
    }
    for (int64_t k = 0; k < count; k++) {
        const float u = hiss_rng_uniform(rng);
        out[k] = u < salt ? 1.0f : u < level ? 0.0f : x[k];
    }
}

hiss_corruption_moments objective_corruption_moments(const objective_corruption *c) {
    const double nu = c->level, salt = c->kind == SALT_AND_PEPPER ? 0.5 * nu : 0.0;
    if (c->kind == GAUSSIAN) {
        return (hiss_corruption_moments){.keep = 1.0, .keep2 = 1.0, .add2 = nu * nu};
    }
    return (hiss_corruption_moments){.keep = 1.0 - nu, .keep2 = 1.0 - nu, .add = salt, .add2 = salt};
}

void objective_corruption_describe(const objective_corruption *c, char *text, size_t size) {
    snprintf(text, size, "%g %s", c->level, names[c->kind]);
}
