/* hiss simulate */
#include <math.h>
#include <string.h>

#include "cli/simulate.h"
#include "hiss/file.h"
#include "hiss/log.h"

enum { MOST_COUNTS = 32, MOST_RANKS = 65536 };
enum { WEAK, STRONG };
enum { TREE, MPI, BOTH };

typedef struct options {
    const char *ranks, *platform, *costs, *blocks, *size, *json;
    int kind, reduce, wire, log;
    int64_t lanes, block, samples, group, steps;
    double seconds, jitter;
    bool synthetic, overlap, communication, calibrate, replay, link, help;
} options;

#define FIELD(name) offsetof(options, name)
static const hiss_row rows[] = {
    {"set*", HISS_STRING, 0, NULL, 0, 0, NULL, "change a key of the config: --set dist.bucket=4MiB (repeatable)"},
    {"costs", HISS_PATH, FIELD(costs), NULL, 0, 0, NULL,
     "costs file: read when there is no CONFIG, else written (and then used)"},
    {"ranks", HISS_STRING, FIELD(ranks), "1,4,16,64,256", 0, 0, NULL, "numbers of ranks, one per host"},
    {"platform", HISS_PATH, FIELD(platform), "fat-tree-100g", 0, 0, NULL,
     "fat-tree-10g, -100g, -100g-tapered, -200g, dragonfly-10g, -100g, -200g, or the path of a description"},
    {"kind", HISS_CHOICE, FIELD(kind), "weak", 0, 0, "weak|strong",
     "weak: lanes per rank stay; strong: lanes of all ranks stay"},
    {"lanes", HISS_INT, FIELD(lanes), "0", 0, 1e9, NULL,
     "weak: of each rank (default: its threads); strong: of all (default: most ranks x threads)"},
    {"reduce", HISS_CHOICE, FIELD(reduce), "tree", 0, 0, HISS_REDUCE_CHOICES "|both", "dist.reduce"},
    {"group", HISS_INT, FIELD(group), "0", 0, 65536, NULL, "dist.group: 0 chosen by the ranks, 1 none"},
    {"wire", HISS_CHOICE, FIELD(wire), "float32", 0, 0, HISS_WIRE_CHOICES, "dist.wire, of the tree"},
    {"blocks", HISS_STRING, FIELD(blocks), NULL, 0, 0, NULL,
     "samples of assignment blocks to compare: batch,2048,256 (default: that of the config)"},
    {"block", HISS_INT, FIELD(block), "0", 0, 1e9, NULL, "--replay: samples of a block; 0: that of the costs"},
    {"samples", HISS_INT, FIELD(samples), "0", 0, 1e12, NULL,
     "assign.scope dataset: samples that are permuted (default: those of the data that was measured)"},
    {"steps", HISS_INT, FIELD(steps), "2", 1, 1000, NULL,
     "steps of each kind; simulated ones differ only with --jitter"},
    {"jitter", HISS_FLOAT, FIELD(jitter), "0", 0, 10, NULL,
     "computing takes up to so much longer, on each rank anew in each step: 0.05"},
    {"overlap", HISS_BOOL, FIELD(overlap), "true", 0, 0, NULL, "reduce while backward goes on"},
    {"communication", HISS_BOOL, FIELD(communication), "false", 0, 0, NULL, "leave computing out"},
    {"calibrate", HISS_BOOL, FIELD(calibrate), "false", 0, 0, NULL,
     "compare simulated with real replays of 2 and 4 ranks (or --ranks) on this machine, under mpirun"},
    {"replay", HISS_BOOL, FIELD(replay), "false", 0, 0, NULL,
     "under mpirun or srun: replay the costs file (first word) on the real network, and print times"},
    {"link", HISS_BOOL, FIELD(link), "false", 0, 0, NULL, "under mpirun -n 2: print latency and bandwidth"},
    {"seconds", HISS_FLOAT, FIELD(seconds), "5", 0.001, 3600, NULL, "time for measured steps of each kind"},
    {"synthetic", HISS_BOOL, FIELD(synthetic), "false", 0, 0, NULL,
     "measure on random images (also when the config's data is missing)"},
    {"size", HISS_STRING, FIELD(size), NULL, 0, 0, NULL, "HEIGHTxWIDTHxCHANNELS of synthetic images"},
    {"json", HISS_PATH, FIELD(json), NULL, 0, 0, NULL, "also write the figures as JSON to this file"},
    {"log", HISS_CHOICE, FIELD(log), "warning", 0, 0, HISS_LOG_CHOICES, "how much to say"},
    {"help", HISS_BOOL, FIELD(help), "false", 0, 0, NULL, "this text"},
};

