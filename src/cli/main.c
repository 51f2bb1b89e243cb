/* hiss: one program, a command per task. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "hiss/interrupt.h"
#include "hiss/kernels.h"
#include "hiss/log.h"
#include "hiss_build.h"

/* Open MPI 4.1 takes 160 MiB of address space for two ranks on a node, and 4 MiB for each more of them that talks to
 * this one. With less it waits for ever, or crashes. */
enum { START_BYTES = 16 << 20, MPI_BYTES = 256 << 20, PEER_BYTES = 4 << 20 };

typedef struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} command;

static const command commands[] = {
    {"prepare", cmd_prepare, "write an HDF5 data set from idx files, image folders or Fashion-MNIST"},
    {"train", cmd_train, "train a representation (under mpirun or srun)"},
    {"eval", cmd_eval, "judge a run's features: k-NN, linear and few-label probes, controls"},
    {"query", cmd_query, "draw nearest neighbours of test images"},
    {"bench", cmd_bench, "measure this machine: sgemm, layers, steps, assignment, reduction"},
    {"scale", cmd_scale, "run scaling studies, here or under SLURM: tables, plots, fitted laws"},
    {"simulate", cmd_simulate, "project training steps to thousands of ranks by simulation"},
    {"doctor", cmd_doctor, "check ranks, cores, data and disk before training"},
};

static void usage(FILE *stream) {
    fprintf(
        stream,
        "usage: hiss COMMAND [ARGUMENTS]\n\nTrain representations from unlabelled data, data-parallel over MPI.\n\n");
    for (int i = 0; i < HISS_COUNT(commands); i++) {
        fprintf(stream, "  %-10s %s\n", commands[i].name, commands[i].summary);
    }
    fprintf(stream, "\n`hiss COMMAND --help` explains a command; `hiss --version` tells the version.\n");
}

int cli_launcher_rank(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"};
    for (int i = 0; i < HISS_COUNT(names); i++) {
        const char *text = getenv(names[i]);
        if (text) {
            return atoi(text);
        }
    }
    return 0;
}

static size_t launcher_local_ranks(void) {
    const char *text = getenv("OMPI_COMM_WORLD_LOCAL_SIZE");
    const long ranks = text ? strtol(text, NULL, 10) : 1;
    return ranks > 0 && ranks < 1 << 16 ? (size_t)ranks : 1;
}

int cli_fail(const hiss_comm *comm, const hiss_error *err) {
    const int rank = comm ? hiss_comm_rank(comm) : cli_launcher_rank();
    if (!comm && rank > 0) { /* launchers kill the other ranks when one ends: let rank 0 say why first */
        nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    }
    if (rank == 0 || (!comm && err->code == HISS_ESYSTEM)) { /* all ranks read one command line, but start alone */
        if (err->code == HISS_EREQUEUE) {
            fprintf(stderr, "hiss: %s\n", err->text); /* whatever --log says: why it ends */
        } else {
            hiss_error_line("%s", err->text);
        }
    }
    return hiss_exit_code(err->code);
}

hiss_status cli_open(int level, hiss_comm **comm, hiss_error *err) {
    char text[HISS_CORE_TEXT];
    hiss_log_setup((hiss_log_level)level, cli_launcher_rank());
    if (hiss_kernels_judge_core(text) == HISS_CORE_IMPOSSIBLE) {
        return hiss_fail(err, HISS_ESYSTEM, "%s", text); /* of this host alone: each rank that has it says so */
    }
    hiss_alloc_expect(MPI_BYTES + PEER_BYTES * launcher_local_ranks(), "MPI to start", NULL);
    hiss_status s = cli_check_launcher(err);
    s = s == HISS_OK ? hiss_comm_open(NULL, NULL, comm, err) : s;
    if (s == HISS_OK) {
        hiss_log_setup((hiss_log_level)level, hiss_comm_rank(*comm));
    }
    return s;
}

