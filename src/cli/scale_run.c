/* hiss scale run: the points of a study, one after another.
 *
 * A run is finished when its point.yaml says so; all others, whatever is left of them, are begun anew, for a run that
 * was interrupted has no times worth keeping. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/scale.h"
#include "hiss/clock.h"
#include "hiss/file.h"
#include "hiss/log.h"

enum { MOST_WORDS = 512, MOST_SETTINGS = 128 };

/* ---- the study's directory ---- */

/* The study that DIR holds, if it holds one, must be one that this one goes on with. */
static hiss_status check_study(const hiss_study *study, const char *path, const char *dir, hiss_error *err) {
    hiss_study before = {0};
    hiss_error why = {0};
    hiss_status s = hiss_study_read(path, NULL, 0, &before, err);
    if (s == HISS_OK && hiss_study_extends(&before, study, &why) != HISS_OK) {
        s = hiss_fail(err, HISS_EUSER, "%s holds another study (%.700s): choose another --out", dir, why.text);
    }
    hiss_study_destroy(&before);
    return s;
}

static hiss_status place_study(const hiss_study *study, const char *dir, hiss_error *err) {
    char path[CLI_PATH];
    snprintf(path, sizeof path, "%s/study.yaml", dir);
    hiss_status s = hiss_file_exists(path) ? check_study(study, path, dir, err) : HISS_OK;
    s = s == HISS_OK && !hiss_file_exists(path) ? cli_expect_no_run(dir, err) : s;
    if (s == HISS_OK) {
        snprintf(path, sizeof path, "%s/points", dir);
        s = hiss_directories_make(path, err);
        snprintf(path, sizeof path, "%s/study.yaml", dir);
    }
    s = s == HISS_OK ? hiss_file_write_text(path, hiss_config_resolved(study->text), err) : s;
    if (s != HISS_OK) { /* what is empty is of no use */
        snprintf(path, sizeof path, "%s/points", dir);
        rmdir(path);
        rmdir(dir);
    }
    return s;
}

/* ---- what the configs say ---- */

static hiss_status read_experiment(const hiss_study *study, int point, bool base, hiss_experiment *e, hiss_error *err) {
    const hiss_scale_config *c = &study->configs[study->points[point].config];
    const char *set[MOST_SETTINGS];
    hiss_arena *arena = hiss_arena_create();
    hiss_eval_options eval = {0};
    hiss_extra_section extra[CLI_EVAL_SECTIONS];
    const int nextra = cli_eval_sections(&eval, extra);
    const int n = base ? c->nset : hiss_study_settings(study, point, arena, set, MOST_SETTINGS);
    char key[128], where[HISS_WHERE];
    snprintf(key, sizeof key, "configs.%.60s.file", c->name);
    hiss_status s = hiss_file_expect_text(c->file, "the config", "give the path of a config of hiss train", err);
    if (s != HISS_OK) {
        hiss_error_prefix(err, s, hiss_config_where(study->text, key, where));
    } else if ((s = hiss_experiment_read(c->file, base ? c->set : set, n, extra, nextra, e, err)) != HISS_OK) {
        const hiss_error why = *err;
        hiss_fail(err, s, "%s", hiss_study_blame(study, point, arena, why.text));
    }
    hiss_arena_destroy(arena);
    return s;
}

/* What weak scaling multiplies. */
static hiss_status read_bases(hiss_study *study, hiss_error *err) {
    hiss_status s = HISS_OK;
    const int each = study->npoints / study->nconfigs;
    for (int c = 0; c < study->nconfigs && s == HISS_OK; c++) {
        hiss_experiment e = {0};
        s = read_experiment(study, c * each, true, &e, err);
        if (s == HISS_OK) {
            study->configs[c].lanes = e.train.lanes;
            study->configs[c].limit = e.data.limit;
            if (study->kind == HISS_SCALE_WEAK_DATA && e.data.limit == 0) {
                char where[HISS_WHERE];
                s = hiss_fail(
                    err, HISS_EUSER,
                    "%s: weak-data multiplies data.limit, which config %s leaves at 0; set it to the samples of the "
                    "smallest point, e.g. set: [data.limit=6000]",
                    hiss_config_where(study->text, "kind", where), study->configs[c].name);
            }
            hiss_experiment_destroy(&e);
        }
    }
    return s;
}

