/* What a run takes over from another one (train.init), and what it leaves as it is (train.freeze).
 *
 * The source is a checkpoint. Arrays of its model that have the name and shape of one of this network replace the
 * initial values, statistics of BatchNorm among them; the optimiser and all else begin anew. Rank 0 reads, and sends
 * the model to the others. The checksum of the source goes into each checkpoint of this run, so that a resumed run
 * knows where it came from without reading the source again, which may be gone, or have gone on.
 *
 * Frozen slots are known to the model before the first of them is made (hiss_model_freeze); the layers do the rest. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "hiss/file.h"
#include "hiss/log.h"
#include "hiss/snapshot.h"
#include "hiss/watch.h"
#include "train/trainer.h"

enum {
    PATH_TEXT = 4096,
    SOURCES_TEXT = 300,
    ARRAYS_TEXT = 160,
    REASON_TEXT = 900,
    MODEL_PREFIX = sizeof "/model/" - 1
};

/* ---- names of layers ---- */

/* The entries of the list, or the one name that stands for a list of one. */
static const hiss_yaml *first_name(const hiss_yaml *names) {
    return names && names->kind == HISS_YAML_LIST ? names->first : names;
}

static const hiss_yaml *next_name(const hiss_yaml *names, const hiss_yaml *name) {
    return name == names ? NULL : name->next;
}

static hiss_status expect_names(const hiss_yaml *names, const char *key, int *count, hiss_error *err) {
    *count = 0;
    for (const hiss_yaml *e = first_name(names); e; e = next_name(names, e)) {
        if (e->kind != HISS_YAML_SCALAR || !*e->text) {
            return train_layers_refuse_kind(e, key, "expected names of layers, as in [conv1, conv2]", err);
        }
        ++*count;
    }
    return HISS_OK;
}

/* ---- train.freeze ---- */

static hiss_status refuse(const hiss_yaml *at, const char *what, hiss_error *err) {
    return train_layers_refuse(at, "freeze", what, err);
}

hiss_status train_transfer_freeze(trainer *t, hiss_error *err) {
    const hiss_train_options *o = &t->experiment->train;
    int count, wanted;
    hiss_status s = expect_names(o->freeze, "freeze", &count, err);
    s = s == HISS_OK ? expect_names(o->init_layers, "init_layers", &wanted, err) : s;
    if (s != HISS_OK) {
        return s;
    }
    t->frozen = hiss_new(const char *, count);
    for (const hiss_yaml *e = first_name(o->freeze); e; e = next_name(o->freeze, e)) {
        t->frozen[t->nfrozen++] = e->text;
    }
    hiss_model_freeze(t->model, t->nfrozen, t->frozen);
    return HISS_OK;
}

/* Whether names of train.freeze leave nothing to train of a group that phase p trains. */
static bool stands_still(const trainer *t, int p, int group) {
    const hiss_phase_ops *ops = t->experiment->objective->phase;
    const unsigned groups = ops && ops->trains ? ops->trains(t->method, p) : ~0u;
    bool frozen = false, trained = false;
    for (int s = 0; s < hiss_model_count(t->model); s++) {
        const hiss_slot *slot = hiss_model_at(t->model, s);
        const bool its = slot->kind == HISS_SLOT_PARAMETER && slot->group == group;
        frozen = frozen || (its && slot->frozen);
        trained = trained || (its && hiss_graph_trains(t->phases[p].graph, s));
    }
    return frozen && !trained && (groups >> group & 1u);
}

/* Of two players, or of stages, none may stand still: the rest would not be the method any more. */
static hiss_status refuse_group(const trainer *t, int p, int group, hiss_error *err) {
    const hiss_objective_ops *o = t->experiment->objective;
    char what[TRAIN_LAYERS_TEXT + 256], layers[TRAIN_LAYERS_TEXT], when[64] = "";
    if (!o->groups) {
        return refuse(t->experiment->train.freeze, "leaves nothing to train; name fewer layers", err);
    }
    train_layers_list(t->model, group, layers);
    if (t->nphases > 1) {
        snprintf(when, sizeof when, " in phase %d of %d", p + 1, t->nphases);
    }
    snprintf(what, sizeof what, "leaves nothing to train of group %s%s of %s; name fewer of its layers: %s",
             o->groups[group], when, o->name, layers);
    return refuse(t->experiment->train.freeze, what, err);
}

