/* NAT, noise as targets (Bojanowski & Joulin, "Unsupervised Learning by Predicting Noise", ICML 2017).
 *
 * Every sample i owns one target: c_k with k = assign[i], one of K >= n unit vectors drawn uniformly from the sphere in
 * R^d and never stored, but made from (seed, k) when needed. The network's features z, rows of unit length, are drawn
 * to their targets by the loss ||z - c||^2 = 2 - 2 z.c (mean over the batch), while in every `every`-th epoch each step
 * first re-matches the samples of a block with the targets these samples own, so that the sum of scores z.c is largest:
 * a linear assignment problem. assign stays injective, so the features cannot collapse.
 *
 * The global permutation step matches the blocks of one step (hiss/match.h): blocks are sets of whole lanes, redrawn
 * each time, so that targets travel through the whole data set. A lane's rows of scores S = Z C^T, m x N, against the N
 * targets of its block go to the block's coordinator, whole or cut to lists; the columns that come back are the
 * samples' new target numbers. Rows have a fixed shape, the solver is deterministic, and which rank solves what does
 * not matter to the result. Blocks do not wait for one another: one is gathered and solved while lanes of others run.
 *
 * Cost per reassigning step: 2 B N d flops for scores, N d normals per block and rank, and the solver's O(N^3) worst
 * case per block; integers and scores are all that travels. */
#include "objective/nat/nat.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "hiss/number.h"
#include "objective/parts/encoder.h"

static const hiss_row nat_rows[] = {
    {"dim", HISS_INT, offsetof(nat_options, dim), "32", 1, 65536, NULL, "d: dimensions of the targets"},
    {"targets", HISS_INT, offsetof(nat_options, targets), "0", 0, 281474976710656.0, NULL,
     "K: number of targets; 0: as many as samples"},
};
static const int nat_nrows = HISS_COUNT(nat_rows);

static const hiss_row assign_rows[] = {
    {"every", HISS_INT, offsetof(nat_options, every), "3", 0, 1e9, NULL,
     "reassign in epochs 0, E, 2E ...; 0: never (targets stay as drawn)"},
    {"scope", HISS_CHOICE, offsetof(nat_options, scope), "batch", 0, 0, "batch|dataset",
     "unless every is 0: batch: match within each step's batch; dataset: permute all samples before the epoch"},
    {"block", HISS_STRING, offsetof(nat_options, block), "auto", 1, 0, NULL,
     "unless every is 0: samples matched together; batch: lane, batch, or a number (whole lanes, dividing the batch); "
     "dataset: a number, "
     "or all; auto: batch, or 1024"},
    {"views", HISS_INT, offsetof(nat_options, views), "2", 1, 64, NULL,
     "scope dataset: augmented views whose mean feature is matched"},
    {"first", HISS_STRING, offsetof(nat_options, first), "z", 1, 0, NULL,
     "scope dataset: what the first permutation matches: z; or principal components of image, the images, or of a "
     "layer of the network as it starts, such as conv3"},
    {"rounds", HISS_INT, offsetof(nat_options, rounds), "6", 1, 1e6, NULL, "scope dataset: rounds at most"},
    {"grouping", HISS_CHOICE, offsetof(nat_options, grouping), "tree", 0, 0, "tree|random",
     "scope dataset: blocks of two in three rounds hold samples with near features; random: blocks are drawn"},
    {"statistics", HISS_CHOICE, offsetof(nat_options, statistics), "running", 0, 0, "running|lane",
     "scope dataset: BatchNorm of the features: running statistics (nothing dropped), or each lane's own as in "
     "training"},
    {"tolerance", HISS_FLOAT, offsetof(nat_options, tolerance), "0", 0, 1, NULL,
     "scope dataset: stop when a round gains less mean score than this"},
    {"wide", HISS_INT, offsetof(nat_options, wide), "16384", 2, 16777216, NULL,
     "scope dataset: blocks of at least this many samples are solved by all ranks together, by auction"},
    {"gap", HISS_FLOAT, offsetof(nat_options, gap), "5e-4", 1e-7, 1, NULL,
     "scope dataset: of blocks solved by all ranks, stop when the total is proved to be within this share of the best "
     "(of an eighth of "
     "the sum of absolute scores where scores cancel)"},
    {"bound_rows", HISS_INT, offsetof(nat_options, bound_rows), "256", 0, 1e6, NULL,
     "scope dataset: samples that the bound of the score looks at; 0: none"},
    {"async", HISS_BOOL, offsetof(nat_options, async), "false", 0, 0, NULL,
     "scope batch: solve beside the step; the answer takes effect at the next step"},
    {"rows", HISS_CHOICE, offsetof(nat_options, rows), "auto", 0, 0, HISS_MATCH_ROWS_CHOICES,
     "scope batch: what a block's coordinator gets: all scores, or each row's k best columns (within 0.01 % of the "
     "best, proved); auto: what is less to send"},
    {"k", HISS_INT, offsetof(nat_options, k), "48", 2, 32767, NULL,
     "rows topk, auto: columns of a row that are sent at first"},
    {"solver", HISS_NAME, offsetof(nat_options, solver), "auto", 0, 0, hiss_lap_solver_choices,
     "unless every is 0: who solves a block; auction is within 0.05 % of the best, greedy has no bound, the others are "
     "exact"},
};
static const int assign_nrows = HISS_COUNT(assign_rows);

