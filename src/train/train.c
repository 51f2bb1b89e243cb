/* The training loop.
 *
 * Everything that decides something (stop, error, end) is decided alike on all ranks: the loss and the wish to stop
 * come out of the reduction, errors go through hiss_comm_agree at named points. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "hiss/clock.h"
#include "hiss/fault.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "hiss/run_directory.h"
#include "hiss/subnormal.h"
#include "hiss/watch.h"
#include "train/cadence.h"
#include "train/ending.h"
#include "train/trainer.h"

enum { PATH_TEXT = 4096 };

/* ---- start or resume ---- */

/* Whether an earlier process has done it all. Collective. */
static bool finished(const trainer *t) {
    const bool summary = hiss_comm_rank(t->comm) == 0 && hiss_run_directory_has(t->request->run, "summary.yaml");
    return hiss_comm_max_i64(t->comm, summary) && t->step >= t->total_steps;
}

static hiss_status resume(trainer *t, hiss_error *err) {
    char path[PATH_TEXT] = "";
    hiss_status s = HISS_OK;
    if (strcmp(t->request->resume, "auto") == 0) {
        s = train_checkpoint_newest(t, path, sizeof path, err);
    } else if (strcmp(t->request->resume, "never") != 0) {
        snprintf(path, sizeof path, "%s", t->request->resume);
        s = hiss_file_expect(path, "the checkpoint", "--resume takes auto, never, or the path of a checkpoint", err);
        s = hiss_comm_agree(t->comm, s, err);
    }
    if (s == HISS_OK && *path) {
        s = train_checkpoint_load(t, path, err);
        s = s == HISS_OK && !finished(t) ? train_same_origin(t, path, err) : s;
        if (s == HISS_OK) {
            train_guard_resumed(t, path);
            t->resumed = true;
            hiss_info("resumed from %s (step %" PRId64 " of %" PRId64 ")", path, t->step, t->total_steps);
        }
    }
    s = s == HISS_OK && !*path ? train_transfer_init(t, err) : s;
    return s == HISS_OK ? train_verify(t, err) : s;
}

static void introduce_memory(const trainer *t) {
    char text[HISS_MEMORY_TEXT];
    hiss_memory m = train_memory(t);
    m.checkpoint = train_checkpoint_bytes(t);
    const double sum = (double)hiss_memory_list(&m, text);
    hiss_info("memory of this rank: %.1f MiB: %s; libraries come on top", sum / 0x1p20, text);
}

static void introduce_phases(const trainer *t, bool root) {
    const hiss_experiment *e = t->experiment;
    for (int p = 0; e->objective->phase && e->objective->phase->span && p < t->nphases; p++) {
        const hiss_span span = t->phases[p].span, asked = e->objective->phase->span(t->method, p);
        if (span.first < span.end) {
            hiss_info("phase %d: epochs %" PRId64 " to %" PRId64, p + 1, span.first + 1, span.end);
        } else if (root && asked.first < asked.end) {
            hiss_warn("phase %d of %d does not run: train.epochs is %" PRId64 ", and it begins later", p + 1,
                      t->nphases, e->train.epochs);
        }
    }
    if (t->epochs < e->train.epochs) {
        hiss_info("the run ends after epoch %" PRId64 " (train.epochs is %" PRId64 "): no phase is left", t->epochs,
                  e->train.epochs);
    }
}

