/* hiss prepare of shards of WebDataset, which are tar files. Members that follow one another with the same name up to the
 * first dot of its last part are a sample; what is behind that dot, in lower case, says what a member is: a picture, the
 * number of the class as text (cls), or JSON. Members that are not asked for are stepped over. A sample without a picture
 * counts as one whose picture is broken. Labels are there for all samples or for none.
 *
 * Shards are read in the order in which they are given, one member at a time. As long as no sample had a picture, those
 * without one are held back: when there is none at all, the field is wrong, not the samples. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "classes.h"
#include "hiss/alloc.h"
#include "hiss/log.h"
#include "json_impl.h"
#include "webdataset_impl.h"

enum { NAME = 1024, FIELD = 64, FIRST_PIECE = 1 << 16 };
enum { MOST_HELD = 1000, MOST_FIELDS = 16 };
enum { PICTURE_BYTES = 1 << 28, LABEL_BYTES = 1 << 12, JSON_BYTES = 1 << 24 };

typedef struct sample {
    char key[NAME];      /* empty: none is begun */
    char picture[FIELD]; /* the field it was in; empty: none yet */
    bool kept;           /* it is a row, which still has no label */
    bool labelled, by_field, by_json;
    int32_t label;
} sample;

typedef struct reader {
    const data_webdataset_source *source;
    data_rows *rows;
    data_archive *archive;
    const char *shard;
    sample now;
    data_values *keys; /* of the samples of this shard that have a picture */
    int64_t labelled;  /* rows with a label */
    int64_t again;     /* samples whose key an earlier one of their shard has */
    char first_again[PREPARE_PATH];
    uint8_t *bytes; /* of a member */
    int64_t room;
    double begun, total; /* bytes of the shards before this one; of all */
    bool has_picture;    /* there was one in a sample */
    hiss_error *held;    /* [nheld], room for MOST_HELD: of samples before the first picture; or NULL */
    int64_t nheld;
    char field[MOST_FIELDS][FIELD]; /* the different ones of members so far */
    int fields;
} reader;

/* ---- names ---- */

/* Split a member's name; false when it belongs to no sample. */
static bool split_name(const char *name, char key[NAME], char field[FIELD]) {
    const char *last = strrchr(name, '/'), *part = last ? last + 1 : name, *dot = strchr(part, '.');
    if (!dot || dot == part || !dot[1] || strlen(dot + 1) >= FIELD ||
        (strncmp(part, "__", 2) == 0 && dot - part >= 4 && strncmp(dot - 2, "__", 2) == 0)) {
        return false;
    }
    memcpy(key, name, (size_t)(dot - name));
    key[dot - name] = '\0';
    for (size_t i = 0; i <= strlen(dot + 1); i++) {
        field[i] = (char)tolower((unsigned char)dot[1 + i]);
    }
    return true;
}

static bool is_picture(const reader *r, const char *field) {
    char name[FIELD + 2];
    snprintf(name, sizeof name, ".%s", field);
    return r->source->images ? strcasecmp(field, r->source->images) == 0
                             : !strchr(field, '.') && data_image_named(name);
}

static void note_field(reader *r, const char *field) {
    int k = 0;
    while (k < r->fields && strcmp(r->field[k], field) != 0) {
        k++;
    }
    if (k == r->fields && k < MOST_FIELDS) {
        memcpy(r->field[r->fields++], field, strlen(field) + 1);
    }
}

static bool wants_labels(const reader *r) {
    return !r->source->labels || *r->source->labels;
}

static bool is_label(const reader *r, const char *field) {
    return wants_labels(r) && strcmp(field, r->source->labels ? r->source->labels : "cls") == 0;
}

static bool is_json(const reader *r, const char *field) {
    return wants_labels(r) && strcmp(field, "json") == 0 && !r->now.by_field;
}

/* ---- members ---- */

