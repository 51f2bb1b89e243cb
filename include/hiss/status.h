/* Status codes and error texts.
 *
 * Every function that can fail for a reason outside this program (a user's config, data, file, the system)
 * returns a hiss_status and writes one line into the caller's hiss_error. Bugs of our own assert.
 * Only src/cli ends the process. */
#ifndef HISS_STATUS_H
#define HISS_STATUS_H

#include <stddef.h>

typedef enum hiss_status {
    HISS_OK = 0,
    HISS_EUSER,     /* the user's config, command line or data is wrong: exit 2 */
    HISS_ESYSTEM,   /* a file, a system call or memory failed: exit 2 */
    HISS_EINTERNAL, /* hiss itself is wrong: exit 70 */
    HISS_EREQUEUE   /* checkpointed on request, please start again: exit 85 */
} hiss_status;

enum { HISS_ERROR_KEY = 96 };
typedef struct hiss_error {
    hiss_status code;
    char key[HISS_ERROR_KEY]; /* of the config, whose value is wrong: the text begins with it; else empty */
    char text[1024];          /* one line: what, where, expected, found, what to do; empty when code is HISS_OK */
} hiss_error;

/* Write a formatted text into err and return code. Not collective.
 *   err  out  NULL: only the code is returned */
hiss_status hiss_fail(hiss_error *err, hiss_status code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same for the value of a key of the config: the text becomes "KEY: ...", and whoever has the config puts the key's
 * place in front of it (hiss_config_blame). Not collective. */
hiss_status hiss_fail_key(hiss_error *err, hiss_status code, const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What another function has written becomes "PREFIX: ..." or, of hiss_fail_key's kind, "KEY: ...". Nothing happens when
 * status is HISS_OK or err is NULL. Return status. Not collective. */
hiss_status hiss_error_prefix(hiss_error *err, hiss_status status, const char *prefix);
hiss_status hiss_error_under_key(hiss_error *err, hiss_status status, const char *key);

/* Append ", ITEM" to a list for a message; where that does not fit into size, ", ..." in its place, once. items: the same for
 * all of a text of them. Not collective. */
void hiss_list_add(char *list, size_t size, const char *item);
void hiss_list_add_all(char *list, size_t size, const char *items);

/* Process exit code of a status: 0, 2, 2, 70, 85. Not collective. */
int hiss_exit_code(hiss_status status);

#endif