static void help(void) {
    printf(
        "usage: hiss simulate CONFIG [--costs FILE] [OPTIONS]\n"
        "       hiss simulate --costs FILE [OPTIONS]\n"
        "       mpirun -n RANKS hiss simulate --replay FILE [OPTIONS]\n\n"
        "Project training steps to more ranks than are here: measure what a rank computes, and run the trainer's own\n"
        "communication on a simulated network. Needs SimGrid; docs/simulation.md says what is simulated.\n\n");
    hiss_rows_help(stdout, NULL, rows, HISS_COUNT(rows));
}

/* ---- what to run ---- */

typedef struct task {
    const options *o;
    hiss_costs costs;
    char costs_path[CLI_PATH + 32];
    hiss_platform platform;
    simulate_place place;
    bench_json json;
    int64_t ranks[MOST_COUNTS], blocks[MOST_COUNTS];
    int nranks, nblocks;
} task;

static simulate_run run_of(const task *t, int64_t ranks, int reduce, int64_t block) {
    const options *o = t->o;
    const int64_t most = t->ranks[t->nranks - 1] * t->costs.threads;
    const int64_t weak = ranks * (o->lanes ? o->lanes : t->costs.threads), strong = o->lanes ? o->lanes : most;
    return (simulate_run){.costs = t->costs_path,
                          .ranks = ranks,
                          .replay = {.lanes = o->kind == WEAK ? weak : strong,
                                     .block = block,
                                     .samples = o->samples,
                                     .reduce = reduce,
                                     .group = o->group,
                                     .wire = o->wire,
                                     .steps = o->steps,
                                     .jitter = o->jitter,
                                     .overlap = o->overlap,
                                     .communication = o->communication}};
}

/* Of the mean step, what it spends on the permutation before epochs. */
static double permutation_seconds(const task *t, const simulate_run *run, const hiss_replay_times *times) {
    const hiss_permutation_cost *p = &t->costs.permutation;
    const int64_t samples = run->replay.samples ? run->replay.samples : p->samples;
    const int64_t steps = samples / run->replay.lanes / t->costs.samples; /* of an epoch */
    return p->share > 0.0 ? p->share * times->permutation / (double)(steps > 0 ? steps : 1) : 0.0;
}

static double mean_step(const task *t, const simulate_run *run, const hiss_replay_times *times) {
    const double share = isnan(times->exchanging) ? 0.0 : t->costs.exchange_share;
    const double step = share > 0.0 ? (1.0 - share) * times->step + share * times->exchanging : times->step;
    return step + permutation_seconds(t, run, times);
}

/* Samples of the blocks that a run asks for. */
static int64_t block_of(const task *t, const simulate_run *run) {
    const bool permutes = t->costs.permutation.share > 0.0;
    const int64_t samples = run->replay.samples ? run->replay.samples : t->costs.permutation.samples;
    const int64_t most = permutes ? samples : run->replay.lanes * t->costs.samples;
    const int64_t asked = run->replay.block || !permutes ? run->replay.block : t->costs.permutation.block;
    return asked > 0 && asked < most ? asked : most;
}

/* ---- projections ---- */

