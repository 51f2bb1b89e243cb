/* Every product of a graph (convolutions and linear layers) in every implementation, alone and in a warm cache; and the
 * table that gives each the fastest. Implementations take turns, so that what disturbs the machine disturbs all alike;
 * the one in use stays unless another is faster by more than the noise. */
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"
#include "hiss/clock.h"
#include "hiss/file.h"
#include "hiss_build.h"

enum { DIRECTIONS = 3, MAX_REPEATS = 200, MIN_REPEATS = 5, MAX_TIMED = HISS_MAX_IMPLEMENTATIONS + 1, NONE = -1 };
static const char *const direction_name[DIRECTIONS] = {"forward", "backward_data", "backward_weight"};
static const double reference_flops = 3e7; /* what the plain C backend still does in tens of milliseconds */
static const double noise = 0.03;

typedef struct product {
    const hiss_kernels *kernels; /* what the config uses */
    hiss_conv c;
    bool linear;
    float *x, *w, *y, *scratch;
} product;

static product product_create(const hiss_kernels *kernels, const hiss_conv *c, bool linear) {
    product p = {.kernels = kernels, .c = *c, .linear = linear};
    const int64_t x = c->N * c->H * c->W * c->C, w = c->F * c->R * c->S * c->C, y = c->N * c->P * c->Q * c->F;
    p.x = hiss_new(float, x);
    p.w = hiss_new(float, w);
    p.y = hiss_new(float, y);
    p.scratch = hiss_new(float, linear ? kernels->linear_scratch(c->N, c->C, c->F) : kernels->conv2d_scratch(c));
    hiss_rng rng = hiss_rng_keyed(1, HISS_FOR_TESTS, 2, 0);
    hiss_rng_normals(&rng, x, p.x);
    hiss_rng_normals(&rng, w, p.w);
    hiss_rng_normals(&rng, y, p.y);
    return p;
}

static void product_destroy(product *p) {
    hiss_free(p->x);
    hiss_free(p->w);
    hiss_free(p->y);
    hiss_free(p->scratch);
}

static void compute(const product *p, const hiss_kernels *k, hiss_product which) {
    const hiss_conv *c = &p->c;
    switch (which) {
    case HISS_CONV2D_FORWARD:
        k->conv2d_forward(c, p->x, p->w, NULL, p->y, p->scratch);
        break;
    case HISS_CONV2D_BACKWARD_DATA:
        k->conv2d_backward_data(c, p->y, p->w, p->x, false, p->scratch);
        break;
    case HISS_CONV2D_BACKWARD_WEIGHT:
        k->conv2d_backward_weight(c, p->x, p->y, p->w, false, p->scratch);
        break;
    case HISS_LINEAR_FORWARD:
        k->linear_forward(c->N, c->C, c->F, p->x, p->w, NULL, p->y, p->scratch);
        break;
    case HISS_LINEAR_BACKWARD_DATA:
        k->linear_backward_data(c->N, c->C, c->F, p->y, p->w, p->x, false, p->scratch);
        break;
    default:
        k->linear_backward_weight(c->N, c->C, c->F, p->x, p->y, p->w, false, p->scratch);
        break;
    }
}

typedef struct timing {
    const char *name;
    int implementation; /* NONE: the plain C backend */
    hiss_kernels kernels;
    double samples[MAX_REPEATS];
    double spread[3]; /* seconds: min, median, max over ranks */
} timing;

static int find_candidates(const product *p, hiss_product which, bool with_reference, timing *t) {
    int n = 0;
    if (with_reference) {
        t[n++] = (timing){.name = "ref", .implementation = NONE, .kernels = *hiss_kernels_ref()};
    }
    for (int i = 0; hiss_implementation_name(which, i); i++) {
        if (hiss_implementation_can(p->kernels, which, i, &p->c)) {
            t[n++] = (timing){.name = hiss_implementation_name(which, i),
                              .implementation = i,
                              .kernels = hiss_kernels_with(hiss_kernels_blas(), which, i)};
        }
    }
    return n;
}

