/* Data sets in HDF5, shards, batches, augmentation. HDF5 is used in src/data/h5*.c only, behind one lock, so any thread
 * may call. Data knows neither MPI nor ranks: it takes lanes as plain numbers. Nothing here is collective. */
#ifndef HISS_DATA_H
#define HISS_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "hiss/config.h"
#include "hiss/rng.h"
#include "hiss/status.h"
#include "hiss/trace.h"

/* ---- HDF5 files as named arrays: for data sets and checkpoints ---- */

typedef enum hiss_dtype {
    HISS_U8,
    HISS_I16,
    HISS_I32,
    HISS_I64,
    HISS_F32, /* those that follow are only in data sets, and integers among them are read as HISS_I64 */
    HISS_I8,
    HISS_U16,
    HISS_U32,
    HISS_U64,
    HISS_INTEGER, /* of another size */
    HISS_ENUMERATION,
    HISS_F16,
    HISS_F64,
    HISS_FLOATING,
    HISS_TEXT,
    HISS_RECORD,
    HISS_VARIABLE,
    HISS_ARRAY,
    HISS_OPAQUE,
    HISS_REFERENCE,
    HISS_OTHER
} hiss_dtype;
const char *hiss_dtype_name(hiss_dtype dtype); /* for messages, such as uint16 */
int64_t hiss_dtype_bytes(hiss_dtype dtype);    /* of a value; 0: it depends */
bool hiss_dtype_is_integer(hiss_dtype dtype);  /* of any size, sign and byte order, enumerations among them */

typedef struct hiss_h5 hiss_h5;
enum { HISS_H5_NDIM = 5, HISS_H5_INFO_TEXT = 160 };
typedef struct hiss_h5_info {
    hiss_dtype dtype;
    int ndim;
    int64_t dim[HISS_H5_NDIM];
} hiss_h5_info;
/* "uint16 [600,12,12]". Returns out. */
const char *hiss_h5_info_text(const hiss_h5_info *info, char out[HISS_H5_INFO_TEXT]);

/* Version and build of the HDF5 library, e.g. "1.10.8, serial, thread-safe". */
enum { HISS_H5_ABOUT = 64 };
void hiss_h5_about(char out[HISS_H5_ABOUT]);
hiss_status hiss_h5_open(const char *path, hiss_h5 **out, hiss_error *err);   /* read only */
hiss_status hiss_h5_create(const char *path, hiss_h5 **out, hiss_error *err); /* truncates */
hiss_status hiss_h5_close(hiss_h5 *file, hiss_error *err);                    /* flushes; NULL is allowed */
/* Whether the file names something so, even what is no data set (a group) or cannot be opened (newer format, link that
 * leads nowhere). */
bool hiss_h5_has(hiss_h5 *file, const char *dataset);
/* Errors name file, data set, expected and found; where on the way to it a name ends or a format is too new; missing
 * filters; and list the data sets that exist when it is missing. */
hiss_status hiss_h5_look(hiss_h5 *file, const char *dataset, hiss_h5_info *info, hiss_error *err);
/* Whether rows of it were never written, so that they hold the fill value; out: how many, as the rest of a sentence. */
bool hiss_h5_unwritten(hiss_h5 *file, const char *dataset, char out[HISS_H5_INFO_TEXT]);
/* Rows [begin, begin + count) of the first dimension; dtype must be the file's own, else an error. HISS_I64 takes every
 * integer; one beyond int64_t becomes its nearest end. */
hiss_status hiss_h5_read(hiss_h5 *file, const char *dataset, hiss_dtype dtype, int64_t begin, int64_t count, void *out,
                         hiss_error *err);
/* The type of a data set's values: of enumerations, such as the booleans of h5py, that of their integers. */
hiss_status hiss_h5_values(hiss_h5 *file, const char *dataset, hiss_dtype *values, hiss_error *err);
/* As hiss_h5_read, in an integer type, HISS_F16, HISS_F32 or HISS_F64, to which what the file holds is converted, of rows along a
 * dimension of the data set.
 *   stride  bytes from row to row of out, of rows along dimension 0; a multiple of the type's size; bytes between rows
 *           stay as they are. 0: out is all values, in the file's order */
hiss_status hiss_h5_read_rows(hiss_h5 *file, const char *dataset, hiss_dtype dtype, int dimension, int64_t begin,
                              int64_t count, int64_t stride, void *out, hiss_error *err);
/* What a read of one row costs: rows_at_once rows are decoded for it, by chunks of chunk_bytes bytes each as a whole. For
 * contiguous data sets, and chunks of whole rows without a filter: 1 and 0. */
typedef struct hiss_h5_layout {
    int64_t rows_at_once, chunk_bytes;
} hiss_h5_layout;
hiss_status hiss_h5_layout_of(hiss_h5 *file, const char *dataset, hiss_h5_layout *out, hiss_error *err);
/* Decoded rows that hiss_h5_read_rows holds back for later reads, and decodes at a time, may take so many bytes; without
 * this call: no limit. Those held back now are forgotten. */
void hiss_h5_keep(hiss_h5 *file, int64_t bytes);
/* Call visit(text, its bytes) for the strings of a data set in order, as long as it returns true; text may be NULL, and
 * need not end with 0. visit must not call the functions above. Errors: those of hiss_h5_read; not strings. */
