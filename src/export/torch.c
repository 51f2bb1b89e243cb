/* A module of PyTorch as source text: its parameters by name, a line of forward() for each node of the graph, and a reader
 * of safetensors of its own. Values of nodes are v0, v1 ...; names of the run stand in texts only, and as names of
 * attributes with all but letters and digits as '_'. */
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "export/program_impl.h"
#include "hiss/export.h"

typedef struct writer {
    const hiss_program *p;
    FILE *out;
    char **name; /* [slots] of attributes; NULL: not needed */
} writer;

/* ---- names ---- */

static bool is_taken(const writer *w, const char *name) {
    for (int s = 0; s < hiss_model_count(w->p->options.model); s++) {
        if (w->name[s] && strcmp(w->name[s], name) == 0) {
            return true;
        }
    }
    return false;
}

/* conv1/weight as conv1_weight, with a number behind it where two are alike. */
static void name_slot(writer *w, int slot) {
    if (slot < 0 || w->name[slot]) {
        return;
    }
    const char *full = hiss_model_at(w->p->options.model, slot)->name;
    char *plain = hiss_arena_format(w->p->arena, "%s%s", isdigit((unsigned char)*full) ? "n" : "", full);
    for (char *c = plain; *c; c++) {
        *c = isalnum((unsigned char)*c) && (unsigned char)*c < 0x80 ? *c : '_';
    }
    char *name = plain;
    for (int k = 2; is_taken(w, name); k++) {
        name = hiss_arena_format(w->p->arena, "%s_%d", plain, k);
    }
    w->name[slot] = name;
}

static void name_slots(writer *w) {
    for (int i = 0; i < w->p->count; i++) {
        const export_node *n = &w->p->node[i];
        if (n->live) {
            name_slot(w, export_slot(w->p, i) ? n->form.slot : -1);
            name_slot(w, n->form.mean_slot);
            name_slot(w, n->form.variance_slot);
        }
    }
}

/* A value in an expression. */
static const char *value_of(const writer *w, int value) {
    if (value < 0) {
        return "None";
    }
    const export_node *n = &w->p->node[value];
    return export_slot(w->p, value) ? hiss_arena_format(w->p->arena, "self.%s", w->name[n->form.slot])
           : n->form.constant       ? hiss_arena_format(w->p->arena, "self.constant%d", value)
           : n->form.name           ? n->form.name
                                    : hiss_arena_format(w->p->arena, "v%d", value);
}

static const char *x_of(const writer *w, const export_node *n, int k) {
    return value_of(w, k < n->form.inputs ? n->form.input[k] : -1);
}

/* ---- operations: what stands behind "vN = " ---- */

static void conv(writer *w, const export_node *n) {
    const hiss_conv *c = &n->form.conv;
    fprintf(w->out, "F.conv2d(%s, %s, %s, stride=%" PRId64 ", padding=%" PRId64 ")", x_of(w, n, 0), x_of(w, n, 1),
            x_of(w, n, 2), c->stride, c->pad);
}

static void conv_pool(writer *w, const export_node *n) {
    fputs("F.max_pool2d(", w->out);
    conv(w, n);
    fputs(", 2)", w->out);
}

static void conv_transposed(writer *w, const export_node *n) {
    const hiss_conv *c = &n->form.conv;
    fprintf(w->out,
            "F.conv_transpose2d(%s, %s, %s, stride=%" PRId64 ", padding=%" PRId64 ", output_padding=%" PRId64 ")",
            x_of(w, n, 0), x_of(w, n, 1), x_of(w, n, 2), c->stride, c->pad, n->form.extra);
}

static void linear(writer *w, const export_node *n) {
    fprintf(w->out, "F.linear(%s, %s, %s)", x_of(w, n, 0), x_of(w, n, 1), x_of(w, n, 2));
}

static void linear_transposed(writer *w, const export_node *n) {
    fprintf(w->out, "F.linear(%s, %s.t(), %s)", x_of(w, n, 0), x_of(w, n, 1), x_of(w, n, 2));
}

