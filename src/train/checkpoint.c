/* Checkpoints: one HDF5 file per point, the same whatever the number of ranks.
 *
 *   /model/SLOT            float32   parameters and BatchNorm statistics
 *   /optimizer/SLOT/STATE  float32   optimiser state of parameters, in their shape
 *   /samples/STATE         int64 [n] per-sample integers of the method (NAT: assignment), in sample order
 *   attributes of /: hiss_format, sha256 (of the data sets above), config (resolved), data (identity of the training
 *                    file), step, samples, updates_G (of optimiser group G)
 *
 * The file is written by rank 0 under a temporary name and published when complete, so a checkpoint that has its name
 * is whole; the checksum guards against what happens to it later. */
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hiss/data.h"
#include "hiss/file.h"
#include "hiss/hash.h"
#include "hiss/log.h"
#include "hiss/watch.h"
#include "train/trainer.h"

enum { PATH_TEXT = 4096, NAME_TEXT = 256, SCAN_ROWS = 1 << 16 };
static const char format_name[] = "hiss checkpoint 1";

static hiss_h5_info info_of(const hiss_slot *slot) {
    hiss_h5_info info = {.dtype = HISS_F32, .ndim = slot->shape.ndim};
    memcpy(info.dim, slot->shape.dim, sizeof(int64_t) * (size_t)slot->shape.ndim);
    return info;
}

static bool stored(const hiss_slot *slot) {
    return slot->kind != HISS_SLOT_METRIC;
}

/* ---- checksum: over names, shapes and values of every data set, in name order ---- */

typedef struct scan {
    hiss_h5 *file;
    hiss_hash *hash;
} scan;

static hiss_status scan_dataset(void *user, const char *name, const hiss_h5_info *info, hiss_error *err) {
    static const size_t sizes[] = {[HISS_U8] = 1, [HISS_I16] = 2, [HISS_I32] = 4, [HISS_I64] = 8, [HISS_F32] = 4};
    scan *sc = user;
    int64_t row = (int64_t)sizes[info->dtype];
    for (int k = 1; k < info->ndim; k++) {
        row *= info->dim[k];
    }
    hiss_hash_add(sc->hash, name, strlen(name) + 1);
    hiss_hash_add(sc->hash, info->dim, sizeof(int64_t) * (size_t)info->ndim);
    const int64_t step = row > 0 && SCAN_ROWS / row > 0 ? SCAN_ROWS * 16 / row : 1;
    void *rows = hiss_alloc((size_t)(step * row));
    hiss_status s = HISS_OK;
    for (int64_t at = 0; at < info->dim[0] && s == HISS_OK; at += step) {
        const int64_t count = info->dim[0] - at < step ? info->dim[0] - at : step;
        s = hiss_h5_read(sc->file, name, info->dtype, at, count, rows, err);
        hiss_hash_add(sc->hash, rows, s == HISS_OK ? (size_t)(count * row) : 0);
    }
    hiss_free(rows);
    return s;
}

static hiss_status checksum(hiss_h5 *file, char text[HISS_HASH_TEXT], hiss_error *err) {
    scan sc = {file, hiss_hash_begin()};
    hiss_status s = hiss_h5_each(file, scan_dataset, &sc, err);
    hiss_hash_end(sc.hash, text);
    return s;
}

static hiss_status verify(const char *path, hiss_error *err) {
    hiss_h5 *file = NULL;
    char *format = NULL, *expected = NULL, found[HISS_HASH_TEXT] = "";
    hiss_status s = hiss_h5_open(path, &file, err);
    s = s == HISS_OK ? hiss_h5_get_text(file, "/", "hiss_format", &format, err) : s;
    if (s == HISS_OK && strcmp(format, format_name) != 0) {
        s = hiss_fail(err, HISS_EUSER, "%s: expected format '%s', found '%s'", path, format_name, format);
    }
    s = s == HISS_OK ? hiss_h5_get_text(file, "/", "sha256", &expected, err) : s;
    s = s == HISS_OK ? checksum(file, found, err) : s;
    if (s == HISS_OK && strcmp(expected, found) != 0) {
        s = hiss_fail(err, HISS_EUSER, "%s: contents do not match their checksum; use an older checkpoint", path);
    }
    hiss_free(format);
    hiss_free(expected);
    hiss_h5_close(file, NULL);
    return s;
}

/* ---- save ---- */

