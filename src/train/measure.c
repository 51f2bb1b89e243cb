/* Timing steps: the training loop's own step, repeated on a seal of allocations, without files.
 *
 * A method may exchange in some epochs only (NAT reassigns in every E-th), and such steps cost more, so both kinds are
 * timed, each in the first epoch of its kind. Steps that run out of that epoch start it again. Operations are timed
 * in the same steps by the clock in phase.c, so caches are as training leaves them. Each figure is a median over
 * steps, so the parts of a step need not add up to its wall time exactly. */
#include <string.h>

#include "hiss/clock.h"
#include "train/trainer.h"

enum { WARM_UP = 2, MIN_STEPS = 5, MAX_STEPS = 500, PARTS = 11 };

typedef struct series { /* what one kind of step gave */
    int64_t steps;
    double *part;      /* [PARTS][steps] */
    node_clock **node; /* [phase]: [steps][local lanes][nodes] */
} series;

static int64_t local_lanes(const trainer *t) {
    return t->placement.end_lane - t->placement.first_lane;
}

/* ---- kinds of steps ---- */

static bool exchanging(const trainer *t, int64_t epoch) {
    const hiss_exchange_ops *ops = t->experiment->objective->exchange;
    for (int p = 0; ops && p < t->nphases; p++) {
        if (ops->exchanges(t->method, p, epoch, epoch * t->placement.steps_per_epoch)) {
            return true;
        }
    }
    return false;
}

/* The first epoch of a kind, or -1; *share of it among the epochs looked at. */
static int64_t first_epoch(const trainer *t, bool kind, double *share) {
    enum { LOOK_AT = 1000 };
    const int64_t epochs = t->epochs < LOOK_AT ? t->epochs : LOOK_AT;
    int64_t first = -1, found = 0;
    for (int64_t epoch = 0; epoch < epochs; epoch++) {
        if (exchanging(t, epoch) == kind) {
            first = first < 0 ? epoch : first;
            found++;
        }
    }
    *share = (double)found / (double)epochs;
    return first;
}

/* ---- steps ---- */

static void enter_epoch(trainer *t, int64_t epoch) {
    t->step = epoch * t->placement.steps_per_epoch;
    hiss_loader_seek(t->loader, epoch, 0);
}

static hiss_status timed_step(trainer *t, int64_t epoch, double *wall, hiss_error *err) {
    if (t->step == (epoch + 1) * t->placement.steps_per_epoch) {
        enter_epoch(t, epoch);
    }
    t->times = (trainer_times){0};
    const double start = hiss_seconds();
    hiss_status s = train_step(t, err);
    *wall = hiss_seconds() - start;
    return s;
}

static void note(const trainer *t, double wall, int64_t step, series *out) {
    const trainer_times *n = &t->times;
    const double part[PARTS] = {wall,        n->data,   n->augment, n->forward,  n->exchange, n->supply,
                                n->backward, n->reduce, n->update,  n->transfer, n->wait};
    for (int k = 0; k < PARTS; k++) {
        out->part[k * out->steps + step] = part[k];
    }
    for (int p = 0; p < t->nphases; p++) {
        const int64_t count = local_lanes(t) * t->phases[p].nodes;
        memcpy(out->node[p] + step * count, t->phases[p].clock, sizeof(node_clock) * (size_t)count);
    }
}

static void take_exchange(const trainer *t, int64_t steps, hiss_step_times *out) {
    const hiss_report_ops *ops = t->experiment->objective->report;
    hiss_named all[HISS_MAX_DERIVED];
    const int n = ops && ops->derive ? ops->derive(t->method, NULL, 0, all) : 0;
    out->nparts = 0;
    for (int k = 0; k < n; k++) {
        char *unit = strstr(all[k].name, "_seconds");
        if (unit) {
            *unit = 0;
            out->parts[out->nparts] = all[k];
            out->parts[out->nparts++].value = all[k].value / (double)steps;
        }
    }
    out->messages = hiss_named_value(all, n, "sent_messages");
    out->bytes = hiss_named_value(all, n, "sent_bytes");
}

