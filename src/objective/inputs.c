/* From samples to a graph's inputs: the register of view kinds, what a method needs of the data, and the default hook,
 * which makes each view of a sample where its input is. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "hiss/objective.h"

#define VIEW(name) extern const hiss_view_kind objective_view_##name;
#include "objective/views/list.h"
#undef VIEW

static const hiss_view_kind *const kinds[] = {
#define VIEW(name) &objective_view_##name,
#include "objective/views/list.h"
#undef VIEW
};

const hiss_view_kind *hiss_view_kind_named(const char *name) {
    for (int k = 0; k < HISS_COUNT(kinds); k++) {
        if (strcmp(kinds[k]->name, name) == 0) {
            return kinds[k];
        }
    }
    return NULL;
}

/* ---- what a method needs ---- */

static const hiss_input *inputs_of(const hiss_objective_ops *objective) {
    static const hiss_input image[] = {{HISS_FIELD_IMAGE, 3, 0, "images [H,W,C]", "image", "image"}, {0}};
    return objective->input && objective->input->inputs ? objective->input->inputs : image;
}

static hiss_status fail_field(const hiss_objective_ops *objective, const hiss_input *need, const hiss_dataset *set,
                              const hiss_field *found, hiss_error *err) {
    const bool image = strcmp(need->field, HISS_FIELD_IMAGE) == 0;
    char key[sizeof "data.fields." + HISS_FIELD_NAME] = "data.images", text[HISS_FIELD_TEXT];
    if (hiss_dataset_generated(set)) {
        return hiss_fail_key(err, HISS_EUSER, "data.generate",
                             "%s needs %s in field '%s' of each sample, found %s in %s; choose another generator, or "
                             "another objective",
                             objective->name, need->what, need->field,
                             found ? hiss_field_text(found, text) : "no such field", hiss_dataset_file(set));
    }
    if (!image) {
        snprintf(key, sizeof key, "data.fields.%s", need->field);
    }
    if (!found) {
        return hiss_fail_key(err, HISS_EUSER, key,
                             "%s needs %s as a field '%s' of each sample; name their data set of %s, as in "
                             "`data: {fields: {%s: /%s}}`, or choose another objective",
                             objective->name, need->what, need->field, hiss_dataset_file(set), need->field,
                             need->field);
    }
    return hiss_fail_key(err, HISS_EUSER, key,
                         "%s needs %s in field '%s', found %s in data set %s of %s; %sname another data set, or choose "
                         "another objective",
                         objective->name, need->what, need->field, hiss_field_text(found, text),
                         hiss_field_source(set, found), hiss_dataset_file(set),
                         image && found->ndim == need->ndim + 1
                             ? "write a small d or t in data.layout to make depth or time part of the channels, "
                             : "");
}

hiss_status hiss_objective_expect(const hiss_objective_ops *objective, const hiss_dataset *set, hiss_error *err) {
    for (const hiss_input *need = inputs_of(objective); need->field; need++) {
        const hiss_field *found = hiss_dataset_field(set, need->field);
        if (!found || found->ndim != need->ndim || (need->dtypes && !(need->dtypes >> found->dtype & 1u))) {
            return fail_field(objective, need, set, found, err);
        }
    }
    return HISS_OK;
}

/* ---- a graph's inputs ---- */

const hiss_field *hiss_task_field(const hiss_task *task, const char *name) {
    for (int k = 0; k < task->fields; k++) {
        if (strcmp(task->field[k].name, name) == 0) {
            return &task->field[k];
        }
    }
    return NULL;
}

hiss_inputs hiss_inputs_bind(const hiss_objective_ops *objective, const hiss_task *task, const hiss_graph *graph) {
    hiss_inputs inputs = {.image = hiss_graph_input_named(graph, "image"),
                          .label = hiss_graph_input_named(graph, "label")};
    for (const hiss_input *need = inputs_of(objective); need->field; need++) {
        const hiss_value value = need->view ? hiss_graph_input_named(graph, need->name) : -1;
        if (value >= 0) {
            struct hiss_bound_input *bound = &inputs.input[inputs.count++];
            const hiss_shape shape = hiss_graph_shape(graph, value);
            bound->kind = hiss_view_kind_named(need->view);
            bound->field = hiss_task_field(task, need->field);
            assert(bound->field && "hiss_objective_expect has found it");
            bound->value = value;
            bound->floats = bound->kind->floats(task, bound->field);
            assert(bound->floats * shape.dim[0] == hiss_shape_count(&shape));
        }
    }
    return inputs;
}

int64_t hiss_task_scratch(const hiss_task *task) {
    const hiss_field *image = &task->field[0];
    return image->dtype == HISS_U8 && image->low == 0 ? 0 : hiss_field_count(image);
}

void hiss_lane_sample_view(const hiss_lane *lane, int64_t i, int64_t view, int64_t views, float *out) {
    objective_view_image.make(lane, i, &lane->task->field[0], view, views, out);
}

float *hiss_lane_values(const hiss_lane *lane, hiss_value value, int64_t i) {
    const hiss_shape shape = hiss_graph_shape(lane->graph, value);
    return hiss_exec_data(lane->exec, value) + i * (hiss_shape_count(&shape) / shape.dim[0]);
}

void hiss_lane_default_sample(const hiss_lane *lane, int64_t i) {
    const hiss_inputs *inputs = lane->inputs;
    for (int k = 0; k < inputs->count; k++) {
        const struct hiss_bound_input *in = &inputs->input[k];
        in->kind->make(lane, i, in->field, 0, 1, hiss_exec_data(lane->exec, in->value) + i * in->floats);
    }
    if (inputs->label >= 0) {
        ((int32_t *)hiss_exec_data(lane->exec, inputs->label))[i] = lane->batch->label[i];
    }
}

/* ---- few labels ---- */

int64_t hiss_labelled_turn(const hiss_task *task, const hiss_placement *placement, int64_t step, int64_t lane,
                           int64_t i) {
    const int64_t count = placement->labelled->m, taken = (step * placement->lanes + lane) * placement->m + i;
    const hiss_permutation order = hiss_permutation_keyed(task->seed, HISS_FOR_LABELLED, taken / count, 0, count);
    return hiss_permutation_at(&order, taken % count);
}
