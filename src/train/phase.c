/* One phase of a step over the lanes of a rank.
 *
 * In a step without exchange each lane runs from samples to gradients in one go. In a step with one, threads first
 * bring all lanes to the cut, in the order that suits the exchange, and then take the lowest lane that may go on, so
 * that what some lanes wait for happens while others run. No thread waits for the others in between; one that finds no
 * lane to go on with assists the exchange. A lane passes the cut before at most `ahead` earlier ones: each such lane
 * costs the reducer a vector. Results depend on none of this.
 *
 * A lane that may go on as soon as it has arrived does so on the spot, while caches hold its activations. Where
 * activations of all lanes fit the budget a lane keeps an exec from cut to end: the one that was freed last, the
 * warmest, or, where all lanes go on together and in order, lane l has exec l, and gradients go where lanes that have
 * ended kept their activations. Else execs belong to threads, and a lane repeats its forward, to the same bits. */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "hiss/clock.h"
#include "hiss/fault.h"
#include "hiss/watch.h"
#include "train/trainer.h"

unsigned train_phase_groups(const trainer *t, int p) {
    const hiss_phase_ops *ops = t->experiment->objective->phase;
    return ops && ops->trains ? ops->trains(t->method, p) : ~0u;
}

/* Whether a message begins with the file or the --set that the network is from: then a layer of it fails. */
static bool has_place(const trainer *t, const char *text) {
    char where[HISS_WHERE];
    hiss_config_where(t->experiment->config, "network.layers", where);
    const char *colon = strchr(where, ':');
    return strncmp(text, where, colon ? (size_t)(colon - where + 1) : strlen(where)) == 0;
}

hiss_status train_phase_build(trainer *t, int p, hiss_error *err) {
    const hiss_objective_ops *ops = t->experiment->objective;
    phase *ph = &t->phases[p];
    ph->graph = hiss_graph_create();
    hiss_builder b = {
        .graph = ph->graph, .model = t->model, .training = true, .trained_groups = train_phase_groups(t, p)};
    hiss_status s = ops->build(t->method, p, &b, err);
    s = s == HISS_OK ? hiss_graph_status(ph->graph, err) : s;
    hiss_error own = {0};
    if (s != HISS_OK && hiss_graph_status(ph->graph, &own) == s && strcmp(own.text, err->text) == 0 &&
        !has_place(t, own.text)) {
        return hiss_fail_key(err, s, "objective", "%s has a layer of its own that fails: %s", ops->name, own.text);
    }
    if (s == HISS_OK) {
        ph->inputs = hiss_inputs_bind(ops, &t->task, ph->graph);
        ph->labelled = ops->phase && ops->phase->labelled && ops->phase->labelled(t->method, p);
        assert(!ph->labelled || t->placement.labelled);
        ph->nodes = hiss_graph_nodes(ph->graph);
        ph->cut = hiss_graph_cut_at(ph->graph);
        ph->nexports = ops->exchange ? ops->exchange->exports(t->method, p, ph->export_value) : 0;
    }
    return s;
}

/* ---- setting up ---- */

/* Which buckets are final after which node, as lists of buckets in the order of nodes. */
static void schedule_buckets(const trainer *t, phase *ph) {
    int *final = hiss_new(int, t->buckets);
    const int slots = hiss_model_count(t->model);
    for (int b = 0; b < t->buckets; b++) {
        final[b] = ph->nodes;
    }
    const int after_all = ph->nown ? ph->nodes + 1 : 0; /* the last bucket carries what the lane found in the others */
    final[t->buckets - 1] = after_all;
    for (int s = 0; s < slots; s++) {
        const hiss_slot *slot = hiss_model_at(t->model, s);
        int b = 0;
        while (slot->offset >= t->bucket_offsets[b + 1]) {
            b++;
        }
        ph->bucket_used[b] |= ph->role[s] != ROLE_NONE;
        if (hiss_graph_owns(ph->graph, s)) {
            final[b] = after_all;
        } else if (ph->role[s] == ROLE_PARAMETER && final[b] <= ph->nodes) {
            const int node = hiss_graph_final_node(ph->graph, s);
            final[b] = node < final[b] ? node : final[b];
        }
    }
    ph->node_first = hiss_new(int, ph->nodes + 3);
    ph->node_bucket = hiss_new(int, t->buckets);
    int used = 0;
    for (int i = 0; i <= ph->nodes + 1; i++) {
        ph->node_first[i] = used;
        for (int b = 0; b < t->buckets; b++) {
            if (ph->bucket_used[b] && final[b] == i) {
                ph->node_bucket[used++] = b;
            }
        }
    }
    ph->node_first[ph->nodes + 2] = used;
    hiss_free(final);
}

