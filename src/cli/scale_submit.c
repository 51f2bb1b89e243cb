/* hiss scale submit: one job per number of nodes, and one for the report that waits for them. Every text of the user
 * that ends up in a script stands in single quotes there, or in a line for sbatch. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/scale.h"
#include "hiss/file.h"

enum { MOST_JOBS = 256 };

typedef struct job {
    int64_t nodes, ranks, threads; /* the most of its points; nodes as in the study, 0: not said */
    bool report, open;             /* open: some of its runs are not finished */
} job;

static void write_quoted(FILE *out, const char *text) {
    fputc('\'', out);
    for (; *text; text++) {
        fputs(*text == '\'' ? "'\\''" : (char[]){*text, 0}, out);
    }
    fputc('\'', out);
}

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
    const char *dir, *cwd, *program; /* dir is absolute */
} script;

static void write_directives(FILE *out, const script *s) {
    const job *j = s->job;
    const int64_t nodes = j->nodes > 0 && !j->report ? j->nodes : 1;
    char name[64];
    name_job(j, name);
    fprintf(out, "#SBATCH --job-name=hiss-%s\n#SBATCH --nodes=%" PRId64 "\n", name, nodes);
    if (!j->report) {
        fprintf(out, "#SBATCH --ntasks-per-node=%" PRId64 "\n#SBATCH --cpus-per-task=%" PRId64 "\n",
                (j->ranks + nodes - 1) / nodes, j->threads);
        fputs("#SBATCH --signal=B:USR1@60\n", out); /* a point that would be cut off is begun anew by the next job */
    } else {
        fputs("#SBATCH --ntasks=1\n", out);
    }
    fprintf(out, "#SBATCH --output=%s/jobs/%s-%%j.log\n", s->dir, name);
    for (int k = 0; k < s->study->nsbatch; k++) {
        fprintf(out, "#SBATCH %s\n", s->study->sbatch[k]);
    }
}

