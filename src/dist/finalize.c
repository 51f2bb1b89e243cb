/* The end of a rank whose MPI_Finalize has failed.
 *
 * Open MPI 4.1's mpirun may hang or crash when a rank fails while others finalize: its main thread joins PMIx's
 * progress thread in PMIx_server_finalize, and that one waits for a mutex that nobody gives back. After MPI_Abort that
 * happened in 21 of 150 jobs of two ranks, after _exit in 1 of 150, after a third of a second and _exit in none. So the
 * rank leaves like that, and a process that it leaves behind kills its launcher when that has not ended ten seconds
 * later. The work of the job was done before MPI_Finalize, and other launchers than those of Open MPI are left alone.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dist/dist_impl.h"
#include "hiss/log.h"

enum { LAUNCHER_SECONDS = 10, STAT_TEXT = 512 };

/* Field 22 of /proc/PID/stat, which no other process of that number shares; and whether this is a launcher of Open MPI.
 */
static bool launcher_start(pid_t pid, unsigned long long *start) {
    static const char *const names[] = {"mpirun", "mpiexec", "orterun", "prterun", "orted", "prted"};
    char path[32], text[STAT_TEXT] = "";
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *in = fopen(path, "re");
    if (!in || !fgets(text, sizeof text, in)) {
        text[0] = 0;
    }
    if (in) {
        fclose(in);
    }
    char *name = strchr(text, '('), *end = strrchr(text, ')');
    if (!name || !end) {
        return false;
    }
    *end++ = 0;
    bool found = false;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        found |= strncmp(name + 1, names[k], strlen(names[k])) == 0; /* mpirun.openmpi */
    }
    for (int field = 2; field < 22 && end; field++) {
        end = strchr(end + 1, ' ');
    }
    return found && end && sscanf(end, "%llu", start) == 1;
}

/* In a process of its own, which holds nothing of this one. */
static void watch_launcher(pid_t launcher, unsigned long long start) {
    unsigned long long now = 0;
    setsid();
    for (int file = (int)sysconf(_SC_OPEN_MAX) < 65536 ? (int)sysconf(_SC_OPEN_MAX) : 65536; file >= 0; file--) {
        close(file);
    }
    for (int look = 0; look < LAUNCHER_SECONDS * 10; look++) {
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
        if (!launcher_start(launcher, &now) || now != start) {
            _exit(0);
        }
    }
    kill(launcher, SIGKILL);
    _exit(0);
}

_Noreturn void hiss_finalize_failed(const hiss_comm *comm, int code) {
    const pid_t launcher = getppid();
    unsigned long long start = 0;
    char text[MPI_MAX_ERROR_STRING] = "no text";
    int length = 0;
    MPI_Error_string(code, text, &length);
    hiss_error_line("MPI failed on rank %d: MPI_Finalize: %s", comm->rank, text);
    if (launcher_start(launcher, &start) && fork() == 0) {
        watch_launcher(launcher, start);
    }
    fflush(NULL);
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    _exit(hiss_exit_code(HISS_EINTERNAL));
}
