/* The directory of a run. Nothing of an earlier run is touched before the new one is known to be able to begin, and a
 * run that cannot begin leaves nothing.
 *
 * Rank 0 alone writes there, but every rank reads checkpoints. So the holder of the lock writes a number into the lock
 * file that no other start has, and all look for it: a directory of the same name on a disk of another node, even one
 * with a lock file, has another number or none. */
#include "hiss/run_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "hiss/clock.h"
#include "hiss/fault.h"
#include "hiss/file.h"
#include "hiss/hash.h"
#include "hiss/log.h"
#include "hiss/snapshot.h"

enum { PATH_TEXT = 4096, MARK_TEXT = 48, HOST_TEXT = 64 };
static const double see_seconds = 3.0; /* what a directory cached by a network file system may lag behind */

/* One attempt: *busy when another process holds the run, or has just removed it. */
static hiss_status try_lock(hiss_run_directory *d, bool *busy, hiss_error *err) {
    char path[PATH_TEXT];
    struct stat now, held;
    d->made = !hiss_file_exists(d->run);
    hiss_status s = hiss_directories_make(d->run, err);
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
static hiss_status lock_run(hiss_run_directory *d, double wait, hiss_error *err) {
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

/* ---- is it one place? ---- */

static hiss_status write_mark(const hiss_run_directory *d, const char mark[MARK_TEXT], hiss_error *err) {
    const ssize_t length = (ssize_t)strlen(mark);
    const bool written = !hiss_fault("lock.write") && ftruncate(d->lock, 0) == 0 &&
                         pwrite(d->lock, mark, (size_t)length, 0) == length && fsync(d->lock) == 0;
    return written ? HISS_OK
                   : hiss_fail(err, HISS_ESYSTEM, "%s/.lock: cannot be written: %s; make room, or choose another --run",
                               d->run, strerror(errno));
}

static bool sees(const hiss_run_directory *d, const char mark[MARK_TEXT]) {
    char path[PATH_TEXT], found[MARK_TEXT] = "";
    snprintf(path, sizeof path, "%s/.lock", d->run);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    const bool same = file >= 0 && read(file, found, MARK_TEXT - 1) > 0 && strcmp(found, mark) == 0;
    if (file >= 0) {
        close(file);
    }
    return same;
}

hiss_status hiss_run_directory_shared(const hiss_run_directory *d, hiss_comm *comm, hiss_error *err) {
    struct {
        char mark[MARK_TEXT], host[HOST_TEXT];
    } root = {"", ""};
    char host[HOST_TEXT] = "";
    struct timespec now;
    gethostname(host, sizeof host - 1);
    hiss_status s = HISS_OK;
    if (hiss_comm_rank(comm) == 0) {
        clock_gettime(CLOCK_REALTIME, &now);
        snprintf(root.mark, sizeof root.mark, "%lld.%09ld %ld\n", (long long)now.tv_sec, now.tv_nsec, (long)getpid());
        memcpy(root.host, host, sizeof host);
        s = write_mark(d, root.mark, err);
    }
    s = hiss_comm_agree(comm, s, err);
    if (s != HISS_OK) {
        return s;
    }
    hiss_comm_broadcast(comm, &root, sizeof root, 0);
    const double start = hiss_seconds();
    while (!sees(d, root.mark)) {
        if (hiss_seconds() - start > see_seconds) {
            s = hiss_fail(err, HISS_EUSER,
                          "rank %d (%s) does not see the run directory %s of rank 0 (%s), and could not read a "
                          "checkpoint; choose a --run directory that all nodes share",
                          hiss_comm_rank(comm), host, d->run, root.host);
            break;
        }
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    return hiss_comm_agree(comm, s, err);
}

hiss_status hiss_run_directory_room(const hiss_run_directory *d, int64_t bytes, int64_t most, const char *advice,
                                    hiss_error *err) {
    char folder[PATH_TEXT];
    struct statvfs disk;
    int64_t *steps;
    snprintf(folder, sizeof folder, "%s%s", d->run, hiss_run_directory_has(d->run, "ckpt") ? "/ckpt" : "");
    if (statvfs(folder, &disk) != 0) {
        return HISS_OK;
    }
    const int there = hiss_snapshot_list(d->run, &steps);
    hiss_free(steps);
    const double room = (double)disk.f_bavail * (double)disk.f_frsize;
    const int64_t more = most > there ? most - (there > 0 ? there : 0) : 1; /* written before an old one goes */
    const double needed = (double)more * (double)bytes;
    return room >= needed ? HISS_OK
                          : hiss_fail(err, HISS_EUSER,
                                      "%s: %.1f MB (%.0f bytes) are free, but checkpoints need %.1f MB (%.0f bytes): "
                                      "%lld of %.1f MB at once%s; %s",
                                      folder, room / 1e6, room, needed / 1e6, needed, (long long)more,
                                      (double)bytes / 1e6, there > 0 ? " beside those that are there" : "", advice);
}

bool hiss_run_directory_has(const char *run, const char *name) {
    char path[PATH_TEXT];
    snprintf(path, sizeof path, "%s/%s", run, name);
    return hiss_file_exists(path);
}

hiss_status hiss_run_directory_open(hiss_run_directory *d, hiss_comm *comm, double wait, bool fresh, hiss_error *err) {
    hiss_status s = HISS_OK;
    if (hiss_comm_rank(comm) == 0) {
        s = lock_run(d, wait, err);
        if (s == HISS_OK && fresh &&
            (hiss_run_directory_has(d->run, "summary.yaml") || hiss_run_directory_has(d->run, "metrics.jsonl") ||
             hiss_run_directory_has(d->run, "ckpt"))) {
            s = hiss_fail(err, HISS_EUSER,
                          "%s already holds a run; use --resume auto to continue it, or another --run directory",
                          d->run);
        }
        if (s == HISS_OK) {
            hiss_snapshot_sweep(d->run);
        }
    }
    return hiss_comm_agree(comm, s, err);
}

hiss_status hiss_run_directory_begin(hiss_run_directory *d, hiss_comm *comm, const char *config, hiss_error *err) {
    hiss_status s = HISS_OK;
    if (hiss_comm_rank(comm) == 0) {
        char path[PATH_TEXT];
        snprintf(path, sizeof path, "%s/summary.yaml", d->run);
        s = hiss_file_remove(path, err);
        snprintf(path, sizeof path, "%s/config.yaml", d->run);
        s = s == HISS_OK ? hiss_file_write_text(path, config, err) : s;
        d->made = d->made && s != HISS_OK;
    }
    return hiss_comm_agree(comm, s, err);
}

/* Whether config.yaml is there, and the one of which summary.yaml has the hash. */
static bool has_its_config(const char *run) {
    char path[PATH_TEXT], line[256], sum[HISS_HASH_TEXT], text[4096];
    snprintf(path, sizeof path, "%s/config.yaml", run);
    FILE *config = fopen(path, "r");
    snprintf(path, sizeof path, "%s/summary.yaml", run);
    FILE *summary = fopen(path, "r");
    hiss_hash *hash = hiss_hash_begin();
    for (size_t n; config && (n = fread(text, 1, sizeof text, config)) > 0;) {
        hiss_hash_add(hash, text, n);
    }
    hiss_hash_end(hash, sum);
    bool same = false;
    while (config && summary && fgets(line, sizeof line, summary)) {
        same = same || (strstr(line, "config_sha256: ") && strstr(line, sum));
    }
    if (config) {
        fclose(config);
    }
    if (summary) {
        fclose(summary);
    }
    return same;
}

hiss_status hiss_run_directory_mend(const hiss_run_directory *d, hiss_comm *comm, const char *config, hiss_error *err) {
    hiss_status s = HISS_OK;
    if (hiss_comm_rank(comm) == 0) {
        char path[PATH_TEXT];
        snprintf(path, sizeof path, "%s/config.yaml", d->run);
        s = has_its_config(d->run) ? HISS_OK : hiss_file_write_text(path, config, err);
    }
    return hiss_comm_agree(comm, s, err);
}

void hiss_run_directory_undo(void *directory) {
    const hiss_run_directory *d = directory;
    if (d->lock >= 0 && d->made) {
        char path[PATH_TEXT];
        snprintf(path, sizeof path, "%s/.lock", d->run);
        unlink(path);
        rmdir(d->run);
    }
}

void hiss_run_directory_close(hiss_run_directory *d) {
    hiss_run_directory_undo(d);
    if (d->lock >= 0) {
        close(d->lock);
    }
}

bool hiss_run_directory_busy(const char *run) {
    char path[PATH_TEXT];
    snprintf(path, sizeof path, "%s/.lock", run);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    const bool busy = file >= 0 && flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (file >= 0) {
        close(file);
    }
    return busy;
}
