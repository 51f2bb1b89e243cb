/* Non-finite values and diverging replicas: checks and policies.
 *
 * Not finite. Each lane looks at its own numbers when they are fresh: statistics and metrics after forward, gradients
 * of a bucket when it is handed over. A lane that finds something says so in the metric "nonfinite" of the last bucket,
 * which is handed over last, so that at the end of the reduction every rank knows, without a message of its own. A
 * magnitude beyond FLT_MAX / 2L counts as not finite: then no sum over the L lanes can overflow after the check. The
 * owners have updated their slices by then. Under policy skip they kept copies of what they overwrote (update and copy
 * share the reading), put them back, and send all ranks the old values. Under stop and rollback the step's results are
 * thrown away with the run or by loading a checkpoint.
 *
 * Replicas. All ranks hold the same parameters between the all-gather that ends a step and the one that ends the next,
 * which overwrites every copy by its owners'. So a copy has to be looked at while it is in use. In a checked step each
 * rank hashes its copy as it arrived, and again when the forward of its last lane is done, before anything of it is
 * handed over; after the step all compare. What the owner sent and others did not receive shows in the first hash; what
 * changed in place, in the owner's copy too, shows in a difference of the two, and names the rank without a vote. The
 * state to be checkpointed is compared once more.
 *
 * Going back loads the last state that was vouched for (or makes the initial one again) and replays; a failure up to
 * the step of the first is then no accident, and ends the run. */

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "hiss/fault.h"
#include "hiss/log.h"
#include "train/guard_impl.h"
#include "train/states.h"

static int64_t local_lanes(const trainer *t) {
    return t->placement.end_lane - t->placement.first_lane;
}

static int policy(const trainer *t) {
    return t->experiment->train.nonfinite;
}

static bool compares(const trainer *t) {
    return t->experiment->train.verify_replicas > 0;
}

/* ---- life ---- */

static void list_nodes(const trainer *t, guard *g, int p) {
    const phase *ph = &t->phases[p];
    g->nodes[p] = hiss_new(node_look, ph->nodes);
    g->fault_node[p] = -1;
    for (int i = 0; i < ph->nodes; i++) {
        node_look *look = &g->nodes[p][i];
        look->info = hiss_graph_node(ph->graph, i);
        const char *op = look->info.op;
        look->floating = strcmp(op, "labels") != 0;
        look->floats = hiss_shape_count(&look->info.shape);
        look->rows = look->info.shape.ndim > 1 && look->info.shape.dim[0] == t->placement.m;
        if (g->fault_node[p] < 0 && look->info.product.N) {
            g->fault_node[p] = i;
        }
    }
}

guard *train_guard_create(trainer *t) {
    guard *g = hiss_new(guard, 1);
    const int slots = hiss_model_count(t->model), P = hiss_comm_size(t->comm);
    g->limit = FLT_MAX / 2.0f / (float)t->placement.lanes;
    g->bucket_slots = hiss_new(int, t->buckets + 1);
    for (int k = 0, b = 0; k < slots; k++) {
        while (hiss_model_at(t->model, t->slot_order[k])->offset >= t->bucket_offsets[b + 1]) {
            g->bucket_slots[++b] = k;
        }
    }
    g->bucket_slots[t->buckets] = slots;
    g->nphases = t->nphases;
    g->nodes = hiss_new(node_look *, t->nphases);
    g->fault_node = hiss_new(int, t->nphases);
    for (int p = 0; p < t->nphases; p++) {
        list_nodes(t, g, p);
    }
    g->findings = hiss_new(finding, local_lanes(t));
    g->affected = hiss_new(bool, local_lanes(t) * t->placement.m);
    for (int k = 0; k < REPLICA_TIMES; k++) {
        g->slot_hash[k] = hiss_new(uint64_t, slots);
    }
    g->all_hashes = hiss_new(sums, P);
    g->hash_offsets = hiss_new(int64_t, P + 1);
    for (int r = 0; r <= P; r++) {
        g->hash_offsets[r] = r * (int64_t)sizeof(sums);
    }
    g->kept_by = hiss_new(const phase *, t->buckets);
    if (policy(t) == HISS_NONFINITE_SKIP) {
        g->kept = hiss_new(float, t->owned_floats);
        for (int k = 0; k < t->states; k++) {
            g->kept_state[k] = hiss_new(float, t->owned_floats);
        }
    }
    return g;
}

