/* hiss bench */
#include <string.h>

#include "cli/bench.h"
#include "hiss/file.h"
#include "hiss/log.h"

typedef struct options {
    double seconds;
    const char *sizes, *size, *json, *save;
    int64_t dim, bucket;
    int log, bound;
    bool synthetic, help;
} options;

static const hiss_row rows[] = {
    {"set*", HISS_STRING, 0, NULL, 0, 0, NULL, "change a key of the config: --set train.lanes=8 (repeatable)"},
    {"seconds", HISS_FLOAT, offsetof(options, seconds), "2", 0.001, 3600, NULL,
     "time for the machine's peaks, and for steps of each kind"},
    {"synthetic", HISS_BOOL, offsetof(options, synthetic), "false", 0, 0, NULL,
     "random images in place of the config's data (also when its file is missing)"},
    {"size", HISS_STRING, offsetof(options, size), NULL, 0, 0, NULL,
     "HEIGHTxWIDTHxCHANNELS of synthetic images (default: what the network takes)"},
    {"sizes", HISS_STRING, offsetof(options, sizes), NULL, 0, 0, NULL,
     "assign: samples of a block (64,256,1024,2048); reduce: bytes of a vector (1MiB,16MiB,64MiB)"},
    {"bound", HISS_CHOICE, offsetof(options, bound), "sgemm", 0, 0, "sgemm|fma",
     "step: what bounds arithmetic, BLAS's matrix product or multiply-adds in registers"},
    {"dim", HISS_INT, offsetof(options, dim), "32", 1, 65536, NULL, "assign: dimensions of the features"},
    {"bucket", HISS_INT, offsetof(options, bucket), "1MiB", 1024, 1e12, NULL, "reduce: bytes reduced together"},
    {"save", HISS_PATH, offsetof(options, save), NULL, 0, 0, NULL,
     "kernels: write a table of the fastest implementations to this file, for the config's kernel_table"},
    {"json", HISS_PATH, offsetof(options, json), NULL, 0, 0, NULL,
     "also write the figures as JSON to this file; -: to standard output, in place of the tables"},
    {"log", HISS_CHOICE, offsetof(options, log), "warning", 0, 0, HISS_LOG_CHOICES, "how much to say"},
    {"help", HISS_BOOL, offsetof(options, help), "false", 0, 0, NULL, "this text"},
};

static void help(void) {
    printf("usage: [mpirun -n RANKS] hiss bench [all] [OPTIONS]\n"
           "       [mpirun -n RANKS] hiss bench machine | step CONFIG | kernels CONFIG | assign | reduce [OPTIONS]\n\n"
           "Measure this machine, and hiss as a share of what it can do.\n\n"
           "  machine         rate of the matrix product and bandwidth of memory, on each rank\n"
           "  step CONFIG     roofline of every operation of a training step, and where the time of a step goes\n"
           "  kernels CONFIG  every implementation of every convolution and linear layer; --save FILE: a table\n"
           "  assign          every assignment solver, and blocks with their coordinators\n"
           "  reduce          the tree reduction beside MPI_Iallreduce\n"
           "  all             machine, a step of %s if it is there, assign, reduce; under a minute\n\n",
           "configs/nat-fashion.yaml");
    hiss_rows_help(stdout, NULL, rows, HISS_COUNT(rows));
}

/* ---- the parts ---- */

static hiss_status with_config(bench *b, const options *o, const char *config, const hiss_arguments *rest, bool kernels,
                               hiss_error *err) {
    bench_source source;
    hiss_status s = bench_source_open(b, config, rest, o->synthetic, o->size, &source, err);
    if (s == HISS_OK) {
        s = kernels ? bench_kernels(b, &source, o->save, err) : bench_step(b, &source, err);
    }
    bench_source_close(&source);
    return s;
}

static hiss_status all(bench *b, const options *o, const hiss_arguments *rest, hiss_error *err) {
    static const char config[] = "configs/nat-fashion.yaml";
    hiss_status s = HISS_OK;
    if (hiss_comm_max_i64(b->comm, hiss_file_exists(config) ? 0 : 1)) {
        bench_print(b, "\nnote: %s is not there, no step is timed\n", config);
    } else {
        s = with_config(b, o, config, rest, false, err);
    }
    s = s == HISS_OK ? bench_assign(b, "256,1024", o->dim, err) : s;
    return s == HISS_OK ? bench_reduce(b, "1MiB,16MiB", o->bucket, err) : s;
}