/* ---- a round over the data set ---- */

/* Scope dataset: any number of samples. */
static hiss_status dataset_block(nat *n, hiss_error *err) {
    const nat_options *o = n->options;
    const int64_t narrow = 32768, most = 16777216;
    const char *text = o->block;
    char hint[HISS_HINT];
    n->dataset_block = strcmp(text, "auto") == 0 ? 1024 : strcmp(text, "all") == 0 ? n->placement->samples : 0;
    if (n->dataset_block == 0 && (!hiss_integer_parse(text, &n->dataset_block) || n->dataset_block < 1)) {
        return hiss_fail_key(err, HISS_EUSER, "assign.block",
                             "must be all, auto or a number of samples for scope dataset, found '%.80s'%s", text,
                             hiss_number_hint(text, true, hint));
    }
    if (n->dataset_block > n->placement->samples) {
        n->dataset_block = n->placement->samples;
    }
    const int64_t limit = nat_is_wide(n) ? most : narrow;
    if (n->dataset_block > limit) {
        return hiss_fail_key(err, HISS_EUSER, "assign.block",
                             "%lld samples, but %s solves at most %lld; choose smaller blocks%s",
                             (long long)n->dataset_block, nat_is_wide(n) ? "an auction over all ranks" : "one rank",
                             (long long)limit, nat_is_wide(n) ? "" : ", or a smaller assign.wide");
    }
    n->block_lanes = 1;
    n->block = n->placement->m;
    return HISS_OK;
}

static hiss_status lanes_per_block(const nat *n, int64_t *lanes, hiss_error *err) {
    const hiss_placement *p = n->placement;
    const char *text = n->options->block;
    char hint[HISS_HINT];
    const bool batch = strcmp(text, "batch") == 0 || strcmp(text, "auto") == 0;
    int64_t block = strcmp(text, "lane") == 0 ? p->m : batch ? p->m * p->lanes : 0;
    if (block == 0 && (!hiss_integer_parse(text, &block) || block < 1)) {
        return hiss_fail_key(err, HISS_EUSER, "assign.block",
                             "must be lane, batch or a number of samples, found '%.80s'%s", text,
                             hiss_number_hint(text, true, hint));
    }
    *lanes = block / p->m;
    if (block % p->m != 0 || p->lanes % *lanes != 0) {
        char sizes[256] = "";
        for (int64_t l = 1; l <= p->lanes; l++) {
            const size_t used = strlen(sizes);
            if (p->lanes % l == 0 && used < sizeof sizes - 24) {
                snprintf(sizes + used, sizeof sizes - used, "%s%lld", used ? ", " : "", (long long)(l * p->m));
            }
        }
        return hiss_fail_key(err, HISS_EUSER, "assign.block",
                             "%lld samples, but a block is whole lanes of %lld samples that divide the %lld "
                             "lanes; choose one of %s",
                             (long long)block, (long long)p->m, (long long)p->lanes, sizes);
    }
    return HISS_OK;
}

