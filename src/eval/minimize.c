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
 * Cost: 4 HISTORY count flops per step beside the function; memory (2 HISTORY + 4) count doubles. */
#include <math.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/eval.h"

enum { HISTORY = 10, TRIALS = 30 };

static const double NOISE = 1e-6; /* rounding of f, a mean of logarithms of floats, and beside 1 when it is small */

typedef struct state {
    const hiss_smooth *f;
    int64_t count, evaluations;
    double *x, *gradient;            /* where we are */
    double *trial, *slope;           /* x + t p and the gradient there */
    double *direction;               /* p */
    double *s[HISTORY], *y[HISTORY]; /* steps and gradient changes, oldest overwritten */
    double rho[HISTORY];             /* 1 / (s.y) */
    int64_t pairs;                   /* stored so far */
} state;

static double dot(int64_t count, const double *a, const double *b) {
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

static void add(int64_t count, double factor, const double *a, double *b) {
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

/* direction = -H gradient */
static void choose_direction(state *z) {
    double *p = z->direction, alpha[HISTORY];
    int64_t n = z->count, oldest = z->pairs > HISTORY ? z->pairs - HISTORY : 0;
    for (int64_t i = 0; i < n; i++) {
        p[i] = -z->gradient[i];
    }
    if (z->pairs == 0) {
        double norm = fmax(sqrt(dot(n, p, p)), 1.0);
        for (int64_t i = 0; i < n; i++) {
            p[i] /= norm;
        }
        return;
    }
    for (int64_t j = z->pairs - 1; j >= oldest; j--) {
        int64_t h = j % HISTORY;
        alpha[h] = z->rho[h] * dot(n, z->s[h], p);
        add(n, -alpha[h], z->y[h], p);
    }
    int64_t newest = (z->pairs - 1) % HISTORY;
    double scale = 1.0 / (z->rho[newest] * dot(n, z->y[newest], z->y[newest]));
    for (int64_t i = 0; i < n; i++) {
        p[i] *= scale;
    }
    for (int64_t j = oldest; j < z->pairs; j++) {
        int64_t h = j % HISTORY;
        add(n, alpha[h] - z->rho[h] * dot(n, z->y[h], p), z->s[h], p);
    }
}

/* Find t; true when trial and slope hold a point that decreases f enough. */
static bool search_line(state *z, double *f) {
    double downhill = dot(z->count, z->gradient, z->direction), low = 0.0, high = INFINITY, t = 1.0;
    for (int trial = 0; trial < TRIALS && downhill < 0.0; trial++) {
        for (int64_t i = 0; i < z->count; i++) {
            z->trial[i] = z->x[i] + t * z->direction[i];
        }
        double value = z->f->value(z->f->user, z->trial, z->slope);
        z->evaluations++;
        const double slope = dot(z->count, z->slope, z->direction);
        const bool equal = fabs(value - *f) <= NOISE * fmax(1.0, fabs(*f));
        const bool decreases = equal ? slope <= -0.8 * downhill : value <= *f + 1e-4 * t * downhill;
        if (decreases && slope >= 0.9 * downhill) {
            *f = value;
            return true;
        }
        if (decreases) {
            low = t;
        } else {
            high = t;
        }
        t = isinf(high) ? 2.0 * low : 0.5 * (low + high);
    }
    return false;
}

/* Move to trial and remember the pair. */
static void accept(state *z) {
    int64_t n = z->count, h = z->pairs % HISTORY;
    for (int64_t i = 0; i < n; i++) {
        z->s[h][i] = z->trial[i] - z->x[i];
        z->y[h][i] = z->slope[i] - z->gradient[i];
    }
    memcpy(z->x, z->trial, sizeof(double) * (size_t)n);
    memcpy(z->gradient, z->slope, sizeof(double) * (size_t)n);
    double curvature = dot(n, z->s[h], z->y[h]);
    if (curvature > 0.0) {
        z->rho[h] = 1.0 / curvature;
        z->pairs++;
    }
}

/* Of x, which is where the function was evaluated last. */
static double gradient_size(const state *z) {
    return z->f->size ? z->f->size(z->f->user) : largest(z->count, z->gradient);
}

void hiss_minimize(const hiss_smooth *function, double *x, int64_t iterations, double tolerance, hiss_minimum *report) {
    const int64_t count = function->count;
    double *memory = hiss_new(double, (2 * HISTORY + 4) * count);
    state z = {.f = function, .count = count, .x = x, .evaluations = 1};
    z.gradient = memory;
    z.trial = memory + count;
    z.slope = memory + 2 * count;
    z.direction = memory + 3 * count;
    for (int h = 0; h < HISTORY; h++) {
        z.s[h] = memory + (4 + 2 * h) * count;
        z.y[h] = memory + (5 + 2 * h) * count;
    }
    double f = function->value(function->user, x, z.gradient), size = gradient_size(&z);
    int64_t step = 0;
    for (; step < iterations && size > tolerance; step++) {
        choose_direction(&z);
        if (!search_line(&z, &f)) {
            break;
        }
        accept(&z);
        size = gradient_size(&z);
    }
    *report = (hiss_minimum){f, size, step, z.evaluations, size <= tolerance};
    hiss_free(memory);
}
