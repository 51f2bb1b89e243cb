/* Child processes of a study.
 *
 * A study may itself have been started by mpirun or srun (one task, to get a place in the machine). What those put into
 * the environment tells a process which rank of which job it is; a launcher started below would take it for its own. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/study.h"
#include "hiss/clock.h"
#include "hiss/log.h"

extern char **environ;

/* Names, or beginnings of names with a *. */
static const char *const rank_names[] = {"PMI_*",
                                         "PMI2_*",
                                         "PMIX_BFROP*",
                                         "PMIX_DSTORE*",
                                         "PMIX_GDS*",
                                         "PMIX_HOSTNAME",
                                         "PMIX_ID",
                                         "PMIX_NAMESPACE",
                                         "PMIX_RANK",
                                         "PMIX_SECURITY*",
                                         "PMIX_SERVER*",
                                         "PMIX_SYSTEM*",
                                         "PMIX_VERSION",
                                         "HYDI_CONTROL_FD",
                                         "MPI_LOCALNRANKS",
                                         "MPI_LOCALRANKID",
                                         "OMPI_COMM_WORLD_*",
                                         "OMPI_UNIVERSE_SIZE",
                                         "OMPI_APP_CTX*",
                                         "OMPI_FIRST_RANKS",
                                         "OMPI_NUM_APP_CTX",
                                         "OMPI_COMMAND",
                                         "OMPI_ARGV",
                                         "OMPI_FILE_LOCATION",
                                         "SLURM_NTASKS",
                                         "SLURM_NPROCS",
                                         "SLURM_PROCID",
                                         "SLURM_LOCALID",
                                         "SLURM_NODEID",
                                         "SLURM_GTIDS",
                                         "SLURM_STEP_*",
                                         "SLURM_STEPID",
                                         "SLURM_TASK_PID",
                                         "SLURM_SRUN_COMM*"};
/* Set by mpirun for its ranks; set by the user where there is no mpirun. */
static const char *const daemon_names[] = {
    "OMPI_MCA_ess*",          "OMPI_MCA_orte_*", "OMPI_MCA_initial_wdir", "OMPI_MCA_pmix", "OMPI_MCA_mpi_oversubscribe",
    "OMPI_MCA_shmem_RUNTIME*"};

static bool is_one_of(const char *entry, const char *const *names, int count) {
    for (int k = 0; k < count; k++) {
        const size_t length = strlen(names[k]);
        if (names[k][length - 1] == '*' ? strncmp(entry, names[k], length - 1) == 0
                                        : strncmp(entry, names[k], length) == 0 && entry[length] == '=') {
            return true;
        }
    }
    return false;
}

static char **clean_environment(void) {
    const bool below_mpirun = getenv("OMPI_COMM_WORLD_RANK");
    int64_t count = 0, kept = 0;
    while (environ[count]) {
        count++;
    }
    char **out = hiss_new(char *, count + 1);
    for (int64_t k = 0; k < count; k++) {
        const bool drop = is_one_of(environ[k], rank_names, HISS_COUNT(rank_names)) ||
                          (below_mpirun && is_one_of(environ[k], daemon_names, HISS_COUNT(daemon_names)));
        if (!drop) {
            out[kept++] = environ[k];
        }
    }
    return out;
}

static void watched(sigset_t *set, bool child) {
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1);
    if (child) {
        sigaddset(set, SIGCHLD);
    }
}

void child_setup(bool stoppable) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    if (stoppable) {
        watched(&set, true);
    }
    sigprocmask(SIG_BLOCK, &set, NULL); /* sigtimedwait takes them */
}