/* Outputs become inputs of the next direction: values stay finite, and speed does not depend on them. */
static void time_candidates(bench *b, const product *p, hiss_product which, timing *t, int n) {
    int64_t rounds = 0;
    for (int k = 0; k < n; k++) {
        compute(p, &t[k].kernels, which);
    }
    hiss_alloc_seal(true);
    for (const double end = hiss_seconds() + 0.05 * b->seconds * n;
         rounds < MIN_REPEATS || (rounds < MAX_REPEATS && hiss_seconds() < end); rounds++) {
        for (int k = 0; k < n; k++) {
            const double start = hiss_seconds();
            compute(p, &t[k].kernels, which);
            t[k].samples[rounds] = hiss_seconds() - start;
        }
    }
    hiss_alloc_seal(false);
    for (int k = 0; k < n; k++) {
        hiss_comm_min_median_max(b->comm, hiss_median(t[k].samples, rounds), t[k].spread);
    }
}

/* Index into t of the implementation to use: the one in use, or one that is faster by more than the noise. */
static int fastest(const product *p, hiss_product which, const timing *t, int n) {
    int best = NONE, used = NONE;
    for (int k = 0; k < n; k++) {
        if (t[k].implementation != NONE) {
            best = best == NONE || t[k].spread[1] < t[best].spread[1] ? k : best;
            used = t[k].implementation == hiss_kernels_choice(p->kernels, which, &p->c) ? k : used;
        }
    }
    return used != NONE && t[best].spread[1] > (1.0 - noise) * t[used].spread[1] ? used : best;
}

typedef struct cells { /* all that was measured of one product */
    timing *timed[DIRECTIONS];
    int count[DIRECTIONS], best[DIRECTIONS];
} cells;

static const timing *find_timing(const cells *m, int d, const char *name) {
    for (int k = 0; k < m->count[d]; k++) {
        if (strcmp(m->timed[d][k].name, name) == 0) {
            return &m->timed[d][k];
        }
    }
    return NULL;
}

static void write_row(bench *b, const cells *m, const char *name, double flops) {
    for (int d = 0; d < DIRECTIONS; d++) {
        const timing *t = find_timing(m, d, name);
        if (!t) {
            bench_print(b, " %9s %6s ", "-", "");
            continue;
        }
        const double rate = flops / t->spread[1];
        const bool best = m->best[d] != NONE && t == &m->timed[d][m->best[d]];
        bench_print(b, " %s %s%c", HISS_NUMBER(9, 1, 1e-9 * rate), HISS_NUMBER(6, 0, 100.0 * rate / b->machine.gemm),
                    best ? '*' : ' ');
        json_begin(&b->json, direction_name[d], '{');
        json_spread(&b->json, "seconds", t->spread);
        json_number(&b->json, "flops_per_second", rate);
        json_number(&b->json, "share", rate / b->machine.gemm);
        json_number(&b->json, "chosen", best);
        json_end(&b->json, '}');
    }
}

/* One line for each implementation of any direction. */
static void report(bench *b, const hiss_node_info *info, const cells *m) {
    const hiss_conv *c = &info->product;
    char shape[192];
    if (strcmp(info->op, "linear") == 0) {
        snprintf(shape, sizeof shape, "%lldx%lld by %lld", (long long)c->N, (long long)c->C, (long long)c->F);
    } else {
        snprintf(shape, sizeof shape, "%lldx%lldx%lldx%lld %lldx%lld/%lld to %lld", (long long)c->N, (long long)c->H,
                 (long long)c->W, (long long)c->C, (long long)c->R, (long long)c->S, (long long)c->stride,
                 (long long)c->F);
    }
    for (int d = 0; d < DIRECTIONS; d++) {
        for (int k = 0; k < m->count[d]; k++) {
            const char *name = m->timed[d][k].name;
            bool shown = false;
            for (int e = 0; e < d; e++) {
                shown = shown || find_timing(m, e, name);
            }
            if (!shown) {
                bench_print(b, "%s %s %s %s", HISS_TEXT(9, info->scope), HISS_TEXT(7, info->op), HISS_TEXT(36, shape),
                            HISS_TEXT(10, name));
                json_begin(&b->json, NULL, '{');
                json_text(&b->json, "scope", info->scope);
                json_text(&b->json, "op", info->op);
                json_text(&b->json, "product", shape);
                json_text(&b->json, "implementation", name);
                json_number(&b->json, "flops", info->forward_flops);
                write_row(b, m, name, info->forward_flops);
                bench_print(b, "\n");
                json_end(&b->json, '}');
            }
        }
    }
}

