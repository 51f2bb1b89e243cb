/* Costs of one rank: nodes of the graph and parts of a step as hiss bench step measures them; additions, targets,
 * scores and solves on their own, since a simulated batch and its blocks are larger than this machine's. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/simulate.h"
#include "hiss/clock.h"
#include "hiss/log.h"
#include "hiss/match.h"
#include "hiss/rng.h"

enum { REPEATS = 5, ADDED_FLOATS = 1 << 24, TARGETS = 101 };
static const int64_t blocks[] = {64, 256, 1024, 2048, 4096};

/* ---- small measurements ---- */

static double time_addition(void) {
    float *into = hiss_new(float, ADDED_FLOATS), *from = hiss_new(float, ADDED_FLOATS);
    double seconds[REPEATS];
    for (int k = 0; k < REPEATS; k++) {
        const double start = hiss_seconds();
        for (int64_t i = 0; i < ADDED_FLOATS; i++) {
            into[i] += from[i];
        }
        seconds[k] = hiss_seconds() - start;
    }
    hiss_free(into);
    hiss_free(from);
    return hiss_median(seconds, REPEATS) / ADDED_FLOATS;
}

static double time_target(int64_t dim) {
    float *target = hiss_new(float, dim);
    double seconds[TARGETS];
    for (int k = 0; k < TARGETS; k++) {
        const double start = hiss_seconds();
        hiss_rng rng = hiss_rng_keyed(1, HISS_FOR_TARGETS, 0, k);
        hiss_rng_normals(&rng, dim, target);
        double sum = 0.0;
        for (int64_t j = 0; j < dim; j++) {
            sum += (double)target[j] * (double)target[j];
        }
        for (int64_t j = 0; j < dim; j++) {
            target[j] *= (float)(1.0 / sqrt(sum));
        }
        seconds[k] = hiss_seconds() - start;
    }
    hiss_free(target);
    return hiss_median(seconds, TARGETS);
}

/* Of one sample with one target. */
static double time_score(const hiss_kernels *kernels, int64_t m, int64_t dim) {
    enum { COLUMNS = 1024 };
    float *z = hiss_new(float, m *dim), *c = hiss_new(float, COLUMNS *dim), *score = hiss_new(float, m *COLUMNS);
    double seconds[REPEATS];
    for (int k = 0; k < REPEATS; k++) {
        const double start = hiss_seconds();
        kernels->gemm(false, true, m, COLUMNS, dim, 1.0f, z, dim, c, dim, 0.0f, score, COLUMNS);
        seconds[k] = hiss_seconds() - start;
    }
    hiss_free(z);
    hiss_free(c);
    hiss_free(score);
    return hiss_median(seconds, REPEATS) / (double)(m * COLUMNS);
}

static hiss_status time_solve(const hiss_lap_solver *solver, int64_t n, int64_t dim, double *out, hiss_error *err) {
    float *score = hiss_new(float, n *n);
    int32_t *column = hiss_new(int32_t, n);
    void *work = hiss_alloc((size_t)solver->work_bytes(n));
    double seconds[REPEATS];
    hiss_status s = HISS_OK;
    bench_collapsed_scores(n, dim, score);
    for (int k = 0; k < REPEATS && s == HISS_OK; k++) {
        for (int64_t i = 0; i < n; i++) {
            column[i] = (int32_t)i;
        }
        const double start = hiss_seconds();
        s = solver->solve(&(hiss_lap){n, score, n}, column, NULL, NULL, work, NULL, err);
        seconds[k] = hiss_seconds() - start;
    }
    *out = s == HISS_OK ? hiss_median(seconds, REPEATS) : NAN;
    hiss_free(score);
    hiss_free(column);
    hiss_free(work);
    return s;
}

typedef struct list_times {
    double maxima, list, solve; /* seconds: of each score; of the first lists */
    int64_t times;              /* how often lists were sent until they did */
} list_times;