static void introduce(const trainer *t) {
    char line[512] = "";
    const hiss_experiment *e = t->experiment;
    const bool root = hiss_comm_rank(t->comm) == 0; /* which has the most lanes */
    if (hiss_placement_idles(&t->placement, line, sizeof line)) {
        if (root) {
            hiss_warn("%s", line);
        }
    } else if (root && e->dist.threads > t->placement.threads) {
        hiss_warn("dist.threads is %" PRId64 ", but a rank has %d lane%s: the other threads would idle",
                  e->dist.threads, t->placement.threads, t->placement.threads > 1 ? "s" : "");
    }
    const bool divided = t->placement.lanes > 1 || e->data.window > 0;
    if (root && divided && hiss_dataset_looks_sorted(t->set)) {
        hiss_warn("%s: labels look sorted, so that lanes see few classes each; set data.order to permuted, or write a "
                  "shuffled file with hiss prepare",
                  hiss_dataset_file(t->set));
    }
    snprintf(line, sizeof line, "%s", e->objective->name);
    if (e->objective->report && e->objective->report->describe) {
        e->objective->report->describe(t->method, line, sizeof line);
    }
    hiss_info("data: %s, %" PRId64 " samples of %" PRId64 " x %" PRId64 " x %" PRId64 ", %s", hiss_dataset_file(t->set),
              t->placement.samples, t->task.stored_H, t->task.stored_W, t->task.C,
              hiss_loader_streams(t->loader) ? "streamed" : "in memory");
    hiss_info("objective: %s", line);
    introduce_phases(t, root);
    const int64_t frozen = train_transfer_frozen(t);
    char some[64] = "";
    if (frozen > 0) {
        snprintf(some, sizeof some, ", %" PRId64 " of them frozen", frozen);
    }
    hiss_info("model: %" PRId64 " parameters%s, %.1f MB of activations per lane", hiss_model_parameters(t->model), some,
              (double)hiss_exec_bytes(t->phases[0].execs[0]) / 1e6);
    hiss_info("ranks %d, threads %d, lanes %" PRId64 " of %" PRId64 " samples, batch %" PRId64 ", %" PRId64
              " steps per epoch, %" PRId64 " steps",
              hiss_comm_size(t->comm), train_pool_threads(t->pool), t->placement.lanes, t->placement.m,
              t->placement.lanes * t->placement.m, t->placement.steps_per_epoch, t->total_steps);
    const int shares = hiss_reducer_shares(t->reducer);
    char node[64] = "";
    if (shares > 1) {
        snprintf(node, sizeof node, ", in memory that %d ranks share", shares);
    }
    hiss_info("reduction: %s%s%s, %d buckets, overlap %s; kernels: %s, %s",
              e->dist.reduce == HISS_REDUCE_TREE ? "tree" : "mpi (not bit-stable over ranks)",
              e->dist.wire == HISS_WIRE_BF16 ? " in bf16" : "", node, t->buckets, e->dist.overlap ? "on" : "off",
              t->task.kernels->name, hiss_kernels_identity());
    char text[HISS_CORE_TEXT];
    const hiss_core_verdict core = hiss_kernels_judge_core(text);
    if (core != HISS_CORE_GOOD && hiss_comm_rank(t->comm) == 0) {
        hiss_log(core == HISS_CORE_UNASKED ? HISS_LOG_WARNING : HISS_LOG_INFO, "%s", text);
    }
}

/* Collective. */
static hiss_status same_kernels(hiss_comm *comm, hiss_error *err) {
    char which[RANKS_DIFFER];
    if (!train_ranks_differ(comm, hiss_kernels_identity(), which)) {
        return HISS_OK;
    }
    return hiss_fail(err, HISS_EUSER,
                     "ranks compute with different kernels, so that results would depend on their places: %s; set "
                     "OPENBLAS_CORETYPE on all to what the oldest processor has, e.g. Haswell",
                     which);
}

/* ---- steps ---- */

static hiss_status fetch(trainer *t, hiss_error *err) {
    const double start = hiss_seconds();
    int64_t step_in_epoch = 0;
    hiss_status s = hiss_loader_next(t->loader, &t->epoch, &step_in_epoch, err);
    for (int64_t lane = t->placement.first_lane; lane < t->placement.end_lane && s == HISS_OK; lane++) {
        t->batches[lane - t->placement.first_lane] = hiss_loader_batch(t->loader, lane);
    }
    t->times.data += hiss_seconds() - start;
    train_trace_span(t, 0, TRACED_LOAD, start, t->step + 1);
    return s;
}