static void series_destroy(const trainer *t, series *s) {
    for (int p = 0; s->node && p < t->nphases; p++) {
        hiss_free(s->node[p]);
    }
    hiss_free(s->node);
    hiss_free(s->part);
}

static void summarize(series *s, hiss_step_times *out) {
    double *const to[PARTS] = {&out->wall,     &out->load,     &out->augment,  &out->forward,
                               &out->exchange, &out->supply,   &out->backward, &out->reduce,
                               &out->update,   &out->transfer, &out->wait};
    for (int k = 0; k < PARTS; k++) {
        *to[k] = hiss_median(s->part + k * s->steps, s->steps);
    }
    out->steps = s->steps;
    out->fastest = s->part[0]; /* sorted by now */
}

static hiss_status run_kind(trainer *t, int64_t epoch, double seconds, series *out, hiss_error *err) {
    double wall = 0.0;
    hiss_status s = HISS_OK;
    enter_epoch(t, epoch);
    for (int k = 0; k < WARM_UP && s == HISS_OK; k++) {
        s = timed_step(t, epoch, &wall, err);
    }
    if (s != HISS_OK) {
        return s;
    }
    const double slowest = 1e-9 * (double)hiss_comm_max_i64(t->comm, 1 + (int64_t)(1e9 * wall));
    const double wanted = seconds / slowest;
    out->steps = wanted < MIN_STEPS ? MIN_STEPS : wanted > MAX_STEPS ? MAX_STEPS : (int64_t)wanted;
    out->part = hiss_new(double, PARTS * out->steps);
    out->node = hiss_new(node_clock *, t->nphases);
    for (int p = 0; p < t->nphases; p++) {
        out->node[p] = hiss_new(node_clock, out->steps * local_lanes(t) * t->phases[p].nodes);
    }
    hiss_step_times before;
    take_exchange(t, 1, &before); /* what the warm-up left */
    hiss_alloc_seal(true);
    for (int64_t k = 0; k < out->steps && s == HISS_OK; k++) {
        s = timed_step(t, epoch, &wall, err);
        note(t, wall, k, out);
    }
    hiss_alloc_seal(false);
    return s;
}

/* ---- nodes ---- */

static void describe_nodes(const trainer *t, hiss_measurement *out) {
    for (int p = 0; p < t->nphases; p++) {
        out->nnodes += t->phases[p].nodes;
    }
    out->nodes = hiss_arena_alloc(out->arena, sizeof(hiss_node_time) * (size_t)out->nnodes);
    for (int p = 0, at = 0; p < t->nphases; p++) {
        for (int i = 0; i < t->phases[p].nodes; i++) {
            hiss_node_time *node = &out->nodes[at++];
            node->phase = p;
            node->info = hiss_graph_node(t->phases[p].graph, i);
            node->info.scope = hiss_arena_text(out->arena, node->info.scope);
        }
    }
}

static void describe_buckets(const trainer *t, hiss_measurement *out) {
    out->phases = t->nphases;
    out->buckets = t->buckets;
    out->bucket_offsets = hiss_arena_alloc(out->arena, sizeof(int64_t) * (size_t)(t->buckets + 1));
    memcpy(out->bucket_offsets, t->bucket_offsets, sizeof(int64_t) * (size_t)(t->buckets + 1));
    out->cut = hiss_arena_alloc(out->arena, sizeof(int) * (size_t)t->nphases);
    out->bucket_final = hiss_arena_alloc(out->arena, sizeof(int) * (size_t)(t->nphases * t->buckets));
    for (int p = 0; p < t->nphases; p++) {
        const phase *ph = &t->phases[p];
        int *final = out->bucket_final + p * t->buckets;
        out->cut[p] = ph->cut;
        for (int b = 0; b < t->buckets; b++) {
            final[b] = -1;
        }
        for (int i = 0; i <= ph->nodes; i++) {
            for (int k = ph->node_first[i]; k < ph->node_first[i + 1]; k++) {
                final[ph->node_bucket[k]] = i;
            }
        }
        for (int k = ph->node_first[ph->nodes + 1]; k < ph->node_first[ph->nodes + 2]; k++) {
            final[ph->node_bucket[k]] = 0;
        }
    }
}

