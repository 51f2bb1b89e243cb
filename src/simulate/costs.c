/* The costs file: what a rank spends where, in YAML that people can read and change. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/config.h"
#include "hiss/file.h"
#include "hiss/match.h"
#include "hiss/number.h"
#include "hiss/simulate.h"

enum { MOST_NODES = 100000, MOST_BUCKETS = 100000 };
static const double most_seconds = 1e6, most_floats = 1e12;

typedef struct file_lists {
    const hiss_yaml *solves, *lists, *phases, *buckets;
} file_lists;

typedef struct fields {
    hiss_costs costs;
    file_lists lists;
} fields;

#define COSTS(field) offsetof(fields, costs.field)
#define LISTS(field) offsetof(fields, lists.field)
#define SECONDS(key, field, help)                                                                                      \
    { key, HISS_FLOAT, COSTS(field), NULL, 0, 1e6, NULL, help }

static const hiss_row top_rows[] = {
    {"config", HISS_STRING, COSTS(config), NULL, 0, 0, NULL, "what was measured"},
    {"processor", HISS_STRING, COSTS(processor), NULL, 0, 0, NULL, "where"},
    {"measured", HISS_STRING, COSTS(measured), NULL, 0, 0, NULL, "when, and under which load"},
    {"phases", HISS_NODE, LISTS(phases), NULL, 0, 0, NULL, "graphs of a step"},
    {"buckets", HISS_NODE, LISTS(buckets), NULL, 0, 0, NULL, "floats of each"},
    {"solves", HISS_NODE, LISTS(solves), NULL, 0, 0, NULL, "pairs of block and seconds, by all scores"},
    {"lists", HISS_NODE, LISTS(lists), NULL, 0, 0, NULL, "the same by lists, and how often lanes send some"},
};
static const hiss_row lane_rows[] = {
    {"samples", HISS_INT, COSTS(samples), NULL, 1, 65536, NULL, "samples of a lane"},
    {"threads", HISS_INT, COSTS(threads), NULL, 1, 4096, NULL, "lanes computed at once"},
    SECONDS("load", load, "seconds of a step"),
    SECONDS("augment", augment, "seconds of a lane"),
    SECONDS("supply", supply, "seconds of a lane"),
};
static const hiss_row reduce_rows[] = {
    SECONDS("add", add, "seconds of a float"),
    SECONDS("update", update, "seconds of a float"),
};
static const hiss_row exchange_rows[] = {
    {"share", HISS_FLOAT, COSTS(exchange_share), NULL, 0, 1, NULL, "steps that exchange, of all"},
    {"repeat", HISS_FLOAT, COSTS(repeat), NULL, 0, 1, NULL, "forward to the cut that is computed twice"},
    {"dim", HISS_INT, COSTS(dim), NULL, 1, 1e9, NULL, "dimensions of targets"},
    {"block", HISS_INT, COSTS(block), NULL, 0, 1e9, NULL, "samples of a block"},
    SECONDS("target", target, "seconds to make a target"),
    SECONDS("score", score, "seconds for a sample and a target"),
    {"rows", HISS_CHOICE, COSTS(rows), "auto", 0, 0, HISS_MATCH_ROWS_CHOICES, "how rows of scores travel"},
    {"k", HISS_INT, COSTS(k), "48", 2, 32767, NULL, "columns of a row in lists"},
    {"ahead", HISS_INT, COSTS(ahead), "0", 0, 1e9, NULL, "lanes that may pass the cut before earlier ones"},
    {"maxima", HISS_FLOAT, COSTS(maxima), "0", 0, 1e6, NULL, "seconds for a sample and a target"},
    {"list", HISS_FLOAT, COSTS(list), "0", 0, 1e6, NULL, "seconds for a sample and a target"},
};

#define PERMUTATION(key, type, standard, low, high, help)                                                              \
    { #key, type, COSTS(permutation.key), standard, low, high, NULL, help }
static const hiss_row permutation_rows[] = {
    PERMUTATION(share, HISS_FLOAT, "0", 0, 1, "epochs that begin with one, of all; 0: none do"),
    PERMUTATION(samples, HISS_INT, "0", 0, 1e12, "of the data set; 0: not known"),
    PERMUTATION(block, HISS_INT, "1024", 0, 1e9, "samples of a block; 0: all"),
    PERMUTATION(wide, HISS_INT, "16384", 2, 1e9, "blocks of so many are solved by all ranks together: not replayed"),
    PERMUTATION(views, HISS_INT, "1", 1, 64, "views whose mean is matched"),
    PERMUTATION(rounds, HISS_INT, "1", 1, 1e6, "rounds"),
    PERMUTATION(bound_rows, HISS_INT, "0", 0, 1e6, "samples that the bound looks at"),
    PERMUTATION(grouped, HISS_BOOL, "true", 0, 0, "two of three rounds sort the samples by a tree"),
    PERMUTATION(feature, HISS_FLOAT, "0", 0, 1e6, "seconds for a view of a sample"),
    PERMUTATION(project, HISS_FLOAT, "0", 0, 1e6, "seconds of a float"),
    PERMUTATION(copy, HISS_FLOAT, "0", 0, 1e6, "seconds of a float"),
    PERMUTATION(sort, HISS_FLOAT, "0", 0, 1e6, "seconds, n log2 n times"),
    PERMUTATION(bound, HISS_FLOAT, "0", 0, 1e6, "seconds for a sample and a target"),
};

/* ---- reading ---- */

