/* Which key of section data an error has to name. */
#include <string.h>

#include "dataset_impl.h"

/* Put the place of the key in front of the error. A key that is not set speaks with the value of another, standard. */
hiss_status data_blame(const hiss_config *config, const char *key, const char *standard, hiss_status status,
                       hiss_error *err) {
    char where[HISS_WHERE], other[HISS_WHERE];
    const hiss_error why = status && err ? *err : (hiss_error){0};
    key = key ? key : standard;
    if (!status || !err) {
        return status;
    }
    if (strncmp(key, "--", 2) == 0) { /* an option of the command */
        return hiss_error_prefix(err, status, key);
    }
    if (strcmp(key, standard) == 0 || (config && hiss_config_has(config, key))) {
        return hiss_fail(err, status, "%s: %s", hiss_config_where(config, key, where), why.text);
    }
    return hiss_fail(err, status, "%s (not set; as %s): %s", key, hiss_config_where(config, standard, other), why.text);
}
