/* Checkpoints as images and files.
 *
 * The HDF5 file is made once, in memory, when the run starts: every data set gets its place then, and the bytes are
 * copied out. From then on taking a checkpoint is copying values to their places, and writing it is hashing and writing
 * bytes: the HDF5 library, which all threads share behind one lock, is not needed, and its failures on a full disk
 * cannot happen. */
#include "hiss/snapshot.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hiss/alloc.h"
#include "hiss/fault.h"
#include "hiss/file.h"
#include "hiss/hash.h"
#include "hiss/log.h"

enum { PATH_TEXT = 4096, PIECE = 1 << 17, HEX = HISS_HASH_TEXT - 1 };
static const char mark[] = "hiss checkpoint 3 sha256 ", name_of_all[] = "hiss checkpoint ";

_Static_assert(sizeof mark - 1 + HEX + 1 == HISS_SNAPSHOT_FOOTER, "the footer is mark, checksum, newline");

typedef struct part {
    char name[HISS_SNAPSHOT_NAME];
    hiss_h5_info info;
    int64_t bytes, place, sum_place;
} part;

typedef struct attribute {
    char name[32];
    char *text;
} attribute;

struct hiss_snapshot {
    part *parts;
    int nparts, room;
    attribute texts[12];
    int ntexts;
    unsigned char *image;
    int64_t size; /* without the footer */
};

static int64_t row_bytes(const hiss_h5_info *info) {
    static const int64_t sizes[] = {[HISS_U8] = 1, [HISS_I16] = 2, [HISS_I32] = 4, [HISS_I64] = 8, [HISS_F32] = 4};
    int64_t bytes = sizes[info->dtype];
    for (int k = 1; k < info->ndim; k++) {
        bytes *= info->dim[k];
    }
    return bytes;
}

static void sum_name(const char *name, char out[HISS_SNAPSHOT_NAME + 8]) {
    snprintf(out, HISS_SNAPSHOT_NAME + 8, "/sha256%s", name);
}

/* ---- in memory ---- */

hiss_snapshot *hiss_snapshot_create(void) {
    return hiss_new(hiss_snapshot, 1);
}

void hiss_snapshot_destroy(hiss_snapshot *s) {
    if (s) {
        for (int k = 0; k < s->ntexts; k++) {
            hiss_free(s->texts[k].text);
        }
        hiss_free(s->parts);
        hiss_free(s->image);
        hiss_free(s);
    }
}

void hiss_snapshot_add(hiss_snapshot *s, const char *name, const hiss_h5_info *info) {
    if (s->nparts == s->room) {
        s->room = s->room ? 2 * s->room : 32;
        part *more = hiss_new(part, s->room);
        if (s->nparts) {
            memcpy(more, s->parts, sizeof(part) * (size_t)s->nparts);
        }
        hiss_free(s->parts);
        s->parts = more;
    }
    part *p = &s->parts[s->nparts++];
    *p = (part){.info = *info, .bytes = row_bytes(info) * info->dim[0]};
    snprintf(p->name, sizeof p->name, "%s", name);
}

void hiss_snapshot_text(hiss_snapshot *s, const char *name, const char *text) {
    assert(s->ntexts < HISS_COUNT(s->texts));
    attribute *a = &s->texts[s->ntexts++];
    snprintf(a->name, sizeof a->name, "%s", name);
    a->text = strcpy(hiss_alloc(strlen(text) + 1), text);
}

static hiss_status place(hiss_h5 *file, const char *name, const hiss_h5_info *info, int64_t *out, hiss_error *err) {
    hiss_status s = hiss_h5_define(file, name, info, 0, 0, err);
    return s == HISS_OK ? hiss_h5_place(file, name, out, err) : s;
}