void train_guard_destroy(guard *g) {
    if (!g) {
        return;
    }
    hiss_free(g->first_vector);
    for (int k = 0; k < HISS_MAX_STATES; k++) {
        hiss_free(g->first_states[k]);
    }
    for (int k = 0; k < HISS_OPTIM_MAX_STATES; k++) {
        hiss_free(g->kept_state[k]);
    }
    for (int p = 0; p < g->nphases; p++) {
        hiss_free(g->nodes[p]);
    }
    hiss_free(g->nodes);
    hiss_free(g->fault_node);
    hiss_free(g->kept);
    hiss_free(g->kept_by);
    hiss_free(g->all_hashes);
    hiss_free(g->hash_offsets);
    for (int k = 0; k < REPLICA_TIMES; k++) {
        hiss_free(g->slot_hash[k]);
    }
    hiss_free(g->affected);
    hiss_free(g->findings);
    hiss_free(g->bucket_slots);
    hiss_free(g);
}

guard_counts train_guard_counted(const guard *g) {
    return g->counts;
}

/* ---- during a step ---- */

/* A fault on demand: one bit of one parameter on this rank. */
static void flip(trainer *t) {
    uint32_t bits;
    memcpy(&bits, t->vector, sizeof bits);
    bits ^= UINT32_C(1) << 12;
    memcpy(t->vector, &bits, sizeof bits);
}

void train_guard_begin(trainer *t) {
    guard *g = t->guard;
    memset(g->findings, 0, sizeof(finding) * (size_t)local_lanes(t));
    memset(g->kept_by, 0, sizeof(phase *) * (size_t)t->buckets);
    memcpy(g->kept_updates, t->updates, sizeof g->kept_updates);
    g->exchange_failed = false;
    g->checking = compares(t) && (t->step + 1) % t->experiment->train.verify_replicas == 0;
    t->verdict = VERDICT_GO_ON;
    if (hiss_fault("train.flip_arrived")) {
        flip(t);
    }
    if (g->checking) {
        train_replicas_hash(t, REPLICA_ARRIVED);
    }
    if (hiss_fault("train.flip_parameter")) {
        flip(t);
    }
}

void train_guard_look(const trainer *t, const phase *ph, int bucket, slot_role from, slot_role to, finding_kind kind,
                      finding *f, const float *lane_vector) {
    const guard *g = t->guard;
    for (int k = g->bucket_slots[bucket]; k < g->bucket_slots[bucket + 1]; k++) {
        const int s = t->slot_order[k];
        const hiss_slot *slot = hiss_model_at(t->model, s);
        const float *values = lane_vector + slot->offset;
        if (ph->role[s] < from || ph->role[s] > to || hiss_floats_within(slot->count, values, g->limit)) {
            continue;
        }
        const int64_t element = hiss_floats_first_beyond(slot->count, values, g->limit);
        *f = (finding){.kind = kind, .ph = ph, .slot = s, .element = element, .value = values[element], .node = -1};
        return;
    }
}

void train_guard_node(trainer *t, const phase *ph, hiss_exec *exec, int node) {
    const guard *g = t->guard;
    if (node == g->fault_node[ph - t->phases] && hiss_fault("train.nan_activation")) {
        *hiss_exec_data(exec, node) = NAN;
    }
}

static void look_at_exports(const trainer *t, const phase *ph, const hiss_lane *lane, finding *f) {
    for (int k = 0; k < ph->nexports && f->kind == FINDING_NONE; k++) {
        const hiss_shape shape = hiss_graph_shape(ph->graph, ph->export_value[k]);
        if (!hiss_floats_within(hiss_shape_count(&shape), hiss_exec_data(lane->exec, ph->export_value[k]),
                                t->guard->limit)) {
            *f = (finding){.kind = FINDING_FORWARD, .ph = ph, .slot = -1, .node = -1};
        }
    }
}

void train_guard_before_lanes(trainer *t, const phase *ph) {
    if (t->guard->checking && ph == t->first && local_lanes(t) == 0) {
        train_replicas_hash(t, REPLICA_USED); /* nothing of it is used here, and new values may arrive from now on */
    }
}

void train_guard_forward(trainer *t, const phase *ph, const hiss_lane *lane, const hiss_exec_context *run) {
    finding *f = &t->guard->findings[lane->lane - t->placement.first_lane];
    const bool whole = run->lane_vector != NULL;
    if (f->kind == FINDING_NONE) {
        if (whole) {
            train_guard_look(t, ph, t->buckets - 1, ROLE_STATISTIC, ROLE_METRIC, FINDING_FORWARD, f, run->lane_vector);
        } else {
            look_at_exports(t, ph, lane, f);
        }
        if (f->kind != FINDING_NONE) {
            train_nonfinite_locate(t, lane, run, f);
        }
    }
    if (t->guard->checking && whole && ph == t->first && lane->lane + 1 == t->placement.end_lane) {
        train_replicas_hash(t, REPLICA_USED);
    }
}