/* Each of the names is that of some slot. */
static hiss_status expect_slots(const trainer *t, const hiss_yaml *names, const char *key, hiss_error *err) {
    for (const hiss_yaml *e = first_name(names); e; e = next_name(names, e)) {
        bool found = false;
        for (int s = 0; s < hiss_model_count(t->model); s++) {
            const hiss_slot *slot = hiss_model_at(t->model, s);
            found = found || (slot->kind != HISS_SLOT_METRIC && hiss_slot_within(slot, e->text));
        }
        if (!found) {
            char what[TRAIN_LAYERS_TEXT + 256], layers[TRAIN_LAYERS_TEXT];
            train_layers_list(t->model, TRAIN_ALL_GROUPS, layers);
            snprintf(what, sizeof what,
                     "'%.80s' has no parameters, nor has anything that begins with it and '/'; parameters are in %s",
                     e->text, layers);
            return train_layers_refuse(e, key, what, err);
        }
    }
    return HISS_OK;
}

hiss_status train_transfer_check(const trainer *t, hiss_error *err) {
    const hiss_train_options *o = &t->experiment->train;
    hiss_status status = expect_slots(t, o->freeze, "freeze", err);
    status = status == HISS_OK ? expect_slots(t, o->init_layers, "init_layers", err) : status;
    if (status != HISS_OK) {
        return status;
    }
    for (int p = 0; p < t->nphases && t->nfrozen; p++) {
        for (int g = 0; g < t->experiment->groups; g++) {
            if (stands_still(t, p, g)) {
                return refuse_group(t, p, g, err);
            }
        }
    }
    return HISS_OK;
}

int64_t train_transfer_frozen(const trainer *t) {
    int64_t n = 0;
    for (int s = 0; s < hiss_model_count(t->model); s++) {
        const hiss_slot *slot = hiss_model_at(t->model, s);
        n += slot->frozen && slot->kind == HISS_SLOT_PARAMETER ? slot->count : 0;
    }
    return n;
}

/* ---- train.init ---- */

/* What became of an array of this network. */
typedef enum fate {
    ABSENT,   /* the source has none of the name */
    LEFT_OUT, /* by train.init_layers */
    OTHERS,   /* scores of other classes */
    MISFIT,   /* the source's has another shape */
    TAKEN
} fate;

typedef struct source {
    const trainer *t;
    hiss_h5 *file;
    const char *prefix; /* train.init_prefix */
    char path[PATH_TEXT];
    bool others; /* it has learnt targets of other classes: its scores say nothing of those of this run */
    char difference[HISS_NAMES_TEXT];
    fate *fate;          /* [slots of this network] */
    hiss_h5_info *there; /* [slots], where the source has the array */
    int copied, kept, unused;
    bool bare;                   /* the source has weights of this network without a prefix */
    char prefixes[SOURCES_TEXT]; /* and after these */
    FILE *list[3];               /* names of the arrays above */
    char *text[3];
    size_t size[3];
} source;

/* What a directory has that could have been meant: runs in it (folders with a ckpt), or files of HDF5. */
static void list_sources(const char *init, bool files, char out[SOURCES_TEXT]) {
    struct dirent **entry = NULL;
    struct stat what;
    const int count = scandir(init, &entry, NULL, alphasort);
    out[0] = 0;
    for (int k = 0; k < count; k++) {
        char path[PATH_TEXT];
        const char *name = entry[k]->d_name, *dot = strrchr(name, '.');
        snprintf(path, sizeof path, "%s/%s/ckpt", init, name);
        const bool fits = files ? dot && strcmp(dot, ".h5") == 0 : *name != '.' && stat(path, &what) == 0;
        snprintf(path, sizeof path, "%s/%s", init, name);
        if (fits) {
            hiss_list_add(out, SOURCES_TEXT, path);
        }
        free(entry[k]);
    }
    free(entry);
}

