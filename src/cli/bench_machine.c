/* What one core of this machine can do: the rate of multiply-adds in registers and of the matrix product, and the
 * bandwidth of each level of memory.
 *
 * All are taken on all ranks at the same time, one thread each, because ranks share memory, cache and power. The best
 * of many repetitions counts: a bound is what the machine reaches when nothing disturbs it.
 *
 * Bandwidth follows STREAM (McCalpin 1995): copy moves 2 arrays, triad 3, write-allocate is not counted. Memory is
 * measured over arrays of six times the last cache; half-full caches give the points for smaller operations. What
 * lies between is interpolated, log-log. Processors in the cloud name the whole last cache of a machine they share: to
 * touch six times 480 MiB takes seconds on each rank, so who gives less than a second gets less, but more than the cache. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/bench.h"
#include "hiss/clock.h"

/* ---- multiply-add ---- */

/* Chains of dependent multiply-adds that do not depend on each other: enough of them, in whole vectors, to keep every
 * unit busy, few enough for the registers. */
enum { CHAINS = 12 * 16 };

__attribute__((noinline)) static void multiply_add(int64_t n, float *chains) {
    const float factor = 0.5f * chains[0], term = chains[1];
    float a[CHAINS];
    memcpy(a, chains, sizeof a);
    for (int64_t k = 0; k < n; k++) {
        for (int i = 0; i < CHAINS; i++) {
#ifdef FP_FAST_FMAF
            a[i] = fmaf(a[i], factor, term);
#else
            a[i] = a[i] * factor + term;
#endif
        }
    }
    memcpy(chains, a, sizeof a);
}

static void multiply_add_part(bench *b) {
    enum { INNER = 20000 };
    float chains[CHAINS];
    double best = 0.0, spread[3];
    int repeats = 0;
    for (const double end = hiss_seconds() + 0.1 * b->seconds; repeats < 5 || hiss_seconds() < end; repeats++) {
        for (int i = 0; i < CHAINS; i++) {
            chains[i] = 1.0f;
        }
        const double start = hiss_seconds();
        multiply_add(INNER, chains);
        best = fmax(best, 2.0 * CHAINS * INNER / (hiss_seconds() - start));
    }
    hiss_comm_min_median_max(b->comm, best, spread);
    bench_print(b, "\nmultiply-add in registers, one thread, as this program is compiled: %.1f GFLOP/s\n",
                1e-9 * spread[1]);
    json_spread(&b->json, "multiply_add_flops_per_second", spread);
    b->machine.multiply_add = spread[1];
}

/* ---- sgemm ---- */

typedef struct gemm_shape {
    int64_t M, N, K;
    bool transpose_b;
} gemm_shape;

enum { GEMM_REPEATS = 4096, GEMM_LARGEST = 1024 };

/* Square, and the flat ones that convolutions and linear layers give. */
static const gemm_shape gemm_shapes[] = {{256, 256, 256, false},
                                         {512, 512, 512, false},
                                         {1024, 1024, 1024, false},
                                         {1024, 256, 1024, true},
                                         {1024, 128, 512, true}};

typedef struct gemm_rate {
    double best[3], median[3]; /* flop/s: min, median, max over ranks */
} gemm_rate;

static double gemm_seconds(const gemm_shape *s, const float *A, const float *B, float *C) {
    const double start = hiss_seconds();
    hiss_kernels_blas()->gemm(false, s->transpose_b, s->M, s->N, s->K, 1.0f, A, s->K, B, s->transpose_b ? s->K : s->N,
                              0.0f, C, s->N);
    return hiss_seconds() - start;
}

static gemm_rate measure_gemm(bench *b, const gemm_shape *s, double budget, const float *A, const float *B, float *C) {
    double *seconds = hiss_new(double, GEMM_REPEATS);
    const double flops = 2.0 * (double)(s->M * s->N * s->K);
    int64_t n = 0;
    gemm_seconds(s, A, B, C);
    for (const double end = hiss_seconds() + budget; n < 5 || (hiss_seconds() < end && n < GEMM_REPEATS); n++) {
        seconds[n] = gemm_seconds(s, A, B, C);
    }
    gemm_rate rate;
    hiss_comm_min_median_max(b->comm, flops / hiss_median(seconds, n), rate.median);
    hiss_comm_min_median_max(b->comm, flops / seconds[0], rate.best); /* sorted: the first is the fastest */
    hiss_free(seconds);
    return rate;
}

static double cpu_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A rank that only computes has its core to itself when it uses as much of it as time passes. */
static void report_company(bench *b, double wall, double cpu) {
    double spread[3];
    hiss_comm_min_median_max(b->comm, cpu / wall, spread);
    json_spread(&b->json, "share_of_core", spread);
    if (spread[0] < 0.9) {
        bench_print(b, "note: others use this machine: a rank had %.0f %% of a core, so what follows is too low\n",
                    100.0 * spread[0]);
    }
}

