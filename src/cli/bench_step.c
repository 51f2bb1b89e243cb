/* The roofline of a training step: every operation against what bounds it, and where the time of a step goes.
 *
 * The bound of an operation is the larger of its flops at the sgemm peak and its bytes at the bandwidth that as many
 * bytes get (Williams, Waterman, Patterson, "Roofline", CACM 2009); flops are those of the direct algorithm, bytes
 * count each array once. So a share says how far a better kernel could go; above 100 % is possible where an algorithm
 * saves multiplications, or where an operation finds its input in a nearer cache. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"

typedef struct op_row { /* a node: medians over ranks */
    const hiss_node_time *node;
    double seconds[2], flops[2], bytes[2], bound[2]; /* forward, backward */
    const char *bound_name[2];
} op_row;

typedef struct totals {
    double product_flops; /* of a lane's convolutions and linear layers */
    double product_seconds,
        seconds; /* of a step: in them, and in all it does. Sums of medians: nothing disturbs them */
} totals;

static const char *const direction[2] = {"forward", "backward"};

/* ---- operations ---- */

static op_row measure_row(bench *b, const hiss_node_time *node) {
    const hiss_node_info *info = &node->info;
    op_row row = {.node = node,
                  .flops = {info->forward_flops, info->backward_flops},
                  .bytes = {info->forward_bytes, info->backward_bytes}};
    const double seconds[2] = {node->forward, node->backward};
    for (int k = 0; k < 2; k++) {
        double spread[3];
        hiss_comm_min_median_max(b->comm, seconds[k], spread);
        if (row.bytes[k] > 0.0) {
            row.seconds[k] = spread[1];
            row.bound[k] = bench_bound(&b->machine, row.flops[k], row.bytes[k], &row.bound_name[k]);
        }
    }
    return row;
}

/* A value, or a dash where there is none, right-aligned. */
static void print_cell(const bench *b, int width, int digits, double value) {
    if (isfinite(value) && value > 0.0) {
        bench_print(b, " %s", HISS_NUMBER(width, digits, value));
    } else {
        bench_print(b, " %*s", width, "-");
    }
}

/* "32x28x28x16" */
static const char *short_shape(const hiss_shape *s, char text[HISS_SHAPE_TEXT]) {
    size_t used = 0;
    for (int k = 0; k < s->ndim && used < HISS_SHAPE_TEXT; k++) {
        used += (size_t)snprintf(text + used, HISS_SHAPE_TEXT - used, "%s%lld", k ? "x" : "", (long long)s->dim[k]);
    }
    return text;
}

static void print_row(const bench *b, const op_row *row, double step_share) {
    const hiss_node_info *info = &row->node->info;
    const bool product = info->product.N > 0;
    char shape[HISS_SHAPE_TEXT];
    bench_print(b, "%s %s %s", HISS_TEXT(11, info->scope), HISS_TEXT(12, info->op),
                HISS_TEXT(14, short_shape(&info->shape, shape)));
    for (int k = 0; k < 2; k++) {
        print_cell(b, 8, 1, 1e6 * row->seconds[k]);
    }
    for (int k = 0; k < 2; k++) {
        print_cell(b, 6, 1, product ? 1e-9 * row->flops[k] / row->seconds[k] : 0.0);
    }
    for (int k = 0; k < 2; k++) {
        print_cell(b, 6, 2, 1e-6 * row->bytes[k]);
    }
    for (int k = 0; k < 2; k++) {
        bench_print(b, " %-6s", row->bound_name[k] ? row->bound_name[k] : "-");
        print_cell(b, 6, 0, 100.0 * row->bound[k] / row->seconds[k]);
    }
    print_cell(b, 6, 1, 100.0 * step_share);
    bench_print(b, "\n");
}

static void write_row(bench *b, const op_row *row, double step_share) {
    const hiss_node_info *info = &row->node->info;
    char shape[HISS_SHAPE_TEXT];
    json_begin(&b->json, NULL, '{');
    json_text(&b->json, "scope", info->scope);
    json_text(&b->json, "op", info->op);
    json_text(&b->json, "shape", short_shape(&info->shape, shape));
    json_number(&b->json, "phase", row->node->phase);
    json_number(&b->json, "step_share", step_share);
    for (int k = 0; k < 2; k++) {
        if (row->bytes[k] > 0.0) {
            json_begin(&b->json, direction[k], '{');
            json_number(&b->json, "seconds", row->seconds[k]);
            json_number(&b->json, "flops", row->flops[k]);
            json_number(&b->json, "bytes", row->bytes[k]);
            json_text(&b->json, "bound", row->bound_name[k]);
            json_number(&b->json, "share", row->bound[k] / row->seconds[k]);
            json_end(&b->json, '}');
        }
    }
    json_end(&b->json, '}');
}