/* The whole member, with a zero behind it. */
static hiss_status read_member(reader *r, const char *name, int64_t most, int64_t *size, hiss_error *err) {
    for (*size = 0;;) {
        if (*size + 1 >= r->room) {
            const int64_t room = r->room ? 2 * r->room : FIRST_PIECE;
            uint8_t *more = hiss_alloc((size_t)room);
            if (*size) {
                memcpy(more, r->bytes, (size_t)*size);
            }
            hiss_free(r->bytes);
            r->bytes = more;
            r->room = room;
        }
        int64_t got;
        const int64_t room = r->room - 1 - *size;
        const hiss_status status = data_archive_read(r->archive, r->bytes + *size, room, &got, err);
        *size += got;
        if (status || got < room) {
            r->bytes[*size] = 0;
            return status;
        }
        if (*size > most) {
            return hiss_fail(err, HISS_EUSER, "%s: %.300s: has more than %lld bytes; expected less of it", r->shard,
                             name, (long long)most);
        }
    }
}

/* Name the samples without a picture that were held back. */
static hiss_status release_held(reader *r, hiss_error *err) {
    hiss_status status = HISS_OK;
    for (int64_t k = 0; k < r->nheld && !status; k++) {
        status = data_rows_add_picture(r->rows, NULL, &r->held[k], 0, err);
    }
    r->nheld = 0;
    return status;
}

/* A member that was added to a tar file later stands beside the one that it was to replace. */
static void note_key(reader *r) {
    const int64_t before = data_values_count(r->keys);
    data_values_text(r->keys, r->now.key, strlen(r->now.key));
    if (data_values_count(r->keys) == before && r->again++ == 0) {
        snprintf(r->first_again, sizeof r->first_again, "%.1000s: sample '%.300s'", r->shard, r->now.key);
    }
}

static hiss_status take_picture(reader *r, const char *name, const char *field, hiss_error *err) {
    int64_t size;
    if (r->now.picture[0]) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: sample '%.300s' has two pictures, %s and %s; name the field to take with --images",
                         r->shard, r->now.key, r->now.picture, field);
    }
    snprintf(r->now.picture, FIELD, "%s", field);
    note_key(r);
    r->has_picture = true;
    hiss_status status = release_held(r, err);
    status = status ? status : read_member(r, name, PICTURE_BYTES, &size, err);
    if (status) {
        return status;
    }
    char place[PREPARE_PATH];
    snprintf(place, sizeof place, "%.1000s: %.1000s", r->shard, name);
    data_image image;
    hiss_error why;
    r->now.kept = data_image_decode(place, r->bytes, (size_t)size, &image, &why) == HISS_OK;
    status = data_rows_add_picture(r->rows, &image, r->now.kept ? NULL : &why, 0, err);
    data_rows_progress(r->rows, (r->begun + (double)data_archive_position(r->archive)) / r->total);
    return status;
}

static hiss_status take_number(reader *r, const char *name, const char *text, int64_t length, hiss_error *err) {
    char word[32] = "", *end = word;
    while (length > 0 && isspace((unsigned char)*text)) {
        text++;
        length--;
    }
    while (length > 0 && isspace((unsigned char)text[length - 1])) {
        length--;
    }
    if (length < (int64_t)sizeof word) {
        memcpy(word, text, (size_t)length);
        word[length] = '\0';
    }
    const long long label = isdigit((unsigned char)word[0]) ? strtoll(word, &end, 10) : 0;
    if (end == word || *end || label > INT32_MAX) {
        return hiss_fail(
            err, HISS_EUSER,
            "%s: %.300s: the label is '%.*s'; expected a class number 0, 1, 2, ...: number the classes, or go "
            "without: --labels none",
            r->shard, name, (int)(length < 40 ? length : 40), text);
    }
    r->now.label = (int32_t)label;
    r->now.labelled = true;
    return HISS_OK;
}

/* What webdataset itself refuses, as a "duplicate file name in tar file". */
static hiss_status fail_twice(const reader *r, const char *field, hiss_error *err) {
    return hiss_fail(err, HISS_EUSER,
                     "%s: sample '%.300s' has two members '.%s'; expected one of each name: write the shard again",
                     r->shard, r->now.key, field);
}

