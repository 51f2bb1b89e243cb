/* The energy of a run: on each machine the lowest rank looks, and the machines add up. Counters are of whole machines, so
 * what else runs there is in them. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hiss/clock.h"
#include "hiss/energy.h"
#include "hiss/yaml.h"
#include "train/trainer.h"

enum { HOST = 64, SAYS = 1024 };
static const double often = 60.0; /* seconds: no counter starts again twice in them */

struct energy {
    hiss_energy *machine; /* NULL: another rank looks */
    double looked;
};

energy *train_energy_open(hiss_comm *comm, const char *tree) {
    const int size = hiss_comm_size(comm), rank = hiss_comm_rank(comm);
    char mine[HOST] = "", *all = hiss_new(char, size *HOST);
    int64_t *offsets = hiss_new(int64_t, size + 1);
    for (int r = 0; r <= size; r++) {
        offsets[r] = (int64_t)r * HOST;
    }
    gethostname(mine, sizeof mine - 1);
    hiss_comm_allgather(comm, mine, offsets, all);
    int first = 0;
    while (strcmp(all + first * HOST, mine) != 0) {
        first++;
    }
    hiss_free(offsets);
    hiss_free(all);
    energy *e = hiss_new(energy, 1);
    e->machine = first == rank ? hiss_energy_create(tree) : NULL;
    e->looked = hiss_seconds();
    return e;
}

void train_energy_close(energy *e) {
    if (e) {
        hiss_energy_destroy(e->machine);
        hiss_free(e);
    }
}

void train_energy_step(energy *e, double now) {
    if (e->machine && now - e->looked > often) {
        e->looked = now;
        hiss_energy_look(e->machine);
    }
}

/* What the first rank says that does not know; of none, what rank 0 counts. */
static void share_words(hiss_comm *comm, const energy *e, bool knows, char says[SAYS]) {
    const int size = hiss_comm_size(comm);
    int64_t speaker = knows ? size : hiss_comm_rank(comm);
    speaker = -hiss_comm_max_i64(comm, -speaker);
    snprintf(says, SAYS, "%s", e->machine ? hiss_energy_says(e->machine) : "");
    hiss_comm_broadcast(comm, says, SAYS, speaker < size ? (int)speaker : 0);
}

void train_energy_write(FILE *out, hiss_comm *comm, energy *e, int64_t samples) {
    if (e->machine) {
        hiss_energy_look(e->machine);
    }
    const double mine = e->machine ? hiss_energy_joules(e->machine) : 0.0;
    char says[SAYS], text[2 * SAYS];
    share_words(comm, e, !isnan(mine), says);
    const double machines = hiss_comm_sum(comm, e->machine != NULL), joules = hiss_comm_sum(comm, mine);
    if (!isnan(joules)) {
        fprintf(out, "energy_joules: %.3f\nenergy_joules_per_sample: %.6g\n", joules,
                joules / (double)(samples > 0 ? samples : 1));
        snprintf(text, sizeof text, "RAPL: %s, of %.0f machine%s, whatever ran on them", says, machines,
                 machines > 1.0 ? "s" : "");
        fprintf(out, "energy_of: ");
    } else {
        const char *job = getenv("SLURM_JOB_ID");
        snprintf(text, sizeof text, "not known: %s%s%.32s%s", says,
                 job ? "; where the site gathers it, after the job: sacct -j " : "", job ? job : "",
                 job ? " --format=JobID,ConsumedEnergyRaw" : "");
        fprintf(out, "energy: ");
    }
    hiss_yaml_write_text(out, text);
    fputc('\n', out);
}