static void batch_norm(writer *w, const export_node *n) {
    fprintf(w->out, "F.batch_norm(%s, self.%s, self.%s, %s, %s, False, 0.0, %.9g)", x_of(w, n, 0),
            w->name[n->form.mean_slot], w->name[n->form.variance_slot], x_of(w, n, 1), x_of(w, n, 2), n->form.number);
}

static void max_pool(writer *w, const export_node *n) {
    const hiss_pooling *p = &n->form.pooling;
    fprintf(w->out, "F.max_pool2d(%s, %" PRId64 ", stride=%" PRId64 ", padding=%" PRId64 ")", x_of(w, n, 0), p->size,
            p->stride, p->pad);
}

static void average_pool(writer *w, const export_node *n) {
    const hiss_pooling *p = &n->form.pooling;
    fprintf(w->out, "F.avg_pool2d(%s, %" PRId64 ", stride=%" PRId64 ", padding=%" PRId64 ")", x_of(w, n, 0), p->size,
            p->stride, p->pad);
}

static void reshape(writer *w, const export_node *n) {
    const hiss_shape *to = &n->form.shape, *from = &w->p->node[n->form.input[0]].form.shape;
    fprintf(w->out, "%s%s.reshape(%" PRId64, x_of(w, n, 0), from->ndim == 4 ? ".permute(0, 2, 3, 1)" : "",
            export_rows(n));
    for (int d = 1; d < to->ndim; d++) {
        fprintf(w->out, ", %" PRId64, to->dim[d]);
    }
    fprintf(w->out, ")%s", to->ndim == 4 ? ".permute(0, 3, 1, 2)" : "");
}

static void l2_normalize(writer *w, const export_node *n) {
    fprintf(w->out, "F.normalize(%s, dim=1, eps=1e-6)", x_of(w, n, 0));
}

static void concat(writer *w, const export_node *n) {
    fputs("torch.cat((", w->out);
    for (int k = 0; k < n->form.inputs; k++) {
        fprintf(w->out, "%s, ", x_of(w, n, k));
    }
    fputs("), dim=1)", w->out);
}

static void with_number(writer *w, const export_node *n, const char *format) {
    const char *number = hiss_arena_format(w->p->arena, "%.9g", n->form.number);
    fprintf(w->out, "%s%s, %s)", format, x_of(w, n, 0), number);
}

static void leaky_relu(writer *w, const export_node *n) {
    with_number(w, n, "F.leaky_relu(");
}

static void soft_threshold(writer *w, const export_node *n) {
    with_number(w, n, "F.softshrink(");
}

static void scale(writer *w, const export_node *n) {
    with_number(w, n, "torch.mul(");
}

typedef struct counterpart {
    const char *op;
    void (*write)(writer *w, const export_node *n);
    const char *before, *between, *after; /* write NULL: of the inputs */
} counterpart;

static const counterpart counterparts[] = {
    {"conv2d", conv, NULL, NULL, NULL},
    {"conv2d_pool", conv_pool, NULL, NULL, NULL},
    {"conv2d_transposed", conv_transposed, NULL, NULL, NULL},
    {"linear", linear, NULL, NULL, NULL},
    {"linear_transposed", linear_transposed, NULL, NULL, NULL},
    {"batch_norm_eval", batch_norm, NULL, NULL, NULL},
    {"max_pool", max_pool, NULL, NULL, NULL},
    {"average_pool", average_pool, NULL, NULL, NULL},
    {"reshape", reshape, NULL, NULL, NULL},
    {"l2_normalize", l2_normalize, NULL, NULL, NULL},
    {"concat", concat, NULL, NULL, NULL},
    {"leaky_relu", leaky_relu, NULL, NULL, NULL},
    {"soft_threshold", soft_threshold, NULL, NULL, NULL},
    {"scale", scale, NULL, NULL, NULL},
    {"relu", NULL, "F.relu(", "", ")"},
    {"sigmoid", NULL, "torch.sigmoid(", "", ")"},
    {"tanh", NULL, "torch.tanh(", "", ")"},
    {"exp", NULL, "torch.exp(", "", ")"},
    {"softmax", NULL, "F.softmax(", "", ", dim=1)"},
    {"global_average_pool", NULL, "", "", ".mean(dim=(2, 3))"},
    {"stop_gradient", NULL, "", "", ".detach()"},
    {"add", NULL, "", " + ", ""},
    {"multiply", NULL, "", " * ", ""},
};