/* Only this rank knows, and the others must not wait for it. Or all of them fail, as when a file was cut: then the lowest
 * speaks, and the others hear that in time. */
static _Noreturn void end_alone(const trainer *t, hiss_status status, const hiss_error *why) {
    enum { MILLISECONDS = 250, MOST = 8 };
    const int rank = hiss_comm_rank(t->comm), code = hiss_exit_code(status);
    const int64_t wait = MILLISECONDS * (int64_t)(rank < MOST ? rank : MOST);
    nanosleep(&(struct timespec){.tv_sec = wait / 1000, .tv_nsec = wait % 1000 * 1000000}, NULL);
    hiss_end_line(code, "%s", why->text);
    hiss_comm_abort(t->comm, code);
}

hiss_status train_step(trainer *t, hiss_error *err) {
    hiss_subnormals_to_zero();
    hiss_watch_step(t->comm, t->step);
    hiss_watch_note(t->comm, "samples of step", t->step);
    const double start = hiss_seconds();
    hiss_status s = fetch(t, err);
    if (s != HISS_OK) {
        end_alone(t, s, err);
    }
    hiss_mark("step");
    t->stop = t->asked_to_stop && t->asked_to_stop(t);
    if (hiss_comm_size(t->comm) > t->placement.lanes) { /* ranks without a lane have no vector to write a wish into */
        t->stop = hiss_comm_max_i64(t->comm, t->stop) > 0;
    }
    t->save = t->saver && train_checkpoint_due(t);
    train_guard_begin(t);
    bool tripped = false;
    t->first = NULL;
    for (int p = 0; p < t->nphases && s == HISS_OK && !tripped; p++) {
        if (!train_phase_runs(t, p, t->epoch)) {
            continue;
        }
        t->first = t->first ? t->first : &t->phases[p];
        s = train_phase_run(t, p, err);
        if (s == HISS_EUSER) { /* an exchange got numbers it cannot use */
            const hiss_error why = *err;
            s = train_guard_exchange_failed(t, why.text, err);
        }
        tripped = s == HISS_OK && train_guard_tripped(t);
    }
    t->stop = t->vector[t->control_offset] > 0.0f;
    t->save = t->vector[t->control_offset + 1] > 0.0f;
    s = s == HISS_OK ? train_guard_end(t, err) : s;
    t->step++;
    train_trace_span(t, 0, TRACED_STEP, start, t->step);
    return s;
}

static hiss_status after_epoch(trainer *t, journal *j, hiss_error *err) {
    hiss_status s = train_settle(t, err);
    s = s == HISS_OK ? train_journal_log(j, err) : s;
    s = hiss_comm_agree(t->comm, s, err);
    return s == HISS_OK ? train_verify(t, err) : s;
}

/* ---- time limit and stop requests ---- */

static bool out_of_time(const trainer *t) {
    const double left = t->deadline - hiss_seconds();
    return left < train_cadence_reserve(t->longest_step, train_checkpoint_seconds(t), t->experiment->checkpoint.margin);
}

static bool asked_to_stop(trainer *t) {
    return train_ending_asked() || (t->deadline < (double)INFINITY && out_of_time(t));
}

/* Rank 0 alone minds the clock. */
static hiss_status set_deadline(trainer *t, hiss_error *err) {
    const double limit = t->request->time_limit, margin = t->experiment->checkpoint.margin;
    const char *source;
    t->deadline = (double)INFINITY;
    if (limit > 0.0 && limit <= margin) {
        char where[HISS_WHERE];
        return hiss_fail(err, HISS_EUSER,
                         "--time-limit of %g s does not exceed the %g s to stay free before it (%s); raise the one or "
                         "lower the other",
                         limit, margin, hiss_config_where(t->experiment->config, "checkpoint.margin", where));
    }
    if (hiss_comm_rank(t->comm) == 0) {
        const double deadline = train_ending_deadline(limit, &source);
        if (deadline < (double)INFINITY) {
            t->deadline = deadline;
            hiss_info("time: %.0f s left (%s); the last checkpoint is begun so that %g s stay free, beside two steps "
                      "and two checkpoints: now about %.1f s earlier",
                      deadline - hiss_seconds(), source, margin,
                      train_cadence_reserve(0.0, train_checkpoint_seconds(t), margin));
        }
    }
    return HISS_OK;
}

