#include "objective/parts/gains.h"

#include <math.h>

hiss_value objective_window(hiss_builder *b, double gain, const char *name, hiss_value x, int64_t F, int64_t R,
                            int64_t S) {
    if (x < 0) {
        return -1;
    }
    const hiss_shape shape = hiss_graph_shape(b->graph, x);
    const double deviation = sqrt(gain / (double)(R * S * shape.dim[shape.ndim - 1])), *before = b->deviation;
    b->deviation = &deviation;
    const hiss_value y = hiss_layer_conv_window(b, name, x, F, R, S);
    b->deviation = before;
    return y;
}