hiss_status hiss_snapshot_layout(hiss_snapshot *s, hiss_error *err) {
    const hiss_h5_info sum = {.dtype = HISS_U8, .ndim = 1, .dim = {HEX}};
    hiss_h5 *file = NULL;
    hiss_status status = hiss_h5_create_image("checkpoint", &file, err);
    for (int k = 0; k < s->ntexts && status == HISS_OK; k++) {
        status = hiss_h5_set_text(file, "/", s->texts[k].name, s->texts[k].text, err);
    }
    for (int k = 0; k < s->nparts && status == HISS_OK; k++) {
        char name[HISS_SNAPSHOT_NAME + 8];
        part *p = &s->parts[k];
        sum_name(p->name, name);
        status = place(file, p->name, &p->info, &p->place, err);
        status = status == HISS_OK ? place(file, name, &sum, &p->sum_place, err) : status;
    }
    if (status == HISS_OK) {
        s->size = hiss_h5_image(file, NULL, 0);
        s->image = hiss_alloc((size_t)(s->size > 0 ? s->size : 0) + HISS_SNAPSHOT_FOOTER + 1);
        if (s->size <= 0 || hiss_h5_image(file, s->image, s->size) != s->size) {
            status = hiss_fail(err, HISS_EINTERNAL, "HDF5 gives no image of a checkpoint");
        }
    }
    const hiss_status closed = hiss_h5_close(file, status == HISS_OK ? err : NULL);
    return status == HISS_OK ? closed : status;
}

void *hiss_snapshot_at(hiss_snapshot *s, int index) {
    return s->image + s->parts[index].place;
}

int64_t hiss_snapshot_bytes(const hiss_snapshot *s) {
    return s->size + HISS_SNAPSHOT_FOOTER;
}

static void sum_of(const void *bytes, int64_t count, char text[HISS_HASH_TEXT]) {
    hiss_hash *hash = hiss_hash_begin();
    hiss_hash_add(hash, bytes, (size_t)count);
    hiss_hash_end(hash, text);
}

hiss_status hiss_snapshot_write(hiss_snapshot *s, const char *path, hiss_error *err) {
    char text[HISS_HASH_TEXT];
    for (int k = 0; k < s->nparts; k++) {
        const part *p = &s->parts[k];
        sum_of(s->image + p->place, p->bytes, text);
        memcpy(s->image + p->sum_place, text, HEX);
    }
    sum_of(s->image, s->size, text);
    snprintf((char *)s->image + s->size, HISS_SNAPSHOT_FOOTER + 1, "%s%s\n", mark, text);
    return hiss_file_write_verified(path, s->image, (size_t)hiss_snapshot_bytes(s), err);
}

/* ---- one file ---- */

static hiss_status unreadable(const char *path, hiss_error *err) {
    return hiss_fail(err, HISS_ESYSTEM, "%s: cannot be read: %s", path, strerror(errno));
}

static hiss_status verify_stream(FILE *in, const char *path, hiss_error *err) {
    unsigned char *piece = hiss_alloc(PIECE);
    char footer[HISS_SNAPSHOT_FOOTER + 1] = "", text[HISS_HASH_TEXT], expected[HISS_SNAPSHOT_FOOTER + 1];
    const int64_t size = fseeko(in, 0, SEEK_END) == 0 ? (int64_t)ftello(in) - HISS_SNAPSHOT_FOOTER : -1;
    hiss_hash *hash = hiss_hash_begin();
    rewind(in);
    int64_t left = size;
    for (size_t got = 1; left > 0 && got > 0; left -= (int64_t)got) {
        got = fread(piece, 1, left < PIECE ? (size_t)left : PIECE, in);
        hiss_hash_add(hash, piece, got);
    }
    hiss_hash_end(hash, text);
    const bool whole = left == 0 && size >= 0 && fread(footer, 1, HISS_SNAPSHOT_FOOTER, in) == HISS_SNAPSHOT_FOOTER;
    hiss_free(piece);
    if (hiss_fault("checkpoint.read") || ferror(in)) {
        return unreadable(path, err);
    }
    const size_t named = sizeof name_of_all - 1;
    if (whole && memcmp(footer, name_of_all, named) == 0 && footer[named] != mark[named]) {
        return hiss_fail(
            err, HISS_ESYSTEM,
            "%s: a checkpoint of format %.1s, and this hiss knows format %.1s only; go on with the hiss that "
            "wrote it, or start a new run directory",
            path, footer + named, mark + named);
    }
    if (!whole || memcmp(footer, mark, sizeof mark - 1) != 0) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: no checkpoint, or not all of one: it does not end with '%s...'; use another checkpoint",
                         path, mark);
    }
    snprintf(expected, sizeof expected, "%s%s\n", mark, text);
    if (memcmp(footer, expected, HISS_SNAPSHOT_FOOTER) != 0) {
        return hiss_fail(err, HISS_EUSER, "%s: damaged: its bytes do not match their checksum; use another checkpoint",
                         path);
    }
    return HISS_OK;
}

