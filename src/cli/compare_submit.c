/* hiss compare --submit: a job array with a task for each run that is not done, and a job for the table, which waits for
 * all of them, however they end. */
#include <inttypes.h>
#include <string.h>

#include "cli/compare.h"
#include "hiss/file.h"

typedef struct script {
    const compare_plan *plan;
    const submit_place *place;
    const char *tasks; /* "1,3,4"; NULL: the job of the table */
} script;

static void write_script(FILE *out, const void *user) {
    const script *s = user;
    const hiss_comparison *study = &s->plan->study;
    const char *directives = s->tasks ? hiss_arena_format(study->arena,
                                                          "#SBATCH --array=%s\n#SBATCH --ntasks=%" PRId64
                                                          "\n#SBATCH --cpus-per-task=%" PRId64
                                                          "\n#SBATCH --signal=B:USR1@60\n", /* for a checkpoint */
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
    fputs(s->tasks ? " --task \"$SLURM_ARRAY_TASK_ID\"\n" : " --table\n", out);
}

/* The numbers of the runs that are not done, "1,3,4", in the arena of the study; "": all are. */
static const char *list_tasks(const compare_plan *plan, const char *dir) {
    const hiss_comparison *study = &plan->study;
    const char *list = "";
    int position = 0;
    for (int run = 0; run < hiss_comparison_runs(study); run++) {
        position += hiss_comparison_has_run(study, run);
        if (hiss_comparison_has_run(study, run) && !compare_is_done(plan, dir, run)) {
            list = hiss_arena_format(study->arena, "%s%s%d", list, *list ? "," : "", position);
        }
    }
    return list;
}

static hiss_status write_and_submit(const script *s, bool dry, const char *dependency, char id[64], hiss_error *err) {
    const char *path =
        hiss_arena_format(s->plan->study.arena, "%s/jobs/%s.sbatch", s->place->dir, s->tasks ? "runs" : "table");
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
    compare_plan plan;
    submit_place place;
    char id[64] = "", dependency[128] = "";
    hiss_status s = compare_open(r, &plan, err);
    s = s == HISS_OK ? submit_find_place(&place, r->out, err) : s;
    child_setup(false);
    const char *tasks = s == HISS_OK ? list_tasks(&plan, r->out) : "";
    if (s == HISS_OK && *tasks) {
        s = write_and_submit(&(script){&plan, &place, tasks}, r->dry, "", id, err);
        if (*id) {
            snprintf(dependency, sizeof dependency, "--dependency=afterany:%s", id);
        }
    }
    s = s == HISS_OK ? write_and_submit(&(script){&plan, &place, NULL}, r->dry, dependency, id, err) : s;
    hiss_comparison_destroy(&plan.study);
    return s;
}
