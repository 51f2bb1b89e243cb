/* Several files that are one: the rows of a data set that all of them have, one file after the other.
 *
 * Readers ask for rows by number and never learn of files. The files are probed when they are opened first, and again
 * opened when they are read: at most MOST_OPEN stay open, those used last, so that any number of files gets along with
 * the descriptors of a process. One that has another size or number than at first (stamp.c) is no longer the one that was
 * checked, and an error; one whose time alone is new is probed again.
 *
 * All files have one memory of decoded slabs (h5_slab.c), and one cache's worth of HDF5's, however many there are.
 *
 * Cost: the probe of a file (some 0.5 ms), and for each data set a look at every file (some 0.3 ms); a read in a file that
 * is not open opens it (0.3 ms). */
#include <assert.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "h5_chunk.h"
#include "hiss/alloc.h"
#include "hiss/log.h"
#include "hiss/number.h"

enum { MOST_OPEN = 32, CACHE_BYTES = 1 << 25 };

/* What was checked, by all readers. */
typedef struct parts {
    data_paths paths;
    pthread_mutex_t lock; /* of at */
    data_stamp *at;
    data_h5_follow follow;
    int readers;
} parts;

typedef struct slot {
    hiss_h5 *file;
    int holders;
    int64_t used;
} slot;

struct data_joined {
    data_files *files;
    char *dataset;
    int axis;
    bool any_integer;
    hiss_h5_info info; /* of all files */
    hiss_dtype values;
    int64_t *first; /* [files + 1] rows */
    hiss_h5_layout layout;
    int64_t unwritten, unwritten_file; /* how many files have such rows, the first of them */
    char unwritten_text[HISS_H5_INFO_TEXT];
    data_joined *next;
};

struct data_files {
    parts *parts;
    pthread_mutex_t lock; /* of the slots */
    slot *slot;
    int slots;
    int64_t clock, room;
    bool apart; /* some data set is */
    data_h5_slabs *slabs;
    data_joined *joined;
};

/* ---- opening ---- */

static hiss_status probe_all(const parts *p, hiss_error *err) {
    char why[HISS_H5_REASON];
    int64_t failed = 0;
    hiss_h5 *file = NULL;
    hiss_status status = HISS_OK;
    for (int64_t k = 0; k < p->paths.count && !status; k++) {
        status = data_h5_check_path(p->paths.path[k], err);
        data_stamp_take(p->paths.path[k], &p->at[k]);
    }
    if (status) {
        return status;
    }
    data_h5_enter();
    const data_h5_finding finding =
        data_h5_probe_files(p->paths.count, (const char *const *)p->paths.path, &failed, why);
    if (finding != HISS_H5_FINE) {
        status = data_h5_open_probed(p->paths.path[failed], finding, why, &file, err);
    }
    return data_h5_leave(status);
}

static data_files *files_of(parts *p) {
    data_files *files = hiss_new(data_files, 1);
    *files = (data_files){.parts = p, .room = INT64_MAX, .slots = MOST_OPEN, .slabs = data_h5_slabs_create()};
    files->slot = hiss_new(slot, MOST_OPEN);
    pthread_mutex_init(&files->lock, NULL);
    p->readers++;
    return files;
}

static hiss_status allow(parts *p, const data_files_options *options, hiss_error *err) {
    hiss_status status = options->follow ? data_h5_follow_beside(&p->follow, p->paths.path[0], err) : HISS_OK;
    hiss_arena *arena = hiss_arena_create();
    for (const hiss_yaml *node = options->folders ? options->folders->first : NULL; node && !status;
         node = node->next) {
        const char *folder = node->text;
        status = !folder || !*folder ? hiss_fail(err, HISS_EUSER, "each entry of the list must be a folder")
                                     : hiss_path_expand(arena, "in the list", folder, &folder, err);
        status = status ? status : data_h5_follow_allow(&p->follow, folder, err);
    }
    hiss_arena_destroy(arena);
    return status;
}