hiss_status hiss_snapshot_verify(const char *path, hiss_error *err) {
    FILE *in = hiss_fault("checkpoint.open") ? NULL : fopen(path, "re");
    struct stat what;
    if (!in || fstat(fileno(in), &what) != 0) {
        const hiss_status s = unreadable(path, err);
        if (in) {
            fclose(in);
        }
        return s;
    }
    const hiss_status s = S_ISDIR(what.st_mode)
                              ? hiss_fail(err, HISS_EUSER, "%s: is a folder; expected a checkpoint", path)
                              : verify_stream(in, path, err);
    fclose(in);
    return s;
}

hiss_status hiss_snapshot_sum(const char *path, char text[HISS_HASH_TEXT], hiss_error *err) {
    char footer[HISS_SNAPSHOT_FOOTER];
    FILE *in = fopen(path, "re");
    const bool whole =
        in && fseeko(in, -HISS_SNAPSHOT_FOOTER, SEEK_END) == 0 && fread(footer, sizeof footer, 1, in) == 1;
    const hiss_status s = whole ? HISS_OK : unreadable(path, err);
    snprintf(text, HISS_HASH_TEXT, "%.*s", whole ? (int)HEX : 0, footer + sizeof mark - 1);
    if (in) {
        fclose(in);
    }
    return s;
}

hiss_status hiss_snapshot_expect(hiss_h5 *file, const char *path, const char *name, hiss_dtype dtype, int64_t count,
                                 hiss_error *err) {
    hiss_h5_info info;
    const hiss_status s = hiss_h5_look(file, name, &info, err);
    if (s == HISS_OK && (info.dtype != dtype || info.ndim != 1 || info.dim[0] != count)) {
        char found[HISS_H5_INFO_TEXT];
        return hiss_fail(err, HISS_EUSER, "%s: data set %s holds %s; expected %s [%" PRId64 "]", path, name,
                         hiss_h5_info_text(&info, found), hiss_dtype_name(dtype), count);
    }
    return s;
}

hiss_status hiss_snapshot_read(hiss_h5 *file, const char *path, const char *name, hiss_dtype dtype, int64_t begin,
                               int64_t count, void *out, hiss_error *err) {
    char sum[HISS_SNAPSHOT_NAME + 8], expected[HISS_HASH_TEXT] = "", found[HISS_HASH_TEXT];
    hiss_h5_info info;
    sum_name(name, sum);
    hiss_status s = hiss_snapshot_expect(file, path, sum, HISS_U8, HEX, err);
    s = s == HISS_OK ? hiss_h5_read(file, sum, HISS_U8, 0, HEX, expected, err) : s;
    s = s == HISS_OK ? hiss_h5_look(file, name, &info, err) : s;
    if (s != HISS_OK) {
        return s;
    }
    if (info.dtype != dtype) {
        return hiss_fail(err, HISS_EUSER, "%s: data set %s holds %s; expected %s", path, name,
                         hiss_dtype_name(info.dtype), hiss_dtype_name(dtype));
    }
    const int64_t row = row_bytes(&info), step = row < PIECE ? PIECE / row : 1;
    char *rows = hiss_alloc((size_t)(step * row));
    hiss_hash *hash = hiss_hash_begin();
    for (int64_t at = 0; at < info.dim[0] && s == HISS_OK; at += step) {
        const int64_t end = info.dim[0] - at < step ? info.dim[0] : at + step;
        const int64_t from = begin > at ? begin : at, to = begin + count < end ? begin + count : end;
        s = hiss_h5_read(file, name, dtype, at, end - at, rows, err);
        hiss_hash_add(hash, rows, s == HISS_OK ? (size_t)((end - at) * row) : 0);
        if (s == HISS_OK && from < to) {
            memcpy((char *)out + (from - begin) * row, rows + (from - at) * row, (size_t)((to - from) * row));
        }
    }
    hiss_hash_end(hash, found);
    hiss_free(rows);
    if (s == HISS_OK && strcmp(expected, found) != 0) {
        s = hiss_fail(err, HISS_EUSER, "%s: damaged: data set %s does not match its checksum; use another checkpoint",
                      path, name);
    }
    return s;
}