static hiss_status wrong(const hiss_yaml *at, const char *expected, hiss_error *err) {
    return hiss_fail(err, HISS_EUSER, "%s:%d:%d: expected %s, found %s", at->file, at->line, at->column, expected,
                     at->text                     ? at->text
                     : at->kind == HISS_YAML_LIST ? "a list"
                                                  : "a map");
}

static hiss_status read_number(const hiss_yaml *node, double least, double most, const char *what, double *out,
                               hiss_error *err) {
    const bool number = node->text && hiss_real_parse(node->text, out);
    return number && *out >= least && *out <= most ? HISS_OK : wrong(node, what, err);
}

static hiss_status read_integer(const hiss_yaml *node, double least, double most, const char *what, int64_t *out,
                                hiss_error *err) {
    double value = 0.0;
    hiss_status s = read_number(node, least, most, what, &value, err);
    if (s == HISS_OK && value != floor(value)) {
        s = wrong(node, what, err);
    }
    *out = s == HISS_OK ? (int64_t)value : 0;
    return s;
}

static int count_items(const hiss_yaml *list) {
    int n = 0;
    for (const hiss_yaml *item = list->first; item; item = item->next) {
        n++;
    }
    return n;
}

static hiss_status expect_list(const hiss_yaml *node, const char *path, const char *key, int least, int most,
                               hiss_error *err) {
    if (!node) {
        return hiss_fail(err, HISS_EUSER, "%s: %s is missing; measure the costs anew with hiss simulate", path, key);
    }
    const int n = node->kind == HISS_YAML_LIST ? count_items(node) : -1;
    return n >= least && n <= most
               ? HISS_OK
               : hiss_fail(err, HISS_EUSER, "%s:%d:%d: %s: expected a list of %d to %d, found %s", path, node->line,
                           node->column, key, least, most, n < 0 ? "no list" : "another number");
}

static hiss_status read_buckets(const hiss_yaml *list, const char *path, hiss_costs *out, hiss_error *err) {
    hiss_status s = expect_list(list, path, "buckets", 1, MOST_BUCKETS, err);
    if (s != HISS_OK) {
        return s;
    }
    out->buckets = count_items(list);
    out->bucket_offsets = hiss_arena_alloc(out->arena, sizeof(int64_t) * (size_t)(out->buckets + 1));
    int b = 0;
    for (const hiss_yaml *item = list->first; item && s == HISS_OK; item = item->next, b++) {
        int64_t floats = 0;
        s = read_integer(item, 1, most_floats, "the floats of a bucket", &floats, err);
        out->bucket_offsets[b + 1] = out->bucket_offsets[b] + floats;
    }
    return s;
}

