/* Whether the curves may be trusted.
 *
 * A study is valid when all its runs have finished, and all that computed the same thing ended with the same
 * parameters, to the last bit: the runs of one config with the same number of lanes. Under strong scaling those are all
 * runs of a config; under weak scaling, where more lanes are another computation, the repeats of a point. And all runs
 * of a config must be of one program: version, kernels, reduction. Who differs is told by majority, ties going to the
 * first. */
#include <inttypes.h>
#include <string.h>

#include "scale/scale_impl.h"

void scale_name_run(const hiss_results *results, const hiss_scale_run *run, char out[128]) {
    snprintf(out, 128, "%s-r%" PRId64, results->study->points[run->point].name, run->repeat + 1);
}

static int64_t count_runs(const hiss_results *results) {
    return results->study->npoints * results->study->repeats;
}

static bool same_config(const hiss_results *results, const hiss_scale_run *a, const hiss_scale_run *b) {
    const hiss_scale_point *points = results->study->points;
    return a->state == HISS_RUN_DONE && b->state == HISS_RUN_DONE && points[a->point].config == points[b->point].config;
}

static bool same_work(const hiss_results *results, const hiss_scale_run *a, const hiss_scale_run *b) {
    return same_config(results, a, b) && a->lanes == b->lanes && a->steps == b->steps;
}

static bool all_agree(const hiss_results *results, const hiss_scale_run *like) {
    for (int64_t k = 0; k < count_runs(results); k++) {
        const hiss_scale_run *run = &results->runs[k];
        if (same_work(results, run, like) && strcmp(run->parameters, like->parameters) != 0) {
            return false;
        }
    }
    return true;
}

/* The first of the runs like this one whose parameters most of them have. */
static const hiss_scale_run *majority(const hiss_results *results, const hiss_scale_run *like) {
    if (all_agree(results, like)) {
        return like;
    }
    const hiss_scale_run *best = like;
    int64_t most = 0;
    for (int64_t i = 0; i < count_runs(results); i++) {
        const hiss_scale_run *a = &results->runs[i];
        int64_t votes = 0;
        for (int64_t j = 0; j < count_runs(results) && same_work(results, a, like); j++) {
            const hiss_scale_run *b = &results->runs[j];
            votes += same_work(results, b, like) && strcmp(a->parameters, b->parameters) == 0;
        }
        if (votes > most) {
            most = votes;
            best = a;
        }
    }
    return best;
}

typedef struct complaint {
    char *text; /* of the verdict */
    size_t size;
    int count;
} complaint;

static void complain(complaint *c, const char *format, const char *name, const char *found, const char *like,
                     const char *expected) {
    const size_t used = strlen(c->text);
    if (used + 64 < c->size) {
        snprintf(c->text + used, c->size - used, "%s", c->count ? "; " : "INVALID: ");
        const size_t now = strlen(c->text);
        snprintf(c->text + now, c->size - now, format, name, found, like, expected);
    }
    c->count++;
}

/* Runs of one computation that end with other parameters or were made by another program. */
static void compare_run(const hiss_results *results, const hiss_scale_run *run, complaint *c) {
    char name[128], like[128];
    const hiss_scale_run *other = majority(results, run), *first = results->runs;
    scale_name_run(results, run, name);
    if (strcmp(run->parameters, other->parameters) != 0) {
        scale_name_run(results, other, like);
        complain(c, "%s ends with parameters %.12s..., %s with %.12s...", name, run->parameters, like,
                 other->parameters);
    }
    while (!same_config(results, first, run)) {
        first++;
    }
    if (strcmp(run->identity, first->identity) != 0) {
        scale_name_run(results, first, like);
        complain(c, "%s was made by another program (%s) than %s (%s)", name, run->identity, like, first->identity);
    }
}

static void conclude(hiss_results *results, const complaint *c) {
    const int64_t all = count_runs(results);
    if (c->count == 0 && results->missing > 0) {
        snprintf(results->verdict, sizeof results->verdict,
                 "INCOMPLETE: %" PRId64 " of %" PRId64 " runs are still to do; the same hiss scale run goes on",
                 results->missing, all);
    } else if (c->count == 0) {
        snprintf(results->verdict, sizeof results->verdict, "VALID: %s",
                 results->study->kind == HISS_SCALE_STRONG
                     ? "all runs of a config end with the same parameters, to the last bit"
                     : "all runs with as many lanes end with the same parameters, to the last bit");
    }
    results->valid = c->count == 0 && results->missing == 0;
}

void scale_judge(hiss_results *results) {
    complaint c = {.text = results->verdict, .size = sizeof results->verdict};
    for (int64_t k = 0; k < count_runs(results); k++) {
        const hiss_scale_run *run = &results->runs[k];
        results->done += run->state == HISS_RUN_DONE;
        results->failed += run->state == HISS_RUN_FAILED;
        results->missing += run->state == HISS_RUN_MISSING;
        if (run->state == HISS_RUN_DONE) {
            compare_run(results, run, &c);
        }
    }
    for (int64_t k = 0; k < count_runs(results); k++) {
        const hiss_scale_run *run = &results->runs[k];
        char name[128];
        if (run->state == HISS_RUN_FAILED) {
            scale_name_run(results, run, name);
            complain(&c, "%s failed: %s%s%s", name, run->why, "", "");
        }
    }
    conclude(results, &c);
}

const char *scale_crowded_points(const hiss_results *results, hiss_arena *arena) {
    const char *list = NULL;
    for (int64_t k = 0; k < count_runs(results); k++) {
        const hiss_scale_run *run = &results->runs[k];
        const char *name = hiss_arena_format(arena, "%s (", results->study->points[run->point].name);
        const bool crowded = run->state == HISS_RUN_DONE && run->processors > 0 && run->crowd > run->processors;
        if (crowded && (!list || !strstr(list, name))) {
            list = hiss_arena_format(arena, "%s%s%s%" PRId64 " workers on a host of %" PRId64 " processors)",
                                     list ? list : "", list ? ", " : "", name, run->crowd, run->processors);
        }
    }
    return list ? hiss_arena_format(arena, "Oversubscribed, so that times say nothing about scaling: %s.", list) : NULL;
}
