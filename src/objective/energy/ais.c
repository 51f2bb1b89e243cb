/* Annealed importance sampling (Neal, "Annealed importance sampling", Statistics and Computing 11, 2001), for a
 * restricted Boltzmann machine as in Salakhutdinov & Murray, "On the quantitative analysis of deep belief networks",
 * ICML 2008, section 4.1. Between the base-rate machine (beta 0) and the machine itself (beta 1) stand
 *     log p*(v) = (1 - beta) a.v + beta b.v + sum_j softplus(beta (c_j + W_j v)),
 * where the sum over h is in closed form. A chain starts with a draw from the base rate, whose Z is known:
 * 2^H prod_i (1 + e^a_i). At each temperature its log weight grows by log p*_new(v) - log p*_old(v), and one step of
 * Gibbs sampling at the new temperature follows. The mean of the weights is Z / Z of the base rate, without bias; its
 * logarithm is too small on average where the weights are few or vary much. Temperatures are spaced as in the paper: of
 * 29 parts of the steps, 1 up to beta 1/2, 8 up to 0.9, 20 up to 1.
 *
 * Units are 0 or 1, so both products are sums of rows of W or of its transpose, those of units that are 1: H D / 2
 * additions or less for each, in an order that is fixed.
 *
 * The exact Z sums over the states of h, prod_i (1 + exp(b_i + sum_j h_j W_ji)) each. Both halves of h are enumerated
 * by themselves, so that a state costs D additions and exponentials. 1 + exp(-|x|) lies in 1..2, and a product of a few
 * hundred of them has one logarithm. */
#include "objective/energy/ais.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/rng.h"

static const double log_2 = 0.69314718055994530942;

double energy_softplus(double x) {
    return (x > 0.0 ? x : 0.0) + log1p(exp(-fabs(x)));
}

static double sigmoid(double x) {
    return 1.0 / (1.0 + exp(-x));
}

double energy_log_sum_exp(int64_t count, const double *x) {
    double most = x[0], sum = 0.0;
    for (int64_t k = 1; k < count; k++) {
        most = fmax(most, x[k]);
    }
    for (int64_t k = 0; k < count; k++) {
        sum += exp(x[k] - most);
    }
    return most + log(sum);
}

/* ---- chains ---- */

typedef struct chain {
    const energy_machine *machine;
    const double *transposed; /* [D, H] */
    double *hidden_input;     /* [H] c + Wv */
    double *visible_input;    /* [D] b + hW */
    double *v;                /* [D] 0 or 1 */
    hiss_rng rng;
} chain;

static double beta_at(int64_t step, int64_t steps) {
    const double part = 29.0 * (double)step / (double)steps;
    return part <= 1.0 ? 0.5 * part : part <= 9.0 ? 0.5 + 0.4 * (part - 1.0) / 8.0 : 0.9 + 0.1 * (part - 9.0) / 20.0;
}

static bool drawn(chain *c, double input) {
    return (double)hiss_rng_uniform(&c->rng) < sigmoid(input);
}

static void add_row(int64_t count, const double *restrict row, double *restrict sum) {
    for (int64_t k = 0; k < count; k++) {
        sum[k] += row[k];
    }
}

static void see(chain *c) {
    const energy_machine *z = c->machine;
    memcpy(c->hidden_input, z->hidden_bias, sizeof(double) * (size_t)z->H);
    for (int64_t i = 0; i < z->D; i++) {
        if (c->v[i] != 0.0) {
            add_row(z->H, c->transposed + i * z->H, c->hidden_input);
        }
    }
}

static double log_unnormalised(const chain *c, double beta) {
    const energy_machine *z = c->machine;
    double log_p = 0.0;
    for (int64_t i = 0; i < z->D; i++) {
        log_p += c->v[i] * ((1.0 - beta) * z->base_bias[i] + beta * z->visible_bias[i]);
    }
    for (int64_t j = 0; j < z->H; j++) {
        log_p += energy_softplus(beta * c->hidden_input[j]);
    }
    return log_p;
}

static void gibbs(chain *c, double beta) {
    const energy_machine *z = c->machine;
    memcpy(c->visible_input, z->visible_bias, sizeof(double) * (size_t)z->D);
    for (int64_t j = 0; j < z->H; j++) {
        if (drawn(c, beta * c->hidden_input[j])) {
            add_row(z->D, z->weight + j * z->D, c->visible_input);
        }
    }
    for (int64_t i = 0; i < z->D; i++) {
        c->v[i] = drawn(c, (1.0 - beta) * z->base_bias[i] + beta * c->visible_input[i]);
    }
    see(c);
}