static const counterpart *counterpart_of(const char *op) {
    for (int k = 0; k < HISS_COUNT(counterparts); k++) {
        if (strcmp(counterparts[k].op, op) == 0) {
            return &counterparts[k];
        }
    }
    return NULL;
}

static void write_node(writer *w, int i) {
    const export_node *n = &w->p->node[i];
    const counterpart *c = counterpart_of(n->form.op);
    fprintf(w->out, "        v%d = ", i);
    if (c->write) {
        c->write(w, n);
    } else {
        fprintf(w->out, "%s%s", c->before, x_of(w, n, 0));
        for (int k = 1; k < n->form.inputs; k++) {
            fprintf(w->out, "%s%s", c->between, x_of(w, n, k));
        }
        fputs(c->after, w->out);
    }
    fputs(*n->form.scope ? "  # " : "", w->out);
    fprintf(w->out, "%s\n", n->form.scope);
}

/* ---- the text ---- */

static void write_shape(FILE *out, const hiss_shape *shape) {
    for (int d = 0; d < shape->ndim; d++) {
        fprintf(out, "%s%" PRId64, d ? ", " : "", shape->dim[d]);
    }
}

static const char *note_of(const hiss_program *p, const char *key) {
    const hiss_weights *w = p->options.weights;
    for (int k = 0; k < w->notes; k++) {
        if (strcmp(w->note[k].key, key) == 0) {
            return w->note[k].text;
        }
    }
    return "";
}

static void write_numbers(FILE *out, int count, const double *values) {
    for (int k = 0; k < count; k++) {
        fprintf(out, "%s%.9g", k ? ", " : "", values[k]);
    }
}

static void write_head(const writer *w) {
    const hiss_program *p = w->p;
    const hiss_center *c = p->options.center;
    fprintf(w->out,
            "\"\"\"The encoder of a run of hiss, in evaluation mode: written by %s.\n\n"
            "    import model, torch\n"
            "    encoder = model.load()\n"
            "    with torch.no_grad():\n"
            "        features = encoder(images)  # a dictionary: LAYERS to their values\n\n"
            "Images are %s. Maps come out as [N, C, H, W]; hiss\n"
            "flattens them as [N, H, W, C]. BatchNorm uses its running statistics, also in training mode.\n\"\"\"\n",
            note_of(p, "producer"),
            p->options.preprocesses ? "[N, C, H, W] as they are stored: preprocess() is part of forward()"
            : c ? "[N, C, H, W], made of stored ones by preprocess(), which is for the caller to call"
                : "[N, C, H, W], in the form that the method of the run makes of stored ones");
    fputs("import json\nimport pathlib\n\nimport torch\nfrom torch import nn\nfrom torch.nn import functional as F\n\n"
          "CHECKPOINT = ",
          w->out);
    hiss_json_text(w->out, note_of(p, "checkpoint_sha256"));
    fputs("\nLAYERS = (", w->out);
    for (int k = 0; k < p->options.outputs; k++) {
        hiss_json_text(w->out, p->options.taps->tap[p->options.output[k]].name);
        fputs(", ", w->out);
    }
    fputs(")\nARRAYS = {  # attribute: array of weights.safetensors, its shape\n", w->out);
    for (int s = 0; s < hiss_model_count(p->options.model); s++) {
        const hiss_slot *slot = hiss_model_at(p->options.model, s);
        if (w->name[s]) {
            fprintf(w->out, "    \"%s\": (", w->name[s]);
            hiss_json_text(w->out, slot->name);
            fputs(", [", w->out);
            write_shape(w->out, &slot->shape);
            fputs("]),\n", w->out);
        }
    }
    fputs("}\n", w->out);
}

