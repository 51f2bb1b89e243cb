/* Where numbers stopped being finite: a second forward of the lane that watches every node, and a report on all lanes.
 *
 * The second forward sees the same parameters as the first, because the lane has not handed over anything yet, and is
 * looked at as the first was: outputs, statistics and metrics by one limit. When it is within the limit throughout, the
 * first one was not computed as it should have been: the machine is to blame. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hiss/file.h"
#include "hiss/log.h"
#include "train/guard_impl.h"

enum { HOST_TEXT = 64 };
static const char *const policies[] = {"stop", "skip", "rollback"};

/* ---- the second forward ---- */

typedef struct watcher {
    trainer *t;
    const hiss_lane *lane;
    finding *f;
} watcher;

static void watch_node(void *user, int node) {
    watcher *w = user;
    const guard *g = w->t->guard;
    const node_look *look = &g->nodes[w->f->ph - w->t->phases][node];
    train_guard_node(w->t, w->f->ph, w->lane->exec, node);
    if (w->f->node >= 0 || !look->floating || !hiss_exec_holds(w->lane->exec, node)) {
        return;
    }
    const float *values = hiss_exec_data(w->lane->exec, node);
    if (hiss_floats_within(look->floats, values, g->limit)) {
        return;
    }
    const int64_t m = w->t->placement.m, row = look->floats / m;
    bool *affected = g->affected + (w->lane->lane - w->t->placement.first_lane) * m;
    w->f->node = node;
    w->f->value = values[hiss_floats_first_beyond(look->floats, values, g->limit)];
    for (int64_t i = 0; i < m; i++) {
        affected[i] = !look->rows || !hiss_floats_within(row, values + i * row, g->limit);
    }
}

/* A variance is the square of what a layer gives: it can be beyond the limit where no output is. */
static void look_again_at_statistics(const trainer *t, const hiss_lane *lane, const hiss_exec_context *run,
                                     finding *f) {
    finding second = {.kind = FINDING_NONE};
    hiss_exec_record(lane->exec, run);
    train_guard_look(t, f->ph, t->buckets - 1, ROLE_STATISTIC, ROLE_METRIC, FINDING_FORWARD, &second, run->lane_vector);
    if (second.kind != FINDING_NONE) {
        f->again = true;
        if (f->node < 0) {
            f->slot = second.slot;
            f->element = second.element;
            f->value = second.value;
        }
    }
}

void train_nonfinite_locate(trainer *t, const hiss_lane *lane, const hiss_exec_context *run, finding *f) {
    watcher w = {t, lane, f};
    memset(t->guard->affected + (lane->lane - t->placement.first_lane) * t->placement.m, 0, (size_t)t->placement.m);
    train_phase_fill(t, lane);
    hiss_exec_forward(lane->exec, run, 0, f->ph->cut, watch_node, &w);
    if (run->lane_vector) {
        train_phase_supply(t, lane);
        hiss_exec_forward(lane->exec, run, f->ph->cut, f->ph->nodes, watch_node, &w);
        look_again_at_statistics(t, lane, run, f);
    }
    f->again = f->again || f->node >= 0;
}

/* ---- the report ---- */

static const char *seen_in(const trainer *t, const finding *f) {
    return f->slot < 0 ? "the features" : hiss_model_at(t->model, f->slot)->name;
}

static const char *layer_of(const node_look *look) {
    return look->info.scope && *look->info.scope ? look->info.scope : look->info.op;
}

