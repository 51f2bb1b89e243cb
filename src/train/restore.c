/* Checkpoints, from file to model and trainer, and whether this run may go on from one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/generate.h"
#include "hiss/watch.h"
#include "train/states.h"

enum { PATH_TEXT = 400 };

/* Every rank reads each state whole and keeps what it owns: slices of any number of ranks can be cut. */
static hiss_status read_optimizer(trainer *t, hiss_h5 *file, const char *path, hiss_error *err) {
    const hiss_range *ranges;
    const int n = hiss_reducer_owned(t->reducer, &ranges);
    float *full = hiss_new(float, hiss_model_floats(t->model));
    hiss_status s = HISS_OK;
    for (int k = 0; k < t->states && s == HISS_OK; k++) {
        memset(full, 0, sizeof(float) * (size_t)hiss_model_floats(t->model));
        for (int i = 0; i < hiss_model_count(t->model) && s == HISS_OK; i++) {
            const hiss_slot *slot = hiss_model_at(t->model, i);
            const hiss_optim_options *optim = &t->experiment->optim[slot->group];
            if (slot->kind == HISS_SLOT_PARAMETER && k < hiss_optim_states(optim)) {
                char name[HISS_SNAPSHOT_NAME];
                snprintf(name, sizeof name, "/optimizer/%s/%s", slot->name, hiss_optim_state_name(optim, k));
                s = hiss_checkpoint_slot(file, path, name, slot, full + slot->offset, err);
            }
        }
        for (int r = 0; r < n; r++) {
            memcpy(t->state[k] + t->owned_start[r], full + ranges[r].begin,
                   sizeof(float) * (size_t)(ranges[r].end - ranges[r].begin));
        }
    }
    hiss_free(full);
    return s;
}

static hiss_status read_states(trainer *t, hiss_h5 *file, const char *path, hiss_error *err) {
    hiss_state states[HISS_MAX_STATES];
    const int n = train_states_of(t, states);
    hiss_status s = HISS_OK;
    for (int k = 0; k < n && s == HISS_OK; k++) {
        char name[HISS_SNAPSHOT_NAME];
        const hiss_h5_info expected = train_states_info(t, &states[k]);
        const states_range own = train_states_own(t, &states[k]);
        const int64_t rows = states[k].per == HISS_PER_RUN ? states[k].count : own.end - own.begin;
        hiss_h5_info info;
        train_states_name(&states[k], name);
        s = hiss_h5_look(file, name, &info, err);
        if (s == HISS_OK && (info.dtype != expected.dtype || info.ndim != expected.ndim ||
                             memcmp(info.dim, expected.dim, sizeof(int64_t) * (size_t)info.ndim) != 0)) {
            char found[HISS_H5_INFO_TEXT], wanted[HISS_H5_INFO_TEXT];
            s = hiss_fail(err, HISS_EUSER,
                          "%s: data set %s holds %s, but this run (%" PRId64 " samples, %" PRId64 " lanes) has %s",
                          path, name, hiss_h5_info_text(&info, found), t->placement.samples, t->placement.lanes,
                          hiss_h5_info_text(&expected, wanted));
        }
        s = s == HISS_OK ? hiss_snapshot_read(file, path, name, info.dtype, own.begin, rows, states[k].local, err) : s;
    }
    return s;
}

/* Whether a checkpoint of a run of `then` epochs is one of this run, which may have more or fewer. */
static hiss_status check_length(const trainer *t, const char *path, int64_t then, hiss_error *err) {
    const int64_t now = t->experiment->train.epochs;
    for (int g = 0; g < t->experiment->groups && then != now; g++) {
        if (hiss_optim_needs_total(&t->experiment->optim[g])) {
            return hiss_fail(
                err, HISS_EUSER,
                "%s was made with train.epochs %" PRId64 ", now %" PRId64
                ", but the learning rate of this optim.schedule depends on the number of epochs from the "
                "first step on; start a new run directory with train.epochs=%" PRId64
                " (schedules constant, step and inverse let a run go on; train.steps ends one early on the "
                "schedule of all epochs)",
                path, then, now, now);
        }
    }
    const int64_t done = t->step / t->placement.steps_per_epoch;
    return then == now || t->step <= t->scheduled_steps
               ? HISS_OK
               : hiss_fail(err, HISS_EUSER,
                           "%s is of step %" PRId64 ", but train.epochs is now %" PRId64
                           ", so that this run ends at step %" PRId64 "; set train.epochs to at least %" PRId64
                           ", or start a new run directory",
                           path, t->step, now, t->scheduled_steps,
                           t->step % t->placement.steps_per_epoch ? done + 1 : done);
}

