/* Inside src/data: JSON in data sets. */
#ifndef HISS_JSON_IMPL_H
#define HISS_JSON_IMPL_H

#include <stdbool.h>
#include <stdint.h>

typedef enum data_json_finding {
    DATA_JSON_FOUND,
    DATA_JSON_MISSING, /* an object without this member */
    DATA_JSON_BROKEN   /* no object, or not to its end */
} data_json_finding;
/* The first value of this key in the object text[size], as it is written, strings without their quotes. Members of
 * objects inside do not count. */
data_json_finding data_json_find(const char *text, int64_t size, const char *key, const char **value, int64_t *length);

#endif