/* Why no checkpoint was found in a directory, and what to name instead. */
static hiss_status fail_directory(const char *init, const struct stat *what, hiss_error *err) {
    char path[PATH_TEXT], runs[SOURCES_TEXT], files[SOURCES_TEXT];
    struct stat sibling;
    snprintf(path, sizeof path, "%s/../ckpt", init);
    if (stat(path, &sibling) == 0 && sibling.st_ino == what->st_ino && sibling.st_dev == what->st_dev) {
        return hiss_fail(err, HISS_EUSER, "%s is where a run keeps its checkpoints; name that run, or a file in %s",
                         init, init);
    }
    snprintf(path, sizeof path, "%s/config.yaml", init);
    list_sources(init, false, runs);
    list_sources(init, true, files);
    if (hiss_file_exists(path)) {
        return hiss_fail(err, HISS_EUSER,
                         "%s has no checkpoint: that run has not come to its first one; let it go on (hiss train %s "
                         "--run %s), or name another run",
                         init, path, init);
    }
    return hiss_fail(err, HISS_EUSER, "%s has no checkpoint; %s%s%s", init,
                     *runs ? "name one of the runs in it: "
                     : *files
                         ? "name one of the files in it, if they are checkpoints: "
                         : "expected the directory of a run, with ckpt/step-N.h5 in it, or the path of such a file",
                     runs, *runs ? "" : files);
}

/* The file that train.init means, sound, into path[PATH_TEXT]. */
static hiss_status find_source(const char *init, char *path, hiss_error *err) {
    struct stat what;
    hiss_status status = hiss_file_expect(init, "the source", "train.init takes a run directory or a checkpoint", err);
    if (status != HISS_OK) {
        return status;
    }
    if (stat(init, &what) == 0 && S_ISDIR(what.st_mode)) {
        status = hiss_checkpoint_newest(init, false, path, PATH_TEXT, err);
        return status == HISS_OK && !*path ? fail_directory(init, &what, err) : status;
    }
    snprintf(path, PATH_TEXT, "%s", init);
    return hiss_snapshot_verify(path, err);
}

hiss_status train_transfer_sum(const char *init, char sum[HISS_HASH_TEXT], hiss_error *err) {
    char path[PATH_TEXT] = "";
    const hiss_status status = find_source(init, path, err);
    return status == HISS_OK ? hiss_snapshot_sum(path, sum, err) : status;
}

static void note(source *s, int list, const char *name, const char *why) {
    int *count[] = {&s->copied, &s->kept, &s->unused};
    fprintf(s->list[list], "%s%s%s", (*count[list])++ ? ", " : "", name, why);
}

/* Whether train.init_layers, where it is given, names the slot. */
static bool wanted(const trainer *t, const hiss_slot *slot) {
    const hiss_yaml *names = t->experiment->train.init_layers;
    bool named = !names;
    for (const hiss_yaml *e = first_name(names); e; e = next_name(names, e)) {
        named = named || hiss_slot_within(slot, e->text);
    }
    return named;
}

static bool fits(const hiss_h5_info *here, const hiss_h5_info *there) {
    return there->dtype == here->dtype && there->ndim == here->ndim &&
           memcmp(there->dim, here->dim, sizeof(int64_t) * (size_t)here->ndim) == 0;
}

/* Into s->fate[k] and s->there[k]; name is the array's in the source. */
static hiss_status find_fate(source *s, int k, const char *name, hiss_error *err) {
    const hiss_slot *slot = hiss_model_at(s->t->model, k);
    const hiss_h5_info here = hiss_checkpoint_info(slot);
    s->fate[k] = hiss_h5_has(s->file, name) ? wanted(s->t, slot) ? TAKEN : LEFT_OUT : ABSENT;
    if (s->fate[k] != TAKEN) {
        return HISS_OK;
    }
    const hiss_status status = hiss_h5_look(s->file, name, &s->there[k], err);
    const bool others = s->others && hiss_slot_within(slot, "scores");
    s->fate[k] = others ? OTHERS : fits(&here, &s->there[k]) ? TAKEN : MISFIT;
    return status;
}

static hiss_status copy_slot(source *s, int k, float *vector, hiss_error *err) {
    const hiss_slot *slot = hiss_model_at(s->t->model, k);
    char name[HISS_SNAPSHOT_NAME], why[HISS_H5_INFO_TEXT + 16] = "", text[HISS_H5_INFO_TEXT];
    snprintf(name, sizeof name, "/model/%s%s", s->prefix, slot->name);
    const hiss_status status = find_fate(s, k, name, err);
    if (status != HISS_OK) {
        return status;
    }
    if (s->fate[k] == TAKEN) {
        note(s, 0, slot->name, "");
        return hiss_checkpoint_slot(s->file, s->path, name, slot, vector + slot->offset, err);
    }
    if (s->fate[k] == OTHERS) {
        snprintf(why, sizeof why, " (there of other classes)");
    } else if (s->fate[k] == MISFIT) {
        snprintf(why, sizeof why, " (there %s)", hiss_h5_info_text(&s->there[k], text));
    }
    note(s, 1, slot->name, why);
    return HISS_OK;
}

