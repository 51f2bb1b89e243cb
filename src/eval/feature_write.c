/* Features of a data set into a file. In each round every rank embeds a tile, and rank 0 takes the tiles one after the
 * other and writes them, so that no rank holds more than a tile, or one more on rank 0, however many samples and ranks there
 * are, and one process alone writes the file, which every file system allows. While it writes, the others embed their next
 * tile. */
#include <assert.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"
#include "hiss/clock.h"
#include "hiss/log.h"
#include "hiss/nn.h"

enum { TELL_SECONDS = 10 };

typedef struct writing {
    const hiss_eval_env *env;
    feature_file *file; /* on rank 0 */
    int layers;
    int64_t *offsets; /* [P+1] */
    char *tile;       /* on rank 0: what one rank has of one layer, or of targets */
} writing;

/* Rows first .. of the samples of f, on all ranks, to the file: what one holds at `from`, width bytes a sample. */
static hiss_status collect(writing *w, const hiss_features *f, int part, int64_t first, const void *from, int64_t width,
                           hiss_error *err) {
    const int size = hiss_comm_size(w->env->comm);
    const bool root = hiss_comm_rank(w->env->comm) == 0;
    hiss_status s = HISS_OK;
    for (int r = 0; r < size; r++) {
        const int64_t begin = f->tile_offsets[r] * HISS_TILE, past = f->tile_offsets[r + 1] * HISS_TILE;
        const int64_t count = (past < f->n ? past : f->n) - begin;
        for (int q = 0; q <= size; q++) {
            w->offsets[q] = q > r && count > 0 ? count * width : 0;
        }
        hiss_comm_gather(w->env->comm, from, w->offsets, w->tile, 0);
        if (root && s == HISS_OK && count > 0) {
            s = part < w->layers ? eval_feature_file_rows(w->file, part, first + begin, count, (float *)w->tile, err)
                                 : eval_feature_file_targets(w->file, first + begin, count, (uint8_t *)w->tile, err);
        }
    }
    return s;
}

static hiss_status collect_all(writing *w, hiss_features *const *f, int64_t first, hiss_error *err) {
    hiss_status s = HISS_OK;
    for (int l = 0; l < w->layers; l++) { /* all of them, also after an error: the other ranks send */
        hiss_error why;
        const hiss_status mine =
            collect(w, f[l], l, first, f[l]->rows, (int64_t)sizeof(float) * f[l]->D, s == HISS_OK ? err : &why);
        s = s == HISS_OK ? mine : s;
    }
    if (f[0]->targets) {
        hiss_error why;
        const hiss_status mine =
            collect(w, f[0], w->layers, first, f[0]->target, f[0]->targets, s == HISS_OK ? err : &why);
        s = s == HISS_OK ? mine : s;
    }
    return s;
}

hiss_status hiss_features_write(const hiss_eval_env *env, const hiss_sample_range *range, int layers,
                                const hiss_layer_size *layer, int64_t batch, hiss_embed embed, void *user,
                                const hiss_feature_output *output, hiss_error *err) {
    assert(layers >= 1 && layers <= HISS_MAX_TAPS && range->begin == 0 && !range->index);
    const bool root = hiss_comm_rank(env->comm) == 0;
    const int64_t n = range->count, round = HISS_TILE * (int64_t)hiss_comm_size(env->comm);
    const hiss_field *targets = eval_targets_of(range->set);
    const int64_t K = targets ? hiss_field_count(targets) : 0;
    writing w = {.env = env, .layers = layers, .offsets = hiss_new(int64_t, hiss_comm_size(env->comm) + 1)};
    int64_t widest = K;
    for (int l = 0; l < layers; l++) {
        const int64_t width = (int64_t)sizeof(float) * layer[l].D;
        widest = width > widest ? width : widest;
    }
    w.tile = root ? hiss_alloc((size_t)(HISS_TILE * widest)) : NULL;
    hiss_error why = {0}; /* of written, which is agreed on behind the next tiles: meanwhile all embed them */
    hiss_status s = HISS_OK, written = HISS_OK;
    if (root) {
        written = eval_feature_file_create(output, range->set, n, K, layers, layer, &w.file, &why);
    }
    double told = hiss_seconds();
    for (int64_t first = 0; first < n && s == HISS_OK; first += round) {
        hiss_features *f[HISS_MAX_TAPS] = {NULL};
        const int64_t count = n - first < round ? n - first : round;
        s = eval_features_extract_part(env, range, first, count, layers, layer, batch, embed, user, f, err);
        if (s == HISS_OK && (s = hiss_comm_agree(env->comm, written, &why)) != HISS_OK) {
            *err = why;
        }
        written = s == HISS_OK ? collect_all(&w, f, first, &why) : s;
        for (int l = 0; l < layers; l++) {
            hiss_features_destroy(f[l]);
        }
        if (s == HISS_OK && root && hiss_seconds() - told > TELL_SECONDS) {
            told = hiss_seconds();
            hiss_info("features of %lld of %lld samples", (long long)(first + count), (long long)n);
        }
    }
    if (s == HISS_OK && (s = written) != HISS_OK) {
        *err = why;
    }
    s = hiss_comm_agree(env->comm, s == HISS_OK ? hiss_dataset_unchanged(range->set, err) : s, err);
    s = hiss_comm_agree(env->comm, eval_feature_file_end(w.file, s, err), err);
    hiss_free(w.offsets);
    hiss_free(w.tile);
    return s;
}