static void time_nodes(const trainer *t, const series *s, hiss_measurement *out) {
    const int64_t passes = s->steps * local_lanes(t);
    double *forward = hiss_new(double, passes), *backward = hiss_new(double, passes);
    for (int p = 0, at = 0; p < t->nphases; p++) {
        const int nodes = t->phases[p].nodes;
        for (int i = 0; i < nodes; i++) {
            for (int64_t k = 0; k < passes; k++) {
                forward[k] = s->node[p][k * nodes + i].forward;
                backward[k] = s->node[p][k * nodes + i].backward;
            }
            out->nodes[at].forward = hiss_median(forward, passes);
            out->nodes[at++].backward = hiss_median(backward, passes);
        }
    }
    hiss_free(forward);
    hiss_free(backward);
}

/* ---- all of it ---- */

static hiss_status measure(trainer *t, double seconds, hiss_measurement *out, hiss_error *err) {
    hiss_status s = HISS_OK;
    bool timed = false;
    for (int p = 0; p < t->nphases; p++) {
        t->phases[p].clock = hiss_new(node_clock, local_lanes(t) * t->phases[p].nodes);
    }
    for (int kind = 0; kind < 2 && s == HISS_OK; kind++) {
        double share = 0.0;
        const int64_t epoch = first_epoch(t, kind == 1, &share);
        series result = {0};
        if (epoch < 0) {
            continue;
        }
        s = run_kind(t, epoch, seconds, &result, err);
        if (s == HISS_OK) {
            summarize(&result, kind ? &out->exchanging : &out->plain);
        }
        if (s == HISS_OK && kind == 1) {
            out->exchanging_share = share;
            take_exchange(t, result.steps, &out->exchanging);
        }
        if (s == HISS_OK && !timed && local_lanes(t) > 0) {
            time_nodes(t, &result, out);
            timed = true;
        }
        series_destroy(t, &result);
    }
    for (int p = 0; p < t->nphases; p++) {
        hiss_free(t->phases[p].clock);
        t->phases[p].clock = NULL;
    }
    return s;
}

hiss_status hiss_train_measure(const hiss_train_request *request, double seconds, hiss_measurement *out,
                               hiss_error *err) {
    trainer t = {0};
    hiss_kernels_enter_thread();
    *out = (hiss_measurement){.arena = hiss_arena_create()};
    hiss_status s = train_create(request, &t, err);
    if (s == HISS_OK) {
        describe_nodes(&t, out);
        describe_buckets(&t, out);
        out->lanes = t.placement.lanes;
        out->m = t.placement.m;
        out->samples = t.placement.samples;
        out->ahead = request->experiment->train.activation_memory / 4 / (4 * hiss_model_floats(t.model));
        out->threads = train_pool_threads(t.pool);
        out->parameters = hiss_model_parameters(t.model);
        out->memory = train_memory(&t);
        for (int p = 0; p < t.nphases; p++) {
            out->execs += t.phases[p].nexecs;
        }
        s = seconds < 0.0 ? HISS_OK : train_scaling(&t, err);
        s = seconds < 0.0 || s != HISS_OK ? s : measure(&t, seconds, out, err);
    }
    train_destroy(&t);
    return s;
}

hiss_status hiss_train_check(const hiss_train_request *request, hiss_error *err) {
    trainer t = {0};
    hiss_kernels_enter_thread();
    hiss_status s = train_create(request, &t, err);
    s = s == HISS_OK ? train_transfer_init(&t, err) : s;
    train_destroy(&t);
    return s;
}

void hiss_measurement_destroy(hiss_measurement *m) {
    hiss_arena_destroy(m->arena);
    *m = (hiss_measurement){0};
}