typedef struct series { /* of one way to run */
    double first;       /* seconds of the mean step on the fewest ranks */
    int64_t knee;
} series;

static void print_head(const task *t) {
    const hiss_costs *c = &t->costs;
    printf("projection by simulation, not a measurement: %s\n", t->platform.about ? t->platform.about : t->o->platform);
    printf("costs of %s on %s%s%s%s; lanes of %lld samples, %lld a rank at once; %s scaling%s\n\n", c->config,
           c->processor, c->measured ? " (" : "", c->measured ? c->measured : "", c->measured ? ")" : "",
           (long long)c->samples, (long long)c->threads, t->o->kind == WEAK ? "weak" : "strong",
           t->o->jitter > 0.0 ? ", with jitter" : "");
    printf("%6s %-4s %7s | %9s %9s %9s %7s", "ranks", "sum", "block", "step ms", "compute", "exposed", "effic.");
    if (c->exchange_share > 0.0) {
        printf(" | %9s %7s %7s %7s %7s %7s", "exch. ms", "score", "lists", "solve", "waits", "share");
    }
    if (c->permutation.share > 0.0) {
        printf(" | %9s %8s %8s %8s %8s %8s %7s", "permut. s", "features", "grouping", "rows", "matching", "bound",
               "share");
    }
    printf(" | %6s %8s\n", "wall s", "memory");
}

static void report(task *t, const simulate_run *run, const simulate_result *r, series *s) {
    const hiss_replay_times *x = &r->times;
    const double mean = mean_step(t, run, x), permuting = permutation_seconds(t, run, x), ranks = (double)run->ranks,
                 base = (double)t->ranks[0];
    const double compute = run->replay.communication
                               ? 0.0
                               : hiss_costs_compute(&t->costs, (run->replay.lanes + run->ranks - 1) / run->ranks);
    s->first = run->ranks == t->ranks[0] ? mean : s->first;
    const double efficiency = s->first / mean * (t->o->kind == STRONG ? base / ranks : 1.0);
    const double exchanging = isnan(x->exchanging) ? 0.0 : t->costs.exchange_share * (x->exchanging - x->step);
    const double share = (exchanging + permuting) / mean;
    s->knee = s->knee == 0 && efficiency < 0.9 ? run->ranks : s->knee;
    printf("%6lld %-4s %7lld | %s %s %s %s", (long long)run->ranks,
           run->replay.reduce == HISS_REDUCE_MPI ? "mpi" : "tree", (long long)block_of(t, run),
           HISS_NUMBER(9, 2, 1e3 * x->step), HISS_NUMBER(9, 2, 1e3 * compute),
           HISS_NUMBER(9, 2, 1e3 * (x->step - compute)), HISS_NUMBER(7, 3, efficiency));
    if (t->costs.exchange_share > 0.0) {
        printf(" | %s %s %s %s %s %s%%", HISS_NUMBER(9, 2, 1e3 * x->exchanging), HISS_NUMBER(7, 2, 1e3 * x->score),
               HISS_NUMBER(7, 2, 1e3 * x->list), HISS_NUMBER(7, 2, 1e3 * x->solve), HISS_NUMBER(7, 2, 1e3 * x->blocked),
               HISS_NUMBER(6, 1, 100.0 * share));
    }
    if (t->costs.permutation.share > 0.0) {
        printf(" | %s %s %s %s %s %s %s%%", HISS_NUMBER(9, 3, x->permutation), HISS_NUMBER(8, 3, x->features),
               HISS_NUMBER(8, 3, x->grouping), HISS_NUMBER(8, 3, x->move), HISS_NUMBER(8, 3, x->match),
               HISS_NUMBER(8, 3, x->bound), HISS_NUMBER(6, 1, 100.0 * share));
    }
    printf(" | %s %s MB\n", HISS_NUMBER(6, 1, r->wall), HISS_NUMBER(5, 0, 1e-6 * r->bytes));
    fflush(stdout);
    json_begin(&t->json, NULL, '{');
    json_number(&t->json, "ranks", ranks);
    json_text(&t->json, "reduce", run->replay.reduce == HISS_REDUCE_MPI ? "mpi" : "tree");
    json_number(&t->json, "block", (double)block_of(t, run));
    json_number(&t->json, "step", x->step);
    json_number(&t->json, "exchanging", x->exchanging);
    json_number(&t->json, "exchange_messages", x->messages);
    json_number(&t->json, "exchange_bytes", x->bytes);
    json_number(&t->json, "permutation", x->permutation);
    json_number(&t->json, "mean_step", mean);
    json_number(&t->json, "compute", compute);
    json_number(&t->json, "efficiency", efficiency);
    json_number(&t->json, "assignment_share", share);
    json_number(&t->json, "sent", x->sent);
    json_end(&t->json, '}');
}

