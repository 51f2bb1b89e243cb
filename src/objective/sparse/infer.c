/* Codes of rows by a dictionary of atoms. */
#include "objective/sparse/infer.h"

#include "hiss/alloc.h"

hiss_value sparse_atoms(hiss_builder *b, const char *name, int64_t K, int64_t D) {
    return hiss_layer_unit_rows(b, name, K, D);
}

static hiss_sparse_inference steps_of(const sparse_inference *how) {
    return (hiss_sparse_inference){
        .lambda = how->lambda, .steps = how->steps, .momentum = how->algorithm == SPARSE_FISTA};
}

hiss_value sparse_infer(hiss_builder *b, hiss_value x, hiss_value atoms, const sparse_inference *how) {
    const hiss_sparse_inference steps = steps_of(how);
    return hiss_graph_sparse_code(b->graph, x, atoms, &steps);
}

hiss_value sparse_infer_map(hiss_builder *b, hiss_value x, hiss_value atoms, int64_t pad, const sparse_inference *how) {
    const hiss_sparse_inference steps = steps_of(how);
    return hiss_graph_sparse_code_conv2d(b->graph, x, atoms, pad, &steps);
}

/* Zeros of the same shape. */
static hiss_value zeros_like(hiss_builder *b, hiss_value x) {
    if (x < 0) {
        return -1;
    }
    return hiss_graph_filled(b->graph, hiss_graph_shape(b->graph, x), 0.0f);
}

hiss_value sparse_error(hiss_builder *b, hiss_value x, hiss_value rebuilt, double scale) {
    return hiss_graph_squared_loss(b->graph, rebuilt, x, 0.5 * scale);
}

hiss_value sparse_cost(hiss_builder *b, hiss_value code, double scale) {
    return hiss_graph_absolute_loss(b->graph, code, zeros_like(b, code), scale);
}

hiss_value sparse_active(hiss_builder *b, hiss_value code, double scale) {
    hiss_graph *g = b->graph;
    const hiss_value zeros = zeros_like(b, code);
    const hiss_value active = hiss_graph_add(g, hiss_graph_less(g, zeros, code), hiss_graph_less(g, code, zeros));
    return hiss_graph_squared_loss(g, active, zeros, scale);
}