/* Those that backward does not write come first. */
static void list_own(phase *ph, int slots) {
    ph->own = hiss_new(int, slots);
    for (int written = 0; written <= 1; written++) {
        for (int s = 0; s < slots; s++) {
            if (hiss_graph_owns(ph->graph, s) && (hiss_graph_final_node(ph->graph, s) >= 0) == (written == 1)) {
                ph->own[ph->nown++] = s;
            }
        }
        ph->nzero = written ? ph->nzero : ph->nown;
    }
}

/* What lanes keep at the cut lies in a row behind the first vectors of the reducer, which uses it when they have ended.
 * The last execs are not lent: in steps without exchange threads run all lanes in them. */
static float *lend(trainer *t, int64_t lanes, int64_t piece) {
    const int64_t pieces = lanes - train_pool_threads(t->pool);
    if (!t->lends || pieces <= 0 || piece == 0) {
        return NULL;
    }
    t->lent = (hiss_reducer_lent){.piece = piece, .pieces = pieces};
    hiss_reducer_options options = train_reducer_options(t);
    options.lent = &t->lent;
    t->lent.own = hiss_reducer_own(&options);
    t->lent.memory = hiss_new(float, t->lent.own + lanes * piece);
    return t->lent.memory + t->lent.own;
}

/* Each of the lanes has an exec, of which threads hold what need not last from one side of the cut to the other. */
static void create_split_execs(trainer *t, phase *ph, const hiss_exec_parts *parts) {
    const int threads = train_pool_threads(t->pool);
    float *kept = lend(t, ph->nexecs, parts->kept);
    kept = kept ? kept : (ph->kept = hiss_new(float, ph->nexecs * parts->kept));
    ph->passing = hiss_new(float *, threads);
    for (int i = 0; i < threads; i++) {
        ph->passing[i] = hiss_new(float, parts->passing);
    }
    for (int e = 0; e < ph->nexecs; e++) {
        ph->execs[e] =
            hiss_exec_create_split(ph->graph, t->task.kernels, hiss_model_offsets(t->model), kept + e * parts->kept);
        hiss_exec_use(ph->execs[e], ph->passing[0]);
    }
}

/* One for each lane where the method exchanges and memory allows, else for each thread. Those in two parts are larger
 * where there are as many lanes as threads. */
static void create_execs(trainer *t, phase *ph, int64_t lanes) {
    const int threads = train_pool_threads(t->pool);
    const hiss_exec_parts parts = hiss_graph_parts(ph->graph, t->task.kernels);
    const int64_t split = (int64_t)sizeof(float) * (lanes * parts.kept + threads * parts.passing),
                  whole = hiss_graph_bytes(ph->graph, t->task.kernels),
                  least = split < lanes * whole ? split : lanes * whole;
    ph->exec_per_lane = t->exchanges && lanes > 0 && least <= t->experiment->train.activation_memory;
    ph->nexecs = ph->exec_per_lane ? (int)lanes : threads;
    ph->exec_bytes = ph->exec_per_lane ? least : threads * whole;
    ph->execs = hiss_new(hiss_exec *, ph->nexecs);
    if (ph->exec_per_lane && split < lanes * whole) {
        create_split_execs(t, ph, &parts);
        return;
    }
    for (int e = 0; e < ph->nexecs; e++) {
        ph->execs[e] = hiss_exec_create(ph->graph, t->task.kernels, hiss_model_offsets(t->model));
    }
}

hiss_exec *train_phase_exec(const phase *ph, int exec, int thread) {
    if (ph->passing) {
        hiss_exec_use(ph->execs[exec], ph->passing[thread]);
    }
    return ph->execs[exec];
}

