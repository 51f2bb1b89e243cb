/* Setting up a run on one rank.
 *
 * The model vector is cut in buckets at the borders of parameters: each holds about dist.bucket bytes; the last one
 * holds BatchNorm statistics, metrics, the wishes to stop and to save, and whether lanes found numbers that are not
 * finite. Bucket borders do not enter the results: sums and updates are element by element. */
#include "train/trainer.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* ---- buckets ---- */

static void order_slots(trainer *t) {
    const int slots = hiss_model_count(t->model);
    t->slot_order = hiss_new(int, slots);
    for (int s = 0; s < slots; s++) {
        int at = s; /* insertion: nearly sorted already */
        for (; at > 0 && hiss_model_at(t->model, t->slot_order[at - 1])->offset > hiss_model_at(t->model, s)->offset;
             at--) {
            t->slot_order[at] = t->slot_order[at - 1];
        }
        t->slot_order[at] = s;
    }
}

static void cut_buckets(trainer *t) {
    const int slots = hiss_model_count(t->model);
    const int64_t floats = t->experiment->dist.bucket / (int64_t)sizeof(float);
    t->bucket_offsets = hiss_new(int64_t, slots + 2);
    t->wire = hiss_new(hiss_wire, slots + 2);
    int64_t begin = 0;
    t->buckets = 0;
    for (int k = 0; k < slots; k++) {
        const hiss_slot *slot = hiss_model_at(t->model, t->slot_order[k]);
        const hiss_slot *next = k + 1 < slots ? hiss_model_at(t->model, t->slot_order[k + 1]) : NULL;
        const int64_t end = next ? next->offset : hiss_model_floats(t->model);
        const bool border =
            next && slot->kind == HISS_SLOT_PARAMETER &&
            (next->kind != HISS_SLOT_PARAMETER || next->group != slot->group || next->frozen != slot->frozen);
        const bool parameters = slot->kind == HISS_SLOT_PARAMETER;
        if ((end - begin >= floats && parameters) || border || !next) {
            t->wire[t->buckets] = parameters ? (hiss_wire)t->experiment->dist.wire : HISS_WIRE_FLOAT32;
            t->bucket_offsets[++t->buckets] = end;
            begin = end;
        }
    }
}

/* Whether a method exchanges in any step. */
static bool exchanges(const trainer *t) {
    const hiss_exchange_ops *ops = t->experiment->objective->exchange;
    bool any = false;
    for (int p = 0; ops && p < t->nphases; p++) {
        any |= ops->exchanges(t->method, p, 0, 0);
    }
    return any;
}

static bool goes_on_together(const trainer *t) {
    const hiss_exchange_ops *ops = t->experiment->objective->exchange;
    return ops->together && ops->together(t->method);
}

/* How many lanes may pass the cut before earlier ones, where a method exchanges and some have to wait for longer than
 * others: as their vectors fit in a quarter of what activations may take. */
static int64_t lanes_ahead(const trainer *t) {
    const int64_t lanes = t->placement.end_lane - t->placement.first_lane;
    const int64_t vectors = t->experiment->train.activation_memory / 4 / (4 * hiss_model_floats(t->model));
    return !t->exchanges || lanes == 0 || goes_on_together(t) ? 0 : vectors < lanes - 1 ? vectors : lanes - 1;
}

hiss_reducer_options train_reducer_options(const trainer *t) {
    return (hiss_reducer_options){.comm = t->comm,
                                  .lanes = t->placement.lanes,
                                  .lane_offsets = t->placement.lane_offsets,
                                  .count = hiss_model_floats(t->model),
                                  .buckets = t->buckets,
                                  .bucket_offsets = t->bucket_offsets,
                                  .threads = train_pool_threads(t->pool),
                                  .ahead = t->ahead,
                                  .reduce = (hiss_reduce)t->experiment->dist.reduce,
                                  .wire = t->wire,
                                  .overlap = t->experiment->dist.overlap,
                                  .group_size = (int)t->experiment->dist.group,
                                  .node = (hiss_node)t->experiment->dist.node};
}

/* Execs and the reducer, which may use their memory. */
static void prepare_phases(trainer *t) {
    hiss_alloc_for("activations of lanes",
                   "lower train.lane_samples, dist.threads or train.activation_memory, or start more ranks");
    t->exchanges = exchanges(t);
    t->ahead = lanes_ahead(t);
    t->lends = t->exchanges && t->nphases == 1 && goes_on_together(t);
    for (int p = 0; p < t->nphases; p++) {
        train_phase_prepare(t, p);
    }
}

