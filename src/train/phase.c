/* One phase of a step over the lanes of a rank.
 *
 * In a step without exchange each lane runs from samples to gradients in one go. In a step with one, all lanes first
 * run to the cut, the method exchanges, and all lanes run on. Where activations of all lanes fit the budget each lane
 * keeps its exec in between; else execs belong to threads and a lane repeats its forward, to the same bits. */
#include <assert.h>
#include <string.h>

#include "hiss/clock.h"
#include "train/trainer.h"

hiss_status phase_build(trainer *t, int p, hiss_error *err) {
    const hiss_objective_ops *ops = t->experiment->objective;
    phase *ph = &t->phases[p];
    ph->graph = hiss_graph_create();
    hiss_builder b = {.graph = ph->graph,
                      .model = t->model,
                      .training = true,
                      .trained_groups = ops->trains ? ops->trains(t->method, p) : ~0u};
    hiss_status s = ops->build(t->method, p, &b, err);
    s = s == HISS_OK ? hiss_graph_status(ph->graph, err) : s;
    if (s == HISS_OK) {
        ph->nodes = hiss_graph_nodes(ph->graph);
        ph->cut = hiss_graph_cut_at(ph->graph);
        ph->nexports = ops->exports ? ops->exports(t->method, p, ph->export_value) : 0;
    }
    return s;
}

/* Which buckets are final after which node, as lists of buckets in the order of nodes. */
static void schedule_buckets(const trainer *t, phase *ph) {
    int *final = hiss_new(int, t->buckets);
    const int slots = hiss_model_count(t->model);
    for (int b = 0; b < t->buckets; b++) {
        final[b] = ph->nodes;
    }
    for (int s = 0; s < slots; s++) {
        const hiss_slot *slot = hiss_model_at(t->model, s);
        int b = 0;
        while (slot->offset >= t->bucket_offsets[b + 1]) {
            b++;
        }
        ph->bucket_used[b] |= ph->role[s] != ROLE_NONE;
        if (ph->role[s] == ROLE_PARAMETER) {
            const int node = hiss_graph_final_node(ph->graph, s);
            final[b] = node < final[b] ? node : final[b];
        }
    }
    ph->node_first = hiss_new(int, ph->nodes + 2);
    ph->node_bucket = hiss_new(int, t->buckets);
    int used = 0;
    for (int i = 0; i <= ph->nodes; i++) {
        ph->node_first[i] = used;
        for (int b = 0; b < t->buckets; b++) {
            if (ph->bucket_used[b] && final[b] == i) {
                ph->node_bucket[used++] = b;
            }
        }
    }
    ph->node_first[ph->nodes + 1] = used;
    hiss_free(final);
}

void phase_prepare(trainer *t, int p) {
    phase *ph = &t->phases[p];
    const int slots = hiss_model_count(t->model);
    const int64_t lanes = t->world.end_lane - t->world.first_lane;
    ph->role = hiss_new(slot_role, slots);
    ph->bucket_used = hiss_new(bool, t->buckets);
    for (int s = 0; s < slots; s++) {
        const hiss_slot *slot = hiss_model_at(t->model, s);
        if (slot->kind == HISS_SLOT_PARAMETER) {
            ph->role[s] = hiss_graph_trains(ph->graph, s) ? ROLE_PARAMETER : ROLE_NONE;
        } else if (hiss_graph_records(ph->graph, s)) {
            ph->role[s] = slot->kind == HISS_SLOT_BUFFER ? ROLE_STATISTIC : ROLE_METRIC;
        } else if (slot->offset == t->stop_offset) { /* in no graph: from_cut() writes it */
            ph->role[s] = ROLE_METRIC;
        }
    }
    ph->bucket_used[t->buckets - 1] = true; /* statistics, metrics, and the wish to stop */
    schedule_buckets(t, ph);

    hiss_exec *first = hiss_exec_create(ph->graph, t->world.kernels, hiss_model_offsets(t->model));
    const bool exchanges = t->experiment->objective->exchanges != NULL;
    ph->exec_per_lane = exchanges && hiss_exec_bytes(first) * lanes <= t->experiment->train.activation_memory;
    ph->nexecs = ph->exec_per_lane ? (int)lanes : pool_threads(t->pool);
    ph->execs = hiss_new(hiss_exec *, ph->nexecs);
    ph->execs[0] = first;
    for (int e = 1; e < ph->nexecs; e++) {
        ph->execs[e] = hiss_exec_create(ph->graph, t->world.kernels, hiss_model_offsets(t->model));
    }
    for (int k = 0; k < ph->nexports; k++) {
        const hiss_shape shape = hiss_graph_shape(ph->graph, ph->export_value[k]);
        ph->export_floats[k] = hiss_shape_count(&shape);
        ph->exported[k] = hiss_new(float *, lanes);
        for (int64_t l = 0; l < lanes; l++) {
            ph->exported[k][l] = hiss_new(float, ph->export_floats[k]);
        }
    }
}

