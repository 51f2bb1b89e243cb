/* hiss compare --submit: a job array with a task for each row and seed that is not done, with its transfers, and a job for
 * the table, which waits for all of them, however they end. Tasks that are stopped go back into the queue. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/compare.h"
#include "hiss/file.h"

typedef struct script {
    const hiss_comparison *study;
    const submit_place *place;
    const char *tasks; /* "1,3,4"; NULL: the job of the table */
} script;

static void write_script(FILE *out, const void *user) {
    const script *s = user;
    const hiss_comparison *study = s->study;
    const char *directives = s->tasks ? hiss_arena_format(study->arena,
                                                          "#SBATCH --array=%s\n#SBATCH --ntasks=%" PRId64
                                                          "\n#SBATCH --cpus-per-task=%" PRId64
                                                          "\n#SBATCH --signal=B:USR1@60" /* for a checkpoint */
                                                          "\n#SBATCH --requeue\n#SBATCH --open-mode=append\n",
                                                          s->tasks, study->ranks, study->threads)
                                      : "#SBATCH --ntasks=1\n";
    const submit_script head = {.command = "hiss compare --submit",
                                .name = s->tasks ? "runs" : "table",
                                .directives = directives,
                                .array = s->tasks != NULL,
                                .trains = s->tasks != NULL,
                                .place = s->place,
                                .sbatch = study->sbatch,
                                .nsbatch = study->nsbatch,
                                .modules = study->modules,
                                .nmodules = study->nmodules};
    char path[CLI_PATH];
    submit_begin_script(out, &head);
    fputs(" compare ", out);
    snprintf(path, sizeof path, "%s/study.yaml", s->place->dir);
    submit_write_quoted(out, path);
    fputs(" --out ", out);
    submit_write_quoted(out, s->place->dir);
    fputs(s->tasks ? " --task \"$SLURM_ARRAY_TASK_ID\" --requeue\n" : " --table\n", out);
}

/* The numbers of the tasks that are not done, "1,3,4", in the arena of the study; "": all are. */
static const char *list_tasks(const hiss_comparison *study, const char *dir) {
    const char *list = "";
    int first, end, total;
    for (int task = 1; compare_find_task(study, task, &first, &end, &total); task++) {
        bool done = true;
        for (int run = first; run < end; run++) {
            done = done && (!hiss_comparison_has_run(study, run) || compare_is_done(study, dir, run));
        }
        list = done ? list : hiss_arena_format(study->arena, "%s%s%d", list, *list ? "," : "", task);
    }
    return list;
}

static hiss_status write_and_submit(const script *s, bool dry, const char *dependency, char id[64], hiss_error *err) {
    const char *path =
        hiss_arena_format(s->study->arena, "%s/jobs/%s.sbatch", s->place->dir, s->tasks ? "runs" : "table");
    hiss_status status = hiss_file_write_by(path, write_script, s, err);
    if (status == HISS_OK && dry) {
        printf("%s\n", path);
    } else if (status == HISS_OK) {
        status = submit_hand_over(path, dependency, *dependency != 0, id, err);
        if (status == HISS_OK) {
            printf("job %s: %s\n", id, path);
        }
    }
    return status;
}

hiss_status compare_submit(const compare_request *r, hiss_error *err) {
    hiss_comparison study;
    submit_place place;
    char id[64] = "", dependency[128] = "";
    hiss_status s = compare_open(r, &study, err);
    s = s == HISS_OK ? compare_place(r, &study, err) : s;
    s = s == HISS_OK ? submit_find_place(&place, r->out, err) : s;
    child_setup(false);
    const char *tasks = s == HISS_OK ? list_tasks(&study, r->out) : "";
    if (s == HISS_OK && *tasks) {
        s = write_and_submit(&(script){&study, &place, tasks}, r->dry, "", id, err);
        if (*id) {
            snprintf(dependency, sizeof dependency, "--dependency=afterany:%s", id);
        }
    }
    s = s == HISS_OK ? write_and_submit(&(script){&study, &place, NULL}, r->dry, dependency, id, err) : s;
    hiss_comparison_destroy(&study);
    return s;
}

/* ---- back into the queue ---- */

enum { MOST_RESTARTS = 100, MOST_IDLE = 2 /* restarts in a row that came no further */ };

/* Restarts in a row that came no further, this one included; kept beside the scripts. */
static int64_t count_idle(const compare_request *r, bool further) {
    char path[CLI_PATH];
    int64_t idle = 0;
    hiss_error none;
    snprintf(path, sizeof path, "%s/jobs/idle-%" PRId64, r->out, r->task);
    FILE *in = fopen(path, "r");
    if (in) {
        idle = fscanf(in, "%" SCNd64, &idle) == 1 ? idle : 0;
        fclose(in);
    }
    idle = further ? 0 : idle + 1;
    hiss_arena *arena = hiss_arena_create();
    hiss_file_write_text(path, hiss_arena_format(arena, "%" PRId64 "\n", idle), &none);
    hiss_arena_destroy(arena);
    return idle;
}

/* scontrol requeue JOB. The job is told to end meanwhile: scontrol inherits that these signals are blocked. */
static bool requeue(const char *job) {
    int status = -1;
    const pid_t pid = fork();
    if (pid == 0) {
        execlp("scontrol", "scontrol", "requeue", job, (char *)NULL);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

hiss_status compare_requeue(const compare_request *r, bool further, hiss_error *err) {
    const char *array = getenv("SLURM_ARRAY_JOB_ID"), *task = getenv("SLURM_ARRAY_TASK_ID"),
               *restarts = getenv("SLURM_RESTART_COUNT");
    char job[128], state[64] = "";
    const char *const ask[] = {"squeue", "--noheader", "--jobs", job, "--format=%T", NULL};
    hiss_error none;
    if (!array || !task) {
        return hiss_fail(err, HISS_EREQUEUE, "stopped on request, and not requeued: this is no task of a job array");
    }
    snprintf(job, sizeof job, "%.60s_%.60s", array, task);
    if (count_idle(r, further) > MOST_IDLE) {
        return hiss_fail(err, HISS_EREQUEUE,
                         "stopped on request, and not requeued: %d restarts came no further; give more --time in "
                         "slurm.options, and submit again",
                         MOST_IDLE);
    }
    if (restarts && atoi(restarts) >= MOST_RESTARTS) {
        return hiss_fail(err, HISS_EREQUEUE, "stopped on request, and not requeued: restarted %d times; submit again",
                         MOST_RESTARTS);
    }
    /* Cancelled, at its limit, or requeued by somebody else: SLURM has decided already. */
    if (child_read(ask, state, sizeof state, &none) != HISS_OK || strcmp(state, "RUNNING\n") != 0) {
        return hiss_fail(err, HISS_EREQUEUE, "stopped on request, and not requeued: job %s is %.*s; submit again", job,
                         (int)strcspn(state, "\n"), *state ? state : "not known to squeue");
    }
    printf("stopped on request; job %s goes back into the queue\n", job);
    fflush(stdout);
    return requeue(job) ? HISS_OK
                        : hiss_fail(err, HISS_EREQUEUE,
                                    "stopped on request, and SLURM does not requeue job %s; submit again", job);
}