/* What is learnt from labels goes on with the same classes in the same places. */
static hiss_status check_classes(const trainer *t, hiss_h5 *file, const char *path, hiss_error *err) {
    const hiss_experiment *e = t->experiment;
    const hiss_input_ops *input = e->objective->input;
    char *then = NULL;
    const bool learns =
        hiss_objective_needs_labels(e->objective, e->objective_options) || (input && t->placement.labelled);
    if (!learns || hiss_h5_get_text(file, "/", "classes", &then, NULL) != HISS_OK) {
        return HISS_OK;
    }
    char *now = hiss_dataset_class_lines(t->set);
    size_t at = 0, line = 0;
    while (then[at] && then[at] == now[at]) {
        at++;
        line = then[at - 1] == '\n' ? at : line;
    }
    const bool same = then[at] == now[at];
    const hiss_status s =
        same ? HISS_OK
             : hiss_fail(err, HISS_EUSER,
                         "%s was made from labels of other classes: one was '%.*s', now '%.*s' (%s); resume with the "
                         "same data, or start a new run directory",
                         path, (int)strcspn(then + line, "\n"), then + line, (int)strcspn(now + line, "\n"), now + line,
                         t->experiment->data.labels);
    free(now);
    hiss_free(then);
    return s;
}

/* The same of targets, of which checkpoints know the names where there are some. */
static hiss_status check_targets(const trainer *t, hiss_h5 *file, const char *path, hiss_error *err) {
    const hiss_experiment *e = t->experiment;
    char *then = NULL, whose[PATH_TEXT];
    if (!hiss_objective_learns_targets(e->objective, e->objective_options) ||
        hiss_h5_get_text(file, "/", "targets", &then, NULL) != HISS_OK) {
        return HISS_OK;
    }
    snprintf(whose, sizeof whose, "%.300s has learnt", path);
    const hiss_status s = hiss_dataset_expect_targets(t->set, then, whose,
                                                      "resume with the same data, or start a new run directory", err);
    hiss_free(then);
    return hiss_error_under_key(err, s, "data.file");
}

/* The part of an identity that begins with "WORD ", up to its end; NULL: there is none. */
static const char *find_part(const char *identity, const char *word, int *length) {
    const size_t chars = strlen(word);
    for (const char *at = strstr(identity, ", "); at; at = strstr(at, ", ")) {
        at += strlen(", ");
        if (strncmp(at, word, chars) == 0 && at[chars] == ' ') {
            const char *end = strstr(at, ", ");
            *length = (int)(end ? (size_t)(end - at) : strlen(at));
            return at;
        }
    }
    return NULL;
}

/* Samples that are made are others because of a key: the first of the generator whose value the identities have, and
 * have differently; that of a file last, for what was made of it depends on others. */
static hiss_status refuse_generated(const trainer *t, const char *path, const char *then, const char *now,
                                    hiss_error *err) {
    const hiss_generator *g = hiss_generator_named(t->experiment->data.generate);
    const size_t name = strlen(g->name);
    const bool same = strncmp(then, g->name, name) == 0 && then[name] == ' ';
    for (int i = 0; i < 2 * g->nrows && same; i++) {
        int a = 0, b = 0;
        const int k = i % g->nrows;
        const char *was = find_part(then, g->rows[k].key, &a), *is = find_part(now, g->rows[k].key, &b);
        if (was && is && (g->rows[k].type == HISS_PATH) == (i >= g->nrows) &&
            (a != b || strncmp(was, is, (size_t)a) != 0)) {
            char key[HISS_ERROR_KEY];
            snprintf(key, sizeof key, "generate.%.60s", g->rows[k].key);
            return hiss_fail_key(err, HISS_EUSER, key,
                                 "%s was made with %.*s, now %.*s; resume with the same, or start a new run directory",
                                 path, a, was, b, is);
        }
    }
    int a = (int)strcspn(then, "]") + 1, b = (int)strcspn(now, "]") + 1; /* of generator, type and shape */
    if (a == b && strncmp(then, now, (size_t)a) == 0) {
        a = (int)strlen(then);
        b = (int)strlen(now);
    }
    return hiss_fail_key(err, HISS_EUSER, "data.generate",
                         "%s was made from other data: %.*s, now %.*s; resume with the same data, or start a new run "
                         "directory",
                         path, a, then, b, now);
}