static hiss_status create_reducer(trainer *t, hiss_error *err) {
    hiss_alloc_for("gradients and the optimiser",
                   "choose a smaller network, lower dist.threads or train.activation_memory, or start more ranks");
    hiss_reducer_norms plan;
    hiss_reducer_options options = train_reducer_options(t);
    options.norms = train_norms_plan(t, &plan) ? &plan : NULL;
    options.lent = t->lent.memory ? &t->lent : NULL;
    hiss_status s = hiss_reducer_create(&options, &t->reducer, err);
    if (s != HISS_OK) {
        return s;
    }
    const hiss_range *ranges;
    const int n = hiss_reducer_owned(t->reducer, &ranges);
    t->owned_start = hiss_new(int64_t, n + 1);
    for (int r = 0; r < n; r++) {
        t->owned_start[r] = t->owned_floats;
        t->owned_floats += ranges[r].end - ranges[r].begin;
    }
    for (int g = 0; g < t->experiment->groups; g++) {
        const int states = hiss_optim_states(&t->experiment->optim[g]);
        t->states = states > t->states ? states : t->states;
    }
    for (int k = 0; k < t->states; k++) {
        t->state[k] = hiss_new(float, t->owned_floats);
    }
    return HISS_OK;
}

/* ---- creation ---- */

static hiss_status expect_labels(const hiss_experiment *e, const hiss_dataset *set, hiss_error *err) {
    const char *key = hiss_objective_needs_labels(e->objective, e->objective_options);
    if (!key || hiss_dataset_labelled(set)) {
        return HISS_OK;
    }
    const char *name = e->objective->name, *file = hiss_dataset_file(set);
    const char *other = strcmp(key, "objective") == 0 ? "choose another objective" : "set this key otherwise";
    if (hiss_dataset_generated(set) && *e->data.labels) {
        return hiss_fail_key(err, HISS_EUSER, key,
                             "%s needs labels, but data.generate: %s makes none as it is set; set section generate "
                             "otherwise, or %s",
                             name, e->data.generate, other);
    }
    return hiss_fail_key(err, HISS_EUSER, key,
                         "%s needs labels, but %s%s%s; name a data set of %s in data.labels, or %s", name,
                         *e->data.labels ? file : "data.labels is ''", *e->data.labels ? " has no data set " : "",
                         e->data.labels, file, other);
}

static hiss_status open_data(trainer *t, hiss_error *err) {
    hiss_alloc_for("samples", "lower data.memory, set data.mode=stream, or start more ranks");
    hiss_experiment *e = t->request->experiment;
    hiss_data_options data = hiss_experiment_data(e);
    data.verify = data.verify && hiss_comm_rank(t->comm) == 0; /* it reads the whole file: once is enough */
    t->set = t->request->set;
    hiss_status s = t->set ? HISS_OK : hiss_dataset_open(&data, (uint64_t)e->seed, &t->set, err);
    s = s == HISS_OK ? hiss_experiment_task(e, t->set, &t->task, err) : s;
    s = s == HISS_OK ? expect_labels(e, t->set, err) : s;
    if (s == HISS_OK && hiss_comm_rank(t->comm) == 0 &&
        hiss_objective_learns_targets(e->objective, e->objective_options)) {
        s = hiss_dataset_warn_of_targets(t->set, err);
    }
    return s == HISS_OK ? hiss_experiment_place(e, t->set, t->comm, &t->placement, err) : s;
}

/* A path may lead to other files on other nodes. Collective. */
static hiss_status same_data(const trainer *t, hiss_error *err) {
    char which[RANKS_DIFFER];
    if (!train_ranks_differ(t->comm, hiss_dataset_identity(t->set), which)) {
        return HISS_OK;
    }
    return hiss_fail_key(err, HISS_EUSER, hiss_dataset_generated(t->set) ? "data.generate" : "data.file",
                         "ranks read different data from %s: %s; give the path of files that all nodes share, or "
                         "copy the same files to all",
                         hiss_dataset_file(t->set), which);
}

/* What this rank needs at least against the memory of its machine, before anything is computed: the system gives memory
 * away that it has not, and ends the process much later. */