void train_guard_bucket(trainer *t, const phase *ph, const hiss_lane *lane, int bucket, float *lane_vector) {
    const guard *g = t->guard;
    finding *f = &g->findings[lane->lane - t->placement.first_lane];
    if (bucket == t->buckets - 1) {
        lane_vector[t->control_offset + 2] = f->kind == FINDING_NONE ? 0.0f : 1.0f;
        return;
    }
    if (hiss_fault("train.nan_gradient")) {
        lane_vector[hiss_model_at(t->model, t->slot_order[g->bucket_slots[bucket]])->offset] = INFINITY;
    }
    if (f->kind == FINDING_NONE) {
        train_guard_look(t, ph, bucket, ROLE_PARAMETER, ROLE_PARAMETER, FINDING_GRADIENT, f, lane_vector);
    }
}

/* ---- skipping a step ---- */

static int bucket_of(const trainer *t, int64_t at) {
    int b = 0;
    while (at >= t->bucket_offsets[b + 1]) {
        b++;
    }
    return b;
}

void train_guard_keep(trainer *t, int64_t begin, int64_t end) {
    guard *g = t->guard;
    if (!g->kept) {
        return;
    }
    const int b = bucket_of(t, begin);
    g->kept_by[b] = g->kept_by[b] ? g->kept_by[b] : t->current;
    if (g->kept_by[b] == t->current) { /* else an earlier phase of this step has overwritten it */
        const int64_t at = train_packed(t, begin);
        const size_t bytes = sizeof(float) * (size_t)(end - begin);
        memcpy(g->kept + at, t->vector + begin, bytes);
        for (int k = 0; k < t->states; k++) {
            memcpy(g->kept_state[k] + at, t->state[k] + at, bytes);
        }
    }
}

/* For [begin, end) of one owned range, which stands at `at` of the packed arrays: put the states back, and make kept
 * what the vector has to hold, whether the step changed it or not. */
static void put_back(trainer *t, int64_t begin, int64_t end, int64_t at) {
    guard *g = t->guard;
    for (int b = bucket_of(t, begin); begin < end; b++) {
        const int64_t to = end < t->bucket_offsets[b + 1] ? end : t->bucket_offsets[b + 1];
        const size_t bytes = sizeof(float) * (size_t)(to - begin);
        if (!g->kept_by[b]) {
            memcpy(g->kept + at, t->vector + begin, bytes);
        }
        for (int k = 0; g->kept_by[b] && k < t->states; k++) {
            memcpy(t->state[k] + at, g->kept_state[k] + at, bytes);
        }
        at += to - begin;
        begin = to;
    }
}

/* Collective. */
static void undo(trainer *t) {
    const hiss_range *ranges;
    const int n = hiss_reducer_owned(t->reducer, &ranges);
    for (int r = 0; r < n; r++) {
        put_back(t, ranges[r].begin, ranges[r].end, t->owned_start[r]);
    }
    hiss_reducer_gather(t->reducer, t->guard->kept, hiss_comm_rank(t->comm) == 0 ? t->vector : NULL);
    hiss_comm_broadcast(t->comm, t->vector, hiss_model_floats(t->model) * (int64_t)sizeof(float), 0);
    memcpy(t->updates, t->guard->kept_updates, sizeof t->updates);
}

/* What to do about numbers that are not finite: they were found again, or a machine erred. */
static const char *remedy(const trainer *t, bool again, char out[GUARD_TEXT]) {
    const hiss_optim_options *o = &t->experiment->optim[0];
    const double product = hiss_optim_shrinkage(o);
    if (!again) {
        snprintf(out, GUARD_TEXT,
                 "start again without this host (sbatch --exclude), or set "
                 "train.nonfinite=rollback");
    } else if (product > 1.0) {
        snprintf(out, GUARD_TEXT,
                 "training has diverged; the learning rate may be too high (optim.lr = %g): its product with "
                 "optim.weight_decay, %g, must stay below 1: lower one of them",
                 o->lr, product);
    } else {
        snprintf(out, GUARD_TEXT,
                 "training has diverged; the learning rate may be too high (optim.lr = %g): lower it or add "
                 "optim.warmup",
                 o->lr);
    }
    return out;
}

/* An exchange may still be pending on features that are not finite: its failure is a part of what is known already. */
static hiss_status settle(trainer *t, hiss_error *err) {
    const hiss_status s = train_settle(t, err);
    return s == HISS_EUSER ? HISS_OK : s;
}

