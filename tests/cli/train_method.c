/* hiss train with a method that only tests have, in place of the config's: train_method METHOD CONFIG RUN
 * [KEY=VALUE]... Exit codes and lines are those of hiss train. */
#include <stdio.h>

#include "hiss/kernels.h"
#include "hiss/log.h"
#include "hiss/train.h"
#include "methods/clips.h"
#include "methods/contrast.h"
#include "methods/stages.h"
#include "methods/states.h"

static const hiss_objective_ops *const methods[] = {&method_states,   &method_stages,   &method_gap,
                                                    &method_contrast, &method_backward, &method_clips};

static const hiss_objective_ops *method_of(const char *name) {
    for (size_t k = 0; k < sizeof methods / sizeof *methods; k++) {
        if (strcmp(methods[k]->name, name) == 0) {
            return methods[k];
        }
    }
    return NULL;
}

/* Only the optimiser of the first group is in the config. */
static void replace(hiss_experiment *e, const hiss_objective_ops *method) {
    e->objective = method;
    for (e->groups = 1; method->groups && method->groups[e->groups]; e->groups++) {
        e->optim[e->groups] = e->optim[0];
    }
}

int main(int argc, char **argv) {
    hiss_comm *comm = NULL;
    hiss_error err = {0};
    hiss_log_setup(HISS_LOG_INFO, 0);
    if (argc < 4 || !method_of(argv[1]) || hiss_comm_open(NULL, NULL, &comm, &err) != HISS_OK) {
        fprintf(stderr, "train_method METHOD CONFIG RUN [KEY=VALUE]... %s\n", err.text);
        return 2;
    }
    hiss_log_setup(HISS_LOG_INFO, hiss_comm_rank(comm));
    hiss_experiment e = {0};
    const hiss_train_request request = {.comm = comm, .experiment = &e, .run = argv[3], .resume = "auto"};
    hiss_status s = hiss_experiment_read(argv[2], (const char *const *)argv + 4, argc - 4, NULL, 0, &e, &err);
    s = hiss_comm_agree(comm, s, &err);
    if (s == HISS_OK) {
        replace(&e, method_of(argv[1]));
        s = hiss_train(&request, &err);
    }
    if (s != HISS_OK && hiss_comm_rank(comm) == 0) {
        hiss_error_line("%s", err.text);
    }
    hiss_experiment_destroy(&e);
    hiss_comm_close(comm);
    return hiss_exit_code(s);
}
