/* The config file as a whole: which sections there are, and who owns them. */
#include <assert.h>
#include <string.h>

#include "experiment/interval.h"
#include "experiment/sections.h"
#include "hiss/generate.h"
#include "hiss/log.h"
#include "hiss/reducer.h"

typedef hiss_experiment ex;

static const hiss_row top_rows[] = {
    {"seed", HISS_INT, offsetof(ex, seed), "1", 0, 9007199254740992.0, NULL, "seed of every random stream"},
    {"objective", HISS_NAME, offsetof(ex, objective_name), "nat", 0, 0, hiss_objective_choices, "method"},
    {"kernels", HISS_NAME, offsetof(ex, kernels_name), "blas", 0, 0, hiss_kernels_choices, "kernel backend"},
    {"precision", HISS_CHOICE, offsetof(ex, precision), "float32", 0, 0, HISS_PRECISION_CHOICES,
     "what convolutions and linear layers multiply in; all else is float32. bf16 needs a processor with AVX512-BF16"},
    {"kernel_table", HISS_PATH, offsetof(ex, kernel_table), NULL, 0, 0, NULL,
     "file of hiss bench kernels --save: which implementation computes which shape (default: built in)"},
};

#define TRAIN(field) offsetof(hiss_train_options, field)
static const hiss_row train_rows[] = {
    {"epochs", HISS_INT, TRAIN(epochs), "10", 1, 1e9, NULL, "passes over the data"},
    {"steps", HISS_INT, TRAIN(steps), "0", 0, 1e15, NULL,
     "end after so many steps, a schedule still counts all epochs; 0: after the epochs"},
    {"lanes", HISS_INT, TRAIN(lanes), "2", 1, 65536, NULL, "L: logical workers; the batch is lanes * lane_samples"},
    {"lane_samples", HISS_INT, TRAIN(lane_samples), "32", 1, 65536, NULL, "m: samples of a lane per step"},
    {"statistics_momentum", HISS_FLOAT, TRAIN(statistics_momentum), "0.1", 1e-6, 1, NULL,
     "weight of one step in BatchNorm's running statistics"},
    {"log_every", HISS_INT, TRAIN(log_every), "100", 1, 1e9, NULL, "steps between lines of metrics.jsonl"},
    {"activation_memory", HISS_INT, TRAIN(activation_memory), "2GiB", 0, 1e15, NULL,
     "bytes of activations a rank may hold across an exchange; beyond, lanes compute forward twice"},
    {"nonfinite", HISS_CHOICE, TRAIN(nonfinite), "stop", 0, 0, "stop|skip|rollback",
     "when loss or gradient is NaN or infinite: end; leave the step out; or go back to the last checkpoint, once"},
    {"nonfinite_limit", HISS_INT, TRAIN(nonfinite_limit), "10", 0, 1e9, NULL,
     "nonfinite skip: end when more steps than this in a row are not finite"},
    {"verify_replicas", HISS_INT, TRAIN(verify_replicas), "100", 0, 1e9, NULL,
     "steps between comparisons of the ranks' parameters (and before checkpoints); 0: never"},
    {"init", HISS_PATH, TRAIN(init), NULL, 0, 0, NULL,
     "run directory or checkpoint: its arrays of the same name and shape replace initial values"},
    {"init_prefix", HISS_STRING, TRAIN(init_prefix), "", 0, 0, NULL,
     "unless init is null: what names of arrays there begin with before those here, as in light/"},
    {"init_layers", HISS_NODE, TRAIN(init_layers), NULL, 0, 0, NULL,
     "unless init is null: layers taken from there, as in [conv1, conv2]; null: all"},
    {"init_rescale", HISS_CHOICE, TRAIN(init_rescale), "none", 0, 0, "none|within|between",
     "scale of weights by samples before the first step: none; within layers, so that outputs of each channel have "
     "deviation 1; and between layers, so that all learn at one rate"},
    {"freeze", HISS_NODE, TRAIN(freeze), NULL, 0, 0, NULL,
     "layers left as they are, as in [conv1, conv2]: no gradient, no decay, running statistics"},
    {"lr_factors", HISS_NODE, TRAIN(lr_factors), NULL, 0, 0, NULL,
     "layers that learn at another rate, as in {conv1: 0.1}: the factor of the learning rate"},
};