static void write_matrix(FILE *out, const char *name, int64_t from, int64_t to, bool transposed) {
    float *weights = hiss_new(float, from *to);
    export_sampling(from, to, weights);
    fprintf(out, "        self.register_buffer(\"%s\", torch.zeros(%" PRId64 ", %" PRId64 "), persistent=False)\n",
            name, transposed ? from : to, transposed ? to : from);
    fprintf(out, "        for i, j, x in (");
    for (int64_t k = 0; k < from * to; k++) {
        if (weights[k] != 0) {
            fprintf(out, "(%" PRId64 ", %" PRId64 ", %.9g), ", transposed ? k % from : k / from,
                    transposed ? k / from : k % from, (double)weights[k]);
        }
    }
    fprintf(out, "):\n            self.%s[i, j] = x\n", name);
    hiss_free(weights);
}

static void write_constants(const writer *w) {
    const hiss_program *p = w->p;
    for (int i = 0; i < p->count; i++) {
        const export_node *n = &p->node[i];
        if (n->live && n->form.constant) {
            const int64_t count = hiss_shape_count(&n->form.shape);
            const hiss_shape shape = export_channels_second_shape(&n->form.shape);
            float *values = hiss_new(float, count);
            export_channels_second(&n->form.shape, n->form.constant, values);
            fprintf(w->out, "        self.register_buffer(\"constant%d\", torch.tensor([", i);
            for (int64_t k = 0; k < count; k++) {
                fprintf(w->out, "%s%.9g", k ? ", " : "", (double)values[k]);
            }
            fputs("], dtype=torch.float32).reshape(", w->out);
            write_shape(w->out, &shape);
            fputs("), persistent=False)\n", w->out);
            hiss_free(values);
        }
    }
}

static void write_init(const writer *w) {
    const hiss_program *p = w->p;
    const hiss_center *c = p->options.center;
    fputs("\n\nclass Encoder(nn.Module):\n    def __init__(self):\n        super().__init__()\n", w->out);
    for (int s = 0; s < hiss_model_count(p->options.model); s++) {
        const hiss_slot *slot = hiss_model_at(p->options.model, s);
        if (w->name[s]) {
            const hiss_shape shape = export_channels_second_shape(&slot->shape);
            const bool learns = slot->kind == HISS_SLOT_PARAMETER;
            fprintf(w->out,
                    learns ? "        self.%s = nn.Parameter(torch.zeros("
                           : "        self.register_buffer(\"%s\", torch.zeros(",
                    w->name[s]);
            write_shape(w->out, &shape);
            fputs("))\n", w->out);
        }
    }
    write_constants(w);
    if (c && c->samples) {
        write_matrix(w->out, "rows", c->H, c->height, false);
        write_matrix(w->out, "columns", c->W, c->width, true);
    }
}

static void write_preprocess(const writer *w) {
    const hiss_center *c = w->p->options.center;
    if (!c) {
        return;
    }
    fprintf(w->out,
            "\n    def preprocess(self, pixels):\n"
            "        \"\"\"Stored images [N, %" PRId64 ", %" PRId64 ", %" PRId64
            "] of values %.9g .. %.9g as the network gets them.\"\"\"\n"
            "        x = pixels.float()%s\n",
            c->C, c->H, c->W, c->low, c->low + c->span,
            c->low != 0 ? hiss_arena_format(w->p->arena, " - %.9g", c->low) : "");
    if (c->samples) {
        fputs("        x = self.rows @ x @ self.columns\n", w->out);
    } else if (c->height != c->H || c->width != c->W) {
        fprintf(w->out, "        x = x[:, :, %" PRId64 ":%" PRId64 ", %" PRId64 ":%" PRId64 "]\n", c->top,
                c->top + c->height, c->left, c->left + c->width);
    }
    if (c->own) {
        fprintf(w->out,
                "        x = x - x.mean(dim=(1, 2, 3), keepdim=True)\n"
                "        return x / x.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp(min=%.9g)\n",
                c->span / 255.0);
        return;
    }
    fprintf(w->out, "        mean, std = torch.tensor([");
    write_numbers(w->out, c->scaling->count, c->scaling->mean);
    fputs("], dtype=x.dtype, device=x.device), torch.tensor([", w->out);
    write_numbers(w->out, c->scaling->count, c->scaling->std);
    fprintf(w->out,
            "], dtype=x.dtype, device=x.device)\n"
            "        return (x / %.9g - mean.reshape(1, -1, 1, 1)) / std.reshape(1, -1, 1, 1)\n",
            c->span);
}

