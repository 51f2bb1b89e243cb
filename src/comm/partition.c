/* Even partition: the one rule by which things are spread over parts. */
#include <assert.h>

#include "hiss/comm.h"

void hiss_partition(int64_t n, int64_t parts, int64_t *offsets) {
    assert(n >= 0 && parts > 0);
    const int64_t each = n / parts, longer = n % parts;
    for (int64_t i = 0; i <= parts; i++) {
        offsets[i] = each ? i * each + (i < longer ? i : longer) : (i * n + parts - 1) / parts;
    }
}
