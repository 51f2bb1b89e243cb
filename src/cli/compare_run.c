/* hiss compare: the runs of a comparison, one after another, each a hiss train and a hiss eval of its own.
 *
 * A run is finished when its compare.yaml says so, and says that it was judged as the study has it now. All others are
 * begun again, and training goes on from the newest checkpoint. */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/compare.h"
#include "hiss/clock.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "hiss/snapshot.h"
#include "hiss/table.h"

enum { MOST_WORDS = 1024 };

typedef enum stage { STAGE_TRAIN, STAGE_EVAL } stage;
static const char *const stage_names[] = {"train", "eval"};

typedef struct runner {
    const hiss_comparison *study;
    const char *dir;
    study_program program;
    hiss_scale_place place;
    hiss_arena *arena;
} runner;

/* The launcher and the program into word[]; returns how many. One rank needs no launcher. */
static int begin_command(const runner *r, hiss_arena *arena, const char **word) {
    const hiss_comparison *study = r->study;
    const hiss_scale_point p = {
        .ranks = study->ranks, .threads = study->threads, .workers = study->ranks * study->threads};
    int n = study->nlaunch >= 0 || study->ranks > 1
                ? hiss_launcher_words(&p, study->launch, study->nlaunch, &r->place, arena, word,
                                      MOST_WORDS - 2 * HISS_COMPARE_SETTINGS - 16)
                : 0;
    word[n++] = r->program.path;
    return n;
}

static void make_command(const runner *r, stage which, int run, const char *place, hiss_arena *arena,
                         const char **word) {
    const hiss_comparison *study = r->study;
    const char *set[HISS_COMPARE_SETTINGS];
    int n = begin_command(r, arena, word);
    word[n++] = stage_names[which];
    if (which == STAGE_TRAIN) {
        const char *const fixed[] = {hiss_comparison_config(study, run),
                                     "--run",
                                     place,
                                     "--progress",
                                     "lines",
                                     "--threads",
                                     hiss_arena_format(arena, "%" PRId64, study->threads)};
        for (int k = 0; k < HISS_COUNT(fixed); k++) {
            word[n++] = fixed[k];
        }
        const int settings = hiss_comparison_settings(study, r->dir, run, arena, set, HISS_COMPARE_SETTINGS);
        for (int k = 0; k < settings; k++) {
            word[n++] = "--set";
            word[n++] = set[k];
        }
    } else {
        word[n++] = place;
        word[n++] = "--set";
        word[n++] = hiss_arena_format(arena, "eval=%s", r->study->eval[run]);
    }
    word[n] = NULL;
}

static hiss_status write_end(const runner *r, stage which, int run, const char *place, const char *end, double seconds,
                             const char *const *word, hiss_error *err) {
    char path[CLI_PATH], *text = NULL;
    size_t size = 0;
    FILE *out = hiss_text_open(&text, &size);
    fprintf(out, "stage: %s\n", stage_names[which]);
    study_write_end(out, end, seconds, word);
    fputs("eval: ", out);
    hiss_yaml_write_text(out, r->study->eval[run]);
    fputc('\n', out);
    fclose(out);
    snprintf(path, sizeof path, "%s/compare.yaml", place);
    const hiss_status s = hiss_file_write_text(path, text, err);
    free(text);
    return s;
}

bool compare_is_done(const hiss_comparison *study, const char *dir, int run) {
    hiss_compare_run found;
    hiss_arena *arena = hiss_arena_create();
    hiss_compare_run_read(study, dir, run, arena, &found);
    hiss_arena_destroy(arena);
    return found.state == HISS_COMPARE_DONE;
}

/* One stage of a run. *going false: this process was asked to stop, or the training ended for want of time. *well: it
 * ended with 0; else compare.yaml says how. */
