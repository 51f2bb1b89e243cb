/* The canonical tree.
 *
 * Floating-point sums depend on their association. Here it depends on the number of lanes alone: node (level j, index
 * k) covers lanes [k 2^j, min(L, (k+1) 2^j)) and is left child + right child, or the left child alone when the right
 * one is empty. Rank r computes what it can from its own lanes, which is the maximal nodes inside its range.
 *
 * Everything about this tree follows from one remark. Keep the sum of a node in the vector of its first lane. Then each
 * addition is named by the lane x > 0 that starts its right child: a lane starts right children on one level only,
 * j = the number of trailing zero bits of x, and the vector of x is added to that of x - 2^j (x with its lowest bit
 * cleared: a binomial tree). Truncation at L needs no case of its own: an empty right child has no lane that names it.
 * So a rank can do the addition of x iff [x - 2^j, min(L, x + 2^j)) lies in its range, and the lanes whose addition it
 * cannot do start its maximal subtrees. */
#include <assert.h>
#include <stddef.h>

#include "comm/tree_impl.h"

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

int comm_tree_level(int64_t lane) {
    assert(lane > 0);
    return __builtin_ctzll((unsigned long long)lane);
}

int64_t comm_tree_parent(int64_t lane) {
    assert(lane > 0);
    return lane & (lane - 1);
}

int comm_tree_height(int64_t lanes) {
    int height = 0;
    while (((int64_t)1 << height) < lanes) {
        height++;
    }
    return height;
}

bool comm_tree_within(int64_t lanes, int64_t lane, int64_t first, int64_t end) {
    int64_t width = (int64_t)1 << comm_tree_level(lane);
    return lane - width >= first && smaller(lanes, lane + width) <= end;
}

int64_t comm_tree_roots(int64_t lanes, int64_t first, int64_t end, int64_t *roots) {
    assert(0 <= first && first <= end && end <= lanes);
    int64_t n = 0;
    for (int64_t lane = first, width; lane < end; lane += width) {
        int highest = lane ? comm_tree_level(lane) : comm_tree_height(lanes);
        width = (int64_t)1 << highest;
        while (smaller(lanes, lane + width) > end) {
            width /= 2;
        }
        if (roots) {
            roots[n] = lane;
        }
        n++;
    }
    return n;
}

static int64_t find(int64_t n, const int64_t *ascending, int64_t value) {
    int64_t low = 0, high = n;
    while (high - low > 1) {
        int64_t middle = (low + high) / 2;
        if (ascending[middle] <= value) {
            low = middle;
        } else {
            high = middle;
        }
    }
    assert(ascending[low] == value);
    return low;
}

int64_t comm_tree_additions(int64_t lanes, int64_t first, int64_t end, int64_t n, const int64_t *roots, int64_t *into,
                            int64_t *from) {
    int64_t done = 0;
    for (int level = 0; level < comm_tree_height(lanes); level++) {
        for (int64_t i = 0; i < n; i++) {
            if (roots[i] > 0 && comm_tree_level(roots[i]) == level && comm_tree_within(lanes, roots[i], first, end)) {
                into[done] = find(n, roots, comm_tree_parent(roots[i]));
                from[done] = i;
                done++;
            }
        }
    }
    return done;
}

/* The lanes started so far are [first, f). Those in flight hold a vector each; all others are in maximal subtrees of
 * [first, f) less the lanes in flight, and a missing lane breaks a subtree of level j into at most j. */
int64_t comm_tree_slots(int64_t lanes, int64_t first, int64_t end, int64_t threads) {
    int64_t most = 0;
    int highest = comm_tree_height(end - first);
    for (int64_t started = first; started <= end; started++) {
        int64_t n = comm_tree_roots(lanes, first, started, NULL);
        most = n > most ? n : most;
    }
    most += threads * (highest > 1 ? highest : 1);
    return smaller(most, end - first);
}
