/* Where the time of every rank went.
 *
 * A rank that is done with backward blocks until its reduction is complete: for slower ranks first, for the messages
 * then. Its own clock cannot tell the two apart. The slowest rank blocks for the
 * messages alone, so the least blocked time of any rank is counted as transfer, and what a rank blocks beyond it as
 * waiting for others. This is done per window of metrics.jsonl: where different ranks are slow by turns within one
 * window, some waiting is taken for transfer. */
#include <unistd.h>

#include "hiss/yaml.h"
#include "train/trainer.h"

void train_rank_account_add(rank_account *a, const trainer_times *t, double blocked, double seconds) {
    const double compute = t->augment + t->forward + t->supply + t->backward + t->update + t->reduce - t->wait;
    a->compute += compute;
    a->exchange += t->exchange + t->epoch;
    a->data += t->data;
    a->wait += t->wait - blocked;
    a->transfer += blocked;
    a->other += seconds - compute - t->exchange - t->epoch - t->data - t->wait;
    a->sum += t->sum;
    a->span += t->transfer;
}

void train_rank_account_write(FILE *out, hiss_comm *comm, rank_account *a) {
    const int size = hiss_comm_size(comm);
    const bool root = hiss_comm_rank(comm) == 0;
    gethostname(a->host, sizeof a->host - 1);
    rank_account *all = root ? hiss_new(rank_account, size) : NULL;
    int64_t *offsets = hiss_new(int64_t, size + 1);
    for (int r = 0; r <= size; r++) {
        offsets[r] = r * (int64_t)sizeof *a;
    }
    hiss_comm_gather(comm, a, offsets, all, 0);
    fputs(root ? "ranks:\n" : "", out);
    for (int r = 0; root && r < size; r++) {
        const rank_account *k = &all[r];
        fprintf(out, "  - {rank: %d, host: ", r);
        hiss_yaml_write_text(out, k->host);
        fprintf(out,
                ", compute: %.6f, exchange: %.6f, data: %.6f, wait: %.6f, transfer: %.6f, other: %.6f, sum: %.6f, "
                "span: %.6f}\n",
                k->compute, k->exchange, k->data, k->wait, k->transfer, k->other, k->sum, k->span);
    }
    hiss_free(offsets);
    hiss_free(all);
}