/* What all lanes of a block send, one after the other; returns the seconds for each score. */
static double pack(hiss_match_solver *solver, const hiss_lists *l, float *score, const hiss_match_block *b) {
    const int64_t words = b->sent == HISS_MATCH_LISTS ? hiss_lists_words(l) : l->n;
    const double start = hiss_seconds();
    for (int64_t j = 0; j < b->lanes; j++) {
        const hiss_match_lane lane = {.sends = b->sent, .columns = b->columns + j * l->m, .price = b->price};
        memcpy((int32_t *)b->words + j * b->stride, hiss_match_pack(solver, 0, &lane, score + j * l->m * l->n),
               sizeof(int32_t) * (size_t)words);
    }
    return (hiss_seconds() - start) / (double)(l->n * l->n);
}

/* A block by lists as its lanes and its coordinator make them. */
static hiss_status time_lists(hiss_match_solver *solver, const hiss_lists *l, float *score, list_times *out,
                              hiss_error *err) {
    const int64_t parts = l->n / l->m, words = hiss_lists_words(l), stride = words > l->n ? words : l->n;
    int32_t *sent = hiss_new(int32_t, parts * stride), *column = hiss_new(int32_t, l->n);
    float *price = hiss_new(float, l->n);
    hiss_match_block block = {
        .sent = HISS_MATCH_MAXIMA, .lanes = parts, .words = sent, .stride = stride, .columns = column, .price = price};
    hiss_match_reply reply;
    double gap;
    for (int64_t i = 0; i < l->n; i++) {
        column[i] = (int32_t)i;
    }
    out->maxima = pack(solver, l, score, &block);
    hiss_status s = hiss_match_solve(solver, 0, &block, &reply, &gap, err);
    block.sent = HISS_MATCH_LISTS;
    for (reply = HISS_MATCH_PRICES; s == HISS_OK && reply == HISS_MATCH_PRICES;) {
        const double list = pack(solver, l, score, &block), start = hiss_seconds();
        block.lists++;
        s = hiss_match_solve(solver, 0, &block, &reply, &gap, err);
        out->list = block.lists == 1 ? list : out->list;
        out->solve = block.lists == 1 ? hiss_seconds() - start : out->solve;
    }
    out->times = block.lists + (reply == HISS_MATCH_MORE);
    hiss_free(sent);
    hiss_free(column);
    hiss_free(price);
    return s;
}

/* Where blocks of about n samples travel as lists. */
static hiss_status measure_lists(const hiss_lap_solver *solver, int64_t n, hiss_costs *out, hiss_error *err) {
    const int64_t m = out->samples, whole = n / m * m;
    const hiss_lists lists = hiss_match_lists((hiss_match_rows)out->rows, whole, m, out->k);
    if (lists.k == 0) {
        return HISS_OK;
    }
    float *score = hiss_new(float, whole *whole);
    hiss_match_solver *s = hiss_match_solver_create(solver, &lists, whole, m, 1);
    double maxima[REPEATS], list[REPEATS], solve[REPEATS];
    list_times t = {0};
    hiss_status status = HISS_OK;
    hiss_match_solver_reserve(s, 1, false);
    bench_collapsed_scores(whole, out->dim, score);
    for (int k = 0; k < REPEATS && status == HISS_OK; k++) {
        status = time_lists(s, &lists, score, &t, err);
        maxima[k] = t.maxima;
        list[k] = t.list;
        solve[k] = t.solve;
    }
    if (status == HISS_OK) {
        out->maxima = hiss_median(maxima, REPEATS);
        out->list = hiss_median(list, REPEATS);
        out->lists[out->nlists++] = (hiss_solve_cost){whole, hiss_median(solve, REPEATS), t.times};
    }
    hiss_match_solver_destroy(s);
    hiss_free(score);
    return status;
}

/* ---- the assignment ---- */

static const char *text_of(const hiss_yaml *root, const char *section, const char *key) {
    const hiss_yaml *node = hiss_yaml_get(hiss_yaml_get(root, section), key);
    return node ? node->text : NULL;
}

