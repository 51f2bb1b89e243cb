/* Checkpoints of a run: the same whatever the number of ranks.
 *
 *   /model/SLOT            float32   parameters and BatchNorm statistics
 *   /optimizer/SLOT/STATE  float32   optimiser state of parameters, in their shape
 *   /samples/STATE         states of the method, one row per sample (NAT: assignment, int64 [n]), in sample order
 *   /lanes/STATE           one row per lane;  /run/STATE  of the run
 *   /step, /updates        int64 [1], [groups]
 *   /skipped               int64 [2] steps left out: in all, and in a row until now
 *   /probe                 int64 [131] with probe.best: the best number, its step, probes since; the sums of the next line
 *   /sha256/...            of each of these (snapshot.h)
 *   attributes of /: config (resolved), data (identity of the training file), choices (of kernels), samples; where there
 *                    are such, init (checksum of the checkpoint that train.init named), classes (their names, a line
 *                    each, in the order of their numbers) and targets (the same of the columns of targets, where these
 *                    are learnt and have names)
 *
 * At a step's end all ranks hand their parts to rank 0, which copies them into an image of the file; that is all the
 * training waits for. A thread of rank 0 then makes the checksums, writes, fsyncs, reads back, renames, and removes
 * checkpoints that need not stay. A save waits for the one before; the loop leaves out those it can do without.
 *
 * A write that fails leaves no file; its reason is kept for train_checkpoint_poll and train_checkpoint_wait. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hiss/clock.h"
#include "hiss/fault.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "hiss/watch.h"
#include "train/background.h"
#include "train/cadence.h"
#include "train/states.h"

enum { PATH_TEXT = 4096 };

typedef struct tally {                       /* of rank 0 */
    int64_t saves, written, failed, skipped; /* saves: begun */
    double blocked, writing, waited; /* seconds: training waited for saves; the thread wrote; waited for the last one */
    double longest_block, longest_write;
} tally;

struct saver {
    const trainer *t;
    /* rank 0 only */
    hiss_snapshot *image;
    background *writer;
    float *full; /* a whole optimiser state */
    int64_t step;
    bool best;    /* the one being written is that of the best probe */
    double begun; /* when the last save was, or the start */
    double wrote; /* seconds of the last write; of the thread while it is busy */
    hiss_status status;
    hiss_error error;
    int64_t good; /* step of the last one written; -1: none by this process */
    bool noted;   /* whether a save was skipped while this write was running */
    tally tally;
};

static bool has_state(const trainer *t, const hiss_slot *slot, int k) {
    return slot->kind == HISS_SLOT_PARAMETER && k < hiss_optim_states(&t->experiment->optim[slot->group]);
}

/* ---- the image: what is added here in order is filled by fill_model, fill_optimizer, take in the same order ---- */

static void add(hiss_snapshot *image, hiss_h5_info info, const char *format, const char *a, const char *b) {
    char name[HISS_SNAPSHOT_NAME];
    snprintf(name, sizeof name, format, a, b);
    hiss_snapshot_add(image, name, &info);
}

static hiss_status make_image(saver *v, hiss_error *err) {
    const trainer *t = v->t;
    hiss_state states[HISS_MAX_STATES];
    const int n = train_states_of(t, states), slots = hiss_model_count(t->model);
    char samples[32], kernels[KERNELS_TEXT];
    train_kernels(t, kernels);
    v->image = hiss_snapshot_create();
    for (int i = 0; i < slots; i++) {
        const hiss_slot *slot = hiss_model_at(t->model, i);
        if (hiss_checkpoint_stores(slot)) {
            add(v->image, hiss_checkpoint_info(slot), "/model/%s", slot->name, "");
        }
    }
    for (int k = 0; k < t->states; k++) {
        for (int i = 0; i < slots; i++) {
            const hiss_slot *slot = hiss_model_at(t->model, i);
            if (has_state(t, slot, k)) {
                add(v->image, hiss_checkpoint_info(slot), "/optimizer/%s/%s", slot->name,
                    hiss_optim_state_name(&t->experiment->optim[slot->group], k));
            }
        }
    }
    for (int k = 0; k < n; k++) {
        char name[HISS_SNAPSHOT_NAME];
        train_states_name(&states[k], name);
        add(v->image, train_states_info(t, &states[k]), "%s%s", name, "");
    }
    add(v->image, (hiss_h5_info){.dtype = HISS_I64, .ndim = 1, .dim = {1}}, "/step", "", "");
    add(v->image, (hiss_h5_info){.dtype = HISS_I64, .ndim = 1, .dim = {t->experiment->groups}}, "/updates", "", "");
    add(v->image, (hiss_h5_info){.dtype = HISS_I64, .ndim = 1, .dim = {2}}, "/skipped", "", "");
    if (train_probe_keeps(t)) {
        add(v->image, (hiss_h5_info){.dtype = HISS_I64, .ndim = 1, .dim = {PROBING_VALUES}}, "/probe", "", "");
    }
    snprintf(samples, sizeof samples, "%" PRId64, t->placement.samples);
    hiss_snapshot_text(v->image, "config", hiss_config_resolved(t->experiment->config));
    hiss_snapshot_text(v->image, "data", hiss_dataset_identity(t->set));
    if (hiss_scaling_measured(&t->experiment->augment.scaling)) {
        char *scaling = hiss_scaling_text(&t->experiment->augment.scaling);
        hiss_snapshot_text(v->image, "scaling", scaling);
        free(scaling);
    }
    hiss_snapshot_text(v->image, "choices", t->choices);
    hiss_snapshot_text(v->image, "kernels", kernels);
    hiss_snapshot_text(v->image, "core", hiss_kernels_core());
    hiss_snapshot_text(v->image, "mixed", t->origin.mixed);
    hiss_snapshot_text(v->image, "samples", samples);
    if (*t->init) {
        hiss_snapshot_text(v->image, "init", t->init);
    }
    if (hiss_dataset_labelled(t->set)) {
        char *classes = hiss_dataset_class_lines(t->set);
        hiss_snapshot_text(v->image, "classes", classes);
        free(classes);
    }
    if (hiss_objective_learns_targets(t->experiment->objective, t->experiment->objective_options) &&
        hiss_dataset_target_names(t->set)) {
        hiss_snapshot_text(v->image, "targets", hiss_dataset_target_names(t->set));
    }
    return hiss_snapshot_layout(v->image, err);
}

