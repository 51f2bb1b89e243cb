/* The lock around the HDF5 library, and why its last call failed.
 *
 * The library is the serial build and not thread-safe, so one mutex is held around every call into it; visitors run
 * without the mutex and may call back. Its own printing of errors is switched off: the innermost record of its error
 * stack becomes the reason in our one-line text. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "h5_impl.h"
#include "hiss/file.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* HDF5 closes at the exit of the process what is still open, and (1.10.8) crashes there when a disk was full. All files
 * of hiss are closed by then, or given up. */
static void no_work_at_exit(void) {
    H5dont_atexit();
}

void data_h5_enter(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, no_work_at_exit);
    pthread_mutex_lock(&lock);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

hiss_status data_h5_leave(hiss_status status) {
    pthread_mutex_unlock(&lock);
    return status;
}

static herr_t copy_reason(unsigned n, const H5E_error2_t *record, void *user) {
    if (n == 0 && record->desc) {
        snprintf(user, HISS_H5_REASON, "%s", record->desc);
    }
    return 0;
}

/* What HDF5 says about its last failure. Any other call into HDF5 forgets it. */
const char *data_h5_reason(char out[HISS_H5_REASON]) {
    out[0] = 0;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, copy_reason, out);
    for (char *c = out; *c; c++) {
        if (*c == '\n') {
            *c = ' ';
        }
    }
    return *out ? out : "HDF5 gives no reason";
}

const char *data_h5_system_reason(char out[HISS_H5_REASON]) {
    static const char mark[] = "error message = '";
    const char *whole = data_h5_reason(out);
    char *text = strstr(out, mark);
    if (!text) {
        return whole;
    }
    text += strlen(mark);
    text[strcspn(text, "'")] = 0;
    return text;
}

const char *data_h5_writing_remedy(const char *why, const char *otherwise) {
    static const int known[] = {ENOSPC, EDQUOT, EFBIG};
    for (int k = 0; k < HISS_COUNT(known); k++) {
        if (strstr(why, strerror(known[k]))) {
            return hiss_file_remedy(known[k]);
        }
    }
    return otherwise;
}