void train_phase_prepare(trainer *t, int p) {
    phase *ph = &t->phases[p];
    const int slots = hiss_model_count(t->model);
    const int64_t lanes = t->placement.end_lane - t->placement.first_lane;
    ph->role = hiss_new(slot_role, slots);
    ph->bucket_used = hiss_new(bool, t->buckets);
    for (int s = 0; s < slots; s++) {
        const hiss_slot *slot = hiss_model_at(t->model, s);
        if (slot->kind == HISS_SLOT_PARAMETER) {
            ph->role[s] = hiss_graph_trains(ph->graph, s) ? ROLE_PARAMETER : ROLE_NONE;
        } else if (hiss_graph_records(ph->graph, s)) {
            ph->role[s] = slot->kind == HISS_SLOT_BUFFER ? ROLE_STATISTIC : ROLE_METRIC;
        } else if (slot->offset == t->control_offset) { /* in no graph: from_cut() writes it */
            ph->role[s] = ROLE_METRIC;
        }
    }
    train_trace_name_nodes(t, ph);
    list_own(ph, slots);
    ph->bucket_used[t->buckets - 1] = true; /* statistics, metrics, and what ranks must agree on */
    schedule_buckets(t, ph);
    create_execs(t, ph, lanes);
    ph->started = hiss_new(bool, lanes);
    ph->free_execs = hiss_new(int, ph->nexecs);
    ph->exec_of = hiss_new(int, lanes);
    ph->order = hiss_new(int64_t, lanes);
}

void train_phase_destroy(phase *ph, int threads) {
    for (int e = 0; e < ph->nexecs; e++) {
        hiss_exec_destroy(ph->execs[e]);
    }
    for (int i = 0; ph->passing && i < threads; i++) {
        hiss_free(ph->passing[i]);
    }
    hiss_free(ph->passing);
    hiss_free(ph->kept);
    hiss_free(ph->started);
    hiss_free(ph->free_execs);
    hiss_free(ph->exec_of);
    hiss_free(ph->order);
    hiss_free(ph->execs);
    hiss_free(ph->traced);
    hiss_free(ph->role);
    hiss_free(ph->own);
    hiss_free(ph->bucket_used);
    hiss_free(ph->node_first);
    hiss_free(ph->node_bucket);
    hiss_graph_destroy(ph->graph);
}

/* ---- one lane ---- */

/* Least time between polls of the exchange, in seconds: a poll costs microseconds, as do operations of small
 * networks. */
static const double exchange_pause = 1e-4;

typedef struct lane_job {
    trainer *t;
    phase *ph;
    const hiss_exchange_ops *exchange; /* of this step; NULL: none */
    const hiss_batch *batches;         /* [local lanes] */
    pthread_mutex_t lock;              /* guards what follows */
    int64_t first;                     /* the lowest lane that has not passed the cut */
    int free_count;                    /* of ph->free_execs */
} lane_job;

typedef struct lane_hook {
    lane_job *job;
    const hiss_lane *lane;
    int thread;
    float *lane_vector;
    bool backward;
    double last; /* when the node that runs began */
} lane_hook;

/* The buckets that are final after a node of backward. */
static void hand_over(const lane_hook *h, int node) {
    const phase *ph = h->job->ph;
    for (int k = ph->node_first[node]; k < ph->node_first[node + 1]; k++) {
        train_guard_bucket(h->job->t, ph, h->lane, ph->node_bucket[k], h->lane_vector);
        hiss_reducer_done(h->job->t->reducer, h->lane->lane, ph->node_bucket[k]);
    }
}

/* Returns whether there was a piece of work. */
static bool further_exchange(const lane_job *job, int thread) {
    if (thread == 0) {
        job->exchange->progress(job->t->method);
    }
    return job->exchange->assist(job->t->method, thread);
}

static void after_node(void *user, int node) {
    lane_hook *h = user;
    trainer *t = h->job->t;
    const phase *ph = h->job->ph;
    thread_times *times = &t->thread_times[h->thread];
    const double now = hiss_seconds(), spent = now - h->last;
    if (ph->clock) {
        node_clock *clock = &ph->clock[(h->lane->lane - t->placement.first_lane) * ph->nodes + node];
        *(h->backward ? &clock->backward : &clock->forward) = spent;
    }
    *(h->backward ? &times->backward : &times->forward) += spent;
    train_trace_node(t, ph, h->thread, node + (h->backward ? ph->nodes : 0), h->last, now, h->lane->lane);
    h->last = now;
    if (h->backward) {
        hand_over(h, node);
    } else {
        train_guard_node(t, ph, h->lane->exec, node);
    }
    if (h->thread == 0) {
        hiss_reducer_progress(t->reducer);
        h->last = hiss_seconds();
        times->reduce += h->last - now;
        train_trace_move(t, 0, TRACED_REDUCE, now, h->last);
    }
    if (h->job->exchange && h->last - times->exchanged > exchange_pause) {
        const double start = h->last;
        further_exchange(h->job, h->thread);
        times->exchanged = h->last = hiss_seconds();
        times->exchange += h->last - start;
        train_trace_move(t, h->thread, TRACED_MESSAGES, start, h->last);
    }
}