static void fill_model(saver *v, int *part) {
    const trainer *t = v->t;
    for (int i = 0; i < hiss_model_count(t->model); i++) {
        const hiss_slot *slot = hiss_model_at(t->model, i);
        if (hiss_checkpoint_stores(slot)) {
            memcpy(hiss_snapshot_at(v->image, (*part)++), t->vector + slot->offset,
                   sizeof(float) * (size_t)slot->count);
        }
    }
}

static void fill_optimizer(saver *v, int k, int *part) {
    const trainer *t = v->t;
    for (int i = 0; i < hiss_model_count(t->model); i++) {
        const hiss_slot *slot = hiss_model_at(t->model, i);
        if (has_state(t, slot, k)) {
            memcpy(hiss_snapshot_at(v->image, (*part)++), v->full + slot->offset, sizeof(float) * (size_t)slot->count);
        }
    }
}

/* All ranks' parts into the image. Collective. */
static void take(saver *v, trainer *t) {
    const bool root = v->image != NULL;
    hiss_state states[HISS_MAX_STATES];
    const int n = train_states_of(t, states);
    int part = 0;
    if (root) {
        fill_model(v, &part);
    }
    for (int k = 0; k < t->states; k++) {
        hiss_reducer_gather(t->reducer, t->state[k], v->full);
        if (root) {
            fill_optimizer(v, k, &part);
        }
    }
    for (int k = 0; k < n; k++) {
        train_states_gather(t, &states[k], root ? hiss_snapshot_at(v->image, part++) : NULL);
    }
    if (root) {
        v->step = t->step;
        memcpy(hiss_snapshot_at(v->image, part++), &t->step, sizeof t->step);
        memcpy(hiss_snapshot_at(v->image, part++), t->updates, sizeof(int64_t) * (size_t)t->experiment->groups);
        memcpy(hiss_snapshot_at(v->image, part++), t->skipped, sizeof t->skipped);
        if (train_probe_keeps(t)) {
            int64_t values[PROBING_VALUES];
            train_probe_pack(t, values);
            memcpy(hiss_snapshot_at(v->image, part), values, sizeof values);
        }
        v->best = t->probing.keep;
    }
}

/* ---- the thread ---- */

static void drop_old(const saver *v) {
    int64_t *steps;
    const trainer *t = v->t;
    const int n = hiss_snapshot_list(t->request->run, &steps);
    for (int k = 0; k < n; k++) {
        if (!train_cadence_keeps(&t->experiment->checkpoint, t->placement.steps_per_epoch, v->step, steps, n,
                                 steps[k])) {
            char path[PATH_TEXT];
            hiss_snapshot_path(t->request->run, steps[k], path, sizeof path);
            (void)hiss_file_remove(path, NULL); /* it is tried again after the next one */
        }
    }
    hiss_free(steps);
}

/* Give the file its second name, best.h5, at once. */
static hiss_status link_best(const char *folder, const char *path, hiss_error *err) {
    char best[PATH_TEXT], made[PATH_TEXT];
    snprintf(best, sizeof best, "%.4000s/best.h5", folder);
    snprintf(made, sizeof made, "%.4000s/best.h5.tmp", folder);
    (void)unlink(made);
    if (link(path, made) != 0 || rename(made, best) != 0) {
        return hiss_fail(err, HISS_ESYSTEM, "%s cannot become a link to %s: %s; does the file system have hard links?",
                         best, path, strerror(errno));
    }
    return HISS_OK;
}

