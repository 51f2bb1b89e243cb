/* A decoded copy of a rank's samples.
 *
 * Where a row lies in chunks that are decoded as a whole, many rows are decoded for one. A stream of samples in random
 * order would do that for each of them, a hundred times an epoch and more. The order is not the file's to choose: the
 * same samples must come in the same order from any file. So what memory cannot hold is decoded once, chunk by chunk,
 * into a file on a local disk, in which samples lie by position, and is streamed from there in any order.
 *
 * The file has no name from the beginning, so that it goes with the process, however that ends. Its room is claimed
 * before it is written, at most half of what is free, so that ranks that share a disk see one another's. A file system in
 * memory is no place for it.
 *
 * Cost: one read and decoding of the rank's part of the data (of all of it where data.order is permuted), and one write. */
#include "copy.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "hiss/alloc.h"
#include "hiss/fault.h"

enum { TMPFS = 0x01021994, RAMFS = 0x858458f6 - (1ll << 32), PIECE_BYTES = 64 << 20, PATH_BYTES = 512 };

struct data_copy {
    int file;
    int64_t begin, end, row;
    char folder[PATH_BYTES];
};

/* ---- its place ---- */

static bool in_memory(const char *folder) {
    struct statfs info;
    return statfs(folder, &info) == 0 && ((int64_t)info.f_type == TMPFS || (int32_t)info.f_type == (int32_t)RAMFS);
}

/* A file without a name of so many bytes, or -1 and why. */
static int open_place(const char *folder, int64_t bytes, char why[DATA_COPY_WHY]) {
    struct statvfs room;
    char path[PATH_BYTES + 32];
    if (in_memory(folder)) {
        snprintf(why, DATA_COPY_WHY, "%.100s is in memory; set TMPDIR to a folder on a disk", folder);
        return -1;
    }
    const bool known = statvfs(folder, &room) == 0;
    if (known && (double)room.f_bavail * (double)room.f_frsize < 2.0 * (double)bytes) {
        snprintf(why, DATA_COPY_WHY,
                 "%.100s has less than %.1f GiB free, twice what it takes; set TMPDIR to a larger place", folder,
                 2.0 * (double)bytes / (1 << 30));
        return -1;
    }
    snprintf(path, sizeof path, "%s/hiss-XXXXXX", folder);
    const int file = mkstemp(path);
    int failure = file < 0 ? errno : 0;
    if (file >= 0) {
        unlink(path);
        failure = hiss_fault("copy.claim") ? EIO : posix_fallocate(file, 0, bytes);
    }
    if (failure) {
        snprintf(why, DATA_COPY_WHY, "%.100s: %s; set TMPDIR to another place", folder, strerror(failure));
        if (file >= 0) {
            close(file);
        }
        return -1;
    }
    return file;
}

/* ---- transfers ---- */

static bool write_all(const data_copy *copy, int64_t position, int64_t count, const uint8_t *rows) {
    const int64_t bytes = count * copy->row, at = (position - copy->begin) * copy->row;
    for (int64_t done = 0; done < bytes;) {
        const ssize_t now =
            hiss_fault("copy.write") ? -1 : pwrite(copy->file, rows + done, (size_t)(bytes - done), (off_t)(at + done));
        if (now < 0 && errno != EINTR) {
            return false;
        }
        done += now > 0 ? now : 0;
    }
    return true;
}

hiss_status data_copy_read(const data_copy *copy, int64_t position, int64_t count, uint8_t *out, hiss_error *err) {
    assert(data_copy_holds(copy, position, count));
    const int64_t bytes = count * copy->row, at = (position - copy->begin) * copy->row;
    for (int64_t done = 0; done < bytes;) {
        const ssize_t now =
            hiss_fault("copy.read") ? -1 : pread(copy->file, out + done, (size_t)(bytes - done), (off_t)(at + done));
        if (now == 0 || (now < 0 && errno != EINTR)) {
            return hiss_fail(err, HISS_ESYSTEM,
                             "%s: the decoded copy of the samples cannot be read: %s; check the disk, or set TMPDIR to "
                             "another place",
                             copy->folder, now ? strerror(errno) : "it ends early");
        }
        done += now > 0 ? now : 0;
    }
    return HISS_OK;
}

/* Write rows [first, first + count) of the file to where their positions are. */
static bool write_rows(const hiss_dataset *set, const data_copy *copy, int64_t first, int64_t count,
                       const uint8_t *rows) {
    if (data_set_in_file_order(set)) {
        return write_all(copy, first, count, rows);
    }
    for (int64_t i = 0; i < count; i++) {
        const int64_t position = data_set_position_of(set, first + i);
        if (position >= copy->begin && position < copy->end && !write_all(copy, position, 1, rows + i * set->row)) {
            return false;
        }
    }
    return true;
}

/* ---- the copy ---- */

static hiss_status fill(hiss_dataset *set, const data_copy *copy, int64_t budget, bool *written, hiss_error *err) {
    const bool ordered = data_set_in_file_order(set);
    const int64_t begin = ordered ? copy->begin : 0, end = ordered ? copy->end : set->rows;
    const int64_t unit = set->dearest_layout.rows_at_once, most = budget < PIECE_BYTES ? budget : PIECE_BYTES;
    int64_t at_once = most / set->row;
    at_once = at_once >= unit ? at_once - at_once % unit : at_once;
    at_once = at_once < 1 ? 1 : at_once;
    uint8_t *rows = hiss_alloc((size_t)(at_once * set->row));
    hiss_status status = HISS_OK;
    *written = true;
    for (int64_t row = begin, count; row < end && !status && *written; row += count) {
        count = at_once - row % at_once;
        count = count < end - row ? count : end - row;
        status = data_fields_read(set, row, count, rows, err);
        *written = status || write_rows(set, copy, row, count, rows);
    }
    hiss_free(rows);
    return status;
}

hiss_status data_copy_create(hiss_dataset *set, int64_t begin, int64_t end, int64_t budget, data_copy **out,
                             char why[DATA_COPY_WHY], hiss_error *err) {
    const char *asked = getenv("TMPDIR");
    data_copy *copy = hiss_new(data_copy, 1);
    *copy = (data_copy){.begin = begin, .end = end, .row = set->row};
    snprintf(copy->folder, sizeof copy->folder, "%s", asked && *asked ? asked : "/var/tmp");
    copy->file = open_place(copy->folder, (end - begin) * set->row, why);
    bool written = false;
    const hiss_status status = copy->file >= 0 ? fill(set, copy, budget, &written, err) : HISS_OK;
    if (copy->file >= 0 && !status && !written) {
        snprintf(why, DATA_COPY_WHY, "%.100s: %s; set TMPDIR to another place", copy->folder, strerror(errno));
    }
    *out = written && !status ? copy : NULL;
    if (!*out) {
        data_copy_destroy(copy);
    }
    return status;
}

void data_copy_destroy(data_copy *copy) {
    if (copy) {
        if (copy->file >= 0) {
            close(copy->file);
        }
        hiss_free(copy);
    }
}

const char *data_copy_folder(const data_copy *copy) {
    return copy->folder;
}

bool data_copy_holds(const data_copy *copy, int64_t position, int64_t count) {
    return copy && position >= copy->begin && count <= copy->end - position;
}