typedef bool (*hiss_h5_text_visit)(void *user, const char *text, size_t bytes);
hiss_status hiss_h5_read_texts(hiss_h5 *file, const char *dataset, hiss_h5_text_visit visit, void *user,
                               hiss_error *err);
/* Call visit for each value that the enumeration of a data set has a name for; other types have none. */
typedef void (*hiss_h5_member_visit)(void *user, int64_t value, const char *name);
hiss_status hiss_h5_members(hiss_h5 *file, const char *dataset, hiss_h5_member_visit visit, void *user,
                            hiss_error *err);
/* Create a data set (groups in its path are made); HISS_ENUMERATION: booleans of a byte, as h5py has them. chunk_rows 0: contiguous. deflate 0..9. Then write rows. */
hiss_status hiss_h5_define(hiss_h5 *file, const char *dataset, const hiss_h5_info *info, int64_t chunk_rows,
                           int deflate, hiss_error *err);
hiss_status hiss_h5_write(hiss_h5 *file, const char *dataset, hiss_dtype dtype, int64_t begin, int64_t count,
                          const void *rows, hiss_error *err);
/* Create a data set of count strings in UTF-8 with their values: texts[count][bytes], filled up with zeros. */
hiss_status hiss_h5_write_texts(hiss_h5 *file, const char *dataset, int64_t count, int64_t bytes, const char *texts,
                                hiss_error *err);
/* A file that lives in memory only (name is for messages), whose data sets have a fixed place once they are defined
 * with chunk_rows 0: offset of their first byte, rows following in memory order. image copies the file's bytes, which
 * are an HDF5 file when written to disk, into bytes[size] (NULL: nothing) and returns their number, negative on
 * failure. */
hiss_status hiss_h5_create_image(const char *name, hiss_h5 **out, hiss_error *err);
hiss_status hiss_h5_place(hiss_h5 *file, const char *dataset, int64_t *offset, hiss_error *err);
int64_t hiss_h5_image(hiss_h5 *file, void *bytes, int64_t size);
/* Attributes of a data set, or of the file when dataset is "/". Text out must be freed with hiss_free. HISS_ESYSTEM
 * when one of the object's attributes cannot be decoded: none is read then. */
hiss_status hiss_h5_set_text(hiss_h5 *file, const char *dataset, const char *name, const char *text, hiss_error *err);
hiss_status hiss_h5_get_text(hiss_h5 *file, const char *dataset, const char *name, char **text, hiss_error *err);
hiss_status hiss_h5_set_i64(hiss_h5 *file, const char *dataset, const char *name, int64_t value, hiss_error *err);
hiss_status hiss_h5_get_i64(hiss_h5 *file, const char *dataset, const char *name, int64_t *value, hiss_error *err);
/* An attribute of a data set, of any kind; links lead to it as to the data set's values. */
enum { HISS_H5_MOST_NUMBERS = 8, HISS_H5_SHOWN = 48 };
typedef struct hiss_h5_attribute {
    enum { HISS_H5_ABSENT, HISS_H5_NUMBERS, HISS_H5_WORDS, HISS_H5_STRANGE } kind;
    int64_t count;                       /* of numbers */
    double number[HISS_H5_MOST_NUMBERS]; /* the first of them */
    char text[HISS_H5_SHOWN];            /* the begin of a text */
    bool in_source;                      /* it is absent, but not at the sources of this virtual data set */
} hiss_h5_attribute;
void hiss_h5_look_at(hiss_h5 *file, const char *dataset, const char *name, hiss_h5_attribute *out);
/* Call visit for every data set of the file that hiss can read (HISS_U8 to HISS_F32, 1 to 5 dimensions), in name order.
 * A status other than HISS_OK stops and is returned. visit may call the functions above. */
typedef hiss_status (*hiss_h5_visit)(void *user, const char *dataset, const hiss_h5_info *info, hiss_error *err);
hiss_status hiss_h5_each(hiss_h5 *file, hiss_h5_visit visit, void *user, hiss_error *err);
/* The same for all data sets. info NULL: nothing can be read of it, and err, which is not NULL, says why. */
hiss_status hiss_h5_list(hiss_h5 *file, hiss_h5_visit visit, void *user, hiss_error *err);

/* ---- data sets: samples are rows of named fields ---- */

enum { HISS_FIELD_NDIM = 4, HISS_MAX_FIELDS = 8, HISS_FIELD_NAME = 32 };
#define HISS_FIELD_IMAGE "image" /* the first field of every data set, [H,W,C] */
/* A field of uint8 [classes], of each class 1, it is there, 0, it is not, or HISS_NOT_JUDGED. Others are an error where a row is
 * read. */
#define HISS_FIELD_TARGETS "targets"
enum { HISS_NOT_JUDGED = 255 };

