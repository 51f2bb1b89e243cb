/* Features as a file: HDF5, npy or csv. It is written row by row under a temporary name; what is written is hashed, and read
 * back before the file gets its name, since nobody can see from features that some of them are wrong. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"
#include "hiss/fault.h"
#include "hiss/file.h"
#include "hiss/hash.h"

enum { PATH_TEXT = PATH_MAX + 32, NAME_TEXT = 128, PIECE = 1 << 20, NUMBER_TEXT = 24 };

typedef enum format { FORMAT_H5, FORMAT_NPY, FORMAT_CSV } format;

struct feature_file {
    const hiss_feature_output *output;
    const hiss_layer_size *layer;
    int layers;
    hiss_dataset *set;
    int64_t n, K;
    format format;
    char temporary[PATH_TEXT];
    int32_t *label; /* [n], or NULL */
    hiss_h5 *h5;
    FILE *stream;     /* npy, csv */
    hiss_hash **hash; /* [layers] of what was written: of the values, or of all bytes */
};

static const struct {
    const char *ending;
    format format;
} endings[] = {{".h5", FORMAT_H5}, {".hdf5", FORMAT_H5}, {".npy", FORMAT_NPY}, {".csv", FORMAT_CSV}};

/* -1: it is none that is known. */
static int format_of(const char *path) {
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    for (int k = 0; dot && k < HISS_COUNT(endings); k++) {
        if (strcmp(dot, endings[k].ending) == 0) {
            return (int)endings[k].format;
        }
    }
    return -1;
}

hiss_status hiss_feature_output_expect(const char *path, int layers, hiss_error *err) {
    const int found = format_of(path);
    if (strlen(path) >= PATH_MAX) {
        return hiss_fail(err, HISS_EUSER, "'%.100s...' is too long a name; choose a shorter one", path);
    }
    if (found < 0) {
        return hiss_fail(err, HISS_EUSER,
                         "'%s' ends with none of .h5, .hdf5, .npy, .csv, which say the format; choose one of them",
                         path);
    }
    return found == FORMAT_H5 || layers <= 1
               ? HISS_OK
               : hiss_fail(err, HISS_EUSER,
                           "'%s' can hold one layer, not %d; name one, or write a file that ends with .h5", path,
                           layers);
}

/* ---- writing ---- */

static hiss_status cannot_write(const feature_file *f, int why, hiss_error *err) {
    return hiss_fail(err, HISS_ESYSTEM, "cannot write '%s': write of '%s': %s; %s", f->output->path, f->temporary,
                     strerror(why), hiss_file_remedy(why));
}

static hiss_status put(feature_file *f, const void *bytes, size_t count, hiss_error *err) {
    errno = 0;
    if (hiss_fault("file.write") || fwrite(bytes, 1, count, f->stream) != count) {
        return cannot_write(f, errno ? errno : EIO, err);
    }
    hiss_hash_add(f->hash[0], bytes, count);
    return HISS_OK;
}

static void name_of(const feature_file *f, int layer, char out[NAME_TEXT]) {
    snprintf(out, NAME_TEXT, "/%s", f->layer[layer].name);
}

static hiss_status define(feature_file *f, hiss_error *err) {
    const hiss_h5_info labels = {HISS_I32, 1, {f->n}}, targets = {HISS_U8, 2, {f->n, f->K}};
    hiss_status s = HISS_OK;
    for (int l = 0; l < f->layers && s == HISS_OK; l++) {
        const hiss_h5_info info = {HISS_F32, 2, {f->n, f->layer[l].D}};
        char name[NAME_TEXT];
        name_of(f, l, name);
        s = strcmp(name, "/labels") == 0 || strcmp(name, "/targets") == 0
                ? hiss_fail(
                      err, HISS_EUSER,
                      "layer %s is called as what else is in the file; write it to one that ends with .npy or .csv",
                      f->layer[l].name)
                : hiss_h5_define(f->h5, name, &info, 0, 0, err);
    }
    s = s == HISS_OK && f->label ? hiss_h5_define(f->h5, "/labels", &labels, 0, 0, err) : s;
    return s == HISS_OK && f->K ? hiss_h5_define(f->h5, "/targets", &targets, 0, 0, err) : s;
}

/* The header is filled up with blanks to a multiple of 64 bytes, so that the numbers can be mapped into memory. */
static hiss_status begin_npy(feature_file *f, hiss_error *err) {
    char head[256];
    const char order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? '<' : '>';
    const size_t magic = 10; /* with the length of what follows */
    const int length = snprintf(head + magic, sizeof head - magic,
                                "{'descr': '%cf4', 'fortran_order': False, 'shape': (%lld, %lld), }", order,
                                (long long)f->n, (long long)f->layer[0].D);
    const size_t whole = (magic + (size_t)length + 1 + 63) / 64 * 64;
    memset(head + magic + length, ' ', whole - magic - (size_t)length - 1);
    head[whole - 1] = '\n';
    memcpy(head, "\x93NUMPY\x01\x00", 8);
    head[8] = (char)((whole - magic) & 0xff);
    head[9] = (char)((whole - magic) >> 8);
    return put(f, head, whole, err);
}

