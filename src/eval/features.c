/* Feature matrices in tiles.
 *
 * A tile is HISS_TILE consecutive samples, stored in full: the last one is padded by zero rows with label -1. Ranks
 * own contiguous ranges of tiles. Whatever is computed from features is computed per tile in one shape (sgemm gives
 * other bits for other shapes), and summed over tiles by the canonical tree, so the rank count schedules tiles and
 * changes no result.
 *
 * A subset is cut the same way. Its index list is ascending, so the rows of one new tile lie on the old owners in rank
 * order, and one gather per tile moves them. */
#include <assert.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"
#include "hiss/rng.h"

enum { DRAW_OF_LABELS = 2050 }; /* when, of evaluation's streams */

int eval_tile_owner(const hiss_features *f, int64_t t) {
    int rank = 0;
    while (f->tile_offsets[rank + 1] <= t) {
        rank++;
    }
    return rank;
}

hiss_features *hiss_features_create(const hiss_eval_env *env, int64_t n, int64_t D, int64_t classes) {
    assert(n >= 1 && n <= INT32_MAX && D >= 1 && D <= INT32_MAX);
    int size = hiss_comm_size(env->comm), rank = hiss_comm_rank(env->comm);
    hiss_features *f = hiss_new(hiss_features, 1);
    f->n = n;
    f->D = D;
    f->classes = classes;
    f->tiles = (n + HISS_TILE - 1) / HISS_TILE;
    f->tile_offsets = hiss_new(int64_t, size + 1);
    hiss_partition(f->tiles, size, f->tile_offsets);
    f->first = f->tile_offsets[rank];
    f->end = f->tile_offsets[rank + 1];
    int64_t rows = (f->end - f->first) * HISS_TILE;
    f->rows = hiss_new(float, rows *D);
    f->label = hiss_new(int32_t, rows);
    for (int64_t i = 0; i < rows; i++) {
        f->label[i] = -1;
    }
    return f;
}

void eval_features_hold_targets(hiss_features *f, int64_t K) {
    const size_t bytes = (size_t)((f->end - f->first) * HISS_TILE * K);
    f->targets = K;
    f->target = hiss_alloc(bytes);
    memset(f->target, HISS_NOT_JUDGED, bytes);
}

void hiss_features_destroy(hiss_features *f) {
    if (f) {
        hiss_free(f->tile_offsets);
        hiss_free(f->rows);
        hiss_free(f->label);
        hiss_free(f->target);
        hiss_free(f);
    }
}

void eval_features_allgather(const hiss_eval_env *env, const hiss_features *f, const void *local, int64_t width,
                             void *all) {
    int size = hiss_comm_size(env->comm);
    int64_t *offsets = hiss_new(int64_t, size + 1);
    for (int r = 0; r <= size; r++) {
        int64_t end = f->tile_offsets[r] * HISS_TILE;
        offsets[r] = width * (end < f->n ? end : f->n);
    }
    hiss_comm_allgather(env->comm, local, offsets, all);
    hiss_free(offsets);
}

void hiss_features_labels(const hiss_eval_env *env, const hiss_features *f, int32_t *all) {
    eval_features_allgather(env, f, f->label, sizeof *all, all);
}

void hiss_features_targets(const hiss_eval_env *env, const hiss_features *f, uint8_t *all) {
    eval_features_allgather(env, f, f->target, f->targets, all);
}

/* local: of this rank's samples, width bytes each, from all [n] in the order. */
static void deal(const hiss_features *f, const hiss_permutation *order, const char *all, size_t width, char *local) {
    const int64_t first = f->first * HISS_TILE;
    for (int64_t i = first; i < f->end * HISS_TILE && i < f->n; i++) {
        memcpy(local + (size_t)(i - first) * width, all + (size_t)hiss_permutation_at(order, i) * width, width);
    }
}

void hiss_features_permute(const hiss_eval_env *env, hiss_features *f) {
    const hiss_permutation order = hiss_permutation_keyed(env->seed, HISS_FOR_EVALUATION, DRAW_OF_LABELS, 0, f->n);
    int32_t *label = hiss_new(int32_t, f->n);
    hiss_features_labels(env, f, label);
    deal(f, &order, (const char *)label, sizeof *label, (char *)f->label);
    hiss_free(label);
    if (f->target) {
        uint8_t *target = hiss_alloc((size_t)(f->n * f->targets));
        hiss_features_targets(env, f, target);
        deal(f, &order, (const char *)target, (size_t)f->targets, (char *)f->target);
        hiss_free(target);
    }
}

/* Room to move the samples of one new tile to its owner. */
typedef struct mover {
    int64_t *samples, *bytes; /* [P+1] */
    char *packed;
} mover;

/* samples[r] = how many of index[count] the ranks before r own. */
static void split_by_owner(const hiss_features *f, int size, const int64_t *index, int64_t count, int64_t *samples) {
    int64_t place = 0;
    for (int r = 0; r <= size; r++) {
        while (place < count && index[place] < f->tile_offsets[r] * HISS_TILE) {
            place++;
        }
        samples[r] = place;
    }
}