/* Mean cosine that one solve gives on random features of the same N and d: what matching alone achieves. */
static double chance_level(const nat *n) {
    const hiss_kernels *k = n->task->kernels;
    const int64_t matched = n->options->scope == NAT_DATASET ? n->dataset_block : n->block;
    const int64_t N = matched < 1024 ? matched : 1024, d = n->options->dim;
    const int repeats = N <= 256 ? 4 : 1;
    float *z = hiss_new(float, N *d), *c = hiss_new(float, N *d), *score = hiss_new(float, N *N);
    int32_t *column = hiss_new(int32_t, N);
    void *work = hiss_alloc((size_t)n->solver->work_bytes(N));
    double total = 0.0;
    for (int r = 0; r < repeats; r++) {
        hiss_rng rng = hiss_rng_keyed(n->task->seed, HISS_FOR_EVALUATION, 0, r);
        hiss_rng_normals(&rng, N * d, z);
        for (int64_t i = 0; i < N; i++) {
            nat_unit(d, z + i * d);
            nat_target(n, i, c + i * d);
            column[i] = (int32_t)i;
        }
        k->gemm(false, true, N, N, d, 1.0f, z, d, c, d, 0.0f, score, N);
        hiss_lap_report report = {0};
        if (n->solver->solve(&(hiss_lap){N, score, N}, column, NULL, NULL, work, &report, NULL) == HISS_OK) {
            total += report.total / (double)(N * repeats);
        }
    }
    hiss_free(z);
    hiss_free(c);
    hiss_free(score);
    hiss_free(column);
    hiss_free(work);
    return total;
}

/* By lists or whole: lists need a solver that is exact. */
static hiss_status choose_rows(nat *n, hiss_error *err) {
    const nat_options *o = n->options;
    const bool exact = strcmp(o->solver, "auto") == 0 || strcmp(o->solver, "sparse") == 0;
    if (o->rows == HISS_MATCH_TOPK && !exact) {
        return hiss_fail_key(err, HISS_EUSER, "assign.rows",
                             "topk, which is solved by sparse, but assign.solver is '%s'; use auto or sparse",
                             o->solver);
    }
    n->lists = hiss_match_lists(exact ? (hiss_match_rows)o->rows : HISS_MATCH_DENSE, n->block, n->placement->m, o->k);
    return HISS_OK;
}

static hiss_status check_options(nat *n, hiss_error *err) {
    const hiss_placement *p = n->placement;
    const nat_options *o = n->options;
    n->targets = o->targets ? o->targets : p->samples;
    n->solver = hiss_lap_solver_named(o->solver);
    assert(n->solver && "a choice of its row");
    if (n->targets < p->samples) {
        return hiss_fail_key(err, HISS_EUSER, "nat.targets",
                             "%lld, fewer than the %lld samples, but every sample needs its own target; use "
                             "0 for as many as samples",
                             (long long)n->targets, (long long)p->samples);
    }
    if (o->scope == NAT_DATASET) {
        return dataset_block(n, err);
    }
    int64_t lanes = 0;
    hiss_status s = lanes_per_block(n, &lanes, err);
    n->block_lanes = lanes;
    n->block = lanes * p->m;
    return s == HISS_OK ? choose_rows(n, err) : s;
}