typedef struct hiss_field { /* a part of a sample's row */
    const char *name;       /* of the data set */
    hiss_dtype dtype; /* of the values in memory: as in the file, but float64 as HISS_F32, enumerations as integers */
    int ndim;
    int64_t dim[HISS_FIELD_NDIM];
    int64_t offset, bytes; /* in the row; offset is a multiple of a value's size */
    bool enumeration;      /* in the file, as booleans are; its integers in memory */
    double low, high;      /* values that stand for 0 and 1 */
    double least, most;    /* of images: what all values, or those of some rows, lie between */
} hiss_field;
int64_t hiss_field_count(const hiss_field *field); /* values of a sample */
/* Values of one sample, as they are in its row, minus low, as floats. Thread-safe. */
void hiss_field_floats(const hiss_field *field, const void *values, double low, float *out);
enum { HISS_FIELD_TEXT = 120 };
const char *hiss_field_text(const hiss_field *field, char out[HISS_FIELD_TEXT]); /* "uint8 [28,28,1]". Returns out. */

/* Which keys of which config an error has to name. */
typedef struct hiss_data_keys {
    const hiss_config *config;          /* NULL: the keys' names are all that is known */
    const char *file, *images, *labels; /* NULL: data.file, data.images, data.labels, whose values unset ones take; or
                                         an option, as --data */
    const char *generate;               /* section; NULL: generate */
} hiss_data_keys;

typedef struct hiss_data_options { /* section "data" */
    const char *file;              /* HDF5 files with the training samples: a path, a pattern, or a YAML list of such */
    const hiss_yaml *follow;       /* true, or a list of folders: links into other files are followed; NULL: not */
    const char *generate;          /* generator that makes them (hiss/generate.h), instead of file; NULL, none: none */
    const void *generated;         /* no row: its options, section "generate" */
    const void *generated_test;    /* no row: those of the test samples, "eval.generate"; NULL: there are none */
    const char *images;            /* data set name, numbers [n,H,W,C] or [n,H,W] */
    const hiss_yaml *fields;       /* further fields: name: data set of numbers [n,...]; NULL: none */
    const char *labels;            /* data set name, or FILE:/NAME; optional in the file */
    const hiss_yaml *layout;       /* the axes of the image, or of fields by name; NULL: n first, channels last */
    const hiss_yaml *range;        /* [low, high] of pixels; NULL: by their type */
    const hiss_yaml *missing;      /* what stands for pixels without a value; NULL: they are an error */
    int64_t label_column;          /* of labels [n,K]; -1: none, they are one-hot */
    const char *ignore_label;      /* what class stands for no label; "": none; NULL: -1 */
    int label_use;                 /* no row: HISS_LABELS_CHECKED or another */
    const struct hiss_dataset *classes_of; /* no row: a set whose classes those of this one are; NULL: none */
    const char
        *unit_pixels; /* no row: the method whose loss takes pixels as 0..1, so that others are an error; NULL: none */
    bool piece;       /* no row: of several sets that are joined: it may have no rows */
    int order; /* file: shards are contiguous rows of the file; permuted: rows go to shards by a keyed permutation */
    int mode;  /* auto | memory | stream */
    int64_t memory;      /* bytes of samples a rank may hold; auto streams beyond it */
    int64_t window;      /* samples shuffled together; 0, or at least the shard: the whole shard */
    int64_t limit;       /* use only the first so many samples; 0: all */
    int64_t labelled;    /* samples of each class that are learnt from with their labels; 0: none */
    bool verify;         /* check the recorded checksum at start */
    hiss_data_keys keys; /* no row: set by who reads the config */
} hiss_data_options;
extern const hiss_row hiss_data_rows[];
extern const int hiss_data_nrows;

/* What is done about labels. CHECKED: what cannot be labels is an error. OPTIONAL: it is warned of, and the set has
 * none. NEEDED: an error, and samples without a label are left out of the set. */
enum { HISS_LABELS_CHECKED, HISS_LABELS_OPTIONAL, HISS_LABELS_NEEDED };

/* The number of classes that labels of so many samples may have at most: half as many as samples, but 1000 in any case.
 * The largest public sets have some 20,000 (ImageNet-21k) to 2 million (of 42 million faces). Beyond, labels are
 * something else, such as identifiers, and would ask for absurd networks. */
int64_t hiss_dataset_most_classes(int64_t samples);

/* Whether the files that a HISS_PATHS row names are there; an error, without a place, says which is not. Not collective. */
hiss_status hiss_data_expect(const char *file, hiss_error *err);
/* Whether the files that two such rows name have one in common, by whatever path or link: how a and how b name it, which
 * hiss_free. Not when one of them cannot be looked for. Not collective. */
bool hiss_data_common(const char *a, const char *b, char **by_a, char **by_b);

/* Value of the attribute hiss_format of / in files by hiss prepare. */
#define HISS_IMAGES_FORMAT "hiss images 1"
#define HISS_ROWS_FORMAT   "hiss rows 1" /* of rows that are no images, without a checksum */

typedef struct hiss_dataset hiss_dataset;
/* Open and verify: exists, dtype, shape, n >= 1, labels, checksum when recorded and options->verify (reads the whole
 * file: one rank of a job is enough). Of other values it reads up to 64 rows, for the identity. Labels stay in memory, 4 bytes a sample; they may be
 * absent when options->labels is the standard "/labels", NULL or "". Their values are numbered 0, 1, ... in order, so
 * that 0 .. K-1 stay what they are; with classes_of as that set numbers what is called alike, and others behind. The error text begins with the place of the key
 * whose value is wrong, and says what to do. */