static void say(const trainer *t, int64_t lane, const char *host, char line[GUARD_TEXT]) {
    const finding *f = &t->guard->findings[lane - t->placement.first_lane];
    char place[192], beyond[64] = "";
    snprintf(place, sizeof place, "lane %" PRId64 " on rank %d (host %s)", lane, hiss_comm_rank(t->comm), host);
    if (isfinite(f->value)) {
        snprintf(beyond, sizeof beyond, ", beyond %g,", (double)t->guard->limit);
    }
    if (f->kind == FINDING_GRADIENT) {
        snprintf(line, GUARD_TEXT, "the gradient of %s is %g%s in %s", seen_in(t, f), (double)f->value, beyond, place);
    } else if (f->node >= 0) {
        const node_look *look = &t->guard->nodes[f->ph - t->phases][f->node];
        snprintf(line, GUARD_TEXT, "layer %s (%s, node %d) gives %g%s in %s", layer_of(look), look->info.op, f->node,
                 (double)f->value, beyond, place);
    } else if (f->again) {
        snprintf(line, GUARD_TEXT, "%s is %g%s in %s", seen_in(t, f), (double)f->value, beyond, place);
    } else {
        snprintf(line, GUARD_TEXT, "%s of %s: not finite, but finite when computed again, so a fault of the machine",
                 seen_in(t, f), place);
    }
}

static void list_samples(FILE *out, const char *name, const hiss_batch *batch, const bool *which) {
    fprintf(out, "    %s: [", name);
    const char *comma = "";
    for (int64_t i = 0; i < batch->m; i++) {
        if (!which || which[i]) {
            fprintf(out, "%s%" PRId64, comma, batch->sample[i]);
            comma = ", ";
        }
    }
    fprintf(out, "]\n");
}

/* The range of what the samples put into the graph, filled in again. */
static void print_inputs(FILE *out, trainer *t, const finding *f, int64_t lane) {
    hiss_exec *exec = f->ph->execs[0];
    const hiss_lane place = {.task = &t->task,
                             .phase = (int)(f->ph - t->phases),
                             .lane = lane,
                             .epoch = f->ph->labelled ? t->step : t->epoch,
                             .step = t->step,
                             .view = HISS_VIEW_TRAINING,
                             .batch = &train_batches(t, f->ph)[lane - t->placement.first_lane],
                             .graph = f->ph->graph,
                             .exec = exec,
                             .inputs = &f->ph->inputs,
                             .scratch = t->scratch[0]};
    const hiss_value image = f->ph->inputs.image;
    if (image < 0) {
        return;
    }
    train_phase_fill(t, &place);
    const float *x = hiss_exec_data(exec, image);
    float low = x[0], high = x[0];
    for (int64_t i = 1; i < t->guard->nodes[f->ph - t->phases][image].floats; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    fprintf(out, "    image: {min: %.9g, max: %.9g}\n", (double)low, (double)high);
}

static void print_lane(FILE *out, trainer *t, int64_t lane, const char *host) {
    const int64_t local = lane - t->placement.first_lane;
    const finding *f = &t->guard->findings[local];
    fprintf(out, "  - lane: %" PRId64 "\n    rank: %d\n    host: %s\n", lane, hiss_comm_rank(t->comm), host);
    if (f->kind == FINDING_GRADIENT) {
        fprintf(out, "    found_in: gradient\n    parameter: %s\n    element: %" PRId64 "\n    value: %g\n",
                seen_in(t, f), f->element, (double)f->value);
    } else {
        fprintf(out, "    found_in: %s\n    again: %s\n", seen_in(t, f), f->again ? "not finite" : "finite");
    }
    if (f->kind == FINDING_FORWARD && f->again && f->node < 0) {
        fprintf(out, "    element: %" PRId64 "\n    value: %g\n", f->element, (double)f->value);
    }
    if (f->node >= 0) {
        const node_look *look = &t->guard->nodes[f->ph - t->phases][f->node];
        char shape[HISS_SHAPE_TEXT];
        fprintf(out, "    layer: %s\n    operation: %s\n    node: %d\n    shape: %s\n    value: %g\n", layer_of(look),
                look->info.op, f->node, hiss_shape_text(&look->info.shape, shape), (double)f->value);
    }
    print_inputs(out, t, f, lane);
    const hiss_batch *batch = &train_batches(t, f->ph)[local];
    list_samples(out, "samples", batch, NULL);
    if (f->node >= 0) {
        list_samples(out, "affected", batch, t->guard->affected + local * t->placement.m);
    }
}

static char *describe_lanes(trainer *t, const char *host, int64_t *size) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = hiss_text_open(&text, &length);
    for (int64_t lane = t->placement.first_lane; lane < t->placement.end_lane; lane++) {
        if (t->guard->findings[lane - t->placement.first_lane].kind != FINDING_NONE) {
            print_lane(out, t, lane, host);
        }
    }
    fclose(out);
    *size = (int64_t)length;
    return text;
}