static void destroy(void *self) {
    nat *n = self;
    if (n) {
        hiss_match_destroy(n->match);
        hiss_match_solver_destroy(n->matcher);
        nat_targets_destroy(n->vectors);
        for (int64_t l = 0; l < n->local_lanes; l++) {
            hiss_free(n->rows[l]);
        }
        hiss_free(n->rows);
        hiss_free(n->assign);
        hiss_free(n->numbers);
        hiss_free(n->samples);
        hiss_free(n->before);
        hiss_free(n->changed);
        hiss_free(n);
    }
}

static void allocate(nat *n) {
    const hiss_placement *p = n->placement;
    n->local_lanes = p->end_lane - p->first_lane;
    n->first_sample = p->shards[p->first_lane];
    n->local_samples = p->shards[p->end_lane] - n->first_sample;
    n->assign = hiss_new(int64_t, n->local_samples);
    n->numbers = hiss_new(int64_t, n->local_lanes * p->m);
    n->samples = hiss_new(int64_t, n->local_lanes * p->m);
    n->rows = hiss_new(float *, n->local_lanes);
    for (int64_t l = 0; l < n->local_lanes; l++) {
        n->rows[l] = hiss_new(float, p->m * n->block);
    }
    n->before = hiss_new(float, n->local_lanes);
    n->changed = hiss_new(float, n->local_lanes);
    hiss_permutation first = hiss_permutation_keyed(n->task->seed, HISS_FOR_ASSIGNMENT, 0, 0, n->targets);
    for (int64_t i = 0; i < n->local_samples; i++) {
        n->assign[i] = hiss_permutation_at(&first, n->first_sample + i);
    }
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *options, void **self,
                          hiss_error *err) {
    nat *n = hiss_new(nat, 1);
    n->task = task;
    n->placement = placement;
    n->options = options;
    n->bound[0] = n->bound[1] = n->matched = NAN;
    *self = n;
    if (!placement) {
        return HISS_OK;
    }
    hiss_status s = check_options(n, err);
    if (s == HISS_OK) {
        allocate(n);
        n->trace_features = hiss_trace_add_name(placement->trace, HISS_TRACE_OTHER, "features", "epoch", NULL);
        n->trace_round = hiss_trace_add_name(placement->trace, HISS_TRACE_OTHER, "round", "round", NULL);
        n->trace_solve = hiss_trace_add_name(placement->trace, HISS_TRACE_ASSIGN, "solve", "block", NULL);
        s = n->options->scope == NAT_BATCH ? nat_match_create(n, err) : HISS_OK;
    }
    if (s == HISS_OK) {
        n->chance = chance_level(n);
    }
    return s;
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    const nat *n = self;
    hiss_value x = -1;
    const hiss_status s = objective_encoder_head(n->task, b, image, "out", n->options->dim, true, taps, &x, err);
    return s == HISS_OK ? hiss_network_end(n->task->network, b, "z", hiss_graph_l2_normalize(b->graph, x), taps, err)
                        : s;
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    nat *n = self;
    const hiss_placement *p = n->placement;
    const hiss_value image = hiss_graph_input(b->graph, "image", HISS_SHAPE(p->m, n->task->H, n->task->W, n->task->C));
    hiss_taps taps = {0};
    hiss_status s = encode(n, b, image, &taps, err);
    s = s == HISS_OK ? nat_first_build(n, b, image, &taps, err) : s;
    if (s != HISS_OK) {
        return s;
    }
    n->z = hiss_taps_last(&taps);
    hiss_graph_keep(b->graph, n->z);
    hiss_graph_cut(b->graph);
    hiss_graph_scope(b->graph, "loss");
    n->target = hiss_graph_input(b->graph, "target", HISS_SHAPE(p->m, n->options->dim));
    hiss_value loss = hiss_graph_squared_loss(b->graph, n->z, n->target, 1.0 / (double)p->m);
    hiss_graph_loss(b->graph, loss);
    hiss_layer_metric(b, "loss", loss);
    n->before_value = hiss_graph_input(b->graph, "cosine_before", HISS_SHAPE(1));
    n->changed_value = hiss_graph_input(b->graph, "changed", HISS_SHAPE(1));
    hiss_layer_metric(b, "cosine_before", n->before_value);
    hiss_layer_metric(b, "changed", n->changed_value);
    n->zero_value = hiss_graph_input(b->graph, "zero_features", HISS_SHAPE(1));
    hiss_layer_metric(b, "zero_features", n->zero_value);
    return hiss_graph_status(b->graph, err);
}

