/* One small graph per operation, with odd shapes that change by variant, for the gradient check. */
#include "graph/ops/ops.h"

void hiss_example_conv2d(hiss_graph *g, int variant) {
    static const int64_t v[][9] = {/* N H W C F R S stride pad */ {2, 5, 6, 3, 4, 3, 3, 1, 1},
                                   {1, 7, 5, 1, 5, 3, 2, 2, 0},
                                   {3, 9, 9, 2, 3, 5, 5, 3, 2},
                                   {2, 4, 4, 8, 16, 1, 1, 1, 0},
                                   {1, 13, 11, 2, 7, 4, 4, 4, 3}};
    const int64_t *d = v[variant % 5];
    hiss_value bias = variant % 2 ? -1 : graph_example_slot(g, 2, HISS_SHAPE(d[4]));
    graph_example_weigh(g, hiss_conv2d(g, graph_example_slot(g, 0, HISS_SHAPE(d[0], d[1], d[2], d[3])),
                                       graph_example_slot(g, 1, HISS_SHAPE(d[4], d[5], d[6], d[3])), bias, d[7], d[8]));
}

void hiss_example_conv2d_transposed(hiss_graph *g, int variant) {
    static const int64_t v[][10] = {/* N P Q F C R S stride pad extra */ {2, 3, 4, 3, 2, 4, 4, 2, 1, 0},
                                    {1, 3, 3, 5, 1, 5, 5, 2, 1, 1},
                                    {2, 2, 3, 2, 3, 3, 3, 1, 1, 0},
                                    {1, 2, 2, 4, 3, 3, 2, 3, 0, 2}};
    const int64_t *d = v[variant % 4];
    hiss_value x = graph_example_slot(g, 0, HISS_SHAPE(d[0], d[1], d[2], d[3]));
    hiss_value bias = variant % 2 ? -1 : graph_example_slot(g, 2, HISS_SHAPE(d[4]));
    hiss_value y = hiss_conv2d_transposed(g, x, graph_example_slot(g, 1, HISS_SHAPE(d[3], d[5], d[6], d[4])), bias,
                                          d[7], d[8], d[9]);
    if (variant == 2) { /* two readers of x: the accumulating path */
        hiss_value again = hiss_conv2d_transposed(g, x, graph_example_slot(g, 3, HISS_SHAPE(d[3], d[5], d[6], d[4])),
                                                  -1, d[7], d[8], d[9]);
        y = hiss_add(g, y, again);
    }
    graph_example_weigh(g, y);
}

void hiss_example_linear(hiss_graph *g, int variant) {
    const int64_t M = 3 + variant, D = 5 + 2 * variant, F = 1 + 3 * variant;
    hiss_value bias = variant % 2 ? graph_example_slot(g, 2, HISS_SHAPE(F)) : -1;
    graph_example_weigh(g, hiss_linear(g, graph_example_slot(g, 0, HISS_SHAPE(M, D)),
                                       graph_example_slot(g, 1, HISS_SHAPE(F, D)), bias));
}

void hiss_example_batch_norm_train(hiss_graph *g, int variant) {
    const int64_t C = 3 + 5 * variant;
    hiss_value x = graph_example_slot(g, 0, variant % 2 ? HISS_SHAPE(7, C) : HISS_SHAPE(2, 3, 4, C));
    hiss_value gamma = variant == 2 ? -1 : graph_example_slot(g, 1, HISS_SHAPE(C)),
               beta = variant == 2 ? -1 : graph_example_slot(g, 2, HISS_SHAPE(C));
    graph_example_weigh(g, hiss_batch_norm(g, x, gamma, beta, 8, 9, 1e-5, true));
}

void hiss_example_max_pool(hiss_graph *g, int variant) {
    static const int64_t v[][3] = {/* size stride pad */ {2, 2, 0}, {3, 2, 0}, {3, 2, 1}, {2, 1, 1}};
    graph_example_weigh(g, hiss_max_pool(g, graph_example_slot(g, 0, HISS_SHAPE(2, 7, 6, 1 + 4 * (variant % 3))),
                                         v[variant % 4][0], v[variant % 4][1], v[variant % 4][2]));
}

void hiss_example_average_pool(hiss_graph *g, int variant) {
    static const int64_t v[][3] = {{2, 2, 0}, {3, 2, 1}, {3, 1, 0}, {6, 6, 0}};
    graph_example_weigh(g, hiss_average_pool(g, graph_example_slot(g, 0, HISS_SHAPE(2, 7, 6, 1 + 4 * (variant % 3))),
                                             v[variant % 4][0], v[variant % 4][1], v[variant % 4][2]));
}