static hiss_status fits_machine(const trainer *t, hiss_error *err) {
    const double GiB = 0x1p30, there = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    const double parameters = 2.0 * (double)hiss_model_floats(t->model) * (double)sizeof(float); /* and gradients */
    double activations = 0.0;
    for (int p = 0; p < t->nphases; p++) {
        activations += (double)t->placement.threads * (double)hiss_graph_bytes(t->phases[p].graph, t->task.kernels);
    }
    if (parameters + activations <= there) {
        return HISS_OK;
    }
    return hiss_fail(err, HISS_EUSER,
                     "training needs at least %.1f GiB of memory on a rank (parameters and gradients %.1f, activations "
                     "of %d thread%s %.1f), and the machine has %.1f GiB; lower "
                     "augment.height and augment.width (%" PRId64 " x %" PRId64 "), train.lane_samples (%" PRId64
                     "), dist.threads, or %s",
                     (parameters + activations) / GiB, parameters / GiB, t->placement.threads,
                     t->placement.threads > 1 ? "s" : "", activations / GiB, there / GiB, t->task.H, t->task.W,
                     t->placement.m, t->sizes);
}

static hiss_status build_graphs(trainer *t, hiss_error *err) {
    const hiss_objective_ops *ops = t->experiment->objective;
    const bool own = ops->own_layers && ops->own_layers(t->experiment->objective_options);
    const bool listed = t->experiment->network.layers && !own;
    const char *shared = own ? "" : listed ? "the sizes in network.layers" : "network.width";
    snprintf(t->sizes, sizeof t->sizes, "%s%s%s", shared, *shared && ops->sizes ? ", " : "",
             ops->sizes ? ops->sizes : "");
    snprintf(t->smaller, sizeof t->smaller, "choose a smaller network (%s)", t->sizes);
    hiss_alloc_for("parameters", t->smaller);
    t->model = hiss_model_create();
    hiss_status s = train_transfer_freeze(t, err);
    t->nphases = ops->phase && ops->phase->count ? ops->phase->count(t->method) : ops->phases ? ops->phases : 1;
    t->phases = hiss_new(phase, t->nphases);
    for (int p = 0; p < t->nphases && s == HISS_OK; p++) {
        s = train_phase_build(t, p, err);
    }
    if (ops->epoch && s == HISS_OK) {
        const hiss_encoder_options options = {.task = &t->task,
                                              .objective = ops,
                                              .method = t->method,
                                              .model = t->model,
                                              .m = t->placement.m,
                                              .output_only = true};
        s = hiss_encoder_create(&options, &t->encoder, err);
    }
    s = s == HISS_OK ? train_rescale_build(t, err) : s;
    s = s == HISS_OK ? train_phase_spans(t, err) : s;
    s = s == HISS_OK ? train_transfer_check(t, err) : s;
    if (s != HISS_OK) {
        return s;
    }
    const int control =
        hiss_model_slot(t->model, &(hiss_slot){.name = "control", .kind = HISS_SLOT_METRIC, .shape = HISS_SHAPE(3)});
    hiss_model_layout(t->model);
    s = train_factors_read(t, err);
    s = s == HISS_OK ? fits_machine(t, err) : s;
    if (s != HISS_OK) {
        return s;
    }
    t->control_offset = hiss_model_at(t->model, control)->offset;
    t->vector = hiss_new(float, hiss_model_floats(t->model));
    hiss_model_initialize(t->model, t->task.seed, t->vector);
    order_slots(t);
    cut_buckets(t);
    return HISS_OK;
}

static hiss_status open_loader(trainer *t, hiss_error *err) {
    hiss_alloc_for("samples", "lower data.memory, set data.mode=stream, or start more ranks");
    const hiss_loader_options options = {.set = t->set,
                                         .data = &t->experiment->data,
                                         .seed = t->task.seed,
                                         .lanes = t->placement.lanes,
                                         .first_lane = t->placement.first_lane,
                                         .end_lane = t->placement.end_lane,
                                         .m = t->placement.m,
                                         .trace = t->trace};
    return hiss_loader_create(&options, &t->loader, err);
}

/* The section of a group is named where the user has written one. */
static hiss_status check_optimizer(const hiss_experiment *e, int group, hiss_error *err) {
    char section[HISS_ERROR_KEY] = "optim";
    if (e->objective->groups) {
        snprintf(section, sizeof section, "optim.%s", e->objective->groups[group]);
    }
    return hiss_optim_check(&e->optim[group], hiss_config_has(e->config, section) ? section : "optim", err);
}

