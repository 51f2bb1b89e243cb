/* Inside src/data: rows of a data set by position, many at once. */
#ifndef HISS_DATASET_IMPL_H
#define HISS_DATASET_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "classes.h"
#include "files.h"
#include "hiss/data.h"

/* Which axis of a data set counts its rows, and which are the axes of a sample, in order. */
typedef struct data_layout {
    int rows, ndim;
    int axis[HISS_H5_NDIM];
    char letter[HISS_H5_NDIM];
} data_layout;

/* What the numbers of a data set stand for, in one file. */
typedef struct data_packing {
    double scale, offset; /* value = scale * number + offset */
    int missing;          /* how many numbers stand for no value */
    double missing_number[2 * HISS_H5_MOST_NUMBERS];
} data_packing;

/* Where the values of a field are. */
typedef struct data_source {
    char *name, *dataset; /* of the field, of its data set */
    char *layout_word;    /* NULL: N first, all in order */
    data_files *files;    /* of its own: a file keeps the chunks of one data set */
    data_joined *joined;  /* the data set in them */
    bool misplaced;       /* data.layout is what is wrong with it */
    bool misfiled;        /* the same of data.file */
    data_layout layout;
    bool packed;           /* memory has values, as float32 */
    bool wide;             /* they are unpacked from numbers that float32 does not hold */
    data_packing *packing; /* of each file; NULL: numbers are values */
    bool replaced;         /* missing values and NaN, by a value */
    double replacement;
    int64_t dim[HISS_H5_NDIM]; /* [layout.ndim] of a sample, in order */
} data_source;

struct hiss_dataset {
    data_files *files;                      /* NULL: generated */
    const struct hiss_generator *generator; /* of the rows, or NULL */
    void *generated;                        /* what its create has made */
    void *options;                          /* its options when the set owns them, or NULL */
    char *name;                             /* of a generated set, or NULL */
    const char *path;                       /* of the files, or name: for messages */
    bool apart;                             /* each file is one sample */
    int64_t rows;                           /* in the files */
    int64_t n;                              /* in use */
    int fields;
    hiss_field field[HISS_MAX_FIELDS]; /* the first is the image */
    data_source source[HISS_MAX_FIELDS];
    int64_t row;                   /* bytes of a sample */
    void *piece;                   /* for fields whose axes are not in order; NULL: there are none */
    pthread_mutex_t lock;          /* of piece */
    hiss_h5_layout dearest_layout; /* of the field whose rows cost most */
    const char *dearest;           /* its data set */
    struct data_copy *copy;        /* of a loader's samples, or NULL */
    int32_t *label;                /* [rows], -1 where there is none; or NULL */
    const char *label_kind;        /* what they are in the file, as a plural */
    data_classes classes;
    char *target_names; /* of the columns of field targets, a line each; NULL: no file has them */
    const char *target_names_of, *target_names_at; /* the first file that has, and of what they are an attribute */
    struct data_vocabulary *vocabulary;            /* NULL: the numbers of a row are not those of words */
    struct data_sound *sound;                      /* NULL: nothing is known of it */
    int64_t *kept;                                 /* [kept_count] rows in use, ascending; NULL: all */
    int64_t kept_count;
    bool permuted;
    hiss_permutation order;
    char *identity;
    struct data_limits {
        double least, most;   /* that pixels lie between; both 0: anything is taken */
        const char *unit_for; /* the method that needs pixels of 0..1, or NULL */
        bool further;         /* samples to evaluate: what is set for training holds */
        bool words;           /* they are numbers of words */
    } limits;
    bool verify;      /* what is recorded, as at the start */
    atomic_bool read; /* something of the files since they were last seen to be unchanged */
};
enum { DATA_IMAGE = 0 }; /* among the fields */

char *data_text_copy(const char *text);
/* Put the place of the key in front of the error. A key that is not set speaks with the value of another, standard. */
hiss_status data_blame(const hiss_config *config, const char *key, const char *standard, hiss_status status,
                       hiss_error *err);

/* fields.c: look at the data sets of all fields, check them, and give each its place in a row. */
hiss_status data_fields_check(hiss_dataset *set, const hiss_data_options *options, hiss_error *err);
void data_fields_generated(hiss_dataset *set, const hiss_field *field, int fields);
void data_fields_destroy(hiss_dataset *set);
/* What HDF5 data of all fields may take beside the rows asked for; see hiss_h5_keep. */
void data_fields_keep(hiss_dataset *set, int64_t bytes);
/* Rows [begin, begin + count) of the file into out[count][row]. */
hiss_status data_fields_read(hiss_dataset *set, int64_t begin, int64_t count, uint8_t *out, hiss_error *err);
/* The same of one field alone; what lies between stays as it is. */
hiss_status data_fields_read_one(hiss_dataset *set, int k, int64_t begin, int64_t count, uint8_t *out, hiss_error *err);
/* The same, of a generator. */
void data_fields_make(const hiss_dataset *set, int64_t begin, int64_t count, uint8_t *out);
/* "uint8 [n,H,W,C]" of the first field, and " name uint8 [n,...]" of each further one. */
void data_fields_describe(const hiss_dataset *set, int field, FILE *stream);

/* dataset.c, generated.c: open the set that options name, but for their order and limit. */
hiss_status data_file_open(const hiss_data_options *options, hiss_dataset **out, hiss_error *err);
hiss_status data_generated_open(const hiss_data_options *options, hiss_dataset **out, hiss_error *err);

