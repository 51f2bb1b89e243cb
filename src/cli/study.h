/* Private to the commands that run studies: processes, where they run, and what they are of. */
#ifndef HISS_CLI_STUDY_H
#define HISS_CLI_STUDY_H

#include <signal.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "hiss/scale.h"

/* ---- processes ---- */

/* From here on the ends of children are noticed at once. stoppable: SIGINT, SIGTERM, SIGHUP and SIGUSR1 are caught,
 * too, and child_run passes them on; else they end this process and with it its child. */
void child_setup(bool stoppable);
/* Run argv (found in PATH) in its own process group, with the environment cleaned of what makes this process a rank of
 * some job; standard input empty, output and errors to log. Waits for its end.
 *   limit  seconds, then it is ended; 0: none
 *   stop   the signal that asks it to end
 *   end    how: "exit N", "signal N", "time limit", or "not started: why"
 * Returns false when a signal asked this process to stop; the child has ended then, too. */
bool child_run(const char *const *argv, const char *log, int64_t limit, int stop, char end[128]);
/* The same, but standard output into out[size]. What it says to its errors is in the text of the error, or, where the
 * child ends with 0, in a warning. */
enum { CHILD_ERRORS = 512 };
hiss_status child_read(const char *const *argv, char *out, size_t size, hiss_error *err);

/* Keep Open MPI's folder of sessions in being until it is released; held is what to release, empty where it cannot be kept. Not
 * thread-safe. */
enum { SESSION_FOLDER = 2048 };
void session_folder_hold(char held[SESSION_FOLDER]);
void session_folder_release(char held[SESSION_FOLDER]);

/* ---- the directory of a study, and the program that its runs are of ---- */

/* Lock DIR/NAME for this process; shared: with others that share it. Errors (HISS_EUSER): another one has it. *lock must
 * be closed unless it is -1. */
hiss_status study_lock(const char *dir, const char *name, bool shared, const char *command, int *lock, hiss_error *err);

typedef struct study_program {
    char path[CLI_PATH];
    struct stat built; /* when the study began */
} study_program;
hiss_status study_program_begin(study_program *p, hiss_error *err);
/* Whether the launcher is there, and the program is still the one that began: else no run is to blame. */
hiss_status study_program_check(const study_program *p, const char *launcher, hiss_error *err);

/* ---- where and with what ---- */

/* This host's cores and the hosts of the allocation, in arena. After child_setup. */
hiss_status study_place(hiss_arena *arena, hiss_scale_place *out, hiss_error *err);
/* How a run ended ("end"), when, after how many seconds, with what and by which command (words up to NULL), as lines of
 * YAML. */
void study_write_end(FILE *out, const char *end, double seconds, const char *const *word);

/* ---- jobs ---- */

/* Where a study is submitted from. Errors: those of making DIR/jobs; names that sbatch does not take. */
typedef struct submit_place {
    char dir[CLI_PATH - 64]; /* of the study, absolute */
    char cwd[CLI_PATH / 2], program[CLI_PATH];
} submit_place;
hiss_status submit_find_place(submit_place *p, const char *out, hiss_error *err);

typedef struct submit_script {
    const char *command, *name; /* what writes it; of the job, and of its log in DIR/jobs */
    const char *directives;     /* lines "#SBATCH ..." */
    bool array, trains;         /* a job array; it starts ranks */
    const submit_place *place;
    const char *const *sbatch, *const *modules; /* [nsbatch] options, [nmodules] */
    int nsbatch, nmodules;
} submit_script;
/* A script up to the program's name, which its words follow. */
void submit_begin_script(FILE *out, const submit_script *s);
void submit_write_quoted(FILE *out, const char *text);
/* Hand a script to sbatch; id: what it answers, the job's number.
 *   dependency  "" or an option of sbatch
 *   queued      others were handed over before */
hiss_status submit_hand_over(const char *path, const char *dependency, bool queued, char id[64], hiss_error *err);

#endif
