/* The temporary directory of a command, which goes with it however it ends.
 *
 * Asked to end by SIGINT, SIGTERM or SIGHUP, a thread that waits for these ends the simulator, removes the directory
 * and lets the signal do its work. After SIGKILL the directory stays until the next simulate of the same user on the
 * same host: its name has the host, the process and when that began, so that nobody's who still lives is taken. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/simulate.h"
#include "hiss/alloc.h"
#include "hiss/clock.h"
#include "hiss/file.h"

extern char **environ;

static void name_of_host(char out[64]) {
    if (gethostname(out, 64) != 0) {
        snprintf(out, 64, "host");
    }
    out[63] = 0;
}

/* ---- what dead processes have left ---- */

static bool is_ours(const char *path) {
    struct stat info;
    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid();
}

static void sweep(const char *base, const char *prefix) {
    DIR *dir = opendir(base);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char path[CLI_PATH];
        long pid = 0;
        unsigned long long ticks = 0;
        int end = 0;
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 ||
            sscanf(entry->d_name + strlen(prefix), "%ld-%llu-%n", &pid, &ticks, &end) != 2 || end == 0 || pid < 1 ||
            ticks == 0 || hiss_process_began(pid, NULL) == ticks ||
            (size_t)snprintf(path, sizeof path, "%s/%s", base, entry->d_name) >= sizeof path || !is_ours(path)) {
            continue;
        }
        hiss_directory_remove(path);
    }
    if (dir) {
        closedir(dir);
    }
}

/* ---- signals ---- */

/* Those that end this process, unless they were to be ignored from the beginning (nohup). */
static void choose_signals(sigset_t *set) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    sigemptyset(set);
    for (int k = 0; k < HISS_COUNT(numbers); k++) {
        struct sigaction action;
        if (sigaction(numbers[k], NULL, &action) == 0 && action.sa_handler != SIG_IGN) {
            sigaddset(set, numbers[k]);
        }
    }
}

static void end_child(pid_t child) {
    enum { PATIENCE = 100 };
    const struct timespec pause = {.tv_nsec = 20000000};
    for (int k = 0; child > 0 && kill(-child, k < PATIENCE ? SIGTERM : SIGKILL) == 0 && k <= PATIENCE; k++) {
        nanosleep(&pause, NULL);
    }
}

static void *watch(void *user) {
    simulate_place *place = user;
    int number = 0;
    if (sigwait(&place->signals, &number) != 0) {
        return NULL;
    }
    atomic_store(&place->ending, true);
    end_child(atomic_load(&place->child));
    hiss_directory_remove(place->directory);
    pthread_sigmask(SIG_UNBLOCK, &place->signals, NULL);
    kill(getpid(), number);
    for (;;) {
        pause();
    }
}

/* ---- life ---- */

/* A list of its own: setenv, which MPI_Init uses, may move that of the process. */
static char **copy_environment(void) {
    int count = 0;
    while (environ[count]) {
        count++;
    }
    char **out = hiss_new(char *, count + 1);
    memcpy(out, environ, sizeof *out * (size_t)count);
    return out;
}

hiss_status simulate_place_create(simulate_place *place, hiss_error *err) {
    const char *asked = getenv("TMPDIR"), *base = asked && *asked ? asked : "/tmp";
    char host[64], prefix[96];
    name_of_host(host);
    snprintf(prefix, sizeof prefix, "hiss-simulate-%s-", host);
    sweep(base, prefix);
    if ((size_t)snprintf(place->directory, sizeof place->directory, "%s/%s%ld-%llu-XXXXXX", base, prefix,
                         (long)getpid(),
                         (unsigned long long)hiss_process_began(getpid(), NULL)) >= sizeof place->directory) {
        return hiss_fail(err, HISS_EUSER, "TMPDIR is too long a path");
    }
    choose_signals(&place->signals);
    pthread_sigmask(SIG_BLOCK, &place->signals, &place->before);
    if (!mkdtemp(place->directory)) {
        const int why = errno;
        pthread_sigmask(SIG_SETMASK, &place->before, NULL);
        return hiss_fail(err, HISS_ESYSTEM, "cannot make a directory %s: %s", place->directory, strerror(why));
    }
    place->watched = pthread_create(&place->watcher, NULL, watch, place) == 0;
    if (!place->watched) {
        pthread_sigmask(SIG_SETMASK, &place->before, NULL); /* then only the next one tidies up */
    }
    place->environment = copy_environment();
    return HISS_OK;
}

void simulate_place_destroy(simulate_place *place) {
    if (place->watched) {
        pthread_cancel(place->watcher);
        pthread_join(place->watcher, NULL);
    }
    hiss_directory_remove(place->directory);
    hiss_free(place->environment);
    pthread_sigmask(SIG_SETMASK, &place->before, NULL);
}

pid_t simulate_start(simulate_place *place, char *const *words, char *const *environment, int output, int errors) {
    const pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        sigprocmask(SIG_SETMASK, &place->before, NULL);
        if (getppid() != parent || dup2(output, STDOUT_FILENO) < 0 || dup2(errors, STDERR_FILENO) < 0) {
            _exit(126);
        }
        execve(words[0], words, environment);
        _exit(errno == ENOENT ? 127 : 126);
    }
    if (pid > 0) {
        setpgid(pid, pid); /* whoever is first */
        atomic_store(&place->child, pid);
    }
    return pid;
}

int simulate_wait(simulate_place *place, pid_t child, struct rusage *usage) {
    int status = 0;
    while (wait4(child, &status, 0, usage) < 0 && errno == EINTR) {
    }
    atomic_store(&place->child, 0);
    while (atomic_load(&place->ending)) { /* the watcher ends this process */
        pause();
    }
    return status;
}