typedef struct dump {
    const trainer *t;
    const char *lanes;
    int64_t size;
} dump;

static void write_dump(FILE *out, const void *user) {
    const dump *d = user;
    fprintf(out, "# Lanes of a step in which numbers were not finite, or larger than `limit`.\n");
    fprintf(out, "step: %" PRId64 "\nepoch: %" PRId64 "\npolicy: %s\nlimit: %g\nlearning_rate: %g\nlanes:\n",
            d->t->step + 1, d->t->epoch, policies[d->t->experiment->train.nonfinite], (double)d->t->guard->limit,
            d->t->experiment->optim[0].lr);
    fwrite(d->lanes, 1, (size_t)d->size, out);
}

/* All ranks' texts, in rank order, to a file that rank 0 writes; its name is added to the line. */
static void gather_and_write(trainer *t, const char *text, int64_t size, char line[GUARD_TEXT]) {
    const int P = hiss_comm_size(t->comm);
    int64_t *offsets = hiss_new(int64_t, P + 1), *sizes = hiss_new(int64_t, P);
    for (int r = 0; r <= P; r++) {
        offsets[r] = r * (int64_t)sizeof(int64_t);
    }
    hiss_comm_allgather(t->comm, &size, offsets, sizes);
    offsets[0] = 0;
    for (int r = 0; r < P; r++) {
        offsets[r + 1] = offsets[r] + sizes[r];
    }
    const bool root = hiss_comm_rank(t->comm) == 0;
    char *all = root ? hiss_alloc((size_t)offsets[P]) : NULL;
    hiss_comm_gather(t->comm, text, offsets, all, 0);
    if (root && t->request->run) {
        char path[GUARD_PATH];
        hiss_error err = {0};
        snprintf(path, sizeof path, "%s/nonfinite-step-%" PRId64 ".yaml", t->request->run, t->step + 1);
        const dump d = {t, all, offsets[P]};
        if (hiss_file_write_by(path, write_dump, &d, &err) != HISS_OK) {
            hiss_warn("%s", err.text);
        } else {
            const size_t used = strlen(line);
            snprintf(line + used, GUARD_TEXT - used, "; see %.256s", path);
        }
    }
    hiss_free(all);
    hiss_free(sizes);
    hiss_free(offsets);
}

bool train_nonfinite_report(trainer *t, char line[GUARD_TEXT]) {
    char host[HOST_TEXT] = "";
    int64_t first = t->placement.end_lane, size = 0, again = 0;
    gethostname(host, sizeof host - 1);
    for (int64_t lane = t->placement.end_lane - 1; lane >= t->placement.first_lane; lane--) {
        const finding *f = &t->guard->findings[lane - t->placement.first_lane];
        first = f->kind != FINDING_NONE ? lane : first;
        again += f->kind == FINDING_GRADIENT || f->again;
    }
    const bool found = first < t->placement.end_lane;
    const int P = hiss_comm_size(t->comm), rank = hiss_comm_rank(t->comm);
    const int64_t speaker = P - hiss_comm_max_i64(t->comm, found ? P - rank : 0); /* the lowest rank that found any */
    *line = 0;
    if (rank == speaker) {
        say(t, first, host, line);
    }
    hiss_comm_broadcast(t->comm, line, GUARD_TEXT, speaker < P ? (int)speaker : 0);
    char *text = describe_lanes(t, host, &size);
    gather_and_write(t, text, size, line);
    free(text);
    hiss_comm_broadcast(t->comm, line, GUARD_TEXT, 0);
    return hiss_comm_max_i64(t->comm, again) > 0;
}