void cli_enter_kernels(const hiss_comm *comm) {
    char text[HISS_CORE_TEXT];
    hiss_kernels_enter_thread();
    if (hiss_comm_rank(comm) == 0 && hiss_kernels_judge_core(text) == HISS_CORE_UNASKED) {
        hiss_warn("%s", text);
    }
}

static int fail_unknown(const char *word) {
    hiss_error err = {0};
    int nearest = 0;
    for (int i = 1; i < HISS_COUNT(commands); i++) {
        if (hiss_edit_distance(word, commands[i].name) < hiss_edit_distance(word, commands[nearest].name)) {
            nearest = i;
        }
    }
    if (hiss_edit_distance(word, commands[nearest].name) <= 2) {
        hiss_fail(&err, HISS_EUSER, "unknown command '%.100s'; did you mean '%s'?", word, commands[nearest].name);
    } else {
        hiss_fail(&err, HISS_EUSER, "unknown command '%.100s'; `hiss --help` lists the commands", word);
    }
    return cli_fail(NULL, &err);
}

int cli_run(const cli_task *task, int argc, char **argv) {
    hiss_error err = {0};
    const char *words[1], *sets[CLI_MAX_SETS];
    hiss_arguments rest = {.positional = words, .max_positional = 1, .repeated = sets, .max_repeated = CLI_MAX_SETS};
    hiss_status s = hiss_options_parse(task->rows, task->nrows, argc, argv, task->options, &rest, &err);
    if (s == HISS_OK && *task->help) {
        task->print_help();
        return 0;
    }
    if (s == HISS_OK && rest.npositional == 0 && task->missing) {
        s = hiss_fail(&err, HISS_EUSER, "%s", task->missing);
    }
    if (s == HISS_OK && rest.npositional == 0 && rest.nrepeated > 0) {
        s = hiss_fail(&err, HISS_EUSER, "--set has no effect without a config; name one, or leave it out");
    }
    if (s != HISS_OK) {
        return cli_fail(NULL, &err);
    }
    hiss_comm *comm = NULL;
    s = cli_open(*task->log, &comm, &err);
    s = s == HISS_OK ? task->run(comm, task->options, rest.npositional ? words[0] : NULL, &rest, &err) : s;
    const int code = s == HISS_OK ? 0 : cli_fail(comm, &err);
    hiss_comm_close(comm);
    return code;
}

static int run_command(const command *c, int argc, char **argv) {
    hiss_log_setup(HISS_LOG_INFO, cli_launcher_rank());
    hiss_alloc_expect(START_BYTES, "libraries to start", NULL);
    hiss_arena *arena = hiss_arena_create();
    hiss_error err = {0};
    hiss_interrupt_catch(cli_launcher_rank() == 0);
    cli_expand_words(arena, argc, argv);
    hiss_status s = cli_settle_locking(&err);
    const int code = s == HISS_OK ? c->run(argc, argv) : cli_fail(NULL, &err);
    hiss_arena_destroy(arena);
    return code;
}

static int run(int argc, char **argv) {
    const char *word = argc > 1 ? argv[1] : "--help";
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || (strcmp(word, "help") == 0 && argc == 2)) {
        usage(argc > 1 ? stdout : stderr);
        return argc > 1 ? 0 : 2;
    }
    if (strcmp(word, "--version") == 0) {
        printf("hiss %s (%s)\n", HISS_VERSION, HISS_COMMIT);
        return 0;
    }
    static char help[] = "--help";
    if (strcmp(word, "help") == 0) { /* hiss help COMMAND */
        word = argv[2];
        argv[2] = help;
    }
    if (argc == 3 && strcmp(argv[2], "-h") == 0) {
        argv[2] = help;
    }
    for (int i = 0; i < HISS_COUNT(commands); i++) {
        if (strcmp(word, commands[i].name) == 0) {
            return run_command(&commands[i], argc - 2, argv + 2);
        }
    }
    return fail_unknown(word);
}

int main(int argc, char **argv) {
    const hiss_launcher_watch watch = hiss_launcher_watch_start();
    hiss_kernels_choose_core();
    const int code = run(argc, argv);
    hiss_launcher_watch_stop(watch, code);
    return code;
}