static hiss_status skip(trainer *t, const char *line, bool again, hiss_error *err) {
    const int64_t limit = t->experiment->train.nonfinite_limit;
    if (++t->skipped[1] > limit) {
        char text[GUARD_TEXT];
        return hiss_fail(err, HISS_EUSER,
                         "step %" PRId64 ": %s; that is more than %" PRId64
                         " steps in a row (train.nonfinite_limit); %s, or go back to an earlier checkpoint",
                         t->step + 1, line, limit, remedy(t, again, text));
    }
    undo(t);
    t->skipped[0]++;
    t->verdict = VERDICT_SKIPPED;
    if (hiss_comm_rank(t->comm) == 0) {
        hiss_warn("step %" PRId64 ": %s; the step is left out (%" PRId64 " so far)", t->step + 1, line, t->skipped[0]);
    }
    return settle(t, err);
}

/* ---- going back ---- */

void train_guard_resumed(trainer *t, const char *path) {
    snprintf(t->guard->resumed, sizeof t->guard->resumed, "%s", path);
}

static bool may_go_back(const trainer *t) {
    return policy(t) == HISS_NONFINITE_ROLLBACK || compares(t);
}

void train_guard_start(trainer *t) {
    hiss_state states[HISS_MAX_STATES];
    const bool begins = may_go_back(t) && !*t->guard->resumed;
    const int n = begins ? train_states_of(t, states) : 0;
    if (begins && *t->init) {
        const int64_t floats = hiss_model_floats(t->model);
        t->guard->first_vector = hiss_new(float, floats);
        memcpy(t->guard->first_vector, t->vector, sizeof(float) * (size_t)floats);
    }
    for (int k = 0; k < n; k++) {
        t->guard->first_states[k] = hiss_alloc((size_t)train_states_bytes(t, &states[k]));
        memcpy(t->guard->first_states[k], states[k].local, (size_t)train_states_bytes(t, &states[k]));
    }
}

static void begin_again(trainer *t) {
    hiss_state states[HISS_MAX_STATES];
    const int n = train_states_of(t, states);
    if (t->guard->first_vector) {
        memcpy(t->vector, t->guard->first_vector, sizeof(float) * (size_t)hiss_model_floats(t->model));
    } else {
        hiss_model_initialize(t->model, t->task.seed, t->vector);
    }
    for (int k = 0; k < t->states; k++) {
        memset(t->state[k], 0, sizeof(float) * (size_t)t->owned_floats);
    }
    for (int k = 0; k < n; k++) {
        memcpy(states[k].local, t->guard->first_states[k], (size_t)train_states_bytes(t, &states[k]));
    }
    memset(t->updates, 0, sizeof t->updates);
    memset(t->skipped, 0, sizeof t->skipped);
    t->step = 0;
}

hiss_status train_guard_go_back(trainer *t, hiss_error *err) {
    guard *g = t->guard;
    hiss_status s = settle(t, err);
    const int64_t good = train_checkpoint_last_good(t);
    char path[GUARD_PATH];
    snprintf(path, sizeof path, "%s", g->resumed);
    if (good >= 0) {
        hiss_snapshot_path(t->request->run, good, path, sizeof path);
    }
    if (s == HISS_OK && *path) {
        s = train_checkpoint_load(t, path, err);
    } else if (s == HISS_OK) {
        begin_again(t);
    }
    s = s == HISS_OK ? train_verify(t, err) : s;
    if (s == HISS_OK) {
        hiss_loader_seek(t->loader, t->step / t->placement.steps_per_epoch, t->step % t->placement.steps_per_epoch);
        t->stop = t->save = false;
        t->verdict = VERDICT_GO_ON;
        g->counts.rollbacks++;
        if (hiss_comm_rank(t->comm) == 0) {
            hiss_warn("back to %s, for a replay from step %" PRId64 " on", *path ? path : "the beginning", t->step + 1);
        }
    }
    return s;
}

/* Rank 0, whose words are shown, writes the checkpoints. Not collective. */
static const char *what_stays(trainer *t) {
    const bool saved = *t->guard->resumed || (t->saver && train_checkpoint_good_here(t) >= 0);
    return saved ? "the last checkpoint is kept" : "there is no checkpoint yet";
}

/* The step of this number failed: go back, unless that has been tried. `code` is the status of a failure that stays;
 * again: its numbers were found again. */
