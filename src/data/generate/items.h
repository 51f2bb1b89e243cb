/* Inside src/data: images of a file that generators make samples of. */
#ifndef HISS_GENERATE_ITEMS_H
#define HISS_GENERATE_ITEMS_H

#include "data/classes.h"
#include "hiss/data.h"
#include "hiss/hash.h"

enum { GENERATE_MOST_SIDE = 1024 };

typedef struct generate_items {
    int64_t count, side;
    uint8_t *pixels; /* [count][side][side] */
    int32_t *label;  /* [count], or NULL */
    data_classes classes;
    char hash[HISS_HASH_TEXT];
} generate_items;

/* The items of a part (HISS_GENERATE_TRAIN or TEST) of HDF5 file path: /images uint8 [n,H,W] or [n,H,W,1], and /labels if
 * it has them. path NULL: it is not set. Errors name generate.items. *items is to be freed after an error, too. */
hiss_status generate_items_read(const char *path, int part, int64_t side, generate_items *items, hiss_error *err);
void generate_items_free(generate_items *items);

#endif