static hiss_status write_values(hiss_h5 *file, const char *name, const hiss_slot *slot, const float *values,
                                hiss_error *err) {
    const hiss_h5_info info = info_of(slot);
    hiss_status s = hiss_h5_define(file, name, &info, 0, 0, err);
    return s == HISS_OK ? hiss_h5_write(file, name, HISS_F32, 0, info.dim[0], values, err) : s;
}

static hiss_status write_model(trainer *t, hiss_h5 *file, hiss_error *err) {
    hiss_status s = HISS_OK;
    for (int k = 0; k < hiss_model_count(t->model) && s == HISS_OK; k++) {
        const hiss_slot *slot = hiss_model_at(t->model, k);
        char name[NAME_TEXT];
        snprintf(name, sizeof name, "/model/%s", slot->name);
        s = stored(slot) ? write_values(file, name, slot, t->vector + slot->offset, err) : s;
    }
    return s;
}

/* Gathers to rank 0, which writes; file is NULL elsewhere. */
static hiss_status write_optimizer(trainer *t, hiss_h5 *file, hiss_error *err) {
    hiss_status s = HISS_OK;
    float *full = file && t->states ? hiss_new(float, hiss_model_floats(t->model)) : NULL;
    for (int k = 0; k < t->states; k++) {
        hiss_reducer_gather(t->reducer, t->state[k], full);
        for (int i = 0; file && i < hiss_model_count(t->model) && s == HISS_OK; i++) {
            const hiss_slot *slot = hiss_model_at(t->model, i);
            const hiss_optim_options *optim = &t->experiment->optim[slot->group];
            if (slot->kind == HISS_SLOT_PARAMETER && k < hiss_optim_states(optim)) {
                char name[NAME_TEXT];
                snprintf(name, sizeof name, "/optimizer/%s/%s", slot->name, hiss_optim_state_name(optim, k));
                s = write_values(file, name, slot, full + slot->offset, err);
            }
        }
    }
    hiss_free(full);
    return s;
}

static int64_t *gather_state(trainer *t, const hiss_sample_state *state, bool root) {
    const int P = hiss_comm_size(t->comm);
    int64_t *offsets = hiss_new(int64_t, P + 1), *all = root ? hiss_new(int64_t, t->world.samples) : NULL;
    for (int r = 0; r <= P; r++) {
        offsets[r] = t->world.shards[t->world.lane_offsets[r]] * (int64_t)sizeof(int64_t);
    }
    hiss_comm_gather(t->comm, state->local, offsets, all, 0);
    hiss_free(offsets);
    return all;
}

static int sample_states(trainer *t, hiss_sample_state states[HISS_MAX_EXPORTS]) {
    const hiss_objective_ops *ops = t->experiment->objective;
    return ops->states ? ops->states(t->method, states, HISS_MAX_EXPORTS) : 0;
}

static hiss_status write_samples(trainer *t, hiss_h5 *file, hiss_error *err) {
    hiss_sample_state states[HISS_MAX_EXPORTS];
    const int n = sample_states(t, states);
    hiss_status s = HISS_OK;
    for (int k = 0; k < n; k++) {
        int64_t *all = gather_state(t, &states[k], hiss_comm_rank(t->comm) == 0);
        if (file && s == HISS_OK) {
            char name[NAME_TEXT];
            snprintf(name, sizeof name, "/samples/%s", states[k].name);
            const hiss_h5_info info = {.dtype = HISS_I64, .ndim = 1, .dim = {t->world.samples}};
            s = hiss_h5_define(file, name, &info, 0, 0, err);
            s = s == HISS_OK ? hiss_h5_write(file, name, HISS_I64, 0, t->world.samples, all, err) : s;
        }
        hiss_free(all);
    }
    return s;
}

static hiss_status write_attributes(trainer *t, hiss_h5 *file, hiss_error *err) {
    char name[NAME_TEXT], hash[HISS_HASH_TEXT];
    hiss_status s = checksum(file, hash, err);
    s = s == HISS_OK ? hiss_h5_set_text(file, "/", "hiss_format", format_name, err) : s;
    s = s == HISS_OK ? hiss_h5_set_text(file, "/", "sha256", hash, err) : s;
    s = s == HISS_OK ? hiss_h5_set_text(file, "/", "config", hiss_config_resolved(t->experiment->config), err) : s;
    s = s == HISS_OK ? hiss_h5_set_text(file, "/", "data", hiss_dataset_identity(t->set), err) : s;
    s = s == HISS_OK ? hiss_h5_set_text(file, "/", "choices", t->choices, err) : s;
    s = s == HISS_OK ? hiss_h5_set_i64(file, "/", "step", t->step, err) : s;
    s = s == HISS_OK ? hiss_h5_set_i64(file, "/", "samples", t->world.samples, err) : s;
    for (int g = 0; g < t->experiment->groups && s == HISS_OK; g++) {
        snprintf(name, sizeof name, "updates_%d", g);
        s = hiss_h5_set_i64(file, "/", name, t->updates[g], err);
    }
    return s;
}

