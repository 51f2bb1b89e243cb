/* Random numbers: Philox-4x32-10, a counter-based generator (Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers:
 * As Easy as 1, 2, 3", SC 2011, section 3.3).
 *
 * A stream is named by (seed, purpose, when, id) and holds no other state, so what is drawn never depends on rank,
 * thread or order. Nothing here is collective; a hiss_rng is owned by one thread. */
#ifndef HISS_RNG_H
#define HISS_RNG_H

#include <stdint.h>

/* What a stream is for. Values are part of every result's bits: append only. */
typedef enum hiss_purpose {
    HISS_FOR_PARAMETERS = 1,   /* when 0, id = parameter index */
    HISS_FOR_TARGETS = 2,      /* when 0, id = target index */
    HISS_FOR_ASSIGNMENT = 3,   /* initial assignment: when 0, id 0 */
    HISS_FOR_SHUFFLE = 4,      /* order of a shard: when = epoch, id = lane */
    HISS_FOR_AUGMENTATION = 5, /* when = epoch, id = sample (view v of V: sample*V + v) */
    HISS_FOR_DROPOUT = 6,      /* when = step, id = node index * lanes + lane */
    HISS_FOR_BLOCKS = 7,       /* which lanes form a block: when = step, id 0 */
    HISS_FOR_ORDER = 8,        /* data: {order: permuted}: when 0, id 0 */
    HISS_FOR_PREPARE = 9,      /* shuffle of hiss prepare */
    HISS_FOR_EVALUATION = 10,
    HISS_FOR_TESTS = 11,
    HISS_FOR_VIEWS = 13,      /* views of a feature pass: when = epoch, id = sample*64 + view */
    HISS_FOR_LABELLED = 14,   /* order of labelled samples: when = pass, id 0 */
    HISS_FOR_GENERATION = 21, /* samples of a generator: when = part, id = row; the split of items: when = 2, id 0 */
    HISS_FOR_STUDIES = 20,    /* order of a study's runs: when = repeat; bootstrap: id = stream */
    HISS_FOR_NOISE = 12       /* noise of a method (VAE eps, GAN z, corruption): when = step, id = sample */
} hiss_purpose;

/* Philox-4x32-10 itself: 4 output words of one counter under one key. */
void hiss_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

typedef struct hiss_rng {
    uint32_t key[2];
    uint32_t counter[4]; /* {block, when, id low, purpose << 16 | id bits 32..47}; block < 2^32 - 1 */
    uint32_t word[4];
    int left; /* words of the current block not yet used */
} hiss_rng;

/* The stream (seed, purpose, when, id), at its start.  0 <= id < 2^48, 0 <= when < 2^32 (asserted). */
hiss_rng hiss_rng_keyed(uint64_t seed, hiss_purpose purpose, int64_t when, int64_t id);
uint32_t hiss_rng_word(hiss_rng *rng);                        /* 32 random bits */
float hiss_rng_uniform(hiss_rng *rng);                        /* [0, 1), multiples of 2^-24 */
void hiss_rng_uniforms(hiss_rng *rng, int64_t n, float *out); /* n of them, out[n]: as so many calls of the last */
float hiss_rng_between(hiss_rng *rng, float low, float high); /* low + (high - low) * uniform */
int64_t hiss_rng_below(hiss_rng *rng, int64_t n);             /* unbiased in [0, n), n >= 1 */
void hiss_rng_normals(hiss_rng *rng, int64_t n, float *out);  /* n standard normals (Box-Muller), out[n] */

/* A random permutation of 0..n-1, 1 <= n <= 2^62, that is computed, not stored: a balanced Feistel network on Philox
 * over the next power of four, with cycle walking (n <= 16: dealt card by card, exactly uniform).  O(1) memory and
 * expected O(1) time per look-up.  Independent of the numbers drawn from the stream of the same name. */
typedef struct hiss_permutation {
    int64_t n;
    int half_bits; /* the network works on 2*half_bits bits */
    uint32_t key[2];
    uint32_t tweak[2];
} hiss_permutation;

hiss_permutation hiss_permutation_keyed(uint64_t seed, hiss_purpose purpose, int64_t when, int64_t id, int64_t n);
int64_t hiss_permutation_at(const hiss_permutation *p, int64_t index);   /* image of index */
int64_t hiss_permutation_find(const hiss_permutation *p, int64_t image); /* index whose image it is */

#endif