static hiss_status begin_csv(feature_file *f, hiss_error *err) {
    hiss_status s = HISS_OK;
    for (int64_t d = 0; d < f->layer[0].D && s == HISS_OK; d++) {
        char name[NAME_TEXT];
        const int length = snprintf(name, sizeof name, "%s%s_%lld", d ? "," : "", f->layer[0].name, (long long)d);
        s = put(f, name, (size_t)length, err);
    }
    const char *end = f->label ? ",label\n" : "\n";
    return s == HISS_OK ? put(f, end, strlen(end), err) : s;
}

static hiss_status begin(feature_file *f, hiss_error *err) {
    if (f->format == FORMAT_H5) {
        const hiss_status s = hiss_h5_create(f->temporary, &f->h5, err);
        return s == HISS_OK ? define(f, err) : s;
    }
    f->stream = hiss_fault("file.create") ? NULL : fopen(f->temporary, "we");
    if (!f->stream) {
        return cannot_write(f, errno, err);
    }
    return f->format == FORMAT_NPY ? begin_npy(f, err) : begin_csv(f, err);
}

hiss_status eval_feature_file_create(const hiss_feature_output *output, hiss_dataset *set, int64_t n, int64_t K,
                                     int layers, const hiss_layer_size *layer, feature_file **out, hiss_error *err) {
    feature_file *f = *out = hiss_new(feature_file, 1);
    f->output = output;
    f->set = set;
    f->n = n;
    f->K = K;
    f->layer = layer;
    f->layers = layers;
    f->hash = hiss_new(hiss_hash *, layers);
    for (int l = 0; l < layers; l++) {
        f->hash[l] = hiss_hash_begin();
    }
    hiss_status s = hiss_feature_output_expect(output->path, layers, err);
    if (s == HISS_OK && hiss_dataset_labelled(set)) {
        f->label = hiss_new(int32_t, n);
        s = hiss_dataset_read(set, 0, n, NULL, f->label, err);
    }
    if (s == HISS_OK) {
        f->format = (format)format_of(output->path);
        hiss_file_temporary(output->path, f->temporary, sizeof f->temporary);
        s = begin(f, err);
    }
    return s;
}

/* Nine digits tell every float32 from all others. */
static hiss_status put_lines(feature_file *f, int64_t first, int64_t count, const float *rows, hiss_error *err) {
    const int64_t D = f->layer[0].D;
    char *line = hiss_alloc((size_t)((D + 1) * NUMBER_TEXT));
    hiss_status s = HISS_OK;
    for (int64_t i = 0; i < count && s == HISS_OK; i++) {
        char *at = line;
        for (int64_t d = 0; d < D; d++) {
            at += snprintf(at, NUMBER_TEXT, "%s%.9g", d ? "," : "", (double)rows[i * D + d]);
        }
        at += f->label ? snprintf(at, NUMBER_TEXT, ",%d", (int)f->label[first + i]) : 0;
        *at++ = '\n';
        s = put(f, line, (size_t)(at - line), err);
    }
    hiss_free(line);
    return s;
}

hiss_status eval_feature_file_rows(feature_file *f, int layer, int64_t first, int64_t count, const float *rows,
                                   hiss_error *err) {
    const size_t bytes = sizeof *rows * (size_t)(count * f->layer[layer].D);
    char name[NAME_TEXT];
    if (f->format == FORMAT_CSV) {
        return put_lines(f, first, count, rows, err);
    }
    if (f->format == FORMAT_NPY) {
        return put(f, rows, bytes, err);
    }
    name_of(f, layer, name);
    hiss_hash_add(f->hash[layer], rows, bytes);
    return hiss_h5_write(f->h5, name, HISS_F32, first, count, rows, err);
}

hiss_status eval_feature_file_targets(feature_file *f, int64_t first, int64_t count, const uint8_t *targets,
                                      hiss_error *err) {
    return f->format == FORMAT_H5 ? hiss_h5_write(f->h5, "/targets", HISS_U8, first, count, targets, err) : HISS_OK;
}

/* ---- the end ---- */

static hiss_status set_text(feature_file *f, const char *name, const char *text, hiss_status s, hiss_error *err) {
    return s == HISS_OK && text ? hiss_h5_set_text(f->h5, "/", name, text, err) : s;
}