/* What stands in the source before the names of weights of this network, where that is not train.init_prefix. */
static void note_prefix(source *s, const char *name, const hiss_h5_info *info) {
    for (int k = 0; k < hiss_model_count(s->t->model); k++) {
        const hiss_slot *slot = hiss_model_at(s->t->model, k);
        const hiss_h5_info here = hiss_checkpoint_info(slot);
        const size_t length = strlen(name), own = strlen(slot->name), before = length > own ? length - own : 0;
        char prefix[HISS_SNAPSHOT_NAME];
        if (slot->deviation <= 0 || !wanted(s->t, slot) || strcmp(name + before, slot->name) != 0 ||
            !fits(&here, info) || (before > 0 && name[before - 1] != '/')) {
            continue;
        }
        snprintf(prefix, sizeof prefix, "%.*s", (int)before, name);
        s->bare = s->bare || before == 0;
        if (before > 0 && strcmp(prefix, s->prefix) != 0 && !strstr(s->prefixes, prefix)) {
            hiss_list_add(s->prefixes, sizeof s->prefixes, prefix);
        }
    }
}

/* A hiss_h5_visit: count what the source has and this network has not. */
static hiss_status visit(void *user, const char *dataset, const hiss_h5_info *info, hiss_error *err) {
    source *s = user;
    (void)err;
    if (strncmp(dataset, "/model/", MODEL_PREFIX) != 0) {
        return HISS_OK;
    }
    const char *name = dataset + MODEL_PREFIX;
    const size_t length = strlen(s->prefix);
    note_prefix(s, name, info);
    const int slot = strncmp(name, s->prefix, length) == 0 ? hiss_model_find(s->t->model, name + length) : -1;
    if (slot < 0 || !wanted(s->t, hiss_model_at(s->t->model, slot))) {
        note(s, 2, name, "");
    }
    return HISS_OK;
}

/* Scores of targets are those of the same columns, as far as both files have names for them. */
static void compare_targets(source *s) {
    const hiss_experiment *e = s->t->experiment;
    char *then = NULL;
    const char *now =
        hiss_objective_learns_targets(e->objective, e->objective_options) ? hiss_dataset_target_names(s->t->set) : NULL;
    if (now && hiss_h5_get_text(s->file, "/", "targets", &then, NULL) == HISS_OK &&
        hiss_names_differ(now, then, s->difference)) {
        s->others = true;
        hiss_warn("init: scores keep their own initial values, for %s has learnt other classes than %s has: %s",
                  s->path, hiss_dataset_file(s->t->set), s->difference);
    }
    hiss_free(then);
}

/* Why an array was not taken over. */
static void tell_fate(const source *s, int k, char why[REASON_TEXT]) {
    const hiss_slot *slot = hiss_model_at(s->t->model, k);
    const hiss_h5_info info = hiss_checkpoint_info(slot);
    char here[HISS_H5_INFO_TEXT], there[HISS_H5_INFO_TEXT];
    switch (s->fate[k]) {
    case LEFT_OUT:
        snprintf(why, REASON_TEXT, "train.init_layers leaves out %s", slot->name);
        return;
    case OTHERS:
        snprintf(why, REASON_TEXT, "%s of %.300s is of other classes", slot->name, s->path);
        return;
    case MISFIT:
        snprintf(why, REASON_TEXT, "%s is %s in this network, and %s in %.300s", slot->name,
                 hiss_h5_info_text(&info, here), hiss_h5_info_text(&s->there[k], there), s->path);
        return;
    default:
        snprintf(why, REASON_TEXT, "%.300s has no %.80s%s", s->path, s->prefix, slot->name);
    }
}