static void gemm_part(bench *b) {
    const int64_t floats = GEMM_LARGEST * GEMM_LARGEST;
    float *A = hiss_new(float, floats), *B = hiss_new(float, floats), *C = hiss_new(float, floats);
    for (int64_t i = 0; i < floats; i++) {
        A[i] = (float)(i % 17) - 8.0f;
        B[i] = (float)(i % 13) - 6.0f;
    }
    const double start = hiss_seconds(), cpu = cpu_seconds();
    bench_print(b, "\n%-30s  best GFLOP/s  median\n", "sgemm, one thread, M x N x K");
    json_begin(&b->json, "sgemm", '[');
    for (int k = 0; k < HISS_COUNT(gemm_shapes); k++) {
        const gemm_shape *s = &gemm_shapes[k];
        char shape[64];
        snprintf(shape, sizeof shape, "%lld x %lld x %lld%s", (long long)s->M, (long long)s->N, (long long)s->K,
                 s->transpose_b ? ", B transposed" : "");
        const gemm_rate rate = measure_gemm(b, s, b->seconds / HISS_COUNT(gemm_shapes), A, B, C);
        bench_print(b, "%-30s  %s  %s\n", shape, HISS_NUMBER(12, 1, 1e-9 * rate.best[1]),
                    HISS_NUMBER(6, 1, 1e-9 * rate.median[1]));
        json_begin(&b->json, NULL, '{');
        json_text(&b->json, "shape", shape);
        json_spread(&b->json, "best_flops_per_second", rate.best);
        json_spread(&b->json, "median_flops_per_second", rate.median);
        json_end(&b->json, '}');
        b->machine.gemm = rate.best[1] > b->machine.gemm ? rate.best[1] : b->machine.gemm;
    }
    json_end(&b->json, ']');
    report_company(b, hiss_seconds() - start, cpu_seconds() - cpu);
    hiss_free(A);
    hiss_free(B);
    hiss_free(C);
}

/* ---- bandwidth ---- */

__attribute__((noinline)) static void copy(int64_t n, const float *restrict from, float *restrict to) {
    for (int64_t i = 0; i < n; i++) {
        to[i] = from[i];
    }
}

__attribute__((noinline)) static void triad(int64_t n, const float *restrict x, const float *restrict y,
                                            float *restrict to) {
    for (int64_t i = 0; i < n; i++) {
        to[i] = x[i] + 3.0f * y[i];
    }
}

static const char *const level_names[BENCH_LEVELS] = {"L1", "L2", "L3", "memory"};

/* Bytes of a data cache as Linux tells them; sysconf sums up caches that one core cannot reach. 0: unknown. */
static double cache_bytes(int level) {
    double bytes = 0.0;
    for (int index = 0; index < 8 && bytes == 0.0; index++) {
        static const char *const files[] = {"level", "type", "size"};
        char text[HISS_COUNT(files)][32] = {{0}};
        for (int k = 0; k < HISS_COUNT(files); k++) {
            char path[96];
            snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, files[k]);
            FILE *in = fopen(path, "r");
            if (in) {
                text[k][0] = fgets(text[k], sizeof text[k], in) ? text[k][0] : 0;
                fclose(in);
            }
        }
        if (atoi(text[0]) == level && text[1][0] != 'I') { /* not the instructions' */
            bytes = 1024.0 * atof(text[2]) * (strchr(text[2], 'M') ? 1024.0 : 1.0);
        }
    }
    return bytes;
}

static void find_levels(double seconds, bench_machine *m) {
    static const double usual[] = {32 << 10, 1 << 20, 32 << 20};
    for (int k = 0; k < BENCH_LEVELS - 1; k++) {
        const double bytes = cache_bytes(k + 1);
        m->capacity[k] = bytes > 0.0 ? bytes : usual[k];
        m->footprint[k] = 0.5 * m->capacity[k];
    }
    m->capacity[BENCH_LEVELS - 1] = (double)INFINITY;
    const double caches = 1.0 + 5.0 * fmin(1.0, seconds);
    m->footprint[BENCH_LEVELS - 1] = fmax(192 << 20, caches * m->capacity[BENCH_LEVELS - 2]);
}

/* Best bytes per second of copy (rate[0]) and triad (rate[1]) over three arrays that fill the footprint. */
static void measure_bandwidth(double footprint, double budget, float *const array[3], double rate[2]) {
    const int64_t n = (int64_t)footprint / 3 / (int64_t)sizeof(float);
    const int64_t inner = 1 + (4 << 20) / (int64_t)footprint; /* long enough for the clock */
    const double bytes = (double)(n * inner) * sizeof(float);
    rate[0] = rate[1] = 0.0;
    int repeats = 0;
    for (const double end = hiss_seconds() + budget; repeats < 6 || hiss_seconds() < end; repeats++) {
        const double start = hiss_seconds();
        for (int64_t k = 0; k < inner; k++) {
            copy(n, array[0], array[1]);
        }
        const double middle = hiss_seconds();
        for (int64_t k = 0; k < inner; k++) {
            triad(n, array[0], array[1], array[2]);
        }
        const double now = hiss_seconds();
        if (repeats > 0) { /* the first touches */
            rate[0] = fmax(rate[0], 2.0 * bytes / (middle - start));
            rate[1] = fmax(rate[1], 3.0 * bytes / (now - middle));
        }
    }
}