static hiss_status sign(feature_file *f, char (*sum)[HISS_HASH_TEXT], hiss_error *err) {
    const char *targets = hiss_dataset_target_names(f->set);
    char *classes = hiss_dataset_classes(f->set) > 0 ? hiss_dataset_class_lines(f->set) : NULL;
    hiss_status s = f->label ? hiss_h5_write(f->h5, "/labels", HISS_I32, 0, f->n, f->label, err) : HISS_OK;
    s = set_text(f, "hiss_format", HISS_ROWS_FORMAT, s, err);
    s = set_text(f, "classes", f->label ? classes : NULL, s, err);
    free(classes);
    if (s == HISS_OK && f->K && targets) {
        s = hiss_h5_set_text(f->h5, "/targets", "classes", targets, err);
    }
    for (int k = 0; k < f->output->notes; k++) {
        s = set_text(f, f->output->note[k].name, f->output->note[k].text, s, err);
    }
    for (int l = 0; l < f->layers && s == HISS_OK; l++) {
        char name[NAME_TEXT];
        name_of(f, l, name);
        s = hiss_h5_set_text(f->h5, name, "layer", f->layer[l].name, err);
        s = s == HISS_OK ? hiss_h5_set_text(f->h5, name, "sha256", sum[l], err) : s;
    }
    return s;
}

hiss_status hiss_feature_layer_sum(hiss_h5 *file, const char *name, int64_t n, int64_t D, char sum[HISS_HASH_TEXT],
                                   hiss_error *err) {
    const int64_t room = 1 + PIECE / ((D > 0 ? D : 1) * (int64_t)sizeof(float));
    float *rows = hiss_alloc(sizeof *rows * (size_t)(room * D));
    hiss_hash *hash = hiss_hash_begin();
    hiss_status s = HISS_OK;
    for (int64_t i = 0; i < n && s == HISS_OK; i += room) {
        const int64_t count = n - i < room ? n - i : room;
        s = hiss_h5_read(file, name, HISS_F32, i, count, rows, err);
        hiss_hash_add(hash, rows, s == HISS_OK ? sizeof *rows * (size_t)(count * D) : 0);
    }
    hiss_hash_end(hash, sum);
    hiss_free(rows);
    return s;
}

static hiss_status sum_of_bytes(const feature_file *f, char sum[HISS_HASH_TEXT], hiss_error *err) {
    FILE *in = fopen(f->temporary, "re");
    char *piece = hiss_alloc(PIECE);
    hiss_hash *hash = hiss_hash_begin();
    for (size_t got = 1; in && got > 0;) {
        got = fread(piece, 1, PIECE, in);
        hiss_hash_add(hash, piece, got);
    }
    const int why = !in ? errno : ferror(in) ? EIO : 0;
    hiss_hash_end(hash, sum);
    hiss_free(piece);
    if (in) {
        fclose(in);
    }
    return why ? cannot_write(f, why, err) : HISS_OK;
}

static hiss_status read_back(const feature_file *f, char (*sum)[HISS_HASH_TEXT], hiss_error *err) {
    char found[HISS_HASH_TEXT];
    hiss_h5 *file = NULL;
    const int descriptor = open(f->temporary, O_RDONLY | O_CLOEXEC);
    if (descriptor >= 0) { /* what the disk has, not the system's copy */
        fsync(descriptor);
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
        close(descriptor);
    }
    hiss_status s = f->format == FORMAT_H5 ? hiss_h5_open(f->temporary, &file, err) : HISS_OK;
    bool same = !hiss_fault("file.compare");
    for (int l = 0; l < f->layers && s == HISS_OK; l++) {
        char name[NAME_TEXT];
        name_of(f, l, name);
        s = file ? hiss_feature_layer_sum(file, name, f->n, f->layer[l].D, found, err) : sum_of_bytes(f, found, err);
        same = same && strcmp(found, sum[l]) == 0;
    }
    hiss_h5_close(file, NULL);
    return s != HISS_OK || same
               ? s
               : hiss_fail(err, HISS_ESYSTEM,
                           "cannot write '%s': other bytes are read back than were written; the disk or the network "
                           "to it is failing: choose another place",
                           f->output->path);
}

static hiss_status complete(feature_file *f, char (*sum)[HISS_HASH_TEXT], hiss_status status, hiss_error *err) {
    if (f->h5) {
        status = status == HISS_OK ? sign(f, sum, err) : status;
        const hiss_status closed = hiss_h5_close(f->h5, status == HISS_OK ? err : NULL);
        status = status == HISS_OK ? closed : status;
    }
    errno = 0;
    if (f->stream && fclose(f->stream) != 0 && status == HISS_OK) {
        status = cannot_write(f, errno ? errno : EIO, err);
    }
    return status == HISS_OK ? read_back(f, sum, err) : status;
}

hiss_status eval_feature_file_end(feature_file *f, hiss_status status, hiss_error *err) {
    if (!f) {
        return status;
    }
    char(*sum)[HISS_HASH_TEXT] = hiss_alloc(sizeof *sum * (size_t)f->layers);
    for (int l = 0; l < f->layers; l++) {
        hiss_hash_end(f->hash[l], sum[l]);
    }
    status = complete(f, sum, status, err);
    if (status == HISS_OK) {
        status = hiss_file_publish(f->temporary, f->output->path, err);
    } else if (*f->temporary) {
        hiss_file_discard(f->temporary);
    }
    hiss_free(sum);
    hiss_free(f->hash);
    hiss_free(f->label);
    hiss_free(f);
    return status;
}