/* A run that had no probe.best begins with nothing. */
static hiss_status read_probe(trainer *t, hiss_h5 *file, const char *path, hiss_error *err) {
    int64_t values[PROBING_VALUES] = {0};
    hiss_h5_info info;
    hiss_error none;
    hiss_status s = HISS_OK;
    values[1] = -1;
    if (train_probe_keeps(t) && hiss_h5_look(file, "/probe", &info, &none) == HISS_OK) {
        s = hiss_snapshot_expect(file, path, "/probe", HISS_I64, PROBING_VALUES, err);
        s = s == HISS_OK ? hiss_snapshot_read(file, path, "/probe", HISS_I64, 0, PROBING_VALUES, values, err) : s;
    }
    if (s == HISS_OK) {
        train_probe_unpack(t, values);
    }
    return s;
}

static hiss_status read_counters(trainer *t, hiss_h5 *file, const char *path, hiss_error *err) {
    char *config = NULL, *data = NULL, *init = NULL;
    int64_t epochs = t->experiment->train.epochs;
    hiss_status s = hiss_h5_get_text(file, "/", "config", &config, err);
    if (s == HISS_OK) {
        (void)hiss_h5_get_text(file, "/", "init", &init, NULL); /* a run without a source has none */
        s = train_same_config(t, path, config, init ? init : "", &epochs, err);
    }
    s = s == HISS_OK ? hiss_h5_get_text(file, "/", "data", &data, err) : s;
    s = s == HISS_OK ? check_targets(t, file, path, err) : s;
    s = s == HISS_OK ? check_classes(t, file, path, err) : s; /* the identity would only say that labels differ */
    if (s == HISS_OK && !hiss_dataset_identities_agree(data, hiss_dataset_identity(t->set))) {
        const char *now = hiss_dataset_identity(t->set);
        s = hiss_dataset_generated(t->set)
                ? refuse_generated(t, path, data, now, err)
                : hiss_fail_key(err, HISS_EUSER, "data.file",
                                "%s was made from other data: expected %s, found %s in %s; resume with the same data, "
                                "or start a new run directory",
                                path, data, now, hiss_dataset_file(t->set));
    }
    s = s == HISS_OK ? hiss_snapshot_expect(file, path, "/step", HISS_I64, 1, err) : s;
    s = s == HISS_OK ? hiss_snapshot_read(file, path, "/step", HISS_I64, 0, 1, &t->step, err) : s;
    s = s == HISS_OK ? check_length(t, path, epochs, err) : s;
    s = s == HISS_OK ? hiss_snapshot_expect(file, path, "/updates", HISS_I64, t->experiment->groups, err) : s;
    s = s == HISS_OK ? hiss_snapshot_read(file, path, "/updates", HISS_I64, 0, t->experiment->groups, t->updates, err)
                     : s;
    s = s == HISS_OK ? hiss_snapshot_read(file, path, "/skipped", HISS_I64, 0, 2, t->skipped, err) : s;
    s = s == HISS_OK ? read_probe(t, file, path, err) : s;
    hiss_scaling *scaling = &t->request->experiment->augment.scaling;
    if (s == HISS_OK && hiss_scaling_measured(scaling)) {
        s = hiss_scaling_read(file, path, scaling, err);
        t->scaled = s == HISS_OK;
    }
    snprintf(t->init, sizeof t->init, "%s", init ? init : "");
    s = s == HISS_OK ? train_read_origin(t, file, err) : s;
    hiss_free(init);
    hiss_free(config);
    hiss_free(data);
    return s;
}

hiss_status train_checkpoint_load(trainer *t, const char *path, hiss_error *err) {
    hiss_h5 *file = NULL;
    hiss_watch_note(t->comm, "read checkpoint", -1);
    hiss_status s =
        hiss_comm_agree(t->comm, hiss_comm_rank(t->comm) == 0 ? hiss_snapshot_verify(path, err) : HISS_OK, err);
    s = s == HISS_OK ? hiss_h5_open(path, &file, err) : s;
    s = s == HISS_OK ? read_counters(t, file, path, err) : s;
    s = s == HISS_OK ? hiss_checkpoint_read(file, path, t->model, t->vector, err) : s;
    s = s == HISS_OK ? read_optimizer(t, file, path, err) : s;
    s = s == HISS_OK ? read_states(t, file, path, err) : s;
    hiss_h5_close(file, NULL);
    return hiss_comm_agree(t->comm, hiss_config_blame(t->experiment->config, s, err), err);
}
