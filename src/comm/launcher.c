/* A launcher that hangs when a rank has failed.
 *
 * Open MPI 4.1's mpirun may hang or crash at its end: its main thread joins PMIx's progress thread in
 * PMIx_server_finalize, and waits for a mutex that nobody gives back. Of jobs of two ranks that happened in 2 of 150 in
 * which a rank was killed before MPI_Init, and in 21 of 150 in which one called MPI_Abort while the other finalized;
 * when that one slept a third of a second and left by _exit, in none. All ranks are gone by then, so that nobody of the
 * job is left to see it.
 *
 * Therefore each rank leaves a process behind before anything can fail. It waits for the end of its rank, at the end of
 * a pipe, and kills the launcher if that is still there ten seconds later. A launcher ends the job when a rank fails,
 * so that these ten seconds are never in the way of work; a rank that ends well says so first. Launchers other than
 * those of Open MPI, and parents that only pass the ranks on (scripts), are left alone. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "comm/comm_impl.h"
#include "hiss/clock.h"
#include "hiss/log.h"

enum { LAUNCHER_SECONDS = 10, MAX_FILES = 65536 };

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

/* In a process of its own, which holds nothing of the rank: the launcher waits until its ranks' output is closed. */
_Noreturn static void watch(pid_t launcher, uint64_t began, int rank_lives) {
    char word;
    ssize_t got;
    setsid();
    prctl(PR_SET_NAME, "watch-launcher"); /* who looks for hiss looks for ranks */
    const long most = sysconf(_SC_OPEN_MAX);
    for (int file = most > 0 && most < MAX_FILES ? (int)most : MAX_FILES; file >= 0; file--) {
        if (file != rank_lives) {
            close(file);
        }
    }
    do {
        got = read(rank_lives, &word, 1);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        _exit(0);
    }
    for (int look = 0; look < LAUNCHER_SECONDS * 10; look++) {
        if (launcher_began(launcher) != began) {
            _exit(0);
        }
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    kill(launcher, SIGKILL);
    _exit(0);
}

hiss_launcher_watch hiss_launcher_watch_start(void) {
    const pid_t launcher = getppid();
    const uint64_t began = launcher_began(launcher);
    hiss_launcher_watch w = {.process = -1};
    int ends[2];
    if (began == 0 || pipe(ends) != 0) {
        return w;
    }
    fcntl(ends[1], F_SETFD, FD_CLOEXEC); /* the end of the rank counts, not that of what it starts */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    w.process = fork();
    if (w.process == 0) {
        watch(launcher, began, ends[0]);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (w.process > 0) {
        setpgid(w.process, w.process); /* launchers kill the group of a rank, and the process may not have run yet */
        w.rank_lives = ends[1];
    } else {
        close(ends[1]);
    }
    close(ends[0]);
    return w;
}

void hiss_launcher_watch_stop(hiss_launcher_watch w, int exit_code) {
    const bool ended_well = exit_code == 0 || exit_code == hiss_exit_code(HISS_EREQUEUE);
    if (w.process > 0 && ended_well && write(w.rank_lives, "", 1) == 1) {
        close(w.rank_lives);
        waitpid(w.process, NULL, 0);
    }
}

/* Without MPI_Abort, and not at once: see above. */
_Noreturn void comm_finalize_failed(const hiss_comm *comm, int code) {
    char text[MPI_MAX_ERROR_STRING] = "no text";
    int length = 0;
    MPI_Error_string(code, text, &length);
    hiss_error_line("MPI failed on rank %d: MPI_Finalize: %s", comm->rank, text);
    fflush(NULL);
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    _exit(hiss_exit_code(HISS_EINTERNAL));
}
