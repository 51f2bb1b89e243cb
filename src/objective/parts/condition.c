#include "objective/parts/condition.h"

hiss_value objective_condition(const hiss_task *task, bool conditional, hiss_graph *graph, int64_t m) {
    return conditional ? hiss_graph_input(graph, "class", HISS_SHAPE(m, task->classes)) : -1;
}

void objective_set_condition(const hiss_task *task, const hiss_lane *lane, int64_t i, int64_t class) {
    float *y = hiss_lane_values(lane, hiss_graph_input_named(lane->graph, "class"), i);
    for (int64_t c = 0; c < task->classes; c++) {
        y[c] = c == class ? 1.0f : 0.0f;
    }
}