/* layout.c: axes by their letters, as data.layout has them. */
hiss_status data_layout_parse(const char *word, const hiss_h5_info *info, data_layout *out, hiss_error *err);
bool data_layout_has_channels(const data_layout *layout); /* else they are one */
bool data_layout_in_order(const data_layout *layout);
int64_t data_layout_piece(int64_t field_bytes); /* bytes of a piece */
/* Rows of a field into out, stride bytes apart, by way of piece. */
hiss_status data_layout_read(const data_source *source, const hiss_field *field, int64_t begin, int64_t count,
                             int64_t stride, void *piece, uint8_t *out, hiss_error *err);

/* The axis of samples in a data set with that layout (NULL: the first), or DATA_APART, as each file is one. */
int data_layout_axis(const char *word);

/* packing.c: find what the attributes of the source's data set, which has values of that type, say of its numbers. */
hiss_status data_packing_find(data_source *source, hiss_dtype stored, hiss_error *err);
/* The same of any data set: *out, of each file, or NULL when numbers are values. */
hiss_status data_packing_list(data_files *files, const char *dataset, hiss_dtype stored, data_packing **out,
                              bool *packed, hiss_error *err);
/* Whether a number in a row stands for no value; list: NULL is allowed. */
bool data_packing_misses(const data_packing *list, const data_files *files, const data_joined *joined, int64_t row,
                         double number);
/* The least and the largest number that pixels of a type can be set to; whether it is one of integers. */
bool data_packing_limits(hiss_dtype dtype, double *least, double *most);
/* Let `value`, which their type must hold, stand for pixels without one; text: as the user wrote it. */
hiss_status data_packing_replace(data_source *source, const hiss_field *field, double value, const char *text,
                                 hiss_error *err);
/* Whether a row has a value that is a number, but none of float32; which. */
bool data_packing_overflows(const data_source *source, const hiss_field *field, int64_t row, double *value);
/* Rows of a field as data_joined_read has them, but for wide ones, which are values then. */
hiss_status data_packing_read(const data_source *source, const hiss_field *field, int64_t begin, int64_t count,
                              int64_t stride, void *out, hiss_error *err);
/* From the numbers of the sample in a row to its values, in place, which must be finite; missing ones must have been
 * replaced. NULL, or what they are instead. */
const char *data_packing_unpack(const data_source *source, const hiss_field *field, int64_t row, void *values);

/* labels.c: read and check the labels that options name, and make them classes; an error leaves none, and
 * *key is that of the config whose value is wrong. Then, perhaps, use only rows that have one. */
hiss_status data_labels_read(hiss_dataset *set, const hiss_data_options *options, const char **key, hiss_error *err);
void data_labels_keep(hiss_dataset *set);
/* Say which classes there are; path: of the files they are in. */
void data_labels_tell(const char *path, const char *dataset, const data_classes *classes, bool some_have_none);

/* targets.c: what the columns of field targets are called, where there are some. All files that say so must agree, with
 * another set, too (NULL: none). */
hiss_status data_targets_read(hiss_dataset *set, const hiss_dataset *known, hiss_error *err);
/* vocabulary.c: that of all files, which then bounds the numbers in rows, where the first has one. */
hiss_status data_vocabulary_read(hiss_dataset *set, hiss_error *err);
void data_vocabulary_destroy(hiss_dataset *set);
/* sound.c: what the files say of sound, where samples are of int16. */
hiss_status data_sound_read(hiss_dataset *set, hiss_error *err);
/* How many names, one a line. */
int64_t data_lines_count(const char *lines);
/* One of them for messages, "'bird'", or "no class" behind the last. Returns out. */
enum { DATA_LINE_SHOWN = 60 };
const char *data_line_show(const char *lines, int64_t number, char out[DATA_LINE_SHOWN + 3]);

/* Whether position i is row i of the file. */
bool data_set_in_file_order(const hiss_dataset *set);
/* The row of the file at a position. */
int64_t data_set_row_of(const hiss_dataset *set, int64_t position);
/* The position of a row of the file; -1 when it is not in use. */
int64_t data_set_position_of(const hiss_dataset *set, int64_t row);
/* Label of a sample; the set must be labelled. */
int32_t data_set_label(const hiss_dataset *set, int64_t position);

/* A list of samples to fetch, and room to fetch neighbours in one read. */
typedef struct data_gather {
    struct data_pick {
        int64_t row; /* of the file */
        uint8_t *to;
    } * pick;
    int64_t count, capacity;
    uint8_t *staging;
    int64_t staging_rows;
} data_gather;
void data_gather_create(const hiss_dataset *set, int64_t capacity, data_gather *out);
void data_gather_destroy(data_gather *gather);
void data_gather_add(const hiss_dataset *set, data_gather *gather, int64_t position, uint8_t *to);
/* Read what was added, in file order, and empty the list. Allocates nothing. */
hiss_status data_gather_run(hiss_dataset *set, data_gather *gather, hiss_error *err);

/* Whether the data set images of the file is one by hiss prepare; err: why that cannot be said, if so. */
bool data_prepared(hiss_h5 *file, const char *images, hiss_error *err);

/* The values of field k in a row, after missing ones were replaced, must be numbers: one that is not would be in
 * all parameters after the next step. Errors name the row. (range.c) */
hiss_status data_check_sample(const hiss_dataset *set, int k, int64_t row, void *values, hiss_error *err);
/* Let every row that is read from now on be checked for pixels that no image of this range has. (range.c) */
void data_range_limit(hiss_dataset *set, const hiss_data_options *options);
/* Whether all values of a sample lie in least..most. (values.c) */
bool data_values_within(const hiss_field *field, const void *values, double least, double most);
/* Whether pixels whose type says nothing of their range are about 0..1, where there is no data.range. (range.c) */
hiss_status data_range_check(hiss_dataset *set, const hiss_data_options *options, hiss_error *err);
/* data.range into the image's field. (range.c) */
hiss_status data_range_read(hiss_dataset *set, const hiss_data_options *options, hiss_error *err);

#endif