static hiss_status read_node(const hiss_yaml *item, const hiss_costs *out, hiss_node_cost *node, hiss_error *err) {
    static const char what[] = "[name, seconds forward, seconds backward]";
    if (item->kind != HISS_YAML_LIST || count_items(item) != 3 || !item->first->text) {
        return wrong(item, what, err);
    }
    node->name = hiss_arena_text(out->arena, item->first->text);
    hiss_status s = read_number(item->first->next, 0, most_seconds, what, &node->forward, err);
    return s == HISS_OK ? read_number(item->first->next->next, 0, most_seconds, what, &node->backward, err) : s;
}

static hiss_status read_phase(const hiss_yaml *item, const char *path, hiss_costs *out, hiss_phase_cost *phase,
                              hiss_error *err) {
    const hiss_yaml *nodes = hiss_yaml_get(item, "nodes"), *final = hiss_yaml_get(item, "final"),
                    *cut = hiss_yaml_get(item, "cut");
    if (item->kind != HISS_YAML_MAP || !cut || count_items(item) != 3) {
        return wrong(item, "a map of cut, nodes and final", err);
    }
    hiss_status s = expect_list(nodes, path, "nodes", 1, MOST_NODES, err);
    s = s == HISS_OK ? expect_list(final, path, "final", out->buckets, out->buckets, err) : s;
    if (s != HISS_OK) {
        return s;
    }
    int64_t value = 0;
    phase->nnodes = count_items(nodes);
    phase->nodes = hiss_arena_alloc(out->arena, sizeof(hiss_node_cost) * (size_t)phase->nnodes);
    phase->final = hiss_arena_alloc(out->arena, sizeof(int) * (size_t)out->buckets);
    s = read_integer(cut, 0, phase->nnodes, "the number of nodes before the exchange", &value, err);
    phase->cut = (int)value;
    int k = 0;
    for (const hiss_yaml *node = nodes->first; node && s == HISS_OK; node = node->next) {
        s = read_node(node, out, &phase->nodes[k++], err);
    }
    bool any = false;
    k = 0;
    for (const hiss_yaml *node = final->first; node && s == HISS_OK; node = node->next) {
        s = read_integer(node, -1, phase->nnodes, "the node after which the bucket is final", &value, err);
        phase->final[k++] = (int)value;
        any = any || value >= 0;
    }
    return s == HISS_OK && !any ? wrong(final, "a bucket that is used", err) : s;
}

static hiss_status read_phases(const hiss_yaml *list, const char *path, hiss_costs *out, hiss_error *err) {
    hiss_status s = expect_list(list, path, "phases", 1, HISS_MAX_PHASES, err);
    for (const hiss_yaml *item = s == HISS_OK ? list->first : NULL; item && s == HISS_OK; item = item->next) {
        s = read_phase(item, path, out, &out->phases[out->nphases++], err);
    }
    return s;
}

static hiss_status read_solve(const hiss_yaml *item, bool times, const char *what, hiss_solve_cost *out,
                              hiss_error *err) {
    if (item->kind != HISS_YAML_LIST || count_items(item) != 2 + times) {
        return wrong(item, what, err);
    }
    hiss_status s = read_integer(item->first, 1, 1e9, what, &out->block, err);
    s = s == HISS_OK ? read_number(item->first->next, 0, most_seconds, what, &out->seconds, err) : s;
    return s == HISS_OK && times ? read_integer(item->first->next->next, 1, 1e6, what, &out->times, err) : s;
}

/* times: each also says how often. */
static hiss_status read_solves(const hiss_yaml *list, const char *path, const char *key, int least, bool times,
                               int *count, hiss_solve_cost *solves, hiss_error *err) {
    const char *what = times ? "[samples of a block, seconds, how often lists are sent], blocks ascending"
                             : "[samples of a block, seconds], blocks ascending";
    hiss_status s = expect_list(list, path, key, least, HISS_MAX_SOLVES, err);
    for (const hiss_yaml *item = s == HISS_OK ? list->first : NULL; item && s == HISS_OK; item = item->next) {
        hiss_solve_cost *solve = &solves[*count];
        s = read_solve(item, times, what, solve, err);
        if (s == HISS_OK && *count && solve[-1].block >= solve->block) {
            s = wrong(item, what, err);
        }
        ++*count;
    }
    return s;
}

