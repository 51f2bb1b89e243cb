/* Links into other files, and virtual data sets, for those who ask for them (data.follow).
 *
 * A file may name any other: so hiss, not HDF5, finds out which file is meant, and goes there only if it lies, all links
 * of the file system resolved, below a folder that is allowed. It is probed like the first file. Names are looked for as
 * HDF5 does: beside the file that has the link, as it was named and where it really is; variables that make HDF5 look
 * elsewhere have no say.
 *
 * An external link is followed step by step: the data set is opened in the file where the last one leads. The sources of a
 * virtual data set, which must hold their values themselves, are opened likewise, and its values read from them here:
 * HDF5 would open the files that it finds, and take those it cannot open for fill values.
 *
 * Cost: a probe for each new file. All sources of a virtual data set stay open; a read of rows is a read of each source that
 * has some. */
#include "h5_impl.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "hiss/alloc.h"

enum { MOST_LINKS = 16, SPARE_FILES = 128, MOST_TIMES = 1000, SHOWN = 200 };

/* ---- which files may be reached ---- */

static char *text_copy(const char *text) {
    return strcpy(hiss_alloc(strlen(text) + 1), text);
}

static void add(char ***list, int64_t *count, const char *text) {
    char **more = hiss_new(char *, *count + 1);
    for (int64_t i = 0; i < *count; i++) {
        more[i] = (*list)[i];
    }
    more[(*count)++] = text_copy(text);
    hiss_free(*list);
    *list = more;
}

/* The folder of a path, as it is named. */
static void folder_of(const char *path, char out[PATH_MAX]) {
    const char *slash = strrchr(path, '/');
    snprintf(out, PATH_MAX, "%.*s", !slash ? 1 : slash == path ? 1 : (int)(slash - path), slash ? path : ".");
}

hiss_status data_h5_follow_allow(data_h5_follow *follow, const char *folder, hiss_error *err) {
    char real[PATH_MAX];
    struct stat info;
    if (!realpath(folder, real) || stat(real, &info) || !S_ISDIR(info.st_mode)) {
        return hiss_fail(err, HISS_EUSER, "%s is no folder that can be read (%s); name one", folder,
                         strerror(errno ? errno : ENOTDIR));
    }
    follow->on = true;
    add(&follow->folder, &follow->folders, real);
    return HISS_OK;
}

hiss_status data_h5_follow_beside(data_h5_follow *follow, const char *file, hiss_error *err) {
    char folder[PATH_MAX];
    folder_of(file, folder);
    return data_h5_follow_allow(follow, folder, err);
}

void data_h5_follow_free(data_h5_follow *follow) {
    for (int64_t i = 0; i < follow->folders; i++) {
        hiss_free(follow->folder[i]);
    }
    for (int64_t i = 0; i < follow->probed; i++) {
        hiss_free(follow->file[i].path);
    }
    hiss_free(follow->folder);
    hiss_free(follow->file);
}

static bool allowed(const data_h5_follow *follow, const char *real) {
    for (int64_t i = 0; i < follow->folders; i++) {
        const size_t length = strcmp(follow->folder[i], "/") == 0 ? 0 : strlen(follow->folder[i]);
        if (strncmp(real, follow->folder[i], length) == 0 && real[length] == '/') {
            return true;
        }
    }
    return false;
}

/* The file that `name` in the file `from` means. */
static hiss_status find(const hiss_h5 *file, const char *dataset, const char *from, const char *name,
                        char real[PATH_MAX], hiss_error *err) {
    char folder[PATH_MAX], path[2 * PATH_MAX], really[PATH_MAX];
    bool found = false;
    if (*name == '/') {
        found = realpath(name, real) != NULL;
    } else if (strcmp(name, ".") == 0) {
        found = realpath(from, real) != NULL;
    }
    for (int k = 0; k < 2 && !found && *name && *name != '/'; k++) {
        if (k == 1 && !realpath(from, really)) {
            break;
        }
        folder_of(k ? really : from, folder);
        snprintf(path, sizeof path, "%s/%s", folder, name);
        found = realpath(path, real) != NULL;
    }
    if (!found) {
        return hiss_fail(
            err, HISS_EUSER,
            "%s: data set %s lies in the file %.*s, which is not there (looked beside %s); copy it there, or "
            "name another data set",
            file->path, dataset, SHOWN, name, from);
    }
    if (!allowed(file->follow, real)) {
        return hiss_fail(
            err, HISS_EUSER,
            "%s: data set %s lies in %s, which is not below %s%s; add its folder, as in data.follow: [DIR], "
            "if you trust it",
            file->path, dataset, real, file->follow->folder[0],
            file->follow->folders > 1 ? " or another folder that data.follow names" : "");
    }
    return HISS_OK;
}