hiss_status data_files_open(const char *text, const data_files_options *options, data_files **out, bool *misfollowed,
                            hiss_error *err) {
    data_paths paths;
    hiss_status status = data_paths_find(text, options->what, options->advice, &paths, err);
    if (status) {
        return status;
    }
    parts *p = hiss_new(parts, 1);
    *p = (parts){.paths = paths, .at = hiss_new(data_stamp, paths.count)};
    pthread_mutex_init(&p->lock, NULL);
    data_files *files = files_of(p);
    hiss_h5 *first = NULL;
    status = probe_all(p, err);
    if (!status) {
        status = allow(p, options, err);
        *misfollowed = status != HISS_OK;
    }
    status = status ? status : data_files_hold(files, 0, &first, err);
    if (status) {
        data_files_close(files);
        return status;
    }
    data_files_release(files, first);
    *out = files;
    return HISS_OK;
}

data_files *data_files_again(const data_files *files) {
    return files_of(files->parts);
}

void data_files_close(data_files *files) {
    if (!files) {
        return;
    }
    for (int i = 0; i < files->slots; i++) {
        hiss_h5_close(files->slot[i].file, NULL);
    }
    for (data_joined *j = files->joined, *next; j; j = next) {
        next = j->next;
        hiss_free(j->dataset);
        hiss_free(j->first);
        hiss_free(j);
    }
    if (--files->parts->readers == 0) {
        data_paths_free(&files->parts->paths);
        data_h5_follow_free(&files->parts->follow);
        pthread_mutex_destroy(&files->parts->lock);
        hiss_free(files->parts->at);
        hiss_free(files->parts);
    }
    data_h5_slabs_destroy(files->slabs);
    pthread_mutex_destroy(&files->lock);
    hiss_free(files->slot);
    hiss_free(files);
}

const char *data_files_name(const data_files *files) {
    return files->parts->paths.name;
}

int64_t data_files_count(const data_files *files) {
    return files->parts->paths.count;
}

const char *data_files_path(const data_files *files, int64_t number) {
    return files->parts->paths.path[number];
}

/* ---- those that are open ---- */

static hiss_status open_part(data_files *files, int64_t number, hiss_h5 **out, hiss_error *err) {
    const char *path = files->parts->paths.path[number];
    const int64_t count = data_files_count(files);
    char found[HISS_H5_REASON] = "";
    pthread_mutex_lock(&files->parts->lock);
    data_stamp stamp = files->parts->at[number];
    pthread_mutex_unlock(&files->parts->lock);
    const data_change change = data_stamp_compare(&stamp, path, err);
    hiss_status status = change == DATA_CHANGED ? HISS_EUSER : data_h5_check_path(path, err);
    if (status) {
        return status;
    }
    data_h5_enter();
    const data_h5_finding finding = change == DATA_TOUCHED ? data_h5_probe(path, NULL, found) : HISS_H5_FINE;
    status = data_h5_leave(data_h5_open_probed(path, finding, found, out, err));
    if (!status) {
        data_h5_lend(*out, files->slabs, number);
        (*out)->room = files->room;
        (*out)->follow = &files->parts->follow;
        (*out)->scalars = files->apart;
        (*out)->cache_bytes = (size_t)(CACHE_BYTES / (count < MOST_OPEN ? count : MOST_OPEN));
    }
    return status;
}

/* A slot without a file; the one used longest ago gives way. NULL: all are held. */
static slot *free_slot(data_files *files) {
    slot *best = NULL;
    for (int i = 0; i < files->slots; i++) {
        slot *s = &files->slot[i];
        best = s->holders == 0 && (!best || s->used < best->used) ? s : best;
    }
    if (best && best->file) {
        hiss_h5_close(best->file, NULL);
        *best = (slot){0};
    }
    return best;
}

static slot *one_more_slot(data_files *files) {
    slot *more = hiss_new(slot, files->slots + 1);
    memcpy(more, files->slot, (size_t)files->slots * sizeof *more);
    hiss_free(files->slot);
    files->slot = more;
    return &files->slot[files->slots++];
}

