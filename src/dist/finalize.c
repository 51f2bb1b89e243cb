/* The end of a rank whose MPI_Finalize has failed.
 *
 * Open MPI 4.1's mpirun may hang or crash when a rank fails while others finalize: its main thread joins PMIx's
 * progress thread in PMIx_server_finalize, and that one waits for a mutex that nobody gives back. After MPI_Abort that
 * happened in 21 of 150 jobs of two ranks, after _exit in 1 of 150, after a third of a second and _exit in none. So the
 * rank leaves like that, and a process that it leaves behind kills its launcher when that has not ended ten seconds
 * later. The work of the job was done before MPI_Finalize, and other launchers than those of Open MPI are left
 * alone. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dist/dist_impl.h"
#include "hiss/clock.h"
#include "hiss/log.h"

enum { LAUNCHER_SECONDS = 10 };

/* When a launcher of Open MPI began; 0: this is none. */
static uint64_t launcher_began(pid_t pid) {
    static const char *const names[] = {"mpirun", "mpiexec", "orterun", "prterun", "orted", "prted"};
    char name[HISS_PROCESS_NAME];
    const uint64_t began = hiss_process_began((long)pid, name);
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        if (strncmp(name, names[k], strlen(names[k])) == 0) { /* mpirun.openmpi */
            return began;
        }
    }
    return 0;
}

/* In a process of its own, which holds nothing of this one. */
static void watch_launcher(pid_t launcher, uint64_t began) {
    setsid();
    for (int file = (int)sysconf(_SC_OPEN_MAX) < 65536 ? (int)sysconf(_SC_OPEN_MAX) : 65536; file >= 0; file--) {
        close(file);
    }
    for (int look = 0; look < LAUNCHER_SECONDS * 10; look++) {
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
        if (launcher_began(launcher) != began) {
            _exit(0);
        }
    }
    kill(launcher, SIGKILL);
    _exit(0);
}

_Noreturn void hiss_finalize_failed(const hiss_comm *comm, int code) {
    const pid_t launcher = getppid();
    const uint64_t began = launcher_began(launcher);
    char text[MPI_MAX_ERROR_STRING] = "no text";
    int length = 0;
    MPI_Error_string(code, text, &length);
    hiss_error_line("MPI failed on rank %d: MPI_Finalize: %s", comm->rank, text);
    if (began != 0 && fork() == 0) {
        watch_launcher(launcher, began);
    }
    fflush(NULL);
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    _exit(hiss_exit_code(HISS_EINTERNAL));
}