hiss_status hiss_dataset_open(const hiss_data_options *options, uint64_t seed, hiss_dataset **out, hiss_error *err);
/* That of the generator `synthetic`, for measurements: n images of random pixels that depend on seed and position alone;
 * labels 0 .. classes - 1 in turn, none when classes is 0. Reading it is not for timing: pixels are made each time. */
hiss_dataset *hiss_dataset_synthetic(int64_t n, int64_t H, int64_t W, int64_t C, int64_t classes, uint64_t seed);
void hiss_dataset_close(hiss_dataset *set);
int64_t hiss_dataset_count(const hiss_dataset *set); /* n, after limit */
/* All fields, which live as long as the set: how many. By name: NULL when there is none. */
int hiss_dataset_fields(const hiss_dataset *set, const hiss_field **fields);
const hiss_field *hiss_dataset_field(const hiss_dataset *set, const char *name);
/* For messages: the file, or "generated NAME", and the data set of a field of the set. */
const char *hiss_dataset_file(const hiss_dataset *set);
/* "5 files of 600 rows, from a.h5 (100) to e.h5 (150)"; NULL unless there are several. Returns out.
 * Not collective. */
enum { HISS_FILES_TEXT = 1200 };
const char *hiss_dataset_files_text(const hiss_dataset *set, char out[HISS_FILES_TEXT]);
const char *hiss_field_source(const hiss_dataset *set, const hiss_field *field);
int64_t hiss_dataset_row(const hiss_dataset *set);                                    /* bytes of a sample */
void hiss_dataset_shape(const hiss_dataset *set, int64_t *H, int64_t *W, int64_t *C); /* of the image */
bool hiss_dataset_labelled(const hiss_dataset *set);
int64_t hiss_dataset_classes(const hiss_dataset *set);              /* of the file; 0 without labels */
const char *hiss_dataset_class(const hiss_dataset *set, int64_t c); /* name of a class: one line */
bool hiss_dataset_classes_named(const hiss_dataset *set);           /* other than 0, 1, ... */
char *hiss_dataset_class_lines(const hiss_dataset *set);            /* all names, each with its newline; free() it */
/* What the columns of field targets are called, a name a line: the attribute `classes` of its data set or, in files without
 * labels, of /. NULL: there are no targets, or the file does not say. It lives as long as set. Not collective. */
const char *hiss_dataset_target_names(const hiss_dataset *set);
/* What the numbers in samples that are rows of words stand for, as hiss prepare text has written it beside them. */
typedef struct hiss_vocabulary {
    int64_t count;           /* V: numbers 0 .. V - 1 */
    const char *const *word; /* [V] in UTF-8; the first is <unknown>, any other word */
    const int64_t *times;    /* [V] how often it occurs in the files */
    int64_t padding;         /* the number that fills up rows; 0: none does */
} hiss_vocabulary;
/* Lives as long as set. NULL: samples are no rows of words, or the files do not say which. Not collective. */
const hiss_vocabulary *hiss_dataset_vocabulary(const hiss_dataset *set);
/* An error (HISS_EUSER) where both sets have a vocabulary, and set another one than known. Not collective. */
hiss_status hiss_dataset_expect_vocabulary(const hiss_dataset *set, const hiss_dataset *known, hiss_error *err);
/* What is known of samples that are sound, as hiss prepare wav has written it beside them. */
typedef struct hiss_sound {
    int64_t rate;    /* values a second, 1 or more */
    int64_t overlap; /* values that a row has in common with the one before; 0: none, or nothing is said of it */
} hiss_sound;
/* Lives as long as set. NULL: samples are no sound, or the files do not say its rate. Not collective. */
const hiss_sound *hiss_dataset_sound(const hiss_dataset *set);
/* An error (HISS_EUSER) where the rates of both sets are known, and not the same. Not collective. */
hiss_status hiss_dataset_expect_sound(const hiss_dataset *set, const hiss_dataset *known, hiss_error *err);
/* Warn of each class that no sample in use has, or all have, or that is judged in none. Reads the whole field. Not
 * collective. Errors: those of reading. */
hiss_status hiss_dataset_warn_of_targets(hiss_dataset *set, hiss_error *err);
/* Whether two such lists, both not NULL, differ; out: in which first, and how, as the rest of a sentence. Not
 * collective. */
enum { HISS_NAMES_TEXT = 240 };
bool hiss_names_differ(const char *expected, const char *found, char out[HISS_NAMES_TEXT]);
/* An error (HISS_EUSER) where the set's targets have other names than `names`, which whose names: "train.h5". Where one of
 * both is NULL: none. Not collective. */
hiss_status hiss_dataset_expect_targets(const hiss_dataset *set, const char *names, const char *whose,
                                        const char *advice, hiss_error *err);
/* Rows that are decoded for each one streamed straight from the file, where samples are shuffled together in groups of
 * `window` neighbours (0: all); 1 where rows can be read alone. Not collective. */
double hiss_dataset_amplification(const hiss_dataset *set, int64_t window);
/* The data set that is so; it lives as long as set. NULL for a generated one. Not collective. */
const char *hiss_dataset_dearest(const hiss_dataset *set);
bool hiss_dataset_generated(const hiss_dataset *set); /* by a generator: there is no file. Not collective. */
/* Type and shape of the fields, a hash of a sample of their rows, a hash of all labels where there are any, and the
 * checksum that hiss prepare recorded: "uint8 [60000,28,28,1], pixels 0123..., labels 0123..., sha256 0123...". Where
 * the values lie, and how they are packed, is no part of it. */