/* The first stored array within name that was taken over, or that was not; -1: none. */
static int first_array(const source *s, const char *name, bool taken) {
    for (int k = 0; k < hiss_model_count(s->t->model); k++) {
        const hiss_slot *slot = hiss_model_at(s->t->model, k);
        if (hiss_checkpoint_stores(slot) && hiss_slot_within(slot, name) && (s->fate[k] == TAKEN) == taken) {
            return k;
        }
    }
    return -1;
}

/* The first parameter within name that is not the source's; a bias that begins at 0 where the source has none is. */
static int first_foreign(const source *s, const char *name) {
    for (int k = 0; k < hiss_model_count(s->t->model); k++) {
        const hiss_slot *slot = hiss_model_at(s->t->model, k);
        const bool same =
            s->fate[k] == TAKEN || (s->fate[k] == ABSENT && slot->deviation <= 0 && slot->constant == 0.0);
        if (slot->kind == HISS_SLOT_PARAMETER && hiss_slot_within(slot, name) && !same) {
            return k;
        }
    }
    return -1;
}

/* Every parameter of a frozen layer is the source's: others would stay at random, and pass for what the source has learnt. */
static hiss_status expect_frozen(const source *s, hiss_error *err) {
    const hiss_yaml *names = s->t->experiment->train.freeze;
    for (const hiss_yaml *e = first_name(names); e; e = next_name(names, e)) {
        char what[PATH_TEXT], why[REASON_TEXT];
        const int k = first_foreign(s, e->text);
        if (k < 0) {
            continue;
        }
        tell_fate(s, k, why);
        snprintf(what, sizeof what, "'%.80s' would stay at initial values: %s; %s", e->text, why,
                 s->fate[k] == LEFT_OUT ? "name it there, too, or leave it out here"
                                        : "name only what fits, or use the source's section network");
        return refuse(e, what, err);
    }
    return HISS_OK;
}

/* Of what train.init_layers names, the source has something. */
static hiss_status expect_wanted(const source *s, hiss_error *err) {
    const hiss_yaml *names = s->t->experiment->train.init_layers;
    for (const hiss_yaml *e = first_name(names); e; e = next_name(names, e)) {
        char what[PATH_TEXT], why[REASON_TEXT];
        const int k = first_array(s, e->text, false);
        if (k < 0 || first_array(s, e->text, true) >= 0) {
            continue;
        }
        tell_fate(s, k, why);
        snprintf(what, sizeof what, "'%.80s' is not taken over: %s; leave it out, or use the source's section network",
                 e->text, why);
        return train_layers_refuse(e, "init_layers", what, err);
    }
    return HISS_OK;
}

static hiss_status copy_model(source *s, float *vector, hiss_error *err) {
    hiss_status status = hiss_h5_open(s->path, &s->file, err);
    if (status == HISS_OK) {
        compare_targets(s);
    }
    for (int k = 0; k < hiss_model_count(s->t->model) && status == HISS_OK; k++) {
        status = hiss_checkpoint_stores(hiss_model_at(s->t->model, k)) ? copy_slot(s, k, vector, err) : HISS_OK;
    }
    status = status == HISS_OK ? hiss_h5_each(s->file, visit, s, err) : status;
    hiss_h5_close(s->file, NULL);
    for (int k = 0; k < 3; k++) {
        fflush(s->list[k]);
    }
    return status;
}

/* Something came over, and of each layer of train.init_layers. */
static hiss_status expect_taken(const source *s, hiss_error *err) {
    char here[ARRAYS_TEXT] = "", there[ARRAYS_TEXT] = "";
    if (s->copied == 0 && *s->prefix && s->bare) {
        return hiss_fail_key(err, HISS_EUSER, "train.init_prefix",
                             "%s has arrays of this network without '%s' before their names; leave it out", s->path,
                             s->prefix);
    }
    if (s->copied == 0 && *s->prefixes) {
        return hiss_fail_key(err, HISS_EUSER, *s->prefix ? "train.init_prefix" : "train.init",
                             "%s has arrays of this network after %s; set train.init_prefix to %s", s->path,
                             s->prefixes, strchr(s->prefixes, ',') ? "one of these" : "this");
    }
    const hiss_status status = expect_wanted(s, err);
    if (status != HISS_OK || s->copied > 0) {
        return status;
    }
    hiss_list_add_all(here, sizeof here, s->text[1]);
    hiss_list_add_all(there, sizeof there, s->unused ? s->text[2] : "none");
    return hiss_fail_key(err, HISS_EUSER, "train.init",
                         "nothing in %s has the name%s%s%s and shape of an array of this network, which has %s; the "
                         "source has more: %s; use the source's network section",
                         s->path, *s->prefix ? " (after train.init_prefix " : "", s->prefix, *s->prefix ? ")" : "",
                         here, there);
}

