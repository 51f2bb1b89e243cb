/* Inside src/data: several files that are one, by rows. */
#ifndef HISS_FILES_H
#define HISS_FILES_H

#include "hiss/data.h"

/* ---- their paths ---- */

typedef struct data_paths {
    int64_t count;
    char **path;
    char *name; /* of them all, for messages: "a.h5", "train-*.h5 (5 files)", "a.h5 and 4 more" */
} data_paths;
/* text: as of a HISS_PATHS row. Patterns become the files that match, sorted by their bytes. Errors: no file; not there;
 * twice the same. After an error there is nothing to free. */
hiss_status data_paths_find(const char *text, const char *what, const char *advice, data_paths *out, hiss_error *err);
void data_paths_free(data_paths *paths);
/* An error when two of them are one file, be it by a link. Those that are not there do not count. */
hiss_status data_paths_once(const char *const *path, int64_t count, hiss_error *err);

/* Warn that a file, and so many more, have no rows. */
void data_warn_of_empty(const char *path, int64_t more);

/* ---- the files ---- */

typedef struct data_files data_files;
/* How files are opened. */
typedef struct data_files_options {
    const char *what, *advice; /* of the error that one is not there */
    bool follow;               /* links into other files, and virtual data sets, below the folder of the first file */
    const hiss_yaml *folders;  /* and below these, a list; NULL: none */
} data_files_options;
/* As the options of data say; data.follow was checked. */
data_files_options data_files_how(const hiss_data_options *options);
/* All of them are probed, and some stay open, at most 32. An error of a folder sets *misfollowed. */
hiss_status data_files_open(const char *text, const data_files_options *options, data_files **out, bool *misfollowed,
                            hiss_error *err);
/* The same files, which are closed last, once more: for another reader. */
data_files *data_files_again(const data_files *files);
void data_files_close(data_files *files); /* NULL is allowed */
const char *data_files_name(const data_files *files);
int64_t data_files_count(const data_files *files);
const char *data_files_path(const data_files *files, int64_t number);
/* One of them, for as long as it is held; another thread may hold it, too. Its changing since it was opened is an error. */
hiss_status data_files_hold(data_files *files, int64_t number, hiss_h5 **out, hiss_error *err);
void data_files_release(data_files *files, hiss_h5 *file);
/* Whether links or virtual data sets have led to a file. */
bool data_files_follow(const data_files *files, const char *path);
/* An error when a file, or one that links led to, is no longer the one that was opened. *count: how many others have
 * another time alone, the first of which is *touched. For one thread. */
hiss_status data_files_unchanged(data_files *files, const char **touched, int64_t *count, hiss_error *err);
/* Take those for what was opened. */
void data_files_accept(data_files *files);
/* Read anew from the disk: files that nobody holds are closed, and decoded rows forgotten. */
void data_files_forget(data_files *files);
/* Of the first. */
bool data_files_has(data_files *files, const char *dataset);
/* Bytes that may be decoded at a time and held back, by all of them; as hiss_h5_keep. */
void data_files_keep(data_files *files, int64_t bytes);

/* ---- a data set of all files ---- */

typedef struct data_joined data_joined;
enum { DATA_APART = -1 };
/* Join the data sets of one name along an axis, or, with DATA_APART, make each the row of one file; then a single value
 * is one of [1]. It lives as long as files. All must agree in the rest with the first, but, if any_integer, for the size of
 * integers, which int64 can hold; otherwise *misfiled, and the error names the file. */
hiss_status data_files_join(data_files *files, const char *dataset, int axis, bool any_integer, data_joined **out,
                            bool *misfiled, hiss_error *err);
/* As if they were one data set; with DATA_APART the first axis counts files. */
const hiss_h5_info *data_joined_info(const data_joined *joined);
hiss_dtype data_joined_values(const data_joined *joined);
/* Of the file where it costs most. */
hiss_h5_layout data_joined_layout(const data_joined *joined);
/* Rows of one file, from begin on. */
int64_t data_joined_run(const data_joined *joined, int64_t begin);
/* Where a row is: its file, and its number there. */
const char *data_joined_place(const data_joined *joined, int64_t row, int64_t *there);
/* Number of the first row of a file; of the one behind the last: all rows. */
int64_t data_joined_first(const data_joined *joined, int64_t file);
/* As hiss_h5_read_rows; with an axis other than the first, at most a run. */
hiss_status data_joined_read(data_joined *joined, hiss_dtype dtype, int64_t begin, int64_t count, int64_t stride,
                             void *out, hiss_error *err);
hiss_status data_joined_texts(data_joined *joined, hiss_h5_text_visit visit, void *user, hiss_error *err);
/* Warn of files without a row, where others have some. */
void data_joined_warn_of_empty(const data_joined *joined);
/* Warn of rows that were never written. */
void data_joined_warn(const data_joined *joined);

#endif
