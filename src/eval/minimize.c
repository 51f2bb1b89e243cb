/* L-BFGS: Liu & Nocedal, "On the limited memory BFGS method for large scale optimization", Math. Programming 45 (1989);
 * the two-loop recursion is algorithm 7.4 of Nocedal & Wright, "Numerical Optimization" (2006).
 *
 * The step length t meets the weak Wolfe conditions
 *   f(x + t p) <= f(x) + 1e-4 t g.p    and    g(x + t p).p >= 0.9 g.p
 * found by bracketing: t grows by a factor of 2 while the second fails and is bisected once the first has failed (Lewis
 * & Overton, "Nonsmooth optimization via quasi-Newton methods", Math. Programming 141 (2013), algorithm 2.6). On a
 * convex function t = 1 is accepted nearly always, so an iteration costs little more than one evaluation. The first
 * direction is at most of length 1.
 *
 * A preconditioner P, an approximate inverse of the Hessian, takes the place of the unit matrix in the recursion.
 *
 * The minimiser says at which point it wants the function and is told the value there, so that the functions of several
 * minimisers can be computed together.
 *
 * Cost: 4 HISTORY count flops per step beside the function; memory (2 HISTORY + 5) count doubles. */
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"

enum { HISTORY = 20, TRIALS = 30 };

static const double NOISE = 1e-6; /* rounding of f, a mean of logarithms of floats, and beside 1 when it is small */

struct minimizer {
    int64_t count;
    minimizer_precondition *precondition; /* or NULL */
    void *user;
    double *x, *gradient;            /* where we are */
    double *trial, *slope;           /* x + t p and the gradient there */
    double *direction;               /* p */
    double *spare;                   /* [count] */
    double *memory;                  /* of all these but x */
    double *s[HISTORY], *y[HISTORY]; /* steps and gradient changes, oldest overwritten */
    double rho[HISTORY];             /* 1 / (s.y) */
    int64_t pairs;                   /* stored so far */
    double value;                    /* f(x) */
    double downhill, t, low, high;   /* of the line search: g.p; lengths */
    int trials;
    bool searching, stuck;
    int64_t steps, evaluations;
};

enum { SUMS = 16 }; /* side by side, for the compiler's vectors; their number decides the order of summation */

double eval_dot(int64_t count, const double *restrict a, const double *restrict b) {
    double sum[SUMS] = {0};
    const int64_t whole = count - count % SUMS;
    for (int64_t i = 0; i < whole; i += SUMS) {
        for (int64_t j = 0; j < SUMS; j++) {
            sum[j] += a[i + j] * b[i + j];
        }
    }
    for (int64_t i = whole; i < count; i++) {
        sum[i - whole] += a[i] * b[i];
    }
    for (int64_t apart = SUMS / 2; apart > 0; apart /= 2) {
        for (int64_t j = 0; j < apart; j++) {
            sum[j] += sum[j + apart];
        }
    }
    return sum[0];
}

static void add(int64_t count, double factor, const double *restrict a, double *restrict b) {
    for (int64_t i = 0; i < count; i++) {
        b[i] += factor * a[i];
    }
}

static double largest(int64_t count, const double *a) {
    double most = 0.0;
    for (int64_t i = 0; i < count; i++) {
        most = fmax(most, fabs(a[i]));
    }
    return most;
}

/* out = P x */
static void precondition(const minimizer *z, const double *x, double *out) {
    if (z->precondition) {
        z->precondition(z->user, x, out);
    } else {
        memcpy(out, x, sizeof(double) * (size_t)z->count);
    }
}

/* direction = -H gradient */
static void choose_direction(minimizer *z) {
    double *p = z->direction, alpha[HISTORY];
    int64_t n = z->count, oldest = z->pairs > HISTORY ? z->pairs - HISTORY : 0;
    for (int64_t i = 0; i < n; i++) {
        z->spare[i] = -z->gradient[i];
    }
    for (int64_t j = z->pairs - 1; j >= oldest; j--) {
        int64_t h = j % HISTORY;
        alpha[h] = z->rho[h] * eval_dot(n, z->s[h], z->spare);
        add(n, -alpha[h], z->y[h], z->spare);
    }
    precondition(z, z->spare, p);
    double scale = 1.0;
    if (z->pairs > 0) {
        const int64_t newest = (z->pairs - 1) % HISTORY;
        precondition(z, z->y[newest], z->spare);
        scale = 1.0 / (z->rho[newest] * eval_dot(n, z->y[newest], z->spare));
    } else if (!z->precondition) {
        scale = 1.0 / fmax(sqrt(eval_dot(n, p, p)), 1.0);
    }
    for (int64_t i = 0; i < n; i++) {
        p[i] *= scale;
    }
    for (int64_t j = oldest; j < z->pairs; j++) {
        int64_t h = j % HISTORY;
        add(n, alpha[h] - z->rho[h] * eval_dot(n, z->y[h], p), z->s[h], p);
    }
}