static hiss_status stopped(const trainer *t, hiss_error *err) {
    if (!train_ending_asked() && t->deadline < (double)INFINITY && hiss_comm_rank(t->comm) == 0) {
        return hiss_fail(err, HISS_EREQUEUE,
                         "stopped before the time limit at step %" PRId64 " with %.0f s left (longest step %.2f s, "
                         "checkpoint %.2f s), checkpoint written; start again to continue",
                         t->step, t->deadline - hiss_seconds(), t->longest_step, train_checkpoint_seconds(t));
    }
    return hiss_fail(err, HISS_EREQUEUE,
                     "stopped on request at step %" PRId64 ", checkpoint written; start again to continue", t->step);
}

/* ---- the loop ---- */

/* What was read since the last time was what was opened: no state of other data is kept. Collective. */
static hiss_status expect_unchanged(trainer *t, hiss_error *err) {
    return hiss_comm_agree(t->comm, hiss_dataset_unchanged(t->set, err), err);
}

/* Save a checkpoint unless the guard rejects the state. Collective. */
static hiss_status save(trainer *t, int64_t *saved, hiss_error *err) {
    hiss_status s = train_guard_vouch(t, err);
    if (s == HISS_OK && t->verdict != VERDICT_BACK) {
        s = train_checkpoint_save(t, err);
        *saved = t->step;
    }
    return s;
}

static hiss_status go_back(trainer *t, journal *j, int64_t *saved, hiss_error *err) {
    hiss_status s = train_guard_go_back(t, err);
    *saved = t->step;
    return s == HISS_OK ? train_journal_rewind(j, err) : s;
}

/* Whether there is a line after so many steps, whatever comes. */
static bool has_line(const trainer *t, int64_t step) {
    return step % t->placement.steps_per_epoch == 0 || step % t->experiment->train.log_every == 0 ||
           train_probe_due(t, step);
}

/* The probe and the log line due after a step. A line is written for every probe. */
static hiss_status look_and_log(trainer *t, journal *j, hiss_error *err) {
    const double start = hiss_seconds();
    hiss_status s = train_probe_look(t, err);
    const double looked = hiss_seconds();
    train_trace_move(t, 0, TRACED_PROBE, start, looked);
    if (s == HISS_OK && t->step % t->placement.steps_per_epoch == 0) {
        s = after_epoch(t, j, err);
    } else if (s == HISS_OK && has_line(t, t->step)) {
        s = hiss_comm_agree(t->comm, train_journal_log(j, err), err);
    }
    train_trace_move(t, 0, TRACED_LOG, looked, hiss_seconds());
    int count = 0;
    const hiss_named *logged = train_journal_last(j, &count);
    s = s == HISS_OK ? train_probe_judge(t, logged, count, err) : s;
    t->probing.count = 0;
    t->save = t->save || t->probing.keep;
    return s;
}

/* One step, its log line, and the checkpoint due after it. */
static hiss_status one_step(trainer *t, journal *j, bool may_allocate, int64_t *saved, hiss_error *err) {
    train_layer_norms_begin(t, has_line(t, t->step + 1));
    hiss_alloc_seal(!may_allocate);
    hiss_status s = train_step(t, err);
    hiss_alloc_seal(false);
    if (s != HISS_OK || t->verdict == VERDICT_BACK) {
        return s;
    }
    if (t->verdict == VERDICT_GO_ON) {
        train_journal_step(j);
    }
    train_checkpoint_poll(t);
    s = look_and_log(t, j, err);
    s = s == HISS_OK && t->save ? expect_unchanged(t, err) : s;
    if (s == HISS_OK && t->save) {
        hiss_mark("checkpoint");
        hiss_alloc_seal(!may_allocate);
        s = save(t, saved, err);
        hiss_alloc_seal(false);
    }
    return s;
}