static int exports(void *self, int phase, hiss_value out[HISS_MAX_EXPORTS]) {
    (void)phase;
    out[0] = ((nat *)self)->z;
    return 1;
}

static bool exchanges(void *self, int phase, int64_t epoch, int64_t step) {
    (void)phase;
    (void)step;
    const nat *n = self;
    return n->options->scope == NAT_BATCH && nat_reassigns(n, epoch);
}

/* Share of rows [m, d] that are zero: of features that had no direction to be scaled to unit length. */
static float share_of_zeros(int64_t m, int64_t d, const float *rows) {
    int64_t zeros = 0;
    for (int64_t i = 0; i < m; i++) {
        int64_t k = 0;
        while (k < d && rows[i * d + k] == 0.0f) {
            k++;
        }
        zeros += k == d;
    }
    return (float)zeros / (float)m;
}

/* Targets of the lane's samples, and what the last exchange did to this lane. */
static void supply(void *self, const hiss_lane *lane) {
    nat *n = self;
    const int64_t local = lane->lane - n->placement->first_lane, d = n->options->dim;
    float *target = hiss_exec_data(lane->exec, n->target);
    for (int64_t i = 0; i < lane->batch->m; i++) {
        nat_target(n, n->assign[lane->batch->sample[i] - n->first_sample], target + i * d);
    }
    const bool now = exchanges(n, 0, lane->epoch, lane->step);
    *hiss_exec_data(lane->exec, n->before_value) = now ? n->before[local] : 0.0f;
    *hiss_exec_data(lane->exec, n->changed_value) = now ? n->changed[local] : 0.0f;
    *hiss_exec_data(lane->exec, n->zero_value) = share_of_zeros(lane->batch->m, d, hiss_exec_data(lane->exec, n->z));
}

static int states(void *self, hiss_state out[HISS_MAX_STATES]) {
    out[0] = (hiss_state){"assignment", HISS_PER_SAMPLE, HISS_I64, 1, ((nat *)self)->assign};
    return 1;
}

/* Features that are spread like random ones reach chance; trained ones stay somewhat below it, since like images get
 * like features. Less than half of it is what features give that have collapsed. */
static int below_chance(void *self, const hiss_named *metrics, int nmetrics, char *line, size_t size) {
    (void)metrics;
    (void)nmetrics;
    const nat *n = self;
    if (isnan(n->matched)) {
        return -1;
    }
    snprintf(line, size,
             "right after the last matching the mean cosine of features and targets was %.4f, less than half of the "
             "%.4f that random features reach",
             n->matched, n->chance);
    return n->matched < 0.5 * n->chance;
}

/* The mean cosine, 0 of a feature that is zero: the loss of a sample is 2 - 2 z.c, or 1 when z is zero; `chance` is
 * what it would be right after matching random features. */
