/* The training loop.
 *
 * Everything that decides something (stop, error, end) is decided alike on all ranks: the loss and the wish to stop
 * come out of the reduction, errors go through hiss_comm_agree at named points. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hiss/clock.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "train/trainer.h"

enum { PATH_TEXT = 4096 };

static volatile sig_atomic_t stop_signal; /* a signal handler has nowhere else to write */

static void on_signal(int number) {
    stop_signal = number;
}

static bool asked_to_stop(void) {
    return stop_signal != 0;
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- the run directory ----
 *
 * Nothing of an earlier run is touched before the new one is known to be able to begin, and a run that cannot begin
 * leaves nothing. */

typedef struct run_directory {
    const char *run;
    int lock;  /* descriptor, -1: not locked by this process */
    bool made; /* by us: empty but for the lock until the run begins */
} run_directory;

static hiss_status lock_run(run_directory *d, hiss_error *err) {
    char path[PATH_TEXT];
    struct stat now, held;
    d->made = !hiss_file_exists(d->run);
    hiss_status s = hiss_make_directories(d->run, err);
    if (s != HISS_OK) {
        return s;
    }
    snprintf(path, sizeof path, "%s/.lock", d->run);
    d->lock = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    if (d->lock < 0) {
        return hiss_fail(err, HISS_ESYSTEM, "%s: cannot be created: %s; choose another --run directory", path,
                         strerror(errno));
    }
    const bool alone = flock(d->lock, LOCK_EX | LOCK_NB) == 0;
    if (!alone || stat(path, &now) != 0 || fstat(d->lock, &held) != 0 || now.st_ino != held.st_ino) {
        close(d->lock);
        d->lock = -1;
        return hiss_fail(err, HISS_EUSER, "%s is in use by another hiss process; choose another --run, or wait",
                         d->run);
    }
    return HISS_OK;
}

static bool run_has(const char *run, const char *name) {
    char path[PATH_TEXT];
    snprintf(path, sizeof path, "%s/%s", run, name);
    return hiss_file_exists(path);
}

static hiss_status run_directory_open(run_directory *d, const hiss_train_request *request, hiss_error *err) {
    hiss_status s = HISS_OK;
    if (hiss_comm_rank(request->comm) == 0) {
        s = lock_run(d, err);
        if (s == HISS_OK && strcmp(request->resume, "never") == 0 &&
            (run_has(d->run, "summary.yaml") || run_has(d->run, "metrics.jsonl") || run_has(d->run, "ckpt"))) {
            s = hiss_fail(err, HISS_EUSER,
                          "%s already holds a run; use --resume auto to continue it, or another --run directory",
                          d->run);
        }
    }
    return hiss_comm_agree(request->comm, s, err);
}

/* The run can begin: its config replaces an earlier one; a summary of fewer steps is no longer true. */
static hiss_status run_directory_begin(run_directory *d, const hiss_train_request *request, hiss_error *err) {
    hiss_status s = HISS_OK;
    if (hiss_comm_rank(request->comm) == 0) {
        char path[PATH_TEXT];
        snprintf(path, sizeof path, "%s/summary.yaml", d->run);
        unlink(path);
        snprintf(path, sizeof path, "%s/config.yaml", d->run);
        s = hiss_file_write_text(path, hiss_config_resolved(request->experiment->config), err);
        d->made = d->made && s != HISS_OK;
    }
    return hiss_comm_agree(request->comm, s, err);
}

static void run_directory_close(run_directory *d) {
    if (d->lock >= 0) {
        if (d->made) {
            char path[PATH_TEXT];
            snprintf(path, sizeof path, "%s/.lock", d->run);
            unlink(path);
            rmdir(d->run);
        }
        close(d->lock);
    }
}

/* ---- start or resume ---- */

static hiss_status resume(trainer *t, hiss_error *err) {
    char path[PATH_TEXT] = "";
    hiss_status s = HISS_OK;
    if (strcmp(t->request->resume, "auto") == 0) {
        if (hiss_comm_rank(t->comm) == 0) {
            s = hiss_checkpoint_newest(t->request->run, path, sizeof path, err);
        }
        hiss_comm_broadcast(t->comm, path, sizeof path, 0);
        s = hiss_comm_agree(t->comm, s, err);
    } else if (strcmp(t->request->resume, "never") != 0) {
        snprintf(path, sizeof path, "%s", t->request->resume);
        s = hiss_file_expect(path, "the checkpoint", "--resume takes auto, never, or the path of a checkpoint", err);
        s = hiss_comm_agree(t->comm, s, err);
    }
    if (s == HISS_OK && *path) {
        s = checkpoint_load(t, path, err);
        if (s == HISS_OK) {
            hiss_info("resumed from %s (step %" PRId64 " of %" PRId64 ")", path, t->step, t->total_steps);
        }
    }
    const hiss_objective_ops *ops = t->experiment->objective;
    return s == HISS_OK && ops->verify ? ops->verify(t->method, err) : s;
}

/* Whether an earlier process has done it all. Collective. */
static bool finished(const trainer *t) {
    const bool summary = hiss_comm_rank(t->comm) == 0 && run_has(t->request->run, "summary.yaml");
    return hiss_comm_max_i64(t->comm, summary) && t->step >= t->total_steps;
}

static void introduce(const trainer *t) {
    char line[512] = "";
    const hiss_experiment *e = t->experiment;
    snprintf(line, sizeof line, "%s", e->objective->name);
    if (e->objective->describe) {
        e->objective->describe(t->method, line, sizeof line);
    }
    hiss_info("data: %s, %" PRId64 " samples of %" PRId64 " x %" PRId64 " x %" PRId64 ", %s", e->data.file,
              t->world.samples, t->world.stored_H, t->world.stored_W, t->world.C,
              hiss_loader_streams(t->loader) ? "streamed" : "in memory");
    hiss_info("objective: %s", line);
    hiss_info("model: %" PRId64 " parameters, %.1f MB of activations per lane", hiss_model_parameters(t->model),
              (double)hiss_exec_bytes(t->phases[0].execs[0]) / 1e6);
    hiss_info("ranks %d, threads %d, lanes %" PRId64 " of %" PRId64 " samples, batch %" PRId64 ", %" PRId64
              " steps per epoch, %" PRId64 " steps",
              hiss_comm_size(t->comm), pool_threads(t->pool), t->world.lanes, t->world.m, t->world.lanes * t->world.m,
              t->world.steps_per_epoch, t->total_steps);
    hiss_info("reduction: %s, %d buckets, overlap %s; kernels: %s, %s",
              e->dist.reduce == HISS_REDUCE_TREE ? "tree" : "mpi (not bit-stable over ranks)", t->buckets,
              e->dist.overlap ? "on" : "off", t->world.kernels->name, hiss_kernels_identity());
    if (hiss_kernels_wider_core()) {
        hiss_info(
            "OPENBLAS_CORETYPE holds OpenBLAS to a narrow core; %s would be faster here, unset it to let hiss choose",
            hiss_kernels_wider_core());
    }
}

/* Collective. */
static hiss_status same_kernels(hiss_comm *comm, hiss_error *err) {
    char mine[128] = "";
    snprintf(mine, sizeof mine, "%s", hiss_kernels_identity());
    if (hiss_comm_equal(comm, mine, sizeof mine)) {
        return HISS_OK;
    }
    return hiss_fail(
        err, HISS_EUSER,
        "ranks compute with different kernels (this one: %s), so that results would depend on their places; "
        "set OPENBLAS_CORETYPE on all to what the oldest processor has, e.g. Haswell",
        mine);
}

/* ---- steps ---- */

static hiss_status fetch(trainer *t, hiss_error *err) {
    const double start = hiss_seconds();
    int64_t step_in_epoch = 0;
    hiss_status s = hiss_loader_next(t->loader, &t->epoch, &step_in_epoch, err);
    for (int64_t lane = t->world.first_lane; lane < t->world.end_lane && s == HISS_OK; lane++) {
        t->batches[lane - t->world.first_lane] = hiss_loader_batch(t->loader, lane);
    }
    t->times.data += hiss_seconds() - start;
    return s;
}

/* What the user can do when numbers are no longer finite: `what` says which. */
static hiss_status diverged(const trainer *t, const char *what, hiss_error *err) {
    return hiss_fail(err, HISS_EUSER,
                     "step %" PRId64 ", epoch %" PRId64
                     ": %s; the learning rate may be too high (optim.lr = %g): lower "
                     "it or add optim.warmup; the last checkpoint is kept",
                     t->step, t->epoch, what, t->experiment->optim[0].lr);
}

static hiss_status check_loss(const trainer *t, hiss_error *err) {
    const int slot = hiss_model_find(t->model, "loss");
    const float loss = t->vector[hiss_model_at(t->model, slot)->offset];
    char what[64];
    snprintf(what, sizeof what, "the loss is %g", (double)loss);
    return isfinite(loss) ? HISS_OK : diverged(t, what, err);
}

hiss_status trainer_step(trainer *t, hiss_error *err) {
    hiss_status s = fetch(t, err);
    if (s != HISS_OK) { /* only this rank knows: the others must not wait for it */
        hiss_error_line("%s", err->text);
        hiss_comm_abort(t->comm, hiss_exit_code(s));
    }
    t->stop = asked_to_stop();
    for (int p = 0; p < t->nphases && s == HISS_OK; p++) {
        s = phase_run(t, p, err);
        if (s == HISS_EUSER) { /* an exchange got numbers it cannot use */
            const hiss_error why = *err;
            s = diverged(t, why.text, err);
        }
    }
    s = s == HISS_OK ? check_loss(t, err) : s;
    t->stop = t->vector[t->stop_offset] > 0.0f;
    t->step++;
    return s;
}

static hiss_status after_epoch(trainer *t, journal *j, hiss_error *err) {
    const hiss_objective_ops *ops = t->experiment->objective;
    hiss_status s = ops->settle ? ops->settle(t->method, err) : HISS_OK;
    s = s == HISS_OK ? journal_log(j, err) : s;
    s = hiss_comm_agree(t->comm, s, err);
    return s == HISS_OK && ops->verify ? ops->verify(t->method, err) : s;
}

static hiss_status loop(trainer *t, journal *j, hiss_error *err) {
    const hiss_train_options *o = &t->experiment->train;
    hiss_loader_seek(t->loader, t->step / t->world.steps_per_epoch, t->step % t->world.steps_per_epoch);
    int64_t saved = t->step;
    hiss_status s = HISS_OK;
    for (int64_t begun = t->step; t->step < t->total_steps && s == HISS_OK && !t->stop;) {
        if (t->step % t->world.steps_per_epoch == 0) {
            t->epoch = t->step / t->world.steps_per_epoch;
            s = trainer_epoch(t, err);
            if (s != HISS_OK || t->stop) {
                break;
            }
        }
        hiss_alloc_seal(t->step > begun); /* the first step may allocate */
        s = trainer_step(t, err);
        hiss_alloc_seal(false);
        if (s != HISS_OK) {
            break;
        }
        journal_step(j);
        const bool epoch_ends = t->step % t->world.steps_per_epoch == 0;
        if (epoch_ends) {
            s = after_epoch(t, j, err);
        } else if (t->step % o->log_every == 0) {
            s = hiss_comm_agree(t->comm, journal_log(j, err), err);
        }
        const int64_t epochs = t->step / t->world.steps_per_epoch;
        const bool due = epoch_ends && o->checkpoint_every > 0 && epochs % o->checkpoint_every == 0;
        if (s == HISS_OK && (due || t->stop || t->step == t->total_steps)) {
            s = checkpoint_save(t, err);
            saved = t->step;
        }
    }
    if (s == HISS_OK && saved < t->step) { /* stopped at the start of an epoch that no checkpoint precedes */
        s = checkpoint_save(t, err);
        saved = t->step;
    }
    if (s == HISS_OK && t->stop && t->step < t->total_steps) {
        return hiss_fail(err, HISS_EREQUEUE,
                         "stopped on request at step %" PRId64 ", checkpoint written; start again to continue", saved);
    }
    return s;
}

static hiss_status run(trainer *t, double start, hiss_error *err) {
    journal *j = NULL;
    hiss_status s = journal_open(t, start, &j, err);
    if (s == HISS_OK) {
        introduce(t);
        s = loop(t, j, err);
        s = s == HISS_OK ? journal_log(j, err) : s;
        s = s == HISS_OK ? journal_summary(j, hiss_seconds() - start, err) : s;
    }
    journal_close(j);
    return s;
}

hiss_status hiss_train(const hiss_train_request *request, hiss_error *err) {
    trainer t = {0};
    run_directory directory = {.run = request->run, .lock = -1};
    catch_signals();
    hiss_kernels_enter_thread();
    hiss_status s = same_kernels(request->comm, err);
    s = s == HISS_OK ? run_directory_open(&directory, request, err) : s;
    const double start = hiss_seconds();
    if (s == HISS_OK) {
        s = trainer_create(request, &t, err);
        t.asked_to_stop = asked_to_stop;
        s = s == HISS_OK ? resume(&t, err) : s;
        if (s == HISS_OK && finished(&t)) {
            hiss_info("%s is finished: nothing is left to do", request->run);
        } else if (s == HISS_OK) {
            s = run_directory_begin(&directory, request, err);
            s = s == HISS_OK ? run(&t, start, err) : s;
        }
        trainer_destroy(&t);
    }
    run_directory_close(&directory);
    return s;
}
