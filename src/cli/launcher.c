/* How this process was started: alone, by mpirun, or by srun.
 *
 * mpirun of Open MPI sets OMPI_*, that of MPICH and Intel MPI PMI_*, and a launcher with PMIx sets PMIX_*. srun sets SLURM_STEP_NUM_TASKS, which mpirun's ranks may
 * inherit from the daemons that it starts by srun; a batch script has only SLURM_NTASKS, the tasks that it may
 * start. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "hiss/log.h"

bool cli_launcher_says(const char *name, char value[CLI_VARIABLE]) {
    char *entry = NULL;
    size_t capacity = 0;
    bool found = false;
    FILE *in = fopen("/proc/self/environ", "r");
    while (in && !found && getdelim(&entry, &capacity, 0, in) > 0) {
        const size_t length = strlen(name);
        found = strncmp(entry, name, length) == 0 && entry[length] == '=';
        snprintf(value, CLI_VARIABLE, "%s", found ? entry + length + 1 : "");
    }
    free(entry);
    if (in) {
        fclose(in);
    }
    return found;
}

bool cli_launched_alone(void) {
    char text[CLI_VARIABLE] = "";
    return (cli_launcher_says("OMPI_COMM_WORLD_SIZE", text) || cli_launcher_says("PMI_SIZE", text)) && atoi(text) == 1;
}

bool cli_is_open_mpi(void) {
    static const char name[] = "Open MPI";
    char running[HISS_LIBRARY_TEXT], built[HISS_LIBRARY_TEXT];
    hiss_comm_library(running, built);
    return strncmp(running, name, strlen(name)) == 0;
}

static int number(const char *name) {
    const char *text = getenv(name);
    return text ? atoi(text) : 0;
}

/* OMPI_MCA_pmix: the user says which of its own ways to a launcher Open MPI has to take. */
hiss_status cli_check_launcher(hiss_error *err) {
    static const char *const known[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_NAMESPACE", "PMIX_RANK", "OMPI_MCA_pmix"};
    static const char *const pmi[] = {"PMI_RANK", "PMI_FD"};
    const int tasks = number("SLURM_STEP_NUM_TASKS");
    const bool open_mpi = cli_is_open_mpi();
    for (int k = 0; k < HISS_COUNT(known); k++) {
        if (getenv(known[k])) {
            return HISS_OK;
        }
    }
    for (int k = 0; k < HISS_COUNT(pmi) && !open_mpi; k++) {
        if (getenv(pmi[k])) {
            return HISS_OK;
        }
    }
    if (tasks > 1 && !open_mpi) {
        return hiss_fail(err, HISS_EUSER,
                         "srun has started %d tasks without PMI, so that they would not find each other; start them "
                         "with srun --mpi=pmi2 (if srun --mpi=list names it), or with mpirun",
                         tasks);
    }
    return tasks < 2
               ? HISS_OK
               : hiss_fail(err, HISS_EUSER,
                           "srun has started %d tasks %s, so that they would not find each other; start them with srun "
                           "--mpi=pmix (if srun --mpi=list names it), or with mpirun",
                           tasks, getenv("PMI_RANK") ? "with PMI in place of PMIx" : "without PMIx");
}

void cli_warn_alone(const hiss_comm *comm) {
    const int tasks = number("SLURM_NTASKS"), of_step = number("SLURM_STEP_NUM_TASKS");
    if (hiss_comm_size(comm) == 1 && tasks > 1 && of_step != 1 && !cli_launched_alone()) {
        hiss_warn(
            "this process is alone in a job of %d tasks (SLURM_NTASKS), and the others rest; start it with mpirun "
            "-n %d, or with srun --mpi=pmix",
            tasks, tasks);
    }
}
