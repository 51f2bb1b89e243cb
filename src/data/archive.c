/* zip and tar files by libarchive. Formats and filters are named one by one: others are not expected here, and for some
 * libarchive starts programs. */
#include "archive_impl.h"

#ifdef HISS_HAS_ARCHIVE

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "hiss/alloc.h"

enum { BLOCK_BYTES = 1 << 20 };

struct data_archive {
    struct archive *reader;
    char *path;
    data_archive_kind kind;
    const char *member;
};

static const char *const kind_names[] = {[DATA_ZIP] = "zip", [DATA_TAR] = "tar"};

/* The file with this status of libarchive, its own words, and what was expected. */
static hiss_status fail(const data_archive *archive, hiss_error *err) {
    const char *why = archive_error_string(archive->reader), *member = archive->member;
    if (!member && why && strstr(why, "Unrecognized archive format")) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: cannot be read as a %s file: it is cut off, or no %s file; fetch or make it again",
                         archive->path, kind_names[archive->kind], kind_names[archive->kind]);
    }
    return hiss_fail(err, HISS_EUSER, "%s%s%.200s: cannot be read as a %s file: %.300s", archive->path,
                     member ? ": " : "", member ? member : "", kind_names[archive->kind], why ? why : "it is damaged");
}

static bool support(struct archive *reader, data_archive_kind kind) {
    if (kind == DATA_ZIP) {
        return archive_read_support_format_zip_seekable(reader) == ARCHIVE_OK; /* by the directory at its end */
    }
    return archive_read_support_format_tar(reader) == ARCHIVE_OK &&
           archive_read_support_filter_gzip(reader) == ARCHIVE_OK;
}

hiss_status data_archive_open(const char *path, data_archive_kind kind, data_archive **out, hiss_error *err) {
    struct stat info;
    const int why = stat(path, &info) != 0 ? errno : S_ISDIR(info.st_mode) ? EISDIR : 0;
    if (why) {
        return hiss_fail(err, HISS_EUSER, "%s: cannot be opened: %s", path, strerror(why));
    }
    data_archive *archive = hiss_new(data_archive, 1);
    *archive = (data_archive){.reader = archive_read_new(), .kind = kind};
    archive->path = hiss_alloc(strlen(path) + 1);
    strcpy(archive->path, path);
    hiss_status status = HISS_OK;
    if (!archive->reader || !support(archive->reader, kind)) {
        status = hiss_fail(err, HISS_ESYSTEM, "%s: this libarchive does not read %s files; install a complete one",
                           path, kind_names[kind]);
    } else if (archive_read_open_filename(archive->reader, path, BLOCK_BYTES) != ARCHIVE_OK) {
        status = fail(archive, err);
    }
    if (status) {
        data_archive_close(archive);
        return status;
    }
    *out = archive;
    return HISS_OK;
}

void data_archive_close(data_archive *archive) {
    if (archive) {
        archive_read_free(archive->reader);
        hiss_free(archive->path);
        hiss_free(archive);
    }
}

/* A tar file ends with blocks of zeros, which libarchive passes over: otherwise it is cut off between two members. */
static hiss_status expect_end_mark(const data_archive *archive, hiss_error *err) {
    return archive->kind == DATA_TAR &&
                   archive_filter_bytes(archive->reader, 0) == archive_read_header_position(archive->reader)
               ? hiss_fail(err, HISS_EUSER, "%s: cut off: it has no mark at its end; fetch or make it again",
                           archive->path)
               : HISS_OK;
}

hiss_status data_archive_next(data_archive *archive, const char **name, hiss_error *err) {
    struct archive_entry *entry;
    archive->member = *name = NULL;
    for (;;) {
        const int result = archive_read_next_header(archive->reader, &entry);
        if (result == ARCHIVE_EOF) {
            return expect_end_mark(archive, err);
        }
        if (result != ARCHIVE_OK && result != ARCHIVE_WARN) {
            return fail(archive, err);
        }
        if (archive_entry_filetype(entry) == AE_IFREG && !archive_entry_hardlink(entry)) {
            const char *plain = archive_entry_pathname(entry);
            *name = archive->member = plain ? plain : archive_entry_pathname_utf8(entry);
            return *name ? HISS_OK
                         : hiss_fail(err, HISS_EUSER, "%s: a member has a name that cannot be read", archive->path);
        }
    }
}

hiss_status data_archive_read(data_archive *archive, void *out, int64_t count, int64_t *got, hiss_error *err) {
    for (*got = 0; *got < count;) {
        const la_ssize_t now = archive_read_data(archive->reader, (char *)out + *got, (size_t)(count - *got));
        if (now < 0) {
            return fail(archive, err);
        }
        if (now == 0) {
            break;
        }
        *got += now;
    }
    return HISS_OK;
}

int64_t data_archive_position(const data_archive *archive) {
    return archive_filter_bytes(archive->reader, -1);
}

#else

#include <stddef.h>

hiss_status data_archive_open(const char *path, data_archive_kind kind, data_archive **out, hiss_error *err) {
    (void)kind, *out = NULL;
    return hiss_fail(
        err, HISS_ESYSTEM,
        "%s: this hiss was built without libarchive, which reads archives; install it (libarchive-dev) and "
        "build again",
        path);
}

void data_archive_close(data_archive *archive) {
    (void)archive;
}

hiss_status data_archive_next(data_archive *archive, const char **name, hiss_error *err) {
    (void)archive, (void)err;
    *name = NULL;
    return HISS_OK;
}

hiss_status data_archive_read(data_archive *archive, void *out, int64_t count, int64_t *got, hiss_error *err) {
    (void)archive, (void)out, (void)count, (void)err;
    *got = 0;
    return HISS_OK;
}

int64_t data_archive_position(const data_archive *archive) {
    (void)archive;
    return 0;
}

#endif