static void to_cut(lane_job *job, const hiss_lane *lane, const hiss_exec_context *run, lane_hook *hook) {
    const double start = hiss_seconds();
    hiss_watch_note(job->t->comm, "forward of lane", lane->lane);
    train_phase_fill(job->t, lane);
    hook->last = hiss_seconds();
    job->t->thread_times[hook->thread].augment += hook->last - start;
    train_trace_move(job->t, hook->thread, TRACED_VIEW, start, hook->last);
    hiss_exec_forward(lane->exec, run, 0, job->ph->cut, after_node, hook);
}

static void own_gradients(trainer *t, const phase *ph, const hiss_lane *lane, const hiss_exec_context *run) {
    for (int k = 0; k < ph->nzero; k++) {
        const hiss_slot *slot = hiss_model_at(t->model, ph->own[k]);
        memset(run->lane_vector + slot->offset, 0, sizeof(float) * (size_t)slot->count);
    }
    t->experiment->objective->phase->gradient(t->method, lane, run);
}

static void from_cut(lane_job *job, const hiss_lane *lane, hiss_exec_context *run, lane_hook *hook) {
    trainer *t = job->t;
    const phase *ph = job->ph;
    thread_times *times = &t->thread_times[hook->thread];
    const double start = hiss_seconds();
    train_phase_supply(t, lane);
    hook->last = hiss_seconds();
    times->supply += hook->last - start;
    train_trace_move(t, hook->thread, TRACED_SUPPLY, start, hook->last);
    hiss_exec_forward(lane->exec, run, ph->cut, ph->nodes, after_node, hook);
    run->lane_vector = hiss_reducer_lane(t->reducer, lane->lane);
    hiss_exec_record(lane->exec, run);
    const bool first = lane->lane == t->placement.first_lane;
    run->lane_vector[t->control_offset] = t->stop && first ? 1.0f : 0.0f;
    run->lane_vector[t->control_offset + 1] = t->save && first ? 1.0f : 0.0f;
    run->lane_vector[t->control_offset + 2] = 0.0f; /* train_guard_bucket says the last word */
    train_guard_forward(t, ph, lane, run);
    const double recorded = hiss_seconds();
    times->forward += recorded - hook->last;
    hook->last = recorded;
    hook->lane_vector = run->lane_vector;
    hand_over(hook, ph->nodes); /* what is final before backward starts */
    hook->backward = true;
    hiss_watch_note(t->comm, "backward of lane", lane->lane);
    hiss_exec_backward(lane->exec, run, after_node, hook);
    if (ph->nown) {
        own_gradients(t, ph, lane, run);
        times->backward += hiss_seconds() - hook->last;
        hand_over(hook, ph->nodes + 1);
    }
    const hiss_phase_ops *ops = t->experiment->objective->phase;
    if (ops && ops->remember) {
        ops->remember(t->method, lane);
    }
}

static void at_cut(const lane_job *job, const hiss_lane *lane, int thread) {
    const phase *ph = job->ph;
    const double start = hiss_seconds();
    const float *exports[HISS_MAX_EXPORTS] = {NULL};
    for (int k = 0; k < ph->nexports; k++) {
        exports[k] = hiss_exec_data(lane->exec, ph->export_value[k]);
    }
    job->exchange->arrive(job->t->method, thread, lane->lane - job->t->placement.first_lane, exports);
    further_exchange(job, thread);
    job->t->thread_times[thread].exchange += hiss_seconds() - start;
    train_trace_span(job->t, thread, TRACED_ARRIVE, start, lane->lane);
}

/* The lowest of lanes begin .. end-1 that may go on now, or -1. */
static int64_t pick(lane_job *job, int64_t begin, int64_t end) {
    const trainer *t = job->t;
    const int64_t lanes = t->placement.end_lane - t->placement.first_lane;
    bool *started = job->ph->started;
    int64_t found = -1;
    pthread_mutex_lock(&job->lock);
    for (int64_t l = begin > job->first ? begin : job->first; l < end && l <= job->first + t->ahead && found < 0; l++) {
        found = !started[l] && job->exchange->ready(t->method, l) ? l : -1;
    }
    if (found >= 0) {
        started[found] = true;
    }
    while (job->first < lanes && started[job->first]) {
        job->first++;
    }
    pthread_mutex_unlock(&job->lock);
    return found;
}

