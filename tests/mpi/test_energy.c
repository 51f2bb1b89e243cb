/* The energy of a run, from a made-up tree of counters: counted once on a machine, however many ranks it has. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "hiss/file.h"
#include "mpi_test.h"
#include "train/trainer.h"

static const char tree[] = "powercap";

static void put(const char *file, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/intel-rapl:0/%s", tree, file);
    FILE *out = fopen(path, "w");
    if (out) {
        fputs(text, out);
        fclose(out);
    }
}

static void write_counter(hiss_comm *comm, const char *microjoules) {
    hiss_comm_barrier(comm);
    if (hiss_comm_rank(comm) == 0) {
        mkdir(tree, 0777);
        mkdir("powercap/intel-rapl:0", 0777);
        put("name", "package-0\n");
        put("max_energy_range_uj", "100000000\n");
        put("energy_uj", microjoules);
    }
    hiss_comm_barrier(comm);
}

static void expect(hiss_comm *comm, energy *e, const char *expected) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = hiss_text_open(&text, &size);
    train_energy_write(out, comm, e, 600);
    fclose(out);
    if (strcmp(text, expected) != 0) {
        fprintf(stderr, "%s", text);
    }
    CHECK(strcmp(text, expected) == 0);
    free(text);
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    if (hiss_comm_open(&argc, &argv, &comm, NULL) != HISS_OK) {
        return 1;
    }
    unsetenv("SLURM_JOB_ID");
    write_counter(comm, "90000000\n");
    energy *e = train_energy_open(comm, tree);
    write_counter(comm, "2000000\n"); /* it has started again */
    train_energy_step(e, 1e18);
    write_counter(comm, "5000000\n");
    expect(comm, e,
           "energy_joules: 15.000\nenergy_joules_per_sample: 0.025\n"
           "energy_of: \"RAPL: package-0, of 1 machine, whatever ran on them\"\n");
    train_energy_close(e);
    hiss_comm_barrier(comm);
    e = train_energy_open(comm, "nowhere");
    expect(comm, e, "energy: \"not known: nowhere has no counters of processors\"\n");
    setenv("SLURM_JOB_ID", "123", 1);
    expect(
        comm, e,
        "energy: \"not known: nowhere has no counters of processors; where the site gathers it, after the job: sacct "
        "-j 123 --format=JobID,ConsumedEnergyRaw\"\n");
    train_energy_close(e);
    hiss_comm_barrier(comm);
    if (hiss_comm_rank(comm) == 0) {
        hiss_directory_remove(tree);
    }
    return finish_test(comm);
}
