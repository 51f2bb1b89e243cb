/* How commands start and fail: the launcher's rank, the communicator, and commands that run on all ranks. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cli/cli.h"
#include "hiss/kernels.h"
#include "hiss/log.h"

/* Open MPI 4.1 takes 160 MiB of address space for two ranks on a node, and 4 MiB for each more of them that talks to
 * this one. With less it waits for ever, or crashes. */
enum { MPI_BYTES = 256 << 20, PEER_BYTES = 4 << 20 };

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

int cli_launcher_size(void) {
    const char *open_mpi = getenv("OMPI_COMM_WORLD_SIZE"), *pmi = getenv("PMI_SIZE");
    return open_mpi ? atoi(open_mpi) : pmi ? atoi(pmi) : 0;
}

static size_t launcher_local_ranks(void) {
    const char *open_mpi = getenv("OMPI_COMM_WORLD_LOCAL_SIZE"),
               *text = open_mpi ? open_mpi : getenv("MPI_LOCALNRANKS");
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

hiss_status cli_expect_once(const hiss_row *rows, int nrows, const hiss_arguments *rest, const char *option,
                            const char *key, hiss_error *err) {
    hiss_config *sets = NULL;
    hiss_error unused;
    bool twice = false;
    if (!hiss_options_given(rows, nrows, rest, option) || hiss_config_read(NULL, &sets, err) != HISS_OK) {
        return HISS_OK;
    }
    for (int k = 0; k < rest->nrepeated && !twice; k++) { /* whoever reads them all says what is wrong with one */
        twice = hiss_config_set(sets, rest->repeated[k], &unused) == HISS_OK && hiss_config_has(sets, key);
    }
    hiss_config_destroy(sets);
    return twice ? hiss_fail(err, HISS_EUSER, "--%s and --set %s both say %s; leave one of them out", option, key, key)
                 : HISS_OK;
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

int cli_look_at(const cli_look *look, int argc, char **argv) {
    hiss_error err = {0};
    const char *words[1];
    hiss_arguments rest = {.positional = words, .max_positional = 1};
    hiss_status s = hiss_options_parse(look->rows, look->nrows, argc, argv, look->options, &rest, &err);
    if (s == HISS_OK && *look->help) {
        look->print_help();
        return 0;
    }
    if (s == HISS_OK && rest.npositional == 0) {
        s = hiss_fail(&err, HISS_EUSER, "%s", look->missing);
    }
    s = s == HISS_OK ? look->run(look->options, words[0], &err) : s;
    return s == HISS_OK ? 0 : cli_fail(NULL, &err);
}