hiss_status data_files_hold(data_files *files, int64_t number, hiss_h5 **out, hiss_error *err) {
    hiss_status status = HISS_OK;
    pthread_mutex_lock(&files->lock);
    slot *s = NULL;
    for (int i = 0; i < files->slots && !s; i++) {
        s = files->slot[i].file && files->slot[i].file->number == number ? &files->slot[i] : NULL;
    }
    if (!s) {
        s = free_slot(files);
        s = s ? s : one_more_slot(files);
        status = open_part(files, number, &s->file, err);
    }
    if (!status) {
        s->holders++;
        s->used = ++files->clock;
        *out = s->file;
    }
    pthread_mutex_unlock(&files->lock);
    return status;
}

void data_files_release(data_files *files, hiss_h5 *file) {
    pthread_mutex_lock(&files->lock);
    for (int i = 0; i < files->slots; i++) {
        assert(file);
        files->slot[i].holders -= files->slot[i].file == file;
    }
    pthread_mutex_unlock(&files->lock);
}

bool data_files_follow(const data_files *files, const char *path) {
    const data_h5_follow *follow = &files->parts->follow;
    char real[PATH_MAX];
    bool led = false;
    for (int64_t i = 0; realpath(path, real) && i < follow->probed && !led; i++) {
        led = strcmp(follow->file[i].path, real) == 0;
    }
    return led;
}

bool data_files_has(data_files *files, const char *dataset) {
    hiss_h5 *file;
    if (data_files_hold(files, 0, &file, NULL)) {
        return false;
    }
    const bool has = hiss_h5_has(file, dataset);
    data_files_release(files, file);
    return has;
}

void data_files_keep(data_files *files, int64_t bytes) {
    pthread_mutex_lock(&files->lock);
    files->room = bytes;
    for (int i = 0; i < files->slots; i++) {
        if (files->slot[i].file) {
            files->slot[i].file->room = bytes;
        }
    }
    data_h5_slabs_forget(files->slabs);
    pthread_mutex_unlock(&files->lock);
}

void data_files_forget(data_files *files) {
    pthread_mutex_lock(&files->lock);
    for (int i = 0; i < files->slots; i++) {
        if (files->slot[i].file && files->slot[i].holders == 0) {
            hiss_h5_close(files->slot[i].file, NULL);
            files->slot[i] = (slot){0};
        }
    }
    data_h5_slabs_forget(files->slabs);
    pthread_mutex_unlock(&files->lock);
}

/* ---- changes ---- */

hiss_status data_files_unchanged(data_files *files, const char **touched, int64_t *count, hiss_error *err) {
    parts *p = files->parts;
    data_change change = DATA_UNCHANGED;
    *count = 0;
    pthread_mutex_lock(&p->lock);
    for (int64_t k = 0; k < p->paths.count && change != DATA_CHANGED; k++) {
        change = data_stamp_compare(&p->at[k], p->paths.path[k], err);
        if (change == DATA_TOUCHED && (*count)++ == 0) {
            *touched = p->paths.path[k];
        }
    }
    pthread_mutex_unlock(&p->lock);
    if (change == DATA_CHANGED) {
        return HISS_EUSER;
    }
    data_h5_enter();
    return data_h5_leave(data_h5_follow_unchanged(&p->follow, touched, count, err));
}

void data_files_accept(data_files *files) {
    pthread_mutex_lock(&files->parts->lock);
    for (int64_t k = 0; k < files->parts->paths.count; k++) {
        data_stamp_accept(&files->parts->at[k]);
    }
    pthread_mutex_unlock(&files->parts->lock);
    data_h5_enter();
    data_h5_follow_accept(&files->parts->follow);
    data_h5_leave(HISS_OK);
}

/* A read has failed: where files have changed, that is why. */
static hiss_status explain(data_files *files, hiss_status status, hiss_error *err) {
    hiss_error change;
    const char *touched;
    int64_t count;
    if (data_files_unchanged(files, &touched, &count, &change)) {
        return hiss_fail(err, HISS_EUSER, "%s", change.text);
    }
    return count ? data_stamp_overwritten(touched, err) : status;
}

/* ---- joining ---- */

