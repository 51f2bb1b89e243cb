/* Costs of one rank: nodes of the graph and parts of a step as hiss bench step measures them; additions, targets,
 * scores and solves on their own, since a simulated batch and its blocks are larger than this machine's. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/simulate.h"
#include "hiss/assign.h"
#include "hiss/clock.h"
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

/* ---- the assignment ---- */

static const char *text_of(const hiss_yaml *root, const char *section, const char *key) {
    const hiss_yaml *node = hiss_yaml_get(hiss_yaml_get(root, section), key);
    return node ? node->text : NULL;
}

/* What the method's own options are, by the resolved config: they are private to it. */
static hiss_status measure_assignment(const bench_source *source, hiss_costs *out, hiss_error *err) {
    hiss_yaml *root = NULL;
    hiss_status s = hiss_yaml_parse(out->arena, "config", hiss_config_resolved(source->experiment.config), &root, err);
    const char *dim = s == HISS_OK ? text_of(root, "nat", "dim") : NULL;
    if (!dim) {
        return s == HISS_OK ? hiss_fail(err, HISS_EUSER,
                                        "objective %s exchanges within steps, but only the costs of nat are known",
                                        source->experiment.objective_name)
                            : s;
    }
    const char *name = text_of(root, "assign", "solver"), *block = text_of(root, "assign", "block");
    const hiss_lap_solver *solver = hiss_lap_solver_named(name ? name : "auto");
    out->dim = strtoll(dim, NULL, 10);
    out->block = block ? strtoll(block, NULL, 10) : 0; /* words give 0 */
    if (block && strcmp(block, "lane") == 0) {
        out->block = out->samples;
    }
    out->target = time_target(out->dim);
    out->score = time_score(&source->experiment.kernels, out->samples, out->dim);
    for (int k = 0; k < HISS_COUNT(blocks) && s == HISS_OK; k++) {
        if (blocks[k] >= out->samples) {
            out->solves[out->nsolves].block = blocks[k];
            s = time_solve(solver, blocks[k], out->dim, &out->solves[out->nsolves++].seconds, err);
        }
    }
    return s;
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
    *out = (hiss_costs){.arena = hiss_arena_create(), .dim = 1};
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
        out->repeat = m.exchanging.steps > 0 && m.execs < m.lanes ? 1.0 : 0.0;
        out->buckets = m.buckets;
        out->bucket_offsets = hiss_arena_alloc(out->arena, sizeof(int64_t) * (size_t)(m.buckets + 1));
        memcpy(out->bucket_offsets, m.bucket_offsets, sizeof(int64_t) * (size_t)(m.buckets + 1));
        copy_phases(&m, out);
        s = out->exchange_share > 0.0 ? measure_assignment(source, out, err) : HISS_OK;
    }
    hiss_measurement_destroy(&m);
    return s;
}
