/* Private to the bench command: what its parts share. */
#ifndef HISS_CLI_BENCH_H
#define HISS_CLI_BENCH_H

#include "cli/cli.h"
#include "hiss/table.h"

/* ---- the report: tables for people, JSON for machines; both on rank 0 only ---- */

enum { JSON_DEPTH = 16 };
typedef struct bench_json {
    FILE *stream; /* NULL: nobody wants it, and all functions do nothing */
    char *text;
    size_t size;
    int depth;
    bool more[JSON_DEPTH]; /* something stands before at this depth */
} bench_json;

void json_open(bench_json *j);
void json_begin(bench_json *j, const char *key, char bracket); /* '{' or '['; key NULL inside a list */
void json_end(bench_json *j, char bracket);                    /* '}' or ']' */
void json_number(bench_json *j, const char *key, double value);
void json_text(bench_json *j, const char *key, const char *value);
void json_spread(bench_json *j, const char *key, const double spread[3]); /* [min, median, max] */
void json_close(bench_json *j);                                           /* text is freed */

/* ---- the machine ---- */

enum { BENCH_LEVELS = 4 }; /* first, second, third level cache, memory */
typedef struct bench_machine {
    double multiply_add;            /* flop/s of one thread in registers: the median over ranks of each rank's best */
    double gemm;                    /* the same of the matrix product of BLAS */
    bool bound_by_gemm;             /* which of the two bounds arithmetic */
    double capacity[BENCH_LEVELS];  /* bytes; of memory: infinite */
    double footprint[BENCH_LEVELS]; /* bytes touched when bandwidth was measured */
    double bandwidth[BENCH_LEVELS]; /* bytes/s of one thread, the better of copy and triad; median over ranks */
} bench_machine;

typedef struct bench_page { /* prints whole lines, none wider than the page */
    FILE *stream;
    hiss_arena *arena;
    const char *begun; /* the last line, as far as it has been printed */
} bench_page;

typedef struct bench {
    hiss_comm *comm;
    bench_page *page; /* NULL where there is nothing to print */
    bench_json json;
    double seconds; /* to spend on one figure */
    bench_machine machine;
} bench;

void bench_print(const bench *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Measure b->machine, on all ranks at the same time; the second call does nothing. Collective. */
void bench_measure_machine(bench *b);
/* Least seconds for so many flops and bytes, and the name of what bounds them. */
double bench_bound(const bench_machine *m, double flops, double bytes, const char **bound);
/* Bytes per second where so many bytes are at work. */
double bench_bandwidth(const bench_machine *m, double bytes);

/* scores [n,n] of a fresh network's features, nearly one direction, with random targets of d dimensions. */
void bench_collapsed_scores(int64_t n, int64_t d, float *scores);

/* ---- what a config asks for ---- */

typedef struct bench_source {
    hiss_experiment experiment;
    hiss_eval_options eval;
    hiss_dataset *set; /* synthetic; NULL: the config's own data */
} bench_source;
/* Read a config; where its data is missing, or synthetic is wanted, make images of size ("28x28x1"; NULL: what the
 * config's network takes). Collective. Destroy also after an error. */
hiss_status bench_source_open(bench *b, const char *config, const hiss_arguments *sets, bool synthetic,
                              const char *size, bench_source *out, hiss_error *err);
void bench_source_close(bench_source *s);
/* Whether size is one, or NULL. Not collective. */
hiss_status bench_check_size(const char *size, hiss_error *err);

/* ---- the parts; each prints its tables and adds a member to the JSON object. Collective. ---- */

hiss_status bench_step(bench *b, bench_source *source, hiss_error *err);
/* save: where a table of the fastest goes (see hiss_kernel_table_read), or NULL. */
hiss_status bench_kernels(bench *b, bench_source *source, const char *save, hiss_error *err);
hiss_status bench_assign(bench *b, const char *sizes, int64_t dim, hiss_error *err);
hiss_status bench_reduce(bench *b, const char *sizes, int64_t bucket, hiss_error *err);

/* Parts of bench_assign: blocks and coordinators; features of one direction and noise, and targets, [n, d] each. */
hiss_status bench_protocol(bench *b, int sizes, const int64_t *size, int64_t dim, hiss_error *err);
void bench_collapsed_features(int64_t n, int64_t d, float *z, float *c);

/* A list like "64,1MiB": up to max values in 1 .. limit, *count of them. */
hiss_status bench_list(const char *text, const char *option, int64_t limit, int max, int64_t *values, int *count,
                       hiss_error *err);

#endif
