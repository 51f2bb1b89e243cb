/* Arrays and notes out of a checkpoint. Every array is compared with its own checksum as it is read. */
#include "hiss/weights.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "export/export_impl.h"
#include "hiss/export.h"
#include "hiss/snapshot.h"

static const char model[] = "/model/";

hiss_weights *hiss_weights_create(void) {
    hiss_weights *w = hiss_new(hiss_weights, 1);
    w->arena = hiss_arena_create();
    return w;
}

void hiss_weights_destroy(hiss_weights *w) {
    if (w) {
        hiss_arena_destroy(w->arena);
        hiss_free(w->weight);
        hiss_free(w);
    }
}

float *hiss_weights_add(hiss_weights *w, const char *name, const hiss_shape *shape) {
    if (w->count == w->room) {
        w->room = w->room ? 2 * w->room : 64;
        hiss_weight *grown = hiss_new(hiss_weight, w->room);
        if (w->weight) {
            memcpy(grown, w->weight, sizeof *grown * (size_t)w->count);
        }
        hiss_free(w->weight);
        w->weight = grown;
    }
    float *values = hiss_arena_alloc(w->arena, sizeof(float) * (size_t)hiss_shape_count(shape));
    w->weight[w->count++] = (hiss_weight){hiss_arena_text(w->arena, name), *shape, values};
    return values;
}

/* Bytes of the character in UTF-8 that begins here; 0: there is none. */
static int character_bytes(const unsigned char *c) {
    const int count = *c < 0x80 ? 1 : *c < 0xc2 ? 0 : *c < 0xe0 ? 2 : *c < 0xf0 ? 3 : *c < 0xf5 ? 4 : 0;
    for (int k = 1; k < count; k++) {
        if ((c[k] & 0xc0) != 0x80) {
            return 0;
        }
    }
    const bool overlong = (*c == 0xe0 && c[1] < 0xa0) || (*c == 0xf0 && c[1] < 0x90);
    const bool beyond = (*c == 0xed && c[1] >= 0xa0) || (*c == 0xf4 && c[1] >= 0x90); /* surrogates; no code points */
    return overlong || beyond ? 0 : count;
}

static void make_readable(char *text) {
    for (unsigned char *c = (unsigned char *)text; *c;) {
        const int count = character_bytes(c);
        if (count == 0) {
            *c = '?';
        }
        c += count ? count : 1;
    }
}

void hiss_weights_note(hiss_weights *w, const char *key, const char *text) {
    if (text) {
        assert(w->notes < HISS_MAX_NOTES);
        char *copy = hiss_arena_text(w->arena, text);
        make_readable(copy);
        w->note[w->notes++] = (hiss_weights_remark){hiss_arena_text(w->arena, key), copy};
    }
}

int hiss_weights_find(const hiss_weights *w, const char *name) {
    int k = w->count - 1;
    while (k >= 0 && strcmp(w->weight[k].name, name) != 0) {
        k--;
    }
    return k;
}

/* ---- a checkpoint ---- */

typedef struct reader {
    hiss_h5 *file;
    const char *path;
    hiss_weights *w;
} reader;

static hiss_status read_one(void *user, const char *dataset, const hiss_h5_info *info, hiss_error *err) {
    reader *r = user;
    if (strncmp(dataset, model, sizeof model - 1) != 0) {
        return HISS_OK;
    }
    hiss_shape shape = {.ndim = info->ndim};
    memcpy(shape.dim, info->dim, sizeof(int64_t) * (size_t)info->ndim);
    float *values = hiss_weights_add(r->w, dataset + sizeof model - 1, &shape);
    return hiss_snapshot_read(r->file, r->path, dataset, HISS_F32, 0, info->dim[0], values, err);
}

/* Texts that a checkpoint has of its run, as notes of the same names. */
static void note_texts(reader *r) {
    static const char *const names[] = {"config", "data", "scaling", "classes", "targets"};
    for (int k = 0; k < HISS_COUNT(names); k++) {
        char *text = NULL;
        hiss_error none;
        hiss_h5_get_text(r->file, "/", names[k], &text, &none);
        hiss_weights_note(r->w, names[k], text);
        hiss_free(text);
    }
}

static void note_arrays(hiss_weights *w) {
    char text[HISS_HASH_TEXT];
    hiss_hash *hash = hiss_hash_begin();
    for (int k = 0; k < w->count; k++) {
        hiss_hash_add(hash, w->weight[k].name, strlen(w->weight[k].name) + 1);
        hiss_hash_add(hash, w->weight[k].values, (size_t)export_bytes_of(&w->weight[k]));
    }
    hiss_hash_end(hash, text);
    hiss_weights_note(w, "arrays_sha256", text);
}

static hiss_status read_all(reader *r, const char *producer, hiss_error *err) {
    char sum[HISS_HASH_TEXT], number[32];
    int64_t step = 0;
    hiss_weights_note(r->w, "format", "hiss");
    hiss_weights_note(r->w, "producer", producer);
    hiss_status s = hiss_snapshot_expect(r->file, r->path, "/step", HISS_I64, 1, err);
    s = s == HISS_OK ? hiss_snapshot_read(r->file, r->path, "/step", HISS_I64, 0, 1, &step, err) : s;
    s = s == HISS_OK ? hiss_snapshot_sum(r->path, sum, err) : s;
    s = s == HISS_OK ? hiss_h5_each(r->file, read_one, r, err) : s;
    if (s == HISS_OK && r->w->count == 0) {
        s = hiss_fail(err, HISS_EUSER, "%s: holds no arrays %s...; use another checkpoint", r->path, model);
    }
    if (s == HISS_OK) {
        snprintf(number, sizeof number, "%" PRId64, step);
        hiss_weights_note(r->w, "step", number);
        hiss_weights_note(r->w, "checkpoint_sha256", sum);
        note_arrays(r->w);
        note_texts(r);
    }
    return s;
}

hiss_status hiss_weights_read(const char *checkpoint, const char *producer, hiss_weights **out, hiss_error *err) {
    reader r = {.path = checkpoint, .w = hiss_weights_create()};
    *out = r.w;
    hiss_status s = hiss_snapshot_verify(checkpoint, err);
    s = s == HISS_OK ? hiss_h5_open(checkpoint, &r.file, err) : s;
    s = s == HISS_OK ? read_all(&r, producer, err) : s;
    hiss_h5_close(r.file, NULL);
    return s;
}

/* ---- what the writers share ---- */

void export_number(FILE *stream, uint64_t number, int bytes) {
    for (int k = 0; k < bytes; k++) {
        fputc((int)(number >> 8 * k & 0xff), stream);
    }
}

void export_floats(FILE *stream, int64_t count, const float *values) {
    const uint16_t one = 1;
    if (*(const uint8_t *)&one) {
        fwrite(values, sizeof(float), (size_t)count, stream);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        export_number(stream, bits, 4);
    }
}

int64_t export_bytes_of(const hiss_weight *weight) {
    return (int64_t)sizeof(float) * hiss_shape_count(&weight->shape);
}

void export_notes(FILE *stream, const hiss_weights *w) {
    for (int k = 0; k < w->notes; k++) {
        fputs(k ? ", " : "{", stream);
        hiss_json_member_text(stream, w->note[k].key, w->note[k].text);
    }
    fputs(w->notes ? "}" : "{}", stream);
}