static hiss_status check_point(const hiss_study *study, int k, bool here, hiss_error *err) {
    const hiss_scale_point *p = &study->points[k];
    hiss_experiment e = {0};
    hiss_status s = read_experiment(study, k, false, &e, err);
    if (s == HISS_OK) {
        char where[HISS_WHERE];
        s = here && e.data.file ? hiss_data_expect(e.data.file, err) : s;
        if (s != HISS_OK) {
            hiss_arena *arena = hiss_arena_create();
            hiss_error_prefix(err, s, hiss_config_where(e.config, "data.file", where));
            const hiss_error why = *err;
            hiss_fail(err, s, "%s", hiss_study_blame(study, k, arena, why.text));
            hiss_arena_destroy(arena);
        }
        if (s == HISS_OK && e.train.lanes < p->workers) {
            s = hiss_fail(err, HISS_EUSER,
                          "%s: point %s: %" PRId64 " ranks x %" PRId64 " threads, but train.lanes is %" PRId64
                          ": some would have nothing to do; set train.lanes to a multiple of the most ranks x threads, "
                          "or leave the point out",
                          hiss_config_where(study->text, "ranks", where), p->name, p->ranks, p->threads, e.train.lanes);
        } else if (e.train.lanes % p->workers != 0) {
            hiss_warn("point %s: %" PRId64 " lanes on %" PRId64 " x %" PRId64 ": some workers have more than others",
                      p->name, e.train.lanes, p->ranks, p->threads);
        }
        hiss_experiment_destroy(&e);
    }
    return s;
}

hiss_status scale_open(const scale_request *r, hiss_study *study, hiss_error *err) {
    hiss_status s = hiss_file_expect_text(r->path, "the study", "configs/scale-strong.yaml is an example", err);
    s = s == HISS_OK ? hiss_study_read(r->path, r->sets, r->nsets, study, err) : s;
    s = s == HISS_OK ? read_bases(study, err) : s;
    for (int k = 0; k < study->npoints && s == HISS_OK; k++) {
        s = check_point(study, k, !r->elsewhere, err);
    }
    bool any = r->nodes == 0;
    for (int k = 0; k < study->npoints; k++) {
        any = any || study->points[k].nodes == r->nodes;
    }
    if (s == HISS_OK && !any) {
        s = hiss_fail(err, HISS_EUSER,
                      "--nodes %lld: no point of %s is on so many nodes; see nodes and ranks_per_node there",
                      (long long)r->nodes, r->path);
    }
    return s == HISS_OK ? place_study(study, r->out, err) : s;
}

/* ---- one run ---- */

/* Whether a process still trains there: one that outlived the study that started it. */
static bool in_use(const char *run) {
    char path[CLI_PATH];
    snprintf(path, sizeof path, "%s/.lock", run);
    const int file = open(path, O_RDWR | O_CLOEXEC);
    const bool held = file >= 0 && flock(file, LOCK_EX | LOCK_NB) != 0;
    if (file >= 0) {
        close(file);
    }
    return held;
}

typedef struct runner {
    const hiss_study *study;
    const char *dir;
    study_program program;
    hiss_scale_place place;
    hiss_arena *arena;
} runner;

/* The command of a run into word[MOST_WORDS], NULL at the end; in arena. */
static void make_command(const runner *r, int64_t run, const char *place, hiss_arena *arena, const char **word) {
    const hiss_study *study = r->study;
    const int point = (int)(run % study->npoints);
    const char *set[MOST_SETTINGS];
    int n = hiss_study_launcher(study, point, &r->place, arena, word, MOST_WORDS - 2 * MOST_SETTINGS - 16);
    const char *const fixed[] = {r->program.path, "train",      study->configs[study->points[point].config].file,
                                 "--run",         place,        "--resume",
                                 "never",         "--progress", "lines",
                                 "--threads"};
    for (int k = 0; k < HISS_COUNT(fixed); k++) {
        word[n++] = fixed[k];
    }
    word[n++] = hiss_arena_format(arena, "%" PRId64, study->points[point].threads);
    const int settings = hiss_study_settings(study, point, arena, set, MOST_SETTINGS);
    for (int k = 0; k < settings; k++) {
        word[n++] = "--set";
        word[n++] = set[k];
    }
    word[n] = NULL;
}

static hiss_status write_end(const char *place, const char *end, double seconds, int64_t position,
                             const char *const *word, hiss_error *err) {
    char path[CLI_PATH], *text = NULL;
    size_t size = 0;
    FILE *out = hiss_text_open(&text, &size);
    fprintf(out, "position: %" PRId64 "\n", position);
    study_write_end(out, end, seconds, word);
    fclose(out);
    snprintf(path, sizeof path, "%s/point.yaml", place);
    const hiss_status s = hiss_file_write_text(path, text, err);
    free(text);
    return s;
}

