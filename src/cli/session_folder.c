/* The folder of Open MPI's sessions, held while a child may be a launcher.
 *
 * Open MPI 4.1 keeps the files of all jobs of a user on a host in one folder, which the first to begin makes and the last
 * to end removes. A job that finds it there, and no longer a moment later, gives up ("A call to mkdir was unable to create
 * the desired directory ... File exists"; 3 of 300 starts, 8 at a time).
 * Tasks of a job array begin and end side by side. So whoever starts a launcher makes the folder before, with something in
 * it, which keeps others from removing it. What cannot be made is left: the launcher says why. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/study.h"

enum { TRIES = 20, HOST = 256 };

static const char *temporary(void) {
    static const char *const names[] = {"TMPDIR", "TEMP", "TMP"}; /* as Open MPI looks for it */
    for (int k = 0; k < HISS_COUNT(names); k++) {
        const char *folder = getenv(names[k]);
        if (folder && *folder) {
            return folder;
        }
    }
    return "/tmp";
}

void session_folder_hold(char held[SESSION_FOLDER]) {
    char host[HOST] = "", folder[SESSION_FOLDER / 2];
    held[0] = 0;
    if (gethostname(host, sizeof host - 1) != 0) {
        return;
    }
    host[strcspn(host, ".")] = 0;
    const int length = snprintf(folder, sizeof folder, "%s/ompi.%s.%lld", temporary(), host, (long long)geteuid());
    if (length < 0 || length >= (int)sizeof folder) {
        return;
    }
    snprintf(held, SESSION_FOLDER, "%s/hiss-%lld", folder, (long long)getpid());
    for (int k = 0; k < TRIES; k++) { /* somebody may remove it between the two */
        if (mkdir(folder, S_IRWXU) != 0 && errno != EEXIST) {
            break;
        }
        if (mkdir(held, S_IRWXU) == 0 || errno == EEXIST) {
            return;
        }
    }
    held[0] = 0;
}

void session_folder_release(char held[SESSION_FOLDER]) {
    if (held[0]) {
        rmdir(held);
        *strrchr(held, '/') = 0;
        rmdir(held); /* fails while others have something in it */
        held[0] = 0;
    }
}