void phase_destroy(phase *ph, int64_t local_lanes) {
    for (int e = 0; e < ph->nexecs; e++) {
        hiss_exec_destroy(ph->execs[e]);
    }
    for (int k = 0; k < HISS_MAX_EXPORTS; k++) {
        for (int64_t l = 0; ph->exported[k] && l < local_lanes; l++) {
            hiss_free(ph->exported[k][l]);
        }
        hiss_free(ph->exported[k]);
    }
    hiss_free(ph->execs);
    hiss_free(ph->role);
    hiss_free(ph->bucket_used);
    hiss_free(ph->node_first);
    hiss_free(ph->node_bucket);
    hiss_graph_destroy(ph->graph);
}

/* ---- one lane ---- */

typedef enum pass { PASS_WHOLE, PASS_TO_CUT, PASS_FROM_CUT } pass;

typedef struct lane_job {
    trainer *t;
    phase *ph;
    pass pass;
} lane_job;

typedef struct lane_hook {
    const lane_job *job;
    int thread;
    int64_t lane;
    bool backward;
    double last; /* when the node that runs began */
} lane_hook;

/* The buckets that are final after a node of backward. */
static void hand_over(const lane_hook *h, int node) {
    const phase *ph = h->job->ph;
    for (int k = ph->node_first[node]; k < ph->node_first[node + 1]; k++) {
        hiss_reducer_done(h->job->t->reducer, h->lane, ph->node_bucket[k]);
    }
}

static void after_node(void *user, int node) {
    lane_hook *h = user;
    trainer *t = h->job->t;
    const phase *ph = h->job->ph;
    thread_times *times = &t->thread_times[h->thread];
    const double now = hiss_seconds(), spent = now - h->last;
    if (ph->clock) {
        node_clock *clock = &ph->clock[(h->lane - t->world.first_lane) * ph->nodes + node];
        *(h->backward ? &clock->backward : &clock->forward) = spent;
    }
    *(h->backward ? &times->backward : &times->forward) += spent;
    h->last = now;
    if (h->backward) {
        hand_over(h, node);
    }
    if (h->thread == 0) {
        hiss_reducer_progress(t->reducer);
        h->last = hiss_seconds();
        times->reduce += h->last - now;
    }
}

void phase_fill(trainer *t, const hiss_lane *lane) {
    const hiss_objective_ops *ops = t->experiment->objective;
    for (int64_t i = 0; i < lane->batch->m; i++) {
        if (ops->sample) {
            ops->sample(t->method, lane, i);
        } else {
            hiss_default_sample(lane, i);
        }
    }
    if (ops->fill) {
        ops->fill(t->method, lane);
    }
}

static void to_cut(const lane_job *job, const hiss_lane *lane, const hiss_run *run, lane_hook *hook) {
    const double start = hiss_seconds();
    phase_fill(job->t, lane);
    hook->last = hiss_seconds();
    job->t->thread_times[hook->thread].augment += hook->last - start;
    hiss_exec_forward(lane->exec, run, 0, job->ph->cut, after_node, hook);
}

static void from_cut(const lane_job *job, const hiss_lane *lane, hiss_run *run, lane_hook *hook) {
    trainer *t = job->t;
    const phase *ph = job->ph;
    thread_times *times = &t->thread_times[hook->thread];
    const double start = hiss_seconds();
    if (t->experiment->objective->supply) {
        t->experiment->objective->supply(t->method, lane);
    }
    hook->last = hiss_seconds();
    times->supply += hook->last - start;
    hiss_exec_forward(lane->exec, run, ph->cut, ph->nodes, after_node, hook);
    run->lane_vector = hiss_reducer_lane(t->reducer, lane->lane);
    hiss_exec_record(lane->exec, run);
    const double recorded = hiss_seconds();
    times->forward += recorded - hook->last;
    hook->last = recorded;
    run->lane_vector[t->stop_offset] = t->stop && lane->lane == t->world.first_lane ? 1.0f : 0.0f;
    hand_over(hook, ph->nodes); /* what is final before backward starts */
    hook->backward = true;
    hiss_exec_backward(lane->exec, run, after_node, hook);
}

