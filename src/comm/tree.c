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
 * cannot do start its maximal subtrees.
 *
 * How many vectors are alive at once? One for each lane in flight, and one for each maximal subtree that is free of
 * them. The count grows only when a lane starts, and lanes start in ascending order: the newest then holds one, and all
 * before it are a row of whole subtrees, less what the other lanes in flight break. The first of them in a subtree of
 * level j breaks it into j + 1; the second costs j - 1 more at best, the next two j - 2, the next four j - 3, and so
 * on: the others are always best spread evenly, and what one costs more falls. So the most is the sum of the largest of
 * these costs over all subtrees of the row, and it is reached. Where a lane starts before at most `ahead` earlier ones,
 * those beyond the first gap hold at most `ahead` vectors, and what is before it is bounded as if they did not exist. */
#include <assert.h>
#include <stddef.h>

#include "comm/tree_impl.h"

enum { MOST_LEVELS = 63 };

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

/* The vectors that lanes [first, end) hold when all are done but `flying` of them, which are where they hurt most. None
 * of these lanes may be the last of the tree. */
static int64_t most_alive(int64_t lanes, int64_t first, int64_t end, int64_t flying) {
    int64_t roots[2 * MOST_LEVELS + 1], more[MOST_LEVELS] = {0}; /* how many lanes cost so many vectors more */
    const int64_t n = comm_tree_roots(lanes, first, end, roots);
    for (int64_t i = 0; i < n; i++) {
        const int64_t width = (i + 1 < n ? roots[i + 1] : end) - roots[i];
        const int level = __builtin_ctzll((unsigned long long)width);
        more[level]++;
        for (int cost = level - 1; cost > 0; cost--) {
            more[cost] += (int64_t)1 << (level - 1 - cost);
        }
    }
    int64_t alive = n;
    for (int cost = MOST_LEVELS - 1; cost > 0; cost--) {
        const int64_t taken = smaller(more[cost], flying);
        alive += cost * taken;
        flying -= taken;
    }
    return alive;
}

int64_t comm_tree_alive(int64_t lanes, int64_t first, int64_t newest, int64_t threads) {
    return 1 + most_alive(lanes, first, newest, threads - 1);
}

int64_t comm_tree_slots(int64_t lanes, int64_t first, int64_t end, int64_t threads) {
    int64_t most = 0;
    for (int64_t newest = first; newest < end; newest++) {
        const int64_t alive = comm_tree_alive(lanes, first, newest, threads);
        most = alive > most ? alive : most;
    }
    return most;
}