static void print_operations_head(const bench *b) {
    bench_print(b, "\n%-39s %17s %13s %13s %13s %13s %6s\n%-11s %-12s %-14s %8s %8s", "operations, one lane",
                "microseconds", "GFLOP/s", "MB", "bound, %", "bound, %", "% of", "scope", "op", "output", "forward",
                "backward");
    bench_print(b, " %6s %6s %6s %6s %13s %13s %6s\n", "forwd", "backwd", "forwd", "backwd", "forward", "backward",
                "step");
}

/* elsewhere: what a step spends outside operations; workers: threads of all ranks. */
static totals operations_part(bench *b, const hiss_measurement *m, double elsewhere, double workers) {
    const double lanes = (double)m->lanes / workers; /* one after another */
    op_row *rows = hiss_new(op_row, m->nnodes);
    totals sum = {0};
    for (int i = 0; i < m->nnodes; i++) {
        rows[i] = measure_row(b, &m->nodes[i]);
        const double seconds = lanes * (rows[i].seconds[0] + rows[i].seconds[1]);
        sum.seconds += seconds;
        if (rows[i].node->info.product.N > 0) {
            sum.product_seconds += seconds;
            sum.product_flops += rows[i].flops[0] + rows[i].flops[1];
        }
    }
    sum.seconds += elsewhere;
    print_operations_head(b);
    json_begin(&b->json, "operations", '[');
    for (int i = 0; i < m->nnodes; i++) {
        if (rows[i].bytes[0] > 0.0 || rows[i].bytes[1] > 0.0) {
            const double share = lanes * (rows[i].seconds[0] + rows[i].seconds[1]) / sum.seconds;
            print_row(b, &rows[i], share);
            write_row(b, &rows[i], share);
        }
    }
    json_end(&b->json, ']');
    hiss_free(rows);
    return sum;
}

/* ---- the step ---- */

enum { LOAD, AUGMENT, FORWARD, EXCHANGE, SUPPLY, BACKWARD, REDUCE, UPDATE, IDLE, STEP, PARTS };
static const char *const part_name[PARTS] = {"load",     "augment", "forward", "exchange", "supply",
                                             "backward", "reduce",  "update",  "idle",     "step"};

typedef struct step_spread { /* min, median, max over ranks */
    double part[PARTS][3], fastest[3], transfer[3], wait[3];
} step_spread;

static step_spread spread_step(bench *b, const hiss_step_times *t) {
    double part[PARTS] = {t->load,     t->augment, t->forward, t->exchange, t->supply,
                          t->backward, t->reduce,  t->update,  t->wall,     t->wall};
    step_spread s;
    for (int k = 0; k < IDLE; k++) {
        part[IDLE] -= part[k];
    }
    part[IDLE] = fmax(0.0, part[IDLE]);
    for (int k = 0; k < PARTS; k++) {
        hiss_comm_min_median_max(b->comm, part[k], s.part[k]);
    }
    hiss_comm_min_median_max(b->comm, t->fastest, s.fastest);
    hiss_comm_min_median_max(b->comm, t->transfer, s.transfer);
    hiss_comm_min_median_max(b->comm, t->wait, s.wait);
    return s;
}

static const double *wall_of(const step_spread *s) {
    return s->part[STEP];
}

static double hidden_share(const step_spread *s) {
    return s->transfer[1] > 0.0 ? fmax(0.0, 1.0 - s->wait[1] / s->transfer[1]) : 0.0;
}

static void print_spread(const bench *b, const double seconds[3], double percent) {
    bench_print(b, "   %s %s %s %s", HISS_NUMBER(8, 3, 1e3 * seconds[0]), HISS_NUMBER(8, 3, 1e3 * seconds[1]),
                HISS_NUMBER(8, 3, 1e3 * seconds[2]), HISS_NUMBER(6, 1, percent));
}