/* A lane to go on with, or -1 when all have. */
static int64_t wait_for_lane(lane_job *job, int thread) {
    trainer *t = job->t;
    const int64_t lanes = t->placement.end_lane - t->placement.first_lane;
    thread_times *times = &t->thread_times[thread];
    const double began = hiss_seconds();
    for (;;) {
        const int64_t lane = pick(job, 0, lanes);
        pthread_mutex_lock(&job->lock);
        const bool all = job->first == lanes;
        pthread_mutex_unlock(&job->lock);
        if (lane >= 0 || all) {
            train_trace_move(t, thread, TRACED_WAIT, began, hiss_seconds());
            return lane;
        }
        const double start = hiss_seconds();
        if (thread == 0) {
            hiss_reducer_progress(t->reducer);
        }
        if (!further_exchange(job, thread)) {
            sched_yield();
        }
        times->exchange += hiss_seconds() - start;
    }
}

static void take_exec(lane_job *job, int64_t local) {
    const trainer *t = job->t;
    pthread_mutex_lock(&job->lock);
    job->ph->exec_of[local] = t->lent.memory ? (int)local : job->ph->free_execs[--job->free_count];
    pthread_mutex_unlock(&job->lock);
}

static void give_exec(lane_job *job, int64_t local) {
    const trainer *t = job->t;
    pthread_mutex_lock(&job->lock);
    if (!t->lent.memory) {
        job->ph->free_execs[job->free_count++] = job->ph->exec_of[local];
    }
    pthread_mutex_unlock(&job->lock);
}

/* That of a lane which began in it, or one of a thread that nobody lends. */
static hiss_exec *exec_for(const lane_job *job, int thread, int64_t local, bool keeps) {
    const phase *ph = job->ph;
    const int threads = train_pool_threads(job->t->pool);
    const int alone = job->t->lent.memory ? ph->nexecs - threads + thread : thread;
    return train_phase_exec(ph, keeps ? ph->exec_of[local] : alone, thread);
}

/* Items of a step without exchange: lanes. With one: each lane to the cut, and on if it may; then as many times any
 * lane that is left. */
static void run_item(void *user, int thread, int64_t item) {
    lane_job *job = user;
    trainer *t = job->t;
    phase *ph = job->ph;
    const int64_t lanes = t->placement.end_lane - t->placement.first_lane;
    const bool arrives = job->exchange && item < lanes, keeps = job->exchange && ph->exec_per_lane;
    const int64_t local = !job->exchange ? item : arrives ? ph->order[item] : wait_for_lane(job, thread);
    if (local < 0) {
        return;
    }
    if (arrives && keeps) {
        take_exec(job, local);
    }
    const hiss_lane lane = {.task = &t->task,
                            .phase = (int)(ph - t->phases),
                            .lane = t->placement.first_lane + local,
                            .epoch = ph->labelled ? t->step : t->epoch,
                            .step = t->step,
                            .view = HISS_VIEW_TRAINING,
                            .batch = &job->batches[local],
                            .graph = ph->graph,
                            .exec = exec_for(job, thread, local, keeps),
                            .inputs = &ph->inputs,
                            .scratch = t->scratch[thread]};
    hiss_exec_context run = {
        .model = t->vector, .seed = t->task.seed, .step = t->step, .lane = lane.lane, .lanes = t->placement.lanes};
    lane_hook hook = {.job = job, .lane = &lane, .thread = thread};
    if (!job->exchange || arrives || !keeps) {
        to_cut(job, &lane, &run, &hook);
    }
    if (arrives) {
        train_guard_forward(t, ph, &lane, &run);
        at_cut(job, &lane, thread);
        if (pick(job, local, local + 1) < 0) {
            return;
        }
    }
    from_cut(job, &lane, &run, &hook);
    if (keeps) {
        give_exec(job, local);
    }
}

static void progress(void *user) {
    const lane_job *job = user;
    trainer *t = job->t;
    const double start = hiss_seconds();
    hiss_reducer_progress(t->reducer);
    const double reduced = hiss_seconds();
    t->thread_times[0].reduce += reduced - start;
    train_trace_move(t, 0, TRACED_REDUCE, start, reduced);
    if (job->exchange) {
        further_exchange(job, 0);
        const double moved = hiss_seconds();
        t->thread_times[0].exchange += moved - reduced;
        train_trace_move(t, 0, TRACED_MESSAGES, reduced, moved);
    }
}

/* ---- the phase ---- */

