/* Inside src/data: hashes that tell data sets of the same shape apart. */
#ifndef HISS_DATA_IDENTITY_H
#define HISS_DATA_IDENTITY_H

#include "hiss/data.h"

enum { IDENTITY_DIGITS = 16 };

/* The parts of an identity behind type and shape, each followed by digits. */
#define IDENTITY_PIXELS  ", pixels "
#define IDENTITY_LABELS  ", labels "
#define IDENTITY_SHA256  ", sha256 "
#define IDENTITY_OBJECTS ", objects " /* the checksum of targets and boxes, where they are read */

/* Read the rows row[count] of a file, ascending, each once, into out[count, row_bytes]. */
typedef hiss_status (*data_read_rows)(void *user, int64_t count, const int64_t *row, uint8_t *out, hiss_error *err);
/* Hash of a sample of the n rows of a file, always the same rows for the same n and row_bytes. Errors: those of read. */
hiss_status data_identity_rows(int64_t n, int64_t row_bytes, data_read_rows read, void *user,
                               char out[IDENTITY_DIGITS + 1], hiss_error *err);
/* Hash of all labels, and of what the classes are called. */
void data_identity_labels(int64_t n, const int32_t *label, const char *classes, char out[IDENTITY_DIGITS + 1]);

#endif