static hiss_status write_file(void *user, hiss_error *err) {
    saver *v = user;
    const double start = hiss_seconds();
    char path[PATH_TEXT], folder[PATH_TEXT];
    hiss_mark("write");
    snprintf(folder, sizeof folder, "%s/ckpt", v->t->request->run);
    hiss_snapshot_path(v->t->request->run, v->step, path, sizeof path);
    hiss_status s = hiss_directories_make(folder, err);
    s = s == HISS_OK ? hiss_snapshot_write(v->image, path, err) : s;
    if (s == HISS_OK && v->best) {
        s = link_best(folder, path, err);
    }
    if (s == HISS_OK) {
        drop_old(v);
    }
    v->wrote = hiss_seconds() - start;
    train_trace_span(v->t, train_trace_writer(v->t), TRACED_WRITE, start, v->step);
    hiss_mark("written");
    return s;
}

/* Note how the last write ended, if it has since the last call. Rank 0. */
static bool collect(saver *v) {
    if (!train_background_ended(v->writer, &v->status, &v->error)) {
        return false;
    }
    v->tally.writing += v->wrote;
    v->tally.longest_write = fmax(v->tally.longest_write, v->wrote);
    v->tally.written += v->status == HISS_OK;
    v->tally.failed += v->status != HISS_OK;
    v->good = v->status == HISS_OK ? v->step : v->good;
    v->noted = false;
    return true;
}

/* ---- the run's view ---- */

hiss_status train_checkpoint_open(trainer *t, hiss_error *err) {
    hiss_alloc_for("the image of a checkpoint", "choose a smaller network, or give rank 0 more memory");
    saver *v = t->saver = hiss_new(saver, 1);
    *v = (saver){.t = t, .begun = hiss_seconds(), .good = -1};
    hiss_status s = HISS_OK;
    if (hiss_comm_rank(t->comm) == 0) {
        v->full = hiss_new(float, t->states ? hiss_model_floats(t->model) : 0);
        s = make_image(v, err);
        s = s == HISS_OK ? train_background_create(write_file, v, &v->writer, err) : s;
    }
    return hiss_comm_agree(t->comm, s, err);
}

void train_checkpoint_close(trainer *t) {
    if (t->saver) {
        if (t->saver->writer) {
            train_background_wait(t->saver->writer);
            train_checkpoint_poll(t);
        }
        train_background_destroy(t->saver->writer);
        hiss_snapshot_destroy(t->saver->image);
        hiss_free(t->saver->full);
        hiss_free(t->saver);
        t->saver = NULL;
    }
}

hiss_status train_checkpoint_save(trainer *t, hiss_error *err) {
    saver *v = t->saver;
    const double start = hiss_seconds();
    hiss_watch_step(t->comm, t->step);
    hiss_watch_note(t->comm, "take checkpoint", t->step);
    if (v->writer) {
        train_background_wait(v->writer);
        train_checkpoint_poll(t);
    }
    const hiss_status s = train_settle(t, err);
    if (s != HISS_OK) {
        return s;
    }
    take(v, t);
    t->probing.keep = false;
    train_trace_span(t, 0, TRACED_SAVE, start, t->step);
    if (v->writer) {
        train_background_start(v->writer);
        v->begun = hiss_seconds();
        v->tally.saves++;
        v->tally.blocked += v->begun - start;
        v->tally.longest_block = fmax(v->tally.longest_block, v->begun - start);
    }
    return HISS_OK;
}

void train_checkpoint_poll(trainer *t) {
    saver *v = t->saver;
    if (v->writer && collect(v) && v->status != HISS_OK) {
        char last[64] = "earlier ones stay";
        if (v->good >= 0) {
            snprintf(last, sizeof last, "the one of step %" PRId64 " stays", v->good);
        }
        hiss_warn("the checkpoint of step %" PRId64 " failed: %s; %s; training goes on, and the next one is tried",
                  v->step, v->error.text, last);
    }
}

hiss_status train_checkpoint_wait(trainer *t, hiss_error *err) {
    saver *v = t->saver;
    hiss_status s = HISS_OK;
    if (v->writer) {
        const double start = hiss_seconds();
        train_background_wait(v->writer);
        v->tally.waited += hiss_seconds() - start;
        collect(v);
        s = v->status;
        if (s != HISS_OK) {
            s = hiss_fail(err, s, "the checkpoint of step %" PRId64 " is not written: %.600s", v->step, v->error.text);
        }
    }
    return hiss_comm_agree(t->comm, s, err);
}