/* Names of checkpoints in RUN/ckpt with their steps, newest first; returns their number, at most max. */
typedef struct found {
    int64_t step;
} found;

static int newest_first(const void *a, const void *b) {
    const int64_t x = ((const found *)a)->step, y = ((const found *)b)->step;
    return (x < y) - (x > y);
}

static int list_checkpoints(const char *run, found *out, int max) {
    char folder[PATH_TEXT];
    snprintf(folder, sizeof folder, "%s/ckpt", run);
    DIR *dir = opendir(folder);
    int n = 0;
    for (struct dirent *e; dir && n < max && (e = readdir(dir));) {
        char tail[8] = "";
        if (sscanf(e->d_name, "step-%" SCNd64 ".%7s", &out[n].step, tail) == 2 && strcmp(tail, "h5") == 0) {
            n++;
        }
    }
    if (dir) {
        closedir(dir);
    }
    qsort(out, (size_t)n, sizeof *out, newest_first);
    return n;
}

enum { MAX_CHECKPOINTS = 4096 };

static void drop_old(const trainer *t) {
    found *all = hiss_new(found, MAX_CHECKPOINTS);
    const int n = list_checkpoints(t->request->run, all, MAX_CHECKPOINTS);
    for (int k = (int)t->experiment->train.keep; k < n; k++) {
        char path[PATH_TEXT];
        snprintf(path, sizeof path, "%s/ckpt/step-%" PRId64 ".h5", t->request->run, all[k].step);
        unlink(path);
    }
    hiss_free(all);
}

hiss_status checkpoint_save(trainer *t, hiss_error *err) {
    hiss_watch_step(t->comm, t->step);
    hiss_watch_note(t->comm, "write checkpoint", t->step);
    char path[PATH_TEXT], temporary[PATH_TEXT + 64];
    snprintf(path, sizeof path, "%s/ckpt/step-%" PRId64 ".h5", t->request->run, t->step);
    hiss_file_temporary(path, temporary, sizeof temporary);
    hiss_h5 *file = NULL;
    const hiss_objective_ops *ops = t->experiment->objective;
    hiss_status s = ops->settle ? ops->settle(t->method, err) : HISS_OK;
    if (s == HISS_OK && hiss_comm_rank(t->comm) == 0) {
        char folder[PATH_TEXT];
        snprintf(folder, sizeof folder, "%s/ckpt", t->request->run);
        s = hiss_make_directories(folder, err);
        s = s == HISS_OK ? hiss_h5_create(temporary, &file, err) : s;
        s = s == HISS_OK ? write_model(t, file, err) : s;
    }
    s = hiss_comm_agree(t->comm, s, err);
    if (s == HISS_OK) {
        s = write_optimizer(t, file, err);
        const hiss_status samples = write_samples(t, file, s == HISS_OK ? err : NULL);
        s = s == HISS_OK ? samples : s;
    }
    if (file) {
        hiss_watch_note(t->comm, "publish checkpoint", t->step);
        s = s == HISS_OK ? write_attributes(t, file, err) : s;
        const hiss_status closed = hiss_h5_close(file, s == HISS_OK ? err : NULL);
        s = s == HISS_OK ? closed : s;
        if (s == HISS_OK) {
            s = hiss_file_publish(temporary, path, err);
        } else {
            unlink(temporary);
        }
        if (s == HISS_OK) {
            drop_old(t);
        }
    }
    return hiss_comm_agree(t->comm, s, err);
}

void checkpoint_state_hash(trainer *t, const hiss_sample_state *state, char text[HISS_HASH_TEXT]) {
    int64_t *all = gather_state(t, state, hiss_comm_rank(t->comm) == 0);
    hiss_hash *hash = hiss_hash_begin();
    hiss_hash_add(hash, all, all ? sizeof(int64_t) * (size_t)t->world.samples : 0);
    hiss_hash_end(hash, text);
    hiss_free(all);
}

/* ---- load ---- */