const char *hiss_dataset_identity(const hiss_dataset *set);
/* Whether two identities may be of the same data: what both have is equal. Not collective. */
bool hiss_dataset_identities_agree(const char *a, const char *b);
/* An error when a file that was read since the last call, or since it was opened, has been changed, replaced or removed:
 * what was read may not be what was opened. Files whose time alone is new are compared by 64 rows, and by a recorded
 * checksum where options->verify was set, and warned of. Labels are in memory and not compared. Reads must go on in other
 * threads only. Allocates when files were touched. Not collective. */
hiss_status hiss_dataset_unchanged(hiss_dataset *set, hiss_error *err);
/* Whether neighbouring samples share a label far more often than by chance, so that a lane would see few classes. Never
 * without labels. Looks at the first million. Allocates. */
bool hiss_dataset_looks_sorted(hiss_dataset *set);
/* Read samples [begin, begin+count) (positions after `order`) for evaluation: rows [count][bytes of a sample] or
 * NULL, labels [count], -1 where there is none, or NULL. Thread-safe. Allocates when order is permuted. */
hiss_status hiss_dataset_read(hiss_dataset *set, int64_t begin, int64_t count, uint8_t *rows, int32_t *labels,
                              hiss_error *err);

/* The same for samples position[count], in any order; fastest when ascending. Thread-safe. Allocates. */
hiss_status hiss_dataset_read_list(hiss_dataset *set, int64_t count, const int64_t *position, uint8_t *rows,
                                   int32_t *labels, hiss_error *err);

/* Whether a generator made the set's samples, and can make them by other actions. Not collective. */
bool hiss_dataset_acts(const hiss_dataset *set);
/* A sample of such a set as it would be if from frame `from` on something else were done: see act of hiss/generate.h. row [bytes of a
 * sample]. Thread-safe. Not collective. */
void hiss_dataset_act(const hiss_dataset *set, int64_t sample, int64_t from, const float *action, uint8_t *row);

/* Where the first thing of field `place` is in a picture [H,W,C] of 0..1, by the generator's find, which there is where set finds.
 * Thread-safe. Not collective. */
bool hiss_dataset_finds(const hiss_dataset *set);
bool hiss_dataset_find(const hiss_dataset *set, const float *picture, float out[2]);

/* ---- shards and batches ---- */

/* A sample's index is its position after `order` (its row in the file when order is file). Lane l's shard is
 * [shards[l], shards[l+1]) of hiss_shards_partition. */
void hiss_shards_partition(int64_t n, int64_t lanes, int64_t *shards /*[L+1]*/);
/* Steps of an epoch, floor(smallest shard / m), of the n samples of a file. Errors (HISS_EUSER): none. Not
 * collective. */
hiss_status hiss_epoch_steps(const char *file, int64_t n, int64_t lanes, int64_t m, int64_t *steps, hiss_error *err);

typedef struct hiss_batch { /* m samples; pointers are valid until the next hiss_loader_next or hiss_samples_read */
    int64_t m;
    const int64_t *sample;     /* [m] sample indices */
    const uint8_t *const *row; /* [m] -> bytes of a sample */
    const int32_t *label;      /* [m], or NULL without labels */
} hiss_batch;
/* The values of a field of sample i, aligned for their type. Not collective. */
const void *hiss_batch_values(const hiss_batch *batch, int64_t i, const hiss_field *field);

/* Samples of a data set: index[count], ascending, or [begin, begin + count) where index is NULL. */
typedef struct hiss_sample_range {
    hiss_dataset *set;
    int64_t begin, count;
    int64_t *index;
} hiss_sample_range;
/* The sample of the data set that is sample i of the range. Not collective. */
int64_t hiss_sample_at(const hiss_sample_range *range, int64_t i);
/* Samples i .. i + count - 1 of a range, as hiss_dataset_read. */
hiss_status hiss_sample_read(const hiss_sample_range *range, int64_t i, int64_t count, uint8_t *rows, int32_t *labels,
                             hiss_error *err);

/* Samples of a range in memory, of which any m in a row are a batch. Not collective; one thread at a time. */
typedef struct hiss_samples hiss_samples;
hiss_samples *hiss_samples_create(const hiss_dataset *set, int64_t most); /* at most so many */
void hiss_samples_destroy(hiss_samples *s);                               /* NULL is allowed */
/* Read `count` samples from sample `first` of the range on; after its last one comes its first again, which is how the
 * last, shorter piece of a range is filled up everywhere. Allocates. Errors: those of hiss_dataset_read. */
hiss_status hiss_samples_read(hiss_samples *s, const hiss_sample_range *range, int64_t first, int64_t count,
                              hiss_error *err);
/* Samples at .. at + m - 1 of those read; valid until the next read. */
hiss_batch hiss_samples_batch(const hiss_samples *s, int64_t at, int64_t m);