static int64_t number_of(const hiss_yaml *root, const char *section, const char *key) {
    const char *text = text_of(root, section, key);
    return text ? strtoll(text, NULL, 10) : 0; /* words give 0 */
}

static hiss_status measure_solves(bench *b, const hiss_yaml *root, hiss_costs *out, hiss_error *err) {
    const char *name = text_of(root, "assign", "solver"), *rows = text_of(root, "assign", "rows");
    const hiss_lap_solver *solver = hiss_lap_solver_named(name ? name : "auto");
    const bool exact = !name || strcmp(name, "auto") == 0 || strcmp(name, "sparse") == 0; /* lists need it */
    out->rows = !exact || (rows && strcmp(rows, "dense") == 0) ? HISS_MATCH_DENSE
                : rows && strcmp(rows, "topk") == 0            ? HISS_MATCH_TOPK
                                                               : HISS_MATCH_AUTO;
    out->k = text_of(root, "assign", "k") ? number_of(root, "assign", "k") : out->k;
    hiss_status s = HISS_OK;
    for (int k = 0; k < HISS_COUNT(blocks) && s == HISS_OK; k++) {
        if (blocks[k] >= out->samples) {
            hiss_solve_cost *solve = &out->solves[out->nsolves++];
            solve->block = blocks[k];
            s = time_solve(solver, blocks[k], out->dim, &solve->seconds, err);
            bench_print(b, "measuring: a block of %lld is solved in %.3g ms\n", (long long)solve->block,
                        1e3 * solve->seconds);
            fflush(stdout);
            s = s == HISS_OK && out->exchange_share > 0.0 ? measure_lists(solver, blocks[k], out, err) : s;
        }
    }
    return s;
}

/* What the method's own options are, by the resolved config: they are private to it. */
static hiss_status measure_assignment(bench *b, const bench_source *source, const hiss_measurement *m, hiss_costs *out,
                                      hiss_error *err) {
    hiss_yaml *root = NULL;
    hiss_status s = hiss_yaml_parse(out->arena, "config", hiss_config_resolved(source->experiment.config), &root, err);
    const char *dim = s == HISS_OK ? text_of(root, "nat", "dim") : NULL;
    const char *block = s == HISS_OK ? text_of(root, "assign", "block") : NULL;
    const char *scope = s == HISS_OK ? text_of(root, "assign", "scope") : NULL;
    if (s != HISS_OK || (!dim && out->exchange_share == 0.0)) {
        return s;
    }
    if (!dim) {
        return hiss_fail(err, HISS_EUSER, "objective %s exchanges within steps, but only the costs of nat are known",
                         source->experiment.objective->name);
    }
    if (scope && strcmp(scope, "dataset") == 0) {
        simulate_measure_permutation(source, root, m, out);
    }
    if (out->exchange_share == 0.0 && out->permutation.share == 0.0) {
        return HISS_OK;
    }
    out->dim = strtoll(dim, NULL, 10);
    out->block = block && strcmp(block, "lane") == 0 ? out->samples : number_of(root, "assign", "block");
    out->target = time_target(out->dim);
    out->score = time_score(&source->experiment.kernels, out->samples, out->dim);
    return measure_solves(b, root, out, err);
}

/* ---- the machine ---- */

static double load_of_machine(void) {
    double load = 0.0;
    return getloadavg(&load, 1) == 1 ? load : NAN;
}

/* When and where, and whether others were busy here: their work lengthens every cost. */
static void note_load(bench *b, double load, int64_t threads, hiss_costs *out) {
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const time_t now = time(NULL);
    char when[32], host[64] = "";
    struct tm utc;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    gethostname(host, sizeof host - 1);
    out->measured =
        hiss_arena_format(out->arena, "%s on %s, load %.2f on %ld processors", when, host, load, processors);
    bench_print(b, "measuring: %s\n", out->measured);
    if (load + (double)threads > (double)processors + 0.5 || load > 0.25 * (double)processors) {
        hiss_warn("others are busy on this machine (load %.2f on %ld processors): costs come out too long, and so does "
                  "every projection; measure again when it is quiet",
                  load, processors);
    }
    fflush(stdout);
}