static void print_split(const bench *b, int kinds, const char *const *title, const step_spread *const *s) {
    bench_print(b, "\n%-16s", "ms per step");
    for (int k = 0; k < kinds; k++) {
        bench_print(b, "   %-33s", title[k]);
    }
    bench_print(b, "\n%-16s", "over ranks");
    for (int k = 0; k < kinds; k++) {
        bench_print(b, "   %8s %8s %8s %6s", "min", "median", "max", "%");
    }
    for (int i = 0; i < PARTS; i++) {
        bench_print(b, "\n%-16s", part_name[i]);
        for (int k = 0; k < kinds; k++) {
            const double *part = s[k]->part[i];
            print_spread(b, part, 100.0 * part[1] / wall_of(s[k])[1]);
        }
    }
    bench_print(b, "\n%-16s", "reduction spans");
    for (int k = 0; k < kinds; k++) {
        print_spread(b, s[k]->transfer, 100.0 * s[k]->transfer[1] / wall_of(s[k])[1]);
    }
    bench_print(b, "\n%-16s", "  of it hidden");
    for (int k = 0; k < kinds; k++) {
        bench_print(b, "   %8s %8s %8s %s", "", "", "", HISS_NUMBER(6, 1, 100.0 * hidden_share(s[k])));
    }
    bench_print(b, "\n");
}

static void write_split(bench *b, const char *key, const hiss_step_times *t, const step_spread *s, double images) {
    json_begin(&b->json, key, '{');
    json_number(&b->json, "steps", (double)t->steps);
    json_number(&b->json, "images_per_second", images);
    for (int i = 0; i < PARTS; i++) {
        json_spread(&b->json, part_name[i], s->part[i]);
    }
    json_spread(&b->json, "transfer", s->transfer);
    json_spread(&b->json, "wait", s->wait);
    json_number(&b->json, "hidden_share", hidden_share(s));
    for (int i = 0; i < t->nparts; i++) {
        json_number(&b->json, t->parts[i].name, t->parts[i].value);
    }
    if (t->nparts > 0) {
        json_number(&b->json, "exchange_messages", hiss_comm_sum(b->comm, t->messages));
        json_number(&b->json, "exchange_bytes", hiss_comm_sum(b->comm, t->bytes));
    }
    json_end(&b->json, '}');
}

/* Forget the largest resident set so far, where Linux allows it. */
static void reset_peak(void) {
    FILE *out = fopen("/proc/self/clear_refs", "w");
    if (out) {
        fputs("5", out);
        fclose(out);
    }
}

static double peak_resident(void) {
    char line[256];
    double bytes = NAN;
    FILE *in = fopen("/proc/self/status", "r");
    while (in && fgets(line, sizeof line, in)) {
        bytes = strncmp(line, "VmHWM:", 6) == 0 ? 1024.0 * atof(line + 6) : bytes;
    }
    if (in) {
        fclose(in);
    }
    return bytes;
}

/* Parts: those of rank 0, which has the most lanes. */
static void print_memory(bench *b, const hiss_measurement *m) {
    const double resident = peak_resident(), MiB = 0x1p20;
    double peak[3], sum[3];
    char text[HISS_MEMORY_TEXT];
    const double known = (double)hiss_memory_list(&m->memory, text);
    hiss_comm_min_median_max(b->comm, resident, peak);
    hiss_comm_min_median_max(b->comm, known, sum);
    bench_print(b, "memory of a rank: peak %.1f MiB; %.1f by plan: %s\n", peak[2] / MiB, sum[2] / MiB, text);
    json_number(&b->json, "peak_resident_bytes", peak[2]);
    json_number(&b->json, "planned_bytes", sum[2]);
    json_number(&b->json, "parameter_bytes", (double)m->memory.parameters);
    json_number(&b->json, "gradient_bytes", (double)m->memory.gradients);
    json_number(&b->json, "activation_bytes", (double)m->memory.activations);
    json_number(&b->json, "optimizer_bytes", (double)m->memory.optimizer);
    json_number(&b->json, "sample_bytes", (double)m->memory.samples);
}

static int digits(double rate) {
    return rate < 100.0 ? 2 : 0;
}