/* ---- RUN/ckpt ---- */

void hiss_snapshot_path(const char *run, int64_t step, char *out, size_t size) {
    snprintf(out, size, "%s/ckpt/step-%" PRId64 ".h5", run, step);
}

static int newest_first(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

int hiss_snapshot_list(const char *run, int64_t **steps) {
    char folder[PATH_TEXT];
    snprintf(folder, sizeof folder, "%s/ckpt", run);
    errno = 0;
    DIR *dir = hiss_fault("checkpoint.list") ? NULL : opendir(folder);
    int n = 0, room = 0;
    *steps = NULL;
    if (!dir) {
        return errno == ENOENT ? 0 : -1;
    }
    for (struct dirent *e; (e = readdir(dir));) {
        int64_t step = 0;
        int length = 0;
        if (sscanf(e->d_name, "step-%" SCNd64 ".h5%n", &step, &length) != 1 || length == 0 || e->d_name[length]) {
            continue;
        }
        if (n == room) {
            room = room ? 2 * room : 32;
            int64_t *more = hiss_new(int64_t, room);
            if (n) {
                memcpy(more, *steps, sizeof(int64_t) * (size_t)n);
            }
            hiss_free(*steps);
            *steps = more;
        }
        (*steps)[n++] = step;
    }
    closedir(dir);
    if (n) {
        qsort(*steps, (size_t)n, sizeof **steps, newest_first);
    }
    return n;
}

void hiss_snapshot_newest(const char *run, bool set_aside, char *path, size_t size, int *rejected) {
    int64_t *steps;
    const int n = hiss_snapshot_list(run, &steps);
    *path = 0;
    *rejected = n < 0 ? -1 : 0;
    for (int k = 0; k < n && !*path; k++) {
        hiss_error why = {0};
        hiss_snapshot_path(run, steps[k], path, size);
        const hiss_status s = hiss_snapshot_verify(path, &why);
        if (s != HISS_OK) {
            char broken[PATH_TEXT + 16];
            snprintf(broken, sizeof broken, "%s.broken", path);
            const bool moved = set_aside && s == HISS_EUSER && rename(path, broken) == 0;
            hiss_warn("passing over a checkpoint: %s%s", why.text, moved ? " (renamed to .broken)" : "");
            ++*rejected;
            *path = 0;
        }
    }
    hiss_free(steps);
}

/* all: whatever process the name names. */
static void sweep(const char *folder, bool all) {
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        const long owner = hiss_file_temporary_owner(e->d_name);
        const bool gone = owner > 0 && hiss_file_owner_gone(owner);
        if (gone || (all && owner > 0)) {
            char path[PATH_TEXT + 300];
            snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
            if (unlink(path) == 0) {
                hiss_info("removed %s, which an earlier process left unfinished", path);
            }
        }
    }
    if (dir) {
        closedir(dir);
    }
}

void hiss_snapshot_sweep(const char *run) {
    char folder[PATH_TEXT];
    snprintf(folder, sizeof folder, "%s/ckpt", run);
    sweep(run, false); /* hiss eval writes there without the lock */
    sweep(folder, true);
}