/* ---- the step ---- */

static void copy_phases(const hiss_measurement *m, hiss_costs *out) {
    const hiss_node_time *node = m->nodes;
    out->nphases = m->phases;
    for (int p = 0; p < m->phases; p++) {
        hiss_phase_cost *phase = &out->phases[p];
        while (phase->nnodes < m->nnodes - (int)(node - m->nodes) && node[phase->nnodes].phase == p) {
            phase->nnodes++;
        }
        phase->cut = m->cut[p];
        phase->nodes = hiss_arena_alloc(out->arena, sizeof(hiss_node_cost) * (size_t)phase->nnodes);
        for (int k = 0; k < phase->nnodes; k++, node++) {
            const char *scope = node->info.scope ? node->info.scope : "";
            phase->nodes[k] =
                (hiss_node_cost){hiss_arena_format(out->arena, "%s%s%s", scope, *scope ? " " : "", node->info.op),
                                 node->forward, node->backward};
        }
        phase->final = hiss_arena_alloc(out->arena, sizeof(int) * (size_t)m->buckets);
        memcpy(phase->final, m->bucket_final + p * m->buckets, sizeof(int) * (size_t)m->buckets);
    }
}

hiss_status simulate_measure(bench *b, bench_source *source, const char *config, hiss_costs *out, hiss_error *err) {
    const hiss_train_request request = {.comm = b->comm, .experiment = &source->experiment, .set = source->set};
    hiss_measurement m;
    char processor[256];
    *out = (hiss_costs){.arena = hiss_arena_create(), .dim = 1, .k = 2};
    const double load = load_of_machine();
    note_load(b, load, source->experiment.dist.threads, out);
    bench_print(b, "measuring: steps, at least 7 and for %.3g s of each kind\n", b->seconds);
    fflush(stdout);
    hiss_status s = hiss_train_measure(&request, b->seconds, &m, err);
    if (s == HISS_OK && m.phases > HISS_MAX_PHASES) {
        s = hiss_fail(err, HISS_EUSER, "%d graphs a step; at most %d can be simulated", m.phases, HISS_MAX_PHASES);
    }
    if (s == HISS_OK) {
        const hiss_step_times *t = m.plain.steps > 0 ? &m.plain : &m.exchanging;
        const double waves = (double)((m.lanes + m.threads - 1) / m.threads);
        cli_processor_name(processor, sizeof processor);
        out->config = hiss_arena_text(out->arena, config);
        out->processor = hiss_arena_text(out->arena, processor);
        out->samples = m.m;
        out->threads = m.threads;
        out->load = t->load;
        out->augment = t->augment / waves;
        out->supply = t->supply / waves;
        out->add = time_addition();
        out->update = t->update * (double)m.threads / (double)m.bucket_offsets[m.buckets];
        out->exchange_share = m.exchanging.steps > 0 ? m.exchanging_share : 0.0;
        out->ahead = m.ahead;
        out->repeat = m.exchanging.steps > 0 && m.execs < m.lanes ? 1.0 : 0.0;
        out->buckets = m.buckets;
        out->bucket_offsets = hiss_arena_alloc(out->arena, sizeof(int64_t) * (size_t)(m.buckets + 1));
        memcpy(out->bucket_offsets, m.bucket_offsets, sizeof(int64_t) * (size_t)(m.buckets + 1));
        copy_phases(&m, out);
        bench_print(b, "measuring: a step takes %.4g ms; now additions, targets, scores\n", 1e3 * t->wall);
        fflush(stdout);
        s = measure_assignment(b, source, &m, out, err);
    }
    hiss_measurement_destroy(&m);
    return s;
}