minimizer *eval_minimizer_create(int64_t count, double *x) {
    minimizer *z = hiss_new(minimizer, 1);
    z->count = count;
    z->x = x;
    z->memory = hiss_new(double, (2 * HISTORY + 5) * count);
    double **const arrays[] = {&z->gradient, &z->trial, &z->slope, &z->direction, &z->spare};
    for (int i = 0; i < 5; i++) {
        *arrays[i] = z->memory + i * count;
    }
    for (int h = 0; h < HISTORY; h++) {
        z->s[h] = z->memory + (5 + 2 * h) * count;
        z->y[h] = z->memory + (6 + 2 * h) * count;
    }
    return z;
}

void eval_minimizer_destroy(minimizer *z) {
    if (z) {
        hiss_free(z->memory);
        hiss_free(z);
    }
}

void eval_minimizer_precondition(minimizer *z, minimizer_precondition *by, void *user) {
    z->precondition = by;
    z->user = user;
}

const double *eval_minimizer_point(minimizer *z) {
    if (z->evaluations == 0) {
        return z->x;
    }
    if (!z->searching) {
        choose_direction(z);
        z->downhill = eval_dot(z->count, z->gradient, z->direction);
        z->stuck = !(z->downhill < 0.0);
        z->t = 1.0;
        z->low = 0.0;
        z->high = INFINITY;
        z->trials = 0;
        z->searching = true;
    }
    for (int64_t i = 0; i < z->count; i++) {
        z->trial[i] = z->x[i] + z->t * z->direction[i];
    }
    return z->trial;
}

/* Move to trial and remember the pair. */
static void accept(minimizer *z) {
    int64_t n = z->count, h = z->pairs % HISTORY;
    for (int64_t i = 0; i < n; i++) {
        z->s[h][i] = z->trial[i] - z->x[i];
        z->y[h][i] = z->slope[i] - z->gradient[i];
    }
    memcpy(z->x, z->trial, sizeof(double) * (size_t)n);
    memcpy(z->gradient, z->slope, sizeof(double) * (size_t)n);
    const double curved = eval_dot(n, z->s[h], z->y[h]);
    if (curved > 0.0) {
        z->rho[h] = 1.0 / curved;
        z->pairs++;
    }
    z->steps++;
    z->searching = false;
}

bool eval_minimizer_take(minimizer *z, double value, const double *gradient) {
    if (z->evaluations++ == 0) {
        memcpy(z->gradient, gradient, sizeof(double) * (size_t)z->count);
        z->value = value;
        return true;
    }
    memcpy(z->slope, gradient, sizeof(double) * (size_t)z->count);
    const double slope = eval_dot(z->count, z->slope, z->direction);
    const bool equal = fabs(value - z->value) <= NOISE * fmax(1.0, fabs(z->value));
    const bool decreases = equal ? slope <= -0.8 * z->downhill : value <= z->value + 1e-4 * z->t * z->downhill;
    if (decreases && slope >= 0.9 * z->downhill) {
        z->value = value;
        accept(z);
        return true;
    }
    if (decreases) {
        z->low = z->t;
    } else {
        z->high = z->t;
    }
    z->t = isinf(z->high) ? 2.0 * z->low : 0.5 * (z->low + z->high);
    z->stuck = z->stuck || ++z->trials == TRIALS;
    return false;
}

bool eval_minimizer_stuck(const minimizer *z) {
    return z->stuck;
}

hiss_minimum eval_minimizer_report(const minimizer *z, double size, double tolerance) {
    return (hiss_minimum){z->value, size, z->steps, z->evaluations, size <= tolerance};
}

void hiss_minimize(const hiss_smooth *function, double *x, int64_t iterations, double tolerance, hiss_minimum *report) {
    minimizer *z = eval_minimizer_create(function->count, x);
    double *gradient = hiss_new(double, function->count), size = 0.0;
    bool moved = true;
    while (!z->stuck) {
        const double *point = eval_minimizer_point(z);
        if (z->stuck) {
            break;
        }
        const double value = function->value(function->user, point, gradient);
        moved = eval_minimizer_take(z, value, gradient);
        size = moved ? largest(function->count, gradient) : size;
        if (moved && (size <= tolerance || z->steps == iterations)) {
            break;
        }
    }
    *report = eval_minimizer_report(z, size, tolerance);
    hiss_free(gradient);
    eval_minimizer_destroy(z);
}