/* NULL: there is none. */
static struct data_h5_probed *probed(const data_h5_follow *follow, const char *real) {
    for (int64_t i = 0; i < follow->probed; i++) {
        if (strcmp(follow->file[i].path, real) == 0) {
            return &follow->file[i];
        }
    }
    return NULL;
}

static void remember(data_h5_follow *follow, const char *real, const data_stamp *stamp) {
    struct data_h5_probed *more = hiss_new(struct data_h5_probed, follow->probed + 1);
    for (int64_t i = 0; i < follow->probed; i++) {
        more[i] = follow->file[i];
    }
    more[follow->probed++] = (struct data_h5_probed){text_copy(real), *stamp};
    hiss_free(follow->file);
    follow->file = more;
}

/* Whether a file must be probed: it is new, or may have been written since. */
static hiss_status needs_probe(const data_h5_follow *follow, const char *real, bool *needs, hiss_error *err) {
    const struct data_h5_probed *before = probed(follow, real);
    data_stamp stamp = before ? before->stamp : (data_stamp){0};
    const data_change change = before ? data_stamp_compare(&stamp, real, err) : DATA_TOUCHED;
    *needs = change == DATA_TOUCHED;
    return change == DATA_CHANGED ? HISS_EUSER : HISS_OK;
}

/* Probe those that are not. */
static hiss_status probe_new(data_h5_follow *follow, int64_t count, char **real, hiss_error *err) {
    const char **new = hiss_new(const char *, count);
    data_stamp *stamp = hiss_new(data_stamp, count);
    int64_t fresh = 0, failed = 0;
    char why[HISS_H5_REASON];
    hiss_h5 *none = NULL;
    hiss_status status = HISS_OK;
    for (int64_t i = 0; i < count && !status; i++) {
        bool needs;
        status = needs_probe(follow, real[i], &needs, err);
        if (!status && needs && (fresh == 0 || strcmp(new[fresh - 1], real[i]) != 0)) {
            new[fresh++] = real[i];
        }
    }
    for (int64_t i = 0; i < fresh && !status; i++) {
        status = data_h5_check_path(new[i], err);
        data_stamp_take(new[i], &stamp[i]);
    }
    const data_h5_finding finding = status ? HISS_H5_FINE : data_h5_probe_files(fresh, new, &failed, why);
    if (finding != HISS_H5_FINE) {
        status = data_h5_open_probed(new[failed], finding, why, &none, err);
    }
    for (int64_t i = 0; i < fresh && !status; i++) {
        if (!probed(follow, new[i])) {
            remember(follow, new[i], &stamp[i]);
        }
    }
    hiss_free(stamp);
    hiss_free(new);
    return status;
}

hiss_status data_h5_follow_unchanged(data_h5_follow *follow, const char **touched, int64_t *count, hiss_error *err) {
    data_change change = DATA_UNCHANGED;
    for (int64_t i = 0; i < follow->probed && change != DATA_CHANGED; i++) {
        change = data_stamp_compare(&follow->file[i].stamp, follow->file[i].path, err);
        if (change == DATA_TOUCHED && (*count)++ == 0) {
            *touched = follow->file[i].path;
        }
    }
    return change == DATA_CHANGED ? HISS_EUSER : HISS_OK;
}

void data_h5_follow_accept(data_h5_follow *follow) {
    for (int64_t i = 0; i < follow->probed; i++) {
        data_stamp_accept(&follow->file[i].stamp);
    }
}

/* ---- links ---- */

/* Where a data set is, once all links are followed. */
typedef struct place {
    hid_t file; /* H5Fclose it */
    char path[PATH_MAX], name[DATA_H5_PATH];
} place;

static hiss_status open_place(const hiss_h5 *file, const char *path, place *at, hiss_error *err) {
    char why[HISS_H5_REASON];
    at->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    snprintf(at->path, sizeof at->path, "%s", path);
    return at->file >= 0 ? HISS_OK
                         : hiss_fail(err, HISS_EUSER, "%s: HDF5 cannot open it, where %s leads: %s", path, file->path,
                                     data_h5_reason(why));
}