/* Loader of the lanes [first_lane, end_lane) of L. In memory mode the shards are read now; in stream mode a prefetch
 * thread reads ahead into a ring of steps, within data->memory bytes. Both give the same batches. Where rows lie in chunks
 * that are decoded as a whole, nothing is streamed that fits into data->memory, and what does not is decoded once, into a
 * file in $TMPDIR or /var/tmp, while there is room for it. The loader keeps set and trace,
 * not options. */
typedef struct hiss_loader hiss_loader;
typedef struct hiss_loader_options {
    hiss_dataset *set;
    const hiss_data_options *data;
    uint64_t seed;
    int64_t lanes, first_lane, end_lane, m;
    hiss_trace *trace; /* of what the reading thread does; NULL: none */
} hiss_loader_options;
hiss_status hiss_loader_create(const hiss_loader_options *options, hiss_loader **out, hiss_error *err);
void hiss_loader_destroy(hiss_loader *loader);
bool hiss_loader_streams(const hiss_loader *loader);
int64_t hiss_loader_bytes(const hiss_loader *loader); /* of samples in memory */
int64_t hiss_loader_steps(const hiss_loader *loader); /* steps per epoch */
/* Make (epoch, step) the next one; streaming starts there. The step entered stays valid. Within an epoch, the order of
 * lane l's shard is the keyed permutation (seed, HISS_FOR_SHUFFLE, epoch, l). With a window it permutes groups of that
 * many neighbours (the last one short), and the group that begins with sample b is permuted by (..., lanes + b). */
void hiss_loader_seek(hiss_loader *loader, int64_t epoch, int64_t step);
/* Main thread: enter the next step (waits for the prefetch thread in stream mode); then batches of all local lanes can
 * be fetched from any thread until the next call, each lane's by one thread at a time. epoch and step are those of the
 * step entered. Errors are those of reading; they persist until a seek. */
hiss_status hiss_loader_next(hiss_loader *loader, int64_t *epoch, int64_t *step, hiss_error *err);
hiss_batch hiss_loader_batch(hiss_loader *loader, int64_t lane);
double hiss_loader_waited(const hiss_loader *loader); /* seconds next() has waited so far */

/* ---- few labels ---- */

/* Samples by class. */
typedef struct hiss_class_members {
    int64_t samples, classes;
    int64_t *start;  /* [classes+1] */
    int64_t *member; /* those of class c: member[start[c]] .. member[start[c + 1] - 1], ascending */
} hiss_class_members;
/* Of labels [n], of which those outside 0 .. classes - 1 belong to no class. Release with the next. */
hiss_class_members hiss_class_members_of(int64_t n, const int32_t *label, int64_t classes);
void hiss_class_members_free(hiss_class_members *members);
/* Draw `number`: the first `each` samples of each class, or all where it has fewer, in an order that seed, number and
 * class name, so that draws of more samples hold those of fewer.
 *   index  out  samples, ascending; hiss_free it
 * How many. Not collective. */
int64_t hiss_class_members_draw(const hiss_class_members *members, uint64_t seed, int64_t number, int64_t each,
                                int64_t **index);

/* Draw 0 of `each` samples of every class of a set, in memory: all of *out is one batch of *count samples. Not
 * collective. Errors (HISS_EUSER) name data.labelled: no labels, or a class with too few of them; those of reading. */
hiss_status hiss_labelled_read(hiss_dataset *set, int64_t each, uint64_t seed, hiss_samples **out, int64_t *count,
                               hiss_error *err);

/* ---- augmentation ---- */

enum { HISS_MAX_CHANNELS = 256 };
/* Pixels in 0..1 become (pixel - mean) / std, channel by channel. */
typedef struct hiss_scaling {
    bool measured_mean, measured_std; /* `auto`: over the training set, which is not yet done after the check */
    int count;                        /* channels, or 1 for all alike */
    double mean[HISS_MAX_CHANNELS], std[HISS_MAX_CHANNELS];
} hiss_scaling;

typedef struct hiss_augment_options { /* section "augment" */
    int64_t height, width;            /* size of the network's input; 0: that of the data */
    double shift;                     /* random shift, pixels of the network's input, each direction */
    double scale_min, scale_max;      /* side of the sampled window / side of the image; below 1 zooms in */
    double rotate;                    /* degrees, each direction */
    bool flip;                        /* mirror with probability 1/2 */
    double contrast;                  /* multiply by 1 - c .. 1 + c */
    int crop;                    /* window | random: `random` cuts height x width at a uniform offset (no resampling
                         when the other knobs are off), `window` samples the whole image affinely */
    int normalize;               /* fixed | image: (x - mean) / std with the two below, or each image's own */
    const hiss_yaml *mean, *std; /* a number, a list of one per channel, or auto; NULL: 0 and 1 */
    hiss_scaling scaling;        /* no row: what they say, by hiss_augment_check */
} hiss_augment_options;
extern const hiss_row hiss_augment_rows[];
extern const int hiss_augment_nrows;

/* Check the options against the size of images and their channels; fill height and width when 0, and scaling. */
hiss_status hiss_augment_check(hiss_augment_options *options, int64_t H, int64_t W, int64_t C, hiss_error *err);