#define DIST(field) offsetof(hiss_dist_options, field)
static const hiss_row dist_rows[] = {
    {"threads", HISS_INT, DIST(threads), "1", 1, 1024, NULL, "lanes in flight on each rank"},
    {"reduce", HISS_CHOICE, DIST(reduce), "tree", 0, 0, HISS_REDUCE_CHOICES,
     "tree: the same bits for any number of ranks; mpi: MPI_Iallreduce, not bit-stable"},
    {"bucket", HISS_INT, DIST(bucket), "1MiB", 1024, 1e12, NULL, "bytes of gradient reduced together"},
    {"group", HISS_INT, DIST(group), "0", 0, 65536, NULL,
     "tree: neighbouring ranks that exchange among themselves first; 0: chosen by the ranks, 1: none"},
    {"node", HISS_CHOICE, DIST(node), "auto", 0, 0, HISS_NODE_CHOICES,
     "tree, dist.group 0: ranks of a node exchange in shared memory, and one of them with other nodes; auto: where "
     "that "
     "takes no more messages"},
    {"wire", HISS_CHOICE, DIST(wire), "float32", 0, 0, HISS_WIRE_CHOICES,
     "tree: what gradients and changes of parameters travel as, and are rounded to; bf16: half the bytes, other bits"},
    {"overlap", HISS_BOOL, DIST(overlap), "true", 0, 0, NULL, "reduce while backward goes on"},
    {"watchdog", HISS_INT, DIST(watchdog), "600", 0, 1e6, NULL,
     "seconds after which a rank that neither works nor answers ends the job (exit code 70); 0: never"},
};

#define CHECKPOINT(field) offsetof(hiss_checkpoint_options, field)
static const hiss_row checkpoint_rows[] = {
    {"every", HISS_STRING, CHECKPOINT(every_text), "1 epoch", 1, 0, NULL,
     "N epochs, steps, s, min or h between checkpoints; auto: what costs least by mtbf; never: only at the end and on "
     "request"},
    {"mtbf", HISS_STRING, CHECKPOINT(mtbf_text), "24 h", 1, 0, NULL,
     "every auto: mean time between failures of the whole job"},
    {"keep", HISS_INT, CHECKPOINT(keep), "2", 1, 1000, NULL, "how many of the newest stay"},
    {"keep_every", HISS_STRING, CHECKPOINT(keep_every_text), "never", 1, 0, NULL,
     "N epochs or N steps: at their multiples there is a checkpoint, and it stays for good"},
    {"margin", HISS_STRING, CHECKPOINT(margin_text), "30 s", 1, 0, NULL,
     "time that stays free before --time-limit or SLURM_JOB_END_TIME"},
};

#define PROBE(field) offsetof(hiss_probe_options, field)
static const hiss_row probe_rows[] = {
    {"every", HISS_STRING, PROBE(every_text), "never", 1, 0, NULL,
     "N epochs or N steps between looks at the features: k-NN and ridge accuracy, effective rank, deviation"},
    {"layers", HISS_STRING, PROBE(layers), NULL, 1, 0, NULL,
     "unless every is never: layers looked at, e.g. conv3,z; absent: the output"},
    {"samples", HISS_INT, PROBE(samples), "1000", 50, 100000, NULL,
     "unless every is never: so many training and so many test samples, the same ones each time"},
    {"best", HISS_STRING, PROBE(best), NULL, 1, 0, NULL,
     "unless every is never: a number of metrics.jsonl, e.g. probe/z/knn or loss; the checkpoint of the best probe "
     "stays, "
     "as ckpt/best.h5"},
    {"best_is", HISS_CHOICE, PROBE(best_is), "auto", 0, 0, "auto|highest|lowest",
     "unless best is null: which is best; auto: the highest of probe/..., the lowest of others"},
    {"norms", HISS_BOOL, PROBE(norms), "false", 0, 0, NULL,
     "log for each layer the norm of the gradient and of the update in steps that have a line, also without probes"},
    {"stop_after", HISS_INT, PROBE(stop_after), "0", 0, 1e9, NULL,
     "unless best is null: end the run after so many probes in a row that are no better than the best; 0: never"},
};

