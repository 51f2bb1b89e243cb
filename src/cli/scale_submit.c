/* hiss scale submit: one job per number of nodes, and one for the report that waits for them. */
#include <inttypes.h>
#include <string.h>

#include "cli/scale.h"
#include "hiss/file.h"

enum { MOST_JOBS = 256 };

typedef struct job {
    int64_t nodes, ranks, threads; /* the most of its points; nodes as in the study, 0: not said */
    bool report, open;             /* open: some of its runs are not finished */
} job;

static void name_job(const job *j, char out[64]) {
    if (j->report) {
        snprintf(out, 64, "report");
    } else {
        snprintf(out, 64, "nodes-%" PRId64, j->nodes > 0 ? j->nodes : 1);
    }
}

typedef struct script {
    const hiss_study *study;
    const job *job;
    const submit_place *place;
} script;

static const char *directives_of(const script *s) {
    const job *j = s->job;
    const int64_t nodes = j->nodes > 0 && !j->report ? j->nodes : 1;
    const char *size =
        j->report ? "#SBATCH --ntasks=1\n"
                  : hiss_arena_format(s->study->arena,
                                      "#SBATCH --ntasks-per-node=%" PRId64 "\n#SBATCH --cpus-per-task=%" PRId64 "\n",
                                      (j->ranks + nodes - 1) / nodes, j->threads);
    return hiss_arena_format(s->study->arena, "#SBATCH --nodes=%" PRId64 "\n%s%s", nodes, size,
                             /* a point that would be cut off is begun anew by the next job */
                             j->report ? "" : "#SBATCH --signal=B:USR1@60\n");
}

static void write_script(FILE *out, const void *user) {
    const script *s = user;
    const hiss_study *study = s->study;
    char name[64];
    name_job(s->job, name);
    const submit_script head = {.command = "hiss scale submit",
                                .name = name,
                                .directives = directives_of(s),
                                .trains = !s->job->report,
                                .place = s->place,
                                .sbatch = study->sbatch,
                                .nsbatch = study->nsbatch,
                                .modules = study->modules,
                                .nmodules = study->nmodules};
    submit_begin_script(out, &head);
    fprintf(out, " scale %s ", s->job->report ? "report" : "run");
    if (s->job->report) {
        submit_write_quoted(out, s->place->dir);
    } else {
        char path[CLI_PATH];
        snprintf(path, sizeof path, "%s/study.yaml", s->place->dir);
        submit_write_quoted(out, path);
        fputs(" --out ", out);
        submit_write_quoted(out, s->place->dir);
        if (s->job->nodes > 0) {
            fprintf(out, " --nodes %" PRId64, s->job->nodes);
        }
    }
    fputc('\n', out);
}

/* The jobs of a study, in ascending numbers of nodes; the report's last. */
static int list_jobs(const hiss_study *study, const char *dir, job jobs[MOST_JOBS + 1]) {
    int n = 0;
    for (int64_t k = 0; k < study->npoints * study->repeats; k++) {
        const hiss_scale_point *p = &study->points[k % study->npoints];
        hiss_arena *arena = hiss_arena_create();
        hiss_scale_run run;
        int at = 0;
        while (at < n && jobs[at].nodes < p->nodes) {
            at++;
        }
        if (at == n || jobs[at].nodes != p->nodes) {
            memmove(jobs + at + 1, jobs + at, sizeof *jobs * (size_t)(n - at));
            jobs[at] = (job){.nodes = p->nodes};
            n++;
        }
        jobs[at].ranks = p->ranks > jobs[at].ranks ? p->ranks : jobs[at].ranks;
        jobs[at].threads = p->threads > jobs[at].threads ? p->threads : jobs[at].threads;
        hiss_results_read(study, dir, k, arena, &run);
        jobs[at].open = jobs[at].open || run.state != HISS_RUN_DONE;
        hiss_arena_destroy(arena);
    }
    jobs[n] = (job){.report = true, .open = true};
    return n + 1;
}

static hiss_status write_and_submit(const script *s, const scale_request *r, char *dependency, size_t size,
                                    hiss_error *err) {
    char name[64], id[64];
    name_job(s->job, name);
    const char *path = hiss_arena_format(s->study->arena, "%s/jobs/%s.sbatch", s->place->dir, name);
    hiss_status status = hiss_file_write_by(path, write_script, s, err);
    if (status != HISS_OK || r->dry) {
        printf("%s", status == HISS_OK ? hiss_arena_format(s->study->arena, "%s\n", path) : "");
        return status;
    }
    status = submit_hand_over(path, s->job->report ? dependency : "", *dependency != 0, id, err);
    if (status == HISS_OK) {
        printf("job %s: %s\n", id, path);
        const size_t used = strlen(dependency);
        snprintf(dependency + used, size - used, "%s:%s", used ? "" : "--dependency=afterok", id);
    }
    return status;
}

hiss_status scale_submit(const scale_request *r, hiss_error *err) {
    char dependency[MOST_JOBS * 12] = "";
    hiss_study study = {0};
    job jobs[MOST_JOBS + 1];
    submit_place place;
    hiss_status s = scale_open(r, &study, err);
    s = s == HISS_OK ? submit_find_place(&place, r->out, err) : s;
    child_setup(false);
    const int n = s == HISS_OK ? list_jobs(&study, r->out, jobs) : 0;
    for (int k = 0; k < n && s == HISS_OK; k++) {
        const script one = {&study, &jobs[k], &place};
        if (jobs[k].open) {
            s = write_and_submit(&one, r, dependency, sizeof dependency, err);
        }
    }
    hiss_study_destroy(&study);
    return s;
}