static hiss_status take_label(reader *r, const char *name, const char *field, hiss_error *err) {
    int64_t size;
    if (r->now.by_field) {
        return fail_twice(r, field, err);
    }
    const hiss_status status = read_member(r, name, LABEL_BYTES, &size, err);
    r->now.by_field = true;
    return status ? status : take_number(r, name, (const char *)r->bytes, size, err);
}

static hiss_status take_json(reader *r, const char *name, const char *field, hiss_error *err) {
    int64_t size, length;
    if (r->now.by_json) {
        return fail_twice(r, field, err);
    }
    r->now.by_json = true;
    const hiss_status status = read_member(r, name, JSON_BYTES, &size, err);
    if (status) {
        return status;
    }
    const char *key = r->source->labels ? r->source->labels : "label", *value;
    switch (data_json_find((const char *)r->bytes, size, key, &value, &length)) {
    case DATA_JSON_FOUND:
        return take_number(r, name, value, length, err);
    case DATA_JSON_MISSING:
        return HISS_OK;
    case DATA_JSON_BROKEN:
        break;
    }
    return hiss_fail(err, HISS_EUSER, "%s: %.300s: is no JSON object; repair it, or go without labels: --labels none",
                     r->shard, name);
}

/* ---- samples ---- */

static hiss_status fail_no_picture(const reader *r, hiss_error *err) {
    char found[256] = "";
    for (int k = 0; k < r->fields; k++) {
        const size_t used = strlen(found);
        snprintf(found + used, sizeof found - used, "%s.%s", k ? ", " : "", r->field[k]);
    }
    return hiss_fail(err, HISS_EUSER,
                     "%.300s%s: no member ends in %s%.60s; there are %s%s: name what the pictures end in with --images",
                     r->source->file[0], r->source->nfiles > 1 ? " and the others" : "", r->source->images ? "." : "",
                     r->source->images ? r->source->images : ".jpg, .jpeg, .png, .ppm or .pgm", found,
                     r->fields == MOST_FIELDS ? ", ..." : "");
}

static hiss_status take_none(reader *r, hiss_error *err) {
    hiss_error why;
    hiss_fail(&why, HISS_EUSER,
              "%s: sample '%.300s' has no picture; members of a sample follow one another (tar --sort=name)", r->shard,
              r->now.key);
    if (r->has_picture) {
        return data_rows_add_picture(r->rows, NULL, &why, 0, err);
    }
    r->held = r->held ? r->held : hiss_new(hiss_error, MOST_HELD);
    r->held[r->nheld++] = why;
    return r->nheld < MOST_HELD ? HISS_OK : fail_no_picture(r, err);
}

static hiss_status expect_label(const reader *r, hiss_error *err) {
    const int64_t before = r->rows->shape[0] - 1;
    if (r->now.labelled ? r->labelled < before : r->labelled > 0) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: sample '%.300s' has %s label, others have %s; label all, or go without: --labels none",
                         r->shard, r->now.key, r->now.labelled ? "a" : "no", r->now.labelled ? "none" : "one");
    }
    return !r->now.labelled && r->source->labels && *r->source->labels
               ? hiss_fail(
                     err, HISS_EUSER,
                     "%s: sample '%.300s' has neither a member '%s' nor that key in its json; name what holds the "
                     "label with --labels",
                     r->shard, r->now.key, r->source->labels)
               : HISS_OK;
}

static hiss_status end_sample(reader *r, hiss_error *err) {
    hiss_status status = HISS_OK;
    if (r->now.key[0] && !r->now.picture[0]) {
        status = take_none(r, err);
    } else if (r->now.kept && !(status = expect_label(r, err)) && r->now.labelled) {
        r->rows->label[r->rows->shape[0] - 1] = r->now.label;
        r->labelled++;
    }
    r->now = (sample){0};
    return status;
}