static hiss_status run(bench *b, const options *o, const hiss_arguments *rest, hiss_error *err) {
    const char *part = rest->npositional ? rest->positional[0] : "all";
    const char *config = rest->npositional > 1 ? rest->positional[1] : NULL;
    if (strcmp(part, "step") == 0) {
        return with_config(b, o, config, rest, false, err);
    }
    if (strcmp(part, "kernels") == 0) {
        return with_config(b, o, config, rest, true, err);
    }
    if (strcmp(part, "assign") == 0) {
        return bench_assign(b, o->sizes ? o->sizes : "64,256,1024,2048", o->dim, err);
    }
    if (strcmp(part, "reduce") == 0) {
        return bench_reduce(b, o->sizes ? o->sizes : "1MiB,16MiB,64MiB", o->bucket, err);
    }
    bench_measure_machine(b);
    return strcmp(part, "all") == 0 ? all(b, o, rest, err) : HISS_OK;
}

/* Errors of the command line, before anything is measured. */
static hiss_status check(const options *o, const hiss_arguments *rest, hiss_error *err) {
    static const struct {
        const char *name, *used;
        bool config;
    } parts[] = {{"all", "set seconds synthetic size bound dim bucket json", false},
                 {"machine", "seconds json", false},
                 {"assign", "sizes dim seconds json", false},
                 {"reduce", "sizes bucket seconds json", false},
                 {"step", "set seconds synthetic size bound json", true},
                 {"kernels", "set seconds synthetic size save json", true}};
    const char *part = rest->npositional ? rest->positional[0] : "all";
    int k = 0;
    while (k < HISS_COUNT(parts) && strcmp(parts[k].name, part) != 0) {
        k++;
    }
    if (k == HISS_COUNT(parts)) {
        char names[128] = "";
        for (k = 0; k < HISS_COUNT(parts); k++) {
            const size_t used = strlen(names);
            snprintf(names + used, sizeof names - used, "%s%s%s", used ? ", " : "", parts[k].name,
                     parts[k].config ? " CONFIG" : "");
        }
        return hiss_fail(err, HISS_EUSER, "bench '%s': expected one of %s", part, names);
    }
    const bool config = parts[k].config;
    if (rest->npositional > 1 + config || (config && rest->npositional != 2)) {
        return hiss_fail(err, HISS_EUSER,
                         config ? "bench %s needs a config file: hiss bench %s configs/nat-fashion.yaml"
                                : "bench %s takes no further words; see hiss bench --help",
                         part, part);
    }
    char form[64];
    snprintf(form, sizeof form, "on hiss bench %s", part);
    hiss_status s = hiss_options_expect(rows, HISS_COUNT(rows), rest, parts[k].used, form, err);
    s = s == HISS_OK && config ? cli_expect_config(rest->positional[1], err) : s;
    return s == HISS_OK ? bench_check_size(o->size, err) : s;
}

static hiss_status measure(hiss_comm *comm, const options *o, const hiss_arguments *rest, hiss_error *err) {
    const bool root = hiss_comm_rank(comm) == 0, to_stdout = o->json && strcmp(o->json, "-") == 0;
    bench_page page = {.stream = stdout, .arena = hiss_arena_create(), .begun = ""};
    bench b = {.comm = comm, .seconds = o->seconds, .page = root && !to_stdout ? &page : NULL};
    b.machine.bound_by_gemm = o->bound == 0;
    if (root && o->json) {
        json_open(&b.json);
    }
    const char *const outputs[] = {to_stdout ? NULL : o->json, o->save};
    hiss_status s = cli_expect_writable(comm, NULL, outputs, HISS_COUNT(outputs), err);
    s = s == HISS_OK ? run(&b, o, rest, err) : s;
    if (b.json.stream && s == HISS_OK) {
        json_end(&b.json, '}');
        fputc('\n', b.json.stream);
        fflush(b.json.stream);
        if (to_stdout) {
            fputs(b.json.text, stdout);
        } else {
            s = hiss_file_write_text(o->json, b.json.text, err);
        }
    }
    json_close(&b.json);
    hiss_arena_destroy(page.arena);
    return hiss_comm_agree(comm, s, err);
}

int cmd_bench(int argc, char **argv) {
    options o = {0};
    hiss_error err = {0};
    const char *words[2], *sets[CLI_MAX_SETS];
    hiss_arguments rest = {.positional = words, .max_positional = 2, .repeated = sets, .max_repeated = CLI_MAX_SETS};
    hiss_status s = hiss_options_parse(rows, HISS_COUNT(rows), argc, argv, &o, &rest, &err);
    if (s == HISS_OK && o.help) {
        help();
        return 0;
    }
    s = s == HISS_OK ? check(&o, &rest, &err) : s;
    if (s != HISS_OK) {
        return cli_fail(NULL, &err);
    }
    hiss_comm *comm = NULL;
    s = cli_open(o.log, &comm, &err);
    hiss_alloc_for("what is measured", "choose smaller --sizes, or a config of smaller steps");
    s = s == HISS_OK ? measure(comm, &o, &rest, &err) : s;
    const int code = s == HISS_OK ? 0 : cli_fail(comm, &err);
    hiss_comm_close(comm);
    return code;
}
