/* What cannot be projected is refused before anything is simulated. */
#include <string.h>

#include "cli/simulate.h"

static int64_t greatest_divisor(int64_t a, int64_t b) {
    while (b) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Every rank must have a lane for each of its threads. */
static hiss_status check_lanes(const hiss_costs *c, const simulate_run *run, hiss_error *err) {
    if (run->replay.lanes >= run->ranks * c->threads) {
        return HISS_OK;
    }
    return hiss_fail(
        err, HISS_EUSER,
        "%lld ranks x %lld threads, but %lld lanes over all: some would have nothing to do; give more --lanes, "
        "or leave these --ranks out",
        (long long)run->ranks, (long long)c->threads, (long long)run->replay.lanes);
}

/* Block sizes, in samples, that are whole lanes and divide the lanes of every run. */
static const char *sizes_that_divide(const hiss_costs *c, const simulate_run *runs, int count, hiss_arena *arena) {
    enum { SHOWN = 8 };
    const char *list = "batch";
    int64_t common = 0;
    int shown = 0;
    for (int k = 0; k < count; k++) {
        common = greatest_divisor(runs[k].replay.lanes, common);
    }
    for (int64_t lanes = 1; lanes <= common && shown < SHOWN; lanes++) {
        if (common % lanes == 0) {
            list = hiss_arena_format(arena, "%s, %lld", list, (long long)(lanes * c->samples));
            shown++;
        }
    }
    return list;
}

static hiss_status check_block(const hiss_costs *c, const simulate_run *runs, int count, const simulate_run *run,
                               hiss_error *err) {
    const int64_t block = run->replay.block, m = c->samples, lanes = run->replay.lanes;
    if (block == 0 || block >= lanes * m || (block % m == 0 && lanes % (block / m) == 0)) {
        return HISS_OK;
    }
    hiss_arena *arena = hiss_arena_create();
    hiss_fail(
        err, HISS_EUSER,
        "blocks of %lld samples are not whole lanes of %lld that divide the %lld lanes on %lld ranks; choose others "
        "with --blocks: %s",
        (long long)block, (long long)m, (long long)lanes, (long long)run->ranks,
        sizes_that_divide(c, runs, count, arena));
    hiss_arena_destroy(arena);
    return HISS_EUSER;
}

static hiss_status check_permutation(const hiss_costs *c, const simulate_run *run, hiss_error *err) {
    const hiss_permutation_cost *p = &c->permutation;
    const int64_t samples = run->replay.samples ? run->replay.samples : p->samples;
    const int64_t asked = run->replay.block ? run->replay.block : p->block;
    const int64_t block = asked && asked < samples ? asked : samples;
    if (samples == 0) {
        return hiss_fail(
            err, HISS_EUSER,
            "assign.scope is dataset, but the costs were measured on synthetic images: nobody knows how many "
            "samples are permuted; give --samples N");
    }
    if (samples / run->replay.lanes < c->samples) {
        return hiss_fail(
            err, HISS_EUSER,
            "%lld samples are too few for %lld lanes of %lld on %lld ranks: no epoch would have a step; leave "
            "these --ranks out, or give more --samples",
            (long long)samples, (long long)run->replay.lanes, (long long)c->samples, (long long)run->ranks);
    }
    if (block >= p->wide) {
        return hiss_fail(err, HISS_EUSER,
                         "blocks of %lld samples are solved by all ranks together (assign.wide is %lld), which is not "
                         "simulated; choose smaller ones with --blocks, such as 1024",
                         (long long)block, (long long)p->wide);
    }
    return HISS_OK;
}

hiss_status simulate_check(const hiss_costs *costs, const simulate_run *runs, int count, hiss_error *err) {
    hiss_status s = HISS_OK;
    for (int k = 0; k < count && s == HISS_OK; k++) {
        s = check_lanes(costs, &runs[k], err);
        s = s == HISS_OK && costs->exchange_share > 0.0 ? check_block(costs, runs, count, &runs[k], err) : s;
        s = s == HISS_OK && costs->permutation.share > 0.0 ? check_permutation(costs, &runs[k], err) : s;
    }
    return s;
}
