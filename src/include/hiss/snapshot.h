/* A checkpoint in memory, and the files of RUN/ckpt. Knows neither ranks nor models; not collective. What a run stores
 * of a model is in hiss/experiment.h.
 *
 * The file is HDF5, followed by one line of HISS_SNAPSHOT_FOOTER bytes:
 *     hiss checkpoint 3 sha256 HEX\n        HEX: SHA-256 of all bytes before the line
 * so that any change to the file shows, and `head -c -90 FILE | sha256sum` checks it, too. Besides, /sha256/NAME (64
 * characters) is the checksum of the values of data set /NAME. */
#ifndef HISS_SNAPSHOT_H
#define HISS_SNAPSHOT_H

#include <stdint.h>

#include "hiss/data.h"
#include "hiss/hash.h"

enum { HISS_SNAPSHOT_FOOTER = 90, HISS_SNAPSHOT_NAME = 256 };

/* ---- in memory ---- */

typedef struct hiss_snapshot hiss_snapshot;
hiss_snapshot *hiss_snapshot_create(void);
void hiss_snapshot_destroy(hiss_snapshot *s); /* NULL is allowed */
/* Add a data set ("/model/conv1/weight") or a text, an attribute of /; then lay out the file, once. What comes later
 * allocates nothing that stays. */
void hiss_snapshot_add(hiss_snapshot *s, const char *name, const hiss_h5_info *info);
void hiss_snapshot_text(hiss_snapshot *s, const char *name, const char *text);
hiss_status hiss_snapshot_layout(hiss_snapshot *s, hiss_error *err);
/* Where the values of the index-th data set added are; not aligned. */
void *hiss_snapshot_at(hiss_snapshot *s, int index);
int64_t hiss_snapshot_bytes(const hiss_snapshot *s); /* of the file */
/* Compute the checksums, and write the file: durable, and read back before it gets its name. */
hiss_status hiss_snapshot_write(hiss_snapshot *s, const char *path, hiss_error *err);

/* ---- files ---- */

/* Whether every byte is as it was written. Errors say what is wrong; HISS_ESYSTEM: it could not be read, or is of
 * another format, and may be good for others. */
hiss_status hiss_snapshot_verify(const char *path, hiss_error *err);
/* The checksum of a file that verifies, as its last line has it. */
hiss_status hiss_snapshot_sum(const char *path, char text[HISS_HASH_TEXT], hiss_error *err);
/* A data set in a file has this type, one dimension, and this many values. */
hiss_status hiss_snapshot_expect(hiss_h5 *file, const char *path, const char *name, hiss_dtype dtype, int64_t count,
                                 hiss_error *err);
/* Like hiss_h5_read of the rows [begin, begin + count), and the checksum of the whole data set is right. The caller has
 * checked its shape. Allocates. */
hiss_status hiss_snapshot_read(hiss_h5 *file, const char *path, const char *name, hiss_dtype dtype, int64_t begin,
                               int64_t count, void *out, hiss_error *err);

void hiss_snapshot_path(const char *run, int64_t step, char *out, size_t size); /* RUN/ckpt/step-N.h5 */
/* Steps of the checkpoints in RUN/ckpt, newest first, into *steps (hiss_free); returns their number, -1
 * when the folder is there but cannot be listed. */
int hiss_snapshot_list(const char *run, int64_t **steps);
/* The newest checkpoint that verifies into path[size], empty when there is none; one warning for each that does not.
 *   set_aside  those are renamed to NAME.broken, unless they only could not be read
 *   rejected   out  their number; -1: the folder cannot be listed */
void hiss_snapshot_newest(const char *run, bool set_aside, char *path, size_t size, int *rejected);
/* Remove what processes that are no more left unfinished in RUN and RUN/ckpt. The caller holds the run's lock. */
void hiss_snapshot_sweep(const char *run);

#endif