/* As a part of the whole: with a first axis that counts files, or not. */
static hiss_status as_part(const data_joined *j, const char *path, hiss_h5_info *info, hiss_error *err) {
    if (j->axis != DATA_APART) {
        return HISS_OK;
    }
    if (info->ndim == HISS_H5_NDIM) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: data set %s has %d dimensions; expected at most %d, as each file is a sample", path,
                         j->dataset, info->ndim, HISS_H5_NDIM - 1);
    }
    memmove(info->dim + 1, info->dim, sizeof *info->dim * (HISS_H5_NDIM - 1));
    info->dim[0] = 1;
    info->ndim++;
    return HISS_OK;
}

static bool agrees(const data_joined *j, const hiss_h5_info *info, hiss_dtype values) {
    const bool integers = j->any_integer && hiss_dtype_is_integer(info->dtype) &&
                          hiss_dtype_is_integer(j->info.dtype) && values != HISS_U64 && j->values != HISS_U64;
    bool same = (integers || (info->dtype == j->info.dtype && values == j->values)) && info->ndim == j->info.ndim;
    for (int i = 0; i < info->ndim && same; i++) {
        same = i == (j->axis < 0 ? 0 : j->axis) || info->dim[i] == j->info.dim[i];
    }
    return same;
}

/* What the next file adds. */
static hiss_status add_part(data_joined *j, int64_t number, const char *path, hiss_h5 *file, hiss_error *err) {
    hiss_h5_info info;
    hiss_dtype values = HISS_OTHER;
    hiss_h5_layout layout;
    char found[HISS_H5_INFO_TEXT], expected[HISS_H5_INFO_TEXT], unwritten[HISS_H5_INFO_TEXT];
    hiss_status status = hiss_h5_look(file, j->dataset, &info, err);
    status = status ? status : hiss_h5_values(file, j->dataset, &values, err);
    status = status ? status : hiss_h5_layout_of(file, j->dataset, &layout, err);
    status = status ? status : as_part(j, path, &info, err);
    if (status) {
        return status;
    }
    const int axis = j->axis < 0 || j->axis >= info.ndim ? 0 : j->axis;
    if (number == 0) {
        j->info = info;
        j->values = values;
    } else if (!agrees(j, &info, values)) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: data set %s holds %s; expected %s, but for the number of samples, as the first file, %s: "
                         "name files that are alike",
                         path, j->dataset, hiss_h5_info_text(&info, found), hiss_h5_info_text(&j->info, expected),
                         j->files->parts->paths.path[0]);
    }
    j->first[number + 1] = j->first[number] + info.dim[axis];
    if (layout.rows_at_once > j->layout.rows_at_once && j->axis != DATA_APART) {
        j->layout = layout;
    }
    if (hiss_h5_unwritten(file, j->dataset, unwritten) && j->unwritten++ == 0) {
        j->unwritten_file = number;
        memcpy(j->unwritten_text, unwritten, sizeof unwritten);
    }
    return HISS_OK;
}

hiss_status data_files_join(data_files *files, const char *dataset, int axis, bool any_integer, data_joined **out,
                            bool *misfiled, hiss_error *err) {
    const int64_t count = data_files_count(files);
    data_joined *j = hiss_new(data_joined, 1);
    *j = (data_joined){
        .files = files, .axis = axis, .any_integer = any_integer, .layout.rows_at_once = 1, .next = files->joined};
    j->dataset = strcpy(hiss_alloc(strlen(dataset) + 1), dataset);
    j->first = hiss_new(int64_t, count + 1);
    files->joined = j;
    files->apart = files->apart || axis == DATA_APART;
    hiss_status status = HISS_OK;
    for (int64_t k = 0; k < count && !status; k++) {
        hiss_h5 *file;
        status = data_files_hold(files, k, &file, err);
        if (!status) {
            file->scalars = files->apart;
            status = add_part(j, k, files->parts->paths.path[k], file, err);
            data_files_release(files, file);
        }
        *misfiled = status && k > 0;
    }
    if (!status && j->axis < j->info.ndim) {
        j->info.dim[j->axis < 0 ? 0 : j->axis] = j->first[count];
    }
    *out = j;
    return status;
}

const hiss_h5_info *data_joined_info(const data_joined *joined) {
    return &joined->info;
}

hiss_dtype data_joined_values(const data_joined *joined) {
    return joined->values;
}

hiss_h5_layout data_joined_layout(const data_joined *joined) {
    return joined->layout;
}