static hiss_status create(const hiss_train_request *request, trainer *t, hiss_error *err) {
    *t = (trainer){.experiment = request->experiment, .request = request, .comm = request->comm};
    hiss_status s = HISS_OK;
    for (int g = 0; g < t->experiment->groups && s == HISS_OK; g++) {
        s = check_optimizer(t->experiment, g, err);
    }
    s = hiss_comm_agree(t->comm, s == HISS_OK ? open_data(t, err) : s, err);
    s = s == HISS_OK ? same_data(t, err) : s;
    s = s == HISS_OK ? hiss_comm_agree(t->comm, train_labelled_read(t, err), err) : s;
    if (s == HISS_OK) {
        train_trace_create(t);
        hiss_alloc_for("the objective's share of samples and blocks",
                       "choose a smaller assign.block or nat.dim, or start more ranks");
        s = t->experiment->objective->create(&t->task, &t->placement, t->experiment->objective_options, &t->method,
                                             err);
        s = hiss_comm_agree(t->comm, s == HISS_OK ? build_graphs(t, err) : s, err);
        s = s == HISS_OK ? train_choices(t, err) : s;
    }
    if (s == HISS_OK) {
        const int64_t lanes = t->placement.end_lane - t->placement.first_lane;
        t->batches = hiss_new(hiss_batch, lanes);
        train_labelled_prepare(t);
        t->state_offsets = hiss_new(int64_t, hiss_comm_size(t->comm) + 1);
        t->thread_times = hiss_new(thread_times, t->placement.threads);
        t->scratch = hiss_new(float *, t->placement.threads);
        for (int i = 0; i < t->placement.threads && hiss_task_scratch(&t->task) > 0; i++) {
            t->scratch[i] = hiss_new(float, hiss_task_scratch(&t->task));
        }
        s = hiss_comm_agree(t->comm, train_pool_create(t->placement.threads, &t->pool, err), err);
        t->scheduled_steps = t->epochs * t->placement.steps_per_epoch;
        t->total_steps = train_steps_planned(t);
        t->probing.best_step = -1;
    }
    if (s == HISS_OK) {
        prepare_phases(t);
        s = create_reducer(t, err);
    }
    if (s == HISS_OK) {
        train_layer_norms_create(t);
    }
    if (s == HISS_OK) {
        t->guard = train_guard_create(t);
        s = open_loader(t, err);
    }
    return hiss_comm_agree(t->comm, s, err);
}

hiss_status train_create(const hiss_train_request *request, trainer *t, hiss_error *err) {
    return hiss_config_blame(request->experiment->config, create(request, t, err), err);
}

void train_destroy(trainer *t) {
    hiss_loader_destroy(t->loader);
    train_guard_destroy(t->guard);
    for (int p = 0; t->phases && p < t->nphases; p++) {
        train_phase_destroy(&t->phases[p], t->placement.threads);
    }
    hiss_encoder_destroy(t->encoder);
    train_rescale_free(t);
    hiss_free(t->phases);
    if (t->reducer) {
        hiss_reducer_destroy(t->reducer);
    }
    hiss_free(t->lent.memory);
    train_pool_destroy(t->pool);
    for (int k = 0; k < HISS_OPTIM_MAX_STATES; k++) {
        hiss_free(t->state[k]);
    }
    train_norms_free(t);
    train_layer_norms_destroy(t->layer_norms);
    hiss_free(t->owned_start);
    hiss_free(t->bucket_offsets);
    hiss_free(t->wire);
    hiss_free(t->slot_order);
    hiss_free(t->state_offsets);
    hiss_free(t->batches);
    train_labelled_free(t);
    for (int i = 0; t->scratch && i < t->placement.threads; i++) {
        hiss_free(t->scratch[i]);
    }
    hiss_free(t->scratch);
    hiss_free(t->thread_times);
    hiss_free(t->vector);
    hiss_free(t->took);
    hiss_free(t->frozen);
    hiss_free(t->lr_factor);
    hiss_model_destroy(t->model);
    t->experiment->objective->destroy(t->method);
    hiss_placement_destroy(&t->placement);
    train_trace_destroy(t);
    if (!t->request->set) {
        hiss_dataset_close(t->set);
    }
}