/* The epoch's beginning, where one is that has not been made. */
static hiss_status begin_epoch(trainer *t, hiss_error *err) {
    if (t->begun || t->step >= t->total_steps || t->step % t->placement.steps_per_epoch != 0) {
        return HISS_OK;
    }
    t->begun = true;
    t->epoch = t->step / t->placement.steps_per_epoch;
    hiss_mark("epoch");
    const hiss_status s = expect_unchanged(t, err);
    return s == HISS_OK ? train_epoch(t, err) : s;
}

/* The epoch's beginning, and a step. */
static hiss_status advance(trainer *t, journal *j, bool may_allocate, int64_t *saved, hiss_error *err) {
    train_trace_switch(t);
    const hiss_status begun = begin_epoch(t, err);
    if (begun != HISS_OK || t->stop) {
        return begun;
    }
    t->begun = false;
    const double start = hiss_seconds();
    const hiss_status s = one_step(t, j, may_allocate, saved, err);
    t->longest_step = fmax(t->longest_step, hiss_seconds() - start);
    return s;
}

static hiss_status loop(trainer *t, journal *j, hiss_error *err) {
    int64_t begun = t->step, saved = t->step; /* the first step may allocate */
    hiss_status s = HISS_OK;
    while (t->step < t->total_steps && s == HISS_OK && !t->stop) {
        s = advance(t, j, t->step == begun, &saved, err);
        const bool last = t->stop || t->step == t->total_steps;
        if (s == HISS_OK && t->verdict != VERDICT_BACK && last && saved < t->step) {
            s = expect_unchanged(t, err);
            s = s == HISS_OK ? save(t, &saved, err) : s;
        }
        if (s == HISS_OK && t->verdict == VERDICT_BACK) {
            s = go_back(t, j, &saved, err);
            begun = t->step;
        }
    }
    hiss_mark("end");
    s = s == HISS_OK ? train_checkpoint_wait(t, err) : s;
    return s == HISS_OK && t->step < t->total_steps ? stopped(t, err) : s;
}

/* Bits of groups that some phase trains, in a run that is long enough. */
static unsigned trained_groups(const trainer *t) {
    const hiss_phase_ops *ops = t->experiment->objective->phase;
    unsigned groups = 0;
    for (int p = 0; p < t->nphases; p++) {
        const hiss_span span = ops && ops->span ? ops->span(t->method, p) : t->phases[p].span;
        for (int s = 0; s < hiss_model_count(t->model) && span.first < span.end; s++) {
            const hiss_slot *slot = hiss_model_at(t->model, s);
            const bool trains = slot->kind == HISS_SLOT_PARAMETER && hiss_graph_trains(t->phases[p].graph, s);
            groups |= trains ? 1u << slot->group : 0u;
        }
    }
    return groups;
}