static void bandwidth_part(bench *b) {
    bench_machine *m = &b->machine;
    find_levels(b->seconds, m);
    float *array[3];
    for (int k = 0; k < 3; k++) {
        array[k] = hiss_new(float, (int64_t)m->footprint[BENCH_LEVELS - 1] / 3 / (int64_t)sizeof(float));
    }
    bench_print(b, "\n%-30s   copy GB/s   triad\n", "bandwidth, one thread, bytes");
    json_begin(&b->json, "bandwidth", '[');
    for (int k = 0; k < BENCH_LEVELS; k++) {
        double rate[2], copied[3], triads[3];
        char label[64];
        measure_bandwidth(m->footprint[k], b->seconds * (k == BENCH_LEVELS - 1 ? 0.5 : 0.5 / (BENCH_LEVELS - 1)), array,
                          rate);
        hiss_comm_min_median_max(b->comm, rate[0], copied);
        hiss_comm_min_median_max(b->comm, rate[1], triads);
        m->bandwidth[k] = fmax(copied[1], triads[1]);
        snprintf(label, sizeof label, "%-6s  %s KiB", level_names[k], HISS_NUMBER(10, 0, m->footprint[k] / 1024));
        bench_print(b, "%-30s  %s  %s\n", label, HISS_NUMBER(10, 1, 1e-9 * copied[1]),
                    HISS_NUMBER(6, 1, 1e-9 * triads[1]));
        json_begin(&b->json, NULL, '{');
        json_text(&b->json, "level", level_names[k]);
        json_number(&b->json, "bytes", m->footprint[k]);
        json_spread(&b->json, "copy_bytes_per_second", copied);
        json_spread(&b->json, "triad_bytes_per_second", triads);
        json_end(&b->json, '}');
    }
    json_end(&b->json, ']');
    for (int k = 0; k < 3; k++) {
        hiss_free(array[k]);
    }
}

/* ---- all of it ---- */

void cli_processor_name(char *out, size_t size) {
    char line[256];
    FILE *in = fopen("/proc/cpuinfo", "r");
    snprintf(out, size, "unknown processor");
    while (in && fgets(line, sizeof line, in)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon && strlen(colon) > 2) {
            snprintf(out, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
            break;
        }
    }
    if (in) {
        fclose(in);
    }
}

void bench_measure_machine(bench *b) {
    if (b->machine.gemm > 0.0) {
        return;
    }
    char name[192];
    cli_processor_name(name, sizeof name);
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    const int ranks = hiss_comm_size(b->comm);
    cli_enter_kernels(b->comm);
    bench_print(b, "machine: %s, %ld processors, %.1f GiB; %s; %d rank%s\n", name, processors, memory / 0x1p30,
                hiss_kernels_identity(), ranks, ranks > 1 ? "s, medians over ranks" : "");
    json_begin(&b->json, "machine", '{');
    json_text(&b->json, "processor", name);
    json_number(&b->json, "processors", (double)processors);
    json_number(&b->json, "memory_bytes", memory);
    json_text(&b->json, "blas", hiss_kernels_identity());
    json_number(&b->json, "ranks", ranks);
    hiss_comm_barrier(b->comm);
    multiply_add_part(b);
    gemm_part(b);
    bandwidth_part(b);
    bench_print(b, "\nsgemm peak %.1f GFLOP/s, memory %.1f GB/s, of each rank\n", 1e-9 * b->machine.gemm,
                1e-9 * b->machine.bandwidth[BENCH_LEVELS - 1]);
    json_number(&b->json, "sgemm_flops_per_second", b->machine.gemm);
    json_number(&b->json, "memory_bytes_per_second", b->machine.bandwidth[BENCH_LEVELS - 1]);
    json_end(&b->json, '}');
}

double bench_bandwidth(const bench_machine *m, double bytes) {
    int k = 0;
    while (k < BENCH_LEVELS - 1 && m->footprint[k + 1] < bytes) {
        k++;
    }
    if (bytes <= m->footprint[0] || k == BENCH_LEVELS - 1) {
        return m->bandwidth[k];
    }
    const double at = log(bytes / m->footprint[k]) / log(m->footprint[k + 1] / m->footprint[k]);
    return m->bandwidth[k] * pow(m->bandwidth[k + 1] / m->bandwidth[k], at);
}

double bench_bound(const bench_machine *m, double flops, double bytes, const char **bound) {
    const double compute = flops / (m->bound_by_gemm ? m->gemm : m->multiply_add),
                 move = bytes / bench_bandwidth(m, bytes);
    int level = 0;
    while (bytes > m->capacity[level]) {
        level++;
    }
    *bound = compute <= move ? level_names[level] : m->bound_by_gemm ? "sgemm" : "fma";
    return fmax(compute, move);
}