static hiss_status project_one(task *t, int reduce, int64_t block, double *last, hiss_error *err) {
    series s = {0};
    hiss_status status = HISS_OK;
    for (int k = 0; k < t->nranks && status == HISS_OK; k++) {
        const simulate_run run = run_of(t, t->ranks[k], reduce, block);
        simulate_result result = {0};
        status = simulate_virtual(&t->place, &run, &t->platform, &result, err);
        if (status == HISS_OK) {
            report(t, &run, &result, &s);
            *last = mean_step(t, &run, &result.times);
        }
    }
    if (status == HISS_OK && s.knee) {
        printf("       efficiency falls below 0.9 at %lld ranks\n", (long long)s.knee);
    } else if (status == HISS_OK) {
        printf("       efficiency stays above 0.9 up to %lld ranks\n", (long long)t->ranks[t->nranks - 1]);
    }
    return status;
}

static hiss_status check_runs(const task *t, hiss_error *err) {
    simulate_run runs[MOST_COUNTS * MOST_COUNTS];
    int n = 0;
    for (int b = 0; b < t->nblocks; b++) {
        for (int k = 0; k < t->nranks; k++) {
            runs[n++] = run_of(t, t->ranks[k], HISS_REDUCE_TREE, t->blocks[b]);
        }
    }
    return simulate_check(&t->costs, runs, n, err);
}

static hiss_status project(task *t, hiss_error *err) {
    const int modes = t->o->reduce == BOTH ? 2 : 1;
    double best = INFINITY;
    int best_reduce = 0;
    int64_t best_block = 0;
    hiss_status s = HISS_OK;
    print_head(t);
    json_begin(&t->json, "projection", '[');
    for (int m = 0; m < modes && s == HISS_OK; m++) {
        const int reduce = t->o->reduce == BOTH ? m : t->o->reduce;
        for (int k = 0; k < t->nblocks && s == HISS_OK; k++) {
            double last = INFINITY;
            s = project_one(t, reduce, t->blocks[k], &last, err);
            if (last < best) {
                best = last;
                best_reduce = reduce;
                best_block = t->blocks[k];
            }
        }
    }
    json_end(&t->json, ']');
    if (s == HISS_OK && modes * t->nblocks > 1) {
        const simulate_run run = run_of(t, t->ranks[t->nranks - 1], best_reduce, best_block);
        printf("\nfastest on %lld ranks: reduce %s, blocks of %lld%s\n", (long long)run.ranks,
               best_reduce == HISS_REDUCE_MPI ? "mpi" : "tree", (long long)block_of(t, &run),
               t->costs.exchange_share > 0.0 && best_block == 0 ? " (the whole batch)" : "");
    } else if (s == HISS_OK && t->costs.exchange_share > 0.0 && t->blocks[0] == 0) {
        printf("\nblocks are the whole batch, which one rank solves: --blocks batch,2048,256 compares smaller ones\n");
    }
    return s;
}

/* ---- calibration ---- */