/* An image as it is stored. */
typedef struct hiss_stored_image {
    int64_t H, W, C;
    const uint8_t *bytes; /* [H,W,C]; NULL: */
    const float *floats;  /* values minus what stands for black */
    double span;          /* white minus black: 255 for bytes, as a rule */
} hiss_stored_image;
/* Sample one training view: out[height,width,C] from an image, drawing only from rng. One affine map (shift, scale,
 * rotation, flip) with bilinear sampling, black outside, then contrast, then normalisation. Takes 8 words from rng
 * whatever the options. Thread-safe. */
void hiss_augment_sample(const hiss_augment_options *options, const hiss_stored_image *image, hiss_rng *rng,
                         float *out);
/* How a view's values stand for pixels in 0..1: value v for mean + std v, with the two of its channel where there are
 * several. */
typedef struct hiss_pixel_scale {
    double mean, std;
    const hiss_scaling *channels; /* NULL: all alike */
} hiss_pixel_scale;
double hiss_pixel_of(const hiss_pixel_scale *scale, int64_t channel, double value);
/* The evaluation view: with crop random the centre height x width, with crop window the whole image; normalised alike.
 * Thread-safe. */
hiss_pixel_scale hiss_augment_center(const hiss_augment_options *options, const hiss_stored_image *image, float *out);
/* One of ten: 0 the centre, 1 to 4 the corners (above left, above right, below left, below right), 5 to 9 these mirrored.
 * Corners are those of the stored image with crop random, and the centre moved by `shift` both ways with crop window.
 * Thread-safe. Source: Krizhevsky et al., ImageNet Classification with Deep Convolutional Neural Networks, 2012, 4.1. */
enum { HISS_CROPS = 10 };
void hiss_augment_crop(const hiss_augment_options *options, const hiss_stored_image *image, int crop, float *out);
/* A part of a stored image, in its pixels: x0 <= x < x1, y0 <= y < y1; pixel k lies from k to k + 1. */
typedef struct hiss_box {
    float x0, y0, x1, y1;
} hiss_box;
/* That part alone, as hiss_augment_center with crop window has the whole image: resampled to height x width, bilinearly.
 * out[height,width,C]. Thread-safe. */
hiss_pixel_scale hiss_augment_box(const hiss_augment_options *options, const hiss_stored_image *image,
                                  const hiss_box *box, float *out);
/* Whether the corners of images of this size are others than the centre. */
bool hiss_augment_has_corners(const hiss_augment_options *options, int64_t H, int64_t W);
/* What it does with images of a field, in words: cut height x width at (top, left), or sample the whole image; then subtract
 * low, divide by span, and normalise, by scaling or by the view's own mean and deviation, which is at least 1 / 255. */
typedef struct hiss_center {
    int64_t H, W, C, height, width, top, left;
    double low, span;
    bool samples, own;
    const hiss_scaling *scaling; /* of the options */
} hiss_center;
hiss_center hiss_augment_center_of(const hiss_augment_options *options, const hiss_field *image);

/* ---- hiss prepare ---- */

/* Words of a command line, of which those that are patterns, and no file, become the files that match, as in data.file.
 *   out  [nout], in arena
 * Not collective. Errors: a pattern that no file matches. */
hiss_status hiss_files_expand(hiss_arena *arena, const char *const *words, int count, const char ***out, int *nout,
                              hiss_error *err);

enum { HISS_PREPARE_SIDE = 16384 }; /* the most rows, and columns, of stored pictures */
typedef struct hiss_prepare_options {
    const char *output; /* HDF5 file to write (durably) */
    int64_t seed;       /* of the recorded shuffle; shuffle false keeps the order */
    bool shuffle;
    int64_t chunk;                   /* rows per chunk; 0: contiguous */
    int64_t deflate;                 /* 0..9 */
    int64_t height, width, channels; /* pictures: size of the stored images (short side scaled, then centre crop) */
    int64_t tiles;                   /* pictures: the short side is scaled to this, and cut into images; 0: not */
    const char *layout;              /* npz, HDF5: the axes of images, as data.layout; NULL: n first, channels last */
    const char *split;               /* npz: begins the names of arrays; NULL: nothing does */
    bool skip_broken;                /* pictures that cannot be read are left out; else all are named, in an error */
} hiss_prepare_options;
/* Formats of files that hold an array (src/data/list.h), ended by NULL. Not collective. */
const char *const *hiss_prepare_formats(void);
/* Files of one of these formats: images uint8 [n,H,W] or [n,H,W,C], labels integers [n], or NULL. */
hiss_status hiss_prepare_arrays(const hiss_prepare_options *options, const char *format, const char *images,
                                const char *labels, hiss_error *err);
/* A folder of JPEG, PNG, PPM/PGM images; sub-folders, sorted by name, become labels 0, 1, ... Pictures are turned as
 * their Exif orientation says. */
hiss_status hiss_prepare_folder(const hiss_prepare_options *options, const char *folder, hiss_error *err);

/* PASCAL VOC, a folder as VOCdevkit/VOC2007: into the folder options->output train.h5, of the pictures of trainval.txt, and
 * test.h5, where there is a test.txt. Each has /images, /targets uint8 [n,K], which of K classes are there (1), not there (0) or
 * only in objects that are difficult or cut off (255), /boxes float32 [n,M,5] class, x0, y0, x1, y1 in pixels of the image,
 * class -1 for none, and on / classes, their K names. Errors: those of reading, with FILE:LINE; a picture in both lists. */
