/* A model of pixels in order on stage, with its training graph: what tests of these share. */
#ifndef HISS_TESTS_PIXEL_NET_H
#define HISS_TESTS_PIXEL_NET_H

#include "../graph_support.h"

#include "../serial_comm.h"
#include "../stage.h"

typedef struct net { /* a method and its training graph on m images of H x W */
    hiss_comm comm;
    stage s;
    rig r;
    hiss_value logits, image;
    int64_t m, D, of_pixel;
} net;

/* The value that the loss has logits, or other parameters, from: the input of its node, through views and scales. */
static inline hiss_value logits_of(const hiss_graph *g, int64_t floats) {
    hiss_value found = -1;
    for (int i = 0; i < hiss_graph_nodes(g); i++) {
        const hiss_node_info info = hiss_graph_node(g, i);
        const bool wide = info.shape.ndim == 4 || strcmp(info.op, "nade") == 0;
        found = wide && hiss_shape_count(&info.shape) == floats && strcmp(info.op, "input") != 0 ? i : found;
    }
    return found;
}

static inline void open_net(net *n, const char *name, const char *text, int64_t H, int64_t W, int64_t m,
                            int64_t of_pixel, const hiss_kernels *kernels) {
    memset(n, 0, sizeof *n);
    hiss_error err = {0};
    const stage_given given = {.seed = 9,
                               .samples = 2 * m,
                               .stored_H = H,
                               .stored_W = W,
                               .C = 1,
                               .classes = 3,
                               .lanes = 1,
                               .m = m,
                               .comm = &n->comm,
                               .kernels = kernels};
    n->r = rig_open();
    if (stage_open(&n->s, name, text, given, NULL, &err) != HISS_OK ||
        n->s.ops->build(n->s.method, 0, &n->r.b, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    n->m = m;
    n->D = H * W;
    n->of_pixel = of_pixel;
    n->logits = logits_of(n->r.graph, m * n->D * of_pixel);
    n->image = hiss_graph_input_named(n->r.graph, "image");
    assert_true(n->logits >= 0);
    hiss_graph_keep(n->r.graph, n->logits);
    hiss_graph_keep(n->r.graph, n->image);
    rig_ready(&n->r, kernels);
    for (int k = 0; k < hiss_model_count(n->r.model); k++) { /* so that biases matter, and NADE's weights */
        const hiss_slot *slot = hiss_model_at(n->r.model, k);
        for (int64_t i = 0; i < slot->count && slot->deviation == 0.01; i++) {
            n->r.vector[slot->offset + i] *= 60.0f;
        }
    }
}

static inline void close_net(net *n) {
    rig_close(&n->r);
    stage_close(&n->s);
}

static inline const float *run_net(net *n) {
    hiss_exec_forward(n->r.exec, &n->r.run, 0, hiss_graph_nodes(n->r.graph), NULL, NULL);
    return hiss_exec_data(n->r.exec, n->logits);
}

#endif
