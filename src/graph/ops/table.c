/* The operation table: to add an operation, add its file here, its line in list.h, and its builder in hiss/graph.h. The
 * gradient test walks this table, so an operation without example or exemption cannot pass. */
#include <assert.h>

#include "graph/ops/ops.h"

static const op *const table[] = {
#define OP(name) &graph_op_##name,
#include "graph/ops/list.h"
#undef OP
};

int hiss_op_count(void) {
    return (int)(sizeof table / sizeof *table);
}

const op *graph_op_at(int i) {
    assert(i >= 0 && i < hiss_op_count());
    return table[i];
}

const char *hiss_op_name(int i) {
    return graph_op_at(i)->name;
}

const hiss_word *hiss_op_word(int i) {
    return graph_op_at(i)->word.build ? &graph_op_at(i)->word : NULL;
}

bool hiss_op_example(int i, int variant, hiss_graph *graph, const char **exempt) {
    const op *o = graph_op_at(i);
    *exempt = o->exempt;
    if (o->example) {
        o->example(graph, variant);
    }
    return o->example != NULL;
}
