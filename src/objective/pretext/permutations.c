/* Greedy choice of permutations by Hamming distance: the first is drawn; each further one is, of all 9!, the one whose
 * nearest chosen one is farthest. Among equals it is the one with the largest sum of distances, then the first in the
 * order of the alphabet. (Noroozi & Favaro, "Unsupervised learning of visual representations by solving jigsaw
 * puzzles", ECCV 2016, section 4.2, take the largest mean distance. That gives near duplicates: of 100, two differ in
 * 2 places. By the nearest one, all of the first 9 differ in all places, of the first 72 in 7, of 100 in 6, at the
 * same mean.)
 *
 * A permutation is 9 digits of 4 bits in one word. Places that differ are digits of the exclusive or that are not 0.
 * */
#include <stdbool.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/rng.h"
#include "objective/pretext/permutations.h"

enum { ALL = 362880, DIGIT = 4 };

static uint64_t pack(const uint8_t *permutation) {
    uint64_t word = 0;
    for (int k = 0; k < PERMUTED; k++) {
        word |= (uint64_t)permutation[k] << DIGIT * k;
    }
    return word;
}

static int distance(uint64_t a, uint64_t b) {
    uint64_t bits = a ^ b;
    bits |= bits >> 1;
    bits |= bits >> 2;
    return __builtin_popcountll(bits & 0x111111111ULL);
}

/* The next one in the order of the alphabet; false after the last. */
static bool advance(uint8_t *p) {
    int k = PERMUTED - 2, j = PERMUTED - 1;
    while (k >= 0 && p[k] > p[k + 1]) {
        k--;
    }
    if (k < 0) {
        return false;
    }
    while (p[j] < p[k]) {
        j--;
    }
    const uint8_t moved = p[k];
    p[k] = p[j];
    p[j] = moved;
    for (int low = k + 1, high = PERMUTED - 1; low < high; low++, high--) {
        const uint8_t other = p[low];
        p[low] = p[high];
        p[high] = other;
    }
    return true;
}

static void list_all(uint64_t *word) {
    uint8_t p[PERMUTED];
    int64_t n = 0;
    for (int k = 0; k < PERMUTED; k++) {
        p[k] = (uint8_t)k;
    }
    do {
        word[n++] = pack(p);
    } while (advance(p));
}

void pretext_permutations(uint64_t seed, int64_t count, uint8_t *out) {
    uint64_t *word = hiss_new(uint64_t, ALL);
    int64_t *score = hiss_new(int64_t, ALL); /* the sum of distances to those chosen */
    uint8_t *least = hiss_new(uint8_t, ALL); /* the distance to the nearest of them */
    hiss_rng rng = hiss_rng_keyed(seed, HISS_FOR_TARGETS, 0, 0);
    int64_t chosen = hiss_rng_below(&rng, ALL);
    list_all(word);
    memset(least, PERMUTED + 1, ALL);
    for (int64_t n = 0; n < count; n++) {
        const uint64_t last = word[chosen];
        for (int k = 0; k < PERMUTED; k++) {
            out[n * PERMUTED + k] = (uint8_t)(last >> DIGIT * k & 0xf);
        }
        int64_t best = 0;
        for (int64_t c = 0; c < ALL; c++) {
            const int d = distance(word[c], last);
            least[c] = d < least[c] ? (uint8_t)d : least[c];
            score[c] += d;
            best = least[c] > least[best] || (least[c] == least[best] && score[c] > score[best]) ? c : best;
        }
        chosen = best;
    }
    hiss_free(word);
    hiss_free(score);
    hiss_free(least);
}

int64_t pretext_least_distance(int64_t count, const uint8_t *permutations) {
    int least = PERMUTED;
    for (int64_t a = 0; a < count; a++) {
        for (int64_t b = 0; b < a; b++) {
            const int d = distance(pack(permutations + a * PERMUTED), pack(permutations + b * PERMUTED));
            least = d < least ? d : least;
        }
    }
    return least;
}