/* Follow the external links on the way to at->name. */
static hiss_status follow_links(const hiss_h5 *file, const char *dataset, place *at, hiss_error *err) {
    char where[DATA_H5_PATH], object[DATA_H5_PATH], real[PATH_MAX];
    char *one = real;
    hiss_status status = HISS_OK;
    for (int links = 0; !status && data_h5_outside(at->file, at->name, where, object); links++) {
        if (links == MOST_LINKS) {
            return hiss_fail(err, HISS_EUSER, "%s: data set %s leads through more than %d files, perhaps in a circle",
                             file->path, dataset, MOST_LINKS);
        }
        status = find(file, dataset, at->path, where, real, err);
        status = status ? status : probe_new(file->follow, 1, &one, err);
        if (!status) {
            H5Fclose(at->file);
            at->file = -1;
            strcpy(at->name, object);
            status = open_place(file, real, at, err);
        }
    }
    return status;
}

static hid_t open_at(const place *at, const hid_t access, hiss_error *err) {
    char why[HISS_H5_REASON];
    const hid_t id = H5Dopen2(at->file, at->name, access);
    if (id < 0) {
        data_h5_reason(why);
        hiss_h5 there = {.path = (char *)at->path, .file = at->file, .dataset = -1};
        data_h5_missing(&there, at->name, why, err);
    }
    return id;
}

/* ---- virtual data sets ---- */

bool data_h5_is_virtual(hid_t dataset) {
    const hid_t create = H5Dget_create_plist(dataset);
    const bool is = create >= 0 && H5Pget_layout(create) == H5D_VIRTUAL;
    H5Pclose(create);
    return is;
}

static bool grows(hid_t space) {
    const hssize_t points = H5Sget_select_npoints(space);
    return points < 0 || (hsize_t)points == H5S_UNLIMITED;
}

/* Whether a source has what is selected of it; *selected becomes a selection of the source. In the file a selection has no
 * extent: HDF5 gives it one that just holds it, and reads at other places through that. All of it is without any. */
static bool covers(hid_t source, hid_t whole, hid_t *selected) {
    const hid_t space = H5Dget_space(source), wanted = *selected;
    if (H5Sget_select_type(wanted) == H5S_SEL_ALL) {
        H5Sclose(wanted);
        *selected = space;
        return H5Sget_select_npoints(space) == H5Sget_select_npoints(whole);
    }
    hsize_t has[H5S_MAX_RANK] = {0}, low[H5S_MAX_RANK], high[H5S_MAX_RANK];
    const int ndim = H5Sget_simple_extent_dims(space, has, NULL);
    bool fits = ndim > 0 && ndim == H5Sget_simple_extent_ndims(wanted) && H5Sget_select_bounds(wanted, low, high) >= 0;
    for (int i = 0; i < ndim && fits; i++) {
        fits = high[i] < has[i];
    }
    fits = fits && H5Sselect_copy(space, wanted) >= 0;
    H5Sclose(fits ? wanted : space);
    *selected = fits ? space : wanted;
    return fits;
}

/* A source: its values are parts of the whole. */
typedef struct mapping {
    char *file, *name;
    hid_t source;      /* data set */
    hid_t whole, part; /* selections of the virtual data set, of the source */
    hsize_t low, high; /* first and last row of whole */
} mapping;

struct data_h5_virtual {
    int64_t count;
    mapping *at;
    hid_t type; /* of fill */
    uint8_t fill[sizeof(double)];
};

static char *name_at(hid_t create, size_t i, ssize_t (*get)(hid_t, size_t, char *, size_t)) {
    const ssize_t length = get(create, i, NULL, 0);
    char *name = hiss_alloc((size_t)(length > 0 ? length : 0) + 1);
    name[0] = 0;
    get(create, i, name, (size_t)(length > 0 ? length : 0) + 1);
    return name;
}

