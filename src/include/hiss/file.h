/* Files that are there whole or not at all. Not collective.
 * A durable file is written under a temporary name in the same directory, flushed, fsynced, renamed over the final
 * name, and the directory fsynced. */
#ifndef HISS_FILE_H
#define HISS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "hiss/status.h"

bool hiss_file_exists(const char *path);
/* A whole file with a 0 behind it, freed by hiss_free; NULL: it cannot be read. */
unsigned char *hiss_file_bytes(const char *path, size_t *size);
/* An error "WHAT PATH does not exist (looked in DIRECTORY); ADVICE" unless path exists; the directory is named for
 * relative paths only. */
hiss_status hiss_file_expect(const char *path, const char *what, const char *advice, hiss_error *err);
/* The same, and that it is no directory. */
hiss_status hiss_file_expect_text(const char *path, const char *what, const char *advice, hiss_error *err);
/* fopen(path, "rbe"), but NULL, and errno EISDIR, for a folder, which fopen opens, and which has a size. */
FILE *hiss_file_open(const char *path);
/* What to do when a file cannot be written for this errno, as the end of an error. */
const char *hiss_file_remedy(int why);
/* An error unless a durable file can be written there: an existing one may be replaced, a directory or a device may
 * not, and the directory must be there and take files. Tried, not asked for; leaves nothing. */
hiss_status hiss_file_expect_writable(const char *path, hiss_error *err);
hiss_status hiss_directories_make(const char *path, hiss_error *err); /* like mkdir -p */

/* Remove the file; that it does not exist is no error. */
hiss_status hiss_file_remove(const char *path, hiss_error *err);

/* Remove a directory with all that is in it, or a file. Links are removed, not followed; what cannot be removed
 * stays. */
void hiss_directory_remove(const char *path);

/* Write the temporary name of path ("DIR/.NAME.tmp-PID") into out[size]. A file of that name goes with the process when
 * a signal ends it (hiss/interrupt.h), until it is published or discarded. */
void hiss_file_temporary(const char *path, char *out, size_t size);
/* fsync the finished temporary file, rename it to path, fsync the directory; on failure the temporary is removed. */
hiss_status hiss_file_publish(const char *temporary, const char *path, hiss_error *err);
/* Remove a temporary file that is not published. */
void hiss_file_discard(const char *temporary);
/* Remove what processes that are gone have left of temporary files of path, or warn of it where one of another machine
 * might still write it. who: the command, for these lines. */
void hiss_file_clear_rests(const char *who, const char *path);
/* Durable write of what `write` puts into the stream. */
hiss_status hiss_file_write_by(const char *path, void (*write)(FILE *stream, const void *user), const void *user,
                               hiss_error *err);
/* Durable write of a whole text. */
hiss_status hiss_file_write_text(const char *path, const char *text, hiss_error *err);
/* Durable write of count bytes that are read back from the file and compared before it gets its name. Allocates
 * nothing. */
hiss_status hiss_file_write_verified(const char *path, const void *bytes, size_t count, hiss_error *err);

/* The id of the process that writes a file of this name, if it is a temporary name; else 0. */
long hiss_file_temporary_owner(const char *name);
/* Whether no process of this machine has that id (> 0), or only one that has ended and that nobody has waited for. */
bool hiss_file_owner_gone(long owner);

#endif