static const int top_nrows = HISS_COUNT(top_rows), train_nrows = HISS_COUNT(train_rows),
                 dist_nrows = HISS_COUNT(dist_rows), checkpoint_nrows = HISS_COUNT(checkpoint_rows),
                 probe_nrows = HISS_COUNT(probe_rows);
/* Those that every method has, but for optim. */
static const hiss_section sections[] = {{"", top_rows, &top_nrows, 0},
                                        {"data", hiss_data_rows, &hiss_data_nrows, offsetof(ex, data)},
                                        {"augment", hiss_augment_rows, &hiss_augment_nrows, offsetof(ex, augment)},
                                        {"network", hiss_network_rows, &hiss_network_nrows, offsetof(ex, network)},
                                        {"train", train_rows, &train_nrows, offsetof(ex, train)},
                                        {"checkpoint", checkpoint_rows, &checkpoint_nrows, offsetof(ex, checkpoint)},
                                        {"dist", dist_rows, &dist_nrows, offsetof(ex, dist)},
                                        {"probe", probe_rows, &probe_nrows, offsetof(ex, probe)}};

const hiss_section *experiment_sections(int *count) {
    *count = HISS_COUNT(sections);
    return sections;
}

/* An empty section is none. */
static hiss_status read_empty(hiss_experiment *e, const char *name, hiss_error *err) {
    return hiss_config_node(e->config, name) ? hiss_config_section(e->config, name, top_rows, 0, e, err) : HISS_OK;
}

/* Section generate is that of the generator which data.generate names; eval.generate says what of it differs in the test
 * samples. */
static hiss_status read_generator(hiss_experiment *e, hiss_error *err) {
    const hiss_generator *g = hiss_generator_named(e->data.generate);
    const bool test = hiss_config_has(e->config, "eval.generate");
    if (!g && (test || hiss_config_has(e->config, "generate"))) {
        return hiss_fail_key(err, HISS_EUSER, test ? "eval.generate" : "generate",
                             "has no effect while data.generate is none; name a generator there, or leave the section "
                             "out, as with --set %s=null",
                             test ? "eval.generate" : "generate");
    }
    if (!g) {
        const hiss_status s = read_empty(e, "generate", err);
        return s == HISS_OK ? read_empty(e, "eval.generate", err) : s;
    }
    e->data.generated = e->generate_options = hiss_alloc(g->options_bytes);
    hiss_status s = hiss_config_section(e->config, "generate", g->rows, g->nrows, e->generate_options, err);
    if (s == HISS_OK && !test) {
        s = read_empty(e, "eval.generate", err);
    }
    if (s == HISS_OK && test) {
        e->data.generated_test = e->generate_test = hiss_alloc(g->options_bytes);
        s = hiss_config_inherit(e->config, "eval.generate", g->rows, g->nrows, e->generate_options, e->generate_test,
                                err);
    }
    return s;
}

static const char *const one_group[] = {"model", NULL};

/* Section optim.GROUP: keys the user left out take the values of section optim. */
static hiss_status read_group(hiss_experiment *e, const char *group, hiss_optim_options *out, hiss_error *err) {
    char section[128];
    snprintf(section, sizeof section, "optim.%s", group);
    return hiss_config_inherit(e->config, section, hiss_optim_rows, hiss_optim_nrows, &e->optim[0], out, err);
}