/* Gather what `from` holds of these samples, width bytes each, to `to` on the owner. */
static void move(const hiss_eval_env *env, const hiss_features *f, mover *m, const int64_t *index, const void *from,
                 int64_t width, void *to, int owner) {
    int size = hiss_comm_size(env->comm), rank = hiss_comm_rank(env->comm);
    for (int64_t i = m->samples[rank]; i < m->samples[rank + 1]; i++) {
        int64_t local = index[i] - f->first * HISS_TILE;
        memcpy(m->packed + (i - m->samples[rank]) * width, (const char *)from + local * width, (size_t)width);
    }
    for (int r = 0; r <= size; r++) {
        m->bytes[r] = m->samples[r] * width;
    }
    hiss_comm_gather(env->comm, m->packed, m->bytes, to, owner);
}

/* The samples index[] of f to subset, whose tiles are the ranks' as it has them, or all of rank `alone`. */
static void fill_subset(const hiss_eval_env *env, const hiss_features *f, const int64_t *index, int64_t count,
                        hiss_features *subset, int alone) {
    const int size = hiss_comm_size(env->comm), rank = hiss_comm_rank(env->comm);
    const int64_t width = (int64_t)sizeof(float) * f->D;
    mover m = {hiss_new(int64_t, size + 1), hiss_new(int64_t, size + 1), hiss_alloc((size_t)(HISS_TILE * width))};
    for (int64_t first = 0; first < count; first += HISS_TILE) {
        const int64_t t = first / HISS_TILE, some = count - first < HISS_TILE ? count - first : HISS_TILE;
        const int owner = alone < 0 ? eval_tile_owner(subset, t) : alone;
        const int64_t local = rank == owner ? (t - subset->first) * HISS_TILE : 0;
        split_by_owner(f, size, index + first, some, m.samples);
        move(env, f, &m, index + first, f->rows, width, rank == owner ? subset->rows + local * f->D : NULL, owner);
        move(env, f, &m, index + first, f->label, sizeof(int32_t), rank == owner ? subset->label + local : NULL, owner);
    }
    hiss_free(m.samples);
    hiss_free(m.bytes);
    hiss_free(m.packed);
}

hiss_features *hiss_features_subset(const hiss_eval_env *env, const hiss_features *f, const int64_t *index,
                                    int64_t count) {
    hiss_features *subset = hiss_features_create(env, count, f->D, f->classes);
    fill_subset(env, f, index, count, subset, -1);
    return subset;
}

hiss_features *eval_features_collect(const hiss_eval_env *env, const hiss_features *f, const int64_t *index,
                                     int64_t count, const hiss_eval_env *alone, int owner) {
    const bool mine = hiss_comm_rank(env->comm) == owner;
    hiss_features *subset = mine ? hiss_features_create(alone, count, f->D, f->classes) : NULL;
    fill_subset(env, f, index, count, subset, owner);
    return subset;
}

tile_sum *eval_tile_sum_create(const hiss_eval_env *env, const hiss_features *f, const bool *use, int64_t count) {
    tile_sum *sum = hiss_new(tile_sum, 1);
    int size = hiss_comm_size(env->comm);
    sum->comm = env->comm;
    sum->count = count;
    sum->offsets = hiss_new(int64_t, size + 1);
    sum->tile = hiss_new(int64_t, f->end - f->first);
    for (int r = 0; r < size; r++) {
        for (int64_t t = f->tile_offsets[r]; t < f->tile_offsets[r + 1]; t++) {
            if ((!use || use[t])) {
                if (t >= f->first && t < f->end) {
                    sum->tile[sum->local++] = t;
                }
                sum->tiles++;
            }
        }
        sum->offsets[r + 1] = sum->tiles;
    }
    sum->values = hiss_new(const double *, sum->local);
    sum->storage = hiss_new(double, sum->local *count);
    for (int64_t i = 0; i < sum->local; i++) {
        sum->values[i] = sum->storage + i * count;
    }
    return sum;
}

double *eval_tile_sum_vector(tile_sum *sum, int64_t local) {
    return sum->storage + local * sum->count;
}

void eval_tile_sum_run(tile_sum *sum, double *out) {
    hiss_tree_sum(sum->comm, sum->tiles, sum->offsets, sum->count, sum->values, out);
}

void eval_tile_sum_destroy(tile_sum *sum) {
    if (sum) {
        hiss_free(sum->offsets);
        hiss_free(sum->tile);
        hiss_free(sum->values);
        hiss_free(sum->storage);
        hiss_free(sum);
    }
}

tile_adder *eval_tile_adder_create(const hiss_eval_env *env, const hiss_features *f, const bool *use, int64_t count) {
    tile_adder *sum = hiss_new(tile_adder, 1);
    const int size = hiss_comm_size(env->comm);
    int64_t tiles = 0;
    sum->offsets = hiss_new(int64_t, size + 1);
    sum->tile = hiss_new(int64_t, f->end - f->first);
    for (int r = 0; r < size; r++) {
        for (int64_t t = f->tile_offsets[r]; t < f->tile_offsets[r + 1]; t++) {
            if (!use || use[t]) {
                if (t >= f->first && t < f->end) {
                    sum->tile[sum->local++] = t;
                }
                tiles++;
            }
        }
        sum->offsets[r + 1] = tiles;
    }
    sum->adder = hiss_tree_adder_create(env->comm, tiles, sum->offsets, count);
    return sum;
}

void eval_tile_adder_destroy(tile_adder *sum) {
    if (sum) {
        hiss_tree_adder_destroy(sum->adder);
        hiss_free(sum->offsets);
        hiss_free(sum->tile);
        hiss_free(sum);
    }
}