/* Open a source, wherever links lead. */
static hiss_status open_source(const hiss_h5 *file, const char *dataset, size_t cache_bytes, mapping *m,
                               hiss_error *err) {
    enum { SLOTS = 521 };
    hsize_t low[H5S_MAX_RANK], high[H5S_MAX_RANK];
    char why[HISS_H5_REASON];
    place at = {.file = -1};
    hiss_status status = open_place(file, m->file, &at, err);
    snprintf(at.name, sizeof at.name, "%s", m->name);
    status = status ? status : follow_links(file, dataset, &at, err);
    const hid_t access = data_h5_inside_only();
    H5Pset_chunk_cache(access, SLOTS, cache_bytes, 0.75);
    const hid_t source = m->source = status ? -1 : open_at(&at, access, err);
    status = status || source >= 0 ? status : HISS_EUSER;
    if (!status && (data_h5_refuses(source, why, sizeof why) || data_h5_lacks_filter(source, false, why, sizeof why))) {
        status = hiss_fail(err, HISS_EUSER, "%s: data set %s, where a part of %s of %s is, is not read: %s", at.path,
                           at.name, dataset, file->path, why);
    }
    if (!status && !covers(source, m->whole, &m->part)) {
        status =
            hiss_fail(err, HISS_EUSER,
                      "%s: data set %s does not have the values that data set %s of %s takes from it; write both anew",
                      at.path, at.name, dataset, file->path);
    }
    if (!status && H5Sget_select_bounds(m->whole, low, high) >= 0) {
        m->low = low[0];
        m->high = high[0];
    }
    H5Pclose(access);
    if (at.file >= 0) {
        H5Fclose(at.file);
    }
    return status;
}

/* HDF5 keeps them all open. */
static hiss_status expect_room(const hiss_h5 *file, const char *dataset, size_t sources, hiss_error *err) {
    struct rlimit most;
    if (getrlimit(RLIMIT_NOFILE, &most) || most.rlim_cur == RLIM_INFINITY || sources + SPARE_FILES <= most.rlim_cur) {
        return HISS_OK;
    }
    return hiss_fail(
        err, HISS_EUSER,
        "%s: data set %s lies in %zu parts, and a process may have %llu files open; raise that (ulimit -n), "
        "or name the files themselves in data.file",
        file->path, dataset, sources, (unsigned long long)most.rlim_cur);
}

static hiss_status open_sources(const hiss_h5 *file, const char *dataset, const char *from, hid_t create,
                                data_h5_virtual *v, hiss_error *err) {
    char real[PATH_MAX];
    char **path = hiss_new(char *, v->count);
    hiss_status status = expect_room(file, dataset, (size_t)v->count, err);
    for (int64_t i = 0; i < v->count && !status; i++) {
        mapping *m = &v->at[i];
        const size_t number = (size_t)i;
        m->file = name_at(create, number, H5Pget_virtual_filename);
        m->name = name_at(create, number, H5Pget_virtual_dsetname);
        m->whole = H5Pget_virtual_vspace(create, number);
        m->part = H5Pget_virtual_srcspace(create, number);
        if (strchr(m->file, '%') || strchr(m->name, '%') || grows(m->whole) || grows(m->part)) {
            status =
                hiss_fail(err, HISS_EUSER,
                          "%s: data set %s is virtual and grows with its sources, or finds them by a pattern (%%b), "
                          "which is not read; name the files themselves in data.file",
                          file->path, dataset);
        } else if (!(status = find(file, dataset, from, m->file, real, err))) {
            hiss_free(m->file);
            path[i] = m->file = text_copy(real);
        }
    }
    status = status ? status : probe_new(file->follow, v->count, path, err);
    for (int64_t i = 0; i < v->count && !status; i++) {
        status = open_source(file, dataset, file->cache_bytes / (size_t)v->count, &v->at[i], err);
    }
    hiss_free(path);
    return status;
}

static void get_fill(hid_t create, data_h5_virtual *v) {
    H5D_fill_value_t defined = H5D_FILL_VALUE_UNDEFINED;
    if (H5Pfill_value_defined(create, &defined) < 0 || defined == H5D_FILL_VALUE_UNDEFINED ||
        H5Pget_fill_value(create, v->type, v->fill) < 0) {
        memset(v->fill, 0, sizeof v->fill);
    }
}

