/* Data sets of generators (hiss/generate.h): a generator's rows as those of a data set.
 *
 * What a file says of itself, its generator says here: fields, classes, labels. Rows are made where those of a file are
 * read, so that loaders, shards, memory and streams know no difference. The identity names the generator, its options, a
 * hash of the items it has read, and a hash of some rows, as that of a file has.
 *
 * Cost: one row made for each row read; opening makes up to 64 for the identity, and all labels. */
#include "hiss/generate.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "data/identity.h"
#include "dataset_impl.h"
#include "generate/synthetic.h"
#include "hiss/alloc.h"

/* ---- labels ---- */

static void name_classes(const hiss_dataset *set, data_classes *classes) {
    const hiss_generator *g = set->generator;
    *classes = data_classes_numbered(g->classes(set->generated));
    for (int64_t c = 0; c < classes->count && g->class_name; c++) {
        const char *name = g->class_name(set->generated, c);
        classes->named = classes->named || strcmp(name, classes->at[c].name) != 0;
        hiss_free(classes->at[c].name);
        classes->at[c].name = data_text_copy(name);
    }
}

static void make_labels(hiss_dataset *set) {
    const hiss_generator *g = set->generator;
    if (!g->classes || g->classes(set->generated) < 1) {
        return;
    }
    name_classes(set, &set->classes);
    set->label = hiss_new(int32_t, set->rows);
    for (int64_t i = 0; i < set->rows; i++) {
        set->label[i] = g->label(set->generated, i);
    }
}

/* Number the classes as another set does. */
static void match_classes(hiss_dataset *set, const hiss_dataset *other) {
    int32_t *class_of = hiss_new(int32_t, set->classes.count);
    data_classes_match(&set->classes, &other->classes, class_of);
    for (int64_t i = 0; i < set->rows; i++) {
        set->label[i] = set->label[i] < 0 ? -1 : class_of[set->label[i]];
    }
    hiss_free(class_of);
}

/* ---- identity ---- */

static hiss_status read_sample(void *set_, int64_t count, const int64_t *row, uint8_t *out, hiss_error *err) {
    const hiss_dataset *set = set_;
    (void)err;
    memset(out, 0, (size_t)(count * set->row)); /* what lies between fields */
    for (int64_t k = 0; k < count; k++) {
        data_fields_make(set, row[k], 1, out + k * set->row);
    }
    return HISS_OK;
}

/* The options, but for the number of rows, which the shape has, and paths, whose contents count. */
static void describe_options(const hiss_generator *g, const char *options, FILE *text) {
    for (const hiss_row *row = g->rows; row < g->rows + g->nrows; row++) {
        const char *field = options + row->offset;
        if (row->type == HISS_INT && strcmp(row->key, "rows") != 0) {
            fprintf(text, ", %s %" PRId64, row->key, *(const int64_t *)(const void *)field);
        } else if (row->type == HISS_CHOICE) {
            const char *choice = row->choices;
            for (int k = *(const int *)(const void *)field; k > 0; k--) {
                choice = strchr(choice, '|') + 1;
            }
            fprintf(text, ", %s %.*s", row->key, (int)strcspn(choice, "|"), choice);
        } else if (row->type == HISS_BOOL) {
            fprintf(text, ", %s %s", row->key, *(const bool *)(const void *)field ? "true" : "false");
        } else if (row->type == HISS_FLOAT) {
            fprintf(text, ", %s %.17g", row->key, *(const double *)(const void *)field);
        }
    }
}

static char *identify(hiss_dataset *set, const void *options) {
    const hiss_generator *g = set->generator;
    char rows[IDENTITY_DIGITS + 1], labels[IDENTITY_DIGITS + 1], *identity = NULL;
    size_t size;
    FILE *text = hiss_text_open(&identity, &size);
    fprintf(text, "%s ", g->name);
    for (int k = 0; k < set->fields; k++) {
        if (k > DATA_IMAGE) {
            fprintf(text, ", %s ", set->field[k].name);
        }
        data_fields_describe(set, k, text);
    }
    describe_options(g, options, text);
    if (g->items) {
        fprintf(text, ", items %.*s", IDENTITY_DIGITS, g->items(set->generated));
    }
    (void)data_identity_rows(set->rows, set->row, read_sample, set, rows, NULL);
    fprintf(text, IDENTITY_PIXELS "%s", rows);
    if (set->label) {
        char *classes = hiss_dataset_class_lines(set);
        data_identity_labels(set->rows, set->label, classes, labels);
        free(classes);
        fprintf(text, IDENTITY_LABELS "%s", labels);
    }
    fclose(text);
    return identity;
}

/* ---- opening ---- */