static hiss_status read_all_solves(const file_lists *lists, const char *path, hiss_costs *out, hiss_error *err) {
    const bool needed = out->exchange_share > 0.0 || out->permutation.share > 0.0;
    const hiss_status s = read_solves(lists->solves, path, "solves", needed, false, &out->nsolves, out->solves, err);
    return s == HISS_OK && lists->lists
               ? read_solves(lists->lists, path, "lists", 0, true, &out->nlists, out->lists, err)
               : s;
}

hiss_status hiss_costs_read(const char *path, hiss_costs *out, hiss_error *err) {
    fields f = {.costs = {.arena = hiss_arena_create()}};
    hiss_config *config = NULL;
    hiss_status s = hiss_file_expect(path, "costs file", "measure it with hiss simulate CONFIG --costs FILE", err);
    s = s == HISS_OK ? hiss_config_read(path, &config, err) : s;
    s = s == HISS_OK ? hiss_config_section(config, "", top_rows, HISS_COUNT(top_rows), &f, err) : s;
    s = s == HISS_OK ? hiss_config_section(config, "lane", lane_rows, HISS_COUNT(lane_rows), &f, err) : s;
    s = s == HISS_OK ? hiss_config_section(config, "reduce", reduce_rows, HISS_COUNT(reduce_rows), &f, err) : s;
    s = s == HISS_OK ? hiss_config_section(config, "exchange", exchange_rows, HISS_COUNT(exchange_rows), &f, err) : s;
    s = s == HISS_OK
            ? hiss_config_section(config, "permutation", permutation_rows, HISS_COUNT(permutation_rows), &f, err)
            : s;
    s = s == HISS_OK ? hiss_config_finish(config, err) : s;
    s = s == HISS_OK ? read_buckets(f.lists.buckets, path, &f.costs, err) : s;
    s = s == HISS_OK ? read_phases(f.lists.phases, path, &f.costs, err) : s;
    s = s == HISS_OK ? read_all_solves(&f.lists, path, &f.costs, err) : s;
    *out = f.costs;
    out->config = hiss_arena_text(out->arena, out->config);
    out->processor = hiss_arena_text(out->arena, out->processor);
    out->measured = hiss_arena_text(out->arena, out->measured);
    if (config) {
        hiss_config_destroy(config);
    }
    return s;
}

void hiss_costs_destroy(hiss_costs *costs) {
    hiss_arena_destroy(costs->arena);
    *costs = (hiss_costs){0};
}

/* ---- writing ---- */

static void write_phase(FILE *out, const hiss_phase_cost *phase, int buckets) {
    fprintf(out, "  - cut: %d\n    final: [", phase->cut);
    for (int b = 0; b < buckets; b++) {
        fprintf(out, "%s%d", b ? ", " : "", phase->final[b]);
    }
    fprintf(out, "] # after the backward of which node a bucket may travel\n    nodes:\n");
    for (int k = 0; k < phase->nnodes; k++) {
        fprintf(out, "      - [");
        hiss_yaml_write_text(out, phase->nodes[k].name);
        fprintf(out, ", %.4g, %.4g]\n", phase->nodes[k].forward, phase->nodes[k].backward);
    }
}

static void write_permutation(FILE *out, const hiss_costs *c) {
    const hiss_permutation_cost *p = &c->permutation;
    if (p->share > 0.0) {
        fprintf(
            out,
            "permutation: {share: %.4g, samples: %lld, block: %lld, wide: %lld, views: %lld, rounds: %lld, bound_rows: "
            "%lld, grouped: %s,\n              feature: %.4g, project: %.4g, copy: %.4g, sort: %.4g, bound: %.4g}\n",
            p->share, (long long)p->samples, (long long)p->block, (long long)p->wide, (long long)p->views,
            (long long)p->rounds, (long long)p->bound_rows, p->grouped ? "true" : "false", p->feature, p->project,
            p->copy, p->sort, p->bound);
    }
}

static void write_solves(FILE *out, const char *key, int count, const hiss_solve_cost *solves) {
    fprintf(out, "%s\n", key);
    for (int k = 0; k < count; k++) {
        fprintf(out, "  - [%lld, %.4g", (long long)solves[k].block, solves[k].seconds);
        if (solves[k].times > 0) {
            fprintf(out, ", %lld", (long long)solves[k].times);
        }
        fprintf(out, "]\n");
    }
    if (count == 0) {
        fprintf(out, "  []\n");
    }
}