static hiss_status take_member(reader *r, const char *name, hiss_error *err) {
    char key[NAME], field[FIELD];
    if (strlen(name) >= NAME) {
        return hiss_fail(err, HISS_EUSER, "%s: a member has a name of %zu bytes; expected less than %d", r->shard,
                         strlen(name), NAME);
    }
    if (!split_name(name, key, field)) {
        return HISS_OK;
    }
    if (strcmp(key, r->now.key) != 0) {
        const hiss_status status = end_sample(r, err);
        if (status) {
            return status;
        }
        memcpy(r->now.key, key, NAME);
    }
    note_field(r, field);
    return is_picture(r, field) ? take_picture(r, name, field, err)
           : is_label(r, field) ? take_label(r, name, field, err)
           : is_json(r, field)  ? take_json(r, name, field, err)
                                : HISS_OK;
}

static hiss_status read_shard(reader *r, hiss_error *err) {
    hiss_status status = data_archive_open(r->shard, DATA_TAR, &r->archive, err);
    r->keys = data_values_create(DATA_TEXT, INT64_MAX);
    for (const char *name = ""; !status && name;) {
        status = data_archive_next(r->archive, &name, err);
        status = status ? status : name ? take_member(r, name, err) : end_sample(r, err);
    }
    data_values_destroy(r->keys);
    r->keys = NULL;
    data_archive_close(r->archive);
    r->archive = NULL;
    return status;
}

static double bytes_of(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 ? (double)info.st_size : 0;
}

hiss_status data_webdataset_read(const data_webdataset_source *source, data_rows *rows, bool *labelled,
                                 hiss_error *err) {
    reader r = {.source = source, .rows = rows, .total = 1};
    const hiss_prepare_options *o = rows->options;
    for (int64_t k = 0; k < source->nfiles; k++) {
        r.total += bytes_of(source->file[k]);
    }
    hiss_status status = data_rows_begin(rows, o->height, o->width, o->channels, err);
    for (int64_t k = 0; k < source->nfiles && !status; k++) {
        r.shard = source->file[k];
        status = read_shard(&r, err);
        r.begun += bytes_of(r.shard);
    }
    const int64_t n = rows->shape[0];
    if (!status && r.nheld > 0) {
        status = fail_no_picture(&r, err);
    } else if (!status && n + rows->broken == 0) {
        status = hiss_fail(err, HISS_EUSER,
                           "%s%s: no samples; expected tar files with members such as 000001.jpg and 000001.cls",
                           source->file[0], source->nfiles > 1 ? " and the others" : "");
    }
    if (!status && r.again > 0) {
        hiss_warn("%s comes again in its shard (%lld such in all); each is taken as a sample: when one was to replace "
                  "the other, write the shard again",
                  r.first_again, (long long)r.again);
    }
    hiss_free(r.bytes);
    hiss_free(r.held);
    *labelled = r.labelled > 0;
    return status;
}

hiss_status hiss_prepare_webdataset(const hiss_prepare_options *options, const char *const *files, int64_t nfiles,
                                    const char *images, const char *labels, hiss_error *err) {
    const data_webdataset_source source = {files, nfiles, images && *images == '.' ? images + 1 : images, labels};
    hiss_status status = data_prepare_check_size(options, err);
    status = status ? status : data_prepare_check_output(options, err);
    for (int64_t k = 0; k < nfiles && !status; k++) {
        status = data_prepare_expect_other(options, files[k], err);
    }
    char name[PREPARE_SOURCE];
    snprintf(name, sizeof name, nfiles > 1 ? "%s ... %s (%lld shards)" : "%s", files[0], files[nfiles - 1],
             (long long)nfiles);
    data_rows rows;
    bool labelled = false;
    data_rows_create(options, &rows);
    status = status ? status : data_webdataset_read(&source, &rows, &labelled, err);
    if (!status) {
        hiss_info("prepare: %lld %s sample%s in %lld shard%s", (long long)rows.shape[0],
                  labelled ? "labelled" : "unlabelled", rows.shape[0] == 1 ? "" : "s", (long long)nfiles,
                  nfiles == 1 ? "" : "s");
        status = data_rows_write(&rows, labelled ? rows.label : NULL, name, NULL, err);
    }
    data_rows_destroy(&rows);
    return status;
}