/* One pass over all lanes; its times go to t->times. Updates happen inside the reduction. */
static void run_lanes(trainer *t, lane_job *job) {
    const int threads = train_pool_threads(t->pool);
    const int64_t lanes = t->placement.end_lane - t->placement.first_lane;
    const double updated = t->times.update;
    memset(t->thread_times, 0, sizeof(thread_times) * (size_t)threads);
    train_pool_run(t->pool, job->exchange ? 2 * lanes : lanes, run_item, progress, job);
    const double update = t->times.update - updated;
    t->times.update = updated + update / threads;
    t->times.reduce -= update / threads;
    for (int k = 0; k < threads; k++) {
        const thread_times *times = &t->thread_times[k];
        t->times.augment += times->augment / threads;
        t->times.exchange += times->exchange / threads;
        t->times.supply += times->supply / threads;
        t->times.forward += times->forward / threads;
        t->times.backward += times->backward / threads;
        t->times.reduce += times->reduce / threads;
    }
}

/* The rest of the reduction, with the updates that are left. */
static void finish(trainer *t) {
    const double start = hiss_seconds(), updated = t->times.update;
    hiss_reducer_finish(t->reducer);
    train_trace_span(t, 0, TRACED_REDUCE_WAIT, start, t->step + 1);
    train_trace_buckets(t);
    const hiss_reducer_times last = hiss_reducer_last(t->reducer);
    t->times.reduce += hiss_seconds() - start - (t->times.update - updated);
    t->times.transfer += last.transfer;
    t->times.wait += last.wait;
    t->times.sum += last.sum;
}

static hiss_status begin_exchange(trainer *t, int p, hiss_error *err) {
    phase *ph = &t->phases[p];
    const int64_t lanes = t->placement.end_lane - t->placement.first_lane;
    const double start = hiss_seconds();
    const hiss_exchange x = {.epoch = t->epoch, .step = t->step, .batches = t->batches, .order = ph->order};
    for (int64_t l = 0; l < lanes; l++) {
        ph->order[l] = l;
        ph->started[l] = false;
    }
    const hiss_status s = t->experiment->objective->exchange->begin(t->method, p, &x, err);
    t->times.exchange += hiss_seconds() - start;
    train_trace_span(t, 0, TRACED_BEGIN, start, t->step + 1);
    return s;
}

/* Blocks of other ranks may need this one although its own lanes are through. */
static void drain_exchange(trainer *t, const hiss_exchange_ops *exchange) {
    const double start = hiss_seconds();
    while (exchange->progress(t->method)) {
        hiss_reducer_progress(t->reducer);
        if (!exchange->assist(t->method, 0)) {
            sched_yield();
        }
    }
    t->times.exchange += hiss_seconds() - start;
    train_trace_span(t, 0, TRACED_DRAIN, start, 0);
}

hiss_status train_phase_run(trainer *t, int p, hiss_error *err) {
    phase *ph = &t->phases[p];
    const hiss_exchange_ops *exchange = t->experiment->objective->exchange;
    const bool exchanging = exchange && exchange->exchanges(t->method, p, t->epoch, t->step);
    lane_job job = {.t = t,
                    .ph = ph,
                    .exchange = exchanging ? exchange : NULL,
                    .batches = train_batches(t, ph),
                    .lock = PTHREAD_MUTEX_INITIALIZER,
                    .free_count = ph->nexecs};
    for (int e = 0; e < ph->nexecs; e++) {
        ph->free_execs[e] = ph->nexecs - 1 - e;
    }
    if (exchanging) {
        hiss_mark("permute");
        hiss_watch_note(t->comm, "exchange of phase", p);
    }
    hiss_status s = exchanging ? begin_exchange(t, p, err) : HISS_OK;
    if (s != HISS_OK) {
        return s;
    }
    for (int g = 0; g < t->experiment->groups; g++) {
        t->updates[g] += train_phase_groups(t, p) >> g & 1u;
    }
    t->current = ph;
    hiss_watch_note(t->comm, "phase", p);
    train_guard_before_lanes(t, ph);
    hiss_reducer_start(t->reducer, ph->bucket_used, t->vector, train_update, t);
    run_lanes(t, &job);
    if (exchanging) {
        drain_exchange(t, exchange);
    }
    finish(t);
    if (exchanging) {
        const double start = hiss_seconds();
        s = exchange->finish(t->method, err);
        t->times.exchange += hiss_seconds() - start;
        train_trace_span(t, 0, TRACED_FINISH, start, t->step + 1);
        hiss_mark("step");
    }
    return s;
}