static void write_costs(FILE *out, const void *user) {
    const hiss_costs *c = user;
    fprintf(out,
            "# What one rank spends where: seconds, medians. Measured by hiss simulate; docs/simulation.md\nconfig: ");
    hiss_yaml_write_text(out, c->config);
    fprintf(out, "\nprocessor: ");
    hiss_yaml_write_text(out, c->processor);
    if (c->measured) {
        fprintf(out, "\nmeasured: ");
        hiss_yaml_write_text(out, c->measured);
    }
    fprintf(out, "\nlane: {samples: %lld, threads: %lld, load: %.4g, augment: %.4g, supply: %.4g}\n",
            (long long)c->samples, (long long)c->threads, c->load, c->augment, c->supply);
    fprintf(out, "reduce: {add: %.4g, update: %.4g} # of a float\n", c->add, c->update);
    static const char *const rows[] = {"auto", "dense", "topk"};
    fprintf(out,
            "exchange: {share: %.4g, repeat: %.4g, dim: %lld, block: %lld, rows: %s, k: %lld, ahead: %lld,\n"
            "           target: %.4g, score: %.4g, maxima: %.4g, list: %.4g}\n",
            c->exchange_share, c->repeat, (long long)c->dim, (long long)c->block, rows[c->rows], (long long)c->k,
            (long long)c->ahead, c->target, c->score, c->maxima, c->list);
    write_permutation(out, c);
    write_solves(out, "solves: # by all scores: samples of a block, seconds", c->nsolves, c->solves);
    if (c->nlists > 0) {
        write_solves(out, "lists: # the same by lists, and how often lanes send some", c->nlists, c->lists);
    }
    fprintf(out, "buckets: [");
    for (int b = 0; b < c->buckets; b++) {
        fprintf(out, "%s%lld", b ? ", " : "", (long long)(c->bucket_offsets[b + 1] - c->bucket_offsets[b]));
    }
    fprintf(out, "] # floats\nphases:\n");
    for (int p = 0; p < c->nphases; p++) {
        write_phase(out, &c->phases[p], c->buckets);
    }
}

hiss_status hiss_costs_write(const char *path, const hiss_costs *costs, hiss_error *err) {
    return hiss_file_write_by(path, write_costs, costs, err);
}

/* ---- questions ---- */

static double solve_seconds(int count, const hiss_solve_cost *s, int64_t block) {
    int k = 0;
    if (count == 0) {
        return 0.0;
    }
    while (k < count && s[k].block < block) {
        k++;
    }
    if (k < count && s[k].block == block) {
        return s[k].seconds;
    }
    double power = 3.0;
    if (k > 0 && k < count && s[k].seconds > 0.0 && s[k - 1].seconds > 0.0) {
        power = log(s[k].seconds / s[k - 1].seconds) / log((double)s[k].block / (double)s[k - 1].block);
    }
    const hiss_solve_cost *from = k > 0 ? &s[k - 1] : &s[0];
    return from->seconds * pow((double)block / (double)from->block, power);
}

double hiss_costs_solve(const hiss_costs *c, int64_t block) {
    return solve_seconds(c->nsolves, c->solves, block);
}

double hiss_costs_solve_lists(const hiss_costs *c, int64_t block) {
    return c->nlists > 0 ? solve_seconds(c->nlists, c->lists, block) : hiss_costs_solve(c, block);
}

int64_t hiss_costs_list_times(const hiss_costs *c, int64_t block) {
    int64_t times = c->nlists > 0 ? c->lists[0].times : 1;
    for (int k = 0; k < c->nlists && c->lists[k].block <= block; k++) {
        times = c->lists[k].times;
    }
    return times;
}

double hiss_costs_compute(const hiss_costs *c, int64_t lanes) {
    double lane = c->augment + c->supply;
    for (int p = 0; p < c->nphases; p++) {
        for (int k = 0; k < c->phases[p].nnodes; k++) {
            lane += c->phases[p].nodes[k].forward + c->phases[p].nodes[k].backward;
        }
    }
    return c->load + lane * (double)((lanes + c->threads - 1) / c->threads);
}
