/* Inside src/data: rows of a data set by position, many at once. */
#ifndef HISS_DATASET_IMPL_H
#define HISS_DATASET_IMPL_H

#include <pthread.h>
#include <stdio.h>

#include "classes.h"
#include "hiss/data.h"

/* Which axis of a data set counts its rows, and which are the axes of a sample, in order. */
typedef struct data_layout {
    int rows, ndim;
    int axis[HISS_H5_NDIM];
    char letter[HISS_H5_NDIM];
} data_layout;

/* Where the values of a field are. */
typedef struct data_source {
    char *name, *dataset; /* of the field, of its data set */
    char *layout_word;    /* NULL: N first, all in order */
    hiss_h5 *file;        /* of its own: a file keeps the chunks of one data set */
    bool misplaced;       /* data.layout is what is wrong with it */
    data_layout layout;
    int64_t dim[HISS_H5_NDIM]; /* [layout.ndim] of a sample, in order */
} data_source;

struct hiss_dataset {
    hiss_h5 *file; /* NULL: synthetic */
    uint64_t seed; /* of synthetic pixels */
    char *path;
    int64_t rows; /* in the file */
    int64_t n;    /* in use */
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
    data_classes classes;
    int64_t *kept; /* [kept_count] rows in use, ascending; NULL: all */
    int64_t kept_count;
    bool permuted;
    hiss_permutation order;
    char *identity;
};
enum { DATA_IMAGE = 0 }; /* among the fields */

char *data_text_copy(const char *text);
/* Put the place of the key in front of the error. A key that is not set speaks with the value of another, standard. */
hiss_status data_blame(const hiss_config *config, const char *key, const char *standard, hiss_status status,
                       hiss_error *err);

/* fields.c: look at the data sets of all fields, check them, and give each its place in a row. */
hiss_status data_fields_check(hiss_dataset *set, const hiss_data_options *options, hiss_error *err);
void data_fields_synthetic(hiss_dataset *set, int64_t H, int64_t W, int64_t C);
void data_fields_destroy(hiss_dataset *set);
/* What HDF5 data of all fields may take beside the rows asked for; see hiss_h5_keep. */
void data_fields_keep(hiss_dataset *set, int64_t bytes);
/* Rows [begin, begin + count) of the file into out[count][row]. */
hiss_status data_fields_read(hiss_dataset *set, int64_t begin, int64_t count, uint8_t *out, hiss_error *err);
/* "uint8 [n,H,W,C]" of the first field, and " name uint8 [n,...]" of each further one. */
void data_fields_describe(const hiss_dataset *set, int field, FILE *stream);

/* layout.c: axes by their letters, as data.layout has them. */
hiss_status data_layout_parse(const char *word, const hiss_h5_info *info, data_layout *out, hiss_error *err);
bool data_layout_in_order(const data_layout *layout);
int64_t data_layout_piece(int64_t field_bytes); /* bytes of a piece */
/* Rows of a field into out, stride bytes apart, by way of piece. */
hiss_status data_layout_read(const data_source *source, const hiss_field *field, int64_t begin, int64_t count,
                             int64_t stride, void *piece, uint8_t *out, hiss_error *err);

/* labels.c: read and check the labels that options name, and make them classes; an error leaves none, and
 * *key is that of the config whose value is wrong. Then, perhaps, use only rows that have one. */
hiss_status data_labels_read(hiss_dataset *set, const hiss_data_options *options, const char **key, hiss_error *err);
void data_labels_keep(hiss_dataset *set);

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

/* Value of the attribute hiss_format of / in files by hiss prepare. */
#define HISS_IMAGES_FORMAT "hiss images 1"

#endif