static double run_chain(chain *c, int64_t steps) {
    double log_weight = 0.0;
    for (int64_t i = 0; i < c->machine->D; i++) {
        c->v[i] = drawn(c, c->machine->base_bias[i]);
    }
    see(c);
    for (int64_t k = 1; k <= steps; k++) {
        const double old = beta_at(k - 1, steps), new = beta_at(k, steps);
        log_weight += log_unnormalised(c, new) - log_unnormalised(c, old);
        if (k < steps) {
            gibbs(c, new);
        }
    }
    return log_weight;
}

void energy_ais_chains(const energy_machine *z, uint64_t seed, int64_t when, int64_t steps, int64_t first, int64_t end,
                       double *log_weight, float *visible) {
    double *transposed = hiss_new(double, z->D * z->H);
    chain c = {.machine = z,
               .transposed = transposed,
               .hidden_input = hiss_new(double, z->H),
               .visible_input = hiss_new(double, z->D),
               .v = hiss_new(double, z->D)};
    for (int64_t j = 0; j < z->H; j++) {
        for (int64_t i = 0; i < z->D; i++) {
            transposed[i * z->H + j] = z->weight[j * z->D + i];
        }
    }
    for (int64_t k = first; k < end; k++) {
        c.rng = hiss_rng_keyed(seed, HISS_FOR_EVALUATION, when, k);
        log_weight[k - first] = run_chain(&c, steps);
        if (visible) {
            gibbs(&c, 1.0);
            for (int64_t i = 0; i < z->D; i++) {
                visible[(k - first) * z->D + i] = (float)sigmoid(c.visible_input[i]);
            }
        }
    }
    hiss_free(transposed);
    hiss_free(c.hidden_input);
    hiss_free(c.visible_input);
    hiss_free(c.v);
}

energy_log_z energy_ais_estimate(const energy_machine *z, int64_t chains, const double *log_weight) {
    const double log_sum = energy_log_sum_exp(chains, log_weight), n = (double)chains;
    double base = (double)z->H * log_2, squares = 0.0;
    for (int64_t i = 0; i < z->D; i++) {
        base += energy_softplus(z->base_bias[i]);
    }
    for (int64_t k = 0; k < chains; k++) {
        const double off = n * exp(log_weight[k] - log_sum) - 1.0;
        squares += off * off;
    }
    return (energy_log_z){.value = base + log_sum - log(n),
                          .deviation = chains > 1 ? sqrt(squares / (n - 1.0) / n) : 0.0};
}

/* ---- enumeration ---- */

int64_t energy_exact_parts(int64_t H) {
    assert(1 <= H && H <= ENERGY_EXACT_MOST);
    return (int64_t)1 << H / 2;
}

/* What `count` hidden units from `first` on add in state `bits`: to the inputs of v, and by their biases. */
static double add_state(const energy_machine *z, int64_t first, int64_t count, int64_t bits, double *input) {
    double bias = 0.0;
    for (int64_t j = 0; j < count; j++) {
        if (bits >> j & 1) {
            add_row(z->D, z->weight + (first + j) * z->D, input);
            bias += z->hidden_bias[first + j];
        }
    }
    return bias;
}

/* sum_i softplus(a_i + b_i) */
static double sum_softplus(int64_t count, const double *restrict a, const double *restrict b) {
    enum { RUN = 256 };
    double sum = 0.0;
    for (int64_t begin = 0; begin < count; begin += RUN) {
        const int64_t end = begin + RUN < count ? begin + RUN : count;
        double product = 1.0;
        for (int64_t i = begin; i < end; i++) {
            const double x = a[i] + b[i];
            sum += x > 0.0 ? x : 0.0;
            product *= 1.0 + exp(-fabs(x));
        }
        sum += log(product);
    }
    return sum;
}

void energy_exact_sums(const energy_machine *z, int64_t first, int64_t end, double *log_part) {
    const int64_t low = z->H / 2, high = z->H - low, states = (int64_t)1 << high;
    double *other = hiss_new(double, states * z->D), *other_bias = hiss_new(double, states);
    double *input = hiss_new(double, z->D), *log_state = hiss_new(double, states);
    for (int64_t s = 0; s < states; s++) {
        other_bias[s] = add_state(z, low, high, s, other + s * z->D);
    }
    for (int64_t part = first; part < end; part++) {
        memcpy(input, z->visible_bias, sizeof(double) * (size_t)z->D);
        const double bias = add_state(z, 0, low, part, input);
        for (int64_t s = 0; s < states; s++) {
            log_state[s] = bias + other_bias[s] + sum_softplus(z->D, input, other + s * z->D);
        }
        log_part[part - first] = energy_log_sum_exp(states, log_state);
    }
    hiss_free(other);
    hiss_free(other_bias);
    hiss_free(input);
    hiss_free(log_state);
}
