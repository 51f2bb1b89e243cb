/* Every product of a graph (convolutions and linear layers) in every kernel backend, alone and in a warm cache. */
#include <string.h>

#include "cli/bench.h"
#include "hiss/clock.h"

enum { DIRECTIONS = 3, MAX_REPEATS = 200, MIN_REPEATS = 5 };
enum { FORWARD, BACKWARD_DATA, BACKWARD_WEIGHT };
static const char *const direction_name[DIRECTIONS] = {"forward", "backward_data", "backward_weight"};
static const char *const backends[] = {"ref", "blas"};
static const double reference_flops = 3e7; /* what the plain C backend still does in tens of milliseconds */

typedef struct product {
    const hiss_kernels *kernels;
    hiss_conv c;
    bool linear;
    float *x, *w, *y, *scratch;
} product;

static product product_create(const hiss_conv *c, bool linear) {
    product p = {.c = *c, .linear = linear};
    const int64_t x = c->N * c->H * c->W * c->C, w = c->F * c->R * c->S * c->C, y = c->N * c->P * c->Q * c->F;
    size_t scratch = 0;
    for (int k = 0; k < HISS_COUNT(backends); k++) {
        const size_t need = hiss_kernels_named(backends[k])->conv2d_scratch(c);
        scratch = need > scratch ? need : scratch;
    }
    p.x = hiss_new(float, x);
    p.w = hiss_new(float, w);
    p.y = hiss_new(float, y);
    p.scratch = hiss_new(float, scratch);
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

static void compute(const product *p, int direction) {
    const hiss_kernels *k = p->kernels;
    const hiss_conv *c = &p->c;
    const int64_t M = c->N, D = c->C, F = c->F;
    switch (direction) {
    case FORWARD:
        if (p->linear) {
            k->gemm(false, true, M, F, D, 1.0f, p->x, D, p->w, D, 0.0f, p->y, F);
        } else {
            k->conv2d_forward(c, p->x, p->w, NULL, p->y, p->scratch);
        }
        break;
    case BACKWARD_DATA:
        if (p->linear) {
            k->gemm(false, false, M, D, F, 1.0f, p->y, F, p->w, D, 0.0f, p->x, D);
        } else {
            k->conv2d_backward_data(c, p->y, p->w, p->x, false, p->scratch);
        }
        break;
    default:
        if (p->linear) {
            k->gemm(true, false, F, D, M, 1.0f, p->y, F, p->x, D, 0.0f, p->w, D);
        } else {
            k->conv2d_backward_weight(c, p->x, p->y, p->w, false, p->scratch);
        }
        break;
    }
}

/* Median seconds. Outputs become inputs of the next direction: fill again before each. */
static double time_direction(const product *p, int direction, double budget) {
    double seconds[MAX_REPEATS];
    int64_t n = 0;
    compute(p, direction);
    hiss_alloc_seal(true);
    for (const double end = hiss_seconds() + budget; n < MIN_REPEATS || (n < MAX_REPEATS && hiss_seconds() < end);
         n++) {
        const double start = hiss_seconds();
        compute(p, direction);
        seconds[n] = hiss_seconds() - start;
    }
    hiss_alloc_seal(false);
    return hiss_median(seconds, n);
}

static void report(bench *b, const hiss_node_info *info) {
    const hiss_conv *c = &info->product;
    const double flops = info->forward_flops;
    char shape[64];
    const bool linear = strcmp(info->op, "linear") == 0;
    if (linear) {
        snprintf(shape, sizeof shape, "%lldx%lld by %lld", (long long)c->N, (long long)c->C, (long long)c->F);
    } else {
        snprintf(shape, sizeof shape, "%lldx%lldx%lldx%lld %lldx%lld/%lld to %lld", (long long)c->N, (long long)c->H,
                 (long long)c->W, (long long)c->C, (long long)c->R, (long long)c->S, (long long)c->stride,
                 (long long)c->F);
    }
    product p = product_create(c, linear);
    for (int k = 0; k < HISS_COUNT(backends); k++) {
        p.kernels = hiss_kernels_named(backends[k]);
        if (p.kernels == hiss_kernels_ref() && flops > reference_flops) {
            continue;
        }
        bench_print(b, "%-9.9s %-13.13s %-30s %-7s", info->scope, info->op, shape, p.kernels->name);
        json_begin(&b->json, NULL, '{');
        json_text(&b->json, "scope", info->scope);
        json_text(&b->json, "op", info->op);
        json_text(&b->json, "product", shape);
        json_text(&b->json, "backend", p.kernels->name);
        json_number(&b->json, "flops", flops);
        for (int d = 0; d < DIRECTIONS; d++) {
            double spread[3];
            hiss_comm_spread(b->comm, time_direction(&p, d, 0.05 * b->seconds), spread);
            const double rate = flops / spread[1];
            bench_print(b, " %9.1f %4.0f", 1e-9 * rate, 100.0 * rate / b->machine.gemm);
            json_begin(&b->json, direction_name[d], '{');
            json_spread(&b->json, "seconds", spread);
            json_number(&b->json, "flops_per_second", rate);
            json_number(&b->json, "share", rate / b->machine.gemm);
            json_end(&b->json, '}');
        }
        bench_print(b, "\n");
        json_end(&b->json, '}');
    }
    product_destroy(&p);
}

static bool same_product(const hiss_node_info *a, const hiss_node_info *b) {
    return strcmp(a->op, b->op) == 0 && memcmp(&a->product, &b->product, sizeof a->product) == 0;
}

hiss_status bench_kernels(bench *b, bench_source *source, hiss_error *err) {
    const hiss_train_request request = {.comm = b->comm, .experiment = &source->experiment, .set = source->set};
    hiss_measurement m;
    bench_measure_machine(b);
    hiss_status s = hiss_train_measure(&request, -1.0, &m, err);
    bench_print(b, "\n%-9s %-13s %-30s %-7s %14s %14s %14s\n%62s %9s %4s %9s %4s %9s %4s\n", "products", "op",
                "input, kernel/stride, outputs", "backend", "forward", "backward data", "and weight", "", "GFLOP/s",
                "%", "GFLOP/s", "%", "GFLOP/s", "%");
    json_begin(&b->json, "kernels", '[');
    for (int i = 0; s == HISS_OK && i < m.nnodes; i++) {
        const hiss_node_info *info = &m.nodes[i].info;
        bool seen = info->product.N == 0;
        for (int k = 0; k < i && !seen; k++) {
            seen = same_product(&m.nodes[k].info, info);
        }
        if (!seen) {
            report(b, info);
        }
    }
    json_end(&b->json, ']');
    hiss_measurement_destroy(&m);
    return s;
}
