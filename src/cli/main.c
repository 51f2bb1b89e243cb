/* hiss: one program, a command per task. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "hiss/interrupt.h"
#include "hiss/kernels.h"
#include "hiss/log.h"
#include "hiss_build.h"

enum { START_BYTES = 16 << 20 };

typedef struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} command;

static const command commands[] = {
    {"prepare", cmd_prepare,
     "write an HDF5 data set from image folders, HDF5, idx, npz or tar files, or Fashion-MNIST"},
    {"train", cmd_train, "train a representation (under mpirun or srun)"},
    {"watch", cmd_watch, "show the curves of a run while it goes on"},
    {"report", cmd_report, "write the page of a run, also while it goes on"},
    {"eval", cmd_eval, "judge a run's features: k-NN, linear and few-label probes, controls"},
    {"query", cmd_query, "draw nearest neighbours of test images"},
    {"features", cmd_features, "write the features of a data set to a file"},
    {"list", cmd_list, "list the runs of a folder: state, epochs, loss, evaluation, hashes"},
    {"inspect", cmd_inspect, "say what is in checkpoints, data sets and run directories"},
    {"export", cmd_export, "write a run's network, or what it has logged, for other programs"},
    {"sample", cmd_sample, "draw images that a run has learnt to make"},
    {"bench", cmd_bench, "measure this machine: sgemm, layers, steps, assignment, reduction"},
    {"scale", cmd_scale, "run scaling studies, here or under SLURM: tables, plots, fitted laws"},
    {"compare", cmd_compare, "train several methods with several seeds, judge them alike: one table"},
    {"reproduce", cmd_reproduce, "run a recipe, and say whether it reaches what is recorded of it"},
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
    fprintf(stream,
            "\n`hiss COMMAND --help` explains a command; `hiss --version` tells the version and the MPI library.\n");
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

static int run_command(const command *c, int argc, char **argv) {
    hiss_log_setup(HISS_LOG_INFO, cli_launcher_rank());
    hiss_alloc_expect(START_BYTES, "libraries to start", NULL);
    hiss_arena *arena = hiss_arena_create();
    hiss_error err = {0};
    signal(SIGXFSZ, SIG_IGN); /* a file that gets too large is an error where it is written */
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
        char running[HISS_LIBRARY_TEXT], built[HISS_LIBRARY_TEXT];
        hiss_comm_library(running, built);
        printf("hiss %s (%s), %s\n", HISS_VERSION, HISS_COMMIT, running);
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