static hiss_status calibrate(task *t, hiss_error *err) {
    double latency = 0.0, bandwidth = 0.0;
    hiss_status s = simulate_link(&t->place, &latency, &bandwidth, err);
    if (s != HISS_OK) {
        return s;
    }
    t->platform.topology = HISS_BUS;
    t->platform.latency = latency;
    t->platform.bandwidth = bandwidth;
    printf("this machine as a bus: %.2f us, %.2f GB/s in both directions together\n", 1e6 * latency, 1e-9 * bandwidth);
    printf("%6s  %10s  %12s  %7s\n", "ranks", "real ms", "simulated ms", "error");
    json_begin(&t->json, "calibration", '[');
    for (int k = 0; k < t->nranks && s == HISS_OK; k++) {
        const simulate_run run = run_of(t, t->ranks[k], t->o->reduce == MPI, t->blocks[0]);
        simulate_result real = {0}, simulated = {0};
        s = simulate_real(&t->place, &run, &real, err);
        s = s == HISS_OK ? simulate_virtual(&t->place, &run, &t->platform, &simulated, err) : s;
        if (s == HISS_OK) {
            const double error = simulated.times.step / real.times.step - 1.0;
            printf("%6lld  %s  %s  %s%%\n", (long long)run.ranks, HISS_NUMBER(10, 2, 1e3 * real.times.step),
                   HISS_NUMBER(12, 2, 1e3 * simulated.times.step), HISS_NUMBER(6, 1, 100.0 * error));
            fflush(stdout);
            json_begin(&t->json, NULL, '{');
            json_number(&t->json, "ranks", (double)run.ranks);
            json_number(&t->json, "real", real.times.step);
            json_number(&t->json, "simulated", simulated.times.step);
            json_number(&t->json, "error", error);
            json_end(&t->json, '}');
        }
    }
    json_end(&t->json, ']');
    return s;
}

/* ---- under mpirun ---- */

static hiss_status replay(hiss_comm *comm, const options *o, const char *file, hiss_error *err) {
    if (o->link) {
        double latency = 0.0, bandwidth = 0.0;
        if (hiss_comm_size(comm) != 2) {
            return hiss_fail(err, HISS_EUSER, "--link: expected 2 ranks, found %d; use mpirun -n 2",
                             hiss_comm_size(comm));
        }
        hiss_replay_link(comm, &latency, &bandwidth);
        if (hiss_comm_rank(comm) == 0) {
            printf("link %.6g %.6g\n", latency, bandwidth);
        }
        return HISS_OK;
    }
    hiss_costs costs = {0};
    hiss_replay_times times;
    hiss_status s = hiss_comm_agree(comm, hiss_costs_read(file, &costs, err), err);
    const hiss_replay r = {.lanes = o->lanes ? o->lanes : hiss_comm_size(comm) * costs.threads,
                           .block = o->block ? o->block : costs.block,
                           .samples = o->samples,
                           .reduce = o->reduce == MPI,
                           .group = o->group,
                           .wire = o->wire,
                           .steps = o->steps,
                           .jitter = o->jitter,
                           .overlap = o->overlap,
                           .communication = o->communication};
    s = s == HISS_OK ? hiss_replay_run(comm, &costs, &r, &times, err) : s;
    if (s == HISS_OK && hiss_comm_rank(comm) == 0) {
        hiss_replay_print(stdout, &times);
    }
    hiss_costs_destroy(&costs);
    return s;
}

/* ---- the command ---- */