hiss_status hiss_checkpoint_newest(const char *run, char *path, size_t size, hiss_error *err) {
    (void)err;
    found *all = hiss_new(found, MAX_CHECKPOINTS);
    const int n = list_checkpoints(run, all, MAX_CHECKPOINTS);
    *path = 0;
    for (int k = 0; k < n && !*path; k++) {
        hiss_error why = {0};
        snprintf(path, size, "%s/ckpt/step-%" PRId64 ".h5", run, all[k].step);
        if (verify(path, &why) != HISS_OK) {
            hiss_warn("skipping a broken checkpoint: %s", why.text);
            *path = 0;
        }
    }
    hiss_free(all);
    return HISS_OK;
}

static hiss_status read_values(hiss_h5 *file, const char *path, const char *name, const hiss_slot *slot, float *values,
                               hiss_error *err) {
    const hiss_h5_info expected = info_of(slot);
    hiss_h5_info info;
    hiss_status s = hiss_h5_look(file, name, &info, err);
    if (s == HISS_OK && (info.dtype != HISS_F32 || info.ndim != expected.ndim ||
                         memcmp(info.dim, expected.dim, sizeof(int64_t) * (size_t)info.ndim) != 0)) {
        char want[HISS_SHAPE_TEXT], have[HISS_SHAPE_TEXT];
        hiss_shape shape = {.ndim = info.ndim};
        memcpy(shape.dim, info.dim, sizeof(int64_t) * (size_t)info.ndim);
        s = hiss_fail(err, HISS_EUSER, "%s: data set %s has shape %s, but this config's network needs float32 %s", path,
                      name, hiss_shape_text(&shape, have), hiss_shape_text(&slot->shape, want));
    }
    return s == HISS_OK ? hiss_h5_read(file, name, HISS_F32, 0, info.dim[0], values, err) : s;
}

hiss_status hiss_checkpoint_model(const char *path, const hiss_model *model, float *vector, hiss_error *err) {
    hiss_h5 *file = NULL;
    hiss_status s = hiss_h5_open(path, &file, err);
    for (int k = 0; k < hiss_model_count(model) && s == HISS_OK; k++) {
        const hiss_slot *slot = hiss_model_at(model, k);
        char name[NAME_TEXT];
        snprintf(name, sizeof name, "/model/%s", slot->name);
        s = stored(slot) ? read_values(file, path, name, slot, vector + slot->offset, err) : s;
    }
    hiss_h5_close(file, NULL);
    return s;
}

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
                char name[NAME_TEXT];
                snprintf(name, sizeof name, "/optimizer/%s/%s", slot->name, hiss_optim_state_name(optim, k));
                s = read_values(file, path, name, slot, full + slot->offset, err);
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

static hiss_status read_samples(trainer *t, hiss_h5 *file, const char *path, hiss_error *err) {
    hiss_sample_state states[HISS_MAX_EXPORTS];
    const int n = sample_states(t, states);
    const int64_t begin = t->world.shards[t->world.first_lane], end = t->world.shards[t->world.end_lane];
    hiss_status s = HISS_OK;
    for (int k = 0; k < n && s == HISS_OK; k++) {
        char name[NAME_TEXT];
        hiss_h5_info info;
        snprintf(name, sizeof name, "/samples/%s", states[k].name);
        s = hiss_h5_look(file, name, &info, err);
        if (s == HISS_OK && (info.dtype != HISS_I64 || info.ndim != 1 || info.dim[0] != t->world.samples)) {
            s = hiss_fail(err, HISS_EUSER, "%s: %s is for %" PRId64 " samples, but the data has %" PRId64, path, name,
                          info.dim[0], t->world.samples);
        }
        s = s == HISS_OK ? hiss_h5_read(file, name, HISS_I64, begin, end - begin, states[k].local, err) : s;
    }
    return s;
}

/* The config lines that decide the bits: all but those that say how and how long to run. What the data is, the file's
 * identity says. */
static bool decides(const char *section, const char *line) {
    static const struct {
        const char *section, *line; /* line NULL: all of the section */
    } free_lines[] = {{"data", "  file:"},
                      {"data", "  mode:"},
                      {"data", "  memory:"},
                      {"data", "  verify:"},
                      {"train", "  log_every:"},
                      {"train", "  checkpoint_every:"},
                      {"train", "  keep:"},
                      {"train", "  activation_memory:"},
                      {"train", "  steps:"},
                      {"dist", "  threads:"},
                      {"dist", "  bucket:"},
                      {"dist", "  overlap:"},
                      {"dist", "  watchdog:"},
                      {"dist", "dist:"},
                      {"eval", NULL},
                      {"kernel_table", NULL}};
    for (int k = 0; k < HISS_COUNT(free_lines); k++) {
        const char *start = free_lines[k].line;
        if (strcmp(section, free_lines[k].section) == 0 && (!start || strncmp(line, start, strlen(start)) == 0)) {
            return false;
        }
    }
    return true;
}