static void write_script(FILE *out, const void *user) {
    const script *s = user;
    fputs("#!/bin/bash\n# Written by hiss scale submit.\n", out);
    write_directives(out, s);
    fputs("set -u\ncd -- ", out);
    write_quoted(out, s->cwd);
    fputs(" || exit 2\n", out);
    for (int k = 0; k < s->study->nmodules; k++) {
        fputs("module load ", out);
        write_quoted(out, s->study->modules[k]);
        fputs(" || exit 2\n", out);
    }
    if (!s->job->report) {
        fputs("export SLURM_CPU_BIND=cores        # srun: a rank's threads on cores of its own\n"
              "export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1} # srun of SLURM 22.05 no longer takes it from the "
              "job\n"
              "export SLURM_KILL_BAD_EXIT=1       # srun: a rank that dies ends the step, instead of a hang\n"
              "export SLURM_PMIX_FENCE=ring       # srun: some PMIx builds crash at start with 3 and more nodes "
              "without it\n"
              "export HDF5_USE_FILE_LOCKING=FALSE # parallel file systems without locks; hiss locks the run itself\n",
              out);
    }
    fputs("[ -x ", out);
    write_quoted(out, s->program);
    fputs(
        " ] || { echo 'hiss: error: the program of this study is not there any more; build it again' >&2; exit 2; }\n",
        out);
    fputs("echo \"== $(date '+%F %T')  job ${SLURM_JOB_ID:-none}  nodes ${SLURM_JOB_NODELIST:-$(hostname)}\"\nexec ",
          out);
    write_quoted(out, s->program);
    fprintf(out, " scale %s ", s->job->report ? "report" : "run");
    if (s->job->report) {
        write_quoted(out, s->dir);
    } else {
        char study[CLI_PATH];
        snprintf(study, sizeof study, "%s/study.yaml", s->dir);
        write_quoted(out, study);
        fputs(" --out ", out);
        write_quoted(out, s->dir);
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

/* sbatch's own words, and what to do; queued: jobs were handed over before. */
static hiss_status refused(const char *path, bool queued, hiss_status s, hiss_error *err) {
    const hiss_error why = *err;
    return hiss_fail(err, s,
                     "%s; correct slurm.options of the study (partition, account, time), or hand over %s by "
                     "yourself%s",
                     why.text, path,
                     queued ? "; the jobs above are in the queue: scancel them, or run this again when they are done"
                            : "");
}

/* Hand a script to sbatch; id: what it answers, the job's number. queued: others were handed over before. */
static hiss_status hand_over(const char *path, const char *dependency, bool queued, char id[64], hiss_error *err) {
    char out[256] = "";
    const char *word[8];
    int n = 0;
    word[n++] = "sbatch";
    word[n++] = "--parsable";
    if (*dependency) {
        word[n++] = dependency;
        word[n++] = "--kill-on-invalid-dep=yes";
    }
    word[n++] = path;
    word[n] = NULL;
    hiss_status s = child_read(word, out, sizeof out, err);
    snprintf(id, 64, "%.*s", (int)strcspn(out, ";\n"), out);
    if (s != HISS_OK) {
        return refused(path, queued, s, err);
    }
    if (!*id || id[strspn(id, "0123456789")]) {
        s = hiss_fail(err, HISS_ESYSTEM, "sbatch answers '%.100s' to %s; expected the number of a job", out, path);
    }
    return s;
}

static hiss_status write_and_submit(const script *s, const scale_request *r, char *dependency, size_t size,
                                    hiss_error *err) {
    char path[CLI_PATH], name[64], id[64];
    name_job(s->job, name);
    snprintf(path, sizeof path, "%s/jobs/%s.sbatch", s->dir, name);
    hiss_status status = hiss_file_write_by(path, write_script, s, err);
    if (status != HISS_OK || r->dry) {
        printf("%s", status == HISS_OK ? hiss_arena_format(s->study->arena, "%s\n", path) : "");
        return status;
    }
    status = hand_over(path, s->job->report ? dependency : "", *dependency != 0, id, err);
    if (status == HISS_OK) {
        printf("job %s: %s\n", id, path);
        const size_t used = strlen(dependency);
        snprintf(dependency + used, size - used, "%s:%s", used ? "" : "--dependency=afterok", id);
    }
    return status;
}

hiss_status scale_submit(const scale_request *r, hiss_error *err) {
    char path[CLI_PATH], dir[CLI_PATH - 64], cwd[CLI_PATH / 2], program[CLI_PATH], dependency[MOST_JOBS * 12] = "";
    hiss_study study = {0};
    job jobs[MOST_JOBS + 1];
    hiss_status s = scale_open(r, &study, err);
    s = s == HISS_OK ? cli_program(program, err) : s;
    if (s == HISS_OK && !getcwd(cwd, sizeof cwd)) {
        s = hiss_fail(err, HISS_ESYSTEM, "the current directory has no name");
    }
    if (s == HISS_OK) {
        snprintf(dir, sizeof dir, "%s%s%s", r->out[0] == '/' ? "" : cwd, r->out[0] == '/' ? "" : "/", r->out);
        snprintf(path, sizeof path, "%s/jobs", dir);
        s = hiss_directories_make(path, err);
    }
    if (s == HISS_OK && (strchr(dir, '\n') || strchr(cwd, '\n'))) {
        s = hiss_fail(err, HISS_EUSER, "sbatch takes no line breaks in names: choose another --out or directory");
    }
    child_setup(false);
    const int n = s == HISS_OK ? list_jobs(&study, r->out, jobs) : 0;
    for (int k = 0; k < n && s == HISS_OK; k++) {
        const script one = {&study, &jobs[k], dir, cwd, program};
        if (jobs[k].open) {
            s = write_and_submit(&one, r, dependency, sizeof dependency, err);
        }
    }
    hiss_study_destroy(&study);
    return s;
}