static hiss_status measure(task *t, const char *config, const hiss_arguments *sets, hiss_error *err) {
    const options *o = t->o;
    hiss_comm *comm = NULL;
    bench_source source = {0};
    hiss_status s = cli_open(o->log, &comm, err);
    if (s == HISS_OK) {
        bench_page page = {.stream = stdout, .arena = hiss_arena_create(), .begun = ""};
        bench b = {.comm = comm, .seconds = o->seconds, .page = &page};
        s = bench_source_open(&b, config, sets, o->synthetic, o->size, &source, err);
        s = s == HISS_OK ? simulate_measure(&b, &source, config, &t->costs, err) : s;
        s = s == HISS_OK ? hiss_costs_write(t->costs_path, &t->costs, err) : s;
        bench_source_close(&source);
        hiss_arena_destroy(page.arena);
    }
    hiss_comm_close(comm);
    return s;
}

/* Numbers, and the word batch, which is 0. */
static hiss_status parse_blocks(task *t, const char *text, hiss_error *err) {
    static const char batch[] = "batch";
    hiss_status s = HISS_OK;
    t->nblocks = 0;
    for (const char *at = text; at && s == HISS_OK;) {
        const int length = (int)strcspn(at, ",");
        char word[64];
        int one = 0;
        snprintf(word, sizeof word, "%.*s", length, at);
        at = at[length] ? at + length + 1 : NULL;
        if (t->nblocks == MOST_COUNTS) {
            s = hiss_fail(err, HISS_EUSER, "--blocks: expected at most %d, found '%s'", MOST_COUNTS, text);
        } else if (strcmp(word, batch) == 0) {
            t->blocks[t->nblocks++] = 0;
        } else {
            s = bench_list(word, "blocks", 1 << 30, 1, &t->blocks[t->nblocks++], &one, err);
        }
    }
    return s;
}

static hiss_status parse_lists(task *t, hiss_error *err) {
    const options *o = t->o;
    const char *ranks = o->calibrate && strcmp(o->ranks, "1,4,16,64,256") == 0 ? "1,2,4" : o->ranks;
    hiss_status s = bench_list(ranks, "ranks", MOST_RANKS, MOST_COUNTS, t->ranks, &t->nranks, err);
    for (int k = 1; k < t->nranks && s == HISS_OK; k++) {
        if (t->ranks[k] <= t->ranks[k - 1]) {
            s = hiss_fail(err, HISS_EUSER, "--ranks: expected ascending numbers, found '%s'", ranks);
        }
    }
    t->nblocks = 1;
    return s == HISS_OK && o->blocks ? parse_blocks(t, o->blocks, err) : s;
}

static hiss_status write_json(task *t, hiss_status s, hiss_error *err) {
    if (t->json.stream && s == HISS_OK) {
        json_end(&t->json, '}');
        fputc('\n', t->json.stream);
        fflush(t->json.stream);
        s = hiss_file_write_text(t->o->json, t->json.text, err);
    }
    json_close(&t->json);
    return s;
}

/* Platforms: of the directory hiss is started in, beside the program in a build, or installed with it. */
static hiss_status read_platform(task *t, hiss_error *err) {
    char self[CLI_PATH];
    hiss_status s = cli_program(self, err);
    hiss_arena *arena = hiss_arena_create();
    char *slash = strrchr(self, '/');
    if (slash) {
        *slash = 0;
    }
    const char *const directories[] = {"configs/platforms", hiss_arena_format(arena, "%s/platforms", self),
                                       hiss_arena_format(arena, "%s/../share/hiss/platforms", self)};
    s = s == HISS_OK ? hiss_platform_read(t->o->platform, directories, HISS_COUNT(directories), &t->platform, err) : s;
    hiss_arena_destroy(arena);
    return s;
}