/* What a method finds out when it looks at all samples may end the run, so nothing is written before. */
static hiss_status run(trainer *t, hiss_run_directory *directory, double start, hiss_error *err) {
    journal *j = train_journal_create(t, start);
    hiss_alloc_for("training", "lower train.lane_samples, assign.block or dist.threads, or start more ranks");
    introduce(t);
    train_checkpoint_introduce(t);
    hiss_loader_seek(t->loader, t->step / t->placement.steps_per_epoch, t->step % t->placement.steps_per_epoch);
    train_guard_start(t);
    train_trace_begin(t);
    hiss_status s = begin_epoch(t, err);
    if (s == HISS_OK && hiss_comm_rank(t->comm) == 0) {
        hiss_experiment_tell_idle(t->experiment,
                                  trained_groups(t)); /* not beside an error, which may be of the same key */
    }
    s = s == HISS_OK ? hiss_run_directory_begin(directory, t->comm, hiss_config_resolved(t->experiment->config), err)
                     : s;
    s = s == HISS_OK ? train_journal_open(j, err) : s;
    s = s == HISS_OK ? loop(t, j, err) : s;
    const bool stopped_here = s == HISS_EREQUEUE;
    s = s == HISS_OK ? train_journal_log(j, err) : s;
    s = s == HISS_OK ? train_journal_summary(j, hiss_seconds() - start, err) : s;
    train_journal_close(j);
    hiss_error why;
    const hiss_status wrote = s == HISS_OK || stopped_here ? train_trace_write(t, &why) : HISS_OK;
    if (s == HISS_OK && wrote != HISS_OK) {
        *err = why;
    } else if (wrote != HISS_OK && hiss_comm_rank(t->comm) == 0) {
        hiss_warn("%s", why.text);
    }
    return s == HISS_OK ? wrote : s;
}

static hiss_status start_and_run(trainer *t, hiss_run_directory *directory, double start, hiss_error *err) {
    hiss_status s = train_create(t->request, t, err);
    t->asked_to_stop = asked_to_stop;
    s = s == HISS_OK ? hiss_run_directory_shared(directory, t->comm, err) : s;
    s = s == HISS_OK ? resume(t, err) : s;
    if (s == HISS_OK && finished(t)) {
        hiss_info("%s is finished: nothing is left to do", t->request->run);
        return t->step > t->total_steps
                   ? s /* the config of a longer run stays */
                   : hiss_run_directory_mend(directory, t->comm, hiss_config_resolved(t->experiment->config), err);
    }
    s = s == HISS_OK ? train_trace_expect(t, err) : s;
    s = s == HISS_OK ? train_scaling(t, err) : s;
    s = s == HISS_OK ? train_rescale(t, err) : s;
    s = s == HISS_OK ? train_checkpoint_open(t, err) : s;
    if (s == HISS_OK) {
        introduce_memory(t);
    }
    s = s == HISS_OK ? set_deadline(t, err) : s;
    if (s == HISS_OK) {
        const bool root = hiss_comm_rank(t->comm) == 0;
        char advice[2 * HISS_WHERE];
        const int64_t most = train_checkpoint_most(t, advice, sizeof advice);
        s = root ? hiss_run_directory_room(directory, train_checkpoint_bytes(t), most, advice, err) : HISS_OK;
        s = hiss_comm_agree(t->comm, s, err);
    }
    return s == HISS_OK ? run(t, directory, start, err) : s;
}

hiss_status hiss_train(const hiss_train_request *request, hiss_error *err) {
    trainer t = {.request = request};
    hiss_run_directory directory = {.run = request->run, .lock = -1};
    const double start = hiss_seconds();
    train_ending_catch(hiss_comm_rank(request->comm) == 0);
    hiss_kernels_enter_thread();
    hiss_watch_at_end(request->comm, hiss_run_directory_undo, &directory);
    hiss_watch_start(request->comm, request->experiment->dist.watchdog, train_ending_asked);
    hiss_alloc_at_end(hiss_run_directory_undo, &directory);
    hiss_status s = same_kernels(request->comm, err);
    s = s == HISS_OK ? hiss_run_directory_open(&directory, request->comm, request->wait,
                                               strcmp(request->resume, "never") == 0, err)
                     : s;
    if (s == HISS_OK) {
        s = start_and_run(&t, &directory, start, err);
        train_checkpoint_close(&t);
        train_destroy(&t);
    }
    hiss_alloc_at_end(NULL, NULL);
    hiss_run_directory_close(&directory);
    hiss_alloc_for(NULL, NULL);
    hiss_watch_stop(request->comm);
    hiss_watch_at_end(request->comm, NULL, NULL);
    train_ending_release();
    return s;
}
