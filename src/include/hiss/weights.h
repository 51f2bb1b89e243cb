/* What a checkpoint holds of a model, as files that other programs read: safetensors and npz. The same weights give the
 * same bytes: nothing in them tells when or where they were written. Not collective. */
#ifndef HISS_WEIGHTS_H
#define HISS_WEIGHTS_H

#include <stdio.h>

#include "hiss/alloc.h"
#include "hiss/status.h"
#include "hiss/tensor.h"

typedef struct hiss_weight {
    const char *name; /* "conv1/weight" */
    hiss_shape shape;
    const float *values;
} hiss_weight;

typedef struct hiss_weights_remark { /* what a file says of itself */
    const char *key, *text;
} hiss_weights_remark;

enum { HISS_MAX_NOTES = 16 };
typedef struct hiss_weights {
    hiss_weight *weight; /* [count], in the order of their names */
    int count, room;
    hiss_weights_remark note[HISS_MAX_NOTES];
    int notes;
    hiss_arena *arena; /* of all of it */
} hiss_weights;

/* An empty list. */
hiss_weights *hiss_weights_create(void);
void hiss_weights_destroy(hiss_weights *w); /* NULL is allowed */
/* Append an array and return its values, which are zeros; the name is copied. */
float *hiss_weights_add(hiss_weights *w, const char *name, const hiss_shape *shape);
/* Append a note, at most HISS_MAX_NOTES; both texts are copied, of which bytes that are no UTF-8 become '?'. NULL as text:
 * nothing. */
void hiss_weights_note(hiss_weights *w, const char *key, const char *text);
/* The index of the array of that name; -1: there is none. */
int hiss_weights_find(const hiss_weights *w, const char *name);

/* Parameters and persistent statistics of a checkpoint that verifies, and notes: its step, config, data and SHA-256.
 *   producer  the note of that key: who writes
 *   *out      must be destroyed also after an error
 * Errors: those of reading; it holds none. */
hiss_status hiss_weights_read(const char *checkpoint, const char *producer, hiss_weights **out, hiss_error *err);

/* Write the file into a stream. safetensors: the notes are __metadata__. npz: arrays as numpy.savez stores them, and the
 * notes as array `metadata`, a text in JSON. */
void hiss_safetensors_write(const hiss_weights *w, FILE *stream);
/* Errors (HISS_EUSER): more than a zip archive without extensions can hold, 4 GiB. */
hiss_status hiss_npz_write(const hiss_weights *w, FILE *stream, hiss_error *err);

#endif
