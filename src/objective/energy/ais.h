/* Private to src/objective/energy: the partition function Z of a Boltzmann machine with two sides of binary units and
 * no connections within a side,
 *     p(v, h) = exp(b.v + c.h + h.Wv) / Z,
 * by annealed importance sampling, and by enumeration where it is small. All in double precision. Not collective,
 * thread-safe.
 *
 * A deep Boltzmann machine of layers v, h1, h2 has two sides, too: {v, h2} and h1. */
#ifndef HISS_OBJECTIVE_ENERGY_AIS_H
#define HISS_OBJECTIVE_ENERGY_AIS_H

#include <stdint.h>

typedef struct energy_machine { /* nothing is owned */
    int64_t D, H;               /* units of v, of h */
    const double *weight;       /* W [H, D] */
    const double *visible_bias; /* b [D] */
    const double *hidden_bias;  /* c [H] */
    const double *base_bias;    /* [D] of the base-rate machine, which has no weights and no hidden biases */
} energy_machine;

/* Log importance weights of chains [first, end) into log_weight [end - first]. Chain k draws from the stream (seed,
 * HISS_FOR_EVALUATION, when, k), so what it gives depends on nothing else.
 *   steps    >= 1: temperatures after the base-rate machine's
 *   visible  out  [end - first, D] means of the visible units after one more step at the chain's end; NULL: not wanted */
void energy_ais_chains(const energy_machine *machine, uint64_t seed, int64_t when, int64_t steps, int64_t first,
                       int64_t end, double *log_weight, float *visible);

typedef struct energy_log_z {
    double value;     /* log Z, in nats */
    double deviation; /* standard error of Z by its value; 0 of one chain */
} energy_log_z;
/* What the weights of all chains together say. log_weight [chains], in the order of chains. */
energy_log_z energy_ais_estimate(const energy_machine *machine, int64_t chains, const double *log_weight);

/* log Z is the logarithm of the sum of the exponentials of these parts, one of each state of the first half of the
 * hidden units: parts [first, end) of energy_exact_parts(H) into log_part [end - first]. H <= ENERGY_EXACT_MOST. */
enum { ENERGY_EXACT_MOST = 20 };
int64_t energy_exact_parts(int64_t H);
void energy_exact_sums(const energy_machine *machine, int64_t first, int64_t end, double *log_part);

double energy_log_sum_exp(int64_t count, const double *x);
double energy_softplus(double x);

#endif
