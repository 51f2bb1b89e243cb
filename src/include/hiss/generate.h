/* Generators: data sets without a file, whose rows are made when they are read.
 *
 * A row depends on its number and on the options alone. So rows are the same on any rank, in any order, in memory and
 * streamed, before and after a resume, and nothing of them is stored. A generator is one file of src/data/generate, and
 * one line in its list.h; section `generate` of the config, `hiss train --help` and `hiss prepare generate` follow from
 * its table. Nothing here is collective. */
#ifndef HISS_GENERATE_H
#define HISS_GENERATE_H

#include "hiss/data.h"

enum { HISS_GENERATE_TRAIN, HISS_GENERATE_TEST };

/* What every generator's options begin with. */
typedef struct hiss_generate_options {
    int64_t rows; /* of the data set, 1 or more */
    int64_t seed; /* not that of the config: other runs have the same data */
    int part;     /* HISS_GENERATE_TRAIN or TEST: rows of different parts are drawn from different streams */
} hiss_generate_options;

/* Their rows, for a struct `type` that begins with hiss_generate_options common. */
#define HISS_GENERATE_ROWS(type)                                                                                       \
    {"rows", HISS_INT, offsetof(type, common.rows), "10000", 1, 0x1p40, NULL, "samples of the data set"},              \
        {"seed", HISS_INT, offsetof(type, common.seed), "1", 0, 9007199254740992.0, NULL, "seed of the samples"}, {    \
        "part", HISS_CHOICE, offsetof(type, common.part), "train", 0, 0, "train|test",                                 \
            "train and test have no random numbers in common, and no items"                                            \
    }

/* The stream of random numbers that a row is drawn from. */
hiss_rng hiss_generate_rng(const hiss_generate_options *options, int64_t row);
int64_t hiss_generate_between(hiss_rng *rng, int64_t low, int64_t high); /* uniform in low .. high */

typedef struct hiss_generator {
    const char *name, *summary;
    const hiss_row *rows; /* of section generate; those of HISS_GENERATE_ROWS among them */
    int nrows;
    size_t options_bytes;
    /* Check the options, which outlive *self, and read what all rows need. NULL: self is the options. Errors: by
     * hiss_fail_key, of keys such as generate.size. After one there is nothing to destroy. */
    hiss_status (*create)(const void *options, void **self, hiss_error *err);
    void (*destroy)(void *self); /* NULL: nothing to do */
    /* Name, dtype, ndim and dim of the fields into out[HISS_MAX_FIELDS], the other members stay 0; returns how many. The
     * first is the image, uint8 [H,W,C]. Names stay. */
    int (*fields)(const void *self, hiss_field *out);
    /* Values of a row into out[field], all of them. Thread-safe. No allocation. Integers only, or floats
     * that are exact, so that every machine makes the same bits. */
    void (*make)(const void *self, int64_t row, void *const *out);
    /* Optional, of clips: the row as it would be if from frame `from` on other things were done than make() has drawn: action [T,A]
     * takes the place of field `action`, which holds what was done of it; rows before `from` are not looked at. Thread-safe. No
     * allocation. */
    void (*act)(const void *self, int64_t row, int64_t from, const float *action, void *const *out);
    /* Optional, of clips: where the first thing of field `place` is in a picture of 0..1 [H,W,C], in pixels as that field has it; false:
     * it is not to be seen. Thread-safe. */
    bool (*find)(const void *self, const float *picture, float out[2]);
    /* Optional: the classes, 0 for none, and the label of a row, -1 for none. Thread-safe. No allocation. */
    int64_t (*classes)(const void *self);
    int32_t (*label)(const void *self, int64_t row);
    const char *(*class_name)(const void *self, int64_t c); /* NULL: their numbers */
    /* Optional: a hash of what was read by create, hexadecimal, at least 16 digits. */
    const char *(*items)(const void *self);
} hiss_generator;

/* The registered generators, ended by NULL (src/data/generate/list.h), and none and their names for a row of type
 * HISS_NAME. */
const hiss_generator *const *hiss_generators(void);
extern const char hiss_generator_choices[];
const hiss_generator *hiss_generator_named(const char *name); /* NULL: there is none */

/* The data set of a generator with its options. labels: whether it has any, in memory, 4 bytes a sample. Errors: those of
 * create. */
hiss_status hiss_dataset_generate(const hiss_generator *generator, const void *options, bool labels, hiss_dataset **out,
                                  hiss_error *err);

/* hiss prepare generate: write all rows of a generator to options->output, durably: its image as /images, other fields
 * under their names, labels as /labels. The generator's options are `generated`; of `options` output, chunk and deflate
 * count. Errors: those of create, and of writing. */
hiss_status hiss_prepare_generate(const hiss_prepare_options *options, const hiss_generator *generator,
                                  const void *generated, hiss_error *err);

#endif