int64_t data_joined_first(const data_joined *joined, int64_t file) {
    return joined->first[file];
}

/* The file that has a row. */
static int64_t file_of(const data_joined *j, int64_t row) {
    int64_t low = 0, high = data_files_count(j->files) - 1;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (j->first[middle + 1] <= row) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

int64_t data_joined_run(const data_joined *joined, int64_t begin) {
    return joined->first[file_of(joined, begin) + 1] - begin;
}

const char *data_joined_place(const data_joined *joined, int64_t row, int64_t *there) {
    const int64_t file = file_of(joined, row);
    *there = row - joined->first[file];
    return joined->files->parts->paths.path[file];
}

/* ---- reading ---- */

static int64_t row_bytes(const data_joined *j, hiss_dtype dtype) {
    int64_t bytes = hiss_dtype_bytes(dtype);
    for (int i = 0; i < j->info.ndim; i++) {
        bytes *= i == (j->axis < 0 ? 0 : j->axis) ? 1 : j->info.dim[i];
    }
    return bytes;
}

hiss_status data_joined_read(data_joined *j, hiss_dtype dtype, int64_t begin, int64_t count, int64_t stride, void *out,
                             hiss_error *err) {
    const int64_t step = stride ? stride : row_bytes(j, dtype);
    const bool apart = j->axis == DATA_APART;
    assert(begin >= 0 && count >= 0 && count <= j->first[data_files_count(j->files)] - begin);
    assert(j->axis <= 0 || count <= data_joined_run(j, begin));
    uint8_t *to = out;
    hiss_status status = HISS_OK;
    for (int64_t done = 0, some; done < count && !status; done += some) {
        const int64_t file = file_of(j, begin + done), row = begin + done - j->first[file];
        const int64_t left = j->first[file + 1] - begin - done;
        hiss_h5 *h5;
        some = left < count - done ? left : count - done;
        if ((status = data_files_hold(j->files, file, &h5, err))) {
            break;
        }
        status = apart ? hiss_h5_read_rows(h5, j->dataset, dtype, 0, 0, j->info.dim[1], 0, to + done * step, err)
                       : hiss_h5_read_rows(h5, j->dataset, dtype, j->axis, row, some, stride, to + done * step, err);
        data_files_release(j->files, h5);
    }
    return status ? explain(j->files, status, err) : HISS_OK;
}

typedef struct visitor {
    hiss_h5_text_visit visit;
    void *user;
    bool more;
} visitor;

static bool visit_text(void *user, const char *text, size_t bytes) {
    visitor *v = user;
    return v->more = v->visit(v->user, text, bytes);
}

hiss_status data_joined_texts(data_joined *j, hiss_h5_text_visit visit, void *user, hiss_error *err) {
    visitor v = {visit, user, true};
    hiss_status status = HISS_OK;
    for (int64_t k = 0; k < data_files_count(j->files) && !status && v.more; k++) {
        hiss_h5 *file;
        if (!(status = data_files_hold(j->files, k, &file, err))) {
            status = hiss_h5_read_texts(file, j->dataset, visit_text, &v, err);
            data_files_release(j->files, file);
        }
    }
    return status;
}

void data_joined_warn_of_empty(const data_joined *j) {
    const int64_t files = data_files_count(j->files);
    int64_t empty = 0, first = 0;
    for (int64_t k = files - 1; k >= 0; k--) {
        const bool none = j->first[k] == j->first[k + 1];
        first = none ? k : first;
        empty += none;
    }
    if (empty > 0 && empty < files && hiss_log_rank() == 0) {
        data_warn_of_empty(data_files_path(j->files, first), empty - 1);
    }
}

void data_joined_warn(const data_joined *j) {
    char more[64] = "";
    if (j->unwritten > 1) {
        snprintf(more, sizeof more, "; and so in %lld more files", (long long)j->unwritten - 1);
    }
    if (j->unwritten > 0 && hiss_log_rank() == 0) {
        hiss_warn("%s: data set %s: %s%s", j->files->parts->paths.path[j->unwritten_file], j->dataset,
                  j->unwritten_text, more);
    }
}