static hiss_status simulate(const options *o, const hiss_arguments *rest, hiss_error *err) {
    const char *config = rest->npositional ? rest->positional[0] : NULL;
    task t = {.o = o};
    hiss_status s = parse_lists(&t, err);
    s = s == HISS_OK ? read_platform(&t, err) : s;
    s = s == HISS_OK && o->json ? hiss_file_expect_writable(o->json, err) : s;
    s = s == HISS_OK && config && o->costs ? hiss_file_expect_writable(o->costs, err) : s;
    s = s == HISS_OK ? simulate_place_create(&t.place, err) : s;
    if (s != HISS_OK) {
        hiss_platform_destroy(&t.platform);
        return s;
    }
    snprintf(t.costs_path, sizeof t.costs_path, "%s%s", o->costs ? o->costs : t.place.directory,
             o->costs ? "" : "/costs");
    if (config) {
        s = measure(&t, config, rest, err);
        hiss_costs_destroy(&t.costs);
    }
    s = s == HISS_OK ? hiss_costs_read(t.costs_path, &t.costs, err) : s;
    if (s == HISS_OK && !o->blocks) {
        t.blocks[0] = t.costs.permutation.share > 0.0 ? 0 : t.costs.block;
    }
    if (s == HISS_OK && o->json) {
        json_open(&t.json);
    }
    if (s == HISS_OK) {
        s = check_runs(&t, err);
    }
    if (s == HISS_OK) {
        s = o->calibrate ? calibrate(&t, err) : project(&t, err);
    }
    s = write_json(&t, s, err);
    hiss_costs_destroy(&t.costs);
    hiss_platform_destroy(&t.platform);
    simulate_place_destroy(&t.place);
    return s;
}

/* Errors of the command line, before anything is measured. */
static hiss_status check(const options *o, const hiss_arguments *rest, hiss_error *err) {
    static const char projecting[] =
        "costs ranks platform kind lanes reduce group wire blocks samples steps jitter overlap "
        "communication calibrate json";
    const bool word = rest->npositional > 0;
    hiss_status s = HISS_OK;
    if (!word && !o->costs && !o->link) {
        s = hiss_fail(err, HISS_EUSER,
                      "simulate needs a config to measure or the costs of one: hiss simulate configs/nat-fashion.yaml, "
                      "or --costs FILE");
    } else if (o->link) {
        s = hiss_options_expect(rows, HISS_COUNT(rows), rest, "link", "with --link", err);
    } else if (o->replay) {
        s = hiss_options_expect(rows, HISS_COUNT(rows), rest,
                                word ? "replay lanes block samples reduce group wire steps jitter overlap communication"
                                     : "replay costs lanes block samples reduce group wire steps jitter overlap "
                                       "communication",
                                word ? "with --replay FILE" : "with --replay", err);
    } else if (!word) {
        s = hiss_options_expect(rows, HISS_COUNT(rows), rest, projecting, "without a config to measure", err);
    } else {
        char used[256];
        snprintf(used, sizeof used, "set seconds synthetic size %s", projecting);
        s = hiss_options_expect(rows, HISS_COUNT(rows), rest, used, "without --replay", err);
        s = s == HISS_OK ? cli_expect_config(rest->positional[0], err) : s;
    }
    return s == HISS_OK ? bench_check_size(o->size, err) : s;
}

int cmd_simulate(int argc, char **argv) {
    options o = {0};
    hiss_error err = {0};
    const char *words[1], *sets[CLI_MAX_SETS];
    hiss_arguments rest = {.positional = words, .max_positional = 1, .repeated = sets, .max_repeated = CLI_MAX_SETS};
    hiss_comm *comm = NULL;
    hiss_status s = hiss_options_parse(rows, HISS_COUNT(rows), argc, argv, &o, &rest, &err);
    if (s == HISS_OK && o.help) {
        help();
        return 0;
    }
    s = s == HISS_OK ? check(&o, &rest, &err) : s;
    if (s == HISS_OK && (o.replay || o.link)) {
        s = cli_open(o.log, &comm, &err);
        s = s == HISS_OK ? replay(comm, &o, rest.npositional ? words[0] : o.costs, &err) : s;
    } else if (s == HISS_OK) {
        s = simulate(&o, &rest, &err);
    }
    const int code = s == HISS_OK ? 0 : cli_fail(comm, &err);
    hiss_comm_close(comm);
    return code;
}
