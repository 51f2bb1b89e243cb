/* build/hiss-smpi: one rank of a replay, under smpirun. Started by hiss simulate, which see. */
#include <stdio.h>

#include "hiss/config.h"
#include "hiss/log.h"
#include "hiss/simulate.h"

static hiss_status run(hiss_comm *comm, int argc, char **argv, hiss_error *err) {
    const char *file = NULL;
    hiss_replay replay = {0};
    hiss_replay_times times;
    hiss_costs costs = {0};
    hiss_arguments rest = {.positional = &file, .max_positional = 1};
    hiss_status s = hiss_options_parse(hiss_replay_rows, hiss_replay_nrows, argc - 1, argv + 1, &replay, &rest, err);
    s = s == HISS_OK ? hiss_costs_read(file ? file : "", &costs, err) : s;
    if (s == HISS_OK) {
        hiss_simulated_additions(costs.add);
        s = hiss_replay_run(comm, &costs, &replay, &times, err);
    }
    if (s == HISS_OK && hiss_comm_rank(comm) == 0) {
        hiss_replay_print(stdout, &times);
        fflush(stdout);
    }
    hiss_costs_destroy(&costs);
    return s;
}

int main(int argc, char **argv) {
    hiss_comm *comm = NULL;
    hiss_error err = {0};
    hiss_status s = hiss_comm_open(&argc, &argv, &comm, &err);
    s = s == HISS_OK ? run(comm, argc, argv, &err) : s;
    if (s != HISS_OK && (!comm || hiss_comm_rank(comm) == 0)) {
        hiss_error_line("%s", err.text);
    }
    hiss_comm_close(comm);
    return hiss_exit_code(s);
}