/* One line for each kind of step, and what the arithmetic of a step reaches. */
static void print_rates(bench *b, const hiss_measurement *m, const totals *sum, const step_spread *plain,
                        const step_spread *exchanging) {
    const double batch = (double)(m->lanes * m->m);
    const double workers = (double)(hiss_comm_size(b->comm) * m->threads);
    const step_spread *main = plain ? plain : exchanging;
    const double wall = wall_of(main)[2], peak = workers * b->machine.gemm;
    const double rate = sum->product_flops * (double)m->lanes / wall;
    const double product_share = sum->product_seconds / sum->seconds;
    double images = batch / wall;
    bench_print(b, "\n%.*f images/s", digits(images), images);
    if (plain && exchanging) {
        const double slow = batch / wall_of(exchanging)[2];
        bench_print(b, ", %.*f with exchange", digits(slow), slow);
        images = 1.0 / ((1.0 - m->exchanging_share) / images + m->exchanging_share / slow);
        bench_print(b, "; with exchange in %.0f %% of the epochs: %.*f", 100.0 * m->exchanging_share, digits(images),
                    images);
    }
    const double fastest = batch / main->fastest[2];
    bench_print(b, "; in the fastest step %.*f\n", digits(fastest), fastest);
    bench_print(b, "convolution and linear: %.4f GFLOP an image, %.1f GFLOP/s on %.0f core%s: %.1f %% of sgemm peak, ",
                1e-9 * sum->product_flops / (double)m->m, 1e-9 * rate, workers, workers > 1.0 ? "s" : "",
                100.0 * rate / peak);
    bench_print(b, "%.1f %% of multiply-add", 100.0 * rate / workers / b->machine.multiply_add);
    json_number(&b->json, "images_per_second", images);
    json_number(&b->json, "images_per_second_fastest", fastest);
    bench_print(b, "\nthey take %.1f %% of what a step does, all else %.1f %%", 100.0 * product_share,
                100.0 * (1.0 - product_share));
    bench_print(b, "\naugmentation alone: %.0f images/s, %.1f times the step\n", batch / main->part[AUGMENT][1],
                sum->seconds / main->part[AUGMENT][1]);
    json_number(&b->json, "batch", batch);
    json_number(&b->json, "lanes", (double)m->lanes);
    json_number(&b->json, "threads", (double)m->threads);
    json_number(&b->json, "flops_per_image", sum->product_flops / (double)m->m);
    json_number(&b->json, "flops_per_second", rate);
    json_number(&b->json, "share_of_sgemm_peak", rate / peak);
    json_number(&b->json, "share_of_multiply_add", rate / workers / b->machine.multiply_add);
    json_number(&b->json, "product_share_of_step", product_share);
}

static void print_exchange(const bench *b, const hiss_step_times *t) {
    if (t->nparts > 0) {
        bench_print(b, "exchange on rank 0, ms per step:");
        for (int k = 0; k < t->nparts; k++) {
            bench_print(b, "%s %s %.3f", k ? "," : "", t->parts[k].name, 1e3 * t->parts[k].value);
        }
        bench_print(b, "\n");
    }
}

static void report(bench *b, const hiss_measurement *m) {
    const double batch = (double)(m->lanes * m->m);
    const hiss_step_times *kind[2] = {&m->plain, &m->exchanging};
    step_spread s[2];
    const step_spread *there[2] = {NULL, NULL}, *listed[2];
    const char *const name[2] = {"without exchange", "with exchange"}, *title[2];
    int kinds = 0;
    for (int k = 0; k < 2; k++) {
        s[k] = spread_step(b, kind[k]);
        if (kind[k]->steps > 0) {
            there[k] = &s[k];
            listed[kinds] = &s[k];
            title[kinds++] = name[k];
        }
    }
    bench_print(b, "step: %lld x %lld images (lanes x samples), ranks x threads %d x %lld; steps timed %lld + %lld\n",
                (long long)m->lanes, (long long)m->m, hiss_comm_size(b->comm), (long long)m->threads,
                (long long)m->plain.steps, (long long)m->exchanging.steps);
    const double workers = (double)(hiss_comm_size(b->comm) * m->threads);
    const double(*part)[3] = listed[0]->part;
    const double elsewhere =
        part[LOAD][1] + part[AUGMENT][1] + part[EXCHANGE][1] + part[SUPPLY][1] + part[REDUCE][1] + part[UPDATE][1];
    const totals sum = operations_part(b, m, elsewhere, workers);
    print_split(b, kinds, title, listed);
    print_rates(b, m, &sum, there[0], there[1]);
    print_exchange(b, &m->exchanging);
    print_memory(b, m);
    for (int k = 0; k < 2; k++) {
        if (there[k]) {
            write_split(b, k ? "exchanging" : "plain", kind[k], there[k], batch / wall_of(there[k])[2]);
        }
    }
}

hiss_status bench_step(bench *b, bench_source *source, hiss_error *err) {
    const hiss_train_request request = {.comm = b->comm, .experiment = &source->experiment, .set = source->set};
    hiss_measurement m;
    bench_measure_machine(b);
    reset_peak();
    hiss_status s = hiss_train_measure(&request, b->seconds, &m, err);
    if (s == HISS_OK) {
        json_begin(&b->json, "step", '{');
        report(b, &m);
        json_end(&b->json, '}');
    }
    hiss_measurement_destroy(&m);
    return s;
}
