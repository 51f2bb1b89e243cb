/* Which nodes of a graph the outputs need, and what is to be known of each. */
#include "hiss/program.h"

#include <math.h>
#include <string.h>

#include "export/program_impl.h"

static void mark_live(hiss_program *p) {
    const hiss_program_options *o = &p->options;
    for (int k = 0; k < o->outputs; k++) {
        export_node *n = &p->node[o->taps->tap[o->output[k]].value];
        n->live = true;
        n->readers++;
    }
    for (int i = p->count - 1; i >= 0; i--) {
        const export_node *n = &p->node[i];
        for (int k = 0; n->live && k < n->form.inputs; k++) {
            if (n->form.input[k] >= 0) {
                p->node[n->form.input[k]].live = true;
                p->node[n->form.input[k]].readers++;
            }
        }
    }
}

static bool is(const export_node *n, const char *op) {
    return strcmp(n->form.op, op) == 0;
}

/* Whether input k of a node is the weight or bias of a layer: its first dimension is not the batch's. */
static bool is_weight(const export_node *n, int k) {
    return k > 0 && n->form.inputs == 3;
}

/* A constant of one row for each sample, all of them equal, stands for any number of samples: keep one of them. */
static void shorten_constants(hiss_program *p) {
    for (int i = 0; i < p->count; i++) {
        const export_node *reader = &p->node[i];
        for (int k = 0; reader->live && k < reader->form.inputs; k++) {
            export_node *c = reader->form.input[k] >= 0 ? &p->node[reader->form.input[k]] : NULL;
            hiss_shape *shape = c ? &c->form.shape : NULL;
            if (!c || !c->form.constant || is_weight(reader, k) || shape->ndim < 2 || shape->dim[0] != p->options.m) {
                continue;
            }
            const int64_t row = hiss_shape_count(shape) / shape->dim[0];
            const size_t rest = sizeof(float) * (size_t)(row * (shape->dim[0] - 1));
            shape->dim[0] = memcmp(c->form.constant, c->form.constant + row, rest) == 0 ? 1 : shape->dim[0];
        }
    }
}

static hiss_status find_batched(hiss_program *p, hiss_error *err) {
    for (int i = 0; i < p->count; i++) {
        export_node *n = &p->node[i];
        const bool input = is(n, "input") || is(n, "labels");
        n->batched = input;
        for (int k = 0; k < n->form.inputs; k++) {
            n->batched |= n->form.input[k] >= 0 && p->node[n->form.input[k]].batched;
        }
        if (n->live && input && strcmp(n->form.name, "image") != 0) {
            return export_refuse(p, i, "it needs more than images", err);
        }
        if (n->live && n->batched && n->form.shape.dim[0] % p->options.m != 0) {
            return export_refuse(p, i, "its rows are no multiple of the number of images", err);
        }
    }
    return HISS_OK;
}

/* BatchNorm that alone reads what a layer gives goes into its weights. */
static void fold(hiss_program *p) {
    for (int i = 0; i < p->count && p->options.folds; i++) {
        const export_node *n = &p->node[i];
        export_node *before = n->live && is(n, "batch_norm_eval") ? &p->node[n->form.input[0]] : NULL;
        if (before && before->readers == 1 && (is(before, "conv2d") || is(before, "linear")) &&
            export_slot(p, before->form.input[1])) {
            before->folded = i;
        }
    }
}

hiss_status hiss_program_create(const hiss_program_options *options, hiss_program **out, hiss_error *err) {
    hiss_program *p = *out = hiss_new(hiss_program, 1);
    p->options = *options;
    p->arena = hiss_arena_create();
    p->count = hiss_graph_nodes(options->graph);
    p->node = hiss_new(export_node, p->count);
    for (int i = 0; i < p->count; i++) {
        p->node[i].form = hiss_graph_form(options->graph, i);
        p->node[i].folded = -1;
    }
    mark_live(p);
    shorten_constants(p);
    const hiss_status s = find_batched(p, err);
    if (s == HISS_OK) {
        fold(p);
    }
    return s;
}

void hiss_program_destroy(hiss_program *p) {
    if (p) {
        hiss_arena_destroy(p->arena);
        hiss_free(p->node);
        hiss_free(p);
    }
}

/* ---- what the writers share ---- */

const hiss_slot *export_slot(const hiss_program *p, int value) {
    return value >= 0 && is(&p->node[value], "parameter") ? hiss_model_at(p->options.model, p->node[value].form.slot)
                                                          : NULL;
}

const float *export_slot_values(const hiss_program *p, int slot) {
    return p->options.vector + hiss_model_at(p->options.model, slot)->offset;
}

hiss_shape export_channels_second_shape(const hiss_shape *s) {
    return s->ndim == 4 ? HISS_SHAPE(s->dim[0], s->dim[3], s->dim[1], s->dim[2]) : *s;
}

void export_channels_second(const hiss_shape *shape, const float *values, float *out) {
    if (shape->ndim != 4) {
        memcpy(out, values, sizeof(float) * (size_t)hiss_shape_count(shape));
        return;
    }
    const int64_t C = shape->dim[3], positions = shape->dim[1] * shape->dim[2];
    for (int64_t n = 0; n < shape->dim[0]; n++, values += positions * C) {
        for (int64_t c = 0; c < C; c++) {
            for (int64_t i = 0; i < positions; i++) {
                *out++ = values[i * C + c];
            }
        }
    }
}

int64_t export_rows(const export_node *n) {
    return n->batched ? -1 : n->form.shape.dim[0];
}

void export_sampling(int64_t from, int64_t to, float *weights) {
    memset(weights, 0, sizeof(float) * (size_t)(from * to));
    for (int64_t j = 0; j < to; j++, weights += from) {
        const float u = (float)from / (float)to * ((float)j + 0.5f) - 0.5f, low = floorf(u);
        const int64_t i = (int64_t)low;
        if (i >= 0 && i < from) {
            weights[i] = 1 - (u - low);
        }
        if (i >= -1 && i + 1 < from) {
            weights[i + 1] = u - low;
        }
    }
}

hiss_status export_refuse(const hiss_program *p, int node, const char *why, hiss_error *err) {
    const hiss_node_form *f = &p->node[node].form;
    return hiss_fail(err, HISS_EUSER,
                     "operation '%s'%s%s%s cannot be exported: %s; choose layers before it (--layers), or export the "
                     "arrays alone (safetensors, npz)",
                     f->op, f->name || *f->scope ? " of " : "", f->name ? f->name : f->scope, "", why);
}