/* Run one; false in *going when this process was asked to stop. */
static hiss_status run_one(const runner *r, int64_t run, int64_t position, bool *going, hiss_error *err) {
    const hiss_study *study = r->study;
    char place[CLI_PATH - 64], log[CLI_PATH], end[128];
    const char *word[MOST_WORDS];
    hiss_study_place(study, r->dir, run, place, sizeof place);
    if (in_use(place)) {
        return hiss_fail(err, HISS_EUSER, "%s is still being trained by another process; wait for it, or end it",
                         place);
    }
    hiss_arena *arena = hiss_arena_create();
    make_command(r, run, place, arena, word);
    hiss_status s = study_program_check(&r->program, word[0], err);
    if (s == HISS_OK) {
        hiss_directory_remove(place);
        s = hiss_directories_make(place, err);
    }
    if (s != HISS_OK) {
        hiss_arena_destroy(arena);
        return s;
    }
    snprintf(log, sizeof log, "%s/log.txt", place);
    const double begin = hiss_seconds();
    *going = child_run(word, log, study->limit, SIGTERM, end);
    if (*going) {
        s = write_end(place, end, hiss_seconds() - begin, position, word, err);
    }
    if (*going && !study->keep) {
        snprintf(log, sizeof log, "%s/ckpt", place);
        hiss_directory_remove(log);
    }
    hiss_arena_destroy(arena);
    return s;
}

static void tell(const hiss_scale_run *run, const char *name, int64_t position, int64_t total) {
    if (run->state == HISS_RUN_DONE) {
        printf("[%" PRId64 "/%" PRId64 "] %s: %.0f images/s, %.8s\n", position, total, name, run->throughput,
               run->parameters);
    } else {
        printf("[%" PRId64 "/%" PRId64 "] %s: FAILED: %s\n", position, total, name, run->why);
    }
    fflush(stdout);
}

static hiss_status begin_runner(const hiss_study *study, const char *dir, runner *out, hiss_error *err) {
    *out = (runner){.study = study, .dir = dir, .arena = hiss_arena_create()};
    const hiss_status s = study_program_begin(&out->program, err);
    return s == HISS_OK ? study_place(out->arena, &out->place, err) : s;
}

typedef struct tally {
    int64_t kept, failed;
} tally;

/* One run of the study: kept when it is finished, else run. */
static hiss_status visit(const runner *r, int64_t index, int64_t position, tally *counts, bool *going,
                         hiss_error *err) {
    const hiss_study *study = r->study;
    hiss_arena *arena = hiss_arena_create();
    hiss_scale_run run;
    hiss_status s = HISS_OK;
    hiss_results_read(study, r->dir, index, arena, &run);
    if (run.state == HISS_RUN_DONE) {
        counts->kept++;
    } else {
        char name[128];
        s = run_one(r, index, position, going, err);
        if (s == HISS_OK && *going) {
            hiss_results_read(study, r->dir, index, arena, &run);
            counts->failed += run.state != HISS_RUN_DONE;
            snprintf(name, sizeof name, "%s-r%" PRId64, study->points[index % study->npoints].name,
                     index / study->npoints + 1);
            tell(&run, name, position, study->npoints * study->repeats);
        }
    }
    hiss_arena_destroy(arena);
    return s;
}

static hiss_status run_all(const hiss_study *study, const scale_request *r, hiss_error *err) {
    const int64_t n = study->npoints * study->repeats;
    int64_t *order = hiss_new(int64_t, n);
    runner runs;
    tally counts = {0};
    bool going = true;
    hiss_study_order(study, order);
    hiss_status s = begin_runner(study, r->out, &runs, err);
    for (int64_t k = 0; k < n && s == HISS_OK && going; k++) {
        if (r->nodes == 0 || study->points[order[k] % study->npoints].nodes == r->nodes) {
            s = visit(&runs, order[k], k + 1, &counts, &going, err);
        }
    }
    hiss_arena_destroy(runs.arena);
    hiss_free(order);
    if (s == HISS_OK && counts.kept > 0) {
        printf("%" PRId64 " run%s there already\n", counts.kept, counts.kept == 1 ? " was" : "s were");
    }
    if (s == HISS_OK && !going) {
        s = hiss_fail(err, HISS_EREQUEUE,
                      "stopped on request; the same command goes on with the run that was interrupted");
    } else if (s == HISS_OK && counts.failed > 0) {
        s = hiss_fail(err, HISS_EUSER,
                      "%" PRId64 " run%s failed; `hiss scale report %s` says why, the same command tries them "
                      "again",
                      counts.failed, counts.failed == 1 ? "" : "s", r->out);
    }
    return s;
}

hiss_status scale_run(const scale_request *r, hiss_error *err) {
    char name[64];
    hiss_study study = {0};
    hiss_status s = scale_open(r, &study, err);
    int lock = -1;
    if (s == HISS_OK) {
        snprintf(name, sizeof name, ".lock-%" PRId64, r->nodes);
        s = study_lock(r->out, name, false, "hiss scale run", &lock, err);
    }
    child_setup(true);
    s = s == HISS_OK ? run_all(&study, r, err) : s;
    if (lock >= 0) {
        close(lock);
    }
    hiss_study_destroy(&study);
    return s;
}