static void write_forward(writer *w) {
    const hiss_program *p = w->p;
    fprintf(w->out, "\n    def forward(self, image):\n%s",
            p->options.preprocesses ? "        image = self.preprocess(image)\n" : "");
    for (int i = 0; i < p->count; i++) {
        const export_node *n = &p->node[i];
        if (n->live && counterpart_of(n->form.op)) {
            write_node(w, i);
        }
    }
    fputs("        return {", w->out);
    for (int k = 0; k < p->options.outputs; k++) {
        const hiss_tap *tap = &p->options.taps->tap[p->options.output[k]];
        fputs(k ? ", " : "", w->out);
        hiss_json_text(w->out, tap->name);
        fprintf(w->out, ": %s", value_of(w, tap->value));
    }
    fputs("}\n", w->out);
}

static const char tail[] =
    "\n\ndef load(path=None):\n"
    "    \"\"\"The encoder with the arrays of a file, by default weights.safetensors beside this one.\"\"\"\n"
    "    path = pathlib.Path(path) if path else pathlib.Path(__file__).with_name(\"weights.safetensors\")\n"
    "    data = bytearray(path.read_bytes())\n"
    "    begin = 8 + int.from_bytes(data[:8], \"little\")\n"
    "    header = json.loads(data[8:begin].decode())\n"
    "    if header[\"__metadata__\"].get(\"checkpoint_sha256\") != CHECKPOINT:\n"
    "        raise ValueError(f\"{path} is of another checkpoint than {__file__}: export both again\")\n"
    "    encoder, state = Encoder(), {}\n"
    "    for name, (array, shape) in ARRAYS.items():\n"
    "        entry = header[array]\n"
    "        if entry[\"dtype\"] != \"F32\" or entry[\"shape\"] != shape:\n"
    "            raise ValueError(f\"{path}: {array} is {entry['dtype']} {entry['shape']}, expected F32 {shape}\")\n"
    "        first, end = entry[\"data_offsets\"]\n"
    "        values = torch.frombuffer(data, dtype=torch.float32, offset=begin + first, count=(end - first) // 4)\n"
    "        values = values.reshape(shape)\n"
    "        state[name] = values.permute(0, 3, 1, 2).contiguous() if len(shape) == 4 else values.clone()\n"
    "    encoder.load_state_dict(state)\n"
    "    return encoder.eval()\n";

hiss_status hiss_torch_write(const hiss_program *p, FILE *stream, hiss_error *err) {
    for (int i = 0; i < p->count; i++) {
        const hiss_node_form *f = &p->node[i].form;
        if (p->node[i].live && !counterpart_of(f->op) && !export_slot(p, i) && !f->constant && !f->name) {
            return export_refuse(p, i, "PyTorch has no counterpart that is known here", err);
        }
    }
    writer w = {.p = p, .out = stream, .name = hiss_new(char *, hiss_model_count(p->options.model) + 1)};
    name_slots(&w);
    write_head(&w);
    write_init(&w);
    write_preprocess(&w);
    write_forward(&w);
    fputs(tail, stream);
    hiss_free(w.name);
    return HISS_OK;
}