/* Next deciding line of a resolved config into out; false at its end. */
static bool next_line(const char **text, char *section, size_t section_size, char *out, size_t size) {
    while (**text) {
        const size_t length = strcspn(*text, "\n");
        snprintf(out, size, "%.*s", (int)length, *text);
        *text += length + ((*text)[length] == '\n');
        if (length && out[0] != ' ') {
            snprintf(section, section_size, "%.*s", (int)strcspn(out, ":"), out);
        }
        if (length && out[0] != '#' && decides(section, out)) {
            return true;
        }
    }
    *out = 0;
    return false;
}

static hiss_status compare_configs(const char *path, const char *then, const char *now, hiss_error *err) {
    char section_then[NAME_TEXT] = "", section_now[NAME_TEXT] = "", a[1024], b[1024];
    bool more_then, more_now;
    do {
        more_then = next_line(&then, section_then, sizeof section_then, a, sizeof a);
        more_now = next_line(&now, section_now, sizeof section_now, b, sizeof b);
        if (more_then != more_now || strcmp(a, b) != 0) {
            const char *section = *section_now ? section_now : section_then;
            const bool inside = a[0] == ' ' || b[0] == ' ';
            return hiss_fail(err, HISS_EUSER,
                             "%s was made by another config: %s%s%sit had '%s', now '%s'; resume with the same "
                             "config, or start a new run directory",
                             path, inside ? "in section " : "", inside ? section : "", inside ? ", " : "",
                             a + strspn(a, " "), b + strspn(b, " "));
        }
    } while (more_then);
    return HISS_OK;
}

static hiss_status read_counters(trainer *t, hiss_h5 *file, const char *path, hiss_error *err) {
    char *config = NULL, *data = NULL, *choices = NULL;
    hiss_status s = hiss_h5_get_text(file, "/", "config", &config, err);
    s = s == HISS_OK ? compare_configs(path, config, hiss_config_resolved(t->experiment->config), err) : s;
    s = s == HISS_OK ? hiss_h5_get_text(file, "/", "data", &data, err) : s;
    if (s == HISS_OK && strcmp(data, hiss_dataset_identity(t->set)) != 0) {
        s = hiss_fail(err, HISS_EUSER,
                      "%s was made from other data: data.file was %s, now %s (%s); resume with the same data, or start "
                      "a new run directory",
                      path, data, hiss_dataset_identity(t->set), t->experiment->data.file);
    }
    s = s == HISS_OK ? hiss_h5_get_i64(file, "/", "step", &t->step, err) : s;
    for (int g = 0; g < t->experiment->groups && s == HISS_OK; g++) {
        char name[NAME_TEXT];
        snprintf(name, sizeof name, "updates_%d", g);
        s = hiss_h5_get_i64(file, "/", name, &t->updates[g], err);
    }
    s = s == HISS_OK ? hiss_h5_get_text(file, "/", "choices", &choices, err) : s;
    if (s == HISS_OK && strcmp(choices, t->choices) != 0) {
        s = hiss_fail(err, HISS_EUSER,
                      "%s was made with another choice of kernels (%.8s..., now %.8s...), which shows in the bits; "
                      "resume with the kernel_table and the program it was made with, or start a new run directory",
                      path, choices, t->choices);
    }
    hiss_free(config);
    hiss_free(data);
    hiss_free(choices);
    return s;
}

hiss_status checkpoint_load(trainer *t, const char *path, hiss_error *err) {
    hiss_watch_note(t->comm, "read checkpoint", -1);
    hiss_h5 *file = NULL;
    hiss_status s = hiss_comm_agree(t->comm, hiss_comm_rank(t->comm) == 0 ? verify(path, err) : HISS_OK, err);
    s = s == HISS_OK ? hiss_h5_open(path, &file, err) : s;
    s = s == HISS_OK ? read_counters(t, file, path, err) : s;
    s = s == HISS_OK ? hiss_checkpoint_model(path, t->model, t->vector, err) : s;
    s = s == HISS_OK ? read_optimizer(t, file, path, err) : s;
    s = s == HISS_OK ? read_samples(t, file, path, err) : s;
    hiss_h5_close(file, NULL);
    return hiss_comm_agree(t->comm, s, err);
}