static hiss_status do_stage(const runner *r, stage which, int run, const char *place, bool *going, bool *well,
                            hiss_error *err) {
    char log[CLI_PATH], end[128];
    const char *word[MOST_WORDS];
    hiss_arena *arena = hiss_arena_create();
    make_command(r, which, run, place, arena, word);
    hiss_status s = study_program_check(&r->program, word[0], err);
    *well = false;
    if (s == HISS_OK) {
        snprintf(log, sizeof log, "%s/log.txt", place);
        const double begin = hiss_seconds();
        *going = child_run(word, log, r->study->limit, which == STAGE_TRAIN ? SIGUSR1 : SIGTERM, end);
        *going = *going && strcmp(end, "exit 85") != 0;
        *well = strcmp(end, "exit 0") == 0;
        if (*going && (!*well || which == STAGE_EVAL)) {
            s = write_end(r, which, run, place, end, hiss_seconds() - begin, word, err);
        }
    }
    hiss_arena_destroy(arena);
    return s;
}

/* ---- transfers ---- */

/* Note which run a transfer begins from. *same false: it began from another one, which is not there any more. */
static hiss_status note_source(const runner *r, int run, const char *place, bool *same, hiss_error *err) {
    const hiss_comparison *study = r->study;
    char now[HISS_HASH_TEXT], then[HISS_HASH_TEXT], path[CLI_PATH];
    hiss_compare_source_read(study, r->dir, run, now, then);
    snprintf(path, sizeof path, "%s/config.yaml", place);
    *same = *then ? strcmp(now, then) == 0 : hiss_comparison_source(study, run) < 0 || !hiss_file_exists(path);
    if (hiss_comparison_source(study, run) < 0 || *then || !*same) {
        return HISS_OK;
    }
    hiss_arena *arena = hiss_arena_create();
    snprintf(path, sizeof path, "%s/source.yaml", place);
    const char *text =
        hiss_arena_format(arena, "run: %s\nparameters_sha256: %s\n",
                          hiss_comparison_run_name(study, hiss_comparison_source(study, run), arena), now);
    const hiss_status s = hiss_file_write_text(path, text, err);
    hiss_arena_destroy(arena);
    return s;
}

static bool has_checkpoint(const runner *r, int run) {
    char place[CLI_PATH - 64];
    int64_t *steps = NULL;
    hiss_comparison_place(r->study, r->dir, run, place, sizeof place);
    const int count = hiss_snapshot_list(place, &steps);
    hiss_free(steps);
    return count > 0;
}

/* Whether transfers that are not done begin from this run, and have no checkpoint of their own to go on from. */
static bool is_awaited(const runner *r, int run) {
    const hiss_comparison *study = r->study;
    for (int k = run + 1; k <= run + study->ntransfers && hiss_comparison_transfer(study, run) == 0; k++) {
        if (!has_checkpoint(r, k) && !compare_is_done(r->study, r->dir, k)) {
            return true;
        }
    }
    return false;
}

/* Checkpoints of a run that nothing waits for. */
static void drop_checkpoints(const runner *r, int run) {
    char place[CLI_PATH - 64], path[CLI_PATH];
    if (!r->study->keep && compare_is_done(r->study, r->dir, run) && !is_awaited(r, run)) {
        hiss_comparison_place(r->study, r->dir, run, place, sizeof place);
        snprintf(path, sizeof path, "%s/ckpt", place);
        hiss_directory_remove(path);
    }
}

/* ---- a run ---- */

static hiss_status run_one(const runner *r, int run, bool *going, hiss_error *err) {
    static const char *const stale[] = {"compare.yaml", "log.txt"};
    char place[CLI_PATH - 64], path[CLI_PATH];
    bool well = true;
    hiss_comparison_place(r->study, r->dir, run, place, sizeof place);
    hiss_status s = hiss_directories_make(place, err);
    s = s == HISS_OK ? note_source(r, run, place, &well, err) : s;
    for (int k = 0; k < HISS_COUNT(stale) && s == HISS_OK && well; k++) {
        snprintf(path, sizeof path, "%s/%s", place, stale[k]);
        s = hiss_file_remove(path, err);
    }
    for (stage k = STAGE_TRAIN; k <= STAGE_EVAL && s == HISS_OK && *going && well; k++) {
        s = do_stage(r, k, run, place, going, &well, err);
    }
    if (s == HISS_OK && *going) {
        drop_checkpoints(r, run);
        if (hiss_comparison_source(r->study, run) >= 0) {
            drop_checkpoints(r, hiss_comparison_source(r->study, run));
        }
    }
    return s;
}