hiss_status hiss_prepare_voc(const hiss_prepare_options *options, const char *folder, hiss_error *err);

/* Scenes: objects on photographs, composed by the seed: /images uint8 [rows,height,width,3]; /targets uint8 [rows,K], which
 * of K classes are there (1), not there (0) or there but hard to see (255); /boxes float32 [rows,4,5] class, x0, y0, x1, y1
 * in pixels of the image, class -1 for none. On / classes has their K names. Of `options` output, seed, height, width, chunk
 * and deflate count. */
typedef struct hiss_scenes_source {
    const char *stamps;  /* folder KIND/CLASS/ of PNG files with alpha; classes of a kind occur together */
    const char *grounds; /* folder of pictures, which are at least as large as a scene */
    int64_t rows;        /* 1 or more */
} hiss_scenes_source;
hiss_status hiss_prepare_scenes(const hiss_prepare_options *options, const hiss_scenes_source *source, hiss_error *err);

/* HDF5 files in any layout that hiss reads, joined along n. /images keeps their type, but float64 as float32, and
 * enumerations, of 0 and 1, as booleans. /targets and /boxes, as the two above write them, go along. Errors: those of reading;
 * files that are not alike. */
typedef struct hiss_hdf5_source {
    const char *const *file;
    int64_t nfiles;
    const char *images;       /* data set in each file; NULL: /images */
    const char *labels;       /* in each, or FILE:/NAME for one file; NULL: /labels if it is there; "": none */
    int64_t label_column;     /* as data.label_column */
    const char *ignore_label; /* as data.ignore_label */
    bool scaled;              /* map low..high to uint8 0..255, to the nearest; what is outside is cut */
    double low, high;
    const char *missing; /* as data.missing; NULL: values that are missing are an error */
    bool follow;         /* as data.follow: true, below the folder of each file */
    double test_share;   /* 0, or options->output is a folder, of train.h5 and test.h5, the latter
                                      * with so much of each class, drawn by seed */
} hiss_hdf5_source;
hiss_status hiss_prepare_hdf5(const hiss_prepare_options *options, const hiss_hdf5_source *source, hiss_error *err);

/* A file of numpy.savez: its arrays `images`, uint8 [n,H,W] or, with channels, as layout says, and `labels`, integers [n] or
 * [n,1]. NULL: images, and labels if there are any; labels "": none. With split S they are S_images and S_labels. Needs
 * libarchive, as the next one does. */
hiss_status hiss_prepare_npz(const hiss_prepare_options *options, const char *file, const char *images,
                             const char *labels, hiss_error *err);
/* Shards of WebDataset: tar files, plain or by gzip, read in this order; members with one name up to the first dot of
 * their last part are a sample, the rest of the name, in lower case, is the field.
 *   images  field of the pictures; NULL: the one of jpg, jpeg, png, ppm, pgm that is there
 *   labels  field of the labels, text, else key of the field json; NULL: cls, else label in json, if there are any; "":
 *           none */
hiss_status hiss_prepare_webdataset(const hiss_prepare_options *options, const char *const *files, int64_t nfiles,
                                    const char *images, const char *labels, hiss_error *err);

/* How a sequence becomes rows. */
typedef struct hiss_cut {
    int64_t length, overlap; /* values of a row; of them, those that the row before ends with */
    bool pad;                /* fill up the last row of each file instead of leaving it out */
    double trim;             /* of sound: cut off both ends of a file where they stay below this share of full scale */
} hiss_cut;
/* WAV files of one rate, or one folder of them, whose folders, sorted by name, are classes 0, 1, ...: /sound int16
 * [n,length], the mean of all channels; /file int32 [n]; /labels. Of `options` output, shuffle and seed count. */
hiss_status hiss_prepare_wav(const hiss_prepare_options *options, const hiss_cut *cut, const char *const *files,
                             int64_t nfiles, hiss_error *err);

typedef enum hiss_token { HISS_BY_WORDS, HISS_BY_BYTES } hiss_token;
#define HISS_TOKEN_CHOICES "words|bytes" /* their names, in order */
typedef struct hiss_tokens {
    int by;                 /* hiss_token */
    int64_t min_count;      /* words: how often one occurs that gets a number */
    const char *vocabulary; /* words: a prepared file that has the words; NULL: those of the files */
} hiss_tokens;
/* Text files in UTF-8: /tokens [n,length], int32 of words, uint8 of bytes; /file int32 [n]; of words, /vocabulary, strings
 * [V], and /count int64 [V]. Each file is read twice. Of `options` output, shuffle and seed count. */
hiss_status hiss_prepare_text(const hiss_prepare_options *options, const hiss_cut *cut, const hiss_tokens *tokens,
                              const char *const *files, int64_t nfiles, hiss_error *err);

/* ---- sound ---- */

/* Write values[sounds, count] of -1 .. 1, cut there, as a WAV file of one channel and 16 bits, durably: one sound after
 * another, with a quarter of a second of silence between them. Errors: HISS_EUSER, more than a file holds. Not collective. */
hiss_status hiss_wav_write(const char *path, int64_t rate, int64_t sounds, int64_t count, const float *values,
                           hiss_error *err);

#endif