static hiss_status go_back_once(trainer *t, int64_t number, hiss_status code, bool again, const char *line,
                                hiss_error *err) {
    guard *g = t->guard;
    if (number <= g->replay_until) {
        char text[GUARD_TEXT];
        return hiss_fail(err, code,
                         "step %" PRId64 ": %s; so it is no passing fault: step %" PRId64
                         " failed before, and this was its replay; %s; %s",
                         number, line, g->replay_until,
                         again ? remedy(t, true, text) : "leave the host out of the next job (sbatch --exclude)",
                         what_stays(t));
    }
    g->replay_until = number;
    t->verdict = VERDICT_BACK;
    if (hiss_comm_rank(t->comm) == 0) {
        hiss_warn("step %" PRId64 ": %s; going back", number, line);
    }
    return HISS_OK;
}

/* ---- verdicts ---- */

bool train_guard_tripped(const trainer *t) {
    return t->guard->exchange_failed || t->vector[t->control_offset + 2] != 0.0f;
}

static hiss_status stop(trainer *t, int64_t number, const char *line, bool again, hiss_error *err) {
    char text[GUARD_TEXT];
    return hiss_fail(err, HISS_EUSER, "step %" PRId64 ", epoch %" PRId64 ": %s; %s; %s", number, t->epoch, line,
                     remedy(t, again, text), what_stays(t));
}

hiss_status train_guard_exchange_failed(trainer *t, const char *why, hiss_error *err) {
    int64_t mine = 0;
    for (int64_t l = 0; l < local_lanes(t); l++) {
        mine += t->guard->findings[l].kind != FINDING_NONE;
    }
    t->guard->exchange_failed = hiss_comm_max_i64(t->comm, mine) > 0;
    return t->guard->exchange_failed ? HISS_OK : stop(t, t->step + 1, why, true, err);
}

hiss_status train_guard_end(trainer *t, hiss_error *err) {
    guard *g = t->guard;
    const bool tripped = train_guard_tripped(t);
    char line[GUARD_TEXT];
    if (g->checking && !g->exchange_failed) {
        g->counts.checks++;
        if (train_replicas_differ(t, line)) {
            return go_back_once(t, t->step + 1, HISS_EINTERNAL, false, line, err);
        }
    }
    if (!tripped) {
        t->skipped[1] = 0;
        return HISS_OK;
    }
    hiss_alloc_seal(false); /* the loop seals the next step again */
    const bool again = train_nonfinite_report(t, line);
    switch (policy(t)) {
    case HISS_NONFINITE_SKIP:
        return skip(t, line, again, err);
    case HISS_NONFINITE_ROLLBACK:
        return go_back_once(t, t->step + 1, HISS_EUSER, again, line, err);
    default:
        return stop(t, t->step + 1, line, again, err);
    }
}

static bool state_is_finite(const trainer *t) {
    const int64_t metrics = t->bucket_offsets[t->buckets - 1];
    bool finite = hiss_floats_within(metrics, t->vector, FLT_MAX);
    for (int s = t->guard->bucket_slots[t->buckets - 1]; s < hiss_model_count(t->model); s++) {
        const hiss_slot *slot = hiss_model_at(t->model, t->slot_order[s]);
        finite = finite &&
                 (slot->kind == HISS_SLOT_METRIC || hiss_floats_within(slot->count, t->vector + slot->offset, FLT_MAX));
    }
    for (int k = 0; k < t->states; k++) {
        finite = finite && hiss_floats_within(t->owned_floats, t->state[k], FLT_MAX);
    }
    return finite && train_states_are_finite(t);
}

hiss_status train_guard_vouch(trainer *t, hiss_error *err) {
    char line[GUARD_TEXT];
    t->verdict = VERDICT_GO_ON;
    if (hiss_fault("train.flip_checkpoint")) {
        flip(t);
    }
    if (hiss_comm_max_i64(t->comm, !state_is_finite(t)) > 0) {
        snprintf(line, sizeof line,
                 "a parameter, a statistic, a value of the optimizer or a state of the objective is no longer finite");
        return policy(t) == HISS_NONFINITE_ROLLBACK ? go_back_once(t, t->step, HISS_EUSER, true, line, err)
                                                    : stop(t, t->step, line, true, err);
    }
    if (compares(t) && hiss_comm_size(t->comm) > 1) {
        train_replicas_hash(t, REPLICA_ARRIVED);
        train_replicas_hash(t, REPLICA_USED);
        t->guard->counts.checks++;
        char name[HISS_SNAPSHOT_NAME];
        bool differ = train_replicas_differ(t, line);
        if (!differ && train_states_differ(t, name)) {
            snprintf(line, sizeof line, "the objective's state %.100s differs between ranks: a machine fails", name);
            differ = true;
        }
        if (differ) {
            return go_back_once(t, t->step, HISS_EINTERNAL, false, line, err);
        }
    }
    return HISS_OK;
}