/* ---- the study ---- */

static void tell(const hiss_comparison *study, const hiss_compare_run *found, int run, const char *name, int position,
                 int total) {
    const char *before = "";
    printf("[%d/%d] %s:", position, total, name);
    for (int c = 0; c < study->ncolumns && found->state == HISS_COMPARE_DONE; c++) {
        if (study->columns[c].reading.transfer == hiss_comparison_transfer(study, run)) {
            const char *cell = HISS_NUMBER(HISS_NUMBER_WIDTH, 2, found->value[c]);
            printf("%s %s %s", before, study->columns[c].name, cell + strspn(cell, " "));
            before = ",";
        }
    }
    if (found->state == HISS_COMPARE_DONE) {
        printf("%s\n", *before ? "" : " done");
    } else {
        printf(" FAILED: %s\n", found->why);
    }
    fflush(stdout);
}

typedef struct tally {
    int total, position;
    int kept, failed;
} tally;

/* The table of what is there; a reading that none has ends the study. */
static hiss_status write_table(const runner *r, bool print, hiss_error *err) {
    hiss_compare_results *results = hiss_compare_gather(r->study, r->dir);
    hiss_status s = hiss_compare_write(results, err);
    s = s == HISS_OK ? compare_expect_readings(results, err) : s;
    if (s == HISS_OK && print) {
        hiss_compare_print(stdout, results);
        printf("\n%s/table.html\n", r->dir);
        fflush(stdout);
    }
    hiss_compare_results_destroy(results);
    return s;
}

static hiss_status visit(const runner *r, int run, tally *counts, bool *going, hiss_error *err) {
    const hiss_comparison *study = r->study;
    const int source = hiss_comparison_source(study, run);
    const bool done = compare_is_done(r->study, r->dir, run);
    if (done && !(is_awaited(r, run) && !has_checkpoint(r, run))) {
        counts->kept++;
        return HISS_OK;
    }
    hiss_arena *arena = hiss_arena_create();
    const char *name = hiss_comparison_run_name(study, run, arena);
    hiss_status s = HISS_OK;
    if (source >= 0 && !compare_is_done(r->study, r->dir, source)) {
        printf("[%d/%d] %s: not begun, for %s has failed\n", counts->position, counts->total, name,
               hiss_comparison_run_name(study, source, arena));
        fflush(stdout);
    } else {
        s = run_one(r, run, going, err);
        if (s == HISS_OK && *going) {
            hiss_compare_run found;
            hiss_compare_run_read(study, r->dir, run, arena, &found);
            counts->failed += found.state != HISS_COMPARE_DONE;
            tell(study, &found, run, name, counts->position, counts->total);
        }
    }
    hiss_arena_destroy(arena);
    return s;
}

bool compare_find_task(const hiss_comparison *study, int64_t task, int *first, int *end, int *total) {
    const int variants = study->ntransfers + 1;
    bool found = task == 0;
    *first = 0;
    *end = hiss_comparison_runs(study);
    *total = 0;
    for (int run = 0; run < hiss_comparison_runs(study); run += variants) {
        const bool has = hiss_comparison_has_run(study, run) ||
                         (variants > 1 && hiss_comparison_has_run(study, run + 1)); /* a control's begin with those */
        *total += has;
        if (has && *total == task) {
            *first = run;
            *end = run + variants;
            found = true;
        }
    }
    return found;
}