/* generated: what create has made. */
static hiss_dataset *make_set(const hiss_generator *g, const void *options, void *generated, bool labels) {
    char name[64];
    hiss_field field[HISS_MAX_FIELDS] = {{0}};
    hiss_dataset *set = hiss_new(hiss_dataset, 1);
    const int64_t rows = ((const hiss_generate_options *)options)->rows;
    snprintf(name, sizeof name, "generated %.40s", g->name);
    *set =
        (hiss_dataset){.generator = g, .generated = generated, .name = data_text_copy(name), .rows = rows, .n = rows};
    set->path = set->name;
    pthread_mutex_init(&set->lock, NULL);
    data_fields_generated(set, field, g->fields(generated, field));
    if (labels) {
        make_labels(set);
    }
    return set;
}

static hiss_status open_set(const hiss_generator *g, const void *options, bool labels, hiss_dataset **out,
                            hiss_error *err) {
    void *self = (void *)(uintptr_t)options;
    const hiss_status status = g->create ? g->create(options, &self, err) : HISS_OK;
    *out = status ? NULL : make_set(g, options, self, labels);
    return status;
}

hiss_status hiss_dataset_generate(const hiss_generator *generator, const void *options, bool labels, hiss_dataset **out,
                                  hiss_error *err) {
    const hiss_status status = open_set(generator, options, labels, out, err);
    if (!status) {
        (*out)->identity = identify(*out, options);
    }
    return status;
}

hiss_dataset *hiss_dataset_synthetic(int64_t n, int64_t H, int64_t W, int64_t C, int64_t classes, uint64_t seed) {
    assert(n >= 1 && H >= 1 && W >= 1 && C >= 1 && classes >= 0);
    hiss_dataset *set = NULL;
    generate_synthetic_options *options = hiss_new(generate_synthetic_options, 1);
    *options = (generate_synthetic_options){
        .common = {.rows = n, .seed = (int64_t)seed}, .height = H, .width = W, .channels = C, .classes = classes};
    (void)hiss_dataset_generate(&generate_synthetic, options, true, &set, NULL);
    set->options = options;
    return set;
}

/* Keys of section data that say where samples are in a file have no effect here. */
static hiss_status check_keys(const hiss_data_options *o, hiss_error *err) {
    const struct {
        const char *key, *none;
        bool set;
    } keys[] = {{"data.file", "null", o->file && *o->file},
                {"data.images", "/images", o->images && strcmp(o->images, "/images") != 0},
                {"data.fields", "null", o->fields != NULL},
                {"data.layout", "null", o->layout != NULL},
                {"data.range", "null", o->range != NULL},
                {"data.labels", "/labels", o->labels && *o->labels && strcmp(o->labels, "/labels") != 0},
                {"data.label_column", "-1", o->label_column >= 0}};
    for (int k = 0; k < HISS_COUNT(keys); k++) {
        if (keys[k].set) {
            const hiss_status status = hiss_fail_key(err, HISS_EUSER, keys[k].key,
                                                     "speaks of samples in a file, but data.generate makes them (%s); "
                                                     "leave one of them out, as with --set %s=%s",
                                                     o->generate, keys[k].key, keys[k].none);
            return hiss_config_blame(o->keys.config, status, err);
        }
    }
    return HISS_OK;
}

/* Blame the section that the options are from. */
static hiss_status blame(const hiss_data_keys *keys, hiss_status status, hiss_error *err) {
    static const char standard[] = "generate.";
    const size_t length = strlen(standard);
    if (keys->generate && err && strncmp(err->key, standard, length) == 0) {
        const hiss_error why = *err;
        char key[HISS_ERROR_KEY];
        snprintf(key, sizeof key, "%.20s.%.60s", keys->generate, why.key + length);
        if (keys->config && hiss_config_has(keys->config, key)) {
            hiss_fail_key(err, status, key, "%s", why.text + strlen(why.key) + strlen(": "));
        }
    }
    return hiss_config_blame(keys->config, status, err);
}

hiss_status data_generated_open(const hiss_data_options *o, hiss_dataset **out, hiss_error *err) {
    const hiss_generator *g = hiss_generator_named(o->generate);
    assert(g && o->generated && "a choice of its row, and its section");
    hiss_status status = check_keys(o, err);
    if (status) {
        return status;
    }
    status = open_set(g, o->generated, o->labels && *o->labels, out, err);
    if (status) {
        return blame(&o->keys, status, err);
    }
    if ((*out)->label && o->classes_of && o->classes_of->label) {
        match_classes(*out, o->classes_of);
    }
    (*out)->identity = identify(*out, o->generated);
    if ((*out)->label && o->label_use == HISS_LABELS_NEEDED) {
        data_labels_keep(*out);
    }
    return HISS_OK;
}
