/* The directory of a run. Nothing of an earlier run is touched before the new one is known to be able to begin, and a
 * run that cannot begin leaves nothing. */
#include "train/run_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hiss/file.h"
#include "train/snapshot.h"

enum { PATH_TEXT = 4096 };

static hiss_status lock_run(run_directory *d, hiss_error *err) {
    char path[PATH_TEXT];
    struct stat now, held;
    d->made = !hiss_file_exists(d->run);
    hiss_status s = hiss_make_directories(d->run, err);
    if (s != HISS_OK) {
        return s;
    }
    snprintf(path, sizeof path, "%s/.lock", d->run);
    d->lock = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    if (d->lock < 0) {
        return hiss_fail(err, HISS_ESYSTEM, "%s: cannot be created: %s; choose another --run directory", path,
                         strerror(errno));
    }
    const bool alone = flock(d->lock, LOCK_EX | LOCK_NB) == 0;
    if (!alone || stat(path, &now) != 0 || fstat(d->lock, &held) != 0 || now.st_ino != held.st_ino) {
        close(d->lock);
        d->lock = -1;
        return hiss_fail(err, HISS_EUSER, "%s is in use by another hiss process; choose another --run, or wait",
                         d->run);
    }
    return HISS_OK;
}

bool run_directory_has(const char *run, const char *name) {
    char path[PATH_TEXT];
    snprintf(path, sizeof path, "%s/%s", run, name);
    return hiss_file_exists(path);
}

hiss_status run_directory_open(run_directory *d, const hiss_train_request *request, hiss_error *err) {
    hiss_status s = HISS_OK;
    if (hiss_comm_rank(request->comm) == 0) {
        s = lock_run(d, err);
        if (s == HISS_OK && strcmp(request->resume, "never") == 0 &&
            (run_directory_has(d->run, "summary.yaml") || run_directory_has(d->run, "metrics.jsonl") ||
             run_directory_has(d->run, "ckpt"))) {
            s = hiss_fail(err, HISS_EUSER,
                          "%s already holds a run; use --resume auto to continue it, or another --run directory",
                          d->run);
        }
        if (s == HISS_OK) {
            snapshot_sweep(d->run);
        }
    }
    return hiss_comm_agree(request->comm, s, err);
}

hiss_status run_directory_begin(run_directory *d, const hiss_train_request *request, hiss_error *err) {
    hiss_status s = HISS_OK;
    if (hiss_comm_rank(request->comm) == 0) {
        char path[PATH_TEXT];
        snprintf(path, sizeof path, "%s/summary.yaml", d->run);
        unlink(path);
        snprintf(path, sizeof path, "%s/config.yaml", d->run);
        s = hiss_file_write_text(path, hiss_config_resolved(request->experiment->config), err);
        d->made = d->made && s != HISS_OK;
    }
    return hiss_comm_agree(request->comm, s, err);
}

void run_directory_close(run_directory *d) {
    if (d->lock >= 0) {
        if (d->made) {
            char path[PATH_TEXT];
            snprintf(path, sizeof path, "%s/.lock", d->run);
            unlink(path);
            rmdir(d->run);
        }
        close(d->lock);
    }
}