static hiss_status run_all(const runner *r, int64_t task, hiss_error *err) {
    const hiss_comparison *study = r->study;
    tally counts = {0};
    bool going = true;
    int first, end, tasks;
    hiss_status s = HISS_OK;
    for (int run = 0; run < hiss_comparison_runs(study); run++) {
        counts.total += hiss_comparison_has_run(study, run);
    }
    if (!compare_find_task(study, task, &first, &end, &tasks)) {
        return hiss_fail(err, HISS_EUSER, "--task %" PRId64 ": the study has %d tasks", task, tasks);
    }
    for (int run = 0; run < end && s == HISS_OK && going; run++) {
        counts.position += hiss_comparison_has_run(study, run);
        if (hiss_comparison_has_run(study, run) && run >= first) {
            const int kept = counts.kept;
            s = visit(r, run, &counts, &going, err);
            s = s == HISS_OK && going && task == 0 && counts.kept == kept ? write_table(r, false, err) : s;
        }
    }
    if (s == HISS_OK && counts.kept > 0) {
        printf("%d run%s there already\n", counts.kept, counts.kept == 1 ? " was" : "s were");
    }
    if (s == HISS_OK && !going) {
        return hiss_fail(err, HISS_EREQUEUE,
                         "stopped on request; the same command goes on with the run that was interrupted");
    }
    s = s == HISS_OK && task == 0 ? write_table(r, true, err) : s;
    return s == HISS_OK && counts.failed > 0
               ? hiss_fail(err, HISS_EUSER, "%d run%s failed; %s/table.txt says why, the same command tries again",
                           counts.failed, counts.failed == 1 ? "" : "s", r->dir)
               : s;
}

/* How far the runs of a task are: it grows with each step that a checkpoint keeps, and with each run that is done. */
static int64_t measure_progress(const runner *r, int64_t task) {
    const hiss_comparison *study = r->study;
    int first, end, tasks;
    int64_t sum = 0;
    if (compare_find_task(study, task, &first, &end, &tasks)) {
        for (int run = first; run < end; run++) {
            char place[CLI_PATH - 64];
            int64_t *steps = NULL;
            hiss_comparison_place(study, r->dir, run, place, sizeof place);
            sum += hiss_snapshot_list(place, &steps) > 0 ? steps[0] : 0;
            sum += compare_is_done(r->study, r->dir, run);
            hiss_free(steps);
        }
    }
    return sum;
}

/* Whether all can be started; before there is anything in DIR. */
static hiss_status expect_launcher(const runner *r, hiss_error *err) {
    char where[HISS_WHERE];
    const char *word[MOST_WORDS];
    hiss_arena *arena = hiss_arena_create();
    begin_command(r, arena, word);
    const hiss_status s = study_program_check(&r->program, word[0], err);
    if (s != HISS_OK && r->study->nlaunch > 0) {
        hiss_error_prefix(err, s, hiss_config_where(r->study->text, "launch", where));
    }
    hiss_arena_destroy(arena);
    return s;
}

/* One process does all runs, or others do one each. */
static hiss_status lock_study(const compare_request *request, int lock[2], hiss_error *err) {
    char name[64];
    snprintf(name, sizeof name, ".lock-%" PRId64, request->task);
    hiss_status s = study_lock(request->out, ".lock", request->task > 0, "hiss compare", &lock[0], err);
    return s == HISS_OK && request->task > 0
               ? study_lock(request->out, name, false, "hiss compare --task", &lock[1], err)
               : s;
}

hiss_status compare_run(const compare_request *request, hiss_error *err) {
    hiss_comparison study;
    runner r = {.study = &study, .dir = request->out, .arena = hiss_arena_create()};
    int lock[2] = {-1, -1};
    hiss_status s = compare_open(request, &study, err);
    s = s == HISS_OK ? study_program_begin(&r.program, err) : s;
    child_setup(true);
    s = s == HISS_OK ? study_place(r.arena, &r.place, err) : s;
    s = s == HISS_OK ? expect_launcher(&r, err) : s;
    s = s == HISS_OK && request->task == 0 ? compare_place(request, &study, err)
                                           : s; /* tasks were given the study there */
    s = s == HISS_OK ? lock_study(request, lock, err) : s;
    const int64_t before = s == HISS_OK && request->requeue ? measure_progress(&r, request->task) : 0;
    s = s == HISS_OK ? run_all(&r, request->task, err) : s;
    const bool further = s == HISS_EREQUEUE && request->requeue && measure_progress(&r, request->task) != before;
    for (int k = 0; k < HISS_COUNT(lock); k++) {
        if (lock[k] >= 0) {
            close(lock[k]);
        }
    }
    hiss_arena_destroy(r.arena);
    hiss_comparison_destroy(&study);
    return s == HISS_EREQUEUE && request->requeue ? compare_requeue(request, further, err) : s;
}