static int derive(void *self, const hiss_named *metrics, int nmetrics, hiss_named out[HISS_MAX_DERIVED]) {
    nat *n = self;
    int count = 0;
    const double zero = hiss_named_value(metrics, nmetrics, "zero_features");
    const bool collapsed = zero > 0.999; /* any matching is as good: perhaps nothing changes */
    const double cosine = 1.0 - 0.5 * (hiss_named_value(metrics, nmetrics, "loss") + zero);
    out[count++] = (hiss_named){"cosine", zero >= 1.0 ? 0.0 : cosine};
    out[count++] = (hiss_named){"chance", n->chance};
    if (n->options->scope == NAT_BATCH &&
        (collapsed || (!n->options->async && hiss_named_value(metrics, nmetrics, "changed") > 0.0))) {
        n->matched = out[0].value; /* all steps of a window lie in one epoch; async matches too late for its step */
    }
    if (n->options->scope == NAT_DATASET) {
        out[count++] = (hiss_named){"score_before", n->permuted[0]};
        out[count++] = (hiss_named){"score_after", n->permuted[1]};
        if (isfinite(n->bound[0])) {
            out[count++] = (hiss_named){"bound", n->bound[0]};
            out[count++] = (hiss_named){"bound_error", n->bound[1]};
        }
        out[count++] = (hiss_named){"feature_seconds", n->permuted[2]};
        out[count++] = (hiss_named){"permute_seconds", n->permuted[3]};
        memset(n->permuted, 0, sizeof n->permuted);
        n->bound[0] = n->bound[1] = NAN;
    } else {
        const hiss_match_costs c = hiss_match_take_costs(n->match);
        const double steps = c.steps > 0 ? (double)c.steps : 1.0;
        out[count++] = (hiss_named){"score_seconds", c.score};
        out[count++] = (hiss_named){"list_seconds", c.list};
        out[count++] = (hiss_named){"solve_seconds", c.solve};
        out[count++] = (hiss_named){"sent_messages", (double)c.messages / steps};
        out[count++] = (hiss_named){"sent_bytes", (c.bytes + c.shared) / steps};
        out[count++] = (hiss_named){"gap", c.gap};
    }
    return count;
}

static void describe(void *self, char *line, size_t size) {
    const nat *n = self;
    const int used =
        snprintf(line, size, "nat: d %lld, K %lld targets, every %lld epochs, solver %s, ", (long long)n->options->dim,
                 (long long)n->targets, (long long)n->options->every, n->solver->name);
    if (n->options->scope == NAT_DATASET) {
        snprintf(
            line + used, size - (size_t)used,
            "permutes the whole data set: %lld views, %lld rounds of blocks of %lld%s; loss is a mean over the batch",
            (long long)n->options->views, (long long)n->options->rounds, (long long)n->dataset_block,
            nat_is_wide(n) ? ", each solved by all ranks" : "");
    } else {
        char lists[64] = "";
        if (n->lists.k > 0) {
            snprintf(lists, sizeof lists, ", sent as lists of %lld", (long long)n->lists.k);
        }
        snprintf(line + used, size - (size_t)used,
                 "blocks of %lld samples (%lld a step%s)%s; loss is a mean over the batch", (long long)n->block,
                 (long long)(n->placement->lanes / n->block_lanes), lists,
                 n->options->async ? ", solved beside the step" : "");
    }
}

static const hiss_exchange_ops exchange = {.exports = exports,
                                           .exchanges = exchanges,
                                           .begin = nat_begin,
                                           .arrive = nat_arrive,
                                           .ready = nat_ready,
                                           .together = nat_together,
                                           .progress = nat_progress,
                                           .assist = nat_assist,
                                           .finish = nat_finish,
                                           .supply = supply,
                                           .settle = nat_settle};
static const hiss_epoch_ops epoch = {.begin = nat_epoch};
static const hiss_state_ops state = {.list = states, .verify = nat_verify};
static const hiss_report_ops report = {.derive = derive, .below_chance = below_chance, .describe = describe};

const hiss_objective_ops objective_nat = {
    .name = "nat",
    .summary = "noise as targets: hit a random unit vector that an assignment keeps re-matching",
    .sections = {{"nat", nat_rows, &nat_nrows, 0}, {"assign", assign_rows, &assign_nrows, 0}},
    .sizes = "nat.dim",
    .options_bytes = sizeof(nat_options),
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .exchange = &exchange,
    .epoch = &epoch,
    .state = &state,
    .report = &report,
};
