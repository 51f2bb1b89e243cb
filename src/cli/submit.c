/* Job scripts of studies, and handing them to sbatch. Every text of the user that ends up in a script stands in single
 * quotes there, or in a line for sbatch. */
#include <string.h>
#include <unistd.h>

#include "cli/study.h"
#include "hiss/file.h"

void submit_write_quoted(FILE *out, const char *text) {
    fputc('\'', out);
    for (; *text; text++) {
        fputs(*text == '\'' ? "'\\''" : (char[]){*text, 0}, out);
    }
    fputc('\'', out);
}

hiss_status submit_find_place(submit_place *p, const char *out, hiss_error *err) {
    char path[CLI_PATH];
    hiss_status s = cli_program(p->program, err);
    if (s == HISS_OK && !getcwd(p->cwd, sizeof p->cwd)) {
        s = hiss_fail(err, HISS_ESYSTEM, "the current directory has no name");
    }
    if (s == HISS_OK) {
        snprintf(p->dir, sizeof p->dir, "%s%s%s", out[0] == '/' ? "" : p->cwd, out[0] == '/' ? "" : "/", out);
        snprintf(path, sizeof path, "%s/jobs", p->dir);
        s = hiss_directories_make(path, err);
    }
    if (s == HISS_OK && (strchr(p->dir, '\n') || strchr(p->cwd, '\n'))) {
        s = hiss_fail(err, HISS_EUSER, "sbatch takes no line breaks in names: choose another --out or directory");
    }
    return s;
}

void submit_begin_script(FILE *out, const submit_script *s) {
    fprintf(out, "#!/bin/bash\n# Written by %s.\n#SBATCH --job-name=hiss-%s\n%s", s->command, s->name, s->directives);
    fprintf(out, "#SBATCH --output=%s/jobs/%s-%s.log\n", s->place->dir, s->name, s->array ? "%A_%a" : "%j");
    for (int k = 0; k < s->nsbatch; k++) {
        fprintf(out, "#SBATCH %s\n", s->sbatch[k]);
    }
    fputs("set -u\ncd -- ", out);
    submit_write_quoted(out, s->place->cwd);
    fputs(" || exit 2\n", out);
    for (int k = 0; k < s->nmodules; k++) {
        fputs("module load ", out);
        submit_write_quoted(out, s->modules[k]);
        fputs(" || exit 2\n", out);
    }
    if (s->trains) {
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
    submit_write_quoted(out, s->place->program);
    fputs(
        " ] || { echo 'hiss: error: the program of this study is not there any more; build it again' >&2; exit 2; }\n",
        out);
    fputs("echo \"== $(date '+%F %T')  job ${SLURM_JOB_ID:-none}  nodes ${SLURM_JOB_NODELIST:-$(hostname)}\"\nexec ",
          out);
    submit_write_quoted(out, s->place->program);
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

hiss_status submit_hand_over(const char *path, const char *dependency, bool queued, char id[64], hiss_error *err) {
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