/* Sources of the virtual data set `id`. */
static hiss_status open_virtual(hiss_h5 *file, const char *dataset, const char *from, hid_t id, hiss_error *err) {
    size_t count = 0;
    double mapped, values;
    const hid_t create = H5Dget_create_plist(id), type = H5Dget_type(id);
    const H5T_class_t class = H5Tget_class(type);
    const bool number = class == H5T_INTEGER || class == H5T_FLOAT || class == H5T_ENUM;
    hiss_status status = HISS_OK;
    H5Pget_virtual_count(create, &count);
    data_h5_virtual_count(id, &mapped, &values);
    if (!number || H5Tget_size(type) > sizeof(double)) {
        status = hiss_fail(err, HISS_EUSER,
                           "%s: data set %s is virtual and holds no numbers, which is not read; copy it where it is "
                           "complete: h5repack -l CONTI OLD NEW",
                           file->path, dataset);
    } else if (values > MOST_TIMES * mapped) {
        status = hiss_fail(err, HISS_EUSER, "%s: data set %s is virtual, and %.0f of its %.0f values lie in no file",
                           file->path, dataset, values - mapped, values);
    }
    data_h5_virtual *v = file->virtual = hiss_new(data_h5_virtual, 1);
    *v = (data_h5_virtual){.count = (int64_t)count, .at = hiss_new(mapping, (int64_t)count + 1), .type = type};
    for (int64_t i = 0; i < v->count; i++) {
        v->at[i] = (mapping){.source = -1, .whole = -1, .part = -1};
    }
    status = status ? status : open_sources(file, dataset, from, create, v, err);
    if (!status) {
        get_fill(create, v);
    }
    H5Pclose(create);
    return status;
}

void data_h5_virtual_close(data_h5_virtual *v) {
    for (int64_t i = 0; v && i < v->count; i++) {
        mapping *m = &v->at[i];
        hiss_free(m->file);
        hiss_free(m->name);
        for (int k = 0; k < 2; k++) {
            const hid_t space = k ? m->whole : m->part;
            if (space >= 0) {
                H5Sclose(space);
            }
        }
        if (m->source >= 0) {
            H5Dclose(m->source);
        }
    }
    if (v) {
        H5Tclose(v->type);
        hiss_free(v->at);
        hiss_free(v);
    }
}

bool data_h5_virtual_attribute(const data_h5_virtual *v, const char *name) {
    bool has = false;
    for (int64_t i = 0; i < v->count && !has; i++) {
        has = H5Aexists(v->at[i].source, name) > 0;
    }
    return has;
}

herr_t data_h5_virtual_read(const data_h5_virtual *v, hid_t type, hid_t here, hid_t there, void *out) {
    hsize_t low[H5S_MAX_RANK], high[H5S_MAX_RANK];
    herr_t status = H5Sget_select_bounds(there, low, high);
    status = status < 0 ? status : H5Dfill(v->fill, v->type, out, type, here);
    for (int64_t i = 0; i < v->count && status >= 0; i++) {
        const mapping *m = &v->at[i];
        if (m->high < low[0] || m->low > high[0]) {
            continue;
        }
        const hid_t from = H5Sselect_project_intersection(m->whole, m->part, there);
        const hid_t to = H5Sselect_project_intersection(there, here, m->whole);
        status = from < 0 || to < 0                ? -1
                 : H5Sget_select_npoints(from) > 0 ? H5Dread(m->source, type, to, from, H5P_DEFAULT, out)
                                                   : 0;
        const hid_t reason = status < 0 ? H5Eget_current_stack() : -1; /* any other call would forget it */
        H5Sclose(from);
        H5Sclose(to);
        if (reason >= 0) {
            H5Eset_current_stack(reason);
        }
    }
    return status;
}

hiss_status data_h5_open_followed(hiss_h5 *file, const char *dataset, hid_t access, hid_t *out, hiss_error *err) {
    place at = {.file = H5Freopen(file->file)};
    snprintf(at.path, sizeof at.path, "%s", file->path);
    snprintf(at.name, sizeof at.name, "%s", dataset);
    hiss_status status = follow_links(file, dataset, &at, err);
    *out = -1;
    if (!status) {
        *out = open_at(&at, access, err);
        status = *out < 0 ? HISS_EUSER : HISS_OK;
    }
    if (!status && data_h5_is_virtual(*out)) {
        status = open_virtual(file, dataset, at.path, *out, err);
    } else if (!status) {
        file->there = text_copy(at.path);
        file->there_name = text_copy(at.name);
    }
    if (at.file >= 0) {
        H5Fclose(at.file);
    }
    return status;
}