/* Start argv; output: descriptor for its standard output, errors: for its errors. Returns -1 when fork fails. */
static pid_t start(const char *const *argv, int output, int errors) {
    char **environment = clean_environment();
    const pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        sigset_t set;
        watched(&set, true);
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        setpgid(0, 0); /* a terminal's interrupt goes to us alone, and reaches it once */
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        const int input = open("/dev/null", O_RDONLY);
        if (getppid() != parent || input < 0 || dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
            dup2(errors, STDERR_FILENO) < 0) {
            _exit(127);
        }
        environ = environment;
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        dprintf(STDERR_FILENO, "hiss: error: %s cannot be started: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    hiss_free(environment);
    return pid;
}

static void describe(int status, char end[128]) {
    if (WIFEXITED(status)) {
        snprintf(end, 128, "exit %d", WEXITSTATUS(status));
    } else {
        snprintf(end, 128, "signal %d", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    }
}

/* Wait for a child's end; see child_run. */
static bool wait_for(pid_t pid, int64_t limit, int stop, char end[128]) {
    enum { GRACE = 20 };
    const double begin = hiss_seconds();
    double told = 0; /* to end: when */
    bool asked = false, late = false;
    int status = 0;
    sigset_t set;
    watched(&set, true);
    for (;;) {
        const int number = sigtimedwait(&set, NULL, &(struct timespec){.tv_sec = 1});
        if (waitpid(pid, &status, WNOHANG) == pid) {
            break;
        }
        const double now = hiss_seconds();
        asked = asked || (number > 0 && number != SIGCHLD);
        late = late || (limit > 0 && now - begin > (double)limit);
        if ((asked || late) && told == 0) {
            told = now;
            kill(pid, stop);
        } else if (told > 0 && now - told > GRACE) {
            kill(-pid, SIGKILL);
        }
    }
    describe(status, end);
    if (late) {
        snprintf(end, 128, "time limit of %lld s", (long long)limit);
    }
    return !asked;
}

bool child_run(const char *const *argv, const char *log, int64_t limit, int stop, char end[128]) {
    char held[SESSION_FOLDER];
    const int file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    session_folder_hold(held);
    const pid_t pid = file >= 0 ? start(argv, file, file) : -1;
    if (pid < 0) {
        snprintf(end, 128, "not started: %s", strerror(errno));
    }
    if (file >= 0) {
        close(file);
    }
    const bool going = pid < 0 || wait_for(pid, limit, stop, end);
    session_folder_release(held);
    return going;
}

/* What a child wrote to its errors, on one line without the prefix of our own. */
static void join_lines(FILE *errors, char out[CHILD_ERRORS]) {
    char line[CHILD_ERRORS];
    size_t used = 0;
    rewind(errors);
    while (fgets(line, sizeof line, errors) && used + 4 < CHILD_ERRORS) {
        line[strcspn(line, "\r\n")] = 0;
        const char *text = strncmp(line, "hiss: error: ", 13) == 0 ? line + 13 : line;
        if (*text) {
            used += (size_t)snprintf(out + used, CHILD_ERRORS - used, "%s%s", used ? "; " : "", text);
        }
    }
}

hiss_status child_read(const char *const *argv, char *out, size_t size, hiss_error *err) {
    int ends[2];
    char end[128] = "not started", said[CHILD_ERRORS] = "";
    FILE *errors = tmpfile();
    if (!errors || pipe(ends) != 0) {
        const int why = errno;
        if (errors) {
            fclose(errors);
        }
        return hiss_fail(err, HISS_ESYSTEM, "%s cannot be heard: %s", argv[0], strerror(why));
    }
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    const pid_t pid = start(argv, ends[1], fileno(errors));
    close(ends[1]);
    size_t used = 0;
    for (ssize_t got = 1; pid > 0 && got > 0 && used + 1 < size; used += got > 0 ? (size_t)got : 0) {
        got = read(ends[0], out + used, size - 1 - used);
    }
    out[used] = 0;
    close(ends[0]);
    if (pid > 0) {
        wait_for(pid, 0, SIGTERM, end);
    }
    join_lines(errors, said);
    fclose(errors);
    if (strcmp(end, "exit 0") == 0) {
        if (*said) {
            hiss_warn("%s says: %s", argv[0], said);
        }
        return HISS_OK;
    }
    return hiss_fail(err, HISS_ESYSTEM, "%s: %s%s%s", argv[0], end, *said ? ": " : " without a word", said);
}