/* save: NULL, or where rows of a table go. */
static void measure(bench *b, const hiss_kernels *kernels, const hiss_node_info *info, FILE *save) {
    const bool linear = strcmp(info->op, "linear") == 0;
    product p = product_create(kernels, &info->product, linear);
    cells m = {0};
    for (int d = 0; d < DIRECTIONS; d++) {
        const hiss_product which = (hiss_product)((linear ? HISS_LINEAR_FORWARD : HISS_CONV2D_FORWARD) + d);
        m.timed[d] = hiss_new(timing, MAX_TIMED);
        m.count[d] = find_candidates(&p, which, info->forward_flops <= reference_flops, m.timed[d]);
        time_candidates(b, &p, which, m.timed[d], m.count[d]);
        m.best[d] = fastest(&p, which, m.timed[d], m.count[d]);
        if (save) {
            char row[HISS_KERNEL_ROW];
            hiss_kernel_table_row(which, &p.c, m.timed[d][m.best[d]].implementation, row);
            fputs(row, save);
        }
    }
    report(b, info, &m);
    for (int d = 0; d < DIRECTIONS; d++) {
        hiss_free(m.timed[d]);
    }
    product_destroy(&p);
}

static bool same_product(const hiss_node_info *a, const hiss_node_info *b) {
    return strcmp(a->op, b->op) == 0 && memcmp(&a->product, &b->product, sizeof a->product) == 0;
}

static void measure_all(bench *b, const hiss_kernels *kernels, const hiss_measurement *m, FILE *save) {
    bench_print(b, "\n%-9s %-7s %-36s %-10s %17s %17s %17s\n%65s", "products", "op", "input, kernel/stride, outputs",
                "by", "forward ", "backward data ", "and weight ", "");
    for (int d = 0; d < DIRECTIONS; d++) {
        bench_print(b, " %9s %6s ", "GFLOP/s", "%");
    }
    bench_print(b, "\n");
    json_begin(&b->json, "kernels", '[');
    for (int i = 0; i < m->nnodes; i++) {
        const hiss_node_info *info = &m->nodes[i].info;
        bool seen = info->product.N == 0;
        for (int k = 0; k < i && !seen; k++) {
            seen = same_product(&m->nodes[k].info, info);
        }
        if (!seen) {
            measure(b, kernels, info, save);
        }
    }
    json_end(&b->json, ']');
    bench_print(b, "*: what a table would choose\n");
}

hiss_status bench_kernels(bench *b, bench_source *source, const char *save, hiss_error *err) {
    const hiss_train_request request = {.comm = b->comm, .experiment = &source->experiment, .set = source->set};
    hiss_measurement m;
    char *text = NULL;
    size_t size = 0;
    bench_measure_machine(b);
    hiss_status s = hiss_train_measure(&request, -1.0, &m, err);
    if (s == HISS_OK) {
        FILE *table = save ? hiss_text_open(&text, &size) : NULL;
        if (table) {
            fprintf(table,
                    "# hiss %s, %s\n# product, N H W C F R S stride pad (linear: M D F), implementation; *: any "
                    "number; the first row that matches counts\n",
                    HISS_VERSION, hiss_kernels_identity());
        }
        measure_all(b, &source->experiment.kernels, &m, table);
        if (table) {
            fclose(table);
            s = hiss_comm_rank(b->comm) == 0 ? hiss_file_write_text(save, text, err) : HISS_OK;
            free(text);
            s = hiss_comm_agree(b->comm, s, err);
            if (s == HISS_OK) {
                bench_print(b, "table: %s; use it with kernel_table: %s\n", save, save);
            }
        }
    }
    hiss_measurement_destroy(&m);
    return s;
}