static void tell(const source *s) {
    hiss_info("init: %d arrays from %s: %s", s->copied, s->path, s->text[0]);
    hiss_info("init: %d arrays keep their own initial values%s%s", s->kept, s->kept ? ": " : "", s->text[1]);
    hiss_info("init: %d arrays of the source are not used%s%s", s->unused, s->unused ? ": " : "", s->text[2]);
}

/* Norms and biases may fit where no weights do: what counts is what would else begin at random. */
static void warn_of_random(const source *s) {
    int64_t values = 0, taken = 0;
    int arrays = 0, came = 0;
    char rest[SOURCES_TEXT] = "";
    for (int k = 0; k < hiss_model_count(s->t->model); k++) {
        const hiss_slot *slot = hiss_model_at(s->t->model, k);
        const hiss_h5_info info = hiss_checkpoint_info(slot);
        char item[REASON_TEXT], here[HISS_H5_INFO_TEXT], there[HISS_H5_INFO_TEXT];
        if (slot->kind != HISS_SLOT_PARAMETER || slot->deviation <= 0 || !wanted(s->t, slot)) {
            continue;
        }
        arrays++;
        values += slot->count;
        if (s->fate[k] == TAKEN) {
            came++;
            taken += slot->count;
            continue;
        }
        snprintf(item, sizeof item, "%s", slot->name);
        if (s->fate[k] == MISFIT) {
            snprintf(item, sizeof item, "%s (%s, there %s)", slot->name, hiss_h5_info_text(&info, here),
                     hiss_h5_info_text(&s->there[k], there));
        }
        hiss_list_add(rest, sizeof rest, item);
    }
    if (2 * taken < values) {
        hiss_warn("init: %d of %d arrays of weights, %.1f %% of their values, came from %s; the others begin at "
                  "random: %s",
                  came, arrays, 100.0 * (double)taken / (double)values, s->path, rest);
    }
}

static hiss_status read_source(trainer *t, hiss_error *err) {
    const int slots = hiss_model_count(t->model);
    source s = {.t = t,
                .prefix = t->experiment->train.init_prefix,
                .fate = hiss_new(fate, slots),
                .there = hiss_new(hiss_h5_info, slots)};
    for (int k = 0; k < 3; k++) {
        s.list[k] = hiss_text_open(&s.text[k], &s.size[k]);
    }
    hiss_status status = find_source(t->experiment->train.init, s.path, err);
    status = status == HISS_OK ? hiss_snapshot_sum(s.path, t->init, err) : status;
    status = status == HISS_OK ? copy_model(&s, t->vector, err) : status;
    status = hiss_error_under_key(err, status, "train.init");
    status = status == HISS_OK ? expect_taken(&s, err) : status;
    status = status == HISS_OK ? expect_frozen(&s, err) : status;
    if (status == HISS_OK) {
        tell(&s);
        warn_of_random(&s);
    }
    t->took = hiss_new(bool, slots);
    for (int k = 0; k < slots; k++) {
        t->took[k] = s.fate[k] == TAKEN;
    }
    hiss_free(s.fate);
    hiss_free(s.there);
    for (int k = 0; k < 3; k++) {
        fclose(s.list[k]);
        free(s.text[k]);
    }
    return hiss_config_blame(t->experiment->config, status, err);
}

hiss_status train_transfer_init(trainer *t, hiss_error *err) {
    if (!t->experiment->train.init) {
        return HISS_OK;
    }
    hiss_watch_note(t->comm, "read train.init", -1);
    const hiss_status s = hiss_comm_agree(t->comm, hiss_comm_rank(t->comm) == 0 ? read_source(t, err) : HISS_OK, err);
    if (s == HISS_OK) {
        hiss_comm_broadcast(t->comm, t->vector, hiss_model_floats(t->model) * (int64_t)sizeof(float), 0);
        hiss_comm_broadcast(t->comm, t->init, sizeof t->init, 0);
    }
    return s;
}
