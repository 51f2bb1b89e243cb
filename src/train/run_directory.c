/* The directory of a run. Nothing of an earlier run is touched before the new one is known to be able to begin, and a
 * run that cannot begin leaves nothing. */
#include "train/run_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hiss/clock.h"
#include "hiss/fault.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "train/snapshot.h"

enum { PATH_TEXT = 4096 };

/* One attempt: *busy when another process holds the run, or has just removed it. */
static hiss_status try_lock(run_directory *d, bool *busy, hiss_error *err) {
    char path[PATH_TEXT];
    struct stat now, held;
    d->made = !hiss_file_exists(d->run);
    hiss_status s = hiss_make_directories(d->run, err);
    if (s != HISS_OK) {
        return s;
    }
    snprintf(path, sizeof path, "%s/.lock", d->run);
    d->lock = hiss_fault("lock.open") ? -1 : open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    if (d->lock < 0) {
        return hiss_fail(err, HISS_ESYSTEM, "%s: cannot be created: %s; choose another --run directory", path,
                         strerror(errno));
    }
    bool alone = !hiss_fault("lock.take") && flock(d->lock, LOCK_EX | LOCK_NB) == 0;
    if (!alone && (errno == ENOSYS || errno == ENOLCK || errno == EOPNOTSUPP)) {
        hiss_warn("%s: this file system has no locks (%s); make sure that no other process uses the run", path,
                  strerror(errno));
        alone = true;
    }
    *busy =
        alone ? stat(path, &now) != 0 || fstat(d->lock, &held) != 0 || now.st_ino != held.st_ino : errno == EWOULDBLOCK;
    if (!alone && !*busy) {
        s = hiss_fail(err, HISS_ESYSTEM, "%s: cannot be locked: %s; choose another --run directory", path,
                      strerror(errno));
    }
    if (!alone || *busy) {
        close(d->lock);
        d->lock = -1;
    }
    return s;
}

/* The system gives the lock back when its holder dies; ranks whose launcher was killed take some seconds to do so. */
static hiss_status lock_run(run_directory *d, double wait, hiss_error *err) {
    const struct timespec pause = {.tv_nsec = 50000000};
    const double start = hiss_seconds();
    bool busy = false, said = false;
    hiss_status s = try_lock(d, &busy, err);
    while (s == HISS_OK && busy) {
        if (hiss_seconds() - start >= wait) {
            return hiss_fail(err, HISS_EUSER,
                             "%s is in use by another hiss process; choose another --run, or wait longer: --wait",
                             d->run);
        }
        if (!said) {
            hiss_info("%s is in use by another hiss process; waiting up to %g s for its end", d->run, wait);
            said = true;
        }
        nanosleep(&pause, NULL);
        s = try_lock(d, &busy, err);
    }
    return s;
}

bool run_directory_has(const char *run, const char *name) {
    char path[PATH_TEXT];
    snprintf(path, sizeof path, "%s/%s", run, name);
    return hiss_file_exists(path);
}

hiss_status run_directory_open(run_directory *d, const hiss_train_request *request, hiss_error *err) {
    hiss_status s = HISS_OK;
    if (hiss_comm_rank(request->comm) == 0) {
        s = lock_run(d, request->wait, err);
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
        s = hiss_file_remove(path, err);
        snprintf(path, sizeof path, "%s/config.yaml", d->run);
        s = s == HISS_OK ? hiss_file_write_text(path, hiss_config_resolved(request->experiment->config), err) : s;
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
