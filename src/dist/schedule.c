/* The reducer's schedule as data.
 *
 * A bucket is cut into one piece per rank; the owner of a piece receives it from every subtree root of every other
 * rank, finishes the tree and sends the result to every other rank. That is a direct reduce-scatter and a direct
 * all-gather: with one root per rank each rank sends 2 (P-1)/P of the bucket, as a ring does, but in two steps instead
 * of 2 (P-1), and no rank adds anything that is not its own. Pieces are cut into slices so that the owner can add and
 * answer the first slice while the next ones are on their way. */
#include <assert.h>

#include "dist/tree_impl.h"
#include "hiss/alloc.h"

/* Where piece q of P begins. On a multiple of the alignment counted from the start of the lane vector, or at the ends.
 */
static int64_t cut(int64_t begin, int64_t end, int64_t q, int64_t size) {
    int64_t at = begin + (end - begin) / size * q + (end - begin) % size * q / size;
    at = (at + HISS_ALIGN_FLOATS - 1) / HISS_ALIGN_FLOATS * HISS_ALIGN_FLOATS;
    return q == 0 ? begin : q == size || at > end ? end : at;
}

/* Append the slices of piece [begin, end) to slices (NULL: only count). Returns their number. */
static int64_t append(hiss_slice *slices, int bucket, int owner, int *number, int64_t begin, int64_t end,
                      int64_t longest) {
    int64_t n = 0;
    for (int64_t at = begin; at < end; at += longest, n++) {
        if (slices) {
            int64_t stop = end - at > longest ? at + longest : end;
            slices[n] = (hiss_slice){bucket, owner, (*number)++, at, stop};
        }
    }
    return n;
}

/* All slices (NULL: only count), and where each bucket's begin. numbers [P], zero. Returns their number. */
static int64_t cut_buckets(hiss_schedule *s, int buckets, const int64_t *bucket_offsets, bool owners, int64_t longest,
                           hiss_slice *slices, int *numbers) {
    int64_t n = 0;
    int pieces = owners ? s->size : 1;
    for (int b = 0; b < buckets; b++) {
        s->slice_offsets[b] = n;
        for (int q = 0; q < pieces; q++) {
            int64_t begin = cut(bucket_offsets[b], bucket_offsets[b + 1], q, pieces);
            int64_t end = cut(bucket_offsets[b], bucket_offsets[b + 1], q + 1, pieces);
            n += append(slices ? slices + n : NULL, b, owners ? q : HISS_EVERYONE, numbers + q, begin, end, longest);
        }
    }
    s->slice_offsets[buckets] = n;
    return n;
}

void hiss_schedule_make(hiss_schedule *s, int size, int64_t lanes, const int64_t *lane_offsets, int buckets,
                        const int64_t *bucket_offsets, bool owners, int64_t longest) {
    assert(longest > 0 && longest % HISS_ALIGN_FLOATS == 0);
    *s = (hiss_schedule){.size = size};
    s->root_offsets = hiss_new(int64_t, size + 1);
    for (int r = 0; r < size; r++) {
        s->root_offsets[r + 1] =
            s->root_offsets[r] + hiss_tree_roots(lanes, lane_offsets[r], lane_offsets[r + 1], NULL);
    }
    int64_t n = s->root_offsets[size];
    s->roots = hiss_new(int64_t, n);
    s->into = hiss_new(int64_t, n);
    s->from = hiss_new(int64_t, n);
    for (int r = 0; r < size; r++) {
        hiss_tree_roots(lanes, lane_offsets[r], lane_offsets[r + 1], s->roots + s->root_offsets[r]);
    }
    hiss_tree_additions(lanes, n, s->roots, s->into, s->from);

    int *numbers = hiss_new(int, size);
    s->slice_offsets = hiss_new(int64_t, buckets + 1);
    s->slices = hiss_new(hiss_slice, cut_buckets(s, buckets, bucket_offsets, owners, longest, NULL, numbers));
    cut_buckets(s, buckets, bucket_offsets, owners, longest, s->slices, numbers);
    hiss_free(numbers);
}

void hiss_schedule_free(hiss_schedule *s) {
    hiss_free(s->slices);
    hiss_free(s->slice_offsets);
    hiss_free(s->from);
    hiss_free(s->into);
    hiss_free(s->roots);
    hiss_free(s->root_offsets);
}