static void run_lane(void *user, int thread, int64_t local) {
    const lane_job *job = user;
    trainer *t = job->t;
    phase *ph = job->ph;
    const hiss_lane lane = {.world = &t->world,
                            .lane = t->world.first_lane + local,
                            .epoch = t->epoch,
                            .step = t->step,
                            .view = -1,
                            .batch = &t->batches[local],
                            .graph = ph->graph,
                            .exec = ph->execs[ph->exec_per_lane && job->pass != PASS_WHOLE ? local : thread]};
    hiss_run run = {
        .model = t->vector, .seed = t->world.seed, .step = t->step, .lane = lane.lane, .lanes = t->world.lanes};
    lane_hook hook = {.job = job, .thread = thread, .lane = lane.lane};
    if (job->pass != PASS_FROM_CUT || !ph->exec_per_lane) {
        to_cut(job, &lane, &run, &hook);
    }
    if (job->pass == PASS_TO_CUT) {
        for (int k = 0; k < ph->nexports; k++) {
            memcpy(ph->exported[k][local], hiss_exec_data(lane.exec, ph->export_value[k]),
                   sizeof(float) * (size_t)ph->export_floats[k]);
        }
    } else {
        from_cut(job, &lane, &run, &hook);
    }
}

static void progress(void *user) {
    trainer *t = ((const lane_job *)user)->t;
    const double start = hiss_seconds();
    hiss_reducer_progress(t->reducer);
    t->thread_times[0].reduce += hiss_seconds() - start;
}

/* ---- the phase ---- */

/* One pass over all lanes; its times go to t->times. Updates happen inside the reduction. */
static void run_lanes(trainer *t, lane_job *job) {
    const int threads = pool_threads(t->pool);
    const double updated = t->times.update;
    memset(t->thread_times, 0, sizeof(thread_times) * (size_t)threads);
    pool_run(t->pool, t->world.end_lane - t->world.first_lane, run_lane, progress, job);
    const double update = t->times.update - updated;
    t->times.update = updated + update / threads;
    t->times.reduce -= update / threads;
    for (int k = 0; k < threads; k++) {
        const thread_times *times = &t->thread_times[k];
        t->times.augment += times->augment / threads;
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
    const hiss_reducer_times last = hiss_reducer_last(t->reducer);
    t->times.reduce += hiss_seconds() - start - (t->times.update - updated);
    t->times.transfer += last.transfer;
    t->times.wait += last.wait;
    t->times.sum += last.sum;
}

static hiss_status exchange(trainer *t, int p, hiss_error *err) {
    phase *ph = &t->phases[p];
    hiss_exchange x = {.world = &t->world,
                       .epoch = t->epoch,
                       .step = t->step,
                       .batches = t->batches,
                       .threads = pool_threads(t->pool)};
    for (int k = 0; k < ph->nexports; k++) {
        x.exports[k] = (const float *const *)ph->exported[k];
    }
    return t->experiment->objective->exchange(t->method, p, &x, err);
}

hiss_status phase_run(trainer *t, int p, hiss_error *err) {
    phase *ph = &t->phases[p];
    const hiss_objective_ops *ops = t->experiment->objective;
    lane_job job = {t, ph, PASS_WHOLE};
    if (ops->exchanges && ops->exchanges(t->method, p, t->epoch, t->step)) {
        job.pass = PASS_TO_CUT;
        run_lanes(t, &job);
        const double start = hiss_seconds();
        hiss_status s = exchange(t, p, err);
        if (s != HISS_OK) {
            return s;
        }
        t->times.exchange += hiss_seconds() - start;
        job.pass = PASS_FROM_CUT;
    }
    for (int g = 0; g < t->experiment->groups; g++) {
        t->updates[g] += (ops->trains ? ops->trains(t->method, p) : ~0u) >> g & 1u;
    }
    t->current = ph;
    hiss_reducer_start(t->reducer, ph->bucket_used, t->vector, trainer_update, t);
    run_lanes(t, &job);
    finish(t);
    return HISS_OK;
}