static hiss_status read_objective(hiss_experiment *e, hiss_error *err) {
    e->objective = hiss_objective_named(e->objective_name);
    assert(e->objective && "a choice of its row");
    e->objective_options = hiss_alloc(e->objective->options_bytes);
    hiss_status s = HISS_OK;
    for (const hiss_section *c = e->objective->sections; c < e->objective->sections + HISS_MAX_SECTIONS && c->name;
         c++) {
        s = hiss_config_section(e->config, c->name, c->rows, *c->nrows, (char *)e->objective_options + c->offset, err);
        if (s != HISS_OK) {
            return s;
        }
    }
    s = hiss_config_section(e->config, "optim", hiss_optim_rows, hiss_optim_nrows, &e->optim[0], err);
    const char *const *groups = e->objective->groups ? e->objective->groups : one_group;
    for (e->groups = 0; groups[e->groups]; e->groups++) {
    }
    for (int g = e->groups - 1; g >= 0 && e->groups > 1 && s == HISS_OK; g--) {
        s = read_group(e, groups[g], &e->optim[g], err); /* group 0 last: the others inherit from optim */
    }
    return s;
}

static bool has_section(const hiss_objective_ops *ops, const char *name) {
    for (const hiss_section *c = ops->sections; c < ops->sections + HISS_MAX_SECTIONS && c->name; c++) {
        if (strcmp(c->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Sections of other methods may stay in the file when the objective is changed: they are checked, and not used. */
static hiss_status read_other_objectives(hiss_experiment *e, hiss_error *err) {
    hiss_status s = HISS_OK;
    for (const hiss_objective_ops *const *o = hiss_objectives(); *o && s == HISS_OK; o++) {
        void *unused = hiss_alloc((*o)->options_bytes);
        for (const hiss_section *c = (*o)->sections; c < (*o)->sections + HISS_MAX_SECTIONS && c->name && s == HISS_OK;
             c++) {
            if (!has_section(e->objective, c->name) && hiss_config_has(e->config, c->name)) {
                hiss_info("section %s is for objective %s; %s does not use it", c->name, (*o)->name,
                          e->objective->name);
                s = hiss_config_section(e->config, c->name, c->rows, *c->nrows, (char *)unused + c->offset, err);
            }
        }
        hiss_free(unused);
    }
    return s;
}

static hiss_status read_kernels(hiss_experiment *e, hiss_error *err) {
    const hiss_kernels *kernels = hiss_kernels_named(e->kernels_name);
    assert(kernels && "a choice of its row");
    hiss_kernel_table *table = NULL;
    const hiss_status s = e->kernel_table ? hiss_kernel_table_read(e->kernel_table, &table, err) : HISS_OK;
    hiss_error_under_key(err, s, "kernel_table");
    e->kernels = *kernels;
    if (s == HISS_OK && e->precision == HISS_BF16) {
        if (!hiss_kernels_can_bf16()) {
            hiss_kernel_table_destroy(table);
            return hiss_fail_key(
                err, HISS_EUSER, "precision",
                "bf16 needs a processor with AVX512-BF16, and this one has none, or hides it; set it to float32, or "
                "use another processor");
        }
        e->kernels = hiss_kernels_in_bf16(kernels);
    }
    e->kernels.table = table;
    return s;
}

static hiss_status check_wire(const hiss_dist_options *dist, hiss_error *err) {
    return dist->wire == HISS_WIRE_FLOAT32 || dist->reduce == HISS_REDUCE_TREE
               ? HISS_OK
               : hiss_fail_key(err, HISS_EUSER, "dist.wire",
                               "bf16 is what the tree adds in, and dist.reduce is mpi; set one of them otherwise");
}

static hiss_status check_node(const hiss_dist_options *dist, hiss_error *err) {
    const bool tree = dist->reduce == HISS_REDUCE_TREE;
    return dist->node != HISS_NODE_ON || (tree && dist->group == 0)
               ? HISS_OK
               : hiss_fail_key(err, HISS_EUSER, "dist.node",
                               "on makes ranks of a node a group of the tree, and %s; set "
                               "one of them otherwise",
                               tree ? "dist.group asks for other groups" : "dist.reduce is mpi");
}

static hiss_status read_sections(hiss_experiment *e, const hiss_extra_section *extra, int nextra, hiss_error *err) {
    hiss_status s = HISS_OK;
    for (int i = 0; i < HISS_COUNT(sections) && s == HISS_OK; i++) {
        const hiss_section *c = &sections[i];
        if (strcmp(c->name, "probe") == 0 && !hiss_config_has(e->config, c->name)) {
            continue; /* a run without it has the resolved config, and its hash, of before there was one */
        }
        s = hiss_config_section(e->config, c->name, c->rows, *c->nrows, (char *)e + c->offset, err);
    }
    s = s == HISS_OK ? check_wire(&e->dist, err) : s;
    s = s == HISS_OK ? check_node(&e->dist, err) : s;
    s = s == HISS_OK ? read_generator(e, err) : s;
    s = s == HISS_OK ? experiment_interval_parse(&e->checkpoint, err) : s;
    s = s == HISS_OK ? experiment_probe_check(&e->probe, err) : s;
    s = s == HISS_OK ? read_objective(e, err) : s;
    s = s == HISS_OK ? read_other_objectives(e, err) : s;
    for (int i = 0; i < nextra && s == HISS_OK; i++) {
        s = hiss_config_section(e->config, extra[i].name, extra[i].rows, extra[i].nrows, extra[i].fields, err);
    }
    s = s == HISS_OK ? read_kernels(e, err) : s;
    return hiss_config_blame(e->config, s == HISS_OK ? hiss_config_finish(e->config, err) : s, err);
}

hiss_status hiss_experiment_read(const char *path, const char *const *overrides, int noverrides,
                                 const hiss_extra_section *extra, int nextra, hiss_experiment *out, hiss_error *err) {
    memset(out, 0, sizeof *out);
    hiss_status s = hiss_config_read(path, &out->config, err);
    for (int i = 0; i < noverrides && s == HISS_OK; i++) {
        s = hiss_config_set(out->config, overrides[i], err);
    }
    s = s == HISS_OK ? read_sections(out, extra, nextra, err) : s;
    out->data.keys = (hiss_data_keys){.config = out->config};
    out->network.config = out->config;
    if (s != HISS_OK) {
        hiss_experiment_destroy(out);
    }
    return s;
}

void hiss_experiment_destroy(hiss_experiment *e) {
    hiss_kernel_table_destroy((hiss_kernel_table *)(uintptr_t)e->kernels.table);
    hiss_free(e->objective_options);
    hiss_free(e->generate_options);
    hiss_free(e->generate_test);
    hiss_config_destroy(e->config);
    memset(e, 0, sizeof *e);
}

static void help_groups(FILE *stream, const char *const *groups) {
    hiss_row rows[HISS_MAX_GROUPS];
    int count = 0;
    for (; groups && groups[count]; count++) {
        assert(count < HISS_MAX_GROUPS);
        rows[count] = (hiss_row){groups[count], HISS_NODE, 0, NULL, 0, 0, NULL, "as optim, whose values it takes over"};
    }
    if (count > 0) {
        hiss_rows_help(stream, "optim", rows, count);
    }
}

void hiss_experiment_help(FILE *stream) {
    for (int i = 0; i < HISS_COUNT(sections); i++) {
        hiss_rows_help(stream, sections[i].name, sections[i].rows, *sections[i].nrows);
    }
    hiss_rows_help(stream, "optim", hiss_optim_rows, hiss_optim_nrows);
    hiss_optim_help(stream);
    for (const hiss_objective_ops *const *o = hiss_objectives(); *o; o++) {
        fprintf(stream, "\nobjective: %s -- %s\n", (*o)->name, (*o)->summary);
        for (const hiss_section *c = (*o)->sections; c < (*o)->sections + HISS_MAX_SECTIONS && c->name; c++) {
            hiss_rows_help(stream, c->name, c->rows, *c->nrows);
        }
        help_groups(stream, (*o)->groups);
    }
    for (const hiss_generator *const *g = hiss_generators(); *g; g++) {
        fprintf(stream, "\ndata.generate: %s -- %s\n", (*g)->name, (*g)->summary);
        hiss_rows_help(stream, "generate", (*g)->rows, (*g)->nrows);
    }
    fprintf(stream, "\n");
    hiss_network_help(stream);
}