int64_t train_checkpoint_good_here(trainer *t) {
    const saver *v = t->saver;
    if (v->writer) {
        train_background_wait(v->writer);
        train_checkpoint_poll(t);
    }
    return v->good;
}

int64_t train_checkpoint_last_good(trainer *t) {
    return hiss_comm_max_i64(t->comm, train_checkpoint_good_here(t));
}

/* Seconds before the first is measured: for memory and disks that are not the fastest. */
static double guess_block(const saver *v) {
    return 1e-3 + (double)hiss_snapshot_bytes(v->image) / 1e9;
}

static double guess_write(const saver *v) {
    return 0.1 + (double)hiss_snapshot_bytes(v->image) / 1e8;
}

double train_checkpoint_seconds(const trainer *t) {
    const saver *v = t->saver;
    const tally *n = &v->tally;
    return (n->saves ? n->longest_block : guess_block(v)) +
           (n->written ? n->longest_write : fmax(guess_write(v), n->longest_write));
}

bool train_checkpoint_due(trainer *t) {
    saver *v = t->saver;
    if (!v->writer) {
        return false;
    }
    const int64_t ended = v->tally.written + v->tally.failed;
    const cadence_state state = {.step = t->step + 1,
                                 .steps_per_epoch = t->placement.steps_per_epoch,
                                 .since = hiss_seconds() - v->begun,
                                 .blocked = v->tally.saves ? v->tally.blocked / (double)v->tally.saves : guess_block(v),
                                 .written = ended ? v->tally.writing / (double)ended : guess_write(v)};
    const cadence_due due = train_cadence_at(&t->experiment->checkpoint, &state);
    if (due == CADENCE_DUE && t->step + 1 < t->total_steps && train_background_busy(v->writer)) {
        v->tally.skipped++;
        if (!v->noted) {
            hiss_info("no checkpoint of step %" PRId64 ": that of step %" PRId64 " is still being written", t->step + 1,
                      v->step);
        }
        v->noted = true;
        return false;
    }
    return due != CADENCE_NOT;
}

int64_t train_checkpoint_bytes(const trainer *t) {
    return t->saver->image ? hiss_snapshot_bytes(t->saver->image) : 0;
}

int64_t train_checkpoint_most(const trainer *t, char *advice, size_t size) {
    const hiss_checkpoint_options *o = &t->experiment->checkpoint;
    const hiss_config *config = t->experiment->config;
    char where[HISS_WHERE];
    int64_t milestones;
    const int64_t most = train_cadence_most(o, t->placement.steps_per_epoch, t->total_steps, &milestones);
    if (most == 1) {
        snprintf(advice, size, "make room, or choose another --run");
    } else if (milestones == 0) {
        snprintf(advice, size, "make room, choose another --run, or lower %s, now %" PRId64,
                 hiss_config_where(config, "checkpoint.keep", where), o->keep);
    } else {
        snprintf(advice, size,
                 "make room, choose another --run, or keep fewer than the %" PRId64 " milestones of %s, now %.40s",
                 milestones, hiss_config_where(config, "checkpoint.keep_every", where), o->keep_every_text);
    }
    return most + train_probe_keeps(t); /* best.h5 may be of an older one */
}

void train_checkpoint_introduce(const trainer *t) {
    const saver *v = t->saver;
    if (v->image) {
        hiss_info(
            "checkpoints: every %s, %.1f MB each, %.1f MB of memory on rank 0 to take them",
            t->experiment->checkpoint.every_text, (double)hiss_snapshot_bytes(v->image) / 1e6,
            ((double)hiss_snapshot_bytes(v->image) + (t->states ? 4.0 * (double)hiss_model_floats(t->model) : 0.0)) /
                1e6);
    }
}

void train_checkpoint_report(const trainer *t, FILE *out) {
    const tally *n = &t->saver->tally;
    fprintf(out,
            "checkpoints:\n  written: %" PRId64 "\n  failed: %" PRId64 "\n  skipped: %" PRId64
            "\n  seconds_blocked: %.6f\n  seconds_writing: %.6f\n  seconds_at_end: %.6f\n",
            n->written, n->failed, n->skipped, n->blocked, n->writing, n->waited);
}

/* ---- which one to start from ---- */

hiss_status train_checkpoint_newest(trainer *t, char *path, int64_t size, hiss_error *err) {
    hiss_status s = HISS_OK;
    if (hiss_comm_rank(t->comm) == 0) {
        if (t->saver && t->saver->writer) {
            train_background_wait(t->saver->writer);
        }
        s = hiss_checkpoint_newest(t->request->run, true, path, (size_t)size, err);
    }
    hiss_comm_broadcast(t->comm, path, size, 0);
    return hiss_comm_agree(t->comm, s, err);
}
